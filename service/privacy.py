"""How what is kept of a person is erased.

Erasing takes away every fact, name and word about a person, and keeps what keeps others safe: that two children are
siblings or were taken apart, that a volunteer was with a child, that somebody said no – by opaque ids, of which nothing
leads back. Who comes back under the same reference is known again by a keyed hash of it, so that none of that is lost
with them. The audit log holds ids alone and stays whole.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import delete, select

from matcher import records
from matcher.records import Agreement, Status
from matcher.references import spelt_out, tells
from service import audit_log, runs
from service.audit_log import Entry
from service.database import tables
from service.repository import Repository
from service.standing import STOPPED
from service.workflow import LIVE, StepRefusedError

ERASED = "erased"
ERASING = ("erase child", "erase volunteer")
"""How the audit log has it."""
ERASE_REASONS = ("retention period over", "asked to be erased", "entered by mistake")


# ---- erasing ---------------------------------------------------------------------------------------------------------


def erase_child(rows: Repository, child: tables.Child, *, user_id: str, reason: str) -> None:
    """Raises StepRefusedError while a proposal or match of theirs is live, and a second time."""
    rows.take_turn()
    _refuse_again(child)
    _refuse_live(rows, tables.Match.child_id == child.id)
    family = rows.session.get_one(tables.Family, child.family_id)
    family.references = [name for name in family.references if name != child.reference.casefold()]
    said_no = Agreement.NO if child.objects else None
    rows.write_child(child, records.Child("", agrees=said_no))  # a no outlives what it was about
    known_as, child.once = child.reference, rows.once(child.reference)
    child.person = child.found = None
    child.referral, child.reference = False, f"{ERASED} {child.id}"
    _erase_words(rows, tables.Match.child_id == child.id, tables.Declined.child_id == child.id)
    for one in rows.session.scalars(
        select(tables.RecordedException).where(tables.RecordedException.child_id == child.id)
    ):
        _erase_exception(rows, one)
    for shown in (tables.Served, tables.Shortlist):
        rows.session.execute(delete(shown).where(shown.child_id == child.id))
    _erase_from_plans(rows, child.id)
    _erase_from_runs(rows, child.id)
    _erase_from_words(rows, known_as)
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(user_id, "erase child", child.id, reason))


def erase_volunteer(rows: Repository, volunteer: tables.Volunteer, *, user_id: str, reason: str) -> None:
    """Raises StepRefusedError while a proposal or match of theirs is live, and a second time."""
    rows.take_turn()
    _refuse_again(volunteer)
    _refuse_live(rows, tables.Match.volunteer_id == volunteer.id)
    before = rows.volunteer_record(volunteer).status
    status = before if before in STOPPED else Status.WITHDRAWN  # a suspension outlives what it was about
    rows.write_volunteer(volunteer, records.Volunteer("", status=status))
    known_as, volunteer.once = volunteer.reference, rows.once(volunteer.reference)
    volunteer.person = volunteer.found = None
    volunteer.reference = f"{ERASED} {volunteer.id}"
    _erase_words(rows, tables.Match.volunteer_id == volunteer.id, tables.Declined.volunteer_id == volunteer.id)
    for one in rows.session.scalars(
        select(tables.RecordedException).where(tables.RecordedException.volunteer_id == volunteer.id)
    ):
        _erase_exception(rows, one)
    _erase_scores(rows, volunteer.id)
    _erase_from_plans(rows, volunteer.id)
    _erase_from_runs(rows, volunteer.id)
    _erase_from_words(rows, known_as)
    rows.session.execute(delete(tables.Shortlist))  # the volunteer may be on any; the next run makes them anew
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(user_id, "erase volunteer", volunteer.id, reason))


def is_erased(row: tables.Child | tables.Volunteer) -> bool:
    """Whether somebody is forgotten, and has not come back."""
    return row.once is not None or row.reference.startswith(ERASED)


def either_is_erased(rows: Repository, match: tables.Match) -> bool:
    """Whether one of the two of a match is forgotten."""
    return is_erased(rows.child(match.child_id)) or is_erased(rows.volunteer(match.volunteer_id))


def _refuse_again(row: tables.Child | tables.Volunteer) -> None:
    """A second time would put the hash of a placeholder in the place of that by which they are known again."""
    if is_erased(row):
        raise StepRefusedError("They were erased already.")


def _refuse_live(rows: Repository, own: Any) -> None:
    if rows.session.scalar(select(tables.Match.id).where(own, tables.Match.state.in_(LIVE)).limit(1)):
        raise StepRefusedError("A proposal or match of theirs is live. End it first: nobody visits whom Kith forgot.")


def _erase_words(rows: Repository, matches: Any, nos: Any) -> None:
    ids = []
    for match in rows.session.scalars(select(tables.Match).where(matches)):
        rows.name_coordinator(match, None)
        ids.append(match.id)
    for decision in rows.session.scalars(select(tables.Decision).where(tables.Decision.match_id.in_(ids))):
        decision.note = decision.scores = None
    for no in rows.session.scalars(select(tables.Declined).where(nos)):
        no.reason = None


def _erase_scores(rows: Repository, volunteer: str) -> None:
    """What scores said of a volunteer who was shown beside another who was chosen."""
    kept = select(tables.Decision).where(tables.Decision.scores.is_not(None))
    for decision in rows.session.scalars(kept):
        scores = json.loads(rows.open(decision, "scores") or "{}")
        if scores.pop(volunteer, None) is not None:
            rows.seal(decision, "scores", json.dumps(scores))


def _erase_from_plans(rows: Repository, person: str) -> None:
    for plan in rows.session.scalars(select(tables.Plan)):
        told = rows.open(plan, "content") or ""
        if person in told:
            rows.seal(plan, "content", json.dumps(_without(json.loads(told), person)))


def _erase_from_runs(rows: Repository, person: str) -> None:
    """Why a run found no plan names pairs, and says what is known of them."""
    for run in rows.session.scalars(select(tables.Run).where(tables.Run.problem.is_not(None))):
        if person in (rows.open(run, "problem") or ""):
            rows.seal(run, "problem", runs.FORGOTTEN)


_OF_OTHERS = (
    (tables.ImportBatch, "note"), (tables.Plan, "publish_reason"), (tables.Decision, "note"),
    (tables.Declined, "reason"), (tables.RecordedException, "reason"), (tables.RecordedException, "withdrawn_reason"),
    (tables.Child, "found"), (tables.Volunteer, "found"),
)  # fmt: skip
"""Words that may speak of somebody whom the row does not name."""


def _erase_from_words(rows: Repository, reference: str) -> None:
    """What was written of others, or of many, names them by reference; by name, only people could find it."""
    if tells(reference):
        for kind, column in _OF_OTHERS:
            for row in rows.session.scalars(select(kind).where(getattr(kind, column).is_not(None))):
                said = rows.open(row, column) or ""
                without = spelt_out(reference).sub(ERASED, said)
                if without != said:
                    rows.seal(row, column, without)


def _without(told: Any, person: str) -> Any:
    """What JSON says without the entries of a person; where those of others name them, a word in place of the id."""
    if isinstance(told, dict):
        return {name: _without(one, person) for name, one in told.items()}
    if isinstance(told, list):
        return [_without(one, person) for one in told if one != person and not _is_of(one, person)]
    return told.replace(person, ERASED) if isinstance(told, str) else told


def _is_of(entry: Any, person: str) -> bool:
    return isinstance(entry, dict) and person in (entry.get("child"), entry.get("volunteer"))


def _erase_exception(rows: Repository, one: tables.RecordedException) -> None:
    for word in ("reason", "approved_by", "withdrawn_reason", "withdrawn_by"):
        if rows.open(one, word) is not None:
            rows.seal(one, word, ERASED)
