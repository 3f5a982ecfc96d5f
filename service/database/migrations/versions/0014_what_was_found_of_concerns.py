"""What a manager found of a concern about a volunteer, as they close it

Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("volunteers", sa.Column("found", sa.LargeBinary(), nullable=True))
