"""How long the exact plan effects of ten candidates take once the plan is known.

    python -m benchmarks.effects data/samples/county --as-of 2026-11-01 --repeats 15

For the children with ten candidates or more, in turn: the exact effects of the ten that a shortlist would ask for
first, and a shortlist of five by plan. Seconds of the clock, beside the search for the plan itself.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import numpy as np

import matcher
from matcher.planning.effects import Effects
from matcher.planning.search import Planning, consider
from matcher.shortlist import shortlist


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--as-of", default="2026-11-01")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()

    instance = matcher.read(options.folder, as_of=options.as_of)
    scored = consider(instance)
    plan = matcher.match(instance)
    children, many = np.unique(scored.pairs.child_row, return_counts=True)
    asked = children[many >= 10][: options.repeats].tolist()
    ten, five, whole = [], [], []
    for child in asked:
        effects = Effects(scored, plan)
        rows = np.flatnonzero(scored.pairs.child_row == child)
        bounds = np.array([effects.row_at_least(row) for row in rows.tolist()])
        first = rows[np.argsort(bounds, kind="stable")][:10].tolist()
        ten.append(_seconds(lambda: effects.row_effects(first)))  # noqa: B023
        again = Effects(scored, plan)
        id = instance.waiting[child].id
        five.append(_seconds(lambda: shortlist(instance, id, effects=again)))  # noqa: B023
        whole.append(_seconds(lambda: Planning.of(scored).solve()))
    for what, seconds in (("the plan", whole), ("ten exact effects", ten), ("a shortlist of five", five)):
        print(
            f"{what:20} median {median(seconds):.3f} s  ({min(seconds):.3f} to {max(seconds):.3f}, {len(asked)} runs)"
        )


def _seconds(call: object) -> float:
    start = time.perf_counter()
    call()  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
