"""The figures of the reports by hand-worked examples, and what is hidden held against somebody who attacks it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from io import BytesIO
from zipfile import ZipFile

import pytest
from browser import HOSTILE, Site, faults
from conftest import Service
from fastapi.testclient import TestClient
from httpx2 import Response
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from sqlalchemy import select

from matcher.instance import today
from matcher.records import Authority, Child, Contact, Gender, Need, Party, Status, Volunteer
from service import reports, retention
from service.database import tables
from service.database.base import utc_now
from service.pages.reports import TABS, _xlsx
from service.permissions import Role
from service.reports import Between, Pence, Percent, Report, ReportedChild, ReportedMatch, ReportedStep, Table, Year
from service.reports import Service as Figures
from service.reports.figures import months_since
from service.repository import Repository

HTML = {"Accept": "text/html"}
NOW = date(2026, 11, 15)


def cells(table: Table) -> dict[str, tuple[object, ...]]:
    return dict(table.rows)


# ---- waits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "months"),
    [
        (date(2026, 8, 15), 3),  # to the day
        (date(2026, 8, 16), 2),  # a day short
        (date(2026, 11, 15), 0),
        (date(2024, 2, 29), 32),  # 2 years and 8 months: to 29 October, and not yet to 29 November
    ],
)
def test_months_are_completed_ones(day: date, months: int) -> None:
    assert months_since(day, NOW) == months


def test_waits_by_band_and_by_who_can_be_matched() -> None:
    def child(id: str, referred: date | None, stands: str, outside: bool = False) -> ReportedChild:
        placed = "E06000062" if outside else "E06000061"
        record = Child(id, referred_on=referred, responsible_authority="E06000061", placement_council=placed)
        return ReportedChild(record, stands)

    figures = Figures(NOW, [
        child("1", date(2026, 8, 16), "waiting"),  # 2 months
        child("2", date(2026, 8, 15), "waiting"),  # 3
        child("3", date(2026, 5, 15), "not ready", outside=True),  # 6
        child("4", date(2025, 11, 15), "proposed"),  # 12
        child("5", date(2024, 11, 15), "waiting"),  # 24
        child("6", None, "not ready"),
        child("7", date(2020, 1, 1), "visited"),  # waits no more
    ])  # fmt: skip
    report = reports.waits(figures)
    bands, authorities = report.tables
    # ready, not ready, under proposal, all
    assert cells(bands) == {
        "Under 3 months": (1, 0, 0, 1), "3 to 6 months": (1, 0, 0, 1), "6 to 12 months": (0, 1, 0, 1),
        "1 to 2 years": (0, 0, 1, 1), "2 years and over": (1, 0, 0, 1), "Not recorded": (0, 1, 0, 1),
        "All": (3, 2, 1, 6),
    }  # fmt: skip
    # 2, 3, 6, 12, 24: the middle one is 6
    assert report.lead == "6 children have no visitor yet. Half of them have waited 6 months or longer."
    assert cells(authorities) == {"North Northamptonshire": (6, 1, 6)}


def test_who_can_have_no_visitor_any_more_is_counted_apart_from_those_who_wait() -> None:
    waits = [ReportedChild(Child(str(at), referred_on=date(2026, 8, 15)), "waiting") for at in range(6)]
    beyond = [ReportedChild(Child(str(at), referred_on=date(2015, 8, 15)), "not ready", beyond=True) for at in (6, 7)]
    report = reports.waits(Figures(NOW, [*waits, *beyond]))
    assert report.lead == (
        "6 children have no visitor yet. Half of them have waited 3 months or longer. "
        "2 more have none, and count apart: care has ended, or they are beyond the age for one."
    )
    told = cells(report.tables[0])
    assert told["2 years and over"] == (0, 0, 0, 0)
    assert told["Care ended, or beyond the age for a visitor"] == (0, 2, 0, 2)
    assert told["All"] == (6, 2, 0, 8)


# ---- matches and endings ---------------------------------------------------------------------------------------------

MATCHES = [
    ReportedMatch("a", "v", date(2026, 3, 31), None, over=False),  # the year before
    ReportedMatch("b", "w", date(2026, 4, 1), None, over=False),
    ReportedMatch("c", "x", date(2026, 4, 30), date(2026, 10, 30), True, Party.VOLUNTEER, "moved away"),  # 6 months
    ReportedMatch("d", "x", date(2025, 12, 1), date(2026, 4, 1), True, Party.CHILD, "boundaries not kept"),  # 4
    ReportedMatch("e", "y", None, date(2026, 5, 1), True, Party.AUTHORITY, "a word of old"),
    ReportedMatch("f", "z", None, None, over=False),
]


def test_matches_month_by_month() -> None:
    months = reports.matches(Figures(NOW, matches=MATCHES), Year(2026)).tables[0]
    rows = cells(months)
    assert list(rows) == ["Before April 2026", "April 2026", "May 2026", "June 2026", "July 2026", "August 2026",
                          "September 2026", "October 2026", "November 2026", "The year"]  # fmt: skip
    # April: b and c began, d ended; at its end a, b, c, e and f. May: e ended. October: c ended.
    assert rows["April 2026"] == (2, 1, 5)
    assert rows["May 2026"] == (0, 1, 4)
    assert rows["October 2026"] == (0, 1, 3)
    assert "2 matches have no beginning on record, and went on from the first." in months.note
    report = reports.matches(Figures(NOW, matches=MATCHES), Year(2025))
    assert report.lead.startswith("2 children were given a visitor")  # a and d
    assert len(report.tables[0].rows) == 14


DAYS = st.none() | st.dates(date(2025, 3, 1), NOW)


@settings(deadline=None)
@given(st.lists(st.tuples(DAYS, DAYS, st.booleans(), st.booleans()), max_size=8))
def test_months_and_the_year_add_up(given_: list[tuple[date | None, date | None, bool, bool]]) -> None:
    """Who is visited at the end is who was before, and who began, less who ended; in every report the same number."""
    matches = []
    for number, (first, last, over, unbegun) in enumerate(given_):
        last = last if over and (first is None or last is None or last >= first) else None
        matches.append(ReportedMatch(str(number), "v", first, last, over, unbegun=unbegun and first is None))
    figures = Figures(NOW, matches=matches)
    for year in (Year(2025), Year(2026)):
        (_, before), *months, (_, whole) = reports.matches(figures, year).tables[0].rows
        live = before[2]
        for _, (began, ended, after) in months:
            assert after == live + began - ended  # type: ignore[operator]
            live = after
        sums = tuple(sum(cells[at] for _, cells in months) for at in (0, 1))  # type: ignore[misc]
        assert whole == (*sums, live)
        appointed = [one for _, (one, *_) in reports.yearly(figures, year).tables[0].rows]
        assert appointed[:4] == [before[2], *sums, live]
    (_, first_year), (_, second_year) = (reports.matches(figures, Year(one)).tables[0].rows[at]
                                         for one, at in ((2025, -1), (2026, 0)))  # fmt: skip
    assert first_year[2] == second_year[2]


def test_an_appointment_without_a_visit_yet_is_told_apart_from_a_match_of_old() -> None:
    appointed = ReportedMatch("a", "v", None, None, over=False, unbegun=True)
    never = ReportedMatch("b", "w", None, date(2026, 9, 1), over=True, unbegun=True)
    figures = Figures(NOW, matches=[appointed, never, ReportedMatch("c", "x", None, None, over=False)])
    months = reports.matches(figures, Year(2026)).tables[0]
    assert {cells for _, cells in months.rows} == {(None, None, 1), (0, 0, 1)}
    assert "One match is appointed, and the first visit is yet to come." in months.note
    assert "One match ended before a first visit: only the report of endings has them." in months.note
    assert cells(reports.endings(figures, Year(2026)).tables[1])["Ended before a first visit"] == (1,)


def test_endings_by_reason_and_by_whom() -> None:
    why, how_long = reports.endings(Figures(NOW, matches=MATCHES), Year(2026)).tables
    # by the child, by the volunteer, as planned, by others, all
    assert cells(why) == {
        "Moved away": (0, 1, 0, 0, 1), "Boundaries were not kept": (1, 0, 0, 0, 1), "Not recorded": (0, 0, 0, 1, 1),
        "All": (1, 1, 0, 1, 3),
    }  # fmt: skip
    assert cells(how_long) == {"Under 6 months": (1,), "6 to 12 months": (1,), "1 to 2 years": (0,),
                               "2 years and over": (0,), "Not recorded": (1,), "All": (3,)}  # fmt: skip


def test_years_run_from_april_and_begin_with_the_first_thing_known() -> None:
    assert (Year.of(date(2026, 3, 31)), Year.of(date(2026, 4, 1))) == (Year(2025), Year(2026))
    assert reports.years(Figures(NOW, matches=MATCHES)) == [Year(2026), Year(2025)]
    assert reports.years(Figures(NOW)) == [Year(2026)]
    early = ReportedMatch("C1", "V1", date(2023, 3, 31), None, False)
    assert reports.years(Figures(NOW, matches=[early])) == [Year(first) for first in (2026, 2025, 2024, 2023, 2022)]


def test_a_year_without_endings_says_that_others_had_some() -> None:
    over = ReportedMatch("C1", "V1", date(2022, 1, 1), date(2024, 1, 1), True)
    service = Figures(NOW, matches=[over])
    assert "In the years before there was one" in reports.endings(service, Year.of(NOW)).lead
    assert "years before" not in reports.endings(service, Year(2023)).lead


def test_spending_beside_the_budget() -> None:
    budgets = [Authority("E06000061", 100_000, 25_000), Authority("E06000062", 50_000, 60_000)]
    report = reports.spend(Figures(NOW, budgets=budgets))
    assert cells(report.tables[0]) == {
        "North Northamptonshire": (Pence(100_000), Pence(25_000), Pence(75_000), Percent(25)),
        "West Northamptonshire": (Pence(50_000), Pence(60_000), Pence(-10_000), Percent(120)),
        "All": (Pence(150_000), Pence(85_000), Pence(65_000), Percent(57)),
    }
    assert "One authority has spent more than the budget." in report.lead
    unknown = reports.spend(Figures(NOW, budgets=[Authority("E06000061", None, 5)]))
    assert cells(unknown.tables[0]) == {"North Northamptonshire": (None, Pence(5), None, None)}


# ---- what is hidden --------------------------------------------------------------------------------------------------


def test_equality_by_group_tells_small_groups_as_few_and_not_their_waits() -> None:
    def children(number: int, ethnicity: str | None, stands: str, referred: date) -> list[ReportedChild]:
        one = Child("", ethnicity=ethnicity, referred_on=referred, gender=Gender.FEMALE, additional_needs=())
        return [ReportedChild(replace(one, id=f"{ethnicity}{stands}{n}"), stands) for n in range(number)]

    figures = Figures(NOW, [
        *children(9, "WBRI", "waiting", date(2026, 1, 15)),  # 10 months
        *children(6, "WBRI", "visited", date(2025, 1, 1)),
        *children(8, "BCRB", "not ready", date(2026, 5, 15)),  # 6 months
        *children(6, "BCRB", "visited", date(2025, 1, 1)),
        *children(7, "AIND", "waiting", date(2026, 8, 15)),
        *children(3, "AIND", "visited", date(2025, 1, 1)),
    ])  # fmt: skip
    report = reports.equality(figures)
    by_ethnicity = cells(report.tables[0])
    # 3 is small, and 10 - 7 tells it: 7 goes too. Of the other rows the cheapest to go along are 8 and 6.
    assert by_ethnicity["White"] == (9, 6, 15, 10)
    assert by_ethnicity["Asian or Asian British"] == (Between(6, 9), Between(1, 4), 10, 3)
    assert by_ethnicity["Black or Black British"] == (Between(6, 9), Between(5, 8), 14, 6)
    assert by_ethnicity["Not recorded"] == (0, 0, 0, None)
    assert by_ethnicity["All"] == (24, 15, 39, None)
    by_need = cells(next(one for one in report.tables if "additional need" in one.title))
    assert by_need["No"] == (24, 15, 39, 6)  # half of 9 x 10, 8 x 6 and 7 x 3 months: the 12th and 13th are 6
    tiny = reports.equality(Figures(NOW, children(3, "WBRI", "waiting", NOW)))
    assert tiny.tables[0].rows == ()
    assert "so small" in tiny.tables[0].note
    assert reports.equality(Figures(NOW)).tables[0].note == "There is nobody to count."


def test_nothing_around_the_tables_tells_a_number_that_they_hide() -> None:
    """The attack above knows the tables alone, so words must not depend on the figures."""
    alone = [ReportedChild(Child(f"alone{n}"), "visited") for n in range(7)]
    known = [ReportedChild(Child(f"c{n}", ethnicity="WBRI"), "waiting" if n < 9 else "visited") for n in range(18)]
    unknown = [ReportedChild(Child(f"u{n}", referred_on=NOW), "waiting") for n in range(2)]
    report = reports.equality(Figures(NOW, [*alone, *known, *unknown]))
    assert Between(1, 4) in cells(report.tables[0])["Not recorded"]
    assert report.lead == reports.equality(Figures(NOW)).lead
    assert {(one.lead, one.note) for one in report.tables if one.rows} == {("", "")}


def test_volunteers_are_counted_who_are_approved_or_visit() -> None:
    people = [(Volunteer(str(n), status=Status.APPROVED, gender=Gender.MALE), n < 6) for n in range(12)]
    people += [(Volunteer("gone", status=Status.RESIGNED, gender=Gender.MALE), False)]
    tables = {one.title: one for one in reports.equality(Figures(NOW, volunteers=people)).tables}
    assert cells(tables["Volunteers by sex"])["Male"] == (6, 6, 12)


# ---- the year --------------------------------------------------------------------------------------------------------


def test_the_report_of_the_year() -> None:
    facts = {
        "parental_contact": Contact.NONE, "last_parental_visit": date(2024, 4, 1), "placement_type": "Children’s home",
        "responsible_authority": "E06000061", "placement_council": "E06000062", "additional_needs": (Need.AUTISM,),
    }  # fmt: skip
    children = [ReportedChild(Child(f"c{n}", **facts, cannot_go_out_alone=n < 4), "visited") for n in range(12)]
    matches = [ReportedMatch(f"c{n}", f"v{n % 5}", date(2026, 6, 1), None, False) for n in range(12)]
    children.append(ReportedChild(Child("by the match alone"), "visited"))
    matches += [ReportedMatch("by the match alone", "v9", date(2026, 7, 1), None, False), *MATCHES[2:4]]
    steps = [
        ReportedStep(date(2026, 5, 1), "child_declines", "objects to any visitor"),
        ReportedStep(date(2026, 5, 2), "child_declines", "no reason given"),
        ReportedStep(date(2026, 5, 3), "pause", "a concern about the volunteer"),
        ReportedStep(date(2026, 5, 3), "pause", "circumstances"),
        *[ReportedStep(date(2026, 5, 4), "brought_up")] * 5,
        ReportedStep(date(2026, 3, 31), "volunteer_declines", "too far"),  # the year before
    ]  # fmt: skip
    report = reports.yearly(Figures(NOW, children, matches=matches, steps=steps), Year(2026))
    appointed, circumstances, why, disputes = report.tables
    # Before: d. Began: twelve children, one known by the match alone, and c of MATCHES. c and d ended.
    # Volunteers: v0 to v4, v9 and x.
    assert [one for _, (one, _) in appointed.rows] == [1, 14, 2, 13, 14, 7, 0]
    # The year before: d began, and nothing ended.
    assert appointed.headings == ("", "In the year so far", "In the year before")
    assert [before for _, (_, before) in appointed.rows] == [0, 1, 0, 1, 1, 1, 0]
    assert "The year goes on: its figures are those up to 15 November 2026." in report.lead
    assert "No child waits for a visitor." in report.lead
    over = reports.yearly(Figures(NOW, children, matches=matches, steps=steps), Year(2025))
    assert over.tables[0].headings == ("", "In the year")  # nothing is known of the one before
    assert not [one for one in ("goes on", "waits") if one in over.lead]  # as it stands today
    told = cells(circumstances)
    assert told["No or infrequent contact with parents"] == (Between(10, 13),)  # 12 of 14
    assert told["Not visited by a parent in the twelve months before"] == (Between(10, 13),)
    assert told["Placed outside the responsible authority"] == (Between(10, 13),)
    assert told["In residential care"] == (Between(10, 13),)
    assert told["Unable to go out alone, or to build relationships"] == (Between(1, 4),)  # 4
    assert told["Unaccompanied"] == (0,)
    assert circumstances.note == (
        "A child may count in several lines. Of some children Kith has the match alone: their circumstances are not "
        "recorded here."
    )
    assert [one for _, one in why.rows] == []  # one each of two that ended, as is known from other figures
    assert "so small" in why.note
    few = Between(1, 4)
    assert cells(disputes) == {
        "A child said no to any visitor at all": (few, 0),
        "A child said no, not feeling safe with the visitor proposed": (0, 0),
        "A child said no to the visitor proposed, otherwise": (few, 0),
        "A volunteer said no": (0, few),
        "A social worker said no for a concern about the volunteer": (0, 0),
        "A social worker said no otherwise": (0, 0),
        "Visits were paused for a concern about the volunteer": (few, 0),
        "Visits were paused for a concern about the child": (0, 0),
        "Past visits or meetings of which the child was to be asked, after a concern": (5, 0),
        "A child who was asked of past visits or a meeting told nothing of concern": (0, 0),
        "A child who was asked of past visits or a meeting told something of concern": (0, 0),
    }
    assert [section.title for section in report.to_write] == [
        "What children and young people say", "What volunteers say", "What we recommend",
    ]  # fmt: skip
    written = reports.yearly(Figures(NOW, children), Year(2026), {"recommended": "More men."}).to_write
    assert [section.text for section in written] == ["", "", "More men."]


# ---- the pages -------------------------------------------------------------------------------------------------------


def test_an_analyst_reads_figures_and_no_child(service: Service) -> None:
    browser = service.as_(Role.ANALYST)
    with service.database.read(service.north) as session:
        named = [*session.scalars(select(tables.Child.reference)), *session.scalars(select(tables.Volunteer.reference))]
        named += [*session.scalars(select(tables.Child.id)), *session.scalars(select(tables.Volunteer.id))]
    for name, title in TABS:
        page = browser.get(f"/reports/{name}").text
        assert f">{title}</a>" in page
        assert [one for one in named if f"{one}<" in page or f"/{one}" in page] == []
    for role in (Role.AUDITOR, Role.ADMINISTRATOR):
        assert service.as_(role).get("/reports").status_code == 403


def test_what_is_downloaded_is_what_the_page_tells(service: Service) -> None:
    browser = service.as_(Role.MANAGER)
    with service.database.read(service.north) as session:
        children = len(session.scalars(select(tables.Child.id).where(tables.Child.referral)).all())
    for name, _ in TABS:
        answer = browser.get(f"/reports/{name}/xlsx?year=2026")
        assert f'filename="kith-{name}' in answer.headers["content-disposition"]
        book = CalamineWorkbook.from_filelike(BytesIO(answer.content))
        assert book.sheet_names[0] == "About"
        page = browser.get(f"/reports/{name}?year=2026").text
        assert len(book.sheet_names) == 1 + page.count("<table") + page.count("kith-write")
    waits = CalamineWorkbook.from_filelike(BytesIO(browser.get("/reports/waits/xlsx").content))
    name, *numbers = waits.get_sheet_by_name("How long children have waited").to_python()[-1]
    assert (name, numbers[-1], sum(numbers[:-1])) == ("All", children, children)
    page = browser.get("/reports").text
    told = re.search(r"(\w+) child\w* ha\w+ no visitor yet", page), re.search(r"(\w+) more ha\w+ none", page)
    assert sum(1 if one[1] == "One" else int(one[1]) for one in told if one) == children
    assert "No child waits for a visitor." in service.as_(Role.MANAGER, "south").get("/reports").text


def xml(content: bytes, part: str) -> str:
    return ZipFile(BytesIO(content)).read(f"xl/{part}").decode()


def test_a_workbook_says_whose_it_is_what_and_of_when_and_prints_so(service: Service) -> None:
    browser = service.as_(Role.MANAGER)
    content = browser.get("/reports/matches/xlsx?year=2026").content
    assert content == browser.get("/reports/matches/xlsx?year=2026").content
    about = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_name("About").to_python()
    with service.database.read() as session:
        authority = session.get(tables.Authority, service.north)
        assert authority is not None
    assert about[1:5] == [
        ["Authority", authority.name], ["Report", "Matches made"], ["Period", Year.of(today()).title],
        ["As of", today()],
    ]  # fmt: skip
    for sheet in ("sheet1.xml", "sheet2.xml"):
        printed = xml(content, f"worksheets/{sheet}")
        assert 'orientation="landscape"' in printed
        assert '<pageSetUpPr fitToPage="1"/>' in printed
        assert f"<oddHeader>&amp;L{authority.name}: Matches made, as of" in printed
        assert 'topLeftCell="B2"' in printed  # the heading and the first column stay
    assert "_xlnm.Print_Titles" in xml(content, "workbook.xml")
    assert ["Policy", "Version 1: it says who is ready"] in [
        row[:2] for row in CalamineWorkbook.from_filelike(BytesIO(browser.get("/reports/waits/xlsx").content))
        .get_sheet_by_name("About").to_python()
    ]  # fmt: skip


def test_a_workbook_says_that_small_numbers_are_told_as_ranges() -> None:
    def book(report: Report) -> list[list[object]]:
        content = _xlsx(report, [("Authority", "R & D council"), ("As of", NOW)], NOW)
        assert "R &amp;&amp; D council" in xml(content, "worksheets/sheet1.xml")
        return CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_name("About").to_python()

    def report(*cells: reports.Cell) -> Report:
        return Report("A report", "", (Table("One", ("", "Number"), tuple((str(one), (one,)) for one in cells)),))

    assert "Small numbers" in [row[0] for row in book(report(Between(1, 4), 12))]
    assert "Small numbers" not in [row[0] for row in book(report(5, 12))]


WORDS = {
    "children": "“He comes when he says he does.”\n\nMost would like longer visits.",
    "recommended": "Recruit drivers.",
}


def write_year(browser: TestClient, **changed: str) -> Response:
    version = re.search(r'name="version" value="(\d+)"', browser.get("/reports/year/words").text)
    assert version is not None
    form = {"version": version[1], **WORDS, **changed}
    return browser.post("/reports/year/words", data=form, headers=HTML)


def sections_of(browser: TestClient) -> dict[str, str]:
    """What the report says under each heading that a person writes."""
    page = browser.get("/reports/year", headers=HTML).text
    return dict(re.findall(r'kith-write"><h2 class="govuk-heading-m">([^<]*)</h2>(.*?)</section>', page, re.S))


def worksheet(browser: TestClient, name: str) -> list[list[object]]:
    content = browser.get("/reports/year/xlsx").content
    return CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_name(name).to_python()


def test_what_a_manager_writes_of_the_year_is_printed_and_in_the_workbook(service: Service) -> None:
    manager, analyst = service.as_(Role.MANAGER), service.as_(Role.ANALYST)
    assert "kith-lines" in sections_of(manager)["What children and young people say"]
    assert "It stands in the last three sections" in write_year(manager).text
    for browser in (manager, service.as_(Role.COORDINATOR)):
        told = sections_of(browser)
        assert WORDS["children"] in told["What children and young people say"]
        assert "kith-lines" not in told["What we recommend"]
        assert "kith-lines" in told["What volunteers say"]  # nothing was written: there are lines to write on
    children = worksheet(manager, "What children and young people say"[:31])
    assert [row[0] for row in children[1:]] == [line for line in WORDS["children"].split("\n") if line]
    assert len(worksheet(manager, "What volunteers say")) == 1
    # Words may speak of somebody, whatever they should.
    assert "Recruit drivers" not in analyst.get("/reports/year").text
    assert len(worksheet(analyst, "What we recommend")) == 1
    for role in (Role.COORDINATOR, Role.ANALYST, Role.AUDITOR):
        assert service.as_(role).get("/reports/year/words").status_code == 403
        assert service.as_(role).post("/reports/year/words", data=WORDS).status_code == 403
    assert all("kith-lines" in one for one in sections_of(service.as_(Role.MANAGER, "south")).values())
    with service.database.read(service.north) as session:
        row = session.scalars(select(tables.YearWords)).one()
        assert b"drivers" not in row.content  # sealed
        entry = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.subject == row.id)).one()
    assert entry.details == {"year": Year.of(today()).first, "sections": ["children", "recommended"]}


def test_what_is_emptied_is_gone_and_the_lines_are_there_again(service: Service) -> None:
    manager = service.as_(Role.MANAGER)
    write_year(manager)
    write_year(manager, children="", recommended=" \n ")
    assert all("kith-lines" in one for one in sections_of(manager).values())
    with service.database.read(service.north) as session:
        (row,) = session.scalars(select(tables.YearWords))
        assert Repository(session, service.keys).open(row, "content") == "{}"
    late = manager.post("/reports/year/words", data={"version": "1", "recommended": "Of before."}, headers=HTML)
    assert late.status_code == 409  # whoever opened the form before it was emptied


@pytest.mark.parametrize("other", ["Ask C0001x more.", "12 of 30 said so in 2026."])
def test_no_words_of_the_year_name_anybody_by_reference(service: Service, other: str) -> None:
    manager = service.as_(Role.MANAGER)
    with service.database.write(service.north) as session:
        child, second, third = session.scalars(select(tables.Child).order_by(tables.Child.reference).limit(3)).all()
        child.reference, second.reference, third.reference = "C0001", "12", "2026"
    for text in ("Ask C0001.", "(c0001) said no", "C-0001 said no", "said of C 0001", "c1 would like more"):
        answer = write_year(manager, volunteers=text)
        assert answer.status_code == 422
        assert "“What volunteers say” names C0001, who is in Kith." in answer.text
        assert text in unescape(answer.text)  # what was typed is still there
    assert all("kith-lines" in one for one in sections_of(manager).values())
    assert write_year(manager, volunteers=other).status_code == 200


def test_words_of_the_year_that_are_too_long_or_late_are_kept_on_the_page(service: Service) -> None:
    manager = service.as_(Role.MANAGER)
    long = write_year(manager, children="x" * 10_001)
    assert long.status_code == 422
    assert "has 10,001 characters. Write up to 10,000." in long.text
    assert "x" * 10_001 in long.text
    write_year(manager)
    for version in ("0", "7"):  # who had the page open before anything was written, or before it was changed
        late = manager.post("/reports/year/words", data={"version": version, "recommended": "Wait."}, headers=HTML)
        assert late.status_code == 409
        assert "somebody wrote meanwhile" in late.text
        assert "Wait.</textarea>" in late.text
        assert "Recruit drivers." in late.text  # what is kept now
    assert "Recruit drivers." in sections_of(manager)["What we recommend"]


def test_words_of_the_year_go_by_themselves_after_six_years(service: Service) -> None:
    write_year(service.as_(Role.MANAGER))
    limit = timedelta(days={one.record: one.days for one in retention.RETENTION}["words of a year's report"])
    with service.database.write(service.north) as session:
        rows, row = Repository(session, service.keys), session.scalars(select(tables.YearWords)).one()
        row.at = utc_now() - limit + timedelta(minutes=1)
        session.flush()
        assert retention.sweep(rows, 24) == {}
        row.at = utc_now() - limit - timedelta(minutes=1)
        session.flush()
        assert retention.sweep(rows, 24) == {"words of a year's report": 1}


def test_the_report_of_the_year_is_written_without_script_and_has_no_fault(site: Site) -> None:
    page = site.page(Role.MANAGER, script=False)
    page.goto(f"{site.at}/reports/year")
    page.get_by_role("button", name="Write these sections").click()
    page.get_by_label("What volunteers say").fill(f"{HOSTILE} {'x' * 200}\n\nAnd another.")
    page.get_by_role("button", name="Save").click()
    assert "Saved." in page.inner_text(".kith-saved")
    assert HOSTILE in page.inner_text("main")
    page, found = site.page(Role.MANAGER), []
    for path in ("/reports/year?saved=yes", "/reports/year/words"):
        found += faults(page, f"{site.at}{path}")
        assert page.evaluate("window.ran") is None
    page.fill("#children", "y" * 10_001)
    page.get_by_role("button", name="Save").click()
    assert "Write up to 10,000" in page.inner_text(".govuk-error-summary")
    found += faults(page)
    assert found == []


def test_no_report_has_a_fault_that_axe_finds_nor_is_cut_off(site: Site) -> None:
    page, found = site.page(Role.ANALYST), []
    for name, _ in TABS:
        found += faults(page, f"{site.at}/reports/{name}")
    found += faults(page, f"{site.at}/reports/year?year=2019")  # a year of which nothing is known: this one is shown
    assert found == []


def test_a_report_without_script_and_on_paper(site: Site) -> None:
    page = site.page(Role.MANAGER, script=False)
    page.goto(f"{site.at}/reports")
    page.get_by_role("link", name="Report of the year").click()
    assert page.locator("select#year option").count() >= 1
    page.get_by_role("button", name="Show").click()
    assert "year=" in page.url
    with page.expect_download() as download:
        page.get_by_role("button", name="Download for Excel").click()
    assert download.value.suggested_filename.startswith("kith-year-")
    page.emulate_media(media="print")
    assert not page.get_by_role("button", name="Show").is_visible()
    assert page.get_by_role("heading", name="What we recommend").is_visible()
