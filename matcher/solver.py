"""The best plan, with its proof.

    problem = AssignmentProblem(child, volunteer, points, n_children=3, capacity=[1, 2])
    solution = solve(problem)
    solution.status, solution.chosen, solution.value, solution.bound

The plain way hands the whole problem to CP-SAT: it is the reference. The priced way has the same model, over few pairs:

    1. `bounds` says what no plan exceeds, and how much less any plan with a given pair is worth;
    2. CP-SAT is asked for a plan that loses at most so much against that bound: pairs that lose more are left out, and
       every limit that is worth more must be used up;
    3. the best such plan is the best of all, since whatever was left out would have lost more. If there is none, the
       bound falls by that much, and four times the loss is allowed.
"""

from __future__ import annotations

import itertools
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from matcher.assignment import NONE, AssignmentProblem, Bools, Ints
from matcher.bounds import LARGEST, Bound, Relaxation, nearest, possible, simple_bound, spent
from matcher.errors import ProblemError
from matcher.model import Answer, Demand, Status, groups, search

__all__ = ["AssignmentProblem", "Solution", "solve"]

Method = Literal["auto", "priced", "plain"]

PART = 1000
"""Pairs below which independent parts are searched in one."""

SLOW = 0.2
"""Seconds of a search on the deterministic clock after which a good plan is sought first, and losses grow less."""

AROUND_PAIRS, AROUND_SECONDS = 6, 2.0
"""Pairs a child, about, and seconds on the deterministic clock, for a search around one fund."""

FIRST_PAIRS = 1.5
"""Pairs a child that the first search looks at, about."""


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
        remaining: pairs that CP-SAT had to look at.
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
    problem: AssignmentProblem, *, time_limit: float | None = None, method: Method = "auto", workers: int = 1
) -> Solution:
    """Choose the plan of the most points.

    The same arrays give the same plan, on any machine: one seed, one worker a search, and `time_limit` counted by
    CP-SAT's deterministic clock, whose second is about a second of a usual processor.

    Args:
        time_limit: deterministic seconds of CP-SAT; None to search until the best plan is proven. A wall clock ten
            times as long stands behind it, for a machine that hangs: only if that strikes may a result not repeat.
        method: "priced" is fast, "plain" hands the whole problem to CP-SAT as a reference; "auto" is "priced".
        workers: independent parts that are searched at once, which changes nothing but the time. With "plain" it is
            the workers of CP-SAT, and more than one may break ties another way each time.

    Raises:
        ProblemError: a limit that is not positive, or an unknown method.
    """
    if time_limit is not None and not time_limit > 0:
        raise ProblemError(f"`time_limit` is {time_limit}. Give seconds above 0, or None for no limit.")
    if workers < 1:
        raise ProblemError(f"`workers` is {workers}. Give 1 or more.")
    if method not in ("auto", "priced", "plain"):
        raise ProblemError(f"`method` is {method!r}. Give 'auto', 'priced' or 'plain'.")

    start = time.perf_counter()
    if method == "plain":
        found = _plain(problem, time_limit or math.inf, workers)
    else:
        found = _priced(problem, time_limit or math.inf, workers)
    chosen = np.empty(0, np.int64) if found.chosen is None else np.sort(found.chosen)
    return Solution(
        status=found.status,
        chosen=chosen,
        value=max(found.value, 0),
        bound=max(found.bound, 0),
        seconds=time.perf_counter() - start,
        considered=len(problem),
        remaining=found.remaining,
    )


@dataclass
class _Found:
    """The best plan so far, and what no plan exceeds; -1 stands for "none", in `value` and in `bound`."""

    chosen: Ints | None
    value: int
    bound: int
    remaining: int = 0

    @property
    def status(self) -> Status:
        if self.bound < 0:
            return "INFEASIBLE"
        if self.chosen is None:
            return "UNKNOWN"
        return "OPTIMAL" if self.value == self.bound else "FEASIBLE"

    def learn(self, answer: Answer, problem: AssignmentProblem, pairs: Ints, least: int) -> None:
        """Take in the answer of a search among `pairs` for a plan worth at least `least`."""
        self.remaining = max(self.remaining, len(pairs))
        if answer.status == "INFEASIBLE":
            self.bound = least - 1
        elif answer.status != "UNKNOWN":
            self.take(problem, pairs[answer.chosen])
            self.bound = min(self.bound, answer.bound)

    def take(self, problem: AssignmentProblem, plan: Ints) -> None:
        self.chosen, self.value = plan, problem.value(plan)


def _plain(problem: AssignmentProblem, seconds: float, workers: int) -> _Found:
    """The whole problem in one search."""
    found = _Found(None, -1, simple_bound(problem))
    found.learn(search(problem, seconds=seconds, workers=workers), problem, np.arange(len(problem)), least=0)
    if found.chosen is None and not problem.pinned.any():
        found.chosen, found.value = np.empty(0, np.int64), 0  # to match nobody is always allowed
    return found


def _priced(problem: AssignmentProblem, seconds: float, workers: int) -> _Found:
    """Each independent part apart, and what was found put together."""
    may = possible(problem)
    if problem.pinned[~may].any():
        return _Found(None, -1, -1)
    inside = np.flatnonzero(may)
    whole = problem.only(inside)
    parts = _independent_parts(whole)
    shares = [seconds * len(part) / len(inside) for part in parts]
    apart = [whole.apart(part) for part in parts]
    if workers == 1 or len(parts) <= 1:
        found = list(map(_search, apart, shares))
    else:
        with ThreadPoolExecutor(workers) as pool:  # CP-SAT runs outside Python's lock
            found = list(pool.map(_search, apart, shares))

    if any(part.bound < 0 for part in found):
        return _Found(None, -1, -1)
    bound, remaining = sum(part.bound for part in found), sum(part.remaining for part in found)
    chosen = [inside[pairs[part.chosen]] for pairs, part in zip(parts, found, strict=True) if part.chosen is not None]
    if len(chosen) < len(parts):
        return _Found(None, -1, bound, remaining)
    none = np.empty(0, np.int64)
    return _Found(np.concatenate([none, *chosen]), sum(part.value for part in found), bound, remaining)


def _search(problem: AssignmentProblem, seconds: float) -> _Found:
    """The three steps of the priced way; see the module."""
    if simple_bound(problem) > LARGEST:
        return _plain(problem, seconds, workers=1)
    relaxed = Relaxation(problem)
    priced = relaxed.best()
    chosen = greedy(problem, priced)
    found = _Found(chosen, -1 if chosen is None else problem.value(chosen), priced.value)
    # Points may be of any size, so the first loss is told by how many pairs it leaves.
    few = nearest(priced.reduced_cost, int(FIRST_PAIRS * problem.n_children))
    loss = max(1, -int(priced.reduced_cost[few].min(initial=0)) // priced.scale)
    dived = False
    while found.value < found.bound and seconds > 0:
        least = max(found.value + 1, priced.value - loss)
        pairs, demand = _losing_little(relaxed, priced, least, found.bound)
        answer = search(problem.only(pairs), demand, seconds=seconds if dived else seconds / 2)
        found.learn(answer, problem, pairs, least)
        seconds -= answer.seconds
        if found.value == found.bound or (dived and answer.status != "INFEASIBLE"):
            break
        if not dived and (answer.seconds > SLOW or answer.status != "INFEASIBLE"):
            # The proof will take its time: first a good plan, so that the search need not go further than it.
            seconds -= _dive(problem, priced, found, seconds)
            seconds -= _improve(problem, priced, found, seconds / 2)
            dived = True
        if answer.status == "INFEASIBLE":
            loss *= 2 if answer.seconds > SLOW else 4
    return found


def _dive(problem: AssignmentProblem, priced: Bound, found: _Found, seconds: float) -> float:
    """The best plan that keeps what the linear program chose whole; returns the time it took."""
    kept = np.bincount(problem.child[priced.whole], minlength=problem.n_children)
    room = np.bincount(problem.volunteer[priced.whole], minlength=problem.n_volunteers) < problem.capacity
    free = (kept[problem.child] == 0) & room[problem.volunteer]
    free[priced.whole] = True
    pairs = np.flatnonzero(free)
    demand = replace(Demand.of_value(problem, found.value + 1, found.bound), child=np.minimum(kept, 1))
    answer = search(problem.only(pairs), demand, seconds=seconds)
    if len(answer.chosen):
        found.take(problem, pairs[answer.chosen])
    return answer.seconds


def _improve(problem: AssignmentProblem, priced: Bound, found: _Found, seconds: float) -> float:
    """Search anew around one fund after the other, the rest of the plan kept; returns the time it took.

    When no fund gains any more, twice as many pairs are looked at, until that takes too long.
    """
    funds, used, idle, width = np.flatnonzero(priced.prices.fund).tolist(), 0.0, 0, AROUND_PAIRS * problem.n_children
    near = _among(problem, nearest(priced.reduced_cost, width))
    for fund in itertools.cycle(funds):
        if idle == len(funds):
            idle, width = 0, 2 * width
            near = _among(problem, nearest(priced.reduced_cost, width))
        if found.chosen is None or found.value == found.bound or used >= seconds or width > 2 * len(problem):
            break
        # Free are the fund's children, and whoever has a volunteer that they might have.
        freed = np.zeros(problem.n_children, np.bool_)
        freed[problem.child[near & (problem.fund == fund)]] = True
        wanted = np.zeros(problem.n_volunteers, np.bool_)
        wanted[problem.volunteer[near & freed[problem.child]]] = True
        freed[problem.child[found.chosen[wanted[problem.volunteer[found.chosen]]]]] = True

        keep = found.chosen[~freed[problem.child[found.chosen]]]
        room = np.bincount(problem.volunteer[keep], minlength=problem.n_volunteers) < problem.capacity
        pairs = np.flatnonzero(_among(problem, found.chosen) | (near & freed[problem.child] & room[problem.volunteer]))
        kept = np.bincount(problem.child[keep], minlength=problem.n_children)
        demand = replace(Demand.of_value(problem, found.value + 1, found.bound), child=kept)
        answer = search(problem.only(pairs), demand, seconds=min(AROUND_SECONDS, seconds - used))
        used += answer.seconds
        if answer.status == "UNKNOWN":
            break
        idle = 0 if len(answer.chosen) else idle + 1
        if len(answer.chosen):
            found.take(problem, pairs[answer.chosen])
    return used


def _among(problem: AssignmentProblem, pairs: Ints) -> Bools:
    """One entry a pair: whether it is one of these."""
    among = np.zeros(len(problem), np.bool_)
    among[pairs] = True
    return among


def _losing_little(relaxed: Relaxation, priced: Bound, least: int, most: int) -> tuple[Ints, Demand]:
    """The pairs that a plan worth at least `least` can have, and how far it must use up what has a price."""
    loss = priced.exact - least * priced.scale
    prices, problem = priced.prices, relaxed.problem

    def unless_lost(there: Ints, price: Ints) -> Ints:
        return np.maximum(there - np.where(price > 0, loss // np.maximum(price, 1), there), 0)

    must = (relaxed.must | (priced.party_price > loss))[relaxed.party]
    volunteer = unless_lost(relaxed.capacity, prices.volunteer)
    demand = Demand(
        value=(least, most),
        child=must.astype(np.int64),
        volunteer=volunteer,
        coordinator=unless_lost(relaxed.limit, prices.coordinator),
        fund=unless_lost(problem.budget, prices.fund),
        child_points=np.where(must, priced.child_price // priced.scale, 0),
        volunteer_points=np.where(volunteer == relaxed.capacity, prices.volunteer // priced.scale, 0),
    )
    return np.flatnonzero(priced.reduced_cost >= -loss), demand


def greedy(problem: AssignmentProblem, priced: Bound) -> Ints | None:
    """A plan near the relaxed one, for a start: its pairs first, then whatever still fits; None if that tears a group
    which a pin wants whole."""
    near = np.argsort(-priced.reduced_cost, kind="stable")[: 8 * problem.n_children]
    best_first = priced.flow[np.argsort(-problem.points[priced.flow], kind="stable")]
    order = np.concatenate([np.flatnonzero(problem.pinned), best_first, near])
    plan = _fill(problem, order)

    # A group that was not matched whole gives its volunteers back.
    grouped = problem.together != NONE
    matched = np.isin(np.arange(problem.n_children), problem.child[plan])
    torn = np.isin(problem.together, problem.together[grouped & ~matched]) & grouped
    if torn[problem.child[plan]].any():
        kept = plan[~torn[problem.child[plan]]]
        plan = _fill(problem, np.concatenate([kept, order[~grouped[problem.child[order]]]]))
    return None if problem.pinned.sum() > problem.pinned[plan].sum() else plan


def _fill(problem: AssignmentProblem, order: Ints) -> Ints:
    """Pairs one after the other, each where all limits but `together` still allow it."""
    children, volunteers = set[int](), problem.capacity.tolist()
    funds, coordinators = [*problem.budget.tolist(), 2**63], [*problem.caseload_limit.tolist(), 2**63]  # the last: NONE
    families = set[int]()
    child = problem.child[order]
    columns = child, problem.volunteer[order], problem.cost[order], problem.fund[order], problem.caseload[child]
    plan = []
    for pair, one, whom, cost, fund, coordinator, family in zip(
        order.tolist(), *(c.tolist() for c in columns), problem.family_at_household()[order].tolist(), strict=True
    ):
        room = volunteers[whom] and coordinators[coordinator] and cost <= funds[fund]
        if room and one not in children and family not in families:
            plan.append(pair)
            children.add(one)
            volunteers[whom] -= 1
            coordinators[coordinator] -= 1
            funds[fund] -= cost
            if family != NONE:
                families.add(family)
    return np.array(plan, np.int64)


def _independent_parts(problem: AssignmentProblem) -> list[Ints]:
    """Pairs apart that share no volunteer, household or group, nor a fund or coordinator that could ever bind.

    Small parts are put together.
    """
    n, m, k, c = problem.n_children, problem.n_volunteers, len(problem.budget), len(problem.caseload_limit)
    child, fund = problem.child, problem.fund

    # A fund could bind if it could not pay for the dearest pair of each of its children.
    bill = fund * n + child
    order = np.lexsort((problem.cost, bill))
    dearest = order[np.append(bill[order][1:] != bill[order][:-1], True)] if len(problem) else order
    binding = np.append(spent(problem, dearest) > problem.budget, False)
    paired = np.unique(child)
    busy = np.bincount(problem.caseload[paired] + 1, minlength=c + 1)[1:] > problem.caseload_limit
    busy = np.append(busy, False)

    paid, busy_child = binding[fund], np.flatnonzero(busy[problem.caseload])
    grouped = np.flatnonzero(problem.together != NONE)
    group = np.unique(problem.together[grouped], return_inverse=True)[1]
    liked = np.flatnonzero(problem.bonus_group != NONE)
    housed = np.flatnonzero(problem.household != NONE)
    home = np.unique(problem.household[housed], return_inverse=True)[1]
    links = [
        (child, n + problem.volunteer),
        (child[paid], n + m + fund[paid]),
        (busy_child, n + m + k + problem.caseload[busy_child]),
        (grouped, n + m + k + c + group),
        (liked, n + m + k + c + n + problem.bonus_group[liked]),
        (n + housed, n + m + k + c + n + len(problem.bonus) + home),
    ]
    start, end = (np.concatenate(side) for side in zip(*links, strict=True))
    size = n + m + k + c + n + len(problem.bonus) + m
    _, label = connected_components(coo_array((np.ones(len(start)), (start, end)), shape=(size, size)), directed=False)

    label = label[child].astype(np.int64)
    count = np.bincount(label)
    small = count < PART
    bundle = np.where(small, len(count) + np.cumsum(np.where(small, count, 0)) // PART, np.arange(len(count)))
    return [pairs for _, pairs in groups(bundle[label])]
