"""Everything that a policy can speak of, in one list: what `kith rules`, the documentation and the tests read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS
from matcher.policies.files import read_policy
from matcher.policy import Policy
from matcher.rules.base import Limit
from matcher.scoring import PRIORITIES, SCORES, Priority, Score

CATALOGUE: tuple[Limit | Score | Priority, ...] = (*PAIR_RULES, *PLAN_CONSTRAINTS, *SCORES, *PRIORITIES)

DOCUMENTS: Mapping[str, str] = {
    "CA": "Children Act 1989 s.23ZB",
    "NS": "National Standards for the Provision of IV Services, January 2016",
    "N": "Northamptonshire policy",
    "NP": "Northamptonshire information for professionals",
    "R": "Rotherham procedures",
    "S": "Surrey policy",
    "Kith": "no document gives a figure: a starting point for an authority to change",
}
"""What sources are cited by, as `S 6`, and the document that each stands for."""


def load_policy(name_or_file: str | Path = "national") -> Policy:
    """The policy of a preset's name or of a TOML file, held against the catalogue. Raises PolicyError."""
    return read_policy(name_or_file, CATALOGUE)


def policy_of(text: str, name: str = "policy.toml") -> Policy:
    """The policy of a TOML text, held against the catalogue; `name` is what messages call it. Raises PolicyError."""
    return read_policy(name, CATALOGUE, text=text)


def title_of(entry: Limit | Score | Priority, policy: Policy) -> str:
    """The entry's sentence with the policy's limits in it."""
    return with_limits(entry.title, _limits_of(entry, policy))


def with_limits(title: str, limits: Mapping[str, Any]) -> str:
    """A title with its limits written in; [what stands in brackets] is left out where its limit is 0."""
    kept = re.sub(r"\[(.*?\{(\w+)\}.*?)\]", lambda part: part[1] if limits[part[2]] else "", title)
    return kept.format_map(limits)


def described(policy: Policy) -> list[dict[str, Any]]:
    """One row an entry: section, id, title, source, core, whether it is in force, and the policy's limits."""
    return [
        {
            "section": entry.section,
            "id": entry.id,
            "title": title_of(entry, policy),
            "core": entry.core,
            "in_force": policy.on(f"{entry.section}.{entry.id}"),
            "limits": {
                key: {"value": value, "shown": entry.limits[key].show(value)}
                for key, value in _limits_of(entry, policy).items()
            },
            "source": policy.source(f"{entry.section}.{entry.id}") or entry.source,
        }
        for entry in CATALOGUE
    ]


def _limits_of(entry: Limit | Score | Priority, policy: Policy) -> Mapping[str, Any]:
    given = policy.sections[entry.section].get(entry.id, {})
    return {key: given[key] for key in entry.limits}
