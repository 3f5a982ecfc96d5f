"""The audit log: whoever alters, removes, moves or adds an entry behind Kith's back is found out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from service_rows import an_authority
from sqlalchemy import Connection, text

from service.audit_log import Entry, Verdict, record, verify
from service.crypto import KeyRing
from service.database.engine import Database
from service.settings import Settings


@pytest.fixture
def log(database: Database, keys: KeyRing) -> str:
    """An authority with five entries: the first is its own making."""
    authority = an_authority(database, keys)
    for number in range(2, 6):
        with database.write(authority) as session:
            record(session, keys, Entry("U1", "read", f"C{number}", "shortlist", {"rank": number}))
    return authority


def checked(database: Database, keys: KeyRing, authority: str | None, kept: tuple[int, str] | None = None) -> Verdict:
    with database.read(authority) as session:
        return verify(session, keys, kept=kept)


def intrude(settings: Settings, authority: str, *statements: str) -> None:
    """As somebody who owns the database, and takes the triggers away first."""
    url = (settings.owner_url or settings.database_url).get_secret_value()
    owner = Database(url)
    with owner.engine.begin() as connection:
        _unprotect(connection, authority)
        for statement in statements:
            connection.execute(text(statement))
    owner.close()


def _unprotect(connection: Connection, authority: str) -> None:
    if connection.dialect.name == "sqlite":
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER audit_events_no_{verb}"))
    else:
        connection.execute(text("ALTER TABLE audit_events DISABLE TRIGGER USER"))
        connection.execute(text("SELECT set_config('kith.authority', :a, true)"), {"a": authority})


def test_a_log_that_nobody_touched_is_whole(database: Database, keys: KeyRing, log: str) -> None:
    verdict = checked(database, keys, log)
    assert (verdict.entries, verdict.problem) == (5, None)
    assert checked(database, keys, log, kept=(5, verdict.last_mac)).problem is None


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE audit_events SET actor = 'U2' WHERE number = 3 AND chain = '{log}'", "Entry 3 was altered."),
        ("UPDATE audit_events SET subject = 'C9' WHERE number = 5 AND chain = '{log}'", "Entry 5 was altered."),
        ("UPDATE audit_events SET details = '{{}}' WHERE number = 2 AND chain = '{log}'", "Entry 2 was altered."),
        ("UPDATE audit_events SET reason = '' WHERE number = 4 AND chain = '{log}'", "Entry 4 was altered."),
        ("DELETE FROM audit_events WHERE number = 1 AND chain = '{log}'", "Entry 1 is missing."),
        ("DELETE FROM audit_events WHERE number = 4 AND chain = '{log}'", "Entry 4 is missing."),
        ("UPDATE audit_events SET number = 6 WHERE number = 3 AND chain = '{log}'", "Entry 3 is missing."),
        (
            "INSERT INTO audit_events SELECT chain, 6, at, actor, action, subject, reason, details, mac "
            "FROM audit_events WHERE number = 5 AND chain = '{log}'",
            "Entry 6 was altered.",
        ),
    ],
)
def test_the_first_entry_that_is_wrong_is_named(
    database: Database, keys: KeyRing, settings: Settings, log: str, statement: str, found: str
) -> None:
    intrude(settings, log, statement.format(log=log))
    assert checked(database, keys, log).problem == found


def test_an_end_that_was_cut_off_shows_by_what_was_kept(
    database: Database, keys: KeyRing, settings: Settings, log: str
) -> None:
    kept = checked(database, keys, log)
    intrude(settings, log, f"DELETE FROM audit_events WHERE number >= 4 AND chain = '{log}'")
    assert checked(database, keys, log).problem is None  # which is why it has to be kept
    assert checked(database, keys, log, kept=(5, kept.last_mac)).problem == "Entry 4 is missing, and every one up to 5."


def test_another_key_does_not_fit(database: Database, log: str) -> None:
    assert checked(database, KeyRing.new(), log).problem == "Entry 1 was altered."


def test_chains_of_authorities_are_apart(database: Database, keys: KeyRing, log: str) -> None:
    other = an_authority(database, keys, "South")
    assert checked(database, keys, other).entries == 1
    assert checked(database, keys, None).entries == 0


def test_many_at_once_keep_one_chain(database: Database, keys: KeyRing, log: str) -> None:
    def enter(number: int) -> None:
        with database.write(log) as session:
            record(session, keys, Entry(f"U{number}", "read"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, range(40)))
    verdict = checked(database, keys, log)
    assert (verdict.entries, verdict.problem) == (45, None)


def test_an_entry_is_undone_with_what_it_tells_of(database: Database, keys: KeyRing, log: str) -> None:
    def work() -> None:
        with database.write(log) as session:
            record(session, keys, Entry("U1", "write"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert checked(database, keys, log).entries == 5
