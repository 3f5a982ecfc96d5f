"""Which weights a set of choices speaks for: a conditional logit whose utility is the policies' own fit.

Somebody is shown some options and takes one of them, or none. An option's utility is `strength x fit`, where fit is the
weighted mean of what is known of the option, as `scoring` has it: a weight found here means what it means in a policy.
Written with one coefficient a score, `b = strength x weight / all weights`, all at least 0:

    utility = sum(b) x sum(b x score, where it counts) / sum(b, where it counts)

and plain `sum(b x score)` where everything is known. An option that is shown first may have a head start, and taking
none of them has a utility of its own. An option is chosen with probability exp(utility) / sum of exp over the options
(McFadden 1974). This room knows arrays, never policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.stats import chi2

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

NEAR = 1e-3
"""How near, as a share of all weights, an end of an interval is found."""


@dataclass(frozen=True, eq=False)
class Choices:
    """Options in the order of their decisions, one row an option."""

    scores: Floats
    """0 to 1, one column a score; 0 where it does not count."""
    counts: Bools
    start: Ints
    """The first row of each decision."""
    chosen: Bools
    """At most one in each decision."""
    first: Floats
    """1 for the option shown first, else 0."""
    none: bool
    """Whether none of the options could be taken."""

    @classmethod
    def of(
        cls, scores: Floats, taken: Bools, groups: Any = None, rank: Any = None, none: bool | None = None
    ) -> Choices:
        """From rows in any order.

        Args:
            scores: 0 to 1, nan where a score does not count.
            groups: what the options of one decision have in common; None if each is a decision by itself.
            rank: the place in which each was shown, 1 the first; None if they had no places.
            none: whether none could be taken; None to tell from the decisions.
        """
        order, start = in_order(len(scores), groups)
        chosen = taken[order]
        many = np.add.reduceat(chosen.astype(int), start)
        if (many > 1).any():
            raise ValueError(f"In {(many > 1).sum()} decisions several options are taken. Only one can be.")
        first = np.zeros(len(scores)) if rank is None else (np.asarray(rank)[order] == 1).astype(np.float64)
        counts = ~np.isnan(scores[order])
        free = bool((many == 0).any()) if none is None else none
        return cls(np.where(counts, scores[order], 0.0), counts, start, chosen, first, free)

    def __len__(self) -> int:
        return len(self.start)

    def speaking(self) -> Ints:
        """In how many decisions each score tells anything: it differs between the options, or there is only one."""
        seen = np.where(self.counts, self.scores, -1.0)
        least, most = np.minimum.reduceat(seen, self.start), np.maximum.reduceat(seen, self.start)
        alone = np.bincount(self.decision) == 1
        differs = np.where(alone[:, None], most >= 0, least < most) & (np.ptp(seen, axis=0) > 0)
        number: Ints = differs.sum(axis=0)
        return number

    @cached_property
    def decision(self) -> Ints:
        """The decision of each row."""
        return np.repeat(np.arange(len(self)), np.diff(np.append(self.start, len(self.scores))))

    @cached_property
    def led(self) -> bool:
        """Whether the effect of the first place can be told: some options are shown first, and others are not."""
        return bool((self.first < 1).any() and (self.first > 0).any())


@dataclass(frozen=True, eq=False)
class Estimate:
    """Coefficients of the most likely weights."""

    b: Floats
    none: float
    """Utility of taking none of the options; -inf where that was not possible."""
    first: float
    """What being shown first adds; 0 where nothing tells."""
    log_likelihood: float


def in_order(rows: int, groups: Any) -> tuple[Ints, Ints]:
    """Rows with those of one group together, and the first of each group in that order."""
    if groups is None:
        return np.arange(rows), np.arange(rows)
    if len(groups) != rows:
        raise ValueError(f"There are {rows} rows and {len(groups)} groups. Give each row its group.")
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    return order, np.flatnonzero(np.diff(codes[order], prepend=-1))


def utility(scores: Floats, counts: Bools, b: Floats) -> Floats:
    """Strength times fit of each option."""
    return _utility(scores, counts, b)[0]


def _utility(scores: Floats, counts: Bools, b: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    known = counts @ b
    inverse = np.divide(1.0, known, out=np.zeros_like(known), where=known > 0)
    fit = (scores @ b) * inverse
    return b.sum() * fit, fit, inverse, known


def log_probabilities(choices: Choices, estimate: Estimate) -> tuple[Floats, Floats]:
    """Of each option, and of taking none in each decision."""
    worth = utility(choices.scores, choices.counts, estimate.b) + estimate.first * choices.first
    whole = _whole(choices, worth, estimate.none)
    return worth - whole[choices.decision], estimate.none - whole


def _whole(choices: Choices, worth: Floats, none: float) -> Floats:
    """The logarithm of the sum over the options of each decision."""
    top = np.maximum(np.maximum.reduceat(worth, choices.start), none if choices.none else -np.inf)
    total = np.add.reduceat(np.exp(worth - top[choices.decision]), choices.start)
    if choices.none:
        total = total + np.exp(none - top)
    whole: Floats = top + np.log(total)
    return whole


@dataclass(frozen=True, eq=False)
class Free:
    """What is free to vary among the coefficients: `b = matrix @ theta`, theta at least 0."""

    matrix: Floats
    """One row a score, one column a theta."""
    columns: Ints
    """The score whose coefficient each theta is; -1 for one that is none's."""

    @classmethod
    def strength(cls, weights: Floats) -> Free:
        """How strongly given weights are followed, and nothing else."""
        return cls(weights[:, None], np.array([-1]))

    @classmethod
    def of(cls, held: Floats, told: Bools, score: int | None = None, share: float = 0.0) -> Free:
        """Each coefficient by itself, but for those held.

        Args:
            held: the share of all weights that a weight keeps; nan where it is free.
            told: the weights that are learned and told.
            score: one of these, which has `share` of what is told; None if none is so bound.
        """
        bound = np.zeros(len(held), np.bool_)
        if score is not None:
            bound[score] = True
        columns = np.flatnonzero(np.isnan(held) & ~bound)
        matrix = np.zeros((len(held), len(columns)))
        matrix[columns, np.arange(len(columns))] = 1
        if score is not None:
            matrix[score, told[columns]] = share / (1 - share)
        fixed = ~np.isnan(held)
        # What is free adds up to the rest: all of it = what is free / (1 - all that is held).
        matrix[fixed] = (held[fixed] / (1 - held[fixed].sum()))[:, None] * matrix.sum(axis=0)
        return cls(matrix, columns)


def estimate(choices: Choices, free: Free, start: Estimate | None = None) -> Estimate:
    """The most likely coefficients.

    Args:
        choices: what was shown and taken.
        free: what may vary.
        start: an estimate to start from; equal coefficients if None.
    """
    matrix, columns = free.matrix, free.columns
    width, decision = matrix.shape[1], choices.decision
    taken = np.bincount(decision, choices.chosen, minlength=len(choices))
    led = choices.led

    def loss(theta: Floats) -> tuple[float, Floats]:
        b, none = matrix @ theta[:width], float(theta[width]) if choices.none else -np.inf
        worth, fit, inverse, _ = _utility(choices.scores, choices.counts, b)
        worth = worth + (theta[-1] * choices.first if led else 0.0)
        whole = _whole(choices, worth, none)
        likelihood = worth[choices.chosen].sum() - whole.sum()
        probability = np.exp(worth - whole[decision])
        residual: Floats = choices.chosen - probability  # of each option; what pulls its utility up or down
        # d utility / d b = fit + sum(b) x (score - fit, where it counts) / sum(b, where it counts)
        pull = residual * b.sum() * inverse
        slope = (residual * fit).sum() + choices.scores.T @ pull - choices.counts.T @ (pull * fit)
        gradient = [*(matrix.T @ slope)]
        if choices.none:
            likelihood += none * (1 - taken).sum()
            gradient.append((1 - taken - np.exp(none - whole)).sum())
        if led:
            gradient.append((residual * choices.first).sum())
        return -likelihood / len(choices), -np.array(gradient) / len(choices)

    before = start or Estimate(np.ones(len(matrix)), 0.0, 0.0, 0.0)
    extra = [before.none] * choices.none + [before.first] * led
    # A coefficient that starts at 0 might stay there: the slope of what is known over all that is known is none.
    begin = np.append(np.where(columns >= 0, np.maximum(before.b[columns], 1e-3), 1.0), extra)
    bounds: list[tuple[float | None, float | None]] = [(0.0, None)] * width + [(None, None)] * len(extra)
    options: Any = {"maxiter": 1000, "ftol": 1e-10, "gtol": 1e-7}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return Estimate(
        b=matrix @ found.x[:width],
        none=float(found.x[width]) if choices.none else -np.inf,
        first=float(found.x[-1]) if led else 0.0,
        log_likelihood=-float(found.fun) * len(choices),
    )


def interval(
    choices: Choices, best: Estimate, score: int, held: Floats, told: Bools, confidence: float
) -> tuple[float, float]:
    """The shares of one weight, of all that is told, that the choices do not speak against: by profile likelihood.

    A share belongs to the interval if the most likely weights with this share are not much less likely than the most
    likely of all: twice the difference of the logarithms is within the quantile of chi-squared. That keeps its meaning
    where weights are near 0, unlike an estimate plus and minus its standard error.

    Args:
        held, told: as `Free.of` has them.
    """
    if told.sum() == 1:
        return 1.0, 1.0
    much = float(np.sqrt(chi2.ppf(confidence, 1)))
    share, most = float(shares(best.b, told)[score]), 1 - 1e-4

    def lost(value: float) -> float:
        if value == share:
            return -much
        found = estimate(choices, Free.of(held, told, score, value), best)
        # The root is nearly a straight line in the share, and so is found in a few steps.
        return float(np.sqrt(max(2 * (best.log_likelihood - found.log_likelihood), 0)) - much)

    low = 0.0 if share <= 0 or lost(0.0) <= 0 else float(brentq(lost, 0.0, share, xtol=NEAR))
    high = 1.0 if share >= most or lost(most) <= 0 else float(brentq(lost, share, most, xtol=NEAR))
    return low, high


def shares(b: Floats, told: Bools) -> Floats:
    """Of each weight, its share of all that is told; equal ones where the choices follow none of these."""
    whole = b[told].sum()
    return np.asarray(np.where(told, b / whole if whole else 1 / max(told.sum(), 1), 0.0))
