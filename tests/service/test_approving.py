"""Nobody is approved who lacks a check that the policy in force asks; of whom a file says so, the row is told."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import cell, files_of, in_order, of, send

from matcher.alone import unchecked
from matcher.catalogue import load_policy
from matcher.instance import today
from matcher.readers import Reading
from matcher.records import Status
from service.permissions import Permission, Role
from service.repository import Repository
from service.safeguards import WHY

API = "/api/v1"
HTML = {"Accept": "text/html"}
APPROVED = {"status": "approved", "reason": "panel approved"}


def added(browser: TestClient, **facts: str | None) -> str:
    """The address of a new applicant whose checks are in order, but for what is given."""
    body = {"reference": "V-901", "facts": {**in_order(), **facts}}
    answer = browser.post(f"{API}/volunteers", json=body)
    assert answer.status_code == 201, answer.text
    return f"/volunteers/{answer.json()['id']}"


def approve(browser: TestClient, path: str) -> tuple[int, str]:
    tag = {"If-Match": browser.get(f"{API}{path}").headers["ETag"]}
    answer = browser.post(f"{API}{path}/status", json=APPROVED, headers=tag)
    return answer.status_code, answer.json().get("detail", "")


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.MANAGER])
@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"dbs_checked_on": None}, "“DBS checked on” is not recorded"),
        ({"dbs_checked_on": "01/02/2019"}, "V-901's DBS check has lapsed: that of 1 February 2019"),
        ({"references_accepted": "1"}, "V-901 has 1 accepted reference"),
        ({"core_training_on": None, "agreement_signed_on": None},
         "“agreement signed on” and “core training on” are not recorded"),
        ({"date_of_birth": None}, "“date of birth” is not recorded"),
    ],
)  # fmt: skip
def test_nobody_is_approved_who_lacks_a_check(
    service: Service, role: Role, facts: dict[str, str | None], told: str
) -> None:
    browser = service.as_(role)
    path = added(browser, **facts)
    code, detail = approve(browser, path)
    assert code == 409
    assert detail.startswith("V-901 cannot be approved yet: ")
    assert told in detail
    assert detail.endswith("; put that right on their page first.")
    assert browser.get(f"{API}{path}").json()["status"] == "applicant"
    tag = {"If-Match": browser.get(f"{API}{path}").headers["ETag"]}
    assert browser.patch(f"{API}{path}", json={"facts": in_order()}, headers=tag).status_code == 200
    assert approve(browser, path)[0] == 200


def test_a_token_that_may_not_identify_is_told_no_fact_of_anybody(service: Service) -> None:
    path = added(service.as_(Role.COORDINATOR), dbs_checked_on="01/02/2019")
    program = service.program(Role.COORDINATOR, Permission.READ, Permission.WRITE)
    code, detail = approve(program, path)
    assert code == 409
    assert "V-901" not in detail
    assert "2019" not in detail


def test_the_policy_in_force_says_which_checks(service: Service) -> None:
    """The national policy asks for no proof of the right to work; where a policy does, it is asked before."""
    path = added(service.as_(Role.COORDINATOR), right_to_work=None)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        row, policy = rows.volunteer(path.rpartition("/")[2]), rows.policy()[1]
        record = rows.volunteer_record(row)
    assert not unchecked([record], policy, today())
    with_it = load_policy("northamptonshire")
    assert [one.blank for one in unchecked([record], with_it, today())] == [("right_to_work",)]


def test_the_page_says_what_is_missing_and_leads_to_each_field(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    path = added(browser, dbs_checked_on="01/02/2019", core_training_on=None)
    opened = browser.get(f"{path}/status?status=approved", headers=HTML).text
    for page in (opened, _sent(browser, path)):
        assert "Before V-901 can be approved" in page
        links = set(re.findall(rf'href="{path}/(change/\w+)#(\w+)"', page))
        assert links == {("change/checks", "dbs_checked_on"), ("change/checks", "core_training_on")}
        for form, column in links:
            assert f'id="{column}"' in browser.get(f"{path}/{form}", headers=HTML).text
    assert "“Core training completed on” is not recorded; V-901&#39;s DBS check has lapsed" in _sent(browser, path)
    assert "Before V-901" not in browser.get(f"{path}/status", headers=HTML).text  # nobody asked for it


def _sent(browser: TestClient, path: str) -> str:
    version = re.search(r'name="version" value="(\d+)"', browser.get(f"{path}/status", headers=HTML).text)
    assert version is not None
    sent = {"version": version[1], "status": "approved", "reason-approved": "panel approved"}
    answer = browser.post(f"{path}/status", data=sent, headers=HTML)
    assert answer.status_code == 422
    return answer.text


def test_a_suspension_asks_for_no_check(service: Service) -> None:
    """And a manager who lifts it is told what has lapsed meanwhile."""
    _, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.volunteer(volunteer)
        rows.write_volunteer(row, replace(rows.volunteer_record(row), dbs_checked_on=date(2019, 2, 1)))
    browser, path = service.as_(Role.MANAGER), f"/volunteers/{volunteer}"
    tag = {"If-Match": browser.get(f"{API}{path}").headers["ETag"]}
    stop = {"status": "suspended", "reason": "check lapsed"}
    assert browser.post(f"{API}{path}/status", json=stop, headers=tag).status_code == 200
    code, detail = approve(browser, path)
    assert (code, "DBS check has lapsed" in detail) == (409, True)


def test_a_file_approves_nobody_unseen(service: Service, small_county: Reading) -> None:
    """It loses nothing: all is taken in, with a note beside the row of what is missing and what that blocks."""
    browser = service.as_(Role.COORDINATOR)
    reference = cell(small_county, "volunteers", "status", "approved")
    blank = {("volunteers", reference, "references_accepted"): ""}
    told = browser.post(f"{API}/imports/check", files=files_of(small_county, blank)).json()
    assert told["usable"]
    (note,) = [one for one in told["problems"] if one["column"] == "status" and "“references accepted”" in one["wrong"]]
    at = next(row for row, cells in small_county.grids["volunteers"].rows if cells[0] == reference)
    assert (note["file"], note["row"], note["value"], note["rejected"]) == ("volunteers.csv", at, "approved", False)
    assert note["remedy"] == "Until that is put right no child is matched with them"
    page = browser.get(send(browser, of(small_county, "volunteers", blank)) + "?show=notes", headers=HTML).text
    assert "“references accepted” is not recorded" in page
    assert "Until that is put right no child is matched with them." in page


def test_what_a_file_does_not_say_is_taken_from_kith(service: Service, small_county: Reading) -> None:
    reference = small_county.grids["volunteers"].rows[0][1][0]
    with service.database.read(service.north) as session:
        ids = {told: id for id, told in Repository(session, service.keys).references().items()}
    browser, path = service.as_(Role.MANAGER), f"/volunteers/{ids[reference]}"
    tag = {"If-Match": browser.get(f"{API}{path}").headers["ETag"]}
    assert (
        browser.patch(f"{API}{path}", json={"facts": in_order(), "why_weaker": WHY[0]}, headers=tag).status_code == 200
    )
    file = ("volunteers.csv", f"volunteer_id,status\n{reference},{Status.APPROVED}\n".encode())
    assert "no child is matched" not in browser.get(send(browser, file) + "?show=notes", headers=HTML).text
