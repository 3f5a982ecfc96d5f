"""Whose children and matches a page shows: those of whoever looks at it, or everybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from matcher.words import same
from service.api.deps import Asking
from service.database import tables
from service.pages.reckoning import Reckoning
from service.repository import Repository

Whose = Literal["everybody", "mine"]


@dataclass(frozen=True)
class Mine:
    """What is of one coordinator: of a match by its own coordinator, or else by the child's, as caseloads count it."""

    hash: str
    """As addresses have the coordinator."""
    name: str
    coordinators: Mapping[str, str | None]
    """The coordinator of each child, by id."""

    @classmethod
    def of(cls, person: Asking, rows: Repository, reckoned: Reckoning) -> Mine:
        name = rows.account_name(person.user_id)
        children = {child.id: child.coordinator for child in reckoned.instance.children}
        return cls(rows.coordinator_hash(name), name, children)

    def child(self, id: str) -> bool:
        return bool(self.name) and same(self.coordinators.get(id) or "") == same(self.name)

    def match(self, match: tables.Match) -> bool:
        return match.coordinator_hash == self.hash if match.coordinator_hash else self.child(match.child_id)
