"""The pages' routes with every role, forged forms, and refusals in plain words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Service
from page_reading import HTML, proposal_of, sent
from sqlalchemy import select

from matcher.records import ExceptionKind, Party
from service import exceptions, organisations
from service.database.tables import ImportBatch
from service.importing.uploads import hold, receive
from service.middleware import RateLimit
from service.pages.sign_in import own_path
from service.permissions import MAY, PUBLIC, ROUTES, Permission, Role
from service.proposals import take_step
from service.repository import Repository
from service.runs import ask_for

PAGES = {
    line: needs
    for line, needs in ROUTES.items()
    if not line.split()[1].startswith(("/api/", "/health", "/ready", "/metrics"))
}
MOST_BYTES = 150_000
"""Of a page, its style and script included."""
NOBODYS = ("{number}", "/templates/", "{report}", "{code}", "/welcome/")
"""Parts of paths that stand for the like in every authority: the first version of the policy, a report, a council."""


def test_every_page_with_every_role(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """403 without the permission, 404 for another authority's ids, and otherwise what the page says; a form that
    carries nothing is refused in words (422), leads on (303), or finds the step not possible (409)."""
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    child, volunteer, match = proposal_of(service)
    with service.database.write(service.north) as session:
        run = ask_for(session, service.north, "match ended").id
        batch = session.scalars(select(ImportBatch.id)).first()
        rows, user = Repository(session, service.keys), service.users["north", Role.MANAGER]
        take_step(rows, match, "ask_volunteer", by=Party.AUTHORITY, user_id=user)  # there is one to take back
        provider = organisations.add(rows, "Bluebell Homes", user_id=user).id
        allowed = exceptions.approve(
            rows, ExceptionKind.SECOND_CHILD, volunteer, None, 2, user_id=user, reason="for a test"
        ).id
    wrong, heavy, nowhere = [], {}, []
    for where in ("north", "south"):
        for role in Role:
            browser = service.as_(role, where)
            with service.database.write(service.north) as session:
                rows = Repository(session, service.keys)
                files = {"children.csv": b"child_id\nC9001\n"}
                upload = hold(rows, receive(rows, files), user_id=service.users["north", Role.COORDINATOR]).id
            for line, needs in sorted(PAGES.items(), key=lambda one: one[0] == "POST /sign-out"):
                method, path = line.split()
                asked = path.format(child_id=child, volunteer_id=volunteer, match_id=match, step_id="child_declines",
                                    reader="child", letter="appointment", run_id=run, number=1, part="about",
                                    upload_id=upload, import_id=batch, sheet="children", report="waits",
                                    code="E06000062", user_id=service.users["north", Role.ANALYST],
                                    exception_id=allowed, organisation_id=provider, secret="no-such-link")  # fmt: skip
                form = {"csrf": browser.headers["X-CSRF-Token"]} if method == "POST" else None
                answer = browser.request(method, asked, data=form, headers=HTML, follow_redirects=False)
                if needs is not PUBLIC and needs not in MAY[role]:
                    expected = {403}
                elif where == "south" and asked != path and not any(one in path for one in NOBODYS):
                    expected = {404}
                elif line == "POST /sign-in":
                    expected = {401}
                elif "/welcome/" in asked:
                    expected = {410}  # an invitation that never was
                elif "/letters/" in asked or asked.endswith("/asked"):
                    expected = {409}  # nobody is appointed yet, nor brought up
                elif line in ("GET /import", "GET /reports/budgets"):
                    expected = {303}  # which lead elsewhere
                elif line == "GET /":
                    expected = {200 if Permission.IDENTIFY in MAY[role] else 303}
                elif method == "GET":
                    expected = {200}
                else:
                    expected = {200, 303, 409, 422}
                if method == "GET" and answer.headers.get("content-type", "").startswith("text/html"):
                    heavy[line] = max(heavy.get(line, 0), len(answer.content))
                    menu = answer.text.partition("govuk-service-navigation__list")[2].partition("</ul>")[0]
                    if role is Role.MANAGER and expected == {200} and menu.count("aria-current") != 1:
                        nowhere.append(line)
                if answer.status_code not in expected:
                    wrong.append((where, role, line, answer.status_code))
    assert wrong == []
    # A manager is told by the menu where they are; the page to hand to a child has none.
    assert {*nowhere} == {"GET /proposals/{match_id}/for-{reader}", "GET /sign-in"}
    page = service.as_(Role.COORDINATOR).get("/children", headers=HTML)
    with_it = sent(service.as_(Role.COORDINATOR), page) - len(page.content)
    assert {line: size for line, size in heavy.items() if size + with_it > MOST_BYTES} == {}


def test_who_is_not_signed_in_is_led_to_the_login_and_back(service: Service) -> None:
    child, _ = service.eligible_pair()
    answer = service.client.get(f"/children/{child}", headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=/children/{child}")
    for line, needs in PAGES.items():
        if needs is not PUBLIC and line.startswith("GET") and "{" not in line:
            assert service.client.get(line.split()[1], headers=HTML, follow_redirects=False).status_code == 303, line


@pytest.mark.parametrize("role", Role)
def test_who_may_not_see_the_first_page_is_sent_to_what_they_may(service: Service, role: Role) -> None:
    first = {Role.ANALYST: "/runs", Role.AUDITOR: "/log", Role.ADMINISTRATOR: "/users"}.get(role, "/")
    answer = service.as_(role).get("/", headers=HTML, follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, first)


def test_the_document_of_accessibility_names_every_page() -> None:
    """Files to take along and addresses that lead on are no pages."""
    told = Path(__file__).parents[2] / "docs" / "accessibility.md"
    named = re.findall(r"`(/[^`]*)`", told.read_text(encoding="utf-8").partition("## The pages")[2].partition("##")[0])
    no_pages = ("xlsx", "/templates/{sheet}", "/corrections/{sheet}", "/import", "/reports/budgets")
    pages = [line.split()[1] for line in PAGES if line.startswith("GET ") and not line.endswith(no_pages)]
    assert sorted(named) == sorted(pages)


def test_who_may_not_is_told_who_may(service: Service) -> None:
    child, _ = service.eligible_pair()
    refused = service.as_(Role.COORDINATOR).get(f"/children/{child}/unlink", headers=HTML)
    assert refused.status_code == 403
    assert "Your account may not do this. A manager can." in refused.text
    assert "load it again" not in refused.text  # it would be refused again
    told = service.as_(Role.AUDITOR).get(f"/api/v1/children/{child}").json()["detail"]
    assert told == "Your account may not do this. A coordinator, a manager or an analyst can."


def test_a_form_without_its_token_changes_nothing(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    browser = service.as_(Role.COORDINATOR)
    del browser.headers["X-CSRF-Token"]
    for token in ({}, {"csrf": "forged"}):
        form = {"reason": "other", "rank": "fit", **token}
        answer = browser.post(f"/children/{child}/propose/{volunteer}", data=form, headers=HTML)
        assert answer.status_code == 403
        assert "You cannot do this" in answer.text
    page = browser.get("/proposals").text
    assert "Nothing is under proposal" in page


@pytest.mark.parametrize("asked", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere", "", "/sign-out"])
def test_the_login_leads_nowhere_else(asked: str) -> None:
    assert own_path(asked) == "/"


def test_the_login_leads_back() -> None:
    assert own_path("/children/C222222222BB") == "/children/C222222222BB"


def test_a_refusal_is_a_page_for_a_person_and_json_for_a_program(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    page = browser.get("/children/C222222222BB", headers=HTML)
    assert page.status_code == 404
    assert "There is no such page" in page.text
    assert "Sign out" in page.text  # in the frame, with the way on
    assert "script-src 'nonce-" in page.headers["content-security-policy"]
    assert browser.get("/children/C222222222BB").headers["content-type"] == "application/problem+json"
    for mistyped in ("/children/C99", "/proposals/nothing", "/children?page=none"):  # where there was no form
        page = browser.get(mistyped, headers=HTML)
        assert (page.status_code, "There is no such page" in page.text) == (404, True)


@pytest.mark.parametrize("what", ["children", "volunteers"])
def test_a_reference_that_is_not_found_brings_no_table_of_others(service: Service, what: str) -> None:
    page = service.as_(Role.COORDINATOR).post(f"/{what}/find", data={"reference": "C9999"}, headers=HTML).text
    assert "“C9999”" in page
    assert "<table" not in page
    assert f'href="/{what}?show=everybody">All {what}</a>' in page


def test_every_script_of_a_page_bears_the_nonce_of_its_answer(service: Service) -> None:
    answer = service.as_(Role.COORDINATOR).get("/children", headers=HTML)
    nonce = answer.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0]
    assert answer.text.count("<script") == answer.text.count(f'nonce="{nonce}"') == 2
    assert 'style="' not in answer.text
    assert len(answer.content) < 150_000


def test_style_and_script_are_compressed_and_pages_are_not(service: Service) -> None:
    """Compressed, the length of a page that repeats what was asked would tell what else stands in it."""
    browser = service.as_(Role.COORDINATOR)
    asks = {"Accept-Encoding": "gzip", **HTML}
    page = browser.get("/children", headers=asks)
    assert "content-encoding" not in page.headers
    names = {*re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text), "/static/govuk-frontend/govuk-frontend.min.js"}
    sent = len(page.content)
    for name in names:
        with browser.stream("GET", name, headers=asks) as answer:
            size = sum(len(chunk) for chunk in answer.iter_raw())
            assert answer.headers.get("content-encoding") == "gzip" or size < 1000, name
            sent += size
    assert len(names) >= 4
    assert sent < 150_000
