"""What was done since a backup and is not in it: after it was put back, a person does it again.

The audit log of the database that was replaced has all of it. What `noes` keeps is left out, and what nobody does
again: readings, logins, runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import privacy
from service.database import tables
from service.database.engine import Database
from service.standing import STOPPED
from service.workflow import LIVE, State

RESTORE = "restore"
"""Who acts in the audit log where a backup is put back."""

_KEPT = frozenset({
    "child objects", "link siblings", "withdraw exception", *privacy.ERASING,
    "invite user", "choose password", "set password", "disable user", "open user again", "change role of user",
    "bind account", "make token", "revoke token",
})  # fmt: skip
_NEVER_AGAIN = frozenset({
    "read", "log in", "log out", "run", "ask for run", "cancel run", "import: files looked at", "import: discarded",
})  # fmt: skip


def since(before: Database, restored: Database, authority: str) -> list[str]:
    """What was done for an authority since a backup, oldest first: when, what, of whom, by whom."""
    with restored.read(authority) as session:
        last = session.scalar(select(func.max(tables.AuditEvent.number)).where(tables.AuditEvent.chain == authority))
    with before.read(authority) as session:
        event = tables.AuditEvent
        new = session.scalars(
            select(event).where(event.chain == authority, event.number > (last or 0)).order_by(event.number)
        )
        return list(_told(session, authority, [one for one in new if one.actor != RESTORE]))


def _told(session: Session, authority: str, events: list[tables.AuditEvent]) -> Iterator[str]:
    matches = {row.id: row for row in session.scalars(select(tables.Match))}
    names: dict[str, str] = {}
    people: tuple[type[tables.Child] | type[tables.Volunteer], ...] = tables.Child, tables.Volunteer
    for kind in people:
        names |= {row.id: row.reference for row in session.execute(select(kind.id, kind.reference))}
    team = session.scalars(select(tables.User).where(tables.User.authority_id == authority))
    accounts = {row.id: row.email for row in team}
    for one in events:
        if _is_kept(one, matches.get(one.subject), names):
            continue
        subject = names.get(one.subject, one.subject)
        if match := matches.get(one.subject):
            subject = f"{names[match.child_id]} with {names[match.volunteer_id]}"
        fields = one.details.get("fields") or []
        words = [one.action, subject, one.reason, f"({', '.join(map(str, fields))})" if fields else ""]
        what = " ".join(filter(None, words))
        yield f"{one.at:%Y-%m-%d %H:%M} UTC: {what}, by {accounts.get(one.actor, one.actor)}"


def _is_kept(one: tables.AuditEvent, match: tables.Match | None, names: dict[str, str]) -> bool:
    """Whether the restored database has it, or nobody does it again."""
    if one.action in _KEPT | _NEVER_AGAIN or names.get(one.subject, "").startswith(privacy.ERASED):
        return True
    if one.action == "volunteer status":
        return one.details.get("status") in STOPPED
    if match is not None:  # a pause is kept, and what is over needs no step before its end
        return State(match.state) not in LIVE or one.details.get("state") == State.PAUSED
    return False
