"""Each rule alone: a pair that passes, one that fails, one where a fact is not recorded; each limit from both sides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import (
    AS_OF,
    NORTH,
    WEST,
    a_child,
    a_place,
    a_policy,
    a_volunteer,
    an_exception,
    an_instance,
    every_pair,
)

from matcher.audit import audit
from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS, eligible, eligible_pairs, in_force
from matcher.explain import explain
from matcher.geography import find_place
from matcher.instance import Instance
from matcher.pairs import Between, Tables, tables
from matcher.records import (
    Agreement,
    Authority,
    Child,
    Declined,
    ExceptionKind,
    Gender,
    Match,
    MatchStatus,
    Need,
    Party,
    Plan,
    RecordedException,
    Status,
    Strength,
    Volunteer,
)
from matcher.rules.base import Limit, Verdict, column_of
from matcher.rules.budget import out_of_county_pence
from matcher.rules.plan import live_caseload

LIMITS: dict[str, Limit] = {limit.id: limit for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS)}

NOBODY_FAILS = {"one_visitor", "siblings_apart", "siblings_together", "pinned"}
"""Constraints that no pair breaks alone: a child with a visitor does not wait, and siblings are two."""

BLANK_IS_AN_ANSWER = {"partners_apart", "coordinator_caseload"}
"""Constraints that say nothing where the fact is blank: no partner, no coordinator."""


@dataclass(frozen=True)
class Case:
    """What one pair changes in `a_child` and `a_volunteer`, and the verdict that one rule then gives."""

    verdict: Verdict
    name: str
    child: dict[str, Any] = field(default_factory=dict)
    volunteer: dict[str, Any] = field(default_factory=dict)
    policy: dict[str, Any] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)

    @property
    def instance(self) -> Instance:
        people = [a_volunteer(**self.volunteer), a_volunteer("V2", household="H2")]
        return an_instance([a_child(**self.child)], people, policy=a_policy(self.policy), **self.rest)


def passes(name: str, child: Any = (), volunteer: Any = (), policy: Any = (), **rest: Any) -> Case:
    return Case(Verdict.PASSES, name, dict(child), dict(volunteer), dict(policy), rest)


def fails(name: str, child: Any = (), volunteer: Any = (), policy: Any = (), **rest: Any) -> Case:
    return Case(Verdict.FAILS, name, dict(child), dict(volunteer), dict(policy), rest)


def unknown(name: str, child: Any = (), volunteer: Any = (), policy: Any = (), **rest: Any) -> Case:
    return Case(Verdict.NOT_RECORDED, name, dict(child), dict(volunteer), dict(policy), rest)


def visited(child: str, volunteer: str = "V1", family: str | None = None, now: bool = True) -> Match:
    return Match(child, volunteer, MatchStatus.CURRENT if now else MatchStatus.ENDED, family)


def supported(child: str, coordinator: str) -> Match:
    return replace(visited(child, "V2", child), coordinator=coordinator)


def days(day: date, *steps: int) -> list[date]:
    return [day + timedelta(days=step) for step in steps]


BEFORE_21, TURNS_21, AFTER_21 = days(date(2005, 11, 1), 1, 0, -1)  # born a day later, the birthday is still to come
BEFORE_DUE, DUE, AFTER_DUE = days(date(2023, 11, 1), 1, 0, -1)
YESTERDAY, TODAY, TOMORROW = days(AS_OF, -1, 0, 1)

PLACED_AWAY = {"responsible_authority": WEST, "placement_council": NORTH, "placement": a_place(1609)}
# 2 × 1609 m × 24 visits × 45p ÷ 1609.344 m = 2159.54p, rounded up to 2160p a year.
SPOT_PURCHASE = {"constraints.out_of_county_budget.method": "spot_purchase"}  # £2,500 a year
ESSENTIAL = Strength.ESSENTIAL
PARTNERS = {"constraints.partners_apart.on": True}
ONE_EACH = {"constraints.coordinator_caseload.matches": 1}


def on(rule: str, **limits: int | str) -> dict[str, Any]:
    """The policy of an authority that asks for this rule."""
    return {f"rules.{rule}.on": True} | {f"rules.{rule}.{key}": value for key, value in limits.items()}


DRIVES = {
    "drives": True,
    "licence_checked_on": TODAY,
    "insured_until": TODAY,
    "insured_for_volunteering": True,
    "mot_until": TODAY,
}


def allowed(
    child: str | None, kind: ExceptionKind = ExceptionKind.RELATIVE, *, volunteer: str = "V1",
    value: int | None = None, reason: str = "wished for by the child",
) -> RecordedException:  # fmt: skip
    return RecordedException(kind, reason, "A. Manager", YESTERDAY, volunteer, child, value)


TAKES_ANY = {"needs_accepted": tuple(Need)}
TRAINED = {"needs_trained": tuple(Need)}
AFTER_CARE = {"rules.still_looked_after.after_care": "if_agreed"}
CONDITION = {"medical_condition": True}
VISITED_BEFORE = {"matches": [visited("C8", family="F8", now=False)]}


def funded(budget: int | None, spent: int = 0) -> dict[str, Any]:
    return {"authorities": [Authority(WEST, budget, spent)]}


CASES: dict[str, list[Case]] = {
    "approved": [
        passes("signed long ago"),
        passes("signed yesterday", volunteer={"agreement_signed_on": YESTERDAY}),
        passes("signed today", volunteer={"agreement_signed_on": TODAY}),
        fails("signs tomorrow", volunteer={"agreement_signed_on": TOMORROW}),
        *(fails(f"is {status}", volunteer={"status": status}) for status in Status if status is not Status.APPROVED),
        fails("suspended, without a date", volunteer={"status": Status.SUSPENDED, "agreement_signed_on": None}),
        unknown("no status", volunteer={"status": None}),
        unknown("no status, no date", volunteer={"status": None, "agreement_signed_on": None}),
        unknown("no date", volunteer={"agreement_signed_on": None}),
    ],
    "minimum_age": [
        fails("21 tomorrow", volunteer={"date_of_birth": BEFORE_21}),
        fails("21 today is not over 21", volunteer={"date_of_birth": TURNS_21}),
        passes("21 yesterday", volunteer={"date_of_birth": AFTER_21}),
        fails("29 February, the day before", {"referred_on": None}, {"date_of_birth": date(2004, 2, 29)},
              as_of=date(2025, 2, 28)),
        fails("29 February, the birthday is 1 March", {"referred_on": None}, {"date_of_birth": date(2004, 2, 29)},
              as_of=date(2025, 3, 1)),
        passes("29 February, the day after", {"referred_on": None}, {"date_of_birth": date(2004, 2, 29)},
               as_of=date(2025, 3, 2)),
        fails("29 February in a leap year", volunteer={"date_of_birth": date(2004, 2, 29)},
              policy={"rules.minimum_age.years": 24}, as_of=date(2028, 2, 29)),
        passes("the day after 29 February in a leap year", volunteer={"date_of_birth": date(2004, 2, 29)},
               policy={"rules.minimum_age.years": 24}, as_of=date(2028, 3, 1)),
        unknown("no date of birth", volunteer={"date_of_birth": None}),
    ],
    "dbs_current": [
        passes("checked today", volunteer={"dbs_checked_on": TODAY}),
        fails("checked tomorrow", volunteer={"dbs_checked_on": TOMORROW}),
        passes("due tomorrow", volunteer={"dbs_checked_on": BEFORE_DUE}),
        fails("due today", volunteer={"dbs_checked_on": DUE}),
        fails("due yesterday", volunteer={"dbs_checked_on": AFTER_DUE}),
        fails("of last year, due each year", volunteer={"dbs_checked_on": date(2025, 11, 1)},
              policy={"rules.dbs_current.years": 1}),
        passes("of 29 February, the day before", volunteer={"dbs_checked_on": date(2024, 2, 29)},
               as_of=date(2027, 2, 28)),
        fails("of 29 February, due on 1 March", volunteer={"dbs_checked_on": date(2024, 2, 29)},
              as_of=date(2027, 3, 1)),
        unknown("never checked", volunteer={"dbs_checked_on": None}),
    ],
    "references": [
        fails("one", volunteer={"references_accepted": 1}),
        passes("two"),
        passes("three", volunteer={"references_accepted": 3}),
        passes("two, not known from whom", volunteer={"professional_references": None}),
        fails("none of them from a professional", volunteer={"professional_references": 0},
              policy={"rules.references.professional": 1}),
        passes("one of them from a professional", policy={"rules.references.professional": 1}),
        fails("one of three, and the policy asks for four", volunteer={"references_accepted": 3},
              policy={"rules.references.professional": 1, "rules.references.accepted": 4}),
        unknown("how many", volunteer={"references_accepted": None}),
        unknown("from whom, where that matters", volunteer={"professional_references": None},
                policy={"rules.references.professional": 1}),
        fails("none", volunteer={"references_accepted": 0}),
    ],
    "training": [
        passes("both long ago"),
        passes("both today", volunteer={"core_training_on": TODAY, "safeguarding_training_on": TODAY}),
        fails("core tomorrow", volunteer={"core_training_on": TOMORROW}),
        fails("safeguarding tomorrow", volunteer={"safeguarding_training_on": TOMORROW}),
        unknown("core", volunteer={"core_training_on": None}),
        unknown("safeguarding", volunteer={"safeguarding_training_on": None}),
        unknown("one, and the other is yet to come",
                volunteer={"core_training_on": None, "safeguarding_training_on": TOMORROW}),
    ],
    "right_to_work": [
        passes("shown", policy=on("right_to_work")),
        fails("not shown", volunteer={"right_to_work": False}, policy=on("right_to_work")),
        unknown("not looked at", volunteer={"right_to_work": None}, policy=on("right_to_work")),
    ],
    "vehicle_documents": [
        passes("does not drive", policy=on("vehicle_documents")),
        passes("all on their last day, or first", volunteer=DRIVES, policy=on("vehicle_documents")),
        passes("licence due tomorrow", volunteer={**DRIVES, "licence_checked_on": BEFORE_DUE},
               policy=on("vehicle_documents")),
        fails("licence due today", volunteer={**DRIVES, "licence_checked_on": DUE}, policy=on("vehicle_documents")),
        fails("licence due yesterday", volunteer={**DRIVES, "licence_checked_on": AFTER_DUE},
              policy=on("vehicle_documents")),
        passes("licence of 29 February, the day before", volunteer={**DRIVES, "licence_checked_on": date(2024, 2, 29),
               "insured_until": date(2027, 3, 9), "mot_until": date(2027, 3, 9)}, policy=on("vehicle_documents"),
               as_of=date(2027, 2, 28)),
        fails("licence of 29 February, due on 1 March", volunteer={**DRIVES, "licence_checked_on": date(2024, 2, 29),
              "insured_until": date(2027, 3, 9), "mot_until": date(2027, 3, 9)}, policy=on("vehicle_documents"),
              as_of=date(2027, 3, 1)),
        fails("licence checked tomorrow", volunteer={**DRIVES, "licence_checked_on": TOMORROW},
              policy=on("vehicle_documents")),
        fails("licence of a year ago, where that is due", volunteer={**DRIVES, "licence_checked_on": date(2025, 11, 1)},
              policy=on("vehicle_documents", years=1)),
        passes("insured until tomorrow", volunteer={**DRIVES, "insured_until": TOMORROW},
               policy=on("vehicle_documents")),
        fails("insured until yesterday", volunteer={**DRIVES, "insured_until": YESTERDAY},
              policy=on("vehicle_documents")),
        fails("not insured for volunteering", volunteer={**DRIVES, "insured_for_volunteering": False},
              policy=on("vehicle_documents")),
        passes("MOT until tomorrow", volunteer={**DRIVES, "mot_until": TOMORROW}, policy=on("vehicle_documents")),
        fails("MOT until yesterday", volunteer={**DRIVES, "mot_until": YESTERDAY}, policy=on("vehicle_documents")),
        unknown("whether they drive", volunteer={**DRIVES, "drives": None}, policy=on("vehicle_documents")),
        *(unknown(fact, volunteer={**DRIVES, fact: None}, policy=on("vehicle_documents"))
          for fact in DRIVES if fact != "drives"),
    ],
    "medical_clearance": [
        passes("no condition", policy=on("medical_clearance")),
        passes("cleared yesterday", volunteer={**CONDITION, "medical_clearance_on": YESTERDAY},
               policy=on("medical_clearance")),
        passes("cleared today", volunteer={**CONDITION, "medical_clearance_on": TODAY}, policy=on("medical_clearance")),
        fails("cleared tomorrow", volunteer={**CONDITION, "medical_clearance_on": TOMORROW},
              policy=on("medical_clearance")),
        unknown("whether there is a condition", volunteer={"medical_condition": None}, policy=on("medical_clearance")),
        unknown("whether it is cleared", volunteer=CONDITION, policy=on("medical_clearance")),
    ],
    "database_check": [
        passes("checked today", volunteer={"database_checked_on": TODAY}, policy=on("database_check")),
        fails("checked tomorrow", volunteer={"database_checked_on": TOMORROW}, policy=on("database_check")),
        passes("due tomorrow", volunteer={"database_checked_on": BEFORE_DUE}, policy=on("database_check")),
        fails("due today", volunteer={"database_checked_on": DUE}, policy=on("database_check")),
        fails("due yesterday", volunteer={"database_checked_on": AFTER_DUE}, policy=on("database_check")),
        passes("of 29 February, the day before", volunteer={"database_checked_on": date(2024, 2, 29)},
               policy=on("database_check"), as_of=date(2027, 2, 28)),
        fails("of 29 February, due on 1 March", volunteer={"database_checked_on": date(2024, 2, 29)},
              policy=on("database_check"), as_of=date(2027, 3, 1)),
        unknown("never", volunteer={"database_checked_on": None}, policy=on("database_check")),
    ],
    "support_sessions": [
        passes("no match yet", volunteer={"support_sessions": 0}, policy=on("support_sessions")),
        passes("no match yet, nothing recorded", volunteer={"support_sessions": None}, policy=on("support_sessions")),
        passes("as many as asked", volunteer={"support_sessions": 3}, policy=on("support_sessions"), **VISITED_BEFORE),
        passes("one more", policy=on("support_sessions"), **VISITED_BEFORE),
        fails("one short", volunteer={"support_sessions": 2}, policy=on("support_sessions"), **VISITED_BEFORE),
        fails("one of two", volunteer={"support_sessions": 1}, policy=on("support_sessions", a_year=2),
              **VISITED_BEFORE),
        unknown("how many", volunteer={"support_sessions": None}, policy=on("support_sessions"), **VISITED_BEFORE),
    ],
    "child_agrees": [
        passes("yes"),
        fails("no", {"agrees": Agreement.NO}),
        fails("not asked", {"agrees": Agreement.NOT_ASKED}),
        unknown("blank is no yes", {"agrees": None}),
    ],
    "referral_age": [
        passes("under 18"),
        fails("18 on the day of referral", {"date_of_birth": date(2008, 10, 2)}),
        passes("18 the day after", {"date_of_birth": date(2008, 10, 3)}),
        fails("18 the day before", {"date_of_birth": date(2008, 10, 1)}),
        passes("29 February, referred on the 28th",
               {"date_of_birth": date(2008, 2, 29), "referred_on": date(2026, 2, 28)}),
        fails("29 February, 18 on 1 March", {"date_of_birth": date(2008, 2, 29), "referred_on": date(2026, 3, 1)}),
        passes("21 tomorrow", {"date_of_birth": BEFORE_21, "referred_on": date(2023, 5, 1)}),
        fails("21 today", {"date_of_birth": TURNS_21, "referred_on": date(2023, 5, 1)}),
        fails("21 yesterday", {"date_of_birth": AFTER_21, "referred_on": date(2023, 5, 1)}),
        passes("21 today, supported to 25", {"date_of_birth": TURNS_21, "referred_on": date(2023, 5, 1)},
               policy={"rules.referral_age.support_years": 25}),
        fails("12 when referred, and the policy is for the younger", {"date_of_birth": date(2014, 10, 2)},
              policy={"rules.referral_age.years": 12}),
        unknown("date of birth", {"date_of_birth": None}),
        unknown("date of referral", {"referred_on": None}),
    ],
    "referral_ready": [
        passes("settled for years", policy=on("referral_ready")),
        passes("in residential care", {"long_term_plan": Plan.RESIDENTIAL}, policy=on("referral_ready")),
        fails("a year tomorrow", {"looked_after_since": date(2025, 11, 2)}, policy=on("referral_ready")),
        passes("a year today", {"looked_after_since": date(2025, 11, 1)}, policy=on("referral_ready")),
        passes("a year yesterday", {"looked_after_since": date(2025, 10, 31)}, policy=on("referral_ready")),
        fails("since 29 February, the day before", {"looked_after_since": date(2024, 2, 29), "referred_on": None},
              policy=on("referral_ready"), as_of=date(2025, 2, 28)),
        passes("since 29 February, a year on 1 March", {"looked_after_since": date(2024, 2, 29), "referred_on": None},
               policy=on("referral_ready"), as_of=date(2025, 3, 1)),
        fails("since the 31st, six months are up on 1 May", {"looked_after_since": date(2025, 10, 31),
              "referred_on": None}, policy=on("referral_ready", months=6), as_of=date(2026, 4, 30)),
        passes("since the 31st, on 1 May", {"looked_after_since": date(2025, 10, 31), "referred_on": None},
               policy=on("referral_ready", months=6), as_of=date(2026, 5, 1)),
        fails("proceedings go on", {"proceedings_concluded": False}, policy=on("referral_ready")),
        fails("another plan", {"long_term_plan": Plan.OTHER}, policy=on("referral_ready")),
        passes("unaccompanied, whatever else", {"unaccompanied": True, "looked_after_since": TODAY,
               "proceedings_concluded": False, "long_term_plan": Plan.OTHER}, policy=on("referral_ready")),
        passes("unaccompanied, and nothing else recorded", {"unaccompanied": True, "looked_after_since": None,
               "proceedings_concluded": None, "long_term_plan": None}, policy=on("referral_ready")),
        fails("not known to be unaccompanied", {"unaccompanied": None, "proceedings_concluded": False},
              policy=on("referral_ready")),
        passes("ready, not known to be unaccompanied", {"unaccompanied": None}, policy=on("referral_ready")),
        unknown("since when", {"looked_after_since": None}, policy=on("referral_ready")),
        unknown("proceedings", {"proceedings_concluded": None}, policy=on("referral_ready")),
        unknown("plan", {"long_term_plan": None}, policy=on("referral_ready")),
    ],
    "placement_stable": [
        passes("no move", policy=on("placement_stable")),
        fails("a move", {"placement_move_pending": True}, policy=on("placement_stable")),
        unknown("blank is no no", {"placement_move_pending": None}, policy=on("placement_stable")),
    ],
    "safeguarding_hold": [
        passes("no issue"),
        fails("an issue", {"safeguarding_issue": True}),
        unknown("blank is no no", {"safeguarding_issue": None}),
    ],
    "manager_approval": [
        passes("approved", policy=on("manager_approval")),
        fails("not approved", {"manager_approved": False}, policy=on("manager_approval")),
        unknown("blank is no yes", {"manager_approved": None}, policy=on("manager_approval")),
    ],
    "funding_agreed": [
        passes("placed in county, not agreed", {"funding_agreed": False}, policy=on("funding_agreed")),
        passes("placed in county, not asked", {"funding_agreed": None}, policy=on("funding_agreed")),
        passes("placed outside, agreed", PLACED_AWAY, policy=on("funding_agreed"), **funded(100_000)),
        fails("placed outside, not agreed", {**PLACED_AWAY, "funding_agreed": False}, policy=on("funding_agreed"),
              **funded(100_000)),
        unknown("placed outside, not asked", {**PLACED_AWAY, "funding_agreed": None}, policy=on("funding_agreed"),
                **funded(100_000)),
        unknown("council of the placement", {"placement_council": None}, policy=on("funding_agreed")),
        unknown("responsible authority", {"responsible_authority": None}, policy=on("funding_agreed")),
        unknown("both, and nothing is not the same as nothing",
                {"placement_council": None, "responsible_authority": None}, policy=on("funding_agreed")),
    ],
    "still_looked_after": [
        passes("looked after"),
        passes("looked after, whatever is agreed", {"continuing_agreed": False}, policy=AFTER_CARE),
        fails("care has ended", {"looked_after": False}),
        fails("care has ended, and the policy does not continue", {"looked_after": False, "continuing_agreed": True}),
        passes("continued", {"looked_after": False, "continuing_agreed": True}, policy=AFTER_CARE),
        fails("not continued", {"looked_after": False, "continuing_agreed": False}, policy=AFTER_CARE),
        unknown("whether it is continued", {"looked_after": False, "continuing_agreed": None}, policy=AFTER_CARE),
        unknown("blank is no yes", {"looked_after": None}),
        unknown("blank is no yes, whatever is agreed", {"looked_after": None, "continuing_agreed": True},
                policy=AFTER_CARE),
    ],
    "time_left": [
        passes("years", {"date_of_birth": date(2012, 5, 17)}),
        passes("a year and a day", {"date_of_birth": date(2006, 11, 2), "referred_on": date(2023, 5, 1)}),
        passes("a year", {"date_of_birth": date(2006, 11, 1), "referred_on": date(2023, 5, 1)}),
        fails("a day short of a year", {"date_of_birth": date(2006, 10, 31), "referred_on": date(2023, 5, 1)}),
        passes("29 February, a year before 1 March", {"date_of_birth": date(2008, 2, 29), "referred_on": None},
               as_of=date(2028, 2, 29)),
        fails("29 February, less than a year before 1 March", {"date_of_birth": date(2008, 2, 29),
              "referred_on": None}, as_of=date(2028, 3, 2)),
        passes("supported to 25", {"date_of_birth": date(2006, 10, 31), "referred_on": date(2023, 5, 1)},
               policy={"rules.referral_age.support_years": 25}),
        fails("a day short of two years, where the policy asks for them",
              {"date_of_birth": date(2007, 10, 31), "referred_on": date(2023, 5, 1)},
              policy={"rules.time_left.months": 24}),
        unknown("date of birth", {"date_of_birth": None}),
    ],
    "age_gap": [
        passes("7 years and a day", {"date_of_birth": date(2007, 5, 11)}, {"date_of_birth": date(2000, 5, 10)}),
        passes("7 years", {"date_of_birth": date(2007, 5, 10)}, {"date_of_birth": date(2000, 5, 10)}),
        fails("a day short of 7 years", {"date_of_birth": date(2007, 5, 9)}, {"date_of_birth": date(2000, 5, 10)}),
        fails("7 on 1 March, child of 28 February", {"date_of_birth": date(2007, 2, 28)},
              {"date_of_birth": date(2000, 2, 29)}),
        passes("7 on 1 March, child of 1 March", {"date_of_birth": date(2007, 3, 1)},
               {"date_of_birth": date(2000, 2, 29)}),
        passes("child of 29 February, 7 the day before", {"date_of_birth": date(2008, 2, 29)},
               {"date_of_birth": date(2001, 2, 28)}),
        fails("child of 29 February, 7 the day after", {"date_of_birth": date(2008, 2, 29)},
              {"date_of_birth": date(2001, 3, 1)}),
        passes("8 years between two 29 Februaries", {"date_of_birth": date(2008, 2, 29)},
               {"date_of_birth": date(2000, 2, 29)}, {"rules.age_gap.years": 8}),
        fails("the volunteer is the younger", {"date_of_birth": date(2003, 1, 1)},
              {"date_of_birth": date(2004, 1, 1)}),
        fails("the volunteer is the younger by a day, and no gap is asked", {"date_of_birth": date(2003, 1, 1)},
              {"date_of_birth": date(2003, 1, 2)}, {"rules.age_gap.years": 0}),
        unknown("child's date of birth", {"date_of_birth": None}),
        unknown("volunteer's date of birth", volunteer={"date_of_birth": None}),
        fails("of the same age", {"date_of_birth": date(2005, 5, 10)}, {"date_of_birth": date(2005, 5, 10)}),
    ],
    "travel": [
        passes("next door", volunteer={"travel_limit_metres": 0}),
        passes("a metre less than the volunteer's limit", {"placement": a_place(4999)}, {"travel_limit_metres": 5000}),
        passes("at the volunteer's limit", {"placement": a_place(5000)}, {"travel_limit_metres": 5000}),
        fails("a metre too far for the volunteer", {"placement": a_place(5001)}, {"travel_limit_metres": 5000}),
        passes("at the policy's mile of 1609.344 m", {"placement": a_place(1609)}, policy={"rules.travel.miles": 1}),
        fails("a metre too far for the policy", {"placement": a_place(1610)}, policy={"rules.travel.miles": 1}),
        unknown("placement", {"placement": None}),
        unknown("home", volunteer={"home": None}),
        unknown("limit", volunteer={"travel_limit_metres": None}),
        passes("125 miles to the metre", {"placement": a_place(201_168)}, {"travel_limit_metres": 300_000},
               {"rules.travel.miles": 125}),
        passes("the volunteer's limit is the policy's", volunteer={"travel_limit_metres": 40_233}),
    ],
    "independent_of_authority": [
        passes("no connection"),
        passes("an officer of another council", volunteer={"connected_authorities": (NORTH,)}),
        passes("of the council where the child lives", {"placement_council": NORTH},
               {"connected_authorities": (NORTH,)}, **funded(100_000)),
        fails("an officer of the child's", volunteer={"connected_authorities": (WEST,)}),
        fails("of both", volunteer={"connected_authorities": (NORTH, WEST)}),
        unknown("authority", {"responsible_authority": None}),
        unknown("authority, where the volunteer has connections", {"responsible_authority": None},
                {"connected_authorities": (NORTH,)}),
        unknown("connections", volunteer={"connected_authorities": None}),
    ],
    "independent_of_provider": [
        passes("of no organisation"),
        passes("not accommodated by one", volunteer={"organisations": ("bluebell homes",)}),
        passes("of another", {"provider": ("bluebell homes",)}, {"organisations": ("acorn care", "rowan house")}),
        fails("of the child's", {"provider": ("bluebell homes",)}, {"organisations": ("bluebell homes",)}),
        fails("of one of two", {"provider": ("acorn care", "bluebell homes")},
              {"organisations": ("bluebell homes", "rowan house")}),
        *(fails(f"of what may be the child's: {name}", {"provider": ("bluebell homes",)}, {"organisations": (name,)})
          for name in ("bluebell homes acme trust", "trustee of bluebell homes", "bluebell home", "bluebell",
                       "вluebell hómes co")),  # with a Cyrillic letter, and an accent
        *(fails(f"of the child's in another spelling: {name}", {"provider": ("The Bluebell Home's Ltd.",)},
                {"organisations": (name,)}) for name in ("bluebell homes", "BLUEBELL HOMES plc", "Bluebell-Homes")),
        fails("of what is no name, and the same", {"provider": ("The Ltd",)}, {"organisations": ("The Ltd",)}),
        passes("of one that shares a word", {"provider": ("bluebell homes",)}, {"organisations": ("bluebell church",)}),
        passes("of one within a word", {"provider": ("bell homes",)}, {"organisations": ("bluebell homes",)}),
        unknown("provider", {"provider": None}),
        unknown("provider, where the volunteer is of one", {"provider": None}, {"organisations": ("acorn care",)}),
        unknown("organisations", {"provider": ("bluebell homes",)}, {"organisations": None}),
        unknown("organisations, where the child has no provider", volunteer={"organisations": None}),
    ],
    "sibling_history": [
        passes("no visits yet"),
        passes("visits another family", matches=[visited("C8", family="F8")]),
        fails("visits a sibling", {"family": "F1"}, matches=[visited("C8", family="F1")]),
        fails("visited a sibling", {"family": "F1"}, matches=[visited("C8", family="F1", now=False)]),
        fails("a sibling through two names of one family", {"family": "F1"},
              # C8 is of F1 and of F2, hence C9 of F2 is a sibling too.
              matches=[visited("C8", "V2", "F1"), visited("C8", "V2", "F2", now=False), visited("C9", family="F2")]),
        fails("a family known from an earlier match alone", {"family": None},
              matches=[visited("C1", "V2", "F1", now=False), visited("C8", family="F1")]),
        unknown("family", {"family": None}),
        unknown("family of a child who has left", matches=[visited("C8")]),
        unknown("family of one of two", {"family": "F1"},
                matches=[visited("C8", family="F1"), visited("C9", now=False)]),
    ],
    "not_declined": [
        passes("never proposed"),
        passes("each said no to another", declined=[Declined("C1", "V2"), Declined("C8", "V1")],
               matches=[visited("C8", family="F8", now=False)]),
        fails("the child said no", declined=[Declined("C1", "V1", Party.CHILD, date(2026, 9, 1))]),
        fails("someone said no", declined=[Declined("C1", "V1")]),
        fails("it has ended", matches=[visited("C1", family="C1", now=False)]),
    ],
    "known_to_child": [
        passes("strangers"),
        passes("a friend of another child", volunteer={"known_children": ("C2", "C9")}),
        passes("an uncle, as was allowed", volunteer={"known_children": ("C1",)}, exceptions=[allowed("C1")]),
        fails("an uncle", volunteer={"known_children": ("C1", "C9")}),
        fails("an uncle, allowed for another child", volunteer={"known_children": ("C1",)},
              exceptions=[allowed("C2")]),
        fails("an uncle, and another was allowed", volunteer={"known_children": ("C1",)},
              exceptions=[allowed("C1", volunteer="V2")]),
        fails("an uncle, allowed something else", volunteer={"known_children": ("C1",)},
              exceptions=[allowed("C1", ExceptionKind.SHORTER_COMMITMENT)]),
        unknown("not asked", volunteer={"known_children": None}),
        unknown("not asked, whatever is allowed", volunteer={"known_children": None}, exceptions=[allowed("C1")]),
        passes("an uncle, and the reason is a sentence", volunteer={"known_children": ("C1",)},
               exceptions=[replace(allowed("C1"), reason="The child asked for him. ")]),
    ],
    "requested_gender": [
        passes("no request"),
        passes("no request, and a gender not recorded", volunteer={"gender": None}),
        passes("a preference is no rule",
               {"requested_gender": Gender.MALE, "requested_gender_strength": Strength.PREFERRED}),
        passes("as asked", {"requested_gender": Gender.FEMALE, "requested_gender_strength": ESSENTIAL}),
        fails("not as asked", {"requested_gender": Gender.MALE, "requested_gender_strength": ESSENTIAL}),
        unknown("the request", {"requested_gender": None, "requested_gender_strength": ESSENTIAL}),
        unknown("the volunteer", {"requested_gender": Gender.MALE, "requested_gender_strength": ESSENTIAL},
                {"gender": None}),
        unknown("neither, and nothing is not the same as nothing", {"requested_gender_strength": ESSENTIAL},
                {"gender": None}),
    ],
    "language": [
        passes("one in common", {"languages": ("en", "ti")}, {"languages": ("ar", "ti")}),
        passes("the needed one", {"languages": ("en",), "needed_languages": ("ti",)}, {"languages": ("ti",)}),
        passes("the needed one, others not recorded", {"languages": None, "needed_languages": ("en", "ti")}),
        fails("none in common", {"languages": ("ti",)}),
        fails("not the needed one", {"languages": ("en", "ti"), "needed_languages": ("ti",)}),
        fails("the child has none", {"languages": ()}),
        fails("the volunteer has none", volunteer={"languages": ()}),
        fails("neither has any", {"languages": ()}, {"languages": ()}),
        unknown("child's", {"languages": None}),
        unknown("volunteer's", volunteer={"languages": None}),
        unknown("both", {"languages": None}, {"languages": None}),
        fails("neither of two needed ones", {"needed_languages": ("ar", "ti")}),
    ],
    "requested_culture": [
        passes("no request", {"ethnicity": "BCRB"}),
        passes("no request recorded", {"ethnicity": "BCRB", "culture_request": None, "religion_request": None}),
        passes("a preference is no rule", {"ethnicity": "BCRB", "culture_request": Strength.PREFERRED,
               "religion": "muslim", "religion_request": Strength.PREFERRED}),
        passes("ethnicity as asked", {"culture_request": ESSENTIAL, "religion": "muslim"}),
        passes("religion as asked", {"religion_request": ESSENTIAL, "ethnicity": "BCRB"}),
        passes("both as asked", {"culture_request": ESSENTIAL, "religion_request": ESSENTIAL}),
        fails("another ethnicity", {"ethnicity": "BCRB", "culture_request": ESSENTIAL}),
        fails("another of the same group", {"ethnicity": "WIRI", "culture_request": ESSENTIAL}),
        fails("another religion", {"religion": "muslim", "religion_request": ESSENTIAL}),
        fails("one of the two", {"religion": "muslim", "culture_request": ESSENTIAL, "religion_request": ESSENTIAL}),
        fails("neither said", {"ethnicity": "REFU", "culture_request": ESSENTIAL}, {"ethnicity": "REFU"}),
        fails("any other religion is many", {"religion": "other", "religion_request": ESSENTIAL},
              {"religion": "other"}),
        unknown("child's ethnicity", {"ethnicity": None, "culture_request": ESSENTIAL}),
        unknown("volunteer's ethnicity", {"culture_request": ESSENTIAL}, {"ethnicity": None}),
        unknown("child's religion", {"religion": None, "religion_request": ESSENTIAL}),
        unknown("volunteer's religion", {"religion_request": ESSENTIAL}, {"religion": None}),
        unknown("neither, and nothing is not the same as nothing", {"religion": None, "religion_request": ESSENTIAL},
                {"religion": None}),
        fails("neither obtained yet", {"culture_request": ESSENTIAL, "ethnicity": "NOBT"}, {"ethnicity": "NOBT"}),
    ],
    "additional_needs_training": [
        passes("no needs"),
        passes("no needs, whatever the training", volunteer={"needs_trained": None}),
        passes("trained for it", {"additional_needs": (Need.AUTISM,)}, TAKES_ANY | {"needs_trained": tuple(Need)}),
        passes("trained for both", {"additional_needs": (Need.AUTISM, Need.SIGHT)},
               TAKES_ANY | {"needs_trained": (Need.AUTISM, Need.SIGHT)}),
        fails("trained for one of two", {"additional_needs": (Need.AUTISM, Need.SIGHT)},
              TAKES_ANY | {"needs_trained": (Need.AUTISM,)}),
        fails("trained for another", {"additional_needs": (Need.AUTISM,)},
              TAKES_ANY | {"needs_trained": (Need.SIGHT,)}),
        fails("trained for none", {"additional_needs": (Need.AUTISM,)}, TAKES_ANY),
        unknown("needs", {"additional_needs": None}, TAKES_ANY | {"needs_trained": tuple(Need)}),
        unknown("training", {"additional_needs": (Need.AUTISM,)}, TAKES_ANY | {"needs_trained": None}),
    ],
    "commitment": [
        passes("for years"),
        fails("a day short of a year", volunteer={"commitment_until": date(2027, 10, 31)}),
        passes("a year", volunteer={"commitment_until": date(2027, 11, 1)}),
        passes("a year and a day", volunteer={"commitment_until": date(2027, 11, 2)}),
        fails("a year, where two are asked", volunteer={"commitment_until": date(2027, 11, 1)},
              policy={"rules.commitment.months": 24}),
        fails("29 February, a year is up on 1 March", {"referred_on": None}, {"commitment_until": date(2029, 2, 28)},
              as_of=date(2028, 2, 29)),
        passes("29 February, until 1 March", {"referred_on": None}, {"commitment_until": date(2029, 3, 1)},
               as_of=date(2028, 2, 29)),
        fails("over", volunteer={"commitment_until": YESTERDAY}),
        passes("half a year, accepted for this child", volunteer={"commitment_until": date(2027, 5, 1)},
               exceptions=[allowed("C1", ExceptionKind.SHORTER_COMMITMENT, value=6)]),
        passes("half a year, accepted for any child", volunteer={"commitment_until": date(2027, 5, 1)},
               exceptions=[allowed(None, ExceptionKind.SHORTER_COMMITMENT, value=6)]),
        passes("of two exceptions, the shorter", volunteer={"commitment_until": date(2027, 5, 1)},
               exceptions=[allowed(None, ExceptionKind.SHORTER_COMMITMENT, value=9, reason="The usual for students"),
                           allowed("C1", ExceptionKind.SHORTER_COMMITMENT, value=6, reason="C1 moves in May")]),
        passes("an exception that is not needed",
               exceptions=[allowed(None, ExceptionKind.SHORTER_COMMITMENT, value=60)]),
        fails("a day short of what was accepted", volunteer={"commitment_until": date(2027, 4, 30)},
              exceptions=[allowed("C1", ExceptionKind.SHORTER_COMMITMENT, value=6)]),
        fails("accepted for another child", volunteer={"commitment_until": date(2027, 5, 1)},
              exceptions=[allowed("C2", ExceptionKind.SHORTER_COMMITMENT, value=6)]),
        fails("accepted of another volunteer", volunteer={"commitment_until": date(2027, 5, 1)},
              exceptions=[allowed("C1", ExceptionKind.SHORTER_COMMITMENT, volunteer="V2", value=6)]),
        fails("over, whatever was accepted", volunteer={"commitment_until": YESTERDAY},
              exceptions=[allowed(None, ExceptionKind.SHORTER_COMMITMENT, value=0)]),
        unknown("until when", volunteer={"commitment_until": None}),
        passes("any length, accepted without a figure", volunteer={"commitment_until": TODAY},
               exceptions=[allowed("C1", ExceptionKind.SHORTER_COMMITMENT)]),
    ],
    "volunteer_limits": [
        passes("no limits"),
        passes("no limits, age and council not recorded", {"date_of_birth": None, "placement_council": None}),
        passes("14 today, the youngest is 14", {"date_of_birth": date(2012, 11, 1)}, {"youngest_age": 14}),
        passes("14 yesterday, the youngest is 14", {"date_of_birth": date(2012, 10, 31)}, {"youngest_age": 14}),
        fails("14 tomorrow, the youngest is 14", {"date_of_birth": date(2012, 11, 2)}, {"youngest_age": 14}),
        passes("14 tomorrow, the oldest is 13", {"date_of_birth": date(2012, 11, 2)}, {"oldest_age": 13}),
        fails("14 today, the oldest is 13", {"date_of_birth": date(2012, 11, 1)}, {"oldest_age": 13}),
        fails("14 yesterday, the oldest is 13", {"date_of_birth": date(2012, 10, 31)}, {"oldest_age": 13}),
        passes("between", {"date_of_birth": date(2012, 11, 1)}, {"youngest_age": 14, "oldest_age": 14}),
        fails("29 February, 14 on 1 March", {"date_of_birth": date(2012, 2, 29), "referred_on": None},
              {"youngest_age": 14}, as_of=date(2026, 2, 28)),
        passes("29 February, on 1 March", {"date_of_birth": date(2012, 2, 29), "referred_on": None},
               {"youngest_age": 14}, as_of=date(2026, 3, 1)),
        passes("in the area", volunteer={"areas": (NORTH, WEST)}),
        fails("outside the area", volunteer={"areas": (NORTH,)}),
        passes("a need accepted", {"additional_needs": (Need.SIGHT,)}, TRAINED | {"needs_accepted": tuple(Need)}),
        fails("a need not accepted", {"additional_needs": (Need.SIGHT,)}, TRAINED),
        fails("one of two not accepted", {"additional_needs": (Need.HEARING, Need.SIGHT)},
              TRAINED | {"needs_accepted": (Need.SIGHT,)}),
        fails("neither age nor area nor need", {"additional_needs": (Need.SIGHT,)},
              TRAINED | {"oldest_age": 5, "areas": (NORTH,)}),
        unknown("needs", {"additional_needs": None}, TRAINED),
        unknown("needs accepted", {"additional_needs": (Need.SIGHT,)}, TRAINED | {"needs_accepted": None}),
        unknown("age, where there is a youngest", {"date_of_birth": None}, {"youngest_age": 5}),
        unknown("age, where there is an oldest", {"date_of_birth": None}, {"oldest_age": 17}),
        unknown("council, where there are areas", {"placement_council": None}, {"areas": (WEST,)}),
    ],
    "one_visitor": [
        passes("no visitor"),
        passes("the visitor left", matches=[visited("C1", "V2", "C1", now=False)]),
    ],
    "capacity": [
        passes("no visits yet"),
        passes("visits that have ended", matches=[visited("C8", family="F8", now=False)]),
        fails("visits a child", matches=[visited("C8", family="F8")]),
        passes("visits one of two", policy={"constraints.capacity.children": 2}, matches=[visited("C8", family="F8")]),
        fails("visits two of two", policy={"constraints.capacity.children": 2},
              matches=[visited("C8", family="F8"), visited("C9", family="F9")]),
        fails("visits more than the policy allows by now",
              matches=[visited("C8", family="F8"), visited("C9", family="F9")]),
        passes("a second child by an exception", matches=[visited("C8", family="F8")],
               exceptions=[an_exception(ExceptionKind.SECOND_CHILD)]),
        passes("a third child by an exception", matches=[visited("C8", family="F8"), visited("C9", family="F9")],
               exceptions=[an_exception(ExceptionKind.SECOND_CHILD, value=3)]),
        passes("two exceptions, of which one is for three",
               matches=[visited("C8", family="F8"), visited("C9", family="F9")],
               exceptions=[an_exception(ExceptionKind.SECOND_CHILD, value=value) for value in (2, 3)]),
        fails("a third child, and the exception is for two",
              matches=[visited("C8", family="F8"), visited("C9", family="F9")],
              exceptions=[an_exception(ExceptionKind.SECOND_CHILD)]),
        fails("an exception for another volunteer", matches=[visited("C8", family="F8")],
              exceptions=[an_exception(ExceptionKind.SECOND_CHILD, "V2")]),
        fails("an exception of another kind", matches=[visited("C8", family="F8")],
              exceptions=[an_exception(ExceptionKind.SHORTER_COMMITMENT, value=6)]),
        passes("an exception for fewer than the policy allows", policy={"constraints.capacity.children": 3},
               matches=[visited("C8", family="F8"), visited("C9", family="F9")],
               exceptions=[an_exception(ExceptionKind.SECOND_CHILD)]),
        passes("a match that is proposed takes no place yet", matches=[Match("C1", "V1", MatchStatus.PROPOSED)]),
        fails("visits a child, as another does", matches=[visited("C8"), visited("C9", "V2")]),
        fails("visits three of three, by the larger of two exceptions",
              matches=[visited("C7"), visited("C8"), visited("C9")],
              exceptions=[an_exception(ExceptionKind.SECOND_CHILD), an_exception(ExceptionKind.SECOND_CHILD, value=3)]),
    ],
    "siblings_apart": [passes("a sibling is with nobody", {"family": "F1"})],
    "siblings_together": [
        passes("no sibling waits"),
        passes("no sibling waits, and all or none", policy={"constraints.siblings_together.how": "required"}),
    ],
    "partners_apart": [
        passes("no partner", policy=PARTNERS),
        passes("the partner visits another family", volunteer={"household": "H2"}, policy=PARTNERS,
               matches=[visited("C8", "V2", "F8")]),
        passes("the partner visited a sibling once", {"family": "F1"}, {"household": "H2"}, PARTNERS,
               matches=[visited("C8", "V2", "F1", now=False)]),
        passes("somebody of another household visits a sibling", {"family": "F1"}, {"household": "H1"}, PARTNERS,
               matches=[visited("C8", "V2", "F1")]),
        passes("no household recorded", {"family": "F1"}, {}, PARTNERS, matches=[visited("C8", "V2", "F1")]),
        fails("the partner visits a sibling", {"family": "F1"}, {"household": "H2"}, PARTNERS,
              matches=[visited("C8", "V2", "F1")]),
        fails("one of two partners visits a sibling", {"family": "F1"}, {"household": "H2"}, PARTNERS,
              matches=[visited("C8", "V2", "F1"), visited("C9", "V2", "F9")]),
    ],
    "out_of_county_budget": [
        passes("inside the county, whatever the budget", **funded(0)),
        passes("inside the county, no budget recorded"),
        passes("a penny left", PLACED_AWAY, **funded(2161)),
        passes("just enough", PLACED_AWAY, **funded(2160)),
        fails("a penny short", PLACED_AWAY, **funded(2159)),
        passes("just enough beside what is spent", PLACED_AWAY, **funded(5000, spent=2840)),
        fails("a penny short beside what is spent", PLACED_AWAY, **funded(5000, spent=2841)),
        fails("overspent", PLACED_AWAY, **funded(5000, spent=9000)),
        passes("overspent, but next door costs nothing", {**PLACED_AWAY, "placement": a_place()},
               **funded(5000, spent=9000)),
        passes("bought for just enough", PLACED_AWAY, policy=SPOT_PURCHASE, **funded(250_000)),
        fails("bought for a penny too much", PLACED_AWAY, policy=SPOT_PURCHASE, **funded(249_999)),
        fails("bought, though next door", {**PLACED_AWAY, "placement": a_place()}, policy=SPOT_PURCHASE, **funded(0)),
        passes("bought, wherever that is", {**PLACED_AWAY, "placement": None}, policy=SPOT_PURCHASE,
               **funded(250_000)),
        unknown("council of the placement", {**PLACED_AWAY, "placement_council": None}, **funded(100_000)),
        unknown("responsible authority", {**PLACED_AWAY, "responsible_authority": None}, **funded(100_000)),
        unknown("both, and nothing is not the same as nothing",
                {"placement_council": None, "responsible_authority": None}, **funded(100_000)),
        unknown("the authority", PLACED_AWAY),
        unknown("its budget", PLACED_AWAY, **funded(None)),
        unknown("its budget, though next door costs nothing", {**PLACED_AWAY, "placement": a_place()}, **funded(None)),
        unknown("how far the placement is", {**PLACED_AWAY, "placement": None}, **funded(100_000)),
        unknown("how far the home is", PLACED_AWAY, {"home": None}, **funded(100_000)),
        fails("a penny, and none is left", {**PLACED_AWAY, "placement": a_place(1)},
              policy={"constraints.out_of_county_budget.pence_a_mile": 1,
                      "constraints.out_of_county_budget.visits_a_year": 1}, authorities=[Authority(WEST, 0)]),
    ],
    "coordinator_caseload": [
        passes("no coordinator", policy=ONE_EACH, matches=[supported("C8", "A")]),
        passes("supports nobody", {"coordinator": "A"}, policy=ONE_EACH),
        passes("supports an ended match", {"coordinator": "A"}, policy=ONE_EACH,
               matches=[replace(supported("C8", "A"), status=MatchStatus.ENDED)]),
        passes("another supports a match", {"coordinator": "A"}, policy=ONE_EACH, matches=[supported("C8", "B")]),
        fails("supports one of one", {"coordinator": "A"}, policy=ONE_EACH, matches=[supported("C8", "A")]),
        passes("supports one of two", {"coordinator": "A"}, policy={"constraints.coordinator_caseload.matches": 2},
               matches=[supported("C8", "A")]),
        passes("supports one child twice, of two", {"coordinator": "A"},
               policy={"constraints.coordinator_caseload.matches": 2},
               matches=[supported("C8", "A"), replace(supported("C8", "A"), volunteer="V1")]),
    ],
    "pinned": [
        passes("nothing is proposed"),
        passes("this pair is agreed", matches=[Match("C1", "V1", MatchStatus.AGREED)]),
        passes("another is proposed", matches=[Match("C1", "V2", MatchStatus.PROPOSED)]),
    ],
}  # fmt: skip


def judged(instance: Instance, rule: str) -> tuple[Verdict, str]:
    """The verdict on C1 with V1, and the sentence that tells it."""
    limit, pairs = LIMITS[rule], tables(instance).pair("C1", "V1")
    verdict = Verdict(int(limit.verdicts(pairs, instance.policy)[0]))
    return verdict, limit.reason(pairs.between(0), instance.policy, verdict)


every_case = pytest.mark.parametrize(
    ("rule", "case"),
    [pytest.param(rule, case, id=f"{rule}: {case.name}") for rule, cases in CASES.items() for case in cases],
)


def test_the_records_of_these_tests_keep_every_rule():
    instance = an_instance([a_child()], [a_volunteer()])
    assert eligible(tables(instance).pair("C1", "V1"), instance.policy).all()
    assert audit(instance, [("C1", "V1")]) == ()


@every_case
def test_verdict(rule, case):
    assert judged(case.instance, rule)[0] == case.verdict


@every_case
def test_the_audit_comes_to_the_same_verdict(rule, case):
    violations = audit(case.instance, [("C1", "V1")], whole=False)
    assert (rule in {violation.rule for violation in violations}) == (case.verdict is not Verdict.PASSES)


@every_case
def test_reason(rule, case):
    instance = case.instance
    _, sentence = judged(instance, rule)
    assert sentence.endswith(".")
    assert sentence[0].isupper()
    assert "None" not in sentence
    assert "  " not in sentence
    assert " ;" not in sentence
    if "(authorities, " not in sentence:
        assert "C1" in sentence or "V1" in sentence
    for person in (instance.child("C1"), instance.volunteer("V1")):
        if person.date_of_birth:
            assert str(person.date_of_birth.year) not in sentence
    if case.verdict is Verdict.NOT_RECORDED:
        assert re.search(r"\((children|volunteers|matches|authorities), column [a-z_]+\)", sentence)


@every_case
def test_which_cells_are_blank(rule, case):
    instance, limit = case.instance, LIMITS[rule]
    pairs = tables(instance).pair("C1", "V1")
    blank = [path for path, where in limit.blanks(pairs, instance.policy) if where[0]]
    if case.verdict is not Verdict.NOT_RECORDED:
        assert blank == []
        return
    _, sentence = judged(instance, rule)
    assert blank
    for path in blank:
        sheet, column = column_of(path)
        assert f"({sheet}, column {column})" in sentence


WORTH_TELLING = {
    "known_to_child": ["an uncle, as was allowed", "an uncle, and the reason is a sentence"],
    "commitment": ["half a year, accepted for this child", "half a year, accepted for any child",
                   "of two exceptions, the shorter", "any length, accepted without a figure"],
    "capacity": ["a second child by an exception", "a third child by an exception",
                 "two exceptions, of which one is for three"],
    "partners_apart": ["the partner visits another family", "the partner visited a sibling once",
                       "somebody of another household visits a sibling"],
    "out_of_county_budget": ["a penny left", "just enough", "just enough beside what is spent",
                             "overspent, but next door costs nothing", "bought for just enough",
                             "bought, wherever that is"],
    "pinned": ["this pair is agreed", "another is proposed"],
}  # fmt: skip
"""Cases that pass by an exception, at a cost or beside a tie: a coordinator hears why before the pair is proposed."""


@pytest.mark.parametrize("rule", CASES)
def test_what_a_coordinator_hears_though_it_passes(rule):
    told = []
    for case in (case for case in CASES[rule] if case.verdict is Verdict.PASSES):
        instance = case.instance
        if LIMITS[rule].worth_telling(tables(instance).pair("C1", "V1").between(0), instance.policy):
            told.append(case.name)
    assert told == WORTH_TELLING.get(rule, [])


def test_chunks_change_nothing(monkeypatch):
    # Children in chunks of one or two, and the strictest rule first.
    children = [a_child(f"C{n}", agrees=Agreement.NO if n == 3 else Agreement.YES) for n in range(1, 7)]
    people = [a_volunteer(f"V{n}", languages=("en",) if n % 2 else ("ar",)) for n in range(1, 5)]
    instance = an_instance(children, people)
    every = every_pair(instance)
    expected = every[eligible(every, instance.policy)]
    for at_once in (1, 8, 1 << 21):
        monkeypatch.setattr("matcher.pairs.PAIRS_AT_ONCE", at_once)
        found = eligible_pairs(tables(instance), instance.policy)
        assert (found.child_row.tolist(), found.volunteer_row.tolist()) == (
            expected.child_row.tolist(), expected.volunteer_row.tolist(),
        )  # fmt: skip


REASONS = Path(__file__).with_name("reasons.txt")


def reasons() -> str:
    """What is told of each case, as the file beside this test keeps it for a person to read."""
    lines = []
    for rule, cases in CASES.items():
        lines.append(f"{rule}: {LIMITS[rule].short}")
        lines += [f"  {case.name} | {judged(case.instance, rule)[1]}" for case in cases]
    return "\n".join(lines) + "\n"


def test_every_sentence_is_as_it_was_read_and_approved():
    assert reasons() == REASONS.read_text(encoding="utf-8"), (
        "Read each new sentence; then python tests/matcher/test_rules.py"
    )


@pytest.mark.parametrize("rule", [rule for rule in CASES if not LIMITS[rule].core and rule not in NOBODY_FAILS])
def test_a_switched_off_rule_forbids_nothing(rule):
    limit = LIMITS[rule]
    case = next(case for case in CASES[rule] if case.verdict is Verdict.FAILS)
    instance = replace(case, policy={**case.policy, f"{limit.section}.{rule}.on": False}).instance
    assert limit not in in_force(instance.policy)
    assert rule not in {violation.rule for violation in audit(instance, [("C1", "V1")], whole=False)}
    told = next(reason for reason in explain(instance, "C1", "V1").reasons if reason.rule == rule)
    assert told.verdict == "not in force"


# ---- what every rule owes, whichever it is: a new one without cases fails here -----------------------------------


def test_every_rule_has_its_cases():
    assert list(CASES) == [limit.id for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS)]
    for rule, cases in CASES.items():
        found = {case.verdict for case in cases}
        owed = {Verdict.PASSES}
        owed |= set() if rule in NOBODY_FAILS else {Verdict.FAILS}
        owed |= {Verdict.NOT_RECORDED} if LIMITS[rule].reads and rule not in BLANK_IS_AN_ANSWER else set()
        assert found == owed, rule
        assert len({case.name for case in cases}) == len(cases), rule


RECORD = {"child.talks": "child.languages"}
"""Where a fact that a rule reads is not a field of its own."""

STANDS_IN_MATCHES = "volunteer.families_visited"

READ_FOR_THE_COST = {"child.placement", "volunteer.home"}
"""The out-of-county budget needs them too, but only outside the county and where mileage is paid."""

NULLABLE = {
    "child": [fact.name for fact in fields(Child) if fact.default is None],
    "volunteer": [fact.name for fact in fields(Volunteer) if fact.default is None],
}


@every_case
def test_a_rule_reads_nothing_but_what_it_declares(rule, case):
    # Everything else may be missing: the verdict and its sentence stay.
    instance = case.instance
    reads = {RECORD.get(path, path) for path in LIMITS[rule].reads}
    reads |= READ_FOR_THE_COST if rule == "out_of_county_budget" else set()
    bare = {
        side: dict.fromkeys(name for name in names if f"{side}.{name}" not in reads) for side, names in NULLABLE.items()
    }
    poorer = replace(
        instance,
        children=(replace(instance.child("C1"), **bare["child"]),),
        volunteers=(replace(instance.volunteer("V1"), **bare["volunteer"]), *instance.volunteers[1:]),
    )
    assert judged(poorer, rule) == judged(instance, rule)


@pytest.mark.parametrize(
    ("rule", "path"), [(rule, path) for rule in CASES for path in LIMITS[rule].reads if path != STANDS_IN_MATCHES]
)
def test_without_a_fact_that_a_rule_declares_no_pair_passes(rule, path):
    side, field = RECORD.get(path, path).split(".")
    for case in CASES[rule]:
        instance = case.instance
        pairs = tables(instance).pair("C1", "V1")
        if case.verdict is not Verdict.PASSES or not LIMITS[rule].applies(pairs, instance.policy)[0]:
            continue
        if not LIMITS[rule].needs(path, pairs, instance.policy)[0]:
            continue
        if path == "child.talks" and case.child.get("needed_languages"):
            continue  # where one is needed, the others do not matter
        blank = replace(case, **{side: {**getattr(case, side), field: None}})
        if path == "child.family" and any(match.child == "C1" for match in case.rest.get("matches", ())):
            continue  # the family is known from the match
        assert judged(blank.instance, rule)[0] is Verdict.NOT_RECORDED, case.name


def test_rules_about_one_person_read_nobody_else():
    for limit in LIMITS.values():
        assert limit.about in ("child", "volunteer", "pair")
        if limit.about != "pair":
            assert all(path.startswith(f"{limit.about}.") for path in limit.reads), limit.id


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_columns_without_rows(limit):
    # No children, no volunteers, nobody at all: a verdict of no rows, and no error.
    for children, volunteers in (([], []), ([a_child()], []), ([], [a_volunteer()])):
        instance = an_instance(children, volunteers)
        every = tables(instance)
        pairs = every.pairs_within(np.arange(len(children)), np.arange(len(volunteers)), None)
        assert limit.verdicts(pairs, instance.policy).shape == (0,)


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_one_pair_is_judged_as_among_many(limit):
    case = next(case for case in CASES[limit.id] if case.verdict is not Verdict.PASSES or limit.id in NOBODY_FAILS)
    others = [a_child("C0"), a_child("C1", **case.child), a_child("C2")]
    people = [a_volunteer("V0"), a_volunteer("V1", **case.volunteer), a_volunteer("V2", household="H2")]
    instance = an_instance(others, people, policy=a_policy(case.policy), **case.rest)
    rows = np.arange(3)
    verdicts = limit.verdicts(tables(instance).pairs_within(rows, rows, None), instance.policy)
    assert verdicts[4] == case.verdict  # C1 with V1 stands in the middle of nine


def test_mileage_is_exact_and_rounded_up_at_every_distance():
    # There and back, in miles of 1609.344 m, at 45p, 24 times a year: to the penny, in the rules and in the audit.
    distances = range(1, 40_234, 137)
    child = a_child(responsible_authority=WEST, placement_council=NORTH)
    people = [a_volunteer(f"V{metres:05}", home=a_place(metres), travel_limit_metres=50_000) for metres in distances]
    instance = an_instance([child], people, authorities=[Authority(WEST, 10**9)])
    pence = out_of_county_pence(every_pair(instance), instance.policy).tolist()
    assert pence == [ceil(Fraction(2 * metres * 1000, 1_609_344) * 45 * 24) for metres in distances]
    for person, cost in zip(people, pence, strict=True):
        for budget, clean in ((cost, True), (cost - 1, False)):
            funded = replace(instance, authorities={WEST: Authority(WEST, budget)})
            assert (audit(funded, [("C1", person.id)]) == ()) == clean


def test_journeys_within_one_postcode_district_are_not_said_to_have_no_length():
    home = find_place("NN1")
    child = {"placement": home, "responsible_authority": WEST, "placement_council": NORTH}
    case = fails("", child, {"home": home}, authorities=[Authority(WEST, 100_000)])
    assert judged(case.instance, "out_of_county_budget")[1] == (
        "C1 is placed outside West Northamptonshire, in the postcode district where V1 lives: how long the journeys "
        "are is not known from that, so it counts as £0.00 a year, reckoned with 24 visits a year. "
        "West Northamptonshire has £1,000.00 left this year."
    )


def test_reasons_tell_the_limit_that_decides():
    # 5001 m are 3.1075 miles, told as 3.11; 5000 m are 3.107. 3219 m are a hair more than 2 miles of 1609.344 m.
    case = fails("", {"placement": a_place(5001)}, {"travel_limit_metres": 5000})
    assert judged(case.instance, "travel")[1] == "C1 lives 3.11 miles away, too far: V1 travels up to 3.107 miles."
    case = fails("", {"placement": a_place(3219)}, policy={"rules.travel.miles": 2})
    assert judged(case.instance, "travel")[1] == "C1 lives 2.01 miles away, too far: the policy's limit is 2 miles."
    case = fails("", {"placement": a_place(3219)}, policy={"rules.travel.miles": 1})
    assert judged(case.instance, "travel")[1] == "C1 lives 2.01 miles away, too far: the policy's limit is 1 mile."


def test_reason_of_a_refusal_names_who_refused_and_when():
    case = fails("", declined=[Declined("C1", "V1", Party.SOCIAL_WORKER, date(2026, 9, 1))])
    assert judged(case.instance, "not_declined")[1] == "The social worker said no to V1 for C1 on 1 September 2026."


def test_the_childs_no_is_told_as_final():
    case = fails("", {"agrees": Agreement.NO})
    told = "C1 does not want a visitor. That is final until the child says otherwise."
    assert judged(case.instance, "child_agrees")[1] == told


def test_a_reason_without_a_volunteer_speaks_of_the_child():
    # Why a child stays unmatched is told without a volunteer at hand.
    instance = an_instance([a_child(agrees=None)], [])
    alone = tables(instance).children_alone(np.array([0]))
    between = Between(instance.children[0], a_volunteer(""), instance, alone)
    sentence = LIMITS["child_agrees"].reason(between, instance.policy, Verdict.NOT_RECORDED)
    assert sentence == "Not recorded: whether C1 agrees (children, column agrees)."


# ---- what the constraints tell the solver, to the last number ----------------------------------------------------

# C1 and C2 are siblings at one place, and so are C3 and C4 at another; C5 is placed in the north, 1609 m away.
FIVE = [
    a_child("C1", family="F1", coordinator="B"),
    a_child("C2", family="F1"),
    a_child("C3", family="F3", placement=a_place(500), coordinator="A"),
    a_child("C4", family="F3", placement=a_place(500), coordinator="B"),
    a_child("C5", placement=a_place(1609), placement_council=NORTH),
]
FOUR = [a_volunteer("V1", household="H2"), a_volunteer("V2"), a_volunteer("V3", household="H1"),
        a_volunteer("V4", household="H2")]  # fmt: skip


def arrays_of(rule: str, *, policy: Any = (), **rest: Any) -> dict[str, list[Any]]:
    instance = an_instance(FIVE, FOUR, policy=a_policy(dict(policy)), **rest)
    return {name: array.tolist() for name, array in LIMITS[rule].arrays(every_pair(instance), instance.policy).items()}


def test_capacity_is_what_the_policy_allows_or_an_exception_less_who_is_visited():
    assert arrays_of("capacity") == {"capacity": [1, 1, 1, 1]}
    second = [an_exception(ExceptionKind.SECOND_CHILD, "V2"), an_exception(ExceptionKind.SECOND_CHILD, "V3", value=4)]
    now = [visited("C8", "V1", "C8"), visited("C9", "V3", "C9"), visited("C7", "V4", "C7", now=False)]
    assert arrays_of("capacity", exceptions=second, matches=now) == {"capacity": [0, 2, 3, 1]}
    assert arrays_of("capacity", policy={"constraints.capacity.children": 3}, exceptions=second) == {
        "capacity": [3, 3, 4, 3]
    }
    # The larger of two exceptions counts, and one of another kind does not.
    more = [*second, an_exception(ExceptionKind.SECOND_CHILD, "V3", value=3),
            an_exception(ExceptionKind.SHORTER_COMMITMENT, "V1", value=9)]  # fmt: skip
    assert arrays_of("capacity", exceptions=more) == {"capacity": [1, 2, 4, 1]}


def test_siblings_apart_tells_who_is_of_one_family():
    (family,) = arrays_of("siblings_apart").values()
    assert [family.index(one) for one in family] == [0, 0, 2, 2, 4]


def test_siblings_together_tells_who_is_matched_at_the_same_time():
    how = "constraints.siblings_together.how"
    assert arrays_of("siblings_together") == {"bonus_group": [0, 0, 1, 1, -1]}
    assert arrays_of("siblings_together", policy={how: "required"}) == {"together": [0, 0, 1, 1, -1]}
    assert arrays_of("siblings_together", policy={how: "off"}) == {"bonus_group": [-1] * 5}
    # Where one of them is agreed already, nobody waits for the other; the points for both are still to be had.
    pin = [Match("C2", "V2", MatchStatus.AGREED)]
    assert arrays_of("siblings_together", policy={how: "required"}, matches=pin) == {"together": [-1, -1, 1, 1, -1]}
    assert arrays_of("siblings_together", matches=pin) == {"bonus_group": [0, 0, 1, 1, -1]}


def test_partners_apart_tells_who_lives_together():
    assert arrays_of("partners_apart") == {"household": [1, -1, 0, 1]}


def test_a_coordinators_room_is_the_limit_less_what_is_supported_now():
    live = [supported("C8", "A"), supported("C9", "A"), replace(visited("C7", "V1", "C7"), coordinator="C"),
            replace(visited("C6", "V1", "C6", now=False), coordinator="B")]  # fmt: skip
    limits = {"constraints.coordinator_caseload.matches": 3}
    assert arrays_of("coordinator_caseload", policy=limits, matches=live) == {
        "caseload": [1, -1, 0, 1, -1],
        "caseload_limit": [1, 3],
    }
    # Two visits to one child are one match, and nobody's room is below none.
    live += [replace(visited("C8", "V3", "C8"), coordinator="A")]
    for most, left in ((2, [0, 2]), (1, [0, 1])):
        limits = {"constraints.coordinator_caseload.matches": most}
        assert arrays_of("coordinator_caseload", policy=limits, matches=live)["caseload_limit"] == left


def test_the_budget_tells_what_each_pair_costs_whom_and_what_is_left():
    funded = {"authorities": [Authority(WEST, 5000, spent_pence=1500), Authority(NORTH, 9)]}
    told = arrays_of("out_of_county_budget", **funded)
    assert told["cost"] == [0] * 16 + [2160] * 4
    assert told["fund"] == [-1] * 16 + [1] * 4  # the councils of these records, by code: NORTH 0, WEST 1
    assert told["budget"] == [0, 3500]  # no child is NORTH's, and 50 − 15 pounds are left to WEST
    assert arrays_of("out_of_county_budget", authorities=[Authority(WEST, 10, 11)])["budget"] == [0, 0]
    assert arrays_of("out_of_county_budget", authorities=[Authority(WEST)])["budget"] == [0, 0]
    assert arrays_of("out_of_county_budget", policy=SPOT_PURCHASE, **funded)["cost"] == [0] * 16 + [250_000] * 4


def test_only_pairs_within_reach_are_formed(monkeypatch):
    # A county of ten thousand of each must not become a hundred million rows before the first is refused.
    formed = []
    within = Tables.pairs_within

    def noted(self, children, volunteers, reach):
        pairs = within(self, children, volunteers, reach)
        formed.append((reach, len(pairs)))
        return pairs

    monkeypatch.setattr(Tables, "pairs_within", noted)
    children = [a_child("C1"), a_child("C2", placement=a_place(50_000)), a_child("C3", agrees=Agreement.NO)]
    people = [a_volunteer("V1"), a_volunteer("V2", status=Status.SUSPENDED)]
    assert len(eligible_pairs(tables(an_instance(children, people)), a_policy())) == 1
    anywhere = a_policy({"rules.travel.on": False})
    assert len(eligible_pairs(tables(an_instance(children, people)), anywhere)) == 2
    assert formed == [(40_233, 1), (None, 2)]  # 25 miles; without that rule, all who are left on both sides


def test_siblings_at_one_place_hear_of_each_other():
    how = "constraints.siblings_together.how"
    told = "C1 lives with C2, and siblings are matched at the same time"
    for chosen, sentence in (
        ("preferred", f"{told} where possible: 30 points if they are."),
        ("required", f"{told} or not at all."),
        ("off", "No sibling of C1 has to be matched at the same time."),
    ):
        instance = an_instance(FIVE, FOUR, policy=a_policy({how: chosen}))
        assert judged(instance, "siblings_together")[1] == sentence


def test_a_match_without_a_coordinator_counts_for_the_childs_own():
    people = [*FOUR, a_volunteer("V5"), a_volunteer("V6")]
    children = [*FIVE, a_child("C7", coordinator="A"), a_child("C8")]
    now = [visited("C7", "V5"), visited("C8", "V6")]
    instance = an_instance(children, people, matches=now)
    assert live_caseload(instance) == {"A": 1}  # nobody's match is nobody's


def test_each_exception_allows_its_own_pair():
    people = [a_volunteer("V1", known_children=("C1",)), a_volunteer("V2", known_children=("C1", "C2"))]
    kind = ExceptionKind.RELATIVE
    given = [an_exception(kind, "V1", "C1"), an_exception(kind, "V2", "C2")]
    instance = an_instance([a_child("C1"), a_child("C2")], people, exceptions=given)
    verdicts = LIMITS["known_to_child"].verdicts(every_pair(instance), instance.policy)
    assert verdicts.tolist() == [1, 0, 1, 1]  # C1 with V1, C1 with V2 (not allowed), C2 with V1, C2 with V2


def test_nothing_is_charged_where_the_policy_does_not_count_it():
    instance = an_instance(FIVE, FOUR, policy=a_policy({"constraints.out_of_county_budget.on": False}))
    pence = out_of_county_pence(every_pair(instance), instance.policy)
    assert (pence.tolist(), pence.dtype.kind) == ([0] * 20, "i")


if __name__ == "__main__":
    REASONS.write_text(reasons(), encoding="utf-8")
