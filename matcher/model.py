"""The problem written down for CP-SAT, one limit after the other, and one search in it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from matcher.assignment import NONE, AssignmentProblem, Ints
from matcher.errors import KithError

if TYPE_CHECKING:  # the import takes 0.6 s, which reading a file or ranking a shortlist need not pay
    from ortools.sat.python import cp_model

RATE = 0.5
"""Units of CP-SAT's deterministic clock to a second: measured on these problems, on a usual processor."""

Status = Literal["OPTIMAL", "FEASIBLE", "INFEASIBLE", "UNKNOWN"]

SEED = 20
"""Any number would do; that it is always the same one makes plans repeat."""


@dataclass(frozen=True, eq=False)
class Demand:
    """What a plan is asked to reach besides keeping the limits: a value, at least and at most; how often each child,
    volunteer and coordinator is matched at least, and how many pence of each fund are spent at least.

    A child that must be matched, or a volunteer that must be full, may have a part of its points told apart: it is the
    same for all plans in question. Searches are far faster on the small points that are left.
    """

    value: tuple[int, int]
    child: Ints
    volunteer: Ints
    coordinator: Ints
    fund: Ints
    child_points: Ints
    volunteer_points: Ints

    @classmethod
    def of_value(cls, problem: AssignmentProblem, least: int, most: int) -> Demand:
        """Nothing but a value."""
        n, m = problem.n_children, problem.n_volunteers
        sizes = n, m, len(problem.caseload_limit), len(problem.budget), n, m
        return cls((least, most), *(np.zeros(size, np.int64) for size in sizes))

    def points(self, problem: AssignmentProblem) -> tuple[Ints, int]:
        """The points left to each pair, and the sum of those told apart, which every plan in question has."""
        left = problem.points - self.child_points[problem.child] - self.volunteer_points[problem.volunteer]
        apart = zip(self.volunteer.tolist(), self.volunteer_points.tolist(), strict=True)
        return left, int(self.child_points.sum()) + sum(many * points for many, points in apart)


@dataclass(frozen=True, eq=False)
class Answer:
    """What one search found: the plan if any, what no plan that meets the demand exceeds, and the time it took."""

    status: Status
    chosen: Ints
    bound: int
    seconds: float
    """On the deterministic clock."""


def search(
    problem: AssignmentProblem, demand: Demand | None = None, *, seconds: float = math.inf, workers: int = 1
) -> Answer:
    """The best plan that meets the demand, within `seconds` on the deterministic clock."""
    from ortools.sat.python import cp_model

    model, chosen = build(problem, demand)
    apart = 0 if demand is None else demand.points(problem)[1]
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = workers
    solver.parameters.random_seed = SEED
    solver.parameters.linearization_level = 2  # proves here in a fifth of a second what level 1 does not in thirty
    if seconds < math.inf:
        solver.parameters.max_deterministic_time = RATE * seconds
        solver.parameters.max_time_in_seconds = 10 * seconds  # for a machine that hangs
    status: Any = solver.solve(model).name
    if status == "MODEL_INVALID":
        raise KithError(f"CP-SAT refuses the model: {model.validate()}")

    plan, bound = np.empty(0, np.int64), 2**62
    if status in ("OPTIMAL", "FEASIBLE"):
        plan = np.flatnonzero([solver.boolean_value(x) for x in chosen])
        # CP-SAT tells its objective as a float: the value is added up anew, the bound rounded towards safety.
        told = solver.best_objective_bound
        value = problem.value(plan)
        told = told if abs(told) < 2**52 else math.nextafter(told, math.inf)
        bound = max(value, math.floor(told) + apart)
        bound = value if status == "OPTIMAL" else bound
    return Answer(status, plan, bound, solver.deterministic_time / RATE)


def build(problem: AssignmentProblem, demand: Demand | None = None) -> tuple[cp_model.CpModel, list[cp_model.IntVar]]:
    """The model and its variables, one Boolean a pair."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    chosen = [model.new_bool_var("") for _ in range(len(problem))]
    child, volunteer = problem.child, problem.volunteer

    def of(pairs: Ints) -> list[cp_model.IntVar]:
        return [chosen[pair] for pair in pairs.tolist()]

    def total(pairs: Ints, weight: Ints | None = None) -> Any:
        if weight is None:
            return cp_model.LinearExpr.sum(of(pairs))
        return cp_model.LinearExpr.weighted_sum(of(pairs), weight[pairs].tolist())

    def count(pairs: Ints, least: int, most: int) -> None:
        if most == 1:
            (model.add_exactly_one if least == 1 else model.add_at_most_one)(of(pairs))
        elif least > 0 or most < len(pairs):
            model.add_linear_constraint(total(pairs), least, min(most, len(pairs)))

    def counts(index: Ints, most: Ints, least: Ints | None) -> None:
        at_least = (np.zeros_like(most) if least is None else least).tolist()
        for one, pairs in groups(index):
            count(pairs, at_least[one], int(most[one]))
            at_least[one] = 0
        if any(at_least):
            model.add_bool_or([])  # something is demanded of those that have no pair

    counts(child, np.ones(problem.n_children, np.int64), demand.child if demand else None)
    counts(volunteer, problem.capacity, demand.volunteer if demand else None)
    counts(problem.caseload[child], problem.caseload_limit, demand.coordinator if demand else None)
    for _, pairs in groups(problem.family_at_household()):
        model.add_at_most_one(of(pairs))

    for one, pairs in groups(problem.fund):
        most = min(int(problem.budget[one]), int(problem.cost[pairs].sum()))
        model.add_linear_constraint(total(pairs, problem.cost), int(demand.fund[one]) if demand else 0, most)

    pairs_of = dict(groups(child))
    for _, children in groups(problem.together):
        first, *others = [total(pairs_of.get(one, children[:0])) for one in children.tolist()]
        for other in others:
            model.add(other == first)

    for pair in np.flatnonzero(problem.pinned).tolist():
        model.add(chosen[pair] == 1)

    points, apart = demand.points(problem) if demand else (problem.points, 0)
    value = total(np.arange(len(problem)), points)
    for group, children in groups(problem.bonus_group):
        whole = model.new_bool_var("")
        for one in children.tolist():
            model.add(whole <= total(pairs_of.get(one, children[:0])))
        value += int(problem.bonus[group]) * whole

    model.maximize(value)
    if demand:
        # As the domain of the objective, not as one more limit: searches were five times as fast. CP-SAT minimises.
        least, most = demand.value
        model.proto.objective.domain.extend([apart - most, apart - least])
    return model, chosen


def groups(key: Ints) -> Iterator[tuple[int, Ints]]:
    """Each key but NONE, ascending, with the places where it stands, ascending."""
    order = np.argsort(key, kind="stable")
    order = order[np.searchsorted(key[order], NONE, side="right") :]
    starts = np.flatnonzero(np.diff(key[order], prepend=NONE))
    for places in np.split(order, starts[1:]) if len(order) else []:
        yield int(key[places[0]]), places
