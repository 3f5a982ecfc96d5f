"""What the matcher made of an authority's rows, kept until they change, so that no request reads or solves it anew.

What is kept goes by authority, version of its data and day. The version is read in the transaction of the request that
asks, and every change of what matching reads raises it in the transaction of the change: a request that begins after
a change was acknowledged never sees what was made before it.

Who could visit a child, and how well they fit, is known at once. What each choice means for the whole plan costs a
search, and so does what a draft of a policy would change: one thread of the process works it out, each question once,
and a request waits for it a moment. Where it is not there by then, the answer goes without and says so; the next look
has it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from threading import Lock
from typing import Any, Literal, TypeVar

from sqlalchemy import select

from matcher import Effects, Instance, shortlist, shortlist_for_volunteer, today
from matcher.parallel import giving_way_to
from matcher.shortlist import Candidate, RankBy
from service.database.tables import Authority
from service.repository import Opened, Repository
from service.turns import Turns

MOST = 8
"""How many instances one process keeps; each with its plan takes as much memory as its pairs."""
PATIENCE = 0.2
"""Seconds for which a request waits for plan effects that are not worked out yet."""
MANY = 500
"""Where more children wait, effects take seconds, and no request waits for what is not begun yet."""

Worked = TypeVar("Worked")
Known = Literal["exact", "being worked out", "not asked for"]
_Stamp = tuple[int, date]


@dataclass(frozen=True)
class Ranked:
    """A shortlist with what is known of it."""

    candidates: tuple[Candidate, ...]
    rank_by: RankBy
    """The order in which they stand: by fit where the effects were asked for and are not known yet."""
    effects: Known


class Held:
    """One authority's instance of one version of its data, and what is worked out of it."""

    def __init__(self, stamp: _Stamp, thread: Executor, turns: Turns, before: Held | None = None) -> None:
        self.stamp, self._thread, self._turns = stamp, thread, turns
        self._dropped = False
        self.opened: Opened = Opened(before.opened if before else None)
        self._instance: Instance | None = None
        self._asked: dict[tuple[str, Hashable], Future[Any]] = {}
        self._lock = Lock()

    @property
    def instance(self) -> Instance:
        assert self._instance is not None
        return self._instance

    def read(self, rows: Repository) -> None:
        """Whoever comes meanwhile waits for the first to have read it."""
        with self._lock:
            if self._instance is None:
                self._instance = replace(rows, opened=self.opened).instance(self.stamp[1])
                self.opened.forget_before()

    def shortlist(self, child: str, *, top: int, rank_by: RankBy, also: Collection[str] = ()) -> Ranked:
        """See `matcher.shortlist`, which says what it raises."""

        def ranked(effects: Effects | None) -> tuple[Candidate, ...]:
            order: RankBy = "plan" if effects else "fit"
            return shortlist(self.instance, child, top=top, rank_by=order, effects=effects, also=also)

        return self._ranked((child, (top, *sorted(also))), ranked, rank_by)

    def shortlist_for_volunteer(self, volunteer: str, *, top: int, rank_by: RankBy) -> Ranked:
        """The children whom a volunteer could visit, in the same way."""

        def ranked(effects: Effects | None) -> tuple[Candidate, ...]:
            order: RankBy = "plan" if effects else "fit"
            return shortlist_for_volunteer(self.instance, volunteer, top=top, rank_by=order, effects=effects)

        return self._ranked((volunteer, top), ranked, rank_by)

    def drop(self) -> None:
        """Nobody needs what is not worked out yet: the data are others by now. What is under way ends soon."""
        self._dropped = True
        with self._lock:
            for future in self._asked.values():
                future.cancel()

    @cached_property
    def _effects(self) -> Effects:
        """For the one thread alone: they fill up as they are asked."""
        return Effects.of(self.instance)

    def worked_out(self, key: tuple[str, Hashable], work: Callable[[], Worked], patience: float) -> Worked | None:
        """What takes its time: None if it is not there within so many seconds. Whoever asks again in a moment has it.

        `key` says what it is; whatever it depends on besides is of this version of the data.
        """
        with self._lock:
            if key not in self._asked:
                self._asked[key] = self._thread.submit(self._besides, work)
            asked: Future[Worked] = self._asked[key]
        try:
            with self._turns.waiting():
                return asked.result(patience)
        except (TimeoutError, CancelledError):
            return None
        except Exception:
            with self._lock:  # whoever asks next tries anew
                self._asked.pop(key, None)
            raise

    def _besides(self, work: Callable[[], Worked]) -> Worked:
        with giving_way_to(self._pause):
            return work()

    def _pause(self) -> None:
        if self._dropped:
            raise CancelledError
        self._turns.pause()

    def forget(self, kind: str, but: Hashable) -> None:
        """Drops what was asked of a kind, the first part of its key, but for one: nobody asks for the others again."""
        with self._lock:
            for key in [one for one in self._asked if one[0] == kind and one[1] != but]:
                self._asked.pop(key).cancel()

    def _ranked(
        self, key: tuple[str, Hashable], ranked: Callable[[Effects | None], tuple[Candidate, ...]], rank_by: RankBy
    ) -> Ranked:
        if rank_by == "fit":
            return Ranked(ranked(None), "fit", "not asked for")
        by_fit, patience = None, PATIENCE
        if len(self.instance.waiting) > MANY and key not in self._asked:
            # The answer goes without, and is made before the thread begins, which has the interpreter besides then.
            by_fit, patience = ranked(None), 0.0
        found = self.worked_out(key, lambda: ranked(self._effects), patience)
        if found is None:
            return Ranked(by_fit or ranked(None), "fit", "being worked out")
        return Ranked(found, "plan", "exact")


class Matching:
    """The instances that a process keeps: of each authority the newest, the one asked for last dropped last."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="plan effects")
        self.turns = Turns()

    def __len__(self) -> int:
        return len(self._held)

    def of(self, rows: Repository) -> Held:
        """The instance of the rows as of today. `rows` must only read: what is not committed is nobody else's."""
        authority: str = rows.session.info["authority"]
        version = rows.session.scalar(select(Authority.data_version).where(Authority.id == authority)) or 0
        held = self._newest(authority, (version, today()))
        held.read(rows)
        return held

    def _newest(self, authority: str, stamp: _Stamp) -> Held:
        with self._lock:
            held = self._held.get(authority)
            if held is None or held.stamp != stamp:
                before, held = held, Held(stamp, self._thread, self.turns, held)
                if before is not None and before.stamp > stamp:
                    return held  # for one who began to read before the change that others know already
                if before is not None:
                    before.drop()
                self._held[authority] = held
            self._held.move_to_end(authority)
            while len(self._held) > self.most:
                self._held.popitem(last=False)[1].drop()
            return held

    def opened(self, authority: str) -> Opened:
        """For who reads an authority's rows afresh: what is still sealed as it was is not opened once more."""
        held = self._held.get(authority)
        return Opened(held.opened if held else None)

    def close(self) -> None:
        """Leaves undone what is not done."""
        for held in self._held.values():
            held.drop()
        self._thread.shutdown(wait=False, cancel_futures=True)
