"""Writes docs/presets.md, and at the end of each preset where it is silent: python scripts/build_presets.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from textwrap import fill
from typing import Any

from matcher.analysis.comparison import compared, outcome
from matcher.catalogue import CATALOGUE, DOCUMENTS, load_policy
from matcher.policies.files import preset_names
from matcher.policy import SECTIONS, Choice, Policy, Whole
from matcher.policy_words import differences, in_words, said
from matcher.readers import read_folder

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "presets.md"
AS_OF = date(2026, 11, 1)
SILENT = "# ---- silent: as national ".ljust(119, "-")

READINGS = """\
## Where the documents leave room

- **Support ends at 21.** N (Age limits) and S 12.1.9 name it; beyond it Surrey decides case by case, which is not for a
  plan. R names no age, and inherits: R 19 calls what follows care “informal” and may pay for it “until such times as
  its own after-care responsibilities expire”. Ended at 18, nobody of 17 would be offered a visitor in Rotherham.
- **Support sessions keep nobody from a match in Surrey and Rotherham.** S 9 and R 15 expect attendance; only N makes it
  a condition (“for the match to continue to be approved”).
- **Northamptonshire ranks children without parental contact first** (a tier of their own), since N says that they “will
  be prioritised”. R 3 and S 2.1 list circumstances to consider, which are points.
- **Culture counts always in Rotherham alone.** R 14 says “where ever possible”. S 8 speaks of “backgrounds” without
  saying whose or which, so Surrey stays with NS 7.5: if the child asks.
- **A professional reference is asked for in Northamptonshire alone.** S 6 has employers' references “where applicable”.
- **Driving papers:** N wants licence, insurance and MOT renewed yearly. S 14.11 wants them valid, and S 9 checks them
  every three years. R and NS do not speak of them.
- **Visits a year**, for what mileage costs: 26 where one a fortnight is hoped for (N, which pays by spot purchase, so
  that none is counted today), 24 where two a month are asked for (R App. 2), 12 where one a month is (NS 8.1, S 5(2)).
- **After care no match begins.** N (Age limits) and S 14.18 go on supporting a match until 21, R 19 calls it informal;
  none of them says that a first visitor is found for somebody who is no longer looked after.
- **Partners and siblings:** S 15.5 lets partners both visit, and asks that what a child tells stays with the visitor;
  hence two of one household do not visit siblings.
- What no document gives a figure for – weights, points, prices, miles – is the same in all four, marked “Kith” in
  `national`, and an authority's to change.
"""


def presets_page() -> str:
    """The page that tells how the presets differ, in words and on the county sample."""
    policies = [load_policy(name) for name in preset_names()]
    national, *councils = policies
    return "\n".join([
        "# The four presets",
        "",
        "Generated from `matcher/policies/` and `data/samples/county` by `python scripts/build_presets.py`. "
        "`kith policy show NAME` tells a preset whole, `kith policy diff A B` any two of them. Sources: "
        + "; ".join(f"{short} {document}" for short, document in DOCUMENTS.items()) + ".",
        "",
        "A council's preset holds what its own document says. Where that is silent it inherits `national`, and the "
        "list at the end of its file names every such line.",
        "",
        "## Side by side",
        "",
        "What at least one decides otherwise than another; – where it is not asked.",
        "",
        *_markdown([["", *(policy.name for policy in policies)], *_side_by_side(policies)]),
        "",
        *(line for council in councils for line in _told(council, national)),
        READINGS,
        "## The county sample under each",
        "",
        f"`kith policy compare data/samples/county --as-of {AS_OF}` tells this table. A rule's line counts the pairs "
        "that it excludes, whatever the others say of them; below it those that lack a fact.",
        "",
        *_markdown(_compared(policies)),
        "",
    ])  # fmt: skip


def _side_by_side(policies: Sequence[Policy]) -> list[list[str]]:
    rows = [["the plan is for", *(", then ".join(policy.tiers).replace("_", " ") for policy in policies)]]
    for entry in CATALOGUE:
        sides = [said(entry, policy) for policy in policies]
        asked = len({side["on"] for side in sides}) > 1
        keys = [key for key in entry.limits if asked or len({side.get(key) for side in sides}) > 1]
        if asked or keys:
            rows.append([entry.id.replace("_", " "), *(_cell(entry.limits, keys, side) for side in sides)])
    return rows


def _cell(limits: Mapping[str, Whole | Choice], keys: Sequence[str], side: Mapping[str, Any]) -> str:
    if not side["on"]:
        return "–"
    named = len(limits) > 1 and len(keys) == 1
    words = [(f"{key}: " if named else "") + in_words(limits[key], side[key]) for key in keys]
    return ", ".join(words).replace("_", " ") or "yes"


def _told(council: Policy, national: Policy) -> list[str]:
    lines = [f"## {council.title}, against {national.title}", ""]
    for line in differences(council, national):
        source = f" *{line.one['source']}*" if line.one.get("source") else ""
        lines.append(f"- {line.sentence}{source}")
    return [*lines, ""]


def _compared(policies: Sequence[Policy]) -> list[list[str]]:
    reading = read_folder(ROOT / "data" / "samples" / "county", AS_OF)
    return compared(outcome(reading.instance(policy, AS_OF)) for policy in policies)


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    heading, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return [heading, "|---" * len(rows[0]) + "|", *rest]


def with_silent_lines(text: str, policy: Policy) -> str:
    """A preset's file with the list of all that its document leaves to `national`, by section, at its end."""
    lines = [text.partition(SILENT)[0] + SILENT]
    for section in SECTIONS:
        ids = [one.id for one in CATALOGUE if one.section == section]
        silent = ", ".join(id for id in ids if policy.origins.get(f"{section}.{id}") != policy.name)
        if silent:
            lines.append(fill(silent, 119, initial_indent=f"# {section}: ", subsequent_indent="#   "))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for name in preset_names()[1:]:
        file = ROOT / "matcher" / "policies" / f"{name}.toml"
        file.write_text(with_silent_lines(file.read_text(encoding="utf-8"), load_policy(name)), encoding="utf-8")
    PAGE.write_text(presets_page(), encoding="utf-8")
