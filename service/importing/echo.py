"""What an import would do, as pages and programs are told it: in references, fields and sentences."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from matcher.errors import Problem
from matcher.reading.sheets import CHILDREN, VOLUNTEERS
from matcher.records import Child, Volunteer


@dataclass(frozen=True)
class Change:
    """One field of which the file says something else: what Kith holds, and what the file says."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Changed:
    """One record that is here already and would change."""

    sheet: str
    reference: str
    changes: tuple[Change, ...]
    id: str = ""
    """The opaque id of a child or a volunteer."""

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(one.field for one in self.changes)


@dataclass(frozen=True)
class New:
    """One record that is not here yet."""

    sheet: str
    reference: str
    facts: Mapping[str, Any]
    """What the file says of it, by field; what it leaves blank is not there."""
    children: tuple[str, ...]
    """References of the children of whom it tells."""


@dataclass(frozen=True)
class Weaker:
    """A safeguard that the file would take away, and the key by which somebody says that it may."""

    sheet: str
    reference: str
    field: str
    sentence: str
    before: Any = None
    after: Any = None
    adds: bool = False
    """Whether it takes nothing away that is here, and is told since a manager's word is in it."""
    children: tuple[str, ...] = ()
    """References of the children of whom it speaks. Where it speaks of several, who are new, `reference` is ""."""
    each: tuple[str, ...] = ()
    """Of each of these a sentence, where there is more to say than who they are."""

    @property
    def key(self) -> str:
        """Of all that it says and of whom: two exceptions of one volunteer are confirmed one by one."""
        said = "|".join((self.sheet, self.reference, self.field, self.sentence, *self.children, *self.each))
        return hashlib.sha256(said.encode()).hexdigest()[:16]


MOST_ABSENT = 50
"""People of whom a file says nothing who are named, of each sheet."""
MOST_WEAKER = 100
"""Safeguards that one import may weaken."""


@dataclass(frozen=True)
class Echo:
    """What an import would do, in references and fields. Every mapping is by the name of the sheet."""

    added: tuple[New, ...]
    changed: tuple[Changed, ...]
    weaker: tuple[Weaker, ...]
    same: Mapping[str, int]
    absent: Mapping[str, Mapping[str, str]]
    """The ids of children and volunteers who are here, by reference, and of whom the files say nothing: they stay."""
    notes: tuple[Problem, ...] = ()
    """What there is to say of rows that are taken in as they are."""
    likely: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The children who are here of whom notes tell, by the reference of the one who is new and may be the same."""

    @property
    def new(self) -> Mapping[str, int]:
        return Counter(one.sheet for one in self.added)

    def absent_of(self, sheet: str) -> Sequence[tuple[str, str]]:
        """The first of them in their order, reference and id: as many as anybody is to look through."""
        return sorted(self.absent.get(sheet, {}).items())[:MOST_ABSENT]

    @property
    def too_many(self) -> bool:
        """Whether more safeguards would weaken than anybody reads one by one: it is the wrong file."""
        return len(self.weaker) > MOST_WEAKER

    @cached_property
    def blanked(self) -> tuple[Changed, ...]:
        """The records of which a blank cell would take a recorded fact, with those facts alone."""
        told = (replace(one, changes=tuple(filter(_taken(one.sheet), one.changes))) for one in self.changed)
        return tuple(one for one in told if one.changes)


def _taken(sheet: str) -> Callable[[Change], bool]:
    record = {CHILDREN.name: Child, VOLUNTEERS.name: Volunteer}.get(sheet)
    if record is None:
        return lambda _: False
    blank = {one.name: one.default for one in fields(record)}
    return lambda one: one.after == blank[one.field] != one.before


def named_in(one: Changed, fields: Collection[str] | None = None) -> tuple[str, ...]:
    """References of the children of whom a changed record tells; in some of its fields alone, if those are given."""
    if one.sheet == CHILDREN.name:
        return (one.reference,)
    if one.sheet == "matches":
        return (one.reference.partition(" and ")[0],)
    told = [change for change in one.changes if fields is None or change.field in fields]
    known = [value for change in told if change.field == "known_children" for value in (change.before, change.after)]
    return tuple(sorted({child for value in known for child in value or ()}))
