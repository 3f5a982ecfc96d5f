"""What was said no to, and what was over, stays so when a backup from before is put in the place of a database.

A backup knows nothing of the days after it. Decisions of those days are lost with the database that it replaces, but
never a no: neither a child's objection, nor a pair that was declined, nor the end of a proposal or match.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from matcher.records import Agreement
from service import audit_log, proposals
from service.crypto import KeyRing
from service.database import tables
from service.database.engine import Database
from service.repository import Repository
from service.workflow import LIVE

RESTORE = "restore"
"""Who acts in the audit log where a backup is put back."""

_OVER = ("state", "since", "ended_on", "over_by", "reason")
_NO = ("id", "child_id", "volunteer_id", "said_by", "declined_on", "reason")


@dataclass(frozen=True)
class Noes:
    """What a database knows of one authority: its children who object, its declined pairs, what is over."""

    objecting: frozenset[str]
    declined: dict[str, dict[str, object]]
    over: dict[str, dict[str, object]]


def noes_of(database: Database, authority: str) -> Noes:
    with database.read(authority) as session:
        ended = session.scalars(select(tables.Match).where(tables.Match.state.not_in(LIVE)))
        return Noes(
            frozenset(session.scalars(select(tables.Child.id).where(tables.Child.objects))),
            {row.id: {name: getattr(row, name) for name in _NO} for row in session.scalars(select(tables.Declined))},
            {row.id: {name: getattr(row, name) for name in _OVER} for row in ended},
        )


def keep(before: Database, restored: Database, keys: KeyRing) -> int:
    """Records in a restored database every no of the one that it replaces; how many it had not known."""
    with restored.read() as session:
        authorities = list(session.scalars(select(tables.Authority.id)))
    return sum(_keep(noes_of(before, authority), restored, keys, authority) for authority in authorities)


def _keep(noes: Noes, restored: Database, keys: KeyRing, authority: str) -> int:
    known = noes_of(restored, authority)
    with restored.write(authority) as session:
        rows = Repository(session, keys)
        live = session.scalars(select(tables.Match).where(tables.Match.id.in_(noes.over.keys() - known.over.keys())))
        over = list(live)
        for match in over:
            for name, value in noes.over[match.id].items():
                setattr(match, name, value)
            match.place = match.next_review_on = None
        session.flush()
        there = {*session.scalars(select(tables.Child.id)), *session.scalars(select(tables.Volunteer.id))}
        declined = [no for id, no in noes.declined.items()
                    if id not in known.declined and {no["child_id"], no["volunteer_id"]} <= there]  # fmt: skip
        session.add_all(tables.Declined(**no) for no in declined)
        objecting = sorted((noes.objecting - known.objecting) & there)
        for child in objecting:
            proposals.set_agreement(rows, rows.child(child), Agreement.NO)
        if kept := len(over) + len(declined) + len(objecting):
            details = {"object": objecting, "over": [match.id for match in over], "declined": len(declined)}
            audit_log.record(session, keys, audit_log.Entry(RESTORE, "keep what was said no to", details=details))
    return kept
