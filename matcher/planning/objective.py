"""What the plan maximises: the policy's tiers as one integer a pair, exactly.

What a lower tier can gain in the whole plan never reaches one unit of the tier above: each tier is multiplied by one
more than all that the tiers below it could add up to. Plans that are equal in every tier go to the one that matches
more children, and then, if there was a plan before, to the one that changes least of it.

A group of siblings who are better matched at the same time brings its points wherever fit is counted: in the tiers
`points` and `fit`. So does a pair of the plan before, with the points that the policy gives for stability; those are
not told, since they say nothing of how well the two fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matcher.errors import PolicyError
from matcher.pairs import Bools, Ints
from matcher.policy import Policy
from matcher.scoring import Scored

MOST = 2**62
"""The solver adds points up in an int64; their sum over all pairs stays below this."""

UNCHANGED = "unchanged"
"""The last tier of all: how many pairs of the plan before are kept. It settles ties and is not told."""


@dataclass(frozen=True)
class Tier:
    """One tier of the objective; what it counts, one entry a pair."""

    name: str
    measure: Ints
    """What is told of it."""
    part: Ints
    """What is maximised: the same, and points for keeping a pair of the plan before."""
    bonus: int
    """What a group of siblings matched at the same time adds to it."""
    weight: int
    """What a unit of it is worth in the one sum."""


@dataclass(frozen=True)
class Objective:
    """The tiers, highest first, and their one sum."""

    tiers: tuple[Tier, ...]

    @property
    def bonus(self) -> int:
        """What a group of siblings matched at the same time is worth to the solver."""
        return sum(tier.weight * tier.bonus for tier in self.tiers)

    @property
    def sibling_points(self) -> int:
        """What such a group is worth in points."""
        return max(tier.bonus for tier in self.tiers)

    @property
    def points(self) -> Ints:
        """One integer a pair for the solver."""
        total = np.zeros(len(self.tiers[0].part), dtype=np.int64)
        for tier in self.tiers:
            total += tier.weight * tier.part
        return total

    @property
    def told(self) -> tuple[Tier, ...]:
        """The tiers that a person is told of."""
        return tuple(tier for tier in self.tiers if tier.name != UNCHANGED)

    def reached(self, chosen: Ints, groups: int) -> dict[str, int]:
        """What a plan, given as indices of pairs and by how many groups are matched whole, reaches in each tier."""
        return {tier.name: int(tier.measure[chosen].sum()) + groups * tier.bonus for tier in self.told}

    def kept(self, chosen: Ints) -> int:
        """How many pairs of the plan before are in a plan."""
        return sum(int(tier.measure[chosen].sum()) for tier in self.tiers if tier.name == UNCHANGED)

    def first_tier(self, value: int) -> int:
        """The most of the first tier that a value of the whole sum allows."""
        return value // self.tiers[0].weight

    def but_for_ties(self, value: int) -> int:
        """A value of the whole sum without what only settles ties between equal plans."""
        return value // self.told[-1].weight


def objective(
    scored: Scored, policy: Policy, *, groups: int = 0, before: Bools | None = None, stability: int = 0
) -> Objective:
    """The objective over scored pairs.

    Args:
        groups: how many groups of siblings there are who are better matched at the same time.
        before: which pairs a plan before had, one entry a pair; None if there was none.
        stability: points for each of those pairs that is kept.

    Raises:
        PolicyError: the tiers are too many for points of this size to be added up exactly.
    """
    one = np.ones(len(scored.pairs), dtype=np.int64)
    kept = 0 * one if before is None else before.astype(np.int64)
    measures = {
        "points": scored.points,
        "priority": scored.priority,
        "fit": scored.fit,
        "children_matched": one,
        "children_without_parental_contact": scored.without_contact,
        UNCHANGED: kept,
    }
    names = [*policy.tiers]
    names += ["children_matched"] if "children_matched" not in names else []
    names += [UNCHANGED] if before is not None else []
    each = policy.number("constraints.siblings_together.points") if groups else 0
    tiers: list[Tier] = []
    below = total = 0
    for name in reversed(names):
        counts_fit = name in ("points", "fit")
        part, bonus = measures[name] + (stability * kept if counts_fit else 0), each if counts_fit else 0
        tiers.insert(0, Tier(name, measures[name], part, bonus, below + 1))
        below += tiers[0].weight * (_most(part, scored) + groups * bonus)
        total += tiers[0].weight * (int(part.sum()) + groups * bonus)
    if total >= MOST:
        raise PolicyError(
            f"Policy {policy.name}: the tiers {', '.join(names)} cannot be told apart exactly over "
            f"{len(scored.pairs)} pairs. List fewer tiers, or give smaller points and weights."
        )
    return Objective(tuple(tiers))


def _most(part: Ints, scored: Scored) -> int:
    """No plan has more of a tier than this: every child with the best of its pairs."""
    best = np.zeros(len(scored.pairs.tables.instance.waiting), dtype=np.int64)
    np.maximum.at(best, scored.pairs.child_row, part)
    return int(best.sum())
