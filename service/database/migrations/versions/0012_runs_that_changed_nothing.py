"""Whether a run changed nothing is kept with its plan as it is made; of the plans before, nobody knows

Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("plans", sa.Column("unchanged", sa.Boolean(), server_default=sa.false(), nullable=False))
