"""One step of a match on its row: what the match becomes by it, the decision in its story, the entry in the audit log.

What a step brings about besides, of the child or of the volunteer, is for `proposals` and `standing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from sqlalchemy import func, select

from matcher.instance import LONDON, today
from matcher.records import Party
from service import audit_log, runs, workflow
from service.database import tables
from service.database.base import utc_now
from service.repository import Repository
from service.workflow import LIVE, HardRules, Rules, State

TAKEN_IN = "taken_in"
"""The first step in the story of a match that a file brought while it was live."""


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
    moment, before = at or utc_now(), State(match.state)
    now = workflow.Progress(before, match.since, why_paused(rows, [match]).get(match.id))
    after = workflow.take(step, now, by=by, at=moment, reason=reason, hard_rules=hard_rules)
    match.state, match.since = after.state, after.since
    if after.state not in LIVE:
        match.place, match.over_by, match.reason = None, by, reason
        _free(rows, match)
    on = min(moment.astimezone(LONDON).date(), today())
    if after.state is State.ACTIVE:
        first = match.started_on is None  # as well where the visits were paused before they began
        match.started_on = min(match.started_on or on, today())
        match.next_review_on = on + workflow.REVIEWS[0 if first else 1]
    if after.state is State.ENDED:
        _ended(match, max(on, min(match.started_on or on, today())))  # nothing ends before it began
    if after.state is State.DECLINED:
        _remember_no(rows, match, by, reason, on)
    decide(rows, match, step, by, user_id, moment, reason, note)
    if after.state is State.ENDED:
        runs.ask_for(rows.session, match.authority_id, "match ended")


def why_paused(rows: Repository, matches: Iterable[tables.Match]) -> Mapping[str, str | None]:
    """The reason of each pause that goes on, by match; none of what came paused with a file."""
    ids = [match.id for match in matches if match.state == State.PAUSED]
    if not ids:
        return {}
    of_pause = tables.Decision.step == "pause", tables.Decision.match_id.in_(ids)
    said = select(tables.Decision.match_id, tables.Decision.reason).where(*of_pause).order_by(tables.Decision.number)
    return dict.fromkeys(ids) | {one.match_id: one.reason for one in rows.session.execute(said)}


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
) -> tables.Decision:
    """Writes one decision into a match's story, and into the audit log."""
    last = rows.session.scalar(select(func.max(tables.Decision.number)).where(tables.Decision.match_id == match.id))
    decision = tables.Decision(
        match_id=match.id, number=(last or 0) + 1, step=step, state=match.state, said_by=by, user_id=user_id, at=at,
        reason=reason, departs=departs,
    )  # fmt: skip
    rows.seal(decision, "note", note)
    rows.session.add(decision)
    details = {"state": match.state, "by": by} | ({PLANNED_FOR: list(planned_for)} if planned_for else {})
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
    no = tables.Declined(child_id=match.child_id, volunteer_id=match.volunteer_id, said_by=by, declined_on=on)
    rows.seal(no, "reason", reason)
    rows.session.add(no)
    rows.session.flush()
