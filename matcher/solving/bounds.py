"""Prices: what the best plan can be worth at most, and what choosing a pair costs it.

Without budgets and groups the problem is a flow of least cost, integral and solved in milliseconds:

    source -> coordinator -> child -> (family at a volunteer) -> volunteer -> sink

What a flow cannot carry is charged for instead: a pence of each fund has a price; the children of a group lift one
another, so that they are matched or left together; the bonus of a group is shared out among its children. Any prices
give a bound that holds, good ones a tight one:

    worth of a pair     points + bonus share - fund price * cost - volunteer price - family price - coordinator price
    worth of a party    (a child, or a group) the sum of its children's best pairs, or 0 if that is more
    bound               worth of all parties + each price times how much is for sale

So all care about the bound is in `Relaxation.evaluate`, in integers; the rest only looks for good prices. Where pairs
are few, one linear program over all of them gives every price at once. Else:

    1. `_rough_prices`: a few flows, and after each the price of an overspent fund raised, of an underspent one cut;
    2. `_program`: a linear program over the pairs that lose little at these prices, exact but for those left out;
    3. one more flow at its prices, whose potentials are the prices of volunteers, families and coordinators.

All prices are integers, in 1/`scale` of a point.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from matcher.errors import NoPlanError, ProblemError
from matcher.solving.assignment import NONE, AssignmentProblem, Ints
from matcher.solving.flows import Flow, least_cost
from matcher.solving.linear import Floats, Rows, maximise, of_children
from matcher.solving.parts import possible, spent

FAR = 2**61
"""Stands for infinity: the sum of two still fits an int64."""

LARGEST = FAR // 4
"""Plans worth more than this leave prices no room in an int64."""

FINEST = 2**16
"""Parts of a point that prices are told in: a fund's price times its slack is then right to a fraction of a point."""

FEW_PAIRS, EXACT_POINTS = 5000, 2**32
"""Up to so many pairs, of up to so many points each, one program over all is faster than flows, and as exact."""

ROUGH_FLOWS, ROUGH_PAIRS, NEAR_PAIRS, NEAR_PROGRAMS = 5, 20, 2, 4
"""How hard to look for good prices: flows, and pairs a child in them; pairs a child in a program, and programs."""


class Prices(NamedTuple):
    """What a limit is worth, all >= 0: a place with each volunteer, the one place of each family with each volunteer
    (numbered by `Relaxation.kin`), a new match of each coordinator, a pence of each fund. And of each child its share
    of the bonus of its group: over a group, they add up to no less."""

    volunteer: Ints
    kin: Ints
    coordinator: Ints
    fund: Ints
    share: Ints


class _Program(NamedTuple):
    """What a linear program answers: prices, lifts of children, its value, the pairs that it chose whole."""

    prices: Prices
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
        self.points = problem.points * self.scale
        most = int(problem.points.max(initial=0)) + int(problem.bonus.max(initial=0))
        self.top = most * self.scale + 1  # a price above this buys nothing

        self.grouped, self.liked = problem.together != NONE, np.flatnonzero(problem.bonus_group != NONE)
        groups = _numbered(problem.together) + problem.n_children
        self.party = _numbered(np.where(self.grouped, groups, np.arange(problem.n_children)))
        self.must = np.zeros(int(self.party.max(initial=NONE)) + 1, np.bool_)
        self.must[self.party[child[problem.pinned]]] = True

        several = np.flatnonzero((problem.family[child] != NONE) & (problem.capacity[volunteer] > 1))
        place = problem.family_at_volunteer()[several] if len(several) else several
        _, index, count = np.unique(place, return_inverse=True, return_counts=True)
        shared = several[count[index] > 1]
        self.kin = np.full(len(problem), NONE)
        self.kin[shared] = _numbered(place[count[index] > 1])
        self.kin_volunteer = np.zeros(int(self.kin.max(initial=NONE)) + 1, np.int64)
        self.kin_volunteer[self.kin[shared]] = volunteer[shared]

        # More places than pairs are never sold: this keeps sums small, whatever the capacities say.
        self.capacity = np.minimum(problem.capacity, np.bincount(volunteer, minlength=problem.n_volunteers))
        self.limit = np.minimum(problem.caseload_limit, problem.n_children)
        sizes = problem.n_volunteers, len(self.kin_volunteer), len(self.limit), len(problem.budget), problem.n_children
        self.no_prices = Prices(*(np.zeros(size, np.int64) for size in sizes))

    def best(self, stop: float = math.inf) -> Bound:
        """The lowest bound that the steps above find, or as far as they came at `stop` of `time.monotonic`."""
        problem = self.problem
        if 0 < len(problem) <= FEW_PAIRS and self.top <= EXACT_POINTS * self.scale:
            answer = self._program(np.arange(len(problem)))
            if answer is not None:
                best = self.evaluate(answer.prices, answer.whole)
                if best.exact < (answer.value + 1) * self.scale:
                    return best

        best = self.priced(self.no_prices.fund, problem.bonus_share(self.scale))
        if self._nothing_relaxed(best) or time.monotonic() >= stop:
            return best
        if (spent(problem, best.flow) > problem.budget).any():
            best = min(best, self.priced(self._rough_prices(best), best.prices.share), key=lambda found: found.exact)

        pairs = NEAR_PAIRS * problem.n_children
        for _ in range(NEAR_PROGRAMS):
            if time.monotonic() >= stop:
                break
            answer = self._program(nearest(best.reduced_cost, pairs), best)
            if answer is not None:
                better = self.priced(answer.prices.fund, answer.prices.share, answer.lift)
                gain = best.exact - better.exact
                best = replace(min(best, better, key=lambda found: found.exact), whole=answer.whole)
                if best.exact < (answer.value + 1) * self.scale:
                    break  # the program leaves pairs out, so the truth is not below its value
                if gain > self.scale:
                    continue
            if pairs >= len(problem):
                break
            pairs *= 2
        return best

    def _nothing_relaxed(self, found: Bound) -> bool:
        """Whether no better prices can be had: the flow keeps all limits, and is worth the bound."""
        problem, chosen = self.problem, found.flow
        if (spent(problem, chosen) > problem.budget).any() or found.value > problem.value(chosen):
            return False
        matched = np.bincount(problem.child[chosen], minlength=problem.n_children) > 0
        return not np.isin(self.party[self.grouped & matched], self.party[self.grouped & ~matched]).any()

    def priced(self, fund_price: Ints, share: Ints, lift: Ints | None = None) -> Bound:
        """The bound by a flow at these fund prices and shares of bonuses, one entry a child; and so are lifts, which
        are added to what a child's pairs are worth in the flow."""
        chosen, flow = self.relaxed_plan(fund_price, share if lift is None else share + lift)
        source, *_, sink = self._nodes()
        potential = self.circulation(flow).middle_potentials(nodes=sink, root=source)
        return self._at(potential, fund_price, share, chosen)

    def at_potentials(self, potential: Ints, like: Bound) -> Bound:
        """The bound at other potentials of the circulation's nodes, 0 at the source, and otherwise like another."""
        found = self._at(potential, like.prices.fund, like.prices.share, like.flow)
        return replace(found, whole=like.whole)

    def _at(self, potential: Ints, fund_price: Ints, share: Ints, chosen: Ints) -> Bound:
        _, volunteers, kins, coordinators, _ = self._nodes()
        place = np.clip(-potential[volunteers], 0, self.top)
        kin = np.clip(-potential[kins] - place[self.kin_volunteer], 0, self.top)
        coordinator = np.clip(potential[coordinators], 0, self.top)
        return self.evaluate(Prices(place, kin, coordinator, fund_price, share), chosen)

    def circulation(self, flow: Flow) -> Flow:
        """Whatever leaves by the sink could come in again by the source: here they are one node."""
        source, *_, sink = self._nodes()
        return replace(flow, head=np.where(flow.head == sink, source, flow.head))

    def evaluate(self, prices: Prices, flow: Ints) -> Bound:
        """The bound that these prices give. It holds whatever they are, as long as none is negative."""
        problem, child = self.problem, self.problem.child
        worth = self.charged(prices.fund) + prices.share[child] - prices.volunteer[problem.volunteer]
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

    def charged(self, fund_price: Ints) -> Ints:
        """Points less fund price times cost, a pair. No charge is more than `top`: less than due still bounds."""
        price = np.append(fund_price, 0)[self.problem.fund]
        charged: Ints = self.points - price * np.minimum(self.problem.cost, self.top // np.maximum(price, 1))
        return charged

    @property
    def source(self) -> int:
        """The node of the circulation where units begin."""
        return self._nodes()[0]

    @property
    def size(self) -> int:
        """How many nodes the circulation has."""
        return self._nodes()[-1]

    def _nodes(self) -> tuple[int, Ints, Ints, Ints, int]:
        """Numbers of the source, the volunteers, the families at volunteers, the coordinators and the sink.

        The children come first, so that the index of a child is its node.
        """
        sizes = [self.problem.n_children, 1, self.problem.n_volunteers, len(self.kin_volunteer), len(self.limit), 1]
        _, source, volunteers, kins, coordinators, sink = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        return int(source[0]), volunteers, kins, coordinators, int(sink[0])

    def relaxed_plan(self, fund_price: Ints, lift: Ints | None = None, among: Ints | None = None) -> tuple[Ints, Flow]:
        """The relaxed plan at these fund prices and lifts of children, among these pairs; with its flow."""
        problem = self.problem
        pairs = np.arange(len(problem)) if among is None else among
        child, kin = problem.child[pairs], self.kin[pairs]
        worth = self.charged(fund_price)[pairs] + 2 * self.top * self.must[self.party[child]]
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
            chosen, _ = self.relaxed_plan(tried, free.prices.share, among)
            value = int(self.charged(tried)[chosen].sum()) + _dot(budget, tried)
            value += int(free.prices.share[problem.child[chosen]].sum())
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

    def _program(self, columns: Ints, near: Bound | None = None) -> _Program | None:
        """A linear program with all limits over these pairs: all that there are, or those nearest to a bound.

        As in the search for a plan, whatever would lose more than the furthest of these pairs is not allowed to: such
        children and volunteers are matched in full. None if that leaves nothing.
        """
        problem, child = self.problem, self.problem.child[columns]
        place, ones = np.arange(len(columns)), np.ones(len(columns))
        everything = near is None or len(columns) == len(problem)
        lost = FAR if near is None or everything else -int(near.reduced_cost[columns].min(initial=0))
        dear = near.prices if near is not None else self.no_prices
        must = self.must if near is None else self.must | (near.party_price > lost)
        # Numbers of about one keep the program well in hand.
        pound = max(1.0, float(problem.cost.max(initial=0)))
        point = max(1.0, self.top / self.scale / 1e6)
        unit = point * self.scale

        one_each, budget = np.ones(len(dear.kin)), problem.budget / pound
        answer = maximise(
            np.concatenate([problem.points[columns], problem.bonus]) / point,
            [
                Rows(problem.volunteer[columns], place, ones, self.capacity, dear.volunteer > lost),
                Rows(self.kin[columns], place, ones, one_each, dear.kin > lost),
                Rows(problem.caseload[child], place, ones, self.limit, dear.coordinator > lost),
                Rows(problem.fund[columns], place, problem.cost[columns] / pound, budget, np.zeros(len(budget), bool)),
                Rows(child, place, ones, np.ones(problem.n_children), must[self.party]),
                self._alike(child),
                self._whole(child),
            ],
        )
        if answer is None:
            return None
        volunteer, kin, coordinator, fund, _, alike, whole = answer.prices
        shares, lift = np.zeros((2, problem.n_children))
        shares[self.liked] = whole
        others, first = self._others()
        np.subtract.at(lift, others, alike)
        np.add.at(lift, first, alike)

        def price(found: Floats, size: float = unit) -> Ints:
            return np.clip(np.rint(found * size), 0, self.top).astype(np.int64)

        share = self._sharing(price(shares))
        return _Program(
            Prices(price(volunteer), price(kin), price(coordinator), price(fund, unit / pound), share),
            lift=np.clip(np.rint(lift * unit), -self.top, self.top).astype(np.int64),
            value=answer.value * point,
            whole=columns[answer.chosen[: len(columns)] > 1 - 1e-6],
        )

    def _others(self) -> tuple[Ints, Ints]:
        """The children of groups that are matched together, all but the first of each, and beside them the first."""
        members = np.flatnonzero(self.grouped)
        _, first, group = np.unique(self.party[members], return_index=True, return_inverse=True)
        others = np.setdiff1d(np.arange(len(members)), first)
        return members[others], members[first[group[others]]]

    def _alike(self, child: Ints) -> Rows:
        """One limit for each of these: it is matched as often as the first of its group."""
        others, first = self._others()
        row = np.arange(len(others))
        terms = np.concatenate([others, first]), np.concatenate([row, row]), np.repeat([1.0, -1.0], len(others))
        return of_children(terms, child, np.zeros(len(others)), full=True)

    def _whole(self, child: Ints) -> Rows:
        """One limit for each child in a bonus group: the bonus is had no more often than the child is matched."""
        row = np.arange(len(self.liked))
        rows = of_children((self.liked, row, -np.ones(len(row))), child, np.zeros(len(row)), full=False)
        bonus = len(child) + self.problem.bonus_group[self.liked]
        return rows._replace(
            row=np.concatenate([rows.row, row]),
            column=np.concatenate([rows.column, bonus]),
            weight=np.concatenate([rows.weight, np.ones(len(row))]),
        )

    def _sharing(self, share: Ints) -> Ints:
        """The same shares, the first child's raised where a group's do not add up to its bonus."""
        group = self.problem.bonus_group[self.liked]
        total = np.zeros(len(self.problem.bonus), np.int64)
        np.add.at(total, group, share[self.liked])
        groups, first = np.unique(group, return_index=True)
        share[self.liked[first]] += np.maximum(self.problem.bonus * self.scale - total, 0)[groups]
        return share


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
