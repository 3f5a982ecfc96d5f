"""Workbooks that a person opens: text, numbers and dates in tables with a frozen heading and a filter.

Nothing in them is ever a formula or a link, the same content gives the same bytes, and no temporary file is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from io import BytesIO
from typing import TYPE_CHECKING, Any

from matcher.reading.cells import harmless

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

Value = str | int | float | date | None

TEXT, DATE, WHOLE, MILES, POUNDS = "@", "dd/mm/yyyy", "#,##0", "0.0", "£#,##0.00"
"""Number formats."""

MOST_LETTERS = 32_767
"""Of one cell; Excel holds no more."""


@dataclass(frozen=True)
class Field:
    """One column of a table: its heading, its width in letters, and its number format."""

    heading: str
    width: int = 12
    shows: str = TEXT
    note: str = ""
    """Told when the pointer rests on the heading."""


class Book:
    """A workbook in the making. `made` is the date that it bears: never the clock's, so that bytes repeat."""

    def __init__(self, made: date) -> None:
        from xlsxwriter import Workbook

        self._bytes = BytesIO()
        options = {
            "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
        }  # fmt: skip
        self.book = Workbook(self._bytes, options)
        self.book.set_properties({"created": datetime.combine(made, time(), UTC)})
        self._formats: dict[tuple[tuple[str, Any], ...], Format] = {}

    def format(self, **properties: Any) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format({"valign": "top", **properties})
        return self._formats[key]

    def table(self, name: str, fields: Sequence[Field], rows: Iterable[Sequence[Value]] = ()) -> Worksheet:
        """A worksheet with a heading, which stays in sight, and rows below it, which can be filtered."""
        sheet = self.book.add_worksheet(name)
        for column, field in enumerate(fields):
            wraps = {"text_wrap": True} if field.width > 40 else {}
            sheet.set_column(column, column, field.width, self.format(num_format=field.shows, **wraps))
            self.write(sheet, 0, column, field.heading, bold=True, bg_color="#D9E6F2", text_wrap=True)
            if field.note:
                sheet.write_comment(0, column, field.note, {"x_scale": 2.5, "y_scale": 1.5})
        last = 0
        for last, row in enumerate(rows, start=1):
            for column, (field, value) in enumerate(zip(fields, row, strict=True)):
                wraps = {"text_wrap": True} if field.width > 40 else {}
                self.write(sheet, last, column, value, num_format=field.shows, **wraps)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, last, max(len(fields) - 1, 0))
        return sheet

    def write(self, sheet: Worksheet, row: int, column: int, value: Value, **properties: Any) -> None:
        """One cell; row and column count from 0. A text that looks like a formula is neutralised."""
        shown = self.format(**properties)
        if isinstance(value, str):
            sheet.write_string(row, column, harmless(value)[:MOST_LETTERS], shown)
        elif isinstance(value, date):
            sheet.write_datetime(row, column, datetime.combine(value, time()), shown)
        elif value is None:
            sheet.write_blank(row, column, None, shown)
        else:
            sheet.write_number(row, column, value, shown)

    def content(self) -> bytes:
        """The finished workbook."""
        self.book.close()
        return self._bytes.getvalue()
