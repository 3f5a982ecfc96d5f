"""Random counties as assignment problems: places, ages, interests, siblings, costs out of county, budgets that bind.

Nothing here comes from records: the figures are drawn so that a problem has the shape of a real one at any size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from matcher.solving.assignment import NONE, AssignmentProblem
from matcher.solving.bounds import bound
from matcher.solving.parts import spent

REACH = 15.0
"""Miles that a volunteer travels."""

SHARE_BY_AGE = 0.62
"""Of the pairs within reach, about as many are of an age that the volunteer asked for."""


def county(
    children: int,
    volunteers: int,
    *,
    pairs_each: int,
    seed: int,
    funds: int = 1,
    tight: float = 0.5,
    siblings: float = 0.3,
    capacity: int = 1,
    together: float = 0.0,
    points_apart: int = 10_000,
) -> AssignmentProblem:
    """A county of this size.

    Args:
        pairs_each: volunteers within reach and of the right age, about, a child.
        funds: authorities, each with a fund that pays for its children out of county, three in ten.
        tight: the share of what the best plan without budgets would spend that each fund has.
        siblings: the share of children in families of two or three.
        capacity: children that a volunteer can take, 1 to so many.
        together: the share of families that must be matched whole or not at all.
        points_apart: roughly how many values points can take; few make ties.
    """
    rng = np.random.default_rng(seed)
    side = max(REACH / 2, np.sqrt(volunteers * np.pi * REACH**2 * SHARE_BY_AGE / pairs_each))
    home, base = rng.random((children, 2)) * side, rng.random((volunteers, 2)) * side
    within = cKDTree(base).query_ball_point(home, REACH, return_sorted=True)
    child = np.repeat(np.arange(children), [len(near) for near in within])
    volunteer = np.concatenate(within).astype(np.int64)
    age, youngest = rng.integers(5, 18, children), rng.integers(3, 12, volunteers)
    right = (age[child] >= youngest[volunteer]) & (age[child] <= youngest[volunteer] + 9)
    child, volunteer = child[right], volunteer[right]
    miles = np.hypot(*(home[child] - base[volunteer]).T)

    likes, offers = rng.random((children, 20)) < 0.2, rng.random((volunteers, 20)) < 0.25
    shared = (likes[child] & offers[volunteer]).sum(axis=1)
    priority = rng.choice([0, 0, 2000, 5000], children) + rng.integers(0, 2000, children)
    fit = np.minimum(shared / 5, 1) * 4000 + (1 - miles / REACH) * 3000 + rng.integers(0, 1000, len(child))
    points = 1 + ((priority[child] + fit) * points_apart / 10_000).astype(np.int64)

    out = rng.random(children) < 0.3
    fund = np.where(out, rng.integers(0, funds, children), NONE)[child]
    cost = np.where(fund == NONE, 0, 2000 + (miles * 90 * 12).astype(np.int64))
    families = max(1, int(children * siblings / 2.3))
    family = np.where(rng.random(children) < siblings, rng.integers(0, families, children), NONE)
    limits: dict[str, Any] = {
        "n_children": children,
        "capacity": rng.integers(1, capacity + 1, volunteers),
        "family": family,
        "cost": cost,
        "together": np.where(rng.random(families)[family] < together, family, NONE),
    }
    free = AssignmentProblem(child, volunteer, points, **limits, fund=fund, budget=[int(cost.sum())] * funds)
    budget = (spent(free, bound(free).flow) * tight).astype(np.int64)
    return AssignmentProblem(child, volunteer, points, **limits, fund=fund, budget=budget)
