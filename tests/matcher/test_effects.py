"""What choosing a pair costs the whole plan, against every plan there is; and the shortlists that rank by it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import chain

import numpy as np
import pytest
from making import (
    AS_OF,
    Chance,
    PlanChance,
    a_child,
    a_place,
    a_policy,
    a_volunteer,
    an_instance,
    ids_of,
)
from specification import best_of_all

from matcher.errors import NoPlanError, NotFoundError
from matcher.instance import Instance
from matcher.pipeline import match
from matcher.planning.effects import Effects, PlanEffect
from matcher.records import Agreement, Declined, Gender, Match, MatchStatus, Party, Status
from matcher.shortlist import shortlist, shortlist_for_volunteer


def _without_pins_of(instance: Instance, child: str) -> Instance:
    """What is agreed or proposed for a child gives way where another volunteer is chosen."""
    matches = tuple(one for one in instance.matches if not (one.pinned and one.child == child))
    return replace(instance, matches=matches)


@pytest.mark.parametrize("seed", range(300, 306))
def test_an_effect_is_what_the_best_of_all_plans_with_the_pair_lacks(seed):
    met: Counter[str] = Counter()
    for instance in chain(Chance(seed).instances(12), PlanChance(seed).instances(12)):
        plan = match(instance)
        required = instance.policy.choice("constraints.siblings_together.how") == "required"
        if plan.not_kept or (required and instance.pins):
            continue  # which pins hold, and who waits for a sibling, would depend on the pin that gives way
        effects = Effects.of(instance, plan)
        for pair in ids_of(effects.scored.pairs):
            freer = _without_pins_of(instance, pair[0])
            pinned = {(one.child, one.volunteer) for one in freer.matches if one.pinned}
            best = best_of_all(freer, pinned, chosen=pair)
            effect = effects.exact(*pair)
            assert (best is None) == bool(effect.impossible), (pair, instance)
            if best is not None:
                assert effect.exact
                assert dict(effect.tiers) == {tier: plan.tiers[tier] - best[tier] for tier in best}, (pair, instance)
                assert (effect.loss == 0) == (best == dict(plan.tiers))
                assert effects.at_least(*pair) <= effect.loss
            met["impossible" if best is None else "free" if effect.loss == 0 else "costly"] += 1
            met["leaves a child"] += bool(effect.left)
            met["bounded above 0"] += effects.at_least(*pair) > 0
    assert all(met[what] for what in ("free", "costly", "leaves a child", "bounded above 0")), met


def _two_for_v1() -> Instance:
    """V1 shares more with C1 than V2 does, but C2 has said no to V2: the plan gives V1 to C2, and V2 to C1."""
    children = [a_child("C1", interests=("chess", "football")), a_child("C2")]
    volunteers = [a_volunteer("V1", interests=("chess", "football")), a_volunteer("V2", interests=("chess",))]
    return an_instance(children, volunteers, declined=[Declined("C2", "V2", Party.CHILD)])


def test_who_loses_is_told_by_number_and_by_id():
    instance = _two_for_v1()
    plan = match(instance)
    assert plan.pairs == (("C1", "V2"), ("C2", "V1"))
    effect = Effects.of(instance, plan).exact("C1", "V1")
    assert (effect.left, effect.gained, effect.changed) == (("C2",), (), ())
    worse = effect.tiers["points"]
    assert effect.sentence == (
        f"This choice leaves one other child without a visitor. The whole plan is {worse:,} points worse."
    )
    assert "C2" not in effect.sentence
    free = Effects.of(instance, plan).exact("C1", "V2")
    assert (free.loss, free.sentence) == (0, "The whole plan loses nothing by it.")


@pytest.mark.parametrize(
    ("tiers", "others", "told"),
    [
        (
            {"points": 1204},
            {"left": ("C2",), "gained": ("C5",), "changed": ("C3", "C4")},
            "This choice leaves one other child without a visitor, means a different volunteer for 2 other children "
            "and finds a visitor for one other child. The whole plan is 1,204 points worse.",
        ),
        (
            {"children_matched": 0, "fit": 1},
            {"changed": ("C3",)},
            "This choice means a different volunteer for one other child. The whole plan is one point of fit worse.",
        ),
        ({"children_matched": 2, "fit": 9}, {}, "The whole plan has 2 fewer children with a visitor."),
        (
            {"points": 0},
            {"changed": ("C3",)},
            "This choice means a different volunteer for one other child. The whole plan loses nothing by it.",
        ),
    ],
)
def test_children_are_told_of_before_points_and_those_who_lose_before_all(tiers, others, told):
    loss = next((loss for loss in tiers.values() if loss), 0)
    assert PlanEffect("C1", "V1", loss, loss, tiers, **others).sentence == told


def test_without_a_proof_no_figure_is_told():
    effect = PlanEffect("C1", "V1", 3, 9, {"points": 9}, left=("C2",))
    assert effect.sentence == (
        "This choice leaves one other child without a visitor. "
        "The search ended before the best plan with this pair was proven."
    )


def test_what_is_agreed_for_another_child_makes_a_pair_impossible():
    pins = [Match("C1", "V1", MatchStatus.AGREED)]
    instance = an_instance([a_child("C1"), a_child("C2")], [a_volunteer("V1"), a_volunteer("V2")], matches=pins)
    effects = Effects.of(instance)
    assert effects.exact("C2", "V1").sentence == (
        "Not possible as things stand: with what is agreed and proposed already, V1 is planned for other children."
    )
    # C1 may choose otherwise: their own match gives way, and nobody loses.
    assert effects.exact("C1", "V2").loss == 0
    last = shortlist(instance, "C2", effects=effects)[-1]
    assert (last.volunteer, last.rank) == ("V1", 2)


def test_siblings_who_must_be_matched_together_can_make_a_pair_impossible():
    # C1 and C2 are siblings at one place. Only V1 is there: the two never share V1, so neither can have V1.
    policy = a_policy({"constraints.siblings_together.how": "required"})
    siblings = [a_child("C1", family="F1"), a_child("C2", family="F1")]
    effects = Effects.of(an_instance(siblings, [a_volunteer("V1")], policy=policy))
    assert "siblings" in effects.exact("C1", "V1").impossible
    with pytest.raises(NoPlanError) as refusal:
        effects.planning.choosing(0).solve()
    assert str(refusal.value).endswith(
        "C1 with V1 can only be kept if C1 and C2 are matched at the same time, "
        "and this leaves no room: how many children V1 may visit."
    )


def test_a_pair_below_the_minimum_fit_may_still_be_chosen_by_a_person():
    instance = an_instance([a_child("C1", interests=("chess",))], [a_volunteer("V1")], policy=a_policy(minimum_fit=900))
    assert match(instance).pairs == ()
    effect = Effects.of(instance).exact("C1", "V1")
    # One more match than the plan has: the minimum fit gives way, and the plan gains the pair's points.
    assert effect.loss < 0
    assert effect.tiers["children_matched"] == -1
    assert effect.sentence == f"The whole plan is {-effect.tiers['points']} points better."
    assert Effects.of(instance).at_least("C1", "V1") <= effect.loss


def test_a_pair_that_is_not_eligible_has_no_effect():
    instance = an_instance([a_child()], [a_volunteer(status=Status.SUSPENDED)])
    with pytest.raises(NotFoundError, match="do not pass every rule"):
        Effects.of(instance).exact("C1", "V1")


def test_effects_are_reckoned_against_a_plan_of_the_same_records_only():
    instance = an_instance([a_child("C1"), a_child("C2")], [a_volunteer("V1")])
    fewer = replace(instance, volunteers=())
    stale = match(fewer)
    assert Effects.of(instance, stale).value > 0
    assert Effects.of(instance, match(instance)).value == Effects.of(instance).value


# ---- shortlists by plan ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_a_shortlist_by_plan_is_in_order_of_what_the_whole_plan_loses(seed):
    for instance in PlanChance(seed).instances(25):
        effects = Effects.of(instance)
        pairs = effects.scored.pairs
        for child in instance.waiting:
            every = {other: effects.exact(one, other) for one, other in ids_of(pairs) if one == child.id}
            listed = shortlist(instance, child.id, effects=Effects.of(instance), top=99)
            told = [(bool(one.effect.impossible), one.effect.loss, -one.fit) for one in listed]
            assert told == sorted(told)
            assert {one.volunteer: one.effect for one in listed} == every
            assert [one.rank for one in listed] == list(range(1, len(every) + 1))
            first = shortlist(instance, child.id, effects=Effects.of(instance), top=1)
            assert [one.volunteer for one in first] == [one.volunteer for one in listed[:1]]


def test_no_more_is_searched_than_the_list_needs():
    # 12 volunteers alike but for their distance; only the first two of the list must be certain.
    people = [a_volunteer(f"V{n:02}", home=a_place(400 * n)) for n in range(1, 13)]
    instance = an_instance([a_child("C1")], people)
    effects = Effects.of(instance)
    assert [one.volunteer for one in shortlist(instance, "C1", top=1, effects=effects)] == ["V01"]
    assert len(effects.choices) < 12


def test_by_fit_a_shortlist_ignores_the_plan():
    instance = _two_for_v1()
    by = {how: [one.volunteer for one in shortlist(instance, "C1", rank_by=how)] for how in ("plan", "fit")}
    assert by == {"plan": ["V2", "V1"], "fit": ["V1", "V2"]}
    assert all(one.effect is None for one in shortlist(instance, "C1", rank_by="fit"))
    assert all(one.effect for one in shortlist(instance, "C1", rank_by="fit", effects=Effects.of(instance)))


@pytest.mark.parametrize("seed", range(3))
def test_who_is_asked_for_is_on_a_shortlist_wherever_they_rank_with_their_rank(seed):
    for instance in PlanChance(seed).instances(10):
        for child, how in ((child, how) for child in instance.waiting for how in ("plan", "fit")):
            every = shortlist(instance, child.id, rank_by=how, top=99)
            for one in every:
                listed = shortlist(instance, child.id, rank_by=how, top=1, also=(one.volunteer, "V999"))
                assert listed == (every[:1] if one.rank == 1 else (every[0], one))


def test_a_volunteer_has_a_shortlist_of_children():
    children = [
        a_child("C1", interests=("chess",)),
        a_child("C2", referred_on=AS_OF.replace(year=2024)),  # waits longest, and fits in every way
        a_child("C3", agrees=Agreement.NO),
    ]
    instance = an_instance(children, [a_volunteer("V1")])
    listed = shortlist_for_volunteer(instance, "V1")
    assert [(one.rank, one.child) for one in listed] == [(1, "C2"), (2, "C1")]
    assert listed[0].effect.loss == 0
    assert listed[1].effect.left == ("C2",)
    assert [one.child for one in shortlist_for_volunteer(instance, "V1", rank_by="fit", top=1)] == ["C2"]
    with pytest.raises(NotFoundError, match="no volunteer “V9”"):
        shortlist_for_volunteer(instance, "V9")


@pytest.mark.parametrize("rank_by", ["fit", "plan"])
def test_a_long_list_comes_page_by_page(rank_by):
    people = [a_volunteer(f"V{n}", interests=("chess", *(f"i{m}" for m in range(11 - n)))) for n in range(1, 11)]
    children = [a_child(f"C{n}", interests=("chess",), referred_on=AS_OF - timedelta(days=40 * n)) for n in (1, 2, 3)]
    instance = an_instance(children, people)
    effects = Effects.of(instance)
    whole = shortlist(instance, "C1", top=99, rank_by=rank_by, effects=effects)
    assert len(whole) == 10
    parts = [shortlist(instance, "C1", top=4, skip=n, rank_by=rank_by, effects=effects) for n in (0, 4, 8, 12)]
    assert [len(part) for part in parts] == [4, 4, 2, 0]
    assert tuple(chain(*parts)) == whole  # each with its rank
    named = {whole[0].volunteer, whole[5].volunteer}
    rest = [one.volunteer for one in whole if one.volunteer not in named]
    others = shortlist(instance, "C1", top=3, skip=3, rank_by=rank_by, effects=effects, without=named)
    assert [one.volunteer for one in others] == rest[3:6]
    whole = shortlist_for_volunteer(instance, "V1", rank_by=rank_by, effects=effects)
    assert len(whole) == 3
    assert shortlist_for_volunteer(instance, "V1", top=2, skip=1, rank_by=rank_by, effects=effects) == whole[1:]


def test_a_shortlist_of_different_volunteers_gives_a_choice():
    # V1 and V2 are women of about one age who share football with the child; V3 is a man, V4 older, V5 has chess too.
    child = a_child("C1", interests=("football", "chess"))
    born = a_volunteer().date_of_birth
    people = [
        a_volunteer("V1"),
        a_volunteer("V2", date_of_birth=born.replace(year=born.year - 9)),
        a_volunteer("V3", gender=Gender.MALE),
        a_volunteer("V4", date_of_birth=born.replace(year=born.year - 11)),
        a_volunteer("V5", interests=("football", "chess")),
    ]
    assert a_volunteer().gender is not Gender.MALE
    instance = an_instance([child], people)
    listed = [one.volunteer for one in shortlist(instance, "C1", rank_by="fit", different=True)]
    assert listed == ["V5", "V1", "V3", "V4"]
    # What is not recorded is not alike.
    unknown = an_instance([child], [a_volunteer("V1"), a_volunteer("V2", gender=None)])
    assert len(shortlist(unknown, "C1", rank_by="fit", different=True)) == 2


def test_effects_do_not_depend_on_the_order_in_which_they_are_asked():
    instance = next(one for one in PlanChance(7).instances(50) if len(one.waiting) > 2)
    forwards, backwards = Effects.of(instance), Effects.of(instance)
    pairs = ids_of(forwards.scored.pairs)
    told = [forwards.exact(*pair) for pair in pairs]
    assert told == [backwards.exact(*pair) for pair in reversed(pairs)][::-1]
    assert np.array([effect.loss for effect in told]).min(initial=0) == 0
