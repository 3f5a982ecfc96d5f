"""Children: the list, and a page each with the facts that matching uses, what is missing, and what that blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from matcher import alone, records
from matcher.catalogue import CATALOGUE
from matcher.errors import NotFoundError
from matcher.explain import why_nobody
from matcher.instance import Instance
from matcher.records import Agreement, Child
from matcher.rules.child import ChildAgrees
from matcher.words import same, spoken
from service import asking, findings, holds
from service.api.deps import Asking, Kith, Reading, note_reading
from service.api.shapes import ChildId
from service.database import tables
from service.pages import facts, forms
from service.pages.forms import COORDINATOR
from service.pages.html import render
from service.pages.labels import label
from service.pages.lists import Page, named, nearly
from service.pages.reckoning import Reckoned, Reckoning
from service.pages.story import CAME_OF_IT
from service.permissions import Permission
from service.reasons import ASKED_AGAIN_AFTER, FOR_SAFETY
from service.repository import Repository, ids_in
from service.workflow import LIVE, State

router = APIRouter(prefix="/children")

Show = Literal["everybody", "waiting", "planned", "proposed", "not ready", "to ask", "visited"]
Sort = Literal["wait", "priority", "reference"]
RULE_TITLES = {entry.id: spoken(entry.id) for entry in CATALOGUE}


@dataclass(frozen=True)
class ChildLine:
    id: str
    reference: str
    age: int | None
    area: str
    coordinator: str | None
    referred_on: date | None
    waits_since: date | None
    priority: int | None
    stands: str
    """waiting, proposed, not ready or visited."""
    words: str
    planned: str
    """The reference of the volunteer whom the published plan has for them, as long as nobody is proposed to them."""
    to_ask: bool
    """Whether somebody has to ask them first, or again, whether they would like a visitor, and they could have one."""
    ask_again: tables.Match | None
    """What is over, and why they are to be asked again whether they would like a visitor: see `to_ask_again`."""

    @property
    def why_again(self) -> str:
        """Why they are to be asked again, to go on with the day."""
        if self.ask_again is None:
            return ""
        if self.ask_again.reason not in FOR_SAFETY:
            return "said “not now”"
        return f"{'match' if self.ask_again.state == State.ENDED else 'proposal'} ended for their safety"

    def is_of(self, show: Show) -> bool:
        if show == "planned":
            return bool(self.planned)
        return self.to_ask if show == "to ask" else show in ("everybody", self.stands)


SAID_NO, ASK_AGAIN, PAUSED, NOT_READY = "Said no", "Not asked again yet", "Visits paused", "Not ready"


def to_ask_again(reckoned: Reckoning, child: records.Child) -> tables.Match | None:
    """What is over, the last of it, since the child wants no visitor now or for their safety: if nobody asked since."""
    if child.agrees is not Agreement.NOT_ASKED:
        return None
    theirs = (match for match in reckoned.of_child.get(child.id, ()) if match.state not in LIVE)
    return next((one for one in theirs if one.reason in ASKED_AGAIN_AFTER), None)


def standing(reckoned: Reckoning, child: records.Child) -> tuple[str, str]:
    """Where a child stands (waiting, proposed, not ready or visited), and how it is told."""
    live = reckoned.live.get(child.id)
    if live is not None:
        stands = "visited" if child.id in reckoned.instance.visited else "proposed"
        told = {State.ACTIVE: "Has a visitor", State.PAUSED: PAUSED}.get(
            State(live.state), str(live.state).capitalize()
        )
        return stands, told
    if child.agrees is Agreement.NO:
        return "not ready", SAID_NO
    if to_ask_again(reckoned, child):
        return "not ready", ASK_AGAIN
    return ("waiting", "Waiting") if reckoned.ready_children.get(child.id) else ("not ready", NOT_READY)


def line_of(reckoned: Reckoning, child: records.Child) -> ChildLine:
    stands, words = standing(reckoned, child)
    planned = reckoned.planned.to_propose.get(child.id)
    unasked = stands == "not ready" and child.agrees not in (Agreement.YES, Agreement.NO)
    return ChildLine(
        child.id, reckoned.references[child.id], facts.age(child.date_of_birth, reckoned.instance.as_of),
        facts.place(child.placement), child.coordinator, child.referred_on, child.waits_since,
        reckoned.priority.get(child.id), stands, words, reckoned.references[planned] if planned else "",
        to_ask=unasked and child.id not in reckoned.beyond_a_visitor,
        ask_again=to_ask_again(reckoned, child) if stands == "not ready" else None,
    )  # fmt: skip


ORDER: dict[Sort, Callable[[ChildLine], tuple[object, ...]]] = {
    "wait": lambda line: (line.waits_since or date.max, line.reference),
    "priority": lambda line: (-(line.priority or 0), line.reference),
    "reference": lambda line: (line.reference,),
}


@router.get("")
def children(
    request: Request,
    person: Asking,
    kith: Kith,
    rows: Reading,
    reckoned: Reckoned,
    show: Show = "waiting",
    sort: Sort = "wait",
    coordinator: Annotated[str, Query(max_length=80)] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    return _list(request, person, kith, rows, reckoned, show, sort, coordinator, page)


@router.post("/find")
def find(
    request: Request,
    person: Asking,
    kith: Kith,
    rows: Reading,
    reckoned: Reckoned,
    reference: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """By the council's reference, which stands in no address: it would stay in the browser's history."""
    id = named(reckoned.references, "C", reference)
    if id is not None and any(child.id == id for child in reckoned.instance.children):
        return RedirectResponse(f"/children/{id}", 303)
    return _list(request, person, kith, rows, reckoned, "everybody", "wait", "", 1, sought=reference)


def _list(
    request: Request, person: Asking, kith: Kith, rows: Repository, reckoned: Reckoned, show: Show, sort: Sort,
    coordinator: str, number: int, sought: str | None = None,
) -> Response:  # fmt: skip
    """Addresses have a coordinator by a hash, also where somebody came with a name."""
    every = [line_of(reckoned, child) for child in reckoned.instance.children]
    names = {same(line.coordinator): line.coordinator for line in every if line.coordinator}
    hashes = {name: rows.coordinator_hash(name) for name in names}
    here = {line.id for line in every}
    alone_here = [one for id, one in reckoned.live.items() if id not in here]  # whose match is all that is recorded
    nobody, meant = rows.coordinator_hash("nobody"), rows.hashes_meant(coordinator)
    known = {"", nobody, *hashes.values(), *(one.coordinator_hash for one in alone_here)}

    def theirs(hash: str | None) -> bool:
        return not coordinator or (hash or nobody) in meant

    shown = [line for line in every if line.is_of(show) and theirs(hashes.get(same(line.coordinator or "")))]
    coordinators = sorted((name, hashes[one]) for one, name in names.items())
    chosen = coordinator if coordinator in known else meant[1]
    shown = shown if sought is None else []  # the table of everybody would pass for what was found
    query = {"show": show, "sort": sort, "coordinator": chosen}
    page = Page.of(sorted(shown, key=ORDER[sort]), number, query)
    near = [] if sought is None else nearly(reckoned.references, here, sought)
    if near or sought is None:
        note_reading(kith, person, "children", "", children=near or [line.id for line in page.lines])
    counts = {name: sum(line.is_of(name) for line in every) for name in get_args(Show)}
    elsewhere = sum(theirs(one.coordinator_hash) for one in alone_here)
    return render(
        request, "children.html", person, page=page, show=show, sort=sort, coordinator=chosen, sought=sought,
        missing=reckoned.missing([line.id for line in page.lines]), counts=counts, elsewhere=elsewhere,
        why=reckoned.not_ready([line.id for line in page.lines if line.words == NOT_READY]),
        planned=reckoned.planned.plan is not None or show == "planned",
        coordinators=coordinators, near=near, references=reckoned.references,
    )  # fmt: skip


@router.get("/{child_id}")
def child(
    child_id: ChildId, request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned
) -> Response:
    row = rows.child(child_id)
    instance, siblings = reckoned.instance, _siblings(reckoned, child_id)
    record = next((one for one in instance.children if one.id == child_id), None)
    if record is None:
        raise NotFoundError("There is no such child.")
    waiting = child_id not in instance.visited
    past = [match for match in reckoned.matches if match.child_id == child_id]
    line, again = line_of(reckoned, record), to_ask_again(reckoned, record)
    nobody = _why_nobody(instance, child_id) if line.stands == "waiting" else ""
    note_reading(kith, person, "record", child_id, children=[*siblings, *sorted({*ids_in(nobody, "C")} - {child_id})])
    against = [one for one in alone.about_child(instance, child_id) if one.verdict != "passes"] if waiting else []
    against_rules = {one.rule for one in against}  # each tells its own blanks
    groups = facts.about_child(record, instance.as_of)
    if again:  # which the page tells by itself: that nobody has asked them yet would contradict it
        against = [one for one in against if one.rule != ChildAgrees.id]
        groups = _asked_again(groups)
    return render(
        request, "child.html", person,
        line=line, planned=of_plan(reckoned, child_id) if line.stands == "waiting" else None,
        again=again, for_safety=again is not None and again.reason in FOR_SAFETY,
        said_no=record.agrees is Agreement.NO, nobody=reckoned.told(nobody),
        groups=groups,
        gaps=[gap for gap in reckoned.missing([child_id])[child_id] if not against_rules.issuperset(gap.rules)],
        impossible=reckoned.impossible(child_id),
        rules=RULE_TITLES,
        against=against,
        to_be_asked=asking.to_ask(rows, tables.Match.child_id == child_id), came_of_it=CAME_OF_IT,
        live=reckoned.live.get(child_id), held=holds.of_child(rows, child_id, reckoned.by_id),
        looked_into=reckoned.looked_into.get(child_id, ""), names=rows.account_names(),
        findings=findings.of(rows, row) if Permission.APPROVE in person.may else [],
        said=findings.said(rows, row) if Permission.APPROVE in person.may else [],
        matches=past, broken=reckoned.broken,
        references=reckoned.references,
        told=reckoned.told,
        siblings=siblings, with_page={one.id for one in instance.children}, family_known=record.family is not None,
        parts=tuple(forms.PARTS["children"]),
        saved="saved" in request.query_params, stranger=_stranger(request, rows, record),
        label=label,
    )  # fmt: skip


def _stranger(request: Request, rows: Repository, child: Child) -> str:
    """The coordinator who was just saved, where nobody with that name has an account."""
    name = child.coordinator if request.query_params.get("saved") == COORDINATOR else None
    return name if name and same(name) not in map(same, rows.coordinators()) else ""


def _why_nobody(instance: Instance, child_id: str) -> str:
    """Why no volunteer could visit a child who is ready; nothing where somebody could."""
    why = why_nobody(instance, child_id)
    return why.reason if sum(why.excluded.values()) == len(instance.volunteers) else ""


def _asked_again(groups: tuple[facts.Group, ...]) -> tuple[facts.Group, ...]:
    """Of a child who is to be asked again: they were asked before, though they count as not asked."""
    return tuple(
        (title, tuple(replace(fact, value=ASK_AGAIN) if fact.name == "agrees" else fact for fact in told))
        for title, told in groups
    )


@dataclass(frozen=True)
class OfPlan:
    """What the published plan has for a child who waits."""

    published_at: datetime | None
    volunteer: str | None
    """By reference."""
    against: str
    """Why it can come to nothing by now, or why there is nobody; in a sentence."""
    place: int
    """On the child's shortlist, by fit."""


def of_plan(reckoned: Reckoning, child_id: str) -> OfPlan | None:
    """Of a child who is on the records; None while no plan is published, or where its pair has had its answer."""
    planned = reckoned.planned
    if planned.plan is None:
        return None
    volunteer, on = planned.volunteer_of.get(child_id), planned.plan.published_at
    if volunteer is None and child_id in planned.plan.volunteer_of:
        return None
    if volunteer is None:
        return OfPlan(on, None, reckoned.told(planned.plan.left.get(child_id, "")), 0)
    against = planned.against(child_id)
    reference = reckoned.references.get(volunteer, "somebody")
    return OfPlan(on, reference, reckoned.told(against), 0 if against else planned.place(child_id))


def _siblings(reckoned: Reckoning, child_id: str) -> list[str]:
    family = reckoned.instance.family_of
    own = family.get(child_id)
    return [] if own is None else [id for id, other in family.items() if other == own and id != child_id]
