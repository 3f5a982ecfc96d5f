"""Places of the United Kingdom: where they are, which council they lie in, how far apart.

The tables in `geography_data/` come from the ONS postcode directory (`scripts/build_places.py` makes them; its README
names the licence). An outcode's point is the median of its postcodes and its council the one with most of them, so both
are approximate: `outcode_share` says how far the council can be relied on.

Matching reckons in whole metres by the haversine formula on a sphere, which is within 0.5 % of the ellipsoid here.
Rounding keeps the last bit of a processor's sine from changing a plan. What people read is `shown_distance_miles`.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matcher.errors import NotFoundError
from matcher.records import Place

METRES_PER_MILE = 1609.344
EARTH_RADIUS_METRES = 6_371_008.8  # the mean radius of the International Union of Geodesy and Geophysics

SOUTH, NORTH, WEST, EAST = 49.8, 60.9, -8.7, 1.8  # Scilly, Unst, Fermanagh (and St Kilda), Lowestoft

Metres = NDArray[np.int64]
Positions = NDArray[np.int64]
_Floats = NDArray[np.float64]

_DATA = Path(__file__).with_name("geography_data")
_OUTCODE = r"[A-Z]{1,2}[0-9][0-9A-Z]?"
_UNIT = "[ABD-HJLNP-UW-Z]{2}"  # the last two letters of a postcode are never C, I, K, M, O or V
_POSTCODE = re.compile(rf"({_OUTCODE})(?:\s*([0-9]{_UNIT})|\s+([0-9]))?")  # a sector, NN1 4, needs its space
_POINT = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?)(?:\s*[,;]\s*|\s+)([+-]?[0-9]+(?:\.[0-9]+)?)")

# What councils call themselves besides their name. “City of London” keeps its “city”: London alone is 33 councils.
_COUNCIL_WORDS = re.compile(
    r"\b(london borough|royal borough|county|city(?! of london)|borough|metropolitan|district|council|corporation"
    r"|[lrm]b|[cb]c|[lmc]bc|mdc|the|of|and)\b"
)

_PAIRS_AT_ONCE = 1 << 18  # of pairs in one chunk: some 30 MB
_PAIRS_WORTH_A_TREE = 1 << 21  # below this all pairs are reckoned in less time than SciPy takes to import


class _Outcode(NamedTuple):
    latitude: float
    longitude: float
    council: str
    share: int


def find_place(text: str) -> Place:
    """The place that an outcode (NN1), a postcode (NN1 4AB, nn14ab) or a point (52.24, -0.90) names.

    A postcode or a sector (NN1 4) stands at its outcode's point, and says so: its precision is "outcode".
    A point is latitude and longitude in degrees, WGS84; its council is None, not known.
    NotFoundError: no such postcode district, or a point outside the United Kingdom.
    """
    point = _POINT.fullmatch(text.strip().replace("−", "-"))
    if point:
        latitude, longitude = map(float, point.groups())
        if not (SOUTH <= latitude <= NORTH and WEST <= longitude <= EAST):
            raise NotFoundError(
                f"“{text}” is a point outside the United Kingdom. "
                "Write the latitude first, then the longitude, in degrees, such as 52.24, -0.90."
            )
        return Place(f"{latitude}, {longitude}", latitude, longitude, "point")
    tidy, outcode = _find_outcode(text)
    return Place(tidy, outcode.latitude, outcode.longitude, "outcode", outcode.council)


def outcode_share(text: str) -> int | None:
    """How many in a hundred postcodes of the outcode lie in the council that `find_place` gives, rounded down.

    100 means all of them; None is the answer for a point. NotFoundError as `find_place`.
    """
    if find_place(text).precision == "point":
        return None
    return _find_outcode(text)[1].share


def find_council(text: str) -> str:
    """The ONS code of the upper-tier council with this name, or with this present or former code.

    “West Northamptonshire Council”, “LB Camden”, “Brighton & Hove” and “E08000016” (a former code of Barnsley) are
    understood. NotFoundError: no council goes by it; the sentence suggests up to three.
    """
    known = _council_keys()
    key = _council_key(text)
    if key in known:
        return known[key]

    from rapidfuzz import fuzz, process  # only a mistake needs it

    near = process.extract(key, list(known), scorer=fuzz.WRatio, limit=9, score_cutoff=75)
    codes = list(dict.fromkeys(known[name] for name, _, _ in near))[:3]
    suggestions = "; ".join(f"{council_name(code)} ({code})" for code in codes)
    remedy = f"Did you mean {suggestions}?" if codes else "Write a name such as Surrey, or a code such as E10000030."
    raise NotFoundError(f"“{text}” is not the name or the ONS code of an upper-tier council. {remedy}")


def councils() -> tuple[str, ...]:
    """The name of every upper-tier council, sorted."""
    return tuple(sorted(_council_names().values()))


def council_name(code: str) -> str:
    """The name of the council with this present ONS code. NotFoundError: no council has it."""
    try:
        return _council_names()[code]
    except KeyError:
        raise NotFoundError(
            f"“{code}” is not the ONS code of an upper-tier council. Write a code such as E10000030."
        ) from None


def distance_metres(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Metres:
    """Great-circle distances in whole metres between points in degrees; the four arrays broadcast together.

    -1, not known, where a coordinate is NaN.
    """
    phi1, lambda1, phi2, lambda2 = (np.radians(np.asarray(each, dtype=np.float64)) for each in (lat1, lon1, lat2, lon2))
    haversine = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin((lambda2 - lambda1) / 2) ** 2
    metres = np.rint(2 * EARTH_RADIUS_METRES * np.arcsin(np.sqrt(np.minimum(haversine, 1))))
    return np.where(np.isnan(metres), -1, metres).astype(np.int64)


def within_reach(
    lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike, reach_metres: int
) -> tuple[Positions, Positions, Metres]:
    """Every pair of a first point (arrays of length n) and a second (length m) at most `reach_metres` apart.

    Returns (i, j, metres), sorted by i, then j; `metres` is what `distance_metres` gives and decides what is in reach.
    A point with a NaN coordinate is in nobody's reach. Besides the answer, memory stays below some 50 MB.
    """
    first, second = _points(lat1, lon1), _points(lat2, lon2)
    chunks = _near_by_tree if len(first) * len(second) > _PAIRS_WORTH_A_TREE else _near_directly
    found = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))]
    for i, j in chunks(first, second, reach_metres):
        metres = distance_metres(first[i, 0], first[i, 1], second[j, 0], second[j, 1])
        kept = (metres >= 0) & (metres <= reach_metres)
        found.append((i[kept], j[kept], metres[kept]))
    i, j, metres = (np.concatenate(column) for column in zip(*found, strict=True))
    return i, j, metres


def shown_distance_miles(a: Place, b: Place) -> float:
    """Miles on the WGS84 ellipsoid with one decimal, for people to read. Slow (0.1 ms): never over all pairs."""
    from geopy.distance import geodesic  # takes 0.1 s to import

    distance = geodesic((a.latitude, a.longitude), (b.latitude, b.longitude))  # type: ignore[no-untyped-call]
    return round(float(distance.miles), 1)


def _find_outcode(text: str) -> tuple[str, _Outcode]:
    """The postcode in its usual spelling, and what is known of its outcode."""
    written = _POSTCODE.fullmatch(text.strip().upper())
    outcode = _outcodes().get(written[1]) if written else None
    if written is None or outcode is None:
        raise NotFoundError(
            f"“{text}” is not a postcode district in the United Kingdom. "
            "Write an outcode such as NN1, a full postcode, or a latitude and longitude."
        )
    return " ".join(filter(None, written.groups())), outcode


def _points(latitude: ArrayLike, longitude: ArrayLike) -> _Floats:
    return np.column_stack((np.asarray(latitude, dtype=np.float64), np.asarray(longitude, dtype=np.float64)))


def _near_directly(first: _Floats, second: _Floats, _reach_metres: int) -> Iterator[tuple[Positions, Positions]]:
    """All pairs, chunk by chunk."""
    for rows in _row_chunks(len(first), len(second)):
        i, j = np.meshgrid(rows, np.arange(len(second)), indexing="ij")
        yield i.ravel(), j.ravel()


def _near_by_tree(first: _Floats, second: _Floats, reach_metres: int) -> Iterator[tuple[Positions, Positions]]:
    """The pairs in reach and a few more, chunk by chunk, from k-d trees of the points on the unit sphere.

    On a sphere a chord grows with its arc, so a ball around a point holds exactly what is in reach.
    """
    from scipy.spatial import cKDTree  # takes 0.3 s to import

    angle = np.clip((reach_metres + 1) / EARTH_RADIUS_METRES, 0, np.pi)  # a metre more: the rounded distance decides
    chord = 2 * np.sin(angle / 2)
    known1, known2 = (np.flatnonzero(~np.isnan(points).any(axis=1)) for points in (first, second))
    tree = cKDTree(_on_unit_sphere(second[known2]))
    for rows in _row_chunks(len(known1), len(known2)):
        near = cKDTree(_on_unit_sphere(first[known1[rows]])).sparse_distance_matrix(tree, chord, output_type="ndarray")
        i, j = known1[rows[near["i"]]], known2[near["j"]]
        order = np.lexsort((j, i))
        yield i[order], j[order]


def _on_unit_sphere(points: _Floats) -> _Floats:
    phi, lambda_ = np.radians(points).T
    return np.column_stack((np.cos(phi) * np.cos(lambda_), np.cos(phi) * np.sin(lambda_), np.sin(phi)))


def _row_chunks(rows: int, columns: int) -> Iterator[Positions]:
    step = max(1, _PAIRS_AT_ONCE // max(1, columns))
    for start in range(0, rows, step):
        yield np.arange(start, min(start + step, rows))


def _read(name: str) -> list[dict[str, str]]:
    with (_DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _outcodes() -> dict[str, _Outcode]:
    return {
        row["outcode"]: _Outcode(float(row["latitude"]), float(row["longitude"]), row["council"], int(row["share"]))
        for row in _read("outcodes.csv")
    }


@cache
def _council_names() -> dict[str, str]:
    return {row["code"]: row["name"] for row in _read("councils.csv")}


@cache
def _council_keys() -> dict[str, str]:
    """Code by everything that a council goes by: its name, its code, its former codes and its other names."""
    return {
        _council_key(known): row["code"]
        for row in _read("councils.csv")
        for known in (row["name"], row["code"], *filter(None, row["also"].split(";")))
    }


def _council_key(text: str) -> str:
    """What is left of a name without case, accents, punctuation and the words that most councils share."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("'", "").replace("’", ""))
    letters = "".join(char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    return " ".join(_COUNCIL_WORDS.sub(" ", " ".join(letters.split())).split())
