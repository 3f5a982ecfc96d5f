"""Concerns about volunteers that nobody has looked into yet, for whoever opens the first page.

A concern suspends its volunteer (`standing.py`), and it is open until a manager has recorded what came of it: by taking
the volunteer back, or by a reason that says so. What becomes of the volunteer or of the match meanwhile closes nothing.
The audit log alone says which are open: what a restore took out of it, the restore enters again (`noes.py`). Which
children are to be asked since, and stay so when it is closed, is for `asking.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from service import audit_log, findings, standing
from service.database import tables
from service.repository import Repository
from service.standing import STOPPED, Stop


@dataclass(frozen=True)
class Concern:
    """Why one volunteer visits nobody for now: what was recorded, oldest first."""

    volunteer: str
    since: datetime
    recorded: Sequence[tuple[str, tables.Match | None]]
    """Each reason, with the match of which it was recorded; None where the volunteer was suspended by itself."""


def to_look_into(
    rows: Repository, stopped: Collection[str], of_volunteer: Mapping[str, Sequence[tables.Match]]
) -> list[Concern]:
    """The concerns about those who are stopped by now, by their ids, oldest first.

    Args:
        of_volunteer: every match, by its volunteer.
    """
    told = standing.told(rows, stopped) if stopped else {}
    every = {id: standing.still_open(standing.since_stopped(entries)) for id, entries in told.items()}
    still = {id: stops for id, stops in every.items() if stops}
    reasons = standing.reasons_there(rows, [one for stops in still.values() for one in stops])
    found = []
    for id, stops in still.items():
        matches = {one.id: one for one in of_volunteer.get(id, ())}
        why = [(reasons[one.number] or one.reason, matches.get(one.match)) for one in stops]
        recorded = [one for one in why if one[0]]  # a file gives no reason
        found.append(Concern(id, stops[0].at, recorded))
    return sorted(found, key=lambda one: (one.since, one.volunteer))


# ---- after a restore -------------------------------------------------------------------------------------------------


def tell_again(rows: Repository, told_there: Mapping[str, Sequence[Stop]], *, user_id: str) -> list[str]:
    """Enters what the log of another database says of volunteers, by id, and this one's does not: a restore lost it.

    With who recorded it, and when. The ids of those of whom a manager had said what came of a concern.
    """
    here = standing.told(rows, told_there)
    closed = []
    for id, entries in told_there.items():
        known = {one.at for one in here[id]}
        new = [one for one in _as_they_stand(entries, rows.volunteer(id).status) if one.at not in known]
        for one in new:
            raised = {"raised by": one.match, "raised for": one.said} if one.match else {}
            closes = {findings.CLOSES: "yes"} if one.closes else {}
            recorded = {"recorded at": one.at.isoformat(), "recorded by": one.by}
            details = {**audit_log.told_codes("status", one.before, one.status), **raised, **closes, **recorded}
            entry = audit_log.Entry(user_id, "volunteer status", id, one.reason, details)
            audit_log.record(rows.session, rows.keys, entry)
        closed += [id] if any(one.closes for one in new) else []
    return closed


def _as_they_stand(entries: Sequence[Stop], status: str | None) -> Sequence[Stop]:
    """What is told of a volunteer who stands so here: that they were taken back is not, where they are stopped.

    What a manager found is, or a concern that was looked into would be open again; to take them back is for a person.
    """
    if status not in STOPPED or not entries or entries[-1].status in STOPPED:
        return entries
    told = [one for one in entries if one.status in STOPPED or one.closes]
    return [replace(one, before=_stopped(one.before, status), status=_stopped(one.status, status)) for one in told]


def _stopped(said: str, status: str) -> str:
    return said if said in STOPPED else status
