"""The yearly report to corporate parents (R 18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from matcher.pairs import is_residential
from matcher.records import Child, Contact
from matcher.words import day
from service.reasons import CHILD_PAUSES, FOLLOWS, OBJECTS, TOLD_NOTHING, TOLD_SOMETHING, UNSAFE, Follows
from service.reports.figures import (
    Between,
    Cell,
    Report,
    ReportedMatch,
    Section,
    Service,
    Table,
    Year,
    began,
    ended,
    is_live,
    months_since,
    years,
)
from service.reports.suppression import FEW, SMALL, TOO_FEW, few, part, ranges
from service.reports.work import reasons, told_without

SECTIONS: Mapping[str, Section] = {
    "children": Section("What children and young people say", "What those with a visitor said when they were asked."),
    "volunteers": Section("What volunteers say", "Comments of those who were active in the last twelve months."),
    "recommended": Section("What we recommend", "What should be done next year, by whom, and what it needs."),
}
"""What a person writes into the report of a year."""


def yearly(service: Service, year: Year, written: Mapping[str, str] = MappingProxyType({})) -> Report:
    """What goes to corporate parents (R 18): appointments, their circumstances, terminations and disputes, views.

    `written` is what was written of the year, by section.
    """
    first, last = year.days(service.as_of)
    begun = [one for one in service.matches if began(one, first, last)]
    over = [one for one in service.matches if one.over and year.holds(one.ended_on)]
    goes_on = last == service.as_of and year.holds(last + timedelta(days=1))
    so_far = f"The year goes on: its figures are those up to {day(last)}. " if goes_on else ""
    now = f"{told_without(service)} " if year.holds(service.as_of) else ""
    before = Year(year.first - 1)
    both = (year, before) if before in years(service) else (year,)
    headings = ("In the year so far" if goes_on else "In the year", *(["In the year before"] if len(both) > 1 else []))
    return Report(
        f"Report to corporate parents, {year.title}",
        f"What the Corporate Parenting Group is told of the year. {so_far}{now}Nobody is named, and of circumstances, "
        f"endings and disputes a number from {FEW} is told as no more than that.",
        (
            Table("Independent Visitors appointed", ("", *headings), _beside(service, both, _appointed), note=_ADDS_UP),
            _circumstances(service, begun), _endings(over),
            Table("Disputes and refusals", ("What was recorded, and how often", *headings),
                  _beside(service, both, _disputes), note=_ONCE),
        ),
        tuple(replace(section, text=written.get(name, "")) for name, section in SECTIONS.items()),
    )  # fmt: skip


_ADDS_UP = (
    "Visits count from the first one to the last day of the match. Those before, and those that began, less those that "
    "ended, are those at the end. Reviews are those that were recorded in Kith."
)
_ONCE = (
    "What people recorded in Kith. Each line counts what no other does: a concern by which a match ended is one of the "
    "reasons above."
)
_Counts = tuple[tuple[str, int | Between], ...]


def _beside(
    service: Service, both: Sequence[Year], count: Callable[[Service, Year], _Counts]
) -> tuple[tuple[str, tuple[Cell, ...]], ...]:  # fmt: skip
    """What was counted of each year, beside each other."""
    counted = [count(service, one) for one in both]
    return tuple((lines[0][0], tuple(number for _, number in lines)) for lines in zip(*counted, strict=True))


def _appointed(service: Service, year: Year) -> _Counts:
    first, last = year.days(service.as_of)
    begun = [one for one in service.matches if began(one, first, last)]
    return (
        (
            "Children with a visitor when the year began",
            sum(is_live(one, first - timedelta(days=1)) for one in service.matches),
        ),
        ("Visits that began", len(begun)),
        ("Visits that ended", sum(ended(one, first, last) for one in service.matches)),
        ("Children with a visitor at its end", sum(is_live(one, last) for one in service.matches)),
        ("Children who were given a visitor", len({one.child for one in begun})),
        ("Volunteers who began to visit a child", len({one.volunteer for one in begun})),
        ("Reviews held", _times(_steps(service, year), "review_held")),
    )


def _disputes(service: Service, year: Year) -> _Counts:
    """Lines of which none is a part or a sum of others, here or among the endings: so each hides what is small.

    But those of children who were asked, which are told together.
    """
    steps = _steps(service, year)
    any_visitor, unsafe = _times(steps, "child_declines", OBJECTS), _times(steps, "child_declines", UNSAFE)
    of_worker = _times(steps, "social_worker_declines", *_OF_VOLUNTEER)
    lines = (
        ("A child said no to any visitor at all", any_visitor),
        ("A child said no, not feeling safe with the visitor proposed", unsafe),
        ("A child said no to the visitor proposed, otherwise", _times(steps, "child_declines") - any_visitor - unsafe),
        ("A volunteer said no", _times(steps, "volunteer_declines")),
        ("A social worker said no for a concern about the volunteer", of_worker),
        ("A social worker said no otherwise", _times(steps, "social_worker_declines") - of_worker),
        ("Visits were paused for a concern about the volunteer", _times(steps, "pause", *_OF_VOLUNTEER)),
        ("Visits were paused for a concern about the child", _times(steps, "pause", CHILD_PAUSES)),
    )
    return (*((title, few(count)) for title, count in lines), *_asked(steps))


def _asked(steps: _Steps) -> _Counts:
    """Past visits and meetings that a concern brought up. Whoever was asked is one of them, so each hides the other."""
    brought_up = _times(steps, "brought_up")
    told = [_times(steps, "asked", outcome) for outcome in (TOLD_NOTHING, TOLD_SOMETHING)]
    rest = max(brought_up - sum(told), 0)  # those of the year before may have been asked in this one
    instead = ranges([[count] for count in (*told, rest)]) or {}
    nothing, something = (instead.get((at, 0), few(count)) for at, count in enumerate(told))
    return (
        ("Past visits or meetings of which the child was to be asked, after a concern", few(brought_up)),
        ("A child who was asked of past visits or a meeting told nothing of concern", nothing),
        ("A child who was asked of past visits or a meeting told something of concern", something),
    )


_OF_VOLUNTEER = tuple(reason for reason, what in FOLLOWS.items() if what is Follows.SUSPENDED)
"""Reasons by which the volunteer is suspended."""


_Steps = Counter[tuple[str, str | None]]


def _steps(service: Service, year: Year) -> _Steps:
    return Counter((one.step, one.reason) for one in service.steps if year.holds(one.on))


def _times(steps: _Steps, step: str, *reasons: str) -> int:
    return sum(count for (name, why), count in steps.items() if name == step and (not reasons or why in reasons))


_LITTLE = (Contact.NONE, Contact.INFREQUENT)


def _circumstances(service: Service, begun: Sequence[ReportedMatch]) -> Table:
    """Of the children who were given a visitor, by what the law and R 3 look at. One child may count several times."""
    facts = {one.record.id: one.record for one in service.children if not one.by_match_alone}
    known = [(facts[one.child], one) for one in begun if one.child in facts]
    tests: tuple[tuple[str, Callable[[Child, ReportedMatch], bool]], ...] = (
        ("No or infrequent contact with parents", lambda one, _: one.parental_contact in _LITTLE),
        ("Not visited by a parent in the twelve months before", _not_visited),
        ("Placed outside the responsible authority", lambda one, _: _outside(one)),
        ("In residential care", lambda one, _: is_residential(one.placement_type)),
        ("Unable to go out alone, or to build relationships", lambda one, _: one.cannot_go_out_alone is True),
        ("At risk from peers or older people", lambda one, _: one.at_risk_from_peers is True),
        ("A visitor would help education or health", lambda one, _: one.helps_education_or_health is True),
        ("Unaccompanied", lambda one, _: one.unaccompanied is True),
    )  # fmt: skip
    everybody, of_facts = len({one.child for one in begun}), len({child.id for child, _ in known})
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    if everybody < SMALL:  # "1 to 4" would say all but the number, which stands above
        note = TOO_FEW if everybody else "No child was given a visitor in that year."
    elif of_facts:
        note = "A child may count in several lines."
        for title, passes in tests:
            rows.append((title, (part(len({child.id for child, one in known if passes(child, one)}), everybody),)))
    else:
        note = ""
    if everybody >= SMALL and everybody > of_facts:  # how many could tell a number that the report on equality hides
        note = f"{note} Of some children Kith has the match alone: their circumstances are not recorded here.".strip()
    return Table("Circumstances of appointment", ("Circumstance", "Children"), tuple(rows), note=note, bars=0)


_WHY = "Why matches ended"


def _endings(over: Sequence[ReportedMatch]) -> Table:
    """Why matches ended, without on whose word. How many ended in all is known, by who had a visitor a year before."""
    told = reasons(over)
    counts = [(title, cells[-1]) for title, cells in told.rows[:-1]]
    instead = ranges([[count] for _, count in counts if isinstance(count, int)])
    if instead is None:
        return Table(_WHY, (), (), note=TOO_FEW)
    rows = tuple((title, (instead.get((row, 0), count),)) for row, (title, count) in enumerate(counts))
    return Table(_WHY, ("Reason", "Matches"), rows, note=told.note, bars=0)


def _not_visited(child: Child, match: ReportedMatch) -> bool:
    begun, last = match.started_on, child.last_parental_visit
    return begun is not None and last is not None and months_since(last, begun) >= 12


def _outside(child: Child) -> bool:
    both = child.placement_council, child.responsible_authority
    return None not in both and both[0] != both[1]
