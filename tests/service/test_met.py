"""Whom a volunteer met before a concern is asked too, where nothing came of it but a meeting."""

from __future__ import annotations

import pytest
from conftest import Service
from set_back import Backups
from sqlalchemy import select
from test_asking import asked, status_of, taken_back, to_ask
from test_asking_pages import page, sent
from test_concerns import led, others_of, story
from test_proposals import WAY, Desk
from test_today import TO_BE_ASKED, part, said

from matcher.records import Party, Status
from service import standing, steps, taking_back
from service.database import tables
from service.permissions import Role
from service.reasons import TOLD_NOTHING, TOLD_SOMETHING, UNSAFE
from service.standing import BroughtUp
from service.workflow import State

MET = 4
"""Steps of the way until the meeting was held."""
NO = ("child_declines", Party.CHILD, "does not want this visitor")


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def raised(desk: Desk, reason: str = "concern raised", status: Status = Status.SUSPENDED) -> BroughtUp:
    for rows in desk.rows():
        brought = standing.set_status(rows, rows.volunteer(desk.volunteer), status, user_id=desk.user, reason=reason)
    return brought


@pytest.mark.parametrize(
    ("steps", "over"),
    [
        (MET, NO),
        (MET + 1, ("volunteer_declines", Party.VOLUNTEER, "no reason given")),
        (MET + 1, ("withdraw", Party.AUTHORITY, "entered by mistake")),
        (MET, None),  # the concern itself withdraws it
    ],
)
def test_a_child_who_met_the_volunteer_is_to_be_asked(
    desk: Desk, steps: int, over: tuple[str, Party, str] | None
) -> None:
    match = led(desk, steps)
    if over:
        desk.step(match, *over)
    brought = raised(desk)
    assert (brought.past, to_ask(desk)) == ((match,), [match])
    assert story(desk, match)[-1] == ("brought_up", "concern raised")
    assert brought.withdrawn == (() if over else (match,))
    taken_back(desk)
    assert to_ask(desk) == [match]
    asked(desk, match, TOLD_NOTHING)
    assert to_ask(desk) == []


def test_who_was_to_meet_them_and_has_not_is_not_asked(desk: Desk) -> None:
    match = led(desk, MET - 1)
    desk.step(match, *NO)
    assert raised(desk).past == ()
    assert story(desk, match)[-1][0] == NO[0]


def test_a_lapsed_check_brings_up_no_meeting(desk: Desk) -> None:
    match = led(desk, MET)
    desk.step(match, *NO)
    assert raised(desk, "check lapsed").past == ()


def test_a_meeting_that_was_recorded_by_mistake_was_none(desk: Desk) -> None:
    match = led(desk, MET)
    for rows in desk.rows():
        taking_back.take_back(rows, match, user_id=desk.user, why="They could not come.")
    desk.step(match, *NO)
    assert (raised(desk).past, to_ask(desk)) == ((), [])


def test_whom_a_file_has_as_agreed_has_met_them(desk: Desk) -> None:
    match = desk.propose()
    for rows in desk.rows():
        row = rows.match(match)
        row.state = State.AGREED
        steps.decide(rows, row, steps.TAKEN_IN, Party.AUTHORITY, desk.user, row.since, None, None)
    assert raised(desk).past == (match,)


def test_a_child_who_met_them_more_than_once_is_asked_once(desk: Desk) -> None:
    first = led(desk, MET)
    desk.step(first, "withdraw", Party.AUTHORITY, "entered by mistake")
    second = led(desk, MET)
    desk.step(second, *NO)
    assert raised(desk).past == (second,)


def test_a_child_who_is_visited_by_them_is_asked_as_the_visits_are_to_go_on(desk: Desk) -> None:
    first = led(desk, MET)
    desk.step(first, "withdraw", Party.AUTHORITY, "entered by mistake")
    visits = led(desk, len(WAY))
    brought = raised(desk)
    assert (brought.past, brought.paused) == ((), (visits,))


def test_who_says_it_as_they_say_no_is_not_asked_the_same_again_and_others_are(desk: Desk) -> None:
    match = led(desk, MET)
    past, _ = others_of(desk)
    desk.step(match, NO[0], NO[1], UNSAFE)
    assert to_ask(desk) == [past]
    asked(desk, past, TOLD_SOMETHING)
    assert match in to_ask(desk)  # another child has told of them since


def test_the_pages_ask_about_the_meeting(desk: Desk) -> None:
    match = led(desk, MET)
    desk.step(match, *NO)
    status = f"/volunteers/{desk.volunteer}/status"
    assert "one child whom they visited or met before is to be asked too" in page(desk, status)
    raised(desk)
    assert "They met, and nothing came of it." in said(part(desk, TO_BE_ASKED))
    told = page(desk, f"/proposals/{match}")
    assert "is to be asked about the meeting" in told
    assert "Record what the child said when asked" in told
    assert "To be asked about the meeting with" in page(desk, f"/children/{desk.child}")
    form = page(desk, f"/proposals/{match}/asked")
    assert "said when asked about the meeting" in form
    assert "asks them how the meeting was" in form
    assert sent(desk, match, outcome=TOLD_SOMETHING, note="She frightened me.").status_code == 303
    assert (status_of(desk), to_ask(desk)) == ("suspended", [])
    answer = desk.service.as_(Role.COORDINATOR).get(f"/api/v1/matches/{match}").json()
    assert (answer["to_be_asked_since"], answer["timeline"][-1]["note"]) == (None, "She frightened me.")


@pytest.mark.parametrize("concern", ["since", "later"])
def test_a_restore_keeps_that_they_met(service: Service, backups: Backups, concern: str) -> None:
    """Of a proposal that was there and of one that was not, both over since; by a concern of before it, or after it."""
    desk = Desk(service)
    there = desk.propose()
    backups.make()
    for step, by in WAY[:MET]:
        desk.step(there, step, by)
    desk.step(there, "withdraw", Party.AUTHORITY, "entered by mistake")
    new = led(desk, MET)
    desk.step(new, *NO)
    if concern == "since":
        raised(desk)
    backups.put_back()
    assert to_ask(desk) == ([new] if concern == "since" else [])
    assert raised(desk, "complaint", Status.WITHDRAWN).past == (new,)
    with service.database.read(service.north) as session:
        query = select(tables.Decision.step).where(tables.Decision.match_id == there).order_by(tables.Decision.number)
        assert [*session.scalars(query)] == ["propose", "meeting_held"]
    assert backups.put_back().noes
    assert to_ask(desk) == [new]
