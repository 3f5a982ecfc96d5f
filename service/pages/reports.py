"""Reports: figures as tables with bars, to be read, printed and downloaded. Nobody is named, nor can be worked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from matcher import alone
from matcher.records import Authority, Child, Party
from matcher.words import council
from matcher.writing.xlsx import POUNDS, TEXT, WHOLE, Book, Field, Value
from service import reports, year_words
from service.api.deps import Asking, Kith, Reading, may_identify
from service.brought_up import recorded_again
from service.database import tables
from service.pages import budgets
from service.pages.children import standing
from service.pages.html import as_workbook, in_london, render
from service.pages.reckoning import Reckoned, Reckoning
from service.permissions import Permission
from service.reports import (
    HIDDEN,
    SECTIONS,
    Between,
    Pence,
    Percent,
    Report,
    ReportedChild,
    ReportedMatch,
    ReportedStep,
    Service,
    Year,
    years,
)
from service.reports.suppression import FEW
from service.repository import Repository
from service.steps import STANDS
from service.workflow import APPOINTED, State
from service.year_words import WordsError

router = APIRouter(prefix="/reports")

Name = Literal["waits", "matches", "endings", "spending", "equality", "year"]
Written = Mapping[str, str]
MAKE: dict[Name, Callable[[Service, Year, Written], Report]] = {
    "waits": lambda service, *_: reports.waits(service),
    "matches": lambda service, year, _: reports.matches(service, year),
    "endings": lambda service, year, _: reports.endings(service, year),
    "spending": lambda service, *_: reports.spend(service),
    "equality": lambda service, *_: reports.equality(service),
    "year": reports.yearly,
}
OF_A_YEAR: tuple[Name, ...] = ("matches", "endings", "year")
"""Reports of which a person chooses the year; the others tell how things stand."""
TABS: tuple[tuple[Name, str], ...] = (
    ("waits", "Waits"), ("matches", "Matches made"), ("endings", "Endings"), ("spending", "Spending"),
    ("equality", "Equality"), ("year", "Report of the year"),
)  # fmt: skip
Words = Annotated[str, Form(max_length=20 * year_words.MOST)]
"""So much that nothing typed is lost: what is too long is told beside it."""
YearAsked = Annotated[int | None, Query(ge=1990, le=2200)]


@router.get("")
def overview(request: Request, person: Asking, rows: Reading, reckoned: Reckoned) -> Response:
    return _page(request, person, rows, reckoned, "waits", None)


@router.get("/{report}")
def report_page(
    report: Name, request: Request, person: Asking, rows: Reading, reckoned: Reckoned, year: YearAsked = None,
    saved: Annotated[bool, Query()] = False,
) -> Response:  # fmt: skip
    return _page(request, person, rows, reckoned, report, year, saved)


def _page(
    request: Request, person: Asking, rows: Repository, reckoned: Reckoning, report: Name, year: int | None,
    saved: bool = False,
) -> Response:  # fmt: skip
    service = reported(rows, reckoned)
    chosen = _year(service, year)
    written = _written(person, rows, chosen)
    authority = rows.session.get(tables.Authority, person.authority_id)
    return render(
        request, "report.html", person, report=MAKE[report](service, chosen, written), name=report, tabs=TABS,
        year=chosen, saved=saved, told_of=may_identify(person),
        years=years(service) if report in OF_A_YEAR else (), authority=authority.name if authority else "",
        on=service.as_of, hidden=HIDDEN, budgets=_budgets(person, service) if report == "spending" else None,
    )  # fmt: skip


@dataclass(frozen=True)
class Budgets:
    """What a manager may change beside the report of spending."""

    change: Mapping[str, str]
    """Where to change a budget, by the name of the authority."""
    add: Mapping[str, Mapping[str, str]]
    """The councils of which none is recorded, by country and code: England's first, whose law the rules go by."""


def _budgets(person: Asking, service: Service) -> Budgets | None:
    if Permission.APPROVE not in person.may:
        return None
    codes = [one.code for one in service.budgets]
    return Budgets(
        {council(one): f"/reports/budgets/{one}" for one in codes}, budgets.by_country(budgets.without(codes))
    )


@router.get("/{report}/xlsx")
def workbook(
    report: Name, person: Asking, rows: Reading, reckoned: Reckoned, year: YearAsked = None
) -> Response:  # fmt: skip
    service = reported(rows, reckoned)
    chosen = _year(service, year)
    made = MAKE[report](service, chosen, _written(person, rows, chosen))
    authority = rows.session.get(tables.Authority, person.authority_id)
    about: list[tuple[str, Value]] = [
        ("Authority", authority.name if authority else ""), ("Report", made.title),
        *([("Period", chosen.title)] if report in OF_A_YEAR else []), ("As of", service.as_of),
        *([("Policy", f"Version {rows.policy()[0].number}: it says who is ready")] if report == "waits" else []),
    ]  # fmt: skip
    content = _xlsx(made, about, service.as_of)
    of_year = (chosen.first, chosen.first + 1) if report in OF_A_YEAR else ()
    return as_workbook(content, "kith", report, *of_year, service.as_of)


def _year(service: Service, asked: int | None) -> Year:
    return next((one for one in years(service) if one.first == asked), years(service)[0])


# ---- what a person writes --------------------------------------------------------------------------------------------


def _written(person: Asking, rows: Repository, year: Year) -> Written:
    """Words may speak of somebody, whatever they should: they are for those who may know of whom."""
    return year_words.of_year(rows, year) if may_identify(person) else {}


@router.get("/year/words")
def words_page(request: Request, person: Asking, rows: Reading, reckoned: Reckoned, year: YearAsked = None) -> Response:
    return _words_form(request, person, rows, _year(reported(rows, reckoned), year))


@router.post("/year/words")
def write_words(
    request: Request, person: Asking, kith: Kith, reckoned: Reckoned, year: YearAsked = None,
    version: Annotated[int, Form()] = 0, children: Words = "", volunteers: Words = "", recommended: Words = "",
) -> Response:  # fmt: skip
    typed = {"children": children, "volunteers": volunteers, "recommended": recommended}
    error, moved = "", False
    try:
        with kith.database.write(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            chosen = _year(reported(rows, reckoned), year)
            row = year_words.row_of(rows, chosen)
            moved = (row.version if row else 0) != version
            if not moved:
                year_words.write(rows, chosen, typed, user_id=person.user_id)
    except WordsError as refused:
        error = str(refused)
    except (IntegrityError, StaleDataError):  # somebody was quicker, at this very moment
        moved = True
    if not error and not moved:
        return RedirectResponse(f"/reports/year?year={chosen.first}&saved=yes", 303)
    with kith.database.read(person.authority_id) as session:
        return _words_form(request, person, Repository(session, kith.keys), chosen, typed, error, moved)


def _words_form(
    request: Request, person: Asking, rows: Repository, year: Year, typed: Written | None = None, error: str = "",
    moved: bool = False,
) -> Response:  # fmt: skip
    row, kept = year_words.row_of(rows, year), year_words.of_year(rows, year)
    return render(
        request, "report-words.html", person, status=409 if moved else 422 if error else 200, year=year,
        sections=SECTIONS, typed=kept if typed is None else typed, kept=kept, version=row.version if row else 0,
        error=error, moved=moved,
    )  # fmt: skip


def _xlsx(report: Report, about: list[tuple[str, Value]], as_of: date) -> bytes:
    """What is told of it comes first, on a worksheet of its own; whose it is, what and of when is on each page."""
    (_, authority), *_ = about
    kept = ", not to be passed on" if report.kept_to else ""
    book = Book(as_of, f"{authority}: {report.title}, as of {as_of.day} {as_of:%B %Y}{kept}")
    cells = [cell for table in report.tables for _, row in table.rows for cell in row]
    if any(isinstance(cell, Between) for cell in cells):
        about = [*about, ("Small numbers", f"Not told as they are: “{FEW}” is one of these, “56 to 59” likewise.")]
    told = [(one.title, " ".join(filter(None, (one.lead, one.note)))) for one in report.tables]
    lines = [
        *about,
        *([("Who it is for", report.kept_to)] if kept else []),
        ("What it tells", report.lead),
        *(one for one in told if one[1]),
    ]
    book.table("About", (Field("Report", 40), Field("What it tells", 90)), lines)
    for table in (one for one in report.tables if one.rows):
        first, *others = table.headings
        fields = [Field(first or "What", 44)] + [
            Field(heading, 16, _shows([cells[at] for _, cells in table.rows])) for at, heading in enumerate(others)
        ]
        rows = [[name, *map(_value, cells)] for name, cells in table.rows]
        book.table(table.title[:31], fields, rows, total=table.last_is_total)
    for section in report.to_write:
        words = [(line,) for line in section.text.split("\n") if line]
        book.table(section.title[:31], (Field(section.title, 90, TEXT, section.hint),), words)
    return book.content()


def _value(cell: reports.Cell) -> Value:
    if isinstance(cell, Pence | Percent):
        return cell.amount / 100
    if isinstance(cell, Between):
        return str(cell)
    return cell if cell is None or isinstance(cell, int) else "hidden"


def _shows(column: Sequence[reports.Cell]) -> str:
    """The number format of a column."""
    kinds = {type(cell) for cell in column}
    return POUNDS if Pence in kinds else "0%" if Percent in kinds else WHOLE


def reported(rows: Repository, reckoned: Reckoning) -> Service:
    """What the reports are made from, as the data stand."""
    instance = reckoned.instance
    beyond = alone.beyond_a_visitor(instance)
    children = [ReportedChild(one, standing(reckoned, one)[0], one.id in beyond) for one in instance.children]
    there = {one.id for one in instance.children}
    appointed = [one for one in reckoned.matches if one.state in APPOINTED]
    by_match_alone = dict.fromkeys(one.child_id for one in appointed if one.child_id not in there)
    children += [ReportedChild(Child(id), "visited") for id in by_match_alone]
    visiting = {one.volunteer_id for one in appointed}
    decision = tables.Decision
    decided = select(decision.id, decision.at, decision.step, decision.reason, decision.match_id).where(STANDS)
    again = recorded_again(rows)
    steps = [one for one in rows.session.execute(decided) if one.id not in again]
    appointed_here = {one.match_id for one in steps if one.step == "appoint"}
    recorded = rows.session.scalars(select(tables.Budget))
    return Service(
        instance.as_of,
        children,
        [(one, one.id in visiting) for one in instance.volunteers],
        [
            ReportedMatch(
                one.child_id, one.volunteer_id, one.started_on, one.ended_on, one.state == State.ENDED,
                Party(one.over_by) if one.over_by else None, one.reason,
                unbegun=one.started_on is None and one.id in appointed_here,
            )
            for one in reckoned.matches
            if one.state in APPOINTED or one.state == State.ENDED
        ],
        [ReportedStep(in_london(one.at).date(), one.step, one.reason) for one in steps],
        [Authority(one.code, one.budget_pence, one.spent_pence) for one in recorded],
    )  # fmt: skip
