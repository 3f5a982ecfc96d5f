"""Which policies a sweep tries, and how far each weight moves its results.

    policies = one_by_one(policy, levels=range(0, 101, 20))          each weight by itself
    design = SobolDesign(policy, {"interests": (0, 80), "closeness": (0, 50)}, number=64)
    results = sweep(instance, design.policies)
    design.indices(results.frame.set_index("policy_hash")["same_matches"])

The indices are Sobol's: of all that a result varies when every weight is drawn from its range, the share that goes with
one weight alone (first order), and the share in which it has a hand (total). A weight with a total of nothing could be
left out without any difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matcher.errors import PolicyError
from matcher.policy import Policy

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

Ranges = Mapping[str, tuple[int, int]]
"""The least and the most of each weight, both allowed."""


def grid(policy: Policy, **weights: Iterable[int]) -> list[Policy]:
    """The policy, then every combination of these weights: `grid(policy, interests=[20, 40], culture=[0, 20])`."""
    return [
        policy,
        *(policy.with_weights(**dict(zip(weights, some, strict=True))) for some in product(*weights.values())),
    ]


def one_by_one(policy: Policy, levels: Iterable[int]) -> list[Policy]:
    """The policy, then each of its weights at each level, the others as they are."""
    every = list(levels)
    return [policy, *(policy.with_weights(**{id: level}) for id in scores(policy) for level in every)]


def drawn(policy: Policy, ranges: Ranges, number: int, *, seed: int = 1) -> list[Policy]:
    """The policy, then `number` policies whose weights fill these ranges evenly (scrambled Sobol points)."""
    return [policy, *_policies(policy, ranges, _points(len(ranges), number, seed))]


def scores(policy: Policy) -> list[str]:
    """The scores in force, whose weights can be swept."""
    return [id for id in policy.sections["scores"] if policy.on(f"scores.{id}")]


@dataclass(frozen=True)
class SobolDesign:
    """The policies from which first-order and total indices are reckoned: number x (weights + 2) of them."""

    policy: Policy
    ranges: Ranges
    number: int = 64
    """A power of two. Intervals halve when it is four times as large."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.number < 2 or self.number & (self.number - 1):
            raise PolicyError(f"A Sobol design of {self.number} is not balanced. Give a power of two, such as 64.")

    @cached_property
    def _parts(self) -> list[list[Policy]]:
        """Two independent samples A and B, and for each weight A with that weight from B."""
        width = len(self.ranges)
        points = _points(2 * width, self.number, self.seed)
        a, b = points[:, :width], points[:, width:]
        mixed = [np.where(np.arange(width) == column, b, a) for column in range(width)]
        return [_policies(self.policy, self.ranges, part) for part in (a, b, *mixed)]

    @property
    def policies(self) -> list[Policy]:
        """The policy itself, then the design."""
        return [self.policy, *(policy for part in self._parts for policy in part)]

    def indices(self, result: pd.Series[float], *, confidence: float = 0.95) -> pd.DataFrame:
        """First-order and total index of each weight for one figure of each policy.

        Estimated as Saltelli and others (2010) have it; intervals by the percentiles of 2,000 bootstrap samples.

        Args:
            result: the figure, indexed by policy hash.

        Returns:
            One row a weight: first, first_low, first_high, total, total_low, total_high. All nan where the figure
            never varies: no weight has a share of nothing.
        """
        import pandas as pd

        columns = ["first", "first_low", "first_high", "total", "total_low", "total_high"]
        a, b, *mixed = (
            np.asarray(result[[one.content_hash for one in part]], dtype=np.float64) for part in self._parts
        )
        ab = np.stack(mixed)
        if np.ptp([a, b]) == 0:
            return pd.DataFrame(np.nan, list(self.ranges), columns)
        resampled = np.random.default_rng(self.seed).integers(0, self.number, (2000, self.number))
        samples = [_sobol(a[some], b[some], ab[:, some]) for some in resampled]
        tails = [(1 - confidence) / 2, (1 + confidence) / 2]
        found = np.stack(_sobol(a, b, ab))  # first or total, weight
        spread = np.nanquantile(np.stack(samples), tails, axis=0)  # low or high, first or total, weight
        return pd.DataFrame(
            np.concatenate([found[:1], spread[:, 0], found[1:], spread[:, 1]]).T, list(self.ranges), columns
        )


def _sobol(a: Floats, b: Floats, ab: Floats) -> tuple[Floats, Floats]:
    """First-order and total indices of each weight, from the figures at A, at B, and at A with that weight from B."""
    both = np.concatenate([a, b])
    variance = both.var() or np.nan
    first = ((b - both.mean()) * (ab - a)).mean(axis=-1) / variance
    return first, ((a - ab) ** 2).mean(axis=-1) / 2 / variance


def _points(width: int, number: int, seed: int) -> Floats:
    """Points in the unit cube, one a row."""
    from scipy.stats import qmc

    sampler = qmc.Sobol(width, rng=np.random.default_rng(seed))
    points: Floats = sampler.random_base2((number - 1).bit_length())[:number]
    return points


def _policies(policy: Policy, ranges: Ranges, points: Floats) -> list[Policy]:
    least, most = (np.array([span[end] for span in ranges.values()]) for end in (0, 1))
    weights = least + np.floor(points * (most - least + 1)).astype(np.int64)
    return [policy.with_weights(**dict(zip(ranges, row, strict=True))) for row in weights.tolist()]
