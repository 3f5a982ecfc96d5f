"""Matches that are live, and the rules asked of them again: what was right on its day may be wrong by now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from matcher.constraints import in_force
from matcher.instance import Instance
from matcher.pairs import Bools, Pairs, tables
from matcher.records import MatchStatus
from matcher.rules.base import Limit, Verdict
from matcher.rules.independence import SiblingHistory

Pair = tuple[str, str]


def broken(instance: Instance, *, core: bool = True) -> Mapping[Pair, tuple[str, ...]]:
    """The core rules that a live match breaks today, or for which a fact is not recorded: ids by (child, volunteer).

    Where not only the `core` rules are asked, all that are in force: as of a draft, which may bring new ones.
    All live matches are judged at once. Of a child whose referral is not among the records, the volunteer is judged,
    and whether they visit or visited a sibling.
    """
    live = sorted({(one.child, one.volunteer) for one in instance.matches if one.status is not MatchStatus.ENDED})
    # As if none of them had begun, so that nothing is held against a match but what else there is.
    asked = replace(
        instance,
        children=tuple(one for one in instance.children if one.id in {child for child, _ in live}),
        volunteers=tuple(one for one in instance.volunteers if one.id in {volunteer for _, volunteer in live}),
        matches=(),
        declined=(),
    )
    every = tables(asked)
    referred = [pair for pair in live if pair[0] in every.child_at]
    both = every.pairs(*_rows([(every.child_at[child], every.volunteer_at[one]) for child, one in referred]))
    alone = every.volunteers_alone(np.array([every.volunteer_at[one] for _, one in live], dtype=np.int64))
    found: dict[Pair, list[str]] = defaultdict(list)
    for limit in (one for one in in_force(instance.policy) if one.core or not core):
        if limit.id == SiblingHistory.id:
            # Nobody was asked for the family of a child without a referral: there what is known counts.
            asks = {pair: _may_share if pair[0] in every.child_at else _shares for pair in live}
            wrong = [pair for pair in live if asks[pair](instance, *pair)]
        elif limit.about == "volunteer":
            wrong = _those(live, _not_passing(limit, alone))
        else:
            wrong = _those(referred, _not_passing(limit, both))
        for pair in wrong:
            found[pair].append(limit.id)
    return {pair: tuple(rules) for pair, rules in sorted(found.items())}


def _shares(instance: Instance, child: str, volunteer: str) -> bool:
    """Whether the volunteer visits, or visited, another child of the family, as far as families are recorded."""
    family = instance.family_of.get(child)
    return family is not None and family in _families_besides(instance, child, volunteer)


def _may_share(instance: Instance, child: str, volunteer: str) -> bool:
    """Whether the volunteer visits or visited a sibling, or nobody can tell since a family is not recorded."""
    family, others = instance.family_of.get(child), _families_besides(instance, child, volunteer)
    return family is None or None in others or family in others


def _families_besides(instance: Instance, child: str, volunteer: str) -> set[str | None]:
    others = {one.child for one in instance.begun if one.volunteer == volunteer} - {child}
    return {instance.family_of.get(other) for other in others}


def _not_passing(limit: Limit, pairs: Pairs) -> Bools:
    return np.asarray(limit.verdicts(pairs, pairs.tables.instance.policy) != Verdict.PASSES)


def _those(pairs: list[Pair], which: Bools) -> list[Pair]:
    return [pair for pair, is_one in zip(pairs, which.tolist(), strict=True) if is_one]


def _rows(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
