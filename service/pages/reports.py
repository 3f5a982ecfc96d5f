"""Reports: figures as tables with bars, to be read, printed and downloaded. Nobody is named, nor can be worked out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from matcher.records import Authority, Child, Party
from matcher.writing.xlsx import POUNDS, TEXT, WHOLE, Book, Field, Value
from service import reports
from service.api.deps import Asking, Reading
from service.database import tables
from service.pages.children import standing
from service.pages.html import render
from service.pages.imports import XLSX
from service.pages.reckoning import Reckoned, Reckoning
from service.reports import (
    HIDDEN,
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
from service.repository import Repository
from service.workflow import APPOINTED, State

router = APIRouter(prefix="/reports")

Name = Literal["waits", "matches", "endings", "spending", "equality", "year"]
MAKE: dict[Name, Callable[[Service, Year], Report]] = {
    "waits": lambda service, _: reports.waits(service),
    "matches": reports.matches,
    "endings": reports.endings,
    "spending": lambda service, _: reports.spend(service),
    "equality": lambda service, _: reports.equality(service),
    "year": reports.yearly,
}
OF_A_YEAR: tuple[Name, ...] = ("matches", "endings", "year")
"""Reports of which a person chooses the year; the others tell how things stand."""
TABS: tuple[tuple[Name, str], ...] = (
    ("waits", "Waits"), ("matches", "Matches made"), ("endings", "Endings"), ("spending", "Spending"),
    ("equality", "Equality"), ("year", "Report of the year"),
)  # fmt: skip
YearAsked = Annotated[int | None, Query(ge=1990, le=2200)]


@router.get("")
def overview(request: Request, person: Asking, rows: Reading, reckoned: Reckoned) -> Response:
    return _page(request, person, rows, reckoned, "waits", None)


@router.get("/{report}")
def report_page(
    report: Name, request: Request, person: Asking, rows: Reading, reckoned: Reckoned, year: YearAsked = None
) -> Response:
    return _page(request, person, rows, reckoned, report, year)


def _page(
    request: Request, person: Asking, rows: Repository, reckoned: Reckoning, report: Name, year: int | None
) -> Response:
    service = reported(rows, reckoned)
    chosen = _year(service, year)
    authority = rows.session.get(tables.Authority, person.authority_id)
    return render(
        request, "report.html", person, report=MAKE[report](service, chosen), name=report, tabs=TABS, year=chosen,
        years=years(service) if report in OF_A_YEAR else (), authority=authority.name if authority else "",
        on=service.as_of, hidden=HIDDEN,
    )  # fmt: skip


@router.get("/{report}/xlsx")
def workbook(report: Name, rows: Reading, reckoned: Reckoned, year: YearAsked = None) -> Response:
    service = reported(rows, reckoned)
    chosen = _year(service, year)
    content = _xlsx(MAKE[report](service, chosen), service)
    of_year = f"-{chosen.first}-{chosen.first + 1}" if report in OF_A_YEAR else f"-{service.as_of}"
    headers = {"Content-Disposition": f'attachment; filename="kith-{report}{of_year}.xlsx"'}
    return Response(content, media_type=XLSX, headers=headers)


def _year(service: Service, asked: int | None) -> Year:
    return next((one for one in years(service) if one.first == asked), years(service)[0])


def _xlsx(report: Report, service: Service) -> bytes:
    book = Book(service.as_of)
    about = [[report.title, report.lead], ["As of", f"{service.as_of:%d/%m/%Y}"]]
    about += [[table.title, " ".join(filter(None, (table.lead, table.note)))] for table in report.tables]
    book.table("About", (Field("Report", 40), Field("What it tells", 90)), about)
    for table in report.tables:
        first, *others = table.headings
        fields = [Field(first or "What", 44)] + [
            Field(heading, 16, _shows([cells[at] for _, cells in table.rows])) for at, heading in enumerate(others)
        ]
        book.table(table.title[:31], fields, [[name, *map(_value, cells)] for name, cells in table.rows])
    for title, hint in report.to_write:
        book.table(title[:31], (Field(title, 90, TEXT, hint),))
    return book.content()


def _value(cell: reports.Cell) -> Value:
    if isinstance(cell, Pence | Percent):
        return cell.amount / 100
    return cell if cell is None or isinstance(cell, int) else "hidden"


def _shows(column: Sequence[reports.Cell]) -> str:
    """The number format of a column."""
    kinds = {type(cell) for cell in column}
    return POUNDS if Pence in kinds else "0%" if Percent in kinds else WHOLE


def reported(rows: Repository, reckoned: Reckoning) -> Service:
    """What the reports are made from, as the data stand."""
    instance = reckoned.instance
    children = [ReportedChild(one, standing(reckoned, one)[0]) for one in instance.children]
    there = {one.id for one in instance.children}
    appointed = [one for one in reckoned.matches if one.state in APPOINTED]
    by_match_alone = dict.fromkeys(one.child_id for one in appointed if one.child_id not in there)
    children += [ReportedChild(Child(id), "visited") for id in by_match_alone]
    visiting = {one.volunteer_id for one in appointed}
    steps = rows.session.execute(select(tables.Decision.at, tables.Decision.step, tables.Decision.reason))
    budgets = rows.session.scalars(select(tables.Budget))
    return Service(
        instance.as_of,
        children,
        [(one, one.id in visiting) for one in instance.volunteers],
        [
            ReportedMatch(
                one.child_id, one.volunteer_id, one.started_on, one.ended_on, one.state == State.ENDED,
                Party(one.over_by) if one.over_by else None, one.reason,
            )
            for one in reckoned.matches
            if one.state in APPOINTED or one.state == State.ENDED
        ],
        [ReportedStep(at.date(), step, reason) for at, step, reason in steps],
        [Authority(one.code, one.budget_pence, one.spent_pence) for one in budgets],
    )  # fmt: skip
