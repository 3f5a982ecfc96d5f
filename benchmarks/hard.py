"""Problems made hard: where the proof ends, and the gap that remains.

    python -m benchmarks.hard --repeats 3 --limit 30

Each has 300 children and 200 volunteers within a large part of each other's reach. The solver is held against plain
CP-SAT with two workers, which has the same limit on the clock; the solver's limit is on its deterministic clock.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median

import numpy as np

from benchmarks.counties import county
from benchmarks.solver import plain, priced, spread
from matcher.solving.assignment import NONE, AssignmentProblem

SIZE = {"children": 300, "volunteers": 200, "pairs_each": 60}

Make = Callable[[int], AssignmentProblem]


def of_county(**changes: float) -> Make:
    """A county with some of its arguments changed."""
    return lambda seed: county(**SIZE, seed=seed, **changes)  # type: ignore[arg-type]


def alike(seed: int) -> AssignmentProblem:
    """Every pair is worth the same: any largest plan within the fund is the best."""
    return_to = county(**SIZE, seed=seed)
    return return_to.changed(points=np.full(len(return_to), 1000))


def near_equal_costs(seed: int) -> AssignmentProblem:
    """One fund, all children out of county, costs of 100.00 to 100.50 pounds; it pays for half of the children."""
    problem, rng = county(**SIZE, seed=seed), np.random.default_rng(seed)
    cost = 10_000 + rng.integers(0, 51, len(problem))
    return problem.changed(cost=cost, fund=np.zeros(len(problem), np.int64), budget=np.array([1_000_000]))


def large_costs(funds: int) -> Make:
    """All children out of county, each fund able to pay for a few of its children; every sum is odd."""

    def make(seed: int) -> AssignmentProblem:
        problem, rng = county(**SIZE, seed=seed), np.random.default_rng(seed)
        fund = rng.permutation(np.arange(problem.n_children) % funds)[problem.child]
        cost = rng.integers(20_000, 60_000, len(problem))
        each = problem.n_children // funds
        return problem.changed(cost=cost, fund=fund, budget=np.full(funds, 15_000 * max(each, 3)))

    return make


def all_together(seed: int) -> AssignmentProblem:
    """Every child is in a group of three or four that is matched whole or not at all, for too few volunteers."""
    problem = county(**SIZE, seed=seed)
    return problem.changed(together=np.arange(300) // 3, family=np.full(300, NONE))


PROBLEMS: dict[str, Make] = {
    "as the county is": of_county(),
    "a tight fund (0.1)": of_county(tight=0.1),
    "a loose fund (0.9)": of_county(tight=0.9),
    "no siblings": of_county(siblings=0.0),
    "half of the children siblings, volunteers take 1 to 3": of_county(siblings=0.5, capacity=3),
    "all points equal": alike,
    "points take five values": of_county(points_apart=5),
    "one fund, near-equal costs": near_equal_costs,
    "20 funds of a county": of_county(funds=20),
    "20 funds, large costs": large_costs(20),
    "60 funds, large costs": large_costs(60),
    "150 funds, large costs": large_costs(150),
    "siblings together or not at all": of_county(siblings=0.5, together=1.0),
    "100 groups of three, whole or not at all": all_together,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=30.0, help="seconds for each way and problem")
    parser.add_argument("--plain-repeats", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=list(PROBLEMS))
    arguments = parser.parse_args()
    print("| problem | pairs | proven | seconds | largest gap | plain CP-SAT: proven | seconds | gap |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.only:
        cells, pairs = [], []
        for way, repeats in ((priced, arguments.repeats), (plain(2), arguments.plain_repeats)):
            results = []
            for seed in range(1, repeats + 1):
                problem = PROBLEMS[name](seed)
                pairs.append(len(problem))
                results.append(way(problem, arguments.limit))
            proven = sum(result.status == "OPTIMAL" for result in results)
            gap = max(result.gap for result in results)
            cells.append(f"{proven} of {repeats} | {spread([r.seconds for r in results], 2)} | {gap:.3%}")
        print(f"| {name} | {median(pairs):,.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
