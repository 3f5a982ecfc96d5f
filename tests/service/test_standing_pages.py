"""Where a volunteer stands, as the pages change it and say what is missing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

from browser import Site
from conftest import Service
from page_reading import HTML, fields_of

from matcher.records import Status
from service.pages import forms
from service.permissions import Role
from service.proposals import Chosen, propose
from service.reasons import LADO
from service.repository import Repository
from service.standing import REASONS_OF


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
    sent |= {"status": "approved", "reason-approved": "investigation closed", "found": "Nothing."}
    assert browser.post(page, data=sent, headers=HTML).status_code == 403
    assert service.as_(Role.MANAGER).post(page, data=sent, headers=HTML).status_code == 200


def test_whoever_raises_a_concern_by_the_form_is_told_whom_to_tell(service: Service) -> None:
    _, volunteer = service.eligible_pair()
    browser, page = service.as_(Role.MANAGER), f"/volunteers/{volunteer}/status"

    def said(status: str, reason: str, found: str = "") -> str:
        version = fields_of(browser.get(page, headers=HTML).text)["version"]
        sent = {"version": version, "status": status, f"reason-{status}": reason, "found": found}
        return browser.post(page, data=sent, headers=HTML).text

    assert "Kith sends no message" not in said("suspended", "check lapsed")
    assert "Saved." in said("approved", "checks complete")
    assert f"Of a concern or a complaint: t{LADO[1:]}" in browser.get(page, headers=HTML).text
    told = said("suspended", "concern raised")
    assert LADO in told
    assert LADO in browser.get(f"/volunteers/{volunteer}", headers=HTML).text  # as long as it stands
    assert "is suspended, and visits nobody.</strong> Tell a manager" in told
    assert "Kith sends no message" in told
    assert "Kith sends no message" not in said("resigned", "own wish")  # which raises none, and answers none
    told = said("approved", "investigation closed", "Nothing.")
    assert "Kith sends no message" not in told
    assert LADO not in told


def test_a_standing_opens_its_own_reasons_and_approve_has_its_answer_already(site: Site) -> None:
    page = site.page(script=False)
    page.goto(f"{site.at}/volunteers/{site.choice[1][0]}/status?status=suspended")

    def shown() -> set[str | None]:
        return {one.get_attribute("value") for one in page.locator("input[name^=reason]").all() if one.is_visible()}

    assert shown() == set(REASONS_OF[Status.SUSPENDED])
    page.check("input[value=resigned]")
    assert shown() == set(REASONS_OF[Status.RESIGNED])


def test_where_nobody_is_recorded_yet_each_page_leads_to_the_first(service: Service) -> None:
    for where, nobody in (("south", True), ("north", False)):
        browser = service.as_(Role.COORDINATOR, where)
        today, children, volunteers = (browser.get(at, headers=HTML).text for at in ("/", "/children", "/volunteers"))
        for page, told in (
            (today, "Nobody is here yet"), (children, "No child is recorded yet."),
            (volunteers, "No volunteer is recorded yet."),
        ):  # fmt: skip
            main = page.partition("<main")[2].partition("</main>")[0]
            assert (told in main) is nobody, told
            assert ('href="/imports">Import the spreadsheets that you have</a>' in main) is nobody, told
        assert today.count("No child is ready and waiting.") == 2 * nobody
        assert ("Begin with a child who waits" in today) is not nobody


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


def test_a_check_that_is_not_in_order_leads_to_its_field(service: Service) -> None:
    """Where they stand has its button."""
    _, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.volunteer(volunteer)
        facts = replace(rows.volunteer_record(row), references_accepted=0, dbs_checked_on=date(2001, 1, 1))
        rows.write_volunteer(row, facts)
    browser = service.as_(Role.COORDINATOR)
    page = browser.get(f"/volunteers/{volunteer}", headers=HTML).text
    wrong = re.findall(r'kith-check--no">(.*?)</li>', page, re.S)
    links = [re.findall(rf'href="/volunteers/{volunteer}/(change/checks)#(\w+)">Change “', one) for one in wrong]
    assert all(len(one) == 1 for one in links), links
    form = browser.get(f"/volunteers/{volunteer}/change/checks", headers=HTML).text
    assert all(f'id="{field}"' in form for ((_, field),) in links)
    assert {"dbs_checked_on", "references_accepted"} <= {field for ((_, field),) in links}
    suspended = {"version": fields_of(browser.get(f"/volunteers/{volunteer}/status", headers=HTML).text)["version"],
                 "status": "suspended", "reason-suspended": "concern raised"}  # fmt: skip
    browser.post(f"/volunteers/{volunteer}/status", data=suspended, headers=HTML)
    page = browser.get(f"/volunteers/{volunteer}", headers=HTML).text
    (stands,) = [one for one in re.findall(r'kith-check--no">(.*?)</li>', page, re.S) if "suspended" in one]
    assert "Change “" not in stands
