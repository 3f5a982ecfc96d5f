"""The lists of people and a person's page: what stands in the way is told first, and all of it; who is nearly found."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from conftest import Service
from page_reading import HTML
from service_rows import in_order
from sqlalchemy import select
from test_page_orders import rows_of

from matcher.instance import today
from matcher.records import Agreement, Status
from service.database import tables
from service.pages.labels import label
from service.permissions import Role
from service.repository import Repository

NORTH, WEST = "E06000061", "E06000062"
OFFER = {
    "home": "NN4", "languages": "English", "travel_limit_miles": "20", "commitment_until": "31/12/2099",
    "connected_authorities": "none", "organisations": "none", "known_children": "none",
}  # fmt: skip
"""What matching needs of a volunteer besides the checks, in the words of a form."""


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def line_of(service: Service, reference: str, show: str = "everybody") -> str:
    page = service.as_(Role.COORDINATOR).get(f"/volunteers?show={show}", headers=HTML).text
    return next((line["Status"] for line in rows_of(page) if line["who"] == reference), "")


def test_free_is_who_could_be_proposed_today_and_of_anybody_else_it_is_said_why_not(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    whole = {**in_order(), **OFFER, "ethnicity": "WBRI", "religion": "none", "gender": "female", "has_dog": "no",
             "needs_accepted": "none", "needs_trained": "none"}  # fmt: skip
    for reference, missing in (("V-901", set(whole)), ("V-902", {"home", "languages"}), ("V-903", set())):
        sent = {name: text for name, text in whole.items() if name not in missing}
        if reference == "V-903":
            sent["date_of_birth"] = "02/05/1980"  # or V-902 might be the same
        made = browser.post("/volunteers/new", data={"reference": reference, **sent}, headers=HTML)
        assert made.status_code == 200, made.text
    assert line_of(service, "V-901").startswith("Applicant 1")
    assert line_of(service, "V-901").endswith(" facts missing")
    assert line_of(service, "V-902") == "Applicant 2 facts missing"
    assert line_of(service, "V-903") == "Applicant"
    free_before = browser.get("/", headers=HTML).text
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        for reference in ("V-902", "V-903"):
            row = session.scalars(select(tables.Volunteer).where(tables.Volunteer.reference == reference)).one()
            rows.write_volunteer(row, replace(rows.volunteer_record(row), status=Status.APPROVED))
    assert line_of(service, "V-902") == "Not ready not recorded: Lives in and 1 more"
    assert (line_of(service, "V-902", "free"), line_of(service, "V-903", "free")) == ("", "Free")
    number = re.compile(r"<b>(\d+)</b> volunteers free")
    before, now = (number.search(page) for page in (free_before, browser.get("/", headers=HTML).text))
    assert before is not None
    assert now is not None
    assert int(now[1]) == int(before[1]) + 1


def test_all_that_is_missing_of_somebody_is_told_at_once(service: Service) -> None:
    """Also of who is to be approved, or asked, first: nobody fills in one list to be given another."""
    browser = service.as_(Role.COORDINATOR)
    page = browser.post("/volunteers/new", data={"reference": "V-901", **in_order()}, headers=HTML).text
    told = page.partition("Not recorded, and matching needs it")[2].partition("</ul>")[0]
    assert {*re.findall(r"<strong>([^<]*)</strong>", told)} == {label("volunteers", one) for one in OFFER}
    sent = {"reference": "C-901", "date_of_birth": "01/05/2014", "looked_after": "yes"}
    page = browser.post("/children/new", data=sent, headers=HTML).text
    links = {*re.findall(r'href="/children/C\w+/(?:change/\w+|siblings)#(\w+)"', page)}
    assert links >= {"agrees", "referred_on", "safeguarding_issue", "placement", "languages", "siblings", "provider"}
    told = page.partition("Not recorded, and matching needs it")[2].partition("</ul>")[0]
    assert "Referred on" not in told  # which stands above, with its rule


def test_nothing_is_asked_for_of_a_child_who_said_no_nor_of_who_is_suspended(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.child(child)
        rows.write_child(row, replace(rows.child_record(row, True), agrees=Agreement.NO, languages=None))
        one = rows.volunteer(volunteer)
        rows.write_volunteer(one, replace(rows.volunteer_record(one), status=Status.SUSPENDED, languages=None))
    browser = service.as_(Role.COORDINATOR)
    for page in (f"/children/{child}", f"/volunteers/{volunteer}"):
        assert "Not recorded, and" not in browser.get(page, headers=HTML).text


def test_a_household_that_is_not_recorded_is_no_household_without_another_volunteer(service: Service) -> None:
    _, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.volunteer(volunteer)
        rows.write_volunteer(row, replace(rows.volunteer_record(row), household=None))
    page = service.as_(Role.COORDINATOR).get(f"/volunteers/{volunteer}", headers=HTML).text
    told = re.search(r"<dt>Household of volunteers</dt><dd[^>]*>([^<]*)</dd>", page)
    assert told is not None
    assert told[1] == "Not recorded"


@pytest.mark.parametrize(("side", "letter", "word"), [("children", "C", "child"), ("volunteers", "V", "volunteer")])
def test_a_reference_in_another_spelling_offers_who_may_be_meant(
    service: Service, side: str, letter: str, word: str
) -> None:
    browser = service.as_(Role.COORDINATOR)
    kind = tables.Child if letter == "C" else tables.Volunteer
    with service.database.read(service.north) as session:
        id = session.scalars(select(kind.id).where(kind.reference == f"{letter}0003")).one()
    for typed in (f"{letter.lower()}3", f" {letter}-03 ", f"{letter} 000 3"):
        page = browser.post(f"/{side}/find", data={"reference": typed}, headers=HTML).text
        assert f'Did you mean <a class="govuk-link" href="/{side}/{id}">{letter}0003</a>?' in page
        assert f"There is no {word} “{typed.strip()}”" in page.replace(f"“{typed}”", f"“{typed.strip()}”")
    for typed in ("3", f"{letter}9003", f"{'V' if letter == 'C' else 'C'}3", "", " "):
        page = browser.post(f"/{side}/find", data={"reference": typed}, headers=HTML).text
        assert "Did you mean" not in page
        assert "Check the reference" in page
    page = service.as_(Role.COORDINATOR, "south").post(f"/{side}/find", data={"reference": f"{letter}3"}, headers=HTML)
    assert "Did you mean" not in page.text


def test_a_child_who_is_offered_was_read_of(service: Service) -> None:
    service.as_(Role.COORDINATOR).post("/children/find", data={"reference": "c3"}, headers=HTML)
    with service.database.read(service.north) as session:
        child = session.scalars(select(tables.Child.id).where(tables.Child.reference == "C0003")).one()
        events = session.scalars(select(tables.AuditEvent).order_by(tables.AuditEvent.number.desc()).limit(1)).all()
        assert [one.details.get("children") for one in events] == [[child]]


def test_who_is_suspended_and_who_has_gone_have_lists_of_their_own(service: Service) -> None:
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        some = session.scalars(select(tables.Volunteer).order_by(tables.Volunteer.reference)).all()
        stands = (Status.SUSPENDED, Status.WITHDRAWN, Status.RESIGNED, Status.APPLICANT)
        for row, status in zip(some, stands, strict=False):
            rows.write_volunteer(row, replace(rows.volunteer_record(row), status=status))
        session.flush()
        status_of = {row.reference: row.status for row in some}
    browser = service.as_(Role.COORDINATOR)
    for show, statuses in (("suspended", {"suspended"}), ("gone", {"withdrawn", "resigned"})):
        page = browser.get(f"/volunteers?show={show}", headers=HTML).text
        shown = {line["who"] for line in rows_of(page)}
        assert shown == {reference for reference, status in status_of.items() if status in statuses}
        count = re.search(rf'href="\?show={show}[^"]*"[^>]*>[^<]*<span>(\d+)</span>', page)
        assert count is not None
        assert int(count[1]) == len(shown) > 0


def test_a_file_to_keep_is_called_by_whom_it_is_of_and_the_day(service: Service) -> None:
    child, _ = service.eligible_pair()
    with service.database.read(service.north) as session:
        reference = Repository(session, service.keys).child(child).reference
    files = {
        f"/children/{child}/shortlist.xlsx?rank=fit": f"shortlist-{reference}-{today()}.xlsx",
        "/reports/waits/xlsx": f"kith-waits-{today()}.xlsx",
        "/imports/templates/all": "all.xlsx",  # holds nobody
    }
    for address, name in files.items():
        answer = service.as_(Role.COORDINATOR).get(address)
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    answer = service.as_(Role.ANALYST).get("/api/v1/decisions")
    assert answer.headers["content-disposition"] == f'attachment; filename="decisions-{today()}.zip"'


def test_a_reference_that_no_file_can_be_called_by_is_plain_in_its_name(service: Service) -> None:
    child, _ = service.eligible_pair()
    with service.database.write(service.north) as session:
        session.get_one(tables.Child, child).reference = "CF/01 “é”\\..\\7"
    answer = service.as_(Role.COORDINATOR).get(f"/children/{child}/shortlist.xlsx?rank=fit")
    assert answer.headers["content-disposition"] == f'attachment; filename="shortlist-CF-01-7-{today()}.xlsx"'


@pytest.mark.parametrize(("said", "word"), [(True, "yes"), (False, "no"), (None, "not recorded")])
def test_what_a_pair_costs_is_told_with_how_it_is_reckoned_and_who_agreed_to_pay(
    service: Service, said: bool | None, word: str
) -> None:
    """Under a policy that asks for neither: who proposes is to see a no, and no cost passes for one that was agreed."""
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.child(child)
        record = rows.child_record(row, True)
        assert record.placement is not None
        away = replace(record, responsible_authority=NORTH, placement_council=record.placement.council or WEST)
        assert away.placement_council != NORTH
        rows.write_child(row, replace(away, funding_agreed=said, manager_approved=True))
        session.flush()
        for budget in session.scalars(select(tables.Budget)):
            budget.budget_pence = budget.spent_pence + 10**6
        visits = rows.policy()[1].number("constraints.out_of_county_budget.visits_a_year")
    browser, agreed = service.as_(Role.COORDINATOR), f"Funding agreed: {word}; approved by a manager: yes."
    page = plain(browser.get(f"/children/{child}/shortlist?rank=fit", headers=HTML).text)
    told = re.search(rf"£[\d.,]+ a year, reckoned with {visits} visits a year of about [^£]*£[\d.,]+ left [^£]*", page)
    assert told is not None
    assert agreed in told[0]
    assert agreed in plain(browser.get(f"/children/{child}/propose/{volunteer}?rank=fit", headers=HTML).text)
    shown = browser.get(f"/api/v1/children/{child}/shortlist?rank_by=fit").json()["shortlist"]
    assert agreed in shown[0]["notes"]["out_of_county_budget"]


def test_a_manager_finds_whom_to_ring_and_how_somebody_is_told_what_is_kept_or_is_erased(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    manager, coordinator = service.as_(Role.MANAGER), service.as_(Role.COORDINATOR)
    assert '"/whom-to-ring"' in manager.get("/children", headers=HTML).text
    assert '"/whom-to-ring"' not in coordinator.get("/children", headers=HTML).text
    for page, api in ((f"/children/{child}", "children"), (f"/volunteers/{volunteer}", "volunteers")):
        told = manager.get(page, headers=HTML).text
        link = re.search(rf'href="(/api/v1/{api}/\w+/export)"', told)
        assert link is not None
        assert manager.get(link[1]).status_code == 200
        assert f"POST {link[1].removesuffix('/export')}/erasure" in told
        assert "/export" not in coordinator.get(page, headers=HTML).text
        assert coordinator.get(link[1]).status_code == 403
