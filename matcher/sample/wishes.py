"""What makes a match better, and what keeps volunteers and coordinators apart: the cells that no pair rule reads.

They are drawn after everything else and from dice of their own, so that a wish more changes nobody's other facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matcher.records import Need, Time
from matcher.sample.dice import Dice

Row = dict[str, str]

_NEEDS = {need.value: 1 for need in Need}
_TIMES = {time.value: 1 for time in Time}
_CHILD_BLANKS = (
    "cannot_go_out_alone", "at_risk_from_peers", "helps_education_or_health", "free_times", "fears_animals",
)  # fmt: skip
_VOLUNTEER_BLANKS = ("care_experience", "needs_experience", "possible_visits", "free_times", "has_dog")


class SampleWishes:
    """Fills in the rows of a service."""

    def __init__(self, dice: Dice, given: Mapping[str, Any]) -> None:
        self.dice, self.child, self.offer = dice, given["child_wishes"], given["volunteer_wishes"]
        self.coordinators, self.not_recorded = given["coordinators"], given["children"]["not_recorded"]

    def fill(self, children: Sequence[Row], volunteers: Sequence[Row], matches: Sequence[Row]) -> None:
        for row in children:
            row |= self._of_child() | {"coordinator": self._coordinator(row["responsible_authority"])}
            self._forget(row, _CHILD_BLANKS)
        homes: dict[str, list[Row]] = {}
        for row in volunteers:
            row |= self._of_volunteer()
            self._forget(row, _VOLUNTEER_BLANKS)
            neighbours = homes.setdefault(row["home"], [])
            if neighbours and not neighbours[-1].get("household") and self._chance(self.offer["partner"]):
                row["household"] = neighbours[-1]["household"] = f"H{neighbours[-1]['volunteer_id'][1:]}"
            neighbours.append(row)
        authorities = list(dict.fromkeys(row["responsible_authority"] for row in children))
        for row in matches:
            if row["status"] == "current":
                row["coordinator"] = self._coordinator(authorities[self.dice.below(len(authorities))])

    def second_children(self, matches: Sequence[Row], approved_on: str) -> list[Row]:
        """Exceptions for a few of the volunteers who visit a child now."""
        visiting = [row["volunteer_id"] for row in matches if row["status"] == "current"]
        return [
            {
                "kind": "second child",
                "volunteer_id": volunteer,
                "reason": "The match now is about to end",
                "approved_by": "Team manager",
                "approved_on": approved_on,
            }
            for volunteer in dict.fromkeys(visiting)
            if self._chance(self.offer["second_child"])
        ]

    def _of_child(self) -> Row:
        given = self.child
        return {
            "cannot_go_out_alone": self._yes(given["cannot_go_out_alone"]),
            "at_risk_from_peers": self._yes(given["at_risk_from_peers"]),
            "helps_education_or_health": self._yes(given["helps_education_or_health"]),
            "likes_care_experience": self._yes(given["likes_care_experience"]),
            "hoped_visits": self.dice.pick(given["hoped_visits"]),
            "free_times": self._some(_TIMES, given["free_times"]),
            "prefers_from_age": self.dice.pick(given["prefers_from_age"]),
            "prefers_to_age": self.dice.pick(given["prefers_to_age"]),
            "fears_animals": self._yes(given["fears_animals"]),
        }

    def _of_volunteer(self) -> Row:
        given = self.offer
        return {
            "care_experience": self._yes(given["care_experience"]),
            "needs_experience": self._some(_NEEDS, given["needs_experience"]),
            "possible_visits": self.dice.pick(given["possible_visits"]),
            "free_times": self._some(_TIMES, given["free_times"]),
            "has_dog": self._yes(given["has_dog"]),
            "preferred_gender": self.dice.pick(given["preferred_gender"]),
            "prefers_from_age": self.dice.pick(given["prefers_from_age"]),
            "prefers_to_age": self.dice.pick(given["prefers_to_age"]),
        }

    def _coordinator(self, authority: str) -> str:
        return f"{authority} {1 + self.dice.below(self.coordinators['of_council'])}"

    def _some(self, words: Mapping[str, int], how_many: Mapping[str, int]) -> str:
        return "; ".join(sorted(self.dice.some(words, int(self.dice.pick(how_many))))) or "none"

    def _yes(self, in_a_hundred: int) -> str:
        return "yes" if self._chance(in_a_hundred) else "no"

    def _chance(self, in_a_hundred: int) -> bool:
        return self.dice.chance(in_a_hundred)

    def _forget(self, row: Row, columns: Sequence[str]) -> None:
        for column in columns:
            if self._chance(self.not_recorded):
                row[column] = ""
