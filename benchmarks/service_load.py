"""Coordinators who read shortlists while a run is under way: how long an answer takes.

    python benchmarks/service_load.py [--children 120] [--volunteers 60] [--coordinators 50] [--think 5] [--rounds 3]
                                      [--changed]

Starts `kith serve` with its worker on a made-up county in a folder of its own, on SQLite or where KITH_DATABASE_URL
(with KITH_OWNER_URL) says, lets one run find its plan, and asks for another, in several rounds. As long as
a run goes on, each coordinator opens a shortlist, reads it for `think` seconds on average, and opens the next. With
--changed somebody has saved a record before each, so that no shortlist of the run before may be shown. An error is no
answer: it ends all without a figure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import numpy as np
from sqlalchemy import select

from matcher.instance import today
from matcher.sample import write_sample
from service import auth
from service.database.engine import Database
from service.database.tables import Authority, Child, User
from service.installation import add_authority, add_user, import_folder, opened, set_up
from service.permissions import Role
from service.settings import load_settings

PORT = 8089
BASE = f"http://127.0.0.1:{PORT}"


def prepare(folder: Path, children: int, volunteers: int, coordinators: int) -> tuple[str, list[str], list[str]]:
    """An authority with a county and coordinators who are logged in: its id, their cookies, the children's ids."""
    settings = load_settings()
    set_up(settings)
    write_sample(folder / "county", children, volunteers, 689, as_of=today())
    with opened(settings) as (database, keys):
        authority = add_authority(database, keys, f"Load {os.getpid()}")
        import_folder(database, keys, authority, folder / "county")
        cookies = []
        for n in range(coordinators):
            email = f"c{n}-{os.getpid()}@load.invalid"
            add_user(database, keys, authority, email, f"Coordinator {n}", Role.COORDINATOR)
            with database.write() as session:
                user = session.scalars(select(User).where(User.email == email)).one()
                cookies.append(auth.begin(session, settings, user))
        with database.read(authority) as session:
            ids = list(session.scalars(select(Child.id).where(Child.referral).order_by(Child.reference)))
    return authority, cookies, ids


@dataclass
class Answers:
    """What 50 coordinators were told, over however many runs."""

    seconds: list[float] = field(default_factory=list)
    effects: Counter[str] = field(default_factory=Counter)
    """What was known in how many of them."""
    wrong: list[str] = field(default_factory=list)
    """Errors, which are no answers, however quick."""
    under_way: float = 0.0
    """How many seconds the runs went on."""


async def measure(
    authority: str, cookies: list[str], children: list[str], think: float, rounds: int, changed: bool
) -> Answers:
    async with httpx2.AsyncClient(base_url=BASE, timeout=120) as client:
        await until(lambda: ready(client))
        cookie = {"Cookie": f"kith_session={cookies[0]}"}
        token = (await client.get("/api/v1/session", headers=cookie)).json()["csrf"]
        staff = {**cookie, "X-CSRF-Token": token}
        asked, answers = time.monotonic(), Answers()
        first = (await client.post("/api/v1/runs", json={}, headers=staff)).json()["id"]
        await until(lambda: is_in(client, staff, first, "done", "failed"))
        print(f"the first run took {time.monotonic() - asked:.0f} s", flush=True)
        for number in range(rounds):
            if changed:
                database = Database(load_settings().database_url.get_secret_value())
                with database.write(authority) as session:
                    session.get_one(Authority, authority).data_version += 1
                database.close()
            else:
                await asyncio.sleep(max(0.0, 61 - (time.monotonic() - asked)))  # within a minute it would be the same
            asked = time.monotonic()
            run = (await client.post("/api/v1/runs", json={}, headers=staff)).json()["id"]
            await until(lambda id=run: is_in(client, staff, id, "running"))
            await read_beside(client, run, staff, cookies, children, think, number, answers)
    if answers.wrong:
        every = len(answers.wrong) + len(answers.seconds)
        raise SystemExit(f"{len(answers.wrong)} of {every} were no answers, the first: {answers.wrong[0]}")
    return answers


async def read_beside(
    client: httpx2.AsyncClient, run: str, staff: dict[str, str], cookies: list[str], children: list[str],
    think: float, number: int, answers: Answers,
) -> None:  # fmt: skip
    """All coordinators open shortlists until this run is over."""
    begun, over = time.monotonic(), asyncio.Event()

    async def coordinate(n: int) -> None:
        chance = random.Random(1000 * number + n)
        await asyncio.sleep(chance.uniform(0, 2 * think))
        while not over.is_set():
            child, at = chance.choice(children), time.monotonic()
            answer = await client.get(
                f"/api/v1/children/{child}/shortlist", headers={"Cookie": f"kith_session={cookies[n]}"}
            )
            if answer.status_code == 200:
                answers.seconds.append(time.monotonic() - at)
                answers.effects[answer.json()["effects"]] += 1
            else:
                answers.wrong.append(f"{answer.status_code} of {child}: {answer.text[:200]}")
            await asyncio.sleep(chance.uniform(0, 2 * think))

    work = [asyncio.create_task(coordinate(n)) for n in range(len(cookies))]
    await until(lambda: is_in(client, staff, run, "done", "failed", "cancelled"), every=1.0)
    over.set()
    answers.under_way += time.monotonic() - begun
    await asyncio.gather(*work)


async def ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/ready")).json()["worker"] == "ok"
    except httpx2.TransportError:
        return False


async def is_in(client: httpx2.AsyncClient, headers: dict[str, str], run: str, *states: str) -> bool:
    return (await client.get(f"/api/v1/runs/{run}", headers=headers)).json()["state"] in states


async def until(true: object, every: float = 0.2) -> None:
    while not await true():  # type: ignore[operator]
        await asyncio.sleep(every)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=120)
    parser.add_argument("--volunteers", type=int, default=60)
    parser.add_argument("--coordinators", type=int, default=50)
    parser.add_argument("--think", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--changed", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="kith-load-") as name:
        folder = Path(name)
        os.environ.setdefault("KITH_DATABASE_URL", f"sqlite:///{folder / 'kith.db'}")
        os.environ |= {"KITH_KEYS_FILE": str(folder / "keys.json"), "KITH_REQUESTS_A_MINUTE": "1000000"}
        authority, cookies, children = prepare(folder, given.children, given.volunteers, given.coordinators)
        words = [sys.executable, "-c", "from matcher.cli import main; main()", "serve", "--port", str(PORT)]
        environment = {name: value for name, value in os.environ.items() if name != "KITH_OWNER_URL"}
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [*words, "--workers", str(given.workers)], stdout=log, stderr=log, env=environment
            )
            try:
                answers = asyncio.run(measure(authority, cookies, children, given.think, given.rounds, given.changed))
            finally:
                server.terminate()
                server.wait(30)
        middle, nearly_all, most = np.percentile(answers.seconds, [50, 95, 100]) * 1000
        size = f"{given.coordinators} coordinators, {given.children} children"
        print(f"{size}, {given.rounds} runs under way for {answers.under_way:.0f} s")
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        print(f"{len(answers.seconds)} answers, plan effects {dict(answers.effects)}")
        print(f"median {middle:.0f} ms, p95 {nearly_all:.0f} ms, most {most:.0f} ms")


if __name__ == "__main__":
    main()
