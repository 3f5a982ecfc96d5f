"""What leaves for a spreadsheet or a browser does no harm there."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

import matcher
from matcher import export
from matcher.pipeline import plan
from matcher.planning import consider
from matcher.shortlist import shortlists

AS_OF = date(2026, 11, 1)
TINY = Path(__file__).parents[2] / "data" / "samples" / "tiny"


@pytest.mark.parametrize("value", ["=1+1", "+44", "-3", "@SUM(A1)", "\tx", "\rx"])
def test_cells_that_look_like_formulas_are_neutralised(value: str) -> None:
    assert export.harmless(value) == f"'{value}"


def test_numbers_and_ordinary_words_are_left_alone() -> None:
    assert [export.harmless(value) for value in (-3, 0, "C1", None)] == [-3, 0, "C1", ""]


def test_script_in_an_id_never_runs(tmp_path: Path) -> None:
    for file in TINY.glob("*.csv"):
        text = file.read_text(encoding="utf-8").replace("C1,", "<script>alert(1)</script>,")
        (tmp_path / file.name).write_text(text, encoding="utf-8")
    instance = matcher.read(tmp_path, as_of=AS_OF)
    scored = consider(instance)
    best = plan(scored)
    page = export.report_html(instance, best, list(shortlists(scored, plan=best)))
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_report_of_nothing_says_why(tmp_path: Path) -> None:
    (tmp_path / "children.csv").write_text("child_id\nC1\n")
    (tmp_path / "volunteers.csv").write_text("volunteer_id\n")
    instance = matcher.read(tmp_path, as_of=AS_OF)
    scored = consider(instance)
    best = plan(scored)
    assert export.plan_csv(best) == "child_id,volunteer_id\r\n"
    # Of the child rules the first that does not pass is told: nobody has recorded whether the child agrees.
    assert best.unmatched[0].reason.startswith("Not recorded: agrees of C1 (children, column agrees).")
    page = export.report_html(instance, best, list(shortlists(scored, plan=best)))
    assert "No pair passes every rule" in page


def test_every_file_bears_the_policy_and_the_data_that_it_rests_on(tmp_path: Path) -> None:
    policy = matcher.load_policy("surrey")
    instance = matcher.read(TINY, policy=policy, as_of=AS_OF)
    scored = consider(instance)
    best = plan(scored)
    ranked = list(shortlists(scored, plan=best))
    export.write_files(tmp_path, instance, best, ranked)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert policy.stamp in page
    assert best.data_hash in page
    for name in ("plan.csv", "shortlists.csv", "unmatched.csv"):
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                stamp = (row["policy"], row["policy_hash"], row["data_hash"], row["as_of"])
                assert stamp == ("surrey " + policy.version, policy.content_hash, best.data_hash, "2026-11-01")
    book = CalamineWorkbook.from_path(tmp_path / "plan.xlsx")
    assert policy.stamp in [row[1] for row in book.get_sheet_by_name("Summary").to_python()]
    assert {candidate.policy for candidates in ranked for candidate in candidates} <= {policy.stamp}
    assert best.to_dict()["policy_hash"] == policy.content_hash
    told = matcher.explain(instance, "C1", "V1").to_dict()
    assert (told["policy"], told["policy_version"], told["policy_hash"]) == (
        "surrey",
        policy.version,
        policy.content_hash,
    )


def test_frames_for_notebooks() -> None:
    instance = matcher.read(TINY, as_of="2026-11-01")
    best = matcher.match(instance)
    assert best.frame["points"].sum() == 4013
    assert best.frame.columns.tolist()[:4] == ["child", "volunteer", "points", "fit"]
    assert best.unmatched_frame["child"].tolist() == ["C3"]
