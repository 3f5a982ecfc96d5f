"""What the tables cannot say themselves: triggers that keep a table append-only, and row-level security.

Called by the migrations, with the names of tables as they were when the migration was written.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, text


def append_only(connection: Connection, table: str) -> None:
    """The database refuses to change or delete a row, whoever asks."""
    if connection.dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            connection.execute(
                text(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
            )
        return
    connection.execute(
        text(
            f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
        )
    )
    connection.execute(
        text(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
        )
    )


def apart(connection: Connection, tables: Iterable[str], column: str = "authority_id", also: str = "") -> None:
    """Row-level security, forced on the owner too: a session sees and writes the rows of its own authority alone.

    `also` is a value of the column that every session sees.
    """
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        own = f"{column} = current_setting('kith.authority', true)" + (f" OR {column} = '{also}'" if also else "")
        connection.execute(text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
        connection.execute(text(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"))
        connection.execute(text(f"CREATE POLICY own_authority ON {table} USING ({own}) WITH CHECK ({own})"))


def grant(connection: Connection, role: str | None, tables: Iterable[str], rights: str) -> None:
    """Lets the service's role use tables that it does not own. `role` is None where one role does both."""
    if role is not None and connection.dialect.name == "postgresql":
        quoted = connection.dialect.identifier_preparer.quote(role)
        for table in tables:
            connection.execute(text(f"GRANT {rights} ON {table} TO {quoted}"))
