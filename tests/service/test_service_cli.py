"""The commands of an installation; and kith without the libraries of the service."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url, select
from typer.testing import CliRunner

from matcher.errors import InputError, KithError
from matcher.instance import today
from matcher.learning.decisions import read_export
from service.app import create_app
from service.audit_log import Entry, record
from service.cli import app
from service.crypto import KeyRing, KeysError, Place
from service.database.engine import Database
from service.database.tables import AuditEvent, Authority, Child, Match, User, Volunteer
from service.demo import make
from service.installation import authority_named, first_start, opened, rotate_keys, set_up, verify_log
from service.permissions import Role
from service.repository import Repository
from service.runs import find
from service.settings import Settings
from service.worker import Work

SAMPLES = Path(__file__).parents[2] / "data" / "samples"


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("KITH_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("KITH_KEYS_FILE", str(settings.keys_file))
    with socket.create_server(("127.0.0.1", 0)) as free:  # 8080 may be taken on a machine where Kith is served
        monkeypatch.setenv("KITH_PORT", str(free.getsockname()[1]))
    if settings.owner_url:
        monkeypatch.setenv("KITH_OWNER_URL", settings.owner_url.get_secret_value())
    return settings


def kith(*words: str, keyed: str | None = None) -> str:
    result = CliRunner().invoke(app, words, input=keyed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_from_nothing_to_a_log_that_is_whole(environment: Settings) -> None:
    settings = environment
    assert kith("migrate").startswith("The database is at version 0")
    kith("authority", "add", "North")
    kith("user", "add", "someone@north.invalid", "--role", "manager", "--name", "Some One")
    kith("user", "password", "someone@north.invalid", keyed="three plain words\nthree plain words\n")
    assert "4 children" in kith("import", str(SAMPLES / "tiny"))
    assert kith("import", str(SAMPLES / "tiny")).startswith("Nothing new")
    kith("user", "disable", "someone@north.invalid")
    assert kith("retention") == "0 rows deleted or cleared.\n"
    told = kith("audit", "verify")
    assert "North: 8 entries, whole" in told
    with opened(settings) as (database, _), database.write() as session:
        record(session, KeyRing.new(), Entry("x", "forged"))
    result = CliRunner().invoke(app, ["audit", "verify"])
    assert result.exit_code == 1
    assert "the installation: Entry 1 was altered." in result.output


def test_decisions_are_written_and_their_taking_is_logged(environment: Settings, tmp_path: Path) -> None:
    kith("migrate")
    kith("authority", "add", "North")
    file = tmp_path / "decisions.zip"
    assert kith("decisions", str(file)).startswith(f"{file}: no decisions yet.")
    with pytest.raises(InputError, match="holds no decision"):
        read_export(file)
    with opened(environment) as (database, _):
        with database.read() as session:
            north = authority_named(session, None).id
        with database.read(north) as session:
            told = session.scalars(select(AuditEvent.reason).where(AuditEvent.action == "read")).all()
    assert told == ["decisions"]


def test_keys_are_rotated_and_nothing_is_lost(environment: Settings) -> None:
    settings = environment
    kith("migrate")
    kith("authority", "add", "North")
    kith("import", str(SAMPLES / "tiny"))
    kith("user", "add", "someone@north.invalid", "--role", "manager", "--name", "Some One")
    old = KeyRing.read(settings.keys_file)
    # 4 children and 3 volunteers with their facts, one user's name, and why the first policy was put in force
    assert kith("keys", "rotate", "--drop-old") == "9 values are sealed by the new key.\n"
    with opened(settings) as (database, keys):
        assert (keys.current, list(keys.keys)) == ("k2", ["k2"])
        with database.read() as session:
            authority = session.scalar(select(Child.authority_id))
            assert authority is None  # the installation sees no authority's rows
        with database.read(_authority(database)) as session:
            rows = Repository(session, keys)
            for row in (*session.scalars(select(Child)), *session.scalars(select(Volunteer))):
                assert rows.open(row, "facts")
                with pytest.raises(KeysError):
                    Repository(session, KeyRing("k1", old.keys, old.audit)).open(row, "facts")


def test_an_end_of_the_log_that_was_cut_off_is_found_by_what_was_kept(environment: Settings) -> None:
    kith("migrate")
    for name in ("North", "South"):
        kith("authority", "add", name)
    told = [line.rpartition(": ")[2].split() for line in kith("audit", "verify").splitlines()]
    kept = [f"--kept={words[0]}:{words[-1]}" for words in told if words[0] != "0"]
    assert len(kept) == 2  # both logs have as many entries
    assert "in no log" not in kith("audit", "verify", *kept)
    another = kept[0][:-1] + ("0" if kept[0][-1] != "0" else "1")
    result = CliRunner().invoke(app, ["audit", "verify", *kept, another])
    number = kept[0].removeprefix("--kept=").partition(":")[0]
    assert (result.exit_code, f"Entry {number} is in no log under the seal" in result.output) == (1, True)
    later = f"--kept=9{kept[0].removeprefix('--kept=')}"
    assert CliRunner().invoke(app, ["audit", "verify", later]).exit_code == 1
    assert isinstance(CliRunner().invoke(app, ["audit", "verify", "--kept", "all"]).exception, KithError)


def test_an_interrupted_rotation_is_taken_up(environment: Settings) -> None:
    kith("migrate")
    kith("authority", "add", "North")
    kith("import", str(SAMPLES / "tiny"))
    KeyRing.read(environment.keys_file).rotated().write(environment.keys_file)  # and then the power went
    with opened(environment) as (database, keys):
        assert rotate_keys(environment, database, keys, drop_old=True) == 8
        with database.read(_authority(database)) as session:
            assert all(Repository(session, keys).open(row, "facts") for row in session.scalars(select(Child)))


def test_a_rotation_waits_for_whoever_had_begun_to_write(environment: Settings) -> None:
    """Sealed by the key of before, and kept after it would have been forgotten: nobody could read it any more."""
    kith("migrate")
    kith("authority", "add", "North")
    with opened(environment) as (database, keys), opened(environment) as (other, _), ThreadPoolExecutor() as pool:
        with database.write(_authority(database)) as session:
            place = Place("users", "U", "name")
            user = User(id="U", authority_id=_authority(database), email="new@north.invalid", role=Role.MANAGER)
            user.name = keys.seal("Some One", place)  # by the first key
            session.add(user)
            session.flush()
            rotation = pool.submit(rotate_keys, environment, other, KeyRing.read(environment.keys_file), drop_old=True)
            with pytest.raises(TimeoutError):
                rotation.result(0.5)
        assert rotation.result(20) == 2  # the name, and why the first policy was put in force
        now = KeyRing.read(environment.keys_file)
        assert [*now.keys] == ["k2"]
        with database.read() as session:
            assert now.open(session.get_one(User, "U").name, place) == "Some One"
            log = [(one.action, one.subject) for one in session.scalars(select(AuditEvent))]
            assert log[-2:] == [("rotate keys", "k2"), ("drop keys", "k2")]


def _authority(database: Database) -> str:
    from service.database.tables import Authority

    with database.read() as session:
        return session.scalars(select(Authority.id)).one()


def test_keys_are_never_made_anew_over_data(environment: Settings) -> None:
    kith("migrate")
    kith("authority", "add", "North")
    environment.keys_file.unlink()
    with pytest.raises(KeysError, match="are not there"):
        set_up(environment)
    assert not environment.keys_file.exists()


def test_it_serves_without_the_owner_of_the_tables(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kith("migrate")
    monkeypatch.delenv("KITH_OWNER_URL", raising=False)
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: None)
    assert f"http://127.0.0.1:{os.environ['KITH_PORT']}" in kith("serve", "--no-worker")


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("KITH_OIDC_ISSUER", "http://idp.example", "must begin with https"),
        ("KITH_HOST", "192.0.2.7", "KITH_HOST “192.0.2.7” is no address of this machine"),
        ("KITH_HOST", "nowhere.invalid", "KITH_HOST “nowhere.invalid” is no address of this machine"),
        ("KITH_DATABASE_URL", "postgresql+psycopg://kith_app:x@127.0.0.1:1/kith", "does not answer.* refused"),
    ],
)
def test_what_keeps_it_from_starting_is_said_before_any_process_is_started(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, told: str
) -> None:
    kith("migrate")
    monkeypatch.setenv(setting, value)
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: pytest.fail("it was started"))
    with pytest.raises(KithError, match=told):
        kith("serve", "--workers", "2", "--no-worker")


def test_the_first_start_alone_prints_the_link_of_who_chooses_the_password(
    environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: None)
    if not environment.sqlite:
        assert "once" not in kith("serve", "--no-worker")  # `kith authority` and `kith user` set it up
        return
    link = r"Choose the password, once, within three days: http://127.0.0.1:\d+/welcome/\S{20,}\n"
    assert re.search(link, kith("serve", "--no-worker"))
    assert "welcome" not in kith("serve", "--no-worker")


@pytest.mark.parametrize("words", [(), ("--demo",)])
def test_a_port_that_is_taken_is_said_before_anything_is_made(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("service.demo.make", lambda *_: pytest.fail("it was made"))
    if words:  # a demonstration is on this machine alone, whatever is set
        monkeypatch.setenv("KITH_HOST", "0.0.0.0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KithError, match=f"Port {port} of 127.0.0.1 is in use. Stop what serves there, or give"):
            kith("serve", "--no-worker", "--port", str(port), *words)


@pytest.mark.parametrize(
    "words",
    [("serve", "--workers", "2", "--no-worker"), ("retention",), ("audit", "verify"), ("keys", "rotate")],
    ids=str,
)
def test_a_database_of_another_version_is_said_before_anything_is_done_to_it(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    kith("migrate")
    monkeypatch.setattr("service.database.upgrade.newest", lambda: "9999")
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: pytest.fail("it was started"))
    with pytest.raises(KithError, match="Kith needs 9999"):
        kith(*words)


@pytest.mark.parametrize("words", [("serve", "--no-worker"), ("worker",)], ids=str)
def test_neither_service_nor_worker_is_a_role_that_row_level_security_does_not_hold(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, words: tuple[str, ...]
) -> None:
    if environment.owner_url is None:
        pytest.skip("SQLite has no roles")
    kith("migrate")
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: pytest.fail("it was started"))
    monkeypatch.setattr("service.worker.Work.until_stopped", lambda _: pytest.fail("it was started"))
    administrator = make_url(request.getfixturevalue("postgres")).set(
        drivername="postgresql+psycopg", database=make_url(environment.owner_url.get_secret_value()).database
    )
    for above in (environment.owner_url.get_secret_value(), administrator.render_as_string(hide_password=False)):
        monkeypatch.setenv("KITH_DATABASE_URL", above)
        with pytest.raises(KithError, match="names a role that owns the tables"):
            kith(*words)


def test_a_service_that_is_told_to_stop_leaves_no_folder_behind(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kith("migrate")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def told_to_stop(*_: object, **__: object) -> None:
        assert list(folder.iterdir())
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("uvicorn.run", told_to_stop)
    before = signal.getsignal(signal.SIGTERM)
    try:
        kith("serve", "--no-worker")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not list(folder.iterdir())


def test_a_run_is_asked_for_and_executed_by_a_worker(
    environment: Settings, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    kith("migrate")
    authority = kith("authority", "add", "North").strip()
    kith("import", str(SAMPLES / "tiny"))
    run = kith("rerun").strip()
    work = Work(environment, database)
    assert work.once()
    with database.read(authority) as session:
        assert find(session, run).state == "done"


def test_a_first_start_makes_an_administrator_once(settings: Settings) -> None:
    settings.keys_file.unlink()
    link = first_start(settings) or ""
    assert link.startswith("http://127.0.0.1:8080/welcome/")
    assert first_start(settings) is None
    with TestClient(create_app(settings)) as browser:
        browser.post(link.removeprefix("http://127.0.0.1:8080"), data={"password": "three plain words"})
        body = {"email": "administrator@kith.invalid", "password": "three plain words"}
        assert browser.post("/api/v1/session", json=body).json()["role"] == "administrator"


def test_the_demonstration_has_one_account_a_role_and_children(settings: Settings, tmp_path: Path) -> None:
    accounts = make(settings, tmp_path)
    assert [*accounts] == [f"{role}@demo.invalid" for role in Role]
    with opened(settings) as (database, _):
        with database.read() as session:
            county = session.scalars(select(Authority.id)).one()
        with database.read(county) as session:
            reviews = list(session.scalars(select(Match.next_review_on).where(Match.next_review_on.is_not(None))))
    assert sum(day < today() for day in reviews if day) == 1
    assert sum(today() <= day <= today() + timedelta(days=30) for day in reviews if day) >= 2
    assert len(set(accounts.values())) == len(Role)


def test_the_demonstration_has_a_proposal_at_each_stage_and_letters_to_read(settings: Settings, tmp_path: Path) -> None:
    account, password = next(iter(make(settings, tmp_path).items()))
    with TestClient(create_app(settings)) as browser:
        browser.post("/api/v1/session", json={"email": account, "password": password})
        found = {one["id"]: one["state"] for one in browser.get("/api/v1/matches?size=200").json()["matches"]}
        assert {"volunteer considers", "child considers", "agreed", "active"} <= set(found.values())
        for state, letter, told in (
            ("agreed", "appointment", "We appoint you as the Independent Visitor"),
            ("ended", "ending", "The reason: planned ending."),
        ):
            pages = [browser.get(f"/proposals/{id}/letters/{letter}") for id, one in found.items() if one == state]
            assert any(told in page.text for page in pages), state
        day = today() - timedelta(days=12)
        assert any(f"ended on {day.day} {day:%B %Y}" in page.text for page in pages)
        over = browser.get("/proposals?show=over").text
        told = re.findall(r'data-label="When"[^>]*>([^<]*)<', over)
        days = [datetime.strptime(one, "%d %b %Y").date() for one in told]  # noqa: DTZ007  # a day, of no zone
        assert day in days
        assert days == sorted(days, reverse=True)
        assert today() not in days  # those of the sample ended before it was read
        address = re.findall(r'href="(/proposals/M[^"]*)"', over)[0]
        assert 'govuk-caption-l">Match<' in browser.get(address).text
    with opened(settings) as (database, keys):
        verdicts = verify_log(database, keys)
    assert [verdict.problem for _, verdict in verdicts if verdict.problem] == []


def test_an_authority_has_to_be_named_where_there_are_two(environment: Settings) -> None:
    kith("migrate")
    kith("authority", "add", "North")
    kith("authority", "add", "South")
    with pytest.raises(KithError, match="“North”, “South”"):
        kith("import", str(SAMPLES / "tiny"))
    with pytest.raises(KithError, match="already"):
        kith("authority", "add", "South")


def test_without_its_libraries_the_service_says_what_to_install() -> None:
    """And the other commands work: nothing of the service's libraries is imported to show them."""
    program = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("fastapi", "uvicorn", "sqlalchemy", "pydantic_settings", "alembic",
                                      "cryptography", "argon2", "structlog", "psycopg"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Gone())
from matcher import cli
from service.cli import app
cli.app.registered_commands += app.registered_commands
sys.argv = ["kith", *sys.argv[1:]]
cli.main()
"""
    for words, code, told in ((["--help"], 0, "serve"), (["serve"], 1, "In Kith's folder run: make service.")):
        done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert told in done.stdout + done.stderr
