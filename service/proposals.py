"""The workflow on rows: a proposal is made and goes its way, each step in one transaction with its audit entry.

Whoever calls decides nothing here: `workflow` says what may follow, the matcher's rules say whether it may on fresh
data, and the constraints of `matches` say who wins when two come at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

import numpy as np
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from matcher.alone import about_volunteer
from matcher.audit import audit
from matcher.catalogue import CATALOGUE
from matcher.errors import KithError, NotFoundError
from matcher.explain import explain
from matcher.instance import LONDON, Instance, today
from matcher.pairs import tables as columns
from matcher.records import Agreement, Party
from matcher.rules.budget import OutOfCountyBudget
from matcher.rules.child import TimeLeft
from matcher.rules.pair import Commitment, NotDeclined
from matcher.rules.volunteer import SupportSessions
from matcher.scoring import Fits
from matcher.words import council
from matcher.words import day as written
from service import audit_log, budgets, holds, plans, standing, steps, workflow
from service.database import tables
from service.database.base import utc_now
from service.families import held_matches, with_siblings
from service.reasons import CHILD_OBJECTS, FIRST, IN_PLAN, OBJECTS, PROPOSE_REASONS, Follows, brings_about
from service.repository import Repository
from service.workflow import LIVE, Rules, State, StepRefusedError

_BUDGET = OutOfCountyBudget.id
NOT_ASKED: Mapping[Rules, frozenset[str]] = {
    Rules.ALL: frozenset(),
    Rules.AGAIN: frozenset({_BUDGET, Commitment.id, TimeLeft.id, SupportSessions.id}),
    # Of visits that go on. Whether somebody had said no to the pair is a matter of proposing it.
    Rules.CORE: frozenset(entry.id for entry in CATALOGUE if not entry.core) | {NotDeclined.id},
}
"""The rules that are left out, by which are asked for."""
_AGAINST = ("fails", "not recorded")
BEFORE_KITH = timedelta(days=366)
"""How long before it came with a file something may have been said of a match of which no beginning is on record."""
CHOOSE_WITHIN = timedelta(days=7)
"""For how long a person may choose from a shortlist that they were shown. The rules are asked anew in any case."""


class TakenError(KithError):
    """Somebody else was first: the child has a live proposal, the volunteer's place or a reference is taken."""


def failing_rules(
    instance: Instance, child: str, volunteer: str, rules: Rules = Rules.ALL, *, paid: bool = False
) -> tuple[str, ...]:
    """The reasons for which a pair may not be, in sentences: by the rules, and by the independent audit once more.

    `instance` must not hold a match of the pair itself. Where its money is committed already, `paid`, the budget is not
    asked: it would count the same twice.
    """
    left_out = NOT_ASKED[rules] | ({_BUDGET} if paid else set())
    try:
        reasons = explain(instance, child, volunteer).reasons
    except NotFoundError:
        if rules is Rules.ALL or child in instance.visited:
            return (f"{child} has a visitor now, or no referral.",)
        # A match that began before its child had a record here: what can be judged is the volunteer.
        alone = about_volunteer(instance, volunteer)
        return tuple(one.sentence for one in alone if one.rule not in left_out and one.verdict in _AGAINST)
    found = [one.sentence for one in reasons if one.rule not in left_out and one.verdict in _AGAINST]
    violations = [one for one in audit(instance, [(child, volunteer)], whole=False) if one.rule not in left_out]
    found += [str(one) for one in violations if not found]
    if not found and _BUDGET not in left_out and _beyond_the_budget(instance, child, volunteer):
        authority = council(instance.child(child).responsible_authority)
        found.append(
            f"With what is proposed and agreed already it is too expensive: {authority} has less left this year for "
            "matches outside the county."
        )
    return tuple(dict.fromkeys(found))


def _beyond_the_budget(instance: Instance, child: str, volunteer: str) -> bool:
    """Whether a pair outside the county costs more than is left once all that is proposed and agreed is paid.

    A plan counts it, since it keeps them; the rule about one pair knows of no other.
    """
    one = instance.child(child)
    if one.placement_council == one.responsible_authority or not instance.pins:
        return False
    others = [(match.child, match.volunteer) for match in instance.pins if match.child != child]
    violations = audit(instance, [*others, (child, volunteer)], whole=False)
    return any(one.rule == _BUDGET and child in one.children for one in violations)


@dataclass(frozen=True)
class Chosen:
    """What the person saw who chose the volunteer."""

    rank_by: str
    rank: int
    alternatives: tuple[str, ...]
    """Ids of the volunteers on the shortlist, in their order."""
    planned_for: tuple[str, ...] = ()
    """Ids of other children for whom the published plan proposed the volunteer, as they were told."""


def propose(
    rows: Repository,
    child_id: str,
    volunteer_id: str,
    *,
    user_id: str,
    reason: str,
    chosen: Chosen,
    note: str | None = None,
    at: datetime | None = None,
) -> tables.Match:
    """A person proposes a pair, for one of `reasons.PROPOSE_REASONS`; `note` is free text, and is sealed.

    Raises StepRefusedError if a hard rule fails now, TakenError if somebody else was first, NotFoundError for ids
    that are not there.
    """
    if reason not in PROPOSE_REASONS:
        raise StepRefusedError(f"A proposal needs a reason: {', '.join(PROPOSE_REASONS)}.")
    if reason == FIRST and chosen.rank != 1:
        raise StepRefusedError("This volunteer is not the first on the shortlist. Give the reason for which you chose.")
    rows.take_turn()
    plan_id = plans.proposing(rows, child_id, volunteer_id)
    if reason == IN_PLAN and plan_id is None:
        raise StepRefusedError("The published plan does not propose them to each other. Give another reason.")
    child, volunteer = rows.child(child_id), rows.volunteer(volunteer_id)
    instance = rows.instance(today())
    if reasons := failing_rules(instance, child.id, volunteer.id):
        raise StepRefusedError(f"This proposal is not possible now. {' '.join(reasons)}", reasons)
    now = at or utc_now()
    match = tables.Match(
        child_id=child.id, family_id=child.family_id, child_objects=child.objects, volunteer_id=volunteer.id,
        capacity=volunteer.capacity, place=free_place(rows, volunteer), state=State.PROPOSED, since=now,
    )  # fmt: skip
    rows.name_coordinator(match, rows.child_record(child, family_known=False).coordinator)
    rows.session.add(match)
    try:
        rows.session.flush()
    except IntegrityError:
        raise TakenError(
            "Somebody was quicker: the child has a proposal by now, or the volunteer is spoken for. Look again."
        ) from None
    rows.session.add(
        tables.Proposal(
            match_id=match.id, plan_id=plan_id, policy=instance.policy.stamp, data_hash=instance.data_hash,
            rank_by=chosen.rank_by, rank=chosen.rank, alternatives=list(chosen.alternatives),
        )
    )  # fmt: skip
    decision = steps.decide(
        rows, match, "propose", Party.AUTHORITY, user_id, now, reason, note, departs=chosen.rank != 1,
        planned_for=chosen.planned_for,
    )  # fmt: skip
    rows.seal(decision, "scores", json.dumps(_scores(instance, child.id, {*chosen.alternatives, volunteer.id})))
    return match


def take_step(
    rows: Repository,
    match_id: str,
    step: str,
    *,
    by: Party,
    user_id: str,
    reason: str | None = None,
    note: str | None = None,
    at: datetime | None = None,
) -> tables.Match:
    """A person records one step of a match, and what its reason brings about besides: see `reasons.brings_about`.

    Raises StepRefusedError with the reasons, NotFoundError, StaleDataError where a step goes forward from where the
    match stands no longer. A no is taken from wherever it stands now.
    """
    match = rows.match(match_id)
    known = match.version
    rows.take_turn()
    rows.session.refresh(match)
    if match.version != known and not workflow.is_final(step):
        raise StaleDataError("The match was changed meanwhile.")
    if at is not None:
        _refuse_before(rows, match, at)

    paid = State(match.state) in workflow.APPOINTED
    fresh: list[Instance] = []

    def hard_rules(rules: Rules) -> Sequence[str]:
        fresh.append(rows.instance(today(), without_match=match.id))
        found = failing_rules(fresh[0], match.child_id, match.volunteer_id, rules, paid=paid)
        if not found and holds.is_held(rows, match.child_id):  # whose referral is not in Kith: no rule is asked of them
            found = (holds.SENTENCE.format(match.child_id),)
        return found or with_siblings(match, held_matches(rows, match.family_id))

    steps.take(rows, match, step, by=by, user_id=user_id, reason=reason, note=note, at=at, hard_rules=hard_rules)
    if not paid and match.state == State.APPOINTED:
        _commit(rows, fresh[0], match, user_id)
    child = rows.child(match.child_id)
    for what in brings_about(reason, waits=match.state not in LIVE and child.referral):
        if what is Follows.SUSPENDED:
            standing.suspend(rows, match, user_id=user_id)
        elif what is Follows.HELD:
            _hold(rows, match, reason or "", user_id)
        else:
            _says(rows, child, _SAYS[what], match, user_id)
    return match


def _commit(rows: Repository, instance: Instance, match: tables.Match, user_id: str) -> None:
    """What an appointment outside the county costs in a year counts as committed from now on, as a proposal's did.

    Also while the policy leaves budgets out: it costs the same, and by the next policy what is left has to be true.
    Where the place is not recorded, for which the rule would ask, there is nothing to reckon. The figure stands until
    somebody sets it anew, by hand or by a file: then it is what they say.
    """
    child = instance.child(match.child_id)
    if child.placement_council is None:
        return
    every = columns(instance)
    pair = every.pairs(np.array([every.child_at[child.id]]), np.array([every.volunteer_at[match.volunteer_id]]))
    pence = int(OutOfCountyBudget().cost(pair, instance.policy)[0])
    budgets.commit(rows, child.responsible_authority, pence, match, user_id=user_id)


def _refuse_before(rows: Repository, match: tables.Match, at: datetime) -> None:
    """Raises StepRefusedError for a time before the day on which there is anything to record of the match."""
    begun = _begun(rows, match)
    if begun:
        day, what = max(begun)
        if at < datetime.combine(day, time(), LONDON):
            raise StepRefusedError(f"That was before {what}, on {written(day)}. Check the day and the time.")
    elif at < match.created_at - BEFORE_KITH:
        raise StepRefusedError(
            "That was more than a year before this match came to Kith, and when it began is not recorded. Check the "
            "day and the time."
        )


def _begun(rows: Repository, match: tables.Match) -> list[tuple[date, str]]:
    """The days on which it was proposed and, once it is a match, appointed and first visited, as far as is known.

    Of a match that a file brought only the file says when it began: what was recorded since is no beginning.
    """
    of_match = tables.Decision.match_id == match.id, tables.Decision.step.in_(_BEGINS), steps.STANDS
    said = rows.session.execute(select(tables.Decision.step, tables.Decision.at).where(*of_match))
    known = [(at.astimezone(LONDON).date(), _BEGINS[step]) for step, at in said]
    if match.started_on and State(match.state) in workflow.APPOINTED:
        known.append((match.started_on, "the visits began"))
    return [(day, what) for day, what in known if day <= today()]


_BEGINS = {"propose": "this proposal began", "appoint": "the volunteer was appointed"}


def object_to_any(rows: Repository, child_id: str, *, user_id: str, by: Party = Party.CHILD) -> None:
    """The child wants no visitor at all: every live proposal and match of theirs is over, in the same transaction.

    So it is where somebody else thinks it right: then the story says that it is not the child's word.
    """
    rows.take_turn()
    child = rows.child(child_id)
    of_child = tables.Match.child_id == child.id, tables.Match.state.in_(LIVE)
    live = rows.session.scalar(select(tables.Match).where(*of_child).execution_options(populate_existing=True))
    if live is None:
        _says(rows, child, Agreement.NO, None, user_id)
    else:
        appointed = State(live.state) in workflow.APPOINTED
        step, reason = ("end", CHILD_OBJECTS) if appointed else ("child_declines", OBJECTS)
        if by is not Party.CHILD and not appointed:
            take_step(rows, live.id, "withdraw", by=by, user_id=user_id, reason="a rule fails now")
            _says(rows, child, Agreement.NO, live, user_id)
        else:
            take_step(rows, live.id, step, by=by, user_id=user_id, reason=reason)


def choose(rows: Repository, served_id: str, volunteer_id: str, *, user_id: str) -> tuple[str, Chosen]:
    """The child of a shortlist that this person was shown, and what they saw on it who choose the volunteer.

    Raises NotFoundError for a list that was never shown to them, StepRefusedError for one of other data than today's
    rules may be asked of, or on which the volunteer is not.
    """
    served = rows.session.scalar(
        select(tables.Served).where(tables.Served.id == served_id, tables.Served.user_id == user_id)
    )
    if served is None:
        raise NotFoundError("There is no such shortlist.")
    if utc_now() - served.at > CHOOSE_WITHIN:
        raise StepRefusedError(f"That shortlist is older than {CHOOSE_WITHIN.days} days. Look at it again.")
    if volunteer_id not in served.ranks:
        raise StepRefusedError("The volunteer was not on that shortlist. Ask for a longer one, and choose from it.")
    in_order = sorted(served.ranks, key=served.ranks.__getitem__)
    return served.child_id, Chosen(served.rank_by, served.ranks[volunteer_id], tuple(in_order))


def _scores(instance: Instance, child: str, volunteers: set[str]) -> dict[str, dict[str, int | None]]:
    """What each score says of a child who waits and each of these volunteers, as far as they are still here."""
    every = columns(instance)
    here = [id for id in sorted(volunteers) if id in every.volunteer_at]
    at = np.array([every.volunteer_at[id] for id in here])
    pairs = every.pairs(np.full(len(here), every.child_at[child]), at)
    return dict(zip(here, Fits.of(pairs, instance.policy).told(), strict=True))


_SAYS = {Follows.ASKED_AGAIN: Agreement.NOT_ASKED, Follows.NO_VISITOR: Agreement.NO}
_ENTRY = {Agreement.NOT_ASKED: "child to be asked again", Agreement.NO: "child objects"}


def _says(rows: Repository, child: tables.Child, agrees: Agreement, match: tables.Match | None, user_id: str) -> None:
    """A child who is to be asked again, or wants no visitor at all: the core rule keeps everybody away from here on."""
    before = rows.child_record(child, family_known=True).agrees
    set_agreement(rows, child, agrees)
    details = {**audit_log.told_codes("agrees", before, agrees), **({"match": match.id} if match else {})}
    audit_log.record(rows.session, rows.keys, audit_log.Entry(user_id, _ENTRY[agrees], child.id, details=details))


def _hold(rows: Repository, match: tables.Match, reason: str, user_id: str) -> None:
    """A safeguarding concern about the child: the core rule keeps everybody away until it is recorded as resolved."""
    child = rows.child(match.child_id)
    rows.write_child(child, replace(rows.child_record(child, family_known=True), safeguarding_issue=True))
    rows.session.flush()
    details = {"match": match.id, "reason": reason}
    entry = audit_log.Entry(user_id, holds.HOLD, child.id, "safeguarding", details)
    audit_log.record(rows.session, rows.keys, entry)


def set_agreement(rows: Repository, child: tables.Child, agrees: Agreement) -> None:
    """Writes a child's word to any visitor into the record; nothing of theirs may be live where it is a no."""
    rows.write_child(child, replace(rows.child_record(child, family_known=True), agrees=agrees))
    rows.session.flush()


def free_place(rows: Repository, volunteer: tables.Volunteer) -> int:
    """The first place of a volunteer that no live match takes. One too many is refused by the database."""
    live = select(tables.Match.place).where(tables.Match.volunteer_id == volunteer.id, tables.Match.state.in_(LIVE))
    taken = set(rows.session.scalars(live))
    return next(place for place in range(len(taken) + 1) if place not in taken)
