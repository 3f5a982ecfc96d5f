"""Flows of least cost, and what each node of the network is worth in one.

OR-Tools gives the flow but not its potentials, so they are recovered here from what the flow leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matcher.errors import KithError
from matcher.parallel import give_way
from matcher.solving.assignment import Ints

ROOM = 2**62
"""What costs, summed over a path, must stay below."""


@dataclass(frozen=True, eq=False)
class Flow:
    """A flow of least cost: one entry an arc, nodes numbered from 0."""

    tail: Ints
    head: Ints
    capacity: Ints
    cost: Ints
    carried: Ints
    exact: bool
    """Whether costs are as they were given; False where they had to be rounded."""

    def middle_potentials(self, nodes: int, root: int) -> Ints:
        """What a unit costs at each node, 0 at the root.

        On every arc with room left, potential of head <= potential of tail + cost; on every arc in use, the reverse.
        Such potentials are mostly not unique: given are those halfway between the highest and the lowest, where
        fewest arcs are at the limit.
        """
        start, end, length = self._open()
        everywhere = np.arange(nodes)
        highest = _distances(start, end, length, nodes, root, everywhere)
        lowest = -_distances(end, start, length, nodes, root, everywhere)
        return lowest + (highest - lowest) // 2

    def ways_back(self, nodes: int, root: int) -> Ints:
        """What it costs at least to send one more unit from each node to the root; `ROOM` / 4 where there is no way."""
        start, end, length = self._open()
        return _distances(end, start, length, nodes, root, np.array([root]))

    def _open(self) -> tuple[Ints, Ints, Ints]:
        """The arcs on which the flow may still change: start, end, and what a unit costs."""
        room, used = self.carried < self.capacity, self.carried > 0
        start = np.concatenate([self.tail[room], self.head[used]])
        end = np.concatenate([self.head[room], self.tail[used]])
        return start, end, np.concatenate([self.cost[room], -self.cost[used]])


def least_cost(tail: Ints, head: Ints, capacity: Ints, cost: Ints, *, source: int, sink: int, amount: int) -> Flow:
    """Send `amount` from source to sink at least cost.

    Costs too large for the algorithm lose their last bits first; the flow then tells the costs as they were rounded.

    Args:
        tail, head, capacity, cost: one entry an arc; a cost may be negative.

    Raises:
        KithError: the network cannot carry the amount.
    """
    from ortools.graph.python.min_cost_flow import SimpleMinCostFlow  # 0.5 s, not paid by those who only read files

    give_way()
    nodes = max(source, sink, int(tail.max(initial=0)), int(head.max(initial=0))) + 1
    bits = (int(np.abs(cost).max(initial=0)) * nodes * 8 // ROOM).bit_length()
    while True:
        network: Any = SimpleMinCostFlow()
        network.add_arcs_with_capacity_and_unit_cost(
            tail.astype(np.int32), head.astype(np.int32), capacity, cost >> bits
        )
        network.set_node_supply(source, amount)
        network.set_node_supply(sink, -amount)
        status = network.solve()
        if status == network.OPTIMAL:
            carried = np.asarray(network.flows(np.arange(len(tail), dtype=np.int32)), dtype=np.int64)
            return Flow(tail, head, capacity, cost >> bits << bits, carried, exact=bits == 0)
        if status != network.BAD_COST_RANGE or bits > 60:
            raise KithError(f"The network of {len(tail)} arcs cannot carry {amount}: {status.name}.")
        bits += 8


def _distances(start: Ints, end: Ints, length: Ints, nodes: int, root: int, front: Ints) -> Ints:
    """Shortest distance from the root to each node; no circle is negative.

    With the root alone in front, nodes out of reach are `ROOM` / 4 away. With all nodes in front, they are given
    distances that are consistent on every arc.

    Label correcting, a whole front at a time: only nodes that came nearer in one pass are looked at in the next.
    """
    give_way()
    order = np.argsort(start, kind="stable")
    end, length = end[order], length[order]
    first = np.searchsorted(start[order], np.arange(nodes + 1))

    distance = np.full(nodes, ROOM // 4 if len(front) == 1 else 4 * (int(np.abs(length).max(initial=0)) + 1))
    distance[root] = 0
    for _ in range(nodes):  # no shortest path is longer
        if not len(front):
            break
        many = first[front + 1] - first[front]
        arcs = np.repeat(first[front] + many - np.cumsum(many), many) + np.arange(many.sum())
        nearer = distance.copy()
        np.minimum.at(nearer, end[arcs], np.repeat(distance[front], many) + length[arcs])
        front = np.flatnonzero(nearer < distance)
        distance = nearer
    distance -= distance[root]
    return distance
