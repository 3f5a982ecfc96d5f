"""Blank cells that keep people from each other: which to fill, and which rules wait for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from matcher.constraints import in_force
from matcher.instance import Instance
from matcher.pairs import Bools, Ints, Pairs, Tables, tables
from matcher.policy import Policy
from matcher.records import Child, Status, Volunteer
from matcher.rules.base import Limit, Verdict, column_of
from matcher.words import council, listed, spoken

FOLLOWS = frozenset({"placement_council"})
"""What a blank cell has from another column: the council from the placement."""
_ANOTHER = "another"
"""The other side of somebody who is looked at by themselves."""
_AT_ONCE = 1_000_000
"""Pairs that are looked at together."""


@dataclass(frozen=True)
class Gap:
    """One column with blank cells that rules wait for."""

    sheet: str
    column: str
    blank: tuple[str, ...]
    """Whose cells: ids of children or volunteers, or councils."""
    rules: tuple[str, ...]
    """Ids of the rules that wait, in the order in which a person is told of them."""

    def __str__(self) -> str:
        shown = ", ".join(self.blank[:8]) + (f" and {len(self.blank) - 8} more" if len(self.blank) > 8 else "")
        rules = listed(spoken(rule) for rule in self.rules)
        return f"{self.sheet}, column {self.column}: {len(self.blank)} to fill, for {rules}: {shown}"


def gaps(instance: Instance, *, of: Collection[str] | None = None, refused: bool = False) -> tuple[Gap, ...]:
    """Every column with a blank cell for which some pair is not eligible, those with the most first.

    Who is refused whatever the cell said is left out: a child who said no, a volunteer who is not approved.

    Args:
        instance: children, volunteers and policy.
        of: ids of children, or of volunteers, whose own blanks alone are told; for a few that takes no time.
        refused: also of those who are refused for now, such as a volunteer who is still to be approved.
    """
    policy, every = instance.policy, tables(instance)
    limits = in_force(policy)
    blank: dict[tuple[str, str], set[str]] = defaultdict(set)
    waiting: dict[tuple[str, str], list[str]] = defaultdict(list)
    children = _not_refused(every, limits, "child")
    volunteers = _not_refused(every, limits, "volunteer")
    if of is not None:
        asked = np.array([row for id, row in every.child_at.items() if id in of], dtype=np.int64)
        if len(asked):
            children = asked if refused else np.intersect1d(children, asked)
        else:
            asked = np.array([row for id, row in every.volunteer_at.items() if id in of], dtype=np.int64)
            volunteers = asked if refused else np.intersect1d(volunteers, asked)
    for limit in limits:
        for pairs in _looked_at(every, limit, children, volunteers):
            for path, where in limit.blanks(pairs, policy):
                found = _names(pairs, path, where)
                if found:
                    place = column_of(path)
                    blank[place] |= found
                    waiting[place] = list(dict.fromkeys([*waiting[place], limit.id]))
    found_of: Mapping[tuple[str, str], set[str]] = blank
    if of is not None:
        found_of = {place: told for place, ids in blank.items() if (told := ids.intersection(of))}
    every_gap = [Gap(*place, tuple(sorted(ids)), tuple(waiting[place])) for place, ids in found_of.items()]
    return tuple(sorted(every_gap, key=lambda gap: (gap.sheet, -len(gap.blank), gap.column)))


def lacking(
    children: Sequence[Child] = (), volunteers: Sequence[Volunteer] = (), *, policy: Policy, as_of: date
) -> tuple[Gap, ...]:
    """What matching needs of each of these and is not recorded: whoever the other side is, and whatever else is wrong.

    Of children, or of volunteers. The other side is somebody of whom nothing is known: what a rule needs of some alone
    is not among them, nor is what follows from another column.
    """
    of = [*(one.id for one in children), *(one.id for one in volunteers)]
    if not of:
        return ()
    offered = [replace(one, status=Status.APPROVED) for one in volunteers or [Volunteer(_ANOTHER)]]
    alone = Instance.kept(children or [Child(_ANOTHER)], offered, policy=policy, as_of=as_of)
    return tuple(gap for gap in gaps(alone, of=of, refused=True) if gap.column not in FOLLOWS)


def needed(record: Child | Volunteer, policy: Policy, as_of: date) -> frozenset[str]:
    """The columns of somebody that matching needs: of whoever has nothing recorded, and what theirs ask for besides."""
    if isinstance(record, Volunteer):
        told = lacking((), (replace(record, id="it"), Volunteer("blank")), policy=policy, as_of=as_of)
    else:
        told = lacking((replace(record, id="it"), Child("blank")), policy=policy, as_of=as_of)
    return frozenset(gap.column for gap in told)


def _not_refused(every: Tables, limits: tuple[Limit, ...], side: str) -> Ints:
    """The rows of those whom no rule about them alone refuses by what is recorded."""
    instance, policy = every.instance, every.instance.policy
    rows = np.arange(len(instance.waiting if side == "child" else instance.volunteers))
    alone = every.children_alone(rows) if side == "child" else every.volunteers_alone(rows)
    verdicts = [limit.verdicts(alone, policy) for limit in limits if limit.about == side]
    return rows[~np.any([verdict == Verdict.FAILS for verdict in verdicts], axis=0)] if verdicts else rows


def _looked_at(every: Tables, limit: Limit, children: Ints, volunteers: Ints) -> Iterator[Pairs]:
    """The pairs that show all the blanks of a rule: those who lack a fact with everybody, and one for each child."""
    if limit.about == "child":
        yield every.children_alone(children)
    elif limit.about == "volunteer":
        yield every.volunteers_alone(volunteers)
    elif len(children) and len(volunteers):
        lacking = _lacking(every, limit, children, volunteers)
        for some, others in ((lacking[0], volunteers), (children, lacking[1]), (children, volunteers[:1])):
            step = max(_AT_ONCE // max(len(others), 1), 1)
            for start in range(0, len(some), step):
                yield every.pairs_within(some[start : start + step], others, None)


def _lacking(every: Tables, limit: Limit, children: Ints, volunteers: Ints) -> tuple[Ints, Ints]:
    """The children and the volunteers who lack one of the facts that a rule reads."""
    known_child, known_volunteer = np.ones(len(children), np.bool_), np.ones(len(volunteers), np.bool_)
    for path in limit.reads:
        side, _, field = path.partition(".")
        if side == "child":
            known_child &= every.child.known(field)[children]
        else:
            known_volunteer &= every.volunteer.known(field)[volunteers]
    return children[~known_child], volunteers[~known_volunteer]


def _names(pairs: Pairs, path: str, where: Bools) -> set[str]:
    instance, side = pairs.tables.instance, path.partition(".")[0]
    if side == "volunteer":
        return {instance.volunteers[row].id for row in np.unique(pairs.volunteer_row[where]).tolist()}
    waiting = [instance.waiting[row] for row in np.unique(pairs.child_row[where]).tolist()]
    if side == "child":
        return {child.id for child in waiting}
    return {council(child.responsible_authority) for child in waiting}
