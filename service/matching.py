"""What the matcher made of an authority's rows, kept until they change, so that no request reads or solves it anew.

What is kept goes by authority, version of its data, policy and day. The version is read in the transaction of the
request that asks, and every change of what matching reads raises it in the transaction of the change: a request that
begins after a change was acknowledged never sees what was made before it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date
from threading import Lock, RLock

from sqlalchemy import select

from matcher import Effects, Instance, today
from service.database.tables import Authority, Policy
from service.repository import Repository

MOST = 8
"""How many instances one process keeps; each with its plan takes as much memory as its pairs."""

_Key = tuple[str, int, str, date]


@dataclass
class Held:
    """One instance with what costs of its pairs. Use the effects under the lock: they fill up as they are asked."""

    lock: RLock = field(default_factory=RLock)
    _instance: Instance | None = None
    _effects: Effects | None = None

    @property
    def instance(self) -> Instance:
        assert self._instance is not None
        return self._instance

    @property
    def effects(self) -> Effects:
        """Raises NoPlanError where no plan can be found to compare with."""
        with self.lock:
            if self._effects is None:
                self._effects = Effects.of(self.instance)
            return self._effects


class Matching:
    """The instances that a process keeps, the one asked for last dropped last."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._held: OrderedDict[_Key, Held] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._held)

    def of(self, rows: Repository) -> Held:
        """The instance of the rows as of today. `rows` must only read: what is not committed is nobody else's."""
        as_of, authority = today(), rows.session.info["authority"]
        version = rows.session.scalar(select(Authority.data_version).where(Authority.id == authority)) or 0
        policy = rows.session.scalar(select(Policy.content_hash).order_by(Policy.number.desc()).limit(1)) or ""
        key = (authority, version, policy, as_of)
        with self._lock:
            held = self._held.setdefault(key, Held())
            self._held.move_to_end(key)
            while len(self._held) > self.most:
                self._held.popitem(last=False)
        with held.lock:  # whoever comes meanwhile waits for the first to have read it
            if held._instance is None:
                held._instance = rows.instance(as_of)
        return held
