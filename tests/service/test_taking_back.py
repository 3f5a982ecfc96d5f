"""A step that was recorded by mistake is taken back: what stands again, what stays, and who may."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from conftest import Service
from service_rows import says_yes
from sqlalchemy import select
from test_one_budget import paid_by_one, spent
from test_proposals import ASKED_AGAIN, WAY, Desk

from matcher.instance import today
from matcher.records import Agreement, ExceptionKind, Party, Status
from service import audit_log, budgets, people, privacy, proposals, standing, steps, taking_back
from service.database import tables
from service.database.base import utc_now
from service.permissions import Role
from service.reasons import ASKED_BY, UNSAFE
from service.repository import Repository
from service.steps import Stood
from service.workflow import STEPS, Rules, State, StepRefusedError, to_stand_again

API = "/api/v1"
HTML = {"Accept": "text/html"}
DECLINES = ("child_declines", Party.CHILD, "does not want this visitor")
WHY = "It was another child."


@pytest.fixture
def desk(service: Service) -> Desk:
    made = Desk(service)
    made.now -= timedelta(days=60)  # so that a whole story fits in before now
    return made


def led(desk: Desk, steps: int) -> str:
    match = desk.propose()
    for step, by in WAY[:steps]:
        desk.step(match, step, by)
    return match


def back(desk: Desk, match: str, why: str = WHY) -> State:
    for rows in desk.rows():
        row = taking_back.take_back(rows, match, user_id=desk.user, why=why)
    return State(row.state)


def stood(desk: Desk, match: str) -> tuple[Stood, int | None]:
    for rows in desk.rows():
        row = rows.match(match)
        told = Stood.of(row), row.place
    return told


def story(rows: Repository, match: str) -> list[tables.Decision]:
    query = select(tables.Decision).where(tables.Decision.match_id == match)
    return list(rows.session.scalars(query.order_by(tables.Decision.number)))


def noes(desk: Desk) -> int:
    for rows in desk.rows():
        pair = tables.Declined.child_id == desk.child, tables.Declined.volunteer_id == desk.volunteer
        found = len(rows.session.scalars(select(tables.Declined).where(*pair)).all())
    return found


# ---- what stands again -----------------------------------------------------------------------------------------------


def test_which_rules_are_asked() -> None:
    asked = {step.id: to_stand_again(step, State.ACTIVE) for step in STEPS}
    assert (asked.pop("pause"), asked.pop("end")) == (Rules.CORE, Rules.AGAIN)
    noes = {step.id for step in STEPS if step.final} - {"pause", "end"}
    assert {id for id, rules in asked.items() if rules is Rules.ALL} == noes
    assert {asked[id] for id in asked.keys() - noes} == {Rules.NONE}


def test_each_step_of_the_way_is_taken_back_and_recorded_anew(desk: Desk) -> None:
    match = desk.propose()
    way = [*WAY, ("review_falls_due", Party.AUTHORITY), ("review_held", Party.AUTHORITY)]
    for step, by in way:
        before = stood(desk, match)
        after = desk.step(match, step, by)
        assert stood(desk, match) != before
        assert back(desk, match) is before[0].state
        assert stood(desk, match) == before
        desk.now -= timedelta(days=1)
        assert desk.step(match, step, by) is after
    for rows in desk.rows():
        told = story(rows, match)
        assert [one.step for one in told[1:]] == [id for step, _ in way for id in (step, "taken_back", step)]
        assert [one.step for one in steps.standing(told)] == ["propose", *(step for step, _ in way)]
        counted = select(tables.Decision.step).where(tables.Decision.match_id == match, steps.STANDS)
        assert sorted(rows.session.scalars(counted)) == sorted(one.step for one in steps.standing(told))
        assert {rows.open(one, "note") for one in told if one.step == "taken_back"} == {WHY}
        assert audit_log.verify(rows.session, rows.keys).problem is None


@pytest.mark.parametrize(
    ("begun", "step", "by", "reason"),
    [
        (2, *DECLINES), (0, "volunteer_declines", Party.VOLUNTEER, "too far"),
        (5, "social_worker_declines", Party.SOCIAL_WORKER, "known to the family"),
        (3, "withdraw", Party.AUTHORITY, "entered by mistake"), (6, "pause", Party.AUTHORITY, "circumstances"),
        (7, "pause", Party.AUTHORITY, "circumstances"), (7, "end", Party.VOLUNTEER, "other"),
        (6, "end", Party.PLANNED, "planned ending"),
    ],
)  # fmt: skip
def test_a_no_that_nobody_said_is_taken_back(desk: Desk, begun: int, step: str, by: Party, reason: str) -> None:
    match = led(desk, begun)
    before = stood(desk, match)
    desk.step(match, step, by, reason)
    assert noes(desk) == step.endswith("declines")
    assert back(desk, match) is before[0].state
    assert stood(desk, match) == before
    assert noes(desk) == 0
    if begun < len(WAY):
        desk.step(match, *WAY[begun])  # it goes on from where it stood


def test_steps_are_taken_back_one_after_another_but_not_that_it_was_proposed(desk: Desk) -> None:
    match = led(desk, 3)
    assert [back(desk, match) for _ in range(3)] == [State.CHILD_CONSIDERS, State.VOLUNTEER_CONSIDERS, State.PROPOSED]
    with pytest.raises(StepRefusedError, match="Withdraw the proposal"):
        back(desk, match)
    desk.step(match, *WAY[0])
    assert back(desk, match) is State.PROPOSED


def test_a_yes_waits_a_day_after_the_meeting_also_when_one_was_taken_back(desk: Desk) -> None:
    match = led(desk, 4)
    met = stood(desk, match)[0].since
    desk.step(match, "child_agrees", Party.CHILD)
    back(desk, match)
    for hours, refused in ((23, True), (25, False)):
        for rows in desk.rows():
            at = met + timedelta(hours=hours)
            if refused:
                with pytest.raises(StepRefusedError, match="24 hours"):
                    proposals.take_step(rows, match, "child_agrees", by=Party.CHILD, user_id=desk.user, at=at)
            else:
                proposals.take_step(rows, match, "child_agrees", by=Party.CHILD, user_id=desk.user, at=at)


# ---- what it is refused for ------------------------------------------------------------------------------------------


def refused(desk: Desk, match: str) -> str:
    """Why it is; and nothing has changed."""
    before, said = stood(desk, match), noes(desk)
    with pytest.raises(StepRefusedError) as told:
        back(desk, match)
    assert (stood(desk, match), noes(desk)) == (before, said)
    return str(told.value)


def test_a_rule_that_fails_by_now_is_told(desk: Desk) -> None:
    match = led(desk, 2)
    desk.step(match, *DECLINES)
    desk.change_volunteer(dbs_checked_on=today() - timedelta(days=4 * 366))
    assert "DBS check has lapsed" in refused(desk, match)
    desk.change_volunteer(dbs_checked_on=today())
    assert back(desk, match) is State.CHILD_CONSIDERS


@pytest.mark.parametrize("then", ["pause", "end"])
def test_visits_that_a_core_rule_forbids_by_now_do_not_go_on(desk: Desk, then: str) -> None:
    match = led(desk, 7)
    desk.step(match, then, Party.AUTHORITY, "circumstances" if then == "pause" else "other")
    desk.change_volunteer(references_accepted=0)
    assert "references" in refused(desk, match)


def test_after_an_ending_every_rule_is_asked_but_those_of_a_beginning(desk: Desk) -> None:
    """Visits that were paused go on by the core rules, as when they are resumed."""
    match = led(desk, 7)
    desk.step(match, "end", Party.AUTHORITY, "other")
    desk.change_volunteer(commitment_until=today(), support_sessions=0, known_children=None)
    told = refused(desk, match)
    assert "which children" in told
    assert "committed" not in told
    assert "sessions" not in told
    desk.change_volunteer(known_children=())
    assert back(desk, match) is State.ACTIVE
    desk.step(match, "pause", Party.AUTHORITY, "circumstances")
    desk.change_volunteer(known_children=None)
    assert back(desk, match) is State.ACTIVE


def test_an_ending_is_taken_back_within_two_weeks_of_its_being_recorded(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever day it is of. A pause has no such end: the visits are to go on some day."""
    match = led(desk, 7)
    desk.step(match, "end", Party.AUTHORITY, "other")  # of weeks ago
    recorded = utc_now()
    monkeypatch.setattr(taking_back, "utc_now", lambda: recorded + timedelta(days=14, minutes=1))
    assert "recorded more than 14 days ago" in refused(desk, match)
    monkeypatch.setattr(taking_back, "utc_now", lambda: recorded + timedelta(days=13, hours=23))
    assert back(desk, match) is State.ACTIVE
    desk.step(match, "pause", Party.AUTHORITY, "circumstances")
    monkeypatch.setattr(taking_back, "utc_now", lambda: recorded + timedelta(days=100))
    assert back(desk, match) is State.ACTIVE


def approved_again(desk: Desk) -> None:
    manager = desk.service.users["north", Role.MANAGER]
    for rows in desk.rows():
        volunteer = rows.volunteer(desk.volunteer)
        assert volunteer.status == Status.SUSPENDED
        standing.set_status(rows, volunteer, Status.APPROVED, user_id=manager, reason="investigation closed")


@pytest.mark.parametrize(
    ("begun", "step", "by", "instead"),
    [
        (2, "child_declines", Party.CHILD, "Go on with the child’s shortlist."),
        (5, "child_declines", Party.CHILD, "Go on with the child’s shortlist."),
        (6, "pause", Party.AUTHORITY, "ask the child"), (7, "pause", Party.AUTHORITY, "ask the child"),
    ],
)  # fmt: skip
def test_that_a_child_does_not_feel_safe_is_not_taken_back(
    desk: Desk, begun: int, step: str, by: Party, instead: str
) -> None:
    """Neither while somebody looks into it, nor once a manager has: what they found is not the child's word."""
    match = led(desk, begun)
    desk.step(match, step, by, UNSAFE)
    assert instead in refused(desk, match)
    approved_again(desk)
    assert instead in refused(desk, match)
    page = desk.service.as_(Role.MANAGER).get(f"/proposals/{match}", headers=HTML).text
    assert "recorded by mistake" not in page
    if step == "pause":
        with pytest.raises(StepRefusedError):
            desk.step(match, "resume", Party.AUTHORITY)
        assert desk.step(match, "child_resumes", Party.CHILD, **ASKED_AGAIN) is State.ACTIVE


def test_visits_that_ended_since_a_child_did_not_feel_safe_are_paused_until_the_child_was_asked(desk: Desk) -> None:
    """As when the ending was recorded for another child: nobody loses a visitor by it, nor is visited unasked."""
    match = led(desk, 7)
    desk.step(match, "end", Party.CHILD, UNSAFE)
    assert "stays suspended" in refused(desk, match)
    approved_again(desk)
    assert "That the child is to be asked again stays" in refused(desk, match)
    for rows in desk.rows():
        says_yes(rows, desk.child, desk.user)
    page = desk.service.as_(Role.MANAGER).get(f"/proposals/{match}/take-back", headers=HTML).text
    assert f"its visits are paused from now on for “the child {UNSAFE}”" in page
    assert back(desk, match) is State.PAUSED
    for rows in desk.rows():
        assert rows.match(match).place is not None
        assert [one.step for one in story(rows, match)[-3:]] == ["end", "taken_back", "pause"]
    assert "ask the child" in refused(desk, match)
    desk.now = utc_now() - timedelta(days=2)
    with pytest.raises(StepRefusedError, match=f"“paused” for “{UNSAFE}”"):
        desk.step(match, "resume", Party.AUTHORITY)
    for rows in desk.rows():
        row = proposals.take_step(
            rows, match, "child_resumes", by=Party.CHILD, user_id=desk.user, reason=ASKED_BY[0], note="Yes."
        )
        assert row.state == State.ACTIVE


def test_who_was_proposed_to_since_is_not_taken_away_from_them(desk: Desk) -> None:
    match = led(desk, 1)
    desk.step(match, *DECLINES)
    other = desk.propose(volunteer=desk.candidates()[0])
    assert f"{desk.child} has another proposal or visitor by now." in refused(desk, match)
    desk.step(other, "withdraw", Party.AUTHORITY, "another proposal is better")
    for rows in desk.rows():
        fresh = rows.instance(today())
        others = [one.id for one in fresh.waiting if one.id != desk.child and not rows.child(one.id).objects]
        taken = {one.child for one in fresh.matches}
        child = next(
            one for one in others if one not in taken and not proposals.failing_rules(fresh, one, desk.volunteer)
        )
    desk.propose(child=child)
    assert f"{desk.volunteer} has no place left" in refused(desk, match)


def test_a_no_besides_stays_and_forbids_it(desk: Desk) -> None:
    match = led(desk, 2)
    for rows in desk.rows():
        rows.session.add(
            tables.Declined(child_id=desk.child, volunteer_id=desk.volunteer, said_by="child", declined_on=today())
        )
    desk.step(match, *DECLINES)
    assert noes(desk) == 2
    assert "Somebody else said no to this pair" in refused(desk, match)
    for rows in desk.rows():
        pair = tables.Declined.child_id == desk.child, tables.Declined.match_id.is_(None)
        rows.session.delete(rows.session.scalars(select(tables.Declined).where(*pair)).one())
    assert back(desk, match) is State.CHILD_CONSIDERS


def test_a_place_that_went_with_the_match_is_not_taken_again(desk: Desk) -> None:
    """The exception for a second child was withdrawn meanwhile, and another child has the place that is left."""
    match = led(desk, 7)
    for rows in desk.rows():
        kind = ExceptionKind.SECOND_CHILD
        row = tables.RecordedException(kind=kind, volunteer_id=desk.volunteer, value=2, approved_on=today())
        rows.seal(row, "reason", "as the panel said")
        rows.seal(row, "approved_by", "a manager")
        rows.session.add(row)
        rows.session.flush()
        rows.set_capacities(rows.policy()[1])
        rows.session.flush()
        matched = {*rows.session.scalars(select(tables.Match.child_id))}
        child = rows.child(next(id for id in desk.service.children() if id not in matched))
        rows.session.add(
            tables.Match(
                child_id=child.id, family_id=child.family_id, child_objects=child.objects, volunteer_id=desk.volunteer,
                capacity=2, place=1, state=State.ACTIVE,
            )
        )  # fmt: skip
        row.withdrawn_on = today()
    desk.step(match, "end", Party.AUTHORITY, "other")
    for rows in desk.rows():
        assert rows.volunteer(desk.volunteer).capacity == 1
    assert f"{desk.volunteer} has no place left" in refused(desk, match)


@pytest.mark.parametrize(
    ("reason", "by", "stays"),
    [
        ("does not want a visitor now", Party.CHILD, "to be asked again stays"),
        ("objects to any visitor", Party.CHILD, "wants no visitor stays"),
        ("safeguarding concern about the child", Party.SOCIAL_WORKER, "The safeguarding issue stays on record"),
        ("safeguarding concern about the volunteer", Party.SOCIAL_WORKER, "The volunteer stays suspended"),
        ("safeguarding concern about the volunteer", Party.SOCIAL_WORKER, "to be asked again stays"),
    ],
)
def test_what_a_no_brought_about_stays_until_somebody_changes_it(
    desk: Desk, reason: str, by: Party, stays: str
) -> None:
    match = led(desk, 2)
    desk.step(match, f"{by.replace(' ', '_')}_declines", by, reason)
    assert stays in refused(desk, match)
    manager = desk.service.users["north", Role.MANAGER]
    for rows in desk.rows():
        child, volunteer = rows.child(desk.child), rows.volunteer(desk.volunteer)
        people.change_child(
            rows,
            child,
            {"agrees": "yes", "safeguarding_issue": "no"},
            user_id=manager,
            why="recorded by mistake",
            found="It was another child.",
            asked=people.Asked("social worker", today()),
        )
        if volunteer.status != Status.APPROVED:
            standing.set_status(rows, volunteer, Status.APPROVED, user_id=manager, reason="investigation closed")
    assert back(desk, match) is State.CHILD_CONSIDERS
    for rows in desk.rows():
        assert rows.child_record(rows.child(desk.child), family_known=True).agrees is Agreement.YES


def test_what_somebody_elses_suspension_withdrew_and_paused_stands_again_once_it_is_lifted(desk: Desk) -> None:
    match = led(desk, 3)
    manager = desk.service.users["north", Role.MANAGER]
    for rows in desk.rows():
        standing.set_status(
            rows, rows.volunteer(desk.volunteer), Status.SUSPENDED, user_id=manager, reason="concern raised"
        )
    assert stood(desk, match)[0].state is State.WITHDRAWN
    refused(desk, match)
    for rows in desk.rows():
        volunteer = rows.volunteer(desk.volunteer)
        standing.set_status(rows, volunteer, Status.APPROVED, user_id=manager, reason="investigation closed")
    assert back(desk, match) is State.MEETING


def test_what_came_with_a_file_or_was_changed_by_one_is_not_taken_back(desk: Desk) -> None:
    match = led(desk, 7)
    desk.step(match, "end", Party.AUTHORITY, "other")
    for rows in desk.rows():
        entry = audit_log.Entry(desk.user, "import: change match", match, details={"fields": ["ended_on"]})
        audit_log.record(rows.session, rows.keys, entry)
    assert "A file has changed its days since" in refused(desk, match)
    active = desk.service.a_match()
    assert "not in its story" in refused(desk, active)  # of the county, which nobody took in by name
    for rows in desk.rows():
        row = rows.match(active)
        steps.decide(rows, row, steps.TAKEN_IN, Party.AUTHORITY, desk.user, row.since, None, None)
    assert "It came with a file" in refused(desk, active)
    for rows in desk.rows():
        steps.end_by_file(rows, rows.match(active), by=Party.AUTHORITY, ended_on=today(), user_id=desk.user)
    assert "How it stood before is not kept" in refused(desk, active)


def test_an_ending_after_which_the_child_was_brought_up_stays(desk: Desk) -> None:
    match = led(desk, 7)
    desk.step(match, "end", Party.AUTHORITY, "other")
    manager = desk.service.users["north", Role.MANAGER]
    for rows in desk.rows():
        volunteer = rows.volunteer(desk.volunteer)
        standing.set_status(rows, volunteer, Status.SUSPENDED, user_id=manager, reason="concern raised")
        standing.set_status(rows, volunteer, Status.APPROVED, user_id=manager, reason="investigation closed")
    assert "Something else has been recorded since" in refused(desk, match)


@pytest.mark.parametrize("who", ["child", "volunteer"])
def test_nobody_who_was_erased_is_visited_again(desk: Desk, who: str) -> None:
    match = led(desk, 7)
    desk.step(match, "end", Party.AUTHORITY, "other")
    for rows in desk.rows():
        why = "asked to be erased"
        if who == "child":
            privacy.erase_child(rows, rows.child(desk.child), user_id=desk.user, reason=why)
        else:
            privacy.erase_volunteer(rows, rows.volunteer(desk.volunteer), user_id=desk.user, reason=why)
    assert "One of the two was erased." in refused(desk, match)


def test_what_was_taken_back_is_no_beginning_of_a_story(desk: Desk) -> None:
    """Of visits that began before Kith: that they ended is recorded for a day before the pause that never was."""
    match = desk.service.a_match()
    desk.now = utc_now() - timedelta(days=2)
    desk.step(match, "pause", Party.AUTHORITY, "circumstances")
    assert back(desk, match) is State.ACTIVE
    desk.now = utc_now() - timedelta(days=12)
    assert desk.step(match, "end", Party.AUTHORITY, "other") is State.ENDED
    assert stood(desk, match)[0].ended_on == today() - timedelta(days=10)


# ---- money -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told_anew", [False, True])
def test_an_appointment_by_mistake_is_paid_for_no_longer(desk: Desk, told_anew: bool) -> None:
    """But a figure that somebody has told since is theirs."""
    council, (first, _) = paid_by_one(desk.service)
    desk.child, desk.volunteer = first.child, first.volunteer
    match = led(desk, 6)
    assert spent(desk.service, council) == first.cost_pence
    manager = desk.service.users["north", Role.MANAGER]
    if told_anew:
        for rows in desk.rows():
            rows.take_turn()
            row = budgets.row_of(rows, council)
            assert row is not None
            budgets.set_budget(rows, council, row.budget_pence, 100, user_id=manager)
    assert back(desk, match) is State.AGREED
    assert spent(desk.service, council) == (100 if told_anew else 0)
    for rows in desk.rows():
        row = budgets.row_of(rows, council)
        assert row is not None
        assert budgets.history(rows, row).added == []
    desk.now -= timedelta(days=1)
    if not told_anew:
        desk.step(match, "appoint", Party.AUTHORITY)
        assert spent(desk.service, council) == first.cost_pence
        for rows in desk.rows():
            row = budgets.row_of(rows, council)
            assert row is not None
            assert [one.pence for one in budgets.history(rows, row).added] == [first.cost_pence]
        page = desk.service.as_(Role.MANAGER).get(f"/proposals/{match}/take-back", headers=HTML).text
        assert f"£{first.cost_pence / 100:,.2f} a year is taken off what" in page


# ---- what counts no more ---------------------------------------------------------------------------------------------


def test_a_report_and_an_export_do_not_count_what_was_taken_back(desk: Desk) -> None:
    match = led(desk, 1)
    manager = desk.service.as_(Role.MANAGER)

    def times(what: str) -> str:
        page = manager.get("/reports/matches", headers=HTML).text
        found = re.search(rf"{what}</th>\s*<td[^>]*>\s*(?:<[^>]+>\s*)*([^<\s]+)", page)
        return found[1] if found else "0"

    desk.step(match, "volunteer_declines", Party.VOLUNTEER, "too far")
    assert times("The volunteer said no") == "1"
    back(desk, match)
    assert times("The volunteer said no") == "0"
    assert times("The volunteer was asked") == "1"
    for who, id, own in (("children", desk.child, "taken_back"), ("volunteers", desk.volunteer, "volunteer_declines")):
        told = manager.get(f"{API}/{who}/{id}/export").json()
        decisions = next(one for one in told["matches"] if one["id"] == match)["decisions"]
        assert [one["step"] for one in decisions if one["taken_back"]] == ["volunteer_declines"]
        assert own in [one["step"] for one in decisions]
        assert WHY not in str(told)  # who wrote it speaks of both
        assert told["declined"] == []


def test_visits_are_paused_for_the_reason_that_counts_and_a_letter_has_the_day_that_does(desk: Desk) -> None:
    match = led(desk, 7)
    desk.step(match, "pause", Party.AUTHORITY, "circumstances")
    desk.step(match, "resume", Party.AUTHORITY)
    desk.step(match, "pause", Party.AUTHORITY, "a check has lapsed")
    back(desk, match)
    back(desk, match)
    assert stood(desk, match)[0].state is State.PAUSED
    page = desk.service.as_(Role.COORDINATOR).get("/", headers=HTML).text
    line = page.partition(f'href="/proposals/{match}"')[2].partition("</li>")[0]
    assert "Other circumstances; no visits</span>" in line
    assert "A check has lapsed" not in page
    back(desk, match)
    back(desk, match)
    back(desk, match)
    letter = desk.service.as_(Role.COORDINATOR).get(f"/proposals/{match}/letters/appointment", headers=HTML)
    appointed = stood(desk, match)[0]
    assert (appointed.state, letter.status_code) == (State.AGREED, 200)
    on = today()
    assert f"{on.day} {on:%B %Y}" in letter.text  # of today: nobody is appointed yet
