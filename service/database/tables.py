"""Every table. What must never happen at the same time twice is a constraint here, not a check in the code.

The constraints of `matches`, by which races are won by exactly one, on SQLite as on PostgreSQL:

- one live proposal or match a child: a unique index over the live rows;
- capacity: each live row takes one place of its volunteer, numbered from 0; a number is unique among the volunteer's
  live rows and less than `volunteers.capacity`, of which the row holds a copy that a foreign key keeps true;
- siblings never share a volunteer: family and volunteer are unique among rows that are live or were appointed; the
  family is a copy that a foreign key keeps true when a new link is found;
- a child's no: `child_objects` is such a copy too, and no live row may hold it as true.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from matcher.records import ExceptionKind, Party, Status
from service.database.base import ID_LENGTH, Apart, Base, Sealed, UtcDateTime, id_column, utc_now
from service.permissions import Role
from service.workflow import LIVE, State

RUN_STATES = ("queued", "running", "done", "failed", "cancelled")


def _quoted(words: Any) -> str:
    return ", ".join("'" + str(word).replace("'", "''") + "'" for word in words)


def one_of(column: str, words: Any) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({_quoted(words)})", column)


IS_LIVE = f"state IN ({_quoted(LIVE)})"
IS_OR_WAS_LIVE = f"state IN ({_quoted((*LIVE, State.ENDED))}) AND NOT irregular"


def _only_where(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, unique=True, sqlite_where=text(where), postgresql_where=text(where))


class Versioned:
    """A row that two people may change at once: who comes second is told so, and loses nothing typed."""

    version: Mapped[int] = mapped_column(Integer, default=1)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)


# ---- the installation: not the property of one authority -------------------------------------------------------------


class Authority(Base):
    """A service that keeps its own children and volunteers, such as one council or several that work together."""

    __tablename__ = "authorities"
    id: Mapped[str] = id_column("A")
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    data_version: Mapped[int] = mapped_column(Integer, default=1)
    """Goes up with every change of what matching reads."""


class User(Versioned, Base):
    """A person who logs in, under one authority."""

    __tablename__ = "users"
    id: Mapped[str] = id_column("U")
    authority_id: Mapped[str] = mapped_column(ForeignKey("authorities.id"), index=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """In small letters; the login."""
    name: Mapped[bytes] = mapped_column(Sealed)
    role: Mapped[str] = mapped_column(String(20))
    password: Mapped[str | None] = mapped_column(String(200))
    """An argon2 hash; none where the person logs in by the council's identity provider, or has yet to choose one."""
    subject: Mapped[str | None] = mapped_column(String(64))
    """The hash of who the person is to the council's identity provider, once they have logged in by it."""
    failed_logins: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    invitation: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The hash of a link, good once, by which the person chooses a password."""
    invited_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    authority: Mapped[Authority] = relationship()
    __table_args__ = (one_of("role", Role), Index("uq_users_subject", "subject", unique=True))
    __mapper_args__ = {"version_id_col": Versioned.version}


class LoginSession(Base):
    """A login. Only the hash of its cookie is here: who reads the table cannot use it."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    user: Mapped[User] = relationship()


class ApiToken(Base):
    """A key by which a program acts for its user, within its scopes and until it expires."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The hash of the token."""
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    user: Mapped[User] = relationship()


class AuditEvent(Base):
    """One entry of the audit log. Append-only: the database refuses to change or delete it."""

    __tablename__ = "audit_events"
    chain: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    """The authority's id, or "kith" for what concerns the whole installation."""
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(40))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(40), index=True)
    reason: Mapped[str] = mapped_column(String(60))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Ids, names of fields, counts and codes: never what a field says."""
    mac: Mapped[str] = mapped_column(String(64))


class Worker(Base):
    """A process that executes runs, and when it was last heard of."""

    __tablename__ = "workers"
    id: Mapped[str] = id_column("X")
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


# ---- the two sides ---------------------------------------------------------------------------------------------------


class Family(Apart, Base):
    """Siblings share one; every child has one. `known` is false until somebody recorded who the siblings are."""

    __tablename__ = "families"
    id: Mapped[str] = id_column("F")
    known: Mapped[bool] = mapped_column(Boolean, default=False)
    references: Mapped[list[str]] = mapped_column(JSON, default=list)
    """How the council's files call it, in small letters, so that a later import finds the siblings."""


class Organisation(Apart, Base):
    """A provider that accommodates children, by the name under which independence is checked."""

    __tablename__ = "organisations"
    id: Mapped[str] = id_column("O")
    name: Mapped[str] = mapped_column(String(200))
    former: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    """Names by which it went before, as they were written: to matching they are one with the name of now."""
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    __table_args__ = (UniqueConstraint("authority_id", "name"),)
    __mapper_args__ = {"version_id_col": version}


class Child(Apart, Versioned, Base):
    __tablename__ = "children"
    id: Mapped[str] = id_column("C")
    reference: Mapped[str] = mapped_column(String(80))
    """The council's own, never a name."""
    family_id: Mapped[str] = mapped_column(ForeignKey("families.id"), index=True)
    objects: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether the child said no to any visitor."""
    referral: Mapped[bool] = mapped_column(Boolean, default=True)
    """False for a child who is only named by a match, a refusal or a volunteer."""
    referred_on: Mapped[date | None] = mapped_column(index=True)
    coordinator_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    """A keyed hash of the name among the facts, by which lists are filtered."""
    facts: Mapped[bytes] = mapped_column(Sealed)
    """What matching reads: the matcher's record as JSON."""
    person: Mapped[bytes | None] = mapped_column(Sealed)
    """Name, address, contacts and notes, which matching never opens."""
    found: Mapped[bytes | None] = mapped_column(Sealed)
    """What was said of safeguarding issues, and what managers found of them, as JSON: for managers alone."""
    once: Mapped[str | None] = mapped_column(String(64), index=True)
    """Of somebody who was erased: a keyed hash of the reference, by which they are the same if they come back."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    __table_args__ = (
        UniqueConstraint("authority_id", "reference"),
        UniqueConstraint("id", "authority_id", "family_id", "objects", name="uq_children_copied"),
    )
    __mapper_args__ = {"version_id_col": Versioned.version}


class Volunteer(Apart, Versioned, Base):
    __tablename__ = "volunteers"
    id: Mapped[str] = id_column("V")
    reference: Mapped[str] = mapped_column(String(80))
    status: Mapped[str | None] = mapped_column(String(20), index=True)
    capacity: Mapped[int] = mapped_column(Integer, default=1)
    """How many children at once: as the policy says, or more by a recorded exception."""
    facts: Mapped[bytes] = mapped_column(Sealed)
    person: Mapped[bytes | None] = mapped_column(Sealed)
    found: Mapped[bytes | None] = mapped_column(Sealed)
    """What was said of concerns, and what managers found of them, as JSON: for managers alone."""
    once: Mapped[str | None] = mapped_column(String(64), index=True)
    """Of somebody who was erased: a keyed hash of the reference, by which they are the same if they come back."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    __table_args__ = (
        UniqueConstraint("authority_id", "reference"),
        UniqueConstraint("id", "authority_id", "capacity", name="uq_volunteers_copied"),
        one_of("status", Status),
        CheckConstraint("capacity >= 0", "capacity"),
    )
    __mapper_args__ = {"version_id_col": Versioned.version}


# ---- what is between them --------------------------------------------------------------------------------------------


class Match(Apart, Versioned, Base):
    """A child and a volunteer, from the proposal to the ending."""

    __tablename__ = "matches"
    id: Mapped[str] = id_column("M")
    child_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    family_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    child_objects: Mapped[bool] = mapped_column(Boolean, default=False)
    volunteer_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    capacity: Mapped[int] = mapped_column(Integer)
    place: Mapped[int | None] = mapped_column(Integer)
    """Which of the volunteer's places the row takes, from 0; none once it is over."""
    state: Mapped[str] = mapped_column(String(30))
    since: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_on: Mapped[date | None]
    ended_on: Mapped[date | None]
    over_by: Mapped[str | None] = mapped_column(String(20))
    """Who said no or ended it, and `reason` is the code they gave."""
    reason: Mapped[str | None] = mapped_column(String(60))
    coordinator: Mapped[bytes | None] = mapped_column(Sealed)
    coordinator_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    next_review_on: Mapped[date | None] = mapped_column(index=True)
    irregular: Mapped[bool] = mapped_column(Boolean, default=False)
    """Known to break the rule for siblings, by its history or by a link found later: it stands outside the index."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    __table_args__ = (
        ForeignKeyConstraint(
            ["child_id", "authority_id", "family_id", "child_objects"],
            ["children.id", "children.authority_id", "children.family_id", "children.objects"],
            name="fk_matches_child",
            onupdate="CASCADE",
        ),
        ForeignKeyConstraint(
            ["volunteer_id", "authority_id", "capacity"],
            ["volunteers.id", "volunteers.authority_id", "volunteers.capacity"],
            name="fk_matches_volunteer",
            onupdate="CASCADE",
        ),
        one_of("state", State),
        one_of("over_by", Party),
        CheckConstraint(f"({IS_LIVE}) = (place IS NOT NULL)", "live_takes_a_place"),
        CheckConstraint("place >= 0 AND place < capacity", "capacity"),
        CheckConstraint(f"NOT (child_objects AND {IS_LIVE})", "child_objects"),
        _only_where("uq_matches_one_live_a_child", "child_id", where=IS_LIVE),
        _only_where("uq_matches_place", "volunteer_id", "place", where=IS_LIVE),
        _only_where("uq_matches_siblings_apart", "volunteer_id", "family_id", where=IS_OR_WAS_LIVE),
        UniqueConstraint("id", "authority_id", name="uq_matches_copied"),
    )
    __mapper_args__ = {"version_id_col": Versioned.version}


def _of_match() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["match_id", "authority_id"], ["matches.id", "matches.authority_id"])


class Proposal(Apart, Base):
    """How a match came to be proposed in Kith: what the person saw who chose it. Imported matches have none."""

    __tablename__ = "proposals"
    match_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    plan_id: Mapped[str | None] = mapped_column(ForeignKey("plans.id"))
    """The published plan, where it had proposed them too, for as long as it is kept."""
    policy: Mapped[str] = mapped_column(String(200))
    data_hash: Mapped[str] = mapped_column(String(12))
    rank_by: Mapped[str] = mapped_column(String(10))
    rank: Mapped[int] = mapped_column(Integer)
    alternatives: Mapped[list[str]] = mapped_column(JSON)
    """Ids of the volunteers who were on the shortlist, in their order."""
    shared: Mapped[dict[str, list[str]]] = mapped_column(JSON, default=dict)
    """Names of the fields that the child and the volunteer are shown of each other."""
    __table_args__ = (_of_match(),)


class Decision(Apart, Base):
    """One step of a match: who decided it, on whose word, and why. Never changed."""

    __tablename__ = "decisions"
    id: Mapped[str] = id_column("D")
    match_id: Mapped[str] = mapped_column(String(ID_LENGTH), index=True)
    number: Mapped[int] = mapped_column(Integer)
    step: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(30))
    said_by: Mapped[str] = mapped_column(String(20))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(String(60))
    note: Mapped[bytes | None] = mapped_column(Sealed)
    departs: Mapped[bool] = mapped_column(Boolean, default=False)
    """Whether it departs from the first rank."""
    scores: Mapped[bytes | None] = mapped_column(Sealed)
    """Of a proposal: JSON of what each score said then of every volunteer shown, which `decisions` exports."""
    before: Mapped[dict[str, str | None] | None] = mapped_column(JSON(none_as_null=True))
    """Of a step: how the match stood before it, by column, as it stands again if the step is taken back."""
    takes_back: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    """Of the entry that a step was recorded by mistake: the id of that step's decision, which no longer counts."""
    __table_args__ = (
        _of_match(), UniqueConstraint("match_id", "number"), one_of("state", State),
        Index("uq_decisions_takes_back", "takes_back", unique=True),
    )  # fmt: skip


class Declined(Apart, Base):
    """A pair that somebody said no to: it is not proposed again."""

    __tablename__ = "declined"
    id: Mapped[str] = id_column("N")
    child_id: Mapped[str] = mapped_column(ForeignKey("children.id"), index=True)
    volunteer_id: Mapped[str] = mapped_column(ForeignKey("volunteers.id"), index=True)
    said_by: Mapped[str | None] = mapped_column(String(20))
    declined_on: Mapped[date | None]
    reason: Mapped[bytes | None] = mapped_column(Sealed)
    match_id: Mapped[str | None] = mapped_column(String(ID_LENGTH), index=True)
    """The match of which it was recorded in Kith; a restore may keep the no of one that it has not."""


class TakenApart(Apart, Base):
    """Two children whom a manager took apart: they are no siblings, and no file makes them so unseen.

    It is gone once they are linked again, and outlives what is erased of either.
    """

    __tablename__ = "taken_apart"
    id: Mapped[str] = id_column("T")
    child_id: Mapped[str] = mapped_column(ForeignKey("children.id"), index=True)
    """Who was taken out of the family."""
    other_id: Mapped[str] = mapped_column(ForeignKey("children.id"), index=True)
    """Who was in it."""
    reason: Mapped[str] = mapped_column(String(40))
    """One of `families.UNLINK_REASONS`."""
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    __table_args__ = (UniqueConstraint("child_id", "other_id"),)


class RecordedException(Apart, Base):
    """What was allowed in a single case: by whom, when and why. One that was withdrawn stays for the record alone."""

    __tablename__ = "exceptions"
    id: Mapped[str] = id_column("E")
    kind: Mapped[str] = mapped_column(String(30))
    volunteer_id: Mapped[str] = mapped_column(ForeignKey("volunteers.id"), index=True)
    child_id: Mapped[str | None] = mapped_column(ForeignKey("children.id"))
    value: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[bytes] = mapped_column(Sealed)
    approved_by: Mapped[bytes] = mapped_column(Sealed)
    approved_on: Mapped[date]
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    """Who approved it in Kith; none where it was imported."""
    withdrawn_on: Mapped[date | None]
    withdrawn_by: Mapped[bytes | None] = mapped_column(Sealed)
    withdrawn_reason: Mapped[bytes | None] = mapped_column(Sealed)
    version: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    __table_args__ = (one_of("kind", ExceptionKind),)
    __mapper_args__ = {"version_id_col": version}


class Budget(Apart, Base):
    """What a responsible authority may spend this year on matches outside its county, in pence."""

    __tablename__ = "budgets"
    id: Mapped[str] = id_column("B")
    code: Mapped[str] = mapped_column(String(9))
    budget_pence: Mapped[int | None] = mapped_column(Integer)
    spent_pence: Mapped[int] = mapped_column(Integer)
    __table_args__ = (UniqueConstraint("authority_id", "code"),)


class Policy(Apart, Base):
    """One version of the authority's policy, whole. Never changed, only succeeded."""

    __tablename__ = "policies"
    id: Mapped[str] = id_column("P")
    number: Mapped[int] = mapped_column(Integer)
    content: Mapped[str] = mapped_column(Text)
    """JSON of the matcher's Policy, with what it inherits filled in."""
    content_hash: Mapped[str] = mapped_column(String(12))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    reason: Mapped[bytes | None] = mapped_column(Sealed)
    __table_args__ = (UniqueConstraint("authority_id", "number"),)


# ---- what Kith does with them ----------------------------------------------------------------------------------------


class ImportBatch(Apart, Base):
    """One import of files: who, when, and how many rows of each sheet."""

    __tablename__ = "import_batches"
    id: Mapped[str] = id_column("I")
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    rows: Mapped[dict[str, int]] = mapped_column(JSON)
    """How many were new, and how many changed."""
    given: Mapped[dict[str, int]] = mapped_column(JSON, default=dict, server_default="{}")
    """How many rows each sheet had: all of them were taken in."""
    reason: Mapped[str] = mapped_column(String(60), default="", server_default="")
    note: Mapped[bytes | None] = mapped_column(Sealed)


class Upload(Apart, Base):
    """Files that somebody looks at before they are taken in: sealed, and gone after a day at most."""

    __tablename__ = "uploads"
    id: Mapped[str] = id_column("Y")
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    content: Mapped[bytes] = mapped_column(Sealed, deferred=True)
    """The files by name: megabytes, and read where somebody looks at them alone."""
    layouts: Mapped[bytes] = mapped_column(Sealed)
    """Which sheet each is, and how its headings and words are read."""


class SavedMapping(Apart, Base):
    """How one sheet's headings and words are read in files of somebody else's making, as a person confirmed it."""

    __tablename__ = "mappings"
    id: Mapped[str] = id_column("K")
    sheet: Mapped[str] = mapped_column(String(20))
    content: Mapped[bytes] = mapped_column(Sealed)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    __table_args__ = (UniqueConstraint("authority_id", "sheet"),)


class YearWords(Apart, Versioned, Base):
    """What a manager wrote into the report of one year, by section."""

    __tablename__ = "year_words"
    id: Mapped[str] = id_column("G")
    year: Mapped[int] = mapped_column(Integer)
    """In which it begins, on 1 April."""
    content: Mapped[bytes] = mapped_column(Sealed)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    """Who wrote last."""
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    __table_args__ = (UniqueConstraint("authority_id", "year"),)
    __mapper_args__ = {"version_id_col": Versioned.version}


class WhomToRing(Apart, Versioned, Base):
    """Whom to ring, as letters say it: one row an authority."""

    __tablename__ = "whom_to_ring"
    id: Mapped[str] = id_column("H")
    told: Mapped[bytes | None] = mapped_column(Sealed)
    """JSON, by the names of `whom_to_ring.PARTS`; what is not known has no entry."""
    __table_args__ = (UniqueConstraint("authority_id"),)
    __mapper_args__ = {"version_id_col": Versioned.version}


class Run(Apart, Base):
    """One execution of the pipeline. A worker holds it by a lease; what nobody holds any more is failed and told."""

    __tablename__ = "runs"
    id: Mapped[str] = id_column("R")
    state: Mapped[str] = mapped_column(String(10), default="queued")
    reasons: Mapped[list[str]] = mapped_column(JSON)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    lease: Mapped[str | None] = mapped_column(String(64))
    """The worker that holds the run, and `leased_until` when it is taken for dead."""
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_asked: Mapped[bool] = mapped_column(Boolean, default=False)
    progress: Mapped[str] = mapped_column(String(100), default="")
    problem: Mapped[bytes | None] = mapped_column(Sealed)
    as_of: Mapped[date | None]
    policy_id: Mapped[str | None] = mapped_column(ForeignKey("policies.id"))
    data_hash: Mapped[str | None] = mapped_column(String(12))
    data_version: Mapped[int | None] = mapped_column(Integer)
    """The authority's `data_version` that the run read: as long as it stays, so does what the run found that day."""
    __table_args__ = (
        one_of("state", RUN_STATES),
        _only_where("uq_runs_one_queued", "authority_id", where="state = 'queued'"),
        _only_where("uq_runs_one_running", "authority_id", where="state = 'running'"),
    )


class Plan(Apart, Base):
    """What a run found. It becomes the authority's plan when a person publishes it."""

    __tablename__ = "plans"
    id: Mapped[str] = id_column("L")
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), unique=True)
    status: Mapped[str] = mapped_column(String(10))
    content: Mapped[bytes] = mapped_column(Sealed, deferred=True)
    """A megabyte where thousands wait: read by whoever opens it, not with every list of runs."""
    unchanged: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """Whether the run found everything as the run before it had: known as it is made, whoever is erased afterwards."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    published_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    publish_reason: Mapped[bytes | None] = mapped_column(Sealed)
    is_current: Mapped[bool] = mapped_column(Boolean, default=False)
    __table_args__ = (
        _only_where("uq_plans_one_current", "authority_id", where="is_current"),
        CheckConstraint("NOT is_current OR published_by IS NOT NULL", "published_by_a_person"),
    )


class Shortlist(Apart, Base):
    """A child's ranked volunteers as a run found them."""

    __tablename__ = "shortlists"
    id: Mapped[str] = id_column("S")
    plan_id: Mapped[str] = mapped_column(ForeignKey("plans.id"), index=True)
    child_id: Mapped[str] = mapped_column(ForeignKey("children.id"), index=True)
    content: Mapped[bytes] = mapped_column(Sealed)
    __table_args__ = (UniqueConstraint("plan_id", "child_id"),)


class Served(Apart, Base):
    """A shortlist as one person was shown it, so that what they chose from need not be believed."""

    __tablename__ = "served"
    id: Mapped[str] = id_column("W")
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    child_id: Mapped[str] = mapped_column(ForeignKey("children.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    rank_by: Mapped[str] = mapped_column(String(10))
    policy: Mapped[str] = mapped_column(String(200))
    data_hash: Mapped[str] = mapped_column(String(12))
    ranks: Mapped[dict[str, int]] = mapped_column(JSON)
    """The rank of each volunteer who was on it."""


APART: tuple[type[Apart], ...] = tuple(
    mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Apart)
)
"""The tables of which every row belongs to one authority."""
