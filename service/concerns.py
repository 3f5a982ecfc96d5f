"""Concerns about volunteers that nobody has looked into yet, for whoever opens the first page.

A concern suspends its volunteer (`standing.py`), and it is open until a manager has recorded what came of it: by taking
the volunteer back, or by a reason that says so. What becomes of the volunteer or of the match meanwhile closes nothing.
The audit log alone says which are open: what a restore took out of it, the restore enters again (`noes.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from service import standing
from service.database import tables
from service.repository import Repository
from service.workflow import State


@dataclass(frozen=True)
class Concern:
    """Why one volunteer visits nobody for now: what was recorded, oldest first, and who is to be asked."""

    volunteer: str
    since: datetime
    recorded: Sequence[tuple[str, tables.Match | None]]
    """Each reason, with the match of which it was recorded; None where the volunteer was suspended by itself."""
    to_ask: Sequence[tables.Match]
    """Past matches: those children are to be asked too."""


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
    brought_up = _brought_up(rows, [match for id in still for match in of_volunteer.get(id, ())])
    found = []
    for id, stops in still.items():
        matches = {one.id: one for one in of_volunteer.get(id, ())}
        why = [(reasons[one.number] or one.reason, matches.get(one.match)) for one in stops]
        recorded = [one for one in why if one[0]]  # a file gives no reason
        to_ask = [one for one in matches.values() if one.id in brought_up]
        found.append(Concern(id, stops[0].at, recorded, to_ask))
    return sorted(found, key=lambda one: (one.since, one.volunteer))


def _brought_up(rows: Repository, matches: Sequence[tables.Match]) -> frozenset[str]:
    """Which of them are past, and were brought up: each concern brings up all of them."""
    ended = [one.id for one in matches if one.state == State.ENDED]
    if not ended:
        return frozenset()
    told = tables.Decision.step == standing.BROUGHT_UP, tables.Decision.match_id.in_(ended)
    return frozenset(rows.session.scalars(select(tables.Decision.match_id).where(*told)))
