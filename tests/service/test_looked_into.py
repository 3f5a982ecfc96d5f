"""A concern is closed by what a manager found, and whoever proposes the volunteer is told that there was one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from conftest import Service
from page_reading import fields_of
from sqlalchemy import select
from test_concerns import others_of
from test_proposals import Desk
from test_today import CONCERNS_HERE, FOUND, may_record, part, recorded, said

from matcher.instance import LONDON, today
from matcher.records import Party, Status
from matcher.words import day
from service import concerns, findings, privacy, standing, subject_access
from service.database import tables
from service.database.base import utc_now
from service.permissions import Role

UNSAFE = "does not feel safe with this visitor"
TOLD = f"A concern was looked into on {day(today())}: closed by a manager."


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def unsafe(desk: Desk) -> None:
    """A child of a match that goes on says so, and the match is over."""
    _, now = others_of(desk)
    desk.step(now, "end", Party.CHILD, UNSAFE)


@pytest.mark.parametrize("status", [Status.APPROVED, Status.APPLICANT])
def test_nobody_is_taken_back_after_a_concern_by_a_reason_that_says_nothing_of_it(desk: Desk, status: Status) -> None:
    unsafe(desk)
    assert {why for one, why in may_record(desk, Role.MANAGER) if one is status} == {"investigation closed"}
    for reason in set(standing.REASONS_OF[status]) - {"investigation closed"}:
        assert recorded(desk, Role.MANAGER, status, reason) == 422
    for nothing in ("", "  "):
        assert recorded(desk, Role.MANAGER, status, "investigation closed", nothing) == 422
        assert part(desk, CONCERNS_HERE)
    assert recorded(desk, Role.MANAGER, status, "investigation closed") == 200
    assert part(desk, CONCERNS_HERE) == ""


@pytest.mark.parametrize("reason", ["investigation closed", "no longer suitable"])
def test_what_was_found_is_asked_for_of_who_stays_away_too(desk: Desk, reason: str) -> None:
    unsafe(desk)
    assert recorded(desk, Role.MANAGER, Status.WITHDRAWN, reason, "") == 422
    assert part(desk, CONCERNS_HERE)
    assert recorded(desk, Role.MANAGER, Status.WITHDRAWN, reason) == 200


def test_the_form_asks_a_manager_what_was_found_and_keeps_what_was_chosen(desk: Desk) -> None:
    unsafe(desk)
    path = f"/volunteers/{desk.volunteer}/status"
    assert 'name="found"' not in desk.service.as_(Role.COORDINATOR).get(path).text
    browser = desk.service.as_(Role.MANAGER)
    sent = {"version": fields_of(browser.get(path).text)["version"], "status": "approved"}
    sent["reason-approved"] = "investigation closed"
    answer = browser.post(path, data=sent)
    assert (answer.status_code, "Write what was found of" in answer.text) == (422, True)
    assert 'href="#found"' in answer.text
    assert browser.post(path, data=sent | {"found": FOUND}).status_code == 200
    assert TOLD in said(browser.get(f"/volunteers/{desk.volunteer}").text)


def test_what_was_found_is_sealed_and_read_by_managers_alone(desk: Desk) -> None:
    unsafe(desk)
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "investigation closed") == 200
    path = f"/volunteers/{desk.volunteer}"
    assert FOUND in said(desk.service.as_(Role.MANAGER).get(path).text)
    assert FOUND not in said(desk.service.as_(Role.COORDINATOR).get(path).text)
    for role in (Role.MANAGER, Role.COORDINATOR):
        assert FOUND not in desk.service.as_(role).get(f"/api/v1{path}").text
        assert FOUND not in desk.service.as_(role).get(f"/api/v1{path}/person").text
    for rows in desk.rows():
        row = rows.volunteer(desk.volunteer)
        assert FOUND.encode() not in (row.found or b"")
        assert [(one.found, one.by) for one in findings.of(rows, row)] == [
            (FOUND, desk.service.users["north", Role.MANAGER])
        ]
        log = rows.session.scalars(select(tables.AuditEvent)).all()
        assert not any(FOUND in f"{one.reason} {one.details}" for one in log)
        assert FOUND not in f"{subject_access.volunteer_export(rows, row)}"  # somebody else's word
        for match in rows.session.scalars(select(tables.Match).where(tables.Match.volunteer_id == row.id)):
            match.state, match.place = "ended", None
        privacy.erase_volunteer(rows, row, user_id=desk.user, reason="asked for by the person")
        assert findings.of(rows, row) == []


def test_whoever_proposes_is_told_that_there_was_a_concern_and_not_of_what(desk: Desk) -> None:
    child, volunteer = desk.child, desk.volunteer
    browser = desk.service.as_(Role.COORDINATOR)
    shortlist = f"/children/{child}/shortlist?rank=fit"
    other = next(id for id in re.findall(r"/propose/(V\w+)", browser.get(shortlist).text) if id != volunteer)
    pages = [
        shortlist,
        f"/children/{child}/compare?rank=fit&with={volunteer}&with={other}",
        f"/children/{child}/propose/{volunteer}?rank=fit",
        f"/volunteers/{volunteer}",
    ]
    assert not any("was looked into" in said(browser.get(page).text) for page in pages)
    unsafe(desk)
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "investigation closed") == 200
    for page in pages:
        told = said(browser.get(page).text)
        assert TOLD in told, page
        assert FOUND not in told


def test_who_was_found_unsuitable_and_comes_back_is_told_with_both(desk: Desk) -> None:
    unsafe(desk)
    assert recorded(desk, Role.MANAGER, Status.WITHDRAWN, "no longer suitable") == 200
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "panel approved") == 422
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "investigation closed") == 200
    told = said(desk.service.as_(Role.COORDINATOR).get(f"/volunteers/{desk.volunteer}").text)
    assert f"A concern was looked into on {day(today())}: found no longer suitable by a manager. {TOLD}" in told


def test_a_suspension_for_a_check_leaves_no_word_of_a_concern(desk: Desk) -> None:
    assert recorded(desk, Role.COORDINATOR, Status.SUSPENDED, "check lapsed") == 200
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "checks complete", "") == 200
    assert (
        "A concern was looked into" not in desk.service.as_(Role.COORDINATOR).get(f"/volunteers/{desk.volunteer}").text
    )


@pytest.mark.parametrize("stands", [Status.APPROVED, Status.SUSPENDED])
def test_what_another_log_tells_of_a_concern_takes_nobody_back(desk: Desk, stands: Status) -> None:
    """As after a restore: what was found is on record, and who is stopped stays so until a person says otherwise."""
    at, by = utc_now() - timedelta(days=3), desk.service.users["north", Role.MANAGER]
    told = [
        standing.Stop(1, desk.volunteer, at, by, "approved", "suspended", "concern raised"),
        standing.Stop(2, desk.volunteer, at + timedelta(1), by, "suspended", "applicant", "investigation closed",
                      closes=True),
        standing.Stop(3, desk.volunteer, at + timedelta(2), by, "applicant", "approved", "panel approved"),
    ]  # fmt: skip
    for rows in desk.rows():
        row = rows.volunteer(desk.volunteer)
        rows.write_volunteer(row, replace(rows.volunteer_record(row), status=stands))
        assert concerns.tell_again(rows, {row.id: told}, user_id="restore") == [row.id]
        assert concerns.tell_again(rows, {row.id: told}, user_id="restore") == []
        on = day((at + timedelta(1)).astimezone(LONDON).date())
        assert standing.looked_into(rows) == {row.id: f"A concern was looked into on {on}: closed by a manager."}
        recorded_here = standing.stops(rows, row)
        assert [one.status for one in recorded_here] == ([] if stands is Status.APPROVED else ["suspended"] * 2)
        assert standing.still_open(recorded_here) == []
        assert row.status == stands
