"""How well a pair fits, and what a child brings: SCORES and PRIORITIES.

A score gives each pair a fit in [0, 1], or none where a fact is not recorded: then it drops out for that pair, and the
weighted mean is taken over what is known, on the full scale. Points are integers end to end: a fit is rounded to
thousandths before anything is added, so that the last bit of a float never decides over a child.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from matcher.errors import PolicyError
from matcher.pairs import Array, Bools, Ints, Pairs
from matcher.parallel import in_order
from matcher.policy import Policy
from matcher.scores.base import Priority, Score
from matcher.scores.child import (
    AtRiskFromPeers,
    CannotGoOutAlone,
    EducationAndHealth,
    EndedByVolunteer,
    NoParentalContact,
    PlacedAtDistance,
    Residential,
    WaitingTime,
)
from matcher.scores.likeness import Closeness, Culture, Interests, SharedLanguage
from matcher.scores.offer import CareExperience, CommitmentLength, NeedsExperience, Preferences, VisitRhythm

__all__ = ["PRIORITIES", "SCORES", "Fits", "Priority", "Score", "Scored", "beyond_amounts", "score"]

Thousandths = tuple[Ints, Bools, Bools]
"""What `Score.thousandths` gives."""

SCORES: tuple[Score, ...] = (
    Interests(),
    Culture(),
    SharedLanguage(),
    Closeness(),
    CareExperience(),
    NeedsExperience(),
    CommitmentLength(),
    VisitRhythm(),
    Preferences(),
)
"""Every score, in the order in which a person is told of them."""

PRIORITIES: tuple[Priority, ...] = (
    NoParentalContact(),
    WaitingTime(),
    EndedByVolunteer(),
    PlacedAtDistance(),
    Residential(),
    CannotGoOutAlone(),
    AtRiskFromPeers(),
    EducationAndHealth(),
)
"""Every priority."""


@dataclass(frozen=True)
class Scored:
    """Points of some pairs, one row a pair."""

    pairs: Pairs
    by_score: Mapping[str, Array]
    """Points of each score in force; together they are the fit. Small integers: there may be millions of pairs."""
    by_priority: Mapping[str, Array]
    unknown: Ints
    """How much of the weight is not recorded, in thousandths."""
    without_contact: Ints
    """1 where the child is without parental contact, else 0."""

    @cached_property
    def fit(self) -> Ints:
        return _total(self.by_score, len(self.unknown))

    @cached_property
    def priority(self) -> Ints:
        return _total(self.by_priority, len(self.unknown))

    @cached_property
    def points(self) -> Ints:
        return self.fit + self.priority


def score(pairs: Pairs, policy: Policy) -> Scored:
    """Points of each pair: fit from 0 to 1000, and what the child brings."""
    scores = _in_force(policy)

    def said(some: Pairs) -> Mapping[str, Thousandths]:
        return {one.id: one.thousandths(some, policy) for one in scores}

    return _scored(pairs, policy, in_order(said, pairs.chunks()))


@dataclass(frozen=True)
class Fits:
    """What each score says of some pairs before it is weighed: hundreds of weights are tried in the time of a few."""

    pairs: Pairs
    by_score: Mapping[str, Thousandths]

    @classmethod
    def of(cls, pairs: Pairs, policy: Policy) -> Fits:
        return cls(pairs, {one.id: one.thousandths(pairs, policy) for one in _in_force(policy)})

    def told(self) -> list[dict[str, int | None]]:
        """What each score says of each pair, by score; None where it does not count."""
        columns = {id: np.where(counts, fit, -1).tolist() for id, (fit, counts, _) in self.by_score.items()}
        return [
            {id: None if said[row] < 0 else said[row] for id, said in columns.items()} for row in range(len(self.pairs))
        ]

    def weighed(self, policy: Policy) -> Scored:
        """The same pairs under a policy with other weights, priority points, tiers or minimum fit.

        No record is read and no rule judged again. Raises PolicyError if the policy differs in anything else: other
        pairs could then be eligible, or fit otherwise.
        """
        tables = self.pairs.tables
        before = tables.instance.policy
        if changed := beyond_amounts(before, policy):
            raise PolicyError(
                f"Policy {policy.name} differs from {before.name} in {', '.join(changed)}: other pairs could be "
                "eligible, or fit otherwise. Plan from the records; only weights, points and tiers can be weighed anew."
            )
        tables = replace(tables, instance=replace(tables.instance, policy=policy))
        pairs = Pairs(tables, self.pairs.child_row, self.pairs.volunteer_row, self.pairs.metres)
        return _scored(pairs, policy, [self.by_score])


def beyond_amounts(one: Policy, other: Policy) -> list[str]:
    """Where two policies differ in anything that is judged before points are weighed, as `rules.travel`."""

    def judged(policy: Policy) -> dict[str, Mapping[str, object]]:
        return {
            f"{section}.{name}": {key: value for key, value in entry.items() if key not in ("weight", "source")}
            for section in ("rules", "constraints", "scores")
            for name, entry in policy.sections[section].items()
        }

    before, after = judged(one), judged(other)
    return [entry for entry in sorted(before | after) if before.get(entry) != after.get(entry)]


def _in_force(policy: Policy) -> list[Score]:
    return [score for score in SCORES if policy.on(f"scores.{score.id}")]


def _scored(pairs: Pairs, policy: Policy, chunks: Iterable[Mapping[str, Thousandths]]) -> Scored:
    """Weighs what the scores say of the pairs, some of these at a time."""
    size, scores = len(pairs), _in_force(policy)
    weights = {score.id: policy.number(f"scores.{score.id}.weight") for score in scores}
    by_score = {score.id: np.zeros(size, dtype=np.int16) for score in scores}
    unknown = np.zeros(size, dtype=np.int64)
    first = 0
    for thousandths in chunks:
        last = first + len(next(iter(thousandths.values()))[0]) if thousandths else size
        parts, unknown[first:last] = _fit(thousandths, weights, last - first)
        for id, part in parts.items():
            by_score[id][first:last] = part
        first = last

    # What a child brings is reckoned once a child.
    everyone = pairs.tables.children_alone(np.arange(len(pairs.tables.instance.waiting)))
    priorities = [priority for priority in PRIORITIES if policy.on(f"priorities.{priority.id}")]
    return Scored(
        pairs,
        by_score,
        {one.id: one.points(everyone, policy).astype(np.int32)[pairs.child_row] for one in priorities},
        unknown,
        without_contact=NoParentalContact().holds(everyone, policy).astype(np.int64)[pairs.child_row],
    )


def _fit(thousandths: Mapping[str, Thousandths], weight: Mapping[str, int], size: int) -> tuple[dict[str, Ints], Ints]:
    """Points of each score, and how much of the weight is not recorded, in thousandths."""
    known_weight, unknown_weight = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    for id, (_, counts, unknown) in thousandths.items():
        known_weight += weight[id] * counts
        unknown_weight += weight[id] * unknown
    whole = np.maximum(known_weight, 1)
    by_score: dict[str, Ints] = {}
    so_far, rounded = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    for id, (fit, counts, _) in thousandths.items():
        # The running total is rounded, not each score: so the parts add up to the fit exactly.
        so_far += weight[id] * fit * counts
        total = (2 * so_far + whole) // (2 * whole)
        by_score[id] = total - rounded
        rounded = total
    return by_score, 1000 * unknown_weight // np.maximum(known_weight + unknown_weight, 1)


def _total(parts: Mapping[str, Array], size: int) -> Ints:
    return sum(parts.values(), start=np.zeros(size, dtype=np.int64))
