"""Instance: all that one run needs, checked once. Whatever holds an Instance trusts it."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from difflib import get_close_matches
from functools import cached_property
from typing import TypeVar
from zoneinfo import ZoneInfo

from matcher.errors import InputError, NotFoundError, Problem
from matcher.policy import Policy
from matcher.records import (
    Agreement,
    Authority,
    Child,
    Declined,
    ExceptionKind,
    Match,
    MatchStatus,
    RecordedException,
    Volunteer,
)
from matcher.references import impossible_dates, near_misses, too_old
from matcher.typed import ill_typed

Record = TypeVar("Record", Child, Volunteer)


LONDON = ZoneInfo("Europe/London")
"""Where the policies' days begin and end."""


def today() -> date:
    """The date in London."""
    return datetime.now(LONDON).date()


@dataclass(frozen=True)
class Instance:
    """The children, the volunteers, what has been between them, one policy and one date.

    Children and volunteers are in order of id, so that nothing downstream depends on the order of rows.
    Build it with `Instance.of`, which checks every reference.
    """

    children: tuple[Child, ...]
    volunteers: tuple[Volunteer, ...]
    matches: tuple[Match, ...]
    declined: tuple[Declined, ...]
    authorities: Mapping[str, Authority]
    policy: Policy
    as_of: date
    exceptions: tuple[RecordedException, ...] = ()

    @classmethod
    def of(
        cls,
        children: Sequence[Child],
        volunteers: Sequence[Volunteer],
        *,
        policy: Policy,
        as_of: date,
        matches: Sequence[Match] = (),
        declined: Sequence[Declined] = (),
        authorities: Sequence[Authority] = (),
        exceptions: Sequence[RecordedException] = (),
        stood: Collection[Problem] = (),
    ) -> Instance:
        """Raises InputError with every problem: a field that is ill-typed, an id that repeats or dangles, a date.

        Args:
            stood: problems of records that were kept so before, as `find_problems` tells them: they stay as they are.
        """
        sheets = {
            "children": children, "volunteers": volunteers, "matches": matches, "declined": declined,
            "authorities": authorities, "exceptions": exceptions,
        }  # fmt: skip
        # What is ill-typed cannot even be compared with the rest.
        problems = [problem for sheet, records in sheets.items() for problem in ill_typed(sheet, records)] or [
            problem
            for problem in find_problems(children, volunteers, matches, declined, authorities, as_of, exceptions)
            if problem.rejected and problem not in stood
        ]
        if problems:
            raise InputError(f"{len(problems)} records cannot be used. The first: {problems[0]}", problems)
        found = cls.kept(
            children, volunteers, policy=policy, as_of=as_of, matches=matches, declined=declined,
            authorities=authorities, exceptions=exceptions,
        )  # fmt: skip
        return replace(found, children=tuple(sorted(children, key=lambda child: child.id)))  # too old or not

    @classmethod
    def kept(
        cls,
        children: Sequence[Child],
        volunteers: Sequence[Volunteer],
        *,
        policy: Policy,
        as_of: date,
        matches: Sequence[Match] = (),
        declined: Sequence[Declined] = (),
        authorities: Sequence[Authority] = (),
        exceptions: Sequence[RecordedException] = (),
    ) -> Instance:
        """The same of records that were checked when they were written down, and have been kept since. Raises nothing.

        What the calendar made of one of them is `impossible`, keeps nobody from the others, and makes nobody eligible:
        who has grown too old for a child is looked after by nobody, whatever was recorded, and a match is what its
        status says, whatever its dates.
        """
        return cls(
            tuple(sorted((_of_age(child, as_of) for child in children), key=lambda child: child.id)),
            tuple(sorted(volunteers, key=lambda volunteer: volunteer.id)),
            tuple(sorted(matches, key=repr)),
            tuple(sorted(declined, key=repr)),
            {authority.code: authority for authority in sorted(authorities, key=lambda authority: authority.code)},
            policy,
            as_of,
            tuple(sorted(exceptions, key=repr)),
        )

    @cached_property
    def impossible(self) -> tuple[tuple[frozenset[str], Problem], ...]:
        """What cannot be of records that were `kept`: whom it is about, child, volunteer or both, and what is wrong."""
        problems = [
            *_yet_to_come(self.children, self.volunteers, self.as_of),
            *impossible_dates(self.children, self.matches, self.as_of),
            *_match_problems(self.children, self.matches, self.as_of),
        ]
        about = {
            "children": [{child.id} for child in self.children],
            "volunteers": [{volunteer.id} for volunteer in self.volunteers],
            "matches": [{match.child, match.volunteer} for match in self.matches],
        }
        return tuple((frozenset(about[one.file][one.row - 1]), one) for one in problems if one.rejected)

    @cached_property
    def visited(self) -> frozenset[str]:
        """Ids of the children who have a visitor now."""
        return frozenset(match.child for match in self.matches if match.status is MatchStatus.CURRENT)

    @cached_property
    def begun(self) -> tuple[Match, ...]:
        """The matches that are current or past. The others are proposed or agreed, and say nothing of what has been."""
        return tuple(match for match in self.matches if not match.pinned)

    @cached_property
    def pins(self) -> tuple[Match, ...]:
        """What is agreed, then what is proposed: it stays in the next plan."""
        pinned = [match for match in self.matches if match.pinned]
        return tuple(sorted(pinned, key=lambda match: (match.status, match.child, match.volunteer)))

    @cached_property
    def waiting(self) -> tuple[Child, ...]:
        """The children who have no visitor now, in order of id."""
        return tuple(child for child in self.children if child.id not in self.visited)

    @cached_property
    def family_of(self) -> Mapping[str, str]:
        """Family of each child whose family is recorded, waiting or not.

        Links are symmetric and transitive: what two records share joins all that either is joined to.
        """
        links = [(child.id, child.family) for child in self.children]
        links += [(match.child, match.family) for match in self.matches]
        return families(links)

    @cached_property
    def siblings_at_one_place(self) -> Mapping[str, tuple[str, ...]]:
        """Of each child who waits at one placement with siblings who agree to a visitor too: the ids of them all.

        Where placements are known by outcode, one outcode is one place.
        """
        groups: dict[tuple[str, float, float], list[str]] = defaultdict(list)
        for child in self.waiting:
            family, place = self.family_of.get(child.id), child.placement
            if family is not None and place is not None and child.agrees is Agreement.YES:
                groups[family, place.latitude, place.longitude].append(child.id)
        return {child: tuple(group) for group in groups.values() if len(group) > 1 for child in group}

    @cached_property
    def data_hash(self) -> str:
        """Twelve hex digits that change whenever a record does."""
        authorities = list(self.authorities.values())
        content = repr((self.children, self.volunteers, self.matches, self.declined, authorities, self.exceptions))
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def child(self, id: str) -> Child:
        return _named("child", id, self._children, "volunteer", self._volunteers)

    def waiting_child(self, id: str) -> Child:
        """The child of this id, who has no visitor now."""
        child = self.child(id)
        if id in self.visited:
            raise NotFoundError(f"Child {id} is not waiting: a visitor is appointed now, as the matches say.")
        return child

    def volunteer(self, id: str) -> Volunteer:
        return _named("volunteer", id, self._volunteers, "child", self._children)

    @cached_property
    def _children(self) -> Mapping[str, Child]:
        return {child.id: child for child in self.children}

    @cached_property
    def _volunteers(self) -> Mapping[str, Volunteer]:
        return {volunteer.id: volunteer for volunteer in self.volunteers}


def find_problems(
    children: Sequence[Child],
    volunteers: Sequence[Volunteer],
    matches: Sequence[Match],
    declined: Sequence[Declined],
    authorities: Sequence[Authority],
    as_of: date,
    exceptions: Sequence[RecordedException] = (),
) -> list[Problem]:
    """What is wrong between the records. A problem's file is the sheet's name, its row the position from 1."""
    problems = [
        *_repeated("children", "child_id", [child.id for child in children]),
        *_repeated("volunteers", "volunteer_id", [volunteer.id for volunteer in volunteers]),
        *_repeated("authorities", "authority", [authority.code for authority in authorities]),
        *_yet_to_come(children, volunteers, as_of),
        *_in_the_future("exceptions", "approved_on", [one.approved_on for one in exceptions], as_of),
    ]
    known_volunteers = {volunteer.id for volunteer in volunteers}
    known_children = {child.id for child in children} | {match.child for match in matches}
    named = [("matches", row, match.volunteer) for row, match in enumerate(matches, start=1)]
    named += [("declined", row, no.volunteer) for row, no in enumerate(declined, start=1)]
    named += [("exceptions", row, one.volunteer) for row, one in enumerate(exceptions, start=1)]
    problems += [
        # Taken as it stands, a mistyped id would silently lose a safeguard.
        Problem(sheet, row, "volunteer_id", volunteer, "is not among the volunteers that could be read",
                "Correct the id, mend the volunteer's own row, or add it with the status they had last (e.g. resigned)")
        for sheet, row, volunteer in named
        if volunteer not in known_volunteers
    ]  # fmt: skip
    for row, no in enumerate(declined, start=1):
        if no.child not in known_children:
            problems.append(
                Problem("declined", row, "child_id", no.child, "is among neither the children nor the matches",
                        "Nothing to do if the child has left; correct the id if it is mistyped", rejected=False)
            )  # fmt: skip
    elsewhere = [("matches", row, "child_id", match.child) for row, match in enumerate(matches, start=1)]
    elsewhere += [("declined", row, "child_id", no.child) for row, no in enumerate(declined, start=1)]
    elsewhere += [
        ("exceptions", row, "child_id", one.child) for row, one in enumerate(exceptions, start=1) if one.child
    ]
    elsewhere += [
        ("volunteers", row, "known_children", child)
        for row, volunteer in enumerate(volunteers, start=1)
        for child in volunteer.known_children or ()
    ]
    families = [("children", row, child.family) for row, child in enumerate(children, start=1)
                if child.family and child.family != child.id]  # fmt: skip
    families += [("matches", row, match.family) for row, match in enumerate(matches, start=1)
                 if match.family and match.family != match.child]  # fmt: skip
    problems += near_misses(children, volunteers, elsewhere, families)
    for sheet, row, column, id in elsewhere:
        if column == "known_children" and id not in known_children:
            problems.append(
                Problem(sheet, row, column, id, "is among neither the children nor the matches",
                        "Nothing to do if the child has left; correct the id if it is mistyped", rejected=False)
            )  # fmt: skip
    problems += impossible_dates(children, matches, as_of)
    problems += _match_problems(children, matches, as_of)
    problems += _exception_problems(exceptions, known_children)
    return problems


def _exception_problems(exceptions: Sequence[RecordedException], children: Collection[str]) -> list[Problem]:
    problems = []
    for row, one in enumerate(exceptions, start=1):
        if one.kind is ExceptionKind.RELATIVE and one.child is None:
            problems.append(
                Problem("exceptions", row, "child_id", "", "is blank, and nobody is a relative of every child",
                        "Fill it: whose visitor they may be")
            )  # fmt: skip
        if one.kind is ExceptionKind.SECOND_CHILD and one.child is not None:
            problems.append(
                Problem("exceptions", row, "child_id", one.child, "stands beside a second child",
                        "Leave it blank: the exception says how many children the volunteer may visit, not whom")
            )  # fmt: skip
        elif one.child is not None and one.child not in children:
            problems.append(
                Problem("exceptions", row, "child_id", one.child, "is among neither the children nor the matches",
                        "Nothing to do if the child has left; correct the id if it is mistyped", rejected=False)
            )  # fmt: skip
    return problems


def _match_problems(children: Sequence[Child], matches: Sequence[Match], as_of: date) -> list[Problem]:
    problems = []
    recorded = {child.id: child.family for child in children}
    current = Counter(match.child for match in matches if match.status is MatchStatus.CURRENT)
    seen: set[Match] = set()
    for row, match in enumerate(matches, start=1):
        if match in seen:
            problems.append(
                Problem("matches", row, "child_id", match.child, "is in the same match in an earlier row",
                        "Remove one of the two rows")
            )  # fmt: skip
        seen.add(match)
        if match.pinned and match.child not in recorded:
            problems.append(
                Problem("matches", row, "child_id", match.child, f"is {match.status} a visitor, not among the children",
                        "Add the child's row, or write current if the match has begun")
            )  # fmt: skip
        elif match.family is None and match.child not in recorded:
            problems.append(
                Problem("matches", row, "family", "", f"is blank, and {match.child} is not among the children",
                        f"Fill it, or write none: until then {match.volunteer} is offered to no child, "
                        "as any of them could be a sibling", rejected=False)
            )  # fmt: skip
        if match.status is MatchStatus.ENDED and match.ended_on is not None and match.ended_on > as_of:
            problems.append(
                Problem("matches", row, "ended_on", f"{match.ended_on:%d/%m/%Y}", "is yet to come",
                        "Write current until the match has ended, or correct the date")
            )  # fmt: skip
        if match.status is MatchStatus.CURRENT and match.ended_on is not None and match.ended_on <= as_of:
            problems.append(
                Problem("matches", row, "ended_on", f"{match.ended_on:%d/%m/%Y}", "is past, and the match is current",
                        "Write ended, or remove the date")
            )  # fmt: skip
        family = recorded.get(match.child)
        if match.family is not None and family is not None and match.family != family:
            problems.append(
                Problem("matches", row, "family", match.family, f"differs from {family} in the child's row",
                        "The two are taken as one family; correct the one that is wrong", rejected=False)
            )  # fmt: skip
        if match.status is MatchStatus.CURRENT and current[match.child] > 1:
            problems.append(
                Problem("matches", row, "child_id", match.child, "has more than one current match",
                        "End the match that is over", rejected=False)
            )  # fmt: skip
    return problems


def _repeated(sheet: str, column: str, ids: Sequence[str]) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for row, id in enumerate(ids, start=1):
        if id in first:
            problems.append(
                Problem(sheet, row, column, id, "stands in an earlier row too",
                        "Give each its own id, or remove the row that is out of date")
            )  # fmt: skip
        first.setdefault(id, row)
    return problems


def _of_age(child: Child, on: date) -> Child:
    """The record; of who is too old to be a child by now, as one whose care has ended and is not continued."""
    if child.date_of_birth is None or not too_old(child.date_of_birth, on):
        return child
    return replace(child, looked_after=False, continuing_agreed=False)


def _yet_to_come(children: Sequence[Child], volunteers: Sequence[Volunteer], as_of: date) -> list[Problem]:
    return [
        *_in_the_future("children", "date_of_birth", [child.date_of_birth for child in children], as_of),
        *_in_the_future("children", "referred_on", [child.referred_on for child in children], as_of),
        *_in_the_future("volunteers", "date_of_birth", [person.date_of_birth for person in volunteers], as_of),
    ]


def _in_the_future(sheet: str, column: str, dates: Sequence[date | None], as_of: date) -> list[Problem]:
    return [
        Problem(sheet, row, column, f"{day:%d/%m/%Y}", is_after(as_of), "Correct the date")
        for row, day in enumerate(dates, start=1)
        if day is not None and day > as_of
    ]  # fmt: skip


def is_after(as_of: date) -> str:
    """What is wrong with a date that is yet to come."""
    called = "which is today" if as_of == today() else "the date of this run"  # a form has no run
    return f"is after {as_of:%d/%m/%Y}, {called}"


def families(links: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """Union-find over children and family references, in any capitals; a family is named by the least of them."""
    above: dict[str, str] = {}

    def top(reference: str) -> str:
        while above.setdefault(reference, reference) != reference:
            above[reference] = above[above[reference]]
            reference = above[reference]
        return reference

    # A reference may be a sibling's own id, so children and families are one namespace.
    recorded = [(child, family) for child, family in links if family is not None]
    for child, family in recorded:
        one, other = sorted((top(child.casefold()), top(family.casefold())))
        above[other] = one
    return {child: top(child.casefold()) for child, _ in links if child.casefold() in above}


def _named(kind: str, id: str, known: Mapping[str, Record], other: str, others: Mapping[str, object]) -> Record:
    try:
        return known[id]
    except KeyError:
        if id in others:
            told = f"{id} is a {other}, not a {kind}. Where both are given, the child comes first."
            raise NotFoundError(told) from None
        alike = get_close_matches(id, known, n=3)
        hint = f"Did you mean {' or '.join(alike)}?" if alike else "Check the id."
        raise NotFoundError(f"There is no {kind} “{id}”. {hint}") from None
