"""How the time grows with the size, drawn: from 100 children to 30,000, 20 pairs each.

    python -m benchmarks.growth docs/solver-growth.svg

Beside `solve` are one flow on the same pairs, the least that any exact way takes, and plain CP-SAT with two workers up
to the size at which it no longer proves its plan within the limit. Medians of the repeats; lines join sizes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

from benchmarks.counties import county
from benchmarks.solver import WAYS

SIZES = (100, 300, 1000, 3000, 10_000, 30_000)

DRAWN = {
    "priced": ("solve, proven best", "o-"),
    "one flow": ("one flow, no budget", "s--"),
    "plain CP-SAT, 2 workers": ("plain CP-SAT, proven best", "^:"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0)
    arguments = parser.parse_args()

    for way in DRAWN:
        WAYS[way](county(100, 100, pairs_each=20, seed=0), 9)  # what is imported on first use is not timed
    points: dict[str, list[tuple[int, float]]] = {way: [] for way in DRAWN}
    given_up: set[str] = set()
    print("| children | way | seconds | proven |\n|---|---|---|---|")
    for size in SIZES:
        found = {way: [] for way in DRAWN if way not in given_up}
        for seed in range(1, arguments.repeats + 1):
            problem = county(size, size, pairs_each=20, seed=seed)
            for way, results in found.items():
                results.append(WAYS[way](problem, arguments.limit))
        for way, results in found.items():
            seconds = median(result.seconds for result in results)
            proven = sum(result.status in ("OPTIMAL", "relaxed") for result in results)
            print(f"| {size:,} | {way} | {seconds:.3f} | {proven} of {len(results)} |", flush=True)
            if proven == len(results):
                points[way].append((size, seconds))
            else:
                given_up.add(way)
    draw(points, arguments.picture)


def draw(points: dict[str, list[tuple[int, float]]], picture: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "kith", "svg.fonttype": "none", "font.size": 11})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for way, (name, style) in DRAWN.items():
        if points[way]:
            axes.plot(*zip(*points[way], strict=True), style, label=name)
    axes.set(xscale="log", yscale="log", xlabel="children (as many volunteers, about 20 pairs each)", ylabel="seconds")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture, metadata={"Date": None})


if __name__ == "__main__":
    main()
