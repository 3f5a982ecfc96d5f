"""What was said no to, stopped or over stays so when a backup from before is put in the place of a database.

A backup knows nothing of the days after it. Decisions of those days are lost with the database that it replaces, but
never a no: neither a child's objection, nor a pair that was declined, nor the end of a proposal or match, nor that a
volunteer was suspended or has gone, visits nobody, and had past matches brought up, nor that an exception was
withdrawn. Nor who may log in: accounts and tokens stay as they were in the database that is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from matcher.records import Agreement, Status
from service import audit_log, people, proposals
from service.crypto import KeyRing
from service.database import tables
from service.database.base import Base
from service.database.engine import Database
from service.people import STOPPED
from service.repository import Repository
from service.workflow import LIVE, State

RESTORE = "restore"
"""Who acts in the audit log where a backup is put back."""

_OVER = ("state", "since", "ended_on", "over_by", "reason")
_PAUSED = ("state", "since", "started_on", "next_review_on", "reason")
_WITHDRAWN = ("withdrawn_on", "withdrawn_by", "withdrawn_reason")
_BROUGHT_UP = ("id", "match_id", "step", "state", "said_by", "user_id", "at", "reason")
_NO = ("id", "child_id", "volunteer_id", "said_by", "declined_on", "reason")


@dataclass(frozen=True)
class Noes:
    """What a database knows of one authority: who objects, which pairs are declined, who was stopped, what is over."""

    objecting: frozenset[str]
    declined: dict[str, dict[str, object]]
    over: dict[str, dict[str, object]]
    stopped: dict[str, Status]
    paused: dict[str, dict[str, object]]
    """Matches of those who were stopped."""
    withdrawn: dict[str, dict[str, object]]
    """Exceptions that hold no longer."""
    brought_up: dict[str, dict[str, object]]
    """Of past matches: that their volunteer was suspended, and somebody has to ask those children too."""


def noes_of(database: Database, authority: str) -> Noes:
    with database.read(authority) as session:
        ended = session.scalars(select(tables.Match).where(tables.Match.state.not_in(LIVE)))
        stopped = session.scalars(select(tables.Volunteer).where(tables.Volunteer.status.in_(STOPPED)))
        standing = {row.id: Status(row.status) for row in stopped if row.status}
        paused = session.scalars(select(tables.Match).where(tables.Match.state == State.PAUSED))
        withdrawn = session.scalars(
            select(tables.RecordedException).where(tables.RecordedException.withdrawn_on.is_not(None))
        )
        brought_up = session.scalars(
            select(tables.Decision).where(tables.Decision.step == people.BROUGHT_UP).order_by(tables.Decision.at)
        )
        return Noes(
            frozenset(session.scalars(select(tables.Child.id).where(tables.Child.objects))),
            {row.id: {name: getattr(row, name) for name in _NO} for row in session.scalars(select(tables.Declined))},
            {row.id: {name: getattr(row, name) for name in _OVER} for row in ended},
            standing,
            {row.id: {name: getattr(row, name) for name in _PAUSED} for row in paused if row.volunteer_id in standing},
            {row.id: {name: getattr(row, name) for name in _WITHDRAWN} for row in withdrawn},
            {row.id: {name: getattr(row, name) for name in _BROUGHT_UP} for row in brought_up},
        )


def keep(before: Database, restored: Database, keys: KeyRing) -> int:
    """Records in a restored database every no of the one that it replaces; how many it had not known."""
    _keep_accounts(before, restored)
    with restored.read() as session:
        authorities = list(session.scalars(select(tables.Authority.id)))
    return sum(_keep(noes_of(before, authority), restored, keys, authority) for authority in authorities)


def _keep_accounts(before: Database, restored: Database) -> None:
    """An account that was closed, a password or a role that was changed, a token that was revoked stay so."""
    kinds: tuple[type[tables.User] | type[tables.ApiToken], ...] = tables.User, tables.ApiToken
    for kind in kinds:
        names = [column.key for column in kind.__mapper__.column_attrs if column.key != "version"]
        with before.read() as session:
            rows = [{name: getattr(row, name) for name in names} for row in session.scalars(select(kind))]
        with restored.write() as session:
            authorities = {*session.scalars(select(tables.Authority.id))}
            users = {*session.scalars(select(tables.User.id))}
            for facts in rows:
                if facts.get("authority_id") not in authorities and facts.get("user_id") not in users:
                    continue  # of an authority that was added since
                row = session.get(kind, facts["id"])
                if row is None:
                    session.add(kind(**facts))
                else:
                    _copy(row, facts)


def _keep(noes: Noes, restored: Database, keys: KeyRing, authority: str) -> int:
    known = noes_of(restored, authority)
    with restored.write(authority) as session:
        rows = Repository(session, keys)
        live = session.scalars(select(tables.Match).where(tables.Match.id.in_(noes.over.keys() - known.over.keys())))
        over = list(live)
        for match in over:
            _copy(match, noes.over[match.id])
            match.place = match.next_review_on = None
        session.flush()
        there = {*session.scalars(select(tables.Child.id)), *session.scalars(select(tables.Volunteer.id))}
        declined = [no for id, no in noes.declined.items()
                    if id not in known.declined and {no["child_id"], no["volunteer_id"]} <= there]  # fmt: skip
        session.add_all(tables.Declined(**no) for no in declined)
        objecting = sorted((noes.objecting - known.objecting) & there)
        for child in objecting:
            proposals.set_agreement(rows, rows.child(child), Agreement.NO)
        stopped = {id: status for id, status in noes.stopped.items() if id in there and known.stopped.get(id) != status}
        for id, status in stopped.items():
            row = rows.volunteer(id)
            rows.write_volunteer(row, replace(rows.volunteer_record(row), status=status))
        visited = tables.Match.state != State.PAUSED
        paused = list(session.scalars(select(tables.Match).where(tables.Match.id.in_(noes.paused), visited)))
        for match in paused:
            _copy(match, noes.paused[match.id])
        allowed = tables.RecordedException.id.in_(noes.withdrawn.keys() - known.withdrawn.keys())
        withdrawn = list(session.scalars(select(tables.RecordedException).where(allowed)))
        for exception in withdrawn:
            _copy(exception, noes.withdrawn[exception.id])
        session.flush()
        brought_up = _bring_up(session, noes, known)
        if withdrawn or over:
            rows.set_capacities(rows.policy()[1])
            session.flush()
        kept = len(over) + len(declined) + len(objecting) + len(stopped) + len(paused) + len(withdrawn) + brought_up
        if kept:
            details = {
                "object": objecting, "over": [match.id for match in over], "declined": len(declined),
                "stopped": stopped, "paused": [match.id for match in paused],
                "withdrawn": [one.id for one in withdrawn], "brought up": brought_up,
            }  # fmt: skip
            audit_log.record(session, keys, audit_log.Entry(RESTORE, "keep what was said no to", details=details))
    return kept


def _bring_up(session: Session, noes: Noes, known: Noes) -> int:
    """Enters into the story of each past match what the database before had in it, by the same person; how many."""
    ended = {*session.scalars(select(tables.Match.id).where(tables.Match.state == State.ENDED))}
    users = {*session.scalars(select(tables.User.id))}
    missing = [facts for id, facts in noes.brought_up.items() if id not in known.brought_up
               and facts["match_id"] in ended and facts["user_id"] in users]  # fmt: skip
    for facts in missing:
        number = select(func.max(tables.Decision.number)).where(tables.Decision.match_id == facts["match_id"])
        session.add(tables.Decision(**facts, number=(session.scalar(number) or 0) + 1))
        session.flush()
    return len(missing)


def _copy(row: Base, facts: dict[str, object]) -> None:
    for name, value in facts.items():
        setattr(row, name, value)
