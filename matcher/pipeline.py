"""match(instance) -> Plan: the story in fifteen lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from matcher.audit import require_clean
from matcher.explain import notes
from matcher.instance import Instance
from matcher.plan import Plan, PlannedMatch
from matcher.planning.leftover import unmatched
from matcher.planning.search import Planning, Tell, consider, silent
from matcher.rules.budget import out_of_county_pence
from matcher.scoring import Scored
from matcher.solver import Solution


def match(
    instance: Instance,
    *,
    previous: Plan | Iterable[tuple[str, str]] | None = None,
    time_limit: float | None = None,
    tell: Tell = silent,
) -> Plan:
    """The best plan that the rules allow, audited, with its proof and with a reason for every child left.

    Args:
        instance: the children, the volunteers, the policy and the date.
        previous: the plan before, or the (child id, volunteer id) of its pairs. Among plans that are equally good the
            one that changes least of it is chosen, and each change is worth the points of the policy's `stability`.
        time_limit: the solver's deterministic seconds; None to search until the plan is proven best.
        tell: called with the name of each step.

    Raises:
        NoPlanError: no plan is found.
        AuditError: the plan breaks a rule; then none is returned.
    """
    return plan(consider(instance, tell=tell), previous=previous, time_limit=time_limit, tell=tell)


def plan(
    scored: Scored,
    *,
    previous: Plan | Iterable[tuple[str, str]] | None = None,
    time_limit: float | None = None,
    tell: Tell = silent,
) -> Plan:
    """The best plan over scored pairs; see `match`."""
    instance = scored.pairs.tables.instance
    before = previous.pairs if isinstance(previous, Plan) else previous
    planning = Planning.of(scored, before=before, stability=instance.policy.stability)
    tell("Finding the best plan")
    solution = planning.solve(time_limit)
    tell("Checking the plan")
    require_clean(instance, planning.ids(solution.chosen))
    tell("Writing down the reasons")
    return _plan(planning, solution)


def _plan(planning: Planning, solution: Solution) -> Plan:
    scored, goal, chosen = planning.scored, planning.goal, solution.chosen
    instance, policy = scored.pairs.tables.instance, scored.pairs.tables.instance.policy
    cost = out_of_county_pence(scored.pairs, policy)
    spent: Counter[str] = Counter()
    for row in chosen.tolist():
        if cost[row]:
            spent[scored.pairs.between(row).child.responsible_authority or ""] += int(cost[row])
    together = planning.together(chosen)
    return Plan(
        matches=tuple(_planned(scored, row, int(cost[row])) for row in chosen.tolist()),
        unmatched=unmatched(scored, chosen, planning.limits),
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
        not_kept=planning.not_kept,
        together=together,
        together_points=len(together) * goal.sibling_points,
        stability_points=goal.kept(chosen) * policy.stability,
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
        notes=notes(between, between.instance.policy),
    )
