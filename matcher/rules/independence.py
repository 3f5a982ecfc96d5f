"""Pair rules that keep the visitor independent: of the authority, the provider, the family."""

from __future__ import annotations

import numpy as np

from matcher.pairs import Between, Bools, Pairs, cell
from matcher.policy import Policy
from matcher.records import ExceptionKind
from matcher.references import may_be, one_name
from matcher.rules.base import PairRule, allowed_by, recorded_exceptions
from matcher.words import council, listed


class IndependentOfAuthority(PairRule):
    id = "independent_of_authority"
    title = "The volunteer has no connection with the child's responsible authority"
    short = "not independent of the authority"
    source = "CA; R 10; S 5; S 15.2; NS 10.1"
    core = True
    reads = ("child.responsible_authority", "volunteer.connected_authorities")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        connected = pairs.tables.volunteer.connected_authorities
        return ~cell(connected, pairs.volunteer_row, pairs.child.responsible_authority)

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.volunteer.id} has no connection with {council(between.child.responsible_authority)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return (
            f"{between.volunteer.id} is a member or officer of {council(between.child.responsible_authority)}, "
            f"or lives with one: not independent for {between.child.id}."
        )


class IndependentOfProvider(PairRule):
    id = "independent_of_provider"
    title = "The volunteer has no part in the organisation that accommodates the child"
    short = "not independent of the provider"
    source = "R 10.4"
    core = True
    reads = ("child.provider", "volunteer.organisations")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.in_common("provider", "organisations") == 0)

    def passing(self, between: Between, policy: Policy) -> str:
        if not between.child.provider:
            return f"{between.child.id} is not accommodated by an organisation of its own."
        return f"{between.volunteer.id} has no part in {listed(between.child.provider)}."

    def failing(self, between: Between, policy: Policy) -> str:
        child, volunteer = between.child, between.volunteer
        theirs = {one_name(name) for name in volunteer.organisations or ()}
        shared = [name for name in child.provider or () if one_name(name) in theirs]
        if shared:
            return f"{volunteer.id} has a part in {listed(shared)}, which accommodates {child.id}."
        meant = may_be(volunteer.organisations or (), child.provider or ())
        name = next(name for name, others in sorted(meant.items()) if others)
        return (
            f"{volunteer.id} has a part in “{name}”. That may be {listed(meant[name])}, which accommodates {child.id}: "
            "if they are two, write both names in full."
        )


class KnownToChild(PairRule):
    id = "known_to_child"
    title = "The volunteer is no relative or friend of the child, unless that was allowed"
    short = "a relative or friend of the child"
    source = "R 9; S 5"
    by_exception = True
    reads = ("volunteer.known_children",)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        allowed = np.zeros(len(pairs), dtype=np.bool_)
        for which, _ in recorded_exceptions(pairs, ExceptionKind.RELATIVE):
            allowed |= which
        return ~pairs.acquainted | allowed

    def worth_telling(self, between: Between, policy: Policy) -> bool:
        return between.child.id in (between.volunteer.known_children or ())

    def passing(self, between: Between, policy: Policy) -> str:
        if not self.worth_telling(between, policy):
            return f"{between.volunteer.id} is no relative or friend of {between.child.id}."
        _, allowed = next(recorded_exceptions(between.pairs, ExceptionKind.RELATIVE))
        return f"{self._known(between)}; {allowed_by(allowed, between.child.id)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{self._known(between)}, and no exception is recorded."

    def _known(self, between: Between) -> str:
        return f"{between.volunteer.id} is a relative or friend of {between.child.id}"


class SiblingHistory(PairRule):
    id = "sibling_history"
    title = "The volunteer neither visits nor has visited a sibling of the child"
    short = "with a sibling's visits before"
    source = "S 15.4"
    core = True
    reads = ("child.family", "volunteer.families_visited")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return ~pairs.visited_sibling

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.volunteer.id} has not visited a sibling of {between.child.id}."

    def failing(self, between: Between, policy: Policy) -> str:
        family = f"{between.child.id}'s family"
        return f"{between.volunteer.id} visits or has visited {family}: siblings never share a visitor."
