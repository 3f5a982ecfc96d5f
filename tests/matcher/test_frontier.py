"""Trade-offs: no plan does better in both than one on the frontier."""

from __future__ import annotations

from dataclasses import replace

import pytest
from making import NORTH, WEST, PlanChance, a_child, a_place, a_policy, a_volunteer, an_instance, every_pair, ids_of
from specification import every_plan

from matcher.audit import audit
from matcher.frontier import frontier
from matcher.pipeline import match
from matcher.records import Authority
from matcher.scoring import score


@pytest.mark.parametrize("seed", range(2))
def test_no_plan_has_more_children_at_a_better_fit(seed):
    for instance in PlanChance(seed).instances(15):
        policy = instance.policy
        if policy.choice("constraints.siblings_together.how") == "required":
            continue  # a sibling's match may be worth it only for the other's sake
        scored = score(every_pair(instance), policy)
        fit = dict(zip(ids_of(scored.pairs), scored.fit.tolist(), strict=True))
        allowed = [pair for pair in fit if fit[pair] >= policy.minimum_fit or pair in match(instance).pairs]
        allowed = [pair for pair in allowed if not audit(instance, [pair], whole=False)]
        plans = [
            plan for plan in every_plan(allowed, [one.id for one in instance.waiting]) if not audit(instance, plan)
        ]
        points = frontier(instance, steps=5).along("fit")
        assert max(len(plan) for plan in plans) == points[0].children
        for point in points:
            if not point.of_policy:
                # What each match costs: with it no plan brings more, but for the first, which has most children.
                best = max(sum(fit[pair] - point.asked for pair in plan) for plan in plans)
                mine = point.fit - point.asked * point.children
                most = max(sum(fit[pair] for pair in plan) for plan in plans if len(plan) == point.children)
                assert point.fit == most
                assert mine == best or point.children == points[0].children


def test_the_policys_own_plan_is_on_both():
    instance = an_instance([a_child("C1"), a_child("C2")], [a_volunteer("V1")], authorities=[Authority(WEST, 5000, 0)])
    plan = match(instance)
    own = [point for point in frontier(instance, steps=2).points if point.of_policy]
    assert [point.trade_off for point in own] == ["fit", "budget"]
    assert all(point.pairs == plan.pairs for point in own)


def test_points_are_those_of_the_plan_with_what_siblings_bring():
    siblings = [a_child(id, family="F1") for id in ("C1", "C2")]
    instance = an_instance(siblings, [a_volunteer("V1"), a_volunteer("V2")], authorities=[Authority(WEST, 5000)])
    plan = match(instance)
    assert plan.together_points > 0
    points = frontier(instance, steps=1).points
    assert {one.points for one in points if one.pairs == plan.pairs} == {plan.points}


def test_more_money_is_never_worth_less():
    # Three children out of county: from 1609 m, a match costs 2160 pence. Without a budget all three are matched.
    out = [
        a_child(f"C{n}", responsible_authority=WEST, placement_council=NORTH, placement=a_place(1609))
        for n in (1, 2, 3)
    ]
    people = [a_volunteer(f"V{n}") for n in (1, 2, 3)]
    instance = an_instance(out, people, authorities=[Authority(WEST, 3000, 500)])  # 2500 left: one match
    points = frontier(instance, steps=3).along("budget")
    assert [(one.asked, one.children, one.spent_pence) for one in points if not one.of_policy] == [
        (0, 0, 0),
        (2160, 1, 2160),
        (4320, 2, 4320),
        (6480, 3, 6480),
    ]
    (own,) = [one for one in points if one.of_policy]
    assert (own.asked, own.children) == (2500, 1)


def test_without_budgets_there_is_one_trade_off():
    free = a_policy({"constraints.out_of_county_budget.on": False})
    instance = an_instance([a_child()], [a_volunteer()], policy=free)
    assert [one.of_policy for one in frontier(instance, steps=2).along("budget")] == [True]
    assert frontier(replace(instance, volunteers=()), steps=2).points[0].children == 0


def test_a_frontier_is_a_frame_and_a_record():
    found = frontier(an_instance([a_child()], [a_volunteer()]), steps=2)
    assert list(found.frame.columns) == [
        "trade_off", "asked", "children", "without_contact", "fit", "points", "spent_pence", "status", "of_policy",
        "mean_fit",
    ]  # fmt: skip
    assert len(found.to_dict()["points"]) == len(found.points)
