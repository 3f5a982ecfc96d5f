"""Ranked shortlists: the eligible volunteers of a child, best fit first, each with the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from matcher.constraints import eligible
from matcher.errors import NotFoundError
from matcher.explain import Points, priority_points, score_points
from matcher.instance import Instance
from matcher.pairs import Ints, tables
from matcher.plan import Plan
from matcher.rules.budget import out_of_county_pence
from matcher.scoring import Scored, score


@dataclass(frozen=True)
class Candidate:
    """One volunteer on a child's shortlist."""

    rank: int
    child: str
    volunteer: str
    points: int
    fit: int
    priority: int
    unknown: int
    """How much of the scores' weight is not recorded, in thousandths."""
    distance: str
    cost_pence: int
    scores: tuple[Points, ...]
    priorities: tuple[Points, ...]
    planned_for: str | None = None
    """The child to whom the plan gives this volunteer, if a plan was given."""
    policy: str = ""
    """The policy with its version and the hash of its content."""

    @property
    def standing(self) -> str:
        """Where the volunteer stands in the plan: proposed here, proposed to another child, or free."""
        if self.planned_for is None:
            return "free"
        return "proposed" if self.planned_for == self.child else f"proposed to {self.planned_for}"

    @property
    def why(self) -> str:
        """What each score says of the two, in a few sentences."""
        return " ".join(score.sentence for score in self.scores if score.counts != "does not apply")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def shortlist(instance: Instance, child: str, *, top: int = 5, plan: Plan | None = None) -> tuple[Candidate, ...]:
    """The `top` eligible volunteers of a child who waits, best fit first; ties by distance, then id.

    Raises NotFoundError for a child who is not there or not waiting. An empty shortlist has its reasons in
    `explain.why_nobody`, and in `plan.unmatched`.
    """
    instance.child(child)
    if child in instance.visited:
        raise NotFoundError(f"Child {child} is not waiting: a visitor is appointed now (matches.csv).")
    every = tables(instance)
    pairs = every.all_pairs_of([one.id for one in instance.waiting].index(child))
    pairs = pairs[eligible(pairs, instance.policy)]
    return _ranked(score(pairs, instance.policy), np.arange(len(pairs)), top, _given(plan))


def shortlists(scored: Scored, *, top: int = 5, plan: Plan | None = None) -> Iterable[tuple[Candidate, ...]]:
    """The shortlist of each child with an eligible volunteer, in order of child id, from pairs already scored."""
    given = _given(plan)
    child = scored.pairs.child_row
    for rows in np.split(np.arange(len(child)), np.flatnonzero(np.diff(child)) + 1):
        if len(rows):
            yield _ranked(scored, rows, top, given)


def _ranked(scored: Scored, rows: Ints, top: int, given: Mapping[str, str]) -> tuple[Candidate, ...]:
    pairs = scored.pairs
    order = np.lexsort((pairs.volunteer_row[rows], pairs.metres[rows], -scored.fit[rows]))
    # Whom the plan proposes is on the list wherever they rank: nobody is proposed without the reasons being told.
    instance = pairs.tables.instance
    child = instance.waiting[int(pairs.child_row[rows[0]])].id if len(rows) else ""
    proposed = [given.get(instance.volunteers[int(pairs.volunteer_row[rows[place]])].id) == child for place in order]
    places = [rank for rank in range(len(order)) if rank < top or proposed[rank]]
    best = rows[order[places]]
    policy = pairs.tables.instance.policy
    pence, stamp = out_of_county_pence(pairs[best], policy), policy.stamp
    ranked = []
    for place, row, cost in zip(places, best.tolist(), pence.tolist(), strict=True):
        between = pairs.between(row)
        fit, priority = int(scored.fit[row]), int(scored.priority[row])
        ranked.append(
            Candidate(
                place + 1,
                between.child.id,
                between.volunteer.id,
                fit + priority,
                fit,
                priority,
                int(scored.unknown[row]),
                between.shown_distance,
                cost,
                score_points(between, scored, row),
                priority_points(between, scored, row),
                given.get(between.volunteer.id),
                stamp,
            )
        )
    return tuple(ranked)


def _given(plan: Plan | None) -> Mapping[str, str]:
    return {match.volunteer: match.child for match in plan.matches} if plan else {}
