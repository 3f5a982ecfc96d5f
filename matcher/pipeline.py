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
from matcher.pairs import NOT_RECORDED, Ints, Pairs, tables
from matcher.pins import kept_pins
from matcher.plan import NotKept, Plan, PlannedMatch, Unmatched
from matcher.policy import Policy
from matcher.rules.budget import out_of_county_pence
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
    pins, not_kept = kept_pins(scored)
    worthwhile = np.union1d(np.flatnonzero(scored.fit >= instance.policy.minimum_fit), pins)
    limits = _limits(scored.pairs[worthwhile], instance.policy)
    goal = objective(scored, instance.policy, groups=len(limits["bonus"]))
    tell("Finding the best plan")
    problem = _problem(scored, goal, worthwhile, pins, limits)
    solution = solve(problem, time_limit=time_limit)
    if solution.status not in ("OPTIMAL", "FEASIBLE"):
        raise NoPlanError(f"The solver answers {solution.status}: no plan was found. Give it more time.")
    chosen = worthwhile[solution.chosen]
    tell("Checking the plan")
    require_clean(instance, _ids(scored, chosen))
    tell("Writing down the reasons")
    whole = problem.whole_groups(solution.chosen)
    together = tuple(_members(scored, limits["bonus_group"], group) for group in whole.tolist())
    return _plan(scored, goal, chosen, solution, together, not_kept)


def _problem(scored: Scored, goal: Objective, rows: Ints, pins: Ints, limits: dict[str, Any]) -> AssignmentProblem:
    pairs = scored.pairs[rows]
    return AssignmentProblem(
        pairs.child_row,
        pairs.volunteer_row,
        goal.points[rows],
        n_children=len(pairs.tables.instance.waiting),
        pinned=np.isin(rows, pins),
        **{**limits, "bonus": limits["bonus"] * goal.bonus},
    )


def _members(scored: Scored, group: Ints, number: int) -> tuple[str, ...]:
    """Ids of the children of a group."""
    waiting = scored.pairs.tables.instance.waiting
    return tuple(waiting[child].id for child in np.flatnonzero(group == number).tolist())


def _limits(pairs: Pairs, policy: Policy) -> dict[str, Any]:
    """What the constraints in force ask of a plan over these pairs, as the solver takes it."""
    arrays: dict[str, Any] = {}
    for constraint in PLAN_CONSTRAINTS:
        if policy.on(f"constraints.{constraint.id}"):
            arrays |= constraint.arrays(pairs, policy)
    instance = pairs.tables.instance
    # Where no policy limits it, a volunteer may visit as many as there are.
    arrays.setdefault("capacity", np.full(len(instance.volunteers), len(instance.waiting)))
    arrays.setdefault("bonus_group", np.full(len(instance.waiting), NOT_RECORDED))
    arrays["bonus"] = np.ones(int(arrays["bonus_group"].max(initial=NOT_RECORDED)) + 1, dtype=np.int64)
    return arrays


def _plan(
    scored: Scored,
    goal: Objective,
    chosen: Ints,
    solution: Solution,
    together: tuple[tuple[str, ...], ...],
    not_kept: tuple[NotKept, ...],
) -> Plan:
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
        tiers=goal.reached(chosen, len(together)),
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
        not_kept=not_kept,
        together=together,
        together_points=len(together) * max(goal.bonuses),
    )


def _planned(scored: Scored, row: int, cost: int) -> PlannedMatch:
    between = scored.pairs.between(row)
    pinned = {(match.child, match.volunteer): str(match.status) for match in reversed(between.instance.pins)}
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
        pinned=pinned.get((between.child.id, between.volunteer.id), ""),
    )


def _unmatched(scored: Scored, chosen: Ints) -> tuple[Unmatched, ...]:
    every = scored.pairs.tables
    left = _Left(scored, chosen)
    fitting = scored.fit >= every.instance.policy.minimum_fit
    unmatched = []
    for child in np.setdiff1d(np.arange(len(every.instance.waiting)), scored.pairs.child_row[chosen]).tolist():
        rows = np.arange(*np.searchsorted(scored.pairs.child_row, [child, child + 1]))
        lost = Counter(left.taken_by(row) for row in rows[fitting[rows]].tolist())
        unmatched.append(why_unmatched(every, child, eligible=len(rows), fitting=int(fitting[rows].sum()), lost=lost))
    return tuple(unmatched)


class _Left:
    """What a plan leaves of each limit, to tell why it does not have a pair."""

    def __init__(self, scored: Scored, chosen: Ints) -> None:
        pairs = self.pairs = scored.pairs
        every, limits = pairs.tables, _limits(pairs, pairs.tables.instance.policy)
        child, volunteer, none = pairs.child_row[chosen], pairs.volunteer_row[chosen], np.zeros(0, dtype=np.int64)
        self.places = limits["capacity"] - np.bincount(volunteer, minlength=len(limits["capacity"]))
        self.family = every.child.family
        self.given = set(zip(self.family[child].tolist(), volunteer.tolist(), strict=True))
        self.household = limits.get("household", np.full(len(self.places), NOT_RECORDED))
        self.visited = set(zip(self.family[child].tolist(), self.household[volunteer].tolist(), strict=True))
        # What counts for no coordinator or is charged to no fund stands last, and always has room.
        self.caseload = limits.get("caseload", np.full(len(self.family), NOT_RECORDED))
        self.room = np.append(limits.get("caseload_limit", none), len(self.family) + 1)
        np.subtract.at(self.room, self.caseload[child], 1)
        self.fund = limits.get("fund", np.full(len(pairs), NOT_RECORDED))
        self.cost = limits.get("cost", np.zeros(len(pairs), dtype=np.int64))
        self.budget = np.append(limits.get("budget", none), 0)
        np.subtract.at(self.budget, self.fund[chosen], self.cost[chosen])
        self.together = limits.get("together", np.full(len(self.family), NOT_RECORDED))

    def taken_by(self, row: int) -> str:
        """What stands in the way of one more pair."""
        child, volunteer = int(self.pairs.child_row[row]), int(self.pairs.volunteer_row[row])
        home = int(self.household[volunteer])
        if self.places[volunteer] <= 0:
            return "proposed to other children"
        if (int(self.family[child]), volunteer) in self.given:
            return "proposed to a sibling"
        if home != NOT_RECORDED and (int(self.family[child]), home) in self.visited:
            return "with a partner proposed to a sibling"
        if self.room[self.caseload[child]] <= 0:
            return "beyond the coordinator's caseload"
        if self.cost[row] > self.budget[self.fund[row]]:
            return "beyond what is left of the out-of-county budget"
        if self.together[child] != NOT_RECORDED:
            return "free, but with none for a sibling at the same time"
        return "still free when the time to search was over"  # in a plan proven best, one more match would be better


def _ids(scored: Scored, chosen: Ints) -> list[tuple[str, str]]:
    every = [scored.pairs.between(row) for row in chosen.tolist()]
    return [(between.child.id, between.volunteer.id) for between in every]
