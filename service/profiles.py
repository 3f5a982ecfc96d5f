"""What a child is shown of a volunteer, and a volunteer of a child: chosen parts in plain words, never the record.

Need to know (S 8, R 8): what nobody ticked is not shown. Names, addresses and dates of birth are not among the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from matcher import vocabulary
from matcher.records import Child, Gender, Rhythm, Volunteer
from matcher.references import years_old
from matcher.words import languages, listed

Of = TypeVar("Of", Child, Volunteer)
_OFTEN = {Rhythm.WEEKLY: "every week", Rhythm.FORTNIGHTLY: "every two weeks", Rhythm.MONTHLY: "every month"}
NO_RELIGION = "no religion"
RELIGION = "Religion, and interests that tell it"
PRIVATE = "Interests that tell something else private"
_PERSON = {Gender.FEMALE: "They are a woman.", Gender.MALE: "They are a man."}
_CHILD = {
    Gender.FEMALE: "They are female.", Gender.MALE: "They are male.",
    Gender.OTHER: "Their gender is neither female nor male.",
}  # fmt: skip


@dataclass(frozen=True)
class Part(Generic[Of]):
    """One part of a profile: what it is called, and what it says of somebody; nothing where it is not recorded."""

    id: str
    label: str
    says: Callable[[Of, date], str]
    at_first: bool = True
    """Whether it is shown unless somebody decides otherwise."""


def _part_of(tag: str) -> str:
    """The part of a profile that an interest is in: by what it tells of somebody.

    What is private is one part, not one an interest: a row and the log keep in plain which parts were ticked, and a
    part of its own would tell there of whom it is.
    """
    return {"": "interests", "religion": "religion"}.get(vocabulary.interest_tells(tag), "private")


def _likes(tags: Sequence[str] | None, who: str, part: str = "interests") -> str:
    """Their interests that are in one part."""
    told = [tag for tag in tags or () if _part_of(tag) == part]
    return f"{who}: {named(told)}." if told else ""


def named(tags: Sequence[str]) -> str:
    """Interests one after the other: each begins with a capital, as some are names, and has an “and” of its own."""
    return "; ".join(map(vocabulary.interest_label, tags))


def _believes(person: Child | Volunteer, whose: str, who: str) -> str:
    """Their religion, and what they like that tells it."""
    named = person.religion and person.religion != NO_RELIGION
    religion = f"{whose}: {vocabulary.religion_label(person.religion)}." if person.religion and named else ""
    return " ".join(filter(None, (religion, _likes(person.interests, who, "religion"))))


def both_like(child: Child, volunteer: Volunteer, shown: frozenset[str]) -> list[str]:
    """The interests that the two share, as far as the child is shown them of the volunteer."""
    both = sorted(set(child.interests or ()) & set(volunteer.interests or ()))
    return [tag for tag in both if _part_of(tag) in shown]


def _decade(person: Volunteer, on: date) -> str:
    if person.date_of_birth is None:
        return ""
    years = years_old(person.date_of_birth, on)
    tens = {2: "twenties", 3: "thirties", 4: "forties", 5: "fifties", 6: "sixties", 7: "seventies"}
    return f"They are in their {tens[years // 10]}." if years // 10 in tens else ""


OF_VOLUNTEER: tuple[Part[Volunteer], ...] = (
    Part("interests", "Interests", lambda one, _on: _likes(one.interests, "They like")),
    Part("age", "Age, by decade", _decade),
    Part("gender", "Gender", lambda one, _on: _PERSON.get(one.gender, "") if one.gender else ""),
    Part("languages", "Languages", lambda one, _on: f"They speak {languages(one.languages)}." if one.languages else ""),
    Part("visits", "How often they can visit",
         lambda one, _on: f"They could see you {_OFTEN[one.possible_visits]}." if one.possible_visits else ""),
    Part("free", "When they are free",
         lambda one, _on: f"They are free at these times: {listed(one.free_times)}." if one.free_times else ""),
    Part("dog", "Whether they have a dog",
         lambda one, _on: "" if one.has_dog is None else "They have a dog." if one.has_dog else "They have no dog."),
    Part("care", "That they were in care",
         lambda one, _on: "They were in care when they were young." if one.care_experience else "", at_first=False),
    Part("religion", RELIGION, lambda one, _on: _believes(one, "Their religion", "They like"), at_first=False),
    Part("private", PRIVATE, lambda one, _on: _likes(one.interests, "They like", "private"), at_first=False),
)  # fmt: skip

OF_CHILD: tuple[Part[Child], ...] = (
    Part("interests", "Interests", lambda one, _on: _likes(one.interests, "They like")),
    Part("age", "Age",
         lambda one, on: f"They are {years_old(one.date_of_birth, on)} years old." if one.date_of_birth else ""),
    Part("gender", "Gender", lambda one, _on: _CHILD[one.gender] if one.gender else ""),
    Part("languages", "Languages",
         lambda one, _on: f"They talk in {languages(one.languages)}." if one.languages else ""),
    Part("visits", "Visits hoped for",
         lambda one, _on: f"They hope for a visit {_OFTEN[one.hoped_visits]}." if one.hoped_visits else ""),
    Part("free", "When they are free",
         lambda one, _on: f"They are free at these times: {listed(one.free_times)}." if one.free_times else ""),
    Part("animals", "Fear of animals", lambda one, _on: "They are afraid of animals." if one.fears_animals else ""),
    Part("needs", "Additional needs",
         lambda one, _on:
         f"They have additional needs: {listed(one.additional_needs)}." if one.additional_needs else "",
         at_first=False),
    Part("religion", RELIGION, lambda one, _on: _believes(one, "Their religion", "They like"), at_first=False),
    Part("private", PRIVATE, lambda one, _on: _likes(one.interests, "They like", "private"), at_first=False),
    Part("area", "Postcode district",
         lambda one, _on: f"They live in {one.placement.text.split()[0]}."
         if one.placement and one.placement.precision != "point" else "", at_first=False),
)  # fmt: skip


def chosen(shared: Mapping[str, Sequence[str]], side: str) -> frozenset[str]:
    """The parts that are shown of a side, "child" or "volunteer"."""
    if side in shared:
        return frozenset(shared[side])
    parts = OF_CHILD if side == "child" else OF_VOLUNTEER
    return frozenset(part.id for part in parts if part.at_first)


def in_order(shared: Mapping[str, Sequence[str]], side: str) -> list[str]:
    """The same in the order of the profile."""
    parts: Sequence[Part[Child] | Part[Volunteer]] = OF_CHILD if side == "child" else OF_VOLUNTEER
    return [part.id for part in parts if part.id in chosen(shared, side)]


def as_shown(shared: Mapping[str, Sequence[str]]) -> str:
    """What is shared of both, for a form to bring along what its reader saw."""
    return " ".join(f"{side}:{part}" for side in ("child", "volunteer") for part in sorted(chosen(shared, side)))


def told(parts: Sequence[Part[Of]], person: Of, shown: frozenset[str], on: date) -> list[str]:
    """The sentences of the parts that are shown, without those about which nothing is recorded."""
    return [sentence for part in parts if part.id in shown and (sentence := part.says(person, on))]
