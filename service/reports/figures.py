"""What reports are made from and made of: records in, tables out; no database, no page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from matcher.records import Authority, Child, Party, Volunteer

STANDS = ("waiting", "not ready", "proposed", "visited")
NOT_RECORDED = "Not recorded"


@dataclass(frozen=True)
class Pence:
    amount: int


@dataclass(frozen=True)
class Percent:
    amount: int
    sign: str = "%"


@dataclass(frozen=True)
class Between:
    """A number that is told as a range, both ends in it."""

    lowest: int
    highest: int

    def __str__(self) -> str:
        return f"{self.lowest:,} to {self.highest:,}"


class Hidden:
    """A number that is not told."""


HIDDEN = Hidden()
Cell = int | Pence | Percent | Between | Hidden | None
"""None where there is nothing to tell."""


@dataclass(frozen=True)
class Table:
    """One table: the first heading is of the rows' names, the others of their cells."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    lead: str = ""
    note: str = ""
    bars: int | None = None
    """Of which cell, from 0, the numbers are drawn as bars beside them."""
    last_is_total: bool = False


@dataclass(frozen=True)
class Section:
    """A section that a person writes."""

    title: str
    hint: str
    """What belongs there."""
    text: str = ""
    """What was written; lines to write on are printed where nothing was."""


@dataclass(frozen=True)
class Report:
    title: str
    lead: str
    tables: tuple[Table, ...]
    to_write: tuple[Section, ...] = ()
    kept_to: str = ""
    """To whom it is kept, and why, where small numbers are told as they are; blank where it is made to be passed on."""


@dataclass(frozen=True)
class ReportedChild:
    """A child, and how they stand: one of STANDS. A child known by a match alone has a record without facts."""

    record: Child
    stands: str
    beyond: bool = False
    """Whether no visitor can come to them any more, as far as is recorded: see `alone.beyond_a_visitor`."""

    @property
    def by_match_alone(self) -> bool:
        """Whether nothing else is known of them here."""
        return self.record == Child(self.record.id)


@dataclass(frozen=True)
class ReportedMatch:
    """An appointment that goes on or is over."""

    child: str
    volunteer: str
    started_on: date | None
    ended_on: date | None
    over: bool
    over_by: Party | None = None
    reason: str | None = None
    unbegun: bool = False
    """Appointed, and no visit was made, or was before it ended. Without it, a match that has no first day on record
    began on some day before all that is reported."""


@dataclass(frozen=True)
class ReportedStep:
    """A step of a proposal or a match, on the day it was recorded."""

    on: date
    step: str
    reason: str | None = None


@dataclass(frozen=True)
class Service:
    """All that the reports are made from, as of a day."""

    as_of: date
    children: Sequence[ReportedChild] = ()
    volunteers: Sequence[tuple[Volunteer, bool]] = ()
    """Each with whether they visit a child."""
    matches: Sequence[ReportedMatch] = ()
    steps: Sequence[ReportedStep] = ()
    budgets: Sequence[Authority] = ()


@dataclass(frozen=True, order=True)
class Year:
    """A council's year, from 1 April."""

    first: int

    @classmethod
    def of(cls, day: date) -> Year:
        return cls(day.year if (day.month, day.day) >= (4, 1) else day.year - 1)

    @property
    def title(self) -> str:
        return f"April {self.first} to March {self.first + 1}"

    def holds(self, day: date | None) -> bool:
        return day is not None and Year.of(day) == self

    def days(self, until: date) -> tuple[date, date]:
        """The first, and the last or the latest."""
        return date(self.first, 4, 1), min(date(self.first + 1, 3, 31), until)

    def months(self, until: date) -> list[tuple[date, date]]:
        """First and last day of each month that has begun."""
        found = []
        for number in range(12):
            start = date(self.first + (number + 3) // 12, (number + 3) % 12 + 1, 1)
            after = date(start.year + start.month // 12, start.month % 12 + 1, 1)
            if start <= until:
                found.append((start, after - timedelta(days=1)))
        return found


def years(service: Service) -> list[Year]:
    """This year and those before it back to the first in which anything began or ended, the last first."""
    days = [day for match in service.matches for day in (match.started_on, match.ended_on)]
    days += [step.on for step in service.steps]
    known = {Year.of(day) for day in days if day is not None and day <= service.as_of}
    last = Year.of(service.as_of)
    return [Year(first) for first in range(last.first, min(known | {last}).first - 1, -1)]


def is_live(match: ReportedMatch, on: date) -> bool:
    """Whether somebody visited at the end of that day."""
    begun = match.started_on is None or match.started_on <= on
    return counts(match) and begun and (match.ended_on is None or match.ended_on > on)


def began(match: ReportedMatch, first: date, last: date) -> bool:
    """Whether visits began between two days."""
    return counts(match) and match.started_on is not None and first <= match.started_on <= last


def ended(match: ReportedMatch, first: date, last: date) -> bool:
    """Whether visits ended between two days. Who visits after them is who did before, and who began, less these."""
    return counts(match) and match.ended_on is not None and first <= match.ended_on <= last


def counts(match: ReportedMatch) -> bool:
    """Whether there were visits of which it is known whether they go on, and else since when they do not."""
    return not match.unbegun and (match.ended_on is not None or not match.over)


def months_since(day: date, now: date) -> int:
    """Completed months: from 31 January to 28 February none has been completed."""
    return (now.year - day.year) * 12 + now.month - day.month - (now.day < day.day)


def with_totals(
    rows: Sequence[tuple[str, tuple[int, ...]]], *, across: bool = True
) -> tuple[tuple[str, tuple[Cell, ...]], ...]:
    """The same with a last row that sums them up, and with `across` a last column."""
    totals = tuple(sum(cells) for cells in zip(*(cells for _, cells in rows), strict=True))
    whole = [*rows, ("All", totals)]
    return tuple((name, (*cells, sum(cells)) if across else cells) for name, cells in whole)
