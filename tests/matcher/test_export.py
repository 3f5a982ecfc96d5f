"""What leaves for a spreadsheet or a browser does no harm there."""

from __future__ import annotations

import csv
from datetime import date
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from making import NORTH, WEST, a_child, a_place, a_policy, a_volunteer, an_exception, an_instance
from python_calamine import CalamineWorkbook

import matcher
from matcher.instance import Instance
from matcher.pipeline import plan
from matcher.plan import Plan
from matcher.planning.search import consider
from matcher.records import Agreement, Authority, ExceptionKind, Match, MatchStatus, Status
from matcher.shortlist import reach, shortlists
from matcher.writing import export

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
    assert best.unmatched[0].reason.startswith("Not recorded: whether C1 agrees (children, column agrees).")
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
    assert best.frame.columns.tolist()[:4] == ["child_id", "volunteer_id", "points", "fit_points"]
    assert best.unmatched_frame["child_id"].tolist() == ["C3"]


def everything_to_tell() -> tuple[Instance, Plan]:
    """C1 and C2 are siblings at one place, C1 outside the county; V2 has a second child and C2 an uncle in V1."""
    children = [
        a_child("C1", family="F1", placement=a_place(1609), placement_council=NORTH, coordinator="Ann"),
        a_child("C2", family="F1", placement=a_place(1609), placement_council=NORTH, coordinator="Ann"),
        a_child("C3", agrees=Agreement.NO),
        a_child("C31", agrees=Agreement.NO),
        a_child("C4", agrees=None),
    ]
    people = [a_volunteer("V1", known_children=("C2",)), a_volunteer("V2"), a_volunteer("V3", status=Status.SUSPENDED)]
    instance = an_instance(
        children,
        people,
        policy=a_policy({"constraints.coordinator_caseload.matches": 3}),
        matches=[
            Match("C9", "V2", MatchStatus.CURRENT, "F9", coordinator="Ann"),
            Match("C1", "V2", MatchStatus.AGREED),
        ],
        authorities=[Authority(WEST, 5000)],
        exceptions=[an_exception(ExceptionKind.RELATIVE, "V1", "C2"), an_exception(ExceptionKind.SECOND_CHILD, "V2")],
    )
    return instance, matcher.match(instance)


def test_what_decides_is_told_beside_each_match_and_once_for_the_plan() -> None:
    instance, best = everything_to_tell()
    assert best.pairs == (("C1", "V2"), ("C2", "V1"))
    first, second = (one.notes for one in best.matches)
    assert list(first) == ["capacity", "siblings_together", "out_of_county_budget", "pinned"]
    assert first["capacity"] == "V2 may visit up to 2 children; Team manager allowed it on 1 October 2026."
    # 2 × 1609 m × 24 visits × 45p ÷ 1609.344 m, rounded up.
    assert first["out_of_county_budget"] == (
        "C1 is placed outside West Northamptonshire, £21.60 a year, reckoned with 24 visits a year of about 1 mile "
        "each way, at 45p a mile. West Northamptonshire has £50.00 left this year. "
        "Funding agreed: yes; approved by a manager: yes."
    )
    assert first["pinned"] == "C1 is on the way to V2 (agreed), which stays as long as no rule forbids it."
    assert list(second) == ["known_to_child", "siblings_together", "out_of_county_budget"]
    lines = export.summary(instance, best)
    assert lines["By a recorded exception"] == "C1 with V2 and C2 with V1"
    assert lines["Caseload of Ann"] == "1 now, 2 proposed, 3 at most: full"
    assert lines["Volunteers"] == "3 on file; 1 can visit no child for now: 1 not approved"
    assert lines["Kept from before"] == "1 agreed"
    ranked = list(shortlists(consider(instance), plan=best))
    page, table = export.report_html(instance, best, ranked), export.plan_csv(best)
    for sentence in (*first.values(), *second.values()):
        assert sentence in page
        assert sentence in table
    assert first["capacity"] in next(one.why for one in ranked[0] if one.volunteer == "V2")


def test_what_is_told_of_many_children_is_told_once() -> None:
    _, best = everything_to_tell()
    assert export.alike(best) == {
        "This child does not want a visitor. That is final until the child says otherwise.": ("C3", "C31"),
        "Not recorded: whether this child agrees (children, column agrees).": ("C4",),
    }


def test_at_a_phones_width_each_cell_is_named_by_its_column() -> None:
    # Below 40rem the headings go and the cells stack: a cell without its column's name would say nothing.
    instance, best = everything_to_tell()
    scored = consider(instance)
    page = export.report_html(instance, best, list(shortlists(scored, plan=best)))
    assert page.count("<table") == page.count('<table class="stacks"') >= 4
    assert page.count("<td") == page.count("data-is=")


def test_a_shortlist_in_the_report_says_of_how_many_it_is() -> None:
    instance = an_instance([a_child("C1"), a_child("C2")], [a_volunteer("V1"), a_volunteer("V2"), a_volunteer("V3")])
    scored = consider(instance)
    best = plan(scored)
    page = export.report_html(instance, best, list(shortlists(scored, top=2)), reach(scored))
    assert page.count("2 of 3 who pass every rule.") == 2
    assert (
        "NS National Standards for the Provision of IV Services" in page
    )  # what the sources beside the rules stand for


def test_where_nobody_is_given_nothing_is_called_proven() -> None:
    nobody, person = an_instance([], []), an_instance([], [a_volunteer()])
    assert export.proof(matcher.match(nobody)) == "nothing to plan: no child waits and there is no volunteer"
    assert export.proof(matcher.match(person)) == "nothing to plan: no child waits"
    assert export.proof(matcher.match(an_instance([a_child()], [a_volunteer()]))).startswith("OPTIMAL")


def test_frames_and_files_have_the_same_columns_and_figures() -> None:
    best = matcher.match(matcher.read(TINY.parent / "county", as_of="2026-11-01"))
    stamp = ["policy", "policy_hash", "data_hash", "as_of"]
    for frame, text in ((best.frame, export.plan_csv(best)), (best.unmatched_frame, export.unmatched_csv(best))):
        read = pd.read_csv(StringIO(text), keep_default_na=False, na_values={"miles": ""})
        assert set(read.columns) == {*frame.columns, *stamp}
        pd.testing.assert_frame_equal(read[list(frame.columns)], frame, check_dtype=False)
        assert not frame.drop(columns="miles", errors="ignore").isna().any(axis=None)


def test_frames_of_nobody_have_their_columns() -> None:
    nobody = matcher.match(matcher.Instance.of([], [], policy=matcher.load_policy(), as_of=date(2026, 11, 1)))
    assert nobody.frame.columns.tolist() == ["child_id", "volunteer_id"]
    assert nobody.unmatched_frame.columns.tolist() == ["child_id", "kind", "reason", "eligible_volunteers"]
