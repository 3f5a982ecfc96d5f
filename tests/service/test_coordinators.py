"""Who is a child's coordinator: those who have an account are suggested, and a name that nobody has is told."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

from conftest import Service
from fastapi.testclient import TestClient

from service.database import tables
from service.permissions import Role
from service.repository import Repository

API = "/api/v1"
HTML = {"Accept": "text/html"}
TOLD = "has an account here, so nobody sees in Kith that"


def named(service: Service, browser: TestClient, name: str) -> tuple[str, str]:
    """A child's page once the coordinator was saved; and the name that is recorded."""
    child, _ = service.eligible_pair()
    version = browser.get(f"{API}/children/{child}").headers["ETag"].strip('"')
    sent = {"version": version, "coordinator": name}
    page = browser.post(f"/children/{child}/change/referral", data=sent, headers=HTML)
    assert page.status_code == 200
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        return unescape(page.text), rows.child_record(rows.child(child), True).coordinator or ""


def test_the_accounts_are_suggested_and_no_others(service: Service) -> None:
    """Without script: a list that the field names, so that another name can be typed all the same."""
    with service.database.write() as session:
        session.get_one(tables.User, service.users["north", Role.MANAGER]).disabled_at = datetime.now(UTC)
    browser = service.as_(Role.COORDINATOR)
    for form in ("/children/new", f"/children/{service.eligible_pair()[0]}/change/referral"):
        page = browser.get(form, headers=HTML).text
        (field,) = re.findall(r'<input[^>]* id="coordinator"[^>]*>', page)
        (list_id,) = re.findall(r' list="(\w+)"', field)
        suggested = re.search(rf'<datalist id="{list_id}">(.*?)</datalist>', page)
        assert suggested is not None
        assert re.findall(r'value="([^"]*)"', suggested[1]) == ["coordinator of north"]


def test_a_name_that_nobody_has_is_saved_and_told(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    page, recorded = named(service, browser, "Somebody Else")
    assert recorded == "Somebody Else"
    assert f"Nobody called “Somebody Else” {TOLD}" in page
    child, _ = service.eligible_pair()
    assert TOLD not in browser.get(f"/children/{child}?saved=yes", headers=HTML).text  # another part was saved
    body = {"reference": "C-901", "coordinator": "Somebody Else"}
    assert TOLD in browser.post("/children/new", data=body, headers=HTML).text


def test_capitals_and_spaces_make_nobody_somebody_else(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    page, recorded = named(service, browser, "  COORDINATOR   of North ")
    assert recorded == "coordinator of north"
    assert TOLD not in page
    child, _ = service.eligible_pair()
    answer = browser.get(f"{API}/children/{child}")
    body, tag = {"facts": {"coordinator": "Coordinator Of North"}}, {"If-Match": answer.headers["ETag"]}
    told = browser.patch(f"{API}/children/{child}", json=body, headers=tag).json()
    assert told["facts"]["coordinator"] == "coordinator of north"


def test_a_list_of_one_coordinators_children_has_all_of_them(service: Service) -> None:
    """A file may write one name in several ways."""
    first, second = service.children()[:2]
    with service.database.write(service.north) as session:
        for id, name in ((first, "Mary North"), (second, "mary  north")):
            rows = Repository(session, service.keys)
            record = rows.child_record(rows.child(id), True)
            rows.write_child(rows.child(id), type(record)(**{**vars(record), "coordinator": name}))
    browser = service.as_(Role.COORDINATOR)
    page = browser.get("/children?show=everybody", headers=HTML).text
    offered = re.findall(r'<option value="([^"]*)"[^>]*>([^<]*)</option>', page)
    (value,) = (value for value, name in offered if " ".join(name.lower().split()) == "mary north")
    for address in (value, "MARY north"):  # as the form sends it, and as an older bookmark has it
        page = browser.get("/children", params={"show": "everybody", "coordinator": address}, headers=HTML).text
        assert {*re.findall(r'href="/children/(C\w+)"', page)} == {first, second}
        assert re.findall(r'<option value="(\w+)" selected', page)[-1] == value
        links = [link for link in re.findall(r'href="([^"]*)"', page) if "coordinator=" in link]
        assert links
        assert all(f"coordinator={value}" in link for link in links)  # nobody's name
    for address in (value, "Mary  NORTH"):
        told = browser.get(f"{API}/children", params={"coordinator": address}).json()["children"]
        assert {one["id"]: one["coordinator_hash"] for one in told} == {first: value, second: value}
