"""Requests go first: what a process works out besides waits while any of them is being answered.

Python runs one thread at a time, so that a page beside the search for plan effects of thousands of children would take
twice as long and more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

LONGEST = 0.5
"""Seconds for which a piece of work waits at most: where requests never cease, it goes on all the same."""


class Turns:
    """How many requests a process is answering."""

    def __init__(self) -> None:
        self._answered = 0
        self._changed = Condition()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a request is being answered."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While a request does nothing but wait for what is worked out."""
        self._count(-1)
        try:
            yield
        finally:
            self._count(1)

    def pause(self) -> None:
        """For who works besides, between two pieces of work."""
        with self._changed:
            self._changed.wait_for(lambda: self._answered <= 0, LONGEST)

    def _count(self, more: int) -> None:
        with self._changed:
            self._answered += more
            self._changed.notify_all()
