"""Files -> rows -> records: what comes out is what went in, under opaque ids; and what the import refuses."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from service_rows import an_authority
from sqlalchemy import select, text

import matcher
from matcher.catalogue import load_policy
from matcher.errors import InputError, NotFoundError
from matcher.instance import Instance, today
from matcher.readers import Reading, read_folder
from matcher.records import Agreement, ExceptionKind, Match, MatchStatus, Party
from service.crypto import KeyRing
from service.database import tables
from service.database.base import ID_LENGTH
from service.database.engine import Database
from service.importing import take_in
from service.repository import Repository, with_references

SAMPLES = Path(__file__).parents[2] / "data" / "samples"
AS_OF = date(2026, 11, 1)


@pytest.fixture(scope="module")
def county() -> Reading:
    return read_folder(SAMPLES / "county", AS_OF)


def imported(database: Database, keys: KeyRing, reading: Reading) -> str:
    authority = an_authority(database, keys)
    with database.write(authority) as session:
        take_in(Repository(session, keys), reading, today(), user_id=None)
    return authority


def test_the_county_comes_back_as_it_was_read(database: Database, keys: KeyRing, county: Reading) -> None:
    authority = imported(database, keys, county)
    given = county.instance(load_policy("national"), AS_OF)
    with database.read(authority) as session:
        rows = Repository(session, keys)
        back, names = rows.instance(AS_OF), rows.references()
    assert {names[child.id] for child in back.children} == {child.id for child in given.children}
    own = {names[one.id]: one for one in (*back.children, *back.volunteers)}
    for record in (*given.children, *given.volunteers):
        same = [field.name for field in fields(record) if field.name not in ("id", "family", "known_children")]
        assert [getattr(own[record.id], name) for name in same] == [getattr(record, name) for name in same]
    for volunteer in given.volunteers:
        knows = own[volunteer.id].known_children
        assert (None if knows is None else tuple(names[id] for id in knows)) == volunteer.known_children
    assert groups(back, names) == groups(given, {})
    assert sorted(replace_ids(match, names) for match in back.matches) == sorted(
        replace_ids(match, {}) for match in given.matches
    )
    assert {(names[no.child], names[no.volunteer], no.by, no.reason) for no in back.declined} == {
        (no.child, no.volunteer, no.by, no.reason) for no in given.declined
    }
    assert back.authorities == given.authorities
    assert sorted(one.reason for one in back.exceptions) == sorted(one.reason for one in given.exceptions)


def groups(instance: Instance, names: dict[str, str]) -> set[frozenset[str]]:
    """Who is whose sibling, whatever the families are called."""
    families: dict[str, set[str]] = {}
    for child, family in instance.family_of.items():
        families.setdefault(family, set()).add(names.get(child, child))
    return {frozenset(children) for children in families.values()}


def replace_ids(match: Match, names: dict[str, str]) -> tuple[str, ...]:
    who = names.get(match.child, match.child), names.get(match.volunteer, match.volunteer)
    return (*who, *(str(one) for one in (match.status, match.started_on, match.ended_on, match.ended_by)))


def test_the_plan_from_the_database_is_worth_what_the_plan_from_the_files_is(
    database: Database, keys: KeyRing, small_county: Reading
) -> None:
    authority = imported(database, keys, small_county)
    with database.read(authority) as session:
        plan = matcher.match(Repository(session, keys).instance(today()))
    straight = matcher.match(small_county.instance(load_policy("national"), today()))
    assert (plan.status, plan.value, len(plan.matches)) == ("OPTIMAL", straight.value, len(straight.matches))


def test_the_matcher_sees_opaque_ids_alone(database: Database, keys: KeyRing, small_county: Reading) -> None:
    authority = imported(database, keys, small_county)
    with database.read(authority) as session:
        told = repr(Repository(session, keys).instance(today()))
    references = {child.id for child in small_county.records["children"]} | {
        one.id for one in small_county.records["volunteers"]
    }
    assert not [one for one in references if re.search(rf"\b{one}\b", told)]


def test_facts_are_not_readable_in_the_database(database: Database, keys: KeyRing, small_county: Reading) -> None:
    authority = imported(database, keys, small_county)
    with database.read(authority) as session:
        for table in ("children", "volunteers", "declined", "exceptions"):
            content = str(session.execute(text(f"SELECT * FROM {table}")).all())
            for word in ("football", "WBRI", "NN1", "2012-", "English", "too far", "Team manager"):
                assert word not in content


def test_every_reference_stays_in_its_authority(database: Database, keys: KeyRing, small_county: Reading) -> None:
    north = imported(database, keys, small_county)
    south = an_authority(database, keys, "South")
    with database.read(north) as session:
        child = session.scalars(select(tables.Child.id)).first()
    with database.read(south) as session, pytest.raises(NotFoundError, match="There is no such child"):
        Repository(session, keys).child(child or "")
    with database.write(south) as session:  # the same references again: another authority's are its own
        take_in(Repository(session, keys), small_county, today(), user_id=None)


def test_the_same_files_again_change_nothing(database: Database, keys: KeyRing, small_county: Reading) -> None:
    authority = imported(database, keys, small_county)
    with database.read(authority) as session:
        before = Repository(session, keys).instance(today()).data_hash
    with database.write(authority) as session:
        batch = take_in(Repository(session, keys), small_county, today(), user_id=None)
        assert batch.rows == {}
    with database.read(authority) as session:
        assert Repository(session, keys).instance(today()).data_hash == before
        assert set(session.scalars(select(tables.Child.version))) == {1}


@pytest.mark.parametrize(
    ("matches", "wrong"),
    [
        ([("C1", "V1", "current"), ("C1", "V2", "agreed")], "two matches"),
        ([("C1", "V1", "current"), ("C2", "V1", "proposed")], "more children than the 1 allowed"),
        ([("C3", "V1", "current")], "said no"),
    ],
)
def test_what_the_database_would_refuse_is_refused_in_a_sentence(
    database: Database, keys: KeyRing, matches: list[tuple[str, str, str]], wrong: str
) -> None:
    reading = a_reading([Match(child, volunteer, MatchStatus(status)) for child, volunteer, status in matches])
    authority = an_authority(database, keys)
    with pytest.raises(InputError, match=wrong) as refused, database.write(authority) as session:
        take_in(Repository(session, keys), reading, today(), user_id=None)
    assert {one.file for one in refused.value.problems} == {"matches.csv"}
    assert {one.row for one in refused.value.problems} <= {2, 3}  # as the spreadsheet counts, below the heading


def test_history_that_broke_the_rule_for_siblings_is_kept_and_marked(database: Database, keys: KeyRing) -> None:
    ended = [Match(child, "V1", MatchStatus.ENDED, family="F9", ended_on=AS_OF) for child in ("M1", "M2")]
    authority = an_authority(database, keys)
    with database.write(authority) as session:
        take_in(Repository(session, keys), a_reading(ended), AS_OF, user_id=None)
    with database.read(authority) as session:
        assert sorted(session.scalars(select(tables.Match.irregular))) == [False, True]


def test_a_match_that_a_file_ends_at_the_command_line_is_in_the_log(database: Database, keys: KeyRing) -> None:
    authority = an_authority(database, keys)
    current = Match("C1", "V1", MatchStatus.CURRENT, started_on=AS_OF - timedelta(days=300))
    over = replace(current, status=MatchStatus.ENDED, ended_on=AS_OF, ended_by=Party.VOLUNTEER)
    for match in (current, over):
        with database.write(authority) as session:
            take_in(Repository(session, keys), a_reading([match]), AS_OF, user_id=None)
    with database.read(authority) as session:
        ended = select(tables.AuditEvent).where(tables.AuditEvent.action == "import: end match")
        entry, row = session.scalars(ended).one(), session.scalars(select(tables.Match)).one()
        assert (entry.subject, entry.details) == (row.id, {"by": "volunteer", "on": AS_OF.isoformat()})
        assert row.state == "ended"


def test_a_policy_is_followed_by_the_next_and_never_changed(database: Database, keys: KeyRing) -> None:
    authority = an_authority(database, keys)
    with database.write(authority) as session:
        Repository(session, keys).add_policy(load_policy("surrey"), user_id=None, reason="ours")
    with database.read(authority) as session:
        row, policy = Repository(session, keys).policy()
        assert (row.number, policy) == (2, load_policy("surrey"))
        assert policy.content_hash == row.content_hash == load_policy("surrey").content_hash


def test_sentences_bear_the_councils_references_and_ids_stay_ids() -> None:
    child = "C" + "7" * (ID_LENGTH - 1)
    told = {"child": child, "reasons": [f"{child} waits.", "CAPITALS stay."]}
    assert with_references(told, {child: "C0001"}) == {"child": child, "reasons": ["C0001 waits.", "CAPITALS stay."]}


def a_reading(matches: list[Match]) -> Reading:
    """Three children, the last of whom said no, and two volunteers."""
    no_kin = {"C1": "C1", "C2": "C2", "C3": "C3"}
    children = [matcher.Child(id, family=family) for id, family in no_kin.items()]
    children[2] = replace(children[2], agrees=Agreement.NO)
    records = {
        "children": tuple(children),
        "volunteers": (matcher.Volunteer("V1"), matcher.Volunteer("V2")),
        "matches": tuple(matches), "declined": (), "authorities": (), "exceptions": (),
    }  # fmt: skip
    rows = {name: tuple(range(2, 2 + len(there))) for name, there in records.items()}
    files = {name: f"{name}.csv" for name in records}
    return Reading(records, rows, {}, dict.fromkeys(records, ()), files, {})


def test_an_exception_gives_a_second_place(database: Database, keys: KeyRing, county: Reading) -> None:
    allowed = {one.volunteer: one.value or 2 for one in county.records["exceptions"]
               if one.kind is ExceptionKind.SECOND_CHILD}  # fmt: skip
    authority = imported(database, keys, county)
    with database.read(authority) as session:
        capacity = {row.reference: row.capacity for row in session.scalars(select(tables.Volunteer))}
    assert allowed
    assert {name: places for name, places in capacity.items() if places != 1} == allowed
