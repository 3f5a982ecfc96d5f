"""The states of a proposal, from the first idea to the end of a match: pure, no database, no clock of its own.

`STEPS` is the whole of it. Each step names where it leads from and to, who says so, and what must hold: a step that
goes forward is refused while a hard rule fails on fresh data; a "no" is never refused, whoever says it, at any state.
docs/workflow.md is drawn from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from matcher.errors import KithError
from matcher.instance import LONDON
from matcher.records import MatchStatus, Party
from matcher.words import day, hour
from service.reasons import (
    ASKED_BY,
    ASKS_THE_CHILD,
    END_REASONS,
    NO_REASONS,
    NOT_ASKED,
    NOT_SAID_BY,
    NOTHING_MORE,
    PAUSE_REASONS,
    brings_about,
    in_letter,
)


class State(StrEnum):
    PROPOSED = "proposed"
    VOLUNTEER_CONSIDERS = "volunteer considers"
    CHILD_CONSIDERS = "child considers"
    MEETING = "meeting"
    CHILD_THINKS = "child thinks it over"
    AGREED = "agreed"
    APPOINTED = "appointed"
    ACTIVE = "active"
    REVIEW_DUE = "review due"
    PAUSED = "paused"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


MATCH_STATUS: dict[State, MatchStatus | None] = {
    State.PROPOSED: MatchStatus.PROPOSED,
    State.VOLUNTEER_CONSIDERS: MatchStatus.PROPOSED,
    State.CHILD_CONSIDERS: MatchStatus.PROPOSED,
    State.MEETING: MatchStatus.PROPOSED,
    State.CHILD_THINKS: MatchStatus.PROPOSED,
    State.AGREED: MatchStatus.AGREED,
    State.APPOINTED: MatchStatus.CURRENT,
    State.ACTIVE: MatchStatus.CURRENT,
    State.REVIEW_DUE: MatchStatus.CURRENT,
    State.PAUSED: MatchStatus.CURRENT,
    State.ENDED: MatchStatus.ENDED,
    State.DECLINED: None,
    State.WITHDRAWN: None,
}
"""What each state is to the matcher; None where the pair never was a match."""

LIVE = tuple(state for state, status in MATCH_STATUS.items() if status not in (None, MatchStatus.ENDED))
"""The states in which a child is spoken for and a volunteer's place is taken."""

BEFORE_APPOINTMENT = tuple(
    state for state, status in MATCH_STATUS.items() if status in (MatchStatus.PROPOSED, MatchStatus.AGREED)
)
APPOINTED = tuple(state for state, status in MATCH_STATUS.items() if status is MatchStatus.CURRENT)
HAVE_MET = (State.CHILD_THINKS, State.AGREED)
"""Those of a proposal whose child and volunteer have met."""


class Rules(StrEnum):
    """Which rules a step asks of fresh data."""

    ALL = "all hard rules"
    AGAIN = "all hard rules but those of a beginning"
    """As of a match that was there already: its money is committed, and its time was long enough when it began."""
    CORE = "the core rules"
    NONE = "none"


THINKING_TIME = timedelta(hours=24)
"""The child's time to think after the meeting (N Matching). A no is heard at once."""

_AUTHORITY, _CHILD, _VOLUNTEER, _WORKER = Party.AUTHORITY, Party.CHILD, Party.VOLUNTEER, Party.SOCIAL_WORKER


@dataclass(frozen=True)
class Step:
    """One thing that a person may record of a proposal."""

    id: str
    title: str
    """What the button says."""
    starts: tuple[State, ...]
    to: State
    by: tuple[Party, ...]
    """Whose word it is; a coordinator writes it down."""
    source: str
    rules: Rules = Rules.ALL
    reasons: tuple[str, ...] = ()
    """Codes of which one has to be given; none where the step needs no reason."""
    wait: timedelta = timedelta(0)
    """How long the proposal must have stood where it is."""
    final: bool = False
    """Whether it is a no, which nothing may refuse."""
    besides: tuple[Party, ...] = ()
    """Whose word it is as well, by what the step says."""
    only_after: tuple[str, ...] = ()
    """The reasons of a pause after which alone it leads on; none where it does not matter."""
    not_after: tuple[str, ...] = ()
    """The reasons of a pause after which it does not."""
    took_place: str = ""
    """What it is of which the day counts, and is asked for."""
    in_words: str = ""
    """What is written of the child's view, without which it is not taken; who asked them is its reason."""
    again: str = ""
    """What the button says where the proposal stands there already."""

    def says(self, state: State) -> str:
        """What the button says of a proposal that stands there."""
        return self.again if self.again and state == self.to else self.title

    def reasons_of(self, by: Party) -> tuple[str, ...]:
        """Those of its reasons that can be somebody's word."""
        return tuple(reason for reason in self.reasons if reason not in NOT_SAID_BY.get(by, ()))

    def in_letter(self, reason: str, by: Party) -> bool:
        """Whether the volunteer reads the reason in a letter."""
        return self.to is State.ENDED and in_letter(reason, by)

    def fits(self, paused_for: str | None) -> bool:
        """Whether it leads on after a pause for this reason."""
        return paused_for not in self.not_after and (not self.only_after or paused_for in self.only_after)

    @property
    def begins_a_wait(self) -> bool:
        """Whether what leads on from it has to wait: somebody has their time from then."""
        return any(one.wait and self.to in one.starts for one in STEPS)

    @property
    def follows(self) -> dict[str, str]:
        """What its reasons bring about besides, by the reason; of a no that it is nothing, where it is."""
        found = {reason: brings_about(reason, waits=self.to not in LIVE) for reason in self.reasons}
        told = {reason: " ".join(what) + self._then(reason) for reason, what in found.items() if what}
        return {reason: told.get(reason, NOTHING_MORE) for reason in self.reasons} if self.final else told

    def _then(self, reason: str) -> str:
        """What has to be before the visits go on again, after a pause for this reason."""
        asked = self.to is State.PAUSED and reason in ASKS_THE_CHILD
        return " After that too the visits go on only if the child, asked again, would like it." if asked else ""


_FORWARD = (
    Step("ask_volunteer", "The volunteer was asked", (State.PROPOSED,), State.VOLUNTEER_CONSIDERS,
         (_AUTHORITY,), "S 8"),
    Step("volunteer_accepts", "The volunteer is willing: show the child the profile", (State.VOLUNTEER_CONSIDERS,),
         State.CHILD_CONSIDERS, (_VOLUNTEER,), "S 8; NS 2.3"),
    Step("child_would_meet", "The child would like to meet, and the social worker agrees", (State.CHILD_CONSIDERS,),
         State.MEETING, (_CHILD,), "S 8; R 14", besides=(_WORKER,)),
    Step("meeting_held", "The meeting was held", (State.MEETING,), State.CHILD_THINKS, (_AUTHORITY,), "N Matching",
         took_place="the meeting was held"),
    Step("child_agrees", "The child says yes", (State.CHILD_THINKS,), State.AGREED, (_CHILD,), "N Matching; NS 2.3",
         wait=THINKING_TIME),
    Step("appoint", "Appointed: the letters are sent", (State.AGREED,), State.APPOINTED, (_AUTHORITY,), "R 14"),
    Step("first_visit", "The first visit was made", (State.APPOINTED,), State.ACTIVE,
         (_VOLUNTEER, _CHILD, _WORKER, _AUTHORITY), "N Review; S 9",
         took_place="the first visit was made"),
    Step("review_falls_due", "Begin a review", (State.ACTIVE,), State.REVIEW_DUE, (_AUTHORITY,), "N Review; NS 9.1",
         rules=Rules.NONE),
    Step("review_held", "The review was held, and the visits go on", (State.REVIEW_DUE,), State.ACTIVE, (_AUTHORITY,),
         "N Review; R 15; NS 9.2", rules=Rules.CORE, reasons=(*ASKED_BY, NOT_ASKED), took_place="the review was held",
         in_words="What the child said of the visits, in their own words; or why they were not asked"),
    Step("resume", "Resume the visits", (State.PAUSED,), State.ACTIVE, (_AUTHORITY,), "S 14.19", rules=Rules.CORE,
         not_after=ASKS_THE_CHILD),
    # That the volunteer was found suitable is not the child's word.
    Step("child_resumes", "The child was asked again and would like the visits to go on", (State.PAUSED,), State.ACTIVE,
         (_CHILD,), "S 14.19; NS 7.3", rules=Rules.CORE, reasons=ASKED_BY, besides=(_AUTHORITY,),
         only_after=ASKS_THE_CHILD, took_place="the child was asked",
         in_words="What the child said, in their own words"),
)  # fmt: skip


def _noes() -> tuple[Step, ...]:
    steps = [
        Step(f"{party.replace(' ', '_')}_declines", f"The {party} says no", BEFORE_APPOINTMENT, State.DECLINED,
             (party,), "R 14; NS 7.3; NS 7.4", Rules.NONE, NO_REASONS[party], final=True)
        for party in (_CHILD, _VOLUNTEER, _WORKER)
    ]  # fmt: skip
    steps += [
        Step("withdraw", "Withdraw the proposal", BEFORE_APPOINTMENT, State.WITHDRAWN, (_AUTHORITY,), "R 14",
             Rules.NONE, NO_REASONS[_AUTHORITY], final=True),
        # Also of visits that are paused: what a child says then must not wait until they are resumed.
        Step("pause", "Pause the visits", APPOINTED, State.PAUSED, (_CHILD, _VOLUNTEER, _WORKER, _AUTHORITY),
             "S 14.19; NS 7.3", Rules.NONE, PAUSE_REASONS, final=True, again="Another reason for the pause"),
        Step("end", "End the match", APPOINTED, State.ENDED, (*Party,), "R 15; S 14.18", Rules.NONE, END_REASONS,
             final=True),
    ]  # fmt: skip
    return tuple(steps)


STEPS: tuple[Step, ...] = (*_FORWARD, *_noes())

HardRules = Callable[[Rules], Sequence[str]]
"""Given which rules are asked for, the reasons of those that fail on fresh data, in sentences; none if all pass."""


class StepRefusedError(KithError):
    """A step that cannot be taken now. `reasons` says why, one sentence each."""

    def __init__(self, message: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Progress:
    """Where a proposal stands, and since when."""

    state: State
    since: datetime
    paused_for: str | None = None
    """The gravest reason of the pause, where the visits are paused."""


def possible(state: State, paused_for: str | None = None) -> tuple[Step, ...]:
    """The steps that lead on from a state, forward ones first; where visits are paused, by the reason of it."""
    return tuple(step for step in STEPS if state in step.starts and step.fits(paused_for))


def is_final(step_id: str) -> bool:
    """Whether a step is a no, which nothing may refuse."""
    return any(step.id == step_id and step.final for step in STEPS)


def take(
    step_id: str, now: Progress, *, by: Party, at: datetime, reason: str | None, hard_rules: HardRules,
    note: str | None = None,
) -> Progress:  # fmt: skip
    """The proposal after one step.

    Args:
        step_id: the `id` of one of STEPS.
        by: whose word it is.
        at: when it was said, with its time zone.
        reason: a code of the step's `reasons`; None where it asks for none.
        hard_rules: asked last, and only where the step goes forward.
        note: what was said, in words.

    Raises:
        StepRefusedError: if the step does not lead on from here, is another party's word, comes too early, gives no
            known reason or no words where they are asked for, or a hard rule fails now.
    """
    step = next((step for step in STEPS if step.id == step_id), None)
    follow = possible(now.state, now.paused_for)
    if step is None or step not in follow:
        could = "; ".join(one.says(now.state) for one in follow)
        why = f" for “{now.paused_for}”" if now.paused_for else ""
        raise StepRefusedError(
            f"That cannot follow while the proposal is “{now.state}”{why}. Possible: {could or 'nothing: it is over'}."
        )
    if by not in step.by:
        raise StepRefusedError(f"“{step.title}” is the word of the {' or '.join(step.by)}. Record who said it.")
    if step.reasons and reason not in step.reasons_of(by):
        whose = "as planned" if by is Party.PLANNED else f"on the word of the {by}"
        raise StepRefusedError(f"“{step.title}”, {whose}, needs a reason: {', '.join(step.reasons_of(by))}.")
    if reason is not None and not step.reasons:  # it would bring about what belongs to another step
        raise StepRefusedError(f"“{step.title}” has no reason to give.")
    if step.in_words and not (note or "").strip():
        raise StepRefusedError(
            "Write why the child was not asked." if reason == NOT_ASKED
            else "Write what the child said, in their own words as far as you can."
        )  # fmt: skip
    if at < now.since and not step.final:
        before = now.since.astimezone(LONDON)
        raise StepRefusedError(
            f"That was before the step that came before it, which was on {day(before.date())} at {hour(before)}. Check "
            "the day and the time."
        )
    if step.wait and at < now.since + step.wait:
        hours = int(step.wait.total_seconds() // 3600)
        raise StepRefusedError(f"The child has {hours} hours to think it over. A yes counts after that, a no at once.")
    failing = () if step.rules is Rules.NONE else tuple(hard_rules(step.rules))
    if failing:
        raise StepRefusedError(f"“{step.title}” is not possible now. {' '.join(failing)}", failing)
    return Progress(step.to, at)


TAKEN_BACK = "taken_back"
"""The entry in a story that the last step before it was recorded by mistake: it stays there, and counts no more."""


ENDING_STANDS_AFTER = timedelta(days=14)
"""How long after it was recorded an ending can be taken back: by then both have lived without the visits."""


def to_stand_again(step: Step, before: State) -> Rules:
    """Which rules must hold for a step to be taken back, after which the proposal stands as `before`.

    None for a step forward: less is agreed without it. Without a no somebody is proposed, or visited, who was not; but
    visits that were paused before another reason was given are paused without it. After a pause the same is asked as
    for the visits to be resumed.
    """
    if not step.final or step.to is before:
        return Rules.NONE
    return {State.PAUSED: Rules.CORE, State.ENDED: Rules.AGAIN}.get(step.to, Rules.ALL)


REVIEWS = (timedelta(weeks=6), timedelta(days=182))
"""The first formal review after the first visit, then from one review to the next (N Review)."""


def review_due(started_on: date | None, on: date) -> date:
    """When a review is due, or was, of visits of which no review is on record: they began before Kith.

    That is the last one that the rhythm asks for up to this day, or the first one where that is still to come. Those
    before it may well have been held; where nobody recorded when the visits began, one is due now.
    """
    first, then = REVIEWS
    if started_on is None:
        return on
    since_first = on - started_on - first
    return started_on + first + max(since_first // then, 0) * then


def diagram() -> str:
    """The states as a Mermaid diagram, with an arrow for every step from every state in which it may be taken."""
    name = {state: state.replace(" ", "_") for state in State}
    lines = ["stateDiagram-v2", f"    [*] --> {name[State.PROPOSED]}"]
    lines += [f"    {name[state]} : {state}" for state in State if name[state] != state]
    for step in STEPS:
        lines += [f"    {name[start]} --> {name[step.to]} : {step.id}" for start in step.starts if not step.final]
    for step in (step for step in STEPS if step.final):
        lines += [f"    {name[start]} --> {name[step.to]} : {step.id}" for start in step.starts]
    lines += [f"    {name[state]} --> [*]" for state in State if not possible(state)]
    return "\n".join(lines)


def _either(reasons: Sequence[str]) -> str:
    return " or ".join(f"“{reason}”" for reason in reasons)


def speakers(step_id: str) -> str:
    """Who may give which reasons for a step, as a Markdown table."""
    step = next(step for step in STEPS if step.id == step_id)
    lines = [f"| “{step.title}” for | {' | '.join(step.by)} |", "|" + "---|" * (1 + len(step.by))]
    rows = [(reason, *("yes" if reason in step.reasons_of(by) else "–" for by in step.by)) for reason in step.reasons]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def table() -> str:
    """The steps as a Markdown table."""
    lines = ["| step | says | from | to | whose word | asks of fresh data | reasons | source |", "|" + "---|" * 8]
    for step in STEPS:
        parties = ", ".join(step.by) + "".join(f", with the {party}" for party in step.besides)
        wait = f", {int(step.wait.total_seconds() // 3600)} hours after the step before" if step.wait else ""
        starts = ", ".join(step.starts)
        starts += f" for {_either(step.only_after)}" if step.only_after else ""
        starts += f", but not for {_either(step.not_after)}" if step.not_after else ""
        cells = (f"`{step.id}`", step.title, starts, step.to, parties, step.rules + wait,
                 ", ".join(step.reasons), step.source)  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
