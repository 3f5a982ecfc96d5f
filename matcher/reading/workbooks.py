"""Which of our sheets a workbook holds: a worksheet named like a sheet and headed like it is that sheet."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

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


def passed_over(file: File) -> Iterator[tuple[str, bool]]:
    """The worksheets of a workbook that bear no sheet's name, or are hidden: each with whether it is hidden."""
    try:
        shown, hidden = with_rows(file), worksheets(file, hidden=True)
    except RefusedError:
        return
    yield from ((name, False) for name in shown if name and sheet_named(name) is None)
    yield from ((name, True) for name in hidden)


def by_default(names: Collection[str], sheet: str) -> str:
    """The worksheet that is read as a sheet where nobody says which: the one named like it, else the first."""
    return next((name for name in names if name.casefold() == sheet), next(iter(names), ""))


def is_headed(headings: Collection[str], sheet: Sheet) -> bool:
    """Whether every column that a sheet cannot do without is among the headings."""
    return {column.name for column in sheet.columns if column.required} <= {tidy(text) for text in headings}


class Standing(NamedTuple):
    """A worksheet that is named like a sheet, in a workbook that is not."""

    sheet: Sheet
    layout: Layout
    meant: bool
    """Whether it is that sheet, well or badly headed; otherwise it bears the name alone, as far as can be told."""


def standing_in(folder: Folder) -> Iterator[Standing]:
    """The worksheets that are named like sheets, such as those of one workbook with everything in it."""
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.suffix.casefold() == ".xlsx" and file.is_file():
            try:
                names = with_rows(file)
            except RefusedError:
                continue  # a file that is no sheet by its name may be anything
            yield from _standing(file, names)


def _standing(file: File, names: Collection[str]) -> Iterator[Standing]:
    own = sheet_named(file.stem)
    looked = [
        (sheet, Layout(file.name, name), _looks(file, name, sheet))
        for name in names
        if (sheet := sheet_named(name)) is not None and sheet is not own
    ]
    # Beside a sheet that is there, what is called like another one is that, and what is wrong with it has to be told.
    ours = own is None and any(looks == _HEADED for _, _, looks in looked)
    for sheet, layout, looks in looked:
        if looks != _BLANK:
            yield Standing(sheet, layout, meant=ours or looks in (_HEADED, _UNREADABLE))


_HEADED, _OTHERWISE, _BLANK, _UNREADABLE = range(4)


def _looks(file: File, name: str, sheet: Sheet) -> int:
    try:
        heading = read_grid(file, name, exact=True).heading
    except RefusedError:
        return _UNREADABLE
    return _BLANK if not heading else _HEADED if is_headed(heading, sheet) else _OTHERWISE


def has_own_file(folder: Folder, sheet: Sheet) -> bool:
    """Whether there is a file of the sheet's name, be it one that cannot be read."""
    try:
        return find_file(folder, sheet.name) is not None
    except RefusedError:
        return True
