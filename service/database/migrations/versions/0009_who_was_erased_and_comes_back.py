"""Who was erased is known again by a keyed hash of the reference, so that what was said no to holds if they come back

Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for table in ("children", "volunteers"):
        op.add_column(table, sa.Column("once", sa.String(length=64), nullable=True))
        op.create_index(op.f(f"ix_{table}_once"), table, ["once"])
