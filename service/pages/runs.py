"""Runs: asked for by hand, watched, cancelled; their plan as a page, and its publication by a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from matcher.instance import Instance, today
from matcher.rules import budget
from matcher.words import counted, first_upper
from service import metrics, plans, runs
from service.api.deps import Asking, Kith, Reading, may_identify, note_reading
from service.api.health import SILENT_SECONDS
from service.api.shapes import RunId
from service.database import tables
from service.database.base import utc_now
from service.pages.html import render
from service.pages.lists import LONG, Page
from service.pages.plan import Show, changes, figures
from service.pages.reckoning import reckoning
from service.permissions import Permission
from service.repository import Repository, ids_in, with_references
from service.runs import RunError

router = APIRouter(prefix="/runs")

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


@dataclass(frozen=True)
class Line:
    """One run in words."""

    id: str
    state: str
    """queued, running, done, failed or cancelled; published where its plan is the authority's."""
    why: str
    run: tables.Run
    took: str
    quiet: bool = False
    """Whether Kith began it by itself and it changed nothing: a list folds it away with its neighbours."""

    @classmethod
    def of(cls, run: tables.Run, plan: tables.Plan | None) -> Line:
        # Whoever starts a run by hand says what happened; "manual" is then there so that it begins at once.
        # So is "nightly" where a change was to be seen as well: the first run of an installation may be by day.
        reasons = [one for one in run.reasons if one not in BECAUSE] or run.reasons
        why = ", ".join(BECAUSE.get(one, one) for one in reasons)
        state = "published" if plan and plan.is_current else run.state
        quiet = run.user_id is None and plan is not None and plan.published_at is None and plan.unchanged
        return cls(run.id, state, first_upper(why), run, _took(run), quiet)

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
    total, found = plans.newest_runs(rows.session, number, LONG)
    lines = [Line.of(run, plan) for run, plan in found]
    if number == 1 and lines:
        lines[0] = replace(lines[0], quiet=False)  # the newest says when Kith last looked, whatever it found
    now = next((line for line in lines if line.goes_on), None) if number == 1 else None
    published = plans.current(rows.session)
    return render(
        request, "runs.html", person, status=422 if error else 200, error=error, why=WHY, names=rows.account_names(),
        page=Page(folded(lines), total, number, {}, LONG), now=now, worker=_worker(kith) if now else True,
        published=_of_run(rows, published), reason=_why_published(person, rows, published),
        starts=Permission.RUN in person.may, steps=len(STEPS),
    )  # fmt: skip


def folded(lines: Sequence[Line]) -> list[list[Line]]:
    """Each run by itself, but the quiet ones that follow each other together."""
    groups: list[list[Line]] = []
    for line in lines:
        if groups and line.quiet and groups[-1][0].quiet:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


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
        problem = runs.problem_of(run, rows.keys, identified=may_identify(person)) or ""  # it names pairs
        told = rows.references() if may_identify(person) else {}
        if named := ids_in(f"{problem} {error}", "C"):
            note_reading(kith, person, "run", "", children=sorted({*named}))
        return render(
            request, "run.html", person, **frame, worker=_worker(kith) if line.goes_on else True,
            problem=with_references(problem, told), error=with_references(error, told),
        )  # fmt: skip
    reckoned = reckoning(kith, person, rows)
    row, found = plans.of_run(rows, run.id)
    policy = rows.session.get(tables.Policy, run.policy_id) if run.policy_id else None
    return render(
        request, "run-done.html", person, **frame, error=reckoned.told(error), plan=found.plan, row=row,
        reason=_why_published(person, rows, row), figures=figures(reckoned, run, found.plan), stale=stale(rows, run),
        newer=_newer(rows, row), before=_of_run(rows, rows.session.get(tables.Plan, found.before or "")),
        policy=policy, by_visits=budget.reckoned(rows.policy_content(policy)) if policy else "",
        to_propose=len(reckoned.planned.to_propose) if row.is_current else 0,
        **changes(person, kith, rows, reckoned, row, found, show, number),
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


def changed_since(rows: Repository, run: tables.Run, instance: Instance) -> str:
    """What is not as a run read it, to go on in a sentence, beside the records as they are; blank if nothing is."""
    authority = rows.session.get(tables.Authority, rows.session.info["authority"])
    if authority is None or run.data_version == authority.data_version:
        return ""
    read = rows.session.get(tables.Policy, run.policy_id or "")
    policy = read is None or read.content_hash != instance.policy.content_hash
    # A policy counts among what has changed: the records are compared only then, which takes its time of thousands.
    records = not policy or run.data_hash != instance.data_hash
    return " and ".join([*(["records have changed"] * records), *(["the policy is another"] * policy)])


def _newer(rows: Repository, row: tables.Plan) -> str | None:
    """The run that found the last plan, if it is another one."""
    newest = plans.last(rows.session)
    return newest.run_id if newest and newest.id != row.id else None
