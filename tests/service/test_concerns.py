"""A concern about a volunteer stops them everywhere at once, wherever it is recorded; one about the child does not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import Service
from service_rows import a_child, a_match, besides
from sqlalchemy import select
from test_proposals import ASKED_AGAIN, WAY, Desk

from matcher.instance import today
from matcher.records import Party, Status
from service import standing
from service.database import tables
from service.permissions import Role
from service.reasons import FOLLOWS, TOLD_SOMETHING, Follows
from service.workflow import State, StepRefusedError

API = "/api/v1"
CONCERNS = [
    (0, "child_declines", Party.CHILD, "does not feel safe with this visitor"),
    (3, "social_worker_declines", Party.SOCIAL_WORKER, "safeguarding concern about the volunteer"),
    (len(WAY), "pause", Party.AUTHORITY, "a concern about the volunteer"),
    (len(WAY), "pause", Party.AUTHORITY, "does not feel safe with this visitor"),
    (len(WAY), "end", Party.CHILD, "does not feel safe with this visitor"),
    (len(WAY), "end", Party.CHILD, "boundaries not kept"),
    (len(WAY), "end", Party.CHILD, "serious concern about the volunteer"),
]


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def others_of(desk: Desk) -> tuple[str, str]:
    """Ids of a match of the volunteer's that ended, and of one that is active now, with children of their own."""
    for rows in desk.rows():
        volunteer = rows.volunteer(desk.volunteer)
        volunteer.capacity = 3
        rows.session.flush()
        past = a_match(rows.session, a_child(rows, "past"), volunteer, State.ENDED, place=None)
        past.ended_on = today() - timedelta(days=400)
        now = a_match(rows.session, a_child(rows, "now"), volunteer, State.ACTIVE, place=1)
    return past.id, now.id


def without_a_referral(desk: Desk, match: str) -> None:
    """Of whose child only the volunteer is asked about."""
    for rows in desk.rows():
        rows.child(rows.match(match).child_id).referral = False


def story(desk: Desk, match: str) -> list[tuple[str, str | None]]:
    for rows in desk.rows():
        told = rows.session.scalars(
            select(tables.Decision).where(tables.Decision.match_id == match).order_by(tables.Decision.number)
        ).all()
    return [(one.step, one.reason) for one in told]


def led(desk: Desk, steps: int) -> str:
    match = desk.propose()
    for step, by in WAY[:steps]:
        desk.step(match, step, by)
    return match


@pytest.mark.parametrize(("steps", "step", "by", "reason"), CONCERNS, ids=lambda one: str(one))
def test_a_concern_about_the_volunteer_suspends_them(desk: Desk, steps: int, step: str, by: Party, reason: str) -> None:
    match = led(desk, steps)
    past, now = others_of(desk)
    desk.step(match, step, by, reason)
    for rows in desk.rows():
        assert rows.volunteer(desk.volunteer).status == Status.SUSPENDED
        assert rows.match(now).state == State.PAUSED
        told = rows.session.scalars(
            select(tables.AuditEvent).where(tables.AuditEvent.action == "volunteer status")
        ).one()
        assert (told.subject, told.reason) == (desk.volunteer, "concern raised")
        assert (told.details["raised by"], told.details["past"]) == (match, [past])
    assert story(desk, now) == [("pause", "a concern about the volunteer")]
    assert story(desk, past) == [("brought_up", "concern raised")]
    assert story(desk, match)[-1] == (step, reason)  # it says so itself
    with pytest.raises(StepRefusedError):  # nor goes what was paused on again
        desk.step(now, "resume", Party.AUTHORITY)


def test_every_concern_is_among_those_above() -> None:
    assert {reason for *_, reason in CONCERNS} == {
        reason for reason, follows in FOLLOWS.items() if follows is Follows.SUSPENDED
    } - {TOLD_SOMETHING}  # which is no step: see test_asking


def test_a_manager_alone_lifts_it(desk: Desk) -> None:
    steps, step, by, reason = CONCERNS[0]
    desk.step(led(desk, steps), step, by, reason)
    path = f"{API}/volunteers/{desk.volunteer}"
    lift = {"status": "approved", "reason": "investigation closed", "found": "Nothing."}
    for role, code in ((Role.COORDINATOR, 403), (Role.MANAGER, 200)):
        browser = desk.service.as_(role)
        tag = {"If-Match": browser.get(path).headers["ETag"]}
        assert browser.post(f"{path}/status", json=lift, headers=tag).status_code == code


@pytest.mark.parametrize(
    ("steps", "step", "by", "reason"),
    [
        (3, "social_worker_declines", Party.SOCIAL_WORKER, "safeguarding concern about the child"),
        (len(WAY), "end", Party.SOCIAL_WORKER, "serious concern about the child"),
    ],
)
def test_a_concern_about_the_child_holds_the_referral(
    desk: Desk, steps: int, step: str, by: Party, reason: str
) -> None:
    others = [one for one in desk.candidates() if one != desk.volunteer]
    desk.step(led(desk, steps), step, by, reason)
    for rows in desk.rows():
        assert rows.volunteer(desk.volunteer).status == Status.APPROVED
    assert desk.candidates() == []
    browser, path = desk.service.as_(Role.MANAGER), f"{API}/children/{desk.child}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    assert (
        browser.patch(path, json={"facts": {"safeguarding_issue": "no"}, **besides()}, headers=tag).status_code == 200
    )
    assert desk.candidates() == others


@pytest.mark.parametrize(
    ("status", "reason", "why", "asked"),
    [
        (Status.SUSPENDED, "concern raised", "a concern about the volunteer", True),
        (Status.WITHDRAWN, "concern raised", "a concern about the volunteer", True),
        (Status.WITHDRAWN, "complaint", "a concern about the volunteer", True),
        (Status.SUSPENDED, "check lapsed", "a check has lapsed", False),
        (Status.SUSPENDED, "other", "a concern about the volunteer", True),  # nobody said that it is none
        (Status.RESIGNED, "own wish", "circumstances", False),
    ],
)
def test_the_past_is_brought_up_and_visits_are_paused_by_the_reason(
    desk: Desk, status: Status, reason: str, why: str, asked: bool
) -> None:
    past, now = others_of(desk)
    for rows in desk.rows():
        volunteer = rows.volunteer(desk.volunteer)
        brought = standing.set_status(rows, volunteer, status, user_id=desk.user, reason=reason)
        assert brought.past == ((past,) if asked else ())
    assert story(desk, now) == [("pause", why)]
    assert story(desk, past) == ([("brought_up", reason)] if asked else [])


@pytest.mark.parametrize("before", [None, "circumstances", "a check has lapsed"])
def test_each_child_whose_visits_a_concern_paused_is_asked_before_they_go_on(desk: Desk, before: str | None) -> None:
    """Also one whose visits were paused already: that the volunteer was suspended meanwhile concerns them as well."""
    match = led(desk, 1)
    _, now = others_of(desk)
    without_a_referral(desk, now)
    if before:
        desk.step(now, "pause", Party.AUTHORITY, before)
    desk.step(match, "child_declines", Party.CHILD, "does not feel safe with this visitor")
    assert story(desk, now)[-1] == ("pause", "a concern about the volunteer")
    for rows in desk.rows():
        standing.set_status(
            rows, rows.volunteer(desk.volunteer), Status.WITHDRAWN, user_id=desk.user, reason="complaint"
        )
        standing.set_status(
            rows, rows.volunteer(desk.volunteer), Status.APPROVED, user_id=desk.user, reason="investigation closed",
            manager=True, found="Nothing.",
        )  # fmt: skip
    assert len(story(desk, now)) == 1 + bool(before)  # another concern says it once more, of nobody
    with pytest.raises(StepRefusedError, match="Possible: The child was asked again"):
        desk.step(now, "resume", Party.AUTHORITY)
    assert desk.step(now, "child_resumes", Party.CHILD, **ASKED_AGAIN) is State.ACTIVE


def test_visits_that_a_lapsed_check_paused_go_on_once_the_checks_are_complete(desk: Desk) -> None:
    _, now = others_of(desk)
    without_a_referral(desk, now)
    for status, reason in ((Status.SUSPENDED, "check lapsed"), (Status.APPROVED, "checks complete")):
        for rows in desk.rows():
            row = rows.volunteer(desk.volunteer)
            standing.set_status(rows, row, status, user_id=desk.user, reason=reason, manager=True)
    assert desk.step(now, "resume", Party.AUTHORITY) is State.ACTIVE


def test_who_has_gone_stays_gone_and_is_brought_up(desk: Desk) -> None:
    """A concern that is raised when their visits are paused already."""
    past, now = others_of(desk)
    for rows in desk.rows():
        standing.set_status(rows, rows.volunteer(desk.volunteer), Status.RESIGNED, user_id=desk.user, reason="own wish")
    desk.step(now, "end", Party.CHILD, "serious concern about the volunteer")
    for rows in desk.rows():
        assert rows.volunteer(desk.volunteer).status == Status.RESIGNED
    assert story(desk, past) == [("brought_up", "concern raised")]
    assert story(desk, now)[-1] == ("end", "serious concern about the volunteer")


@pytest.mark.parametrize("reason", ["panel approved", "own wish", "investigation closed"])
def test_a_suspension_is_for_a_reason_that_suspends(service: Service, reason: str) -> None:
    """Over the API as on the page: by another one no child who was visited before would be brought up."""
    _, volunteer = service.eligible_pair()
    browser, path = service.as_(Role.COORDINATOR), f"/api/v1/volunteers/{volunteer}"
    etag = {"If-Match": browser.get(path).headers["ETag"]}
    answer = browser.post(f"{path}/status", json={"status": "suspended", "reason": reason}, headers=etag)
    assert (answer.status_code, "concern raised, complaint, check lapsed, other" in answer.text) == (422, True)


def test_a_volunteer_is_stopped_whatever_else_was_changed_meanwhile(service: Service) -> None:
    _, volunteer = service.eligible_pair()
    browser, path = service.as_(Role.COORDINATOR), f"/api/v1/volunteers/{volunteer}"
    old = {"If-Match": browser.get(path).headers["ETag"]}
    assert browser.patch(path, json={"facts": {"has_dog": "no"}}, headers=old).status_code == 200
    stopped = {"status": "suspended", "reason": "concern raised"}
    assert browser.post(f"{path}/status", json=stopped, headers=old).status_code == 200
    back = {"status": "approved", "reason": "investigation closed"}
    assert service.as_(Role.MANAGER).post(f"{path}/status", json=back, headers=old).status_code == 412


def test_a_step_that_asks_for_no_reason_takes_none(service: Service) -> None:
    """A reason brings about what belongs to its own step: this one would suspend the volunteer."""
    browser, path = service.as_(Role.COORDINATOR), f"/api/v1/matches/{service.a_match()}"
    etag = {"If-Match": browser.get(path).headers["ETag"]}
    body = {"step": "review_falls_due", "by": "authority", "reason": "serious concern about the volunteer"}
    answer = browser.post(f"{path}/steps", json=body, headers=etag)
    assert (answer.status_code, "has no reason to give" in answer.text) == (409, True)
