"""Which numbers of a table are hidden, so that no small one can be worked out from the rest.

A table has a row for each group, a column for each way in which children can stand, and the total of each row. The
totals of the columns are known from elsewhere, and are never hidden. A number from 1 to 4 is hidden. That alone is not
enough: 12 - 9 is 3. So others are hidden with it, the smallest that do, until each of the small ones could be another
number than it is, as far as anybody can tell who knows all that is shown, and even that what is hidden is not nothing.

How that is known: let the hidden numbers be edges between their row and their column. One of them can be one more or
one less exactly if a way leads from its column back to its row along hidden edges that can be one less and one more in
turn. The table is a network of whole numbers, so what cannot be moved by one cannot be moved at all.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

SMALL = 5
"""Fewer are not told, unless there are none at all."""

Place = tuple[int, int]
"""Row and column, from 0; the column after the last is the row's total."""


def hidden(counts: Sequence[Sequence[int]]) -> frozenset[Place] | None:
    """The places to hide in a table of counts, its rows' totals included; None if hiding some is not enough.

    Args:
        counts: a row a group, a column a way to stand; all rows equally long.
    """
    width = len(counts[0]) if counts else 0
    edges = {(row, at): count for row, cells in enumerate(counts) for at, count in enumerate((*cells, sum(cells)))}
    edges = {place: count for place, count in edges.items() if count}
    small = sorted(place for place, count in edges.items() if count < SMALL)
    hide = set(small)
    for place in small:
        way = _way(place, edges, hide, width)
        if way is None:
            return None
        hide |= way
    return frozenset(hide)


def _way(place: Place, edges: Mapping[Place, int], hide: set[Place], total: int) -> set[Place] | None:
    """What has to be hidden besides, so that the number at a place could be another: as little as does."""
    found = [
        way
        for change in (1, -1)
        if _can(place, edges[place], change, total) and (way := _back(place, change, edges, hide, total)) is not None
    ]
    return min(found, key=lambda way: (way[0], sorted(way[1])))[1] if found else None


def _can(place: Place, count: int, change: int, total: int) -> bool:
    """Whether a hidden number can go that way. A row's total counts against its cells: it goes the other way."""
    return count > 1 or (change > 0) is not (place[1] == total)


def _back(
    place: Place, change: int, edges: Mapping[Place, int], hide: set[Place], total: int
) -> tuple[int, set[Place]] | None:
    """The cheapest way from the column of a place back to its row: what it costs, and what it hides."""
    start, goal = ("column", place[1]), ("row", place[0])
    queue: list[tuple[int, tuple[str, int], tuple[Place, ...]]] = [(0, start, ())]
    seen = set()
    while queue:
        cost, node, way = heapq.heappop(queue)
        if node == goal:
            return cost, set(way)
        if node in seen:
            continue
        seen.add(node)
        kind, number = node
        turn = -change if kind == "column" else change
        for edge, count in edges.items():
            if edge == place or edge[kind == "column"] != number or not _can(edge, count, turn, total):
                continue
            other = ("row", edge[0]) if kind == "column" else ("column", edge[1])
            heapq.heappush(queue, (cost + (0 if edge in hide else count), other, (*way, edge)))
    return None
