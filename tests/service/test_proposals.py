"""The workflow on rows: a day's story, a check that lapses between two steps, and a child's no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from conftest import Service
from sqlalchemy import select

from matcher.instance import LONDON, today
from matcher.records import Party, Status
from matcher.shortlist import shortlist
from matcher.words import day as written
from service.audit_log import verify
from service.database import tables
from service.database.base import utc_now
from service.permissions import Role
from service.proposals import Chosen, TakenError, object_to_any, propose, take_step
from service.reasons import OBJECTS
from service.repository import Repository
from service.workflow import State, StepRefusedError

FIRST = Chosen("fit", 1, ())
WAY = (
    ("ask_volunteer", Party.AUTHORITY), ("volunteer_accepts", Party.VOLUNTEER), ("child_would_meet", Party.CHILD),
    ("meeting_held", Party.AUTHORITY), ("child_agrees", Party.CHILD), ("appoint", Party.AUTHORITY),
    ("first_visit", Party.VOLUNTEER),
)  # fmt: skip


ASKED_AGAIN = {"reason": "asked by the service", "note": "Yes, I like him."}
"""With what it is recorded that a child would like the visits to go on, after a concern."""
CHILDS_VIEW = {"reason": "asked by the social worker", "note": "We cook together."}
"""What a review is held with."""


class Desk:
    """A coordinator at work: each call a transaction of its own, two days after the one before."""

    def __init__(self, service: Service) -> None:
        self.service, self.user = service, service.users["north", Role.COORDINATOR]
        self.child, self.volunteer = service.eligible_pair()
        self.now = utc_now()

    def rows(self) -> Iterator[Repository]:
        with self.service.database.write(self.service.north) as session:
            yield Repository(session, self.service.keys)

    def propose(self, child: str | None = None, volunteer: str | None = None) -> str:
        for rows in self.rows():
            pair = child or self.child, volunteer or self.volunteer
            why = "first on the shortlist"
            made = propose(rows, *pair, user_id=self.user, reason=why, chosen=FIRST, at=self.now)
        return made.id

    def step(self, match: str, step: str, by: Party, reason: str | None = None, note: str | None = None) -> State:
        self.now += timedelta(days=2)
        if step == "review_held":
            reason, note = reason or CHILDS_VIEW["reason"], note or CHILDS_VIEW["note"]
        for rows in self.rows():
            row = take_step(rows, match, step, by=by, user_id=self.user, reason=reason, note=note, at=self.now)
        return State(row.state)

    def change_volunteer(self, **facts: object) -> None:
        for rows in self.rows():
            row = rows.volunteer(self.volunteer)
            rows.write_volunteer(row, replace(rows.volunteer_record(row), **facts))  # type: ignore[arg-type]

    def candidates(self) -> list[str]:
        for rows in self.rows():
            found = shortlist(rows.instance(today()), self.child, top=50, rank_by="fit")
        return [one.volunteer for one in found]


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def test_from_proposal_to_ending(desk: Desk) -> None:
    match = desk.propose()
    states = [desk.step(match, step, by) for step, by in WAY]
    assert states[-1] is State.ACTIVE
    for rows in desk.rows():
        row = rows.match(match)
        assert (row.started_on, row.next_review_on) == (today(), today() + timedelta(weeks=6))
        assert row.child_id in rows.instance(today()).visited
    desk.step(match, "end", Party.VOLUNTEER, "circumstances of the volunteer")
    for rows in desk.rows():
        row = rows.match(match)
        assert (row.state, row.place, row.over_by, row.ended_on) == ("ended", None, "volunteer", today())
        decisions = rows.session.scalars(select(tables.Decision).order_by(tables.Decision.number)).all()
        assert [one.step for one in decisions] == ["propose", *(step for step, _ in WAY), "end"]
        assert {one.user_id for one in decisions} == {desk.user}
        assert verify(rows.session, rows.keys).problem is None
    assert desk.volunteer not in desk.candidates()  # what ended is not proposed again


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(10, 30), LONDON)


def test_what_is_recorded_later_began_and_ended_on_the_day_on_which_it_was(desk: Desk) -> None:
    proposed_on = today() - timedelta(days=60)
    desk.now = _morning(proposed_on)
    match = desk.propose()
    for step, by in WAY:  # two days each
        desk.step(match, step, by)
    visited = proposed_on + timedelta(days=2 * len(WAY))
    for rows in desk.rows():
        row = rows.match(match)
        assert (row.started_on, row.next_review_on) == (visited, visited + timedelta(weeks=6))
    desk.step(match, "review_falls_due", Party.AUTHORITY)
    desk.step(match, "review_held", Party.AUTHORITY)
    for rows in desk.rows():
        row = rows.match(match)
        assert (row.started_on, row.next_review_on) == (visited, visited + timedelta(days=4 + 182))
    for step, reason in (("pause", "circumstances"), ("end", "planned ending")):
        desk.now = _morning(proposed_on)
        with pytest.raises(StepRefusedError, match=f"That was before the visits began, on {written(visited)}"):
            desk.step(match, step, Party.PLANNED if step == "end" else Party.AUTHORITY, reason)
    desk.now = _morning(visited - timedelta(days=2))
    desk.step(match, "end", Party.PLANNED, "planned ending")
    for rows in desk.rows():
        assert rows.match(match).ended_on == visited


@pytest.mark.parametrize("started_on", [None, date(2020, 3, 5)])
def test_before_a_match_that_came_with_a_file_is_told_by_a_day_that_is_known(
    desk: Desk, started_on: date | None
) -> None:
    match = desk.service.a_match()
    for rows in desk.rows():
        row = rows.match(match)
        row.started_on = started_on
        earliest = started_on or row.created_at.date() - timedelta(days=366)
    desk.now = _morning(earliest) - timedelta(days=4)
    with pytest.raises(StepRefusedError) as told:
        desk.step(match, "end", Party.AUTHORITY, "other")
    known = "before the visits began, on 5 March 2020."
    unknown = "more than a year before this match came to Kith, and when it began is not recorded."
    assert f"That was {known if started_on else unknown} Check the day and the time." == str(told.value)
    desk.now = _morning(earliest)
    assert desk.step(match, "end", Party.AUTHORITY, "other") is State.ENDED


def test_nothing_ends_before_the_volunteer_was_appointed(desk: Desk) -> None:
    """Neither visits that were never made, nor those of which the day of the first is not known."""
    desk.now = _morning(today() - timedelta(days=60))
    match = desk.propose()
    for step, by in WAY[:-1]:
        desk.step(match, step, by)
    appointed = desk.now.date()
    desk.now = _morning(appointed - timedelta(days=5))
    with pytest.raises(StepRefusedError, match=f"before the volunteer was appointed, on {written(appointed)}"):
        desk.step(match, "end", Party.CHILD, "other")
    desk.now = _morning(appointed)
    desk.step(match, "end", Party.CHILD, "other")
    on = appointed + timedelta(days=2)
    for rows in desk.rows():
        assert (rows.match(match).ended_on, rows.match(match).started_on) == (on, None)
    browser = desk.service.as_(Role.COORDINATOR)
    told = browser.get(f"/proposals/{match}").text
    assert f"It ended on {written(on)}" in told
    assert f"{written(on)} at 10:30am, recorded by" in told
    letter = browser.get(f"/proposals/{match}/letters/ending").text
    assert letter.count(written(on)) == 3  # of both letters, and in the volunteer's
    assert "It was decided" not in letter


@pytest.mark.parametrize("known", [True, False])
def test_a_match_that_a_file_brought_began_when_the_file_says(desk: Desk, known: bool) -> None:
    """Not when something was recorded of it in Kith for the first time."""
    id = desk.service.a_match()
    began = today() - timedelta(days=90)
    for rows in desk.rows():
        match = rows.match(id)
        match.started_on = began if known else None
    desk.now = utc_now() - timedelta(days=2)
    desk.step(id, "pause", Party.AUTHORITY, "circumstances")
    page = desk.service.as_(Role.COORDINATOR).get(f"/proposals/{id}").text
    assert "This match came from a file" in page
    assert (f"it began on {written(began)}" in page) is known
    desk.now = _morning(began - timedelta(days=3 if known else 500))
    with pytest.raises(StepRefusedError, match="visits began" if known else "more than a year before"):
        desk.step(id, "end", Party.PLANNED, "planned ending")
    desk.now = _morning(today() - timedelta(days=30))
    desk.step(id, "end", Party.PLANNED, "planned ending")
    for rows in desk.rows():
        assert rows.match(id).ended_on == today() - timedelta(days=28)


def test_a_no_that_is_recorded_later_is_remembered_under_its_day(desk: Desk) -> None:
    desk.now = _morning(today() - timedelta(days=10))
    match = desk.propose()
    desk.step(match, "child_declines", Party.CHILD, "does not want this visitor")
    for rows in desk.rows():
        assert rows.session.scalars(select(tables.Declined.declined_on)).all()[-1] == today() - timedelta(days=8)


def test_a_check_that_lapses_stops_the_next_step_and_names_it(desk: Desk) -> None:
    match = desk.propose()
    desk.step(match, "ask_volunteer", Party.AUTHORITY)
    desk.change_volunteer(dbs_checked_on=today() - timedelta(days=4 * 366))
    with pytest.raises(StepRefusedError, match="DBS check has lapsed"):
        desk.step(match, "volunteer_accepts", Party.VOLUNTEER)
    for rows in desk.rows():
        assert rows.match(match).state == State.VOLUNTEER_CONSIDERS  # nothing of the step is kept


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.APPROVED])
def test_who_is_not_approved_is_not_proposed(desk: Desk, status: Status) -> None:
    desk.change_volunteer(status=status)
    with pytest.raises(StepRefusedError):
        desk.propose()


def test_a_no_is_remembered_and_frees_both(desk: Desk) -> None:
    match = desk.propose()
    assert desk.step(match, "child_declines", Party.CHILD, "does not want this visitor") is State.DECLINED
    assert desk.volunteer not in desk.candidates()
    with pytest.raises(StepRefusedError):
        desk.propose()
    others = desk.candidates()
    if others:
        desk.propose(volunteer=others[0])


def test_a_child_who_objects_to_any_visitor_is_not_proposed_at_all(desk: Desk) -> None:
    match = desk.propose()
    desk.step(match, "child_declines", Party.CHILD, OBJECTS)
    assert desk.candidates() == []
    for rows in desk.rows():
        assert rows.child(desk.child).objects


@pytest.mark.parametrize("steps", [0, len(WAY)])
def test_an_objection_ends_what_is_live_in_one_transaction(desk: Desk, steps: int) -> None:
    match = desk.propose()
    for step, by in WAY[:steps]:
        desk.step(match, step, by)
    for rows in desk.rows():
        object_to_any(rows, desk.child, user_id=desk.user)
    for rows in desk.rows():
        assert rows.match(match).state in (State.DECLINED, State.ENDED)
        assert rows.child(desk.child).objects
    assert desk.candidates() == []


def test_the_second_of_two_is_told_that_it_is_taken(desk: Desk) -> None:
    desk.propose()
    others = [one for one in desk.candidates() if one != desk.volunteer]
    with pytest.raises((TakenError, StepRefusedError)):
        desk.propose(volunteer=others[0])


def test_a_proposal_gives_a_reason_that_is_listed(desk: Desk) -> None:
    for rows in desk.rows():
        with pytest.raises(StepRefusedError, match="needs a reason"):
            propose(rows, desk.child, desk.volunteer, user_id=desk.user, reason="because", chosen=FIRST)


def test_a_match_that_began_elsewhere_is_reviewed_by_what_is_known_of_the_volunteer(desk: Desk) -> None:
    # Its child has a row from the history of matches alone, and no referral: the rules about the pair cannot be judged.
    for rows in desk.rows():
        current = select(tables.Match.id, tables.Match.volunteer_id).join(
            tables.Child, tables.Child.id == tables.Match.child_id
        )
        asked = current.where(tables.Match.state == State.ACTIVE, tables.Child.referral.is_(False))
        match, volunteer = rows.session.execute(asked.order_by(tables.Match.id)).first() or ("", "")
        row = rows.volunteer(volunteer)
        facts = replace(rows.volunteer_record(row), status=Status.APPROVED, dbs_checked_on=today())
        rows.write_volunteer(row, facts)
    desk.volunteer = volunteer
    assert desk.step(match, "review_falls_due", Party.AUTHORITY) is State.REVIEW_DUE
    assert desk.step(match, "review_held", Party.AUTHORITY) is State.ACTIVE
    desk.change_volunteer(dbs_checked_on=None)
    desk.step(match, "review_falls_due", Party.AUTHORITY)
    with pytest.raises(StepRefusedError, match="Not recorded: when the DBS of"):
        desk.step(match, "review_held", Party.AUTHORITY)
