"""Files to records, or a list of problems. Nothing is lost: rows loaded + rows rejected = rows given."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from rapidfuzz import fuzz, process

from matcher.errors import InputError, Problem
from matcher.impossible import Fault, impossible, odd
from matcher.instance import Instance, find_problems
from matcher.policy import Policy
from matcher.reading.cells import ERRORS, RefusedError, Remark, as_typed
from matcher.reading.files import KINDS, OTHER_KINDS, File, Folder, Grid, HeldFolder, find_file, read_grid
from matcher.reading.mapping import MAPPING, Layout, mapping_of, read_mapping, tidy
from matcher.reading.sheets import CHILDREN, PROBLEMS, SHEETS, VOLUNTEERS, Column, Sheet
from matcher.reading.workbooks import Standing, by_default, has_own_file, passed_over, standing_in, with_rows
from matcher.words import listed

EVERY_COLUMN = "Add those that you know; the template to fill in has every column"
"""What to do about columns that a file does not have: a page leads to the template, and `kith template` makes one."""
Stood = Callable[[str, str], Collection[Fault]]
"""By sheet and id, what cannot be of somebody as recorded before: a file that says so once more brings no fault."""
_NEARLY = 85
"""Of 100, how like a sheet's name a file's has to be."""


@dataclass(frozen=True)
class Reading:
    """What a folder holds: records by sheet, the spreadsheet row of each, and what there is to say of the rest.

    Every mapping is by the name of the sheet; a sheet that is not there has no entry in `given`, `files` and `grids`.
    """

    records: Mapping[str, tuple[Any, ...]]
    rows: Mapping[str, tuple[int, ...]]
    given: Mapping[str, int]
    """Rows that are not blank."""
    problems_of: Mapping[str, tuple[Problem, ...]]
    files: Mapping[str, str]
    """The name of each sheet's file, as messages tell it."""
    grids: Mapping[str, Grid]
    """The cells as they stand in the files that could be read."""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The columns of ours that each sheet's file has: what it lacks, it says nothing of."""
    stood: frozenset[Problem] = frozenset()
    """What cannot be between records, or of one, and was recorded so before: as `find_problems` tells it."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything there is to say, sheet by sheet, row by row."""
        return tuple(problem for problems in self.problems_of.values() for problem in problems)

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
                f"{count} {'problem has' if count == 1 else 'problems have'} to be mended first: {first}."
                + (" `kith check` lists them all." if count > 1 else ""),
                self.problems,
            )
        return Instance.of(**self.records, policy=policy, as_of=as_of, stood=self.stood)


def nothing_stood(_sheet: str, _id: str) -> Collection[Fault]:
    """Where nothing is recorded yet."""
    return ()


def read_folder(
    folder: str | Path, as_of: date, mapping: str | Path | None = None, *, stood: Stood = nothing_stood
) -> Reading:
    """Reads the children and the volunteers and, if present, the matches, what was declined and the authorities.

    Each is a CSV or XLSX file named like its sheet, or where `mapping` says; without one, the folder's own mapping.toml
    if there is one. Raises InputError only where there is nothing to read or the mapping cannot be followed; what is
    wrong in a file is in `problems`. Of what `stood` before, no row is left out.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"“{folder}” is not a folder. Give the folder that holds the children and the volunteers.")
    if mapping is None and (path / MAPPING).is_file():
        mapping = path / MAPPING
    return _read(path, as_of, read_mapping(mapping) if mapping is not None else {}, stood)


def read_files(
    files: Mapping[str, bytes],
    as_of: date,
    layouts: Mapping[str, Layout] | None = None,
    *,
    partly: bool = False,
    stood: Stood = nothing_stood,
) -> Reading:
    """The same of files that are held in memory, by name.

    Nothing is written to disk, and no other file is read.

    Args:
        layouts: how each sheet is read, by its name; by default as mapping.toml says, if it is among the files.
        partly: whether the sheets of `layouts` alone are read, because somebody holds the others already and has looked
            at what else is in the files.
        stood: what cannot be of people as they were recorded before: it is told, and leaves no row out.
    """
    if layouts is None:
        mapping = files.get(MAPPING)
        layouts = mapping_of(mapping, MAPPING) if mapping is not None else {}
    folder = HeldFolder({name: content for name, content in files.items() if name != MAPPING})
    return _read(folder, as_of, layouts, stood, partly)


def _read(folder: Folder, as_of: date, layouts: Mapping[str, Layout], stood: Stood, partly: bool = False) -> Reading:
    if partly:
        read = {one.name: _read_sheet(one, folder, layouts.get(one.name)) for one in SHEETS}
        return _without_dangling(read, as_of, stood)
    standing: dict[str, list[Standing]] = defaultdict(list)
    for one in standing_in(folder):
        standing[one.sheet.name].append(one)
    read = {}
    for sheet in SHEETS:
        mapped = sheet.name in layouts or has_own_file(folder, sheet)
        meant = next((one.layout for one in standing[sheet.name] if one.meant and not mapped), Layout(sheet.name))
        layout = layouts.get(sheet.name, meant)
        read[sheet.name] = _read_sheet(sheet, folder, layout)
        read[sheet.name].problems += _not_read(read[sheet.name], layout, standing[sheet.name], mapped)
    for name, problem in _misnamed(folder, read):
        read[name].problems.append(problem)
    return _without_dangling(read, as_of, stood)


def _not_read(read: _SheetReading, used: Layout, standing: Sequence[Standing], mapped: bool) -> Iterator[Problem]:
    """Worksheets named like a sheet of which nothing is taken: told; refused where either of two could be meant."""
    for sheet, other, meant in standing:
        if (other.file, other.worksheet) == (used.file, used.worksheet):
            continue
        if read.file:
            wrong = f"is not read: the same sheet is read from {read.file}"
            remedy = "Remove the worksheet if it is an old one" if mapped else "Keep the right one of them"
        else:
            needed = " and ".join(column.name for column in sheet.columns if column.required)
            wrong = f"is not read: a worksheet of {sheet.name} has the headings {needed}"
            remedy = "Correct its headings if it holds them, or rename it"
        where = f"{other.file} ({other.worksheet})"
        yield Problem(where, 0, "", "", wrong, remedy, rejected=meant and not mapped)


def _misnamed(folder: Folder, read: Mapping[str, _SheetReading]) -> Iterator[tuple[str, Problem]]:
    """Files and worksheets that are called nearly like a sheet and are not read.

    match.csv, or a worksheet Matches 2026, may hold what keeps siblings apart.
    """
    used = {sheet.grid.file if sheet.grid else sheet.file for sheet in read.values()}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.suffix.casefold() not in (*KINDS, *OTHER_KINDS) or file.stem == "unmatched":
            continue  # unmatched.csv is Kith's own
        if file.name in used:
            yield from _misnamed_worksheets(file, read, sent=isinstance(folder, HeldFolder))
            continue
        name = _like(file.stem, read)
        if name:
            there = read[name].file
            wrong = f"is not read: {name} are read from {there}" if there else f"is not read, and looks like {name}"
            remedy = "Move it out of the folder if it is an old one" if there else f"Rename it to {name}{file.suffix}"
            yield name, Problem(file.name, 0, "", "", wrong, remedy, rejected=not there)
        elif isinstance(folder, HeldFolder):  # in a folder there may be anything; what was sent was meant
            wrong = f"is not read: neither it nor a worksheet in it is called {listed(read, 'or')}"
            yield SHEETS[0].name, Problem(file.name, 0, "", "", wrong, "Name it after what it holds", rejected=False)


def _misnamed_worksheets(
    file: File, read: Mapping[str, _SheetReading], sent: bool
) -> Iterator[tuple[str, Problem]]:  # fmt: skip
    """Of a file that is read. Elsewhere a worksheet may be called anything, such as a summary of another program.

    What was sent was meant: there every worksheet is told of which nothing is taken.
    """
    of_file = {name: one for name, one in read.items() if (one.grid.file if one.grid else one.file) == file.name}
    read_as = {one.grid.worksheet.casefold() for one in of_file.values() if one.grid}
    taken = {by_default(with_rows(file), name) for name in read_as}
    for worksheet, hidden in passed_over(file):
        name = _like(worksheet, read)
        there = read[name].file if name else ""
        if not name or there.startswith(file.name):  # of its own sheet a workbook may hold several, and one is read
            if sent and worksheet not in taken:
                wrong = f"is {'hidden and ' if hidden else ''}not read: another worksheet of the file is"
                remedy = "Nothing to do if no rows are in it; otherwise send it as a file of its own"
                where = f"{file.name} ({worksheet})"
                yield next(iter(of_file)), Problem(where, 0, "", "", wrong, remedy, rejected=False)
            continue
        if there:
            wrong, remedy = f"is not read: {name} are read from {there}", "Remove the worksheet if it is an old one"
        elif hidden:
            wrong, remedy = f"is hidden and not read, and looks like {name}", f"Unhide it, and call it {name}"
        else:
            wrong, remedy = f"is not read, and looks like {name}", f"Call it {name}, or remove it"
        yield name, Problem(f"{file.name} ({worksheet})", 0, "", "", wrong, remedy, rejected=not there)


def _like(called: str, sheets: Iterable[str]) -> str:
    """The sheet that a name looks like, with something left out, added or mistyped: match, matches_2025, maches."""
    stem = called.strip().casefold()
    alike = {name: max(fuzz.partial_ratio(stem, name), fuzz.ratio(stem, name)) for name in sheets}
    name = max(alike, key=lambda name: (alike[name], fuzz.ratio(stem, name)))
    return name if len(stem) > 3 and alike[name] >= _NEARLY else ""


@dataclass
class _SheetReading:
    """One sheet, not yet held against the others. `file` is "" where there is none."""

    file: str = ""
    grid: Grid | None = None
    headings: Mapping[str, str] = field(default_factory=dict)
    """How the file calls each of our columns."""
    records: list[Any] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    given: int = 0
    problems: list[Problem] = field(default_factory=list)


def _without_dangling(read: Mapping[str, _SheetReading], as_of: date, stood: Stood) -> Reading:
    """Checks what the sheets say of each other, and leaves out the rows that cannot stand."""
    before = set()
    for problem in find_problems(**{name: sheet.records for name, sheet in read.items()}, as_of=as_of):
        sheet = read[problem.file]
        one = Fault(problem.column, problem.value, problem.wrong, problem.remedy)
        told = _told(sheet, problem.file, problem.row - 1, one, problem.rejected, stood)
        sheet.problems.append(told)
        if problem.rejected and not told.rejected:
            before.add(problem)
    for name in (CHILDREN.name, VOLUNTEERS.name):
        sheet = read[name]
        for place, record in enumerate(sheet.records):
            for faults, rejected in ((impossible(record, as_of), True), (odd(record, as_of), False)):
                sheet.problems += (_told(sheet, name, place, one, rejected, stood) for one in faults)
    for sheet in read.values():
        refused = {problem.row for problem in sheet.problems if problem.rejected}
        kept = [place for place, row in enumerate(sheet.rows) if row not in refused]
        sheet.records, sheet.rows = [sheet.records[place] for place in kept], [sheet.rows[place] for place in kept]
    there = {name: sheet for name, sheet in read.items() if sheet.file}
    return Reading(
        {name: tuple(sheet.records) for name, sheet in read.items()},
        {name: tuple(sheet.rows) for name, sheet in read.items()},
        {name: sheet.given for name, sheet in there.items()},
        {name: tuple(sorted(sheet.problems)) for name, sheet in read.items()},
        {name: sheet.file for name, sheet in there.items()},
        {name: sheet.grid for name, sheet in there.items() if sheet.grid},
        {name: tuple(sheet.headings) for name, sheet in there.items()},
        frozenset(before),
    )


def _told(sheet: _SheetReading, name: str, place: int, one: Fault, rejected: bool, stood: Stood) -> Problem:
    """What is wrong with a record, where its file has it: no reason to leave the row out if it stood before."""
    column, wrong = sheet.headings.get(one.column, one.column), one.wrong
    if rejected and name in (CHILDREN.name, VOLUNTEERS.name) and one in stood(name, sheet.records[place].id):
        rejected, wrong = False, f"{wrong}, and was recorded so before"
    return Problem(sheet.file, sheet.rows[place], column, one.value, wrong, one.remedy, rejected)


def _read_sheet(sheet: Sheet, folder: Folder, layout: Layout | None) -> _SheetReading:
    if layout is None:
        return _SheetReading()
    name = layout.file
    try:
        file = find_file(folder, name)
        if file is None:
            if name == sheet.name and not sheet.needed:
                return _SheetReading()
            shown = name if "." in name else f"{name}.csv or {name}.xlsx"
            remedy = f"Put it into {folder.name or 'the folder'}: {sheet.means}"
            return _SheetReading(problems=[Problem(shown, 0, "", "", "is missing", remedy)])
        name = file.name
        grid = read_grid(
            file, layout.worksheet or sheet.name, exact=bool(layout.worksheet), heading_row=layout.heading_row
        )
    except RefusedError as error:
        wrong = error.wrong if error.wrong.startswith("is there") else f"cannot be read: {error.wrong}"
        return _SheetReading(name, problems=[Problem(name, 0, "", "", wrong, error.remedy)])
    table = _Table(sheet, layout, grid, f"{name} ({layout.worksheet})" if layout.worksheet else name)
    read = _SheetReading(table.file, grid, table.headings, given=len(grid.rows), problems=table.heading_problems())
    if any(column.required and column.name not in table.headings for column in sheet.columns):
        return read  # the heading's problem speaks for every row
    for row, cells in grid.rows:
        facts, found = table.facts(row, cells)
        read.problems += found
        if not any(problem.rejected for problem in found):
            read.records.append(sheet.record(**facts))
            read.rows.append(row)
    return read


class _Under(NamedTuple):
    """What stands under one heading: our column, None where it is not read, and how messages call it."""

    column: Column | None
    heading: str


class _Table:
    """A grid with its columns found."""

    def __init__(self, sheet: Sheet, layout: Layout, grid: Grid, file: str) -> None:
        self.sheet, self.layout, self.grid, self.file = sheet, layout, grid, file
        self._known: dict[str, dict[str, tuple[str, Any, RefusedError | Remark | None]]] = {}
        known = {column.name: column for column in sheet.columns}
        self._names = [layout.ours(cell) for cell in grid.heading]
        self._under = [
            _Under(known.get(name), name if name == tidy(cell) else " ".join(cell.split()))
            for name, cell in zip(self._names, grid.heading, strict=True)
        ]
        # What every row has in common stands in columns of its own, after the last.
        self._under += [_Under(known[name], name) for name in layout.every_row]
        self.headings = {under.column.name: under.heading for under in self._under if under.column}

    def heading_problems(self) -> list[Problem]:
        """What is wrong with the headings, or strange."""
        known = {column.name: column for column in self.sheet.columns}
        problems = []
        for name in dict.fromkeys(self._names):
            if name and name not in known and name != PROBLEMS:
                near = process.extractOne(name, list(known), score_cutoff=75)
                meant = (
                    f"Did you mean {near[0]}? Correct the heading" if near else "Nothing to do if it is not for Kith"
                )
                problems.append(self._of_heading(name, "is not read", meant, rejected=False))
        for name, count in Counter(under.column.name for under in self._under if under.column).items():
            if count > 1:
                problems.append(self._of_heading(name, f"stands {count} times", "Keep one of the columns"))
        there = {tidy(cell) for cell in self.grid.heading}
        for heading, name in self.layout.columns.items():
            if name and tidy(heading) not in there:
                remedy = f"Correct the heading in the mapping, where it stands for {name}, or remove it there"
                problems.append(self._of_heading(_shown(heading), "is not among the headings", remedy))
        missing = [column for name, column in known.items() if name not in self.headings and not column.optional]
        problems += [
            self._of_heading(column.name, "is missing", f"Add it ({column.means}; such as {column.example})")
            for column in missing
            if column.required
        ]
        absent = ", ".join(column.name for column in missing if not column.required)
        if absent:
            remedy = EVERY_COLUMN
            wrong = f"has no column {absent}: counted as not recorded"
            problems.append(self._of_heading("", wrong, remedy, rejected=False))
        return problems + self._without_heading()

    def _without_heading(self) -> list[Problem]:
        bare = [place for place, cell in enumerate(self.grid.heading, start=1) if not cell.strip()]
        wrong = "has cells without a heading over them, in column {}: they are not read"
        return [
            self._of_heading("", wrong.format(place), "Write a heading, or remove the column", rejected=False)
            for place in bare
            if any(len(cells) >= place and cells[place - 1].strip() for _, cells in self.grid.rows)
        ]

    def facts(self, row: int, cells: tuple[str, ...]) -> tuple[dict[str, Any], list[Problem]]:
        """The record's fields from one row, and what is wrong with it."""
        facts: dict[str, Any] = {column.to: None for column in self.sheet.columns}
        problems = []
        width = len(self.grid.heading)
        if any(cell.strip() for cell in cells[width:]):
            remedy = "Put cells that hold a comma between double quotes, or remove what stands after the last column"
            wrong = f"has {len(cells)} cells under {width} headings"
            problems.append(Problem(self.file, row, "", "", wrong, remedy))
        padded = (*cells[:width], *[""] * (width - len(cells)), *self.layout.every_row.values())
        for (column, heading), cell in zip(self._under, padded, strict=True):
            if column is None or not cell:
                continue
            text, value, told = self._read(column, cell)
            if not text:
                continue
            facts[column.to] = value
            if told:
                rejected = isinstance(told, RefusedError)
                problems.append(Problem(self.file, row, heading, _shown(text), told.wrong, told.remedy, rejected))
        refused = {problem.column for problem in problems if problem.rejected}
        problems += [
            Problem(self.file, row, self.headings[column.name], "", "is blank", f"Fill it: {column.means}")
            for column in self.sheet.columns
            if column.required and facts[column.to] is None and self.headings[column.name] not in refused
        ]
        if not any(problem.rejected for problem in problems):
            derived = self.sheet.complete(facts) if self.sheet.complete else None
            if derived:
                name, sentence = derived
                remedy = f"Fill {self.headings.get(name, name)} if that is wrong"
                problems.append(
                    Problem(self.file, row, self.headings.get(name, name), "", sentence, remedy, rejected=False)
                )
        return facts, problems

    def _read(self, column: Column, cell: str) -> tuple[str, Any, RefusedError | Remark | None]:
        """The text of a cell, what it says, and what there is to tell of it.

        The same words are looked up once, however many rows have them.
        """
        known = self._known.setdefault(column.name, {})
        found = known.get(cell)
        if found is None:
            text = as_typed(cell)
            found = known[cell] = text, *(self._meant(column, text) if text else (None, None))
        return found

    def _meant(self, column: Column, text: str) -> tuple[Any, RefusedError | Remark | None]:
        try:
            if text in ERRORS:
                raise RefusedError("is a spreadsheet's error, not a value", "Mend the formula, or type the value")
            return column.read(self.layout.meant(column.name, text)), None
        except RefusedError as error:
            return None, error.with_traceback(None)
        except Remark as remark:
            return remark.value, remark.with_traceback(None)

    def _of_heading(self, column: str, wrong: str, remedy: str, *, rejected: bool = True) -> Problem:
        return Problem(self.file, self.grid.heading_row, column, "", wrong, remedy, rejected)


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"
