"""Chance, out of one seed and in whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from random import Random
from typing import TypeVar

Thing = TypeVar("Thing")


class Dice:
    """Draws from `random.Random(seed).random()` alone."""

    def __init__(self, seed: int) -> None:
        self.share = Random(seed).random  # noqa: S311  nothing secret is drawn
        """The next number in [0, 1)."""

    def below(self, count: int) -> int:
        """One of 0 … count - 1, each as likely."""
        return int(self.share() * count)

    def between(self, least: int, most: int) -> int:
        return least + self.below(most - least + 1)

    def chance(self, in_a_hundred: int) -> bool:
        return self.below(100) < in_a_hundred

    def pick(self, weights: Mapping[Thing, int]) -> Thing:
        """One of the keys, as often as its weight says."""
        upto = list(accumulate(weights.values()))
        drawn = self.below(upto[-1])
        return next(thing for thing, end in zip(weights, upto, strict=True) if drawn < end)

    def some(self, weights: Mapping[Thing, int], count: int) -> list[Thing]:
        """So many different keys."""
        left = dict(weights)
        drawn = []
        for _ in range(count):
            drawn.append(self.pick(left))
            del left[drawn[-1]]
        return drawn
