"""A spreadsheet file as a grid of text cells with their row numbers, or one sentence why not.

CSV is read here, XLSX in `xlsx`. Whatever the file is, what comes out is the same: text, as a person sees it.
A file that is too large, of another kind, or made to do harm is refused before it can fill the memory.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import Protocol

from matcher.reading.cells import RefusedError
from matcher.reading.xlsx import MOST_COLUMNS, MOST_ROWS, workbook_rows, worksheet_names

MOST_BYTES = 25_000_000
MOST_CELLS = 3_000_000
MOST_LETTERS = 32_767
"""Of one cell: as many as Excel holds. No council's spreadsheet comes near these limits; a hostile file does."""

KINDS = (".csv", ".xlsx")
OTHER_KINDS = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers", ".tsv", ".txt")
"""Spreadsheets that Kith does not read: one of these under a sheet's name is told, never passed over."""

_AS_CSV = "Save it as CSV (comma delimited)"


class File(Protocol):
    """A file as the readers use it: a Path, or one that is held in memory."""

    @property
    def name(self) -> str: ...
    @property
    def stem(self) -> str: ...
    @property
    def suffix(self) -> str: ...
    def is_file(self) -> bool: ...
    def read_bytes(self) -> bytes: ...


class Folder(Protocol):
    """A folder as the readers use it."""

    @property
    def name(self) -> str: ...
    def iterdir(self) -> Iterable[File]: ...


class HeldFile(PurePosixPath):
    """A file that never touched a disk: what was uploaded is about children."""

    content: bytes

    def is_file(self) -> bool:
        return True

    def read_bytes(self) -> bytes:
        return self.content


@dataclass(frozen=True)
class HeldFolder:
    """Files in memory by name."""

    files: Mapping[str, bytes]
    name: str = "the files"

    def iterdir(self) -> Iterator[HeldFile]:
        for name, content in self.files.items():
            file = HeldFile(PurePosixPath(name.replace("\\", "/")).name)
            file.content = content
            yield file


@dataclass(frozen=True)
class Grid:
    """A sheet as it stands in a file. Rows count as the spreadsheet does; blank ones are left out."""

    file: str
    """The file's name without its folder, as messages tell it."""
    worksheet: str
    """The worksheet's name, if the file is a workbook and has one of this name."""
    heading_row: int
    heading: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """The spreadsheet's row number and the cells of each row below the heading."""


def find_file(folder: Folder, name: str) -> File | None:
    """The CSV or XLSX file of this name, in any capitals; None if there is none. `name` may carry its ending.

    Raises RefusedError if two files go by the name, or one of a kind that is not read.
    """
    wanted = name.casefold()
    found = sorted(
        (
            file
            for file in folder.iterdir()
            if file.is_file() and (file.name.casefold() == wanted or file.stem.casefold() == wanted)
        ),
        key=lambda file: file.name,
    )
    read = [file for file in found if file.suffix.casefold() in KINDS]
    if len(read) > 1:
        raise RefusedError(f"is there {len(read)} times: {', '.join(file.name for file in read)}", "Keep the right one")
    if not read and (other := [file for file in found if file.suffix.casefold() in OTHER_KINDS]):
        raise RefusedError(f"is there as {other[0].name}, which Kith does not read", "Save it as .xlsx or .csv")
    return read[0] if read else None


def read_grid(file: File, worksheet: str = "", *, exact: bool = False, heading_row: int = 1) -> Grid:
    """The grid of a CSV or XLSX file.

    Args:
        worksheet: the one that is read from a workbook; if none is named so, the first visible, unless `exact`.
        heading_row: where the headings stand, counted as the spreadsheet does. Blank rows before them do not matter.

    Raises RefusedError if it cannot be read.
    """
    content = _content(file)
    rows = workbook_rows(content, worksheet, exact=exact) if _is_workbook(file) else _csv_rows(content)
    filled = (
        (number, cells)
        for number, cells in bounded(rows)
        if number >= heading_row and any(cell.strip() for cell in cells)
    )
    at, heading = next(filled, (heading_row, ()))
    return Grid(file.name, worksheet, at, heading, tuple(filled))


def worksheets(file: File, *, hidden: bool = False) -> tuple[str, ...]:
    """The names of a workbook's worksheets, visible or hidden, as its tabs stand; none of a CSV file.

    Raises RefusedError.
    """
    return worksheet_names(_content(file), hidden=hidden) if _is_workbook(file) else ()


def headed(grid: Grid, row: int) -> Grid:
    """The same grid with its headings in another row, or in the first below it that is not blank; rows above go."""
    every = ((grid.heading_row, grid.heading), *grid.rows)
    rest = [(number, cells) for number, cells in every if number >= row]
    at, heading = rest[0] if rest else (row, ())
    return replace(grid, heading_row=at, heading=heading, rows=tuple(rest[1:]))


def _is_workbook(file: File) -> bool:
    return file.suffix.casefold() == ".xlsx"


def _content(file: File) -> bytes:
    too_large = isinstance(file, Path) and file.stat().st_size > MOST_BYTES  # before any of it is in memory
    content = b"" if too_large else file.read_bytes()
    if too_large or len(content) > MOST_BYTES:
        what = f"it is larger than {MOST_BYTES // 1_000_000} MB"
        raise RefusedError(what, "Split it, or remove what is not data")
    return content


def bounded(rows: Iterable[Sequence[str]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Rows with their numbers, without blank cells at their ends, for as long as they stay within the limits."""
    count = 0
    for number, row in enumerate(rows, start=1):
        cells = tuple(row)
        while cells and not cells[-1]:
            cells = cells[:-1]
        count += len(cells)
        if number > MOST_ROWS + 1:
            raise RefusedError(f"it has more than {MOST_ROWS:,} rows", "Split it, or remove what is not data")
        if len(cells) > MOST_COLUMNS:
            what = f"it has {len(cells):,} columns in row {number}, more than {MOST_COLUMNS}"
            raise RefusedError(what, "Keep the columns that Kith reads")
        if count > MOST_CELLS:
            raise RefusedError(f"it has more than {MOST_CELLS:,} cells", "Split it, or remove what is not data")
        if any(len(cell) > MOST_LETTERS for cell in cells):
            what = f"row {number} has a cell of more than {MOST_LETTERS:,} letters"
            raise RefusedError(what, "Look for a quotation mark that is opened and not closed, or shorten the text")
        yield number, cells


def _csv_rows(content: bytes) -> Iterator[Sequence[str]]:
    if content.startswith(b"PK\x03\x04"):
        raise RefusedError("it is a workbook under the name of a CSV file", "Name it .xlsx, or save it as CSV")
    if b"\0" in content:
        raise RefusedError("it is not a text file", _AS_CSV)
    encoding = "utf-8-sig" if _is_utf8(content) else "cp1252"  # which is what Excel writes as plain CSV
    lines = TextIOWrapper(BytesIO(content), encoding, errors="replace", newline="")
    separator = _separator(lines.read(2 * MOST_LETTERS))
    lines.seek(0)
    try:
        yield from csv.reader(lines, delimiter=separator, strict=True)
    except csv.Error as error:
        raise RefusedError(str(error), f"{_AS_CSV} once more") from None


def _is_utf8(content: bytes) -> bool:
    step = 1 << 20
    try:
        for _ in codecs.iterdecode((content[at : at + step] for at in range(0, len(content), step)), "utf-8"):
            pass
    except UnicodeDecodeError:
        return False
    return True


def _separator(beginning: str) -> str:
    """What parts the headings into the most cells: a comma, a semicolon (Excel in much of Europe) or a tab."""

    def cells(separator: str) -> int:
        try:
            return len(next(csv.reader(StringIO(beginning), delimiter=separator), ()))
        except csv.Error:
            return 0

    return max((",", ";", "\t"), key=cells)
