"""What takes a safeguard away is a manager's by hand as by a file; a yes has who asked, and a no whose word it is."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from conftest import Service
from page_reading import fields_of
from sqlalchemy import select
from test_concerns import led
from test_proposals import WAY, Desk
from test_today import said

from matcher.instance import today
from matcher.records import Agreement
from service.database import tables
from service.permissions import Role
from service.safeguards import WHY, who_of

API = "/api/v1"
RESOLVED = WHY[0]


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def is_so(desk: Desk, **facts: Any) -> None:
    """Whatever else is recorded of the child."""
    for rows in desk.rows():
        row = rows.child(desk.child)
        before = rows.child_record(row, family_known=True)
        rows.write_child(row, replace(before, **facts))


def fact(desk: Desk, name: str) -> Any:
    for rows in desk.rows():
        found = getattr(rows.child_record(rows.child(desk.child), family_known=True), name)
    return found


def told(desk: Desk) -> tables.AuditEvent:
    """The last entry about the child's facts."""
    for rows in desk.rows():
        entry = tables.AuditEvent
        own = entry.subject == desk.child, entry.action == "change child"
        found = rows.session.scalars(select(entry).where(*own).order_by(entry.number.desc())).first()
    assert found is not None
    return found


def form(desk: Desk, role: Role, part: str, **typed: str) -> str:
    """The page after the form of a part was sent with this in it: of the child, or the form again."""
    browser, path = desk.service.as_(role), f"/children/{desk.child}/change/{part}"
    return browser.post(path, data=fields_of(browser.get(path).text) | typed).text


def patch(desk: Desk, role: Role, facts: dict[str, str], **besides: Any) -> int:
    browser, path = desk.service.as_(role), f"{API}/children/{desk.child}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    return browser.patch(path, json={"facts": facts, **besides}, headers=tag).status_code


def test_a_manager_alone_records_that_a_safeguarding_issue_is_resolved_and_why(desk: Desk) -> None:
    is_so(desk, safeguarding_issue=True)
    for word in ("no", ""):  # by a blank too
        page = said(form(desk, Role.COORDINATOR, "referral", safeguarding_issue=word, why=RESOLVED))
        assert "This would weaken a safeguard" in page
        assert f"Would weaken a safeguard: {who_of('children')} had a safeguarding issue unresolved" in page
        assert "A manager alone confirms that" in page
    page = form(desk, Role.MANAGER, "referral", safeguarding_issue="no")
    assert "Say why, and save again" in page
    assert fact(desk, "safeguarding_issue") is True
    form(desk, Role.MANAGER, "referral", safeguarding_issue="no", why=RESOLVED, found="Nothing.")
    assert fact(desk, "safeguarding_issue") is False
    entry = told(desk)
    assert (entry.actor, entry.reason) == (desk.service.users["north", Role.MANAGER], RESOLVED)
    assert entry.details["weakened"] == ["safeguarding_issue"]
    assert (entry.details["safeguarding_issue before"], entry.details["safeguarding_issue"]) == ("yes", "no")


def test_so_it_is_over_the_api(desk: Desk) -> None:
    is_so(desk, safeguarding_issue=True)
    resolved = {"safeguarding_issue": "no"}
    assert patch(desk, Role.COORDINATOR, resolved) == 422
    assert patch(desk, Role.COORDINATOR, resolved, why_weaker=RESOLVED) == 403
    assert patch(desk, Role.MANAGER, resolved) == 422
    assert patch(desk, Role.MANAGER, resolved, why_weaker="since I say so") == 422
    assert fact(desk, "safeguarding_issue") is True
    assert patch(desk, Role.MANAGER, resolved, why_weaker=RESOLVED, found="Nothing.") == 200
    assert fact(desk, "safeguarding_issue") is False


def test_that_a_child_has_moved_is_recorded_by_a_coordinator(desk: Desk) -> None:
    is_so(desk, placement_move_pending=True)
    assert patch(desk, Role.COORDINATOR, {"placement_move_pending": "no"}) == 200
    assert fact(desk, "placement_move_pending") is False


def test_a_volunteers_safeguards_are_held_alike(desk: Desk) -> None:
    desk.change_volunteer(medical_condition=True)
    path = f"{API}/volunteers/{desk.volunteer}"

    def changed(role: Role, **besides: str) -> int:
        browser = desk.service.as_(role)
        tag = {"If-Match": browser.get(path).headers["ETag"]}
        return browser.patch(path, json={"facts": {"medical_condition": "no"}, **besides}, headers=tag).status_code

    assert changed(Role.COORDINATOR) == 422
    assert changed(Role.COORDINATOR, why_weaker=RESOLVED) == 403
    assert changed(Role.MANAGER, why_weaker=RESOLVED) == 200


@pytest.mark.parametrize("before", [Agreement.NO, Agreement.NOT_ASKED, None])
def test_a_yes_is_recorded_with_who_asked_and_when_and_after_a_no_by_a_manager(
    desk: Desk, before: Agreement | None
) -> None:
    is_so(desk, agrees=before)
    page = said(form(desk, Role.COORDINATOR, "wishes", agrees="yes"))
    assert "Say on which day the child said yes" in page
    assert fact(desk, "agrees") is before
    assert patch(desk, Role.COORDINATOR, {"agrees": "yes"}) == 422
    ahead = {"by": "social worker", "on": (today() + timedelta(days=2)).isoformat()}
    assert patch(desk, Role.COORDINATOR, {"agrees": "yes"}, asked=ahead) == 422
    on = today() - timedelta(days=3)
    asked = {"asked_by": "social worker", "asked_on": f"{on:%d/%m/%Y}"}
    page = said(form(desk, Role.COORDINATOR, "wishes", agrees="yes", **asked))
    if before is Agreement.NO:
        assert "the child said no to any visitor" in page
        assert fact(desk, "agrees") is Agreement.NO
        form(desk, Role.MANAGER, "wishes", agrees="yes", why="the child says otherwise", **asked)
    assert fact(desk, "agrees") is Agreement.YES
    entry = told(desk)
    assert (entry.details["asked by"], entry.details["asked on"]) == ("social worker", on.isoformat())
    assert date.fromisoformat(entry.details["asked on"]) == on


def test_nobody_is_taken_to_have_said_no(desk: Desk) -> None:
    """Whose word it is is chosen by whoever records it, on the page and over the API."""
    page = desk.service.as_(Role.COORDINATOR).get(f"/children/{desk.child}/change/wishes").text
    whose = re.findall(r'<input[^>]*name="no_by"[^>]*>', page)
    assert len(whose) == 2
    assert not [one for one in whose if "checked" in one]
    for word in ({}, {"no_by": "the carer"}):
        page = said(form(desk, Role.COORDINATOR, "wishes", agrees="no", **word))
        assert "Say whose word the no is: the child’s own, or what somebody else thinks right for them" in page
    assert patch(desk, Role.COORDINATOR, {"agrees": "no"}) == 422
    assert fact(desk, "agrees") is Agreement.YES
    assert patch(desk, Role.COORDINATOR, {"agrees": "no"}, no_by="somebody else") == 200
    assert patch(desk, Role.COORDINATOR, {"agrees": "no"}) == 200  # it is a no already
    assert fact(desk, "agrees") is Agreement.NO


@pytest.mark.parametrize("steps", [3, len(WAY)])
@pytest.mark.parametrize(("whose", "by"), [("child", "child"), ("somebody else", "authority")])
def test_a_no_is_written_as_the_word_of_whoever_said_it(desk: Desk, steps: int, whose: str, by: str) -> None:
    match = led(desk, steps)
    page = said(desk.service.as_(Role.COORDINATOR).get(f"/children/{desk.child}/change/wishes").text)
    assert "If it is a no: whose word is it?" in page
    form(desk, Role.COORDINATOR, "wishes", agrees="no", no_by=whose)
    for rows in desk.rows():
        over = rows.match(match)
        assert (over.over_by, rows.child(desk.child).objects) == (by, True)
        assert over.state not in ("active", "meeting")
    assert fact(desk, "agrees") is Agreement.NO
    assert told(desk).details["no of"] == whose
