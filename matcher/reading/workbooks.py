"""Which of our sheets a workbook holds: a worksheet named like a sheet and headed like it is that sheet."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from matcher.reading.cells import RefusedError
from matcher.reading.files import File, Folder, find_file, read_grid, worksheets
from matcher.reading.mapping import Layout, tidy
from matcher.reading.sheets import SHEETS, Sheet

EXPLAINS = ("about the columns", "ethnicity codes")
"""Worksheets of our own templates that hold no rows."""


def sheet_named(name: str) -> Sheet | None:
    """The sheet of this name, in any capitals."""
    return next((sheet for sheet in SHEETS if sheet.name == name.strip().casefold()), None)


def with_rows(file: File) -> tuple[str, ...]:
    """The worksheets of a workbook that may hold rows; "" alone stands for a CSV file. Raises RefusedError.

    Of several that go by one name, which no spreadsheet program writes, the first is read.
    """
    names = {name.casefold(): name for name in reversed(worksheets(file)) if name.casefold() not in EXPLAINS}
    return tuple(reversed(names.values())) or ("",)


def by_default(names: Collection[str], sheet: str) -> str:
    """The worksheet that is read as a sheet where nobody says which: the one named like it, else the first."""
    return next((name for name in names if name.casefold() == sheet), next(iter(names), ""))


def is_headed(headings: Collection[str], sheet: Sheet) -> bool:
    """Whether every column that a sheet cannot do without is among the headings."""
    return {column.name for column in sheet.columns if column.required} <= {tidy(text) for text in headings}


def found_in(folder: Folder) -> Iterator[tuple[Sheet, Layout]]:
    """The sheets that stand in workbooks of other names, such as one workbook with everything in it."""
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.suffix.casefold() != ".xlsx" or not file.is_file():
            continue
        try:
            for name in with_rows(file):
                sheet = sheet_named(name)
                own = file.stem.casefold()
                if sheet is None or own == sheet.name:
                    continue
                if is_headed(read_grid(file, name, exact=True).heading, sheet):
                    yield sheet, Layout(file.name, name)
        except RefusedError:
            continue  # a file that is no sheet by its name may be anything


def has_own_file(folder: Folder, sheet: Sheet) -> bool:
    """Whether there is a file of the sheet's name, be it one that cannot be read."""
    try:
        return find_file(folder, sheet.name) is not None
    except RefusedError:
        return True
