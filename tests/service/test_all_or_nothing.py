"""A suspension that fails in the middle has done nothing: nobody is half stopped, and no log says that they are."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Service
from service_rows import a_match
from sqlalchemy import select

from service import audit_log, runs
from service.database import tables
from service.database.base import Base
from service.permissions import Role
from service.repository import Repository
from service.workflow import State

API = "/api/v1"


def everything(service: Service) -> dict[str, list[str]]:
    """Each row of each table, and of the log."""
    with service.database.read(service.north) as session:
        kinds = [mapper.class_ for mapper in Base.registry.mappers]
        return {kind.__name__: sorted(map(str, session.execute(select(kind.__table__)).all())) for kind in kinds}


@pytest.mark.parametrize(("live", "stopped"), [(State.PROPOSED, State.WITHDRAWN), (State.ACTIVE, State.PAUSED)])
def test_a_suspension_that_fails_anywhere_has_done_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch, live: State, stopped: State
) -> None:
    """It fails after its first entry of the log, after its second and so on: what is live is stopped by then, or a past
    match brought up, or the volunteer suspended; and at the last as it asks for a run. Then it is done, whole."""
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows, other = Repository(session, service.keys), next(id for id in service.children() if id != child)
        now = a_match(session, rows.child(child), rows.volunteer(volunteer), live).id
        past = a_match(session, rows.child(other), rows.volunteer(volunteer), State.ENDED, None).id
    desk, path = service.as_(Role.COORDINATOR), f"{API}/volunteers/{volunteer}"
    headers = {"If-Match": desk.get(path).headers["ETag"]}
    before, record, ask_for = everything(service), audit_log.record, runs.ask_for
    left = 0

    def fails(done: Any) -> Any:
        def once_done(*given: Any, **named: Any) -> Any:
            nonlocal left
            made = done(*given, **named)
            left -= 1
            if left == 0:
                raise RuntimeError("it fails here")
            return made

        return once_done

    monkeypatch.setattr(audit_log, "record", fails(record))
    monkeypatch.setattr(runs, "ask_for", fails(ask_for))
    failed = 0
    while failed < 20:
        left = failed + 1
        answer = desk.post(f"{path}/status", json={"status": "suspended", "reason": "concern raised"}, headers=headers)
        if answer.status_code != 500:
            break
        failed += 1
        assert everything(service) == before, f"failed at {failed}"
    assert (answer.status_code, failed >= 4) == (200, True)
    with service.database.read(service.north) as session:
        states = [session.get_one(tables.Match, id).state for id in (now, past)]
        brought_up = select(tables.Decision.step).where(tables.Decision.match_id == past)
        assert (states, [*session.scalars(brought_up)]) == ([stopped, State.ENDED], ["brought_up"])
        assert session.get_one(tables.Volunteer, volunteer).status == "suspended"
        assert audit_log.verify(session, service.keys).problem is None
