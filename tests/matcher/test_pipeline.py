"""Whole plans against all the plans there are, and the promises that a plan makes to whoever reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pytest
from making import (
    AS_OF,
    NORTH,
    WEST,
    Chance,
    PlanChance,
    a_child,
    a_place,
    a_policy,
    a_volunteer,
    an_exception,
    an_instance,
    every_pair,
    ids_of,
)
from specification import Pair, best_of_all

from matcher import solver
from matcher.audit import audit
from matcher.errors import NoPlanError, PolicyError
from matcher.instance import Instance
from matcher.pipeline import match, plan
from matcher.planning.objective import objective
from matcher.planning.search import consider
from matcher.policy import Policy
from matcher.records import Agreement, Authority, Contact, ExceptionKind, Match, MatchStatus, Status
from matcher.scoring import score
from matcher.shortlist import shortlist, shortlists


@pytest.mark.parametrize("seed", range(100, 120))
def test_no_plan_is_better_than_the_one_that_is_found(seed):
    for instance in chain(Chance(seed).instances(30), PlanChance(seed).instances(30)):  # 20 × 60 instances
        found = match(instance)
        assert found.status == "OPTIMAL"
        pinned = {(one.child, one.volunteer) for one in found.matches if one.pinned}
        assert dict(found.tiers) == best_of_all(instance, pinned), instance
        assert audit(instance, found.pairs) == ()
        assert found.bound == found.value
        assert found.first_tier_bound == next(iter(found.tiers.values()))


def test_these_instances_are_worth_planning():
    # Among 180 of them: many with several matches, and many where a plan constraint costs a match.
    met: Counter[str] = Counter()
    for instance in chain(Chance(100).instances(60), PlanChance(100).instances(120)):
        found = match(instance)
        met["several matches"] += len(found.matches) > 1
        for one in found.matches:
            met[one.pinned] += 1
        met["pins that a rule forbids by now"] += len(found.not_kept)
        met["siblings matched at the same time"] += len(found.together)
        for constraint in _LIMITS:
            if instance.policy.on(f"constraints.{constraint}"):
                freer = replace(instance, policy=_without(instance, constraint))
                met[constraint] += match(freer).pairs != found.pairs
        for one, other in _siblings(instance):
            both = {pair.volunteer for pair in found.matches if pair.child in (one, other)}
            met["siblings with two volunteers"] += len(both) == 2
        for child in found.unmatched:
            met[child.kind] += 1
    assert met.keys() >= {"child", "nobody", "others", "fit", "agreed", "proposed", *_LIMITS}
    assert min(met.values()) >= 5, met


_LIMITS = ("capacity", "out_of_county_budget", "siblings_together", "partners_apart", "coordinator_caseload", "pinned")


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
            assert one.fit >= instance.policy.minimum_fit or one.pinned
        assert found.points == sum(one.points for one in found.matches) + found.together_points
        kept = {(one.child, one.volunteer) for one in found.matches if one.pinned}
        lost = {(one.child, one.volunteer) for one in found.not_kept}
        if instance.policy.on("constraints.pinned"):
            assert kept | lost == {(pin.child, pin.volunteer) for pin in instance.pins}
            assert not kept & lost
        assert sum(found.spent_pence.values()) == sum(one.cost_pence for one in found.matches)
        clean = Counter(pair[0] for pair in row if not audit(instance, [pair], whole=False))
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
        "C2": ("others", "1 volunteer could visit. In the plan: 1 planned for other children."),
        "C3": ("child", "C3 does not want a visitor. That is final until the child says otherwise."),
        "C4": (
            "nobody",
            "No volunteer is eligible: of 2, 1 can visit no child for now and 1 without a shared language.",
        ),
        "C5": ("others", "1 volunteer could visit. In the plan: 1 planned for other children."),
    }
    roomier = match(replace(instance, policy=a_policy({"constraints.capacity.children": 2})))
    reasons = {child.child: child.reason for child in roomier.unmatched}
    assert roomier.pairs == (("C1", "V1"), ("C5", "V1"))
    assert reasons["C2"] == "1 volunteer could visit. In the plan: 1 planned for other children."


def test_a_sibling_without_a_visitor_is_told_why():
    # V1 may visit two, but not two of one family.
    children = [a_child("C1", family="F1", parental_contact=Contact.NONE), a_child("C2", family="F1")]
    for limits in ({"constraints.capacity.children": 2}, {"constraints.capacity.on": False}):
        found = match(an_instance(children, [a_volunteer()], policy=a_policy(limits)))
        assert found.pairs == (("C1", "V1"),)
        assert found.unmatched[0].reason == "1 volunteer could visit. In the plan: 1 planned for a sibling."


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
        "1 beyond what is left of the out-of-county budget and 1 planned for other children."
    )


# ---- the constraints that need more than one pair, told in words --------------------------------------------------


def test_siblings_at_one_place_are_matched_at_the_same_time_where_that_is_worth_it():
    # C1 and C3 are siblings at one place, C2 waits 100 days longer than either; two volunteers. Without the points the
    # plan takes C2 and C1: 2 × 1000 + 130 + 30; with C1 and C3 it has 2 × 1000 + 30 + 30 and the points for siblings.
    children = [
        a_child("C1", family="F1"),
        a_child("C2", referred_on=date(2026, 6, 24)),
        a_child("C3", family="F1"),
    ]
    instance = an_instance(children, [a_volunteer(), a_volunteer("V2")])
    for points, matched, together in ((99, ["C1", "C2"], ()), (101, ["C1", "C3"], (("C1", "C3"),))):
        found = match(replace(instance, policy=a_policy({"constraints.siblings_together.points": points})))
        assert [one.child for one in found.matches] == matched
        assert found.together == together
        assert found.points == found.tiers["points"] == max(2160, 2060 + points)


def test_siblings_are_matched_all_or_none_where_the_policy_requires_it():
    children = [a_child("C1", family="F1", parental_contact=Contact.NONE), a_child("C2", family="F1")]
    required = a_policy({"constraints.siblings_together.how": "required"})
    one = match(an_instance(children, [a_volunteer()], policy=required))
    assert one.pairs == ()
    assert [child.reason for child in one.unmatched] == [
        "1 volunteer could visit. In the plan: 1 free, but with none for a sibling at the same time."
    ] * 2
    two = match(an_instance(children, [a_volunteer(), a_volunteer("V2")], policy=required))
    assert len(two.matches) == 2
    # Who is on the way to a visitor already waits for nobody.
    agreed = [Match("C2", "V1", MatchStatus.AGREED)]
    assert match(an_instance(children, [a_volunteer()], policy=required, matches=agreed)).pairs == (("C2", "V1"),)


def test_partners_do_not_visit_siblings_where_the_policy_asks():
    children = [a_child("C1", family="F1", parental_contact=Contact.NONE), a_child("C2", family="F1")]
    people = [a_volunteer(household="H1"), a_volunteer("V2", household="H1")]
    assert len(match(an_instance(children, people)).matches) == 2
    found = match(an_instance(children, people, policy=a_policy({"constraints.partners_apart.on": True})))
    assert [one.child for one in found.matches] == ["C1"]
    assert found.unmatched[0].reason == (
        "2 volunteers could visit. In the plan: "
        "1 planned for other children and 1 with a partner planned for a sibling."
    )


def test_a_coordinator_takes_on_no_more_than_the_caseload():
    children = [a_child("C1", coordinator="A", parental_contact=Contact.NONE), a_child("C2", coordinator="A")]
    children += [a_child("C3", coordinator="B"), a_child("C4")]
    people = [a_volunteer(f"V{n}") for n in range(1, 6)]
    live = [Match("C9", "V5", MatchStatus.CURRENT, "C9", coordinator="B")]
    policy = a_policy({"constraints.coordinator_caseload.matches": 1})
    found = match(an_instance(children, people, matches=live, policy=policy))
    assert [one.child for one in found.matches] == ["C1", "C4"]
    assert {child.child: child.reason for child in found.unmatched} == {
        "C2": "4 volunteers could visit. In the plan: "
        "2 beyond the coordinator's caseload and 2 planned for other children.",
        "C3": "B supports 1 match now, and the policy allows 1: there is no room for C3.",
    }


def test_what_is_agreed_or_proposed_stays_however_low_its_fit():
    people = [a_volunteer(interests=()), a_volunteer("V2")]
    children = [a_child("C1"), a_child("C2")]
    pins = [Match("C1", "V1", MatchStatus.AGREED), Match("C2", "V2", MatchStatus.PROPOSED)]
    found = match(an_instance(children, people, matches=pins, policy=a_policy(minimum_fit=600)))
    assert [(one.child, one.volunteer, one.pinned) for one in found.matches] == [
        ("C1", "V1", "agreed"),
        ("C2", "V2", "proposed"),
    ]
    assert found.not_kept == ()
    off = a_policy({"constraints.pinned.on": False}, minimum_fit=600)
    assert match(an_instance(children, people, matches=pins, policy=off)).pairs in ((("C1", "V2"),), (("C2", "V2"),))


def test_what_a_rule_forbids_by_now_is_told_by_name():
    children = [a_child("C1"), a_child("C2"), a_child("C3", agrees=Agreement.NO), a_child("C4")]
    people = [a_volunteer(), a_volunteer("V2", dbs_checked_on=date(2023, 11, 1)), a_volunteer("V3")]
    pins = [
        Match("C1", "V1", MatchStatus.AGREED),
        Match("C2", "V1", MatchStatus.PROPOSED),  # who is agreed for C1
        Match("C2", "V2", MatchStatus.AGREED),  # whose check has lapsed
        Match("C3", "V3", MatchStatus.AGREED),  # whom the child does not want any more
        Match("C4", "V3", MatchStatus.PROPOSED),
        Match("C4", "V3", MatchStatus.CURRENT),  # which has begun
    ]
    found = match(an_instance(children, people, matches=pins))
    assert found.pairs == (("C1", "V1"),)
    assert [(lost.child, lost.volunteer, lost.status, lost.reason) for lost in found.not_kept] == [
        (
            "C2",
            "V2",
            "agreed",
            "V2's DBS check has lapsed: that of 1 November 2023 is due again on 1 November 2026.",
        ),
        ("C3", "V3", "agreed", "C3 does not want a visitor. That is final until the child says otherwise. "
         "V3 visits C4 now, and may have one child at a time."),
        ("C2", "V1", "proposed", "V1 would visit 2 children; the most is 1."),
        ("C4", "V3", "proposed", "C4 has a visitor now."),
    ]  # fmt: skip


def test_a_second_child_by_an_exception():
    children = [a_child("C1"), a_child("C2")]
    assert len(match(an_instance(children, [a_volunteer()])).matches) == 1
    allowed = an_exception(ExceptionKind.SECOND_CHILD)
    assert len(match(an_instance(children, [a_volunteer()], exceptions=[allowed])).matches) == 2


def test_below_the_minimum_fit_nobody_is_matched_for_the_sake_of_it():
    # Nothing in common but the neighbourhood, a long commitment and the rhythm of visits: 25, 10 and 15 of 90 parts of
    # the weight, 1000 × 50 / 90 = 556 points.
    instance = an_instance([a_child(interests=("chess",))], [a_volunteer()])
    assert match(instance).matches[0].fit == 556
    assert match(replace(instance, policy=a_policy(minimum_fit=556))).pairs == (("C1", "V1"),)
    refused = match(replace(instance, policy=a_policy(minimum_fit=557)))
    assert refused.pairs == ()
    assert (refused.unmatched[0].kind, refused.unmatched[0].reason) == (
        "fit",
        "1 volunteer could visit, but none fits with 557 points or more, as the policy asks.",
    )


def test_a_pair_of_no_points_is_still_a_match():
    # Nothing in common, at the very limit of travel, referred today: 0 points, and yet better than nobody.
    policy = a_policy({f"scores.{id}.on": False for id in ("closeness", "commitment_length", "visit_rhythm")})
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
    listed = shortlist(instance, "C1", rank_by="fit", plan=match(instance))
    assert [(one.rank, one.volunteer) for one in listed] == [(1, "V2"), (2, "V3"), (3, "V4"), (4, "V1")]
    assert [one.planned_for for one in listed].count(("C1",)) == 1
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
        "matcher.planning.search.solve",
        lambda problem, **_: solver.Solution(status, none, 0, 9999, 0.1, len(problem), 0),
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
    # V1 can visit C1, without parental contact and with no interest in common (fit 556), or C2, who fits in every way
    # (1000) and has waited longer. One sum chooses C2 (730 + 1000 against 500 + 30 + 556); tiers choose C1.
    c1 = a_child("C1", parental_contact=Contact.NONE, interests=("chess",))
    c2 = a_child("C2", referred_on=AS_OF.replace(year=2020))
    policy = a_policy({"priorities.no_parental_contact.points": 500})
    instance = an_instance([c1, c2], [a_volunteer()], policy=policy)
    assert match(instance).pairs == (("C2", "V1"),)
    tiered = match(replace(instance, policy=replace(policy, tiers=("children_without_parental_contact", "fit"))))
    assert tiered.pairs == (("C1", "V1"),)
    assert dict(tiered.tiers) == {"children_without_parental_contact": 1, "fit": 556, "children_matched": 1}


def test_an_objective_is_one_integer_in_the_order_of_its_tiers():
    for instance in Chance(5).instances(60):
        goal = objective(consider(instance), instance.policy)
        tiers = [tuple(int(tier.measure[row]) for tier in goal.tiers) for row in range(len(goal.points))]
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
    children = [a_child(f"C{n}", referred_on=AS_OF.replace(year=1990)) for n in range(100)]
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
        exceptions=anew(instance.exceptions),
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
