"""How long each page takes at the server, and how much of it is sent: warm, and as the first view after a change.

    python benchmarks/pages.py [--children 120] [--volunteers 60] [--times 20] [--folder FOLDER] [--without-run]

Fills a service with a made-up county on SQLite (kept in FOLDER, where one is given, and used again), lets one run find
its plan, and asks for each page as a coordinator. A request is timed from the outside of the application to the last
byte of its answer, without a network. For the first views a record that matching reads is changed before each. The
caseload of coordinators is left out, since a sample has a handful of them whatever its size; --without-run leaves out
the run, which takes long for a large county.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pydantic import SecretStr
from sqlalchemy import select
from starlette.testclient import TestClient

from matcher.catalogue import load_policy
from matcher.instance import today
from matcher.sample import write_sample
from service import auth, plans, runs
from service.api.deps import Installation
from service.app import create_app
from service.database.tables import Match, User, Volunteer
from service.installation import add_authority, add_user, import_folder, opened, set_up
from service.permissions import Role
from service.repository import Repository
from service.settings import Settings

STATIC = ("/static/govuk-frontend/govuk-frontend.min.css", "/static/kith.css", "/static/kith.js",
          "/static/govuk-frontend/govuk-frontend.min.js")  # fmt: skip
HTML = {"Accept": "text/html"}


def prepare(settings: Settings, folder: Path, children: int, volunteers: int, run: bool) -> None:
    """An authority with a county in it, an account for each role, and a plan."""
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
        if run:
            with database.write(authority) as session:
                runs.ask_for(session, authority, "manual")
            held = runs.take(database, authority)
            assert held is not None
            plans.make(database, keys, held, lambda _told: None)


def signed_in(kith: Installation, client: TestClient, role: Role) -> str:
    """Signs the client in as somebody of a role; their authority."""
    with kith.database.write() as session:
        user = session.scalars(select(User).where(User.email == f"{role}@measured.invalid")).one()
        client.cookies.set(kith.cookie, auth.begin(session, kith.settings, user))
        return user.authority_id


def pages(client: TestClient, kith: Installation, authority: str) -> Iterator[tuple[str, str]]:
    """The name and the address of each page, of people who have something to show."""
    listed = client.get("/children?show=waiting", headers=HTML).text
    children = re.findall(r'href="/children/(C[2-9B-Z]{11})"', listed)
    lists = ((child, client.get(f"/children/{child}/shortlist?rank=fit", headers=HTML).text) for child in children)
    child, found = next((child, text) for child, text in lists if text.count('name="with"') >= 3)
    volunteer, other = re.findall(r'name="with" value="(V\w+)"', found)[:2]
    with kith.database.read(authority) as session:
        match = session.scalars(select(Match.id).where(Match.state == "active").order_by(Match.id)).first()
    yield "today", "/"
    yield "children", "/children"
    yield "children, everybody by priority, page 3", "/children?show=everybody&sort=priority&page=3"
    yield "a child", f"/children/{child}"
    yield "a form of a child's facts", f"/children/{child}/change/wishes"
    yield "who read about a child", f"/children/{child}/readers"
    yield "shortlist by plan", f"/children/{child}/shortlist"
    yield "shortlist by fit", f"/children/{child}/shortlist?rank=fit"
    yield "shortlist as XLSX", f"/children/{child}/shortlist.xlsx?rank=fit"
    yield "comparison", f"/children/{child}/compare?rank=fit&with={volunteer}&with={other}"
    yield "proposing", f"/children/{child}/propose/{volunteer}?rank=fit"
    yield "volunteers", "/volunteers"
    yield "a volunteer", f"/volunteers/{volunteer}"
    yield "whom a volunteer could visit", f"/volunteers/{volunteer}/shortlist"
    yield "proposals", "/proposals?show=matches"
    if match:
        yield "a match", f"/proposals/{match}"
    for name in ("runs", "policy", "import", "reports"):
        if client.get(f"/{name}", headers=HTML).status_code == 200:
            yield name, f"/{name}"


@contextmanager
def timed(into: list[tuple[float, float]]) -> Iterator[None]:
    """Milliseconds by the clock, and of the processor: on a busy machine the first tells of the others too."""
    begun, worked = time.perf_counter(), time.process_time()
    yield
    into.append((1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - worked)))


def change(kith: Installation, authority: str) -> None:
    """A record that matching reads is saved: nothing that was made of the data before may be shown."""
    with kith.database.write(authority) as session:
        rows = Repository(session, kith.keys)
        row = session.scalars(select(Volunteer).order_by(Volunteer.id)).first()
        assert row is not None
        record = rows.volunteer_record(row)
        rows.write_volunteer(row, replace(record, has_dog=not record.has_dog))


def measure(client: TestClient, kith: Installation, authority: str, times: int) -> None:
    static = sum(len(gzip.compress(client.get(one).content)) for one in STATIC)
    print(f"style and script: {static / 1000:.0f} kB compressed\n")
    print("| page | warm: median | p95 | processor | after a change: median | most | processor | HTML | compressed |")
    print("|---" * 9 + "|")
    for name, address in list(pages(client, kith, authority)):
        warm: list[tuple[float, float]] = []
        first: list[tuple[float, float]] = []
        answer = client.get(address, headers=HTML)
        assert answer.status_code == 200, (address, answer.status_code)
        for _ in range(times):
            with timed(warm):
                client.get(address, headers=HTML)
        for _ in range(max(1, times // 4)):
            change(kith, authority)
            with timed(first):
                client.get(address, headers=HTML)
        size = len(answer.content)
        p50, p95 = np.percentile([clock for clock, _ in warm], [50, 95])
        after = [clock for clock, _ in first]
        worked = [np.median([processor for _, processor in of]) for of in (warm, first)]
        print(
            f"| {name} | {p50:.0f} ms | {p95:.0f} ms | {worked[0]:.0f} ms | {np.median(after):.0f} ms "
            f"| {max(after):.0f} ms | {worked[1]:.0f} ms | {size / 1000:.0f} kB "
            f"| {len(gzip.compress(answer.content)) / 1000:.0f} kB |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--children", type=int, default=120)
    parser.add_argument("--volunteers", type=int, default=60)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--without-run", action="store_true")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="kith-pages-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        settings = Settings(
            database_url=SecretStr(f"sqlite:///{folder}/kith.db"), keys_file=folder / "keys.json", log_level="error",
            requests_a_minute=1_000_000,
        )  # fmt: skip
        if not settings.keys_file.exists():
            prepare(settings, folder, given.children, given.volunteers, not given.without_run)
        app = create_app(settings)
        kith: Installation = app.state.kith
        with TestClient(app) as client:
            authority = signed_in(kith, client, Role.COORDINATOR)
            print(f"{given.children} children, {given.volunteers} volunteers, load {os.getloadavg()[0]:.1f}")
            measure(client, kith, authority, given.times)
            print(f"\nload at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
