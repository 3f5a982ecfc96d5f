"""A child's brothers and sisters: added by whoever enters facts, taken apart by a manager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from matcher.errors import NotFoundError
from matcher.words import listed
from service.api.deps import Asking, Installation, Kith, attempt, note_reading
from service.api.shapes import ChildId
from service.auth import Person
from service.database import tables
from service.families import UNLINK_REASONS, ApartError, held_matches, link_siblings, siblings_of, unlink_sibling
from service.pages.html import render
from service.pages.lists import named
from service.repository import Repository
from service.workflow import APPOINTED, State

router = APIRouter(prefix="/children/{child_id}")


def named_siblings(references: Mapping[str, str], text: str) -> list[str] | None:
    """Ids of the siblings that were named; nobody for "none", not known where it is blank. Raises NotFoundError."""
    if not text:
        return None
    found = []
    for part in text.replace(",", ";").split(";") if text.casefold() != "none" else ():
        id = named(references, "C", part)
        if id is None:
            raise NotFoundError(f"There is no child “{part.strip()}” here. Add that child first, or check this.")
        found.append(id)
    return found


# ---- adding ----------------------------------------------------------------------------------------------------------


@router.get("/siblings")
def siblings_form(
    child_id: ChildId, request: Request, person: Asking, kith: Kith, taken: Literal["out", ""] = ""
) -> Response:
    return _siblings_form(request, person, kith, child_id, taken=bool(taken))


@router.post("/siblings")
def add_siblings(
    child_id: ChildId, request: Request, person: Asking, kith: Kith,
    siblings: Annotated[str, Form(max_length=2000)] = "", meant: Annotated[str, Form(max_length=2000)] = "",
) -> Response:  # fmt: skip
    """Adds brothers and sisters, or that there are none; who is one stays one, unless a manager takes them apart.

    `meant` is what was kept of those whom a manager took apart, of which the form that comes back has told.
    """
    typed = siblings.strip()
    try:
        with kith.database.write(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            found = named_siblings(rows.references(), typed)
            if found is None:
                raise NotFoundError("Write who they are, or none if there are none.")
            if child_id in found:  # it would read as: they have none
                raise NotFoundError(f"{rows.child(child_id).reference}: that is this child. Write who the others are.")
            if not found and siblings_of(rows, rows.child(child_id)):
                raise NotFoundError("Brothers and sisters are recorded. That they are none is for a manager to say.")
            link_siblings(rows, [child_id, *found], user_id=person.user_id, although=meant.split(";"))
        return RedirectResponse(f"/children/{child_id}?saved=yes", 303)
    except NotFoundError as error:
        return _siblings_form(request, person, kith, child_id, typed, str(error))
    except ApartError as error:
        return _siblings_form(request, person, kith, child_id, typed, all_the_same(error), apart=error.apart)


def all_the_same(error: ApartError) -> str:
    return f"{error.told} Save once more if they are brothers and sisters all the same."


def _siblings_form(
    request: Request, person: Person, kith: Installation, child_id: str, typed: str = "", error: str = "", *,
    taken: bool = False, apart: Sequence[str] = (),
) -> Response:  # fmt: skip
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        row = rows.child(child_id)
        family = siblings_of(rows, row)
    note_reading(kith, person, "record", child_id, children=[one.id for one in family])
    return render(
        request, "siblings.html", person, status=422 if error else 200, row=row, typed=typed, error=error, taken=taken,
        family=[one.reference for one in family], meant=";".join(apart),
    )  # fmt: skip


# ---- taking apart ----------------------------------------------------------------------------------------------------


@router.get("/unlink")
def unlink_page(child_id: ChildId, request: Request, person: Asking, kith: Kith) -> Response:
    return _unlink_form(request, person, kith, child_id)


@router.post("/unlink")
def unlink(
    child_id: ChildId, request: Request, person: Asking, kith: Kith,
    siblings: Annotated[str, Form(max_length=2000)] = "", reason: Annotated[str, Form(max_length=40)] = "",
) -> Response:  # fmt: skip

    def write(rows: Repository) -> str:
        """What is wrong with what was sent; nothing where it was done."""
        rows.take_turn()  # so that nobody is added between this look and what is done
        child = rows.child(child_id)
        if siblings != _shown(siblings_of(rows, child)):
            return "Somebody changed this family meanwhile. Look again: nothing was changed."
        if reason not in UNLINK_REASONS:
            return "Choose why this child does not belong to the family."
        unlink_sibling(rows, child, user_id=person.user_id, reason=reason)
        return ""

    if error := attempt(kith, person, write):
        return _unlink_form(request, person, kith, child_id, error, reason)
    return RedirectResponse(f"/children/{child_id}/siblings?taken=out", 303)


def _unlink_form(
    request: Request, person: Person, kith: Installation, child_id: str, error: str = "", reason: str = ""
) -> Response:
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        row, told = rows.child(child_id), rows.references()
        siblings = siblings_of(rows, row)
        visits = [
            f"{told[one.volunteer_id]}, who {_how(one)} {told[one.child_id]}"
            for one in held_matches(rows, row.family_id)
            if siblings
        ]
    note_reading(kith, person, "record", child_id, children=[one.id for one in siblings])
    return render(
        request, "unlink.html", person, status=422 if error else 200, row=row, siblings=_shown(siblings),
        others=siblings, names=listed(one.reference for one in siblings), several=len(siblings) > 1,
        visits=sorted(visits), reasons=UNLINK_REASONS, reason=reason, error=error,
    )  # fmt: skip


def _shown(siblings: Sequence[tables.Child]) -> str:
    """Who stands on the page, so that a manager takes a child from those alone whom they saw."""
    return "; ".join(one.reference for one in siblings)


def _how(match: tables.Match) -> str:
    if match.state == State.ENDED:
        return "visited"
    return "visits" if State(match.state) in APPOINTED else "is proposed to"
