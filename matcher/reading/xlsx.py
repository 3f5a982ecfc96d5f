"""XLSX to rows of text. A workbook is a zip of XML parts, and each of its promises can be a lie.

So nothing is believed: of the parts that are needed each is unpacked up to a limit, looked through for cells beyond
the limits, and packed again; the parser is handed that copy and never sees the file. It would otherwise make room
for all cells up to the last one (a lone one in XFD1048576 is a million rows), repeat a long text in a million cells,
and take an error such as #REF! for a blank.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO
from xml.parsers import expat

from matcher.reading.cells import RefusedError

MOST_ROWS = 200_000
MOST_COLUMNS = 250
MOST_UNPACKED = 40_000_000
"""Bytes of the parts that are read, unpacked."""
MOST_PARTS = 2_000
MOST_OF_A_LIST = 2_000_000
"""Bytes of a part that lists other parts."""
MOST_ELEMENTS = 2_500_000
"""Of a worksheet and its texts: two or three make a cell."""
MOST_CELLS = 1_000_000
MOST_ROOM = 3_000_000
"""Cells in the rectangle from A1 to the last one that is filled."""
MOST_LETTERS_TOGETHER = 15_000_000
"""Of all cells, a text counted as often as it is shown."""

_AGAIN = "Open it in Excel and save it as an Excel workbook (.xlsx)"
_TOO_LARGE = "Copy the rows that count into a new workbook, or save them as CSV"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_REFERENCE = re.compile("([A-Z]{1,9})([0-9]{1,9})")

# The new workbook around the one worksheet that is read.
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_BOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{office}">'
    '<workbookPr date1904="{from_1904}"/><sheets><sheet name="rows" sheetId="1" r:id="worksheet"/></sheets></workbook>'
)
_BOOK_PARTS = {"worksheet": "sheet.xml", "sharedStrings": "sharedStrings.xml", "styles": "styles.xml"}

Errors = dict[tuple[int, int], str]
Start = Callable[[str, dict[str, str]], None]
Text = Callable[[str], None]


def workbook_rows(content: bytes, worksheet: str, *, exact: bool = False) -> Iterator[Sequence[str]]:
    """The rows of one worksheet from row 1 on, as text.

    `worksheet` is read if there is one of this name in any capitals; otherwise the first visible, unless `exact`.
    Raises RefusedError if the workbook cannot or should not be read.
    """
    from python_calamine import CalamineError, load_workbook

    copy, errors = _harmless_copy(_Parts(content), worksheet, exact)
    try:
        for number, row in enumerate(load_workbook(copy).get_sheet_by_index(0).iter_rows(), start=1):
            yield [errors.get((number, at)) or _as_text(value) for at, value in enumerate(row, start=1)]
    except (CalamineError, ValueError, OSError, OverflowError):
        raise _damaged() from None


def worksheet_names(content: bytes, *, hidden: bool = False) -> tuple[str, ...]:
    """The names of the worksheets that are shown, or of the others, as their tabs stand. Raises RefusedError."""
    parts = _Parts(content)
    book, xml = _book(parts)
    every = _worksheets(_attributes(xml, "sheet"), parts.related(book, "worksheet"))
    return tuple(name for name, _, visible in every if visible is not hidden)


def _book(parts: _Parts) -> tuple[str, bytes]:
    """The part that lists the worksheets: its name, and what it says."""
    book = next(iter(parts.related("", "officeDocument").values()), "xl/workbook.xml")
    return book, parts.read(book, MOST_OF_A_LIST)


def _harmless_copy(parts: _Parts, worksheet: str, exact: bool) -> tuple[BytesIO, Errors]:
    """A new workbook around one worksheet that was looked through, and the errors in it by row and column from 1."""
    book, xml = _book(parts)
    sheet = parts.read(_choose(_attributes(xml, "sheet"), parts.related(book, "worksheet"), worksheet, exact))
    texts, styles = (
        next((parts.read(part) for part in parts.related(book, kind).values()), b"")
        for kind in ("sharedStrings", "styles")
    )
    errors = _Look(sheet, texts).errors
    from_1904 = any(attributes.get("date1904") in ("1", "true") for attributes in _attributes(xml, "workbookPr"))
    copy = BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("_rels/.rels", _relations({"officeDocument": "xl/workbook.xml"}))
        packed.writestr("xl/workbook.xml", _BOOK.format(office=_OFFICE, from_1904=int(from_1904)))
        packed.writestr("xl/_rels/workbook.xml.rels", _relations(_BOOK_PARTS))
        packed.writestr("xl/sheet.xml", sheet)
        packed.writestr("xl/sharedStrings.xml", texts or "<sst/>")
        packed.writestr("xl/styles.xml", styles or "<styleSheet/>")
    copy.seek(0)
    return copy, errors


def _relations(targets: Mapping[str, str]) -> str:
    lines = (
        f'<Relationship Id="{kind}" Type="{_OFFICE}/{kind}" Target="{target}"/>' for kind, target in targets.items()
    )
    xmlns = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{xmlns}">{"".join(lines)}</Relationships>'


class _Parts:
    """The parts of a workbook, unpacked one at a time and never more than the limit together."""

    def __init__(self, content: bytes) -> None:
        if content.startswith(_OLE):
            if "EncryptedPackage".encode("utf-16-le") in content:
                raise _locked()
            raise RefusedError("it is a workbook of before 2007 under another name", _AGAIN)
        if not content.startswith(b"PK\x03\x04"):
            raise RefusedError("it is not an Excel workbook", f"{_AGAIN}, or name it .csv if it is text")
        if content.count(b"PK\x01\x02") > MOST_PARTS:
            raise _too_many_parts()
        try:
            self._zip = zipfile.ZipFile(BytesIO(content))
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            raise _damaged() from None
        self._names = {name.casefold(): name for name in self._zip.namelist()}
        self._left = MOST_UNPACKED
        self._seen: dict[str, bytes] = {}
        if not any(name.startswith("xl/") for name in self._names):
            raise RefusedError("it is not an Excel workbook", _AGAIN)

    def read(self, name: str, most: int = MOST_UNPACKED) -> bytes:
        """A part, unpacked, of at most so many bytes."""
        inside = self._names.get(name.casefold())
        if inside is None:
            raise _damaged()
        if inside not in self._seen:
            room = min(most, self._left)
            content = self._unpack(self._zip.getinfo(inside), room)
            if len(content) > room:
                raise RefusedError(f"it unpacks to more than {most // 1_000_000} MB", _TOO_LARGE)
            self._left -= len(content)
            self._seen[inside] = content
        return self._seen[inside]

    def related(self, part: str, kind: str) -> dict[str, str]:
        """The parts of a kind that a part refers to, by id; "" is the workbook file itself."""
        folder, name = posixpath.split(part)
        return {
            relation.get("Id", ""): posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "")))[1:]
            for relation in _attributes(
                self.read(f"{folder}/_rels/{name}.rels".lstrip("/"), MOST_OF_A_LIST), "Relationship"
            )
            if relation.get("Type", "").endswith(f"/{kind}")
        }

    def _unpack(self, entry: zipfile.ZipInfo, room: int) -> bytes:
        """At most one byte more than there is room for."""
        if entry.flag_bits & 1:
            raise _locked()
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RefusedError("it is packed as no workbook is", _AGAIN)
        try:
            with self._zip.open(entry) as part:  # unpacks as it is read, whatever size the entry claims
                content = part.read(room + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError):
            raise _damaged() from None
        if b"<!DOCTYPE" in content or b"\0" in content:
            raise RefusedError("it is written as no spreadsheet program does", _AGAIN)
        return content


def _choose(sheets: Sequence[Mapping[str, str]], parts: Mapping[str, str], worksheet: str, exact: bool) -> str:
    """The part of the worksheet that is meant."""
    found = list(_worksheets(sheets, parts))
    named = [part for name, part, _ in found if name.casefold() == worksheet.casefold()]
    visible = [part for _, part, shown in found if shown]
    if exact and not named:
        raise RefusedError(f"it has no worksheet “{worksheet}”", "Correct the worksheet's name in the mapping")
    if not (named or visible):
        raise RefusedError("it has no worksheet to be seen", "Unhide the worksheet that holds the rows")
    return (named or visible)[0]


def _worksheets(
    sheets: Sequence[Mapping[str, str]], parts: Mapping[str, str]
) -> Iterator[tuple[str, str, bool]]:  # fmt: skip
    """Name, part and whether it is shown, of each worksheet in the order of the tabs."""
    for sheet in sheets:  # charts and the like have another kind of part
        part = next((parts[id] for key, id in sheet.items() if _local(key) == "id" and id in parts), None)
        if part is not None:
            yield sheet.get("name", ""), part, sheet.get("state", "visible") == "visible"


def _attributes(xml: bytes, tag: str) -> list[dict[str, str]]:
    """The attributes of each element that goes by this tag."""
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == tag:
            found.append(attributes)
        if len(found) > MOST_PARTS:
            raise _too_many_parts()

    _parse(xml, start)
    return found


class _Look:
    """One pass over the cells of a worksheet, before the parser makes room for them.

    Raises RefusedError where that would be much. `errors` are the cells that hold one, by row and column from 1.
    """

    def __init__(self, sheet: bytes, texts: bytes) -> None:
        self.errors: Errors = {}
        self._lengths: list[int] = []
        self._letters = self._elements = self._cells = 0
        self._row, self._column = 0, 0
        self._last_row, self._last_column = 0, 0
        self._place, self._kind, self._in_value = (0, 0), "", False
        _parse(texts, self._start_text, self._text)
        _parse(sheet, self._start_cell, self._value, self._comment)

    def _count(self) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise RefusedError(f"it has more than {MOST_ELEMENTS:,} elements", _TOO_LARGE)

    def _start_text(self, tag: str, _: dict[str, str]) -> None:
        self._count()
        if _local(tag) == "si":
            self._lengths.append(0)

    def _text(self, text: str) -> None:
        if self._lengths:
            self._lengths[-1] += len(text)

    def _start_cell(self, tag: str, attributes: dict[str, str]) -> None:
        self._count()
        match _local(tag):
            case "row":  # without a reference it is the next one; so it is with cells
                self._row = int(attributes.get("r", self._row + 1))
                self._column = 0
                if self._row > MOST_ROWS + 1:
                    raise _beyond(f"row {self._row:,}")
            case "c":
                self._cells += 1
                if self._cells > MOST_CELLS:
                    raise RefusedError(f"it has more than {MOST_CELLS:,} cells", _TOO_LARGE)
                self._kind = attributes.get("t", "")
                row, self._column = _position(attributes["r"]) if "r" in attributes else (self._row, self._column + 1)
                if row > MOST_ROWS + 1 or self._column > MOST_COLUMNS:
                    raise _beyond(attributes.get("r", f"column {self._column} of row {row}"))
                self._place = row, self._column
                self._last_row, self._last_column = max(self._last_row, row), max(self._last_column, self._column)
                if self._last_row * self._last_column > MOST_ROOM:
                    raise RefusedError(f"it has room for more than {MOST_ROOM:,} cells", _TOO_LARGE)
            case part:
                self._in_value = part == "v"

    def _value(self, text: str) -> None:
        if self._in_value and self._kind == "e":
            self.errors[self._place] = text.strip()
        elif self._in_value and self._kind == "s" and text.strip():
            self._letters += self._lengths[_number(text.strip())]
            if self._letters > MOST_LETTERS_TOGETHER:
                what = f"its cells hold more than {MOST_LETTERS_TOGETHER:,} letters together"
                raise RefusedError(what, _TOO_LARGE)

    def _comment(self, _: str) -> None:
        if self._in_value:  # where the parser might take one number and we another
            raise _damaged()


def _parse(xml: bytes, start: Start, text: Text | None = None, comment: Text | None = None) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler, parser.CommentHandler = start, text, comment
    try:
        if xml:
            parser.Parse(xml, True)
    except (expat.ExpatError, ValueError, IndexError):
        raise _damaged() from None


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _position(reference: str) -> tuple[int, int]:
    """(3, 28) for AB3: row and column from 1."""
    found = _REFERENCE.fullmatch(reference)
    if not found:
        raise _damaged()
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - 64
    return int(found[2]), column


def _number(text: str) -> int:
    if not (text.isdecimal() and len(text) < 10):
        raise _damaged()
    return int(text)


def _beyond(place: str) -> RefusedError:
    return RefusedError(f"it has a cell in {place}, beyond {MOST_ROWS:,} rows and {MOST_COLUMNS} columns", _TOO_LARGE)


def _damaged() -> RefusedError:
    return RefusedError("it is a damaged workbook", _AGAIN)


def _locked() -> RefusedError:
    return RefusedError("it is locked with a password", "Save it without one (File, Info, Protect Workbook)")


def _too_many_parts() -> RefusedError:
    return RefusedError(f"it has more than {MOST_PARTS:,} parts", _TOO_LARGE)


def _as_text(value: object) -> str:
    """A cell as a person in the United Kingdom would write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.15g}"  # as many digits as Excel holds; 12.0 is 12
    if isinstance(value, datetime):
        return f"{value:%d/%m/%Y %H:%M}".removesuffix(" 00:00")
    if isinstance(value, date):
        return f"{value:%d/%m/%Y}"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        return f"{minutes // 60}:{minutes % 60:02}"
    return str(value)
