"""Import: files sent, their columns confirmed, their problems beside the rows, what they would change, and taken in.

What was sent is held sealed (`importing.uploads`) and looked at as often as somebody asks; nothing is changed before
the last page, which names each safeguard that would weaken by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select

from matcher.errors import InputError, NotFoundError, Problem
from matcher.instance import today
from matcher.readers import EVERY_COLUMN
from matcher.reading.files import Grid
from matcher.reading.mapping import Layout
from matcher.reading.sheets import SHEETS
from matcher.words import counted, first_upper
from matcher.writing.corrections import corrected
from matcher.writing.template import ALL, template, whole_template
from service import importing
from service.api.deps import Asking, Kith, Reading, Writing, note_reading, refuse_without
from service.api.shapes import ImportId, UploadId
from service.database import tables
from service.importing import Echo, children_of, named_in, uploads
from service.importing.finding import Part
from service.importing.uploads import Upload
from service.pages import facts
from service.pages.html import as_workbook, render
from service.pages.labels import label_of
from service.pages.lists import Page
from service.pages.looked import Looked, MeanwhileError, looked, refuse_others, same_reading
from service.permissions import Permission
from service.repository import Repository

router = APIRouter(prefix="/imports")
as_said = APIRouter()
"""The address that somebody types who reads the name in the navigation."""

NAMES = {
    "children": "Children", "volunteers": "Volunteers", "matches": "Matches", "declined": "Declined pairs",
    "authorities": "Budgets", "exceptions": "Exceptions",
}  # fmt: skip
"""How people call the sheets."""
EARLIER = 10
"""Imports that the first page lists."""
MOST_LISTED = 50
"""Records of which it is listed what a blank cell takes; each stands with the changes besides."""

Show = Literal["changes", "new", "problems", "notes"]
Number = Annotated[int, Query(ge=1, le=100_000)]


# ---- sending ---------------------------------------------------------------------------------------------------------


@router.get("")
def start(request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    return _start(request, person, kith, rows)


@router.post("")
def send(
    request: Request, person: Asking, kith: Kith,
    files: Annotated[list[UploadFile] | None, File()] = None,
) -> Response:  # fmt: skip
    sent = [one for one in files or () if one.filename]
    try:
        contents = uploads.by_name((one.filename or "", one.file.read()) for one in sent)
        with kith.database.read(person.authority_id) as session:
            received = uploads.receive(Repository(session, kith.keys), contents)
        with kith.database.write(person.authority_id) as session:
            id = uploads.hold(Repository(session, kith.keys), received, user_id=person.user_id).id
    except InputError as error:
        with kith.database.read(person.authority_id) as session:
            return _start(request, person, kith, Repository(session, kith.keys), str(error))
    return RedirectResponse(f"/imports/files/{id}", 303)


def _start(request: Request, person: Asking, kith: Kith, rows: Repository, error: str = "") -> Response:
    session = rows.session
    earlier = session.scalars(select(tables.ImportBatch).order_by(tables.ImportBatch.at.desc()).limit(EARLIER)).all()
    return render(
        request, "imports.html", person, status=422 if error else 200, error=error, sheets=SHEETS, sheet_names=NAMES,
        waiting=uploads.waiting(rows), earlier=earlier, users=_users(rows),
        most=kith.settings.body_megabytes, total=_total,
    )  # fmt: skip


def _total(batch: tables.ImportBatch, what: Literal["new", "changed"]) -> int:
    return sum(count for name, count in batch.rows.items() if name.endswith(" changed") == (what == "changed"))


def _users(rows: Repository) -> Mapping[str | None, str]:
    names: dict[str | None, str] = {None: "The command line"}
    names.update(rows.account_names())
    return names


@router.get("/templates/{sheet}")
def blank(
    sheet: Literal["all", "children", "volunteers", "matches", "declined", "authorities", "exceptions"],
) -> Response:
    """A workbook to fill in: of one sheet, or of all."""
    if sheet == ALL:
        return as_workbook(whole_template(), ALL)
    return as_workbook(template(next(one for one in SHEETS if one.name == sheet)), sheet)


# ---- looking ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RowTold:
    """A row of a file with what there is to say of it."""

    file: str
    row: int
    reference: str
    problems: Sequence[Problem]
    cells: Sequence[tuple[str, str]]
    """The whole row: heading and cell."""
    sheet: str = ""
    """Which it is of, where that is known."""


@router.get("/files/{upload_id}")
def look(
    upload_id: UploadId, request: Request, person: Asking, kith: Kith, rows: Reading,
    show: Show | None = None, page: Number = 1,
) -> Response:  # fmt: skip
    """Problems beside the rows while there are any, otherwise what would change and who is new."""
    upload = uploads.find(rows, upload_id)
    if upload.unplaced:
        return RedirectResponse(address(upload, upload.unplaced[0]), 303)
    found = looked(rows, upload)
    shown = _shown(found.echo, show)
    query = {"show": shown}
    listed: Page[Any]
    if found.echo and shown == "changes":
        listed = Page.of(found.echo.changed, page, query)
        seen = children_of(rows, {reference for one in listed.lines for reference in named_in(one)})
    elif found.echo and shown == "new":
        listed = Page.of(found.echo.added, page, query)
        seen = children_of(rows, {reference for one in listed.lines for reference in one.children})
    else:
        listed = _by_row(upload, found, found.problems if shown == "problems" else found.notes, page, query)
        likely = found.echo.likely if found.echo else {}
        told = {child for line in listed.lines for one in line.problems for child in likely.get(one.value, ())}
        seen = children_of(rows, {*told, *(cell for one in listed.lines for _, cell in one.cells)})
    emptied = found.echo.blanked[:MOST_LISTED] if found.echo else ()
    seen = [*seen, *(one.id for one in emptied if one.sheet == "children" and one.id not in seen)]
    absent = {sheet: found.echo.absent_of(sheet) for sheet in found.reading.given} if found.echo else {}
    seen = sorted({*seen, *(id for _, id in absent.get("children", ()))})
    note_reading(kith, person, "import", "", children=seen)
    notes = {(one.file, one.row) for one in found.notes}
    return render(
        request, "import-look.html", person, upload=upload, found=found, show=shown, page=listed, sheets=SHEETS,
        sheet_names=NAMES, label=label_of, words=facts.in_words,
        counts={"problems": len({(one.file, one.row) for one in found.problems}), "notes": len(notes),
                "changes": len(found.echo.changed) if found.echo else 0,
                "new": len(found.echo.added) if found.echo else 0},
        correctable=[sheet for sheet in found.reading.grids if _own(found, sheet) or _beside_kith(found, sheet)],
        changed_of=_changed_of(found.echo), emptied=emptied, absent=absent, address=address, every_column=EVERY_COLUMN,
        owner=upload.row.user_id == person.user_id,
    )  # fmt: skip


def _shown(echo: Echo | None, asked: Show | None) -> Show:
    """What was asked for, as far as there is such a list; first files change nothing, and all in them is new."""
    if asked == "notes":
        return asked
    if echo is None:
        return "problems"
    if asked in ("changes", "new"):
        return asked
    return "changes" if echo.changed or not echo.added else "new"


def address(upload: Upload, part: Part) -> str:
    """Where a person says how a part of the files is read."""
    at = f"/imports/files/{upload.row.id}/columns?file={upload.names.index(part.file)}"
    worksheet = upload.worksheets[part.file].index(part.worksheet)
    return f"{at}&worksheet={worksheet}" if worksheet else at


def _changed_of(echo: Echo | None) -> Mapping[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for one in echo.changed if echo else ():
        counts[one.sheet] += 1
    return counts


def _own(found: Looked, sheet: str) -> Sequence[Problem]:
    """What there is to say of one sheet by itself."""
    return found.reading.problems_of.get(sheet, ())


def _beside_kith(found: Looked, sheet: str) -> Sequence[Problem]:
    """What is wrong with one sheet beside what Kith holds."""
    own = {*_own(found, sheet)}
    return [one for one in found.problems if one.file == found.reading.files.get(sheet) and one not in own]


def _by_row(
    upload: Upload, found: Looked, problems: Sequence[Problem], number: int, query: Mapping[str, str]
) -> Page[RowTold]:
    """One page of the rows of which there is something to say."""
    rows: dict[tuple[str, int], list[Problem]] = defaultdict(list)
    for one in problems:
        rows[one.file, one.row].append(one)
    page = Page.of(sorted(rows.items()), number, query)
    grids = {found.reading.files[sheet]: (sheet, grid) for sheet, grid in found.reading.grids.items()}
    cells = {file: dict(grid.rows) for file, (_, grid) in grids.items()}
    lines = [
        _row(file, at, told, *grids[file], cells[file].get(at, ()), upload.layouts)
        if file in grids
        else RowTold(file, at, "", told, ())
        for (file, at), told in page.lines
    ]
    return Page(lines, page.total, page.number, query)


def _row(
    file: str, number: int, told: Sequence[Problem], sheet: str, grid: Grid, cells: Sequence[str],
    layouts: Mapping[str, Layout],
) -> RowTold:  # fmt: skip
    row = list(zip(grid.heading, (*cells, *[""] * len(grid.heading)), strict=False)) if cells else []
    key = next(one for one in SHEETS if one.name == sheet).columns[0].name
    layout = layouts.get(sheet, Layout(file))
    reference = next((cell for heading, cell in row if layout.ours(heading) == key), "")
    return RowTold(file, number, reference, told, row, sheet)


@router.get("/files/{upload_id}/corrections/{sheet}")
def corrections(upload_id: UploadId, sheet: str, person: Asking, kith: Kith, rows: Reading) -> Response:
    """The file that was sent, with a column that says what is wrong with each row."""
    upload = uploads.find(rows, upload_id)
    found = looked(rows, upload)
    content = corrected(found.reading, sheet, today(), _beside_kith(found, sheet))
    cells = {cell for _, row in found.reading.grids[sheet].rows for cell in row}
    note_reading(kith, person, "import", "", children=children_of(rows, cells), sheet=sheet)
    return as_workbook(content, sheet, "to correct", today())


@router.post("/files/{upload_id}/discard")
def discard(upload_id: UploadId, person: Asking, rows: Writing) -> Response:
    """By whoever sent the files, or a manager."""
    upload = uploads.find(rows, upload_id)
    if upload.row.user_id != person.user_id:
        refuse_without(person, Permission.APPROVE)
    uploads.throw_away(rows, upload, user_id=person.user_id)
    return RedirectResponse("/imports", 303)


# ---- taking in -------------------------------------------------------------------------------------------------------


@router.get("/files/{upload_id}/confirm")
def confirm_page(upload_id: UploadId, request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    return _confirm(request, person, kith, rows, uploads.find(rows, upload_id))


@router.post("/files/{upload_id}/confirm")
def confirm(
    upload_id: UploadId, request: Request, person: Asking, kith: Kith,
    stamp: Annotated[str, Form(max_length=64)] = "", reason: Annotated[str, Form(max_length=60)] = "",
    note: Annotated[str, Form(max_length=2000)] = "", weaken: Annotated[list[str] | None, Form()] = None,
) -> Response:  # fmt: skip
    confirmed = set(weaken or ())
    if confirmed:
        refuse_without(person, Permission.APPROVE)
    given: dict[str, Any] = {"reason": reason, "note": note, "ticked": confirmed}
    try:
        if reason not in importing.REASONS:
            raise InputError("Choose why you take these files in.")
        # To read thousands of rows takes seconds: done before anything is locked to write, or everybody would wait.
        with kith.database.read(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            reading = same_reading(rows, uploads.find(rows, upload_id), stamp)
        with kith.database.write(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            refuse_others(rows, uploads.find(rows, upload_id), stamp)
            batch = importing.take_in(
                rows, reading, today(), user_id=person.user_id, confirmed=confirmed, reason=reason,
                note=note.strip() or None,
            )  # fmt: skip
            uploads.discard(rows, upload_id)
            id = batch.id
    except (InputError, MeanwhileError) as error:
        meanwhile = isinstance(error, MeanwhileError)
        told = _MEANWHILE if meanwhile else _told(error)
        given |= {"ticked": set()} if meanwhile else {}
        with kith.database.read(person.authority_id) as session:
            rows = Repository(session, kith.keys)
            upload = uploads.find(rows, upload_id)
            return _confirm(request, person, kith, rows, upload, 409 if meanwhile else 422, told, **given)
    return RedirectResponse(f"/imports/{id}", 303)


_MEANWHILE = (
    "Somebody changed something in Kith since you looked, so nothing was taken in. This is what the files would change "
    "now: look once more, and confirm again."
)


def _told(error: Exception) -> str:
    left = sum("Confirm it by itself" in one.remedy for one in getattr(error, "problems", ()))
    if left:
        many = counted(left, "safeguard is", "safeguards are")
        return f"{first_upper(many)} not confirmed. Tick each that may go, or correct the file."
    return str(error)


def _confirm(
    request: Request, person: Asking, kith: Kith, rows: Repository, upload: Upload, status: int = 200, error: str = "",
    reason: str = "", note: str = "", ticked: set[str] | None = None,
) -> Response:  # fmt: skip
    found = None if upload.unplaced else looked(rows, upload)
    if found is None or found.echo is None:
        return RedirectResponse(f"/imports/files/{upload.row.id}", 303)
    told = {reference for one in found.echo.weaker for reference in one.children}
    if told:
        note_reading(kith, person, "import", "", children=children_of(rows, told))
    return render(
        request, "import-confirm.html", person, status=status, upload=upload, echo=found.echo, stamp=found.stamp,
        error=error, reason=reason, note=note, ticked=ticked or set(), reasons=importing.REASONS, sheet_names=NAMES,
        new=len(found.echo.added), changed=len(found.echo.changed), given=found.given,
        approves=Permission.APPROVE in person.may, too_many=found.echo.too_many,
        label=label_of, words=facts.in_words, unread=upload.unread,
    )  # fmt: skip


@router.get("/{import_id}")
def done(import_id: ImportId, request: Request, person: Asking, rows: Reading) -> Response:
    """What an import did."""
    batch = rows.session.get(tables.ImportBatch, import_id)
    if batch is None:
        raise NotFoundError("There is no such import.")
    run = rows.session.scalar(select(tables.Run).order_by(tables.Run.requested_at.desc()).limit(1))
    asked = run is not None and (run.state == "queued" or (run.finished_at or batch.at) >= batch.at)
    return render(
        request, "import-done.html", person, batch=batch, users=_users(rows), note=rows.open(batch, "note"),
        sheet_names=NAMES, sheets=[one.name for one in SHEETS if one.name in batch.given],
        run=run if asked else None, total=_total,
    )  # fmt: skip


@as_said.get("/import")
def typed(_person: Asking) -> Response:
    return RedirectResponse("/imports", 303)
