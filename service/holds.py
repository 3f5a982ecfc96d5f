"""Children whose referral is held for a safeguarding issue that nobody has resolved yet: as `concerns` of volunteers.

Nobody visits them. It is so from where it was recorded, of a proposal or match, on the child's page or by a file, until
a manager has recorded that it is resolved, and what was found. What becomes of the match meanwhile closes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from matcher.instance import LONDON
from matcher.words import day
from service import findings
from service.database import tables
from service.repository import Repository

HOLD = "hold referral"
"""What the audit log calls it where a reason of a step brought it about."""
SENTENCE = "{} has a serious safeguarding issue that is not resolved."
FACT = "safeguarding_issue"
BY_HAND, BY_FILE = "a safeguarding issue, recorded on the child’s page", "a safeguarding issue, recorded by a file"


@dataclass
class Hold:
    """Why nobody visits one child for now: what was recorded, oldest first."""

    child: str
    since: datetime | None = None
    """None where the log does not say: it came with the first files, or with a backup."""
    recorded: list[tuple[str, tables.Match | None]] = field(default_factory=list)
    """Each reason, with the match of which it was recorded; None where it was recorded of the child alone."""


def to_look_into(
    rows: Repository, children: Mapping[str, bool | None], matches: Mapping[str, tables.Match]
) -> list[Hold]:
    """The children who are held, oldest first; last those of whom the log does not say since when.

    Args:
        children: of each child with a referral whether an issue is unresolved. Others are found by the log.
        matches: by id.
    """
    entry = tables.AuditEvent
    own = entry.chain == rows.session.info["authority"], entry.action == HOLD
    others = {*rows.session.scalars(select(entry.subject).where(*own))} - children.keys()
    held = {id for id, issue in children.items() if issue} | {id for id in others if is_held(rows, id)}
    found = _told(rows, held, matches)
    dated = sorted((one.since, one.child, one) for one in found if one.since)
    return [*(one for *_, one in dated), *sorted((one for one in found if not one.since), key=lambda one: one.child)]


def is_held(rows: Repository, child: str) -> bool:
    row = rows.session.get(tables.Child, child)
    return row is not None and rows.child_record(row, family_known=False).safeguarding_issue is True


def of_child(rows: Repository, child: str, matches: Mapping[str, tables.Match]) -> Hold | None:
    """None of a child who is not held."""
    return _told(rows, [child], matches)[0] if is_held(rows, child) else None


def looked_into(rows: Repository) -> Iterator[tuple[str, str]]:
    """That there was an issue, when a manager closed it, and how: each child's id with it in sentences, oldest first.

    For whoever may propose somebody to them: not whose word it was, nor what was found.
    """
    for row in rows.session.scalars(select(tables.Child).where(tables.Child.found.is_not(None))):
        closed = [(day(one.at.astimezone(LONDON).date()), one.why) for one in findings.of(rows, row)]
        if closed:  # what was said is kept there too, of an issue that is open still
            told = (f"There was a safeguarding issue, which a manager closed on {on}: {why}." for on, why in closed)
            yield row.id, " ".join(told)


def _told(rows: Repository, held: Collection[str], matches: Mapping[str, tables.Match]) -> list[Hold]:
    """What the audit log has of each since it was resolved the last time, if ever."""
    if not held:
        return []
    entry = tables.AuditEvent
    theirs = entry.chain == rows.session.info["authority"], entry.subject.in_(held), entry.action != "read"
    found: dict[str, Hold] = {}
    for one in rows.session.scalars(select(entry).where(*theirs).order_by(entry.number)):
        said = one.details.get(FACT)
        if said not in (None, "yes"):
            found.pop(one.subject, None)
        elif said or one.action == HOLD:
            hold = found.setdefault(one.subject, Hold(one.subject, one.at))
            by_itself = BY_FILE if one.action.startswith("import") else BY_HAND
            hold.recorded.append((one.details.get("reason") or by_itself, matches.get(one.details.get("match", ""))))
    return [found.get(id) or Hold(id) for id in held]
