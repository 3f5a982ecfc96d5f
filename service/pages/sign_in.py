"""Signing in and out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr

from service.api import session
from service.api.deps import Asking, Kith
from service.auth import LoginError
from service.pages.html import render

router = APIRouter()


@router.get("/sign-in")
def sign_in_page(request: Request, next: str = "/") -> Response:
    chosen = "welcome" in request.query_params
    return page(request, next=own_path(next), welcome=chosen)


@router.post("/sign-in")
def sign_in(
    request: Request,
    kith: Kith,
    email: Annotated[str, Form(max_length=254)] = "",
    password: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    answer = RedirectResponse(own_path(next), 303)
    try:
        session.log_in(session.Credentials(email=email, password=SecretStr(password)), kith, answer)
    except LoginError as error:
        told = {"next": own_path(next), "email": email, "error": str(error)}
        return page(request, status=401, **told)
    return answer


def page(request: Request, *, status: int = 200, email: str = "", error: str = "", **told: Any) -> Response:
    """The page to sign in, with the way to the identity provider, where there is one."""
    provider = request.app.state.identity is not None
    return render(request, "sign-in.html", None, status=status, email=email, error=error, provider=provider, **told)


@router.post("/sign-out")
def sign_out(person: Asking, kith: Kith) -> Response:
    answer = RedirectResponse("/sign-in", 303)
    session.log_out(person, kith, answer)
    return answer


def own_path(asked: str) -> str:
    """A page of this service and of no other to go on to."""
    own = asked.startswith("/") and not asked.startswith(("//", "/sign-")) and "\\" not in asked
    return asked if own and asked.isprintable() else "/"
