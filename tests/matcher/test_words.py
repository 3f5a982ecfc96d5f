"""What names of the code are called before a person."""

from __future__ import annotations

import re

from matcher.catalogue import CATALOGUE
from matcher.reading.sheets import SHEETS
from matcher.words import first_upper, spoken


def test_a_name_is_said_with_the_capitals_that_a_coordinator_gives_it():
    assert spoken("dbs_checked_on") == "DBS checked on"
    assert spoken("mot_until") == "MOT until"
    assert spoken("proceedings_concluded") == "proceedings concluded"
    assert first_upper(spoken("dbs_current")) == "DBS current"
    names = {column.name for sheet in SHEETS for column in sheet.columns} | {one.id for one in CATALOGUE}
    assert not [name for name in names if re.search(r"\b(dbs|mot|uk)\b", spoken(name))]
