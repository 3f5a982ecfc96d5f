"""A person's facts in the words and the groups in which a coordinator reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from matcher import vocabulary
from matcher.geography import METRES_PER_MILE
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Column, Sheet
from matcher.records import Child, Place, Volunteer
from matcher.references import years_old
from matcher.words import council, day, listed, miles, pounds
from matcher.words import languages as language_names
from service.pages import forms
from service.pages.labels import IF_BLANK, TITLES, label


@dataclass(frozen=True)
class Fact:
    name: str
    """Of the column that it is from, the first where it is from several."""
    label: str
    value: str
    """"Not recorded" where the record says nothing."""
    known: bool


CHECK_NAMES = {
    "dbs_current": "DBS check",
    "vehicle_documents": "papers for driving",
    "database_check": "check of the authority’s records",
}

Group = tuple[str, tuple[Fact, ...]]


def age(born: date | None, on: date) -> int | None:
    """Completed years, where the birth is recorded."""
    return None if born is None else years_old(born, on)


def place(where: Place | None) -> str:
    """The outcode alone: no page shows an address."""
    if where is None:
        return "not recorded"
    return "a point on the map" if where.precision == "point" else where.text.split()[0]


def distance(metres: int) -> str:
    return miles(round(metres / METRES_PER_MILE, 1))


def interests(tags: Iterable[str] | None) -> str | None:
    """Between semicolons: each begins with a capital, and some have an “and” of their own."""
    return None if tags is None else "; ".join(map(vocabulary.interest_label, tags)) or "none"


def about_child(child: Child, on: date) -> tuple[Group, ...]:
    return _about(CHILDREN, child, on, {})


def about_volunteer(person: Volunteer, on: date, references: Mapping[str, str]) -> tuple[Group, ...]:
    """With the children whom they know by reference."""
    return _about(VOLUNTEERS, person, on, references)


def _about(sheet: Sheet, record: Child | Volunteer, on: date, references: Mapping[str, str]) -> tuple[Group, ...]:
    """The parts of the form, so that nothing is asked that the page does not show."""
    groups = []
    for part, names in forms.PARTS[sheet.name].items():
        columns = [sheet.column(name) for name in names if name not in _TOLD_BESIDE]
        columns = [sheet.column("status"), *columns] if part == "checks" else columns
        told = tuple(_fact(sheet, column, record, on, references) for column in columns)
        groups.append((TITLES[sheet.name][part], told))
    return tuple(groups)


def _fact(sheet: Sheet, column: Column, record: Child | Volunteer, on: date, references: Mapping[str, str]) -> Fact:
    called, fact = label(sheet.name, column.name).partition(", ")[0], getattr(record, column.to)
    said: str | None
    if column.name in _TOGETHER:
        said = _TOGETHER[column.name](record)
    elif column.name == "date_of_birth":
        called, said = "Age", _years(fact, on)
    elif column.name == "known_children" and fact:
        said = listed(references.get(id, "a child who is not here any more") for id in fact)
    elif fact is None:
        said = IF_BLANK.get(column.name)
    else:
        said = in_words(column.to, fact)
    return Fact(column.name, called, "Not recorded" if said is None else said, said is not None)


_TOLD_BESIDE = frozenset({"requested_gender_strength", "prefers_to_age", "oldest_age"})
"""Columns that are told with the one before them."""
_TOGETHER: Mapping[str, Callable[[Any], str]] = {
    "requested_gender": lambda one: _wish(one.requested_gender, one.requested_gender_strength),
    "prefers_from_age": lambda one: _ages(one.prefers_from_age, one.prefers_to_age),
    "youngest_age": lambda one: _ages(one.youngest_age, one.oldest_age),
}


def in_words(field: str, value: Any) -> str:
    """One field of a child's or a volunteer's record, or of a budget, as a coordinator would say it."""
    if value is None:
        return "not recorded"
    if field in _WORDS:
        return str(_WORDS[field](value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return day(value)
    if isinstance(value, tuple):
        return str(_several(value))
    return str(value)


_WORDS: dict[str, Callable[[Any], Any]] = {
    "placement": place, "home": place, "interests": interests,
    "languages": lambda tags: _languages(tags) if tags else "none",
    "needed_languages": lambda tags: _languages(tags) if tags else "no requirement",
    "provider": lambda names: _several(names, "the council’s own carers, or family"),
    "ethnicity": vocabulary.ethnicity_label, "religion": vocabulary.religion_label,
    "responsible_authority": council, "placement_council": council,
    "areas": lambda codes: _several(codes, "anywhere", words=council),
    "connected_authorities": lambda codes: _several(codes, words=council),
    "metres_from_home": lambda metres: distance(metres), "travel_limit_metres": lambda metres: distance(metres),
    "budget_pence": pounds, "spent_pence": pounds,
}  # fmt: skip
"""Fields whose facts are codes or measures."""


def _years(born: date | None, on: date) -> str | None:
    years = age(born, on)
    return None if years is None else f"{years} years"


def _several(facts: Iterable[str] | None, none: str = "none", words: Callable[[str], str] | None = None) -> str | None:
    return None if facts is None else listed([words(one) if words else str(one) for one in facts] or [none])


def _languages(tags: Iterable[str] | None) -> str | None:
    return None if tags is None else language_names(tags)


def _ages(least: int | None, most: int | None) -> str:
    if least is None:
        return "any age" if most is None else f"up to {most}"
    return f"from {least}" if most is None else f"{least} to {most}"


def _wish(what: str | None, strength: str) -> str:
    return f"{what}, {strength}" if what else IF_BLANK["requested_gender"]
