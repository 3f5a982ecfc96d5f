"""A child who wants no visitor now is left alone until somebody asks them again, and a yes is recorded."""

from __future__ import annotations

import re

import pytest
from conftest import Service
from service_rows import besides
from sqlalchemy import select
from test_proposals import WAY, Desk

from matcher.records import Agreement, Party
from matcher.words import first_upper
from service.database import tables
from service.permissions import Role
from service.reasons import CHILD_OBJECTS, FOLLOWS, OBJECTS, says
from service.workflow import StepRefusedError

NOT_NOW = "does not want a visitor now"
API = "/api/v1"


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def agrees(desk: Desk) -> Agreement | None:
    for rows in desk.rows():
        found = rows.child_record(rows.child(desk.child), family_known=True).agrees
    return found


def says_so(desk: Desk, visits: bool, reason: str) -> str:
    """A proposal that the child declines, or visits that the child ends."""
    match = desk.propose()
    for step, by in WAY if visits else ():
        desk.step(match, step, by)
    desk.step(match, "end" if visits else "child_declines", Party.CHILD, reason)
    return match


@pytest.mark.parametrize("visits", [False, True])
def test_not_now_keeps_everybody_away_until_the_child_was_asked_again(desk: Desk, visits: bool) -> None:
    others = [one for one in desk.candidates() if one != desk.volunteer]
    match = says_so(desk, visits, f"child {NOT_NOW}" if visits else NOT_NOW)
    assert agrees(desk) is Agreement.NOT_ASKED
    assert desk.candidates() == []
    with pytest.raises(StepRefusedError, match="has not been asked yet"):
        desk.propose(volunteer=others[0])
    for rows in desk.rows():
        assert not rows.child(desk.child).objects  # it is no objection: nothing else is taken back or erased
        told = rows.session.scalars(
            select(tables.AuditEvent).where(
                tables.AuditEvent.subject == desk.child, tables.AuditEvent.action == "child to be asked again"
            )
        ).one()
        assert told.details == {"agrees before": "yes", "agrees": "not asked", "match": match}
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/children/{desk.child}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    assert (
        browser.patch(path, json={"facts": {"agrees": "yes"}, **besides(manager=False)}, headers=tag).status_code == 200
    )
    assert desk.candidates() == others  # all but the one who was declined, or whose match ended


@pytest.mark.parametrize("visits", [False, True])
def test_this_visitor_leaves_the_others(desk: Desk, visits: bool) -> None:
    others = [one for one in desk.candidates() if one != desk.volunteer]
    says_so(desk, visits, "child does not want this visitor" if visits else "does not want this visitor")
    assert agrees(desk) is Agreement.YES
    assert desk.candidates() == others


@pytest.mark.parametrize("visits", [False, True])
def test_any_visitor_is_an_objection(desk: Desk, visits: bool) -> None:
    says_so(desk, visits, CHILD_OBJECTS if visits else OBJECTS)
    assert agrees(desk) is Agreement.NO
    for rows in desk.rows():
        assert rows.child(desk.child).objects
    assert desk.candidates() == []


def test_the_forms_say_beforehand_what_follows(service: Service, desk: Desk) -> None:
    match = desk.propose()
    page = service.as_(Role.COORDINATOR).get(f"/proposals/{match}/steps/child_declines").text
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for reason in (NOT_NOW, OBJECTS, "does not feel safe with this visitor"):
        assert f"{first_upper(says(reason))} {FOLLOWS[reason]}" in shown
    told = service.as_(Role.COORDINATOR).get(f"{API}/matches/{match}").json()["possible"]
    assert next(one for one in told if one["step"] == "child_declines")["follows"][NOT_NOW] == FOLLOWS[NOT_NOW]


@pytest.mark.parametrize("blank_first", [False, True])
def test_a_file_does_not_say_yes_for_a_child_who_wanted_no_visitor_when_asked_last(
    desk: Desk, blank_first: bool
) -> None:
    """Nor by a blank cell first, and a yes the next time."""
    says_so(desk, False, NOT_NOW)
    manager = desk.service.as_(Role.MANAGER)
    reference = next(rows.child(desk.child).reference for rows in desk.rows())

    def files(word: str) -> list[tuple[str, tuple[str, bytes]]]:
        children = f"child_id,agrees\n{reference},{word}\n".encode()
        return [("files", ("children.csv", children)), ("files", ("volunteers.csv", b"volunteer_id\n"))]

    def take(word: str, *keys: str) -> int:
        stamp = manager.post(f"{API}/imports/check", files=files(word)).json()["stamp"]
        return manager.post(f"{API}/imports", files=files(word), data={"stamp": stamp, "weaken": keys}).status_code

    if blank_first:
        assert take("") == 201
    told = manager.post(f"{API}/imports/check", files=files("yes")).json()["weaker"]
    assert [(one["reference"], one["field"]) for one in told] == [(reference, "agrees")]
    assert "did not want a visitor when they were asked last" in told[0]["sentence"]
    assert take("yes") == 422
    assert take("yes", told[0]["key"]) == 201
    assert agrees(desk) is Agreement.YES
