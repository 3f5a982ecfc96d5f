"""A file becomes a grid of text, whatever it is; a hostile one is refused with a sentence and little memory."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from matcher.reading.cells import RefusedError, as_typed, harmless
from matcher.reading.files import find_file, read_grid

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(
    path: Path, *worksheets: tuple[str, list[list[Any]]], hidden: tuple[str, ...] = (), **options: Any
) -> Path:
    """A workbook as Excel writes it; a text that begins with # is an error."""
    with xlsxwriter.Workbook(path, {"remove_timezone": True} | options) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        for name, rows in worksheets:
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if isinstance(cell, date):
                        sheet.write_datetime(row, column, cell, day)
                    elif isinstance(cell, str) and cell.startswith("#"):
                        sheet.write_formula(row, column, "=1/0", None, cell)
                    elif cell is not None:
                        sheet.write(row, column, cell)
    return path


def parts(sheet: str, texts: str = "", **more: str) -> dict[str, str]:
    """The parts of a workbook around the XML of one worksheet."""
    return {
        "_rels/.rels": f'<Relationships><Relationship Id="a" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns:r="{OFFICE}"><sheets><sheet name="children" sheetId="1" r:id="a"/>'
        "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships><Relationship Id="a" Type="{OFFICE}/worksheet" Target="s.xml"/>'
        f'<Relationship Id="b" Type="{OFFICE}/sharedStrings" Target="t.xml"/></Relationships>',
        "xl/s.xml": f"<worksheet><sheetData>{sheet}</sheetData></worksheet>",
        "xl/t.xml": f"<sst>{texts}</sst>",
    } | more


def packed(contents: dict[str, str]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return buffer.getvalue()


def lying(content: bytes) -> bytes:
    """The same archive, whose every entry claims to unpack to ten bytes."""
    altered = bytearray(content)
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        altered[at + 24 : at + 28] = struct.pack("<I", 10)
        at = content.find(b"PK\x01\x02", at + 4)
    return bytes(altered)


CELL = '<row r="1"><c r="A1" t="inlineStr"><is><t>child_id</t></is></c></row>'
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)

HOSTILE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "oversized": ("x.csv", lambda: b"a" * 25_000_001, "it is larger than 25 MB"),
    "oversized workbook": ("x.xlsx", lambda: b"PK\3\4" * 7_000_000, "it is larger than 25 MB"),
    "zip bomb": ("x.xlsx", lambda: packed(parts(CELL + " " * 150_000_000)), "it unpacks to more than 40 MB"),
    "bomb among the texts": ("x.xlsx", lambda: packed(parts(CELL, " " * 50_000_000)), "it unpacks to more than"),
    "bomb in the list of sheets": (
        "x.xlsx", lambda: packed(parts(CELL, **{"xl/workbook.xml": " " * 3_000_000})), "it unpacks to more than 2 MB",
    ),
    "lying sizes": ("x.xlsx", lambda: lying(packed(parts(CELL + " " * 60_000_000))), "it is a damaged workbook"),
    "locked": ("x.xlsx", lambda: OLE + "EncryptedPackage".encode("utf-16-le"), "it is locked with a password"),
    "of before 2007": ("x.xlsx", lambda: OLE, "it is a workbook of before 2007 under another name"),
    "a PDF by another name": ("x.xlsx", lambda: b"%PDF-1.7", "it is not an Excel workbook"),
    "a CSV by another name": ("x.xlsx", lambda: b"child_id\nC1\n", "it is not an Excel workbook"),
    "a document by another name": ("x.xlsx", lambda: packed({"word/document.xml": ""}), "it is not an Excel workbook"),
    "a workbook by another name": ("x.csv", lambda: packed(parts(CELL)), "it is a workbook under the name of a CSV"),
    "cut off": ("x.xlsx", lambda: packed(parts(CELL))[:300], "it is a damaged workbook"),
    "no XML": ("x.xlsx", lambda: packed(parts("<row>")), "it is a damaged workbook"),
    "many parts": (
        "x.xlsx", lambda: packed(parts(CELL) | {f"xl/{n}": "" for n in range(3000)}), "it has more than 2,000 parts",
    ),
    "thousands of columns": ("x.csv", lambda: b"a," * 9_000, "it has 9,000 columns in row 1, more than 250"),
    "columns far to the right": (
        "x.xlsx", lambda: packed(parts('<row r="1"><c r="XFD1"><v>1</v></c></row>')), "it has a cell in XFD1, beyond",
    ),
    "a lone cell far away": (
        "x.xlsx", lambda: packed(parts('<row><c r="XFD1048576"><v>1</v></c></row>')), "it has a cell in XFD1048576",
    ),
    "a far cell in small letters": (
        "x.xlsx", lambda: packed(parts('<row><c r="xfd1048576"><v>1</v></c></row>')), "it is a damaged workbook",
    ),
    "a far cell without a reference": (
        "x.xlsx", lambda: packed(parts('<row r="1048576"><c><v>1</v></c></row>')), "it has a cell in row 1,048,576",
    ),
    "a far corner within the limits": (
        "x.xlsx", lambda: packed(parts('<row r="200000"><c r="IP200000"><v>1</v></c></row>')), "it has room for more",
    ),
    "millions of rows": ("x.csv", lambda: b"1\n" * 5_000_000, "it has more than 200,000 rows"),
    "millions of rows in a workbook": (
        "x.xlsx", lambda: packed(parts("<row/>" * 5_000_000)), "it has a cell in row 200,002, beyond 200,000 rows",
    ),
    "millions of cells in one place": (
        "x.xlsx", lambda: packed(parts('<row><c r="A1"/>' + '<c r="A1"/>' * 2_700_000 + "</row>")), "it has more than",
    ),
    "millions of cells": ("x.csv", lambda: (b"1," * 200 + b"\n") * 40_000, "it has more than 3,000,000 cells"),
    "one text in many cells": (
        "x.xlsx",
        lambda: packed(parts(
            "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(1, 1000)),
            f"<si><t>{'x' * 32_000}</t></si>",
        )),
        "its cells hold more than 15,000,000 letters together",
    ),
    "two readings of a number": (
        "x.xlsx", lambda: packed(parts('<row><c t="s"><v>1<!-- 2 --></v></c></row>', "<si/><si/>")), "it is a damaged",
    ),
    "entities": (
        "x.xlsx",
        lambda: packed(parts(CELL, **{"xl/s.xml": '<!DOCTYPE a [<!ENTITY b "c">]><worksheet/>'})),
        "it is written as no spreadsheet program does",
    ),
    "NULs": ("x.csv", lambda: b"child_id\nC\x001\n", "it is not a text file"),
    "NULs in a workbook": ("x.xlsx", lambda: packed(parts("<row>\0</row>")), "it is written as no spreadsheet"),
    "a quotation mark left open": ("x.csv", lambda: b'child_id\n"' + b"C1\n" * 20_000 + b'"', "row 2 has a cell of"),
}  # fmt: skip


PROGRAM = """
import json, pathlib, sys
from matcher.reading.cells import RefusedError
from matcher.reading.files import read_grid
told = {}
for file in pathlib.Path(sys.argv[1]).glob("*/*"):
    try:
        read_grid(file)
    except RefusedError as error:
        told[file.parent.name] = f"{error.wrong}. {error.remedy}"
memory = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([told, int(memory.split()[1])]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is measured where Linux tells it")
def test_hostile_files_are_refused_with_a_sentence_within_300_mib(tmp_path: Path) -> None:
    for name, (file, content, _) in HOSTILE.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(content())
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    told, kibibytes = json.loads(run.stdout)
    wrong = {name: beginning for name, (_, _, beginning) in HOSTILE.items()}
    assert {name: told.get(name, "")[: len(wrong[name])] for name in HOSTILE} == wrong
    assert kibibytes < 300 * 1024


def test_cells_of_a_workbook_are_text_as_a_person_sees_them(tmp_path: Path) -> None:
    then = datetime(2012, 5, 3, 14, 30, tzinfo=UTC)
    cells = ["C1", 12, 12.5, 0.1 + 0.2, 41032, True, date(2012, 5, 3), then, "#REF!", "#N/A"]
    grid = read_grid(workbook(tmp_path / "x.xlsx", ("children", [["child_id"], [], cells, [" ", None], ["C2"]])))
    assert grid.heading == ("child_id",)
    assert grid.rows == (
        (3, ("C1", "12", "12.5", "0.3", "41032", "yes", "03/05/2012", "03/05/2012 14:30", "#REF!", "#N/A")),
        (5, ("C2",)),
    )


def test_days_of_a_workbook_from_1904_are_the_same_days(tmp_path: Path) -> None:
    file = workbook(tmp_path / "x.xlsx", ("children", [["day"], [date(2012, 5, 3)]]), date_1904=True)
    assert read_grid(file).rows == ((2, ("03/05/2012",)),)


def test_worksheet_of_the_sheets_name_is_read_or_the_first_visible(tmp_path: Path) -> None:
    tabs = [("Cover", [["cover"]]), ("Data", [["data"]]), ("Children", [["children"]])]
    file = workbook(tmp_path / "x.xlsx", *tabs, hidden=("Data",))
    assert read_grid(file, "children").heading == ("children",)
    assert read_grid(file, "volunteers").heading == ("cover",)
    assert read_grid(file, "data", exact=True).heading == ("data",)
    with pytest.raises(RefusedError, match="it has no worksheet “volunteers”"):
        read_grid(file, "volunteers", exact=True)


def test_rows_without_references_stand_where_they_stand(tmp_path: Path) -> None:
    text = "<c><v>1</v></c><c><v>2</v></c>"
    (tmp_path / "x.xlsx").write_bytes(packed(parts(f"<row>{text}</row><row/><row>{text}</row>")))
    assert read_grid(tmp_path / "x.xlsx").rows == ((3, ("1", "2")),)


def test_headings_stand_in_the_first_row_that_is_not_blank_or_where_one_says(tmp_path: Path) -> None:
    file = workbook(tmp_path / "x.xlsx", ("children", [[], ["Children waiting"], [], ["child_id"], ["C1"]]))
    assert (read_grid(file).heading_row, read_grid(file).heading) == (2, ("Children waiting",))
    grid = read_grid(file, heading_row=3)
    assert (grid.heading_row, grid.heading, grid.rows) == (4, ("child_id",), ((5, ("C1",)),))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_is_parted_as_its_headings_are(tmp_path: Path, separator: str) -> None:
    (tmp_path / "x.csv").write_text(f"{separator.join('abc')}\n{separator.join('123')}\n")
    grid = read_grid(tmp_path / "x.csv")
    assert (grid.heading, grid.rows) == (("a", "b", "c"), ((2, ("1", "2", "3")),))


def test_semicolons_within_a_quoted_heading_part_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('"Hobbies; one; or; more",id\n"football;chess;",V1\n')
    assert read_grid(tmp_path / "x.csv").rows == ((2, ("football;chess;", "V1")),)


def test_file_is_found_in_any_capitals_and_never_passed_over(tmp_path: Path) -> None:
    assert find_file(tmp_path, "matches") is None
    (tmp_path / "Matches.XLSX").touch()
    assert find_file(tmp_path, "matches") == tmp_path / "Matches.XLSX"
    (tmp_path / "matches.csv").touch()
    with pytest.raises(RefusedError, match=r"is there 2 times: Matches\.XLSX, matches\.csv"):
        find_file(tmp_path, "matches")
    (tmp_path / "declined.xls").touch()
    with pytest.raises(RefusedError, match=r"is there as declined\.xls, which Kith does not read"):
        find_file(tmp_path, "declined")


@pytest.mark.parametrize("text", ["=1+1", "+44", "-", "@me", "football", "'quoted'", "'"])
def test_what_was_neutralised_on_export_is_read_as_it_was(text: str) -> None:
    assert as_typed(harmless(text)) == text
