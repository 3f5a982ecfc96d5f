"""The audit log: append-only, each entry chained to the one before by an HMAC whose key is outside the database.

An entry says who, what, of whom, when and why, in ids, names of fields, counts and codes: never what a field says.
Altering, adding, moving or removing an entry breaks the chain at a number that `verify` names. What a chain cannot show
of itself is that its end was cut off: keep the number and seal that `kith audit verify` prints; give them next time
by `--kept`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, String, cast, select, text
from sqlalchemy.orm import Session

from service.crypto import KeyRing
from service.database.base import utc_now
from service.database.tables import AuditEvent

INSTALLATION = "kith"
"""The chain of what concerns no single authority, such as a login that failed."""
COMMAND = "kith"
"""Who acts from the command line of the server."""


@dataclass(frozen=True)
class Entry:
    """What is to be recorded.

    `actor` is a user's id, or the command or worker that acted; `subject` the id of the record concerned, or "";
    `reason` a code or a sentence that the actor chose from a list, never free text.
    """

    actor: str
    action: str
    subject: str = ""
    reason: str = ""
    details: Mapping[str, Any] | None = None


def told_codes(field: str, before: str | bool | None, after: str | bool | None) -> dict[str, str]:
    """What was and what is, for the audit log, of a field whose words are codes."""
    return {f"{field} before": _code(before), field: _code(after)}


def _code(fact: str | bool | None) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return fact or "not recorded"


def record(session: Session, keys: KeyRing, entry: Entry) -> AuditEvent:
    """Adds an entry to the chain of the session's authority, in the session's own transaction.

    Others who write to the same chain wait until that transaction is over: make it a short one.
    """
    return record_all(session, keys, [entry])[0]


def record_all(session: Session, keys: KeyRing, entries: Sequence[Entry]) -> list[AuditEvent]:
    """Adds entries in their order, all at once: thousands cost hardly more than one."""
    take_turn(session)
    chain = session.info.get("authority") or INSTALLATION
    last = session.scalar(
        select(AuditEvent).where(AuditEvent.chain == chain).order_by(AuditEvent.number.desc()).limit(1)
    )
    first, before, at = (last.number + 1, last.mac, utc_now()) if last else (1, "", utc_now())
    events = []
    for number, entry in enumerate(entries, start=first):
        event = AuditEvent(
            chain=chain, number=number, at=at, actor=entry.actor, action=entry.action, subject=entry.subject,
            reason=entry.reason, details=dict(entry.details or {}),
        )  # fmt: skip
        before = event.mac = _mac(event, before, keys)
        events.append(event)
    session.add_all(events)
    session.flush()
    return events


def about(id: str) -> ColumnElement[bool]:
    """Whether an entry is about a record, or about a list that had it in it. An id needs no escaping."""
    return (AuditEvent.subject == id) | cast(AuditEvent.details, String).contains(f'"{id}"')


def take_turn(session: Session) -> None:
    """Waits until nobody else writes to the chain of the session's authority.

    Whoever locks rows takes turns in one order, or two could wait for each other for ever: `Repository.take_turn`, what
    they change, this, and last the run that they ask for.
    """
    session.flush()
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        chain = session.info.get("authority") or INSTALLATION
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:chain))"), {"chain": f"audit {chain}"})


@dataclass(frozen=True)
class Verdict:
    """What was found of one chain: its last number and seal, and the first entry that is wrong, if any."""

    chain: str
    entries: int
    last_mac: str
    problem: str | None = None


def verify(session: Session, keys: KeyRing, *, kept: tuple[int, str] | None = None) -> Verdict:
    """Reads the whole chain of the session's authority.

    Args:
        kept: a number and a seal as an earlier verdict told them, kept elsewhere.
    """
    chain = session.info.get("authority") or INSTALLATION
    query = select(AuditEvent).where(AuditEvent.chain == chain).order_by(AuditEvent.number)
    with closing(session.scalars(query.execution_options(yield_per=500))) as events:
        return _verdict(chain, events, keys, kept)


def holds(session: Session, number: int, mac: str) -> bool:
    """Whether the chain of the session's authority has an entry of that number under that seal."""
    chain = session.info.get("authority") or INSTALLATION
    query = select(AuditEvent.mac).where(AuditEvent.chain == chain, AuditEvent.number == number)
    return hmac.compare_digest(session.scalar(query) or "", mac)


def _verdict(chain: str, events: Iterable[AuditEvent], keys: KeyRing, kept: tuple[int, str] | None) -> Verdict:
    before, number = "", 0
    for event in events:
        if event.number != number + 1:
            return Verdict(chain, number, before, f"Entry {number + 1} is missing.")
        if not hmac.compare_digest(event.mac, _mac(event, before, keys)):
            return Verdict(chain, number, before, f"Entry {event.number} was altered.")
        number, before = event.number, event.mac
        if kept is not None and number == kept[0] and before != kept[1]:
            return Verdict(chain, number, before, f"Entry {number} is not the one that was kept: the log was replaced.")
    if kept is not None and number < kept[0]:
        return Verdict(chain, number, before, f"Entry {number + 1} is missing, and every one up to {kept[0]}.")
    return Verdict(chain, number, before)


def _mac(event: AuditEvent, before: str, keys: KeyRing) -> str:
    content = [
        before, event.chain, event.number, _moment(event.at), event.actor, event.action, event.subject, event.reason,
        event.details,
    ]  # fmt: skip
    message = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(keys.audit, message, hashlib.sha256).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
