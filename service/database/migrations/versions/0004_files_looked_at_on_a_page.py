"""Files are looked at on a page before they are taken in: kept sealed for a day, with how their headings are read

Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from service.database.safeguards import apart, grant

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("import_batches", sa.Column("given", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("import_batches", sa.Column("reason", sa.String(length=60), server_default="", nullable=False))
    op.add_column("import_batches", sa.Column("note", sa.LargeBinary(), nullable=True))
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("layouts", sa.LargeBinary(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_uploads_authority_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_uploads_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    for column in ("at", "authority_id", "user_id"):
        op.create_index(op.f(f"ix_uploads_{column}"), "uploads", [column], unique=False)
    op.create_table(
        "mappings",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("sheet", sa.String(length=20), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_mappings_authority_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mappings_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mappings")),
        sa.UniqueConstraint("authority_id", "sheet", name=op.f("uq_mappings_authority_id_sheet")),
    )
    op.create_index(op.f("ix_mappings_authority_id"), "mappings", ["authority_id"], unique=False)
    apart(op.get_bind(), ["uploads", "mappings"])
    role = context.config.attributes.get("role")
    grant(op.get_bind(), role, ["uploads", "mappings"], "SELECT, INSERT, UPDATE, DELETE")
