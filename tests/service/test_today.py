"""What the first page puts before a coordinator: nothing that a child said reaches nobody."""

from __future__ import annotations

import re

import pytest
from conftest import Service
from test_concerns import CONCERNS, led, others_of
from test_proposals import Desk

from matcher.records import Party, Status
from service import standing
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
        rows.write_volunteer(row, standing.replace(rows.volunteer_record(row), status=Status.SUSPENDED))
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
