"""Which changes of a record take a safeguard away: one list for files, forms and the API.

By a file each is told and confirmed by itself; by hand a manager says why it may.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from matcher.errors import InputError, Problem
from matcher.reading.sheets import CHILDREN, VOLUNTEERS
from matcher.records import Agreement, Strength
from matcher.references import one_name
from matcher.words import listed
from service.standing import needs_a_manager

_Test = Callable[[Any, Any], bool]


def _no_longer(value: Any) -> _Test:
    return lambda before, after: before == value and after != value


def _lost(before: Any, after: Any) -> bool:
    return bool(set(before or ()) - set(after or ()))


def _no_part_in(before: Any, after: Any) -> bool:
    """Of organisations, whichever way each is written."""
    return _lost(map(one_name, before or ()), map(one_name, after or ()))


def _overturned(before: Any, after: Any) -> bool:
    """By a blank too: what is not recorded could be filled in unasked next time."""
    return before is False and after is not False


def _not_known(before: Any, after: Any) -> bool:
    return before is not True and after is True


def _another(before: Any, after: Any) -> bool:
    return before is not None and after != before


def _widened(before: Any, after: Any) -> bool:
    return bool(before) and (not after or bool(set(after) - set(before)))


WEAKER: dict[str, dict[str, tuple[_Test, str]]] = {
    CHILDREN.name: {
        "agrees": (_no_longer(Agreement.NO), "said no to any visitor, and would not any more."),
        "safeguarding_issue": (_no_longer(True), "had a safeguarding issue unresolved."),
        "placement_move_pending": (_no_longer(True), "was about to move placement."),
        "manager_approved": (_not_known, "was not approved by the manager."),
        "funding_agreed": (_not_known, "had no funding agreed."),
        "looked_after": (_overturned, "was no longer looked after."),
        "continuing_agreed": (_overturned, "had no agreement to go on after care."),
        "responsible_authority": (_another, "would be another authority’s, of whom a visitor has to be independent."),
        "unaccompanied": (_overturned, "was not an unaccompanied child, for whom nothing has to be concluded first."),
        "additional_needs": (_lost, "would lose an additional need."),
        "provider": (_no_part_in, "would lose the organisation that accommodates them."),
        "needed_languages": (_widened, "would be content with other languages."),
        "requested_gender_strength": (_no_longer(Strength.ESSENTIAL), "asked for a gender as essential."),
        "culture_request": (_no_longer(Strength.ESSENTIAL), "asked for like culture as essential."),
        "religion_request": (_no_longer(Strength.ESSENTIAL), "asked for like religion as essential."),
    },
    VOLUNTEERS.name: {
        "status": (needs_a_manager, "was suspended, withdrawn or resigned, and would not be any more."),
        "known_children": (_lost, "would no longer be known to a child."),
        "organisations": (_no_part_in, "would no longer belong to an organisation."),
        "connected_authorities": (_lost, "would no longer be connected with a council."),
        "medical_condition": (_no_longer(True), "had declared a medical condition."),
        "right_to_work": (_overturned, "had no right to work."),
        "drives": (_no_longer(True), "was a driver, of whom a licence, an insurance and an MOT are asked."),
        "insured_for_volunteering": (_overturned, "had no insurance for volunteering."),
        "household": (_another, "would leave a shared household."),
    },
}  # fmt: skip
"""By sheet and field: when a change takes a safeguard away, and what is told of the person."""

A_MANAGERS_SAY = {
    "manager_approved": "would count as approved by the manager",
    "funding_agreed": "would count as paid for by the manager’s agreement",
}
"""By the fields of `people.A_MANAGERS`: what a file says of new children, which nobody else has said yet."""


WHY = ("looked into, and resolved", "it is otherwise now", "the child says otherwise", "recorded by mistake")
"""For which a manager lets a safeguard weaken by hand."""


ORDINARY = frozenset({"placement_move_pending"})
"""What ends in the ordinary course, and whoever writes records may say so by hand: who was about to move has moved."""


class WeakerError(InputError):
    """What would weaken, and no manager has said why it may. Each problem is of one safeguard, in its column."""


def refuse_weaker(sheet: str, before: Any, after: Any, why: str | None, but: Collection[str] = ()) -> list[str]:
    """The fields of the safeguards that weaken by hand, for which a manager has said why. Raises WeakerError.

    Args:
        why: one of WHY, by a manager alone.
        but: fields of which the change itself is a manager's word.
    """
    found = [(name, sentence) for name, sentence in weakened(sheet, before, after) if name not in {*but, *ORDINARY}]
    if found and why not in WHY:
        remedy = f"A manager alone confirms it, and says why: {listed(WHY, 'or')}"
        problems = [
            Problem(sheet, 0, name, "", f"would weaken a safeguard: {who_of(sheet)} {sentence.rstrip('.')}", remedy)
            for name, sentence in found
        ]
        raise WeakerError("A safeguard would weaken.", problems)
    return [name for name, _ in found]


def who_of(sheet: str) -> str:
    return "the child" if sheet == CHILDREN.name else "the volunteer"


def weakened(sheet: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    for name, (weakens, sentence) in WEAKER[sheet].items():
        if weakens(getattr(before, name), getattr(after, name)):
            yield name, sentence
    essential = sheet == CHILDREN.name and before.requested_gender_strength is Strength.ESSENTIAL
    if essential and before.requested_gender not in (None, after.requested_gender):
        yield "requested_gender", "asked for another gender as essential."
