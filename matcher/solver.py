"""The best plan, with its proof.

    problem = AssignmentProblem(child, volunteer, points, n_children=3, capacity=[1, 2])
    solution = solve(problem)
    solution.status, solution.chosen, solution.value, solution.bound

`plain_model` writes the whole problem down for CP-SAT, one constraint after the other: it is the reference.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from matcher.assignment import NONE, AssignmentProblem, Ints
from matcher.errors import ProblemError

if TYPE_CHECKING:  # the import takes 0.6 s, which reading a file or ranking a shortlist need not pay
    from ortools.sat.python import cp_model

__all__ = ["AssignmentProblem", "Solution", "solve"]

Status = Literal["OPTIMAL", "FEASIBLE", "INFEASIBLE", "UNKNOWN"]
Method = Literal["plain"]

SEED = 20
"""Any number would do; that it is always the same one makes plans repeat."""


@dataclass(frozen=True, eq=False)
class Solution:
    """A plan and what is proven of it.

    Attributes:
        status: OPTIMAL: no plan is worth more. FEASIBLE: a plan, perhaps not the best. INFEASIBLE: the pinned pairs
            leave no plan. UNKNOWN: no plan was found within the limit, and it is not proven that there is none.
        chosen: indices of the plan's pairs, ascending; empty if there is no plan.
        value: points of the plan.
        bound: no plan is worth more than this. Equal to `value` when OPTIMAL, 0 when INFEASIBLE.
        seconds: how long it took.
        considered: pairs in the problem.
        remaining: pairs that the search had to look at.
    """

    status: Status
    chosen: Ints
    value: int
    bound: int
    seconds: float
    considered: int
    remaining: int

    @property
    def gap(self) -> float:
        """The share of the bound that the plan may miss: 0.0 is proven best."""
        return (self.bound - self.value) / self.bound if self.bound else 0.0


def solve(
    problem: AssignmentProblem, *, time_limit: float | None = None, method: Method = "plain", workers: int = 1
) -> Solution:
    """Choose the plan of the most points.

    The same arrays give the same plan, on any machine: one worker, one seed, and `time_limit` counted by
    CP-SAT's deterministic clock, whose second is about a second of a usual processor.

    Args:
        time_limit: deterministic seconds; None to search until the best plan is proven. A wall clock ten times as
            long stands behind it, for a machine that hangs: only if that strikes may a result not repeat.
        method: "plain" hands the whole problem to CP-SAT.
        workers: searches that CP-SAT runs at once. More than one may break ties another way each time.

    Raises:
        ProblemError: a limit that is not positive, or an unknown method.
    """
    if time_limit is not None and not time_limit > 0:
        raise ProblemError(f"`time_limit` is {time_limit}. Give seconds above 0, or None for no limit.")
    if workers < 1:
        raise ProblemError(f"`workers` is {workers}. Give 1 or more.")
    if method != "plain":
        raise ProblemError(f"`method` is {method!r}. Give one of: 'plain'.")
    return _solve_plain(problem, time_limit, workers)


def _solve_plain(problem: AssignmentProblem, time_limit: float | None, workers: int) -> Solution:
    start = time.perf_counter()
    model, chosen = plain_model(problem)
    solver = _solver(time_limit, workers)
    status: Status = solver.solve(model).name  # type: ignore[assignment]  # never MODEL_INVALID: the border saw to it
    plan = np.empty(0, np.int64)
    if status in ("OPTIMAL", "FEASIBLE"):
        plan = np.flatnonzero([solver.boolean_value(x) for x in chosen])

    if status == "UNKNOWN" and not problem.pinned.any():
        status = "FEASIBLE"  # without pins, to match nobody is always allowed

    # CP-SAT tells its objective as a float: the value is added up anew, the bound rounded towards safety.
    value = int(problem.points[plan].sum())
    bound = {"OPTIMAL": value, "INFEASIBLE": 0}.get(status, _sum_of_best(problem))
    if status == "FEASIBLE" and len(plan):
        told = solver.best_objective_bound
        bound = min(bound, math.floor(told if abs(told) < 2**52 else math.nextafter(told, math.inf)))
    seconds = time.perf_counter() - start
    return Solution(status, plan, value, max(bound, value), seconds, len(problem), len(problem))


def _solver(time_limit: float | None, workers: int) -> cp_model.CpSolver:
    from ortools.sat.python import cp_model

    solver = cp_model.CpSolver()
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = SEED
    solver.parameters.linearization_level = 2  # proves here in a fifth of a second what level 1 does not in thirty
    if time_limit is not None:
        solver.parameters.max_deterministic_time = time_limit
        solver.parameters.max_time_in_seconds = 10 * time_limit
    return solver


def plain_model(problem: AssignmentProblem) -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    """The whole problem for CP-SAT, and its variables: one Boolean a pair."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    chosen = [model.new_bool_var("") for _ in range(len(problem))]
    total, child, volunteer = cp_model.LinearExpr.sum, problem.child, problem.volunteer

    def of(pairs: Ints) -> list[cp_model.IntVar]:
        return [chosen[pair] for pair in pairs]

    for _, pairs in groups(child):
        model.add_at_most_one(of(pairs))

    for one, pairs in groups(volunteer):
        if problem.capacity[one] == 1:
            model.add_at_most_one(of(pairs))
        elif problem.capacity[one] < len(pairs):
            model.add(total(of(pairs)) <= int(problem.capacity[one]))

    # One key for a family and a volunteer: families are numbered anew, as the numbers given may be of any size.
    family = np.unique(problem.family, return_inverse=True)[1][child] if len(problem) else child
    of_family = np.where(problem.family[child] != NONE, family * problem.n_volunteers + volunteer, NONE)
    for _, pairs in groups(of_family):
        model.add_at_most_one(of(pairs))

    for one, pairs in groups(problem.fund):
        spent = cp_model.LinearExpr.weighted_sum(of(pairs), problem.cost[pairs].tolist())
        if problem.budget[one] < problem.cost[pairs].sum():
            model.add(spent <= int(problem.budget[one]))

    for one, pairs in groups(problem.caseload[child]):
        if problem.caseload_limit[one] < len(pairs):
            model.add(total(of(pairs)) <= int(problem.caseload_limit[one]))

    pairs_of = dict(groups(child))
    for _, children in groups(problem.together):
        matched = [total(of(pairs_of.get(one, children[:0]))) for one in children]
        for other in matched[1:]:
            model.add(matched[0] == other)

    for pair in np.flatnonzero(problem.pinned):
        model.add(chosen[pair] == 1)

    model.maximize(cp_model.LinearExpr.weighted_sum(chosen, problem.points.tolist()))
    return model, chosen


def groups(key: Ints) -> Iterator[tuple[int, Ints]]:
    """Each key but NONE, ascending, with the places where it stands, ascending."""
    order = np.argsort(key, kind="stable")
    order = order[np.searchsorted(key[order], NONE, side="right") :]
    starts = np.flatnonzero(np.diff(key[order], prepend=NONE))
    for places in np.split(order, starts[1:]) if len(order) else []:
        yield int(key[places[0]]), places


def _sum_of_best(problem: AssignmentProblem) -> int:
    """What the plan would be worth if every child had the best of its pairs: the simplest bound."""
    best = np.zeros(problem.n_children, np.int64)
    np.maximum.at(best, problem.child, problem.points)
    return int(best.sum())
