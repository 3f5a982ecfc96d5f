"""Files that somebody looks at before they are taken in: held sealed, never in a plain file, for a day at most.

Each file is one of the sheets. Which one, its name or its headings say; where they do not, a person does, and confirms
how each of its columns is read. That is kept for the authority, and followed when such headings come again; unless it
says what everybody in a file has in common, which is shown and confirmed for each file.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import PurePath

from sqlalchemy import delete, select

from matcher.errors import InputError, NotFoundError
from matcher.readers import Reading, read_files
from matcher.reading.cells import RefusedError
from matcher.reading.files import KINDS, Grid, HeldFolder, find_file, read_grid
from matcher.reading.mapping import Layout, layouts_of, tidy
from matcher.reading.mapping_proposal import KNOWN_WORDS, likeliest, unread_words
from matcher.reading.sheets import PROBLEMS, SHEETS, Column, Sheet
from service import audit_log
from service.database import tables
from service.database.base import utc_now
from service.importing.looking import stamp
from service.repository import Repository

KEPT = timedelta(days=1)
MOST_FILES = 10
_LONGEST_NAME = 120
_EXAMPLES = 3


@dataclass(frozen=True)
class Upload:
    """Files that were sent, and how each sheet is read that was found among them."""

    row: tables.Upload
    files: Mapping[str, bytes]
    layouts: Mapping[str, Layout]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.files)

    def sheet_of(self, file: str) -> str | None:
        return next((sheet for sheet, layout in self.layouts.items() if layout.file == file), None)

    @property
    def unplaced(self) -> tuple[str, ...]:
        """Files of which a person has to say what they hold."""
        return tuple(name for name in self.files if self.sheet_of(name) is None)

    def reading(self, as_of: date) -> Reading:
        return read_files(self.files, as_of, self.layouts, partly=True)

    def stamp(self, rows: Repository, as_of: date) -> str:
        return stamp(rows, self.files, as_of, _layouts_text(self.layouts))

    def grid(self, file: str) -> Grid:
        """The cells of one file. Raises RefusedError if it cannot be read."""
        sheet = self.sheet_of(file)
        layout = self.layouts.get(sheet or "", Layout(file))
        return _grid(self.files, file, sheet or "", layout)


# ---- sent, found, thrown away ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """Files that were looked at so far that they can be kept."""

    content: str
    layouts: str
    files: int


def receive(rows: Repository, files: Mapping[str, bytes]) -> Sent:
    """Finds which sheets files are. Raises InputError for other kinds.

    That reads them, which may take seconds: it is done before anything is written, so that nobody waits to write.
    """
    if not files:
        raise InputError("No file was sent. Choose one or several CSV or XLSX files.")
    if len(files) > MOST_FILES:
        raise InputError(f"{len(files)} files are more than Kith reads at once. Send up to {MOST_FILES}.")
    for name, content in files.items():
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        if PurePath(name).suffix.casefold() not in KINDS:
            raise InputError(f"“{shown}” is neither a CSV nor an XLSX file. Save it as .xlsx or .csv, and send that.")
        if len(name) > _LONGEST_NAME:
            raise InputError(f"“{shown}” has too long a name. Give it a shorter one.")
        if not content:
            raise InputError(f"“{shown}” is empty. Look whether it was saved.")
    layouts = _found(rows, files)
    packed = {name: base64.b64encode(zlib.compress(content, 1)).decode() for name, content in files.items()}
    return Sent(json.dumps(packed), _layouts_text(layouts), len(files))


def hold(rows: Repository, sent: Sent, *, user_id: str) -> tables.Upload:
    """Keeps files for their sender to look at, in place of what they sent before."""
    _forget(rows, tables.Upload.user_id == user_id)
    _forget(rows, tables.Upload.at < utc_now() - KEPT)
    row = tables.Upload(user_id=user_id)
    rows.seal(row, "content", sent.content)
    rows.seal(row, "layouts", sent.layouts)
    rows.session.add(row)
    rows.session.flush()
    entry = audit_log.Entry(user_id, "import: files looked at", row.id, details={"files": sent.files})
    audit_log.record(rows.session, rows.keys, entry)
    return row


def find(rows: Repository, upload_id: str) -> Upload:
    """Anybody's of the authority, so that a manager can confirm what a coordinator sent. Raises NotFoundError."""
    row = rows.session.get(tables.Upload, upload_id)
    if row is None or row.at < utc_now() - KEPT:
        raise NotFoundError("These files are not here any more. Send them again.")
    packed = json.loads(rows.open(row, "content") or "{}")
    files = {name: zlib.decompress(base64.b64decode(content)) for name, content in packed.items()}
    layouts = {sheet: Layout(**one) for sheet, one in json.loads(rows.open(row, "layouts") or "{}").items()}
    return Upload(row, files, layouts)


def waiting(rows: Repository) -> list[tables.Upload]:
    """What was sent and not taken in yet, the last first."""
    query = select(tables.Upload).where(tables.Upload.at >= utc_now() - KEPT).order_by(tables.Upload.at.desc())
    return list(rows.session.scalars(query))


def discard(rows: Repository, upload_id: str) -> None:
    """Deletes an upload: it was taken in, or is not wanted."""
    _forget(rows, tables.Upload.id == upload_id)


def _forget(rows: Repository, which: object) -> None:
    rows.session.execute(delete(tables.Upload).where(which))  # type: ignore[arg-type]


# ---- which sheet, and which columns ----------------------------------------------------------------------------------


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
    """How a file might be read as one of the sheets."""

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


def proposed(rows: Repository, upload: Upload, file: str, sheet_name: str | None) -> Proposed:
    """How a file might be read; as the likeliest of the sheets if none is named.

    Raises NotFoundError for a file or a sheet that is not there, RefusedError for a file that cannot be read.
    """
    if file not in upload.files:
        raise NotFoundError("There is no such file among those that were sent.")
    grid = upload.grid(file)
    saved = _saved(rows)
    wanted = sheet_name or upload.sheet_of(file) or _saved_for(grid.heading, saved) or _likeliest_sheet(grid)
    sheet = next((one for one in SHEETS if one.name == wanted), None)
    if sheet is None:
        raise NotFoundError("There is no such sheet.")
    own = upload.layouts.get(sheet.name)
    known = own if own is not None and own.file == file else saved.get(sheet.name, Layout(file))
    before = {text: known.ours(text) for text in grid.heading if tidy(text) in {tidy(one) for one in known.columns}}
    taken = set(before.values())
    guessed = {text: column for text, column in likeliest(sheet, grid.heading).items() if column not in taken}
    return Proposed(grid, sheet, {**guessed, **before}, known)


def confirm(
    rows: Repository, upload: Upload, file: str, sheet: str, *, columns: Mapping[str, str],
    words: Mapping[str, Mapping[str, str]], every_row: Mapping[str, str], user_id: str,
) -> None:  # fmt: skip
    """Reads a file as a person says, now and whenever its headings come again.

    Raises InputError for what cannot be followed: two headings for one column, a word that ours does not know.
    """
    other = upload.layouts.get(sheet)
    if other is not None and other.file != file:
        raise InputError(f"{other.file} holds the {sheet} already. Choose what else {file} holds, or start again.")
    for column in {one for one in columns.values() if one}:
        both = [heading for heading, one in columns.items() if one == column]
        if len(both) > 1:
            raise InputError(f"{' and '.join(both)} cannot both be {column.replace('_', ' ')}. Choose one of them.")
    said = {
        "confirmed": True, "file": file, "columns": dict(columns),
        "values": {column: dict(one) for column, one in words.items() if one}, "every_row": dict(every_row),
    }  # fmt: skip
    layout = layouts_of({sheet: said}, file)[sheet]
    earlier = upload.sheet_of(file)
    layouts = {name: one for name, one in upload.layouts.items() if name != earlier} | {sheet: layout}
    rows.seal(upload.row, "layouts", _layouts_text(layouts))
    rows.session.flush()
    saved = rows.session.scalar(select(tables.SavedMapping).where(tables.SavedMapping.sheet == sheet))
    saved = saved or tables.SavedMapping(sheet=sheet, user_id=user_id)
    saved.user_id, saved.at = user_id, utc_now()
    rows.seal(saved, "content", json.dumps(asdict(replace(layout, file=sheet))))
    rows.session.add(saved)
    rows.session.flush()
    details = {"sheet": sheet, "columns": sum(bool(one) for one in columns.values())}
    audit_log.record(rows.session, rows.keys, audit_log.Entry(user_id, "import: columns", saved.id, details=details))


def _found(rows: Repository, files: Mapping[str, bytes]) -> dict[str, Layout]:
    """The sheets that files are by their names and headings. Raises InputError for two files of one sheet."""
    saved = _saved(rows)
    found: dict[str, Layout] = {}
    for name in files:
        for sheet, layout in _layouts_for(files, name, saved):
            if sheet in found:
                raise InputError(f"{found[sheet].file} and {name} are both {sheet}. Send the right one.")
            found[sheet] = layout
    return found


def _layouts_for(
    files: Mapping[str, bytes], file: str, saved: Mapping[str, Layout]
) -> Iterator[tuple[str, Layout]]:  # fmt: skip
    stem = PurePath(file).stem.casefold()
    sheet = next((one for one in SHEETS if one.name == stem), None)
    try:
        there = {tidy(text) for text in _grid(files, file, sheet.name if sheet else "", Layout(file)).heading}
    except RefusedError:
        there = set()  # what is wrong with it is told with the other problems, or beside its columns
    if sheet is not None and (not there or {one.name for one in sheet.columns if one.required} <= there):
        yield sheet.name, Layout(file)
        return
    known = _saved_for(there, saved, sheet)
    # What everybody in one file has in common need not be so in the next: a person looks at it once more.
    if known and not saved[known].every_row:
        mapped = {heading: column for heading, column in saved[known].columns.items() if tidy(heading) in there}
        yield known, replace(saved[known], file=file, columns=mapped)


def _saved_for(headings: Iterable[str], saved: Mapping[str, Layout], sheet: Sheet | None = None) -> str | None:
    """The sheet as which a person had a file with such headings read, if there was one."""
    there = {tidy(text) for text in headings}
    for name, layout in saved.items():
        read = {tidy(heading) for heading, column in layout.columns.items() if column}
        if read and read <= there and (sheet is None or sheet.name == name):
            return name
    return None


def _likeliest_sheet(grid: Grid) -> str:
    def likeness(sheet: Sheet) -> tuple[bool, int]:
        found = set(likeliest(sheet, grid.heading).values())
        return {one.name for one in sheet.columns if one.required} <= found, len(found)

    return max(SHEETS, key=likeness).name


def _grid(files: Mapping[str, bytes], file: str, sheet: str, layout: Layout) -> Grid:
    there = find_file(HeldFolder({file: files[file]}), file)
    assert there is not None
    return read_grid(there, layout.worksheet or sheet, exact=bool(layout.worksheet), heading_row=layout.heading_row)


def _saved(rows: Repository) -> dict[str, Layout]:
    return {
        row.sheet: Layout(**json.loads(rows.open(row, "content") or "{}"))
        for row in rows.session.scalars(select(tables.SavedMapping).order_by(tables.SavedMapping.sheet))
    }


def _layouts_text(layouts: Mapping[str, Layout]) -> str:
    return json.dumps({sheet: asdict(layout) for sheet, layout in sorted(layouts.items())})
