"""Volunteers: who there is, what is known of each, their standing, and the children whom they could visit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from matcher.records import Status
from service import people, standing
from service.api.answers import VolunteerShortlist, as_it_is, described
from service.api.children import Reasons, add_reasons, told
from service.api.deps import Asking, Kith, Reading, Writing, attempt, may_identify, note_reading, refuse_without
from service.api.shapes import (
    CHANGES,
    MADE,
    VERSIONED,
    AMatch,
    AVolunteer,
    Breaking,
    Given,
    IfMatch,
    ListPage,
    PageNumber,
    PageSize,
    Person,
    Reference,
    Version,
    VolunteerFacts,
    VolunteerId,
    WhatWasSaid,
    WhyWeaker,
    one_page,
    require_version,
    such_as,
    tell_version,
)
from service.database import tables
from service.permissions import Permission
from service.pseudonyms import volunteer_pseudonymised, volunteer_without_address
from service.repository import Repository, children_in
from service.workflow import LIVE

router = APIRouter(prefix="/volunteers", tags=["volunteers"])


class VolunteerLine(BaseModel):
    id: str = Field(examples=["V4TX9B2LMD7W"])
    reference: str | None = Field(examples=["V0001"])
    status: Status | None = Field(examples=["approved"])
    capacity: int = Field(examples=[1], description="How many children at once.")
    live: int = Field(examples=[0], description="How many proposals and matches are live.")
    version: Version


class VolunteerPage(ListPage):
    volunteers: list[VolunteerLine]


class VolunteerRecord(BaseModel):
    """One volunteer. `facts` are those that matching uses; names and addresses are not among them."""

    id: str = Field(examples=["V4TX9B2LMD7W"])
    reference: str | None = Field(examples=["V0001"])
    version: Version
    status: Status | None = Field(examples=["approved"])
    capacity: int = Field(examples=[1])
    facts: dict[str, Any] = Field(
        examples=[{"date_of_birth": "1988-02-11", "languages": ["en"], "home": "NN4", "dbs_checked_on": "2025-12-02"}],
        description="null is not recorded. An analyst is told no dates and places.",
    )


class VolunteerNow(VolunteerRecord):
    breaking: Breaking


class NewVolunteer(Given):
    model_config = such_as(reference="V0001", facts={"date_of_birth": "11/02/1988", "home": "NN4"})
    reference: Reference
    facts: VolunteerFacts = Field(default_factory=VolunteerFacts)  # type: ignore[valid-type]


class ChangedVolunteer(Given):
    model_config = such_as(facts={"dbs_checked_on": "02/12/2025"})
    facts: VolunteerFacts  # type: ignore[valid-type]
    why_weaker: WhyWeaker = None


class NewStatus(Given):
    model_config = such_as(status="suspended", reason="concern raised")
    status: Status
    reason: Literal[standing.STATUS_REASONS]  # type: ignore[valid-type]
    found: str = Field(
        "", max_length=2000,
        description="What a manager found of a concern, in words: asked for where one is closed, and read by managers "
        "alone.",
    )  # fmt: skip
    said: WhatWasSaid = ""


class StatusChanged(BaseModel):
    """Where the volunteer stands now, and the matches that somebody has to look at because of it."""

    id: AVolunteer
    version: Version
    status: Status = Field(examples=["suspended"])
    withdrawn: list[AMatch] = Field(description="Ids of proposals that are off.")
    paused: list[AMatch] = Field(description="Ids of matches whose visits are paused.")
    past: list[AMatch] = Field(
        description="Ids of ended matches, and of proposals over after a meeting: those children are asked too."
    )


@router.get("")
def volunteers(
    person: Asking,
    rows: Reading,
    page: PageNumber = 1,
    size: PageSize = 50,
    sort: Literal["reference", "status"] = "reference",
    status: Status | None = None,
    free: Annotated[bool | None, Query(description="Whether a place is free.")] = None,
) -> VolunteerPage:
    """The volunteers, a page at a time."""
    live = (
        select(tables.Match.volunteer_id, func.count().label("live"))
        .where(tables.Match.state.in_(LIVE))
        .group_by(tables.Match.volunteer_id)
        .subquery()
    )
    taken = func.coalesce(live.c.live, 0)
    query = select(tables.Volunteer, taken).outerjoin(live, live.c.volunteer_id == tables.Volunteer.id)
    if status is not None:
        query = query.where(tables.Volunteer.status == status)
    if free is not None:
        query = query.where(taken < tables.Volunteer.capacity if free else taken >= tables.Volunteer.capacity)
    identified = may_identify(person)
    first = [tables.Volunteer.status.nulls_last()] if sort == "status" else []
    order = [*first, tables.Volunteer.reference] if identified else [*first, tables.Volunteer.id]
    total, found = one_page(rows.session, query.order_by(*order), page, size)
    return VolunteerPage(
        total=total,
        page=page,
        volunteers=[
            VolunteerLine(
                id=row.id, reference=row.reference if identified else None,
                status=Status(row.status) if row.status else None, capacity=row.capacity, live=count,
                version=row.version,
            )
            for row, count in found
        ],
    )  # fmt: skip


@router.post("", status_code=201, responses=MADE)
def add(given: NewVolunteer, person: Asking, rows: Writing, response: Response) -> VolunteerRecord:
    """A new volunteer, an applicant until their status is changed."""
    facts = given.facts.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
    row = people.add_volunteer(rows, given.reference, facts, user_id=person.user_id)
    return _record(rows, person, row, response)


@router.get("/{volunteer_id}", responses=VERSIONED)
def volunteer(
    volunteer_id: VolunteerId, person: Asking, kith: Kith, rows: Reading, response: Response
) -> VolunteerRecord:
    """The facts that matching uses of one volunteer."""
    row = rows.volunteer(volunteer_id)
    known = rows.volunteer_record(row).known_children or ()
    note_reading(kith, person, "volunteer", "", children=sorted(known), volunteer=volunteer_id)
    return _record(rows, person, row, response)


@router.patch("/{volunteer_id}", responses=CHANGES)
def change(
    volunteer_id: VolunteerId,
    given: ChangedVolunteer,
    expected: IfMatch,
    person: Asking,
    rows: Writing,
    response: Response,
) -> VolunteerNow:
    """Changes the facts that are given, and no other."""
    row = rows.volunteer(volunteer_id)
    require_version(row.version, expected)
    facts = given.facts.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
    if given.why_weaker:
        refuse_without(person, Permission.APPROVE)
    breaking = people.change_volunteer(rows, row, facts, user_id=person.user_id, why=given.why_weaker)
    return VolunteerNow(**dict(_record(rows, person, row, response)), breaking=list(breaking))


@router.post("/{volunteer_id}/status", responses=CHANGES)
def set_status(
    volunteer_id: VolunteerId, given: NewStatus, expected: IfMatch, person: Asking, kith: Kith, response: Response
) -> StatusChanged:
    """Changes where a volunteer stands.

    Whoever is approved no longer has every proposal withdrawn and every appointment paused in the same transaction;
    where a concern is the reason, past appointments are brought up too, and meetings of which nothing came. Whoever was
    suspended, withdrawn or resigned becomes an applicant or approved again by a manager alone, who also says what came
    of a concern about somebody who stays away: “investigation closed” or “no longer suitable”. After a concern
    “investigation closed” is the only reason to take them back, and whoever closes one says what was `found` (422
    without it). To stop somebody the version is not asked.
    Nobody is approved (409) who lacks a check that the policy in force asks: what is blank or has lapsed is named.
    """

    def write(rows: Repository) -> StatusChanged:
        row = rows.volunteer(volunteer_id)
        if given.status not in standing.STOPPED or row.status in standing.STOPPED:
            require_version(row.version, expected)
        if standing.needs_a_manager(row.status, given.status):
            refuse_without(person, Permission.APPROVE)
        brought = standing.set_status(
            rows, row, given.status, user_id=person.user_id, reason=given.reason,
            manager=Permission.APPROVE in person.may, found=given.found, said=given.said,
        )  # fmt: skip
        tell_version(response, row.version)
        return StatusChanged(id=row.id, version=row.version, status=given.status, **brought.to_dict())

    return attempt(kith, person, write)


@router.get("/{volunteer_id}/person", responses=VERSIONED)
def who(volunteer_id: VolunteerId, person: Asking, kith: Kith, rows: Reading, response: Response) -> Person:
    """Who the volunteer is. Each asking is an entry of its own in the audit log."""
    row = rows.volunteer(volunteer_id)
    found = Person.model_validate_json(rows.open(row, "person") or "{}")
    tell_version(response, row.version)
    note_reading(kith, person, "person", volunteer_id)
    return found


@router.put("/{volunteer_id}/person", responses=CHANGES)
def name(
    volunteer_id: VolunteerId, given: Person, expected: IfMatch, person: Asking, rows: Writing, response: Response
) -> Person:
    """Writes who the volunteer is, in place of what stood there."""
    row = rows.volunteer(volunteer_id)
    require_version(row.version, expected)
    people.write_person(rows, row, given.model_dump_json(), user_id=person.user_id)
    tell_version(response, row.version)
    return given


@router.get("/{volunteer_id}/shortlist", response_model=None, responses=described(VolunteerShortlist))
def volunteer_shortlist(
    volunteer_id: VolunteerId,
    person: Asking,
    kith: Kith,
    rows: Reading,
    top: Annotated[int, Query(ge=1, le=50)] = 5,
    rank_by: Literal["plan", "fit"] = "plan",
    reasons: Reasons = False,
) -> Response:
    """The children whom a volunteer could visit. A proposal is made from the child's own shortlist."""
    rows.volunteer(volunteer_id)
    held = kith.matching.of(rows)
    ranked = held.shortlist_for_volunteer(volunteer_id, top=top, rank_by=rank_by)
    lines = [one.to_dict() for one in ranked.candidates]
    add_reasons(held.instance, lines, asked=reasons)
    content = {
        "volunteer": volunteer_id, "rank_by": ranked.rank_by, "effects": ranked.effects,
        "policy": held.instance.policy.stamp, "data_hash": held.instance.data_hash,
        "as_of": held.instance.as_of.isoformat(), "shortlist": lines,
    }  # fmt: skip
    note_reading(kith, person, "shortlist of a volunteer", "", children=children_in(content), volunteer=volunteer_id)
    return as_it_is(told(rows, may_identify(person), content))


def _record(rows: Repository, person: Asking, row: tables.Volunteer, response: Response) -> VolunteerRecord:
    identified = may_identify(person)
    record = rows.volunteer_record(row)
    tell_version(response, row.version)
    return VolunteerRecord(
        id=row.id, reference=row.reference if identified else None, version=row.version, status=record.status,
        capacity=row.capacity,
        facts=volunteer_without_address(record) if identified else volunteer_pseudonymised(record),
    )  # fmt: skip
