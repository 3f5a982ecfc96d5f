"""Runs: ask for one, see how it goes, cancel it; the plan that it found, what changed by it; publish it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from service import plans, runs
from service.api.answers import Changes, RunPlan, as_it_is, described
from service.api.children import told
from service.api.deps import Asking, Kith, Reading, Writing, may_identify, note_reading
from service.api.shapes import (
    Coordinator,
    ListPage,
    RunId,
)
from service.database import tables
from service.repository import Repository, children_in, ids_in

router = APIRouter(prefix="/runs", tags=["runs"])


class RunLine(BaseModel):
    """One run. Times are in UTC."""

    id: str = Field(examples=["R7KQ4M2XPH3R"])
    state: str = Field(examples=["running"], description="queued, running, done, failed or cancelled.")
    reasons: list[str] = Field(examples=[["volunteer approved", "manual"]], description="Why it was asked for.")
    progress: str = Field(examples=["Scoring the pairs"])
    problem: str | None = Field(
        examples=[None], description="Why it failed; that it did, where that may speak of somebody."
    )
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None = Field(examples=[None])
    data_hash: str | None = Field(examples=["0f3c9d6a1b2e"], description="Of the records that it read.")
    published_at: datetime | None = Field(examples=[None])
    is_current: bool = Field(examples=[False], description="Whether its plan is the one that is published now.")

    @classmethod
    def of(cls, rows: Repository, person: Asking, run: tables.Run, plan: tables.Plan | None) -> Self:
        return cls(
            id=run.id, state=run.state, reasons=run.reasons, progress=run.progress,
            problem=runs.problem_of(run, rows.keys, identified=may_identify(person)), requested_at=run.requested_at,
            started_at=run.started_at, finished_at=run.finished_at, data_hash=run.data_hash,
            published_at=plan.published_at if plan else None,
            is_current=bool(plan and plan.is_current),
        )  # fmt: skip


class RunPage(ListPage):
    runs: list[RunLine]


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: runs.Reason = Field("manual", examples=["manual"])


class Published(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=3, max_length=500, examples=["Agreed at the matching meeting"])


@router.post("", status_code=202)
def ask(given: Asked, person: Asking, rows: Writing) -> RunLine:
    """Asks for a run. One that waits already, or that read the same data within a minute, is answered in its place."""
    run = runs.ask_by_hand(rows.session, rows.keys, person.authority_id, given.reason, user_id=person.user_id)
    return RunLine.of(rows, person, run, None)


@router.get("")
def every_run(
    person: Asking,
    kith: Kith,
    rows: Reading,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    size: Annotated[int, Query(ge=1, le=200)] = 20,
) -> RunPage:
    """The runs, the newest first."""
    total, found = plans.newest_runs(rows.session, page, size)
    lines = [RunLine.of(rows, person, run, plan) for run, plan in found]
    _note_problems(kith, person, lines)
    return RunPage(total=total, page=page, runs=lines)


@router.get("/{run_id}")
def one_run(run_id: RunId, person: Asking, kith: Kith, rows: Reading) -> RunLine:
    """State and progress of a run."""
    line = _line(person, rows, run_id)
    _note_problems(kith, person, [line])
    return line


@router.post("/{run_id}/cancel", status_code=202)
def cancel(run_id: RunId, person: Asking, rows: Writing) -> RunLine:
    """A run that waits never begins; one that goes on ends in a moment."""
    return RunLine.of(rows, person, runs.cancel(rows.session, rows.keys, run_id, user_id=person.user_id), None)


@router.get("/{run_id}/plan", response_model=None, responses=described(RunPlan))
def plan(run_id: RunId, person: Asking, kith: Kith, rows: Reading) -> Response:
    """The plan with its proof (`status`, `value`, `bound`), and what it changes of the plan before."""
    row, found = plans.of_run(rows, run_id)
    content = {"run": run_id, "id": row.id, "plan": found.plan, "before": found.before, "diff": found.diff}
    note_reading(kith, person, "plan", "", plan=row.id, children=children_in(content))
    return as_it_is(told(rows, may_identify(person), content))


@router.get("/{run_id}/changes", response_model=None, responses=described(Changes))
def changes(run_id: RunId, person: Asking, kith: Kith, rows: Reading, coordinator: Coordinator = None) -> Response:
    """The children whose shortlists are not those of the run before: the volunteers before and now, best first.

    Of one coordinator's children, if they are named.
    """
    row, found = plans.of_run(rows, run_id)
    shortlists = found.shortlists
    if coordinator is not None:
        meant = rows.hashes_meant(coordinator) if may_identify(person) else ()
        theirs = set(rows.session.scalars(select(tables.Child.id).where(tables.Child.coordinator_hash.in_(meant))))
        shortlists = [one for one in shortlists if one["child"] in theirs]
    note_reading(kith, person, "changes", "", plan=row.id, children=sorted(one["child"] for one in shortlists))
    return as_it_is({"run": run_id, "shortlists": shortlists})


@router.post("/{run_id}/publish")
def publish(run_id: RunId, given: Published, person: Asking, kith: Kith, rows: Reading) -> RunLine:
    """Makes the plan of this run the authority's, if the audit passes it on the data of now."""
    plans.publish(
        kith.database, kith.keys, person.authority_id, run_id, user_id=person.user_id, reason=given.reason
    )  # fmt: skip
    return _line(person, rows, run_id)


def _note_problems(kith: Kith, person: Asking, shown: list[RunLine]) -> None:
    """Why there is no plan may name pairs."""
    if children := sorted({id for run in shown for id in ids_in(run.problem or "", "C")}):
        note_reading(kith, person, "run", "", children=children)


def _line(person: Asking, rows: Reading, run_id: str) -> RunLine:
    return RunLine.of(rows, person, runs.find(rows.session, run_id), plans.row_of(rows.session, run_id))
