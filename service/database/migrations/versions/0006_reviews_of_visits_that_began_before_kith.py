"""Visits that began before Kith have a review planned, by the day on which they began

Revises: 0005
"""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

FIRST, THEN = timedelta(weeks=6), timedelta(days=182)

authorities = sa.table("authorities", sa.column("id"))
matches = sa.table(
    "matches", sa.column("id"), sa.column("state"), sa.column("started_on", sa.Date()),
    sa.column("next_review_on", sa.Date()),
)  # fmt: skip


def upgrade() -> None:
    connection, now = op.get_bind(), date.today()  # noqa: DTZ011 (a day more or less is no matter here)
    forgotten = sa.select(matches.c.id, matches.c.started_on).where(
        matches.c.state == "active", matches.c.next_review_on.is_(None)
    )
    for authority in connection.scalars(sa.select(authorities.c.id)).all():
        if connection.dialect.name == "postgresql":  # row-level security holds for the owner, too
            connection.execute(sa.text("SELECT set_config('kith.authority', :id, true)"), {"id": authority})
        for id, started_on in connection.execute(forgotten).all():
            due = now
            if started_on is not None:
                due = started_on + FIRST + max((now - started_on - FIRST) // THEN, 0) * THEN
            connection.execute(matches.update().where(matches.c.id == id).values(next_review_on=due))
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT set_config('kith.authority', '', true)"))
