"""Threads where there are processors: NumPy and OR-Tools work outside Python's lock. Answers never depend on it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def processors() -> int:
    """As many as this process may use, where that can be told."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(work: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """`work` of each item, in the order of the items. Few are in hand at once, so that large answers fit in memory."""
    items = iter(items)
    first = list(islice(items, 2))
    if len(first) < 2:  # for one item a thread is only a delay
        yield from map(work, first)
        return
    with ThreadPoolExecutor(processors()) as pool:
        waiting: deque[Future[Answer]] = deque()
        for item in chain(first, items):
            waiting.append(pool.submit(work, item))
            if len(waiting) > processors():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
