"""Siblings whom a manager took apart: no file joins them again unseen, and no file makes strangers of siblings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from conftest import Service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from set_back import Backups
from sqlalchemy import delete, select

from matcher.errors import InputError
from matcher.instance import today
from matcher.readers import Reading
from matcher.records import Child, Match, MatchStatus, Volunteer
from service import importing, people, privacy
from service.database import tables
from service.database.engine import Database
from service.families import UNLINK_REASONS, ApartError, link_siblings, unlink_sibling
from service.installation import import_folder
from service.permissions import Role
from service.repository import Repository

API = "/api/v1"
Pair = frozenset[str]


@contextmanager
def written(service: Service) -> Iterator[Repository]:
    with service.database.write(service.north) as session:
        yield Repository(session, service.keys)


def strangers(service: Service, how_many: int) -> list[tables.Child]:
    """Children of North who have no siblings, for all that is recorded."""
    with service.database.read(service.north) as session:
        every = session.scalars(select(tables.Child).where(tables.Child.referral).order_by(tables.Child.id)).all()
        number = Counter(session.scalars(select(tables.Child.family_id)))
    return [one for one in every if number[one.family_id] == 1][:how_many]


def are_siblings(service: Service, *ids: str) -> bool:
    with service.database.read(service.north) as session:
        return len(set(session.scalars(select(tables.Child.family_id).where(tables.Child.id.in_(ids))))) == 1


class Files:
    """A file of children and families, looked at and taken in over the API."""

    def __init__(self, service: Service, *lines: str) -> None:
        self.service = service
        self.sent = [("files", ("children.csv", "\n".join(("child_id,family", *lines, "")).encode())),
                     ("files", ("volunteers.csv", b"volunteer_id\n"))]  # fmt: skip

    def told(self) -> list[dict[str, Any]]:
        answer = self.service.as_(Role.COORDINATOR).post(f"{API}/imports/check", files=self.sent).json()
        assert answer["usable"]
        self.stamp, self.keys = answer["stamp"], [one["key"] for one in answer["weaker"]]
        return [one for one in answer["weaker"] if one["field"] == "family"]

    def take(self, role: Role, *keys: str) -> int:
        sent = {"stamp": self.stamp, "weaken": list(keys)}
        return self.service.as_(role).post(f"{API}/imports", files=self.sent, data=sent).status_code


def refused_until_a_manager_confirms(service: Service, files: Files, child: tables.Child, other: tables.Child) -> None:
    (again,) = files.told()
    assert (again["reference"], again["children"]) == (child.reference, [child.reference, other.reference])
    assert files.take(Role.COORDINATOR) == 422
    assert not are_siblings(service, child.id, other.id)
    assert files.take(Role.MANAGER, *files.keys) == 201
    assert are_siblings(service, child.id, other.id)
    assert files.told() == []  # they are together: there is no more


def test_the_row_of_one_of_them_alone_joins_nobody_unseen(service: Service) -> None:
    """By the word that files have for the family: it stays with those whom the child left."""
    child, other = strangers(service, 2)
    both = Files(service, f"{child.reference},F901", f"{other.reference},F901")
    assert (both.told(), both.take(Role.COORDINATOR)) == ([], 201)
    with written(service) as rows:
        unlink_sibling(
            rows, rows.child(child.id), user_id=service.users["north", Role.MANAGER], reason=UNLINK_REASONS[0]
        )
    refused_until_a_manager_confirms(service, Files(service, f"{child.reference},F901"), child, other)


@pytest.mark.parametrize("which", [0, 1])
def test_whoever_either_is_linked_to_meanwhile_a_file_joins_them_by_a_managers_word_alone(
    service: Service, which: int
) -> None:
    child, other, third = strangers(service, 3)
    user = service.users["north", Role.MANAGER]
    with written(service) as rows:
        link_siblings(rows, [child.id, other.id], user_id=user)
        unlink_sibling(rows, rows.child(child.id), user_id=user, reason="another child was meant")
        link_siblings(rows, [third.id, (child.id, other.id)[which]], user_id=user)
    files = Files(service, f"{child.reference},F901", f"{other.reference},F901")
    refused_until_a_manager_confirms(service, files, child, other)


def test_a_child_under_another_word_stays_with_their_siblings(service: Service) -> None:
    """Whichever of the words a file has for each: it joins two families, and takes nobody out of either."""
    child, other, third = strangers(service, 3)
    for lines in (
        (f"{child.reference},F902", f"{other.reference},F902"),
        (f"{third.reference},A901",),
        (f"{child.reference},A901", f"{other.reference},F902"),
    ):
        files = Files(service, *lines)
        assert (files.told(), files.take(Role.COORDINATOR)) == ([], 201)
    assert are_siblings(service, child.id, other.id, third.id)


def test_a_file_without_a_person_joins_them_not_at_all(service: Service, tmp_path: Path) -> None:
    child, other = strangers(service, 2)
    with written(service) as rows:
        link_siblings(rows, [child.id, other.id], user_id=service.users["north", Role.MANAGER])
        unlink_sibling(
            rows, rows.child(child.id), user_id=service.users["north", Role.MANAGER], reason=UNLINK_REASONS[0]
        )
    for _, (name, content) in Files(service, f"{child.reference},F901", f"{other.reference},F901").sent:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="1 safeguards would weaken"):
        import_folder(service.database, service.keys, service.north, tmp_path)


def test_that_they_were_taken_apart_outlives_an_erasure_and_is_told_to_whom_it_is_about(service: Service) -> None:
    child, other = strangers(service, 2)
    manager = service.users["north", Role.MANAGER]
    with written(service) as rows:
        link_siblings(rows, [child.id, other.id], user_id=manager)
        unlink_sibling(rows, rows.child(child.id), user_id=manager, reason="not related after all")
    for one, another in ((child, other), (other, child)):
        told = service.as_(Role.MANAGER).get(f"{API}/children/{one.id}/export")
        assert told.json()["taken_apart"] == [{"child": another.id, "on": today().isoformat()}]
        assert "not related" not in told.text  # it is the manager's word
    with written(service) as rows:
        for one in (child, other):
            privacy.erase_child(rows, rows.child(one.id), user_id=manager, reason="asked to be erased")
    files = Files(service, f"{child.reference},F901", f"{other.reference},F901")
    refused_until_a_manager_confirms(service, files, child, other)


def test_a_restore_keeps_who_was_taken_apart(service: Service, backups: Backups) -> None:
    child, other = strangers(service, 2)
    user = service.users["north", Role.MANAGER]
    backups.make()
    with written(service) as rows:
        link_siblings(rows, [child.id, other.id], user_id=user)
        unlink_sibling(rows, rows.child(child.id), user_id=user, reason="another child was meant")
    service.database.close()
    for _ in range(2):  # the second time from the restored one itself
        assert backups.put_back().noes == 1
    files = Files(service, f"{child.reference},F901", f"{other.reference},F901")
    refused_until_a_manager_confirms(service, files, child, other)


def test_who_was_taken_apart_before_that_was_kept_is_known_from_the_log(service: Service) -> None:
    child, other, third, fourth = strangers(service, 4)
    user = service.users["north", Role.MANAGER]
    with written(service) as rows:
        link_siblings(rows, [child.id, other.id, third.id], user_id=user)
        unlink_sibling(rows, rows.child(child.id), user_id=user, reason="another child was meant")
        link_siblings(rows, [third.id, fourth.id], user_id=user)
        unlink_sibling(rows, rows.child(fourth.id), user_id=user, reason="entered by mistake")
        link_siblings(rows, [third.id, fourth.id], user_id=user, although=None)  # which ends it
    kept = kept_apart(service)
    assert {(one, another) for one, another, _ in kept} == {(child.id, other.id), (child.id, third.id)}
    read_from_the_log(service)
    assert {(one, another) for one, another, _ in kept_apart(service)} == {
        (child.id, other.id), (child.id, third.id), (child.id, fourth.id)
    }  # fmt: skip
    assert {reason for *_, reason in kept_apart(service)} == {"another child was meant"}


def test_the_log_before_it_also_knows_who_left_or_was_linked_elsewhere_afterwards(service: Service) -> None:
    a, b, c, d, e, f, g, h, k = strangers(service, 9)

    def link(*children: tables.Child) -> None:
        with written(service) as rows:
            link_siblings(rows, [one.id for one in children], user_id="manager")

    def part(child: tables.Child) -> None:
        with written(service) as rows:
            unlink_sibling(rows, rows.child(child.id), user_id="manager", reason="another child was meant")

    link(a, b, c), part(b), part(c)  # both out of a family of three
    link(d, e), part(d), link(d, f)  # who was taken out has a sibling since
    link(g, h), part(g), link(k, h)  # who was left behind has
    before = {frozenset(told[:2]) for told in kept_apart(service)}
    assert before >= {frozenset((one.id, other.id)) for one, other in ((b, c), (d, e), (g, h))}
    read_from_the_log(service)
    assert {frozenset(told[:2]) for told in kept_apart(service)} >= before


def read_from_the_log(service: Service) -> None:
    """As an upgrade from before it was kept does."""
    with service.database.write(service.north) as session:
        session.execute(delete(tables.TakenApart))
    owner = Database((service.settings.owner_url or service.settings.database_url).get_secret_value())
    with owner.engine.begin() as connection:
        import_module("service.database.migrations.versions.0013_who_was_taken_apart").fill(connection)
    owner.close()


def kept_apart(service: Service) -> set[tuple[str, str, str]]:
    with service.database.read(service.north) as session:
        return {(one.child_id, one.other_id, one.reason) for one in session.scalars(select(tables.TakenApart))}


# ---- by chance -------------------------------------------------------------------------------------------------------

CHILDREN = [f"C{n}" for n in range(1, 6)]
WORDS = ["F1", "F2", "F3", *CHILDREN]
WHICH = st.sampled_from(CHILDREN)
FAMILIES = st.dictionaries(WHICH, st.sampled_from(WORDS), max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("file"), FAMILIES, FAMILIES),
        st.tuples(st.just("link"), st.lists(WHICH, min_size=2, max_size=3, unique=True)),
        st.tuples(st.sampled_from(["unlink", "unlink", "refer", "erase"]), WHICH),
    ),
    min_size=3,
    max_size=14,
)  # fmt: skip


class Story:
    """What a few people do with a few children, held against what they were told of it and nothing else."""

    def __init__(self, rows: Repository, users: dict[Role, str], seen: Counter[str]) -> None:
        self.rows, self.users, self.seen = rows, users, seen
        self.parted: set[Pair] = set()
        self.ids: dict[str, str] = {}

    def siblings(self) -> set[Pair]:
        every = self.rows.session.execute(select(tables.Child.id, tables.Child.family_id))
        of = {row.id: row.family_id for row in every}
        return {frozenset(pair) for pair in combinations(of, 2) if of[pair[0]] == of[pair[1]]}

    def row(self, name: str) -> tables.Child | None:
        return self.rows.session.scalar(select(tables.Child).where(tables.Child.reference == name))

    def do(self, step: tuple[Any, ...]) -> None:
        before = self.siblings()
        getattr(self, step[0])(before, *step[1:])
        after = self.siblings()
        self.parted -= after
        for name in CHILDREN:
            if row := self.row(name):
                assert self.ids.setdefault(name, row.id) == row.id, f"{name} is somebody else than before"

    def link(self, before: set[Pair], names: list[str]) -> None:
        ids = [row.id for name in names if (row := self.row(name))]
        if len(ids) > 1:
            again = closed(before | {frozenset(pair) for pair in combinations(ids, 2)}) & self.parted
            try:
                link_siblings(self.rows, ids, user_id=self.users[Role.COORDINATOR])
            except ApartError:
                assert again
                assert self.siblings() == before
                link_siblings(self.rows, ids, user_id=self.users[Role.COORDINATOR], although=None)
            else:
                assert not again, "nobody was told that a manager took them apart"
            assert self.siblings() == closed(before | {frozenset(pair) for pair in combinations(ids, 2)})
            self.seen["linked"] += 1

    def unlink(self, before: set[Pair], name: str) -> None:
        if row := self.row(name):
            apart = {pair for pair in before if row.id in pair}
            unlink_sibling(self.rows, row, user_id=self.users[Role.MANAGER], reason=UNLINK_REASONS[0])
            assert self.siblings() == before - apart
            self.parted |= apart
            self.seen["taken apart"] += bool(apart)

    def refer(self, before: set[Pair], name: str) -> None:
        row = self.row(name)
        if row is None or not row.referral:
            people.add_child(self.rows, name, {}, None, user_id=self.users[Role.COORDINATOR])
            assert before <= self.siblings()
            assert not (self.siblings() - before) & self.parted

    def erase(self, before: set[Pair], name: str) -> None:
        if row := self.row(name):
            privacy.erase_child(self.rows, row, user_id=self.users[Role.MANAGER], reason="asked to be erased")
            assert self.siblings() == before

    def file(self, before: set[Pair], children: dict[str, str], matches: dict[str, str]) -> None:
        reading = a_reading(children, matches)
        try:
            with self.rows.session.begin_nested():
                self.take(reading, Role.COORDINATOR)
        except InputError:
            assert self.siblings() == before
            self.confirm(before, reading)
        else:
            assert before <= self.siblings(), "siblings are strangers now"
            assert not (self.siblings() - before) & self.parted, "a manager took them apart, and nobody was asked"
            self.seen["taken in"] += 1
        said = [*children.items(), *matches.items()]
        for (one, word), (other, same) in combinations(said, 2):
            if word == same and one != other and (a := self.row(one)) and (b := self.row(other)):
                assert frozenset((a.id, b.id)) in self.siblings(), "the file says that they are siblings"

    def confirm(self, before: set[Pair], reading: Reading) -> None:
        """A manager confirms: those join of whom it was told, and nobody else whom a manager took apart."""
        weaker = [one for one in importing.look(self.rows, reading, today()).weaker if one.field == "family"]
        told = {frozenset((self.id(child), self.id(other))) for one in weaker for child, *others in [one.children]
                for other in others}  # fmt: skip
        assert told, "it was refused for something else"
        self.take(reading, Role.MANAGER, *(one.key for one in weaker))
        assert before <= self.siblings(), "siblings are strangers now"
        assert (self.siblings() - before) & self.parted == told
        self.seen["confirmed"] += 1

    def id(self, name: str) -> str:
        row = self.row(name)
        return row.id if row else self.ids[name]

    def take(self, reading: Reading, role: Role, *confirmed: str) -> None:
        importing.take_in(self.rows, reading, today(), user_id=self.users[role], confirmed=confirmed)


def closed(pairs: Collection[Pair]) -> set[Pair]:
    """With whoever is a sibling of a sibling."""
    found = set(pairs)
    while more := {one ^ other for one in found for other in found if len(one & other) == 1} - found:
        found |= more
    return found


def a_reading(children: dict[str, str], matches: dict[str, str]) -> Reading:
    """Children with the word for their family, and matches that are over, which name a family too."""
    long_ago = today() - timedelta(days=400)
    records: dict[str, tuple[Any, ...]] = {
        "children": tuple(Child(name, family=word) for name, word in children.items()),
        "volunteers": tuple(Volunteer(f"V{name}") for name in matches),
        "matches": tuple(ended(name, word, long_ago) for name, word in matches.items()),
        "declined": (), "authorities": (), "exceptions": (),
    }  # fmt: skip
    rows = {name: tuple(range(2, 2 + len(there))) for name, there in records.items()}
    return Reading(records, rows, {}, dict.fromkeys(records, ()), {name: f"{name}.csv" for name in records}, {})


def ended(child: str, family: str, on: date) -> Match:
    return Match(child, f"V{child}", MatchStatus.ENDED, ended_on=on, family=family)


def test_no_file_joins_whom_a_manager_took_apart_and_none_parts_siblings(service: Service) -> None:
    seen: Counter[str] = Counter()
    users = {role: service.users["south", role] for role in Role}

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(STEPS)
    def whatever_they_do(steps: list[tuple[Any, ...]]) -> None:
        with service.database._writing(info={"authority": service.south}) as session:
            story = Story(Repository(session, service.keys), users, seen)
            for step in steps:
                story.do(step)
            session.rollback()

    whatever_they_do()
    assert min(seen[what] for what in ("linked", "taken apart", "taken in", "confirmed")) >= 5, seen
