"""Files that somebody looks at before they are taken in: held sealed, never in a plain file, for a day at most.

Each file is one of the sheets, or has a worksheet for each. Which one, its name or its headings say; where they do not,
a person does, and confirms how each of its columns is read (`columns`). That is kept for the authority, and followed
when such headings come again; unless it says what everybody in a file has in common, which is shown and confirmed for
each file.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import PurePath

from sqlalchemy import delete, select

from matcher.errors import InputError, NotFoundError
from matcher.readers import Reading, Stood, nothing_stood, read_files
from matcher.reading.files import KINDS
from matcher.reading.mapping import Layout
from matcher.reading.workbooks import by_default, sheet_named
from service import audit_log
from service.database import tables
from service.database.base import utc_now
from service.importing.finding import Part, found, worksheets_of
from service.importing.looking import stamp
from service.repository import Repository

KEPT = timedelta(days=1)
MOST_FILES = 10
_LONGEST_NAME = 120
_LEFT_OUT = "left out"
"""Beside the sheets, where it is kept how they are read."""


@dataclass(frozen=True)
class Upload:
    """Files that were sent, and how each sheet is read that was found among them."""

    row: tables.Upload
    files: Mapping[str, bytes]
    layouts: Mapping[str, Layout]
    left_out: frozenset[Part]
    """What holds nothing that Kith reads: a person said so, or it is blank."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.files)

    @cached_property
    def worksheets(self) -> Mapping[str, tuple[str, ...]]:
        """Of each file, the worksheets that may hold rows; "" alone where there are none to choose from."""
        return {name: worksheets_of(self.files, name) for name in self.files}

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(Part(file, one) for file, worksheets in self.worksheets.items() for one in worksheets)

    def sheet_of(self, part: Part) -> str | None:
        return next((sheet for sheet, layout in self.layouts.items() if self.part_of(sheet, layout) == part), None)

    def part_of(self, sheet: str, layout: Layout) -> Part:
        """What a layout reads."""
        there = self.worksheets.get(layout.file, ())
        return Part(layout.file, layout.worksheet or by_default(there, sheet))

    @property
    def unplaced(self) -> tuple[Part, ...]:
        """Of which a person has to say what they hold: whatever is called like a sheet, and of each file something."""
        known = self.left_out | {self.part_of(sheet, layout) for sheet, layout in self.layouts.items()}
        waiting = []
        for file, worksheets in self.worksheets.items():
            rest = [one for one in (Part(file, name) for name in worksheets) if one not in known]
            asked = [one for one in rest if sheet_named(one.worksheet)]
            waiting += asked or (rest[:1] if len(rest) == len(worksheets) else [])
        return tuple(waiting)

    @property
    def unread(self) -> tuple[Part, ...]:
        """Of which nothing is taken in, whoever said so."""
        return tuple(part for part in self.parts if self.sheet_of(part) is None)

    def reading(self, as_of: date, stood: Stood = nothing_stood) -> Reading:
        return read_files(self.files, as_of, self.layouts, partly=True, stood=stood)

    def stamp(self, rows: Repository, as_of: date) -> str:
        return stamp(rows, self.files, as_of, _layouts_text(self.layouts))


# ---- sent, found, thrown away ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sent:
    """Files that were looked at so far that they can be kept."""

    content: str
    layouts: str
    files: int


def refuse_many(files: int) -> None:
    """Raises InputError for more files than are read at once."""
    if files > MOST_FILES:
        raise InputError(f"{files} files are more than Kith reads at once. Send up to {MOST_FILES}.")


def by_name(sent: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Files by their names, without the folder that some browsers send. Raises InputError where two go by one."""
    contents: dict[str, bytes] = {}
    for path, content in sent:
        name = PurePath(path.replace("\\", "/")).name
        if name in contents:
            raise InputError("Two files go by the same name. Send the right one.")
        contents[name] = content
    return contents


def receive(rows: Repository, files: Mapping[str, bytes]) -> Sent:
    """Finds which sheets files are. Raises InputError for other kinds.

    That reads them, which may take seconds: it is done before anything is written, so that nobody waits to write.
    """
    if not files:
        raise InputError("No file was sent. Choose one or several CSV or XLSX files.")
    refuse_many(len(files))
    for name, content in files.items():
        shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        if PurePath(name).suffix.casefold() not in KINDS:
            raise InputError(f"“{shown}” is neither a CSV nor an XLSX file. Save it as .xlsx or .csv, and send that.")
        if len(name) > _LONGEST_NAME:
            raise InputError(f"“{shown}” has too long a name. Give it a shorter one.")
        if not content:
            raise InputError(f"“{shown}” is empty. Look whether it was saved.")
    layouts, blank = found(rows, files)
    packed = {name: base64.b64encode(zlib.compress(content, 1)).decode() for name, content in files.items()}
    return Sent(json.dumps(packed), _layouts_text(layouts, blank), len(files))


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
    kept = json.loads(rows.open(row, "layouts") or "{}")
    left_out = frozenset(Part(*one) for one in kept.pop(_LEFT_OUT, ()))
    return Upload(row, files, {sheet: Layout(**one) for sheet, one in kept.items()}, left_out)


def waiting(rows: Repository) -> list[tables.Upload]:
    """What was sent and not taken in yet, the last first."""
    query = select(tables.Upload).where(tables.Upload.at >= utc_now() - KEPT).order_by(tables.Upload.at.desc())
    return list(rows.session.scalars(query))


def discard(rows: Repository, upload_id: str) -> None:
    """Deletes an upload that was taken in."""
    _forget(rows, tables.Upload.id == upload_id)


def throw_away(rows: Repository, upload: Upload, *, user_id: str) -> None:
    """Deletes an upload that is not wanted."""
    _forget(rows, tables.Upload.id == upload.row.id)
    entry = audit_log.Entry(user_id, "import: files thrown away", upload.row.id, details={"sender": upload.row.user_id})
    audit_log.record(rows.session, rows.keys, entry)


def _forget(rows: Repository, which: object) -> None:
    rows.session.execute(delete(tables.Upload).where(which))  # type: ignore[arg-type]


def keep_layouts(rows: Repository, row: tables.Upload, layouts: Mapping[str, Layout], left_out: Iterable[Part]) -> None:
    """Reads an upload another way from now on."""
    rows.seal(row, "layouts", _layouts_text(layouts, left_out))
    rows.session.flush()


def _layouts_text(layouts: Mapping[str, Layout], left_out: Iterable[Part] = ()) -> str:
    told: dict[str, object] = {sheet: asdict(layout) for sheet, layout in sorted(layouts.items())}
    return json.dumps(told | ({_LEFT_OUT: sorted(left_out)} if left_out else {}))
