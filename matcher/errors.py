"""Everything that can go wrong, as one tree.

    KithError                    catch this one: whatever Kith refuses, it refuses with a sentence
    ├── InputError               files or records that cannot be used; carries the list of problems
    ├── PolicyError              a policy that is unknown, misspelt, impossible or that weakens a core rule
    ├── ProblemError             arrays handed to the solver that make no sense
    │   └── PinsError            pinned pairs that break a limit among themselves; carries the limits
    ├── NotFoundError            a child, volunteer or place that nobody knows
    ├── NoPlanError              the limits cannot all be met, or no plan was found in time; says which
    ├── AuditError               a plan that breaks a rule; carries the violations, and is never published
    └── MissingExtraError        a package that only analysts need is not installed; says how to install it

Each message states the value, where it stands, and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass


class KithError(Exception):
    """Base of every error that Kith raises on purpose."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in the input, in a coordinator's words.

    `row` counts as the spreadsheet does: the heading is row 1. Row 0 speaks of the whole file.
    `rejected` tells whether the row was left out because of it; otherwise the row was read, and this is a notice.
    """

    file: str
    row: int
    column: str
    value: str
    wrong: str
    remedy: str
    rejected: bool = True

    def __str__(self) -> str:
        place = self.file if self.row == 0 else f"{self.file}, row {self.row}"
        if self.column:
            place += f", column {self.column}"
        shown = f" “{self.value}”" if self.value else ""
        return f"{place}:{shown} {self.wrong}. {self.remedy}"


class InputError(KithError):
    """Input that cannot be used as it stands. `problems` lists every one of them, not the first alone."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


@dataclass(frozen=True, order=True)
class PolicyProblem:
    """One thing wrong in a policy: the file, the line at which it stands, and what to do."""

    file: str
    line: int
    wrong: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.wrong}"


class PolicyError(KithError):
    """A policy that cannot be followed. `problems` lists everything that is wrong in its files, each with its line."""

    def __init__(self, message: str, problems: Sequence[PolicyProblem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class ProblemError(KithError):
    """An assignment problem whose arrays are ill-formed."""


class PinsError(ProblemError):
    """Pinned pairs that break a limit among themselves. `broken` holds one `matcher.solving.assignment.Broken` each."""

    def __init__(self, message: str, broken: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.broken = tuple(broken)


class NotFoundError(KithError):
    """A reference to something that is not there."""


class NoPlanError(KithError):
    """No plan can be given; says whether that is proven or only out of time."""


class AuditError(KithError):
    """A plan that breaks a rule. `violations` holds one sentence each."""

    def __init__(self, message: str, violations: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.violations = tuple(violations)


class MissingExtraError(KithError):
    """A package of the extra `analysis` is not installed."""


@contextmanager
def analysis_extra(what: str) -> Iterator[None]:
    """Around imports from the extra `analysis`: `what` needs a package that is not there, in one sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{what} needs {error.name}, which is not installed. "
            "In Kith's folder run: .venv/bin/pip install -e '.[analysis]'."
        ) from None
