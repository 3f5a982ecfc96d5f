"""Runs: triggers that become one, what a run keeps, what becomes of it when the worker or the run dies."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

import pytest
from conftest import Service
from running import ask, later, run_once, state_of, take, touch
from service_rows import put_in_order
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from matcher.instance import today
from matcher.plan import Plan
from matcher.records import Status
from matcher.shortlist import shortlist
from service import audit_log, people, plans, runs, standing
from service.crypto import KeyRing
from service.database import tables
from service.database.base import utc_now
from service.database.engine import Database
from service.permissions import Role
from service.repository import Repository
from service.runs import Held, NotHeldError, RunError

# ---- triggers --------------------------------------------------------------------------------------------------------


def test_triggers_that_come_together_become_one_run(database: Database, north: str) -> None:
    ids = {ask(database, north, reason) for reason in ("volunteer approved", "child referred", "volunteer approved")}
    assert len(ids) == 1
    with database.read(north) as session:
        assert runs.find(session, ids.pop()).reasons == ["volunteer approved", "child referred"]


def test_of_triggers_at_the_same_moment_one_makes_the_run(database: Database, north: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda n: ask(database, north, runs.REASONS[n % 5]), range(16)))
    assert len(ids) == 1
    with database.read(north) as session:
        assert sorted(runs.find(session, ids.pop()).reasons) == sorted(runs.REASONS[:5])


def test_a_change_waits_a_minute_for_others_and_a_person_does_not_wait(database: Database, north: str) -> None:
    ask(database, north, "match ended")
    assert runs.take(database, north) is None
    ask(database, north, "manual")
    assert runs.take(database, north) is not None
    ask(database, north, "match ended")  # it read the same data: nothing is to be done
    touch(database, north)
    ask(database, north, "match ended")
    later(database, north, timedelta(seconds=61))
    assert runs.take(database, north) is None  # one goes on


def test_within_a_minute_the_same_data_are_not_run_twice(database: Database, north: str) -> None:
    first = ask(database, north)
    take(database, north)
    assert ask(database, north) == first
    touch(database, north)
    assert ask(database, north) != first


def test_a_trigger_is_there_with_the_change_or_not_at_all(database: Database, north: str) -> None:
    with pytest.raises(ZeroDivisionError), database.write(north) as session:
        runs.ask_for(session, north, "volunteer approved")
        raise ZeroDivisionError
    with database.read(north) as session:
        assert session.scalar(select(func.count()).select_from(tables.Run)) == 0


def test_whoever_changes_what_matters_asks_for_a_run(service: Service) -> None:
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        volunteer = session.scalars(select(tables.Volunteer).where(tables.Volunteer.status == "approved")).first()
        assert volunteer is not None
        put_in_order(rows, volunteer.id)
        user = service.users["north", Role.MANAGER]
        standing.set_status(rows, volunteer, Status.SUSPENDED, user_id=user, reason="other")
        closed, found = "investigation closed", "Nothing."
        standing.set_status(rows, volunteer, Status.APPROVED, user_id=user, reason=closed, manager=True, found=found)
        people.add_child(rows, "a new referral 1", {}, None, user_id=user)
    with service.database.read(service.north) as session:
        run = session.scalars(select(tables.Run)).one()
        assert run.reasons == ["volunteer suspended", "volunteer approved", "child referred"]


def test_two_workers_never_hold_the_same_run(database: Database, north: str) -> None:
    ask(database, north)
    with ThreadPoolExecutor(4) as pool:
        held = [one for one in pool.map(lambda _: runs.take(database, north), range(4)) if one]
    assert len(held) == 1


def test_the_night_asks_once(database: Database, keys: KeyRing, north: str) -> None:
    since = utc_now() - timedelta(hours=1)
    for _ in range(2):
        runs.ask_nightly(database, north, since)
    held = take(database, north)
    touch(database, north)
    runs.ask_nightly(database, north, since)
    assert runs.take(database, north) is None
    runs.end(database, keys, held, "failed", "x")
    later(database, north, timedelta(days=1))
    runs.ask_nightly(database, north, since)
    assert runs.take(database, north) is not None


# ---- what is kept ----------------------------------------------------------------------------------------------------


def test_a_run_keeps_its_plan_and_every_shortlist(database: Database, keys: KeyRing, north: str) -> None:
    run_id = run_once(database, keys, north)
    with database.read(north) as session:
        rows = Repository(session, keys)
        row, found = plans.of_run(rows, run_id)
        plan, instance = Plan.from_dict(found.plan), rows.instance(today())
        assert (row.status, plan.data_hash, found.before) == ("OPTIMAL", instance.data_hash, None)
        assert {one["child"] for one in found.shortlists} <= {child.id for child in instance.waiting}
        for child in instance.waiting[:3]:
            for order in ("plan", "fit"):
                told = plans.stored_shortlist(rows, child.id, 3, order)
                fresh = shortlist(instance, child.id, top=3, rank_by=order, plan=plan)  # type: ignore[arg-type]
                assert told is not None
                assert [one["volunteer"] for one in told["shortlist"]] == [one.volunteer for one in fresh]


def test_a_large_authority_keeps_its_shortlists_by_fit_alone(
    database: Database, keys: KeyRing, north: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MOST_BY_PLAN", 3)
    run_id = run_once(database, keys, north)
    with database.read(north) as session:
        rows = Repository(session, keys)
        plan, instance = Plan.from_dict(plans.of_run(rows, run_id)[1].plan), rows.instance(today())
        assert len(instance.waiting) > 3
        for child in instance.waiting:
            assert plans.stored_shortlist(rows, child.id, 3, "plan") is None  # worked out for whoever asks
            told = plans.stored_shortlist(rows, child.id, 3, "fit")
            fresh = shortlist(instance, child.id, top=3, rank_by="fit", plan=plan)
            assert told is not None
            assert told["shortlist"] == json.loads(json.dumps([one.to_dict() for one in fresh]))
            assert told["effects"] == ("not asked for" if fresh else "exact")
    touch(database, north)
    again = run_once(database, keys, north)
    with database.read(north) as session:
        assert plans.of_run(Repository(session, keys), again)[1].shortlists == []


def test_a_stored_shortlist_is_told_only_while_nothing_changed(database: Database, keys: KeyRing, north: str) -> None:
    run_once(database, keys, north)
    with database.read(north) as session:
        rows = Repository(session, keys)
        child = rows.instance(today()).waiting[0].id
        assert plans.stored_shortlist(rows, child, plans.TOP, "plan") is not None
        assert plans.stored_shortlist(rows, child, plans.TOP + 1, "plan") is None
    touch(database, north)
    with database.read(north) as session:
        assert plans.stored_shortlist(Repository(session, keys), child, 1, "plan") is None


def test_what_a_change_does_to_the_shortlists_is_told(database: Database, keys: KeyRing, north: str) -> None:
    run_once(database, keys, north)
    with database.write(north) as session:
        rows = Repository(session, keys)
        first = rows.instance(today()).waiting
        child = next(one.id for one in first if plans.stored_shortlist(rows, one.id, 1, "fit")["shortlist"])  # type: ignore[index]
        gone = plans.stored_shortlist(rows, child, 1, "fit")["shortlist"][0]["volunteer"]  # type: ignore[index]
        session.add(tables.Declined(child_id=child, volunteer_id=gone, said_by="child"))
        assert runs.ask_for(session, north, "match ended").state == "queued"
    run_id = run_once(database, keys, north)
    with database.read(north) as session:
        _, found = plans.of_run(Repository(session, keys), run_id)
    change = next(one for one in found.shortlists if one["child"] == child)
    assert gone in change["before"]
    assert gone not in change["now"]
    assert found.diff is not None
    assert found.before is not None


def test_of_a_worker_that_was_taken_for_dead_nothing_is_kept(database: Database, keys: KeyRing, north: str) -> None:
    ask(database, north)
    held = take(database, north)
    with database.write(north) as session:
        runs.find(session, held.run_id).leased_until = utc_now() - timedelta(seconds=1)
    assert runs.give_up_lost(database, keys, north) == [held.run_id]
    with pytest.raises(NotHeldError):
        plans.make(database, keys, held, lambda _: None)
    with database.read(north) as session:
        assert session.scalar(select(func.count()).select_from(tables.Plan)) == 0
        assert session.scalar(select(func.count()).select_from(tables.Shortlist)) == 0
    assert state_of(database, keys, north, held.run_id) == ("failed", runs.LOST)
    ask(database, north)
    assert runs.take(database, north) is not None


def test_whoever_cancels_a_run_and_its_worker_never_wait_for_each_other(
    database: Database, keys: KeyRing, north: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.sqlite:
        pytest.skip("SQLite has one writer at a time")
    ask(database, north)
    held, keeping, locked = take(database, north), Event(), Event()

    def still_held(session: Session, held: Held) -> tables.Run:
        run = runs.still_held(session, held)
        locked.set()
        return run

    def tell(told: str) -> None:
        if told.startswith("Keeping"):
            keeping.set()

    monkeypatch.setattr(plans, "still_held", still_held)
    with ThreadPoolExecutor(1) as pool:
        with database.write(north) as session:
            audit_log.take_turn(session)
            made = pool.submit(plans.make, database, keys, held, tell)
            assert keeping.wait(60)
            locked.wait(1)  # the worker waits for its turn before it locks the run, or both would wait here
            runs.cancel(session, keys, held.run_id, user_id="u")
        assert made.result(60)
    assert state_of(database, keys, north, held.run_id)[0] == "done"


# ---- publishing ------------------------------------------------------------------------------------------------------


def test_a_plan_is_published_by_a_person_one_at_a_time(service: Service) -> None:
    database, keys, north = service.database, service.keys, service.north
    first = run_once(database, keys, north)
    touch(database, north)
    second = run_once(database, keys, north)
    browser = service.as_(Role.COORDINATOR)
    for run_id in (first, second):
        told = browser.post(f"/api/v1/runs/{run_id}/publish", json={"reason": "agreed at the meeting"})
        assert (told.status_code, told.json()["is_current"]) == (200, True)
    assert browser.post(f"/api/v1/runs/{second}/publish", json={"reason": "again"}).status_code == 409
    page = browser.get("/api/v1/runs").json()
    assert {line["id"]: line["is_current"] for line in page["runs"]} == {first: False, second: True}
    assert service.as_(Role.ANALYST).post(f"/api/v1/runs/{first}/publish", json={"reason": "why"}).status_code == 403


def test_a_plan_that_a_rule_forbids_by_now_is_not_published(service: Service) -> None:
    database, keys, north = service.database, service.keys, service.north
    run_id = run_once(database, keys, north)
    with database.write(north) as session:
        _, found = plans.of_run(Repository(session, keys), run_id)
        first = found.plan["matches"][0]
        session.add(tables.Declined(child_id=first["child"], volunteer_id=first["volunteer"], said_by="child"))
    told = service.as_(Role.MANAGER).post(f"/api/v1/runs/{run_id}/publish", json={"reason": "too late"})
    assert told.status_code == 409
    assert "Start a new run" in told.json()["detail"]
    with database.read(north) as session:
        assert not session.scalar(select(tables.Plan.is_current))


# ---- over the API ----------------------------------------------------------------------------------------------------


def test_a_run_over_the_api(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    asked = browser.post("/api/v1/runs", json={"reason": "policy changed"})
    assert (asked.status_code, asked.json()["state"]) == (202, "queued")
    again = browser.post("/api/v1/runs", json={})
    run_id = again.json()["id"]
    assert (run_id, again.json()["reasons"]) == (asked.json()["id"], ["policy changed", "manual"])
    assert browser.get(f"/api/v1/runs/{run_id}/plan").status_code == 409
    plans.make(service.database, service.keys, take(service.database, service.north), lambda _: None)
    told = browser.get(f"/api/v1/runs/{run_id}").json()
    assert (told["state"], told["progress"], told["problem"]) == ("done", "Done", None)
    plan = browser.get(f"/api/v1/runs/{run_id}/plan").json()
    assert plan["plan"]["value"] == plan["plan"]["bound"]
    assert len(browser.get(f"/api/v1/runs/{run_id}/changes").json()["shortlists"]) > 0
    assert browser.post(f"/api/v1/runs/{run_id}/cancel").status_code == 409
    assert browser.get("/api/v1/runs/R22222222222").status_code == 404
    assert browser.post("/api/v1/runs", json={"reason": "boredom"}).status_code == 422
    child = plan["plan"]["matches"][0]["child"]
    kept = browser.get(f"/api/v1/children/{child}/shortlist").json()
    assert any(child in one["planned_for"] for one in kept["shortlist"])


def test_a_run_that_waits_is_cancelled_and_never_begins(service: Service) -> None:
    run_id = ask(service.database, service.north)
    told = service.as_(Role.COORDINATOR).post(f"/api/v1/runs/{run_id}/cancel")
    assert told.json()["state"] == "cancelled"
    assert runs.take(service.database, service.north) is None


def test_no_reason_that_is_not_one(database: Database, north: str) -> None:
    with pytest.raises(RunError, match="no reason"):
        ask(database, north, "boredom")
