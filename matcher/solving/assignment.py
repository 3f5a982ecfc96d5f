"""The assignment problem as integers and arrays, checked once, here.

    pairs             one entry a pair of a child and a volunteer: who, whom, points, cost, fund, pinned
    children          one entry a child: family, coordinator, group to be matched together, group with a bonus
    volunteers        one entry a volunteer: capacity, household
    funds, coordinators, bonus groups   one entry each: budget, limit of new matches, points

A *plan* is a set of pairs. It may be chosen when

    one_volunteer   each child is in at most one of its pairs,
    capacity        each volunteer is in at most `capacity` of them,
    family          no volunteer has two children of one family, and no household of volunteers,
    budget          the costs charged to a fund stay within its budget,
    caseload        a coordinator's children are in at most `caseload_limit` pairs,
    together        of each group all children are matched, or none,
    pinned          every pinned pair is in it.

Its value is the sum of its points and of the bonus of each group whose children are all matched, and nothing else: a
pair of no points may be chosen or left, whichever the solver meets first. Where a match counts for its own sake, its
points must say so.

Everything downstream trusts an `AssignmentProblem`: whatever makes no sense is refused on construction.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matcher.errors import PinsError, ProblemError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NONE = -1
"""Stands for "no family", "no fund", "no coordinator", "no group"."""

LIMIT = 2**62
"""Points of all pairs together, and costs of all pairs together, stay below this: CP-SAT adds them up in an int64."""

Limit = Literal["one_volunteer", "capacity", "family", "budget", "caseload", "together", "pinned"]


@dataclass(frozen=True, eq=False)
class Broken:
    """A limit that a plan, or the pins alone, break."""

    limit: Limit
    index: int
    """Of the child, the volunteer, the family, the fund, the coordinator, the group, the pinned pair: by the limit."""
    pairs: Ints
    """Indices of the pairs that break it together; of those that are there, where one is missing."""
    sentence: str


@dataclass(frozen=True, init=False, eq=False)
class AssignmentProblem:
    """Pairs, their points and the limits on a plan; see the module for what they mean.

    Args:
        child: index of the child, one entry a pair, 0 <= child < n_children.
        volunteer: index of the volunteer, one entry a pair.
        points: what the pair is worth, >= 0, one entry a pair. All of them together stay below 2**62.
        n_children: number of children, with or without pairs.
        n_volunteers: number of volunteers; by default as many as `capacity` has entries, or as the pairs name.
        capacity: children a volunteer may take, one entry a volunteer; 1 each by default.
        family: family of each child, -1 for none.
        household: household of each volunteer, -1 for one alone.
        cost: pence a pair, >= 0. Only pairs with a fund are counted.
        fund: index of the fund that pays for the pair, -1 for none.
        budget: pence a fund.
        caseload: index of each child's coordinator, -1 for none.
        caseload_limit: pairs that a coordinator can take on.
        together: group of each child that is matched all or none, -1 for none.
        bonus_group: index of the group of each child that is better matched whole, -1 for none.
        bonus: points a bonus group, >= 0; with the pairs' points, they stay below 2**62.
        pinned: which pairs must be chosen.

    Raises:
        ProblemError: arrays of the wrong length, type or range; a pair given twice; sums too large for an int64;
            pinned pairs that break a limit among themselves. Names the entries, the value and the remedy.
    """

    child: Ints
    volunteer: Ints
    points: Ints
    n_children: int
    n_volunteers: int
    capacity: Ints
    family: Ints
    household: Ints
    cost: Ints
    fund: Ints
    budget: Ints
    caseload: Ints
    caseload_limit: Ints
    together: Ints
    bonus_group: Ints
    bonus: Ints
    pinned: Bools

    def __init__(
        self,
        child: ArrayLike,
        volunteer: ArrayLike,
        points: ArrayLike,
        *,
        n_children: int,
        n_volunteers: int | None = None,
        capacity: ArrayLike | None = None,
        family: ArrayLike | None = None,
        household: ArrayLike | None = None,
        cost: ArrayLike | None = None,
        fund: ArrayLike | None = None,
        budget: ArrayLike | None = None,
        caseload: ArrayLike | None = None,
        caseload_limit: ArrayLike | None = None,
        together: ArrayLike | None = None,
        bonus_group: ArrayLike | None = None,
        bonus: ArrayLike | None = None,
        pinned: ArrayLike | None = None,
    ) -> None:
        pairs = np.size(child)
        if n_volunteers is None:
            named = _integers("volunteer", volunteer, pairs)
            n_volunteers = np.size(_or(capacity, 1)) if np.ndim(_or(capacity, 1)) else int(named.max(initial=-1)) + 1
        _whole_number("n_children", n_children)
        _whole_number("n_volunteers", n_volunteers)
        if n_children * n_volunteers >= LIMIT:
            raise ProblemError(f"{n_children} children by {n_volunteers} volunteers are too many. Plan in parts.")

        funds, coordinators = np.size(_or(budget, [])), np.size(_or(caseload_limit, []))
        groups = np.size(_or(bonus, []))
        everything: dict[str, int | Ints | Bools] = {
            "child": _integers("child", child, pairs, low=0, high=n_children),
            "volunteer": _integers("volunteer", volunteer, pairs, low=0, high=n_volunteers),
            "points": _integers("points", points, pairs, low=0),
            "n_children": int(n_children),
            "n_volunteers": int(n_volunteers),
            "capacity": _integers("capacity", _or(capacity, 1), n_volunteers, low=0),
            "family": _integers("family", _or(family, NONE), n_children, low=NONE),
            "household": _integers("household", _or(household, NONE), n_volunteers, low=NONE),
            "cost": _integers("cost", _or(cost, 0), pairs, low=0),
            "fund": _integers("fund", _or(fund, NONE), pairs, low=NONE, high=funds),
            "budget": _integers("budget", _or(budget, []), funds, low=0),
            "caseload": _integers("caseload", _or(caseload, NONE), n_children, low=NONE, high=coordinators),
            "caseload_limit": _integers("caseload_limit", _or(caseload_limit, []), coordinators, low=0),
            "together": _integers("together", _or(together, NONE), n_children, low=NONE),
            "bonus_group": _integers("bonus_group", _or(bonus_group, NONE), n_children, low=NONE, high=groups),
            "bonus": _integers("bonus", _or(bonus, []), groups, low=0),
            "pinned": _booleans("pinned", _or(pinned, False), pairs),
        }
        for name, value in everything.items():
            object.__setattr__(self, name, value)

        _sum_fits("points", np.concatenate([self.points, self.bonus]))
        _sum_fits("cost", self.cost)
        _no_pair_twice(self)
        _pins_fit(self)

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self.child)

    def only(self, pairs: Ints) -> AssignmentProblem:
        """The same limits on some of the pairs, given by index. Not checked again."""
        of_pairs = ("child", "volunteer", "points", "cost", "fund", "pinned")
        return self.changed(**{name: getattr(self, name)[pairs] for name in of_pairs})

    def changed(self, **arrays: int | Ints | Bools) -> AssignmentProblem:
        """The same problem but for these arrays. Not checked again."""
        part = copy.copy(self)
        for name, value in arrays.items():
            object.__setattr__(part, name, value)
        return part

    def apart(self, pairs: Ints) -> AssignmentProblem:
        """Some of the pairs with their children and volunteers alone, numbered anew in the same order."""
        part = self.only(pairs)
        children, child = np.unique(part.child, return_inverse=True)
        volunteers, volunteer = np.unique(part.volunteer, return_inverse=True)
        changed: dict[str, int | Ints | Bools] = {
            "child": child,
            "volunteer": volunteer,
            "n_children": len(children),
            "n_volunteers": len(volunteers),
            "capacity": self.capacity[volunteers],
            "household": self.household[volunteers],
        }
        changed |= {name: getattr(self, name)[children] for name in ("family", "caseload", "together", "bonus_group")}
        # A group that is not here whole has no bonus to give here.
        torn = np.isin(np.arange(len(self.bonus)), np.delete(self.bonus_group, children))
        changed["bonus"] = np.where(torn, 0, self.bonus)
        return part.changed(**changed)

    def family_at_volunteer(self) -> Ints:
        """One entry a pair: a key for the child's family with the volunteer, -1 for a child without family."""
        return self._family_at(np.arange(self.n_volunteers))

    def family_at_household(self) -> Ints:
        """The same with the first volunteer of the household: no two pairs of a plan share such a key."""
        _, first, home = np.unique(self.household, return_index=True, return_inverse=True)
        return self._family_at(np.where(self.household == NONE, np.arange(self.n_volunteers), first[home]))

    def _family_at(self, place: Ints) -> Ints:
        family = np.unique(self.family, return_inverse=True)[1]
        key: Ints = family[self.child] * self.n_volunteers + place[self.volunteer]
        return np.where(self.family[self.child] == NONE, NONE, key)

    def value(self, chosen: Ints) -> int:
        """What a plan, given as indices of its pairs, is worth."""
        return int(self.points[chosen].sum()) + int(self.bonus[self.whole_groups(chosen)].sum())

    def whole_groups(self, chosen: Ints) -> Ints:
        """The bonus groups whose children are all matched in a plan."""
        left = np.ones(self.n_children, np.bool_)
        left[self.child[chosen]] = False
        grouped = self.bonus_group != NONE
        return np.setdiff1d(self.bonus_group[grouped], self.bonus_group[grouped & left])

    def bonus_share(self, scale: int) -> Ints:
        """Of each child, its share of its group's bonus in 1/scale of a point, rounded up.

        Added to each child's pairs it is no less than the bonus of any plan: of a whole group the same, of a part more.
        """
        size = np.bincount(self.bonus_group + 1, minlength=len(self.bonus) + 1)[1:]
        share = np.append(-(-self.bonus * scale // np.maximum(size, 1)), 0)
        return share[self.bonus_group]


def violations(problem: AssignmentProblem, chosen: ArrayLike) -> list[str]:
    """Every limit that a plan breaks, one sentence each; none for a plan that may be chosen.

    Args:
        chosen: indices of the plan's pairs, in any order.
    """
    return [one.sentence for one in broken_limits(problem, chosen)]


def broken_limits(problem: AssignmentProblem, chosen: ArrayLike) -> list[Broken]:
    """The same as indices, for those who have names for them."""
    pairs = np.unique(np.asarray(chosen, dtype=np.int64))
    left_out = np.setdiff1d(np.flatnonzero(problem.pinned), pairs).tolist()
    missing = [Broken("pinned", one, np.array([one]), f"Pinned pair {one} is not in the plan.") for one in left_out]
    return [*missing, *_overdrawn(problem, pairs), *_torn_groups(problem, pairs)]


def _overdrawn(problem: AssignmentProblem, pairs: Ints) -> Iterator[Broken]:
    """The limits that only ever get tighter as pairs are added, hence what pinned pairs can break among themselves."""
    child, volunteer = problem.child[pairs], problem.volunteer[pairs]

    for one in _above(child, 1):
        same = pairs[child == one]
        yield Broken("one_volunteer", one, same, f"Pairs {shown(same)} give child {one} more than one volunteer.")

    for one in _above(volunteer, problem.capacity):
        same = pairs[volunteer == one]
        many = f"{shown(same)} give volunteer {one} more than {problem.capacity[one]} children"
        yield Broken("capacity", one, same, f"Pairs {many}, the volunteer's capacity.")

    place = problem.family_at_household()[pairs]
    key, size = np.unique(place[place != NONE], return_counts=True)
    for one in key[size > 1].tolist():
        same = pairs[place == one]
        first, family = int(problem.volunteer[same[0]]), int(problem.family[problem.child[same[0]]])
        alone = np.ptp(problem.volunteer[same]) == 0
        to = f"volunteer {first}" if alone else f"household {problem.household[first]}"
        yield Broken("family", family, same, f"Pairs {shown(same)} give {to} two children of family {family}.")

    fund = problem.fund[pairs]
    bill = np.zeros(len(problem.budget), np.int64)
    np.add.at(bill, fund[fund != NONE], problem.cost[pairs[fund != NONE]])
    for one in np.flatnonzero(bill > problem.budget).tolist():
        same = pairs[fund == one]
        costs = f"Pairs {shown(same)} cost {bill[one]} pence"
        yield Broken("budget", one, same, f"{costs}, more than the {problem.budget[one]} of fund {one}.")

    caseload = problem.caseload[child]
    for one in _above(caseload[caseload != NONE], problem.caseload_limit):
        same = pairs[caseload == one]
        many = f"{shown(same)} give coordinator {one} more than {problem.caseload_limit[one]} new matches"
        yield Broken("caseload", one, same, f"Pairs {many}, the caseload limit.")


def _torn_groups(problem: AssignmentProblem, pairs: Ints) -> Iterator[Broken]:
    matched = np.zeros(problem.n_children, np.bool_)
    matched[problem.child[pairs]] = True
    grouped = problem.together != NONE
    for group in np.intersect1d(problem.together[grouped & matched], problem.together[grouped & ~matched]).tolist():
        left = np.flatnonzero((problem.together == group) & ~matched)
        inside = pairs[problem.together[problem.child[pairs]] == group]
        many = f"Group {group} is to be matched together, but children {shown(left)} are left."
        yield Broken("together", group, inside, many)


def _pins_fit(problem: AssignmentProblem) -> None:
    """Refuse pins that no plan can hold: a limit broken already, or a group that can never be complete.

    Pins may still be impossible together in a way that only the search finds; the solution then says INFEASIBLE.
    """
    pins = np.flatnonzero(problem.pinned)
    found = list(_overdrawn(problem, pins))

    # A child of a pinned child's group needs a pair of its own.
    in_pairs = np.zeros(problem.n_children, np.bool_)
    in_pairs[problem.child] = True
    for pair in pins:
        group = problem.together[problem.child[pair]]
        alone = np.flatnonzero((problem.together == group) & ~in_pairs) if group != NONE else pins[:0]
        if len(alone):
            needs = f"Pair {pair} needs the whole of group {group}, but children {shown(alone)} are in no pair."
            found.append(Broken("together", int(group), np.array([pair]), needs))

    if found:
        told = " ".join(one.sentence for one in found)
        raise PinsError(f"Pinned pairs break a limit. {told} Unpin one of them or raise the limit.", found)


def _above(index: Ints, limit: Ints | int) -> list[int]:
    """The indices that stand more often than their limit."""
    size = 0 if isinstance(limit, int) else len(limit)
    above: list[int] = np.flatnonzero(np.bincount(index, minlength=size) > limit).tolist()
    return above


def _or(given: ArrayLike | None, default: ArrayLike) -> ArrayLike:
    return default if given is None else given


def _integers(name: str, given: ArrayLike, length: int, *, low: int | None = None, high: int | None = None) -> Ints:
    """`given` as int64, one entry each, within low <= entry < high. A single number stands for as many as needed."""
    array = _of_length(name, given, length)
    if array.dtype.kind not in "iu" and array.size:
        raise ProblemError(f"`{name}` holds {array.dtype} entries. Give integers; round on purpose, not by accident.")
    top = 2**63 if high is None else high
    wrong = np.flatnonzero(array >= top) if low is None else np.flatnonzero((array < low) | (array >= top))
    if len(wrong):
        span = f"{low} to {high - 1}" if high is not None else f"at least {low}"
        raise ProblemError(
            f"`{name}` is {array[wrong[0]]} at {shown(wrong)}. Each entry must be {span}: correct it, or leave it out."
        )
    return array.astype(np.int64)


def _booleans(name: str, given: ArrayLike, length: int) -> Bools:
    array = _of_length(name, given, length)
    if array.dtype.kind != "b" and array.size:
        raise ProblemError(f"`{name}` holds {array.dtype} entries. Give True or False for each pair, not pair indices.")
    return array.astype(np.bool_)


def _of_length(name: str, given: ArrayLike, length: int) -> NDArray[Any]:
    array = np.asarray(given)
    if array.ndim == 0 and name not in {"child", "volunteer", "points"}:
        array = np.full(length, array)
    if array.shape != (length,):
        raise ProblemError(f"`{name}` has shape {array.shape} where {length} entries are needed. Give one entry each.")
    return array


def _whole_number(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ProblemError(f"`{name}` is {value!r}. Give a whole number of 0 or more.")


def _sum_fits(name: str, array: Ints) -> None:
    # Exact, without a Python integer for every entry: high and low halves are summed apart.
    total = (int((array >> 31).sum()) << 31) + int((array & (2**31 - 1)).sum())
    if total >= LIMIT:
        raise ProblemError(
            f"`{name}` add up to {total} over all pairs, and must stay below 2**62 = {LIMIT} to be added safely."
            " Divide them all by one number, or put fewer tiers between the smallest and the largest."
        )


def _no_pair_twice(problem: AssignmentProblem) -> None:
    key = problem.child * max(problem.n_volunteers, 1) + problem.volunteer
    if np.all(key[1:] > key[:-1]):  # in order already, as they mostly come
        return
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(key[order][1:] == key[order][:-1])
    if len(again):
        first, second = order[again[0]], order[again[0] + 1]
        raise ProblemError(
            f"Pairs {first} and {second} are both child {problem.child[first]} with volunteer"
            f" {problem.volunteer[first]}. Give each pair once."
        )


def shown(indices: Ints) -> str:
    """A few indices, and how many more."""
    head = ", ".join(str(one) for one in indices[:5])
    return head if len(indices) <= 5 else f"{head} and {len(indices) - 5} more"
