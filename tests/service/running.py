"""How tests ask for runs, execute them, and let time go by."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from service import plans, runs
from service.crypto import KeyRing
from service.database import tables
from service.database.engine import Database
from service.runs import Held


def ask(database: Database, authority: str, reason: str = "manual") -> str:
    with database.write(authority) as session:
        return runs.ask_for(session, authority, reason).id


def take(database: Database, authority: str) -> Held:
    held = runs.take(database, authority)
    assert held is not None
    return held


def run_once(database: Database, keys: KeyRing, authority: str) -> str:
    """Asks for a run and executes it here; its id."""
    ask(database, authority)
    held = take(database, authority)
    plans.make(database, keys, held, lambda _: None)
    return held.run_id


def state_of(database: Database, keys: KeyRing, authority: str, run_id: str) -> tuple[str, str | None]:
    with database.read(authority) as session:
        run = runs.find(session, run_id)
        return run.state, runs.problem_of(run, keys, identified=True)


def later(database: Database, authority: str, by: timedelta) -> None:
    """Moves what was asked for into the past."""
    with database.write(authority) as session:
        for run in session.scalars(select(tables.Run)):
            run.requested_at -= by


def touch(database: Database, authority: str) -> None:
    with database.write(authority) as session:
        session.execute(update(tables.Authority).values(data_version=tables.Authority.data_version + 1))
