"""What routes ask for by their parameters: who asks, the rows they may see, and the entry in the audit log."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from service import audit_log, auth
from service.auth import Person
from service.crypto import KeyRing
from service.database.engine import Database
from service.matching import Matching
from service.middleware import SAFE
from service.permissions import MAY, PUBLIC, ROUTES, Permission, who_may
from service.repository import Repository
from service.settings import Settings

API = "/api/"
"""Where programs ask, by a token; everything else that wants a login is a page."""
COOKIE = "kith_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"


@dataclass(frozen=True)
class Installation:
    """What one process of the service holds, as `app.state.kith`."""

    settings: Settings
    database: Database
    keys: KeyRing
    matching: Matching = field(default_factory=Matching)

    @property
    def cookie(self) -> str:
        """The name of the cookie; over HTTPS one that no other host can set."""
        return f"__Host-{COOKIE}" if self.settings.secure else COOKIE


def installation(request: Request) -> Installation:
    kith: Installation = request.app.state.kith
    return kith


Kith = Annotated[Installation, Depends(installation)]


async def form_token(request: Request) -> str:
    """The token in the hidden field of a page's form; a program gives it in the header."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data") or not request.cookies:
        return ""
    return str((await request.form()).get(CSRF_FIELD, ""))


def authorise(request: Request, kith: Kith, token: Annotated[str, Depends(form_token)]) -> Person | None:
    """Every route goes through here: who asks, and whether the route's line lets them. None on a public route."""
    request.state.route = request.app.state.paths.get(request.scope["endpoint"], "-")
    line = f"{request.method} {request.state.route}"
    if line not in ROUTES:
        raise HTTPException(403)
    needs = ROUTES[line]
    if needs is PUBLIC:
        return None
    person = _who(request, kith, token)
    request.state.user, request.state.person = person.user_id, person
    refuse_without(person, needs)
    return person


def _who(request: Request, kith: Installation, form_token: str) -> Person:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    with kith.database.read() as session:
        if scheme:
            # A page tells references and names to whoever may open it: it is for people, who have a session.
            program = scheme.lower() == "bearer" and request.state.route.startswith(API)
            person = auth.by_token(session, token) if program else None
        else:
            cookie = request.cookies.get(kith.cookie)
            person = auth.by_cookie(session, kith.settings, cookie) if cookie else None
        stale = person is not None and person.login is not None and auth.is_stale(session, person.login)
    if person is None:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    if person.csrf is not None and request.method not in SAFE:
        given = request.headers.get(CSRF_HEADER) or form_token
        if not hmac.compare_digest(given.encode(), person.csrf.encode()):
            raise HTTPException(403)
    if stale and person.login is not None:
        with kith.database.write() as session:
            auth.seen(session, person.login)
    return person


async def answering(kith: Kith) -> AsyncIterator[None]:
    """Every route goes through here as well: plan effects are worked out when nobody waits for an answer."""
    with kith.matching.turns.answering():
        yield


def asking(person: Annotated[Person | None, Depends(authorise)]) -> Person:
    if person is None:
        raise HTTPException(401)
    return person


Asking = Annotated[Person, Depends(asking)]


def reading(kith: Kith, person: Asking) -> Iterator[Repository]:
    """The rows of the person's authority, to read."""
    with kith.database.read(person.authority_id) as session:
        yield Repository(session, kith.keys)


def writing(kith: Kith, person: Asking) -> Iterator[Repository]:
    """The rows of the person's authority, to change: all of it or nothing."""
    with kith.database.write(person.authority_id) as session:
        yield Repository(session, kith.keys, kith.matching.opened(person.authority_id))


Reading = Annotated[Repository, Depends(reading)]
Writing = Annotated[Repository, Depends(writing, scope="function")]
"""Committed before the answer is sent: what is acknowledged is kept."""


Done = TypeVar("Done")


def attempt(kith: Installation, person: Person, work: Callable[[Repository], Done]) -> Done:
    """What `work` does with the rows of the person's authority; see `Database.attempt`. Committed when it returns."""
    opened = kith.matching.opened
    return kith.database.attempt(
        person.authority_id, lambda session: work(Repository(session, kith.keys, opened(person.authority_id)))
    )


def note_reading(kith: Installation, person: Person, what: str, child_id: str, **details: object) -> None:
    """Enters in the audit log that a child's record is read. Called before the answer: no entry, no answer."""
    with kith.database.write(person.authority_id) as session:
        audit_log.record(session, kith.keys, audit_log.Entry(person.user_id, "read", child_id, what, details))


def refuse_without(person: Person, permission: Permission) -> None:
    """Raises 403: what a request says may need more than its route."""
    if permission not in person.may:
        if permission in MAY[person.role]:
            raise HTTPException(403, f"This token may not do this: it lacks the scope “{permission}”.")
        raise HTTPException(403, f"Your account may not do this. {who_may(permission)}")


def may_identify(person: Person) -> bool:
    return Permission.IDENTIFY in person.may
