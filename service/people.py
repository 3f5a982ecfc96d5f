"""Children and volunteers as a person enters and changes them, in the words of the import's columns.

One description of the columns serves files, forms and the API: a fact that a spreadsheet could not say is refused here
with the same sentence. Siblings, a child's objection and a volunteer's standing are no columns here: they have doors of
their own, since what hangs on them changes in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from matcher import records
from matcher.errors import InputError, Problem
from matcher.impossible import faults
from matcher.instance import today
from matcher.reading.cells import RefusedError, Remark, as_typed
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Column, Sheet
from matcher.records import Agreement, Party, Status
from matcher.references import bare, has_number
from matcher.standing import broken
from matcher.words import same
from service import audit_log, findings, holds, proposals, runs, safeguards
from service.audit_log import Entry
from service.database import tables
from service.families import family_called, link_siblings
from service.repository import Repository
from service.workflow import LIVE, State

OWN_DOOR = {CHILDREN.name: ("child_id", "family"), VOLUNTEERS.name: ("volunteer_id", "status")}
"""Columns of files that are not facts here: who it is, and what has a door of its own."""

A_MANAGERS = ("manager_approved", "funding_agreed")
"""Facts of a child that are a manager's word: approval, and money."""

CODES = {CHILDREN.name: ("agrees", "safeguarding_issue"), VOLUNTEERS.name: ("status",)}
"""The fields of each sheet of which the audit log has the words before and after: a child's word, a hold, standing."""


def columns_of(sheet: Sheet) -> tuple[Column, ...]:
    """The columns that are facts of a child or a volunteer here."""
    return tuple(column for column in sheet.columns if column.name not in OWN_DOOR[sheet.name])


def read_facts(sheet: Sheet, given: Mapping[str, str | None], before: Any) -> Any:
    """A record with what is given in place of what was before; a blank is *not recorded*.

    Raises InputError with a problem for each column that cannot be read. Problems name no value.
    """
    facts = {name.name: getattr(before, name.name) for name in fields(before)}
    problems = []
    known = {column.name: column for column in columns_of(sheet)}
    for name, text in given.items():
        column = known[name]
        try:
            facts[column.to] = column.read(as_typed(text)) if text and as_typed(text) else None
        except RefusedError as error:
            problems.append(Problem(sheet.name, 0, name, "", *_unquoted(error.wrong, error.remedy, text or "")))
        except Remark as remark:  # what is read in part is not what was meant
            problems.append(Problem(sheet.name, 0, name, "", *_unquoted(remark.wrong, remark.remedy, text or "")))
    if problems:
        raise InputError("Some facts cannot be read.", problems)
    if sheet is CHILDREN:
        if facts["placement"] != before.placement and "placement_council" not in given:
            facts["placement_council"] = None  # where the child lived says nothing of where they live now
        if facts["requested_gender"] != before.requested_gender and "requested_gender_strength" not in given:
            facts["requested_gender_strength"] = None
    if sheet.complete:
        sheet.complete(facts)
    return sheet.record(**facts)


def _unquoted(wrong: str, remedy: str, text: str) -> tuple[str, str]:
    """A reader's sentence without what was typed in it: answers and logs never repeat that."""
    parts = [part for part in (text, *text.replace(";", ",").split(",")) if part.strip()]
    if any(part.strip().casefold() in f"{wrong} {remedy}".casefold() for part in parts) or "“" in wrong:
        return "is not a word that Kith knows here", "See docs/columns.md for the words"
    return wrong, remedy


def checked(sheet: Sheet, record: Any, before: Any) -> None:
    """Raises InputError for facts that cannot be, a date yet to come, say: for those that were not so already.

    What stood there before, and has become impossible, keeps nothing else from being recorded, least of all a no.
    """
    if found := faults(record, today()) - faults(before, today()):
        problems = [Problem(sheet.name, 0, one.column, "", one.wrong, one.remedy) for one in sorted(found)]
        raise InputError("Some facts cannot be.", problems)


def _as_their_account(rows: Repository, record: records.Child) -> records.Child:
    """The coordinator under the name of their account: a caseload goes by names, and one person is one."""
    if record.coordinator is None:
        return record
    named = next((one for one in rows.coordinators() if same(one) == same(record.coordinator)), record.coordinator)
    return replace(record, coordinator=named)


# ---- children --------------------------------------------------------------------------------------------------------

_SAID_NO = Problem(
    CHILDREN.name, 0, "agrees", "", "cannot be recorded here: this child said no to any visitor before",
    "Add the child without this; if they have changed their mind, record their new word on the child’s page then",
)  # fmt: skip


def add_child(
    rows: Repository, reference: str, given: Mapping[str, str | None], siblings: list[str] | None, *, user_id: str,
    although: Collection[str] | None = (), said: str = "",
) -> tables.Child:  # fmt: skip
    """A new referral. `siblings` are ids of children; none known is `[]`, not known yet is None.

    Raises TakenError for a reference that is taken, InputError for facts that cannot be read, or that would take away
    the no of a child who was named by a match alone so far; ApartError, and `although`, as in `link_siblings`; `said`
    as in `change_child`.
    """
    rows.take_turn()
    _refuse_name(CHILDREN, reference)
    row = rows.session.scalar(select(tables.Child).where(tables.Child.reference == reference))
    if row is not None and row.referral:
        raise proposals.TakenError("A child of that reference is here already. Change that one.")
    _refuse_nearly(rows, tables.Child, reference)
    back = rows.come_back(tables.Child, reference) if row is None else None
    row = row or back
    before = records.Child("") if row is None else rows.child_record(row, family_known=False)
    record = _as_their_account(rows, read_facts(CHILDREN, given, before))
    if row is not None and row.objects and record.agrees is not Agreement.NO:
        raise InputError("This child has said no to any visitor.", [_SAID_NO])
    safeguards.refuse_weaker(CHILDREN.name, before, record, None, but=A_MANAGERS)  # of who was here without a referral
    checked(CHILDREN, record, before)
    if row is None:
        row = tables.Child(reference=reference, family_id=family_called(rows, reference).id)
        rows.write_child(row, record)
        rows.session.add(row)
    else:  # named by a match, a refusal or a volunteer alone so far, or erased; what is recorded stays, such as a no
        _write_child(rows, row, record, user_id)
        row.referral = True
    rows.session.flush()
    _note(rows, row, record, said, user_id)
    if siblings is not None:
        link_siblings(rows, [row.id, *siblings], user_id=user_id, although=although)
    details = {"fields": sorted(given), **({"was erased": True} if back else {})}
    if record.safeguarding_issue:
        details |= audit_log.told_codes(holds.FACT, before.safeguarding_issue, True)
    audit_log.record(rows.session, rows.keys, Entry(user_id, "add child", row.id, details=details))
    runs.ask_for(rows.session, row.authority_id, "child referred")
    return row


ASKED_BY = (
    "coordinator", "social worker", "carer", "independent reviewing officer", "advocate", "somebody they trust",
)  # fmt: skip
"""Who may have asked a child whether they would like a visitor."""
WHOSE_NO = {"child": Party.CHILD, "somebody else": Party.AUTHORITY}
"""Whose word a no to any visitor is: the child's own, or what somebody else thinks right for them."""


@dataclass(frozen=True)
class Asked:
    """Who asked a child whether they would like a visitor, and when, where they say yes."""

    by: str
    """One of ASKED_BY."""
    on: date


def change_child(
    rows: Repository, row: tables.Child, given: Mapping[str, str | None], *, user_id: str, why: str | None = None,
    asked: Asked | None = None, no_by: str | None = None, found: str = "",
    said: str = "",
) -> tuple[str, ...]:  # fmt: skip
    """Changes facts of a child. A no to any visitor ends what is live, in the same transaction.

    The ids of live matches of theirs that break a core rule now: somebody has to look at them.

    Args:
        why: one of `safeguards.WHY`, a manager's word, where a safeguard weakens.
        asked: where the child says yes who did not before.
        no_by: one of WHOSE_NO, where they say no who did not before: nobody is taken to have said it.
        found: what a manager found, in words, where a safeguarding issue is resolved. Kept for managers alone.
        said: what was said of an issue that is unresolved, by whom, and who was told. Kept for managers alone too.
    """
    rows.take_turn()
    before = rows.child_record(row, family_known=True)
    record = read_facts(CHILDREN, given, before)
    record = _as_their_account(rows, record) if "coordinator" in given else record
    checked(CHILDREN, record, before)
    said_yes = record.agrees is Agreement.YES is not before.agrees
    if said_yes:
        _refuse_unasked(asked)
    said_no = record.agrees is Agreement.NO is not before.agrees
    if said_no and no_by not in WHOSE_NO:
        raise InputError("Whose word is it?", [_NOBODYS_NO])
    weaker = safeguards.refuse_weaker(CHILDREN.name, before, record, why, but=A_MANAGERS)
    _note(rows, row, record, said, user_id)
    resolved = holds.FACT in weaker
    if resolved:
        findings.add(rows, row, user_id=user_id, found=found, why=why or "")
    _write_child(rows, row, record, user_id, WHOSE_NO[no_by] if said_no and no_by else Party.CHILD)
    rows.session.flush()
    breaking = _breaking(rows, tables.Match.child_id == row.id)
    details: dict[str, Any] = {"fields": sorted(given), "break a rule": list(breaking)}
    for name in CODES[CHILDREN.name]:
        if getattr(before, name) != getattr(record, name):
            details |= audit_log.told_codes(name, getattr(before, name), getattr(record, name))
    if said_yes and asked:
        details |= {"asked by": asked.by, "asked on": asked.on.isoformat()}
    if said_no:
        details["no of"] = no_by
    details |= {"weakened": weaker} if weaker else {}
    details |= {findings.CLOSES: "yes"} if resolved else {}
    entry = Entry(user_id, "change child", row.id, why or "" if weaker else "", details)
    audit_log.record(rows.session, rows.keys, entry)
    return breaking


def _note(rows: Repository, row: tables.Child, record: records.Child, said: str, user_id: str) -> None:
    """Keeps what was said of a safeguarding issue. Raises InputError where there is none: the words would be lost."""
    if said.strip() and record.safeguarding_issue is not True:
        wrong, remedy = (
            "is kept with an issue that is unresolved, and none is",
            "Say that there is one, or leave it blank",
        )
        raise InputError("What was said, of what?", [Problem(CHILDREN.name, 0, "said", "", wrong, remedy)])
    findings.note(rows, row, user_id=user_id, said=said)


_NOBODYS_NO = Problem(
    CHILDREN.name, 0, "no_by", "", "is missing",
    "Say whose word the no is: the child’s own, or what somebody else thinks right for them",
)  # fmt: skip


def _refuse_unasked(asked: Asked | None) -> None:
    """Raises InputError where nobody says who heard the child's yes, or when."""
    remedy = "Say who asked the child, and on which day they said yes"
    if asked is None or asked.by not in ASKED_BY:
        raise InputError("Who asked?", [Problem(CHILDREN.name, 0, "asked_by", "", "is missing", remedy)])
    if asked.on > today():
        raise InputError("When?", [Problem(CHILDREN.name, 0, "asked_on", "", "is yet to come", remedy)])


def _breaking(rows: Repository, whose: ColumnElement[bool]) -> tuple[str, ...]:
    """Ids of the matches that go on and break a core rule by now. A paused one was stopped already."""
    going_on = set(LIVE) - {State.PAUSED}
    query = select(tables.Match).where(whose, tables.Match.state.in_(going_on)).order_by(tables.Match.id)
    matches = rows.session.scalars(query).all()
    found = broken(rows.instance(today())) if matches else {}
    return tuple(one.id for one in matches if (one.child_id, one.volunteer_id) in found)


def _write_child(
    rows: Repository, row: tables.Child, record: records.Child, user_id: str, no_by: Party = Party.CHILD
) -> None:
    if record.agrees is Agreement.NO and not row.objects:
        proposals.object_to_any(rows, row.id, user_id=user_id, by=no_by)
    rows.write_child(row, record)


def write_person(rows: Repository, row: tables.Child | tables.Volunteer, content: str, *, user_id: str) -> None:
    """Writes who a child or a volunteer is, as JSON, in place of what stood there. Matching never reads it."""
    rows.take_turn()
    rows.seal(row, "person", content)
    rows.session.flush()
    audit_log.record(rows.session, rows.keys, Entry(user_id, "write person", row.id))


# ---- volunteers ------------------------------------------------------------------------------------------------------


def add_volunteer(
    rows: Repository, reference: str, given: Mapping[str, str | None], *, user_id: str
) -> tables.Volunteer:
    """A new volunteer, an applicant until their status is changed. Raises TakenError, InputError.

    Who comes back after they were erased stands where they stood: a suspension is not forgotten with what it was about.
    """
    rows.take_turn()
    _refuse_name(VOLUNTEERS, reference)
    if rows.session.scalar(select(tables.Volunteer.id).where(tables.Volunteer.reference == reference)):
        raise proposals.TakenError("A volunteer of that reference is here already. Change that one.")
    _refuse_nearly(rows, tables.Volunteer, reference)
    row = rows.come_back(tables.Volunteer, reference) or tables.Volunteer(reference=reference)
    before = records.Volunteer("", status=Status(row.status or Status.APPLICANT))
    record = read_facts(VOLUNTEERS, given, before)
    _write_volunteer(rows, row, given, record, before)
    rows.session.add(row)
    rows.session.flush()
    rows.set_capacities(rows.policy()[1])
    rows.session.flush()
    _record_volunteer(rows, "add volunteer", row, given, user_id)
    return row


def change_volunteer(
    rows: Repository, row: tables.Volunteer, given: Mapping[str, str | None], *, user_id: str, why: str | None = None
) -> tuple[str, ...]:
    """Changes facts of a volunteer, whose status has a door of its own.

    The ids of live matches of theirs that break a core rule now: somebody has to look at them.

    Args:
        why: one of `safeguards.WHY`, a manager's word, where a safeguard weakens.
    """
    rows.take_turn()
    before = rows.volunteer_record(row)
    _write_volunteer(rows, row, given, read_facts(VOLUNTEERS, given, before), before)
    weaker = safeguards.refuse_weaker(VOLUNTEERS.name, before, rows.volunteer_record(row), why)
    rows.session.flush()
    breaking = _breaking(rows, tables.Match.volunteer_id == row.id)
    _record_volunteer(rows, "change volunteer", row, given, user_id, breaking, why if weaker else "", weaker)
    return breaking


def _record_volunteer(
    rows: Repository, action: str, row: tables.Volunteer, given: Mapping[str, str | None], user_id: str,
    breaking: tuple[str, ...] = (), why: str | None = "", weaker: Collection[str] = (),
) -> None:  # fmt: skip
    """With the children whom the facts name, who are told to whoever changed them."""
    known = rows.volunteer_record(row).known_children or ()
    details = {"fields": sorted(given), "children": sorted(known), "break a rule": list(breaking)}
    details |= {"weakened": list(weaker)} if weaker else {}
    audit_log.record(rows.session, rows.keys, Entry(user_id, action, row.id, why or "", details))


def _write_volunteer(
    rows: Repository, row: tables.Volunteer, given: Mapping[str, str | None], record: records.Volunteer,
    before: records.Volunteer,
) -> None:  # fmt: skip
    checked(VOLUNTEERS, record, before)
    if "known_children" in given and record.known_children is not None:
        record = replace(record, known_children=tuple(_named(rows, one) for one in record.known_children))
    rows.write_volunteer(row, record)


def _refuse_name(sheet: Sheet, reference: str) -> None:
    """Raises InputError for a reference that may be a name: references stand in headings, lists and letters."""
    if not has_number(reference):
        wrong, remedy = "has no number in it, and may be a name", "Write the council’s own reference, never a name"
        raise InputError("That is no reference.", [Problem(sheet.name, 0, "reference", "", wrong, remedy)])


def _refuse_nearly(rows: Repository, kind: type[tables.Child] | type[tables.Volunteer], reference: str) -> None:
    """Raises TakenError for a reference that is here in another spelling: C7 for C-07 would be a second person."""
    meant = bare(reference)
    if any(other != reference and bare(other) == meant for other in rows.session.scalars(select(kind.reference))):
        raise proposals.TakenError(
            "A reference that differs from that one in capitals, blanks, signs, zeros or look-alike letters alone is "
            "here already. Write it in the same way if that is who is meant."
        )


def _named(rows: Repository, reference: str) -> str:
    """The id of a child by reference or id, who may have been erased.

    Raises InputError for one who is not here: a slip of the hand would lose who it is, and a name stand unsealed. Of a
    child who is yet to come the reference is kept by a file, which tells that nobody has it.
    """
    row = rows.session.scalar(
        select(tables.Child).where(or_(tables.Child.reference == reference, tables.Child.id == reference))
    )
    row = row or rows.erased(tables.Child, reference)
    if row is None:
        _refuse_nearly(rows, tables.Child, reference)
        raise InputError("A child is not in Kith.", [_NOBODY])
    return row.id


_NOBODY = Problem(
    VOLUNTEERS.name, 0, "known_children", "", "names a child who is not in Kith",
    "Check each reference, and write no names. A child who is yet to be referred is named in the spreadsheet of "
    "volunteers: Import keeps the reference, and says that nobody has it yet",
)  # fmt: skip
