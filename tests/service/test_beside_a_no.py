"""A no that meets another transaction is recorded, and nothing stays live beside it: on both databases.

Each of these holds a transaction open, asks for the no meanwhile, and commits. Whether the no comes before it or after
is the database's; that it holds in the end is not.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from conftest import Service
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError
from test_proposals import FIRST, Desk

from matcher.records import Party, Status
from service import proposals, standing
from service.database import tables
from service.permissions import Role
from service.proposals import propose, take_step
from service.reasons import OBJECTS
from service.repository import Repository
from service.workflow import LIVE, State, StepRefusedError

API = "/api/v1"
HELD = 0.7
"""Seconds for which the other transaction is held open, so that the no comes in meanwhile."""

Ask = Callable[[], Any]


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def meanwhile(desk: Desk, write: Callable[[Repository], Any], ask: Ask) -> Any:
    """What the no is answered while `write` is done and not committed yet."""
    with ThreadPoolExecutor(1) as pool:
        for rows in desk.rows():
            write(rows)
            rows.session.flush()
            answer = pool.submit(ask)
            Event().wait(HELD)
        return answer.result(30)


def proposing(desk: Desk) -> Callable[[Repository], Any]:
    reason = "first on the shortlist"
    return lambda rows: propose(rows, desk.child, desk.volunteer, user_id=desk.user, reason=reason, chosen=FIRST)


def asking(desk: Desk, match: str) -> Callable[[Repository], Any]:
    return lambda rows: take_step(rows, match, "ask_volunteer", by=Party.AUTHORITY, user_id=desk.user)


def no_by_api(desk: Desk) -> Ask:
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/children/{desk.child}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    return lambda: browser.patch(path, json={"facts": {"agrees": "no"}, "no_by": "child"}, headers=tag)


def no_by_form(desk: Desk) -> Ask:
    browser, path = desk.service.as_(Role.COORDINATOR), f"/children/{desk.child}/change/wishes"
    for rows in desk.rows():
        given = {
            "version": rows.child(desk.child).version,
            "agrees": "no",
            "no_by": "child",
            "csrf": browser.headers["X-CSRF-Token"],
        }
    return lambda: browser.post(path, data=given, follow_redirects=False)


def declines_by_api(desk: Desk, match: str) -> Ask:
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/matches/{match}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    no = {"step": "child_declines", "by": "child", "reason": OBJECTS}
    return lambda: browser.post(f"{path}/steps", json=no, headers=tag)


def declines_on_the_page(desk: Desk, match: str) -> Ask:
    browser = desk.service.as_(Role.COORDINATOR)
    no = {"version": "1", "reason": OBJECTS, "csrf": browser.headers["X-CSRF-Token"]}
    return lambda: browser.post(f"/proposals/{match}/steps/child_declines", data=no, follow_redirects=False)


def suspends(desk: Desk) -> Ask:
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/volunteers/{desk.volunteer}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    body = {"status": "suspended", "reason": "concern raised"}
    return lambda: browser.post(f"{path}/status", json=body, headers=tag)


def holds(desk: Desk, *, objects: bool) -> None:
    for rows in desk.rows():
        assert rows.child(desk.child).objects is objects
        live = select(tables.Match.state).where(tables.Match.child_id == desk.child, tables.Match.state.in_(LIVE))
        assert rows.session.scalars(live).all() == []


@pytest.mark.parametrize("no", [no_by_api, no_by_form])
def test_an_objection_while_a_proposal_is_made(desk: Desk, no: Callable[[Desk], Ask]) -> None:
    assert meanwhile(desk, proposing(desk), no(desk)).status_code in (200, 303)
    holds(desk, objects=True)


@pytest.mark.parametrize("no", [no_by_api, no_by_form])
def test_an_objection_while_a_step_is_taken(desk: Desk, no: Callable[[Desk], Ask]) -> None:
    match = desk.propose()
    assert meanwhile(desk, asking(desk, match), no(desk)).status_code in (200, 303)
    holds(desk, objects=True)


@pytest.mark.parametrize("no", [declines_by_api, declines_on_the_page])
def test_a_no_to_a_proposal_while_a_step_is_taken(desk: Desk, no: Callable[[Desk, str], Ask]) -> None:
    match = desk.propose()
    assert meanwhile(desk, asking(desk, match), no(desk, match)).status_code in (200, 303)
    holds(desk, objects=True)


def test_a_suspension_while_a_proposal_is_made(desk: Desk) -> None:
    answer = meanwhile(desk, proposing(desk), suspends(desk))
    assert answer.status_code == 200
    assert len(answer.json()["withdrawn"]) == 1
    holds(desk, objects=False)


def test_a_suspension_between_the_rules_and_the_proposal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules were asked of a volunteer who was approved then."""
    asked, rules = Event(), proposals.failing_rules

    def slowly(*given: Any) -> tuple[str, ...]:
        found = rules(*given)
        asked.set()
        Event().wait(HELD)
        return found

    monkeypatch.setattr(proposals, "failing_rules", slowly)
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(desk.propose)
        assert asked.wait(30)
        for rows in desk.rows():
            volunteer = rows.volunteer(desk.volunteer)
            standing.set_status(rows, volunteer, Status.SUSPENDED, user_id=desk.user, reason="concern raised")
        made.result(30)
    holds(desk, objects=False)


def test_a_step_forward_from_where_the_match_stands_no_longer_is_not_taken(desk: Desk) -> None:
    match = desk.propose()
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/matches/{match}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    ask = {"step": "ask_volunteer", "by": "authority"}
    answer = meanwhile(desk, asking(desk, match), lambda: browser.post(f"{path}/steps", json=ask, headers=tag))
    assert answer.status_code == 412
    for rows in desk.rows():
        assert rows.match(match).state == State.VOLUNTEER_CONSIDERS


@pytest.mark.parametrize("error", [StaleDataError("changed"), IntegrityError("", None, Exception())])
def test_what_another_transaction_was_in_the_way_of_is_done_once_more(service: Service, error: Exception) -> None:
    for times, done in ((1, True), (2, False)):
        tries: list[Session] = []

        def work(session: Session, tries: list[Session] = tries, times: int = times) -> bool:
            tries.append(session)
            if len(tries) <= times:
                raise error
            return True

        if done:
            assert service.database.attempt(service.north, work)
        else:
            with pytest.raises(type(error)):
                service.database.attempt(service.north, work)
        assert len({*map(id, tries)}) == len(tries) == 2


def test_a_refusal_is_not_tried_again(service: Service) -> None:
    tries = []

    def work(session: Session) -> None:
        tries.append(session)
        raise StepRefusedError("no")

    with pytest.raises(StepRefusedError):
        service.database.attempt(service.north, work)
    assert len(tries) == 1
