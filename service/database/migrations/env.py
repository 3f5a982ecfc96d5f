"""How Alembic runs here: on the connection that `database.upgrade` hands it, in one transaction."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from service.database import tables as tables  # fills Base.metadata
from service.database.base import Base, Sealed, UtcDateTime


def plain_types(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    """Migrations outlive our own types: they name what the database knows."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(thing, Sealed):
        return "sa.LargeBinary()"
    return False


if "connection" in context.config.attributes:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        render_item=plain_types,
    )
    context.run_migrations()
