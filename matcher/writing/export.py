"""Plans and shortlists as files that a coordinator opens: a workbook to send on, CSV for other programs, HTML to print.

The same plan gives the same bytes: no clock, no random order. A cell that a spreadsheet would take for a formula is
neutralised with an apostrophe.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import Any

from matcher.catalogue import CATALOGUE, DOCUMENTS, described, title_of
from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS
from matcher.errors import InputError
from matcher.explain import who_visits_nobody
from matcher.instance import Instance
from matcher.plan import KINDS, MATCH_COLUMNS, UNMATCHED_COLUMNS, Plan, PlanDiff, match_rows, unmatched_rows
from matcher.reading import cells
from matcher.rules.budget import reckoned
from matcher.rules.plan import live_caseload
from matcher.shortlist import Candidate
from matcher.words import council, day, listed, pounds


def write_files(
    folder: str | Path,
    instance: Instance,
    plan: Plan,
    shortlists: Iterable[tuple[Candidate, ...]],
    diff: PlanDiff | None = None,
    reach: Mapping[str, int] | None = None,
) -> list[Path]:
    """Writes the files into a folder, made if need be, and gives their paths; changes.csv where there is a diff.

    `reach` is how many volunteers could visit each child, of whom `shortlists` hold the first few; the report tells it.
    """
    from matcher.writing.workbook import plan_xlsx  # takes 0.1 s to import

    into = Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    ranked = list(shortlists)
    contents: dict[str, str | bytes] = {
        "plan.xlsx": plan_xlsx(instance, plan, ranked, summary(instance, plan)),
        "plan.csv": plan_csv(plan),
        "shortlists.csv": shortlists_csv(plan, ranked),
        "unmatched.csv": unmatched_csv(plan),
        "report.html": report_html(instance, plan, ranked, reach),
        "plan.json": json.dumps(plan.to_dict(), indent=1, ensure_ascii=False) + "\n",
    }
    if diff is not None:
        contents["changes.csv"] = changes_csv(plan, diff)
    else:
        (into / "changes.csv").unlink(missing_ok=True)  # it would tell of another plan
    for name, content in contents.items():
        (into / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return [into / name for name in contents]


def read_plan(path: str | Path) -> Plan:
    """The plan that was written into a folder, or its plan.json. Raises InputError if it cannot be read as one."""
    file = Path(path)
    file = file / "plan.json" if file.is_dir() else file
    try:
        return Plan.from_dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"“{file}” cannot be read as a plan ({type(error).__name__}: {error}). "
            "Give the folder that `kith match --out` wrote."
        ) from None


def changes_csv(plan: Plan, diff: PlanDiff) -> str:
    """One row a child who was or is matched, or is newly without a visitor."""
    rows = [
        {
            "child_id": change.child,
            "change": KINDS[change.kind],
            "volunteer_before": change.before,
            "volunteer_id": change.volunteer,
            "reason": change.reason,
            **_stamp(plan),
        }
        for change in diff.changes
    ]
    return _csv(rows, ["child_id", "change", "volunteer_before", "volunteer_id", "reason"])


def plan_csv(plan: Plan) -> str:
    """One row a match."""
    rows = [
        {**row, "out_of_county_pounds_a_year": f"{row['out_of_county_pounds_a_year']:.2f}", **_stamp(plan)}
        for row in match_rows(plan)
    ]
    return _csv(rows, MATCH_COLUMNS)


def shortlists_csv(plan: Plan, shortlists: Sequence[tuple[Candidate, ...]]) -> str:
    """One row a candidate, child by child, best first."""
    rows = [
        {
            "child_id": one.child,
            "rank": one.rank,
            "volunteer_id": one.volunteer,
            "points": one.points,
            "fit_points": one.fit,
            "fit_not_recorded_percent": one.unknown // 10,
            "distance": one.distance,
            "out_of_county_pounds_a_year": f"{one.cost_pence / 100:.2f}",
            "in_the_plan": one.standing,
            "why": one.why,
            **_stamp(plan),
        }
        for candidates in shortlists
        for one in candidates
    ]
    return _csv(rows, ["child_id", "rank", "volunteer_id"])


def unmatched_csv(plan: Plan) -> str:
    """One row a child who stays without a visitor."""
    limits = [entry.id for entry in CATALOGUE if entry.section in ("rules", "constraints")]
    order = [name for id in limits for name in (id, f"{id}_not_recorded")]
    return _csv([{**row, **_stamp(plan)} for row in unmatched_rows(plan, order)], UNMATCHED_COLUMNS)


def report_html(
    instance: Instance,
    plan: Plan,
    shortlists: Sequence[tuple[Candidate, ...]],
    reach: Mapping[str, int] | None = None,
) -> str:
    """One page without script and without anything fetched, to read on a screen or print."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(
            lambda name: resources.files("matcher").joinpath("templates", name).read_text(encoding="utf-8")
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"day": day, "pounds": pounds, "council": council, "miles": _miles}
    titles = {entry.id: title_of(entry, instance.policy) for entry in CATALOGUE if entry.section == "scores"}
    return environment.get_template("report.html").render(
        instance=instance,
        plan=plan,
        alike=alike(plan),
        shortlists={candidates[0].child: candidates for candidates in shortlists},
        reach=reach or {},
        summary=summary(instance, plan),
        scores=titles,
        rules=described(instance.policy),
        documents=DOCUMENTS,
    )


def summary(instance: Instance, plan: Plan) -> dict[str, str]:
    """The plan in a few lines, each a question and its answer."""
    visited = len(instance.visited & {child.id for child in instance.children})
    idle, why = who_visits_nobody(instance)
    lines = {
        "As of": day(plan.as_of),
        "Policy": f"{plan.policy} {plan.policy_version} ({plan.policy_hash})",
        "Children": f"{plan.children} wait for a visitor" + (f"; {visited} have one" if visited else ""),
        "Volunteers": f"{plan.volunteers} on file" + (f"; {idle} can visit no child for now: {why}" if idle else ""),
        "Pairs that pass every rule": f"{plan.eligible_pairs:,}",
        "Matches proposed": f"{len(plan.matches)}, worth {plan.points:,} points",
        "Children left": str(len(plan.unmatched)),
    }
    before = Counter(match.pinned for match in plan.matches if match.pinned)
    if before:
        lines["Kept from before"] = listed(f"{count} {status}" for status, count in sorted(before.items()))
    for lost in plan.not_kept:
        lines[f"No longer possible: {lost.child} with {lost.volunteer}"] = f"{lost.status} before. {lost.reason}"
    if plan.together:
        siblings = "; ".join(listed(group) for group in plan.together)
        lines["Siblings matched at the same time"] = f"{siblings} ({plan.together_points:,} points)"
    lines |= _exceptions(plan) | _caseloads(instance, plan)
    for authority, fund in instance.authorities.items():
        if fund.budget_pence is not None:
            left = max(fund.budget_pence - fund.spent_pence, 0)
            spent = pounds(plan.spent_pence.get(authority, 0))
            answer = f"the plan spends {spent} of the {pounds(left)} left this year, {reckoned(instance.policy)}"
            lines[f"Out of county, {council(authority)}"] = answer
    lines["Proof"] = proof(plan)
    return lines


def _exceptions(plan: Plan) -> dict[str, str]:
    """The matches that only a recorded exception allows; each tells by the match who allowed it, when and why."""
    by_exception = {entry.id for entry in (*PAIR_RULES, *PLAN_CONSTRAINTS) if entry.by_exception}
    allowed = [f"{one.child} with {one.volunteer}" for one in plan.matches if by_exception & set(one.notes)]
    return {"By a recorded exception": listed(allowed)} if allowed else {}


def _caseloads(instance: Instance, plan: Plan) -> dict[str, str]:
    """The coordinators who are given matches, with all that they then support."""
    if not instance.policy.on("constraints.coordinator_caseload"):
        return {}
    most, live = instance.policy.number("constraints.coordinator_caseload.matches"), live_caseload(instance)
    given = Counter(instance.child(match.child).coordinator for match in plan.matches)
    return {
        f"Caseload of {name}": f"{live.get(name, 0)} now, {number} proposed, {most} at most"
        + (": full" if live.get(name, 0) + number >= most else "")
        for name, number in sorted((name, number) for name, number in given.items() if name is not None)
    }


def alike(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The children left, by what is told of them: one sentence, and the ids of all to whom it applies."""
    groups: dict[str, list[str]] = {}
    order = {"child": 0, "nobody": 1, "fit": 2, "others": 3}
    for one in sorted(plan.unmatched, key=lambda one: (order[one.kind], one.reason.replace(one.child, ""))):
        told = re.sub(rf"(?<![\w-]){re.escape(one.child)}(?![\w-])", "this child", one.reason)
        told = re.sub(r"(^|[.] )this child", r"\1This child", told)
        groups.setdefault(told, []).append(one.child)
    return {told: tuple(sorted(children)) for told, children in groups.items()}


def proof(plan: Plan) -> str:
    """How good the plan is proven to be."""
    if not (plan.children and plan.volunteers):
        missing = ["no child waits"] * (not plan.children) + ["there is no volunteer"] * (not plan.volunteers)
        return f"nothing to plan: {listed(missing)}"
    if plan.status == "OPTIMAL":
        return "OPTIMAL: no other plan is worth more"
    tier, reached = next(iter(plan.tiers.items()))
    return f"FEASIBLE: {reached:,} {tier.replace('_', ' ')}; no plan exceeds {plan.first_tier_bound:,}"


def _stamp(plan: Plan) -> dict[str, str]:
    return {
        "policy": f"{plan.policy} {plan.policy_version}",
        "policy_hash": plan.policy_hash,
        "data_hash": plan.data_hash,
        "as_of": plan.as_of.isoformat(),
    }


def _miles(number: float | None) -> str:
    if number is None:
        return "not known"
    return f"{number:g} miles" if number else "same district"


def _csv(rows: Sequence[Mapping[str, Any]], heading_if_empty: Sequence[str]) -> str:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else heading_if_empty)
    writer.writeheader()
    writer.writerows([{key: harmless(value) for key, value in row.items()} for row in rows])
    return text.getvalue()


def harmless(value: object) -> object:
    """A value that no spreadsheet takes for a formula."""
    if isinstance(value, str):
        return cells.harmless(value)
    return "" if value is None else value
