"""The database that a backup replaces on PostgreSQL is named by a setting; SQLite has it in its place."""

from __future__ import annotations

import pytest
from conftest import Service
from own_postgres import plain_dump
from pydantic import SecretStr
from set_back import Backups
from sqlalchemy import make_url
from test_restore import as_environment
from typer.testing import CliRunner

from matcher.errors import KithError
from service.backup import restore
from service.cli import app
from service.database import tables
from service.database.engine import Database, has_tables

LOST = "Nothing was taken over of the database that this one replaces"


def test_where_nothing_is_taken_over_the_command_says_so_and_what_to_do(
    service: Service, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = backups.make()
    if service.database.sqlite:
        backups.damage()
    settings, replace = backups.make_room()
    as_environment(settings.model_copy(update={"former_url": None}), monkeypatch)
    done = CliRunner().invoke(app, ["restore", str(file), *(["--replace"] if replace else [])], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert (LOST in done.output and "its address in KITH_FORMER_URL" in done.output) is not service.database.sqlite
    assert "Record it again first" in done.output


def test_a_wrong_one_is_refused_before_anything_is_restored_and_the_right_one_is_only_read(
    service: Service, backups: Backups, postgres: str
) -> None:
    if service.database.sqlite:
        pytest.skip("there the database is in its place")
    file = backups.make()
    with service.database.write() as session:
        session.add(tables.Worker())
    settings, _ = backups.make_room()
    former, owner = settings.former_url, settings.owner_url
    assert former is not None
    assert owner is not None
    url = make_url(former.get_secret_value())

    def refused(address: str, told: str) -> None:
        with pytest.raises(KithError, match=told):
            restore(settings.model_copy(update={"former_url": SecretStr(address)}), file)
        target = Database(owner.get_secret_value())
        assert not has_tables(target.engine)
        target.close()

    refused(url.set(port=1).render_as_string(False), "does not answer.* Check that it runs, and KITH_FORMER_URL")
    refused(settings.database_url.get_secret_value(), "The database of KITH_FORMER_URL is empty")
    refused(former.get_secret_value(), "The service seems to run")
    open_still = Database(former.get_secret_value())
    with open_still.write() as session:
        session.delete(session.query(tables.Worker).one())
    refused(former.get_secret_value(), f"Another process has “{url.database}” open")
    open_still.close()

    def content() -> list[bytes]:
        dump = plain_dump(make_url(postgres).set(database=url.database).render_as_string(False))
        return [line for line in dump.splitlines() if b"restrict" not in line]  # by a word that is drawn

    before = content()
    assert restore(settings, file).noes == 0
    assert content() == before
