"""Rows <-> the matcher's records, for the authority of a session.

The matcher is handed opaque ids alone: neither names nor the council's own references. Facts that matching reads are
one sealed value a row, the record itself as JSON; only what lists are filtered by, and what the constraints of the
database go by, stands in columns of its own.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from matcher import records
from matcher.catalogue import CATALOGUE
from matcher.errors import NotFoundError
from matcher.instance import Instance
from matcher.policy import Policy
from matcher.reading.cells import as_typed, organisations
from matcher.records import Agreement, ExceptionKind
from matcher.references import bare, may_be, one_name
from matcher.words import same
from service.crypto import KeyRing, Place
from service.database import tables
from service.database.base import ID_LENGTH, Base
from service.permissions import MAY, Permission
from service.workflow import MATCH_STATUS, State

_COORDINATE = [role for role in MAY if Permission.DECIDE in MAY[role]]
"""The roles of those who may look after a child's match."""

_CHILD: TypeAdapter[records.Child] = TypeAdapter(records.Child)
_VOLUNTEER: TypeAdapter[records.Volunteer] = TypeAdapter(records.Volunteer)
_POLICY: TypeAdapter[Policy] = TypeAdapter(Policy)

_Sealed = tuple[str, bytes | None, str | None]
"""Of which row, its sealed bytes, and the family where it is known."""

Row = TypeVar("Row", tables.Child, tables.Volunteer, tables.Match, tables.Organisation, tables.RecordedException)
Side = TypeVar("Side", tables.Child, tables.Volunteer)
Person = TypeVar("Person", records.Child, records.Volunteer)

_IN_FORCE = select(tables.RecordedException).where(tables.RecordedException.withdrawn_on.is_(None))


class Opened:
    """Records by what they are sealed as: who reads an authority again opens what changed since, and nothing else.

    What is not read again is forgotten with the reading before.
    """

    def __init__(self, before: Opened | None = None) -> None:
        self._before: Mapping[_Sealed, Any] = before._now if before else {}
        self._now: dict[_Sealed, Any] = {}

    def record(self, sealed: _Sealed, read: Callable[[], Any]) -> Any:
        found = self._now[sealed] = self._before[sealed] if sealed in self._before else read()
        return found

    def forget_before(self) -> None:
        self._before = {}


@dataclass(frozen=True)
class Repository:
    """The rows of one authority, through one session."""

    session: Session
    keys: KeyRing
    opened: Opened | None = None
    """Where records are read again and again."""

    # ---- sealed columns ----------------------------------------------------------------------------------------------

    def seal(self, row: Base, column: str, text: str | None) -> None:
        """Encrypts a text into a sealed column of a row."""
        setattr(row, column, None if text is None else self.keys.seal(text, _place(row, column)))

    def open(self, row: Base, column: str) -> str | None:
        """What a sealed column says."""
        sealed: bytes | None = getattr(row, column)
        return None if sealed is None else self.keys.open(sealed, _place(row, column))

    # ---- single rows -------------------------------------------------------------------------------------------------

    def child(self, id: str) -> tables.Child:
        """Raises NotFoundError for an id that is not there, or is another authority's: nobody can tell which."""
        return self._one(tables.Child, id)

    def volunteer(self, id: str) -> tables.Volunteer:
        return self._one(tables.Volunteer, id)

    def match(self, id: str) -> tables.Match:
        return self._one(tables.Match, id)

    def organisation(self, id: str) -> tables.Organisation:
        return self._one(tables.Organisation, id)

    def exception(self, id: str) -> tables.RecordedException:
        return self._one(tables.RecordedException, id)

    def _one(self, kind: type[Row], id: str) -> Row:
        row = self.session.scalar(select(kind).where(kind.id == id))
        if row is None:
            raise NotFoundError(f"There is no such {kind.__name__.removeprefix('Recorded').lower()}.")
        return row

    def take_turn(self) -> int:
        """Waits until nobody else changes what matching reads, and keeps them waiting; the number that the data have.

        Whoever goes by what is here while they change it comes first of all here: what they read after it stays so
        until they are through, and two that lock more never wait for each other. A row that was read before, and
        changed meanwhile, cannot be written any more. Who asks for a run does not wait. SQLite has one writer anyway.
        """
        own = tables.Authority.id == self.session.info["authority"]
        turn = select(tables.Authority.data_version).where(own).with_for_update(key_share=True)
        return self.session.scalars(turn).one()

    # ---- records -----------------------------------------------------------------------------------------------------

    def child_record(self, row: tables.Child, family_known: bool) -> records.Child:
        return self._child(row.id, row.facts, row.family_id if family_known else None)

    def volunteer_record(self, row: tables.Volunteer) -> records.Volunteer:
        return self._volunteer(row.id, row.facts)

    def _child(self, id: str, facts: bytes, family: str | None) -> records.Child:
        def read() -> records.Child:
            return replace(_CHILD.validate_json(self._facts(tables.Child, id, facts)), id=id, family=family)

        return self.opened.record((id, facts, family), read) if self.opened else read()

    def _volunteer(self, id: str, facts: bytes) -> records.Volunteer:
        def read() -> records.Volunteer:
            return replace(_VOLUNTEER.validate_json(self._facts(tables.Volunteer, id, facts)), id=id)

        return self.opened.record((id, facts, None), read) if self.opened else read()

    def _coordinator(self, id: str, sealed: bytes | None) -> str | None:
        def read() -> str | None:
            return (
                None if sealed is None else self.keys.open(sealed, Place(tables.Match.__tablename__, id, "coordinator"))
            )

        return self.opened.record((id, sealed, None), read) if self.opened else read()

    def _facts(self, kind: type[Base], id: str, sealed: bytes) -> str:
        return self.keys.open(sealed, Place(kind.__tablename__, id, "facts"))

    def write_child(self, row: tables.Child, record: records.Child) -> None:
        """Takes the facts of a record into a row, with the columns that go by them."""
        self.seal(row, "facts", _CHILD.dump_json(replace(record, id="", family=None)).decode())
        row.objects = record.agrees is Agreement.NO
        row.referred_on, named = record.referred_on, record.coordinator
        row.coordinator_hash = self.coordinator_hash(named) if named else None

    def write_volunteer(self, row: tables.Volunteer, record: records.Volunteer) -> None:
        self.seal(row, "facts", _VOLUNTEER.dump_json(replace(record, id="")).decode())
        row.status = record.status

    def name_coordinator(self, row: tables.Match, name: str | None) -> None:
        self.seal(row, "coordinator", name)
        row.coordinator_hash = self.coordinator_hash(name) if name else None

    def coordinator_hash(self, name: str) -> str:
        """By which lists and addresses go: one for a name in every spelling, from which nothing leads back to it.

        Without the keys, that is. It stays the same when they are rotated.
        """
        return self.keys.digest("coordinator", f"{self.session.info['authority']} {same(name)}")

    def hashes_meant(self, coordinator: str) -> tuple[str, str]:
        """Of a filter, which may be such a hash already, or a name."""
        return coordinator, self.coordinator_hash(coordinator)

    def policy(self) -> tuple[tables.Policy, Policy]:
        """The policy in force: its row and its content, in which core rules hold also where it was written before they
        were core. Raises NotFoundError where none was recorded yet.
        """
        row = self.session.scalar(select(tables.Policy).order_by(tables.Policy.number.desc()).limit(1))
        if row is None:
            raise NotFoundError("No policy is recorded yet. Record one first.")
        return row, self.policy_content(row).with_core(CATALOGUE).checked(CATALOGUE)

    def policy_content(self, row: tables.Policy) -> Policy:
        """The policy that a version holds, as it was written."""
        return _POLICY.validate_json(row.content)

    def add_policy(self, policy: Policy, *, user_id: str | None, reason: str) -> tables.Policy:
        """Puts a policy in force as the next version, and gives every volunteer the places that it allows."""
        policy.checked(CATALOGUE)
        last = self.session.scalar(select(func.max(tables.Policy.number))) or 0
        content = _POLICY.dump_json(policy).decode()
        row = tables.Policy(number=last + 1, content=content, content_hash=policy.content_hash, user_id=user_id)
        self.seal(row, "reason", reason)
        self.session.add(row)
        self.set_capacities(policy)
        return row

    def instance(self, as_of: date, *, without_match: str | None = None, policy: Policy | None = None) -> Instance:
        """Everything that matching needs, from fresh data. No record keeps the others from being read.

        Args:
            without_match: the id of a match to leave out, so that its own pair can be judged as if it were new.
            policy: in place of the one in force, to see what a draft would change.
        """
        known = set(self.session.scalars(select(tables.Family.id).where(tables.Family.known)))
        # Column by column: whole rows of thousands of people take longer to make than all else here.
        child, volunteer = tables.Child, tables.Volunteer
        children = self.session.execute(select(child.id, child.facts, child.family_id).where(child.referral))
        volunteers = self.session.execute(select(volunteer.id, volunteer.facts))
        matches = self.session.scalars(select(tables.Match))
        declined = self.session.scalars(select(tables.Declined))
        now = self.names_now()
        return Instance.kept(
            [renamed(self._child(id, facts, family if family in known else None), "provider", now)
             for id, facts, family in children],
            [renamed(self._volunteer(id, facts), "organisations", now) for id, facts in volunteers],
            policy=policy or self.policy()[1],
            as_of=as_of,
            matches=[
                records.Match(
                    row.child_id, row.volunteer_id, status, row.family_id if row.family_id in known else None,
                    row.started_on, row.ended_on, records.Party(row.over_by) if row.over_by else None,
                    self._coordinator(row.id, row.coordinator),
                )
                for row in matches
                if row.id != without_match and (status := MATCH_STATUS[State(row.state)]) is not None
            ],
            declined=[
                records.Declined(row.child_id, row.volunteer_id, records.Party(row.said_by) if row.said_by else None,
                                 row.declined_on, self.open(row, "reason"))
                for row in declined
            ],
            authorities=[
                records.Authority(row.code, row.budget_pence, row.spent_pence)
                for row in self.session.scalars(select(tables.Budget))
            ],
            exceptions=[
                records.RecordedException(
                    ExceptionKind(row.kind), self.open(row, "reason") or "", self.open(row, "approved_by") or "",
                    row.approved_on, row.volunteer_id, row.child_id, row.value,
                )
                for row in self.session.scalars(_IN_FORCE)
            ],
        )  # fmt: skip

    def names_now(self) -> NamesNow:
        """Of every organisation that went by another name."""
        return NamesNow(
            {
                one_name(former): name
                for row in self.session.scalars(select(tables.Organisation))
                for former in row.former
                for name in organisations(as_typed(row.name))
            }
        )

    def references(self) -> dict[str, str]:
        """The council's reference of each child and volunteer, by id: what a coordinator knows them by."""
        named: dict[str, str] = {}
        for kind in (tables.Child, tables.Volunteer):
            named |= {row.id: row.reference for row in self.session.execute(select(kind.id, kind.reference))}
        return named

    def once(self, reference: str) -> str:
        """By which somebody who was erased is known again, in whichever spelling: a hash from which nothing leads back.

        Without the keys, that is, which are outside the database.
        """
        return self.keys.digest("erased reference", f"{self.session.info['authority']} {bare(reference)}")

    def come_back(self, kind: type[Side], reference: str) -> Side | None:
        """The row of somebody who was erased under this reference, under which they are known again from now on.

        So whatever was said no to, a suspension and a family hold as if nobody had forgotten them.
        """
        row = self.erased(kind, reference)
        if row is not None:
            self.known_again(row, reference)
        return row

    def erased(self, kind: type[Side], reference: str) -> Side | None:
        """The row of somebody who was erased under this reference, who stays erased."""
        return self.session.scalars(select(kind).where(kind.once == self.once(reference)).order_by(kind.id)).first()

    def known_again(self, row: tables.Child | tables.Volunteer, reference: str) -> None:
        row.reference, row.once = reference, None
        if isinstance(row, tables.Child):
            family = self.session.get_one(tables.Family, row.family_id)
            family.references = sorted({*family.references, reference.casefold()})
        self.session.flush()

    def account_names(self) -> dict[str, str]:
        """The name of each account of the authority, by id."""
        accounts = select(tables.User).where(tables.User.authority_id == self.session.info["authority"])
        return {user.id: self.open(user, "name") or "" for user in self.session.scalars(accounts)}

    def account_name(self, user_id: str) -> str:
        user = self.session.get(tables.User, user_id)
        return (self.open(user, "name") if user else None) or ""

    def coordinators(self) -> list[str]:
        """The names of those who have an account and may be a child's coordinator, in order."""
        which = tables.User.authority_id == self.session.info["authority"], tables.User.disabled_at.is_(None)
        users = self.session.scalars(select(tables.User).where(*which, tables.User.role.in_(_COORDINATE)))
        return sorted({self.open(user, "name") or "" for user in users} - {""})

    def places(self, policy: Policy) -> Mapping[str, int]:
        """How many children at once the policy and the exceptions allow each volunteer, whoever is asked for."""
        most: dict[str, int] = defaultdict(lambda: policy.number("constraints.capacity.children"))
        more = tables.RecordedException.kind == ExceptionKind.SECOND_CHILD
        for one in self.session.scalars(_IN_FORCE.where(more)):
            most[one.volunteer_id] = max(most[one.volunteer_id], one.value or 2)
        return most

    def set_capacities(self, policy: Policy, of: str | None = None) -> None:
        """Gives each volunteer, or one by their id, as many places as the policy and the exceptions allow.

        Never fewer than are taken: who is in a place that goes moves up to one that is left.
        """
        most = self.places(policy)
        live, volunteers = select(tables.Match).where(tables.Match.place.is_not(None)), select(tables.Volunteer)
        if of is not None:
            live = live.where(tables.Match.volunteer_id == of)
            volunteers = volunteers.where(tables.Volunteer.id == of)
        taken: dict[str, dict[int | None, tables.Match]] = defaultdict(dict)
        for match in self.session.scalars(live):
            taken[match.volunteer_id][match.place] = match
        for row in self.session.scalars(volunteers):
            own = taken[row.id]
            capacity = max(most[row.id], len(own))
            if row.capacity != capacity:
                left = (place for place in range(capacity) if place not in own)
                for place, match in own.items():
                    if place is not None and place >= capacity:
                        match.place = next(left)
                self.session.flush()  # the database lets no place go that somebody is in
                row.capacity = capacity


_ID = re.compile(rf"\b[CV][2-9B-Z]{{{ID_LENGTH - 1}}}\b")


def ids_in(text: str, kind: str) -> list[str]:
    """The ids of children (C) or of volunteers (V) that a sentence names."""
    return [id for id in _ID.findall(text) if id.startswith(kind)]


def children_in(told: Any) -> list[str]:
    """The ids of all children whom JSON content names: for the audit log, which says of whom somebody read."""
    return sorted({*ids_in(json.dumps(told), "C")})


def with_references(told: Any, references: Mapping[str, str]) -> Any:
    """The same JSON content with the council's references in its sentences; fields that are ids stay ids."""
    if isinstance(told, str):
        if _ID.fullmatch(told):
            return told
        return _ID.sub(lambda found: references.get(found[0], found[0]), told)
    if isinstance(told, Mapping):
        return {key: with_references(value, references) for key, value in told.items()}
    if isinstance(told, Sequence):
        return [with_references(value, references) for value in told]
    return told


class NamesNow:
    """The names of now of organisations, by the former ones: who knew one by another name knew the same one.

    A name that may be a former one, by its words ("trustee of Bluebell Homes", of what was Bluebell Homes), is taken
    for it, as it was while the organisation was called so; it stays as well, since nobody can tell.
    """

    def __init__(self, now: Mapping[str, str]) -> None:
        """`now` is the name of now by each former one, as `one_name` has it."""
        self._now = now
        self._found: dict[str, frozenset[str]] = {}

    def of(self, names: Iterable[str]) -> set[str]:
        return {one for name in names for one in self._of(name)}

    def _of(self, name: str) -> frozenset[str]:
        if name not in self._found:
            plain, meant = one_name(name), (self._now[former] for former in may_be([name], self._now)[name])
            self._found[name] = frozenset([self._now[plain]] if plain in self._now else [name, *meant])
        return self._found[name]


def renamed(record: Person, field: str, now: NamesNow) -> Person:
    """The record with organisations under their names of now."""
    names: tuple[str, ...] = getattr(record, field) or ()
    told = now.of(names)
    found: dict[str, Any] = {field: tuple(sorted(told))}
    return record if told == {*names} else replace(record, **found)


def _place(row: Base, column: str) -> Place:
    key: str = row.id  # type: ignore[attr-defined]  # every table with a sealed column has an id
    return Place(row.__tablename__, key, column)
