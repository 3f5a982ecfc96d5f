"""Exceptions: what was allowed in single cases, and what of it holds no longer."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import select

from matcher.records import ExceptionKind
from service import exceptions as allowed
from service.api.deps import Asking, Kith, Reading, Writing, may_identify, note_reading
from service.api.shapes import (
    CHANGES,
    MADE,
    VERSIONED,
    AChild,
    AVolunteer,
    ExceptionId,
    Given,
    IfMatch,
    ListPage,
    PageNumber,
    PageSize,
    PrintableText,
    Version,
    id_of,
    one_page,
    require_version,
    such_as,
    tell_version,
)
from service.auth import Person
from service.database import tables
from service.repository import Repository

router = APIRouter(prefix="/exceptions", tags=["exceptions"])


class NewException(Given):
    """What a manager allows in a single case. Core rules have no exception."""

    model_config = such_as(
        kind="second child", volunteer="V4TX9B2LMD7W", value=2, reason="The first match ends in March"
    )
    kind: ExceptionKind
    volunteer: Annotated[str, id_of("V")] = Field(examples=["V4TX9B2LMD7W"])
    child: Annotated[str, id_of("C")] | None = Field(None, description="Of a relative: whose visitor they may be.")
    value: int | None = Field(
        None, ge=1, le=60, description="Of a second child: how many at most; of a shorter commitment: months at least."
    )
    reason: Annotated[str, PrintableText] = Field(max_length=500, examples=["The first match ends in March"])

    @model_validator(mode="after")
    def _fits_its_kind(self) -> NewException:
        if (self.kind is ExceptionKind.RELATIVE) != (self.child is not None):
            raise ValueError
        return self


class Withdrawal(Given):
    reason: Annotated[str, PrintableText] = Field(max_length=500, examples=["The volunteer has less time by now"])


class ExceptionLine(BaseModel):
    """One exception. Words, names and days are told to those alone who may identify children."""

    id: str = Field(examples=["E8MW2XK5TB3N"])
    kind: ExceptionKind = Field(examples=["second child"])
    volunteer: AVolunteer
    child: AChild | None = Field(examples=[None])
    value: int | None = Field(examples=[2])
    reason: str | None = Field(examples=["The first match ends in March"])
    approved_by: str | None = Field(examples=["M. Example"])
    approved_on: date | None
    holds: bool = Field(description="Whether it allows anything: false once it is withdrawn.")
    withdrawn_on: date | None = Field(examples=[None], description="Since when it holds no longer.")
    withdrawn_by: str | None = Field(examples=[None])
    withdrawn_reason: str | None = Field(examples=[None])
    version: Version


class ExceptionPage(ListPage):
    exceptions: list[ExceptionLine]


class Withdrawn(ExceptionLine):
    breaking: list[str] = Field(
        examples=[["M3HG8K5QWN2P"]],
        description="Ids of live matches that break a rule by it. Kith ends none: somebody has to look at them now.",
    )


@router.get("")
def exceptions(
    person: Asking,
    kith: Kith,
    rows: Reading,
    page: PageNumber = 1,
    size: PageSize = 50,
    sort: Literal["approved_on", "withdrawn_on"] = "approved_on",
    kind: ExceptionKind | None = None,
    volunteer: Annotated[str | None, id_of("V")] = None,
    child: Annotated[str | None, id_of("C")] = None,
    withdrawn: Annotated[bool | None, Query(description="true: those that hold no longer; false: that do.")] = None,
) -> ExceptionPage:
    """What was allowed in single cases, and what of it was withdrawn; the last first, a page at a time."""
    table = tables.RecordedException
    query = select(table)
    for column, value in ((table.kind, kind), (table.volunteer_id, volunteer), (table.child_id, child)):
        if value is not None:
            query = query.where(column == value)
    if withdrawn is not None:
        query = query.where(table.withdrawn_on.is_not(None) if withdrawn else table.withdrawn_on.is_(None))
    by = table.withdrawn_on.desc().nulls_last() if sort == "withdrawn_on" else table.approved_on.desc()
    total, found = one_page(rows.session, query.order_by(by, table.id), page, size)
    note_reading(kith, person, "exceptions", "", children=sorted({row.child_id for (row,) in found if row.child_id}))
    return ExceptionPage(total=total, page=page, exceptions=[_told(rows, person, row) for (row,) in found])


@router.post("", status_code=201, responses=MADE)
def approve(given: NewException, person: Asking, rows: Writing, response: Response) -> ExceptionLine:
    """A manager allows it, by name and with a reason. Places follow in the same transaction."""
    row = allowed.approve(
        rows, given.kind, given.volunteer, given.child, given.value, user_id=person.user_id, reason=given.reason
    )
    tell_version(response, row.version)
    return _told(rows, person, row)


@router.get("/{exception_id}", responses=VERSIONED)
def exception(
    exception_id: ExceptionId, person: Asking, kith: Kith, rows: Reading, response: Response
) -> ExceptionLine:
    """One exception."""
    row = rows.exception(exception_id)
    note_reading(kith, person, "exceptions", row.child_id or "", exception=row.id)
    tell_version(response, row.version)
    return _told(rows, person, row)


@router.post("/{exception_id}/withdraw", responses=CHANGES)
def withdraw(
    exception_id: ExceptionId,
    given: Withdrawal,
    expected: IfMatch,
    person: Asking,
    rows: Writing,
    response: Response,
) -> Withdrawn:
    """A manager takes back what was allowed. It stays here for the record, and allows nothing from now on.

    Places follow in the same transaction; one that is taken stays until its match is over. What is live and breaks a
    rule by it is named.
    """
    row = rows.exception(exception_id)
    require_version(row.version, expected)
    breaking = allowed.withdraw(rows, row, user_id=person.user_id, reason=given.reason)
    tell_version(response, row.version)
    return Withdrawn(**dict(_told(rows, person, row)), breaking=list(breaking))


def _told(rows: Repository, person: Person, row: tables.RecordedException) -> ExceptionLine:
    identified = may_identify(person)

    def said(column: str) -> str | None:
        return rows.open(row, column) if identified else None

    return ExceptionLine(
        id=row.id, kind=ExceptionKind(row.kind), volunteer=row.volunteer_id, child=row.child_id, value=row.value,
        reason=said("reason"), approved_by=said("approved_by"),
        approved_on=row.approved_on if identified else None, holds=row.withdrawn_on is None,
        withdrawn_on=row.withdrawn_on if identified else None, withdrawn_by=said("withdrawn_by"),
        withdrawn_reason=said("withdrawn_reason"), version=row.version,
    )  # fmt: skip
