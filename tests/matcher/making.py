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
    Gender,
    Match,
    MatchStatus,
    Party,
    Place,
    Status,
    Strength,
    Volunteer,
)

AS_OF = date(2026, 11, 1)
NATIONAL = load_policy("national")
NORTH, WEST = "E06000061", "E06000062"  # the two councils of Northamptonshire


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
        ),
        **changes,
    )


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
    {"rules.not_declined.on": False},
    {"rules.dbs_current.years": 1},
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
    """Instances of up to four children and four volunteers, with many limits near and many facts missing.

    The same seed makes the same instances.
    """

    def __init__(self, seed: int) -> None:
        self._dice = np.random.default_rng(seed)
        self._missing = 0.0

    def instances(self, number: int) -> Iterator[Instance]:
        for _ in range(number):
            yield self.instance()

    def instance(self) -> Instance:
        self._missing = self._one([0.0, 0.02, 0.25])
        children = [self._child(f"C{n}") for n in range(1, self._one([0, 2, 3, 4, 4, 4, 4, 4]) + 1)]
        volunteers = [self._volunteer(f"V{n}") for n in range(1, self._one([0, 2, 3, 4, 4, 4, 4, 4]) + 1)]
        return an_instance(
            children,
            volunteers,
            policy=self._policy(),
            matches=self._matches(children, volunteers),
            declined=self._declined(children, volunteers),
            authorities=[self._authority(code) for code in (NORTH, WEST) if not self._rarely()],
        )

    def _policy(self) -> Policy:
        limits: dict[str, Any] = {}
        for _ in range(self._one([0, 1, 2, 3])):
            limits |= self._one(_MATTERS_OF_TASTE)
        return a_policy(limits, tiers=self._one(TIERS), minimum_fit=self._one([0, 0, 0, 400, 700]))

    def _child(self, id: str) -> Child:
        born = self._one([date(2010, 1, 20), date(2012, 10, 31), date(2012, 11, 1), date(2012, 11, 2)])
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
            culture_request=self._fact(self._one(list(Strength))),
            languages=self._fact(self._one([("en",), ("en", "ti"), ("ar", "en", "ti"), ("ti",)])),
            needed_languages=self._one([("ti",), ("ar", "ti")]) if self._rarely() else (),
            interests=self._fact(self._some(["football", "chess", "cooking"])),
            agrees=self._fact(agrees),
            requested_gender=self._fact(self._one(list(Gender))),
            requested_gender_strength=self._one([*Strength, Strength.ESSENTIAL, Strength.NONE]),
            parental_contact=self._fact(self._one(list(Contact))),
            last_parental_visit=self._one([None, date(2025, 10, 31), date(2025, 11, 1), date(2026, 9, 1)]),
            referred_on=self._fact(AS_OF - timedelta(days=self._one([0, 1, 40, 400, 900]))),
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
        )

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

    def _mostly(self) -> bool:
        return bool(self._dice.random() < 0.85)

    def _rarely(self) -> bool:
        return bool(self._dice.random() < 0.1)
