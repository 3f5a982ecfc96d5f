"""How dates, money, distances and names are said to a person."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import numpy as np

from matcher import vocabulary
from matcher.geography import council_name


def hour(at: datetime) -> str:
    """9:05am, in the zone that it has."""
    return at.strftime("%I:%M%p").lstrip("0").lower()


def day(when: date | np.datetime64 | None) -> str:
    """22 November 2026."""
    if when is None:
        return "a day that is not recorded"
    then = when if isinstance(when, date) else when.astype("datetime64[D]").item()
    return f"{then.day} {then:%B %Y}"


def pounds(pence: int) -> str:
    """£1,234.50 of 123450 pence."""
    return f"£{pence / 100:,.2f}"


def council(code: str | None) -> str:
    """West Northamptonshire, of E06000062."""
    return council_name(code) if code else "an authority that is not recorded"


def miles(number: float) -> str:
    """1 mile, of 1.0; 3.107 miles, of 3.10689."""
    told = f"{number:.4g}"
    return f"{told} {'mile' if told == '1' else 'miles'}"


def languages(tags: Iterable[str], joined: str = "and") -> str:
    """Arabic and Tigrinya, of ("ar", "ti")."""
    return listed([vocabulary.language_name(tag) for tag in tags], joined)


_SHORT_FOR = {"dbs": "DBS", "mot": "MOT"}
"""Names in columns and rules that are said in capitals."""


def spoken(name: str) -> str:
    """DBS checked on, of dbs_checked_on: what a column, a rule or a limit is called, as words."""
    return " ".join(_SHORT_FOR.get(word, word) for word in name.replace("_", " ").split(" "))


def first_upper(text: str) -> str:
    """A sentence or a label, of words that stood within one."""
    return text[:1].upper() + text[1:]


def same(name: str) -> str:
    """A person's name such that two ways of writing it are one: capitals and spaces do not part them."""
    return " ".join(name.casefold().split())


def counted(number: int, one: str, many: str) -> str:
    """one child, of 1; 3 children, of 3."""
    return f"one {one}" if number == 1 else f"{number:,} {many}"


def listed(words: Iterable[str], joined: str = "and") -> str:
    """a, b and c."""
    *first, last = list(words) or ["nothing"]
    return f"{', '.join(first)} {joined} {last}" if first else last
