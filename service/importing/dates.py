"""Dates of matches that the files give and that cannot be beside what is in Kith, or would not be for long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from matcher.errors import Problem
from matcher.readers import Reading
from matcher.records import Match, MatchStatus
from service.importing.here import Here, ends
from service.workflow import State


def impossible_dates(here: Here, reading: Reading, as_of: date) -> Iterator[Problem]:
    """Told of the row of the spreadsheet. What the files say of each other was held against each other by the reader.

    A plan for the end of a match is no date of Kith's: the day would come, and the match would go on.
    """
    for place, match in enumerate(reading.records["matches"]):
        for column, day, wrong, remedy in _of_match(here, match, as_of):
            row = reading.rows["matches"][place]
            yield Problem(reading.files["matches"], row, column, f"{day:%d/%m/%Y}", wrong, remedy)


def _of_match(here: Here, match: Match, as_of: date) -> Iterator[tuple[str, date, str, str]]:
    known = here.match(match)
    if match.status is MatchStatus.ENDED:
        begun, over = match.started_on, match.ended_on
        if known is not None and (ends(known, match) or known.state == State.ENDED):
            begun, over = begun or known.started_on, over or known.ended_on
        if begun is not None and over is not None and begun > over and (match.started_on or match.ended_on):
            wrong = f"is before {begun:%d/%m/%Y}, when the visits began as Kith has it"
            yield "ended_on", over, wrong, "Correct the date, or give the right day of the beginning beside it"
        return
    if match.ended_on is not None:
        wrong = f"stands beside a match that is {match.status}"
        yield "ended_on", match.ended_on, wrong, "Remove the date, or write ended once the match has ended"
    if match.status is MatchStatus.CURRENT and match.started_on is not None and match.started_on > as_of:
        wrong = "is yet to come, and the match is current"
        yield "started_on", match.started_on, wrong, "Write agreed until it has begun, or correct the date"
