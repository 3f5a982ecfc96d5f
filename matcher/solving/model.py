"""The problem written down for CP-SAT, one limit after the other, and one search in it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from matcher.errors import KithError
from matcher.parallel import give_way
from matcher.solving.assignment import NONE, AssignmentProblem, Ints

if TYPE_CHECKING:
    from ortools.sat.python import cp_model_helper

RATE = 0.5
"""Units of CP-SAT's deterministic clock to a second: measured on these problems, on a usual processor."""

Status = Literal["OPTIMAL", "FEASIBLE", "INFEASIBLE", "UNKNOWN"]

NO_BOUND = 2**62
"""Stands where a search proved nothing: no plan is worth more than an int64 takes anyway."""

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
    problem: AssignmentProblem,
    demand: Demand | None = None,
    *,
    seconds: float = math.inf,
    stop: float = math.inf,
    workers: int = 1,
    light: bool = False,
) -> Answer:
    """The best plan that meets the demand.

    Args:
        seconds: how long to search, on the deterministic clock.
        stop: when to stop at the latest, on the clock of `time.monotonic`.
        light: look less for structure before and during the search: faster where the proof is short.
    """
    # The helper is the compiled half of `cp_model`: without expressions, pandas and half a second of imports.
    from ortools.sat.python import cp_model_helper

    left = stop - time.monotonic()
    if left <= 0 or seconds <= 0:
        return Answer("UNKNOWN", np.empty(0, np.int64), NO_BOUND, 0.0)
    model = build(problem, demand)
    apart = 0 if demand is None else demand.points(problem)[1]
    parameters = cp_model_helper.SatParameters()
    parameters.num_workers = workers
    parameters.random_seed = SEED
    parameters.linearization_level = 2  # proves here in a fifth of a second what level 1 does not in thirty
    if light:
        parameters.cp_model_probing_level = 0
        parameters.symmetry_level = 0
        parameters.max_presolve_iterations = 1
        parameters.cut_level = 0
    if seconds < math.inf:
        parameters.max_deterministic_time = RATE * seconds
    if left < math.inf:
        parameters.max_time_in_seconds = left
    solver: Any = cp_model_helper.SolveWrapper()
    solver.set_parameters(parameters)
    response = solver.solve(model)
    status: Any = response.status.name
    if status == "MODEL_INVALID":
        raise KithError(f"CP-SAT refuses the model: {cp_model_helper.CpSatHelper.validate_model(model)}")

    plan, bound = np.empty(0, np.int64), NO_BOUND
    if status in ("OPTIMAL", "FEASIBLE"):
        plan = np.flatnonzero(np.array(list(response.solution), np.int64)[: len(problem)])
        # CP-SAT minimises, in integers; what it tells as floats is not used.
        value, told = problem.value(plan), apart - response.inner_objective_lower_bound
        bound = value if status == "OPTIMAL" else max(value, told)
    elif status == "UNKNOWN" and response.inner_objective_lower_bound < 0:  # 0 stands for a search that never began
        bound = apart - response.inner_objective_lower_bound
    return Answer(status, plan, bound, response.deterministic_time / RATE)


def build(problem: AssignmentProblem, demand: Demand | None = None) -> cp_model_helper.CpModelProto:
    """The model: variable i is whether pair i is chosen, and after them one for each bonus group.

    Written into CP-SAT's own form: expressions, made for people, took most of the time.
    """
    from ortools.sat.python import cp_model_helper

    give_way()
    model = cp_model_helper.CpModelProto()
    constraints: Any = model.constraints

    def never() -> None:
        constraints.add().bool_or.literals.extend([])

    def linear(variables: list[int], weights: list[int], least: int, most: int) -> None:
        if least > most:
            never()
            return
        row = constraints.add().linear
        row.vars.extend(variables)
        row.coeffs.extend(weights)
        row.domain.extend([least, most])

    def count(pairs: list[int], least: int, most: int) -> None:
        if most > 1:
            if least > 0 or most < len(pairs):
                linear(pairs, [1] * len(pairs), least, min(most, len(pairs)))
        elif least == most == 1:
            constraints.add().exactly_one.literals.extend(pairs)
        elif most < len(pairs):
            constraints.add().at_most_one.literals.extend(pairs) if most else linear(pairs, [1] * len(pairs), 0, 0)

    def counts(index: Ints, most: Ints, least: Ints | None) -> None:
        at_most = most.tolist()
        at_least = [0] * len(at_most) if least is None else least.tolist()
        for one, pairs in groups(index):
            count(pairs.tolist(), at_least[one], at_most[one])
            at_least[one] = 0
        if any(at_least):
            never()  # something is demanded of those that have no pair

    child = problem.child
    counts(child, np.ones(problem.n_children, np.int64), demand.child if demand else None)
    counts(problem.volunteer, problem.capacity, demand.volunteer if demand else None)
    counts(problem.caseload[child], problem.caseload_limit, demand.coordinator if demand else None)
    for _, pairs in groups(problem.family_at_household()):
        count(pairs.tolist(), 0, 1)

    for one, pairs in groups(problem.fund):
        cost = problem.cost[pairs]
        linear(
            pairs.tolist(),
            cost.tolist(),
            int(demand.fund[one]) if demand else 0,
            min(int(problem.budget[one]), int(cost.sum())),
        )

    grouped = np.flatnonzero((problem.together[child] != NONE) | (problem.bonus_group[child] != NONE))
    pairs_of = {one: grouped[pairs].tolist() for one, pairs in groups(child[grouped])}
    for _, children in groups(problem.together):
        first, *others = [pairs_of.get(one, []) for one in children.tolist()]
        for other in others:
            linear(other + first, [1] * len(other) + [-1] * len(first), 0, 0)

    for pair in np.flatnonzero(problem.pinned).tolist():
        linear([pair], [1], 1, 1)

    points, apart = demand.points(problem) if demand else (problem.points, 0)
    weights, whole = points.tolist(), list(range(len(problem)))
    for group, children in groups(problem.bonus_group):
        whole.append(len(whole))
        weights.append(int(problem.bonus[group]))
        for one in children.tolist():
            pairs = pairs_of.get(one, [])
            linear([whole[-1], *pairs], [1] + [-1] * len(pairs), -1, 0)

    yes_or_no = cp_model_helper.IntegerVariableProto()
    yes_or_no.domain.extend([0, 1])
    variables: Any = model.variables
    variables.extend([yes_or_no] * len(whole))
    objective: Any = model.objective  # CP-SAT minimises
    objective.vars.extend(whole)
    objective.coeffs.extend([-weight for weight in weights])
    objective.scaling_factor = -1
    if demand:
        # As the domain of the objective, not as one more limit: searches were five times as fast.
        least, most = demand.value
        objective.domain.extend([apart - most, apart - least])
    return model


def groups(key: Ints) -> Iterator[tuple[int, Ints]]:
    """Each key but NONE, ascending, with the places where it stands, ascending."""
    order = np.argsort(key, kind="stable")
    order = order[np.searchsorted(key[order], NONE, side="right") :]
    ordered = key[order]
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    edges = [0, *starts.tolist(), len(order)] if len(order) else []
    for first, last in pairwise(edges):
        yield int(ordered[first]), order[first:last]
