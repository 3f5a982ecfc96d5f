"""What stands around children and volunteers: families and budgets."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, Field, field_validator
from sqlalchemy import func, select
from starlette.exceptions import HTTPException

from matcher.errors import NotFoundError
from service import budgets, families
from service.api.deps import Asking, Kith, Reading, Writing, note_reading
from service.api.shapes import (
    CHANGES,
    CODE,
    VERSIONED,
    AlthoughTakenApart,
    AMatch,
    ChildId,
    FamilyId,
    Given,
    IfMatch,
    ListPage,
    PageNumber,
    PageSize,
    etag,
    id_of,
    one_page,
    require_version,
    such_as,
    tell_version,
)
from service.database import tables
from service.families import UNLINK_REASONS, link_siblings, siblings_of, unlink_sibling
from service.repository import Repository

router = APIRouter()


# ---- families --------------------------------------------------------------------------------------------------------


class FamilyLine(BaseModel):
    id: str = Field(examples=["F9XK3M7BQ2WD"])
    children: list[str] = Field(
        examples=[["C7KQ4M2XPH3R", "C2NB8T5WGX9K"]], description="Ids of the children who are siblings."
    )
    version: str = Field(examples=["5d41c0b3a29e"], description="The ETag, in quotes, of whoever links others to them.")


class FamilyPage(ListPage):
    families: list[FamilyLine]


class Siblings(Given):
    children: list[Annotated[str, id_of("C")]] = Field(
        min_length=2, max_length=20, examples=[["C7KQ4M2XPH3R", "C2NB8T5WGX9K"]]
    )
    although_taken_apart: AlthoughTakenApart = False

    @field_validator("children")
    @classmethod
    def _several(cls, children: list[str]) -> list[str]:
        """A child with themselves would read as one who has no siblings."""
        if len(set(children)) < len(children):
            raise ValueError("Names a child twice. Give each of the siblings once.")
        return children


FamiliesSeen = Annotated[
    str | None,
    Header(
        alias="If-Match", max_length=400, examples=['"5d41c0b3a29e"'],
        description="The ETag of the family that grows, as it was read; of several, all of them, with commas. "
        "Nothing where none of the children has siblings yet.",
    ),
]  # fmt: skip


class Linked(FamilyLine):
    irregular: list[AMatch] = Field(description="Ids of live matches that break the rule for siblings now.")


class Unlinking(Given):
    model_config = such_as(reason="entered by mistake", siblings=["C2NB8T5WGX9K"])
    siblings: list[Annotated[str, id_of("C")]] = Field(
        max_length=200,
        description="Ids of all their siblings as you saw them: of others nobody is taken out.",
    )
    reason: Literal[UNLINK_REASONS]  # type: ignore[valid-type]


@router.get("/families", tags=["families"])
def list_families(
    person: Asking,
    kith: Kith,
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
    note_reading(kith, person, "families", "", children=sorted(child for one in members.values() for child in one))
    return FamilyPage(total=total, page=page, families=[_family(one.id, members[one.id]) for (one,) in found])


@router.get("/families/{family_id}", tags=["families"], responses=VERSIONED)
def family(family_id: FamilyId, person: Asking, kith: Kith, rows: Reading, response: Response) -> FamilyLine:
    """One family of which the siblings are known. Who belongs to it changes by linking and unlinking children."""
    if not rows.session.scalar(select(tables.Family.known).where(tables.Family.id == family_id)):
        raise NotFoundError("There is no such family.")
    members = _members(rows, [family_id])[family_id]
    note_reading(kith, person, "families", "", children=members)
    told = _family(family_id, members)
    tell_version(response, told.version)
    return told


@router.post("/families", tags=["families"], responses=CHANGES)
def link(given: Siblings, person: Asking, rows: Writing, response: Response, seen: FamiliesSeen = None) -> Linked:
    """Makes children siblings, with all who are siblings of any of them already.

    Where a family of siblings grows by it, If-Match is its ETag, or those of all that become one: nobody is added to a
    family that is not as it was seen. Live matches that break the rule for siblings by it are named: somebody has to
    look at them now. Of children whom a manager took apart it is told when and why (409), until whoever links them says
    that they are siblings all the same.
    """
    rows.take_turn()  # so that no family changes between this look and what is done
    _require_seen(rows, given.children, seen)
    although = None if given.although_taken_apart else ()
    linked = link_siblings(rows, given.children, user_id=person.user_id, although=although)
    told = _family(linked.family.id, _members(rows, [linked.family.id])[linked.family.id])
    tell_version(response, told.version)
    return Linked(**dict(told), irregular=list(linked.irregular))


@router.post("/children/{child_id}/unlink", tags=["families"], status_code=204, responses=CHANGES)
def unlink(
    child_id: ChildId, given: Unlinking, expected: IfMatch, person: Asking, rows: Writing, response: Response
) -> None:
    """Takes a child out of a family to which they do not belong. It weakens a safeguard, so a manager does it.

    If-Match is the ETag of the child, whose family it changes. 412 where their siblings are not those that were seen.
    """
    rows.take_turn()  # so that nobody is added between this look and what is done
    row = rows.child(child_id)
    require_version(row.version, expected)
    if {one.id for one in siblings_of(rows, row)} != {*given.siblings}:
        raise HTTPException(412)
    unlink_sibling(rows, row, user_id=person.user_id, reason=given.reason)
    tell_version(response, row.version)


def _require_seen(rows: Repository, children: list[str], seen: str | None) -> None:
    """Raises 428 where nobody says which families grow, 412 where they are not those that were seen."""
    members = _members(rows, [rows.child(child).family_id for child in children])
    grow = {etag(families.stamp(one)) for one in members.values() if len(one) > 1}
    if seen is None:
        if grow and len(members) > 1:
            raise HTTPException(428)
    elif {one.strip() for one in seen.split(",")} != grow:
        raise HTTPException(412)


def _family(id: str, children: list[str]) -> FamilyLine:
    return FamilyLine(id=id, children=children, version=families.stamp(children))


def _members(rows: Repository, families: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    query = select(tables.Child.family_id, tables.Child.id).where(tables.Child.family_id.in_(families))
    for family, child in rows.session.execute(query.order_by(tables.Child.id)):
        found[family].append(child)
    return found


# ---- budgets ---------------------------------------------------------------------------------------------------------

Code = Annotated[str, Path(pattern=CODE, examples=["E06000062"])]


class Budget(Given):
    """What a responsible authority may spend this year on matches outside its county, in pence."""

    budget_pence: int | None = Field(ge=0, le=budgets.MOST, examples=[600000], description="null: not recorded.")
    spent_pence: int = Field(ge=0, le=budgets.MOST, examples=[150000])


class BudgetLine(Budget):
    code: str = Field(examples=["E06000062"])


class BudgetPage(ListPage):
    budgets: list[BudgetLine]


@router.get("/budgets", tags=["budgets"])
def list_budgets(
    rows: Reading,
    page: PageNumber = 1,
    size: PageSize = 50,
    sort: Literal["code", "budget", "spent"] = "code",
    recorded: Annotated[bool | None, Query(description="Whether what may be spent is recorded.")] = None,
) -> BudgetPage:
    """Each responsible authority's budget, a page at a time: by ONS code, or the largest sum first."""
    table = tables.Budget
    query = select(table)
    if recorded is not None:
        query = query.where(table.budget_pence.is_not(None) if recorded else table.budget_pence.is_(None))
    if sort != "code":
        sum_of = table.budget_pence if sort == "budget" else table.spent_pence
        query = query.order_by(sum_of.desc().nulls_last())
    total, found = one_page(rows.session, query.order_by(table.code), page, size)
    return BudgetPage(total=total, page=page, budgets=[_budget(row) for (row,) in found])


@router.get("/budgets/{code}", tags=["budgets"], responses=VERSIONED)
def budget(code: Code, rows: Reading, response: Response) -> BudgetLine:
    """One authority's budget; all blank where none is recorded."""
    row = budgets.row_of(rows, code)
    tell_version(response, budgets.stamp(row))
    return _budget(row) if row else BudgetLine(code=code, budget_pence=None, spent_pence=0)


@router.put("/budgets/{code}", tags=["budgets"], responses=CHANGES)
def set_budget(
    code: Code, given: Budget, expected: IfMatch, person: Asking, rows: Writing, response: Response
) -> BudgetLine:
    """A manager sets what may be spent."""
    rows.take_turn()
    require_version(budgets.stamp(budgets.row_of(rows, code)), expected)
    row = budgets.set_budget(rows, code, given.budget_pence, given.spent_pence, user_id=person.user_id)
    tell_version(response, budgets.stamp(row))
    return _budget(row)


def _budget(row: tables.Budget) -> BudgetLine:
    return BudgetLine(code=row.code, budget_pence=row.budget_pence, spent_pence=row.spent_pence)
