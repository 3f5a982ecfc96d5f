"""The solver beside other ways to the same plan, in one run.

    python -m benchmarks.solver --sizes 60x40 120x60 1000x1000 10000x10000 --repeats 5

Each repeat draws another county and gives it to every way in turn, so that whatever else the machine does falls on all
of them. Told are medians and, in brackets, the least and the most; times are of the wall clock and include building the
model. Ways that are slow at a size are repeated `--slow-repeats` times only. "times priced" compares each county with
itself; it is the median of those ratios.
"""

from __future__ import annotations

import argparse
import platform
import resource
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from benchmarks.counties import county
from matcher.solver import solve
from matcher.solving.assignment import NONE, AssignmentProblem, Ints
from matcher.solving.bounds import Relaxation
from matcher.solving.model import SEED, build

DENSE = 300
"""Up to so many children, every volunteer is within reach of a large part of them."""


class Result(NamedTuple):
    seconds: float
    status: str
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """The share of the bound that the plan may miss: all of it where there is no plan."""
        if self.status == "UNKNOWN" or not np.isfinite(self.bound):
            return 1.0
        return (self.bound - self.value) / max(self.bound, 1)


def priced(problem: AssignmentProblem, limit: float) -> Result:
    solution = solve(problem, time_limit=limit)
    return Result(solution.seconds, solution.status, solution.value, solution.bound)


def plain(workers: int) -> Callable[[AssignmentProblem, float], Result]:
    def run(problem: AssignmentProblem, limit: float) -> Result:
        from ortools.sat.python import cp_model_helper

        start = time.perf_counter()
        parameters = cp_model_helper.SatParameters()
        parameters.num_workers = workers
        parameters.random_seed = SEED
        parameters.max_time_in_seconds = limit
        if workers == 1:
            parameters.linearization_level = 2
        solver: Any = cp_model_helper.SolveWrapper()
        solver.set_parameters(parameters)
        response = solver.solve(build(problem))
        status = response.status.name
        value = response.objective_value if status in ("OPTIMAL", "FEASIBLE") else 0
        return Result(time.perf_counter() - start, status, value, response.best_objective_bound)

    return run


def highs(problem: AssignmentProblem, limit: float) -> Result:
    start = time.perf_counter()
    every, one = np.arange(len(problem)), np.ones(len(problem))

    def rows(index: Ints, weight: np.ndarray, count: int) -> csr_array:
        some = index != NONE
        return csr_array((weight[some], (index[some], every[some])), shape=(count, len(every)))

    key, family = np.unique(problem.family_at_volunteer(), return_inverse=True)
    family = family - (key[0] == NONE)
    in_child = rows(problem.child, one, problem.n_children)
    grouped = np.flatnonzero(problem.together != NONE)
    limits = [
        (in_child, np.ones(problem.n_children)),
        (rows(problem.volunteer, one, problem.n_volunteers), problem.capacity),
        (rows(family, one, int(family.max()) + 1), np.ones(int(family.max()) + 1)),
        (rows(problem.fund, problem.cost.astype(float), len(problem.budget)), problem.budget),
    ]
    constraints = [
        LinearConstraint(vstack([row for row, _ in limits]), ub=np.concatenate([most for _, most in limits]))
    ]
    _, first, group = np.unique(problem.together[grouped], return_index=True, return_inverse=True)
    others = np.setdiff1d(np.arange(len(grouped)), first)
    if len(others):
        alike = in_child[grouped[others]] - in_child[grouped[first[group[others]]]]
        constraints.append(LinearConstraint(alike, 0, 0))
    result = milp(
        -problem.points,
        constraints=constraints,
        integrality=np.ones(len(problem)),
        bounds=Bounds(0, 1),
        options={"time_limit": limit, "mip_rel_gap": 0},
    )
    status = "OPTIMAL" if result.status == 0 else "UNKNOWN" if result.x is None else "FEASIBLE"
    value = 0.0 if result.x is None else -result.fun
    bound = np.inf if result.mip_dual_bound is None else -float(result.mip_dual_bound)
    return Result(time.perf_counter() - start, status, round(value), bound)


def flow(problem: AssignmentProblem, _limit: float) -> Result:
    """One flow of least cost on the same pairs, budgets and groups left out: the least that any exact way takes."""
    relaxed = Relaxation(problem)
    start = time.perf_counter()
    chosen, _ = relaxed.relaxed_plan(np.zeros(len(problem.budget), np.int64))
    value = problem.value(chosen)
    return Result(time.perf_counter() - start, "relaxed", value, value)


def scipy_assignment(problem: AssignmentProblem, _limit: float) -> Result:
    """SciPy's sparse assignment on the same pairs, budgets and groups left out; each child may stay unmatched."""
    start = time.perf_counter()
    n, m, every = problem.n_children, problem.n_volunteers, np.arange(problem.n_children)
    child, volunteer = np.concatenate([problem.child, every]), np.concatenate([problem.volunteer, m + every])
    # SciPy takes a weight of 0 for no pair at all, so that all weights are one more.
    weight = np.concatenate([problem.points, np.zeros(n, np.int64)]) + 1
    matrix = csr_array((weight.astype(float), (child, volunteer)), shape=(n, m + n))
    rows, columns = min_weight_full_bipartite_matching(matrix, maximize=True)
    value = int(matrix[rows, columns].sum()) - n
    return Result(time.perf_counter() - start, "relaxed", value, value)


WAYS: dict[str, Callable[[AssignmentProblem, float], Result]] = {
    "one flow": flow,
    "SciPy assignment": scipy_assignment,
    "priced": priced,
    "plain CP-SAT, 1 worker": plain(1),
    "plain CP-SAT, 2 workers": plain(2),
    "HiGHS": highs,
}


def compare(children: int, volunteers: int, arguments: argparse.Namespace) -> None:
    dense = children <= DENSE or arguments.dense
    each = arguments.pairs_each or (round(volunteers * (0.6 if children <= DENSE else 0.147)) if dense else 20)
    found: dict[str, list[Result]] = {way: [] for way in WAYS if way in arguments.ways}
    pairs = []
    for seed in range(1, arguments.repeats + 1):
        problem = county(
            children,
            volunteers,
            pairs_each=each,
            seed=seed,
            funds=arguments.funds,
            tight=arguments.tight,
            siblings=arguments.siblings,
            capacity=arguments.capacity,
            together=arguments.together,
            points_apart=arguments.points_apart,
        )
        pairs.append(len(problem))
        for way, results in found.items():
            quick = way in ("one flow", "priced", "SciPy assignment") or children <= DENSE
            if quick or seed <= arguments.slow_repeats:
                results.append(WAYS[way](problem, arguments.limit))
        relaxed = {round(many[-1].value) for way, many in found.items() if many[-1].status == "relaxed"}
        assert len(relaxed) <= 1 or arguments.capacity > 1, f"Relaxed ways disagree: {relaxed}"
        best = {round(many[-1].value) for many in found.values() if len(many) == seed and many[-1].status == "OPTIMAL"}
        assert len(best) <= 1, f"Ways disagree at {children}x{volunteers}, seed {seed}: {best}"

    print(f"\n### {children:,} x {volunteers:,}, {median(pairs):,.0f} pairs\n")
    print("| way | seconds | times one flow | times priced | proven | gap of the others |")
    print("|---|---|---|---|---|---|")
    for way, results in found.items():
        seconds = [result.seconds for result in results]
        ratios = [
            spread([result.seconds / one.seconds for result, one in zip(results, found[base], strict=False)], 1)
            for base in ("one flow", "priced")
        ]
        proven = sum(result.status == "OPTIMAL" for result in results)
        open_ = [result for result in results if result.status in ("FEASIBLE", "UNKNOWN")]
        gaps = [result.gap for result in open_]
        print(
            f"| {way} | {spread(seconds)} | {ratios[0]} | {ratios[1]} "
            f"| {'–' if results[0].status == 'relaxed' else f'{proven} of {len(results)}'} "
            f"| {f'{median(gaps):.3%}' if gaps else '–'} |",
            flush=True,
        )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\nMost memory so far: {memory:.2f} GiB.", flush=True)


def spread(values: list[float], digits: int = 3) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["60x40", "120x60"], help="children x volunteers")
    parser.add_argument("--dense", action="store_true", help="a seventh of all pairs, not 20 a child, at large sizes")
    parser.add_argument("--pairs-each", type=int, help="within reach and of the right age, about, a child")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slow-repeats", type=int, default=1)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for each way and county")
    parser.add_argument("--funds", type=int, default=1)
    parser.add_argument("--tight", type=float, default=0.5, help="share of the free plan's spending that funds have")
    parser.add_argument("--siblings", type=float, default=0.3)
    parser.add_argument("--capacity", type=int, default=1)
    parser.add_argument("--together", type=float, default=0.0, help="share of families matched whole or not at all")
    parser.add_argument("--points-apart", type=int, default=10_000, help="few make ties")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, limit {arguments.limit:g} s")
    solve(county(20, 20, pairs_each=10, seed=0))  # what is imported on first use is not timed
    for size in arguments.sizes:
        children, volunteers = map(int, size.split("x"))
        compare(children, volunteers, arguments)


if __name__ == "__main__":
    main()
