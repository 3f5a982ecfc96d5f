"""When something was, by what somebody typed of it: a day, a time, or neither."""

from __future__ import annotations

import re
from datetime import date, datetime, time

from matcher.instance import LONDON, today
from matcher.reading import cells
from matcher.reading.cells import RefusedError
from service.database.base import utc_now
from service.workflow import StepRefusedError


def happened(day: str, clock: str, since: datetime, *, at_the_latest: bool = False) -> datetime | None:
    """When a step was taken, in London, by what was typed; None for now. Raises StepRefusedError.

    A day alone is any time of that day that it can have been: noon, unless that is yet to come or the step before, at
    `since`, was later on the same day. With `at_the_latest` it is the end of the day: of what somebody has their time
    from, none of it is lost.
    """
    if not day.strip() and not clock.strip():
        return None
    alone = "23:59" if at_the_latest else "12:00"
    try:
        on = written(day) if day.strip() else today()
    except StepRefusedError as error:
        raise StepRefusedError(f"{str(error).removesuffix('.')}; the time has a box of its own.") from None
    hour = _time(clock.strip() or alone)
    at, before = datetime.combine(on, hour, LONDON), since.astimezone(LONDON)
    if not clock.strip():
        at = min(max(at, before) if before.date() == on else at, utc_now()) if on <= today() else at
    if at > utc_now():
        raise StepRefusedError("That is yet to come. Record it when it has happened.")
    return at


def written(day: str) -> date:
    """The day that somebody typed. Raises StepRefusedError."""
    try:
        return cells.written_day(day.strip())
    except (RefusedError, ValueError):
        raise StepRefusedError(
            f"There is no day “{day.strip()}”. Write when it was as a day, such as 03/05/2026."
        ) from None


def no_day(typed: str) -> str:
    """Why what was typed is no day; nothing where it is."""
    try:
        written(typed)
    except StepRefusedError as error:
        return str(error) if typed.strip() else "Write the day on which it was."
    return ""


def _time(text: str) -> time:
    """A time of the day as people write it: 14:30, 14.30, 9:15, 2:30pm, 4 pm."""
    found = _CLOCK.fullmatch(text.lower())
    try:
        if found is None:
            raise ValueError
        hour, minute, half = int(found[1]), int(found[2] or 0), found[3]
        if half and not 1 <= hour <= 12:
            raise ValueError
        return time(hour % 12 + (12 if half == "p" else 0) if half else hour, minute)
    except ValueError:
        raise StepRefusedError(f"There is no time “{text}”. Write it like 14:30 or 2:30pm.") from None


_CLOCK = re.compile(r"(\d{1,2})(?=[:.]|\s*[ap])(?:[:.](\d{2}))?\s*(?:([ap])\.?m\.?)?", re.ASCII)
