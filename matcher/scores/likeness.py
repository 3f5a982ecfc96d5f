"""Scores of what the two have in common, and of how near they live."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from matcher import vocabulary
from matcher.geography import METRES_PER_MILE
from matcher.pairs import Array, Between, Bools, Ints, Pairs, code
from matcher.policy import WEIGHT, Choice, Policy
from matcher.records import Strength
from matcher.scores.base import Part, PartedScore, Score
from matcher.words import languages, listed


class Interests(Score):
    id = "interests"
    title = "Shared interests and hobbies; a rare one counts more"
    source = "N Matching; R 14; S 8"
    reads = ("child.interests", "volunteer.interests")

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        # A child who is recorded to have no interests is not suited less by anyone.
        return np.asarray(~pairs.child.known("interests") | pairs.child.has("interests"))

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        rarity = self._rarity(pairs)
        of_child = pairs.child.each(lambda people: people.interests @ rarity)
        shared = pairs.in_common("interests", "interests", rarity)
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


class Culture(PartedScore):
    id = "culture"
    title = "Shared ethnicity and heritage, and religion"
    source = "R 14; NS 7.5; S 8"
    limits = {"weight": WEIGHT, "when": Choice(("always", "if_requested", "off"))}
    reads = ("child.ethnicity", "volunteer.ethnicity", "child.religion", "volunteer.religion")
    protected = ("race", "religion or belief")

    def parts(self, pairs: Pairs, policy: Policy) -> tuple[Part, ...]:
        child, volunteer, when = pairs.child, pairs.volunteer, policy.choice("scores.culture.when")

        def counts(request: Array) -> Bools:
            asked = request >= code(Strength.PREFERRED)
            return np.asarray(asked) if when == "if_requested" else np.full(len(pairs), when == "always")

        # The same group in the census's sense, say Caribbean and African, is half of the same ethnicity. “Refused” and
        # “not yet obtained” are codes too, but of no group: two who did not say have nothing in common by it.
        same, near = child.ethnicity == volunteer.ethnicity, child.ethnicity_group == volunteer.ethnicity_group
        said = (child.ethnicity_group >= 0) & (volunteer.ethnicity_group >= 0)
        both = child.known("religion") & volunteer.known("religion")
        return (
            Part(counts(child.culture_request), said, np.where(same, 1.0, np.where(near, 0.5, 0.0))),
            Part(counts(child.religion_request), both, np.where(child.religion == volunteer.religion, 1.0, 0.0)),
        )

    def told(self, between: Between, policy: Policy) -> tuple[str, ...]:
        return (
            _compared(between.child.ethnicity, between.volunteer.ethnicity, vocabulary.ethnicity_label),
            _compared(between.child.religion, between.volunteer.religion, vocabulary.religion_label),
        )


def _compared(one: str | None, other: str | None, label: Callable[[str], str]) -> str:
    if one is None or other is None:
        return ""
    if one == other:
        return f"Both are {label(one)}."
    group = vocabulary.ethnicity_group
    near = label is vocabulary.ethnicity_label and group(one) == group(other)
    return f"{label(one)} and {label(other)}{': of one broad group' if near else ''}."


class SharedLanguage(Score):
    id = "language"
    title = "A shared language beyond the one that is required"
    source = "R 14"
    reads = ("child.languages", "volunteer.languages")
    protected = ("race",)

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        # Whoever speaks one language has none beyond it.
        return np.asarray(~pairs.child.known("languages") | (pairs.child.count("languages") > 1))

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        spoken, shared = pairs.child.count("languages"), pairs.in_common("languages", "languages")
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
