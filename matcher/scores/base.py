"""What every score and priority is: points with the words that they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import numpy as np

from matcher.pairs import Array, Between, Bools, Ints, Pairs
from matcher.policy import WEIGHT, Choice, Policy, Whole


class Score:
    """One way in which a pair fits."""

    section: ClassVar[str] = "scores"
    core: ClassVar[bool] = False
    id: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    limits: ClassVar[Mapping[str, Whole | Choice]] = {"weight": WEIGHT}
    ordered: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    protected: ClassVar[tuple[str, ...]] = ()
    """Characteristics in the sense of the Equality Act 2010 s.4 on which it rests, or to which it stands close. Its
    weight is learned from what children choose, never from what others decide about them."""

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        """Where the score has a meaning; elsewhere it neither helps nor counts as unknown."""
        return np.ones(len(pairs), dtype=np.bool_)

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        """Fit in [0, 1], one entry a pair. Read only where the facts are recorded."""
        raise NotImplementedError

    def known(self, pairs: Pairs, policy: Policy) -> Bools:
        """Whether all that `fit` needs is recorded."""
        known = np.ones(len(pairs), dtype=np.bool_)
        for path in self.reads:
            known &= pairs.known(path)
        return known

    def thousandths(self, pairs: Pairs, policy: Policy) -> tuple[Ints, Bools, Bools]:
        """Fit in whole thousandths (0 where it does not count), whether it counts, and whether it is unknown."""
        applies, known = self.applies(pairs, policy), self.known(pairs, policy)
        fit = np.where(applies & known, self.fit(pairs, policy), 0.0)
        return np.rint(fit * 1000).astype(np.int64), applies & known, applies & ~known

    def words(self, between: Between, policy: Policy) -> str:
        """What the fit rests on, in a sentence. Called where the facts are recorded."""
        raise NotImplementedError


class Part(NamedTuple):
    """One of several facts that a score is the mean of; one entry a pair."""

    applies: Bools
    known: Bools
    fit: Array


class PartedScore(Score):
    """A score of several parts: the mean of those that apply and are known."""

    def parts(self, pairs: Pairs, policy: Policy) -> tuple[Part, ...]:
        raise NotImplementedError

    def told(self, between: Between, policy: Policy) -> tuple[str, ...]:
        """What each part rests on, in a sentence. Called whatever is recorded."""
        raise NotImplementedError

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(np.stack([part.applies for part in self.parts(pairs, policy)]).any(axis=0))

    def known(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(np.stack([part.applies & part.known for part in self.parts(pairs, policy)]).any(axis=0))

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        total, count = np.zeros(len(pairs)), np.zeros(len(pairs), dtype=np.int64)
        for part in self.parts(pairs, policy):
            counts = part.applies & part.known
            total += np.where(counts, part.fit, 0.0)
            count += counts
        return np.asarray(total / np.maximum(count, 1))

    def words(self, between: Between, policy: Policy) -> str:
        parts = zip(self.parts(between.pairs, policy), self.told(between, policy), strict=True)
        return " ".join(sentence for part, sentence in parts if part.applies[0] and part.known[0])


class Priority:
    """Points that a child brings, whichever the volunteer."""

    section: ClassVar[str] = "priorities"
    core: ClassVar[bool] = False
    id: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    limits: ClassVar[Mapping[str, Whole | Choice]] = {"points": Whole("points", 0, 100_000)}
    ordered: ClassVar[tuple[str, ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()

    def holds(self, pairs: Pairs, policy: Policy) -> Bools:
        """Whether each pair's child brings the policy's points. What is not recorded does not count."""
        raise NotImplementedError

    def points(self, pairs: Pairs, policy: Policy) -> Ints:
        """Whole points of each pair's child, 0 where nothing is recorded."""
        return np.where(self.holds(pairs, policy), policy.number(f"priorities.{self.id}.points"), 0)

    def words(self, between: Between, policy: Policy) -> str:
        """What the points rest on, in a sentence."""
        raise NotImplementedError
