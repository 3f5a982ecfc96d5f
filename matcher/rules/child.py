"""Pair rules about the child alone."""

from __future__ import annotations

import numpy as np

from matcher.pairs import NO, YES, Array, Between, Bools, Pairs, code
from matcher.policy import Choice, Policy, Whole
from matcher.records import Agreement, Plan
from matcher.rules.base import Confirmed, PairRule, add_months, add_years
from matcher.words import council, day


class ChildAgrees(PairRule):
    id = "child_agrees"
    title = "The child has agreed to have a visitor"
    short = "without the child's agreement"
    source = "CA (6); NS 2.3; S 2"
    about = "child"
    core = True
    reads = ("child.agrees",)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.child.agrees == code(Agreement.YES))

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.child.id} has agreed to have a visitor."

    def failing(self, between: Between, policy: Policy) -> str:
        if between.child.agrees is Agreement.NO:
            return f"{between.child.id} does not want a visitor. That is final until the child says otherwise."
        return f"{between.child.id} has not been asked yet whether they would like a visitor."


class ReferralAge(PairRule):
    id = "referral_age"
    title = "The child was under {years} when referred, and support ends at {support_years}"
    short = "beyond the age for a visitor"
    source = "N Age limits; S 12.1.9"
    about = "child"
    limits = {"years": Whole("years", 1, 18), "support_years": Whole("years", 18, 25)}
    reads = ("child.date_of_birth", "child.referred_on")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        grown = add_years(pairs.child.date_of_birth, policy.number("rules.referral_age.years"))
        return np.asarray((pairs.child.referred_on < grown) & (pairs.as_of < support_ends(pairs, policy)))

    def passing(self, between: Between, policy: Policy) -> str:
        years, support = self._years(policy)
        return f"{between.child.id} was referred before turning {years} and is under {support}, when support ends."

    def failing(self, between: Between, policy: Policy) -> str:
        years, support = self._years(policy)
        if between.pairs.as_of >= support_ends(between.pairs, policy)[0]:
            return f"{between.child.id} is {support} or older: support has ended."
        return f"{between.child.id} was {years} or older when referred."

    def _years(self, policy: Policy) -> tuple[int, int]:
        return policy.number("rules.referral_age.years"), policy.number("rules.referral_age.support_years")


class ReferralReady(PairRule):
    id = "referral_ready"
    title = (
        "The child has been looked after for {months} months, the proceedings are concluded and the long-term plan is "
        "fostering or residential care, or the child is an unaccompanied asylum seeker"
    )
    short = "not ready to be referred"
    source = "NP"
    about = "child"
    limits = {"months": Whole("months", 0, 60)}
    reads = (
        "child.looked_after_since",
        "child.proceedings_concluded",
        "child.long_term_plan",
        "child.unaccompanied",
    )

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        # Who is not known to be unaccompanied is not exempt.
        return np.asarray((pairs.child.unaccompanied != YES) & (path != "child.unaccompanied"))

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        child = pairs.child
        long_enough = add_months(child.looked_after_since, policy.number("rules.referral_ready.months")) <= pairs.as_of
        settled = np.isin(child.long_term_plan, (code(Plan.FOSTERING), code(Plan.RESIDENTIAL)))
        ready = long_enough & settled & (child.proceedings_concluded == YES)
        return np.asarray(ready | (child.unaccompanied == YES))

    def passing(self, between: Between, policy: Policy) -> str:
        if between.child.unaccompanied:
            return f"{between.child.id} is an unaccompanied asylum-seeking child: nothing has to be concluded first."
        return f"{self._state(between)}."

    def failing(self, between: Between, policy: Policy) -> str:
        months = policy.number("rules.referral_ready.months")
        return (
            f"{self._state(between)}; {months} months, concluded proceedings and a plan of fostering or residential "
            "care are needed."
        )

    def _state(self, between: Between) -> str:
        child = between.child
        concluded = "are concluded" if child.proceedings_concluded else "are not concluded"
        return (
            f"{child.id} has been looked after since {day(child.looked_after_since)}, the proceedings {concluded}, "
            f"and the long-term plan is {child.long_term_plan}"
        )


class PlacementStable(Confirmed):
    id = "placement_stable"
    title = "The child is not about to move placement"
    short = "about to move placement"
    source = "NP"
    about = "child"
    reads = ("child.placement_move_pending",)
    wanted = False
    says = ("{id} is not about to move placement.", "{id} is about to move placement.")


class SafeguardingHold(Confirmed):
    id = "safeguarding_hold"
    title = "No serious safeguarding issue of the referral is unresolved"
    short = "held for a safeguarding issue"
    source = "NP"
    about = "child"
    core = True
    reads = ("child.safeguarding_issue",)
    wanted = False
    says = (
        "{id}'s referral has no unresolved safeguarding issue.",
        "{id}'s referral has a serious safeguarding issue that is not resolved.",
    )


class ManagerApproval(Confirmed):
    id = "manager_approval"
    title = "The team manager has approved the referral"
    short = "without the manager's approval"
    source = "R 13"
    about = "child"
    reads = ("child.manager_approved",)
    says = ("The team manager has approved {id}'s referral.", "The team manager has not approved {id}'s referral.")


class FundingAgreed(Confirmed):
    id = "funding_agreed"
    title = "For a child placed out of county, the manager agrees to pay"
    short = "without agreed funding"
    source = "NP"
    about = "child"
    reads = ("child.funding_agreed", "child.responsible_authority", "child.placement_council")
    says = ("The manager agrees to pay for {id}'s visitor.", "The manager has not agreed to pay for {id}'s visitor.")

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        return outside(pairs) if path == "child.funding_agreed" else super().needs(path, pairs, policy)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return super().passes(pairs, policy) | ~outside(pairs)

    def passing(self, between: Between, policy: Policy) -> str:
        if not outside(between.pairs)[0]:
            return f"{between.child.id} is placed in {council(between.child.placement_council)}: nothing is to be paid."
        return super().passing(between, policy)


class StillLookedAfter(PairRule):
    id = "still_looked_after"
    title = "The child is looked after, or the policy's continuing arrangement applies"
    short = "no longer looked after"
    source = "S 15.1"
    about = "child"
    core = True
    limits = {"after_care": Choice(("never", "if_agreed"))}
    reads = ("child.looked_after", "child.continuing_agreed")

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        if path == "child.looked_after":
            return super().needs(path, pairs, policy)
        return np.asarray((pairs.child.looked_after == NO) & self._may_continue(policy))

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        continued = (pairs.child.continuing_agreed == YES) & self._may_continue(policy)
        return np.asarray((pairs.child.looked_after == YES) | continued)

    def passing(self, between: Between, policy: Policy) -> str:
        if between.child.looked_after:
            return f"{between.child.id} is looked after."
        return f"{between.child.id}'s care has ended, and it is agreed that a visitor comes all the same."

    def failing(self, between: Between, policy: Policy) -> str:
        if not self._may_continue(policy):
            return f"{between.child.id}'s care has ended."
        return f"{between.child.id}'s care has ended, and it is not agreed that a visitor comes all the same."

    def _may_continue(self, policy: Policy) -> bool:
        return policy.choice("rules.still_looked_after.after_care") == "if_agreed"


class TimeLeft(PairRule):
    id = "time_left"
    title = "At least {months} months are left before support ends"
    short = "too near the end of support"
    source = "N Age limits; S 12.1.9; NS 5"
    about = "child"
    limits = {"months": Whole("months", 0, 60)}
    reads = ("child.date_of_birth",)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        least = add_months(np.array([pairs.as_of]), policy.number("rules.time_left.months"))[0]
        return np.asarray(least <= support_ends(pairs, policy))

    def passing(self, between: Between, policy: Policy) -> str:
        months, years = self._limits(policy)
        return f"{between.child.id} can be supported for {months} months or more, until the age of {years}."

    def failing(self, between: Between, policy: Policy) -> str:
        months, years = self._limits(policy)
        return f"{between.child.id} is too near the age of {years}, when support ends: {months} months are needed."

    def _limits(self, policy: Policy) -> tuple[int, int]:
        return policy.number("rules.time_left.months"), policy.number("rules.referral_age.support_years")


def support_ends(pairs: Pairs, policy: Policy) -> Array:
    """The birthday from which the policy supports a match no longer."""
    return add_years(pairs.child.date_of_birth, policy.number("rules.referral_age.support_years"))


def outside(pairs: Pairs) -> Bools:
    """Whether the child is placed in another council than the one responsible. Read where both are recorded."""
    return np.asarray(pairs.child.placement_council != pairs.child.responsible_authority)
