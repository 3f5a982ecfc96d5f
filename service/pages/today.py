"""Today: what a coordinator should look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from matcher.alone import Lapse
from service import asking, concerns, holds, plans, runs, workflow
from service.api.deps import Asking, Kith, may_identify, note_reading
from service.concerns import Concern
from service.database import tables
from service.database.base import utc_now
from service.holds import Hold
from service.importing import uploads
from service.pages.children import ORDER, line_of
from service.pages.facts import CHECK_NAMES
from service.pages.html import NAVIGATION, render
from service.pages.plan import changed_shortlists, own_first
from service.pages.proposals import line_of as proposal_line
from service.pages.reckoning import Reckoning, reckoning
from service.pages.runs import changed_since
from service.pages.story import CAME_OF_IT
from service.pages.whose import Mine, Whose
from service.permissions import Permission
from service.repository import Repository
from service.standing import STOPPED
from service.workflow import State

router = APIRouter()

TOP = 5
SOON = (7, 30, 60)
"""Days ahead by which checks that lapse are grouped."""
REVIEW_DAYS = 30
CHANGE_DAYS = 7
"""So long Today tells that a shortlist changed: who was away misses nothing by a later run."""
MOST_TOLD = 6
"""Children to be proposed to, and changed shortlists, that the page names; other pages have them all."""
MOST_FOLDED = 60
"""Changed shortlists, those included that it unfolds."""


@router.get("/")
def today_page(request: Request, person: Asking, kith: Kith, whose: Whose = "everybody") -> Response:
    """For those who may identify children; others are sent to the first page that they may open.

    Of one's own alone or of everybody; what is to be looked at for safety's sake stands there whoever it is of.
    """
    if not may_identify(person):
        return RedirectResponse(next(href for href, _, needed in NAVIGATION if needed in person.may), 303)
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        reckoned = reckoning(kith, person, rows)
        run, mine = last_run(rows, reckoned), Mine.of(person, rows, reckoned)
        plan = reckoned.planned.plan
        changed_by_now = changed_since(rows, runs.find(session, plan.run_id), reckoned.instance) if plan else ""
        raised = about_volunteers(rows, reckoned)
        past = asking.to_ask(rows)
        held = about_children(rows, reckoned)
        sent = len(uploads.waiting(rows)) if Permission.WRITE in person.may else 0
    only = whose == "mine"
    everybody = [line_of(reckoned, child) for child in reckoned.instance.children]
    every = [line for line in everybody if not only or mine.child(line.id)]
    matches = [match for match in reckoned.matches if not only or mine.match(match)]
    waiting = [line for line in every if line.stands == "waiting"]
    longest, first = sorted(waiting, key=ORDER["wait"])[:TOP], sorted(waiting, key=ORDER["priority"])[:TOP]
    to_ask = sorted((line for line in every if line.to_ask), key=ORDER["wait"])
    unasked, again = [line for line in to_ask if not line.ask_again], [line for line in to_ask if line.ask_again]
    planned = sorted((line for line in every if line.planned), key=ORDER["wait"])
    under = [proposal_line(reckoned, match) for match in matches if match.state in workflow.BEFORE_APPOINTMENT]
    under += [proposal_line(reckoned, match) for match in matches if match.state == State.APPOINTED]
    on = reckoned.instance.as_of
    reviews = [
        proposal_line(reckoned, match)
        for match in matches
        if match.state == State.REVIEW_DUE or _due(match.next_review_on, on)  # a pause puts none off
    ]
    reviews.sort(key=lambda line: (line.match.next_review_on or on, line.child))
    wrong = [proposal_line(reckoned, match) for match in reckoned.matches if match.id in reckoned.broken]
    wrong.sort(key=lambda line: (line.match.state not in workflow.APPOINTED, line.child))
    stopped = [proposal_line(reckoned, match) for match in matches if match.state == State.PAUSED]
    shown = {line.id for line in (*longest, *first, *planned[:MOST_TOLD], *unasked[:TOP], *again[:TOP])} | {
        line.match.child_id for line in (*under, *reviews, *wrong, *stopped)
    }
    shown |= {id for about, _ in reckoned.cannot_be for id in about if id.startswith("C")}
    changed = [one for one in own_first(run.told, mine.name) if not only or mine.child(one["child"])] if run else []
    shown |= {one["child"] for one in changed[:MOST_FOLDED]}
    for concern in raised:
        shown |= {match.child_id for _, match in concern.recorded if match}
    shown |= {one.match.child_id for one in past}
    shown |= {one.child for one in held}
    note_reading(kith, person, "today", "", children=sorted(shown))
    to_begin = sum(match.state == State.APPOINTED for match in matches)
    going_on = set(workflow.APPOINTED) - {State.PAUSED}
    visiting = {match.volunteer_id for match in reckoned.matches if match.state in going_on}

    def urgent(lapse: Lapse) -> tuple[object, ...]:
        return lapse.on or on, lapse.volunteer not in visiting, reckoned.references[lapse.volunteer]

    return render(
        request, "today.html", person, run=run, changed=changed[:MOST_FOLDED], more=len(changed[MOST_FOLDED:]),
        own=sum(mine.child(one["child"]) for one in changed), whose=whose, mine=mine,
        most_told=MOST_TOLD, change_days=CHANGE_DAYS, impossible=reckoned.impossible(),
        nobody=not (everybody or reckoned.instance.volunteers or reckoned.matches),
        longest=longest, first=first, unasked=unasked, again=again, top=TOP,
        proposals=sorted(under, key=lambda line: line.match.since), reviews=reviews,
        paused=reckoned.paused, concerns=raised, past=past, came_of_it=CAME_OF_IT, held=held,
        with_page={line.id for line in everybody},
        planned=planned, plan=plan, changed_by_now=changed_by_now, checks=CHECK_NAMES,
        lapses=grouped(sorted(reckoned.lapses, key=urgent), on), references=reckoned.references,
        visiting=visiting, wrong=wrong, broken=reckoned.broken, sent=sent,
        counts=Counter(line.stands for line in every),
        visited=sum(match.state in going_on for match in matches) - to_begin, to_begin=to_begin,
        stopped=stopped,
        free=sum(map(reckoned.is_free, reckoned.ready_volunteers)), on=on,
    )  # fmt: skip


def about_volunteers(rows: Repository, reckoned: Reckoning) -> Sequence[Concern]:
    """The concerns that are to be looked into. Who stands how is of the same data as the rest of the page."""
    stopped = [one.id for one in reckoned.instance.volunteers if one.status in STOPPED]
    return concerns.to_look_into(rows, stopped, reckoned.of_volunteer)


def about_children(rows: Repository, reckoned: Reckoning) -> Sequence[Hold]:
    """The children who are held for a safeguarding issue, which is to be looked into."""
    issues = {one.id: one.safeguarding_issue for one in reckoned.instance.children}
    return holds.to_look_into(rows, issues, reckoned.by_id)


@dataclass(frozen=True)
class LastRun:
    """What the newest run that found a plan says, and what it and those of the days before it changed."""

    run: tables.Run
    status: str
    matches: int
    told: Sequence[Mapping[str, Any]]
    """The children whose shortlist changed within some days, each with what changed in words and when; who lost
    everybody first."""


def last_run(rows: Repository, reckoned: Reckoning) -> LastRun | None:
    """None before the first run. Read once for each plan: it is sealed, and long where the authority is large."""
    plan = plans.last(rows.session)
    if plan is None:
        return None
    if reckoned.last_run is None or reckoned.last_run.run.id != plan.run_id:
        run = runs.find(rows.session, plan.run_id)
        found = plans.of_run(rows, run.id)[1]
        changes = plans.lists_changed_since(rows, utc_now() - timedelta(days=CHANGE_DAYS))
        told = changed_shortlists(reckoned, changes)
        reckoned.last_run = LastRun(run, plan.status, len(found.plan["matches"]), told)
    kept: LastRun = reckoned.last_run
    return kept


def grouped(lapses: Sequence[Lapse], on: date) -> Mapping[str, Sequence[Lapse]]:
    """Out of date by now, and within 7, 30 and 60 days: each check where it is first."""
    groups: dict[str, list[Lapse]] = {"Out of date": [one for one in lapses if one.on is None]}
    before = 0
    for days in SOON:
        within = [one for one in lapses if one.on and before < (one.on - on).days <= days]
        groups[f"Within {days} days"] = within
        before = days
    return groups


def _due(review: date | None, on: date) -> bool:
    return review is not None and review <= on + timedelta(days=REVIEW_DAYS)
