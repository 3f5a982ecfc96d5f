"""Plan effects: what the best whole plan loses if a pair is chosen, and which other children lose by it.

effects = Effects.of(instance, plan)
effects.at_least("C0001", "V0001")    # at once, from the prices that prove the plan
effects.exact("C0001", "V0001")       # the best whole plan with this pair, and what it changes
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any

import numpy as np

from matcher.errors import NoPlanError, NotFoundError, ProblemError
from matcher.instance import Instance
from matcher.pairs import Ints
from matcher.parallel import in_order, processors
from matcher.plan import Plan
from matcher.planning.leftover import Leftover
from matcher.planning.search import Planning, among, consider
from matcher.scoring import Scored
from matcher.solving.forced import Forced
from matcher.words import counted, listed


@dataclass(frozen=True)
class PlanEffect:
    """What choosing one pair means for the whole plan. Other children are told by number; ids are for those who may."""

    child: str
    volunteer: str
    loss: int
    """How much less the best whole plan with this pair is worth, at least; in the units of the policy's lowest tier.
    0: a best plan has the pair. Below 0 a plan gains, since something else gives way: what is agreed or proposed for
    the child, or the policy's minimum fit."""
    most: int
    """The same, at most."""
    tiers: Mapping[str, int]
    """The difference in each tier of the objective, highest first, where it is exact."""
    left: tuple[str, ...] = ()
    """Ids of the other children who would stay without a visitor, and have one in the plan."""
    gained: tuple[str, ...] = ()
    """Ids of the other children who would have a visitor, and have none in the plan."""
    changed: tuple[str, ...] = ()
    """Ids of the other children who would have another volunteer than in the plan."""
    impossible: str = ""
    """Why no plan can have the pair, if none can."""

    @property
    def exact(self) -> bool:
        return self.loss == self.most and not self.impossible

    @property
    def sentence(self) -> str:
        """What a coordinator reads: the children first, those who lose before all, and what it comes to after them."""
        if self.impossible:
            return f"Not possible as things stand: {self.impossible}"
        others = [
            (self.left, "leaves {} without a visitor"),
            (self.changed, "means a different volunteer for {}"),
            (self.gained, "finds a visitor for {}"),
        ]
        people = [what.format(counted(len(ids), "other child", "other children")) for ids, what in others if ids]
        if not self.exact:
            told = "The search ended before the best plan with this pair was proven."
        elif self.loss == 0:
            told = "The whole plan loses nothing by it."
        else:
            told = f"The whole plan {_difference(self.tiers)}."
        return f"This choice {listed(people)}. {told}" if people else told

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "exact": self.exact, "sentence": self.sentence}


_POINTS = {"points": "", "fit": " of fit", "priority": " of priority"}
_CHILDREN = {
    "children_matched": ("child with a visitor", "children with a visitor"),
    "children_without_parental_contact": (
        "visited child without regular contact with parents",
        "visited children without regular contact with parents",
    ),
}


def _difference(tiers: Mapping[str, int]) -> str:
    """The first tier in which something is lost or gained, in words: is 3 points of fit worse."""
    tier, loss = next((tier, loss) for tier, loss in tiers.items() if loss)
    if tier in _POINTS:
        points = counted(abs(loss), f"point{_POINTS[tier]}", f"points{_POINTS[tier]}")
        return f"is {points} {'worse' if loss > 0 else 'better'}"
    return f"has {abs(loss):,} {'fewer' if loss > 0 else 'more'} {_CHILDREN[tier][abs(loss) > 1]}"


class Effects:
    """What choosing any pair costs the best whole plan, under the policy's tiers alone: nothing for stability.

    Args:
        scored: the eligible pairs.
        plan: a plan of the same records, policy and date, if there is one: it need not be searched for again.

    Raises:
        NoPlanError: there is no plan to compare with.
    """

    def __init__(self, scored: Scored, plan: Plan | None = None) -> None:
        self.scored = scored
        planning = Planning.of(scored)
        if plan is not None and _is_of(plan, scored.pairs.tables.instance) and not plan.stability_points:
            base, proven = np.flatnonzero(among(scored.pairs, plan.pairs)), plan.status == "OPTIMAL"
        else:
            best = planning.solve()
            base, proven = best.chosen, best.status == "OPTIMAL"
        # Ties go to the plan at hand, so that only what has to change does.
        self.base, self.planning = base, planning.preferring(base)
        self.goal = self.planning.goal
        self.value = self.goal.but_for_ties(self.planning.value(base))
        self.bound = self.value if proven else self.goal.but_for_ties(self.forced.value)
        self.tiers = self.goal.reached(base, len(self.planning.together(base)))
        self.volunteer_of = dict(self.planning.ids(base))
        self.choices: dict[int, PlanEffect] = {}
        self.bounds: dict[int, int] = {}

    @classmethod
    def of(cls, instance: Instance, plan: Plan | None = None) -> Effects:
        """The same of an instance."""
        return cls(consider(instance), plan)

    @cached_property
    def forced(self) -> Forced:
        """What no plan with a pair exceeds."""
        return Forced(self.planning.problem)

    @cached_property
    def _near(self) -> bool:
        """Whether a plan with a pair can be sought near the best of all: points may be too large for its prices."""
        try:
            return bool(self.forced)
        except ProblemError:
            return False

    @cached_property
    def most(self) -> int:
        """No plan is worth more, whatever gives way: each child with the best of its pairs."""
        best = np.zeros(len(self.scored.pairs.tables.instance.waiting), dtype=np.int64)
        np.maximum.at(best, self.scored.pairs.child_row, self.goal.points)
        return self.goal.but_for_ties(int(best.sum()) + len(self.planning.limits["bonus"]) * self.goal.bonus)

    def at_least(self, child: str, volunteer: str) -> int:
        """What the best whole plan with a pair is worth less, at least: at once, without a search.

        Far below 0 where something has to give way for the pair (see `PlanEffect.loss`): then only a search can tell.
        """
        return self.row_at_least(self._row(child, volunteer))

    def exact(self, child: str, volunteer: str) -> PlanEffect:
        """The best whole plan with a pair, against the best of all. Raises NotFoundError if it is not eligible."""
        return self.row_effect(self._row(child, volunteer))

    def row_at_least(self, row: int) -> int:
        """`at_least` of a row of the scored pairs."""
        if self._gives_way(row):
            return self.value - self.most
        if row not in self.bounds:
            most = self.forced.of_child(int(self.scored.pairs.child_row[row]))
            self.bounds |= {int(self.planning.rows[place]): value for place, value in most.items()}
        # A pair that no plan can have, as far as the pins tell, is not there.
        return max(self.value - self.goal.but_for_ties(self.bounds.get(row, 0)), 0)

    def _gives_way(self, row: int) -> bool:
        """Whether something gives way where a person chooses the pair: a pin of the child, the minimum fit."""
        child = self.scored.pairs.child_row
        return bool(child[row] in child[self.planning.pins]) or row not in self.planning.rows

    def row_effect(self, row: int) -> PlanEffect:
        """`exact` of a row of the scored pairs."""
        if row not in self.choices:
            self.choices[row] = self._effect(row)
        return self.choices[row]

    def row_effects(self, rows: Sequence[int]) -> list[PlanEffect]:
        """`exact` of several rows, searched at once where there are processors; the answers do not depend on it."""
        new = [row for row in rows if row not in self.choices]
        self.choices |= dict(zip(new, in_order(self._effect, new), strict=True))
        return [self.choices[row] for row in rows]

    def in_order(self, rows: Ints) -> Iterator[int]:
        """Rows of pairs by the value of the best whole plan with each: ties by points, distance, then ids.

        Only as many are searched as it takes to be sure of the next: one whose bound is already more waits.
        """
        pairs = self.scored.pairs
        waiting: list[tuple[float, ...]] = [(self.row_at_least(row), 0, row) for row in rows.tolist()]
        heapify(waiting)
        while waiting:
            if waiting[0][1]:
                yield int(heappop(waiting)[-1])
                continue
            # Beside the next one those that are likely to follow, as many as can be searched at once.
            several = [int(heappop(waiting)[-1]) for _ in range(processors()) if waiting and not waiting[0][1]]
            for row, effect in zip(several, self.row_effects(several), strict=True):
                loss = inf if effect.impossible else effect.loss
                heappush(waiting, (loss, 1, -int(self.scored.points[row]), int(pairs.metres[row]), row))

    def _effect(self, row: int) -> PlanEffect:
        child, volunteer = self.planning.ids(np.array([row]))[0]
        of, pins = self.scored.pairs.child_row, self.planning.pins
        limit = Leftover(self.scored, pins[of[pins] != of[row]], self.planning.limits).used_up(row)
        if limit is not None:
            why = f"with what is agreed and proposed already, {volunteer} is {limit}."
            return PlanEffect(child, volunteer, 0, 0, {}, impossible=why)
        try:
            if self._gives_way(row) or not self._near:
                planning = self.planning.choosing(row)
                found = planning.solve()
            else:
                planning = self.planning
                found = planning.solve_with(row, self.forced)
        except (NoPlanError, ProblemError):  # no single limit stands in the way: only a group is left
            why = "siblings are matched at the same time or not at all here, and another of them would have nobody."
            return PlanEffect(child, volunteer, 0, 0, {}, impossible=why)
        now = {one: other for one, other in planning.ids(found.chosen) if one != child}
        before = {one: other for one, other in self.volunteer_of.items() if one != child}
        reached = self.goal.reached(found.chosen, len(planning.together(found.chosen)))
        loss = self.value - self.goal.but_for_ties(found.bound)
        return PlanEffect(
            child,
            volunteer,
            loss=max(loss, loss if self._gives_way(row) else 0),
            most=self.bound - self.goal.but_for_ties(found.value),
            tiers={tier: self.tiers[tier] - reached[tier] for tier in reached},
            left=tuple(sorted(before.keys() - now.keys())),
            gained=tuple(sorted(now.keys() - before.keys())),
            changed=tuple(sorted(one for one in before.keys() & now.keys() if before[one] != now[one])),
        )

    def _row(self, child: str, volunteer: str) -> int:
        instance = self.scored.pairs.tables.instance
        instance.child(child)
        instance.volunteer(volunteer)
        rows = np.flatnonzero(among(self.scored.pairs, [(child, volunteer)]))
        if not len(rows):
            raise NotFoundError(f"{child} and {volunteer} do not pass every rule: `explain` tells which.")
        return int(rows[0])


def _is_of(plan: Plan, instance: Instance) -> bool:
    """Whether a plan was made of these records, under this policy, for this day."""
    stamp = plan.data_hash, plan.policy_hash, plan.as_of
    return stamp == (instance.data_hash, instance.policy.content_hash, instance.as_of)
