"""Organisations: the providers that accommodate children, by name."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from service import organisations as providers
from service.api.deps import Asking, Reading, Writing, may_identify
from service.api.shapes import (
    CHANGES,
    MADE,
    VERSIONED,
    Given,
    IfMatch,
    ListPage,
    OneLine,
    OrganisationId,
    PageNumber,
    PageSize,
    PrintableText,
    Version,
    one_page,
    require_version,
    tell_version,
)
from service.auth import Person
from service.database import tables

router = APIRouter(prefix="/organisations", tags=["organisations"])


class NewOrganisation(Given):
    name: Annotated[str, PrintableText] = Field(max_length=64, examples=["Example Homes Ltd"])


class Organisation(BaseModel):
    id: str = Field(examples=["O5TB8N3KXM7Q"])
    name: str = Field(examples=["Example Homes Ltd"], description="Empty for those who may not identify anybody.")
    former: list[str] = Field(
        examples=[["Bluebell Homes"]], description="Names of before, as they were written: they still mean this one."
    )
    version: Version


class OrganisationPage(ListPage):
    organisations: list[Organisation]


class Renamed(Organisation):
    breaking: list[str] = Field(
        examples=[["M3HG8K5QWN2P"]],
        description="Ids of live matches of which the new name shows that the volunteer has a part in what "
        "accommodates the child. Somebody has to look at them now.",
    )


@router.get("")
def organisations(
    person: Asking,
    rows: Reading,
    page: PageNumber = 1,
    size: PageSize = 50,
    sort: Literal["name", "id"] = "name",
    name: Annotated[
        str | None, OneLine, Query(max_length=200, examples=["Exam"], description="How it begins, in any capitals.")
    ] = None,
) -> OrganisationPage:
    """Providers that accommodate children. Nobody who belongs to one visits a child who lives there."""
    identified, table = may_identify(person), tables.Organisation
    query = select(table)
    if name is not None:
        begins = func.lower(table.name).startswith(name.lower(), autoescape=True)
        query = query.where(begins if identified else table.id == "")
    order = table.name if sort == "name" and identified else table.id
    total, found = one_page(rows.session, query.order_by(order), page, size)
    return OrganisationPage(total=total, page=page, organisations=[_told(person, row) for (row,) in found])


@router.post("", status_code=201, responses=MADE)
def add(given: NewOrganisation, person: Asking, rows: Writing, response: Response) -> Organisation:
    """A provider, to be chosen by name in children's and volunteers' facts."""
    row = providers.add(rows, given.name, user_id=person.user_id)
    tell_version(response, row.version)
    return _told(person, row)


@router.get("/{organisation_id}", responses=VERSIONED)
def organisation(organisation_id: OrganisationId, person: Asking, rows: Reading, response: Response) -> Organisation:
    """One provider."""
    row = rows.organisation(organisation_id)
    tell_version(response, row.version)
    return _told(person, row)


@router.patch("/{organisation_id}", responses=CHANGES)
def rename(
    organisation_id: OrganisationId,
    given: NewOrganisation,
    expected: IfMatch,
    person: Asking,
    rows: Writing,
    response: Response,
) -> Renamed:
    """Gives a provider another name.

    Children's and volunteers' facts may go on calling it by a name of before, and so may files: rules take all of its
    names for one.
    """
    row = rows.organisation(organisation_id)
    require_version(row.version, expected)
    breaking = providers.rename(rows, row, given.name, user_id=person.user_id)
    tell_version(response, row.version)
    return Renamed(**dict(_told(person, row)), breaking=list(breaking))


def _told(person: Person, row: tables.Organisation) -> Organisation:
    named = may_identify(person)
    return Organisation(
        id=row.id, name=row.name if named else "", former=row.former if named else [], version=row.version
    )
