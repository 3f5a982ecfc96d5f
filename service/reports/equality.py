"""Who gets a visitor, by ethnicity, sex, age and need; small numbers told as such, so that nobody is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from matcher import vocabulary
from matcher.records import Status
from service.reports.figures import HIDDEN, NOT_RECORDED, Cell, Report, Service, Table, months_since
from service.reports.suppression import FEW, SMALL, TOO_FEW, ranges
from service.reports.work import median_months

_ETHNICITIES = {
    "white": "White", "mixed": "Mixed", "asian": "Asian or Asian British", "black": "Black or Black British",
    "other": "Another ethnic group",
}  # fmt: skip
_CHILD_AGES = ((8, "Under 8"), (12, "8 to 11"), (16, "12 to 15"), (18, "16 and 17"), (200, "18 and over"))
_ADULT_AGES = ((30, "Under 30"), (45, "30 to 44"), (60, "45 to 59"), (200, "60 and over"))

Group = tuple[str, tuple[str, ...], Callable[[Any], str]]
"""Title, its groups in order, and the group of a record."""


def equality(service: Service) -> Report:
    now = service.as_of
    children = [(one.record, one.stands == "visited") for one in service.children]
    volunteers = [(one, visits) for one, visits in service.volunteers if visits or one.status is Status.APPROVED]
    tables = [
        *(
            _protected(f"Children by {group[0]}", children, group, now)
            for group in _groups(now, _CHILD_AGES, needs=True)
        ),
        *(_protected(f"Volunteers by {group[0]}", volunteers, group, now) for group in _groups(now, _ADULT_AGES)),
    ]
    return Report("Equality", _LEAD, tuple(tables))


def _groups(now: date, ages: Sequence[tuple[int, str]], *, needs: bool = False) -> list[Group]:
    def ethnicity(one: Any) -> str:
        return _ETHNICITIES.get((one.ethnicity and vocabulary.ethnicity_group(one.ethnicity)) or "", NOT_RECORDED)

    def sex(one: Any) -> str:
        return str(one.gender).capitalize() if one.gender else NOT_RECORDED

    def age(one: Any) -> str:
        if one.date_of_birth is None:
            return NOT_RECORDED
        completed = months_since(one.date_of_birth, now) // 12
        return next(title for below, title in ages if completed < below)

    def need(one: Any) -> str:
        return NOT_RECORDED if one.additional_needs is None else "Yes" if one.additional_needs else "No"

    groups: list[Group] = [
        ("ethnicity", (*_ETHNICITIES.values(), NOT_RECORDED), ethnicity),
        ("sex", ("Female", "Male", "Other", NOT_RECORDED), sex),
        ("age", (*(title for _, title in ages), NOT_RECORDED), age),
    ]
    return [*groups, ("disability or additional need", ("Yes", "No", NOT_RECORDED), need)] if needs else groups


def _protected(title: str, people: Sequence[tuple[Any, bool]], group: Group, now: date) -> Table:
    """Who has no visitor and who has one, by group; of volunteers who visits nobody and who visits a child.

    Where that could not be told without telling of single ones, how many are of each group is told alone.
    """
    of_children = title.startswith("Children")
    _, names, named = group
    sorted_out = Counter((named(one), visits) for one, visits in people)
    counts = [[sorted_out[name, False], sorted_out[name, True]] for name in names]
    if len(people) < SMALL:
        return Table(title, (), (), note=TOO_FEW if people else "There is nobody to count.")
    told, split = ranges(counts), True
    if told is None:
        counts, split = [[sum(cells)] for cells in counts], False
        told = ranges(counts)
    if told is None:
        return Table(title, (), (), note=TOO_FEW)
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for row, name in enumerate(names):
        cells: list[Cell] = [told.get((row, at), count) for at, count in enumerate(counts[row])]
        if split:
            cells.append(told.get((row, len(cells)), sum(counts[row])))
        if split and of_children:
            since = [one.waits_since for one, has in people if one.waits_since and not has and named(one) == name]
            nobody = counts[row][0] == 0
            cells.append(None if nobody else median_months(since, now) if len(since) >= SMALL else HIDDEN)
        rows.append((name, tuple(cells)))
    totals = [sum(cells) for cells in zip(*counts, strict=True)]
    rows.append(("All", (*totals, *((sum(totals),) if split else ()), *((None,) if split and of_children else ()))))
    columns = (_OF_CHILDREN if of_children else _OF_VOLUNTEERS) if split else ("All",)
    headings = (title.partition(" by ")[2].capitalize(), *columns)
    return Table(
        title, headings, tuple(rows), note="" if split else _NOT_SPLIT, bars=2 if split else 0, last_is_total=True
    )


_LEAD = (
    "Whether some groups wait longer than others, and whether volunteers are as different as the children are. "
    f"So that nobody can be picked out, a number from {FEW} is told as “{FEW}”, and where it could be worked out from "
    "the others, the smallest of those that will do is told as a range too. A child of whom Kith has the match alone "
    "counts as not recorded; of volunteers, those are counted who are approved or visit a child."
)
"""The same whatever the figures are: a number here could tell one that is not told below."""
_OF_CHILDREN = ("Without a visitor", "With a visitor", "All", "Half wait at least (months)")
_OF_VOLUNTEERS = ("Visit nobody now", "Visit a child", "All")
_NOT_SPLIT = "Who has a visitor and who has none is not told apart here: it would tell of single ones."
