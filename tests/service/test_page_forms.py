"""Facts entered and changed by forms, a volunteer's standing, and what pages hand out as a file."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from browser import HOSTILE, Site, faults
from conftest import Service
from python_calamine import CalamineWorkbook
from service_rows import in_order
from sqlalchemy import select

from matcher.instance import today
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Sheet
from matcher.records import Child, Need, Party, Place, Status, Volunteer
from service import audit_log
from service.database import tables
from service.pages import forms, volunteers
from service.people import columns_of
from service.permissions import Role
from service.proposals import Chosen, propose
from service.repository import Repository
from service.standing import REASONS_OF
from service.workflow import STEPS

HTML = {"Accept": "text/html"}


def fields_of(page: str) -> dict[str, Any]:
    """What a form on a page would send as it stands: hidden fields, inputs, selects and ticks."""
    inputs = re.findall(r"<input[^>]*>", page)
    boxes = "".join(one for one in inputs if 'type="checkbox"' in one)
    others = "".join(one for one in inputs if 'type="checkbox"' not in one)
    sent = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', others))
    sent |= dict.fromkeys(re.findall(r'<input[^>]* name="(\w+)" type="text"(?![^>]*value)', page), "")
    for name, options in re.findall(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        sent[name] = chosen[1] if chosen else ""
    ticked = {name: [sent[name]] for name in re.findall(r' name="(\w+)" type="checkbox"', boxes)}  # after a blank
    for name, value in re.findall(r' name="(\w+)" type="checkbox" value="([^"]*)" checked', boxes):
        ticked[name].append(unescape(value))
    return {name: unescape(value) for name, value in sent.items()} | ticked


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
    assert len(asked) == len(columns_of(sheet))
    told = ["Age" if label == "Date of birth" else label.partition(", ")[0] for label in asked]
    assert [label for label in shown if label != "Status"] == list(dict.fromkeys(told))
    assert len(set(shown)) == len(shown)


def test_a_volunteers_page_names_the_children_whom_they_know_and_their_household(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    browser, at = service.as_(Role.COORDINATOR), f"/volunteers/{volunteer}"
    with service.database.read(service.north) as session:
        name = Repository(session, service.keys).child(child).reference
    form = fields_of(browser.get(f"{at}/change/independence", headers=HTML).text)
    said = {**form, "known_children": name, "household": "H99"}
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


def test_suspending_withdraws_and_only_a_manager_approves_again(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        user = service.users["north", Role.COORDINATOR]
        rows = Repository(session, service.keys)
        match = propose(rows, child, volunteer, user_id=user, reason="other", chosen=Chosen("fit", 1, (volunteer,))).id
    browser, page = service.as_(Role.COORDINATOR), f"/volunteers/{volunteer}/status"
    shown = browser.get(page, headers=HTML).text
    assert "one proposal is withdrawn" in " ".join(shown.split())
    sent = {"version": fields_of(shown)["version"], "status": "suspended", "reason-suspended": "concern raised"}
    browser.post(page, data=sent, headers=HTML)
    assert "Withdrawn" in browser.get(f"/proposals/{match}", headers=HTML).text
    shown = browser.get(page, headers=HTML).text
    assert "is for a manager" in shown
    assert 'value="applicant"' not in shown
    sent = {"version": fields_of(shown)["version"], "status": "applicant", "reason-applicant": "other"}
    assert browser.post(page, data=sent, headers=HTML).status_code == 403  # nor by way of an applicant
    sent |= {"status": "approved", "reason-approved": "investigation closed"}
    assert browser.post(page, data=sent, headers=HTML).status_code == 403
    assert service.as_(Role.MANAGER).post(page, data=sent, headers=HTML).status_code == 200


def test_a_standing_opens_its_own_reasons_and_approve_has_its_answer_already(site: Site) -> None:
    page = site.page(script=False)
    page.goto(f"{site.at}/volunteers/{site.choice[1][0]}/status?status=suspended")

    def shown() -> set[str | None]:
        return {one.get_attribute("value") for one in page.locator("input[name^=reason]").all() if one.is_visible()}

    assert shown() == set(REASONS_OF[Status.SUSPENDED])
    page.check("input[value=resigned]")
    assert shown() == set(REASONS_OF[Status.RESIGNED])


def test_whoever_ends_a_match_is_offered_their_own_reasons(site: Site) -> None:
    """Also without script; what was chosen under another who might have spoken does not count."""
    page = site.page(script=False)
    page.goto(f"{site.at}/proposals?show=matches")
    page.locator("main table a").first.click()
    page.get_by_role("link", name="End the match").click()
    ending = next(step for step in STEPS if step.id == "end")

    def shown() -> set[str | None]:
        return {one.get_attribute("value") for one in page.locator("input[name^=reason]").all() if one.is_visible()}

    assert shown() == set()
    for party in Party:
        page.check(f"input[name=said_by][value='{party}']")
        assert shown() == {*ending.reasons_of(party)}
    page.check("input[name='reason-planned'][value=other]")
    page.check("input[name=said_by][value=volunteer]")
    page.get_by_role("button", name="Record").click()
    assert "Choose a reason." in page.inner_text(".govuk-error-summary")
    assert page.locator("input[name=said_by][value=volunteer]").is_checked()


def test_filters_and_the_reference_keep_on_every_page_of_the_log(service: Service) -> None:
    """By the reference other pages are asked for by forms: it stands in no address."""
    child, _ = service.eligible_pair()
    auditor, user = service.as_(Role.AUDITOR), service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        reference = Repository(session, service.keys).references()[child]
        entries = [audit_log.Entry(user, "read", child, "record"), audit_log.Entry(user, "change child", child)] * 60
        audit_log.record_all(session, service.keys, entries)
    sought = {"reference": reference, "kind": "record", "actor": user, "days": "30"}
    shown = auditor.post("/log/find", data=sought, headers=HTML).text
    for number in (1, 2, 3):
        assert f"Page {number} of 3" in shown
        assert "60 entries." in shown
        assert "Opened the record" not in shown
        assert f"record {reference} ({child})" in shown
        form = shown.partition('<form class="kith-pages"')[2].partition("</form>")[0]
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
        assert sought.items() <= fields.items()
        if number < 3:
            assert f'name="page" value="{number + 1}">Next page' in form
            shown = auditor.post("/log/find", data={**fields, "page": str(number + 1)}, headers=HTML).text
    assert "Next page" not in shown
    by_link = auditor.get(f"/log?kind=record&actor={user}&days=30&subject={child}", headers=HTML).text
    assert f"/log?kind=record&amp;actor={user}&amp;subject={child}&amp;days=30&amp;page=2" in by_link


def test_who_read_about_a_child_and_an_auditor_finds_the_record_by_reference(service: Service) -> None:
    child, _ = service.eligible_pair()
    coordinator, auditor = service.as_(Role.COORDINATOR), service.as_(Role.AUDITOR)
    reference = coordinator.get(f"/children/{child}", headers=HTML).text.partition("<title>Child ")[2].split()[0]
    page = coordinator.get(f"/children/{child}/readers", headers=HTML).text
    assert "coordinator of north" in page
    assert "Opened the record" in page
    with service.database.read(service.north) as session:
        others = {*Repository(session, service.keys).references().values()} - {reference}
    sought = {"reference": reference.lower(), "kind": "read"}  # the filters are kept with it
    found = " ".join(auditor.post("/log/find", data=sought, headers=HTML).text.split())
    assert f"Only what was done to or with record {reference.lower()} ({child})" in found
    assert f">{reference.lower()} ({child})</a>" in found
    assert '<option value="read" selected>' in found
    assert reference not in auditor.get(f"/log?subject={child}&days=0", headers=HTML).text  # who never typed it
    assert not [other for other in others if re.search(rf"\b{other}\b", found)]  # who reads the log is shown ids
    assert "There is no record “nobody”" in auditor.post("/log/find", data={"reference": "nobody"}, headers=HTML).text


def test_whom_a_volunteer_could_visit(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    child, volunteer = service.eligible_pair()
    browser, path = service.as_(Role.COORDINATOR), f"/volunteers/{volunteer}/shortlist"
    page = browser.get(path, headers=HTML).text
    assert f"/children/{child}/shortlist" in page
    could = page.count("/shortlist?rank=fit")
    monkeypatch.setattr(volunteers, "WHOM", 1)
    page = browser.get(path, headers=HTML).text
    assert page.count("/shortlist?rank=fit") == 1
    assert f"Show all {could}" in page
    assert browser.get(f"{path}?everybody=yes", headers=HTML).text.count("/shortlist?rank=fit") == could > 1
    monkeypatch.setattr(volunteers, "LONG", 1)
    pages = [browser.get(f"{path}?everybody=yes&page={n + 1}", headers=HTML).text for n in range(could)]
    found = [re.findall(r"/children/(\w+)/shortlist\?rank=fit", page) for page in pages]
    assert [len(one) for one in found] == [1] * could
    assert len({one[0] for one in found}) == could


def test_the_workbook_of_a_shortlist_holds_no_formula(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        Repository(session, service.keys).volunteer(volunteer).reference = '=HYPERLINK("http://elsewhere.example")'
    answer = service.as_(Role.COORDINATOR).get(f"/children/{child}/shortlist.xlsx?rank=fit")
    assert answer.status_code == 200
    assert child not in answer.headers["content-disposition"]
    rows = CalamineWorkbook.from_filelike(BytesIO(answer.content)).get_sheet_by_name("Shortlist").to_python()
    assert rows[1][2] == '\'=HYPERLINK("http://elsewhere.example")'
    assert b"<f>" not in answer.content


def test_what_is_missing_is_told_with_the_rule_that_waits_for_it(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    page = browser.post(
        "/volunteers/new", data={"reference": "V9002", "agreement_signed_on": "01/10/2026"}, headers=HTML
    )
    with service.database.write(service.north) as session:  # as a file may have it
        rows = Repository(session, service.keys)
        row = rows.volunteer(page.url.path.rpartition("/")[2])
        rows.write_volunteer(row, replace(rows.volunteer_record(row), status=Status.APPROVED))
    shown = browser.get(page.url.path, headers=HTML).text
    assert "Not recorded, and matching needs it" in shown
    assert "DBS checked on" in shown
    assert "DBS current" in shown  # the rule that waits
    assert ", column" not in shown.partition("<main")[2]
    links = set(re.findall(rf'href="({page.url.path}/change/\w+)#(\w+)"', shown))
    assert len(links) > 5
    assert any(column == "dbs_checked_on" for _, column in links)
    for form, column in links:  # each leads to its field
        assert f'id="{column}"' in browser.get(form, headers=HTML).text, column
    assert forms.fill_in("children", "funding_agreed", manager=True) == "change/referral#funding_agreed"
    assert not forms.fill_in("children", "funding_agreed", manager=False)  # they have no field for it
    assert not re.search(r"\b(dbs|mot)\b", re.sub(r"<[^>]*>", "", shown))
