"""What a responsible authority may spend in a year on matches outside its county: who sets it, and what Kith adds.

What is spent or committed is a figure that somebody tells, by hand or by a file. From then on Kith adds a year's cost
of each match outside the county that is appointed, and takes nothing off when it ends: what of it was spent, a person
knows. An appointment that was recorded by mistake is taken off again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from sqlalchemy import select

from service import audit_log
from service.audit_log import Entry
from service.database import tables
from service.repository import Repository

REASONS = (
    "a new year", "another sum was agreed", "spending brought up to date", "a match ended early", "entered by mistake",
)  # fmt: skip
"""Why somebody sets a budget, as the page asks it."""
MOST = 10**9
"""Pence that a figure may be, ten million pounds."""
_SET, BY_FILE = "set budget", "import: set budget"
COMMIT, RELEASE = "commit budget", "release budget"


def row_of(rows: Repository, code: str) -> tables.Budget | None:
    return rows.session.scalar(select(tables.Budget).where(tables.Budget.code == code))


def stamp(row: tables.Budget | None) -> str:
    """What somebody has seen who sets it: it is set only while this is so still."""
    return "none" if row is None else f"{row.budget_pence}-{row.spent_pence}"


def set_budget(
    rows: Repository, code: str, budget_pence: int | None, spent_pence: int, *, user_id: str, reason: str = ""
) -> tables.Budget:
    """Whoever calls holds the authority's turn, and has compared the stamp since. `reason` is one of REASONS."""
    row = row_of(rows, code)
    if row is None:
        row = tables.Budget(code=code)
        rows.session.add(row)
    row.budget_pence, row.spent_pence = budget_pence, spent_pence
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(user_id, _SET, row.id, reason, {"code": code}))
    return row


def commit(rows: Repository, code: str | None, pence: int, match: tables.Match, *, user_id: str) -> None:
    """What an appointment costs in a year counts as committed from now on, where a budget of its payer is recorded."""
    row = row_of(rows, code) if code else None
    if pence and row is not None:
        row.spent_pence += pence
        rows.session.flush()
        details = {"code": row.code, "pence": pence, "match": match.id}
        audit_log.record(rows.session, rows.keys, Entry(user_id, COMMIT, row.id, details=details))


def added_by(rows: Repository, match: tables.Match) -> tuple[tables.Budget, int] | None:
    """Whose figure has the pence of a match's appointment in it, which Kith added since somebody told the figure."""
    for row in rows.session.scalars(select(tables.Budget)):
        for one in history(rows, row).added:
            if one.match_id == match.id:
                return row, one.pence
    return None


def release(rows: Repository, match: tables.Match, *, user_id: str) -> None:
    """The appointment of a match was recorded by mistake: what Kith added for it is committed no longer.

    A figure that somebody told since stays as they told it.
    """
    if added := added_by(rows, match):
        row, pence = added
        row.spent_pence -= pence
        rows.session.flush()
        details = {"code": row.code, "pence": pence, "match": match.id}
        audit_log.record(rows.session, rows.keys, Entry(user_id, RELEASE, row.id, details=details))


@dataclass(frozen=True)
class Added:
    """What one appointment has added to what is spent or committed."""

    match_id: str
    pence: int
    at: datetime


@dataclass(frozen=True)
class History:
    """What has become of a figure since somebody told it."""

    told_at: datetime | None
    told_by: str
    """The id of an account; empty where that is not known."""
    added: Sequence[Added]
    """The last one first."""


def history(rows: Repository, row: tables.Budget) -> History:
    """From the audit log, which has whoever set it and each appointment since, also one that was taken back."""
    table = tables.AuditEvent
    about = table.subject == row.id, table.action.in_((_SET, BY_FILE, COMMIT, RELEASE))
    events = rows.session.scalars(select(table).where(*about).order_by(table.number.desc())).all()
    since = list(takewhile(lambda event: event.action in (COMMIT, RELEASE), events))
    told = events[len(since)] if len(since) < len(events) else None
    added: dict[str, Added] = {}
    for one in reversed(since):
        match = one.details["match"]
        if one.action == COMMIT:
            added[match] = Added(match, one.details["pence"], one.at)
        else:
            added.pop(match, None)
    return History(told.at if told else None, told.actor if told else "", list(added.values())[::-1])
