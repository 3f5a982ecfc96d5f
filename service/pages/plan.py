"""What the plan of a run says: how good it is, what it changes and for whom, and what has become of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matcher.records import Agreement, Child
from matcher.words import counted, pounds, same
from service.api.deps import Asking, Kith, may_identify, note_reading
from service.database import tables
from service.pages import journeys
from service.pages.children import standing, to_ask_again
from service.pages.lists import Page
from service.pages.reckoning import Reckoning
from service.plans import Found
from service.reasons import FOR_SAFETY
from service.repository import Repository, ids_in

Show = Literal["new", "changed", "unmatched", "dropped", "kept", "plan", "left", "shortlists"]

TABS: Mapping[Show, str] = {
    "new": "New", "changed": "Different volunteer", "unmatched": "Newly without", "dropped": "No longer waiting",
    "shortlists": "Shortlists", "left": "Still waiting", "kept": "As before", "plan": "All in the plan",
}  # fmt: skip
"""What changed comes first. What stays is a long list, and shown to who asks for it."""
_CHANGED: tuple[Show, ...] = ("new", "changed", "unmatched", "dropped", "shortlists")
_MORE = {
    "points": "{} better",
    "children_without_parental_contact": "a volunteer for {} more of the children without regular contact with parents",
    "children_matched": "{} more of the children with a volunteer",
    "priority": "{} better in priority",
    "fit": "{} better in fit",
}
"""What a plan may miss in the first tier of its policy."""


@dataclass(frozen=True)
class Figures:
    """A plan in a few numbers."""

    matched: int
    pinned: int
    """Of these, who were proposed to already, so that the plan keeps them."""
    left: int
    ready: int | None
    """How many of those left wait for nothing but a volunteer, while the records are those that the run read."""
    priority: int | None
    """Children without parental contact who are matched, where the policy gives points for them; and of how many."""
    priority_of: int | None
    spent: str
    budget: str
    """What the plan spends, beside what is left; that alone while the records are those that the run read, since an
    appointment made by the plan takes from what is left."""
    proof: str


def figures(reckoned: Reckoning, run: tables.Run, plan: Mapping[str, Any]) -> Figures:
    """`reckoned` is of today: what needs records is told only while they are those that the run read."""
    first = "no_parental_contact"
    points = [match["by_priority"][first] for match in plan["matches"] if first in match["by_priority"]]
    instance = reckoned.instance
    same = run.data_hash == instance.data_hash and run.as_of == instance.as_of
    left = sum(
        max(one.budget_pence - one.spent_pence, 0)
        for one in instance.authorities.values()
        if one.budget_pence is not None and same
    )
    return Figures(
        len(plan["matches"]), sum(bool(match.get("pinned")) for match in plan["matches"]), len(plan["unmatched"]),
        sum(reckoned.ready_children.get(one["child"], False) for one in plan["unmatched"]) if same else None,
        sum(map(bool, points)) if points else None,
        len(reckoned.without_contact) if same else None,
        pounds(sum(plan["spent_pence"].values())).removesuffix(".00"),
        f"spent of the {pounds(left).removesuffix('.00')} left this year" if left else "a year",
        proof(plan["status"], plan["tiers"], plan["first_tier_bound"]),
    )  # fmt: skip


def proof(status: str, tiers: Mapping[str, int], bound: int) -> str:
    """How good a plan is proven to be, for somebody who decides by it; `bound` is that of the first tier."""
    if status == "OPTIMAL":
        return "No better plan exists."
    tier, reached = next(iter(tiers.items()))
    most = bound - reached
    if most <= 0:
        return "The best found so far; what counts first cannot be bettered."
    number = f"{most:,}" if tier.startswith("children") else counted(most, "point", "points")
    return f"The best found so far; at most {_MORE[tier].format(number)} is possible."


def changes(
    person: Asking,
    kith: Kith,
    rows: Repository,
    reckoned: Reckoning,
    row: tables.Plan,
    found: Found,
    show: Show | None,
    number: int,
) -> dict[str, Any]:
    """The tabs with their counts, one page of the chosen one, and the map. To who may not identify children, counts."""
    every: Sequence[Mapping[str, Any]] = found.diff["changes"] if found.diff else ()
    of_kind = {kind: [one for one in every if one["kind"] == kind] for kind in TABS}
    differs = {kind: lines for kind, lines in of_kind.items() if lines}
    lists = {**differs, "plan": found.plan["matches"], "left": found.plan["unmatched"]}
    since_before = found.shortlists if found.before else ()
    if shortlists := own_first(changed_shortlists(reckoned, since_before), rows.account_name(person.user_id)):
        lists["shortlists"] = shortlists
    chosen = show if show in lists else next((kind for kind in _CHANGED if kind in lists), None)
    if chosen is None and not found.before:
        chosen = "plan"
    told = {
        "tabs": [(kind, TABS[kind]) for kind in TABS if kind in lists],
        "counts": {kind: len(lines) for kind, lines in lists.items()},
        "show": chosen, "differs": {kind: len(lines) for kind, lines in differs.items()},
        "shortlists": len(shortlists),
    }  # fmt: skip
    if not may_identify(person):
        note_reading(kith, person, "plan", "", plan=row.id)
        return {**told, "page": None, "map": None}
    lines = lists[chosen] if chosen else ()
    if chosen != "shortlists":  # which have an order of their own
        lines = sorted(lines, key=lambda one: reckoned.references.get(one["child"], ""))
    page = Page.of(lines, number, {"show": chosen or ""})
    reasons = " ".join(one.get("reason", "") for one in page.lines)  # which name other children
    named = {*ids_in(reasons, "C"), *(one["child"] for one in page.lines)}
    here = {child.id for child in reckoned.instance.children}
    planned = [one for one in page.lines if one["child"] in here] if chosen == "plan" and row.is_current else None
    note_reading(kith, person, "plan", "", plan=row.id, children=sorted(named))
    return {
        **told, "page": page, "map": journeys.of_plan(reckoned.instance, found.plan), "told": reckoned.told,
        "references": reckoned.references, "here": here,
        "now": None if planned is None else {one["child"]: _now(reckoned, one) for one in planned},
    }  # fmt: skip


@dataclass(frozen=True)
class Now:
    """What has become of one pair of the published plan."""

    words: str
    href: str
    """Where to go on."""


def _now(reckoned: Reckoning, pair: Mapping[str, Any]) -> Now:
    child = reckoned.instance.child(pair["child"])
    if child.id in reckoned.planned.to_propose:
        return Now("Propose from the shortlist", f"/children/{child.id}/shortlist#in-the-plan")
    live, (stands, words) = reckoned.live.get(child.id), standing(reckoned, child)
    if live is not None:
        told = "Under proposal" if stands == "proposed" else words
        besides = "" if live.volunteer_id == pair["volunteer"] else f", with {reckoned.references[live.volunteer_id]}"
        return Now(told + besides, f"/proposals/{live.id}")
    return Now("Not possible now" if stands == "waiting" else words, f"/children/{child.id}")


def changed_shortlists(reckoned: Reckoning, changes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The children whose shortlists changed, in words; who lost everybody first."""
    records = {one.id: one for one in reckoned.instance.children}
    told = [
        _shortlist(one, records.get(one["child"]), reckoned) for one in changes if one["child"] in reckoned.references
    ]
    return sorted(told, key=lambda one: (one["order"], one["reference"]))


def own_first(told: Iterable[Mapping[str, Any]], name: str) -> list[Mapping[str, Any]]:
    """The same, those of one coordinator before the others."""
    return sorted(told, key=lambda one: not name or same(one["coordinator"]) != same(name))


def _shortlist(change: Mapping[str, Any], record: Child | None, reckoned: Reckoning) -> dict[str, Any]:
    before, now = change["before"], change["now"]
    first = reckoned.references.get(now[0], "") if now else ""
    child = change["child"]
    if not now:
        order, words = _without_shortlist(child, record, reckoned, before)
    elif not before:
        order, words = 1, f"{first} could visit now"
    elif now[0] != before[0]:
        order, words = 2, f"{first} is first now"
    else:
        order, words = 3, "the first is the same; the order after it changed"
    coordinator = record.coordinator if record else None
    return {
        "child": child, "reference": reckoned.references[child], "words": words, "order": order,
        "coordinator": coordinator or "", "at": change.get("at"),
    }  # fmt: skip


def _without_shortlist(child: str, record: Child | None, reckoned: Reckoning, before: Sequence[str]) -> tuple[int, str]:
    """Of a child whose shortlist is empty now: what is to be looked at comes first, what is as it should be last."""
    live = reckoned.live.get(child)
    if live is not None:
        return 4, "has a visitor now" if child in reckoned.instance.visited else "is under proposal now"
    if record is not None and record.agrees is Agreement.NO:
        return 4, "said no to a visitor"
    if record is not None and record.agrees is not Agreement.YES:
        again = to_ask_again(reckoned, record)
        if again is None:
            return 4, "is to be asked first"
        return 4, "is to be asked again, for their safety" if again.reason in FOR_SAFETY else "wants no visitor now"
    return 0, "nobody could visit any more" if before else "nobody could visit yet"
