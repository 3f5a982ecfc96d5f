"""A policy: the rules, limits, weights and priorities of one authority, read from TOML.

A policy says *how much*; what a rule means is its class in `constraints.py` or `scoring.py`. Every number stands in the
policy file with its citation, none in the code. Sections:

    [rules.age_gap]            years = 7                 limits of a pair rule
    [constraints.capacity]     children = 1              limits of a plan constraint
    [scores.interests]         weight = 40               a score's weight and its choices
    [priorities.waiting_time]  points_a_day = 2          points that a child brings
    [objective]                tiers = ["points"]        what the plan maximises, highest first; its minimum fit, and
                                                         how many points a change of the plan before must be worth

`on = false` switches an entry off (core ones cannot be), `source` cites the document, `inherits` names the policy that
fills whatever this one leaves out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Protocol

from matcher.errors import PolicyError

SECTIONS = ("rules", "constraints", "scores", "priorities")

TIERS = {
    "points": "priority points and fit points together",
    "children_without_parental_contact": "the number of children without regular contact with parents who are matched",
    "children_matched": "the number of children matched",
    "priority": "the priority points of the children matched",
    "fit": "the fit points of the pairs",
}
"""What `[objective] tiers` may list, and what each counts."""


@dataclass(frozen=True)
class Whole:
    """A limit that is a whole number between `least` and `most`, both allowed, in `unit`."""

    unit: str
    least: int = 0
    most: int = 1_000_000

    def refusal(self, value: object) -> str | None:
        """What is wrong with `value` as this limit, or None."""
        if isinstance(value, bool) or not isinstance(value, int):
            return f"is not a whole number{self._of}"
        if not self.least <= value <= self.most:
            return f"is outside {self.least} to {self.most}{self._of.removeprefix(' of')}"
        return None

    @property
    def _of(self) -> str:
        """What is counted; a share of something else is a number of nothing."""
        return "" if self.unit.startswith("of ") else f" of {self.unit}"

    def show(self, value: object) -> str:
        return f"{value} {self.unit}"


@dataclass(frozen=True)
class Choice:
    """A limit that is one of a few words."""

    options: tuple[str, ...]

    def refusal(self, value: object) -> str | None:
        return None if value in self.options else f"is not one of {', '.join(self.options)}"

    def show(self, value: object) -> str:
        return str(value).replace("_", " ")


WEIGHT = Whole("of the scores' weights together", 0, 1000)
"""The limit of every score's weight."""


class Entry(Protocol):
    """What a rule, constraint, score or priority tells a policy of itself."""

    @property
    def id(self) -> str: ...
    @property
    def section(self) -> str: ...
    @property
    def core(self) -> bool: ...
    @property
    def limits(self) -> Mapping[str, Whole | Choice]: ...
    @property
    def ordered(self) -> tuple[str, ...]:
        """Limits of which none may be more than the next."""
        ...


@dataclass(frozen=True)
class Policy:
    """One authority's policy, whole: nothing is looked up elsewhere once it is read."""

    name: str
    title: str
    version: str
    sections: Mapping[str, Mapping[str, Mapping[str, Any]]]
    tiers: tuple[str, ...] = ("points",)
    minimum_fit: int = 0
    stability: int = 0
    """Points that a change of the plan before must be worth, for each pair that it gives up."""
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Which policy an entry such as `rules.travel` is from: this one, or one that it inherits."""
    as_read: Mapping[str, int] = field(default_factory=dict, compare=False)
    """The weights that the file gives to those scores that `with_weights` has given another."""

    def on(self, entry: str) -> bool:
        """Whether `rules.age_gap` (say) is in force. What a policy does not name is in force."""
        return bool(self._entry(entry).get("on", True))

    def number(self, path: str) -> int:
        """The whole number at `rules.age_gap.years`."""
        value = self._limit(path)
        if isinstance(value, bool) or not isinstance(value, int):
            raise PolicyError(f"Policy {self.name}: {path} is “{value}”, not a whole number. Correct it in the policy.")
        return value

    def choice(self, path: str) -> str:
        """The word at `scores.culture.when`."""
        return str(self._limit(path))

    def source(self, entry: str) -> str | None:
        """The citation that this policy gives for an entry."""
        return self._entry(entry).get("source")

    def with_weights(self, **weights: int) -> Policy:
        """The same policy with other weights of scores: `policy.with_weights(interests=30)`.

        What it plans is not what the policy itself does, so its name says so: "national, with interests 30".
        """
        scores = {name: dict(entry) for name, entry in self.sections["scores"].items()}
        for name, weight in weights.items():
            if name not in scores:
                raise PolicyError(f"There is no score “{name}”. The scores are {', '.join(sorted(scores))}.")
            if refusal := WEIGHT.refusal(weight):
                raise PolicyError(f"The weight of {name} = {weight!r} {refusal}.")
        as_read = {name: scores[name]["weight"] for name in weights} | dict(self.as_read)
        for name, weight in weights.items():
            scores[name]["weight"] = weight
        return replace(
            self,
            name=self.name.removesuffix(_by_hand(self.sections["scores"], self.as_read)) + _by_hand(scores, as_read),
            sections={**self.sections, "scores": scores},
            as_read=as_read,
        )

    @property
    def content_hash(self) -> str:
        """Twelve hex digits that change whenever anything that the policy decides changes."""
        content = {**self.sections, "tiers": self.tiers, "minimum_fit": self.minimum_fit, "stability": self.stability}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def stamp(self) -> str:
        """What a page or a shortlist bears: surrey 2026.1 (1a2b3c4d5e6f)."""
        return f"{self.name} {self.version} ({self.content_hash})"

    def with_core(self, entries: Iterable[Entry]) -> Policy:
        """The same policy with every core entry in force: one may have become core since the policy was written."""
        sections = {name: dict(section) for name, section in self.sections.items()}
        off = [entry for entry in entries if entry.core and not self.on(f"{entry.section}.{entry.id}")]
        for entry in off:
            sections[entry.section][entry.id] = {**sections[entry.section][entry.id], "on": True}
        return replace(self, sections=sections) if off else self

    def checked(self, entries: Iterable[Entry]) -> Policy:
        """This policy, if nothing is wrong with it; raises PolicyError that names everything that is."""
        if wrong := self.wrong(entries):
            raise PolicyError(f"Policy {self.name} cannot be used: " + "; ".join(what for _, what in wrong) + ".")
        return self

    def wrong(self, entries: Iterable[Entry]) -> list[tuple[str, str]]:
        """What keeps the catalogue's entries from following this policy: where, as `rules.travel.miles`, and what.

        Unknown entry or key, limit missing, of the wrong type or out of range, a core rule switched off.
        """
        known = {(entry.section, entry.id): entry for entry in entries}
        wrong: list[tuple[str, str]] = []
        for section in SECTIONS:
            for name, given in self.sections[section].items():
                entry = known.get((section, name))
                if entry is None:
                    others = ", ".join(sorted(i for s, i in known if s == section))
                    wrong.append((f"{section}.{name}", f"[{section}.{name}] is not known. Known are: {others}"))
                    continue
                wrong += _wrong_keys(f"{section}.{name}", entry, given)
        for (section, name), entry in known.items():
            given = self.sections[section].get(name, {})
            wrong += [
                (f"{section}.{name}", f"[{section}.{name}] gives no “{key}”. Add it ({limit_in_words(limit)})")
                for key, limit in entry.limits.items()
                if key not in given
            ]
        return wrong

    def _entry(self, path: str) -> Mapping[str, Any]:
        section, name = path.split(".")
        return self.sections[section].get(name, {})

    def _limit(self, path: str) -> Any:
        entry, _, key = path.rpartition(".")
        try:
            return self._entry(entry)[key]
        except KeyError:
            raise PolicyError(f"Policy {self.name} gives no {path}. Add it to the policy file.") from None


def _by_hand(scores: Mapping[str, Mapping[str, Any]], as_read: Mapping[str, int]) -> str:
    """What a policy's name says of the weights that are not as they were read."""
    changed = [f"{name} {scores[name]['weight']}" for name in as_read if scores[name]["weight"] != as_read[name]]
    return f", with {', '.join(changed)}" if changed else ""


def limit_in_words(limit: Whole | Choice) -> str:
    if isinstance(limit, Choice):
        return "one of " + ", ".join(limit.options)
    return f"a whole number of {limit.unit}"


def _wrong_keys(path: str, entry: Entry, given: Mapping[str, Any]) -> list[tuple[str, str]]:
    wrong = []
    for key, value in given.items():
        what = None
        if key == "source":
            if not isinstance(value, str):
                what = f"source = {value!r} must be words in quotes"
        elif key == "on":
            if not isinstance(value, bool):
                what = f"on = {value!r} must be true or false"
            elif entry.core and not value:
                what = "is a core rule and cannot be switched off. Remove “on = false”"
        elif key not in entry.limits:
            what = f"has no “{key}”. It knows: {', '.join([*entry.limits, 'on', 'source'])}"
        elif refusal := entry.limits[key].refusal(value):
            what = f"{key} = {value!r} {refusal}"
        if what:
            wrong.append((f"{path}.{key}", f"[{path}] {what}"))
    if not wrong and all(key in given for key in entry.ordered):
        wrong = [
            (f"{path}.{less}", f"[{path}] {less} = {given[less]} is more than {more} = {given[more]}")
            for less, more in pairwise(entry.ordered)
            if given[less] > given[more]
        ]
    return wrong
