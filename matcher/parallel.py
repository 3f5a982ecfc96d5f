"""Threads where there are processors: NumPy and OR-Tools work outside Python's lock. Answers never depend on it.

Much of the work is inside the lock all the same. Where it goes on beside something more urgent in the same process, it
gives way to that between two pieces of work:

    with giving_way_to(pause):  # `pause` waits for as long as it has to, or raises to end the work
        Effects.of(instance)
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from itertools import chain, islice
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def processors() -> int:
    """As many as this process may use, where that can be told."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_PAUSE: ContextVar[Callable[[], None] | None] = ContextVar("pause", default=None)


@contextmanager
def giving_way_to(pause: Callable[[], None]) -> Iterator[None]:
    """Within, `pause` is called between two pieces of work, in each thread that works."""
    before = _PAUSE.set(pause)
    try:
        yield
    finally:
        _PAUSE.reset(before)


def give_way() -> None:
    """Called before each piece of work, of which none takes longer than some tenths of a second."""
    if pause := _PAUSE.get():
        pause()


def in_order(work: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
    """`work` of each item, in the order of the items. Few are in hand at once, so that large answers fit in memory."""

    def piece(item: Item) -> Answer:
        give_way()
        return work(item)

    items = iter(items)
    first = list(islice(items, 2))
    if len(first) < 2:  # for one item a thread is only a delay
        yield from map(piece, first)
        return
    with ThreadPoolExecutor(processors()) as pool:
        waiting: deque[Future[Answer]] = deque()
        for item in chain(first, items):
            waiting.append(pool.submit(copy_context().run, piece, item))
            if len(waiting) > processors():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
