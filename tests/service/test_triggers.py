"""Every change of what matching reads asks for a run in its own transaction, whoever writes it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Service
from service_rows import a_child, a_match, a_volunteer
from sqlalchemy import event, select
from sqlalchemy.orm import ORMExecuteState, Session

from matcher import load_policy, today
from service import audit_log, runs
from service.crypto import KeyRing
from service.database import tables
from service.database.base import Apart
from service.database.engine import READ_BY_MATCHING, Database
from service.permissions import Role
from service.repository import Repository
from service.workflow import State


def anew(session: Session, keys: KeyRing, kind: type[Apart]) -> None:
    """Adds a row of a table that matching reads."""
    rows = Repository(session, keys)
    child, volunteer = session.scalars(select(tables.Child)).first(), session.scalars(select(tables.Volunteer)).first()
    assert child is not None
    assert volunteer is not None
    if kind is tables.Child:
        a_child(rows, "new")
    elif kind is tables.Volunteer:
        a_volunteer(rows, "new")
    elif kind is tables.Match:
        a_match(session, a_child(rows, "new"), volunteer, State.WITHDRAWN, place=None)
    elif kind is tables.RecordedException:
        row = kind(kind="second child", volunteer_id=volunteer.id, approved_on=today())
        rows.seal(row, "reason", "x")
        rows.seal(row, "approved_by", "x")
        session.add(row)
    elif kind is tables.Policy:
        rows.add_policy(load_policy("surrey"), user_id=None, reason="x")
    else:
        session.add(kind(**{
            tables.Family: {"references": []}, tables.Declined: {"child_id": child.id, "volunteer_id": volunteer.id},
            tables.Budget: {"code": "E99999999", "spent_pence": 0},
            tables.Organisation: {"name": "Example Homes", "former": ["bluebell homes"]},
        }[kind]))  # fmt: skip


@pytest.mark.parametrize("kind", READ_BY_MATCHING, ids=lambda kind: kind.__tablename__)
def test_no_change_of_what_matching_reads_is_without_its_run(
    database: Database, keys: KeyRing, north: str, kind: type[Apart]
) -> None:
    """Whoever writes the path that changes it, and whether or not they thought of a run."""
    with database.write(north) as session:
        anew(session, keys, kind)
    with database.read(north) as session:
        run = session.scalars(select(tables.Run)).one()
        assert (run.state, run.reasons) == ("queued", ["records changed"])


def test_what_matching_reads_is_all_of_it(database: Database, keys: KeyRing, north: str) -> None:
    """An instance is read from no table whose changes would ask for no run."""
    read = set()

    def note(state: ORMExecuteState) -> None:
        read.update(mapper.class_ for mapper in state.all_mappers)

    with database.read(north) as session:
        event.listen(session, "do_orm_execute", note)
        Repository(session, keys).instance(today())
    assert read == set(READ_BY_MATCHING)


def test_what_matching_does_not_read_asks_for_no_run(database: Database, keys: KeyRing, north: str) -> None:
    """Nor does it make stale what was found: who somebody is, a provider that never went by another name."""

    def version() -> int:
        with database.read(north) as session:
            return session.get_one(tables.Authority, north).data_version

    before = version()
    with database.write(north) as session:
        rows = Repository(session, keys)
        session.add(tables.Organisation(name="Example Homes"))
        for kind in (tables.Child, tables.Volunteer):
            row = session.scalars(select(kind)).first()
            assert row is not None
            rows.seal(row, "person", '{"name": "A. Example"}')
    with database.read(north) as session:
        assert session.scalars(select(tables.Run)).all() == []
    assert version() == before
    with database.write(north) as session:  # and what is written beside a name counts as ever
        child = session.scalars(select(tables.Child)).first()
        assert child is not None
        Repository(session, keys).seal(child, "person", None)
        child.objects = not child.objects
    assert version() == before + 1


def test_what_changes_after_its_run_was_asked_for_is_in_it(database: Database, north: str) -> None:
    with database.write(north) as session:
        run_id = runs.ask_for(session, north, "manual").id
    assert runs.take(database, north)
    with database.write(north) as session:
        assert runs.ask_for(session, north, "manual").id == run_id  # nothing has changed so far
        session.add(tables.Budget(code="E99999999", spent_pence=0))
    with database.read(north) as session:
        assert session.scalars(select(tables.Run.reasons).where(tables.Run.state == "queued")).one() == ["manual"]


def test_nobody_waits_for_another_for_ever(service: Service) -> None:
    """Who asks for runs and who changes records lock the log and the run in one order."""
    user = service.users["north", Role.MANAGER]

    def ask_or_change(n: int) -> None:
        with service.database.write(service.north) as session:
            if n % 2:
                runs.ask_by_hand(session, service.keys, service.north, "manual", user_id=user)
            else:
                session.add(tables.Budget(code=f"E{n:08}", spent_pence=0))
                audit_log.record(session, service.keys, audit_log.Entry(user, "set budget"))
            time.sleep(0.02)

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(ask_or_change, range(40)))) == 40
