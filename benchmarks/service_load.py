"""Coordinators who read shortlists while a run is under way: how long an answer takes.

    python benchmarks/service_load.py [--children 120] [--volunteers 60] [--coordinators 50] [--think 5] [--changed]

Starts `kith serve` with its worker on a made-up county in a folder of its own, on SQLite or where KITH_DATABASE_URL
(with KITH_OWNER_URL) says, lets one run find its plan, and asks for another. As long as that one goes on, each
coordinator opens a shortlist, reads it for `think` seconds on average, and opens the next. With --changed somebody has
saved a record meanwhile, so that no shortlist of the run before may be shown.
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


async def measure(
    authority: str, cookies: list[str], children: list[str], think: float, changed: bool
) -> tuple[list[float], Counter[str], float]:
    """Seconds of each answer, what was known in how many of them, and how long the run went on."""
    async with httpx2.AsyncClient(base_url=BASE, timeout=120) as client:
        await until(lambda: ready(client))
        cookie = {"Cookie": f"kith_session={cookies[0]}"}
        token = (await client.get("/api/v1/session", headers=cookie)).json()["csrf"]
        staff = {**cookie, "X-CSRF-Token": token}
        asked = time.monotonic()
        first = (await client.post("/api/v1/runs", json={}, headers=staff)).json()["id"]
        await until(lambda: is_in(client, staff, first, "done", "failed"))
        print(f"the first run took {time.monotonic() - asked:.0f} s", flush=True)
        if changed:
            database = Database(load_settings().database_url.get_secret_value())
            with database.write(authority) as session:
                session.get_one(Authority, authority).data_version += 1
            database.close()
        else:
            await asyncio.sleep(max(0.0, 61 - (time.monotonic() - asked)))  # within a minute it would be the same run
        second = (await client.post("/api/v1/runs", json={}, headers=staff)).json()["id"]
        await until(lambda: is_in(client, staff, second, "running"))
        begun, seconds, told, over = time.monotonic(), [], Counter[str](), asyncio.Event()

        async def coordinate(n: int) -> None:
            chance = random.Random(n)
            await asyncio.sleep(chance.uniform(0, 2 * think))
            while not over.is_set():
                child, at = chance.choice(children), time.monotonic()
                answer = await client.get(
                    f"/api/v1/children/{child}/shortlist", headers={"Cookie": f"kith_session={cookies[n]}"}
                )
                seconds.append(time.monotonic() - at)
                told[answer.json().get("effects", f"status {answer.status_code}")] += 1
                await asyncio.sleep(chance.uniform(0, 2 * think))

        work = [asyncio.create_task(coordinate(n)) for n in range(len(cookies))]
        await until(lambda: is_in(client, staff, second, "done", "failed", "cancelled"), every=1.0)
        over.set()
        took = time.monotonic() - begun
        await asyncio.gather(*work)
    return seconds, told, took


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
                seconds, told, took = asyncio.run(measure(authority, cookies, children, given.think, given.changed))
            finally:
                server.terminate()
                server.wait(30)
        middle, nearly_all, most = np.percentile(seconds, [50, 95, 100]) * 1000
        print(f"{given.coordinators} coordinators, {given.children} children, run under way for {took:.0f} s")
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
        print(f"{len(seconds)} answers, plan effects {dict(told)}")
        print(f"median {middle:.0f} ms, p95 {nearly_all:.0f} ms, most {most:.0f} ms")


if __name__ == "__main__":
    main()
