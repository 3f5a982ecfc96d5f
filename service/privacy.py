"""What is kept of a person, for whom, for how long; what they are told of it; and how it is erased.

Erasing takes away every fact, name and word about a person, and keeps what keeps others safe: that two children are
siblings or were taken apart, that a volunteer was with a child, that somebody said no – by opaque ids, of which nothing
leads back. Who comes back under the same reference is known again by a keyed hash of it, so that none of that is lost
with them. The audit log holds ids alone and stays whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import delete, select

from matcher import records
from matcher.records import Agreement, Party, Status
from service import audit_log
from service.audit_log import Entry
from service.brought_up import ASKED
from service.database import tables
from service.repository import Repository
from service.standing import STOPPED
from service.steps import taken_back
from service.workflow import LIVE, StepRefusedError

ERASED = "erased"
ERASING = ("erase child", "erase volunteer")
"""How the audit log has it."""
ERASE_REASONS = ("retention period over", "asked to be erased", "entered by mistake")


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
        "decisions": [
            _decision(rows, one, match, asks, one.id in gone)
            for one in decisions
            if one.step != ASKED or asks is Party.CHILD  # that a child was asked, and when, tells by what followed more
        ],
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
    if one.step == ASKED:  # also where their social worker has asked
        own["reason"] = one.reason
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
