"""A policy as a form: its fields, what was typed into them, and the policy that this makes, or what is wrong with it.

Nothing of a draft is kept: the form carries it from page to page until somebody puts it in force.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from matcher.catalogue import CATALOGUE, title_of
from matcher.policies.files import POINTS, preset_names
from matcher.policy import WEIGHT, Choice, Entry, Policy, Whole
from matcher.policy_words import differences
from matcher.words import day, first_upper, spoken

MOST_CHARACTERS = 100
"""What a field may hold; whatever is longer is no figure and no title."""
_UNTIL_THEN = "Until then: "


@dataclass(frozen=True)
class Field:
    """One limit, weight or choice on the form."""

    name: str
    """As the form calls it: rules.travel.miles."""
    label: str
    unit: str
    typed: str
    options: Sequence[tuple[str, str]]
    """Value and words of each choice; none where a number is typed."""
    wrong: str
    """What is wrong with what was typed, and what to do; blank if nothing is."""


@dataclass(frozen=True)
class FormEntry:
    """One rule, constraint, score or priority on the form, told as the policy in force has it."""

    name: str
    """rules.travel, and of what the plan is for: objective."""
    section: str
    about: str
    """Of rules: "volunteer", "child" or "pair"."""
    title: str
    source: str
    core: bool
    on: bool
    fields: Sequence[Field]


@dataclass(frozen=True)
class Draft:
    """What somebody typed, over the policy that is in force."""

    base: Policy
    number: int
    """Of the version in force; the draft would be the next."""
    typed: Mapping[str, str]
    wrong: Mapping[str, str]
    """Sentences by the name of the field; empty where the draft can be followed."""
    policy: Policy | None
    """The policy that it makes, if nothing is wrong."""

    @classmethod
    def of(cls, base: Policy, number: int) -> Draft:
        """The form as it is opened: the policy in force, which is the version of that number."""
        typed = {name: str(value) for name, _, value in _limits(base)}
        typed |= {f"{_path(entry)}.on": "yes" for entry in CATALOGUE if not entry.core and base.on(_path(entry))}
        typed |= {f"objective.{key}": str(getattr(base, key)) for key in POINTS}
        typed["title"] = f"{base.title}, as we follow it" if base.name in preset_names() else base.title
        return cls(base, number, typed, {}, None)

    @classmethod
    def again(cls, base: Policy, number: int, earlier: Policy) -> Draft:
        """The form as an earlier version says it, over the policy in force. A limit that it did not know is as now."""
        now, then = cls.of(base, number).typed, cls.of(earlier, number).typed
        return cls(base, number, {name: value or now.get(name, "") for name, value in then.items()}, {}, None)

    @classmethod
    def read(cls, base: Policy, number: int, form: Mapping[str, Any]) -> Draft:
        """What a form says. A core rule has no switch, and whatever else is sent is not read."""
        names = [*cls.of(base, number).typed, *(f"{_path(entry)}.on" for entry in CATALOGUE if not entry.core)]
        typed = {name: str(form[name]).strip()[:MOST_CHARACTERS] for name in names if name in form}
        wrong = {
            name: sentence
            for name, limit, _ in [*_limits(base), *((f"objective.{key}", limit, 0) for key, limit in POINTS.items())]
            if (sentence := _refusal(limit, typed.get(name, "")))
        }
        if not typed.get("title") or not typed["title"].isprintable():
            wrong["title"] = "Give the policy a title, so that a plan can say which one it follows."
        if wrong:
            return cls(base, number, typed, wrong, None)
        policy = _made(base, number, typed)
        # What no field can see alone, such as a lower limit above the upper one.
        wrong = {
            name: first_upper(spoken(what.partition("] ")[2])) + ". Lower the one or raise the other."
            for name, what in policy.wrong(CATALOGUE)
        }
        return cls(base, number, typed, wrong, None if wrong else policy)

    @property
    def entries(self) -> Sequence[FormEntry]:
        """All that stands on the form, in the order of the catalogue."""
        return [self._entry(entry) for entry in CATALOGUE]

    @property
    def aims(self) -> Sequence[Field]:
        """What the plan is for, as far as it is a number."""
        labels = {
            "minimum_fit": "No match is made below",
            "stability": "To change the plan before, a match must be worth",
        }
        return [self._field(f"objective.{key}", labels[key], limit) for key, limit in POINTS.items()]

    def _entry(self, entry: Any) -> FormEntry:
        path = _path(entry)
        fields = [self._field(f"{path}.{key}", _label(key), limit) for key, limit in entry.limits.items()]
        return FormEntry(
            path, entry.section, getattr(entry, "about", ""), title_of(entry, self.base),
            self.base.source(path) or entry.source, entry.core, entry.core or f"{path}.on" in self.typed, fields,
        )  # fmt: skip

    def _field(self, name: str, label: str, limit: Whole | Choice) -> Field:
        options = [(one, limit.show(one)) for one in limit.options] if isinstance(limit, Choice) else []
        unit = "" if isinstance(limit, Choice) or limit is WEIGHT or limit.unit in label.lower() else limit.unit
        return Field(name, label, unit, self.typed.get(name, ""), options, self.wrong.get(name, ""))


def cited(policy: Policy, base: Policy, on: date) -> Policy:
    """The same policy, in which each entry that it changes says since when, above what it cited until then."""
    sections = {name: dict(section) for name, section in policy.sections.items()}
    for one in differences(base, policy):
        if one.section in sections:
            entry = sections[one.section][one.id]
            before = str(entry.get("source", "")).rpartition(_UNTIL_THEN)[2]
            source = f"Decided on {day(on)}, version {policy.version}. {_UNTIL_THEN}{before or 'no source'}"
            sections[one.section][one.id] = {**entry, "source": source}
    return replace(policy, sections=sections)


def _made(base: Policy, number: int, typed: Mapping[str, str]) -> Policy:
    sections = {name: {id: dict(entry) for id, entry in section.items()} for name, section in base.sections.items()}
    for entry in CATALOGUE:
        given = sections[entry.section].setdefault(entry.id, {})
        for key, limit in entry.limits.items():
            text = typed[f"{_path(entry)}.{key}"]
            given[key] = text if isinstance(limit, Choice) else _number(text)
        if not entry.core:
            given["on"] = f"{_path(entry)}.on" in typed
    name = "ours" if base.name in preset_names() else base.name
    policy = replace(
        base, name=name, title=typed["title"], version=str(number + 1), sections=sections, as_read={},
        **{key: _number(typed[f"objective.{key}"]) for key in POINTS},
    )  # fmt: skip
    changed = {f"{one.section}.{one.id}": name for one in differences(base, policy)}
    return replace(policy, origins={**base.origins, **changed})


def _limits(base: Policy) -> list[tuple[str, Whole | Choice, Any]]:
    """Name, limit and value of every limit of the catalogue."""
    return [
        (f"{_path(entry)}.{key}", limit, base.sections[entry.section].get(entry.id, {}).get(key, ""))
        for entry in CATALOGUE
        for key, limit in entry.limits.items()
    ]


def _path(entry: Entry) -> str:
    return f"{entry.section}.{entry.id}"


def _label(key: str) -> str:
    return first_upper(spoken(key))


def _number(text: str) -> Any:
    """The number that was typed, with or without commas; the text itself where it is none."""
    digits = text.replace(",", "")
    return int(digits) if re.fullmatch(r"-?\d{1,9}", digits) else text


def _refusal(limit: Whole | Choice, text: str) -> str:
    """What is wrong with what was typed, and the remedy; blank if nothing is."""
    if limit is WEIGHT:  # whose unit is meant for `kith rules`, and no word of a form
        limit = replace(WEIGHT, unit="points of weight")
    told = limit.refusal(text if isinstance(limit, Choice) else _number(text))
    if told is None:
        return ""
    if isinstance(limit, Choice):
        return f"“{text}” {told}. Choose one of the list."
    what = f"“{text}” {told}" if text else "Nothing is typed here"
    return f"{what}. Type a whole number from {limit.least:,} to {limit.most:,}."
