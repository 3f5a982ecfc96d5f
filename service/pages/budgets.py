"""Budgets: what an authority may spend outside its county, and what is spent or committed of it; a manager says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from matcher.geography import council_name, councils
from matcher.reading import cells
from matcher.reading.cells import as_typed
from matcher.reading.sheets import AUTHORITIES
from matcher.rules import budget
from service import budgets
from service.api.deps import Asking, Kith, Reading, may_identify, note_reading
from service.api.shapes import CODE
from service.database import tables
from service.pages import forms
from service.pages.html import render
from service.repository import Repository

router = APIRouter(prefix="/reports/budgets")

Code = Annotated[str, Path(pattern=CODE)]
Text = Annotated[str, Form(max_length=2000)]
FIELDS = {"budget": "budget_pounds", "spent": "spent_pounds"}
"""What the form asks, by the column that a file has for it."""


def without(recorded: Sequence[str]) -> Mapping[str, str]:
    """The councils of which no budget is recorded, by code."""
    codes = {cells.council(name): name for name in councils()}
    return {code: name for code, name in codes.items() if code not in recorded}


def by_country(codes: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """Councils by the country that the first letter of a code tells, England first."""
    countries = {"E": "England", "W": "Wales", "S": "Scotland", "N": "Northern Ireland"}
    found = {name: {code: one for code, one in codes.items() if code[0] == first} for first, name in countries.items()}
    return {name: some for name, some in found.items() if some}


@router.get("")
def add(code: Annotated[str, Query(max_length=9)] = "") -> Response:
    """Leads to the page of an authority that somebody chose."""
    return RedirectResponse(f"/reports/budgets/{code}" if code in without(()) else "/reports/spending", 303)


@router.get("/{code}")
def budget_page(code: Code, request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    return _form(request, person, kith, rows, code)


@router.post("/{code}")
def set_budget(
    code: Code, request: Request, person: Asking, kith: Kith, stamp: Annotated[str, Form(max_length=40)] = "",
    budget: Text = "", spent: Text = "", reason: Annotated[str, Form(max_length=60)] = "",
) -> Response:  # fmt: skip
    council_name(code)  # or there is no such council
    given = {"budget": budget, "spent": spent, "reason": reason}
    errors, moved = _wrong(given), False
    if not errors:
        with kith.database.write(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            rows.take_turn()
            moved = budgets.stamp(budgets.row_of(rows, code)) != stamp
            if not moved:
                may, so_far = _pence(budget), _pence(spent) or 0
                budgets.set_budget(rows, code, may, so_far, user_id=person.user_id, reason=reason)
    if not errors and not moved:
        return RedirectResponse("/reports/spending?saved=yes", 303)
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        return _form(request, person, kith, rows, code, given, errors, "" if moved else stamp, moved)


def _pence(text: str) -> int | None:
    typed = as_typed(text)
    return cells.pounds(typed) if typed else None


def _wrong(given: Mapping[str, str]) -> dict[str, str]:
    """What cannot be, by field."""
    errors = {}
    for name, column in FIELDS.items():
        if said := forms.wrong(AUTHORITIES, column, given[name]):
            errors[name] = said
    if not as_typed(given["spent"]):
        errors["spent"] = "Say what is spent or committed so far. Write 0 where nothing is."
    if given["reason"] not in budgets.REASONS:
        errors["reason"] = "Choose why you change it."
    return errors


@dataclass(frozen=True)
class Line:
    """An appointment that Kith has added, with the match as it stands."""

    at: datetime
    pence: int
    match: tables.Match


def _form(
    request: Request, person: Asking, kith: Kith, rows: Repository, code: str,
    given: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None, stamp: str = "",
    moved: bool = False,
) -> Response:  # fmt: skip
    """`stamp` is what somebody had seen who typed: what they could not have seen is not overwritten unsaid."""
    row, known = budgets.row_of(rows, code), {}
    history = budgets.history(rows, row) if row else None
    lines = [Line(one.at, one.pence, rows.match(one.match_id)) for one in history.added] if history else []
    shown = lines if may_identify(person) else []
    note_reading(kith, person, "budget", "", code=code, children=sorted({one.match.child_id for one in shown}))
    for name, column in FIELDS.items():
        pence = getattr(row, AUTHORITIES.column(column).to, None)
        known[name] = "" if pence is None else f"{pence / 100:.2f}".removesuffix(".00")
    return render(
        request, "budget.html", person, status=409 if moved else 422 if errors else 200, council=council_name(code),
        row=row, history=history, lines=shown, added=sum(one.pence for one in lines), given=given or known,
        errors=errors or {}, moved=moved, stamp=stamp or budgets.stamp(row), reasons=budgets.REASONS,
        names=rows.account_names(), references=rows.references(), by_visits=budget.reckoned(rows.policy()[1]),
    )  # fmt: skip
