"""Accounts and roles: who has one, inviting and closing, and the link by which somebody chooses a password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select

from matcher.errors import KithError, NotFoundError
from service import auth
from service.api.deps import Asking, Kith
from service.database.base import utc_now
from service.database.tables import Authority, User
from service.pages.html import render
from service.permissions import MAY, Role
from service.repository import Repository

router = APIRouter()

UserId = Annotated[str, Path(pattern="^U[2-9B-Z]{11}$")]
Secret = Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$")]


@router.get("/users")
def users(request: Request, person: Asking, kith: Kith) -> Response:
    return _page(request, person, kith)


@router.post("/users")
def invite(
    request: Request, person: Asking, kith: Kith, email: Annotated[str, Form(max_length=254)] = "",
    name: Annotated[str, Form(max_length=100)] = "", role: Annotated[str, Form(max_length=20)] = "",
) -> Response:  # fmt: skip
    """The link is shown once, to be handed on: Kith sends no letters by itself."""
    given = {"email": email, "name": name, "role": role}
    try:
        if not name.strip() or role not in tuple(Role):
            raise KithError("Give a name, and choose a role.")
        with kith.database.write(person.authority_id) as session:
            authority = session.get_one(Authority, person.authority_id)
            secret = auth.invite(
                session, kith.keys, authority=authority, email=email, name=name.strip(), role=Role(role),
                by=person.user_id,
            )[1]  # fmt: skip
    except KithError as error:
        return _page(request, person, kith, error=str(error), **given)
    base = str(kith.settings.public_url or request.base_url).rstrip("/")
    return _page(request, person, kith, link=f"{base}/welcome/{secret}", invited=name.strip())


@router.post("/users/{user_id}/close")
def close(user_id: UserId, request: Request, person: Asking, kith: Kith) -> Response:
    """Logins and tokens are over at once. Nobody closes their own: there might be no other administrator."""
    with kith.database.write(person.authority_id) as session:
        user = session.scalar(select(User).where(User.id == user_id, User.authority_id == person.authority_id))
        if user is None:
            raise NotFoundError("There is no such account.")
        own = user.id == person.user_id
        if not own and user.disabled_at is None:
            auth.disable(session, kith.keys, user, by=person.user_id)
    if own:
        return _page(request, person, kith, error="This is your own account. Another administrator can close it.")
    return RedirectResponse("/users", 303)


def _page(
    request: Request, person: Asking, kith: Kith, *, error: str = "", link: str = "", invited: str = "",
    email: str = "", name: str = "", role: str = "",
) -> Response:  # fmt: skip
    with kith.database.read(person.authority_id) as session:
        accounts = session.scalars(select(User).where(User.authority_id == person.authority_id)).all()
        names = Repository(session, kith.keys).account_names()
    accounts = sorted(accounts, key=lambda one: (one.disabled_at is not None, names[one.id].casefold()))
    return render(
        request, "users.html", person, status=422 if error else 200, accounts=accounts, names=names, roles=Role,
        may_of=MAY, error=error, link=link, invited=invited, hours=auth.INVITATION_HOURS, email=email, name=name,
        role=role, now=utc_now(),
    )  # fmt: skip


# ---- the other end of the link ---------------------------------------------------------------------------------------


@router.get("/welcome/{secret}")
def welcome(secret: Secret, request: Request) -> Response:
    return render(request, "welcome.html", None, secret=secret, error="")


@router.post("/welcome/{secret}")
def choose_password(
    secret: Secret, request: Request, kith: Kith, password: Annotated[str, Form(max_length=400)] = ""
) -> Response:
    try:
        with kith.database.write() as session:
            auth.accept(session, kith.keys, secret, password)
    except KithError as error:
        return render(request, "welcome.html", None, status=422, secret=secret, error=str(error))
    return RedirectResponse("/sign-in?welcome=yes", 303)
