"""What lists of people share: pages of a list, and the search by reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from matcher.references import bare

Line = TypeVar("Line")
SIZE = 25
"""Lines on a page."""
LONG = 50
"""Lines on a page of a list that somebody asked for whole."""


@dataclass(frozen=True)
class Page(Generic[Line]):
    """One page of a list."""

    lines: Sequence[Line]
    total: int
    number: int
    query: Mapping[str, str]
    """The filters, as the address has them."""
    size: int = SIZE
    path: str = ""
    """Where the other pages stand, if not at the address of this one."""

    @classmethod
    def of(cls, every: Sequence[Line], number: int, query: Mapping[str, str]) -> Page[Line]:
        return cls.made(len(every), lambda skip, top: every[skip : skip + top], number, query)

    @classmethod
    def made(
        cls, total: int, make: Callable[[int, int], Sequence[Line]], number: int, query: Mapping[str, str],
        size: int = SIZE,
    ) -> Page[Line]:  # fmt: skip
        """Of a list of which no line is made but those of the page: `make` passes over so many, and makes so many."""
        number = min(number, max(1, -(-total // size)))
        return cls(make((number - 1) * size, size), total, number, query, size)

    @property
    def first(self) -> int:
        return (self.number - 1) * self.size + 1

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // self.size))

    @property
    def links(self) -> dict[str, Any] | None:
        """As the design system's pagination takes them; None where one page is enough."""
        last = self.last
        if last < 2:
            return None
        near = {1, last, self.number - 1, self.number, self.number + 1} & set(range(1, last + 1))
        items: list[dict[str, Any]] = []
        for number in sorted(near):
            if items and number - items[-1].get("number", number) > 1:
                items.append({"ellipsis": True})
            items.append({"number": number, "href": self.address(number), "current": number == self.number})
        links: dict[str, Any] = {"items": items}
        if self.number > 1:
            links["previous"] = {"href": self.address(self.number - 1)}
        if self.number < last:
            links["next"] = {"href": self.address(self.number + 1)}
        return links

    def address(self, number: int) -> str:
        return f"{self.path}?" + urlencode({**self.query, "page": number})


def named(references: Mapping[str, str], letter: str, asked: str) -> str | None:
    """The id of the child (C) or the volunteer (V) whose reference was asked for, in any capitals."""
    wanted = asked.strip().casefold()
    found = (id for id, reference in references.items() if id[0] == letter and reference.casefold() == wanted)
    return next(found, None)


def nearly(references: Mapping[str, str], people: Iterable[str], asked: str) -> list[str]:
    """The ids of those of these people who may be meant: c2 and C-02 are C0002 but for what a hand changes.

    They are offered, and a person says whether it is them: nobody's page is opened by a guess.
    """
    meant = bare(asked.strip())
    return sorted((id for id in people if bare(references[id]) == meant), key=lambda id: references[id])
