"""Brings a database to the version of the code, and tells whether it is there."""

from __future__ import annotations

from functools import cache
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text

from service.crypto import KeyRing
from service.database.engine import Database, DatabaseError
from service.settings import Settings


def upgrade(settings: Settings) -> str:
    """Runs the migrations that are missing, all or none of them; the revision reached.

    Raises DatabaseError where the service's role would own the tables on PostgreSQL: row-level security could then be
    switched off by whoever breaks into the service; KeysError where something is to be sealed and no keys are here.
    """
    url = settings.database_url.get_secret_value()
    owner = settings.owner_url.get_secret_value() if settings.owner_url else url
    role = make_url(url).username
    if make_url(url).get_backend_name() == "postgresql" and make_url(owner).username == role:
        raise DatabaseError(
            "On PostgreSQL the service must not own its tables. Give KITH_OWNER_URL, with a role of its own; "
            "docs/operations.md shows the two roles."
        )
    database = Database(owner)
    try:
        database.check()
        with database.engine.begin() as connection:
            if connection.dialect.name == "postgresql":  # two at once take turns; SQLite sees to that itself
                connection.execute(text("SELECT pg_advisory_xact_lock(1265200232)"))
            _refuse_newer(connection)
            config = _config()
            config.attributes["connection"] = connection
            config.attributes["role"] = role
            config.attributes["keys"] = cache(lambda: KeyRing.read(settings.keys_file))
            command.upgrade(config, "head")
            return revision(connection) or ""
    finally:
        database.close()


def revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def newest() -> str | None:
    """The revision that the code needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def require_upgraded(database: Database) -> None:
    """Raises DatabaseError unless the database is at the version of the code."""
    with database.engine.connect() as connection:
        _refuse_newer(connection)
        there = revision(connection)
    if there != newest():
        raise DatabaseError(f"The database is at version {there or 'none'}, Kith needs {newest()}. Run `kith migrate`.")


def _refuse_newer(connection: Connection) -> None:
    """Raises DatabaseError for a database of a version that this code has not heard of."""
    there = revision(connection)
    if there is not None and there not in {
        one.revision for one in ScriptDirectory.from_config(_config()).walk_revisions()
    }:
        raise DatabaseError(
            f"The database is at version {there}, which this Kith does not know: a newer one brought it there. Install "
            "that one again, or restore a backup from before."
        )


def require_kept_apart(database: Database) -> None:
    """Raises DatabaseError for a role that row-level security does not hold, or that could switch it off."""
    if database.sqlite:
        return
    with database.engine.connect() as connection:
        above = connection.scalar(
            text(
                "SELECT rolsuper OR rolbypassrls OR pg_has_role(relowner, 'MEMBER') "
                "FROM pg_roles, pg_class WHERE rolname = current_user AND pg_class.oid = 'authorities'::regclass"
            )
        )
    if above:
        raise DatabaseError(
            "KITH_DATABASE_URL names a role that owns the tables, or that row-level security does not hold. Give the "
            "service's own, which is neither: docs/operations.md makes it."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("service.database") / "migrations"))
    return config
