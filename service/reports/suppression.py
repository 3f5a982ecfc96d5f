"""Which numbers of a table are told as a range, so that no small one can be worked out from the rest.

A table has a row for each group, a column for each way in which people can stand, and the total of each row. The
totals of the columns are known from elsewhere, and are always told. A number from 1 to 4 is told as just that. Alone it
is not enough: 12 - 9 is 3. So others go with it, as few and as small as do, until each of the small ones could be
another number than it is, as far as anybody can tell who knows all that is told. Of those others the range is told in
which anybody could place them anyway: a large group beside a small one reads "56 to 59", and is not lost.

How that is known: let the numbers told as ranges be edges between their row and their column. One of them can be one
more or one less exactly if a way leads from its column back to its row along such edges that can be one less and one
more in turn. The table is a network of whole numbers, so what cannot be moved by one cannot be moved at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence

from service.reports.figures import Between

SMALL = 5
"""Fewer are not told, unless there are none at all."""
FEW = Between(1, SMALL - 1)
TOO_FEW = "These numbers are so small that they would tell of single people: they are not told."

Place = tuple[int, int]
"""Row and column, from 0; the column after the last is the row's total."""


def few(count: int) -> int | Between:
    """A number of which nothing else that is told is a sum, a part or the rest."""
    return FEW if 0 < count < SMALL else count


def part(count: int, whole: int) -> int | Between:
    """How many of a whole that is told, and is no small number itself: few are told as few, and so is the rest.

    All that read alike are in the range: 37 of 40 is told as 36 to 39, as the rest is one from 1 to 4.
    """
    rest = whole - count
    if not count or not rest:
        return count
    if whole == SMALL + 1:  # beside 1 to 4 a 5 alone would be left
        return Between(1, SMALL)
    return Between(max(SMALL, whole - FEW.highest), whole - 1) if rest < SMALL <= count else few(count)


def ranges(counts: Sequence[Sequence[int]]) -> Mapping[Place, Between] | None:
    """The places whose numbers are told as ranges, each with its own; None if nothing protects the small ones.

    Args:
        counts: a row a group, a column a way to stand; all rows equally long. Totals of rows are places besides.
    """
    total = len(counts[0]) if counts else 0
    edges = {(row, at): count for row, cells in enumerate(counts) for at, count in enumerate((*cells, sum(cells)))}
    edges = {place: count for place, count in edges.items() if count}
    small = sorted(place for place, count in edges.items() if count < SMALL)
    chosen = set(small)
    for place in small:
        way = _way(place, edges, chosen, total)
        if way is None:
            return None
        chosen |= set(way)
    for place in sorted(chosen.difference(small), key=lambda place: (-edges[place], place)):
        others = {one: edges[one] for one in chosen if one != place}
        if all(_way(one, others, others, total) is not None for one in small):  # later ones made it needless
            chosen.remove(place)
    told = {place: edges[place] for place in chosen}
    return {
        place: FEW if count < SMALL else Between(_far(place, told, -1, total), _far(place, told, 1, total))
        for place, count in told.items()
    }  # fmt: skip


def _way(
    place: Place, edges: Mapping[Place, int], chosen: Collection[Place], total: int
) -> tuple[Place, ...] | None:  # fmt: skip
    """What else has to be told as ranges, so that the number at a place could be another: as little as does."""
    found = [
        way
        for change in (1, -1)
        if _room(place, edges[place], change, total)
        and (way := _back(place, change, edges, chosen, total)) is not None
    ]  # fmt: skip
    return min(found)[1] if found else None


def _room(place: Place, count: int, change: int, total: int) -> int:
    """How far a number can go, as far as anybody knows. A row's total counts against its cells: it goes the other way.

    Whether a number is small is told, so it stays small or stays large.
    """
    if (change > 0) is (place[1] != total):
        return FEW.highest - count if count < SMALL else _NO_END
    return count - (FEW.lowest if count < SMALL else SMALL)


_NO_END = 1_000_000_000
"""More people than any authority has."""


def _back(
    place: Place, change: int, edges: Mapping[Place, int], chosen: Collection[Place], total: int
) -> tuple[int, tuple[Place, ...]] | None:  # fmt: skip
    """The cheapest way from the column of a place back to its row: what it costs, and the places it passes in turn."""
    start, goal = ("column", place[1]), ("row", place[0])
    queue: list[tuple[int, tuple[str, int], tuple[Place, ...]]] = [(0, start, ())]
    seen = set()
    while queue:
        cost, node, way = heapq.heappop(queue)
        if node == goal:
            return cost, way
        if node in seen:
            continue
        seen.add(node)
        kind, number = node
        turn = -change if kind == "column" else change
        for edge, count in edges.items():
            if edge == place or edge[kind == "column"] != number or not _room(edge, count, turn, total):
                continue
            other = ("row", edge[0]) if kind == "column" else ("column", edge[1])
            heapq.heappush(queue, (cost + (0 if edge in chosen else count), other, (*way, edge)))
    return None


def _far(place: Place, told: Mapping[Place, int], direction: int, total: int) -> int:
    """The least (-1) or the most (1) that the number at a place could be, for whoever knows all that is told."""
    counts = dict(told)
    change = -direction if place[1] == total else direction
    while (room := _room(place, counts[place], change, total)) and (
        found := _back(place, change, counts, counts, total)
    ):
        turns = [(place, change), *((one, change * (-1) ** at) for at, one in enumerate(found[1], 1))]
        far = min(room, *(_room(one, counts[one], turn, total) for one, turn in turns))
        for one, turn in turns:
            counts[one] += far * (-turn if one[1] == total else turn)
    return counts[place]
