"""The independent checker: no plan is published before it has passed here.

It re-checks every rule and constraint from the records and the policy alone, one match at a time, in plain Python. It
shares no code with the rules, the columns or the solver, so that a mistake there cannot hide itself; import-linter
holds that it imports nothing of matcher but errors, records, policy and instance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import asin, cos, radians, sin, sqrt

from matcher.errors import AuditError
from matcher.instance import Instance
from matcher.records import Agreement, Child, MatchStatus, Place, Status, Strength, Volunteer

Pair = tuple[str, str]
"""Ids of a child and a volunteer."""

CORE = frozenset({"approved", "dbs_current", "child_agrees", "independent_of_authority", "sibling_history"})
"""Pair rules that hold whatever a policy says, should one that switches them off ever get here."""


@dataclass(frozen=True, order=True)
class Violation:
    """One rule broken by one match, or by the plan."""

    rule: str
    children: tuple[str, ...]
    volunteers: tuple[str, ...]
    sentence: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.sentence}"


def audit(instance: Instance, plan: Iterable[Pair]) -> tuple[Violation, ...]:
    """Every violation in a plan, given as (child id, volunteer id); empty if there is none."""
    return _Audit(instance).violations(list(plan))


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
        self.family = _families(instance)
        self.visited_by: dict[str, set[str]] = defaultdict(set)
        self.visits_now: dict[str, set[str]] = defaultdict(set)
        for match in instance.matches:
            self.visited_by[match.volunteer].add(match.child)
            if match.status is MatchStatus.CURRENT:
                self.visits_now[match.volunteer].add(match.child)
        self.no = {(between.child, between.volunteer) for between in instance.declined}
        self.no |= {(match.child, match.volunteer) for match in instance.matches}

    def violations(self, plan: list[Pair]) -> tuple[Violation, ...]:
        found: list[Violation] = []
        known = []
        for child, volunteer in plan:
            if child in self.children and volunteer in self.volunteers:
                known.append((self.children[child], self.volunteers[volunteer]))
            else:
                found.append(Violation("known", (child,), (volunteer,), f"{child} with {volunteer}: not in the data"))
        for one, other in known:
            for rule, keeps in self._pair_checks.items():
                in_force = rule in CORE or self.policy.on(f"rules.{rule}")
                if in_force and not keeps(one, other):
                    sentence = f"{one.id} with {other.id} breaks it, or a fact it needs is not recorded"
                    found.append(Violation(rule, (one.id,), (other.id,), sentence))
        for check in (self._one_visitor, self._capacity, self._siblings_apart, self._out_of_county_budget):
            found += check(known)
        return tuple(sorted(found))

    @property
    def _pair_checks(self) -> Mapping[str, Callable[[Child, Volunteer], bool]]:
        return {
            "approved": self._approved,
            "minimum_age": self._minimum_age,
            "dbs_current": self._dbs_current,
            "child_agrees": lambda child, _: child.agrees is Agreement.YES,
            "age_gap": self._age_gap,
            "travel": self._travel,
            "independent_of_authority": self._independent_of_authority,
            "sibling_history": self._sibling_history,
            "not_declined": lambda child, volunteer: (child.id, volunteer.id) not in self.no,
            "requested_gender": self._requested_gender,
            "language": self._language,
        }

    # ---- one match -------------------------------------------------------------------------------------------------

    def _approved(self, _: Child, volunteer: Volunteer) -> bool:
        signed = volunteer.agreement_signed_on
        return volunteer.status is Status.APPROVED and signed is not None and signed <= self.instance.as_of

    def _minimum_age(self, _: Child, volunteer: Volunteer) -> bool:
        born = volunteer.date_of_birth
        return born is not None and _birthday(born, self.policy.number("rules.minimum_age.years")) < self.instance.as_of

    def _dbs_current(self, _: Child, volunteer: Volunteer) -> bool:
        checked = volunteer.dbs_checked_on
        if checked is None:
            return False
        due = _birthday(checked, self.policy.number("rules.dbs_current.years"))
        return checked <= self.instance.as_of < due

    def _age_gap(self, child: Child, volunteer: Volunteer) -> bool:
        younger, older = child.date_of_birth, volunteer.date_of_birth
        if younger is None or older is None:
            return False
        return _birthday(older, self.policy.number("rules.age_gap.years")) <= younger

    def _travel(self, child: Child, volunteer: Volunteer) -> bool:
        if child.placement is None or volunteer.home is None or volunteer.travel_limit_metres is None:
            return False
        metres = _metres(child.placement, volunteer.home)
        miles = self.policy.number("rules.travel.miles")
        return metres <= volunteer.travel_limit_metres and metres <= miles * 1609.344

    def _independent_of_authority(self, child: Child, volunteer: Volunteer) -> bool:
        authority, connected = child.responsible_authority, volunteer.connected_authorities
        return authority is not None and connected is not None and authority not in connected

    def _sibling_history(self, child: Child, volunteer: Volunteer) -> bool:
        family = self.family.get(child.id)
        families = [self.family.get(other) for other in self.visited_by[volunteer.id]]
        return family is not None and None not in families and family not in families

    def _requested_gender(self, child: Child, volunteer: Volunteer) -> bool:
        if child.requested_gender_strength is not Strength.ESSENTIAL:
            return True
        return child.requested_gender is not None and child.requested_gender is volunteer.gender

    def _language(self, child: Child, volunteer: Volunteer) -> bool:
        needed = child.needed_languages or child.languages or ()
        return any(language in (volunteer.languages or ()) for language in needed)

    # ---- all matches -----------------------------------------------------------------------------------------------

    def _one_visitor(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        for child, volunteers in _grouped((child.id, volunteer.id) for child, volunteer in plan).items():
            now = sorted(other for other, visits in self.visits_now.items() if child in visits)
            if len(volunteers) + len(now) > 1:
                all_of_them = (*volunteers, *now)
                yield Violation("one_visitor", (child,), all_of_them, f"{child} would have {len(all_of_them)} visitors")

    def _capacity(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        most = self.policy.number("constraints.capacity.children")
        if not self.policy.on("constraints.capacity"):
            return
        for volunteer, children in _grouped((volunteer.id, child.id) for child, volunteer in plan).items():
            now = len(self.visits_now[volunteer])
            if now + len(children) > most:
                sentence = f"{volunteer} would visit {now + len(children)} children; the policy allows {most}"
                yield Violation("capacity", children, (volunteer,), sentence)

    def _siblings_apart(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
        for volunteer, children in _grouped((volunteer.id, child.id) for child, volunteer in plan).items():
            families = [self.family.get(child) for child in children]
            if len(set(families)) < len(families):
                yield Violation("siblings_apart", children, (volunteer,), f"siblings would share {volunteer}")

    def _out_of_county_budget(self, plan: list[tuple[Child, Volunteer]]) -> Iterator[Violation]:
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
        there_and_back = 2 * _metres(child.placement, volunteer.home)
        a_year = self.policy.number(f"{path}.pence_a_mile") * self.policy.number(f"{path}.visits_a_year")
        # Whole pence, rounded up: 1609.344 metres a mile, in millimetres to stay with integers.
        return (there_and_back * 1000 * a_year + 1_609_343) // 1_609_344


def _birthday(born: date, years: int) -> date:
    """The same day `years` later; born on 29 February, on 1 March of other years."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 2, 28) + timedelta(days=1)


def _metres(a: Place, b: Place) -> int:
    """Great-circle distance in whole metres, by the haversine formula on the mean earth radius."""
    north, south = radians(a.latitude), radians(b.latitude)
    half = sin((south - north) / 2) ** 2
    half += cos(north) * cos(south) * sin(radians(b.longitude - a.longitude) / 2) ** 2
    return round(2 * 6_371_008.8 * asin(sqrt(min(half, 1.0))))


def _families(instance: Instance) -> dict[str, int]:
    """A number a family for each child whose family is recorded: numbers spread along links until nothing changes."""
    links = [(child.id, child.family) for child in instance.children if child.family is not None]
    links += [(match.child, match.family) for match in instance.matches if match.family is not None]
    # A reference may be a sibling's own id: a link joins two names of one kind.
    names = sorted({name for link in links for name in link})
    number = {name: place for place, name in enumerate(names)}
    changed = True
    while changed:
        changed = False
        for one, other in links:
            least = min(number[one], number[other])
            if number[one] != least or number[other] != least:
                number[one] = number[other] = least
                changed = True
    return number


def _grouped(items: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for key, value in items:
        groups[key] = (*groups[key], value)
    return dict(groups)
