"""What the plan maximises: the policy's tiers as one integer a pair, exactly.

What a lower tier can gain in the whole plan never reaches one unit of the tier above: each tier is multiplied by one
more than all that the tiers below it could add up to. Plans that are equal in every tier go to the one that matches
more children.

A group of siblings who are better matched at the same time brings its points wherever fit is counted: in the tiers
`points` and `fit`.
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
    bonuses: tuple[int, ...]
    """Of each tier, what one group of siblings matched at the same time adds to it."""

    @property
    def bonus(self) -> int:
        """What one such group is worth to the solver."""
        return sum(weight * bonus for weight, bonus in zip(self.weights, self.bonuses, strict=True))

    @property
    def points(self) -> Ints:
        """One integer a pair for the solver."""
        total = np.zeros(len(self.parts[0]), dtype=np.int64)
        for weight, part in zip(self.weights, self.parts, strict=True):
            total += weight * part
        return total

    def reached(self, chosen: Ints, groups: int) -> dict[str, int]:
        """What a plan, given as indices of pairs and by how many groups are matched whole, reaches in each tier."""
        every = zip(self.tiers, self.parts, self.bonuses, strict=True)
        return {tier: int(part[chosen].sum()) + groups * bonus for tier, part, bonus in every}

    def first_tier(self, value: int) -> int:
        """The most of the first tier that a value of the whole sum allows."""
        return value // self.weights[0]


def objective(scored: Scored, policy: Policy, groups: int = 0) -> Objective:
    """The objective over scored pairs, and over so many groups of siblings who are better matched at the same time.

    Raises PolicyError if the tiers are too many for points of this size to be added up exactly.
    """
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
    each = policy.number("constraints.siblings_together.points") if groups else 0
    bonuses = tuple(each if tier in ("points", "fit") else 0 for tier in tiers)
    weights: list[int] = []
    below = total = 0
    for part, bonus in zip(reversed(parts), reversed(bonuses), strict=True):
        weights.insert(0, below + 1)
        below += weights[0] * (_most(part, scored) + groups * bonus)
        total += weights[0] * (int(part.sum()) + groups * bonus)
    if total >= MOST:
        raise PolicyError(
            f"Policy {policy.name}: the tiers {', '.join(policy.tiers)} cannot be told apart exactly over "
            f"{len(scored.pairs)} pairs. List fewer tiers, or give smaller points and weights."
        )
    return Objective(tiers, parts, tuple(weights), bonuses)


def _most(part: Ints, scored: Scored) -> int:
    """No plan has more of a tier than this: every child with the best of its pairs."""
    best = np.zeros(len(scored.pairs.tables.instance.waiting), dtype=np.int64)
    np.maximum.at(best, scored.pairs.child_row, part)
    return int(best.sum())
