"""Whole plans against all the plans there are, and the promises that a plan makes to whoever reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from making import AS_OF, NORTH, WEST, Chance, a_child, a_place, a_policy, a_volunteer, an_instance, every_pair, ids_of

from matcher import solver
from matcher.audit import audit
from matcher.errors import NoPlanError, PolicyError
from matcher.instance import Instance
from matcher.objective import objective
from matcher.pipeline import consider, match, plan
from matcher.policy import Policy
from matcher.records import Agreement, Authority, Contact, Match, MatchStatus, Status
from matcher.scoring import score
from matcher.shortlist import shortlist, shortlists

Pair = tuple[str, str]


# ---- the specification, without solver, columns or rules: every plan there is, if the audit finds it clean --------


def every_plan(pairs: list[Pair], children: list[str]) -> Iterator[list[Pair]]:
    """Each child takes one of its pairs or none."""
    if not children:
        yield []
        return
    for rest in every_plan(pairs, children[1:]):
        yield rest
        for pair in pairs:
            if pair[0] == children[0]:
                yield [pair, *rest]


def best_of_all(instance: Instance) -> dict[str, int]:
    """The best that any clean plan reaches, tier by tier, the highest first; then the most children matched."""
    scored = score(every_pair(instance), instance.policy)
    measures = {
        pair: {
            "points": int(scored.points[row]),
            "fit": int(scored.fit[row]),
            "priority": int(scored.priority[row]),
            "children_without_parental_contact": int(scored.without_contact[row]),
            "children_matched": 1,
        }
        for row, pair in enumerate(ids_of(scored.pairs))
    }
    tiers = tuple(dict.fromkeys((*instance.policy.tiers, "children_matched")))
    # A plan with a pair that breaks a rule by itself is not clean: such pairs need not be tried with all others.
    worth = [pair for pair, of in measures.items() if of["fit"] >= instance.policy.minimum_fit]
    pairs = [pair for pair in worth if not audit(instance, [pair])]
    best = max(
        tuple(sum(measures[pair][tier] for pair in plan) for tier in tiers)
        for plan in every_plan(pairs, [child.id for child in instance.waiting])
        if not audit(instance, plan)
    )
    return dict(zip(tiers, best, strict=True))


@pytest.mark.parametrize("seed", range(100, 120))
def test_no_plan_is_better_than_the_one_that_is_found(seed):
    for instance in Chance(seed).instances(100):  # 20 × 100 instances
        found = match(instance)
        assert found.status == "OPTIMAL"
        assert dict(found.tiers) == best_of_all(instance), instance
        assert audit(instance, found.pairs) == ()
        assert found.bound == found.value
        assert found.first_tier_bound == next(iter(found.tiers.values()))


def test_these_instances_are_worth_planning():
    # Among 300 of them: many with several matches, and many where a plan constraint costs a match.
    met: Counter[str] = Counter()
    for instance in Chance(100).instances(300):
        found = match(instance)
        met["several matches"] += len(found.matches) > 1
        for constraint in ("capacity", "out_of_county_budget"):
            if instance.policy.on(f"constraints.{constraint}"):
                freer = replace(instance, policy=_without(instance, constraint))
                met[constraint] += match(freer).value > found.value
        for one, other in _siblings(instance):
            both = {pair.volunteer for pair in found.matches if pair.child in (one, other)}
            met["siblings with two volunteers"] += len(both) == 2
        for child in found.unmatched:
            met[child.kind] += 1
    assert met.keys() >= {"child", "nobody", "others", "fit"}
    assert min(met.values()) >= 10, met


def _without(instance: Instance, constraint: str) -> Policy:
    constraints = instance.policy.sections["constraints"]
    constraints = {**constraints, constraint: {**constraints[constraint], "on": False}}
    return replace(instance.policy, sections={**instance.policy.sections, "constraints": constraints})


def _siblings(instance: Instance) -> list[Pair]:
    family = instance.family_of
    recorded = [child.id for child in instance.waiting if child.id in family]
    return [(one, other) for one, other in combinations(recorded, 2) if family[one] == family[other]]


# ---- what a plan tells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_a_plan_accounts_for_every_child_and_every_point(seed):
    for instance in Chance(seed).instances(60):
        found = match(instance)
        scored = score(every_pair(instance), instance.policy)
        row = {pair: row for row, pair in enumerate(ids_of(scored.pairs))}
        told = sorted([one.child for one in found.matches] + [one.child for one in found.unmatched])
        assert told == [child.id for child in instance.waiting]
        assert (found.children, found.volunteers) == (len(instance.waiting), len(instance.volunteers))
        for one in found.matches:
            assert one.fit == scored.fit[row[one.child, one.volunteer]] == sum(one.by_score.values())
            assert one.priority == scored.priority[row[one.child, one.volunteer]] == sum(one.by_priority.values())
            assert one.points == one.fit + one.priority
            assert one.fit >= instance.policy.minimum_fit
        assert found.points == sum(one.points for one in found.matches)
        assert sum(found.spent_pence.values()) == sum(one.cost_pence for one in found.matches)
        clean = Counter(pair[0] for pair in row if not audit(instance, [pair]))
        assert found.eligible_pairs == clean.total()
        for child in found.unmatched:
            assert child.eligible == clean[child.child]
            assert child.eligible + sum(child.excluded.values()) == len(instance.volunteers)
            assert (child.eligible == 0) == (child.kind in ("child", "nobody"))
            assert child.reason.endswith(".")
            assert "when the time to search was over" not in child.reason
        json.dumps(found.to_dict())


def test_the_reason_of_each_unmatched_child():
    # C1 takes V1. C2 is C1's sibling; C3's no is final; C4 suits nobody; C5 comes after C1, who waits longer.
    children = [
        a_child("C1", family="F1", parental_contact=Contact.NONE),
        a_child("C2", family="F1"),
        a_child("C3", agrees=Agreement.NO),
        a_child("C4", languages=("ti",)),
        a_child("C5"),
    ]
    instance = an_instance(children, [a_volunteer(), a_volunteer("V2", status=Status.SUSPENDED)])
    found = match(instance)
    assert found.pairs == (("C1", "V1"),)
    assert {child.child: (child.kind, child.reason) for child in found.unmatched} == {
        "C2": ("others", "1 volunteer could visit. In the plan: 1 proposed to other children."),
        "C3": ("child", "C3 does not want a visitor. The child's no is final."),
        "C4": ("nobody", "No volunteer is eligible: of 2, 1 not approved and 1 without a shared language."),
        "C5": ("others", "1 volunteer could visit. In the plan: 1 proposed to other children."),
    }
    roomier = match(replace(instance, policy=a_policy({"constraints.capacity.children": 2})))
    reasons = {child.child: child.reason for child in roomier.unmatched}
    assert roomier.pairs == (("C1", "V1"), ("C5", "V1"))
    assert reasons["C2"] == "1 volunteer could visit. In the plan: 1 proposed to other children."


def test_a_sibling_without_a_visitor_is_told_why():
    # V1 may visit two, but not two of one family.
    children = [a_child("C1", family="F1", parental_contact=Contact.NONE), a_child("C2", family="F1")]
    for limits in ({"constraints.capacity.children": 2}, {"constraints.capacity.on": False}):
        found = match(an_instance(children, [a_volunteer()], policy=a_policy(limits)))
        assert found.pairs == (("C1", "V1"),)
        assert found.unmatched[0].reason == "1 volunteer could visit. In the plan: 1 proposed to a sibling."


def test_a_child_beyond_the_budget_is_told_so():
    # A match costs 2160p (2 × 1609 m × 45p × 24 visits); 4319p are a penny short of two.
    away = {"placement_council": NORTH, "placement": a_place(1609)}
    children = [a_child("C1", parental_contact=Contact.NONE, **away), a_child("C2", **away)]
    instance = an_instance(children, [a_volunteer(), a_volunteer("V2")], authorities=[Authority(WEST, 4319)])
    found = match(instance)
    assert [one.child for one in found.matches] == ["C1"]
    assert found.spent_pence == {WEST: 2160}
    assert found.unmatched[0].reason == (
        "2 volunteers could visit. In the plan: "
        "1 beyond what is left of the out-of-county budget and 1 proposed to other children."
    )


def test_below_the_minimum_fit_nobody_is_matched_for_the_sake_of_it():
    # Nothing in common but the neighbourhood: 25 of 65 parts of the weight, 1000 × 25 / 65 = 385 points.
    instance = an_instance([a_child(interests=("chess",))], [a_volunteer()])
    assert match(instance).matches[0].fit == 385
    assert match(replace(instance, policy=a_policy(minimum_fit=385))).pairs == (("C1", "V1"),)
    refused = match(replace(instance, policy=a_policy(minimum_fit=386)))
    assert refused.pairs == ()
    assert (refused.unmatched[0].kind, refused.unmatched[0].reason) == (
        "fit",
        "1 volunteer could visit, but none fits with 386 points or more, as the policy asks.",
    )


def test_a_pair_of_no_points_is_still_a_match():
    # Nothing in common, at the very limit of travel, referred today: 0 points, and yet better than nobody.
    policy = a_policy({"rules.travel.miles": 1, "scores.closeness.on": False})
    child = a_child(interests=("chess",), referred_on=AS_OF)
    found = match(an_instance([child], [a_volunteer()], policy=policy))
    assert (found.pairs, found.points) == ((("C1", "V1"),), 0)


@pytest.mark.parametrize(
    ("children", "volunteers"), [([], []), ([a_child()], []), ([], [a_volunteer()]), ([a_child()], [a_volunteer()])]
)
def test_nobody_on_one_side_or_the_other(children, volunteers):
    current = [Match("C1", "V1", MatchStatus.CURRENT)] if children and volunteers else []
    found = match(an_instance(children, volunteers, matches=current))
    assert found.status == "OPTIMAL"
    assert (found.matches, found.value, found.spent_pence) == ((), 0, {})
    assert [child.reason for child in found.unmatched] == ["There are no volunteers."] * (len(children) - len(current))
    assert list(shortlists(consider(an_instance(children, volunteers, matches=current)))) == []
    found.frame, found.unmatched_frame  # noqa: B018


def test_a_shortlist_ranks_by_fit_then_distance_then_id():
    volunteers = [
        a_volunteer("V1", interests=()),
        a_volunteer("V3"),
        a_volunteer("V2"),
        a_volunteer("V4", home=a_place(5), interests=("football", "chess")),
        a_volunteer("V5", status=Status.SUSPENDED),
    ]
    instance = an_instance([a_child()], volunteers)
    listed = shortlist(instance, "C1", plan=match(instance))
    assert [(one.rank, one.volunteer) for one in listed] == [(1, "V2"), (2, "V3"), (3, "V4"), (4, "V1")]
    assert [one.planned_for for one in listed].count("C1") == 1
    assert (listed,) == tuple(shortlists(consider(instance), plan=match(instance)))
    assert len(shortlist(instance, "C1", top=2)) == 2


def test_what_no_policy_counts_is_not_told_as_a_cost():
    child = a_child(placement_council=NORTH, placement=a_place(1609))
    policy = a_policy({"constraints.out_of_county_budget.on": False})
    instance = an_instance([child], [a_volunteer()], policy=policy)
    assert match(instance).matches[0].cost_pence == shortlist(instance, "C1")[0].cost_pence == 0


# ---- when there is no proof ----------------------------------------------------------------------------------------


def _answers(monkeypatch, status: str) -> None:
    """The solver runs out of time: it answers so, with the empty plan."""
    none = np.empty(0, dtype=np.int64)
    monkeypatch.setattr(
        "matcher.pipeline.solve", lambda problem, **_: solver.Solution(status, none, 0, 9999, 0.1, len(problem), 0)
    )


def test_out_of_time_is_never_told_as_nobody_suits_you(monkeypatch):
    _answers(monkeypatch, "FEASIBLE")
    found = match(an_instance([a_child()], [a_volunteer()]))
    assert (found.status, found.pairs) == ("FEASIBLE", ())
    assert found.gap == 1.0
    assert found.unmatched[0].reason == (
        "1 volunteer could visit. In the plan: 1 still free when the time to search was over."
    )


@pytest.mark.parametrize("status", ["INFEASIBLE", "UNKNOWN"])
def test_no_plan_is_an_error_that_says_which(monkeypatch, status):
    _answers(monkeypatch, status)
    with pytest.raises(NoPlanError, match=status):
        match(an_instance([a_child()], [a_volunteer()]))


# ---- tiers -----------------------------------------------------------------------------------------------------------


def test_what_a_lower_tier_gains_never_outweighs_a_higher_one():
    # V1 can visit C1, without parental contact and with nothing in common (fit 385), or C2, who fits in every way
    # (1000) and has waited longer. One sum chooses C2 (30 + 730 + 1000 against 500 + 30 + 385); tiers choose C1.
    c1 = a_child("C1", parental_contact=Contact.NONE, interests=("chess",))
    c2 = a_child("C2", referred_on=AS_OF.replace(year=2020))
    policy = a_policy({"priorities.no_parental_contact.points": 500})
    instance = an_instance([c1, c2], [a_volunteer()], policy=policy)
    assert match(instance).pairs == (("C2", "V1"),)
    tiered = match(replace(instance, policy=replace(policy, tiers=("children_without_parental_contact", "fit"))))
    assert tiered.pairs == (("C1", "V1"),)
    assert dict(tiered.tiers) == {"children_without_parental_contact": 1, "fit": 385, "children_matched": 1}


def test_an_objective_is_one_integer_in_the_order_of_its_tiers():
    for instance in Chance(5).instances(60):
        goal = objective(consider(instance), instance.policy)
        tiers = [tuple(int(part[row]) for part in goal.parts) for row in range(len(goal.points))]
        order = sorted(range(len(tiers)), key=lambda row: tiers[row])
        points = goal.points[order].tolist()
        assert points == sorted(points)
        assert len(set(points)) == len(set(tiers))
        assert all(value > 0 for value in points)


def test_tiers_too_large_to_add_up_are_refused():
    # Five tiers over 100 children whose priority may reach 10 million each: beyond 2**62.
    limits = {
        "priorities.waiting_time.points_a_day": 1000,
        "priorities.waiting_time.most_days": 10_000,
        "rules.travel.on": False,
        "constraints.capacity.children": 10,
    }
    tiers = ("priority", "points", "fit", "children_without_parental_contact", "children_matched")
    children = [a_child(f"C{n}", referred_on=AS_OF.replace(year=1990), date_of_birth=None) for n in range(100)]
    limits |= {"rules.age_gap.on": False}
    instance = an_instance(children, [a_volunteer(f"V{n}") for n in range(60)], policy=a_policy(limits, tiers=tiers))
    with pytest.raises(PolicyError, match="cannot be told apart exactly over 6000 pairs"):
        match(instance)


# ---- determinism -----------------------------------------------------------------------------------------------------


def shuffled(instance: Instance, seed: int) -> Instance:
    dice = np.random.default_rng(seed)

    def anew(rows):
        return [rows[row] for row in dice.permutation(len(rows))]

    return an_instance(
        anew(instance.children),
        anew(instance.volunteers),
        policy=instance.policy,
        matches=anew(instance.matches),
        declined=anew(instance.declined),
        authorities=anew(list(instance.authorities.values())),
    )


def test_the_order_of_rows_changes_nothing():
    for seed, instance in enumerate(Chance(7).instances(60)):
        other = shuffled(instance, seed)
        assert other.data_hash == instance.data_hash
        assert json.dumps(match(other).to_dict()) == json.dumps(match(instance).to_dict())


def many_alike() -> Instance:
    """Forty children and twenty-five volunteers, many of them alike, so that there are ties to break."""
    dice = np.random.default_rng(11)
    kinds = [("football",), ("chess", "football"), ("cooking",)]
    children = [
        a_child(f"C{n}", family=f"F{n // 2}", interests=kinds[dice.integers(3)], placement=a_place(500 * (n % 4)))
        for n in range(40)
    ]
    volunteers = [a_volunteer(f"V{n}", interests=kinds[dice.integers(3)]) for n in range(25)]
    return an_instance(children, volunteers, policy=a_policy({"constraints.capacity.children": 2}))


def test_ties_break_the_same_way_whatever_the_order_of_rows():
    instance = many_alike()
    first = match(instance)
    assert len(first.matches) == 40
    assert match(shuffled(instance, 1)) == match(shuffled(instance, 2)) == first


def test_ties_break_the_same_way_whatever_the_hash_seed():
    told = "import json; from test_pipeline import many_alike, match; print(json.dumps(match(many_alike()).to_dict()))"
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    plans = {
        subprocess.run(
            [sys.executable, "-c", told],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4000000000")
    }
    assert len(plans) == 1
    assert json.loads(plans.pop()) == json.loads(json.dumps(match(many_alike()).to_dict()))


def test_a_plan_of_scored_pairs_is_the_plan_of_the_instance():
    instance = many_alike()
    assert plan(consider(instance)) == match(instance)


def test_each_step_is_told():
    steps: list[str] = []
    match(an_instance([a_child()], [a_volunteer()]), tell=steps.append)
    assert len(steps) == len(set(steps)) >= 5
