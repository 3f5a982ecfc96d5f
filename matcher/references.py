"""Slips of the hand between sheets: ids that are nearly the same, dates that cannot be.

Taken as it stands, a 7 that was 007 would silently lose the no that stands beside it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache

from matcher.errors import Problem
from matcher.records import Child, Match, Volunteer

OLDEST_CHILD = 26
"""Support ends at 25 at the latest (Surrey policy 12.1.9): who is older is no child, the date is mistyped."""


def near_misses(
    children: Sequence[Child],
    volunteers: Sequence[Volunteer],
    named: Iterable[tuple[str, int, str, str]],
    families: Iterable[tuple[str, int, str]],
) -> list[Problem]:
    """Ids and families that differ from another in what `bare` leaves out alone.

    Args:
        named: (sheet, row, column, child id) of children who are named elsewhere: in histories, by volunteers.
        families: (sheet, row, family) wherever siblings share one.
    """
    ids = {
        "child_id": [("children", row, child.id) for row, child in enumerate(children, start=1)],
        "volunteer_id": [("volunteers", row, one.id) for row, one in enumerate(volunteers, start=1)],
        "family": families,
    }
    problems = [problem for column, written in ids.items() for problem in _nearly_twice(column, written)]
    known = {child.id for child in children}
    meant = {bare(id): id for id in sorted(known)}
    for sheet, row, column, id in named:
        if id not in known and bare(id) in meant:
            remedy = f"Did you mean {meant[bare(id)]}? Write every id the same way in every file"
            problems.append(Problem(sheet, row, column, id, "is not among the children", remedy))
    return problems


def years_old(born: date, on: date) -> int:
    """Completed years; a 29 February birthday falls on 1 March in other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def too_old(born: date, on: date) -> bool:
    """Whether nobody born that day is a child on this one."""
    return years_old(born, on) >= OLDEST_CHILD


def impossible_dates(children: Sequence[Child], matches: Sequence[Match], as_of: date) -> list[Problem]:
    """Dates that no child and no match can have."""
    problems = []
    for row, child in enumerate(children, start=1):
        born = child.date_of_birth
        if born is not None and too_old(born, as_of):
            shown = f"{born:%d/%m/%Y}"
            problems.append(Problem("children", row, "date_of_birth", shown, "is not a child's", "Correct the year"))
    for row, match in enumerate(matches, start=1):
        if match.started_on and match.ended_on and match.started_on > match.ended_on:
            shown = f"{match.ended_on:%d/%m/%Y}"
            wrong = f"is before {match.started_on:%d/%m/%Y}, when the match started"
            problems.append(Problem("matches", row, "ended_on", shown, wrong, "Correct one of the two dates"))
    return problems


_LIKE_LATIN = str.maketrans("авекмнорстухіјѕαβεζηικμνορτυχ", "abekmhopctyxijsabezhikmnoptyx")
"""Cyrillic and Greek letters that nobody can tell from Latin ones, at least as capitals."""


def has_number(reference: str) -> bool:
    """Whether a digit is in it: a reference without one may be somebody's name."""
    return any(sign.isdigit() for sign in reference)


def tells(reference: str) -> bool:
    """Whether a reference is none of the words and numbers that a text is made of, such as 12 or 2026."""
    return has_number(reference) and (len(reference) > 4 or not reference.isdigit())


def spelt_out(reference: str) -> re.Pattern[str]:
    """A reference where it stands in a text by itself, in any capitals."""
    return re.compile(rf"(?<!\w){re.escape(reference)}(?!\w)", re.IGNORECASE)


@lru_cache(1 << 16)
def bare(id: str) -> str:
    """An id without what a spreadsheet or a hand changes: C-007, c7 and C7.0 are one, and С7 with a Cyrillic С."""
    plain = unicodedata.normalize("NFKD", re.sub(r"\.0+$", "", id).casefold()).translate(_LIKE_LATIN)
    kept = "".join(sign for sign in plain if sign.isalnum())
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", kept) or id


def one_name(name: str) -> str:
    """An organisation's name such that two ways of writing it are one: “The Bluebell Homes Ltd.” is bluebell homes.

    "" for what is no name. Records keep a name as somebody wrote it; this is what it is compared by.
    """
    words = re.findall(r"\w+", name.casefold().replace("&", " and ").replace("'", "").replace("’", ""))
    return " ".join(word for word in words if word not in ("the", "ltd", "limited", "plc", "llp", "cic", "cio"))


def may_be(names: Iterable[str], others: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Of organisations as records have them, which of `others` each of `names` may be: one's words are in the other's.

    “Trustee of Bluebell Homes”, “bluebell home” and “Bluebell Homes, Acme Trust” may all be bluebell homes. Where
    nobody can tell, they are taken for one: who is independent is a question of safety, and full names answer it.
    """
    whole, parts = defaultdict(set), defaultdict(set)
    for other in {*others}:
        words = _plain_words(other)
        whole[words].add(other)
        for part in _runs(words):
            parts[part].add(other)
    found = {}
    for name in {*names}:
        words = _plain_words(name)
        within = (one for run in _runs(words) for one in whole.get(run, ()))
        found[name] = tuple(sorted({*parts.get(words, ()), *within}))
    return found


def _plain_words(name: str) -> tuple[str, ...]:
    """Without what hands change: capitals, The and Ltd, look-alike letters, accents, the s of a plural."""
    plain = (bare(word) for word in (one_name(name) or name).split())
    return tuple(word[:-1] if word.endswith("s") and len(word) > 3 else word for word in plain)


def _runs(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (words[i:j] for i in range(len(words)) for j in range(i + 1, len(words) + 1))


def _nearly_twice(column: str, written: Iterable[tuple[str, int, str]]) -> Iterator[Problem]:
    family = column == "family"
    remedy = (
        "Write one family the same way in every row, and two families unlike"
        if family
        else "Give one person one id, and two persons unlike ones"
    )
    first: dict[str, str] = {}
    for sheet, row, id in written:
        other = first.setdefault(bare(id), id)
        if other != id and not (family and other.casefold() == id.casefold()):  # capitals do not part siblings
            wrong = f"differs from {other} in capitals, blanks, signs, zeros or look-alike letters alone"
            yield Problem(sheet, row, column, id, wrong, remedy)
