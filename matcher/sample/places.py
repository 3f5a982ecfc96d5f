"""Where the people of a sample live: real outcodes, as far from home as the published tables say.

Outcodes are chosen at random among those in question, whatever number of people live there: no figure says more.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from matcher.geography import METRES_PER_MILE, council_name, distance_metres

NEAR_MILES = 20
"""What the Department for Education's table of distances divides at."""

# Districts with higher numbers are, with few exceptions, addresses of large firms and sorting offices: NN99, LE87.
_HIGHEST_DISTRICT = 75


class SamplePlaces:
    """Outcodes of England around a county, given the ONS codes of its councils."""

    def __init__(self, councils: Collection[str]) -> None:
        table = files("matcher").joinpath("geography_data", "outcodes.csv").read_text("utf-8").splitlines()
        rows = [row for row in csv.DictReader(table) if row["council"].startswith("E") and _lived_in(row["outcode"])]
        self._outcodes = [row["outcode"] for row in rows]
        self._council_of = {row["outcode"]: row["council"] for row in rows}
        self._councils = np.array([row["council"] for row in rows])
        self._homes = np.flatnonzero(np.isin(self._councils, sorted(councils)))
        points = np.array([(float(row["latitude"]), float(row["longitude"])) for row in rows])
        latitude, longitude = points.T
        # (homes, outcodes)
        self._metres = distance_metres(latitude[self._homes, None], longitude[self._homes, None], latitude, longitude)
        self._cells: dict[tuple[str, str, str, int], list[dict[str, int]]] = {}

    @cached_property
    def homes(self) -> list[str]:
        """The outcodes of the county."""
        return [self._outcodes[place] for place in self._homes]

    def neighbours(self, miles: int) -> list[str]:
        """The outcodes outside the county within so many miles of one inside."""
        near = np.flatnonzero((self._metres <= miles * METRES_PER_MILE).any(axis=0))
        return [self._outcodes[place] for place in near if place not in self._homes]

    def council(self, outcode: str) -> str:
        """The name of the council in which most of the outcode lies."""
        return council_name(self._council_of[outcode])

    def placements(
        self, authority: str, boundary: str, distance: str, furthest_miles: int
    ) -> Sequence[Mapping[str, int]]:
        """For each home in the council that has any: the outcodes that a child may be placed in, with weights.

        `boundary` is "inside" or "outside" the council's, `distance` is "near", within 20 miles of home, or "far". An
        outcode weighs the less the farther, by the square. Where no two outcodes of a council are 20 miles apart, those
        farthest from home stand for the far ones inside.
        """
        key = authority, boundary, distance, furthest_miles
        if key not in self._cells:
            inside = (self._councils == authority) == (boundary == "inside")
            self._cells[key] = self._weighed(authority, inside, distance == "far", furthest_miles)
        return self._cells[key]

    def _weighed(self, authority: str, allowed: NDArray[np.bool_], far: bool, furthest: int) -> list[dict[str, int]]:
        metres = self._metres[self._councils[self._homes] == authority]
        in_reach = metres <= furthest * METRES_PER_MILE
        chosen = allowed & in_reach & ((metres > NEAR_MILES * METRES_PER_MILE) == far)
        if not chosen.any():
            within = np.where(allowed, metres, -1)
            chosen = within == within.max(axis=1, keepdims=True)
        weights = 1_000_000 // (1 + np.floor(metres / METRES_PER_MILE).astype(np.int64)) ** 2
        found: dict[int, dict[str, int]] = {}
        for home, place in np.argwhere(chosen).tolist():
            found.setdefault(home, {})[self._outcodes[place]] = int(weights[home, place])
        return list(found.values())


def _lived_in(outcode: str) -> bool:
    number = re.search(r"\d+", outcode)
    return number is not None and int(number[0]) <= _HIGHEST_DISTRICT
