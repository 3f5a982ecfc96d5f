"""What was said no to, stopped or over stays so when a backup from before is put in the place of a database.

A backup knows nothing of the days after it. Decisions of those days are lost with the database that it replaces, but
never a no: neither a child's objection, nor that a child is to be asked again, nor a pair that was declined, nor the
end of a proposal or match, also of one that began since, nor that the two had met of whom nothing came, nor a pause of
visits, nor that a volunteer was suspended or has gone and had past matches brought up, nor what came of asking those
children, nor that there was a concern about one who is back by now, or a safeguarding issue of a child that is closed,
and what was found of it, nor that an exception was withdrawn. Nor what was found out and parts a pair: that children
are siblings, that a safeguarding issue of a child is unresolved, that a volunteer is connected with a council; nor that
a manager took siblings apart, whom a file would join again. Who was erased is erased again. Who may log in, accounts
and tokens, stay as they were in the database that is replaced. What else was done since, a person does again: the audit
log of those days tells what it was (`redo.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from matcher.records import Agreement, Child, Status
from service import audit_log, concerns, privacy, proposals, redo, standing, steps
from service.brought_up import ASKED, BROUGHT_UP
from service.crypto import KeyRing, KeysError
from service.database import tables
from service.database.base import Base
from service.database.engine import Database
from service.families import link_siblings, settle
from service.redo import RESTORE
from service.repository import Repository
from service.standing import STOPPED
from service.workflow import HAVE_MET, LIVE, State

_OVER = (
    "id", "child_id", "volunteer_id", "state", "since", "started_on", "ended_on", "over_by", "reason", "coordinator",
    "coordinator_hash", "created_at",
)  # fmt: skip
_PAUSED = ("state", "since", "started_on", "next_review_on", "reason")
_WITHDRAWN = ("withdrawn_on", "withdrawn_by", "withdrawn_reason")
_SAID = ("id", "match_id", "step", "state", "said_by", "user_id", "at", "reason", "note")
_APART = ("id", "child_id", "other_id", "reason", "at")
_NO = ("id", "child_id", "volunteer_id", "said_by", "declined_on", "reason", "match_id")
_FOUND = select(tables.Child).where(tables.Child.found.is_not(None))


Decisions = dict[str, dict[str, object]]
"""What was decided, by its id."""


@dataclass(frozen=True)
class Noes:
    """What a database knows of one authority: who objects, which pairs are declined, who was stopped, what is over."""

    objecting: frozenset[str]
    declined: dict[str, dict[str, object]]
    over: dict[str, dict[str, object]]
    stopped: dict[str, Status]
    """Also who is an applicant: whom the backup has as approved, is not."""
    paused: dict[str, dict[str, object]]
    """Matches of which the visits are paused, whatever for."""
    withdrawn: dict[str, dict[str, object]]
    """Exceptions that hold no longer."""
    found: dict[str, bytes]
    """What managers found of concerns about volunteers, and of safeguarding issues of children, sealed."""
    told: dict[str, Sequence[standing.Stop]]
    """What the audit log says of where those stand who are stopped, or of whom a concern was looked into.

    Without it no concern about them would be open, nor would whoever proposes them hear that there was one.
    """
    brought_up: Decisions
    """Of past matches: that their volunteer was suspended, so that those children are to be asked too; and what came of
    it."""
    met: Decisions
    """That the two had met, of proposals: whoever met somebody is asked too after a concern about them."""
    why_paused: Decisions
    siblings: tuple[tuple[str, ...], ...]
    """The children of each family that has several."""
    apart: dict[str, dict[str, object]]
    """Pairs of children whom a manager took apart."""
    agrees: dict[str, Agreement | None]
    """What each child said to a visitor."""
    held: frozenset[str]
    """Children of whom a serious safeguarding issue is unresolved."""
    connected: dict[str, frozenset[str]]
    """The councils with which volunteers are connected."""
    erased: dict[str, str]
    """Who was erased, and the reason that was given."""


def noes_of(database: Database, keys: KeyRing, authority: str) -> Noes:
    with database.read(authority) as session:
        rows = Repository(session, keys)
        families: dict[str, list[str]] = defaultdict(list)
        for family, child in session.execute(select(tables.Child.family_id, tables.Child.id).order_by(tables.Child.id)):
            families[family].append(child)
        children = {row.id: record for row in session.scalars(select(tables.Child)) if (record := _child(rows, row))}
        volunteers = list(session.scalars(select(tables.Volunteer)))
        ended = session.scalars(select(tables.Match).where(tables.Match.state.not_in(LIVE)))
        stands = {row.id: Status(row.status) for row in volunteers if row.status in {*STOPPED, Status.APPLICANT}}
        paused = session.scalars(select(tables.Match).where(tables.Match.state == State.PAUSED))
        withdrawn = session.scalars(
            select(tables.RecordedException).where(tables.RecordedException.withdrawn_on.is_not(None))
        )
        apart = session.scalars(select(tables.TakenApart))
        return Noes(
            frozenset(session.scalars(select(tables.Child.id).where(tables.Child.objects))),
            {row.id: {name: getattr(row, name) for name in _NO} for row in session.scalars(select(tables.Declined))},
            {row.id: {name: getattr(row, name) for name in _OVER} for row in ended},
            stands,
            {row.id: {name: getattr(row, name) for name in _PAUSED} for row in paused},
            {row.id: {name: getattr(row, name) for name in _WITHDRAWN} for row in withdrawn},
            {row.id: row.found for row in (*session.scalars(_FOUND), *volunteers) if row.found},
            _told(rows, {*(id for id, status in stands.items() if status in STOPPED), *standing.looked_into(rows)}),
            _decisions(session, tables.Decision.step.in_((BROUGHT_UP, ASKED))),
            _decisions(session, tables.Decision.state.in_(HAVE_MET)),
            _decisions(session, tables.Decision.step == "pause"),
            tuple(tuple(several) for several in families.values() if len(several) > 1),
            {row.id: {name: getattr(row, name) for name in _APART} for row in apart},
            {id: record.agrees for id, record in children.items()},
            frozenset(id for id, record in children.items() if record.safeguarding_issue),
            {row.id: councils for row in volunteers if (councils := _councils(rows, row))},
            _erased(session),
        )


def _told(rows: Repository, volunteers: Collection[str]) -> dict[str, Sequence[standing.Stop]]:
    told = standing.told(rows, volunteers)
    reasons = standing.reasons_there(rows, [one for entries in told.values() for one in entries])
    return {id: [replace(one, said=reasons[one.number]) for one in entries] for id, entries in told.items()}


def _decisions(session: Session, which: Any) -> Decisions:
    """In the order of each story, in which the last of several counts, whenever it was."""
    order = tables.Decision.match_id, tables.Decision.number
    some = select(tables.Decision).where(which, steps.STANDS).order_by(*order)
    return {row.id: {name: getattr(row, name) for name in _SAID} for row in session.scalars(some)}


# One value that cannot be read, of a database that may be replaced because it is damaged, costs none of the others.


def _child(rows: Repository, row: tables.Child) -> Child | None:
    try:
        return rows.child_record(row, family_known=False)
    except KeysError:
        return None


def _councils(rows: Repository, row: tables.Volunteer) -> frozenset[str]:
    try:
        return frozenset(rows.volunteer_record(row).connected_authorities or ())
    except KeysError:
        return frozenset()


def _erased(session: Session) -> dict[str, str]:
    why = select(tables.AuditEvent.subject, tables.AuditEvent.reason)
    given = session.execute(why.where(tables.AuditEvent.action.in_(privacy.ERASING)))
    reasons = {event.subject: event.reason for event in given}
    kinds: tuple[type[tables.Child] | type[tables.Volunteer], ...] = tables.Child, tables.Volunteer
    return {
        id: reasons.get(id, "")
        for kind in kinds
        for id in session.scalars(select(kind.id).where(kind.reference.startswith(privacy.ERASED)))
    }


@dataclass(frozen=True)
class Kept:
    """What a restored database has of the one that it replaces, and what it has not."""

    noes: int
    """How many it had not known."""
    redo: tuple[str, ...]
    """What else was done since, a line each."""


def keep(before: Database, restored: Database, keys: KeyRing) -> Kept:
    """Records in a restored database every no of the one that it replaces."""
    _keep_accounts(before, restored)
    with restored.read() as session:
        authorities = list(session.scalars(select(tables.Authority.id)))
    left = tuple(line for authority in authorities for line in redo.since(before, restored, authority))
    return Kept(sum(_keep(noes_of(before, keys, one), restored, keys, one) for one in authorities), left)


def _keep_accounts(before: Database, restored: Database) -> None:
    """An account that was closed, a password or a role that was changed, a token that was revoked stay so."""
    kinds: tuple[type[tables.User] | type[tables.ApiToken], ...] = tables.User, tables.ApiToken
    for kind in kinds:
        names = [column.key for column in kind.__mapper__.column_attrs if column.key != "version"]
        with before.read() as session:
            rows = [{name: getattr(row, name) for name in names} for row in session.scalars(select(kind))]
            owners = [*session.scalars(select(tables.User.id))]
        with restored.write() as session:
            authorities = {*session.scalars(select(tables.Authority.id))}
            users = {*session.scalars(select(tables.User.id))}
            known = {*session.scalars(select(kind.id))}
            # First who is there: an address of now may be one that a closed account has given up since.
            for facts in sorted(rows, key=lambda one: one["id"] not in known):
                if facts.get("authority_id") not in authorities and facts.get("user_id") not in users:
                    continue  # of an authority that was added since
                row = session.get(kind, facts["id"])
                if row is None:
                    session.add(kind(**facts))
                else:
                    _copy(row, facts)
            if kind is tables.ApiToken:  # one that is not there any more was over for so long that it was deleted
                there = [facts["id"] for facts in rows]
                over = tables.ApiToken.user_id.in_(owners), tables.ApiToken.id.not_in(there)
                session.execute(delete(tables.ApiToken).where(*over))


def _keep(noes: Noes, restored: Database, keys: KeyRing, authority: str) -> int:
    known = noes_of(restored, keys, authority)
    with restored.write(authority) as session:
        rows = Repository(session, keys)
        new = [id for id, one in noes.over.items() if id not in known.over
               or (one["state"] == State.ENDED and known.over[id]["state"] != State.ENDED)]  # fmt: skip
        over = list(session.scalars(select(tables.Match).where(tables.Match.id.in_(new))))
        begun_since = {match.family_id for match in over if State(match.state) not in LIVE}
        for match in over:
            match.irregular |= State(match.state) not in LIVE  # outside the index until all are there
            _copy(match, noes.over[match.id])
            match.place = match.next_review_on = None
        session.flush()
        settle(rows, begun_since)
        named_children = {*session.scalars(select(tables.Child.id))}
        there = {*named_children, *session.scalars(select(tables.Volunteer.id))}
        past, irregular = _add_over(rows, noes, there)
        ask_again = sorted(
            id for id, word in noes.agrees.items()
            if word is Agreement.NOT_ASKED and known.agrees.get(id, word) in (Agreement.YES, None)
        )  # fmt: skip
        for child in ask_again:
            proposals.set_agreement(rows, rows.child(child), Agreement.NOT_ASKED)
        declined = [no for id, no in noes.declined.items()
                    if id not in known.declined and {no["child_id"], no["volunteer_id"]} <= there]  # fmt: skip
        session.add_all(tables.Declined(**no) for no in declined)
        objecting = sorted((noes.objecting - known.objecting) & there)
        for child in objecting:
            proposals.set_agreement(rows, rows.child(child), Agreement.NO)
        stopped = {id: status for id, status in noes.stopped.items()
                   if id in there and standing.falls(known.stopped.get(id), status)}  # fmt: skip
        for id, status in stopped.items():
            row = rows.volunteer(id)
            rows.write_volunteer(row, replace(rows.volunteer_record(row), status=status))
        for id in noes.found.keys() & there:
            (rows.child(id) if id in named_children else rows.volunteer(id)).found = noes.found[id]
        written = sorted(id for id in noes.found.keys() & named_children if noes.found[id] != known.found.get(id))
        told = {id: entries for id, entries in noes.told.items() if id in there}
        looked_into = concerns.tell_again(rows, told, user_id=RESTORE)
        visited = tables.Match.state.in_(set(LIVE) - {State.PAUSED})
        paused = list(session.scalars(select(tables.Match).where(tables.Match.id.in_(noes.paused), visited)))
        for match in paused:
            _copy(match, noes.paused[match.id])
        allowed = tables.RecordedException.id.in_(noes.withdrawn.keys() - known.withdrawn.keys())
        withdrawn = list(session.scalars(select(tables.RecordedException).where(allowed)))
        for exception in withdrawn:
            _copy(exception, noes.withdrawn[exception.id])
        session.flush()
        no_more = {*session.scalars(select(tables.Match.id).where(tables.Match.state.not_in(LIVE)))}
        _enter(session, noes.met, known.met, no_more)
        brought_up = _enter(session, noes.brought_up, known.brought_up, no_more)
        of_both = tables.Match.id.in_(noes.paused), tables.Match.state == State.PAUSED
        now_paused = {*session.scalars(select(tables.Match.id).where(*of_both))}
        entered = _enter(session, noes.why_paused, known.why_paused, now_paused)
        # Also where the visits were paused before, for something less grave.
        stopped_visits = {match.id for match in paused} | {str(noes.why_paused[id]["match_id"]) for id in entered}
        linked = _link(rows, noes, there)
        apart = _keep_apart(rows, noes, known, there)
        held = sorted((noes.held - known.held) & there)
        for id in held:
            child_row = rows.child(id)
            record = replace(rows.child_record(child_row, family_known=False), safeguarding_issue=True)
            rows.write_child(child_row, record)
        connected = _connect(rows, noes, known, there)
        erased = sorted((noes.erased.keys() - known.erased.keys()) & there)
        for id in erased:  # last: whose match is live is not erased, and those that are over are over by now
            if id in named_children:
                privacy.erase_child(rows, rows.child(id), user_id=RESTORE, reason=noes.erased[id])
            else:
                privacy.erase_volunteer(rows, rows.volunteer(id), user_id=RESTORE, reason=noes.erased[id])
        if withdrawn or over:
            rows.set_capacities(rows.policy()[1])
            session.flush()
        every: tuple[Collection[object], ...] = (
            over, past, ask_again, declined, objecting, stopped, looked_into, written, stopped_visits, withdrawn,
            brought_up, linked, apart, held, connected, erased,
        )  # fmt: skip
        kept = sum(map(len, every))
        if kept:
            details = {
                "object": objecting, "over": [match.id for match in over], "declined": len(declined),
                "ended": past, "break the rule": irregular, "to be asked again": ask_again,
                "stopped": stopped, "looked into": looked_into, "what was written": written,
                "paused": sorted(stopped_visits), "withdrawn": [one.id for one in withdrawn],
                "brought up": len(brought_up), "siblings": linked, "taken apart": len(apart), "held": held,
                "connected": connected, "erased": erased,
            }  # fmt: skip
            audit_log.record(session, keys, audit_log.Entry(RESTORE, "keep what was said no to", details=details))
    return kept


def _add_over(rows: Repository, noes: Noes, there: set[str]) -> tuple[list[str], list[str]]:
    """Adds the matches that began and ended since: who was with whom keeps siblings from sharing a visitor.

    And the proposals of which nothing came after a meeting: whom a volunteer has met is asked too after a concern.

    The ids of them, and those of live matches that break the rule for siblings by it.
    """
    known, met = {*rows.session.scalars(select(tables.Match.id))}, {facts["match_id"] for facts in noes.met.values()}
    over = {id: facts for id, facts in noes.over.items() if (facts["state"] == State.ENDED or id in met)
            and id not in known and {facts["child_id"], facts["volunteer_id"]} <= there}  # fmt: skip
    families = set()
    for facts in over.values():
        child, volunteer = rows.child(str(facts["child_id"])), rows.volunteer(str(facts["volunteer_id"]))
        families.add(child.family_id)
        rows.session.add(
            tables.Match(
                **facts, family_id=child.family_id, child_objects=child.objects, capacity=volunteer.capacity,
                irregular=facts["state"] == State.ENDED,  # outside the index until all are there
            )
        )  # fmt: skip
    rows.session.flush()
    return sorted(over), settle(rows, families)


def _link(rows: Repository, noes: Noes, there: set[str]) -> list[str]:
    """Makes siblings of those who are; ids of the families that they are in now."""
    linked = []
    for several in noes.siblings:
        children = [id for id in several if id in there]
        if len({rows.child(id).family_id for id in children}) > 1:
            linked.append(link_siblings(rows, children, user_id=RESTORE, although=None).family.id)
    return linked


def _keep_apart(rows: Repository, noes: Noes, known: Noes, there: set[str]) -> list[str]:
    """Keeps which children a manager took apart, where they are no siblings here; ids of what was kept.

    Of those who are siblings here the list of what to do again tells: a manager takes them apart anew.
    """
    pairs = {_both(one) for one in known.apart.values()}
    missing = [one for one in noes.apart.values() if _both(one) <= there and _both(one) not in pairs]
    new = [one for one in missing if len({rows.child(id).family_id for id in _both(one)}) > 1]
    rows.session.add_all(tables.TakenApart(**one) for one in new)
    rows.session.flush()
    return [str(one["id"]) for one in new]


def _both(apart: dict[str, object]) -> frozenset[str]:
    return frozenset((str(apart["child_id"]), str(apart["other_id"])))


def _connect(rows: Repository, noes: Noes, known: Noes, there: set[str]) -> list[str]:
    """Adds the councils with which volunteers turned out to be connected; ids of those volunteers."""
    new = {id: councils - known.connected.get(id, frozenset()) for id, councils in noes.connected.items()}
    connected = sorted(id for id, councils in new.items() if councils and id in there)
    for id in connected:
        row = rows.volunteer(id)
        record = rows.volunteer_record(row)
        every = tuple(sorted({*(record.connected_authorities or ()), *new[id]}))
        rows.write_volunteer(row, replace(record, connected_authorities=every))
    return connected


def _enter(session: Session, told: Decisions, known: Decisions, matches: Collection[str]) -> list[str]:
    """Enters into the story of these matches what the database before had in it, by the same person; ids of it."""
    users = {*session.scalars(select(tables.User.id))}
    missing = [facts for id, facts in told.items() if id not in known
               and facts["match_id"] in matches and facts["user_id"] in users]  # fmt: skip
    for facts in missing:
        number = select(func.max(tables.Decision.number)).where(tables.Decision.match_id == facts["match_id"])
        session.add(tables.Decision(**facts, number=(session.scalar(number) or 0) + 1))
        session.flush()
    return [str(facts["id"]) for facts in missing]


def _copy(row: Base, facts: dict[str, object]) -> None:
    for name, value in facts.items():
        setattr(row, name, value)
