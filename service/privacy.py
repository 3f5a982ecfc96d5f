"""What is kept of a person, for whom, for how long; what they are told of it; and how it is erased.

Erasing takes away every fact, name and word about a person, and keeps what keeps others safe: that two children are
siblings or were taken apart, that a volunteer was with a child, that somebody said no – by opaque ids, of which nothing
leads back. Who comes back under the same reference is known again by a keyed hash of it, so that none of that is lost
with them. The audit log holds ids alone and stays whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from matcher import records
from matcher.instance import today
from matcher.records import Agreement, Party, Status
from matcher.references import years_old
from service import audit_log
from service.audit_log import Entry
from service.database import tables
from service.database.base import Base, utc_now
from service.repository import Repository
from service.standing import STOPPED
from service.steps import taken_back
from service.workflow import LIVE, State, StepRefusedError

ERASED = "erased"
ERASING = ("erase child", "erase volunteer")
"""How the audit log has it."""
ERASE_REASONS = ("retention period over", "asked to be erased", "entered by mistake")


@dataclass(frozen=True)
class Kept:
    """How long records of one type are kept, and from when on."""

    record: str
    days: int
    since: str
    then: str


RETENTION = (
    Kept("child", 6 * 365, "the end of the last match, or the last change where there was none",
         "listed as due; a manager erases"),
    Kept("volunteer", 6 * 365, "the end of the last match, or the last change where there was none",
         "listed as due; a manager erases"),
    Kept("shortlist shown", 30, "it was shown", "deleted by itself"),
    Kept("files looked at", 1, "they were sent", "deleted by itself, and as soon as they are taken in or thrown away"),
    Kept("words of a year's report", 6 * 365, "they were last written", "deleted by itself"),
    Kept("login", 30, "it ended", "deleted by itself"),
    Kept("audit log", 0, "never", "kept: it holds ids and codes alone"),
)  # fmt: skip
"""A council's own schedule goes before these; what is due is only ever listed, and a person erases."""


def kept(plan_months: int) -> tuple[Kept, ...]:
    """How long records of every type are kept where plans are for so many months."""
    plan = Kept("plan", plan_months * 365 // 12, "it was found; the published one and the last are kept",
                "deleted by itself, with its shortlists")  # fmt: skip
    return (*RETENTION, plan)


_DAYS = {one.record: timedelta(days=one.days) for one in RETENTION}


# ---- what is kept of a person ----------------------------------------------------------------------------------------


# What somebody else said – a reason, a note – is theirs, also where it is about the person who asks: a volunteer is not
# told what a child said of them, nor a child what a volunteer said, and a coordinator's note may speak of both. Of a
# decision of somebody else's the person is told that it was taken, when, and what came of it.


def child_export(rows: Repository, child: tables.Child) -> dict[str, Any]:
    """Everything that Kith keeps of one child, for the child. Volunteers are named by opaque ids alone."""
    asks = Party.CHILD
    matches = tables.Match.child_id == child.id
    nos = rows.session.scalars(select(tables.Declined).where(tables.Declined.child_id == child.id))
    return {
        "child": child.id,
        "reference": child.reference,
        "person": rows.open(child, "person"),
        "facts": rows.child_record(child, family_known=True),
        "matches": [_match(rows, one, asks) for one in rows.session.scalars(select(tables.Match).where(matches))],
        "declined": [{"volunteer": one.volunteer_id, **_no(rows, one, asks)} for one in nos],
        "taken_apart": list(_taken_apart(rows, child.id)),
        "exceptions": list(_exceptions(rows, tables.RecordedException.child_id == child.id)),
        "read_by": _log(rows, child.id),
    }  # fmt: skip


def volunteer_export(rows: Repository, volunteer: tables.Volunteer) -> dict[str, Any]:
    """Everything that Kith keeps of one volunteer, for the volunteer. Children are named by opaque ids alone."""
    asks = Party.VOLUNTEER
    matches = tables.Match.volunteer_id == volunteer.id
    nos = rows.session.scalars(select(tables.Declined).where(tables.Declined.volunteer_id == volunteer.id))
    return {
        "volunteer": volunteer.id,
        "reference": volunteer.reference,
        "person": rows.open(volunteer, "person"),
        "facts": rows.volunteer_record(volunteer),
        "matches": [_match(rows, one, asks) for one in rows.session.scalars(select(tables.Match).where(matches))],
        "declined": [{"child": one.child_id, **_no(rows, one, asks)} for one in nos],
        "exceptions": list(_exceptions(rows, tables.RecordedException.volunteer_id == volunteer.id)),
        "read_by": _log(rows, volunteer.id),
    }  # fmt: skip


def _match(rows: Repository, match: tables.Match, asks: Party) -> dict[str, Any]:
    decisions = rows.session.scalars(
        select(tables.Decision).where(tables.Decision.match_id == match.id).order_by(tables.Decision.number)
    ).all()
    gone = taken_back(decisions)
    return {
        "id": match.id, "child": match.child_id, "volunteer": match.volunteer_id, "state": match.state,
        "started_on": match.started_on, "ended_on": match.ended_on,
        "reason": match.reason if match.over_by == asks else None,
        "decisions": [_decision(rows, one, match, asks, one.id in gone) for one in decisions],
    }  # fmt: skip


def _decision(
    rows: Repository, one: tables.Decision, match: tables.Match, asks: Party, taken_back: bool
) -> dict[str, Any]:
    told = {
        "step": one.step, "at": one.at, "state": one.state, "taken_back": taken_back,
        "by": None, "reason": None, "note": None,
        # What the scores said of others who were shown is theirs.
        "scores": json.loads(rows.open(one, "scores") or "{}").get(match.volunteer_id),
    }  # fmt: skip
    own = {"by": one.said_by, "reason": one.reason, "note": rows.open(one, "note")} if one.said_by == asks else {}
    return told | own


def _no(rows: Repository, one: tables.Declined, asks: Party) -> dict[str, Any]:
    own = one.said_by == asks
    return {"by": one.said_by if own else None, "on": one.declined_on,
            "reason": rows.open(one, "reason") if own else None}  # fmt: skip


def _taken_apart(rows: Repository, child: str) -> Iterator[dict[str, Any]]:
    """The children who are no siblings of theirs, by a manager's word, and since when; why is the manager's to say."""
    one = tables.TakenApart
    for row in rows.session.scalars(select(one).where((one.child_id == child) | (one.other_id == child))):
        yield {"child": row.other_id if row.child_id == child else row.child_id, "on": row.at.date()}


def _exceptions(rows: Repository, own: Any) -> Iterator[dict[str, Any]]:
    for one in rows.session.scalars(select(tables.RecordedException).where(own)):
        yield {"kind": one.kind, "value": one.value, "on": one.approved_on, "withdrawn_on": one.withdrawn_on}


def _log(rows: Repository, subject: str) -> list[dict[str, Any]]:
    """Who read or changed the record, and when; lists and others' pages on which they stood are readings too.

    Why it was changed are the words of whoever changed it.
    """
    event = tables.AuditEvent
    read = (event.action == "read") & audit_log.about(subject)
    events = rows.session.scalars(select(event).where((event.subject == subject) | read).order_by(event.number))
    return [
        {"at": one.at, "by": one.actor, "action": one.action, "page": one.reason if one.action == "read" else ""}
        for one in events
    ]


# ---- erasing ---------------------------------------------------------------------------------------------------------


def erase_child(rows: Repository, child: tables.Child, *, user_id: str, reason: str) -> None:
    """Raises StepRefusedError while a proposal or match of theirs is live, and a second time."""
    rows.take_turn()
    _refuse_again(child)
    _refuse_live(rows, tables.Match.child_id == child.id)
    family = rows.session.get_one(tables.Family, child.family_id)
    family.references = [name for name in family.references if name != child.reference.casefold()]
    said_no = Agreement.NO if child.objects else None
    rows.write_child(child, records.Child("", agrees=said_no))  # a no outlives what it was about
    child.once = rows.once(child.reference)
    child.person, child.referral, child.reference = None, False, f"{ERASED} {child.id}"
    _erase_words(rows, tables.Match.child_id == child.id, tables.Declined.child_id == child.id)
    for one in rows.session.scalars(
        select(tables.RecordedException).where(tables.RecordedException.child_id == child.id)
    ):
        _erase_exception(rows, one)
    for shown in (tables.Served, tables.Shortlist):
        rows.session.execute(delete(shown).where(shown.child_id == child.id))
    _erase_from_plans(rows, child.id)
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(user_id, "erase child", child.id, reason))


def erase_volunteer(rows: Repository, volunteer: tables.Volunteer, *, user_id: str, reason: str) -> None:
    """Raises StepRefusedError while a proposal or match of theirs is live, and a second time."""
    rows.take_turn()
    _refuse_again(volunteer)
    _refuse_live(rows, tables.Match.volunteer_id == volunteer.id)
    before = rows.volunteer_record(volunteer).status
    status = before if before in STOPPED else Status.WITHDRAWN  # a suspension outlives what it was about
    rows.write_volunteer(volunteer, records.Volunteer("", status=status))
    volunteer.once = rows.once(volunteer.reference)
    volunteer.person = volunteer.found = None
    volunteer.reference = f"{ERASED} {volunteer.id}"
    _erase_words(rows, tables.Match.volunteer_id == volunteer.id, tables.Declined.volunteer_id == volunteer.id)
    for one in rows.session.scalars(
        select(tables.RecordedException).where(tables.RecordedException.volunteer_id == volunteer.id)
    ):
        _erase_exception(rows, one)
    _erase_scores(rows, volunteer.id)
    _erase_from_plans(rows, volunteer.id)
    rows.session.execute(delete(tables.Shortlist))  # the volunteer may be on any; the next run makes them anew
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(user_id, "erase volunteer", volunteer.id, reason))


def is_erased(row: tables.Child | tables.Volunteer) -> bool:
    """Whether somebody is forgotten, and has not come back."""
    return row.once is not None or row.reference.startswith(ERASED)


def _refuse_again(row: tables.Child | tables.Volunteer) -> None:
    """A second time would put the hash of a placeholder in the place of that by which they are known again."""
    if is_erased(row):
        raise StepRefusedError("They were erased already.")


def _refuse_live(rows: Repository, own: Any) -> None:
    if rows.session.scalar(select(tables.Match.id).where(own, tables.Match.state.in_(LIVE)).limit(1)):
        raise StepRefusedError("A proposal or match of theirs is live. End it first: nobody visits whom Kith forgot.")


def _erase_words(rows: Repository, matches: Any, nos: Any) -> None:
    ids = []
    for match in rows.session.scalars(select(tables.Match).where(matches)):
        match.coordinator = None
        ids.append(match.id)
    for decision in rows.session.scalars(select(tables.Decision).where(tables.Decision.match_id.in_(ids))):
        decision.note = decision.scores = None
    for no in rows.session.scalars(select(tables.Declined).where(nos)):
        no.reason = None


def _erase_scores(rows: Repository, volunteer: str) -> None:
    """What scores said of a volunteer who was shown beside another who was chosen."""
    kept = select(tables.Decision).where(tables.Decision.scores.is_not(None))
    for decision in rows.session.scalars(kept):
        scores = json.loads(rows.open(decision, "scores") or "{}")
        if scores.pop(volunteer, None) is not None:
            rows.seal(decision, "scores", json.dumps(scores))


def _erase_from_plans(rows: Repository, person: str) -> None:
    for plan in rows.session.scalars(select(tables.Plan)):
        told = rows.open(plan, "content") or ""
        if person in told:
            rows.seal(plan, "content", json.dumps(_without(json.loads(told), person)))


def _without(told: Any, person: str) -> Any:
    """What JSON says without the entries of a person; where those of others name them, a word in place of the id."""
    if isinstance(told, dict):
        return {name: _without(one, person) for name, one in told.items()}
    if isinstance(told, list):
        return [_without(one, person) for one in told if one != person and not _is_of(one, person)]
    return told.replace(person, ERASED) if isinstance(told, str) else told


def _is_of(entry: Any, person: str) -> bool:
    return isinstance(entry, dict) and person in (entry.get("child"), entry.get("volunteer"))


def _erase_exception(rows: Repository, one: tables.RecordedException) -> None:
    for word in ("reason", "approved_by", "withdrawn_reason", "withdrawn_by"):
        if rows.open(one, word) is not None:
            rows.seal(one, word, ERASED)


# ---- how long --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Due:
    """A person whose records have been kept as long as they may."""

    record: str
    id: str
    since: date


def due(rows: Repository, as_of: date | None = None) -> list[Due]:
    """Who is due to be erased, longest first. Nobody with a live match is, nor a child who waits."""
    day = as_of or today()
    found = [Due("child", row.id, since) for row, since in _quiet(rows, tables.Child, tables.Match.child_id, day)]
    found += [
        Due("volunteer", row.id, since) for row, since in _quiet(rows, tables.Volunteer, tables.Match.volunteer_id, day)
    ]
    return sorted(found, key=lambda one: (one.since, one.id))


def _quiet(rows: Repository, kind: Any, side: Any, day: date) -> Iterator[tuple[Any, date]]:
    last: dict[str, date] = {}
    live = set()
    for person, state, ended, since in rows.session.execute(
        select(side, tables.Match.state, tables.Match.ended_on, tables.Match.since)
    ):
        if state in LIVE:
            live.add(person)
        if state == State.ENDED:  # a proposal that came to nothing was no match
            over = ended or since.date()
            last[person] = max(last.get(person, over), over)
    support = rows.policy()[1].number("rules.referral_age.support_years")
    for row in rows.session.scalars(select(kind).where(~kind.reference.startswith(ERASED))):
        since = last.get(row.id, row.changed_at.date())
        long_ago = day - since > _DAYS[kind.__name__.lower()]
        if row.id not in live and long_ago and not (kind is tables.Child and _waits(rows, row, support, day)):
            yield row, since


def _waits(rows: Repository, child: tables.Child, support_years: int, day: date) -> bool:
    """Whether a visitor may still come to a child: by their age, their word, and as care goes on."""
    record = rows.child_record(child, family_known=True)
    if not child.referral or child.objects or record.date_of_birth is None:
        return False
    cared_for = record.looked_after is not False or record.continuing_agreed is True
    return cared_for and years_old(record.date_of_birth, day) < support_years


def sweep(rows: Repository, plan_months: int) -> dict[str, int]:
    """Deletes what goes by itself: shortlists shown, ended logins, files left lying, words of old years, old plans.

    Gives how many rows of each type, as the audit log has it.
    """
    every: tuple[tuple[str, type[Base], Any], ...] = (
        ("shortlist shown", tables.Served, tables.Served.at),
        ("files looked at", tables.Upload, tables.Upload.at),
        ("words of a year's report", tables.YearWords, tables.YearWords.at),
    )
    gone = {
        record: rows.session.execute(delete(table).where(at < utc_now() - _DAYS[record])).rowcount  # type: ignore[attr-defined]
        for record, table, at in every
    }
    gone["login"] = _forget_logins(rows, _DAYS["login"])
    gone["plan"] = _forget_plans(rows, timedelta(days=kept(plan_months)[-1].days))
    gone = {record: count for record, count in gone.items() if count}
    audit_log.record(rows.session, rows.keys, Entry(audit_log.COMMAND, "retention", details=gone))
    return gone


def _forget_logins(rows: Repository, age: timedelta) -> int:
    """Of this authority's accounts: another's are for its own log."""
    own = select(tables.User.id).where(tables.User.authority_id == rows.session.info["authority"])
    ended = tables.LoginSession.ends_at < utc_now() - age, tables.LoginSession.user_id.in_(own)
    return rows.session.execute(delete(tables.LoginSession).where(*ended)).rowcount  # type: ignore[attr-defined,no-any-return]


def _forget_plans(rows: Repository, age: timedelta) -> int:
    """Deletes older plans with their shortlists; how many rows.

    The published one stays, and the last, with which the next is compared. A proposal made by a plan that goes names it
    no longer: where the plan was the reason, its first decision says so still.
    """
    table, session = tables.Plan, rows.session
    last = session.scalar(select(table.id).order_by(table.created_at.desc(), table.id).limit(1))
    old = table.created_at < utc_now() - age, ~table.is_current, table.id != last
    ids = list(session.scalars(select(table.id).where(*old)))
    session.execute(update(tables.Proposal).where(tables.Proposal.plan_id.in_(ids)).values(plan_id=None))
    every = delete(tables.Shortlist).where(tables.Shortlist.plan_id.in_(ids)), delete(table).where(table.id.in_(ids))
    return sum(session.execute(one).rowcount for one in every)  # type: ignore[attr-defined]
