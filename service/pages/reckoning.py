"""What the matcher says of an authority, kept in memory until the data, the policy or the day changes.

Every page reads from it, so that a list needs no row decrypted twice. Nothing is decided by it: `proposals` reads the
rows afresh, and asks the rules again, at each step.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from fastapi import Depends
from sqlalchemy import select

from matcher import alone, pipeline, standing
from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS
from matcher.errors import Problem
from matcher.gaps import Gap, gaps, lacking
from matcher.impossible import impossible
from matcher.instance import Instance
from matcher.pairs import tables as columns
from matcher.plan import Plan
from matcher.records import Agreement, Status
from matcher.rules.child import ChildAgrees
from matcher.rules.volunteer import Approved
from matcher.scores.child import NoParentalContact
from matcher.scoring import PRIORITIES
from matcher.shortlist import Candidate, shortlist
from matcher.words import listed, spoken
from service import holds
from service.api.deps import Asking, Kith, Reading
from service.database import tables
from service.matching import Held
from service.pages.labels import label
from service.published import PlanToday, plan_today
from service.repository import with_references
from service.standing import STOPPED, looked_into
from service.steps import Pause, pauses
from service.workflow import LIVE, State

DAYS_AHEAD = 60
_COLUMN = re.compile(r" \((?:children|volunteers), column \w+\)")
"""Where a spreadsheet has a fact that is missing: the pages have a form for it."""
SHORT = {limit.id: limit.short for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS)}
"""Each rule in a few words: what somebody is whom it excludes."""
MOST = 6
"""Volunteers side by side on a shortlist."""


def _by(matches: Sequence[tables.Match], of: Callable[[tables.Match], str]) -> Mapping[str, Sequence[tables.Match]]:
    """Matches by the id of one of their two, in the order that they have."""
    found: dict[str, list[tables.Match]] = defaultdict(list)
    for match in matches:
        found[of(match)].append(match)
    return found


def _short(rule: str, approved: bool) -> str:
    """A rule in a few words, of a volunteer of whom it is known whether they are approved: else the agreement lacks."""
    return "without a signed agreement" if approved and rule == Approved.id else SHORT[rule]


@dataclass
class Reckoning:
    """One authority's children, volunteers and matches on one day."""

    held: Held
    references: Mapping[str, str]
    matches: Sequence[tables.Match]
    planned: PlanToday
    paused: Mapping[str, Pause]
    """The visits that are paused, by the id of their match."""

    failing: dict[str, Sequence[str]]
    """Why the next step of a match would be refused, by its id: filled as pages ask."""
    looked_into: Mapping[str, str] = field(default_factory=dict)
    """Of volunteers about whom there was a concern, and children who were held: when it was closed, and how."""
    last_run: Any = None
    """What the first page tells of the newest run: see `today.LastRun`."""

    @property
    def instance(self) -> Instance:
        return self.held.instance

    def told(self, content: Any) -> Any:
        """A sentence, or many, with the council's references in place of ids and without the names of columns."""
        found = with_references(content, self.references)
        return _COLUMN.sub("", found) if isinstance(found, str) else found

    @cached_property
    def cannot_be(self) -> Sequence[tuple[Collection[str], Problem]]:
        """Whatever cannot be of what is recorded: whom it is about, child, volunteer or both, and what is wrong."""
        instance, own = self.instance, []
        for sheet, people in (("children", instance.children), ("volunteers", instance.volunteers)):
            for one in people:
                for column, value, wrong, remedy, _ in impossible(one, instance.as_of):
                    own.append((frozenset({one.id}), Problem(sheet, 0, column, value, wrong, remedy)))
        return [*instance.impossible, *own]

    def impossible(self, *ids: str) -> Sequence[str]:
        """What cannot be of the facts and matches of somebody, or of the match of two: to be corrected by a person."""
        return [self._wrong(about, one) for about, one in self.cannot_be if set(ids).issubset(about)]

    def _wrong(self, about: Collection[str], one: Problem) -> str:
        who = " and ".join(self.references[id] for id in sorted(about))
        where = ", by a file of matches under Import" if one.file == "matches" else ""
        return f"{who}, {spoken(one.column)}: {one.value} {one.wrong}. {one.remedy}{where}."

    @cached_property
    def live(self) -> Mapping[str, tables.Match]:
        """The live proposal or match of each child who has one."""
        return {match.child_id: match for match in self.matches if match.state in LIVE}

    @cached_property
    def by_id(self) -> Mapping[str, tables.Match]:
        return {match.id: match for match in self.matches}

    @cached_property
    def of_child(self) -> Mapping[str, Sequence[tables.Match]]:
        return _by(self.matches, lambda match: match.child_id)

    @cached_property
    def of_volunteer(self) -> Mapping[str, Sequence[tables.Match]]:
        return _by(self.matches, lambda match: match.volunteer_id)

    @cached_property
    def broken(self) -> Mapping[str, str]:
        """What each match that goes on breaks of the core rules by now, in a few words, by its id: to be looked at.

        One that is paused has been stopped already, and is asked again before it goes on.
        """
        found = standing.broken(self.instance)
        going_on = (one for one in self.matches if one.state in LIVE and one.state != State.PAUSED)
        named = ((one.id, found.get((one.child_id, one.volunteer_id), ())) for one in going_on)
        approved = {one.id for one in self.instance.volunteers if one.status is Status.APPROVED}
        unsigned = {one.id for one in self.matches if one.volunteer_id in approved}
        return {id: listed(_short(rule, id in unsigned) for rule in rules) for id, rules in named if rules}

    @cached_property
    def ready_children(self) -> Mapping[str, bool]:
        return alone.ready_children(self.instance)

    @cached_property
    def beyond_a_visitor(self) -> frozenset[str]:
        """The children whom nobody needs to ask whether they would like a visitor: they cannot have one any more."""
        return alone.beyond_a_visitor(self.instance)

    @cached_property
    def not_asked(self) -> Mapping[str, Sequence[str]]:
        """What is recorded against volunteers of which the policy in force asks nothing, by volunteer."""
        return alone.not_asked(self.instance)

    @cached_property
    def ready_volunteers(self) -> Mapping[str, bool]:
        return alone.ready_volunteers(self.instance)

    @cached_property
    def priority(self) -> Mapping[str, int]:
        """What each child who waits brings in points, by id."""
        policy, waiting = self.instance.policy, self.instance.waiting
        everyone = columns(self.instance).children_alone(np.arange(len(waiting)))
        points = [one.points(everyone, policy) for one in PRIORITIES if policy.on(f"priorities.{one.id}")]
        total = sum(points, start=np.zeros(len(waiting), np.int64))
        return dict(zip((child.id for child in waiting), total.tolist(), strict=True))

    @cached_property
    def plan(self) -> Plan:
        """The best plan under the policy in force. Raises NoPlanError where there is none."""
        return pipeline.match(self.instance)

    @cached_property
    def without_contact(self) -> frozenset[str]:
        """The children who wait and are without parental contact, whatever points the policy gives for it."""
        waiting = self.instance.waiting
        everyone = columns(self.instance).children_alone(np.arange(len(waiting)))
        holds = NoParentalContact().holds(everyone, self.instance.policy)
        return frozenset(child.id for child, without in zip(waiting, holds.tolist(), strict=True) if without)

    def missing(self, ids: Sequence[str]) -> Mapping[str, Sequence[Gap]]:
        """The gaps that keep each of these children, or of these volunteers, from a match, by id.

        All at once, what every match needs first: also of whom a rule refuses now, who would be told of the rest once
        that has changed.
        """
        found: dict[str, dict[str, Gap]] = {id: {} for id in ids}
        for gap in (*self._lacking(found.keys()), *gaps(self.instance, of=found.keys())):
            for id in gap.blank:
                before = found[id].get(gap.column)
                rules = (*before.rules, *gap.rules) if before else gap.rules
                found[id][gap.column] = replace(gap, rules=tuple(dict.fromkeys(rules)))
        return {id: list(told.values()) for id, told in found.items()}

    def _lacking(self, ids: Collection[str]) -> Sequence[Gap]:
        """Nothing of whoever has said no, has gone, or is matched already: of them nobody is to find out more."""
        instance = self.instance
        children = [
            one for one in instance.waiting
            if one.id in ids and one.agrees is not Agreement.NO and one.id not in self.beyond_a_visitor
        ]  # fmt: skip
        volunteers = [
            one for one in instance.volunteers
            if one.id in ids and one.status not in STOPPED and not self.is_taken(one.id)
        ]  # fmt: skip
        return lacking(children, volunteers, policy=instance.policy, as_of=instance.as_of)

    def is_taken(self, volunteer: str) -> bool:
        """Whether a volunteer has a live proposal or match."""
        return any(match.state in LIVE for match in self.of_volunteer.get(volunteer, ()))

    def is_free(self, volunteer: str) -> bool:
        """Whether nothing of theirs stands in the way of a proposal today: the approval, a check, a fact, a child."""
        return self.ready_volunteers[volunteer] and not self.is_taken(volunteer)

    def not_ready(self, ids: Sequence[str]) -> Mapping[str, str]:
        """What keeps each of these children who wait, or of these volunteers, from any match: the first, in short."""
        missing, found = self.missing(ids), {}
        for id in (one for one in ids if one not in self.instance.visited):
            told = (alone.about_child if id.startswith("C") else alone.about_volunteer)(self.instance, id)
            against = [one.rule for one in told if one.verdict == "fails"]
            if against:
                found[id] = "not asked yet" if against[0] == ChildAgrees.id else SHORT[against[0]]
            elif gaps := missing[id]:
                found[id] = f"not recorded: {label(gaps[0].sheet, gaps[0].column).partition(', ')[0]}"
                found[id] += f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        return found

    @cached_property
    def lapses(self) -> Sequence[alone.Lapse]:
        return alone.lapses(self.instance, DAYS_AHEAD)

    @cached_property
    def first_lapse(self) -> Mapping[str, alone.Lapse]:
        """The check of each volunteer that lapses first, or has: by volunteer."""
        return {one.volunteer: one for one in reversed(self.lapses)}

    def who_could(self, child: str, skip: int, top: int, without: Collection[str]) -> Sequence[Candidate]:
        """Who passes every rule for a child, best fit first: `top` after `skip` of those who are not named."""
        return shortlist(self.instance, child, top=top, rank_by="fit", skip=skip, without=without)

    def shortlist(self, child: str, by_plan: bool) -> Sequence[Candidate]:
        """The ranked volunteers of a child. By plan, each has its effect; or none has, while they are worked out."""
        planned = self.planned.volunteer_of.get(child)  # who is on it wherever they rank
        also = () if planned is None else (planned,)
        return self.held.shortlist(child, top=MOST, rank_by="plan" if by_plan else "fit", also=also).candidates


_KEPT: dict[str, Reckoning] = {}


def reckoning(kith: Kith, person: Asking, rows: Reading) -> Reckoning:
    """Of the person's authority, as the data stands now."""
    held = kith.matching.of(rows)  # another one as soon as the data, the policy or the day is another
    kept, planned = _KEPT.get(person.authority_id), plan_today(rows, held.instance)
    if kept is None or kept.held is not held or kept.planned is not planned:
        matches = rows.session.scalars(select(tables.Match).order_by(tables.Match.since.desc(), tables.Match.id)).all()
        kept = _KEPT[person.authority_id] = Reckoning(
            held, rows.references(), matches, planned, pauses(rows, matches), {},
            {**looked_into(rows), **dict(holds.looked_into(rows))},
        )  # fmt: skip
    return kept


Reckoned = Annotated[Reckoning, Depends(reckoning)]
