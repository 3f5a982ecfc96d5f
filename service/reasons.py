"""Why something was decided, by the codes that are recorded: who may give which, and what each brings about.

A code stands in the record for good, so none is renamed; what it says in a letter or on a page is its own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import chain

from matcher.records import Party

_AUTHORITY, _CHILD, _VOLUNTEER, _WORKER = Party.AUTHORITY, Party.CHILD, Party.VOLUNTEER, Party.SOCIAL_WORKER

OBJECTS, CHILD_OBJECTS = "objects to any visitor", "child objects to any visitor"
UNSAFE = "does not feel safe with this visitor"
CONCERN_PAUSES, LAPSE_PAUSES = "a concern about the volunteer", "a check has lapsed"
ASKS_THE_CHILD = (UNSAFE, CONCERN_PAUSES)
"""The reasons of a pause after which the visits go on by the child's own word alone, whatever else came of it."""
FIRST, IN_PLAN = "first on the shortlist", "in the plan"
CHILD_PAUSES = "a concern about the child"

NO_REASONS: dict[Party, tuple[str, ...]] = {
    _CHILD: (
        "no reason given", "does not want this visitor", UNSAFE, "does not want a visitor now", OBJECTS,
    ),
    # The volunteer may decline without giving a reason (S 8).
    _VOLUNTEER: ("no reason given", "too far", "too little time", "knows the child", "cannot meet the needs"),
    _WORKER: (
        "not in the child's interest", "placement about to change", "safeguarding concern about the child",
        "safeguarding concern about the volunteer", "known to the family",
    ),
    _AUTHORITY: ("a rule fails now", "entered by mistake", "another proposal is better", "volunteer unavailable"),
}  # fmt: skip
PROPOSE_REASONS = (
    IN_PLAN, FIRST, "the child's wish", "shared interests", "shared culture or language",
    "nearer", "known well to the service", "other",
)  # fmt: skip
PAUSE_REASONS = (UNSAFE, CONCERN_PAUSES, CHILD_PAUSES, LAPSE_PAUSES, "circumstances")
"""The gravest first: it alone says who may resume, whatever was said before or after it."""
END_REASONS = (
    "planned ending", "age", "left care", "moved away", "circumstances of the volunteer",
    "child does not want this visitor", "child does not want a visitor now", CHILD_OBJECTS, UNSAFE,
    "boundaries not kept", "serious concern about the volunteer", "serious concern about the child",
    "support not attended", "other",
)  # fmt: skip

TOLD_NOTHING, TOLD_SOMETHING = "told nothing of concern", "told something of concern"
RATHER_NOT, NOT_REACHED = "would rather not be asked", "could not be reached"
NOT_TO_BE_ASKED = "is not to be asked"
ASKED_OUTCOMES = (TOLD_NOTHING, TOLD_SOMETHING, RATHER_NOT, NOT_REACHED, NOT_TO_BE_ASKED)
"""What comes of asking a child about past visits or a meeting, since there was a concern about the volunteer. A manager
alone says that a child is not to be asked: that others ask them within an investigation, say, or it would harm them."""
NOT_ASKED_YET = frozenset({RATHER_NOT, NOT_REACHED})
"""After which the child is still to be asked."""
SAID_BY_CHILD = frozenset({TOLD_NOTHING, TOLD_SOMETHING, RATHER_NOT})
"""The child's own word, where no social worker has asked."""

ASKED_BY = ("asked by the service", "asked by the social worker", "asked by somebody whom they trust")
"""Who asked a child whether the visits are to go on, or at a review how they are."""
NOT_ASKED = "the child was not asked"
"""Of a review that was held without the child's view: why is said in words."""


_WISHES = frozenset({"child does not want this visitor", "child does not want a visitor now", CHILD_OBJECTS})
_OF_THE_VOLUNTEER = frozenset({"circumstances of the volunteer", "support not attended"})
NOT_SAID_BY: Mapping[Party, frozenset[str]] = {
    _CHILD: _OF_THE_VOLUNTEER | {LAPSE_PAUSES},
    _VOLUNTEER: _WISHES | {"support not attended", UNSAFE, LAPSE_PAUSES},
    _WORKER: _OF_THE_VOLUNTEER | {LAPSE_PAUSES},
    Party.PLANNED: frozenset(END_REASONS) - {"planned ending", "age", "left care", "moved away", "other"},
}
"""Reasons of a pause or an ending that would make no sense as the word of somebody. Whoever speaks keeps a concern."""


class Follows(StrEnum):
    """What a reason brings about besides its step, in the same transaction; in the words of whoever is told before.

    The first sentence says what comes of it: a form has each sentence on a line of its own.
    """

    ASKED_AGAIN = "The child counts as not asked. Nobody is proposed to them until they are asked again and say yes."
    NO_VISITOR = "Nobody is proposed to the child any more, until the child says otherwise."
    HELD = "The referral is held. Nobody visits the child until a manager records that the issue is resolved."
    SUSPENDED = (
        "The volunteer is suspended at once, until a manager lifts it. Their proposals are withdrawn, their visits "
        "paused, and the children whom they visited or met before are to be asked too. The LADO is told within one "
        "working day where a child may have been harmed, or be at risk."
    )


NOTHING_MORE = "Nothing more follows from it."
"""Of a reason of a no, a pause or an ending that brings nothing about besides."""
LADO = (
    "The LADO, the local authority designated officer, is told within one working day where the volunteer may have "
    "harmed a child, or be a risk to children: a manager sees to it."
)
"""Of a concern about a volunteer, as long as it stands (S 14.16, by Working Together to Safeguard Children)."""

FOLLOWS: Mapping[str, Follows] = {
    "does not want a visitor now": Follows.ASKED_AGAIN,
    "child does not want a visitor now": Follows.ASKED_AGAIN,
    OBJECTS: Follows.NO_VISITOR,
    CHILD_OBJECTS: Follows.NO_VISITOR,
    "safeguarding concern about the child": Follows.HELD,
    CHILD_PAUSES: Follows.HELD,
    "serious concern about the child": Follows.HELD,
    UNSAFE: Follows.SUSPENDED,
    "safeguarding concern about the volunteer": Follows.SUSPENDED,
    CONCERN_PAUSES: Follows.SUSPENDED,
    "serious concern about the volunteer": Follows.SUSPENDED,
    "boundaries not kept": Follows.SUSPENDED,
    TOLD_SOMETHING: Follows.SUSPENDED,
}
"""By reason, whoever gives it and wherever."""

_ENDS = frozenset({*END_REASONS, *chain.from_iterable(NO_REASONS.values())})
_ENDS_FOR_SAFETY = frozenset(reason for reason in _ENDS if FOLLOWS.get(reason) is Follows.SUSPENDED)
ASKED_AGAIN_AFTER = _ENDS_FOR_SAFETY | {reason for reason, what in FOLLOWS.items() if what is Follows.ASKED_AGAIN}
"""Reasons of what is over after which the child is asked first whether they would like a visitor, or another one."""


def brings_about(reason: str | None, *, waits: bool) -> tuple[Follows, ...]:
    """What a reason brings about besides its step.

    `waits` is whether the child would wait for somebody else from now on. After a concern about their visitor, whether
    they would like another one is for them to say; where the visits are paused, they are asked whether they go on.
    """
    first = FOLLOWS.get(reason or "")
    if first is None:
        return ()
    return (first, Follows.ASKED_AGAIN) if waits and reason in _ENDS_FOR_SAFETY else (first,)


FOR_SAFETY = frozenset(reason for reason, what in FOLLOWS.items() if what is not Follows.ASKED_AGAIN)
"""Reasons that a manager looks at before a letter is sent: a child said it, or somebody looks into it."""

_IN_LETTERS = frozenset({"planned ending", "moved away", "circumstances of the volunteer"})


def in_letter(reason: str | None, by: str | None) -> bool:
    """Whether the letter to the volunteer gives the reason of an ending: what both know, and never a child's word."""
    return reason in _IN_LETTERS and by != Party.CHILD


STAYS: Mapping[Follows, str] = {
    Follows.ASKED_AGAIN: "That the child is to be asked again stays: record on the child’s page what they say.",
    Follows.NO_VISITOR: "That the child wants no visitor stays: record on the child’s page what they say.",
    Follows.HELD: "The safeguarding issue stays on record: on the child’s page a manager alone records that it is "
    "resolved.",
    Follows.SUSPENDED: "The volunteer stays suspended: on the volunteer’s page a manager alone lifts it.",
}
"""What taking back a step leaves as it is of what its reason brought about, and where a person changes it."""


LEFT_PAUSED: Mapping[str, str] = {
    UNSAFE: UNSAFE,
    "boundaries not kept": CONCERN_PAUSES,
    "serious concern about the volunteer": CONCERN_PAUSES,
}
"""By the reason of an ending: for which the visits are paused where it is taken back, until the child was asked."""


SAYS: Mapping[str, str] = {
    "age": "the young person has reached the age at which visits end",
    "left care": "the child has left care",
    "child does not want this visitor": "the child does not want this visitor",
    "child does not want a visitor now": "the child does not want a visitor now",
    CHILD_OBJECTS: "the child objects to any visitor",
    UNSAFE: "the child does not feel safe with this visitor",
    "boundaries not kept": "boundaries were not kept",
    "support not attended": "the volunteer did not come to support sessions",
    "circumstances": "other circumstances",
    "volunteer unavailable": "the volunteer is not available",
    "nearer": "lives nearer",
    "asked by the service": "asked by somebody of the service",
}
"""What a code says to people, where it does not say so by itself."""


def says(reason: str) -> str:
    """A reason in words, as a sentence goes on."""
    return SAYS.get(reason, reason)


def in_story(reason: str) -> str:
    """A reason as the story of a match tells it, a sentence without its end: of who asked a child it is no reason."""
    if reason in ASKED_BY:
        return f"The child was {says(reason)}"
    return "The child was not asked" if reason == NOT_ASKED else f"Reason: {says(reason)}"


def gravest(reasons: Iterable[str | None]) -> str | None:
    """Of the reasons of one pause."""
    return min((one for one in reasons if one in PAUSE_REASONS), key=PAUSE_REASONS.index, default=None)


def consequences() -> str:
    """What reasons bring about, as a Markdown table."""
    lines = ["| reason | what follows at once |", "|" + "---|" * 2]
    for follows in Follows:
        reasons = ", ".join(reason for reason, what in FOLLOWS.items() if what is follows)
        if follows is Follows.ASKED_AGAIN:
            also = ", ".join(reason for reason in FOLLOWS if reason in _ENDS_FOR_SAFETY)
            reasons += f"; and besides, where a proposal or match is over by it: {also}"
        lines.append(f"| {reasons} | {follows} |")
    return "\n".join(lines)
