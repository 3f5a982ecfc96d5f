"""The way of a proposal: every step from every state, and that a no is never refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest

from matcher.records import Party
from service.reasons import (
    ASKED_BY,
    CHILD_OBJECTS,
    CONCERN_PAUSES,
    END_REASONS,
    FOLLOWS,
    LAPSE_PAUSES,
    NO_REASONS,
    NOT_ASKED,
    PAUSE_REASONS,
    PROPOSE_REASONS,
    SAYS,
    UNSAFE,
    Follows,
    gravest,
    says,
)
from service.workflow import (
    APPOINTED,
    BEFORE_APPOINTMENT,
    LIVE,
    STEPS,
    Progress,
    Rules,
    State,
    StepRefusedError,
    diagram,
    possible,
    review_due,
    speakers,
    table,
    take,
    to_stand_again,
)

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=2)
DOCS = Path(__file__).parents[2] / "docs"


def rules_pass(_: Rules) -> tuple[str, ...]:
    return ()


def rules_fail(_: Rules) -> tuple[str, ...]:
    return ("The DBS check lapsed on 01/11/2026.",)


def go(step: str, state: State, *, by: Party | None = None, rules=rules_pass, at: datetime = LATER, reason="") -> State:  # type: ignore[no-untyped-def]
    found = next(one for one in STEPS if one.id == step)
    told = reason if reason != "" else (found.reasons[0] if found.reasons else None)
    why = found.only_after[0] if found.only_after else None
    now, note = Progress(state, NOON, why), "Yes." if found.in_words else None
    return take(step, now, by=by or found.by[0], at=at, reason=told, hard_rules=rules, note=note).state


def test_the_whole_way() -> None:
    state = State.PROPOSED
    for step, after in (
        ("ask_volunteer", State.VOLUNTEER_CONSIDERS),
        ("volunteer_accepts", State.CHILD_CONSIDERS),
        ("child_would_meet", State.MEETING),
        ("meeting_held", State.CHILD_THINKS),
        ("child_agrees", State.AGREED),
        ("appoint", State.APPOINTED),
        ("first_visit", State.ACTIVE),
        ("review_falls_due", State.REVIEW_DUE),
        ("review_held", State.ACTIVE),
        ("pause", State.PAUSED),
        ("resume", State.ACTIVE),
        ("end", State.ENDED),
    ):
        state = go(step, state)
        assert state is after
    assert possible(state) == ()


@pytest.mark.parametrize("state", BEFORE_APPOINTMENT)
@pytest.mark.parametrize("step", ["child_declines", "volunteer_declines", "social_worker_declines", "withdraw"])
def test_everybody_may_say_no_at_every_state_whatever_the_rules_say(state: State, step: str) -> None:
    assert go(step, state, rules=rules_fail, at=NOON) in (State.DECLINED, State.WITHDRAWN)


@pytest.mark.parametrize("state", APPOINTED)
@pytest.mark.parametrize("party", Party)
def test_every_party_may_end_a_match_at_any_time(state: State, party: Party) -> None:
    assert go("end", state, by=party, rules=rules_fail, at=NOON) is State.ENDED


@pytest.mark.parametrize("party", Party)
def test_nobody_is_recorded_as_pausing_visits_for_what_is_not_theirs_to_say(party: Party) -> None:
    pause = next(step for step in STEPS if step.id == "pause")
    assert (party in pause.by) is (party is not Party.PLANNED)
    fitting = {
        Party.VOLUNTEER: {*PAUSE_REASONS} - {UNSAFE, LAPSE_PAUSES}, Party.AUTHORITY: {*PAUSE_REASONS},
        Party.PLANNED: set(),
    }.get(party, {*PAUSE_REASONS} - {LAPSE_PAUSES})  # fmt: skip
    for reason in PAUSE_REASONS:
        if reason in fitting:
            assert go("pause", State.ACTIVE, by=party, reason=reason) is State.PAUSED
        else:
            with pytest.raises(StepRefusedError, match=r"needs a reason|is the word of the"):
                go("pause", State.ACTIVE, by=party, reason=reason)


@pytest.mark.parametrize("party", Party)
def test_nobody_is_recorded_as_saying_what_is_not_theirs_to_say(party: Party) -> None:
    ending = next(step for step in STEPS if step.id == "end")
    fitting = ending.reasons_of(party)
    assert "other" in fitting
    for reason in ending.reasons:
        if reason in fitting:
            assert go("end", State.ACTIVE, by=party, reason=reason) is State.ENDED
            continue
        with pytest.raises(StepRefusedError) as refused:
            go("end", State.ACTIVE, by=party, reason=reason)
        assert str(refused.value).endswith(f"needs a reason: {', '.join(fitting)}.")
    for_safety = {reason for reason in ending.reasons if FOLLOWS.get(reason) in (Follows.SUSPENDED, Follows.HELD)}
    # That somebody does not feel safe with the visitor is not the visitor's word; their concern about a child is.
    assert for_safety - {*fitting} == ({UNSAFE} if party is Party.VOLUNTEER else set()) or party is Party.PLANNED
    assert ("circumstances of the volunteer" in fitting) is (party in (Party.VOLUNTEER, Party.AUTHORITY))
    assert (CHILD_OBJECTS in fitting) is (party not in (Party.VOLUNTEER, Party.PLANNED))


@pytest.mark.parametrize("step", [step for step in STEPS if step.rules is not Rules.NONE], ids=lambda step: step.id)
def test_a_step_forward_is_refused_with_the_rules_reason(step) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StepRefusedError, match="lapsed on 01/11/2026") as refused:
        go(step.id, step.starts[0], rules=rules_fail)
    assert refused.value.reasons == ("The DBS check lapsed on 01/11/2026.",)


def test_no_step_before_appointment_goes_on_without_every_hard_rule() -> None:
    forward = [step for step in STEPS if set(step.starts) & {*BEFORE_APPOINTMENT, State.APPOINTED} and not step.final]
    assert {step.rules for step in forward} == {Rules.ALL}


def test_the_childs_day_to_think() -> None:
    day = timedelta(hours=24)
    with pytest.raises(StepRefusedError, match="24 hours"):
        go("child_agrees", State.CHILD_THINKS, at=NOON + day - timedelta(seconds=1))
    assert go("child_agrees", State.CHILD_THINKS, at=NOON + day) is State.AGREED
    assert go("child_declines", State.CHILD_THINKS, at=NOON) is State.DECLINED
    assert go("child_declines", State.CHILD_THINKS, at=NOON - day) is State.DECLINED  # a clock may be wrong, a no not


def test_what_cannot_follow_is_refused_with_what_could() -> None:
    with pytest.raises(StepRefusedError, match="Possible: The volunteer was asked"):
        go("appoint", State.PROPOSED)
    with pytest.raises(StepRefusedError, match="it is over"):
        go("appoint", State.ENDED)
    with pytest.raises(StepRefusedError, match="the word of the child"):
        go("child_agrees", State.CHILD_THINKS, by=Party.AUTHORITY)
    with pytest.raises(StepRefusedError, match="needs a reason: planned ending"):
        go("end", State.ACTIVE, reason="because")


def test_the_child_is_asked_before_the_visits_go_on_after_a_concern() -> None:
    """By the child's own word alone, and by no other step of the authority's; after any other pause as ever."""
    paused = {reason: Progress(State.PAUSED, NOON, reason) for reason in (*PAUSE_REASONS, None)}
    for reason, now in paused.items():
        on = [step.id for step in possible(State.PAUSED, reason) if not step.final]
        assert on == (["child_resumes"] if reason in (UNSAFE, CONCERN_PAUSES) else ["resume"])
        for step, by in ((step, by) for step in STEPS if step.to not in (State.ENDED, State.PAUSED) for by in Party):
            why = ASKED_BY[0] if step.in_words else None
            if (step.id, by) == (on[0], step.by[0]):
                after = take(step.id, now, by=by, at=LATER, reason=why, hard_rules=rules_pass, note="Yes.")
                assert after.state is State.ACTIVE
            else:
                with pytest.raises(StepRefusedError):
                    take(step.id, now, by=by, at=LATER, reason=why, hard_rules=rules_pass, note="Yes.")
        for by in Party:  # who would not like it, or whoever says so for them
            why = "other" if by in (Party.PLANNED, Party.VOLUNTEER) else UNSAFE
            assert take("end", now, by=by, at=LATER, reason=why, hard_rules=rules_fail).state is State.ENDED
    for reason in (UNSAFE, CONCERN_PAUSES):
        with pytest.raises(StepRefusedError, match=f"“paused” for “{reason}”. Possible: The child was asked again"):
            take("resume", paused[reason], by=Party.AUTHORITY, at=LATER, reason=None, hard_rules=rules_pass)


def test_that_the_child_would_like_it_is_recorded_with_who_asked_and_in_words() -> None:
    now = Progress(State.PAUSED, NOON, UNSAFE)
    for reason, note, told in (
        (None, "Yes.", "needs a reason: asked by the service"), ("circumstances", "Yes.", "needs a reason"),
        (ASKED_BY[1], None, "in their own words"), (ASKED_BY[1], "  ", "in their own words"),
    ):  # fmt: skip
        with pytest.raises(StepRefusedError, match=told):
            take("child_resumes", now, by=Party.CHILD, at=LATER, reason=reason, hard_rules=rules_pass, note=note)


def test_a_review_is_held_with_the_childs_view_or_why_nobody_asked_them() -> None:
    now = Progress(State.REVIEW_DUE, NOON)
    for reason, note, told in (
        (None, "Fine.", "needs a reason: asked by the service, "), (ASKED_BY[0], " ", "Write what the child said"),
        (NOT_ASKED, None, "Write why the child was not asked"),
    ):  # fmt: skip
        with pytest.raises(StepRefusedError, match=told):
            take("review_held", now, by=Party.AUTHORITY, at=LATER, reason=reason, hard_rules=rules_pass, note=note)
    for reason in (*ASKED_BY, NOT_ASKED):
        after = take(
            "review_held", now, by=Party.AUTHORITY, at=LATER, reason=reason, hard_rules=rules_pass, note="She is away."
        )
        assert after.state is State.ACTIVE


@pytest.mark.parametrize("reason", PAUSE_REASONS)
def test_visits_that_are_paused_can_be_paused_for_another_reason_and_the_gravest_counts(reason: str) -> None:
    for before in (*PAUSE_REASONS, None):
        now = Progress(State.PAUSED, NOON, before)
        after = take("pause", now, by=Party.AUTHORITY, at=NOON, reason=reason, hard_rules=rules_fail)
        assert after.state is State.PAUSED
        assert gravest([before, reason]) == gravest([reason, before])
        assert (gravest([before, reason]) == UNSAFE) == (UNSAFE in (before, reason))
    assert gravest([None]) is None
    pause = next(step for step in STEPS if step.id == "pause")
    assert to_stand_again(pause, State.PAUSED) is Rules.NONE
    assert to_stand_again(pause, State.ACTIVE) is Rules.CORE


def test_every_state_is_reached_and_left() -> None:
    assert {step.to for step in STEPS} | {State.PROPOSED} == {*State}
    assert {state for state in State if not possible(state)} == {State.DECLINED, State.WITHDRAWN, State.ENDED}
    assert all(any(step.final for step in possible(state)) for state in LIVE if state is not State.PAUSED)
    assert "end" in [step.id for step in possible(State.PAUSED)]


def test_what_is_said_in_words_is_a_reason_that_somebody_may_give() -> None:
    given = {*PAUSE_REASONS, *END_REASONS, *PROPOSE_REASONS, *chain(*NO_REASONS.values()), *ASKED_BY, NOT_ASKED}
    assert SAYS.keys() <= given
    assert len({*map(says, given)}) == len(given)


def test_the_document_is_drawn_from_the_steps() -> None:
    document = (DOCS / "workflow.md").read_text(encoding="utf-8")
    assert diagram() in document
    assert table() in document
    assert speakers("end") in document
    assert speakers("pause") in document


@pytest.mark.parametrize(
    ("on", "due"),
    [
        ("2026-01-01", "2026-02-12"),  # began today: six weeks from now
        ("2026-02-11", "2026-02-12"),
        ("2026-02-12", "2026-02-12"),
        ("2026-08-12", "2026-02-12"),  # half a year later, but a day
        ("2026-08-13", "2026-08-13"),
        ("2030-06-01", "2030-02-07"),  # 2026-02-12 and 8 x 182 days
        ("2025-12-01", "2026-02-12"),  # it has yet to begin
    ],
)
def test_visits_that_began_before_kith_have_their_review_by_the_day_they_began(on: str, due: str) -> None:
    assert review_due(date(2026, 1, 1), date.fromisoformat(on)) == date.fromisoformat(due)
    assert review_due(None, date.fromisoformat(on)) == date.fromisoformat(on)
