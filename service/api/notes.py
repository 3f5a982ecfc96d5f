"""What is noted of a match that is no step: see `notes.py`."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from service import notes
from service.api.deps import Asking, Writing
from service.api.matches import MatchRecord, Recorded, recorded
from service.api.shapes import MADE, Given, MatchId, PrintableText, such_as

router = APIRouter(tags=["matches"])


class NewNote(Given):
    model_config = such_as(by="child", on="2026-11-20", note="She does not know yet, and will think about it.")
    by: Literal[notes.BY] = Field(description="Whose word it is. What a carer says for a child is the child’s.")  # type: ignore[valid-type]
    on: date = Field(description="The day on which it was said or agreed, by London’s calendar.")
    note: Annotated[str, PrintableText] = Field(min_length=1, max_length=2000, description="Sealed.")


@router.post("/matches/{match_id}/notes", status_code=201, responses=MADE)
def add_note(
    match_id: MatchId, given: NewNote, person: Asking, rows: Writing, response: Response
) -> MatchRecord | Recorded:
    """Notes something of a match that is no step: that a child does not know yet, say, or that a meeting is agreed.

    It stands in the timeline as `noted`, leads to nothing, and changes no version: no step is refused for it.
    """
    row = notes.add(rows, match_id, given.note, by=given.by, on=given.on, user_id=person.user_id)
    return recorded(person, rows, row, response)
