"""The published plan beside the records of today: whom it proposes to whom, and what has become of that.

A plan makes no match. Each of its pairs waits for a person who proposes it from the child's shortlist, and by then a
rule may fail, or somebody may be spoken for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from matcher.constraints import eligible
from matcher.explain import explain
from matcher.instance import Instance
from matcher.pairs import tables
from matcher.rules.plan import Capacity
from matcher.shortlist import shortlist
from service import plans
from service.plans import Published
from service.proposals import failing_rules
from service.repository import Repository

TELLS_OF_OTHERS = ("capacity", "sibling_history", "siblings_apart", "coordinator_caseload")
"""Rules whose reasons speak of other children: the rule is named, the reason is not repeated."""


@dataclass(frozen=True)
class PlanToday:
    """What the published plan says of the records of one moment; where none is published, of nobody."""

    plan: Published | None
    instance: Instance
    _against: dict[str, str] = field(default_factory=dict)
    _place: dict[str, int] = field(default_factory=dict)
    """Both filled as pages ask, by child."""

    @cached_property
    def volunteer_of(self) -> Mapping[str, str]:
        """The volunteer whom it proposes, by child; without the pairs that have had their answer.

        Whoever said no, or has ended a match, is not to be told at every turn that a plan had it otherwise.
        """
        if self.plan is None:
            return {}
        answered = {(one.child, one.volunteer) for one in self.instance.declined}
        answered |= {(one.child, one.volunteer) for one in self.instance.begun}
        return {child: one for child, one in self.plan.volunteer_of.items() if (child, one) not in answered}

    @cached_property
    def children_of(self) -> Mapping[str, Sequence[str]]:
        """The children to whom it proposes a volunteer, by volunteer."""
        found: dict[str, list[str]] = {}
        for child, volunteer in self.volunteer_of.items():
            found.setdefault(volunteer, []).append(child)
        return found

    @cached_property
    def to_propose(self) -> Mapping[str, str]:
        """What is still to be done of it: the volunteer of each child for whom nobody is proposed yet.

        All at once, since they may be thousands. What is left of a budget is asked where one of them is looked at.
        """
        every, policy = tables(self.instance), self.instance.policy
        proposed = {match.child for match in self.instance.pins}
        found = [
            pair
            for pair in self.volunteer_of.items()
            if pair[0] in every.child_at and pair[0] not in proposed and pair[1] in every.volunteer_at
        ]
        children = np.array([every.child_at[child] for child, _ in found], dtype=np.int64)
        volunteers = np.array([every.volunteer_at[volunteer] for _, volunteer in found], dtype=np.int64)
        passing = eligible(every.pairs(children, volunteers), policy).tolist()
        return {child: one for (child, one), may in zip(found, passing, strict=True) if may and self._free(child, one)}

    def against(self, child: str) -> str:
        """Why whom it proposes for a child who waits cannot be proposed by now, in a sentence; nothing if they can."""
        if child not in self._against:
            self._against[child] = self._against_now(child, self.volunteer_of[child])
        return self._against[child]

    def _against_now(self, child: str, volunteer: str) -> str:
        if volunteer not in tables(self.instance).volunteer_at:
            return "The volunteer is no longer on record."
        if not self._free(child, volunteer):
            return f"{volunteer} is spoken for by now."
        if failing := failing_rules(self.instance, child, volunteer):
            asked = explain(self.instance, child, volunteer).reasons
            rule = next((one for one in asked if one.verdict in ("fails", "not recorded")), None)
            if rule is not None and rule.rule in TELLS_OF_OTHERS:
                return f"For {volunteer} this does not hold by now: {rule.title[:1].lower()}{rule.title[1:]}."
            return failing[0]
        return ""

    def place(self, child: str) -> int:
        """The place by fit, on the child's shortlist, of whom it proposes: they must be on it."""
        if child not in self._place:
            volunteer = self.volunteer_of[child]
            listed = shortlist(self.instance, child, top=1, rank_by="fit", also=(volunteer,))
            self._place[child] = next(one.rank for one in listed if one.volunteer == volunteer)
        return self._place[child]

    def elsewhere(self, child: str, volunteer: str) -> Sequence[str]:
        """The other children for whom it proposes a volunteer, who would have no place left for all of them.

        It is known at once, while what a choice means for everybody else is still being worked out.
        """
        others = [one for one in self.children_of.get(volunteer, ()) if one != child and one in self.to_propose]
        return others if others and len(others) >= self._places[volunteer] - len(self._held[volunteer]) else []

    def _free(self, child: str, volunteer: str) -> bool:
        """Whether the volunteer has a place left, and is not proposed to a brother or sister.

        No rule about a pair knows of proposals: what refuses a second one is the database.
        """
        own = self.instance.family_of.get(child)
        of_siblings = any(own is not None and self.instance.family_of.get(one) == own for one in self._held[volunteer])
        return self._places[volunteer] > len(self._held[volunteer]) and not of_siblings

    @cached_property
    def _held(self) -> Mapping[str, Sequence[str]]:
        """The children to whom each volunteer is proposed now."""
        held: dict[str, list[str]] = {one.id: [] for one in self.instance.volunteers}
        for match in self.instance.pins:
            held[match.volunteer].append(match.child)
        return held

    @cached_property
    def _places(self) -> Mapping[str, int]:
        """How many more children each volunteer may visit, by those whom they visit now."""
        every = tables(self.instance)
        left = Capacity().arrays(every.volunteers_alone(np.arange(len(every.volunteer_at))), self.instance.policy)
        return dict(zip(every.volunteer_at, left["capacity"].tolist(), strict=True))


_KEPT: dict[str, PlanToday] = {}


def plan_today(rows: Repository, instance: Instance) -> PlanToday:
    """Of the authority of the rows, which must only read, and of what matching made of them.

    Kept until a record changes or another plan is published: it is read anew then, since whoever is erased is taken out
    of it as well.
    """
    authority: str = rows.session.info["authority"]
    kept, plan = _KEPT.get(authority), plans.current(rows.session)
    before = kept.plan.plan_id if kept and kept.plan else None
    if kept is None or kept.instance is not instance or before != (plan.id if plan else None):
        kept = _KEPT[authority] = PlanToday(plans.published(rows), instance)
    return kept
