"""The page on which the last step of a proposal is taken back: what stands again by it, what stays, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm.exc import StaleDataError

from matcher.words import council, day, pounds
from service import budgets, steps, taking_back, workflow
from service.api.deps import Asking, Kith, Reading, attempt, note_reading, refuse_without
from service.api.shapes import MatchId
from service.database import tables
from service.pages import forms
from service.pages.html import clock, render
from service.pages.proposals import Note
from service.pages.story import story_line
from service.permissions import Permission
from service.reasons import says
from service.repository import Repository, with_references
from service.taking_back import Last
from service.workflow import APPOINTED, Rules, State, StepRefusedError

router = APIRouter()

_ASKED = {
    Rules.ALL: "Every rule is asked first of what is recorded today, as of a new proposal.",
    Rules.AGAIN: "Every rule is asked first of what is recorded today, except what is asked of new matches alone: how "
    "long the volunteer is committed and support goes on, the support sessions, and what is left of the budget.",
    Rules.CORE: "The core rules are asked first of what is recorded today.",
}
_MOVED_ON = "It has moved on meanwhile. Nothing was taken back: look again."


@router.get("/proposals/{match_id}/take-back")
def take_back_page(match_id: MatchId, request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    return _form(request, person, kith, rows, match_id)


@router.post("/proposals/{match_id}/take-back")
def take_back(
    match_id: MatchId, request: Request, person: Asking, kith: Kith, rows: Reading,
    version: Annotated[int, Form()] = 0, reason: Note = "",
) -> Response:  # fmt: skip
    why = reason.strip()

    def record(now: Repository) -> None:
        match = now.match(match_id)
        if match.version != version:
            raise StaleDataError("The match was changed meanwhile.")
        if taking_back.last_step(now, match).needs_a_manager:
            refuse_without(person, Permission.APPROVE)
        taking_back.take_back(now, match_id, user_id=person.user_id, why=why)

    if not why or not forms.in_plain(why):
        return _form(request, person, kith, rows, match_id, "Say in words what the mistake was.", reason, missing=True)
    try:
        attempt(kith, person, record)
    except StaleDataError:
        raise StepRefusedError(_MOVED_ON) from None
    except StepRefusedError as error:
        with kith.database.read(person.authority_id) as session:
            return _form(request, person, kith, Repository(session, kith.keys), match_id, str(error), reason)
    return RedirectResponse(f"/proposals/{match_id}", 303)


def _form(
    request: Request, person: Asking, kith: Kith, rows: Repository, match_id: str, error: str = "", reason: str = "",
    *, missing: bool = False,
) -> Response:  # fmt: skip
    match = rows.match(match_id)
    last = taking_back.last_step(rows, match)
    if last.needs_a_manager:
        refuse_without(person, Permission.APPROVE)
    note_reading(kith, person, "proposal", match.child_id)
    story = "The step stays in the story and in the log, followed by who took it back, when and why."
    return render(
        request, "take-back.html", person, status=422 if missing else 409 if error else 200, match=match, last=last,
        told=story_line(rows, last.decision), again=_again(rows, match, last),
        stays=[*taking_back.stays(rows, match, last), story],
        child=rows.child(match.child_id).reference, volunteer=rows.volunteer(match.volunteer_id).reference,
        error=with_references(error, rows.references()), missing=missing, reason=reason,
    )  # fmt: skip


def _again(rows: Repository, match: tables.Match, last: Last) -> list[str]:
    """What the match is again, in sentences."""
    before = last.before
    appointed = before.state in APPOINTED
    told = [
        f"The {'match' if appointed else 'proposal'} stands again at “{before.state}”, as since {clock(before.since)}."
    ]
    if last.left_paused:
        told = [
            f"The match stands again, and its visits are paused from now on for “{says(last.left_paused)}”. They go on "
            "only if the child, asked again, would like it."
        ]
    if before.state is State.PAUSED and last.step.to is State.PAUSED:
        why = steps.pauses(rows, [match], without=last.decision)[match.id].reason
        told.append(
            f"The reason of the pause is “{says(why)}” again." if why else "The pause has no reason on record again."
        )
    if match.started_on and before.started_on is None:
        told.append("No first visit is on record.")
    if before.next_review_on and before.next_review_on != match.next_review_on:
        told.append(f"The next review is due on {day(before.next_review_on)}.")
    if last.step.to is State.DECLINED:
        told.append("This no does not keep the two apart any more.")
    if last.step.id == "appoint" and (added := budgets.added_by(rows, match)):
        row, pence = added
        told.append(f"{pounds(pence)} a year is taken off what {council(row.code)} has spent or committed.")
    asked = workflow.to_stand_again(last.step, last.before.state)
    return [*told, *([_ASKED[asked]] if asked in _ASKED else [])]
