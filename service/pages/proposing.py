"""A volunteer chosen from a shortlist: proposed to the child with a reason, by somebody who saw the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select

from service import proposals, workflow
from service.api.deps import Asking, Kith, Reading
from service.api.shapes import ChildId, VolunteerId
from service.database import tables
from service.pages.html import render
from service.pages.reckoning import Reckoned, Reckoning
from service.pages.shortlists import Card, Rank, as_cards, cards, note_shown, standing, waiting
from service.proposals import Chosen, TakenError
from service.reasons import FIRST, IN_PLAN, PROPOSE_REASONS
from service.repository import Repository
from service.workflow import StepRefusedError

router = APIRouter()


@router.get("/children/{child_id}/propose/{volunteer_id}")
def propose_page(
    child_id: ChildId, volunteer_id: VolunteerId, request: Request, person: Asking, kith: Kith, rows: Reading,
    reckoned: Reckoned, rank: Rank = "plan",
) -> Response:  # fmt: skip
    waiting(rows, reckoned, child_id)
    rows.volunteer(volunteer_id)
    return _propose_form(request, person, kith, reckoned, child_id, volunteer_id, rank)


@router.post("/children/{child_id}/propose/{volunteer_id}")
def propose(
    child_id: ChildId, volunteer_id: VolunteerId, request: Request, person: Asking, kith: Kith, rows: Reading,
    reckoned: Reckoned, rank: Annotated[Rank, Form()] = "plan", reason: Annotated[str, Form(max_length=60)] = "",
    note: Annotated[str, Form(max_length=2000)] = "", planned_for: Annotated[str, Form(max_length=2000)] = "",
) -> Response:  # fmt: skip
    rows.child(child_id)
    rows.volunteer(volunteer_id)
    try:
        waiting(rows, reckoned, child_id)
        shown = cards(reckoned, child_id, rank == "plan")
        card = _card(shown, volunteer_id)
        if reason not in _reasons(card, _planned(reckoned, child_id, volunteer_id)):
            raise StepRefusedError("Choose why you propose this volunteer.")
        alternatives = tuple(one.volunteer.id for one in shown)
        chosen = Chosen(
            rank_by=standing(shown), rank=card.candidate.rank if card else 0, alternatives=alternatives,
            planned_for=_as_told(reckoned, _about(reckoned, shown, child_id, volunteer_id), planned_for.split()),
        )  # fmt: skip
        with kith.database.write(person.authority_id) as session:
            afresh = Repository(session, kith.keys, kith.matching.opened(person.authority_id))
            match = proposals.propose(
                afresh, child_id, volunteer_id, user_id=person.user_id, reason=reason, chosen=chosen,
                note=note.strip() or None,
            )  # fmt: skip
            id = match.id
    except (StepRefusedError, TakenError) as error:
        given = {"error": str(error), "reason": reason, "note": note}
        return _propose_form(request, person, kith, reckoned, child_id, volunteer_id, rank, **given)
    return RedirectResponse(f"/proposals/{id}", 303)


def _card(shown: Sequence[Card], volunteer_id: str) -> Card | None:
    return next((card for card in shown if card.volunteer.id == volunteer_id), None)


def _about(reckoned: Reckoning, shown: Sequence[Card], child_id: str, volunteer_id: str) -> Card | None:
    """What there is to know of a volunteer, also beyond the first on the list; None for one who could not visit."""
    if card := _card(shown, volunteer_id):
        return card
    others = [one.id for one in reckoned.instance.volunteers if one.id != volunteer_id]
    return next(iter(as_cards(reckoned, reckoned.who_could(child_id, 0, 1, others))), None)


def _as_told(reckoned: Reckoning, about: Card | None, told: Sequence[str]) -> tuple[str, ...]:
    """The other children for whom the published plan has the volunteer, as the page told whoever proposes them now.

    Raises StepRefusedError where there is one by now of whom it did not tell, or where the plan has one of them no
    more: the page comes again, and tells. One of them may have a proposal by now: they were told all the same.
    """
    if about is None:  # the rules refuse it, and say why
        return ()
    plan, volunteer = reckoned.planned.plan, about.volunteer.id
    may = {child for child, one in plan.volunteer_of.items() if one == volunteer} if plan else set()
    if not {*about.elsewhere} <= {*told} <= may - {about.candidate.child}:
        raise StepRefusedError(
            "For whom else the published plan has this volunteer has changed since you opened this page. "
            "Read below what there is to know, then propose once more."
        )
    return tuple(dict.fromkeys(told))


def _planned(reckoned: Reckoning, child_id: str, volunteer_id: str) -> bool:
    """Whether the published plan proposes them to each other."""
    return reckoned.planned.volunteer_of.get(child_id) == volunteer_id


def _reasons(card: Card | None, planned: bool) -> list[str]:
    """Those that can be true of somebody on this place of the list, or on none of those that were shown."""
    first = card is not None and card.candidate.rank == 1
    so = {FIRST: first, IN_PLAN: planned}
    return [one for one in PROPOSE_REASONS if so.get(one, True)]


def _propose_form(
    request: Request, person: Asking, kith: Kith, reckoned: Reckoning, child_id: str, volunteer_id: str, rank: Rank, *,
    error: str = "", reason: str = "", note: str = "",
) -> Response:  # fmt: skip
    here = child_id not in reckoned.instance.visited
    shown = cards(reckoned, child_id, rank == "plan") if here else []
    card, planned = _card(shown, volunteer_id), _planned(reckoned, child_id, volunteer_id)
    about = _about(reckoned, shown, child_id, volunteer_id) if here else None
    note_shown(kith, person, child_id, [*shown, *([about] if about else [])], [error])
    return render(
        request, "propose.html", person, status=422 if error else 200,
        child_id=child_id, child=reckoned.references[child_id],
        record=reckoned.instance.child(child_id), volunteer=reckoned.references[volunteer_id], card=card, about=about,
        rank=standing(shown), planned=planned, reasons=_reasons(card, planned),
        told=reckoned.told, error=reckoned.told(error), reason=reason, note=note,
        live=_live(kith, person, child_id) if error else None, looked_into=reckoned.looked_into.get(child_id, ""),
    )  # fmt: skip


def _live(kith: Kith, person: Asking, child_id: str) -> str | None:
    """The proposal or the match that the child has by now: somebody may have made it since this page was asked for."""
    with kith.database.read(person.authority_id) as session:
        live = tables.Match.child_id == child_id, tables.Match.state.in_(workflow.LIVE)
        return session.scalar(select(tables.Match.id).where(*live))
