"""Children: who waits, what is known of each, and what the matcher says of them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from matcher import explain, today
from matcher.explain import verdicts, why_nobody
from matcher.instance import Instance
from service import audit_log, people, plans
from service.api import answers
from service.api.answers import as_it_is, described
from service.api.deps import Asking, Kith, Reading, Writing, attempt, may_identify, note_reading, refuse_without
from service.api.shapes import (
    CHANGES,
    MADE,
    VERSIONED,
    AlthoughTakenApart,
    Asked,
    Breaking,
    ChildFacts,
    ChildId,
    Coordinator,
    Given,
    IfMatch,
    ListPage,
    PageNumber,
    PageSize,
    Person,
    Reference,
    Version,
    VolunteerId,
    WhatWasSaid,
    WhyWeaker,
    id_of,
    one_page,
    require_version,
    such_as,
    tell_version,
)
from service.audit_log import Entry
from service.database import tables
from service.matching import Held
from service.permissions import Permission
from service.pseudonyms import pseudonymised, without_address, without_facts
from service.published import plan_today
from service.repository import Repository, children_in, with_references
from service.workflow import LIVE, StepRefusedError

Reasons = Annotated[
    bool, Query(description="Whether each line tells what every rule says of the two: 32 sentences each, 11 kB.")
]
router = APIRouter(prefix="/children", tags=["children"])


class ChildLine(BaseModel):
    id: str = Field(examples=["C7KQ4M2XPH3R"])
    reference: str | None = Field(examples=["C0001"], description="Only for those who may identify children.")
    referred_on: date | None
    coordinator: str | None = Field(examples=["J. Example"])
    coordinator_hash: str | None = Field(
        examples=["9f2c41d0a7b35e68c1d4f7082b96ae53d8e01c7f42b5a9630d1e8c7b5f4a2930"],
        description="To ask for a coordinator’s children and matches by: a name would stand in the address.",
    )
    state: str = Field(examples=["waiting"], description="waiting, or the state of the proposal or match.")
    version: Version


class ChildPage(ListPage):
    children: list[ChildLine]


class ChildRecord(BaseModel):
    """One child. `facts` are those that matching uses; names and addresses are not among them."""

    id: str = Field(examples=["C7KQ4M2XPH3R"])
    reference: str | None = Field(examples=["C0001"])
    version: Version
    facts: dict[str, Any] = Field(
        examples=[{"date_of_birth": "2014-05-03", "languages": ["en", "ti"], "placement": "NN1", "agrees": "yes"}],
        description="null is not recorded. An analyst is told `age` and `days_waited` in place of days.",
    )


class ChildNow(ChildRecord):
    breaking: Breaking


class NewChild(Given):
    model_config = such_as(reference="C0001", siblings=[], facts={"date_of_birth": "03/05/2014", "placement": "NN1"})
    reference: Reference
    siblings: list[Annotated[str, id_of("C")]] | None = Field(
        None, max_length=20, description="Ids of brothers and sisters; [] if there are none; null if not known yet."
    )
    although_taken_apart: AlthoughTakenApart = False
    said: WhatWasSaid = ""
    facts: ChildFacts = Field(default_factory=ChildFacts)  # type: ignore[valid-type]


class ChangedChild(Given):
    model_config = such_as(facts={"interests": "football; chess"})
    facts: ChildFacts  # type: ignore[valid-type]
    asked: Asked | None = Field(None, description="Where the child agrees who did not before.")
    no_by: Literal["child", "somebody else"] | None = Field(
        None,
        description="Whose no to any visitor it is: asked for where the child says no who did not before. What "
        "somebody else thinks right is not told as the child’s.",
    )
    why_weaker: WhyWeaker = None
    found: str = Field(
        "", max_length=2000,
        description="What a manager found of a safeguarding issue, in words: asked for where it is resolved, and read "
        "by managers alone.",
    )  # fmt: skip
    said: WhatWasSaid = ""


@router.get("")
def children(
    person: Asking,
    kith: Kith,
    rows: Reading,
    page: PageNumber = 1,
    size: PageSize = 50,
    sort: Literal["referred_on", "reference"] = "referred_on",
    coordinator: Coordinator = None,
    waiting: bool | None = None,
) -> ChildPage:
    """The children with a referral, longest wait first, a page at a time."""
    live = select(tables.Match.child_id, tables.Match.state).where(tables.Match.state.in_(LIVE)).subquery()
    query = (
        select(tables.Child, live.c.state)
        .outerjoin(live, live.c.child_id == tables.Child.id)
        .where(tables.Child.referral)
    )
    identified = may_identify(person)
    if coordinator is not None:
        meant = rows.hashes_meant(coordinator) if identified else ()
        query = query.where(tables.Child.coordinator_hash.in_(meant))
    if waiting is not None:
        query = query.where(live.c.state.is_(None) if waiting else live.c.state.is_not(None))
    order = tables.Child.reference if sort == "reference" and identified else tables.Child.referred_on
    total, found = one_page(rows.session, query.order_by(order.nulls_last(), tables.Child.id), page, size)
    note_reading(kith, person, "children", "", children=[child.id for child, _ in found])
    return ChildPage(
        total=total,
        page=page,
        children=[
            ChildLine(
                id=child.id, reference=child.reference if identified else None,
                referred_on=child.referred_on if identified else None,
                coordinator=rows.child_record(child, family_known=False).coordinator if identified else None,
                coordinator_hash=child.coordinator_hash if identified else None,
                state=state or "waiting", version=child.version,
            )
            for child, state in found
        ],
    )  # fmt: skip


@router.post("", status_code=201, responses=MADE)
def add(given: NewChild, person: Asking, rows: Writing, response: Response) -> ChildRecord:
    """A new referral."""
    facts = given.facts.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
    _managers_word(person, facts)
    although = None if given.although_taken_apart else ()
    row = people.add_child(rows, given.reference, facts, given.siblings, user_id=person.user_id, although=although,
                           said=given.said)  # fmt: skip
    return _record(rows, person, row, response)


@router.get("/{child_id}", responses=VERSIONED)
def child(child_id: ChildId, person: Asking, kith: Kith, rows: Reading, response: Response) -> ChildRecord:
    """The facts that matching uses of one child."""
    told = _record(rows, person, rows.child(child_id), response)
    note_reading(kith, person, "record", child_id)
    return told


@router.patch("/{child_id}", responses=CHANGES)
def change(
    child_id: ChildId, given: ChangedChild, expected: IfMatch, person: Asking, kith: Kith, response: Response
) -> ChildNow:
    """Changes the facts that are given, and no other. A no to any visitor ends what is live.

    That a safeguarding issue is resolved is a manager's word, with what was `found` (422 without it). A no to any
    visitor is recorded with whose word it is, `no_by`: nobody is taken to have said it (422 without it).
    Of a no alone the version is not asked: whatever else somebody changed meanwhile, it is the child's word.
    """
    facts = given.facts.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
    _managers_word(person, facts)
    if given.why_weaker:
        refuse_without(person, Permission.APPROVE)
    asked = people.Asked(given.asked.by, given.asked.on) if given.asked else None

    def write(rows: Repository) -> ChildNow:
        row = rows.child(child_id)
        if facts != {"agrees": "no"}:
            require_version(row.version, expected)
        breaking = people.change_child(
            rows, row, facts, user_id=person.user_id, why=given.why_weaker, asked=asked, no_by=given.no_by,
            found=given.found, said=given.said,
        )  # fmt: skip
        return ChildNow(**dict(_record(rows, person, row, response)), breaking=list(breaking))

    return attempt(kith, person, write)


@router.get("/{child_id}/person", responses=VERSIONED)
def who(child_id: ChildId, person: Asking, kith: Kith, rows: Reading, response: Response) -> Person:
    """Who the child is. Each asking is an entry of its own in the audit log."""
    row = rows.child(child_id)
    told = Person.model_validate_json(rows.open(row, "person") or "{}")
    tell_version(response, row.version)
    note_reading(kith, person, "person", child_id)
    return told


@router.put("/{child_id}/person", responses=CHANGES)
def name(
    child_id: ChildId, given: Person, expected: IfMatch, person: Asking, rows: Writing, response: Response
) -> Person:
    """Writes who the child is, in place of what stood there."""
    row = rows.child(child_id)
    require_version(row.version, expected)
    people.write_person(rows, row, given.model_dump_json(), user_id=person.user_id)
    tell_version(response, row.version)
    return given


def _managers_word(person: Asking, facts: dict[str, str | None]) -> None:
    if any(facts.get(name) for name in people.A_MANAGERS):
        refuse_without(person, Permission.APPROVE)


def _record(rows: Repository, person: Asking, row: tables.Child, response: Response) -> ChildRecord:
    known = rows.session.scalar(select(tables.Family.known).where(tables.Family.id == row.family_id))
    record = rows.child_record(row, family_known=bool(known))
    identified = may_identify(person)
    facts = without_address(record) if identified else pseudonymised(record, today())
    tell_version(response, row.version)
    return ChildRecord(id=row.id, reference=row.reference if identified else None, version=row.version, facts=facts)


@router.get("/{child_id}/shortlist", response_model=None, responses=described(answers.Shortlist))
def child_shortlist(
    child_id: ChildId,
    person: Asking,
    kith: Kith,
    rows: Reading,
    top: Annotated[int, Query(ge=1, le=50)] = 5,
    rank_by: Literal["plan", "fit"] = "plan",
    reasons: Reasons = False,
) -> Response:
    """The volunteers who could visit the child, best first, each with every reason; or why nobody could.

    Where records have just changed, what each choice means for the other children may still be being worked out: then
    `effects` says so, the order is by fit, and whoever asks again in a moment has it.
    """
    rows.child(child_id)
    found = plans.stored_shortlist(rows, child_id, top, rank_by) or _fresh(kith, rows, child_id, top, rank_by)
    instance = kith.matching.of(rows).instance
    planned = plan_today(rows, instance)
    add_reasons(instance, found["shortlist"], asked=reasons)
    for one in found["shortlist"]:
        one["planned_elsewhere"] = planned.elsewhere(child_id, one["volunteer"])
    with kith.database.write(person.authority_id) as session:  # what was shown is kept with who was shown it
        served = tables.Served(
            user_id=person.user_id, child_id=child_id, rank_by=found["rank_by"], policy=found["policy"],
            data_hash=found["data_hash"], ranks={one["volunteer"]: one["rank"] for one in found["shortlist"]},
        )  # fmt: skip
        session.add(served)
        named = {"served": served.id, "children": children_in(found)}
        entry = Entry(person.user_id, "read", child_id, "shortlist", named)
        audit_log.record(session, kith.keys, entry)
    return as_it_is(told(rows, may_identify(person), {"served": served.id, **found}))


def add_reasons(instance: Instance, shortlist: list[dict[str, Any]], *, asked: bool) -> None:
    """What each rule says of the two, beside what each score says: as the explanation of the pair has it."""
    pairs = [(one["child"], one["volunteer"]) for one in shortlist]
    told = verdicts(instance, pairs) if asked else [None for _ in pairs]
    for one, said in zip(shortlist, told, strict=True):
        one["reasons"] = None if said is None else [asdict(reason) for reason in said]


def _fresh(kith: Kith, rows: Repository, child_id: str, top: int, rank_by: Literal["plan", "fit"]) -> dict[str, Any]:
    """The shortlist computed from the data of now, where no run has found it."""
    held = _waiting(kith, rows, child_id)
    instance, ranked = held.instance, held.shortlist(child_id, top=top, rank_by=rank_by)
    return {
        "child": child_id,
        "rank_by": ranked.rank_by,
        "effects": ranked.effects,
        "policy": instance.policy.stamp,
        "data_hash": instance.data_hash,
        "as_of": instance.as_of.isoformat(),
        "shortlist": [candidate.to_dict() for candidate in ranked.candidates],
        "nobody_because": None if ranked.candidates else why_nobody(instance, child_id).reason,
    }


@router.get("/{child_id}/excluded", response_model=answers.Excluded)
def excluded(child_id: ChildId, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """How many volunteers each rule is the first to exclude for the child, in the order of the rules."""
    instance = _waiting(kith, rows, child_id).instance
    why = why_nobody(instance, child_id)
    could = len(instance.volunteers) - sum(why.excluded.values())
    reason = None if could else why.reason
    content = {"child": child_id, "eligible": could, "excluded": why.excluded, "nobody_because": reason}
    note_reading(kith, person, "excluded", child_id, children=children_in(content))
    return told(rows, may_identify(person), content)


@router.get("/{child_id}/volunteers/{volunteer_id}/explanation", response_model=answers.Explanation)
def explanation(
    child_id: ChildId, volunteer_id: VolunteerId, person: Asking, kith: Kith, rows: Reading
) -> dict[str, Any]:
    """Each rule's verdict on the two with its reason and source, and each score's points."""
    rows.volunteer(volunteer_id)
    content = explain(_waiting(kith, rows, child_id).instance, child_id, volunteer_id).to_dict()
    note_reading(kith, person, "explanation", child_id, volunteer=volunteer_id, children=children_in(content))
    return told(rows, may_identify(person), content)


def _waiting(kith: Kith, rows: Repository, child_id: str) -> Held:
    """Fresh data, if the child waits. Raises NotFoundError, or StepRefusedError for a child with a visitor."""
    rows.child(child_id)
    held = kith.matching.of(rows)
    if child_id in held.instance.visited:
        raise StepRefusedError("The child has a visitor now, and is not waiting.")
    return held


def told(rows: Repository, identified: bool, content: dict[str, Any]) -> dict[str, Any]:
    """With the council's references in the sentences, for those who may know them; to others without the sentences."""
    named: dict[str, Any] = with_references(content, rows.references()) if identified else without_facts(content)
    return named
