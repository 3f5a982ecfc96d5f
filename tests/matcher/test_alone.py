"""What is told of one person alone agrees with the rules; checks lapse on the day on which the rule first fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from making import AS_OF, Chance, a_child, a_policy, a_volunteer, an_instance

from matcher.alone import (
    about_child,
    about_volunteer,
    lapses,
    not_asked,
    ready_children,
    ready_volunteers,
    told_unchecked,
    unchecked,
)
from matcher.explain import explain
from matcher.records import Agreement, Status
from matcher.shortlist import shortlist


def test_a_person_alone_is_told_what_a_pair_is_told():
    instance = an_instance(
        [a_child("C1", agrees=Agreement.NO), a_child("C2", safeguarding_issue=None)], [a_volunteer("V1", drives=None)]
    )
    for child in ("C1", "C2"):
        pair = {one.rule: one for one in explain(instance, child, "V1").reasons}
        alone = (*about_child(instance, child), *about_volunteer(instance, "V1"))
        assert [(one.rule, one.verdict, one.sentence) for one in alone] == [
            (one.rule, pair[one.rule].verdict, pair[one.rule].sentence) for one in alone
        ]
    assert {one.rule for one in about_child(instance, "C1") if one.verdict == "fails"} == {"child_agrees"}
    assert {one.rule for one in about_child(instance, "C2") if one.verdict != "passes"} == {"safeguarding_hold"}


def test_what_is_recorded_against_a_volunteer_is_told_where_the_policy_asks_nothing_of_it():
    """Neither what is not recorded, nor what only falls short of a limit that the policy does not set."""
    off = {f"rules.{rule}.on": False for rule in ("right_to_work", "medical_clearance", "database_check")}
    people = [
        a_volunteer("V1", right_to_work=False), a_volunteer("V2", right_to_work=None),
        a_volunteer("V3", medical_condition=True, medical_clearance_on=date(2026, 12, 24), right_to_work=False),
        a_volunteer("V4", database_checked_on=date(1999, 1, 1)),
    ]  # fmt: skip
    assert not_asked(an_instance([], people, policy=a_policy(off))) == {
        "V1": ("V1 has shown no proof of the right to work.",),
        "V3": (
            "V3 has shown no proof of the right to work.",
            "V3's medical clearance is dated 24 December 2026, which is yet to come.",
        ),
    }
    on = dict.fromkeys(off, True)
    assert not_asked(an_instance([], people, policy=a_policy(on))) == {}


def test_who_is_ready_passes_all_rules_about_themselves():
    instance = an_instance(
        [a_child("C1"), a_child("C2", agrees=Agreement.NO)], [a_volunteer("V1"), a_volunteer("V2", status=None)]
    )
    assert ready_children(instance) == {"C1": True, "C2": False}
    assert ready_volunteers(instance) == {"V1": True, "V2": False}


def test_a_blank_cell_that_keeps_every_volunteer_from_a_child_is_no_wait_for_a_volunteer():
    """One that some volunteers could do without is."""
    children = [a_child("C1", family=None), a_child("C2", placement=None), a_child("C3", fears_animals=None)]
    instance = an_instance(children, [a_volunteer("V1", has_dog=True), a_volunteer("V2", has_dog=False)])
    ready = ready_children(instance)
    assert ready == {"C1": False, "C2": False, "C3": True}
    assert {one: bool(shortlist(instance, one)) for one in ready} == ready


def test_a_check_lapses_on_its_anniversary_and_not_a_day_before():
    """Three years: a check of 1 December 2023 is due again on 1 December 2026, 30 days from 1 November."""
    assert date(2026, 11, 1) == AS_OF
    people = [
        a_volunteer("V1", dbs_checked_on=date(2023, 12, 1)),
        a_volunteer("V2", dbs_checked_on=date(2023, 11, 1)),  # due today: it is out of date already
        a_volunteer("V3", dbs_checked_on=date(2023, 12, 1), status=Status.RESIGNED),
    ]
    instance = an_instance([], people)
    assert [(one.volunteer, one.rule, one.on) for one in lapses(instance, 30)] == [
        ("V2", "dbs_current", None),
        ("V1", "dbs_current", date(2026, 12, 1)),
    ]
    assert [one.volunteer for one in lapses(instance, 29)] == ["V2"]
    later = replace(instance, as_of=date(2026, 11, 30))
    assert [(one.volunteer, one.on) for one in lapses(later, 1)] == [("V2", None), ("V1", date(2026, 12, 1))]


def test_what_is_not_recorded_lapses_on_no_day():
    assert lapses(an_instance([], [a_volunteer("V1", dbs_checked_on=None)]), 60) == ()


def test_a_check_is_lacking_that_the_rules_ask_of_whoever_is_approved():
    """Not the approval itself, nor what somebody does as a visitor."""
    asked = an_instance([], []).policy
    whole = a_volunteer("V1", status=Status.APPLICANT, support_sessions=None)
    assert unchecked([whole], asked, AS_OF) == ()
    lapsed = replace(whole, id="V2", dbs_checked_on=date(2023, 11, 1), core_training_on=None)
    young = replace(whole, id="V3", date_of_birth=date(2009, 1, 1), references_accepted=None)
    found = unchecked([whole, lapsed, young], asked, AS_OF)
    assert {(one.volunteer, one.rule, one.blank) for one in found} == {
        ("V2", "dbs_current", ()), ("V2", "training", ("core_training_on",)),
        ("V3", "minimum_age", ()), ("V3", "references", ("references_accepted",)),
    }  # fmt: skip
    told = told_unchecked([one for one in found if one.volunteer == "V3"])
    assert told == "“references accepted” is not recorded; V3 is 17, and must be over 21"


def test_who_passes_the_rules_about_themselves_but_for_the_status_lacks_nothing():
    everybody = [
        a_volunteer(f"V{n}", **{field: None})
        for n, field in enumerate(("date_of_birth", "drives", "right_to_work", "database_checked_on", "has_dog"))
    ]
    instance = an_instance([], everybody)
    lacking = {one.volunteer for one in unchecked(everybody, instance.policy, AS_OF)}
    assert {id for id, ready in ready_volunteers(instance).items() if not ready} == lacking


def test_a_volunteer_whose_blank_cell_keeps_every_child_from_them_is_not_free():
    """Whether anybody waits or not: it is theirs to fill in. What only some children ask for keeps nobody."""
    volunteers = [a_volunteer("V1"), a_volunteer("V2", home=None), a_volunteer("V3", has_dog=None)]
    for children in ([a_child("C1")], [a_child("C1", agrees=Agreement.NO)], []):
        assert ready_volunteers(an_instance(children, volunteers)) == {"V1": True, "V2": False, "V3": True}


@pytest.mark.parametrize("seed", range(5))
def test_whoever_is_on_a_shortlist_is_ready(seed):
    eligible = {True: 0, False: 0}
    for instance in Chance(seed).instances(60):
        ready = ready_volunteers(instance)
        shown = {one.volunteer for child in instance.waiting for one in shortlist(instance, child.id, rank_by="fit")}
        assert shown <= {id for id, free in ready.items() if free}
        for id in ready:
            eligible[id in shown] += 1
    assert all(eligible.values())
