"""Logging in and out."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from service import audit_log, auth
from service.api.deps import Asking, Kith
from service.api.shapes import (
    AUser,
)
from service.auth import LoginError
from service.errors import (
    headers_of,
)
from service.permissions import Permission, Role

router = APIRouter(prefix="/session", tags=["session"])


class Credentials(BaseModel):
    model_config = ConfigDict(extra="forbid")
    email: str = Field(max_length=254, examples=["coordinator@demo.invalid"])
    password: SecretStr = Field(max_length=200, examples=["a long sentence of your own"])


class Login(BaseModel):
    """Who is logged in, and the token that every change has to carry in the header X-CSRF-Token."""

    user: AUser
    role: Role
    may: list[Permission] = Field(examples=[["read", "self"]])
    csrf: str | None = Field(examples=["b1f4…"], description="null where a token asks.")


@router.post("", responses={200: {"headers": headers_of("Set-Cookie")}})
def log_in(given: Credentials, kith: Kith, response: Response) -> Login:
    """Logs in with a local account; the answer sets the cookie."""
    with kith.database.write() as session:
        found = auth.log_in(session, kith.settings, given.email, given.password.get_secret_value())
        entry = audit_log.Entry(found[0].id if found else "", "log in", reason="" if found else "refused")
        audit_log.record(session, kith.keys, entry)
    if found is None:
        minutes = kith.settings.lockout_minutes
        raise LoginError(f"Address or password are not right, or the account is locked for {minutes} minutes.")
    with kith.database.read() as session:
        person = auth.by_cookie(session, kith.settings, found[1])
    if person is None:
        raise LoginError("The account was closed.")
    response.set_cookie(kith.cookie, found[1], path="/", secure=kith.settings.secure, httponly=True, samesite="lax")
    return _login(person)


@router.get("")
def who(person: Asking) -> Login:
    """Who is logged in."""
    return _login(person)


@router.delete("", status_code=204)
def log_out(person: Asking, kith: Kith, response: Response) -> None:
    """Ends the login."""
    if person.login is not None:
        with kith.database.write() as session:
            auth.log_out(session, person.login)
            audit_log.record(session, kith.keys, audit_log.Entry(person.user_id, "log out"))
    response.delete_cookie(kith.cookie, path="/", secure=kith.settings.secure, httponly=True, samesite="lax")


def _login(person: auth.Person) -> Login:
    return Login(user=person.user_id, role=person.role, may=sorted(person.may), csrf=person.csrf)
