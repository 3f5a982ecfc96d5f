"""Whether learning finds known weights again, and whether its intervals cover them as often as they say.

    python -m benchmarks.learning --decisions 200 400 800 --repeats 200 --jobs 2

A made-up service is planned once. Each repeat draws weights that nobody tells the learner, simulates decisions that
follow them, and learns. Told are, over all repeats and learned weights: how often the interval holds the true weight,
how wide it is, how far the estimate is from it, and how far the policy's weights are, which one would have had without
learning. Weights are percent of all weights. With --steps 50 the learner is told what scores said in steps of 50
thousandths, as in the service's export; the deciders go by what is so.
"""

from __future__ import annotations

import argparse
import time
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

import matcher
import matcher.sample
from matcher.learning.decisions import simulated
from matcher.learning.learner import TooFewDecisionsError, WeightLearner
from matcher.planning.search import consider
from matcher.scoring import Scored


def service(children: int, volunteers: int) -> Scored:
    with TemporaryDirectory() as folder:
        matcher.sample.write_sample(Path(folder), children, volunteers, 7, as_of=date(2026, 11, 1))
        return consider(matcher.read(folder, as_of="2026-11-01"))


def once(scored: Scored, decisions: int, seed: int, confidence: float, steps: int) -> pd.DataFrame | None:
    """One row a learned weight; None where the learner refuses."""
    dice = np.random.default_rng(seed)
    # From none to 60 each, and now and then one that nobody follows at all.
    true = {id: int(dice.integers(0, 60)) * int(dice.random() > 0.1) for id in scored.by_score}
    seen = simulated(scored, true, decisions, seed=seed)
    raw = list(seen.frame.columns[seen.frame.columns.str.startswith("raw_")])
    seen.frame[raw] = (seen.frame[raw] / steps).round().astype("Int64") * steps
    try:
        learner = WeightLearner(scored.pairs.tables.instance.policy, decided_by="child", confidence=confidence)
        table = learner.fit_decisions(seen).table
    except TooFewDecisionsError:
        return None
    percent = table.loc[table["held"] == "", ["weight", "low", "high", "policy"]] / table["policy"].sum() * 100
    followed = pd.Series(true)[percent.index]
    # What is not learned keeps the policy's share, true or not: the learned weights divide the rest among themselves.
    percent["true"] = followed / followed.sum() * percent["policy"].sum()
    return percent.assign(seed=seed).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, nargs="+", default=[200, 400, 800])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--steps", type=int, default=1, help="thousandths")
    parser.add_argument("--children", type=int, default=400)
    parser.add_argument("--volunteers", type=int, default=240)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    scored = service(asked.children, asked.volunteers)
    print(f"{len(scored.pairs):,} eligible pairs; {asked.repeats} repeats; intervals of {asked.confidence:.0%}")
    print("decisions refused weights  covered       at 0 above 0 width off by (rms) policy off by in order seconds")
    for decisions in asked.decisions:
        start = time.perf_counter()
        tables = Parallel(n_jobs=asked.jobs)(
            delayed(once)(scored, decisions, 1000 + seed, asked.confidence, asked.steps)
            for seed in range(asked.repeats)
        )
        kept = [table for table in tables if table is not None]
        if not kept:
            print(f"{decisions:9}  {len(tables):7}  all refused")
            continue
        rows = pd.concat(kept, ignore_index=True)
        inside = rows["true"].between(rows["low"] - 1e-6, rows["high"] + 1e-6)
        # Weights of one repeat are not independent: the standard error is that of the repeats' means.
        error = inside.groupby(rows["seed"]).mean().std() / np.sqrt(len(kept))
        order = rows.groupby("seed")[["weight", "true"]].apply(lambda one: one["weight"].corr(one["true"], "spearman"))
        zero, width = rows["true"] == 0, (rows["high"] - rows["low"]).mean()
        off, before = (np.sqrt(((rows[side] - rows["true"]) ** 2).mean()) for side in ("weight", "policy"))
        print(
            f"{decisions:9} {len(tables) - len(kept):7} {len(rows):7} {inside.mean():6.1%} ±{error:5.1%}"
            f" {inside[zero].mean():6.1%} {inside[~zero].mean():7.1%} {width:5.1f} {off:12.1f} {before:13.1f}"
            f" {order.mean():8.2f} {time.perf_counter() - start:7.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
