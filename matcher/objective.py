"""What the plan maximises: the policy's tiers as one integer a pair, exactly.

What a lower tier can gain in the whole plan never reaches one unit of the tier above: each tier is multiplied by one
more than all that the tiers below it could add up to. Plans that are equal in every tier go to the one that matches
more children.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matcher.errors import PolicyError
from matcher.pairs import Ints
from matcher.policy import Policy
from matcher.scoring import Scored

MOST = 2**62
"""The solver adds points up in an int64; their sum over all pairs stays below this."""


@dataclass(frozen=True)
class Objective:
    """The tiers of each pair and their weights in one sum."""

    tiers: tuple[str, ...]
    parts: tuple[Ints, ...]
    """Of each tier, one entry a pair."""
    weights: tuple[int, ...]

    @property
    def points(self) -> Ints:
        """One integer a pair for the solver."""
        total = np.zeros(len(self.parts[0]), dtype=np.int64)
        for weight, part in zip(self.weights, self.parts, strict=True):
            total += weight * part
        return total

    def reached(self, chosen: Ints) -> dict[str, int]:
        """What a plan, given as indices of pairs, reaches in each tier."""
        return {tier: int(part[chosen].sum()) for tier, part in zip(self.tiers, self.parts, strict=True)}

    def first_tier(self, value: int) -> int:
        """The most of the first tier that a value of the whole sum allows."""
        return value // self.weights[0]


def objective(scored: Scored, policy: Policy) -> Objective:
    """Raises PolicyError if the tiers are too many for points of this size to be added up exactly."""
    measures = {
        "points": scored.points,
        "priority": scored.priority,
        "fit": scored.fit,
        "children_matched": np.ones(len(scored.pairs), dtype=np.int64),
        "children_without_parental_contact": scored.without_contact,
    }
    tiers = policy.tiers
    if "children_matched" not in tiers:
        tiers = (*tiers, "children_matched")
    parts = tuple(measures[tier] for tier in tiers)
    weights: list[int] = []
    below = 0
    for part in reversed(parts):
        weights.insert(0, below + 1)
        below += weights[0] * _most(part, scored)
    if sum(weight * int(part.sum()) for weight, part in zip(weights, parts, strict=True)) >= MOST:
        raise PolicyError(
            f"Policy {policy.name}: the tiers {', '.join(policy.tiers)} cannot be told apart exactly over "
            f"{len(scored.pairs)} pairs. List fewer tiers, or give smaller points and weights."
        )
    return Objective(tiers, parts, tuple(weights))


def _most(part: Ints, scored: Scored) -> int:
    """No plan has more of a tier than this: every child with the best of its pairs."""
    best = np.zeros(len(scored.pairs.tables.instance.waiting), dtype=np.int64)
    np.maximum.at(best, scored.pairs.child_row, part)
    return int(best.sum())
