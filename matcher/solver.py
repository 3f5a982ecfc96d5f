"""The best plan, with its proof.

    problem = AssignmentProblem(child, volunteer, points, n_children=3, capacity=[1, 2])
    solution = solve(problem)
    solution.status, solution.chosen, solution.value, solution.bound

The plain way hands the whole problem to CP-SAT: it is the reference. The priced way has the same model, over few pairs:

    1. `bounds` says what no plan exceeds, and how much less any plan with a given pair is worth;
    2. CP-SAT is asked for a plan that loses at most so much against that bound: pairs that lose more are left out, and
       every limit that is worth more must be used up;
    3. the best such plan is the best of all, since whatever was left out would have lost more. If there is none, the
       bound falls by that much, and twice the loss is allowed.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np

from matcher.errors import ProblemError
from matcher.parallel import processors
from matcher.solving.assignment import AssignmentProblem, Ints
from matcher.solving.bounds import FEW_PAIRS, LARGEST, Bound, Relaxation, nearest, simple_bound
from matcher.solving.forced import Forced
from matcher.solving.model import Answer, Demand, Status, search
from matcher.solving.parts import independent_parts, possible
from matcher.solving.starts import Found, dive, improve, least_plan, start

__all__ = ["AssignmentProblem", "Solution", "solve", "solve_with"]

Method = Literal["auto", "priced", "plain"]

SLOW = 0.2
"""Seconds of a search on the deterministic clock after which a good plan is sought first."""

ENOUGH = 5
"""So many times that long for a plan with a given pair, before the problem is solved anew."""

DIVE, IMPROVE = 2.0, 10.0
"""Seconds on the deterministic clock to look for it, in one search and in many around the plan."""

PATIENCE = 4
"""Seconds of the clock to one of the limit: a machine so much slower than a usual one is not waited for."""


@dataclass(frozen=True, eq=False)
class Solution:
    """A plan and what is proven of it.

    Attributes:
        status: OPTIMAL: no plan is worth more. FEASIBLE: a plan, perhaps not the best. INFEASIBLE: the pinned pairs
            leave no plan. UNKNOWN: pins ask for whole groups, and the clock ran out before a plan was found.
        chosen: indices of the plan's pairs, ascending; empty if there is no plan.
        value: points of the plan.
        bound: no plan is worth more than this. Equal to `value` when OPTIMAL, 0 when INFEASIBLE.
        seconds: how long it took.
        considered: pairs in the problem.
        remaining: pairs that CP-SAT had to look at.
        repeats: whether the same arrays give the same plan again, on any machine: not if the clock ended the search.
    """

    status: Status
    chosen: Ints
    value: int
    bound: int
    seconds: float
    considered: int
    remaining: int
    repeats: bool = True

    @property
    def gap(self) -> float:
        """The share of the bound that the plan may miss: 0.0 is proven best."""
        return (self.bound - self.value) / self.bound if self.bound else 0.0


def solve(
    problem: AssignmentProblem,
    *,
    time_limit: float | None = None,
    wall_limit: float | None = None,
    method: Method = "auto",
    workers: int | None = None,
) -> Solution:
    """Choose the plan of the most points.

    The same arrays give the same plan, on any machine with the same OR-Tools and whatever its processors: one seed, one
    thread a search, and `time_limit` counted by CP-SAT's deterministic clock, whose second is about a second of a
    usual processor. Only where the clock on the wall ends the search may a plan differ, and `repeats` says so.

    With either limit the answer is the best plan found, with the bound on all others. Prices are looked for before
    the limits count: on 30,000 children that takes some ten seconds.

    Args:
        time_limit: deterministic seconds of search; None to search until the best plan is proven.
        wall_limit: seconds of the clock; None for four times `time_limit`.
        method: "priced" is fast, "plain" hands the whole problem to CP-SAT as a reference; "auto" is "priced".
        workers: independent parts that are searched at once, which changes nothing but the time; None for as many as
            there are processors. With "plain" it is the workers of CP-SAT, by default 1: more may break ties another
            way each time.

    Raises:
        ProblemError: a limit that is not positive, or an unknown method.
    """
    for name, limit in (("time_limit", time_limit), ("wall_limit", wall_limit)):
        if limit is not None and not limit > 0:
            raise ProblemError(f"`{name}` is {limit}. Give seconds above 0, or None for no limit.")
    if workers is not None and workers < 1:
        raise ProblemError(f"`workers` is {workers}. Give 1 or more, or None for as many as there are processors.")
    if method not in ("auto", "priced", "plain"):
        raise ProblemError(f"`method` is {method!r}. Give 'auto', 'priced' or 'plain'.")

    begun = time.monotonic()
    seconds = time_limit or math.inf
    stop = begun + (wall_limit or PATIENCE * seconds)
    if method == "plain":
        found = _plain(problem, seconds, stop, workers or 1)
    else:
        found = _priced(problem, seconds, stop, workers or processors())
    return _told(found, begun, stop)


def solve_with(pair: int, forced: Forced) -> Solution:
    """Choose the plan of the most points that has a pair, given by its index.

    It is near the best plan of all, so that nothing is priced anew: the short searches begin at what `forced` says of
    the pair. Where they do not find the plan, as where the pair takes much of a fund, the problem is solved like any;
    and so it is where pairs are few, whose prices cost less than several searches.
    """
    begun = time.monotonic()
    problem = forced.problem.changed(pinned=forced.problem.pinned | (np.arange(len(forced.problem)) == pair))
    place = int(np.searchsorted(forced.inside, pair))
    if place == len(forced.inside) or forced.inside[place] != pair:  # never in a plan
        return _told(Found(problem, bound=-1), begun, math.inf)
    if len(forced.inside) <= FEW_PAIRS:
        return solve(problem)
    priced = forced.with_pair(place)
    found = Found(problem.only(forced.inside), priced.value)
    _narrow(found, forced.relaxed, priced, _first_loss(priced, len(priced.flow)), ENOUGH * SLOW, math.inf)
    if found.status in ("FEASIBLE", "UNKNOWN"):
        return solve(problem)
    if found.chosen is not None:
        found.chosen = forced.inside[found.chosen]
    return _told(found, begun, math.inf)


def _told(found: Found, begun: float, stop: float) -> Solution:
    end = time.monotonic()
    return Solution(
        status=found.status,
        chosen=np.sort(found.chosen) if found.chosen is not None else np.empty(0, np.int64),
        value=max(found.value, 0),
        bound=max(found.bound, 0),
        seconds=end - begun,
        considered=len(found.problem),
        remaining=found.remaining,
        repeats=found.status == "OPTIMAL" or end < stop,
    )


def _plain(problem: AssignmentProblem, seconds: float, stop: float, workers: int) -> Found:
    """The whole problem in one search."""
    found = Found(problem, simple_bound(problem))
    everything = np.arange(len(problem))
    found.learn(search(problem, seconds=seconds, stop=stop, workers=workers), everything, least=0)
    if found.chosen is None and found.bound >= 0:
        found.learn_pins(least_plan(problem, stop))
    return found


def _priced(problem: AssignmentProblem, seconds: float, stop: float, workers: int) -> Found:
    """Each independent part apart, and what was found put together."""
    may = possible(problem)
    whole = Found(problem, bound=0)
    if problem.pinned[~may].any():
        whole.bound = -1
        return whole
    inside = np.flatnonzero(may)
    parts = [inside[part] for part in independent_parts(problem.only(inside))]
    apart = [problem.apart(part) if len(parts) > 1 else problem.only(part) for part in parts]
    shares = [seconds * len(part) / len(inside) for part in parts]
    if workers == 1 or len(parts) <= 1:
        found = list(map(_search, apart, shares, [stop] * len(parts)))
    else:
        with ThreadPoolExecutor(workers) as pool:  # OR-Tools runs outside Python's lock
            found = list(pool.map(_search, apart, shares, [stop] * len(parts)))

    if any(part.bound < 0 for part in found):
        whole.bound = -1
        return whole
    whole.bound, whole.remaining = sum(part.bound for part in found), sum(part.remaining for part in found)
    plans = [pairs[part.chosen] for pairs, part in zip(parts, found, strict=True) if part.chosen is not None]
    if len(plans) == len(parts):
        whole.take(np.concatenate([inside[:0], *plans]))
    return whole


def _search(problem: AssignmentProblem, seconds: float, stop: float) -> Found:
    """The three steps of the priced way; see the module."""
    if simple_bound(problem) > LARGEST:
        return _plain(problem, seconds, stop, workers=1)
    relaxed = Relaxation(problem)
    priced = relaxed.best(stop)
    found = Found(problem, priced.value)
    first = start(problem, priced)
    if first is not None:
        found.take(first)
    else:
        found.learn_pins(least_plan(problem, stop))
    if found.value >= found.bound:
        return found

    seconds = _narrow(found, relaxed, priced, _first_loss(priced, problem.n_children), seconds, stop)
    _at_length(found, relaxed, priced, seconds, stop)
    return found


def _first_loss(priced: Bound, children: int) -> int:
    """Points may be of any size, so it is told by how many pairs it leaves: little more than one a child."""
    few = nearest(priced.reduced_cost, 60 + 4 * children // 3)
    return max(1, -int(priced.reduced_cost[few].min(initial=0)) // priced.scale)


def _narrow(found: Found, relaxed: Relaxation, priced: Bound, loss: int, seconds: float, stop: float) -> float:
    """Short searches, each allowing twice the loss of the one before; the seconds left.

    They end where the plan meets the bound, where the time is over, or where a proof is not short.
    """
    while found.value < found.bound and seconds > 0:
        least = max(found.value + 1, priced.value - loss)
        answer = _among_few(found, relaxed, priced, least, min(SLOW, seconds / 2), stop, light=True)
        seconds -= answer.seconds
        if answer.status == "INFEASIBLE":
            loss *= 2
        elif found.value < found.bound:
            break
    return seconds


def _at_length(found: Found, relaxed: Relaxation, priced: Bound, seconds: float, stop: float) -> None:
    """First a good plan: the one long search need then not go further than it."""
    if found.value >= found.bound or seconds <= 0:
        return
    seconds -= dive(found.problem, priced, found, min(seconds / 4, DIVE), stop)
    seconds -= improve(found.problem, priced, found, min(seconds / 4, IMPROVE), stop)
    if found.value < found.bound and seconds > 0:
        _among_few(found, relaxed, priced, found.value + 1, seconds, stop, light=False)


def _among_few(
    found: Found, relaxed: Relaxation, priced: Bound, least: int, seconds: float, stop: float, light: bool
) -> Answer:
    """One search among the pairs that a plan worth at least `least` can have."""
    pairs, demand = _losing_little(relaxed, priced, least, found.bound)
    answer = search(found.problem.only(pairs), demand, seconds=seconds, stop=stop, light=light)
    found.learn(answer, pairs, least)
    return answer


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
