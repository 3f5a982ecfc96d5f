"""Where a volunteer stands, and what a change of it means for the children whom they visit, or visited or met.

Who is no longer approved visits nobody from that moment: in the same transaction every proposal of theirs is withdrawn
and every appointment paused. Where a concern is the reason, past appointments are brought up too, and meetings of which
nothing came, whatever the new standing is (R 16).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import takewhile

from sqlalchemy import String, cast, select

from matcher import alone
from matcher.alone import Unchecked
from matcher.errors import InputError, Problem
from matcher.impossible import faults
from matcher.instance import LONDON, today
from matcher.records import Party, Status
from matcher.words import day, spoken
from service import audit_log, brought_up, findings, runs, steps
from service.audit_log import Entry
from service.brought_up import BROUGHT_UP
from service.database import tables
from service.findings import CLOSES
from service.reasons import ASKS_THE_CHILD, CONCERN_PAUSES, LAPSE_PAUSES, TOLD_SOMETHING
from service.repository import Repository
from service.workflow import APPOINTED, BEFORE_APPOINTMENT, State

STOPPED = frozenset({Status.SUSPENDED, Status.WITHDRAWN, Status.RESIGNED})
"""Who was stopped, or has gone. To leave these is a manager's word."""

CONCERN = "concern raised"
LAPSED = "check lapsed"
CHECKED = "checks complete"
CLOSED, UNSUITABLE = "investigation closed", "no longer suitable"
STATUS_REASONS = (
    "panel approved", CHECKED, CONCERN, "complaint", LAPSED, CLOSED,
    "own wish", "moved away", UNSUITABLE, "other",
)  # fmt: skip
REASONS_OF: Mapping[Status, tuple[str, ...]] = {
    Status.APPLICANT: (CLOSED, "own wish", "other"),
    Status.APPROVED: ("panel approved", CHECKED, CLOSED, "other"),
    Status.SUSPENDED: (CONCERN, "complaint", LAPSED, "other"),
    Status.WITHDRAWN: (
        UNSUITABLE, CONCERN, "complaint", LAPSED, "own wish", "moved away", "other",
    ),
    Status.RESIGNED: ("own wish", "moved away", "other"),
}  # fmt: skip
"""Which of them a person may give for each standing."""

OUTCOMES = frozenset({CLOSED, UNSUITABLE})
"""Reasons that say what came of a concern, where a manager gives them."""

_CONCERNS = frozenset({CONCERN, "complaint", UNSUITABLE})
"""Reasons for which the children whom somebody visited or met before are to be asked too."""


class UncheckedError(InputError):
    """Nobody is approved who lacks a check that the policy in force asks: the record would say what is not known."""

    def __init__(self, reference: str, lacking: Sequence[Unchecked]) -> None:
        super().__init__(not_yet(reference, lacking))
        self.reference, self.lacking = reference, tuple(lacking)


def not_yet(reference: str, lacking: Sequence[Unchecked], called: Callable[[str], str] = spoken) -> str:
    """Why somebody is not approved yet, and where that is put right, in a sentence."""
    told = alone.told_unchecked(lacking, called)
    return f"{reference} cannot be approved yet: {told}; put that right on their page first."


@dataclass(frozen=True)
class BroughtUp:
    """What a change of a volunteer's standing means for the children whom they visit, or visited or met."""

    withdrawn: tuple[str, ...] = ()
    """Ids of proposals that are off."""
    paused: tuple[str, ...] = ()
    """Ids of matches whose visits are paused."""
    past: tuple[str, ...] = ()
    """Ids of matches that ended, and of proposals that are over after a meeting: somebody asks those children too."""

    def to_dict(self) -> dict[str, list[str]]:
        return {name: list(ids) for name, ids in asdict(self).items()}


@dataclass(frozen=True)
class Stop:
    """One entry of the audit log that says why somebody visits nobody."""

    number: int
    """That of the entry."""
    volunteer: str
    at: datetime
    by: str
    """The id of the account, or the command."""
    before: str
    status: str
    reason: str
    """One of STATUS_REASONS; nothing where a file said it."""
    match: str = ""
    """The id of the match of which the concern was recorded, where that brought it about."""
    said: str = ""
    """The reason that was given there, where the entry has it: see `reasons_there`."""
    closes: bool = False
    """Whether a manager said by it what came of the concerns before."""

    @property
    def again(self) -> bool:
        """Whether they were stopped already, and are as they were."""
        return self.before == self.status

    @property
    def stopped_before(self) -> bool:
        """Whether they were stopped already, in this way or another."""
        return self.before in STOPPED

    @property
    def is_concern(self) -> bool:
        """As in `bring_up`: a suspension is one unless a check lapsed, since nobody said that it is none."""
        return self.reason in _CONCERNS or (self.status == Status.SUSPENDED and self.reason != LAPSED)


def stops(rows: Repository, row: tables.Volunteer) -> list[Stop]:
    """What was recorded since somebody who is stopped came to be so, oldest first.

    Nothing of who came so with a file.
    """
    return since_stopped(told(rows, [row.id])[row.id]) if row.status in STOPPED else []


def told(rows: Repository, volunteers: Collection[str]) -> Mapping[str, Sequence[Stop]]:
    """What the audit log says of where volunteers stand, by id, oldest first; also that they were approved."""
    entry = tables.AuditEvent
    theirs = entry.chain == rows.session.info["authority"], entry.subject.in_(volunteers)
    found: dict[str, list[Stop]] = {id: [] for id in volunteers}
    query = select(entry).where(*theirs, entry.action.in_(_TELL_OF_IT)).order_by(entry.number)
    for one in rows.session.scalars(query):
        if "status" in one.details:  # others are of other facts
            found[one.subject].append(_stop(one))
    return found


def since_stopped(entries: Sequence[Stop]) -> list[Stop]:
    """Of what is told of one volunteer, what was since they were approved or an applicant the last time."""
    return list(takewhile(lambda one: one.status in STOPPED, reversed(entries)))[::-1]


def still_open(recorded: Sequence[Stop]) -> list[Stop]:
    """The concerns of which no manager has said yet what came of them.

    Whatever else becomes of the volunteer meanwhile answers none: that they resigned, say.
    """
    last = max((n for n, one in enumerate(recorded, start=1) if one.closes), default=0)
    return [one for one in recorded[last:] if one.is_concern]


def by_a_concern(recorded: Sequence[Stop]) -> bool:
    """Whether who was stopped is taken back by what a manager found alone, in words: by no other reason, nor a file."""
    return any(one.is_concern for one in recorded)


_TELL_OF_IT = ("volunteer status", "import: change volunteer")


def _stop(one: tables.AuditEvent) -> Stop:
    told = one.details
    first = datetime.fromisoformat(told["recorded at"]) if "recorded at" in told else one.at
    return Stop(
        one.number, one.subject, first, told.get("recorded by", one.actor), told["status before"], told["status"],
        one.reason, told.get("raised by", ""), told.get("raised for", ""), CLOSES in told,
    )  # fmt: skip


def looked_into(rows: Repository) -> Mapping[str, str]:
    """That there was a concern about a volunteer, when a manager closed it, and how: by id, in sentences, oldest first.

    For whoever may propose them: not whose word it was, nor what was found.
    """
    entry = tables.AuditEvent
    own = entry.chain == rows.session.info["authority"], entry.action == _TELL_OF_IT[0]
    closing = select(entry).where(*own, cast(entry.details, String).contains(f'"{CLOSES}"')).order_by(entry.number)
    found: dict[str, list[str]] = defaultdict(list)
    for one in map(_stop, rows.session.scalars(closing)):
        came_of_it = "found no longer suitable" if one.reason == UNSUITABLE else "closed"
        on = day(one.at.astimezone(LONDON).date())
        found[one.volunteer].append(f"A concern was looked into on {on}: {came_of_it} by a manager.")
    return {id: " ".join(told) for id, told in found.items()}


def reasons_there(rows: Repository, recorded: Sequence[Stop]) -> Mapping[int, str]:
    """The reason of the decision about a match that each followed from, by its number: one query for all of them."""
    asked = [one for one in recorded if one.match and not one.said]
    decided: dict[str, list[tuple[int, str]]] = defaultdict(list)
    if asked:
        entry = tables.AuditEvent
        theirs = entry.chain == rows.session.info["authority"], entry.subject.in_({one.match for one in asked})
        query = select(entry.subject, entry.number, entry.reason).where(*theirs, entry.action.startswith("decision: "))
        for match, number, reason in rows.session.execute(query):
            decided[match].append((number, reason))
    before = {one.number: [said for said in decided[one.match] if said[0] < one.number] for one in asked}
    return {one.number: one.said or max(before.get(one.number, ()), default=(0, ""))[1] for one in recorded}


def reasons_of(rows: Repository, row: tables.Volunteer, status: Status, *, manager: bool) -> tuple[str, ...]:
    """The reasons that a person may give for a standing: whoever is taken back after a concern, is so as it is closed.

    That a panel approved, or that checks are complete, says nothing of it, nor may they apply again meanwhile.

    What came of a concern a manager says of those too who stay away, whatever the reason for which they went.
    """
    reasons = REASONS_OF[status]
    if row.status not in STOPPED:
        return reasons
    recorded = stops(rows, row)
    unknown = not recorded or recorded[0].stopped_before  # what stopped them first may have been one
    if by_a_concern(recorded) and needs_a_manager(row.status, status):
        return (CLOSED,)
    if status is Status.APPROVED and unknown and (recorded or row.status == Status.SUSPENDED):
        return tuple(one for one in reasons if one != CHECKED)
    if status in (Status.WITHDRAWN, Status.RESIGNED) and manager and (unknown or still_open(recorded)):
        return (CLOSED, *reasons)
    return reasons


def unchecked(rows: Repository, row: tables.Volunteer) -> tuple[Unchecked, ...]:
    """The checks that the policy in force asks and that a volunteer lacks today, under their reference."""
    record = replace(rows.volunteer_record(row), id=row.reference)
    return alone.unchecked([record], rows.policy()[1], today())


def needs_a_manager(before: Status | str | None, after: Status | str | None) -> bool:
    """Whether a change of status is a manager's: whoever was stopped is let back in, to whichever status.

    By way of an applicant or of a blank they could otherwise be approved in two steps, neither of which shows what was.
    """
    return before in STOPPED and after not in STOPPED


def falls(before: Status | str | None, after: Status | str | None) -> bool:
    """Whether a change of status takes visits away: somebody is stopped, or who was not is an applicant again."""
    return before != after and (after in STOPPED or (after == Status.APPLICANT and before not in STOPPED))


def set_status(
    rows: Repository, row: tables.Volunteer, status: Status, *, user_id: str, reason: str, manager: bool = False,
    found: str = "", said: str = "",
) -> BroughtUp:  # fmt: skip
    """Changes a volunteer's standing, with all that hangs on it.

    Raises InputError for a reason that is not known, UncheckedError for who is to be approved and lacks a check,
    NothingFoundError where a manager closes a concern and does not say what was found.

    Args:
        manager: whether it is a manager's word, who alone says what came of a concern.
        found: what was found of it, in words. Kept where a concern is closed by it, for managers alone.
        said: what was said, by whom, and who was told, as somebody is stopped for it: for managers alone too.
    """
    rows.take_turn()
    reasons = reasons_of(rows, row, status, manager=manager)
    if reason not in reasons:
        raise InputError(f"Who is {status} is so for one of these reasons: {', '.join(reasons)}.")
    _refuse_impossible(rows, row, status)
    if status is Status.APPROVED and (lacking := unchecked(rows, row)):
        raise UncheckedError(row.reference, lacking)
    # That somebody is not suitable is a concern of its own where none is open: it brings up whom they met before.
    closes = reason == CLOSED or (reason == UNSUITABLE and bool(still_open(stops(rows, row))))
    closes = closes and manager and row.status in STOPPED
    if closes:
        findings.add(rows, row, user_id=user_id, found=found)
    findings.note(rows, row, user_id=user_id, said=said)
    return _set(rows, row, status, user_id=user_id, reason=reason, closes=closes)


def _refuse_impossible(rows: Repository, row: tables.Volunteer, status: Status) -> None:
    """Raises InputError for facts that cannot be of somebody of this standing, and could be as they stood before."""
    before = rows.volunteer_record(row)
    if found := faults(replace(before, status=status), today()) - faults(before, today()):
        problems = [Problem("volunteers", 0, one.column, one.value, one.wrong, one.remedy) for one in sorted(found)]
        raise InputError(f"{row.reference} cannot be {status}.", problems)


def suspend(rows: Repository, match: tables.Match, *, user_id: str) -> BroughtUp:
    """What was recorded of a match is a concern about its volunteer: they visit nobody until a manager says otherwise.

    Who was stopped before stays as they are, and is brought up once more: it is another concern.
    """
    row = rows.volunteer(match.volunteer_id)
    status = Status(row.status) if row.status in STOPPED else Status.SUSPENDED
    return _set(rows, row, status, user_id=user_id, reason=CONCERN, raised_by=match.id)


def _set(
    rows: Repository, row: tables.Volunteer, status: Status, *, user_id: str, reason: str, raised_by: str = "",
    closes: bool = False,
) -> BroughtUp:  # fmt: skip
    before = rows.volunteer_record(row)
    rows.write_volunteer(row, replace(before, status=status))
    rows.session.flush()
    approved = status is Status.APPROVED
    brought = BroughtUp() if approved else bring_up(rows, row.id, status, reason, user_id=user_id, but=raised_by)
    raised = {"raised by": raised_by} if raised_by else {}
    if closes:
        raised[CLOSES] = "yes"
    details = {**audit_log.told_codes("status", before.status, status), **raised, **brought.to_dict()}
    audit_log.record(rows.session, rows.keys, Entry(user_id, "volunteer status", row.id, reason, details))
    runs.ask_for(rows.session, row.authority_id, "volunteer approved" if approved else "volunteer suspended")
    return brought


def bring_up(
    rows: Repository, volunteer_id: str, status: Status, reason: str, *, user_id: str, but: str = ""
) -> BroughtUp:
    """Withdraws, pauses and, by the reason, brings up every match of a volunteer who is not approved any more.

    Brought up is each child whom they visited or met before, once: also by a proposal that is withdrawn for it now.
    A suspension is taken for a concern unless a check lapsed: nobody said that it is none. Visits that were paused
    before for something less are paused for it too, so that those children are asked as well. A child who was asked,
    and told something that is being looked into still, is not asked over and over again by what the next one tells.

    Args:
        but: the id of the match of which the concern was recorded: it says so itself.
    """
    concern = reason in _CONCERNS or (status is Status.SUSPENDED and reason != LAPSED)
    matches = rows.session.scalars(
        select(tables.Match)
        .where(tables.Match.volunteer_id == volunteer_id)
        .order_by(tables.Match.id)
        .execution_options(populate_existing=True)
    ).all()
    pauses_for = CONCERN_PAUSES if concern else LAPSE_PAUSES if reason == LAPSED else "circumstances"
    before = steps.pauses(rows, matches)
    met = {one.id for one in brought_up.whom_they_met(rows, matches)} if concern else set()
    met -= {but, *(_have_told(rows, volunteer_id) if concern else ())}
    withdrawn, paused, past = [], [], []
    for match in matches:
        state = State(match.state)
        if state in BEFORE_APPOINTMENT:
            withdrawn.append(match.id)
            steps.take(rows, match, "withdraw", by=Party.AUTHORITY, user_id=user_id, reason="volunteer unavailable")
        elif state in APPOINTED:
            paused.append(match.id)
            if state is not State.PAUSED or (concern and before[match.id].reason not in ASKS_THE_CHILD):
                steps.take(rows, match, "pause", by=Party.AUTHORITY, user_id=user_id, reason=pauses_for)
        if match.id in met and state not in APPOINTED:
            past.append(match.id)
            steps.note(rows, match, BROUGHT_UP, user_id=user_id, reason=reason)
    return BroughtUp(tuple(withdrawn), tuple(paused), tuple(past))


def _have_told(rows: Repository, volunteer_id: str) -> frozenset[str]:
    """The past matches of which a child told something when they were asked, as a concern that is open still."""
    concerns = {one.match for one in still_open(stops(rows, rows.volunteer(volunteer_id))) if one.match}
    if not concerns:
        return frozenset()
    told = brought_up.past(rows, tables.Decision.match_id.in_(concerns))
    return frozenset(id for id, one in told.items() if one.outcome == TOLD_SOMETHING)
