"""One step of a match on its row: what the match becomes by it, the decision in its story, the entry in the audit log.

A story is never changed: a step that was recorded by mistake stays in it, with an entry after it that takes it back.
`STANDS` and `standing` tell which steps count. What a step brings about besides, of the child or of the volunteer, is
for `proposals` and `standing.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime

from pydantic import TypeAdapter
from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import aliased
from sqlalchemy.orm.attributes import flag_modified

from matcher.instance import LONDON, today
from matcher.records import Party
from service import audit_log, runs, workflow
from service.database import tables
from service.database.base import utc_now
from service.reasons import gravest
from service.repository import Repository
from service.workflow import LIVE, TAKEN_BACK, HardRules, Rules, State

TAKEN_IN = "taken_in"
"""The first step in the story of a match that a file brought while it was live."""

NOTED = "noted"
"""An entry in the story of a match that is no step: see `notes.py`."""

_TAKING_BACK = aliased(tables.Decision)
_NO_STEPS = (TAKEN_BACK, NOTED)
STANDS = and_(
    tables.Decision.step.not_in(_NO_STEPS), ~exists().where(_TAKING_BACK.takes_back == tables.Decision.id)
)  # fmt: skip
"""Of decisions, those that count: no step recorded by mistake, nor the entry that takes it back, nor a note."""


def standing(story: Iterable[tables.Decision]) -> list[tables.Decision]:
    """The same of a whole story that was read."""
    every = list(story)
    gone = taken_back(every)
    return [one for one in every if one.step not in _NO_STEPS and one.id not in gone]


def taken_back(story: Iterable[tables.Decision]) -> frozenset[str]:
    """The ids of those of a story that were recorded by mistake, and count no more."""
    return frozenset(one.takes_back for one in story if one.takes_back)


@dataclass(frozen=True)
class Stood:
    """How a match stood before a step, by the columns that a step may change."""

    state: State
    since: datetime
    started_on: date | None
    ended_on: date | None
    next_review_on: date | None
    over_by: Party | None
    reason: str | None

    @classmethod
    def of(cls, match: tables.Match) -> Stood:
        return _STOOD.validate_python({one.name: getattr(match, one.name) for one in fields(cls)})

    @classmethod
    def before(cls, decision: tables.Decision) -> Stood | None:
        """None of what a file said, and of a step that was recorded before Kith kept it."""
        return None if decision.before is None else _STOOD.validate_python(decision.before)


_STOOD = TypeAdapter(Stood)


PLANNED_FOR = "planned for"
"""Of a proposal, in the log: the other children for whom the published plan proposed the volunteer."""


def _none(_rules: Rules) -> Sequence[str]:
    return ()


def take(
    rows: Repository,
    match: tables.Match,
    step: str,
    *,
    by: Party,
    user_id: str,
    reason: str | None = None,
    note: str | None = None,
    at: datetime | None = None,
    hard_rules: HardRules = _none,
) -> None:
    """Leads a match on by one step. Raises StepRefusedError with the reasons.

    Whoever calls holds the rows of the child and of the volunteer, or of the one whom the step is about.
    """
    moment, now, stood = at or utc_now(), progress(rows, match), Stood.of(match)
    after = workflow.take(step, now, by=by, at=moment, reason=reason, hard_rules=hard_rules, note=note)
    if after.state is now.state:  # paused for another reason as well: no visits since the first
        flag_modified(match, "state")  # so that whoever has seen it without is told, and nothing kept of it is shown
    else:
        match.state, match.since = after.state, after.since
    if after.state not in LIVE:
        match.place, match.over_by, match.reason = None, by, reason
        _free(rows, match)
    on = min(moment.astimezone(LONDON).date(), today())
    if after.state is State.ACTIVE:
        begins = step == "first_visit" or (now.state is State.PAUSED and _none_yet(rows, match, on))
        if begins:
            match.started_on = min(match.started_on or on, on)
        if begins or now.state is not State.PAUSED or match.next_review_on is None:  # a pause puts no review off
            match.next_review_on = on + workflow.REVIEWS[0 if begins else 1]
    if after.state is State.ENDED:
        _ended(match, on)
    if after.state is State.DECLINED:
        _remember_no(rows, match, by, reason, on)
    decision = decide(rows, match, step, by, user_id, moment, reason, note)
    decision.before = _STOOD.dump_python(stood, mode="json")
    if after.state is State.ENDED:
        runs.ask_for(rows.session, match.authority_id, "match ended")


def _none_yet(rows: Repository, match: tables.Match, on: date) -> bool:
    """Whether visits were paused before the first one. Of a match that a file brought, an unknown beginning is past."""
    if match.started_on is not None:
        return match.started_on > on
    appointed = select(tables.Decision.id).where(
        tables.Decision.match_id == match.id, tables.Decision.step == "appoint", STANDS
    )
    return rows.session.scalar(appointed.limit(1)) is not None


def progress(rows: Repository, match: tables.Match) -> workflow.Progress:
    """Where a match stands for the step after it, which comes after the last reason of a pause too."""
    paused = pauses(rows, [match]).get(match.id)
    since = max(match.since, paused.last) if paused and paused.last else match.since
    return workflow.Progress(State(match.state), since, paused.reason if paused else None)


@dataclass(frozen=True)
class Pause:
    """Of visits that are paused."""

    reason: str | None
    """The gravest that was given since they have been, whatever came after it; none of what came paused with a file."""
    last: datetime | None
    """When one was given the last time."""


def pauses(
    rows: Repository, matches: Iterable[tables.Match], without: tables.Decision | None = None
) -> Mapping[str, Pause]:
    """Each pause that goes on, by match; `without` what was decided last, if that is to be taken back."""
    given: dict[str, list[tables.Decision]] = {match.id: [] for match in matches if match.state == State.PAUSED}
    if not given:
        return {}
    story = select(tables.Decision).where(tables.Decision.match_id.in_(given), STANDS).order_by(tables.Decision.number)
    for one in rows.session.scalars(story):
        if one.state != State.PAUSED:
            given[one.match_id].clear()
        elif one.step == "pause" and one is not without:
            given[one.match_id].append(one)
    return {
        id: Pause(gravest(one.reason for one in told), max((one.at for one in told), default=None))
        for id, told in given.items()
    }


def planned_for(rows: Repository, match: tables.Match) -> list[str]:
    """The other children for whom the published plan proposed the volunteer, as whoever proposed them was told."""
    event = tables.AuditEvent
    ours = event.chain == match.authority_id, event.subject == match.id, event.action == "decision: propose"
    told = rows.session.scalars(select(event).where(*ours)).first()
    return sorted(told.details.get(PLANNED_FOR, ())) if told else []


def take_back(
    rows: Repository, match: tables.Match, decision: tables.Decision, stood: Stood, *, place: int | None, user_id: str,
    why: str,
) -> None:  # fmt: skip
    """A match stands again as it stood before a step that was recorded by mistake; `why` says so in words.

    Whether it may is for whoever calls, and so is what that step wrote besides.
    """
    for column in fields(stood):
        setattr(match, column.name, getattr(stood, column.name))
    match.place = place
    decide(rows, match, TAKEN_BACK, Party.AUTHORITY, user_id, utc_now(), None, why, takes_back=decision)


def note(rows: Repository, match: tables.Match, step: str, *, user_id: str, reason: str) -> None:
    """Enters into a match's story what does not change its state."""
    decide(rows, match, step, Party.AUTHORITY, user_id, utc_now(), reason, None)


def end_by_file(
    rows: Repository, match: tables.Match, *, by: Party, ended_on: date | None, user_id: str | None
) -> None:
    """An appointment of which a file says that it is over."""
    match.state, match.since, match.place = State.ENDED, utc_now(), None
    match.over_by, match.reason = by, "other"
    _ended(match, ended_on or today())
    _free(rows, match)
    if user_id is not None:
        decide(rows, match, "end", by, user_id, match.since, "other", None)


def decide(
    rows: Repository,
    match: tables.Match,
    step: str,
    by: Party,
    user_id: str,
    at: datetime,
    reason: str | None,
    note: str | None,
    *,
    departs: bool = False,
    planned_for: Sequence[str] = (),
    takes_back: tables.Decision | None = None,
) -> tables.Decision:
    """Writes one decision into a match's story, and into the audit log."""
    last = rows.session.scalar(select(func.max(tables.Decision.number)).where(tables.Decision.match_id == match.id))
    decision = tables.Decision(
        match_id=match.id, number=(last or 0) + 1, step=step, state=match.state, said_by=by, user_id=user_id, at=at,
        reason=reason, departs=departs, takes_back=takes_back.id if takes_back else None,
    )  # fmt: skip
    rows.seal(decision, "note", note)
    rows.session.add(decision)
    details = {"state": match.state, "by": by} | ({PLANNED_FOR: list(planned_for)} if planned_for else {})
    if takes_back is not None:
        details[TAKEN_BACK] = takes_back.step
    entry = audit_log.Entry(user_id, f"decision: {step}", match.id, reason or "", details)
    audit_log.record(rows.session, rows.keys, entry)
    return decision


def _ended(match: tables.Match, on: date) -> None:
    """Over on a day. What was to begin after it never began."""
    match.ended_on, match.next_review_on = on, None
    if match.started_on is not None and match.started_on > on:
        match.started_on = None


def _free(rows: Repository, match: tables.Match) -> None:
    """Whoever had more places than they may, for those who were in them, has one less as it is free."""
    rows.session.flush()
    if rows.volunteer(match.volunteer_id).capacity > 1:
        rows.set_capacities(rows.policy()[1], match.volunteer_id)
        rows.session.flush()


def _remember_no(rows: Repository, match: tables.Match, by: Party, reason: str | None, on: date) -> None:
    """The pair is not proposed again."""
    no = tables.Declined(
        child_id=match.child_id, volunteer_id=match.volunteer_id, said_by=by, declined_on=on, match_id=match.id
    )
    rows.seal(no, "reason", reason)
    rows.session.add(no)
    rows.session.flush()
