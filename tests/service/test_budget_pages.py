"""The pages on which a manager tells what an authority may spend outside its county, and what is spent of it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from browser import Site, faults
from conftest import Service
from sqlalchemy import select
from test_one_budget import paid_by_one, spent
from test_proposals import WAY, Desk

from matcher.instance import today
from matcher.readers import Reading, read_files
from matcher.records import Party
from matcher.words import council
from service import importing
from service.database import tables
from service.pages.budgets import without
from service.permissions import Role
from service.repository import Repository

HTML = {"Accept": "text/html"}
SPENDING = "/reports/spending"
WHY = {"reason": "spending brought up to date"}


def stamp_of(page: str) -> str:
    found = re.search(r'name="stamp" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def words(page: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def kept(service: Service, code: str) -> tuple[int | None, int]:
    with service.database.read(service.north) as session:
        row = session.scalars(select(tables.Budget).where(tables.Budget.code == code)).one()
        return row.budget_pence, row.spent_pence


def test_what_an_appointment_by_mistake_has_added_is_taken_off_on_the_page(service: Service) -> None:
    code, (first, _) = paid_by_one(service)
    at, manager, desk = f"/reports/budgets/{code}", service.as_(Role.MANAGER), Desk(service)
    assert "Kith has added nothing to them." in manager.get(at).text
    match = desk.propose(first.child, first.volunteer)
    for step, by in WAY[:-1]:
        desk.step(match, step, by)
    desk.step(match, "end", Party.AUTHORITY, "other")
    assert spent(service, code) == first.cost_pence
    assert f'href="{at}"' in manager.get(SPENDING).text
    page = manager.get(at).text
    cost = f"£{first.cost_pence / 100:,.2f}"
    assert f"Kith has added {cost} to what is spent or committed" in words(page)
    assert re.search(rf'<a[^>]+href="/proposals/{match}">.*Ended.*<b>{cost}</b>', page, re.DOTALL | re.IGNORECASE)
    budget = kept(service, code)[0]
    assert budget is not None
    given = {"stamp": stamp_of(page), "budget": f"£{budget / 100:,.2f}", "spent": "0", **WHY}
    saved = manager.post(at, data=given, headers=HTML)
    assert saved.url.path == SPENDING
    assert "What is left goes by it from now on." in saved.text
    assert kept(service, code) == (budget, 0)
    page = words(manager.get(at).text)
    assert "Kith has added nothing to them." in page
    assert "manager of north told them on" in page
    with service.database.read(service.north) as session:
        entry = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "set budget")).one()
    assert (entry.reason, entry.details) == (WHY["reason"], {"code": code})


def test_a_file_that_tells_the_figures_anew_begins_the_list_anew(service: Service, small_county: Reading) -> None:
    code, (first, _) = paid_by_one(service)
    manager, desk = service.as_(Role.MANAGER), Desk(service)
    match = desk.propose(first.child, first.volunteer)
    for step, by in WAY[:-1]:
        desk.step(match, step, by)
    assert f"/proposals/{match}" in manager.get(f"/reports/budgets/{code}").text
    content = f"authority,budget_pounds,spent_pounds\n{code},9000,12\n".encode()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        reading = read_files({"children.csv": b"child_id\n", "volunteers.csv": b"volunteer_id\n",
                              "authorities.csv": content}, today())  # fmt: skip
        confirmed = {one.key for one in importing.look(rows, reading, today()).weaker}
        importing.take_in(rows, reading, today(), user_id=service.users["north", Role.MANAGER], confirmed=confirmed)
    assert kept(service, code) == (900_000, 1200)
    assert f"/proposals/{match}" not in manager.get(f"/reports/budgets/{code}").text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"budget": "a lot"}, "“a lot” is not a number of pounds. Write digits, such as 12500."),
        ({"budget": "10000001"}, "is not a likely amount. Write pounds, from 0 to 10,000,000."),
        ({"spent": " "}, "Say what is spent or committed so far. Write 0 where nothing is."),
        ({"spent": "-5"}, "“-5” is not a number of pounds."),
        ({"reason": "because"}, "Choose why you change it."),
    ],
)
def test_what_cannot_be_is_said_beside_the_field_and_nothing_is_saved(
    service: Service, given: dict[str, str], said: str
) -> None:
    manager, at = service.as_(Role.MANAGER), "/reports/budgets/E06000062"
    before, page = kept(service, "E06000062"), manager.get(at).text
    typed = {"stamp": stamp_of(page), "budget": "321", "spent": "1", **WHY, **given}
    refused = manager.post(at, data=typed, headers=HTML)
    assert refused.status_code == 422
    assert said in unescape(refused.text)
    assert 'value="321"' in refused.text or "budget" in given
    assert kept(service, "E06000062") == before


def test_figures_that_moved_meanwhile_are_not_overwritten_unseen(service: Service) -> None:
    manager, at = service.as_(Role.MANAGER), "/reports/budgets/E06000062"
    seen = stamp_of(manager.get(at).text)
    with service.database.write(service.north) as session:
        row = session.scalars(select(tables.Budget).where(tables.Budget.code == "E06000062")).one()
        row.budget_pence, row.spent_pence = 500_000, 7_700
    typed = {"stamp": seen, "budget": "6000", "spent": "10.50", **WHY}
    told = manager.post(at, data=typed, headers=HTML)
    assert told.status_code == 409
    assert "a budget of £5,000.00, and £77.00 spent or committed" in words(told.text)
    assert 'value="10.50"' in told.text
    assert kept(service, "E06000062") == (500_000, 7_700)
    again = manager.post(at, data={**typed, "stamp": stamp_of(told.text)}, headers=HTML)
    assert again.status_code == 200
    assert kept(service, "E06000062") == (600_000, 1050)


def test_a_budget_left_blank_is_not_recorded(service: Service) -> None:
    manager, at = service.as_(Role.MANAGER), "/reports/budgets/E06000062"
    stamp = stamp_of(manager.get(at).text)
    manager.post(at, data={"stamp": stamp, "budget": "", "spent": "0", **WHY}, headers=HTML)
    assert kept(service, "E06000062") == (None, 0)


def test_an_authority_that_no_file_has_named_is_added(service: Service) -> None:
    manager = service.as_(Role.MANAGER)
    with service.database.read(service.north) as session:
        recorded = list(session.scalars(select(tables.Budget.code)))
    code = next(iter(without(recorded)))
    shown = manager.get(SPENDING).text
    assert f'<option value="{code}">' in shown
    countries = re.findall(r'<optgroup label="([^"]+)">(.*?)</optgroup>', shown)
    assert [name for name, _ in countries] == ["England", "Wales", "Scotland", "Northern Ireland"]
    assert all(set(re.findall(r'value="(.)', some)) == {name[0]} for name, some in countries)
    assert sum(some.count("<option") for _, some in countries) == len(without(recorded))  # none is left out
    page = manager.get("/reports/budgets", params={"code": code}, headers=HTML)
    assert page.url.path == f"/reports/budgets/{code}"
    typed = {"stamp": stamp_of(page.text), "budget": "1,200", "spent": "0", "reason": "a new year"}
    assert council(code) in words(manager.post(page.url.path, data=typed, headers=HTML).text)
    assert kept(service, code) == (120_000, 0)
    assert manager.get("/reports/budgets", params={"code": "nobody"}, headers=HTML).url.path == SPENDING
    assert manager.get("/reports/budgets/E99999999", headers=HTML).status_code == 404


def test_who_may_not_set_a_budget_is_not_led_to_it(service: Service) -> None:
    for role in (Role.COORDINATOR, Role.ANALYST):
        browser = service.as_(role)
        assert "/reports/budgets" not in browser.get(SPENDING).text
        assert browser.get("/reports/budgets/E06000062", headers=HTML).status_code == 403
        assert browser.post("/reports/budgets/E06000062", data={}, headers=HTML).status_code == 403


def test_from_the_report_to_the_form_and_back_without_script(site: Site) -> None:
    """Then the pages as axe and a phone see them."""
    page = site.page(Role.MANAGER, script=False)
    page.goto(f"{site.at}{SPENDING}")
    change = page.get_by_role("link", name="Change the budget of").first
    path = change.get_attribute("href")
    change.click()
    page.get_by_label("Budget of the year").fill("none of your business")
    page.get_by_label("A new year").check()
    page.get_by_role("button", name="Save").click()
    assert "is not a number of pounds" in page.inner_text(".govuk-error-summary")
    page.get_by_label("Budget of the year").fill("7,500")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    assert "£7,500.00" in page.inner_text("table")
    page.get_by_label("Another authority").select_option(index=3)
    page.get_by_role("button", name="Record its budget").click()
    page.get_by_role("heading", name="Record the budget").wait_for()
    page = site.page(Role.MANAGER)
    found = faults(page, f"{site.at}{path}") + faults(page, f"{site.at}{SPENDING}")
    page.goto(f"{site.at}{path}")
    page.get_by_label("Spent or committed so far").fill("x")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Nothing was saved yet").wait_for()
    assert found + faults(page) == []
