"""The files that were read, with their problems beside the rows: to be corrected and read again."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from matcher.errors import InputError, NotFoundError, Problem
from matcher.readers import Reading
from matcher.reading.cells import as_typed
from matcher.reading.files import Grid
from matcher.reading.mapping import MAPPING, tidy
from matcher.reading.sheets import PROBLEMS
from matcher.writing.xlsx import DATE, TEXT, Book, Value

_PAINT = {"refused": "#F8D7DA", "noted": "#FFF3CD", "cell": "#F1AEB5"}


def write_corrections(reading: Reading, folder: str | Path, out: str | Path, made: date) -> list[Path]:
    """Writes into `out` each file that has problems, as a workbook with a last column that says them; the others, and
    the mapping, as they are: a folder to go on with. Gives the paths. A file that could not be read is left out.

    `made` is the date that the workbooks bear. Raises InputError rather than write over a file, which may already hold
    corrections.
    """
    source, into = Path(folder), Path(out)
    contents: dict[str, bytes | Path] = {}
    for file in dict.fromkeys(grid.file for grid in reading.grids.values()):
        sheets = {name: grid for name, grid in reading.grids.items() if grid.file == file}
        if any(reading.problems_of[name] for name in sheets):
            contents[f"{Path(file).stem}.xlsx"] = _workbook(reading, sheets, made)
        else:
            contents[file] = source / file
    if (source / MAPPING).is_file():
        contents[MAPPING] = source / MAPPING
    for name in contents:
        if (into / name).exists():
            raise InputError(f"“{out}” already has a {name}, and it may hold corrections. Give another folder.")
    into.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if isinstance(content, bytes):
            (into / name).write_bytes(content)
        else:
            shutil.copyfile(content, into / name)
    return [into / name for name in contents]


def corrected(reading: Reading, sheet: str, made: date, also: Iterable[Problem] = ()) -> bytes:
    """The workbook of one sheet's file, as `write_corrections` would write it.

    `also` is what there is to say besides, in the sheet's own rows. Raises NotFoundError for a sheet that was not read.
    """
    if sheet not in reading.grids:
        raise NotFoundError(f"There are no {sheet} to be corrected.")
    return _workbook(reading, {sheet: reading.grids[sheet]}, made, also)


def _workbook(reading: Reading, sheets: Mapping[str, Grid], made: date, also: Iterable[Problem] = ()) -> bytes:
    book = Book(made)
    for name, grid in sheets.items():
        _write(book, grid, (*reading.problems_of[name], *also))
    return book.content()


def _write(book: Book, grid: Grid, problems: tuple[Problem, ...]) -> None:
    """One worksheet: every cell and row where it was, dates as dates, everything else as text."""
    page = book.book.add_worksheet(re.sub(r"[\[\]:*?/\\']", " ", grid.worksheet)[:31])
    places = [place for place, heading in enumerate(grid.heading) if tidy(heading) != PROBLEMS]
    last = len(places)
    top = grid.heading_row - 1
    columns = {as_typed(grid.heading[place]): at for at, place in enumerate(places)}
    columns = {tidy(heading): at for heading, at in columns.items()} | columns
    of_row: dict[int, list[Problem]] = {}
    for problem in problems:
        of_row.setdefault(problem.row, []).append(problem)

    page.set_column(0, max(last - 1, 0), 16, book.format(num_format=TEXT))
    page.set_column(last, last, 90, book.format(text_wrap=True))
    page.freeze_panes(top + 1, 1)
    for at, place in enumerate(places):
        book.write(page, top, at, grid.heading[place], bold=True, text_wrap=True, num_format=TEXT)
    book.write(page, top, last, PROBLEMS, bold=True)
    notes: dict[int, list[str]] = {}
    for problem in of_row.get(grid.heading_row, []):
        notes.setdefault(columns.get(problem.column, last), []).append(_sentence(problem))
    for at, sentences in notes.items():
        page.write_comment(top, at, "\n".join(sentences), {"x_scale": 2.5, "y_scale": 2})

    for row, cells in grid.rows:
        found = sorted(of_row.get(row, []), key=lambda problem: not problem.rejected)
        colour = _PAINT["refused" if found[0].rejected else "noted"] if found else None
        faults = {columns.get(problem.column) for problem in found if problem.rejected}
        for at, place in enumerate(places):
            value = _value(cells[place]) if place < len(cells) else None
            paint = {"bg_color": _PAINT["cell"] if at in faults else colour} if colour else {}
            if value is not None or paint:
                book.write(page, row - 1, at, value, num_format=DATE if isinstance(value, date) else TEXT, **paint)
        for at, text in enumerate(cells[len(grid.heading) :], start=last + 1):  # still beyond the headings
            book.write(page, row - 1, at, text or None, num_format=TEXT, bg_color=_PAINT["cell"])
        if found:
            told = "\n".join(_sentence(problem) for problem in found)
            book.write(page, row - 1, last, told, text_wrap=True, bg_color=colour)
    end = max((row for row, _ in grid.rows), default=grid.heading_row)
    page.autofilter(top, 0, end - 1, last)
    page.ignore_errors({"number_stored_as_text": f"A1:XFD{end}"})


def _sentence(problem: Problem) -> str:
    beginning = "" if problem.rejected else "To note: "
    named = f"{problem.column}: " if problem.column else ""
    shown = f"“{problem.value}” " if problem.value else ""
    return f"{beginning}{named}{shown}{problem.wrong}. {problem.remedy}."


def _value(text: str) -> Value:
    found = re.fullmatch(r"([0-9]{2})/([0-9]{2})/([0-9]{4})", text)
    try:
        when = date(int(found[3]), int(found[2]), int(found[1])) if found else None
    except ValueError:
        when = None
    return when if when and when.year > 1900 else text or None  # Excel's calendar begins with a leap day that was none
