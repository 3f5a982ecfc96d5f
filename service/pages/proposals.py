"""Proposals and matches: made from a shortlist, led from step to step, with what each party is shown and sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm.exc import StaleDataError

from matcher.alone import about_volunteer
from matcher.records import MatchStatus, Party
from service import audit_log, proposals, workflow
from service.api.deps import Asking, Kith, Reading, note_reading
from service.api.shapes import ChildId, MatchId, VolunteerId
from service.crypto import Place
from service.database import tables
from service.database.base import utc_now
from service.pages import facts, profiles
from service.pages.html import render
from service.pages.lists import Page
from service.pages.reckoning import Reckoned, Reckoning
from service.pages.shortlists import Card, Rank, cards, waiting
from service.permissions import Permission
from service.proposals import Chosen, TakenError
from service.repository import Repository
from service.workflow import LIVE, MATCH_STATUS, Rules, State, Step, StepRefusedError

router = APIRouter()

Show = Literal["proposals", "matches", "over"]
Note = Annotated[str, Form(max_length=2000)]

WHAT_NOW = {
    State.PROPOSED: "Tell the volunteer about the child by what you chose to share, and ask whether they would like to "
    "think about it. They may say no without a reason.",
    State.VOLUNTEER_CONSIDERS: "Wait for the volunteer’s answer. Ring them if a week has passed.",
    State.CHILD_CONSIDERS: "Show the child the volunteer’s profile, with somebody whom the child trusts. Ask the "
    "social worker too.",
    State.MEETING: "Arrange a meeting of the child, the volunteer and you, where the child likes to be.",
    State.CHILD_THINKS: "Leave the child at least 24 hours. Nobody should press for a yes.",
    State.AGREED: "Send the letters of appointment. All rules are checked once more as you record it.",
    State.APPOINTED: "The first visits are arranged. Ask both sides how the first one went.",
    State.ACTIVE: "The visits go on. The next review comes up on the first page when it is due.",
    State.REVIEW_DUE: "Ask the child, the volunteer and the social worker how it goes.",
    State.PAUSED: "No visits for now. Resume them, or end the match.",
}
WAY = (*workflow.BEFORE_APPOINTMENT, State.APPOINTED, State.ACTIVE)
"""The states that a proposal passes when all goes well."""
PARTY = {Party.PLANNED: "as planned", Party.AUTHORITY: "the service"}


@dataclass(frozen=True)
class Line:
    """One proposal in a list."""

    match: tables.Match
    child: str
    volunteer: str
    next_step: str


def line_of(reckoned: Reckoning, match: tables.Match) -> Line:
    step = forward(State(match.state))
    child, volunteer = reckoned.references[match.child_id], reckoned.references[match.volunteer_id]
    return Line(match, child, volunteer, step.title if step else "")


def forward(state: State) -> Step | None:
    """The step that leads on, if there is one."""
    return next((step for step in workflow.possible(state) if not step.final), None)


@router.get("/proposals")
def proposal_list(
    request: Request,
    person: Asking,
    reckoned: Reckoned,
    show: Show = "proposals",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    groups: dict[str, list[Line]] = {"proposals": [], "matches": [], "over": []}
    for match in reckoned.matches:
        group = "over" if match.state not in LIVE else "matches" if match.state in workflow.APPOINTED else "proposals"
        groups[group].append(line_of(reckoned, match))
    oldest_first = sorted(groups[show], key=lambda line: line.match.since, reverse=show == "over")
    counts = {name: len(lines) for name, lines in groups.items()}
    found = Page.of(oldest_first, page, {"show": show})
    return render(request, "proposals.html", person, page=found, show=show, counts=counts)


# ---- a new one -------------------------------------------------------------------------------------------------------


@router.get("/children/{child_id}/propose/{volunteer_id}")
def propose_page(
    child_id: ChildId, volunteer_id: VolunteerId, request: Request, person: Asking, kith: Kith, rows: Reading,
    reckoned: Reckoned, rank: Rank = "plan",
) -> Response:  # fmt: skip
    waiting(rows, reckoned, child_id)
    rows.volunteer(volunteer_id)
    note_reading(kith, person, "shortlist", child_id)
    return _propose_form(request, person, reckoned, child_id, volunteer_id, rank)


@router.post("/children/{child_id}/propose/{volunteer_id}")
def propose(
    child_id: ChildId, volunteer_id: VolunteerId, request: Request, person: Asking, kith: Kith, rows: Reading,
    reckoned: Reckoned, rank: Annotated[Rank, Form()] = "plan", reason: Annotated[str, Form(max_length=60)] = "",
    note: Note = "",
) -> Response:  # fmt: skip
    rows.child(child_id)
    rows.volunteer(volunteer_id)
    try:
        waiting(rows, reckoned, child_id)
        if not reason:
            raise StepRefusedError("Choose why you propose this volunteer.")
        shown = cards(reckoned, child_id, rank == "plan")
        card = _card(shown, volunteer_id)
        alternatives = tuple(one.volunteer.id for one in shown)
        # Where the effects are being worked out, they stand by fit for the moment.
        rank_by = "plan" if rank == "plan" and any(one.candidate.effect for one in shown) else "fit"
        chosen = Chosen(rank_by=rank_by, rank=card.candidate.rank if card else 0, alternatives=alternatives)
        with kith.database.write(person.authority_id) as session:
            match = proposals.propose(
                Repository(session, kith.keys), child_id, volunteer_id, user_id=person.user_id, reason=reason,
                chosen=chosen, note=note.strip() or None,
            )  # fmt: skip
            id = match.id
    except (StepRefusedError, TakenError) as error:
        given = {"error": str(error), "reason": reason, "note": note}
        return _propose_form(request, person, reckoned, child_id, volunteer_id, rank, **given)
    return RedirectResponse(f"/proposals/{id}", 303)


def _card(shown: Sequence[Card], volunteer_id: str) -> Card | None:
    return next((card for card in shown if card.volunteer.id == volunteer_id), None)


def _propose_form(
    request: Request, person: Asking, reckoned: Reckoning, child_id: str, volunteer_id: str, rank: Rank, *,
    error: str = "", reason: str = "", note: str = "",
) -> Response:  # fmt: skip
    here = child_id not in reckoned.instance.visited
    card = _card(cards(reckoned, child_id, rank == "plan"), volunteer_id) if here else None
    first = card is not None and card.candidate.rank == 1
    not_so = {"in the plan", *([] if first else ["first on the shortlist"])}
    reasons = [one for one in workflow.PROPOSE_REASONS if one not in not_so]
    return render(
        request, "propose.html", person, status=422 if error else 200,
        child_id=child_id, child=reckoned.references[child_id], volunteer_id=volunteer_id,
        volunteer=reckoned.references[volunteer_id], card=card, rank=rank, reasons=reasons, told=reckoned.told,
        error=reckoned.told(error), reason=reason, note=note,
    )  # fmt: skip


# ---- one proposal ----------------------------------------------------------------------------------------------------


@router.get("/proposals/{match_id}")
def proposal(
    match_id: MatchId, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned
) -> Response:
    match = rows.match(match_id)
    note_reading(kith, person, "proposal", match.child_id)
    return _page(request, person, rows, reckoned, match)


def _page(
    request: Request, person: Asking, rows: Repository, reckoned: Reckoning, match: tables.Match, *,
    status: int = 200, error: str = "", note: str = "",
) -> Response:  # fmt: skip
    state = State(match.state)
    decisions = rows.session.scalars(
        select(tables.Decision).where(tables.Decision.match_id == match.id).order_by(tables.Decision.number.desc())
    ).all()
    origin = rows.session.get(tables.Proposal, match.id)
    steps = workflow.possible(state)
    step = forward(state)
    ready_at = match.since + step.wait if step and step.wait and match.since + step.wait > utc_now() else None
    return render(
        request, "proposal.html", person, status=status,
        match=match, child=reckoned.references[match.child_id], volunteer=reckoned.references[match.volunteer_id],
        step=step, others=[one for one in steps if one.final], ready_at=ready_at, what_now=WHAT_NOW.get(state, ""),
        failing=[reckoned.told(one) for one in _failing(reckoned, match)],
        timeline=[_told(rows, one) for one in decisions], origin=origin, party=PARTY, told=reckoned.told,
        referred=_referred(reckoned, match),
        appointed=state in workflow.APPOINTED, over=state not in LIVE,
        decides=Permission.DECIDE in person.may, error=reckoned.told(error), note=note,
        way=WAY,
    )  # fmt: skip


def _failing(reckoned: Reckoning, match: tables.Match) -> Sequence[str]:
    """The rules that no longer hold, as things stand; asked once more, of fresh data, when a step is taken.

    Of a child whose referral is not in Kith only the volunteer can be judged.
    """
    if match.state not in LIVE:
        return ()
    if match.id not in reckoned.failing:
        reckoned.failing[match.id] = _failing_now(reckoned, match)
    return reckoned.failing[match.id]


def _failing_now(reckoned: Reckoning, match: tables.Match) -> Sequence[str]:
    if not _referred(reckoned, match):
        alone = about_volunteer(reckoned.instance, match.volunteer_id)
        return [one.sentence for one in alone if one.core and one.verdict != "passes"]
    own = match.child_id, match.volunteer_id
    left = [
        one for one in reckoned.instance.matches if (one.child, one.volunteer) != own or one.status is MatchStatus.ENDED
    ]
    rules = Rules.CORE if MATCH_STATUS[State(match.state)] is MatchStatus.CURRENT else Rules.ALL
    return proposals.failing_rules(replace(reckoned.instance, matches=tuple(left)), *own, rules)


def _referred(reckoned: Reckoning, match: tables.Match) -> bool:
    return any(one.id == match.child_id for one in reckoned.instance.children)


def _told(rows: Repository, decision: tables.Decision) -> dict[str, Any]:
    user = rows.session.get(tables.User, decision.user_id)
    title = next((step.title for step in workflow.STEPS if step.id == decision.step), None)
    title = title or ("Proposed" if decision.step == "propose" else decision.step.replace("_", " ").capitalize())
    return {
        "title": title, "at": decision.at, "by": decision.said_by, "reason": decision.reason,
        "note": rows.open(decision, "note"), "departs": decision.departs,
        "user": rows.keys.open(user.name, Place("users", user.id, "name")) if user else "an account that is gone",
    }  # fmt: skip


@router.get("/proposals/{match_id}/steps/{step_id}")
def step_page(
    match_id: MatchId, step_id: str, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned
) -> Response:
    match = rows.match(match_id)
    note_reading(kith, person, "proposal", match.child_id)
    step = _step(match, step_id)
    if step is None:
        return _page(request, person, rows, reckoned, match, status=409, error=_moved_on(match))
    return _step_form(request, person, reckoned, match, step)


@router.post("/proposals/{match_id}/steps/{step_id}")
def take(
    match_id: MatchId, step_id: str, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned,
    version: Annotated[int, Form()] = 0, said_by: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=60)] = "", note: Note = "",
) -> Response:  # fmt: skip
    match = rows.match(match_id)
    step = _step(match, step_id)
    if step is None or (version != match.version and not step.final):
        return _page(request, person, rows, reckoned, match, status=409, error=_moved_on(match), note=note)
    party = said_by or (step.by[0] if len(step.by) == 1 else "")
    try:
        if party not in step.by:
            raise StepRefusedError("Choose whose word it is.")
        if step.reasons and reason not in step.reasons:
            raise StepRefusedError("Choose a reason.")
        with kith.database.write(person.authority_id) as session:
            proposals.take_step(
                Repository(session, kith.keys), match_id, step_id, by=Party(party), user_id=person.user_id,
                reason=reason or None, note=note.strip() or None,
            )  # fmt: skip
    except StaleDataError:
        with kith.database.read(person.authority_id) as session:
            fresh = Repository(session, kith.keys)
            now = fresh.match(match_id)
            return _page(request, person, fresh, reckoned, now, status=409, error=_moved_on(now), note=note)
    except StepRefusedError as error:
        if step.final:
            return _step_form(request, person, reckoned, match, step, str(error), said_by, reason, note)
        return _page(request, person, rows, reckoned, match, status=409, error=str(error), note=note)
    return RedirectResponse(f"/proposals/{match_id}", 303)


def _step(match: tables.Match, step_id: str) -> Step | None:
    return next((step for step in workflow.possible(State(match.state)) if step.id == step_id), None)


def _moved_on(match: tables.Match) -> str:
    return f"Somebody else was here meanwhile: it now stands at “{match.state}”. Nothing of yours was recorded."


def _step_form(
    request: Request, person: Asking, reckoned: Reckoning, match: tables.Match, step: Step, error: str = "",
    said_by: str = "", reason: str = "", note: str = "",
) -> Response:  # fmt: skip
    return render(
        request, "step.html", person, status=422 if error else 200, match=match, step=step, error=reckoned.told(error),
        said_by=said_by, reason=reason, note=note, child=reckoned.references[match.child_id],
        volunteer=reckoned.references[match.volunteer_id], party=PARTY,
        leaves=[one for one in step.reasons if one == proposals.OBJECTS],
    )  # fmt: skip


# ---- what is shown and sent ------------------------------------------------------------------------------------------


@router.get("/proposals/{match_id}/share")
def share_page(
    match_id: MatchId, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned
) -> Response:
    match = rows.match(match_id)
    note_reading(kith, person, "proposal", match.child_id)
    origin = rows.session.get(tables.Proposal, match.id)
    child, volunteer = _people(reckoned, match)
    shared, on = origin.shared if origin else {}, reckoned.instance.as_of
    return render(
        request, "share.html", person, match=match, child=reckoned.references[match.child_id],
        volunteer=reckoned.references[match.volunteer_id], changes=origin is not None, on=on,
        sides=[
            ("volunteer", "What the child is shown of the volunteer", profiles.OF_VOLUNTEER, volunteer,
             profiles.chosen(shared, "volunteer")),
            ("child", "What the volunteer is told of the child", profiles.OF_CHILD, child,
             profiles.chosen(shared, "child")),
        ],
    )  # fmt: skip


@router.post("/proposals/{match_id}/share")
def share(
    match_id: MatchId, person: Asking, kith: Kith,
    of_child: Annotated[list[str] | None, Form(alias="child")] = None,
    of_volunteer: Annotated[list[str] | None, Form(alias="volunteer")] = None,
) -> Response:  # fmt: skip
    with kith.database.write(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        rows.match(match_id)
        origin = session.get(tables.Proposal, match_id)
        if origin is None:
            raise StepRefusedError("This match was not proposed in Kith, so there is no profile to choose.")
        origin.shared = {
            "child": [part.id for part in profiles.OF_CHILD if part.id in (of_child or ())],
            "volunteer": [part.id for part in profiles.OF_VOLUNTEER if part.id in (of_volunteer or ())],
        }
        details = dict(origin.shared)
        audit_log.record(session, kith.keys, audit_log.Entry(person.user_id, "share", match_id, details=details))
    return RedirectResponse(f"/proposals/{match_id}", 303)


@router.get("/proposals/{match_id}/for-{reader}")
def profile(
    match_id: MatchId, reader: Literal["child", "volunteer"], request: Request, person: Asking, kith: Kith,
    rows: Reading, reckoned: Reckoned,
) -> Response:  # fmt: skip
    """What the reader is shown of the other."""
    match = rows.match(match_id)
    note_reading(kith, person, "profile", match.child_id, reader=reader)
    origin = rows.session.get(tables.Proposal, match.id)
    shared = origin.shared if origin else {}
    child, volunteer = _people(reckoned, match)
    on = reckoned.instance.as_of
    if reader == "child":
        sentences = profiles.told(profiles.OF_VOLUNTEER, volunteer, profiles.chosen(shared, "volunteer"), on)
        both = sorted(set(child.interests or ()) & set(volunteer.interests or ()))
        likes = facts.interests(both) if both and "interests" in profiles.chosen(shared, "volunteer") else None
    else:
        sentences, likes = profiles.told(profiles.OF_CHILD, child, profiles.chosen(shared, "child"), on), None
    can_say_no = State(match.state) in workflow.BEFORE_APPOINTMENT and Permission.DECIDE in person.may
    return render(
        request, f"for-{reader}.html", person, match=match, sentences=sentences, both=likes and likes.lower(),
        can_say_no=can_say_no,
    )  # fmt: skip


@router.get("/proposals/{match_id}/letters/{letter}")
def letter(
    match_id: MatchId, letter: Literal["appointment", "ending"], request: Request, person: Asking, kith: Kith,
    rows: Reading, reckoned: Reckoned,
) -> Response:  # fmt: skip
    match = rows.match(match_id)
    note_reading(kith, person, "letter", match.child_id)
    state = State(match.state)
    fits = state in (State.AGREED, *workflow.APPOINTED) if letter == "appointment" else state is State.ENDED
    if not fits:
        when = "once everybody agreed" if letter == "appointment" else "once the match has ended"
        raise StepRefusedError(f"The letter is written {when}. The proposal stands at “{match.state}”.")
    decided = rows.session.scalar(
        select(tables.Decision.at)
        .where(tables.Decision.match_id == match.id)
        .order_by(tables.Decision.number.desc())
        .limit(1)
    )
    authority = rows.session.get(tables.Authority, person.authority_id)
    return render(
        request, f"letter-{letter}.html", person, match=match, decided=_date(decided),
        child=reckoned.references[match.child_id], volunteer=reckoned.references[match.volunteer_id],
        authority=authority.name if authority else "",
    )  # fmt: skip


def _date(at: datetime | None) -> Any:
    return at.date() if at else None


def _people(reckoned: Reckoning, match: tables.Match) -> Any:
    """Their records. Raises NotFoundError for a child without a referral, of whom only the reference is known."""
    return reckoned.instance.child(match.child_id), reckoned.instance.volunteer(match.volunteer_id)
