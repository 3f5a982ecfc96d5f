"""How our sheets stand in files of somebody else's making: mapped once, kept in a TOML file, used from then on.

[children]
confirmed = true                  # a person has looked at every line
file = "ssda903"                  # ssda903.csv or ssda903.xlsx
worksheet = "Header"              # left out: the one named like the sheet, else the first that is visible
heading_row = 1                   # left out: the first row that is not blank

[children.columns]                # their heading = our column; "" is not read
"DOB" = "date_of_birth"
"UPN" = ""

[children.values.gender]          # our column; what stands there = what it means
"1" = "male"

[children.every_row]              # what the whole file has in common
responsible_authority = "Surrey"
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from matcher.errors import InputError, Problem
from matcher.reading.cells import RefusedError, Remark
from matcher.reading.sheets import SHEETS, Sheet

MAPPING = "mapping.toml"
"""The mapping's name if it lies in the folder that it is for."""

OF_A_FILE = ("responsible_authority",)
"""What a whole file may have in common. Everything else is a fact about one person and has a cell of its own."""

_KEYS = {"confirmed": bool, "file": str, "worksheet": str, "heading_row": int}
_SUCH_AS = {"confirmed": "true", "file": 'a name, such as "ssda903"', "worksheet": 'a name, such as "Header"',
            "heading_row": "a row's number, such as 1"}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """Where one sheet is found, and what its headings and cells mean there."""

    file: str
    """The file's name; its ending may be left out."""
    worksheet: str = ""
    heading_row: int = 1
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our column by their heading; "" if it is not read."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By our column: our word by theirs."""
    every_row: Mapping[str, str] = field(default_factory=dict)
    """By our column: what every row says."""

    def ours(self, heading: str) -> str:
        """The column of ours that a heading stands for; "" if the column is not read."""
        name = tidy(heading)
        return self._columns.get(name, name)

    def meant(self, column: str, text: str) -> str:
        """What a cell says in our words; of a list between semicolons, each entry."""
        words = self._values.get(column)
        if words is None:
            return text
        whole = words.get(text.casefold())
        if whole is not None or ";" not in text:
            return text if whole is None else whole
        return ";".join(words.get(part.strip().casefold(), part) for part in text.split(";"))

    @cached_property
    def _columns(self) -> dict[str, str]:
        return {tidy(heading): column for heading, column in self.columns.items()}

    @cached_property
    def _values(self) -> dict[str, dict[str, str]]:
        return {
            column: {" ".join(theirs.split()).casefold(): ours for theirs, ours in words.items()}
            for column, words in self.values.items()
        }


def tidy(heading: str) -> str:
    """A heading without what two people write differently: capitals, hyphens, blanks."""
    return "_".join(heading.strip().casefold().replace("-", " ").replace("_", " ").split())


def read_mapping(file: str | Path) -> dict[str, Layout]:
    """The layouts of a mapping file by sheet. Raises InputError with every problem if it cannot be followed."""
    try:
        content = Path(file).read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no mapping “{file}”. `kith map` proposes one.") from None
    return mapping_of(content, Path(file).name)


def mapping_of(text: bytes, file: str) -> dict[str, Layout]:
    """The layouts of a mapping's text; `file` is how messages call it."""
    try:
        content = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is not valid TOML: {error}. Compare the line with its neighbours.") from None
    return layouts_of(content, file)


def layouts_of(content: Mapping[str, Any], file: str) -> dict[str, Layout]:
    """The same of what a mapping says, by sheet, however it was kept."""
    problems = [
        Problem(f"{file}, {place}", 0, "", value, wrong, remedy)
        for name, entry in content.items()
        for place, value, wrong, remedy in _problems(name, entry)
    ]
    if problems:
        more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
        raise InputError(f"The mapping cannot be followed. {problems[0]}.{more}", problems)
    return {
        name: Layout(**{"file": name, **{key: value for key, value in entry.items() if key != "confirmed"}})
        for name, entry in content.items()
    }


_Fault = tuple[str, str, str, str]
"""Place, value, what is wrong, what to do."""


def _problems(name: str, entry: Any) -> Iterator[_Fault]:
    sheet = next((sheet for sheet in SHEETS if sheet.name == name), None)
    if sheet is None:
        yield name, "", "is not a sheet", f"Write one of {', '.join(sheet.name for sheet in SHEETS)}"
        return
    if not isinstance(entry, dict):
        yield name, str(entry), "is not a table", f"Write [{name}] and the lines below it"
        return
    for key, value in entry.items():
        place = f"{name}.{key}"
        if key in _CHECKS:
            texts = value.values() if isinstance(value, dict) else [value]
            nested = key == "values"
            if not all(isinstance(text, dict if nested else str) for text in texts) or not isinstance(value, dict):
                yield place, "", "is not a table", f"Write [{place}{'.column' if nested else ''}] and lines below it"
            else:
                yield from _CHECKS[key](sheet, place, value)
        elif key not in _KEYS:
            yield place, "", "is not known", f"Write one of {', '.join((*_KEYS, *_CHECKS))}"
        elif type(value) is not _KEYS[key] or (key != "confirmed" and not value):
            yield place, str(value), "is not what it has to be", f"Write {_SUCH_AS[key]}"
    if entry.get("confirmed") is not True:
        remedy = "Look at every line, correct it, and write confirmed = true"
        yield name, "", "is a proposal that nobody has confirmed", remedy


def _columns(sheet: Sheet, place: str, columns: Mapping[str, str]) -> Iterator[_Fault]:
    for heading, column in columns.items():
        if column:
            yield from _unknown(sheet, f"{place}.{heading}", column)


def _values(sheet: Sheet, place: str, values: Mapping[str, Mapping[str, Any]]) -> Iterator[_Fault]:
    for column, words in values.items():
        if any(_unknown(sheet, f"{place}.{column}", column)):
            yield from _unknown(sheet, f"{place}.{column}", column)
            continue
        for theirs, ours in words.items():
            yield from _unreadable(sheet, f"{place}.{column}.{theirs}", column, ours)


def _every_row(sheet: Sheet, place: str, values: Mapping[str, str]) -> Iterator[_Fault]:
    for column, value in values.items():
        if column not in OF_A_FILE:
            yield (
                f"{place}.{column}",
                value,
                "is not the same for a whole file",
                "Give each row a cell of its own for it",
            )
        else:
            yield from _unknown(sheet, f"{place}.{column}", column) or _unreadable(sheet, place, column, value)


def _unknown(sheet: Sheet, place: str, column: str) -> list[_Fault]:
    names = [column.name for column in sheet.columns]
    if column in names:
        return []
    return [(place, column, f"is not a column of {sheet.name}", f"Write one of {', '.join(names)}")]


def _unreadable(sheet: Sheet, place: str, column: str, value: Any) -> Iterator[_Fault]:
    if not isinstance(value, str) or not value:
        yield place, "", "says nothing", "Write what it means, or remove the line"
        return
    try:
        sheet.column(column).read(value)
    except RefusedError as error:
        yield place, value, error.wrong, error.remedy
    except Remark as remark:
        yield place, value, remark.wrong, remark.remedy


_CHECKS: dict[str, Callable[[Sheet, str, Mapping[str, Any]], Iterator[_Fault]]] = {
    "columns": _columns,
    "values": _values,
    "every_row": _every_row,
}
