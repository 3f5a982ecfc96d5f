"""Proposals and matches, led from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import and_, select
from sqlalchemy.orm.exc import StaleDataError

from matcher.instance import today
from matcher.records import MatchStatus, Party
from service import asking, holds, proposals, workflow
from service.api.deps import Asking, Kith, Reading, attempt, note_reading
from service.api.shapes import MatchId
from service.database import tables
from service.database.base import utc_now
from service.families import with_siblings
from service.pages.children import standing as child_stands
from service.pages.entering import Given
from service.pages.html import clock, render
from service.pages.lists import Page
from service.pages.reckoning import Reckoned, Reckoning, reckoning
from service.pages.sharing import shows
from service.pages.story import CAME_OF_IT, PARTY, timeline, why_brought_up
from service.pages.when import happened
from service.pages.whose import Mine, Whose
from service.permissions import Permission
from service.privacy import either_is_erased, is_erased
from service.reasons import CONCERN_PAUSES, FOLLOWS, UNSAFE, Follows
from service.repository import Repository
from service.standing import STOPPED
from service.steps import planned_for, progress, standing
from service.taking_back import Last, last_step
from service.workflow import LIVE, MATCH_STATUS, Rules, State, Step, StepRefusedError

router = APIRouter()

Show = Literal["proposals", "matches", "wrong", "over"]
Note = Annotated[str, Form(max_length=2000)]

WHAT_NOW = {
    State.PROPOSED: "Choose what is shared, tell the volunteer about the child by that, and ask whether they would "
    "like to think about it. They may say no without a reason.",
    State.VOLUNTEER_CONSIDERS: "Wait for the volunteer’s answer. Ring them if a week has passed.",
    State.CHILD_CONSIDERS: "Show the child the volunteer’s profile, with somebody whom the child trusts. Ask the "
    "social worker too. If the child does not know yet, note it below.",
    State.MEETING: "Arrange a meeting of the child, the volunteer and you, where the child likes to be. Once a day is "
    "agreed, note it below.",
    State.CHILD_THINKS: "Leave the child at least 24 hours. Nobody should press for a yes.",
    State.AGREED: "Send the letters of appointment. All rules are checked once more as you record it. From then on it "
    "is a match: a year’s cost of visits outside the county is committed, and only an ending frees the two.",
    State.APPOINTED: "The first visits are arranged. Ask both sides how the first one went.",
    State.ACTIVE: "The visits go on. The next review comes up on the first page when it is due. To hold one earlier, "
    "begin it here.",
    State.REVIEW_DUE: "Ask the child, the volunteer and the social worker how it goes, and record when the review was "
    "held: the next one is counted from that day. Nothing stops meanwhile.",
    State.PAUSED: "No visits for now. Resume them, or end the match.",
}
TO_OPEN = {
    State.PROPOSED: ("share", "Choose what each is told"),
    State.VOLUNTEER_CONSIDERS: ("for-volunteer", "Read what they were told"),
    State.CHILD_CONSIDERS: ("for-child", "Open the profile"),
    State.AGREED: ("letters/appointment", "Open the letters"),
}
"""What to have at hand for what comes next, and where it is under the proposal's own address."""
OVERDUE = (
    "A review is overdue, as far as Kith knows. Begin it: the match stands as “Review due” while you ask the child, "
    "the volunteer and the social worker how it goes, until you record that it was held."
)
_ASK = (
    "Whatever was found, the visits go on only if the child would like it. Have somebody whom they trust ask them, and "
    "record what they say. If they would not, or are not sure, end the match."
)
WHERE_THE_CHILD_IS_ASKED = {
    UNSAFE: f"No visits for now: the child does not feel safe with this visitor. {_ASK}",
    CONCERN_PAUSES: f"No visits for now: there was a concern about the volunteer. {_ASK}",
}
"""By the gravest reason of a pause."""
NEXT = {
    "ask_volunteer": "Ask the volunteer", "volunteer_accepts": "Wait for the volunteer’s answer",
    "child_would_meet": "Show the child the profile", "meeting_held": "Arrange a meeting",
    "child_agrees": "Ask the child", "appoint": "Send the letters of appointment",
    "first_visit": "Ask how the first visit went", "review_held": "Hold the review",
    "resume": "Resume the visits, or end the match",
    "child_resumes": "Ask the child whether the visits are to go on, or end the match",
}  # fmt: skip
"""What there is to do before a step can be recorded, for a list."""
WAY = (*workflow.BEFORE_APPOINTMENT, State.APPOINTED, State.ACTIVE)
"""The states that a proposal passes when all goes well."""


@dataclass(frozen=True)
class Line:
    """One proposal in a list."""

    match: tables.Match
    child: str
    volunteer: str
    next_step: str


def line_of(reckoned: Reckoning, match: tables.Match) -> Line:
    state = State(match.state)
    # Visits go on by themselves until a review is due.
    step = None if state is State.ACTIVE else forward(state, _paused_for(reckoned, match))
    waits_until = ready_at(match, step)
    told = NEXT.get(step.id, step.title) if step else ""
    if waits_until:
        told = f"The child thinks it over until {clock(waits_until)}"
    child, volunteer = reckoned.references[match.child_id], reckoned.references[match.volunteer_id]
    return Line(match, child, volunteer, told)


def ready_at(match: tables.Match, step: Step | None) -> datetime | None:
    """When a step may be taken that has to wait still; None where it need not."""
    at = match.since + step.wait if step and step.wait else None
    return at if at and at > utc_now() else None


def _paused_for(reckoned: Reckoning, match: tables.Match) -> str | None:
    return reckoned.paused[match.id].reason if match.id in reckoned.paused else None


def forward(state: State, paused_for: str | None) -> Step | None:
    """The step that leads on, if there is one."""
    return next((step for step in workflow.possible(state, paused_for) if not step.final), None)


@router.get("/proposals")
def proposal_list(
    request: Request,
    person: Asking,
    kith: Kith,
    rows: Reading,
    reckoned: Reckoned,
    show: Show = "proposals",
    whose: Whose = "everybody",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    groups: dict[str, list[Line]] = {"proposals": [], "matches": [], "wrong": [], "over": []}
    mine = Mine.of(person, rows, reckoned)
    for match in (one for one in reckoned.matches if whose == "everybody" or mine.match(one)):
        group = "over" if match.state not in LIVE else "matches" if match.state in workflow.APPOINTED else "proposals"
        groups[group].append(line_of(reckoned, match))
        if match.id in reckoned.broken:
            groups["wrong"].append(groups[group][-1])
    oldest_first = sorted(groups[show], key=lambda line: line.match.since)
    if show == "over":
        oldest_first.sort(key=lambda line: line.match.ended_on or line.match.since.date(), reverse=True)
    if show == "matches":
        oldest_first.sort(key=lambda line: line.match.next_review_on or date.max)
    counts = {name: len(lines) for name, lines in groups.items()}
    found = Page.of(oldest_first, page, {"show": show, "whose": whose})
    note_reading(kith, person, "proposals", "", children=sorted({line.match.child_id for line in found.lines}))
    return render(
        request, "proposals.html", person, page=found, show=show, whose=whose, counts=counts, broken=reckoned.broken
    )  # fmt: skip


# ---- one proposal ----------------------------------------------------------------------------------------------------


@router.get("/proposals/{match_id}")
def proposal(
    match_id: MatchId, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned
) -> Response:
    match = rows.match(match_id)
    note_reading(kith, person, "proposal", match.child_id, children=planned_for(rows, match))
    return _page(request, person, rows, reckoned, match)


def _page(
    request: Request, person: Asking, rows: Repository, reckoned: Reckoning, match: tables.Match, *,
    status: int = 200, error: str = "", said_by: str = "", note: str = "", day: str = "", clock: str = "",
) -> Response:  # fmt: skip
    state = State(match.state)
    decisions = rows.session.scalars(
        select(tables.Decision).where(tables.Decision.match_id == match.id).order_by(tables.Decision.number.desc())
    ).all()
    origin = rows.session.get(tables.Proposal, match.id)
    paused_for = _paused_for(reckoned, match)
    steps, step = workflow.possible(state, paused_for), forward(state, paused_for)
    if step and step.took_place and not day and not error:  # to be seen, and corrected
        day = f"{today():%d/%m/%Y}"
    overdue = state is State.ACTIVE and match.next_review_on is not None and match.next_review_on < today()
    decides, stands = Permission.DECIDE in person.may, rows.volunteer(match.volunteer_id).status
    return render(
        request, "proposal.html", person, status=status, shared="shared" in request.query_params,
        match=match, child=reckoned.references[match.child_id], volunteer=reckoned.references[match.volunteer_id],
        at_hand=TO_OPEN.get(state) if origin and _referred(reckoned, match) else None,
        step=step, others=[one for one in steps if one.final], ready_at=ready_at(match, step), overdue=overdue,
        shows=shows(reckoned, match, origin) if origin and _referred(reckoned, match) else None,
        what_now=_what_now(state, paused_for, overdue, _failing(reckoned, match)),
        impossible=reckoned.impossible(match.child_id, match.volunteer_id),
        failing=[reckoned.told(one) for one in _failing(reckoned, match)],
        timeline=timeline(rows, match, decisions), origin=origin,
        planned_for=[reckoned.references.get(id, "a child who was erased") for id in planned_for(rows, match)],
        party=PARTY, told=reckoned.told, held=holds.of_child(rows, match.child_id, reckoned.by_id),
        references=reckoned.references, held_now="held" in request.query_params,
        referred=_referred(reckoned, match),
        appointed=state in workflow.APPOINTED, over=state not in LIVE, still_waits=_still_waits(reckoned, match),
        past=asking.of_match(rows, match), came_of_it=CAME_OF_IT, why_brought_up=why_brought_up,
        noted_now="noted" in request.query_params, notable=decides and not either_is_erased(rows, match),
        asked_now="asked" in request.query_params, was_asked=_was_asked(rows, match, decisions),
        for_a_manager=FOLLOWS.get(match.reason or "") is Follows.SUSPENDED or stands in STOPPED,
        decides=decides, last=_last(rows, match) if decides else None, manager=Permission.APPROVE in person.may,
        error=reckoned.told(error), said_by=said_by, note=note, day=day, clock=clock, way=WAY,
    )  # fmt: skip


def _was_asked(rows: Repository, match: tables.Match, decisions: Sequence[tables.Decision]) -> datetime | None:
    """When the volunteer was asked of a proposal that is off by somebody else's word: they are to be told."""
    if match.state not in (State.DECLINED, State.WITHDRAWN) or match.over_by == Party.VOLUNTEER:
        return None
    if is_erased(rows.volunteer(match.volunteer_id)):
        return None
    return next((one.at for one in standing(decisions) if one.step == "ask_volunteer"), None)


def _last(rows: Repository, match: tables.Match) -> Last | None:
    """The step that can be taken back, if there is one."""
    try:
        return last_step(rows, match)
    except StepRefusedError:
        return None


def _what_now(state: State, paused_for: str | None, overdue: bool, failing: Sequence[str]) -> str:
    if paused_for in WHERE_THE_CHILD_IS_ASKED:
        also = " What stands above must be in order as well." if failing else ""
        return WHERE_THE_CHILD_IS_ASKED[paused_for] + also
    if state is State.PAUSED and failing:
        return "No visits for now. They can be resumed once what stands above is in order; or end the match."
    if state in workflow.APPOINTED and failing:
        return "No visit goes ahead before what stands above is in order. Pause them until then, or end the match."
    return OVERDUE if overdue else WHAT_NOW.get(state, "")


def _still_waits(reckoned: Reckoning, match: tables.Match) -> bool:
    """Whether there is somebody to look for still: not for a child who said no, nor who is proposed to anew."""
    if match.child_id in reckoned.live or not _referred(reckoned, match):
        return False
    return child_stands(reckoned, reckoned.instance.child(match.child_id))[0] == "waiting"


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
    own = match.child_id, match.volunteer_id
    left = [
        one for one in reckoned.instance.matches if (one.child, one.volunteer) != own or one.status is MatchStatus.ENDED
    ]
    begun = MATCH_STATUS[State(match.state)] is MatchStatus.CURRENT or not _referred(reckoned, match)
    rules = Rules.CORE if begun else Rules.ALL
    found = proposals.failing_rules(replace(reckoned.instance, matches=tuple(left)), *own, rules)
    return found or with_siblings(match, reckoned.matches)


def _referred(reckoned: Reckoning, match: tables.Match) -> bool:
    return any(one.id == match.child_id for one in reckoned.instance.children)


# What is recorded here rests on the rows alone: no fault in what the matcher makes of an authority stands between a
# child and their no. Only a page of the whole match, which comes back where a step is refused, asks the matcher.


@router.get("/proposals/{match_id}/steps/{step_id}")
def step_page(match_id: MatchId, step_id: str, request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    match = rows.match(match_id)
    step = _step(rows, match, step_id)
    besides = _to_ask_besides(rows, match, step)
    told = [*planned_for(rows, match), *(one.match.child_id for one in besides)]
    note_reading(kith, person, "proposal", match.child_id, children=told)
    if step is None:
        return _page(request, person, rows, reckoning(kith, person, rows), match, status=409, error=_moved_on(match))
    return _step_form(request, person, rows, match, step, besides)


@router.post("/proposals/{match_id}/steps/{step_id}")
def take(
    match_id: MatchId, step_id: str, request: Request, person: Asking, kith: Kith, rows: Reading, sent: Given,
    version: Annotated[int, Form()] = 0, said_by: Annotated[str, Form(max_length=20)] = "", note: Note = "",
    day: Annotated[str, Form(max_length=40)] = "", clock: Annotated[str, Form(max_length=10)] = "",
) -> Response:  # fmt: skip
    match = rows.match(match_id)
    step, given = _step(rows, match, step_id), {"note": note, "day": day, "clock": clock}
    party = said_by or (step.by[0] if step and len(step.by) == 1 else "")
    # Each who may speak has reasons of theirs.
    reason = sent.get("reason" if step and len(step.by) == 1 else f"reason-{party}", "")

    def form(now: Repository, stands: Step, error: str, status: int = 422) -> Response:
        besides = _to_ask_besides(now, match, stands)
        told = [*planned_for(now, match), *(one.match.child_id for one in besides)]
        note_reading(kith, person, "proposal", match.child_id, children=told)
        fresh = now.match(match_id)
        return _step_form(request, person, now, fresh, stands, besides, error, said_by, reason, status=status, **given)

    def refused(now: Repository, error: str) -> Response:
        reckoned, fresh = reckoning(kith, person, now), now.match(match_id)
        stands = _step(now, fresh, step_id)
        if stands and stands.in_words:  # whose words are on its own page, and are not lost
            return form(now, stands, reckoned.told(error), 409)
        note_reading(kith, person, "proposal", match.child_id, children=planned_for(now, match))
        return _page(request, person, now, reckoned, fresh, status=409, error=error, said_by=said_by, **given)

    if step is None or (version != match.version and not step.final):
        return refused(rows, _moved_on(match))
    try:
        if party not in step.by:
            raise StepRefusedError("Choose whose word it is.")
        if step.reasons and reason not in step.reasons_of(Party(party)):
            raise StepRefusedError("Choose who asked the child." if step.in_words else "Choose a reason.")
        if step.in_words and not day.strip():
            raise StepRefusedError(f"Write the day on which {step.took_place}.")
        at = happened(day, clock, progress(rows, match).since, at_the_latest=step.begins_a_wait)

        def record(now: Repository) -> None:
            if not step.final and now.match(match_id).version != version:
                raise StaleDataError("The match was changed meanwhile.")
            proposals.take_step(
                now, match_id, step_id, by=Party(party), user_id=person.user_id, reason=reason or None,
                note=note.strip() or None, at=at,
            )  # fmt: skip

        attempt(kith, person, record)
    except StaleDataError:
        with kith.database.read(person.authority_id) as session:
            fresh = Repository(session, kith.keys)
            return refused(fresh, _moved_on(fresh.match(match_id)))
    except StepRefusedError as error:
        if step.final or (step.in_words and not error.reasons):
            return form(rows, step, str(error))
        return refused(rows, str(error))
    if FOLLOWS.get(reason) is Follows.SUSPENDED:  # on their page stands what else was stopped, and who to ask
        return RedirectResponse(f"/volunteers/{match.volunteer_id}?saved=suspended", 303)
    held = "?held=now" if FOLLOWS.get(reason) is Follows.HELD else ""  # the page says whom to tell
    return RedirectResponse(f"/proposals/{match_id}{held}", 303)


def _step(rows: Repository, match: tables.Match, step_id: str) -> Step | None:
    now = progress(rows, match)
    follow = workflow.possible(now.state, now.paused_for)
    return next((step for step in follow if step.id == step_id), None)


def _moved_on(match: tables.Match) -> str:
    return f"It has moved on meanwhile: it now stands at “{match.state}”. Nothing was recorded."


def _to_ask_besides(rows: Repository, match: tables.Match, step: Step | None) -> Sequence[asking.ToAsk]:
    """Whoever else is still to be asked about the volunteer, before the visits go on by the word of one child."""
    own = tables.Match.volunteer_id == match.volunteer_id, tables.Match.child_id != match.child_id
    return asking.to_ask(rows, and_(*own)) if step and step.in_words else ()


def _step_form(
    request: Request, person: Asking, rows: Repository, match: tables.Match, step: Step,
    besides: Sequence[asking.ToAsk] = (), error: str = "", said_by: str = "", reason: str = "", note: str = "",
    day: str = "", clock: str = "", status: int = 200,
) -> Response:  # fmt: skip
    child, volunteer = rows.child(match.child_id).reference, rows.volunteer(match.volunteer_id).reference
    return render(
        request, "step.html", person, status=status, match=match, step=step, error=error,
        said_by=said_by, reason=reason, note=note, day=day, clock=clock, child=child, volunteer=volunteer, party=PARTY,
        to_ask_besides=[(one.match.id, rows.child(one.match.child_id).reference) for one in besides],
    )  # fmt: skip
