"""Records as columns, and pairs as rows over them.

Rules and scores are written once, over arrays. A `Table` holds one side as columns; `Pairs` holds two index arrays into
them. Explaining one pair is a `Pairs` of one row through the same code.

How a fact becomes a column is told in `columns`; `by_type` makes most of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise

import numpy as np

from matcher import columns, geography, vocabulary
from matcher.columns import NO, NOT_RECORDED, YES, Array, Bools, Ints, Table, cell, code
from matcher.errors import KithError
from matcher.instance import Instance
from matcher.records import (
    Child,
    Declined,
    Match,
    MatchStatus,
    Need,
    Party,
    Time,
    Volunteer,
)
from matcher.references import may_be
from matcher.words import miles

__all__ = [
    "NO",
    "NOT_RECORDED",
    "YES",
    "Array",
    "Between",
    "Bools",
    "Ints",
    "Pairs",
    "Tables",
    "cell",
    "code",
    "tables",
]

PAIRS_AT_ONCE = 1 << 21
"""Pairs in a chunk, counting those out of reach: what is reckoned over one takes some 200 MB."""


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
    acquainted: frozenset[tuple[int, int]]
    """(child row, volunteer row) of relatives and friends."""
    live_matches: Ints
    """How many children each volunteer visits now."""

    @property
    def as_of(self) -> np.datetime64:
        return np.datetime64(self.instance.as_of, "D")

    @cached_property
    def child_at(self) -> dict[str, int]:
        """Row by id."""
        return {child.id: row for row, child in enumerate(self.instance.waiting)}

    @cached_property
    def volunteer_at(self) -> dict[str, int]:
        """Row by id."""
        return {volunteer.id: row for row, volunteer in enumerate(self.instance.volunteers)}

    @property
    def children_at_once(self) -> int:
        """How many children with all the volunteers make a chunk."""
        return max(1, PAIRS_AT_ONCE // max(1, len(self.instance.volunteers)))

    def pairs(self, child: Ints, volunteer: Ints) -> Pairs:
        """Pairs at these rows, measured anew where somebody asks."""
        return Pairs(self, child, volunteer)

    def pair(self, child: str, volunteer: str) -> Pairs:
        """The one pair of these ids. The child must be waiting."""
        return self.pairs(np.array([self.child_at[child]]), np.array([self.volunteer_at[volunteer]]))

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

    def __init__(self, tables: Tables, child: Ints, volunteer: Ints, metres: Ints | None = None) -> None:
        self.tables = tables
        self.child_row = child
        self.volunteer_row = volunteer
        self._measured = metres
        self.child = tables.child.rows(child)
        self.volunteer = tables.volunteer.rows(volunteer)

    def __len__(self) -> int:
        return max(len(self.child_row), len(self.volunteer_row))

    def __getitem__(self, which: Array | slice) -> Pairs:
        """The pairs at an index array or a mask."""
        metres = None if self._measured is None else self._measured[which]
        return Pairs(self.tables, self.child_row[which], self.volunteer_row[which], metres)

    @property
    def metres(self) -> Ints:
        """Distance between placement and home, -1 where either is not recorded."""
        if self._measured is None:
            placed, home = self.child, self.volunteer
            self._measured = geography.distance_metres(placed.latitude, placed.longitude, home.latitude, home.longitude)
        return self._measured

    @property
    def as_of(self) -> np.datetime64:
        return self.tables.as_of

    @cached_property
    def visited_sibling(self) -> Bools:
        """Whether the volunteer is or was the visitor of a child of this child's family."""
        return self.among(self.tables.visited_families, self.child.family)

    @cached_property
    def refused(self) -> Bools:
        """Whether this very pair was declined, or has ended."""
        return self.among(self.tables.refused, self.child_row)

    @cached_property
    def acquainted(self) -> Bools:
        """Whether the volunteer is a relative or a friend of the child."""
        return self.among(self.tables.acquainted, self.child_row)

    def in_common(self, of_child: str, of_volunteer: str, weight: Ints | None = None) -> Ints:
        """How many words of the child's list are in the volunteer's too, or their weight together, one entry a pair.

        The columns are tables of the same words. Each child is held against each volunteer at once, as a product of
        matrices: for pairs that are dense, as those within reach are, that is many times faster than pair by pair.
        Its numbers are whole and small, so that floats hold them exactly.
        """
        words = getattr(self.tables.child, of_child), getattr(self.tables.volunteer, of_volunteer)
        children, volunteers, place = self._block
        most = words[0].shape[1] * int(weight.max(initial=0) if weight is not None else 1)
        number = np.float32 if most < 2**24 else np.float64
        ours = words[0][children].astype(number)
        if weight is not None:
            ours *= weight.astype(number)
        # OpenBLAS may complain of numbers beside the table, which it reads in passing and throws away.
        with np.errstate(invalid="ignore"):
            shared = ours @ words[1][volunteers].astype(number).T
        if not np.isfinite(shared.sum(dtype=np.float64)):
            raise KithError("The processor multiplied whole numbers and got none. Run it once more; then report it.")
        return np.asarray(np.take(shared.ravel(), place), dtype=np.int64)

    @cached_property
    def _block(self) -> tuple[Ints, Ints, Ints]:
        """The rows of children and of volunteers here, ascending, and the place of each pair in the table of both."""
        children, i = _numbered(self.child_row, len(self.tables.instance.waiting))
        volunteers, j = _numbered(self.volunteer_row, len(self.tables.instance.volunteers))
        return children, volunteers, i * len(volunteers) + j

    def chunks(self) -> Iterator[Pairs]:
        """The same pairs, some children at a time, so that what is reckoned over them fits in memory."""
        block = self.child_row // self.tables.children_at_once
        edges = [0, *(np.flatnonzero(block[1:] != block[:-1]) + 1).tolist(), len(self)]
        for first, last in pairwise(edges):
            yield Pairs(
                self.tables, self.child_row[first:last], self.volunteer_row[first:last], self.metres[first:last]
            )

    def between(self, row: int) -> Between:
        """The records behind one row, for telling a person about it."""
        instance = self.tables.instance
        child, volunteer = int(self.child_row[row]), int(self.volunteer_row[row])
        return Between(instance.waiting[child], instance.volunteers[volunteer], instance, self[np.array([row])])

    def known(self, path: str) -> Bools:
        """Whether `child.date_of_birth`, or `volunteer.home`, is recorded, one entry a pair."""
        side, _, field = path.partition(".")
        return (self.child if side == "child" else self.volunteer).known(field)

    def among(self, listed: frozenset[tuple[int, int]], key: Ints) -> Bools:
        """Whether (key, volunteer row) is listed, one entry a pair."""
        size = len(self.tables.instance.volunteers)
        found = np.zeros(len(self), dtype=np.bool_)
        some = self.of_volunteers([volunteer for _, volunteer in listed])
        keys = np.array(sorted(a * size + b for a, b in listed), dtype=np.int64)
        found[some] = np.isin(key[some] * size + self.volunteer_row[some], keys)
        return found

    def of_volunteers(self, rows: Sequence[int]) -> Ints:
        """Where the pairs of these volunteers are. Faster than to look each pair up among them."""
        asked = np.zeros(len(self.tables.instance.volunteers), dtype=np.bool_)
        asked[np.asarray(rows, dtype=np.int64)] = True
        return np.flatnonzero(asked[self.volunteer_row])


def _numbered(rows: Ints, size: int) -> tuple[Ints, Ints]:
    """The rows that occur, ascending, and of each entry its place among them."""
    there = np.zeros(size, dtype=np.bool_)
    there[rows] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[rows]


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
        return miles(self.shown_miles)


def tables(instance: Instance) -> Tables:
    """The columns of an instance: read once, whatever the number of pairs and of those who ask."""
    kept: Tables | None = instance.__dict__.get(_KEPT)  # they last as long as the instance, which never changes
    if kept is None:
        kept = instance.__dict__[_KEPT] = _read(instance)
    return kept


_KEPT = "_tables"


def _read(instance: Instance) -> Tables:
    waiting, volunteers = instance.waiting, instance.volunteers
    everyone: tuple[Child | Volunteer, ...] = (*waiting, *volunteers)
    families = columns.codes(instance.family_of.values())
    councils = columns.codes(
        [child.responsible_authority for child in waiting]
        + [child.placement_council for child in waiting]
        + [council for one in volunteers for council in (*(one.connected_authorities or ()), *one.areas)]
    )
    providers = columns.codes(name for child in waiting for name in child.provider or ())
    meant = may_be((name for volunteer in volunteers for name in volunteer.organisations or ()), providers)
    part_of = [tuple(one for name in person.organisations or () for one in meant[name]) for person in volunteers]
    words = {
        "ethnicity": columns.codes(person.ethnicity for person in everyone),
        "ethnicity_group": columns.codes(
            vocabulary.ethnicity_group(person.ethnicity) for person in everyone if person.ethnicity
        ),
        "language": columns.codes(
            [tag for person in everyone for tag in person.languages or ()]
            + [tag for child in waiting for tag in child.needed_languages]
        ),
        "interest": columns.codes(tag for person in everyone for tag in person.interests or ()),
        # “Any other religion” is many, and has no code.
        "religion": columns.codes(person.religion for person in everyone if person.religion != "other"),
        "need": {need.value: number for number, need in enumerate(Need)},
        "time": {time.value: number for number, time in enumerate(Time)},
    }
    child = Table(
        {
            **columns.by_type(Child, waiting),
            **columns.of_people(waiting, words),
            **columns.of_places([child.placement for child in waiting]),
            "responsible_authority": columns.coded([child.responsible_authority for child in waiting], councils),
            "placement_council": columns.coded([child.placement_council for child in waiting], councils),
            "family": columns.coded([instance.family_of.get(child.id) for child in waiting], families),
            "talks": columns.members(
                [child.needed_languages or child.languages for child in waiting], words["language"]
            ),
            "provider": columns.members([child.provider for child in waiting], providers),
            "additional_needs": columns.members([child.additional_needs for child in waiting], words["need"]),
            "residential": np.array([is_residential(child.placement_type) for child in waiting], dtype=np.bool_),
            "waits_since": columns.dates([child.waits_since for child in waiting]),
            "last_ended_by": columns.words(_last_ended_by(instance), Party),
        },
        {
            **columns.recorded(Child, waiting),
            # A family may be known from an earlier match alone; a need for a language stands for the languages spoken.
            "family": np.array([child.id in instance.family_of for child in waiting], dtype=np.bool_),
            "talks": np.array(
                [bool(child.needed_languages) or child.languages is not None for child in waiting], dtype=np.bool_
            ),
        },
    )
    row = {volunteer.id: j for j, volunteer in enumerate(volunteers)}
    history_known = np.ones(len(volunteers), dtype=np.bool_)
    for match in instance.begun:
        if match.child not in instance.family_of:
            history_known[row[match.volunteer]] = False
    volunteer = Table(
        {
            **columns.by_type(Volunteer, volunteers),
            **columns.of_people(volunteers, words),
            **columns.of_places([volunteer.home for volunteer in volunteers]),
            "connected_authorities": columns.members(
                [volunteer.connected_authorities for volunteer in volunteers], councils
            ),
            "areas": columns.members([volunteer.areas for volunteer in volunteers], councils),
            "organisations": columns.members(part_of, providers),
            "needs_trained": columns.members([volunteer.needs_trained for volunteer in volunteers], words["need"]),
            "needs_accepted": columns.members([volunteer.needs_accepted for volunteer in volunteers], words["need"]),
            "needs_experience": columns.members(
                [volunteer.needs_experience for volunteer in volunteers], words["need"]
            ),
            "has_visited": np.isin([person.id for person in volunteers], [match.volunteer for match in instance.begun]),
        },
        {**columns.recorded(Volunteer, volunteers), "families_visited": history_known},
    )
    refused: tuple[Declined | Match, ...] = (*instance.declined, *instance.begun)
    live = {(match.volunteer, match.child) for match in instance.matches if match.status is MatchStatus.CURRENT}
    waiting_row = {child.id: i for i, child in enumerate(waiting)}
    return Tables(
        instance,
        child,
        volunteer,
        visited_families=frozenset(
            (families[instance.family_of[match.child]], row[match.volunteer])
            for match in instance.begun
            if match.child in instance.family_of
        ),
        refused=frozenset(
            (waiting_row[between.child], row[between.volunteer]) for between in refused if between.child in waiting_row
        ),
        acquainted=frozenset(
            (waiting_row[child], row[volunteer.id])
            for volunteer in volunteers
            for child in volunteer.known_children or ()
            if child in waiting_row
        ),
        live_matches=np.bincount([row[volunteer] for volunteer, _ in sorted(live)], minlength=len(volunteers)).astype(
            np.int64
        ),
    )


_RESIDENTIAL = frozenset(
    {"children's home", "secure children's home", "secure unit", "residential school", "residential care home"}
)


def is_residential(placement_type: str | None) -> bool:
    """Whether what is recorded of a placement is a residential setting; False where nothing is."""
    told = (placement_type or "").casefold().replace("’", "'")
    return told in _RESIDENTIAL or told.startswith("residential")


def _last_ended_by(instance: Instance) -> list[Party | None]:
    """Who ended the last match of each child who waits; None where there was none, or it is not recorded."""
    last: dict[str, Match] = {}
    for match in instance.matches:
        if match.status is MatchStatus.ENDED:
            before = last.get(match.child, match)
            last[match.child] = max(before, match, key=lambda one: one.ended_on or date.min)
    return [last[child.id].ended_by if child.id in last else None for child in instance.waiting]
