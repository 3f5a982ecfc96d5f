"""What was shown of shortlists

Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from service.database.safeguards import apart, grant

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "served",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("child_id", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rank_by", sa.String(length=10), nullable=False),
        sa.Column("policy", sa.String(length=200), nullable=False),
        sa.Column("data_hash", sa.String(length=12), nullable=False),
        sa.Column("ranks", sa.JSON(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_served_authority_id")),
        sa.ForeignKeyConstraint(["child_id"], ["children.id"], name=op.f("fk_served_child_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_served_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_served")),
    )
    for column in ("at", "authority_id", "child_id"):
        op.create_index(op.f(f"ix_served_{column}"), "served", [column], unique=False)
    apart(op.get_bind(), ["served"])
    grant(op.get_bind(), context.config.attributes.get("role"), ["served"], "SELECT, INSERT, UPDATE, DELETE")
