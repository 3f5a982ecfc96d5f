"""The day's pages in a real browser: see `browser` for the service and the Chromium that they share."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from browser import PASSWORD, Site, faults
from playwright.sync_api import Page
from service_rows import a_child, a_match
from sqlalchemy import func, select

from service import steps
from service.asking import to_ask
from service.brought_up import BROUGHT_UP
from service.database.tables import Child, Match, User, Volunteer
from service.permissions import Role
from service.repository import Repository
from service.standing import CONCERN
from service.workflow import State

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


def of_children(site: Site, page: Page) -> list[str]:
    child, (volunteer, other, *_) = site.choice
    return [
        "/children", "/children?show=everybody&sort=priority&page=2", "/children?coordinator=nobody-here",
        f"/children/{child}", f"/children/{site.nobody}", f"/children/{child}/change/wishes",
        f"/children/{child}/readers", "/children/new", f"/children/{child}/shortlist?rank=fit",
        f"/children/{child}/siblings", f"/children/{child}/shortlist?rank=fit&everybody=yes",
        f"/children/{child}/shortlist", f"/children/{site.nobody}/shortlist", f"/children/{child}/compare",
        f"/children/{child}/compare?rank=fit&with={volunteer}&with={other}",
        f"/children/{child}/propose/{volunteer}?rank=fit", "/",
    ]  # fmt: skip


def of_volunteers(site: Site, page: Page) -> list[str]:
    volunteer = site.choice[1][0]
    return [
        "/volunteers", "/volunteers?show=not%20ready", "/volunteers?show=checks&sort=lapse", "/volunteers/new",
        f"/volunteers/{site.volunteer}", f"/volunteers/{site.volunteer}/status",
        f"/volunteers/{volunteer}/shortlist", f"/volunteers/{volunteer}/change/checks", "/nothing-here",
    ]  # fmt: skip


def a_past_match(site: Site) -> str:
    """The address of one of which the child is to be asked, since a concern about the volunteer."""
    with site.kith.database.write(site.north) as session:
        rows = Repository(session, site.kith.keys)
        if already := to_ask(rows):
            return f"/proposals/{already[0].match.id}"
        child = a_child(rows, "visited before")
        child.referral = False
        volunteer = session.scalars(select(Volunteer).order_by(Volunteer.id)).first()
        manager = session.scalars(select(User.id).where(User.role == Role.MANAGER)).first()
        assert volunteer is not None
        assert manager is not None
        match = a_match(session, child, volunteer, State.ENDED, place=None)
        session.flush()
        steps.note(rows, match, BROUGHT_UP, user_id=manager, reason=CONCERN)
        return f"/proposals/{match.id}"


def of_proposals(site: Site, page: Page) -> list[str]:
    proposal = a_proposal(page, site).removeprefix(site.at)
    imported = []
    for show in ("matches", "over"):
        page.goto(f"{site.at}/proposals?show={show}")
        imported += [one.get_attribute("href") or "" for one in page.locator("tbody th a").all()[:1]]
    assert imported
    if page.get_by_role("button", name="The volunteer was asked").count():
        page.get_by_role("button", name="The volunteer was asked").click()
    asked = a_past_match(site)
    parts = ("", "/share", "/for-child", "/for-volunteer", "/steps/child_declines", "/steps/withdraw", "/take-back",
             "/letters/appointment")  # fmt: skip
    return [*(proposal + part for part in parts), *imported, f"{imported[0]}/letters/appointment", "/proposals",
            "/proposals?show=over", "/proposals?show=matches", asked, f"{asked}/asked"]  # fmt: skip


@pytest.mark.parametrize("group", [of_children, of_volunteers, of_proposals])
def test_no_page_has_a_fault_that_axe_finds_nor_is_cut_off_when_it_is_enlarged(
    site: Site, group: Callable[[Site, Page], list[str]]
) -> None:
    page = site.page()
    assert [fault for path in group(site, page) for fault in faults(page, site.at + path)] == []


def test_no_page_for_other_roles_has_such_a_fault(site: Site) -> None:
    found = []
    with site.kith.database.read(site.north) as session:
        family = select(Child.family_id).group_by(Child.family_id).having(func.count() > 1)
        sibling = session.scalars(select(Child.id).where(Child.family_id.in_(family))).first()
    for role, paths in (
        (Role.ADMINISTRATOR, ("/", "/users", "/log", "/log?kind=read&days=0")),
        (Role.MANAGER, (f"/children/{sibling}/siblings", f"/children/{sibling}/unlink")),
        (None, ("/sign-in", "/welcome/some-link")),
    ):
        page = site.page(role)
        for path in paths:
            found += faults(page, site.at + path)
    page = site.page(Role.ADMINISTRATOR)
    for what in ("role", "close"):
        page.goto(f"{site.at}/users")
        page.locator(f"a[href$='/{what}']").first.click()
        found += faults(page)
    page.goto(f"{site.at}/users")
    page.fill("#name", "Somebody New")
    page.fill("#email", "new@invited.invalid")
    page.select_option("#role", "coordinator")
    page.locator("main").get_by_role("button", name="Invite").click()
    link = page.locator("#link").input_value()
    found += faults(page)
    page.goto(link)
    assert page.locator("input[name=password]").count() == 1
    found += faults(page)
    page.goto(f"{site.at}/users")
    page.locator("a[href$='/role']").first.click()
    page.check("input[name=role] >> nth=0")
    page.click("main form button.govuk-button")  # without a reason
    assert page.locator("input[name=role]").first.is_checked()
    found += faults(page)
    assert found == []


def test_no_page_that_comes_back_has_such_a_fault(site: Site) -> None:
    """Because something was wrong or missing."""
    page = site.page()
    child, (volunteer, *_) = site.choice
    proposal = a_proposal(page, site)
    if page.get_by_role("button", name="The volunteer was asked").count():
        page.get_by_role("button", name="The volunteer was asked").click()
    found = []
    for address, field, text, button in (
        (f"/children/{child}/propose/{volunteer}?rank=fit", "#note", "Rang.", "Propose"),
        (f"{proposal.removeprefix(site.at)}/steps/child_declines", "#note", "Rang.", "Record"),
        (f"{proposal.removeprefix(site.at)}/take-back", None, "", "Take it back"),
        (f"{a_past_match(site)}/asked", "#note", "Rang.", "Record it"),
        ("/volunteers/new", "#date_of_birth", "31/02/1980", "Add the volunteer"),
        (f"/children/{child}/change/wishes", "#prefers_to_age", "old", "Save"),
        (f"/volunteers/{volunteer}/status", None, "", "Change where they stand"),
        ("/children", "#reference", "nobody", "Find"),
    ):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(site.at + address)
        if field:
            page.fill(field, text)
        page.locator("main").get_by_role("button", name=button).last.click()
        assert page.locator(".govuk-error-summary, .govuk-error-message").count(), address
        found += [f"refused {address}: {one}" for one in faults(page)]
    page = site.page(None)
    page.locator("main").get_by_role("button", name="Sign in").click()
    assert page.locator(".govuk-error-summary").count()
    assert found + faults(page) == []


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
    for button in ("Appointed: the letters are sent", "The first visit was made"):
        page.get_by_role("button", name=button).click()
    assert "Active" in page.inner_text("h1")
    assert page.get_by_role("heading", name="Next review").count()
    for button in ("Begin a review", "The review was held, and the visits go on"):
        page.get_by_role("button", name=button).click()
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
    page.get_by_role("link", name="Yes, I would like to meet them").click()
    assert page.url == f"{proposal}#next"
    page.go_back()
    page.get_by_text("I do not know yet").click()
    assert page.get_by_text("That is fine.").is_visible()
    page.get_by_role("link", name="No thank you").click()
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
