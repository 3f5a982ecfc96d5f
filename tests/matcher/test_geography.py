import csv
import re

import numpy as np
import pytest
from geopy.distance import geodesic
from hypothesis import given
from hypothesis import strategies as st

from matcher import geography
from matcher.errors import NotFoundError
from matcher.geography import (
    METRES_PER_MILE,
    council_name,
    distance_metres,
    find_council,
    find_place,
    outcode_share,
    shown_distance_miles,
    within_reach,
)

COUNCILS = [(row["code"], row["name"], row["also"].split(";")) for row in geography._read("councils.csv")]


@pytest.mark.parametrize(
    ("outcode", "latitude", "longitude", "council"),
    [
        ("NN1", 52.24, -0.89, "E06000062"),  # West Northamptonshire, new in 2021
        ("BT1", 54.60, -5.93, "N09000003"),  # Belfast, from the Irish Grid
        ("EH1", 55.95, -3.19, "S12000036"),
        ("CF10", 51.48, -3.18, "W06000015"),
        ("GU1", 51.24, -0.57, "E10000030"),  # Guildford, a district, counts as Surrey
        ("HG1", 54.00, -1.53, "E06000065"),  # Harrogate, a district until 2023, in North Yorkshire
        ("SW1A", 51.50, -0.13, "E09000033"),
        ("S1", 53.38, -1.47, "E08000039"),
        ("TR21", 49.92, -6.31, "E06000053"),  # on Scilly, not in the sea
    ],
)
def test_known_outcodes(outcode, latitude, longitude, council):
    place = find_place(outcode)
    assert (place.text, place.precision, place.council) == (outcode, "outcode", council)
    assert (place.latitude, place.longitude) == pytest.approx((latitude, longitude), abs=0.015)


@pytest.mark.parametrize(
    ("written", "tidy"),
    [
        ("nn1", "NN1"),
        (" NN1 4AB ", "NN1 4AB"),
        ("nn14ab", "NN1 4AB"),
        ("NN14 4AB", "NN14 4AB"),
        ("NN144AB", "NN14 4AB"),
        ("NN1 4", "NN1 4"),  # a sector of NN1 …
        ("NN14", "NN14"),  # … and another outcode
        ("sw1a1aa", "SW1A 1AA"),
        ("M1\u00a01AE", "M1 1AE"),
    ],
)
def test_a_postcode_stands_at_its_outcode(written, tidy):
    place, outcode = find_place(written), find_place(tidy.split()[0])
    assert place.text == tidy
    assert (place.latitude, place.longitude, place.council) == (outcode.latitude, outcode.longitude, outcode.council)
    assert place.precision == "outcode"


@pytest.mark.parametrize("written", ["52.24, -0.90", "52.24,-0.9", "52.24 -0.90", "52.24; −0.90"])
def test_a_point_has_no_council(written):
    place = find_place(written)
    assert (place.latitude, place.longitude, place.precision, place.council) == (52.24, -0.9, "point", None)
    assert outcode_share(written) is None


@pytest.mark.parametrize(
    "written", ["NX99", "", "Northampton", "NN1 4CI", "NN 14", "JE2", "IM1", "52.24", "nan, nan", "NPT"]
)
def test_an_unknown_place_is_told(written):
    for ask in (find_place, outcode_share):
        with pytest.raises(NotFoundError) as error:
            ask(written)
        assert str(error.value) == (
            f"“{written}” is not a postcode district in the United Kingdom. "
            "Write an outcode such as NN1, a full postcode, or a latitude and longitude."
        )


@pytest.mark.parametrize("written", ["-0.90, 52.24", "48.86, 2.35", "0, 0"])
def test_a_point_elsewhere_is_told(written):
    with pytest.raises(NotFoundError, match=re.escape(f"“{written}” is a point outside the United Kingdom.")):
        find_place(written)


def test_share_of_an_outcode():
    assert outcode_share("GU1") == 100
    assert 50 <= outcode_share("gu12 4aa") < 70  # Surrey and Hampshire
    assert find_place("GU12").council == "E10000030"


def test_every_outcode_is_in_the_kingdom_and_in_a_named_council():
    names = geography._council_names()
    outcodes = geography._outcodes()
    assert len(outcodes) > 3000
    assert list(outcodes) == sorted(outcodes)
    for outcode, known in outcodes.items():
        place = find_place(outcode)  # every one is spelt as outcodes are
        assert place.council in names
        assert find_place(f"{place.latitude}, {place.longitude}").precision == "point"
        assert 0 < known.share <= 100
        assert (place.council[0] == "N") == outcode.startswith("BT")


def test_every_council_is_found_by_all_its_names():
    assert len(COUNCILS) == 153 + 22 + 32 + 11  # England, Wales, Scotland, Northern Ireland
    keys = [
        geography._council_key(known) for code, name, also in COUNCILS for known in (code, name, *filter(None, also))
    ]
    assert len(keys) == len(set(keys))
    for code, name, also in COUNCILS:
        assert council_name(code) == name
        for known in (code, code.lower(), name, name.upper(), f"{name} Council", *filter(None, also)):
            assert find_council(known) == code


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Surrey County Council", "Surrey"),
        ("nottingham city council", "Nottingham"),
        ("Nottinghamshire", "Nottinghamshire"),
        ("Brighton & Hove", "Brighton and Hove"),
        ("Bristol", "Bristol, City of"),
        ("Hull City Council", "Kingston upon Hull, City of"),
        ("St Helens MBC", "St. Helens"),
        ("London Borough of Camden", "Camden"),
        ("LB Camden", "Camden"),
        ("Royal Borough of Kensington & Chelsea", "Kensington and Chelsea"),
        ("City of London Corporation", "City of London"),
        ("City of Westminster", "Westminster"),
        ("Southend on Sea", "Southend-on-Sea"),
        ("Durham", "County Durham"),
        ("Council of the Isles of Scilly", "Isles of Scilly"),
        ("The Highland Council", "Highland"),
        ("Edinburgh", "City of Edinburgh"),
        ("Ynys Mon", "Isle of Anglesey"),
        ("City and County of Swansea", "Swansea"),
        ("E08000016", "Barnsley"),
        ("E08000039", "Sheffield"),
        ("E10000023", "North Yorkshire"),
    ],
)
def test_councils_as_people_write_them(written, name):
    assert council_name(find_council(written)) == name


@pytest.mark.parametrize(
    ("written", "suggested"),
    [
        ("Northamptonshire", ["North Northamptonshire (E06000061)", "West Northamptonshire (E06000062)"]),
        ("Newcastle", ["Newcastle upon Tyne (E08000021)"]),
        ("Surey", ["Surrey (E10000030)"]),
        ("London", ["City of London (E09000001)"]),
    ],
)
def test_a_council_that_is_not_one_gets_suggestions(written, suggested):
    with pytest.raises(NotFoundError) as error:
        find_council(written)
    sentence = str(error.value)
    assert sentence.startswith(f"“{written}” is not the name or the ONS code of an upper-tier council. Did you mean ")
    assert all(each in sentence for each in suggested)
    assert sentence.count("(") <= 3


@pytest.mark.parametrize("written", ["", "Council", "???", "zzzzzz"])
def test_a_council_without_likeness_gets_the_remedy(written):
    with pytest.raises(NotFoundError, match=r"Write a name such as Surrey, or a code such as E10000030\.$"):
        find_council(written)


def test_the_name_of_an_unknown_code():
    with pytest.raises(NotFoundError, match="“E99999999” is not the ONS code of an upper-tier council"):
        council_name("E99999999")


def test_distance_is_near_the_geodesic():
    rng = np.random.default_rng(1)
    lat, lon = rng.uniform((49.8, -8.7), (60.9, 1.8), (400, 2)).T
    metres = distance_metres(lat[:200], lon[:200], lat[200:], lon[200:])
    exact = [geodesic((lat[k], lon[k]), (lat[200 + k], lon[200 + k])).meters for k in range(200)]
    assert metres.dtype == np.int64
    assert metres == pytest.approx(exact, rel=0.005)


def test_distance_broadcasts_and_knows_what_is_not_known():
    metres = distance_metres([[52.0], [53.0], [np.nan]], [[0.0], [0.0], [0.0]], [52.0, 53.0], [0.0, np.nan])
    assert metres.tolist() == [[0, -1], [111195, -1], [-1, -1]]  # a degree of latitude: 6371008.8 π / 180 m
    assert distance_metres(0, 0, 0, 180).item() == 20015114  # half way round: 6371008.8 π m


@given(st.lists(st.sampled_from(sorted(geography._outcodes())), min_size=1, max_size=30), st.integers(0, 300_000))
def test_reach_is_what_distance_says(outcodes, reach):
    lat, lon = np.array([(find_place(o).latitude, find_place(o).longitude) for o in outcodes]).T
    metres = distance_metres(lat[:, None], lon[:, None], lat, lon)
    i, j = np.nonzero(metres <= reach)
    for found, expected in zip(within_reach(lat, lon, lat, lon, reach), (i, j, metres[i, j]), strict=True):
        assert found.dtype == np.int64
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("reach", [-1, 0, 3_000, 30 * METRES_PER_MILE, 30_000_000])
def test_the_tree_finds_the_same_pairs_as_the_direct_way(monkeypatch, seed, reach):
    rng = np.random.default_rng(seed)
    first, second = (rng.uniform((51, -2), (53, 0), (n, 2)) for n in (150, 220))
    second[:20] = first[:20]  # neighbours at no distance
    first[::17, 0] = np.nan
    second[::13, 1] = np.nan
    direct = within_reach(*first.T, *second.T, reach)
    monkeypatch.setattr(geography, "_PAIRS_WORTH_A_TREE", 0)
    monkeypatch.setattr(geography, "_PAIRS_AT_ONCE", 1000)  # many chunks
    tree = within_reach(*first.T, *second.T, reach)
    for one, other in zip(direct, tree, strict=True):
        assert one.tolist() == other.tolist()
    assert len(direct[0]) == {-1: 0, 30_000_000: 141 * 203}.get(reach, len(direct[0]))
    assert len(direct[0]) > 0 or reach < 0


def test_the_edge_of_reach_is_decided_by_the_rounded_metre(monkeypatch):
    lat, lon, there = [52.0], [0.0], 0.00731  # 500.4 m to the east
    metres = distance_metres(lat, lon, lat, [there]).item()
    for worth in (1 << 21, 0):
        monkeypatch.setattr(geography, "_PAIRS_WORTH_A_TREE", worth)
        assert within_reach(lat, lon, lat, [there], metres)[2].tolist() == [metres]
        assert within_reach(lat, lon, lat, [there], metres - 1)[2].tolist() == []


@pytest.mark.parametrize("worth", [1 << 21, -1])
def test_nobody_in_reach_of_nobody(monkeypatch, worth):
    monkeypatch.setattr(geography, "_PAIRS_WORTH_A_TREE", worth)
    for first, second in (([], [52.0]), ([52.0], []), ([], []), ([np.nan], [52.0])):
        i, j, metres = within_reach(first, first, second, second, 1000)
        assert (len(i), len(j), len(metres)) == (0, 0, 0)


def test_the_distance_that_people_read():
    northampton, kettering = find_place("NN1"), find_place("NN16")
    assert shown_distance_miles(northampton, kettering) == 13.1
    assert shown_distance_miles(northampton, northampton) == 0.0


def test_the_tables_are_plain_csv():
    for name in ("outcodes.csv", "councils.csv"):
        data = (geography._DATA / name).read_bytes()
        assert b"\r" not in data
        rows = list(csv.reader(data.decode("utf-8").splitlines()))
        assert {len(row) for row in rows} == {len(rows[0])}
