"""Words that people typed, and the names of coordinators, are sealed; lists go by a keyed hash of the name

Revises: 0014
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from service.crypto import KeyRing, Place

revision = "0015"
down_revision = "0014"

SEALED = {"matches": "coordinator", "policies": "reason", "runs": "problem", "whom_to_ring": "told"}
PLAIN = "in_plain"
"""What these columns are called until all that they hold is sealed."""

authorities = sa.table("authorities", sa.column("id"))


def upgrade() -> None:
    for table, column in SEALED.items():
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {column} TO {PLAIN}")
        op.add_column(table, sa.Column(column, sa.LargeBinary(), nullable=True))
    for table in ("children", "matches"):
        op.add_column(table, sa.Column("coordinator_hash", sa.String(length=64), nullable=True))
        op.create_index(op.f(f"ix_{table}_coordinator_hash"), table, ["coordinator_hash"])
    _fill(op.get_bind())
    op.drop_index(op.f("ix_children_coordinator"), "children")
    op.drop_column("children", "coordinator")  # the name is among the facts
    for table in SEALED:
        op.drop_column(table, PLAIN)


def _fill(connection: sa.Connection) -> None:
    for authority in connection.scalars(sa.select(authorities.c.id)).all():
        if connection.dialect.name == "postgresql":  # row-level security holds for the owner, too
            connection.execute(sa.text("SELECT set_config('kith.authority', :id, true)"), {"id": authority})
        for table, column in SEALED.items():
            _seal(connection, authority, table, column)
        _hash(connection, authority)
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT set_config('kith.authority', '', true)"))


def _seal(connection: sa.Connection, authority: str, name: str, column: str) -> None:
    """The plain column is emptied in the same breath: a row as it is now on the disk has no word of it."""
    empty: str | dict[str, str] = {} if name == "whom_to_ring" else ""
    plain: sa.ColumnClause[Any] = sa.column(PLAIN, sa.JSON() if name == "whom_to_ring" else sa.Text())
    table = sa.table(name, plain, *map(sa.column, ("id", "authority_id", column, "coordinator_hash")))
    own = sa.select(table.c.id, plain).where(table.c.authority_id == authority)
    for id, said in connection.execute(own).all():
        if said:
            text = said if isinstance(said, str) else json.dumps(said)
            values = {PLAIN: empty, column: _keys().seal(text, Place(name, id, column))}
            if name == "matches":
                values["coordinator_hash"] = _digest(authority, text)
            connection.execute(table.update().where(table.c.id == id).values(values))


def _hash(connection: sa.Connection, authority: str) -> None:
    children = sa.table("children", *map(sa.column, ("authority_id", "coordinator", "coordinator_hash")))
    own = children.c.authority_id == authority
    for name in connection.scalars(sa.select(children.c.coordinator).where(own).distinct()).all():
        if name:
            values = {"coordinator": None, "coordinator_hash": _digest(authority, name)}
            connection.execute(children.update().where(own, children.c.coordinator == name).values(values))


def _digest(authority: str, name: str) -> str:
    """The same of a name in every spelling."""
    return _keys().digest("coordinator", f"{authority} {' '.join(name.casefold().split())}")


def _keys() -> KeyRing:
    """Asked for only where there is something to seal: a new installation has none yet."""
    keys: KeyRing = context.config.attributes["keys"]()
    return keys
