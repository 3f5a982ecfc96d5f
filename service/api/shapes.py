"""What several resources share: ids in paths, pages of a list, versions, facts in the words of the columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Sheet
from service.errors import Responses, described, headers_of
from service.people import ASKED_BY, columns_of
from service.safeguards import WHY

_ID = "^{}[2-9B-Z]{{11}}$"
_EXAMPLES = {
    "C": "C7KQ4M2XPH3R", "V": "V4TX9B2LMD7W", "M": "M3HG8K5QWN2P", "F": "F9XK3M7BQ2WD", "O": "O5TB8N3KXM7Q",
    "E": "E8MW2XK5TB3N", "I": "I7XB3NK9QM2T", "Y": "Y7XB3NK9QM2T", "R": "R7KQ4M2XPH3R", "U": "U6WX2K9NBT4D",
    "W": "W2NK8D4HQX6T",
}  # fmt: skip


def id_of(letter: str) -> Any:
    """The constraint of an id in a request, with an example of one."""
    return Field(pattern=_ID.format(letter), examples=[_EXAMPLES[letter]])


def _in_path(letter: str) -> Any:
    return Path(pattern=_ID.format(letter), examples=[_EXAMPLES[letter]])


ChildId = Annotated[str, _in_path("C")]
VolunteerId = Annotated[str, _in_path("V")]
MatchId = Annotated[str, _in_path("M")]
FamilyId = Annotated[str, _in_path("F")]
OrganisationId = Annotated[str, _in_path("O")]
ExceptionId = Annotated[str, _in_path("E")]
ImportId = Annotated[str, _in_path("I")]
UploadId = Annotated[str, _in_path("Y")]
RunId = Annotated[str, _in_path("R")]
PolicyNumber = Annotated[int, Path(ge=1, le=1_000_000, examples=[1])]


OneLine = StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$")
"""What a list is filtered by, without signs that cannot be printed."""
Coordinator = Annotated[
    str | None,
    OneLine,
    Query(
        max_length=80,
        examples=["J. Example"],
        description="Whose children: the `coordinator_hash` of a child's line, which leaves no name in "
        "an address, or the name in any spelling. Nobody's are an analyst's.",
    ),
]


PrintableText = StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
"""Free text of one line or several, which is sealed. No signs that cannot be printed."""
Reference = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/\-]*$"),
    Field(examples=["C0001"], description="The council's own reference, never a name."),
]


AChild = Annotated[str, Field(examples=[_EXAMPLES["C"]])]
AVolunteer = Annotated[str, Field(examples=[_EXAMPLES["V"]])]
AMatch = Annotated[str, Field(examples=[_EXAMPLES["M"]])]
AUser = Annotated[str, Field(examples=[_EXAMPLES["U"]])]
"""Opaque ids in an answer."""
Version = Annotated[int, Field(examples=[3])]


class Given(BaseModel):
    """What a request says. A field that is not known is refused: it could be a safeguard mistyped."""

    model_config = ConfigDict(extra="forbid")


def such_as(**example: Any) -> ConfigDict:
    """The configuration of a request's model with an example of it."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [example]})


def _facts(name: str, sheet: Sheet) -> type[Given]:
    columns = {
        column.name: (
            str | None,
            Field(None, max_length=2000, description=column.means, examples=[column.example]),
        )
        for column in columns_of(sheet)
    }
    return create_model(name, __base__=Given, **columns)  # type: ignore[call-overload, no-any-return]


ChildFacts = _facts("ChildFacts", CHILDREN)
VolunteerFacts = _facts("VolunteerFacts", VOLUNTEERS)
"""In the words of the import's columns; what is blank is not recorded, what is left out stays as it is."""


WhyWeaker = Annotated[
    Literal[WHY] | None,  # type: ignore[valid-type]
    Field(description="Where a safeguard weakens by it: why it may. A manager’s word."),
]


WhatWasSaid = Annotated[
    str,
    Field(
        max_length=2000,
        description="Of a concern, or of a safeguarding issue of a child: what was said, by whom, and who was told. It "
        "is kept for managers, who look into it, and read by them alone.",
    ),
]


AlthoughTakenApart = Annotated[
    bool, Field(description="That they are siblings all the same, where a manager took two of them apart before.")
]


class Asked(Given):
    """Who asked a child whether they would like a visitor, and when they said yes."""

    by: Literal[ASKED_BY] = Field(examples=["social worker"])  # type: ignore[valid-type]
    on: date = Field(examples=["2026-11-20"])


class Person(Given):
    """Who somebody is. Matching never reads it; it is sealed apart from the facts."""

    name: str | None = Field(None, max_length=200, examples=["A. Example"])
    address: str | None = Field(None, max_length=500, examples=["1 Example Street"])
    contact: str | None = Field(None, max_length=500, examples=["01632 960000"])
    notes: str | None = Field(None, max_length=5000, examples=["Asks to be called Sam"])


Breaking = Annotated[
    list[str],
    Field(
        examples=[["M3HG8K5QWN2P"]],
        description="Ids of live matches of theirs that break a core rule now. Somebody has to look at them.",
    ),
]
"""What a change answers besides."""


# ---- versions --------------------------------------------------------------------------------------------------------


IfMatch = Annotated[
    str,
    Header(
        alias="If-Match", max_length=40, examples=['"3"'], description="The ETag of what you change, as it was read."
    ),
]
"""Without it the answer is 428 (`errors.py`)."""
CHANGES = described((412, 428))
"""What a route answers besides that changes a version. With it goes the ETag of the new one."""
VERSIONED: Responses = {200: {"headers": headers_of("ETag")}}
MADE: Responses = {201: {"headers": headers_of("ETag")}}
"""Of a route that tells a version, or makes what has one."""


def etag(version: object) -> str:
    return f'"{version}"'


def require_version(version: object, expected: str) -> None:
    """Raises 412 unless this is what was read."""
    if expected != etag(version):
        raise HTTPException(412)


def tell_version(response: Response, version: object) -> None:
    response.headers["ETag"] = etag(version)


CODE = "^[EWSN][0-9]{8}$"
"""The ONS code of a council."""


# ---- lists -----------------------------------------------------------------------------------------------------------


class ListPage(BaseModel):
    """So many of a list."""

    total: int = Field(examples=[1], description="How many there are in all.")
    page: int = Field(examples=[1])


PageNumber = Annotated[int, Query(ge=1, le=100_000)]
PageSize = Annotated[int, Query(ge=1, le=200)]


def one_page(
    session: Session, query: Select[Any, Any] | Select[Any], page: int, size: int
) -> tuple[int, Sequence[Any]]:
    """How many rows there are in all, and those of one page."""
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    return total, session.execute(query.offset((page - 1) * size).limit(size)).all()
