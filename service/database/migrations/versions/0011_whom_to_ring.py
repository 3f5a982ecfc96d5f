"""Whom to ring, as letters say it

Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from service.database.safeguards import apart, grant

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "whom_to_ring",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_whom_to_ring_authority_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_whom_to_ring")),
        sa.UniqueConstraint("authority_id", name=op.f("uq_whom_to_ring_authority_id")),
    )
    op.create_index(op.f("ix_whom_to_ring_authority_id"), "whom_to_ring", ["authority_id"], unique=False)
    apart(op.get_bind(), ["whom_to_ring"])
    grant(op.get_bind(), context.config.attributes.get("role"), ["whom_to_ring"], "SELECT, INSERT, UPDATE, DELETE")
