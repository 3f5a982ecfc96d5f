"""Volunteers: the list, and a page each with facts, checks, what is missing, and whom they visit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from matcher import alone, records
from matcher.records import Status
from service.api.deps import Asking, Reading
from service.api.shapes import VolunteerId
from service.pages import facts
from service.pages.children import RULE_TITLES
from service.pages.html import render
from service.pages.lists import Page, named
from service.pages.reckoning import Reckoned, Reckoning
from service.workflow import LIVE

router = APIRouter(prefix="/volunteers")

Show = Literal["everybody", "free", "taken", "not ready"]
Sort = Literal["reference", "committed"]


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
    missing: int


def line_of(reckoned: Reckoning, person: records.Volunteer) -> VolunteerLine:
    live = [match for match in reckoned.of_volunteer.get(person.id, ()) if match.state in LIVE]
    if live:
        stands = "taken"
        words = "Visits a child" if any(match.child_id in reckoned.instance.visited for match in live) else "Proposed"
    elif reckoned.ready_volunteers[person.id]:
        stands, words = "free", "Free"
    else:
        approved = person.status is Status.APPROVED
        stands, words = "not ready", "Not ready" if approved else str(person.status or "status not recorded")
    limit = person.travel_limit_metres
    return VolunteerLine(
        person.id, reckoned.references[person.id], str(person.status or "not recorded"), facts.place(person.home),
        "not recorded" if limit is None else f"{limit / 1609.344:.3g} miles", person.commitment_until, stands, words,
        next((one for one in reckoned.lapses if one.volunteer == person.id), None),
        len(reckoned.missing.get(person.id, ())),
    )  # fmt: skip


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
    shown = [line for line in every if show in ("everybody", line.stands)]
    shown.sort(key=lambda line: (line.committed_until or date.max, line.reference))
    if sort == "reference":
        shown.sort(key=lambda line: line.reference)
    counts = {name: sum(line.stands == name for line in every) for name in Show.__args__}  # type: ignore[attr-defined]
    page = Page.of(shown, number, {"show": show, "sort": sort})
    return render(
        request, "volunteers.html", person, page=page, show=show, sort=sort, sought=sought,
        counts={**counts, "everybody": len(every)},
    )  # fmt: skip


@router.get("/{volunteer_id}")
def volunteer(
    volunteer_id: VolunteerId, request: Request, person: Asking, rows: Reading, reckoned: Reckoned
) -> Response:
    rows.volunteer(volunteer_id)
    instance = reckoned.instance
    record = instance.volunteer(volunteer_id)
    rules = alone.about_volunteer(instance, volunteer_id)
    return render(
        request, "volunteer.html", person,
        line=line_of(reckoned, record),
        groups=facts.about_volunteer(record, instance.as_of),
        gaps=reckoned.missing.get(volunteer_id, ()),
        rules=RULE_TITLES,
        checks=sorted(rules, key=lambda one: one.verdict == "passes"),
        lapses=[one for one in reckoned.lapses if one.volunteer == volunteer_id and one.on],
        matches=reckoned.of_volunteer.get(volunteer_id, ()),
        references=reckoned.references,
        told=reckoned.told,
    )  # fmt: skip
