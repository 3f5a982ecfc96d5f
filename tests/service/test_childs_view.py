"""A review is held with the child's view: what they said of the visits, or why nobody could ask them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import Service
from page_reading import HTML, fields_of
from sqlalchemy import select
from test_concerns import led
from test_proposals import WAY, Desk
from test_today import said

from matcher.instance import today
from matcher.records import Party
from service.database import tables
from service.permissions import Role
from service.reasons import ASKED_BY, NOT_ASKED
from service.workflow import State

API, STEP, WORDS = "/api/v1", "review_held", "He is fun, but he talks a lot."


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def under_review(desk: Desk) -> str:
    match = led(desk, len(WAY))
    desk.step(match, "review_falls_due", Party.AUTHORITY)
    for rows in desk.rows():
        rows.match(match).since = desk.now - timedelta(days=365)  # so that today can follow it
    return match


def test_a_review_has_a_page_that_asks_for_the_childs_view(desk: Desk) -> None:
    """It was begun and held by two clicks, without a word of the child's."""
    match = under_review(desk)
    browser = desk.service.as_(Role.COORDINATOR)
    own, address = f"/proposals/{match}", f"/proposals/{match}/steps/{STEP}"
    assert f'action="{address}"' not in browser.get(own).text
    form = browser.get(address).text
    assert "The day on which the review was held" in form
    assert "What the child said of the visits, in their own words; or why they were not asked" in said(form)
    assert "The child was not asked" in said(form)
    given = {**fields_of(form), "reason": ASKED_BY[1], "day": f"{today():%d/%m/%Y}", "note": WORDS}
    for lacking, told in (
        ({"reason": ""}, "Choose who asked the child."), ({"note": " "}, "Write what the child said"),
        ({"reason": NOT_ASKED, "note": ""}, "Write why the child was not asked."),
        ({"day": ""}, "Write the day on which the review was held."),
    ):  # fmt: skip
        answer = browser.post(address, data={**given, **lacking}, headers=HTML)
        assert (answer.status_code, told in answer.text) == (422, True)
    story = said(browser.post(address, data=given, headers=HTML).text.partition("What happened")[2])
    assert story.index("The child was asked by the social worker") < story.index(WORDS)
    for rows in desk.rows():
        one = rows.session.scalars(select(tables.Decision).where(tables.Decision.step == STEP)).one()
        assert b"talks a lot" not in (one.note or b"")
        assert rows.match(match).state == State.ACTIVE


def test_the_api_asks_for_it_and_the_child_alone_is_given_their_words(desk: Desk) -> None:
    match = under_review(desk)
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/matches/{match}"
    seen = browser.get(path)
    step = next(one for one in seen.json()["possible"] if one["step"] == STEP)
    assert (step["in_words"], step["reasons"]) == (True, [*ASKED_BY, NOT_ASKED])
    tag, body = {"If-Match": seen.headers["ETag"]}, {"step": STEP, "by": "authority", "reason": ASKED_BY[0]}
    assert browser.post(f"{path}/steps", json=body, headers=tag).status_code == 409
    told = browser.post(f"{path}/steps", json={**body, "note": WORDS}, headers=tag).json()["timeline"][-1]
    assert (told["step"], told["reason"], told["note"]) == (STEP, ASKED_BY[0], WORDS)
    manager = desk.service.as_(Role.MANAGER)
    of_child = manager.get(f"{API}/children/{desk.child}/export").json()["matches"]
    assert [one["note"] for one in of_child[0]["decisions"] if one["step"] == STEP] == [WORDS]
    assert WORDS not in manager.get(f"{API}/volunteers/{desk.volunteer}/export").text
