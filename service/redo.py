"""What was done since a backup and is not in it: after it was put back, a person does it again.

The audit log of the database that was replaced has all of it. What `noes` keeps is left out, and what nobody does
again: readings, logins, runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service import budgets, people, privacy
from service.database import tables
from service.database.engine import Database
from service.standing import STOPPED, falls
from service.steps import NOTED
from service.workflow import LIVE, TAKEN_BACK, State

RESTORE = "restore"
"""Who acts in the audit log where a backup is put back."""

_KEPT = frozenset({"child objects", "child to be asked again", "hold referral", "withdraw exception"})
"""What is kept of whom the backup knows."""
_MONEY = frozenset({budgets.COMMIT, budgets.RELEASE})
_ACCOUNTS = frozenset({
    "invite user", "choose password", "set password", "disable user", "open user again", "change role of user",
    "bind account", "make token", "revoke token",
})  # fmt: skip
_NEVER_AGAIN = frozenset({
    "read", "log in", "log out", "run", "ask for run", "cancel run", "import: files looked at",
    "import: files thrown away", "import: part left out", "retention", "backup",
})  # fmt: skip


def since(before: Database, restored: Database, authority: str) -> list[str]:
    """What was done for an authority since a backup, oldest first: when, what, of whom, by whom."""
    with restored.read(authority) as session:
        last = session.scalar(select(func.max(tables.AuditEvent.number)).where(tables.AuditEvent.chain == authority))
        kinds = tables.Child, tables.Volunteer, tables.RecordedException
        there = {id for kind in kinds for id in session.scalars(select(kind.id))}
        there |= {*session.scalars(select(tables.Match.id).where(tables.Match.state.in_(LIVE)))}  # nothing else pauses
        stood = _standings(session)
    with before.read(authority) as session:
        event = tables.AuditEvent
        new = session.scalars(
            select(event).where(event.chain == authority, event.number > (last or 0)).order_by(event.number)
        )
        stand = {id for id, status in _standings(session).items()
                 if id in stood and (stood[id] == status or falls(stood[id], status))}  # fmt: skip
        done = _not_undone(one for one in new if one.actor != RESTORE)
        done = [one for one in done if one.action != "volunteer status" or one.subject not in stand]
        return list(_told(session, authority, done, there))


def _standings(session: Session) -> dict[str, str | None]:
    """Where each volunteer stands, by id: who stands in the end as the restore leaves them is not recorded again."""
    every = session.execute(select(tables.Volunteer.id, tables.Volunteer.status))
    return {row.id: row.status for row in every}


def _not_undone(events: Iterable[tables.AuditEvent]) -> list[tables.AuditEvent]:
    """Without the steps that were recorded by mistake and taken back since: nobody does either again."""
    left: list[tables.AuditEvent] = []
    for one in events:
        at = reversed(range(len(left))) if one.action in _UNDOING else ()
        undone = next((place for place in at if _undoes(one, left[place])), None)
        if undone is None:
            left.append(one)
        else:
            del left[undone]
    return left


_UNDOING = (f"decision: {TAKEN_BACK}", budgets.RELEASE)


def _undoes(later: tables.AuditEvent, earlier: tables.AuditEvent) -> bool:
    """Of an entry that takes something back, whether it is this that it does."""
    if later.action == budgets.RELEASE:
        return earlier.action == budgets.COMMIT and earlier.details["match"] == later.details["match"]
    return earlier.action == f"decision: {later.details[TAKEN_BACK]}" and earlier.subject == later.subject


def _told(session: Session, authority: str, events: list[tables.AuditEvent], there: set[str]) -> Iterator[str]:
    matches = {row.id: row for row in session.scalars(select(tables.Match))}
    names: dict[str, str] = {}
    people: tuple[type[tables.Child] | type[tables.Volunteer], ...] = tables.Child, tables.Volunteer
    for kind in people:
        names |= {row.id: row.reference for row in session.execute(select(kind.id, kind.reference))}
    team = session.scalars(select(tables.User).where(tables.User.authority_id == authority))
    accounts = {row.id: row.email for row in team}
    for one in events:
        match = matches.get(one.details["match"] if one.action in _MONEY else one.subject)
        if _is_kept(one, match, names, there):
            continue
        subject = names.get(one.subject, one.subject)
        if match is not None:
            subject = f"{names[match.child_id]} with {names[match.volunteer_id]}"
        if one.action == "link siblings":
            subject = ", ".join(names.get(id, id) for id in one.details["children"])
        words = [one.action, subject, one.reason, _fields(one)]
        what = " ".join(filter(None, words))
        yield f"{one.at:%Y-%m-%d %H:%M} UTC: {what}, by {accounts.get(one.actor, one.actor)}"


def _fields(one: tables.AuditEvent) -> str:
    """Which fields were changed; of a child's word and of a standing, to what; whose budget, and by how much."""
    told_by_word = (*chain(*people.CODES.values()), "code", "pence", TAKEN_BACK)
    codes = {name: one.details[name] for name in told_by_word if name in one.details}
    fields = {**dict.fromkeys(one.details.get("fields") or ()), **codes}
    told = ", ".join(f"{name}: {word}" if word else str(name) for name, word in fields.items())
    return f"({told})" if told else ""


def _is_kept(one: tables.AuditEvent, match: tables.Match | None, names: dict[str, str], there: set[str]) -> bool:
    """Whether the restored database, which has those who are `there`, has it, or nobody does it again.

    Of matches those are `there` that are live in it: what a step that was taken back would make live again is not.
    Whoever came back after they were erased is not erased again by itself.
    """
    if one.action in _ACCOUNTS | _NEVER_AGAIN or names.get(one.subject, "").startswith(privacy.ERASED):
        return True
    if one.action in _KEPT:
        return one.subject in there
    if one.action == "link siblings":
        return {*one.details["children"]} <= there
    if one.action == "volunteer status":
        return one.subject in there and one.details.get("status") in STOPPED
    if match is not None and one.action == f"decision: {NOTED}":  # which no restore keeps, wherever the match stands
        return any(names[id].startswith(privacy.ERASED) for id in (match.child_id, match.volunteer_id))
    stands = match is not None and _stands(match, there)
    if one.action in _MONEY:
        return not stands  # by an appointment that is taken again, or taken back again, it changes again
    if match is not None and one.action == "share" and State(match.state) in LIVE:
        return False
    return stands


def _stands(match: tables.Match, there: set[str]) -> bool:
    """Whether a match stands in the restored database where it stood before, so that it needs no step to get there."""
    if State(match.state) in LIVE:  # a pause is kept
        return match.id in there and match.state == State.PAUSED
    return {match.child_id, match.volunteer_id} <= there
