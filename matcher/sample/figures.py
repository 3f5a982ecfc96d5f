"""The figures that a sample is drawn from, read from `data/`, whose README names their sources."""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from matcher.errors import NotFoundError

Figures = dict[str, dict[str, int]]
"""Numbers by what is counted (age, gender, ethnicity, placement) and its values."""

FROM_SIXTEEN = ("independent living", "semi-independent living")
"""Placements in which nobody younger may be."""

OLDEST = "16-17"

_GROUPS = {  # how the table of distances groups the placements
    "foster care": "Foster placements",
    "independent living": "Living independently",
    "children's home": "Secure units, children's homes and semi-independent living accommodation",
    "secure unit": "Secure units, children's homes and semi-independent living accommodation",
    "semi-independent living": "Secure units, children's homes and semi-independent living accommodation",
}


class Population:
    """Children of one kind, in published numbers: the unaccompanied, or all the others."""

    def __init__(self, figures: Mapping[str, Mapping[str, int]]) -> None:
        self.gender, self.ethnicity = figures["gender"], figures["ethnicity"]
        self.placement, self.age = figures["placement"], figures["age"]
        self.children = sum(self.age.values())

    def ages(self, placement: str) -> Mapping[str, int]:
        """Weights of the age bands in a type of placement.

        Some types are for the oldest only; elsewhere there are so many fewer of them, so that the numbers of all ages
        are still those published.
        """
        if placement in FROM_SIXTEEN:
            return {OLDEST: 1}
        placed = sum(self.placement.values())
        oldest_only = sum(self.placement[each] for each in FROM_SIXTEEN)
        return {
            band: number * placed - (oldest_only * self.children if band == OLDEST else 0)
            for band, number in self.age.items()
        }


def populations() -> dict[bool, Population]:
    """The unaccompanied asylum-seeking children (True), and all the others: the published totals less the former."""
    alone = _figures("unaccompanied.csv")
    others = {
        figure: {value: number - alone[figure].get(value, 0) for value, number in numbers.items()}
        for figure, numbers in _figures("looked_after.csv").items()
    }
    return {True: Population(alone), False: Population(others)}


def councils(county: str) -> tuple[dict[str, int], dict[str, str]]:
    """Children looked after by each council of the county, and its name, by its ONS code.

    NotFoundError: `counties.csv` does not have the county.
    """
    rows = _rows("counties.csv")
    found = [row for row in rows if row["county"].casefold() == county.casefold()]
    if not found:
        known = ", ".join(dict.fromkeys(row["county"] for row in rows))
        raise NotFoundError(f"“{county}” is not a county with figures for a sample. Give one of: {known}.")
    looked_after = {row["authority"]: int(row["looked_after"]) for row in found}
    return looked_after, {row["authority"]: row["name"] for row in found}


def residents(authorities: Iterable[str]) -> dict[str, int]:
    """People who live in these councils, by ethnicity."""
    wanted = set(authorities)
    return _counted((row["value"], row["number"]) for row in _rows("population.csv") if row["authority"] in wanted)


@cache
def distances(placement: str) -> Mapping[tuple[str, str], int]:
    """Children in such a placement by (inside or outside the council's boundary, near or far)."""
    group = _GROUPS.get(placement, "Other")
    rows = [row for row in _rows("distance.csv") if row["placement_group"] == group]
    return {(row["boundary"], row["distance"]): int(row["number"]) for row in rows}


@cache
def assumptions() -> dict[str, Any]:
    """What no figure gives: `assumptions.toml`."""
    return tomllib.loads(_text("assumptions.toml"))


@cache
def heritage_languages(ethnicity: str, unaccompanied: bool) -> Mapping[str, int]:
    """Shares of languages besides English; empty where there is none. An assumption."""
    wanted = ethnicity, "yes" if unaccompanied else "no"
    rows = _rows("languages.csv")
    return {row["language"]: int(row["share"]) for row in rows if (row["ethnicity"], row["unaccompanied"]) == wanted}


@cache
def interests(whose: str) -> Mapping[str, int]:
    """How often children or volunteers have each interest, next to the others. An assumption."""
    return {row["interest"]: int(row[whose]) for row in _rows("interests.csv") if row[whose] != "0"}


def _figures(name: str) -> Figures:
    rows = _rows(name)
    return {
        figure: _counted((row["value"], row["number"]) for row in rows if row["figure"] == figure)
        for figure in dict.fromkeys(row["figure"] for row in rows)
    }


def _counted(pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Numbers added up by value. c, a number too small to be published, counts as nothing: see the data's README."""
    counts: dict[str, int] = defaultdict(int)
    for value, number in pairs:
        counts[value] += 0 if number == "c" else int(number)
    return dict(counts)


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(_text(name).splitlines()))


def _text(name: str) -> str:
    return files("matcher").joinpath("sample", "data", name).read_text("utf-8")
