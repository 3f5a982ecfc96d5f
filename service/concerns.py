"""Concerns about volunteers that nobody has looked into yet, for whoever opens the first page.

A concern suspends its volunteer (`standing.py`), and it is open until a manager has recorded what came of it: by taking
the volunteer back, or by a reason that says so. What becomes of the volunteer or of the match meanwhile closes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from matcher.records import Status
from service import standing
from service.database import tables
from service.repository import Repository
from service.workflow import FOLLOWS, Follows, State


@dataclass
class Concern:
    """Why one volunteer visits nobody for now: what was recorded, oldest first, and who is to be asked."""

    volunteer: str
    since: datetime
    recorded: list[tuple[str, tables.Match | None]] = field(default_factory=list)
    """Each reason, with the match of which it was recorded; None where the volunteer was suspended by itself."""
    to_ask: list[tables.Match] = field(default_factory=list)
    """Past matches: those children are to be asked too."""


def to_look_into(
    rows: Repository,
    stopped: Mapping[str, Status],
    of_volunteer: Mapping[str, Sequence[tables.Match]],
    paused: Mapping[str, str | None],
) -> list[Concern]:
    """The concerns about those who are stopped by now, by id with how they stand, oldest first.

    Args:
        of_volunteer: every match, by its volunteer.
        paused: why visits are paused, by match.
    """
    if not stopped:
        return []
    entries = standing.told(rows, stopped)
    brought_up = _brought_up(rows, [match for id in stopped for match in of_volunteer.get(id, ())])
    found = []
    for id, status in stopped.items():
        matches, told = of_volunteer.get(id, ()), entries.get(id, ())
        recorded = standing.since_stopped(rows, told)
        concern = _recorded(id, recorded, {one.id: one for one in matches})
        # Where a restore took days away, the log does not say how they came to stand as they did.
        whole = recorded and not recorded[0].stopped_before and recorded[-1].status == status
        if concern is None and not whole and not any(one.closes for one in recorded):
            before = told[: len(told) - len(recorded)]
            concern = _by_matches(id, matches, brought_up, paused, before[-1].at if before else None)
        if concern is not None:
            concern.to_ask = [one for one in matches if one.id in brought_up]
            found.append(concern)
    return sorted(found, key=lambda one: (one.since, one.volunteer))


def _recorded(volunteer: str, recorded: Sequence[standing.Stop], matches: Mapping[str, tables.Match]) -> Concern | None:
    """What was recorded, by the audit log, and answered by no manager."""
    still = standing.still_open(recorded)
    if not still:
        return None
    # A file gives no reason.
    why = [(one.said or one.reason, matches.get(one.match)) for one in still if one.said or one.reason]
    return Concern(volunteer, still[0].at, why)


def _by_matches(
    volunteer: str, matches: Sequence[tables.Match], brought_up: Mapping[str, datetime],
    paused: Mapping[str, str | None], after: datetime | None,
) -> Concern | None:  # fmt: skip
    """The same by what stands on the matches since the log last told of the volunteer."""
    lost = [one for one in matches if after is None or max(one.since, brought_up.get(one.id, one.since)) > after]
    reasons = [(paused.get(one.id) or one.reason or "", one) for one in lost]
    recorded: list[tuple[str, tables.Match | None]]
    recorded = [(why, one) for why, one in reasons if FOLLOWS.get(why) is Follows.SUSPENDED]
    told = [one for _, one in recorded if one] or [one for one in lost if one.id in brought_up]
    return Concern(volunteer, min(one.since for one in told), recorded) if told else None


def _brought_up(rows: Repository, matches: Sequence[tables.Match]) -> Mapping[str, datetime]:
    """When past matches were brought up the last time: each concern brings up all of them."""
    ended = [one.id for one in matches if one.state == State.ENDED]
    if not ended:
        return {}
    told = tables.Decision.step == standing.BROUGHT_UP, tables.Decision.match_id.in_(ended)
    query = select(tables.Decision.match_id, tables.Decision.at).where(*told).order_by(tables.Decision.number)
    return {one.match_id: one.at for one in rows.session.execute(query)}
