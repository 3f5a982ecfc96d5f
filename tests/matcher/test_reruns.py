"""What a rerun changes of the plan before: as little as can be, and each change with its reason."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from making import (
    AS_OF,
    PlanChance,
    a_child,
    a_policy,
    a_volunteer,
    an_instance,
)

from matcher.errors import InputError
from matcher.instance import Instance
from matcher.pipeline import match
from matcher.plan import Plan
from matcher.records import Match, MatchStatus, Strength
from matcher.shortlist import shortlist
from matcher.writing.export import read_plan, write_files

ALIKE = [a_child("C1"), a_child("C2"), a_child("C3")]
PEOPLE = [a_volunteer("V1"), a_volunteer("V2"), a_volunteer("V3")]


def rerun(instance: Instance, previous: object) -> tuple[Plan, list[tuple[str, str]]]:
    """The new plan, and its changes but for what is kept, as (kind, child)."""
    found = match(instance, previous=previous)
    before = previous if isinstance(previous, Plan) else match(instance)
    return found, [(one.kind, one.child) for one in found.diff(before).changes if one.kind != "kept"]


def test_among_equal_plans_the_one_before_is_kept_whatever_it_was():
    # Three children and three volunteers alike: six plans are equal, and each is kept.
    instance = an_instance(ALIKE, PEOPLE)
    for order in (("V1", "V2", "V3"), ("V3", "V1", "V2"), ("V2", "V3", "V1")):
        before = list(zip(("C1", "C2", "C3"), order, strict=True))
        assert match(instance, previous=before).pairs == tuple(before)


@pytest.mark.parametrize("seed", range(3))
def test_a_plan_before_never_makes_a_plan_worse(seed):
    for instance in PlanChance(seed).instances(30):
        best = match(instance)
        other = match(replace(instance, policy=a_policy(tiers=("priority",))))
        assert match(instance, previous=other).tiers == best.tiers
        again = match(instance, previous=best)
        assert again.pairs == best.pairs
        assert all(change.kind == "kept" for change in again.diff(best).changes)


def test_a_new_volunteer_takes_a_child_who_had_nobody_and_nothing_else_changes():
    before = match(an_instance(ALIKE, PEOPLE[:2]))
    (left,) = before.unmatched
    found, changes = rerun(an_instance(ALIKE, PEOPLE), before)
    assert changes == [("new", left.child)]
    (new,) = found.diff(before).of("new")
    told = f"In the plan before, each volunteer who could visit {left.child} was planned for another child."
    assert (new.volunteer, new.reason) == ("V3", told)


def test_a_new_child_without_a_free_volunteer_changes_nothing_for_the_others():
    before = match(an_instance(ALIKE[:2], PEOPLE[:2]))
    found, changes = rerun(an_instance(ALIKE, PEOPLE[:2]), before)
    assert changes == [("unmatched", "C3")]
    (left,) = found.diff(before).of("unmatched")
    assert left.reason == (
        "C3 is new among those who wait. 2 volunteers could visit. In the plan: 2 planned for other children."
    )


def test_an_ending_gives_a_volunteer_back_and_the_child_waits_again():
    # V1 visited C3 and is free again. C3 never has V1 twice: one of the others goes to V1, and makes room for C3.
    children = [*ALIKE, a_child("C4", referred_on=AS_OF)]
    now = an_instance(children, PEOPLE, matches=[Match("C3", "V1", MatchStatus.CURRENT)])
    before = match(now)
    (left,) = before.unmatched
    ended = an_instance(children, PEOPLE, matches=[Match("C3", "V1", MatchStatus.ENDED, ended_on=AS_OF)])
    found, changes = rerun(ended, before)
    # C4 was referred today, so C4 was left before, and C3, who has waited for 30 days, goes first now.
    assert left.child == "C4"
    (changed,), (new,) = found.diff(before).of("changed"), found.diff(before).of("new")
    assert len(changes) == 2
    assert (changed.volunteer, new.child, new.volunteer) == ("V1", "C3", changed.before)


def test_a_lapsed_check_changes_one_match_and_says_so():
    # V2's check of 2 November 2023 is due again on 2 November 2026, the day after.
    people = [PEOPLE[0], replace(PEOPLE[1], dbs_checked_on=date(2023, 11, 2)), PEOPLE[2]]
    before = match(an_instance(ALIKE[:2], people[:2]))
    later = an_instance(ALIKE[:2], people, as_of=date(2026, 11, 2))
    found, changes = rerun(later, before)
    child = {volunteer: one for one, volunteer in before.pairs}["V2"]
    assert changes == [("changed", child)]
    (change,) = found.diff(before).of("changed")
    assert (change.before, change.volunteer) == ("V2", "V3")
    assert "V2 is no longer possible: V2's DBS check has lapsed" in change.reason
    assert [(lost.child, lost.volunteer, lost.status) for lost in found.not_kept] == [(child, "V2", "planned")]


def test_who_waits_no_longer_is_dropped():
    before = match(an_instance(ALIKE, PEOPLE))
    visited = an_instance(ALIKE, PEOPLE, matches=[Match("C1", dict(before.pairs)["C1"], MatchStatus.CURRENT)])
    found, changes = rerun(visited, before)
    assert changes == [("dropped", "C1")]
    assert found.diff(before).sentence == "2 kept, 1 no longer waiting."
    assert found.not_kept == ()


def test_stability_says_how_many_points_a_change_must_be_worth():
    # C1 fits better with V1, and was planned with V2. The change gives up one pair, so it is made where it gains more
    # than the policy's stability, and not where it gains less.
    child = a_child("C1", interests=("chess", "football"))
    people = [a_volunteer("V1", interests=("chess", "football")), a_volunteer("V2", interests=("chess",))]
    instance = an_instance([child], people)
    points = {one.volunteer: one.points for one in shortlist(instance, "C1", rank_by="fit")}
    gain = points["V1"] - points["V2"]
    assert gain > 1
    chosen = {}
    for stability in (0, gain - 1, gain, gain + 1):
        found = match(replace(instance, policy=a_policy(stability=stability)), previous=[("C1", "V2")])
        chosen[stability] = found.pairs[0][1]
        assert found.stability_points == (stability if chosen[stability] == "V2" else 0)
        assert found.points == found.tiers["points"] == sum(one.fit + one.priority for one in found.matches)
    # At the very gain the two are worth the same, and a tie is no reason to change.
    assert chosen == {0: "V1", gain - 1: "V1", gain: "V2", gain + 1: "V2"}


def test_what_is_agreed_or_proposed_stays_before_what_was_planned():
    instance = an_instance(ALIKE[:2], PEOPLE[:2], matches=[Match("C1", "V2", MatchStatus.PROPOSED)])
    found = match(instance, previous=[("C1", "V1"), ("C2", "V2")])
    assert found.pairs == (("C1", "V2"), ("C2", "V1"))


def test_unknown_ids_of_an_old_plan_are_told_and_do_no_harm():
    found = match(an_instance(ALIKE[:1], PEOPLE[:1]), previous=[("C9", "V1"), ("C1", "V9")])
    assert found.pairs == (("C1", "V1"),)
    assert [(lost.volunteer, lost.reason) for lost in found.not_kept] == [("V9", "V9 is no longer on file.")]


# ---- as files --------------------------------------------------------------------------------------------------------


def test_a_plan_is_read_back_as_it_was_written(tmp_path: Path):
    for instance in PlanChance(11).instances(20):
        plan = match(instance, previous=[("C1", "V1")])
        assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    write_files(tmp_path, instance, plan, [])
    assert read_plan(tmp_path) == read_plan(tmp_path / "plan.json") == plan


def test_between_two_policies_no_fit_is_compared_and_nothing_is_called_so_by_now():
    # C1 likes chess, as V1 does, and asks for like culture, which V2 has: the weights decide.
    children = [a_child("C1", interests=("chess",), ethnicity="WBRI", culture_request=Strength.PREFERRED)]
    people = [a_volunteer("V1", interests=("chess",), ethnicity="BCRB"), a_volunteer("V2", ethnicity="WBRI")]
    by_interests = match(an_instance(children, people, policy=a_policy().with_weights(interests=90, culture=1)))
    by_culture = match(an_instance(children, people, policy=a_policy().with_weights(interests=1, culture=90)))
    (change,) = by_culture.diff(by_interests).changes
    assert (change.kind, change.before, change.volunteer) == ("changed", "V1", "V2")
    assert change.reason == "V1 is planned for nobody in this plan."


def test_changes_are_a_file_beside_the_plan(tmp_path: Path):
    before, instance = match(an_instance(ALIKE, PEOPLE[:2])), an_instance(ALIKE, PEOPLE)
    now = match(instance, previous=before)
    write_files(tmp_path, instance, now, [], now.diff(before))
    rows = list(csv.DictReader((tmp_path / "changes.csv").read_text(encoding="utf-8").splitlines()))
    assert sorted(row["change"] for row in rows) == ["kept", "kept", "new"]
    write_files(tmp_path, instance, now, [])  # a plan without a plan before leaves no changes of another one behind
    assert not (tmp_path / "changes.csv").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"matches": 1}', "\x00"])
def test_what_is_no_plan_is_refused_with_its_name(tmp_path: Path, content: str):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(InputError, match=r"plan\.json” cannot be read as a plan"):
        read_plan(tmp_path)


def test_a_diff_is_a_frame_and_a_record():
    before, now = match(an_instance(ALIKE, PEOPLE[:2])), match(an_instance(ALIKE, PEOPLE))
    diff = now.diff(before)
    assert list(diff.frame["child"]) == ["C1", "C2", "C3"]
    assert json.loads(json.dumps(diff.to_dict()))["sentence"] == diff.sentence
    assert match(an_instance([], [])).diff(match(an_instance([], []))).sentence.startswith("Nobody")
