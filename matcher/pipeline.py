"""match(instance) -> Plan: the story in fifteen lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from matcher.audit import require_clean
from matcher.constraints import PLAN_CONSTRAINTS, eligible_pairs
from matcher.errors import NoPlanError
from matcher.explain import why_unmatched
from matcher.instance import Instance
from matcher.objective import Objective, objective
from matcher.pairs import Ints, Pairs, tables
from matcher.plan import Plan, PlannedMatch, Unmatched
from matcher.policy import Policy
from matcher.rules.plan import out_of_county_pence
from matcher.scoring import Scored, score
from matcher.solver import AssignmentProblem, Solution, solve

Tell = Callable[[str], None]
"""Called with the name of each step as it begins."""


def _silent(_: str) -> None:
    """For callers who do not watch."""


def match(instance: Instance, *, time_limit: float | None = None, tell: Tell = _silent) -> Plan:
    """The best plan that the rules allow, audited, with its proof and with a reason for every child left.

    `time_limit` counts the solver's deterministic seconds; None searches until the plan is proven best.
    Raises NoPlanError if no plan is found, AuditError if a plan breaks a rule (then none is returned).
    """
    return plan(consider(instance, tell=tell), time_limit=time_limit, tell=tell)


def consider(instance: Instance, *, tell: Tell = _silent) -> Scored:
    """The eligible pairs of an instance with their points: what plans and shortlists are made of."""
    tell("Reading records into columns")
    every = tables(instance)
    tell("Applying the rules")
    pairs = eligible_pairs(every, instance.policy)
    tell("Scoring the pairs")
    return score(pairs, instance.policy)


def plan(scored: Scored, *, time_limit: float | None = None, tell: Tell = _silent) -> Plan:
    """The best plan over scored pairs; see `match`."""
    instance = scored.pairs.tables.instance
    worthwhile = np.flatnonzero(scored.fit >= instance.policy.minimum_fit)
    goal = objective(scored, instance.policy)
    tell("Finding the best plan")
    solution = solve(_problem(scored, goal, worthwhile, instance.policy), time_limit=time_limit)
    if solution.status not in ("OPTIMAL", "FEASIBLE"):
        raise NoPlanError(f"The solver answers {solution.status}: no plan was found. Give it more time.")
    chosen = worthwhile[solution.chosen]
    tell("Checking the plan")
    require_clean(instance, _ids(scored, chosen))
    tell("Writing down the reasons")
    return _plan(scored, goal, chosen, solution)


def _problem(scored: Scored, goal: Objective, rows: Ints, policy: Policy) -> AssignmentProblem:
    pairs = scored.pairs[rows]
    return AssignmentProblem(
        pairs.child_row,
        pairs.volunteer_row,
        goal.points[rows],
        n_children=len(pairs.tables.instance.waiting),
        **_limits(pairs, policy),
    )


def _limits(pairs: Pairs, policy: Policy) -> dict[str, Any]:
    """What the constraints in force ask of a plan over these pairs, as the solver takes it."""
    arrays: dict[str, Any] = {}
    for constraint in PLAN_CONSTRAINTS:
        if policy.on(f"constraints.{constraint.id}"):
            arrays |= constraint.arrays(pairs, policy)
    instance = pairs.tables.instance
    # Where no policy limits it, a volunteer may visit as many as there are.
    arrays.setdefault("capacity", np.full(len(instance.volunteers), len(instance.waiting)))
    return arrays


def _plan(scored: Scored, goal: Objective, chosen: Ints, solution: Solution) -> Plan:
    instance, policy = scored.pairs.tables.instance, scored.pairs.tables.instance.policy
    cost = out_of_county_pence(scored.pairs, policy)
    spent: Counter[str] = Counter()
    for row in chosen.tolist():
        if cost[row]:
            spent[scored.pairs.between(row).child.responsible_authority or ""] += int(cost[row])
    return Plan(
        matches=tuple(_planned(scored, row, int(cost[row])) for row in chosen.tolist()),
        unmatched=_unmatched(scored, chosen),
        status=solution.status,
        tiers=goal.reached(chosen),
        first_tier_bound=goal.first_tier(solution.bound),
        value=solution.value,
        bound=solution.bound,
        as_of=instance.as_of,
        policy=policy.name,
        policy_version=policy.version,
        policy_hash=policy.content_hash,
        data_hash=instance.data_hash,
        children=len(instance.waiting),
        volunteers=len(instance.volunteers),
        eligible_pairs=len(scored.pairs),
        spent_pence=dict(sorted(spent.items())),
    )


def _planned(scored: Scored, row: int, cost: int) -> PlannedMatch:
    between = scored.pairs.between(row)
    fit, priority = int(scored.fit[row]), int(scored.priority[row])
    return PlannedMatch(
        child=between.child.id,
        volunteer=between.volunteer.id,
        points=fit + priority,
        fit=fit,
        priority=priority,
        by_score={id: int(points[row]) for id, points in scored.by_score.items()},
        by_priority={id: int(points[row]) for id, points in scored.by_priority.items()},
        unknown=int(scored.unknown[row]),
        miles=between.shown_miles,
        cost_pence=cost,
    )


def _unmatched(scored: Scored, chosen: Ints) -> tuple[Unmatched, ...]:
    pairs, every = scored.pairs, scored.pairs.tables
    matched = set(pairs.child_row[chosen].tolist())
    visits = Counter(pairs.volunteer_row[chosen].tolist())
    families = {
        (int(every.child.family[pairs.child_row[row]]), int(pairs.volunteer_row[row])) for row in chosen.tolist()
    }
    limits = _limits(pairs, every.instance.policy)
    left = np.append(limits.get("budget", np.zeros(0, dtype=np.int64)), 0)  # what is charged to no fund (-1) costs 0
    fund, cost = limits.get("fund", np.full(len(pairs), -1)), limits.get("cost", np.zeros(len(pairs), dtype=np.int64))
    np.subtract.at(left, fund[chosen], cost[chosen])
    fitting = scored.fit >= every.instance.policy.minimum_fit
    unmatched = []
    for child in range(len(every.instance.waiting)):
        if child in matched:
            continue
        rows = np.arange(*np.searchsorted(pairs.child_row, [child, child + 1]))
        lost: Counter[str] = Counter()
        for row in rows[fitting[rows]].tolist():
            volunteer = int(pairs.volunteer_row[row])
            if visits[volunteer] >= limits["capacity"][volunteer]:
                lost["proposed to other children"] += 1
            elif (int(every.child.family[child]), volunteer) in families:
                lost["proposed to a sibling"] += 1
            elif cost[row] > left[fund[row]]:
                lost["beyond what is left of the out-of-county budget"] += 1
            else:  # never in a plan proven best: one more match would be better
                lost["still free when the time to search was over"] += 1
        unmatched.append(why_unmatched(every, child, eligible=len(rows), fitting=int(fitting[rows].sum()), lost=lost))
    return tuple(unmatched)


def _ids(scored: Scored, chosen: Ints) -> list[tuple[str, str]]:
    every = [scored.pairs.between(row) for row in chosen.tolist()]
    return [(between.child.id, between.volunteer.id) for between in every]
