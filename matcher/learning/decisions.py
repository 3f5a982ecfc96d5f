"""Recorded decisions: who was shown whom, and what was taken. The layout that weights are learned from.

A decision is a list of options and the one that was taken, or none of them: a child chooses among profiles, a volunteer
answers a proposal. The file has one row an option, with no name, no date of birth and no fact of a person: only what
each score of the policy said of the pair when it was shown.

    decision      groups the options that were shown together
    decided_on    2026-03-14
    decided_by    child, volunteer, social_worker or coordinator
    child         a pseudonym, the same in every row of that child
    volunteer     a pseudonym, the same in every row of that volunteer
    rank          the place on the list, from 1
    chosen        1 for the option that was taken, else 0; all 0 where none was
    policy_hash   of the policy that ranked the list
    raw_…         one column a score in force: thousandths before any weight; blank where it does not count for the
                  pair, because a fact is not recorded or the score has no meaning for the child

A column beyond these is refused: what the policy does not score, nobody's weight is learned from.

A service hands such a file out as one export, with the policies by which its lists were ranked:

    decisions.csv      as above
    policy.toml        in force when it was made: its scores are the columns
    earlier/….toml     the others, by their hash
    about.txt          what was left out or made coarser, and why
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import numpy as np
import pandas as pd

from matcher.errors import InputError, Problem
from matcher.learning.choice import utility
from matcher.policies.files import as_toml, read_policy
from matcher.policy import Policy
from matcher.scoring import Fits, Scored, beyond_amounts

DECIDERS = ("child", "volunteer", "social_worker", "coordinator")

COLUMNS = ("decision", "decided_on", "decided_by", "child", "volunteer", "rank", "chosen", "policy_hash")
"""The columns of every file, before those of the scores."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """Options in the order of their decisions and ranks."""

    frame: pd.DataFrame

    def __len__(self) -> int:
        return int(self.frame["decision"].nunique())

    def by(self, decider: str) -> Decisions:
        """What one kind of person decided."""
        return Decisions(self.frame[self.frame["decided_by"] == decider].reset_index(drop=True))

    @property
    def scores(self) -> pd.DataFrame:
        """What each score said, 0 to 1, one column a score; nan where it does not count."""
        raw = self.frame[self.frame.columns[self.frame.columns.str.startswith("raw_")]]
        return raw.rename(columns=lambda name: name.removeprefix("raw_")).astype(np.float64) / 1000

    @property
    def chosen(self) -> pd.Series[int]:
        return self.frame["chosen"]

    @property
    def decision(self) -> pd.Series[str]:
        return self.frame["decision"]

    @property
    def rank(self) -> pd.Series[int]:
        return self.frame["rank"]

    @property
    def child(self) -> pd.Series[str]:
        return self.frame["child"]

    def to_csv(self, file: str | Path | IO[bytes]) -> None:
        self.frame.to_csv(file, index=False, lineterminator="\n")


def read_decisions(file: str | Path, policy: Policy, *, earlier: Collection[Policy] = ()) -> Decisions:
    """The decisions of a CSV file, as far as a policy lets them speak.

    Args:
        policy: its scores in force are the columns.
        earlier: the other policies by which lists were ranked. They may differ in weights, not in what a score means:
            a heritage that counted for every child then is not what only those who ask for it are scored on now.

    Raises:
        InputError: with every problem, each with its row and column.
    """
    return _read(Path(file).name, file, policy, earlier)


def packed(decisions: Decisions, policy: Policy, *, earlier: Collection[Policy] = (), about: str = "") -> bytes:
    """An export: what `read_export` reads.

    Args:
        policy: in force now; its scores in force are the columns.
        earlier: the other policies by which lists were ranked.
        about: what was left out or made coarser, and why, for a person to read.
    """
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as parts:
        with parts.open("decisions.csv", "w") as rows:
            decisions.to_csv(rows)
        parts.writestr("policy.toml", as_toml(policy))
        for one in earlier:
            parts.writestr(f"earlier/{one.content_hash}.toml", as_toml(one))
        parts.writestr("about.txt", about)
    return file.getvalue()


def read_export(file: str | Path) -> tuple[Decisions, Policy]:
    """The decisions of an export, and the policy that was in force when it was made: what a learner takes.

    Raises InputError for a file that is no export, that holds no decision, or of which a cell cannot be used.
    """
    name = Path(file).name
    try:
        with ZipFile(file) as parts:
            policies = [
                read_policy(f"{name}, {part}", text=parts.read(part).decode())
                for part in sorted(parts.namelist(), key=lambda part: part != "policy.toml")
                if part.endswith(".toml")
            ]
            rows, about = parts.read("decisions.csv"), parts.read("about.txt").decode()
    except (OSError, BadZipFile, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: is no export of decisions ({error}). Export it again.") from None
    found = _read(f"{name}, decisions.csv", BytesIO(rows), policies[0], policies[1:])
    if not len(found):
        raise InputError(f"{name} holds no decision. {about}")
    return found, policies[0]


def _read(name: str, file: str | Path | IO[bytes], policy: Policy, earlier: Collection[Policy]) -> Decisions:
    try:
        given = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{name}: cannot be read as CSV ({error}). Save it as CSV in UTF-8.") from None
    raw = [f"raw_{id}" for id in policy.sections["scores"] if policy.on(f"scores.{id}")]
    problems = [
        Problem(name, 1, column, "", "is missing", "Add the column")
        for column in (*COLUMNS, *raw)
        if column not in given
    ]
    problems += [
        Problem(name, 1, column, "", f"is no column of decisions under policy {policy.name}",
                "Remove it: weights are learned for the policy's scores alone")
        for column in map(str, given.columns) if column not in (*COLUMNS, *raw)
    ]  # fmt: skip
    if problems:
        raise InputError(f"{len(problems)} columns of {name} cannot be used. The first: {problems[0]}", problems)
    frame = given[[*COLUMNS, *raw]].copy()
    problems = _wrong(name, frame, raw, policy, earlier)
    if problems:
        raise InputError(f"{len(problems)} cells of {name} cannot be used. The first: {problems[0]}", problems)
    frame["decided_on"] = pd.to_datetime(frame["decided_on"], format="%Y-%m-%d")
    frame[["rank", "chosen"]] = frame[["rank", "chosen"]].astype(np.int64)
    frame[raw] = frame[raw].replace("", pd.NA).astype("Int64")
    return Decisions(frame.sort_values(["decision", "rank"], kind="stable", ignore_index=True))


def _wrong(
    file: str, frame: pd.DataFrame, raw: list[str], policy: Policy, earlier: Collection[Policy]
) -> list[Problem]:
    meaning = {one.content_hash: [name for name in beyond_amounts(one, policy) if name.startswith("scores.")]
               for one in (policy, *earlier)}  # fmt: skip
    problems: list[Problem] = []

    def refuse(column: str, wrong: pd.Series[bool], what: str, remedy: str) -> None:
        problems.extend(
            Problem(file, row + 2, column, str(frame.at[row, column]), what, remedy)
            for row in frame.index[wrong.to_numpy(bool)]
        )

    for column in ("decision", "child", "volunteer"):
        refuse(column, frame[column] == "", "is blank", "Give the pseudonym")
    day = pd.to_datetime(frame["decided_on"], format="%Y-%m-%d", errors="coerce")
    refuse("decided_on", day.isna(), "is no date", "Write it as 2026-03-14")
    refuse(
        "decided_by", ~frame["decided_by"].isin(DECIDERS), "is nobody who decides", f"Give one of {', '.join(DECIDERS)}"
    )
    refuse("rank", ~frame["rank"].str.fullmatch("[1-9][0-9]{0,3}"), "is no place on a list", "Give 1 for the first")
    refuse("chosen", ~frame["chosen"].isin(["0", "1"]), "is neither 0 nor 1", "Give 1 for the option that was taken")
    hashes = frame["policy_hash"]
    refuse(
        "policy_hash", ~hashes.isin(meaning), f"is not policy {policy.name}", "Name that policy among the earlier ones"
    )
    changed = hashes.map(lambda one: bool(meaning.get(one)))
    refuse("policy_hash", changed, "is a policy in which a score means something else", "Leave those decisions out")
    for column in raw:
        refuse(
            column,
            ~frame[column].str.fullmatch("|[0-9]{1,3}|1000"),
            "is not 0 to 1000",
            "Give thousandths, or leave it blank",
        )
    taken = (frame["chosen"] == "1").groupby(frame["decision"]).transform("sum")
    refuse(
        "chosen", (taken > 1) & (frame["chosen"] == "1"), "is one of several in this decision", "Only one can be taken"
    )
    several = frame.groupby("decision")[["decided_by"]].transform("nunique")["decided_by"] > 1
    refuse("decided_by", several, "is one of several in this decision", "Give each person's decision its own number")
    again = frame.duplicated(["decision", "volunteer", "child"])
    refuse("volunteer", again, "stands twice in this decision with the same child", "Remove one of the rows")
    return problems


def simulated(
    scored: Scored,
    weights: Mapping[str, int],
    decisions: int,
    *,
    by: str = "child",
    shown: int = 5,
    strength: float = 10.0,
    none_below: float = 0.35,
    first: float = 0.3,
    seed: int = 1,
) -> Decisions:
    """Made-up decisions of people who follow known weights: for trying what learning can do, never for setting weights.

    A child with two eligible volunteers or more is drawn; half of the volunteers, drawn at random, are free that month;
    the policy's best of them are shown, and one is taken or none by the logit that `choice` describes.

    Args:
        scored: the pairs of the service, under the policy that ranks the lists.
        weights: what the deciders follow, a weight a score, as in a policy.
        decisions: how many.
        shown: options on a list; 1 for a proposal that a volunteer accepts or declines.
        strength: what a whole fit is worth: with 10, a tenth of fit more makes an option e = 2.7 times as likely.
        none_below: the fit at which taking an option and taking none are equally likely.
        first: what the first place on the list adds.
    """
    dice, pairs = np.random.default_rng(seed), scored.pairs
    instance = pairs.tables.instance
    fits = Fits.of(pairs, instance.policy).by_score
    b = np.array([weights[id] for id in fits], dtype=np.float64)
    b *= strength / b.sum()
    counts = np.stack([counted for _, counted, _ in fits.values()], axis=1)
    raw = np.stack([fit for fit, _, _ in fits.values()], axis=1)
    worth = utility(raw / 1000, counts, b)
    of_child = np.split(np.arange(len(pairs)), np.flatnonzero(np.diff(pairs.child_row)) + 1)
    several = [rows for rows in of_child if len(rows) > 1]
    rows: list[int] = []
    numbers: list[tuple[int, int]] = []
    taken: list[int] = []
    for number in range(decisions):
        free = several[dice.integers(len(several))]
        free = dice.permutation(free)[: max(len(free) // 2, min(shown, 2))]
        best = free[np.lexsort((free, -scored.fit[free]))][:shown]
        chances = np.append(worth[best] + first * (np.arange(len(best)) == 0), strength * none_below)
        choice = int(np.argmax(chances + dice.gumbel(size=len(chances))))
        rows.extend(best.tolist())
        numbers.extend((number, rank) for rank in range(1, len(best) + 1))
        taken.extend(int(place == choice) for place in range(len(best)))
    day = [instance.as_of - timedelta(days=int(back)) for back in np.sort(dice.integers(1, 731, decisions))[::-1]]
    at = np.array(rows)
    frame = pd.DataFrame({
        "decision": [f"D{number + 1:05d}" for number, _ in numbers],
        "decided_on": pd.to_datetime([day[number] for number, _ in numbers]),
        "decided_by": by,
        "child": [instance.waiting[row].id for row in pairs.child_row[at].tolist()],
        "volunteer": [instance.volunteers[row].id for row in pairs.volunteer_row[at].tolist()],
        "rank": [rank for _, rank in numbers],
        "chosen": taken,
        "policy_hash": instance.policy.content_hash,
    })  # fmt: skip
    for column, id in enumerate(fits):
        frame[f"raw_{id}"] = pd.array(np.where(counts[at, column], raw[at, column], -1), dtype="Int64")
        frame.loc[~counts[at, column], f"raw_{id}"] = pd.NA
    return Decisions(frame)
