"""The columns of a file that was sent: what each is, proposed by Kith and confirmed by a person one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from matcher.errors import InputError, NotFoundError
from matcher.reading.cells import RefusedError
from matcher.reading.mapping import OF_A_FILE
from matcher.reading.sheets import SHEETS
from matcher.words import counted
from service.api.deps import Asking, Kith, Reading, note_reading
from service.api.shapes import UploadId
from service.importing import uploads
from service.importing.uploads import Proposed, Upload
from service.pages.html import first_upper, render
from service.pages.imports import NAMES, children_of
from service.repository import Repository

router = APIRouter(prefix="/imports/files/{upload_id}/columns")

FileNumber = Annotated[int, Query(ge=0, lt=uploads.MOST_FILES)]
SheetName = Annotated[str, Query(max_length=20)]


async def form_fields(request: Request) -> FormData:
    return await request.form()


Fields = Annotated[FormData, Depends(form_fields)]


@router.get("")
def columns(
    upload_id: UploadId, request: Request, person: Asking, kith: Kith, rows: Reading, file: FileNumber = 0,
    sheet: SheetName = "",
) -> Response:  # fmt: skip
    upload = uploads.find(rows, upload_id)
    return _columns(request, person, kith, rows, upload, _name(upload, file), sheet or None)


@router.post("")
def confirm_columns(
    upload_id: UploadId, request: Request, person: Asking, kith: Kith, fields: Fields, file: FileNumber = 0
) -> Response:
    """Each column by itself: what a person has not looked at is asked for again, with everything that they chose."""
    said = {name: value for name, value in fields.multi_items() if isinstance(value, str)}
    sheet = said.get("sheet", "")
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        upload = uploads.find(rows, upload_id)
        name = _name(upload, file)
        try:
            proposed = uploads.proposed(rows, upload, name, sheet)
        except RefusedError:
            return _columns(request, person, kith, rows, upload, name, None)
        if said.get("shown") != sheet:  # another sheet was chosen: its columns have to be shown first
            return RedirectResponse(f"/imports/files/{upload_id}/columns?file={file}&sheet={sheet}", 303)
        unseen = [
            one.text for at, one in enumerate(proposed.headings) if f"right-{at}" not in said and not one.confirmed
        ]
        if unseen:
            many = first_upper(counted(len(unseen), "column is", "columns are"))
            error = f"{many} not confirmed yet: {', '.join(unseen[:5])}"
            error += "…" if len(unseen) > 5 else "."
            return _columns(request, person, kith, rows, upload, name, sheet, said, error)
    chosen = {one.text: said.get(f"column-{at}", one.column) for at, one in enumerate(proposed.headings)}
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
            uploads.confirm(
                rows, upload, name, sheet, columns=chosen, words=words, every_row=every_row, user_id=person.user_id
            )
    except InputError as error:
        with kith.database.read(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            told = "; ".join(f"{one.value} {one.wrong}".strip() + f". {one.remedy}" for one in error.problems)
            return _columns(
                request, person, kith, rows, uploads.find(rows, upload_id), name, sheet, said, told or str(error)
            )
    return RedirectResponse(f"/imports/files/{upload_id}", 303)


def _columns(
    request: Request, person: Asking, kith: Kith, rows: Repository, upload: Upload, file: str, sheet: str | None,
    said: Mapping[str, str] | None = None, error: str = "",
) -> Response:  # fmt: skip
    proposed: Proposed | None = None
    refused = ""
    try:
        proposed = uploads.proposed(rows, upload, file, sheet)
    except RefusedError as wrong:
        refused = f"{file} cannot be read: {wrong.wrong}. {wrong.remedy}."
    lacking = []
    if proposed is not None:
        chosen = {(said or {}).get(f"column-{at}", one.column) for at, one in enumerate(proposed.headings)}
        lacking = [one for one in proposed.sheet.columns if one.name not in chosen and not one.optional]
        examples = {text for one in proposed.headings for text in one.examples}
        note_reading(kith, person, "import", "", children=children_of(rows, examples))
    return render(
        request, "import-columns.html", person, status=422 if error or refused else 200, upload=upload, file=file,
        proposed=proposed, refused=refused, error=error, said=said or {}, sheets=SHEETS, sheet_names=NAMES,
        number=upload.names.index(file), lacking=lacking, of_a_file=OF_A_FILE,
    )  # fmt: skip


def _name(upload: Upload, number: int) -> str:
    if number >= len(upload.names):
        raise NotFoundError("There is no such file among those that were sent.")
    return upload.names[number]
