"""What matches outside the county cost, and the budget that they stay within."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from matcher.geography import METRES_PER_MILE
from matcher.pairs import NOT_RECORDED, Array, Between, Bools, Ints, Pairs
from matcher.policy import Choice, Policy, Whole
from matcher.rules.base import PlanConstraint
from matcher.words import council, counted, pounds


class OutOfCountyBudget(PlanConstraint):
    id = "out_of_county_budget"
    title = "Matches outside the county stay within the year's budget of each authority"
    short = "beyond the out-of-county budget"
    source = "NP; NS 12.2"
    limits = {
        "method": Choice(("mileage", "spot_purchase")),
        "pence_a_mile": Whole("pence a mile", 0, 1000),
        "visits_a_year": Whole("visits a year", 1, 366),
        "spot_purchase_pounds": Whole("pounds a year", 0, 1_000_000),
    }
    reads = ("child.responsible_authority", "child.placement_council", "child.placement", "volunteer.home")

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        # Mileage needs both places of a pair outside the county; `travel` asks for them only where it is in force.
        if path in ("child.placement", "volunteer.home"):
            by_mileage = policy.choice("constraints.out_of_county_budget.method") == "mileage"
            return self.outside(pairs) & by_mileage
        return super().needs(path, pairs, policy)

    def arrays(self, pairs: Pairs, policy: Policy) -> dict[str, Array]:
        fund = np.where(self.outside(pairs), pairs.child.responsible_authority, NOT_RECORDED)
        size = int(pairs.tables.child.responsible_authority.max(initial=-1)) + 1
        left = self._left(pairs)
        return {
            "cost": self.cost(pairs, policy),
            "fund": fund,
            "budget": np.array([max(left.get(authority) or 0, 0) for authority in range(size)], dtype=np.int64),
        }

    def outside(self, pairs: Pairs) -> Bools:
        """Whether the child is placed in another council than the one responsible."""
        return np.asarray(pairs.child.placement_council != pairs.child.responsible_authority)

    def cost(self, pairs: Pairs, policy: Policy) -> Ints:
        """Pence a year of each pair, rounded up so that a budget is never exceeded; 0 inside the county.

        Mileage: there and back, straight-line metres, at the policy's rate, as often as the policy hopes for.
        """
        path = "constraints.out_of_county_budget"
        if policy.choice(f"{path}.method") == "spot_purchase":
            pence = np.full(len(pairs), policy.number(f"{path}.spot_purchase_pounds") * 100, dtype=np.int64)
        else:
            a_metre = 2 * policy.number(f"{path}.pence_a_mile") * policy.number(f"{path}.visits_a_year")
            metres_a_mile = round(METRES_PER_MILE * 1000)
            pence = -(-(np.maximum(pairs.metres, 0) * a_metre * 1000) // metres_a_mile)
        return np.where(self.outside(pairs), pence, 0)

    def known(self, pairs: Pairs, policy: Policy) -> Bools:
        left = self._left(pairs)
        budgeted = np.array(sorted(authority for authority, pence in left.items() if pence is not None), dtype=np.int64)
        funded = np.isin(pairs.child.responsible_authority, budgeted)
        return super().known(pairs, policy) & (~self.outside(pairs) | funded)

    def blanks(self, pairs: Pairs, policy: Policy) -> Iterator[tuple[str, Bools]]:
        yield from super().blanks(pairs, policy)
        without = [authority for authority, pence in self._left(pairs).items() if pence is None]
        known = super().known(pairs, policy)
        yield (
            "authorities.budget_pounds",
            known & self.outside(pairs) & np.isin(pairs.child.responsible_authority, without),
        )

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        left = self._left(pairs)
        rest = np.array([max(left.get(one) or 0, 0) for one in range(max(left, default=NOT_RECORDED) + 1)] + [0])
        of_pair = rest[pairs.child.responsible_authority]  # the last stands for an authority that is not recorded
        return np.asarray(~self.outside(pairs) | (self.cost(pairs, policy) <= of_pair))

    def worth_telling(self, between: Between, policy: Policy) -> bool:
        return bool(self.outside(between.pairs)[0])

    def passing(self, between: Between, policy: Policy) -> str:
        if not self.outside(between.pairs)[0]:
            return f"{between.child.id} is placed in {council(between.child.placement_council)}: no out-of-county cost."
        return f"{self._bill(between, policy)} {self._rest(between)}"

    def failing(self, between: Between, policy: Policy) -> str:
        return f"Too expensive: {self._bill(between, policy)} {self._rest(between)}"

    def not_recorded(self, between: Between, policy: Policy) -> str:
        if not super().known(between.pairs, policy)[0]:
            return super().not_recorded(between, policy)
        authority = council(between.child.responsible_authority)
        return (
            f"Not recorded: what {authority} may spend on matches outside the county in a year "
            "(authorities, column budget_pounds)."
        )

    def _bill(self, between: Between, policy: Policy) -> str:
        path = "constraints.out_of_county_budget"
        bill = pounds(int(self.cost(between.pairs, policy)[0]))
        # By name: a county may have two councils, and outside the one is not outside the other.
        outside = f"outside {council(between.child.responsible_authority)}"
        if policy.choice(f"{path}.method") == "spot_purchase":
            return f"A visitor for {between.child.id} is bought {outside} for {bill} a year."
        home = between.volunteer.home
        if not between.metres and home and home.precision == "outcode":
            return (
                f"{between.child.id} is placed {outside}, in the postcode district where {between.volunteer.id} lives: "
                f"how long the journeys are is not known from that, so it counts as {bill} a year, {reckoned(policy)}."
            )
        # The distance that stands elsewhere in the same row; the cost is reckoned to the metre, hence “about”.
        return (
            f"{between.child.id} is placed {outside}, {bill} a year, {reckoned(policy)} of about "
            f"{between.shown_distance} each way, at {policy.number(f'{path}.pence_a_mile')}p a mile."
        )

    def telling(self, between: Between, policy: Policy) -> str:
        """With what is recorded of who said yes to the cost, whether the policy asks for that or not."""
        child = between.child
        said = f"Funding agreed: {_SAID[child.funding_agreed]}; approved by a manager: {_SAID[child.manager_approved]}."
        return f"{self.passing(between, policy)} {said}"

    def _rest(self, between: Between) -> str:
        authority = between.child.responsible_authority
        budget = between.instance.authorities[authority or ""]
        rest = pounds(max((budget.budget_pence or 0) - budget.spent_pence, 0))
        return f"{council(authority)} has {rest} left this year."

    def _left(self, pairs: Pairs) -> dict[int, int | None]:
        """Pence left a year by authority code; None where no budget is recorded."""
        instance, column = pairs.tables.instance, pairs.tables.child.responsible_authority
        left: dict[int, int | None] = {}
        for authority, first in zip(*(one.tolist() for one in np.unique(column, return_index=True)), strict=True):
            known = instance.authorities.get(instance.waiting[first].responsible_authority or "")
            budget = known.budget_pence if known else None
            left[authority] = None if known is None or budget is None else budget - known.spent_pence
        return left


_SAID = {True: "yes", False: "no", None: "not recorded"}


def reckoned(policy: Policy) -> str:
    """By what a match outside the county is reckoned to cost what it does in a year: the policy's visits.

    How often two meet is theirs to agree and is no fact of a match, so that no cost follows it. "" where the policy
    counts no cost.
    """
    path = "constraints.out_of_county_budget"
    if not policy.on(path):
        return ""
    if policy.choice(f"{path}.method") == "spot_purchase":
        return "reckoned at the price of a spot purchase"
    return f"reckoned with {counted(policy.number(f'{path}.visits_a_year'), 'visit', 'visits')} a year"


def out_of_county_pence(pairs: Pairs, policy: Policy) -> Ints:
    """What each pair costs outside the county in a year; 0 where the policy does not count it."""
    if not policy.on("constraints.out_of_county_budget"):
        return np.zeros(len(pairs), dtype=np.int64)
    return OutOfCountyBudget().cost(pairs, policy)
