"""Points, reckoned by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from math import floor, log

import numpy as np
import pytest
from making import AS_OF, NORTH, Chance, a_child, a_place, a_policy, a_volunteer, an_instance, every_pair

from matcher.errors import PolicyError
from matcher.explain import explain
from matcher.pairs import tables
from matcher.policy import Policy
from matcher.records import Contact, Gender, Match, MatchStatus, Need, Party, Rhythm, Strength, Time
from matcher.scores.likeness import Interests
from matcher.scoring import PRIORITIES, SCORES, Fits, Scored, score


def scored(child=(), volunteer=(), policy: Policy | None = None, **rest) -> Scored:
    """The points of C1 with V1."""
    instance = an_instance(
        [a_child(**dict(child))], [a_volunteer(**dict(volunteer))], policy=policy or a_policy(), **rest
    )
    return score(tables(instance).pair("C1", "V1"), instance.policy)


def only(id: str, **limits) -> Policy:
    """The national policy with one score alone: its points are then the thousandths of its fit."""
    return a_policy(
        {f"scores.{one.id}.on": one.id == id for one in SCORES}
        | {f"scores.{id}.{key}": value for key, value in limits.items()}
    )


def alone(id: str, child=(), volunteer=(), **limits) -> int | None:
    """The thousandths of one score; None where it does not count."""
    points = scored(child, volunteer, only(id, **limits))
    explained = explain(points.pairs.tables.instance, "C1", "V1").scores[0]
    assert explained.points == points.fit[0]
    return int(points.fit[0]) if explained.counts == "known" else None


# ---- interests ------------------------------------------------------------------------------------------

# Of four people three like football, two chess, one cooking. Rarity, as scikit-learn's smoothed inverse document
# frequency ln((1 + people) / (1 + likers)) + 1, in thousandths:
#     football  ln(5 / 4) + 1 = 1.22314    1223
#     chess     ln(5 / 3) + 1 = 1.51083    1511
#     cooking   ln(5 / 2) + 1 = 1.91629    1916
FOUR_PEOPLE = an_instance(
    [a_child("C1", interests=("football", "chess")), a_child("C2", interests=("football",))],
    [a_volunteer("V1", interests=("chess",)), a_volunteer("V2", interests=("football", "cooking"))],
    policy=only("interests"),
)


@pytest.mark.parametrize(
    ("child", "volunteer", "thousandths"),
    [
        ("C1", "V1", 553),  # chess of football and chess: 1511 / 2734 = 0.5527
        ("C1", "V2", 447),  # football of football and chess: 1223 / 2734 = 0.4473
        ("C2", "V1", 0),  # nothing of football
        ("C2", "V2", 1000),  # all that the child likes, whatever else the volunteer likes
    ],
)
def test_a_rare_interest_counts_more(child, volunteer, thousandths):
    assert score(tables(FOUR_PEOPLE).pair(child, volunteer), FOUR_PEOPLE.policy).fit.tolist() == [thousandths]


def test_rarity_is_scikit_learns_formula():
    people = 7
    for likers in range(1, people + 1):
        # C1 likes chess, which `likers` people like, and football, which C1 alone does; V1 likes chess.
        others = [a_volunteer(f"V{n}", interests=("chess",) if n < likers else ("cooking",)) for n in range(1, people)]
        instance = an_instance([a_child(interests=("chess", "football"))], others, policy=only("interests"))
        chess, football = (log((1 + people) / (1 + many)) + 1 for many in (likers, 1))
        expected = 1000 * chess / (chess + football) if likers > 1 else 0
        fit = score(tables(instance).pair("C1", "V1"), instance.policy).fit[0]
        assert fit == pytest.approx(expected, abs=1)  # each rarity is rounded to thousandths first


def test_rarity_is_what_scikit_learn_reckons():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    for instance in Chance(8).instances(40):
        if instance.waiting and instance.volunteers:
            pairs = every_pair(instance)
            both = np.concatenate([pairs.tables.child.interests, pairs.tables.volunteer.interests])
            expected = text.TfidfTransformer(smooth_idf=True).fit(both.astype(int)).idf_ if both.shape[1] else []
            assert Interests()._rarity(pairs).tolist() == np.rint(1000 * np.asarray(expected)).tolist()


@pytest.mark.parametrize(
    ("child", "volunteer", "expected"),
    [
        (("football",), (), 0),  # recorded: none
        ((), ("football",), None),  # a child without interests is suited less by nobody
        (None, ("football",), None),
        (("football",), None, None),
        (None, None, None),
        ((), None, None),
    ],
)
def test_interests_that_are_none_or_not_recorded(child, volunteer, expected):
    assert alone("interests", {"interests": child}, {"interests": volunteer}) == expected


# ---- culture --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("child", "volunteer", "thousandths"),
    [
        ("BCRB", "BCRB", 1000),
        ("BCRB", "BAFR", 500),  # of one broad group
        ("BCRB", "WBRI", 0),
        ("CHNE", "AIND", 500),
        ("BCRB", None, None),
        (None, "BCRB", None),
        (None, None, None),
        # “Refused” and “not yet obtained” are codes of the return, and no ethnicity that two could share.
        ("REFU", "REFU", None),
        ("REFU", "NOBT", None),
        ("NOBT", "WBRI", None),
        ("WBRI", "REFU", None),
    ],
)
def test_culture(child, volunteer, thousandths):
    nothing = {"religion": None}
    found = alone("culture", nothing | {"ethnicity": child}, nothing | {"ethnicity": volunteer}, when="always")
    assert found == thousandths


@pytest.mark.parametrize(
    ("child", "volunteer", "thousandths"),
    [
        ({}, {}, 1000),
        ({"religion": "muslim"}, {}, 500),  # the mean of ethnicity, 1, and religion, 0
        ({"ethnicity": "BCRB"}, {}, 500),
        ({"ethnicity": "WIRI", "religion": "muslim"}, {}, 250),  # of one broad group, and of another religion
        ({"religion": None}, {}, 1000),  # what is not recorded drops out
        ({"ethnicity": None}, {}, 1000),
        ({}, {"ethnicity": None, "religion": None}, None),
    ],
)
def test_culture_is_the_mean_of_ethnicity_and_religion(child, volunteer, thousandths):
    assert alone("culture", child, volunteer, when="always") == thousandths


def test_of_culture_that_counts_which_the_child_asks_for():
    other = {"religion": "muslim"}
    assert alone("culture", other | {"culture_request": Strength.PREFERRED}, when="if_requested") == 1000
    assert alone("culture", other | {"religion_request": Strength.PREFERRED}, when="if_requested") == 0
    both = other | {"culture_request": Strength.PREFERRED, "religion_request": Strength.ESSENTIAL}
    assert alone("culture", both, when="if_requested") == 500


@pytest.mark.parametrize(
    ("when", "asked", "counts"),
    [
        ("always", None, True),
        ("always", Strength.NONE, True),
        ("if_requested", None, False),
        ("if_requested", Strength.NONE, False),
        ("if_requested", Strength.PREFERRED, True),
        ("if_requested", Strength.ESSENTIAL, True),
        ("off", Strength.ESSENTIAL, False),
    ],
)
def test_when_culture_counts(when, asked, counts):
    assert alone("culture", {"culture_request": asked}, when=when) == (1000 if counts else None)


# ---- language and closeness -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("child", "volunteer", "thousandths"),
    [
        (("ar", "en", "ti"), ("en",), 0),  # the one that is needed to talk at all
        (("ar", "en", "ti"), ("en", "ti"), 500),  # one of the two beyond it
        (("ar", "en", "ti"), ("ar", "en", "fr", "ti"), 1000),
        (("ar", "en", "ti"), ("fr",), 0),
        (("en", "ti"), ("en", "ti"), 1000),
        (("en",), ("en", "ti"), None),  # whoever speaks one has none beyond it
        ((), ("en",), None),
        (None, ("en",), None),
        (("en", "ti"), None, None),
    ],
)
def test_language(child, volunteer, thousandths):
    assert alone("language", {"languages": child}, {"languages": volunteer}) == thousandths


@pytest.mark.parametrize(
    ("metres", "thousandths"),
    # From next door, 1, to 25 miles or 40,233.6 m, 0.
    [
        (0, 1000),
        (20, 1000),
        (21, 999),
        (10_058, 750),
        (20_117, 500),
        (40_213, 1),
        (40_214, 0),
        (40_233, 0),
        (90_000, 0),
    ],
)
def test_closeness(metres, thousandths):
    assert alone("closeness", {"placement": a_place(metres)}) == thousandths


def test_closeness_is_unknown_without_both_places():
    assert alone("closeness", {"placement": None}) is None
    assert alone("closeness", (), {"home": None}) is None


def test_closeness_follows_the_policys_limit():
    policy = a_policy({"rules.travel.miles": 1} | {f"scores.{one.id}.on": one.id == "closeness" for one in SCORES})
    assert scored({"placement": a_place(805)}, policy=policy).fit[0] == 500  # 805 of 1609.344 m


# ---- what the volunteer brings ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("likes", "was", "thousandths"),
    [(True, True, 1000), (True, False, 0), (True, None, None), (False, True, None), (None, True, None)],
)
def test_care_experience(likes, was, thousandths):
    assert alone("care_experience", {"likes_care_experience": likes}, {"care_experience": was}) == thousandths


@pytest.mark.parametrize(
    ("needs", "experience", "thousandths"),
    [
        ((Need.AUTISM,), (Need.AUTISM, Need.SIGHT), 1000),
        ((Need.AUTISM, Need.SIGHT), (Need.SIGHT,), 500),
        ((Need.AUTISM,), (Need.SIGHT,), 0),
        ((Need.AUTISM,), (), 0),
        ((), (Need.AUTISM,), None),  # a child without additional needs is suited less by nobody
        (None, (Need.AUTISM,), None),
        ((Need.AUTISM,), None, None),
    ],
)
def test_needs_experience(needs, experience, thousandths):
    assert alone("needs_experience", {"additional_needs": needs}, {"needs_experience": experience}) == thousandths


@pytest.mark.parametrize(
    ("until", "thousandths"),
    # From 24 months ahead, 1 November 2028, 0, to 60, 1 November 2031, 1: 1095 days.
    [
        (date(2027, 1, 1), 0),
        (date(2028, 11, 1), 0),
        (date(2028, 11, 2), 1),  # 1 / 1095 = 0.0009
        (date(2030, 5, 2), 500),  # 547 / 1095 = 0.4995
        (date(2031, 10, 31), 999),
        (date(2031, 11, 1), 1000),
        (date(2040, 1, 1), 1000),
        (None, None),
    ],
)
def test_commitment_length(until, thousandths):
    assert alone("commitment_length", (), {"commitment_until": until}) == thousandths


@pytest.mark.parametrize(
    ("hoped", "possible", "thousandths"),
    [
        (Rhythm.FORTNIGHTLY, Rhythm.FORTNIGHTLY, 1000),
        (Rhythm.FORTNIGHTLY, Rhythm.WEEKLY, 1000),  # more than hoped is no better
        (Rhythm.FORTNIGHTLY, Rhythm.MONTHLY, 500),
        (Rhythm.WEEKLY, Rhythm.MONTHLY, 250),
        (Rhythm.MONTHLY, Rhythm.MONTHLY, 1000),
        (None, Rhythm.MONTHLY, 500),  # fortnightly, as the policy hopes
        (Rhythm.MONTHLY, None, None),
    ],
)
def test_how_often(hoped, possible, thousandths):
    child = {"hoped_visits": hoped, "free_times": None}
    assert alone("visit_rhythm", child, {"possible_visits": possible}) == thousandths


@pytest.mark.parametrize(
    ("hoped", "told"),
    [
        (Rhythm.WEEKLY, "C1 hopes for weekly visits."),
        (None, "no wish of C1 is recorded, and the policy hopes for fortnightly visits."),
    ],
)
def test_whose_hope_for_visits_it_is(hoped, told):
    pair = an_instance([a_child(hoped_visits=hoped)], [a_volunteer(possible_visits=Rhythm.MONTHLY)])
    (rhythm,) = [one for one in explain(pair, "C1", "V1").scores if one.id == "visit_rhythm"]
    assert rhythm.sentence.startswith(f"V1 can visit monthly; {told}")


@pytest.mark.parametrize(
    ("child", "volunteer", "thousandths"),
    [
        ((Time.WEEKEND,), (Time.EVENING, Time.WEEKEND), 1000),
        ((Time.WEEKEND,), (Time.EVENING,), 500),  # the mean of how often, 1, and when, 0
        ((Time.WEEKEND,), (), 500),
        ((), (Time.EVENING,), 1000),
        (None, (Time.EVENING,), 1000),
        ((Time.WEEKEND,), None, 1000),
    ],
)
def test_when(child, volunteer, thousandths):
    assert alone("visit_rhythm", {"free_times": child}, {"free_times": volunteer}) == thousandths


# ---- wishes short of requirements -------------------------------------------------------------------------

PREFERS_A_WOMAN = {"requested_gender": Gender.FEMALE, "requested_gender_strength": Strength.PREFERRED}


@pytest.mark.parametrize(
    ("child", "volunteer", "thousandths"),
    [
        ({}, {}, None),  # nobody wishes anything
        (PREFERS_A_WOMAN, {}, 1000),
        (PREFERS_A_WOMAN, {"gender": Gender.MALE}, 0),
        (PREFERS_A_WOMAN, {"gender": None}, None),
        (PREFERS_A_WOMAN | {"requested_gender_strength": Strength.ESSENTIAL}, {}, None),  # then it is a rule
        ({"fears_animals": True}, {"has_dog": True}, 0),
        ({"fears_animals": True}, {"has_dog": False}, 1000),
        ({"fears_animals": True}, {"has_dog": None}, None),
        ({"fears_animals": None}, {"has_dog": True}, None),
        ({}, {"preferred_gender": Gender.FEMALE}, 1000),
        ({}, {"preferred_gender": Gender.MALE}, 0),
        ({"gender": None}, {"preferred_gender": Gender.MALE}, None),
        # Born on 1 November 1990: 36 today; a day later: 35.
        ({"prefers_from_age": 36}, {"date_of_birth": date(1990, 11, 1)}, 1000),
        ({"prefers_from_age": 36}, {"date_of_birth": date(1990, 11, 2)}, 0),
        ({"prefers_to_age": 35}, {"date_of_birth": date(1990, 11, 2)}, 1000),
        ({"prefers_to_age": 35}, {"date_of_birth": date(1990, 11, 1)}, 0),
        ({"prefers_from_age": 30, "prefers_to_age": 36}, {"date_of_birth": date(1990, 11, 1)}, 1000),
        ({"prefers_from_age": 30}, {"date_of_birth": None}, None),
        ({"date_of_birth": date(2012, 11, 1)}, {"prefers_from_age": 14}, 1000),
        ({"date_of_birth": date(2012, 11, 2)}, {"prefers_from_age": 14}, 0),
        ({"date_of_birth": date(2012, 11, 2)}, {"prefers_to_age": 13}, 1000),
        ({"date_of_birth": date(2012, 2, 29)}, {"prefers_to_age": 13}, 0),
        ({"date_of_birth": None}, {"prefers_to_age": 13}, None),
        # Of three wishes two are met; of two one is not recorded, and drops out.
        (PREFERS_A_WOMAN | {"fears_animals": True}, {"preferred_gender": Gender.MALE}, 667),
        (PREFERS_A_WOMAN | {"fears_animals": True}, {"gender": None}, 1000),
    ],
)
def test_preferences(child, volunteer, thousandths):
    assert alone("preferences", child, volunteer) == thousandths


def test_a_wish_is_told_with_whether_it_is_met():
    child = PREFERS_A_WOMAN | {"prefers_from_age": 25, "prefers_to_age": 35, "fears_animals": True}
    volunteer = {"has_dog": True, "preferred_gender": Gender.MALE, "prefers_to_age": 15}
    instance = scored(child, volunteer, only("preferences")).pairs.tables.instance
    assert explain(instance, "C1", "V1").scores[0].sentence == (
        "C1 would like a visitor who is female; V1 is. "
        "C1 would like a visitor between 25 and 35; V1 is not. "
        "C1 is afraid of animals; V1 brings a dog. "
        "V1 would rather visit a child who is male; C1 is not. "
        "V1 would rather visit a child of 15 or younger; C1 is."
    )


# ---- all scores together --------------------------------------------------------------------------------


def test_a_pair_that_fits_in_every_way():
    both = {"languages": ("en", "ti"), "interests": ("football",)}
    points = scored({**both, "culture_request": Strength.PREFERRED}, both)
    # Weights 40, 20, 15, 25, 10 and 15 of 125; the others have no meaning for this child.
    assert {id: part.tolist() for id, part in points.by_score.items()} == {
        "interests": [320],
        "culture": [160],
        "language": [120],
        "closeness": [200],
        "care_experience": [0],
        "needs_experience": [0],
        "commitment_length": [80],
        "visit_rhythm": [120],
        "preferences": [0],
    }
    assert (points.fit.tolist(), points.unknown.tolist()) == ([1000], [0])


def test_what_does_not_apply_neither_helps_nor_counts_as_unknown():
    # One language and no request: interests (40), closeness (25), commitment (10) and rhythm (15) are the whole, 90.
    # 1000 × 40 / 90 = 444.4, × 65 / 90 = 722.2, × 75 / 90 = 833.3.
    points = scored()
    assert {id: int(part[0]) for id, part in points.by_score.items() if part[0]} == {
        "interests": 444,
        "closeness": 278,
        "commitment_length": 111,
        "visit_rhythm": 167,
    }
    assert (points.fit.tolist(), points.unknown.tolist()) == ([1000], [0])


def test_what_is_unknown_drops_out_and_the_rest_is_the_full_scale():
    # Interests (40) are not recorded: closeness (25) at half way, commitment and rhythm (25) in full are all that is
    # known. 40 of 90 parts are unknown.
    points = scored({"interests": None, "placement": a_place(20_117)})
    assert (points.fit.tolist(), points.unknown.tolist()) == ([750], [444])
    # It is not zero: with interests recorded and not shared, (500 × 25 + 1000 × 25) / 90 = 416.7.
    points = scored({"interests": ("chess",), "placement": a_place(20_117)})
    assert (points.fit.tolist(), points.unknown.tolist()) == ([417], [0])


def test_nothing_known_at_all():
    child = {"interests": None, "placement": None, "languages": None, "additional_needs": None, "free_times": None}
    points = scored(child, {"commitment_until": None, "possible_visits": None})
    assert (points.fit.tolist(), points.unknown.tolist()) == ([0], [1000])


def test_no_weight_at_all():
    points = scored(policy=a_policy({f"scores.{one.id}.weight": 0 for one in SCORES}))
    assert (points.fit.tolist(), points.unknown.tolist()) == ([0], [0])
    points = scored(policy=a_policy({f"scores.{one.id}.on": False for one in SCORES}))
    assert (points.by_score, points.fit.tolist(), points.points.tolist()) == ({}, [0], [30])


@pytest.mark.parametrize("seed", range(4))
def test_parts_add_up_to_the_weighted_mean_of_what_is_known(seed):
    dice = np.random.default_rng(seed)
    for instance in Chance(seed).instances(50):
        weights = {one.id: int(dice.integers(0, 60)) for one in SCORES}
        policy = instance.policy.with_weights(**weights)
        pairs = every_pair(instance)
        points = score(pairs, policy)
        fits = {one.id: one.thousandths(pairs, policy) for one in SCORES if policy.on(f"scores.{one.id}")}
        assert list(points.by_score) == list(fits)
        for row in range(len(pairs)):
            known = sum(weights[id] for id, (_, counts, _) in fits.items() if counts[row])
            sum_of = sum(weights[id] * int(fit[row]) for id, (fit, counts, _) in fits.items() if counts[row])
            mean = Fraction(sum_of, known) if known else Fraction(0)
            parts = {id: int(part[row]) for id, part in points.by_score.items()}
            assert points.fit[row] == sum(parts.values()) == floor(mean + Fraction(1, 2))
            for id, part in parts.items():
                fit, counts, _ = fits[id]
                share = Fraction(weights[id] * int(fit[row]), known) if known and counts[row] else 0
                assert abs(part - share) <= 1
                assert part >= 0


@pytest.mark.parametrize("seed", range(4))
def test_weighed_anew_is_as_scored_from_the_records(seed):
    dice = np.random.default_rng(seed)
    for instance in Chance(seed).instances(20):
        policy = instance.policy.with_weights(**{one.id: int(dice.integers(0, 60)) for one in SCORES})
        brings = {"waiting_time": {"points_a_day": 7, "most_days": 40}}
        sections = {**policy.sections, "priorities": {**policy.sections["priorities"], **brings}}
        policy = replace(policy, sections=sections, tiers=("fit",), minimum_fit=100)
        again = Fits.of(every_pair(instance), instance.policy).weighed(policy)
        afresh = score(every_pair(replace(instance, policy=policy)), policy)
        assert again.pairs.tables.instance.policy == policy
        for one, other in ((again.by_score, afresh.by_score), (again.by_priority, afresh.by_priority)):
            assert {id: part.tolist() for id, part in one.items()} == {id: part.tolist() for id, part in other.items()}
        assert again.unknown.tolist() == afresh.unknown.tolist()


@pytest.mark.parametrize(
    "limits", [{"rules.age_gap.years": 9}, {"scores.culture.when": "always"}, {"scores.language.on": False}]
)
def test_what_decides_who_is_eligible_is_not_weighed_anew(limits):
    fits = Fits.of(every_pair(an_instance([a_child()], [a_volunteer()])), a_policy())
    with pytest.raises(PolicyError, match=next(iter(limits)).rpartition(".")[0]):
        fits.weighed(a_policy(limits))


def test_the_points_of_a_pair_do_not_depend_on_its_company():
    for instance in Chance(3).instances(40):
        pairs = every_pair(instance)
        together = score(pairs, instance.policy)
        for row in range(len(pairs)):
            one = score(pairs[np.array([row])], instance.policy)
            assert one.points.tolist() == [together.points[row]]
            assert one.unknown.tolist() == [together.unknown[row]]


def test_every_score_and_priority_explains_itself():
    for instance in Chance(4).instances(60):
        for child in instance.waiting:
            for person in instance.volunteers:
                told = explain(instance, child.id, person.id)
                assert sum(line.points for line in told.scores) == told.fit
                assert sum(line.points for line in told.priorities) == told.priority
                for line in (*told.scores, *told.priorities):
                    assert line.sentence.endswith(".")
                    assert "None" not in line.sentence
                    assert line.source
                    if line.counts != "known" and line in told.scores:
                        assert line.points == 0


# ---- what a child brings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contact", "last_visit", "points"),
    [
        (Contact.NONE, None, 500),
        (Contact.INFREQUENT, None, 500),
        (Contact.INFREQUENT, AS_OF, 500),
        (Contact.REGULAR, None, 0),
        (Contact.REGULAR, date(2025, 11, 2), 0),  # a day less than 12 months ago
        (Contact.REGULAR, date(2025, 11, 1), 0),  # 12 months ago to the day: within the 12 months
        (Contact.REGULAR, date(2025, 10, 31), 500),  # a day more
        (None, None, 0),  # not recorded is not “none”
        (None, date(2026, 9, 1), 0),
        (None, date(2020, 1, 1), 500),
    ],
)
def test_parental_contact(contact, last_visit, points):
    found = scored({"parental_contact": contact, "last_parental_visit": last_visit})
    assert found.by_priority["no_parental_contact"].tolist() == [points]
    assert found.without_contact.tolist() == [int(points > 0)]


@pytest.mark.parametrize(("as_of", "points"), [(date(2025, 2, 28), 0), (date(2025, 3, 1), 0), (date(2025, 3, 2), 500)])
def test_a_visit_on_29_february_is_12_months_ago_on_1_march(as_of, points):
    child = {"last_parental_visit": date(2024, 2, 29), "referred_on": None}
    assert scored(child, as_of=as_of).by_priority["no_parental_contact"].tolist() == [points]


@pytest.mark.parametrize(
    ("referred", "points"),
    [
        (AS_OF, 0),
        (date(2026, 10, 31), 1),
        (date(2026, 10, 2), 30),
        (date(2024, 11, 1), 730),  # 365 + 365 days ago
        (date(2024, 10, 31), 730),  # 731 days count as 730
        (date(2010, 1, 1), 730),
        (None, 0),
    ],
)
def test_waiting_time(referred, points):
    assert scored({"referred_on": referred}).by_priority["waiting_time"].tolist() == [points]
    threefold = a_policy({"priorities.waiting_time.points_a_day": 3})
    assert scored({"referred_on": referred}, policy=threefold).by_priority["waiting_time"].tolist() == [3 * points]


def test_a_wait_goes_on_from_the_referral_whatever_came_between():
    before = Match("C1", "V1", MatchStatus.ENDED, "C1", date(2026, 10, 5), date(2026, 10, 20), Party.PLANNED)
    assert scored({"referred_on": date(2026, 10, 2)}, matches=[before]).by_priority["waiting_time"].tolist() == [30]


def ended(volunteer: str, day: date | None, by: Party | None) -> Match:
    return Match("C1", volunteer, MatchStatus.ENDED, "C1", ended_on=day, ended_by=by)


@pytest.mark.parametrize(
    ("matches", "points"),
    [
        ([], 0),
        ([ended("V1", date(2026, 5, 1), Party.VOLUNTEER)], 200),
        ([ended("V1", None, Party.VOLUNTEER)], 200),
        ([ended("V1", date(2026, 5, 1), Party.PLANNED)], 0),
        ([ended("V1", date(2026, 5, 1), None)], 0),
        # The last ending counts.
        ([ended("V1", date(2026, 5, 1), Party.VOLUNTEER), ended("V1", date(2026, 6, 1), Party.CHILD)], 0),
        ([ended("V1", date(2026, 6, 1), Party.VOLUNTEER), ended("V1", date(2026, 5, 1), Party.CHILD)], 200),
    ],
)
def test_ended_by_volunteer(matches, points):
    assert scored(matches=matches).by_priority["ended_by_volunteer"].tolist() == [points]


@pytest.mark.parametrize(
    ("child", "points"),
    [
        ({}, 0),
        ({"placement_council": NORTH}, 100),
        ({"placement_council": None}, 0),  # not recorded is not “out of the authority”
        ({"responsible_authority": None}, 0),
        ({"metres_from_home": 32_185}, 0),  # 20 miles are 32,186.88 m
        ({"metres_from_home": 32_186}, 100),  # 20 miles in whole metres, as a cell of 20 is read
        ({"metres_from_home": None}, 0),
        ({"placement_council": None, "metres_from_home": 50_000}, 100),
    ],
)
def test_placed_at_distance(child, points):
    assert scored(child).by_priority["placed_at_distance"].tolist() == [points]


@pytest.mark.parametrize(
    ("placement", "points"),
    [
        ("children's home", 100),
        ("Children’s home", 100),
        ("secure unit", 100),
        ("Residential school", 100),
        ("foster care", 0),
        ("semi-independent living", 0),
        (None, 0),
    ],
)
def test_residential(placement, points):
    assert scored({"placement_type": placement}).by_priority["residential"].tolist() == [points]


@pytest.mark.parametrize(
    ("priority", "fact"),
    [
        ("cannot_go_out_alone", "cannot_go_out_alone"),
        ("at_risk_from_peers", "at_risk_from_peers"),
        ("education_and_health", "helps_education_or_health"),
    ],
)
def test_what_the_referral_tells(priority, fact):
    for told, points in ((True, 100), (False, 0), (None, 0)):
        found = scored({fact: told})
        assert found.by_priority[priority].tolist() == [points]
        explained = explain(found.pairs.tables.instance, "C1", "V1").priorities
        (line,) = [line for line in explained if line.id == priority]
        assert line.counts == ("not recorded" if told is None else "known")


def test_the_grounds_of_the_councils_together_weigh_as_much_as_no_contact():
    grounds = ("placed_at_distance", "residential", "cannot_go_out_alone", "at_risk_from_peers", "education_and_health")
    policy = a_policy()
    points = [policy.number(f"priorities.{ground}.points") for ground in grounds]
    assert sum(points) == policy.number("priorities.no_parental_contact.points") == 500


def test_a_priority_switched_off_brings_nothing():
    off = a_policy({f"priorities.{one.id}.on": False for one in PRIORITIES})
    found = scored({"parental_contact": Contact.NONE}, policy=off)
    assert (found.by_priority, found.priority.tolist()) == ({}, [0])
    assert found.without_contact.tolist() == [1]  # which a tier may still count


def test_points_are_fit_and_priority():
    found = scored({"parental_contact": Contact.NONE})
    assert found.points.tolist() == [1000 + 500 + 30]
