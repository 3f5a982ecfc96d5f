"""Files to records, or a list of problems. Nothing is lost: rows loaded + rows rejected = rows given."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

from rapidfuzz import process

from matcher.cells import RefusedError, Remark
from matcher.errors import InputError, Problem
from matcher.instance import Instance, find_problems
from matcher.policy import Policy
from matcher.sheets import SHEETS, Column, Sheet

MOST_BYTES = 50_000_000
"""A file over this size is refused before it is read: no council's spreadsheet is."""


_FILES = [sheet.file for sheet in SHEETS]


@dataclass(frozen=True)
class Reading:
    """What a folder holds: records by sheet, the spreadsheet row of each, and what there is to say of the rest."""

    records: Mapping[str, tuple[Any, ...]]
    rows: Mapping[str, tuple[int, ...]]
    given: Mapping[str, int]
    """Rows that are not blank, by sheet; a sheet that is not there has no entry."""
    problems: tuple[Problem, ...]

    @property
    def rejected(self) -> dict[str, int]:
        """How many rows of each sheet were left out."""
        return {name: given - len(self.records[name]) for name, given in self.given.items()}

    @property
    def refusals(self) -> tuple[Problem, ...]:
        """The problems for which something was left out."""
        return tuple(problem for problem in self.problems if problem.rejected)

    def instance(self, policy: Policy, as_of: date) -> Instance:
        """The instance, if nothing was rejected: a row left out could be a safeguard lost."""
        if self.refusals:
            first = self.refusals[0]
            count = len(self.refusals)
            raise InputError(
                f"{count} {'problem has' if count == 1 else 'problems have'} to be mended first: {first}"
                + (" `kith check` lists them all." if count > 1 else ""),
                self.problems,
            )
        return Instance.of(**self.records, policy=policy, as_of=as_of)


def read_folder(folder: str | Path, as_of: date) -> Reading:
    """Reads children.csv, volunteers.csv and, if present, matches.csv, declined.csv and authorities.csv.

    Raises InputError only where there is nothing to read; what is wrong in a file is in `problems`.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"“{folder}” is not a folder. Give the folder that holds children.csv and volunteers.csv.")
    sheets: dict[str, _SheetReading] = {}
    problems: list[Problem] = []
    for sheet in SHEETS:
        file = path / sheet.file
        if file.is_file():
            sheets[sheet.name] = _read_sheet(sheet, file)
            problems += sheets[sheet.name].problems
        elif sheet.needed:
            remedy = f"Put it into {path.name or path}: {sheet.means}"
            problems.append(Problem(sheet.file, 0, "", "", "is missing", remedy))
    return _without_dangling(sheets, problems, as_of)


@dataclass(frozen=True)
class _SheetReading:
    records: list[Any]
    rows: list[int]
    given: int
    problems: list[Problem]


def _without_dangling(sheets: Mapping[str, _SheetReading], problems: list[Problem], as_of: date) -> Reading:
    """Checks what the sheets say of each other, and leaves out the rows that cannot stand."""
    records: dict[str, list[Any]] = {sheet.name: [] for sheet in SHEETS}
    rows: dict[str, list[int]] = {sheet.name: [] for sheet in SHEETS}
    for name, read in sheets.items():
        records[name], rows[name] = list(read.records), list(read.rows)
    between = find_problems(**records, as_of=as_of)
    problems += [
        replace(problem, file=f"{problem.file}.csv", row=rows[problem.file][problem.row - 1]) for problem in between
    ]
    for name in records:
        out = {problem.row - 1 for problem in between if problem.file == name and problem.rejected}
        records[name] = [record for place, record in enumerate(records[name]) if place not in out]
        rows[name] = [row for place, row in enumerate(rows[name]) if place not in out]
    return Reading(
        {name: tuple(found) for name, found in records.items()},
        {name: tuple(found) for name, found in rows.items()},
        {name: read.given for name, read in sheets.items()},
        tuple(sorted(problems, key=lambda problem: (_FILES.index(problem.file), problem))),
    )


def _read_sheet(sheet: Sheet, file: Path) -> _SheetReading:
    try:
        heading, *lines = list(csv.reader(StringIO(_text(file)), strict=True)) or [[]]
    except (RefusedError, csv.Error) as error:
        remedy = error.remedy if isinstance(error, RefusedError) else "Save it as CSV (comma delimited) once more"
        return _SheetReading([], [], 0, [Problem(sheet.file, 0, "", "", f"cannot be read: {error}", remedy)])
    columns, problems = _columns(sheet, heading)
    filled = [(row, cells) for row, cells in enumerate(lines, start=2) if any(cell.strip() for cell in cells)]
    if any(column.required and column not in columns for column in sheet.columns):
        return _SheetReading([], [], len(filled), problems)  # the heading's problem speaks for every row
    records, rows = [], []
    for row, cells in filled:
        facts, found = _facts(sheet, columns, cells, row)
        problems += found
        if not any(problem.rejected for problem in found):
            records.append(sheet.record(**facts))
            rows.append(row)
    return _SheetReading(records, rows, len(filled), problems)


def _text(file: Path) -> str:
    if file.stat().st_size > MOST_BYTES:
        raise RefusedError(f"it is larger than {MOST_BYTES // 1_000_000} MB", "Split it, or remove what is not data")
    content = file.read_bytes()
    if b"\0" in content:
        raise RefusedError("it is not a text file", "Save it as CSV (comma delimited)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # what Excel writes as plain CSV


def _columns(sheet: Sheet, heading: Sequence[str]) -> tuple[list[Column | None], list[Problem]]:
    """The column under each heading, None where it is not read."""
    known = {column.name: column for column in sheet.columns}
    names = [_heading(cell) for cell in heading]
    problems = []
    for name, count in Counter(name for name in names if name).items():
        if name not in known:
            near = process.extractOne(name, list(known), score_cutoff=75)
            meant = f"Did you mean {near[0]}? Correct the heading" if near else "Nothing to do if it is not for Kith"
            problems.append(Problem(sheet.file, 1, name, "", "is not read", meant, rejected=False))
        elif count > 1:
            problems.append(Problem(sheet.file, 1, name, "", f"stands {count} times", "Keep one of the columns"))
    for name, column in known.items():
        if name not in names and not column.optional:
            remedy = f"Add it ({column.means}; such as {column.example})"
            what = "is missing" if column.required else "is missing: it counts as not recorded in every row"
            problems.append(Problem(sheet.file, 1, name, "", what, remedy, rejected=column.required))
    return [known.get(name) for name in names], problems


def _heading(cell: str) -> str:
    return "_".join(cell.strip().casefold().replace("-", " ").replace("_", " ").split())


def _facts(
    sheet: Sheet, columns: Sequence[Column | None], cells: Sequence[str], row: int
) -> tuple[dict[str, Any], list[Problem]]:
    """The record's fields from one row, and what is wrong with it."""
    facts: dict[str, Any] = {column.to: None for column in sheet.columns}
    problems = []
    if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
        remedy = "Put cells that hold a comma between double quotes, or remove what stands after the last column"
        wrong = f"has {len(cells)} cells under {len(columns)} headings"
        problems.append(Problem(sheet.file, row, "", "", wrong, remedy))
    for column, cell in zip(columns, cells, strict=False):
        text = " ".join(cell.split())
        if column is None or not text:
            continue
        try:
            facts[column.to] = column.read(text)
        except RefusedError as error:
            problems.append(Problem(sheet.file, row, column.name, _shown(text), error.wrong, error.remedy))
        except Remark as remark:
            facts[column.to] = remark.value
            problems.append(
                Problem(sheet.file, row, column.name, _shown(text), remark.wrong, remark.remedy, rejected=False)
            )
    refused = {problem.column for problem in problems if problem.rejected}
    problems += [
        Problem(sheet.file, row, column.name, "", "is blank", f"Fill it: {column.means}")
        for column in sheet.columns
        if column.required and facts[column.to] is None and column.name not in refused
    ]
    if not any(problem.rejected for problem in problems):
        derived = sheet.complete(facts) if sheet.complete else None
        if derived:
            column_name, sentence = derived
            remedy = f"Fill {column_name} if that is wrong"
            problems.append(Problem(sheet.file, row, column_name, "", sentence, remedy, rejected=False))
    return facts, problems


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
