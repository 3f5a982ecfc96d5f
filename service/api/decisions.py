"""Decisions for analysts: pseudonymised, in one file."""

from __future__ import annotations

from fastapi import APIRouter, Response

from matcher.instance import today
from service import decisions
from service.api.deps import Asking, Kith, Reading, note_reading
from service.errors import Responses, headers_of

router = APIRouter(tags=["decisions"])


class Zip(Response):
    media_type = "application/zip"


_FILE: Responses = {
    200: {
        "headers": headers_of("Content-Disposition"),
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/decisions", response_class=Zip, responses=_FILE)
def export(person: Asking, kith: Kith, rows: Reading) -> Response:
    """What was chosen of what was shown, and what each score said of it: pseudonymised, to learn weights from.

    One file, which `matcher.learning.decisions.read_export` reads. What would point at a handful of people is left
    out, and `about.txt` in it says so.
    """
    made = decisions.export(rows)
    note_reading(kith, person, "decisions", "", **made.decisions)
    called = f"decisions-{today()}.zip"
    return Zip(made.file, headers={"Content-Disposition": f'attachment; filename="{called}"'})
