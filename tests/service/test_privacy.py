"""What people are told of what is kept, and how it is erased."""

from __future__ import annotations

import json

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from sqlalchemy import select

from matcher.instance import today
from service import plans, runs
from service.crypto import Place
from service.database import tables
from service.database.base import Base, Sealed
from service.permissions import Role
from service.repository import Repository

API = "/api/v1"
PLANTS = [f"Zebedee{n:03}Quince" for n in range(200)]


def everything(service: Service) -> str:
    """All that the database says, with what is sealed opened."""
    said = []
    with service.database.read(service.north) as session:
        for mapper in Base.registry.mappers:
            table = mapper.local_table
            for row in session.execute(select(mapper.class_)).scalars():
                for column in table.columns:  # type: ignore[attr-defined]
                    value = getattr(row, column.key)
                    if isinstance(column.type, Sealed) and value is not None:
                        value = service.keys.open(value, Place(mapper.class_.__tablename__, row.id, column.key))
                    said.append(str(value))
    return "\n".join(said)


def tag(browser: TestClient, path: str) -> dict[str, str]:
    return {"If-Match": browser.get(f"{API}{path}").headers["ETag"]}


# ---- erasing and telling ---------------------------------------------------------------------------------------------


@pytest.fixture
def planted(service: Service) -> tuple[str, str, str]:
    """A child, a volunteer and an ended match between them, with plants in every word about them."""
    desk, manager = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    words = iter(PLANTS)
    child, volunteer = service.eligible_pair()
    for path in (f"/children/{child}", f"/volunteers/{volunteer}"):
        person = {field: next(words) for field in ("name", "address", "contact", "notes")}
        assert desk.put(f"{API}{path}/person", json=person, headers=tag(desk, path)).status_code == 200
    facts = {"facts": {"coordinator": next(words), "placement_type": next(words)}}
    path = f"/children/{child}"
    assert desk.patch(f"{API}{path}", json=facts, headers=tag(desk, path)).status_code == 200
    allowed = {"kind": "relative as visitor", "volunteer": volunteer, "child": child, "reason": next(words)}
    exception = manager.post(f"{API}/exceptions", json=allowed).json()["id"]
    served = desk.get(f"{API}/children/{child}/shortlist", params={"top": 50}).json()
    body = {"served": served["served"], "volunteer": volunteer, "reason": "other", "note": next(words)}
    made = desk.post(f"{API}/proposals", json=body).json()
    path = f"/matches/{made['id']}"
    for step, by, reason in (
        ("ask_volunteer", "authority", None), ("volunteer_accepts", "volunteer", None),
        ("child_declines", "child", "does not want this visitor"),
    ):  # fmt: skip
        said = {"step": step, "by": by, "reason": reason, "note": next(words)}
        assert desk.post(f"{API}{path}/steps", json=said, headers=tag(desk, path)).status_code == 200
    path = f"/exceptions/{exception}"
    why = {"reason": next(words)}
    assert manager.post(f"{API}{path}/withdraw", json=why, headers=tag(manager, path)).status_code == 200
    return child, volunteer, made["id"]


def test_a_person_is_told_all_that_is_kept_of_them(service: Service, planted: tuple[str, str, str]) -> None:
    child, volunteer, match = planted
    manager = service.as_(Role.MANAGER)
    of_child = manager.get(f"{API}/children/{child}/export")
    of_volunteer = manager.get(f"{API}/volunteers/{volunteer}/export")
    own = {"child": [*PLANTS[:4], *PLANTS[8:10], PLANTS[14]], "volunteer": [*PLANTS[4:8], PLANTS[13]]}
    told = {"child": of_child.text, "volunteer": of_volunteer.text}
    planted = PLANTS[:16]  # the last: why the exception was withdrawn
    # Who they are, facts, and what they said themselves; what the other said stays the other's, and what a coordinator
    # or a manager wrote of them speaks of both.
    assert {who: [plant for plant in planted if plant in text] for who, text in told.items()} == own
    assert [one["id"] for one in of_child.json()["matches"]] == [match]
    steps = ["propose", "ask_volunteer", "volunteer_accepts", "child_declines"]
    for export, who, reason in ((of_child, "child", "does not want this visitor"), (of_volunteer, "volunteer", None)):
        story = export.json()["matches"][0]
        assert (story["state"], story["reason"]) == ("declined", reason)
        assert [one["step"] for one in story["decisions"]] == steps
        assert all(one["at"] and one["state"] for one in story["decisions"])
        assert {one["by"] for one in story["decisions"]} == {None, who}
        assert [one["reason"] for one in story["decisions"]] == [None, None, None, reason]
        assert [(one["by"], one["reason"]) for one in export.json()["declined"]] == [(reason and who, reason)]
        assert [one["kind"] for one in export.json()["exceptions"]] == ["relative as visitor"]


def test_nobody_is_told_why_they_were_suspended_by_their_own_log(service: Service) -> None:
    desk, volunteer = service.as_(Role.COORDINATOR), service.eligible_pair()[1]
    path = f"/volunteers/{volunteer}"
    stopped = {"status": "suspended", "reason": "concern raised"}
    assert desk.post(f"{API}{path}/status", json=stopped, headers=tag(desk, path)).status_code == 200
    told = service.as_(Role.MANAGER).get(f"{API}{path}/export")
    assert "concern" not in told.text
    assert "volunteer status" in {one["action"] for one in told.json()["read_by"]}


def test_who_read_them_in_a_list_or_on_a_page_read_them_too(service: Service) -> None:
    """A volunteer's page is entered with the volunteer beside; a list, with all who are on it."""
    child, volunteer = service.eligible_pair()
    desk = service.as_(Role.COORDINATOR)
    for path in (f"{API}/children?size=200", f"{API}/volunteers/{volunteer}", f"{API}/children/{child}"):
        assert desk.get(path).status_code == 200
    read: dict[str, set[str]] = {}
    for path in (f"children/{child}", f"volunteers/{volunteer}"):
        told = service.as_(Role.MANAGER).get(f"{API}/{path}/export").json()["read_by"]
        read[path] = {one["page"] for one in told if one["action"] == "read"}
    assert read == {f"children/{child}": {"children", "record"}, f"volunteers/{volunteer}": {"volunteer"}}


def test_what_is_erased_is_gone_and_what_keeps_others_safe_stays(
    service: Service, planted: tuple[str, str, str]
) -> None:
    child, volunteer, _ = planted
    manager = service.as_(Role.MANAGER)
    assert any(plant in everything(service) for plant in PLANTS)
    with service.database.read(service.north) as session:
        references = [
            session.get_one(kind, id).reference for kind, id in ((tables.Child, child), (tables.Volunteer, volunteer))
        ]
    for path in (f"/children/{child}", f"/volunteers/{volunteer}"):
        assert manager.post(f"{API}{path}/erasure", json={"reason": "asked to be erased"}).status_code == 204
    said = everything(service)
    assert [plant for plant in PLANTS if plant in said] == []
    assert [name for name in references if f"\n{name}\n" in said] == []
    with service.database.read(service.north) as session:
        no = session.scalars(select(tables.Declined).where(tables.Declined.child_id == child)).all()
        assert volunteer in {one.volunteer_id for one in no}  # that somebody said no outlives it
        instance = Repository(session, service.keys).instance(today())  # and what is left is still a whole
    assert child not in {one.id for one in instance.children}
    assert service.as_(Role.COORDINATOR).get(f"{API}/children").json()["total"] == 29


def test_a_kept_plan_speaks_of_nobody_who_was_erased(service: Service) -> None:
    def told() -> str:
        with service.database.read(service.north) as session:
            row = session.scalars(select(tables.Plan)).one()
            return Repository(session, service.keys).open(row, "content") or ""

    with service.database.write(service.north) as session:
        runs.ask_for(session, service.north, "manual")
    held = runs.take(service.database, service.north)
    assert held is not None
    plans.make(service.database, service.keys, held, lambda _: None)
    child, volunteer = service.eligible_pair()
    before = json.loads(told())["plan"]
    assert all(id in told() for id in (child, volunteer))
    for path in (f"/children/{child}", f"/volunteers/{volunteer}"):
        body = {"reason": "asked to be erased"}
        assert service.as_(Role.MANAGER).post(f"{API}{path}/erasure", json=body).status_code == 204
    assert not any(id in told() for id in (child, volunteer))
    left = {one["child"] for one in before["matches"] if child != one["child"] and volunteer != one["volunteer"]}
    assert {one["child"] for one in json.loads(told())["plan"]["matches"]} == left  # nobody else's is lost


def test_nobody_is_erased_whose_match_is_live(service: Service) -> None:
    manager = service.as_(Role.MANAGER)
    match = manager.get(f"{API}/matches/{service.a_match()}").json()
    for path in (f"/children/{match['child']}", f"/volunteers/{match['volunteer']}"):
        assert manager.post(f"{API}{path}/erasure", json={"reason": "asked to be erased"}).status_code == 409


def test_a_childs_no_outlives_their_record(service: Service) -> None:
    desk, manager, child = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER), service.eligible_pair()[0]
    path = f"/children/{child}"
    no = {"facts": {"agrees": "no"}, "no_by": "child"}
    assert desk.patch(f"{API}{path}", json=no, headers=tag(desk, path)).status_code == 200
    assert manager.post(f"{API}{path}/erasure", json={"reason": "asked to be erased"}).status_code == 204
    with service.database.read(service.north) as session:
        assert session.get_one(tables.Child, child).objects
