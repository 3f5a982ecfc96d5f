"""The independent checker's word on one match: every pair rule again, in plain Python, from records and policy alone.

A fact that is not recorded never keeps a rule that needs it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from math import asin, cos, radians, sin, sqrt

from matcher.instance import Instance
from matcher.records import (
    Agreement,
    Child,
    ExceptionKind,
    MatchStatus,
    Place,
    Plan,
    RecordedException,
    Status,
    Strength,
    Volunteer,
)
from matcher.references import bare, one_name

CORE = frozenset(
    {
        "approved",
        "dbs_current",
        "references",
        "training",
        "child_agrees",
        "safeguarding_hold",
        "still_looked_after",
        "independent_of_authority",
        "independent_of_provider",
        "sibling_history",
        "not_declined",
    }
)
"""Pair rules that hold whatever a policy says, should one that switches them off ever get here."""


class PairAudit:
    """Checks one child with one volunteer. Each rule is a method of its name, and stands in `checks`."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.policy, self.today = instance, instance.policy, instance.as_of
        self.family = families(instance)
        self.visited_by: dict[str, set[str]] = defaultdict(set)
        self.no = {(between.child, between.volunteer) for between in instance.declined}
        for match in instance.matches:
            if match.status in (MatchStatus.CURRENT, MatchStatus.ENDED):
                self.visited_by[match.volunteer].add(match.child)
                self.no.add((match.child, match.volunteer))
        self.checks = (
            self.approved,
            self.minimum_age,
            self.dbs_current,
            self.references,
            self.training,
            self.right_to_work,
            self.vehicle_documents,
            self.medical_clearance,
            self.database_check,
            self.support_sessions,
            self.child_agrees,
            self.referral_age,
            self.referral_ready,
            self.placement_stable,
            self.safeguarding_hold,
            self.manager_approval,
            self.funding_agreed,
            self.still_looked_after,
            self.time_left,
            self.age_gap,
            self.travel,
            self.independent_of_authority,
            self.independent_of_provider,
            self.sibling_history,
            self.not_declined,
            self.known_to_child,
            self.requested_gender,
            self.language,
            self.requested_culture,
            self.additional_needs_training,
            self.commitment,
            self.volunteer_limits,
        )
        """One a pair rule, in the order of the rules: it tells whether the match keeps the rule of its name."""

    def broken(self, child: Child, volunteer: Volunteer) -> Iterator[str]:
        """The ids of the rules that the match breaks."""
        for check in self.checks:
            if self._holds(check.__name__) and not check(child, volunteer):
                yield check.__name__

    def _holds(self, rule: str) -> bool:
        return rule in CORE or self.policy.on(f"rules.{rule}")

    def _past(self, when: date | None) -> bool:
        return when is not None and when <= self.today

    def _lasts(self, when: date | None) -> bool:
        return when is not None and when >= self.today

    def _renewed(self, when: date | None, years: int) -> bool:
        """Whether something done on that day is in date: it is due again on the anniversary."""
        return when is not None and when <= self.today < years_later(when, years)

    # ---- the volunteer ---------------------------------------------------------------------------------------------

    def approved(self, child: Child, volunteer: Volunteer) -> bool:
        return volunteer.status is Status.APPROVED and self._past(volunteer.agreement_signed_on)

    def minimum_age(self, child: Child, volunteer: Volunteer) -> bool:
        born = volunteer.date_of_birth
        return born is not None and years_later(born, self.policy.number("rules.minimum_age.years")) < self.today

    def dbs_current(self, child: Child, volunteer: Volunteer) -> bool:
        return self._renewed(volunteer.dbs_checked_on, self.policy.number("rules.dbs_current.years"))

    def references(self, child: Child, volunteer: Volunteer) -> bool:
        accepted, professional = volunteer.references_accepted or 0, volunteer.professional_references or 0
        if accepted < self.policy.number("rules.references.accepted"):
            return False
        return professional >= self.policy.number("rules.references.professional")

    def training(self, child: Child, volunteer: Volunteer) -> bool:
        return self._past(volunteer.core_training_on) and self._past(volunteer.safeguarding_training_on)

    def right_to_work(self, child: Child, volunteer: Volunteer) -> bool:
        return volunteer.right_to_work is True

    def vehicle_documents(self, child: Child, volunteer: Volunteer) -> bool:
        if volunteer.drives is False:
            return True
        return (
            volunteer.drives is True
            and self._renewed(volunteer.licence_checked_on, self.policy.number("rules.vehicle_documents.years"))
            and self._lasts(volunteer.insured_until)
            and volunteer.insured_for_volunteering is True
            and self._lasts(volunteer.mot_until)
        )

    def medical_clearance(self, child: Child, volunteer: Volunteer) -> bool:
        if volunteer.medical_condition is None:
            return False
        return not volunteer.medical_condition or self._past(volunteer.medical_clearance_on)

    def database_check(self, child: Child, volunteer: Volunteer) -> bool:
        return self._renewed(volunteer.database_checked_on, self.policy.number("rules.database_check.years"))

    def support_sessions(self, child: Child, volunteer: Volunteer) -> bool:
        if not self.visited_by[volunteer.id]:
            return True
        attended = volunteer.support_sessions
        return attended is not None and attended >= self.policy.number("rules.support_sessions.a_year")

    # ---- the child -------------------------------------------------------------------------------------------------

    def child_agrees(self, child: Child, volunteer: Volunteer) -> bool:
        return child.agrees is Agreement.YES

    def referral_age(self, child: Child, volunteer: Volunteer) -> bool:
        born, referred = child.date_of_birth, child.referred_on
        if born is None or referred is None or self.today >= self._support_ends(born):
            return False
        return referred < years_later(born, self.policy.number("rules.referral_age.years"))

    def referral_ready(self, child: Child, volunteer: Volunteer) -> bool:
        if child.unaccompanied:
            return True
        if child.looked_after_since is None or not child.proceedings_concluded:
            return False
        ready = months_later(child.looked_after_since, self.policy.number("rules.referral_ready.months"))
        return ready <= self.today and child.long_term_plan in (Plan.FOSTERING, Plan.RESIDENTIAL)

    def placement_stable(self, child: Child, volunteer: Volunteer) -> bool:
        return child.placement_move_pending is False

    def safeguarding_hold(self, child: Child, volunteer: Volunteer) -> bool:
        return child.safeguarding_issue is False

    def manager_approval(self, child: Child, volunteer: Volunteer) -> bool:
        return child.manager_approved is True

    def funding_agreed(self, child: Child, volunteer: Volunteer) -> bool:
        if child.responsible_authority is None or child.placement_council is None:
            return False
        return child.responsible_authority == child.placement_council or child.funding_agreed is True

    def still_looked_after(self, child: Child, volunteer: Volunteer) -> bool:
        if child.looked_after is None or child.looked_after:
            return child.looked_after is True
        return self.policy.choice("rules.still_looked_after.after_care") == "if_agreed" and bool(
            child.continuing_agreed
        )

    def time_left(self, child: Child, volunteer: Volunteer) -> bool:
        born = child.date_of_birth
        if born is None:
            return False
        return months_later(self.today, self.policy.number("rules.time_left.months")) <= self._support_ends(born)

    def _support_ends(self, born: date) -> date:
        return years_later(born, self.policy.number("rules.referral_age.support_years"))

    # ---- the two ---------------------------------------------------------------------------------------------------

    def age_gap(self, child: Child, volunteer: Volunteer) -> bool:
        younger, older = child.date_of_birth, volunteer.date_of_birth
        if younger is None or older is None:
            return False
        return years_later(older, self.policy.number("rules.age_gap.years")) <= younger

    def travel(self, child: Child, volunteer: Volunteer) -> bool:
        if child.placement is None or volunteer.home is None or volunteer.travel_limit_metres is None:
            return False
        distance = metres(child.placement, volunteer.home)
        miles = self.policy.number("rules.travel.miles")
        return distance <= volunteer.travel_limit_metres and distance <= miles * 1609.344

    def independent_of_authority(self, child: Child, volunteer: Volunteer) -> bool:
        authority, connected = child.responsible_authority, volunteer.connected_authorities
        return authority is not None and connected is not None and authority not in connected

    def independent_of_provider(self, child: Child, volunteer: Volunteer) -> bool:
        if child.provider is None or volunteer.organisations is None:
            return False
        ours, theirs = ([_plainly(name) for name in names] for names in (child.provider, volunteer.organisations))
        return not any(one in other or other in one for one in ours for other in theirs)

    def known_to_child(self, child: Child, volunteer: Volunteer) -> bool:
        if volunteer.known_children is None:
            return False
        return child.id not in volunteer.known_children or bool(self._allowed(ExceptionKind.RELATIVE, child, volunteer))

    def sibling_history(self, child: Child, volunteer: Volunteer) -> bool:
        family = self.family.get(child.id)
        visited = [self.family.get(other) for other in self.visited_by[volunteer.id]]
        return family is not None and None not in visited and family not in visited

    def not_declined(self, child: Child, volunteer: Volunteer) -> bool:
        return (child.id, volunteer.id) not in self.no

    def language(self, child: Child, volunteer: Volunteer) -> bool:
        needed = child.needed_languages or child.languages or ()
        return any(language in (volunteer.languages or ()) for language in needed)

    def requested_gender(self, child: Child, volunteer: Volunteer) -> bool:
        if child.requested_gender_strength is not Strength.ESSENTIAL:
            return True
        return child.requested_gender is not None and child.requested_gender is volunteer.gender

    def requested_culture(self, child: Child, volunteer: Volunteer) -> bool:
        if child.culture_request is Strength.ESSENTIAL and (
            child.ethnicity in (None, "REFU", "NOBT") or child.ethnicity != volunteer.ethnicity
        ):
            return False
        if child.religion_request is not Strength.ESSENTIAL:
            return True
        return child.religion not in (None, "other") and child.religion == volunteer.religion

    def additional_needs_training(self, child: Child, volunteer: Volunteer) -> bool:
        if child.additional_needs is None:
            return False
        return all(need in (volunteer.needs_trained or ()) for need in child.additional_needs)

    def commitment(self, child: Child, volunteer: Volunteer) -> bool:
        if volunteer.commitment_until is None:
            return False
        shorter = [one.value or 0 for one in self._allowed(ExceptionKind.SHORTER_COMMITMENT, child, volunteer)]
        least = min([self.policy.number("rules.commitment.months"), *shorter])
        return volunteer.commitment_until >= months_later(self.today, least)

    def volunteer_limits(self, child: Child, volunteer: Volunteer) -> bool:
        if child.additional_needs is None:
            return False
        born, youngest, oldest = child.date_of_birth, volunteer.youngest_age, volunteer.oldest_age
        if youngest is not None and (born is None or years_later(born, youngest) > self.today):
            return False
        if oldest is not None and (born is None or years_later(born, oldest + 1) <= self.today):
            return False
        if volunteer.areas and child.placement_council not in volunteer.areas:
            return False
        return all(need in (volunteer.needs_accepted or ()) for need in child.additional_needs)

    def _allowed(self, kind: ExceptionKind, child: Child, volunteer: Volunteer) -> list[RecordedException]:
        pair = (child.id, volunteer.id)
        recorded = [one for one in self.instance.exceptions if one.kind is kind]
        return [one for one in recorded if (one.child or child.id, one.volunteer) == pair]


def years_later(day: date, years: int) -> date:
    """The same day `years` later; of 29 February, 1 March in other years."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 2, 28) + timedelta(days=1)


def months_later(day: date, months: int) -> date:
    """The same day of the month `months` later; what that month lacks of days runs over into the next."""
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1) + timedelta(days=day.day - 1)


def metres(a: Place, b: Place) -> int:
    """Great-circle distance in whole metres, by the haversine formula on the mean earth radius."""
    north, south = radians(a.latitude), radians(b.latitude)
    half = sin((south - north) / 2) ** 2
    half += cos(north) * cos(south) * sin(radians(b.longitude - a.longitude) / 2) ** 2
    return round(2 * 6_371_008.8 * asin(sqrt(min(half, 1.0))))


def _plainly(name: str) -> str:
    """An organisation's name with a blank on either side of each word: one name within another is then its words."""
    return "".join(f" {re.sub('(?<=...)s$', '', bare(word))} " for word in (one_name(name) or name).split())


def families(instance: Instance) -> dict[str, int]:
    """A number a family for each child whose family is recorded: numbers spread along links until nothing changes."""
    written = [(child.id, child.family) for child in instance.children if child.family is not None]
    written += [(match.child, match.family) for match in instance.matches if match.family is not None]
    # A reference may be a sibling's own id, and capitals mean nothing: a link joins two names of one kind.
    links = [(child.casefold(), family.casefold()) for child, family in written]
    names = sorted({name for link in links for name in link})
    number = {name: place for place, name in enumerate(names)}
    changed = True
    while changed:
        changed = False
        for one, other in links:
            least = min(number[one], number[other])
            if number[one] != least or number[other] != least:
                number[one] = number[other] = least
                changed = True
    people = sorted({child.id for child in instance.children} | {match.child for match in instance.matches})
    return {child: number[child.casefold()] for child in people if child.casefold() in number}
