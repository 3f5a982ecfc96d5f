"""The children who are to be asked since a concern brought up past visits or a meeting, and what came of asking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm.attributes import flag_modified

from matcher.instance import LONDON, today
from matcher.records import Party
from matcher.words import day
from service import brought_up, standing, steps
from service.brought_up import ASKED, BROUGHT_UP, Past
from service.database import tables
from service.database.base import utc_now
from service.privacy import is_erased
from service.reasons import ASKED_OUTCOMES, FOLLOWS, NOT_TO_BE_ASKED, SAID_BY_CHILD, TOLD_SOMETHING, Follows
from service.repository import Repository
from service.workflow import StepRefusedError

ASKERS = (Party.AUTHORITY, Party.SOCIAL_WORKER)
"""Who asks: somebody of the service, or told by whomever the child trusts; or the child's social worker."""
IN_WORDS = frozenset({TOLD_SOMETHING, NOT_TO_BE_ASKED})
"""Outcomes that say too little without words."""


class NothingWrittenError(StepRefusedError):
    """What a child told, and why one is not to be asked, is recorded in words."""


class DayRefusedError(StepRefusedError):
    """It cannot have been on that day."""


NOTHING_TO_ASK = (
    "No concern about the volunteer has brought this match up, or the child was erased since: nobody is to be asked."
)


@dataclass(frozen=True)
class ToAsk:
    """A child who is to be asked about the visits of before, or about the meeting where none came of it."""

    match: tables.Match
    past: Past


def to_ask(rows: Repository, which: Any = True) -> Sequence[ToAsk]:
    """Of the matches that a condition holds of, or of all: whose child nobody has asked yet, the longest first.

    Whatever became of the volunteer; not of a child who was erased, and whom nobody could find by it.
    """
    match, child = tables.Match, tables.Child
    raised = match.id.in_(select(tables.Decision.match_id).where(tables.Decision.step == BROUGHT_UP))
    query = select(match, child).join(child, child.id == match.child_id).where(raised, which)
    matches = {row.id: row for row, who in rows.session.execute(query) if not is_erased(who)}
    told = brought_up.past(rows, tables.Decision.match_id.in_(matches)) if matches else {}
    found = [ToAsk(matches[id], one) for id, one in told.items() if one.to_ask_since is not None]
    return sorted(found, key=lambda one: (one.past.to_ask_since, one.match.id))


def of_match(rows: Repository, match: tables.Match) -> Past | None:
    """What the story of a match says of it; nothing of a child who was erased."""
    return None if is_erased(rows.child(match.child_id)) else brought_up.of_match(rows, match.id)


def record(
    rows: Repository, match_id: str, outcome: str, *, asked_by: Party, on: date, user_id: str, note: str | None = None
) -> tables.Match:
    """What came of asking a child about somebody about whom there was a concern; `note` is sealed.

    What is a concern about the volunteer is one from that moment: see `standing.suspend`. It is recorded whatever was
    recorded before it. Recorded again, the last counts, and what the one before brought about stays.

    Raises StepRefusedError with the reason, NotFoundError.
    """
    match = rows.match(match_id)
    rows.take_turn()
    past = of_match(rows, match)
    if past is None:
        raise StepRefusedError(NOTHING_TO_ASK)
    if outcome not in ASKED_OUTCOMES:
        raise StepRefusedError(f"What came of it is one of these: {', '.join(ASKED_OUTCOMES)}.")
    if asked_by not in ASKERS:
        raise StepRefusedError(f"Who asked is one of these: {', '.join(ASKERS)}.")
    if outcome in IN_WORDS and not (note or "").strip():
        raise NothingWrittenError(
            "Write what the child told, in their own words as far as you can." if outcome == TOLD_SOMETHING
            else "Write why the child is not to be asked, and who has advised it."
        )  # fmt: skip
    # What a child tells is never refused for being told early, once there was a first concern.
    at = _moment(on, past.first if outcome == TOLD_SOMETHING else past.last)
    flag_modified(match, "state")  # whoever has read it without this is told
    steps.decide(rows, match, ASKED, _whose_word(outcome, asked_by), user_id, at, outcome, (note or "").strip() or None)
    if FOLLOWS.get(outcome) is Follows.SUSPENDED:
        standing.suspend(rows, match, user_id=user_id)
    rows.session.flush()
    return match


def _whose_word(outcome: str, asked_by: Party) -> Party:
    if outcome == NOT_TO_BE_ASKED:
        return Party.AUTHORITY
    return Party.CHILD if asked_by is Party.AUTHORITY and outcome in SAID_BY_CHILD else asked_by


def _moment(on: date, since: datetime) -> datetime:
    """Noon of a day in London, as near as it can have been. Raises DayRefusedError."""
    raised = since.astimezone(LONDON)
    if on > today():
        raise DayRefusedError("That is yet to come. Record it when somebody has asked.")
    if on < raised.date():
        raise DayRefusedError(
            f"The concern was recorded on {day(raised.date())}. What was said before that does not answer it."
        )
    return min(max(datetime.combine(on, time(12), LONDON), raised), utc_now())
