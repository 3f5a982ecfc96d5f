"""What is shown of a child's facts, and to whom: no address to anybody by default, nobody findable to an analyst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from matcher.records import Child, Place, Volunteer
from matcher.references import years_old

_OF_CHILD = (
    "id", "family", "placement", "placement_council", "placement_type", "responsible_authority", "provider",
    "coordinator", "unaccompanied", "safeguarding_issue",
)  # fmt: skip
"""What a child could be found by, or what only those who look after them need to know; a placement's type may be
written in any words."""
_OF_VOLUNTEER = ("id", "home", "known_children", "organisations", "connected_authorities", "household", "areas")


def pseudonymised(child: Child, as_of: date) -> dict[str, Any]:
    """What an analyst may know: age and days waited in place of dates; no place, council, family or provider."""
    facts = {name: fact for name, fact in asdict(child).items() if name not in _OF_CHILD and not isinstance(fact, date)}
    born = child.date_of_birth
    years = born and years_old(born, as_of)
    waited = (as_of - child.waits_since).days if child.waits_since else None
    return {**facts, "age": years, "days_waited": waited}


def without_address(child: Child) -> dict[str, Any]:
    """The facts with the outcode alone in place of a postcode or a point."""
    return {**asdict(child), "placement": _outcode(child.placement)}


def volunteer_pseudonymised(volunteer: Volunteer) -> dict[str, Any]:
    """What an analyst may know: no dates, places, organisations, or children whom they know."""
    facts = asdict(volunteer)
    return {name: fact for name, fact in facts.items() if name not in _OF_VOLUNTEER and not isinstance(fact, date)}


def volunteer_without_address(volunteer: Volunteer) -> dict[str, Any]:
    """The facts with the outcode alone in place of a postcode or a point."""
    return {**asdict(volunteer), "home": _outcode(volunteer.home)}


NOBODY = "No volunteer is eligible. Those who may see references are told why."
IMPOSSIBLE = "Not possible as things stand."
_WITHHELD: dict[str, Any] = {
    "sentence": "", "reason": "", "distance": "", "miles": None, "cost_pence": None, "spent_pence": {},
    "nobody_because": NOBODY, "impossible": IMPOSSIBLE,
}  # fmt: skip
"""What is told in place of words that hold facts: dates, councils, providers, names, how far two live apart."""


def without_facts(told: Any) -> Any:
    """An answer of the matcher's for an analyst: of each rule and score its id, its title and what it says of the pair.

    `notes` keeps the ids of the rules that a coordinator should hear of. What is blank stays blank.
    """
    if isinstance(told, Mapping):
        return {name: _withheld(name, one) for name, one in told.items()}
    return [without_facts(one) for one in told] if isinstance(told, list | tuple) else told


def _withheld(name: str, told: Any) -> Any:
    if name == "notes":
        return dict.fromkeys(told, "")
    if name == "effect" and told:
        sentence = IMPOSSIBLE if told["impossible"] else told["sentence"]  # which otherwise counts, and tells no fact
        return {**without_facts(told), "sentence": sentence}
    if name == "diff" and told:
        return {**without_facts(told), "sentence": told["sentence"]}  # as well
    if name in _WITHHELD and (told or _WITHHELD[name] is None):  # no cost tells that they live in the county
        return _WITHHELD[name]
    return without_facts(told)


def _outcode(place: Place | None) -> str | None:
    return None if place is None or place.precision == "point" else place.text.split()[0]
