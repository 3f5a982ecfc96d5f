"""Who may be in Kith already, under another reference: a person says whether it is them, and nothing is refused.

Matching knows people by no name, and who they are is sealed apart from it. What two entries of one person have in
common is the day of birth; a gender that is recorded of both and differs tells them apart. A reference that differs in
what a hand changes alone is refused as it is (`people`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from matcher.records import Child, Volunteer

Person = Child | Volunteer
MOST = 20
"""As many as are named: of more the day stands in place of one that nobody knew."""


class Births:
    """People by the day of their birth."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._born: dict[date, list[Person]] = defaultdict(list)
        for one in people:
            if one.date_of_birth:
                self._born[one.date_of_birth].append(one)

    def like(self, person: Person) -> Sequence[str]:
        """The ids of those who may be the same as this one."""
        there = self._born.get(person.date_of_birth, ()) if person.date_of_birth else ()
        return [one.id for one in there if not (person.gender and one.gender) or person.gender == one.gender]
