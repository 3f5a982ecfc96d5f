"""Facts of one person that cannot be, and facts that are seldom meant.

Nobody is hurt by them: the rules refuse whatever is not in order, so a record that has one already is matched by them
all the same, and a form, a program or a file records what else there is to say of it, a no above all. What nobody has
recorded yet is refused: a row of a file that brings a fault is left out whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from matcher.instance import find_problems, is_after
from matcher.records import Child, Status, Volunteer
from matcher.references import years_old

_DONE = {
    Child: ("looked_after_since", "last_parental_visit"),
    Volunteer: (
        "agreement_signed_on", "dbs_checked_on", "database_checked_on", "core_training_on", "safeguarding_training_on",
        "licence_checked_on", "medical_clearance_on",
    ),
}  # fmt: skip
"""Dates on which something was done, or began: none of them is yet to come."""
_OF_LIFE = {Child: (*_DONE[Child], "referred_on"), Volunteer: _DONE[Volunteer]}
"""Dates of somebody who was born by then."""
_LEAST_AND_MOST = (("prefers_from_age", "prefers_to_age"), ("youngest_age", "oldest_age"))

GROWN_UP = 18
"""Nobody younger is a volunteer, whatever a policy asks besides."""
SELDOM_OLDER = 21
"""A child may be older where a policy supports care leavers for longer; mostly the year is mistyped."""
SELDOM_MORE = 52
"""Support sessions in a year: one a week."""

_ONE_OF_TWO = "Correct one of the two"
_IF_RIGHT = "Nothing to do if that is right; otherwise correct it"


class Fault(NamedTuple):
    """The column to be told of it, what stands there, what is wrong, and what to do.

    Two are the same fault where the facts that it rests on are the same: so one that stood before is known again.
    """

    column: str
    value: str
    wrong: str
    remedy: str
    beside: date | int | None = None
    """The other fact, where two are at odds."""


def faults(record: Child | Volunteer, as_of: date) -> frozenset[Fault]:
    """All that cannot be of a record by itself on that day."""
    children, volunteers = ([record], []) if isinstance(record, Child) else ([], [record])
    found = find_problems(children, volunteers, [], [], [], as_of)
    alone = (Fault(one.column, one.value, one.wrong, one.remedy) for one in found if one.rejected)
    return frozenset((*alone, *impossible(record, as_of)))


def impossible(record: Child | Volunteer, as_of: date) -> Iterator[Fault]:
    """What cannot be on that day: a date yet to come or before the birth, numbers at odds, a child as a volunteer."""
    kind, born = type(record), record.date_of_birth
    born = born if born is not None and born <= as_of else None  # otherwise that is what is wrong
    for column in _DONE[kind]:
        on = getattr(record, column)
        if on is not None and on > as_of:
            yield Fault(column, _shown(on), is_after(as_of), "Correct the date")
    for column in _OF_LIFE[kind]:
        on = getattr(record, column)
        if on is not None and born is not None and on < born:
            yield Fault(column, _shown(on), "is before the date of birth", _ONE_OF_TWO, born)
    for least, most in _LEAST_AND_MOST:
        youngest, oldest = getattr(record, least, None), getattr(record, most, None)
        if youngest is not None and oldest is not None and youngest > oldest:
            yield Fault(most, str(oldest), "is below the youngest age that stands with it", _ONE_OF_TWO, youngest)
    if isinstance(record, Volunteer):
        accepted, professional = record.references_accepted, record.professional_references
        if accepted is not None and professional is not None and professional > accepted:
            more = "is more than all the references accepted"
            yield Fault("professional_references", str(professional), more, _ONE_OF_TWO, accepted)
        if record.status is Status.APPROVED and born is not None and years_old(born, as_of) < GROWN_UP:
            wrong = f"makes an approved volunteer {years_old(born, as_of)} years old"
            yield Fault("date_of_birth", _shown(born), wrong, f"Correct it: nobody under {GROWN_UP} is approved")


def odd(record: Child | Volunteer, as_of: date) -> Iterator[Fault]:
    """What could be, and mostly is not: it is told where somebody reads a whole file, and refused nowhere."""
    born = record.date_of_birth
    if isinstance(record, Child) and born is not None and years_old(born, as_of) >= SELDOM_OLDER:
        yield Fault("date_of_birth", _shown(born), f"makes the child {years_old(born, as_of)} years old", _IF_RIGHT)
    sessions = record.support_sessions if isinstance(record, Volunteer) else None
    if sessions is not None and sessions > SELDOM_MORE:
        yield Fault("support_sessions", str(sessions), "is more than one a week in the year", _IF_RIGHT)


def _shown(on: date) -> str:
    return f"{on:%d/%m/%Y}"
