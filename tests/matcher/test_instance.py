"""An instance: references that hold, families that are whole, and who waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import permutations

import pytest
from making import AS_OF, NORTH, WEST, Chance, a_child, a_volunteer, an_exception, an_instance

from matcher.errors import InputError, NotFoundError
from matcher.explain import explain
from matcher.instance import find_problems, today
from matcher.records import Authority, Declined, ExceptionKind, Match, MatchStatus, Place

CURRENT, ENDED = MatchStatus.CURRENT, MatchStatus.ENDED
TOMORROW = AS_OF + timedelta(days=1)
NOT_YET = ("approved_on", "02/11/2026", True)


def problems(children=(), volunteers=(), matches=(), declined=(), authorities=(), exceptions=()):
    found = find_problems(children, volunteers, matches, declined, authorities, AS_OF, exceptions)
    return [(one.file, one.row, one.column, one.value, one.rejected) for one in found]


def test_records_that_fit_together_have_no_problem():
    records = {
        "children": [a_child(), a_child("C2")],
        "volunteers": [a_volunteer()],
        "matches": [Match("C2", "V1", CURRENT), Match("C9", "V1", ENDED, family="F9")],
        "declined": [Declined("C1", "V1"), Declined("C9", "V1")],
        "authorities": [Authority(WEST), Authority(NORTH)],
    }
    assert problems(**records) == []


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"children": [a_child(), a_child("C2"), a_child()]}, [("children", 3, "child_id", "C1", True)]),
        ({"volunteers": [a_volunteer(), a_volunteer()]}, [("volunteers", 2, "volunteer_id", "V1", True)]),
        ({"authorities": [Authority(WEST), Authority(WEST, 5)]}, [("authorities", 2, "authority", WEST, True)]),
        ({"children": [a_child(date_of_birth=TOMORROW)]}, [("children", 1, "date_of_birth", "02/11/2026", True)]),
        ({"children": [a_child(referred_on=TOMORROW)]}, [("children", 1, "referred_on", "02/11/2026", True)]),
        ({"children": [a_child(date_of_birth=AS_OF, referred_on=AS_OF)]}, []),
        (
            {"volunteers": [a_volunteer(date_of_birth=TOMORROW)]},
            [("volunteers", 1, "date_of_birth", "02/11/2026", True)],
        ),
        # A mistyped id would lose a safeguard: refused.
        (
            {"children": [a_child()], "volunteers": [a_volunteer()], "matches": [Match("C1", "V2", ENDED)]},
            [("matches", 1, "volunteer_id", "V2", True)],
        ),
        (
            {"children": [a_child()], "volunteers": [a_volunteer()], "declined": [Declined("C1", "V2")]},
            [("declined", 1, "volunteer_id", "V2", True)],
        ),
        # A child who has left is no mistake, but told.
        (
            {"volunteers": [a_volunteer()], "declined": [Declined("C9", "V1")]},
            [("declined", 1, "child_id", "C9", False)],
        ),
        (
            {"volunteers": [a_volunteer()], "matches": [Match("C9", "V1", ENDED)]},
            [("matches", 1, "family", "", False)],
        ),
        (
            {"children": [a_child()], "volunteers": [a_volunteer()], "matches": [Match("C1", "V1", CURRENT)] * 2},
            [
                ("matches", 1, "child_id", "C1", False),  # has two visitors
                ("matches", 2, "child_id", "C1", True),  # stands there twice
                ("matches", 2, "child_id", "C1", False),
            ],
        ),
        (
            {
                "children": [a_child(family="F1")],
                "volunteers": [a_volunteer()],
                "matches": [Match("C1", "V1", ENDED, family="F2")],
            },
            [("matches", 1, "family", "F2", False)],
        ),
    ],
)
def test_problems(records, expected):
    assert problems(**records) == expected


def test_problems_that_only_inform_do_not_stop_a_run():
    instance = an_instance([a_child()], [a_volunteer()], declined=[Declined("C9", "V1")])
    assert len(instance.declined) == 1


def test_every_problem_is_told_not_the_first_alone():
    with pytest.raises(InputError, match=r"2 records cannot be used. The first: children, row 2") as refusal:
        an_instance([a_child(), a_child()], [a_volunteer()], matches=[Match("C1", "V7", CURRENT)])
    assert [one.file for one in refusal.value.problems] == ["children", "matches"]


def test_nobody_is_found_by_a_wrong_id():
    instance = an_instance([a_child("C12")], [a_volunteer()])
    assert instance.child("C12").id == "C12"
    with pytest.raises(NotFoundError, match=r"There is no child “C1”. Did you mean C12\?"):
        instance.child("C1")
    with pytest.raises(NotFoundError, match=r"There is no volunteer “X”. Check the id."):
        instance.volunteer("X")


# ---- who waits -------------------------------------------------------------------------------------------------------


def test_a_child_waits_unless_somebody_visits_now():
    children = [a_child("C3"), a_child("C2"), a_child("C1"), a_child("C4")]
    matches = [
        Match("C1", "V1", ENDED),
        Match("C2", "V1", CURRENT),
        Match("C3", "V1", ENDED),  # and again now, by somebody else
        Match("C3", "V2", CURRENT),
        Match("C9", "V2", CURRENT, family="F9"),
    ]
    instance = an_instance(children, [a_volunteer(), a_volunteer("V2")], matches=matches)
    assert [child.id for child in instance.waiting] == ["C1", "C4"]
    assert instance.visited == {"C2", "C3", "C9"}


def test_a_child_with_two_visitors_does_not_wait():
    matches = [Match("C1", "V1", CURRENT), Match("C1", "V2", CURRENT)]
    instance = an_instance([a_child()], [a_volunteer(), a_volunteer("V2")], matches=matches)
    assert instance.waiting == ()


# ---- families --------------------------------------------------------------------------------------------------------


def families(children: dict[str, str | None], *matches: tuple[str, str | None]) -> list[set[str]]:
    """The families of an instance, as sets of children."""
    instance = an_instance(
        [a_child(id, family=family) for id, family in children.items()],
        [a_volunteer()],
        matches=[Match(child, "V1", ENDED, family, date(2020, 1, 1) + timedelta(days=n))
                 for n, (child, family) in enumerate(matches)],
    )  # fmt: skip
    groups: dict[str, set[str]] = {}
    for child, family in instance.family_of.items():
        groups.setdefault(family, set()).add(child)
    return sorted(groups.values(), key=sorted)


def test_siblings_share_a_reference():
    assert families({"C1": "F1", "C2": "F1", "C3": "F2"}) == [{"C1", "C2"}, {"C3"}]


def test_a_child_known_to_have_no_sibling_is_a_family_of_one():
    assert families({"C1": "C1", "C2": "C2"}) == [{"C1"}, {"C2"}]


def test_a_family_that_is_not_recorded_is_no_family():
    assert families({"C1": None, "C2": None, "C3": "F1"}) == [{"C3"}]


def test_a_family_may_be_known_from_a_match_alone():
    assert families({"C1": None, "C2": "F1"}, ("C1", "F1")) == [{"C1", "C2"}]
    assert families({"C1": None}, ("C1", None)) == []


def test_two_references_of_one_child_join_two_families():
    # C2 is of F1 in the children's file and of F2 in an earlier match, as is C3: all three are siblings.
    assert families({"C1": "F1", "C2": "F1", "C3": "F2"}, ("C2", "F2")) == [{"C1", "C2", "C3"}]


def test_links_go_on_through_children_who_have_left():
    # C1 – F1 – C8 – F2 – C9 – F3 – C2, and none of C8, C9 is among the children any more.
    chain = (("C8", "F1"), ("C8", "F2"), ("C9", "F2"), ("C9", "F3"))
    expected = [{"C1", "C2", "C8", "C9"}]
    for order in permutations(chain):
        assert families({"C1": "F1", "C2": "F3"}, *order) == expected


def test_families_do_not_depend_on_the_order_of_rows():
    for instance in Chance(0).instances(100):
        again = an_instance(
            instance.children[::-1],
            instance.volunteers[::-1],
            matches=instance.matches[::-1],
            declined=instance.declined[::-1],
        )
        assert again.family_of == instance.family_of
        assert again.waiting == instance.waiting


# ---- the data's fingerprint ------------------------------------------------------------------------------------------


def test_the_hash_changes_with_every_record():
    base = {"matches": [Match("C9", "V1", ENDED, "F9")], "declined": [Declined("C1", "V1")]}
    instances = [
        an_instance([a_child()], [a_volunteer()], **base),
        an_instance([a_child(interests=())], [a_volunteer()], **base),
        an_instance([a_child(interests=None)], [a_volunteer()], **base),
        an_instance([a_child()], [a_volunteer(travel_limit_metres=9999)], **base),
        an_instance([a_child()], [a_volunteer()], **{**base, "matches": []}),
        an_instance([a_child()], [a_volunteer()], **{**base, "declined": []}),
        an_instance([a_child()], [a_volunteer()], **base, authorities=[Authority(WEST)]),
        an_instance([a_child()], [a_volunteer()], **base, authorities=[Authority(WEST, 5)]),
    ]
    assert len({instance.data_hash for instance in instances}) == len(instances)


def test_today_is_a_day_and_not_a_moment():
    assert type(today()) is date


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 5, 31, 22, 59, 59, tzinfo=UTC), date(2026, 5, 31)),  # in summer London is an hour ahead
        (datetime(2026, 5, 31, 23, 0, 0, tzinfo=UTC), date(2026, 6, 1)),
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 12, 1, 0, 0, 0, tzinfo=UTC), date(2026, 12, 1)),
        (datetime(2028, 2, 28, 23, 59, 59, tzinfo=UTC), date(2028, 2, 28)),
        (datetime(2028, 2, 29, 0, 0, 0, tzinfo=UTC), date(2028, 2, 29)),
    ],
)
def test_a_day_begins_at_midnight_in_london(monkeypatch: pytest.MonkeyPatch, moment: datetime, day: date) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return moment.astimezone(tz)

    monkeypatch.setattr("matcher.instance.datetime", Clock)
    assert today() == day
    # And with it a limit: a check of three years before is due on that day, and not a second sooner.
    checked = a_volunteer(dbs_checked_on=date(2023, 6, 1))
    instance = an_instance([a_child(referred_on=date(2026, 1, 1))], [checked], as_of=today())
    verdict = next(one.verdict for one in explain(instance, "C1", "V1").reasons if one.rule == "dbs_current")
    assert verdict == ("passes" if day < date(2026, 6, 1) else "fails")


def test_capitals_do_not_part_siblings() -> None:
    assert families({"C1": "Smith", "C2": "smith"}) == [{"C1", "C2"}]


@pytest.mark.parametrize("slip", ["7", "0007", "C-7", "c007", "C 007", "7.0", "\u0421007", "Ｃ００７", "Ć007"])
def test_a_child_id_mistyped_in_the_history_is_refused(slip: str) -> None:
    # Taken as it stands, the no would be lost, and the pair proposed again.
    child = a_child("007" if slip[0].isdigit() else "C007")
    for sheet, records in (("declined", [Declined(slip, "V1")]), ("matches", [Match(slip, "V1", ENDED, family="F")])):
        assert (sheet, 1, "child_id", slip, True) in problems([child], [a_volunteer()], **{sheet: records})
    relative = a_volunteer(known_children=(slip,))
    assert ("volunteers", 1, "known_children", slip, True) in problems([child], [relative])


def test_a_child_whom_a_volunteer_knows_and_nobody_else_names_is_told() -> None:
    told = problems([a_child("C1")], [a_volunteer(known_children=("C1", "C1 and C3"))])
    assert told == [("volunteers", 1, "known_children", "C1 and C3", False)]


def test_one_family_written_in_two_ways_is_refused() -> None:
    children = [a_child("C1", family="F1"), a_child("C2", family="f1"), a_child("C3", family="F-01"), a_child("C4")]
    past = [Match("C9", "V1", ENDED, family="F1"), Match("C8", "V1", ENDED, family="Ｆ1")]
    assert problems(children, [a_volunteer()], past) == [
        ("children", 3, "family", "F-01", True),
        ("matches", 2, "family", "Ｆ1", True),
    ]
    # Who has no sibling is a family of their own, by their own id: it is no slip of anybody's.
    assert problems([a_child("7", family="7"), a_child("C2", family="007")]) == []


def test_a_child_who_has_left_may_stand_in_the_history() -> None:
    past = Match("C8", "V1", ENDED, family="F8")
    assert not [found for found in problems([a_child("C7")], [a_volunteer()], [past]) if found[-1]]


def test_ids_that_differ_in_capitals_or_zeros_are_refused() -> None:
    assert problems([a_child("C1"), a_child("c01")]) == [("children", 2, "child_id", "c01", True)]
    assert problems([], [a_volunteer("V1"), a_volunteer("v-1")]) == [("volunteers", 2, "volunteer_id", "v-1", True)]


def test_dates_that_cannot_be_are_refused() -> None:
    # 25 is the oldest that any policy supports; the 26th birthday is the day of the run.
    assert problems([a_child(date_of_birth=date(2000, 11, 2))]) == []
    assert problems([a_child(date_of_birth=date(2000, 11, 1))]) == [
        ("children", 1, "date_of_birth", "01/11/2000", True)
    ]
    backwards = Match("C9", "V1", ENDED, "F9", started_on=date(2025, 5, 2), ended_on=date(2025, 5, 1))
    assert problems([], [a_volunteer()], [backwards]) == [("matches", 1, "ended_on", "01/05/2025", True)]


def test_a_reference_may_be_a_siblings_own_id() -> None:
    # C1 names C2 as its family, C2 names F7, which C3 names too: the three are siblings. C4 is known to have none.
    links = {"C1": "C2", "C2": "F7", "C3": "F7", "C4": "C4"}
    assert families(links) == [{"C1", "C2", "C3"}, {"C4"}]


@pytest.mark.parametrize(
    ("status", "ended", "wrong"),
    [
        (MatchStatus.ENDED, date(2026, 11, 2), "is yet to come"),
        (MatchStatus.ENDED, date(2026, 11, 1), None),
        (MatchStatus.CURRENT, date(2026, 11, 1), "is past, and the match is current"),
        (MatchStatus.CURRENT, date(2026, 11, 2), None),
    ],
)
def test_a_match_ends_when_it_says(status: MatchStatus, ended: date, wrong: str | None) -> None:
    match = Match("C9", "V1", status, family="C9", ended_on=ended)
    found = [p.wrong for p in find_problems([], [a_volunteer("V1")], [match], [], [], date(2026, 11, 1)) if p.rejected]
    assert found == ([wrong] if wrong else [])


# ---- exceptions, and what is agreed but has not begun -------------------------------------------------------------


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        (an_exception(ExceptionKind.RELATIVE, "V1", "C1"), []),
        (an_exception(ExceptionKind.RELATIVE, "V1"), [("child_id", "", True)]),  # of whom?
        (an_exception(ExceptionKind.RELATIVE, "V1", "C7"), [("child_id", "C7", False)]),  # may have left
        (an_exception(ExceptionKind.RELATIVE, "V7", "C1"), [("volunteer_id", "V7", True)]),
        (an_exception(ExceptionKind.SECOND_CHILD), []),
        (an_exception(ExceptionKind.SECOND_CHILD, "V1", "C1"), [("child_id", "C1", True)]),
        (an_exception(ExceptionKind.SHORTER_COMMITMENT, value=6), []),
        (replace(an_exception(ExceptionKind.SECOND_CHILD), approved_on=AS_OF), []),
        (replace(an_exception(ExceptionKind.SECOND_CHILD), approved_on=TOMORROW), [NOT_YET]),
    ],
)
def test_an_exception_is_held_against_the_other_sheets(exception, expected):
    found = problems([a_child()], [a_volunteer()], exceptions=[exception])
    assert found == [("exceptions", 1, *one) for one in expected]


def test_a_match_that_has_not_begun_needs_its_child():
    for status in (MatchStatus.PROPOSED, MatchStatus.AGREED):
        assert problems([a_child()], [a_volunteer()], [Match("C1", "V1", status)]) == []
        assert problems([], [a_volunteer()], [Match("C1", "V1", status)]) == [("matches", 1, "child_id", "C1", True)]


def test_a_child_who_is_on_the_way_to_a_visitor_still_waits():
    pins = [Match("C2", "V1", MatchStatus.PROPOSED), Match("C1", "V1", MatchStatus.AGREED)]
    instance = an_instance([a_child(), a_child("C2")], [a_volunteer()], matches=[*pins, Match("C9", "V1", ENDED, "F9")])
    assert [child.id for child in instance.waiting] == ["C1", "C2"]
    assert [match.child for match in instance.pins] == ["C1", "C2"]  # what is agreed comes first
    assert [match.child for match in instance.begun] == ["C9"]


def test_an_exception_changes_the_hash_of_the_data():
    one = an_instance([a_child()], [a_volunteer()])
    assert replace(one, exceptions=(an_exception(ExceptionKind.SECOND_CHILD),)).data_hash != one.data_hash


@pytest.mark.parametrize(
    ("side", "field", "value", "told"),
    [
        ("volunteer", "id", "", "column id: is blank, not a text. Give a text"),
        (
            "child",
            "interests",
            ("", "chess"),
            "column interests: “('', 'chess')” is of the type tuple, not a tuple of texts",
        ),
        (
            "child",
            "interests",
            "chess",
            "column interests: “chess” is text, not a tuple of texts. Give a tuple of texts, or None where",
        ),
        (
            "child",
            "date_of_birth",
            datetime(2012, 5, 1, tzinfo=UTC),
            "is of the type datetime, not a date without a time of day",
        ),
        (
            "child",
            "date_of_birth",
            "2012-05-01",
            "“2012-05-01” is text, not a date without a time of day. Give a date without",
        ),
        ("child", "placement", "NN1 1AA", "“NN1 1AA” is text, not a Place"),
        (
            "child",
            "placement",
            Place("x", float("nan"), 0.0, "point"),
            "not a Place with a latitude and a longitude on earth",
        ),
        ("child", "placement", Place("x", 91.0, 0.0, "point"), "not a Place with a latitude and a longitude on earth"),
        ("child", "agrees", "yes", "“yes” is text, not a Agreement"),
        ("child", "agrees", True, "“True” is of the type bool, not a Agreement"),
        ("child", "looked_after", 1, "“1” is of the type int, not True or False"),
        ("child", "family", float("nan"), "“nan” is not a number (NaN), not a text"),
        ("child", "requested_gender_strength", None, "“None” is of the type NoneType, not a Strength. Give a Strength"),
        ("volunteer", "travel_limit_metres", 10_000.0, "“10000.0” is of the type float, not a whole number"),
        ("volunteer", "travel_limit_metres", True, "“True” is of the type bool, not a whole number"),
        ("volunteer", "areas", None, "is of the type NoneType, not a tuple of texts"),
    ],
)
def test_a_record_built_in_python_holds_what_its_fields_say(side, field, value, told):
    child = a_child(**{field: value}) if side == "child" else a_child()
    volunteer = a_volunteer(**{field: value}) if side == "volunteer" else a_volunteer()
    with pytest.raises(InputError) as refusal:
        an_instance([child], [volunteer])
    (problem,) = refusal.value.problems
    assert told in str(problem)


def test_an_id_of_the_other_side_is_told_as_such():
    instance = an_instance([a_child()], [a_volunteer()])
    with pytest.raises(NotFoundError, match=r"V1 is a volunteer, not a child\. Where both are given"):
        instance.child("V1")
    with pytest.raises(NotFoundError, match=r"C1 is a child, not a volunteer\. Where both are given"):
        instance.volunteer("C1")
