"""Logging in by the council's identity provider: there, and back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from service import audit_log, identity
from service.api.deps import Kith
from service.auth import LoginError
from service.errors import Responses, headers_of
from service.identity import Attempt, Provider

router = APIRouter(prefix="/session/oidc", tags=["session"])

COOKIE = "kith_login"
PATH = identity.CALLBACK.rsplit("/", 1)[0]


def _provider(request: Request) -> Provider:
    provider: Provider | None = request.app.state.identity
    if provider is None:
        raise HTTPException(404)
    return provider


_SENT_ON: Responses = {303: {"headers": headers_of("Location", "Set-Cookie")}}


@router.get("", status_code=303, response_class=Response, responses=_SENT_ON)
def go(request: Request, kith: Kith) -> Response:
    """Sends the browser to the identity provider."""
    address, attempt = _provider(request).begin()
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        COOKIE, attempt.sealed(kith.keys), max_age=60 * identity.MINUTES, path=PATH,
        secure=kith.settings.secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return answer


@router.get("/callback", status_code=303, response_class=Response, responses=_SENT_ON)
def come_back(
    request: Request,
    kith: Kith,
    state: Annotated[str, Query(max_length=200, examples=["pJ3xW8vQ"])] = "",
    code: Annotated[str, Query(max_length=4000, examples=["SplxlOBeZQQYbYS6WxSbIA"])] = "",
) -> Response:
    """Logs in who comes back with a good code, and goes on to the first page."""
    provider, attempt = _provider(request), Attempt.opened(request.cookies.get(COOKIE, ""), kith.keys)
    who = provider.finish(attempt, state=state, code=code)
    with kith.database.write() as session:
        found = identity.log_in(session, kith.keys, kith.settings, who)
        entry = audit_log.Entry(found[0].id if found else "", "log in", reason="provider" if found else "refused")
        audit_log.record(session, kith.keys, entry)
    if found is None:
        raise LoginError("There is no open account for you in Kith. Ask an administrator for one.")
    answer = RedirectResponse("/", 303)
    answer.set_cookie(kith.cookie, found[1], path="/", secure=kith.settings.secure, httponly=True, samesite="lax")
    answer.delete_cookie(COOKIE, path=PATH, secure=kith.settings.secure, httponly=True, samesite="lax")
    return answer
