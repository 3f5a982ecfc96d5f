"""An authority's policy: its versions, the next one put in force, and what a draft would make of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from matcher.errors import NotFoundError
from matcher.instance import Instance
from matcher.pipeline import match
from matcher.plan import Plan, PlanDiff
from matcher.policy import Policy
from service import audit_log, runs
from service.audit_log import Entry
from service.database import tables
from service.repository import Repository


def versions(session: Session) -> Sequence[tables.Policy]:
    """Every version, the one in force first."""
    return session.scalars(select(tables.Policy).order_by(tables.Policy.number.desc())).all()


def numbered(session: Session, number: int) -> tables.Policy:
    """One version. Raises NotFoundError."""
    row = session.scalar(select(tables.Policy).where(tables.Policy.number == number))
    if row is None:
        raise NotFoundError("There is no such policy.")
    return row


def held_in_force(rows: Repository) -> int:
    """The number of the version in force, which nobody succeeds before this transaction ends.

    Of two who save at the same moment the second waits here, and is then told of the version of the first.
    """
    rows.take_turn()
    return rows.policy()[0].number


def add_version(rows: Repository, policy: Policy, *, user_id: str, reason: str) -> tables.Policy:
    """Puts a policy in force as the next version, and asks for a run under it. Raises PolicyError."""
    row = rows.add_policy(policy, user_id=user_id, reason=reason)
    rows.session.flush()
    details = {"number": row.number, "hash": row.content_hash}
    audit_log.record(rows.session, rows.keys, Entry(user_id, "policy in force", row.id, details=details))
    runs.ask_for(rows.session, row.authority_id, "policy changed", user_id=user_id)
    return row


@dataclass(frozen=True)
class Tried:
    """One service under the policy in force and under a draft."""

    before: Plan
    after: Plan
    diff: PlanDiff


def try_out(instance: Instance, before: Plan, draft: Policy) -> Tried:
    """Plans an instance under a draft: beside its plan under the policy in force, of which ties change nothing."""
    after = match(replace(instance, policy=draft), previous=before)
    return Tried(before, after, after.diff(before))
