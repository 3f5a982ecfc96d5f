"""Visits that are paused, and then there is something graver: it counts from that moment on."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import says_yes
from set_back import Backups
from test_proposals import ASKED_AGAIN, WAY, Desk

from matcher.records import Party, Status
from service import standing
from service.database.base import utc_now
from service.pages.html import short_day
from service.permissions import Role
from service.proposals import take_step
from service.reasons import CHILD_PAUSES, CONCERN_PAUSES, LAPSE_PAUSES, PAUSE_REASONS, UNSAFE, says
from service.steps import progress
from service.taking_back import take_back
from service.workflow import State, StepRefusedError

API, HTML = "/api/v1", {"Accept": "text/html"}
ON_ASKING = "the visits go on only if the child would like it"


@pytest.fixture
def desk(service: Service) -> Desk:
    made = Desk(service)
    made.now -= timedelta(days=60)  # so that a whole story fits in before now
    return made


def paused(desk: Desk, reason: str = "circumstances") -> str:
    match = desk.propose()
    for step, by in WAY:
        desk.step(match, step, by)
    desk.step(match, "pause", Party.AUTHORITY, reason)
    return match


def reinstated(desk: Desk) -> None:
    """A manager has looked into it, and the volunteer may visit again."""
    for rows in desk.rows():
        row = rows.volunteer(desk.volunteer)
        standing.set_status(
            rows, row, Status.APPROVED, user_id=desk.user, reason="investigation closed", manager=True, found="Nothing."
        )  # fmt: skip


def resolved(desk: Desk) -> None:
    """What there was about the child is resolved."""
    for rows in desk.rows():
        row = rows.child(desk.child)
        rows.write_child(row, replace(rows.child_record(row, family_known=False), safeguarding_issue=False))


def status(desk: Desk) -> str | None:
    for rows in desk.rows():
        found = rows.volunteer(desk.volunteer).status
    return found


def now(desk: Desk, match: str) -> tuple[State, str | None]:
    for rows in desk.rows():
        found = progress(rows, rows.match(match))
    return found.state, found.paused_for


def words(browser: TestClient, path: str) -> str:
    answer = browser.get(path, headers=HTML)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_what_a_child_says_while_the_visits_are_paused_is_recorded_on_the_page(desk: Desk) -> None:
    match = paused(desk)
    for rows in desk.rows():
        since = rows.match(match).since
    browser, path = desk.service.as_(Role.COORDINATOR), f"/proposals/{match}"
    assert "Resume the visits" in words(browser, path)
    assert f'href="{path}/steps/pause">Another reason for the pause</a>' in browser.get(path).text
    form = browser.get(f"{path}/steps/pause", headers=HTML).text
    assert "The visits stay paused." in form
    assert "The volunteer is suspended at once" in form
    version = re.search(r'name="version" value="(\d+)"', form)
    assert version is not None
    sent = {"version": version[1], "said_by": "child", "reason-child": UNSAFE, "note": "Said so to the advocate."}
    done = browser.post(f"{path}/steps/pause", data=sent, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, f"/volunteers/{desk.volunteer}?saved=suspended")
    assert status(desk) == Status.SUSPENDED
    reinstated(desk)
    told = words(browser, path)
    assert ON_ASKING in told
    assert "Resume the visits" not in told
    assert re.search(
        r"Another reason for the pause was given .{0,80}, on the word of the child Reason: the child does not", told
    )
    assert f"The child does not feel safe with this visitor; no visits since {short_day(since)}" in words(browser, "/")
    stale = browser.post(f"{path}/steps/resume", data={"version": version[1]}, headers=HTML)
    assert stale.status_code == 409
    assert now(desk, match) == (State.PAUSED, UNSAFE)


@pytest.mark.parametrize("later", PAUSE_REASONS)
@pytest.mark.parametrize("grave", [UNSAFE, CONCERN_PAUSES])
def test_no_reason_that_comes_later_hides_it_over_the_api(desk: Desk, grave: str, later: str) -> None:
    match = paused(desk)
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/matches/{match}"
    for reason in (grave, later):
        seen = browser.get(path)
        step = next(one for one in seen.json()["possible"] if one["step"] == "pause")
        assert (step["title"], step["by"]) == (
            "Another reason for the pause",
            ["child", "volunteer", "social worker", "authority"],
        )
        body = {"step": "pause", "by": "authority", "reason": reason}
        done = browser.post(f"{path}/steps", json=body, headers={"If-Match": seen.headers["ETag"]})
        assert (done.status_code, done.json()["state"]) == (200, "paused")
        assert done.headers["ETag"] != seen.headers["ETag"]
        assert done.json()["since"] == seen.json()["since"]
    reinstated(desk)
    resolved(desk)
    seen = browser.get(path)
    assert [one["step"] for one in seen.json()["possible"]] == ["child_resumes", "pause", "end"]
    tag = {"If-Match": seen.headers["ETag"]}
    refused = browser.post(f"{path}/steps", json={"step": "resume", "by": "authority"}, headers=tag)
    assert refused.status_code == 409
    before = {"step": "child_resumes", "by": "child", **ASKED_AGAIN, "at": (utc_now() - timedelta(hours=1)).isoformat()}
    assert browser.post(f"{path}/steps", json=before, headers=tag).status_code == 409  # before they said so
    asked = browser.post(f"{path}/steps", json={"step": "child_resumes", "by": "child", **ASKED_AGAIN}, headers=tag)
    assert (asked.status_code, asked.json()["state"]) == (200, "active")
    body = {"step": "pause", "by": "authority", "reason": "circumstances"}
    browser.post(f"{path}/steps", json=body, headers={"If-Match": asked.headers["ETag"]})
    assert now(desk, match) == (State.PAUSED, "circumstances")  # another pause is another matter


def test_it_is_recorded_though_somebody_paused_the_visits_at_that_moment(desk: Desk) -> None:
    match = desk.propose()
    for step, by in WAY:
        desk.step(match, step, by)
    browser, path = desk.service.as_(Role.COORDINATOR), f"{API}/matches/{match}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    desk.step(match, "pause", Party.AUTHORITY, "circumstances")
    body = {"step": "pause", "by": "authority", "reason": UNSAFE}
    assert browser.post(f"{path}/steps", json=body, headers=tag).status_code == 200
    assert now(desk, match) == (State.PAUSED, UNSAFE)


def test_a_reason_is_taken_back_by_a_manager_and_the_one_before_it_counts_again(desk: Desk) -> None:
    match = paused(desk, "a check has lapsed")
    path = f"/proposals/{match}/take-back"
    manager, coordinator = desk.service.as_(Role.MANAGER), desk.service.as_(Role.COORDINATOR)
    unseen = manager.get(f"{API}/matches/{match}").headers["ETag"].strip('"')
    desk.step(match, "pause", Party.AUTHORITY, CHILD_PAUSES)
    sent = {"version": unseen, "reason": "It was another child."}
    assert manager.post(path, data=sent, headers=HTML).status_code == 409  # of what they had not seen
    assert coordinator.get(path, headers=HTML).status_code == 403
    told = words(manager, path)
    assert "The match stands again at “paused”" in told
    assert "The reason of the pause is “a check has lapsed” again." in told
    assert "The safeguarding issue stays on record" in told
    assert "rules are asked" not in told
    sent["version"] = manager.get(f"{API}/matches/{match}").headers["ETag"].strip('"')
    done = manager.post(path, data=sent, headers=HTML, follow_redirects=False)
    assert done.status_code == 303, done.text
    assert now(desk, match) == (State.PAUSED, "a check has lapsed")
    story = words(manager, f"/proposals/{match}")
    assert "“Another reason for the pause was given” no longer counts." in story
    assert ON_ASKING not in story
    with pytest.raises(StepRefusedError, match="safeguarding issue that is not resolved"):
        desk.step(match, "resume", Party.AUTHORITY)
    resolved(desk)
    assert desk.step(match, "resume", Party.AUTHORITY) is State.ACTIVE


def test_the_first_reason_is_taken_back_after_the_one_that_came_later(desk: Desk) -> None:
    match = paused(desk)
    desk.step(match, "pause", Party.AUTHORITY, LAPSE_PAUSES)
    for left in ((State.PAUSED, "circumstances"), (State.ACTIVE, None)):
        for rows in desk.rows():
            take_back(rows, match, user_id=desk.user, why="It was another child.")
        assert now(desk, match) == left


@pytest.mark.parametrize(
    ("reason", "told"),
    [(UNSAFE, "That a child does not feel safe"), (CONCERN_PAUSES, "A pause for a concern about the volunteer")],
)
def test_nobody_but_the_child_sends_the_volunteer_back(desk: Desk, reason: str, told: str) -> None:
    """Neither while somebody looks into it, nor once a manager has, nor as if it had never been."""
    match = paused(desk)
    desk.step(match, "pause", Party.AUTHORITY, reason)
    for _ in range(2):
        for rows in desk.rows():
            with pytest.raises(StepRefusedError, match=f"{told} is not taken back, whatever came of it"):
                take_back(rows, match, user_id=desk.user, why="It was another child.")
        reinstated(desk)
    page = words(desk.service.as_(Role.MANAGER), f"/proposals/{match}")
    assert ON_ASKING in page
    assert "recorded by mistake" not in page
    assert now(desk, match) == (State.PAUSED, reason)
    assert desk.step(match, "child_resumes", Party.CHILD, **ASKED_AGAIN) is State.ACTIVE


@pytest.mark.parametrize(
    ("reason", "left"),
    [
        (UNSAFE, UNSAFE),
        ("boundaries not kept", CONCERN_PAUSES),
        ("serious concern about the volunteer", CONCERN_PAUSES),
    ],
)
def test_an_ending_for_it_leaves_the_visits_paused_for_it_where_it_is_taken_back(
    desk: Desk, reason: str, left: str
) -> None:
    match = paused(desk)
    desk.step(match, "end", Party.CHILD, reason)
    reinstated(desk)
    for rows in desk.rows():
        says_yes(rows, desk.child, desk.user)
    page = words(desk.service.as_(Role.MANAGER), f"/proposals/{match}/take-back")
    assert f"its visits are paused from now on for “{says(left)}”. They go on only if the child" in page
    for rows in desk.rows():
        take_back(rows, match, user_id=desk.user, why="It was another child.")
    assert now(desk, match) == (State.PAUSED, left)


def test_no_restore_undoes_it(desk: Desk, backups: Backups) -> None:
    match = paused(desk)
    backups.make()
    desk.step(match, "pause", Party.AUTHORITY, UNSAFE)
    done = backups.put_back()
    assert (done.noes, done.redo) == (2, ())  # that the volunteer is suspended as well
    assert now(desk, match) == (State.PAUSED, UNSAFE)
    assert "Concerns to look into: 1" in words(desk.service.as_(Role.COORDINATOR), "/")
    reinstated(desk)
    with pytest.raises(StepRefusedError, match="The child was asked again"):
        desk.step(match, "resume", Party.AUTHORITY)


def test_a_concern_is_open_though_a_restore_took_away_how_it_came_to_be(desk: Desk, backups: Backups) -> None:
    """Also where the log has told of the volunteer since the visits were paused."""
    match = paused(desk)
    reinstated(desk)
    backups.make()
    for rows in desk.rows():
        take_step(rows, match, "pause", by=Party.AUTHORITY, user_id=desk.user, reason=UNSAFE)
    backups.put_back()
    assert "Concerns to look into: 1" in words(desk.service.as_(Role.COORDINATOR), "/")
