"""The map of a shortlist: where the volunteers live around the child, as points of one small picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, ceil, cos, degrees, pi, radians, sin

from matcher.geography import METRES_PER_MILE
from matcher.records import Child, Place, Volunteer

SIZE = 360
"""The picture is a square of so many units, the child in the middle."""
_EDGE = 26
_WINDS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


@dataclass(frozen=True)
class Spot:
    """One volunteer on the map."""

    rank: int
    x: float
    y: float
    wind: str
    """In which direction of the child: north-east."""


@dataclass(frozen=True)
class Map:
    spots: Sequence[Spot]
    rings: Sequence[tuple[int, float]]
    """Miles and radius of each circle."""


def picture(child: Child, ranked: Sequence[tuple[int, Volunteer]]) -> Map | None:
    """None where the child's placement is not recorded, or nobody is on the list. Directions are from the child."""
    if child.placement is None:
        return None
    placed = [(rank, *_miles(child.placement, one.home)) for rank, one in ranked if one.home is not None]
    if not placed:
        return None
    farthest = max(max((east**2 + north**2) ** 0.5 for _, east, north in placed), 1.0)
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if ceil(farthest / step) <= 3)
    scale = (SIZE / 2 - _EDGE) / (step * ceil(farthest / step))
    spots: list[Spot] = []
    for rank, east, north in placed:
        x, y = SIZE / 2 + east * scale, SIZE / 2 - north * scale
        turn = 0
        # Who lives in one postcode district stands at one point: they are moved apart so that each can be read.
        while any((x - one.x) ** 2 + (y - one.y) ** 2 < 20**2 for one in spots) or (
            (x - SIZE / 2) ** 2 + (y - SIZE / 2) ** 2 < 20**2
        ):
            reach = 14 + 4 * turn
            x = SIZE / 2 + east * scale + reach * cos(turn * pi / 3 + 1)
            y = SIZE / 2 - north * scale + reach * sin(turn * pi / 3 + 1)
            turn += 1
        wind = _WINDS[round(degrees(atan2(east, north)) / 45) % 8] if east or north else "same district"
        spots.append(Spot(rank, round(x, 1), round(y, 1), wind))
    rings = [(step * ring, round(step * ring * scale, 1)) for ring in range(1, ceil(farthest / step) + 1)]
    return Map(spots, rings)


def _miles(here: Place, there: Place) -> tuple[float, float]:
    """How far east and north, on a plane: exact enough within a county."""
    degree = 111_195 / METRES_PER_MILE
    east = (there.longitude - here.longitude) * degree * cos(radians(here.latitude))
    return east, (there.latitude - here.latitude) * degree
