"""What a manager writes into the report of a year: what people said of it, and what is recommended.

It goes to corporate parents and speaks of nobody in particular. It is kept sealed all the same, shown to those alone
who may know whom it might speak of, and refused while it names anybody by reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise

from sqlalchemy import select

from matcher.errors import KithError
from matcher.references import bare, spelt_out, tells
from service import audit_log
from service.database import tables
from service.database.base import utc_now
from service.reports import SECTIONS, Year
from service.repository import Repository

MOST = 10_000
"""Letters of one section."""


class WordsError(KithError):
    """Words that cannot be kept as they are."""


def row_of(rows: Repository, year: Year) -> tables.YearWords | None:
    return rows.session.scalar(select(tables.YearWords).where(tables.YearWords.year == year.first))


def of_year(rows: Repository, year: Year) -> dict[str, str]:
    """What was written, by section; a section of which nothing was written has no entry."""
    row = row_of(rows, year)
    return {} if row is None else json.loads(rows.open(row, "content") or "{}")


def write(rows: Repository, year: Year, words: Mapping[str, str], *, user_id: str) -> None:
    """Keeps the sections of a year in place of what was written before.

    What is cleared stays as a row without words, so that its version goes on: whoever opened the form before is told.

    Raises WordsError for a section that is too long, or that names a child or a volunteer by reference.
    """
    told = {name: _tidy(words.get(name, "")) for name in SECTIONS}
    _refuse(rows, told)
    row = row_of(rows, year)
    written = {name: text for name, text in told.items() if text}
    if row is None and not written:
        return
    row = row or tables.YearWords(year=year.first, user_id=user_id)
    rows.seal(row, "content", json.dumps(written))
    row.user_id, row.at = user_id, utc_now()
    rows.session.add(row)
    rows.session.flush()
    details = {"year": year.first, "sections": sorted(written)}
    audit_log.record(
        rows.session, rows.keys, audit_log.Entry(user_id, "report: words of the year", row.id, "", details)
    )


def _refuse(rows: Repository, told: Mapping[str, str]) -> None:
    references = [one for one in rows.references().values() if tells(one)]
    for name, text in told.items():
        title = SECTIONS[name].title
        if len(text) > MOST:
            raise WordsError(f"“{title}” has {len(text):,} characters. Write up to {MOST:,}.")
        said, words = text.casefold(), text.split()
        # As files take C0001, C-0001, c1 and C 0001 for one, so does who reads the report.
        spelt = {bare(word) for word in words} | {bare(one + other) for one, other in pairwise(words)}
        named = next(
            (one for one in references
             if (one.casefold() in said and spelt_out(one).search(text)) or (not one.isdigit() and bare(one) in spelt)),
            None,
        )  # fmt: skip
        if named is not None:
            raise WordsError(
                f"“{title}” names {named}, who is in Kith. The report speaks of nobody: say it without the reference."
            )


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()
