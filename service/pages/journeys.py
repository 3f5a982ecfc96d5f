"""Maps as small pictures: the volunteers of a shortlist around the child; a plan from district to district."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import atan2, ceil, cos, degrees, pi, radians, sin, sqrt
from typing import Any, ClassVar

from matcher.geography import METRES_PER_MILE
from matcher.instance import Instance
from matcher.records import Child, Place, Volunteer
from service.pages import facts

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
        wind = _WINDS[round(degrees(atan2(east, north)) / 45) % 8] if east or north else "–"
        spots.append(Spot(rank, round(x, 1), round(y, 1), wind))
    rings = [(step * ring, round(step * ring * scale, 1)) for ring in range(1, ceil(farthest / step) + 1)]
    return Map(spots, rings)


def _miles(here: Place, there: Place) -> tuple[float, float]:
    """How far east and north, on a plane: exact enough within a county."""
    degree = 111_195 / METRES_PER_MILE
    east = (there.longitude - here.longitude) * degree * cos(radians(here.latitude))
    return east, (there.latitude - here.latitude) * degree


# ---- a plan ----------------------------------------------------------------------------------------------------------

WIDTH, TALLEST = 620, 560
"""The picture of a plan is so wide, and at most so high."""
_LETTER = 8.5
_BIGGEST = 17
LABEL_BELOW = 13
"""From the edge of a disc to the foot of its name."""
_WIDEST = 6
_STEPS = (1, 2, 5, 10, 20, 50, 100)
"""Miles that a scale may be long."""


@dataclass(frozen=True)
class District:
    """What a plan does in one postcode district."""

    name: str
    matched: int
    """Children who live there and are proposed a volunteer."""
    left: int
    """Children who live there and wait on."""
    visitors: int
    """Volunteers who live there and are proposed to a child."""
    sources: Sequence[tuple[str, int]]
    """The districts from which the visitors of its children come, and how many."""
    x: float = 0
    y: float = 0
    shown: bool = True
    """Whether it is on the picture, and not too far away."""
    labelled: bool = False

    @property
    def children(self) -> int:
        return self.matched + self.left


@dataclass(frozen=True)
class PlanMap:
    districts: Sequence[District]
    """Those with most children first."""
    lines: Sequence[tuple[District, District, int]]
    """From a volunteer's district to a child's, for so many matches."""
    height: float
    """In the units of WIDTH."""
    scale_miles: int
    scale: float
    """How long so many miles are."""
    biggest: int
    """The most children of one district."""

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def paths(self) -> Mapping[int, str]:
        """All lines of one width as one path, by width: the lines of a region are thousands."""
        told: dict[int, str] = defaultdict(str)
        for source, target, number in self.lines:
            told[min(1 + number, _WIDEST)] += f"M{source.x} {source.y}L{target.x} {target.y}"
        return told

    label_below: ClassVar[int] = LABEL_BELOW

    def radius(self, number: int) -> float:
        return _radius(number, self.biggest)


def of_plan(instance: Instance, plan: Mapping[str, Any]) -> PlanMap | None:
    """The pairs of a plan, as its JSON has them, between the districts where both live today.

    None where no district is recorded. Who is recorded as a point on the map, or not at all, is not on it: a picture of
    districts shows nobody's address.
    """
    homes = {one.id: one.placement for one in instance.children} | {one.id: one.home for one in instance.volunteers}
    where = {id: facts.place(place) for id, place in homes.items() if place and place.precision != "point"}
    pairs = [(one["child"], one["volunteer"]) for one in plan["matches"]]
    matched = Counter(where[child] for child, _ in pairs if child in where)
    left = Counter(where[one["child"]] for one in plan["unmatched"] if one["child"] in where)
    visitors = Counter(where[volunteer] for _, volunteer in pairs if volunteer in where)
    between = Counter((where[v], where[c]) for c, v in pairs if c in where and v in where)
    sources: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for (source, target), number in sorted(between.items(), key=lambda one: (-one[1], one[0])):
        sources[target].append((source, number))
    names = {*matched, *left, *visitors}
    if not names:
        return None
    middle = _middles((where[id], place) for id, place in homes.items() if place and where.get(id) in names)
    frame = _Frame.around([middle[name] for name in {*matched, *visitors} or names])
    found = [
        District(name, matched[name], left[name], visitors[name], sources.get(name, ()), *frame.at(*middle[name]))
        for name in sorted(names, key=lambda name: (-matched[name] - left[name], name))
    ]
    biggest = max(1, *(one.children for one in found))
    by_name = {one.name: one for one in _labelled(found, frame.height, biggest)}
    lines = [
        (by_name[source], by_name[target], number)
        for (source, target), number in between.items()
        if source != target and by_name[source].shown and by_name[target].shown
    ]
    miles = next((step for step in reversed(_STEPS) if step * frame.mile <= WIDTH / 4), _STEPS[0])
    return PlanMap(tuple(by_name.values()), lines, frame.height, miles, round(miles * frame.mile, 1), biggest)


def _middles(places: Iterable[tuple[str, Place]]) -> Mapping[str, tuple[float, float]]:
    """The middle of each district, of the places that are known in it: east and north in degrees."""
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, place in places:
        points[name].append((place.longitude, place.latitude))
    return {
        name: (sum(e for e, _ in all) / len(all), sum(n for _, n in all) / len(all)) for name, all in points.items()
    }


@dataclass(frozen=True)
class _Frame:
    """The part of the country that the picture shows, on a plane."""

    west: float
    north: float
    east_unit: float
    """Units a degree, to the east and to the north."""
    north_unit: float
    height: float

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]]) -> _Frame:
        east, north = [one for one, _ in points], [one for _, one in points]
        narrow = cos(radians((min(north) + max(north)) / 2))
        wide, high = max((max(east) - min(east)) * narrow, 0.02), max(max(north) - min(north), 0.02)
        inner = WIDTH - 4 * _EDGE
        unit = min(inner / wide, (TALLEST - 4 * _EDGE) / high)
        height = max(high * unit + 4 * _EDGE, WIDTH / 2)
        spare = (WIDTH - wide * unit) / 2 / (unit * narrow), (height - high * unit) / 2 / unit
        return cls(min(east) - spare[0], max(north) + spare[1], unit * narrow, unit, round(height, 1))

    @property
    def mile(self) -> float:
        """Units a mile."""
        return self.north_unit / (111_195 / METRES_PER_MILE)

    def at(self, east: float, north: float) -> tuple[float, float, bool]:
        """Where a point is, and whether that is within the picture."""
        x, y = (east - self.west) * self.east_unit, (self.north - north) * self.north_unit
        return (
            round(x, 1),
            round(y, 1),
            _EDGE / 2 <= x <= WIDTH - _EDGE / 2 and _EDGE / 2 <= y <= self.height - _EDGE / 2,
        )


def _labelled(districts: Sequence[District], height: float, biggest: int) -> list[District]:
    """The same, with a label at each whose name covers no other and nobody's disc: those with most children first."""
    taken: list[tuple[float, float]] = []
    told = []
    for one in districts:
        half, below = _LETTER * len(one.name) / 2, one.y + _radius(one.children, biggest) + LABEL_BELOW
        free = all(abs(one.x - x) > 2 * half + 6 or abs(below - y) > 15 for x, y in taken)
        free &= not any(
            abs(one.x - other.x) < half + size and abs(below - 4 - other.y) < 6 + size
            for other in districts
            if other is not one and other.shown
            for size in [_radius(other.children, biggest) or 4]
        )
        labelled = one.shown and free and half < one.x < WIDTH - half and below < height - 17
        if labelled:
            taken.append((one.x, below))
        told.append(replace(one, labelled=labelled))
    return told


def _radius(number: int, biggest: int) -> float:
    """Of a disc whose area tells a number of children."""
    return round(max(3.5, _BIGGEST * sqrt(number / biggest)), 1) if number else 0
