"""Concerns about volunteers that nobody has looked into yet, for whoever opens the first page.

A concern suspends its volunteer (`standing.py`), and it is open until a person changes where the volunteer stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from matcher.records import Status
from service import standing, workflow
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
    entries: dict[str, list[tables.AuditEvent]] = defaultdict(list)
    for one in rows.session.scalars(
        select(tables.AuditEvent)
        .where(tables.AuditEvent.subject.in_(stopped), tables.AuditEvent.action == "volunteer status")
        .order_by(tables.AuditEvent.number)
    ):
        entries[one.subject].append(one)
    brought_up = _brought_up(rows, [match for id in stopped for match in of_volunteer.get(id, ())])
    found = []
    for id, status in stopped.items():
        matches = of_volunteer.get(id, ())
        concern = _recorded(id, entries[id], {one.id: one for one in matches}, paused)
        if concern is None and status is Status.SUSPENDED and not entries[id]:
            concern = _by_matches(id, matches, brought_up, paused)
        if concern is not None:
            concern.to_ask = [one for one in matches if one.id in brought_up]
            found.append(concern)
    return sorted(found, key=lambda one: (one.since, one.volunteer))


def _recorded(
    volunteer: str,
    entries: Sequence[tables.AuditEvent],
    matches: Mapping[str, tables.Match],
    paused: Mapping[str, str | None],
) -> Concern | None:
    """What was recorded, by the audit log, since the volunteer came to stand as they do."""
    concern: Concern | None = None
    for one in entries:
        if one.details["status"] != one.details["status before"]:
            concern = None
        raised_by, suspended = one.details.get("raised by"), one.details["status"] == Status.SUSPENDED
        if raised_by or (suspended and one.reason != standing.LAPSED):
            match = matches.get(raised_by or "")
            concern = concern or Concern(volunteer, one.at)
            concern.recorded.append((_why(match, paused) if match else one.reason, match))
    return concern


def _why(match: tables.Match, paused: Mapping[str, str | None]) -> str:
    """The reason that suspended, by how the match is now."""
    told = paused.get(match.id) or match.reason or ""
    return told if FOLLOWS.get(told) is Follows.SUSPENDED else workflow.CONCERN_PAUSES


def _by_matches(
    volunteer: str, matches: Sequence[tables.Match], brought_up: Collection[str], paused: Mapping[str, str | None]
) -> Concern | None:
    """The same by what stands on the matches: of who was suspended by a file, or by days that a restore took away."""
    reasons = [(paused.get(one.id) or one.reason or "", one) for one in matches]
    recorded: list[tuple[str, tables.Match | None]]
    recorded = [(why, one) for why, one in reasons if FOLLOWS.get(why) is Follows.SUSPENDED]
    told = [one for _, one in recorded if one] or [one for one in matches if one.id in brought_up]
    return Concern(volunteer, min(one.since for one in told), recorded) if told else None


def _brought_up(rows: Repository, matches: Sequence[tables.Match]) -> frozenset[str]:
    """The past matches that were brought up: each concern brings up all of them, so the last one did."""
    ended = [one.id for one in matches if one.state == State.ENDED]
    told = tables.Decision.step == standing.BROUGHT_UP, tables.Decision.match_id.in_(ended)
    return frozenset(rows.session.scalars(select(tables.Decision.match_id).where(*told))) if ended else frozenset()
