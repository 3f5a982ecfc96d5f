"""What a run finds: the plan with its proof, what it changes, and every child's shortlist; and its publication.

`make` computes from one snapshot of the data and then writes everything in one transaction. A plan is published by a
person, and only if the independent audit passes it on the data of that moment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from matcher.audit import audit
from matcher.explain import why_nobody
from matcher.instance import today
from matcher.pipeline import plan as best_plan
from matcher.plan import Plan
from matcher.planning.effects import Effects
from matcher.planning.search import consider
from matcher.scoring import Scored
from matcher.shortlist import RankBy, shortlist, shortlists
from service import audit_log
from service.crypto import KeyRing
from service.database import tables
from service.database.base import utc_now
from service.database.engine import Database
from service.repository import Repository
from service.runs import Held, RunError, find, still_held

TOP = 5
"""How many volunteers of each shortlist are kept, besides those whom the plan proposes."""

MOST_RUNS = 20
"""Of so many runs it is read what they changed: a plan is a megabyte where thousands wait."""

MOST_BY_PLAN = 500
"""Up to so many children who wait, a run ranks every shortlist by the plan as well. Each choice costs a search, and a
region with thousands would wait for hours: there it is worked out for whoever asks."""

_ORDERS: tuple[RankBy, ...] = ("plan", "fit")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """What is kept of a run, as JSON takes it."""

    plan: Mapping[str, Any]
    before: str | None
    """The id of the plan with which it is compared: the published one, or else the last that was found."""
    diff: Mapping[str, Any] | None
    """What it changes of that plan: see `matcher.plan.PlanDiff`."""
    shortlists: Sequence[Mapping[str, Any]]
    """For each child whose shortlist is not that of the run before: `child`, and the ids of the volunteers `before` and
    `now`, best first."""


@dataclass(frozen=True)
class Published:
    """The plan that a person has published, as far as whoever works by it needs to know."""

    plan_id: str
    run_id: str
    published_at: datetime | None
    volunteer_of: Mapping[str, str]
    """The volunteer whom it proposes, by child."""
    left: Mapping[str, str]
    """Why it has nobody for each of the others who waited then, by child."""


# ---- making ----------------------------------------------------------------------------------------------------------


def make(database: Database, keys: KeyRing, held: Held, tell: Tell) -> str:
    """Executes a run that is held; the id of its plan. Raises NotHeldError, and what the matcher raises."""
    tell("Reading records")
    with database.read(held.authority) as session:
        rows = Repository(session, keys)
        run = find(session, held.run_id)
        version = session.scalar(
            select(tables.Authority.data_version).where(tables.Authority.id == held.authority)
        )  # fmt: skip
        policy_id, instance = rows.policy()[0].id, rows.instance(run.as_of or today())
        newest = last(session)
        before = current(session) or newest
        compared = Plan.from_dict(_content(rows, before).plan) if before else None
        lists_before = {} if newest is None else _first_names(rows, newest)
        outcome_before = _outcome(_content(rows, newest).plan) if newest else None
    scored = consider(instance, tell=tell)
    plan = best_plan(scored, previous=compared, tell=tell)
    lists = _shortlists(scored, plan, tell)
    tell("Keeping what was found")
    names = {child: _names(told) for child, told in lists.items()}
    found = Found(
        plan.to_dict(),
        before.id if before else None,
        plan.diff(compared).to_dict() if compared else None,
        _changed(lists_before, names),
    )
    with database.write(held.authority) as session:
        audit_log.take_turn(session)  # before the run is locked: who cancels it takes both in that order
        rows, run = Repository(session, keys), still_held(session, held)
        same = not found.shortlists and _outcome(found.plan) == outcome_before
        kept = tables.Plan(run_id=run.id, status=plan.status, unchanged=same)
        rows.seal(kept, "content", json.dumps(vars(found)))
        session.add(kept)
        session.flush()
        for child, told in lists.items():
            row = tables.Shortlist(plan_id=kept.id, child_id=child)
            rows.seal(row, "content", json.dumps(told))
            session.add(row)
        run.state, run.finished_at, run.progress = "done", utc_now(), "Done"
        run.data_version, run.data_hash, run.policy_id = version, instance.data_hash, policy_id
        details = {"status": plan.status, "matches": len(plan.matches), "reasons": run.reasons}
        audit_log.record(session, keys, audit_log.Entry("worker", "run", run.id, details=details))
        return kept.id


def _shortlists(scored: Scored, plan: Plan, tell: Tell) -> dict[str, dict[str, Any]]:
    """Of each child who waits: by fit, by the plan as far as there are so few, and why there is nobody."""
    instance, lists = scored.pairs.tables.instance, {}
    effects = Effects(scored, plan) if len(instance.waiting) <= MOST_BY_PLAN else None
    by_fit = {} if effects else {one[0].child: one for one in shortlists(scored, top=TOP, plan=plan)}
    for n, child in enumerate(instance.waiting):
        tell(f"Ranking the shortlists: {n} of {len(instance.waiting)}")
        ranked: dict[str, list[Any]] = {"fit": [one.to_dict() for one in by_fit.get(child.id, ())]}
        if effects:
            for order in _ORDERS:
                found = shortlist(instance, child.id, top=TOP, rank_by=order, plan=plan, effects=effects)
                ranked[order] = [one.to_dict() for one in found]
        nobody = None if ranked["fit"] else why_nobody(instance, child.id).reason
        stamp = {"policy": instance.policy.stamp, "data_hash": instance.data_hash, "as_of": instance.as_of.isoformat()}
        lists[child.id] = {**stamp, **ranked, "nobody_because": nobody}
    return lists


def _names(told: Mapping[str, Any]) -> list[str]:
    """The volunteers of a child's shortlist as it is kept, best first: by the plan, where it was ranked so."""
    return [one["volunteer"] for one in told.get("plan", told["fit"])]


def _changed(before: Mapping[str, list[str]], now: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    return [
        {"child": child, "before": before.get(child, []), "now": now.get(child, [])}
        for child in sorted({*before, *now})
        if before.get(child) != now.get(child)
    ]


def _outcome(plan: Mapping[str, Any]) -> tuple[object, ...]:
    """What a plan comes to: who is for whom, who is left and on what ground, and whether it is proven the best."""
    pairs = {(one["child"], one["volunteer"]) for one in plan["matches"]}
    return plan["status"], pairs, {(one["child"], one["kind"]) for one in plan["unmatched"]}


# ---- reading ---------------------------------------------------------------------------------------------------------


def newest_runs(session: Session, page: int, size: int) -> tuple[int, list[tuple[tables.Run, tables.Plan | None]]]:
    """How many runs there are, and those of one page with their plans, the newest first."""
    query = select(tables.Run, tables.Plan).outerjoin(tables.Plan, tables.Plan.run_id == tables.Run.id)
    order = query.order_by(tables.Run.requested_at.desc(), tables.Run.id)
    found = session.execute(order.offset((page - 1) * size).limit(size))
    total = session.scalar(select(func.count()).select_from(tables.Run)) or 0
    return total, [(run, plan) for run, plan in found]


def row_of(session: Session, run_id: str) -> tables.Plan | None:
    """The row of a run's plan, if it found one."""
    return session.scalar(select(tables.Plan).where(tables.Plan.run_id == run_id))


def of_run(rows: Repository, run_id: str) -> tuple[tables.Plan, Found]:
    """The plan of a run. Raises NotFoundError, or RunError where it has none."""
    run = find(rows.session, run_id)
    row = row_of(rows.session, run_id)
    if row is None:
        told = "done, and its plan is no longer kept" if run.state == "done" else f"{run.state} and has no plan"
        raise RunError(f"This run is {told}.")
    return row, _content(rows, row)


def stored_shortlist(rows: Repository, child_id: str, top: int, rank_by: str) -> dict[str, Any] | None:
    """A child's shortlist as the last run found it, if nothing that matching reads has changed since; else None."""
    newest = last(rows.session)
    if newest is None or top > TOP:
        return None
    run = find(rows.session, newest.run_id)
    version = rows.session.scalar(
        select(tables.Authority.data_version).where(tables.Authority.id == rows.session.info["authority"])
    )
    if run.data_version != version or run.as_of != today():
        return None
    row = rows.session.scalar(
        select(tables.Shortlist).where(tables.Shortlist.plan_id == newest.id, tables.Shortlist.child_id == child_id)
    )
    if row is None:
        return None
    told = json.loads(rows.open(row, "content") or "")
    if rank_by not in told:
        return None
    ranked = [one for n, one in enumerate(told[rank_by]) if n < top or child_id in one["planned_for"]]
    stamp = {name: told[name] for name in ("policy", "data_hash", "as_of")}
    effects = "exact" if all(one["effect"] for one in ranked) else "not asked for"
    return {"child": child_id, "rank_by": rank_by, "effects": effects, **stamp, "shortlist": ranked,
            "nobody_because": told["nobody_because"]}  # fmt: skip


def _content(rows: Repository, row: tables.Plan) -> Found:
    return Found(**json.loads(rows.open(row, "content") or ""))


def _first_names(rows: Repository, plan: tables.Plan) -> dict[str, list[str]]:
    kept = rows.session.scalars(select(tables.Shortlist).where(tables.Shortlist.plan_id == plan.id))
    return {row.child_id: _names(json.loads(rows.open(row, "content") or "")) for row in kept}


def current(session: Session) -> tables.Plan | None:
    """The plan that is published now."""
    return session.scalar(select(tables.Plan).where(tables.Plan.is_current))


def published(rows: Repository) -> Published | None:
    """What is published now. It is sealed, and a megabyte where thousands wait: to be kept by who asks often."""
    row = current(rows.session)
    if row is None:
        return None
    plan = _content(rows, row).plan
    return Published(
        row.id, row.run_id, row.published_at,
        {one["child"]: one["volunteer"] for one in plan["matches"]},
        {one["child"]: one["reason"] for one in plan["unmatched"]},
    )  # fmt: skip


def proposing(rows: Repository, child_id: str, volunteer_id: str) -> str | None:
    """The id of the published plan, if it proposes the volunteer for the child."""
    found = published(rows)
    return found.plan_id if found and found.volunteer_of.get(child_id) == volunteer_id else None


def last(session: Session) -> tables.Plan | None:
    """The plan that was found last, published or not."""
    return session.scalar(select(tables.Plan).order_by(tables.Plan.created_at.desc(), tables.Plan.id).limit(1))


def lists_changed_since(rows: Repository, then: datetime) -> list[dict[str, Any]]:
    """The shortlists that are not as they were then: before the first run since and after the last, and when it was.

    What one run changed and a later one changed back is not among them, nor what was found when there was no plan yet.
    """
    query = select(tables.Plan).where(tables.Plan.created_at >= then)
    made = rows.session.scalars(query.order_by(tables.Plan.created_at.desc(), tables.Plan.id).limit(MOST_RUNS)).all()
    told: dict[str, dict[str, Any]] = {}
    for plan in reversed(made):
        found = _content(rows, plan)
        for one in found.shortlists if found.before else ():
            before = told.get(one["child"], one)["before"]
            told[one["child"]] = {**one, "before": before, "at": plan.created_at}
    return [told[child] for child in sorted(told) if told[child]["before"] != told[child]["now"]]


# ---- publishing ------------------------------------------------------------------------------------------------------


def publish(database: Database, keys: KeyRing, authority: str, run_id: str, *, user_id: str, reason: str) -> None:
    """A person makes the plan of a run the authority's plan, in place of the one before.

    Raises RunError where a rule fails by now, where it is published already, or where data change at this moment.
    """
    with database.read(authority) as session:
        rows = Repository(session, keys)
        row, found = of_run(rows, run_id)
        if row.is_current:
            raise RunError("This plan is the published one already.")
        version = session.scalar(select(tables.Authority.data_version).where(tables.Authority.id == authority))
        instance = rows.instance(today())
    if broken := audit(instance, Plan.from_dict(found.plan).pairs):
        told = " ".join(str(one) for one in broken[:3])
        raise RunError(f"Things have changed since this run, and {len(broken)} rules would be broken now: {told} "
                       "Start a new run.")  # fmt: skip
    with database.write(authority) as session:
        rows = Repository(session, keys)
        if rows.take_turn() != version:
            raise RunError("Somebody changed a record at this very moment. Look again, and publish once more.")
        if before := current(session):
            before.is_current = False
            session.flush()
        row = of_run(rows, run_id)[0]
        row.is_current, row.published_at, row.published_by = True, utc_now(), user_id
        rows.seal(row, "publish_reason", reason)
        details = {"run": run_id, "before": before.id if before else None}
        audit_log.record(session, keys, audit_log.Entry(user_id, "publish plan", row.id, details=details))
