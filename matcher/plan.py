"""Plan: the matches proposed together by one run, who stays unmatched and why, and the proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:  # frames are for notebooks; a command that makes none need not wait for pandas
    import pandas as pd


@dataclass(frozen=True)
class PlannedMatch:
    """A pair that the plan proposes. A person decides it."""

    child: str
    volunteer: str
    points: int
    """Priority points of the child and fit points of the pair."""
    fit: int
    """Fit points, 0 to 1000."""
    priority: int
    by_score: Mapping[str, int]
    by_priority: Mapping[str, int]
    unknown: int
    """How much of the scores' weight is not recorded, in thousandths."""
    miles: float | None
    cost_pence: int
    """What the match costs outside the county in a year; 0 inside."""
    pinned: str = ""
    """"agreed" or "proposed" where it was so before this run."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What to hear of before it is proposed, by rule: exceptions, what it costs and how that was worked out, ties."""


@dataclass(frozen=True)
class NotKept:
    """A match that was agreed, proposed or planned before, and that a rule forbids by now. The plan goes on without it.

    `status` is "agreed", "proposed" or "planned".
    """

    child: str
    volunteer: str
    status: str
    reason: str


@dataclass(frozen=True)
class Unmatched:
    """A child who stays without a visitor, and why."""

    child: str
    kind: str
    """"child": a rule about the child does not pass; "nobody": no volunteer is eligible; "others": each eligible
    volunteer is planned for another child; "fit": only below the policy's minimum fit."""
    reason: str
    eligible: int
    """How many volunteers could visit this child."""
    excluded: Mapping[str, int]
    """How many volunteers each rule excludes first, in the order in which the rules are told."""


@dataclass(frozen=True)
class Plan:
    """Matches in order of child id, with what is proven of them."""

    matches: tuple[PlannedMatch, ...]
    unmatched: tuple[Unmatched, ...]
    status: str
    """OPTIMAL: no plan is worth more. FEASIBLE: a plan within the time limit, at most `gap` below the best."""
    tiers: Mapping[str, int]
    """What the plan reaches in each tier of the objective, highest first."""
    first_tier_bound: int
    """No plan reaches more than this in the first tier."""
    value: int
    bound: int
    """The whole objective as one integer, and what no plan exceeds. Equal when OPTIMAL."""
    as_of: date
    policy: str
    policy_version: str
    policy_hash: str
    data_hash: str
    children: int
    volunteers: int
    eligible_pairs: int
    spent_pence: Mapping[str, int]
    """What the plan costs outside the county in a year, by authority."""
    not_kept: tuple[NotKept, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    """Siblings at one place who are all matched, where the policy gives points for it."""
    together_points: int = 0
    """What these are worth, all together."""
    stability_points: int = 0
    """What the pairs kept of the plan before counted for being kept. No part of `points`."""

    @property
    def points(self) -> int:
        """Points of all matches, and of siblings matched at the same time."""
        return sum(match.points for match in self.matches) + self.together_points

    @property
    def gap(self) -> float:
        """The share of the bound that the plan may miss; 0.0 is proven best."""
        return (self.bound - self.value) / self.bound if self.bound else 0.0

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(child id, volunteer id) of each match."""
        return tuple((match.child, match.volunteer) for match in self.matches)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a match, in the columns of plan.csv."""
        return _frame(match_rows(self), MATCH_COLUMNS)

    @property
    def unmatched_frame(self) -> pd.DataFrame:
        """One row a child left, in the columns of unmatched.csv."""
        return _frame(unmatched_rows(self), UNMATCHED_COLUMNS)

    def diff(self, before: Plan) -> PlanDiff:
        """What this plan changes of a plan before, child by child, each with its reason.

        Rules that forbid a pair by now are told where this plan was made with `match(..., previous=before)`.
        """
        return PlanDiff(tuple(_changes(self, before)))

    def to_dict(self) -> dict[str, Any]:
        """The whole plan as JSON takes it."""
        return {**asdict(self), "as_of": self.as_of.isoformat(), "points": self.points}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Plan:
        """The plan that `to_dict` gave. Raises KeyError or TypeError for anything else."""
        given = {field.name: content[field.name] for field in fields(cls)}
        return cls(
            **{
                **given,
                "matches": tuple(PlannedMatch(**match) for match in given["matches"]),
                "unmatched": tuple(Unmatched(**child) for child in given["unmatched"]),
                "not_kept": tuple(NotKept(**lost) for lost in given["not_kept"]),
                "together": tuple(tuple(group) for group in given["together"]),
                "as_of": date.fromisoformat(given["as_of"]),
            }
        )


Kind = Literal["kept", "changed", "new", "unmatched", "dropped"]

KINDS: Mapping[Kind, str] = {
    "kept": "kept",
    "changed": "with another volunteer",
    "new": "new",
    "unmatched": "newly without a visitor",
    "dropped": "no longer waiting",
}
"""What may become of a child between two plans, in the order in which it is told."""


@dataclass(frozen=True)
class Change:
    """One child between two plans."""

    kind: Kind
    child: str
    before: str | None
    """The volunteer in the plan before."""
    volunteer: str | None
    """The volunteer in the plan now."""
    reason: str


@dataclass(frozen=True)
class PlanDiff:
    """What a plan changes of a plan before: one entry for each child matched in either, or newly without a visitor."""

    changes: tuple[Change, ...]

    def of(self, kind: Kind) -> tuple[Change, ...]:
        """The changes of one kind, in order of child id."""
        return tuple(change for change in self.changes if change.kind == kind)

    @property
    def sentence(self) -> str:
        """12 kept, 1 new, 1 newly without a visitor."""
        counts = [f"{len(self.of(kind)):,} {words}" for kind, words in KINDS.items() if self.of(kind)]
        return ", ".join(counts) + "." if counts else "Nobody was matched before, and nobody is now."

    @property
    def frame(self) -> pd.DataFrame:
        """One row a change."""
        return _frame([asdict(change) for change in self.changes], [field.name for field in fields(Change)])

    def to_dict(self) -> dict[str, Any]:
        return {"changes": [asdict(change) for change in self.changes], "sentence": self.sentence}


_WITHOUT = {
    "child": "In the plan before, something in the referral of {} stood in the way.",
    "nobody": "In the plan before, no volunteer could visit {}.",
    "others": "In the plan before, each volunteer who could visit {} was planned for another child.",
    "fit": "In the plan before, nobody fitted {} well enough.",
}
"""Why a child who has a volunteer now had none, by the kind of `Unmatched`."""


def _changes(plan: Plan, before: Plan) -> Iterator[Change]:
    was, now = dict(before.pairs), dict(plan.pairs)
    children_of: dict[str, list[str]] = {}
    for child, volunteer in plan.pairs:
        children_of.setdefault(volunteer, []).append(child)
    fit = {(match.child, match.volunteer): match.fit for match in (*before.matches, *plan.matches)}
    left = {child.child: child.reason for child in plan.unmatched}
    left_before = {child.child: child.kind for child in before.unmatched}
    forbidden = {(lost.child, lost.volunteer): lost.reason for lost in plan.not_kept}
    # Under two policies nothing is so by now, and points of fit are in two measures.
    one_policy = plan.policy_hash == before.policy_hash
    where = "now" if one_policy else "in this plan"

    def gone(child: str) -> str:
        """Why the volunteer of before is not the child's now."""
        volunteer = was[child]
        if (child, volunteer) in forbidden:
            return f"{volunteer} is no longer possible: {forbidden[child, volunteer]}"
        if volunteer in children_of:
            return f"{volunteer} is planned for {' and '.join(children_of[volunteer])} {where}."
        return f"{volunteer} is planned for nobody {where}."

    for child in sorted({*was, *now, *(left.keys() - left_before)}):
        there = now.get(child)
        if there is not None and was.get(child) == there:
            yield Change("kept", child, there, there, "As before.")
        elif there is not None and child in was:
            more = fit[child, there] - fit[child, was[child]]
            reckoned = f" {there} fits with {abs(more)} points {'more' if more >= 0 else 'less'}." if one_policy else ""
            yield Change("changed", child, was[child], there, f"{gone(child)}{reckoned}")
        elif there is not None:
            since = _WITHOUT.get(left_before.get(child, ""), "{} is new among those who wait.").format(child)
            yield Change("new", child, None, there, since)
        elif child in left:
            told = gone(child) if child in was else f"{child} is new among those who wait."
            yield Change("unmatched", child, was.get(child), None, f"{told} {left[child]}")
        else:
            yield Change("dropped", child, was[child], None, f"{child} no longer waits for a visitor.")


# Rows: the one set of column names that frames and CSV files have; `docs/analysts.md` tells what each holds. Every row
# has every column: a count that is 0 is 0, and only `miles` may be missing, where one of the two places is not known.

Row = dict[str, Any]

MATCH_COLUMNS = ("child_id", "volunteer_id")
UNMATCHED_COLUMNS = ("child_id", "kind", "reason", "eligible_volunteers")
"""What a table of no rows has."""


def match_rows(plan: Plan) -> list[Row]:
    """One row a match."""
    return [
        {
            "child_id": match.child,
            "volunteer_id": match.volunteer,
            "points": match.points,
            "fit_points": match.fit,
            **{f"fit_{name}": number for name, number in match.by_score.items()},
            "priority_points": match.priority,
            **{f"priority_{name}": number for name, number in match.by_priority.items()},
            "fit_not_recorded_percent": match.unknown // 10,
            "miles": match.miles,
            "out_of_county_pounds_a_year": match.cost_pence / 100,
            "before_this_plan": match.pinned or "new",
            "notes": " ".join(match.notes.values()),
        }
        for match in plan.matches
    ]


def unmatched_rows(plan: Plan, order: Sequence[str] = ()) -> list[Row]:
    """One row a child who stays; the rules that exclude anybody are columns, in this order as far as it is given."""
    counted = dict.fromkeys(name for child in plan.unmatched for name in child.excluded)
    rules = [*(name for name in order if name in counted), *(name for name in counted if name not in order)]
    return [
        {
            "child_id": child.child,
            "kind": child.kind,
            "reason": child.reason,
            "eligible_volunteers": child.eligible,
            **{f"excluded_by_{name}": child.excluded.get(name, 0) for name in rules},
        }
        for child in plan.unmatched
    ]


def _frame(rows: list[dict[str, Any]], columns_if_empty: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=None if rows else list(columns_if_empty))
