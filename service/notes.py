"""What is noted of a match between its steps, in dated words: that a child does not know yet, or a meeting is agreed.

A note leads to nothing and stands in no step's way, nor does a step in its own: it stands in the story, sealed, with
whose word it is, and counts among no steps (`steps.STANDS`).
"""

from __future__ import annotations

from datetime import date, datetime, time

from matcher.instance import LONDON, today
from matcher.records import Party
from matcher.words import day
from service import steps
from service.database import tables
from service.database.base import utc_now
from service.privacy import either_is_erased
from service.proposals import BEFORE_KITH
from service.repository import Repository
from service.workflow import StepRefusedError

BY = (Party.CHILD, Party.VOLUNTEER, Party.SOCIAL_WORKER, Party.AUTHORITY)
"""Whose words they may be. What a carer says for a child is the child's, and what anybody else told the service's."""
ERASED = "One of the two was erased: nothing more is written of them."


class NoWordsError(StepRefusedError):
    """A note without words says nothing."""


class DayRefusedError(StepRefusedError):
    """It cannot have been on that day."""


def add(rows: Repository, match_id: str, words: str, *, by: Party, on: date, user_id: str) -> tables.Match:
    """Writes a note into the story of a match, wherever that stands. Raises StepRefusedError, NotFoundError."""
    rows.take_turn()
    match = rows.match(match_id)
    if either_is_erased(rows, match):
        raise StepRefusedError(ERASED)
    if by not in BY:
        raise StepRefusedError(f"Whose words it is is one of these: {', '.join(BY)}.")
    if not words.strip():
        raise NoWordsError("Write what there is to note.")
    steps.decide(rows, match, steps.NOTED, by, user_id, _moment(match, on), None, words.strip())
    rows.session.flush()
    return match


def _moment(match: tables.Match, on: date) -> datetime:
    """Noon of a day in London, or now where that is yet to come. Raises DayRefusedError."""
    if on > today():
        raise DayRefusedError(
            "That is yet to come. Date the note by the day on which it was said, and write what is planned."
        )
    began = min(filter(None, (match.created_at.astimezone(LONDON).date(), match.started_on)))
    if on < began - BEFORE_KITH:
        raise DayRefusedError(f"That was more than a year before it began, on {day(began)}. Check the day.")
    return min(datetime.combine(on, time(12), LONDON), utc_now())
