"""What the first page puts before a coordinator: nothing that a child said reaches nobody."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from conftest import Service
from test_concerns import CONCERNS, led, others_of
from test_proposals import Desk
from test_runs import run_once

from matcher.instance import today
from matcher.records import Agreement, Party, Status
from matcher.shortlist import shortlist
from service import runs, standing
from service.pages.html import short_day
from service.permissions import Role


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
    return next((one for one in sections if re.search(rf"<h2[^>]*>{heading}", one)), "")


CONCERNS_HERE = "Concerns to look into"


def test_what_a_child_said_of_their_safety_stands_on_the_first_page_until_a_manager_changes_it(desk: Desk) -> None:
    steps, step, by, reason = CONCERNS[0]
    match = led(desk, steps)
    past, _ = others_of(desk)
    assert part(desk, CONCERNS_HERE) == ""
    desk.step(match, step, by, reason)
    told = part(desk, CONCERNS_HERE)
    assert "Does not feel safe with this visitor, recorded of" in said(told)
    for address in (f"/volunteers/{desk.volunteer}", f"/proposals/{match}", f"/proposals/{past}"):
        assert f'href="{address}"' in told  # the child of the past is to be asked too
    assert "To be asked too: past, whom they visited before" in said(told)
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


def test_a_suspension_of_days_that_a_restore_took_away_is_told_by_the_matches(desk: Desk) -> None:
    """A restore keeps the suspension and what the child said, and not the entry in the log."""
    match = led(desk, 0)
    for rows in desk.rows():
        row, of = rows.volunteer(desk.volunteer), rows.match(match)
        of.state, of.place, of.reason = "declined", None, "does not feel safe with this visitor"
        rows.write_volunteer(row, replace(rows.volunteer_record(row), status=Status.SUSPENDED))
    assert f'href="/proposals/{match}"' in part(desk, CONCERNS_HERE)


@pytest.mark.parametrize(("steps", "step", "by", "reason"), CONCERNS, ids=lambda one: str(one))
def test_after_such_a_step_the_page_says_what_was_done_and_whom_to_tell(
    desk: Desk, steps: int, step: str, by: Party, reason: str
) -> None:
    match = led(desk, steps)
    form = {"said_by": by.value, "reason": reason}
    page = said(desk.service.as_(Role.COORDINATOR).post(f"/proposals/{match}/steps/{step}", data=form).text)
    assert "is suspended, and visits nobody. Tell a manager and the child’s social worker now" in page
    assert "Shortlists go by it" not in page


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
    assert f"Said that they want no visitor now: 1 {asked} said so on {day}" in said(here)
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
