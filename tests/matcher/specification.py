"""What a best plan is, without solver, columns or rules: of every plan there is, those that the audit finds clean."""

from __future__ import annotations

from collections.abc import Iterator

from making import every_pair, ids_of

from matcher.audit import audit
from matcher.instance import Instance
from matcher.records import Agreement
from matcher.scoring import score

Pair = tuple[str, str]


def every_plan(pairs: list[Pair], children: list[str]) -> Iterator[list[Pair]]:
    """Each child takes one of its pairs or none."""
    if not children:
        yield []
        return
    for rest in every_plan(pairs, children[1:]):
        yield rest
        for pair in pairs:
            if pair[0] == children[0]:
                yield [pair, *rest]


def best_of_all(instance: Instance, pinned: set[Pair], chosen: Pair | None = None) -> dict[str, int] | None:
    """The best that any clean plan reaches, tier by tier, the highest first; then the most children matched.

    What is pinned may be in a plan, however low its fit; so may a chosen pair, and then only plans with it are tried.
    None if there are none.
    """
    scored = score(every_pair(instance), instance.policy)
    measures = {
        pair: {
            "points": int(scored.points[row]),
            "fit": int(scored.fit[row]),
            "priority": int(scored.priority[row]),
            "children_without_parental_contact": int(scored.without_contact[row]),
            "children_matched": 1,
        }
        for row, pair in enumerate(ids_of(scored.pairs))
    }
    tiers = tuple(dict.fromkeys((*instance.policy.tiers, "children_matched")))
    # A plan with a pair that breaks a rule by itself is not clean: such pairs need not be tried with all others.
    worth = [
        pair
        for pair, of in measures.items()
        if of["fit"] >= instance.policy.minimum_fit or pair in pinned or pair == chosen
    ]
    pairs = [pair for pair in worth if not audit(instance, [pair], whole=False)]
    siblings = siblings_better_together(instance)
    each = instance.policy.number("constraints.siblings_together.points")
    reached = [
        tuple(
            sum(measures[pair][tier] for pair in plan)
            + (each if tier in ("points", "fit") else 0)
            * sum(group <= {child for child, _ in plan} for group in siblings)
            for tier in tiers
        )
        for plan in every_plan(pairs, [child.id for child in instance.waiting])
        if (chosen is None or chosen in plan) and not audit(instance, plan)
    ]
    return dict(zip(tiers, max(reached), strict=True)) if reached else None


def siblings_better_together(instance: Instance) -> list[set[str]]:
    """Groups of two or more who wait at one place, agree and are of one family, where the policy prefers that."""
    policy = instance.policy
    if policy.choice("constraints.siblings_together.how") != "preferred":
        return []
    groups: dict[tuple[str, str], set[str]] = {}
    for child in instance.waiting:
        if child.agrees is Agreement.YES and child.placement and child.id in instance.family_of:
            groups.setdefault((instance.family_of[child.id], child.placement.text), set()).add(child.id)
    return [group for group in groups.values() if len(group) > 1]
