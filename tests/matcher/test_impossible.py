"""Facts of one person that cannot be are refused beside their row; what is only odd is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from making import AS_OF

from matcher.readers import read_folder
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Column, Sheet

TO_COME = "is after 01/11/2026, the date of this run"
YOUNG = "makes an approved volunteer 17 years old"


def told(folder: Path, sheet: str, **cells: str) -> list[tuple[str, str, str, bool]]:
    """What is said of one row that has these cells."""
    id = {"children": "C1", "volunteers": "V1"}
    for name, reference in id.items():
        row = {f"{name.removesuffix('s').removesuffix('ren')}_id": reference, **(cells if name == sheet else {})}
        (folder / f"{name}.csv").write_text(f"{','.join(row)}\n{','.join(row.values())}\n", encoding="utf-8")
    reading = read_folder(folder, AS_OF)
    return [(one.column, one.value, one.wrong, one.rejected) for one in reading.problems if one.row == 2]


@pytest.mark.parametrize(
    ("sheet", "cells", "column", "wrong"),
    [
        ("children", {"last_parental_visit": "02/11/2026"}, "last_parental_visit", TO_COME),
        ("children", {"looked_after_since": "02/11/2026"}, "looked_after_since", TO_COME),
        *((("children"), {"date_of_birth": "03/05/2012", column: "02/05/2012"}, column, "is before the date of birth")
          for column in ("looked_after_since", "referred_on", "last_parental_visit")),
        ("volunteers", {"date_of_birth": "03/05/1990", "dbs_checked_on": "02/05/1990"}, "dbs_checked_on",
         "is before the date of birth"),
        ("volunteers", {"status": "approved", "date_of_birth": "02/11/2008"}, "date_of_birth", YOUNG),
        ("volunteers", {"support_sessions": "600"}, "support_sessions",
         "is not a likely number of support sessions in a year"),
        ("volunteers", {"support_sessions": "-1"}, "support_sessions", "is not a whole number"),
        ("volunteers", {"references_accepted": "21"}, "references_accepted", "is not a likely number of references"),
        ("children", {"prefers_from_age": "121"}, "prefers_from_age", "is not a likely age"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path: Path, sheet: str, cells: dict[str, str], column: str, wrong: str) -> None:
    assert told(tmp_path, sheet, **cells) == [(column, cells[column], wrong, True)]


def checks() -> list[Column]:
    """The dates of a volunteer on which something was done; the others are days until which something lasts."""
    return [one for one in VOLUNTEERS.columns if one.is_date and one.name.endswith("_on")]


@pytest.mark.parametrize("column", [one.name for one in checks()])
def test_no_check_was_done_on_a_day_to_come(tmp_path: Path, column: str) -> None:
    """On the day itself it may be: a check is recorded when it comes in."""
    assert len(checks()) == 7
    assert told(tmp_path, "volunteers", **{column: "02/11/2026"}) == [(column, "02/11/2026", TO_COME, True)]
    assert told(tmp_path, "volunteers", **{column: "01/11/2026"}) == []


@pytest.mark.parametrize("sheet", [CHILDREN, VOLUNTEERS])
def test_every_date_is_of_the_past_or_says_until_when(tmp_path: Path, sheet: Sheet) -> None:
    """A column of dates that is new is held against the day as well, unless it says until when something lasts."""
    for column in (one.name for one in sheet.columns if one.is_date):
        wrong = [one[2] for one in told(tmp_path, sheet.name, **{column: "01/06/2027"})]
        assert wrong == ([] if column.endswith("_until") else [TO_COME]), column


@pytest.mark.parametrize(
    ("sheet", "cells"),
    [
        ("children", {"date_of_birth": "03/05/2012", "looked_after_since": "03/05/2012", "referred_on": "01/11/2026"}),
        ("volunteers", {"status": "approved", "date_of_birth": "01/11/2008"}),  # 18 that day
        ("volunteers", {"status": "applicant", "date_of_birth": "02/11/2008"}),
        ("volunteers", {"support_sessions": "52", "references_accepted": "20", "prefers_to_age": "18"}),
        ("children", {"date_of_birth": "02/11/2005"}),  # 20
    ],
)  # fmt: skip
def test_what_is_true_at_its_limit_is_taken(tmp_path: Path, sheet: str, cells: dict[str, str]) -> None:
    assert told(tmp_path, sheet, **cells) == []


@pytest.mark.parametrize(
    ("sheet", "cells", "column", "wrong"),
    [
        ("children", {"date_of_birth": "01/11/2005"}, "date_of_birth", "makes the child 21 years old"),
        ("volunteers", {"support_sessions": "53"}, "support_sessions", "is more than one a week in the year"),
    ],
)
def test_what_is_only_odd_is_told(tmp_path: Path, sheet: str, cells: dict[str, str], column: str, wrong: str) -> None:
    assert told(tmp_path, sheet, **cells) == [(column, cells[column], wrong, False)]


def test_a_birth_to_come_is_one_fault_and_not_three(tmp_path: Path) -> None:
    cells = {"date_of_birth": "03/05/2030", "looked_after_since": "01/02/2020", "referred_on": "01/02/2026"}
    assert [one[0] for one in told(tmp_path, "children", **cells)] == ["date_of_birth"]


def test_the_day_is_that_of_the_reading(tmp_path: Path) -> None:
    told(tmp_path, "volunteers", dbs_checked_on="02/12/2026")
    assert [one.rejected for one in read_folder(tmp_path, date(2027, 1, 1)).problems if one.row == 2] == []
