"""Processes killed at random moments: nothing that was acknowledged is lost, and nothing is there by half.

A few here; `make kills` takes 200 of each on both databases.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx2 as httpx
from conftest import Service
from served import Browser, serving
from sqlalchemy import func, select

from matcher.records import Party
from service import audit_log, plans, runs, worker
from service.crypto import KeyRing
from service.database import tables
from service.database.base import utc_now
from service.database.engine import Database
from service.installation import change_user
from service.permissions import Role
from service.proposals import Chosen, propose, take_step
from service.repository import Repository
from service.settings import Settings
from service.worker import CONTEXT, work

KILLS = int(os.environ.get("KITH_KILLS", "2"))
PATIENCE = 600
"""Seconds: of a machine that is busy, not of what is tested."""


def test_no_run_is_lost_and_none_is_kept_by_half(service: Service) -> None:
    chance, asked = random.Random(5), []
    begun = time.monotonic()
    with service.database.write(service.north) as session:
        asked.append(runs.ask_for(session, service.north, "manual").id)
    assert worker.Work(service.settings, service.database).once()  # one that nobody kills
    takes = time.monotonic() - begun
    for _ in range(KILLS):
        with service.database.write(service.north) as session:
            session.get_one(tables.Authority, service.north).data_version += 1  # something changed
            asked.append(runs.ask_for(session, service.north, "manual").id)
        process = CONTEXT.Process(target=work, args=(service.settings,))
        process.start()
        wait_until(lambda: state_of(service, asked[-1]) != "queued")
        time.sleep(chance.uniform(0, takes))
        process.kill()
        process.join()
        look(service, asked)
        expire(service)
    with service.database.write(service.north) as session:
        session.get_one(tables.Authority, service.north).data_version += 1
        last = runs.ask_for(session, service.north, "manual").id
    assert worker.Work(service.settings, service.database).once()  # and the next one goes on
    assert state_of(service, last) == "done"


def look(service: Service, asked: list[str]) -> None:
    """Every run that was asked for is there, and has its plan with every shortlist if it is done, or nothing."""
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        states = {run.id: run.state for run in session.scalars(select(tables.Run))}
        counted = select(tables.Plan.run_id, func.count()).join(tables.Shortlist).group_by(tables.Plan.run_id)
        lists = dict(session.execute(counted).all())
        kept = set(session.scalars(select(tables.Plan.run_id)))
        assert set(asked) <= set(states)
        assert kept == set(lists) == {run for run, state in states.items() if state == "done"}
        for run in kept:
            assert lists[run] == plans.of_run(rows, run)[1].plan["children"]
        assert audit_log.verify(session, service.keys).problem is None


def expire(service: Service) -> None:
    """As if a minute went by."""
    with service.database.write(service.north) as session:
        for run in session.scalars(select(tables.Run).where(tables.Run.state == "running")):
            run.leased_until = utc_now()


def state_of(service: Service, run: str) -> str:
    with service.database.read(service.north) as session:
        return runs.find(session, run).state


def wait_until(done: object) -> None:
    end = time.monotonic() + PATIENCE
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def test_no_decision_is_lost_and_none_is_there_by_half(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    told = killed_at_random(7, decide_on_and_on, *words_of(service, Role.COORDINATOR), child, volunteer)
    with service.database.read(service.north) as session:
        decided = {(one.match_id, one.number): one for one in session.scalars(select(tables.Decision))}
        states = {one.id: one.state for one in session.scalars(select(tables.Match))}
        assert set(told) <= set(decided)
        last = {match: decided[match, number].state for match, number in sorted(decided)}
        assert {match: states[match] for match in last} == last
        log = select(func.count()).where(tables.AuditEvent.action.startswith("decision:"))
        assert session.scalar(log) == len(decided)
        assert audit_log.verify(session, service.keys).problem is None


def test_no_plan_is_published_by_half(service: Service) -> None:
    found = []
    for _ in range(2):  # two plans that take each other's place
        with service.database.write(service.north) as session:
            session.get_one(tables.Authority, service.north).data_version += 1
            found.append(runs.ask_for(session, service.north, "manual").id)
        assert worker.Work(service.settings, service.database).once()
    told = killed_at_random(11, publish_on_and_on, *words_of(service, Role.MANAGER), found)
    with service.database.read(service.north) as session:
        entry = tables.AuditEvent
        logged = session.scalars(select(entry).where(entry.action == "publish plan").order_by(entry.number)).all()
        assert told
        assert len(told) <= len(logged)
        current = session.scalars(select(tables.Plan).where(tables.Plan.is_current)).one()
        assert current.id == logged[-1].subject
        assert [one.details["before"] for one in logged] == [None, *(one.subject for one in logged[:-1])]
        assert current.published_by is not None
        assert current.publish_reason is not None
        assert audit_log.verify(session, service.keys).problem is None


def test_what_a_killed_service_answered_is_there(service: Service, keys: KeyRing, tmp_path: Path) -> None:
    """Over HTTP: what somebody read as done on their screen."""
    chance, told = random.Random(13), []
    email, password = f"{Role.COORDINATOR}@north.invalid", "a long password for a test"
    change_user(service.database, keys, email, password=password)
    child, volunteer = service.eligible_pair()
    for _ in range(max(1, KILLS // 20)):
        with serving(service.settings, tmp_path / "log") as served, ThreadPoolExecutor(1) as pool:
            desk = Browser(served.address, email, password)
            first = threading.Event()
            asking = pool.submit(ask_on_and_on, desk, child, volunteer, told, first)
            assert first.wait(PATIENCE)
            time.sleep(chance.uniform(0, 1))
            served.process.kill()
            asking.result(PATIENCE)
            desk.http.close()
    with service.database.read(service.north) as session:
        decided = {(one.match_id, one.step) for one in session.scalars(select(tables.Decision))}
        assert set(told) <= decided
        assert audit_log.verify(session, service.keys).problem is None


def ask_on_and_on(
    desk: Browser, child: str, volunteer: str, told: list[tuple[str, str]], first: threading.Event
) -> None:
    """Proposes and withdraws until nobody answers any more; each is told once it is answered."""
    with suppress(httpx.TransportError):
        while True:
            live = [one["id"] for one in desk.get("/matches", child=child, live=True)["matches"]]
            if live:
                desk.step(live[0], "withdraw", reason="entered by mistake")
                told.append((live[0], "withdraw"))
            else:
                served = desk.get(f"/children/{child}/shortlist", top=50, rank_by="fit")["served"]
                body = {"served": served, "volunteer": volunteer, "reason": "other"}
                told.append((desk.post("/proposals", body)["id"], "propose"))
            first.set()


def words_of(service: Service, role: Role) -> tuple[Settings, str, str]:
    return service.settings, service.north, service.users["north", role]


def killed_at_random(seed: int, target: Callable[..., None], *words: object) -> list[Any]:
    """What processes acknowledged, each of which was killed at a random moment after it had done so once."""
    chance, told = random.Random(seed), []
    for _ in range(KILLS):
        ours, theirs = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(target=target, args=(*words, theirs))
        process.start()
        theirs.close()
        assert ours.poll(PATIENCE)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.join()
        try:
            while True:
                told.append(ours.recv())
        except EOFError:
            pass
    return told


def publish_on_and_on(settings: Settings, authority: str, user: str, found: list[str], told: Connection) -> None:
    """Publishes whichever of two plans is not the published one; each time is told once it is acknowledged."""
    database, keys = Database(settings.database_url.get_secret_value()), KeyRing.read(settings.keys_file)
    while True:
        with database.read(authority) as session:
            now = plans.current(session)
            run = next(one for one in found if now is None or one != now.run_id)
        plans.publish(database, keys, authority, run, user_id=user, reason="for a test")
        told.send(run)


def decide_on_and_on(
    settings: Settings, authority: str, user: str, child: str, volunteer: str, told: Connection
) -> None:
    """Proposes and withdraws; each decision is told once it is acknowledged."""
    database, keys = Database(settings.database_url.get_secret_value()), KeyRing.read(settings.keys_file)
    while True:
        with database.write(authority) as session:
            live = session.scalar(
                select(tables.Match).where(tables.Match.child_id == child, tables.Match.place.is_not(None))
            )
            rows = Repository(session, keys)
            if live is None:
                chosen = Chosen("fit", 1, (volunteer,))
                match, number = propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen), 1
            else:
                match = take_step(
                    rows, live.id, "withdraw", by=Party.AUTHORITY, user_id=user, reason="entered by mistake"
                )
                number = 2
        told.send((match.id, number))
