"""Live matches that files bring: what the core rules say of each, on the facts as they would be after the import."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from matcher import records
from matcher.catalogue import title_of
from matcher.constraints import PAIR_RULES, in_force
from matcher.errors import Problem
from matcher.instance import Instance
from matcher.pairs import tables as columns
from matcher.readers import Reading
from matcher.reading.sheets import CHILDREN, VOLUNTEERS
from matcher.records import MatchStatus, Party, Status
from matcher.rules.base import Verdict
from service.importing.here import Here, ends
from service.repository import renamed
from service.standing import STOPPED

_Of = TypeVar("_Of", records.Match, records.Declined, records.RecordedException)

_WITHOUT_A_RECORD = frozenset({"sibling_history", "not_declined"} | {
    rule.id for rule in PAIR_RULES if rule.about == "volunteer"
})  # fmt: skip
"""What can be asked where the child of a visit is among the children neither in Kith nor in the files."""


@dataclass(frozen=True)
class Broken:
    """A rule that a new live match would not keep, in the rule's own sentence."""

    match: records.Match
    rule: str
    title: str
    sentence: str


def any_new(here: Here, given: Instance) -> bool:
    """Whether files bring matches that are live and not here yet."""
    return any(one.status is not MatchStatus.ENDED and here.match(one) is None for one in given.matches)


def refused(here: Here, reading: Reading) -> Iterator[Problem]:
    """New live matches that nobody may confirm: of a volunteer who was stopped, or to whom the child said no."""
    said = {one.id: one for one in reading.records[VOLUNTEERS.name]}
    noes = {(no.child, no.volunteer) for no in reading.records["declined"] if no.by is Party.CHILD}
    for place, match in enumerate(reading.records["matches"]):
        if match.status is MatchStatus.ENDED or here.match(match) is not None:
            continue
        where = reading.files["matches"], reading.rows["matches"][place]
        status = _status(here, said.get(match.volunteer), match.volunteer)
        if status in STOPPED:
            yield Problem(*where, "volunteer_id", match.volunteer, f"is {status}, and a match is {match.status}",
                          "Write ended if it is over; otherwise a manager takes the volunteer back first")  # fmt: skip
        if (match.child, match.volunteer) in noes or here.declined_by_child(match.child, match.volunteer):
            yield Problem(*where, "child_id", match.child,
                          f"said no to {match.volunteer}, and a match is {match.status}",
                          "Remove the row; if they have changed their mind, a proposal in Kith asks them")  # fmt: skip


def _status(here: Here, said: records.Volunteer | None, reference: str) -> Status | None:
    """Where a volunteer would stand after the import."""
    before: records.Volunteer | None = here.record(VOLUNTEERS.name, reference)
    if said is None:
        return before.status if before else None
    after: records.Volunteer = said if before is None else here.kept(VOLUNTEERS.name, before, said)
    return after.status


def broken(here: Here, given: Instance, before: Instance) -> Iterator[Broken]:
    """What the core rules say against each new live match.

    `before` is what matching reads now, by opaque ids. Each match is judged as if it were proposed beside all others.
    """
    after = _afterwards(here, given, before)
    new = [one for one in after.matches if one.status is not MatchStatus.ENDED and here.match(one) is None]
    there = {child.id for child in after.children}
    bare = [records.Child(id, family=after.family_of.get(id)) for id in {one.child for one in new} - there]
    people = tuple(sorted((*after.children, *bare), key=lambda child: child.id))
    # Of whose record in Kith cannot be, nothing is known that a rule could rest on.
    nothing = [records.Volunteer(id) for id in {one.volunteer for one in new} - {one.id for one in after.volunteers}]
    volunteers = tuple(sorted((*after.volunteers, *nothing), key=lambda one: one.id))
    known = there | {reference for reference, row in here.children.items() if row.referral}
    for some in _one_of_each(new):
        judged = set(some)
        others = tuple(one for one in after.matches if one not in judged)
        beside = replace(after, children=people, volunteers=volunteers, matches=others)
        yield from _broken(some, beside, known)


def _broken(matches: Sequence[records.Match], beside: Instance, known: Collection[str]) -> Iterator[Broken]:
    every, policy = columns(beside), beside.policy
    child = np.array([every.child_at[match.child] for match in matches], dtype=np.int64)
    volunteer = np.array([every.volunteer_at[match.volunteer] for match in matches], dtype=np.int64)
    pairs = every.pairs(child, volunteer)
    asked = [limit for limit in in_force(policy) if limit.core]
    verdicts = {limit: limit.verdicts(pairs, policy) for limit in asked}
    for place, match in enumerate(matches):
        for limit, verdict in verdicts.items():
            said = Verdict(int(verdict[place]))
            if said is not Verdict.PASSES and (match.child in known or limit.id in _WITHOUT_A_RECORD):
                sentence = limit.reason(pairs.between(place), policy, said)
                yield Broken(match, limit.id, title_of(limit, policy), sentence)


def _one_of_each(matches: Sequence[records.Match]) -> Iterator[list[records.Match]]:
    """The matches in parts, none of which has two of a child or of a volunteer: each is judged beside the others."""
    left = list(matches)
    while left:
        some, people = [], set[str]()
        for match in left:
            if people.isdisjoint((match.child, match.volunteer)):
                some.append(match)
                people |= {match.child, match.volunteer}
        yield some
        taken = set(some)
        left = [match for match in left if match not in taken]


def _afterwards(here: Here, given: Instance, before: Instance) -> Instance:
    """Everything that matching would read after the import, by the council's references."""
    now = here.rows.names_now()
    children = {here.named[child.id]: replace(child, id=here.named[child.id]) for child in before.children}
    volunteers = {
        here.named[one.id]: replace(one, id=here.named[one.id], known_children=_named(here, one.known_children))
        for one in before.volunteers
    }
    for child in given.children:
        was = here.record(CHILDREN.name, child.id)
        children[child.id] = renamed(here.kept(CHILDREN.name, was, child) if was else child, "provider", now)
    for one in given.volunteers:
        was = here.record(VOLUNTEERS.name, one.id)
        after = here.kept(VOLUNTEERS.name, was, one) if was else one
        volunteers[one.id] = renamed(after, "organisations", now)
    over = {(one.child, one.volunteer) for one in given.matches if (row := here.match(one)) and ends(row, one)}
    matches = [
        replace(one, status=MatchStatus.ENDED) if (one.child, one.volunteer) in over else one
        for one in (_by_reference(here, one) for one in before.matches)
    ]
    matches += [one for one in given.matches if here.match(one) is None]
    family = _families(here, given)
    return Instance.kept(
        tuple(replace(one, family=family.get(name.casefold())) for name, one in children.items()),
        tuple(volunteers.values()),
        policy=before.policy,
        as_of=before.as_of,
        matches=tuple(replace(one, family=family.get(one.child.casefold())) for one in matches),
        declined=(*(_by_reference(here, one) for one in before.declined), *given.declined),
        exceptions=(*(_by_reference(here, one) for one in before.exceptions), *given.exceptions),
        authorities=tuple({**before.authorities, **given.authorities}.values()),
    )


def _by_reference(here: Here, one: _Of) -> _Of:
    whom: dict[str, Any] = {"child": here.named.get(one.child or ""), "volunteer": here.named[one.volunteer]}
    return replace(one, **whom)


def _named(here: Here, ids: Collection[str] | None) -> tuple[str, ...] | None:
    return None if ids is None else tuple(here.named.get(id, id) for id in ids)


def _families(here: Here, given: Instance) -> dict[str, str]:
    """The family of each child of whom it would be known, by Kith and by the files together."""
    groups = here.together(given)
    sure = [reference for reference, row in here.family_of.items() if row.known]
    named = {groups[child.casefold()] for child in (*sure, *given.family_of)}
    return {child: group for child, group in groups.items() if group in named}
