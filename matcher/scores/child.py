"""Priorities: points that a child brings, whichever the volunteer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from matcher.geography import METRES_PER_MILE
from matcher.pairs import Between, Bools, Ints, Pairs, code
from matcher.policy import Policy, Whole
from matcher.records import Contact, Party
from matcher.rules.base import add_months
from matcher.scores.base import Priority
from matcher.words import council, day


class NoParentalContact(Priority):
    id = "no_parental_contact"
    title = "No, or infrequent, contact with parents; or not visited for {months} months"
    source = "CA; R 3; N Definition; N Referral process"
    limits = {"points": Whole("points", 0, 100_000), "months": Whole("months", 1, 60)}
    reads = ("child.parental_contact",)

    def holds(self, pairs: Pairs, policy: Policy) -> Bools:
        """Whether the child counts as without parental contact. What is not recorded does not count."""
        seldom = np.isin(pairs.child.parental_contact, [code(Contact.NONE), code(Contact.INFREQUENT)])
        return np.asarray(seldom | self._not_visited(pairs, policy))

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
        waited = (pairs.as_of - pairs.child.waits_since).astype(np.int64)
        counted = np.clip(waited, 0, policy.number("priorities.waiting_time.most_days"))
        points = counted * policy.number("priorities.waiting_time.points_a_day")
        return np.where(pairs.child.known("referred_on"), points, 0)

    def words(self, between: Between, policy: Policy) -> str:
        since = between.child.waits_since
        if since is None:
            return "The day of referral is not recorded."
        return f"Waits since {day(since)}, {(between.instance.as_of - since).days} days."


class EndedByVolunteer(Priority):
    id = "ended_by_volunteer"
    title = "The last visitor ended the match"
    source = "NS 7.8"

    def holds(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.child.last_ended_by == code(Party.VOLUNTEER))

    def words(self, between: Between, policy: Policy) -> str:
        held = self.holds(between.pairs, policy)[0]
        return "The last visitor ended the match." if held else "No visitor has ended the match."


class PlacedAtDistance(Priority):
    id = "placed_at_distance"
    title = "Placed out of the authority, or {miles} miles or more from home"
    source = "R 3; S 2.1; NS 1.4"
    limits = {"points": Whole("points", 0, 100_000), "miles": Whole("miles", 1, 1000)}
    reads = ("child.responsible_authority", "child.placement_council")

    def holds(self, pairs: Pairs, policy: Policy) -> Bools:
        known = pairs.known("child.responsible_authority") & pairs.known("child.placement_council")
        out = known & (pairs.child.placement_council != pairs.child.responsible_authority)
        far = policy.number("priorities.placed_at_distance.miles") * METRES_PER_MILE
        return np.asarray(out | (pairs.child.metres_from_home >= int(far)))

    def words(self, between: Between, policy: Policy) -> str:
        child = between.child
        if child.metres_from_home is not None and self.holds(between.pairs, policy)[0]:
            miles = child.metres_from_home / METRES_PER_MILE
            return f"Placed {miles:.3g} miles from home, in {council(child.placement_council)}."
        if child.placement_council is None or child.responsible_authority is None:
            return "Whether the child is placed at a distance is not recorded."
        return f"Placed in {council(child.placement_council)}."


class Residential(Priority):
    id = "residential"
    title = "Placed in a residential setting"
    source = "R 3; S 2.1"
    reads = ("child.placement_type",)

    def holds(self, pairs: Pairs, policy: Policy) -> Bools:
        return pairs.child.residential

    def words(self, between: Between, policy: Policy) -> str:
        told = between.child.placement_type
        return f"Placement: {told}." if told else "The type of placement is not recorded."


class _Told(Priority):
    """A yes or no that the referral gives."""

    fact: ClassVar[str]
    yes: ClassVar[str]
    no: ClassVar[str]

    def holds(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(getattr(pairs.child, self.fact) == 1)

    def words(self, between: Between, policy: Policy) -> str:
        told = getattr(between.child, self.fact)
        return f"{self.title}: not recorded." if told is None else self.yes if told else self.no


class CannotGoOutAlone(_Told):
    id = "cannot_go_out_alone"
    title = "Unable to go out independently, or hard to communicate and build relationships"
    source = "R 3; S 2.1"
    reads = ("child.cannot_go_out_alone",)
    fact = "cannot_go_out_alone"
    yes = "Cannot go out alone, or finds it hard to communicate or to build relationships."
    no = "Can go out alone, and builds relationships."


class AtRiskFromPeers(_Told):
    id = "at_risk_from_peers"
    title = "Likely to be put at risk by peer pressure or older people"
    source = "R 3; S 2.1"
    reads = ("child.at_risk_from_peers",)
    fact = "at_risk_from_peers"
    yes = "Likely to be put at risk by peers or older people."
    no = "Not likely to be put at risk by peers or older people."


class EducationAndHealth(_Told):
    id = "education_and_health"
    title = "A visitor would help the child's education and health"
    source = "R 3; S 2.1"
    reads = ("child.helps_education_or_health",)
    fact = "helps_education_or_health"
    yes = "A visitor would help with education or health."
    no = "No special help with education or health is expected."
