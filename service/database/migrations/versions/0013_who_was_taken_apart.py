"""Which children a manager took apart is kept of each two

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
    """From the log, which names families alone. Rather one pair too many than one too few: a manager is asked once."""
    for authority in connection.scalars(sa.select(authorities.c.id)).all():
        if connection.dialect.name == "postgresql":  # row-level security holds for the owner, too
            connection.execute(sa.text("SELECT set_config('kith.authority', :id, true)"), {"id": authority})
        own = sa.select(children).where(children.c.authority_id == authority)
        family_of = {row.id: row.family_id for row in connection.execute(own)}
        entries = sa.select(log).where(log.c.chain == authority).order_by(log.c.number)
        parted = connection.execute(entries.where(log.c.action == "unlink sibling")).all()
        linked = connection.execute(entries.where(log.c.action == "link siblings")).all()
        pairs = {}
        for one in parted:
            child, family = one.subject, one.details["from"]
            # Whom the child left: who is there now, who was taken out after them, and whoever was linked since where
            # the family itself went into another.
            left = {id for id, there in family_of.items() if there == family}
            left |= {later.subject for later in parted if later.number > one.number and later.details["from"] == family}
            if family not in family_of.values():
                left |= {id for later in linked if later.number > one.number for id in later.details["children"]}
            for other in left & family_of.keys():
                if child in family_of and family_of[child] != family_of[other]:
                    pairs[frozenset((child, other))] = (child, other, one)
        for child, other, one in pairs.values():
            connection.execute(
                taken_apart.insert().values(
                    id=new_id("T"), child_id=child, other_id=other, reason=one.reason, at=one.at,
                    authority_id=authority,
                )
            )  # fmt: skip
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT set_config('kith.authority', '', true)"))
