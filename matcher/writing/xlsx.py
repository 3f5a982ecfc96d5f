"""Workbooks that a person opens, prints and sends on: tables with a heading that stays in sight, on each page too.

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

WIDE = 190
"""Letters, all columns together, that can still be read on one page across; more go on beside it."""

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
    """A workbook in the making. `made` is the date that it bears: never the clock's, so that bytes repeat.

    `heading` is printed above each page: whose it is, what, and of when.
    """

    def __init__(self, made: date, heading: str = "") -> None:
        from xlsxwriter import Workbook

        self._bytes = BytesIO()
        options = {
            "in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
        }  # fmt: skip
        self.book = Workbook(self._bytes, options)
        self.book.set_properties({"created": datetime.combine(made, time(), UTC)})
        self._heading = heading
        self._formats: dict[tuple[tuple[str, Any], ...], Format] = {}

    def format(self, **properties: Any) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            self._formats[key] = self.book.add_format({"valign": "top", **properties})
        return self._formats[key]

    def table(
        self, name: str, fields: Sequence[Field], rows: Iterable[Sequence[Value]] = (), *, total: bool = False
    ) -> Worksheet:
        """A worksheet with a heading, which stays in sight, and rows below it, which can be filtered.

        Args:
            total: the last row sums up the others; no filter takes it for one of them.
        """
        sheet, every = self.book.add_worksheet(name), list(rows)
        for column, field in enumerate(fields):
            sheet.set_column(column, column, field.width, self.format(num_format=field.shows, **_wraps(field)))
            self.write(sheet, 0, column, field.heading, bold=True, bg_color="#D9E6F2", text_wrap=True)
            if field.note:
                sheet.write_comment(0, column, field.note, {"x_scale": 2.5, "y_scale": 1.5})
        for number, row in enumerate(every, start=1):
            summed = {"bold": True, "top": 1} if total and number == len(every) else {}
            for column, (field, value) in enumerate(zip(fields, row, strict=True)):
                shows = DATE if isinstance(value, date) and field.shows == TEXT else field.shows
                beside = {"align": "right"} if isinstance(value, str) and field.shows != TEXT else {}
                self.write(sheet, number, column, value, num_format=shows, **_wraps(field), **beside, **summed)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, max(len(every) - total, 0), max(len(fields) - 1, 0))
        self._prints(sheet, sum(field.width for field in fields))
        return sheet

    def _prints(self, sheet: Worksheet, width: int) -> None:
        """On A4 across, the heading on each page, and so small that the columns fit if they can still be read."""
        sheet.set_paper(9)
        sheet.set_landscape()
        sheet.set_margins(left=0.5, right=0.5, top=0.8, bottom=0.7)
        sheet.repeat_rows(0)
        if width <= WIDE:
            sheet.fit_to_pages(1, 0)
        else:
            sheet.repeat_columns("A:A")
        if self._heading:
            sheet.set_header("&L" + self._heading.replace("&", "&&")[:240])
        sheet.set_footer("&L&A&RPage &P of &N")

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


def _wraps(field: Field) -> dict[str, Any]:
    return {"text_wrap": True} if field.width > 40 else {}
