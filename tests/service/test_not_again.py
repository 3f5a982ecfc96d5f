"""A pair that somebody said no to is not proposed again, whatever a policy says; visits that go on go on."""

from __future__ import annotations

import json

import pytest
from conftest import Service
from service_rows import says_yes
from test_proposals import WAY, Desk

from matcher.instance import today
from matcher.records import Party, Status
from service import standing
from service.database import tables
from service.pages.drafts import Draft
from service.permissions import Role
from service.workflow import State, StepRefusedError

API = "/api/v1"
NOES = [
    (0, "child_declines", Party.CHILD, "does not feel safe with this visitor"),
    (3, "social_worker_declines", Party.SOCIAL_WORKER, "safeguarding concern about the volunteer"),
    (len(WAY), "end", Party.CHILD, "boundaries not kept"),
]


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def switch_off(desk: Desk) -> None:
    """As in a policy of the time when it could be switched off: past all checks of today, into the database."""
    for rows in desk.rows():
        row, _ = rows.policy()
        content = json.loads(row.content)
        content["sections"]["rules"]["not_declined"]["on"] = False
        rows.session.add(
            tables.Policy(number=row.number + 1, content=json.dumps(content), content_hash="0" * 12, user_id=desk.user)
        )


@pytest.mark.parametrize(("steps", "step", "by", "reason"), NOES, ids=lambda one: str(one))
def test_no_policy_brings_somebody_back_after_a_no(desk: Desk, steps: int, step: str, by: Party, reason: str) -> None:
    others = [one for one in desk.candidates() if one != desk.volunteer]
    match = desk.propose()
    for each, whose in WAY[:steps]:
        desk.step(match, each, whose)
    desk.step(match, step, by, reason)
    for rows in desk.rows():
        lifted = rows.volunteer(desk.volunteer)
        standing.set_status(rows, lifted, Status.APPROVED, user_id=desk.user, reason="investigation closed")
        says_yes(rows, desk.child, desk.user)
    switch_off(desk)
    assert desk.candidates() == others
    with pytest.raises(StepRefusedError, match=r"said no to|has ended before"):
        desk.propose()
    assert desk.service.as_(Role.COORDINATOR).get(f"/children/{desk.child}/shortlist").status_code == 200


def test_a_draft_that_switches_it_off_is_refused_in_a_sentence(desk: Desk) -> None:
    toml = 'name = "ours"\ntitle = "Ours"\nversion = "2"\ninherits = "national"\n[rules.not_declined]\non = false\n'
    told = desk.service.as_(Role.MANAGER).post(f"{API}/policies/check", json={"toml": toml}).json()
    assert told["usable"] is False
    assert told["problems"][0]["wrong"].startswith("[rules.not_declined] is a core rule and cannot be switched off.")


def test_a_draft_made_from_a_policy_that_switched_it_off_can_be_put_in_force(desk: Desk) -> None:
    switch_off(desk)
    for rows in desk.rows():
        row, policy = rows.policy()
        assert policy.on("rules.not_declined")
        draft = Draft.read(policy, row.number, Draft.of(policy, row.number).typed).policy
        assert draft is not None
        assert rows.add_policy(draft, user_id=desk.user, reason="as before").number == row.number + 1


def test_visits_that_go_on_are_not_judged_by_a_no_before_them(desk: Desk) -> None:
    """As of a match that a manager confirmed when a file brought it: the two made it up long ago."""
    match = desk.propose()
    for step, by in WAY:
        desk.step(match, step, by)
    for rows in desk.rows():
        rows.session.add(
            tables.Declined(
                child_id=desk.child, volunteer_id=desk.volunteer, said_by=Party.VOLUNTEER, declined_on=today()
            )
        )
    browser = desk.service.as_(Role.COORDINATOR)
    assert f"/proposals/{match}" not in browser.get("/").text.partition("a core rule no longer holds</h2>")[2]
    assert "A core rule no longer holds" not in browser.get(f"/proposals/{match}").text
    for step, reason in (
        ("review_falls_due", None),
        ("review_held", None),
        ("pause", "circumstances"),
        ("resume", None),
    ):
        state = desk.step(match, step, Party.AUTHORITY, reason)
    assert state is State.ACTIVE
