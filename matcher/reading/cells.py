"""What a cell of a spreadsheet may say, and what is made of it.

Each reader takes the text of one cell, trimmed and not blank, and gives a value or raises `RefusedError` with what is
wrong and what to do about it, in a coordinator's words. Nothing is guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from matcher import geography, vocabulary
from matcher.errors import NotFoundError
from matcher.geography import METRES_PER_MILE
from matcher.records import Place
from matcher.references import one_name

Word = TypeVar("Word", bound=StrEnum)

NONE_WORDS = frozenset({"none", "no", "nil", "n/a", "na", "no one", "nobody", "-"})
"""Ways to write that a list is known to be empty."""

ERRORS = frozenset(
    {"#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#GETTING_DATA"}
)
"""What a spreadsheet shows where a formula has gone wrong. It is never a value, nor a blank."""

_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would take for a formula."""

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


class RefusedError(Exception):
    """A cell that cannot be read."""

    def __init__(self, wrong: str, remedy: str) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.remedy = remedy


class Remark(Warning):
    """A cell that was read in part: carries what was read, and what to tell about the rest."""

    def __init__(self, value: object, wrong: str, remedy: str) -> None:
        super().__init__(wrong)
        self.value = value
        self.wrong = wrong
        self.remedy = remedy


def harmless(text: str) -> str:
    """A cell for a spreadsheet: an apostrophe goes before what it would take for a formula."""
    return f"'{text}" if text.startswith(_SIGNS) else text


def as_typed(text: str) -> str:
    """A cell from a spreadsheet: trimmed, in one line, without the apostrophe that `harmless` puts there.

    A letter with an accent is one sign, as most programs write it, not a letter and an accent as some do.
    """
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return plain[1:] if plain.startswith("'") and plain[1:].startswith(_SIGNS) else plain


def reference(text: str) -> str:
    """An id: short, in one line, without blanks at its ends. 0012 stays 0012."""
    if len(text) > 64 or not text.isprintable():
        raise RefusedError("is not a reference", "Use up to 64 letters, digits and signs in one line")
    return text


def family(text: str) -> str:
    """A reference that siblings share; “none” where the child is known to have none."""
    if text.casefold() in NONE_WORDS:
        return "none"
    if text.casefold() in {"0", "?", "unknown", "not known", "not recorded", "tbc", "tba"}:
        raise RefusedError("is not a family", "Leave the cell blank while it is not known, or write none")
    return reference(text)


def day(text: str) -> date:
    """A date as a person writes it, or the number that a spreadsheet keeps for it: that one is told, not only read."""
    if re.fullmatch(r"[1-7][0-9]{4}(\.[0-9]+)?", text):  # four digits are a year: nobody knows which day
        when = date(1899, 12, 30) + timedelta(days=int(float(text)))
        if when.year <= 2100:
            told = f"is a spreadsheet's number for a date: read as {when:%d/%m/%Y}"
            raise Remark(when, told, "Nothing to do if that is right; otherwise write day/month/year")
    return written_day(text)


def written_day(text: str) -> date:
    """A date as the United Kingdom writes it: 03/05/2012, 3 May 2012, or 2012-05-03. A time of day is passed over."""
    refusal = RefusedError("is not a date", "Write day/month/year, such as 03/05/2012")
    plain = re.sub(r"[ T][0-2]?[0-9](:[0-5][0-9]){1,2}(\.[0-9]+)?$", "", text)
    if found := re.fullmatch(r"([0-9]{1,2})[/.\- ]([0-9]{1,2})[/.\- ]([0-9]{4})", plain):
        numbers = int(found[3]), int(found[2]), int(found[1])
    elif found := re.fullmatch(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})", plain):
        numbers = int(found[1]), int(found[2]), int(found[3])
    elif found := re.fullmatch(r"([0-9]{1,2})(?:st|nd|rd|th)?[ \-]([A-Za-z]{3,9})[ \-,]+([0-9]{4})", plain):
        months = [month for month in MONTHS if found[2].lower() in (month, month[:3], month[:4])]
        if not months:
            raise refusal
        numbers = int(found[3]), MONTHS.index(months[0]) + 1, int(found[1])
    elif re.fullmatch(r"[0-9]{1,2}[/.\-][0-9]{1,2}[/.\-][0-9]{2}", plain):
        raise RefusedError("has a year of two digits", "Write the year with four, such as 03/05/2012")
    else:
        raise refusal
    try:
        when = date(*numbers)
    except ValueError:
        raise RefusedError("is a day that does not exist", "Check the day and the month") from None
    if not 1900 <= when.year <= 2100:
        raise RefusedError("is not a likely year", "Check the year")
    return when


@dataclass(frozen=True)
class OneOf(Generic[Word]):
    """Reads a word of an enumeration, or one of the other ways to say it."""

    kind: type[Word]
    ways: Mapping[str, Word]

    def __call__(self, text: str) -> Word:
        try:
            return self.ways[text.casefold()]
        except KeyError:
            raise RefusedError("is not one of the words used here", f"Write {', '.join(self.kind)}") from None


def one_of(kind: type[Word], also: Mapping[str, Word] | None = None) -> OneOf[Word]:
    """The reader of an enumeration's words; `also` are other ways to say them, in small letters."""
    return OneOf(kind, {word.value: word for word in kind} | dict(also or {}))


@dataclass(frozen=True)
class SomeOf(Generic[Word]):
    """Reads words of an enumeration between semicolons; none where there is none."""

    kind: type[Word]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(str(word) for word in self.kind)

    def __call__(self, text: str) -> tuple[Word, ...]:
        read = one_of(self.kind)
        return tuple(sorted({read(part) for part in _parts(text)}))


def yes_or_no(text: str) -> bool:
    words = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}
    try:
        return words[text.casefold()]
    except KeyError:
        raise RefusedError("is neither yes nor no", "Write yes or no") from None


def place(text: str) -> Place:
    found: Place = _found(geography.find_place, text)
    return found


def council(text: str) -> str:
    found: str = _found(geography.find_council, text)
    return found


def councils(text: str) -> tuple[str, ...]:
    """Councils between semicolons; none where there is none. A comma may be part of a name."""
    return tuple(sorted({council(part) for part in _parts(text)}))


def references(text: str) -> tuple[str, ...]:
    """Ids between semicolons; none where there is none. “C1, C3” is refused: it would be one id that nobody has."""
    if "," in text:
        raise RefusedError("has a comma between ids", "Write a semicolon instead, such as C001; C002")
    return tuple(sorted({reference(part) for part in _parts(text)}))


def organisations(text: str) -> tuple[str, ...]:
    """Organisations between semicolons, as they are written; one that stands there in two ways, in the first.

    None where there is none.
    """
    named: dict[str, str] = {}
    for part in _parts(text):
        plain = one_name(reference(part))
        if not plain:
            raise RefusedError("is not the name of an organisation", "Write its name, or none if there is none")
        named.setdefault(plain, part)
    return tuple(sorted(named.values()))


def _parts(text: str) -> list[str]:
    """What stands between semicolons or line breaks; nothing where the cell says none."""
    if text.casefold() in NONE_WORDS:
        return []
    return [part.strip() for part in re.split(r"[;\n]", text) if part.strip()]


def ethnicity(text: str) -> str | None:
    """An SSDA903 code. Refused, or not yet obtained, is the same as not recorded."""
    code = _found(vocabulary.find_ethnicity, text)
    return None if vocabulary.ethnicity_group(code) is None else code


def religion(text: str) -> str | None:
    """A category of the census. Who did not answer has none on record."""
    code: str = _found(vocabulary.find_religion, text)
    return None if code == "not answered" else code


def languages(text: str) -> tuple[str, ...]:
    """Languages by name. One that is not understood refuses the row: a rule rests on them."""
    if text.casefold() in NONE_WORDS:
        return ()
    tags, unknown = vocabulary.read_languages(text)
    if unknown:
        raise RefusedError(f"names a language that is not known: “{unknown[0].text}”", _language_remedy(unknown[0]))
    return tags


def _language_remedy(unknown: vocabulary.Unknown) -> str:
    near = [vocabulary.language_name(tag) for tag in unknown.suggestions]
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}Write languages by their English names, between semicolons"


def interests(text: str) -> tuple[str, ...]:
    """Interests as tags. What is not understood is told, and the rest is kept: a score rests on them, no rule does."""
    if text.casefold() in NONE_WORDS:
        return ()
    tags, unknown = vocabulary.read_interests(text)
    if unknown:
        told = [
            f"“{word.text}”" + (f" (did you mean {' or '.join(word.suggestions)}?)" if word.suggestions else "")
            for word in unknown
        ]
        remedy = "Correct them, or leave them: they do not count"
        raise Remark(tags, f"has interests that are not known: {', '.join(told)}", remedy)
    return tags


@dataclass(frozen=True)
class Count:
    """Reads a number of things, or of completed years, of which there are never more than so many."""

    what: str
    most: int

    def __call__(self, text: str) -> int:
        number = count(text)
        if number > self.most:
            raise RefusedError(f"is not a likely {self.what}", f"Write a number from 0 to {self.most}")
        return number


def count(text: str) -> int:
    """A number of things, whatever they are."""
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise RefusedError("is not a whole number", "Write digits, such as 2")
    return int(text)


def miles(text: str) -> int:
    """A distance in miles, as whole metres."""
    number = _number(text.casefold().removesuffix("miles").removesuffix("mile").strip(), "miles", "25")
    if not 0 < number <= 1000:
        raise RefusedError("is not a likely distance in miles", "Write miles, between 1 and 1000")
    return int(number * METRES_PER_MILE)


def miles_apart(text: str) -> int:
    """A distance in miles that may be none, as whole metres."""
    return 0 if re.fullmatch(r"0+(\.0+)?( miles?)?", text.casefold()) else miles(text)


def sentence(text: str) -> str:
    """A few words that a person wrote for another to read."""
    if len(text) > 500 or not text.isprintable():
        raise RefusedError("is too long, or has signs that cannot be printed", "Write up to 500 characters in one line")
    return text


def pounds(text: str) -> int:
    """An amount in pounds, as whole pence."""
    number = _number(text.removeprefix("£").replace(",", "").strip(), "pounds", "12500")
    if not 0 <= number <= 10_000_000:
        raise RefusedError("is not a likely amount", "Write pounds, from 0 to 10,000,000")
    return round(number * 100)


def _number(text: str, unit: str, example: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        raise RefusedError(f"is not a number of {unit}", f"Write digits, such as {example}")
    return float(text)


def _found(find: Callable[[str], Any], text: str) -> Any:
    """A look-up whose refusal already says value, fault and remedy: only the last two are kept."""
    try:
        return find(text)
    except NotFoundError as error:
        wrong, _, remedy = str(error).removeprefix(f"“{text}” ").partition(". ")
        raise RefusedError(wrong, remedy.rstrip(".")) from None
