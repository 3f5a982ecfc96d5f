"""Prices: whatever they are the bound holds, and where a flow carries all limits it is exact."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, linear_sum_assignment, milp
from scipy.sparse import csr_array
from test_solver import PROBLEMS, allowed, best_by_enumeration, every_plan, service, value_of

from matcher.errors import NoPlanError, ProblemError
from matcher.solving.assignment import NONE, AssignmentProblem, violations
from matcher.solving.bounds import FAR, LARGEST, Relaxation, bound
from matcher.solving.flows import least_cost
from matcher.solving.forced import Forced
from matcher.solving.parts import possible

SMALL = [(seed, problem) for seed, problem in PROBLEMS[:400] if sum(problem.points.tolist()) < LARGEST]


def test_no_plan_exceeds_the_bound_nor_what_it_leaves_to_a_pair() -> None:
    tight = 0
    for seed, problem in SMALL:
        plans = [plan for plan in every_plan(problem) if allowed(problem, plan)]
        try:
            found = bound(problem)
        except NoPlanError:
            assert not plans, seed
            continue
        for plan in plans:
            value = value_of(problem, plan)
            assert value <= found.value, seed
            for pair in plan:
                assert value * found.scale <= found.exact + int(found.reduced_cost[pair]), (seed, pair)
        tight += bool(plans) and max(value_of(problem, plan) for plan in plans) == found.value
    assert tight > len(SMALL) / 2


def test_the_bound_holds_at_any_prices() -> None:
    for seed, problem in SMALL[:200]:
        relaxed = Relaxation(problem.only(np.flatnonzero(possible(problem))))
        if problem.pinned.sum() > relaxed.problem.pinned.sum():
            continue
        rng = np.random.default_rng(seed)
        prices = relaxed.best().prices
        random = type(prices)(*(rng.integers(0, relaxed.top + 1, len(price)) for price in prices))
        best = best_by_enumeration(problem)
        assert best is None or best <= relaxed.evaluate(random, np.empty(0, np.int64)).value, seed


def test_no_plan_with_a_pair_exceeds_what_is_said_of_it_nor_what_that_leaves_to_another_pair() -> None:
    closer = 0
    for seed, problem in SMALL[:200]:
        plans = [plan for plan in every_plan(problem) if allowed(problem, plan)]
        if not plans:
            continue
        forced = Forced(problem)
        said = {pair: value for child in range(problem.n_children) for pair, value in forced.of_child(child).items()}
        assert sorted(said) == forced.inside.tolist(), seed
        near = {pair: forced.with_pair(place) for place, pair in enumerate(forced.inside.tolist())}
        for plan in plans:
            value, scale = value_of(problem, plan), forced.best.scale
            assert value <= forced.value, seed
            for pair in plan:
                assert value <= said[pair], (seed, pair)
                for other in plan:
                    place = int(np.searchsorted(forced.inside, other))
                    left = near[pair].exact + int(near[pair].reduced_cost[place])
                    assert value * scale <= left, (seed, pair, other)
        by_prices = {pair: forced.best.exact + int(forced.best.reduced_cost[n]) for n, pair in enumerate(near)}
        closer += sum(near[pair].exact < by_prices[pair] for pair in near)
    assert closer > 50  # the detour says more than reduced costs do


def test_no_pair_of_a_plan_is_taken_for_impossible() -> None:
    ruled_out = 0
    for seed, problem in SMALL[:200]:
        may = possible(problem)
        ruled_out += int((~may).sum())
        for plan in every_plan(problem):
            assert not allowed(problem, plan) or may[plan].all(), (seed, plan)
    assert ruled_out > 100


def test_without_budgets_and_groups_the_bound_is_exact_and_the_flow_a_plan() -> None:
    for seed in range(20):
        problem = service(25, 15, seed, together=False)
        problem = AssignmentProblem(
            problem.child,
            problem.volunteer,
            problem.points,
            n_children=25,
            capacity=problem.capacity,
            family=problem.family,
            caseload=problem.caseload,
            caseload_limit=[3] * 5,
        )
        found = bound(problem)
        assert violations(problem, found.flow) == []
        assert found.exact == problem.value(found.flow) * found.scale
        assert np.all(found.reduced_cost[found.flow] == 0)  # what the plan has, it loses nothing by
        assert np.all(found.reduced_cost <= 0)


def test_one_to_one_is_as_scipy_assigns() -> None:
    for seed in range(10):
        points = np.random.default_rng(seed).integers(0, 10**9, (30, 40))
        child, volunteer = np.nonzero(np.ones_like(points))
        rows, columns = linear_sum_assignment(points, maximize=True)
        found = bound(AssignmentProblem(child, volunteer, points.ravel(), n_children=30))
        assert found.value == points[rows, columns].sum()


@pytest.mark.parametrize("funds", [1, 2, 6])
def test_with_budgets_and_groups_the_bound_is_near_the_linear_program(funds: int) -> None:
    for seed in range(4):
        problem = service(40, 25, seed, funds)
        linear, found = linear_bound(problem.only(np.flatnonzero(possible(problem)))), bound(problem)
        assert found.exact >= (linear - 1) * found.scale  # nothing but integrality lies between
        assert found.value <= linear * 1.005


def linear_bound(problem: AssignmentProblem) -> float:
    """The program with all limits, as HiGHS solves it: what the best prices of all would give."""
    every = np.arange(len(problem))

    def rows(index: np.ndarray, weight: np.ndarray, count: int) -> csr_array:
        some = index != NONE
        return csr_array((weight[some], (index[some], every[some])), shape=(count, len(every)))

    one = np.ones(len(every))
    family = np.unique(problem.family_at_volunteer(), return_inverse=True)[1] - 1
    in_child = rows(problem.child, one, problem.n_children)
    limits = [
        LinearConstraint(in_child, ub=1),
        LinearConstraint(rows(problem.volunteer, one, problem.n_volunteers), ub=problem.capacity),
        LinearConstraint(rows(family, one, family.max() + 1), ub=1),
        LinearConstraint(rows(problem.caseload[problem.child], one, 5), ub=problem.caseload_limit),
        LinearConstraint(rows(problem.fund, problem.cost.astype(float), len(problem.budget)), ub=problem.budget),
    ]
    for group in set(problem.together.tolist()) - {NONE}:
        first, *others = np.flatnonzero(problem.together == group).tolist()
        limits += [LinearConstraint((in_child[[first]] - in_child[[other]]), 0, 0) for other in others]
    return -milp(-problem.points, constraints=limits, bounds=(0, 1)).fun


def test_a_budget_that_binds_has_a_price() -> None:
    # One fund pays for one of two children. Its price is what a pence is worth in the cheaper child's place:
    # child 0 brings 10 for 5 pence, child 1 brings 6 for 5 pence; with 5 pence left over the bound is 10.
    problem = AssignmentProblem([0, 1], [0, 1], [10, 6], n_children=2, cost=[5, 5], fund=[0, 0], budget=[5])
    found = bound(problem)
    assert found.value == 10
    assert 6 / 5 - 0.01 <= found.prices.fund[0] / found.scale <= 10 / 5 + 0.01


def test_what_no_plan_can_have_is_told() -> None:
    # Two places: the pin takes volunteer 0, and the fund cannot pay for pair 2.
    problem = AssignmentProblem(
        [0, 1, 1, 1],
        [0, 0, 1, 2],
        [5, 9, 9, 1],
        n_children=2,
        cost=[0, 0, 11, 0],
        fund=[-1, -1, 0, -1],
        budget=[10],
        pinned=[True, False, False, False],
    )
    found = bound(problem)
    assert possible(problem).tolist() == [True, False, False, True]
    assert (found.reduced_cost == -FAR).tolist() == [False, True, True, False]
    assert found.value == 6
    assert found.flow.tolist() == [0, 3]


def test_pins_that_leave_no_plan_are_refused() -> None:
    # The other child of the pinned child's group can be with nobody else.
    with pytest.raises(NoPlanError, match="group that cannot be completed"):
        bound(AssignmentProblem([0, 1], [0, 0], [1, 1], n_children=2, together=[3, 3], pinned=[True, False]))


def test_points_too_large_for_prices_are_refused() -> None:
    with pytest.raises(ProblemError, match="Points may add up to 2305843009213693952"):
        bound(AssignmentProblem([0], [0], [2**61], n_children=1))
    assert bound(AssignmentProblem([0], [0], [LARGEST], n_children=1)).value == LARGEST


def test_prices_are_the_same_each_time() -> None:
    problem = service(40, 25, seed=1)
    first, second = bound(problem), bound(problem)
    assert first.exact == second.exact
    assert first.reduced_cost.tolist() == second.reduced_cost.tolist()


def test_potentials_agree_with_the_flow() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        tail, head = rng.integers(0, 12, (2, 60))
        capacity, cost = rng.integers(0, 5, 60), rng.integers(0, 1000, 60)
        over = np.array([0]), np.array([11]), np.array([10]), np.array([3000])  # a way there is
        arcs = [np.concatenate(pair) for pair in zip((tail, head, capacity, cost), over, strict=True)]
        flow = least_cost(*arcs, source=0, sink=11, amount=10)
        potential = flow.middle_potentials(nodes=12, root=0)
        slack = potential[flow.tail] + flow.cost - potential[flow.head]
        assert potential[0] == 0
        assert np.all(slack[flow.carried < flow.capacity] >= 0)
        assert np.all(slack[flow.carried > 0] <= 0)
        assert 0 < (flow.carried * flow.cost).sum() <= 30_000
