"""A child's safeguarding issue is closed by what a manager found, by no file, and whoever proposes is told of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Service
from page_reading import fields_of
from service_rows import send
from set_back import Backups
from sqlalchemy import select
from test_holds import HERE
from test_import_safeguards import Files, by_command, entries
from test_import_safeguards import files as files
from test_import_safeguards import pair as pair
from test_proposals import Desk
from test_restore import put_back
from test_today import FOUND, part, said
from test_weakening import RESOLVED, fact, form, is_so, patch, told

from matcher.errors import InputError
from matcher.instance import today
from matcher.words import day
from service import audit_log, findings, holds, people, privacy, subject_access
from service.database import tables
from service.permissions import Role
from service.repository import Repository

Four = tuple[str, str, str, str]
ISSUE = "safeguarding_issue"
CLOSED = f"There was a safeguarding issue, which a manager closed on {day(today())}: {RESOLVED}."


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def closed(desk: Desk, **besides: str) -> int:
    return patch(desk, Role.MANAGER, {ISSUE: "no"}, **{"why_weaker": RESOLVED, "found": FOUND} | besides)


# ---- closed by what was found ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("says", ["no", ""])
def test_nobody_closes_an_issue_without_a_word_of_what_was_found(desk: Desk, says: str) -> None:
    is_so(desk, safeguarding_issue=True)
    for nothing in ({}, {"found": ""}, {"found": "  "}):
        assert patch(desk, Role.MANAGER, {ISSUE: says}, why_weaker=RESOLVED, **nothing) == 422
        page = said(form(desk, Role.MANAGER, "referral", safeguarding_issue=says, why=RESOLVED, **nothing))
        assert "Write what was found of" in page
        assert fact(desk, ISSUE) is True
    assert patch(desk, Role.COORDINATOR, {ISSUE: says}, found=FOUND) == 422
    assert patch(desk, Role.MANAGER, {ISSUE: says}, found=FOUND) == 422  # nor without saying why it may
    form(desk, Role.COORDINATOR, "referral", safeguarding_issue=says, why=RESOLVED, found=FOUND)
    assert fact(desk, ISSUE) is True
    assert f"/children/{desk.child}" in part(desk, HERE)
    assert closed(desk) == 200
    assert f"/children/{desk.child}" not in part(desk, HERE)
    entry = told(desk)
    assert (entry.reason, entry.details["looked into"]) == (RESOLVED, "yes")


def test_a_manager_is_asked_for_it_where_they_close_it_and_keeps_what_they_typed(desk: Desk) -> None:
    path = f"/children/{desk.child}/change/referral"
    manager = desk.service.as_(Role.MANAGER)
    assert 'name="found"' not in manager.get(path).text  # of a child who is not held
    is_so(desk, safeguarding_issue=True)
    assert 'name="found"' not in desk.service.as_(Role.COORDINATOR).get(path).text
    page = manager.get(path).text
    assert page.count('name="why"') == page.count('name="found"') == 1
    sent = fields_of(page) | {ISSUE: "no", "found": FOUND}
    again = manager.post(path, data=sent)
    assert (again.status_code, again.text.count('name="why"')) == (422, 1)
    assert "Say why, and save again" in again.text
    assert FOUND in again.text
    again = manager.post(path, data=sent | {"found": "", "why": RESOLVED})
    assert (again.status_code, 'href="#found"' in again.text) == (422, True)
    assert re.search(f'value="{RESOLVED}" selected', again.text)
    still = manager.post(path, data=sent | {ISSUE: "yes"})  # what was typed would be lost
    assert "it stands as unresolved" in still.text
    assert FOUND in still.text
    assert manager.post(path, data=sent | {"why": RESOLVED}).status_code == 200
    assert fact(desk, ISSUE) is False


def test_what_was_found_is_sealed_and_read_by_managers_alone(desk: Desk) -> None:
    is_so(desk, safeguarding_issue=True)
    assert closed(desk) == 200
    path = f"/children/{desk.child}"
    manager, coordinator = (said(desk.service.as_(role).get(path).text) for role in (Role.MANAGER, Role.COORDINATOR))
    assert f"{CLOSED} What manager of north wrote on {day(today())}: {FOUND}" in manager
    assert f"{CLOSED} Managers may read what was found." in coordinator
    assert FOUND not in coordinator
    for role in (Role.MANAGER, Role.COORDINATOR):
        for of in (path, f"{path}/person"):
            assert FOUND not in desk.service.as_(role).get(f"/api/v1{of}").text
    for rows in desk.rows():
        row = rows.child(desk.child)
        assert FOUND.encode() not in (row.found or b"")
        by = desk.service.users["north", Role.MANAGER]
        assert [(one.found, one.by, one.why) for one in findings.of(rows, row)] == [(FOUND, by, RESOLVED)]
        log = rows.session.scalars(select(tables.AuditEvent)).all()
        assert not any(FOUND in f"{one.reason} {one.details}" for one in log)
        assert FOUND not in f"{subject_access.child_export(rows, row)}"  # it may be somebody else's word
        privacy.erase_child(rows, row, user_id=desk.user, reason="asked to be erased")
        assert (findings.of(rows, row), dict(holds.looked_into(rows))) == ([], {})


def test_whoever_proposes_is_told_that_there_was_one_and_not_what_was_found(desk: Desk) -> None:
    browser = desk.service.as_(Role.COORDINATOR)
    shortlist = f"/children/{desk.child}/shortlist?rank=fit"
    found = re.findall(r"/propose/(V\w+)", browser.get(shortlist).text)
    other = next(id for id in found if id != desk.volunteer)
    pages = [
        shortlist,
        f"/children/{desk.child}/compare?rank=fit&with={desk.volunteer}&with={other}",
        f"/children/{desk.child}/propose/{desk.volunteer}?rank=fit",
        f"/children/{desk.child}",
    ]
    assert not any("There was a safeguarding issue" in said(browser.get(page).text) for page in pages)
    for n in (1, 2):
        is_so(desk, safeguarding_issue=True)
        assert closed(desk, why_weaker=RESOLVED if n == 1 else "recorded by mistake") == 200
    for page in pages:
        shown = said(browser.get(page).text)
        assert f"{CLOSED} {CLOSED.replace(RESOLVED, 'recorded by mistake')}" in shown, page
        assert FOUND not in shown


# ---- by no file ------------------------------------------------------------------------------------------------------


def held(service: Service, child: str) -> None:
    browser, path = service.as_(Role.COORDINATOR), f"/api/v1/children/{child}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    assert browser.patch(path, json={"facts": {ISSUE: "yes"}}, headers=tag).status_code == 200


def issue_and_interests(service: Service, child: str) -> tuple[bool | None, tuple[str, ...] | None]:
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        record = rows.child_record(rows.child(child), family_known=False)
    return record.safeguarding_issue, record.interests


@pytest.mark.parametrize("says", ["no", ""])
def test_no_file_closes_an_issue_and_all_else_is_taken_in(
    service: Service, files: Files, pair: Four, says: str
) -> None:
    child, _, c, _ = pair
    held(service, child)
    told = files.look(Role.MANAGER, children=f"child_id,{ISSUE},interests\n{c},{says},chess\n")
    assert told["weaker"] == []  # so that no tick of a manager's does it either
    assert [one["fields"] for one in told["changed"]] == [["interests"]]
    (note,) = (one for one in told["problems"] if one["column"] == ISSUE)
    assert (note["row"], note["value"], note["rejected"]) == (2, says, False)
    assert f"{c} is held for a safeguarding issue, and no file tells what was found of it" in note["wrong"]
    assert f"On {c}’s page a manager closes it" in note["remedy"]
    assert files.take(Role.COORDINATOR) == 201
    assert issue_and_interests(service, child) == (True, ("chess",))


def test_it_is_told_where_whoever_looks_at_the_files_reads_it(service: Service, pair: Four) -> None:
    child, _, c, _ = pair
    held(service, child)
    browser = service.as_(Role.MANAGER)
    address = send(browser, ("children.csv", f"child_id,{ISSUE}\n{c},no\n".encode()))
    assert f"{c} is held for a safeguarding issue, and no file tells" in said(browser.get(f"{address}?show=notes").text)
    assert 'name="weaken"' not in browser.get(f"{address}/confirm").text


def test_once_a_manager_has_closed_it_the_file_may_say_so(service: Service, files: Files, pair: Four) -> None:
    child, _, c, _ = pair
    held(service, child)
    browser, path = service.as_(Role.MANAGER), f"/api/v1/children/{child}"
    body = {"facts": {ISSUE: "no"}, "why_weaker": RESOLVED, "found": FOUND}
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    assert browser.patch(path, json=body, headers=tag).status_code == 200
    told = files.look(children=f"child_id,{ISSUE}\n{c},no\n")
    assert (told["weaker"], told["changed"], told["same"]["children"]) == ([], [], 1)
    assert not [one for one in told["problems"] if one["column"] == ISSUE]


def test_the_command_line_refuses_it(service: Service, pair: Four, tmp_path: Path) -> None:
    """Nobody reads there what was left as it is."""
    child, _, c, _ = pair
    held(service, child)
    with pytest.raises(InputError, match="held for a safeguarding issue") as refused:
        by_command(service, tmp_path, children=f"child_id,{ISSUE}\n{c},no")
    assert f"On {c}’s page" in str(refused.value.problems[0])
    assert entries(service, child, "import") == []


# ---- after a restore -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_the_backup", [False, True])
def test_what_was_found_since_a_backup_is_kept(desk: Desk, backups: Backups, of_the_backup: bool) -> None:
    """Also of an issue of which the backup knows nothing; one that it has unresolved, a manager closes again."""
    manager = desk.service.users["north", Role.MANAGER]
    is_so(desk, safeguarding_issue=of_the_backup)

    def looked_into(rows: Repository) -> None:
        row = rows.child(desk.child)
        people.change_child(rows, row, {ISSUE: "yes"}, user_id=manager)
        people.change_child(rows, row, {ISSUE: "no"}, user_id=manager, why=RESOLVED, found=FOUND)

    assert put_back(desk.service, backups, looked_into).noes == 1
    for _ in range(2):  # also where what was restored is replaced in its turn
        assert fact(desk, ISSUE) is of_the_backup
        for rows in desk.rows():
            assert [one.found for one in findings.of(rows, rows.child(desk.child))] == [FOUND]
            assert dict(holds.looked_into(rows)) == {desk.child: CLOSED}
            assert audit_log.verify(rows.session, desk.service.keys).problem is None
        assert CLOSED in said(desk.service.as_(Role.COORDINATOR).get(f"/children/{desk.child}").text)
        assert backups.put_back().noes == 1
