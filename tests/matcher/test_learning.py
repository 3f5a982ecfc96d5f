"""Weights learned from decisions: they are found again, they say how sure they are, and they never apply themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from math import exp, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from making import a_policy
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from threadpoolctl import threadpool_limits

import matcher
from matcher.errors import InputError
from matcher.learning.choice import Choices, Estimate, Free, estimate, interval, log_probabilities, shares
from matcher.learning.decisions import Decisions, packed, read_decisions, read_export, simulated
from matcher.learning.learner import PROTECTED, TooFewDecisionsError, WeightLearner
from matcher.planning.search import consider
from matcher.sample import write_sample
from matcher.scoring import Scored

ROOT = Path(__file__).parents[2]
TRUE = {"interests": 60, "culture": 20, "language": 15, "closeness": 10, "care_experience": 10,
        "needs_experience": 15, "commitment_length": 0, "visit_rhythm": 20, "preferences": 15}  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = tmp_path_factory.mktemp("service")
    write_sample(folder, 200, 120, 5, as_of=date(2026, 11, 1))
    return consider(matcher.read(folder, as_of="2026-11-01"))


@pytest.fixture(scope="module")
def decisions(scored: Scored) -> Decisions:
    return simulated(scored, TRUE, 600)


@pytest.fixture(scope="module")
def policy(scored: Scored) -> matcher.Policy:
    return scored.pairs.tables.instance.policy


@pytest.fixture(scope="module")
def learner(decisions: Decisions, policy: matcher.Policy) -> WeightLearner:
    return WeightLearner(policy, decided_by="child").fit_decisions(decisions)


# The checks give ten rows or so, from which the learner refuses to learn: they are run with no such limit.
@parametrize_with_checks([WeightLearner(per_weight=0)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_with_the_usual_limit_nothing_but_the_refusal_fails_them():
    found = check_estimator(WeightLearner(), on_fail=None, on_skip=None)
    failed = [one for one in found if one["status"] == "failed"]
    assert all(isinstance(one["exception"], TooFewDecisionsError) for one in failed)
    told = (ROOT / "docs" / "analysts.md").read_text(encoding="utf-8").partition("A test holds the list:")[2]
    assert {one["check_name"] for one in failed} == set(re.findall("check_[a-z0-9_]+", told))


# ---- the model --------------------------------------------------------------------------------------------------


def test_probabilities_by_hand():
    # Strength 4, weights 3 to 1: b = (3, 1). The first option scores (0.5, 1): 3 x 0.5 + 1 x 1 = 2.5, and 0.2 for its
    # place. Of the second only the first score is known, 0.8: fit 0.8 on the full scale, 4 x 0.8 = 3.2. None: 1.
    choices = Choices.of(np.array([[0.5, 1.0], [0.8, np.nan]]), np.array([False, True]), [7, 7], [1, 2], none=True)
    option, none = log_probabilities(choices, Estimate(np.array([3.0, 1.0]), none=1.0, first=0.2, log_likelihood=0.0))
    whole = log(exp(2.7) + exp(3.2) + exp(1))
    assert option.tolist() == pytest.approx([2.7 - whole, 3.2 - whole])
    assert none.tolist() == pytest.approx([1 - whole])


def random_choices(number: int, b: list[float], *, seed: int, shown: int = 4, missing: float = 0.2) -> Choices:
    dice = np.random.default_rng(seed)
    scores = dice.random((number * shown, len(b)))
    scores[dice.random(scores.shape) < missing] = np.nan
    groups, rank = np.repeat(np.arange(number), shown), np.tile(np.arange(shown) + 1, number)
    choices = Choices.of(scores, np.zeros(len(scores), bool), groups, rank, none=True)
    option, none = log_probabilities(
        choices, Estimate(np.array(b, float), none=sum(b) * 0.5, first=0.4, log_likelihood=0)
    )
    chances = np.column_stack([option.reshape(number, shown), none]) + dice.gumbel(size=(number, shown + 1))
    taken = np.zeros((number, shown + 1), bool)
    taken[np.arange(number), chances.argmax(axis=1)] = True
    return replace(choices, chosen=taken[:, :shown].ravel())


def free(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Nothing is held, and everything is told."""
    return np.full(number, np.nan), np.ones(number, bool)


def test_the_most_likely_weights_are_the_most_likely():
    choices = random_choices(200, [4, 2, 0], seed=1)
    best = estimate(choices, Free.of(*free(3)))

    def likelihood(b: np.ndarray, none: float, first: float) -> float:
        option, left = log_probabilities(choices, Estimate(b, none, first, 0))
        taken = np.add.reduceat(choices.chosen.astype(int), choices.start)
        return float(option[choices.chosen].sum() + left[taken == 0].sum())

    assert likelihood(best.b, best.none, best.first) == pytest.approx(best.log_likelihood)
    dice = np.random.default_rng(2)
    for _ in range(300):
        b = np.maximum(best.b + dice.normal(0, 0.05, 3), 0)
        none, first = best.none + dice.normal(0, 0.05), best.first + dice.normal(0, 0.05)
        assert likelihood(b, none, first) <= best.log_likelihood + 1e-4


def test_weights_are_never_negative():
    choices = random_choices(400, [6, 0], seed=3)
    turned = replace(choices, scores=np.where(choices.counts, np.abs([0, 1] - choices.scores), 0))
    assert (estimate(turned, Free.of(*free(2))).b >= 0).all()


def test_an_interval_ends_where_the_likelihood_has_fallen_by_half_of_chi_squared():
    choices = random_choices(300, [4, 2, 2], seed=4)
    best = estimate(choices, Free.of(*free(3)))
    low, high = interval(choices, best, 0, *free(3), 0.95)
    assert 0 < low < shares(best.b, np.ones(3, bool))[0] < high < 1
    for end in (low, high):  # 3.84 / 2 = 1.92
        at = estimate(choices, Free.of(*free(3), 0, end))
        assert at.b[0] / at.b.sum() == pytest.approx(end)
        assert best.log_likelihood - at.log_likelihood == pytest.approx(1.92, abs=0.1)


def test_of_choices_by_chance_nothing_is_learned():
    choices = random_choices(300, [0, 0], seed=5)
    assert interval(choices, estimate(choices, Free.of(*free(2))), 0, *free(2), 0.95) == (0, 1)


def test_intervals_cover_known_weights():
    # Nine in ten, forty times: fewer than 31 of 40 would come about once in a hundred times.
    covered = 0
    for seed in range(40):
        choices = random_choices(150, [3, 2, 1], seed=100 + seed)
        low, high = interval(choices, estimate(choices, Free.of(*free(3))), 0, *free(3), 0.9)
        covered += low <= 0.5 <= high
    assert covered >= 31


# ---- learning ---------------------------------------------------------------------------------------------------


def test_known_weights_are_found_again(learner, policy):
    table = learner.table
    learned = table[table["held"] == ""]
    # Each interval holds with 95%; all of them at once need not, but these do.
    followed = pd.Series(TRUE)[learned.index]
    share = followed / followed.sum() * learned["policy"].sum()  # of what the policy gives to these
    assert (learned["low"] - 1 <= share).all()
    assert (share <= learned["high"] + 1).all()
    assert table["weight"].sum() == pytest.approx(table["policy"].sum()) == 165
    assert table.loc["interests", "low"] > 40  # the policy's weight
    assert learner.first_ == pytest.approx(0.3, abs=0.3)


def test_what_few_decisions_speak_of_keeps_its_share(learner):
    table = learner.table
    held = table[table["held"] != ""]
    assert "language" in held.index
    assert (held["decisions"] < 20).all()
    assert held["weight"].tolist() == pytest.approx(held["policy"].tolist())
    assert held[["low", "high"]].isna().all(axis=None)
    assert "it takes 20" in table.loc["language", "held"]


def test_too_few_decisions_are_refused_with_the_number_that_it_takes(scored, policy):
    few = simulated(scored, TRUE, 60)
    learner = WeightLearner(policy, decided_by="child")
    with pytest.raises(
        TooFewDecisionsError, match=r"60 decisions are too few to learn \d weights: it takes (\d+),"
    ) as told:
        learner.fit_decisions(few)
    weights = told.value.needed // 20
    assert told.value.needed == 20 * weights > 60
    enough = WeightLearner(policy, decided_by="child", learn=("interests", "closeness")).fit_decisions(few)
    assert set(enough.held_) == set(TRUE) - {"interests", "closeness"}


@pytest.mark.parametrize("decider", ["volunteer", "social_worker", "coordinator", None])
def test_protected_characteristics_are_learned_from_the_child_alone(decisions, policy, decider):
    assert set(PROTECTED) == {"culture", "language", "needs_experience", "preferences"}
    learner = WeightLearner(policy, decided_by=decider).fit_decisions(decisions)
    assert set(PROTECTED) <= set(learner.held_)
    table = learner.table.loc[list(PROTECTED)]
    assert table["weight"].tolist() == pytest.approx(table["policy"].tolist())
    assert not {line.score for line in learner.proposal().changes} & set(PROTECTED)
    assert "race and religion or belief" in learner.held_["culture"]


def test_columns_beyond_the_policys_scores_are_refused(decisions, policy):
    with pytest.raises(ValueError, match="and for nothing else"):
        WeightLearner(policy).fit(decisions.scores.assign(sex=0.0), decisions.chosen, decisions.decision)


def test_it_foretells_better_than_the_policy_whose_weights_nobody_follows(learner, decisions):
    found = learner.compare(decisions)
    assert list(found.index) == ["learned", "policy", "equal", "none"]
    assert found.loc["learned", "against_policy"] > 2 * found.loc["learned", "standard_error"] > 0
    assert found.loc["none", "log_likelihood"] == found["log_likelihood"].min()
    assert found.loc["policy", "against_policy"] == 0


def test_where_the_policys_weights_are_followed_little_is_proposed(scored, policy):
    own = {id: policy.number(f"scores.{id}.weight") for id in scored.by_score}
    followed = WeightLearner(policy, decided_by="child", confidence=0.999).fit_decisions(simulated(scored, own, 600))
    proposal = followed.proposal()
    assert proposal.changes == ()
    assert proposal.policy.content_hash == policy.content_hash
    assert all("Stays at" in line.sentence for line in proposal.lines)


def test_a_proposal_is_a_policy_file_that_explains_each_change(learner, policy, tmp_path):
    proposal = learner.proposal()
    (tmp_path / "proposed.toml").write_text(proposal.toml("ours"), encoding="utf-8")
    read = matcher.load_policy(tmp_path / "proposed.toml")
    assert (read.name, read.version) == ("ours", "2026.1-proposed")
    for id in TRUE:
        assert read.number(f"scores.{id}.weight") == proposal.policy.number(f"scores.{id}.weight")
    (interests,) = (line for line in proposal.changes if line.score == "interests")
    assert interests.sentence.startswith(f"Up from 40 to {interests.after}: it has 24% of all weights")
    assert read.source("scores.interests") == f"Proposed: {interests.sentence}"
    unchanged = [line for line in proposal.lines if line.after == line.before]
    assert all(read.number(f"scores.{line.score}.weight") == line.before for line in unchanged)
    assert policy.number("scores.interests.weight") == 40  # the policy itself is as it was


def test_probabilities_of_a_list_add_up(learner, decisions):
    taken = learner.predict_proba(decisions.scores, decisions.decision)[:, 1]
    lists = pd.Series(taken).groupby(decisions.decision).sum()
    assert lists.between(0, 1).all()
    assert lists.mean() == pytest.approx(decisions.chosen.groupby(decisions.decision).sum().mean(), abs=0.05)
    best = learner.predict(decisions.scores, decisions.decision)
    assert pd.Series(best).groupby(decisions.decision).sum().max() == 1


def test_the_order_of_rows_does_not_matter(learner, decisions):
    mixed = decisions.frame.sample(frac=1, random_state=1).reset_index(drop=True)
    again = WeightLearner(learner.policy, decided_by="child").fit_decisions(Decisions(mixed))
    assert again.weights_ == pytest.approx(learner.weights_, abs=1e-3)


def test_scikit_learns_own_cross_validation_takes_it(decisions, policy):
    alone = decisions.frame[decisions.frame["rank"] == 1]  # a proposal that is accepted or declined
    some = Decisions(alone)
    found = cross_val_score(WeightLearner(policy, learn=("interests",)), some.scores, some.chosen, cv=3)
    assert (found < 0).all()


def test_two_taken_in_one_decision_are_refused():
    with pytest.raises(ValueError, match="In 1 decisions several options are taken"):
        WeightLearner(per_weight=0).fit([[0.1], [0.2], [0.3]], [1, 1, 0], groups=["a", "a", "a"])


# ---- the file ---------------------------------------------------------------------------------------------------


def test_decisions_are_read_as_they_were_written(decisions, policy, tmp_path):
    decisions.to_csv(tmp_path / "decisions.csv")
    again = read_decisions(tmp_path / "decisions.csv", policy)
    pd.testing.assert_frame_equal(again.frame, decisions.frame, check_dtype=False)
    assert len(again) == 600
    assert again.scores.isna().equals(decisions.scores.isna())


def test_the_same_seed_makes_the_same_decisions(scored, decisions):
    pd.testing.assert_frame_equal(simulated(scored, TRUE, 600).frame, decisions.frame)


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("chosen", "yes", "row 2, column chosen: “yes” is neither 0 nor 1"),
        ("raw_interests", "0.4", "row 2, column raw_interests: “0.4” is not 0 to 1000"),
        ("raw_interests", "1001", "is not 0 to 1000"),
        ("decided_by", "panel", "“panel” is nobody who decides"),
        ("decided_on", "1/2/26", "Write it as 2026-03-14"),
        ("rank", "0", "is no place on a list"),
        ("child", "", "column child: is blank"),
        ("policy_hash", "abc", "is not policy national"),
        ("volunteer", "V0002", "stands twice in this decision"),
    ],
)
def test_a_cell_that_makes_no_sense_is_refused_with_its_place(policy, tmp_path, column, value, told):
    rows = small(policy)
    rows.loc[0, column] = value
    with pytest.raises(InputError, match=r"(?s).*") as error:
        read_small(rows, policy, tmp_path)
    assert told in " | ".join(map(str, error.value.problems))


def test_two_taken_in_a_file_are_refused(policy, tmp_path):
    with pytest.raises(InputError, match="is one of several in this decision"):
        read_small(small(policy).assign(chosen="1"), policy, tmp_path)


def test_a_column_that_the_policy_does_not_score_is_refused(policy, tmp_path):
    with pytest.raises(InputError, match="column ethnicity: is no column of decisions"):
        read_small(small(policy).assign(ethnicity="WBRI"), policy, tmp_path)
    off = a_policy({"scores.culture.on": False})
    with pytest.raises(InputError, match="column raw_culture: is no column of decisions under policy national"):
        read_small(small(policy), off, tmp_path)
    with pytest.raises(InputError, match="column raw_interests: is missing"):
        read_small(small(policy).drop(columns="raw_interests"), policy, tmp_path)


def test_decisions_under_a_policy_that_scores_otherwise_are_refused(policy, tmp_path):
    heavier, always = policy.with_weights(interests=70), a_policy({"scores.culture.when": "always"})
    rows = small(policy).assign(policy_hash=heavier.content_hash)
    assert len(read_small(rows, policy, tmp_path, earlier=[heavier])) == 1
    rows = small(policy).assign(policy_hash=always.content_hash)
    with pytest.raises(InputError, match="a policy in which a score means something else"):
        read_small(rows, policy, tmp_path, earlier=[always])


def test_an_export_is_read_with_its_policies(decisions, policy, tmp_path):
    heavier = policy.with_weights(interests=70)
    file = tmp_path / "decisions.zip"
    file.write_bytes(packed(decisions, heavier, earlier=[policy], about="Nothing was left out."))
    again, current = read_export(file)
    assert current.stamp == heavier.stamp
    pd.testing.assert_frame_equal(again.frame, decisions.frame, check_dtype=False)
    file.write_bytes(packed(decisions, heavier))
    with pytest.raises(InputError, match="is not policy national, with interests 70"):
        read_export(file)


def test_an_export_without_decisions_says_why(decisions, policy, tmp_path):
    file = tmp_path / "decisions.zip"
    file.write_bytes(packed(Decisions(decisions.frame[:0]), policy, about="They would be of too few."))
    with pytest.raises(InputError, match=r"decisions\.zip holds no decision. They would be of too few"):
        read_export(file)


@pytest.mark.parametrize("content", [b"no zip at all", None])
def test_what_is_no_export_is_refused(policy, tmp_path, content):
    file = tmp_path / "decisions.zip"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match="is no export of decisions"):
        read_export(file)


def small(policy: matcher.Policy) -> pd.DataFrame:
    raw = {f"raw_{id}": ["500", ""] for id in policy.sections["scores"]}
    return pd.DataFrame({
        "decision": "D1", "decided_on": "2026-03-14", "decided_by": "child", "child": "C0001",
        "volunteer": ["V0001", "V0002"], "rank": ["1", "2"], "chosen": ["1", "0"],
        "policy_hash": policy.content_hash, **raw,
    })  # fmt: skip


def read_small(rows: pd.DataFrame, policy: matcher.Policy, folder: Path, **rest: object) -> Decisions:
    rows.to_csv(folder / "decisions.csv", index=False)
    return read_decisions(folder / "decisions.csv", policy, **rest)


# ---- without the extra ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ("sklearn", "import matcher.learning.learner"),
        ("joblib", "from matcher.analysis.sweep import _planned; next(_planned(None, [], 1, None))"),
    ],
)
def test_without_the_extra_one_sentence_says_what_to_install(missing, code):
    script = f"""
import sys
sys.modules["{missing}"] = None
import matcher, matcher.cli
try:
    {code}
except matcher.KithError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install -e '.[analysis]'" in done.stdout


def test_the_library_and_the_commands_load_without_the_extra():
    extra = ("sklearn", "matplotlib", "joblib", "dask", "distributed", "nbclient")
    code = f"import sys, matcher, matcher.cli; print([name for name in {extra!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
