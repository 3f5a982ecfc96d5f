"""What is erased is gone from every column: each that holds words is planted, or listed as nobody's in particular."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from conftest import Service
from sqlalchemy import select
from sqlalchemy.orm import Session
from test_privacy import API, PLANTS, planted
from test_run_pages import a_run

from service.crypto import Place
from service.database import tables
from service.database.base import Base, Sealed
from service.permissions import Role
from service.repository import Repository

__all__ = ["planted"]

OF_NOBODY = {
    "mappings.content": "headings and words of a council's files",
    "policies.reason": "of the rules, which are everybody's",
    "uploads.content": "files as they were sent: gone after a day",
    "uploads.layouts": "which sheet each is: gone with them",
    "users.name": "of an account",
    "whom_to_ring.told": "of the service",
    "year_words.content": "refused while it names anybody by reference",
}
"""Sealed columns that speak of no child and no volunteer, and why."""


def said(service: Service) -> Mapping[str, str]:
    """What each column says, with what is sealed opened."""
    told: dict[str, list[str]] = {}
    with service.database.read(service.north) as session:
        for mapper in Base.registry.mappers:
            for row in session.scalars(select(mapper.class_)):
                for column in mapper.local_table.columns:
                    value, table = getattr(row, column.key), mapper.class_.__tablename__
                    if isinstance(column.type, Sealed) and value is not None:
                        value = service.keys.open(value, Place(table, row.id, column.key))
                    told.setdefault(f"{table}.{column.key}", []).append(str(value))
    return {name: "\n".join(values) for name, values in told.items()}


def plant_the_rest(session: Session, service: Service, child: str, volunteer: str, match: str) -> None:
    """What only a manager, a run or a worker writes, and words about others that name them."""
    rows, words = Repository(session, service.keys), iter(PLANTS[100:])
    references = f"{rows.child(child).reference} and {rows.volunteer(volunteer).reference}"
    manager = service.users["north", Role.MANAGER]
    record = rows.volunteer_record(rows.volunteer(volunteer))
    rows.write_volunteer(rows.volunteer(volunteer), replace(record, organisations=(next(words),)))
    found = [{"at": "2026-01-02T00:00:00+00:00", "by": manager, "found": next(words)}]
    rows.seal(rows.volunteer(volunteer), "found", json.dumps(found))
    rows.seal(rows.child(child), "found", json.dumps([{**found[0], "found": next(words)}]))
    batch = tables.ImportBatch(user_id=manager, rows={}, given={})
    rows.seal(batch, "note", f"{references} were confirmed by telephone.")
    a_run(session, service.north, "failed", f"{child} cannot be visited: {next(words)}", service.keys)
    run = a_run(session, service.north, "done")
    session.flush()
    plan = tables.Plan(run_id=run, status="OPTIMAL")
    pair = {"child": child, "volunteer": volunteer, "why": next(words)}
    rows.seal(plan, "content", json.dumps({"plan": {"matches": [pair]}}))
    rows.seal(plan, "publish_reason", f"Agreed, but for {references}.")
    session.add_all([batch, plan])
    session.flush()
    shortlist = tables.Shortlist(plan_id=plan.id, child_id=child)
    rows.seal(shortlist, "content", json.dumps([pair]))
    session.add(shortlist)
    decision = session.scalars(select(tables.Decision).where(tables.Decision.match_id == match)).first()
    assert decision is not None
    rows.seal(decision, "scores", json.dumps({volunteer: {"interests": next(words)}}))
    no = session.scalars(select(tables.Declined).where(tables.Declined.child_id == child)).first()
    assert no is not None
    rows.seal(no, "reason", next(words))
    allowed = session.scalars(
        select(tables.RecordedException).where(tables.RecordedException.volunteer_id == volunteer)
    ).one()
    rows.seal(allowed, "approved_by", next(words))
    rows.seal(allowed, "withdrawn_by", next(words))


def test_every_column_that_may_speak_of_somebody_says_nothing_of_them_once_they_are_erased(
    service: Service, planted: tuple[str, str, str]
) -> None:
    child, volunteer, match = planted
    with service.database.write(service.north) as session:
        plant_the_rest(session, service, child, volunteer, match)
        rows = Repository(session, service.keys)
        references = {rows.child(child).reference, rows.volunteer(volunteer).reference}
        hashes = {rows.child(child).coordinator_hash, rows.match(match).coordinator_hash}
        family = rows.session.get_one(tables.Family, rows.child(child).family_id)
        family.references = sorted({*family.references, rows.child(child).reference.casefold()})
    assert None not in hashes
    traces = {*PLANTS, *references, *(one.casefold() for one in references), *map(str, hashes)}

    def left() -> set[str]:
        found = re.compile("|".join(rf"\b{re.escape(trace)}\b" for trace in traces))
        return {name for name, text in said(service).items() if found.search(text)}

    sealed = {
        f"{mapper.class_.__tablename__}.{column.key}"
        for mapper in Base.registry.mappers
        for column in mapper.local_table.columns
        if isinstance(column.type, Sealed)
    }
    by_name = {"children.reference", "volunteers.reference", "families.references"}
    hashed = {"children.coordinator_hash", "matches.coordinator_hash"}
    assert left() == sealed - OF_NOBODY.keys() | by_name | hashed
    for path in (f"/children/{child}", f"/volunteers/{volunteer}"):
        asked = service.as_(Role.MANAGER).post(f"{API}{path}/erasure", json={"reason": "asked to be erased"})
        assert asked.status_code == 204
    assert left() == set()
