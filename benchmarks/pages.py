"""How long each page takes at the server, and how much of it is sent: warm, and as the first view after a change.

    python -m benchmarks.pages [--children 120] [--volunteers 60] [--times 20] [--folder FOLDER] [--without-run]
                               [--only WORDS]

Fills a service with a made-up county on SQLite (kept in FOLDER, where one is given, and used again), lets runs find
its plan under two policies, and asks a copy of it for each page as whoever may see it, then sends what people send:
searches, proposals, facts, drafts of the policy, and files. A request is timed from the outside of the application to
the last byte of its answer, without a network. For the first views a record that matching reads is changed before
each. --without-run leaves out the runs, --only asks for those alone whose name has the words in it.
"""

from __future__ import annotations

import argparse
import gzip
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from httpx2 import Response
from starlette.testclient import TestClient

from benchmarks.measured import Service, copied, prepare, settings_of, timed
from benchmarks.page_addresses import Page, exports, not_asked, pages
from benchmarks.page_forms import Way, often, seldom
from service.app import create_app
from service.permissions import Role

STATIC = ("/static/govuk-frontend/govuk-frontend.min.css", "/static/kith.css", "/static/kith.js",
          "/static/govuk-frontend/govuk-frontend.min.js")  # fmt: skip
OF_RUNS = "/static/htmx/htmx.min.js"
Times = list[tuple[float, float]]


def measure_pages(service: Service, asked: list[Page], times: int) -> None:
    print("| page | warm: median | p95 | processor | after a change: median | most | processor | sent | compressed |")
    print("|---" * 9 + "|")
    for page in asked:
        by = service.browsers[page.role]
        warm: Times = []
        first: Times = []
        answer = by.get(page.address)
        service.idle()
        for _ in range(times):
            with timed(warm):
                by.get(page.address)
        for _ in range(max(1, times // 4)):
            service.change()
            with timed(first):
                by.get(page.address)
            service.idle()
        p50, p95 = np.percentile([clock for clock, _ in warm], [50, 95])
        after = [clock for clock, _ in first]
        worked = [np.median([processor for _, processor in of]) for of in (warm, first)]
        print(
            f"| {page.name} | {p50:.0f} ms | {p95:.0f} ms | {worked[0]:.0f} ms | {np.median(after):.0f} ms "
            f"| {max(after):.0f} ms | {worked[1]:.0f} ms | {_sizes(answer)}",
            flush=True,
        )


def measure_ways(service: Service, ways: list[Way]) -> None:
    """A request by its name, however many ways went through it."""
    took: dict[str, Times] = defaultdict(list)
    answers: dict[str, Response] = {}
    for way in ways:
        asked = next(way, None)
        while asked is not None:
            name, request = asked
            with timed(took[name]):
                answers[name] = request()
            try:
                asked = way.send(answers[name])
            except StopIteration:
                asked = None
        service.idle()
    for name, found in took.items():
        clock, worked = [one for one, _ in found], np.median([one for _, one in found])
        print(
            f"| {name} | {np.median(clock):.0f} ms | {max(clock):.0f} ms | {worked:.0f} ms | {_sizes(answers[name])}",
            flush=True,
        )


def _sizes(answer: Response) -> str:
    size, compressed = len(answer.content), len(gzip.compress(answer.content))
    return f"{size / 1000:.0f} kB | {compressed / 1000:.0f} kB |" if size else "– | – |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--children", type=int, default=120)
    parser.add_argument("--volunteers", type=int, default=60)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--without-run", action="store_true")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="kith-pages-") as temporary:
        filled, measured = given.folder or Path(temporary, "filled"), Path(temporary, "measured")
        for folder in (filled, measured):
            folder.mkdir(parents=True, exist_ok=True)
        if not (filled / "keys.json").exists():
            prepare(settings_of(filled), filled, given.children, given.volunteers, not given.without_run)
        app = create_app(copied(filled, measured))
        with TestClient(app) as client:
            print(f"{given.children} children, {given.volunteers} volunteers, load {_load()}")
            start: Times = []
            service = Service.of(app, filled / "county")
            with timed(start):
                service.browsers[Role.COORDINATOR].get("/children")
            print(f"children, the first page after a start: {start[0][0]:.0f} ms, processor {start[0][1]:.0f} ms")
            static = [len(gzip.compress(client.get(one).content)) for one in (*STATIC, OF_RUNS)]
            print(f"style and script: {sum(static[:-1]) / 1000:.0f} kB compressed; "
                  f"{static[-1] / 1000:.0f} kB more on the pages of runs\n")  # fmt: skip
            measure(service, given.times, lambda name: given.only in name)
            print(f"\nload at the end {_load()}")


def measure(service: Service, times: int, wanted: Callable[[str], bool]) -> None:
    every = list(pages(service))
    measure_pages(service, [one for one in (*every, *exports(service)) if wanted(one.name)], times)
    print("\n| what is sent, and the pages around it | median | most | processor | sent | compressed |")
    print("|---" * 6 + "|")
    for name, begin in often(service).items():
        if wanted(name):
            measure_ways(service, [begin(n) for n in range(max(1, times // 4))])
    for name, way in seldom(service).items():
        if wanted(name):
            measure_ways(service, [way])
    asked = [one.address for one in every] + [f"/{part}" for part in (
        "proposals/M/share", "proposals/M/take-back", "proposals/M/asked", "proposals/M/for-child", "imports/files/U",
        "imports/files/U/columns", "imports/files/U/corrections/children", "imports/files/U/confirm", "imports/I",
    )]  # fmt: skip
    if left := not_asked(asked):
        print("\nPages that were not asked for: " + ", ".join(left))


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
