"""The foundation

Revises: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from service.database.safeguards import apart, append_only, grant

revision = "0001"
down_revision = None

INSTALLATION = ("authorities", "users", "sessions", "tokens")
APART = (
    "families", "organisations", "children", "volunteers", "matches", "proposals", "decisions", "declined",
    "exceptions", "budgets", "policies", "import_batches", "runs", "plans", "shortlists",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("chain", sa.String(length=12), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name=op.f("pk_audit_events")),
    )
    op.create_index(op.f("ix_audit_events_subject"), "audit_events", ["subject"], unique=False)
    op.create_table(
        "authorities",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorities")),
        sa.UniqueConstraint("name", name=op.f("uq_authorities_name")),
    )
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=9), nullable=False),
        sa.Column("budget_pence", sa.Integer(), nullable=True),
        sa.Column("spent_pence", sa.Integer(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_budgets_authority_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint("authority_id", "code", name=op.f("uq_budgets_authority_id_code")),
    )
    op.create_index(op.f("ix_budgets_authority_id"), "budgets", ["authority_id"], unique=False)
    op.create_table(
        "families",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("references", sa.JSON(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_families_authority_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_families")),
    )
    op.create_index(op.f("ix_families_authority_id"), "families", ["authority_id"], unique=False)
    op.create_table(
        "organisations",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_organisations_authority_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisations")),
        sa.UniqueConstraint("authority_id", "name", name=op.f("uq_organisations_authority_id_name")),
    )
    op.create_index(op.f("ix_organisations_authority_id"), "organisations", ["authority_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=True),
        sa.Column("failed_logins", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("invitation", sa.String(length=64), nullable=True),
        sa.Column("invited_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('coordinator', 'manager', 'analyst', 'auditor', 'administrator')", name=op.f("ck_users_role")
        ),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_users_authority_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
        sa.UniqueConstraint("invitation", name=op.f("uq_users_invitation")),
    )
    op.create_index(op.f("ix_users_authority_id"), "users", ["authority_id"], unique=False)
    op.create_table(
        "volunteers",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('applicant', 'approved', 'suspended', 'withdrawn', 'resigned')",
            name=op.f("ck_volunteers_status"),
        ),
        sa.CheckConstraint("capacity >= 0", name=op.f("ck_volunteers_capacity")),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_volunteers_authority_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_volunteers")),
        sa.UniqueConstraint("authority_id", "reference", name=op.f("uq_volunteers_authority_id_reference")),
        sa.UniqueConstraint("id", "authority_id", "capacity", name="uq_volunteers_copied"),
    )
    op.create_index(op.f("ix_volunteers_authority_id"), "volunteers", ["authority_id"], unique=False)
    op.create_index(op.f("ix_volunteers_status"), "volunteers", ["status"], unique=False)
    op.create_table(
        "children",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("reference", sa.String(length=80), nullable=False),
        sa.Column("family_id", sa.String(length=12), nullable=False),
        sa.Column("objects", sa.Boolean(), nullable=False),
        sa.Column("referral", sa.Boolean(), nullable=False),
        sa.Column("referred_on", sa.Date(), nullable=True),
        sa.Column("coordinator", sa.String(length=80), nullable=True),
        sa.Column("facts", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_children_authority_id")),
        sa.ForeignKeyConstraint(["family_id"], ["families.id"], name=op.f("fk_children_family_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_children")),
        sa.UniqueConstraint("authority_id", "reference", name=op.f("uq_children_authority_id_reference")),
        sa.UniqueConstraint("id", "authority_id", "family_id", "objects", name="uq_children_copied"),
    )
    op.create_index(op.f("ix_children_authority_id"), "children", ["authority_id"], unique=False)
    op.create_index(op.f("ix_children_coordinator"), "children", ["coordinator"], unique=False)
    op.create_index(op.f("ix_children_family_id"), "children", ["family_id"], unique=False)
    op.create_index(op.f("ix_children_referred_on"), "children", ["referred_on"], unique=False)
    op.create_table(
        "import_batches",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_import_batches_authority_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_import_batches_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batches")),
    )
    op.create_index(op.f("ix_import_batches_authority_id"), "import_batches", ["authority_id"], unique=False)
    op.create_table(
        "policies",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.String(length=12), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_policies_authority_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_policies_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("authority_id", "number", name=op.f("uq_policies_authority_id_number")),
    )
    op.create_index(op.f("ix_policies_authority_id"), "policies", ["authority_id"], unique=False)
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
    )
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"], unique=False)
    op.create_table(
        "declined",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("child_id", sa.String(length=12), nullable=False),
        sa.Column("volunteer_id", sa.String(length=12), nullable=False),
        sa.Column("said_by", sa.String(length=20), nullable=True),
        sa.Column("declined_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_declined_authority_id")),
        sa.ForeignKeyConstraint(["child_id"], ["children.id"], name=op.f("fk_declined_child_id")),
        sa.ForeignKeyConstraint(["volunteer_id"], ["volunteers.id"], name=op.f("fk_declined_volunteer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_declined")),
    )
    op.create_index(op.f("ix_declined_authority_id"), "declined", ["authority_id"], unique=False)
    op.create_index(op.f("ix_declined_child_id"), "declined", ["child_id"], unique=False)
    op.create_index(op.f("ix_declined_volunteer_id"), "declined", ["volunteer_id"], unique=False)
    op.create_table(
        "exceptions",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("volunteer_id", sa.String(length=12), nullable=False),
        sa.Column("child_id", sa.String(length=12), nullable=True),
        sa.Column("value", sa.Integer(), nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("approved_by", sa.LargeBinary(), nullable=False),
        sa.Column("approved_on", sa.Date(), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=True),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.CheckConstraint(
            "kind IN ('relative as visitor', 'second child', 'shorter commitment')", name=op.f("ck_exceptions_kind")
        ),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_exceptions_authority_id")),
        sa.ForeignKeyConstraint(["child_id"], ["children.id"], name=op.f("fk_exceptions_child_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_exceptions_user_id")),
        sa.ForeignKeyConstraint(["volunteer_id"], ["volunteers.id"], name=op.f("fk_exceptions_volunteer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exceptions")),
    )
    op.create_index(op.f("ix_exceptions_authority_id"), "exceptions", ["authority_id"], unique=False)
    op.create_index(op.f("ix_exceptions_volunteer_id"), "exceptions", ["volunteer_id"], unique=False)
    op.create_table(
        "matches",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("child_id", sa.String(length=12), nullable=False),
        sa.Column("family_id", sa.String(length=12), nullable=False),
        sa.Column("child_objects", sa.Boolean(), nullable=False),
        sa.Column("volunteer_id", sa.String(length=12), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=True),
        sa.Column("ended_on", sa.Date(), nullable=True),
        sa.Column("over_by", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("coordinator", sa.String(length=80), nullable=True),
        sa.Column("next_review_on", sa.Date(), nullable=True),
        sa.Column("irregular", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused')) = (place IS NOT NULL)",
            name=op.f("ck_matches_live_takes_a_place"),
        ),
        sa.CheckConstraint(
            "NOT (child_objects AND state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused'))",
            name=op.f("ck_matches_child_objects"),
        ),
        sa.CheckConstraint(
            "over_by IN ('child', 'volunteer', 'social worker', 'authority', 'planned')",
            name=op.f("ck_matches_over_by"),
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused', 'declined', 'withdrawn', 'ended')",
            name=op.f("ck_matches_state"),
        ),
        sa.CheckConstraint("place >= 0 AND place < capacity", name=op.f("ck_matches_capacity")),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_matches_authority_id")),
        sa.ForeignKeyConstraint(
            ["child_id", "authority_id", "family_id", "child_objects"],
            ["children.id", "children.authority_id", "children.family_id", "children.objects"],
            name="fk_matches_child",
            onupdate="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["volunteer_id", "authority_id", "capacity"],
            ["volunteers.id", "volunteers.authority_id", "volunteers.capacity"],
            name="fk_matches_volunteer",
            onupdate="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_matches")),
        sa.UniqueConstraint("id", "authority_id", name="uq_matches_copied"),
    )
    op.create_index(op.f("ix_matches_authority_id"), "matches", ["authority_id"], unique=False)
    op.create_index(op.f("ix_matches_child_id"), "matches", ["child_id"], unique=False)
    op.create_index(op.f("ix_matches_next_review_on"), "matches", ["next_review_on"], unique=False)
    op.create_index(op.f("ix_matches_volunteer_id"), "matches", ["volunteer_id"], unique=False)
    op.create_index(
        "uq_matches_one_live_a_child",
        "matches",
        ["child_id"],
        unique=True,
        sqlite_where=sa.text(
            "state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused')"
        ),
        postgresql_where=sa.text(
            "state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused')"
        ),
    )
    op.create_index(
        "uq_matches_place",
        "matches",
        ["volunteer_id", "place"],
        unique=True,
        sqlite_where=sa.text(
            "state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused')"
        ),
        postgresql_where=sa.text(
            "state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused')"
        ),
    )
    op.create_index(
        "uq_matches_siblings_apart",
        "matches",
        ["volunteer_id", "family_id"],
        unique=True,
        sqlite_where=sa.text(
            "state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused', 'ended') AND NOT irregular"
        ),
        postgresql_where=sa.text(
            "state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused', 'ended') AND NOT irregular"
        ),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease", sa.String(length=64), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_asked", sa.Boolean(), nullable=False),
        sa.Column("progress", sa.String(length=100), nullable=False),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.Column("as_of", sa.Date(), nullable=True),
        sa.Column("policy_id", sa.String(length=12), nullable=True),
        sa.Column("data_hash", sa.String(length=12), nullable=True),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_runs_state")),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_runs_authority_id")),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name=op.f("fk_runs_policy_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_runs_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_authority_id"), "runs", ["authority_id"], unique=False)
    op.create_index(
        "uq_runs_one_queued",
        "runs",
        ["authority_id"],
        unique=True,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "uq_runs_one_running",
        "runs",
        ["authority_id"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("match_id", sa.String(length=12), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("said_by", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.String(length=12), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=True),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("departs", sa.Boolean(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'volunteer considers', 'child considers', 'meeting', 'child thinks it over', 'agreed', 'appointed', 'active', 'review due', 'paused', 'declined', 'withdrawn', 'ended')",
            name=op.f("ck_decisions_state"),
        ),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_decisions_authority_id")),
        sa.ForeignKeyConstraint(
            ["match_id", "authority_id"],
            ["matches.id", "matches.authority_id"],
            name=op.f("fk_decisions_match_id_authority_id"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_decisions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("match_id", "number", name=op.f("uq_decisions_match_id_number")),
    )
    op.create_index(op.f("ix_decisions_authority_id"), "decisions", ["authority_id"], unique=False)
    op.create_index(op.f("ix_decisions_match_id"), "decisions", ["match_id"], unique=False)
    op.create_table(
        "plans",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("run_id", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_by", sa.String(length=12), nullable=True),
        sa.Column("publish_reason", sa.LargeBinary(), nullable=True),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.CheckConstraint("NOT is_current OR published_by IS NOT NULL", name=op.f("ck_plans_published_by_a_person")),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_plans_authority_id")),
        sa.ForeignKeyConstraint(["published_by"], ["users.id"], name=op.f("fk_plans_published_by")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_plans_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("run_id", name=op.f("uq_plans_run_id")),
    )
    op.create_index(op.f("ix_plans_authority_id"), "plans", ["authority_id"], unique=False)
    op.create_index(
        "uq_plans_one_current",
        "plans",
        ["authority_id"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "proposals",
        sa.Column("match_id", sa.String(length=12), nullable=False),
        sa.Column("plan_id", sa.String(length=12), nullable=True),
        sa.Column("policy", sa.String(length=200), nullable=False),
        sa.Column("data_hash", sa.String(length=12), nullable=False),
        sa.Column("rank_by", sa.String(length=10), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("alternatives", sa.JSON(), nullable=False),
        sa.Column("shared", sa.JSON(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_proposals_authority_id")),
        sa.ForeignKeyConstraint(
            ["match_id", "authority_id"],
            ["matches.id", "matches.authority_id"],
            name=op.f("fk_proposals_match_id_authority_id"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_proposals_plan_id")),
        sa.PrimaryKeyConstraint("match_id", name=op.f("pk_proposals")),
    )
    op.create_index(op.f("ix_proposals_authority_id"), "proposals", ["authority_id"], unique=False)
    op.create_table(
        "shortlists",
        sa.Column("id", sa.String(length=12), nullable=False),
        sa.Column("plan_id", sa.String(length=12), nullable=False),
        sa.Column("child_id", sa.String(length=12), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("authority_id", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authorities.id"], name=op.f("fk_shortlists_authority_id")),
        sa.ForeignKeyConstraint(["child_id"], ["children.id"], name=op.f("fk_shortlists_child_id")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_shortlists_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shortlists")),
        sa.UniqueConstraint("plan_id", "child_id", name=op.f("uq_shortlists_plan_id_child_id")),
    )
    op.create_index(op.f("ix_shortlists_authority_id"), "shortlists", ["authority_id"], unique=False)
    op.create_index(op.f("ix_shortlists_child_id"), "shortlists", ["child_id"], unique=False)
    op.create_index(op.f("ix_shortlists_plan_id"), "shortlists", ["plan_id"], unique=False)

    connection, role = op.get_bind(), context.config.attributes.get("role")
    append_only(connection, "audit_events")
    apart(connection, APART)
    apart(connection, ["audit_events"], column="chain", also="kith")
    grant(connection, role, ["audit_events", "alembic_version"], "SELECT")
    grant(connection, role, ["audit_events"], "INSERT")
    grant(connection, role, [*INSTALLATION, *APART], "SELECT, INSERT, UPDATE, DELETE")
