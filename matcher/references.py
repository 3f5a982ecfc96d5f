"""Slips of the hand between sheets: ids that are nearly the same, dates that cannot be.

Taken as it stands, a 7 that was 007 would silently lose the no that stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date

from matcher.errors import Problem
from matcher.records import Child, Match, Volunteer

OLDEST_CHILD = 26
"""Support ends at 25 at the latest (Surrey policy 12.1.9): who is older is no child, the date is mistyped."""


def near_misses(
    children: Sequence[Child],
    volunteers: Sequence[Volunteer],
    history: Iterable[tuple[str, int, str]],
) -> list[Problem]:
    """Ids that differ from a known one in capitals, blanks, signs or leading zeros alone.

    Args:
        history: (sheet, row, child id) of all that has been between children and volunteers.
    """
    problems = [
        *_nearly_twice("children", "child_id", [child.id for child in children]),
        *_nearly_twice("volunteers", "volunteer_id", [volunteer.id for volunteer in volunteers]),
    ]
    known = {child.id for child in children}
    meant = {bare(id): id for id in sorted(known)}
    for sheet, row, id in history:
        if id not in known and bare(id) in meant:
            remedy = f"Did you mean {meant[bare(id)]}? Write every id the same way in every file"
            problems.append(Problem(sheet, row, "child_id", id, "is not among the children", remedy))
    return problems


def impossible_dates(children: Sequence[Child], matches: Sequence[Match], as_of: date) -> list[Problem]:
    """Dates that no child and no match can have."""
    problems = []
    for row, child in enumerate(children, start=1):
        born = child.date_of_birth
        if (
            born is not None
            and as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day)) >= OLDEST_CHILD
        ):
            shown = f"{born:%d/%m/%Y}"
            problems.append(Problem("children", row, "date_of_birth", shown, "is not a child's", "Correct the year"))
    for row, match in enumerate(matches, start=1):
        if match.started_on and match.ended_on and match.started_on > match.ended_on:
            shown = f"{match.ended_on:%d/%m/%Y}"
            wrong = f"is before {match.started_on:%d/%m/%Y}, when the match started"
            problems.append(Problem("matches", row, "ended_on", shown, wrong, "Correct one of the two dates"))
    return problems


def bare(id: str) -> str:
    """An id without what a spreadsheet or a hand changes: C-007 and c7 are the same."""
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", re.sub(r"[^0-9a-z]", "", id.casefold())) or id


def _nearly_twice(sheet: str, column: str, ids: Sequence[str]) -> list[Problem]:
    first: dict[str, str] = {}
    problems = []
    for row, id in enumerate(ids, start=1):
        other = first.setdefault(bare(id), id)
        if other != id:
            wrong = f"differs from {other} in capitals, blanks, signs or zeros alone"
            problems.append(
                Problem(sheet, row, column, id, wrong, "Give one person one id, and two persons unlike ones")
            )
    return problems
