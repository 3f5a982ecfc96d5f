"""Facts as columns: how records become arrays, and how a rule looks into them.

Dates are datetime64[D], words int codes (-1 where not recorded), numbers int64 (-1 where not recorded), yes and no 1
and 0, several words one boolean column a word. Whether a fact is recorded is told by `known(field)`, never by a value
that stands in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from matcher import vocabulary
from matcher.records import Child, Place, Volunteer, by_field

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOT_RECORDED = -1
"""Stands in a column of codes or numbers where the record says nothing."""

YES, NO = 1, 0
"""Stand in a column of yes and no."""


def code(word: StrEnum) -> int:
    """The number that stands for a word of an enumeration in a column."""
    return list(type(word)).index(word)


def cell(table: Bools, row: Ints, column: Ints) -> Bools:
    """The cells of a table at rows and column codes; False where the code is not recorded."""
    if not table.shape[1]:
        return np.zeros(len(row), dtype=np.bool_)
    return np.asarray(table[row, column] & (column >= 0))


class Table:
    """One side as columns: `table.date_of_birth` is the column, gathered for the rows at `rows` if given."""

    def __init__(self, columns: Mapping[str, Array], known: Mapping[str, Bools], rows: Ints | None = None) -> None:
        self._columns = columns
        self._known = known
        self._rows = rows
        self._gathered: dict[str, Array] = {}

    def __getattr__(self, name: str) -> Array:
        if name.startswith("_") or name not in self._columns:
            raise AttributeError(f"there is no column {name!r}")
        if self._rows is None:
            return self._columns[name]
        if name not in self._gathered:
            self._gathered[name] = self._columns[name][self._rows]
        return self._gathered[name]

    def each(self, fact: Callable[[Table], Array]) -> Array:
        """A column made of others, one entry a row: reckoned once a person where there are more rows than people."""
        if self._rows is None or len(self._rows) < len(next(iter(self._columns.values()))):
            return fact(self)
        return fact(Table(self._columns, self._known))[self._rows]

    def has(self, field: str) -> Bools:
        """Whether each row's list in this column holds any word."""
        return self.each(lambda people: getattr(people, field).any(axis=1))

    def count(self, field: str) -> Ints:
        """How many words each row's list in this column holds."""
        return self.each(lambda people: getattr(people, field).sum(axis=1))

    def known(self, field: str) -> Bools:
        """Whether the record's field is recorded, one entry a row."""
        column = self._known[field]
        return column if self._rows is None else column[self._rows]

    def rows(self, rows: Ints) -> Table:
        """The same columns, gathered for these rows."""
        return Table(self._columns, self._known, rows)


def by_type(record: type, people: Sequence[Any]) -> dict[str, Array]:
    """The columns that follow from a field's type: dates, numbers, yes and no (1 and 0), words of an enumeration."""
    columns = {}
    for name, facts in by_field(record, people).items():
        kind = _kinds(record)[name]
        if kind is date:
            columns[name] = dates(facts)
        elif kind in (int, bool):
            columns[name] = numbers(facts)
        elif isinstance(kind, type) and issubclass(kind, StrEnum):
            columns[name] = words(facts, kind)
    return columns


@cache
def _kinds(record: type) -> Mapping[str, Any]:
    """What each field of a record holds where it is recorded."""
    hints = get_type_hints(record)
    return {name: next((one for one in get_args(hint) if one is not NoneType), hint) for name, hint in hints.items()}


def of_people(
    people: Sequence[Child] | Sequence[Volunteer], words: Mapping[str, Mapping[str, int]]
) -> dict[str, Array]:
    groups = [vocabulary.ethnicity_group(person.ethnicity) if person.ethnicity else None for person in people]
    return {
        "ethnicity": coded([person.ethnicity for person in people], words["ethnicity"]),
        "ethnicity_group": coded(groups, words["ethnicity_group"]),
        "languages": members([person.languages for person in people], words["language"]),
        "interests": members([person.interests for person in people], words["interest"]),
        "religion": coded(
            [person.religion if person.religion != "other" else None for person in people], words["religion"]
        ),
        "free_times": members([person.free_times for person in people], words["time"]),
    }


def of_places(places: Sequence[Place | None]) -> dict[str, Array]:
    return {
        "latitude": np.array([place.latitude if place else np.nan for place in places], dtype=np.float64),
        "longitude": np.array([place.longitude if place else np.nan for place in places], dtype=np.float64),
    }


def recorded(record: type, records: Sequence[Any]) -> dict[str, Bools]:
    return {
        name: np.array([fact is not None for fact in facts], dtype=np.bool_)
        for name, facts in by_field(record, records).items()
    }


def codes(words: Iterable[str | None]) -> dict[str, int]:
    """A number for each word, by alphabet, so that it does not depend on who comes first."""
    return {word: number for number, word in enumerate(sorted({word for word in words if word is not None}))}


def coded(words: Sequence[str | None], codes: Mapping[str, int]) -> Ints:
    return np.array([NOT_RECORDED if word is None else codes[word] for word in words], dtype=np.int64)


def words(words: Sequence[StrEnum | None], kind: type[StrEnum]) -> Ints:
    return coded(words, {word: number for number, word in enumerate(kind)})


def numbers(numbers: Sequence[int | None]) -> Ints:
    return np.array([NOT_RECORDED if number is None else number for number in numbers], dtype=np.int64)


def dates(days: Sequence[date | None]) -> Array:
    return np.array(days, dtype="datetime64[D]")


def members(lists: Sequence[tuple[str, ...] | None], codes: Mapping[str, int]) -> Bools:
    """One row a person, one column a word: whether the person's list holds it."""
    table = np.zeros((len(lists), len(codes)), dtype=np.bool_)
    for row, words in enumerate(lists):
        for word in words or ():
            table[row, codes[word]] = True
    return table
