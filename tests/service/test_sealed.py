"""What is sealed, what stands in plain and why, and how what stood in plain before came to be sealed."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from own_postgres import plain_dump
from sqlalchemy import JSON, Connection, MetaData, String, make_url, select, text
from sqlalchemy.orm import Session

from service import runs, whom_to_ring
from service.crypto import KeyRing, KeysError, Place
from service.database import tables, upgrade
from service.database.base import Base, new_id, utc_now
from service.database.engine import Database
from service.installation import rotate_keys
from service.repository import Repository
from service.settings import Settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
NAME, REASON, PROBLEM, TOLD = "Zebedee Quince", "Zebedee’s panel agreed", "Zebedee is 17", "01234 567890, Zebedee"


def test_whatever_stands_in_plain_is_listed_with_its_reason() -> None:
    """Or is sealed, or an opaque id: a new column for words cannot be forgotten."""
    plain = set()
    for table in Base.metadata.tables.values():
        for column in table.columns:
            opaque = column.foreign_keys or "letter" in column.info
            if isinstance(column.type, String | JSON) and not opaque:
                plain.add(f"{table.name}.{column.name}")
    section = DOCUMENT.partition("## Columns in plain")[2].partition("\n## ")[0]
    lines = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    listed = [name for columns, _ in lines for name in re.findall(r"`(\w+\.\w+)`", columns)]
    assert sorted(listed) == sorted(plain)
    assert all(len(why.strip()) > 10 for _, why in lines)


# ---- from before they were sealed ------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """The settings of an installation as the version before left it: names and words stand in plain."""
    keys = KeyRing.new()
    keys.write(tmp_path / "keys.json")
    if request.param == "sqlite":
        settings = Settings(database_url=f"sqlite:///{tmp_path / 'kith.db'}", keys_file=tmp_path / "keys.json")
        _fill(settings, keys)
        yield settings
        return
    request.getfixturevalue("postgres_template")  # which makes the roles
    server, name = make_url(request.getfixturevalue("postgres")), f"kith_before_{os.getpid()}"

    def url(role: str) -> str:
        own = server.set(drivername="postgresql+psycopg", database=name, username=role, password="test")
        return own.render_as_string(hide_password=False)

    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} OWNER kith_owner")
        settings = Settings(
            database_url=url("kith_app"), owner_url=url("kith_owner"), keys_file=tmp_path / "keys.json",
            backup_url=server.set(drivername="postgresql+psycopg", database=name).render_as_string(hide_password=False),
        )  # fmt: skip
        _fill(settings, keys)
        yield settings
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _fill(settings: Settings, keys: KeyRing) -> None:
    owner = Database((settings.owner_url or settings.database_url).get_secret_value())
    with owner.engine.begin() as connection:
        config = upgrade._config()
        config.attributes.update(connection=connection, role=None if owner.sqlite else "kith_app")
        command.upgrade(config, "0014")
    there = MetaData()
    there.reflect(owner.engine)
    for authority, name in (("A" * 12, "North"), ("B" * 12, "South")):
        with owner.engine.begin() as connection:
            if not owner.sqlite:
                connection.execute(text("SELECT set_config('kith.authority', :id, true)"), {"id": authority})
            _fill_authority(_Rows(connection, there, keys, authority), name)
    owner.close()


@dataclass(frozen=True)
class _Rows:
    connection: Connection
    there: MetaData
    keys: KeyRing
    authority: str

    def add(self, table: str, letter: str, **values: Any) -> str:
        columns, id = self.there.tables[table].columns, values.get("id") or new_id(letter)
        blank: dict[str, Any] = {
            "id": id, "authority_id": self.authority, "version": 1, "changed_at": utc_now(), "created_at": utc_now(),
            "facts": self.keys.seal("{}", Place(table, id, "facts")),
        }  # fmt: skip
        filled = {one: value for one, value in blank.items() if one in columns}
        self.connection.execute(self.there.tables[table].insert().values({**filled, **values}))
        return id


def _fill_authority(rows: _Rows, name: str) -> None:
    rows.add("authorities", "A", id=rows.authority, name=name, data_version=1)
    family = rows.add("families", "F", known=True, references=[])
    volunteer = rows.add("volunteers", "V", reference="V-1", capacity=1)
    for n, (childs, matchs) in enumerate(((NAME, NAME), (f" {NAME.upper()}", ""), (None, None))):
        child = rows.add(
            "children", "C", reference=f"C-{n}", family_id=family, objects=False, referral=True, coordinator=childs
        )
        rows.add(
            "matches", "M", child_id=child, family_id=family, child_objects=False, volunteer_id=volunteer, capacity=1,
            state="declined", since=utc_now(), irregular=False, coordinator=matchs,
        )  # fmt: skip
    for number, reason in enumerate(("", REASON), 1):
        rows.add("policies", "P", number=number, content="{}", content_hash="0" * 12, reason=reason)
    for problem in (None, PROBLEM):
        rows.add(
            "runs", "R", state="failed", reasons=["manual"], requested_at=utc_now(), cancel_asked=False, progress="",
            problem=problem,
        )  # fmt: skip
    if name == "North":
        rows.add("whom_to_ring", "H", told={"address": TOLD})


def bytes_of(settings: Settings) -> bytes:
    """What somebody has who takes the database along: the file itself, or a plain dump."""
    url = make_url(settings.database_url.get_secret_value())
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database))) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(str(url.database)).read_bytes()
    assert settings.backup_url
    owner = make_url(settings.backup_url.get_secret_value()).set(drivername="postgresql")
    return plain_dump(owner.render_as_string(hide_password=False))


def test_what_stood_in_plain_is_sealed_by_the_upgrade_and_by_each_key_after_it(before: Settings) -> None:
    assert all(words.encode() in bytes_of(before) for words in (NAME, REASON, PROBLEM))
    assert upgrade.upgrade(before) == upgrade.newest()
    assert not any(words.encode() in bytes_of(before) for words in ("Zebedee", "ZEBEDEE", "01234", "panel"))
    keys = KeyRing.read(before.keys_file)
    database = Database(before.database_url.get_secret_value())
    for rotate in (False, True):
        if rotate:
            assert rotate_keys(before, database, keys, drop_old=True) == 15
            keys = KeyRing.read(before.keys_file)
        for authority in ("A" * 12, "B" * 12):
            with database.read(authority) as session:
                assert _said(session, keys) == {
                    "matches": {NAME, None}, "policies": {REASON, None}, "runs": {PROBLEM, None},
                }  # fmt: skip
                rows = Repository(session, keys)
                assert whom_to_ring.told(rows) == ({"address": TOLD} if authority[0] == "A" else {})
                hashes = [rows.coordinator_hash(NAME), rows.coordinator_hash(f" {NAME.upper()}")]
                kinds: tuple[Any, ...] = tables.Child, tables.Match
                found = [session.scalars(select(one.coordinator_hash).where(one.coordinator_hash.is_not(None))).all()
                         for one in kinds]  # fmt: skip
                assert found == [hashes, hashes[:1]]
    database.close()


def _said(session: Session, keys: KeyRing) -> dict[str, set[str | None]]:
    rows = Repository(session, keys)
    return {
        "matches": {rows.open(one, "coordinator") for one in session.scalars(select(tables.Match))},
        "policies": {rows.open(one, "reason") for one in session.scalars(select(tables.Policy))},
        "runs": {runs.problem_of(one, keys, identified=True) for one in session.scalars(select(tables.Run))},
    }


def test_without_the_keys_nothing_is_upgraded_and_nothing_lost(before: Settings) -> None:
    kept = before.keys_file.rename(before.keys_file.with_name("elsewhere.json"))
    with pytest.raises(KeysError, match="are not there"):
        upgrade.upgrade(before)
    assert all(words.encode() in bytes_of(before) for words in (NAME, REASON, PROBLEM))
    kept.rename(before.keys_file)
    assert upgrade.upgrade(before) == upgrade.newest()
