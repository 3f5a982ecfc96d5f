"""Volunteers: the list, and a page each with facts, checks, what is missing, and whom they visit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import select

from matcher import alone, records, shortlist_for_volunteer
from matcher.explain import NOT_ASKED, Reason
from matcher.records import Status
from matcher.rules.plan import Capacity
from matcher.shortlist import Candidate, how_many_could_be_visited
from matcher.words import listed
from service import asking, brought_up, findings, standing
from service.api.deps import Asking, Kith, Reading, attempt, note_reading, refuse_without
from service.api.shapes import VolunteerId
from service.database import tables
from service.pages import exceptions, facts, forms
from service.pages.children import NOT_READY, PAUSED, RULE_TITLES, ChildLine, OfPlan, of_plan, to_ask_again
from service.pages.children import line_of as children_line
from service.pages.entering import Given
from service.pages.html import render
from service.pages.labels import label
from service.pages.lists import LONG, Page, named, nearly
from service.pages.reckoning import Reckoned, Reckoning
from service.permissions import Permission
from service.reasons import ASKS_THE_CHILD, FOR_SAFETY
from service.repository import Repository
from service.standing import STOPPED
from service.workflow import APPOINTED, BEFORE_APPOINTMENT, LIVE, State

router = APIRouter(prefix="/volunteers")

Show = Literal["everybody", "free", "taken", "not ready", "checks", "suspended", "gone"]
Sort = Literal["reference", "committed", "lapse"]
GONE = (Status.WITHDRAWN, Status.RESIGNED)
WHOM = 10
"""Children on a volunteer's list."""


@dataclass(frozen=True)
class VolunteerLine:
    id: str
    reference: str
    status: str
    area: str
    travels: str
    committed_until: date | None
    stands: str
    """free, taken or not ready."""
    words: str
    lapse: alone.Lapse | None

    def is_of(self, show: Show) -> bool:
        """Who is suspended or has gone is not ready as well: why nobody visits with them is another question."""
        if show == "checks":
            return self.lapse is not None
        if show == "gone":
            return self.status in GONE
        return show in ("everybody", self.stands, self.status)


def line_of(reckoned: Reckoning, person: records.Volunteer) -> VolunteerLine:
    live = [match for match in reckoned.of_volunteer.get(person.id, ()) if match.state in LIVE]
    if person.status in STOPPED:  # whatever is live of theirs is paused
        stands, words = "not ready", str(person.status)
    elif live:
        states = {State(match.state) for match in live}
        visits = states & set(APPOINTED)
        stands, words = "taken", "Proposed"
        if visits:
            words = PAUSED if visits == {State.PAUSED} else "Visits a child"
    elif reckoned.ready_volunteers[person.id]:
        stands, words = "free", "Free"
    else:
        approved = person.status is Status.APPROVED
        stands, words = "not ready", NOT_READY if approved else str(person.status or "status not recorded")
    limit = person.travel_limit_metres
    return VolunteerLine(
        person.id, reckoned.references[person.id], str(person.status or "not recorded"), facts.place(person.home),
        "not recorded" if limit is None else facts.distance(limit), person.commitment_until, stands, words,
        reckoned.first_lapse.get(person.id),
    )  # fmt: skip


ORDER: dict[Sort, Callable[[VolunteerLine], tuple[object, ...]]] = {
    "reference": lambda line: (line.reference,),
    "committed": lambda line: (line.committed_until or date.max, line.reference),
    "lapse": lambda line: (line.lapse is None, (line.lapse and line.lapse.on) or date.min, line.reference),
}


@router.get("")
def volunteers(
    request: Request,
    person: Asking,
    reckoned: Reckoned,
    show: Show = "everybody",
    sort: Sort = "reference",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    return _list(request, person, reckoned, show, sort, page)


@router.post("/find")
def find(
    request: Request, person: Asking, reckoned: Reckoned, reference: Annotated[str, Form(max_length=80)] = ""
) -> Response:
    id = named(reckoned.references, "V", reference)
    if id is not None:
        return RedirectResponse(f"/volunteers/{id}", 303)
    return _list(request, person, reckoned, "everybody", "reference", 1, sought=reference)


def _list(
    request: Request, person: Asking, reckoned: Reckoned, show: Show, sort: Sort, number: int, sought: str | None = None
) -> Response:
    every = [line_of(reckoned, one) for one in reckoned.instance.volunteers]
    shown = [line for line in every if line.is_of(show)] if sought is None else []  # as in the list of children
    shown.sort(key=ORDER[sort])
    counts = {name: sum(line.is_of(name) for line in every) for name in get_args(Show)}
    near = [] if sought is None else nearly(reckoned.references, (line.id for line in every), sought)
    page = Page.of(shown, number, {"show": show, "sort": sort})
    return render(
        request, "volunteers.html", person, page=page, show=show, sort=sort, sought=sought,
        missing=reckoned.missing([line.id for line in page.lines]), counts=counts, near=near,
        references=reckoned.references,
        why=reckoned.not_ready([line.id for line in page.lines if line.words == NOT_READY]),
    )  # fmt: skip


@router.get("/{volunteer_id}")
def volunteer(
    volunteer_id: VolunteerId, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned
) -> Response:
    row = rows.volunteer(volunteer_id)
    instance = reckoned.instance
    record = instance.volunteer(volunteer_id)
    matches = reckoned.of_volunteer.get(volunteer_id, ())
    allowed = exceptions.of_volunteer(rows, volunteer_id)
    children = {*(record.known_children or ()), *(match.child_id for match in matches)}
    children |= {one.child_id for one in allowed if one.child_id}
    planned = _planned(reckoned, volunteer_id)
    children |= {line.id for line, _ in planned}
    note_reading(kith, person, "volunteer", "", children=sorted(children), volunteer=volunteer_id)
    rules, theirs = alone.about_volunteer(instance, volunteer_id), {match.id for match in matches}
    return render(
        request, "volunteer.html", person,
        line=line_of(reckoned, record), planned=planned, plan=reckoned.planned.plan,
        groups=facts.about_volunteer(record, instance.as_of, reckoned.references),
        gaps=reckoned.missing([volunteer_id])[volunteer_id],
        impossible=reckoned.impossible(volunteer_id),
        rules=RULE_TITLES,
        checks=sorted(
            (_of_paused(one, matches) for one in rules), key=lambda one: one.verdict == "passes"
        ),
        not_asked=[f"{reckoned.told(one)} {NOT_ASKED}" for one in reckoned.not_asked.get(volunteer_id, ())],
        lapses=[one for one in reckoned.lapses if one.volunteer == volunteer_id and one.on],
        matches=matches, broken=reckoned.broken,
        full=sum(one.state in APPOINTED for one in matches) <= rows.places(instance.policy)[volunteer_id],
        exceptions=allowed,
        references=reckoned.references,
        told=reckoned.told,
        parts=tuple(forms.PARTS["volunteers"]),
        saved="saved" in request.query_params,
        suspended_now=request.query_params.get("saved") == "suspended" and record.status in STOPPED,
        paused=[match for match in matches if match.state == State.PAUSED],
        to_ask=[one.match for one in asking.to_ask(rows, tables.Match.volunteer_id == volunteer_id)],
        asks_again=any(one.reason in ASKS_THE_CHILD for id, one in reckoned.paused.items() if id in theirs),
        another=_whether_another(reckoned, matches), concern=bool(standing.still_open(standing.stops(rows, row))),
        label=label, why=_why_stopped(rows, row), looked_into=reckoned.looked_into.get(volunteer_id, ""),
        findings=findings.of(rows, row) if Permission.APPROVE in person.may else [],
        said=findings.said(rows, row) if Permission.APPROVE in person.may else [],
        names=rows.account_names(),
    )  # fmt: skip


def _whether_another(reckoned: Reckoning, matches: Sequence[tables.Match]) -> list[tables.Match]:
    """What is over for a child's safety, whose child nobody has asked yet whether they would like another visitor."""
    theirs, over = {one.child_id for one in matches}, {one.id for one in matches if one.reason in FOR_SAFETY}
    children = (one for one in reckoned.instance.children if one.id in theirs - reckoned.beyond_a_visitor)
    found = (to_ask_again(reckoned, child) for child in children)
    return [one for one in found if one is not None and one.id in over]


def _of_paused(reason: Reason, matches: Sequence[tables.Match]) -> Reason:
    """The rules take a visitor for one who visits: while all visits are paused, a place is kept."""
    visits = [one for one in matches if one.state in APPOINTED]
    if reason.rule != Capacity.id or reason.verdict != "fails" or {one.state for one in visits} != {State.PAUSED}:
        return reason
    kept = listed(sorted(one.child_id for one in visits))
    return replace(reason, sentence=f"The visits to {kept} are paused, and the place is kept meanwhile.")


def _planned(reckoned: Reckoning, volunteer_id: str) -> list[tuple[ChildLine, OfPlan | None]]:
    """The children for whom the published plan has the volunteer, who are not proposed to each other yet.

    Each with what their own page says of it while they wait for somebody.
    """
    found = []
    for child_id in reckoned.planned.children_of.get(volunteer_id, ()):
        live = reckoned.live.get(child_id)
        record = next((one for one in reckoned.instance.children if one.id == child_id), None)
        if record is not None and (live is None or live.volunteer_id != volunteer_id):
            line = children_line(reckoned, record)
            found.append((line, of_plan(reckoned, child_id) if line.stands == "waiting" else None))
    return found


@router.get("/{volunteer_id}/shortlist")
def whom(
    volunteer_id: VolunteerId, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned,
    everybody: Literal["yes", ""] = "", page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:  # fmt: skip
    """The children whom a volunteer could visit, best fit first; the first of them, or everybody, a page at a time.

    A proposal is made from the child's own shortlist.
    """
    rows.volunteer(volunteer_id)
    instance = reckoned.instance
    could = how_many_could_be_visited(instance, volunteer_id)

    def some(skip: int, top: int) -> Sequence[Candidate]:
        return shortlist_for_volunteer(instance, volunteer_id, top=top, rank_by="fit", skip=skip)

    total, size = (could, LONG) if everybody else (min(could, WHOM), WHOM)
    found = Page.made(total, some, page, {"everybody": "yes"}, size)
    children = [one.child for one in found.lines]
    note_reading(kith, person, "shortlist of a volunteer", "", children=children, volunteer=volunteer_id)
    against = [one for one in alone.about_volunteer(instance, volunteer_id) if one.verdict != "passes"]
    return render(
        request, "whom.html", person, could=could, against=against, page=found, everybody=everybody,
        line=line_of(reckoned, instance.volunteer(volunteer_id)),
        found=[(one, children_line(reckoned, instance.child(one.child))) for one in found.lines], told=reckoned.told,
        gaps=[] if found.lines else reckoned.missing([volunteer_id])[volunteer_id], rules=RULE_TITLES, label=label,
    )  # fmt: skip


# ---- where a volunteer stands ----------------------------------------------------------------------------------------


_STANDS: Mapping[str, str] = {
    "": "Where {} stands is not recorded.", Status.APPLICANT: "{} has applied, and is not approved yet.",
    Status.APPROVED: "{} is approved.", Status.SUSPENDED: "{} is suspended.",
    Status.WITHDRAWN: "{} has been withdrawn.", Status.RESIGNED: "{} has resigned.",
}  # fmt: skip


# It rests on the rows alone: no fault in what the matcher makes of an authority keeps anybody from being suspended.


@router.get("/{volunteer_id}/status")
def status_page(
    volunteer_id: VolunteerId, request: Request, person: Asking, rows: Reading, status: Status | None = None
) -> Response:
    """With a status chosen already, where a button has named it, and what is in its way."""
    lacking = standing.unchecked(rows, rows.volunteer(volunteer_id)) if status is Status.APPROVED else ()
    return _status_form(request, person, rows, volunteer_id, {"status": status or ""}, lacking=lacking)


@router.post("/{volunteer_id}/status")
def set_status(volunteer_id: VolunteerId, request: Request, person: Asking, kith: Kith, given: Given) -> Response:
    """Each standing has its reasons: of those that were chosen, the one of the standing counts."""
    status = given.get("status", "")
    reason, manager = given.get(f"reason-{status}", ""), Permission.APPROVE in person.may
    lacking: tuple[alone.Unchecked, ...] = ()
    unfound = raised = False

    def write(rows: Repository) -> str:
        """What is wrong with what was sent; nothing where it was saved."""
        nonlocal raised
        row = rows.volunteer(volunteer_id)
        stops = status in standing.STOPPED and row.status not in standing.STOPPED  # whatever else was changed meanwhile
        if str(row.version) != given.get("version") and status and not stops:
            return f"Somebody changed this volunteer meanwhile, who is “{row.status}” now. Nothing of yours was saved."
        if status not in tuple(Status):
            return "Choose where the volunteer stands from now on."
        if standing.needs_a_manager(row.status, status):
            refuse_without(person, Permission.APPROVE)
        if reason not in standing.reasons_of(rows, row, Status(status), manager=manager):
            return f"Choose why from now on they are {status}."
        standing.set_status(rows, row, Status(status), user_id=person.user_id, reason=reason, manager=manager,
                            found=given.get("found", ""), said=given.get("said", ""))  # fmt: skip
        recorded = standing.stops(rows, row)
        raised = bool(recorded) and recorded[-1] in standing.still_open(recorded)
        return ""

    try:
        error = attempt(kith, person, write)
    except findings.NothingFoundError as refused:
        error, unfound = refused.asked, True
    except standing.UncheckedError as refused:
        lacking = refused.lacking
        error = standing.not_yet(refused.reference, lacking, partial(label, "volunteers"))
    if not error:
        # A concern is told of as after a step of a match that raised it.
        return RedirectResponse(f"/volunteers/{volunteer_id}?saved={'suspended' if raised else 'yes'}", 303)
    with kith.database.read(person.authority_id) as session:
        fresh = Repository(session, kith.keys)
        return _status_form(request, person, fresh, volunteer_id, given, error, lacking, unfound=unfound)


@dataclass(frozen=True)
class WhyStopped:
    """Since when, by whom and why somebody visits nobody, as the pages tell it."""

    stops: Sequence[standing.Stop]
    names: Mapping[str, str]
    reasons: Mapping[int, str]
    """What was said of the match that brought one about, by its number."""


def _why_stopped(rows: Repository, row: tables.Volunteer) -> WhyStopped | None:
    """None of who was not stopped."""
    if row.status not in STOPPED:
        return None
    recorded = standing.stops(rows, row)
    return WhyStopped(recorded, rows.account_names(), standing.reasons_there(rows, recorded))


def _status_form(
    request: Request, person: Asking, rows: Repository, volunteer_id: str, given: Mapping[str, str], error: str = "",
    lacking: Sequence[alone.Unchecked] = (), *, unfound: bool = False,
) -> Response:  # fmt: skip
    row = rows.volunteer(volunteer_id)
    theirs = rows.session.scalars(select(tables.Match).where(tables.Match.volunteer_id == volunteer_id)).all()
    states = [State(one.state) for one in theirs]
    manager = Permission.APPROVE in person.may
    may = [one for one in Status if one != row.status and (manager or not standing.needs_a_manager(row.status, one))]
    choices = {one: standing.reasons_of(rows, row, one, manager=manager) for one in may}
    now = Status(row.status) if row.status in STOPPED else None
    stay = standing.reasons_of(rows, row, now, manager=manager) if now else ()
    if now and standing.CLOSED in stay:  # who has gone stays so, and a manager says what came of it
        choices[now] = tuple(one for one in stay if one in standing.OUTCOMES)
    return render(
        request, "status.html", person, status=422 if error else 200, row=row, given=given, error=error,
        concern=bool(standing.still_open(standing.stops(rows, row))), manager=manager,
        choices=choices, why=_why_stopped(rows, row),
        stands=_STANDS[row.status or ""],
        proposals=sum(state in BEFORE_APPOINTMENT for state in states),
        visits=sum(state in APPOINTED for state in states),
        past=sum(one.state not in APPOINTED for one in brought_up.whom_they_met(rows, theirs)),
        to_ask=len(asking.to_ask(rows, tables.Match.volunteer_id == volunteer_id)),
        kept_back=len(may) < len(Status) - 1, lacking=lacking, label=label, unfound=unfound,
        said=findings.said(rows, row) if manager else [], names=rows.account_names(),
    )  # fmt: skip
