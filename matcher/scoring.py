"""How well a pair fits, and what a child brings: SCORES and PRIORITIES, one small class each.

A score gives each pair a fit in [0, 1], or NaN where a fact is not recorded: then it drops out for that pair, and the
weighted mean is taken over what is known, on the full scale. Points are integers end to end: a fit is rounded to
thousandths before anything is added, so that the last bit of a float never decides over a child.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from matcher import vocabulary
from matcher.geography import METRES_PER_MILE
from matcher.pairs import Array, Between, Bools, Ints, Pairs, code
from matcher.policy import WEIGHT, Choice, Policy, Whole
from matcher.records import Contact, Strength
from matcher.rules.base import add_months
from matcher.words import day, languages, listed

FULL_FIT = 1000
"""Points of a pair that fits in every way."""


class Score:
    """One way in which a pair fits."""

    section: ClassVar[str] = "scores"
    core: ClassVar[bool] = False
    id: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    limits: ClassVar[Mapping[str, Whole | Choice]] = {"weight": WEIGHT}
    reads: ClassVar[tuple[str, ...]] = ()

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


class Interests(Score):
    id = "interests"
    title = "Shared interests and hobbies; a rare one counts more"
    source = "N Matching; R 14; S 8"
    reads = ("child.interests", "volunteer.interests")

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        # A child who is recorded to have no interests is not suited less by anyone.
        return np.asarray(~pairs.child.known("interests") | pairs.child.interests.any(axis=1))

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        rarity = self._rarity(pairs)
        of_child = pairs.child.interests @ rarity
        shared = (pairs.child.interests & pairs.volunteer.interests) @ rarity
        return np.asarray(shared / np.maximum(of_child, 1))

    def words(self, between: Between, policy: Policy) -> str:
        shared = sorted(set(between.child.interests or ()) & set(between.volunteer.interests or ()))
        if not shared:
            return "No interest in common is recorded."
        return f"Both like {listed(vocabulary.interest_label(tag) for tag in shared)}."

    def _rarity(self, pairs: Pairs) -> Ints:
        """Inverse frequency of each interest over both sides, smoothed, in whole thousandths.

        ln((1 + people) / (1 + people who have it)) + 1, as scikit-learn's TfidfTransformer has it; taken from there
        it would cost 2 s of import at every start. Integers add up alike in any order.
        """
        both = (pairs.tables.child.interests, pairs.tables.volunteer.interests)
        people = sum(len(table) for table in both)
        have = sum(table.sum(axis=0) for table in both)
        rarity: Ints = np.rint(1000 * (np.log((1 + people) / (1 + have)) + 1)).astype(np.int64)
        return rarity


class Culture(Score):
    id = "culture"
    title = "Shared ethnicity and heritage"
    source = "R 14; NS 7.5"
    limits = {"weight": WEIGHT, "when": Choice(("always", "if_requested", "off"))}
    reads = ("child.ethnicity", "volunteer.ethnicity")

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        when = policy.choice("scores.culture.when")
        if when == "if_requested":
            return np.asarray(pairs.child.culture_request >= code(Strength.PREFERRED))
        return np.full(len(pairs), when == "always")

    def known(self, pairs: Pairs, policy: Policy) -> Bools:
        # “Refused” and “not yet obtained” are codes too, but two who did not say have nothing in common by it.
        said = (pairs.child.ethnicity_group >= 0) & (pairs.volunteer.ethnicity_group >= 0)
        return super().known(pairs, policy) & said

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        # The same group in the census's sense, say Caribbean and African, is half of the same ethnicity.
        same = pairs.child.ethnicity == pairs.volunteer.ethnicity
        near = pairs.child.ethnicity_group == pairs.volunteer.ethnicity_group
        return np.where(same, 1.0, np.where(near, 0.5, 0.0))

    def words(self, between: Between, policy: Policy) -> str:
        child, volunteer = between.child.ethnicity or "", between.volunteer.ethnicity or ""
        if child == volunteer:
            return f"Both are {vocabulary.ethnicity_label(child)}."
        near = vocabulary.ethnicity_group(child) == vocabulary.ethnicity_group(volunteer)
        of = "of one broad group" if near else "of different groups"
        return f"{vocabulary.ethnicity_label(child)} and {vocabulary.ethnicity_label(volunteer)}: {of}."


class SharedLanguage(Score):
    id = "language"
    title = "A shared language beyond the one that is required"
    source = "R 14"
    reads = ("child.languages", "volunteer.languages")

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        # Whoever speaks one language has none beyond it.
        return np.asarray(~pairs.child.known("languages") | (pairs.child.languages.sum(axis=1) > 1))

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        spoken = pairs.child.languages.sum(axis=1)
        shared = (pairs.child.languages & pairs.volunteer.languages).sum(axis=1)
        return np.asarray(np.maximum(shared - 1, 0) / np.maximum(spoken - 1, 1))

    def words(self, between: Between, policy: Policy) -> str:
        shared = sorted(set(between.child.languages or ()) & set(between.volunteer.languages or ()))
        return f"Both speak {languages(shared)}." if shared else "No language in common beyond the required one."


class Closeness(Score):
    id = "closeness"
    title = "A shorter journey"
    source = "S 8"
    reads = ("child.placement", "volunteer.home")

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        # From next door, 1, down to the policy's travel limit, 0.
        return np.asarray(1 - np.minimum(pairs.metres / (policy.number("rules.travel.miles") * METRES_PER_MILE), 1))

    def words(self, between: Between, policy: Policy) -> str:
        return f"{between.shown_distance} apart." if between.metres else "In the same postcode district."


class Priority:
    """Points that a child brings, whichever the volunteer."""

    section: ClassVar[str] = "priorities"
    core: ClassVar[bool] = False
    id: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    limits: ClassVar[Mapping[str, Whole | Choice]] = {}
    reads: ClassVar[tuple[str, ...]] = ()

    def points(self, pairs: Pairs, policy: Policy) -> Ints:
        """Whole points of each pair's child, 0 where nothing is recorded."""
        raise NotImplementedError

    def words(self, between: Between, policy: Policy) -> str:
        """What the points rest on, in a sentence."""
        raise NotImplementedError


class NoParentalContact(Priority):
    id = "no_parental_contact"
    title = "No, or infrequent, contact with parents; or not visited for {months} months"
    source = "CA; R 3; N"
    limits = {"points": Whole("points", 0, 100_000), "months": Whole("months", 1, 60)}
    reads = ("child.parental_contact",)

    def holds(self, pairs: Pairs, policy: Policy) -> Bools:
        """Whether the child counts as without parental contact. What is not recorded does not count."""
        seldom = np.isin(pairs.child.parental_contact, [code(Contact.NONE), code(Contact.INFREQUENT)])
        return np.asarray(seldom | self._not_visited(pairs, policy))

    def points(self, pairs: Pairs, policy: Policy) -> Ints:
        return np.where(self.holds(pairs, policy), policy.number("priorities.no_parental_contact.points"), 0)

    def words(self, between: Between, policy: Policy) -> str:
        contact, last = between.child.parental_contact, between.child.last_parental_visit
        if contact in (Contact.NONE, Contact.INFREQUENT):
            return "No contact with parents." if contact is Contact.NONE else "Contact with parents is infrequent."
        if self._not_visited(between.pairs, policy)[0]:
            months = policy.number("priorities.no_parental_contact.months")
            return f"Last visited by a parent on {day(last)}, more than {months} months ago."
        return "In regular contact with a parent." if contact else "Contact with parents is not recorded."

    def _not_visited(self, pairs: Pairs, policy: Policy) -> Bools:
        months = policy.number("priorities.no_parental_contact.months")
        return np.asarray(add_months(pairs.child.last_parental_visit, months) < pairs.as_of)


class WaitingTime(Priority):
    id = "waiting_time"
    title = "{points_a_day} point a day since referral, for at most {most_days} days"
    source = "NS 7.1"
    limits = {"points_a_day": Whole("points a day", 0, 1000), "most_days": Whole("days", 0, 10_000)}
    reads = ("child.referred_on",)

    def points(self, pairs: Pairs, policy: Policy) -> Ints:
        waited = (pairs.as_of - pairs.child.referred_on).astype(np.int64)
        counted = np.clip(waited, 0, policy.number("priorities.waiting_time.most_days"))
        points = counted * policy.number("priorities.waiting_time.points_a_day")
        return np.where(pairs.child.known("referred_on"), points, 0)

    def words(self, between: Between, policy: Policy) -> str:
        referred = between.child.referred_on
        if referred is None:
            return "The day of referral is not recorded."
        return f"Waits since {day(referred)}, {(between.instance.as_of - referred).days} days."


SCORES: tuple[Score, ...] = (Interests(), Culture(), SharedLanguage(), Closeness())
"""Every score, in the order in which a person is told of them."""

PRIORITIES: tuple[Priority, ...] = (NoParentalContact(), WaitingTime())
"""Every priority."""


@dataclass(frozen=True)
class Scored:
    """Points of some pairs, one row a pair."""

    pairs: Pairs
    by_score: Mapping[str, Ints]
    """Points of each score in force; together they are the fit."""
    by_priority: Mapping[str, Ints]
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
    size = len(pairs)
    scores = [score for score in SCORES if policy.on(f"scores.{score.id}")]
    weight = {score.id: policy.number(f"scores.{score.id}.weight") for score in scores}
    thousandths = {score.id: score.thousandths(pairs, policy) for score in scores}
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
    priorities = [priority for priority in PRIORITIES if policy.on(f"priorities.{priority.id}")]
    return Scored(
        pairs,
        by_score,
        {priority.id: priority.points(pairs, policy) for priority in priorities},
        unknown=1000 * unknown_weight // np.maximum(known_weight + unknown_weight, 1),
        without_contact=NoParentalContact().holds(pairs, policy).astype(np.int64),
    )


def _total(parts: Mapping[str, Ints], size: int) -> Ints:
    return sum(parts.values(), start=np.zeros(size, dtype=np.int64))
