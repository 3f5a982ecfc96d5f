"""Live matches that break a core rule by now: exactly those that would not be allowed if they were proposed anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
from making import Chance, a_child, a_volunteer, an_instance

from matcher.explain import explain
from matcher.instance import Instance
from matcher.records import Agreement, Match, MatchStatus, Status
from matcher.standing import broken


def one_by_one(instance: Instance) -> dict[tuple[str, str], tuple[str, ...]]:
    """By the explanation of each pair with a referral, as if it were proposed and every other match stood."""
    found, referred = {}, {child.id for child in instance.children}
    for match in instance.matches:
        if match.status is not MatchStatus.ENDED and match.child in referred:
            own = [one for one in instance.matches if one.child == match.child and one.status is not MatchStatus.ENDED]
            left = tuple(one for one in instance.matches if one not in own)
            asked = replace(instance, matches=left, declined=())
            told = explain(asked, match.child, match.volunteer).reasons
            if rules := tuple(one.rule for one in told if one.core and one.verdict in ("fails", "not recorded")):
                found[match.child, match.volunteer] = rules
    return dict(sorted(found.items()))


@pytest.mark.parametrize("seed", range(40))
def test_of_any_service_it_says_what_each_pair_is_told_alone(seed: int) -> None:
    """Every second child and volunteer, in turn, are made a match that goes on."""
    for instance in Chance(seed, 6).instances(5):
        ids = [child.id for child in instance.waiting]
        begun = [
            Match(child, volunteer.id, MatchStatus.CURRENT if n % 3 else MatchStatus.AGREED)
            for n, (child, volunteer) in enumerate(zip(ids, instance.volunteers, strict=False))
        ]
        others = [
            replace(one, family=one.family if one.status is MatchStatus.ENDED else None)  # own words are not taken away
            for one in instance.matches
            if one.child not in ids
        ]
        asked = replace(instance, matches=(*others, *begun))
        found, referred = broken(asked), {child.id for child in asked.children}
        assert {pair: rules for pair, rules in found.items() if pair[0] in referred} == one_by_one(asked)


def test_what_changed_since_a_match_began_is_told_by_its_rule():
    children = [a_child("C1"), a_child("C2", safeguarding_issue=True), a_child("C3", agrees=Agreement.NO)]
    people = [a_volunteer("V1"), a_volunteer("V2"), a_volunteer("V3", status=Status.SUSPENDED)]
    begun = [Match(f"C{n}", f"V{n}", MatchStatus.CURRENT) for n in (1, 2, 3)]
    assert broken(an_instance(children, people, matches=begun)) == {
        ("C2", "V2"): ("safeguarding_hold",),
        ("C3", "V3"): ("approved", "child_agrees"),
    }


def test_siblings_with_one_visitor_are_told_of_both_also_without_a_referral():
    """C8 has no record but its matches: it is of C1's family, and V1 visited it before."""
    begun = [
        Match("C1", "V1", MatchStatus.CURRENT),
        Match("C8", "V1", MatchStatus.ENDED, family="F1"),
        Match("C9", "V2", MatchStatus.CURRENT, family="F1"),
    ]
    people = [a_volunteer("V1"), a_volunteer("V2")]
    assert broken(an_instance([a_child("C1", family="F1")], people, matches=begun)) == {
        ("C1", "V1"): ("sibling_history",)
    }
    begun[2] = replace(begun[2], volunteer="V1")
    assert set(broken(an_instance([a_child("C1", family="F1")], people, matches=begun))) == {("C1", "V1"), ("C9", "V1")}


def test_nothing_is_broken_where_nothing_is_live():
    assert broken(an_instance([], [])) == {}
