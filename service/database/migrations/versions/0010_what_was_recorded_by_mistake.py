"""A step that was recorded by mistake is taken back: how the match stood before it is kept, and whose no a pair's no is

Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("decisions", sa.Column("before", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("decisions", sa.Column("takes_back", sa.String(length=12), nullable=True))
    op.create_index("uq_decisions_takes_back", "decisions", ["takes_back"], unique=True)
    op.add_column("declined", sa.Column("match_id", sa.String(length=12), nullable=True))
    op.create_index(op.f("ix_declined_match_id"), "declined", ["match_id"])
