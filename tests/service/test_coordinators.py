"""Who is a child's coordinator: those who have an account are suggested, and a name that nobody has is told."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

from conftest import Service
from fastapi.testclient import TestClient
from page_reading import proposal_of
from sqlalchemy import select

from service.database import tables
from service.permissions import Role
from service.repository import Repository
from service.workflow import LIVE, State

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


def test_the_first_page_and_the_matches_show_ones_own_alone_or_everybodys(service: Service) -> None:
    """By plain links. What is to be looked at for safety's sake stands there whoever it is of."""
    own = service.eligible_pair()[0]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        record = rows.child_record(rows.child(own), True)
        rows.write_child(rows.child(own), replace(record, coordinator="Coordinator  of North"))
    proposed = proposal_of(service)[2]  # which has the child's coordinator
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        before = select(tables.Match).where(tables.Match.state.in_(LIVE), tables.Match.id != proposed)
        first, second = session.scalars(before.order_by(tables.Match.id)).all()
        rows.name_coordinator(first, None)  # then the child's counts
        child = rows.child(first.child_id)
        named = replace(rows.child_record(child, True), coordinator="coordinator of north")
        rows.write_child(child, named)
        child.referral = True
        rows.name_coordinator(second, "Somebody Else")
        second.state = State.PAUSED
        mine, others, not_mine = {proposed, first.id}, second.child_id, second.id
        rows.write_child(rows.child(others), replace(rows.child_record(rows.child(others), True), coordinator="Else"))
    browser = service.as_(Role.COORDINATOR)

    def shown(path: str, whose: str) -> tuple[str, set[str]]:
        page = browser.get(f"{path}{'&' if '?' in path else '?'}whose={whose}", headers=HTML).text
        current = re.findall(r'aria-current="true">(Mine only|Everybody’s)<', page)
        assert current == ["Mine only" if whose == "mine" else "Everybody’s"]
        return page, {*re.findall(r'href="/proposals/(M\w+)"', page)}

    for whose, expected in (("everybody", {*mine, not_mine}), ("mine", mine)):
        lists = [shown(f"/proposals?show={show}", whose)[1] for show in ("proposals", "matches")]
        assert lists[0] | lists[1] == expected
        page = shown("/", whose)[0].partition("Visits paused: ")[2].partition("</section>")[0]
        assert (f'href="/proposals/{not_mine}"' in page) == (whose == "everybody")
    page = shown("/", "mine")[0]
    (hash,) = {*re.findall(r"/children\?show=waiting&(?:amp;)?coordinator=(\w+)", page)}
    page = browser.get(f"/children?show=everybody&coordinator={hash}", headers=HTML).text
    assert {own} <= {*re.findall(r'href="/children/(C\w+)"', page)}
    assert others not in page
    assert "aria-current" in browser.get("/", headers=HTML).text.partition("Everybody’s")[0]
