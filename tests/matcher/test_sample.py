import csv
import os
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from matcher.catalogue import load_policy
from matcher.constraints import PAIR_RULES, eligible_pairs
from matcher.errors import InputError, NotFoundError
from matcher.geography import METRES_PER_MILE, distance_metres, find_council, find_place
from matcher.pairs import tables
from matcher.pipeline import match
from matcher.readers import read_folder
from matcher.reading import cells
from matcher.reading.sheets import SHEETS
from matcher.rules.base import Verdict
from matcher.sample import SYNTHETIC, figures, sample, write_sample
from matcher.sample.places import SamplePlaces

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
AS_OF = date(2026, 11, 1)
FILES = sorted(["README.md", *(sheet.file for sheet in SHEETS)])
NORTH, WEST = "E06000061", "E06000062"
N = 5000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    return folder, write_sample(folder, N, N, 1, as_of=AS_OF)


@pytest.fixture(scope="module")
def children(large):
    return large[1].tables["children"]


def share(rows, column, *values):
    """The share of these values in the rows where the column is recorded, and in how many rows it is."""
    counts = Counter(row[column] for row in rows)
    known = len(rows) - counts[""]
    return sum(counts[value] for value in values) / known, known


# ---- the published figures -----------------------------------------------------------------------------------------

# Facts that a family shares come in clusters. With families of 1, 2, 3, 4 in shares 74, 18, 6, 2 the variance grows by
# E[m²] / E[m] = (0.74 + 0.72 + 0.54 + 0.32) / (0.74 + 0.36 + 0.18 + 0.08) = 2.32 / 1.36 = 1.71, at the most.
CLUSTERS = 1.71


def near(found, expected, clusters=CLUSTERS):
    """Within three standard errors: of 0.46 among 5,000, 3 x sqrt(1.71 x 0.46 x 0.54 / 5000) = 0.028."""
    value, n = found
    return abs(value - expected) <= 3 * sqrt(clusters * expected * (1 - expected) / n)


# Of 68,860 children from 5 (14,910 + 31,870 + 22,080), 7,300 (1,000 + 6,300) are unaccompanied and 61,560 are not.
@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("unaccompanied", ["yes"], 7300 / 68860),  # 0.106
        # Girls: of the others (35,780 - 310) / (83,840 - 7,300), of the unaccompanied 310 / 7,300.
        ("gender", ["female"], (61560 * 35470 / 76540 + 310) / 68860),  # 0.419
        # The others' ethnicities add up to 83,860 - 7,300 = 76,560, as rounded.
        ("ethnicity", ["WBRI"], (61560 * 55490 / 76560 + 10) / 68860),  # 0.648
        ("ethnicity", ["BAFR"], (61560 * 2040 / 76560 + 1350) / 68860),  # 0.043
        ("ethnicity", ["AOTH", "OOTH"], (61560 * (740 + 1010) / 76560 + 1790 + 3200) / 68860),  # 0.093
        # Placements without adoption and parents: 57,020 + 7,780 + 120 + 6,680 + 2,300 + 2,230 = 76,130, of them 7,300
        # of unaccompanied children (2,740 + 1,140 + 80 + 3,310 + 30), 68,830 of others.
        ("placement_type", ["foster care"], (61560 * 54280 / 68830 + 2740) / 68860),  # 0.745
        ("placement_type", ["children's home"], (61560 * 7700 / 68830 + 80) / 68860),  # 0.101
        ("placement_type", ["semi-independent living"], (61560 * 3370 / 68830 + 3310) / 68860),  # 0.092
        ("responsible_authority", ["North Northamptonshire"], 568 / (568 + 602)),  # 0.485
    ],
)
def test_children_are_like_the_published_figures(children, column, values, expected):
    assert near(share(children, column, *values), expected)


@pytest.mark.parametrize(("least", "most", "number"), [(5, 9, 14910), (10, 15, 31870), (16, 17, 22080)])
def test_ages_are_those_published(children, least, most, number):
    ages = [age(row) for row in children]
    assert near((sum(least <= years <= most for years in ages) / N, N), number / 68860)  # 0.217, 0.463, 0.321


def test_unaccompanied_children_have_figures_of_their_own(children):
    alone = [row for row in children if row["unaccompanied"] == "yes"]
    assert near(share(alone, "gender", "male"), 6990 / 7300, 1)  # 0.958
    assert near(share(alone, "placement_type", "foster care"), 2740 / 7300, 1)  # 0.375
    assert near((sum(age(row) >= 16 for row in alone) / len(alone), len(alone)), 6300 / 7300, 1)  # 0.863
    assert min(age(row) for row in alone) >= 12
    assert {row["family"] for row in alone} <= {"none", ""}


@pytest.mark.parametrize(
    ("placements", "inside", "all_known"),
    [
        (["foster care"], 29610 + 2670, 29610 + 13980 + 2670 + 7780),  # 0.597
        (["children's home", "secure unit", "semi-independent living"], 3880 + 530, 3880 + 2650 + 530 + 4080),  # 0.396
        (["independent living"], 690 + 80, 690 + 230 + 80 + 160),  # 0.664
    ],
)
def test_so_many_live_inside_the_boundary(children, placements, inside, all_known):
    rows = [row for row in children if row["placement_type"] in placements]
    at_home = sum(row["placement_council"] == row["responsible_authority"] for row in rows)
    assert near((at_home / len(rows), len(rows)), inside / all_known)


def test_so_many_live_far_away(children):
    # Over 20 miles and outside, of foster placements: 7,780 / 54,040 = 0.144. From the rows one only sees who lives as
    # far from every possible home, which misses some: of a ring 20 to 30 miles from one home, part is near another.
    rows = [row for row in children if row["placement_type"] == "foster care"]
    far = sum(
        miles(row["placement"], home).min() > 20 for row in rows for home in [HOMES[row["responsible_authority"]]]
    )
    assert 0.6 * 0.144 < far / len(rows) < 0.144


def test_volunteers_are_like_the_residents(large):
    # White British, Census 2021: 289,274 of 359,523 in the North and 319,509 of 425,723 in the West.
    assert near(share(large[1].tables["volunteers"], "ethnicity", "WBRI"), (289274 + 319509) / (359523 + 425723), 1)


def test_withheld_numbers_are_small():
    """What is withheld, c, counts as nothing: by the groups' totals it is some ten children at the most."""
    alone = figures.populations()[True].ethnicity
    for group, total in [("M", 120), ("A", 1840 - 10), ("B", 1530)]:  # Chinese, 10, stands among the Asian groups
        assert abs(sum(n for code, n in alone.items() if code.startswith(group)) - total) <= 20


# ---- what a family, a place, a history looks like ------------------------------------------------------------------


def test_only_the_oldest_live_independently(children):
    assert {age(row) for row in children if "independent" in row["placement_type"]} == {16, 17}
    assert {age(row) for row in children} == set(range(5, 18))


def test_siblings(children):
    families = defaultdict(list)
    for row in children:
        families[row["family"]].append(row)
    several = [rows for family, rows in families.items() if family.startswith("F") and len(rows) > 1]
    together = 0
    for rows in several:
        assert len({(row["ethnicity"], row["responsible_authority"]) for row in rows}) == 1
        births = sorted(born(row) for row in rows)
        gaps = [(later - earlier).days for earlier, later in pairwise(births)]
        assert all(gap == 0 or gap >= 300 for gap in gaps)
        together += len({row["placement"] for row in rows}) == 1
    assert len(several) > 500
    assert 0.5 < together / len(several) < 0.75  # 60 in 100 of two, fewer of three; by chance some more


def test_placements_are_as_far_from_home_as_they_say():
    places = SamplePlaces([NORTH, WEST])
    for authority, name in [(NORTH, "North Northamptonshire"), (WEST, "West Northamptonshire")]:
        homes = [home for home in places.homes if places.council(home) == name]
        for boundary in ("inside", "outside"):
            near_by = places.placements(authority, boundary, "near", 100)
            assert len(near_by) == len(homes)
            for home, outcodes in zip(homes, near_by, strict=True):
                assert all((find_place(outcode).council == authority) == (boundary == "inside") for outcode in outcodes)
                assert miles(home, list(outcodes)).max() <= 20
        for home, outcodes in zip(homes, places.placements(authority, "outside", "far", 100), strict=True):
            assert 20 < miles(home, list(outcodes)).min() < 25
            assert 95 < miles(home, list(outcodes)).max() <= 100
    # Of the twelve outcodes of the West few are 20 miles apart; of the North none, so the farthest stand in.
    assert set().union(*places.placements(WEST, "inside", "far", 100)) == {"NN1", "NN13", "NN2", "NN3", "NN6", "OX17"}
    assert "PE8" in set().union(*places.placements(NORTH, "inside", "far", 100))
    assert "NN99" not in places.homes
    assert {places.council(outcode) for outcode in places.neighbours(12)} >= {"Milton Keynes", "Leicestershire"}


def test_facts_that_hang_together(large):
    for row in large[1].tables["children"]:
        assert find_place(row["placement"]).council == find_council(row["placement_council"])
        assert bool(row["requested_gender"]) == bool(row["requested_gender_strength"])
        assert not row["referred_on"] or born(row) < day(row["referred_on"]) <= AS_OF
    for row in large[1].tables["matches"]:
        assert (row["status"] == "ended") == bool(row["ended_on"]) == bool(row["ended_by"])
        assert day(row["started_on"]) <= (day(row["ended_on"]) if row["ended_on"] else AS_OF)
    assert 0.1 < len(large[1].tables["matches"]) / N < 0.2


# ---- every row can be read, and the same bytes come again ----------------------------------------------------------


def test_every_row_is_read(large):
    reading = read_folder(large[0], AS_OF)
    assert reading.problems == ()
    assert set(reading.given) == {sheet.name for sheet in SHEETS}
    assert {name: len(records) for name, records in reading.records.items()} == dict(reading.given)
    assert (reading.given["children"], reading.given["volunteers"], reading.given["authorities"]) == (N, N, 2)


@pytest.mark.parametrize("as_of", [date(2024, 2, 29), date(2027, 2, 28), date(2028, 3, 1)])
def test_leap_days(tmp_path, as_of):
    made = write_sample(tmp_path, 300, 100, 3, as_of=as_of)
    assert {age(row, as_of) for row in made.tables["children"]} == set(range(5, 18))
    assert read_folder(tmp_path, as_of).problems == ()


def test_same_seed_same_bytes_other_seed_others(tmp_path):
    for folder, seed in [("one", 5), ("same", 5), ("other", 6)]:
        write_sample(tmp_path / folder, 40, 80, seed, as_of=AS_OF)
    one, same, other = (
        {name: (tmp_path / folder / name).read_bytes() for name in FILES} for folder in ("one", "same", "other")
    )
    assert one == same
    assert all(one[name] != other[name] for name in FILES)


def test_county_is_what_its_command_writes(tmp_path):
    """Byte for byte, in another process with another hash seed."""
    script = (
        "import sys; from datetime import date; from matcher.sample import write_sample; "
        "write_sample(sys.argv[1], 120, 60, 689, as_of=date(2026, 11, 1))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "77"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=environment, cwd=ROOT)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (SAMPLES / "county" / name).read_bytes(), name


def test_county_gives_every_rule_something_to_do():
    policy = load_policy("national")
    reading = read_folder(SAMPLES / "county", AS_OF)
    assert reading.problems == ()
    instance = reading.instance(policy, AS_OF)
    child, volunteer = np.divmod(np.arange(120 * 60), 60)
    pairs = tables(instance).pairs(child, volunteer)
    in_force = [rule for rule in PAIR_RULES if policy.on(f"rules.{rule.id}")]
    refused = {rule.id: rule.verdicts(pairs, policy) != Verdict.PASSES for rule in in_force}
    alone = sum(each.astype(int) for each in refused.values()) == 1
    assert not refused.pop("time_left").any()  # nobody in the sample is 18, and support ends at 21
    for rule, pairs_refused in refused.items():
        assert (pairs_refused & alone).any(), f"{rule} is never the only one that forbids a pair"
    assert len(set(eligible_pairs(tables(instance), policy).volunteer_row.tolist())) >= 35

    plan = match(instance)
    assert len(plan.matches) >= 30
    left = {code: authority.budget_pence - authority.spent_pence for code, authority in instance.authorities.items()}
    assert all(0 < left[code] - plan.spent_pence[code] < 10_000 for code in (NORTH, WEST))  # nearly all is spent


# ---- what it says of itself, and what it refuses -------------------------------------------------------------------


NO_SHARES = ("last_visit_days", "last_visit_known", "days_in_care", "organisation")


def test_every_assumption_is_named():
    """README's table of assumptions is `assumptions.toml`, value by value; shares add up to a hundred."""
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    given = tomllib.loads((ROOT / "matcher" / "sample" / "data" / "assumptions.toml").read_text(encoding="utf-8"))
    named = [f"`{table}.{name}` | {shown(value)} |" for table, each in given.items() for name, value in each.items()]
    assert [line.split("| ", 1)[1][: len(name)] for name, line in zip(named, table_rows(text), strict=True)] == named
    for table, each in given.items():
        for name, value in each.items():
            if isinstance(value, dict) and name not in NO_SHARES:
                assert sum(value.values()) == 100, f"{table}.{name}"


def test_languages_and_interests_are_known_words():
    folder = ROOT / "matcher" / "sample" / "data"
    shares = Counter()
    for row in csv.DictReader((folder / "languages.csv").read_text(encoding="utf-8").splitlines()):
        assert len(cells.languages(row["language"])) == 1
        shares[row["ethnicity"], row["unaccompanied"]] += int(row["share"])
    assert set(shares.values()) == {100}
    for row in csv.DictReader((folder / "interests.csv").read_text(encoding="utf-8").splitlines()):
        assert cells.interests(row["interest"]) == (row["interest"],)


def test_it_says_that_it_is_synthetic():
    text = (SAMPLES / "county" / "README.md").read_text(encoding="utf-8")
    assert text.startswith(SYNTHETIC)
    assert "--children 120 --volunteers 60 --seed 689 --as-of 2026-11-01" in text


def test_a_real_folder_is_never_written_over(tmp_path):
    (tmp_path / "volunteers.csv").write_text("volunteer_id\nV1\n")
    with pytest.raises(InputError, match=r"already has a volunteers\.csv that is not a sample's"):
        write_sample(tmp_path, 3, 2, 1, as_of=AS_OF)
    assert [path.name for path in tmp_path.iterdir()] == ["volunteers.csv"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "README.md").write_bytes(b"\xff\xfe not a sample's")
    for folder, message in [(tmp_path, "already has a README"), (tmp_path / "README.md", "is not a folder")]:
        with pytest.raises(InputError, match=message):
            write_sample(folder, 3, 2, 1, as_of=AS_OF)


def test_a_sample_is_written_over(tmp_path):
    write_sample(tmp_path, 3, 2, 1, as_of=AS_OF)
    write_sample(tmp_path, 4, 2, 1, as_of=AS_OF)
    assert len((tmp_path / "children.csv").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_children": 0}, InputError, "n_children is 0. Give 1 or more."),
        ({"n_volunteers": -2}, InputError, "n_volunteers is -2. Give 1 or more."),
        ({"seed": -1}, InputError, "seed is -1. Give 0 or more."),
        ({"as_of": date(1999, 1, 1)}, InputError, "as_of is 1999-01-01. Give a date between 2000 and 2100."),
        (
            {"county": "Barsetshire"},
            NotFoundError,
            "“Barsetshire” is not a county with .* Give one of: Northamptonshire.",
        ),
    ],
)
def test_what_cannot_be_sampled(arguments, error, message):
    with pytest.raises(error, match=message):
        sample(**({"n_children": 3, "n_volunteers": 2, "seed": 1, "as_of": AS_OF} | arguments))


def test_the_smallest_sample(tmp_path):
    write_sample(tmp_path, 1, 1, 0, as_of=AS_OF, county="northamptonshire")
    assert read_folder(tmp_path, AS_OF).problems == ()


# ---- helpers -------------------------------------------------------------------------------------------------------


def day(text):
    numbers = [int(part) for part in text.split("/")]
    return date(*reversed(numbers))


def born(row):
    return day(row["date_of_birth"])


def age(row, as_of=AS_OF):
    birth = born(row)
    return as_of.year - birth.year - ((as_of.month, as_of.day) < (birth.month, birth.day))


def miles(one, others):
    """Miles from an outcode to each of others."""
    start, ends = find_place(one), [find_place(outcode) for outcode in others]
    latitude, longitude = [end.latitude for end in ends], [end.longitude for end in ends]
    return distance_metres(start.latitude, start.longitude, latitude, longitude) / METRES_PER_MILE


def shown(value):
    if not isinstance(value, dict):
        return str(value)
    return ", ".join(
        f"{key}: {each[0]} to {each[1]}" if isinstance(each, list) else f"{key}: {each}" for key, each in value.items()
    )


def table_rows(text):
    return [line for line in text.splitlines() if line.startswith("| `") and "." in line.split("`")[1]]


PLACES = SamplePlaces([NORTH, WEST])
HOMES = defaultdict(list)
for outcode in PLACES.homes:
    HOMES[PLACES.council(outcode)].append(outcode)
