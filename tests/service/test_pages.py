"""The day's pages in a real browser: see `browser` for the service and the Chromium that they share."""

from __future__ import annotations

import re
from pathlib import Path

from browser import HOSTILE, PASSWORD, Site, faults
from playwright.sync_api import Page

from service.permissions import Role

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


def test_no_page_has_a_fault_that_axe_finds_nor_is_cut_off_at_400_pixels(site: Site) -> None:
    """At 400 pixels a page is also what 320% zoom shows of a window of 1280."""
    page = site.page()
    proposal = propose(page, site, 0)
    child, (volunteer, other, *_) = site.choice
    page.goto(f"{site.at}/children/{child}/compare?rank=fit&with={volunteer}&with={other}")
    assert page.locator("thead .kith-rank").count() == 2
    imported = []
    for show in ("matches", "over"):
        page.goto(f"{site.at}/proposals?show={show}")
        imported += [one.get_attribute("href") for one in page.locator("tbody th a").all()[:1]]
    assert imported
    found = []
    for path in (
        "/", "/children", "/children?show=everybody&sort=priority&page=2", "/children?coordinator=nobody-here",
        f"/children/{child}", f"/children/{site.nobody}", f"/children/{child}/shortlist?rank=fit",
        f"/children/{child}/shortlist", f"/children/{site.nobody}/shortlist",
        f"/children/{child}/compare?rank=fit&with={volunteer}&with={other}", f"/children/{child}/compare",
        f"/children/{child}/propose/{volunteer}?rank=fit", "/volunteers", "/volunteers?show=not%20ready",
        f"/volunteers/{site.volunteer}", "/proposals", "/proposals?show=over", "/proposals?show=matches",
        proposal.removeprefix(site.at), *(
            proposal.removeprefix(site.at) + rest
            for rest in ("/share", "/for-child", "/for-volunteer", "/steps/child_declines", "/steps/withdraw",
                         "/letters/appointment")
        ), *imported, "/nothing-here",
    ):  # fmt: skip
        found += faults(page, site.at + path)
    for role, paths in ((Role.ADMINISTRATOR, ("/", "/users", "/log", "/log?kind=read&days=0")), (None, ("/sign-in",))):
        page = site.page(role)
        for path in paths:
            found += faults(page, site.at + path)
    assert found == []


def test_a_day_without_script(site: Site) -> None:
    """From signing in to a child's no, by links and forms alone."""
    page = site.page(script=False)
    page.get_by_role("link", name="All by priority").click()
    assert "sort=priority" in page.url
    child, volunteer = site.pairs[1]
    page.goto(f"{site.at}/children/{child}")
    page.get_by_role("button", name="See who could visit").click()
    page.get_by_role("link", name="Best fit for this child alone").click()
    page.locator(f"a[href*='/propose/{volunteer}']").click()
    page.locator("main form button.govuk-button").click()
    assert "Choose why you propose this volunteer." in page.inner_text(".govuk-error-summary")
    page.get_by_label("Shared interests").check()
    page.get_by_label("Anything to add").fill("Asked at the team meeting.")
    page.locator("main form button.govuk-button").click()
    assert "Asked at the team meeting." in page.inner_text(".kith-timeline")
    for button in ("Ask the volunteer", "The volunteer is willing: show the child the profile"):
        page.get_by_role("button", name=button).click()
    proposal = page.url
    page.get_by_role("link", name="Choose what is shared").click()
    page.locator("input[name=volunteer][value=interests]").uncheck()
    page.get_by_role("button", name="Save what is shared").click()
    page.get_by_role("link", name="The page for the child").click()
    assert "No thank you" in page.inner_text("main")
    assert "They like" not in page.inner_text("main")  # it was not ticked
    page.get_by_role("link", name="The child says no").click()
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
    child, volunteer = site.pairs[2]
    page.goto(f"{site.at}/children/{child}/propose/{volunteer}?rank=fit")
    for _ in range(30):
        page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement, '::before').boxShadow"
        own = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(own) != "none" or page.evaluate(outline) != "none", "focus that cannot be seen"
        if page.evaluate("document.activeElement.name") == "reason":
            break
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "note"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/proposals/M"))


def test_script_in_any_text_field_never_runs(site: Site) -> None:
    page = site.page()
    proposal = propose(page, site, 3, note=HOSTILE)
    seen = [page.inner_text("main")]
    page.goto(f"{proposal}/steps/volunteer_declines")
    page.fill("#note", HOSTILE)
    page.locator("main form button.govuk-button").click()  # without a reason: the form comes back with what was typed
    assert page.input_value("#note") == HOSTILE
    for path in ("/children", "/volunteers"):
        page.goto(site.at + path)
        page.fill("#reference", HOSTILE)
        page.get_by_role("button", name="Find").click()
        seen.append(page.inner_text("main"))
        assert page.input_value("#reference") == HOSTILE[:80]
    page.goto(f"{site.at}/children?coordinator={HOSTILE[:40]}")
    assert page.evaluate("window.ran") is None
    page = site.page(Role.ADMINISTRATOR)
    for path in ("/users", "/log"):
        page.goto(site.at + path)
        seen.append(page.inner_text("main"))
        assert page.evaluate("window.ran") is None
    page.goto(f"{site.at}/log?actor={HOSTILE}")  # no id: refused, and not repeated
    assert "script" not in page.inner_text("main")
    page = site.page(None)
    page.fill("#email", HOSTILE)
    page.locator("main").get_by_role("button", name="Sign in").click()
    assert page.input_value("#email") == HOSTILE
    assert page.evaluate("window.ran") is None
    assert all("{{7*7}}" in text or "<img" in text or "<script" in text for text in seen)


def test_two_coordinators_at_once_the_second_sees_what_happened_and_loses_nothing_typed(site: Site) -> None:
    first, second = site.page(), site.page(Role.MANAGER)
    proposal = propose(first, site, 4)
    second.goto(proposal)
    second.get_by_text("Add a note").click()
    second.fill("#note", "I rang, and nobody answered.")
    first.get_by_role("button", name="Ask the volunteer").click()
    second.get_by_role("button", name="Ask the volunteer").click()
    assert "Somebody else was here meanwhile" in second.inner_text(".govuk-error-summary")
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
