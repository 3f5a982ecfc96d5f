"""That a child would like the visits to go on after a concern: who asked, when, in their words; who else is to be."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from conftest import Service
from httpx2 import Response
from page_reading import HTML
from service_rows import a_child, a_match
from sqlalchemy import select
from test_asking import asked, raised, taken_back
from test_asking_pages import page
from test_concerns import led
from test_proposals import ASKED_AGAIN, WAY, Desk

from matcher.instance import today
from service.database import tables
from service.database.base import utc_now
from service.permissions import Role
from service.reasons import TOLD_NOTHING
from service.steps import pauses
from service.workflow import State

STEP = "child_resumes"


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def paused(desk: Desk) -> str:
    """Visits that a concern paused, which is closed by now."""
    match = led(desk, len(WAY))
    raised(desk)
    taken_back(desk)
    return match


def sent(desk: Desk, match: str, **typed: str) -> Response:
    browser = desk.service.as_(Role.COORDINATOR)
    for rows in desk.rows():
        version = str(rows.match(match).version)
    form = {"csrf": browser.headers["X-CSRF-Token"], "version": version, "day": f"{today():%d/%m/%Y}", **ASKED_AGAIN}
    return browser.post(f"/proposals/{match}/steps/{STEP}", data=form | typed, headers=HTML, follow_redirects=False)


def stands(desk: Desk, match: str) -> State:
    for rows in desk.rows():
        state = State(rows.match(match).state)
    return state


def test_no_bare_click_says_that_the_child_would_like_it(desk: Desk) -> None:
    match = paused(desk)
    told = desk.service.as_(Role.COORDINATOR).get(f"/proposals/{match}", headers=HTML).text
    assert f'href="/proposals/{match}/steps/{STEP}"' in told
    assert f'action="/proposals/{match}/steps/{STEP}"' not in told
    form = page(desk, f"/proposals/{match}/steps/{STEP}")
    assert "Who asked the child? Asked by somebody of the service Asked by the social worker" in form
    assert "The day on which the child was asked" in form
    assert "What the child said, in their own words" in form


@pytest.mark.parametrize(
    ("typed", "told", "field"),
    [
        ({"reason": ""}, "Choose who asked the child.", "reason"),
        ({"day": ""}, "Write the day on which the child was asked.", "day"),
        ({"note": "  "}, "Write what the child said, in their own words as far as you can.", "note"),
        ({"day": "31/02/2026"}, "There is no day", "day"),
        ({"day": f"{today() - timedelta(days=1):%d/%m/%Y}"}, "That was before", "day"),
    ],
)
def test_it_is_not_recorded_without_who_asked_when_and_their_words(
    desk: Desk, typed: dict[str, str], told: str, field: str
) -> None:
    match = paused(desk)
    answer = sent(desk, match, **typed)
    assert (answer.status_code, stands(desk, match)) == (422, State.PAUSED)
    assert re.search(rf'href="#{field}"[^>]*>{re.escape(told)}', answer.text)
    assert typed.get("note", ASKED_AGAIN["note"]) in answer.text  # what was typed is not lost


def test_it_is_recorded_sealed_and_told_in_the_story(desk: Desk) -> None:
    match = paused(desk)
    assert sent(desk, match, reason="asked by the social worker").status_code == 303
    assert stands(desk, match) is State.ACTIVE
    told = page(desk, f"/proposals/{match}")
    assert re.search(
        r"would like the visits to go on .{0,80}, on the word of the child The child was asked by the social", told
    )
    assert "Yes, I like him." in told
    for rows in desk.rows():
        one = rows.session.scalars(select(tables.Decision).where(tables.Decision.step == STEP)).one()
        assert b"I like him" not in (one.note or b"")
        assert pauses(rows, [rows.match(match)]) == {}


def test_the_api_asks_for_the_same(desk: Desk) -> None:
    match = paused(desk)
    browser, path = desk.service.as_(Role.COORDINATOR), f"/api/v1/matches/{match}"
    seen = browser.get(path)
    step = next(one for one in seen.json()["possible"] if one["step"] == STEP)
    assert (step["in_words"], step["reasons"][0]) == (True, ASKED_AGAIN["reason"])
    tag, body = {"If-Match": seen.headers["ETag"]}, {"step": STEP, "by": "child", **ASKED_AGAIN}
    for lacking in ("reason", "note"):
        less = {name: text for name, text in body.items() if name != lacking}
        assert browser.post(f"{path}/steps", json=less, headers=tag).status_code == 409
    assert browser.post(f"{path}/steps", json=body, headers=tag).json()["state"] == "active"


def test_the_form_warns_of_others_who_are_still_to_be_asked_and_refuses_nothing(desk: Desk) -> None:
    match = led(desk, len(WAY))
    for rows in desk.rows():
        rows.volunteer(desk.volunteer).capacity = 2
        rows.session.flush()
        past = a_match(rows.session, a_child(rows, "past"), rows.volunteer(desk.volunteer), State.ENDED, place=None)
        rows.session.flush()
        volunteer = rows.volunteer(desk.volunteer).reference
    raised(desk)
    taken_back(desk)
    path = f"/proposals/{match}/steps/{STEP}"
    assert f"past is still to be asked about {volunteer}" in page(desk, path)
    assert "still to be asked about" in sent(desk, match, note="").text
    asked(desk, past.id, TOLD_NOTHING)
    assert "still to be asked about" not in page(desk, path)
    raised(desk)
    taken_back(desk)
    assert "still to be asked about" in page(desk, path)
    desk.now = utc_now()
    assert sent(desk, match).status_code == 303


def test_what_was_typed_stays_where_somebody_was_quicker_or_a_rule_fails(desk: Desk) -> None:
    match = paused(desk)
    answer = sent(desk, match, version="1")
    assert (answer.status_code, "moved on meanwhile" in answer.text, "Yes, I like him." in answer.text) == (
        409, True, True
    )  # fmt: skip
    desk.change_volunteer(dbs_checked_on=date(2001, 1, 1))
    answer = sent(desk, match)
    assert (answer.status_code, "DBS check" in answer.text, "Yes, I like him." in answer.text) == (409, True, True)
    assert stands(desk, match) is State.PAUSED
