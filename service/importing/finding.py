"""Which sheets the files are that were sent: by their names, by the names of their worksheets, by their headings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import NamedTuple

from sqlalchemy import select

from matcher.errors import InputError
from matcher.reading.cells import RefusedError
from matcher.reading.files import File, Grid, HeldFolder, headed, read_grid
from matcher.reading.mapping import Layout, tidy
from matcher.reading.mapping_proposal import likely_heading_row
from matcher.reading.sheets import Sheet
from matcher.reading.workbooks import by_default, is_headed, sheet_named, with_rows
from service.database import tables
from service.repository import Repository


class Part(NamedTuple):
    """What is read as one sheet: a CSV file, or one worksheet of a workbook."""

    file: str
    worksheet: str = ""

    def __str__(self) -> str:
        return f"{self.file}, worksheet {self.worksheet}" if self.worksheet else self.file


def found(rows: Repository, files: Mapping[str, bytes]) -> tuple[dict[str, Layout], frozenset[Part]]:
    """The sheets that files are by their names and headings, and the worksheets called like one that are blank.

    Raises InputError for two files of one sheet.
    """
    saved = saved_layouts(rows)
    layouts: dict[str, Layout] = {}
    blank = set()
    for name in files:
        for sheet, layout in _layouts_for(files, name, saved):
            if sheet is None:
                blank.add(Part(name, layout.worksheet))
                continue
            if sheet in layouts:
                both = (Part(one.file, one.worksheet) for one in (layouts[sheet], layout))
                raise InputError(f"{' and '.join(map(str, both))} are both {sheet}. Send the right one.")
            layouts[sheet] = layout
    return layouts, frozenset(blank)


def _layouts_for(
    files: Mapping[str, bytes], file: str, saved: Mapping[str, Layout]
) -> Iterator[tuple[str | None, Layout]]:  # fmt: skip
    there = worksheets_of(files, file)
    for part in _likely_parts(file, there, saved):
        sheet = sheet_named(part.worksheet) or _by_file(part, there)
        try:
            whole = whole_grid(files, part)
        except RefusedError:
            if sheet is not None:  # what is wrong with it is told with the other problems
                yield sheet.name, Layout(file, worksheet_said(there, part, sheet.name))
            continue
        grid = headed(whole, heading_row_of(whole, saved, sheet))
        if not grid.heading and len(there) > 1 and sheet_named(part.worksheet):
            yield None, Layout(file, part.worksheet)
            continue
        if sheet is not None and (not grid.heading or is_headed(grid.heading, sheet)):
            yield sheet.name, Layout(file, worksheet_said(there, part, sheet.name), grid.heading_row)
            continue
        known = saved_for(grid.heading, saved, sheet)
        # What everybody in one file has in common need not be so in the next: a person looks at it once more.
        if known and not saved[known].every_row:
            said = {tidy(text) for text in grid.heading}
            mapped = {heading: column for heading, column in saved[known].columns.items() if tidy(heading) in said}
            worksheet = worksheet_said(there, part, known)
            yield (
                known,
                replace(saved[known], file=file, worksheet=worksheet, heading_row=grid.heading_row, columns=mapped),
            )


def _likely_parts(file: str, there: Sequence[str], saved: Mapping[str, Layout]) -> list[Part]:
    """The parts of a file that are looked into: not each of the hundred worksheets that a workbook may have."""
    before = {layout.worksheet for layout in saved.values()}
    by_file = by_default(there, PurePath(file).stem.casefold())
    return [Part(file, name) for name in there if sheet_named(name) or name in before or name == by_file]


def _by_file(part: Part, there: Sequence[str]) -> Sheet | None:
    """The sheet that a file is called like, if the part is what is read of it."""
    sheet = sheet_named(PurePath(part.file).stem)
    return sheet if sheet and by_default(there, sheet.name) == part.worksheet else None


def worksheet_said(there: Sequence[str], part: Part, sheet: str) -> str:
    """What a layout says of the worksheet: nothing where the file alone says enough."""
    enough = len(there) == 1 or PurePath(part.file).stem.casefold() == sheet
    return "" if enough and by_default(there, sheet) == part.worksheet else part.worksheet


def heading_row_of(whole: Grid, saved: Mapping[str, Layout], sheet: Sheet | None = None) -> int:
    """Where the headings are: where they are those of the sheet, or were confirmed before; else where it is likely."""
    for row in dict.fromkeys((whole.heading_row, *(layout.heading_row for layout in saved.values()))):
        headings = headed(whole, row).heading
        if (sheet and is_headed(headings, sheet)) or saved_for(headings, saved, sheet):
            return row
    return likely_heading_row(whole)


# ---- what was confirmed before ---------------------------------------------------------------------------------------


def saved_for(headings: Iterable[str], saved: Mapping[str, Layout], sheet: Sheet | None = None) -> str | None:
    """The sheet as which a person had a file with such headings read, if there was one."""
    there = {tidy(text) for text in headings}
    for name, layout in saved.items():
        read = {tidy(heading) for heading, column in layout.columns.items() if column}
        if read and read <= there and (sheet is None or sheet.name == name):
            return name
    return None


def saved_layouts(rows: Repository) -> dict[str, Layout]:
    """How people of the authority had each sheet read last."""
    return {
        row.sheet: Layout(**json.loads(rows.open(row, "content") or "{}"))
        for row in rows.session.scalars(select(tables.SavedMapping).order_by(tables.SavedMapping.sheet))
    }


# ---- cells -----------------------------------------------------------------------------------------------------------


def whole_grid(files: Mapping[str, bytes], part: Part) -> Grid:
    """All cells of a part, as if the first row that is not blank were its heading. Raises RefusedError."""
    return read_grid(_held(files, part.file), part.worksheet, exact=bool(part.worksheet))


def worksheets_of(files: Mapping[str, bytes], file: str) -> tuple[str, ...]:
    """The worksheets of a file that may hold rows; "" alone where there are none to choose from."""
    try:
        return with_rows(_held(files, file))
    except RefusedError:
        return ("",)  # what is wrong with it is told where it is read


def _held(files: Mapping[str, bytes], file: str) -> File:
    return next(iter(HeldFolder({file: files[file]}).iterdir()))
