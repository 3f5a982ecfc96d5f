"""A sweep gives the plans that `match` gives, whoever makes them and however often it is stopped."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from psutil import STATUS_ZOMBIE, Process
from scipy.stats import sobol_indices
from typer.testing import CliRunner

import matcher
from matcher.analysis.designs import SobolDesign, drawn, grid, one_by_one, scores
from matcher.analysis.sweep import AT_ONCE, sweep
from matcher.cli import app
from matcher.errors import InputError, KithError, PolicyError
from matcher.instance import Instance
from matcher.sample import write_sample

AS_OF = date(2026, 11, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("service")
    write_sample(path, 40, 25, 3, as_of=AS_OF)
    return path


@pytest.fixture(scope="module")
def instance(folder: Path) -> Instance:
    return matcher.read(folder, as_of=AS_OF)


@pytest.fixture(scope="module")
def policies(instance: Instance) -> list[matcher.Policy]:
    return drawn(instance.policy, {"interests": (0, 80), "closeness": (0, 80)}, 15)


@pytest.fixture(scope="module")
def many(instance: Instance) -> list[matcher.Policy]:
    """So many that some are left when a worker is killed."""
    return drawn(instance.policy, {"interests": (0, 80), "culture": (0, 80)}, 64)


def test_each_plan_is_the_one_that_match_gives(instance, policies):
    results = sweep(instance, policies)
    assert len({one.policy_hash for one in results.tried}) == 16
    for policy, one in zip(policies, results.tried, strict=True):
        under = replace(instance, policy=policy)
        plan = matcher.match(under)
        assert (one.policy, one.policy_hash) == (policy.name, plan.policy_hash)
        assert tuple(one.matches.items()) == plan.pairs
        assert (one.points, one.status) == (plan.points, plan.status)
        assert one.out_of_county_pence == sum(plan.spent_pence.values())
        heads = {child.id: matcher.shortlist(under, child.id, top=1, rank_by="fit") for child in under.waiting}
        assert one.first == {child: head[0].volunteer for child, head in heads.items() if head}


def test_the_frame_compares_with_the_first_policy(instance, policies):
    results = sweep(instance, policies[:3])
    base, other = results.tried[:2]
    frame = results.frame
    assert frame.loc[0, ["same_matches", "same_first_places"]].tolist() == [len(base.matches), len(base.first)]
    assert frame.loc[1, "same_matches"] == sum(other.matches.get(child) == v for child, v in base.matches.items())
    assert frame.loc[0, "fit_points"] == frame.loc[0, "fit_points_as_now"]  # the sweep started from this policy
    assert frame.loc[1, "weight_interests"] == policies[1].number("scores.interests.weight")
    assert not frame.isna().any(axis=None)
    assert len(results.matches_frame) == frame["children_matched"].sum()


def test_a_policy_with_other_rules_is_refused_before_anything_is_planned(instance, policies, tmp_path):
    other = replace(matcher.load_policy("surrey"))
    with pytest.raises(PolicyError, match=r"rules\.commitment"):
        sweep(instance, [*policies, other], file=tmp_path / "plans.jsonl")
    assert len((tmp_path / "plans.jsonl").read_text().splitlines()) == 1  # its heading


def test_a_sweep_that_was_stopped_goes_on(instance, policies, tmp_path):
    class StopError(Exception):
        pass

    def stop(done: int) -> None:
        if done >= 8:
            raise StopError

    file, done = tmp_path / "plans.jsonl", []
    with pytest.raises(StopError):
        sweep(instance, policies, file=file, tell=stop)
    whole = file.read_bytes()
    file.write_bytes(whole[:-30])  # the power went while the last of these was written
    again = sweep(instance, policies, file=file, tell=done.append)
    assert done[0] == AT_ONCE - 1 < 16  # all but the last were whole
    assert again == sweep(instance, policies)
    assert file.read_bytes().startswith(whole[: whole[:-1].rfind(b"\n") + 1])
    hashes = [json.loads(line).get("policy_hash") for line in file.read_text().splitlines()]
    assert sorted(hashes[1:]) == sorted(policy.content_hash for policy in policies)
    assert sweep(instance, policies, file=file, tell=done.append) == again
    assert done[-1] == 16


@pytest.mark.parametrize("change", [{"as_of": date(2026, 11, 2)}, {"policy": matcher.load_policy("surrey")}])
def test_results_of_another_sweep_are_not_taken_for_this_one(instance, tmp_path, change):
    sweep(instance, [instance.policy], file=tmp_path / "plans.jsonl")
    other = replace(instance, **change)
    with pytest.raises(InputError, match="other records, or of another date, policy or version"):
        sweep(other, [other.policy], file=tmp_path / "plans.jsonl")


def test_a_file_of_something_else_is_left_as_it_is(instance, tmp_path):
    file = tmp_path / "plans.jsonl"
    file.write_text("child,volunteer\n")
    with pytest.raises(InputError, match="no sweep's file"):
        sweep(instance, [instance.policy], file=file)
    assert file.read_text() == "child,volunteer\n"


@pytest.mark.filterwarnings("default")  # a process that is killed leaves its pipes behind
def test_processes_give_the_same_and_one_that_is_killed_loses_nothing(instance, many, tmp_path):
    file, done, killed = tmp_path / "plans.jsonl", [], []

    def kill_one(done: int) -> None:
        if done >= 8 and not killed:
            killed.extend(child for child in Process().children() if "popen_loky_posix" in " ".join(child.cmdline()))
            killed[0].kill()

    with pytest.raises(KithError, match="was killed"):
        sweep(instance, many, file=file, jobs=2, tell=kill_one)
    again = sweep(instance, many, file=file, jobs=2, tell=done.append)
    assert 8 <= done[0] < done[-1] == 65
    assert again == sweep(instance, many)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A scheduler and two workers, each a process of its own."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster


@pytest.mark.filterwarnings("default")  # a worker that is killed leaves sockets behind
def test_a_cluster_gives_the_same_though_a_worker_is_killed_half_way(cluster, instance, many, tmp_path):
    killed = []

    def kill_one(done: int) -> None:
        if done >= 20 and not killed:
            assert done < 50
            killed.append(Process(cluster.workers[0].pid))
            os.kill(killed[0].pid, signal.SIGKILL)

    file = tmp_path / "plans.jsonl"
    results = sweep(instance, many, file=file, scheduler=cluster.scheduler_address, tell=kill_one)
    (process,) = killed
    assert not process.is_running() or process.status() == STATUS_ZOMBIE
    assert results == sweep(instance, many)
    assert sorted(json.loads(line)["policy_hash"] for line in file.read_text().splitlines()[1:]) == sorted(
        policy.content_hash for policy in many
    )


@pytest.mark.filterwarnings("default")
def test_the_command_hands_its_plans_to_a_cluster(cluster, folder, tmp_path):
    command = ["sweep", str(folder), "--as-of", "2026-11-01", "--weights", "all=0..80", "--draws", "12"]
    here, there = tmp_path / "here", tmp_path / "there"
    before = cluster.scheduler.transition_counter  # of tasks: the cluster has done something if it rises
    for out, on in ((here, []), (there, ["--scheduler", cluster.scheduler_address])):
        told = CliRunner().invoke(app, [*command, "--out", str(out), *on])
        assert told.exit_code == 0, told.output
        assert (cluster.scheduler.transition_counter > before) == bool(on)
    assert (there / "sweep.csv").read_bytes() == (here / "sweep.csv").read_bytes()


# ---- designs ----------------------------------------------------------------------------------------------------


def test_grid_and_one_by_one(instance):
    policy = instance.policy
    assert [one.name for one in grid(policy, interests=[20, 60], culture=[0])] == [
        "national",
        "national, with interests 20, culture 0",
        "national, with interests 60, culture 0",
    ]
    assert [one.name for one in one_by_one(policy, [0])][1:] == [f"national, with {id} 0" for id in scores(policy)]


def test_drawn_weights_fill_their_ranges(instance):
    weights = [one.number("scores.interests.weight") for one in drawn(instance.policy, {"interests": (5, 8)}, 64)[1:]]
    assert {weight: weights.count(weight) for weight in (5, 6, 7, 8)} == {5: 16, 6: 16, 7: 16, 8: 16}


def test_sobol_indices_of_a_figure_that_is_known(instance):
    # y = 3a + b, a and b from the same range, and c without effect: of the variance 9 parts are a's, 1 part is b's.
    design = SobolDesign(instance.policy, {"interests": (0, 100), "culture": (0, 100), "closeness": (0, 100)}, 512)

    def figure(policy: matcher.Policy) -> float:
        a, b = (policy.number(f"scores.{id}.weight") for id in ("interests", "culture"))
        return 3 * a + b

    result = pd.Series({policy.content_hash: figure(policy) for policy in design.policies})
    found = design.indices(result)
    assert found["first"].tolist() == pytest.approx([0.9, 0.1, 0.0], abs=0.03)
    assert found["total"].tolist() == pytest.approx([0.9, 0.1, 0.0], abs=0.03)
    for index in ("first", "total"):
        assert (found[f"{index}_low"] <= found[index]).all()
        assert (found[index] <= found[f"{index}_high"]).all()
    assert found.loc["closeness", ["total", "total_low", "total_high"]].tolist() == [0, 0, 0]


def test_the_indices_are_those_of_scipy(instance):
    design = SobolDesign(instance.policy, {"interests": (0, 100), "culture": (0, 100)}, 32)
    dice = np.random.default_rng(7)
    result = pd.Series({policy.content_hash: dice.normal() for policy in design.policies})
    a, b, *mixed = (result[[policy.content_hash for policy in part]].to_numpy() for part in design._parts)
    theirs = sobol_indices(func={"f_A": [a], "f_B": [b], "f_AB": np.stack(mixed)[:, None]}, n=32)
    ours = design.indices(result)
    assert ours["first"].tolist() == pytest.approx(theirs.first_order.ravel().tolist())
    assert ours["total"].tolist() == pytest.approx(theirs.total_order.ravel().tolist())


def test_a_product_shows_in_the_total_alone(instance):
    # y = (a - 50)(b - 50): neither weight matters by itself, both together make all of it.
    design = SobolDesign(instance.policy, {"interests": (0, 100), "culture": (0, 100)}, 512)

    def figure(policy: matcher.Policy) -> float:
        a, b = (policy.number(f"scores.{id}.weight") for id in ("interests", "culture"))
        return (a - 50) * (b - 50)

    found = design.indices(pd.Series({policy.content_hash: figure(policy) for policy in design.policies}))
    assert found["first"].tolist() == pytest.approx([0, 0], abs=0.08)
    assert found["total"].tolist() == pytest.approx([1, 1], abs=0.1)


def test_of_what_never_varies_no_weight_has_a_share(instance):
    design = SobolDesign(instance.policy, {"interests": (0, 9), "culture": (0, 9)}, 4)
    result = pd.Series({policy.content_hash: 40 for policy in design.policies})
    assert np.isnan(design.indices(result)).all(axis=None)


def test_a_design_that_is_not_balanced_is_refused(instance):
    with pytest.raises(PolicyError, match="power of two"):
        SobolDesign(instance.policy, {"interests": (0, 9)}, 48)


# ---- the command ------------------------------------------------------------------------------------------------


def test_the_command_writes_a_table_and_goes_on_from_what_is_there(folder, tmp_path):
    command = [
        "sweep",
        str(folder),
        "--as-of",
        "2026-11-01",
        "--out",
        str(tmp_path / "out"),
        "--weights",
        "interests=0,40,80",
    ]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    assert "2 policies beside national" in first.output  # with interests 40 it is the policy itself
    table = pd.read_csv(tmp_path / "out" / "sweep.csv")
    assert table["weight_interests"].tolist() == [40, 0, 80]
    plans = (tmp_path / "out" / "plans.jsonl").read_bytes()
    assert CliRunner().invoke(app, command).output == first.output
    assert (tmp_path / "out" / "plans.jsonl").read_bytes() == plans


@pytest.mark.parametrize(
    "weights",
    [
        ["interests"],
        ["interests=x"],
        ["interests=5..1", "--draws", "3"],
        ["interests=0..5"],
        ["interests=1", "--draws", "3"],
    ],
)
def test_weights_that_say_nothing_are_refused(folder, tmp_path, weights):
    result = CliRunner().invoke(app, ["sweep", str(folder), "--out", str(tmp_path), "--weights", *weights])
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())
