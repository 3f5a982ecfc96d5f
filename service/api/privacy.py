"""Privacy: what is kept of a person, told to them; what has been kept long enough; erasing it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from matcher import records
from matcher.records import ExceptionKind, Party
from service import privacy, subject_access
from service import retention as keeping
from service.api.deps import Asking, Kith, Reading, Writing, note_reading
from service.api.shapes import (
    AChild,
    AMatch,
    AUser,
    AVolunteer,
    ChildId,
    Given,
    VolunteerId,
    such_as,
)
from service.workflow import State

router = APIRouter(tags=["privacy"])


class Erasure(Given):
    model_config = such_as(reason="retention period over")
    reason: Literal[privacy.ERASE_REASONS]  # type: ignore[valid-type]


class DueLine(BaseModel):
    record: str = Field(examples=["child"])
    id: AChild
    since: date


class KeptLine(BaseModel):
    record: str = Field(examples=["child"])
    days: int = Field(examples=[2190], description="0 where there is no end.")
    since: str = Field(examples=["the end of the last match, or the last change where there was none"])
    then: str = Field(examples=["listed as due; a manager erases"])


class Retention(BaseModel):
    kept: list[KeptLine]
    due: list[DueLine]


class _Own(BaseModel):
    """What is told to whom it is about: what somebody else said stays theirs, and is null."""

    model_config = ConfigDict(extra="forbid")
    by: Party | None
    reason: str | None = Field(examples=["no reason given"])


class OwnDecision(_Own):
    step: str = Field(examples=["child_declines"])
    at: datetime
    state: str = Field(examples=["declined"])
    taken_back: bool = Field(examples=[False], description="Whether it was recorded by mistake, and counts no more.")
    note: str | None = Field(examples=[None])
    scores: dict[str, int | None] | None = Field(
        examples=[{"interests": 810, "distance": None}],
        description="What each score said of the two when they were proposed, in thousandths.",
    )


class OwnMatch(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: AMatch
    child: AChild
    volunteer: AVolunteer
    state: State = Field(examples=["declined"])
    started_on: date | None = Field(examples=[None])
    ended_on: date | None = Field(examples=[None])
    reason: str | None = Field(examples=["no reason given"])
    shown_to_other: list[str] = Field(
        examples=[["interests"]], description="Facts about them that the other was shown."
    )
    decisions: list[OwnDecision]


class ChildsNo(_Own):
    volunteer: AVolunteer
    on: date | None


class VolunteersNo(_Own):
    child: AChild
    on: date | None


class OwnException(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: ExceptionKind
    value: int | None = Field(examples=[2])
    on: date
    withdrawn_on: date | None = Field(examples=[None])


class OwnEntry(BaseModel):
    """Who read or changed the record."""

    model_config = ConfigDict(extra="forbid")
    at: datetime
    by: AUser
    action: str = Field(examples=["read"])
    page: str = Field(examples=["shortlist"], description="Of a reading: on what.")


class TakenApart(BaseModel):
    """A child who is no brother or sister, by a manager's word."""

    model_config = ConfigDict(extra="forbid")
    child: AChild
    on: date


class Siblings(BaseModel):
    """Who is a brother or a sister; with none, whether somebody recorded that there are none."""

    model_config = ConfigDict(extra="forbid")
    recorded: bool = Field(examples=[True])
    children: list[AChild]


class _Planned(BaseModel):
    """That a plan that was published matched them."""

    model_config = ConfigDict(extra="forbid")
    found_on: datetime
    published_on: datetime


class ChildsPlan(_Planned):
    volunteer: AVolunteer


class VolunteersPlan(_Planned):
    child: AChild


class _Listed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: datetime


class OwnShortlist(_Listed):
    """A list of volunteers for the child."""

    shown_to: AUser | None = Field(description="Null where a run made it.")
    volunteers: int = Field(examples=[12], description="How many were on it.")


class Shown(_Listed):
    """A shortlist on which the volunteer stood."""

    shown_to: AUser
    rank: int = Field(examples=[3])


class Standing(BaseModel):
    """Where the volunteer stood from then on."""

    model_config = ConfigDict(extra="forbid")
    at: datetime
    status: str = Field(examples=["approved"])
    reason: str | None = Field(examples=["checks complete"], description="Where it is the volunteer's own affair.")


class _Export(BaseModel):
    model_config = ConfigDict(extra="forbid")
    person: str | None = Field(
        examples=['{"name": "A. Example"}'], description="Who they are, as JSON: name, address, contact, notes."
    )
    matches: list[OwnMatch]
    exceptions: list[OwnException]
    read_by: list[OwnEntry]


class ChildExport(_Export):
    """Everything that Kith keeps of a child."""

    child: AChild
    reference: str = Field(examples=["C0060"])
    facts: records.Child = Field(examples=[{"id": "C7KQ4M2XPH3R", "interests": ["chess"], "agrees": "yes"}])
    siblings: Siblings
    declined: list[ChildsNo]
    taken_apart: list[TakenApart]
    planned: list[ChildsPlan]
    shortlists: list[OwnShortlist]


class VolunteerExport(_Export):
    """Everything that Kith keeps of a volunteer."""

    volunteer: AVolunteer
    reference: str = Field(examples=["V0023"])
    facts: records.Volunteer = Field(examples=[{"id": "V4TX9B2LMD7W", "interests": ["chess"], "status": "approved"}])
    standing: list[Standing]
    declined: list[VolunteersNo]
    planned: list[VolunteersPlan]
    shown: list[Shown]


@router.get("/children/{child_id}/export", response_model=ChildExport)
def export_child(child_id: ChildId, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """Everything that Kith keeps of a child, to answer them who ask. It holds names: hand it to nobody else.

    Of what others decided it has the step, the day and the outcome; their reasons and notes are theirs.
    """
    told = subject_access.child_export(rows, rows.child(child_id))
    named = {one["child"] for one in told["taken_apart"]} | {*told["siblings"]["children"]}
    note_reading(kith, person, "export", child_id, children=sorted(named))
    return told


@router.get("/volunteers/{volunteer_id}/export", response_model=VolunteerExport)
def export_volunteer(volunteer_id: VolunteerId, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """Everything that Kith keeps of a volunteer, to answer them who ask.

    Of what others decided it has the step, the day and the outcome; what a child said stays the child's.
    """
    told = subject_access.volunteer_export(rows, rows.volunteer(volunteer_id))
    named = {one["child"] for one in (*told["matches"], *told["declined"], *told["planned"])}
    named |= {*(told["facts"].known_children or ())}
    note_reading(kith, person, "export", volunteer_id, children=sorted(named))
    return told


@router.post("/children/{child_id}/erasure", status_code=204)
def erase_child(child_id: ChildId, given: Erasure, person: Asking, rows: Writing) -> None:
    """Erases what is known of a child. What keeps others safe stays, by opaque ids. It cannot be undone."""
    privacy.erase_child(rows, rows.child(child_id), user_id=person.user_id, reason=given.reason)


@router.post("/volunteers/{volunteer_id}/erasure", status_code=204)
def erase_volunteer(volunteer_id: VolunteerId, given: Erasure, person: Asking, rows: Writing) -> None:
    """Erases what is known of a volunteer. It cannot be undone."""
    privacy.erase_volunteer(rows, rows.volunteer(volunteer_id), user_id=person.user_id, reason=given.reason)


@router.get("/retention")
def retention(person: Asking, kith: Kith, rows: Reading) -> Retention:
    """How long each type of record is kept, and who is due to be erased."""
    due, kept = keeping.due(rows), keeping.kept(kith.settings.plan_months)
    note_reading(kith, person, "retention", "", children=[one.id for one in due if one.id.startswith("C")])
    return Retention(
        kept=[KeptLine(record=one.record, days=one.days, since=one.since, then=one.then) for one in kept],
        due=[DueLine(record=one.record, id=one.id, since=one.since) for one in due],
    )
