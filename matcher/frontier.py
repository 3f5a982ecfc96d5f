"""Trade-offs: the plans between most children matched and best fit, and between money spent and children matched.

    frontier = matcher.frontier(instance)
    frontier.frame       # one row a plan

*Fit*: the plan that is best if each match costs so many points, from one in which nothing is asked of a match to one in
which hardly any match is worth it. No plan has more children at a better mean fit than such a plan does.
*Budget*: the policy's own plan if each authority had so much of what the plan without any budget would spend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from matcher.audit import require_clean
from matcher.instance import Instance
from matcher.pairs import Ints
from matcher.planning.search import Planning, consider
from matcher.rules.budget import out_of_county_pence
from matcher.solver import solve

if TYPE_CHECKING:
    import pandas as pd

TradeOff = Literal["fit", "budget"]

RICH = 10**12
"""Pence that no plan spends."""


@dataclass(frozen=True)
class FrontierPoint:
    """One plan on a frontier."""

    trade_off: TradeOff
    asked: int
    """What was asked: points that each match costs, or the pence that all authorities together may spend."""
    children: int
    """How many children are matched."""
    without_contact: int
    """How many of them are without regular contact with parents."""
    fit: int
    """Points of fit of all matches together."""
    points: int
    """Points of fit, of priority and for siblings matched at the same time, as the policy adds them up."""
    spent_pence: int
    status: str
    pairs: tuple[tuple[str, str], ...]
    of_policy: bool = False
    """Whether it is the plan that the policy makes of the instance as it is."""

    @property
    def mean_fit(self) -> float:
        """Points of fit a match; 0 where there is none."""
        return self.fit / self.children if self.children else 0.0


@dataclass(frozen=True)
class Frontier:
    """Plans along both trade-offs, by fit from most children to fewest, by budget from nothing to enough; and the
    policy's own plan in both."""

    points: tuple[FrontierPoint, ...]

    def along(self, trade_off: TradeOff) -> tuple[FrontierPoint, ...]:
        return tuple(point for point in self.points if point.trade_off == trade_off)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a plan, its mean fit beside it; pairs are left out."""
        import pandas as pd

        rows = [{**asdict(point), "mean_fit": round(point.mean_fit, 1)} for point in self.points]
        return pd.DataFrame(rows).drop(columns="pairs")

    def to_dict(self) -> dict[str, Any]:
        return {"points": [{**asdict(point), "mean_fit": round(point.mean_fit, 1)} for point in self.points]}


def frontier(instance: Instance, *, steps: int = 20) -> Frontier:
    """Plans along both trade-offs, about so many each; equal ones are given once. Each is audited.

    Raises NoPlanError or AuditError, as `match` does.
    """
    planning = Planning.of(consider(instance))
    best = planning.solve()
    of_policy = [
        replace(_point(planning, best.chosen, "fit", 0, best.status), of_policy=True),
        replace(_point(planning, best.chosen, "budget", sum(_left(instance).values()), best.status), of_policy=True),
    ]
    along = [*_by_fit(planning, steps), *_by_budget(instance, steps), *of_policy]
    found = {(one.trade_off, one.children, one.fit, one.spent_pence, one.of_policy): one for one in reversed(along)}
    by_fit = sorted((one for one in found.values() if one.trade_off == "fit"), key=lambda one: (-one.children, one.fit))
    by_budget = sorted((one for one in found.values() if one.trade_off == "budget"), key=lambda one: one.asked)
    return Frontier((*by_fit, *by_budget))


def _by_fit(planning: Planning, steps: int) -> Iterator[FrontierPoint]:
    """Plans that maximise the sum of fit less a cost a match; before them, the most children and then the best fit."""
    fit = planning.scored.fit[planning.rows]
    pinned = np.isin(planning.rows, planning.pins)
    everybody = int(fit.max(initial=0)) * len(planning.scored.pairs.tables.instance.waiting) + 1
    for cost in (-everybody, *np.linspace(0, 1000, steps, endpoint=False, dtype=np.int64).tolist()):
        # A match that costs more than it brings is in no best plan, but for what is agreed and proposed already.
        worth = np.flatnonzero((fit > cost) | pinned)
        no_bonus = np.zeros_like(planning.problem.bonus)
        problem = planning.problem.changed(points=np.maximum(fit - cost, 0), bonus=no_bonus)
        solution = solve(problem.only(worth))
        yield _point(planning, planning.rows[worth[solution.chosen]], "fit", max(cost, 0), solution.status)


def _by_budget(instance: Instance, steps: int) -> Iterator[FrontierPoint]:
    """The policy's plans while every authority may spend from nothing to what it would without a budget."""
    if not (instance.policy.on("constraints.out_of_county_budget") and _left(instance)):
        return
    rich = Planning.of(consider(_with_budgets(instance, dict.fromkeys(_left(instance), RICH))))
    every = rich.solve()
    need = _spent(rich, every.chosen)
    for share in range(steps + 1):
        left = {code: need.get(code, 0) * share // steps for code in _left(instance)}
        planning = Planning.of(consider(_with_budgets(instance, left)))
        solution = planning.solve()
        yield _point(planning, solution.chosen, "budget", sum(left.values()), solution.status)


def _left(instance: Instance) -> dict[str, int]:
    """Pence that each authority with a recorded budget has left."""
    funds = instance.authorities.values()
    return {one.code: max(one.budget_pence - one.spent_pence, 0) for one in funds if one.budget_pence is not None}


def _with_budgets(instance: Instance, left: dict[str, int]) -> Instance:
    funds = {
        code: replace(fund, budget_pence=fund.spent_pence + left[code]) if code in left else fund
        for code, fund in instance.authorities.items()
    }
    return replace(instance, authorities=funds)


def _spent(planning: Planning, chosen: Ints) -> dict[str, int]:
    pairs = planning.scored.pairs
    pence = out_of_county_pence(pairs, pairs.tables.instance.policy)
    spent: dict[str, int] = {}
    for row in chosen.tolist():
        code = pairs.between(row).child.responsible_authority or ""
        spent[code] = spent.get(code, 0) + int(pence[row])
    return spent


def _point(planning: Planning, chosen: Ints, trade_off: TradeOff, asked: int, status: str) -> FrontierPoint:
    scored = planning.scored
    chosen = np.sort(chosen)
    pairs = planning.ids(chosen)
    require_clean(scored.pairs.tables.instance, pairs)
    return FrontierPoint(
        trade_off,
        asked,
        len(chosen),
        int(scored.without_contact[chosen].sum()),
        int(scored.fit[chosen].sum()),
        int(scored.points[chosen].sum()) + len(planning.together(chosen)) * planning.goal.sibling_points,
        sum(_spent(planning, chosen).values()),
        status,
        tuple(pairs),
    )
