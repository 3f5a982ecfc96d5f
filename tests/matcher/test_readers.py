"""Nothing is lost on import, and every problem says where, what, and what to do."""

from __future__ import annotations

import random
import runpy
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import matcher
from matcher.catalogue import load_policy
from matcher.errors import InputError
from matcher.readers import read_files, read_folder
from matcher.reading import cells
from matcher.reading.sheets import CHILDREN, SHEETS
from matcher.records import Agreement, Gender, Strength
from matcher.writing.corrections import write_corrections

AS_OF = date(2026, 11, 1)
SAMPLES = Path(__file__).parents[2] / "data" / "samples"

CHILD = {
    "child_id": "C1",
    "date_of_birth": "04/02/2014",
    "gender": "female",
    "responsible_authority": "West Northamptonshire",
    "placement": "NN1",
    "placement_council": "West Northamptonshire",
    "family": "none",
    "languages": "English",
    "interests": "chess",
    "agrees": "yes",
    "parental_contact": "none",
    "referred_on": "01/04/2026",
}
VOLUNTEER = {"volunteer_id": "V1", "date_of_birth": "12/03/1986", "languages": "English"}


def write(folder: Path, name: str, *rows: dict[str, str]) -> None:
    lines = [",".join(rows[0]), *(",".join(f'"{cell}"' for cell in row.values()) for row in rows)]
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "children", CHILD)
    write(tmp_path, "volunteers", VOLUNTEER)
    return tmp_path


def told(folder: Path) -> list[str]:
    return [str(problem) for problem in read_folder(folder, AS_OF).refusals]


def test_messy_says_what_its_page_says() -> None:
    page = (SAMPLES / "messy" / "README.md").read_text(encoding="utf-8")
    expected = page.split("```text\n")[1].split("```")[0]
    command = [sys.executable, "-m", "matcher", "check", str(SAMPLES / "messy"), "--as-of", "2026-11-01"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout == expected
    assert run.returncode == 1
    assert run.stderr == ""


def test_messy_loses_no_row() -> None:
    reading = read_folder(SAMPLES / "messy", AS_OF)
    for name, given in reading.given.items():
        content = (SAMPLES / "messy" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        filled = [line for line in content[1:] if line.strip(", ")]
        assert given == len(filled)
        assert len(reading.records[name]) + reading.rejected[name] == given
    assert sum(reading.rejected.values()) == len({(p.file, p.row) for p in reading.refusals})


def test_each_message_names_row_column_and_remedy() -> None:
    for problem in read_folder(SAMPLES / "messy", AS_OF).problems:
        assert problem.row > 0
        assert problem.column or "cells under" in problem.wrong or "has no column" in problem.wrong
        assert problem.wrong
        assert problem.remedy


def test_a_folder_with_problems_is_not_planned(folder: Path) -> None:
    write(folder, "children", CHILD, {**CHILD, "child_id": "C2", "date_of_birth": "31/02/2013"})
    with pytest.raises(InputError, match=r"1 problem has to be mended first: children.csv, row 3") as caught:
        read_folder(folder, AS_OF).instance(load_policy(), AS_OF)
    assert len([problem for problem in caught.value.problems if problem.rejected]) == 1


def test_of_10_000_malformed_rows_none_is_lost(folder: Path, tmp_path: Path) -> None:
    # Each cell is good, blank or rubbish: read and rejected together are always all of them, in a workbook as well.
    rng = random.Random(7)
    rubbish = ["", "=1+1", "31/02/2012", "🙂", "x" * 300, "none", "yes; no", "-1", "1e9", "NaN", "'", "2012-05-03",
               "#REF!", "41032", "a\nb", "Zoë", "0012", ";;", "yes please"]  # fmt: skip
    rows = []
    for number in range(10_000):
        cells = {name: rng.choice(rubbish) if rng.random() < 0.2 else good for name, good in CHILD.items()}
        rows.append({**cells, "child_id": f"C{number}" if rng.random() < 0.9 else rng.choice(rubbish)})
    write(folder, "children", *rows)
    reading = read_folder(folder, AS_OF)
    assert reading.given["children"] == sum(any(cell.strip() for cell in row.values()) for row in rows)
    rejected_rows = {problem.row for problem in reading.refusals}
    assert reading.rejected["children"] == len(rejected_rows)
    assert not rejected_rows & set(reading.rows["children"])
    assert 0 < len(reading.records["children"]) < 10_000
    write_corrections(reading, folder, tmp_path / "out", AS_OF)
    again = read_folder(tmp_path / "out", AS_OF)
    assert (again.records, again.rows, again.given) == (reading.records, reading.rows, reading.given)


def test_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, "children", CHILD)
    assert told(tmp_path)[0].startswith("volunteers.csv or volunteers.xlsx: is missing. Put it into")


def test_missing_folder_is_refused() -> None:
    with pytest.raises(InputError, match="“nowhere” is not a folder"):
        read_folder("nowhere", AS_OF)


def test_file_without_its_ids_is_one_problem_and_every_row_is_rejected(folder: Path) -> None:
    without = {name: cell for name, cell in CHILD.items() if name != "child_id"}
    write(folder, "children", without, without)
    reading = read_folder(folder, AS_OF)
    assert reading.rejected["children"] == 2
    assert told(folder) == [
        "children.csv, row 1, column child_id: is missing. Add it (The child's reference, never a name; such as C001)"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"PK\x03\x04\0\0",
            "children.csv: cannot be read: it is a workbook under the name of a CSV file. Name it .xlsx",
        ),
        (b"child_id\0", "children.csv: cannot be read: it is not a text file. Save it as CSV (comma delimited)"),
        (b'child_id\n"C1', "children.csv: cannot be read: unexpected end of data. Save it as CSV"),
        (b"", "children.csv, row 1, column child_id: is missing. Add it"),
        (b"child_id,child_id\nC1,C2\n", "children.csv, row 1, column child_id: stands 2 times. Keep one"),
    ],
)
def test_file_that_cannot_be_read(folder: Path, content: bytes, message: str) -> None:
    (folder / "children.csv").write_bytes(content)
    assert told(folder)[0].startswith(message)


def test_headings_are_taken_in_any_writing(folder: Path) -> None:
    row = {name.replace("_", " ").title(): cell for name, cell in CHILD.items()}
    write(folder, "children", row)
    assert read_folder(folder, AS_OF).records["children"][0].id == "C1"


def test_excel_writes_accents_in_windows_1252(folder: Path) -> None:
    content = (folder / "children.csv").read_text().replace("C1", "Zoë-1")
    (folder / "children.csv").write_bytes(content.encode("cp1252"))
    assert read_folder(folder, AS_OF).records["children"][0].id == "Zoë-1"


def test_an_accent_is_one_sign_in_whichever_way_it_was_typed(folder: Path) -> None:
    write(folder, "children", CHILD | {"provider": "Caf\u00e9 Homes"})
    write(folder, "volunteers", VOLUNTEER | {"organisations": "Cafe\u0301 Homes"})
    (child,), (volunteer,) = (read_folder(folder, AS_OF).records[name] for name in ("children", "volunteers"))
    assert child.provider == volunteer.organisations == ("Caf\u00e9 Homes",)


def test_organisations_stand_as_they_were_written_and_one_of_two_spellings_once(folder: Path) -> None:
    write(folder, "children", CHILD | {"provider": "The Bluebell Homes Ltd.; Acorn Care; bluebell homes"})
    write(folder, "volunteers", VOLUNTEER | {"organisations": "none"})
    reading = read_folder(folder, AS_OF)
    assert reading.records["children"][0].provider == ("Acorn Care", "The Bluebell Homes Ltd.")
    assert reading.records["volunteers"][0].organisations == ()
    write(folder, "children", CHILD | {"provider": "The Ltd"})
    assert "is not the name of an organisation" in told(folder)[0]


def test_ids_between_commas_are_refused(folder: Path) -> None:
    write(folder, "volunteers", VOLUNTEER | {"known_children": "C1, C3"})
    (refusal,) = told(folder)
    assert "“C1, C3” has a comma between ids. Write a semicolon instead" in refusal


def test_byte_order_mark_is_no_part_of_the_heading(folder: Path) -> None:
    (folder / "children.csv").write_bytes(b"\xef\xbb\xbf" + (folder / "children.csv").read_bytes())
    assert told(folder) == []


def test_ids_that_look_like_numbers_keep_their_zeros(folder: Path) -> None:
    write(folder, "children", {**CHILD, "child_id": "0012"})
    assert read_folder(folder, AS_OF).records["children"][0].id == "0012"


def test_blank_is_not_recorded_and_none_is_recorded(folder: Path) -> None:
    write(
        folder, "children", {**CHILD, "interests": "", "family": ""}, {**CHILD, "child_id": "C2", "interests": "none"}
    )
    blank, none = read_folder(folder, AS_OF).records["children"]
    assert (blank.interests, blank.family) == (None, None)
    assert (none.interests, none.family) == ((), "C2")


def test_consent_is_yes_only_when_it_says_yes(folder: Path) -> None:
    words = {"yes": Agreement.YES, "Y": Agreement.YES, "no": Agreement.NO, "not asked": Agreement.NOT_ASKED, "": None}
    rows = [{**CHILD, "child_id": f"C{n}", "agrees": word} for n, word in enumerate(words)]
    write(folder, "children", *rows)
    assert [child.agrees for child in read_folder(folder, AS_OF).records["children"]] == list(words.values())


def test_gender_asked_for_without_a_strength_is_essential(folder: Path) -> None:
    write(folder, "children", {**CHILD, "requested_gender": "female"})
    child = read_folder(folder, AS_OF).records["children"][0]
    assert (child.requested_gender, child.requested_gender_strength) == (Gender.FEMALE, Strength.ESSENTIAL)


def test_placement_council_is_derived_and_said_so(folder: Path) -> None:
    write(folder, "children", {**CHILD, "placement_council": ""})
    reading = read_folder(folder, AS_OF)
    assert reading.records["children"][0].placement_council == "E06000062"
    assert ["taken from NN1" in problem.wrong for problem in reading.problems if problem.column == "placement_council"]


@pytest.mark.parametrize(
    "text",
    [
        "3/5/2012",
        "03/05/2012",
        "03.05.2012",
        "3-5-2012",
        "2012-05-03",
        "2012-05-03 00:00:00",
        "3 May 2012",
        "3rd May 2012",
        "03-May-2012",
        "3 MAY 2012",
        "2012/05/03",
        "03/05/2012 14:30",
        "2012-05-03T00:00:00.000",
    ],
)
def test_dates_are_read_day_first(text: str) -> None:
    assert cells.day(text) == date(2012, 5, 3)


@pytest.mark.parametrize(
    "text",
    ["05/03/12", "2012", "99999", "29/02/2013", "1/13/2012", "May 2012", "3 Mai 2012", "3 Mayhem 2012", "3 May!2012"],
)
def test_dates_that_could_be_misread_are_refused(text: str) -> None:
    with pytest.raises(cells.RefusedError):
        cells.day(text)


@pytest.mark.parametrize(
    ("text", "when"), [("41032", date(2012, 5, 3)), ("41032.5", date(2012, 5, 3)), ("73415", date(2100, 12, 31))]
)
def test_a_spreadsheets_number_for_a_date_is_read_and_told(text: str, when: date) -> None:
    with pytest.raises(cells.Remark, match=f"read as {when:%d/%m/%Y}") as caught:
        cells.day(text)
    assert caught.value.value == when


def test_two_files_of_one_sheet_are_one_problem(folder: Path) -> None:
    shutil.copy(folder / "children.csv", folder / "Children.xlsx")
    assert told(folder) == ["children: is there 2 times: Children.xlsx, children.csv. Keep the right one"]


def test_a_history_in_a_file_of_another_kind_is_not_passed_over(folder: Path) -> None:
    (folder / "matches.xls").write_bytes(b"old")
    assert told(folder) == ["matches: is there as matches.xls, which Kith does not read. Save it as .xlsx or .csv"]


@pytest.mark.parametrize("word", ["yes please", "yep", "ok", "true", "1", "Y?", "#REF!", "=TRUE()"])
def test_consent_in_other_words_is_no_consent(folder: Path, word: str) -> None:
    write(folder, "children", {**CHILD, "agrees": word})
    assert read_folder(folder, AS_OF).records["children"] == ()
    assert "column agrees" in told(folder)[0]


def test_an_error_of_the_spreadsheet_is_no_blank(folder: Path) -> None:
    write(folder, "children", {**CHILD, "requested_gender": "#N/A"})
    assert told(folder) == [
        "children.csv, row 2, column requested_gender: “#N/A” is a spreadsheet's error, not a value. "
        "Mend the formula, or type the value"
    ]


def test_cells_without_a_heading_are_told(folder: Path) -> None:
    (folder / "volunteers.csv").write_text("volunteer_id,,gender\nV1,x,male\n")
    notes = [str(problem) for problem in read_folder(folder, AS_OF).problems if not problem.column]
    assert any("in column 2: they are not read. Write a heading" in note for note in notes)


def test_miles_and_pounds() -> None:
    assert cells.miles("10 miles") == 16093  # 10 × 1609.344 = 16,093.44 m, never rounded up
    assert cells.pounds("£1,234.50") == 123450
    assert cells.pounds("10,000,000") == 10**9  # which the service's database holds
    with pytest.raises(cells.RefusedError, match="not a likely amount"):
        cells.pounds("10000001")
    for text in ("0", "-3", "1e3", "inf", "١٠"):
        with pytest.raises(cells.RefusedError):
            cells.miles(text)


def test_every_column_has_an_example_that_it_reads() -> None:
    for sheet in SHEETS:
        for column in sheet.columns:
            assert column.read(column.example) is not None, (sheet.name, column.name)
            assert column.means


def test_sheets_fill_every_field_of_their_records() -> None:
    fields = {column.to for column in CHILDREN.columns}
    assert fields == set(CHILDREN.record.__dataclass_fields__)


def test_the_page_of_columns_is_up_to_date() -> None:
    root = Path(__file__).parents[2]
    page = runpy.run_path(str(root / "scripts" / "build_columns.py"))["columns_page"]()
    assert (root / "docs" / "columns.md").read_text(encoding="utf-8") == page


@pytest.mark.parametrize("name", ["match.csv", "Matches (1).csv", "maches.xlsx", "matches_2025.csv", "old matches.ods"])
def test_a_file_called_nearly_like_a_sheet_that_is_missing_is_refused(tmp_path, name):
    # Passed over in silence, the history that keeps siblings apart would be lost.
    folder = tmp_path / "in"
    shutil.copytree(SAMPLES / "tiny", folder)
    (folder / name).write_text("child_id,volunteer_id,status\n")
    (problem,) = (one for one in read_folder(folder, AS_OF).refusals if one.file == name)
    assert problem.wrong == "is not read, and looks like matches"
    assert problem.remedy == f"Rename it to matches{Path(name).suffix}"
    with pytest.raises(InputError, match="is not read, and looks like matches"):
        matcher.read(folder, as_of=AS_OF)


@pytest.mark.parametrize("name", ["broken.xlsx", "notes.csv"])
def test_a_file_that_was_sent_and_is_none_of_the_sheets_is_told(name):
    # In a folder there may be anything; what was sent was meant, and is not passed over in silence.
    files = {file.name: file.read_bytes() for file in (SAMPLES / "tiny").glob("*.csv")}
    (problem,) = (one for one in read_files({**files, name: b"PK\x03\x04"}, AS_OF).problems if one.file == name)
    sheets = "children, volunteers, matches, declined, authorities or exceptions"
    assert problem.wrong == f"is not read: neither it nor a worksheet in it is called {sheets}"
    assert not problem.rejected


def test_an_old_file_beside_a_sheet_is_told_and_stops_nothing(tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(SAMPLES / "tiny", folder)
    (folder / "children old.csv").write_text("child_id\n")
    (folder / "unmatched.csv").write_text("child_id\n")
    (folder / "notes.csv").write_text("a\n")
    told = [str(one) for one in read_folder(folder, AS_OF).problems if one.row == 0]
    assert told == [
        "children old.csv: is not read: children are read from children.csv. "
        "Move it out of the folder if it is an old one"
    ]
    assert matcher.read(folder, as_of=AS_OF).children


def test_any_way_of_writing_the_date_of_the_run():
    tiny = SAMPLES / "tiny"
    for written in (
        "2026-11-01",
        "01/11/2026",
        "1 November 2026",
        date(2026, 11, 1),
        datetime(2026, 11, 1, 9, tzinfo=UTC),
    ):
        assert type(matcher.read(tiny, as_of=written).as_of) is date
        assert matcher.read(tiny, as_of=written).as_of == AS_OF
    for written, told in (
        ("11/2026", "is not a date"),
        ("31/02/2026", "is a day that does not exist"),
        ("", "is not a"),
    ):
        with pytest.raises(InputError, match=f"as_of: “{written}” {told}"):
            matcher.read(tiny, as_of=written)
