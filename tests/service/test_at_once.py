"""Two at one moment, times that cannot be, signs that no database keeps: each is refused in a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from sqlalchemy.exc import IntegrityError

from service import exceptions, people, proposals, retention
from service.database.base import utc_now
from service.pages.html import clock, moment, short_day
from service.permissions import Role
from service.proposals import Chosen
from service.repository import Repository

API = "/api/v1"


def at_once(calls: list[Callable[[], int]]) -> list[int]:
    """What each answers, all asked at one moment."""
    barrier = Barrier(len(calls))

    def go(call: Callable[[], int]) -> int:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(pool.map(go, calls))


def proposal(service: Service) -> str:
    child, volunteer = service.eligible_pair()
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        chosen = Chosen("fit", 1, (volunteer,))
        return proposals.propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen).id


def take(browser: TestClient, match: str, step: dict[str, Any]) -> int:
    path = f"{API}/matches/{match}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    return int(browser.post(f"{path}/steps", json=step, headers=tag).status_code)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "children", {"reference": "N-9X"}),
        ("POST", "volunteers", {"reference": "N-9X"}),
        ("POST", "organisations", {"name": "Bluebell Homes"}),
        ("PUT", "budgets/W06000015", {"budget_pence": 1, "spent_pence": 0}),
    ],
)
def test_of_two_who_add_the_same_one_is_told_that_the_other_was_first(
    service: Service, method: str, path: str, body: dict[str, Any]
) -> None:
    def asking(browser: TestClient) -> Callable[[], int]:
        return lambda: browser.request(method, f"{API}/{path}", json=body, headers={"If-Match": '"none"'}).status_code

    found = at_once([asking(service.as_(Role.MANAGER)) for _ in range(4)])
    assert sum(status < 300 for status in found) == 1
    assert set(found[1:]) <= {409, 412}


def test_of_two_who_save_what_is_shared_one_is_told_that_the_other_was_first(service: Service) -> None:
    address = f"/proposals/{proposal(service)}/share"

    def saving(browser: TestClient, part: str) -> Callable[[], int]:
        shown = re.findall(r'name="shown" value="([^"]*)"', browser.get(address).text)
        sent = {"shown": shown, "child": part}
        return lambda: browser.post(address, data=sent, follow_redirects=False).status_code

    browsers = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    assert at_once([saving(one, part) for one, part in zip(browsers, ("area", "needs"), strict=True)]) == [303, 409]


def test_whatever_the_database_refuses_is_told_as_somebody_elses_doing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise IntegrityError("INSERT INTO children", {}, Exception("what was sent"))

    monkeypatch.setattr(people, "add_child", refused)
    browser = service.as_(Role.COORDINATOR)
    answer = browser.post(f"{API}/children", json={"reference": "N-9X"})
    assert answer.status_code == 409
    assert "at the same moment" in answer.json()["detail"]
    assert "what was sent" not in answer.text
    form = {"csrf": browser.headers["X-CSRF-Token"], "reference": "N-9X"}
    page = browser.post("/children/new", data=form, headers={"accept": "text/html"})
    assert page.status_code == 409
    assert "<h1" in page.text
    assert "at the same moment" in page.text


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1950-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"]
)
def test_a_step_is_of_a_time_in_which_the_match_was_there(service: Service, at: str) -> None:
    match, browser = proposal(service), service.as_(Role.COORDINATOR)
    no = {"step": "withdraw", "by": "authority", "reason": "entered by mistake"}
    assert take(browser, match, {**no, "at": at}) == 409
    assert (
        take(browser, service.a_match(), {"step": "pause", "by": "authority", "reason": "circumstances", "at": at})
        == 409
    )
    assert take(browser, match, {**no, "at": utc_now().isoformat()}) == 200


def test_a_step_of_a_match_from_a_file_may_be_of_before_it_came(service: Service) -> None:
    match, browser = service.a_match(), service.as_(Role.COORDINATOR)
    with service.database.write(service.north) as session:
        Repository(session, service.keys).match(match).started_on = (utc_now() - timedelta(days=900)).date()
    pause = {"step": "pause", "by": "authority", "reason": "circumstances"}
    assert take(browser, match, {**pause, "at": (utc_now() - timedelta(days=902)).isoformat()}) == 409
    assert take(browser, match, {**pause, "at": (utc_now() - timedelta(days=30)).isoformat()}) == 200


def test_a_time_at_the_edge_of_the_calendar_can_be_read(service: Service) -> None:
    edge = datetime(1, 1, 1, tzinfo=UTC)
    assert [told(edge) for told in (moment, short_day, clock)] == [
        "1 January 1 at 12:00am", "1 Jan 1", "1 Jan 1, 12:00am"
    ]  # fmt: skip
    match = proposal(service)
    with service.database.write(service.north) as session:
        Repository(session, service.keys).match(match).since = edge
    browser = service.as_(Role.COORDINATOR)
    assert [browser.get(page).status_code for page in ("/", "/proposals", f"/proposals/{match}")] == [200, 200, 200]


def test_an_address_that_cannot_be_printed_is_nobodys(service: Service) -> None:
    for email in ("\x00", "coordinator@north.invalid\x00"):
        given = {"email": email, "password": "three words do\x00"}
        assert service.client.post(f"{API}/session", json=given).status_code == 401
        assert service.client.post("/sign-in", data=given, headers={"accept": "text/html"}).status_code == 401
    browser = service.as_(Role.ADMINISTRATOR)
    form = {"csrf": browser.headers["X-CSRF-Token"], "email": "a\x00@b.invalid", "name": "A", "role": "coordinator"}
    page = browser.post("/users", data=form, headers={"accept": "text/html"})
    assert "not an email address" in page.text


def test_a_proposal_beside_an_exception_that_is_withdrawn_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    match, (_, volunteer) = proposal(service), service.eligible_pair()
    browser = service.as_(Role.MANAGER)
    second = {"kind": "second child", "volunteer": volunteer, "value": 2, "reason": "the first ends soon"}
    allowed = browser.post(f"{API}/exceptions", json=second)
    # Before: without the match, which was not committed then. Afterwards: with it, and what it breaks.
    seen = iter([{}, {match: {"more children than places"}}])
    monkeypatch.setattr(exceptions, "_failing", lambda *_: next(seen))
    path = f"{API}/exceptions/{allowed.json()['id']}/withdraw"
    answer = browser.post(path, json={"reason": "over"}, headers={"If-Match": allowed.headers["ETag"]})
    assert answer.status_code == 200, answer.text
    assert match in answer.text


def test_a_proposal_of_long_ago_makes_nobody_due_to_be_erased(service: Service) -> None:
    match, (child, volunteer) = proposal(service), service.eligible_pair()
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        proposals.take_step(rows, match, "withdraw", by="authority", user_id=user, reason="entered by mistake")  # type: ignore[arg-type]
        rows.match(match).since = utc_now() - timedelta(days=9 * 365)
        session.flush()
        assert {child, volunteer}.isdisjoint(one.id for one in retention.due(rows))
