"""What may never be broken: PAIR_RULES on one pair, PLAN_CONSTRAINTS on all the matches of a plan together.

One rule is one small class in `rules/` and its name in a tuple here. The command line, the pages, the documentation and
the contract tests read the tuples; nothing is listed twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from matcher.pairs import Bools, Ints, Pairs, Tables
from matcher.parallel import in_order
from matcher.policy import Policy
from matcher.rules.base import Limit, PairRule, PlanConstraint, Verdict
from matcher.rules.budget import OutOfCountyBudget
from matcher.rules.child import (
    ChildAgrees,
    FundingAgreed,
    ManagerApproval,
    PlacementStable,
    ReferralAge,
    ReferralReady,
    SafeguardingHold,
    StillLookedAfter,
    TimeLeft,
)
from matcher.rules.independence import IndependentOfAuthority, IndependentOfProvider, KnownToChild, SiblingHistory
from matcher.rules.pair import (
    AdditionalNeedsTraining,
    AgeGap,
    Commitment,
    Language,
    NotDeclined,
    RequestedCulture,
    RequestedGender,
    Travel,
    VolunteerLimits,
    policy_reach_metres,
)
from matcher.rules.plan import (
    Capacity,
    CoordinatorCaseload,
    OneVisitor,
    PartnersApart,
    Pinned,
    SiblingsApart,
    SiblingsTogether,
)
from matcher.rules.volunteer import (
    Approved,
    DatabaseCheck,
    DbsCurrent,
    MedicalClearance,
    MinimumAge,
    References,
    RightToWork,
    SupportSessions,
    Training,
    VehicleDocuments,
)

PAIR_RULES: tuple[PairRule, ...] = (
    Approved(),
    MinimumAge(),
    DbsCurrent(),
    References(),
    Training(),
    RightToWork(),
    VehicleDocuments(),
    MedicalClearance(),
    DatabaseCheck(),
    SupportSessions(),
    ChildAgrees(),
    ReferralAge(),
    ReferralReady(),
    PlacementStable(),
    SafeguardingHold(),
    ManagerApproval(),
    FundingAgreed(),
    StillLookedAfter(),
    TimeLeft(),
    AgeGap(),
    Travel(),
    IndependentOfAuthority(),
    IndependentOfProvider(),
    SiblingHistory(),
    NotDeclined(),
    KnownToChild(),
    RequestedGender(),
    Language(),
    RequestedCulture(),
    AdditionalNeedsTraining(),
    Commitment(),
    VolunteerLimits(),
)
"""Every rule on a pair, in the order in which a person is told of them."""

PLAN_CONSTRAINTS: tuple[PlanConstraint, ...] = (
    OneVisitor(),
    Capacity(),
    SiblingsApart(),
    SiblingsTogether(),
    PartnersApart(),
    OutOfCountyBudget(),
    CoordinatorCaseload(),
    Pinned(),
)
"""Every limit on a plan."""


def in_force(policy: Policy) -> tuple[Limit, ...]:
    """The rules and constraints that this policy applies."""
    return tuple(
        limit for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS) if limit.core or policy.on(f"{limit.section}.{limit.id}")
    )


def eligible(pairs: Pairs, policy: Policy) -> Bools:
    """Whether each pair passes every rule and could stand in some plan."""
    return _passing(pairs, in_force(policy), policy)


def eligible_pairs(tables: Tables, policy: Policy) -> Pairs:
    """The pairs that pass every rule and could stand in some plan, by child and then volunteer.

    Rules about one person are judged once a person, only pairs within reach are formed, and some children at a time: a
    county of ten thousand children and as many volunteers never becomes a hundred million rows.
    """
    everyone = tables.instance
    children = np.arange(len(everyone.waiting))
    volunteers = np.arange(len(everyone.volunteers))
    limits = in_force(policy)
    about_child = [limit for limit in limits if limit.about == "child"]
    about_volunteer = [limit for limit in limits if limit.about == "volunteer"]
    children = children[_passing(tables.children_alone(children), about_child, policy)]
    volunteers = volunteers[_passing(tables.volunteers_alone(volunteers), about_volunteer, policy)]
    reach = policy_reach_metres(policy) if policy.on("rules.travel") else None
    about_pair = [limit for limit in limits if limit.about == "pair"]
    if len(children) > tables.children_at_once:
        some = tables.pairs_within(children[:SAMPLE], volunteers[:SAMPLE], reach)
        about_pair.sort(key=lambda limit: int((limit.verdicts(some, policy) == Verdict.PASSES).sum()))

    def judged(first: int) -> tuple[Ints, Ints, Ints]:
        pairs = tables.pairs_within(children[first : first + tables.children_at_once], volunteers, reach)
        for limit in about_pair:
            pairs = pairs[limit.verdicts(pairs, policy) == Verdict.PASSES]
        return pairs.child_row, pairs.volunteer_row, pairs.metres

    found = [(children[:0], volunteers[:0], children[:0])]
    found += in_order(judged, range(0, len(children), tables.children_at_once))
    return Pairs(tables, *(np.concatenate(column) for column in zip(*found, strict=True)))


SAMPLE = 200
"""Children and volunteers whose pairs tell which rules exclude most: those go first, and leave less to the others."""


def _passing(pairs: Pairs, limits: Sequence[Limit], policy: Policy) -> Bools:
    passing = np.ones(len(pairs), dtype=np.bool_)
    for limit in limits:
        passing &= limit.verdicts(pairs, policy) == Verdict.PASSES
    return passing
