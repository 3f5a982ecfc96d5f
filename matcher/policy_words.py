"""Policies told to a person: one in words, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from string import Formatter
from typing import Any

from matcher.catalogue import CATALOGUE, described, with_limits
from matcher.policy import TIERS, WEIGHT, Choice, Entry, Policy, Whole
from matcher.words import listed, spoken

ASKS = {
    "rules.age_gap": "asks for a volunteer |{years} older than the child",
    "rules.commitment": "asks |for {months} of commitment",
    "rules.database_check": "checks a volunteer in the authority's social care records |every {years}",
    "rules.dbs_current": "asks for a DBS check |every {years}",
    "rules.funding_agreed": "asks a manager to agree to pay for a child placed out of county|",
    "rules.manager_approval": "asks for the team manager's approval of the referral|",
    "rules.medical_clearance": "asks for clearance of a medical condition that a volunteer declared|",
    "rules.minimum_age": "asks for volunteers |over {years}",
    "rules.placement_stable": "lets a child wait who is about to move placement|",
    "rules.references": "asks |for {accepted} (from a professional: {professional})",
    "rules.referral_age": "takes referrals |under {years} and supports a match up to {support_years}",
    "rules.referral_ready": "asks |for {months} in care, with proceedings concluded and a long-term plan",
    "rules.right_to_work": "asks for proof that a volunteer may work in the United Kingdom|",
    "rules.support_sessions": "asks |for {a_year} of support before a further match",
    "rules.time_left": "asks |for {months} left before support ends",
    "rules.travel": "allows a journey |of {miles}",
    "rules.vehicle_documents": "asks who drives a child for insurance, an MOT and a licence checked |every {years}",
    "constraints.coordinator_caseload": "gives a coordinator |{matches} at most",
    "constraints.out_of_county_budget": "counts what a match outside the county costs |by {method}",
    "constraints.partners_apart": "keeps two volunteers of one household from visiting siblings|",
    "constraints.siblings_together": "matches siblings at one address at the same time, |{how}",
    "scores.culture": "counts shared ethnicity, heritage and religion |{when}",
    "scores.visit_rhythm": "hopes |for {hoped} visits where the child has not said",
}
"""How a difference is said where the entry's title does not say it well; what stands before | is said only once."""

_USUAL = {
    "rules": "asks |that {title}",
    "constraints": "asks that {title}|",
    "scores": "weighs “{title}” |with {weight}",
    "priorities": "gives points for “{title}”|",
}
_NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


@dataclass(frozen=True)
class Difference:
    """One entry on which two policies differ."""

    section: str
    id: str
    sentence: str
    one: Mapping[str, Any]
    other: Mapping[str, Any]
    """What each policy says: whether it is `on`, its limits, and its `source`."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def told(policy: Policy) -> dict[str, Any]:
    """A whole policy: what it is, what its plans are for, and each entry with the policy that it is from."""
    return {
        "policy": policy.name,
        "title": policy.title,
        "version": policy.version,
        "hash": policy.content_hash,
        "objective": {**_aims(policy), "in_words": objective_words(policy)},
        "entries": [_entry(entry, row, policy) for entry, row in zip(CATALOGUE, described(policy), strict=True)],
    }


def _entry(entry: Entry, row: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """A row of `described`, with its limits as a coordinator would say them and the policy that it is from."""
    shown = {
        key: {"value": limit["value"], "shown": in_words(entry.limits[key], limit["value"])}
        for key, limit in row["limits"].items()
    }
    if row["section"] == "scores" and row["in_force"]:
        shown["weight"]["shown"] += f" of {_together(policy)}"
    return {**row, "limits": shown, "from": policy.origins.get(f"{row['section']}.{row['id']}", policy.name)}


def _together(policy: Policy) -> int:
    """The weights in force, added up."""
    return sum(given["weight"] for id, given in policy.sections["scores"].items() if policy.on(f"scores.{id}"))


def objective_words(policy: Policy) -> str:
    """What the policy's plans are for, in a sentence."""
    tiers = ", and only then for ".join(TIERS[tier] for tier in policy.tiers)
    least = f" No match is made below {policy.minimum_fit} points of fit." if policy.minimum_fit else ""
    change = f" A change of the plan before must be worth {policy.stability} points." if policy.stability else ""
    return f"Plans are made for {tiers}.{least}{change}"


def _aims(policy: Policy) -> dict[str, Any]:
    return {"tiers": policy.tiers, "minimum_fit": policy.minimum_fit, "stability": policy.stability}


def differences(one: Policy, other: Policy) -> tuple[Difference, ...]:
    """Where two policies decide differently: what the plan is for, then entry by entry as the catalogue has them."""
    found = []
    aims = [_aims(policy) for policy in (one, other)]
    if aims[0] != aims[1]:
        sentence = " ".join(f"{policy.title}: {_lowered(objective_words(policy))}" for policy in (one, other))
        found.append(Difference("objective", "objective", sentence, *aims))
    for entry in CATALOGUE:
        sides = [said(entry, policy) for policy in (one, other)]
        differing = [key for key in ("on", *entry.limits) if sides[0].get(key) != sides[1].get(key)]
        if differing:
            sentence = _sentence(entry, (one.title, other.title), sides, differing)
            found.append(Difference(entry.section, entry.id, sentence, *sides))
    return tuple(found)


def said(entry: Entry, policy: Policy) -> dict[str, Any]:
    """What a policy says of an entry: whether it is on, its limits if it is, and its source."""
    path = f"{entry.section}.{entry.id}"
    given = policy.sections[entry.section].get(entry.id, {})
    limits = {key: given[key] for key in entry.limits} if policy.on(path) else {}
    return {"on": policy.on(path), **limits, "source": policy.source(path)}


def in_words(limit: Whole | Choice, value: Any) -> str:
    """two years, of 24 months; once a coordinator would say it so."""
    if isinstance(limit, Choice):
        return limit.show(value)
    if limit is WEIGHT:
        return str(value)
    unit = limit.unit
    if unit == "months" and value and value % 12 == 0:
        unit, value = "years", value // 12
    first, *rest = unit.split()
    if value == 1:
        first = "child" if first == "children" else first.removesuffix("s")
    return " ".join([_NUMBERS[value] if value < len(_NUMBERS) else f"{value:,}", first, *rest])


def _sentence(entry: Any, titles: tuple[str, str], sides: Sequence[Mapping[str, Any]], differing: list[str]) -> str:
    once, _, each = ASKS.get(f"{entry.section}.{entry.id}", _USUAL[entry.section]).partition("|")
    asked = [
        (title, *_asked(once, each, entry, side, differing))
        for title, side in zip(titles, sides, strict=True)
        if side["on"]
    ]
    title, once, each = asked[0]
    if len(asked) == 1:
        silent = titles[0] if title == titles[1] else titles[1]
        return f"{title} {once}{each}; {silent} does not."
    return f"{title} {once}{each}; {titles[1]} {asked[1][2].lstrip()}."


def _asked(once: str, each: str, entry: Any, side: Mapping[str, Any], differing: list[str]) -> tuple[str, str]:
    """What a policy asks in two parts, the second with every limit in which it differs."""
    shown = {key: in_words(limit, side[key]) for key, limit in entry.limits.items()}
    title = with_limits(entry.title, {key: side[key] for key in entry.limits})
    words = {**shown, "title": title if "“" in once else _lowered(title)}
    fields = set(_fields(once + each) + (_fields(entry.title) if "{title}" in once + each else []))
    rest = [_named(key, shown[key]) for key in differing if key not in ("on", *fields)]
    more = f" ({listed(rest)})" if rest else ""
    first, second = (part.format_map(words).replace("every one ", "every ") for part in (once, each))
    return first, second + more


def _named(key: str, shown: str) -> str:
    name = spoken(key)
    return shown if name in shown else f"{name} {shown}"


def _fields(text: str) -> list[str]:
    return [field for _, field, _, _ in Formatter().parse(text) if field]


def _lowered(sentence: str) -> str:
    """A sentence to go on with; capitals stay where the second letter is one too."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]
