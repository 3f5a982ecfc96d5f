"""Plans many random services and holds every plan against the independent audit: make audit-many.

The services are those of the tests (tests/matcher/making.py), by fixed seeds: limits met to the day and to the metre,
facts missing, pins, siblings, partners, budgets, caseloads and exceptions. Of each, rules and audit have to agree on
every pair there is, and the audit has to find nothing in the plan. A careless plan of all pairs is audited too, to
show that every rule had something to forbid.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "matcher"))

from making import Chance, PlanChance, every_pair, ids_of

from matcher.audit import audit
from matcher.constraints import PAIR_RULES, PLAN_CONSTRAINTS, eligible
from matcher.instance import Instance
from matcher.pipeline import match

FIRST_SEED = 10_000
BATCH = 100
"""Services of one seed: a quarter each of up to four a side and of up to eight, without and with plans in mind."""


def examined(seed: int) -> Counter[str]:
    """Counts of one batch: services, matches, and how many services gave each rule something to forbid.

    Raises AssertionError or AuditError, with the service in it, at the first that is wrong.
    """
    quarter = BATCH // 4
    services = chain.from_iterable(
        kind(seed, most).instances(quarter) for kind in (Chance, PlanChance) for most in (4, 8)
    )
    counts: Counter[str] = Counter()
    for instance in services:
        _agree(instance)
        plan = match(instance)
        violations = audit(instance, plan.pairs)
        assert violations == (), (violations, instance)
        assert plan.status == "OPTIMAL", instance
        assert len(plan.matches) + len(plan.unmatched) == len(instance.waiting), instance
        counts += Counter(services=1, matches=len(plan.matches))
        counts.update({violation.rule for violation in audit(instance, _careless(instance))})
    return counts


def _agree(instance: Instance) -> None:
    """The rules let a pair through if and only if the audit does."""
    pairs = every_pair(instance)
    passing = eligible(pairs, instance.policy).tolist()
    for pair, passes in zip(ids_of(pairs), passing, strict=True):
        assert (audit(instance, [pair], whole=False) == ()) == passes, (pair, instance)


def _careless(instance: Instance) -> list[tuple[str, str]]:
    """Every second child who waits, with every volunteer."""
    return [(child.id, volunteer.id) for child in instance.waiting[::2] for volunteer in instance.volunteers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()
    batches, began, counts = -(-given.instances // BATCH), time.monotonic(), Counter[str]()
    # What is imported by now stays: each collection of garbage need not look through it again.
    with ProcessPoolExecutor(given.workers, initializer=gc.freeze) as pool:
        for one in pool.map(examined, range(FIRST_SEED, FIRST_SEED + batches)):
            counts += one
            took = time.monotonic() - began
            print(f"\r{counts['services']:,} planned and audited, {took:,.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(f"{counts['services']:,} services, {counts['matches']:,} matches: no violation, and rules and audit agree.")
    print("Services in which a careless plan would break each rule:")
    rules = [limit.id for limit in (*PAIR_RULES, *PLAN_CONSTRAINTS)]
    for rule in rules:
        print(f"  {rule:28}{counts[rule]:>8,}")
    idle = [rule for rule in rules if not counts[rule]]
    if idle:
        sys.exit(f"Never put to the test: {', '.join(idle)}.")


if __name__ == "__main__":
    main()
