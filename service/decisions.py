"""Decisions made through proposals, as one pseudonymised export: the file is that of `matcher.learning.decisions`.

A proposal tells up to four decisions. Who proposed chose one of a shortlist; the volunteer, the child and the social
worker each said yes or no to the one pair, and their last word counts. A no for a reason that lies outside the pair
tells nothing of how two suit each other, and is left out; so is the choice from a list of one.

Nobody is to be found by it. Pseudonyms are drawn anew for each export and lead nowhere; a day is told as its year; what
a score said is rounded; and what would tell of a handful of people is left out or left blank. An analyst who may also
read shortlists could still find a pair again by all its scores together, so it is kept as plans are kept.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import select

from matcher.policy import Policy
from matcher.records import Party
from matcher.scoring import beyond_amounts
from service import workflow
from service.database import tables
from service.repository import Repository
from service.steps import standing

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 10
"""Children, and volunteers, without whom decisions of one kind of person under one policy in one year, or a score,
would point at somebody."""
ROUNDED_TO = 50
"""Thousandths of a score: near enough to learn from, too coarse to know a distance again."""

YES: Mapping[str, tuple[Party, ...]] = {
    step.id: (*step.by, *step.besides)
    for step in workflow.STEPS
    if step.id in ("volunteer_accepts", "child_would_meet", "child_agrees")
}
"""Whose yes a step records."""
OUTSIDE_THE_PAIR = frozenset({
    "does not want a visitor now", "objects to any visitor", "does not feel safe with this visitor",
    "too little time", "knows the child",
    "placement about to change", "safeguarding concern about the child", "safeguarding concern about the volunteer",
    "known to the family",
})  # fmt: skip
"""Reasons of a no that would have been said to anybody, or that a rule or a suspension decides."""


@dataclass(frozen=True)
class Said:
    """One decision: who decided, when, who was shown in which order, and who was taken, if anybody."""

    by: str
    on: date
    child: str
    shown: Mapping[str, int]
    """The place on the list of each volunteer, from 1."""
    taken: str | None
    scores: Mapping[str, Mapping[str, int | None]]
    """What each score said of the child and each volunteer."""
    policy: Policy


@dataclass(frozen=True)
class Export:
    """A file for analysts, with how many decisions of each kind of person are in it."""

    file: bytes
    decisions: Mapping[str, int]


def export(rows: Repository) -> Export:
    """The export of an authority's decisions. Too few for nobody to be found are left out, and it says so."""
    from matcher.learning.decisions import COLUMNS, Decisions, packed

    current = rows.policy()[1]
    meant, otherwise = _meant_as_now(list(_said(rows)), current)
    told, few = _of_enough_people(meant)
    frame = _pseudonymised(told, current, COLUMNS)
    about = "".join(f"{line}\n" for line in [*_ABOUT, *otherwise, *few, *_blank_where_few(frame)])
    earlier = {one.policy.content_hash: one.policy for one in told}
    earlier.pop(current.content_hash, None)
    file = packed(Decisions(frame), current, earlier=earlier.values(), about=about)
    counts = {by: sum(one.by == by for one in told) for by in sorted({one.by for one in told})}
    return Export(file, counts)


_ABOUT = (
    "Recorded decisions, pseudonymised: not anonymous. Keep the file where you keep plans, and hand it to nobody else.",
    "Pseudonyms are of this file alone. Each decision stands on 1 January of its year.",
    f"What a score said is rounded to {ROUNDED_TO} thousandths.",
)


# ---- what was decided ------------------------------------------------------------------------------------------------


def _said(rows: Repository) -> Iterator[Said]:
    """Every decision of which it is known what the scores said."""
    policies = {one.stamp: one for one in map(rows.policy_content, rows.session.scalars(select(tables.Policy)))}
    steps: dict[str, list[tables.Decision]] = {}
    for decision in rows.session.scalars(select(tables.Decision).order_by(tables.Decision.number)):
        steps.setdefault(decision.match_id, []).append(decision)
    for match, proposal in rows.session.execute(
        select(tables.Match, tables.Proposal).join(tables.Proposal, tables.Proposal.match_id == tables.Match.id)
    ):
        scores = json.loads(rows.open(steps[match.id][0], "scores") or "{}")
        if match.volunteer_id not in scores:
            continue  # proposed before scores were kept, or since erased
        policy = policies[proposal.policy]
        shown = {id: rank for rank, id in enumerate(proposal.alternatives, start=1) if id in scores}
        if match.volunteer_id in shown and len(shown) > 1:
            on = steps[match.id][0].at.date()
            yield Said("coordinator", on, match.child_id, shown, match.volunteer_id, scores, policy)
        for party, (yes, on) in _answers(standing(steps[match.id])).items():
            taken = match.volunteer_id if yes else None
            yield Said(party.replace(" ", "_"), on, match.child_id, {match.volunteer_id: 1}, taken, scores, policy)


def _answers(steps: Sequence[tables.Decision]) -> dict[Party, tuple[bool, date]]:
    """The last word of each party on the pair."""
    answers: dict[Party, tuple[bool, date]] = {}
    for one in steps:
        for party in YES.get(one.step, ()):
            answers[party] = True, one.at.date()
        if one.state == workflow.State.DECLINED:
            answers[Party(one.said_by)] = False, one.at.date()
            if one.reason in OUTSIDE_THE_PAIR:
                del answers[Party(one.said_by)]
    return answers


def _meant_as_now(said: Sequence[Said], current: Policy) -> tuple[list[Said], list[str]]:
    """The decisions under policies by which each score means what it means now."""
    kept = [one for one in said if not [it for it in beyond_amounts(one.policy, current) if it.startswith("scores.")]]
    left = len(said) - len(kept)
    told = f"{_many(left)} decisions are left out: a score meant something else under their policy."
    return kept, [told] if left else []


# ---- so that nobody is found -----------------------------------------------------------------------------------------


def _of_enough_people(said: Sequence[Said]) -> tuple[list[Said], list[str]]:
    """Those of whom enough stand together in everything by which a row could be dated: its policy and its year."""
    together: dict[tuple[str, str, int], list[Said]] = defaultdict(list)
    for one in said:
        together[one.by, one.policy.content_hash, one.on.year].append(one)
    kept: list[Said] = []
    left: Counter[str] = Counter()
    for (by, _, _), some in together.items():
        people = {one.child for one in some}, {id for one in some for id in one.shown}
        if min(map(len, people)) >= FEWEST:
            kept += some
        else:
            left[by] += len(some)
    return kept, [
        f"{_many(count)} decisions by the {by.replace('_', ' ')} are left out: under one policy in one year they "
        f"concern fewer than {FEWEST} children or volunteers."
        for by, count in sorted(left.items())
    ]


def _many(count: int) -> str:
    """That a single decision was left out may be enough to know whose it was."""
    return str(count) if count >= FEWEST else f"Fewer than {FEWEST}"


def _pseudonymised(said: Sequence[Said], policy: Policy, columns: Collection[str]) -> pd.DataFrame:
    import pandas as pd

    dice = random.SystemRandom()
    mixed = dice.sample(said, len(said))
    children = _pseudonyms("child", {one.child for one in said}, dice)
    volunteers = _pseudonyms("volunteer", {id for one in said for id in one.shown}, dice)
    scores = [id for id in policy.sections["scores"] if policy.on(f"scores.{id}")]
    rows = [
        (
            f"decision {number}", date(one.on.year, 1, 1), one.by, children[one.child], volunteers[id], rank,
            int(id == one.taken), one.policy.content_hash, *(_rounded(one.scores[id][score]) for score in scores),
        )
        for number, one in enumerate(mixed, start=1)
        for id, rank in one.shown.items()
    ]  # fmt: skip
    raw = [f"raw_{score}" for score in scores]
    return pd.DataFrame(rows, columns=[*columns, *raw]).astype(dict.fromkeys(raw, "Int64"))


def _pseudonyms(what: str, ids: Collection[str], dice: random.Random) -> dict[str, str]:
    return {id: f"{what} {number}" for number, id in enumerate(dice.sample(sorted(ids), len(ids)), start=1)}


def _rounded(said: int | None) -> int | None:
    return None if said is None else round(said / ROUNDED_TO) * ROUNDED_TO


def _blank_where_few(frame: pd.DataFrame) -> list[str]:
    """A score that counts for a few children alone is told of none: that it counts is a fact about them."""
    import pandas as pd

    about = []
    for column in frame.columns[frame.columns.str.startswith("raw_")]:
        if 0 < frame.loc[frame[column].notna(), "child"].nunique() < FEWEST:
            frame[column] = pd.array([pd.NA] * len(frame), "Int64")
            about.append(f"{column} is blank: it counts for fewer than {FEWEST} children.")
    return about
