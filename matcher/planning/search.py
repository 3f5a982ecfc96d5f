"""Planning: the pairs that may be matched, as the solver takes them, and what it answers, as pairs again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from matcher.constraints import PLAN_CONSTRAINTS, eligible_pairs
from matcher.errors import NoPlanError
from matcher.instance import Instance
from matcher.pairs import NOT_RECORDED, Bools, Ints, Pairs, tables
from matcher.parallel import give_way
from matcher.plan import NotKept
from matcher.planning.objective import Objective, objective
from matcher.planning.pins import kept_pins, no_longer
from matcher.policy import Policy
from matcher.scoring import Scored, score
from matcher.solver import AssignmentProblem, Solution, solve, solve_with
from matcher.solving.conflicts import conflict
from matcher.solving.forced import Forced
from matcher.words import council, listed

Tell = Callable[[str], None]
"""Called with the name of each step as it begins."""


def silent(_: str) -> None:
    """For callers who do not watch."""


def consider(instance: Instance, *, tell: Tell = silent) -> Scored:
    """The eligible pairs of an instance with their points: what plans and shortlists are made of."""
    tell("Reading records into columns")
    every = tables(instance)
    tell("Applying the rules")
    pairs = eligible_pairs(every, instance.policy)
    tell("Scoring the pairs")
    return score(pairs, instance.policy)


@dataclass(frozen=True)
class Planning:
    """All that one search for a plan needs. Rows are rows of `scored.pairs`, ascending."""

    scored: Scored
    rows: Ints
    """The pairs that a plan may have: those of the policy's minimum fit, and the pins."""
    pins: Ints
    """The rows that it must have."""
    not_kept: tuple[NotKept, ...]
    """What is agreed or proposed and cannot be a pin, with why."""
    limits: dict[str, Any]
    """What the constraints in force ask, as `limits_of` gives it over all scored pairs."""
    goal: Objective
    """Over all scored pairs."""

    @classmethod
    def of(cls, scored: Scored, *, before: Iterable[tuple[str, str]] | None = None, stability: int = 0) -> Planning:
        """For scored pairs; `before` are the ids of the pairs of a plan before, each worth `stability` points."""
        policy = scored.pairs.tables.instance.policy
        pins, not_kept = kept_pins(scored)
        before = None if before is None else list(before)
        rows = np.union1d(np.flatnonzero(scored.fit >= policy.minimum_fit), pins)
        was = None if before is None else among(scored.pairs, before)
        limits = limits_of(scored.pairs, policy)
        goal = objective(scored, policy, groups=len(limits["bonus"]), before=was, stability=stability)
        told = {(lost.child, lost.volunteer) for lost in not_kept}
        lost = tuple(lost for lost in no_longer(scored, before or ()) if (lost.child, lost.volunteer) not in told)
        return cls(scored, rows, pins, (*not_kept, *lost), limits, goal)

    def preferring(self, before: Ints) -> Planning:
        """The same search with ties settled in favour of a plan, given as rows."""
        was = np.zeros(len(self.scored.pairs), np.bool_)
        was[before] = True
        policy, groups = self.scored.pairs.tables.instance.policy, len(self.limits["bonus"])
        return replace(self, goal=objective(self.scored, policy, groups=groups, before=was))

    def choosing(self, row: int) -> Planning:
        """The same search with one pair chosen, instead of what is agreed or proposed for its child."""
        child = self.scored.pairs.child_row
        others = self.pins[child[self.pins] != child[row]]
        return replace(self, rows=np.union1d(self.rows, [row]), pins=np.union1d(others, [row]))

    def value(self, chosen: Ints) -> int:
        """What a plan, given as rows, is worth to the solver."""
        return self.problem.value(np.searchsorted(self.rows, chosen))

    @cached_property
    def problem(self) -> AssignmentProblem:
        """The rows as the solver takes them."""
        give_way()
        pairs = self.scored.pairs[self.rows]
        limits = dict(self.limits)
        limits |= {name: self.limits[name][self.rows] for name in ("cost", "fund") if name in self.limits}
        limits["bonus"] = self.limits["bonus"] * self.goal.bonus
        return AssignmentProblem(
            pairs.child_row,
            pairs.volunteer_row,
            self.goal.points[self.rows],
            n_children=len(pairs.tables.instance.waiting),
            pinned=np.isin(self.rows, self.pins),
            **limits,
        )

    def solve(self, time_limit: float | None = None) -> Solution:
        """The best plan, `chosen` as rows of pairs. Raises NoPlanError if none is found."""
        return self._of_rows(solve(self.problem, time_limit=time_limit))

    def solve_with(self, row: int, forced: Forced) -> Solution:
        """The best plan that has a pair, given as one of `rows`; `forced` is of this problem. Raises NoPlanError."""
        return self._of_rows(solve_with(int(np.searchsorted(self.rows, row)), forced))

    def _of_rows(self, solution: Solution) -> Solution:
        if solution.status == "INFEASIBLE":
            raise NoPlanError(f"The solver answers INFEASIBLE: {self.why_none()}")
        if solution.status == "UNKNOWN":
            raise NoPlanError("The solver answers UNKNOWN: no plan was found. Give it more time.")
        return replace(solution, chosen=self.rows[solution.chosen])

    def why_none(self) -> str:
        """Why no plan has all pins: the fewest of them, and what leaves no room, by name."""
        found = conflict(self.problem)
        if found is None:
            return "no plan was found, and none is ruled out. Please report it."
        waiting, group = self.scored.pairs.tables.instance.waiting, self.problem.together
        pins = listed(f"{child} with {volunteer}" for child, volunteer in self.ids(self.rows[found.pins]))
        places = [np.flatnonzero(group == one).tolist() for one in found.groups.tolist()]
        siblings = [listed(waiting[child].id for child in children) for children in places]
        room = [_BLAMED[limit].format(self._blamed(limit, index)) for limit, index in found.limits]
        why = f"this leaves no room: {listed(room)}" if room else "one of them has nobody else"
        return f"{pins} can only be kept if {' and if '.join(siblings)} are matched at the same time, and {why}."

    def _blamed(self, limit: str, index: int) -> str:
        """Whom a limit of the solver speaks of."""
        instance = self.scored.pairs.tables.instance
        if limit == "capacity":
            return instance.volunteers[index].id
        of_child = {"family": self.problem.family, "caseload": self.problem.caseload}.get(limit)
        if of_child is not None:
            children = [instance.waiting[child] for child in np.flatnonzero(of_child == index).tolist()]
            return listed(one.id for one in children) if limit == "family" else str(children[0].coordinator)
        charged = self.problem.child[self.problem.fund == index]
        return council(instance.waiting[int(charged[0])].responsible_authority)

    def together(self, chosen: Ints) -> tuple[tuple[str, ...], ...]:
        """Ids of the siblings whom a plan, given as rows, matches at the same time, where the policy prefers that."""
        waiting, group = self.scored.pairs.tables.instance.waiting, self.limits["bonus_group"]
        whole = self.problem.whole_groups(np.searchsorted(self.rows, chosen)).tolist()
        return tuple(tuple(waiting[child].id for child in np.flatnonzero(group == one).tolist()) for one in whole)

    def ids(self, rows: Ints) -> list[tuple[str, str]]:
        """(child id, volunteer id) of rows of pairs."""
        every = [self.scored.pairs.between(row) for row in rows.tolist()]
        return [(between.child.id, between.volunteer.id) for between in every]


_BLAMED = {
    "capacity": "how many children {} may visit",
    "family": "no volunteer is shared by {}",
    "caseload": "how many matches {} supports",
    "budget": "what {} has left for matches outside the county",
}


def among(pairs: Pairs, ids: Iterable[tuple[str, str]]) -> Bools:
    """One entry a pair: whether it is one of these, given as (child id, volunteer id). Unknown ids are nowhere."""
    instance = pairs.tables.instance
    child = {one.id: place for place, one in enumerate(instance.waiting)}
    volunteer = {one.id: place for place, one in enumerate(instance.volunteers)}
    wanted: Collection[tuple[int, int]] = {(child.get(one, -1), volunteer.get(other, -1)) for one, other in ids}
    every = zip(pairs.child_row.tolist(), pairs.volunteer_row.tolist(), strict=True)
    return np.fromiter((pair in wanted for pair in every), np.bool_, len(pairs))


def limits_of(pairs: Pairs, policy: Policy) -> dict[str, Any]:
    """What the constraints in force ask of a plan over these pairs, as the solver takes it."""
    arrays: dict[str, Any] = {}
    for constraint in PLAN_CONSTRAINTS:
        give_way()
        if policy.on(f"constraints.{constraint.id}"):
            arrays |= constraint.arrays(pairs, policy)
    instance = pairs.tables.instance
    # Where no policy limits it, a volunteer may visit as many as there are.
    arrays.setdefault("capacity", np.full(len(instance.volunteers), len(instance.waiting)))
    arrays.setdefault("bonus_group", np.full(len(instance.waiting), NOT_RECORDED))
    arrays["bonus"] = np.ones(int(arrays["bonus_group"].max(initial=NOT_RECORDED)) + 1, dtype=np.int64)
    return arrays
