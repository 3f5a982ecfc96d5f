"""Whom to ring, as the letters say it: a manager keeps it, and nothing of it is about a person in care.

What is not known has no entry, and is a line to write on in a letter: no number is ever made up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select

from matcher.errors import KithError
from service import audit_log
from service.database import tables
from service.repository import Repository

MOST = 200
"""Letters of one part."""


class WhomToRingError(KithError):
    """What cannot be kept as whom to ring, and of which part."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True)
class Part:
    label: str
    hint: str = ""
    number: bool = False
    """Whether it is a telephone number."""


PARTS: Mapping[str, Part] = {
    "service": Part("Who you are", "As children and volunteers know you, such as The Independent Visitor team."),
    "address": Part("Address", "In one line, as it heads a letter."),
    "telephone": Part("Telephone", "In office hours.", number=True),
    "out_of_hours": Part("Telephone in the evening and at weekends", "Such as the emergency duty team.", number=True),
    "advocacy": Part("Advocacy service", "Who speaks up for children in your area, and does not work for you."),
    "advocacy_telephone": Part("Telephone of the advocacy service", number=True),
}


def row_of(rows: Repository) -> tables.WhomToRing | None:
    return rows.session.scalar(select(tables.WhomToRing))


def told(rows: Repository) -> Mapping[str, str]:
    row = row_of(rows)
    parts: Mapping[str, str] = json.loads(rows.open(row, "told") or "{}") if row else {}
    return parts


def blank_numbers(kept: Mapping[str, str]) -> list[str]:
    """What each number is called that no letter has, for whoever prints one."""
    return [part.label for name, part in PARTS.items() if part.number and name not in kept]


def write(rows: Repository, given: Mapping[str, str], *, user_id: str) -> None:
    """Keeps the parts in place of those before. Raises WhomToRingError for the first that cannot be."""
    kept = {name: " ".join(given.get(name, "").split()) for name in PARTS}
    for name, text in kept.items():
        _check(name, text)
    row, before = row_of(rows) or tables.WhomToRing(), told(rows)
    after = {name: text for name, text in kept.items() if text}
    fields = [name for name in PARTS if before.get(name) != after.get(name)]
    if fields:
        rows.seal(row, "told", json.dumps(after))
    rows.session.add(row)
    rows.session.flush()
    if fields:
        details = {"parts": [PARTS[name].label.lower() for name in fields]}
        entry = audit_log.Entry(user_id, "change whom to ring", row.id, details=details)
        audit_log.record(rows.session, rows.keys, entry)


def _check(name: str, text: str) -> None:
    part = PARTS[name]
    if len(text) > MOST or not text.isprintable():
        raise WhomToRingError(name, f"Write “{part.label}” in one line of up to {MOST} letters.")
    digits = sum(letter.isdigit() for letter in text)
    if part.number and text and (digits < 3 or digits > 15 or set(text) - set("0123456789 +()-")):
        raise WhomToRingError(
            name, f"“{text}” is no telephone number. Write one such as 01234 567890, or leave it blank."
        )
