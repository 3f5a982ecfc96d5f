"""What a person is told who asks: all that is theirs, of every table, and nothing that is somebody else's."""

from __future__ import annotations

from pathlib import Path

from conftest import Service
from page_reading import shared
from service_rows import put_in_order
from sqlalchemy import select
from test_run_pages import run_once

from matcher.records import Status
from service import plans, standing, subject_access
from service.database import tables
from service.database.base import Base
from service.families import link_siblings
from service.permissions import Role
from service.repository import Repository, ids_in

API = "/api/v1"


def test_every_table_is_told_or_it_is_said_why_not(service: Service) -> None:
    assert {*subject_access.TOLD} == {mapper.class_ for mapper in Base.registry.mappers}
    child, volunteer = service.eligible_pair()
    manager = service.as_(Role.MANAGER)
    of_child = manager.get(f"{API}/children/{child}/export").json()
    of_volunteer = manager.get(f"{API}/volunteers/{volunteer}/export").json()
    for kind, told in subject_access.TOLD.items():
        assert told.child.startswith("not: ") or told.child in of_child, kind
        assert told.volunteer.startswith("not: ") or told.volunteer in of_volunteer, kind
    assert {"siblings", "planned", "shortlists"} <= {told.child for told in subject_access.TOLD.values()}


def test_the_document_has_every_line() -> None:
    document = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    assert subject_access.table() in document


def test_a_child_is_told_which_plans_and_lists_there_were_for_them_and_who_is_their_family(service: Service) -> None:
    manager = service.users["north", Role.MANAGER]
    run, _ = run_once(service.database, service.keys, service.north)
    with service.database.read(service.north) as session:
        pair = plans.of_run(Repository(session, service.keys), run)[1].plan["matches"][0]
    child, volunteer = pair["child"], pair["volunteer"]
    desk = service.as_(Role.COORDINATOR)
    shown = desk.get(f"{API}/children/{child}/shortlist", params={"top": 50}).json()["shortlist"]
    asks = service.as_(Role.MANAGER)

    def told(path: str) -> dict[str, list[dict[str, object]]]:
        answer: dict[str, list[dict[str, object]]] = asks.get(f"{API}/{path}/export").json()
        return answer

    assert (told(f"children/{child}")["planned"], told(f"volunteers/{volunteer}")["planned"]) == ([], [])
    plans.publish(service.database, service.keys, service.north, run, user_id=manager, reason="It was looked through")
    of_child, of_volunteer = told(f"children/{child}"), told(f"volunteers/{volunteer}")
    assert [one["volunteer"] for one in of_child["planned"]] == [volunteer]
    assert [one["child"] for one in of_volunteer["planned"]] == [child]
    by_run, by_desk = of_child["shortlists"]
    assert (by_run["shown_to"], by_desk["shown_to"]) == (None, service.users["north", Role.COORDINATOR])
    assert len(shown) == by_desk["volunteers"] >= int(str(by_run["volunteers"])) > 0  # a run keeps the first of them
    rank = next(one["rank"] for one in shown if one["volunteer"] == volunteer)
    assert [one["rank"] for one in of_volunteer["shown"]] == [rank]
    others = {one["volunteer"] for one in shown} - {volunteer}
    assert not others & {*ids_in(str(of_child), "V")}  # who else was on the list is theirs

    with service.database.write(service.north) as session:
        rows, row = Repository(session, service.keys), session.get_one(tables.Child, child)
        session.get_one(tables.Family, row.family_id).known = False
        session.flush()
    unknown = told(f"children/{child}")
    assert unknown["siblings"]["recorded"] is False  # type: ignore[call-overload]
    assert unknown["facts"]["family"] is None  # type: ignore[call-overload]
    other = next(id for id in service.children() if id != child)
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        both = rows.child(child).family_id, rows.child(other).family_id
        family = {*session.scalars(select(tables.Child.id).where(tables.Child.family_id.in_(both)))}
        link_siblings(rows, [child, other], user_id=manager)
    assert told(f"children/{child}")["siblings"] == {"recorded": True, "children": sorted(family - {child})}


def test_a_volunteer_is_told_where_they_stood_and_why_as_far_as_it_is_their_own_affair(service: Service) -> None:
    """That a check lapsed, and that they were approved; nothing of a concern, which may be a child's word."""
    volunteer, user = service.eligible_pair()[1], service.users["north", Role.MANAGER]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        put_in_order(rows, volunteer)
        for status, reason in (
            (Status.SUSPENDED, standing.LAPSED), (Status.APPROVED, standing.CHECKED),
            (Status.SUSPENDED, standing.CONCERN),
        ):  # fmt: skip
            standing.set_status(rows, rows.volunteer(volunteer), status, user_id=user, reason=reason, manager=True)
    answer = service.as_(Role.MANAGER).get(f"{API}/volunteers/{volunteer}/export")
    told = [(one["status"], one["reason"]) for one in answer.json()["standing"]]
    assert told == [("suspended", "check lapsed"), ("approved", "checks complete"), ("suspended", None)]
    assert "concern" not in answer.text


def test_who_is_matched_is_told_what_of_them_the_other_was_shown(service: Service) -> None:
    desk, (child, volunteer) = service.as_(Role.COORDINATOR), service.eligible_pair()
    served = desk.get(f"{API}/children/{child}/shortlist", params={"top": 50}).json()["served"]
    body = {"served": served, "volunteer": volunteer, "reason": "other"}
    match = desk.post(f"{API}/proposals", json=body).json()["id"]

    def shown() -> list[list[str]]:
        """Of the child, and of the volunteer."""
        paths = f"children/{child}", f"volunteers/{volunteer}"
        every = [service.as_(Role.MANAGER).get(f"{API}/{path}/export").json()["matches"] for path in paths]
        return [one["shown_to_other"] for told in every for one in told if one["id"] == match]

    assert shown() == [[], []]  # nobody was told of anybody yet
    tag = {"If-Match": desk.get(f"{API}/matches/{match}").headers["ETag"]}
    step = {"step": "ask_volunteer", "by": "authority"}
    assert desk.post(f"{API}/matches/{match}/steps", json=step, headers=tag).status_code == 200
    of_child, of_volunteer = shown()
    assert {"interests", "age"} <= {*of_child}  # what is told unless somebody chooses
    assert of_volunteer == []
    assert shared(desk, match, child=["interests"], volunteer=["languages"]).status_code == 200
    assert shown() == [["interests"], ["languages"]]
