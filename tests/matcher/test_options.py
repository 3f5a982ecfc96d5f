"""Options for several children at once: whatever they choose can all come true."""

from __future__ import annotations

from itertools import chain, product

import pytest
from making import (
    NORTH,
    WEST,
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

from matcher.audit import audit
from matcher.errors import NotFoundError, PolicyError
from matcher.options import shortlists_together
from matcher.records import Authority, ExceptionKind, Match, MatchStatus
from matcher.rules.budget import out_of_county_pence

PEOPLE = [a_volunteer(f"V{n}") for n in range(1, 5)]


def _of(instance, children, **how):
    return {
        id: [one.volunteer for one in listed] for id, listed in shortlists_together(instance, children, **how).items()
    }


def test_nobody_is_on_two_lists_and_everybody_has_one_before_anybody_has_two():
    # 4 volunteers for 3 children: one option each, and one child has a second.
    instance = an_instance([a_child("C1"), a_child("C2"), a_child("C3")], PEOPLE)
    found = _of(instance, ["C3", "C1", "C2"])
    assert list(found) == ["C1", "C2", "C3"]
    assert sorted(len(options) for options in found.values()) == [1, 1, 2]
    assert sorted(chain.from_iterable(found.values())) == ["V1", "V2", "V3", "V4"]


def test_who_may_visit_two_is_on_two_lists_but_never_on_those_of_siblings():
    allowed = [an_exception(ExceptionKind.SECOND_CHILD, "V1", None, 2)]
    strangers = an_instance([a_child("C1"), a_child("C2")], PEOPLE[:1], exceptions=allowed)
    assert _of(strangers, ["C1", "C2"]) == {"C1": ["V1"], "C2": ["V1"]}
    siblings = [a_child("C1", family="F1"), a_child("C2", family="F1")]
    found = _of(an_instance(siblings, PEOPLE[:1], exceptions=allowed), ["C1", "C2"])
    assert sorted(map(len, found.values())) == [0, 1]
    alone = _of(an_instance([a_child("C1")], PEOPLE[:1], exceptions=allowed), ["C1"], options=2)
    assert alone == {"C1": ["V1"]}  # not twice on one list


def test_who_is_agreed_for_another_child_is_on_no_list():
    instance = an_instance([a_child("C1"), a_child("C2")], PEOPLE[:2], matches=[Match("C2", "V1", MatchStatus.AGREED)])
    assert _of(instance, ["C1"]) == {"C1": ["V2"]}


def test_money_is_reckoned_as_if_every_option_were_chosen():
    # From 1609 m a match costs 2160 pence a year: with 4319 there is money for one, and one option is offered.
    children = [a_child("C1", responsible_authority=WEST, placement_council=NORTH, placement=a_place(1609))]
    for pence, offered in ((2159, 0), (4319, 1), (4320, 2)):
        instance = an_instance(children, PEOPLE[:2], authorities=[Authority(WEST, pence, 0)])
        assert len(_of(instance, ["C1"])["C1"]) == offered


@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_children_choose_can_all_come_true(seed):
    for instance in PlanChance(seed).instances(40):
        asked = [child.id for child in instance.waiting][:3]
        if instance.pins:
            continue  # a pin of an asked child gives way to the choice
        lists = [
            [(child, other) for other in others] or [None] for child, others in _of(instance, asked, options=2).items()
        ]
        for chosen in product(*lists):
            plan = [pair for pair in chosen if pair is not None]
            assert audit(instance, plan, whole=False) == (), instance


def test_as_many_children_as_can_be_have_one_option():
    # C1 could have V1 or V2, C2 only V1 (said no to V2): both have one, though C1 fits V1 best.
    instance = an_instance(
        [a_child("C1"), a_child("C2", interests=("chess",))],
        [a_volunteer("V1"), a_volunteer("V2", interests=("chess",), needs_trained=())],
        policy=a_policy(),
    )
    pairs = every_pair(instance)
    assert len(ids_of(pairs)) == 4
    assert out_of_county_pence(pairs, instance.policy).sum() == 0
    found = _of(instance, ["C1", "C2"], options=3)
    assert sorted(map(len, found.values())) == [1, 1]


def test_what_cannot_be_asked_is_refused():
    instance = an_instance([a_child("C1")], PEOPLE)
    with pytest.raises(NotFoundError, match="C9"):
        shortlists_together(instance, ["C9"])
    many = an_instance([a_child(f"C{n}") for n in range(30)], [a_volunteer(f"V{n}") for n in range(30)])
    with pytest.raises(PolicyError, match="12 options for 30 children are too many"):
        shortlists_together(many, [child.id for child in many.waiting], options=12)
    assert shortlists_together(instance, []) == {}
