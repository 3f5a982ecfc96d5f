"""A choice for several children at once: options for each, so that whatever they choose can all come true.

A volunteer is on no more lists than the children they can take on, and never on two lists of one family. As many
children as can be have one option before any has two, and so on; among those, the options fit best together. The money
for matches outside the county is reckoned as if every option were chosen: less is offered than might be, never more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from matcher.errors import PolicyError
from matcher.instance import Instance
from matcher.pairs import NOT_RECORDED, Ints
from matcher.plan import Plan
from matcher.planning.search import Planning, consider
from matcher.shortlist import Candidate, candidates
from matcher.solver import AssignmentProblem, solve

MOST = 2**62
"""Points of all pairs together stay below this, as the solver asks."""


def shortlists_together(
    instance: Instance, children: Sequence[str], *, options: int = 3, plan: Plan | None = None
) -> Mapping[str, tuple[Candidate, ...]]:
    """Up to so many options for each of these children, best fit first; children in order of id.

    What is agreed or proposed for other children keeps their volunteers. A child with nothing has an empty list.

    Args:
        children: ids of children who wait.
        options: how many volunteers each may choose from.
        plan: tells who is proposed to whom, if it is given.

    Raises:
        NotFoundError: a child who is not there or not waiting.
        PolicyError: too many children and options for one search.
    """
    wanted = sorted({instance.waiting_child(child).id for child in children})
    scored = consider(instance)
    planning = Planning.of(scored)
    row_of = {one.id: row for row, one in enumerate(instance.waiting)}
    asked = np.array([row_of[child] for child in wanted], dtype=np.int64)
    # First who has an option at all, as a coordinator's caseload allows; then the options of those.
    first = _offered(planning, asked, 1)
    offered = _offered(planning, np.unique(scored.pairs.child_row[first]), options, caseload=False)
    child = scored.pairs.child_row[offered]
    return {id: candidates(scored, offered[child == row_of[id]], plan=plan) for id in wanted}


def _offered(planning: Planning, asked: Ints, options: int, *, caseload: bool = True) -> Ints:
    """The rows of pairs that are offered: an assignment in which each child stands once for each option.

    What is agreed or proposed for other children is in it too, and keeps what it takes.
    """
    every, limits = planning.scored.pairs, planning.limits
    others = planning.pins[~np.isin(every.child_row[planning.pins], asked)]
    rows = planning.rows[np.isin(every.child_row[planning.rows], asked)]
    children = np.concatenate([asked, every.child_row[others]])
    place = {child: place for place, child in enumerate(children.tolist())}
    # One more option for one more child outweighs whatever the options after it could add.
    step = 1000 * len(asked) * options + 1
    worth = [step * (len(asked) + 1) ** (options - 1 - option) for option in range(options)]
    if sum(worth) * len(rows) >= MOST:
        raise PolicyError(f"{options} options for {len(asked)} children are too many at once. Ask for fewer of either.")
    option = np.concatenate([np.tile(np.arange(options), len(rows)), np.zeros(len(others), np.int64)])
    rows = np.concatenate([np.repeat(rows, options), others])
    pairs = every[rows]
    # A child without siblings is a family too: nobody is offered twice to one child.
    family = every.tables.child.family[children]
    family = np.where(family == NOT_RECORDED, family.max(initial=0) + 1 + np.arange(len(children)), family)
    arrays: dict[str, Any] = {name: limits[name] for name in ("capacity", "household", "budget") if name in limits}
    arrays |= {name: limits[name][rows] for name in ("fund", "cost") if name in limits}
    if caseload and "caseload" in limits:
        arrays["caseload"] = np.repeat(limits["caseload"][children], options)
        arrays["caseload_limit"] = limits["caseload_limit"]
    problem = AssignmentProblem(
        np.array([place[child] for child in pairs.child_row.tolist()], dtype=np.int64) * options + option,
        pairs.volunteer_row,
        planning.scored.fit[rows] + np.array(worth, dtype=np.int64)[option],
        n_children=len(children) * options,
        family=np.repeat(family, options),
        pinned=np.isin(rows, others),
        **arrays,
    )
    return np.setdiff1d(rows[solve(problem).chosen], others)
