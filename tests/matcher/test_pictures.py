"""Two plans compared, and pictures that say what they show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import matcher
from matcher.analysis.pictures import bars_of, map_of, sets_of

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
    assert any(text.get_text().endswith("miles") for text in figure.axes[0].texts)  # the scale


def test_bars_and_sets_tell_their_numbers():
    bars = bars_of(pd.Series({"too_far": 3, "busy": 1}), title="Why", xlabel="children").axes[0]
    assert [text.get_text() for text in bars.texts] == ["3", "1"]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["too far", "busy"]
    matched = pd.DataFrame({"one": [True, True, False], "other": [True, True, True]})
    rows = sets_of(matched, title="Children").axes[1]
    assert [text.get_text() for text in rows.texts] == ["2", "1"]
