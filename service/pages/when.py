"""When something was, by what somebody typed of it: a day, a time, or neither."""

from __future__ import annotations

from datetime import datetime, time

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
        on = cells.written_day(day.strip()) if day.strip() else today()
        hour = time.fromisoformat(clock.strip().replace(".", ":").zfill(5) if clock.strip() else alone)
    except (RefusedError, ValueError):
        raise StepRefusedError("Write when it was as a day, such as 03/05/2026, and a time, such as 14:30.") from None
    at, before = datetime.combine(on, hour, LONDON), since.astimezone(LONDON)
    if not clock.strip():
        at = min(max(at, before) if before.date() == on else at, utc_now()) if on <= today() else at
    if at > utc_now():
        raise StepRefusedError("That is yet to come. Record it when it has happened.")
    return at
