"""What a person is told who asks what is kept of them (UK GDPR, Article 15): `TOLD` has a line for every table.

Their own data are theirs, whole. Of others they are told opaque ids alone, and nothing that somebody else said: a
volunteer is not told what a child said of them, nor a child what a volunteer said, and a coordinator's note may speak
of both. Of a decision of somebody else's the person is told that it was taken, when, and what came of it. What was
raised about a volunteer, and what was found of it or of a child's safeguarding issue, is not told either: it may be a
child's word or somebody else's, or be looked into still (Data Protection Act 2018, Schedule 2, paragraph 16, and
Schedule 3). A manager decides with the council's adviser whether more is told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from matcher.records import Party
from service import audit_log, profiles, standing, steps
from service.brought_up import ASKED
from service.database import tables
from service.database.base import Base
from service.reasons import ASKED_BY
from service.repository import Repository
from service.steps import NOTED, taken_back

_OWN_STANDING = frozenset({"panel approved", standing.CHECKED, standing.LAPSED, "own wish", "moved away"})
"""Reasons of where a volunteer stands that are told: of every other, one of a concern among them, only that it was."""


@dataclass(frozen=True)
class Told:
    """Where in the export rows of a table are told to a child, and to a volunteer; or `not: …`, why they are not."""

    child: str
    volunteer: str


def _not(why: str) -> Told:
    return Told(f"not: {why}", f"not: {why}")


_OF_NOBODY = _not("about nobody")
_OF_STAFF = _not("about whoever works with Kith, who asks the council; what they did stands in the log")
_OTHER_SIDE = "not: the other side's own; ids of whom they were matched with stand in `matches`"

TOLD: Mapping[type[Base], Told] = {
    tables.Child: Told("facts", _OTHER_SIDE),
    tables.Volunteer: Told(_OTHER_SIDE, "facts"),
    tables.Family: Told("siblings", "not: children's"),
    tables.TakenApart: Told("taken_apart", "not: children's"),
    tables.Match: Told("matches", "matches"),
    tables.Proposal: Told("matches", "matches"),
    tables.Decision: Told("matches", "matches"),
    tables.Declined: Told("declined", "declined"),
    tables.RecordedException: Told("exceptions", "exceptions"),
    tables.Plan: Told("planned", "planned"),
    tables.Shortlist: Told("shortlists", "not: what a run reckons for a child; it is told as it was shown, in `shown`"),
    tables.Served: Told("shortlists", "shown"),
    tables.AuditEvent: Told("read_by", "read_by"),
    tables.Run: _not("when plans were made; why none was found speaks of pairs of others, and is cleared"),
    tables.Upload: _not("files that wait for a day at most; what is taken in of them is in the record"),
    tables.ImportBatch: _not("who took files in; what it changed is in the record, and a note speaks of many"),
    tables.YearWords: _not("a report that speaks of nobody"),
    tables.User: _OF_STAFF,
    tables.LoginSession: _OF_STAFF,
    tables.ApiToken: _OF_STAFF,
    tables.WhomToRing: _OF_NOBODY,
    tables.SavedMapping: _OF_NOBODY,
    tables.Organisation: _OF_NOBODY,
    tables.Budget: _OF_NOBODY,
    tables.Policy: _OF_NOBODY,
    tables.Authority: _OF_NOBODY,
    tables.Worker: _OF_NOBODY,
}


def table() -> str:
    """The lines as the Markdown table of docs/operations.md."""
    lines = ["| kept | a child is told | a volunteer is told |", "|---|---|---|"]
    for kind, told in TOLD.items():
        cells = [one if one.startswith("not: ") else f"`{one}`" for one in (told.child, told.volunteer)]
        lines.append(f"| {kind.__tablename__.replace('_', ' ')} | {' | '.join(cells)} |")
    return "\n".join(lines)


def child_export(rows: Repository, child: tables.Child) -> dict[str, Any]:
    """Everything that is told to one child. Volunteers are named by opaque ids alone."""
    asks = Party.CHILD
    matches = tables.Match.child_id == child.id
    nos = rows.session.scalars(select(tables.Declined).where(tables.Declined.child_id == child.id))
    known = rows.session.get_one(tables.Family, child.family_id).known
    return {
        "child": child.id,
        "reference": child.reference,
        "person": rows.open(child, "person"),
        "facts": rows.child_record(child, family_known=known),
        "siblings": {"recorded": known, "children": _siblings(rows, child)},
        "matches": [_match(rows, one, asks) for one in rows.session.scalars(select(tables.Match).where(matches))],
        "declined": [{"volunteer": one.volunteer_id, **_no(rows, one, asks)} for one in nos],
        "taken_apart": list(_taken_apart(rows, child.id)),
        "exceptions": list(_exceptions(rows, tables.RecordedException.child_id == child.id)),
        "planned": list(_planned(rows, asks, child.id)),
        "shortlists": list(_shortlists(rows, child.id)),
        "read_by": _log(rows, child.id),
    }  # fmt: skip


def volunteer_export(rows: Repository, volunteer: tables.Volunteer) -> dict[str, Any]:
    """Everything that is told to one volunteer. Children are named by opaque ids alone."""
    asks = Party.VOLUNTEER
    matches = tables.Match.volunteer_id == volunteer.id
    nos = rows.session.scalars(select(tables.Declined).where(tables.Declined.volunteer_id == volunteer.id))
    return {
        "volunteer": volunteer.id,
        "reference": volunteer.reference,
        "person": rows.open(volunteer, "person"),
        "facts": rows.volunteer_record(volunteer),
        "standing": list(_standing(rows, volunteer.id)),
        "matches": [_match(rows, one, asks) for one in rows.session.scalars(select(tables.Match).where(matches))],
        "declined": [{"child": one.child_id, **_no(rows, one, asks)} for one in nos],
        "exceptions": list(_exceptions(rows, tables.RecordedException.volunteer_id == volunteer.id)),
        "planned": list(_planned(rows, asks, volunteer.id)),
        "shown": list(_shown(rows, volunteer.id)),
        "read_by": _log(rows, volunteer.id),
    }  # fmt: skip


def _siblings(rows: Repository, child: tables.Child) -> list[str]:
    others = tables.Child.family_id == child.family_id, tables.Child.id != child.id
    return sorted(rows.session.scalars(select(tables.Child.id).where(*others)))


def _standing(rows: Repository, volunteer: str) -> Iterator[dict[str, Any]]:
    """Where they stood from when on, as the log has it; why, where that is their own affair."""
    event = tables.AuditEvent
    own = event.subject == volunteer, event.action.in_(("volunteer status", "import: change volunteer"))
    for one in rows.session.scalars(select(event).where(*own).order_by(event.number)):
        if "status" in one.details:
            reason = one.reason if one.reason in _OWN_STANDING else None
            at = one.details.get("recorded at") or one.at.isoformat()
            yield {"at": at, "status": one.details["status"], "reason": reason}


def _planned(rows: Repository, asks: Party, person: str) -> Iterator[dict[str, Any]]:
    """Published plans that matched them, and with whom. What was never published was nobody's to work by."""
    own, other = ("child", "volunteer") if asks is Party.CHILD else ("volunteer", "child")
    table = tables.Plan
    for one in rows.session.scalars(select(table).where(table.published_at.is_not(None)).order_by(table.published_at)):
        for pair in json.loads(rows.open(one, "content") or "{}").get("plan", {}).get("matches", ()):
            if pair[own] == person:
                yield {"found_on": one.created_at, "published_on": one.published_at, other: pair[other]}


def _shortlists(rows: Repository, child: str) -> Iterator[dict[str, Any]]:
    """When a list of volunteers was made for them, by a run or for whom, and how many were on it."""
    run, shown = tables.Shortlist, tables.Served
    plans = select(run, tables.Plan.created_at).join(tables.Plan, tables.Plan.id == run.plan_id)
    for row, at in rows.session.execute(plans.where(run.child_id == child).order_by(tables.Plan.created_at)):
        found = json.loads(rows.open(row, "content") or "{}").get("fit", ())
        yield {"at": at, "shown_to": None, "volunteers": len(found)}
    for one in rows.session.scalars(select(shown).where(shown.child_id == child).order_by(shown.at)):
        yield {"at": one.at, "shown_to": one.user_id, "volunteers": len(one.ranks)}


def _shown(rows: Repository, volunteer: str) -> Iterator[dict[str, Any]]:
    """When they stood on a shortlist that somebody was shown, and where; for which child is that child's."""
    for one in rows.session.scalars(select(tables.Served).order_by(tables.Served.at)):
        if volunteer in one.ranks:
            yield {"at": one.at, "shown_to": one.user_id, "rank": one.ranks[volunteer]}


_TELLS_OF = {Party.CHILD: "ask_volunteer", Party.VOLUNTEER: "volunteer_accepts"}
"""The step by which the other is told of them: until then nobody was shown what nobody chose."""


def _shared(rows: Repository, match: tables.Match, asks: Party, story: Sequence[tables.Decision]) -> list[str]:
    """Names of the facts of theirs that the other was shown."""
    origin = rows.session.get(tables.Proposal, match.id)
    told = any(one.step == _TELLS_OF[asks] for one in steps.standing(story))
    return profiles.in_order(origin.shared, str(asks)) if origin and (origin.shared or told) else []


def _match(rows: Repository, match: tables.Match, asks: Party) -> dict[str, Any]:
    decisions = rows.session.scalars(
        select(tables.Decision).where(tables.Decision.match_id == match.id).order_by(tables.Decision.number)
    ).all()
    gone = taken_back(decisions)
    return {
        "id": match.id, "child": match.child_id, "volunteer": match.volunteer_id, "state": match.state,
        "started_on": match.started_on, "ended_on": match.ended_on,
        "reason": match.reason if match.over_by == asks else None,
        "shown_to_other": _shared(rows, match, asks, decisions),
        "decisions": [
            _decision(rows, one, match, asks, one.id in gone)
            for one in decisions
            # That a child was asked, or what they said was noted, and when, tells by what followed more.
            if one.step not in (ASKED, NOTED) or asks is Party.CHILD or one.said_by == asks
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
    if asks is Party.CHILD and one.reason in ASKED_BY:  # what they said at a review, which the service held
        own |= {"reason": one.reason, "note": rows.open(one, "note")}
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
