"""Accounts, logins and tokens. Secrets are kept as hashes: who reads the database cannot log in with what stands there.

A login is a row that is looked up, with its account, at every request: disabling the account ends all its logins at
once. Passwords are hashed by argon2; as many wrong ones in a row as the settings say lock the account for a while.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from matcher.errors import KithError, NotFoundError
from service import audit_log
from service.audit_log import Entry
from service.crypto import KeyRing, Place
from service.database.base import utc_now
from service.database.tables import ApiToken, Authority, LoginSession, User
from service.permissions import MAY, Permission, Role
from service.settings import Settings

LEAST_CHARACTERS = 12
_MOST_CHARACTERS = 200
INVITATION_HOURS = 72
_HASHER = PasswordHasher()
_NOBODY = _HASHER.hash(secrets.token_urlsafe(16))
"""Verified where there is no such account, so that the answer takes as long."""


_USED = "This link was used, is older than three days, or was withdrawn."


class LoginError(KithError):
    """A login that is refused. Says the same whether the account, the password or the lock is to blame."""


@dataclass(frozen=True)
class Person:
    """Who asks: an account, and what it may do here and now."""

    user_id: str
    authority_id: str
    role: Role
    may: frozenset[Permission]
    login: str | None = None
    """The id of the login; None where a token asks."""
    csrf: str | None = None


def hashed(secret: str) -> str:
    """Of a random secret, which needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


# ---- accounts --------------------------------------------------------------------------------------------------------


def invite(
    session: Session, keys: KeyRing, *, authority: Authority, email: str, name: str, role: Role, by: str
) -> tuple[User, str]:
    """A new account without a password, and the secret of the link, good once, by which its owner chooses one.

    A closed account of that address and authority is opened again, under the name and the role that are given now: what
    was done by it stays one person's. Raises KithError for an address that is taken or is none.
    """
    address = address_of(email)
    user = session.scalar(select(User).where(User.email == address).with_for_update())
    if user is not None and (user.authority_id != authority.id or user.disabled_at is None):
        raise KithError(
            "There is an account with that address already. To send a new link or give another role, close it first: "
            "inviting the address anew opens it again."
        )
    entry = Entry(by, "invite user", "", details={"role": role})
    if user is None:
        user = User(authority_id=authority.id, email=address, role=role)
        session.add(user)
    else:
        entry = Entry(by, "open user again", "", details={"from": user.role, "to": role})
        _forget_login(session, user)
        user.role, user.disabled_at = role, None
    user.name = keys.seal(name, Place("users", user.id, "name"))
    secret = _renew_invitation(user)
    session.flush()
    audit_log.record(session, keys, replace(entry, subject=user.id))
    return user, secret


def address_of(email: str) -> str:
    """The address as accounts have it. Raises KithError for what is none."""
    address = email.strip().lower()
    if address.count("@") != 1 or not all(address.split("@")) or len(address) > 254 or not address.isprintable():
        raise KithError("That is not an email address. Write it as name@council.gov.uk.")
    return address


def _forget_login(session: Session, user: User) -> None:
    """So that nobody gets into an account by what let them in before it was closed: no password and no token."""
    user.password = user.subject = user.locked_until = None
    user.failed_logins = 0
    log_out_everywhere(session, user)
    tokens = update(ApiToken).where(ApiToken.user_id == user.id, ApiToken.revoked_at.is_(None))
    session.execute(tokens.values(revoked_at=utc_now()))


def accept(session: Session, keys: KeyRing, secret: str, password: str) -> User:
    """Sets the password of whom an invitation is for, and uses it up. Raises LoginError for one that is not good."""
    user = invited(session, secret)
    session.refresh(user, with_for_update=True)
    if user.invitation is None:
        raise LoginError(_USED)  # somebody was quicker
    set_password(user, password)
    user.invitation = user.invited_until = None
    audit_log.record(session, keys, Entry(user.id, "choose password", user.id))
    return user


def invited(session: Session, secret: str) -> User:
    """Whom an invitation is for. Raises LoginError for one that is not good, or not any more."""
    user = session.scalar(select(User).where(User.invitation == hashed(secret)))
    if user is None or user.invited_until is None or user.invited_until < utc_now() or user.disabled_at:
        raise LoginError(_USED)
    return user


def set_password(user: User, password: str) -> None:
    """Raises KithError for a password that is too short to keep a child's record."""
    if not LEAST_CHARACTERS <= len(password) <= _MOST_CHARACTERS or len(set(password)) < 5:
        raise KithError(f"Choose a password of {LEAST_CHARACTERS} letters or more, not all the same: three words do.")
    user.password, user.failed_logins, user.locked_until = _HASHER.hash(password), 0, None


def disable(session: Session, keys: KeyRing, user: User, *, by: str) -> None:
    """Closes an account: its logins are over at once, and its tokens."""
    user.disabled_at, user.invitation = utc_now(), None
    log_out_everywhere(session, user)
    audit_log.record(session, keys, Entry(by, "disable user", user.id))


ROLE_REASONS = ("other duties", "stands in for somebody", "no longer stands in for somebody", "given by mistake")


def change_role(session: Session, keys: KeyRing, user: User, role: Role, *, by: str, reason: str) -> None:
    """Gives an account another role. Its logins are over at once; its tokens keep what the new role may do as well.

    Raises KithError for a reason that is not of the list, a closed account, the role that it has, one's own account,
    and the last administrator.
    """
    if user.id == by:
        raise KithError("This is your own account. Another administrator can change its role.")
    if reason not in ROLE_REASONS:
        raise KithError("Choose why the role is another from now on.")
    refuse_last_administrator(session, user)
    session.refresh(user, with_for_update=True)
    if user.disabled_at:
        raise KithError("This account is closed. Invite the person anew.")
    if user.role == role:
        raise KithError(f"Their role is {role} already. Choose another one.")
    details = {"from": user.role, "to": str(role)}
    user.role = role
    log_out_everywhere(session, user)
    audit_log.record(session, keys, Entry(by, "change role of user", user.id, reason, details))


def refuse_last_administrator(session: Session, user: User) -> None:
    """Raises KithError if nobody else of their authority could give a role or take one: accounts are its own affair.

    Two who take each other's take turns: the accounts of all administrators are locked, in one order.
    """
    able = (User.role == Role.ADMINISTRATOR, User.disabled_at.is_(None), User.authority_id == user.authority_id)
    found = session.scalars(select(User.id).where(*able).order_by(User.id).with_for_update()).all()
    if list(found) == [user.id]:
        raise KithError("This is the last administrator. Make somebody else one first.")


def _renew_invitation(user: User) -> str:
    secret = secrets.token_urlsafe(32)
    user.invitation, user.invited_until = hashed(secret), utc_now() + timedelta(hours=INVITATION_HOURS)
    return secret


# ---- logins ----------------------------------------------------------------------------------------------------------


def log_in(session: Session, settings: Settings, email: str, password: str) -> tuple[User, str] | None:
    """The account and the secret of a new login; None if it is refused. Counts what fails: commit in either case.

    A locked account is refused the right password too, and a wrong one given meanwhile does not lengthen the lock.
    """
    address = email.strip().lower()
    known = select(User).where(User.email == address).with_for_update()
    user = session.scalar(known) if address.isprintable() else None  # others are nobody's, and PostgreSQL takes no NUL
    right = _verify(user.password if user and user.password else _NOBODY, password)
    if user is None or user.password is None or user.disabled_at:
        return None
    now = utc_now()
    if user.locked_until and user.locked_until > now:
        return None
    if not right:
        user.failed_logins += 1
        if user.failed_logins >= settings.login_attempts:
            user.failed_logins, user.locked_until = 0, now + timedelta(minutes=settings.lockout_minutes)
        return None
    if not by_password(settings, Role(user.role)):
        return None
    user.failed_logins, user.locked_until = 0, None
    if _HASHER.check_needs_rehash(user.password):
        user.password = _HASHER.hash(password)
    return user, begin(session, settings, user)


def by_password(settings: Settings, role: Role) -> bool:
    """Whether an account of a role logs in by a password of Kith.

    With an identity provider administrators alone do, for the day on which it is away.
    """
    return settings.oidc_issuer is None or role == Role.ADMINISTRATOR


def begin(session: Session, settings: Settings, user: User) -> str:
    """A new login of an account whose owner has shown who they are; the secret for its cookie."""
    secret = secrets.token_urlsafe(32)
    ends = utc_now() + timedelta(hours=settings.session_hours)
    session.add(LoginSession(id=hashed(secret), user_id=user.id, csrf=secrets.token_urlsafe(32), ends_at=ends))
    return secret


def log_out_everywhere(session: Session, user: User) -> None:
    """Ends every login of an account."""
    session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))


def log_out(session: Session, login: str) -> None:
    session.execute(delete(LoginSession).where(LoginSession.id == login))


def by_cookie(session: Session, settings: Settings, secret: str) -> Person | None:
    """Who a cookie's login belongs to, if it is still on and the account open."""
    found = session.execute(
        select(LoginSession, User).join(User, User.id == LoginSession.user_id).where(LoginSession.id == hashed(secret))
    ).one_or_none()
    if found is None:
        return None
    login, user = found
    idle = utc_now() - login.seen_at
    if user.disabled_at or login.ends_at < utc_now() or idle > timedelta(minutes=settings.session_minutes):
        return None
    role = Role(user.role)
    return Person(user.id, user.authority_id, role, MAY[role], login.id, login.csrf)


def seen(session: Session, login: str) -> None:
    """Notes that a login is in use."""
    row = session.get(LoginSession, login)
    if row is not None:
        row.seen_at = utc_now()


def is_stale(session: Session, login: str) -> bool:
    """Whether `seen` is due: a minute is exact enough, and saves a write at every click."""
    at = session.scalar(select(LoginSession.seen_at).where(LoginSession.id == login))
    return at is not None and utc_now() - at > timedelta(minutes=1)


# ---- tokens ----------------------------------------------------------------------------------------------------------


TOKEN_DAYS = 366
"""The longest that a token may live."""


def make_token(
    session: Session, keys: KeyRing, user: User, *, name: str, scopes: Iterable[Permission], days: int
) -> str:
    """A new token of an account, told once. Raises KithError for scopes that the account does not have."""
    wanted = frozenset(scopes)
    if user.disabled_at:
        raise KithError("The account is closed.")
    if not wanted:
        raise KithError("A token needs a scope at least.")
    if excess := wanted - MAY[Role(user.role)]:
        raise KithError(f"The account may not {' or '.join(sorted(excess))}, nor may its token.")
    if not 1 <= days <= TOKEN_DAYS:
        raise KithError(f"A token lives from 1 to {TOKEN_DAYS} days.")
    secret, ends = f"kith_{secrets.token_urlsafe(32)}", utc_now() + timedelta(days=days)
    session.add(ApiToken(id=hashed(secret), user_id=user.id, name=name, scopes=sorted(wanted), expires_at=ends))
    audit_log.record(session, keys, Entry(user.id, "make token", user.id, details={"scopes": sorted(wanted)}))
    return secret


def tokens_of(user_id: str) -> Select[ApiToken]:
    """What asks for the tokens of an account that are still good, the newest first."""
    good = (ApiToken.user_id == user_id, ApiToken.revoked_at.is_(None), ApiToken.expires_at > utc_now())
    return select(ApiToken).where(*good).order_by(ApiToken.created_at.desc(), ApiToken.id)


def revoke_token(session: Session, keys: KeyRing, user_id: str, token_id: str) -> None:
    """Ends a token of an account at once. Raises NotFoundError for one that is another's, or over."""
    token = session.scalar(tokens_of(user_id).where(ApiToken.id == token_id))
    if token is None:
        raise NotFoundError("There is no such token.")
    token.revoked_at = utc_now()
    audit_log.record(session, keys, Entry(user_id, "revoke token", user_id, details={"scopes": token.scopes}))


def by_token(session: Session, secret: str) -> Person | None:
    """Who a token acts for, within its scopes, if it is still good and the account open."""
    found = session.execute(
        select(ApiToken, User).join(User, User.id == ApiToken.user_id).where(ApiToken.id == hashed(secret))
    ).one_or_none()
    if found is None:
        return None
    token, user = found
    if user.disabled_at or token.revoked_at or token.expires_at < utc_now():
        return None
    role = Role(user.role)
    return Person(user.id, user.authority_id, role, MAY[role] & frozenset(Permission(one) for one in token.scopes))


def user_by_email(session: Session, email: str) -> User:
    user = session.scalar(select(User).where(User.email == email.strip().lower()))
    if user is None:
        raise NotFoundError("There is no account with that address.")
    return user


def _verify(hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(hash, password[:_MOST_CHARACTERS])
    except (VerificationError, InvalidHashError):
        return False
