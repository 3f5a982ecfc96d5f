"""How long what is kept, and what goes by itself: nothing a day early, and nothing that has to stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from conftest import Service
from set_back import Backups
from sqlalchemy import select
from test_privacy import API, PLANTS, everything

from matcher.records import Status
from service import auth, retention
from service.database import tables
from service.database.base import Base, utc_now
from service.permissions import Permission, Role
from service.proposals import Chosen, propose
from service.repository import Repository

PLAN_MONTHS = 24
KEPT = {one.record: one for one in retention.kept(PLAN_MONTHS)}
BY_ITSELF = [one.record for one in KEPT.values() if one.goes]


# ---- every table -----------------------------------------------------------------------------------------------------


def test_every_table_has_a_line_that_says_how_long() -> None:
    told = [table.__name__ for one in retention.RETENTION for table in one.tables]
    assert sorted(told) == sorted(mapper.class_.__name__ for mapper in Base.registry.mappers)
    for one in KEPT.values():
        assert one.days > 0 or (one.goes is None and one.then.startswith("kept: ")), one.record


def test_the_document_has_every_line_and_so_has_the_api(service: Service) -> None:
    document = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    assert retention.table(PLAN_MONTHS) in document
    told = service.as_(Role.MANAGER).get(f"{API}/retention").json()["kept"]
    assert [(one["record"], one["days"]) for one in told] == [(one.record, one.days) for one in KEPT.values()]


# ---- what goes by itself ---------------------------------------------------------------------------------------------


Plant = Callable[[Service, Repository, str, datetime], None]
"""A row with a word in it that nothing else says, from a moment on."""


def _user(service: Service) -> str:
    return service.users["north", Role.MANAGER]


def _shown(service: Service, rows: Repository, word: str, at: datetime) -> None:
    child = service.eligible_pair()[0]
    rows.session.add(tables.Served(user_id=_user(service), child_id=child, at=at, rank_by="fit", policy=word,
                                   data_hash="0", ranks={}))  # fmt: skip


def _run(rows: Repository, at: datetime) -> tables.Run:
    run = tables.Run(state="failed", reasons=["nightly"], requested_at=at)
    rows.session.add(run)
    rows.session.flush()
    return run


def _problem(_: Service, rows: Repository, word: str, at: datetime) -> None:
    rows.seal(_run(rows, at), "problem", word)


def _plan(service: Service, rows: Repository, word: str, at: datetime) -> None:
    plan = tables.Plan(run_id=_run(rows, at).id, status="OPTIMAL", created_at=at)
    shown = tables.Shortlist(plan_id=plan.id, child_id=service.eligible_pair()[0])
    for row in (plan, shown):
        rows.seal(row, "content", json.dumps(word))
        rows.session.add(row)
        rows.session.flush()


def _upload(service: Service, rows: Repository, word: str, at: datetime) -> None:
    row = tables.Upload(user_id=_user(service), at=at)
    rows.seal(row, "content", word)
    rows.seal(row, "layouts", word)
    rows.session.add(row)


def _import(service: Service, rows: Repository, word: str, at: datetime) -> None:
    row = tables.ImportBatch(user_id=_user(service), at=at, rows={})
    rows.seal(row, "note", word)
    rows.session.add(row)


def _words(service: Service, rows: Repository, word: str, at: datetime) -> None:
    row = tables.YearWords(year=int(word[7:10]), user_id=_user(service), at=at)
    rows.seal(row, "content", word)
    rows.session.add(row)


def _login(service: Service, rows: Repository, word: str, at: datetime) -> None:
    rows.session.add(tables.LoginSession(id=auth.hashed(word), user_id=_user(service), csrf=word, ends_at=at))


def _token(service: Service, rows: Repository, word: str, at: datetime) -> None:
    """One that expired, or, in its other letters, one that was revoked long before it would have."""
    far = at + timedelta(days=300)
    for name, ends, revoked in ((word, at, None), (word.swapcase(), far, at)):
        rows.session.add(tables.ApiToken(id=auth.hashed(name), user_id=_user(service), name=name, scopes=["read"],
                                         expires_at=ends, revoked_at=revoked))  # fmt: skip


def _account(service: Service, rows: Repository, word: str, at: datetime) -> None:
    user = tables.User(authority_id=service.north, email=f"{word}@north.invalid", role="analyst", disabled_at=at)
    rows.seal(user, "name", word)
    rows.session.add(user)


PLANTED: dict[str, Plant] = {
    "shortlist shown": _shown, "plan": _plan, "why a run found no plan": _problem,
    "files looked at": _upload, "note of an import": _import, "words of a year's report": _words, "login": _login,
    "token": _token, "account": _account,
}  # fmt: skip


def counts(rows: Repository) -> dict[str, int]:
    kinds = [mapper.class_ for mapper in Base.registry.mappers]
    return {kind.__name__: len(rows.session.execute(select(kind.__table__)).all()) for kind in kinds}


@pytest.mark.parametrize("record", BY_ITSELF)
def test_what_is_older_goes_by_itself_and_what_is_younger_stays(service: Service, record: str) -> None:
    days, hour = timedelta(days=KEPT[record].days), timedelta(hours=1)
    old, young, last = PLANTS[:3]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        PLANTED[record](service, rows, old, utc_now() - days - hour)
        PLANTED[record](service, rows, young, utc_now() - days + hour)
        if record == "plan":  # which the next is compared with
            PLANTED[record](service, rows, last, utc_now() - hour)
        session.flush()
        before = counts(rows)
    with service.database.write(service.south) as session:
        assert retention.sweep(Repository(session, service.keys), PLAN_MONTHS) == {}  # it is another's
    assert old in everything(service)
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        gone = retention.sweep(rows, PLAN_MONTHS)
        assert {*gone} == {record}
        own = {table.__name__ for table in KEPT[record].tables}
        assert {name for name, number in counts(rows).items() if number < before[name]} <= own
        entry = session.scalars(select(tables.AuditEvent).order_by(tables.AuditEvent.number.desc())).first()
        assert entry is not None
        assert (entry.actor, entry.action, entry.details) == ("kith", "retention", gone)
        assert retention.sweep(rows, PLAN_MONTHS) == {}
    said = everything(service).casefold()
    assert (old.casefold() in said, young.casefold() in said) == (False, True)


def test_the_log_goes_on_to_name_who_left(service: Service) -> None:
    """By the name, while the address is gone: who signed in with it, or is invited by it again, is somebody else."""
    day, coordinator = timedelta(days=KEPT["account"].days + 1), service.users["north", Role.COORDINATOR]
    path = f"/children/{service.eligible_pair()[0]}"
    assert service.as_(Role.COORDINATOR).get(path, headers={"Accept": "text/html"}).status_code == 200
    email = f"{Role.COORDINATOR}@north.invalid"
    with service.database.write(service.north) as session:
        user = session.get_one(tables.User, coordinator)
        auth.set_password(user, "the password of before")
        auth.disable(session, service.keys, user, by="kith")
        user.disabled_at = utc_now() - day
        session.flush()
        assert retention.sweep(Repository(session, service.keys), PLAN_MONTHS)["account"] == 1
    with service.database.write(service.north) as session:
        user = session.get_one(tables.User, coordinator)
        assert (user.password, "@" in user.email) == (None, False)
        assert "coordinator of north" in Repository(session, service.keys).account_names()[coordinator]
        north = session.get_one(tables.Authority, service.north)
        new = auth.invite(session, service.keys, authority=north, email=email, name="Other", role=Role.COORDINATOR,
                          by="kith")[0].id  # fmt: skip
    assert new != coordinator
    told = service.as_(Role.AUDITOR).get("/log?days=0", headers={"Accept": "text/html"}).text
    assert "coordinator of north" in told
    users = service.as_(Role.ADMINISTRATOR).get("/users", headers={"Accept": "text/html"}).text
    assert coordinator not in users.partition("<table")[2].partition("Change role")[0]
    assert users.count(email) == 1


def test_a_backup_brings_back_no_token_and_no_address_that_were_forgotten_since(
    service: Service, backups: Backups
) -> None:
    coordinator = service.users["north", Role.COORDINATOR]
    email = f"{Role.COORDINATOR}@north.invalid"
    with service.database.write(service.north) as session:
        user = session.get_one(tables.User, service.users["north", Role.MANAGER])
        token = auth.make_token(session, service.keys, user, name="report", scopes=[Permission.READ], days=90)
    backups.make()
    with service.database.write(service.north) as session:
        user = session.get_one(tables.User, coordinator)
        auth.disable(session, service.keys, user, by="kith")
        user.disabled_at = revoked = utc_now() - timedelta(days=KEPT["account"].days + 1)
        session.get_one(tables.ApiToken, auth.hashed(token)).revoked_at = revoked
        session.flush()
        gone = retention.sweep(Repository(session, service.keys), PLAN_MONTHS)
        assert gone == {"token": 1, "account": 1}
    with service.database.write(service.north) as session:
        north = session.get_one(tables.Authority, service.north)
        new = auth.invite(session, service.keys, authority=north, email=email, name="Other", role=Role.COORDINATOR,
                          by="kith")[0].id  # fmt: skip
    backups.put_back()
    with service.database.read(service.north) as session:
        assert auth.by_token(session, token) is None
        assert auth.user_by_email(session, email).id == new
        assert session.get_one(tables.User, coordinator).email == coordinator


# ---- who is due ------------------------------------------------------------------------------------------------------


def test_a_volunteer_comes_due_six_years_after_their_last_match_or_change(service: Service) -> None:
    limit = KEPT["volunteer"].days
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        live = rows.match(service.a_match()).volunteer_id
        matched = select(tables.Match.volunteer_id)
        quiet = session.scalars(select(tables.Volunteer).where(tables.Volunteer.id.not_in(matched))).first()
        assert quiet is not None
        rows.write_volunteer(quiet, replace(rows.volunteer_record(quiet), status=Status.APPROVED))
        for days, due in ((limit, False), (limit + 1, True)):
            for id in (quiet.id, live):
                session.get_one(tables.Volunteer, id).changed_at = utc_now() - timedelta(days=days)
            session.flush()
            found = {one.id: one.record for one in retention.due(rows)}
            assert (found.get(quiet.id) == "volunteer") is due
            assert live not in found
        ended = session.scalars(select(tables.Match).where(tables.Match.volunteer_id == live)).all()
        for match in ended:
            match.state, match.place = "ended", None
        for days, due in ((limit, False), (limit + 1, True)):
            for match in ended:
                match.ended_on = (utc_now() - timedelta(days=days)).date()
            session.flush()
            assert (live in {one.id for one in retention.due(rows)}) is due


def test_who_was_kept_long_enough_is_listed_and_what_was_shown_goes_by_itself(service: Service) -> None:
    desk, manager, child = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER), service.eligible_pair()[0]
    desk.get(f"{API}/children/{child}/shortlist")
    limit = {one.record: one.days for one in retention.RETENTION}["child"]
    live = manager.get(f"{API}/matches/{service.a_match()}").json()["child"]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        last = rows.child(child)
        for days, waits, expected in ((limit, False, False), (limit + 1, True, False), (limit + 1, False, True)):
            record = rows.child_record(last, family_known=True)
            rows.write_child(last, replace(record, looked_after=waits))  # care goes on, and a visitor may still come
            for id in (child, live):
                session.get_one(tables.Child, id).changed_at = utc_now() - timedelta(days=days)
            session.flush()
            found = {one.id for one in retention.due(rows)}
            assert (child in found) is expected
            assert live not in found  # whatever its age, somebody visits
        assert retention.sweep(rows, 24) == {}
        session.scalars(select(tables.Served)).one().at -= timedelta(days=31)
        session.flush()
        assert retention.sweep(rows, 24) == {"shortlist shown": 1}
        last = session.scalars(select(tables.AuditEvent).order_by(tables.AuditEvent.number.desc())).first()
        assert last is not None
        told = last.chain, last.actor, last.action, last.details
        assert told == (service.north, "kith", "retention", {"shortlist shown": 1})
    assert manager.get(f"{API}/retention").json()["due"]


def test_old_plans_go_by_themselves_with_all_that_they_say(service: Service) -> None:
    """But neither the published one nor the last, however old they are; and none before its time."""
    month, (child, volunteer) = timedelta(days=30, hours=10), service.eligible_pair()
    ages = {"superseded": 25, "unpublished": 25, "published": 40, "young": 23, "last": 22}
    planted = dict(zip(ages, PLANTS, strict=False))
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        for name, months in ages.items():
            run = tables.Run(state="done", reasons=["nightly"])
            session.add(run)
            session.flush()
            plan = tables.Plan(run_id=run.id, status="OPTIMAL", created_at=utc_now() - months * month)
            rows.seal(plan, "content", json.dumps(planted[name]))
            if name in ("superseded", "published"):
                plan.published_at, plan.published_by = plan.created_at, service.users["north", Role.MANAGER]
                rows.seal(plan, "publish_reason", planted[name])
            plan.is_current = name == "published"
            session.add(plan)
            session.flush()
            shown = tables.Shortlist(plan_id=plan.id, child_id=child)
            rows.seal(shown, "content", json.dumps(planted[name]))
            session.add(shown)
            if name == "superseded":  # while it was the published one, somebody proposed a pair of it
                chosen = Chosen("plan", 1, (volunteer,))
                user = service.users["north", Role.COORDINATOR]
                match = propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen).id
                session.get_one(tables.Proposal, match).plan_id = plan.id

    def left(months: int) -> set[str]:
        with service.database.write(service.north) as session:
            retention.sweep(Repository(session, service.keys), months)
        said = everything(service)
        return {name for name, plant in planted.items() if plant in said}

    assert left(26) == {*ages}
    assert left(24) == {"published", "young", "last"}
    assert left(1) == {"published", "last"}
    with service.database.read(service.north) as session:  # how it was chosen stays, without the plan
        assert session.scalars(select(tables.Proposal.plan_id)).all() == [None]
    with service.database.read(service.north) as session:
        gone = session.scalars(select(tables.Run.id).where(tables.Run.id.not_in(select(tables.Plan.run_id)))).first()
    told = service.as_(Role.MANAGER).get(f"{API}/runs/{gone}/plan")
    assert (told.status_code, "its plan is no longer kept" in told.text) == (409, True)
    kept = service.as_(Role.MANAGER).get(f"{API}/retention").json()["kept"]
    assert [one["days"] for one in kept if one["record"] == "plan"] == [730]
