"""Proposes a mapping for a file with other headings. A person confirms it: until then nothing follows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from rapidfuzz import fuzz

from matcher.errors import InputError, NotFoundError
from matcher.reading.cells import RefusedError, Remark, as_typed
from matcher.reading.files import Grid, read_grid
from matcher.reading.mapping import tidy
from matcher.reading.sheets import PROBLEMS, SHEETS, Column, Sheet

_ALIKE = 80
"""Of 100, for a heading to be proposed for a column."""
_LOOKED_AT = 10
"""Rows below the first in which the headings may stand."""
_MOST_WORDS = 20
"""Words of one column that are written into the proposal."""

# What others call our columns: the headings of the SSDA903 return, and words that forms ask by.
_HEADINGS = {
    "children": {
        "child": "child_id", "dob": "date_of_birth", "sex": "gender", "ethnic": "ethnicity", "pl_post": "placement",
        "pl_la": "placement_council", "iv_ref_date": "referred_on", "ref_date": "referred_on",
        "referral_date": "referred_on", "date_of_referral": "referred_on",
        "place": "placement_type", "uasc": "unaccompanied",
    },
    "volunteers": {"dob": "date_of_birth", "sex": "gender", "volunteer_number": "volunteer_id"},
}  # fmt: skip
_WORDS = {
    "children": {"consent": "agrees", "sib": "family", "lang": "languages", "hobbies": "interests"},
    "volunteers": {"postcode": "home", "hobbies": "interests", "dbs": "dbs_checked_on", "travel": "travel_limit_miles",
                   "ethnic": "ethnicity", "stage": "status"},
}  # fmt: skip

# What codes stand for in the return, by our column: gender by its number, placements by their letter.
KNOWN_WORDS = {"gender": {"1": "male", "2": "female"}}


def propose(file: str | Path, sheet_name: str) -> str:
    """The TOML of a proposed mapping for one sheet, from the headings of a file. See `mapping` for what it says.

    Raises NotFoundError for a sheet that is not there, InputError for a file that cannot be read.
    """
    path = Path(file)
    sheet = next((sheet for sheet in SHEETS if sheet.name == sheet_name), None)
    if sheet is None:
        names = ", ".join(sheet.name for sheet in SHEETS)
        raise NotFoundError(f"There is no sheet “{sheet_name}”. Choose one with --sheet: {names}.")
    try:
        grid = read_grid(path, sheet.name)
    except RefusedError as error:
        raise InputError(f"{path.name}: cannot be read: {error.wrong}. {error.remedy}.") from None
    if not grid.heading:
        raise InputError(f"{path.name}: is blank. Give a file with headings.")
    return "\n".join(_lines(sheet, grid, path.stem)) + "\n"


def write_proposal(file: str | Path, sheet_name: str, out: str | Path) -> Path:
    """Writes a proposal, below the other sheets' if there are any. Raises InputError if the sheet is mapped there."""
    proposed, into = propose(file, sheet_name), Path(out)
    before = into.read_text(encoding="utf-8") if into.exists() else ""
    if any(line.strip() == f"[{sheet_name}]" for line in before.splitlines()):
        raise InputError(f"“{out}” maps {sheet_name} already. Remove that part of it, or give another file.")
    into.write_text(f"{before}\n{proposed}" if before else proposed, encoding="utf-8")
    return into


def _lines(sheet: Sheet, grid: Grid, stem: str) -> Iterator[str]:
    found = likeliest(sheet, grid.heading)
    yield f"[{sheet.name}]"
    yield "confirmed = false  # a proposal: look at every line, correct it, then write true"
    yield f"file = {_quoted(stem)}"
    if grid.heading_row != 1:
        yield f"heading_row = {grid.heading_row}"
    yield ""
    yield f'[{sheet.name}.columns]  # their heading = our column; "" is not read'
    for heading in grid.heading:
        if heading.strip() and tidy(heading) != PROBLEMS:
            yield f"{_quoted(heading)} = {_quoted(found.get(heading, ''))}"
    yield from (
        f"# not found: {column.name} ({column.means})"
        for column in sheet.columns
        if column.name not in found.values() and not column.optional
    )
    for place, heading in enumerate(grid.heading):
        column = next((column for column in sheet.columns if column.name == found.get(heading)), None)
        words = unread_words(column, grid, place) if column is not None and column.options else []
        if column is not None and words:
            yield ""
            yield f"[{sheet.name}.values.{column.name}]  # what stands there = one of {', '.join(column.options)}"
            for word in words:
                known = KNOWN_WORDS.get(column.name, {}).get(word.casefold())
                yield f"{_quoted(word)} = {_quoted(known)}" if known else f'# {_quoted(word)} = ""'


def likeliest(sheet: Sheet, headings: tuple[str, ...]) -> dict[str, str]:
    """Our column by heading, for those that are alike; each column at most once, the nearest first."""
    ranked = sorted(
        (
            (_likeness(sheet.name, heading, column.name), -place, heading, column.name)
            for place, heading in enumerate(headings)
            for column in sheet.columns
            if heading.strip()
        ),
        reverse=True,
    )
    found: dict[str, str] = {}
    for (likeness, _), _, heading, column in ranked:
        if likeness >= _ALIKE and heading not in found and column not in found.values():
            found[heading] = column
    return found


def likely_heading_row(grid: Grid) -> int:
    """The row, of the first few, that says most of one sheet's columns: above the headings may stand a title.

    The grid's own heading, the first row that is not blank, where another says not much more.
    """
    top = [(grid.heading_row, grid.heading), *grid.rows[:_LOOKED_AT]]
    said = [max(len(likeliest(sheet, cells)) for sheet in SHEETS) for _, cells in top]
    return grid.heading_row if said[0] > 1 else top[said.index(max(said))][0]


def _likeness(sheet: str, heading: str, column: str) -> tuple[float, float]:
    """0 to 100, and a second number that parts those who are equal."""
    name = tidy(heading)
    if _HEADINGS.get(sheet, {}).get(name, name) == column:
        return 100.0, 100.0
    words, ours = re.findall("[a-z]+", name), column.split("_")
    if any(_WORDS.get(sheet, {}).get(word) == column for word in words):
        return 95.0, fuzz.ratio(name, column)
    # How well the heading says each word of the column's name: a question says others besides.
    if len(ours) > 2:
        ours = [word for word in ours if word != "on"]  # that it is a day, which forms leave to be understood
    said = [max((fuzz.ratio(word, other) for other in words), default=0.0) for word in ours]
    return min(sum(said) / len(said), 90.0), fuzz.ratio(name, column)


def unread_words(column: Column, grid: Grid, place: int) -> list[str]:
    """The words in a column that its reader does not know, as many as a person would look through."""
    words: dict[str, None] = {}
    for _, cells in grid.rows:
        text = as_typed(cells[place]) if place < len(cells) else ""
        try:
            if text and text not in words:
                column.read(text)
        except RefusedError:
            words[text] = None
        except Remark:
            continue
        if len(words) == _MOST_WORDS:
            break
    return sorted(words)


def _quoted(text: str) -> str:
    """A TOML string in one line."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False).replace("\x7f", "")
