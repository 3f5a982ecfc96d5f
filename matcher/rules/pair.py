"""Pair rules about the two together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np

from matcher import vocabulary
from matcher.geography import METRES_PER_MILE
from matcher.pairs import NOT_RECORDED, Array, Between, Bools, Pairs, cell, code
from matcher.policy import Policy, Whole
from matcher.records import Child, ExceptionKind, Strength
from matcher.rules.base import PairRule, add_months, add_years, age_on, allowed_by, recorded_exceptions, whole_years
from matcher.words import day, languages, listed, miles


class AgeGap(PairRule):
    id = "age_gap"
    title = "The volunteer is at least {years} years older than the child"
    short = "too close in age"
    source = "S 5"
    limits = {"years": Whole("years", 0, 60)}
    reads = ("child.date_of_birth", "volunteer.date_of_birth")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        # The volunteer's birthday at that age falls on or before the day on which the child was born.
        years = policy.number("rules.age_gap.years")
        birthday = pairs.volunteer.each(lambda people: add_years(people.date_of_birth, years))
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
        # As the rule measures it, rounded up: 5 miles would read oddly beside a limit of 5.
        nearly = ceil(100 * between.metres / METRES_PER_MILE) / 100
        return f"{between.child.id} lives {miles(nearly)} away, too far: {self._most(between, policy)}."

    def _most(self, between: Between, policy: Policy) -> str:
        own = (between.volunteer.travel_limit_metres or 0) / METRES_PER_MILE
        most = policy.number("rules.travel.miles")
        if own <= most:
            return f"{between.volunteer.id} travels up to {miles(own)}"
        return f"the policy's limit is {miles(most)}"


def policy_reach_metres(policy: Policy) -> int:
    """The policy's own travel limit in whole metres."""
    return int(policy.number("rules.travel.miles") * METRES_PER_MILE)


class NotDeclined(PairRule):
    id = "not_declined"
    title = "Nobody has said no to this pair before, and it has not ended before"
    short = "declined or ended before"
    source = "R 14; NS 7.3; NS 7.4"
    core = True  # among the noes are those of children who do not feel safe

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return ~pairs.refused

    def passing(self, between: Between, policy: Policy) -> str:
        return f"Nobody has said no to {between.volunteer.id} for {between.child.id}, and no match of theirs has ended."

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
        return pairs.in_common("talks", "languages") > 0

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


class RequestedCulture(PairRule):
    id = "requested_culture"
    title = "The volunteer is of the child's ethnicity, or religion, where the child finds that essential"
    short = "not of the culture asked for"
    source = "NS 7.5; R 14"
    reads = (
        "child.ethnicity",
        "volunteer.ethnicity",
        "child.religion",
        "volunteer.religion",
        "child.culture_request",
        "child.religion_request",
    )

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        if path.endswith("_request"):
            return np.zeros(len(pairs), dtype=np.bool_)  # no request on record is no request
        request = pairs.child.culture_request if path.endswith("ethnicity") else pairs.child.religion_request
        return np.asarray(request == code(Strength.ESSENTIAL))

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        child, volunteer = pairs.child, pairs.volunteer
        # “Refused” has no group, and “any other religion” is many: two of them are not known to be alike.
        ethnicity = (child.ethnicity == volunteer.ethnicity) & (child.ethnicity_group != NOT_RECORDED)
        religion = (child.religion == volunteer.religion) & (child.religion != NOT_RECORDED)
        either = ethnicity | ~self.needs("child.ethnicity", pairs, policy)
        return np.asarray(either & (religion | ~self.needs("child.religion", pairs, policy)))

    def passing(self, between: Between, policy: Policy) -> str:
        if not any(self._wishes(between)):
            return f"{between.child.id} has not made a culture essential."
        return f"{self._request(between)}, and {between.volunteer.id} is."

    def failing(self, between: Between, policy: Policy) -> str:
        for fact, label in self._unnamed(between.child):
            return (
                f"{between.child.id} asked for a visitor of the same {fact}; what is recorded, “{label}”, names none."
            )
        return f"{self._request(between)}; {between.volunteer.id} is not known to be."

    def _unnamed(self, child: Child) -> Iterator[tuple[str, str]]:
        """What the child asked for and what stands there, where that is no one culture."""
        ethnicity, religion = child.ethnicity, child.religion
        if child.culture_request is Strength.ESSENTIAL and ethnicity and not vocabulary.ethnicity_group(ethnicity):
            yield "ethnicity", vocabulary.ethnicity_label(ethnicity)
        if child.religion_request is Strength.ESSENTIAL and religion == "other":
            yield "religion", vocabulary.religion_label(religion)

    def _wishes(self, between: Between) -> tuple[str, ...]:
        child = between.child
        wishes = []
        if child.culture_request is Strength.ESSENTIAL and child.ethnicity:
            wishes.append(vocabulary.ethnicity_label(child.ethnicity))
        if child.religion_request is Strength.ESSENTIAL and child.religion:
            wishes.append(vocabulary.religion_label(child.religion))
        return tuple(wishes)

    def _request(self, between: Between) -> str:
        return f"{between.child.id} asked for a visitor who is {listed(self._wishes(between))} too"


class AdditionalNeedsTraining(PairRule):
    id = "additional_needs_training"
    title = "The volunteer has had specific training for the child's additional needs"
    short = "without training for the child's needs"
    source = "NS 6.2; R 11"
    reads = ("child.additional_needs", "volunteer.needs_trained")

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        if path == "child.additional_needs":
            return super().needs(path, pairs, policy)
        return pairs.child.has("additional_needs")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        trained = pairs.in_common("additional_needs", "needs_trained")
        return np.asarray(trained == pairs.child.count("additional_needs"))

    def passing(self, between: Between, policy: Policy) -> str:
        if not between.child.additional_needs:
            return f"{between.child.id} has no additional needs."
        return f"{between.volunteer.id} is trained for {listed(between.child.additional_needs)}."

    def failing(self, between: Between, policy: Policy) -> str:
        untrained = sorted(set(between.child.additional_needs or ()) - set(between.volunteer.needs_trained or ()))
        return f"{between.volunteer.id} is not trained for {between.child.id}'s needs: {listed(untrained)}."


class Commitment(PairRule):
    id = "commitment"
    title = "The volunteer is committed for at least {months} months more, unless a shorter offer was accepted"
    short = "committed for too short a time"
    source = "S 5; N Expectations 1; NS 5"
    limits = {"months": Whole("months", 1, 120)}
    by_exception = True
    reads = ("volunteer.commitment_until",)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(self._least(pairs, policy) <= pairs.volunteer.commitment_until)

    def _least(self, pairs: Pairs, policy: Policy) -> Array:
        """Until when the volunteer has to be committed."""
        today = np.array([pairs.as_of])
        least = np.repeat(add_months(today, policy.number("rules.commitment.months")), len(pairs))
        for which, allowed in recorded_exceptions(pairs, ExceptionKind.SHORTER_COMMITMENT):
            least[which] = np.minimum(least[which], add_months(today, allowed.value or 0))
        return np.asarray(least)

    def worth_telling(self, between: Between, policy: Policy) -> bool:
        usual = add_months(np.array([between.pairs.as_of]), policy.number("rules.commitment.months"))
        return bool((between.pairs.volunteer.commitment_until < usual)[0])

    def passing(self, between: Between, policy: Policy) -> str:
        told = self._until(between)
        if not self.worth_telling(between, policy):
            return f"{told}."
        shorter = recorded_exceptions(between.pairs, ExceptionKind.SHORTER_COMMITMENT)
        allowed = min((one for _, one in shorter), key=lambda one: one.value or 0)
        return f"{told}, which is shorter than usual; {allowed_by(allowed, between.child.id)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{self._until(between)}; {day(self._least(between.pairs, policy)[0])} is needed."

    def _until(self, between: Between) -> str:
        return f"{between.volunteer.id} is committed until {day(between.volunteer.commitment_until)}"


class VolunteerLimits(PairRule):
    id = "volunteer_limits"
    title = "The child's age, needs and area are such as the volunteer said yes to"
    short = "beyond what the volunteer said yes to"
    source = "NS 7.4; S 8"
    reads = (
        "child.additional_needs",
        "volunteer.needs_accepted",
        "child.date_of_birth",
        "volunteer.youngest_age",
        "volunteer.oldest_age",
        "child.placement_council",
        "volunteer.areas",
    )

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        volunteer = pairs.volunteer
        if path == "volunteer.needs_accepted":
            return pairs.child.has("additional_needs")
        if path == "child.date_of_birth":
            return volunteer.known("youngest_age") | volunteer.known("oldest_age")
        if path == "child.placement_council":
            return volunteer.has("areas")
        # A volunteer who names no age and no area takes any.
        return np.full(len(pairs), path == "child.additional_needs")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return self._age(pairs) & self._needs(pairs) & self._area(pairs)

    def _age(self, pairs: Pairs) -> Bools:
        volunteer = pairs.volunteer
        age = pairs.child.each(lambda people: age_on(people.date_of_birth, pairs.as_of))
        old_enough = ~volunteer.known("youngest_age") | (age >= volunteer.youngest_age)
        return old_enough & (~volunteer.known("oldest_age") | (age <= volunteer.oldest_age))

    def _needs(self, pairs: Pairs) -> Bools:
        accepted = pairs.in_common("additional_needs", "needs_accepted")
        return np.asarray(accepted == pairs.child.count("additional_needs"))

    def _area(self, pairs: Pairs) -> Bools:
        area = cell(pairs.tables.volunteer.areas, pairs.volunteer_row, pairs.child.placement_council)
        return area | ~pairs.volunteer.has("areas")

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.child.id}'s age, needs and area are such as {between.volunteer.id} said yes to."

    def failing(self, between: Between, policy: Policy) -> str:
        pairs = between.pairs
        kept = {"age": self._age, "additional needs": self._needs, "area": self._area}
        broken = [what for what, keeps in kept.items() if not keeps(pairs)[0]]
        return f"{between.volunteer.id} has not said yes to {between.child.id}'s {listed(broken)}."
