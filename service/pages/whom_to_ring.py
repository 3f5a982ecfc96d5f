"""Whom to ring, as letters say it: a manager keeps it here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from service import whom_to_ring
from service.api.deps import Asking, Kith, Reading
from service.pages.html import render
from service.repository import Repository
from service.whom_to_ring import PARTS, WhomToRingError

router = APIRouter(prefix="/whom-to-ring")

Text = Annotated[str, Form(max_length=2000)]


@router.get("")
def whom_to_ring_page(
    request: Request, person: Asking, rows: Reading, saved: Annotated[bool, Query()] = False
) -> Response:  # fmt: skip
    return _form(request, person, rows, saved=saved)


@router.post("")
def write_whom_to_ring(
    request: Request, person: Asking, kith: Kith, version: Annotated[int, Form()] = 0, service: Text = "",
    address: Text = "", telephone: Text = "", out_of_hours: Text = "", advocacy: Text = "",
    advocacy_telephone: Text = "",
) -> Response:  # fmt: skip
    typed = {
        "service": service, "address": address, "telephone": telephone, "out_of_hours": out_of_hours,
        "advocacy": advocacy, "advocacy_telephone": advocacy_telephone,
    }  # fmt: skip
    errors, moved = {}, False
    try:
        with kith.database.write(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            row = whom_to_ring.row_of(rows)
            moved = (row.version if row else 0) != version
            if not moved:
                whom_to_ring.write(rows, typed, user_id=person.user_id)
    except WhomToRingError as refused:
        errors = {refused.part: str(refused)}
    except (IntegrityError, StaleDataError):  # somebody was quicker, at this very moment
        moved = True
    if not errors and not moved:
        return RedirectResponse("/whom-to-ring?saved=yes", 303)
    with kith.database.read(person.authority_id) as session:
        return _form(request, person, Repository(session, kith.keys), typed, errors, moved)


def _form(
    request: Request, person: Asking, rows: Repository, typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None, moved: bool = False, *, saved: bool = False,
) -> Response:  # fmt: skip
    row, kept = whom_to_ring.row_of(rows), whom_to_ring.told(rows)
    return render(
        request, "whom-to-ring.html", person, status=409 if moved else 422 if errors else 200, parts=PARTS, kept=kept,
        typed=kept if typed is None else typed, version=row.version if row else 0, errors=errors or {}, moved=moved,
        saved=saved,
    )  # fmt: skip
