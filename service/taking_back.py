"""A step that was recorded by mistake is taken back: the proposal stands again as its story says it stood before it.

Only the last step that counts can be, one after another, and only where nothing has come of it since that nobody could
put right here. Whoever is proposed or visited again by it is so by the rules as they are today: of what is recorded by
now, under the authority's turn, as a proposal that stands there is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm.exc import StaleDataError

from matcher.instance import today
from matcher.records import Agreement, Party
from service import budgets, privacy, steps, workflow
from service.database import tables
from service.database.base import utc_now
from service.families import held_matches, with_siblings
from service.proposals import failing_rules, free_place
from service.reasons import ASKS_THE_CHILD, CONCERN_PAUSES, LEFT_PAUSED, STAYS, UNSAFE, Follows, brings_about
from service.repository import Repository
from service.standing import STOPPED
from service.steps import Stood
from service.workflow import ENDING_STANDS_AFTER, LIVE, Rules, State, Step, StepRefusedError


@dataclass(frozen=True)
class Last:
    """The step of a match that was recorded last, of those that count."""

    step: Step
    decision: tables.Decision
    before: Stood
    """How the match stands again without it."""

    @property
    def needs_a_manager(self) -> bool:
        """A no is taken back by a manager alone."""
        return self.step.final

    @property
    def left_paused(self) -> str | None:
        """For which reason the visits are paused where it stands again."""
        return LEFT_PAUSED.get(self.decision.reason or "") if self.step.to is State.ENDED else None


def last_step(rows: Repository, match: tables.Match) -> Last:
    """Raises StepRefusedError where there is none that could be taken back, whatever the rules say."""
    story = select(tables.Decision).where(tables.Decision.match_id == match.id).order_by(tables.Decision.number)
    decided = steps.standing(rows.session.scalars(story))
    if not decided or decided[-1].state != match.state:
        raise StepRefusedError(
            "How it came to stand as it does is not in its story here, so nothing can be taken back."
        )
    last = decided[-1]
    step = next((one for one in workflow.STEPS if one.id == last.step), None)
    if step is None:
        raise StepRefusedError(_NO_STEP.get(last.step, _NOT_A_STEP))
    if last.reason in ASKS_THE_CHILD and step.to is not State.ENDED:
        raise StepRefusedError(_NOT_WITHOUT_THE_CHILD[step.to, last.reason])
    before = Stood.before(last)
    if before is None:
        raise StepRefusedError(
            "How it stood before is not kept: a file or a restore said so, or it was recorded before Kith kept it."
        )
    recorded = _recorded(rows, last)
    if _changed_by_file(rows, match, recorded):
        raise StepRefusedError("A file has changed its days since. Correct what is wrong as the next step.")
    if step.to is State.ENDED and utc_now() - (recorded.at if recorded else last.at) > ENDING_STANDS_AFTER:
        raise StepRefusedError(
            f"That it ended was recorded more than {ENDING_STANDS_AFTER.days} days ago: it is over, and stays so."
        )
    return Last(step, last, before)


_NO_STEP = {
    "propose": "That it was proposed is not taken back. Withdraw the proposal: “entered by mistake” is a reason.",
    steps.TAKEN_IN: "It came with a file, and nothing was recorded since. Correct the file, or record what happened.",
}
_ASK = "Have somebody whom they trust ask the child: the visits go on by their own word, recorded as the next step."
_NOT_WITHOUT_THE_CHILD = {
    (State.DECLINED, UNSAFE): "That a child does not feel safe is not taken back, whatever came of it: the two are not "
    "proposed to each other again. Go on with the child’s shortlist.",
    (State.PAUSED, UNSAFE): f"That a child does not feel safe is not taken back, whatever came of it. {_ASK}",
    # Else it would be the way round the child: whoever closes a concern could say that there never was one.
    (State.PAUSED, CONCERN_PAUSES): "A pause for a concern about the volunteer is not taken back, whatever came of "
    "it: a manager writes what was found, also where it was recorded by mistake. After that, whoever was mistaken, it "
    f"is for the child to say. {_ASK}",
}
_NOT_A_STEP = "Something else has been recorded since, so the step before it cannot be taken back any more."


def _recorded(rows: Repository, last: tables.Decision) -> tables.AuditEvent | None:
    """The entry of the log that says when it was recorded, on whichever day it was; None where a restore lost it."""
    event = tables.AuditEvent
    own = event.chain == last.authority_id, event.subject == last.match_id, event.action == f"decision: {last.step}"
    return rows.session.scalar(select(event).where(*own).order_by(event.number.desc()).limit(1))


def _changed_by_file(rows: Repository, match: tables.Match, recorded: tables.AuditEvent | None) -> bool:
    event = tables.AuditEvent
    own = event.chain == match.authority_id, event.subject == match.id
    since = recorded.number if recorded else 0
    files = select(event.number).where(*own, event.action.startswith("import: "), event.number > since)
    return rows.session.scalar(files.limit(1)) is not None


def take_back(rows: Repository, match_id: str, *, user_id: str, why: str) -> tables.Match:
    """The last step of a match was recorded by mistake; `why` says so in words, and is sealed.

    Visits that ended since a child was said not to feel safe, or for a concern about the volunteer, are paused for that
    at once: who says that it was never so is not the child.

    What the step's reason brought about besides, of the child or of the volunteer, stays: see `reasons.STAYS`.

    Raises StepRefusedError with the reasons, NotFoundError, StaleDataError where the match was changed since it was
    read.
    """
    match = rows.match(match_id)
    known = match.version
    rows.take_turn()
    rows.session.refresh(match)
    if match.version != known:
        raise StaleDataError("The match was changed meanwhile.")
    last = last_step(rows, match)
    if last.step.id == "appoint":
        budgets.release(rows, match, user_id=user_id)
    for no in rows.session.scalars(select(tables.Declined).where(tables.Declined.match_id == match.id)).all():
        rows.session.delete(no)
    rows.session.flush()
    if failing := tuple(_failing(rows, match, last)):
        told = " ".join([*failing, *stays(rows, match, last)])
        raise StepRefusedError(f"It cannot stand at “{last.before.state}” again now. {told}", failing)
    place = match.place
    if place is None:
        place, match.irregular = free_place(rows, rows.volunteer(match.volunteer_id)), False
    steps.take_back(rows, match, last.decision, last.before, place=place, user_id=user_id, why=why)
    if last.left_paused:
        steps.take(rows, match, "pause", by=Party.AUTHORITY, user_id=user_id, reason=last.left_paused)
    rows.session.flush()
    return match


def stays(rows: Repository, match: tables.Match, last: Last) -> Sequence[str]:
    """What the step's reason has brought about and is so still: taking the step back changes nothing of it."""
    child, volunteer = rows.child(match.child_id), rows.volunteer(match.volunteer_id)
    record = rows.child_record(child, family_known=False)
    still = {
        Follows.ASKED_AGAIN: record.agrees is Agreement.NOT_ASKED,
        Follows.NO_VISITOR: child.objects,
        Follows.HELD: record.safeguarding_issue is True,
        Follows.SUSPENDED: volunteer.status in STOPPED,
    }
    brought = brings_about(last.decision.reason, waits=last.step.to not in LIVE and child.referral)
    return [STAYS[what] for what in brought if still[what]]


def _failing(rows: Repository, match: tables.Match, last: Last) -> Sequence[str]:
    """Why the match may not stand again as it stood, in sentences."""
    rules = workflow.to_stand_again(last.step, last.before.state)
    if rules is Rules.NONE:
        return ()
    over = State(match.state) not in LIVE
    if over and (taken := tuple(_taken(rows, match))):
        return taken
    instance = rows.instance(today(), without_match=match.id)
    found = failing_rules(instance, match.child_id, match.volunteer_id, rules)
    return found or with_siblings(match, held_matches(rows, match.family_id))


def _taken(rows: Repository, match: tables.Match) -> Iterator[str]:
    """What has taken the place of a match that is over, or stands between the two besides its own no."""
    child, volunteer = rows.child(match.child_id), rows.volunteer(match.volunteer_id)
    if privacy.either_is_erased(rows, match):
        yield "One of the two was erased."
    if child.objects:  # also of a child without a referral, of whom no rule is asked
        yield f"{child.id} wants no visitor."
    others = select(tables.Match).where(tables.Match.id != match.id)
    if rows.session.scalar(others.where(tables.Match.child_id == child.id, tables.Match.state.in_(LIVE)).limit(1)):
        yield f"{child.id} has another proposal or visitor by now."
    if free_place(rows, volunteer) >= volunteer.capacity:
        yield f"{volunteer.id} has no place left: other children have taken it."
    pair = tables.Match.child_id == child.id, tables.Match.volunteer_id == volunteer.id
    no = select(tables.Declined.id).where(
        tables.Declined.child_id == child.id, tables.Declined.volunteer_id == volunteer.id
    )
    ended = others.where(*pair, tables.Match.state == State.ENDED)
    if rows.session.scalar(no.limit(1)) or rows.session.scalar(ended.limit(1)):
        yield "Somebody else said no to this pair, or they were matched before: that stands."
