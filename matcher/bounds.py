"""Prices: what the best plan can be worth at most, and what choosing a pair costs it.

Without budgets and groups the problem is a flow of least cost, integral and solved in milliseconds:

    source -> coordinator -> child -> (family at a volunteer) -> volunteer -> sink

What a flow cannot carry is charged for instead: a pence of each fund has a price, and the children of a group lift one
another, so that they are matched or left together. Any prices give a bound that holds, good ones a tight one:

    worth of a pair     points - fund price * cost - volunteer price - family price - coordinator price
    worth of a party    (a child, or a group) the sum of its children's best pairs, or 0 if that is more
    bound               worth of all parties + each price times how much is for sale

So all care about the bound is in `Relaxation.evaluate`, in integers; the rest only looks for good prices:

    1. `_rough_prices`: a few flows, and after each the price of an overspent fund raised, of an underspent one cut;
    2. `_near_program`: a linear program over the pairs that lose little at these prices, exact but for those left out;
    3. one more flow at its prices, whose potentials are the prices of volunteers, families and coordinators.

All prices are integers, in 1/`scale` of a point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from matcher.assignment import NONE, AssignmentProblem, Bools, Ints
from matcher.errors import NoPlanError, ProblemError
from matcher.flows import Flow, least_cost

FAR = 2**61
"""Stands for infinity: the sum of two still fits an int64."""

LARGEST = FAR // 4
"""Plans worth more than this leave prices no room in an int64."""

FINEST = 2**16
"""Parts of a point that prices are told in: a fund's price times its slack is then right to a fraction of a point."""

ROUGH_FLOWS, ROUGH_PAIRS, NEAR_PAIRS, NEAR_PROGRAMS = 5, 20, 2, 4
"""How hard to look for good prices: flows, and pairs a child in them; pairs a child in a program, and programs."""


class Prices(NamedTuple):
    """What a limit is worth, all >= 0: a place with each volunteer, the one place of each family with each volunteer
    (numbered by `Relaxation.kin`), a new match of each coordinator, a pence of each fund."""

    volunteer: Ints
    kin: Ints
    coordinator: Ints
    fund: Ints


class _Program(NamedTuple):
    """What a linear program answers: prices of funds, lifts of children, its value, the pairs that it chose whole."""

    fund_price: Ints
    lift: Ints
    value: float
    whole: Ints


@dataclass(frozen=True, eq=False)
class Bound:
    """What no plan exceeds, and how much less a plan is worth for choosing a pair.

    Attributes:
        exact: no plan is worth more, in 1/scale of a point.
        scale: parts that make a point.
        reduced_cost: one entry a pair, <= 0: a plan with this pair is worth at most `exact + reduced_cost`.
            -FAR for a pair that no plan can have.
        child_price: one entry a child: the worth of a pair that would lose nothing.
        party_price: one entry a party: what would be lost if it were left unmatched; of any sign where it must not be.
        prices: of volunteers, families, coordinators and funds.
        flow: indices of the pairs in the relaxed plan; it may overspend funds and tear groups.
        whole: indices of the pairs that the linear program chose whole: they keep all limits, with little left to fill.
            The same as `flow` where no program was needed.
    """

    exact: int
    scale: int
    reduced_cost: Ints
    child_price: Ints
    party_price: Ints
    prices: Prices
    flow: Ints
    whole: Ints

    @property
    def value(self) -> int:
        """In whole points."""
        return self.exact // self.scale


def bound(problem: AssignmentProblem) -> Bound:
    """The best bound that prices give, within the effort above; the same arrays give the same.

    Raises:
        NoPlanError: the pinned pairs leave no plan.
        ProblemError: the points are too large for prices, though not for a search.
    """
    may = possible(problem)
    if problem.pinned[~may].any():
        raise NoPlanError("A pinned pair belongs to a group that cannot be completed. Unpin it, or dissolve the group.")
    found = Relaxation(problem.only(np.flatnonzero(may))).best()
    reduced_cost = np.full(len(problem), -FAR)
    reduced_cost[may] = found.reduced_cost
    inside = np.flatnonzero(may)
    return replace(found, reduced_cost=reduced_cost, flow=inside[found.flow], whole=inside[found.whole])


def simple_bound(problem: AssignmentProblem) -> int:
    """What a plan were worth if every child had the best of its pairs, and every group its bonus."""
    best = np.zeros(problem.n_children, np.int64)
    np.maximum.at(best, problem.child, problem.points)
    return int(best.sum()) + int(problem.bonus.sum())


def possible(problem: AssignmentProblem) -> Bools:
    """Which pairs can be in a plan, as far as the pins and one look at each limit tell: one entry a pair."""
    child, volunteer = problem.child, problem.volunteer
    pins = np.flatnonzero(problem.pinned)
    pinned = problem.only(pins)

    # A limit that the pins use up leaves nothing for another pair.
    free_child = np.bincount(pinned.child, minlength=problem.n_children) == 0
    free_volunteer = np.bincount(pinned.volunteer, minlength=problem.n_volunteers) < problem.capacity
    taken = np.bincount(problem.caseload[pinned.child] + 1, minlength=len(problem.caseload_limit) + 1)[1:]
    free_coordinator = np.append(taken < problem.caseload_limit, True)  # the last one stands for NONE
    left = np.append(problem.budget - spent(problem, pins), 2**62)
    free = free_child[child] & free_volunteer[volunteer] & free_coordinator[problem.caseload[child]]
    free &= problem.cost <= left[problem.fund]
    family = problem.family_at_household()
    free &= ~np.isin(family, family[pins][family[pins] != NONE])
    free |= problem.pinned

    # A group in which a child has no pair left is never matched.
    alone = np.bincount(child[free], minlength=problem.n_children) == 0
    torn = np.isin(problem.together, problem.together[alone & (problem.together != NONE)])
    possible: Bools = free & ~torn[child]
    return possible


def spent(problem: AssignmentProblem, chosen: Ints) -> Ints:
    """Pence of each fund that these pairs cost."""
    fund, cost = problem.fund[chosen], problem.cost[chosen]
    total = np.zeros(len(problem.budget), np.int64)
    np.add.at(total, fund[fund != NONE], cost[fund != NONE])
    return total


class Relaxation:
    """A problem whose pairs are all possible, as the flow sees it and as prices bound it.

    Attributes:
        scale: parts of a point: a power of two, as fine as an int64 allows.
        party: one entry a child: the index of the child alone, or of the group that is matched together.
        must: one entry a party: whether a pin wants it matched.
        kin: one entry a pair, -1 for none: the place of a family with a volunteer who could take two of it.
    """

    def __init__(self, problem: AssignmentProblem) -> None:
        self.problem = problem
        child, volunteer = problem.child, problem.volunteer

        most = simple_bound(problem)
        if most > LARGEST:
            raise ProblemError(
                f"Points may add up to {most}, and prices take up to {LARGEST}. Divide them by one number."
            )
        self.scale = FINEST
        while self.scale > 1 and self.scale * most > LARGEST:
            self.scale //= 2
        self.points = problem.points * self.scale + problem.bonus_share(self.scale)[child]
        self.top = int(self.points.max(initial=0)) + 1  # a price above this buys nothing

        self.grouped = problem.together != NONE
        groups = _numbered(problem.together) + problem.n_children
        self.party = _numbered(np.where(self.grouped, groups, np.arange(problem.n_children)))
        self.must = np.zeros(int(self.party.max(initial=NONE)) + 1, np.bool_)
        self.must[self.party[child[problem.pinned]]] = True

        place = problem.family_at_volunteer()
        _, index, count = np.unique(place, return_inverse=True, return_counts=True)
        shared = np.flatnonzero((place != NONE) & (count[index] > 1) & (problem.capacity[volunteer] > 1))
        self.kin = np.full(len(problem), NONE)
        self.kin[shared] = _numbered(place[shared])
        self.kin_volunteer = np.zeros(int(self.kin.max(initial=NONE)) + 1, np.int64)
        self.kin_volunteer[self.kin[shared]] = volunteer[shared]

        # More places than pairs are never sold: this keeps sums small, whatever the capacities say.
        self.capacity = np.minimum(problem.capacity, np.bincount(volunteer, minlength=problem.n_volunteers))
        self.limit = np.minimum(problem.caseload_limit, problem.n_children)

    def best(self) -> Bound:
        """The lowest bound that the three steps above find."""
        problem = self.problem
        best = self.priced(np.zeros(len(problem.budget), np.int64))
        overspent = bool((spent(problem, best.flow) > problem.budget).any())
        if not len(problem) or not (overspent or self.grouped.any()):
            return best  # nothing had to be relaxed
        if overspent:
            best = min(best, self.priced(self._rough_prices(best)), key=lambda found: found.exact)

        pairs = NEAR_PAIRS * problem.n_children
        for _ in range(NEAR_PROGRAMS):
            answer = self._near_program(best, pairs)
            if answer is not None:
                better = self.priced(answer.fund_price, answer.lift)
                gain = best.exact - better.exact
                best = replace(min(best, better, key=lambda found: found.exact), whole=answer.whole)
                if best.exact < (answer.value + 1) * self.scale:
                    break  # the program leaves pairs out, so the truth is not below its value
                if gain > self.scale:
                    continue
            pairs *= 2
        return best

    def priced(self, fund_price: Ints, lift: Ints | None = None) -> Bound:
        """The bound by a flow at these fund prices; `lift`, one entry a child, is added to what its pairs are worth."""
        chosen, flow = self.relaxed_plan(fund_price, lift)
        # Whatever leaves by the sink could come in again by the source: they are one node of a circulation.
        source, volunteers, kins, coordinators, sink = self._nodes()
        circulation = replace(flow, head=np.where(flow.head == sink, source, flow.head))
        potential = circulation.middle_potentials(nodes=sink, root=source)
        place = np.clip(-potential[volunteers], 0, self.top)
        kin = np.clip(-potential[kins] - place[self.kin_volunteer], 0, self.top)
        coordinator = np.clip(potential[coordinators], 0, self.top)
        return self.evaluate(Prices(place, kin, coordinator, fund_price), chosen)

    def evaluate(self, prices: Prices, flow: Ints) -> Bound:
        """The bound that these prices give. It holds whatever they are, as long as none is negative."""
        problem, child = self.problem, self.problem.child
        worth = self._charged(prices.fund) - prices.volunteer[problem.volunteer]
        worth -= np.append(prices.kin, 0)[self.kin] + np.append(prices.coordinator, 0)[problem.caseload[child]]

        best = np.full(problem.n_children, -(FAR // max(problem.n_children, 1)))
        np.maximum.at(best, child, worth)
        total = np.zeros(len(self.must), np.int64)
        np.add.at(total, self.party, best)
        party_price = np.where(self.must, total, np.maximum(total, 0))
        child_price = best + (party_price - total)[self.party]

        for_sale = [(self.capacity, prices.volunteer), (self.limit, prices.coordinator), (problem.budget, prices.fund)]
        exact = int(party_price.sum()) + int(prices.kin.sum()) + sum(_dot(many, price) for many, price in for_sale)
        return Bound(exact, self.scale, worth - child_price[child], child_price, party_price, prices, flow, flow)

    def _charged(self, fund_price: Ints) -> Ints:
        """Points less fund price times cost, a pair. No charge is more than `top`: less than due still bounds."""
        price = np.append(fund_price, 0)[self.problem.fund]
        charged: Ints = self.points - price * np.minimum(self.problem.cost, self.top // np.maximum(price, 1))
        return charged

    def _nodes(self) -> tuple[int, Ints, Ints, Ints, int]:
        """Numbers of the source, the volunteers, the families at volunteers, the coordinators and the sink.

        The children come first, so that the index of a child is its node.
        """
        sizes = [self.problem.n_children, 1, self.problem.n_volunteers, len(self.kin_volunteer), len(self.limit), 1]
        _, source, volunteers, kins, coordinators, sink = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        return int(source[0]), volunteers, kins, coordinators, int(sink[0])

    def relaxed_plan(self, fund_price: Ints, lift: Ints | None = None, among: Ints | None = None) -> tuple[Ints, Flow]:
        """The relaxed plan at these fund prices, among these pairs, and the flow that gives it."""
        problem = self.problem
        pairs = np.arange(len(problem)) if among is None else among
        child, kin = problem.child[pairs], self.kin[pairs]
        worth = self._charged(fund_price)[pairs] + 2 * self.top * self.must[self.party[child]]
        if lift is not None:
            worth += lift[child]

        source, volunteers, kins, coordinators, sink = self._nodes()
        one, none = np.int64(1), np.int64(0)
        arcs: list[tuple[Ints | np.int64 | int, ...]] = [  # tail, head, capacity, cost
            (child, np.where(kin == NONE, volunteers[problem.volunteer[pairs]], np.append(kins, 0)[kin]), one, -worth),
            (np.append(coordinators, source)[problem.caseload], np.arange(problem.n_children), one, none),
            (source, coordinators, self.limit, none),
            (kins, volunteers[self.kin_volunteer], one, none),
            (volunteers, sink, self.capacity, none),
            (source, np.array([sink]), problem.n_children + 1, none),  # those who stay unmatched
        ]
        columns = zip(*(np.broadcast_arrays(*arc) for arc in arcs), strict=True)
        tail, head, capacity, cost = (np.concatenate(column) for column in columns)
        flow = least_cost(tail, head, capacity, cost, source=source, sink=sink, amount=problem.n_children)
        return pairs[flow.carried[: len(pairs)] > 0], flow

    def _rough_prices(self, free: Bound) -> Ints:
        """Prices of funds at which about their budgets are spent, from a bound at which they are free."""
        problem, budget = self.problem, self.problem.budget
        among = nearest(free.reduced_cost, ROUGH_PAIRS * problem.n_children)

        # Between a price at which a fund is overspent and one at which it is not, the line through both is followed.
        low, spent_low = np.zeros(len(budget)), spent(problem, free.flow).astype(float)
        high, spent_high = np.full(len(budget), np.inf), np.zeros(len(budget))
        worth = np.zeros(len(budget))
        np.add.at(worth, problem.fund[free.flow], self.points[free.flow] * (problem.fund[free.flow] != NONE))
        price = np.where(spent_low > budget, worth / np.maximum(spent_low, 1) / 6, 0)
        best, best_price = free.exact, free.prices.fund
        for _ in range(ROUGH_FLOWS):
            tried = np.rint(np.minimum(price, self.top)).astype(np.int64)
            chosen, _ = self.relaxed_plan(tried, among=among)
            value = int(self._charged(tried)[chosen].sum()) + _dot(budget, tried)
            if value < best:
                best, best_price = value, tried
            now = spent(problem, chosen)
            over = now > budget
            low, spent_low = np.where(over, price, low), np.where(over, now, spent_low)
            high, spent_high = np.where(over, high, price), np.where(over, spent_high, now)
            share = np.clip((spent_low - budget) / np.maximum(spent_low - spent_high, 1), 0.05, 0.95)
            between = low + share * (np.where(np.isinf(high), 0, high) - low)
            price = np.where(np.isinf(high), 2 * price, between) * (spent_low > budget)
        return best_price

    def _near_program(self, near: Bound, pairs: int) -> _Program | None:
        """A linear program over the pairs nearest to a bound, with all limits.

        As in the search for a plan, whatever would lose more than the furthest of these pairs is not allowed to:
        such children and volunteers are matched in full. None if that leaves nothing.
        """
        from scipy.optimize import linprog  # 0.3 s, and only where budgets or groups bind

        problem = self.problem
        columns = nearest(near.reduced_cost, pairs)
        everything = len(columns) == len(problem)
        delta = FAR if everything else -int(near.reduced_cost[columns].min(initial=0))
        child, ones = problem.child[columns], np.ones(len(columns))
        must = ((near.party_price > delta) | self.must)[self.party]
        pound = max(1.0, float(problem.cost.max(initial=0)))  # numbers of about one keep the program well in hand
        point = max(1.0, self.top / self.scale / 1e6)

        def rows(index: Ints, weight: NDArray[np.float64], count: int) -> csr_array:
            some = np.flatnonzero(index != NONE)
            return csr_array((weight[some], (index[some], some)), shape=(count, len(columns)))

        in_child = rows(child, ones, problem.n_children)
        limits = [
            (in_child, np.ones(problem.n_children), must),
            (rows(problem.volunteer[columns], ones, len(self.capacity)), self.capacity, near.prices.volunteer > delta),
            (
                rows(self.kin[columns], ones, len(near.prices.kin)),
                np.ones_like(near.prices.kin),
                near.prices.kin > delta,
            ),
            (rows(problem.caseload[child], ones, len(self.limit)), self.limit, near.prices.coordinator > delta),
            (
                rows(problem.fund[columns], problem.cost[columns] / pound, len(problem.budget)),
                problem.budget / pound,
                np.zeros(len(problem.budget), np.bool_),
            ),
        ]
        matrix, limit = vstack([row for row, _, _ in limits]).tocsr(), np.concatenate([most for _, most, _ in limits])
        full = np.concatenate([tight for _, _, tight in limits])
        alike = self._alike()
        solution = linprog(  # type: ignore[call-overload]  # its stubs know no sparse matrices
            problem.points[columns] / -point,
            A_ub=matrix[~full],
            b_ub=limit[~full],
            A_eq=vstack([matrix[full], alike @ in_child]),
            b_eq=np.append(limit[full], np.zeros(alike.shape[0])),
            method="highs-ds",
        )
        if solution.status != 0:
            return None
        price = -solution.ineqlin.marginals[-len(problem.budget) :] if len(problem.budget) else np.zeros(0)
        lift = alike.T @ solution.eqlin.marginals[full.sum() :]
        unit = point * self.scale
        return _Program(
            fund_price=np.clip(np.rint(price * unit / pound), 0, self.top).astype(np.int64),
            lift=np.clip(np.rint(lift * unit), -self.top, self.top).astype(np.int64),
            value=-solution.fun * point,
            whole=columns[solution.x > 1 - 1e-6],
        )

    def _alike(self) -> csr_array:
        """One row for each child of a group but its first: how often it is matched, less how often the first is."""
        members = np.flatnonzero(self.grouped)
        _, first, group = np.unique(self.party[members], return_index=True, return_inverse=True)
        others = np.setdiff1d(np.arange(len(members)), first)
        row = np.arange(len(others))
        columns = np.concatenate([members[others], members[first[group[others]]]])
        weights = np.repeat([1.0, -1.0], len(others))
        return csr_array((weights, (np.concatenate([row, row]), columns)), shape=(len(others), self.problem.n_children))


def nearest(reduced_cost: Ints, many: int) -> Ints:
    """The pairs of the highest reduced cost: about as many, ascending, and all that are level with the last."""
    if many >= len(reduced_cost):
        return np.arange(len(reduced_cost))
    limit = np.partition(reduced_cost, len(reduced_cost) - many)[len(reduced_cost) - many]
    near: Ints = np.flatnonzero(reduced_cost >= limit)
    return near


def _numbered(key: Ints) -> Ints:
    """The same keys, from 0 without gaps."""
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def _dot(many: Ints, price: Ints) -> int:
    """Their product in Python's integers, which do not overflow."""
    return sum(a * b for a, b in zip(many.tolist(), price.tolist(), strict=True))
