"""Policies: each version whole and never changed, the draft of the next held against what is in force."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from matcher.catalogue import policy_of
from matcher.errors import PolicyError
from matcher.policy_words import differences
from matcher.policy_words import told as policy_told
from service.api.answers import Answer, like
from service.api.deps import Asking, Reading, Writing
from service.api.shapes import (
    CHANGES,
    VERSIONED,
    AUser,
    Given,
    IfMatch,
    ListPage,
    PageNumber,
    PageSize,
    PolicyNumber,
    PrintableText,
    id_of,
    one_page,
    require_version,
    tell_version,
)
from service.database import tables
from service.policies import add_version, held_in_force, numbered
from service.repository import Repository

router = APIRouter(prefix="/policies", tags=["policies"])

_EXAMPLE = 'name = "ours"\ntitle = "Our policy"\nversion = "1"\ninherits = "national"\n'


class PolicyLine(BaseModel):
    number: int = Field(examples=[1])
    name: str = Field(examples=["national"])
    version: str = Field(examples=["2026.1"])
    hash: str = Field(examples=["3d1f0a9c52e7"])
    user: AUser | None = Field(description="Who put it in force; null for the first.")
    created_at: datetime
    in_force: bool


class PolicyPage(ListPage):
    policies: list[PolicyLine]


class Draft(Given):
    toml: str = Field(max_length=200_000, examples=[_EXAMPLE])


class NewPolicy(Draft):
    reason: Annotated[str, PrintableText] = Field(max_length=500, examples=["Agreed at the panel in March"])


class WrongLine(BaseModel):
    line: int = Field(examples=[7])
    wrong: str = Field(examples=["[rules.age_gp] is not known"])


class Checked(BaseModel):
    """What a draft would change, or every line that keeps it from being used."""

    usable: bool
    stamp: str | None = Field(examples=["ours 1 (1a2b3c4d5e6f)"])
    problems: list[WrongLine]
    differences: list[str] = Field(
        examples=[
            [
                "National asks for a volunteer seven years older than the child; Our policy ten years older than "
                "the child."
            ]
        ],
        description="Sentences: where it decides differently than the policy in force.",
    )


class Limit(Answer):
    value: int | str
    shown: str
    """As a coordinator would say it."""


class PolicyEntry(Answer):
    """A rule, a constraint on the whole plan, a score or a priority."""

    section: Literal["rules", "constraints", "scores", "priorities"]
    id: str
    title: str
    core: bool
    in_force: bool
    limits: dict[str, Limit]
    source: str
    inherited: str = Field(alias="from")
    """The policy that says so: this one, or one from which it inherits."""


class Objective(Answer):
    """What plans are for."""

    tiers: list[str]
    """Highest first."""
    minimum_fit: int
    stability: int
    """Points that a change of the plan before must be worth."""
    in_words: str


class WholePolicy(Answer):
    """One version of the policy, with the source of everything that it says."""

    model_config = like(
        number=2, policy="ours", title="Our policy", version="1", hash="3d1f0a9c52e7",
        objective={
            "tiers": ["points"], "minimum_fit": 0, "stability": 0,
            "in_words": "Plans are made for priority points and fit points together.",
        },
        entries=[{
            "section": "rules", "id": "age_gap", "title": "The volunteer is at least 7 years older than the child",
            "core": False, "in_force": True, "limits": {"years": {"value": 7, "shown": "seven years"}}, "source": "S 5",
            "from": "national",
        }],
    )  # fmt: skip
    number: int
    policy: str
    title: str
    version: str
    hash: str
    objective: Objective
    entries: list[PolicyEntry]


@router.get("")
def policies(
    rows: Reading,
    page: PageNumber = 1,
    size: PageSize = 50,
    sort: Literal["newest", "oldest"] = "newest",
    hash: Annotated[
        str | None, Query(pattern="^[0-9a-f]{12}$", examples=["3d1f0a9c52e7"], description="As plans carry it.")
    ] = None,
    user: Annotated[str | None, id_of("U"), Query(description="Who put it in force.")] = None,
) -> PolicyPage:
    """The versions, a page at a time: the one in force first, unless the oldest is asked for first."""
    number = tables.Policy.number
    in_force = rows.session.scalar(select(func.max(number)))
    query = select(tables.Policy).order_by(number.desc() if sort == "newest" else number)
    if hash is not None:
        query = query.where(tables.Policy.content_hash == hash)
    if user is not None:
        query = query.where(tables.Policy.user_id == user)
    total, found = one_page(rows.session, query, page, size)
    lines = [_line(rows, row, in_force=row.number == in_force) for (row,) in found]
    return PolicyPage(total=total, page=page, policies=lines)


@router.get("/current", response_model=WholePolicy, responses=VERSIONED)
def current(rows: Reading, response: Response) -> dict[str, Any]:
    """The policy in force, whole, with each entry's sentence and source. Its ETag is needed to put in the next."""
    row, policy = rows.policy()
    tell_version(response, row.number)
    return {"number": row.number, **policy_told(policy)}


@router.get("/{number}", response_model=WholePolicy)
def policy(number: PolicyNumber, rows: Reading) -> dict[str, Any]:
    """One version, whole."""
    row = numbered(rows.session, number)
    return {"number": row.number, **policy_told(rows.policy_content(row))}


@router.post("/check")
def check(given: Draft, rows: Reading) -> Checked:
    """Holds a draft against the rules and against what is in force. Nothing is kept."""
    try:
        draft = policy_of(given.toml)
    except PolicyError as error:
        problems = [WrongLine(line=one.line, wrong=one.wrong) for one in error.problems]
        return Checked(usable=False, stamp=None, problems=problems, differences=[])
    told = [one.sentence for one in differences(rows.policy()[1], draft)]
    return Checked(usable=True, stamp=draft.stamp, problems=[], differences=told)


@router.post("", status_code=201, responses=CHANGES)
def put_in_force(given: NewPolicy, expected: IfMatch, person: Asking, rows: Writing, response: Response) -> PolicyLine:
    """Puts a policy in force as the next version. One that cannot be followed is refused with its lines."""
    require_version(held_in_force(rows), expected)
    row = add_version(rows, policy_of(given.toml), user_id=person.user_id, reason=given.reason)
    tell_version(response, row.number)
    return _line(rows, row, in_force=True)


def _line(rows: Repository, row: tables.Policy, *, in_force: bool) -> PolicyLine:
    policy = rows.policy_content(row)
    return PolicyLine(
        number=row.number, name=policy.name, version=policy.version, hash=row.content_hash, user=row.user_id,
        created_at=row.created_at, in_force=in_force,
    )  # fmt: skip
