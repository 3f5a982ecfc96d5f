"""Records as columns, and pairs as rows over them.

Rules and scores are written once, over arrays. A `Table` holds one side as columns; `Pairs` holds two index arrays into
them. Explaining one pair is a `Pairs` of one row through the same code.

How a fact becomes a column: dates as datetime64[D], words as int codes (-1 where not recorded), numbers as int64
(-1 where not recorded), several words as one boolean column a word. Whether a fact is recorded is told by
`known(field)`, never by a value that stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher import geography, vocabulary
from matcher.instance import Instance
from matcher.records import (
    Agreement,
    Child,
    Contact,
    Declined,
    Gender,
    Match,
    MatchStatus,
    Place,
    Status,
    Strength,
    Volunteer,
)

Array = NDArray[Any]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOT_RECORDED = -1
"""Stands in a column of codes or numbers where the record says nothing."""


def code(word: StrEnum) -> int:
    """The number that stands for a word of an enumeration in a column."""
    return list(type(word)).index(word)


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

    def known(self, field: str) -> Bools:
        """Whether the record's field is recorded, one entry a row."""
        column = self._known[field]
        return column if self._rows is None else column[self._rows]

    def rows(self, rows: Ints) -> Table:
        """The same columns, gathered for these rows."""
        return Table(self._columns, self._known, rows)


@dataclass(frozen=True)
class Tables:
    """Both sides of an instance as columns, and what has been between them.

    Children are those waiting; row i of a table is `instance.waiting[i]` or `instance.volunteers[j]`.
    """

    instance: Instance
    child: Table
    volunteer: Table
    visited_families: frozenset[tuple[int, int]]
    """(family code, volunteer row) of every match, current or past."""
    refused: frozenset[tuple[int, int]]
    """(child row, volunteer row) that were declined, or that ended."""
    live_matches: Ints
    """How many children each volunteer visits now."""

    @property
    def as_of(self) -> np.datetime64:
        return np.datetime64(self.instance.as_of, "D")

    def pairs(self, child: Ints, volunteer: Ints) -> Pairs:
        """Pairs at these rows, measured anew."""
        home, placed = self.volunteer.rows(volunteer), self.child.rows(child)
        metres = geography.distance_metres(placed.latitude, placed.longitude, home.latitude, home.longitude)
        return Pairs(self, child, volunteer, metres)

    def pair(self, child: str, volunteer: str) -> Pairs:
        """The one pair of these ids. The child must be waiting."""
        i = [one.id for one in self.instance.waiting].index(child)
        j = [one.id for one in self.instance.volunteers].index(volunteer)
        return self.pairs(np.array([i]), np.array([j]))

    def children_alone(self, rows: Ints) -> Pairs:
        """Children without a volunteer, for what is judged once a child."""
        return Pairs(self, rows, rows[:0], np.full(len(rows), NOT_RECORDED))

    def volunteers_alone(self, rows: Ints) -> Pairs:
        """Volunteers without a child, for what is judged once a volunteer."""
        return Pairs(self, rows[:0], rows, np.full(len(rows), NOT_RECORDED))

    def all_pairs_of(self, child: int) -> Pairs:
        """One child with every volunteer."""
        everyone = np.arange(len(self.instance.volunteers))
        return self.pairs(np.full(len(everyone), child), everyone)

    def pairs_within(self, children: Ints, volunteers: Ints, reach_metres: int | None) -> Pairs:
        """The pairs of these rows that live within reach of each other, by child and then volunteer; all if None."""
        if reach_metres is None:
            child, volunteer = np.meshgrid(children, volunteers, indexing="ij")
            return self.pairs(child.ravel(), volunteer.ravel())
        home, placed = self.volunteer.rows(volunteers), self.child.rows(children)
        i, j, metres = geography.within_reach(
            placed.latitude, placed.longitude, home.latitude, home.longitude, reach_metres
        )
        return Pairs(self, children[i], volunteers[j], metres)


class Pairs:
    """Pairs as rows: `pairs.child.gender` and `pairs.volunteer.gender` are columns with one entry a pair."""

    def __init__(self, tables: Tables, child: Ints, volunteer: Ints, metres: Ints) -> None:
        self.tables = tables
        self.child_row = child
        self.volunteer_row = volunteer
        self.metres = metres
        """Distance between placement and home, -1 where either is not recorded."""
        self.child = tables.child.rows(child)
        self.volunteer = tables.volunteer.rows(volunteer)

    def __len__(self) -> int:
        return len(self.metres)

    def __getitem__(self, which: Array) -> Pairs:
        """The pairs at an index array or a mask."""
        return Pairs(self.tables, self.child_row[which], self.volunteer_row[which], self.metres[which])

    @property
    def as_of(self) -> np.datetime64:
        return self.tables.as_of

    @cached_property
    def visited_sibling(self) -> Bools:
        """Whether the volunteer is or was the visitor of a child of this child's family."""
        return self._among(self.tables.visited_families, self.child.family)

    @cached_property
    def refused(self) -> Bools:
        """Whether this very pair was declined, or has ended."""
        return self._among(self.tables.refused, self.child_row)

    def between(self, row: int) -> Between:
        """The records behind one row, for telling a person about it."""
        instance = self.tables.instance
        child, volunteer = int(self.child_row[row]), int(self.volunteer_row[row])
        return Between(instance.waiting[child], instance.volunteers[volunteer], instance, self[np.array([row])])

    def known(self, path: str) -> Bools:
        """Whether `child.date_of_birth`, or `volunteer.home`, is recorded, one entry a pair."""
        side, _, field = path.partition(".")
        return (self.child if side == "child" else self.volunteer).known(field)

    def _among(self, listed: frozenset[tuple[int, int]], key: Ints) -> Bools:
        size = len(self.tables.instance.volunteers)
        keys = np.array(sorted(a * size + b for a, b in listed), dtype=np.int64)
        return np.isin(key * size + self.volunteer_row, keys)


@dataclass(frozen=True)
class Between:
    """One child and one volunteer, as records: what a reason speaks of."""

    child: Child
    volunteer: Volunteer
    instance: Instance
    pairs: Pairs
    """The same pair as a `Pairs` of one row."""

    @property
    def metres(self) -> int:
        return int(self.pairs.metres[0])

    @cached_property
    def shown_miles(self) -> float | None:
        """The geodesic distance in miles, to one decimal; None where a place is not recorded."""
        if self.child.placement is None or self.volunteer.home is None:
            return None
        return geography.shown_distance_miles(self.child.placement, self.volunteer.home)

    @property
    def shown_distance(self) -> str:
        if self.shown_miles is None:
            return "an unknown distance"
        return f"{self.shown_miles:g} {'mile' if self.shown_miles == 1 else 'miles'}"


def tables(instance: Instance) -> Tables:
    """The columns of an instance: read once, whatever the number of pairs."""
    waiting, volunteers = instance.waiting, instance.volunteers
    everyone: tuple[Child | Volunteer, ...] = (*waiting, *volunteers)
    families = _codes(instance.family_of.values())
    councils = _codes(
        [child.responsible_authority for child in waiting]
        + [child.placement_council for child in waiting]
        + [council for volunteer in volunteers for council in volunteer.connected_authorities or ()]
    )
    words = {
        "ethnicity": _codes(person.ethnicity for person in everyone),
        "ethnicity_group": _codes(
            vocabulary.ethnicity_group(person.ethnicity) for person in everyone if person.ethnicity
        ),
        "language": _codes(
            [tag for person in everyone for tag in person.languages or ()]
            + [tag for child in waiting for tag in child.needed_languages]
        ),
        "interest": _codes(tag for person in everyone for tag in person.interests or ()),
    }
    child = Table(
        {
            **_common_columns(waiting, words),
            **_place_columns([child.placement for child in waiting]),
            "responsible_authority": _coded([child.responsible_authority for child in waiting], councils),
            "placement_council": _coded([child.placement_council for child in waiting], councils),
            "family": _coded([instance.family_of.get(child.id) for child in waiting], families),
            "talks": _members([child.needed_languages or child.languages for child in waiting], words["language"]),
            "culture_request": _words([child.culture_request for child in waiting], Strength),
            "agrees": _words([child.agrees for child in waiting], Agreement),
            "requested_gender": _words([child.requested_gender for child in waiting], Gender),
            "requested_gender_strength": _words([child.requested_gender_strength for child in waiting], Strength),
            "parental_contact": _words([child.parental_contact for child in waiting], Contact),
            "last_parental_visit": _dates([child.last_parental_visit for child in waiting]),
            "referred_on": _dates([child.referred_on for child in waiting]),
        },
        {
            **_known(Child, waiting),
            # A family may be known from an earlier match alone; a need for a language stands for the languages spoken.
            "family": np.array([child.id in instance.family_of for child in waiting], dtype=np.bool_),
            "talks": np.array(
                [bool(child.needed_languages) or child.languages is not None for child in waiting], dtype=np.bool_
            ),
        },
    )
    row = {volunteer.id: j for j, volunteer in enumerate(volunteers)}
    history_known = np.ones(len(volunteers), dtype=np.bool_)
    for match in instance.matches:
        if match.child not in instance.family_of:
            history_known[row[match.volunteer]] = False
    volunteer = Table(
        {
            **_common_columns(volunteers, words),
            **_place_columns([volunteer.home for volunteer in volunteers]),
            "status": _words([volunteer.status for volunteer in volunteers], Status),
            "agreement_signed_on": _dates([volunteer.agreement_signed_on for volunteer in volunteers]),
            "dbs_checked_on": _dates([volunteer.dbs_checked_on for volunteer in volunteers]),
            "connected_authorities": _members([volunteer.connected_authorities for volunteer in volunteers], councils),
            "travel_limit_metres": _numbers([volunteer.travel_limit_metres for volunteer in volunteers]),
        },
        {**_known(Volunteer, volunteers), "families_visited": history_known},
    )
    refused: tuple[Declined | Match, ...] = (*instance.declined, *instance.matches)
    live = {(match.volunteer, match.child) for match in instance.matches if match.status is MatchStatus.CURRENT}
    waiting_row = {child.id: i for i, child in enumerate(waiting)}
    return Tables(
        instance,
        child,
        volunteer,
        visited_families=frozenset(
            (families[instance.family_of[match.child]], row[match.volunteer])
            for match in instance.matches
            if match.child in instance.family_of
        ),
        refused=frozenset(
            (waiting_row[between.child], row[between.volunteer]) for between in refused if between.child in waiting_row
        ),
        live_matches=np.bincount([row[volunteer] for volunteer, _ in sorted(live)], minlength=len(volunteers)).astype(
            np.int64
        ),
    )


def _common_columns(
    people: Sequence[Child] | Sequence[Volunteer], words: Mapping[str, Mapping[str, int]]
) -> dict[str, Array]:
    groups = [vocabulary.ethnicity_group(person.ethnicity) if person.ethnicity else None for person in people]
    return {
        "date_of_birth": _dates([person.date_of_birth for person in people]),
        "gender": _words([person.gender for person in people], Gender),
        "ethnicity": _coded([person.ethnicity for person in people], words["ethnicity"]),
        "ethnicity_group": _coded(groups, words["ethnicity_group"]),
        "languages": _members([person.languages for person in people], words["language"]),
        "interests": _members([person.interests for person in people], words["interest"]),
    }


def _place_columns(places: Sequence[Place | None]) -> dict[str, Array]:
    return {
        "latitude": np.array([place.latitude if place else np.nan for place in places], dtype=np.float64),
        "longitude": np.array([place.longitude if place else np.nan for place in places], dtype=np.float64),
    }


def _known(record: type, records: Sequence[Any]) -> dict[str, Bools]:
    return {
        field.name: np.array([getattr(one, field.name) is not None for one in records], dtype=np.bool_)
        for field in fields(record)
    }


def _codes(words: Iterable[str | None]) -> dict[str, int]:
    """A number for each word, by alphabet, so that it does not depend on who comes first."""
    return {word: number for number, word in enumerate(sorted({word for word in words if word is not None}))}


def _coded(words: Sequence[str | None], codes: Mapping[str, int]) -> Ints:
    return np.array([NOT_RECORDED if word is None else codes[word] for word in words], dtype=np.int64)


def _words(words: Sequence[StrEnum | None], kind: type[StrEnum]) -> Ints:
    return _coded(words, {word: number for number, word in enumerate(kind)})


def _numbers(numbers: Sequence[int | None]) -> Ints:
    return np.array([NOT_RECORDED if number is None else number for number in numbers], dtype=np.int64)


def _dates(days: Sequence[date | None]) -> Array:
    return np.array(days, dtype="datetime64[D]")


def _members(lists: Sequence[tuple[str, ...] | None], codes: Mapping[str, int]) -> Bools:
    """One row a person, one column a word: whether the person's list holds it."""
    table = np.zeros((len(lists), len(codes)), dtype=np.bool_)
    for row, words in enumerate(lists):
        for word in words or ():
            table[row, codes[word]] = True
    return table
