"""A service with a made-up county in it, and somebody of each role who asks for its pages: what is measured of them."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx2 import Response
from pydantic import SecretStr
from sqlalchemy import select
from starlette.testclient import TestClient

from matcher.catalogue import load_policy
from matcher.instance import today
from matcher.sample import write_sample
from service import auth, organisations, plans, policies, runs
from service.api.deps import Installation
from service.crypto import KeyRing
from service.database.engine import Database
from service.database.tables import User, Volunteer
from service.installation import add_authority, add_user, import_folder, opened, set_up
from service.permissions import MAY, Permission, Role
from service.repository import Repository
from service.settings import Settings

File = tuple[str, bytes]


def settings_of(folder: Path) -> Settings:
    return Settings(
        database_url=SecretStr(f"sqlite:///{folder}/kith.db"), keys_file=folder / "keys.json", log_level="error",
        requests_a_minute=1_000_000, logins_a_minute=1_000_000,
    )  # fmt: skip


def copied(filled: Path, folder: Path) -> Settings:
    """A copy of a filled service to measure, so that the next measurement finds the same one."""
    for name in ("kith.db", "keys.json"):
        shutil.copy(filled / name, folder / name)
    return settings_of(folder)


def prepare(settings: Settings, folder: Path, children: int, volunteers: int, run: bool) -> None:
    """An authority with a county in it, an account for each role, two plans under two policies, the later published.

    The caseload of coordinators is left out of both, since a sample has a handful of them whatever its size.
    """
    set_up(settings)
    write_sample(folder / "county", children, volunteers, 689, as_of=today())
    national = load_policy("national")
    limits = national.sections["constraints"]
    unbound = {**limits, "coordinator_caseload": {**limits["coordinator_caseload"], "on": False}}
    policy = replace(national, sections={**national.sections, "constraints": unbound})
    with opened(settings) as (database, keys):
        authority = add_authority(database, keys, "Measured", policy)
        import_folder(database, keys, authority, folder / "county")
        for role in Role:
            add_user(database, keys, authority, f"{role}@measured.invalid", f"Some {role}", role)
        with database.write(authority) as session:
            by = session.scalars(select(User.id)).first() or ""
            organisations.add(Repository(session, keys), "Some provider of homes", user_id=by)
        if run:
            _run(database, keys, authority)
            with database.write(authority) as session:
                other = replace(policy.with_weights(interests=80), name="ours", version="2")
                policies.add_version(Repository(session, keys), other, user_id=by, reason="to compare with")
            last = _run(database, keys, authority)
            plans.publish(database, keys, authority, last, user_id=by, reason="to work by")


def _run(database: Database, keys: KeyRing, authority: str) -> str:
    with database.write(authority) as session:
        runs.ask_for(session, authority, "manual")
    held = runs.take(database, authority)
    assert held is not None
    plans.make(database, keys, held, lambda _told: None)
    return held.run_id


@dataclass
class Service:
    """The application that is measured."""

    kith: Installation
    authority: str
    browsers: Mapping[Role, Browser]
    county: Path
    """The files that it was filled with."""

    @classmethod
    def of(cls, app: FastAPI, county: Path) -> Service:
        kith: Installation = app.state.kith
        browsers = {role: Browser(app, kith, role) for role in Role}
        return cls(kith, browsers[Role.COORDINATOR].authority, browsers, county)

    def change(self) -> None:
        """A record that matching reads is saved: nothing that was made of the data before may be shown."""
        with self.kith.database.write(self.authority) as session:
            rows = Repository(session, self.kith.keys)
            row = session.scalars(select(Volunteer).order_by(Volunteer.id)).first()
            assert row is not None
            record = rows.volunteer_record(row)
            interests = ("djing",) if record.interests != ("djing",) else ("classical music",)
            rows.write_volunteer(row, replace(record, interests=interests))  # which no rule asks for

    def idle(self) -> None:
        """Waits for the thread that works plan effects out, so that what is measured next has the interpreter alone."""
        self.kith.matching._thread.submit(int).result()


class Browser:
    """Somebody of one role, signed in."""

    def __init__(self, app: FastAPI, kith: Installation, role: Role) -> None:
        self.client = TestClient(app, headers={"Accept": "text/html"}, follow_redirects=False)
        with kith.database.write() as session:
            user = session.scalars(select(User).where(User.email == f"{role}@measured.invalid")).one()
            self.authority, self.user = user.authority_id, user.id
            self.client.cookies.set(kith.cookie, auth.begin(session, kith.settings, user))
        page = self.get("/policy" if Permission.READ in MAY[role] else "/log")  # which read nothing of the county
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert found is not None
        self.csrf = found[1]

    def get(self, address: str) -> Response:
        return self._told(address, self.client.get(address))

    def send(self, address: str, fields: Mapping[str, Any], files: Sequence[File] = ()) -> Response:
        """A form as a page sends it; the answer may lead on to another page."""
        data, sent = {**fields, "csrf": self.csrf}, [("files", one) for one in files]
        return self._told(address, self.client.post(address, data=data, files=sent or None))

    def _told(self, address: str, answer: Response) -> Response:
        assert answer.status_code in (200, 303), (address, answer.status_code, answer.text[-2000:])
        return answer


class _Forms(HTMLParser):
    """The forms of a page, each with what its fields hold as it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.forms.append({})
        if not self.forms:
            return
        fields = self.forms[-1]
        if tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in given or self._select not in fields):
            fields[self._select] = value
        elif tag == "textarea":
            fields[name] = ""
        elif tag == "input" and given.get("type") == "checkbox":
            before = fields.get(name, [])
            ticks = before if isinstance(before, list) else [before]
            fields[name] = [*ticks, value] if "checked" in given else ticks
        elif tag == "input" and name and (given.get("type") != "radio" or "checked" in given):
            fields[name] = value


def form(page: str, has: str) -> dict[str, Any]:
    """What the form of a page holds that has a field of this name."""
    read = _Forms()
    read.feed(page)
    return next(fields for fields in read.forms if has in fields)


@contextmanager
def timed(into: list[tuple[float, float]]) -> Iterator[None]:
    """Milliseconds by the clock, and of the processor: on a busy machine the first tells of the others too."""
    begun, worked = time.perf_counter(), time.process_time()
    yield
    into.append((1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - worked)))
