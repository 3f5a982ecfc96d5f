"""kith serve, worker, rerun, decisions, backup, restore, migrate, user, authority, import, keys, audit: what IT needs.

Found by `kith` through the entry point `kith.commands`. Only typer is imported before a command runs, so that `kith`
without the service's libraries still starts, and says in one sentence what to install.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer

from matcher.errors import KithError

app = typer.Typer()
users = typer.Typer(help="Accounts: add, password, disable.", no_args_is_help=True)
authorities = typer.Typer(help="Authorities of this installation.", no_args_is_help=True)
tokens = typer.Typer(help="Keys by which programs act for an account.", no_args_is_help=True)
keys_app = typer.Typer(help="The keys that encrypt names, addresses and free text.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit log.", no_args_is_help=True)
app.add_typer(users, name="user")
app.add_typer(authorities, name="authority")
app.add_typer(tokens, name="token")
app.add_typer(keys_app, name="keys")
app.add_typer(audit_app, name="audit")

AuthorityName = Annotated[
    str | None, typer.Option("--authority", help="The authority's name; not needed where there is one.")
]


class RoleName(StrEnum):
    """As `permissions.Role`, which a test holds: that module is not for the start of every command."""

    COORDINATOR = "coordinator"
    MANAGER = "manager"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


@contextmanager
def _libraries() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("matcher", "service"):
            raise
        raise KithError(
            f"The service needs libraries that are not installed ({error.name}). In Kith's folder run: make service."
        ) from None


@app.command()
def serve(
    demo: Annotated[
        bool, typer.Option("--demo", help="A made-up county on this machine alone, gone at the end.")
    ] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="In place of KITH_PORT.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="In place of KITH_WORKERS.")] = None,
    worker: Annotated[bool, typer.Option(help="Start a worker for runs beside it.")] = True,
) -> None:
    """Serve the pages and the API. A first start sets everything up."""
    with _libraries():
        import uvicorn

        from service.installation import ADMINISTRATOR, first_start, require_port, require_startable
        from service.logs import configure
        from service.settings import load_settings
        from service.worker import beside
    if port is not None:
        os.environ["KITH_PORT"] = str(port)
    if workers is not None:
        os.environ["KITH_WORKERS"] = str(workers)
    with _folder() as folder:
        if demo:
            from service.demo import COUNTY, make

            os.environ.pop("KITH_OWNER_URL", None)
            os.environ.pop("KITH_PUBLIC_URL", None)
            os.environ["KITH_DATABASE_URL"] = f"sqlite:///{folder}/kith.db"
            os.environ["KITH_KEYS_FILE"] = f"{folder}/keys.json"
            os.environ["KITH_HOST"] = "127.0.0.1"
            os.environ["KITH_DEMO"] = "true"
            os.environ.setdefault("KITH_LOG_LEVEL", "warning")  # requests would scroll the accounts away
            settings = load_settings()
            require_port(settings)
            accounts = make(settings, Path(folder))
            typer.echo("\n*** DEMONSTRATION: made-up people, on this machine alone, gone when it stops. ***")
            typer.echo("*** Enter nobody real. ***\n")
            typer.echo(f"All dates are moved to today. To try an import, send a file of {folder}/{COUNTY}\n")
            for email, password in accounts.items():
                typer.echo(f"  {email:<28} {password}")
        else:
            settings = load_settings()
            require_port(settings)
            link = first_start(settings) if settings.sqlite else None
            if link:
                typer.echo(f"A new installation. Its administrator is {ADMINISTRATOR}.")
                typer.echo(f"Choose the password, once, within three days: {link}")
        configure(settings)
        require_startable(settings)
        typer.echo(f"\nhttp://{settings.host}:{settings.port}\n")
        if settings.workers > 1 and settings.metrics_token:
            os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        with beside(settings) if worker else nullcontext():
            uvicorn.run(
                "service.app:create_app",
                factory=True,
                host=settings.host,
                port=settings.port,
                workers=settings.workers,
                access_log=False,
                server_header=False,
                log_level="warning",
                timeout_keep_alive=75,  # longer than a proxy keeps it, which else would ask just as it closes
            )


@app.command()
def worker() -> None:
    """Execute runs, alone: for a machine of its own, or where `kith serve --no-worker` serves."""
    with _libraries():
        from service.settings import load_settings
        from service.worker import work
    work(load_settings())


@app.command()
def rerun(authority: AuthorityName = None) -> None:
    """Ask for a run; a worker executes it."""
    with _libraries():
        from service import audit_log, runs
        from service.installation import COMMAND, authority_named, opened
        from service.settings import load_settings
    with opened(load_settings()) as (database, keys):
        with database.read() as session:
            authority_id = authority_named(session, authority).id
        with database.write(authority_id) as session:
            audit_log.take_turn(session)
            run = runs.ask_for(session, authority_id, "manual").id
            audit_log.record(session, keys, audit_log.Entry(COMMAND, "ask for run", run, "manual"))
    typer.echo(run)


@app.command()
def migrate() -> None:
    """Bring the database to the version of the code."""
    with _libraries():
        from service.installation import set_up
        from service.settings import load_settings
    typer.echo(f"The database is at version {set_up(load_settings())}.")


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="Folder with children, volunteers and the other sheets.")],
    authority: AuthorityName = None,
) -> None:
    """Add what a folder of files holds, whole or not at all."""
    with _libraries():
        from service.installation import authority_named, import_folder, opened
        from service.settings import load_settings
    with opened(load_settings()) as (database, keys):
        with database.read() as session:
            authority_id = authority_named(session, authority).id
        rows = import_folder(database, keys, authority_id, folder)
    typer.echo(
        ", ".join(f"{count} {name}" for name, count in rows.items()) or "Nothing new: all of it is here already."
    )


@app.command()
def retention(authority: AuthorityName = None) -> None:
    """Delete what goes by itself, and list who has been kept long enough. Run it every night."""
    with _libraries():
        from service.installation import authority_named, opened
        from service.repository import Repository
        from service.retention import due, sweep
        from service.settings import load_settings
    settings = load_settings()
    with opened(settings) as (database, keys):
        with database.read() as session:
            authority_id = authority_named(session, authority).id
        with database.write(authority_id) as session:
            rows = Repository(session, keys)
            gone = sweep(rows, settings.plan_months)
            told = ", ".join(f"{record}: {count}" for record, count in gone.items())
            typer.echo(f"{sum(gone.values())} rows deleted or cleared{told and f' ({told})'}.")
            for one in due(rows):
                typer.echo(f"{one.record} {one.id}: since {one.since:%d/%m/%Y}")


@app.command("decisions")
def decisions_(
    file: Annotated[Path, typer.Argument(help="The file to write, as decisions.zip.")], authority: AuthorityName = None
) -> None:
    """Write the decisions made through proposals, pseudonymised, for analysts to learn weights from."""
    with _libraries():
        from service import audit_log, decisions
        from service.installation import COMMAND, authority_named, opened
        from service.repository import Repository
        from service.settings import load_settings
    with opened(load_settings()) as (database, keys):
        with database.read() as session:
            authority_id = authority_named(session, authority).id
        with database.write(authority_id) as session:
            made = decisions.export(Repository(session, keys))
            entry = audit_log.Entry(COMMAND, "read", "", "decisions", made.decisions)
            audit_log.record(session, keys, entry)
        file.write_bytes(made.file)
    told = ", ".join(f"{count} by the {by.replace('_', ' ')}" for by, count in made.decisions.items())
    typer.echo(f"{file}: {told or 'no decisions yet'}. What was left out, and why, stands in its about.txt.")


@app.command("backup")
def backup_(file: Annotated[Path, typer.Argument(help="The file to write; one that is not there yet.")]) -> None:
    """Write the whole database into one file, while the service runs. The keys are not in it."""
    with _libraries():
        from service.backup import backup
        from service.crypto import KeyRing
        from service.settings import load_settings
    settings = load_settings()
    ring = KeyRing.read(settings.keys_file)
    backup(settings, file)
    typer.echo(
        f"{file} is written. To read it takes the key “{ring.current}” of “{settings.keys_file}”, kept elsewhere."
    )


@app.command("restore")
def restore_(
    file: Annotated[Path, typer.Argument(help="What `kith backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Where there is a database: keep it beside.")] = False,
) -> None:
    """Check a backup whole and put it in the place of the database. Stop the service first."""
    with _libraries():
        from service.backup import restore
        from service.settings import load_settings
    settings = load_settings()
    restored = restore(settings, file, replace=replace)
    typer.echo(f"Restored and whole: {restored.entries} entries of the audit log.")
    if restored.noes:
        typer.echo(
            f"Kept of what was decided since that backup: {restored.noes}. It is what was said no to, paused or ended, "
            "who was suspended, withdrew or resigned and the past matches that this brought up, what was found of "
            "concerns and safeguarding issues, who turned out to be siblings or connected with a council, whose "
            "safeguarding issue is unresolved, and who was erased. The audit log names them. Accounts and tokens are "
            "as they were before; everybody signs in anew."
        )
    elif restored.noes is None:
        if not settings.sqlite and settings.former_url is None:
            typer.echo(
                "Nothing was taken over of the database that this one replaces: while that can be read, restore once "
                "more, into another empty database, with its address in KITH_FORMER_URL."
            )
        typer.echo(
            "Before anybody works with it: what children, volunteers and social workers said no to since that backup, "
            "which volunteers were suspended or have gone, and what was found of concerns, is not in it, since the "
            "database before could not be asked, nor whose visits were paused, which exceptions were withdrawn, who "
            "was found to be siblings or was taken apart, who is connected with a council, is held for a safeguarding "
            "issue or was erased. Record it again first; and close again the accounts and tokens that were closed "
            "since."
        )
    if restored.redo:
        typer.echo("Done since that backup, and not in it. Do it again, in this order:")
        for line in restored.redo:
            typer.echo(f"  {line}")


@authorities.command("add")
def add_authority(name: str) -> None:
    """Add an authority, with the national policy in force."""
    with _libraries():
        from service.installation import add_authority as add
        from service.installation import opened
        from service.settings import load_settings
    with opened(load_settings()) as (database, keys):
        typer.echo(add(database, keys, name))


@users.command("add")
def add_user(
    email: str,
    role: Annotated[RoleName, typer.Option("--role")],
    name: Annotated[str, typer.Option("--name", prompt=True)],
    authority: AuthorityName = None,
) -> None:
    """Add an account, and print the link, good once, by which its owner chooses a password."""
    with _libraries():
        from service.auth import by_password
        from service.installation import add_user as add
        from service.installation import authority_named, opened, welcome
        from service.permissions import Role
        from service.settings import load_settings
    settings = load_settings()
    with opened(settings) as (database, keys):
        with database.read() as session:
            authority_id = authority_named(session, authority).id
        secret = add(database, keys, authority_id, email, name, Role(role))
    if by_password(settings, Role(role)):
        typer.echo(f"Good once, within three days, to choose a password: {welcome(settings, secret)}")
    else:
        typer.echo(f"{email} signs in with the council account, at {settings.public_url}")


@users.command("password")
def password(
    email: str, word: Annotated[str, typer.Option("--password", prompt=True, hide_input=True, confirmation_prompt=True)]
) -> None:
    """Set an account's password, unlock it, and end its logins."""
    _change(email, word)
    typer.echo("Done.")


@users.command("disable")
def disable(email: str) -> None:
    """Close an account: its logins and tokens are over at once."""
    _change(email, None)
    typer.echo("Done.")


@keys_app.command("rotate")
def rotate(
    drop_old: Annotated[bool, typer.Option("--drop-old", help="Forget the old keys: older backups need them.")] = False,
) -> None:
    """Make a new key, and seal everything by it. The service may run meanwhile."""
    with _libraries():
        from service.installation import opened, rotate_keys
        from service.settings import load_settings
    settings = load_settings()
    with opened(settings) as (database, keys):
        typer.echo(f"{rotate_keys(settings, database, keys, drop_old=drop_old)} values are sealed by the new key.")


@audit_app.command("verify")
def verify(
    kept: Annotated[
        list[str] | None, typer.Option("--kept", help="NUMBER:SEAL of a last entry, as printed before; several times.")
    ] = None,
) -> None:
    """Check that no entry of the audit log was altered or removed. Exit 1 if any was."""
    with _libraries():
        from service.installation import not_in_log, opened, verify_log
        from service.settings import load_settings
    told = [one.partition(":") for one in kept or ()]
    if any(not (number.isdecimal() and seal) for number, _, seal in told):
        raise KithError("Give --kept as NUMBER:SEAL, such as --kept 120:9f…, from what was printed before.")
    with opened(load_settings()) as (database, keys):
        verdicts = verify_log(database, keys)
        gone = not_in_log(database, [(int(number), seal) for number, _, seal in told])
    for name, verdict in verdicts:
        typer.echo(f"{name}: {verdict.problem or f'{verdict.entries} entries, whole'}  {verdict.last_mac}")
    for number in gone:
        typer.echo(f"Entry {number} is in no log under the seal that was kept: an end was cut off, or a log replaced.")
    if gone or any(verdict.problem for _, verdict in verdicts):
        raise typer.Exit(1)


@tokens.command("add")
def add_token(
    email: str,
    name: Annotated[str, typer.Option("--name", help="What the program is called that uses it.")],
    scope: Annotated[list[str], typer.Option("--scope", help="What it may do: read, run and so on; several times.")],
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="After how many days it ends.")] = 90,
) -> None:
    """Make a token by which a program acts for an account. It is printed once."""
    with _libraries():
        from service.installation import make_token, opened
        from service.settings import load_settings
    with opened(load_settings()) as (database, keys):
        typer.echo(make_token(database, keys, email, name=name, scopes=scope, days=days))


_STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_GONE_WITHIN = 5.0
"""Seconds for which a folder is removed again, where something still wrote into it."""


@contextmanager
def _folder() -> Iterator[str]:
    """A folder for as long as the service runs, removed however and whenever it is told to stop.

    Whoever is told to stop, also a second time, ends by way of what there is to tidy: the worker, then the folder.
    """
    before = {one: signal.signal(one, _end) for one in _STOPS}
    with _held_back():  # or the folder could be there, and nobody yet to remove it
        folder = mkdtemp(prefix="kith-")
        try:
            with _let_through():
                yield folder
        finally:
            _stop_once()
            until = time.monotonic() + _GONE_WITHIN
            while os.path.exists(folder) and time.monotonic() < until:
                shutil.rmtree(folder, ignore_errors=True)
            for one, handler in before.items():
                signal.signal(one, handler)


def _end(_signal: int, _frame: object) -> None:
    """Ends a service that is told to stop by way of what it tidies: its worker, and the folder of a demonstration."""
    _stop_once()
    raise SystemExit(0)


def _stop_once() -> None:
    for one in _STOPS:
        signal.signal(one, signal.SIG_IGN)


@contextmanager
def _held_back() -> Iterator[None]:
    """Signals to stop wait until the block is over, or lets them through."""
    with _masked("SIG_BLOCK"):
        yield


@contextmanager
def _let_through() -> Iterator[None]:
    with _masked("SIG_UNBLOCK"):
        yield


@contextmanager
def _masked(how: str) -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(getattr(signal, how), _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _change(email: str, word: str | None) -> None:
    with _libraries():
        from service.installation import change_user, opened
        from service.settings import load_settings
    with opened(load_settings()) as (database, keys):
        change_user(database, keys, email, password=word)
