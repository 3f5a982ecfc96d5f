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


@router.get("/children/{child_id}/export")
def export_child(child_id: ChildId, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """Everything that Kith keeps of a child, to answer them who ask. It holds names: hand it to nobody else."""
    told = privacy.child_export(rows, rows.child(child_id))
    note_reading(kith, person, "export", child_id)
    return told


@router.get("/volunteers/{volunteer_id}/export")
def export_volunteer(volunteer_id: VolunteerId, person: Asking, kith: Kith, rows: Reading) -> dict[str, Any]:
    """Everything that Kith keeps of a volunteer, to answer them who ask."""
    told = privacy.volunteer_export(rows, rows.volunteer(volunteer_id))
    note_reading(kith, person, "export", volunteer_id)
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
def retention(rows: Reading) -> Retention:
    """How long each type of record is kept, and who is due to be erased."""
    return Retention(
        kept=[KeptLine(record=one.record, days=one.days, since=one.since, then=one.then) for one in privacy.RETENTION],
        due=[DueLine(record=one.record, id=one.id, since=one.since) for one in privacy.due(rows)],
    )
