"""The same service under several policies: how the plans differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS, in_force
from matcher.instance import Instance
from matcher.pairs import tables
from matcher.pipeline import match
from matcher.rules.base import Verdict
from matcher.words import pounds, spoken


@dataclass(frozen=True)
class Outcome:
    """What one policy makes of a service."""

    policy: str
    version: str
    hash: str
    pairs: int
    """Each child who waits with each volunteer."""
    eligible: int
    matches: tuple[tuple[str, str], ...]
    points: int
    out_of_county_pence: int
    status: str
    excluded: Mapping[str, int]
    """How many pairs each rule in force excludes, whatever the others say of them, with those for want of a fact."""
    not_recorded: Mapping[str, int]
    """How many of those each excludes for want of a fact."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def outcome(instance: Instance) -> Outcome:
    """Plans a service under its policy, and counts what each rule excludes."""
    plan, policy, every = match(instance), instance.policy, tables(instance)
    pairs = every.pairs_within(np.arange(len(instance.waiting)), np.arange(len(instance.volunteers)), None)
    verdicts = {limit.id: limit.verdicts(pairs, policy) for limit in in_force(policy)}
    return Outcome(
        policy.name,
        policy.version,
        policy.content_hash,
        len(pairs),
        plan.eligible_pairs,
        plan.pairs,
        plan.points,
        sum(plan.spent_pence.values()),
        plan.status,
        {id: int((verdict != Verdict.PASSES).sum()) for id, verdict in verdicts.items()},
        {id: int((verdict == Verdict.NOT_RECORDED).sum()) for id, verdict in verdicts.items()},
    )


def compared(outcomes: Iterable[Outcome]) -> list[list[str]]:
    """Outcomes side by side, a row a figure; the first row is the policies. What excludes nobody is left out."""
    every = list(outcomes)
    first = every[0]
    rows = [
        ["", *(one.policy for one in every)],
        ["children matched", *(f"{len(one.matches):,}" for one in every)],
        ["the same as the first", *(f"{len({*one.matches} & {*first.matches}):,}" for one in every)],
        ["points", *(f"{one.points:,}" for one in every)],
        ["out of county, a year", *(pounds(one.out_of_county_pence) for one in every)],
        [f"pairs, of {first.pairs:,}", *(f"{one.eligible:,}" for one in every)],
    ]
    for id in (limit.id for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS)):
        if any(one.excluded.get(id) for one in every):
            rows.append([f"– {spoken(id)}", *(_number(one.excluded, id) for one in every)])
        if any(one.not_recorded.get(id) for one in every):
            rows.append(["   not recorded", *(_number(one.not_recorded, id) for one in every)])
    return rows


def _number(counts: Mapping[str, int], id: str) -> str:
    return f"{counts[id]:,}" if id in counts else "not asked"
