"""What no plan with a given pair exceeds: for all pairs of a child at once, and near one pair as closely as can be.

The reduced cost of a pair says it too, but loosely: prices are mostly not unique. Here the unit of flow that the pair
needs is taken from where it hurts least: along the cheapest way in what the flow of least cost leaves open, from the
pair's volunteer back to its child. One search for such ways serves all volunteers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from matcher.solving.assignment import AssignmentProblem, Ints
from matcher.solving.bounds import FAR, Bound, Relaxation
from matcher.solving.parts import possible


class Forced:
    """Bounds on the plans that have a pair, of one problem whose pins leave a plan.

    Attributes:
        problem: the problem.
        inside: the pairs that can be in a plan at all, ascending; what follows speaks of these alone.
        relaxed, best: their relaxation and its bound.
        value: no plan at all is worth more, in whole points.

    Raises:
        ProblemError: the points are too large for prices.
    """

    def __init__(self, problem: AssignmentProblem) -> None:
        self.problem = problem
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
        self.nodes, self.source = self.relaxed.size, self.relaxed.source
        self.potential = self.flow.middle_potentials(self.nodes, self.source)

    def of_child(self, child: int) -> dict[int, int]:
        """For each possible pair of a child, by its index: no plan with it is worth more, in whole points."""
        flow, best = self.flow, self.best
        pairs = np.flatnonzero(self.relaxed.problem.child == child)
        most = best.exact + best.reduced_cost[pairs]
        if flow.exact and len(pairs):
            # A pair's arc stands at the pair's own place, before those of volunteers and coordinators.
            back = self._ways_back(child)
            detour = np.where(flow.carried[pairs] > 0, 0, flow.cost[pairs] + back[flow.head[pairs]])
            most = np.minimum(most, self.by_flow - np.maximum(detour, 0))
        return dict(zip(self.inside[pairs].tolist(), (most // best.scale).tolist(), strict=True))

    def with_pair(self, pair: int) -> Bound:
        """The bound on the plans with a pair, given by its place in `inside`: near it, prices are those of the detour.

        Whoever the detour passes costs as much more as it lacks of being worth while; then the plan with the pair is
        the best at these prices, as the plan without it was at those before.
        """
        found, child = [self.best], int(self.relaxed.problem.child[pair])
        if self.flow.exact and not self.flow.carried[pair]:
            back, at = self._ways_back(child), int(self.flow.head[pair])
            potential = np.maximum(self.potential, self.potential[at] + back[at] - back)
            found.append(self.relaxed.at_potentials(potential - potential[self.source], self.best))
        bound = min(found, key=lambda one: one.exact + int(one.reduced_cost[pair]))
        of, party = self.relaxed.problem.child, self.relaxed.party
        reduced = np.where(of == child, -FAR, bound.reduced_cost)
        reduced[pair] = 0
        # What a group loses by being matched is paid once, with the pair; each sibling's best pair loses no more.
        for sibling in np.flatnonzero(party == party[child]).tolist():
            theirs = of == sibling
            if sibling != child and theirs.any():
                reduced[theirs] -= reduced[theirs].max()
        return replace(bound, exact=bound.exact + int(bound.reduced_cost[pair]), reduced_cost=reduced)

    def _ways_back(self, child: int) -> Ints:
        return self.flow.ways_back(self.nodes, root=child)
