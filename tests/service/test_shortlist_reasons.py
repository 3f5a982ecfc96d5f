"""A line of a shortlist tells what every rule says of the two, where that is asked for: as their explanation has it."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Service
from sqlalchemy import select

from matcher.explain import Reason
from service import plans, runs
from service.api import children
from service.database import tables
from service.permissions import Role

API = "/api/v1"


def a_run(service: Service) -> None:
    with service.database.write(service.north) as session:
        runs.ask_for(session, service.north, "manual")
    held = runs.take(service.database, service.north)
    assert held is not None
    plans.make(service.database, service.keys, held, lambda _: None)


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ANALYST])
@pytest.mark.parametrize("kept", [True, False])
def test_every_line_has_the_reasons_of_its_explanation(service: Service, role: Role, kept: bool) -> None:
    if kept:
        a_run(service)
    browser, (child, volunteer) = service.as_(role), service.eligible_pair()
    for path in (f"{API}/children/{child}/shortlist", f"{API}/volunteers/{volunteer}/shortlist"):
        without: list[dict[str, Any]] = browser.get(path).json()["shortlist"]
        lines = browser.get(path, params={"reasons": True}).json()["shortlist"]
        assert [{**one, "reasons": None} for one in lines] == without
        assert len(lines) >= 2
        for one in lines:
            pair = f"{API}/children/{one['child']}/volunteers/{one['volunteer']}/explanation"
            assert one["reasons"] == browser.get(pair).json()["reasons"]
            assert {said["verdict"] for said in one["reasons"]} <= {"passes", "not in force"}
            assert any(said["sentence"] for said in one["reasons"]) == (role is Role.COORDINATOR)


def test_whom_the_reasons_name_the_log_has_as_read(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule may name another child, such as one whom the volunteer visits."""
    (child, volunteer), browser = service.eligible_pair(), service.as_(Role.COORDINATOR)
    with service.database.read(service.north) as session:
        other = session.get_one(tables.Match, service.a_match()).child_id
    said = Reason("volunteer_limits", "", "", core=True, verdict="passes", sentence=f"Visits {other} as well.")
    monkeypatch.setattr(children, "verdicts", lambda _instance, pairs: [(said,) for _ in pairs])
    for path in (f"{API}/children/{child}/shortlist", f"{API}/volunteers/{volunteer}/shortlist"):
        assert "Visits " in browser.get(path, params={"reasons": True}).text
        with service.database.read(service.north) as session:
            entries = session.scalars(select(tables.AuditEvent).order_by(tables.AuditEvent.number)).all()
        assert other in entries[-1].details["children"], path
