"""Workbooks to fill in, made from the description that also reads them: `sheets`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from matcher import vocabulary
from matcher.errors import NotFoundError
from matcher.reading.sheets import SHEETS, Column, Sheet
from matcher.reading.workbooks import EXPLAINS
from matcher.writing.xlsx import DATE, TEXT, Book, Field

ALL = "all"
"""What the workbook for all sheets is called."""
_MADE = date(2026, 1, 1)  # a template has no date of its own, and a clock would make each one another
_ROWS = 5_000  # with drop-down lists; below them cells are read as well


def write_templates(out: str | Path, sheet: str | None = None) -> list[Path]:
    """Writes one template, or into a folder all of them, and gives their paths.

    With a file (.xlsx) it is the sheet's, by default that of the file's own name; with `all.xlsx` one workbook for all
    of them; with a folder every sheet's, or the one named. Raises NotFoundError for a sheet that is not there.
    """
    path = Path(out)
    if path.suffix.casefold() != ".xlsx":
        files = {path / f"{one.name}.xlsx": template(one) for one in ([_sheet(sheet)] if sheet else SHEETS)}
    elif sheet is None and path.stem.casefold() == ALL:
        files = {path: whole_template()}
    else:
        files = {path: template(_sheet(sheet or path.stem.casefold()))}
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return list(files)


def template(sheet: Sheet, rows: Iterable[Sequence[str]] = ()) -> bytes:
    """The workbook for a sheet, with a second worksheet that explains the columns. It holds no example row: a child
    who is made up would be read as a child. `rows` are cells in the order of the columns."""
    book = Book(_MADE)
    _to_fill(book, sheet, rows)
    _explained(book, [sheet])
    return book.content()


def whole_template() -> bytes:
    """One workbook for all sheets, a worksheet each."""
    book = Book(_MADE)
    for sheet in SHEETS:
        _to_fill(book, sheet)
    _explained(book, SHEETS)
    return book.content()


def _to_fill(book: Book, sheet: Sheet, rows: Iterable[Sequence[str]] = ()) -> None:
    fields = [
        Field(column.name, max(12, len(column.name) + 4), DATE if column.is_date else TEXT, _note(column))
        for column in sheet.columns
    ]
    page = book.table(sheet.name, fields, rows)
    for place, column in enumerate(sheet.columns):
        rule = _rule(column)
        if rule:
            page.data_validation(1, place, _ROWS, place, rule)


def _explained(book: Book, sheets: Sequence[Sheet]) -> None:
    """What each column means; with the sheet's name before it where there are several."""
    several, (columns, ethnicities) = len(sheets) > 1, EXPLAINS
    about = [
        (*([sheet.name] if several else []), column.name, column.means, column.example, _words(column), column.if_blank)
        for sheet in sheets
        for column in sheet.columns
    ]
    headings = (Field("column", 28), Field("what it means", 70), Field("example", 24), Field("words that it takes", 50),
                Field("if blank", 20))  # fmt: skip
    book.table(columns, (Field("sheet", 14), *headings) if several else headings, about)
    if any(column.name == "ethnicity" for sheet in sheets for column in sheet.columns):
        codes = [(code, vocabulary.ethnicity_label(code)) for code in vocabulary.ethnicities()]
        book.table(ethnicities, (Field("code"), Field("ethnicity", 60)), codes)


def _note(column: Column) -> str:
    return f"{column.means}.\nSuch as: {column.example}\nIf blank: {column.if_blank}."


def _words(column: Column) -> str:
    if column.is_date:
        return "a date, day first"
    return ", ".join(column.options)


def _rule(column: Column) -> dict[str, object] | None:
    """What Excel checks. It warns only: other ways to write it are read too, and `kith check` says what is not."""
    warning = {"error_type": "warning", "error_title": column.name, "ignore_blank": True}
    if column.options:
        message = f"Kith reads: {', '.join(column.options)}."
        return {"validate": "list", "source": list(column.options), "error_message": message, **warning}
    if column.is_date:
        limits = {"criteria": "between", "minimum": date(1900, 1, 1), "maximum": date(2100, 12, 31)}
        return {"validate": "date", **limits, "error_message": "Write day/month/year, such as 03/05/2012.", **warning}
    return None


def _sheet(name: str) -> Sheet:
    for sheet in SHEETS:
        if sheet.name == name:
            return sheet
    names = ", ".join(sheet.name for sheet in SHEETS)
    raise NotFoundError(f"There is no sheet “{name}”. Choose one with --sheet: {names}.")
