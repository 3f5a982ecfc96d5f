"""What a fact is called: one label for one fact, on the pages of people, in forms, on shortlists and of files.

What stands after a comma is said where a fact stands by itself; a page that tells it with another, or with its unit,
leaves that out.
"""

from __future__ import annotations

from collections.abc import Mapping

from matcher.reading.sheets import CHILDREN, SHEETS, VOLUNTEERS
from matcher.words import first_upper, spoken

TITLES: Mapping[str, Mapping[str, str]] = {
    CHILDREN.name: {
        "about": "About the child", "wishes": "What the child would like", "placement": "Where the child lives",
        "referral": "The referral",
    },
    VOLUNTEERS.name: {
        "about": "About the volunteer", "offer": "What the volunteer offers", "checks": "Approval and checks",
        "independence": "Independence",
    },
}  # fmt: skip
"""What the parts of a person's page are called."""

LABELS: Mapping[str, Mapping[str, str]] = {
    CHILDREN.name: {
        "family": "Brothers and sisters",
        "cannot_go_out_alone": "Unable to go out alone, or to build relationships",
        "at_risk_from_peers": "At risk from peers or older people",
        "helps_education_or_health": "A visitor would help education or health",
        "agrees": "Agrees to have a visitor",
        "requested_gender": "Visitor’s gender", "requested_gender_strength": "Visitor’s gender, how firmly",
        "culture_request": "A visitor of like culture", "religion_request": "A visitor of their religion",
        "needed_languages": "Visitor must speak",
        "prefers_from_age": "Age of the visitor, from", "prefers_to_age": "Age of the visitor, up to",
        "likes_care_experience": "A visitor who was in care", "hoped_visits": "Visits hoped for",
        "fears_animals": "Afraid of animals",
        "placement": "Lives in", "placement_council": "Council where they live", "placement_type": "Kind of placement",
        "provider": "Provider of the home", "miles_from_home": "Distance from home, in miles",
        "placement_move_pending": "Move of placement pending",
        "parental_contact": "Contact with parents", "last_parental_visit": "Last visited by a parent",
        "looked_after": "Still looked after", "continuing_agreed": "Agreed to go on after care",
        "long_term_plan": "Long-term plan", "safeguarding_issue": "Safeguarding issue unresolved",
    },
    VOLUNTEERS.name: {
        "home": "Lives in", "care_experience": "Was in care", "has_dog": "Has a dog",
        "travel_limit_miles": "Travels up to, in miles", "drives": "Drives the child",
        "youngest_age": "Children aged, from", "oldest_age": "Children aged, up to", "areas": "Willing to visit in",
        "needs_accepted": "Says yes to needs", "needs_trained": "Trained for needs",
        "needs_experience": "Experience with needs", "possible_visits": "Can visit",
        "preferred_gender": "Would rather visit a child who is",
        "prefers_from_age": "Would rather visit a child aged, from",
        "prefers_to_age": "Would rather visit a child aged, up to", "commitment_until": "Committed until",
        "database_checked_on": "Authority’s records checked on", "core_training_on": "Core training completed on",
        "safeguarding_training_on": "Safeguarding training completed on",
        "medical_clearance_on": "Cleared by a doctor on", "support_sessions": "Support sessions attended",
        "connected_authorities": "Connected to councils", "organisations": "Connected to providers",
        "known_children": "Children whom they know", "household": "Household of volunteers",
    },
}  # fmt: skip
"""Where the name of a column is not what a person would say."""

IF_BLANK: Mapping[str, str] = {"requested_gender": "no wish", "preferred_gender": "no wish"}
"""What a blank says of a column of which it is an answer. That nobody said something is none: unknown is not no."""


def label(sheet: str, column: str) -> str:
    """How a column of a sheet is called: “DBS checked on”."""
    return LABELS.get(sheet, {}).get(column) or first_upper(spoken(column))


def beside_column(sheet: str, column: str) -> str:
    """A column by its name in files, with what pages call it beside where that is another: both have to be known."""
    name, called = spoken(column), label(sheet, column)
    return name if called.casefold() == name.casefold() else f"{name} ({called})"


def label_of(sheet: str, field: str) -> str:
    """How a field of a sheet's record is called: as the column that fills it."""
    columns = next((one.columns for one in SHEETS if one.name == sheet), ())
    return label(sheet, next((one.name for one in columns if one.to == field), field.removesuffix("_pence")))
