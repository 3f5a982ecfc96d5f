"""Small records that keep every rule, and instances made at random: what the tests of the matcher are built from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from math import pi
from typing import Any

import numpy as np

from matcher.catalogue import CATALOGUE, load_policy
from matcher.geography import EARTH_RADIUS_METRES
from matcher.instance import Instance
from matcher.pairs import Pairs, tables
from matcher.policy import Policy
from matcher.records import (
    Agreement,
    Authority,
    Child,
    Contact,
    Declined,
    ExceptionKind,
    Gender,
    Match,
    MatchStatus,
    Need,
    Party,
    Place,
    Plan,
    RecordedException,
    Rhythm,
    Status,
    Strength,
    Time,
    Volunteer,
)

AS_OF = date(2026, 11, 1)
YESTERDAY, TOMORROW = date(2026, 10, 31), date(2026, 11, 2)
NORTH, WEST = "E06000061", "E06000062"  # the two councils of Northamptonshire


def _fortnightly() -> Policy:
    """The national policy with visits every fortnight: 24 a year are what the arithmetic of the tests counts with."""
    national = load_policy("national")
    sections = {section: {name: dict(entry) for name, entry in of.items()} for section, of in national.sections.items()}
    sections["constraints"]["out_of_county_budget"]["visits_a_year"] = 24
    sections["scores"]["visit_rhythm"]["hoped"] = "fortnightly"
    return replace(national, sections=sections)


NATIONAL = _fortnightly()


def a_place(metres: float = 0.0) -> Place:
    """A point so many metres north of 52.24 N, 0.90 W: along a meridian, an angle is a distance."""
    latitude = 52.24 + metres * 180 / (pi * EARTH_RADIUS_METRES)
    return Place(f"{latitude}, -0.9", latitude, -0.9, "point")


def a_child(id: str = "C1", **changes: Any) -> Child:
    """A girl of 14, placed inside her county, who waits for 30 days. She and `a_volunteer` keep every rule."""
    return replace(
        Child(
            id,
            date_of_birth=date(2012, 5, 17),
            gender=Gender.FEMALE,
            responsible_authority=WEST,
            placement=a_place(),
            placement_council=WEST,
            family=id,
            ethnicity="WBRI",
            culture_request=Strength.NONE,
            languages=("en",),
            interests=("football",),
            agrees=Agreement.YES,
            parental_contact=Contact.REGULAR,
            unaccompanied=False,
            referred_on=date(2026, 10, 2),
            religion="christian",
            religion_request=Strength.NONE,
            additional_needs=(),
            provider=(),
            looked_after=True,
            looked_after_since=date(2023, 2, 15),
            proceedings_concluded=True,
            long_term_plan=Plan.FOSTERING,
            placement_move_pending=False,
            safeguarding_issue=False,
            manager_approved=True,
            funding_agreed=True,
            metres_from_home=0,
            cannot_go_out_alone=False,
            at_risk_from_peers=False,
            helps_education_or_health=False,
            free_times=(Time.WEEKEND,),
            fears_animals=False,
        ),
        **changes,
    )


def a_volunteer(id: str = "V1", **changes: Any) -> Volunteer:
    """A woman of 36 next door to `a_child`, who travels up to 10 km."""
    return replace(
        Volunteer(
            id,
            date_of_birth=date(1990, 3, 8),
            gender=Gender.FEMALE,
            home=a_place(),
            ethnicity="WBRI",
            languages=("en",),
            interests=("football",),
            status=Status.APPROVED,
            agreement_signed_on=date(2026, 1, 15),
            dbs_checked_on=date(2026, 1, 10),
            connected_authorities=(),
            travel_limit_metres=10_000,
            references_accepted=2,
            professional_references=1,
            core_training_on=date(2025, 12, 20),
            safeguarding_training_on=date(2025, 12, 20),
            right_to_work=True,
            drives=False,
            medical_condition=False,
            database_checked_on=date(2025, 12, 12),
            support_sessions=4,
            organisations=(),
            known_children=(),
            religion="christian",
            needs_trained=(),
            needs_accepted=(),
            commitment_until=date(2031, 12, 31),
            care_experience=False,
            needs_experience=(),
            possible_visits=Rhythm.FORTNIGHTLY,
            free_times=(Time.WEEKEND,),
            has_dog=False,
        ),
        **changes,
    )


def an_exception(
    kind: ExceptionKind, volunteer: str = "V1", child: str | None = None, value: int | None = None
) -> RecordedException:
    return RecordedException(kind, "It fits", "Team manager", date(2026, 10, 1), volunteer, child, value)


def an_instance(
    children: Sequence[Child], volunteers: Sequence[Volunteer], *, policy: Policy = NATIONAL, as_of: date = AS_OF,
    **rest: Any,
) -> Instance:  # fmt: skip
    return Instance.of(children, volunteers, policy=policy, as_of=as_of, **rest)


def a_policy(limits: Mapping[str, Any] | None = None, **top: Any) -> Policy:
    """The national policy with other lines: `a_policy({"rules.travel.miles": 5}, minimum_fit=300)`."""
    sections = {section: {name: dict(entry) for name, entry in of.items()} for section, of in NATIONAL.sections.items()}
    for path, value in (limits or {}).items():
        section, name, key = path.split(".")
        sections[section].setdefault(name, {})[key] = value
    return replace(NATIONAL, sections=sections, **top).checked(CATALOGUE)


def every_pair(instance: Instance) -> Pairs:
    """Each child who waits with each volunteer, whatever the rules say."""
    children, volunteers = np.arange(len(instance.waiting)), np.arange(len(instance.volunteers))
    return tables(instance).pairs_within(children, volunteers, None)


def ids_of(pairs: Pairs) -> list[tuple[str, str]]:
    every = [pairs.between(row) for row in range(len(pairs))]
    return [(between.child.id, between.volunteer.id) for between in every]


# ---- at random ------------------------------------------------------------------------------------------------------

TIERS = (
    ("points",),
    ("children_matched", "points"),
    ("children_without_parental_contact", "children_matched", "fit"),
    ("children_without_parental_contact", "points"),
    ("priority", "fit"),
    ("fit",),
    ("fit", "children_without_parental_contact", "priority"),
)

COUNCILS_ASK = [
    "right_to_work", "vehicle_documents", "medical_clearance", "database_check", "support_sessions", "referral_ready",
    "placement_stable", "manager_approval", "funding_agreed",
]  # fmt: skip
"""Rules that `national` leaves out, and an authority may ask for."""

_BORN_NEAR_A_LIMIT = [date(2005, 10, 31), date(2005, 11, 1), date(2005, 11, 2), date(2004, 2, 29)]
_CHECKED_NEAR_A_LIMIT = [date(2023, 10, 31), date(2023, 11, 1), date(2023, 11, 2), date(2026, 11, 1), date(2026, 11, 2)]
BUDGET = "constraints.out_of_county_budget"
_MATTERS_OF_TASTE = [
    {"rules.travel.miles": 1},
    {"rules.travel.miles": 4},
    {"rules.travel.on": False},
    {"rules.minimum_age.on": False},
    {"rules.age_gap.on": False},
    {"rules.requested_gender.on": False},
    {"rules.language.on": False},
    {"rules.dbs_current.years": 1},
    {"rules.still_looked_after.after_care": "if_agreed"},
    {"rules.referral_age.support_years": 18},
    {"constraints.capacity.children": 2},
    {"constraints.capacity.children": 2},
    {"constraints.capacity.children": 2},
    {"constraints.capacity.on": False},
    {f"{BUDGET}.on": False},
    {f"{BUDGET}.method": "spot_purchase", f"{BUDGET}.spot_purchase_pounds": 30},
    {"scores.culture.when": "always"},
    {"scores.culture.on": False},
    {"scores.interests.weight": 0},
    {"priorities.no_parental_contact.on": False},
    {"priorities.waiting_time.points_a_day": 3},
]  # fmt: skip


class Chance:
    """Instances of up to `most` children and as many volunteers, with many limits near and many facts missing.

    The same seed makes the same instances. Four can be held against every plan there is.
    """

    def __init__(self, seed: int, most: int = 4) -> None:
        self._dice = np.random.default_rng(seed)
        self._sizes = [0, 2, 3, *[most] * 5]
        self._missing = 0.0

    def instances(self, number: int) -> Iterator[Instance]:
        for _ in range(number):
            yield self.instance()

    def instance(self) -> Instance:
        self._missing = self._one([0.0, 0.0, 0.01, 0.2])
        children = [self._child(f"C{n}") for n in range(1, self._one(self._sizes) + 1)]
        volunteers = [self._volunteer(f"V{n}") for n in range(1, self._one(self._sizes) + 1)]
        children = [replace(child, **self._scored_of_child()) for child in children]
        volunteers = [replace(volunteer, **self._scored_of_volunteer()) for volunteer in volunteers]
        return an_instance(
            children,
            volunteers,
            policy=self._policy(),
            matches=self._matches(children, volunteers) + self._pins(children, volunteers),
            declined=self._declined(children, volunteers),
            authorities=[self._authority(code) for code in (NORTH, WEST) if not self._rarely()],
            exceptions=self._exceptions(children, volunteers),
        )

    def _policy(self) -> Policy:
        limits: dict[str, Any] = {}
        for _ in range(self._one([0, 1, 2, 3])):
            limits |= self._one(_MATTERS_OF_TASTE)
        if self._dice.random() < 0.5:
            limits |= {f"rules.{rule}.on": True for rule in self._some(COUNCILS_ASK)}
        limits |= {
            "constraints.siblings_together.how": self._one(["off", "preferred", "preferred", "required", "required"]),
            "constraints.siblings_together.points": self._one([0, 30, 1500]),
            "constraints.partners_apart.on": self._one([True, False]),
            "constraints.coordinator_caseload.matches": self._one([1, 2, 3, 35]),
        }
        if self._rarely():
            limits |= {"constraints.pinned.on": False, "constraints.coordinator_caseload.on": False}
        return a_policy(limits, tiers=self._one(TIERS), minimum_fit=self._one([0, 0, 0, 400, 700]))

    def _child(self, id: str) -> Child:
        born = self._one([date(2010, 1, 20), date(2012, 10, 31), date(2012, 11, 1), date(2012, 11, 2)])
        if self._rarely():
            born = self._one([date(2005, 11, 2), date(2006, 10, 31), date(2006, 11, 1), date(2008, 9, 22)])
        agrees = Agreement.YES if self._mostly() else self._one(list(Agreement))
        return Child(
            id,
            date_of_birth=self._fact(born),
            gender=self._fact(self._one(list(Gender))),
            responsible_authority=self._fact(self._one([WEST, WEST, NORTH])),
            placement=self._fact(a_place(self._one([0, 0, 1609, 3000]))),
            placement_council=self._fact(self._one([WEST, WEST, NORTH])),
            family=self._fact(self._one([id, "F1", "F1", "F2"])),
            ethnicity=self._fact(self._one(["WBRI", "BCRB", "BAFR", "REFU"])),
            culture_request=self._fact(self._one([*Strength, Strength.NONE, Strength.PREFERRED, Strength.PREFERRED])),
            languages=self._fact(self._one([("en",), ("en", "ti"), ("ar", "en", "ti"), ("ti",)])),
            needed_languages=self._one([("ti",), ("ar", "ti")]) if self._rarely() else (),
            interests=self._fact(self._some(["football", "chess", "cooking"])),
            agrees=self._fact(agrees),
            requested_gender=self._fact(self._one(list(Gender))),
            requested_gender_strength=self._one([*Strength, Strength.ESSENTIAL, Strength.NONE]),
            parental_contact=self._fact(self._one(list(Contact))),
            last_parental_visit=self._one([None, date(2025, 10, 31), date(2025, 11, 1), date(2026, 9, 1)]),
            referred_on=self._fact(AS_OF - timedelta(days=self._one([0, 1, 40, 400, 900]))),
            unaccompanied=self._usual(False, True),
            looked_after=self._usual(True, False),
            continuing_agreed=self._usual(True, False),
            looked_after_since=self._usual(date(2025, 11, 1), date(2025, 11, 2), date(2024, 2, 29)),
            proceedings_concluded=self._usual(True, False),
            long_term_plan=self._fact(self._one([Plan.FOSTERING, Plan.FOSTERING, *Plan])),
            placement_move_pending=self._usual(False, True),
            safeguarding_issue=self._usual(False, True),
            manager_approved=self._usual(True, False),
            funding_agreed=self._fact(self._one([True, True, False])),
            provider=self._fact(self._one([(), (), ("acorn care",), ("bluebell homes",)])),
            religion=self._fact(self._one(["christian", "christian", "muslim", "other"])),
            religion_request=self._usual(Strength.NONE, *Strength),
            additional_needs=self._fact(self._one([(), (), (Need.SIGHT,), (Need.AUTISM, Need.SIGHT)])),
        )

    def _volunteer(self, id: str) -> Volunteer:
        ordinary = self._mostly()
        return Volunteer(
            id,
            date_of_birth=self._fact(date(1980, 6, 1) if self._mostly() else self._one(_BORN_NEAR_A_LIMIT)),
            gender=self._fact(self._one(list(Gender))),
            home=self._fact(a_place(self._one([0, 0, 1610, 6000]))),
            ethnicity=self._fact(self._one(["WBRI", "BCRB", "BAFR", "NOBT"])),
            languages=self._fact(self._one([("en",), ("en", "ti"), ("ar", "en"), ("ar", "en", "ti")])),
            interests=self._fact(self._some(["football", "chess", "cooking"])),
            status=self._fact(Status.APPROVED if ordinary else self._one(list(Status))),
            agreement_signed_on=self._fact(AS_OF + timedelta(days=-90 if ordinary else self._one([-1, 0, 1]))),
            dbs_checked_on=self._fact(date(2026, 1, 10) if self._mostly() else self._one(_CHECKED_NEAR_A_LIMIT)),
            connected_authorities=self._fact(self._one([(WEST,), (NORTH,), (NORTH, WEST)]) if self._rarely() else ()),
            travel_limit_metres=self._fact(self._one([1609, 4000, 10_000, 10_000])),
            references_accepted=self._usual(2, 1),
            professional_references=self._usual(1, 0),
            core_training_on=self._usual(AS_OF, TOMORROW),
            safeguarding_training_on=self._usual(AS_OF, TOMORROW),
            right_to_work=self._usual(True, False),
            drives=self._fact(self._one([True, False])),
            licence_checked_on=self._usual(AS_OF, *_CHECKED_NEAR_A_LIMIT),
            insured_until=self._usual(AS_OF, YESTERDAY),
            insured_for_volunteering=self._usual(True, False),
            mot_until=self._usual(AS_OF, YESTERDAY),
            medical_condition=self._fact(self._one([True, False])),
            medical_clearance_on=self._fact(self._one([AS_OF, AS_OF, TOMORROW])),
            database_checked_on=self._fact(self._one([AS_OF, AS_OF, *_CHECKED_NEAR_A_LIMIT])),
            support_sessions=self._one([None, 2, 3, 3, 3]),
            organisations=self._usual((), ("acorn care",), ("bluebell homes", "rowan house")),
            known_children=self._usual((), ("C1",), ("C2", "C8")),
            religion=self._fact(self._one(["christian", "christian", "muslim", "other"])),
            needs_trained=self._usual(tuple(Need), (), (Need.SIGHT,)),
            needs_accepted=self._usual(tuple(Need), (), (Need.SIGHT,)),
            commitment_until=self._usual(date(2028, 11, 1), date(2027, 10, 31), date(2027, 11, 1), date(2026, 12, 1)),
            youngest_age=self._one([13, 14]) if self._rarely() else None,
            oldest_age=self._one([13, 14]) if self._rarely() else None,
            areas=self._one([(WEST,), (NORTH, WEST)]) if self._rarely() else (),
        )

    def _scored_of_child(self) -> dict[str, Any]:
        """What scores, priorities and constraints on the plan read of a child; no pair rule does."""
        return {
            "coordinator": self._one([None, "A", "A", "B"]),
            "placement_type": self._fact(self._one(["foster care", "children's home"])),
            "metres_from_home": self._fact(self._one([0, 32_186, 32_187])),
            "cannot_go_out_alone": self._fact(self._one([True, False])),
            "at_risk_from_peers": self._fact(self._one([True, False])),
            "helps_education_or_health": self._fact(self._one([True, False])),
            "likes_care_experience": self._one([None, True, False]),
            "hoped_visits": self._one([None, *Rhythm]),
            "free_times": self._fact(self._one([(), (Time.WEEKEND,), (Time.EVENING, Time.WEEKEND)])),
            "prefers_from_age": self._one([None, None, 30]),
            "prefers_to_age": self._one([None, None, 45]),
            "fears_animals": self._fact(self._one([True, False])),
        }

    def _scored_of_volunteer(self) -> dict[str, Any]:
        return {
            "household": self._one([None, None, "H1", "H1", "H2"]),
            "care_experience": self._fact(self._one([True, False])),
            "needs_experience": self._fact(self._one([(), (Need.AUTISM,)])),
            "possible_visits": self._fact(self._one(list(Rhythm))),
            "free_times": self._fact(self._one([(), (Time.EVENING,), (Time.WEEKEND,)])),
            "has_dog": self._fact(self._one([True, False])),
            "preferred_gender": self._one([None, None, Gender.FEMALE]),
            "prefers_from_age": self._one([None, None, 14]),
            "prefers_to_age": self._one([None, None, 13]),
        }

    def _pins(self, children: Sequence[Child], volunteers: Sequence[Volunteer]) -> list[Match]:
        if not children or not volunteers:
            return []
        pairs = {(self._one(children).id, self._one(volunteers).id) for _ in range(self._one([0, 0, 0, 0, 1, 2]))}
        status = [MatchStatus.PROPOSED, MatchStatus.AGREED]
        return [Match(child, volunteer, self._one(status)) for child, volunteer in sorted(pairs)]

    def _exceptions(self, children: Sequence[Child], volunteers: Sequence[Volunteer]) -> list[RecordedException]:
        if not children or not volunteers:
            return []
        found = []
        for kind in self._one([[], [], [ExceptionKind.SECOND_CHILD], list(ExceptionKind)]):
            child = None if kind is ExceptionKind.SECOND_CHILD else self._one(children).id
            if kind is ExceptionKind.SHORTER_COMMITMENT:
                child = self._one([None, child])
            value = None if kind is ExceptionKind.RELATIVE else self._one([None, 2, 3])
            found.append(an_exception(kind, self._one(volunteers).id, child, value))
        return found

    def _matches(self, children: Sequence[Child], volunteers: Sequence[Volunteer]) -> list[Match]:
        """Of children who wait, who are visited, or who have left; now and then one of a child seen twice."""
        if not volunteers:
            return []
        chosen = {
            (self._one([*(child.id for child in children), "C8", "C9"]), self._one(volunteers).id)
            for _ in range(self._one([0, 0, 0, 1, 2, 3]))
        }
        return [
            Match(
                child,
                volunteer,
                self._one([MatchStatus.CURRENT, MatchStatus.ENDED, MatchStatus.ENDED]),
                family=self._one(["F1", "F2", "F3", "C8"] if self._mostly() else [None]),
                ended_by=self._one([None, *Party]),
                coordinator=self._one([None, "A", "B"]),
            )
            for child, volunteer in sorted(chosen)
        ]

    def _declined(self, children: Sequence[Child], volunteers: Sequence[Volunteer]) -> list[Declined]:
        if not children or not volunteers:
            return []
        number = self._one([0, 0, 1, 2])
        return [Declined(self._one(children).id, self._one(volunteers).id, Party.CHILD) for _ in range(number)]

    def _authority(self, code: str) -> Authority:
        # From one match of 1609 m: 2160 pence a year. The second may be beyond what is left, or the first, or none.
        budget = None if self._rarely() else self._one([0, 2159, 2160, 4319, 4320, 7000, 100_000])
        return Authority(code, budget, self._one([0, 0, 1, 3000]))

    def _one(self, options: Sequence[Any]) -> Any:
        return options[self._dice.integers(len(options))]

    def _some(self, options: Sequence[str]) -> tuple[str, ...]:
        return tuple(option for option in options if self._dice.random() < 0.5)

    def _fact(self, fact: Any) -> Any:
        """The fact, or, as often as facts are missing here, None."""
        return None if self._dice.random() < self._missing else fact

    def _usual(self, usual: Any, *others: Any) -> Any:
        """A fact that is now and then another one."""
        return self._fact(usual if self._dice.random() < 0.96 else self._one(others))

    def _mostly(self) -> bool:
        return bool(self._dice.random() < 0.85)

    def _rarely(self) -> bool:
        return bool(self._dice.random() < 0.1)


class PlanChance(Chance):
    """Instances whose pairs seldom break a rule by themselves: the constraints on the plan decide."""

    def _policy(self) -> Policy:
        limits: dict[str, Any] = {
            "constraints.siblings_together.how": self._one(["off", "preferred", "preferred", "required"]),
            "constraints.siblings_together.points": self._one([30, 1500]),
            "constraints.partners_apart.on": self._one([True, True, False]),
            "constraints.coordinator_caseload.matches": self._one([1, 2, 3]),
            "constraints.capacity.children": self._one([1, 1, 2]),
        }
        return a_policy(limits, tiers=self._one(TIERS), minimum_fit=self._one([0, 0, 500, 700]))

    def _child(self, id: str) -> Child:
        changes: dict[str, Any] = {
            "family": self._one([id, "F1", "F1", "F2"]),
            "placement": a_place(self._one([0, 0, 0, 1609])),
            "placement_council": self._one([WEST, WEST, NORTH]),
            "interests": self._some(["football", "chess", "cooking"]),
            "parental_contact": self._one(list(Contact)),
            "referred_on": AS_OF - timedelta(days=self._one([0, 1, 40, 400])),
        }
        if self._rarely():
            changes["agrees"] = Agreement.NO
        return a_child(id, **changes)

    def _volunteer(self, id: str) -> Volunteer:
        changes: dict[str, Any] = {"interests": self._some(["football", "chess", "cooking"])}
        if self._rarely():
            changes["status"] = Status.SUSPENDED
        return a_volunteer(id, **changes)

    def _matches(self, children: Sequence[Child], volunteers: Sequence[Volunteer]) -> list[Match]:
        return super()._matches(children, volunteers) if self._dice.random() < 0.3 else []
