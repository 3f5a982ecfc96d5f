"""Children, and what the matcher says of each: the shortlist, an explanation, who is excluded."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from matcher import explain, shortlist, today
from matcher.explain import why_nobody
from matcher.instance import Instance
from service.api.deps import Asking, Kith, Reading, may_identify, note_reading
from service.database import tables
from service.pseudonyms import pseudonymised, without_address
from service.repository import Repository, with_references
from service.workflow import LIVE, StepRefusedError

router = APIRouter(prefix="/children", tags=["children"])

Id = Annotated[str, Path(pattern="^[A-Z][2-9B-Z]{11}$", examples=["C7KQ4M2XPH3R"])]


class ChildLine(BaseModel):
    id: str = Field(examples=["C7KQ4M2XPH3R"])
    reference: str | None = Field(examples=["C0001"], description="Only for those who may identify children.")
    referred_on: date | None
    coordinator: str | None
    state: str = Field(examples=["waiting"], description="waiting, or the state of the proposal or match.")
    version: int


class ChildPage(BaseModel):
    total: int
    page: int
    children: list[ChildLine]


@router.get("")
def children(
    person: Asking,
    kith: Kith,
    rows: Reading,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    size: Annotated[int, Query(ge=1, le=200)] = 50,
    sort: Literal["referred_on", "reference"] = "referred_on",
    coordinator: Annotated[str | None, Query(max_length=80)] = None,
    waiting: bool | None = None,
) -> ChildPage:
    """The children with a referral, longest wait first, a page at a time."""
    live = select(tables.Match.child_id, tables.Match.state).where(tables.Match.state.in_(LIVE)).subquery()
    query = (
        select(tables.Child, live.c.state)
        .outerjoin(live, live.c.child_id == tables.Child.id)
        .where(tables.Child.referral)
    )
    if coordinator is not None:
        query = query.where(tables.Child.coordinator == coordinator)
    if waiting is not None:
        query = query.where(live.c.state.is_(None) if waiting else live.c.state.is_not(None))
    total = rows.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    identified = may_identify(person)
    order = tables.Child.reference if sort == "reference" and identified else tables.Child.referred_on
    found = rows.session.execute(
        query.order_by(order.nulls_last(), tables.Child.id).offset((page - 1) * size).limit(size)
    ).all()
    note_reading(kith, person, "list", "", children=[child.id for child, _ in found])
    return ChildPage(
        total=total,
        page=page,
        children=[
            ChildLine(
                id=child.id, reference=child.reference if identified else None, referred_on=child.referred_on,
                coordinator=child.coordinator if identified else None, state=state or "waiting", version=child.version,
            )
            for child, state in found
        ],
    )  # fmt: skip


@router.get("/{child_id}")
def child(child_id: Id, person: Asking, kith: Kith, rows: Reading, response: Response) -> dict[str, Any]:
    """The facts that matching uses of one child. Names and addresses are not among them."""
    row = rows.child(child_id)
    known = rows.session.scalar(select(tables.Family.known).where(tables.Family.id == row.family_id))
    record = rows.child_record(row, family_known=bool(known))
    response.headers["ETag"] = f'"{row.version}"'
    identified = may_identify(person)
    note_reading(kith, person, "record", row.id)
    facts = without_address(record) if identified else pseudonymised(record, today())
    return {
        "id": row.id, "reference": row.reference if identified else None, "version": row.version, "facts": facts,
    }  # fmt: skip


@router.get("/{child_id}/shortlist")
def child_shortlist(
    child_id: Id,
    person: Asking,
    kith: Kith,
    rows: Reading,
    top: Annotated[int, Query(ge=1, le=50)] = 5,
    rank_by: Literal["plan", "fit"] = "plan",
) -> dict[str, Any]:
    """The volunteers who could visit the child, best first, each with every reason; or why nobody could."""
    instance = _waiting(rows, child_id)
    candidates = shortlist(instance, child_id, top=top, rank_by=rank_by)
    why = None if candidates else why_nobody(instance, child_id)
    note_reading(kith, person, "shortlist", child_id)
    return _told(
        rows,
        may_identify(person),
        {
            "child": child_id,
            "rank_by": rank_by,
            "policy": instance.policy.stamp,
            "data_hash": instance.data_hash,
            "as_of": instance.as_of.isoformat(),
            "shortlist": [candidate.to_dict() for candidate in candidates],
            "nobody_because": why.reason if why else None,
        },
    )


@router.get("/{child_id}/excluded")
def excluded(child_id: Id, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """How many volunteers each rule is the first to exclude for the child, in the order of the rules."""
    instance = _waiting(rows, child_id)
    candidates = shortlist(instance, child_id, top=len(instance.volunteers) or 1, rank_by="fit")
    why = why_nobody(instance, child_id)
    note_reading(kith, person, "excluded", child_id)
    reason = None if candidates else why.reason
    content = {"child": child_id, "eligible": len(candidates), "excluded": why.excluded, "nobody_because": reason}
    return _told(rows, may_identify(person), content)


@router.get("/{child_id}/volunteers/{volunteer_id}/explanation")
def explanation(child_id: Id, volunteer_id: Id, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """Each rule's verdict on the two with its reason and source, and each score's points."""
    rows.volunteer(volunteer_id)
    told = explain(_waiting(rows, child_id), child_id, volunteer_id)
    note_reading(kith, person, "explanation", child_id, volunteer=volunteer_id)
    return _told(rows, may_identify(person), told.to_dict())


def _waiting(rows: Repository, child_id: str) -> Instance:
    """Fresh data, if the child waits. Raises NotFoundError, or StepRefusedError for a child with a visitor."""
    rows.child(child_id)
    instance = rows.instance(today())
    if child_id in instance.visited:
        raise StepRefusedError("The child has a visitor now, and is not waiting.")
    return instance


def _told(rows: Repository, identified: bool, content: dict[str, Any]) -> dict[str, Any]:
    """With the council's references in the sentences, for those who may know them."""
    told: dict[str, Any] = with_references(content, rows.references()) if identified else content
    return told
