"""Kith matches children in care who wait for an Independent Visitor with approved volunteers.

    import matcher
    instance = matcher.read("data/samples/county", as_of="2026-11-01")
    plan = matcher.match(instance)
    plan.frame, plan.unmatched_frame
    matcher.shortlist(instance, "C0060", plan=plan)
    matcher.explain(instance, "C0060", "V0023")

A person decides every match: Kith proposes, explains, and refuses what the rules forbid.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from matcher.analysis.pictures import Compared, compare
from matcher.audit import Violation, audit
from matcher.catalogue import load_policy
from matcher.errors import (
    AuditError,
    InputError,
    KithError,
    NoPlanError,
    NotFoundError,
    PolicyError,
    Problem,
    ProblemError,
)
from matcher.explain import Explanation, explain
from matcher.frontier import Frontier, FrontierPoint, frontier
from matcher.instance import Instance, today
from matcher.options import shortlists_together
from matcher.pipeline import match
from matcher.plan import Change, Plan, PlanDiff, PlannedMatch, Unmatched
from matcher.planning.effects import Effects, PlanEffect
from matcher.policy import Policy
from matcher.readers import Reading, read_folder
from matcher.reading.cells import RefusedError, written_day
from matcher.records import Authority, Child, Declined, Match, Place, Volunteer
from matcher.shortlist import Candidate, shortlist, shortlist_for_volunteer

__all__ = [
    "AuditError",
    "Authority",
    "Candidate",
    "Change",
    "Child",
    "Compared",
    "Declined",
    "Effects",
    "Explanation",
    "Frontier",
    "FrontierPoint",
    "InputError",
    "Instance",
    "KithError",
    "Match",
    "NoPlanError",
    "NotFoundError",
    "Place",
    "Plan",
    "PlanDiff",
    "PlanEffect",
    "PlannedMatch",
    "Policy",
    "PolicyError",
    "Problem",
    "ProblemError",
    "Reading",
    "Unmatched",
    "Violation",
    "Volunteer",
    "audit",
    "compare",
    "explain",
    "frontier",
    "load_policy",
    "match",
    "read",
    "read_folder",
    "shortlist",
    "shortlist_for_volunteer",
    "shortlists_together",
    "today",
]


def read(
    folder: str | Path,
    *,
    policy: str | Path | Policy = "national",
    as_of: str | date | None = None,
    mapping: str | Path | None = None,
) -> Instance:
    """The instance in a folder of spreadsheets.

    Args:
        folder: holds the children and the volunteers, as .csv or .xlsx; matches and the other sheets if there are any.
        policy: a preset's name, a TOML file, or a Policy.
        as_of: the date on which every limit is reckoned, as a date, "2026-11-01" or "01/11/2026"; today in London if
            None.
        mapping: how files with other headings are read; the folder's own mapping.toml, if there is one, if None.

    Raises:
        InputError: with every problem, if any row cannot be used; if as_of is no date.
        PolicyError: if the policy cannot be followed.
    """
    when = _day(as_of) if isinstance(as_of, str) else as_of or today()
    if isinstance(when, datetime):
        when = when.date()
    chosen = policy if isinstance(policy, Policy) else load_policy(policy)
    return read_folder(folder, when, mapping).instance(chosen, when)


def _day(text: str) -> date:
    try:
        return written_day(text)
    except RefusedError as error:
        raise InputError(f"as_of: “{text}” {error.wrong}. {error.remedy}.") from None
