"""How long what is kept: a line for every table, and `kith retention`, which deletes what goes by itself.

Nobody is erased by the calendar: who has been kept long enough is listed, and a person erases. What keeps others safe
has no end, nor has the log, nor the name of whoever stands in it: that somebody decided who visits a child has to be
told as long as anybody may ask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Delete, Update, delete, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from matcher.instance import today
from matcher.references import years_old
from service import asking, audit_log
from service.audit_log import Entry
from service.database import tables
from service.database.base import Base, utc_now
from service.privacy import ERASED
from service.repository import Repository
from service.workflow import LIVE, State

Goes = Callable[[Repository, datetime], int]
"""Deletes or clears what is older than a moment; how many rows."""
_NO_END = 0
_AS_PLANS = -1
"""As many days as `KITH_PLAN_MONTHS` has."""
_SIX_YEARS = 6 * 365


@dataclass(frozen=True)
class Kept:
    """How long records of one type are kept, from when on, and what becomes of them then."""

    record: str
    tables: tuple[type[Base], ...]
    days: int
    since: str
    then: str
    goes: Goes | None = None
    """What `kith retention` does then; none where a person does it, or nobody."""


def _kept(record: str, *of: type[Base], why: str) -> Kept:
    """What has no end, and why."""
    return Kept(record, of, _NO_END, "never", f"kept: {why}")


# ---- what goes by itself ---------------------------------------------------------------------------------------------


def _older(at: InstrumentedAttribute[datetime]) -> Goes:
    return lambda rows, before: _count(rows, delete(at.class_).where(at < before))


def _count(rows: Repository, change: Delete | Update) -> int:
    return rows.session.execute(change).rowcount  # type: ignore[attr-defined,no-any-return]


def _own_accounts(rows: Repository) -> Any:
    """Another authority's are for its own log."""
    return tables.User.authority_id == rows.session.info["authority"]


def _logins(rows: Repository, before: datetime) -> int:
    table, own = tables.LoginSession, select(tables.User.id).where(_own_accounts(rows))
    return _count(rows, delete(table).where(table.ends_at < before, table.user_id.in_(own)))


def _tokens(rows: Repository, before: datetime) -> int:
    table, own = tables.ApiToken, select(tables.User.id).where(_own_accounts(rows))
    over = or_(table.expires_at < before, table.revoked_at < before)
    return _count(rows, delete(table).where(over, table.user_id.in_(own)))


def _accounts(rows: Repository, before: datetime) -> int:
    """The address, and what let its owner in. The name stays as far as the log, or a record, says that they did it."""
    closed = _own_accounts(rows), tables.User.disabled_at < before, tables.User.email.contains("@")
    users = rows.session.scalars(select(tables.User).where(*closed).with_for_update()).all()
    for user in users:
        user.email = user.id  # which nobody can sign in or be invited by
        user.password = user.subject = user.invitation = user.invited_until = user.locked_until = None
        if not rows.session.scalar(select(exists().where(tables.AuditEvent.actor == user.id))):
            rows.seal(user, "name", "")
    return len(users)


def _problems(rows: Repository, before: datetime) -> int:
    """Why runs found no plan: it tells of pairs, and is of use for days."""
    told = tables.Run.requested_at < before, tables.Run.problem.is_not(None)
    return _count(rows, update(tables.Run).where(*told).values(problem=None))


def _notes(rows: Repository, before: datetime) -> int:
    """What was written of files as they were taken in. Who took them in, when, and how many rows stays."""
    told = tables.ImportBatch.at < before, tables.ImportBatch.note.is_not(None)
    return _count(rows, update(tables.ImportBatch).where(*told).values(note=None))


def _plans(rows: Repository, before: datetime) -> int:
    """With their shortlists. The published one stays, and the last, with which the next is compared.

    A proposal made by a plan that goes names it no longer: where the plan was the reason, its first decision says so
    still.
    """
    table, session = tables.Plan, rows.session
    last = session.scalar(select(table.id).order_by(table.created_at.desc(), table.id).limit(1))
    old = table.created_at < before, ~table.is_current, table.id != last
    ids = list(session.scalars(select(table.id).where(*old)))
    session.execute(update(tables.Proposal).where(tables.Proposal.plan_id.in_(ids)).values(plan_id=None))
    every = delete(tables.Shortlist).where(tables.Shortlist.plan_id.in_(ids)), delete(table).where(table.id.in_(ids))
    return sum(_count(rows, one) for one in every)


# ---- every table -----------------------------------------------------------------------------------------------------


_QUIET = "the end of the last match, or the last change where there was none"
_ERASES = "listed as due; a manager erases"
_OF_BOTH = "what keeps others safe, by ids; the words in it go as either of the two is erased"

RETENTION = (
    Kept("child", (tables.Child,), _SIX_YEARS, _QUIET, _ERASES),
    Kept("volunteer", (tables.Volunteer,), _SIX_YEARS, _QUIET, _ERASES),
    _kept("siblings", tables.Family, tables.TakenApart, why="siblings never share a visitor; erased children by ids"),
    _kept("match", tables.Match, tables.Proposal, tables.Decision, why=_OF_BOTH),
    _kept("no of one to the other", tables.Declined, why=_OF_BOTH),
    _kept("exception", tables.RecordedException, why="who allowed what; its words go as either of the two is erased"),
    Kept("shortlist shown", (tables.Served,), 30, "it was shown", "deleted by itself", _older(tables.Served.at)),
    Kept("plan", (tables.Plan, tables.Shortlist), _AS_PLANS, "it was found; the published one and the last are kept",
         "deleted by itself, with its shortlists", _plans),
    Kept("why a run found no plan", (tables.Run,), _AS_PLANS, "the run was asked for",
         "cleared by itself; that it ran, when and who asked for it stays", _problems),
    Kept("files looked at", (tables.Upload,), 1, "they were sent",
         "deleted by itself, and as soon as they are taken in or thrown away", _older(tables.Upload.at)),
    Kept("note of an import", (tables.ImportBatch,), _SIX_YEARS, "the files were taken in",
         "cleared by itself; who took them in, when, and how many rows stays", _notes),
    _kept("how files are read", tables.SavedMapping,
          why="headings and words of the council's files, of nobody; whoever confirms them anew replaces them"),
    Kept("words of a year's report", (tables.YearWords,), _SIX_YEARS, "they were last written", "deleted by itself",
         _older(tables.YearWords.at)),
    Kept("login", (tables.LoginSession,), 30, "it ended", "deleted by itself", _logins),
    Kept("token", (tables.ApiToken,), 30, "it expired or was revoked", "deleted by itself", _tokens),
    Kept("account", (tables.User,), 365, "it was closed",
         "its address is cleared by itself, and what let its owner in; the name stays as long as the log does that "
         "says what they did, and is cleared where they did nothing", _accounts),
    _kept("audit log", tables.AuditEvent, why="it holds ids and codes alone"),
    _kept("policy", tables.Policy, why="every proposal names the version by which it was judged"),
    _kept("budget", tables.Budget, why="a council's figures, of nobody"),
    _kept("organisation", tables.Organisation, why="providers by name; former names are what independence goes by"),
    _kept("whom to ring", tables.WhomToRing, why="as a manager wrote it last; what it said before is not kept"),
    _kept("installation", tables.Authority, tables.Worker,
          why="the authorities by name, and which worker lives, which is gone after a day"),
)  # fmt: skip
"""A council's own schedule goes before these; what is due is only ever listed, and a person erases."""


def kept(plan_months: int) -> tuple[Kept, ...]:
    """How long records of every type are kept where plans are for so many months."""
    months = plan_months * 365 // 12
    return tuple(replace(one, days=months) if one.days == _AS_PLANS else one for one in RETENTION)


def table(plan_months: int) -> str:
    """The periods as the Markdown table of docs/operations.md."""
    lines = ["| record | how long | since | then |", "|---|---|---|---|"]
    for one, own in zip(kept(plan_months), RETENTION, strict=True):
        setting = " (`KITH_PLAN_MONTHS`)" if own.days == _AS_PLANS else ""
        lines.append(f"| {one.record} | {_period(one.days)}{setting} | {one.since} | {one.then} |")
    return "\n".join(lines)


def _period(days: int) -> str:
    if days == _NO_END:
        return "no end"
    number, unit = (days // 365, "year") if days % 365 == 0 else (days, "day")
    return f"{number} {unit}{'s' if number > 1 else ''}"


def sweep(rows: Repository, plan_months: int) -> dict[str, int]:
    """Deletes or clears what goes by itself; how many rows of each type, as the audit log has it."""
    rows.take_turn()
    now = utc_now()
    every = {one.record: one.goes(rows, now - timedelta(days=one.days)) for one in kept(plan_months) if one.goes}
    gone = {record: count for record, count in every.items() if count}
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(audit_log.COMMAND, "retention", details=gone))
    return gone


_DAYS = {one.tables[0]: timedelta(days=one.days) for one in RETENTION}


# ---- who is due ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Due:
    """A person whose records have been kept as long as they may."""

    record: str
    id: str
    since: date


def due(rows: Repository, as_of: date | None = None) -> list[Due]:
    """Who is due to be erased, longest first. Nobody with a live match is, nor a child who waits.

    Nor the two of a past match of which the child is to be asked since a concern: nobody could be any more.
    """
    day = as_of or today()
    to_ask = {id for one in asking.to_ask(rows) for id in (one.match.child_id, one.match.volunteer_id)}
    found = [Due("child", row.id, since) for row, since in _quiet(rows, tables.Child, tables.Match.child_id, day)]
    found += [
        Due("volunteer", row.id, since) for row, since in _quiet(rows, tables.Volunteer, tables.Match.volunteer_id, day)
    ]
    return sorted((one for one in found if one.id not in to_ask), key=lambda one: (one.since, one.id))


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
        long_ago = day - since > _DAYS[kind]
        if row.id not in live and long_ago and not (kind is tables.Child and _waits(rows, row, support, day)):
            yield row, since


def _waits(rows: Repository, child: tables.Child, support_years: int, day: date) -> bool:
    """Whether a visitor may still come to a child: by their age, their word, and as care goes on."""
    record = rows.child_record(child, family_known=True)
    if not child.referral or child.objects or record.date_of_birth is None:
        return False
    cared_for = record.looked_after is not False or record.continuing_agreed is True
    return cared_for and years_old(record.date_of_birth, day) < support_years
