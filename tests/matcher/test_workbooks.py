"""The workbooks that Kith writes: templates, corrections and plans, opened again as a coordinator would."""

from __future__ import annotations

import re
import shutil
import zipfile
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import python_calamine
from test_files import workbook

import matcher
from matcher.errors import InputError, NotFoundError
from matcher.pipeline import plan
from matcher.planning.search import consider
from matcher.readers import read_folder
from matcher.reading.files import headed, read_grid
from matcher.reading.mapping_proposal import likely_heading_row
from matcher.reading.sheets import CHILDREN, MATCHES, SHEETS, VOLUNTEERS, Sheet
from matcher.shortlist import shortlists
from matcher.writing.corrections import write_corrections
from matcher.writing.export import write_files
from matcher.writing.template import template, write_templates
from matcher.writing.xlsx import WHOLE, Book, Field

AS_OF = date(2026, 11, 1)
SAMPLES = Path(__file__).parents[2] / "data" / "samples"


def cells(content: bytes | Path, worksheet: str) -> list[list[Any]]:
    file = BytesIO(content) if isinstance(content, bytes) else content
    return list(python_calamine.load_workbook(file).get_sheet_by_name(worksheet).iter_rows())


def part(content: bytes, name: str) -> str:
    return zipfile.ZipFile(BytesIO(content)).read(name).decode()


# Templates


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_what_a_template_explains_is_what_it_reads(tmp_path: Path, sheet: Sheet) -> None:
    examples = [column.example for column in sheet.columns]
    (tmp_path / f"{sheet.name}.xlsx").write_bytes(template(sheet, [examples]))
    grid = read_grid(tmp_path / f"{sheet.name}.xlsx", sheet.name)
    assert grid.heading == tuple(column.name for column in sheet.columns)
    assert grid.rows == ((2, tuple(examples)),)
    explained = cells(template(sheet), "about the columns")
    assert [row[:3] for row in explained[1:]] == [[c.name, c.means, c.example] for c in sheet.columns]


def test_a_filled_template_is_read_without_a_word(tmp_path: Path) -> None:
    for sheet in (CHILDREN, VOLUNTEERS):
        (tmp_path / f"{sheet.name}.xlsx").write_bytes(template(sheet, [[column.example for column in sheet.columns]]))
    reading = read_folder(tmp_path, AS_OF)
    assert reading.problems == ()
    assert len(reading.records["children"]) == len(reading.records["volunteers"]) == 1


def test_a_template_has_no_row_that_could_be_read_as_a_child(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(template(CHILDREN))
    assert read_grid(tmp_path / "x.xlsx").rows == ()


def test_a_template_has_lists_dates_and_notes() -> None:
    content = template(CHILDREN)
    sheet = part(content, "xl/worksheets/sheet1.xml")
    rules = re.findall(r"<dataValidation (.*?)</dataValidation>", sheet)
    assert sum('type="list"' in rule for rule in rules) == sum(bool(column.options) for column in CHILDREN.columns)
    assert sum('type="date"' in rule for rule in rules) == sum(column.is_date for column in CHILDREN.columns)
    assert '"yes,no,not asked"' in sheet
    assert "dd/mm/yyyy" in part(content, "xl/styles.xml")
    assert part(content, "xl/comments1.xml").count("<comment ") == len(CHILDREN.columns)
    assert "<pane " in sheet
    assert content == template(CHILDREN)


def test_lists_offer_only_words_that_are_read() -> None:
    for sheet in SHEETS:
        for column in sheet.columns:
            assert len(",".join(column.options)) <= 255  # more, and Excel calls the workbook damaged
            for word in column.options:
                column.read(word)


def test_templates_go_to_a_file_or_a_folder(tmp_path: Path) -> None:
    assert write_templates(tmp_path / "Children.xlsx") == [tmp_path / "Children.xlsx"]
    assert write_templates(tmp_path / "mine.xlsx", "matches") == [tmp_path / "mine.xlsx"]
    assert [file.stem for file in write_templates(tmp_path / "all")] == [sheet.name for sheet in SHEETS]
    with pytest.raises(NotFoundError, match=r"There is no sheet “mine”\. Choose one with --sheet: children"):
        write_templates(tmp_path / "mine.xlsx")


# Corrections


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    here = tmp_path / "given"
    here.mkdir()
    head = ["child_id", "Date of Birth", "agrees", "interests"]
    rows = [["C1", date(2012, 5, 3), "yes", "chess"], ["0012", "31/02/2012", "yes please", "chess"], [],
            ["=1+1", 41032, "yes", "chess"]]  # fmt: skip
    workbook(here / "children.xlsx", ("children", [head, *rows]), strings_to_formulas=False)
    (here / "volunteers.csv").write_bytes(template_csv())
    return here


def template_csv() -> bytes:
    names, examples = zip(*[(column.name, column.example) for column in VOLUNTEERS.columns], strict=True)
    return ("\t".join(names) + "\n" + "\t".join(examples) + "\n").encode()


def test_problems_come_back_beside_the_rows(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = write_corrections(read_folder(folder, AS_OF), folder, out, AS_OF)
    assert [file.name for file in written] == ["children.xlsx", "volunteers.csv"]
    rows = cells(out / "children.xlsx", "children")
    assert rows[0] == ["child_id", "Date of Birth", "agrees", "interests", "problems"]
    assert rows[1] == ["C1", date(2012, 5, 3), "yes", "chess", ""]
    assert rows[2][:4] == ["0012", "31/02/2012", "yes please", "chess"]
    assert rows[2][4] == (
        "agrees: “yes please” is not one of the words used here. Write yes, no, not asked.\n"
        "date_of_birth: “31/02/2012” is a day that does not exist. Check the day and the month."
    )
    assert rows[3] == [""] * 5
    assert rows[4][:2] == ["'=1+1", "41032"]
    assert rows[4][4].startswith("To note: date_of_birth: “41032” is a spreadsheet's number for a date: read as 03/05")
    assert (out / "volunteers.csv").read_bytes() == template_csv()
    again = tmp_path / "again"
    write_corrections(read_folder(out, AS_OF), out, again, AS_OF)
    assert cells(again / "children.xlsx", "children") == rows


def test_what_was_corrected_is_read_without_a_problem(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_corrections(read_folder(folder, AS_OF), folder, out, AS_OF)
    rows = cells(out / "children.xlsx", "children")
    rows[2][1:3], rows[4][1] = [date(2012, 2, 29), "yes"], date(2012, 5, 3)
    workbook(out / "children.xlsx", ("children", rows), strings_to_formulas=False)
    reading = read_folder(out, AS_OF)
    assert reading.refusals == ()
    assert not [problem for problem in reading.problems if problem.row > 1]
    assert [child.id for child in reading.records["children"]] == ["C1", "0012", "=1+1"]


@pytest.mark.parametrize("sample", ["messy", "foreign"])
def test_nothing_is_lost_on_the_way_through_a_workbook(sample: str, tmp_path: Path) -> None:
    before = read_folder(SAMPLES / sample, AS_OF)
    write_corrections(before, SAMPLES / sample, tmp_path / "out", AS_OF)
    after = read_folder(tmp_path / "out", AS_OF)
    assert after.records == before.records
    assert after.rows == before.rows
    assert after.given == before.given
    assert [(p.row, p.column, p.value) for p in after.refusals] == [(p.row, p.column, p.value) for p in before.refusals]


def test_a_workbook_of_several_sheets_stays_one(tmp_path: Path) -> None:
    given, out = tmp_path / "given", tmp_path / "out"
    given.mkdir()
    workbook(given / "all.xlsx", ("Kids", [["x"], ["child_id"], ["C1"]]), ("Adults", [["volunteer_id"], ["V1"]]))
    (given / "mapping.toml").write_text(
        '[children]\nconfirmed = true\nfile = "all"\nworksheet = "Kids"\nheading_row = 2\n'
        '[volunteers]\nconfirmed = true\nfile = "all"\nworksheet = "Adults"\n'
    )
    before = read_folder(given, AS_OF)
    assert [file.name for file in write_corrections(before, given, out, AS_OF)] == ["all.xlsx", "mapping.toml"]
    assert read_folder(out, AS_OF).records == before.records
    assert cells(out / "all.xlsx", "Kids")[1] == ["child_id", "problems"]


def test_corrections_are_never_written_over(folder: Path, tmp_path: Path) -> None:
    reading = read_folder(folder, AS_OF)
    with pytest.raises(InputError, match=r"already has a children\.xlsx, and it may hold corrections"):
        write_corrections(reading, folder, folder, AS_OF)
    assert not (tmp_path / "out").exists()


# The plan


def written(sample: Path, out: Path) -> Path:
    instance = matcher.read(sample, as_of=AS_OF)
    scored = consider(instance)
    best = plan(scored)
    write_files(out, instance, best, shortlists(scored, plan=best))
    return out / "plan.xlsx"


def test_the_plan_is_a_workbook_of_one_worksheet_a_question(tmp_path: Path) -> None:
    file = written(SAMPLES / "county", tmp_path / "1")
    book = python_calamine.load_workbook(file)
    assert book.sheet_names == ["Matches proposed", "Children left", "Shortlists", "Summary"]
    content = file.read_bytes()
    for number in range(1, 5):
        sheet = part(content, f"xl/worksheets/sheet{number}.xml")
        assert "<pane " in sheet  # the heading stays in sight
        assert "<autoFilter " in sheet
        assert "<f>" not in sheet
        assert "<hyperlink" not in sheet
    best = matcher.match(matcher.read(SAMPLES / "county", as_of=AS_OF))
    matches, left = cells(file, "Matches proposed"), cells(file, "Children left")
    assert [(row[0], row[1], row[2]) for row in matches[1:]] == [(m.child, m.volunteer, m.points) for m in best.matches]
    assert [(row[0], row[1]) for row in left[1:]] == [(child.child, child.reason) for child in best.unmatched]
    assert dict(row[:2] for row in cells(file, "Summary"))["As of"] == "1 November 2026"
    assert content == written(SAMPLES / "county", tmp_path / "2").read_bytes()


def test_references_that_look_like_formulas_do_nothing_in_the_plan(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "tiny", tmp_path / "in")
    for file in (tmp_path / "in").glob("*.csv"):
        file.write_text(
            file.read_text(encoding="utf-8").replace("C1,", '"=HYPERLINK(""http://x"")",'), encoding="utf-8"
        )
    file = written(tmp_path / "in", tmp_path / "out")
    told = [row[0] for name in ("Matches proposed", "Children left") for row in cells(file, name)]
    assert '\'=HYPERLINK("http://x")' in told
    assert "<f>" not in "".join(part(file.read_bytes(), f"xl/worksheets/sheet{number}.xml") for number in range(1, 5))


# One workbook for everything


def _whole(path: Path, **rows: list[list[str]]) -> None:
    """A workbook with a worksheet for each sheet that is named, a title page before them."""
    book = Book(AS_OF)
    book.table("Read me", (Field("Our service"),), [("Nothing to read here",)])
    for name, cells in rows.items():
        sheet = next(one for one in SHEETS if one.name == name)
        book.table(name.capitalize(), [Field(column.name) for column in sheet.columns], cells)
    path.write_bytes(book.content())


def _examples(sheet: Sheet) -> list[str]:
    return [column.example for column in sheet.columns]


def test_one_workbook_that_holds_several_sheets_is_read(tmp_path: Path) -> None:
    rows = {sheet.name: [_examples(sheet)] for sheet in (CHILDREN, VOLUNTEERS, MATCHES)}
    _whole(tmp_path / "Our service.xlsx", **rows)
    reading = read_folder(tmp_path, AS_OF)
    assert reading.given == {"children": 1, "volunteers": 1, "matches": 1}
    assert len(reading.records["children"]) == len(reading.records["volunteers"]) == 1
    assert reading.files["matches"] == "Our service.xlsx (Matches)"


def test_the_template_for_all_sheets_is_read_as_each_of_them(tmp_path: Path) -> None:
    assert write_templates(tmp_path / "all.xlsx") == [tmp_path / "all.xlsx"]
    reading = read_folder(tmp_path, AS_OF)
    assert reading.given == {sheet.name: 0 for sheet in SHEETS}
    assert reading.problems == ()


def test_a_second_copy_of_a_sheet_is_told_and_refused_where_neither_is_meant(tmp_path: Path) -> None:
    children, volunteers = [_examples(CHILDREN)], [_examples(VOLUNTEERS)]
    _whole(tmp_path / "a.xlsx", children=children, volunteers=volunteers)
    _whole(tmp_path / "b.xlsx", children=children)
    problem = next(one for one in read_folder(tmp_path, AS_OF).refusals)
    assert str(problem).startswith("b.xlsx (Children): is not read: the same sheet is read from a.xlsx (Children)")
    (tmp_path / "b.xlsx").unlink()
    (tmp_path / "children.xlsx").write_bytes(template(CHILDREN, children))
    reading = read_folder(tmp_path, AS_OF)
    assert reading.files["children"] == "children.xlsx"
    assert reading.refusals == ()
    assert any(one.file == "a.xlsx (Children)" for one in reading.problems)


@pytest.mark.parametrize(("called", "hidden"), [("match", False), ("Matches 2026", False), ("matches", True)])
def test_a_worksheet_that_may_hold_what_keeps_siblings_apart_is_not_passed_over(
    tmp_path: Path, called: str, hidden: bool
) -> None:
    """As a file of its own, match.csv is refused; so is a worksheet beside the children, seen or not."""
    book = [
        (name, [[column.name for column in sheet.columns], _examples(sheet)])
        for name, sheet in (("children", CHILDREN), ("volunteers", VOLUNTEERS), (called, MATCHES))
    ]
    workbook(tmp_path / "all.xlsx", *book, hidden=(called,) if hidden else ())
    (problem,) = read_folder(tmp_path, AS_OF).refusals
    assert problem.file == f"all.xlsx ({called})"
    assert problem.wrong == ("is hidden and not read" if hidden else "is not read") + ", and looks like matches"
    workbook(tmp_path / "all.xlsx", *book[:2], ("Notes", [["of last week"]]), ("Lists", [["yes", "no"]]))
    assert read_folder(tmp_path, AS_OF).refusals == ()
    workbook(tmp_path / "all.xlsx", *book[:2], ("Children of 2024", book[0][1]))
    assert read_folder(tmp_path, AS_OF).refusals == ()  # the children are there


def test_a_worksheet_that_only_bears_the_name_is_no_sheet(tmp_path: Path) -> None:
    """Such as a summary that another program calls Matches."""
    _whole(tmp_path / "a.xlsx", children=[_examples(CHILDREN)], volunteers=[_examples(VOLUNTEERS)])
    book = Book(AS_OF)
    book.table("Matches", (Field("Year"), Field("How many")), [("2025", "31")])
    (tmp_path / "summary.xlsx").write_bytes(book.content())
    reading = read_folder(tmp_path, AS_OF)
    assert "matches" not in reading.files
    assert reading.refusals == ()
    told = next(one for one in reading.problems if one.file == "summary.xlsx (Matches)")
    assert told.wrong == "is not read: a worksheet of matches has the headings child_id and volunteer_id and status"


def test_beside_children_a_worksheet_called_matches_is_never_passed_over(tmp_path: Path) -> None:
    """Badly headed, it may still be what keeps siblings apart."""
    book = Book(AS_OF)
    for sheet in (CHILDREN, VOLUNTEERS):
        book.table(sheet.name, [Field(column.name) for column in sheet.columns], [_examples(sheet)])
    book.table("matches", (Field("child"), Field("visitor")), [("C1", "V1")])
    book.book.add_worksheet("exceptions")  # wholly blank: nobody has any
    (tmp_path / "ours.xlsx").write_bytes(book.content())
    reading = read_folder(tmp_path, AS_OF)
    assert {problem.file for problem in reading.refusals} == {"ours.xlsx (matches)"}
    assert "exceptions" not in reading.files


@pytest.mark.parametrize(
    ("above", "at"), [([], 1), ([("Children who wait",)], 2), ([("As of", "1 May"), ("Kept by", "the team")], 3)]
)
def test_the_row_of_the_headings_is_found_below_a_title(tmp_path: Path, above: list[tuple[str, ...]], at: int) -> None:
    rows = [*above, ("Child ID", "Date of birth", "Sex"), ("C1", "01/02/2012", "1")]
    (tmp_path / "x.csv").write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
    grid = read_grid(tmp_path / "x.csv")
    assert likely_heading_row(grid) == at
    assert headed(grid, at) == read_grid(tmp_path / "x.csv", heading_row=at)


def test_a_table_prints_across_with_its_heading_on_each_page_and_its_sum_is_no_row_to_filter() -> None:
    book = Book(AS_OF, "R&D county")
    rows = [["A", AS_OF, 1], ["B", "none", 2], ["All", None, 3]]
    book.table("Narrow", (Field("Name"), Field("Day"), Field("Number", 12, WHOLE)), rows, total=True)
    book.table("Wide", [Field(f"F{number}", 20) for number in range(12)])
    content = book.content()
    narrow, wide = part(content, "xl/worksheets/sheet1.xml"), part(content, "xl/worksheets/sheet2.xml")
    for one in (narrow, wide):
        assert 'orientation="landscape"' in one
        assert "&amp;LR&amp;&amp;D county" in one
    assert '<autoFilter ref="A1:C3"/>' in narrow
    assert 'fitToHeight="0"' in narrow
    assert "fitToHeight" not in wide  # so many columns could not be read on one page
    names = part(content, "xl/workbook.xml")
    assert "Narrow!$1:$1" in names
    assert "Wide!$A:$A,Wide!$1:$1" in names
    assert cells(content, "Narrow")[1] == ["A", AS_OF, 1]  # a day is a day in a column of text too
