"""Who is one rule away: exactly those whose explanation has one reason against them."""

from __future__ import annotations

from making import a_child, a_place, a_volunteer, an_instance

from matcher.explain import explain
from matcher.records import Status
from matcher.whatif import farther, one_rule_away

MILE = 1609.344


def test_one_rule_away_are_those_with_one_reason_against_them():
    people = [
        a_volunteer("V1"),
        a_volunteer("V2", status=Status.APPLICANT),
        a_volunteer("V3", languages=None),
        a_volunteer("V4", status=Status.APPLICANT, languages=None),
    ]
    instance = an_instance([a_child("C1")], people)
    found = one_rule_away(instance, "C1")
    assert [(one.rule, one.recorded, one.volunteers) for one in found] == [
        ("approved", True, ("V2",)),
        ("language", False, ("V3",)),
    ]
    for nearly in found:
        for volunteer, reason in zip(nearly.volunteers, nearly.reasons, strict=True):
            told = [
                one for one in explain(instance, "C1", volunteer).reasons if one.verdict in ("fails", "not recorded")
            ]
            assert [(one.rule, one.sentence) for one in told] == [(nearly.rule, reason)]


def test_nobody_is_one_rule_away_where_there_are_no_volunteers():
    assert one_rule_away(an_instance([a_child("C1")], []), "C1") == ()
    assert farther(an_instance([a_child("C1")], []), "C1") == ""


def test_a_longer_journey_is_told_for_the_nearest_three_by_whose_limit_it_is():
    """They live 6.5, 7.5, 30.5 and 50.5 miles away; their own limits are 5, 5, 100 and 100, the policy's is 25."""
    people = [
        a_volunteer(f"V{n}", home=a_place(miles * MILE), travel_limit_metres=int(limit * MILE))
        for n, (miles, limit) in enumerate([(6.5, 5), (7.5, 5), (30.5, 100), (50.5, 100)], start=1)
    ]
    instance = an_instance([a_child("C1")], people)
    assert instance.policy.number("rules.travel.miles") == 25
    assert farther(instance, "C1") == (
        "3 more volunteers could visit if the journey could be up to 31 miles: 2 of them travel less far by their own "
        "choice and one is beyond the policy's limit of 25 miles."
    )
    for some, said in ((people[:2], "all of them travel"), (people[:1], "they travel")):
        told = farther(an_instance([a_child("C1")], some), "C1")
        assert told.endswith(f"{said} less far by their own choice.")


def test_who_would_not_be_eligible_anyhow_is_not_promised():
    """Too far, and not approved: a longer journey alone would not do."""
    far = a_volunteer("V1", home=a_place(40 * MILE), status=Status.APPLICANT)
    assert farther(an_instance([a_child("C1")], [far]), "C1") == ""
