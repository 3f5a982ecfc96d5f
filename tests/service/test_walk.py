"""A service in a process of its own, asked over HTTP as its users ask it: from files to the end of a match.

Everything goes by the API, but for the child's twenty-four hours, and the minute for which a run waits for other
changes: they are let pass in the database.
"""

from __future__ import annotations

import csv
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from sqlalchemy import select

from matcher.instance import today
from matcher.sample import write_sample
from service.crypto import KeyRing
from service.database.engine import Database
from service.database.tables import Authority, Run
from service.installation import add_authority, add_user, change_user, verify_log
from service.people import OWN_DOOR
from service.permissions import Role
from service.repository import Repository
from service.settings import Settings


@contextmanager
def serving(settings: Settings, log: Path) -> Iterator[str]:
    """The address of a service that runs in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "KITH_DATABASE_URL": settings.database_url.get_secret_value(),
        "KITH_KEYS_FILE": str(settings.keys_file),
    }
    command = [sys.executable, "-c", "from matcher.cli import main; main()", "serve", "--port", str(port)]
    if settings.owner_url:
        environment["KITH_OWNER_URL"] = settings.owner_url.get_secret_value()
    with log.open("w") as out, subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process:
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
            yield address
        finally:
            process.terminate()


class Browser:
    """Somebody who is logged in."""

    def __init__(self, address: str, email: str, password: str) -> None:
        self.http = httpx.Client(base_url=f"{address}/api/v1", timeout=120)
        login = self.http.post("/session", json={"email": email, "password": password}).raise_for_status().json()
        self.http.headers["X-CSRF-Token"] = login["csrf"]

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


@pytest.fixture
def accounts(database: Database, keys: KeyRing) -> dict[Role, tuple[str, str]]:
    authority, made = add_authority(database, keys, "North"), {}
    for role in (Role.COORDINATOR, Role.MANAGER):
        made[role] = f"{role}@north.invalid", secrets.token_urlsafe(12)
        add_user(database, keys, authority, made[role][0], str(role), role)
        change_user(database, keys, made[role][0], password=made[role][1])
    return made


def a_day_passes(database: Database, keys: KeyRing, authority: str, match: str) -> None:
    with database.write(authority) as session:
        row = Repository(session, keys).match(match)
        row.since -= timedelta(days=1, minutes=1)


def a_minute_passes(database: Database, authority: str) -> str:
    """The id of the run that waits, which is due now."""
    with database.write(authority) as session:
        run = session.scalars(select(Run).where(Run.state == "queued")).one()
        run.requested_at -= timedelta(minutes=1, seconds=1)
        return run.id


def facts_like(volunteers: Path, reference: str) -> dict[str, str]:
    """What a file says of a volunteer, as it is entered for another who is just like them."""
    with volunteers.open(encoding="utf-8", newline="") as file:
        row = next(one for one in csv.DictReader(file) if one["volunteer_id"] == reference)
    return {name: text for name, text in row.items() if text and name not in OWN_DOOR["volunteers"]}


def test_from_files_to_the_end_of_a_match(
    settings: Settings, database: Database, keys: KeyRing, accounts: dict[Role, tuple[str, str]], tmp_path: Path
) -> None:
    write_sample(tmp_path / "county", 120, 60, 689, as_of=today())  # the county sample, as of today
    with ExitStack() as open_until_the_end:
        address = open_until_the_end.enter_context(serving(settings, tmp_path / "log"))
        manager, desk = (Browser(address, *accounts[role]) for role in (Role.MANAGER, Role.COORDINATOR))
        open_until_the_end.callback(manager.http.close)
        open_until_the_end.callback(desk.http.close)

        # Files are looked at, then taken in: a manager confirms the exceptions in them.
        files = [("files", (file.name, file.read_bytes())) for file in sorted((tmp_path / "county").glob("*.csv"))]
        echo = manager.http.post("/imports/check", files=files).raise_for_status().json()
        assert (echo["usable"], echo["new"]["children"], echo["new"]["volunteers"]) == (True, 120, 60)
        data = {"stamp": echo["stamp"], "weaken": [one["key"] for one in echo["weaker"]]}
        manager.http.post("/imports", files=files, data=data).raise_for_status()

        # A run finds the best plan and proves it; a person publishes it.
        authority = authority_of(database)
        first_run = manager.run(manager.post("/runs", {})["id"])["id"]
        first_plan = manager.get(f"/runs/{first_run}/plan")
        assert first_plan["plan"]["status"] == "OPTIMAL"
        assert first_plan["plan"]["matches"]
        assert manager.post(f"/runs/{first_run}/publish", {"reason": "Agreed at the meeting"})["is_current"]

        # A child with a choice; the first on the list is proposed, and the child says no.
        lines = desk.get("/children", waiting=True, size=200)["children"]
        shown = (desk.get(f"/children/{line['id']}/shortlist", top=5) for line in lines)
        served = next(one for one in shown if len(one["shortlist"]) >= 3)
        assert (served["rank_by"], served["effects"]) == ("plan", "exact")  # as the run found it
        child, first = served["child"], served["shortlist"][0]["volunteer"]
        made = desk.post(
            "/proposals", {"served": served["served"], "volunteer": first, "reason": "first on the shortlist"}
        )
        desk.step(made["id"], "ask_volunteer")
        desk.step(made["id"], "volunteer_accepts", "volunteer")
        assert desk.step(made["id"], "child_declines", "child", "does not want this visitor")["state"] == "declined"

        # The next shortlist is without that volunteer; the next on it is proposed, and agreed, and appointed.
        served = desk.get(f"/children/{child}/shortlist", top=50)
        left = [one["volunteer"] for one in served["shortlist"]]
        assert left
        assert first not in left
        made = desk.post(
            "/proposals", {"served": served["served"], "volunteer": left[0], "reason": "first on the shortlist"}
        )
        for step, by in (("ask_volunteer", "authority"), ("volunteer_accepts", "volunteer"),
                         ("child_would_meet", "child"), ("meeting_held", "authority")):  # fmt: skip
            desk.step(made["id"], step, by)
        a_day_passes(database, keys, authority, made["id"])
        desk.step(made["id"], "child_agrees", "child")
        assert desk.step(made["id"], "appoint")["state"] == "appointed"
        assert desk.step(made["id"], "first_visit", "volunteer")["started_on"] == today().isoformat()
        assert desk.http.get(f"/children/{child}/shortlist").status_code == 409  # the child is not waiting

        # A new volunteer, just like the first, is approved. The rerun follows by itself, and tells what it changes.
        like = desk.get(f"/volunteers/{first}")["reference"]
        new = desk.post(
            "/volunteers", {"reference": "N-1", "facts": facts_like(tmp_path / "county/volunteers.csv", like)}
        )
        tag = desk.http.get(f"/volunteers/{new['id']}").headers["ETag"]
        desk.http.post(
            f"/volunteers/{new['id']}/status", json={"status": "approved", "reason": "panel approved"},
            headers={"If-Match": tag},
        ).raise_for_status()  # fmt: skip
        rerun = desk.run(a_minute_passes(database, authority))
        assert "volunteer approved" in rerun["reasons"]
        found = desk.get(f"/runs/{rerun['id']}/plan")
        assert found["before"] == first_plan["id"]  # the published one
        assert child in {one["child"] for one in found["diff"]["changes"] if one["kind"] == "dropped"}  # has a visitor
        changes = desk.get(f"/runs/{rerun['id']}/changes")["shortlists"]
        gained = [one["child"] for one in changes if new["id"] in one["now"]]
        assert gained
        listed = desk.get(f"/children/{gained[0]}/shortlist")["shortlist"]
        assert new["id"] in {one["volunteer"] for one in listed}

        # The match ends with a reason; every decision names who, why, and what else there was.
        ended = desk.step(made["id"], "end", "volunteer", "circumstances of the volunteer")
        assert (ended["state"], ended["over_by"], ended["reason"]) == (
            "ended", "volunteer", "circumstances of the volunteer"
        )  # fmt: skip
        assert ended["alternatives"] == left
        assert [one["step"] for one in ended["timeline"]][-3:] == ["appoint", "first_visit", "end"]
        assert len({one["user"] for one in ended["timeline"]}) == 1

    assert {name: verdict.problem for name, verdict in verify_log(database, keys)} == {
        "North": None, "the installation": None
    }  # fmt: skip
    assert child not in (tmp_path / "log").read_text()  # the log of the process names nobody


def authority_of(database: Database) -> str:
    with database.read() as session:
        return session.scalars(select(Authority.id)).one()
