"""Taking back what was recorded by mistake, over the API and on its page: who may, what is told before, and after."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from test_proposals import Desk
from test_taking_back import DECLINES, WHY, back, led, noes, stood

from matcher.instance import today
from service import proposals
from service.permissions import Role
from service.repository import Repository
from service.workflow import State, StepRefusedError

API = "/api/v1"
HTML = {"Accept": "text/html"}


@pytest.fixture
def desk(service: Service) -> Desk:
    made = Desk(service)
    made.now -= timedelta(days=60)  # so that a whole story fits in before now
    return made


def tag(browser: TestClient, match: str) -> dict[str, str]:
    return {"If-Match": browser.get(f"{API}/matches/{match}").headers["ETag"]}


def test_a_step_forward_is_a_coordinators_to_take_back_and_a_no_a_managers(desk: Desk) -> None:
    match, body = led(desk, 2), {"reason": WHY}
    coordinator, manager = desk.service.as_(Role.COORDINATOR), desk.service.as_(Role.MANAGER)
    path = f"{API}/matches/{match}/take-back"
    done = coordinator.post(path, json=body, headers=tag(coordinator, match))
    assert (done.status_code, done.json()["state"]) == (200, "volunteer considers")
    assert [one["taken_back"] for one in done.json()["timeline"]] == [False, False, True, False]
    desk.step(match, *DECLINES)
    assert coordinator.post(path, json=body, headers=tag(coordinator, match)).status_code == 403
    assert stood(desk, match)[0].state is State.DECLINED
    stale = {"If-Match": '"1"'}
    assert manager.post(path, json=body, headers=stale).status_code == 412
    assert manager.post(path, json={"reason": " "}, headers=tag(manager, match)).status_code == 422
    done = manager.post(path, json=body, headers=tag(manager, match))
    assert (done.status_code, done.json()["state"]) == (200, "volunteer considers")
    for role in (Role.ANALYST, Role.AUDITOR, Role.ADMINISTRATOR):
        assert desk.service.as_(role).post(path, json=body, headers=stale).status_code == 403


@pytest.fixture
def declined(desk: Desk) -> tuple[Desk, str]:
    match = led(desk, 2)
    desk.step(match, *DECLINES)
    return desk, match


def form(page: str, **given: str) -> dict[str, Any]:
    version = re.search(r'name="version" value="(\d+)"', page)
    return {"version": version[1] if version else "", **given}


def test_a_coordinator_is_told_that_a_manager_can(declined: tuple[Desk, str]) -> None:
    desk, match = declined
    browser = desk.service.as_(Role.COORDINATOR)
    page = browser.get(f"/proposals/{match}", headers=HTML).text
    assert "If this was recorded by mistake, a manager can take it back." in page
    assert "take-back" not in page
    assert browser.get(f"/proposals/{match}/take-back", headers=HTML).status_code == 403
    sent = browser.post(f"/proposals/{match}/take-back", data={"version": "4", "reason": WHY}, headers=HTML)
    assert sent.status_code == 403
    assert stood(desk, match)[0].state is State.DECLINED


def test_a_manager_takes_a_no_back_on_its_page(declined: tuple[Desk, str]) -> None:
    desk, match = declined
    browser, at = desk.service.as_(Role.MANAGER), f"/proposals/{match}/take-back"
    page = browser.get(f"/proposals/{match}", headers=HTML).text
    assert page.count(f'href="{at}"') == 1
    page = browser.get(at, headers=HTML).text
    for told in (
        "Take back “The child says no”", "The proposal stands again at “child considers”",
        "This no does not keep the two apart any more.", "Every rule is asked first",
    ):  # fmt: skip
        assert told in page
    empty = browser.post(at, data=form(page, reason=" "), headers=HTML)
    assert empty.status_code == 422
    assert "Say in words what the mistake was." in empty.text
    stale = browser.post(at, data=form(page, reason=WHY) | {"version": "1"}, headers=HTML)
    assert stale.status_code == 409
    desk.change_volunteer(dbs_checked_on=None)
    against = browser.post(at, data=form(page, reason=WHY), headers=HTML)
    assert against.status_code == 409
    with desk.service.database.read(desk.service.north) as session:
        name = Repository(session, desk.service.keys).references()[desk.volunteer]
    assert f"when the DBS of {name}" in against.text
    assert WHY in against.text
    desk.change_volunteer(dbs_checked_on=today())
    done = browser.post(at, data=form(page, reason=WHY), headers=HTML, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, f"/proposals/{match}")
    page = browser.get(f"/proposals/{match}", headers=HTML).text
    timeline = page.partition('class="kith-timeline"')[2]
    heads = re.findall(r"<h3[^>]*>(.*?)</h3>", timeline, re.DOTALL)
    told = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", one)).strip() for one in heads]
    assert told == [
        "Taken back: recorded by mistake", "The child says no Taken back", "The volunteer is willing",
        "The volunteer was asked", "Proposed",
    ]  # fmt: skip
    assert "“The child says no” no longer counts." in timeline
    assert "Child considers" in page
    log = desk.service.as_(Role.AUDITOR).get("/log", headers=HTML).text
    assert "Decision: taken back: recorded by mistake" in log
    assert "what was taken back: The child says no" in re.sub(r"<[^>]+>", "", log)
    assert WHY not in log


def test_a_child_of_whom_a_no_was_taken_back_is_where_they_were(declined: tuple[Desk, str]) -> None:
    desk, match = declined
    back(desk, match)
    assert desk.service.as_(Role.COORDINATOR).get(f"/children/{desk.child}", headers=HTML).status_code == 200
    with pytest.raises((StepRefusedError, proposals.TakenError)):
        desk.propose()  # they are proposed to each other already
    desk.step(match, *DECLINES)  # said for good
    assert desk.volunteer not in desk.candidates()
    assert noes(desk) == 1


def test_of_two_at_once_one_takes_it_back(declined: tuple[Desk, str]) -> None:
    desk, match = declined
    manager = desk.service.as_(Role.MANAGER)
    head = tag(manager, match)
    path = f"{API}/matches/{match}/take-back"
    assert manager.post(path, json={"reason": WHY}, headers=head).status_code == 200
    assert manager.post(path, json={"reason": WHY}, headers=head).status_code == 412
    assert stood(desk, match)[0].state is State.CHILD_CONSIDERS
