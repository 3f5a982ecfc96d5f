"""Which children a manager took apart is kept of each two, as far as they are where that put them

Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from service.database.base import new_id
from service.database.safeguards import apart, grant

revision = "0013"
down_revision = "0012"

authorities = sa.table("authorities", sa.column("id"))
children = sa.table("children", sa.column("id"), sa.column("family_id"), sa.column("authority_id"))
log = sa.table(
    "audit_events", sa.column("chain"), sa.column("number"), sa.column("at", sa.DateTime(timezone=True)),
    sa.column("action"), sa.column("subject"), sa.column("reason"), sa.column("details", sa.JSON()),
)  # fmt: skip
taken_apart = sa.table(
    "taken_apart", sa.column("id"), sa.column("child_id"), sa.column("other_id"), sa.column("reason"),
    sa.column("at", sa.DateTime(timezone=True)), sa.column("authority_id"),
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "taken_apart",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("child_id", sa.String(length=12), nullable=False),
        sa.Column("other_id", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_taken_apart_authority_id")),
        sa.ForeignKeyConstraint(["child_id"], ["children.id"], name=op.f("fk_taken_apart_child_id")),
        sa.ForeignKeyConstraint(["other_id"], ["children.id"], name=op.f("fk_taken_apart_other_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_taken_apart")),
        sa.UniqueConstraint("child_id", "other_id", name=op.f("uq_taken_apart_child_id_other_id")),
    )
    for column in ("authority_id", "child_id", "other_id"):
        op.create_index(op.f(f"ix_taken_apart_{column}"), "taken_apart", [column], unique=False)
    apart(op.get_bind(), ["taken_apart"])
    grant(op.get_bind(), context.config.attributes.get("role"), ["taken_apart"], "SELECT, INSERT, UPDATE, DELETE")
    fill(op.get_bind())


def fill(connection: sa.Connection) -> None:
    """From the log, which has the families alone: whom a child left there are those who are in it now."""
    for authority in connection.scalars(sa.select(authorities.c.id)).all():
        if connection.dialect.name == "postgresql":  # row-level security holds for the owner, too
            connection.execute(sa.text("SELECT set_config('kith.authority', :id, true)"), {"id": authority})
        own = children.c.authority_id == authority
        family_of = {row.id: row.family_id for row in connection.execute(sa.select(children).where(own))}
        parted = log.c.chain == authority, log.c.action == "unlink sibling"
        last = {one.subject: one for one in connection.execute(sa.select(log).where(*parted).order_by(log.c.number))}
        for child, one in last.items():
            if family_of.get(child) != one.details["to"]:
                continue
            for other in (id for id, family in family_of.items() if family == one.details["from"]):
                connection.execute(
                    taken_apart.insert().values(
                        id=new_id("T"), child_id=child, other_id=other, reason=one.reason, at=one.at,
                        authority_id=authority,
                    )
                )  # fmt: skip
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT set_config('kith.authority', '', true)"))
