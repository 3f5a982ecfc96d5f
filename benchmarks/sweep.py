"""How many plans a second a sweep makes, and how that grows with workers.

    python -m benchmarks.sweep --policies 100 --jobs 1 2 --repeats 3

One service, the county sample by default, is planned under so many drawn policies by each number of processes in turn,
so that whatever else the machine does falls on all of them. Told are the median rate by the clock with the least and
the most, and what a busy machine does not change: the processor's time of a plan, in all processes together and in the
one that hands out the work. From these follows how the rate would grow where each process has a processor to itself,
and at which rate the process that hands out would hold the others up.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from statistics import median

import psutil

import matcher
from matcher.analysis.designs import drawn, scores
from matcher.analysis.sweep import sweep
from matcher.instance import Instance


@dataclass(frozen=True)
class Rate:
    """What one sweep took, a plan."""

    seconds: float
    processors: float
    """Seconds of processor in all processes."""
    handing_out: float
    """Seconds of these in the process that hands out the work; with one process it does the work too."""


def rate(instance: Instance, policies: list[matcher.Policy], jobs: int) -> Rate:
    """Once the processes are there."""
    sweep(instance, policies[: 4 * jobs], jobs=jobs)
    start, before = time.perf_counter(), _processors()
    sweep(instance, policies, jobs=jobs)
    own, others = (after - one for after, one in zip(_processors(), before, strict=True))
    number = len(policies)
    return Rate((time.perf_counter() - start) / number, (own + others) / number, own / number)


def _processors() -> tuple[float, float]:
    """Seconds of processor so far: of this process, and of those that it started."""
    me = psutil.Process()
    used = [sum(one.cpu_times()[:2]) for one in (me, *me.children(recursive=True))]
    return used[0], sum(used[1:])


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
    found: dict[int, list[Rate]] = {jobs: [] for jobs in asked.jobs}
    for _ in range(asked.repeats):
        for jobs in asked.jobs:
            found[jobs].append(rate(instance, policies, jobs))
    print(f"{len(policies)} policies; load {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} processors")
    first = found[asked.jobs[0]]
    alone = asked.jobs[0] / median(one.processors for one in first)
    for jobs, rates in found.items():
        clock = [1 / one.seconds for one in rates]
        each = median(one.processors for one in rates)
        times = median(clock) * median(one.seconds for one in first)
        print(
            f"{jobs} processes: {median(clock):.1f} plans a second by the clock ({min(clock):.1f}–{max(clock):.1f}), "
            f"{times:.2f} times; {each:.3f} s of a processor a plan, so that {jobs} idle ones make "
            f"{jobs / each:.0f} a second, {jobs / each / alone:.2f} times"
        )
        if jobs > 1:
            print(
                f"             handing out takes {1000 * median(one.handing_out for one in rates):.1f} ms a plan of it"
            )


if __name__ == "__main__":
    main()
