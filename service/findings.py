"""What was said as a concern was raised, and what managers found as they closed it: of volunteers, and of children.

A concern is closed by words, never by a choice from a list alone. They are sealed with whom they are about, for
managers alone, who look into it, and go as that person is erased.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from matcher.errors import InputError, Problem
from service.database import tables
from service.database.base import utc_now
from service.repository import Repository

CLOSES = "looked into"
"""Of an entry of the audit log: that a manager said by it what came of the concerns before."""

Of = tables.Child | tables.Volunteer


class NothingFoundError(InputError):
    """A concern is closed by what was found, in words, and by no choice from a list alone."""

    def __init__(self, row: Of) -> None:
        self.asked = f"Write what was found of {row.reference}, in a sentence or two: managers alone read it."
        super().__init__(self.asked, [Problem(row.__tablename__, 0, "found", "", "is missing", self.asked.rstrip("."))])


@dataclass(frozen=True)
class Finding:
    """What a manager found of a concern, in words that managers alone read."""

    at: datetime
    by: str
    """The id of the account."""
    found: str
    why: str = ""
    """One of `safeguards.WHY`, where it is of a child."""


@dataclass(frozen=True)
class Said:
    """What was said, as somebody wrote it who raised a concern."""

    at: datetime
    by: str
    """The id of the account."""
    said: str


def of(rows: Repository, row: Of) -> list[Finding]:
    """Oldest first."""
    return [
        Finding(datetime.fromisoformat(one["at"]), one["by"], one["found"], one.get("why", ""))
        for one in _every(rows, row)
        if "found" in one
    ]


def said(rows: Repository, row: Of) -> list[Said]:
    """Oldest first, also of what was looked into since."""
    return [
        Said(datetime.fromisoformat(one["at"]), one["by"], one["said"]) for one in _every(rows, row) if "said" in one
    ]


def add(rows: Repository, row: Of, *, user_id: str, found: str, why: str = "") -> None:
    """Raises NothingFoundError for a blank."""
    if not found.strip():
        raise NothingFoundError(row)
    _enter(rows, row, user_id, {"found": found.strip(), **({"why": why} if why else {})})


def note(rows: Repository, row: Of, *, user_id: str, said: str) -> None:
    """Keeps what was said; nothing of a blank."""
    if said.strip():
        _enter(rows, row, user_id, {"said": said.strip()})


def _enter(rows: Repository, row: Of, user_id: str, words: dict[str, str]) -> None:
    entry = {"at": utc_now().isoformat(), "by": user_id, **words}
    rows.seal(row, "found", json.dumps([*_every(rows, row), entry]))


def _every(rows: Repository, row: Of) -> list[dict[str, str]]:
    told: list[dict[str, str]] = json.loads(rows.open(row, "found") or "[]")
    return told
