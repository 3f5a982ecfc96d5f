"""A made-up service that looks like a real one: nobody in it exists, and its numbers are those of a county.

Ages, sex, ethnicity, placements and how far away they are come from what the Department for Education publishes on
children looked after, the volunteers' ethnicity from the census; what nobody publishes is in `assumptions.toml`. Both
are in `data/`, whose README names the sources. The places are real outcodes.

The same arguments give the same bytes on every machine: all chance comes from `random.Random(seed).random()`, the one
sequence that Python promises never to change, and all weights are whole numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path

from matcher.errors import InputError
from matcher.reading.sheets import SHEETS
from matcher.sample.people import Row, SamplePeople

SYNTHETIC = "# A synthetic sample: no real person is in it"
"""The first line of a sample's README: a folder that has it may be written over."""


@dataclass(frozen=True)
class Sample:
    """A service as tables: rows by the name of the sheet (children, volunteers, …), in the columns of `sheets`."""

    tables: Mapping[str, tuple[Row, ...]]
    seed: int
    as_of: date
    county: str


def sample(n_children: int, n_volunteers: int, seed: int, *, as_of: date, county: str = "Northamptonshire") -> Sample:
    """A service of so many children waiting and so many volunteers, with matches, refusals and budgets to go with them.

    Raises InputError for numbers that make no service, NotFoundError for a county that `counties.csv` does not have.
    """
    for name, number, least in (("n_children", n_children, 1), ("n_volunteers", n_volunteers, 1), ("seed", seed, 0)):
        if number < least:
            raise InputError(f"{name} is {number}. Give {least} or more.")
    if not 2000 <= as_of.year <= 2100:
        raise InputError(f"as_of is {as_of}. Give a date between 2000 and 2100.")
    made = SamplePeople(seed, as_of, county).tables(n_children, n_volunteers)
    tables = {
        sheet.name: tuple(
            {column.name: row.get(column.name, "") for column in sheet.columns} for row in made[sheet.name]
        )
        for sheet in SHEETS
    }
    return Sample(tables, seed, as_of, county)


def write_sample(
    folder: str | Path, n_children: int, n_volunteers: int, seed: int, *, as_of: date, county: str = "Northamptonshire"
) -> Sample:
    """Writes a `sample` as CSV files, and a README that says what it is. An older sample is replaced.

    Raises what `sample` raises, and InputError where a file of that name is not a sample's: it could be a real one.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InputError(f"“{folder}” is not a folder. Give another name.")
    readme = path / "README.md"
    if not (readme.is_file() and readme.read_bytes().startswith(SYNTHETIC.encode())):
        for name in (*(sheet.file for sheet in SHEETS), readme.name):
            if (path / name).exists():
                raise InputError(f"“{folder}” already has a {name} that is not a sample's. Give another folder.")
    made = sample(n_children, n_volunteers, seed, as_of=as_of, county=county)
    path.mkdir(parents=True, exist_ok=True)
    for sheet in SHEETS:
        text = StringIO()
        writer = csv.DictWriter(text, [column.name for column in sheet.columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows(made.tables[sheet.name])
        (path / sheet.file).write_bytes(text.getvalue().encode())
    readme.write_bytes(_readme(made).encode())
    return made


def _readme(made: Sample) -> str:
    rows = {name: len(table) for name, table in made.tables.items()}
    size = f"--children {rows['children']} --volunteers {rows['volunteers']}"
    counts = "\n".join(f"| `{sheet.file}` | {rows[sheet.name]} | {sheet.means} |" for sheet in SHEETS)
    return f"""{SYNTHETIC}

Every row was drawn by chance from published figures and from assumptions about {made.county}. No child, no volunteer
and no match in it exists; any likeness is chance. The outcodes and the councils are real. The samples' own README, in
`data/samples/`, names the figures and every assumption.

Seed {made.seed}, as of {made.as_of:%d/%m/%Y}. The same command writes the same bytes:

    kith sample {size} --seed {made.seed} --as-of {made.as_of} --out DIR

| file | rows | what a row is |
|---|---|---|
{counts}
"""
