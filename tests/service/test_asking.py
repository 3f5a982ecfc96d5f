"""Children whom a volunteer visited before a concern are asked, and what they told is recorded, whatever becomes of the
volunteer meanwhile."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from conftest import Service
from httpx2 import Response
from page_reading import HTML
from service_rows import a_child, a_match, put_in_order
from sqlalchemy import select
from test_concerns import others_of, story
from test_proposals import Desk
from test_today import CONCERNS_HERE, TO_BE_ASKED, part, said

from matcher.instance import LONDON, today
from matcher.records import Party, Status
from service import asking, audit_log, privacy, retention, standing, steps, subject_access
from service.asking import DayRefusedError, NothingWrittenError
from service.database import tables
from service.permissions import Role
from service.reasons import (
    ASKED_BY,
    ASKED_OUTCOMES,
    NOT_REACHED,
    NOT_TO_BE_ASKED,
    RATHER_NOT,
    TOLD_NOTHING,
    TOLD_SOMETHING,
)
from service.reports import ReportedStep, Year, yearly
from service.reports import Service as Figures
from service.reports.figures import Between, Cell
from service.taking_back import last_step
from service.workflow import State, StepRefusedError

API = "/api/v1"
WORDS = "He shouted at me in the car."


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def raised(desk: Desk, reason: str = "concern raised", status: Status = Status.SUSPENDED) -> None:
    for rows in desk.rows():
        standing.set_status(rows, rows.volunteer(desk.volunteer), status, user_id=desk.user, reason=reason)


def taken_back(desk: Desk) -> None:
    for rows in desk.rows():
        put_in_order(rows, desk.volunteer)
        standing.set_status(
            rows, rows.volunteer(desk.volunteer), Status.APPROVED, user_id=desk.service.users["north", Role.MANAGER],
            reason="investigation closed", manager=True, found="Nothing stands against them.",
        )  # fmt: skip


def asked(desk: Desk, match: str, outcome: str, note: str | None = WORDS, **more: Any) -> None:
    given = {"asked_by": Party.AUTHORITY, "on": today(), **more}
    for rows in desk.rows():
        asking.record(rows, match, outcome, user_id=desk.user, note=note, **given)


def to_ask(desk: Desk) -> list[str]:
    for rows in desk.rows():
        found = [one.match.id for one in asking.to_ask(rows)]
    return found


def several(desk: Desk, of: str = "") -> list[str]:
    """Three past matches of the volunteer's."""
    for rows in desk.rows():
        volunteer, made = rows.volunteer(desk.volunteer), []
        for name in ("a", "b", "c"):
            row = a_match(rows.session, a_child(rows, f"past {of}{name}"), volunteer, State.ENDED, place=None)
            row.ended_on = today() - timedelta(days=400)
            made.append(row)
        rows.session.flush()
    return [row.id for row in made]


def status_of(desk: Desk) -> str | None:
    for rows in desk.rows():
        status = rows.volunteer(desk.volunteer).status
    return status


def test_a_child_stays_to_be_asked_whatever_becomes_of_the_volunteer(desk: Desk) -> None:
    past, _ = others_of(desk)
    assert to_ask(desk) == []
    raised(desk)
    taken_back(desk)
    assert (status_of(desk), to_ask(desk)) == ("approved", [past])
    told = said(part(desk, TO_BE_ASKED))
    assert "past and" in told
    assert "Nobody has recorded yet that they were asked." in told
    assert part(desk, CONCERNS_HERE) == ""
    raised(desk, "own wish", Status.RESIGNED)
    assert to_ask(desk) == [past]
    for rows in desk.rows():
        now = rows.session.scalars(select(tables.Match).where(tables.Match.volunteer_id == desk.volunteer)).all()
        for match in now:
            if match.state == State.PAUSED:
                steps.take(rows, match, "end", by=Party.AUTHORITY, user_id=desk.user, reason="other")
        privacy.erase_volunteer(rows, rows.volunteer(desk.volunteer), user_id=desk.user, reason="asked to be erased")
    assert past in to_ask(desk)
    assert "past and erased" in said(part(desk, TO_BE_ASKED))
    for rows in desk.rows():
        privacy.erase_child(rows, rows.child(rows.match(past).child_id), user_id=desk.user, reason="asked to be erased")
    assert past not in to_ask(desk)
    with pytest.raises(StepRefusedError, match="erased since"):
        asked(desk, past, TOLD_NOTHING)


@pytest.mark.parametrize(
    ("outcome", "by", "word", "still"),
    [
        (TOLD_NOTHING, Party.AUTHORITY, "child", False),
        (TOLD_NOTHING, Party.SOCIAL_WORKER, "social worker", False),
        (RATHER_NOT, Party.AUTHORITY, "child", True),
        (NOT_REACHED, Party.AUTHORITY, "authority", True),
        (NOT_REACHED, Party.SOCIAL_WORKER, "social worker", True),
        (NOT_TO_BE_ASKED, Party.SOCIAL_WORKER, "authority", False),
    ],
)
def test_what_came_of_asking_is_in_the_story_and_an_attempt_leaves_it_open(
    desk: Desk, outcome: str, by: Party, word: str, still: bool
) -> None:
    past, _ = others_of(desk)
    raised(desk)
    asked(desk, past, outcome, asked_by=by)
    assert to_ask(desk) == ([past] if still else [])
    for rows in desk.rows():
        last = rows.session.scalars(
            select(tables.Decision).where(tables.Decision.match_id == past).order_by(tables.Decision.number.desc())
        ).first()
        assert last is not None
        assert (last.step, last.reason, last.said_by, last.state) == ("asked", outcome, word, "ended")
        assert rows.open(last, "note") == WORDS
        entry = rows.session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.subject == past)).all()[-1]
        assert (entry.action, entry.reason, entry.actor) == ("decision: asked", outcome, desk.user)
        assert WORDS not in str(entry.details)
        assert audit_log.verify(rows.session, rows.keys).problem is None
    taken_back(desk)
    raised(desk, "complaint")  # another concern asks anew
    assert to_ask(desk) == [past]


def test_what_a_child_told_is_a_concern_from_that_moment(desk: Desk) -> None:
    """Also about somebody whom a manager has taken back by then."""
    past, now = others_of(desk)
    raised(desk)
    taken_back(desk)
    for rows in desk.rows():
        steps.take(rows, rows.match(now), "child_resumes", by=Party.CHILD, user_id=desk.user, reason=ASKED_BY[0],
                   note="Yes.")  # fmt: skip
    asked(desk, past, TOLD_SOMETHING)
    assert (status_of(desk), to_ask(desk)) == ("suspended", [])
    assert story(desk, now)[-1] == ("pause", "a concern about the volunteer")
    assert story(desk, past)[-1] == ("asked", TOLD_SOMETHING)  # it says so itself
    told = said(part(desk, CONCERNS_HERE))
    assert "Told something of concern, recorded of past and" in told
    letters = desk.service.as_(Role.MANAGER).get(f"/proposals/{past}/letters/ending", headers=HTML).text
    assert WORDS not in letters


def test_each_child_who_tells_something_has_the_others_asked_and_none_is_asked_twice_for_it(desk: Desk) -> None:
    first, second, third = several(desk)
    raised(desk)
    assert set(to_ask(desk)) == {first, second, third}
    asked(desk, second, TOLD_NOTHING)
    asked(desk, first, TOLD_SOMETHING)
    assert set(to_ask(desk)) == {second, third}  # who told nothing is asked about what is known by now
    asked(desk, third, TOLD_SOMETHING)
    assert to_ask(desk) == [second]  # and who has told is not asked again, while it is looked into
    asked(desk, second, TOLD_SOMETHING)
    assert to_ask(desk) == []
    raised(desk, "complaint", Status.WITHDRAWN)
    assert to_ask(desk) == []
    taken_back(desk)
    raised(desk)
    assert set(to_ask(desk)) == {first, second, third}


def test_what_was_recorded_by_mistake_is_recorded_again_and_what_it_brought_about_stays(desk: Desk) -> None:
    past, _ = others_of(desk)
    raised(desk)
    asked(desk, past, TOLD_NOTHING)
    asked(desk, past, NOT_REACHED, "It was another child.")
    assert to_ask(desk) == [past]
    taken_back(desk)
    asked(desk, past, TOLD_SOMETHING)
    asked(desk, past, TOLD_NOTHING, "That was of another visitor.")
    assert (status_of(desk), to_ask(desk)) == ("suspended", [])
    assert [step for step, _ in story(desk, past)] == ["brought_up", *["asked"] * 4]
    with pytest.raises(StepRefusedError):
        for rows in desk.rows():
            last_step(rows, rows.match(past))


def test_the_day_is_neither_to_come_nor_before_the_concern(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    past, _ = others_of(desk)
    days = [datetime.combine(today() - timedelta(days=ago), time(15), LONDON) for ago in (9, 3)]
    for day in days:
        with monkeypatch.context() as clock:
            clock.setattr(steps, "utc_now", lambda day=day: day)
            raised(desk)
    with pytest.raises(DayRefusedError, match="yet to come"):
        asked(desk, past, TOLD_NOTHING, on=today() + timedelta(days=1))
    with pytest.raises(DayRefusedError, match="What was said before that does not answer it"):
        asked(desk, past, TOLD_NOTHING, on=days[1].date() - timedelta(days=1))
    with pytest.raises(DayRefusedError):
        asked(desk, past, TOLD_SOMETHING, on=days[0].date() - timedelta(days=1))
    asked(desk, past, RATHER_NOT, on=days[1].date())  # on the day itself, and not before the hour of the concern
    asked(desk, past, TOLD_SOMETHING, on=days[0].date())  # what a child told is no less told, being early
    for rows in desk.rows():
        when = select(tables.Decision.at).where(tables.Decision.match_id == past).order_by(tables.Decision.number)
        assert rows.session.scalars(when).all() == [*days, days[1], days[0]]
    assert to_ask(desk) == []


def test_what_is_missing_is_refused(desk: Desk) -> None:
    past, now = others_of(desk)
    with pytest.raises(StepRefusedError, match="has brought this match up"):
        asked(desk, past, TOLD_NOTHING)
    raised(desk)
    for match in (now, past):
        for outcome in (TOLD_SOMETHING, NOT_TO_BE_ASKED):
            with pytest.raises(NothingWrittenError if match == past else StepRefusedError):
                asked(desk, match, outcome, " ")
    for wrong in ({"asked_by": Party.VOLUNTEER}, {"outcome": "was fine"}):
        with pytest.raises(StepRefusedError, match="is one of these"):
            asked(desk, past, **{"outcome": TOLD_NOTHING, **wrong})
    assert story(desk, past) == [("brought_up", "concern raised")]
    asked(desk, past, TOLD_NOTHING, None)


# ---- over the API ----------------------------------------------------------------------------------------------------


def send(desk: Desk, role: Role, match: str, outcome: str, *, stale: bool = False, **more: Any) -> Response:
    browser, path = desk.service.as_(role), f"{API}/matches/{match}"
    version = 0 if stale else browser.get(path).json()["version"]
    body = {"outcome": outcome, "asked_by": "authority", "on": today().isoformat(), "note": WORDS, **more}
    given = {name: value for name, value in body.items() if value is not None}
    return browser.post(f"{path}/asked", json=given, headers={"If-Match": f'"{version}"'})


def test_a_program_records_it_and_reads_who_is_to_be_asked(desk: Desk) -> None:
    past, _ = others_of(desk)
    browser = desk.service.as_(Role.COORDINATOR)
    assert send(desk, Role.COORDINATOR, past, TOLD_NOTHING).status_code == 409
    raised(desk)
    assert browser.get(f"{API}/matches/{past}").json()["to_be_asked_since"]
    assert [one["id"] for one in browser.get(f"{API}/matches?to_ask=true").json()["matches"]] == [past]
    assert send(desk, Role.ANALYST, past, TOLD_NOTHING, stale=True).status_code == 403
    assert send(desk, Role.COORDINATOR, past, TOLD_SOMETHING, note=None).status_code == 409
    assert send(desk, Role.COORDINATOR, past, "was fine").status_code == 422
    for nobody in ("volunteer", None):  # who asked is never taken for granted
        assert send(desk, Role.COORDINATOR, past, TOLD_NOTHING, asked_by=nobody).status_code == 422
    tomorrow = (today() + timedelta(days=1)).isoformat()
    assert send(desk, Role.COORDINATOR, past, TOLD_NOTHING, on=tomorrow).status_code == 409
    assert send(desk, Role.COORDINATOR, past, TOLD_NOTHING, stale=True).status_code == 412
    assert story(desk, past) == [("brought_up", "concern raised")]
    done = send(desk, Role.COORDINATOR, past, TOLD_NOTHING, asked_by="social worker")
    assert done.status_code == 200
    last = done.json()["timeline"][-1]
    assert (last["step"], last["by"], last["reason"], last["note"]) == ("asked", "social worker", TOLD_NOTHING, WORDS)
    assert done.json()["to_be_asked_since"] is None
    assert browser.get(f"{API}/matches?to_ask=true").json()["total"] == 0
    # What a child told is recorded whatever was recorded meanwhile.
    assert send(desk, Role.COORDINATOR, past, TOLD_SOMETHING, stale=True).status_code == 200


def test_a_manager_alone_says_that_a_child_is_not_to_be_asked(desk: Desk) -> None:
    past, _ = others_of(desk)
    raised(desk)
    assert send(desk, Role.COORDINATOR, past, NOT_TO_BE_ASKED).status_code == 403
    assert to_ask(desk) == [past]
    assert send(desk, Role.MANAGER, past, NOT_TO_BE_ASKED).status_code == 200
    assert to_ask(desk) == []


# ---- what others are told of it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ASKED_OUTCOMES)
@pytest.mark.parametrize("by", asking.ASKERS)
def test_a_childs_word_is_in_their_own_export_and_never_in_the_volunteers(desk: Desk, outcome: str, by: Party) -> None:
    past, _ = others_of(desk)
    raised(desk)
    asked(desk, past, outcome, asked_by=by)
    for rows in desk.rows():
        match = rows.match(past)
        of_child = subject_access.child_export(rows, rows.child(match.child_id))
        of_volunteer = subject_access.volunteer_export(rows, rows.volunteer(desk.volunteer))
    last = of_child["matches"][0]["decisions"][-1]
    assert (last["step"], last["reason"]) == ("asked", outcome)
    theirs = by is Party.AUTHORITY and outcome in (TOLD_NOTHING, TOLD_SOMETHING, RATHER_NOT)
    assert last["note"] == (WORDS if theirs else None)
    assert WORDS not in str(of_volunteer)
    assert outcome not in str(of_volunteer)
    told = [one["step"] for match in of_volunteer["matches"] if match["id"] == past for one in match["decisions"]]
    assert told == ["brought_up"]
    for rows in desk.rows():
        child = rows.child(rows.match(past).child_id)
        privacy.erase_child(rows, child, user_id=desk.user, reason="asked to be erased")
        notes = select(tables.Decision.note).where(tables.Decision.match_id == past)
        assert set(rows.session.scalars(notes)) == {None}


def test_nobody_is_due_to_be_erased_while_the_child_is_to_be_asked(desk: Desk) -> None:
    past, now = others_of(desk)
    for rows in desk.rows():
        match = rows.match(past)
        pair = {match.child_id, match.volunteer_id}
        steps.take(rows, rows.match(now), "end", by=Party.AUTHORITY, user_id=desk.user, reason="other")
    raised(desk)
    asked(desk, now, TOLD_NOTHING)
    in_ten_years = today() + timedelta(days=3650)

    def due() -> set[str]:
        for rows in desk.rows():
            found = {one.id for one in retention.due(rows, in_ten_years)}
        return found & pair

    assert due() == set()
    asked(desk, past, RATHER_NOT)
    assert due() == set()
    asked(desk, past, TOLD_NOTHING)
    assert due() == pair


def test_the_report_counts_what_stands(desk: Desk) -> None:
    """Not what was recorded by mistake and again, nor what was tried; and of each concern what it asked."""
    matches = [match for round in "xy" for match in several(desk, round)]
    raised(desk)
    for match in matches:
        asked(desk, match, TOLD_NOTHING)
        asked(desk, match, NOT_REACHED)
        asked(desk, match, TOLD_NOTHING)
    page = desk.service.as_(Role.MANAGER).get("/reports/year", headers=HTML).text

    def times(what: str) -> str:
        found = re.search(rf"{what}</th>\s*<td[^>]*>\s*(?:<[^>]+>\s*)*([^<]+)", page)
        return found[1].strip() if found else ""

    assert times("Past visits or meetings of which the child was to be asked, after a concern") == "6"
    assert times("A child who was asked of past visits or a meeting told nothing of concern") == "6"
    assert times("A child who was asked of past visits or a meeting told something of concern") == "0"


@pytest.mark.parametrize(
    ("nothing", "something", "left", "told"),
    [
        (0, 0, 6, (6, 0, 0)),
        (6, 0, 0, (6, 6, 0)),
        (20, 1, 0, (21, Between(17, 20), Between(1, 4))),
        (1, 20, 0, (21, Between(1, 4), Between(17, 20))),
        (2, 1, 0, (Between(1, 4),) * 3),
    ],
)
def test_nobody_works_out_that_a_child_told_something(
    nothing: int, something: int, left: int, told: tuple[Cell, ...]
) -> None:
    steps = [
        *[ReportedStep(date(2026, 5, 4), "brought_up", "concern raised")] * (nothing + something + left),
        *[ReportedStep(date(2026, 5, 5), "asked", TOLD_NOTHING)] * nothing,
        *[ReportedStep(date(2026, 5, 5), "asked", TOLD_SOMETHING)] * something,
    ]
    report = yearly(Figures(date(2026, 11, 15), steps=steps), Year(2026))
    assert tuple(cells[0] for _, cells in report.tables[3].rows[-3:]) == told
