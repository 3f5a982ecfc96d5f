"""A person's facts in the words and the groups in which a coordinator reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from matcher import vocabulary
from matcher.geography import METRES_PER_MILE
from matcher.reading.sheets import CHILDREN, DECLINED, VOLUNTEERS
from matcher.records import Child, Place, Volunteer
from matcher.references import years_old
from matcher.words import council, day, listed, pounds, spoken
from matcher.words import languages as language_names


@dataclass(frozen=True)
class Fact:
    label: str
    value: str
    """"Not recorded" where the record says nothing."""
    known: bool


CHECK_NAMES = {
    "dbs_current": "DBS check",
    "vehicle_documents": "papers for driving",
    "database_check": "check of the authority’s records",
}

Group = tuple[str, tuple[Fact, ...]]


def age(born: date | None, on: date) -> int | None:
    """Completed years, where the birth is recorded."""
    return None if born is None else years_old(born, on)


def place(where: Place | None) -> str:
    """The outcode alone: no page shows an address."""
    if where is None:
        return "not recorded"
    return "a point on the map" if where.precision == "point" else where.text.split()[0]


def interests(tags: Iterable[str] | None) -> str | None:
    return None if tags is None else listed([vocabulary.interest_label(tag) for tag in tags] or ["none"])


def about_child(child: Child, on: date) -> tuple[Group, ...]:
    return (
        _group(
            "About the child",
            ("Age", _years(child.date_of_birth, on)),
            ("Gender", child.gender),
            ("Interests", interests(child.interests)),
            ("Languages", _languages(child.languages)),
            ("Ethnicity", child.ethnicity and vocabulary.ethnicity_label(child.ethnicity)),
            ("Religion", child.religion and vocabulary.religion_label(child.religion)),
            ("Additional needs", _several(child.additional_needs)),
            ("Can go out independently", _yes(_not(child.cannot_go_out_alone))),
        ),
        _group(
            "What the child would like",
            ("Agrees to have a visitor", child.agrees),
            ("Visitor’s gender", _wish(child.requested_gender, child.requested_gender_strength)),
            ("A visitor of like culture", child.culture_request),
            ("A visitor of their religion", child.religion_request),
            ("Visitor must speak", _languages(child.needed_languages) if child.needed_languages else "no requirement"),
            ("Age of the visitor", _ages(child.prefers_from_age, child.prefers_to_age)),
            ("Somebody who was in care", _yes(child.likes_care_experience)),
            ("Visits hoped for", child.hoped_visits),
            ("Free", _several(child.free_times)),
            ("Afraid of animals", _yes(child.fears_animals)),
        ),
        _group(
            "Where the child lives",
            ("Area", place(child.placement) if child.placement else None),
            ("Council there", child.placement_council and council(child.placement_council)),
            ("Responsible authority", child.responsible_authority and council(child.responsible_authority)),
            ("Placement", child.placement_type),
            ("Provider", _several(child.provider, "the council’s own carers, or family")),
            ("Distance from home", _miles(child.metres_from_home)),
            ("Move of placement pending", _yes(child.placement_move_pending)),
        ),
        _group(
            "The referral",
            ("Referred on", child.referred_on and day(child.referred_on)),
            ("Contact with parents", child.parental_contact),
            ("Last visited by a parent", child.last_parental_visit and day(child.last_parental_visit)),
            ("Looked after since", child.looked_after_since and day(child.looked_after_since)),
            ("Still looked after", _yes(child.looked_after)),
            ("Long-term plan", child.long_term_plan),
            ("Proceedings concluded", _yes(child.proceedings_concluded)),
            ("Unaccompanied", _yes(child.unaccompanied)),
            ("Safeguarding issue unresolved", _yes(child.safeguarding_issue)),
            ("Manager approved", _yes(child.manager_approved)),
            ("Funding agreed", _yes(child.funding_agreed)),
            ("Coordinator", child.coordinator),
        ),
    )


def about_volunteer(person: Volunteer, on: date) -> tuple[Group, ...]:
    return (
        _group(
            "About the volunteer",
            ("Age", _years(person.date_of_birth, on)),
            ("Gender", person.gender),
            ("Area", place(person.home) if person.home else None),
            ("Interests", interests(person.interests)),
            ("Languages", _languages(person.languages)),
            ("Ethnicity", person.ethnicity and vocabulary.ethnicity_label(person.ethnicity)),
            ("Religion", person.religion and vocabulary.religion_label(person.religion)),
            ("Was in care", _yes(person.care_experience)),
            ("Has a dog", _yes(person.has_dog)),
        ),
        _group(
            "What the volunteer offers",
            ("Travels up to", _miles(person.travel_limit_metres)),
            ("Drives the child", _yes(person.drives)),
            ("Children aged", _ages(person.youngest_age, person.oldest_age)),
            ("Areas", listed(council(code) for code in person.areas) if person.areas else "anywhere"),
            ("Says yes to needs", _several(person.needs_accepted)),
            ("Trained for needs", _several(person.needs_trained)),
            ("Experience with needs", _several(person.needs_experience)),
            ("Visits", person.possible_visits),
            ("Free", _several(person.free_times)),
            ("Would rather visit a child who is", person.preferred_gender or "no wish"),
            ("Would rather visit a child aged", _ages(person.prefers_from_age, person.prefers_to_age)),
            ("Committed until", person.commitment_until and day(person.commitment_until)),
        ),
        _group(
            "Approval and checks",
            ("Status", person.status),
            ("Agreement signed", person.agreement_signed_on and day(person.agreement_signed_on)),
            ("DBS checked", person.dbs_checked_on and day(person.dbs_checked_on)),
            ("References accepted", _number(person.references_accepted)),
            ("Of them professional", _number(person.professional_references)),
            ("Core training", person.core_training_on and day(person.core_training_on)),
            ("Safeguarding training", person.safeguarding_training_on and day(person.safeguarding_training_on)),
            ("Authority’s records checked", person.database_checked_on and day(person.database_checked_on)),
            ("Right to work", _yes(person.right_to_work)),
            ("Licence checked", person.licence_checked_on and day(person.licence_checked_on)),
            ("Insured until", person.insured_until and day(person.insured_until)),
            ("Insured for volunteering", _yes(person.insured_for_volunteering)),
            ("MOT until", person.mot_until and day(person.mot_until)),
            ("Medical condition", _yes(person.medical_condition)),
            ("Medical clearance", person.medical_clearance_on and day(person.medical_clearance_on)),
            ("Support sessions attended", _number(person.support_sessions)),
        ),
        _group(
            "Independence",
            ("Connected to councils", _several(person.connected_authorities, words=council)),
            ("Connected to providers", _several(person.organisations)),
        ),
    )


def in_words(field: str, value: Any) -> str:
    """One field of a child's or a volunteer's record, or of a budget, as a coordinator would say it."""
    if value is None:
        return "not recorded"
    if field in _WORDS:
        return str(_WORDS[field](value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return day(value)
    if isinstance(value, tuple):
        return str(_several(value))
    return str(value)


_WORDS: dict[str, Callable[[Any], Any]] = {
    "placement": place, "home": place, "interests": interests,
    "languages": lambda tags: _languages(tags) if tags else "none",
    "needed_languages": lambda tags: _languages(tags) if tags else "none",
    "ethnicity": vocabulary.ethnicity_label, "religion": vocabulary.religion_label,
    "responsible_authority": council, "placement_council": council,
    "areas": lambda codes: _several(codes, "anywhere", words=council),
    "connected_authorities": lambda codes: _several(codes, words=council),
    "metres_from_home": lambda metres: _miles(metres), "travel_limit_metres": lambda metres: _miles(metres),
    "budget_pence": pounds, "spent_pence": pounds,
}  # fmt: skip
"""Fields whose facts are codes or measures."""


def label_of(field: str) -> str:
    """How the files call a field of a record: `miles from home` for `metres_from_home`."""
    names = {column.to: column.name for sheet in (DECLINED, CHILDREN, VOLUNTEERS) for column in sheet.columns}
    return spoken(names.get(field, field.removesuffix("_pence")))


def _group(title: str, *facts: tuple[str, Any]) -> Group:
    told = (Fact(label, "Not recorded" if value is None else str(value), value is not None) for label, value in facts)
    return title, tuple(told)


def _yes(fact: bool | None) -> str | None:
    return None if fact is None else "yes" if fact else "no"


def _not(fact: bool | None) -> bool | None:
    return None if fact is None else not fact


def _number(fact: int | None) -> str | None:
    return None if fact is None else str(fact)


def _years(born: date | None, on: date) -> str | None:
    years = age(born, on)
    return None if years is None else f"{years} years"


def _several(facts: Iterable[str] | None, none: str = "none", words: Callable[[str], str] | None = None) -> str | None:
    return None if facts is None else listed([words(one) if words else str(one) for one in facts] or [none])


def _languages(tags: Iterable[str] | None) -> str | None:
    return None if tags is None else language_names(tags)


def _miles(metres: int | None) -> str | None:
    return None if metres is None else f"{metres / METRES_PER_MILE:.3g} miles"


def _ages(least: int | None, most: int | None) -> str:
    if least is None:
        return "any age" if most is None else f"up to {most}"
    return f"from {least}" if most is None else f"{least} to {most}"


def _wish(what: str | None, strength: str) -> str:
    return f"{what}, {strength}" if what else "no wish"
