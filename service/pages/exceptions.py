"""Exceptions: what a manager allows a volunteer in a single case, on the volunteer's page; and takes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select

from matcher.records import ExceptionKind
from service import exceptions
from service.api.deps import Asking, Kith, Reading, note_reading
from service.api.shapes import ExceptionId, VolunteerId
from service.database import tables
from service.pages import forms
from service.pages.html import render
from service.pages.lists import named
from service.repository import Repository

router = APIRouter()

WHAT = {
    ExceptionKind.SECOND_CHILD: "More than one child at a time",
    ExceptionKind.RELATIVE: "A relative or friend of a child visits that child",
    ExceptionKind.SHORTER_COMMITMENT: "A shorter commitment than the policy asks for",
}
"""How the kinds are called, for somebody who has to choose one."""
FIELD_OF = {
    ExceptionKind.SECOND_CHILD: "children", ExceptionKind.RELATIVE: "child", ExceptionKind.SHORTER_COMMITMENT: "months",
}  # fmt: skip
"""What the form asks of each kind."""
_OF_ANOTHER = {
    "child": "A child is named only for a relative or friend: any other exception says how much is allowed, not whom.",
    "children": "A number of children is given only where more than one child is allowed.",
    "months": "A number of months is given only for a shorter commitment.",
}
MOST_USUAL = 4
"""Children at a time whom one volunteer is allowed without a question whether that many were meant."""
LONGEST = 500
Text = Annotated[str, Form(max_length=2000)]


@dataclass(frozen=True)
class Told:
    """One exception in words."""

    id: str
    what: str
    measure: str
    child_id: str | None
    reason: str
    approved_by: str
    approved_on: date
    withdrawn_on: date | None
    withdrawn_by: str
    withdrawn_reason: str


def of_volunteer(rows: Repository, volunteer_id: str) -> Sequence[Told]:
    """Those that hold first, and of each kind the last first."""
    table = tables.RecordedException
    order = table.withdrawn_on.is_not(None), table.approved_on.desc(), table.id
    found = rows.session.scalars(select(table).where(table.volunteer_id == volunteer_id).order_by(*order))
    return [_told(rows, row) for row in found]


def _told(rows: Repository, row: tables.RecordedException) -> Told:
    kind = ExceptionKind(row.kind)
    words = {name: rows.open(row, name) or "" for name in ("reason", "approved_by", "withdrawn_by", "withdrawn_reason")}
    return Told(
        id=row.id, what=WHAT[kind], measure=exceptions.measure(kind, row.value), child_id=row.child_id,
        approved_on=row.approved_on, withdrawn_on=row.withdrawn_on, **words,
    )  # fmt: skip


# ---- allowing --------------------------------------------------------------------------------------------------------


@router.get("/volunteers/{volunteer_id}/exceptions/new")
def approve_page(volunteer_id: VolunteerId, request: Request, person: Asking, rows: Reading) -> Response:
    return _form(request, person, rows, volunteer_id, {}, {})


@router.post("/volunteers/{volunteer_id}/exceptions/new")
def approve(
    volunteer_id: VolunteerId, request: Request, person: Asking, kith: Kith, kind: Text = "", child: Text = "",
    children: Text = "", months: Text = "", reason: Text = "", meant: Text = "",
) -> Response:  # fmt: skip
    """`meant` is the unusual number of children of which the form that comes back has warned."""
    typed = {"kind": kind, "child": child, "children": children, "months": months, "reason": reason}
    given = {name: text.strip() for name, text in typed.items()}
    with kith.database.write(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        rows.volunteer(volunteer_id)
        child_id = named(rows.references(), "C", child) if kind == ExceptionKind.RELATIVE else None
        errors = _wrong(given, child_id)
        if child_id and (no := exceptions.said_no(rows, volunteer_id, child_id)):
            errors["child"] = no
        if not errors and given["children"] != meant and int(given["children"] or 0) > MOST_USUAL:
            errors["children"] = (
                f"{given['children']} children at a time is unusual. Save once more if that is what you mean."
            )
        if not errors:
            number = given["children"] or given["months"]
            exceptions.approve(
                rows, ExceptionKind(kind), volunteer_id, child_id, int(number) if number else None,
                user_id=person.user_id, reason=given["reason"],
            )  # fmt: skip
    if not errors:
        return RedirectResponse(f"/volunteers/{volunteer_id}?saved=yes", 303)
    with kith.database.read(person.authority_id) as session:
        return _form(request, person, Repository(session, kith.keys), volunteer_id, given, errors)


def _wrong(given: Mapping[str, str], child_id: str | None) -> dict[str, str]:
    """What cannot be, by field."""
    errors = {}
    kind = given["kind"]
    if kind not in tuple(ExceptionKind):
        errors["kind"] = "Choose what you allow."
    elif strays := [name for name in _strays(kind) if given[name]]:
        told = " ".join(_OF_ANOTHER[name] for name in strays)
        errors["kind"] = f"{told} It is taken out below: save once more if that is what you mean."
    elif kind == ExceptionKind.RELATIVE and child_id is None:
        errors["child"] = "Write the reference of a child who is here: whose visitor they may be."
    elif kind != ExceptionKind.RELATIVE:
        field = FIELD_OF[ExceptionKind(kind)]
        least, value = 2 if field == "children" else 1, given[field] or ("2" if field == "children" else "")
        if not (value.isascii() and value.isdigit() and least <= int(value[:4]) <= 60):
            errors[field] = f"Write a number from {least} to 60."
    errors |= _no_reason(given["reason"])
    return errors


def _strays(kind: str) -> Sequence[str]:
    """The fields of the other kinds: nothing in them is dropped unsaid."""
    return [field for of, field in FIELD_OF.items() if of != kind] if kind in tuple(ExceptionKind) else []


def _no_reason(reason: str) -> dict[str, str]:
    if not reason or len(reason) > LONGEST or not forms.in_plain(reason):
        return {"reason": f"Say why, in up to {LONGEST} characters."}
    return {}


def _form(
    request: Request, person: Asking, rows: Repository, volunteer_id: str, given: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response:  # fmt: skip
    strays = _strays(given.get("kind", ""))
    given = {name: text for name, text in given.items() if name not in strays}
    return render(
        request, "exception.html", person, status=422 if errors else 200, volunteer=rows.volunteer(volunteer_id),
        what=WHAT, field_of=FIELD_OF, given=given, errors=errors,
    )  # fmt: skip


# ---- taking back -----------------------------------------------------------------------------------------------------


@router.get("/exceptions/{exception_id}/withdraw")
def withdraw_page(exception_id: ExceptionId, request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    return _withdraw_form(request, person, kith, rows, exception_id)


@router.post("/exceptions/{exception_id}/withdraw")
def withdraw(
    exception_id: ExceptionId, request: Request, person: Asking, kith: Kith, version: Annotated[int, Form()] = 0,
    reason: Text = "",
) -> Response:  # fmt: skip
    """Tells which live matches break a rule by it; nobody ends them but a person."""
    error = _no_reason(reason.strip()).get("reason", "")
    with kith.database.write(person.authority_id) as session:
        rows = Repository(session, kith.keys, kith.matching.opened(person.authority_id))
        row = rows.exception(exception_id)
        if not error and row.version != version:
            error = "Somebody changed this exception meanwhile. Look again: nothing of yours was saved."
        if not error:
            breaking = exceptions.withdraw(rows, row, user_id=person.user_id, reason=reason.strip())
            volunteer = rows.volunteer(row.volunteer_id)
            matches, children = Breaking.of(rows, breaking), [row.child_id] if row.child_id else []
    if error:
        with kith.database.read(person.authority_id) as session:
            return _withdraw_form(request, person, kith, Repository(session, kith.keys), exception_id, error, reason)
    note_reading(kith, person, "exceptions", "", children=sorted({*children, *(one.child_id for one in matches)}))
    return render(
        request, "breaking.html", person, title="The exception is withdrawn", matches=matches,
        back=(f"Volunteer {volunteer.reference}", f"/volunteers/{volunteer.id}"),
    )  # fmt: skip


def _withdraw_form(
    request: Request, person: Asking, kith: Kith, rows: Repository, exception_id: str, error: str = "", reason: str = ""
) -> Response:
    row = rows.exception(exception_id)
    note_reading(kith, person, "exceptions", row.child_id or "", exception=row.id)
    return render(
        request, "exception-withdraw.html", person, status=422 if error else 200, row=row, one=_told(rows, row),
        volunteer=rows.volunteer(row.volunteer_id), references=rows.references(), error=error, reason=reason,
    )  # fmt: skip


@dataclass(frozen=True)
class Breaking:
    """A live match that breaks a rule by what was just done: somebody has to look at it now."""

    id: str
    child_id: str
    child: str
    volunteer: str
    state: str

    @classmethod
    def of(cls, rows: Repository, ids: Sequence[str]) -> Sequence[Breaking]:
        told = rows.references()
        found = [rows.match(id) for id in ids]
        return [cls(one.id, one.child_id, told[one.child_id], told[one.volunteer_id], one.state) for one in found]
