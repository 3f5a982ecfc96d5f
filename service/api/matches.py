"""Proposals and matches: made from a shortlist that was shown, led step by step, each step with who, why and what else.

A proposal is a match that is not begun yet: one row, one story. Every step asks the hard rules of fresh data.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select

from matcher.records import Party
from service import asking, profiles, proposals, steps, taking_back, workflow
from service.api.answers import like
from service.api.deps import Asking, Kith, Reading, Writing, attempt, may_identify, note_reading, refuse_without
from service.api.shapes import (
    CHANGES,
    MADE,
    VERSIONED,
    AChild,
    AUser,
    AVolunteer,
    Coordinator,
    Given,
    IfMatch,
    ListPage,
    MatchId,
    PageNumber,
    PageSize,
    PrintableText,
    Version,
    id_of,
    one_page,
    require_version,
    such_as,
    tell_version,
)
from service.database import tables
from service.database.base import utc_now
from service.permissions import Permission
from service.published import plan_today
from service.reasons import ASKED_OUTCOMES, NOT_TO_BE_ASKED, NOTHING_MORE, PROPOSE_REASONS, TOLD_NOTHING, TOLD_SOMETHING
from service.repository import Repository
from service.workflow import LIVE, State, StepRefusedError

router = APIRouter(tags=["matches"])

Note = Annotated[str, PrintableText] | None


class NewProposal(Given):
    model_config = such_as(served="W2NK8D4HQX6T", volunteer="V4TX9B2LMD7W", reason="shared interests")
    served: Annotated[str, id_of("W")] = Field(
        examples=["W2NK8D4HQX6T"], description="The shortlist that was shown, as its answer calls it."
    )
    volunteer: Annotated[str, id_of("V")] = Field(examples=["V4TX9B2LMD7W"])
    reason: Literal[PROPOSE_REASONS]  # type: ignore[valid-type]
    note: Note = Field(None, max_length=5000)


class NewStep(Given):
    model_config = such_as(step="volunteer_declines", by="volunteer", reason="too far")
    step: Literal[tuple(step.id for step in workflow.STEPS)]  # type: ignore[valid-type]
    by: Party = Field(description="Whose word it is; you write it down.")
    reason: str | None = Field(None, max_length=60, description="One of the step's codes, where it asks for one.")
    note: Note = Field(
        None,
        max_length=5000,
        description="Sealed. Asked for where the step has the child’s view: what they said, in "
        "their own words, or at a review why they were not asked.",
    )
    at: AwareDatetime | None = Field(None, description="When it was said or done, if not now.")


class RecordedByMistake(Given):
    model_config = such_as(reason="It was another child who said no.")
    reason: Annotated[str, PrintableText] = Field(
        min_length=1, max_length=2000, description="What the mistake was, in words; sealed."
    )


class WhatCameOfAsking(Given):
    model_config = such_as(
        outcome=TOLD_NOTHING, asked_by="social worker", on="2026-11-20", note="The visits were fine, she says."
    )
    outcome: Literal[ASKED_OUTCOMES]  # type: ignore[valid-type]
    asked_by: Literal["authority", "social worker"] = Field(
        description="Who asked the child, or tried to: somebody of the service, or the social worker."
    )
    on: date = Field(description="The day on which it was, by London’s calendar.")
    note: Note = Field(
        None, max_length=5000,
        description="In the child’s own words, or what was tried; sealed. Asked for where the child told something, or "
        "is not to be asked.",
    )  # fmt: skip


class Possible(BaseModel):
    step: str = Field(examples=["ask_volunteer"])
    title: str = Field(examples=["The volunteer was asked"])
    by: list[Party]
    reasons: list[str]
    reasons_of: dict[Party, list[str]] = Field(
        examples=[{}], description="Of a step that several may speak for and that asks for a reason: those of each."
    )
    in_words: bool = Field(
        examples=[False],
        description="Whether it asks for a note: what the child said, in their own words, or at a "
        "review why they were not asked.",
    )
    follows: dict[str, str] = Field(
        examples=[{}],
        description="What a reason brings about besides, at once, by the reason; of a no also that it is nothing.",
    )


class Shares(BaseModel):
    """What each learns of the other, by the names of its parts; of a match that came from a file there is none."""

    child: list[str] = Field(examples=[["interests", "age"]], description="What the volunteer is told of the child.")
    volunteer: list[str] = Field(examples=[["interests"]], description="What the child is shown of the volunteer.")
    chosen: bool = Field(
        examples=[True], description="Whether somebody has chosen it; else it is what is shown unless somebody does."
    )


class Told(BaseModel):
    """One decision: who decided, on whose word, why."""

    number: int = Field(examples=[1])
    step: str
    state: str
    by: Party
    user: AUser = Field(description="The id of the account of the person who decided.")
    at: datetime
    reason: str | None
    note: str | None
    departs: bool = Field(examples=[False], description="Whether it departs from the first rank.")
    taken_back: bool = Field(examples=[False], description="Whether it was recorded by mistake, and counts no more.")


_AT = "2026-11-20T10:30:00Z"
_LINE = {
    "id": "M3HG8K5QWN2P", "child": "C7KQ4M2XPH3R", "volunteer": "V4TX9B2LMD7W", "state": "volunteer considers",
    "since": _AT, "started_on": None, "ended_on": None, "next_review_on": None, "irregular": False, "version": 2,
}  # fmt: skip
_ASKED = {
    "number": 2, "step": "ask_volunteer", "state": "volunteer considers", "by": "authority", "user": "U6WX2K9NBT4D",
    "at": _AT, "reason": None, "note": None, "departs": False, "taken_back": False,
}  # fmt: skip
_NEXT = {
    "step": "volunteer_declines", "title": "The volunteer says no", "by": ["volunteer"],
    "reasons": ["no reason given", "too far"], "reasons_of": {}, "in_words": False,
    "follows": {"no reason given": NOTHING_MORE, "too far": NOTHING_MORE},
}  # fmt: skip


class MatchLine(BaseModel):
    model_config = like(**_LINE)
    id: str = Field(examples=["M3HG8K5QWN2P"])
    child: AChild
    volunteer: AVolunteer
    state: State
    since: datetime
    started_on: date | None
    ended_on: date | None
    next_review_on: date | None
    irregular: bool = Field(
        examples=[False], description="Whether it breaks the rule for siblings, by a link found later."
    )
    version: Version


class MatchRecord(MatchLine):
    """A match with its story, and what may follow."""

    model_config = like(
        **_LINE, over_by=None, reason=None, policy="national 2026.1 (3d1f0a9c52e7)", rank_by="plan", rank=1,
        alternatives=["V4TX9B2LMD7W", "V8HM3T6KXQ2N"], planned_elsewhere=["C2NB8T5WGX9K"],
        shares={"child": ["interests", "age"], "volunteer": ["interests"], "chosen": True},
        to_be_asked_since=None, timeline=[
            {**_ASKED, "number": 1, "step": "propose", "state": "proposed", "reason": "shared interests"}, _ASKED,
        ],
        possible=[_NEXT],
    )  # fmt: skip
    over_by: Party | None
    reason: str | None
    policy: str | None = Field(description="The policy under which it was proposed in Kith.")
    rank_by: str | None
    rank: int | None
    alternatives: list[AVolunteer] = Field(description="The volunteers whom the person saw who chose, in their order.")
    planned_elsewhere: list[str] = Field(
        examples=[["C2NB8T5WGX9K"]],
        description="Ids of the other children for whom the published plan had the volunteer, as they were chosen.",
    )
    shares: Shares | None = Field(
        description="What each learns of the other as it stands now: look at it before the volunteer is asked."
    )
    to_be_asked_since: datetime | None = Field(
        description="Of a past match, or a proposal that is over after a meeting, that a concern about the volunteer "
        "brought up: since when the child is to be asked too, as long as nobody has recorded what they told."
    )
    timeline: list[Told]
    possible: list[Possible]


class Recorded(BaseModel):
    """That it is recorded, for whoever may decide and not read: a token without the permission to identify."""

    id: str = Field(examples=["M3HG8K5QWN2P"])
    state: State
    version: Version


class MatchPage(ListPage):
    matches: list[MatchLine]


@router.get("/matches")
def matches(
    person: Asking,
    kith: Kith,
    rows: Reading,
    page: PageNumber = 1,
    size: PageSize = 50,
    sort: Literal["since", "next_review_on"] = "since",
    state: State | None = None,
    live: bool | None = None,
    child: Annotated[str | None, id_of("C")] = None,
    volunteer: Annotated[str | None, id_of("V")] = None,
    coordinator: Coordinator = None,
    irregular: Annotated[bool | None, Query(description="Whether it breaks the rule for siblings.")] = None,
    to_ask: Annotated[bool, Query(description="Only those whose child is to be asked since a concern.")] = False,
    review_by: Annotated[date | None, Query(description="Whose next review is due by that day.")] = None,
) -> MatchPage:
    """Proposals and matches, those that changed last first, a page at a time."""
    query = select(tables.Match)
    if state is not None:
        query = query.where(tables.Match.state == state)
    if live is not None:
        query = query.where(tables.Match.state.in_(LIVE) if live else tables.Match.state.not_in(LIVE))
    for column, value in (
        (tables.Match.child_id, child), (tables.Match.volunteer_id, volunteer), (tables.Match.irregular, irregular),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    if coordinator is not None:
        query = query.where(tables.Match.coordinator_hash.in_(rows.hashes_meant(coordinator)))
    if to_ask:
        query = query.where(tables.Match.id.in_([one.match.id for one in asking.to_ask(rows)]))
    if review_by is not None:
        query = query.where(tables.Match.next_review_on <= review_by)
    order = tables.Match.since.desc() if sort == "since" else tables.Match.next_review_on.asc().nulls_last()
    total, found = one_page(rows.session, query.order_by(order, tables.Match.id), page, size)
    note_reading(kith, person, "matches", "", children=sorted({row.child_id for (row,) in found}))
    return MatchPage(total=total, page=page, matches=[MatchLine(**_line(row)) for (row,) in found])


@router.get("/matches/{match_id}", responses=VERSIONED)
def match(match_id: MatchId, person: Asking, kith: Kith, rows: Reading, response: Response) -> MatchRecord:
    """One match with every decision about it, and the steps that may follow."""
    row = rows.match(match_id)
    note_reading(kith, person, "match", row.child_id, match=row.id, children=steps.planned_for(rows, row))
    return _record(rows, row, response)


@router.post("/proposals", status_code=201, responses=MADE)
def propose(
    given: NewProposal, person: Asking, kith: Kith, now: Reading, rows: Writing, response: Response
) -> MatchRecord | Recorded:
    """Proposes a volunteer of a shortlist that you were shown.

    What else was on it, and whether the choice departs from the first rank, is known from what was shown. For whom else
    the published plan proposes the volunteer, who has no place for both, is kept with it.
    """
    child, chosen = proposals.choose(rows, given.served, given.volunteer, user_id=person.user_id)
    others = plan_today(now, kith.matching.of(now).instance).elsewhere(child, given.volunteer)
    row = proposals.propose(
        rows, child, given.volunteer, user_id=person.user_id, reason=given.reason, note=given.note,
        chosen=replace(chosen, planned_for=tuple(others)),
    )  # fmt: skip
    return recorded(person, rows, row, response)


@router.post("/matches/{match_id}/steps", responses=CHANGES)
def step(
    match_id: MatchId, given: NewStep, expected: IfMatch, person: Asking, kith: Kith, response: Response
) -> MatchRecord | Recorded:
    """Records one step, and what its reason brings about besides.

    One that goes forward is refused while a hard rule fails on fresh data. A no never is, nor because somebody else
    changed the match meanwhile: it is taken from wherever the match stands by now.
    """
    if given.at is not None and given.at > utc_now():
        raise StepRefusedError("That is yet to come. Record it when it has happened.")

    def take(rows: Repository) -> MatchRecord | Recorded:
        row = rows.match(match_id)
        if not workflow.is_final(given.step):
            require_version(row.version, expected)
        row = proposals.take_step(
            rows, match_id, given.step, by=given.by, user_id=person.user_id, reason=given.reason, note=given.note,
            at=given.at,
        )  # fmt: skip
        return recorded(person, rows, row, response)

    return attempt(kith, person, take)


@router.post("/matches/{match_id}/take-back", responses=CHANGES)
def take_back(
    match_id: MatchId, given: RecordedByMistake, expected: IfMatch, person: Asking, kith: Kith, response: Response
) -> MatchRecord | Recorded:
    """Takes back the last step of those that count: it was recorded by mistake.

    The match stands again as it stood before it; the step stays in its story, with an entry `taken_back` after it. A no
    is taken back by a manager alone, and refused while a rule fails on fresh data; an ending within 14 days of its
    being recorded. What a reason brought about besides stays. Nothing is taken back that a file said, nor that the two
    were proposed, nor a no or a pause since the child does not feel safe: after an ending for it, visits are left
    paused.
    """

    def take(rows: Repository) -> MatchRecord | Recorded:
        row = rows.match(match_id)
        require_version(row.version, expected)
        if taking_back.last_step(rows, row).needs_a_manager:
            refuse_without(person, Permission.APPROVE)
        row = taking_back.take_back(rows, match_id, user_id=person.user_id, why=given.reason)
        return recorded(person, rows, row, response)

    return attempt(kith, person, take)


@router.post("/matches/{match_id}/asked", responses=CHANGES)
def asked(
    match_id: MatchId, given: WhatCameOfAsking, expected: IfMatch, person: Asking, kith: Kith, response: Response
) -> MatchRecord | Recorded:
    """Records what came of asking a child about the visits or the meeting of before, since a concern brought it up.

    That the child told something is a concern about the volunteer from that moment: they are suspended at once, and the
    other children whom they visited or met are to be asked, again too. It is not refused because somebody else changed
    the match meanwhile. A child who would rather not, or was not reached, is still to be asked; that one is not to be
    asked is recorded by a manager alone. What was recorded by mistake is recorded again: the last counts.
    """
    if given.outcome == NOT_TO_BE_ASKED:
        refuse_without(person, Permission.APPROVE)

    def record(rows: Repository) -> MatchRecord | Recorded:
        if given.outcome != TOLD_SOMETHING:
            require_version(rows.match(match_id).version, expected)
        row = asking.record(
            rows, match_id, given.outcome, asked_by=Party(given.asked_by), on=given.on, user_id=person.user_id,
            note=given.note,
        )  # fmt: skip
        return recorded(person, rows, row, response)

    return attempt(kith, person, record)


def recorded(person: Asking, rows: Repository, row: tables.Match, response: Response) -> MatchRecord | Recorded:
    """The answer to a change: no more than the same person or token is told who asks for the match."""
    told = _record(rows, row, response)
    return told if may_identify(person) else Recorded(id=told.id, state=told.state, version=told.version)


def _line(row: tables.Match) -> dict[str, Any]:
    return {
        "id": row.id, "child": row.child_id, "volunteer": row.volunteer_id, "state": row.state, "since": row.since,
        "started_on": row.started_on, "ended_on": row.ended_on, "next_review_on": row.next_review_on,
        "irregular": row.irregular, "version": row.version,
    }  # fmt: skip


def _record(rows: Repository, row: tables.Match, response: Response) -> MatchRecord:
    rows.session.flush()
    proposal = rows.session.scalar(select(tables.Proposal).where(tables.Proposal.match_id == row.id))
    decisions = rows.session.scalars(
        select(tables.Decision).where(tables.Decision.match_id == row.id).order_by(tables.Decision.number)
    ).all()
    past = asking.of_match(rows, row)
    gone, now = steps.taken_back(decisions), steps.progress(rows, row)
    tell_version(response, row.version)
    return MatchRecord(
        **_line(row),
        over_by=Party(row.over_by) if row.over_by else None,
        reason=row.reason,
        policy=proposal.policy if proposal else None,
        rank_by=proposal.rank_by if proposal else None,
        rank=proposal.rank if proposal else None,
        alternatives=proposal.alternatives if proposal else [],
        planned_elsewhere=steps.planned_for(rows, row),
        shares=Shares(
            child=profiles.in_order(proposal.shared, "child"),
            volunteer=profiles.in_order(proposal.shared, "volunteer"), chosen=bool(proposal.shared),
        ) if proposal else None,
        to_be_asked_since=past.to_ask_since if past else None,
        timeline=[
            Told(
                number=one.number, step=one.step, state=one.state, by=Party(one.said_by), user=one.user_id, at=one.at,
                reason=one.reason, note=rows.open(one, "note"), departs=one.departs,
                taken_back=one.id in gone,
            )
            for one in decisions
        ],
        possible=[
            Possible(
                step=one.id, title=one.says(now.state), by=list(one.by), reasons=list(one.reasons), follows=one.follows,
                in_words=bool(one.in_words),
                reasons_of={by: list(one.reasons_of(by)) for by in one.by} if len(one.by) > 1 and one.reasons else {},
            )
            for one in workflow.possible(now.state, now.paused_for)
        ],
    )  # fmt: skip
