"""The audit log with its filters, and the accounts with their roles."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import ColumnElement, String, cast, func, select

from service.api.deps import Asking, Kith
from service.database.base import utc_now
from service.database.tables import AuditEvent, User
from service.pages.html import render
from service.pages.lists import SIZE, Page
from service.permissions import MAY, Role
from service.repository import Repository

router = APIRouter()

_Id = Annotated[str, Query(max_length=12, pattern="^([A-Z][2-9B-Z]{11})?$")]
KINDS = ("read", "decision", "share", "import", "log in", "log out", "user", "policy", "run")
"""How the actions begin by which the log can be filtered."""


@router.get("/log")
def log(
    request: Request,
    person: Asking,
    kith: Kith,
    kind: Annotated[str, Query(max_length=20)] = "",
    actor: _Id = "",
    subject: _Id = "",
    days: Annotated[int, Query(ge=0, le=3660)] = 30,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Of the person's own authority. A child's id shows who read or changed anything of theirs, lists included."""
    with kith.database.read(person.authority_id) as session:
        query = select(AuditEvent).where(AuditEvent.chain == person.authority_id)
        if kind in KINDS:
            query = query.where(AuditEvent.action.contains(kind, autoescape=True))
        if actor:
            query = query.where(AuditEvent.actor == actor)
        if days:
            query = query.where(AuditEvent.at >= utc_now() - timedelta(days=days))
        if subject:
            query = query.where((AuditEvent.subject == subject) | _listed(subject))
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        events = session.scalars(query.order_by(AuditEvent.number.desc()).offset((page - 1) * SIZE).limit(SIZE)).all()
        names = Repository(session, kith.keys).account_names()
    filters = {"kind": kind, "actor": actor, "subject": subject, "days": str(days)}
    found = Page(events, total, page, filters)
    return render(request, "log.html", person, page=found, names=names, kinds=KINDS, chosen=filters)


@router.get("/users")
def users(request: Request, person: Asking, kith: Kith) -> Response:
    with kith.database.read(person.authority_id) as session:
        accounts = session.scalars(select(User).where(User.authority_id == person.authority_id)).all()
        names = Repository(session, kith.keys).account_names()
    accounts = sorted(accounts, key=lambda one: (one.disabled_at is not None, names[one.id].casefold()))
    return render(request, "users.html", person, accounts=accounts, names=names, roles=Role, may_of=MAY)


def _listed(subject: str) -> ColumnElement[bool]:
    """Whether the entry is of a list that had this child in it. An id needs no escaping."""
    return cast(AuditEvent.details, String).contains(f'"{subject}"')
