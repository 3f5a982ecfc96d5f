"""Why a pair is eligible or not, what its points rest on, and why a child stays unmatched. Typed first, words last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from matcher.catalogue import title_of
from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS, in_force
from matcher.instance import Instance
from matcher.pairs import Between, Bools, Ints, Pairs, Tables, tables
from matcher.plan import Unmatched
from matcher.policy import Policy
from matcher.records import Volunteer
from matcher.rules.base import Limit, Verdict, Verdicts, told_missing
from matcher.scoring import PRIORITIES, SCORES, Scored, score
from matcher.words import listed

_NOBODY = Volunteer("")
"""Stands beside a child where a rule speaks of the child alone."""

WORDS = {Verdict.PASSES: "passes", Verdict.FAILS: "fails", Verdict.NOT_RECORDED: "not recorded"}
NOT_ASKED = "This policy does not ask for it."
"""Of a rule that the policy leaves out."""


@dataclass(frozen=True)
class Reason:
    """One rule's verdict on one pair."""

    rule: str
    title: str
    source: str
    core: bool
    verdict: str
    """"passes", "fails", "not recorded", or "not in force" where the policy has switched it off."""
    sentence: str


@dataclass(frozen=True)
class Points:
    """What one score or priority contributes to one pair."""

    id: str
    title: str
    source: str
    weight: int | None
    """Of a score; None of a priority."""
    points: int
    counts: str
    """"known", "not recorded" (a score then drops out), or "does not apply"."""
    sentence: str


@dataclass(frozen=True)
class Explanation:
    """One child and one volunteer under one policy."""

    child: str
    volunteer: str
    eligible: bool
    reasons: tuple[Reason, ...]
    scores: tuple[Points, ...]
    priorities: tuple[Points, ...]
    fit: int
    priority: int
    policy: str
    policy_version: str
    policy_hash: str
    as_of: str

    @property
    def points(self) -> int:
        return self.fit + self.priority

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "points": self.points}


def explain(instance: Instance, child: str, volunteer: str) -> Explanation:
    """Every rule's verdict and every score's points for one pair. Raises NotFoundError for ids that are not there."""
    pairs = _one_pair(instance, child, volunteer)
    policy, between = instance.policy, pairs.between(0)
    (reasons,) = _reasons(pairs, policy)
    scored = score(pairs, policy)
    return Explanation(
        child,
        volunteer,
        all(reason.verdict in ("passes", "not in force") for reason in reasons),
        reasons,
        score_points(between, scored, 0),
        priority_points(between, scored, 0),
        int(scored.fit[0]),
        int(scored.priority[0]),
        policy.name,
        policy.version,
        policy.content_hash,
        instance.as_of.isoformat(),
    )


def verdicts(instance: Instance, between: Sequence[tuple[str, str]]) -> list[tuple[Reason, ...]]:
    """Every rule's verdict on each of some children who wait with a volunteer, as `explain` tells it of one pair.

    Raises NotFoundError for ids that are not there.
    """
    every = tables(instance)
    children = [every.child_at[instance.waiting_child(child).id] for child, _ in between]
    volunteers = [every.volunteer_at[instance.volunteer(volunteer).id] for _, volunteer in between]
    pairs = every.pairs(np.array(children, dtype=np.int64), np.array(volunteers, dtype=np.int64))
    return _reasons(pairs, instance.policy) if between else []


def _reasons(pairs: Pairs, policy: Policy) -> list[tuple[Reason, ...]]:
    """One pair after the other: a verdict is asked once a rule, a sentence once a pair."""
    every = [pairs.between(row) for row in range(len(pairs))]
    found: list[list[Reason]] = [[] for _ in every]
    for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS):
        name = f"{limit.section}.{limit.id}"
        in_policy, title = policy.on(name), title_of(limit, policy)
        source, verdicts = policy.source(name) or limit.source, limit.verdicts(pairs, policy).tolist()
        for between, told, number in zip(every, found, verdicts, strict=True):
            verdict = Verdict(number)
            word = WORDS[verdict] if in_policy else "not in force"
            sentence = limit.reason(between, policy, verdict) if in_policy else NOT_ASKED
            told.append(Reason(limit.id, title, source, limit.core, word, sentence))
    return [tuple(told) for told in found]


def score_points(between: Between, scored: Scored, row: int) -> tuple[Points, ...]:
    """What each score in force gives the pair at a row."""
    policy = between.instance.policy
    lines = []
    for one in SCORES:
        if one.id not in scored.by_score:
            continue
        _, counts, unknown = one.thousandths(between.pairs, policy)
        state = "known" if counts[0] else "not recorded" if unknown[0] else "does not apply"
        sentence = {"not recorded": "Not recorded: it does not count.", "does not apply": "Does not apply."}.get(state)
        lines.append(
            Points(
                one.id,
                title_of(one, policy),
                policy.source(f"scores.{one.id}") or one.source,
                policy.number(f"scores.{one.id}.weight"),
                int(scored.by_score[one.id][row]),
                state,
                sentence or one.words(between, policy),
            )
        )
    return tuple(lines)


def priority_points(between: Between, scored: Scored, row: int) -> tuple[Points, ...]:
    """What each priority in force gives the child of the pair at a row."""
    policy = between.instance.policy
    return tuple(
        Points(
            one.id,
            title_of(one, policy),
            policy.source(f"priorities.{one.id}") or one.source,
            None,
            int(scored.by_priority[one.id][row]),
            "known" if all(between.pairs.known(path)[0] for path in one.reads) else "not recorded",
            one.words(between, policy),
        )
        for one in PRIORITIES
        if one.id in scored.by_priority
    )


def notes(between: Between, policy: Policy) -> Mapping[str, str]:
    """What a coordinator should hear of an eligible pair before proposing it, by rule: exceptions, costs and ties."""
    told = [limit for limit in in_force(policy) if limit.worth_telling(between, policy)]
    return {limit.id: limit.telling(between, policy) for limit in told}


def why_nobody(instance: Instance, child: str) -> Unmatched:
    """Why no volunteer at all is eligible for a child who waits."""
    every = tables(instance)
    row = [one.id for one in instance.waiting].index(child)
    (verdicts,) = verdicts_with_everyone(every, np.array([row]))
    return why_unmatched(every, row, verdicts, eligible=0, fitting=0, lost={})


def why_no_child(instance: Instance, volunteer: str) -> str:
    """Why a volunteer could visit none of the children who wait."""
    if not instance.waiting:
        return "No child waits for a visitor."
    every, policy = tables(instance), instance.policy
    row = [one.id for one in instance.volunteers].index(volunteer)
    pairs = every.pairs_within(np.arange(len(instance.waiting)), np.array([row]), None)
    between = pairs.between(0)
    about = []
    for limit in in_force(policy):
        verdict = Verdict(int(limit.verdicts(pairs, policy)[0]))
        if limit.about == "volunteer" and verdict is not Verdict.PASSES:
            about.append(limit.reason(between, policy, verdict))
    excluded = _excluded(_verdicts(pairs, in_force(policy), policy))
    counts = listed(f"{count} {in_short(rule)}" for rule, count in excluded.items())
    return " ".join(about) or f"No child is eligible: of {len(instance.waiting)}, {counts}."


def verdicts_with_everyone(every: Tables, children: Ints) -> Iterator[dict[Limit, Verdicts]]:
    """What each limit in force says of a child with every volunteer, for each of these children in turn."""
    policy, everyone = every.instance.policy, np.arange(len(every.instance.volunteers))
    at_once = max(1, every.children_at_once // 8)  # every rule looks at all of them, so that memory holds fewer
    for first in range(0, len(children), at_once):
        some = children[first : first + at_once]
        verdicts = _verdicts(every.pairs_within(some, everyone, None), _volunteers_first(policy), policy)
        for child in range(len(some)):
            rows = slice(child * len(everyone), (child + 1) * len(everyone))
            yield {limit: of[rows] for limit, of in verdicts.items()}


def why_unmatched(
    every: Tables, child_row: int, verdicts: Mapping[Limit, Verdicts], *,
    eligible: int, fitting: int, lost: Mapping[str, int],
) -> Unmatched:  # fmt: skip
    """Why a child is in no match of a plan.

    Args:
        every: the tables of the instance.
        child_row: the child.
        verdicts: what each limit says of the child with every volunteer, by `verdicts_with_everyone`.
        eligible: how many volunteers could visit the child.
        fitting: how many of those reach the policy's minimum fit.
        lost: where those are in the plan: {"planned for other children": 2}.
    """
    instance, policy = every.instance, every.instance.policy
    child, number = instance.waiting[child_row], len(instance.volunteers)
    about_child, excluded = _about_the_child(every, child_row, verdicts), _excluded(verdicts)
    if about_child:
        return Unmatched(child.id, "child", " ".join(about_child), 0, excluded)
    if not number:
        return Unmatched(child.id, "nobody", "There are no volunteers.", 0, excluded)
    if not eligible:
        # Who can visit no child at all is told once for the whole plan, not child by child.
        nobodys = [rule for rule in excluded if _limit(rule).about == "volunteer"]
        counts = [f"{sum(excluded[rule] for rule in nobodys)} can visit no child for now"] if nobodys else []
        counts += [f"{count} {in_short(rule)}" for rule, count in excluded.items() if rule not in nobodys]
        return Unmatched(child.id, "nobody", f"No volunteer is eligible: of {number}, {listed(counts)}.", 0, excluded)
    could = f"{eligible} {'volunteer' if eligible == 1 else 'volunteers'} could visit"
    if not fitting:
        reason = f"{could}, but none fits with {policy.minimum_fit} points or more, as the policy asks."
        return Unmatched(child.id, "fit", reason, eligible, excluded)
    where = listed(f"{count} {what}" for what, count in sorted(lost.items()))
    return Unmatched(child.id, "others", f"{could}. In the plan: {where}.", eligible, excluded)


def _about_the_child(every: Tables, child_row: int, verdicts: Mapping[Limit, Verdicts]) -> list[str]:
    """What keeps the child from every volunteer, whoever it is: a rule about the child, or a fact not recorded."""
    instance, policy = every.instance, every.instance.policy
    alone = every.children_alone(np.array([child_row]))
    between = Between(instance.waiting[child_row], _NOBODY, instance, alone)
    reasons = []
    for limit in in_force(policy):
        if limit.about == "child":
            verdict = Verdict(int((verdicts[limit] if instance.volunteers else limit.verdicts(alone, policy))[0]))
            if verdict is not Verdict.PASSES:
                reasons.append(limit.reason(between, policy, verdict))
        elif limit.about == "pair" and instance.volunteers and (verdicts[limit] == Verdict.NOT_RECORDED).all():
            pairs = every.all_pairs_of(child_row)
            needed = [path for path in limit.reads if limit.needs(path, pairs, policy)[0]]
            missing = [path for path in needed if path.startswith("child.") and not pairs.known(path)[0]]
            if missing:
                reasons.append(told_missing(missing, between))
    return list(dict.fromkeys(reasons))


def who_visits_nobody(instance: Instance) -> tuple[int, str]:
    """How many volunteers could visit no child at all for now, and why: "6 not approved and 1 too young"."""
    policy, everyone = instance.policy, np.arange(len(instance.volunteers))
    limits = [limit for limit in in_force(policy) if limit.about == "volunteer"]
    excluded = _excluded(_verdicts(tables(instance).volunteers_alone(everyone), limits, policy))
    return sum(excluded.values()), listed(f"{count} {in_short(rule)}" for rule, count in excluded.items())


def _volunteers_first(policy: Policy) -> list[Limit]:
    return sorted(in_force(policy), key=lambda limit: limit.about != "volunteer")


def _verdicts(pairs: Pairs, limits: Iterable[Limit], policy: Policy) -> dict[Limit, Verdicts]:
    return {limit: limit.verdicts(pairs, policy) for limit in limits}


def _excluded(verdicts: Mapping[Limit, Verdicts]) -> Mapping[str, int]:
    """How many pairs each limit is the first to exclude, in their order, of the verdicts that they give.

    What cannot be judged because a fact is not recorded is counted apart, as `dbs_current_not_recorded`.
    """
    left: Bools | bool = True
    counts: dict[str, int] = {}
    for limit, verdict in verdicts.items():
        for state, name in ((Verdict.FAILS, limit.id), (Verdict.NOT_RECORDED, limit.id + _MISSING)):
            number = int((left & (verdict == state)).sum())
            if number:
                counts[name] = number
        left = left & (verdict == Verdict.PASSES)
    return counts


_MISSING = "_not_recorded"


def _limit(counted: str) -> Limit:
    return next(one for one in (*PAIR_RULES, *PLAN_CONSTRAINTS) if one.id == counted.removesuffix(_MISSING))


def in_short(counted: str) -> str:
    """What a rule excludes whom it counts, as `travel` or `dbs_current_not_recorded`: “too far away”."""
    limit = _limit(counted)
    return limit.short if limit.id == counted else f"perhaps {limit.short}: not recorded"


def _one_pair(instance: Instance, child: str, volunteer: str) -> Pairs:
    instance.waiting_child(child)
    instance.volunteer(volunteer)
    return tables(instance).pair(child, volunteer)
