"""What of a proposal is shown and sent: the profiles that each is told of the other by, and the letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select

from matcher.instance import LONDON, today
from service import audit_log, profiles, whom_to_ring, workflow
from service.api.deps import Asking, Kith, Reading, note_reading
from service.api.shapes import MatchId
from service.database import tables
from service.pages.html import render
from service.pages.reckoning import Reckoned, Reckoning, reckoning
from service.permissions import Permission
from service.reasons import FOR_SAFETY, in_letter
from service.repository import Repository
from service.standing import STOPPED
from service.steps import STANDS
from service.workflow import LIVE, State, StepRefusedError

router = APIRouter()


@router.get("/proposals/{match_id}/share")
def share_page(
    match_id: MatchId, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned
) -> Response:
    return _form(request, person, kith, rows, reckoned, match_id)


@router.post("/proposals/{match_id}/share")
def share(
    match_id: MatchId, request: Request, person: Asking, kith: Kith,
    of_child: Annotated[list[str] | None, Form(alias="child")] = None,
    of_volunteer: Annotated[list[str] | None, Form(alias="volunteer")] = None,
    shown: Annotated[str, Form(max_length=2000)] = "",
) -> Response:  # fmt: skip
    """`shown` is what was shared by the page: what somebody has unticked since is not shared again unseen."""
    ticked = {
        "child": [part.id for part in profiles.OF_CHILD if part.id in (of_child or ())],
        "volunteer": [part.id for part in profiles.OF_VOLUNTEER if part.id in (of_volunteer or ())],
    }
    with kith.database.write(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        rows.take_turn()
        match, origin = rows.match(match_id), session.get(tables.Proposal, match_id)
        if origin is None:
            raise StepRefusedError("This match was not proposed in Kith, so there is no profile to choose.")
        if match.state not in LIVE:
            raise StepRefusedError("It is over, so there is nothing to share any more.")
        moved = profiles.as_shown(origin.shared) not in (shown, profiles.as_shown(ticked))
        if not moved:
            origin.shared = ticked
            entry = audit_log.Entry(person.user_id, "share", match_id, details=dict(ticked))
            audit_log.record(session, kith.keys, entry)
    if not moved:
        return RedirectResponse(f"/proposals/{match_id}?shared=yes", 303)
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        return _form(request, person, kith, rows, reckoning(kith, person, rows), match_id, ticked)


def _form(
    request: Request, person: Asking, kith: Kith, rows: Repository, reckoned: Reckoning, match_id: str,
    ticked: Mapping[str, Sequence[str]] | None = None,
) -> Response:  # fmt: skip
    """What is shared; where it was changed meanwhile, what was `ticked`, with what is shared now beside it."""
    match = rows.match(match_id)
    note_reading(kith, person, "proposal", match.child_id)
    origin = rows.session.get(tables.Proposal, match.id)
    child, volunteer = _people(reckoned, match)
    now = origin.shared if origin else {}
    shared = now if ticked is None else ticked
    return render(
        request, "share.html", person, status=200 if ticked is None else 409, match=match,
        child=reckoned.references[match.child_id], volunteer=reckoned.references[match.volunteer_id],
        changes=origin is not None and match.state in LIVE, on=reckoned.instance.as_of, moved=ticked is not None,
        shown=profiles.as_shown(now),
        sides=[
            ("volunteer", "What the child is shown of the volunteer", profiles.OF_VOLUNTEER, volunteer,
             profiles.chosen(shared, "volunteer"), profiles.chosen(now, "volunteer")),
            ("child", "What the volunteer is told of the child", profiles.OF_CHILD, child,
             profiles.chosen(shared, "child"), profiles.chosen(now, "child")),
        ],
    )  # fmt: skip


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
        both = profiles.both_like(child, volunteer, profiles.chosen(shared, "volunteer"))
        likes = profiles.named(both)
    else:
        sentences, likes = profiles.told(profiles.OF_CHILD, child, profiles.chosen(shared, "child"), on), ""
    authority = rows.session.get(tables.Authority, person.authority_id)
    can_say_no = State(match.state) in workflow.BEFORE_APPOINTMENT and Permission.DECIDE in person.may
    return render(
        request, f"for-{reader}.html", person, match=match, sentences=sentences, both=likes,
        can_say_no=can_say_no, volunteer=reckoned.references[match.volunteer_id],
        authority=authority.name if authority else "", ring=whom_to_ring.told(rows), on=on,
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
    step = "appoint" if letter == "appointment" else "end"
    decided = rows.session.scalar(
        select(tables.Decision.at)
        .where(tables.Decision.match_id == match.id, tables.Decision.step == step, STANDS)
        .order_by(tables.Decision.number.desc())
        .limit(1)
    )
    begun = match.started_on if letter == "appointment" else match.ended_on
    authority = rows.session.get(tables.Authority, person.authority_id)
    ring = whom_to_ring.told(rows)
    # What came up once is for a manager to look at, whatever the match ended for.
    for_safety = not FOR_SAFETY.isdisjoint({match.reason, *_reasons(rows, match)})
    return render(
        request, f"letter-{letter}.html", person, match=match, decided=_date(decided),
        on=_date(decided) or begun or today(),
        child=reckoned.references[match.child_id], volunteer=reckoned.references[match.volunteer_id],
        authority=authority.name if authority else "", for_safety=for_safety,
        ring=ring, blank=whom_to_ring.blank_numbers(ring),
        gives_reason=not for_safety and in_letter(match.reason, match.over_by),
        # Also whose match ended for another reason may be the one whom somebody looks into.
        careful=for_safety or rows.volunteer(match.volunteer_id).status in STOPPED,
    )  # fmt: skip


@dataclass(frozen=True)
class Shows:
    """What one of the two is about to learn of the other, as it stands now."""

    of: str
    """child or volunteer: whom it is about."""
    sentences: Sequence[str]
    chosen: bool
    """Whether somebody has chosen it; else it is what is shown unless somebody does."""


_ABOUT_TO_LEARN = {
    State.PROPOSED: "child", State.VOLUNTEER_CONSIDERS: "volunteer", State.CHILD_CONSIDERS: "volunteer",
}  # fmt: skip
"""Of whom somebody is told, or shown, by the step that is next: the volunteer first, then the child."""


def shows(reckoned: Reckoning, match: tables.Match, origin: tables.Proposal) -> Shows | None:
    """None where nobody is about to learn anything."""
    of = _ABOUT_TO_LEARN.get(State(match.state))
    if of is None:
        return None
    on, shown = reckoned.instance.as_of, profiles.chosen(origin.shared, of)
    if of == "child":
        told = profiles.told(profiles.OF_CHILD, reckoned.instance.child(match.child_id), shown, on)
    else:
        told = profiles.told(profiles.OF_VOLUNTEER, reckoned.instance.volunteer(match.volunteer_id), shown, on)
    return Shows(of, told, bool(origin.shared))


def _reasons(rows: Repository, match: tables.Match) -> list[str | None]:
    """Those of its story that stand."""
    return [*rows.session.scalars(select(tables.Decision.reason).where(tables.Decision.match_id == match.id, STANDS))]


def _date(at: datetime | None) -> date | None:
    return at.astimezone(LONDON).date() if at else None


def _people(reckoned: Reckoning, match: tables.Match) -> Any:
    """Their records. Raises NotFoundError for a child without a referral, of whom only the reference is known."""
    return reckoned.instance.child(match.child_id), reckoned.instance.volunteer(match.volunteer_id)
