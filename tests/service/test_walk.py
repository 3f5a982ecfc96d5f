"""A service in a process of its own, asked over HTTP as its users ask it: from files to the end of a match.

Everything goes by the API, but for the child's twenty-four hours, and the minute for which a run waits for other
changes: they are let pass in the database.
"""

from __future__ import annotations

import csv
import re
import subprocess
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx2 as httpx
from served import METRICS_TOKEN, Browser, accounts_of, kith, serving
from sqlalchemy import select

from matcher.instance import today
from matcher.sample import write_sample
from service.crypto import KeyRing
from service.database.engine import Database
from service.database.tables import Authority, Run
from service.people import OWN_DOOR
from service.permissions import Role
from service.repository import Repository
from service.settings import Settings


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
    settings: Settings, database: Database, keys: KeyRing, tmp_path: Path
) -> None:
    write_sample(tmp_path / "county", 120, 60, 689, as_of=today())  # the county sample, as of today
    accounts, several = accounts_of(database, keys), 2 if settings.owner_url else 1  # SQLite is served by one process
    with ExitStack() as open_until_the_end:
        address = open_until_the_end.enter_context(serving(settings, tmp_path / "log", several)).address
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

        # Whichever process is asked adds up what all of them answered.
        figures = httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}).text
        told = sum(int(float(one)) for one in re.findall(r"^http_requests_total{.*} (\S+)$", figures, re.M))
        assert told >= manager.asked + desk.asked

    command, environment = kith(settings, "audit", "verify")
    verified = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "North" in verified
    assert child not in (tmp_path / "log").read_text()  # the log of the process names nobody


def authority_of(database: Database) -> str:
    with database.read() as session:
        return session.scalars(select(Authority.id)).one()
