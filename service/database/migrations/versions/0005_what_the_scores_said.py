"""What the scores said of those who were shown is kept with the proposal

Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("decisions", sa.Column("scores", sa.LargeBinary(), nullable=True))
