"""How many plans a second a sweep makes, and how that grows with workers.

    python -m benchmarks.sweep --policies 100 --jobs 1 2 --repeats 3

One service, the county sample by default, is planned under so many drawn policies by each number of processes in turn,
so that whatever else the machine does falls on all of them. Told are the median rate with the least and the most, the
processor's time a plan, and how many times the rate of the first number of processes.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import psutil

import matcher
from matcher.analysis.designs import drawn, scores
from matcher.analysis.sweep import sweep
from matcher.instance import Instance


def rate(instance: Instance, policies: list[matcher.Policy], jobs: int) -> float:
    """Plans a second, once the processes are there."""
    sweep(instance, policies[: 4 * jobs], jobs=jobs)
    start = time.perf_counter()
    sweep(instance, policies, jobs=jobs)
    return len(policies) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default="data/samples/county")
    parser.add_argument("--as-of", default="2026-11-01")
    parser.add_argument("--policies", type=int, default=100)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    instance = matcher.read(asked.folder, as_of=asked.as_of)
    policies = drawn(instance.policy, dict.fromkeys(scores(instance.policy), (0, 80)), asked.policies - 1)
    found: dict[int, list[float]] = {jobs: [] for jobs in asked.jobs}
    for _ in range(asked.repeats):
        for jobs in asked.jobs:
            found[jobs].append(rate(instance, policies, jobs))
    start = time.process_time()
    sweep(instance, policies[:50], jobs=1)
    each = (time.process_time() - start) / min(50, len(policies))
    print(f"{len(policies)} policies, {each:.3f} s of a processor a plan")
    print(f"load {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} processors")
    first = median(found[asked.jobs[0]])
    for jobs, rates in found.items():
        told = f"{median(rates):5.1f} plans a second ({min(rates):.1f}–{max(rates):.1f})"
        print(f"{jobs} processes: {told}, {median(rates) / first:.2f} times; {500 / median(rates):.0f} s for 500")


if __name__ == "__main__":
    main()
