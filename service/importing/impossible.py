"""What the files say that cannot be beside what is in Kith, and what could not be before any file said so.

A row is refused for what it brings: a fault that Kith has recorded already is told, on the page of whom it is about as
well, and the rest of the row is taken in, a no above all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date

from sqlalchemy import select

from matcher.errors import Problem
from matcher.impossible import Fault, faults
from matcher.readers import Reading, Stood
from matcher.reading.sheets import CHILDREN, VOLUNTEERS
from matcher.records import Match, MatchStatus
from service.database import tables
from service.importing.here import Here, ends
from service.repository import Repository
from service.workflow import State


def stood(rows: Repository, as_of: date) -> Stood:
    """What cannot be of the children and volunteers as Kith has them now, for whoever reads files beside it."""

    def of(sheet: str, reference: str) -> Collection[Fault]:
        if sheet == CHILDREN.name:
            child = rows.session.scalar(select(tables.Child).where(tables.Child.reference == reference))
            return faults(rows.child_record(child, family_known=False), as_of) if child else ()
        volunteer = rows.session.scalar(select(tables.Volunteer).where(tables.Volunteer.reference == reference))
        return faults(rows.volunteer_record(volunteer), as_of) if volunteer else ()

    return of


def newly_impossible(here: Here, reading: Reading, as_of: date) -> Iterator[Problem]:
    """What could not be of somebody any more once the files are beside it: a column that they lack is Kith's still.

    What they say by themselves was judged by the reader; it is asked again here, of the rows as they are now.
    """
    for sheet in (CHILDREN.name, VOLUNTEERS.name):
        for place, said in enumerate(reading.records[sheet]):
            before = here.record(sheet, said.id)
            found = faults(said if before is None else here.kept(sheet, before, said), as_of)
            for one in sorted(found - faults(before, as_of) if found and before is not None else found):
                where = reading.files[sheet], reading.rows[sheet][place], one.column
                yield Problem(*where, one.value, one.wrong, one.remedy)


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
