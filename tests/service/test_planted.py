"""Where words never turn up: two hundred strings are sent through every door, and looked for wherever nobody may read.

Not in a log line, a header, an address, an error, a temporary file, a table in plain, a backup, or an analyst's export.
"""

from __future__ import annotations

import io
import multiprocessing
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from httpx2 import Response
from own_postgres import plain_dump
from page_reading import HTML
from sqlalchemy import make_url, text
from test_privacy import API, PLANTS, everything, tag

from matcher.errors import KithError
from service import backup, people, plans, runs, worker
from service.database.base import Base
from service.permissions import Role
from service.reasons import ASKED_BY
from service.runs import Held
from service.settings import Settings

CRASHED, REFUSED = "Zebedee900Quince", "Zebedee901Quince"
"""In a run."""
OURS = 'name = "ours"\ntitle = "Ours"\nversion = "2"\ninherits = "national"\n'


@pytest.fixture
def nothing_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files of its own; an upload that leaves the memory is a failure."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def rolled(*_: object) -> None:
        raise AssertionError("an upload was written to a disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rolled)
    yield folder
    assert list(folder.iterdir()) == []


@dataclass
class Doors:
    """Ways in, each with the status that answers it; a plant goes through one of them."""

    service: Service
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.desk, self.manager = self.service.as_(Role.COORDINATOR), self.service.as_(Role.MANAGER)
        self.child, self.volunteer = self.service.eligible_pair()
        self.path, self.match = f"/children/{self.child}", f"/matches/{self.service.a_match()}"

    def patch(self, facts: dict[str, str]) -> Response:
        return self.desk.patch(f"{API}{self.path}", json={"facts": facts}, headers=tag(self.desk, self.path))

    def person(self, who: str, field: str) -> Callable[[str], Response]:
        return lambda plant: self.desk.put(f"{API}{who}/person", json={field: plant}, headers=tag(self.desk, who))

    def step(self, **said: str) -> Response:
        return self.desk.post(f"{API}{self.match}/steps", json=said, headers=tag(self.desk, self.match))

    def story(self, plant: str) -> Response:
        due = self.desk.get(f"{API}{self.match}").json()["state"] == "review due"
        view = {"step": "review_held", "reason": ASKED_BY[0]} if due else {"step": "review_falls_due"}
        return self.step(**view, by="authority", note=plant)

    def crash(self, ask: Callable[[str], Response]) -> Callable[[str], Response]:
        def asked(plant: str) -> Response:
            def broken(*_: object, **__: object) -> None:
                raise ValueError(plant)

            with self.monkeypatch.context() as patched:
                patched.setattr(people, "checked", broken)
                return ask(plant)

        return asked

    def upload(self, content: bytes, name: str = "children.csv") -> Response:
        return self.desk.post(f"{API}/imports", files=[("files", (name, content))], data={"stamp": "none"})

    def policy(self, plant: str) -> Response:
        body = {"toml": OURS, "reason": plant}
        return self.manager.post(f"{API}/policies", json=body, headers=tag(self.manager, "/policies/current"))

    def of_api(self) -> list[tuple[int, Callable[[str], Response]]]:
        desk, manager, volunteer = self.desk, self.manager, self.volunteer
        allowed = {"kind": "second child", "volunteer": volunteer, "value": 2}
        return [
            (200, self.person(self.path, "name")),
            (200, self.person(f"/volunteers/{volunteer}", "notes")),
            (200, lambda plant: self.patch({"coordinator": plant})),
            (200, lambda plant: desk.get(f"{API}/children", params={"coordinator": plant})),
            (422, lambda plant: self.patch({"languages": plant})),
            (422, lambda plant: self.patch({"gender": f"{plant}; {plant}"})),
            (422, lambda plant: self.patch({plant: plant})),
            (422, lambda plant: desk.post(f"{API}/children", json={"reference": f"!{plant}", "facts": {}})),
            (422, lambda plant: desk.post(f"{API}/proposals", json={"served": plant, "volunteer": plant})),
            (200, self.story),
            (409, lambda plant: self.step(step="ask_volunteer", by="authority", reason=plant[:60], note=plant)),
            (404, lambda plant: desk.get(f"{API}/{plant}")),
            (422, lambda plant: desk.get(f"{API}/children/{plant}")),
            (422, lambda plant: desk.get(f"{API}/matches", params={"child": plant})),
            (409, lambda plant: self.upload(f"child_id\n{plant}\n".encode())),
            (409, lambda plant: self.upload(b"child_id\n" + plant.encode() * 90_000)),  # more than a megabyte
            (409, lambda plant: self.upload(b"x", f"{plant}.csv")),
            (422, lambda plant: manager.post(f"{API}/exceptions", json={"kind": plant, "reason": plant})),
            (201, lambda plant: manager.post(f"{API}/exceptions", json={**allowed, "reason": plant})),
            (500, self.crash(lambda plant: self.patch({"coordinator": plant}))),
            (422, lambda plant: desk.post(f"{API}/policies/check", json={plant: plant})),
            (201, self.policy),
            (422, lambda plant: manager.post(f"{API}/runs", json={"reason": plant})),
            (401, lambda plant: self.service.client.get(
                f"{API}/children", headers={"Authorization": f"Bearer {plant}"})),
        ]  # fmt: skip

    def on_page(self, who: TestClient, address: str, **form: str) -> Response:
        """A form of a page, with the version that stands on it."""
        version = re.search(r'name="version" value="(\d+)"', who.get(address, headers=HTML).text)
        sent = {"version": version[1], **form} if version else form
        return who.post(address, data=sent, headers=HTML, follow_redirects=False)

    def of_pages(self) -> list[tuple[int, Callable[[str], Response]]]:
        desk, manager = self.desk, self.manager
        own = f"{self.path}/change/referral"

        def refer(plant: str) -> Response:
            return self.on_page(desk, "/children/new", reference=f"P-{plant[7:10]}", placement_type=plant)

        def send(plant: str) -> Response:
            file = ("children.csv", f"child_id,coordinator\nP-{plant[7:10]},{plant}\n".encode())
            return desk.post("/imports", files=[("files", file)], headers=HTML, follow_redirects=False)

        return [
            (303, lambda plant: self.on_page(desk, own, coordinator=plant)),
            (200, lambda plant: desk.get("/children", params={"coordinator": plant}, headers=HTML)),
            (200, lambda plant: desk.post("/children/find", data={"reference": plant}, headers=HTML)),
            (303, refer),
            (422, lambda plant: self.on_page(desk, "/children/new", reference=f"!{plant}", languages=plant)),
            (404, lambda plant: desk.get(f"/{plant}", headers=HTML)),
            (404, lambda plant: desk.get(f"/children/{plant}", headers=HTML)),
            (500, self.crash(lambda plant: self.on_page(desk, own, coordinator=plant))),
            (303, send),
            (303, lambda plant: self.on_page(manager, "/whom-to-ring", service=plant)),
            (422, lambda plant: self.on_page(manager, "/whom-to-ring", telephone=plant)),
            (422, lambda plant: desk.post("/runs", data={"reason": plant}, headers=HTML)),
            (401, lambda plant: self.service.client.post(
                "/sign-in", data={"email": plant, "password": plant}, headers=HTML)),
        ]  # fmt: skip


def plain_everywhere(service: Service, tmp_path: Path, postgres: Callable[[], str]) -> str:
    """All that somebody reads who has the database or a backup of it, and not the keys."""
    said = []
    for authority in (None, service.north):
        with service.database.read(authority) as session:
            for table in Base.metadata.tables:
                said += map(str, session.execute(text(f"SELECT * FROM {table}")).all())
    if service.database.sqlite:
        file = tmp_path / "backup.db"
        backup.backup(service.settings, file)
        place = Path(str(service.database.engine.url.database))
        said += [one.read_bytes().decode("latin-1") for one in (file, place, place.with_name(f"{place.name}-wal"))]
    else:
        own = make_url(postgres()).set(database=service.database.engine.url.database)
        said.append(plain_dump(own.render_as_string(hide_password=False)).decode())
    return "\n".join(said)


@pytest.fixture
def taken_along(service: Service, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[], str]:
    return lambda: plain_everywhere(service, tmp_path, lambda: request.getfixturevalue("postgres"))


def test_two_hundred_planted_strings_turn_up_nowhere(
    service: Service, nothing_on_disk: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    taken_along: Callable[[], str],
) -> None:  # fmt: skip
    doors = Doors(service, monkeypatch)
    api, pages = doors.of_api(), doors.of_pages()
    for n, plant in enumerate(PLANTS):
        at = n % (len(api) + len(pages))
        status, way = (api + pages)[at]
        answer = way(plant)
        assert answer.status_code == status, (at, answer.text)
        assert plant not in str(answer.headers), at  # where a page leads to among them
        assert plant not in " ".join(re.findall(r'(?:href|action|src)="([^"]*)"', answer.text)), at
        if status >= 400 and (at < len(api) or answer.request.method == "GET" or status == 500):
            assert plant not in answer.text, at  # a form alone comes back with what was typed
    opened = everything(service)
    went_in = [plant for plant in PLANTS if plant in opened]
    assert len(went_in) >= 25  # of what nothing was put in the place of since
    for role in (Role.MANAGER, Role.ANALYST):
        told = service.as_(role).get(f"{API}/decisions")
        if told.status_code == 200:
            archive = zipfile.ZipFile(io.BytesIO(told.content))
            words = "".join(archive.read(name).decode() for name in archive.namelist())
            assert [plant for plant in PLANTS if plant in words] == []
    mine = service.as_(Role.MANAGER).get(f"{API}{doors.path}/export")
    assert "Zebedee" in mine.text  # told to whom it is about, with their own words
    assert "Zebedee" not in str(mine.headers)
    printed = capsys.readouterr()
    assert "request_id" in printed.out
    said = taken_along()
    assert [plant for plant in PLANTS if plant in printed.out + printed.err + said] == []


# ---- a run -----------------------------------------------------------------------------------------------------------


def breaks(settings: Settings, held: Held) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError(CRASHED)

    plans.make = broken  # type: ignore[assignment]  # of this process alone
    worker.execute(settings, held)


def refuses(settings: Settings, held: Held) -> None:
    def refused(*_: object, **__: object) -> None:
        raise KithError(REFUSED)

    plans.make = refused  # type: ignore[assignment]
    worker.execute(settings, held)


def test_what_a_run_stumbles_over_turns_up_nowhere(
    service: Service, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    taken_along: Callable[[], str],
) -> None:  # fmt: skip
    """A process of its own, that says on its way out what it would say to whoever runs it."""
    monkeypatch.setattr(worker, "CONTEXT", multiprocessing.get_context("spawn"))  # which writes where this process does
    told = {}
    for target in (breaks, refuses):
        with service.database.write(service.north) as session:
            run = runs.ask_for(session, service.north, "manual").id
        assert worker.Work(service.settings, service.database, target).once()
        for role in (Role.MANAGER, Role.ANALYST):
            told[target, role] = service.as_(role).get(f"{API}/runs/{run}").json()["problem"]
    assert told == {
        (breaks, Role.MANAGER): runs.FAULT, (breaks, Role.ANALYST): runs.FAULT,
        (refuses, Role.MANAGER): REFUSED, (refuses, Role.ANALYST): runs.NO_PLAN,
    }  # fmt: skip
    printed = capfd.readouterr()
    assert '"crash": "ValueError"' in printed.out + printed.err
    said = printed.out + printed.err + taken_along()
    assert [plant for plant in (CRASHED, REFUSED) if plant in said] == []
