"""Organisations: providers that accommodate children, by the names under which independence is checked.

Facts name them in words, as they were written in a file or on a page; `one_name` is what they are compared by. So an
organisation that takes another name keeps the one before: what was entered under it, and what a file still calls so, is
read under the name of now when rules are asked.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from matcher.errors import InputError
from matcher.reading import cells
from matcher.references import may_be, one_name
from service import audit_log
from service.audit_log import Entry
from service.database import tables
from service.proposals import TakenError
from service.repository import Repository
from service.workflow import LIVE

LONGEST = 200
"""Letters of a name."""


def add(rows: Repository, name: str, *, user_id: str) -> tables.Organisation:
    """Raises InputError for what is no name, TakenError for one that is another's."""
    name = cells.as_typed(name)
    rows.take_turn()
    _refuse_taken(rows, name)
    row = tables.Organisation(name=name)
    rows.session.add(row)
    _flush(rows)
    audit_log.record(rows.session, rows.keys, Entry(user_id, "add organisation", row.id))
    return row


def rename(rows: Repository, row: tables.Organisation, name: str, *, user_id: str) -> tuple[str, ...]:
    """Gives an organisation another name, under which everybody's facts are read from now on.

    The ids of live matches of which it shows that the volunteer has a part in what accommodates the child: somebody has
    to look at them. Raises InputError for what is no name, TakenError for one that is, or was, another's.
    """
    name = cells.as_typed(name)
    rows.take_turn()
    _refuse_taken(rows, name, but=row)
    before = _within(rows)
    row.name, row.former = name, sorted(one for one in _known_as(row) if one_name(one) != as_in_facts(name))
    _flush(rows)
    breaking = tuple(sorted(_within(rows) - before))
    details = {"break a rule": list(breaking)}
    audit_log.record(rows.session, rows.keys, Entry(user_id, "rename organisation", row.id, details=details))
    return breaking


def list_named(rows: Repository, names: Iterable[str]) -> int:
    """Lists the providers that files name and that are not here under any of their names; how many those are.

    It changes nobody's facts and no rule: who is listed can be given another name later.
    """
    listed = list(rows.session.scalars(select(tables.Organisation)))
    known = {one_name(name) for row in listed for name in (row.name, *_known_as(row))}
    new = {one_name(name): name for name in sorted(names, reverse=True) if len(name) <= LONGEST}
    found = [name for meant, name in sorted(new.items()) if meant and meant not in known]
    rows.session.add_all(tables.Organisation(name=name) for name in found)
    return len(found)


def as_in_facts(name: str) -> str:
    """A name as it is compared by, if facts can have it. Raises InputError."""
    try:
        (found,) = cells.organisations(cells.as_typed(name))
    except (cells.RefusedError, ValueError):
        raise InputError("That is not the name of one organisation. Write it as its letters have it.") from None
    return one_name(found)


def _refuse_taken(rows: Repository, name: str, but: tables.Organisation | None = None) -> None:
    meant = as_in_facts(name)
    for other in rows.session.scalars(select(tables.Organisation)):
        if other is not but and (other.name == name or meant in map(one_name, _known_as(other))):
            raise TakenError(
                "An organisation of that name is here already, or had it before. Capitals, signs, The and Ltd do not "
                "tell two apart."
            )


def _known_as(row: tables.Organisation) -> set[str]:
    """Its names of now and before, as they were written: those of a former version of Kith, in small letters."""
    try:
        return {*cells.organisations(cells.as_typed(row.name)), *row.former}
    except cells.RefusedError:  # entered before it was asked whether facts could have it: none do
        return set(row.former)


def _flush(rows: Repository) -> None:
    try:
        rows.session.flush()
    except IntegrityError:
        raise TakenError("Somebody was quicker: an organisation of that name is here by now. Look again.") from None


def _within(rows: Repository) -> set[str]:
    """Ids of the live matches whose volunteer has a part in an organisation that accommodates the child."""
    now = rows.names_now()
    pairs = (
        select(tables.Match.id, tables.Child, tables.Volunteer)
        .join(tables.Child, tables.Child.id == tables.Match.child_id)
        .join(tables.Volunteer, tables.Volunteer.id == tables.Match.volunteer_id)
        .where(tables.Match.state.in_(LIVE))
    )
    found = set()
    for match, child, volunteer in rows.session.execute(pairs):
        lives_with = rows.child_record(child, family_known=False).provider or ()
        belongs_to = rows.volunteer_record(volunteer).organisations or ()
        if any(may_be(now.of(belongs_to), now.of(lives_with)).values()):
            found.add(match)
    return found
