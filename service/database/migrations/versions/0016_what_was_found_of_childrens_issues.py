"""What a manager found of a child's safeguarding issue, as they close it

Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("children", sa.Column("found", sa.LargeBinary(), nullable=True))
