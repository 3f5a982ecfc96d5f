"""What stands around children and volunteers: families, organisations, exceptions, budgets."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, model_validator
from sqlalchemy import func, select

from matcher.errors import NotFoundError
from matcher.instance import today
from matcher.records import ExceptionKind
from service import audit_log, people
from service.api.deps import Asking, Reading, Writing, may_identify
from service.api.shapes import (
    CHANGES,
    ChildId,
    FamilyId,
    Given,
    IfMatch,
    PageNumber,
    PageSize,
    PrintableText,
    id_of,
    one_page,
    require_version,
    such_as,
    tell_version,
)
from service.audit_log import Entry
from service.auth import Person
from service.database import tables
from service.database.tables import User
from service.proposals import TakenError
from service.repository import Repository

router = APIRouter()


# ---- families --------------------------------------------------------------------------------------------------------


class FamilyLine(BaseModel):
    id: str = Field(examples=["F9XK3M7BQ2WD"])
    children: list[str] = Field(description="Ids of the children who are siblings.")


class FamilyPage(BaseModel):
    total: int
    page: int
    families: list[FamilyLine]


class Siblings(Given):
    children: list[Annotated[str, id_of("C")]] = Field(
        min_length=2, max_length=20, examples=[["C7KQ4M2XPH3R", "C2NB8T5WGX9K"]]
    )


class Linked(FamilyLine):
    irregular: list[str] = Field(description="Ids of live matches that break the rule for siblings now.")


class Unlinking(Given):
    model_config = such_as(reason="entered by mistake")
    reason: Literal["entered by mistake", "not related after all", "another child was meant"]


@router.get("/families", tags=["families"])
def families(
    rows: Reading,
    page: PageNumber = 1,
    size: PageSize = 50,
    sort: Literal["id", "children"] = "id",
    child: Annotated[str | None, id_of("C")] = None,
) -> FamilyPage:
    """Families of which the siblings are known, a page at a time; by `children`, the largest first."""
    query = select(tables.Family).where(tables.Family.known)
    if child is not None:
        query = query.where(tables.Family.id.in_(select(tables.Child.family_id).where(tables.Child.id == child)))
    if sort == "children":
        number = select(func.count()).where(tables.Child.family_id == tables.Family.id).scalar_subquery()
        query = query.order_by(number.desc())
    total, found = one_page(rows.session, query.order_by(tables.Family.id), page, size)
    members = _members(rows, [family.id for (family,) in found])
    return FamilyPage(
        total=total, page=page, families=[FamilyLine(id=one.id, children=members[one.id]) for (one,) in found]
    )


@router.get("/families/{family_id}", tags=["families"])
def family(family_id: FamilyId, rows: Reading) -> FamilyLine:
    """One family of which the siblings are known. Who belongs to it changes by linking and unlinking children."""
    if not rows.session.scalar(select(tables.Family.known).where(tables.Family.id == family_id)):
        raise NotFoundError("There is no such family.")
    return FamilyLine(id=family_id, children=_members(rows, [family_id])[family_id])


@router.post("/families", tags=["families"])
def link(given: Siblings, person: Asking, rows: Writing) -> Linked:
    """Makes children siblings, with all who are siblings of any of them already.

    Live matches that break the rule for siblings by it are named: somebody has to look at them now.
    """
    linked = people.link(rows, given.children, user_id=person.user_id)
    id = linked.family.id
    return Linked(id=id, children=_members(rows, [id])[id], irregular=list(linked.irregular))


@router.post("/children/{child_id}/unlink", tags=["families"], status_code=204, responses=CHANGES)
def unlink(
    child_id: ChildId, given: Unlinking, expected: IfMatch, person: Asking, rows: Writing, response: Response
) -> None:
    """Takes a child out of a family to which they do not belong. It weakens a safeguard, so a manager does it.

    If-Match is the ETag of the child, whose family it changes.
    """
    row = rows.child(child_id)
    require_version(row.version, expected)
    people.unlink(rows, row, user_id=person.user_id, reason=given.reason)
    tell_version(response, row.version)


def _members(rows: Repository, families: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    query = select(tables.Child.family_id, tables.Child.id).where(tables.Child.family_id.in_(families))
    for family, child in rows.session.execute(query.order_by(tables.Child.id)):
        found[family].append(child)
    return found


# ---- organisations ---------------------------------------------------------------------------------------------------


class NewOrganisation(Given):
    name: Annotated[str, PrintableText] = Field(max_length=200, examples=["Example Homes Ltd"])


class Organisation(BaseModel):
    id: str = Field(examples=["O5TB8N3KXM7Q"])
    name: str = Field(examples=["Example Homes Ltd"])


class OrganisationPage(BaseModel):
    total: int
    page: int
    organisations: list[Organisation]


@router.get("/organisations", tags=["organisations"])
def organisations(person: Asking, rows: Reading, page: PageNumber = 1, size: PageSize = 50) -> OrganisationPage:
    """Providers that accommodate children, by name. Nobody who belongs to one visits a child who lives there."""
    query = select(tables.Organisation).order_by(tables.Organisation.name)
    total, found = one_page(rows.session, query, page, size)
    named = may_identify(person)
    return OrganisationPage(
        total=total,
        page=page,
        organisations=[Organisation(id=row.id, name=row.name if named else "") for (row,) in found],
    )


@router.post("/organisations", tags=["organisations"], status_code=201)
def add_organisation(given: NewOrganisation, person: Asking, rows: Writing) -> Organisation:
    """A provider, to be chosen by name in children's and volunteers' facts."""
    if rows.session.scalar(select(tables.Organisation.id).where(tables.Organisation.name == given.name)):
        raise TakenError("An organisation of that name is here already.")
    row = tables.Organisation(name=given.name)
    rows.session.add(row)
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(person.user_id, "add organisation", row.id))
    return Organisation(id=row.id, name=row.name)


# ---- exceptions ------------------------------------------------------------------------------------------------------


class NewException(Given):
    """What a manager allows in a single case. Core rules have no exception."""

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


class ExceptionLine(BaseModel):
    id: str = Field(examples=["E8MW2XK5TB3N"])
    kind: ExceptionKind
    volunteer: str
    child: str | None
    value: int | None
    reason: str | None
    approved_by: str | None
    approved_on: date


class ExceptionPage(BaseModel):
    total: int
    page: int
    exceptions: list[ExceptionLine]


@router.get("/exceptions", tags=["exceptions"])
def exceptions(person: Asking, rows: Reading, page: PageNumber = 1, size: PageSize = 50) -> ExceptionPage:
    """What was allowed in single cases, the last first."""
    query = select(tables.RecordedException).order_by(
        tables.RecordedException.approved_on.desc(), tables.RecordedException.id
    )
    total, found = one_page(rows.session, query, page, size)
    return ExceptionPage(total=total, page=page, exceptions=[_exception(rows, person, row) for (row,) in found])


@router.post("/exceptions", tags=["exceptions"], status_code=201)
def approve(given: NewException, person: Asking, rows: Writing) -> ExceptionLine:
    """A manager allows it, by name and with a reason. Places follow in the same transaction."""
    volunteer = rows.volunteer(given.volunteer)
    child = rows.child(given.child) if given.child else None
    row = tables.RecordedException(
        kind=given.kind, volunteer_id=volunteer.id, child_id=child.id if child else None, value=given.value,
        approved_on=today(), user_id=person.user_id,
    )  # fmt: skip
    rows.seal(row, "reason", given.reason)
    user = rows.session.get_one(User, person.user_id)
    rows.seal(row, "approved_by", rows.open(user, "name"))
    rows.session.add(row)
    rows.session.flush()
    rows.set_capacities(rows.policy()[1])
    entry = Entry(person.user_id, "approve exception", row.id, given.kind, {"volunteer": volunteer.id})
    audit_log.record(rows.session, rows.keys, entry)
    return _exception(rows, person, row)


def _exception(rows: Repository, person: Person, row: tables.RecordedException) -> ExceptionLine:
    identified = may_identify(person)
    return ExceptionLine(
        id=row.id, kind=ExceptionKind(row.kind), volunteer=row.volunteer_id, child=row.child_id, value=row.value,
        reason=rows.open(row, "reason") if identified else None,
        approved_by=rows.open(row, "approved_by") if identified else None, approved_on=row.approved_on,
    )  # fmt: skip


# ---- budgets ---------------------------------------------------------------------------------------------------------

Code = Annotated[str, Path(pattern="^[EWSN][0-9]{8}$", examples=["E06000062"])]


class Budget(Given):
    """What a responsible authority may spend this year on matches outside its county, in pence."""

    budget_pence: int | None = Field(ge=0, le=10**9, examples=[600000], description="null: not recorded.")
    spent_pence: int = Field(ge=0, le=10**9, examples=[150000])


class BudgetLine(Budget):
    code: str = Field(examples=["E06000062"])


@router.get("/budgets", tags=["budgets"])
def budgets(rows: Reading) -> list[BudgetLine]:
    """Each responsible authority's budget, by ONS code."""
    return [_budget(row) for row in rows.session.scalars(select(tables.Budget).order_by(tables.Budget.code))]


@router.get("/budgets/{code}", tags=["budgets"])
def budget(code: Code, rows: Reading, response: Response) -> BudgetLine:
    """One authority's budget; all blank where none is recorded."""
    row = rows.session.scalar(select(tables.Budget).where(tables.Budget.code == code))
    tell_version(response, _stamp(row))
    return _budget(row) if row else BudgetLine(code=code, budget_pence=None, spent_pence=0)


@router.put("/budgets/{code}", tags=["budgets"], responses=CHANGES)
def set_budget(
    code: Code, given: Budget, expected: IfMatch, person: Asking, rows: Writing, response: Response
) -> BudgetLine:
    """A manager sets what may be spent."""
    row = rows.session.scalar(select(tables.Budget).where(tables.Budget.code == code))
    require_version(_stamp(row), expected)
    if row is None:
        row = tables.Budget(code=code)
        rows.session.add(row)
    row.budget_pence, row.spent_pence = given.budget_pence, given.spent_pence
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(person.user_id, "set budget", row.id, details={"code": code}))
    tell_version(response, _stamp(row))
    return _budget(row)


def _budget(row: tables.Budget) -> BudgetLine:
    return BudgetLine(code=row.code, budget_pence=row.budget_pence, spent_pence=row.spent_pence)


def _stamp(row: tables.Budget | None) -> str:
    return "none" if row is None else f"{row.budget_pence}-{row.spent_pence}"
