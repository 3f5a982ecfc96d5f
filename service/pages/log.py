"""The audit log with its filters, and who read a child's page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from sqlalchemy import func, select

from matcher.words import council, counted, pounds
from service import audit_log, workflow
from service.api.deps import Asking, Installation, Kith, Reading, note_reading
from service.api.shapes import ChildId
from service.database.base import utc_now
from service.database.tables import AuditEvent, Match
from service.pages.html import in_london, long_day, moment, render
from service.pages.labels import label_of
from service.pages.lists import SIZE, Page, named
from service.pages.story import title_of
from service.reasons import says
from service.redo import RESTORE
from service.repository import Repository
from service.steps import PLANNED_FOR

router = APIRouter()

_Id = Annotated[str, Query(max_length=12, pattern="^([A-Z][2-9B-Z]{11})?$")]
READ = {
    "today": "Opened the page Today", "children": "Opened the list of children",
    "proposals": "Opened the list of proposals and matches",
    "record": "Opened the record", "person": "Opened who they are", "readers": "Opened who read it",
    "shortlist": "Opened the shortlist", "shortlist of a volunteer": "Opened whom a volunteer could visit",
    "excluded": "Opened who could not visit, and why", "explanation": "Opened what the rules say of a pair",
    "proposal": "Opened the proposal", "profile": "Opened what is shown of them", "letter": "Opened a letter",
    "matches": "Opened the list of matches", "match": "Opened the match", "volunteer": "Opened a volunteer",
    "exceptions": "Opened exceptions", "organisation": "Opened the matches that an organisation’s name concerns",
    "families": "Opened families", "plan": "Opened a plan", "changes": "Opened what a run changed",
    "run": "Opened why a run found no plan", "draft of a policy": "Opened what a draft of the policy would change",
    "import": "Opened files to be imported", "export": "Took out all that is kept of them",
    "decisions": "Took out the decisions, without names", "retention": "Opened who is due to be erased",
    "budget": "Opened a budget, with the matches that were added to it", "list": "Opened a list",
}  # fmt: skip
"""Each word of `permissions.TELLS` as a sentence; "list" stands in entries of before, which cannot be altered."""


@dataclass(frozen=True)
class Kind:
    """Entries that are found together: what they are called, and each of their actions as what somebody did."""

    label: str
    done: Mapping[str, str]


KINDS: Mapping[str, Kind] = {
    "read": Kind("What was opened", {"read": "Opened a page"}),  # said by `READ`
    "decision": Kind("Decisions", {}),  # an action for each step
    "record": Kind("Children and volunteers", {
        "add child": "Added a child", "change child": "Changed facts of a child",
        "add volunteer": "Added a volunteer", "change volunteer": "Changed facts of a volunteer",
        "write person": "Wrote who somebody is", "child objects": "Recorded that a child wants no visitor",
        "child to be asked again": "Recorded that a child is to be asked again", "hold referral": "Held a referral",
        "link siblings": "Linked brothers and sisters", "unlink sibling": "Took a child out of a family",
        "erase child": "Erased a child", "erase volunteer": "Erased a volunteer",
    }),
    "standing": Kind("Standing of volunteers", {"volunteer status": "Changed where a volunteer stands"}),
    "share": Kind("What is shown of whom", {"share": "Chose what each is shown of the other"}),
    "exception": Kind("Exceptions, budgets and organisations", {
        "approve exception": "Allowed an exception", "withdraw exception": "Withdrew an exception",
        "set budget": "Set a budget", "commit budget": "Committed the cost of an appointment",
        "release budget": "Took off the cost of an appointment that was recorded by mistake",
        "add organisation": "Added an organisation", "rename organisation": "Renamed an organisation",
        "change whom to ring": "Changed whom letters say to ring",
    }),
    "import": Kind("Files taken in", {
        "import": "Took files in", "import: change child": "Changed facts of a child by a file",
        "import: change volunteer": "Changed facts of a volunteer by a file",
        "import: change match": "Changed the dates of a match by a file",
        "import: end match": "Ended a match by a file", "import: set budget": "Set a budget by a file",
    }),
    "look": Kind("Files looked at", {
        "import: files looked at": "Sent files to look at", "import: files thrown away": "Threw files away",
        "import: columns": "Said what the columns of a file are",
        "import: part left out": "Said that a file holds nothing to be read",
    }),
    "run": Kind("Runs and plans", {
        "ask for run": "Asked for a run", "cancel run": "Cancelled a run", "run": "Finished a run",
        "publish plan": "Published a plan",
    }),
    "policy": Kind("Policies", {"policy in force": "Put a policy in force"}),
    "report": Kind("Reports", {"report: words of the year": "Wrote into the report of the year"}),
    "log in": Kind("Signing in", {"log in": "Signed in"}),
    "log out": Kind("Signing out", {"log out": "Signed out"}),
    "user": Kind("Accounts", {
        "invite user": "Invited somebody", "open user again": "Opened an account again",
        "disable user": "Closed an account", "change role of user": "Gave an account another role",
        "choose password": "Chose a password", "set password": "Set a password",
        "bind account": "Bound an account to the council’s own",
        "make token": "Made a key for a program", "revoke token": "Revoked a key of a program",
    }),
    "upkeep": Kind("Upkeep of Kith", {
        "add authority": "Added an authority", "rotate keys": "Made a new key for what is sealed",
        "drop keys": "Dropped old keys", "retention": "Deleted what was kept long enough",
        "backup": "Began a backup of everything",
        "keep what was said no to": "Kept what was said no to, after a restore",
    }),
}  # fmt: skip
DONE = {action: said for kind in KINDS.values() for action, said in kind.done.items()}
"""Each action as what somebody did; decisions are called by their steps."""
DETAILS = {
    "fields": "facts", "scopes": "what it may do", "number": "version",
    "agrees": "the child says", "agrees before": "the child said before",
    "asked by": "asked by", "asked on": "asked on", "no of": "whose no it is",
    "safeguarding_issue": "safeguarding issue unresolved", "safeguarding_issue before": "safeguarding issue before",
    "status": "stands as",
    "status before": "stood as", "raised by": "raised by match", "raised for": "for the reason",
    "recorded at": "recorded first on", "recorded by": "by", "withdrawn": "proposals withdrawn",
    "from": "before", "to": "from then on", "code": "council", "told": "children told of",
    "weakened": "safeguards that weakened", "confirmed": "confirmed one by one", "concerned": "whom they concern",
    "served": "list shown", "break a rule": "live matches that break a rule by it",
    "break the rule": "live matches that break the rule for siblings by it",
    "although apart": "though a manager had taken them apart", "past": "past matches and meetings brought up",
    "paused": "matches paused", "state": "stands as", "by": "on whose word", "import": "by import",
    "ended": "matches, and proposals after a meeting, that began and were over since",
    "no longer asked": "rules that are no longer asked", "looked into": "says what came of a concern",
    "run": "by run", "before": "in place of",
    PLANNED_FOR: "other children for whom the published plan proposed the volunteer",
    workflow.TAKEN_BACK: "what was taken back",
}  # fmt: skip
"""What a detail of an entry is called, where its name does not say so by itself."""
RECORDS = {
    "A": "authority", "B": "budget", "C": "child", "D": "decision", "E": "exception", "F": "family", "G": "report",
    "H": "whom to ring", "I": "import", "K": "columns of files", "L": "plan", "M": "match", "N": "no",
    "O": "organisation", "P": "policy", "R": "run", "S": "shortlist", "T": "family", "U": "account", "V": "volunteer",
    "W": "shortlist", "X": "worker", "Y": "files",
}  # fmt: skip
"""What a record is, by the first letter of its id."""
_AN_ID = re.compile("[A-Z][2-9B-Z]{11}")
_NO_NEWS = frozenset({"hash"})
"""What proves an entry to a program and says nothing to a person."""
_SEALED = frozenset({"confirmed", "weakened"})
"""Details that name a safeguard with the seal of what was confirmed of it."""
PROGRAMS = {audit_log.COMMAND: "IT, on the server", "worker": "Kith, by itself", RESTORE: "Kith, after a restore"}
"""Who acted where nobody had signed in."""
_PROVEN = {"OPTIMAL": "no better plan exists", "FEASIBLE": "the best found in the time that it had"}
"""What a run says of its plan."""


def words(event: AuditEvent) -> str:
    """What an entry says was done, for a person: "Opened the shortlist", "Decision: the volunteer was asked"."""
    if event.action == "read":
        return READ.get(event.reason, f"Opened: {event.reason}")
    what, _, step = event.action.partition(": ")
    if what == "decision":
        said = title_of(step)
        told = f"Decision: {said[:1].lower()}{said[1:]}"
    else:
        told = DONE.get(event.action, event.action.capitalize())
    return f"{told} ({says(event.reason)})" if event.reason else told


def details_of(event: AuditEvent) -> list[tuple[str, str]]:
    """What stands beside an entry, each with what it is called: of records how many, as each can be searched for.

    What is empty is left out: that a detail concerns nobody is no news.
    """
    sheet = "children" if event.action.endswith("child") else "volunteers"
    told = []
    for name, value in event.details.items():
        if value in ([], "", None) or name in _NO_NEWS:
            continue
        if event.action == "run" and name == "status":
            told.append(("how good the plan is", _PROVEN.get(str(value), str(value).lower())))
        elif name == "pence":
            told.append(("a year’s cost", pounds(int(value))))
        elif name == "code":
            told.append((DETAILS[name], council(str(value))))
        elif name == "recorded at":
            told.append((DETAILS[name], moment(datetime.fromisoformat(value))))
        elif name == workflow.TAKEN_BACK:
            told.append((DETAILS[name], title_of(str(value))))
        else:
            told.append((DETAILS.get(name, name), _said(name, value, sheet)))
    return told


def by_day(events: Sequence[AuditEvent]) -> list[tuple[str, list[AuditEvent]]]:
    """Entries under the day in London on which each was written, in the order that they have."""
    days = groupby(events, lambda one: in_london(one.at).date())
    return [(f"{on:%A} {long_day(on)}", [*written]) for on, written in days]


def record_of(id: str) -> str:
    """What an id is of, "run" say; "" for what is no id."""
    return RECORDS.get(id[0], "record") if _AN_ID.fullmatch(id) else ""


def _said(name: str, value: Any, sheet: str) -> str:
    if not isinstance(value, list):
        return str(value)
    if all(_AN_ID.fullmatch(str(one)) for one in value):
        return counted(len(value), "record", "records")
    if name == "fields":
        return "; ".join(label_of(sheet, one) for one in value)
    if name in _SEALED:
        times = Counter(_safeguard(str(one), sheet) for one in value)
        return "; ".join(f"{said} ({number} times)" if number > 1 else said for said, number in times.items())
    return ", ".join(map(str, value))


def _safeguard(sealed: str, sheet: str) -> str:
    """Which fact of whom: "children agrees: 4d7f…" of a whole import, "agrees: 4d7f…" of one person's."""
    of, _, field = sealed.partition(":")[0].rpartition(" ")
    return f"{of}: {label_of(of, field)}" if of else label_of(sheet, field)


@router.get("/log")
def log(
    request: Request,
    person: Asking,
    kith: Kith,
    kind: Annotated[str, Query(max_length=20)] = "",
    actor: _Id = "",
    subject: _Id = "",
    days: Annotated[int, Query(ge=0, le=3660)] = 30,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Of the person's own authority. A child's id shows who read or changed anything of theirs, lists included."""
    return _log(request, person, kith, kind, actor, subject, days, page)


@router.post("/log/find")
def find(
    request: Request, person: Asking, kith: Kith, reference: Annotated[str, Form(max_length=80)] = "",
    kind: Annotated[str, Form(max_length=20)] = "",
    actor: Annotated[str, Form(max_length=12, pattern="^([A-Z][2-9B-Z]{11})?$")] = "",
    days: Annotated[int, Form(ge=0, le=3660)] = 0, page: Annotated[int, Form(ge=1, le=100_000)] = 1,
) -> Response:  # fmt: skip
    """By the council's reference of a child or a volunteer, which stands in no address.

    Who reads the log is shown ids. The reference that they typed stands beside its id, and nobody else's does; so do
    the filters on every page of what was found, which is asked for by forms for that.
    """
    with kith.database.read(person.authority_id) as session:
        references = Repository(session, kith.keys).references()
    id = named(references, "C", reference) or named(references, "V", reference)
    if id is None:
        return _log(request, person, kith, "", "", "", 30, 1, sought=reference)
    return _log(request, person, kith, kind, actor, id, days, page, typed=reference.strip())


def _log(
    request: Request, person: Asking, kith: Installation, kind: str, actor: str, subject: str, days: int, page: int,
    *, sought: str | None = None, typed: str = "",
) -> Response:  # fmt: skip
    """`sought` is a reference that nobody has, `typed` the one by which the subject was found."""
    with kith.database.read(person.authority_id) as session:
        query = select(AuditEvent).where(AuditEvent.chain == person.authority_id)
        if kind in KINDS:
            own = AuditEvent.action.in_(KINDS[kind].done)
            query = query.where(own if kind != "decision" else AuditEvent.action.startswith("decision: "))
        if actor:
            query = query.where(AuditEvent.actor == actor)
        if days:
            query = query.where(AuditEvent.at >= utc_now() - timedelta(days=days))
        if subject:
            table = Match  # decisions stand under the match alone, of which the two are the child and the volunteer
            theirs = select(table.id).where((table.child_id == subject) | (table.volunteer_id == subject))
            query = query.where(audit_log.about(subject) | AuditEvent.subject.in_(theirs))
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        events = session.scalars(query.order_by(AuditEvent.number.desc()).offset((page - 1) * SIZE).limit(SIZE)).all()
        names = Repository(session, kith.keys).account_names()
        decided = select(Match).where(Match.id.in_([one.subject for one in events]))
        between = {match.id: (match.child_id, match.volunteer_id) for match in session.scalars(decided)}
    filters = {"kind": kind, "actor": actor, "subject": subject, "days": str(days)}
    found = Page(events, total, page, filters, path="/log")
    return render(
        request,
        "log.html",
        person,
        page=found,
        days=by_day(events),
        names=names,
        kinds=KINDS,
        chosen=filters,
        words=words,
        sought=sought,
        typed=typed,
        details=details_of,
        record_of=record_of,
        between=between,
        programs=PROGRAMS,
    )


@router.get("/children/{child_id}/readers")
def readers(
    child_id: ChildId,
    request: Request,
    person: Asking,
    kith: Kith,
    rows: Reading,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """Who read what of a child, the newest first: for whoever may read it."""
    child = rows.child(child_id)
    note_reading(kith, person, "readers", child_id)
    with kith.database.read(person.authority_id) as session:
        query = select(AuditEvent).where(
            AuditEvent.chain == person.authority_id, AuditEvent.action == "read", audit_log.about(child_id)
        )
        total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
        events = session.scalars(query.order_by(AuditEvent.number.desc()).offset((page - 1) * SIZE).limit(SIZE)).all()
        names = Repository(session, kith.keys).account_names()
    return render(
        request,
        "readers.html",
        person,
        child=child,
        page=Page(events, total, page, {}),
        days=by_day(events),
        names=names,
        words=words,
    )
