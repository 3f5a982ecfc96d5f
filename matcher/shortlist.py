"""Ranked shortlists: the volunteers who could visit a child, the children whom a volunteer could visit, with reasons.

By `plan`, a pair ranks by the value of the best whole plan that has it: what is best for this child where nobody else
pays for it. By `fit`, it ranks by how well the two suit each other, whatever that means for other children. Both are
shown apart, and a person decides.

A shortlist may be of *different* volunteers, so that the child has a choice: nobody is on it who is of the same
gender as somebody above, within ten years of their age, and shares the same interests with the child.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from matcher.constraints import eligible
from matcher.errors import InputError
from matcher.explain import Points, notes, priority_points, score_points
from matcher.instance import Instance
from matcher.pairs import Between, Ints, Pairs, tables
from matcher.plan import Plan
from matcher.planning.effects import Effects, PlanEffect
from matcher.rules.budget import out_of_county_pence
from matcher.scoring import Scored, score
from matcher.words import listed

RankBy = Literal["plan", "fit"]

YEARS_APART = 10
"""Volunteers of the same gender and interests are different to a child if they are further apart in age."""


@dataclass(frozen=True)
class Candidate:
    """One pair on a shortlist."""

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
    planned_for: tuple[str, ...] = ()
    """The children to whom the plan gives this volunteer, if a plan was given."""
    policy: str = ""
    """The policy with its version and the hash of its content."""
    effect: PlanEffect | None = None
    """What choosing this pair means for the whole plan, where that was asked for."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What to hear of before it is proposed, by rule: exceptions, what it costs and how that was worked out, ties."""

    @property
    def standing(self) -> str:
        """Where the volunteer stands in the plan: planned for this child, for another child, or free."""
        if not self.planned_for:
            return "free"
        return "planned" if self.child in self.planned_for else f"planned for {listed(self.planned_for)}"

    @property
    def why(self) -> str:
        """What each score says of the two, in a few sentences."""
        sentences = [score.sentence for score in self.scores if score.counts != "does not apply"]
        return " ".join([*sentences, *self.notes.values()])

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "effect": self.effect.to_dict() if self.effect else None}


def shortlist(
    instance: Instance,
    child: str,
    *,
    top: int = 5,
    rank_by: RankBy = "plan",
    plan: Plan | None = None,
    effects: Effects | None = None,
    different: bool = False,
    skip: int = 0,
    without: Collection[str] = (),
    also: Collection[str] = (),
) -> tuple[Candidate, ...]:
    """The `top` eligible volunteers of a child who waits, with whom the plan proposes wherever they rank.

    Args:
        instance: the records, the policy and the date.
        child: whom the visitor is for.
        top: how many volunteers.
        rank_by: "plan" or "fit"; ties by fit, distance, then id.
        plan: tells who is proposed; if it is of this instance, effects are reckoned against it.
        effects: of this instance, if they are there already; by fit, none are told without.
        different: only volunteers who are different from all above them; the list may then be shorter.
        skip: how many of the first are passed over, and not looked at closely: for a long list page by page.
        without: volunteers who are passed over wherever they rank.
        also: volunteers who are on it wherever they rank, as far as they are eligible.

    Raises:
        NotFoundError: a child who is not there or not waiting. An empty shortlist has its reasons in
            `explain.why_nobody`, and in `plan.unmatched`.
    """
    instance.waiting_child(child)
    row = [one.id for one in instance.waiting].index(child)
    if effects is None and rank_by == "plan":
        effects = Effects.of(instance, plan)
    if effects is not None:
        scored = effects.scored
        rows = np.flatnonzero(scored.pairs.child_row == row)
    else:
        pairs = tables(instance).all_pairs_of(row)
        scored = score(pairs[eligible(pairs, instance.policy)], instance.policy)
        rows = np.arange(len(scored.pairs))
    if without:
        passed = [instance.volunteers[one].id in without for one in scored.pairs.volunteer_row[rows].tolist()]
        rows = rows[~np.array(passed, dtype=bool)]
    return _listed(scored, rows, top, rank_by, effects, plan, different, skip, also)


def shortlist_for_volunteer(
    instance: Instance,
    volunteer: str,
    *,
    top: int = 5,
    rank_by: RankBy = "plan",
    plan: Plan | None = None,
    effects: Effects | None = None,
    skip: int = 0,
) -> tuple[Candidate, ...]:
    """The `top` children whom a volunteer could visit, ranked in the same way; ties by points, distance, then id.

    The first `skip` of them are passed over, and not looked at closely: for a long list page by page.

    Raises NotFoundError for a volunteer who is not there.
    """
    instance.volunteer(volunteer)
    row = [one.id for one in instance.volunteers].index(volunteer)
    if effects is None and rank_by == "plan":
        effects = Effects.of(instance, plan)
    if effects is not None:
        scored = effects.scored
        rows = np.flatnonzero(scored.pairs.volunteer_row == row)
    else:
        pairs = _everybody_for(instance, volunteer)
        scored = score(pairs[eligible(pairs, instance.policy)], instance.policy)
        rows = np.arange(len(scored.pairs))
    return _listed(scored, rows, top, rank_by, effects, plan, different=False, skip=skip)


def how_many_could_be_visited(instance: Instance, volunteer: str) -> int:
    """How many children who wait pass every rule with a volunteer: the length of the whole list, without making it.

    Raises NotFoundError for a volunteer who is not there.
    """
    instance.volunteer(volunteer)
    return int(eligible(_everybody_for(instance, volunteer), instance.policy).sum())


def _everybody_for(instance: Instance, volunteer: str) -> Pairs:
    row = [one.id for one in instance.volunteers].index(volunteer)
    return tables(instance).pairs_within(np.arange(len(instance.waiting)), np.array([row]), None)


def shortlists(scored: Scored, *, top: int = 5, plan: Plan | None = None) -> Iterable[tuple[Candidate, ...]]:
    """The shortlist by fit of each child with an eligible volunteer, in order of child id."""
    child = scored.pairs.child_row
    for rows in np.split(np.arange(len(child)), np.flatnonzero(np.diff(child)) + 1):
        if len(rows):
            yield _listed(scored, rows, top, "fit", None, plan, different=False)


def reach(scored: Scored) -> Mapping[str, int]:
    """How many volunteers could visit each child who waits, by the child's id: what a shortlist is cut from."""
    waiting = scored.pairs.tables.instance.waiting
    counts = np.bincount(scored.pairs.child_row, minlength=len(waiting)).tolist()
    return {child.id: count for child, count in zip(waiting, counts, strict=True)}


def reach_of_volunteers(scored: Scored) -> Mapping[str, int]:
    """How many children each volunteer could visit, by the volunteer's id."""
    volunteers = scored.pairs.tables.instance.volunteers
    counts = np.bincount(scored.pairs.volunteer_row, minlength=len(volunteers)).tolist()
    return {volunteer.id: count for volunteer, count in zip(volunteers, counts, strict=True)}


def first_places(scored: Scored) -> Ints:
    """The row of the volunteer who fits best, of each child who has one, in order of child: first by fit."""
    order = np.fromiter(_by_fit(scored, np.arange(len(scored.pairs))), dtype=np.int64)
    return order[np.unique(scored.pairs.child_row[order], return_index=True)[1]]


def _listed(
    scored: Scored,
    rows: Ints,
    top: int,
    rank_by: RankBy,
    effects: Effects | None,
    plan: Plan | None,
    different: bool,
    skip: int = 0,
    also: Collection[str] = (),
) -> tuple[Candidate, ...]:
    if top < 1:
        raise InputError(f"A shortlist of {top} names nobody. Give top = 1 or more.")
    pairs, planned = scored.pairs, _planned(plan)
    # Whom the plan proposes is on the list wherever they rank: nobody is proposed without the reasons being told.
    proposed = {row for row in rows.tolist() if _is_planned(pairs.between(row), planned, also)}
    order = effects.in_order(rows) if effects is not None and rank_by == "plan" else _by_fit(scored, rows)
    chosen: list[tuple[int, int]] = []
    for rank, row in enumerate(order, start=1):
        full = len(chosen) >= skip + top
        if full and not proposed:
            break
        alike = different and any(_alike(pairs.between(row), pairs.between(other)) for _, other in chosen)
        if row in proposed or not (full or alike):
            chosen.append((rank, row))
            proposed.discard(row)
    return _candidates(scored, chosen[skip:], planned, effects)


def candidates(scored: Scored, rows: Ints, *, plan: Plan | None = None) -> tuple[Candidate, ...]:
    """Some rows of pairs as a shortlist by fit."""
    return _candidates(scored, list(enumerate(_by_fit(scored, rows), start=1)), _planned(plan), None)


def _planned(plan: Plan | None) -> Mapping[str, tuple[str, ...]]:
    planned: dict[str, tuple[str, ...]] = {}
    for match in plan.matches if plan else ():
        planned[match.volunteer] = (*planned.get(match.volunteer, ()), match.child)
    return planned


def _by_fit(scored: Scored, rows: Ints) -> Iterator[int]:
    pairs = scored.pairs
    ids = pairs.child_row[rows] * len(pairs.tables.instance.volunteers) + pairs.volunteer_row[rows]
    yield from rows[np.lexsort((ids, pairs.metres[rows], -scored.fit[rows]))].tolist()


def _is_planned(between: Between, planned: Mapping[str, tuple[str, ...]], also: Collection[str]) -> bool:
    volunteer = between.volunteer.id
    return volunteer in also or between.child.id in planned.get(volunteer, ())


def _alike(one: Between, other: Between) -> bool:
    """Whether two volunteers would be much the same choice to a child. What is not recorded is not alike."""
    first, second = one.volunteer, other.volunteer
    if first.gender is None or first.gender != second.gender:
        return False
    if first.date_of_birth is None or second.date_of_birth is None:
        return False
    days_apart = abs((first.date_of_birth - second.date_of_birth).days)
    shared = [set(one.child.interests or ()) & set(between.volunteer.interests or ()) for between in (one, other)]
    return days_apart <= YEARS_APART * 365.25 and shared[0] == shared[1]


def _candidates(
    scored: Scored,
    ranked: Sequence[tuple[int, int]],
    planned: Mapping[str, tuple[str, ...]],
    effects: Effects | None,
) -> tuple[Candidate, ...]:
    rows = np.array([row for _, row in ranked], dtype=np.int64)
    pence = out_of_county_pence(scored.pairs[rows], scored.pairs.tables.instance.policy).tolist()
    return tuple(
        _candidate(scored, rank, row, cost, planned, effects) for (rank, row), cost in zip(ranked, pence, strict=True)
    )


def _candidate(
    scored: Scored, rank: int, row: int, cost: int, planned: Mapping[str, tuple[str, ...]], effects: Effects | None
) -> Candidate:
    between = scored.pairs.between(row)
    fit, priority = int(scored.fit[row]), int(scored.priority[row])
    return Candidate(
        rank,
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
        planned.get(between.volunteer.id, ()),
        between.instance.policy.stamp,
        effects.row_effect(row) if effects else None,
        notes(between, between.instance.policy),
    )
