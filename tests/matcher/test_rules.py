"""Each rule alone: a pair that passes, one that fails, one where a fact is not recorded; each limit from both sides."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import pytest
from making import AS_OF, NORTH, WEST, a_child, a_place, a_policy, a_volunteer, an_instance, every_pair

from matcher.audit import audit
from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS, eligible, in_force
from matcher.explain import explain
from matcher.instance import Instance
from matcher.pairs import Between, tables
from matcher.records import (
    Agreement,
    Authority,
    Declined,
    Gender,
    Match,
    MatchStatus,
    Party,
    Status,
    Strength,
)
from matcher.rules.base import Limit, Verdict
from matcher.rules.plan import out_of_county_pence

LIMITS: dict[str, Limit] = {limit.id: limit for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS)}

NOBODY_FAILS = {"one_visitor", "siblings_apart"}
"""Constraints that no pair breaks alone: a child with a visitor does not wait, and siblings are two."""


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
        people = [a_volunteer(**self.volunteer), a_volunteer("V2")]
        return an_instance([a_child(**self.child)], people, policy=a_policy(self.policy), **self.rest)


def passes(name: str, child: Any = (), volunteer: Any = (), policy: Any = (), **rest: Any) -> Case:
    return Case(Verdict.PASSES, name, dict(child), dict(volunteer), dict(policy), rest)


def fails(name: str, child: Any = (), volunteer: Any = (), policy: Any = (), **rest: Any) -> Case:
    return Case(Verdict.FAILS, name, dict(child), dict(volunteer), dict(policy), rest)


def unknown(name: str, child: Any = (), volunteer: Any = (), policy: Any = (), **rest: Any) -> Case:
    return Case(Verdict.NOT_RECORDED, name, dict(child), dict(volunteer), dict(policy), rest)


def visited(child: str, volunteer: str = "V1", family: str | None = None, now: bool = True) -> Match:
    return Match(child, volunteer, MatchStatus.CURRENT if now else MatchStatus.ENDED, family)


def days(day: date, *steps: int) -> list[date]:
    return [day + timedelta(days=step) for step in steps]


BEFORE_21, TURNS_21, AFTER_21 = days(date(2005, 11, 1), 1, 0, -1)  # born a day later, the birthday is still to come
BEFORE_DUE, DUE, AFTER_DUE = days(date(2023, 11, 1), 1, 0, -1)
YESTERDAY, TODAY, TOMORROW = days(AS_OF, -1, 0, 1)

PLACED_AWAY = {"responsible_authority": WEST, "placement_council": NORTH, "placement": a_place(1609)}
# 2 × 1609 m × 24 visits × 45p ÷ 1609.344 m = 2159.54p, rounded up to 2160p a year.
SPOT_PURCHASE = {"constraints.out_of_county_budget.method": "spot_purchase"}  # £2,500 a year
ESSENTIAL = Strength.ESSENTIAL


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
    "child_agrees": [
        passes("yes"),
        fails("no", {"agrees": Agreement.NO}),
        fails("not asked", {"agrees": Agreement.NOT_ASKED}),
        unknown("blank is no yes", {"agrees": None}),
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
    ],
    "siblings_apart": [passes("a sibling is with nobody", {"family": "F1"})],
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
    violations = audit(case.instance, [("C1", "V1")])
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
    if "authorities.csv" not in sentence:
        assert "C1" in sentence or "V1" in sentence
    for person in (instance.child("C1"), instance.volunteer("V1")):
        if person.date_of_birth:
            assert str(person.date_of_birth.year) not in sentence
    if case.verdict is Verdict.NOT_RECORDED:
        assert re.search(r"\((children|volunteers|matches|authorities)\.csv, column [a-z_]+\)", sentence)


@pytest.mark.parametrize("rule", [rule for rule in CASES if not LIMITS[rule].core])
def test_a_switched_off_rule_forbids_nothing(rule):
    limit = LIMITS[rule]
    case = next(case for case in CASES[rule] if case.verdict is Verdict.FAILS)
    instance = replace(case, policy={**case.policy, f"{limit.section}.{rule}.on": False}).instance
    assert limit not in in_force(instance.policy)
    assert rule not in {violation.rule for violation in audit(instance, [("C1", "V1")])}
    told = next(reason for reason in explain(instance, "C1", "V1").reasons if reason.rule == rule)
    assert told.verdict == "not in force"


# ---- what every rule owes, whichever it is: a new one without cases fails here -----------------------------------


def test_every_rule_has_its_cases():
    assert list(CASES) == [limit.id for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS)]
    for rule, cases in CASES.items():
        found = {case.verdict for case in cases}
        owed = {Verdict.PASSES}
        owed |= set() if rule in NOBODY_FAILS else {Verdict.FAILS}
        owed |= {Verdict.NOT_RECORDED} if LIMITS[rule].reads else set()
        assert found == owed, rule
        assert len({case.name for case in cases}) == len(cases), rule


RECORD = {"child.talks": "child.languages"}
"""Where a fact that a rule reads is not a field of its own."""

STANDS_IN_MATCHES = "volunteer.families_visited"

READ_FOR_THE_COST = {"child.placement", "volunteer.home"}
"""The out-of-county budget needs them too, but only outside the county and where mileage is paid."""

NULLABLE = {
    "child": [name for name, value in vars(a_child()).items() if name not in ("id", "needed_languages")
              and name != "requested_gender_strength"],
    "volunteer": [name for name in vars(a_volunteer()) if name != "id"],
}  # fmt: skip


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
    people = [a_volunteer("V0"), a_volunteer("V1", **case.volunteer), a_volunteer("V2")]
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


def test_reasons_tell_the_limit_that_decides():
    # 5001 m are 3.108 miles, told as 3.1; 5000 m are 3.107. 3219 m are a hair more than 2 miles of 1609.344 m.
    case = fails("", {"placement": a_place(5001)}, {"travel_limit_metres": 5000})
    assert judged(case.instance, "travel")[1] == "C1 lives 3.1 miles away, too far: V1 travels up to 3.107 miles."
    case = fails("", {"placement": a_place(3219)}, policy={"rules.travel.miles": 2})
    assert judged(case.instance, "travel")[1] == "C1 lives 2 miles away, too far: the policy's limit is 2 miles."


def test_reason_of_a_refusal_names_who_refused_and_when():
    case = fails("", declined=[Declined("C1", "V1", Party.SOCIAL_WORKER, date(2026, 9, 1))])
    assert judged(case.instance, "not_declined")[1] == "The social worker said no to V1 for C1 on 1 September 2026."


def test_the_childs_no_is_told_as_final():
    case = fails("", {"agrees": Agreement.NO})
    assert judged(case.instance, "child_agrees")[1] == "C1 does not want a visitor. The child's no is final."


def test_a_reason_without_a_volunteer_speaks_of_the_child():
    # Why a child stays unmatched is told without a volunteer at hand.
    instance = an_instance([a_child(agrees=None)], [])
    alone = tables(instance).children_alone(np.array([0]))
    between = Between(instance.children[0], a_volunteer(""), instance, alone)
    sentence = LIMITS["child_agrees"].reason(between, instance.policy, Verdict.NOT_RECORDED)
    assert sentence == "Not recorded: agrees of C1 (children.csv, column agrees)."
