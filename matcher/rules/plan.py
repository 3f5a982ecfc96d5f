"""Constraints on all the matches of a plan together; the out-of-county budget has a room of its own."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from matcher.instance import Instance
from matcher.pairs import NOT_RECORDED, Array, Between, Bools, Pairs
from matcher.policy import Choice, Policy, Whole
from matcher.records import ExceptionKind, MatchStatus, RecordedException, Volunteer
from matcher.rules.base import PlanConstraint, allowed_by
from matcher.words import listed


class OneVisitor(PlanConstraint):
    id = "one_visitor"
    title = "A child has one visitor"
    short = "with a visitor already"
    source = "NS 8.2"
    core = True

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.child.id} has no visitor now."


class Capacity(PlanConstraint):
    id = "capacity"
    title = "A volunteer visits at most {children} child"
    short = "visiting a child already"
    source = "NS 8.2; N Matching; S 8"
    about = "volunteer"
    limits = {"children": Whole("children", 1, 10)}
    by_exception = True

    def arrays(self, pairs: Pairs, policy: Policy) -> dict[str, Array]:
        tables = pairs.tables
        most = np.full(len(tables.instance.volunteers), policy.number("constraints.capacity.children"), dtype=np.int64)
        for one in tables.instance.exceptions:
            if one.kind is ExceptionKind.SECOND_CHILD and one.volunteer in tables.volunteer_at:
                row = tables.volunteer_at[one.volunteer]
                most[row] = max(most[row], one.value or 2)
        return {"capacity": np.maximum(most - tables.live_matches, 0)}

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(self.arrays(pairs, policy)["capacity"][pairs.volunteer_row] > 0)

    def worth_telling(self, between: Between, policy: Policy) -> bool:
        most = self._most(between.volunteer, between.instance, policy)
        return most > policy.number("constraints.capacity.children")

    def passing(self, between: Between, policy: Policy) -> str:
        allowed = _second_child(between.volunteer, between.instance)
        if allowed is None or not self.worth_telling(between, policy):
            return f"{between.volunteer.id} has a place for another child."
        most = self._most(between.volunteer, between.instance, policy)
        return f"{between.volunteer.id} may visit up to {most} children; {allowed_by(allowed, between.child.id)}."

    def failing(self, between: Between, policy: Policy) -> str:
        now = sorted(
            match.child
            for match in between.instance.matches
            if match.volunteer == between.volunteer.id and match.status is MatchStatus.CURRENT
        )
        most = self._most(between.volunteer, between.instance, policy)
        limit = "may have one child at a time" if most == 1 else f"may have {most} children at a time"
        return f"{between.volunteer.id} visits {listed(now)} now, and {limit}."

    def _most(self, volunteer: Volunteer, instance: Instance, policy: Policy) -> int:
        """How many children the volunteer may visit: as the policy says, or more by a recorded exception."""
        allowed = _second_child(volunteer, instance)
        return max(policy.number("constraints.capacity.children"), (allowed.value or 2) if allowed else 0)


def _second_child(volunteer: Volunteer, instance: Instance) -> RecordedException | None:
    """The exception that allows the volunteer the most children, if there is any."""
    kind = ExceptionKind.SECOND_CHILD
    recorded = [one for one in instance.exceptions if one.kind is kind and one.volunteer == volunteer.id]
    return max(recorded, key=lambda one: one.value or 2, default=None)


class SiblingsApart(PlanConstraint):
    id = "siblings_apart"
    title = "Siblings never share a volunteer"
    short = "given to a sibling"
    source = "S 15.4"
    core = True

    def arrays(self, pairs: Pairs, policy: Policy) -> dict[str, Array]:
        # A child whose family is not recorded (-1) has no eligible pair: `sibling_history` sees to that.
        return {"family": pairs.tables.child.family}

    def passing(self, between: Between, policy: Policy) -> str:
        return f"In one plan, a sibling of {between.child.id} is never given to {between.volunteer.id} too."


class SiblingsTogether(PlanConstraint):
    id = "siblings_together"
    title = "Siblings at one address who both want a visitor are matched at the same time: {how}, {points} points"
    short = "without a visitor for a sibling at the same time"
    source = "S 15.4"
    limits = {"how": Choice(("off", "preferred", "required")), "points": Whole("points", 0, 100_000)}

    def arrays(self, pairs: Pairs, policy: Policy) -> dict[str, Array]:
        instance, how = pairs.tables.instance, policy.choice("constraints.siblings_together.how")
        pinned = {match.child for match in instance.pins}
        group = np.full(len(instance.waiting), NOT_RECORDED)
        row = {child.id: place for place, child in enumerate(instance.waiting)}
        for number, siblings in enumerate(dict.fromkeys(instance.siblings_at_one_place.values())):
            # What is agreed or proposed already waits for nobody.
            if how == "preferred" or (how == "required" and pinned.isdisjoint(siblings)):
                group[[row[child] for child in siblings]] = number
        return {"together" if how == "required" else "bonus_group": group}

    def worth_telling(self, between: Between, policy: Policy) -> bool:
        how = policy.choice("constraints.siblings_together.how")
        return how != "off" and between.child.id in between.instance.siblings_at_one_place

    def passing(self, between: Between, policy: Policy) -> str:
        how = policy.choice("constraints.siblings_together.how")
        if not self.worth_telling(between, policy):
            return f"No sibling of {between.child.id} has to be matched at the same time."
        group = between.instance.siblings_at_one_place[between.child.id]
        siblings = listed(child for child in group if child != between.child.id)
        at_once = f"{between.child.id} lives with {siblings}, and siblings are matched at the same time"
        if how == "required":
            return f"{at_once} or not at all."
        return f"{at_once} where possible: {policy.number('constraints.siblings_together.points')} points if they are."


class PartnersApart(PlanConstraint):
    id = "partners_apart"
    title = "Two volunteers of one household do not visit siblings"
    short = "with a partner who visits a sibling"
    source = "S 15.5"
    reads = ("child.family", "volunteer.household")

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        # A household is blank where no other volunteer lives in it; `sibling_history` asks for the family.
        return np.zeros(len(pairs), dtype=np.bool_)

    def arrays(self, pairs: Pairs, policy: Policy) -> dict[str, Array]:
        homes = [one.household for one in pairs.tables.instance.volunteers]
        number = {home: place for place, home in enumerate(sorted({home for home in homes if home is not None}))}
        return {"household": np.array([number.get(home or "", NOT_RECORDED) for home in homes], dtype=np.int64)}

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return ~pairs.among(_siblings_of_partners(pairs.tables.instance), pairs.child_row)

    def worth_telling(self, between: Between, policy: Policy) -> bool:
        return between.volunteer.household is not None

    def passing(self, between: Between, policy: Policy) -> str:
        if between.volunteer.household is None:
            return f"No other volunteer is recorded in the household of {between.volunteer.id}."
        return f"Nobody in the household of {between.volunteer.id} visits a sibling of {between.child.id}."

    def failing(self, between: Between, policy: Policy) -> str:
        return (
            f"Somebody in the household of {between.volunteer.id} visits a sibling of {between.child.id}: "
            "what each child tells stays with their own visitor."
        )


class CoordinatorCaseload(PlanConstraint):
    id = "coordinator_caseload"
    title = "A coordinator supports at most {matches} matches"
    short = "beyond the coordinator's caseload"
    source = "NS 11.5"
    about = "child"
    limits = {"matches": Whole("matches", 1, 1000)}
    reads = ("child.coordinator",)

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        return np.zeros(len(pairs), dtype=np.bool_)  # a match counts where a coordinator is recorded

    def arrays(self, pairs: Pairs, policy: Policy) -> dict[str, Array]:
        instance, most = pairs.tables.instance, policy.number("constraints.coordinator_caseload.matches")
        live = live_caseload(instance)
        names = sorted({child.coordinator for child in instance.waiting if child.coordinator is not None})
        number = {name: place for place, name in enumerate(names)}
        return {
            "caseload": np.array(
                [number.get(child.coordinator or "", NOT_RECORDED) for child in instance.waiting], dtype=np.int64
            ),
            "caseload_limit": np.array([max(most - live.get(name, 0), 0) for name in names], dtype=np.int64),
        }

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        arrays = self.arrays(pairs, policy)
        return np.append(arrays["caseload_limit"] > 0, True)[arrays["caseload"][pairs.child_row]]

    def passing(self, between: Between, policy: Policy) -> str:
        if between.child.coordinator is None:
            return f"No coordinator is recorded for {between.child.id}: the match counts in no caseload."
        most = policy.number("constraints.coordinator_caseload.matches")
        return f"{self._now(between)}, and there is room for {between.child.id}: the policy allows {most}."

    def failing(self, between: Between, policy: Policy) -> str:
        most = policy.number("constraints.coordinator_caseload.matches")
        return f"{self._now(between)}, and the policy allows {most}: there is no room for {between.child.id}."

    def _now(self, between: Between) -> str:
        count = live_caseload(between.instance).get(between.child.coordinator or "", 0)
        return f"{between.child.coordinator} supports {count} {'match' if count == 1 else 'matches'} now"


class Pinned(PlanConstraint):
    id = "pinned"
    title = "What is agreed or proposed stays, as long as no rule forbids it"
    short = "kept for what is agreed or proposed"
    source = "Kith: a person decides every match, and a new plan does not undo it"

    def worth_telling(self, between: Between, policy: Policy) -> bool:
        return any(match.child == between.child.id for match in between.instance.pins)

    def passing(self, between: Between, policy: Policy) -> str:
        pins = [match for match in between.instance.pins if match.child == between.child.id]
        if not pins:
            return f"{between.child.id} has no match proposed or agreed yet."
        to = listed(f"{match.volunteer} ({match.status})" for match in pins)
        return f"{between.child.id} is on the way to {to}, which stays as long as no rule forbids it."


def live_caseload(instance: Instance) -> dict[str, int]:
    """How many children are visited now with each coordinator's support, the match's own or else the child's."""
    of_child = {child.id: child.coordinator for child in instance.children}
    supported: dict[str, set[str]] = defaultdict(set)
    for match in instance.matches:
        if match.status is MatchStatus.CURRENT:
            supported[match.coordinator or of_child.get(match.child) or ""].add(match.child)
    return {name: len(children) for name, children in supported.items() if name}


def _siblings_of_partners(instance: Instance) -> frozenset[tuple[int, int]]:
    """(child row, volunteer row) where somebody else in the volunteer's household visits a sibling of the child now."""
    of_family: dict[str, list[int]] = defaultdict(list)
    for row, child in enumerate(instance.waiting):
        of_family[instance.family_of.get(child.id, "")].append(row)
    of_household: dict[str, list[int]] = defaultdict(list)
    for row, volunteer in enumerate(instance.volunteers):
        of_household[volunteer.household or ""].append(row)
    found = set()
    for match in instance.matches:
        home, family = instance.volunteer(match.volunteer).household, instance.family_of.get(match.child)
        if match.status is MatchStatus.CURRENT and home is not None and family is not None:
            partners = [row for row in of_household[home] if instance.volunteers[row].id != match.volunteer]
            found |= {(child, partner) for child in of_family[family] for partner in partners}
    return frozenset(found)
