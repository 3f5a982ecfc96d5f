"""What is noted of a match between its steps: dated, in words, sealed, and in no step's way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import Service
from page_reading import HTML, fields_of
from sqlalchemy import select
from test_concerns import led
from test_proposals import WAY, Desk
from test_taking_back import back
from test_today import said

from matcher.instance import today
from matcher.records import Party
from service import brought_up, decisions, steps
from service.database import tables
from service.permissions import Role
from service.workflow import State

API, WORDS = "/api/v1", "I do not know yet, says Kim-7."


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def noted(desk: Desk, match: str, by: Party = Party.CHILD, note: str = WORDS) -> None:
    body = {"by": by, "on": today().isoformat(), "note": note}
    answer = desk.service.as_(Role.COORDINATOR).post(f"{API}/matches/{match}/notes", json=body)
    assert answer.status_code == 201, answer.text


def test_it_is_noted_on_a_page_of_its_own_and_stands_in_the_story(desk: Desk) -> None:
    match = led(desk, 2)
    browser, own = desk.service.as_(Role.COORDINATOR), f"/proposals/{match}"
    address = f"{own}/notes"
    for path in (own, f"{own}/for-child"):
        assert f'href="{address}"' in browser.get(path).text
    typed = fields_of(browser.get(address).text)
    assert typed["day"] == f"{today():%d/%m/%Y}"
    assert "said_by" not in typed  # nobody is taken to have said it
    given = {**typed, "said_by": "child", "note": WORDS}
    for lacking, told in (
        ({"said_by": ""}, "Choose whose word it is."), ({"note": " "}, "Write what there is to note."),
        ({"day": ""}, "Write the day on which it was."), ({"day": "31/02/2026"}, "There is no day"),
        ({"day": f"{today() + timedelta(days=3):%d/%m/%Y}"}, "That is yet to come."),
        ({"day": "03/05/1926"}, "more than a year before it began"),
    ):  # fmt: skip
        answer = browser.post(address, data={**given, **lacking}, headers=HTML)
        assert (answer.status_code, told in answer.text) == (422, True)
    page = browser.post(address, data=given, headers=HTML).text
    story = said(page.partition("What happened")[2])
    assert story.index("Noted") < story.index("recorded by coordinator of north, on the word of the child") < (
        story.index(WORDS)
    )  # fmt: skip
    for rows in desk.rows():
        one = rows.session.scalars(select(tables.Decision).where(tables.Decision.step == steps.NOTED)).one()
        assert b"Kim-7" not in (one.note or b"")
        log = rows.session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "decision: noted")).one()
        assert (log.actor, log.subject, WORDS in str(log.details)) == (desk.user, match, False)


def test_it_counts_among_no_steps(desk: Desk) -> None:
    """It keeps no step from being taken back, and is neither a meeting nor an answer."""
    match = led(desk, 4)
    version = desk.service.as_(Role.COORDINATOR).get(f"{API}/matches/{match}").json()["version"]
    noted(desk, match)
    told = desk.service.as_(Role.COORDINATOR).get(f"{API}/matches/{match}").json()
    assert (told["version"], told["state"], told["timeline"][-1]["step"]) == (version, State.CHILD_THINKS, "noted")
    assert back(desk, match) is State.MEETING  # “The meeting was held” is what is taken back
    for rows in desk.rows():
        assert brought_up.whom_they_met(rows, [rows.match(match)]) == []
    desk.step(match, "volunteer_declines", Party.VOLUNTEER, "too far")
    noted(desk, match, Party.CHILD, "A pity.")
    for rows in desk.rows():
        story = rows.session.scalars(select(tables.Decision).where(tables.Decision.match_id == match)).all()
        assert Party.CHILD in decisions._answers(steps.standing(story))
        assert decisions._answers(steps.standing(story))[Party.CHILD][0] is True


def test_whoever_said_it_is_given_it_and_it_goes_as_they_are_erased(desk: Desk) -> None:
    match = led(desk, len(WAY))
    noted(desk, match)
    noted(desk, match, Party.VOLUNTEER, "The bus is late.")
    manager = desk.service.as_(Role.MANAGER)

    def told(path: str) -> list[tuple[str | None, str | None]]:
        every = manager.get(f"{API}/{path}/export").json()["matches"]
        return [(one["by"], one["note"]) for one in every[0]["decisions"] if one["step"] == "noted"]

    assert told(f"children/{desk.child}") == [("child", WORDS), (None, None)]
    assert told(f"volunteers/{desk.volunteer}") == [("volunteer", "The bus is late.")]
    desk.step(match, "end", Party.PLANNED, "planned ending")
    path = f"{API}/children/{desk.child}"
    tag = {"If-Match": manager.get(path).headers["ETag"]}
    assert manager.post(f"{path}/erasure", json={"reason": "asked to be erased"}, headers=tag).status_code == 204
    for rows in desk.rows():
        notes = rows.session.scalars(select(tables.Decision.note).where(tables.Decision.step == "noted")).all()
        assert notes == [None, None]
    body = {"by": "authority", "on": today().isoformat(), "note": "More."}
    assert desk.service.as_(Role.COORDINATOR).post(f"{API}/matches/{match}/notes", json=body).status_code == 409
    assert f"/proposals/{match}/notes" not in desk.service.as_(Role.COORDINATOR).get(f"/proposals/{match}").text
