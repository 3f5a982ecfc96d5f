"""Pairs, rules and scores at the size of a region: how many pairs a second, and how much memory.

    python -m benchmarks.pipeline --children 10000 --volunteers 10000

A sample of so many people is drawn in one county, the densest case there is: everybody lives within an hour of
everybody. Coordinators are left out, since those of the sample could not support so many matches. Counted are all pairs
of a child and a volunteer, children times volunteers, as if each were looked at; told besides are those that pass all
rules. Reading files is not part of it. Times are of the wall clock and of the processors.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import matcher
from matcher.constraints import eligible_pairs
from matcher.pairs import tables
from matcher.sample import write_sample
from matcher.scoring import score

AS_OF = date(2026, 11, 1)

Made = TypeVar("Made")


def timed(step: str, make: Callable[[], Made]) -> tuple[Made, float]:
    """What a step makes, and its seconds; printed with the processors' seconds and the most memory so far."""
    wall, processors = time.perf_counter(), time.process_time()
    made = make()
    wall, processors = time.perf_counter() - wall, time.process_time() - processors
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {step} | {wall:.2f} | {processors:.2f} | {memory:.2f} |", flush=True)
    return made, wall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--children", type=int, default=10_000)
    parser.add_argument("--volunteers", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="a sample that is there already")
    parser.add_argument("--policy", default="national")
    arguments = parser.parse_args()

    with TemporaryDirectory() as made:
        folder = arguments.folder or Path(made) / "sample"
        if not arguments.folder:
            write_sample(folder, arguments.children, arguments.volunteers, 1, as_of=AS_OF)
        instance = matcher.read(folder, policy=arguments.policy, as_of=str(AS_OF))
    instance = replace(
        instance,
        children=tuple(replace(one, coordinator=None) for one in instance.children),
        matches=tuple(replace(one, coordinator=None) for one in instance.matches),
    )
    print("| step | seconds | processor seconds | GiB |\n|---|---|---|---|")
    columns, first = timed("records to columns", lambda: tables(instance))
    pairs, second = timed("pairs within reach, and all rules", lambda: eligible_pairs(columns, instance.policy))
    _, third = timed("scores", lambda: score(pairs, instance.policy))
    every = len(instance.waiting) * len(instance.volunteers)
    print(
        f"\n{every:,} pairs, {len(pairs):,} of them eligible: {every / (first + second + third):,.0f} pairs a second."
    )


if __name__ == "__main__":
    main()
