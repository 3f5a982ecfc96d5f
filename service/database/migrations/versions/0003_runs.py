"""Runs know which data they read, workers tell that they live, people may log in by an identity provider

Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from service.database.safeguards import grant

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("runs", sa.Column("data_version", sa.Integer(), nullable=True))
    op.add_column("users", sa.Column("subject", sa.String(length=64), nullable=True))
    op.create_index("uq_users_subject", "users", ["subject"], unique=True)
    op.create_table(
        "workers",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    role = context.config.attributes.get("role")
    grant(op.get_bind(), role, ["workers"], "SELECT, INSERT, UPDATE, DELETE")
