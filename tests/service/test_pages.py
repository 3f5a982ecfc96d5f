"""The day's pages in a real browser: see `browser` for the service and the Chromium that they share."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from browser import PASSWORD, Site, faults
from playwright.sync_api import Page

from matcher.instance import today
from service.database.tables import Match
from service.permissions import Role
from service.reasons import ASKED_BY

STATIC = Path(__file__).parents[2] / "service" / "static"


def propose(page: Page, site: Site, number: int, note: str = "") -> str:
    """A proposal of one of the pairs; its address."""
    child, volunteer = site.pairs[number]
    page.goto(f"{site.at}/children/{child}/propose/{volunteer}?rank=fit")
    page.check("input[name=reason][value='shared interests']")
    page.fill("#note", note)
    page.locator("main form button.govuk-button").click()
    assert "/proposals/M" in page.url
    return page.url


def a_proposal(page: Page, site: Site) -> str:
    """The address of a proposal that is open: of the first pair, where another test has not made it already."""
    child, _ = site.pairs[0]
    page.goto(f"{site.at}/children/{child}")
    open_already = page.get_by_role("button", name="Open the proposal")
    if not open_already.count():
        return propose(page, site, 0)
    open_already.click()
    return page.url


@pytest.mark.parametrize("script", [True, False])
def test_the_whole_day(site: Site, script: bool) -> None:
    """From signing in to the end of a match, by what the pages offer; with script, and by links and forms alone."""
    page = site.page(script=script)
    page.get_by_role("link", name="All by priority").click()
    assert "sort=priority" in page.url
    child, volunteer = site.pairs[5 + script]
    page.goto(f"{site.at}/children/{child}")
    page.get_by_role("button", name="See who could visit").click()
    page.get_by_role("link", name="Best fit for this child alone").click()
    page.locator(f"a[href*='/propose/{volunteer}']").click()
    page.get_by_label("Shared interests").check()
    page.locator("main form button.govuk-button").click()
    proposal = page.url
    page.get_by_text("Add a note, or when it was").click()
    page.fill("#note", "At the support session.")
    page.get_by_role("button", name="The volunteer was asked").click()
    assert "At the support session." in page.inner_text(".kith-timeline")
    for button in (
        "The volunteer is willing: show the child the profile",
        "The child would like to meet, and the social worker agrees",
        "The meeting was held",
    ):
        page.get_by_role("button", name=button).click()
    assert "The child thinks it over until" in page.inner_text("#next")
    assert not page.get_by_role("button", name="The child says yes").count()
    with site.kith.database.write(site.north) as session:  # a day goes by
        session.get_one(Match, proposal.rpartition("/")[2]).since -= timedelta(hours=25)
    page.reload()
    page.get_by_role("button", name="The child says yes").click()
    page.get_by_role("link", name="Letters of appointment").click()
    assert "Your appointment as Independent Visitor" in page.inner_text("main")
    page.get_by_role("link", name="Back to the match").click()
    page.get_by_role("button", name="Appointed: the letters are sent").click()
    page.get_by_role("button", name="The first visit was made").click()
    page.check("input[name='said_by'][value='volunteer']")
    page.locator("main form button.govuk-button").click()
    assert "Active" in page.inner_text("h1")
    assert page.get_by_role("heading", name="Next review").count()
    page.get_by_role("button", name="Begin a review").click()
    page.get_by_role("button", name="The review was held, and the visits go on").click()
    page.check(f"input[name='reason'][value='{ASKED_BY[0]}']")
    page.fill("#note", "He is fun, but he talks a lot.")
    page.fill("#day", f"{today():%d/%m/%Y}")
    page.locator("main form button.govuk-button").click()
    assert "He is fun, but he talks a lot." in page.inner_text(".kith-timeline")
    page.goto(f"{site.at}/proposals?show=matches")
    page.locator(f"a[href$='{proposal.rpartition('/')[2]}']").click()
    page.get_by_role("link", name="End the match").click()
    page.get_by_label("As planned").check()
    page.locator("input[name='reason-planned'][value='planned ending']").check()
    page.get_by_role("button", name="Record: end the match").click()
    assert "Ended" in page.inner_text("h1")
    assert "Reason: planned ending" in page.inner_text(".kith-timeline")
    page.get_by_role("link", name="Letters of ending").click()
    assert "Your visits have ended" in page.inner_text("main")
    assert not script or faults(page) == []
    page.goto(f"{site.at}/children/{child}/readers")
    assert "Opened the shortlist" in page.inner_text("table")


def test_a_child_says_no_and_is_shown_others(site: Site) -> None:
    """What is shared, what the child is shown, their no, and the next shortlist; without script."""
    page = site.page(script=False)
    child, volunteer = site.pairs[1]
    page.goto(f"{site.at}/children/{child}/propose/{volunteer}?rank=fit")
    page.locator("main form button.govuk-button").click()
    assert "Choose why you propose this volunteer." in page.inner_text(".govuk-error-summary")
    page.get_by_label("Shared interests").check()
    page.get_by_label("Anything to add").fill("Asked at the team meeting.")
    page.locator("main form button.govuk-button").click()
    assert "Asked at the team meeting." in page.inner_text(".kith-timeline")
    for button in ("The volunteer was asked", "The volunteer is willing: show the child the profile"):
        page.get_by_role("button", name=button).click()
    proposal = page.url
    page.get_by_role("link", name="Choose what is shared").click()
    page.locator("input[name=volunteer][value=interests]").uncheck()
    page.get_by_role("button", name="Save what is shared").click()
    page.get_by_role("link", name="The page to show the child").click()
    assert "No thank you" in page.inner_text("main")
    assert "They like" not in page.inner_text("main")  # it was not ticked
    shown = page.url
    for answer, told in (("Yes, I would like to meet", "Thank you for"), ("I do not know yet", "That is fine.")):
        page.get_by_text(answer).click()
        assert page.get_by_text(told).first.is_visible()
        assert page.url == shown  # a child's tap leads to nothing of the team's
    page.get_by_text("Yes, I would like to meet").click()
    page.get_by_role("link", name="record the yes").click()
    assert page.url == f"{proposal}#next"
    page.go_back()
    page.get_by_text("No thank you").click()
    page.get_by_role("link", name="record the no").click()
    page.locator("main form button.govuk-button").click()
    assert "Choose a reason." in page.inner_text(".govuk-error-summary")
    page.get_by_label("Does not want this visitor").check()
    page.locator("main form button.govuk-button").click()
    assert page.url == proposal
    assert "Declined" in page.inner_text("h1")
    page.goto(f"{site.at}/children/{child}/shortlist?rank=fit")
    assert volunteer not in [one.get_attribute("value") for one in page.locator("input[name=with]").all()]
    page.get_by_role("button", name="Sign out").click()
    page.goto(proposal)
    assert "/sign-in" in page.url


def test_the_page_for_a_child_has_circles_to_tick_on_paper_alone(site: Site) -> None:
    page = site.page()
    page.goto(f"{a_proposal(page, site)}/for-child")
    circle = "one => getComputedStyle(one, '::before').content"
    for media, drawn in (("screen", "none"), ("print", '""')):
        page.emulate_media(media=media)
        assert [one.evaluate(circle) for one in page.locator(".kith-choice").all()] == [drawn] * 3
    assert not page.get_by_role("button", name="Print").is_visible()


def tab_to(page: Page, what: str) -> None:
    """Presses the tabulator until a link or a button of that name, or a field of that id, has the focus; each stop on
    the way has a focus that can be seen."""
    named = "[document.activeElement.id, document.activeElement.textContent.trim().replace(/\\s+/g, ' ')]"
    seen = """(one => getComputedStyle(one).outlineStyle !== 'none' || getComputedStyle(one).boxShadow !== 'none'
              || getComputedStyle(one, '::before').boxShadow !== 'none')(document.activeElement)"""
    for _ in range(120):
        page.keyboard.press("Tab")
        assert page.evaluate(seen), f"focus that cannot be seen: {page.evaluate(named)}"
        if what in page.evaluate(named):
            return
    pytest.fail(f"no way to “{what}” by keyboard")


def enter(page: Page, what: str) -> None:
    """Goes to a link or a button by the tabulator, and on by it."""
    tab_to(page, what)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_by_keyboard_alone(site: Site) -> None:
    page = site.page(None)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "email"
    page.keyboard.type(f"{Role.COORDINATOR}@north.invalid")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/$"))
    child, _ = site.pairs[2]
    page.goto(f"{site.at}/children/{child}")
    for name in ("See who could visit", "Best fit for this child alone"):
        enter(page, name)
    first = page.locator("a[href*='/propose/']").first.inner_text()
    enter(page, " ".join(first.split()))
    tab_to(page, "reason")
    page.keyboard.press("ArrowDown")
    tab_to(page, "note")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/proposals/M"))
    for name in ("The volunteer was asked", "Choose what is shared", "Save what is shared", "The volunteer says no"):
        enter(page, name)
    tab_to(page, "reason")
    page.keyboard.press("Space")
    enter(page, "Record: the volunteer says no")
    assert "Declined" in page.inner_text("h1")


def test_the_pages_around_a_match_by_keyboard_alone(site: Site) -> None:
    """The first page, a list and its filters, a form of facts, volunteers side by side, reports, the log, accounts."""
    page = site.page(Role.MANAGER)
    enter(page, "All by priority")
    assert "sort=priority" in page.url
    tab_to(page, "sort")
    page.keyboard.type("Reference")
    enter(page, "Apply")
    assert "sort=reference" in page.url
    enter(page, page.locator("tbody th a").first.inner_text())
    assert "/children/C" in page.url
    child, _ = site.choice
    page.goto(f"{site.at}/children/{child}/change/about")
    tab_to(page, "interests")
    page.keyboard.press("Control+A")
    page.keyboard.type("Chess")
    enter(page, "Save")
    assert "Chess" in page.inner_text("main")
    page.goto(f"{site.at}/children/{child}/shortlist?rank=fit")
    for box in page.locator("input[name=with]").all()[:2]:
        tab_to(page, box.get_attribute("id") or "")
        page.keyboard.press("Space")
    enter(page, "Compare the ones you ticked")
    assert "/compare" in page.url
    page.goto(f"{site.at}/reports")
    enter(page, "Report of the year")
    page = site.page(Role.ADMINISTRATOR)
    enter(page, "Log")
    tab_to(page, "kind")
    page.keyboard.type("Signing in")
    enter(page, "Apply")
    assert "kind=log+in" in page.url
    page.goto(f"{site.at}/users")
    enter(page, " ".join((page.locator("main a[href$='/role']").first.text_content() or "").split()))
    assert page.url.endswith("/role")


def test_what_the_day_does_not_touch_goes_without_script_too(site: Site) -> None:
    """A form of facts, volunteers side by side, brothers and sisters, a step taken back, where somebody stands, the
    log and an account."""
    page = site.page(Role.MANAGER, script=False)
    child, _ = site.choice
    page.goto(f"{site.at}/children/{child}/change/about")
    page.fill("#interests", "Chess; Cooking")
    page.get_by_role("button", name="Save").click()
    assert "Cooking" in page.inner_text("main")
    page.goto(f"{site.at}/children/{child}/shortlist?rank=fit")
    for box in page.locator("input[name=with]").all()[:2]:
        box.check()
    page.get_by_role("button", name="Compare the ones you ticked").click()
    assert page.locator(".kith-compare, table").count()
    page.goto(f"{site.at}/children/{child}/siblings")
    page.fill("#siblings", "nobody-here")
    page.locator("main form button.govuk-button").click()
    assert page.input_value("#siblings") == "nobody-here"
    proposal = propose(page, site, 3)
    page.get_by_role("button", name="The volunteer was asked").click()
    page.goto(f"{proposal}/take-back")
    page.fill("#reason", "Nobody rang.")
    page.get_by_role("button", name="Take it back").click()
    assert page.get_by_role("button", name="The volunteer was asked").count()
    page.goto(f"{site.at}/volunteers/{site.pairs[3][1]}/status")
    page.check("input[name=status][value=suspended]")
    page.check("input[name=reason-suspended][value='check lapsed']")
    page.get_by_role("button", name="Change where they stand").click()
    assert "suspended" in page.inner_text("main").lower()
    page = site.page(Role.ADMINISTRATOR, script=False)
    page.goto(f"{site.at}/log")
    page.select_option("#kind", "standing")
    page.get_by_role("button", name="Apply").click()
    assert "kind=standing" in page.url
    assert "Changed where a volunteer stands" in page.inner_text("table")
    page.goto(f"{site.at}/users")
    page.get_by_role("row").filter(has_text="analyst@").locator("a[href$='/role']").click()
    page.check("input[name=role][value=auditor]")
    page.check("input[name=reason] >> nth=0")
    page.locator("main form button.govuk-button").click()
    assert "Auditor" in page.get_by_role("row").filter(has_text="analyst@").inner_text()


def test_two_coordinators_at_once_the_second_sees_what_happened_and_loses_nothing_typed(site: Site) -> None:
    first, second = site.page(), site.page(Role.MANAGER)
    proposal = propose(first, site, 4)
    second.goto(proposal)
    second.get_by_text("Add a note").click()
    second.fill("#note", "I rang, and nobody answered.")
    first.get_by_role("button", name="The volunteer was asked").click()
    second.get_by_role("button", name="The volunteer was asked").click()
    assert "It has moved on meanwhile" in second.inner_text(".govuk-error-summary")
    assert "volunteer considers" in second.inner_text(".govuk-error-summary")
    assert second.input_value("#note") == "I rang, and nobody answered."


def test_reading_a_childs_page_stands_in_the_log(site: Site) -> None:
    child = site.pairs[-1][0]
    site.page().goto(f"{site.at}/children/{child}")
    page = site.page(Role.AUDITOR)
    page.goto(f"{site.at}/log?subject={child}&days=0")
    assert "Opened the record" in page.inner_text("table")
    assert "coordinator" in page.inner_text("table")


def test_a_reference_finds_its_page_and_stands_in_no_address(site: Site) -> None:
    page = site.page()
    page.goto(f"{site.at}/children/{site.pairs[-1][0]}")
    reference = page.inner_text("h1").split()[0]
    page.goto(f"{site.at}/children")
    page.fill("#reference", reference.lower())
    page.get_by_role("button", name="Find").click()
    assert page.url == f"{site.at}/children/{site.pairs[-1][0]}"


def test_the_demonstration_says_so_on_every_page(site: Site) -> None:
    page = site.page(None)
    assert "Everybody here is made up" in page.inner_text("header")


def test_what_is_licensed_for_gov_uk_alone_is_not_shipped() -> None:
    css = (STATIC / "govuk-frontend" / "govuk-frontend.min.css").read_text(encoding="utf-8")
    assert "GDS Transport" not in css
    assert "@font-face" not in css
    assert "url(" not in css
    assert all((STATIC / name / "LICENSE.txt").exists() for name in ("govuk-frontend", "htmx"))
    assert {one.suffix for one in STATIC.rglob("*.*")} == {".css", ".js", ".svg", ".txt", ".md"}
