"""What there is to search: the pairs that can be in a plan at all, and the parts that do not touch one another."""

from __future__ import annotations

import numpy as np

from matcher.parallel import give_way
from matcher.solving.assignment import NONE, AssignmentProblem, Bools, Ints
from matcher.solving.model import groups

PART = 2000
"""Pairs below which independent parts are searched in one: apart they would cost more than they save."""


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
    free: Bools = free_child[child] & free_volunteer[volunteer] & free_coordinator[problem.caseload[child]]
    free &= problem.cost <= left[problem.fund]
    if len(pins):
        family = problem.family_at_household()
        free &= ~np.isin(family, family[pins][family[pins] != NONE])
        free |= problem.pinned

    # A group in which a child has no pair left is never matched.
    grouped = problem.together != NONE
    if not grouped.any():
        return free
    alone = np.bincount(child[free], minlength=problem.n_children) == 0
    torn = np.isin(problem.together, problem.together[alone & grouped])
    possible: Bools = free & ~torn[child]
    return possible


def spent(problem: AssignmentProblem, chosen: Ints) -> Ints:
    """Pence of each fund that these pairs cost."""
    fund, cost = problem.fund[chosen], problem.cost[chosen]
    total = np.zeros(len(problem.budget), np.int64)
    np.add.at(total, fund[fund != NONE], cost[fund != NONE])
    return total


def independent_parts(problem: AssignmentProblem) -> list[Ints]:
    """Pairs apart that share no volunteer, household or group, nor a fund or coordinator that could ever bind.

    Small parts are put together.
    """
    if len(problem) < PART:
        return [np.arange(len(problem))] if len(problem) else []
    give_way()
    from scipy.sparse import coo_array  # these take 0.4 s, which a small problem need not pay
    from scipy.sparse.csgraph import connected_components

    n, m, k, c = problem.n_children, problem.n_volunteers, len(problem.budget), len(problem.caseload_limit)
    child, fund = problem.child, problem.fund

    # A fund could bind if it could not pay for the dearest pair of each of its children.
    bill = fund * n + child
    order = np.lexsort((problem.cost, bill))
    dearest = order[np.append(bill[order][1:] != bill[order][:-1], True)]
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
