"""The story of a match, in words: what was recorded, on whose word and by whom, and what was shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from matcher.records import Party
from matcher.words import listed
from service import profiles, standing, workflow
from service.brought_up import ASKED, BROUGHT_UP
from service.crypto import Place
from service.database import tables
from service.reasons import NOT_REACHED, NOT_TO_BE_ASKED, RATHER_NOT, TOLD_NOTHING, TOLD_SOMETHING, in_story
from service.repository import Repository
from service.steps import NOTED, Stood, taken_back
from service.workflow import State

WAS = {
    "propose": "Proposed", "volunteer_accepts": "The volunteer is willing",
    "appoint": "Appointed", "review_falls_due": "A review was begun", "review_held": "The review was held",
    "resume": "The visits were resumed", "withdraw": "The proposal was withdrawn", "pause": "The visits were paused",
    "end": "The match ended", BROUGHT_UP: "Brought up: this child is to be asked too",
    ASKED: "Asking the child, since they were brought up",
    NOTED: "Noted", "taken_in": "Taken in from a file", workflow.TAKEN_BACK: "Taken back: recorded by mistake",
}  # fmt: skip
"""A step as something that happened, where its own title says what to do."""
WHY_BROUGHT_UP = {
    standing.CONCERN: "A concern about the volunteer was recorded",
    "complaint": "A complaint about the volunteer was made",
    standing.UNSUITABLE: "The volunteer was found no longer suitable",
}  # fmt: skip
_SUSPENDED = "The volunteer was suspended, and it is not said that there is no concern"
CAME_OF_IT = {
    TOLD_NOTHING: "The child was asked, and told nothing of concern",
    TOLD_SOMETHING: "The child was asked, and told something of concern",
    RATHER_NOT: "The child would rather not be asked",
    NOT_REACHED: "The child was to be asked, and could not be reached",
    NOT_TO_BE_ASKED: "The child is not to be asked: a manager’s decision",
}
"""What was recorded of asking a child whose past match was brought up, by its code."""
_AGAIN = "Another reason for the pause was given"
PARTY = {Party.PLANNED: "as planned", Party.AUTHORITY: "the service"}


def timeline(rows: Repository, match: tables.Match, decisions: Sequence[tables.Decision]) -> list[dict[str, Any]]:
    """What was decided, and what was chosen to be shared, the last first."""
    event = tables.AuditEvent
    chosen = rows.session.scalars(
        select(event).where(event.chain == match.authority_id, event.subject == match.id, event.action == "share")
    )
    gone = taken_back(decisions)
    titles = {one.id: _title(one) for one in decisions}
    told = [
        *(story_line(rows, one, titles, one.id in gone) for one in decisions),
        *(_shared(rows, one) for one in chosen),
    ]
    return sorted(told, key=lambda one: one["at"], reverse=True) if len(told) > len(decisions) else told


def _shared(rows: Repository, event: tables.AuditEvent) -> dict[str, Any]:
    """What the child is shown of the volunteer, and the volunteer of the child, by the labels of the form."""
    of = {
        "volunteer": {part.id: part.label for part in profiles.OF_VOLUNTEER},
        "child": {part.id: part.label for part in profiles.OF_CHILD},
    }
    words = [
        f"Of the {side}: {'; '.join(labels[one] for one in event.details.get(side, ()) if one in labels) or 'nothing'}."
        for side, labels in of.items()
    ]
    return {
        "title": "What each is shown of the other was chosen", "at": event.at, "user": _name(rows, event.actor),
        "shared": " ".join(words),
    }  # fmt: skip


def _name(rows: Repository, user_id: str) -> str:
    user = rows.session.get(tables.User, user_id)
    return rows.keys.open(user.name, Place("users", user.id, "name")) if user else "an account that is gone"


def title_of(step: str) -> str:
    """A step as something that happened."""
    return _TITLES.get(step, step.replace("_", " ").capitalize())


_TITLES = {step.id: step.title for step in workflow.STEPS} | WAS


def why_brought_up(reason: str | None) -> str:
    """A sentence without its end."""
    return WHY_BROUGHT_UP.get(reason or "", _SUSPENDED)


def _title(decision: tables.Decision) -> str:
    if decision.step == BROUGHT_UP:
        return f"{why_brought_up(decision.reason)}: this child is to be asked too"
    if decision.step == ASKED:
        return CAME_OF_IT.get(decision.reason or "", title_of(ASKED))
    before = Stood.before(decision)
    again = decision.step == "pause" and before is not None and before.state is State.PAUSED
    return _AGAIN if again else title_of(decision.step)


def story_line(
    rows: Repository, decision: tables.Decision, titles: Mapping[str, str] | None = None, gone: bool = False
) -> dict[str, Any]:
    """A decision as the timeline has it; of one that takes another back, by `titles` of their story, which."""
    return {
        "id": decision.id, "title": _title(decision), "at": decision.at, "by": _on_whose_word(decision),
        # Of what Kith did by itself, and of what came of asking, the title says it.
        "why": in_story(decision.reason) if decision.reason and decision.step not in (BROUGHT_UP, ASKED) else "",
        "by_kith": decision.step == BROUGHT_UP, "note": rows.open(decision, "note"), "departs": decision.departs,
        "user": _name(rows, decision.user_id), "undone": (titles or {}).get(decision.takes_back or "", ""),
        "taken_back": gone,
    }  # fmt: skip


def _on_whose_word(decision: tables.Decision) -> str:
    """The parties in words; nobody where the service itself did it."""
    step = next((one for one in workflow.STEPS if one.id == decision.step), None)
    parties = (decision.said_by, *(step.besides if step else ()))
    named = [PARTY.get(Party(one), f"the {one}") for one in parties if one != Party.AUTHORITY]
    return listed(named) if named else ""
