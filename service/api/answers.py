"""What the matcher's answers hold: shortlists, explanations and plans, field by field, each with an example.

The matcher hands them over as dictionaries, and tests hold these shapes to be exactly those. Of what is kept – a
shortlist, a plan and what changed – the shape stands in the document alone (`described`, `as_it_is`): an answer that an
earlier version kept is told as it was found, and one of fifty volunteers, which takes ten milliseconds to go through,
is not gone through once more at each request. What is always made afresh, and is small, FastAPI holds to its shape.

Who may not identify children is told ids, titles, verdicts and points: sentences and reasons are blank, distances and
costs not there, since they are facts about people (`pseudonyms.without_facts`).
"""

from __future__ import annotations

from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel, ConfigDict, TypeAdapter

from service.errors import Responses


class Answer(BaseModel):
    """One that has these fields and no other."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def described(model: type[Answer]) -> Responses:
    """What a route answers, for the document of the API; with `response_model=None`, since nothing checks it again."""
    return {200: {"model": model}}


def as_it_is(content: dict[str, Any]) -> Response:
    """An answer that is described."""
    return Response(_JSON.dump_json(content), media_type="application/json")


_JSON: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def like(**example: Any) -> ConfigDict:
    """The configuration of an answer's model with an example of it."""
    return ConfigDict(json_schema_extra={"examples": [example]})


_CHILD, _OTHER, _VOLUNTEER = "C7KQ4M2XPH3R", "C2NB8T5WGX9K", "V4TX9B2LMD7W"
_STAMP = {"policy": "national 2026.1 (3d1f0a9c52e7)", "data_hash": "0f3c9d6a1b2e", "as_of": "2026-11-01"}


# ---- one pair --------------------------------------------------------------------------------------------------------


_POINTS = {
    "id": "interests", "title": "Shared interests and hobbies; a rare one counts more",
    "source": "N Matching; R 14; S 8", "weight": 30, "points": 214, "counts": "known",
    "sentence": "Both like chess and football.",
}  # fmt: skip
_PRIORITY = {
    "id": "waiting_time", "title": "1 point a day since referral, for at most 730 days", "source": "NS 7.1",
    "weight": None, "points": 120, "counts": "known", "sentence": "Waits since 4 July 2026, 120 days.",
}  # fmt: skip
_REASON = {
    "rule": "age_gap", "title": "The volunteer is at least 7 years older than the child", "source": "S 5",
    "core": False, "verdict": "passes", "sentence": "V0023 is 26 years older than C0060.",
}  # fmt: skip
_EFFECT = {
    "child": _CHILD, "volunteer": _VOLUNTEER, "loss": 42, "most": 42, "tiers": {"points": 42}, "left": [], "gained": [],
    "changed": [_OTHER], "impossible": "", "exact": True,
    "sentence": "This choice means a different volunteer for one other child. The whole plan is 42 points worse.",
}  # fmt: skip
_CANDIDATE = {
    "rank": 1, "child": _CHILD, "volunteer": _VOLUNTEER, "points": 334, "fit": 214, "priority": 120, "unknown": 150,
    "distance": "4 miles", "cost_pence": 0, "scores": [_POINTS], "priorities": [_PRIORITY], "planned_for": [_OTHER],
    "policy": _STAMP["policy"], "effect": _EFFECT, "notes": {}, "reasons": [_REASON],
}  # fmt: skip

_LISTED = {**_CANDIDATE, "planned_elsewhere": [_OTHER]}


class Points(Answer):
    """What one score or priority contributes to one pair."""

    model_config = like(**_POINTS)
    id: str
    title: str
    source: str
    """Where the policy, or a document that it rests on, says so."""
    weight: int | None
    """Of a score; null of a priority."""
    points: int
    counts: Literal["known", "not recorded", "does not apply"]
    """A score of which something is not recorded drops out."""
    sentence: str


class Reason(Answer):
    """One rule's verdict on one pair."""

    model_config = like(**_REASON)
    rule: str
    title: str
    source: str
    core: bool
    """Whether no policy can switch it off, and nobody allow an exception."""
    verdict: Literal["passes", "fails", "not recorded", "not in force"]
    sentence: str


class Effect(Answer):
    """What choosing the pair means for the whole plan."""

    model_config = like(**_EFFECT)
    child: str
    volunteer: str
    loss: int
    """How much less the best whole plan with this pair is worth, at least; below 0 where a plan gains."""
    most: int
    """The same, at most."""
    tiers: dict[str, int]
    """The difference in each tier of the policy's objective, highest first, where it is exact."""
    left: list[str]
    """Ids of the other children who would stay without a visitor, and have one in the plan."""
    gained: list[str]
    """Ids of the other children who would have a visitor, and have none in the plan."""
    changed: list[str]
    """Ids of the other children who would have another volunteer than in the plan."""
    impossible: str
    """Why no plan can have the pair, if none can."""
    exact: bool
    sentence: str


class Candidate(Answer):
    """One pair on a shortlist."""

    model_config = like(**_CANDIDATE)
    rank: int
    child: str
    volunteer: str
    points: int
    fit: int
    """Fit points, 0 to 1000."""
    priority: int
    """What the child brings, whoever the volunteer."""
    unknown: int
    """How much of the scores' weight is not recorded, in thousandths."""
    distance: str
    cost_pence: int | None
    """What the match would cost outside the county in a year, by the policy's visits a year; 0 inside."""
    scores: list[Points]
    priorities: list[Points]
    planned_for: list[str]
    """Ids of the children to whom the plan gives this volunteer."""
    policy: str
    effect: Effect | None
    """null where it was not asked for, or is still being worked out."""
    notes: dict[str, str]
    """What to hear of before it is proposed, by rule: exceptions, what it costs and how that was worked out, ties."""
    reasons: list[Reason] | None
    """What each rule says of the two, as an explanation has it; null where it was not asked for (`reasons=true`)."""


class Listed(Candidate):
    """A volunteer on the shortlist of a child."""

    model_config = like(**_LISTED)
    planned_elsewhere: list[str]
    """Ids of the other children for whom the published plan proposes the volunteer, where nobody is proposed yet and
    the volunteer has no place for all: known at once, while `effect` is still being worked out."""


class _Ranked(Answer):
    rank_by: Literal["plan", "fit"]
    """The order in which they stand: by fit while the effects are being worked out, whatever was asked for."""
    effects: Literal["exact", "being worked out", "not asked for"]
    policy: str
    """The policy with its version and the hash of its content."""
    data_hash: str
    """Of the records that it was made of."""
    as_of: str
    """The day as of which every limit was reckoned."""


class Shortlist(_Ranked):
    """The volunteers who could visit a child, best first."""

    model_config = like(
        served="W2NK8D4HQX6T", child=_CHILD, rank_by="plan", effects="exact", **_STAMP, shortlist=[_LISTED],
        nobody_because=None,
    )  # fmt: skip
    served: str
    """By which a proposal says from what it was chosen."""
    child: str
    shortlist: list[Listed]
    nobody_because: str | None
    """Why the list is empty, where it is."""


class VolunteerShortlist(_Ranked):
    """The children whom a volunteer could visit, best first."""

    model_config = like(
        volunteer=_VOLUNTEER, rank_by="plan", effects="exact", **_STAMP, shortlist=[_CANDIDATE],
    )  # fmt: skip
    volunteer: str
    shortlist: list[Candidate]


class Excluded(Answer):
    """Who could visit a child, and who could not by which rule."""

    model_config = like(
        child=_CHILD, eligible=0, excluded={"approved": 6, "travel": 11, "dbs_current_not_recorded": 3},
        nobody_because="No volunteer is eligible: of 20, 6 can visit no child for now, 11 too far away and 3 perhaps "
        "without a current DBS check: not recorded.",
    )  # fmt: skip
    child: str
    eligible: int
    excluded: dict[str, int]
    """How many volunteers each rule is the first to exclude, in the order of the rules; where a fact is not recorded,
    under the rule's name with `_not_recorded`."""
    nobody_because: str | None


class Explanation(Answer):
    """One child and one volunteer under one policy."""

    model_config = like(
        child=_CHILD, volunteer=_VOLUNTEER, eligible=True,
        reasons=[_REASON], scores=[_POINTS], priorities=[_PRIORITY], fit=214, priority=120, points=334,
        policy="national", policy_version="2026.1", policy_hash="3d1f0a9c52e7", as_of="2026-11-01",
    )  # fmt: skip
    child: str
    volunteer: str
    eligible: bool
    reasons: list[Reason]
    scores: list[Points]
    priorities: list[Points]
    fit: int
    priority: int
    points: int
    policy: str
    policy_version: str
    policy_hash: str
    as_of: str


# ---- a run's plan ----------------------------------------------------------------------------------------------------


class PlannedMatch(Answer):
    """A pair that the plan proposes. A person decides it."""

    child: str
    volunteer: str
    points: int
    fit: int
    priority: int
    by_score: dict[str, int]
    by_priority: dict[str, int]
    unknown: int
    """How much of the scores' weight is not recorded, in thousandths."""
    miles: float | None
    cost_pence: int | None
    pinned: str
    """"agreed" or "proposed" where it was so before this run; else empty."""
    notes: dict[str, str]


class NotKept(Answer):
    """A match that was agreed, proposed or planned before, and that a rule forbids by now."""

    child: str
    volunteer: str
    status: Literal["agreed", "proposed", "planned"]
    reason: str


class Unmatched(Answer):
    """A child who stays without a visitor, and why."""

    child: str
    kind: Literal["child", "nobody", "others", "fit"]
    """A rule about the child does not pass; nobody is eligible; all are proposed to others; none fits well enough."""
    reason: str
    eligible: int
    excluded: dict[str, int]


class Plan(Answer):
    """The matches proposed together, with what is proven of them."""

    matches: list[PlannedMatch]
    unmatched: list[Unmatched]
    status: Literal["OPTIMAL", "FEASIBLE"]
    """OPTIMAL: no plan is worth more. FEASIBLE: found within the time limit, and may miss `bound` less `value`."""
    tiers: dict[str, int]
    """What the plan reaches in each tier of the objective, highest first."""
    first_tier_bound: int
    value: int
    bound: int
    """What no plan exceeds."""
    as_of: str
    policy: str
    policy_version: str
    policy_hash: str
    data_hash: str
    children: int
    volunteers: int
    eligible_pairs: int
    spent_pence: dict[str, int]
    """What the plan costs outside the county in a year, by authority."""
    not_kept: list[NotKept]
    together: list[list[str]]
    """Siblings at one place who are all matched, where the policy gives points for it."""
    together_points: int
    stability_points: int
    points: int


class Change(Answer):
    """One child between two plans."""

    kind: Literal["kept", "changed", "new", "unmatched", "dropped"]
    child: str
    before: str | None
    """The volunteer in the plan before."""
    volunteer: str | None
    """The volunteer in the plan now."""
    reason: str


class PlanDiff(Answer):
    """What a plan changes of the one before."""

    changes: list[Change]
    sentence: str


class RunPlan(Answer):
    """What a run found."""

    model_config = like(
        run="R7KQ4M2XPH3R", id="L5WX8K2NBT7D", before="L9QH3M6TXC4P",
        plan={
            "matches": [{
                "child": _CHILD, "volunteer": _VOLUNTEER, "points": 334, "fit": 214, "priority": 120,
                "by_score": {"interests": 214}, "by_priority": {"waiting_time": 120}, "unknown": 150, "miles": 4.0,
                "cost_pence": 0, "pinned": "", "notes": {},
            }],
            "unmatched": [{
                "child": _OTHER, "kind": "others", "eligible": 1, "excluded": {"approved": 6, "travel": 13},
                "reason": "1 volunteer could visit. In the plan: 1 planned for other children.",
            }],
            "status": "OPTIMAL", "tiers": {"points": 334}, "first_tier_bound": 334, "value": 334, "bound": 334,
            "as_of": "2026-11-01", "policy": "national", "policy_version": "2026.1", "policy_hash": "3d1f0a9c52e7",
            "data_hash": "0f3c9d6a1b2e", "children": 2, "volunteers": 20, "eligible_pairs": 2, "spent_pence": {},
            "not_kept": [], "together": [], "together_points": 0, "stability_points": 0, "points": 334,
        },
        diff={
            "changes": [{
                "kind": "new", "child": _CHILD, "before": None, "volunteer": _VOLUNTEER,
                "reason": "In the plan before, no volunteer could visit C0060.",
            }],
            "sentence": "1 new.",
        },
    )  # fmt: skip
    run: str
    id: str
    """Of the plan."""
    plan: Plan
    before: str | None
    """The id of the plan with which it is compared: the published one, or else the last that was found."""
    diff: PlanDiff | None


class ChangedShortlist(Answer):
    """A child whose shortlist is not that of the run before."""

    child: str
    before: list[str]
    """Ids of the volunteers then, best first."""
    now: list[str]


class Changes(Answer):
    """The children whose shortlists changed."""

    model_config = like(
        run="R7KQ4M2XPH3R", shortlists=[{"child": _CHILD, "before": ["V8HM3T6KXQ2N"], "now": [_VOLUNTEER]}]
    )
    run: str
    shortlists: list[ChangedShortlist]
