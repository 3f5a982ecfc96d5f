"""How the columns of a file are read: proposed, confirmed by a person, and kept for when such headings come again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from sqlalchemy import select

from matcher.errors import InputError, NotFoundError
from matcher.reading.files import Grid, headed
from matcher.reading.mapping import Layout, layouts_of, tidy
from matcher.reading.mapping_proposal import KNOWN_WORDS, likeliest, unread_words
from matcher.reading.sheets import PROBLEMS, SHEETS, Column, Sheet
from matcher.reading.workbooks import sheet_named
from matcher.words import spoken
from service import audit_log
from service.database import tables
from service.database.base import utc_now
from service.importing.finding import Part, heading_row_of, saved_for, saved_layouts, whole_grid, worksheet_said
from service.importing.uploads import Upload, keep_layouts
from service.repository import Repository

_EXAMPLES = 3
_ROWS_TO_CHOOSE = 12


@dataclass(frozen=True)
class Heading:
    """One column of a file, what it seems to be, and what stands in it: for a person to confirm."""

    text: str
    examples: tuple[str, ...]
    column: str
    """Our column, proposed or confirmed before; "" if it is not read."""
    confirmed: bool
    """Whether nobody has to look: it is called as ours, or a person confirmed it before."""


@dataclass(frozen=True)
class Words:
    """Words in a column that Kith does not know, with what each means where that is known."""

    column: Column
    words: Mapping[str, str]


@dataclass(frozen=True)
class Proposed:
    """How a part might be read as one of the sheets."""

    part: Part
    top: tuple[tuple[int, tuple[str, ...]], ...]
    """Its first rows that are not blank, with their numbers: one of them has the headings."""
    grid: Grid
    sheet: Sheet
    columns: Mapping[str, str]
    """Our column by heading."""
    known: Layout
    """What a person confirmed before, or nothing."""

    @cached_property
    def headings(self) -> tuple[Heading, ...]:
        names = {column.name for column in self.sheet.columns}
        confirmed = {tidy(heading) for heading in self.known.columns}
        return tuple(
            Heading(text, self._examples(place), self.columns.get(text, ""),
                    tidy(text) in names or tidy(text) in confirmed)
            for place, text in enumerate(self.grid.heading)
            if text.strip() and tidy(text) != PROBLEMS
        )  # fmt: skip

    @cached_property
    def words(self) -> tuple[Words, ...]:
        found = []
        for place, text in enumerate(self.grid.heading):
            column = next((one for one in self.sheet.columns if one.name == self.columns.get(text)), None)
            unread = unread_words(column, self.grid, place) if column is not None and column.options else []
            if column is not None and unread:
                before = {**KNOWN_WORDS.get(column.name, {}), **self.known.values.get(column.name, {})}
                found.append(
                    Words(column, {word: before.get(word, before.get(word.casefold(), "")) for word in unread})
                )
        return tuple(found)

    def _examples(self, place: int) -> tuple[str, ...]:
        cells = (row[place].strip() for _, row in self.grid.rows if place < len(row))
        different: dict[str, None] = {}
        for cell in cells:
            if cell:
                different.setdefault(cell if len(cell) <= 40 else f"{cell[:39]}…")
            if len(different) == _EXAMPLES:
                break
        return tuple(different)


def proposed(
    rows: Repository, upload: Upload, part: Part, sheet_name: str | None = None, heading_row: int | None = None
) -> Proposed:
    """How a part might be read; as the likeliest of the sheets, with its headings in the likeliest row, if not said.

    Raises NotFoundError for a part or a sheet that is not there, RefusedError for a file that cannot be read.
    """
    if part not in upload.parts:
        raise NotFoundError("There is no such file among those that were sent.")
    whole = whole_grid(upload.files, part)
    saved, now = saved_layouts(rows), upload.sheet_of(part)
    if heading_row is None:
        heading_row = upload.layouts[now].heading_row if now else heading_row_of(whole, saved)
    grid = headed(whole, heading_row)
    wanted = sheet_name or now or saved_for(grid.heading, saved) or _named(part) or _likeliest_sheet(grid)
    sheet = next((one for one in SHEETS if one.name == wanted), None)
    if sheet is None:
        raise NotFoundError("There is no such sheet.")
    known = upload.layouts[sheet.name] if now == sheet.name else saved.get(sheet.name, Layout(part.file))
    before = {text: known.ours(text) for text in grid.heading if tidy(text) in {tidy(one) for one in known.columns}}
    taken = set(before.values())
    guessed = {text: column for text, column in likeliest(sheet, grid.heading).items() if column not in taken}
    top = ((whole.heading_row, whole.heading), *whole.rows)[:_ROWS_TO_CHOOSE]
    return Proposed(part, top, grid, sheet, {**guessed, **before}, known)


def confirm(
    rows: Repository, upload: Upload, part: Part, sheet: str, *, heading_row: int, columns: Mapping[str, str],
    words: Mapping[str, Mapping[str, str]], every_row: Mapping[str, str], user_id: str,
) -> None:  # fmt: skip
    """Reads a part as a person says, now and whenever its headings come again.

    Raises InputError for what cannot be followed: two headings for one column, a word that ours does not know.
    """
    other = upload.layouts.get(sheet)
    if other is not None and upload.part_of(sheet, other) != part:
        there = upload.part_of(sheet, other)
        raise InputError(f"{there} holds the {sheet} already. Choose what else {part} holds, or start again.")
    for column in {one for one in columns.values() if one}:
        both = [heading for heading, one in columns.items() if one == column]
        if len(both) > 1:
            raise InputError(f"{' and '.join(both)} cannot both be {spoken(column)}. Choose one of them.")
    said = {
        "confirmed": True, "file": part.file, "heading_row": heading_row, "columns": dict(columns),
        "values": {column: dict(one) for column, one in words.items() if one}, "every_row": dict(every_row),
    }  # fmt: skip
    layout = replace(
        layouts_of({sheet: said}, part.file)[sheet], worksheet=worksheet_said(upload.worksheets[part.file], part, sheet)
    )
    earlier = upload.sheet_of(part)
    layouts = {name: one for name, one in upload.layouts.items() if name != earlier} | {sheet: layout}
    keep_layouts(rows, upload.row, layouts, upload.left_out - {part})
    saved = rows.session.scalar(select(tables.SavedMapping).where(tables.SavedMapping.sheet == sheet))
    saved = saved or tables.SavedMapping(sheet=sheet, user_id=user_id)
    saved.user_id, saved.at = user_id, utc_now()
    rows.seal(saved, "content", json.dumps(asdict(replace(layout, file=sheet))))
    rows.session.add(saved)
    rows.session.flush()
    details = {"sheet": sheet, "columns": sum(bool(one) for one in columns.values())}
    audit_log.record(rows.session, rows.keys, audit_log.Entry(user_id, "import: columns", saved.id, details=details))


def leave_out(rows: Repository, upload: Upload, part: Part, *, user_id: str) -> None:
    """Reads nothing from a part. It stands on the page as not read, and can be read after all."""
    earlier = upload.sheet_of(part)
    layouts = {name: one for name, one in upload.layouts.items() if name != earlier}
    keep_layouts(rows, upload.row, layouts, upload.left_out | {part})
    entry = audit_log.Entry(user_id, "import: part left out", upload.row.id)
    audit_log.record(rows.session, rows.keys, entry)


def _named(part: Part) -> str | None:
    """The sheet that a worksheet is called like."""
    sheet = sheet_named(part.worksheet)
    return sheet.name if sheet else None


def _likeliest_sheet(grid: Grid) -> str:
    def likeness(sheet: Sheet) -> tuple[bool, int]:
        found = set(likeliest(sheet, grid.heading).values())
        return {one.name for one in sheet.columns if one.required} <= found, len(found)

    return max(SHEETS, key=likeness).name
