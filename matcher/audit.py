"""The independent checker: no plan is published before it has passed here.

It re-checks every rule and constraint from the records and the policy alone, one match at a time, in plain Python. It
shares no code with the rules, the columns or the solver, so that a mistake there cannot hide itself; import-linter
holds that it imports nothing of matcher but errors, records, policy and instance. The pair rules are in `audit_pairs`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from matcher.audit_pairs import PairAudit, metres
from matcher.errors import AuditError
from matcher.instance import Instance
from matcher.records import Agreement, Child, ExceptionKind, MatchStatus, Volunteer

Pair = tuple[str, str]
"""Ids of a child and a volunteer."""


@dataclass(frozen=True, order=True)
class Violation:
    """One rule broken by one match, or by the plan."""

    rule: str
    children: tuple[str, ...]
    volunteers: tuple[str, ...]
    sentence: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.sentence}"


def audit(instance: Instance, plan: Iterable[Pair], *, whole: bool = True) -> tuple[Violation, ...]:
    """Every violation in a plan, given as (child id, volunteer id); empty if there is none.

    `whole` is False for pairs that could be part of a plan, such as one proposal: then nothing is missed that a whole
    plan must have, such as what is agreed already.
    """
    return _Audit(instance).violations(list(plan), whole)


def require_clean(instance: Instance, plan: Iterable[Pair]) -> None:
    """Raises AuditError if the plan breaks anything."""
    violations = audit(instance, plan)
    if violations:
        raise AuditError(
            f"The plan breaks {len(violations)} rules and is not published. The first: {violations[0]}. "
            "This is a fault in Kith, not in your data: please report it.",
            violations,
        )


class _Audit:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.policy = instance.policy
        self.children = {child.id: child for child in instance.children}
        self.volunteers = {volunteer.id: volunteer for volunteer in instance.volunteers}
        self.pairs = PairAudit(instance)
        self.family = self.pairs.family
        self.visits_now: dict[str, set[str]] = defaultdict(set)
        for match in instance.matches:
            if match.status is MatchStatus.CURRENT:
                self.visits_now[match.volunteer].add(match.child)
        self.checks = (
            self.one_visitor,
            self.capacity,
            self.siblings_apart,
            self.partners_apart,
            self.out_of_county_budget,
            self.coordinator_caseload,
        )
        """One a constraint that any part of a plan keeps."""
        self.whole_checks = (self.siblings_together, self.pinned)
        """One a constraint that only a whole plan has to keep."""

    def violations(self, plan: list[Pair], whole: bool) -> tuple[Violation, ...]:
        found: list[Violation] = []
        known = []
        for child, volunteer in plan:
            if child in self.children and volunteer in self.volunteers:
                known.append((self.children[child], self.volunteers[volunteer]))
            else:
                found.append(Violation("known", (child,), (volunteer,), f"{child} with {volunteer}: not in the data"))
        for one, other in known:
            for rule in self.pairs.broken(one, other):
                sentence = f"{one.id} with {other.id} breaks it, or a fact it needs is not recorded"
                found.append(Violation(rule, (one.id,), (other.id,), sentence))
        for check in (*self.checks, *(self.whole_checks if whole else ())):
            found += check(known)
        return tuple(sorted(found))

    # ---- each constraint, a method of its name, over all matches -----------------------------------------------------

    def one_visitor(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        for child, volunteers in _grouped((child.id, volunteer.id) for child, volunteer in plan).items():
            now = sorted(other for other, visits in self.visits_now.items() if child in visits)
            if len(volunteers) + len(now) > 1:
                all_of_them = (*volunteers, *now)
                yield Violation("one_visitor", (child,), all_of_them, f"{child} would have {len(all_of_them)} visitors")

    def capacity(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        most = self.policy.number("constraints.capacity.children")
        if not self.policy.on("constraints.capacity"):
            return
        for volunteer, children in _grouped((volunteer.id, child.id) for child, volunteer in plan).items():
            exceptions = [one for one in self.instance.exceptions if one.volunteer == volunteer]
            more = [one.value or 2 for one in exceptions if one.kind is ExceptionKind.SECOND_CHILD]
            allowed = max([most, *more])
            now = len(self.visits_now[volunteer])
            if now + len(children) > allowed:
                sentence = f"{volunteer} would visit {now + len(children)} children; the most is {allowed}"
                yield Violation("capacity", children, (volunteer,), sentence)

    def siblings_apart(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        for volunteer, children in _grouped((volunteer.id, child.id) for child, volunteer in plan).items():
            families = [self.family.get(child) for child in children]
            if len(set(families)) < len(families):
                yield Violation("siblings_apart", children, (volunteer,), f"siblings would share {volunteer}")

    def partners_apart(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        if not self.policy.on("constraints.partners_apart"):
            return
        visits = [(child.id, volunteer.id) for child, volunteer in plan]
        new = set(visits)
        visits += [(child, volunteer) for volunteer, children in self.visits_now.items() for child in children]
        for place, (child, volunteer) in enumerate(visits):
            for other, partner in visits[:place]:
                home, family = self.volunteers[volunteer].household, self.family.get(child)
                same_home = home is not None and home == self.volunteers[partner].household and partner != volunteer
                kin = child != other and family is not None and family == self.family.get(other)
                if same_home and kin and new & {(child, volunteer), (other, partner)}:
                    sentence = f"{volunteer} and {partner} of one household would visit siblings"
                    who = tuple(sorted((child, other))), tuple(sorted((volunteer, partner)))
                    yield Violation("partners_apart", *who, sentence)

    def coordinator_caseload(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        if not self.policy.on("constraints.coordinator_caseload"):
            return
        most = self.policy.number("constraints.coordinator_caseload.matches")
        new: dict[str, list[str]] = defaultdict(list)
        for child, _ in plan:
            if child.coordinator is not None:
                new[child.coordinator].append(child.id)
        live = {coordinator: set[str]() for coordinator in new}
        for match in self.instance.matches:
            known = self.children.get(match.child)
            coordinator = match.coordinator or (known.coordinator if known else None)
            if match.status is MatchStatus.CURRENT and coordinator in live:
                live[coordinator].add(match.child)
        for coordinator, children in new.items():
            if len(live[coordinator]) + len(children) > most:
                sentence = f"{coordinator} would support {len(live[coordinator]) + len(children)} matches, over {most}"
                yield Violation("coordinator_caseload", tuple(sorted(children)), (), sentence)

    def siblings_together(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        path = "constraints.siblings_together"
        if not self.policy.on(path) or self.policy.choice(f"{path}.how") != "required":
            return
        matched = {child.id for child, _ in plan}
        visited = set().union(*self.visits_now.values())
        on_the_way = {match.child for match in self.instance.matches if match.pinned}
        homes: dict[tuple[int, float, float], list[str]] = defaultdict(list)
        for child in self.instance.children:
            family, place = self.family.get(child.id), child.placement
            wants = child.agrees is Agreement.YES and child.id not in visited
            if wants and family is not None and place is not None:
                homes[family, place.latitude, place.longitude].append(child.id)
        for siblings in homes.values():
            together, alone = matched & set(siblings), set(siblings) - matched
            if together and alone and not on_the_way & set(siblings):
                sentence = f"{', '.join(sorted(together))} would have a visitor and {', '.join(sorted(alone))} none"
                yield Violation("siblings_together", tuple(sorted(siblings)), (), sentence)

    def pinned(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        if not self.policy.on("constraints.pinned"):
            return
        proposed = {(child.id, volunteer.id) for child, volunteer in plan}
        kept: list[Pair] = []
        for status in (MatchStatus.AGREED, MatchStatus.PROPOSED):
            pins = {(match.child, match.volunteer) for match in self.instance.matches if match.status is status}
            for pair in sorted(pins - set(kept)):
                if self.violations([*kept, pair], whole=False):
                    continue  # a rule forbids it by now, or what stands above it
                kept.append(pair)
                if pair not in proposed:
                    yield Violation("pinned", pair[:1], pair[1:], f"{pair[0]} with {pair[1]} is {status}, and left out")

    def out_of_county_budget(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        if not self.policy.on("constraints.out_of_county_budget"):
            return
        spent: dict[str, int] = defaultdict(int)
        charged: dict[str, list[str]] = defaultdict(list)
        for child, volunteer in plan:
            authority, council = child.responsible_authority, child.placement_council
            if authority is None or council is None:
                sentence = f"it is not recorded whether {child.id} is placed outside the county"
                yield Violation("out_of_county_budget", (child.id,), (volunteer.id,), sentence)
            elif authority != council:
                pence = self._pence_a_year(child, volunteer)
                if pence is None:
                    sentence = f"it is not recorded how far {volunteer.id} travels to {child.id}"
                    yield Violation("out_of_county_budget", (child.id,), (volunteer.id,), sentence)
                spent[authority] += pence or 0
                charged[authority].append(child.id)
        for authority, total in spent.items():
            fund = self.instance.authorities.get(authority)
            children = tuple(sorted(charged[authority]))
            if fund is None or fund.budget_pence is None:
                sentence = f"{authority} has no budget recorded"
                yield Violation("out_of_county_budget", children, (), sentence)
            elif fund.spent_pence + total > fund.budget_pence and total > 0:
                sentence = f"{authority} would spend {total} pence beside {fund.spent_pence} of {fund.budget_pence}"
                yield Violation("out_of_county_budget", children, (), sentence)

    def _pence_a_year(self, child: Child, volunteer: Volunteer) -> int | None:
        path = "constraints.out_of_county_budget"
        if self.policy.choice(f"{path}.method") == "spot_purchase":
            return 100 * self.policy.number(f"{path}.spot_purchase_pounds")
        if child.placement is None or volunteer.home is None:
            return None
        there_and_back = 2 * metres(child.placement, volunteer.home)
        a_year = self.policy.number(f"{path}.pence_a_mile") * self.policy.number(f"{path}.visits_a_year")
        # Whole pence, rounded up: 1609.344 metres a mile, in millimetres to stay with integers.
        return (there_and_back * 1000 * a_year + 1_609_343) // 1_609_344


def _grouped(items: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for key, value in items:
        groups[key] = (*groups[key], value)
    return dict(groups)
