"""What no plan with a given pair exceeds, for all pairs of a child at once.

The reduced cost of a pair says it too, but loosely: prices are mostly not unique. Here the unit of flow that the pair
needs is taken from where it hurts least: along the cheapest way in what the flow of least cost leaves open, from the
pair's volunteer back to its child. One search for such ways serves all volunteers.
"""

from __future__ import annotations

import numpy as np

from matcher.solving.assignment import AssignmentProblem
from matcher.solving.bounds import Relaxation
from matcher.solving.parts import possible


class Forced:
    """Bounds on the plans that have a pair, of one problem whose pins leave a plan.

    Attributes:
        value: no plan at all is worth more, in whole points.

    Raises:
        ProblemError: the points are too large for prices.
    """

    def __init__(self, problem: AssignmentProblem) -> None:
        self.inside = np.flatnonzero(possible(problem))
        self.relaxed = Relaxation(problem.only(self.inside))
        self.best = self.relaxed.best()
        self.value = self.best.value
        prices, within = self.best.prices, self.relaxed.problem
        chosen, flow = self.relaxed.relaxed_plan(prices.fund, prices.share)
        worth = self.relaxed.charged(prices.fund) + prices.share[within.child]
        budgets = sum(a * b for a, b in zip(within.budget.tolist(), prices.fund.tolist(), strict=True))
        self.flow = self.relaxed.circulation(flow)
        # What the flow at these prices is worth: a bound by itself, from which detours are told.
        self.by_flow = int(worth[chosen].sum()) + budgets

    def of_child(self, child: int) -> dict[int, int]:
        """For each possible pair of a child, by its index: no plan with it is worth more, in whole points."""
        problem, flow, best = self.relaxed.problem, self.flow, self.best
        pairs = np.flatnonzero(problem.child == child)
        most = best.exact + best.reduced_cost[pairs]
        if flow.exact and len(pairs):
            # A pair's arc stands at the pair's own place, before those of volunteers and coordinators.
            back = flow.ways_back(int(max(flow.tail.max(), flow.head.max())) + 1, root=child)
            detour = np.where(flow.carried[pairs] > 0, 0, flow.cost[pairs] + back[flow.head[pairs]])
            most = np.minimum(most, self.by_flow - np.maximum(detour, 0))
        return dict(zip(self.inside[pairs].tolist(), (most // best.scale).tolist(), strict=True))
