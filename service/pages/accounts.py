"""Accounts and roles: who has one, inviting, another role, closing; and the link by which a password is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from matcher.errors import KithError, NotFoundError
from service import auth
from service.api.deps import Asking, Kith
from service.auth import LoginError
from service.database.base import utc_now
from service.database.tables import Authority, User
from service.pages.html import render
from service.permissions import MAY, Permission, Role
from service.repository import Repository

router = APIRouter()

UserId = Annotated[str, Path(pattern="^U[2-9B-Z]{11}$")]
Secret = Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$")]

SAID = {
    Permission.READ: "see records in which nobody is named", Permission.IDENTIFY: "see everybody’s records",
    Permission.WRITE: "change records and import, approve and suspend volunteers",
    Permission.DECIDE: "propose and record decisions, publish plans",
    Permission.APPROVE: "let a volunteer visit again who was stopped, approve exceptions and spending, "
                        "take back a no that was recorded by mistake, write the report of the year",
    Permission.RUN: "start runs, try drafts of the policy",
    Permission.LEARN: "download past decisions in which nobody is named", Permission.POLICY: "put a policy in force",
    Permission.PRIVACY: "tell people what is kept of them, and erase it", Permission.LOG: "read the audit log",
    Permission.USERS: "give accounts and roles",
}  # fmt: skip
"""What a permission is to somebody who gives a role. One's own login is everybody's."""


def duties(role: Role) -> list[str]:
    """See everybody’s records; change records and import; and so on."""
    may = MAY[role] - ({Permission.READ} if Permission.IDENTIFY in MAY[role] else frozenset())  # which has it in it
    return [said for permission, said in SAID.items() if permission in may]


@router.get("/users")
def users(
    request: Request, person: Asking, kith: Kith,
    changed: Annotated[str, Query(max_length=12, pattern="^([A-Z][2-9B-Z]{11})?$")] = "",
) -> Response:  # fmt: skip
    return _page(request, person, kith, changed=changed)


@router.post("/users")
def invite(
    request: Request, person: Asking, kith: Kith, email: Annotated[str, Form(max_length=254)] = "",
    name: Annotated[str, Form(max_length=100)] = "", role: Annotated[str, Form(max_length=20)] = "",
) -> Response:  # fmt: skip
    """The link is shown once, to be handed on: Kith sends no letters by itself."""
    if faults := _faults(email, name, role):
        return _page(request, person, kith, faults=faults, email=email, name=name, role=role)
    try:
        with kith.database.write(person.authority_id) as session:
            authority = session.get_one(Authority, person.authority_id)
            before = session.scalar(select(User.id).where(User.email == auth.address_of(email)))  # was it closed?
            user, secret = auth.invite(
                session, kith.keys, authority=authority, email=email, name=name.strip(), role=Role(role),
                by=person.user_id,
            )  # fmt: skip
            again, until = before == user.id, user.invited_until
    except KithError as error:
        return _page(request, person, kith, faults={"email": str(error)}, email=email, name=name, role=role)
    base = str(kith.settings.public_url or request.base_url).rstrip("/")
    by_password = auth.by_password(kith.settings, Role(role))
    link = f"{base}/welcome/{secret}" if by_password else f"{base}/sign-in"
    return _page(request, person, kith, link=link, invited=name.strip(), again=again, until=until)


def _faults(email: str, name: str, role: str) -> dict[str, str]:
    """What is wrong with an invitation, by the field that it is about."""
    faults = {}
    if not name.strip():
        faults["name"] = "Give a name."
    try:
        auth.address_of(email)
    except KithError as error:
        faults["email"] = str(error)
    if role not in tuple(Role):
        faults["role"] = "Choose a role."
    return faults


@router.get("/users/{user_id}/close")
def close_page(user_id: UserId, request: Request, person: Asking, kith: Kith) -> Response:
    """What it means, before it is done."""
    with kith.database.read(person.authority_id) as session:
        user = _account(session, person, user_id)
        name = Repository(session, kith.keys).account_names()[user.id]
    return render(request, "close.html", person, user=user, name=name)


@router.post("/users/{user_id}/close")
def close(user_id: UserId, request: Request, person: Asking, kith: Kith) -> Response:
    """Logins and tokens are over at once. Nobody closes their own: there might be no other administrator."""
    try:
        with kith.database.write(person.authority_id) as session:
            user = _account(session, person, user_id)
            if user.id == person.user_id:
                raise KithError("This is your own account. Another administrator can close it.")
            if user.disabled_at is None:
                auth.refuse_last_administrator(session, user)
                auth.disable(session, kith.keys, user, by=person.user_id)
    except NotFoundError:
        raise
    except KithError as error:
        return _page(request, person, kith, faults={"": str(error)})
    return RedirectResponse(f"/users?changed={user_id}", 303)


@router.get("/users/{user_id}/role")
def role_page(user_id: UserId, request: Request, person: Asking, kith: Kith) -> Response:
    return _role_form(request, person, kith, user_id)


@router.post("/users/{user_id}/role")
def change_role(
    user_id: UserId, request: Request, person: Asking, kith: Kith,
    was: Annotated[str, Form(max_length=20)] = "", role: Annotated[str, Form(max_length=20)] = "",
    reason: Annotated[str, Form(max_length=60)] = "",
) -> Response:  # fmt: skip
    """Logins are over at once, so that nothing goes on under the role before."""
    try:
        with kith.database.write(person.authority_id) as session:
            user = _account(session, person, user_id)
            if role not in tuple(Role):
                raise KithError("Choose a role.")
            if user.role != was:
                raise KithError(f"Somebody changed the role meanwhile: it is {user.role} now.")
            auth.change_role(session, kith.keys, user, Role(role), by=person.user_id, reason=reason)
    except NotFoundError:
        raise
    except KithError as error:
        return _role_form(request, person, kith, user_id, str(error), role, reason)
    return RedirectResponse(f"/users?changed={user_id}", 303)


def _account(session: Session, person: Asking, user_id: str) -> User:
    """Of the person's own authority. Raises NotFoundError."""
    user = session.scalar(select(User).where(User.id == user_id, User.authority_id == person.authority_id))
    if user is None:
        raise NotFoundError("There is no such account.")
    return user


def _role_form(
    request: Request, person: Asking, kith: Kith, user_id: str, error: str = "", role: str = "", reason: str = ""
) -> Response:
    with kith.database.read(person.authority_id) as session:
        user = _account(session, person, user_id)
        name = Repository(session, kith.keys).account_names()[user.id]
    return render(
        request, "role.html", person, status=422 if error else 200, user=user, name=name, roles=Role, duties=duties,
        reasons=auth.ROLE_REASONS, error=error, role=role, reason=reason,
        to_choose=user.id != person.user_id and user.disabled_at is None,
    )  # fmt: skip


def _page(
    request: Request, person: Asking, kith: Kith, *, faults: Mapping[str, str] | None = None, link: str = "",
    invited: str = "", again: bool = False, until: datetime | None = None, changed: str = "",
    email: str = "", name: str = "", role: str = "",
) -> Response:  # fmt: skip
    """`faults` are by the field that they are about; "" is about none."""
    with kith.database.read(person.authority_id) as session:
        accounts = session.scalars(select(User).where(User.authority_id == person.authority_id)).all()
        names = Repository(session, kith.keys).account_names()
    saved = next((one for one in accounts if one.id == changed), None)
    accounts = [one for one in accounts if names[one.id]]  # who was cleared had done nothing
    accounts = sorted(accounts, key=lambda one: (one.disabled_at is not None, names[one.id].casefold()))
    return render(
        request, "users.html", person, status=422 if faults else 200, accounts=accounts, names=names, roles=Role,
        duties=duties, faults=faults or {}, link=link, invited=invited, again=again, saved=saved,
        until=until, now=utc_now(), email=email, name=name, role=role,
    )  # fmt: skip


# ---- the other end of the link ---------------------------------------------------------------------------------------


@router.get("/welcome/{secret}")
def welcome(secret: Secret, request: Request, kith: Kith) -> Response:
    try:
        with kith.database.read() as session:
            auth.invited(session, secret)
    except LoginError as error:
        return _not_welcome(request, error)
    return render(request, "welcome.html", None, error="")


@router.post("/welcome/{secret}")
def choose_password(
    secret: Secret, request: Request, kith: Kith, password: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    try:
        with kith.database.write() as session:
            auth.accept(session, kith.keys, secret, password)
    except LoginError as error:
        return _not_welcome(request, error)
    except KithError as error:
        return render(request, "welcome.html", None, status=422, error=str(error))
    return RedirectResponse("/sign-in?welcome=yes", 303)


def _not_welcome(request: Request, error: LoginError) -> Response:
    return render(request, "welcome.html", None, status=410, over=str(error), error="")
