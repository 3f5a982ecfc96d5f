"""Setting an installation up: its keys, its first authority, its first account; and what the commands do to it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from matcher.catalogue import load_policy
from matcher.errors import KithError, NotFoundError
from matcher.instance import today
from matcher.policy import Policy
from matcher.readers import read_folder
from service import audit_log, auth, importing
from service.crypto import KeyRing, Place
from service.database.base import Apart, Base, Sealed
from service.database.engine import Database
from service.database.tables import Authority, User
from service.database.upgrade import require_kept_apart, require_upgraded, upgrade
from service.identity import Provider
from service.permissions import Permission, Role
from service.repository import Repository
from service.settings import Settings

COMMAND = audit_log.COMMAND
"""The actor of what is done at the command line."""
ADMINISTRATOR = "administrator@kith.invalid"
"""The account that a first start makes."""


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Database, KeyRing]]:
    """The database and the keys, for a command. Raises KithError where either is missing, or of another version."""
    keys = KeyRing.read(settings.keys_file)
    database = Database(settings.database_url.get_secret_value())
    try:
        database.check()
        require_upgraded(database)
        yield database, keys
    finally:
        database.close()


def require_startable(settings: Settings) -> None:
    """Raises KithError for what keeps the service from starting.

    Asked before any process is started: one of several that fails is started again, and so for ever.
    """
    if settings.oidc_issuer:
        Provider(settings)
    with opened(settings) as (database, _):
        require_kept_apart(database)


def require_port(settings: Settings) -> None:
    """Raises KithError unless the service can listen where the settings say."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            why = "is in use" if error.errno == errno.EADDRINUSE else "is for administrators of the machine"
            remedy = "Stop what serves there, or give another by KITH_PORT (`--port`)"
            raise KithError(f"Port {settings.port} of {settings.host} {why}. {remedy}.") from None
        raise KithError(
            f"KITH_HOST “{settings.host}” is no address of this machine. Give 127.0.0.1, or 0.0.0.0 for all it has."
        ) from None


def set_up(settings: Settings) -> str:
    """Migrates the database, and makes the keys if this is a new installation; the revision reached.

    Keys that are missing are never made anew where anything could be sealed by them.
    """
    revision = upgrade(settings)
    if not settings.keys_file.exists():
        database = Database(settings.database_url.get_secret_value())
        try:
            with database.read() as session:
                if session.scalar(select(Authority.id).limit(1)) is None:
                    KeyRing.new().write(settings.keys_file)
        finally:
            database.close()
    KeyRing.read(settings.keys_file)
    return revision


def add_authority(database: Database, keys: KeyRing, name: str, policy: Policy | None = None) -> str:
    """A new authority with a policy in force, the national one if none is given; its id."""
    with database.write() as session:
        if session.scalar(select(Authority.id).where(Authority.name == name)):
            raise KithError(f"There is an authority “{name}” already.")
        authority = Authority(name=name)
        session.add(authority)
    with database.write(authority.id) as session:
        Repository(session, keys).add_policy(policy or load_policy("national"), user_id=None, reason="first policy")
        audit_log.record(session, keys, audit_log.Entry(COMMAND, "add authority", authority.id))
    return authority.id


def authority_named(session: Session, name: str | None) -> Authority:
    """An authority by its name; the only one there is, if no name is given. Raises NotFoundError."""
    every = session.scalars(select(Authority).order_by(Authority.name)).all()
    found = [one for one in every if name is None or one.name == name]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"“{one.name}”" for one in every) or "none: add one by `kith authority add NAME`"
    raise NotFoundError(f"Say which authority by --authority. There are {names}.")


def add_user(database: Database, keys: KeyRing, authority_id: str, email: str, name: str, role: Role) -> str:
    """A new account; the secret of the invitation by which its owner chooses a password."""
    with database.write(authority_id) as session:
        authority = session.get_one(Authority, authority_id)
        return auth.invite(session, keys, authority=authority, email=email, name=name, role=role, by=COMMAND)[1]


def change_user(database: Database, keys: KeyRing, email: str, *, password: str | None) -> None:
    """Sets an account's password, or disables it where none is given: in either case its logins are over."""
    with database.read() as session:
        authority = auth.user_by_email(session, email).authority_id
    with database.write(authority) as session:
        user = auth.user_by_email(session, email)
        if password is None:
            auth.disable(session, keys, user, by=COMMAND)
        else:
            auth.set_password(user, password)
            auth.log_out_everywhere(session, user)
            audit_log.record(session, keys, audit_log.Entry(COMMAND, "set password", user.id))


def make_token(database: Database, keys: KeyRing, email: str, *, name: str, scopes: Sequence[str], days: int) -> str:
    """A token of an account, told once. Raises KithError for a scope that is none, or not the account's."""
    if unknown := [one for one in scopes if one not in tuple(Permission)]:
        raise KithError(f"“{unknown[0]}” is no scope. Give some of: {', '.join(Permission)}.")
    with database.read() as session:
        authority = auth.user_by_email(session, email).authority_id
    with database.write(authority) as session:
        user = auth.user_by_email(session, email)
        wanted = [Permission(one) for one in scopes]
        return auth.make_token(session, keys, user, name=name, scopes=wanted, days=days)


def import_folder(database: Database, keys: KeyRing, authority_id: str, folder: Path) -> dict[str, int]:
    """Adds what a folder of files holds to an authority; how many rows of each sheet. Raises InputError."""
    as_of = today()
    with database.read(authority_id) as session:
        reading = read_folder(folder, as_of, stood=importing.stood(Repository(session, keys), as_of))
    with database.write(authority_id) as session:
        batch = importing.take_in(Repository(session, keys), reading, as_of, user_id=None)
        audit_log.record(session, keys, audit_log.Entry(COMMAND, "import", batch.id, details=batch.rows))
        return batch.rows


def rotate_keys(settings: Settings, database: Database, keys: KeyRing, *, drop_old: bool) -> int:
    """Makes a new key, seals everything by it, and forgets the old ones if asked; how many values were sealed anew.

    The key is written before anything is sealed by it. Stopped half-way, everything can still be read; run it again.
    """
    newer = keys.rotated()
    newer.write(settings.keys_file)
    with database.write() as session:
        audit_log.record(session, newer, audit_log.Entry(COMMAND, "rotate keys", newer.current))
    database.wait_for_writers()  # who began before sealed by the key of then
    with database.read() as session:
        authorities = list(session.scalars(select(Authority.id)))
    count = more = sum(_reseal(database, newer, authority) for authority in [None, *authorities])
    while more:  # one that sealed in the moment in which the key was written
        more = sum(_reseal(database, newer, authority) for authority in [None, *authorities])
        count += more
    if drop_old:
        newer.only_current().write(settings.keys_file)
        with database.write() as session:
            details = {"keys": sorted({*newer.keys} - {newer.current})}
            audit_log.record(session, newer, audit_log.Entry(COMMAND, "drop keys", newer.current, details=details))
    return count


def _reseal(database: Database, keys: KeyRing, authority: str | None) -> int:
    """Of one authority's rows; of the installation's own where none is given."""
    count = 0
    for mapper in sorted(Base.registry.mappers, key=lambda one: one.class_.__name__):
        table = mapper.local_table
        sealed = [column for column in table.columns if isinstance(column.type, Sealed)]
        if not sealed or issubclass(mapper.class_, Apart) != (authority is not None):
            continue
        with database.write(authority) as session:
            if authority is not None:
                Repository(session, keys).take_turn()
            own = [] if authority is None else [table.c.authority_id == authority]
            for row in session.execute(select(table.c.id, *sealed).where(*own).with_for_update()).all():
                values = {}
                for column in sealed:
                    value = getattr(row, column.name)
                    if value is not None and keys.sealed_by(value) != keys.current:
                        place = Place(mapper.class_.__tablename__, row.id, column.name)
                        values[column.name] = keys.seal(keys.open(value, place), place)
                if values:
                    session.execute(table.update().where(table.c.id == row.id).values(values))  # type: ignore[attr-defined]
                    count += len(values)
    return count


def verify_log(database: Database, keys: KeyRing) -> list[tuple[str, audit_log.Verdict]]:
    """The verdict on each authority's chain, and on the installation's own, by name."""
    with database.read() as session:
        named: list[tuple[str | None, str]] = [(None, "the installation")]
        named += [(one.id, one.name) for one in session.scalars(select(Authority).order_by(Authority.name))]
    verdicts = []
    for authority, name in named:
        with database.read(authority) as session:
            verdicts.append((name, audit_log.verify(session, keys)))
    return verdicts


def not_in_log(database: Database, kept: Sequence[tuple[int, str]]) -> list[int]:
    """Numbers of entries that were kept elsewhere with their seals, and that no log has: an end was cut off."""
    with database.read() as session:
        authorities = [None, *session.scalars(select(Authority.id))]
    missing = {*kept}
    for authority in authorities:
        with database.read(authority) as session:
            missing = {one for one in missing if not audit_log.holds(session, *one)}
    return sorted(number for number, _ in missing)


def first_start(settings: Settings) -> str | None:
    """Sets up a new installation with an authority and an administrator; the link of that account, if it is new."""
    set_up(settings)
    with opened(settings) as (database, keys):
        with database.read() as session:
            if session.scalar(select(User.id).limit(1)) is not None:
                return None
            found = session.scalar(select(Authority.id).limit(1))
        authority = found or add_authority(database, keys, "Independent Visitor Service")
        return welcome(
            settings, add_user(database, keys, authority, ADMINISTRATOR, "Administrator", Role.ADMINISTRATOR)
        )


def welcome(settings: Settings, secret: str) -> str:
    """The address of an invitation, good once, where the account's owner chooses a password."""
    at = str(settings.public_url).rstrip("/") if settings.public_url else f"http://{settings.host}:{settings.port}"
    return f"{at}/welcome/{secret}"
