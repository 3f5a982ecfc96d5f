"""Why no plan holds all that is pinned: the fewest pins and limits that cannot be had together.

Pins that break a limit by themselves are refused by `AssignmentProblem`. Left are those that need a whole group matched
for which there is no room. Everything that can be dropped without making room is dropped: what is left is to blame,
all of it, and to lift any one pin or limit of it makes room.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from matcher.solving.assignment import NONE, AssignmentProblem, Ints, Limit, shown
from matcher.solving.starts import least_plan


class Conflict(NamedTuple):
    """Pins, the groups that they need whole, and the limits that leave no room for these."""

    pins: Ints
    """Indices of pairs."""
    groups: Ints
    limits: tuple[tuple[Limit, int], ...]
    """Kind, and index of the volunteer, the family, the fund or the coordinator. Empty where a child has no pair."""
    sentence: str


def conflict(problem: AssignmentProblem) -> Conflict | None:
    """Why there is no plan; None if there is one. A few searches among few pairs: milliseconds each."""
    if _room(problem):
        return None
    for pin in np.flatnonzero(problem.pinned).tolist():
        pinned = problem.pinned.copy()
        pinned[pin] = False
        without = problem.changed(pinned=pinned)
        if not _room(without):
            problem = without

    pins = np.flatnonzero(problem.pinned)
    groups = np.setdiff1d(problem.together[problem.child[pins]], [NONE])
    wanted = np.isin(problem.child, problem.child[pins]) | np.isin(problem.together, groups)[problem.child]
    problem = problem.only(np.flatnonzero(wanted))
    limits: list[tuple[Limit, int]] = []
    for limit, index in _limits(problem):
        lifted = _without(problem, limit, index)
        if _room(lifted):
            limits.append((limit, index))
        else:
            problem = lifted
    return Conflict(pins, groups, tuple(limits), _told(pins, groups, limits))


def _room(problem: AssignmentProblem) -> bool:
    return least_plan(problem).status != "INFEASIBLE"


def _limits(problem: AssignmentProblem) -> Iterator[tuple[Limit, int]]:
    """The limits that touch any pair. What is dropped first is blamed last: money, then caseloads, then people."""
    family = problem.family[problem.child]
    caseload = problem.caseload[problem.child]
    touched: list[tuple[Limit, Ints]] = [
        ("family", family),
        ("capacity", problem.volunteer),
        ("caseload", caseload),
        ("budget", problem.fund),
    ]
    for limit, index in touched:
        for one in np.unique(index[index != NONE]).tolist():
            yield limit, one


def _without(problem: AssignmentProblem, limit: Limit, index: int) -> AssignmentProblem:
    """The same problem without one limit."""
    if limit == "family":
        return problem.changed(family=np.where(problem.family == index, NONE, problem.family))
    name = {"capacity": "capacity", "caseload": "caseload_limit", "budget": "budget"}[limit]
    raised = getattr(problem, name).copy()
    raised[index] = 2**62
    return problem.changed(**{name: raised})


def _told(pins: Ints, groups: Ints, limits: list[tuple[Limit, int]]) -> str:
    words = {
        "capacity": "the capacity of volunteer {}",
        "family": "one volunteer to a child of family {}",
        "budget": "the budget of fund {}",
        "caseload": "the caseload of coordinator {}",
    }
    needed = f"Pinned pairs {shown(pins)} need the whole of group {shown(groups)}"
    if not limits:
        return f"{needed}, but a child of it has no pair of its own. Unpin one, or dissolve the group."
    blamed = ", ".join(words[limit].format(index) for limit, index in limits)
    return f"{needed}, and there is no room for it: {blamed}. Unpin one of these pairs, or raise one of these limits."
