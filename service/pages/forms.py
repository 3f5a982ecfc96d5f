"""Facts in forms: the columns of the spreadsheets as fields, and a record's facts as a person would have typed them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from matcher import geography, vocabulary
from matcher.constraints import PAIR_RULES
from matcher.geography import METRES_PER_MILE
from matcher.reading import cells
from matcher.reading.cells import RefusedError, Remark, as_typed
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Column, Sheet
from matcher.records import Child, Place, Volunteer
from matcher.rules.base import column_of
from matcher.words import council, first_upper, listed
from service.pages.labels import IF_BLANK, label
from service.people import A_MANAGERS

PARTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    CHILDREN.name: {
        "about": (
            "date_of_birth", "gender", "interests", "languages", "ethnicity", "religion", "additional_needs",
            "cannot_go_out_alone", "at_risk_from_peers", "helps_education_or_health",
        ),
        "wishes": (
            "agrees", "requested_gender", "requested_gender_strength", "culture_request", "religion_request",
            "needed_languages", "prefers_from_age", "prefers_to_age", "likes_care_experience", "hoped_visits",
            "free_times", "fears_animals",
        ),
        "placement": (
            "placement", "placement_council", "responsible_authority", "placement_type", "provider",
            "miles_from_home", "placement_move_pending",
        ),
        "referral": (
            "referred_on", "coordinator", "manager_approved", "funding_agreed", "parental_contact",
            "last_parental_visit", "looked_after", "looked_after_since", "continuing_agreed", "long_term_plan",
            "proceedings_concluded", "unaccompanied", "safeguarding_issue",
        ),
    },
    VOLUNTEERS.name: {
        "about": (
            "date_of_birth", "gender", "home", "interests", "languages", "ethnicity", "religion", "care_experience",
            "has_dog",
        ),
        "offer": (
            "travel_limit_miles", "drives", "youngest_age", "oldest_age", "areas", "needs_accepted", "needs_trained",
            "needs_experience", "possible_visits", "free_times", "commitment_until", "preferred_gender",
            "prefers_from_age", "prefers_to_age",
        ),
        "checks": (
            "agreement_signed_on", "dbs_checked_on", "database_checked_on", "references_accepted",
            "professional_references", "core_training_on", "safeguarding_training_on", "right_to_work",
            "licence_checked_on", "insured_until", "insured_for_volunteering", "mot_until", "medical_condition",
            "medical_clearance_on", "support_sessions",
        ),
        "independence": ("connected_authorities", "organisations", "known_children", "household"),
    },
}  # fmt: skip
"""Which columns stand together in a form: the parts of a person's page, in its order. Each fact is in one."""

READS: Mapping[str, tuple[str, ...]] = {
    rule.id: tuple(column_of(path)[1] for path in rule.reads) for rule in PAIR_RULES
}
"""The columns in which the facts stand that each rule goes by."""

MOST = 2000
"""Letters in a field."""

_HINTS = {
    "agrees": "A no ends every proposal and every visit at once. It is final until the child says otherwise.",
    "requested_gender_strength": "Left blank beside a gender, it counts as essential.",
}

_VOCABULARIES: tuple[tuple[Callable[[str], Any], str], ...] = (
    (cells.interests, "interests"), (cells.languages, "languages"),
    (cells.council, "councils"), (cells.councils, "councils"),
)  # fmt: skip
"""Of which vocabulary the words are that a reader takes, where they are too many to choose from."""
_SEVERAL = (cells.interests, cells.languages, cells.councils, cells.organisations, cells.references)
COORDINATOR = "coordinator"
"""The column that names somebody who may have an account: those who have one are suggested."""
NONE = "none"
"""What is ticked where a list is known to be empty."""
LEFT_OUT = "left out"
"""What a person says of an interest that is not in the vocabulary, and that is not to be recorded."""


@dataclass(frozen=True)
class Unread:
    """An interest that is not in the vocabulary, and what it may stand for: a person says which, or leaves it out."""

    name: str
    """Under which the form sends what it means: the words stand in it, so that it is said of these and no others."""
    text: str
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Field:
    """One column as a field of a form."""

    name: str
    label: str
    hint: str
    value: str
    """What stands in it."""
    recorded: str
    """What is recorded, in the same words."""
    options: tuple[tuple[str, str], ...]
    """What may be chosen, as it is sent and as it is said; none where anything may be typed."""
    blank: str
    """What is said of the blank beside them."""
    ticked: tuple[str, ...] | None
    """Which of the options are chosen, where several may be; None where one is, or anything may be typed."""
    error: str
    known: str
    """The vocabulary of its words, if there is one to be looked up."""
    unread: tuple[Unread, ...]
    short: str
    """“date” or “number” where what is written in it takes little room: such fields stand side by side."""
    needed: bool
    """Whether matching needs it: while it is blank, a rule is not passed."""


def fill_in(sheet: str, column: str, manager: bool) -> str:
    """Where the field of a column is, from a person's page on; nothing where this person has no field for it."""
    doors = {"family": "siblings#siblings", "status": "status"}
    if column in doors or (column in A_MANAGERS and not manager):
        return doors.get(column, "")
    part = next((part for part, names in PARTS[sheet].items() if column in names), "")
    return f"change/{part}#{column}" if part else ""


def fields(
    sheet: Sheet,
    part: str,
    record: Child | Volunteer,
    *,
    manager: bool,
    given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    needed: Collection[str] = (),
) -> list[Field]:
    """The fields of a part with what is recorded; with what a form came back with in its place, and what is wrong.

    What is a manager's word is a field for managers alone. `needed` are the columns that matching needs.
    """
    made = []
    for name in PARTS[sheet.name][part]:
        if name in A_MANAGERS and not manager:
            continue
        column = sheet.column(name)
        fact = getattr(record, column.to)
        recorded = "" if fact == () and column.optional else as_text(column.read, fact)
        value = recorded if given is None else given.get(name, "")
        hint = _HINTS.get(name) or _hint(column)
        if isinstance(fact, Place):
            hint += " What is recorded is not shown here: leave it blank to keep it."
        said = vocabulary.ethnicity_label if column.read is cells.ethnicity else str
        options = tuple((one, first_upper(said(one))) for one in column.options)
        ticked = None
        if isinstance(column.read, cells.SomeOf):
            ticked = _ticked(value)
            words = [*column.read.words]
            words += [one for one in ticked if one not in (*words, NONE)]
            options = (*((one, first_upper(one)) for one in words), (NONE, "None of these"))
        made.append(
            Field(
                name,
                label(sheet.name, name),
                hint,
                value,
                recorded,
                options,
                blank=first_upper(IF_BLANK.get(name, "not recorded")),
                ticked=ticked,
                error=(errors or {}).get(name) or wrong(sheet, name, value),
                known=next((words for read, words in _VOCABULARIES if column.read is read), ""),
                unread=_unread(column, value),
                short=_short(column),
                needed=name in needed,
            )
        )
    return made


def _short(column: Column) -> str:
    if column.is_date:
        return "date"
    is_number = isinstance(column.read, cells.Count) or column.read in (cells.miles, cells.miles_apart)
    return "number" if is_number else ""


@cache
def words_of(known: str) -> Mapping[str, Sequence[str]]:
    """The words of a vocabulary as a person writes them, by group where it has any."""
    if known != "interests":
        return {"": vocabulary.languages() if known == "languages" else geography.councils()}
    tags = vocabulary.interests()
    groups = sorted({vocabulary.interest_group(tag) for tag in tags})
    return {
        group: [vocabulary.interest_label(tag) for tag in tags if vocabulary.interest_group(tag) == group]
        for group in groups
    }


def _ticked(value: str) -> tuple[str, ...]:
    """The words of a list, also those that are not among its words: a person unticks them."""
    said = [" ".join(part.casefold().split()) for part in value.split(";")]
    return tuple(dict.fromkeys(NONE if one in cells.NONE_WORDS else one for one in said if one))


def _unread(column: Column, text: str) -> tuple[Unread, ...]:
    """The interests that are not in the vocabulary: whoever typed them says what they mean."""
    if column.read is not cells.interests or len(text) > MOST:
        return ()
    found = []
    for word in vocabulary.read_interests(as_typed(text))[1]:
        near = [vocabulary.interest_label(tag) for tag in word.suggestions]
        options = (*((label, label) for label in near), (LEFT_OUT, "Left out: it does not count"))
        found.append(Unread(f"{column.name}: {word.text}", word.text, options))
    return tuple(found)


def understood(sheet: Sheet, given: Mapping[str, str]) -> Mapping[str, str]:
    """What a form says, each interest of which a person has said what it means in the words of the vocabulary."""
    read = dict(given)
    for column in sheet.columns:
        unread = _unread(column, given.get(column.name, ""))
        if any(given.get(one.name) for one in unread):
            tags = vocabulary.read_interests(as_typed(given[column.name]))[0]
            meant = [given.get(one.name) or one.text for one in unread]
            words = [*map(vocabulary.interest_label, tags), *(one for one in meant if one != LEFT_OUT)]
            read[column.name] = "; ".join(dict.fromkeys(words))
    return read


def wrong(sheet: Sheet, name: str, text: str) -> str:
    """Why a column cannot be read, in a sentence; "" where it can."""
    if len(text) > MOST:
        return f"This is too long. Write up to {MOST} characters."
    column = sheet.column(name)
    if unread := _unread(column, text):
        verb = "is" if len(unread) == 1 else "are"
        return f"{listed(f'“{one.text}”' for one in unread)} {verb} not known here. Say what is meant, or correct it."
    if isinstance(column.read, cells.SomeOf):
        return _wrong_ticks(column.read, _ticked(text))
    try:
        if as_typed(text):
            column.read(as_typed(text))
    except (RefusedError, Remark) as error:
        return f"“{text}” {error.wrong}. {error.remedy.removesuffix('?')}{'?' if error.remedy.endswith('?') else '.'}"
    return ""


def _wrong_ticks(read: cells.SomeOf[Any], ticked: Sequence[str]) -> str:
    if NONE in ticked and len(ticked) > 1:
        return "Tick some of these, or none of these: not both."
    strange = [one for one in ticked if one not in (*read.words, NONE)]
    return f"{listed(f'“{one}”' for one in strange)} cannot be recorded here. Untick it." if strange else ""


def _hint(column: Column) -> str:
    """What to write, in a sentence or two; what a list of choices says by itself is left out."""
    said = column.means.partition(", in the words of")[0].removesuffix(" yes or no")
    if column.read is cells.religion:
        return f"{listed(vocabulary.religions(), 'or')}."
    if isinstance(column.read, cells.SomeOf):
        told = re.split(r",? ?[Bb]etween semicolons|; none|, in the words", said)[0]
        return f"{told}." if told else ""
    if column.options:
        return first_upper(said) if said.endswith("?") else ""
    told = f"{first_upper(said)}."
    if column.is_date:
        told += f" For example {column.example}."
    elif column.read in _SEVERAL and "semicolons" not in told:
        told += " With semicolons between several."
    return told


def changed(made: Sequence[Field], given: Mapping[str, str]) -> dict[str, str]:
    """What was typed that is not what is recorded; a field that the form did not have is no change."""
    return {one.name: given[one.name] for one in made if given.get(one.name, one.recorded) != one.recorded}


def as_text(read: Callable[[str], Any], fact: Any) -> str:
    """A fact as a cell would say it, so that `read` makes the same of it. A place is left out: it may be an address."""
    if fact is None or isinstance(fact, Place):
        return ""
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, date):
        return f"{fact:%d/%m/%Y}"
    if isinstance(read, cells.SomeOf):
        return "; ".join(word for word in read.words if word in fact) or NONE
    if isinstance(fact, tuple):
        return "; ".join(_word(read, one) for one in fact) or "none"
    if read in (cells.miles, cells.miles_apart):
        return f"{fact / METRES_PER_MILE:.2f}".rstrip("0").rstrip(".")
    return _word(read, fact)


def _word(read: Callable[[str], Any], fact: Any) -> str:
    if read is cells.interests:
        return vocabulary.interest_label(fact)
    if read is cells.languages:
        return vocabulary.language_name(fact)
    if read is cells.religion:
        return vocabulary.religion_label(fact)
    if read in (cells.council, cells.councils):
        return council(fact)
    return str(fact)


def in_plain(words: str) -> bool:
    """Whether words of several lines, as somebody typed them, have no sign in them that cannot be printed."""
    return words.replace("\r\n", "\n").replace("\n", " ").isprintable()


NOT_PLAIN = "There is a sign in it that cannot be printed. Write it in plain text."
