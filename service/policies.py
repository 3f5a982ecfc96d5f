"""An authority's policy: its versions, the next one put in force, and what a draft would make of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS
from matcher.errors import NotFoundError
from matcher.instance import Instance
from matcher.pipeline import match
from matcher.plan import Plan, PlanDiff
from matcher.policy import Policy
from matcher.rules.base import Limit
from service import audit_log, runs
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


def no_longer_asked(before: Policy, after: Policy) -> tuple[Limit, ...]:
    """The safeguards that go: rules and limits of the whole plan that one policy asks, and the next one does not."""
    return tuple(
        entry
        for entry in (*PAIR_RULES, *PLAN_CONSTRAINTS)
        if before.on(path := f"{entry.section}.{entry.id}") and not after.on(path)
    )


def add_version(rows: Repository, policy: Policy, *, user_id: str, reason: str) -> tables.Policy:
    """Puts a policy in force as the next version, and asks for a run under it. Raises PolicyError.

    Rules that are not asked any more are named in the audit log.
    """
    gone = [entry.id for entry in no_longer_asked(rows.policy()[1], policy)]
    row = rows.add_policy(policy, user_id=user_id, reason=reason)
    rows.session.flush()
    details = {"number": row.number, "hash": row.content_hash, **({"no longer asked": gone} if gone else {})}
    entry = audit_log.Entry(user_id, "policy in force", row.id, details=details)
    audit_log.record(rows.session, rows.keys, entry)
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
