"""Good plans without a proof: a first one, and searches around what is there already."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from matcher.solving.assignment import NONE, AssignmentProblem, Bools, Ints
from matcher.solving.bounds import Bound, nearest
from matcher.solving.model import Answer, Demand, Status, search

AROUND_PAIRS, AROUND_SECONDS = 6, 2.0
"""Pairs a child, about, and seconds on the deterministic clock, for a search around one fund."""


@dataclass
class Found:
    """The best plan so far, and what no plan exceeds; -1 stands for "none", in `value` and in `bound`."""

    problem: AssignmentProblem
    bound: int
    chosen: Ints | None = None
    value: int = -1
    remaining: int = 0

    @property
    def status(self) -> Status:
        if self.bound < 0:
            return "INFEASIBLE"
        if self.chosen is None:
            return "UNKNOWN"
        return "OPTIMAL" if self.value == self.bound else "FEASIBLE"

    def learn(self, answer: Answer, pairs: Ints, least: int) -> None:
        """Take in the answer of a search among `pairs` for a plan worth at least `least`."""
        self.remaining = max(self.remaining, len(pairs))
        if answer.status == "INFEASIBLE":
            self.bound = least - 1
            return
        if answer.status != "UNKNOWN":
            self.take(pairs[answer.chosen])
        self.bound = min(self.bound, max(answer.bound, least - 1))

    def learn_pins(self, answer: Answer) -> None:
        """Take in the answer of `least_plan`, which says nothing of the best plan."""
        if answer.status == "INFEASIBLE":
            self.bound = -1
        elif answer.status != "UNKNOWN":
            self.take(answer.chosen)

    def take(self, plan: Ints) -> None:
        self.chosen, self.value = plan, self.problem.value(plan)


def start(problem: AssignmentProblem, priced: Bound) -> Ints | None:
    """A plan near the relaxed one, for a start: its pairs first, then whatever still fits; None if that tears a group
    which a pin wants whole."""
    near = np.argsort(-priced.reduced_cost, kind="stable")[: 8 * problem.n_children]
    best_first = priced.flow[np.argsort(-problem.points[priced.flow], kind="stable")]
    order = np.concatenate([np.flatnonzero(problem.pinned), priced.whole, best_first, near])
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


def least_plan(problem: AssignmentProblem, stop: float = math.inf) -> Answer:
    """A plan with the pins and the groups that they want whole and nothing else, if there is any plan at all.

    Whatever plan there is holds such a plan, so that this search among few pairs decides; no limit of work stops it.
    """
    pinned = np.zeros(problem.n_children, np.bool_)
    pinned[problem.child[problem.pinned]] = True
    grouped = problem.together != NONE
    wanted = pinned | (grouped & np.isin(problem.together, problem.together[pinned & grouped]))
    pairs = np.flatnonzero(wanted[problem.child])
    answer = search(problem.only(pairs), stop=stop)
    return replace(answer, chosen=pairs[answer.chosen])


def dive(problem: AssignmentProblem, priced: Bound, found: Found, seconds: float, stop: float) -> float:
    """The best plan that keeps what the linear program chose whole; returns the time it took."""
    kept = np.bincount(problem.child[priced.whole], minlength=problem.n_children)
    room = np.bincount(problem.volunteer[priced.whole], minlength=problem.n_volunteers) < problem.capacity
    free = (kept[problem.child] == 0) & room[problem.volunteer]
    free[priced.whole] = True
    pairs = np.flatnonzero(free)
    demand = replace(Demand.of_value(problem, found.value + 1, found.bound), child=np.minimum(kept, 1))
    answer = search(problem.only(pairs), demand, seconds=seconds, stop=stop)
    if len(answer.chosen):
        found.take(pairs[answer.chosen])
    return answer.seconds


def improve(problem: AssignmentProblem, priced: Bound, found: Found, seconds: float, stop: float) -> float:
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
        answer = search(problem.only(pairs), demand, seconds=min(AROUND_SECONDS, seconds - used), stop=stop)
        used += answer.seconds
        if answer.status == "UNKNOWN":
            break
        idle = 0 if len(answer.chosen) else idle + 1
        if len(answer.chosen):
            found.take(pairs[answer.chosen])
    return used


def _among(problem: AssignmentProblem, pairs: Ints) -> Bools:
    """One entry a pair: whether it is one of these."""
    among = np.zeros(len(problem), np.bool_)
    among[pairs] = True
    return among
