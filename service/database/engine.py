"""Sessions: each reads or writes, for one authority alone, on SQLite as on PostgreSQL.

A session that is opened for an authority adds the authority to every SELECT, UPDATE and DELETE by itself, and refuses
to write a row of another: a forgotten WHERE shows nothing that is not the reader's. On PostgreSQL row-level security
holds the same once more, in the database.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker, with_loader_criteria
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import StaleDataError

from matcher.errors import KithError
from service.database import tables
from service.database.base import Apart, Base

_BUSY_SECONDS = 20
"""How long a writer waits for another on SQLite, which takes them one at a time."""

_OVERFLOW = 80
"""Connections beyond the pool's, for as long as they are needed. A request holds one to read and takes another for the
audit log: were there fewer than two for each of a process's forty threads, all could wait for a second for ever."""

_WRITES = 1265200233
"""The lock on PostgreSQL that all who write share, so that one can wait until they are through."""

_NAMED = "KITH_DATABASE_URL; for `kith migrate` and `kith restore` KITH_OWNER_URL as well"

READ_BY_MATCHING = (
    tables.Child, tables.Family, tables.Volunteer, tables.Match, tables.Declined, tables.RecordedException,
    tables.Budget, tables.Policy, tables.Organisation,
)  # fmt: skip
_UNREAD: Mapping[type[Apart], Collection[str]] = {
    tables.Child: {"person", "found"},
    tables.Volunteer: {"person", "found"},
    tables.Organisation: {"name"},  # but for one that went by another before, which `former` tells
}
"""Columns of these tables that matching never opens: who somebody is changes nothing that it found."""

Done = TypeVar("Done")

CHANGED = "changed what matching reads"
"""Of a session's `info`: `runs` asks for a run before it is committed."""


class DatabaseError(KithError):
    """A database that cannot be used as it stands."""


class Database:
    """One installation's database. `url` is SQLAlchemy's: sqlite:///FILE or postgresql+psycopg://…"""

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.sqlite = make_url(url).get_backend_name() == "sqlite"
        if self.sqlite:
            self.engine = create_engine(
                url, connect_args={"timeout": _BUSY_SECONDS}, pool_size=pool_size, max_overflow=_OVERFLOW
            )
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            if (file := make_url(url).database) and os.path.exists(file):
                os.chmod(file, 0o600)
        else:
            self.engine = create_engine(url, pool_size=pool_size, max_overflow=_OVERFLOW, pool_pre_ping=True)
        self._reading = sessionmaker(self.engine.execution_options(kith_reads=True), expire_on_commit=False)
        self._writing = sessionmaker(self.engine, expire_on_commit=False)

    @contextmanager
    def read(self, authority: str | None = None) -> Iterator[Session]:
        """A session that only reads. Without an authority it sees the installation's own tables alone."""
        with self._reading(info={"authority": authority, "reads": True}) as session:
            yield session

    @contextmanager
    def write(self, authority: str | None = None) -> Iterator[Session]:
        """A session whose work is committed at the end, whole, or not at all."""
        with self._writing(info={"authority": authority}) as session, session.begin():
            yield session

    def attempt(self, authority: str, work: Callable[[Session], Done]) -> Done:
        """What `work` does in a transaction, and does once more where another transaction was in the way of it.

        So that nobody is refused a no because somebody else wrote at that moment. `work` begins anew: it reads all that
        it goes by in the session that it is given.
        """
        try:
            with self.write(authority) as session:
                return work(session)
        except (IntegrityError, StaleDataError, OperationalError) as error:
            if isinstance(error, OperationalError) and not crossed(error):
                raise  # the connection is gone, perhaps: nobody knows whether it was done
            with self.write(authority) as session:
                return work(session)

    def check(self, named: str = _NAMED) -> None:
        """Raises DatabaseError unless the database answers. `named`: by which settings it is."""
        try:
            with self.read() as session:
                session.execute(text("SELECT 1"))
        except OperationalError as error:
            lines = str(error.orig).splitlines() or ["no reason given"]  # they name the role, never its password
            told = next((line for line in lines if "failed: " in line), lines[0]).strip().removesuffix(".")
            raise DatabaseError(
                f"The database does not answer, or does not let in the role of its address ({told}). Check "
                f"that it runs, and {named}."
            ) from None

    def wait_for_writers(self) -> None:
        """Returns once every transaction that writes now is over; those that begin meanwhile wait for it.

        On SQLite there is nobody to wait for: a writer has its turn alone, and whoever comes next is after it.
        """
        with self.engine.begin() as connection:
            if not self.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITES})

    def close(self) -> None:
        self.engine.dispose()


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: see _begin_sqlite
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA secure_delete = ON")  # what was erased or sealed does not linger in the file


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its turn at once: one that began by reading could not go on to write without a conflict."""
    reads = connection.get_execution_options().get("kith_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@event.listens_for(Session, "after_begin")
def _tell_postgresql(session: Session, _transaction: Any, connection: Connection) -> None:
    """Row-level security goes by this setting, which ends with the transaction."""
    if connection.dialect.name == "postgresql":
        authority = session.info.get("authority") or ""
        if session.info.get("reads"):  # everything as it was at one moment, as on SQLite
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        else:
            connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _WRITES})
        connection.execute(text("SELECT set_config('kith.authority', :authority, true)"), {"authority": authority})


@event.listens_for(Session, "do_orm_execute")
def _own_rows_alone(state: ORMExecuteState) -> None:
    authority = state.session.info.get("authority")
    if (state.is_update or state.is_delete) and any(one.class_ in READ_BY_MATCHING for one in state.all_mappers):
        raise DatabaseError("What matching reads is changed through the session, or nobody would know that it changed.")
    if (state.is_select or state.is_update or state.is_delete) and not state.is_column_load:
        state.statement = state.statement.options(
            with_loader_criteria(
                Apart, lambda table: table.authority_id == authority, include_aliases=True, propagate_to_loaders=True
            )
        )


@event.listens_for(Session, "before_flush")
def _write_own_rows_alone(session: Session, _context: Any, _instances: Any) -> None:
    authority = session.info.get("authority")
    new, deleted = session.new, session.deleted  # each is put together anew whenever one asks for it
    changed = [*new, *session.dirty, *deleted]
    for row in changed:
        if isinstance(row, Apart):
            if row in new and row.authority_id is None:
                row.authority_id = authority or ""
            if row.authority_id != authority:
                raise DatabaseError("A row of another authority cannot be written.")
    if any(_is_read(row, row in deleted) for row in changed):
        session.info[CHANGED] = True
        session.connection().execute(
            update(tables.Authority)
            .where(tables.Authority.id == authority)
            .values(data_version=tables.Authority.data_version + 1)
        )


def _is_read(row: object, is_deleted: bool) -> bool:
    """Whether matching reads anything of what is about to be written."""
    if not isinstance(row, READ_BY_MATCHING):
        return False
    written = {one.key for one in instance_state(row).attrs if one.history.has_changes()}
    return is_deleted or not written <= {"id", "authority_id", *_UNREAD.get(type(row), ())}


def crossed(error: OperationalError) -> bool:
    """Whether two waited for each other on PostgreSQL, and this one was not let go on."""
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")


def has_tables(engine: Engine) -> bool:
    """Whether Kith was ever set up in this database."""
    return inspect(engine).has_table(Base.metadata.tables["authorities"].name)
