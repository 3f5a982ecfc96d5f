"""Scores of what the volunteer brings, and of what the two would like of each other."""

from __future__ import annotations

import numpy as np

from matcher.columns import Table
from matcher.pairs import NOT_RECORDED, Array, Between, Bools, Ints, Pairs, code
from matcher.policy import WEIGHT, Choice, Policy, Whole
from matcher.records import Rhythm, Strength
from matcher.rules.base import add_months, age_on
from matcher.scores.base import Part, PartedScore, Score
from matcher.words import day, listed


class CareExperience(Score):
    id = "care_experience"
    title = "A volunteer who was in care, where the child would like one"
    source = "NS 5.7"
    reads = ("volunteer.care_experience",)

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.child.likes_care_experience == 1)

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        return np.where(pairs.volunteer.care_experience == 1, 1.0, 0.0)

    def words(self, between: Between, policy: Policy) -> str:
        was = "was" if between.volunteer.care_experience else "was not"
        return f"{between.child.id} would like a visitor who was in care; {between.volunteer.id} {was}."


class NeedsExperience(Score):
    id = "needs_experience"
    title = "Experience with the child's additional needs"
    source = "NS 6.2; R App. 2"
    reads = ("child.additional_needs", "volunteer.needs_experience")
    protected = ("disability",)

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        # A child who is recorded to have no additional need is suited less by nobody.
        return np.asarray(~pairs.child.known("additional_needs") | pairs.child.has("additional_needs"))

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        met = pairs.in_common("additional_needs", "needs_experience")
        return np.asarray(met / np.maximum(pairs.child.count("additional_needs"), 1))

    def words(self, between: Between, policy: Policy) -> str:
        needs, known = between.child.additional_needs or (), between.volunteer.needs_experience or ()
        met = [need for need in needs if need in known]
        return f"Has experience with {listed(met)}." if met else f"No experience with {listed(needs)} is recorded."


class CommitmentLength(Score):
    id = "commitment_length"
    title = "A commitment of more than {from_months} months, up to {to_months}"
    source = "NS 5.1"
    limits = {"weight": WEIGHT, "from_months": Whole("months", 0, 120), "to_months": Whole("months", 1, 240)}
    ordered = ("from_months", "to_months")
    reads = ("volunteer.commitment_until",)

    def fit(self, pairs: Pairs, policy: Policy) -> Array:
        path, today = "scores.commitment_length", np.array([pairs.as_of])
        first = add_months(today, policy.number(f"{path}.from_months"))
        last = add_months(today, policy.number(f"{path}.to_months"))
        beyond = (pairs.volunteer.commitment_until - first).astype(np.int64)
        span = np.maximum((last - first).astype(np.int64), 1)
        return np.asarray(np.clip(beyond / span, 0, 1))

    def words(self, between: Between, policy: Policy) -> str:
        return f"{between.volunteer.id} has committed to visit until {day(between.volunteer.commitment_until)}."


class VisitRhythm(PartedScore):
    id = "visit_rhythm"
    title = "Visits as often as hoped ({hoped} where the child has not said), at times that suit"
    source = "N Expectations 1; R App. 2; S 5; NS 8.1"
    limits = {"weight": WEIGHT, "hoped": Choice(tuple(Rhythm))}
    reads = ("volunteer.possible_visits", "child.free_times", "volunteer.free_times")

    def parts(self, pairs: Pairs, policy: Policy) -> tuple[Part, ...]:
        child, volunteer = pairs.child, pairs.volunteer
        a_month = np.array([4, 2, 1])  # as Rhythm lists them
        policys = code(Rhythm(policy.choice("scores.visit_rhythm.hoped")))
        hoped = a_month[np.where(child.known("hoped_visits"), child.hoped_visits, policys)]
        times = child.known("free_times") & volunteer.known("free_times")
        return (
            Part(
                np.ones(len(pairs), dtype=np.bool_),
                volunteer.known("possible_visits"),
                np.minimum(a_month[volunteer.possible_visits] / hoped, 1),
            ),
            Part(
                ~child.known("free_times") | child.has("free_times"),
                times,
                _yes(pairs.in_common("free_times", "free_times") > 0),
            ),
        )

    def told(self, between: Between, policy: Policy) -> tuple[str, ...]:
        child, volunteer = between.child, between.volunteer
        hoped = child.hoped_visits or policy.choice("scores.visit_rhythm.hoped")
        both = [time for time in child.free_times or () if time in (volunteer.free_times or ())]
        wish = (
            f"{child.id} hopes for {hoped} visits"
            if child.hoped_visits
            else f"no wish of {child.id} is recorded, and the policy hopes for {hoped} visits"
        )
        return (
            f"{volunteer.id} can visit {volunteer.possible_visits}; {wish}.",
            f"Both are free: {listed(both)}." if both else "No time that suits both is recorded.",
        )


class Preferences(PartedScore):
    id = "preferences"
    title = "Wishes short of requirements, of the child and of the volunteer: gender, age, pets"
    source = "N Expectations 6; NS 7.3; NS 7.4"
    reads = ("child.gender", "child.date_of_birth", "volunteer.gender", "volunteer.date_of_birth", "volunteer.has_dog")
    protected = ("sex", "age")

    def parts(self, pairs: Pairs, policy: Policy) -> tuple[Part, ...]:
        child, volunteer = pairs.child, pairs.volunteer
        prefers = child.known("requested_gender") & (child.requested_gender_strength == code(Strength.PREFERRED))
        return (
            Part(prefers, volunteer.known("gender"), _yes(child.requested_gender == volunteer.gender)),
            _aged(child.prefers_from_age, child.prefers_to_age, volunteer, pairs),
            Part(child.fears_animals == 1, volunteer.known("has_dog"), _yes(volunteer.has_dog == 0)),
            Part(
                volunteer.known("preferred_gender"),
                child.known("gender"),
                _yes(volunteer.preferred_gender == child.gender),
            ),
            _aged(volunteer.prefers_from_age, volunteer.prefers_to_age, child, pairs),
        )

    def told(self, between: Between, policy: Policy) -> tuple[str, ...]:
        child, volunteer = between.child, between.volunteer
        met = [bool(part.fit[0]) for part in self.parts(between.pairs, policy)]
        ages = _ages(child.prefers_from_age, child.prefers_to_age)
        childs = _ages(volunteer.prefers_from_age, volunteer.prefers_to_age)
        dog = "brings a dog" if volunteer.has_dog else "brings no dog"
        return (
            f"{child.id} would like a visitor who is {child.requested_gender}; {_is(volunteer.id, met[0])}.",
            f"{child.id} would like a visitor {ages}; {_is(volunteer.id, met[1])}.",
            f"{child.id} is afraid of animals; {volunteer.id} {dog}.",
            f"{volunteer.id} would rather visit a child who is {volunteer.preferred_gender}; {_is(child.id, met[3])}.",
            f"{volunteer.id} would rather visit a child {childs}; {_is(child.id, met[4])}.",
        )


def _aged(least: Ints, most: Ints, people: Table, pairs: Pairs) -> Part:
    """Whether somebody's completed years are between two ages, both allowed and either open."""
    age = people.each(lambda everyone: age_on(everyone.date_of_birth, pairs.as_of))
    old_enough = (least == NOT_RECORDED) | (age >= least)
    young_enough = (most == NOT_RECORDED) | (age <= most)
    asked = (least != NOT_RECORDED) | (most != NOT_RECORDED)
    return Part(asked, people.known("date_of_birth"), _yes(old_enough & young_enough))


def _ages(least: int | None, most: int | None) -> str:
    if least is None:
        return f"of {most} or younger"
    return f"of {least} or older" if most is None else f"between {least} and {most}"


def _is(id: str, met: bool) -> str:
    return f"{id} is" if met else f"{id} is not"


def _yes(holds: Bools) -> Array:
    return np.where(holds, 1.0, 0.0)
