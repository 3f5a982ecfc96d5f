"""What several resources share: ids in paths, pages of a list, versions, facts in the words of the columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Sheet
from service.errors import described
from service.people import ASKED_BY, columns_of
from service.safeguards import WHY

_ID = "^{}[2-9B-Z]{{11}}$"
ChildId = Annotated[str, Path(pattern=_ID.format("C"), examples=["C7KQ4M2XPH3R"])]
VolunteerId = Annotated[str, Path(pattern=_ID.format("V"), examples=["V4TX9B2LMD7W"])]
MatchId = Annotated[str, Path(pattern=_ID.format("M"), examples=["M3HG8K5QWN2P"])]
FamilyId = Annotated[str, Path(pattern=_ID.format("F"), examples=["F9XK3M7BQ2WD"])]
OrganisationId = Annotated[str, Path(pattern=_ID.format("O"), examples=["O5TB8N3KXM7Q"])]
ExceptionId = Annotated[str, Path(pattern=_ID.format("E"), examples=["E8MW2XK5TB3N"])]
ImportId = Annotated[str, Path(pattern=_ID.format("I"), examples=["I7XB3NK9QM2T"])]
UploadId = Annotated[str, Path(pattern=_ID.format("Y"), examples=["Y7XB3NK9QM2T"])]
RunId = Annotated[str, Path(pattern=_ID.format("R"), examples=["R7KQ4M2XPH3R"])]
PolicyNumber = Annotated[int, Path(ge=1, le=1_000_000, examples=[1])]


OneLine = StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$")
"""What a list is filtered by, without signs that cannot be printed."""
Coordinator = Annotated[
    str | None, OneLine, Query(max_length=80, description="Whose children. Nobody's are an analyst's.")
]


def id_of(letter: str) -> Any:
    """The constraint of an id in a body."""
    return StringConstraints(pattern=_ID.format(letter))


PrintableText = StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
"""Free text of one line or several, which is sealed. No signs that cannot be printed."""
Reference = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/\-]*$"),
    Field(examples=["C0001"], description="The council's own reference, never a name."),
]


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


class Asked(Given):
    """Who asked a child whether they would like a visitor, and when they said yes."""

    by: Literal[ASKED_BY] = Field(examples=["social worker"])  # type: ignore[valid-type]
    on: date = Field(examples=["2026-11-20"])


class Person(Given):
    """Who somebody is. Matching never reads it; it is sealed apart from the facts."""

    name: str | None = Field(None, max_length=200, examples=["A. Example"])
    address: str | None = Field(None, max_length=500, examples=["1 Example Street"])
    contact: str | None = Field(None, max_length=500, examples=["01632 960000"])
    notes: str | None = Field(None, max_length=5000)


Breaking = Annotated[
    list[str],
    Field(
        examples=[["M3HG8K5QWN2P"]],
        description="Ids of live matches of theirs that break a core rule now. Somebody has to look at them.",
    ),
]
"""What a change answers besides."""


# ---- versions --------------------------------------------------------------------------------------------------------


def _if_match(
    if_match: Annotated[
        str | None,
        Header(max_length=40, examples=['"3"'], description="The ETag of what you change, as it was read."),
    ] = None,
) -> str:
    if if_match is None:
        raise HTTPException(428)
    return if_match


IfMatch = Annotated[str, Depends(_if_match)]
CHANGES = described((412, 428))
"""What a route answers that changes a version."""


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

PageNumber = Annotated[int, Query(ge=1, le=100_000)]
PageSize = Annotated[int, Query(ge=1, le=200)]


def one_page(
    session: Session, query: Select[Any, Any] | Select[Any], page: int, size: int
) -> tuple[int, Sequence[Any]]:
    """How many rows there are in all, and those of one page."""
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    return total, session.execute(query.offset((page - 1) * size).limit(size)).all()
