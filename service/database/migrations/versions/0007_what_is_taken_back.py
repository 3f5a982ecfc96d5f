"""Exceptions are withdrawn and stay for the record; organisations are renamed and known by the names of before

Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("exceptions", sa.Column("withdrawn_on", sa.Date(), nullable=True))
    op.add_column("exceptions", sa.Column("withdrawn_by", sa.LargeBinary(), nullable=True))
    op.add_column("exceptions", sa.Column("withdrawn_reason", sa.LargeBinary(), nullable=True))
    op.add_column("exceptions", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("organisations", sa.Column("former", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("organisations", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
