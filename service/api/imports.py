"""Imports: what files would change is told first; what was told is what a person then confirms.

Files are read in memory and kept nowhere. They are sent twice: to be looked at, and to be taken in. The stamp of the
first answer binds the two: of other files, or of data that changed meanwhile, nothing is taken in.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from datetime import datetime
from itertools import chain
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import BaseModel, Field
from sqlalchemy import select
from starlette.exceptions import HTTPException

from matcher.errors import InputError, Problem
from matcher.instance import today
from matcher.readers import Reading as FilesRead
from matcher.readers import read_files
from service import importing
from service.api.answers import like
from service.api.deps import Asking, Kith, Reading, Writing, note_reading, refuse_without
from service.api.shapes import (
    AUser,
    ListPage,
    PageNumber,
    PageSize,
    one_page,
)
from service.database import tables
from service.importing.echo import MOST_ABSENT
from service.importing.uploads import by_name, refuse_many
from service.permissions import Permission

router = APIRouter(prefix="/imports", tags=["imports"])

Files = Annotated[
    list[UploadFile],
    File(
        description="children.csv, volunteers.xlsx and so on, and mapping.toml.",
        examples=[["child_id,date_of_birth\nC0001,03/05/2014\n"]],
    ),
]


class ImportProblem(BaseModel):
    """One thing wrong: where, the value, and what to do."""

    file: str = Field(examples=["children.csv"])
    row: int = Field(examples=[7], description="As the spreadsheet counts; 0 speaks of the whole file.")
    column: str = Field(examples=["date_of_birth"])
    value: str = Field(examples=["31/02/2014"])
    wrong: str = Field(examples=["There is no such day"])
    remedy: str = Field(examples=["Write the day as 03/05/2014 or 2014-05-03."])
    rejected: bool = Field(description="Whether the row cannot be used; otherwise it is a notice.")


class Changed(BaseModel):
    sheet: str = Field(examples=["children"])
    reference: str = Field(examples=["C0001"])
    fields: list[str] = Field(
        examples=[["interests"]], description="Names of the fields of which the file says something else."
    )


class Weaker(BaseModel):
    model_config = like(
        key="9c1f3a7be2d40856", sheet="children", reference="C0001", field="agrees",
        sentence="did not want a visitor when they were asked last, and the file says yes.", children=["C0001"],
        each=[],
    )  # fmt: skip
    key: str = Field(description="To be sent as `weaken` if the safeguard may go.")
    sheet: str
    reference: str = Field(description="Of whom it speaks; blank where it speaks of several who are new.")
    field: str
    sentence: str
    children: list[str] = Field(
        description="References of the children of whom it speaks. Of new children one key confirms for all what is a "
        "manager's word: their approval, or their funding; of new matches between people who are new, all that one "
        "core rule says against."
    )
    each: list[str] = Field(description="Where one key confirms for several matches: a sentence of each.")


class Echo(BaseModel):
    """What the files would change. Nothing is changed yet."""

    usable: bool
    stamp: str | None = Field(examples=["0f3c" * 16], description="To be sent with the same files to take them in.")
    problems: list[ImportProblem]
    new: dict[str, int] = Field(examples=[{"children": 3}])
    same: dict[str, int] = Field(examples=[{"children": 35}])
    changed: list[Changed]
    blanked: list[Changed] = Field(
        description="Of these, the fields that are recorded and would be recorded no longer, as their cells are blank."
    )
    weaker: list[Weaker] = Field(description="Safeguards that would go. Each is confirmed by its own key.")
    absent: dict[str, int] = Field(
        examples=[{"children": 2}],
        description="How many are in Kith of whom the files say nothing, by sheet: they stay.",
    )
    absent_first: dict[str, list[str]] = Field(
        examples=[{"children": ["C0007", "C0011"]}], description=f"Their references, the first {MOST_ABSENT} of each."
    )


class Batch(BaseModel):
    id: str = Field(examples=["I7XB3NK9QM2T"])
    at: datetime
    user: AUser | None
    rows: dict[str, int] = Field(
        examples=[{"children": 3, "children changed": 2}],
        description="How many were new and how many changed, by sheet; of `given` the others were as they are.",
    )
    given: dict[str, int] = Field(examples=[{"children": 40}], description="How many rows the files had, by sheet.")


class BatchPage(ListPage):
    imports: list[Batch]


@router.get("")
def imports(rows: Reading, page: PageNumber = 1, size: PageSize = 50) -> BatchPage:
    """The imports there were, the last first."""
    query = select(tables.ImportBatch).order_by(tables.ImportBatch.at.desc(), tables.ImportBatch.id)
    total, found = one_page(rows.session, query, page, size)
    return BatchPage(total=total, page=page, imports=[_batch(row) for (row,) in found])


@router.post("/check")
def check(files: Files, person: Asking, kith: Kith, rows: Reading) -> Echo:
    """Every problem of the files; or what they would change, and apart the safeguards that would weaken.

    A token needs the scope `identify` as well: what would change tells what is recorded of whom.
    """
    refuse_without(person, Permission.IDENTIFY)
    contents = _contents(files)
    try:
        reading = _read(rows, contents)
        echo = importing.look(rows, reading, today())
    except InputError as error:
        problems = [_problem(one) for one in error.problems] or [_problem(Problem("", 0, "", "", str(error), ""))]
        _note(kith, person, rows, {one.value for one in problems})
        return Echo(usable=False, stamp=None, problems=problems, new={}, same={}, changed=[], blanked=[], weaker=[],
                    absent={}, absent_first={})  # fmt: skip
    told = {child for one in echo.changed for child in importing.named_in(one)}
    told |= {child for one in echo.weaker for child in one.children}
    absent = {one: [reference for reference, _ in echo.absent_of(one)] for one in echo.absent if one in reading.given}
    told |= {*absent.get("children", ()), *chain.from_iterable(echo.likely.values())}
    _note(kith, person, rows, told)
    return Echo(
        usable=True,
        stamp=importing.stamp(rows, contents, today()),
        problems=[_problem(one) for one in (*reading.problems, *echo.notes)],
        new=dict(echo.new),
        same=dict(echo.same),
        changed=_changed(echo.changed),
        blanked=_changed(echo.blanked),
        weaker=[
            Weaker(
                key=one.key, sheet=one.sheet, reference=one.reference, field=one.field, sentence=one.sentence,
                children=list(one.children), each=list(one.each),
            )
            for one in echo.weaker
        ],
        absent={sheet: len(echo.absent.get(sheet, ())) for sheet in absent},
        absent_first=absent,
    )  # fmt: skip


@router.post("", status_code=201)
def take_in(
    files: Files,
    stamp: Annotated[str, Form(max_length=64, examples=["0f3c" * 16], description="As the check told it.")],
    person: Asking,
    rows: Writing,
    weaken: Annotated[
        list[str] | None,
        Form(examples=[["9c1f3a7be2d40856"]], description="Keys of safeguards that may go, one by one."),
    ] = None,
) -> Batch:
    """Takes in files that were checked, whole or not at all.

    Exceptions and budgets in them are a manager's to confirm, and so is every safeguard that weakens, and the approval
    and the funding of a child who is here without them; of children who are new, all of them by one key for each.
    """
    confirmed = set(weaken or ())
    if confirmed:
        refuse_without(person, Permission.APPROVE)
    contents = _contents(files)
    if not hmac.compare_digest(stamp.encode(), importing.stamp(rows, contents, today()).encode()):
        raise HTTPException(409)
    batch = importing.take_in(rows, _read(rows, contents), today(), user_id=person.user_id, confirmed=confirmed)
    return _batch(batch)


def _changed(records: Iterable[importing.Changed]) -> list[Changed]:
    return [Changed(sheet=one.sheet, reference=one.reference, fields=list(one.fields)) for one in records]


def _note(kith: Kith, person: Asking, rows: Reading, texts: set[str]) -> None:
    """What is said of the file is said beside what Kith has of these children, so far as they are here."""
    if children := importing.children_of(rows, texts):
        note_reading(kith, person, "import", "", children=children)


def _read(rows: Reading, contents: dict[str, bytes]) -> FilesRead:
    return read_files(contents, today(), stood=importing.stood(rows, today()))


def _contents(files: list[UploadFile]) -> dict[str, bytes]:
    refuse_many(len(files))
    return by_name((file.filename or f"file {number}", file.file.read()) for number, file in enumerate(files, start=1))


def _problem(one: Problem) -> ImportProblem:
    return ImportProblem(
        file=one.file, row=one.row, column=one.column, value=one.value, wrong=one.wrong, remedy=one.remedy,
        rejected=one.rejected,
    )  # fmt: skip


def _batch(row: tables.ImportBatch) -> Batch:
    return Batch(id=row.id, at=row.at, user=row.user_id, rows=row.rows, given=row.given)
