"""Organisations: the providers that accommodate children, and their names of now and before."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from matcher.errors import InputError
from service import organisations
from service.api.deps import Asking, Kith, Reading, note_reading
from service.api.shapes import OrganisationId
from service.database import tables
from service.pages.exceptions import Breaking
from service.pages.html import render
from service.pages.lists import Page
from service.proposals import TakenError
from service.repository import Repository

router = APIRouter(prefix="/organisations")


@router.get("")
def organisation_list(
    request: Request, person: Asking, rows: Reading, page: Annotated[int, Query(ge=1, le=100_000)] = 1
) -> Response:
    every = rows.session.scalars(select(tables.Organisation)).all()
    listed = Page.of(sorted(every, key=lambda one: (one.name.casefold(), one.id)), page, {})
    return render(request, "organisations.html", person, page=listed)


@router.get("/{organisation_id}")
def rename_page(organisation_id: OrganisationId, request: Request, person: Asking, rows: Reading) -> Response:
    return _form(request, person, rows, organisation_id)


@router.post("/{organisation_id}")
def rename(
    organisation_id: OrganisationId, request: Request, person: Asking, kith: Kith,
    version: Annotated[int, Form()] = 0, name: Annotated[str, Form(max_length=400)] = "",
) -> Response:  # fmt: skip
    """Tells of which live matches the new name shows that the volunteer has a part in what accommodates the child."""
    name, error = name.strip(), ""
    try:
        if not name or len(name) > 200 or not name.isprintable():
            raise InputError("Write the name in up to 200 characters.")
        with kith.database.write(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            row = rows.organisation(organisation_id)
            if row.version != version:
                raise InputError(f"Somebody renamed it meanwhile: it is “{row.name}” now. Nothing of yours was saved.")
            matches = Breaking.of(rows, organisations.rename(rows, row, name, user_id=person.user_id))
    except (InputError, TakenError) as refusal:
        error = str(refusal)
    if error:
        with kith.database.read(person.authority_id) as session:
            return _form(request, person, Repository(session, kith.keys), organisation_id, error, name)
    note_reading(kith, person, "organisation", "", children=sorted(one.child_id for one in matches))
    return render(
        request, "breaking.html", person, title="The organisation has another name", matches=matches,
        back=("Organisations", "/organisations"),
    )  # fmt: skip


def _form(
    request: Request, person: Asking, rows: Repository, organisation_id: str, error: str = "", name: str = ""
) -> Response:
    row = rows.organisation(organisation_id)
    return render(
        request, "organisation.html", person, status=422 if error else 200, row=row, error=error, name=name or row.name
    )
