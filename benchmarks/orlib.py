"""The published assignment problems of the OR-Library, against their published optima.

    python -m benchmarks.orlib DIRECTORY

The directory holds files as they are distributed (J. E. Beasley, OR-Library: distributing test problems by electronic
mail, Journal of the Operational Research Society 41, 1990): `assign100.txt` to `assign800.txt`, assignment problems of
least cost, and `gap1.txt` to `gap4.txt`, generalised assignment problems of most profit. They are not shipped with
Kith. What is not there is left out.

A generalised assignment problem gives each job to one agent, and each agent has so much of a resource. Here, jobs are
children, agents are volunteers who take any number, and each has a fund of its own that pays for the resource; all
children are one group that is matched whole.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from matcher.solver import solve
from matcher.solving.assignment import AssignmentProblem

LEAST_COST = {100: 305, 200: 475, 300: 626, 400: 804, 500: 991, 600: 1176, 700: 1362, 800: 1552}

MOST_PROFIT = {
    1: (336, 327, 339, 341, 326),
    2: (434, 436, 420, 419, 428),
    3: (580, 564, 573, 570, 564),
    4: (656, 644, 673, 647, 664),
}


def least_cost(costs: np.ndarray) -> int:
    """The least sum of costs that gives each row a column of its own."""
    size = len(costs)
    high = int(costs.max()) * size + 1  # one more row matched is worth more than any costs saved
    child, volunteer = np.divmod(np.arange(size * size), size)
    solution = solve(AssignmentProblem(child, volunteer, high - costs.ravel(), n_children=size))
    assert solution.status == "OPTIMAL"
    assert len(solution.chosen) == size
    return size * high - solution.value


def most_profit(profits: np.ndarray, uses: np.ndarray, resource: np.ndarray, limit: float) -> tuple[int, int, str]:
    """The best plan of a generalised assignment problem: its profit, the bound, the status."""
    agents, jobs = profits.shape
    agent, job = np.divmod(np.arange(agents * jobs), jobs)
    problem = AssignmentProblem(
        job,
        agent,
        profits.ravel(),
        n_children=jobs,
        capacity=np.full(agents, jobs),
        cost=uses.ravel(),
        fund=agent,
        budget=resource,
        together=np.zeros(jobs, np.int64),
    )
    solution = solve(problem, time_limit=limit)
    return solution.value, solution.bound, solution.status


def generalised(text: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Profits and uses, agents by jobs, and the resource of each agent, of every problem in a file."""
    numbers = iter(map(int, text.split()))
    for _ in range(next(numbers)):
        agents, jobs = next(numbers), next(numbers)
        tables = [np.array([next(numbers) for _ in range(agents * jobs)]).reshape(agents, jobs) for _ in range(2)]
        yield tables[0], tables[1], np.array([next(numbers) for _ in range(agents)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--limit", type=float, default=60.0, help="deterministic seconds for each problem")
    arguments = parser.parse_args()

    print("| problem | published optimum | found | bound | seconds |\n|---|---|---|---|---|")
    for size, optimum in LEAST_COST.items():
        file = arguments.directory / f"assign{size}.txt"
        if file.exists():
            numbers = np.array(file.read_text().split(), np.int64)
            start = time.perf_counter()
            found = least_cost(numbers[1:].reshape(size, size))
            print(f"| assign{size} | {optimum} | {found} | {found} | {time.perf_counter() - start:.2f} |", flush=True)
            assert found == optimum
    for number, optima in MOST_PROFIT.items():
        file = arguments.directory / f"gap{number}.txt"
        if not file.exists():
            continue
        for each, (tables, optimum) in enumerate(zip(generalised(file.read_text()), optima, strict=True), 1):
            start = time.perf_counter()
            found, bound, status = most_profit(*tables, arguments.limit)
            seconds = time.perf_counter() - start
            print(f"| gap{number}, {each} | {optimum} | {found} | {bound} | {seconds:.2f} |", flush=True)
            assert found <= optimum <= bound
            assert status != "OPTIMAL" or found == optimum


if __name__ == "__main__":
    main()
