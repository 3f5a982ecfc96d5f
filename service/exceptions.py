"""Exceptions: what a manager allows in a single case, and takes back. Places follow in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from sqlalchemy import select

from matcher.instance import today
from matcher.records import ExceptionKind
from matcher.words import day
from service import audit_log, proposals
from service.audit_log import Entry
from service.database import tables
from service.repository import Opened, Repository
from service.workflow import LIVE, State, StepRefusedError

_MEASURE = {ExceptionKind.SECOND_CHILD: "{} children at most", ExceptionKind.SHORTER_COMMITMENT: "{} months at least"}


def measure(kind: ExceptionKind, value: int | None) -> str:
    """How much is allowed, in words; "" where there is nothing to count."""
    number = 2 if value is None and kind is ExceptionKind.SECOND_CHILD else value
    return _MEASURE[kind].format(number) if kind in _MEASURE and number is not None else ""


def approve(
    rows: Repository,
    kind: ExceptionKind,
    volunteer_id: str,
    child_id: str | None,
    value: int | None,
    *,
    user_id: str,
    reason: str,
) -> tables.RecordedException:
    """A manager allows it, by name and with a reason.

    Raises NotFoundError for ids that are not there, StepRefusedError for a pair that is not proposed again.
    """
    rows.take_turn()
    child = rows.child(child_id) if child_id else None
    if child and (no := said_no(rows, volunteer_id, child.id)):
        raise StepRefusedError(no)
    row = tables.RecordedException(
        kind=kind, volunteer_id=rows.volunteer(volunteer_id).id, child_id=child.id if child else None, value=value,
        approved_on=today(), user_id=user_id,
    )  # fmt: skip
    rows.seal(row, "reason", reason)
    rows.seal(row, "approved_by", _name(rows, user_id))
    rows.session.add(row)
    rows.session.flush()
    rows.set_capacities(rows.policy()[1])
    entry = Entry(user_id, "approve exception", row.id, kind, {"volunteer": row.volunteer_id})
    audit_log.record(rows.session, rows.keys, entry)
    return row


def said_no(rows: Repository, volunteer_id: str, child_id: str, *, reason: bool = True) -> str:
    """What keeps a volunteer from a child for good, which no exception lifts; "" where nothing does.

    With the reason of it, unless it goes where that is not to be read.
    """
    said, match = tables.Declined, tables.Match
    no = rows.session.scalars(
        select(said).where(said.child_id == child_id, said.volunteer_id == volunteer_id).order_by(said.id)
    ).first()
    of_pair = match.child_id == child_id, match.volunteer_id == volunteer_id
    ended = rows.session.scalars(select(match).where(*of_pair, match.state == State.ENDED)).first()
    if no is None and ended is None:
        return ""
    if no is not None:
        on, why, what = no.declined_on, rows.open(no, "reason"), f"the {no.said_by} said no" if no.said_by else "a no"
    else:
        assert ended is not None
        on, why, what = ended.ended_on, ended.reason, "their match ended"
    return parted(what, on, why if reason else None)


def parted(what: str, on: date | None, why: str | None = None) -> str:
    """That two are parted for good by a no or an ending, in a sentence."""
    told = f"{what}{f' on {day(on)}' if on else ''}{f' (“{why}”)' if why else ''}"
    return f"No exception lets them visit this child: {told}, and the two are never proposed to each other again."


def withdraw(rows: Repository, row: tables.RecordedException, *, user_id: str, reason: str) -> tuple[str, ...]:
    """A manager takes it back; the ids of live matches that break a rule by it, which nobody ends but a person.

    It stays for the record. A place that is taken stays as well, until its match is over. Raises StepRefusedError for
    one that was withdrawn before.
    """
    rows.take_turn()
    if row.withdrawn_on is not None:
        raise StepRefusedError(f"This exception was withdrawn on {day(row.withdrawn_on)} already.")
    before = _failing(rows, row.volunteer_id)
    row.withdrawn_on = today()
    rows.seal(row, "withdrawn_by", _name(rows, user_id))
    rows.seal(row, "withdrawn_reason", reason)
    rows.session.flush()
    rows.set_capacities(rows.policy()[1])
    rows.session.flush()
    breaking = tuple(
        match
        for match, rules in _failing(rows, row.volunteer_id).items()
        if rules - before.get(match, set()) or _cannot_tell(rows, row, match)
    )
    details = {"volunteer": row.volunteer_id, "break a rule": list(breaking)}
    audit_log.record(rows.session, rows.keys, Entry(user_id, "withdraw exception", row.id, row.kind, details))
    return breaking


def _failing(rows: Repository, volunteer_id: str) -> dict[str, set[str]]:
    """What stands against each live match of a volunteer on the data as they are, by its id."""
    of_theirs = tables.Match.volunteer_id == volunteer_id, tables.Match.state.in_(LIVE)
    live = rows.session.scalars(select(tables.Match).where(*of_theirs).order_by(tables.Match.id)).all()
    # Rules count children who are visited; who is proposed besides has a place too, and not all of them can go on.
    crowded = len(live) > rows.places(rows.policy()[1])[volunteer_id]
    failing: dict[str, set[str]] = {}
    opened = rows.opened
    for match in live:
        opened = Opened(opened)  # what the reading before has opened is not opened again
        instance = replace(rows, opened=opened).instance(today(), without_match=match.id)
        reasons = proposals.failing_rules(instance, match.child_id, match.volunteer_id)
        failing[match.id] = {*reasons, *(["more children than places"] if crowded else [])}
    return failing


def _cannot_tell(rows: Repository, row: tables.RecordedException, match_id: str) -> bool:
    """Whether a match is of whom the exception spoke, and nobody can say what it breaks: the child has no referral."""
    if row.kind == ExceptionKind.SECOND_CHILD:
        return False  # which is told by how many there are
    child_id = rows.match(match_id).child_id
    return not rows.child(child_id).referral and row.child_id in (None, child_id)


def _name(rows: Repository, user_id: str) -> str | None:
    return rows.open(rows.session.get_one(tables.User, user_id), "name")
