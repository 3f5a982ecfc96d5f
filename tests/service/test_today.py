"""What the first page puts before a coordinator: nothing that a child said reaches nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from conftest import Service
from running import run_once
from service_rows import a_child, a_match, a_volunteer
from sqlalchemy import event, select
from test_concerns import CONCERNS, led, others_of
from test_proposals import WAY, Desk

from matcher.instance import today
from matcher.records import Agreement, Party, Status
from matcher.shortlist import shortlist
from service import audit_log, concerns, runs, standing
from service.database import tables
from service.pages.html import short_day
from service.permissions import Role
from service.proposals import take_step
from service.reasons import LADO
from service.repository import Repository
from service.workflow import State


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def said(page: str) -> str:
    """The text alone."""
    return re.sub(r"\s+(?=[.,:;)])", "", re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def part(desk: Desk, heading: str, path: str = "/") -> str:
    """The section under a heading that begins so, as HTML; nothing where there is none."""
    page = desk.service.as_(Role.COORDINATOR).get(path).text
    sections = re.findall(r"<section.*?</section>", page, re.S)
    return next((one for one in sections if re.search(rf"<h[23][^>]*>{heading}", one)), "")


CONCERNS_HERE = "Concerns to look into"
TO_BE_ASKED = "Children to be asked, since a concern"
FOUND = "Two people were heard, and nothing stands against them."


def test_what_a_child_said_of_their_safety_stands_on_the_first_page_until_a_manager_changes_it(desk: Desk) -> None:
    steps, step, by, reason = CONCERNS[0]
    match = led(desk, steps)
    past, _ = others_of(desk)
    assert part(desk, CONCERNS_HERE) == ""
    desk.step(match, step, by, reason)
    told = part(desk, CONCERNS_HERE)
    assert "The child does not feel safe with this visitor, recorded of" in said(told)
    for address in (f"/volunteers/{desk.volunteer}", f"/proposals/{match}"):
        assert f'href="{address}"' in told
    assert f'href="/proposals/{past}"' in part(desk, TO_BE_ASKED)  # the child of the past is to be asked too
    for rows in desk.rows():
        status = Status.APPLICANT
        standing.set_status(
            rows, rows.volunteer(desk.volunteer), status, user_id=desk.user, reason="investigation closed"
        )
    assert part(desk, CONCERNS_HERE) == ""
    for rows in desk.rows():  # another time, for a check, which is no concern
        row = rows.volunteer(desk.volunteer)
        standing.set_status(rows, row, Status.SUSPENDED, user_id=desk.user, reason="check lapsed")
    assert part(desk, CONCERNS_HERE) == ""


def test_a_concern_about_who_has_gone_already_stands_there_too(desk: Desk) -> None:
    _, now = others_of(desk)
    for rows in desk.rows():
        row = rows.volunteer(desk.volunteer)
        standing.set_status(rows, row, Status.RESIGNED, user_id=desk.user, reason="own wish")
    assert part(desk, CONCERNS_HERE) == ""
    desk.step(now, "end", Party.CHILD, "serious concern about the volunteer")
    assert f'href="/proposals/{now}"' in part(desk, CONCERNS_HERE)


def recorded(desk: Desk, role: Role, status: Status, reason: str, found: str = FOUND) -> int:
    """By whom, over the API as on the page; the code of the answer."""
    browser, path = desk.service.as_(role), f"/api/v1/volunteers/{desk.volunteer}"
    tag = {"If-Match": desk.service.as_(Role.MANAGER).get(path).headers["ETag"]}
    body = {"status": status.value, "reason": reason, "found": found}
    return browser.post(f"{path}/status", json=body, headers=tag).status_code


def may_record(desk: Desk, role: Role) -> set[tuple[Status, str]]:
    """What the form offers somebody to record."""
    form = desk.service.as_(role).get(f"/volunteers/{desk.volunteer}/status").text
    offered = re.findall(r'name="reason-(\w+)" type="radio" value="([^"]+)"', form)
    return {(Status(status), reason) for status, reason in offered}


@pytest.mark.parametrize(
    "raised",
    [(Status.SUSPENDED, "concern raised"), (Status.SUSPENDED, "other"), (Status.WITHDRAWN, "complaint"), None],
)
@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.MANAGER])
def test_nothing_but_what_came_of_it_closes_a_concern(
    desk: Desk, role: Role, raised: tuple[Status, str] | None
) -> None:
    """Whatever becomes of the volunteer meanwhile: that they resigned tells nobody whether a child is safe."""
    _, now = others_of(desk)
    if raised:
        assert recorded(desk, Role.COORDINATOR, *raised) == 200
    else:
        desk.step(now, "end", Party.CHILD, "does not feel safe with this visitor")
    first = said(part(desk, CONCERNS_HERE))
    assert first
    stopped = (Status.SUSPENDED, Status.WITHDRAWN, Status.RESIGNED)
    every = {(one, why) for one in stopped for why in standing.REASONS_OF[one]}
    for status, reason in sorted(every - {(Status.WITHDRAWN, "no longer suitable")}):
        assert recorded(desk, role, status, reason) == 200
        assert part(desk, CONCERNS_HERE), (status, reason)
    assert recorded(desk, Role.COORDINATOR, Status.WITHDRAWN, "no longer suitable") == 200
    assert part(desk, CONCERNS_HERE)
    for other in (Role.ANALYST, Role.AUDITOR, Role.ADMINISTRATOR):
        assert recorded(desk, other, Status.WITHDRAWN, "no longer suitable") == 403
    for status in (Status.WITHDRAWN, Status.RESIGNED):
        assert recorded(desk, Role.COORDINATOR, status, "investigation closed") == 422
        assert part(desk, CONCERNS_HERE)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.APPLICANT, "investigation closed"), (Status.APPROVED, "investigation closed"),
        (Status.RESIGNED, "investigation closed"),
        (Status.WITHDRAWN, "investigation closed"), (Status.WITHDRAWN, "no longer suitable"),
    ],
)  # fmt: skip
def test_a_manager_closes_it_also_of_who_stays_away(desk: Desk, status: Status, reason: str) -> None:
    others_of(desk)
    assert recorded(desk, Role.COORDINATOR, Status.SUSPENDED, "concern raised") == 200
    assert recorded(desk, Role.COORDINATOR, Status.RESIGNED, "own wish") == 200
    assert (status, reason) in may_record(desk, Role.MANAGER)
    for role in (Role.COORDINATOR, Role.MANAGER):  # and each is told on the form whose word it takes
        form = said(desk.service.as_(role).get(f"/volunteers/{desk.volunteer}/status").text)
        assert "stands on the first page until a manager records what came of it" in form
        assert ("“investigation closed” or “no longer suitable”" in form) is (role is Role.MANAGER)
    assert (Status.RESIGNED, "investigation closed") not in may_record(desk, Role.COORDINATOR)
    assert part(desk, CONCERNS_HERE)
    assert recorded(desk, Role.MANAGER, status, reason) == 200
    assert part(desk, CONCERNS_HERE) == ""
    assert "A concern about" not in desk.service.as_(Role.MANAGER).get(f"/volunteers/{desk.volunteer}/status").text
    if status in standing.STOPPED:  # what was answered is not asked again, and a new one is told by itself
        assert recorded(desk, Role.COORDINATOR, Status.RESIGNED, "moved away") == 200
        assert part(desk, CONCERNS_HERE) == ""
        assert recorded(desk, Role.COORDINATOR, Status.WITHDRAWN, "complaint") == 200
        assert "Complaint" in said(part(desk, CONCERNS_HERE))


def test_a_manager_who_finds_somebody_unsuitable_raises_what_is_to_be_looked_into(desk: Desk) -> None:
    """Their visits are paused by it and past children brought up: who asks those nobody has said yet."""
    others_of(desk)
    assert recorded(desk, Role.MANAGER, Status.WITHDRAWN, "no longer suitable") == 200
    assert "past and" in said(part(desk, TO_BE_ASKED))
    assert (Status.WITHDRAWN, "investigation closed") in may_record(desk, Role.MANAGER)
    assert recorded(desk, Role.MANAGER, Status.WITHDRAWN, "investigation closed") == 200
    assert part(desk, CONCERNS_HERE) == ""


def test_who_had_gone_of_their_own_wish_and_is_found_unsuitable_is_to_be_looked_into_too(desk: Desk) -> None:
    others_of(desk)
    assert recorded(desk, Role.COORDINATOR, Status.RESIGNED, "own wish") == 200
    assert recorded(desk, Role.MANAGER, Status.WITHDRAWN, "no longer suitable") == 200
    assert "past and" in said(part(desk, TO_BE_ASKED))
    assert recorded(desk, Role.MANAGER, Status.WITHDRAWN, "no longer suitable") == 200  # and by that too it is closed
    assert part(desk, CONCERNS_HERE) == ""


def test_a_concern_that_was_over_before_kith_asked_what_came_of_it_is_closed_by_a_manager(desk: Desk) -> None:
    """As the log of an earlier version has it: any change of where somebody stands took a concern away."""
    for rows in desk.rows():
        row = rows.volunteer(desk.volunteer)
        standing.set_status(rows, row, Status.SUSPENDED, user_id=desk.user, reason="concern raised")
        rows.write_volunteer(row, replace(rows.volunteer_record(row), status=Status.WITHDRAWN))
        told = {"status before": "suspended", "status": "withdrawn", "withdrawn": [], "paused": [], "past": []}
        manager = desk.service.users["north", Role.MANAGER]
        entry = audit_log.Entry(manager, "volunteer status", row.id, "no longer suitable", told)
        audit_log.record(rows.session, rows.keys, entry)
    assert "Concern raised. No longer suitable." in said(part(desk, CONCERNS_HERE))
    assert recorded(desk, Role.MANAGER, Status.WITHDRAWN, "no longer suitable") == 200
    assert part(desk, CONCERNS_HERE) == ""


def test_concerns_are_found_by_as_many_queries_whatever_their_number(desk: Desk) -> None:
    """Who is withdrawn stays so for ever: the first page would read the log once more for each."""
    for rows in desk.rows():
        several = [rows.volunteer(desk.volunteer)]
        several += [a_volunteer(rows, f"gone {number}") for number in range(2)]
        asked = []
        for row in several:
            match = a_match(rows.session, a_child(rows, f"with {row.reference}"), row, State.ACTIVE)
            take_step(rows, match.id, "end", by=Party.CHILD, user_id=desk.user, reason="boundaries not kept")
            stopped = [one.id for one in several if one.status == Status.SUSPENDED]
            of = {id: rows.session.scalars(select(tables.Match).filter_by(volunteer_id=id)).all() for id in stopped}
            with counted_queries(rows) as queries:
                found = concerns.to_look_into(rows, stopped, of)
            assert [[why for why, _ in one.recorded] for one in found] == [["boundaries not kept"]] * len(stopped)
            asked.append(len(queries))
    assert asked == [asked[0]] * len(several)


@contextmanager
def counted_queries(rows: Repository) -> Iterator[list[str]]:
    """Those that the database is sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    engine = rows.session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(("steps", "step", "by", "reason"), CONCERNS, ids=lambda one: str(one))
def test_after_such_a_step_the_page_says_what_was_done_and_whom_to_tell(
    desk: Desk, steps: int, step: str, by: Party, reason: str
) -> None:
    match = led(desk, steps)
    form = {"said_by": by.value, f"reason-{by}" if step in ("end", "pause") else "reason": reason}
    page = said(desk.service.as_(Role.COORDINATOR).post(f"/proposals/{match}/steps/{step}", data=form).text)
    assert "is suspended, and visits nobody. Tell a manager and the child’s social worker now" in page
    assert "Shortlists go by it" not in page
    assert LADO in page
    over = step == "end" or step.endswith("_declines")
    another = f"/children/{desk.child}/change/wishes#agrees"
    raw = desk.service.as_(Role.COORDINATOR).get(f"/volunteers/{desk.volunteer}").text
    assert (f'href="{another}"' in raw, "whether they would like another visitor" in page) == (over, over)
    assert ("They go on only if the child, asked again, would like it" in page) is (step == "pause")


def test_a_pause_puts_no_review_off(desk: Desk) -> None:
    match = led(desk, len(WAY))
    due = today() - timedelta(days=3)
    for rows in desk.rows():
        rows.match(match).next_review_on = due
    desk.step(match, "pause", Party.AUTHORITY, "circumstances")
    told = part(desk, "Reviews due")
    assert f"visits paused overdue since {short_day(due)}" in said(told)
    browser = desk.service.as_(Role.COORDINATOR)
    listed = said(browser.get("/proposals?show=matches").text)
    assert f"visits paused overdue since {short_day(due)}. Resume the visits, or end the match" in listed
    assert "The visits are paused, which puts no review off" in said(browser.get(f"/proposals/{match}").text)
    desk.step(match, "resume", Party.AUTHORITY)
    assert browser.get(f"/api/v1/matches/{match}").json()["next_review_on"] == due.isoformat()


def test_who_is_to_be_asked_first_or_again_does_not_drop_off_the_first_page(desk: Desk) -> None:
    browser = desk.service.as_(Role.COORDINATOR)
    run_once(desk.service.database, desk.service.keys, desk.service.north)
    match = desk.propose()
    desk.step(match, "child_declines", Party.CHILD, "does not want a visitor now")
    for rows in desk.rows():
        told = rows.references()
        others = (one for one in rows.instance(today()).waiting if one.id != desk.child and one.agrees is Agreement.YES)
        other = next(one for one in others if any(shortlist(rows.instance(today()), one.id, top=1)))
        rows.write_child(rows.child(other.id), replace(other, agrees=Agreement.NOT_ASKED))
        runs.ask_for(rows.session, desk.service.north, "match ended")
    asked, not_asked = told[desk.child], told[other.id]
    run = run_once(desk.service.database, desk.service.keys, desk.service.north)

    here = part(desk, "To be asked, or asked again")
    day = short_day(desk.now)
    assert f"To be asked again: 1 {asked} said “not now” on {day}" in said(here)
    assert 'href="/children?show=to%20ask&sort=wait"' in here
    listed = said(browser.get("/children?show=to ask").text)
    assert f"said “not now” on {day}" in listed
    assert asked in listed
    assert not_asked in listed
    assert asked not in part(desk, "Waiting longest of those who are ready")

    changed = said(browser.get(f"/runs/{run}?show=shortlists").text)
    assert re.search(rf"{asked} .{{0,80}}?Wants no visitor now", changed)
    assert re.search(rf"{not_asked} .{{0,80}}?Is to be asked first", changed)
    assert "obody could visit any more" not in changed

    page = said(browser.get(f"/children/{desk.child}").text)
    assert "said that they want no visitor now" in page
    assert "has not been asked yet" not in page
    assert "Agrees to have a visitor Not asked again yet" in page


def test_nobody_is_to_ask_a_child_who_cannot_have_a_visitor(desk: Desk) -> None:
    """Whose care has ended, or who is beyond the age: it would be a promise that nobody could keep."""
    browser = desk.service.as_(Role.COORDINATOR)

    def to_ask() -> tuple[int, bool]:
        """How many by the first page, and whether the child is among them."""
        found = re.search(r"To be asked, or asked again (\d+)", said(browser.get("/").text))
        return int(found[1]) if found else 0, reference in said(browser.get("/children?show=to ask").text)

    for rows in desk.rows():
        reference, row = rows.references()[desk.child], rows.child(desk.child)
        before = replace(rows.child_record(row, family_known=True), agrees=Agreement.NOT_ASKED)
        rows.write_child(row, before)
    count, listed = to_ask()
    assert listed
    for rows in desk.rows():
        rows.write_child(rows.child(desk.child), replace(before, looked_after=False, continuing_agreed=False))
    assert to_ask() == (count - 1, False)
    assert "care has ended" in said(browser.get(f"/children/{desk.child}").text)
