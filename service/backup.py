"""`kith backup` and `kith restore`: the whole database as one file, taken while the service writes.

A backup holds everything that was acknowledged before it began, and never half of a transaction. It does not hold the
keys: without them nobody reads it, and with it they would be as safe as nothing. Before a backup is put back, it is
checked whole: the file itself, its version, its keys, its audit log.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import URL, delete, func, inspect, make_url, select, text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

from matcher.errors import KithError
from service import audit_log, noes
from service.crypto import KeyRing, sync_folder
from service.database.base import Apart, Base, Sealed, utc_now
from service.database.engine import Database, DatabaseError, has_tables
from service.database.tables import AuditEvent, Authority, LoginSession, Worker
from service.database.upgrade import require_upgraded
from service.settings import Settings


class BackupError(KithError):
    """A backup that cannot be made, or must not be put back."""


def backup(settings: Settings, file: Path) -> None:
    """Writes a backup to a file that is not there yet, whole or not at all. Raises BackupError.

    Every audit log has an entry of it before anything is written: no entry, no backup.
    """
    if file.exists():
        raise BackupError(f"“{file}” is there already. Name another file: an old backup is never overwritten.")
    beside = file.with_name(f"{file.name}.part")
    url = make_url(settings.database_url.get_secret_value())
    try:
        _make_private(beside)
        if url.get_backend_name() == "sqlite":
            if _file_of(url).exists():
                _note(settings)
            _copy_sqlite(_file_of(url), beside)
        else:
            owner = settings.backup_url
            if owner is None:
                raise BackupError(
                    "On PostgreSQL a backup needs a role that row-level security lets read everything. "
                    "Give KITH_BACKUP_URL; docs/operations.md makes the role."
                )
            _note(settings)
            _run("pg_dump", make_url(owner.get_secret_value()), "--format=custom", f"--file={beside}")
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(file)
        sync_folder(file)
    except FileNotFoundError:
        raise BackupError(f"There is no folder “{file.parent}”. Make it, or name another file.") from None
    except OSError as error:
        raise BackupError(
            f"“{file}” cannot be written: {error.strerror}. Name a file in a folder of yours where there is room."
        ) from None
    except sqlite3.Error as error:
        raise BackupError(
            f"The database cannot be copied to “{file}”: {error}. Look for room, and at the disk."
        ) from None
    finally:
        beside.unlink(missing_ok=True)


def _note(settings: Settings) -> None:
    """Enters in the log of each authority, and in the installation's, that all of it leaves, and how many rows that is.

    Before it does, so that the entry is in the backup too. Of whichever version the database is: before an upgrade it
    is backed up as well.
    """
    try:
        keys = KeyRing.read(settings.keys_file)
        with _opened(settings.database_url.get_secret_value()) as database:
            there = {*inspect(database.engine).get_table_names()}
            if AuditEvent.__tablename__ not in there:
                return  # nothing was ever set up in it
            with database.read() as session:
                authorities = [None, *session.scalars(select(Authority.id))]
            for authority in authorities:
                with database.write(authority) as session:
                    counts = _counts(session, authority, there)
                    audit_log.record(session, keys, audit_log.Entry(audit_log.COMMAND, "backup", details=counts))
    except SQLAlchemyError as error:
        lines = str(getattr(error, "orig", None) or error).splitlines()
        raise BackupError(
            f"The audit log takes no entry of a backup, without which none is made: {lines[0].rstrip('.')}. Look for "
            "room, and at the disk; KITH_DATABASE_URL names the database, also where KITH_BACKUP_URL does."
        ) from None


def _counts(session: Session, authority: str | None, there: set[str]) -> dict[str, int]:
    """How many rows an authority has of each table, or the installation of its own; the log counts itself."""
    counts = {}
    for mapper in sorted(Base.registry.mappers, key=lambda one: one.class_.__tablename__):
        kind = mapper.class_
        counted = kind is not AuditEvent and kind.__tablename__ in there
        if counted and issubclass(kind, Apart) == (authority is not None):
            own = [kind.authority_id == authority] if issubclass(kind, Apart) else []
            if count := session.scalar(select(func.count()).select_from(kind).where(*own)):
                counts[kind.__tablename__.replace("_", " ")] = count
    return counts


@dataclass(frozen=True)
class Restored:
    """What was put back."""

    entries: int
    """How many its audit logs hold."""
    redo: tuple[str, ...] = ()
    """What else was done since that backup, and is not in it, a line each."""
    noes: int | None = None
    """How many noes, endings, pauses, suspensions, withdrawals, siblings, holds and erasures it had not known and took
    over; None where the database that it replaces could not be asked."""


def restore(settings: Settings, file: Path, *, replace: bool = False) -> Restored:
    """Puts a backup in the place of the database. Raises BackupError.

    What is there is kept beside it (SQLite), or has to be empty (PostgreSQL). What was said no to since the backup is
    taken over from the database that it replaces, which on PostgreSQL a setting names. Stop the service first.
    """
    if not file.is_file():
        raise BackupError(f"There is no file “{file}”.")
    keys = KeyRing.read(settings.keys_file)
    url = make_url(settings.database_url.get_secret_value())
    _require_same_kind(file, sqlite=url.get_backend_name() == "sqlite")
    if url.get_backend_name() == "sqlite":
        return _restore_sqlite(_file_of(url), file, keys, replace)
    if replace:
        raise BackupError("On PostgreSQL nothing is replaced: make a new database, and restore without --replace.")
    if settings.owner_url is None:
        raise BackupError("On PostgreSQL give KITH_OWNER_URL to restore: the tables become that role's.")
    owner = settings.owner_url.get_secret_value()
    with _opened(owner) as database:
        database.check()
        if has_tables(database.engine):
            raise BackupError(
                "The database is not empty. Make a new one, name it in both addresses, and restore there."
            )
    former = settings.former_url.get_secret_value() if settings.former_url else None
    if former is not None:
        _require_former(former, url.username)
    _run("pg_restore", make_url(owner), "--no-owner", "--single-transaction", "--exit-on-error", str(file))
    with _opened(settings.database_url.get_secret_value()) as database:
        try:
            entries = _check(database, keys)
        except ProgrammingError:  # what a role may do is in the backup, by the role's name
            raise BackupError(
                "The role of KITH_DATABASE_URL may not read what was restored. Drop that database, and restore into a "
                "new one for roles of the names that they had where the backup was made."
            ) from None
        kept = _keep_noes(former, database, keys) if former is not None else None
        _end_logins(database)
        return _restored(entries, kept)


def _restored(entries: int, kept: noes.Kept | None) -> Restored:
    return Restored(entries, kept.redo, kept.noes) if kept else Restored(entries)


def _require_same_kind(file: Path, *, sqlite: bool) -> None:
    with file.open("rb") as content:
        start = content.read(6)
    if start.startswith(b"PGDMP" if sqlite else b"SQLite"):
        made, named = ("PostgreSQL", "SQLite") if sqlite else ("SQLite", "PostgreSQL")
        raise BackupError(f"“{file}” was made on {made}, and KITH_DATABASE_URL names a database of {named}.")


# ---- SQLite ----------------------------------------------------------------------------------------------------------


def _copy_sqlite(source: Path, target: Path) -> None:
    if not source.exists():
        raise BackupError(f"There is no database “{source}”. Name it by KITH_DATABASE_URL.")
    with closing(sqlite3.connect(source, timeout=20)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)  # all pages under one read transaction: writers go on meanwhile
        writing.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it


def _restore_sqlite(place: Path, file: Path, keys: KeyRing, replace: bool) -> Restored:
    beside = place.with_name(f"{place.name}.restored")
    kept: noes.Kept | None
    try:
        for left in (beside, *_beside(beside)):  # of a restore that was killed
            left.unlink(missing_ok=True)
        _make_private(beside)
        _copy_sqlite(file, beside)
        with _opened(f"sqlite:///{beside}") as database:
            entries, kept = _check(database, keys), noes.Kept(0, ())
            if place.exists():
                _require_stopped(place, replace)
                kept = _keep_noes(f"sqlite:///{place}", database, keys)
            _end_logins(database)
        with closing(sqlite3.connect(beside)) as one:
            one.execute("PRAGMA journal_mode = DELETE")  # one file, with what was kept in it
        _move_away(place)
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(place)
        sync_folder(place)
        return _restored(entries, kept)
    except (sqlite3.DatabaseError, SQLAlchemyError):
        raise BackupError(f"“{file}” is no backup of Kith, or is damaged. Take an earlier one.") from None
    finally:
        for left in (beside, *_beside(beside)):
            left.unlink(missing_ok=True)


def _require_stopped(place: Path, replace: bool) -> None:
    if not replace:
        raise BackupError(f"“{place}” is there. Add --replace to put the backup in its place; it is kept beside it.")
    with _opened(f"sqlite:///{place}") as database:
        _require_no_worker(database)
    if _in_use(place):
        raise _open(place)


def _in_use(place: Path) -> bool:
    """Whether anybody else has the database open, also one who does nothing just now."""
    with closing(sqlite3.connect(place, timeout=0, isolation_level=None)) as alone:
        try:
            for words in ("PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE", "ROLLBACK"):
                alone.execute(words)
        except sqlite3.DatabaseError as error:  # damaged, perhaps, which is why it is replaced
            return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    return False


def _make_private(file: Path) -> None:
    """An empty file, readable by its owner alone."""
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))


def _move_away(place: Path) -> None:
    """Whatever is there: what a killed restore left of the old database would be read into the new one."""
    kept = place.with_name(f"{place.name}.before-{utc_now():%Y%m%d-%H%M%S}")
    for part, old in zip((place, *_beside(place)), (kept, *_beside(kept)), strict=True):
        if part.exists():
            part.replace(old)


def _beside(file: Path) -> tuple[Path, Path]:
    return file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")


def _file_of(url: URL) -> Path:
    return Path(url.database or "")


# ---- PostgreSQL ------------------------------------------------------------------------------------------------------


_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND usename = :role AND pid <> pg_backend_pid()"
)


def _require_former(url: str, role: str | None) -> None:
    """Before anything is restored, so that whoever gave a wrong address has no database to drop."""
    with _opened(url) as database:
        database.check("KITH_FORMER_URL, which you leave out where that database is gone")
        if not has_tables(database.engine):  # also where it is the one into which the backup goes
            raise BackupError("The database of KITH_FORMER_URL is empty. Name the one that the backup is to replace.")
        _require_no_worker(database)
        with database.read() as session:
            if session.scalar(text(_OTHERS), {"role": role}):
                raise _open(database.engine.url.database)


def _run(program: str, url: URL, *words: str) -> None:
    """Runs a program of PostgreSQL's. The password goes by its environment, which other users cannot see."""
    found = shutil.which(program)
    if found is None:
        raise BackupError(f"{program} is not here. Install PostgreSQL's client programs, of the server's version.")
    place = url._replace(drivername="postgresql", password=None).render_as_string()  # `set` ignores None
    environment = {**os.environ, "PGPASSWORD": str(url.password or "")}
    done = subprocess.run(  # noqa: S603  # a program by its full path, with words of our own
        [found, f"--dbname={place}", *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = next((line for line in done.stderr.splitlines() if "error" in line.casefold()), "no reason given")
        raise BackupError(f"{program} failed: {told.strip()}")


# ---- both ------------------------------------------------------------------------------------------------------------


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url, pool_size=2)
    try:
        yield database
    finally:
        database.close()


def _require_no_worker(database: Database) -> None:
    with database.read() as session:
        try:
            seen = session.scalar(select(func.max(Worker.seen_at)))
        except SQLAlchemyError:
            seen = None  # older than workers, or damaged, which is why it is replaced
    if seen is not None and utc_now() - seen < timedelta(seconds=30):
        raise BackupError("The service seems to run: its worker was seen within 30 seconds. Stop it, and try again.")


def _open(place: Path | str | None) -> BackupError:
    return BackupError(f"Another process has “{place}” open. Stop the service, and try again.")


def _keep_noes(url: str, restored: Database, keys: KeyRing) -> noes.Kept | None:
    """What the restored database took over of the one that it replaces; None if that cannot be read."""
    try:
        with _opened(url) as before:
            require_upgraded(before)
            return noes.keep(before, restored, keys)
    except (DatabaseError, SQLAlchemyError):
        return None


def _check(database: Database, keys: KeyRing) -> int:
    """Raises BackupError unless a database is whole, of this version, opened by these keys, and its log unbroken."""
    if database.sqlite:
        with database.read() as session:
            told = session.scalars(text("PRAGMA integrity_check")).all()
            broken = session.execute(text("PRAGMA foreign_key_check")).first()
        if [*told] != ["ok"] or broken:
            raise BackupError("The backup is damaged: its integrity check fails. Take an earlier one.")
    try:
        require_upgraded(database)
    except DatabaseError:
        raise BackupError(
            "The backup was made by another version of Kith. Restore it with that version, then upgrade. On PostgreSQL "
            "make a new database for that: what was tried here is in this one."
        ) from None
    with database.read() as session:
        authorities = list(session.scalars(select(Authority.id)))
    entries = 0
    for authority in (None, *authorities):
        if missing := _sealed_by(database, keys, authority) - {*keys.keys}:
            raise BackupError(
                f"The backup was sealed by keys that are not here: {', '.join(sorted(missing))}. "
                "Put the key file of that time in place (KITH_KEYS_FILE)."
            )
        with database.read(authority) as session:
            verdict = audit_log.verify(session, keys)
        if verdict.problem:
            raise BackupError(f"The audit log of the backup is not whole: {verdict.problem} Or the keys are another's.")
        entries += verdict.entries
    return entries


def _end_logins(database: Database) -> None:
    """Of the moment of the backup: a browser that was signed out since, or whose account was closed, is in nowhere."""
    with database.write() as session:
        session.execute(delete(LoginSession))


def _sealed_by(database: Database, keys: KeyRing, authority: str | None) -> set[str]:
    """The ids of the keys by which an authority's values are sealed; the installation's own where none is given."""
    names: set[str] = set()
    with database.read(authority) as session:
        for mapper in Base.registry.mappers:
            columns = [column for column in mapper.columns if isinstance(column.type, Sealed)]
            if not columns or issubclass(mapper.class_, Apart) != (authority is not None):
                continue
            for column in columns:
                attribute = getattr(mapper.class_, column.key)
                starts = session.scalars(select(func.substr(attribute, 1, 12)).where(attribute.is_not(None)))
                names |= {keys.sealed_by(bytes(start)) for start in starts}
    return names
