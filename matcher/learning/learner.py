"""Weights that recorded decisions speak for, beside the policy's own. Nothing is applied: a person sets a policy.

    learner = WeightLearner(policy, decided_by="child").fit_decisions(decisions.by("child"))
    learner.table                    each weight with its interval, beside the policy's
    learner.compare(decisions)       does it foretell decisions that it has not seen better than the policy does?
    learner.proposal()               a version of the policy, each change explained

The model is in `choice`: what is shown and taken, by the policies' own fit. It takes for granted that decisions are
independent of each other, that all who decide follow the same weights, and that who was never shown would have changed
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from matcher.errors import KithError, analysis_extra
from matcher.learning.choice import (
    Bools,
    Choices,
    Floats,
    Free,
    estimate,
    in_order,
    interval,
    log_probabilities,
    shares,
)
from matcher.policy import Policy
from matcher.scoring import SCORES

with analysis_extra("Learning weights"):
    from sklearn.base import BaseEstimator, ClassifierMixin, clone
    from sklearn.model_selection import GroupKFold
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
    from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from matcher.learning.decisions import Decisions

PROTECTED: Mapping[str, tuple[str, ...]] = {score.id: score.protected for score in SCORES if score.protected}
"""Scores that rest on a protected characteristic, with which."""

_ONE_THREAD = partial(threadpool_limits, 1)
"""Many small matrices: several threads would wait for each other ten times as long as they work."""


class TooFewDecisionsError(KithError):
    """So few decisions that weights learned from them would be chance. `needed` is the number that it takes."""

    def __init__(self, message: str, needed: int) -> None:
        super().__init__(message)
        self.needed = needed


class WeightLearner(ClassifierMixin, BaseEstimator):
    """A conditional logit over what was shown and what was taken, with weights that are never negative.

    X has one row an option and one column a score: what it says of the pair, 0 to 1, nan where it does not count.
    y says which options were taken. `groups` says which options were shown together, `rank` in which place; without
    groups each row is a decision by itself, taken or not.

    Args:
        policy: the weights that are compared with, and kept where decisions say nothing. Its scores in force are the
            columns. None for columns without a policy: then no proposal can be made.
        decided_by: whose decisions they are. The weight of a score that rests on a protected characteristic is learned
            from the child's alone; with anybody else's, or nobody's named, it stays as the policy has it.
        learn: the scores to learn; None for all that enough decisions speak of.
        confidence: of the intervals.
        per_weight: decisions needed for each weight learned, and decisions in which a score must differ to be learned.

    Attributes:
        weights_: one a score; together as many as the policy's, or 100 without one.
        strength_: what a whole fit is worth; 0 where decisions do not follow fit.
        none_: utility of taking nobody; first_: what the first place on a list adds. Not weights, but part of why
            somebody is taken: without them the order of the lists would pass for weight.
        held_: the scores whose weight stays the policy's, each with the reason. Those that `learn` leaves out have the
            policy's share in the model too; of the others the model takes account without telling a weight, so that
            what belongs to them is not put down to a score that is learned.
        speaking_: in how many decisions each score differs between the options.
    """

    n_features_in_: int

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        decided_by: str | None = None,
        learn: Collection[str] | None = None,
        confidence: float = 0.95,
        per_weight: int = 20,
    ) -> None:
        self.policy = policy
        self.decided_by = decided_by
        self.learn = learn
        self.confidence = confidence
        self.per_weight = per_weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[no-untyped-call]
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True  # weights are never negative: an option is not shunned for a good score
        return tags

    def fit(self, X: Any, y: Any, groups: Any = None, rank: Any = None) -> WeightLearner:  # noqa: N803
        """Learns the weights. Raises TooFewDecisionsError, which names the number that it takes."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")  # noqa: N806
        check_classification_targets(y)
        if (kind := type_of_target(y)) != "binary" or len(np.unique(y)) < 2:
            raise ValueError(
                f"Only binary classification is supported: an option is taken or not, of which y shows "
                f"{len(np.unique(y))} class(es). The type of the target is {kind}."
            )
        self.classes_ = np.unique(y)
        choices = Choices.of(X, y == self.classes_[1], groups, rank)
        names = self._names()
        self.speaking_ = dict(zip(names, choices.speaking().tolist(), strict=True))
        weights = self._policy_weights(names)
        policy_shares = weights / (weights.sum() or 1.0)
        fixed = np.array([self.learn is not None and name not in self.learn for name in names])
        self.held_ = self._held(names)
        self._told = np.array([name not in self.held_ for name in names])
        self._fixed = np.where(fixed, policy_shares, np.nan)
        learned = int(((choices.speaking() >= self.per_weight) & ~fixed).sum())
        need = self.per_weight * learned
        if len(choices) < need:
            raise TooFewDecisionsError(
                f"{len(choices)} decisions are too few to learn {learned} weights: it takes {need}, "
                f"{self.per_weight} for each. Record {need - len(choices)} more, or name fewer weights with learn.",
                need,
            )
        self._choices = choices
        free = Free.strength(policy_shares) if fixed.all() else Free.of(self._fixed, self._told)
        with _ONE_THREAD():
            self._best = estimate(choices, free)
        # What is told shares out what the policy gives to these scores; the others stay as they are.
        self._told_whole = float(weights[self._told].sum()) or 100.0
        self.weights_ = np.where(self._told, shares(self._best.b, self._told) * self._told_whole, weights)
        self.strength_ = float(self._best.b.sum())
        self.none_, self.first_ = self._best.none, self._best.first
        self.log_likelihood_ = self._best.log_likelihood
        self.n_decisions_ = len(choices)
        self._ends: dict[str, tuple[float, float]] | None = None
        return self

    def predict_proba(self, X: Any, groups: Any = None, rank: Any = None) -> Floats:  # noqa: N803
        """The probability of each option to be left and to be taken, as two columns; without ranks, of any place."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)  # noqa: N806
        choices = Choices.of(X, np.zeros(len(X), dtype=np.bool_), groups, rank, none=self._choices.none)
        order = in_order(len(X), groups)[0]
        taken = np.empty(len(X))
        taken[order] = np.exp(log_probabilities(choices, self._best)[0])
        return np.stack([1 - taken, taken], axis=1)

    def predict(self, X: Any, groups: Any = None, rank: Any = None) -> Any:  # noqa: N803
        """Whether each option is the likeliest of its decision, taking none being one of them."""
        taken = self.predict_proba(X, groups, rank)[:, 1]
        order, start = in_order(len(taken), groups)
        decision = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(taken))))
        best = order[np.lexsort((-taken[order], decision))[start]]
        none = 1 - np.add.reduceat(taken[order], start) if self._choices.none else 0.0
        likeliest = np.zeros(len(taken), dtype=np.int64)
        likeliest[best] = taken[best] > none
        return self.classes_[likeliest]

    def score(self, X: Any, y: Any, groups: Any = None, rank: Any = None) -> float:  # noqa: N803
        """Mean log-likelihood of a decision: nearer to 0 is better."""
        check_is_fitted(self)
        return float(self._per_decision(X, y, groups, rank)[0].mean())

    def _per_decision(self, X: Any, y: Any, groups: Any, rank: Any) -> tuple[Floats, Bools]:  # noqa: N803
        """The log-likelihood of each decision, and whether it was foretold: the likeliest option was the one taken."""
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)  # noqa: N806
        choices = Choices.of(X, np.asarray(y) == self.classes_[1], groups, rank, none=self._choices.none)
        option, none = log_probabilities(choices, self._best)
        taken = np.bincount(choices.decision, choices.chosen, minlength=len(choices)) > 0
        if not choices.none and not taken.all():
            raise ValueError("A decision takes none of its options, and no decision did that was learned from.")
        own = np.bincount(choices.decision, np.where(choices.chosen, option, 0), minlength=len(choices))
        likely = np.where(taken, own, none)
        best = np.maximum(np.maximum.reduceat(option, choices.start), none if choices.none else -np.inf)
        return likely, likely == best

    @property
    def table(self) -> pd.DataFrame:
        """One row a score: its weight, the ends of its interval, the policy's weight, and what is behind it.

        A weight that was not learned has no interval.
        """
        check_is_fitted(self)
        names = self._names()
        if self._ends is None:
            self._ends = self._find_ends(names)
        return pd.DataFrame(
            {
                "weight": self.weights_,
                "low": [self._ends[name][0] for name in names],
                "high": [self._ends[name][1] for name in names],
                "policy": self._policy_weights(names) if self.policy else np.nan,
                "decisions": [self.speaking_[name] for name in names],
                "held": [self.held_.get(name, "") for name in names],
            },
            index=pd.Index(names, name="score"),
        )

    def _find_ends(self, names: list[str]) -> dict[str, tuple[float, float]]:
        ends = dict.fromkeys(names, (np.nan, np.nan))
        with _ONE_THREAD():
            for place, name in enumerate(names):
                if name not in self.held_:
                    low, high = interval(self._choices, self._best, place, self._fixed, self._told, self.confidence)
                    ends[name] = low * self._told_whole, high * self._told_whole
        return ends

    def fit_decisions(self, decisions: Decisions) -> WeightLearner:
        """`fit` with recorded decisions."""
        return self.fit(decisions.scores, decisions.chosen, decisions.decision, decisions.rank)

    def compare(self, decisions: Decisions, *, folds: int = 5) -> pd.DataFrame:
        """How well decisions are foretold that were not learned from, beside the policy's weights and equal ones.

        Decisions are split so that no child is on both sides. Every way learns how strongly fit is followed, what
        taking nobody is worth and what the first place adds; they differ in the weights alone, and “none” has none.

        Returns:
            One row a way: log_likelihood, the mean of a decision; against_policy, its difference from that of the
            policy's own weights, and its standard_error; foretold, the share of decisions that took what was likeliest.
        """
        if self.policy is None:
            raise ValueError("There is no policy to compare with. Give WeightLearner one.")
        names = [str(name) for name in decisions.scores]
        ways = {
            "learned": self,
            "policy": WeightLearner(self.policy, learn=()),
            "equal": WeightLearner(self.policy.with_weights(**dict.fromkeys(names, 10)), learn=()),
            "none": WeightLearner(self.policy.with_weights(**dict.fromkeys(names, 0)), learn=()),
        }
        X, y = decisions.scores, decisions.chosen  # noqa: N806
        likely: dict[str, list[Floats]] = {way: [] for way in ways}
        foretold: dict[str, list[Bools]] = {way: [] for way in ways}
        for seen, unseen in GroupKFold(folds).split(X, y, decisions.child):
            groups, rank = decisions.decision, decisions.rank
            for way, learner in ways.items():
                fitted = clone(learner).fit(X.iloc[seen], y.iloc[seen], groups.iloc[seen], rank.iloc[seen])
                found = fitted._per_decision(X.iloc[unseen], y.iloc[unseen], groups.iloc[unseen], rank.iloc[unseen])
                likely[way].append(found[0])
                foretold[way].append(found[1])
        per = pd.DataFrame({way: np.concatenate(parts) for way, parts in likely.items()})
        beyond = per.sub(per["policy"], axis=0)
        return pd.DataFrame({
            "log_likelihood": per.mean(),
            "against_policy": beyond.mean(),
            "standard_error": beyond.std() / np.sqrt(len(per)),
            "foretold": {way: float(np.concatenate(parts).mean()) for way, parts in foretold.items()},
            "decisions": len(per),
        })  # fmt: skip

    def proposal(self) -> Proposal:
        """The policy's next version, as far as the decisions speak against this one: see `Proposal`."""
        check_is_fitted(self)
        if self.policy is None:
            raise ValueError("There is no policy to change. Give WeightLearner one.")
        table, policy = self.table, self.policy
        whole = float(table["policy"].sum())
        clear = (table["policy"] < table["low"]) | (table["policy"] > table["high"])
        # What stays keeps its number: the others are told on the same scale.
        kept = float(table.loc[~clear, "weight"].sum())
        scale = float(table.loc[~clear, "policy"].sum()) / kept if kept >= 0.05 * whole else 1.0
        after = {str(id): round(weight * scale) for id, weight in table.loc[clear, "weight"].items()}
        changed = policy.with_weights(**after)
        lines = tuple(self._line(str(id), table.loc[id], after.get(str(id)), whole) for id in table.index)
        version = f"{policy.version}-proposed"
        return Proposal(replace(changed, name=policy.name, version=version), policy, lines, self.n_decisions_)

    def _line(self, id: str, row: pd.Series[Any], after: int | None, whole: float) -> WeightLine:
        before, percent = round(float(row["policy"])), 100 / whole
        now = f"{before * percent:.0f}% of all weights"
        ends = None if id in self.held_ else (float(row["low"]) / whole, float(row["high"]) / whole)
        if ends is None:
            return WeightLine(id, before, before, None, None, f"Stays at {before}: {self.held_[id]}.")
        told = f"between {100 * ends[0]:.0f}% and {100 * ends[1]:.0f}%"
        source = f"{self.n_decisions_} decisions, of which {int(row['decisions'])} show options that differ in it"
        if after is None:
            why = f"Stays at {before}, {now}: the decisions speak for {told}, and do not contradict it ({source})."
            return WeightLine(id, before, before, row["weight"] / whole, ends, why)
        move = "Up" if row["weight"] > row["policy"] else "Down"
        why = f"{move} from {before} to {after}: it has {now}, and the decisions speak for {told} ({source})."
        return WeightLine(id, before, after, row["weight"] / whole, ends, why)

    def _names(self) -> list[str]:
        """The columns."""
        return [str(name) for name in getattr(self, "feature_names_in_", range(self.n_features_in_))]

    def _policy_weights(self, names: list[str]) -> Floats:
        if self.policy is None:
            return np.full(len(names), 100 / len(names))
        known = [id for id in self.policy.sections["scores"] if self.policy.on(f"scores.{id}")]
        if sorted(names) != sorted(known):
            raise ValueError(
                f"The columns are {', '.join(names)}; the scores in force in policy {self.policy.name} are "
                f"{', '.join(known)}. Give a column for each of these, and for nothing else."
            )
        return np.array([self.policy.number(f"scores.{id}.weight") for id in names], dtype=np.float64)

    def _held(self, names: list[str]) -> dict[str, str]:
        """The scores whose weight is not told, with why."""
        held = {}
        for name in names:
            if self.learn is not None and name not in self.learn:
                held[name] = "it was not to be learned"
            elif self.policy is None:
                continue
            elif name in PROTECTED and self.decided_by != "child":
                held[name] = (
                    f"it rests on {' and '.join(PROTECTED[name])}, and is learned from what children choose alone"
                )
            elif self.speaking_[name] < self.per_weight:
                held[name] = (
                    f"only {self.speaking_[name]} decisions show options that differ in it; it takes {self.per_weight}"
                )
        return held


@dataclass(frozen=True)
class WeightLine:
    """What is proposed for one weight, and why."""

    score: str
    before: int
    after: int
    share: float | None
    """Of all weights, as the decisions speak for it; None where it was not learned."""
    interval: tuple[float, float] | None
    sentence: str


@dataclass(frozen=True)
class Proposal:
    """A version of a policy for a person to decide on. Only weights that the decisions clearly contradict are changed.

    A weight is contradicted if the policy's share of all weights lies outside its interval. The others keep their
    numbers, so that a proposal is as small as the decisions allow.
    """

    policy: Policy
    """With its proposed weights."""
    of: Policy
    lines: tuple[WeightLine, ...]
    decisions: int

    @property
    def changes(self) -> tuple[WeightLine, ...]:
        return tuple(line for line in self.lines if line.after != line.before)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a score."""
        rows = [(line.score, line.before, line.after, line.sentence) for line in self.lines]
        return pd.DataFrame(rows, columns=["score", "before", "after", "why"])

    def toml(self, name: str) -> str:
        """The proposal as a policy file of this name, for `kith policy diff` and for somebody to decide on."""
        lines = [
            f"# Proposed from {self.decisions} recorded decisions. Nothing follows it until somebody decides so.",
            f"name = {json.dumps(name)}",
            f"title = {json.dumps(self.of.title + ', proposed weights', ensure_ascii=False)}",
            f"version = {json.dumps(self.policy.version)}",
            f"inherits = {json.dumps(self.of.name)}",
        ]
        for line in self.changes:
            why = json.dumps(f"Proposed: {line.sentence}", ensure_ascii=False)
            lines += ["", f"[scores.{line.score}]", f"weight = {line.after}", f"source = {why}"]
        return "\n".join(lines) + "\n"
