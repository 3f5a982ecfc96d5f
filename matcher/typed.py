"""Whether records built in Python hold what their fields say: a NaN, a blank text or a time of day is no fact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import date, datetime
from functools import cache
from itertools import chain
from math import isfinite
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from matcher.errors import Problem
from matcher.records import Place, by_field

_SAID = {
    str: "a text",
    date: "a date without a time of day",
    int: "a whole number",
    bool: "True or False",
    tuple: "a tuple of texts",
    Place: "a Place with a latitude and a longitude on earth",
}


def ill_typed(sheet: str, records: Sequence[Any]) -> Iterator[Problem]:
    """One problem for each field that holds something else than it says; `row` is the position from 1."""
    if not records or _all_hold(records):
        return
    for row, record in enumerate(records, start=1):
        of: type = type(record)
        for name, kind, optional in _kinds(of):
            value = getattr(record, name)
            if (value is None and optional) or _holds(kind, value):
                continue
            said = _SAID.get(kind, f"a {kind.__name__}")
            remedy = f"Give {said}" + (", or None where it is not recorded" if optional else "")
            yield Problem(sheet, row, name, str(value)[:40], f"is {_called(value)}, not {said}", remedy)


def _all_hold(records: Sequence[Any]) -> bool:
    """Whether every field holds what it says: a field at a time, since hardly ever one does not."""
    of: type = type(records[0])
    if any(type(record) is not of for record in records):
        return False
    facts = by_field(of, records)
    return all(_column_holds(kind, optional, facts[name]) for name, kind, optional in _kinds(of))


def _column_holds(kind: type, optional: bool, facts: Sequence[Any]) -> bool:
    """Whether a glance is enough to see that all are of the kind."""
    given = [fact for fact in facts if fact is not None] if optional else facts
    if kind is Place:
        return all(_holds(Place, fact) for fact in given)
    if any(one is not kind for one in set(map(type, given))):
        return False
    words = list(chain.from_iterable(given)) if kind is tuple else given if kind is str else ()
    return all(issubclass(one, str) for one in set(map(type, words))) and all(word.strip() for word in set(words))


@cache
def _kinds(record: type) -> tuple[tuple[str, type, bool], ...]:
    """Name, type and whether it may be None, of each field of a record."""
    hints = get_type_hints(record)
    found = []
    for field in fields(record):
        hint = hints[field.name]
        kind = next((one for one in get_args(hint) if one is not NoneType), hint) if _optional(hint) else hint
        found.append((field.name, get_origin(kind) or kind, _optional(hint)))
    return tuple(found)


def _optional(hint: Any) -> bool:
    return NoneType in get_args(hint)


def _holds(kind: type, value: Any) -> bool:
    if kind is date:
        return isinstance(value, date) and not isinstance(value, datetime)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is str:
        return isinstance(value, str) and bool(value.strip())
    if kind is tuple:
        return isinstance(value, tuple) and all(isinstance(one, str) and one.strip() for one in value)
    if kind is Place:
        return isinstance(value, Place) and _on_earth(value)
    return isinstance(value, kind)


def _on_earth(place: Place) -> bool:
    at = place.latitude, place.longitude
    return all(isfinite(one) for one in at) and abs(at[0]) <= 90 and abs(at[1]) <= 180


def _called(value: Any) -> str:
    if isinstance(value, str):
        return "blank" if not value.strip() else "text"
    if isinstance(value, float) and value != value:
        return "not a number (NaN)"
    return f"of the type {type(value).__name__}"
