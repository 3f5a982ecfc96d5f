"""Every test of the database runs twice: on SQLite, and on a real PostgreSQL server.

KITH_TEST_POSTGRES may name a server to use, as a superuser's URL. Without it the tests start one of their own: there
is no way to leave PostgreSQL out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import own_postgres
import psycopg
import pytest
from argon2 import PasswordHasher
from browser import silent as silent
from browser import site as site
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from set_back import Backups, OfAFile, OfAServer
from sqlalchemy import Engine, create_engine, delete, make_url, select

from matcher.instance import today
from matcher.readers import Reading, read_folder
from matcher.sample import write_sample
from matcher.shortlist import how_many_could_be_visited, shortlist
from service import auth, matching
from service.api.deps import Installation
from service.app import create_app
from service.auth import user_by_email
from service.crypto import KeyRing
from service.database import engine
from service.database.engine import Database
from service.database.tables import Authority, Child, Match, Run, User
from service.database.upgrade import upgrade
from service.importing import take_in
from service.installation import add_authority, add_user
from service.pages import policy as policy_pages
from service.permissions import Permission, Role
from service.proposals import failing_rules
from service.repository import Repository
from service.settings import Settings

_NUMBERS = count(1)


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Argon2 as it is, but a hundred times as cheap."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Requests wait for what is worked out, however slow the machine is; a test that does not want that says so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "PATIENCE", 120.0)
        patch.setattr(policy_pages, "PATIENCE", 120.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Each test has an engine of its own, and would compile every statement anew: a third of its time."""
    first: dict[str, Engine] = {}

    def alike(*given: Any, **options: Any) -> Engine:
        made = create_engine(*given, **options)
        known = first.setdefault(made.dialect.name, made)
        made.dialect, made._compiled_cache = known.dialect, known._compiled_cache
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "create_engine", alike)
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A superuser's URL of a server that runs."""
    if url := os.environ.get("KITH_TEST_POSTGRES"):
        yield url
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    with own_postgres.server() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # nobody pulls the plug of a test
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[str]:
    """The name of a database with every migration, from which each test gets a copy of its own."""
    name = f"kith_template_{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        for role in ("kith_owner", "kith_app", "kith_backup"):
            found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            if not found:
                above = "BYPASSRLS IN ROLE pg_read_all_data" if role == "kith_backup" else ""
                connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'test' {above}")
        connection.execute(f"CREATE DATABASE {name} OWNER kith_owner")
    upgrade(Settings(database_url=_url(postgres, name, "kith_app"), owner_url=_url(postgres, name, "kith_owner")))
    yield name
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "kith.db"
    upgrade(Settings(database_url=SecretStr(f"sqlite:///{file}")))
    return file


@pytest.fixture(scope="session")
def template_keys() -> KeyRing:
    """By which what is in the templates is sealed. Each test has a file of its own with them."""
    return KeyRing.new()


@pytest.fixture(scope="session")
def sqlite_county(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, template_keys: KeyRing, small_county: Reading
) -> Path:
    """The template with two authorities and their accounts in it, and the small county in North."""
    file = tmp_path_factory.mktemp("template") / "county.db"
    shutil.copy(sqlite_template, file)
    _fill(f"sqlite:///{file}", template_keys, small_county)
    return file


@pytest.fixture(scope="session")
def postgres_county(
    postgres: str, postgres_template: str, template_keys: KeyRing, small_county: Reading
) -> Iterator[str]:
    name = f"kith_county_{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER kith_owner TEMPLATE {postgres_template}")
    _fill(_url(postgres, name, "kith_app").get_secret_value(), template_keys, small_county)
    yield name
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _fill(url: str, keys: KeyRing, county: Reading) -> None:
    database = Database(url)
    for name in ("North", "South"):
        authority = add_authority(database, keys, name)
        for role in Role:
            add_user(database, keys, authority, f"{role}@{name.lower()}.invalid", f"{role} of {name.lower()}", role)
        if name == "North":
            with database.write(authority) as session:
                take_in(Repository(session, keys), county, today(), user_id=None)
        with database.write(authority) as session:
            session.execute(delete(Run))  # tests ask for their own
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, template_keys: KeyRing) -> Iterator[Settings]:
    """The settings of an installation with its keys: empty, or with the county for a test that asks for `north`."""
    keys = tmp_path / "keys.json"
    KeyRing(template_keys.current, dict(template_keys.keys), template_keys.audit).write(keys)
    filled = "north" in request.fixturenames
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_county" if filled else "sqlite_template")
        shutil.copy(template, tmp_path / "kith.db")
        yield Settings(database_url=SecretStr(f"sqlite:///{tmp_path / 'kith.db'}"), keys_file=keys)
        return
    server = request.getfixturevalue("postgres")
    template = request.getfixturevalue("postgres_county" if filled else "postgres_template")
    name = f"kith_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER kith_owner TEMPLATE {template}")
    yield Settings(
        database_url=_url(server, name, "kith_app"), owner_url=_url(server, name, "kith_owner"),
        backup_url=_url(server, name, "kith_backup"), keys_file=keys,
    )  # fmt: skip
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """As the service opens it."""
    opened = Database(settings.database_url.get_secret_value())
    yield opened
    opened.close()


@pytest.fixture
def backups(
    settings: Settings, database: Database, tmp_path: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Backups]:  # fmt: skip
    """Made and put back of the service under test."""
    folder = tmp_path / "backups"
    folder.mkdir()
    if database.sqlite:
        yield OfAFile(settings, database, folder)
        return
    of_a_server = OfAServer(settings, database, folder, request.getfixturevalue("postgres"), monkeypatch)
    yield of_a_server
    of_a_server.forget()


@pytest.fixture
def keys(settings: Settings) -> KeyRing:
    return KeyRing.read(settings.keys_file)


def _url(server: str, name: str, role: str) -> SecretStr:
    url = make_url(server).set(drivername="postgresql+psycopg", database=name, username=role, password="test")
    return SecretStr(url.render_as_string(hide_password=False))


@pytest.fixture(scope="session")
def small_county(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """Thirty children and twenty volunteers, made up as of today, so that nothing has lapsed by the calendar."""
    folder = tmp_path_factory.mktemp("county")
    write_sample(folder, 30, 20, 4, as_of=today())
    return read_folder(folder, today())


@pytest.fixture
def north(database: Database) -> str:
    """An authority with the small county in it, as the template has it."""
    with database.read() as session:
        return session.scalars(select(Authority.id).where(Authority.name == "North")).one()


@pytest.fixture
def service(settings: Settings, database: Database, keys: KeyRing, north: str) -> Iterator[Service]:
    """The application, with an account for each role in North and in South, which has no children."""
    with database.read() as session:
        south = session.scalars(select(Authority.id).where(Authority.name == "South")).one()
        users = {
            (name, role): user_by_email(session, f"{role}@{name}.invalid").id
            for name in ("north", "south")
            for role in Role
        }
    if not _APPS:  # its routes and models take a good part of a second, and are the same for all
        _APPS.append(create_app(settings))
    app = _APPS[0]
    app.state.kith.database.close()
    app.state.kith = Installation(settings, database, keys)
    app.middleware_stack = None  # each test has a rate of its own
    client = TestClient(app, raise_server_exceptions=False)
    made = Service(client, settings, database, keys, north, south, users)
    made.eligible_pair()  # of the template as it is, before a test changes its copy
    yield made
    client.close()


@dataclass(frozen=True)
class Service:
    """A service under test, and how to ask it as somebody."""

    client: TestClient
    settings: Settings
    database: Database
    keys: KeyRing
    north: str
    south: str
    users: dict[tuple[str, Role], str]

    def as_(self, role: Role, where: str = "north") -> TestClient:
        """A browser of somebody who is logged in, with the token that changes need."""
        with self.database.write() as session:
            user = session.get_one(User, self.users[where, role])
            secret = auth.begin(session, self.settings, user)
        with self.database.read() as session:
            person = auth.by_cookie(session, self.settings, secret)
        assert person is not None
        browser = TestClient(self.client.app, raise_server_exceptions=False)
        browser.cookies.set("kith_session", secret)
        browser.headers["X-CSRF-Token"] = person.csrf or ""
        return browser

    def program(self, role: Role, *scopes: Permission) -> TestClient:
        """A program that acts for an account of North by a token, within these scopes."""
        with self.database.write() as session:
            user = session.get_one(User, self.users["north", role])
            token = auth.make_token(session, self.keys, user, name="of a test", scopes=scopes, days=1)
        program = TestClient(self.client.app, raise_server_exceptions=False)
        program.headers["Authorization"] = f"Bearer {token}"
        return program

    def children(self) -> list[str]:
        """Ids of North's children with a referral."""
        with self.database.read(self.north) as session:
            return list(session.scalars(select(Child.id).where(Child.referral).order_by(Child.reference)))

    def a_match(self) -> str:
        """The id of a match that is active now."""
        with self.database.read(self.north) as session:
            return session.scalars(select(Match.id).where(Match.state == "active").order_by(Match.id)).first() or ""

    def eligible_pair(self) -> tuple[str, str]:
        """A child of North who has a choice, and the first volunteer on their shortlist by fit, who has one too.

        Ids are drawn at random, and waiting children come in their order: what a test needs of the pair is asked for.
        """
        if self.north not in _PAIRS:  # the same in every copy of the template
            with self.database.read(self.north) as session:
                instance = Repository(session, self.keys).instance(today())
            pinned = {match.child for match in instance.pins}
            lists = (shortlist(instance, one.id, rank_by="fit") for one in instance.waiting if one.id not in pinned)
            first = next(
                candidates[0]
                for candidates in lists
                if len(candidates) >= 3
                and how_many_could_be_visited(instance, candidates[0].volunteer) >= 2
                and not failing_rules(instance, candidates[0].child, candidates[0].volunteer)  # money left for it
            )
            _PAIRS[self.north] = first.child, first.volunteer
        return _PAIRS[self.north]


_APPS: list[FastAPI] = []
_PAIRS: dict[str, tuple[str, str]] = {}
