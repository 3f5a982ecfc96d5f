"""A child who wants no visitor now is left alone until somebody asks them again, and a yes is recorded.

So is a child whose visitor was lost by a concern about them: whether they would like another one is for them to say.
"""

from __future__ import annotations

import re

import pytest
from conftest import Service
from service_rows import besides
from sqlalchemy import select
from test_concerns import led, without_a_referral
from test_proposals import WAY, Desk

from matcher.records import Agreement, Party, Status
from matcher.words import first_upper
from service.database import tables
from service.pages.html import short_day
from service.permissions import Role
from service.reasons import ASKED_AGAIN_AFTER, CHILD_OBJECTS, FOLLOWS, NOTHING_MORE, OBJECTS, UNSAFE, Follows, says
from service.workflow import StepRefusedError

NOT_NOW = "does not want a visitor now"
API = "/api/v1"


FOR_SAFETY = [
    (0, "child_declines", Party.CHILD, UNSAFE),
    (3, "social_worker_declines", Party.SOCIAL_WORKER, "safeguarding concern about the volunteer"),
    (len(WAY), "end", Party.SOCIAL_WORKER, UNSAFE),
    (len(WAY), "end", Party.AUTHORITY, "boundaries not kept"),
    (len(WAY), "end", Party.CHILD, "serious concern about the volunteer"),
]


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
    assert f"No reason given {NOTHING_MORE} Does not want this visitor {NOTHING_MORE}" in shown
    told = service.as_(Role.COORDINATOR).get(f"{API}/matches/{match}").json()["possible"]
    assert next(one for one in told if one["step"] == "child_declines")["follows"][NOT_NOW] == FOLLOWS[NOT_NOW]
    assert all({*one["follows"]} == {*one["reasons"]} for one in told if one["step"].endswith("_declines"))


def words(desk: Desk, path: str) -> str:
    page = re.sub(r"<[^>]+>", " ", desk.service.as_(Role.COORDINATOR).get(path).text)
    return re.sub(r"\s+(?=[.,:;)])", "", re.sub(r"\s+", " ", page))


@pytest.mark.parametrize(("steps", "step", "by", "reason"), FOR_SAFETY, ids=lambda one: str(one))
def test_a_child_whose_visitor_was_lost_by_a_concern_is_asked_whether_they_would_like_another(
    desk: Desk, steps: int, step: str, by: Party, reason: str
) -> None:
    others = [one for one in desk.candidates() if one != desk.volunteer]
    match = led(desk, steps)
    form = words(desk, f"/proposals/{match}/steps/{step}")
    assert f"{first_upper(says(reason))} {Follows.SUSPENDED} {Follows.ASKED_AGAIN}" in form
    desk.step(match, step, by, reason)
    assert agrees(desk) is Agreement.NOT_ASKED
    assert desk.candidates() == []
    with pytest.raises(StepRefusedError, match="has not been asked yet"):
        desk.propose(volunteer=others[0])
    for rows in desk.rows():
        name = rows.references()[desk.child]
        assert rows.volunteer(desk.volunteer).status == Status.SUSPENDED
        entry = rows.session.scalars(
            select(tables.AuditEvent).where(
                tables.AuditEvent.subject == desk.child, tables.AuditEvent.action == "child to be asked again"
            )
        ).one()
        assert entry.details == {"agrees before": "yes", "agrees": "not asked", "match": match}
    why = f"{'match' if step == 'end' else 'proposal'} ended for their safety on {short_day(desk.now)}"
    today = words(desk, "/")
    assert f"To be asked again: 1 {name} {why}" in today
    assert name not in today.partition("Waiting longest of those who are ready")[2].partition("Highest priority")[0]
    assert why in words(desk, "/children?show=to ask")
    page = words(desk, f"/children/{desk.child}")
    assert re.search(r"ended for their safety \( ?how it was recorded\)", page)
    assert "asked whether they would like another visitor and recorded a yes" in page
    assert "want no visitor now" not in page + today
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/children/{desk.child}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    said = {"facts": {"agrees": "yes"}, **besides(manager=False)}
    assert browser.patch(path, json=said, headers=tag).status_code == 200
    assert desk.candidates() == others


def test_every_such_reason_is_among_those_above() -> None:
    now = {NOT_NOW, f"child {NOT_NOW}"}
    assert {reason for *_, reason in FOR_SAFETY} == ASKED_AGAIN_AFTER - now


def test_visits_that_are_paused_leave_the_childs_word_to_a_visitor_as_it_is(desk: Desk) -> None:
    """They are asked whether the visits go on."""
    desk.step(led(desk, len(WAY)), "pause", Party.CHILD, UNSAFE)
    assert agrees(desk) is Agreement.YES


def test_of_a_child_of_whom_the_match_is_all_that_is_recorded_nothing_is_asked(desk: Desk) -> None:
    match = led(desk, len(WAY))
    without_a_referral(desk, match)
    desk.step(match, "end", Party.CHILD, "boundaries not kept")
    assert agrees(desk) is Agreement.YES
    for rows in desk.rows():
        assert rows.volunteer(desk.volunteer).status == Status.SUSPENDED


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        (NOT_NOW, "did not want a visitor when they were asked last"),
        (UNSAFE, "is to be asked again, since a proposal or match of theirs ended for their safety"),
    ],
)
@pytest.mark.parametrize("blank_first", [False, True])
def test_a_file_does_not_say_yes_for_a_child_who_is_to_be_asked_again(
    desk: Desk, blank_first: bool, reason: str, why: str
) -> None:
    """Nor by a blank cell first, and a yes the next time."""
    says_so(desk, False, reason)
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
    assert f"{why}, and the file says yes." in told[0]["sentence"]
    assert take("yes") == 422
    assert take("yes", told[0]["key"]) == 201
    assert agrees(desk) is Agreement.YES
