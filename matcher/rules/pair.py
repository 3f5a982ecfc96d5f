"""Pair rules about the two together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from matcher.geography import METRES_PER_MILE
from matcher.pairs import Between, Bools, Ints, Pairs, code
from matcher.policy import Policy, Whole
from matcher.records import Strength
from matcher.rules.base import PairRule, add_years, whole_years
from matcher.words import council, day, languages


class AgeGap(PairRule):
    id = "age_gap"
    title = "The volunteer is at least {years} years older than the child"
    short = "too close in age"
    source = "S 5"
    limits = {"years": Whole("years", 0, 60)}
    reads = ("child.date_of_birth", "volunteer.date_of_birth")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        # The volunteer's birthday at that age falls on or before the day on which the child was born.
        birthday = add_years(pairs.volunteer.date_of_birth, policy.number("rules.age_gap.years"))
        return np.asarray(birthday <= pairs.child.date_of_birth)

    def passing(self, between: Between, policy: Policy) -> str:
        return self._gap(between) + "."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{self._gap(between)}; at least {policy.number('rules.age_gap.years')} are needed."

    def _gap(self, between: Between) -> str:
        gap = whole_years(between.pairs.volunteer.date_of_birth, between.pairs.child.date_of_birth[0])
        if gap < 0:
            return f"{between.volunteer.id} is younger than {between.child.id}"
        return f"{between.volunteer.id} is {gap} years older than {between.child.id}"


class Travel(PairRule):
    id = "travel"
    title = "The child lives within the volunteer's own travel limit, and within {miles} miles"
    short = "too far away"
    source = "S 1; S 8; NS 5.9"
    limits = {"miles": Whole("miles", 1, 1000)}
    reads = ("child.placement", "volunteer.home", "volunteer.travel_limit_metres")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        most = np.minimum(pairs.volunteer.travel_limit_metres, policy_reach_metres(policy))
        return np.asarray((pairs.metres >= 0) & (pairs.metres <= most))

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.child.id} lives {between.shown_distance} away; {self._most(between, policy)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{between.child.id} lives {between.shown_distance} away, too far: {self._most(between, policy)}."

    def _most(self, between: Between, policy: Policy) -> str:
        own = (between.volunteer.travel_limit_metres or 0) / METRES_PER_MILE
        miles = policy.number("rules.travel.miles")
        if own <= miles:
            return f"{between.volunteer.id} travels up to {own:.4g} miles"
        return f"the policy's limit is {miles} miles"


def policy_reach_metres(policy: Policy) -> int:
    """The policy's own travel limit in whole metres."""
    return int(policy.number("rules.travel.miles") * METRES_PER_MILE)


class IndependentOfAuthority(PairRule):
    id = "independent_of_authority"
    title = "The volunteer has no connection with the child's responsible authority"
    short = "not independent of the authority"
    source = "CA; R 10; S 5; S 15.2; NS 10.1"
    core = True
    reads = ("child.responsible_authority", "volunteer.connected_authorities")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        connected = pairs.volunteer.connected_authorities
        return ~_cell(connected, pairs.child.responsible_authority)

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.volunteer.id} has no connection with {council(between.child.responsible_authority)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return (
            f"{between.volunteer.id} is a member or officer of {council(between.child.responsible_authority)}, "
            f"or lives with one: not independent for {between.child.id}."
        )


class SiblingHistory(PairRule):
    id = "sibling_history"
    title = "The volunteer neither visits nor has visited a sibling of the child"
    short = "with a sibling's visits before"
    source = "S 15.4"
    core = True
    reads = ("child.family", "volunteer.families_visited")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return ~pairs.visited_sibling

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.volunteer.id} has not visited a sibling of {between.child.id}."

    def failing(self, between: Between, policy: Policy) -> str:
        family = f"{between.child.id}'s family"
        return f"{between.volunteer.id} visits or has visited {family}: siblings never share a visitor."


class NotDeclined(PairRule):
    id = "not_declined"
    title = "Nobody has said no to this pair before, and it has not ended before"
    short = "declined or ended before"
    source = "R 14; NS 7.3; NS 7.4"

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return ~pairs.refused

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.child.id} and {between.volunteer.id} have not been proposed to each other before."

    def failing(self, between: Between, policy: Policy) -> str:
        pair = (between.child.id, between.volunteer.id)
        for no in between.instance.declined:
            if (no.child, no.volunteer) == pair:
                by = f"the {no.by}" if no.by else "one side"
                on = f" on {day(no.declined_on)}" if no.declined_on else ""
                return f"{by.capitalize()} said no to {between.volunteer.id} for {between.child.id}{on}."
        return f"A match of {between.child.id} with {between.volunteer.id} has ended before."


class RequestedGender(PairRule):
    id = "requested_gender"
    title = "The volunteer is of the gender that the child asked for, where that is essential"
    short = "not of the gender asked for"
    source = "NS 2; NS 7.3"
    reads = ("child.requested_gender", "volunteer.gender")

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.child.requested_gender_strength == code(Strength.ESSENTIAL))

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.child.requested_gender == pairs.volunteer.gender)

    def passing(self, between: Between, policy: Policy) -> str:
        if between.child.requested_gender_strength is not Strength.ESSENTIAL:
            return f"{between.child.id} has not made a gender essential."
        return f"{self._request(between)}, and {between.volunteer.id} is."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{self._request(between)}; {between.volunteer.id} is not."

    def _request(self, between: Between) -> str:
        return f"{between.child.id} asked for a visitor who is {between.child.requested_gender}"


class Language(PairRule):
    id = "language"
    title = "The volunteer speaks a language in which the child can talk"
    short = "without a shared language"
    source = "R 14; S 13.2"
    reads = ("child.talks", "volunteer.languages")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray((pairs.child.talks & pairs.volunteer.languages).any(axis=1))

    def passing(self, between: Between, policy: Policy) -> str:
        shared = sorted(set(self._needed(between)) & set(between.volunteer.languages or ()))
        return f"{between.child.id} and {between.volunteer.id} can talk in {languages(shared)}."

    def failing(self, between: Between, policy: Policy) -> str:
        if not self._needed(between):
            return f"{between.child.id} is recorded as having no language in which to talk."
        needs = f"{between.child.id} needs {languages(self._needed(between), 'or')}"
        spoken = languages(between.volunteer.languages) if between.volunteer.languages else "no language on record"
        return f"{needs}; {between.volunteer.id} speaks {spoken}."

    def _needed(self, between: Between) -> Sequence[str]:
        return between.child.needed_languages or between.child.languages or ()


def _cell(table: Bools, column: Ints) -> Bools:
    """The cell of each row at a column code; False where the code is not recorded."""
    if not table.shape[1]:
        return np.zeros(len(table), dtype=np.bool_)
    return np.asarray(table[np.arange(len(table)), column] & (column >= 0))
