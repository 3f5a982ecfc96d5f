"""The worker: each run in a process of its own, whatever becomes of it; and a worker that is told to stop."""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from running import ask, state_of, take
from sqlalchemy import func, select

from service import plans, runs, worker
from service.crypto import KeyRing
from service.database import tables
from service.database.base import utc_now
from service.database.engine import Database
from service.runs import Held
from service.settings import Settings


def crash(_settings: Settings, _held: Held) -> None:
    os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does where memory runs out


def hang(_settings: Settings, _held: Held) -> None:
    time.sleep(600)


def greedy(settings: Settings, held: Held) -> None:
    def make(*_: object) -> None:
        bytearray(1 << 60)

    plans.make = make  # type: ignore[assignment]
    worker.execute(settings, held)


def broken(settings: Settings, held: Held) -> None:
    def make(*_: object) -> None:
        raise ValueError("WORDS-OF-A-RECORD")

    plans.make = make  # type: ignore[assignment]
    sys.stdout = log_of(settings).open("w", buffering=1)
    worker.execute(settings, held)


def log_of(settings: Settings) -> Path:
    return settings.keys_file.with_name("log-of-a-run")


def test_a_run_in_its_own_process_and_after_one_that_was_killed(
    settings: Settings, database: Database, keys: KeyRing, north: str
) -> None:
    first = ask(database, north)
    assert worker.Work(settings, database, crash).once()
    state, problem = state_of(database, keys, north, first)
    assert state == "failed"
    assert problem is not None
    assert "no memory" in problem
    second = ask(database, north)
    assert worker.Work(settings, database).once()
    assert state_of(database, keys, north, second) == ("done", None)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(tables.Worker)) == 2


def test_a_run_that_hangs_is_ended_and_the_next_one_goes_on(
    settings: Settings, database: Database, keys: KeyRing, north: str
) -> None:
    hung = ask(database, north)
    impatient = settings.model_copy(update={"run_minutes": 0})
    worker.Work(impatient, database, hang).once()
    state, problem = state_of(database, keys, north, hung)
    assert (state, problem) == ("failed", "The run took longer than 0 minutes, and was stopped.")
    second = ask(database, north)
    assert worker.Work(settings, database).once()
    assert state_of(database, keys, north, second) == ("done", None)


def test_a_run_that_finds_no_memory_says_so(settings: Settings, database: Database, keys: KeyRing, north: str) -> None:
    run_id = ask(database, north)
    worker.Work(settings, database, greedy).once()
    assert state_of(database, keys, north, run_id) == ("failed", runs.NO_MEMORY)


def test_a_fault_in_a_run_is_told_without_the_words_of_a_record(
    settings: Settings, database: Database, keys: KeyRing, north: str
) -> None:
    run_id = ask(database, north)
    worker.Work(settings, database, broken).once()
    assert state_of(database, keys, north, run_id) == ("failed", runs.FAULT)
    told = log_of(settings).read_text()
    assert '"crash": "ValueError"' in told
    assert "WORDS-OF-A-RECORD" not in told


def test_a_run_that_goes_on_is_cancelled(settings: Settings, database: Database, keys: KeyRing, north: str) -> None:
    run_id = ask(database, north)
    held = take(database, north)
    with database.write(north) as session:
        runs.cancel(session, keys, run_id, user_id="somebody")
    worker.Work(settings, database, hang)._execute(held)
    assert state_of(database, keys, north, run_id)[0] == "cancelled"


def test_a_worker_that_is_stopped_hands_its_run_back(
    settings: Settings, database: Database, keys: KeyRing, north: str
) -> None:
    run_id = ask(database, north)
    held = take(database, north)
    one = worker.Work(settings, database, hang)
    one.stopping = True
    one._execute(held)
    assert state_of(database, keys, north, run_id) == ("cancelled", runs.STOPPED)
    again = take(database, north)
    with database.read(north) as session:
        assert runs.find(session, again.run_id).reasons == ["manual"]


def test_a_worker_that_is_asked_to_stop_says_goodbye(
    settings: Settings, database: Database, keys: KeyRing, north: str
) -> None:
    run_id = ask(database, north)
    process = worker.CONTEXT.Process(target=worker.work, args=(settings,))
    process.start()
    end = time.monotonic() + 60
    while state_of(database, keys, north, run_id)[0] != "done" and time.monotonic() < end:
        time.sleep(0.1)
    process.terminate()
    process.join(20)
    assert process.exitcode == 0
    assert state_of(database, keys, north, run_id)[0] == "done"
    with database.read() as session:
        assert session.scalars(select(tables.Worker)).all() == []


def test_the_night_begins_at_its_hour() -> None:
    for hour in range(24):
        moment = worker.last_night(hour)
        assert moment.hour == hour
        assert timedelta(0) <= utc_now() - moment < timedelta(days=1, hours=1)
