"""What would be if one rule did not stand in the way: who is one step from a child's shortlist, and which step."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import ceil

import numpy as np

from matcher.catalogue import title_of
from matcher.constraints import in_force
from matcher.geography import METRES_PER_MILE
from matcher.instance import Instance
from matcher.pairs import tables
from matcher.rules.base import Verdict
from matcher.rules.pair import policy_reach_metres
from matcher.words import counted

NEAREST = 3
"""How many volunteers a longer journey is reckoned for."""


@dataclass(frozen=True)
class Nearly:
    """The volunteers whom a single rule keeps from a child's shortlist."""

    rule: str
    title: str
    core: bool
    recorded: bool
    """False where the rule cannot be judged because a fact is missing."""
    volunteers: tuple[str, ...]
    reasons: tuple[str, ...]
    """Why, of the first of them, in the same order: as many as were asked for."""


def one_rule_away(instance: Instance, child: str, *, told: int | None = None) -> tuple[Nearly, ...]:
    """The volunteers who pass all rules but one for a child, by that rule, those with the most first.

    `told` is of how many of each rule the reason is told; None of all. Raises NotFoundError for a child who is not
    waiting.
    """
    instance.waiting_child(child)
    policy, every = instance.policy, tables(instance)
    pairs = every.all_pairs_of(every.child_at[child])
    if not len(pairs):
        return ()
    limits = in_force(policy)
    verdicts = np.array([limit.verdicts(pairs, policy) for limit in limits])
    alone = np.flatnonzero((verdicts != Verdict.PASSES).sum(axis=0) == 1)
    grouped: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in alone.tolist():
        which = int(np.flatnonzero(verdicts[:, row] != Verdict.PASSES)[0])
        grouped[which, int(verdicts[which, row])].append(row)
    found = []
    for (which, verdict), rows in grouped.items():
        limit = limits[which]
        one = Verdict(verdict)
        reasons = tuple(limit.reason(pairs[row : row + 1].between(0), policy, one) for row in rows[:told])
        ids = tuple(instance.volunteers[row].id for row in rows)
        title = title_of(limit, policy)
        found.append(Nearly(limit.id, title, limit.core, one is not Verdict.NOT_RECORDED, ids, reasons))
    return tuple(sorted(found, key=lambda nearly: (-len(nearly.volunteers), nearly.rule, nearly.recorded)))


def farther(instance: Instance, child: str) -> str:
    """What a longer journey would add to a child's shortlist, the nearest few, in a sentence; "" where nobody.

    "2 more volunteers could visit if the journey were up to 18 miles: one travels less far than that by their own
    choice, one is beyond the policy's 25 miles."
    """
    away = next((one for one in one_rule_away(instance, child, told=0) if one.rule == "travel" and one.recorded), None)
    if away is None:
        return ""
    every = tables(instance)
    metres = every.all_pairs_of(every.child_at[child]).metres
    rows = sorted((every.volunteer_at[id] for id in away.volunteers), key=lambda row: int(metres[row]))[:NEAREST]
    miles = ceil(max(int(metres[row]) for row in rows) / METRES_PER_MILE)
    reach = policy_reach_metres(instance.policy)
    beyond = sum(int(metres[row]) > reach for row in rows)
    own = len(rows) - beyond
    limits = []
    if own:
        whose = "one of them travels" if own == 1 else f"{own} of them travel"
        if not beyond:
            whose = "they travel" if own == 1 else "all of them travel"
        limits.append(f"{whose} less far by their own choice")
    if beyond:
        limit = instance.policy.number("rules.travel.miles")
        limits.append(f"{'one is' if beyond == 1 else f'{beyond} are'} beyond the policy's limit of {limit} miles")
    more = counted(len(rows), "more volunteer", "more volunteers")
    told = f"{more} could visit if the journey could be up to {miles} miles: {' and '.join(limits)}."
    return told[:1].upper() + told[1:]
