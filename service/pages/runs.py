"""Runs: asked for by hand, watched, cancelled; what a plan changes and how good it is; its publication by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from matcher.instance import today
from matcher.records import Agreement
from matcher.words import counted, pounds
from service import metrics, plans, runs
from service.api.deps import Asking, Kith, Reading, may_identify, note_reading
from service.api.health import SILENT_SECONDS
from service.api.shapes import RunId
from service.database import tables
from service.database.base import utc_now
from service.pages import journeys
from service.pages.children import standing
from service.pages.html import render
from service.pages.lists import SIZE, Page
from service.pages.reckoning import Reckoning, reckoning
from service.permissions import Permission
from service.plans import Found
from service.repository import Repository, ids_in, with_references
from service.runs import RunError

router = APIRouter(prefix="/runs")

Show = Literal["new", "changed", "unmatched", "dropped", "kept", "plan", "left", "shortlists"]
Number = Annotated[int, Query(ge=1, le=100_000)]

WHY = {
    "manual": "To see where things stand",
    "volunteer approved": "A volunteer was approved",
    "volunteer suspended": "A volunteer was suspended",
    "child referred": "A child was referred",
    "match ended": "A match ended, or a proposal was declined",
    "policy changed": "The policy changed",
}
"""Why a person starts a run, as the form asks; each is one of `runs.REASONS`."""
BECAUSE = {"manual": "to see where things stand", "nightly": "every night"}
"""How a list tells of a reason that does not speak for itself."""
STEPS = {
    "Reading records": "Reading the records",
    "Reading records into columns": "Sorting the records",
    "Applying the rules": "Asking the rules of every child and volunteer",
    "Scoring the pairs": "Weighing how well each pair fits",
    "Finding the best plan": "Looking for the best plan",
    "Checking the plan": "Checking every match of the plan once more",
    "Writing down the reasons": "Writing down the reasons",
    "Ranking the shortlists": "Ranking the shortlists",
    "Keeping what was found": "Keeping what was found",
}
"""What a run tells as it goes on, in its order, and how a page says it."""
TABS: Mapping[Show, str] = {
    "new": "New", "changed": "Another volunteer", "unmatched": "Newly without", "dropped": "No longer waiting",
    "kept": "Kept", "plan": "All proposed", "left": "Still waiting", "shortlists": "Shortlists",
}  # fmt: skip
_MORE = {
    "points": "{} better",
    "children_without_parental_contact": "a volunteer for {} more of the children without regular contact with parents",
    "children_matched": "{} more of the children with a volunteer",
    "priority": "{} better in priority",
    "fit": "{} better in fit",
}
"""What a plan may miss in the first tier of its policy."""


@dataclass(frozen=True)
class Line:
    """One run in words."""

    id: str
    state: str
    """queued, running, done, failed or cancelled; published where its plan is the authority's."""
    why: str
    run: tables.Run
    took: str

    @classmethod
    def of(cls, run: tables.Run, plan: tables.Plan | None) -> Line:
        # Whoever starts a run by hand says what happened; "manual" is then there so that it begins at once.
        # So is "nightly" where a change was to be seen as well: the first run of an installation may be by day.
        reasons = [one for one in run.reasons if one not in BECAUSE] or run.reasons
        why = ", ".join(BECAUSE.get(one, one) for one in reasons)
        state = "published" if plan and plan.is_current else run.state
        return cls(run.id, state, why[:1].upper() + why[1:], run, _took(run))

    @property
    def goes_on(self) -> bool:
        return self.run.state in ("queued", "running")

    @property
    def lost(self) -> bool:
        """Whether the worker that holds it has not renewed its hold in time."""
        over = self.run.leased_until
        return self.run.state == "running" and over is not None and over < utc_now()

    @property
    def step(self) -> int:
        """Which of the STEPS it is at, from 1; 0 before the first."""
        told = self.run.progress.partition(":")[0]
        return next((n for n, one in enumerate(STEPS, 1) if one == told), 0)

    @property
    def words(self) -> str:
        """What it does at this moment."""
        if self.run.cancel_asked:
            return "Stopping"
        if self.run.state == "queued":
            soon = runs.is_due(self.run, self.run.requested_at)
            return "Waits to begin" if soon else "Waits a minute for other changes, then begins"
        told, _, count = self.run.progress.partition(":")
        return STEPS.get(told, "Beginning") + (f": {count.strip()}" if count else "")


def _took(run: tables.Run) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    took = run.finished_at - run.started_at
    if took < timedelta(seconds=1):
        return "under a second"
    seconds = round(took.total_seconds())
    return counted(seconds, "second", "seconds") if seconds < 90 else f"{round(seconds / 60)} minutes"


# ---- the list, and a new one -----------------------------------------------------------------------------------------


@router.get("")
def run_list(request: Request, person: Asking, kith: Kith, rows: Reading, page: Number = 1) -> Response:
    return _list(request, person, kith, rows, page)


@router.post("")
def start(
    request: Request, person: Asking, kith: Kith, rows: Reading, reason: Annotated[str, Form(max_length=60)] = ""
) -> Response:
    if reason not in WHY:
        return _list(request, person, kith, rows, 1, error="Choose why you start a run.")
    with kith.database.write(person.authority_id) as session:
        run = runs.ask_by_hand(session, kith.keys, person.authority_id, reason, user_id=person.user_id)
        there = run.state != "queued"
        # Whatever happened, a person asked: it begins at once, and waits for no other change.
        id = runs.ask_for(session, person.authority_id, "manual").id
    return RedirectResponse(f"/runs/{id}?there=yes" if there else f"/runs/{id}", 303)


def _list(request: Request, person: Asking, kith: Kith, rows: Repository, number: int, error: str = "") -> Response:
    total, found = plans.newest_runs(rows.session, number, SIZE)
    lines = [Line.of(run, plan) for run, plan in found]
    now = next((line for line in lines if line.goes_on), None) if number == 1 else None
    published = plans.current(rows.session)
    return render(
        request, "runs.html", person, status=422 if error else 200, error=error, why=WHY, names=rows.account_names(),
        page=Page(lines, total, number, {}), now=now, worker=_worker(kith) if now else True,
        published=_of_run(rows, published), reason=_why_published(person, rows, published),
        starts=Permission.RUN in person.may, steps=len(STEPS),
    )  # fmt: skip


def _worker(kith: Kith) -> bool:
    """Whether somebody is there to execute a run."""
    heard = metrics.heard_seconds(kith.database)
    return heard is not None and heard < SILENT_SECONDS


# ---- one run ---------------------------------------------------------------------------------------------------------


@router.get("/{run_id}")
def run_page(
    run_id: RunId, request: Request, person: Asking, kith: Kith, rows: Reading, show: Show | None = None,
    page: Number = 1, there: Literal["yes", ""] = "",
) -> Response:  # fmt: skip
    """To a page that watches a run, that it is over is told by a header: the page is loaded anew.

    `there` comes from who asked for a run, and was led to one that had the same records already.
    """
    run = runs.find(rows.session, run_id)
    if request.headers.get("HX-Request") and run.state not in ("queued", "running"):
        return Response(headers={"HX-Refresh": "true"})
    return _page(request, person, kith, rows, run, show, page, same=bool(there))


@router.post("/{run_id}/cancel")
def cancel(run_id: RunId, request: Request, person: Asking, kith: Kith, rows: Reading) -> Response:
    run = runs.find(rows.session, run_id)
    try:
        with kith.database.write(person.authority_id) as session:
            runs.cancel(session, kith.keys, run_id, user_id=person.user_id)
    except RunError as error:  # it was over while the page was open
        return _page(request, person, kith, rows, run, status=409, error=str(error))
    return RedirectResponse(f"/runs/{run_id}", 303)


@router.post("/{run_id}/publish")
def publish(
    run_id: RunId, request: Request, person: Asking, kith: Kith, rows: Reading,
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:  # fmt: skip
    run = runs.find(rows.session, run_id)
    reason = reason.strip()
    try:
        if not 3 <= len(reason) <= 500:
            raise RunError("Say in 3 to 500 characters why you publish this plan.")
        plans.publish(
            kith.database, kith.keys, person.authority_id, run_id, user_id=person.user_id, reason=reason
        )  # fmt: skip
    except RunError as error:
        status = 409 if 3 <= len(reason) <= 500 else 422
        return _page(request, person, kith, rows, run, status=status, error=str(error), given=reason)
    return RedirectResponse(f"/runs/{run_id}?show=plan", 303)


def _page(
    request: Request, person: Asking, kith: Kith, rows: Repository, run: tables.Run, show: Show | None = None,
    number: int = 1, *, status: int = 200, error: str = "", given: str = "", same: bool = False,
) -> Response:  # fmt: skip
    line = Line.of(run, plans.row_of(rows.session, run.id))
    frame: dict[str, Any] = {
        "status": status, "line": line, "names": rows.account_names(), "given": given, "same": same,
        "starts": Permission.RUN in person.may, "decides": Permission.DECIDE in person.may, "steps": len(STEPS),
    }  # fmt: skip
    if run.state != "done":
        problem = runs.problem_of(run, identified=may_identify(person)) or ""  # it names pairs
        told = rows.references() if may_identify(person) else {}
        if named := ids_in(f"{problem} {error}", "C"):
            note_reading(kith, person, "run", "", children=sorted({*named}))
        return render(
            request, "run.html", person, **frame, worker=_worker(kith) if line.goes_on else True,
            problem=with_references(problem, told), error=with_references(error, told),
        )  # fmt: skip
    reckoned = reckoning(kith, person, rows)
    row, found = plans.of_run(rows, run.id)
    return render(
        request, "run-done.html", person, **frame, error=reckoned.told(error), plan=found.plan, row=row,
        reason=_why_published(person, rows, row), figures=figures(reckoned, run, found.plan), stale=stale(rows, run),
        newer=_newer(rows, row), before=_of_run(rows, rows.session.get(tables.Plan, found.before or "")),
        policy=rows.session.get(tables.Policy, run.policy_id) if run.policy_id else None,
        to_propose=len(reckoned.planned.to_propose) if row.is_current else 0,
        **_changes(person, kith, reckoned, row, found, show, number),
    )  # fmt: skip


def _of_run(rows: Repository, plan: tables.Plan | None) -> tuple[tables.Plan, tables.Run] | None:
    """A plan with its run, by whose time it goes on every page."""
    return (plan, runs.find(rows.session, plan.run_id)) if plan else None


def _why_published(person: Asking, rows: Repository, plan: tables.Plan | None) -> str | None:
    """It may speak of a child, so it is for those who may know them."""
    return rows.open(plan, "publish_reason") if plan and may_identify(person) else None


def stale(rows: Repository, run: tables.Run) -> bool:
    """Whether records have changed, or a day has passed, since the run read them."""
    authority = rows.session.get(tables.Authority, rows.session.info["authority"])
    return authority is None or run.data_version != authority.data_version or run.as_of != today()


def _newer(rows: Repository, row: tables.Plan) -> str | None:
    """The run that found the last plan, if it is another one."""
    newest = plans.last(rows.session)
    return newest.run_id if newest and newest.id != row.id else None


# ---- what a plan says ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """A plan in a few numbers."""

    matched: int
    left: int
    ready: int | None
    """How many of those left wait for nothing but a volunteer, while the records are those that the run read."""
    priority: int | None
    """Children without parental contact who are matched, where the policy gives points for them; and of how many."""
    priority_of: int | None
    spent: str
    budget: str
    proof: str


def figures(reckoned: Reckoning, run: tables.Run, plan: Mapping[str, Any]) -> Figures:
    """`reckoned` is of today: what needs records is told only while they are those that the run read."""
    first = "no_parental_contact"
    points = [match["by_priority"][first] for match in plan["matches"] if first in match["by_priority"]]
    instance = reckoned.instance
    same = run.data_hash == instance.data_hash and run.as_of == instance.as_of
    left = sum(
        max(one.budget_pence - one.spent_pence, 0)
        for one in instance.authorities.values()
        if one.budget_pence is not None
    )
    return Figures(
        len(plan["matches"]), len(plan["unmatched"]),
        sum(reckoned.ready_children.get(one["child"], False) for one in plan["unmatched"]) if same else None,
        sum(map(bool, points)) if points else None,
        len(reckoned.without_contact) if same else None,
        pounds(sum(plan["spent_pence"].values())).removesuffix(".00"),
        f"spent of the {pounds(left).removesuffix('.00')} left this year" if left else "a year",
        proof(plan["status"], plan["tiers"], plan["first_tier_bound"]),
    )  # fmt: skip


def proof(status: str, tiers: Mapping[str, int], bound: int) -> str:
    """How good a plan is proven to be, for somebody who decides by it; `bound` is that of the first tier."""
    if status == "OPTIMAL":
        return "No better plan exists."
    tier, reached = next(iter(tiers.items()))
    most = bound - reached
    if most <= 0:
        return "The best found so far; what counts first cannot be bettered."
    number = f"{most:,}" if tier.startswith("children") else counted(most, "point", "points")
    return f"The best found so far; at most {_MORE[tier].format(number)} is possible."


def _changes(
    person: Asking, kith: Kith, reckoned: Reckoning, row: tables.Plan, found: Found, show: Show | None, number: int
) -> dict[str, Any]:
    """The tabs with their counts, one page of the chosen one, and the map. To who may not identify children, counts."""
    changes: Sequence[Mapping[str, Any]] = found.diff["changes"] if found.diff else ()
    of_kind = {kind: [one for one in changes if one["kind"] == kind] for kind in TABS}
    differs = {kind: lines for kind, lines in of_kind.items() if lines}
    lists = {**differs, "plan": found.plan["matches"], "left": found.plan["unmatched"]}
    if shortlists := changed_shortlists(reckoned, found):
        lists["shortlists"] = shortlists
    chosen = show if show in lists else next(iter(lists))
    told = {
        "tabs": [(kind, TABS[kind]) for kind in lists], "counts": {kind: len(lines) for kind, lines in lists.items()},
        "show": chosen, "differs": {kind: len(lines) for kind, lines in differs.items()},
        "shortlists": len(shortlists),
    }  # fmt: skip
    if not may_identify(person):
        note_reading(kith, person, "plan", "", plan=row.id)
        return {**told, "page": None, "map": None}
    lines = lists[chosen]
    if chosen != "shortlists":  # which have an order of their own
        lines = sorted(lines, key=lambda one: reckoned.references.get(one["child"], ""))
    page = Page.of(lines, number, {"show": chosen})
    reasons = " ".join(one.get("reason", "") for one in page.lines)  # which name other children
    named = {*ids_in(reasons, "C"), *(one["child"] for one in page.lines)}
    here = {child.id for child in reckoned.instance.children}
    planned = [one for one in page.lines if one["child"] in here] if chosen == "plan" and row.is_current else None
    note_reading(kith, person, "plan", "", plan=row.id, children=sorted(named))
    return {
        **told, "page": page, "map": journeys.of_plan(reckoned.instance, found.plan), "told": reckoned.told,
        "references": reckoned.references, "here": here,
        "now": None if planned is None else {one["child"]: _now(reckoned, one) for one in planned},
    }  # fmt: skip


@dataclass(frozen=True)
class Now:
    """What has become of one pair of the published plan."""

    words: str
    href: str
    """Where to go on."""


def _now(reckoned: Reckoning, pair: Mapping[str, Any]) -> Now:
    child = reckoned.instance.child(pair["child"])
    if child.id in reckoned.planned.to_propose:
        return Now("Propose from the shortlist", f"/children/{child.id}/shortlist#in-the-plan")
    live, (stands, words) = reckoned.live.get(child.id), standing(reckoned, child)
    if live is not None:
        told = "Under proposal" if stands == "proposed" else words
        besides = "" if live.volunteer_id == pair["volunteer"] else f", with {reckoned.references[live.volunteer_id]}"
        return Now(told + besides, f"/proposals/{live.id}")
    return Now("Not possible now" if stands == "waiting" else words, f"/children/{child.id}")


def changed_shortlists(reckoned: Reckoning, found: Found) -> list[dict[str, Any]]:
    """The children whose shortlists are not those of the run before, in words; who lost everybody first."""
    if not found.before:
        return []
    told = [_shortlist(one, reckoned) for one in found.shortlists if one["child"] in reckoned.references]
    return sorted(told, key=lambda one: (one["order"], one["reference"]))


def _shortlist(change: Mapping[str, Any], reckoned: Reckoning) -> dict[str, Any]:
    before, now = change["before"], change["now"]
    first = reckoned.references.get(now[0], "") if now else ""
    child = change["child"]
    if not now:
        order, words = _without_shortlist(child, reckoned)
    elif not before:
        order, words = 1, f"{first} could visit now"
    elif now[0] != before[0]:
        order, words = 2, f"{first} is first now"
    else:
        order, words = 3, "the first is the same; the order after it changed"
    return {"child": child, "reference": reckoned.references[child], "words": words, "order": order}


def _without_shortlist(child: str, reckoned: Reckoning) -> tuple[int, str]:
    """Of a child whose shortlist is empty now: what is to be looked at comes first, what is as it should be last."""
    live = reckoned.live.get(child)
    if live is not None:
        return 4, "has a visitor now" if child in reckoned.instance.visited else "is under proposal now"
    if any(one.id == child and one.agrees is Agreement.NO for one in reckoned.instance.children):
        return 4, "said no to a visitor"
    return 0, "nobody could visit any more"
