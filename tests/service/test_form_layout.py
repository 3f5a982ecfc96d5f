"""How long forms are laid out: parts under headings with a list of them, and a mark on what matching needs."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from browser import Site, faults
from conftest import Service
from service_rows import in_order

from matcher.catalogue import load_policy
from matcher.gaps import gaps, needed
from matcher.instance import today
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Sheet
from matcher.records import Status, Volunteer
from service.pages import forms
from service.pages.labels import TITLES
from service.permissions import Role
from service.repository import Repository

AS_OF = date(2026, 11, 1)
HTML = {"Accept": "text/html"}
MARK = "Matching needs this"


def marked(page: str) -> set[str]:
    """The fields whose label or legend has the mark."""
    groups = re.split(r'<div class="govuk-form-group', page.partition("<form method")[2])[1:]
    found = [re.search(r' id="(\w+)"', re.sub(r'<div id="[^"]*-hint".*?</div>', "", one, flags=re.S))
             for one in groups if MARK in one]  # fmt: skip
    return {one[1] for one in found if one}


@pytest.mark.parametrize("sheet", [CHILDREN, VOLUNTEERS])
def test_each_part_has_a_heading_and_a_link_to_it(service: Service, sheet: Sheet) -> None:
    page = service.as_(Role.COORDINATOR).get(f"/{sheet.name}/new", headers=HTML).text
    contents = re.findall(r'<a class="[^"]*" href="#(part-\d)">([^<]*)</a>', page)
    assert [title for _, title in contents] == list(TITLES[sheet.name].values())
    for at, title in contents:
        part = page.partition(f'id="{at}"')[2].partition("</fieldset></div>")[0]
        assert re.search(rf'<legend[^>]*><h2 class="govuk-fieldset__heading">{title}</h2></legend>', part)
        key = next(key for key, said in TITLES[sheet.name].items() if said == title)
        named = {name for name in forms.PARTS[sheet.name][key] if name not in ("manager_approved", "funding_agreed")}
        assert named <= {*re.findall(r' name="(\w+)"', part)}


@pytest.mark.parametrize(
    ("sheet", "word", "facts"), [(CHILDREN, "C", {}), (VOLUNTEERS, "V", {**in_order(), "dbs_checked_on": None})]
)
def test_what_is_marked_is_what_matching_needs_of_the_person(
    service: Service, sheet: Sheet, word: str, facts: dict[str, str]
) -> None:
    """Of somebody who is new, and of somebody of whom most is recorded."""
    browser = service.as_(Role.COORDINATOR)
    new = marked(browser.get(f"/{sheet.name}/new", headers=HTML).text)
    body = {"reference": f"{word}-901", "facts": facts}
    made = browser.post(f"/api/v1/{sheet.name}", json=body).json()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        if sheet is VOLUNTEERS:  # of an applicant the page lists nothing: they are not matched yet
            row = rows.volunteer(made["id"])
            rows.write_volunteer(row, replace(rows.volunteer_record(row), status=Status.APPROVED))
    with service.database.read(service.north) as session:
        missing = gaps(Repository(session, service.keys).instance(today()), of={made["id"]})
    columns = {gap.column for gap in missing} - {"placement_council"}  # which follows from the placement
    assert columns
    forms_of = {
        name
        for part in forms.PARTS[sheet.name]
        for name in marked(browser.get(f"/{sheet.name}/{made['id']}/change/{part}", headers=HTML).text)
    }
    # Some matches alone wait for the others: for a language, say, that a child asks for.
    assert {"family" if one == "siblings" else one for one in new} - {*facts} <= columns
    assert new - {"siblings"} == forms_of


def test_the_policy_in_force_and_what_is_recorded_say_what_is_needed() -> None:
    """Papers for driving are asked under Surrey's policy of whoever drives the child."""
    national, surrey = load_policy(), load_policy("surrey")
    papers = {"licence_checked_on", "insured_until", "insured_for_volunteering", "mot_until"}
    assert not needed(Volunteer("V1"), national, AS_OF) & {*papers, "drives"}
    assert needed(Volunteer("V1"), surrey, AS_OF) & {*papers, "drives"} == {"drives"}
    drives = Volunteer("V1", drives=True, mot_until=date(2027, 1, 1))
    assert needed(drives, surrey, AS_OF) & papers == papers - {"mot_until"}
    assert needed(replace(drives, status=Status.SUSPENDED), surrey, AS_OF) == needed(drives, surrey, AS_OF)


def test_the_mark_is_explained_where_a_field_has_it_alone(service: Service) -> None:
    browser, child = service.as_(Role.COORDINATOR), service.eligible_pair()[0]
    for part in forms.PARTS["children"]:
        page = browser.get(f"/children/{child}/change/{part}", headers=HTML).text
        assert ("Marked <span" in page) == bool(marked(page))
    for part in ("offer", "independence", "checks"):
        page = browser.get(f"/volunteers/{service.eligible_pair()[1]}/change/{part}", headers=HTML).text
        assert ("Marked <span" in page) == bool(marked(page))


@pytest.mark.parametrize("script", [True, False])
def test_what_a_childs_word_needs_stands_below_it_and_while_it_is_what_they_say(site: Site, script: bool) -> None:
    page = site.page(script=script)
    page.goto(f"{site.at}/children/{site.pairs[0][0]}/change/wishes")
    yes, no = page.locator("#asked_by"), page.get_by_text("The child’s own word")
    assert (yes.count(), no.is_visible()) == (0, False)  # they say yes already
    page.select_option("#agrees", "no")
    assert no.is_visible()
    both = page.locator("#agrees").bounding_box(), no.bounding_box()
    assert both[0] is not None
    assert both[1] is not None
    assert 0 < both[1]["y"] - both[0]["y"] < 200
    if script:
        assert faults(page) == []
    page.select_option("#agrees", "not asked")
    assert not no.is_visible()
    page.get_by_role("button", name="Save").click()
    page.goto(f"{site.at}/children/{site.pairs[0][0]}/change/wishes")
    assert (yes.is_visible(), no.is_visible()) == (False, False)
    page.select_option("#agrees", "yes")
    assert (yes.is_visible(), no.is_visible()) == (True, False)
    page.get_by_role("button", name="Save").click()
    assert "Say on which day the child said yes" in page.inner_text(".govuk-error-summary")
    assert yes.is_visible()
    page.select_option("#asked_by", index=1)
    page.fill("#asked_on", f"{today():%d/%m/%Y}")
    page.get_by_role("button", name="Save").click()
    assert page.locator(".kith-saved").is_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_form_is_readable_on_a_desk_and_on_a_phone(site: Site, width: int) -> None:
    page = site.page(width=width)
    for address in ("/children/new", "/volunteers/new"):
        page.goto(site.at + address)
        assert not faults(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("navigation", name="Parts of this form").get_by_role("link").last.click()
        assert page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top") < 900
        short = page.locator("input.govuk-input--width-4").first.bounding_box()
        assert short is not None
        assert short["width"] < 120
