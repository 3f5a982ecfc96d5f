"""The solver against a specification that knows no solver: every plan there is, one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice, product

import numpy as np
import pytest

from matcher import solver
from matcher.errors import PinsError, ProblemError
from matcher.solver import Method, solve, solve_with
from matcher.solving.assignment import NONE, AssignmentProblem, broken_limits, violations
from matcher.solving.bounds import LARGEST
from matcher.solving.conflicts import conflict
from matcher.solving.forced import Forced
from matcher.solving.model import Demand, search


def every_plan(problem: AssignmentProblem) -> Iterator[list[int]]:
    """Each child takes one of its pairs or none: all the ways there are, in plain Python."""
    options = [[NONE, *np.flatnonzero(problem.child == one).tolist()] for one in range(problem.n_children)]
    for choice in product(*options):
        yield [pair for pair in choice if pair != NONE]


def allowed(problem: AssignmentProblem, plan: list[int]) -> bool:
    """The limits as the module's docstring says them, written a second time and without numpy."""
    child, volunteer = problem.child.tolist(), problem.volunteer.tolist()
    children = [child[pair] for pair in plan]

    one_volunteer = len(set(children)) == len(plan)
    capacity = all(
        sum(volunteer[pair] == one for pair in plan) <= problem.capacity[one] for one in range(problem.n_volunteers)
    )
    home = [
        ("home", house) if house != NONE else ("alone", one) for one, house in enumerate(problem.household.tolist())
    ]
    shared = [
        (problem.family[child[pair]], home[volunteer[pair]]) for pair in plan if problem.family[child[pair]] != NONE
    ]
    family = len(set(shared)) == len(shared)
    budget = all(
        sum(int(problem.cost[pair]) for pair in plan if problem.fund[pair] == fund) <= limit
        for fund, limit in enumerate(problem.budget)
    )
    caseload = all(
        sum(problem.caseload[one] == coordinator for one in children) <= limit
        for coordinator, limit in enumerate(problem.caseload_limit)
    )
    together = all(
        len({one in children for one in range(problem.n_children) if problem.together[one] == group}) == 1
        for group in set(problem.together.tolist()) - {NONE}
    )
    pinned = all(pair in plan for pair in np.flatnonzero(problem.pinned))
    return one_volunteer and capacity and family and budget and caseload and together and pinned


def value_of(problem: AssignmentProblem, plan: list[int]) -> int:
    """Points of the pairs, and the bonus of each group of which nobody is left."""
    matched = {int(problem.child[pair]) for pair in plan}
    left = {group for one, group in enumerate(problem.bonus_group.tolist()) if one not in matched}
    whole = set(problem.bonus_group.tolist()) - left - {NONE}
    return sum(int(problem.points[pair]) for pair in plan) + sum(int(problem.bonus[group]) for group in whole)


def best_by_enumeration(problem: AssignmentProblem) -> int | None:
    values = [value_of(problem, plan) for plan in every_plan(problem) if allowed(problem, plan)]
    return max(values, default=None)


def random_problem(seed: int) -> AssignmentProblem | None:
    """A tiny problem with every limit at once, each of them often binding; None if its pins were refused."""
    rng = np.random.default_rng(seed)
    children, volunteers = rng.integers(1, 6), rng.integers(1, 5)
    child, volunteer = np.nonzero(rng.random((children, volunteers)) < rng.choice([0.3, 0.6, 0.9]))
    order = rng.permutation(len(child))
    child, volunteer, pairs = child[order], volunteer[order], len(child)
    funds, coordinators = rng.integers(0, 4), rng.integers(0, 3)
    # Ties everywhere, points as they are, and points that just fit an int64 when they are added up.
    most = [4, 1000, 2**51, 2**57][rng.integers(4)]
    bonuses = rng.integers(0, 3)
    try:
        return AssignmentProblem(
            child,
            volunteer,
            rng.integers(0, most, pairs),
            n_children=int(children),
            capacity=rng.integers(0, 4, volunteers),
            family=rng.integers(-1, 2, children),
            household=rng.integers(-1, 2, volunteers),
            cost=rng.integers(0, 10, pairs),
            fund=rng.integers(-1, funds, pairs) if funds else np.full(pairs, NONE),
            budget=rng.integers(0, 20, funds),
            caseload=rng.integers(-1, coordinators, children) if coordinators else np.full(children, NONE),
            caseload_limit=rng.integers(0, 4, coordinators),
            together=np.where(rng.random(children) < 0.6, NONE, rng.integers(0, 2, children)),
            bonus_group=rng.integers(-1, bonuses, children) if bonuses else np.full(children, NONE),
            bonus=rng.integers(0, most, bonuses),
            pinned=rng.random(pairs) < 0.05,
        )
    except ProblemError:
        return None


TINY = int(os.environ.get("KITH_TINY_PROBLEMS", "1500"))
"""Tiny problems held against enumeration; `make thorough` takes 5,000."""

PROBLEMS = list(islice(((seed, one) for seed in count() if (one := random_problem(seed))), TINY))


@pytest.mark.parametrize("method", ["plain", "priced"])
def test_every_small_problem_is_solved_as_by_enumeration(method: Method) -> None:
    statuses = set()
    for seed, problem in PROBLEMS:
        best = best_by_enumeration(problem)
        solution = solve(problem, method=method)
        statuses.add(solution.status)
        if best is None:
            assert (solution.status, len(solution.chosen), solution.bound) == ("INFEASIBLE", 0, 0), seed
            continue
        assert (solution.status, solution.value, solution.bound) == ("OPTIMAL", best, best), seed
        assert allowed(problem, solution.chosen.tolist()), seed
        assert value_of(problem, solution.chosen.tolist()) == best, seed
    assert statuses == {"OPTIMAL", "INFEASIBLE"}  # pins that only the search finds impossible do occur


def test_the_best_plan_with_each_pair_is_that_of_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "FEW_PAIRS", 0)  # or all of them would be solved anew
    anew, none = [], 0
    monkeypatch.setattr(solver, "solve", lambda problem: anew.append(problem) or solve(problem))
    for seed, problem in PROBLEMS[: TINY // 4]:
        plans = [plan for plan in every_plan(problem) if allowed(problem, plan)]
        if not plans or sum(problem.points.tolist()) + sum(problem.bonus.tolist()) >= LARGEST:
            continue
        forced = Forced(problem)
        for pair in range(len(problem)):
            best = max((value_of(problem, plan) for plan in plans if pair in plan), default=None)
            solution = solve_with(pair, forced)
            if best is None:
                assert (solution.status, len(solution.chosen)) == ("INFEASIBLE", 0), (seed, pair)
                none += 1
                continue
            assert (solution.status, solution.value, solution.bound) == ("OPTIMAL", best, best), (seed, pair)
            chosen = solution.chosen.tolist()
            assert pair in chosen, (seed, pair)
            assert allowed(problem, chosen), (seed, pair)
            assert value_of(problem, chosen) == best, (seed, pair)
    assert none > 100
    assert not anew


def test_a_group_that_is_not_worth_matching_is_charged_once_for_a_pair_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "FEW_PAIRS", 0)
    problem = AssignmentProblem(
        [0, 1, 1, 2, 2], [0, 0, 1, 0, 1], [6, 4, 4, 40, 10], n_children=3, together=[0, 0, NONE]
    )  # fmt: skip
    solution = solve_with(0, Forced(problem))  # children 0 and 1 with both volunteers: 6 + 4, and child 2 with nobody
    assert (solution.status, solution.value, solution.chosen.tolist()) == ("OPTIMAL", 10, [0, 2])


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_plan_with_a_pair_is_the_same_by_prices_of_the_best_as_by_its_own(
    seed: int, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solver, "FEW_PAIRS", 0)
    problem = service(40, 30, seed, together=together)
    forced = Forced(problem)
    for pair in range(seed, len(problem), 29):
        anew = solve(problem.changed(pinned=np.arange(len(problem)) == pair))
        near = solve_with(pair, forced)
        assert (near.status, near.value, near.bound) == (anew.status, anew.value, anew.bound)
        assert violations(problem, near.chosen) == []


@pytest.mark.parametrize("funds", [1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_both_ways_agree_on_larger_problems(seed: int, funds: int) -> None:
    problem = service(30, 20, seed, funds)
    plain, priced = solve(problem, method="plain"), solve(problem, method="priced")
    assert plain.status == priced.status == "OPTIMAL"
    assert plain.value == plain.bound == priced.value == priced.bound
    assert violations(problem, priced.chosen) == []
    assert priced.remaining < plain.remaining == priced.considered == len(problem)


def service(children: int, volunteers: int, seed: int, funds: int = 2, *, together: bool = True) -> AssignmentProblem:
    """A problem of some size: budgets that pay for half of what children would cost, siblings, groups, caseloads."""
    rng = np.random.default_rng(seed)
    child, volunteer = np.nonzero(rng.random((children, volunteers)) < 0.5)
    pairs = len(child)
    out_of_county = (rng.random(children) < 0.4)[child]
    return AssignmentProblem(
        child,
        volunteer,
        rng.integers(1, 10_000, pairs) + rng.integers(0, 5_000, children)[child],
        n_children=children,
        capacity=rng.integers(1, 3, volunteers),
        family=np.where(rng.random(children) < 0.3, np.arange(children) // 3, NONE),
        cost=rng.integers(2_000, 20_000, pairs) * out_of_county,
        fund=np.where(out_of_county, (np.arange(children) % funds)[child], NONE),
        budget=[2_500 * children // funds] * funds,
        caseload=np.arange(children) % 5,
        caseload_limit=[children // 6] * 5,
        together=np.where(rng.random(children) < 0.1, np.arange(children) // 4, NONE) if together else None,
    )


def least_cost(costs: np.ndarray) -> int:
    """The least sum of costs that gives each row a column of its own; another row is worth more than any cost saved."""
    rows, columns = costs.shape
    high = int(costs.max()) * rows + 1
    child, volunteer = np.divmod(np.arange(rows * columns), columns)
    solution = solve(AssignmentProblem(child, volunteer, high - costs.ravel(), n_children=rows, n_volunteers=columns))
    assert solution.status == "OPTIMAL"
    return high * len(solution.chosen) - solution.value


def test_published_assignment_problems_have_their_published_optima() -> None:
    # Five workers, four tasks: the example of OR-Tools' assignment guide, where 265 is the least cost.
    guide = np.array([[90, 80, 75, 70], [35, 85, 55, 65], [125, 95, 90, 95], [45, 110, 95, 115], [50, 100, 90, 100]])
    assert least_cost(guide.T) == 265
    # SciPy's example of linear_sum_assignment: 1 + 2 + 2.
    assert least_cost(np.array([[4, 1, 3], [2, 0, 5], [3, 2, 2]])) == 5
    # Machol and Wien's hard family, costs i * j: the largest meets the smallest, n (n + 1) (n + 2) / 6 in all.
    for n in (10, 80):
        costs = np.outer(np.arange(1, n + 1), np.arange(1, n + 1))
        assert least_cost(costs) == n * (n + 1) * (n + 2) // 6


def test_a_fund_of_each_volunteer_makes_it_a_generalised_assignment_problem() -> None:
    # Three jobs for two agents with 10 units of a resource each, all or none. Most profit alone would give agent 0
    # jobs 0 and 1, 9 + 8, and agent 1 job 2, 3; but they need 6 + 5 > 10 units. So one of the two goes to agent 1:
    # 9 (6 units) to agent 0 and 5 (4) + 3 (6) to agent 1 are 17; 8 (5) + 1 (5) and 6 (10) would be 15.
    profits, uses = np.array([[9, 8, 1], [6, 5, 3]]), np.array([[6, 5, 5], [10, 4, 6]])
    agent, job = np.divmod(np.arange(6), 3)
    problem = AssignmentProblem(
        job,
        agent,
        profits.ravel(),
        n_children=3,
        capacity=[3, 3],
        cost=uses.ravel(),
        fund=agent,
        budget=[10, 10],
        together=[0, 0, 0],
    )
    assert (solve(problem).value, solve(problem, method="plain").value) == (17, 17)


def test_independent_parts_make_up_the_whole() -> None:
    # The same problem twice, side by side, with the second one's volunteers and funds its own; larger than one part.
    one = service(60, 40, seed=5)
    assert len(one) > 1000
    problem = AssignmentProblem(
        np.concatenate([one.child, one.child + 60]),
        np.concatenate([one.volunteer, one.volunteer + 40]),
        np.tile(one.points, 2),
        n_children=120,
        capacity=np.tile(one.capacity, 2),
        family=np.tile(one.family, 2),
        cost=np.tile(one.cost, 2),
        fund=np.concatenate([one.fund, np.where(one.fund == NONE, NONE, one.fund + 2)]),
        budget=np.tile(one.budget, 2),
        caseload=np.concatenate([one.caseload, one.caseload + 5]),
        caseload_limit=np.tile(one.caseload_limit, 2),
        together=np.concatenate([one.together, np.where(one.together == NONE, NONE, one.together + 60)]),
    )
    alone, both, at_once = solve(one), solve(problem), solve(problem, workers=2)
    assert (both.status, both.value, both.bound) == ("OPTIMAL", 2 * alone.value, 2 * alone.value)
    assert both.chosen.tolist() == [*alone.chosen, *(alone.chosen + len(one))] == at_once.chosen.tolist()


def test_violations_agree_with_the_specification() -> None:
    broken = 0
    for seed, problem in PROBLEMS[:300]:
        rng = np.random.default_rng(seed)
        plan = np.flatnonzero(rng.random(len(problem)) < 0.3).tolist()
        assert (violations(problem, plan) == []) == allowed(problem, plan), (seed, plan)
        broken += not allowed(problem, plan)
    assert broken > 50


@pytest.mark.parametrize("method", ["plain", "priced"])
def test_the_same_arrays_give_the_same_plan(method: Method) -> None:
    rng = np.random.default_rng(1)
    child, volunteer = np.nonzero(rng.random((30, 20)) < 0.5)
    limits = {
        "n_children": 30,
        "cost": rng.integers(1, 9, len(child)),
        "fund": np.zeros(len(child), int),
        "budget": [60],
    }
    points = rng.integers(0, 3, len(child))  # ties everywhere
    plans = [solve(AssignmentProblem(child, volunteer, points, **limits), method=method).chosen for _ in range(3)]
    assert plans[0].tolist() == plans[1].tolist() == plans[2].tolist()
    assert plans[0].dtype == np.int64
    assert np.all(np.diff(plans[0]) > 0)


def test_nothing_to_choose_from_is_an_empty_plan_proven_best() -> None:
    for children in (0, 3):
        solution = solve(AssignmentProblem([], [], [], n_children=children))
        assert (solution.status, solution.value, solution.bound, solution.gap) == ("OPTIMAL", 0, 0, 0.0)
        assert solution.chosen.tolist() == []


# Child 0 is worth 5 with volunteer 0 and 4 with volunteer 1; child 1 is worth 3 with volunteer 0 alone.
# The best is 4 + 3 = 7; with the first pair pinned, child 1 is left and the best is 5.
def two_children(**limits: object) -> AssignmentProblem:
    return AssignmentProblem([0, 0, 1], [0, 1, 0], [5, 4, 3], n_children=2, **limits)  # type: ignore[arg-type]


def test_a_pin_is_kept_at_any_loss() -> None:
    assert solve(two_children()).chosen.tolist() == [1, 2]
    pinned = solve(two_children(pinned=[True, False, False]))
    assert (pinned.status, pinned.chosen.tolist(), pinned.value, pinned.bound) == ("OPTIMAL", [0], 5, 5)


def test_a_pin_counts_towards_every_limit() -> None:
    pin = [True, False, False]
    for limits in ({"caseload": [0, 0], "caseload_limit": [1]}, {"cost": [6, 6, 6], "fund": [0] * 3, "budget": [10]}):
        assert solve(two_children(capacity=[2, 1], pinned=pin, **limits)).chosen.tolist() == [0]


def test_pins_that_only_the_search_finds_impossible_are_infeasible() -> None:
    # Child 0 is pinned to volunteer 0, whom the other child of its group would need.
    solution = solve(two_children(together=[7, 7], pinned=[True, False, False]))
    assert (solution.status, solution.chosen.tolist(), solution.value, solution.bound) == ("INFEASIBLE", [], 0, 0)


def test_what_leaves_no_room_for_a_pin_is_told_by_index() -> None:
    # Pair 0 pins child 0 to volunteer 0; child 1 of its group could have volunteer 0 alone, who takes one child.
    told = conflict(two_children(together=[7, 7], pinned=[True, False, False]))
    assert told is not None
    assert (told.pins.tolist(), told.groups.tolist(), told.limits) == ([0], [7], (("capacity", 0),))
    assert told.sentence == (
        "Pinned pairs 0 need the whole of group 7, and there is no room for it: the capacity of volunteer 0."
        " Unpin one of these pairs, or raise one of these limits."
    )
    # With room for two it is the family that stands in the way, or the fund, or the coordinator; or nothing.
    pin: dict[str, object] = {"together": [7, 7], "pinned": [True, False, False], "capacity": [2, 1]}
    money = {"cost": [6, 6, 6], "fund": [0, 0, 0], "budget": [10]}
    for limits, blamed in (
        ({"family": [3, 3]}, (("family", 3),)),
        (money, (("budget", 0),)),
        ({"caseload": [0, 0], "caseload_limit": [1]}, (("caseload", 0),)),
    ):
        told = conflict(two_children(**pin, **limits))
        assert told is not None
        assert told.limits == blamed
    assert conflict(two_children(**pin)) is None


def test_each_pin_and_limit_that_is_blamed_makes_room_when_it_is_lifted() -> None:
    impossible = 0
    for seed, problem in PROBLEMS[:1500]:
        told = conflict(problem)
        assert (told is None) == (best_by_enumeration(problem) is not None), seed
        if told is None:
            continue
        impossible += 1
        pinned = np.isin(np.arange(len(problem)), told.pins)
        blamed = problem.changed(pinned=pinned)
        assert solve(blamed).status == "INFEASIBLE", seed
        for pin in told.pins:
            assert solve(problem.changed(pinned=pinned & (np.arange(len(problem)) != pin))).status == "OPTIMAL", seed
    assert impossible > 5


def test_pins_that_break_a_limit_are_told_by_index() -> None:
    with pytest.raises(PinsError) as refused:
        two_children(pinned=[True, False, True])
    assert [(one.limit, one.index, one.pairs.tolist()) for one in refused.value.broken] == [("capacity", 0, [0, 2])]
    broken = broken_limits(two_children(together=[7, 7]), [0])
    assert [(one.limit, one.index, one.pairs.tolist()) for one in broken] == [("together", 7, [0])]


@pytest.mark.parametrize("method", ["plain", "priced"])
def test_limits_as_large_as_an_int64_bind_nobody_and_bind_exactly(method: Method) -> None:
    huge = 2**63 - 1
    free = {"capacity": [huge, huge], "caseload": [0, 0], "caseload_limit": [huge]}
    one = two_children(**free, cost=[1, 2**61, 2**61 - 2], fund=[0, 0, 0], budget=[2**61 - 1])
    assert solve(one, method=method).value == 8  # 5 for a penny, and 3 for all the rest
    two = two_children(**free, cost=[2**61 - 1, 0, 2**61], fund=[0, 0, 0], budget=[2**61])
    assert solve(two, method=method).value == 7  # 5 would leave one penny; 4 for nothing, and 3
    rich = two_children(**free, cost=[2**61 - 1, 0, 2**61], fund=[0, 0, 0], budget=[huge])
    assert solve(rich, method=method).value == 8


@pytest.mark.parametrize("top", [2**40, 2**50, 2**57, 2**59])
def test_tiers_are_told_apart_to_the_last_point(top: int) -> None:
    # Points of two tiers, the higher one worth `top`; one fund binds. Whatever the size, the last point counts.
    rng = np.random.default_rng(7)
    child, volunteer = np.nonzero(rng.random((12, 8)) < 0.4)
    many = 2**61 // (2 * top * len(child)) + 1
    points = rng.integers(0, min(many, 3), len(child)) * top // len(child) + rng.integers(0, 50, len(child))
    costs = {"cost": rng.integers(1, 9, len(child)), "fund": np.zeros(len(child), int), "budget": [20]}
    problem = AssignmentProblem(child, volunteer, points, n_children=12, **costs)
    plain, priced = solve(problem, method="plain"), solve(problem, method="priced")
    assert plain.status == priced.status == "OPTIMAL"
    assert plain.value == priced.value == problem.value(priced.chosen)


def test_a_limit_of_the_clock_is_kept_and_told() -> None:
    # Small enough that the search alone takes long: ten funds and pairs that must go together.
    problem = hard_to_prove()
    hurried = solve(problem, wall_limit=0.2)
    assert hurried.status == "FEASIBLE"
    assert not hurried.repeats
    assert violations(problem, hurried.chosen) == []
    assert hurried.seconds < 3
    assert solve(problem, time_limit=0.05, wall_limit=60).repeats


def test_a_plan_is_found_for_pins_however_short_the_limit() -> None:
    # Pins want 15 groups of two whole: to fill pairs in one after the other would tear some of them.
    loose = hard_to_prove()
    first = np.unique(loose.child, return_index=True)[1]
    pinned = np.isin(np.arange(len(loose)), solve(loose, time_limit=0.05).chosen) & (loose.child % 2 == 0)
    assert len(first) == 40
    problem = loose.changed(pinned=pinned)
    for method in ("plain", "priced"):
        found = solve(problem, time_limit=1e-6, wall_limit=60, method=method)
        assert found.status in ("FEASIBLE", "OPTIMAL")
        assert violations(problem, found.chosen) == []


def test_points_as_large_as_may_be_are_added_exactly() -> None:
    solution = solve(AssignmentProblem([0, 1], [0, 1], [2**61 - 1, 2**61], n_children=2))
    assert solution.value == solution.bound == 2**62 - 1


def hard_to_prove() -> AssignmentProblem:
    """Twenty pairs of children who go together, ten funds that bind."""
    rng = np.random.default_rng(2)
    child, volunteer = np.nonzero(np.ones((40, 40)))
    return AssignmentProblem(
        child,
        volunteer,
        rng.integers(0, 1000, 1600),
        n_children=40,
        cost=rng.integers(1, 1000, 1600),
        fund=rng.integers(0, 10, 1600),
        budget=[900] * 10,
        together=np.arange(40) // 2,
    )


@pytest.mark.parametrize("method", ["plain", "priced"])
def test_a_limit_that_is_reached_still_gives_an_honest_answer(method: Method) -> None:
    problem = hard_to_prove()
    # On a busy machine the clock on the wall would strike before the deterministic one: it is given ten minutes.
    first, second = (solve(problem, time_limit=0.05, wall_limit=600, method=method) for _ in range(2))
    assert first.status == "FEASIBLE"
    assert first.value == int(problem.points[first.chosen].sum())
    assert violations(problem, first.chosen) == []
    assert first.bound >= solve(problem, time_limit=3).value
    assert (first.chosen.tolist(), first.bound) == (second.chosen.tolist(), second.bound)
    assert 0 < first.gap <= 1
    assert method == "plain" or first.gap < 0.25


def test_points_told_apart_change_neither_plan_nor_bound() -> None:
    # Every child is matched, so that 500 points can be told apart of each; ties and ten funds keep the search busy.
    rng = np.random.default_rng(4)
    child, volunteer = np.nonzero(np.ones((30, 60)))
    problem = AssignmentProblem(
        child,
        volunteer,
        500 + rng.integers(0, 1000, len(child)),
        n_children=30,
        cost=rng.integers(1, 1000, len(child)),
        fund=(child % 10),
        budget=[700] * 10,
    )
    whole = Demand.of_value(problem, 0, 10**6)
    apart = replace(whole, child=np.ones(30, np.int64), child_points=np.full(30, 500))
    best = search(problem, apart)
    assert best.status == "OPTIMAL"
    assert best.bound == problem.value(best.chosen)
    for demand in (whole, apart):
        hurried = search(problem, demand, seconds=0.15)
        assert hurried.status == "FEASIBLE"
        assert problem.value(hurried.chosen) < best.bound <= hurried.bound


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"capacity": [1, -1]}, r"`capacity` is -1 at 1\. Each entry must be at least 0"),
        ({"capacity": [1, 1.5]}, "`capacity` holds float64 entries"),
        ({"capacity": [1]}, r"`volunteer` is 1 at 1\. Each entry must be 0 to 0"),
        ({"family": [1]}, r"`family` has shape \(1,\) where 2 entries are needed"),
        ({"family": [-2, 0]}, r"`family` is -2 at 0"),
        ({"cost": [1, -5, -6]}, r"`cost` is -5 at 1, 2\."),
        ({"cost": [2**61, 2**61, 0]}, r"`cost` add up to 4611686018427387904"),
        ({"fund": [0, 0, 1], "budget": [5]}, r"`fund` is 1 at 2\. Each entry must be -1 to 0"),
        ({"budget": [-1]}, "`budget` is -1 at 0"),
        ({"caseload": [0, 1], "caseload_limit": [1]}, r"`caseload` is 1 at 1"),
        ({"caseload_limit": [-1]}, "`caseload_limit` is -1 at 0"),
        ({"together": [0, -7]}, "`together` is -7 at 1"),
        ({"pinned": [1, 0, 0]}, "`pinned` holds int64 entries"),
        ({"pinned": [True]}, r"`pinned` has shape \(1,\)"),
        ({"n_volunteers": -1}, "`n_volunteers` is -1"),
        ({"pinned": [True, True, False]}, r"Pairs 0, 1 give child 0 more than one volunteer\."),
        ({"pinned": [True, False, True]}, r"Pairs 0, 2 give volunteer 0 more than 1 children"),
        (
            {"pinned": [True, False, True], "capacity": [2, 1], "family": [9, 9]},
            r"Pairs 0, 2 give volunteer 0 two children of family 9\.",
        ),
        (
            {"pinned": [False, True, True], "cost": [0, 7, 4], "fund": [-1, 0, 0], "budget": [10]},
            r"Pairs 1, 2 cost 11 pence, more than the 10 of fund 0\.",
        ),
        (
            {"pinned": [False, True, True], "caseload": [0, 0], "caseload_limit": [1]},
            r"Pairs 1, 2 give coordinator 0 more than 1 new matches",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_value(limits: dict[str, object], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        two_children(**limits)


@pytest.mark.parametrize(
    ("child", "volunteer", "points", "message"),
    [
        ([0, 0, 1], [0, 1], [5, 4, 3], r"`volunteer` has shape \(2,\) where 3 entries are needed"),
        ([0, 0, 2], [0, 1, 0], [5, 4, 3], r"`child` is 2 at 2\. Each entry must be 0 to 1"),
        ([0, 0, -1], [0, 1, 0], [5, 4, 3], r"`child` is -1 at 2"),
        ([0, 0, 1], [0, -1, 0], [5, 4, 3], r"`volunteer` is -1 at 1"),
        ([0, 0, 1], [0, 1, 0], [5, -4, 3], r"`points` is -4 at 1"),
        ([0, 0, 1], [0, 1, 0], [5.0, 4.0, 3.0], "`points` holds float64 entries"),
        ([0, 0, 1], [0, 1, 0], np.array([2**63, 4, 3], np.uint64), r"`points` is 9223372036854775808 at 0"),
        ([0, 0, 1], [0, 1, 0], [2**62 - 1, 0, 1], r"`points` add up to 4611686018427387904"),
        ([0, 0, 1], [0, 1, 0], [2**63 - 1] * 3, r"`points` add up to 27670116110564327421"),
        ([0, 1, 0], [0, 1, 0], [5, 4, 3], r"Pairs 0 and 2 are both child 0 with volunteer 0"),
    ],
)
def test_ill_formed_pairs_are_refused(child: object, volunteer: object, points: object, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        AssignmentProblem(child, volunteer, points, n_children=2)  # type: ignore[arg-type]


def test_a_pin_whose_group_can_never_be_complete_is_refused() -> None:
    with pytest.raises(ProblemError, match="Pair 0 needs the whole of group 4, but children 1 are in no pair"):
        AssignmentProblem([0], [0], [1], n_children=2, together=[4, 4], pinned=[True])


@pytest.mark.parametrize("wrong", [{"time_limit": 0}, {"time_limit": float("nan")}, {"workers": 0}, {"method": "fast"}])
def test_a_search_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ProblemError, match=next(iter(wrong))):
        solve(two_children(), **wrong)  # type: ignore[arg-type]
