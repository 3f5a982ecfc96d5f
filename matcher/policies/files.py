"""Policies as files: which ship, what each inherits, and the line of everything that is wrong in one."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from matcher.errors import PolicyError, PolicyProblem
from matcher.policy import SECTIONS, TIERS, Entry, Policy, Whole

MOST_CHARACTERS = 200_000
"""A policy is a few pages; whatever is longer is something else."""

POINTS = {"minimum_fit": Whole("points", 0, 1000), "stability": Whole("points", 0, 100_000)}
"""What `[objective]` may say beside its tiers; each is 0 where it is not said."""


def preset_names() -> tuple[str, ...]:
    """The policies that ship with Kith."""
    files = resources.files("matcher").joinpath("policies").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def read_policy(name_or_file: str | Path, entries: Collection[Entry] = (), *, text: str | None = None) -> Policy:
    """The policy of a preset's name or of a TOML file, with what it inherits filled in.

    Where entries are given the policy is held against them: `catalogue.load_policy` gives the whole catalogue.
    A `text` is read in place of the file, which then is only what messages call it, and inherits from presets alone.
    Raises PolicyError with every problem at once, each with its file and line.
    """
    files = _chain(str(name_or_file), text)
    own = files[0]
    sections: dict[str, dict[str, dict[str, Any]]] = {section: {} for section in SECTIONS}
    objective: dict[str, Any] = {}
    places: dict[str, tuple[str, int]] = {}
    origins: dict[str, str] = {}
    for file in reversed(files):
        places |= {path: (file.name, line) for path, line in file.lines.items()}
        objective |= file.table("objective")
        for section, entry, given in file.entries():
            uncited = {} if "source" in given else {"source": f"not cited by {file.policy}"}
            sections[section][entry] = {**sections[section].get(entry, {}), **uncited, **given}
            origins[f"{section}.{entry}"] = file.policy
    wrong = [PolicyProblem(file.name, line, what) for file in files for line, what in file.wrong()]
    told = list(_wrong_objective(objective))
    policy = Policy(
        own.policy,
        str(own.content.get("title")),
        str(own.content.get("version")),
        sections,
        () if told else tuple(objective.get("tiers", ["points"])),
        0 if told else objective.get("minimum_fit", 0),
        0 if told else objective.get("stability", 0),
        origins,
    )
    told += policy.wrong(entries) if entries else []
    for path, what in told:
        while path not in places:
            path = path.rpartition(".")[0]
        wrong.append(PolicyProblem(*places[path], what))
    if wrong:
        order = [file.name for file in files]
        raise _refusal(str(name_or_file), sorted(wrong, key=lambda one: (order.index(one.file), one.line)))
    return policy


def as_toml(policy: Policy) -> str:
    """A policy as a file that inherits from none: read again, it decides the same and has the same hash."""
    objective = {"tiers": policy.tiers, **{name: getattr(policy, name) for name in POINTS}}
    tables: list[tuple[str, Mapping[str, Any]]] = [("objective", objective)]
    tables += [(f"{section}.{name}", entry) for section in SECTIONS for name, entry in policy.sections[section].items()]
    head = {"name": policy.name, "title": policy.title, "version": policy.version}
    return "\n".join([_keys(head), *(f"[{name}]\n{_keys(keys)}" for name, keys in tables)])


def _keys(keys: Mapping[str, Any]) -> str:
    # What a policy may say – numbers, words, yes or no, a list – is written in TOML as it is in JSON.
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())


def lines_of(text: str) -> dict[str, int]:
    """The line at which each table and key of a TOML text begins, as `rules.travel.miles`; of "" the first.

    tomllib tells no lines. But each statement of TOML is TOML by itself, so lines are gathered until they are one.
    """
    lines = {"": 1}
    table: tuple[str, ...] = ()
    statement, begun = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        statement += line + "\n"
        try:
            said = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            table = ()
        paths = [(*table, *path) for path in _paths(said)]
        for path in paths:
            lines.setdefault(".".join(path), begun)
        if statement.lstrip().startswith("["):
            table = paths[-1]
        statement, begun = "", number + 1
    return lines


def _paths(said: object) -> Iterator[tuple[str, ...]]:
    if isinstance(said, dict):
        for key, value in said.items():
            yield (key,)
            yield from ((key, *path) for path in _paths(value))


@dataclass(frozen=True)
class _File:
    """One file of a policy, before anything in it is believed."""

    name: str
    """As it was asked for: a preset's name or a path."""
    content: Mapping[str, Any]
    lines: Mapping[str, int]

    @property
    def policy(self) -> str:
        return str(self.content.get("name", "unnamed"))

    def table(self, key: str) -> Mapping[str, Any]:
        found = self.content.get(key, {})
        return found if isinstance(found, dict) else {}

    def entries(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        for section in SECTIONS:
            for name, given in self.table(section).items():
                if isinstance(given, dict):
                    yield section, name, given

    def wrong(self) -> Iterator[tuple[int, str]]:
        """What is wrong with the file's build, whatever the catalogue knows: line and words."""
        for key in ("name", "title", "version"):
            value = self.content.get(key)
            if not isinstance(value, str) or not value:
                yield self.lines.get(key, 1), f'the policy gives no “{key}”. Add a line {key} = "…" at its top'
        for key, value in self.content.items():
            if key in SECTIONS:
                if not isinstance(value, dict):
                    yield self.lines[key], f"{key} must hold tables such as [{key}.name]"
                    continue
                for name, entry in value.items():
                    if not isinstance(entry, dict):
                        yield self.lines[f"{key}.{name}"], f"{key} must hold tables such as [{key}.name], not “{name}”"
            elif key == "objective":
                if not isinstance(value, dict):
                    yield self.lines[key], "objective must be a table, [objective]"
            elif key not in ("name", "title", "version", "inherits"):
                sections = ", ".join((*SECTIONS, "objective"))
                yield self.lines[key], f"“{key}” is not a section. Sections are {sections}"


def _chain(name: str, text: str | None) -> list[_File]:
    """A file, what it inherits, what that inherits, and so on. Raises PolicyError."""
    files = [_file(name) if text is None else _parsed(name, text)]
    while (inherits := files[-1].content.get("inherits")) is not None:
        child = files[-1]
        parent, names = _beside(str(inherits), child.name), [file.name for file in files]
        try:
            if parent in names:
                raise PolicyError(f"policies inherit in a circle: {' → '.join([*names, parent])}. Break it.")
            if text is not None and parent not in preset_names():
                raise PolicyError(f"a policy inherits from one of {', '.join(preset_names())}.")
            files.append(_file(parent))
        except PolicyError as error:
            place = PolicyProblem(child.name, child.lines["inherits"], str(error).rstrip("."))
            raise _refusal(name, error.problems or [place]) from None
    return files


def _beside(inherits: str, child: str) -> str:
    """A preset goes by its name; a file stands beside the one that inherits from it."""
    return inherits if inherits in preset_names() or not inherits else str(Path(child).parent / inherits)


def _file(name: str) -> _File:
    if name in preset_names():
        text = resources.files("matcher").joinpath("policies", f"{name}.toml").read_text(encoding="utf-8")
    elif Path(name).is_file():
        try:
            text = Path(name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise PolicyError(f"Policy {name} cannot be read: {error}. Save it as plain text in UTF-8.") from None
    else:
        raise PolicyError(
            f"There is no policy “{name}”. Give one of {', '.join(preset_names())}, or the path of a TOML file."
        )
    return _parsed(name, text)


def _parsed(name: str, text: str) -> _File:
    if len(text) > MOST_CHARACTERS:
        raise PolicyError(f"Policy {name} is longer than {MOST_CHARACTERS:,} characters. Give a policy's TOML file.")
    try:
        return _File(name, tomllib.loads(text), lines_of(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        last = text.count("\n") + 1
        what = f"is not valid TOML: {str(error) or 'nested too deeply'}. Correct that line"
        raise _refusal(name, [PolicyProblem(name, int(line[1]) if line else last, what)]) from None


def _wrong_objective(objective: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    tiers = objective.get("tiers", ["points"])
    known = isinstance(tiers, list) and all(isinstance(tier, str) and tier in TIERS for tier in tiers)
    if not known or not tiers or len(set(tiers)) < len(tiers):
        what = f"objective tiers {tiers} must list some of {', '.join(TIERS)}, each once, highest first"
        yield "objective.tiers", what
    for key, limit in POINTS.items():
        if refusal := limit.refusal(objective.get(key, 0)):
            yield f"objective.{key}", f"objective {key} = {objective[key]!r} {refusal}"
    for key in sorted(set(objective) - {"tiers", *POINTS}):
        yield f"objective.{key}", f"objective has no “{key}”. It knows tiers, {' and '.join(POINTS)}"


def _refusal(name: str, problems: Sequence[PolicyProblem]) -> PolicyError:
    told = "; ".join(map(str, problems))
    return PolicyError(f"Policy {name} cannot be used: {told}.", problems)
