"""What a plan leaves: of each limit, and so why it does not have a pair; and each child without a visitor, with why."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from matcher.explain import verdicts_with_everyone, why_unmatched
from matcher.pairs import NOT_RECORDED, Ints
from matcher.plan import Unmatched
from matcher.scoring import Scored


def unmatched(scored: Scored, chosen: Ints, limits: dict[str, Any]) -> tuple[Unmatched, ...]:
    """The children whom a plan, given as rows of pairs, leaves without a visitor, in order of id."""
    every = scored.pairs.tables
    left = Leftover(scored, chosen, limits)
    fitting = scored.fit >= every.instance.policy.minimum_fit
    found = []
    children = np.setdiff1d(np.arange(len(every.instance.waiting)), scored.pairs.child_row[chosen])
    for child, verdicts in zip(children.tolist(), verdicts_with_everyone(every, children), strict=True):
        rows = np.arange(*np.searchsorted(scored.pairs.child_row, [child, child + 1]))
        lost = Counter(left.taken_by(row) for row in rows[fitting[rows]].tolist())
        reach = int(fitting[rows].sum())
        found.append(why_unmatched(every, child, verdicts, eligible=len(rows), fitting=reach, lost=lost))
    return tuple(found)


class Leftover:
    """What a plan leaves of each limit on all matches together.

    Args:
        chosen: the plan's rows of pairs.
        limits: what the constraints in force ask over all scored pairs, as `planning.limits` gives it.
    """

    def __init__(self, scored: Scored, chosen: Ints, limits: dict[str, Any]) -> None:
        pairs = self.pairs = scored.pairs
        child, volunteer, none = pairs.child_row[chosen], pairs.volunteer_row[chosen], np.zeros(0, dtype=np.int64)
        self.places = limits["capacity"] - np.bincount(volunteer, minlength=len(limits["capacity"]))
        self.family = pairs.tables.child.family
        self.given = set(zip(self.family[child].tolist(), volunteer.tolist(), strict=True))
        self.household = limits.get("household", np.full(len(self.places), NOT_RECORDED))
        self.visited = set(zip(self.family[child].tolist(), self.household[volunteer].tolist(), strict=True))
        # What counts for no coordinator or is charged to no fund stands last, and always has room.
        self.caseload = limits.get("caseload", np.full(len(self.family), NOT_RECORDED))
        self.room = np.append(limits.get("caseload_limit", none), len(self.family) + 1)
        np.subtract.at(self.room, self.caseload[child], 1)
        self.fund = limits.get("fund", np.full(len(pairs), NOT_RECORDED))
        self.cost = limits.get("cost", np.zeros(len(pairs), dtype=np.int64))
        self.budget = np.append(limits.get("budget", none), 0)
        np.subtract.at(self.budget, self.fund[chosen], self.cost[chosen])
        self.together = limits.get("together", np.full(len(self.family), NOT_RECORDED))

    def taken_by(self, row: int) -> str:
        """What stands in the way of one more pair."""
        if (limit := self.used_up(row)) is not None:
            return limit
        if self.together[self.pairs.child_row[row]] != NOT_RECORDED:
            return "free, but with none for a sibling at the same time"
        return "still free when the time to search was over"  # in a plan proven best, one more match would be better

    def used_up(self, row: int) -> str | None:
        """The limit that has no room for one more pair; None if all have."""
        child, volunteer = int(self.pairs.child_row[row]), int(self.pairs.volunteer_row[row])
        home = int(self.household[volunteer])
        if self.places[volunteer] <= 0:
            return "planned for other children"
        if (int(self.family[child]), volunteer) in self.given:
            return "planned for a sibling"
        if home != NOT_RECORDED and (int(self.family[child]), home) in self.visited:
            return "with a partner planned for a sibling"
        if self.room[self.caseload[child]] <= 0:
            return "beyond the coordinator's caseload"
        if self.cost[row] > self.budget[self.fund[row]]:
            return "beyond what is left of the out-of-county budget"
        return None
