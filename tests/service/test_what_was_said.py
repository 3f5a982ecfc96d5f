"""What was said as a concern is raised is kept with it, sealed, for the manager who looks into it."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Service
from page_reading import fields_of
from sqlalchemy import select
from test_proposals import Desk
from test_today import FOUND, part, recorded, said
from test_weakening import RESOLVED, fact, form, is_so, patch

from matcher.instance import today
from matcher.records import Status
from matcher.words import day
from service import findings, holds, privacy, standing, subject_access
from service.database import tables
from service.permissions import Role
from service.repository import Repository

SAID = "He raised his voice, the carer said on the telephone; I told the team manager at once."
ISSUE = "safeguarding_issue"
WROTE = f"What was said, as coordinator of north wrote on {day(today())}: {SAID}"


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def suspended(desk: Desk, reason: str = "concern raised", **more: Any) -> None:
    """On the page, by a coordinator."""
    path, browser = f"/volunteers/{desk.volunteer}/status", desk.service.as_(Role.COORDINATOR)
    sent = fields_of(browser.get(path).text) | {"status": "suspended", "reason-suspended": reason, "said": SAID, **more}
    assert browser.post(path, data=sent).status_code == 200


def kept(rows: Repository, row: tables.Child | tables.Volunteer, export: object) -> None:
    """Sealed, in no log, and told to nobody who asks what is kept of them: it may be somebody else's word."""
    assert SAID.encode() not in (row.found or b"")
    assert SAID not in f"{export}"
    log = rows.session.scalars(select(tables.AuditEvent)).all()
    assert not any(SAID in f"{one.reason} {one.details}" for one in log)


@pytest.mark.parametrize("reason", ["concern raised", "complaint"])
def test_what_was_said_of_a_volunteer_is_read_by_whoever_looks_into_it(desk: Desk, reason: str) -> None:
    suspended(desk, reason)
    path = f"/volunteers/{desk.volunteer}"
    assert f'href="{path}"' in part(desk, "Concerns to look into")
    for page in (path, f"{path}/status"):
        assert WROTE in said(desk.service.as_(Role.MANAGER).get(page).text)
        assert SAID not in said(desk.service.as_(Role.COORDINATOR).get(page).text)
    for role in (Role.MANAGER, Role.COORDINATOR):
        assert SAID not in desk.service.as_(role).get(f"/api/v1{path}").text
    for rows in desk.rows():
        row = rows.volunteer(desk.volunteer)
        kept(rows, row, subject_access.volunteer_export(rows, row))
        assert (findings.of(rows, row), standing.looked_into(rows)) == ([], {})  # nobody has found anything yet
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "investigation closed") == 200
    page = said(desk.service.as_(Role.MANAGER).get(path).text)
    assert WROTE in page
    assert f"What manager of north wrote on {day(today())}: {FOUND}" in page


def test_a_form_that_comes_back_keeps_what_was_said(desk: Desk) -> None:
    path, browser = f"/volunteers/{desk.volunteer}/status", desk.service.as_(Role.COORDINATOR)
    sent = fields_of(browser.get(path).text) | {"status": "suspended", "said": SAID}
    answer = browser.post(path, data=sent)
    assert (answer.status_code, SAID in said(answer.text)) == (422, True)


def test_it_is_kept_over_the_api_too(desk: Desk) -> None:
    browser, path = desk.service.as_(Role.COORDINATOR), f"/api/v1/volunteers/{desk.volunteer}"
    body = {"status": "suspended", "reason": "complaint", "said": SAID}
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    assert browser.post(f"{path}/status", json=body, headers=tag).status_code == 200
    assert patch(desk, Role.COORDINATOR, {ISSUE: "yes"}, said=SAID) == 200
    new = {"reference": "S-901", "facts": {ISSUE: "yes"}, "said": SAID}
    assert browser.post("/api/v1/children", json=new).status_code == 201
    assert browser.post("/api/v1/children", json={**new, "reference": "S-902", "facts": {}}).status_code == 422
    for rows in desk.rows():
        made = rows.session.scalars(select(tables.Child).where(tables.Child.reference == "S-901")).one()
        for row in (rows.volunteer(desk.volunteer), rows.child(desk.child), made):
            by = desk.service.users["north", Role.COORDINATOR]
            assert [(one.said, one.by) for one in findings.said(rows, row)] == [(SAID, by)]


def test_what_was_said_of_a_child_is_read_by_whoever_looks_into_it(desk: Desk) -> None:
    form(desk, Role.COORDINATOR, "referral", safeguarding_issue="yes", said=SAID)
    assert fact(desk, ISSUE) is True
    path = f"/children/{desk.child}"
    assert f'href="{path}"' in part(desk, "Concerns about children to look into")
    for page in (path, f"{path}/change/referral"):
        assert WROTE in said(desk.service.as_(Role.MANAGER).get(page).text)
        assert SAID not in said(desk.service.as_(Role.COORDINATOR).get(page).text)
    for rows in desk.rows():
        row = rows.child(desk.child)
        kept(rows, row, subject_access.child_export(rows, row))
        assert dict(holds.looked_into(rows)) == {}
    assert patch(desk, Role.MANAGER, {ISSUE: "no"}, why_weaker=RESOLVED, found=FOUND) == 200
    page = said(desk.service.as_(Role.MANAGER).get(path).text)
    assert WROTE in page
    assert FOUND in page
    for rows in desk.rows():
        privacy.erase_child(rows, rows.child(desk.child), user_id=desk.user, reason="asked to be erased")
        assert findings.said(rows, rows.child(desk.child)) == []


def test_more_is_said_of_a_child_who_is_held_and_nothing_where_there_is_no_issue(desk: Desk) -> None:
    page = form(desk, Role.COORDINATOR, "referral", said=SAID)
    assert "Is kept with an issue that is unresolved, and none is" in page
    assert SAID in page
    is_so(desk, safeguarding_issue=True)
    form(desk, Role.COORDINATOR, "referral", said=SAID)
    assert WROTE in said(desk.service.as_(Role.MANAGER).get(f"/children/{desk.child}").text)


def test_a_new_child_comes_with_it(desk: Desk) -> None:
    browser = desk.service.as_(Role.COORDINATOR)
    sent = fields_of(browser.get("/children/new").text) | {"reference": "S-903", ISSUE: "yes", "said": SAID}
    assert browser.post("/children/new", data=sent).status_code == 200
    for rows in desk.rows():
        row = rows.session.scalars(select(tables.Child).where(tables.Child.reference == "S-903")).one()
        assert [one.said for one in findings.said(rows, row)] == [SAID]
