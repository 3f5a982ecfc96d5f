"""What the page of a proposal that is over says of the volunteer who had been asked, and is to be told."""

from __future__ import annotations

import pytest
from conftest import Service
from test_proposals import WAY, Desk
from test_stopped_pages import page, references

from matcher.instance import LONDON
from matcher.records import Party
from matcher.words import day
from service.reasons import UNSAFE


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


@pytest.mark.parametrize(
    ("step", "by", "reason", "told"),
    [
        ("child_declines", Party.CHILD, "does not want this visitor", "Tell {} that it is off, if nobody has"),
        ("withdraw", Party.AUTHORITY, "another proposal is better", "Tell {} that it is off, if nobody has"),
        ("child_declines", Party.CHILD, UNSAFE, "A manager says how {} is told that it is off"),
        ("volunteer_declines", Party.VOLUNTEER, "no reason given", ""),
    ],
)
def test_a_volunteer_who_was_asked_is_to_be_told_that_it_is_off(
    desk: Desk, step: str, by: Party, reason: str, told: str
) -> None:
    """Unless they said so themselves."""
    match = desk.propose()
    desk.step(match, *WAY[0])
    was_asked, (_, volunteer) = desk.now, references(desk)
    desk.step(match, *WAY[1])
    assert "that it is off" not in page(desk, f"/proposals/{match}")
    desk.step(match, step, by, reason)
    words = page(desk, f"/proposals/{match}").replace(" :", ":")
    on = day(was_asked.astimezone(LONDON).date())
    sentence = f"{told.format(volunteer)}: they were asked on {on}, and Kith sends no message."
    assert sentence in words.replace(" , if", ", if") if told else "that it is off" not in words


def test_who_was_never_asked_has_nothing_to_be_told(desk: Desk) -> None:
    match = desk.propose()
    desk.step(match, "withdraw", Party.AUTHORITY, "entered by mistake")
    assert "that it is off" not in page(desk, f"/proposals/{match}")
