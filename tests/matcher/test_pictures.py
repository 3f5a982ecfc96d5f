"""Two plans compared, and pictures that say what they show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib
import pandas as pd
import pytest

import matcher
from matcher.analysis.maps import map_of
from matcher.analysis.pictures import bars_of, frontier_of, sets_of

COUNTY = Path(__file__).parents[2] / "data" / "samples" / "county"


@pytest.fixture(scope="module")
def instance() -> matcher.Instance:
    return matcher.read(COUNTY, as_of="2026-11-01")


@pytest.fixture(scope="module")
def compared(instance: matcher.Instance) -> matcher.Compared:
    heavier = replace(instance, policy=instance.policy.with_weights(interests=100))
    return matcher.compare(matcher.match(instance), matcher.match(heavier))


def test_a_comparison_has_a_row_for_each_child_of_either_plan(compared):
    frame = compared.frame
    was, now = dict(compared.before.pairs), dict(compared.after.pairs)
    assert set(frame["child_id"]) == set(was) | set(now)
    for column, pairs in (("volunteer_before", was), ("volunteer_id", now)):
        assert frame.dropna(subset=[column]).set_index("child_id")[column].to_dict() == pairs
    fit = {match.child: match.fit for match in compared.after.matches}
    told = frame.dropna(subset=["fit_points"]).set_index("child_id")["fit_points"].to_dict()
    assert told == fit
    assert compared.frame["change"].value_counts().to_dict().get("with another volunteer", 0) > 0


def test_its_picture_counts_what_the_frame_has(compared):
    counts, moves = compared.picture().axes
    number = compared.frame["change"].value_counts()
    shown = {
        tick.get_text(): bar.get_width() for tick, bar in zip(counts.get_yticklabels(), counts.patches, strict=True)
    }
    assert shown == number.to_dict()
    assert counts.get_xlabel() == "children"
    assert len(moves.lines) == number["with another volunteer"]


def test_the_map_shows_everybody_who_has_a_place(instance, compared):
    figure = map_of(instance, compared.before)
    labels = [text.get_text() for text in figure.legends[0].texts]
    assert labels == [
        "volunteer, free (20)", "volunteer, proposed (40)", "child, not matched (80)", "child, matched (40)",
    ]  # fmt: skip
    axes, beyond = figure.axes[0], figure.legends[0].get_title().get_text()
    said = {text.get_text() for text in axes.texts}
    assert "10 miles" in said  # the scale
    assert said - {"10 miles", "N", ""} < {one.home.text for one in instance.volunteers if one.home} | {
        child.placement.text for child in instance.waiting if child.placement
    }
    # whoever is not shown is counted
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    places = [child.placement for child in instance.waiting]
    inside = sum(left <= one.longitude <= right and low <= one.latitude <= high for one in places if one)
    assert beyond.endswith(f"; {len(places) - inside} children are placed beyond this map")


def test_the_trade_offs_tell_of_those_without_parental_contact(instance):
    frontier = matcher.frontier(instance, steps=3)
    by_fit, by_budget = frontier_of(frontier).axes
    frame = frontier.frame[(frontier.frame["children"] > 0) & ~frontier.frame["of_policy"]]
    for axes, trade_off in ((by_fit, "fit"), (by_budget, "budget")):
        some = frame[frame["trade_off"] == trade_off]
        matched, without_contact, *own = axes.lines
        assert matched.get_ydata().tolist() == some["children"].tolist()
        assert without_contact.get_ydata().tolist() == some["without_contact"].tolist()
        assert len(own) == 2


def test_a_picture_looks_the_same_whatever_style_is_set(compared):
    with matplotlib.rc_context({"legend.frameon": True, "axes.titlelocation": "center", "axes.spines.top": True}):
        figure = compared.picture()
    assert not figure.legends[0].get_frame_on()
    assert {axes.get_title("left") != "" for axes in figure.axes} == {True}
    assert not any(axes.spines["top"].get_visible() for axes in figure.axes)


def test_bars_and_sets_tell_their_numbers():
    bars = bars_of(pd.Series({"too_far": 3, "busy": 1}), title="Why", xlabel="children").axes[0]
    assert [text.get_text() for text in bars.texts] == ["3", "1"]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["too far", "busy"]
    matched = pd.DataFrame({"one": [True, True, False], "other": [True, True, True]})
    rows = sets_of(matched, title="Children").axes[1]
    assert [text.get_text() for text in rows.texts] == ["2", "1"]
