"""A service in a process of its own, and people who are logged in to it: for tests that ask it over HTTP."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

from service.crypto import KeyRing
from service.database.engine import Database
from service.installation import add_authority, add_user, change_user
from service.permissions import Role
from service.settings import Settings

METRICS_TOKEN = "for-a-test-of-the-figures"

Accounts = dict[Role, tuple[str, str]]
"""Address and password by role."""


@dataclass(frozen=True)
class Served:
    address: str
    process: subprocess.Popen[bytes]


def kith(settings: Settings, *words: str) -> tuple[list[str], dict[str, str]]:
    """The command and the environment by which a person would give it."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("KITH_")}  # how many to kill
    environment = {
        **others,
        "KITH_DATABASE_URL": settings.database_url.get_secret_value(),
        "KITH_KEYS_FILE": str(settings.keys_file),
        "KITH_METRICS_TOKEN": METRICS_TOKEN,
    }
    if settings.owner_url:
        environment["KITH_OWNER_URL"] = settings.owner_url.get_secret_value()
    return [sys.executable, "-c", "from matcher.cli import main; main()", *words], environment


@contextmanager
def serving(settings: Settings, log: Path, workers: int = 1) -> Iterator[Served]:
    """A service that answers, for as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, environment = kith(settings, "serve", "--port", str(port), "--workers", str(workers))
    with log.open("a") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                if process.poll() is not None:
                    raise AssertionError(log.read_text())
                try:
                    if httpx.get(f"{address}/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield Served(address, process)
        finally:
            process.terminate()


class Browser:
    """Somebody who is logged in."""

    def __init__(self, address: str, email: str, password: str) -> None:
        self.asked = 0
        hooks = {"request": [self._count]}
        self.http = httpx.Client(base_url=f"{address}/api/v1", timeout=120, event_hooks=hooks)
        login = self.http.post("/session", json={"email": email, "password": password}).raise_for_status().json()
        self.http.headers["X-CSRF-Token"] = login["csrf"]

    def _count(self, _request: httpx.Request) -> None:
        self.asked += 1

    def get(self, path: str, **query: Any) -> Any:
        return self.http.get(path, params=query).raise_for_status().json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.http.post(path, json=body).raise_for_status().json()

    def step(self, match: str, step: str, by: str = "authority", reason: str | None = None) -> Any:
        tag = self.http.get(f"/matches/{match}").headers["ETag"]
        body = {"step": step, "by": by, "reason": reason}
        answer = self.http.post(f"/matches/{match}/steps", json=body, headers={"If-Match": tag})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, id: str) -> Any:
        """Waits until a run is over; what is told of it then."""
        end = time.monotonic() + 600
        while (told := self.get(f"/runs/{id}"))["state"] in ("queued", "running"):
            assert time.monotonic() < end, told
            time.sleep(0.2)
        assert told["state"] == "done", told
        return told


def accounts_of(database: Database, keys: KeyRing) -> Accounts:
    """An authority of its own, with a coordinator and a manager who sign in by password."""
    authority, made = add_authority(database, keys, "North"), {}
    for role in (Role.COORDINATOR, Role.MANAGER):
        made[role] = f"{role}@north.invalid", secrets.token_urlsafe(12)
        add_user(database, keys, authority, made[role][0], str(role), role)
        change_user(database, keys, made[role][0], password=made[role][1])
    return made
