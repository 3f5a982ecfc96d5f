"""What a manager writes into the report of a year is kept sealed

Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from service.database.safeguards import apart, grant

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "year_words",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_year_words_authority_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_year_words_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_year_words")),
        sa.UniqueConstraint("authority_id", "year", name=op.f("uq_year_words_authority_id_year")),
    )
    op.create_index(op.f("ix_year_words_authority_id"), "year_words", ["authority_id"], unique=False)
    apart(op.get_bind(), ["year_words"])
    grant(op.get_bind(), context.config.attributes.get("role"), ["year_words"], "SELECT, INSERT, UPDATE, DELETE")
