"""A safeguarding concern about a child holds them wherever it is recorded, and is told until it is resolved."""

from __future__ import annotations

import re

import pytest
from conftest import Service
from service_rows import a_child, a_match
from test_concerns import led
from test_proposals import WAY, Desk
from test_today import part, said

from matcher.records import Party
from service import people
from service.permissions import Role
from service.reasons import CHILD_PAUSES, FOLLOWS, Follows
from service.safeguards import WHY
from service.workflow import State, StepRefusedError

HERE = "Concerns about children to look into"
CONCERNS = [
    (3, "social_worker_declines", Party.SOCIAL_WORKER, "safeguarding concern about the child"),
    (len(WAY), "end", Party.SOCIAL_WORKER, "serious concern about the child"),
    (len(WAY), "pause", Party.AUTHORITY, CHILD_PAUSES),
]


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def recorded(desk: Desk, match: str, step: str, by: Party, reason: str) -> str:
    """On the page of the step; what the browser is shown then."""
    form = {"said_by": by.value, f"reason-{by}" if step in ("end", "pause") else "reason": reason}
    return desk.service.as_(Role.COORDINATOR).post(f"/proposals/{match}/steps/{step}", data=form).text


def resolved(desk: Desk) -> None:
    for rows in desk.rows():
        row, said = rows.child(desk.child), {"safeguarding_issue": "no"}
        people.change_child(rows, row, said, user_id=desk.user, why=WHY[0], found="Nothing.")


def is_held(desk: Desk) -> bool:
    for rows in desk.rows():
        found = rows.child_record(rows.child(desk.child), family_known=True).safeguarding_issue
    return found is True


def test_every_concern_about_a_child_is_among_those_above() -> None:
    held = {reason for reason, follows in FOLLOWS.items() if follows is Follows.HELD}
    assert {reason for *_, reason in CONCERNS} == held


@pytest.mark.parametrize(("steps", "step", "by", "reason"), CONCERNS, ids=lambda one: str(one))
def test_a_concern_about_a_child_holds_them_and_says_whom_to_tell(
    desk: Desk, steps: int, step: str, by: Party, reason: str
) -> None:
    before = part(desk, HERE)
    match = led(desk, steps)
    for rows in desk.rows():
        told = rows.references()
    child, pair = told[desk.child], f"{told[desk.child]} and {told[desk.volunteer]}"
    assert child not in said(before)
    page = said(recorded(desk, match, step, by, reason))
    assert f"Saved. {child} is held for a safeguarding issue" in page
    assert "Tell a manager and the child’s social worker now, in person or by telephone: Kith sends no message" in page
    assert is_held(desk)
    why = f"{reason[0].upper()}{reason[1:]}, recorded of {pair}."
    here = said(part(desk, HERE))
    assert re.search(rf"{re.escape(f'{child} {why}')} since \d+ \w+", here)
    for path in (f"/children/{desk.child}", f"/proposals/{match}"):  # whoever comes by later is told as well
        shown = said(desk.service.as_(Role.COORDINATOR).get(path).text)
        assert why in shown
        assert "Tell a manager and the child’s social worker now, in person or by telephone, if nobody has" in shown
    resolved(desk)
    assert child not in said(part(desk, HERE))
    assert "Tell a manager" not in said(desk.service.as_(Role.COORDINATOR).get(f"/children/{desk.child}").text)


def test_visits_paused_for_a_child_go_on_only_once_the_issue_is_resolved(desk: Desk) -> None:
    match = led(desk, len(WAY))
    desk.step(match, "pause", Party.AUTHORITY, CHILD_PAUSES)
    page = desk.service.as_(Role.COORDINATOR).get(f"/proposals/{match}").text
    assert "serious safeguarding issue that is not resolved" in page
    assert f'action="/proposals/{match}/steps/resume"' not in page
    with pytest.raises(StepRefusedError, match="safeguarding issue that is not resolved"):
        desk.step(match, "resume", Party.AUTHORITY)
    resolved(desk)
    assert desk.step(match, "resume", Party.AUTHORITY) is State.ACTIVE


def test_nor_do_those_of_a_child_of_whom_a_match_is_all_that_is_recorded(desk: Desk) -> None:
    """No rule is asked of a child without a referral; what was found out about them holds all the same."""
    for rows in desk.rows():
        volunteer = rows.volunteer(desk.volunteer)
        alone = a_child(rows, "M-1")
        alone.referral = False
        match = a_match(rows.session, alone, volunteer, State.ACTIVE)
        rows.session.flush()
        id = match.id
    page = said(recorded(desk, id, "pause", Party.AUTHORITY, CHILD_PAUSES))
    assert "Saved. M-1 is held for a safeguarding issue" in page
    assert "M-1 A concern about the child, recorded of M-1 and" in said(part(desk, HERE))
    with pytest.raises(StepRefusedError, match="safeguarding issue that is not resolved"):
        desk.step(id, "resume", Party.AUTHORITY)


def test_what_was_recorded_before_it_was_resolved_is_not_told_of_the_next_issue(desk: Desk) -> None:
    match = led(desk, 3)
    desk.step(match, "social_worker_declines", Party.SOCIAL_WORKER, "safeguarding concern about the child")
    resolved(desk)
    for rows in desk.rows():
        people.change_child(rows, rows.child(desk.child), {"safeguarding_issue": "yes"}, user_id=desk.user)
        reference = rows.references()[desk.child]
    here = said(part(desk, HERE))
    assert f"{reference} A safeguarding issue, recorded on the child’s page." in here
    assert "Safeguarding concern about the child" not in here
