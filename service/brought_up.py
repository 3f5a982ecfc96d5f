"""What the story of a past match says of a concern about its volunteer: brought up, and what came of asking the child.

A concern brings up every child whom the volunteer visited or met before, and from then on they are to be asked too: by
the match that ended, or by the proposal that is over, since a meeting is where the two came together as well. That
stands until somebody records what they told, or a manager that they are not to be asked, whatever becomes of the
volunteer meanwhile; every concern after it asks anew. A story is never changed: what was recorded by mistake is
recorded again, and the last counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from service import steps
from service.database import tables
from service.reasons import NOT_ASKED_YET
from service.repository import Repository
from service.workflow import APPOINTED, HAVE_MET, State

BROUGHT_UP = "brought_up"
"""The step in the story of a past match, or meeting, of whoever a concern was raised about: that child is asked too."""

ASKED = "asked"
"""The step by which it is recorded what came of asking, for one of `reasons.ASKED_OUTCOMES`."""


@dataclass(frozen=True)
class Tried:
    """That the child could not be asked, or would rather not be."""

    at: datetime
    outcome: str


@dataclass(frozen=True)
class Past:
    """A past match, or a proposal that is over after a meeting, that was brought up."""

    first: datetime
    """When it was brought up the first time, and the last."""
    last: datetime
    why: str
    """The reason of the standing that brought it up the last time."""
    to_ask_since: datetime | None
    """Since when the child is to be asked, if nobody has asked them since."""
    outcome: str = ""
    """What came of it, once it was recorded."""
    tried: tuple[Tried, ...] = ()


def whom_they_met(rows: Repository, matches: Iterable[tables.Match]) -> Sequence[tables.Match]:
    """Of a volunteer's matches, the last of each child's in which the two came together: by visits, or by a meeting.

    Also where the proposal came to nothing, as by the child's no. A meeting that was recorded by mistake was none.
    """
    in_order = sorted(matches, key=lambda one: (one.created_at, one.id))
    came_to_be = {one.id for one in in_order if one.state in (*APPOINTED, State.ENDED)}
    story = tables.Decision
    held = select(story.match_id).where(
        story.match_id.in_([one.id for one in in_order if one.id not in came_to_be]), story.state.in_(HAVE_MET),
        steps.STANDS,
    )  # fmt: skip
    met = came_to_be | {*rows.session.scalars(held)}
    return list({one.child_id: one for one in in_order if one.id in met}.values())


def past(rows: Repository, which: Any) -> Mapping[str, Past]:
    """Of the decisions that a condition holds of, the matches that were brought up, by id."""
    one = tables.Decision
    story = select(one.match_id, one.step, one.at, one.reason).where(one.step.in_((BROUGHT_UP, ASKED)), which)
    found: dict[str, Past] = {}
    for match, step, at, reason in rows.session.execute(story.order_by(one.match_id, one.number)):
        before = found.get(match)
        if step == BROUGHT_UP:
            found[match] = _again(before, at, reason or "")
        elif before is not None:
            found[match] = _asked(before, at, reason or "")
    return found


def _again(before: Past | None, at: datetime, why: str) -> Past:
    if before is None:
        return Past(at, at, why, at)
    if before.to_ask_since is None:
        return Past(before.first, at, why, at)
    return replace(before, last=at, why=why)


def _asked(before: Past, at: datetime, outcome: str) -> Past:
    if outcome not in NOT_ASKED_YET:
        return replace(before, to_ask_since=None, outcome=outcome)
    tried = (*before.tried, Tried(at, outcome))
    return replace(before, to_ask_since=before.to_ask_since or before.last, outcome="", tried=tried)


def recorded_again(rows: Repository) -> frozenset[str]:
    """The ids of what was recorded of asking, and counts no more: something else was recorded since, and asked for."""
    one = tables.Decision
    last: dict[str, str | None] = {}
    found: list[str] = []
    story = select(one.id, one.match_id, one.step).where(one.step.in_((BROUGHT_UP, ASKED)))
    for id, match, step in rows.session.execute(story.order_by(one.match_id, one.number)):
        before = last.get(match)
        if step == ASKED and before:
            found.append(before)
        last[match] = id if step == ASKED else None
    return frozenset(found)


def of_match(rows: Repository, match_id: str) -> Past | None:
    return past(rows, tables.Decision.match_id == match_id).get(match_id)
