"""No file closes a concern: whoever it stopped stays so, whatever stands in the column, and all else is taken in."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Service
from service_rows import send
from test_import_safeguards import API, Files, by_command, entries, standing
from test_import_safeguards import files as files
from test_import_safeguards import pair as pair
from test_today import CONCERNS_HERE, FOUND, said

from matcher.errors import InputError
from matcher.records import Status
from service.permissions import Role
from service.repository import Repository

Four = tuple[str, str, str, str]


def status_and_interests(service: Service, volunteer: str) -> tuple[Status | None, tuple[str, ...] | None]:
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        record = rows.volunteer_record(rows.volunteer(volunteer))
    return record.status, record.interests


def is_open(service: Service) -> bool:
    return CONCERNS_HERE in service.as_(Role.MANAGER).get("/").text


@pytest.mark.parametrize("says", ["approved", "applicant", ""])
def test_a_file_takes_nobody_back_whom_a_concern_stopped(service: Service, files: Files, pair: Four, says: str) -> None:
    _, volunteer, _, v = pair
    standing(service, volunteer, "suspended", "concern raised")
    told = files.look(Role.MANAGER, volunteers=f"volunteer_id,status,interests\n{v},{says},chess\n")
    assert told["weaker"] == []  # so that no tick of a manager's does it either
    assert [one["fields"] for one in told["changed"]] == [["interests"]]
    (note,) = (one for one in told["problems"] if one["column"] == "status")
    assert (note["row"], note["value"], note["rejected"]) == (2, says, False)
    assert f"{v} is suspended for a concern, and no file tells what was found of it" in note["wrong"]
    assert f"On {v}’s page a manager records that" in note["remedy"]
    assert files.take(Role.COORDINATOR) == 201
    assert status_and_interests(service, volunteer) == (Status.SUSPENDED, ("chess",))
    assert is_open(service)


def test_it_is_told_where_whoever_looks_at_the_files_reads_it(service: Service, pair: Four) -> None:
    _, volunteer, _, v = pair
    standing(service, volunteer, "suspended", "complaint")
    browser = service.as_(Role.MANAGER)
    address = send(browser, ("volunteers.csv", f"volunteer_id,status\n{v},approved\n".encode()))
    page = said(browser.get(f"{address}?show=notes").text)
    assert f"{v} is suspended for a concern, and no file tells what was found of it" in page
    assert 'name="weaken"' not in browser.get(f"{address}/confirm").text


def test_once_a_manager_has_said_what_was_found_the_file_may_say_so(service: Service, files: Files, pair: Four) -> None:
    _, volunteer, _, v = pair
    standing(service, volunteer, "suspended", "concern raised")
    sheet = f"volunteer_id,status\n{v},approved\n"
    browser = service.as_(Role.MANAGER)
    etag = {"If-Match": browser.get(f"{API}/volunteers/{volunteer}").headers["ETag"]}
    body = {"status": "approved", "reason": "investigation closed", "found": FOUND}
    assert browser.post(f"{API}/volunteers/{volunteer}/status", json=body, headers=etag).status_code == 200
    told = files.look(volunteers=sheet)
    assert (told["weaker"], told["changed"], told["same"]["volunteers"]) == ([], [], 1)
    assert not [one for one in told["problems"] if one["column"] == "status"]


def test_who_was_found_unsuitable_does_not_come_back_by_a_file(service: Service, files: Files, pair: Four) -> None:
    """Nothing is open of it; but to be taken back they need what was found since, as by hand."""
    _, volunteer, _, v = pair
    standing(service, volunteer, "withdrawn", "no longer suitable")
    told = files.look(volunteers=f"volunteer_id,status\n{v},approved\n")
    assert (told["weaker"], told["changed"]) == ([], [])
    assert [one["value"] for one in told["problems"] if one["column"] == "status"] == ["approved"]


def test_a_file_that_says_they_have_gone_is_followed_and_closes_nothing(
    service: Service, files: Files, pair: Four
) -> None:
    _, volunteer, _, v = pair
    standing(service, volunteer, "suspended", "concern raised")
    files.look(volunteers=f"volunteer_id,status\n{v},resigned\n")
    assert files.take(Role.COORDINATOR) == 201
    assert status_and_interests(service, volunteer)[0] is Status.RESIGNED
    assert is_open(service)
    assert files.look(volunteers=f"volunteer_id,status\n{v},approved\n")["weaker"] == []


@pytest.mark.parametrize("reason", ["check lapsed", "own wish"])
def test_whom_no_concern_stopped_a_manager_confirms_as_before(
    service: Service, files: Files, pair: Four, reason: str
) -> None:
    _, volunteer, _, v = pair
    standing(service, volunteer, "suspended" if reason == "check lapsed" else "resigned", reason)
    (one,) = files.look(volunteers=f"volunteer_id,status\n{v},approved\n")["weaker"]
    assert files.take(Role.COORDINATOR, one["key"]) == 403
    assert files.take(Role.MANAGER, one["key"]) == 201
    assert status_and_interests(service, volunteer)[0] is Status.APPROVED


def test_the_command_line_refuses_it(service: Service, pair: Four, tmp_path: Path) -> None:
    """Nobody reads there what was left as it is."""
    _, volunteer, _, v = pair
    standing(service, volunteer, "suspended", "concern raised")
    with pytest.raises(InputError, match="stopped for a concern") as told:
        by_command(service, tmp_path, volunteers=f"volunteer_id,status\n{v},approved")
    assert f"On {v}’s page" in str(told.value.problems[0])
    assert entries(service, volunteer, "import") == []
