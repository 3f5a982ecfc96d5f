"""The page on which is recorded what a child said who was asked about the visits of before, since a concern.

It rests on the rows alone, as every page of a child's word: see `proposals.py`. Whoever is asked may have no referral.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm.exc import StaleDataError

from matcher.records import Party
from service import asking
from service.api.deps import Asking, Kith, Reading, attempt, note_reading, refuse_without
from service.api.shapes import MatchId
from service.asking import DayRefusedError, NothingWrittenError
from service.pages import forms
from service.pages.html import render
from service.pages.proposals import Note
from service.pages.story import CAME_OF_IT, why_brought_up
from service.pages.when import no_day, written
from service.permissions import Permission
from service.reasons import ASKED_OUTCOMES, FOLLOWS, NOT_ASKED_YET, NOT_TO_BE_ASKED, TOLD_SOMETHING, Follows
from service.repository import Repository
from service.workflow import StepRefusedError

router = APIRouter()

_SAYS: Mapping[str, str] = {
    TOLD_SOMETHING: FOLLOWS[TOLD_SOMETHING],
    **dict.fromkeys(NOT_ASKED_YET, "They stay on the first page until somebody has asked them."),
    NOT_TO_BE_ASKED: "A manager’s decision: others ask them, say, or it would harm them. They leave the first page.",
}
"""What follows from an outcome."""
_MOVED_ON = "Somebody has recorded something of this match meanwhile. Nothing of yours was recorded: look at it first."


@router.get("/proposals/{match_id}/asked")
def asked_page(match_id: MatchId, request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    return _form(request, person, kith, rows, match_id, {}, {})


@router.post("/proposals/{match_id}/asked")
def asked(
    match_id: MatchId, request: Request, person: Asking, kith: Kith, version: Annotated[int, Form()] = 0,
    outcome: Annotated[str, Form(max_length=60)] = "", asked_by: Annotated[str, Form(max_length=20)] = "",
    day: Annotated[str, Form(max_length=40)] = "", note: Note = "",
) -> Response:  # fmt: skip
    if outcome == NOT_TO_BE_ASKED:
        refuse_without(person, Permission.APPROVE)
        asked_by = Party.AUTHORITY
    typed = {"outcome": outcome, "asked_by": asked_by, "day": day, "note": note}
    errors = _missing(typed)

    def record(rows: Repository) -> None:
        match = rows.match(match_id)
        if match.version != version and outcome != TOLD_SOMETHING:  # which is never refused for being second
            raise StaleDataError("The match was changed meanwhile.")
        asking.record(
            rows, match_id, outcome, asked_by=Party(asked_by), on=written(day), user_id=person.user_id, note=note
        )

    status = 422
    try:
        if not errors:
            attempt(kith, person, record)
    except NothingWrittenError as error:
        errors = {"note": str(error)}
    except DayRefusedError as error:
        errors = {"day": str(error)}
    except StaleDataError:
        errors, status = {"outcome": _MOVED_ON}, 409
    if errors:
        with kith.database.read(person.authority_id) as session:
            return _form(request, person, kith, Repository(session, kith.keys), match_id, typed, errors, status)
    if FOLLOWS.get(outcome) is Follows.SUSPENDED:  # on the volunteer's page stands whom to tell, and who else to ask
        with kith.database.read(person.authority_id) as session:
            volunteer = Repository(session, kith.keys).match(match_id).volunteer_id
        return RedirectResponse(f"/volunteers/{volunteer}?saved=suspended", 303)
    return RedirectResponse(f"/proposals/{match_id}?asked=now", 303)


def _missing(typed: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with what was sent, by field, before anything is asked of what is on record."""
    errors = {}
    if typed["outcome"] not in ASKED_OUTCOMES:
        errors["outcome"] = "Choose what came of it."
    if typed["asked_by"] not in asking.ASKERS:
        errors["asked_by"] = "Choose who asked, or tried to."
    if wrong := no_day(typed["day"]):
        errors["day"] = wrong
    if not forms.in_plain(typed["note"]):
        errors["note"] = forms.NOT_PLAIN
    return errors


def _form(
    request: Request, person: Asking, kith: Kith, rows: Repository, match_id: str, typed: Mapping[str, str],
    errors: Mapping[str, str], status: int = 200,
) -> Response:  # fmt: skip
    match = rows.match(match_id)
    past = asking.of_match(rows, match)
    if past is None:
        raise StepRefusedError(asking.NOTHING_TO_ASK)
    note_reading(kith, person, "proposal", match.child_id)
    child = rows.child(match.child_id)
    return render(
        request, "asked.html", person, status=status if errors else 200, match=match, past=past, typed=typed,
        errors=errors, why=why_brought_up(past.why), outcomes=_outcomes(Permission.APPROVE in person.may),
        kept_back=Permission.APPROVE not in person.may, says=_SAYS, told=CAME_OF_IT, referred=child.referral,
        child=child.reference, volunteer=rows.volunteer(match.volunteer_id).reference,
    )  # fmt: skip


def _outcomes(manager: bool) -> Sequence[str]:
    return [one for one in ASKED_OUTCOMES if manager or one != NOT_TO_BE_ASKED]
