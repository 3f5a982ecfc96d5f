"""What the rules say of one person, whoever the other side is: who is ready, who lacks a check, whose checks lapse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from matcher.catalogue import title_of
from matcher.constraints import PAIR_RULES, in_force
from matcher.explain import WORDS, Reason
from matcher.gaps import lacking
from matcher.instance import Instance
from matcher.pairs import Between, Bools, Ints, Pairs, Tables, tables
from matcher.policy import Policy
from matcher.records import Child, Status, Volunteer
from matcher.rules.base import Limit, Verdict, column_of
from matcher.words import listed, spoken

CHECKS = ("dbs_current", "vehicle_documents", "database_check")
"""The rules about a volunteer that hold today and stop holding by the calendar alone."""
_NO_MORE = ("still_looked_after", "referral_age", "time_left")
"""The rules about a child that, once they refuse one, time alone never lets pass again."""
_AS_A_VISITOR = ("support_sessions",)
"""The rules about a volunteer that ask what they did while they visited: whoever is to be approved has that to come."""
_FIRST = 8
"""Volunteers by whom most children are found to lack nothing that every volunteer waits for."""


def about_child(instance: Instance, child: str) -> tuple[Reason, ...]:
    """The verdict of each rule about the child alone. Raises NotFoundError for a child who is not waiting."""
    one = instance.waiting_child(child)
    every = tables(instance)
    pairs = every.children_alone(np.array([every.child_at[child]]))
    return _reasons(Between(one, Volunteer(""), instance, pairs), "child")


def about_volunteer(instance: Instance, volunteer: str) -> tuple[Reason, ...]:
    """The verdict of each rule about the volunteer alone. Raises NotFoundError for one who is not there."""
    one = instance.volunteer(volunteer)
    every = tables(instance)
    pairs = every.volunteers_alone(np.array([every.volunteer_at[volunteer]]))
    return _reasons(Between(Child(""), one, instance, pairs), "volunteer")


def not_asked(instance: Instance) -> Mapping[str, tuple[str, ...]]:
    """What is recorded against volunteers of which this policy asks nothing, in sentences, by volunteer.

    That is what a rule which it leaves out would refuse by the record alone, under whatever limits.
    """
    every, policy = tables(instance), instance.policy
    pairs, asked = every.volunteers_alone(np.arange(len(instance.volunteers))), in_force(policy)
    found: dict[str, tuple[str, ...]] = {}
    for rule in PAIR_RULES:
        if rule.about != "volunteer" or rule.limits or rule in asked:
            continue
        for row in np.flatnonzero(rule.verdicts(pairs, policy) == Verdict.FAILS).tolist():
            one = instance.volunteers[row]
            between = Between(Child(""), one, instance, every.volunteers_alone(np.array([row])))
            found[one.id] = (*found.get(one.id, ()), rule.failing(between, policy))
    return found


def ready_children(instance: Instance) -> Mapping[str, bool]:
    """Whether each child who waits lacks nothing but a volunteer, by id.

    They pass every rule about themselves, and no blank cell of theirs keeps every volunteer from them.
    """
    every, policy = tables(instance), instance.policy
    ready = _ready(every.children_alone(np.arange(len(instance.waiting))), instance, "child")
    everybody = np.arange(len(instance.volunteers))
    volunteers = np.flatnonzero(_ready(every.volunteers_alone(everybody), instance, "volunteer"))
    for limit in _about(instance, "pair"):
        for path in (one for one in limit.reads if one.startswith("child.")):
            left = np.flatnonzero(ready & ~every.child.known(path.removeprefix("child.")))
            for some in (volunteers[:_FIRST], volunteers):  # few are left whom none of the first could visit
                left = _kept_from_all(every, limit, path, left, some, policy)
            ready[left] = False
    return dict(zip((child.id for child in instance.waiting), ready.tolist(), strict=True))


def _kept_from_all(every: Tables, limit: Limit, path: str, children: Ints, volunteers: Ints, policy: Policy) -> Ints:
    """Those of the children for whom the rule waits for the fact, whichever of the volunteers it is."""
    kept = [children[:0]]
    for start in range(0, len(children) if len(volunteers) else 0, every.children_at_once):
        some = children[start : start + every.children_at_once]
        blanks = dict(limit.blanks(every.pairs_within(some, volunteers, None), policy))
        kept.append(some[blanks[path].reshape(len(some), -1).all(axis=1)])
    return np.concatenate(kept)


def beyond_a_visitor(instance: Instance) -> frozenset[str]:
    """The children who wait in vain: their care has ended, or they are beyond the age for a visitor; by id."""
    every = tables(instance).children_alone(np.arange(len(instance.waiting)))
    beyond = np.zeros(len(instance.waiting), dtype=np.bool_)
    for limit in _about(instance, "child"):
        if limit.id in _NO_MORE:
            beyond |= limit.verdicts(every, instance.policy) == Verdict.FAILS
    return frozenset(instance.waiting[row].id for row in np.flatnonzero(beyond).tolist())


def ready_volunteers(instance: Instance) -> Mapping[str, bool]:
    """Whether each volunteer could be proposed today as far as it is theirs, by id.

    They pass every rule about themselves, and lack no fact that matching needs of them whoever the child is.
    """
    people = instance.volunteers
    ready = _ready(tables(instance).volunteers_alone(np.arange(len(people))), instance, "volunteer")
    passing = [people[row] for row in np.flatnonzero(ready).tolist()]
    blank = {id for gap in lacking((), passing, policy=instance.policy, as_of=instance.as_of) for id in gap.blank}
    return {one.id: passes and one.id not in blank for one, passes in zip(people, ready.tolist(), strict=True)}


@dataclass(frozen=True)
class Unchecked:
    """A check that the policy asks of whoever is approved, and that a volunteer lacks."""

    volunteer: str
    rule: str
    blank: tuple[str, ...]
    """The columns that are not recorded; none where what they say is not enough, or not any more."""
    sentence: str
    """As the rule says it."""


def unchecked(volunteers: Sequence[Volunteer], policy: Policy, as_of: date) -> tuple[Unchecked, ...]:
    """The checks that these lack, each as if they were approved: what is blank, has lapsed, or falls short."""
    instance = Instance.kept(
        (), [replace(one, status=Status.APPROVED) for one in volunteers], policy=policy, as_of=as_of
    )  # fmt: skip
    every = tables(instance)
    pairs = every.volunteers_alone(np.arange(len(instance.volunteers)))
    found = []
    for limit in (one for one in _about(instance, "volunteer") if one.id not in _AS_A_VISITOR):
        verdicts = limit.verdicts(pairs, policy)
        blanks = [(column_of(path)[1], where) for path, where in limit.blanks(pairs, policy)]
        for row in np.flatnonzero(verdicts != Verdict.PASSES).tolist():
            one = instance.volunteers[row]
            between = Between(Child(""), one, instance, every.volunteers_alone(np.array([row])))
            blank = tuple(column for column, where in blanks if where[row])
            sentence = limit.reason(between, policy, Verdict(int(verdicts[row])))
            found.append(Unchecked(one.id, limit.id, blank, sentence))
    return tuple(found)


def told_unchecked(lacking: Sequence[Unchecked], called: Callable[[str], str] = spoken) -> str:
    """What one volunteer lacks, to go on in a sentence: “DBS checked on” is not recorded; the licence has lapsed.

    Args:
        called: how a column is called where it is told.
    """
    blank = [f"“{called(column)}”" for column in dict.fromkeys(one for each in lacking for one in each.blank)]
    said = [f"{listed(blank)} {'is' if len(blank) == 1 else 'are'} not recorded"] if blank else []
    return "; ".join([*said, *(one.sentence.rstrip(".") for one in lacking if not one.blank)])


@dataclass(frozen=True)
class Lapse:
    """A check of an approved volunteer that lapses, or that has."""

    volunteer: str
    rule: str
    title: str
    on: date | None
    """The first day on which it no longer holds; None where it does not hold today."""


def lapses(instance: Instance, days: int) -> tuple[Lapse, ...]:
    """The checks of approved volunteers that are out of date, or will be within so many days; soonest first."""
    every, policy = tables(instance), instance.policy
    approved = np.array(
        [row for row, one in enumerate(instance.volunteers) if one.status is Status.APPROVED], dtype=np.int64
    )
    found = []
    for limit in (one for one in in_force(policy) if one.id in CHECKS):
        title = title_of(limit, policy)
        left = approved
        for ahead in range(days + 1):
            day = instance.as_of + timedelta(days=ahead)
            verdicts = limit.verdicts(_as_of(every, day).volunteers_alone(left), policy)
            lapsed = left[verdicts == Verdict.FAILS]
            ids = [instance.volunteers[row].id for row in lapsed.tolist()]
            found += [Lapse(id, limit.id, title, day if ahead else None) for id in ids]
            left = left[verdicts == Verdict.PASSES]
    return tuple(sorted(found, key=lambda one: (one.on or date.min, one.volunteer, one.rule)))


def _as_of(every: Tables, day: date) -> Tables:
    return replace(every, instance=replace(every.instance, as_of=day))


def _about(instance: Instance, side: str) -> Iterable[Limit]:
    return (limit for limit in in_force(instance.policy) if limit.about == side)


def _reasons(between: Between, side: str) -> tuple[Reason, ...]:
    policy, pairs = between.instance.policy, between.pairs
    reasons = []
    for limit in _about(between.instance, side):
        verdict = Verdict(int(limit.verdicts(pairs, policy)[0]))
        source = policy.source(f"{limit.section}.{limit.id}") or limit.source
        sentence = limit.reason(between, policy, verdict)
        reasons.append(Reason(limit.id, title_of(limit, policy), source, limit.core, WORDS[verdict], sentence))
    return tuple(reasons)


def _ready(pairs: Pairs, instance: Instance, side: str) -> Bools:
    """Whether each passes every rule about themselves."""
    ready = np.ones(len(pairs), dtype=np.bool_)
    for limit in _about(instance, side):
        ready &= limit.verdicts(pairs, instance.policy) == Verdict.PASSES
    return ready
