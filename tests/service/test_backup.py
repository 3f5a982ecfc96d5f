"""Backups are taken while the service writes, and are put back whole: or not at all, with one clear sentence."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from pathlib import Path
from subprocess import CompletedProcess

import psycopg
import pytest
from conftest import Service
from own_postgres import PROGRAMS
from pydantic import SecretStr
from set_back import Backups
from sqlalchemy import make_url, select
from sqlalchemy.exc import OperationalError

from matcher.errors import KithError
from matcher.instance import today
from matcher.records import ExceptionKind, Party, Status
from service import audit_log, auth, exceptions
from service.backup import BackupError, backup, restore
from service.crypto import KeyRing
from service.database import tables
from service.database.base import utc_now
from service.database.engine import Database
from service.permissions import Permission, Role
from service.proposals import Chosen, object_to_any, propose, take_step
from service.repository import Repository
from service.settings import Settings
from service.standing import set_status
from service.workflow import State


@pytest.fixture
def place(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Settings:
    """Where another, empty database is."""
    if service.database.sqlite:
        return service.settings.model_copy(update={"database_url": SecretStr(f"sqlite:///{tmp_path / 'other.db'}")})
    monkeypatch.setenv("PATH", f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")
    server = request.getfixturevalue("postgres")
    url = make_url(service.settings.database_url.get_secret_value())
    name = f"{url.database}_other"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER kith_owner")

    def at(role: str, database: str | None) -> SecretStr:
        return SecretStr(url.set(username=role, database=database).render_as_string(hide_password=False))

    return service.settings.model_copy(
        update={"database_url": at("kith_app", name), "owner_url": at("kith_owner", name)}
    )


def test_every_decision_acknowledged_before_a_backup_is_in_it(
    service: Service, place: Settings, tmp_path: Path
) -> None:
    """And of those that are made meanwhile, each is there whole or not at all."""
    child, volunteer = service.eligible_pair()
    acknowledged: list[tuple[str, int]] = []
    stop, enough = threading.Event(), threading.Event()

    def decide() -> None:
        user = service.users["north", Role.COORDINATOR]
        while not stop.is_set():
            for number in (1, 2):
                with service.database.write(service.north) as session:
                    rows = Repository(session, service.keys)
                    if number == 1:
                        chosen = Chosen("fit", 1, (volunteer,))
                        match = propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen).id
                    else:
                        take_step(rows, match, "withdraw", by=Party.AUTHORITY, user_id=user,
                                  reason="entered by mistake")  # fmt: skip
                acknowledged.append((match, number))
            enough.set()

    writer = threading.Thread(target=decide)
    writer.start()
    assert enough.wait(60)
    before = list(acknowledged)
    backup(service.settings, tmp_path / "kith.backup")
    stop.set()
    writer.join()
    assert restore(place, tmp_path / "kith.backup").entries > 0
    there = Database(place.database_url.get_secret_value())
    with there.read(service.north) as session:
        decided = {(one.match_id, one.number): one.state for one in session.scalars(select(tables.Decision))}
        assert set(before) <= set(decided) <= set(acknowledged)
        for match in session.scalars(select(tables.Match).where(tables.Match.id.in_({one for one, _ in decided}))):
            assert match.state == decided[max(one for one in decided if one[0] == match.id)]
        assert audit_log.verify(session, service.keys).problem is None
        rows = Repository(session, service.keys)
        assert rows.child_record(rows.child(child), family_known=True).id == child
    there.close()


def test_a_backup_holds_no_key_and_is_its_owners_alone(service: Service, place: Settings, tmp_path: Path) -> None:
    file = tmp_path / "kith.backup"
    backup(service.settings, file)
    assert file.stat().st_mode & 0o077 == 0
    ring = KeyRing.read(service.settings.keys_file)
    for key in (*ring.keys.values(), ring.audit):
        assert key not in file.read_bytes()
    with pytest.raises(BackupError, match="never overwritten"):
        backup(service.settings, file)
    assert sorted(one.name for one in tmp_path.glob("kith.backup*")) == ["kith.backup"]
    with pytest.raises(BackupError, match=r"There is no folder “.*/nowhere”\. Make it"):
        backup(service.settings, tmp_path / "nowhere" / "kith.backup")


def test_a_backup_is_put_back_with_its_own_keys_alone(service: Service, place: Settings, tmp_path: Path) -> None:
    file = tmp_path / "kith.backup"
    backup(service.settings, file)
    KeyRing.new().write(tmp_path / "others.json")
    with pytest.raises(BackupError, match="keys are another's"):
        restore(place.model_copy(update={"keys_file": tmp_path / "others.json"}), file)
    KeyRing.read(service.settings.keys_file).rotated().only_current().write(tmp_path / "newer.json")
    if service.database.sqlite:  # elsewhere the database is not empty by now
        with pytest.raises(BackupError, match="keys that are not here: k1"):
            restore(place.model_copy(update={"keys_file": tmp_path / "newer.json"}), file)
        assert not (tmp_path / "other.db").exists()


def test_what_is_there_is_kept_and_a_damaged_backup_refused(service: Service, tmp_path: Path) -> None:
    if not service.database.sqlite:
        with pytest.raises(BackupError, match="KITH_BACKUP_URL"):
            backup(service.settings.model_copy(update={"backup_url": None}), tmp_path / "x")
        (tmp_path / "x").touch()
        with pytest.raises(BackupError, match="is not empty"):
            restore(service.settings, tmp_path / "x")
        with pytest.raises(BackupError, match="without --replace"):
            restore(service.settings, tmp_path / "x", replace=True)
        return
    file = tmp_path / "kith.backup"
    backup(service.settings, file)
    with pytest.raises(BackupError, match="--replace"):
        restore(service.settings, file)
    with service.database.write() as session:
        session.add(tables.Worker())
    with pytest.raises(BackupError, match="seems to run"):
        restore(service.settings, file, replace=True)
    with service.database.write() as session:
        session.delete(session.scalars(select(tables.Worker)).one())
    with pytest.raises(BackupError, match=r"open\. Stop the service"):  # that serves without a worker
        restore(service.settings, file, replace=True)
    service.database.close()
    restore(service.settings, file, replace=True)
    assert len([*tmp_path.glob("kith.db.before-*[0-9]")]) == 1
    damaged = tmp_path / "damaged"
    shutil.copy(file, damaged)
    with damaged.open("r+b") as content:
        content.seek(8 * 4096)
        content.write(b"\xff" * 40 * 4096)
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam, " * 1000)
    for wrong in (damaged, tmp_path / "letter.txt"):
        with pytest.raises(BackupError, match="damaged"):
            restore(service.settings, wrong, replace=True)
    assert restore(service.settings, file, replace=True).entries > 0


def test_what_was_said_no_to_since_a_backup_is_not_undone_by_it(service: Service, backups: Backups) -> None:
    child, volunteer = service.eligible_pair()
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        proposed = propose(
            rows, child, volunteer, user_id=user, reason="other", chosen=Chosen("fit", 1, (volunteer,))
        ).id
    active, other = service.a_match(), next(id for id in service.children() if id != child)
    backups.make()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        no = "does not want this visitor"
        take_step(rows, proposed, "child_declines", by=Party.CHILD, user_id=user, reason=no)
        take_step(rows, active, "end", by=Party.CHILD, user_id=user, reason="child does not want this visitor")
        object_to_any(rows, other, user_id=user)
    assert backups.put_back().noes == 4  # two are over, one pair, one child
    with service.database.read(service.north) as session:
        states = {id: session.get_one(tables.Match, id).state for id in (proposed, active)}
        assert states == {proposed: State.DECLINED, active: State.ENDED}
        assert session.get_one(tables.Child, other).objects
        pair = select(tables.Declined.id).where(tables.Declined.child_id == child)
        assert session.scalars(pair.where(tables.Declined.volunteer_id == volunteer)).all()
        assert audit_log.verify(session, service.keys).problem is None
    backups.damage()
    assert backups.put_back().noes is None  # and `kith restore` says so


def test_a_backup_lets_nobody_back_in_who_was_suspended_since(service: Service, backups: Backups) -> None:
    active, user = service.a_match(), service.users["north", Role.COORDINATOR]
    backups.make()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        volunteer = rows.volunteer(session.get_one(tables.Match, active).volunteer_id)
        brought = set_status(rows, volunteer, Status.SUSPENDED, user_id=user, reason="concern raised")
        suspended = volunteer.id
    assert active in brought.paused
    kept = backups.put_back().noes
    assert kept == 1 + len(brought.paused) + len(brought.withdrawn) + len(brought.past)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        assert rows.volunteer_record(rows.volunteer(suspended)).status is Status.SUSPENDED
        assert {session.get_one(tables.Match, id).state for id in brought.paused} == {State.PAUSED}
        assert audit_log.verify(session, service.keys).problem is None
    assert backups.put_back().noes == kept  # from the restored one itself


def test_a_backup_does_not_forget_which_past_matches_were_brought_up_and_by_whom(
    service: Service, backups: Backups
) -> None:
    """Also by somebody who had no account yet, and of a match that was live in the backup."""
    user, ends = service.users["north", Role.COORDINATOR], "child does not want this visitor"
    with service.database.write(service.north) as session:
        query = select(tables.Match).where(tables.Match.state == State.ACTIVE).order_by(tables.Match.id)
        (ended, first), (active, second) = [(one.id, one.volunteer_id) for one in session.scalars(query)][:2]
        take_step(Repository(session, service.keys), ended, "end", by=Party.CHILD, user_id=user, reason=ends)
    backups.make()
    with service.database.write(service.north) as session:
        authority = session.get_one(tables.Authority, service.north)
        later = auth.invite(session, service.keys, authority=authority, email="new@north.invalid", name="New",
                            role=Role.COORDINATOR, by="kith")[0].id  # fmt: skip
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        take_step(rows, active, "end", by=Party.CHILD, user_id=later, reason=ends)
        past = [
            match
            for volunteer in (first, second)
            for match in set_status(
                rows, rows.volunteer(volunteer), Status.SUSPENDED, user_id=later, reason="concern raised"
            ).past
        ]
    assert {ended, active} <= {*past}
    service.database.close()
    for _ in range(2):  # the second time from the restored one itself
        backups.put_back()
        with service.database.read(service.north) as session:
            query = select(tables.Decision).where(tables.Decision.step == "brought_up")
            story = session.scalars(query.order_by(tables.Decision.match_id)).all()
            assert [(one.match_id, one.user_id, one.state) for one in story] == [
                (id, later, "ended") for id in sorted(past)
            ]
            assert audit_log.verify(session, service.keys).problem is None
        service.database.close()


def test_a_backup_lets_no_account_back_in(service: Service, backups: Backups) -> None:
    """A closed account, a revoked token, a changed password, a login: of now, not of the backup."""
    user = service.users["north", Role.COORDINATOR]
    browser = service.as_(Role.COORDINATOR)
    with service.database.write(service.north) as session:
        account = session.get_one(tables.User, user)
        program = session.get_one(tables.User, service.users["north", Role.MANAGER])
        token = auth.make_token(session, service.keys, program, name="report", scopes=[Permission.READ], days=9)
        auth.set_password(account, "the password of before")
    backups.make()
    with service.database.write(service.north) as session:
        account = session.get_one(tables.User, user)
        auth.set_password(account, "the password of after")
        auth.disable(session, service.keys, account, by="kith")
        session.get_one(tables.ApiToken, auth.hashed(token)).revoked_at = utc_now()
        password = account.password
    backups.put_back()
    with service.database.read(service.north) as session:
        account = session.get_one(tables.User, user)
        assert (account.password, bool(account.disabled_at)) == (password, True)
        assert auth.by_token(session, token) is None
        assert session.scalars(select(tables.LoginSession)).all() == []
    assert browser.get("/api/v1/children").status_code == 401


def test_a_backup_allows_nothing_that_was_withdrawn_since(service: Service, backups: Backups) -> None:
    user, kind = service.users["north", Role.MANAGER], ExceptionKind.SECOND_CHILD
    with service.database.write(service.north) as session:
        rows, volunteer = Repository(session, service.keys), service.eligible_pair()[1]
        exception = exceptions.approve(rows, kind, volunteer, None, 3, user_id=user, reason="for a while").id
    backups.make()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        exceptions.withdraw(rows, rows.exception(exception), user_id=user, reason="over")
    assert backups.put_back().noes == 1
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.exception(exception)
        assert (row.withdrawn_on, rows.open(row, "withdrawn_reason")) == (today(), "over")
        assert rows.volunteer(volunteer).capacity == 1


def test_what_a_killed_restore_left_is_not_read_into_the_next(service: Service, tmp_path: Path) -> None:
    """The old database was moved away, and its write-ahead log not yet: it belongs to no other."""
    if not service.database.sqlite:
        pytest.skip("there are no such files")
    backup(service.settings, tmp_path / "x")
    service.database.close()
    for left in ("kith.db-wal", "kith.db-shm", "kith.db.restored", "kith.db.restored-wal"):
        (tmp_path / left).write_bytes(b"left over")
    (tmp_path / "kith.db").rename(tmp_path / "kith.db.before")
    assert restore(service.settings, tmp_path / "x").entries > 0
    assert [*tmp_path.glob("kith.db.restored*")] == []
    kept = {
        file.name.rpartition("-")[2] for file in tmp_path.glob("kith.db.before-*") if b"left over" in file.read_bytes()
    }
    assert kept == {"wal", "shm"}
    assert (tmp_path / "kith.db").stat().st_mode & 0o077 == 0


def test_what_a_backup_cannot_be_put_into_is_told(service: Service, place: Settings, tmp_path: Path) -> None:
    file = tmp_path / "kith.backup"
    backup(service.settings, file)
    other = tmp_path / "other.backup"
    other.write_bytes(b"PGDMP" if service.database.sqlite else b"SQLite format 3")
    with pytest.raises(BackupError, match="and KITH_DATABASE_URL names a database of"):
        restore(place, other)
    if place.owner_url is not None:
        nowhere = SecretStr(make_url(place.owner_url.get_secret_value()).set(port=1).render_as_string(False))
        with pytest.raises(KithError, match="does not answer"):
            restore(place.model_copy(update={"owner_url": nowhere}), file)


def test_a_backup_is_put_back_for_roles_of_the_same_names(
    service: Service, place: Settings, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if service.database.sqlite:
        pytest.skip("SQLite has no roles")
    file = tmp_path / "kith.backup"
    backup(service.settings, file)
    with psycopg.connect(request.getfixturevalue("postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE kith_stranger LOGIN PASSWORD 'test'")
    url = make_url(place.database_url.get_secret_value()).set(username="kith_stranger")
    stranger = SecretStr(url.render_as_string(hide_password=False))
    try:
        with pytest.raises(BackupError, match="roles of the names that they had"):
            restore(place.model_copy(update={"database_url": stranger}), file)
    finally:
        with psycopg.connect(request.getfixturevalue("postgres"), autocommit=True) as connection:
            connection.execute("DROP ROLE kith_stranger")


def test_a_backup_is_in_every_log_before_it_is_written(service: Service, place: Settings, tmp_path: Path) -> None:
    """How much left, and of what: nothing of whom. The backup has the entry too."""
    file = tmp_path / "kith.backup"
    backup(service.settings, file)
    restore(place, file)
    there = Database(place.database_url.get_secret_value())
    for database in (service.database, there):
        told = {}
        for chain in (None, service.north, service.south):
            with database.read(chain) as session:
                last = select(tables.AuditEvent).where(tables.AuditEvent.chain == (chain or audit_log.INSTALLATION))
                told[chain] = session.scalars(last.order_by(tables.AuditEvent.number.desc())).first()
        assert {(one.actor, one.action) for one in told.values() if one} == {("kith", "backup")}
        counts = {chain: one.details for chain, one in told.items() if one}
        with database.read(service.north) as session:
            children = len(session.scalars(select(tables.Child.id)).all())
        assert counts[service.north]["children"] == children > 0
        assert counts[service.south] == {"policies": 1}
        assert (counts[None]["authorities"], counts[None]["users"]) == (2, 2 * len(Role))
        assert all(isinstance(count, int) for one in counts.values() for count in one.values())
    there.close()


def test_without_an_entry_in_the_log_there_is_no_backup(
    service: Service, place: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr("service.backup.audit_log.record", full)
    with pytest.raises(BackupError, match=r"takes no entry of a backup.*disk is full\."):
        backup(service.settings, tmp_path / "x")
    assert not [*tmp_path.glob("x*")]


def test_a_full_disk_is_told_in_a_sentence(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("service.backup._copy_sqlite", full)
    place = service.settings.model_copy(update={"database_url": SecretStr(f"sqlite:///{tmp_path / 'kith.db'}")})
    with pytest.raises(BackupError, match="disk is full"):
        backup(place, tmp_path / "x")
    assert not [*tmp_path.glob("x*")]


def test_the_password_of_a_database_is_in_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], dict[str, str]]] = []

    def run(words: list[str], env: dict[str, str], **_: object) -> CompletedProcess[str]:
        seen.append((words, env))
        return CompletedProcess(words, 1, "", "pg_dump: error: no such host")

    monkeypatch.setattr("service.backup._note", lambda _: None)  # there is no such database
    monkeypatch.setattr("service.backup.subprocess.run", run)
    monkeypatch.setattr("service.backup.shutil.which", lambda program: f"/usr/bin/{program}")
    url = SecretStr("postgresql+psycopg://reader:secret@nowhere/kith")
    with pytest.raises(BackupError, match="no such host"):
        backup(Settings(database_url=url, backup_url=url), tmp_path / "file")
    words, environment = seen[0]
    assert (words[1], environment["PGPASSWORD"]) == ("--dbname=postgresql://reader@nowhere/kith", "secret")
    assert not [*tmp_path.iterdir()]
