"""The worker: a process that looks for runs that are due, and executes each in a process of its own.

What goes wrong with a run (a crash, no memory left, no end) ends that process and not the worker, which tells it and
goes on. If the worker itself is killed, its lease runs out, and the next worker tells it. `kith serve` starts one
beside it, `kith worker` runs one alone; several at once do no harm.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from matcher.errors import KithError
from matcher.instance import LONDON
from service import plans, runs
from service.crypto import KeyRing
from service.database.base import utc_now
from service.database.engine import Database
from service.database.tables import Authority, Worker
from service.database.upgrade import require_kept_apart, require_upgraded
from service.logs import configure
from service.runs import Held, NotHeldError
from service.settings import Settings

if sys.platform != "win32":
    # What a process is started by, and would be imported by the thread that does so: whoever is told to stop in the
    # middle of an import leaves its lock taken, and that thread would wait for it for ever.
    import multiprocessing.popen_spawn_posix
    import multiprocessing.resource_tracker

TICK = 1.0
"""Seconds between two looks at the queue."""
_RENEW = 10.0
_GONE_WITHIN = 2.0
_STOPS_WITHIN = 30.0
"""Seconds that a worker has to hand back its run, on a machine that may have much else to do."""
_LOG = structlog.get_logger("kith")
CONTEXT: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")


def work(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT, or until the process that started it is gone."""
    configure(settings)
    database = Database(settings.database_url.get_secret_value(), pool_size=2)
    try:
        database.check()
        require_upgraded(database)
        require_kept_apart(database)
        work = Work(settings, database)
        if sys.platform != "win32":
            CONTEXT.set_forkserver_preload(["service.plans"])
        work.until_stopped()
    finally:
        database.close()


def _apart(settings: Settings) -> None:
    """A worker with all its processes in a group of their own, which a terminal's Ctrl+C does not reach."""
    if sys.platform != "win32":
        os.setpgrp()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
    work(settings)


def _begin(settings: Settings) -> BaseProcess:
    """Starts a worker. Whoever is told to stop meanwhile is told so after it: half a start could not be ended."""
    process = multiprocessing.get_context("spawn").Process(target=_apart, args=(settings,), name="kith worker")
    if sys.platform == "win32":
        process.start()
        return process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


@contextmanager
def beside(settings: Settings) -> Iterator[None]:
    """A worker in a process of its own for as long as the block lasts; one that ends is started again."""
    ended = threading.Event()
    first = _begin(settings)  # by this thread, which may be told to stop in the middle of an import that it shares

    def keep() -> None:
        process = first
        while True:
            while process.is_alive() and not ended.wait(0.2):
                pass
            if ended.is_set():
                process.terminate()
                process.join(_STOPS_WITHIN)
            else:
                _LOG.error("worker", problem=f"ended by itself (exit {process.exitcode})")
            process.kill()
            process.join()
            _end_all_of(process.pid)
            if ended.wait(5):
                return
            process = _begin(settings)

    keeper = threading.Thread(target=keep, name="keeps the worker", daemon=True)
    try:
        keeper.start()
        yield
    finally:
        ended.set()
        if keeper.ident is not None:
            keeper.join(2 * _STOPS_WITHIN)


def _end_all_of(worker: int | None) -> None:
    """Ends what a worker that is gone began: a run that goes on would write where nobody expects it any more."""
    if worker is None or sys.platform == "win32":
        return
    until = time.monotonic() + _GONE_WITHIN
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < until:
            os.killpg(worker, signal.SIGKILL)
            time.sleep(0.05)


class Work:
    """One worker. `target` is what a run's process calls; tests give others that crash or hang."""

    def __init__(self, settings: Settings, database: Database, target: object = None) -> None:
        self.settings, self.database, self.keys = settings, database, KeyRing.read(settings.keys_file)
        self.target = target or execute
        self.worker = Worker()
        self.stopping = False
        self.heard = -_RENEW

    def until_stopped(self) -> None:
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self._stop)
        parent = multiprocessing.parent_process()
        while not self.stopping and (parent is None or parent.is_alive()):
            try:
                busy = self.once()
            except (SQLAlchemyError, KithError) as error:  # the database is away: it may come back
                _LOG.warning("worker", problem=type(error).__name__)
                busy = False
            if not busy:
                time.sleep(TICK)

        with suppress(SQLAlchemyError), self.database.write() as session:  # nobody waits for one that has gone
            session.execute(delete(Worker).where(Worker.id == self.worker.id))

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def once(self) -> bool:
        """Looks once at every authority's queue; whether a run was executed."""
        self._tell_that_i_live()
        with self.database.read() as session:
            authorities = list(session.scalars(select(Authority.id).order_by(Authority.id)))
        busy = False
        for authority in authorities:
            for lost in runs.give_up_lost(self.database, self.keys, authority):
                _LOG.warning("run", run=lost, state="failed", problem="lost")
            runs.ask_nightly(self.database, authority, last_night(self.settings.nightly_hour))
            held = None if self.stopping else runs.take(self.database, authority)
            if held is not None:
                busy = True
                self._execute(held)
        return busy

    def _execute(self, held: Held) -> None:
        begun = time.monotonic()
        process = CONTEXT.Process(target=self.target, args=(self.settings, held), name=f"kith run {held.run_id}")
        process.start()
        state, problem = self._watch(process, held, begun)
        if process.is_alive():
            process.kill()
        process.join()
        if self.stopping and state == "stopped":
            runs.hand_back(self.database, self.keys, held)
        elif state != "done":
            runs.end(self.database, self.keys, held, state, problem)
        _LOG.info("run", run=held.run_id, state=state, ms=round(1000 * (time.monotonic() - begun)))

    def _watch(self, process: BaseProcess, held: Held, begun: float) -> tuple[str, str | None]:
        """Waits for a run's process; how the run ended, as far as the worker can tell."""
        renewed = begun
        while process.is_alive():
            process.join(TICK)
            now = time.monotonic()
            if self.stopping:
                return "stopped", None
            if now - begun > 60 * self.settings.run_minutes:
                return "failed", f"The run took longer than {self.settings.run_minutes} minutes, and was stopped."
            try:
                with self.database.read(held.authority) as session:
                    cancelled = runs.find(session, held.run_id).cancel_asked
                if now - renewed >= _RENEW:
                    renewed = now
                    runs.renew(self.database, held)
                    self._tell_that_i_live()
            except NotHeldError:
                return "done" if process.exitcode == 0 else "failed", None
            if cancelled and process.is_alive():
                return "cancelled", None
        if process.exitcode == 0:
            return "done", None
        if process.exitcode == 1:
            return "failed", runs.FAULT
        return "failed", (
            f"The run was ended from outside (exit {process.exitcode}), perhaps because the machine had no memory left."
        )

    def _tell_that_i_live(self) -> None:
        if time.monotonic() - self.heard < _RENEW:
            return
        self.heard = time.monotonic()
        with self.database.write() as session:
            session.execute(delete(Worker).where(Worker.seen_at < utc_now() - timedelta(days=1)))
            row = session.get(Worker, self.worker.id)
            if row is None:
                session.add(Worker(id=self.worker.id, started_at=self.worker.started_at))
            else:
                row.seen_at = utc_now()


def last_night(hour: int) -> datetime:
    """The last moment at which the clocks of London showed a full hour."""
    now = datetime.now(LONDON)
    moment = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return moment if moment <= now else moment - timedelta(days=1)


def execute(settings: Settings, held: Held) -> None:
    """What a run's own process does. What the matcher refuses is told by the run, a crash by the worker."""
    configure(settings)
    _step_back()
    _die_with_the_worker()
    database, keys = Database(settings.database_url.get_secret_value(), pool_size=2), KeyRing.read(settings.keys_file)
    try:
        plans.make(database, keys, held, _teller(database, held))
    except NotHeldError:
        _LOG.info("run", run=held.run_id, problem="not held any more")
    except KithError as error:
        runs.end(database, keys, held, "failed", str(error))
    except MemoryError:
        runs.end(database, keys, held, "failed", runs.NO_MEMORY)
    except Exception as error:
        last = error.__traceback__
        while last and last.tb_next:
            last = last.tb_next
        at = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last else "-"
        _LOG.error("run", run=held.run_id, crash=type(error).__name__, at=at)
        sys.exit(1)
    finally:
        database.close()


def _teller(database: Database, held: Held) -> plans.Tell:
    told = -1.0

    def tell(step: str) -> None:
        """At most once a second: each is a write."""
        nonlocal told
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            runs.renew(database, held, progress=step)

    return tell


def _step_back() -> None:
    """Leaves processors to those who wait for an answer, and offers to die first where memory runs out."""
    if hasattr(os, "nice"):
        os.nice(5)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def _die_with_the_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C at a terminal is for the worker
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(2)

        threading.Thread(target=follow, daemon=True).start()
