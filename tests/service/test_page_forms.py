"""Facts entered and changed by forms."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from browser import HOSTILE, Site, faults
from conftest import Service
from page_reading import HTML, fields_of
from service_rows import in_order
from sqlalchemy import select

from matcher.instance import today
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Sheet
from matcher.records import Child, Need, Place, Status, Strength, Volunteer
from service.database import tables
from service.pages import forms
from service.people import columns_of
from service.permissions import Role
from service.repository import Repository
from service.standing import REASONS_OF


@pytest.mark.parametrize("sheet", [CHILDREN, VOLUNTEERS])
def test_every_fact_stands_in_one_part_of_the_form(sheet: Sheet) -> None:
    named = [name for part in forms.PARTS[sheet.name].values() for name in part]
    assert sorted(named) == sorted(column.name for column in columns_of(sheet))


@pytest.mark.parametrize("sheet", [CHILDREN, VOLUNTEERS])
def test_a_page_shows_each_fact_that_its_form_asks_for_under_the_same_label(service: Service, sheet: Sheet) -> None:
    browser, pair = service.as_(Role.MANAGER), service.eligible_pair()
    at = f"/{sheet.name}/{pair[sheet is VOLUNTEERS]}"
    shown = re.findall(r"<dt>([^<]*)</dt>", browser.get(at, headers=HTML).text)
    asked = []
    for part in forms.PARTS[sheet.name]:
        form = browser.get(f"{at}/change/{part}", headers=HTML).text.partition("<form method")[2]
        asked += re.findall(
            r'<(?:label|legend) class="govuk-(?:label|fieldset__legend) [^>]*--s"[^>]*>\s*([^<]*?)\s*<', form
        )
    asked = [label for label in asked if not label.startswith("If ")]  # of their word, and no fact
    assert len(asked) == len(columns_of(sheet))
    told = ["Age" if label == "Date of birth" else label.partition(", ")[0] for label in asked]
    assert [label for label in shown if label != "Status"] == list(dict.fromkeys(told))
    assert len(set(shown)) == len(shown)


def test_a_volunteers_page_names_the_children_whom_they_know_and_their_household(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    browser, at = service.as_(Role.MANAGER), f"/volunteers/{volunteer}"
    with service.database.read(service.north) as session:
        name = Repository(session, service.keys).child(child).reference
    form = fields_of(browser.get(f"{at}/change/independence", headers=HTML).text)
    said = {**form, "known_children": name, "household": "H99", "why": "it is otherwise now"}
    page = browser.post(f"{at}/change/independence", data=said, headers=HTML).text
    told = dict(re.findall(r"<dt>([^<]*)</dt><dd[^>]*>([^<]*)<", page))
    assert told["Children whom they know"] == name
    assert told["Household of volunteers"] == "H99"


def test_what_a_form_shows_reads_back_as_what_is_recorded(small_county: Any) -> None:
    """Otherwise saving a form untouched would change facts. A place is not shown: it may be an address."""
    wrong = []
    for sheet in (CHILDREN, VOLUNTEERS):
        for record in small_county.records[sheet.name]:
            for column in columns_of(sheet):
                fact = getattr(record, column.to)
                text = forms.as_text(column.read, fact)
                if isinstance(fact, Place):
                    assert text == ""
                elif (column.read(text) if text else None) != fact:
                    wrong.append((column.name, fact, text))
    assert wrong == []


def test_a_form_saved_untouched_changes_nothing(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    browser = service.as_(Role.MANAGER)

    def everything() -> tuple[Child, Volunteer, int, int]:
        with service.database.read(service.north) as session:
            rows = Repository(session, service.keys)
            one, other = rows.child(child), rows.volunteer(volunteer)
            return rows.child_record(one, True), rows.volunteer_record(other), one.version, other.version

    before = everything()
    for page in [f"/children/{child}/change/{part}" for part in forms.PARTS["children"]] + [
        f"/volunteers/{volunteer}/change/{part}" for part in forms.PARTS["volunteers"]
    ]:
        form = browser.get(page, headers=HTML)
        assert form.status_code == 200
        saved = browser.post(page, data=fields_of(form.text), headers=HTML, follow_redirects=False)
        assert saved.status_code == 303, page
    assert everything() == before


def test_a_new_volunteer_is_entered_corrected_and_approved(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    form = {"reference": "V9001", "date_of_birth": "31/02/1980", "interests": "football", "home": "NN1"}
    wrong = browser.post("/volunteers/new", data=form, headers=HTML)
    assert wrong.status_code == 422
    assert "a day that does not exist" in wrong.text
    assert 'value="31/02/1980"' in wrong.text
    assert 'value="football"' in wrong.text
    form["date_of_birth"] = "03/02/1980"
    page = browser.post("/volunteers/new", data=form, headers=HTML)
    assert "V9001" in page.text
    assert "Applicant" in page.text
    assert "Approve" in page.text
    again = browser.post("/volunteers/new", data=form, headers=HTML)
    assert again.status_code == 422
    assert "here already" in again.text
    address = page.url.path + "/status"
    assert f'href="{address}?status=approved"' in page.text
    opened = browser.get(f"{address}?status=approved", headers=HTML).text
    assert re.search(r'name="status"[^>]* value="approved" checked', opened)
    assert "V9001 has applied, and is not approved yet." in opened
    offered = re.findall(r'name="reason-(\w+)" type="radio" value="([^"]*)"', opened)
    assert {why for of, why in offered if of == "approved"} == set(REASONS_OF[Status.APPROVED])
    assert {of for of, _ in offered} == set(Status) - {"applicant"}
    version = fields_of(browser.get(address, headers=HTML).text)["version"]
    sent = {"version": version, "status": "approved"}
    for other in ({}, {"reason-approved": "concern raised"}, {"reason-suspended": "concern raised"}):
        refused = browser.post(address, data={**sent, **other}, headers=HTML)
        assert "Choose why from now on they are approved" in refused.text
    browser.post(f"{page.url.path}/change/checks", data={"version": version, **in_order()}, headers=HTML)
    browser.post(f"{page.url.path}/change/offer", data={"version": str(int(version) + 1), "drives": "no"})
    sent |= {"version": fields_of(browser.get(address, headers=HTML).text)["version"]}
    approved = browser.post(address, data={**sent, "reason-approved": "panel approved"}, headers=HTML)
    assert "not approved: the status" not in approved.text
    assert "Suspend or change status" in approved.text


def test_an_interest_that_is_not_known_is_what_a_person_says_and_never_guessed(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    form = {"reference": "V9002", "interests": "swiming; football; quidditch"}
    page = browser.post("/volunteers/new", data=form, headers=HTML)
    assert page.status_code == 422
    assert "“swiming” and “quidditch” are not known here" in page.text
    offered = {
        unescape(name): re.findall(r'<option value="([^"]*)"', options)
        for name, options in re.findall(r'<select[^>]* name="(interests: [^"]*)"[^>]*>(.*?)</select>', page.text, re.S)
    }
    assert offered == {
        "interests: swiming": ["", "Swimming", "left out"], "interests: quidditch": ["", "left out"],
    }  # fmt: skip
    said = {**form, "interests: swiming": "Swimming"}
    half = browser.post("/volunteers/new", data=said, headers=HTML)
    assert half.status_code == 422
    assert fields_of(half.text)["interests"] == "Football; Swimming; quidditch"
    other = {**said, "interests": "swiming; skying", "interests: quidditch": "left out"}
    assert "“skying” is not known here" in browser.post("/volunteers/new", data=other, headers=HTML).text
    forged = {**said, "interests: quidditch": "no interest at all"}
    assert "“no interest at all” is not known here" in browser.post("/volunteers/new", data=forged, headers=HTML).text
    saved = browser.post("/volunteers/new", data={**said, "interests: quidditch": "left out"}, headers=HTML)
    assert saved.url.query == b"saved=yes", saved.text
    address = f"{saved.url.path}/change/about"
    again = fields_of(browser.get(address, headers=HTML).text)
    assert again["interests"] == "Football; Swimming"
    browser.post(address, data={**again, "interests": "chesss", "interests: chesss": "Chess"}, headers=HTML)
    assert fields_of(browser.get(address, headers=HTML).text)["interests"] == "Chess"


@pytest.mark.parametrize("sheet", [CHILDREN, VOLUNTEERS])
def test_known_words_are_listed_once_on_a_page_and_read_as_they_stand_there(service: Service, sheet: Sheet) -> None:
    page = service.as_(Role.COORDINATOR).get(f"/{sheet.name}/new").text
    fields = dict(re.findall(r'name="(\w+)"[^>]* data-known="(\w+)"', page))
    assert set(fields.values()) == {"interests", "languages", "councils"}
    for name, known in fields.items():
        lists = re.findall(rf'<details[^>]* id="known-{known}".*?</details>', page, re.S)
        words = [word for part in re.findall(r"data-words>([^<]*)<", lists[0]) for word in unescape(part).split("; ")]
        assert len(lists) == 1
        assert [word for word in words if forms.wrong(sheet, name, word)] == []
        for word in ("Chess", "Tigrinya", "West Northamptonshire"):
            assert (word in words) is (not forms.wrong(sheet, name, word)), (name, word)
    religion = re.search(r'<select[^>]* name="religion".*?</select>', page, re.S)
    assert religion is not None
    assert re.findall(r'value="([^"]*)"', religion[0])[1:] == list(sheet.column("religion").options)


def test_what_is_of_a_few_words_is_ticked_and_nothing_that_was_said_is_lost(service: Service) -> None:
    browser, volunteer = service.as_(Role.COORDINATOR), service.eligible_pair()[1]
    page = f"/volunteers/{volunteer}/change/offer"

    def saved(**said: list[str]) -> tuple[Any, Volunteer]:
        form = fields_of(browser.get(page, headers=HTML).text)
        answer = browser.post(page, data={**form, **said}, headers=HTML)
        with service.database.read(service.north) as session:
            rows = Repository(session, service.keys)
            return answer, rows.volunteer_record(rows.volunteer(volunteer))

    _, some = saved(needs_accepted=["", "sight", "autism"], free_times=["", "weekend", "weekday daytime"])
    assert some.needs_accepted == (Need.AUTISM, Need.SIGHT)
    assert fields_of(browser.get(page, headers=HTML).text)["free_times"] == ["", "weekday daytime", "weekend"]
    _, none = saved(needs_accepted=["", "none"])
    assert none.needs_accepted == ()
    assert fields_of(browser.get(page, headers=HTML).text)["needs_accepted"] == ["", "none"]
    _, blank = saved(needs_accepted=[""])
    assert blank.needs_accepted is None
    both, _ = saved(needs_accepted=["", "hearing", "none"])
    assert "Tick some of these, or none of these: not both" in both.text
    other, after = saved(needs_accepted=["", "hearing", "quidditch"], needs_trained=["", "sight"])
    assert other.status_code == 422
    assert "“quidditch” cannot be recorded here. Untick it" in other.text
    assert fields_of(other.text)["needs_accepted"] == ["", "hearing", "quidditch"]
    assert fields_of(other.text)["needs_trained"] == ["", "sight"]
    assert after == blank
    form = fields_of(browser.get(page, headers=HTML).text)
    left_out = {name: value for name, value in form.items() if name != "free_times"}
    browser.post(page, data=left_out, headers=HTML)
    assert saved()[1].free_times == blank.free_times  # a form without the list says nothing of it


def test_words_are_suggested_after_each_semicolon_and_the_form_has_no_fault(site: Site) -> None:
    page = site.page()
    page.goto(f"{site.at}/volunteers/new")

    def suggested(field: str, typed: str) -> list[str]:
        page.fill(f"#{field}", typed)
        return page.evaluate(f"[...document.querySelector('#{field}').list.options].map(one => one.value)")

    assert "Swimming" in suggested("interests", "Swi")
    assert "Football; Swimming" in suggested("interests", "Football; swi")
    assert "Football;Chess;Swimming" in suggested("interests", "Football;Chess;")
    assert "English; Tigrinya" in suggested("languages", "English; T")
    assert "West Northamptonshire" in suggested("areas", "")
    page.fill("#reference", "V9003")
    page.fill("#interests", f"swiming; {HOSTILE}")
    page.get_by_role("button", name="Add the volunteer").click()
    page.get_by_label("“swiming” means").select_option("Swimming")
    assert page.evaluate("window.ran") is None
    page.locator("#known-languages summary").click()
    assert faults(page) == []


def test_a_new_child_with_a_sister_who_is_here(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    with service.database.read(service.north) as session:
        sister = session.scalars(select(tables.Child).where(tables.Child.referral)).first()
    assert sister is not None
    form = {"reference": "C9001", "siblings": "C-nobody", "agrees": "not asked"}
    assert "There is no child “C-nobody” here" in browser.post("/children/new", data=form, headers=HTML).text
    ahead = {**form, "siblings": "none", "referred_on": f"{today() + timedelta(days=1):%d/%m/%Y}"}
    told = browser.post("/children/new", data=ahead, headers=HTML).text
    assert "which is today" in told
    assert "this run" not in told
    page = browser.post("/children/new", data={**form, "siblings": sister.reference}, headers=HTML)
    assert f'href="/children/{sister.id}"' in page.text


@pytest.mark.parametrize("kind", ["children", "volunteers"])
def test_a_name_is_no_reference(service: Service, kind: str) -> None:
    """It would stand in headings, lists and letters, where nobody is named."""
    browser = service.as_(Role.COORDINATOR)
    page = browser.post(f"/{kind}/new", data={"reference": "Jane Smith", "siblings": "none"}, headers=HTML)
    assert (page.status_code, "Has no number in it, and may be a name." in page.text) == (422, True)
    answer = browser.post(f"/api/v1/{kind}", json={"reference": "Jane Smith"})
    assert (answer.status_code, "may be a name" in answer.text, "Jane" in answer.text) == (422, True, False)


def test_who_comes_second_sees_what_is_recorded_now_and_keeps_what_they_typed(service: Service) -> None:
    child, _ = service.eligible_pair()
    first, second = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    page = f"/children/{child}/change/wishes"
    form = fields_of(first.get(page, headers=HTML).text)
    first.post(page, data={**form, "prefers_to_age": "71"}, headers=HTML)
    answer = second.post(page, data={**form, "prefers_to_age": "72"}, headers=HTML)
    assert answer.status_code == 409
    with service.database.read(service.north) as session:
        query = select(tables.AuditEvent).where(tables.AuditEvent.action == "read")
        who = [one.actor for one in session.scalars(query) if one.subject == child]
    assert service.users["north", Role.MANAGER] in who  # that what is recorded was shown to them
    assert "somebody changed this meanwhile" in answer.text
    assert "Recorded now: 71." in answer.text
    assert 'value="72"' in answer.text
    saved = second.post(page, data=fields_of(answer.text), headers=HTML)
    assert "up to 72" in saved.text.casefold() or "to 72" in saved.text


def test_what_a_blank_counts_as_is_said_where_it_is_left(service: Service) -> None:
    child, _ = service.eligible_pair()
    browser, page = service.as_(Role.COORDINATOR), f"/children/{child}/change/wishes"
    shown = browser.get(page, headers=HTML).text
    assert "Left blank beside a gender, it counts as essential." in shown
    sent = {**fields_of(shown), "requested_gender": "female", "requested_gender_strength": ""}
    browser.post(page, data=sent, headers=HTML)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        assert rows.child_record(rows.child(child), True).requested_gender_strength is Strength.ESSENTIAL


def test_a_managers_word_is_no_field_for_a_coordinator(service: Service) -> None:
    child, _ = service.eligible_pair()
    page = f"/children/{child}/change/referral"
    assert "manager_approved" in fields_of(service.as_(Role.MANAGER).get(page, headers=HTML).text)
    coordinator = service.as_(Role.COORDINATOR)
    form = fields_of(coordinator.get(page, headers=HTML).text)
    assert "manager_approved" not in form
    coordinator.post(page, data={**form, "manager_approved": "no"}, headers=HTML)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        assert rows.child_record(rows.child(child), True).manager_approved is True


def test_no_form_shows_an_address(service: Service) -> None:
    child, _ = service.eligible_pair()
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        place = rows.child_record(rows.child(child), True).placement
    assert place is not None
    page = service.as_(Role.MANAGER).get(f"/children/{child}/change/placement", headers=HTML).text
    assert place.text not in page.partition("<main")[2]
