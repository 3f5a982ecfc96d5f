"""The page on which something is noted of a match that is no step: dated, in words, with whose word it is.

It rests on the rows alone, as every page of a child's word: see `proposals.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from matcher.instance import today
from matcher.records import Party
from service import notes
from service.api.deps import Asking, Kith, Reading, attempt, note_reading
from service.api.shapes import MatchId
from service.pages import forms
from service.pages.html import render
from service.pages.proposals import Note
from service.pages.story import PARTY
from service.pages.when import no_day, written
from service.privacy import either_is_erased
from service.repository import Repository
from service.workflow import StepRefusedError

router = APIRouter()


@router.get("/proposals/{match_id}/notes")
def notes_page(match_id: MatchId, request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    return _form(request, person, kith, rows, match_id, {"day": f"{today():%d/%m/%Y}"}, {})


@router.post("/proposals/{match_id}/notes")
def add_note(
    match_id: MatchId, request: Request, person: Asking, kith: Kith, said_by: Annotated[str, Form(max_length=20)] = "",
    day: Annotated[str, Form(max_length=40)] = "", note: Note = "",
) -> Response:  # fmt: skip
    typed = {"said_by": said_by, "day": day, "note": note}
    errors = _missing(typed)
    try:
        if not errors:
            attempt(kith, person, lambda rows: notes.add(
                rows, match_id, note, by=Party(said_by), on=written(day), user_id=person.user_id,
            ))  # fmt: skip
    except notes.DayRefusedError as error:
        errors = {"day": str(error)}
    if errors:
        with kith.database.read(person.authority_id) as session:
            return _form(request, person, kith, Repository(session, kith.keys), match_id, typed, errors)
    return RedirectResponse(f"/proposals/{match_id}?noted=now", 303)


def _missing(typed: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with what was sent, by field, before anything is asked of what is on record."""
    errors = {}
    if typed["said_by"] not in notes.BY:
        errors["said_by"] = "Choose whose word it is."
    if wrong := no_day(typed["day"]):
        errors["day"] = wrong
    if not typed["note"].strip():
        errors["note"] = "Write what there is to note."
    elif not forms.in_plain(typed["note"]):
        errors["note"] = forms.NOT_PLAIN
    return errors


def _form(
    request: Request, person: Asking, kith: Kith, rows: Repository, match_id: str, typed: Mapping[str, str],
    errors: Mapping[str, str],
) -> Response:  # fmt: skip
    match = rows.match(match_id)
    note_reading(kith, person, "proposal", match.child_id)
    child, volunteer = rows.child(match.child_id), rows.volunteer(match.volunteer_id)
    if either_is_erased(rows, match):
        raise StepRefusedError(notes.ERASED)
    return render(
        request, "note.html", person, status=422 if errors else 200, match=match, typed=typed, errors=errors,
        by=notes.BY, party=PARTY, child=child.reference, volunteer=volunteer.reference,
    )  # fmt: skip
