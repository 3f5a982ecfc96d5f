"""What was refused, as a page: for a browser, in place of the API's problem+json. Logged out leads to the login."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api import single_sign_on
from service.pages import sign_in
from service.pages.html import render

_TITLES = {
    403: "You cannot do this",
    404: "There is no such page",
    405: "This cannot be done here",
    409: "Not possible now",
    412: "Somebody changed this meanwhile",
    413: "The file is too large",
    422: "Something is missing",
    429: "Too many requests",
    500: "Sorry, there is a fault in Kith",
}


class ProblemPages:
    """Turns an answer of problem+json into a page where a person asked. The outermost wrap: it meets them all."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _for_a_person(scope):
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def sending(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                if Headers(raw=message["headers"]).get("content-type") != "application/problem+json":
                    await send(message)
                else:
                    start = message
            elif not start:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await self._answer(Request(scope), start, json.loads(body), send)

        await self.app(scope, receive, sending)

    async def _answer(self, request: Request, start: Message, problem: dict[str, Any], send: Send) -> None:
        headers = MutableHeaders(raw=list(start["headers"]))
        status = start["status"]
        if status == 401 and not _at_the_provider(request.url.path):
            page, status = b"", 303
            headers["location"] = f"/sign-in?next={quote(request.url.path)}" if request.method == "GET" else "/sign-in"
            del headers["www-authenticate"]
        else:
            if request.method == "GET" and problem.get("problems"):  # there was no form: the address is mistyped
                status = problem["status"] = 404
            page = bytes(_page(request, status, problem).body)
            headers["content-type"] = "text/html; charset=utf-8"
        headers["content-length"] = str(len(page))
        await send({**start, "status": status, "headers": headers.raw})
        await send({"type": "http.response.body", "body": page})


def _page(request: Request, status: int, problem: dict[str, Any]) -> Response:
    if status == 401:  # whom the identity provider sent back, and Kith does not let in
        return sign_in.page(request, status=status, error=problem["detail"], next="/")
    title, person = _TITLES.get(status, problem["title"]), getattr(request.state, "person", None)
    return render(request, "problem.html", person, status=status, title=title, problem=problem)


def _for_a_person(scope: Scope) -> bool:
    path = scope["path"]
    asked = "text/html" in Headers(scope=scope).get("accept", "")
    return asked and (not path.startswith("/api/") or _at_the_provider(path))


def _at_the_provider(path: str) -> bool:
    """Where a browser goes on its way to the identity provider and back."""
    return path.startswith(single_sign_on.PATH)
