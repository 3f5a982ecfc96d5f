"""Privacy: what is kept of a person, told to them; what has been kept long enough; erasing it."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from service import privacy
from service.api.deps import Asking, Kith, Reading, Writing, note_reading
from service.api.shapes import ChildId, Given, VolunteerId, such_as

router = APIRouter(tags=["privacy"])


class Erasure(Given):
    model_config = such_as(reason="retention period over")
    reason: Literal[privacy.ERASE_REASONS]  # type: ignore[valid-type]


class DueLine(BaseModel):
    record: str = Field(examples=["child"])
    id: str = Field(examples=["C7KQ4M2XPH3R"])
    since: date


class KeptLine(BaseModel):
    record: str
    days: int
    since: str
    then: str


class Retention(BaseModel):
    kept: list[KeptLine]
    due: list[DueLine]


_CHILD, _VOLUNTEER = {"child": "C7KQ4M2XPH3R"}, {"volunteer": "V4TX9B2LMD7W"}


def _such_as(person: dict[str, str], other: dict[str, str], reference: str) -> dict[int | str, dict[str, Any]]:
    """An export, for the document of the API."""
    own = "child" in person
    no = {"by": "child" if own else None, "reason": "no reason given" if own else None}
    step = {"step": "child_declines", "at": "2026-11-02T10:30:00Z", "state": "declined", **no, "note": None}
    match = {"id": "M3HG8K5QWN2P", **_CHILD, **_VOLUNTEER, "state": "declined", "started_on": None, "ended_on": None}
    example = {
        **person, "reference": reference, "person": '{"name": "A. Example"}', "facts": {"interests": ["chess"]},
        "matches": [{**match, "reason": no["reason"], "decisions": [{**step, "scores": None}]}],
        "declined": [{**other, **no, "on": "2026-11-02"}], "exceptions": [],
        "read_by": [{"at": "2026-11-01T09:00:00Z", "by": "U6WX2K9NBT4D", "action": "read", "page": "shortlist"}],
    }  # fmt: skip
    if own:
        example["taken_apart"] = [{"child": "C2NB8T5WGX9K", "on": "2026-11-02"}]
    return {200: {"content": {"application/json": {"example": example}}}}


@router.get("/children/{child_id}/export", responses=_such_as(_CHILD, _VOLUNTEER, "C0060"))
def export_child(child_id: ChildId, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """Everything that Kith keeps of a child, to answer them who ask. It holds names: hand it to nobody else.

    Of what others decided it has the step, the day and the outcome; their reasons and notes are theirs.
    """
    told = privacy.child_export(rows, rows.child(child_id))
    note_reading(kith, person, "export", child_id, children=[one["child"] for one in told["taken_apart"]])
    return told


@router.get("/volunteers/{volunteer_id}/export", responses=_such_as(_VOLUNTEER, _CHILD, "V0023"))
def export_volunteer(volunteer_id: VolunteerId, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """Everything that Kith keeps of a volunteer, to answer them who ask.

    Of what others decided it has the step, the day and the outcome; what a child said stays the child's.
    """
    told = privacy.volunteer_export(rows, rows.volunteer(volunteer_id))
    named = {one["child"] for one in (*told["matches"], *told["declined"])} | {*(told["facts"].known_children or ())}
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
    due, kept = privacy.due(rows), privacy.kept(kith.settings.plan_months)
    note_reading(kith, person, "retention", "", children=[one.id for one in due if one.id.startswith("C")])
    return Retention(
        kept=[KeptLine(record=one.record, days=one.days, since=one.since, then=one.then) for one in kept],
        due=[DueLine(record=one.record, id=one.id, since=one.since) for one in due],
    )
