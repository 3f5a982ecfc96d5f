"""The columns of a file that was sent: what each is, proposed by Kith and confirmed by a person one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from matcher.errors import InputError, NotFoundError
from matcher.reading.cells import RefusedError
from matcher.reading.mapping import OF_A_FILE
from matcher.reading.sheets import SHEETS
from matcher.reading.xlsx import MOST_PARTS, MOST_ROWS
from matcher.words import counted, first_upper, listed
from service.api.deps import Asking, Kith, Reading, note_reading
from service.api.shapes import UploadId
from service.importing import children_of, uploads
from service.importing import columns as columns_room
from service.importing.columns import Proposed
from service.importing.finding import Part
from service.importing.uploads import Upload
from service.pages.html import render
from service.pages.imports import NAMES, address
from service.pages.labels import beside_column
from service.repository import Repository

router = APIRouter(prefix="/imports/files/{upload_id}/columns")

SheetName = Annotated[str, Query(max_length=20)]
HeadingRow = Annotated[int | None, Query(ge=1, le=MOST_ROWS + 1)]
NOTHING = "nothing"
"""In place of a sheet: what holds nothing that Kith reads."""


@dataclass(frozen=True)
class Asked:
    """Which part of the files, by its places: the names of files and worksheets stand in no address."""

    file: Annotated[int, Query(ge=0, lt=uploads.MOST_FILES)] = 0
    worksheet: Annotated[int, Query(ge=0, lt=MOST_PARTS)] = 0

    def of(self, upload: Upload) -> Part:
        """Raises NotFoundError."""
        worksheets = upload.worksheets[upload.names[self.file]] if self.file < len(upload.names) else ()
        if self.worksheet >= len(worksheets):
            raise NotFoundError("There is no such file among those that were sent.")
        return Part(upload.names[self.file], worksheets[self.worksheet])


Which = Annotated[Asked, Depends()]


async def form_fields(request: Request) -> FormData:
    return await request.form()


Fields = Annotated[FormData, Depends(form_fields)]


@router.get("")
def columns(
    upload_id: UploadId, request: Request, person: Asking, kith: Kith, rows: Reading, which: Which,
    sheet: SheetName = "", row: HeadingRow = None, beside: Annotated[int | None, Query()] = None,
) -> Response:  # fmt: skip
    """`beside` is the worksheet of which `row` was chosen: of another one it says nothing."""
    upload = uploads.find(rows, upload_id)
    row = row if beside in (None, which.worksheet) else None
    return _columns(request, person, kith, rows, upload, which.of(upload), sheet or None, row)


@router.post("")
def confirm_columns(
    upload_id: UploadId, request: Request, person: Asking, kith: Kith, fields: Fields, which: Which,
    row: HeadingRow = None,
) -> Response:  # fmt: skip
    """Each column by itself: what a person has not looked at is asked for again, with everything that they chose."""
    said = {name: value for name, value in fields.multi_items() if isinstance(value, str)}
    sheet = said.get("sheet", "")
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        upload = uploads.find(rows, upload_id)
        part = which.of(upload)
        try:
            read_as = said.get("shown", "") if sheet == NOTHING else sheet
            proposed = columns_room.proposed(rows, upload, part, read_as, row)
        except RefusedError:
            return _columns(request, person, kith, rows, upload, part, None)
        if sheet not in (NOTHING, said.get("shown")):  # another sheet was chosen: its columns have to be shown first
            more = f"&sheet={sheet}" + (f"&row={row}" if row else "")
            return RedirectResponse(f"{address(upload, part)}{more}", 303)
        unseen = [
            one.text for at, one in enumerate(proposed.headings) if f"right-{at}" not in said and not one.confirmed
        ]
        if unseen and sheet != NOTHING:
            many = first_upper(counted(len(unseen), "column is", "columns are"))
            error = f"{many} not confirmed yet: {', '.join(unseen[:5])}"
            error += "…" if len(unseen) > 5 else "."
            return _columns(request, person, kith, rows, upload, part, sheet, row, said, error)
    columns_of = _meant(proposed, said)
    strange = [at for at, column in columns_of.items() if column is None] if sheet != NOTHING else []
    if strange:
        typed = listed(f"“{said[f'column-{at}'].strip()}”" for at in strange)
        error = f"{typed} {'is' if len(strange) == 1 else 'are'} not among Kith’s columns. Choose another."
        with kith.database.read(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            found = uploads.find(rows, upload_id)
            return _columns(request, person, kith, rows, found, part, sheet, row, said, error, strange)
    chosen = {one.text: columns_of[at] or "" for at, one in enumerate(proposed.headings)}
    words: dict[str, dict[str, str]] = defaultdict(dict)
    for group in proposed.words:
        for at, word in enumerate(group.words):
            if meant := said.get(f"word-{group.column.name}-{at}", ""):
                words[group.column.name][word] = meant
    every_row = {one: said[f"every-{one}"].strip() for one in OF_A_FILE if said.get(f"every-{one}", "").strip()}
    try:
        with kith.database.write(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            upload = uploads.find(rows, upload_id)
            if sheet == NOTHING:
                columns_room.leave_out(rows, upload, part, user_id=person.user_id)
            else:
                columns_room.confirm(
                    rows, upload, part, sheet, heading_row=proposed.grid.heading_row, columns=chosen, words=words,
                    every_row=every_row, user_id=person.user_id,
                )  # fmt: skip
    except InputError as error:
        with kith.database.read(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            told = "; ".join(f"{one.value} {one.wrong}".strip() + f". {one.remedy}" for one in error.problems)
            found = uploads.find(rows, upload_id)
            return _columns(request, person, kith, rows, found, part, sheet, row, said, told or str(error))
    return RedirectResponse(f"/imports/files/{upload_id}", 303)


def _meant(proposed: Proposed, said: Mapping[str, str]) -> dict[int, str | None]:
    """The column that each heading stands for, by the words in which the page has it or its own name; "" where it is
    not read, None where what was typed is none. One list serves all fields: a choice of all columns in each made the
    page of a wide file twice as long as a page may be."""
    sheet = proposed.sheet
    by_words = {"": ""} | {beside_column(sheet.name, one.name).casefold(): one.name for one in sheet.columns}
    by_words |= {one.name.casefold(): one.name for one in sheet.columns}
    typed = {at: said.get(f"column-{at}", one.column) for at, one in enumerate(proposed.headings)}
    return {at: by_words.get(" ".join(text.casefold().split())) for at, text in typed.items()}


def _columns(
    request: Request, person: Asking, kith: Kith, rows: Repository, upload: Upload, part: Part, sheet: str | None,
    row: int | None = None, said: Mapping[str, str] | None = None, error: str = "", unknown: Sequence[int] = (),
) -> Response:  # fmt: skip
    """`unknown` are the places of the headings for which something was typed that is no column."""
    proposed: Proposed | None = None
    refused = ""
    try:
        proposed = columns_room.proposed(rows, upload, part, sheet, row)
    except RefusedError as wrong:
        refused = f"{part} cannot be read: {wrong.wrong}. {wrong.remedy}."
    lacking = []
    if proposed is not None:
        chosen = {*_meant(proposed, said or {}).values()}
        lacking = [one for one in proposed.sheet.columns if one.name not in chosen and not one.optional]
        examples = {text for one in proposed.headings for text in one.examples}
        note_reading(kith, person, "import", "", children=children_of(rows, examples))
    return render(
        request, "import-columns.html", person, status=422 if error or refused else 200, upload=upload, part=part,
        proposed=proposed, refused=refused, row=row, error=error, said=said or {}, sheets=SHEETS, sheet_names=NAMES,
        address=address(upload, part), number=upload.names.index(part.file), worksheets=upload.worksheets[part.file],
        names=[one.name for one in proposed.sheet.columns] if proposed else [], unknown=unknown,
        lacking=lacking, of_a_file=OF_A_FILE, nothing=NOTHING, called=beside_column,
    )  # fmt: skip
