"""The tables, the migrations, and that one authority never sees another's rows."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from conftest import Service
from service_rows import a_child, a_match, a_volunteer, an_authority
from sqlalchemy import Engine, create_engine, delete, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from service.audit_log import Entry, record
from service.crypto import KeyRing
from service.database import tables
from service.database.base import Base, new_id
from service.database.engine import Database, DatabaseError
from service.database.upgrade import newest, require_upgraded, upgrade
from service.repository import Repository
from service.settings import Settings
from service.workflow import State


def test_the_migrations_make_the_tables_and_nothing_else(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrations_follow_one_another_by_number() -> None:
    """Two that were written beside each other would leave a database that no start could bring up to date."""
    files = sorted(path.stem for path in (Path(tables.__file__).parent / "migrations" / "versions").glob("0*.py"))
    steps = [import_module(f"service.database.migrations.versions.{name}") for name in files]
    numbers = [f"{n:04}" for n in range(1, len(files) + 1)]
    assert [name[:4] for name in files] == [step.revision for step in steps] == numbers
    assert [step.down_revision for step in steps] == [None, *numbers[:-1]]


def test_the_migrations_make_every_constraint_and_partial_index(database: Database) -> None:
    """Alembic compares neither checks nor the WHERE of an index; names are compared here."""
    straight = create_engine("sqlite://")
    Base.metadata.create_all(straight)

    def named(engine: Engine) -> set[str]:
        looked = inspect(engine)
        found = set()
        for table in Base.metadata.tables:
            found |= {str(one["name"]) for one in looked.get_check_constraints(table)}
            found |= {str(one["name"]) for one in looked.get_foreign_keys(table)}
            found |= {str(one["name"]) for one in looked.get_indexes(table) if one["unique"]}
        return found

    assert named(straight) <= named(database.engine)
    straight.dispose()


def test_a_database_that_is_behind_is_refused(database: Database, tmp_path: Path) -> None:
    require_upgraded(database)
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(DatabaseError, match="Run `kith migrate`"):
        require_upgraded(empty)
    empty.close()


def test_a_database_of_a_newer_version_is_told_as_that(settings: Settings) -> None:
    """Neither command that was asked for leads on: it names no migration that this version would have."""
    upgrade(settings)
    database = Database((settings.owner_url or settings.database_url).get_secret_value())
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for ask in (lambda: require_upgraded(database), lambda: upgrade(settings)):
        with pytest.raises(DatabaseError, match="version 9999, which this Kith does not know: a newer one brought it"):
            ask()
    database.close()


def test_upgrading_twice_changes_nothing(settings: Settings) -> None:
    assert upgrade(settings) == upgrade(settings) == newest()


def test_matches_that_were_here_before_have_their_review_planned(service: Service, settings: Settings) -> None:
    with service.database.write(service.north) as session:
        active = session.scalars(select(tables.Match).where(tables.Match.state == State.ACTIVE)).all()
        planned = {match.id: match.next_review_on for match in active}
        for match in active:
            match.next_review_on = None
    name = "service.database.migrations.versions.0006_reviews_of_visits_that_began_before_kith"
    owner = Database((settings.owner_url or settings.database_url).get_secret_value())
    with owner.engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        import_module(name).upgrade()
    owner.close()
    with service.database.read(service.north) as session:
        found = session.scalars(select(tables.Match).where(tables.Match.state == State.ACTIVE)).all()
        assert {match.id: match.next_review_on for match in found} == planned
    assert None not in planned.values()


def test_moments_come_back_in_utc(database: Database, keys: KeyRing) -> None:
    authority = an_authority(database, keys)
    summer = datetime(2026, 7, 1, 12, 30, tzinfo=timezone(timedelta(hours=1)))
    with database.write(authority) as session:
        session.add(tables.Run(state="done", reasons=["manual"], requested_at=summer))
    with database.read(authority) as session:
        at = select(tables.Run.requested_at).where(tables.Run.state == "done")
        assert session.scalars(at).all() == [datetime(2026, 7, 1, 11, 30, tzinfo=UTC)]


def test_a_session_sees_its_own_authority_alone(database: Database, keys: KeyRing) -> None:
    north, south = an_authority(database, keys, "North"), an_authority(database, keys, "South")
    with database.write(north) as session:
        child = a_child(Repository(session, keys), "C1").id
        session.add(tables.ImportBatch(rows={}))
    with database.read(north) as session:
        assert session.scalars(select(tables.Child.id)).all() == [child]
    for other in (south, None):
        with database.read(other) as session:
            assert session.scalars(select(tables.Child)).all() == []
            assert session.get(tables.Child, child) is None
    with database.write(south) as session:
        changed = session.execute(update(tables.ImportBatch).values(reason="theirs"))
        assert changed.rowcount == 0  # type: ignore[attr-defined]


def test_a_session_writes_no_row_of_another_authority(database: Database, keys: KeyRing) -> None:
    north, south = an_authority(database, keys, "North"), an_authority(database, keys, "South")
    with pytest.raises(DatabaseError), database.write(north) as session:
        session.add(tables.Family(authority_id=south, references=[]))


def test_postgresql_itself_keeps_authorities_apart(database: Database, keys: KeyRing) -> None:
    """By SQL that our sessions never saw: as an intruder in the service would send it."""
    if database.sqlite:
        pytest.skip("SQLite has no row-level security")
    north, south = an_authority(database, keys, "North"), an_authority(database, keys, "South")
    with database.write(north) as session:
        a_child(Repository(session, keys), "C1")
    for authority, seen in ((north, 1), (south, 0), ("", 0)):
        with database.engine.begin() as connection:
            connection.execute(text("SELECT set_config('kith.authority', :a, true)"), {"a": authority})
            assert connection.scalar(text("SELECT count(*) FROM children")) == seen
    with pytest.raises(DBAPIError, match="row-level security"), database.engine.begin() as connection:
        connection.execute(text("SELECT set_config('kith.authority', :a, true)"), {"a": south})
        values = {"id": new_id("F"), "north": north}
        connection.execute(
            text("INSERT INTO families (id, authority_id, known, \"references\") VALUES (:id, :north, true, '[]')"),
            values,
        )
    with database.engine.connect() as connection:
        apart = [table.__tablename__ for table in tables.APART] + ["audit_events"]
        forced = text("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        assert set(apart) <= set(connection.scalars(forced))
        owned = text("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")
        assert connection.scalar(owned) == 0


def test_one_role_for_both_is_refused_on_postgresql(settings: Settings) -> None:
    if settings.owner_url is None:
        pytest.skip("SQLite has no roles")
    with pytest.raises(DatabaseError, match="KITH_OWNER_URL"):
        upgrade(settings.model_copy(update={"owner_url": None}))


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events"])
def test_the_audit_log_is_never_changed(database: Database, keys: KeyRing, statement: str) -> None:
    with database.write() as session:
        record(session, keys, Entry("kith", "test"))
    with pytest.raises(DBAPIError, match=r"append-only|permission denied"), database.engine.begin() as connection:
        connection.execute(text(statement))


def test_who_changes_second_is_told(database: Database, keys: KeyRing) -> None:
    from sqlalchemy.orm.exc import StaleDataError

    authority = an_authority(database, keys)
    with database.write(authority) as session:
        child = a_child(Repository(session, keys), "C1").id
    with database.read(authority) as session:
        seen = session.get_one(tables.Child, child)
    with database.write(authority) as session:
        session.get_one(tables.Child, child).coordinator_hash = "first"
    seen.coordinator_hash = "second"
    with pytest.raises(StaleDataError), database.write(authority) as session:
        session.add(seen)


def test_every_change_that_matching_reads_counts(database: Database, keys: KeyRing) -> None:
    authority = an_authority(database, keys)

    def version() -> int:
        with database.read() as session:
            return session.get_one(tables.Authority, authority).data_version

    before = version()
    with database.write(authority) as session:
        a_volunteer(Repository(session, keys), "V1")
    assert version() == before + 1


def test_no_bulk_change_passes_by_what_counts_changes(database: Database, keys: KeyRing) -> None:
    authority = an_authority(database, keys)
    for statement in (update(tables.Volunteer).values(capacity=3), delete(tables.Family)):
        with pytest.raises(DatabaseError, match="through the session"), database.write(authority) as session:
            session.execute(statement)


def test_the_tests_own_server_ends_with_them_even_if_they_are_killed() -> None:
    script = (
        "import own_postgres, time\nwith own_postgres.server() as url:\n    print(url, flush=True)\n    time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True
    ) as tests:
        assert tests.stdout is not None
        url = tests.stdout.readline().strip()
        psycopg.connect(url).close()
        tests.kill()
    for _ in range(300):
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return
        time.sleep(0.1)
    pytest.fail("the server runs on")


# ---- what the constraints of `matches` refuse, each alone ------------------------------------------------------------


@pytest.fixture
def rows(database: Database, keys: KeyRing) -> object:
    authority = an_authority(database, keys)
    with database._writing(info={"authority": authority}) as session:
        yield Repository(session, keys)
        session.rollback()


def test_a_child_has_one_live_match(rows: Repository) -> None:
    child, one, other = a_child(rows, "C1"), a_volunteer(rows, "V1"), a_volunteer(rows, "V2")
    a_match(rows.session, child, one)
    a_match(rows.session, child, other)
    with pytest.raises(IntegrityError):
        rows.session.flush()


def test_a_volunteer_has_as_many_places_as_recorded(rows: Repository) -> None:
    volunteer = a_volunteer(rows, "V1", capacity=2)
    for place in (0, 1):
        a_match(rows.session, a_child(rows, f"C{place}"), volunteer, place=place)
    rows.session.flush()
    for place in (1, 2):  # taken; beyond the capacity
        with pytest.raises(IntegrityError), rows.session.begin_nested():
            a_match(rows.session, a_child(rows, f"D{place}"), volunteer, place=place)
    with pytest.raises(IntegrityError), rows.session.begin_nested():
        volunteer.capacity = 1  # one place too few for those who are there


def test_siblings_never_share_a_volunteer_now_or_later(rows: Repository) -> None:
    volunteer, first = a_volunteer(rows, "V1", capacity=3), a_child(rows, "C1")
    sibling = a_child(rows, "C2", rows.session.get_one(tables.Family, first.family_id))
    ended = a_match(rows.session, first, volunteer, state=State.ENDED)
    ended.place = None
    rows.session.flush()
    with pytest.raises(IntegrityError), rows.session.begin_nested():
        a_match(rows.session, sibling, volunteer)


def test_a_link_found_later_reaches_the_matches(rows: Repository) -> None:
    volunteer, one, other = a_volunteer(rows, "V1", capacity=2), a_child(rows, "C1"), a_child(rows, "C2")
    a_match(rows.session, one, volunteer, place=0)
    second = a_match(rows.session, other, volunteer, place=1)
    rows.session.flush()
    with pytest.raises(IntegrityError), rows.session.begin_nested():
        other.family_id = one.family_id
    second.irregular = True  # the truth can be recorded: the match is then known to break the rule
    rows.session.flush()
    other.family_id = one.family_id
    rows.session.flush()
    rows.session.refresh(second)
    assert second.family_id == one.family_id


def test_no_live_match_of_a_child_who_said_no(rows: Repository) -> None:
    child, volunteer = a_child(rows, "C1"), a_volunteer(rows, "V1")
    match = a_match(rows.session, child, volunteer)
    rows.session.flush()
    with pytest.raises(IntegrityError), rows.session.begin_nested():
        child.objects = True
    match.state, match.place = State.DECLINED, None
    rows.session.flush()
    child.objects = True
    rows.session.flush()
    with pytest.raises(IntegrityError), rows.session.begin_nested():
        a_match(rows.session, child, a_volunteer(rows, "V2"))
