"""The blank cells that are told to be filled are those that some rule waits for, and no others."""

from __future__ import annotations

import re

import pytest
from making import NORTH, Chance, a_child, a_policy, a_volunteer, an_instance

from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS
from matcher.explain import explain
from matcher.gaps import Gap, gaps, lacking
from matcher.instance import Instance
from matcher.records import Agreement, Match, MatchStatus, Status, Strength

ABOUT = {
    side: {limit.id for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS) if limit.about == side}
    for side in ("child", "volunteer")
}


def told(instance: Instance) -> list[str]:
    return [str(gap) for gap in gaps(instance)]


def test_nothing_is_missing_where_nothing_is_blank():
    assert told(an_instance([a_child()], [a_volunteer()])) == []
    assert told(an_instance([], [])) == []


def test_each_column_is_told_once_with_all_who_lack_it():
    children = [a_child(f"C{n:02}", safeguarding_issue=None) for n in range(10)]
    assert told(an_instance(children, [a_volunteer("V1", known_children=None), a_volunteer("V2", languages=None)])) == [
        "children, column safeguarding_issue: 10 to fill, for safeguarding hold: "
        "C00, C01, C02, C03, C04, C05, C06, C07 and 2 more",
        "volunteers, column known_children: 1 to fill, for known to child: V1",
        "volunteers, column languages: 1 to fill, for language: V2",
    ]


def test_a_blank_that_would_change_nothing_is_not_asked_for():
    children = [a_child("C1", agrees=Agreement.NO, looked_after=None), a_child("C2", requested_gender=None)]
    people = [a_volunteer("V1", status=Status.APPLICANT, dbs_checked_on=None), a_volunteer("V2", gender=None)]
    assert told(an_instance(children, people)) == []
    wishes = [children[0], a_child("C2", requested_gender=None, requested_gender_strength=Strength.ESSENTIAL)]
    assert told(an_instance(wishes, people)) == [
        "children, column requested_gender: 1 to fill, for requested gender: C2",
        "volunteers, column gender: 1 to fill, for requested gender: V2",
    ]


def test_one_cell_that_two_rules_wait_for():
    (gap,) = gaps(an_instance([a_child(additional_needs=None)], [a_volunteer()]))
    assert gap == Gap("children", "additional_needs", ("C1",), ("additional_needs_training", "volunteer_limits"))


def test_what_only_the_policy_asks_for_and_what_stands_in_other_sheets():
    away = a_child(placement_council=NORTH)
    assert told(an_instance([away], [a_volunteer()])) == [
        "authorities, column budget_pounds: 1 to fill, for out of county budget: West Northamptonshire"
    ]
    lost = [Match("C9", "V1", MatchStatus.ENDED)]
    assert told(an_instance([a_child()], [a_volunteer()], matches=lost)) == [
        "matches, column family: 1 to fill, for sibling history: V1"
    ]
    asks = a_policy({"rules.manager_approval.on": True})
    assert told(an_instance([a_child(manager_approved=None)], [a_volunteer()], policy=asks)) == [
        "children, column manager_approved: 1 to fill, for manager approval: C1"
    ]


@pytest.mark.parametrize("seed", range(3))
def test_they_are_the_cells_that_explanations_name(seed):
    found = 0
    for instance in Chance(seed).instances(40):
        refused = {"child": set(), "volunteer": set()}
        cells = set()
        for child in instance.waiting:
            for person in instance.volunteers:
                for reason in explain(instance, child.id, person.id).reasons:
                    for id, sheet, column in re.findall(
                        r"\b([CV]\d)\b[^()]*? \((\w+), column (\w+)\)", reason.sentence
                    ):
                        cells.add((sheet, column, id, child.id, person.id))
                    if reason.verdict == "fails":
                        alone = {"C": "child", "V": "volunteer"}
                        side = next((alone[s] for s in "CV" if reason.rule in ABOUT[alone[s]]), None)
                        if side:
                            refused[side].add(child.id if side == "child" else person.id)
        named = {
            (sheet, id)
            for sheet, _, id, child, person in cells
            if sheet in ("children", "volunteers")
            and child not in refused["child"]
            and person not in refused["volunteer"]
        }
        ours = {
            (gap.sheet, id) for gap in gaps(instance) for id in gap.blank if gap.sheet in ("children", "volunteers")
        }
        found += len(ours)
        if instance.waiting and instance.volunteers:
            lonely = len(refused["child"]) == len(instance.waiting) or len(refused["volunteer"]) == len(
                instance.volunteers
            )
            assert lonely or ours == named
    assert found > 20


@pytest.mark.parametrize("seed", range(20))
def test_the_gaps_of_some_are_theirs_among_all(seed: int):
    """For children and for volunteers alike; another sheet's blanks are nobody's own."""
    instance = Chance(seed).instance()
    everybody = {(gap.sheet, gap.column, id): gap.rules for gap in gaps(instance) for id in gap.blank}
    for ids in ({child.id for child in instance.waiting[:2]}, {one.id for one in instance.volunteers[:2]}):
        theirs = {(gap.sheet, gap.column, id): set(gap.rules) for gap in gaps(instance, of=ids) for id in gap.blank}
        assert set(theirs) == {key for key in everybody if key[2] in ids}
        assert all(rules <= set(everybody[key]) for key, rules in theirs.items())


def test_all_that_somebody_lacks_is_told_at_once_whatever_else_stands_in_their_way():
    """Of somebody refused for now as of anybody; what only some of the others would need is not among it."""
    applicant = a_volunteer("V1", status=Status.APPLICANT, agreement_signed_on=None, home=None, has_dog=None)
    unasked = a_child("C1", agrees=Agreement.NOT_ASKED, referred_on=None, placement=None, placement_council=None)
    instance = an_instance([unasked], [applicant])
    told = {gap.column for gap in lacking((), [applicant], policy=instance.policy, as_of=instance.as_of)}
    assert told == {"agreement_signed_on", "home"}
    told = {gap.column for gap in lacking([unasked], policy=instance.policy, as_of=instance.as_of)}
    assert told == {"referred_on", "placement"}
    assert lacking(policy=instance.policy, as_of=instance.as_of) == ()
    assert {gap.column for gap in gaps(instance, of=["V1"])} == set()
