"""What every request goes through before a route sees it, in plain ASGI, outermost first in `WRAPS`."""

from __future__ import annotations

import secrets
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from math import ceil
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import problem
from service.settings import Settings

SAFE = ("GET", "HEAD", "OPTIONS")
TRY_A_SECRET = ("/api/v1/session", "/sign-in", "/welcome/")
"""Where a password or the link of an invitation is given."""
_LOG = structlog.get_logger("kith")


class Told:
    """Gives a request its id and its nonce, logs it in one line, and puts the headers on that a browser obeys.

    The line holds the route's pattern, never the path or the query; of a crash, the kind and the place, never the
    words: they could be a child's.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.secure = app, settings.secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, request_id, nonce = time.perf_counter(), secrets.token_hex(8), secrets.token_urlsafe(16)
        scope.setdefault("state", {}).update(request_id=request_id, nonce=nonce)
        status = 500

        async def telling(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers(scope["path"], nonce).items():
                    headers.setdefault(name, value)
                headers["X-Request-ID"] = request_id
            await send(message)

        crash: dict[str, Any] = {}
        try:
            await self.app(scope, receive, telling)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            crash = {"crash": type(error).__name__, "at": f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"}
            await problem(500, "A fault in Kith itself. Nothing was changed.", request_id)(scope, receive, telling)
        finally:
            (_LOG.error if crash else _LOG.info)(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=scope["state"].get("route", "-"),
                status=status,
                ms=round(1000 * (time.perf_counter() - begun)),
                user=scope["state"].get("user", "-"),
                **crash,
            )

    def _headers(self, path: str, nonce: str) -> dict[str, str]:
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
            "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        headers = {
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        }
        if path.startswith("/static/"):
            headers["Cache-Control"] = "public, max-age=3600"
        if self.secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return headers


class RateLimit:
    """So many requests a minute from one address, and far fewer that try a secret; more are told to wait.

    Counted by process. Each password that is tried costs the machine as much as it is meant to cost who guesses.
    """

    def __init__(self, app: ASGIApp, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.app, self.clock = app, clock
        self.most, self.most_secrets = settings.requests_a_minute, settings.logins_a_minute
        self.left: dict[tuple[str, int], tuple[float, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            address = (scope.get("client") or ("-",))[0]
            tries = scope["method"] == "POST" and scope["path"].startswith(TRY_A_SECRET)
            limits = [self.most, self.most_secrets] if tries else [self.most]
            reached = next((most for most in limits if not self._allowed(address, most)), None)
            if reached is not None:
                refusal = _refusal(scope, 429, "Too many requests. Wait a minute.")
                refusal.headers["Retry-After"] = str(self._seconds(address, reached))
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _allowed(self, address: str, most: int | None = None) -> bool:
        now, most = self.clock(), most or self.most
        if len(self.left) > 10_000:  # whoever has not asked for a minute has all of it again
            self.left = {one: state for one, state in self.left.items() if now - state[1] < 60}
        tokens, before = self.left.get((address, most), (float(most), now))
        tokens = min(most, tokens + (now - before) * most / 60)
        self.left[address, most] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

    def _seconds(self, address: str, most: int) -> int:
        """In how many the next request of an address that was refused is let through."""
        tokens, _ = self.left[address, most]
        return ceil((1 - tokens) * 60 / most)


class BodyCap:
    """No body is read beyond the limit, whatever its Content-Length says or leaves out."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.most = app, settings.body_megabytes * 1024 * 1024

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = _refusal(scope, 413, f"The request is too large. The most is {self.most >> 20} MB.")
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdigit() or int(length) > self.most:
            await refusal(scope, receive, send)
            return
        read = 0

        async def counting() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.most:
                raise _TooLargeError
            return message

        async def sending(message: Message) -> None:
            if read <= self.most:  # otherwise the refusal is the answer
                await send(message)

        with suppress(_TooLargeError):
            await self.app(scope, counting, sending)
        if read > self.most:
            await refusal(scope, receive, send)


class SameOrigin:
    """A form or a script of another site changes nothing here. Browsers say where a request comes from."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.origin = str(settings.public_url).rstrip("/") if settings.public_url else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE:
            headers = Headers(scope=scope)
            own = self.origin or f"{scope['scheme']}://{headers.get('host', '')}"
            origin, site = headers.get("origin"), headers.get("sec-fetch-site")
            if (origin is not None and origin != own) or site not in (None, "same-origin", "none"):
                await _refusal(scope, 403, "The request came from another site.")(scope, receive, send)
                return
        await self.app(scope, receive, send)


WRAPS = (Told, RateLimit, BodyCap, SameOrigin)


class _TooLargeError(Exception):
    pass


def _refusal(scope: Scope, status: int, sentence: str) -> Response:
    return problem(status, sentence, scope["state"]["request_id"])
