"""Runs in their queue: asked for, held by a worker for as long as it renews its lease, ended.

The table is the queue. A change of what matching reads asks for a run in the same transaction, so that neither can be
there without the other: with its reason where the code gives one, and in any case before it is committed. A worker
looks for what is due. At most one run of an authority waits and one goes on, which two unique indexes see to. What a
run finds is written in one transaction that asks once more whether the run is still held: of a worker that was taken
for dead nothing is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import event, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from matcher.errors import KithError, NotFoundError
from matcher.instance import today
from service import audit_log
from service.crypto import KeyRing, Place
from service.database.base import new_id, utc_now
from service.database.engine import CHANGED, Database
from service.database.tables import Authority, Run

Reason = Literal[
    "volunteer approved", "volunteer suspended", "child referred", "match ended", "policy changed",
    "files taken in", "records changed", "manual", "nightly",
]  # fmt: skip
REASONS: tuple[Reason, ...] = get_args(Reason)
AT_ONCE = frozenset({"manual", "nightly"})
"""The others wait for each other, since changes come in bunches."""
SETTLE = timedelta(minutes=1)
"""Triggers no further apart than this become one run."""
LEASE = timedelta(seconds=60)
"""A worker that has not renewed its hold for so long is taken for dead."""
_REASON = "asked for a run"

LOST = "The worker that made this run stopped answering. Nothing of it was kept; the next run is not affected."
STOPPED = "The worker was stopped. A new run was asked for in place of this one."
FORGOTTEN = "Why is not kept any more: it told of somebody who was erased."
FAULT = "A fault in Kith itself ended the run. The log has its kind and place."
NO_MEMORY = "The machine had no memory left for the run. Give it more, or let nothing else run beside it."
NO_PLAN = "No plan was found. Those who may see references are told why."


def problem_of(run: Run, keys: KeyRing, *, identified: bool) -> str | None:
    """Why a run failed. Where no plan can be found, that names pairs and what is known of them."""
    problem = None if run.problem is None else keys.open(run.problem, _place(run))
    return problem if identified or problem in (None, LOST, STOPPED, FAULT, NO_MEMORY, FORGOTTEN) else NO_PLAN


def tell_problem(run: Run, keys: KeyRing, problem: str | None) -> None:
    run.problem = None if problem is None else keys.seal(problem[:500], _place(run))


def _place(run: Run) -> Place:
    return Place(Run.__tablename__, run.id, "problem")


class RunError(KithError):
    """A run that cannot be cancelled or published as it stands."""


class NotHeldError(KithError):
    """The run is no longer this worker's: it was cancelled, or the worker was taken for dead."""


@dataclass(frozen=True)
class Held:
    """A run that a worker may work at. `lease` is a secret of that worker: no other can write what it found."""

    authority: str
    run_id: str
    lease: str


# ---- asking ----------------------------------------------------------------------------------------------------------


def ask_for(session: Session, authority: str, reason: str, *, user_id: str | None = None) -> Run:
    """Asks for a run of an authority in the caller's transaction; the run that will have the caller's change in it.

    One that waits already takes the reason along. So does one of the last minute that has seen the same data.

    Args:
        session: one that writes, for that authority.
        reason: one of REASONS.
        user_id: who asked, where a person did.
    """
    if reason not in REASONS:
        raise RunError(f"“{reason}” is no reason for a run. Give one of: {', '.join(REASONS)}.")
    session.flush()  # so that the version of the data is that of the caller's change
    session.info |= {CHANGED: False, _REASON: reason}
    while True:
        if run := _waiting(session) or _the_same(session, authority):
            if reason not in run.reasons:
                run.reasons = [*run.reasons, reason]
            run.user_id = run.user_id or user_id
            return run
        _queue(session, authority, reason, user_id)  # or somebody else did at the same moment


@event.listens_for(Session, "before_commit")
def _ask_for_what_changed(session: Session) -> None:
    """No path that writes can forget to ask: what changed after it asked, or without asking, asks here."""
    session.flush()
    if session.info.get(CHANGED):
        ask_for(session, session.info["authority"], session.info.get(_REASON, "records changed"))


def _waiting(session: Session) -> Run | None:
    query = select(Run).where(Run.state == "queued").with_for_update().execution_options(populate_existing=True)
    return session.scalar(query)


def _the_same(session: Session, authority: str) -> Run | None:
    """A run of the last minute, going on or done, that read the data as they are."""
    version = select(Authority.data_version).where(Authority.id == authority).scalar_subquery()
    return session.scalar(
        select(Run)
        .where(
            Run.state.in_(("running", "done")), Run.requested_at > utc_now() - SETTLE,
            Run.data_version == version, Run.as_of == today(),
        )
        .order_by(Run.requested_at.desc())
        .limit(1)
    )  # fmt: skip


def _queue(session: Session, authority: str, reason: str, user_id: str | None) -> None:
    kind = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = {
        "id": new_id("R"), "authority_id": authority, "state": "queued", "reasons": [reason], "user_id": user_id,
        "requested_at": utc_now(), "cancel_asked": False, "progress": "",
    }  # fmt: skip
    session.execute(
        kind.insert(Run)
        .values(row)
        .on_conflict_do_nothing(index_elements=["authority_id"], index_where=text("state = 'queued'"))
    )


def ask_by_hand(session: Session, keys: KeyRing, authority: str, reason: str, *, user_id: str) -> Run:
    """A person asks for a run, which is entered in the audit log."""
    audit_log.take_turn(session)
    run = ask_for(session, authority, reason, user_id=user_id)
    audit_log.record(session, keys, audit_log.Entry(user_id, "ask for run", run.id, reason))
    return run


def cancel(session: Session, keys: KeyRing, run_id: str, *, user_id: str) -> Run:
    """A waiting run never begins; one that goes on is stopped by its worker in a moment. Raises RunError if over."""
    audit_log.take_turn(session)
    run = find(session, run_id, lock=True)
    if run.state == "queued":
        run.state, run.finished_at = "cancelled", utc_now()
    elif run.state == "running":
        run.cancel_asked = True
    else:
        raise RunError(f"This run is {run.state}, and cannot be cancelled any more.")
    audit_log.record(session, keys, audit_log.Entry(user_id, "cancel run", run.id))
    return run


def find(session: Session, run_id: str, *, lock: bool = False) -> Run:
    """Raises NotFoundError."""
    query = select(Run).where(Run.id == run_id)
    run = session.scalar(query.with_for_update() if lock else query)
    if run is None:
        raise NotFoundError("There is no such run.")
    return run


# ---- working ---------------------------------------------------------------------------------------------------------


def is_due(run: Run, now: datetime) -> bool:
    return bool(AT_ONCE & set(run.reasons)) or now - run.requested_at >= SETTLE


def take(database: Database, authority: str) -> Held | None:
    """Takes hold of the run that waits, if it is due and no other goes on."""
    with database.read(authority) as session:
        states = {run.state: run for run in session.scalars(select(Run).where(Run.state.in_(("queued", "running"))))}
    if "running" in states or "queued" not in states or not is_due(states["queued"], utc_now()):
        return None
    lease = secrets.token_hex(16)
    try:
        with database.write(authority) as session:
            run = session.scalar(select(Run).where(Run.state == "queued").with_for_update(skip_locked=True))
            if run is None:
                return None
            now = utc_now()
            run.state, run.lease, run.leased_until, run.started_at = "running", lease, now + LEASE, now
            run.as_of = today()
            # The run will read these data or later ones.
            run.data_version = session.scalar(select(Authority.data_version).where(Authority.id == authority))
            return Held(authority, run.id, lease)
    except IntegrityError:  # another worker has begun one meanwhile
        return None


def renew(database: Database, held: Held, *, progress: str | None = None) -> bool:
    """Keeps hold of a run for another LEASE; whether somebody asked to cancel it. Raises NotHeldError."""
    with database.write(held.authority) as session:
        run = still_held(session, held)
        run.leased_until = utc_now() + LEASE
        if progress is not None:
            run.progress = progress[:100]
        return run.cancel_asked


def still_held(session: Session, held: Held) -> Run:
    """The run, locked, if it goes on under this lease. Raises NotHeldError."""
    run = session.scalar(select(Run).where(Run.id == held.run_id, Run.lease == held.lease).with_for_update())
    if run is None or run.state != "running":
        raise NotHeldError("The run is not this worker's any more.")
    return run


def end(database: Database, keys: KeyRing, held: Held, state: str, problem: str | None = None) -> bool:
    """Marks a run failed or cancelled; False if it had ended already, which stays as it is."""
    with database.write(held.authority) as session:
        try:
            run = still_held(session, held)
        except NotHeldError:
            return False
        run.state, run.finished_at = state, utc_now()
        tell_problem(run, keys, problem)
        return True


def hand_back(database: Database, keys: KeyRing, held: Held) -> None:
    """Ends a run whose worker is being stopped, and asks for another of the same reasons."""
    if end(database, keys, held, "cancelled", STOPPED):
        with database.write(held.authority) as session:
            for reason in find(session, held.run_id).reasons:
                ask_for(session, held.authority, reason)


def give_up_lost(database: Database, keys: KeyRing, authority: str) -> list[str]:
    """Marks failed what a worker has left; the ids of those runs."""
    lost = (Run.state == "running", Run.leased_until < utc_now())
    with database.read(authority) as session:
        if not session.scalar(select(Run.id).where(*lost)):
            return []
    with database.write(authority) as session:
        gone = session.scalars(select(Run).where(*lost).with_for_update()).all()
        for run in gone:
            run.state, run.finished_at = "failed", utc_now()
            tell_problem(run, keys, LOST)
        return [run.id for run in gone]


def ask_nightly(database: Database, authority: str, since: datetime) -> None:
    """Asks for the run of the night, unless one was asked for since. Ages and lapsed checks change without anybody."""
    with database.read(authority) as session:
        asked: Iterable[list[str]] = session.scalars(select(Run.reasons).where(Run.requested_at >= since))
        if any("nightly" in reasons for reasons in asked):
            return
    with database.write(authority) as session:
        ask_for(session, authority, "nightly")
