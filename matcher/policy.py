"""A policy: the rules, limits, weights and priorities of one authority, read from TOML.

A policy says *how much*; what a rule means is its class in `constraints.py` or `scoring.py`. Every number stands in the
policy file with its citation, none in the code. Sections:

    [rules.age_gap]            years = 7                 limits of a pair rule
    [constraints.capacity]     children = 1              limits of a plan constraint
    [scores.interests]         weight = 40               a score's weight and its choices
    [priorities.waiting_time]  points_a_day = 2          points that a child brings
    [objective]                tiers = ["points"]        what the plan maximises, highest first

`on = false` switches an entry off (core ones cannot be), `source` cites the document, `inherits` names the policy that
fills whatever this one leaves out.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from matcher.errors import PolicyError

SECTIONS = ("rules", "constraints", "scores", "priorities")

TIERS = {
    "points": "priority points and fit points together",
    "children_without_parental_contact": "the number of children without parental contact who are matched",
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
            return f"is not a whole number of {self.unit}"
        if not self.least <= value <= self.most:
            return f"is outside {self.least} to {self.most} {self.unit}"
        return None

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


@dataclass(frozen=True)
class Policy:
    """One authority's policy, whole: nothing is looked up elsewhere once it is read."""

    name: str
    title: str
    version: str
    sections: Mapping[str, Mapping[str, Mapping[str, Any]]]
    tiers: tuple[str, ...] = ("points",)
    minimum_fit: int = 0

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
        """The same policy with other weights of scores: `policy.with_weights(interests=30)`."""
        scores = {name: dict(entry) for name, entry in self.sections["scores"].items()}
        for name, weight in weights.items():
            if name not in scores:
                raise PolicyError(f"There is no score “{name}”. The scores are {', '.join(sorted(scores))}.")
            if refusal := WEIGHT.refusal(weight):
                raise PolicyError(f"The weight of {name} = {weight!r} {refusal}.")
            scores[name]["weight"] = weight
        return replace(self, sections={**self.sections, "scores": scores})

    @property
    def content_hash(self) -> str:
        """Twelve hex digits that change whenever anything that the policy decides changes."""
        content = {**self.sections, "tiers": self.tiers, "minimum_fit": self.minimum_fit}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def checked(self, entries: Iterable[Entry]) -> Policy:
        """This policy, once every entry of the catalogue has its limits and no line is left over.

        Raises PolicyError that names each line: unknown entry or key, limit missing, of the wrong type or out of
        range, a core rule switched off.
        """
        known = {(entry.section, entry.id): entry for entry in entries}
        wrong: list[str] = []
        for section in SECTIONS:
            for name, given in self.sections[section].items():
                entry = known.get((section, name))
                if entry is None:
                    others = ", ".join(sorted(i for s, i in known if s == section))
                    wrong.append(f"[{section}.{name}] is not known. Known are: {others}")
                    continue
                wrong += _wrong_keys(f"{section}.{name}", entry, given)
        for (section, name), entry in known.items():
            given = self.sections[section].get(name, {})
            wrong += [
                f"[{section}.{name}] gives no “{key}”. Add it ({limit_in_words(limit)})"
                for key, limit in entry.limits.items()
                if key not in given
            ]
        if wrong:
            raise PolicyError(f"Policy {self.name} cannot be used: " + "; ".join(wrong) + ".")
        return self

    def _entry(self, path: str) -> Mapping[str, Any]:
        section, name = path.split(".")
        return self.sections[section].get(name, {})

    def _limit(self, path: str) -> Any:
        entry, _, key = path.rpartition(".")
        try:
            return self._entry(entry)[key]
        except KeyError:
            raise PolicyError(f"Policy {self.name} gives no {path}. Add it to the policy file.") from None


def limit_in_words(limit: Whole | Choice) -> str:
    if isinstance(limit, Choice):
        return "one of " + ", ".join(limit.options)
    return f"a whole number of {limit.unit}"


def _wrong_keys(path: str, entry: Entry, given: Mapping[str, Any]) -> list[str]:
    wrong = []
    for key, value in given.items():
        if key == "source":
            if not isinstance(value, str):
                wrong.append(f"[{path}] source = {value!r} must be words in quotes")
        elif key == "on":
            if not isinstance(value, bool):
                wrong.append(f"[{path}] on = {value!r} must be true or false")
            elif entry.core and not value:
                wrong.append(f"[{path}] is a core rule and cannot be switched off. Remove “on = false”")
        elif key not in entry.limits:
            wrong.append(f"[{path}] has no “{key}”. It knows: {', '.join([*entry.limits, 'on', 'source'])}")
        elif refusal := entry.limits[key].refusal(value):
            wrong.append(f"[{path}] {key} = {value!r} {refusal}")
    return wrong


def preset_names() -> tuple[str, ...]:
    """The policies that ship with Kith."""
    files = resources.files("matcher").joinpath("policies").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def read_policy(name_or_file: str | Path) -> Policy:
    """The policy of a preset's name or of a TOML file, with what it inherits filled in.

    The result is whole but not yet held against the catalogue: `catalogue.load_policy` does both.
    """
    return _policy(_inherited(_read_toml(name_or_file), seen=()))


def _read_toml(name_or_file: str | Path) -> dict[str, Any]:
    name = str(name_or_file)
    if name in preset_names():
        text = resources.files("matcher").joinpath("policies", f"{name}.toml").read_text(encoding="utf-8")
    elif Path(name).is_file():
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyError(f"Policy {name} cannot be read: {error}. Save it as plain text in UTF-8.") from None
    else:
        raise PolicyError(
            f"There is no policy “{name}”. Give one of {', '.join(preset_names())}, or the path of a TOML file."
        )
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"Policy {name} is not valid TOML: {error}. Correct that line.") from None
    for section in SECTIONS:
        entries = raw.get(section, {})
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            raise PolicyError(f"Policy {name}: {section} must hold tables such as [{section}.name].")
    if not isinstance(raw.get("objective", {}), dict):
        raise PolicyError(f"Policy {name}: objective must be a table, [objective].")
    return raw


def _inherited(raw: dict[str, Any], seen: tuple[str, ...]) -> dict[str, Any]:
    parent_name = raw.pop("inherits", None)
    if parent_name is None:
        return raw
    if parent_name in seen:
        raise PolicyError(f"Policies inherit in a circle: {' → '.join([*seen, parent_name])}. Break it.")
    parent = _inherited(_read_toml(parent_name), (*seen, parent_name))
    whole = {**parent, **raw}
    for section in SECTIONS:
        entries = {**parent.get(section, {})}
        for name, entry in raw.get(section, {}).items():
            entries[name] = {**entries.get(name, {}), **entry}
        whole[section] = entries
    whole["objective"] = {**parent.get("objective", {}), **raw.get("objective", {})}
    return whole


def _policy(raw: dict[str, Any]) -> Policy:
    name = str(raw.get("name", "unnamed"))
    for key in ("name", "title", "version"):
        if not isinstance(raw.get(key), str) or not raw[key]:
            raise PolicyError(f'Policy {name} gives no “{key}”. Add a line {key} = "…" at its top.')
    unknown = sorted(set(raw) - {"name", "title", "version", "objective", *SECTIONS})
    if unknown:
        sections = ", ".join((*SECTIONS, "objective"))
        raise PolicyError(f"Policy {name}: “{unknown[0]}” is not a section. Sections are {sections}.")
    objective = raw.get("objective", {})
    tiers = objective.get("tiers", ["points"])
    known = isinstance(tiers, list) and all(isinstance(tier, str) and tier in TIERS for tier in tiers)
    if not known or not tiers or len(set(tiers)) < len(tiers):
        raise PolicyError(
            f"Policy {name}: objective tiers {tiers} must list some of {', '.join(TIERS)}, each once, highest first."
        )
    minimum_fit = objective.get("minimum_fit", 0)
    if refusal := Whole("points", 0, 1000).refusal(minimum_fit):
        raise PolicyError(f"Policy {name}: objective minimum_fit = {minimum_fit!r} {refusal}.")
    extra = sorted(set(objective) - {"tiers", "minimum_fit"})
    if extra:
        raise PolicyError(f"Policy {name}: objective has no “{extra[0]}”. It knows tiers and minimum_fit.")
    entries = {section: {entry: dict(given) for entry, given in raw.get(section, {}).items()} for section in SECTIONS}
    return Policy(name, raw["title"], raw["version"], entries, tuple(tiers), minimum_fit)
