"""What is shown of a child's facts, and to whom: no address to anybody by default, nobody findable to an analyst."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from matcher.records import Child, Place, Volunteer

_LEFT_OUT = (
    "id", "family", "date_of_birth", "placement", "provider", "coordinator", "referred_on", "looked_after_since",
    "last_parental_visit", "unaccompanied", "safeguarding_issue",
)  # fmt: skip
_OF_VOLUNTEER = ("id", "home", "known_children", "organisations", "connected_authorities", "household", "areas")


def pseudonymised(child: Child, as_of: date) -> dict[str, Any]:
    """What an analyst may know: age and days waited in place of dates; no place, family or provider."""
    facts = {name: value for name, value in asdict(child).items() if name not in _LEFT_OUT}
    born = child.date_of_birth
    years = born and as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day))
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


def _outcode(place: Place | None) -> str | None:
    return None if place is None or place.precision == "point" else place.text.split()[0]
