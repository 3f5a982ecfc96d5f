"""Families taken apart: what that weakens is told, and who is by themselves afterwards is not known to have nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import Service
from page_reading import HTML, fields_of
from sqlalchemy import select, text
from sqlalchemy.orm.exc import StaleDataError

from matcher.instance import today
from service import families, people
from service.database import tables
from service.families import link_siblings, unlink_sibling
from service.permissions import Role
from service.repository import Repository

API = "/api/v1"


def open_rows(service: Service) -> Iterator[Repository]:
    with service.database.write(service.north) as session:
        yield Repository(session, service.keys)


@pytest.mark.parametrize("others", [1, 2])
def test_who_is_by_themselves_afterwards_is_not_known_to_have_no_siblings(service: Service, others: int) -> None:
    """One of two leaves the other alone as well; of three the two who stay are siblings still, and known to be."""
    user = service.users["north", Role.MANAGER]
    for rows in open_rows(service):
        every = rows.session.scalars(select(tables.Child).where(tables.Child.referral).order_by(tables.Child.id))
        child, *linked = [one.id for one in every if not siblings(rows, one)][: 1 + others]
        link_siblings(rows, [child, *linked], user_id=user)
        unlink_sibling(rows, rows.child(child), user_id=user, reason="another child was meant")
        family_of = {one.id: one.family for one in rows.instance(today()).children}
    assert family_of[child] is None
    assert [family_of[one] is None for one in linked] == [others == 1] * others
    manager, page = service.as_(Role.MANAGER), f"/children/{child}/siblings"
    assert manager.get(f"{API}/children/{child}/shortlist").json()["shortlist"] == []
    form = fields_of(manager.get(page, headers=HTML).text)
    assert manager.post(page, data={**form, "siblings": "none"}, headers=HTML).status_code == 200
    for rows in open_rows(service):
        assert child in [one.id for one in rows.instance(today()).children if one.family]


def siblings(rows: Repository, child: tables.Child) -> bool:
    same = select(tables.Child.id).where(tables.Child.family_id == child.family_id, tables.Child.id != child.id)
    return rows.session.scalars(same).first() is not None


def test_a_child_who_was_changed_meanwhile_is_not_taken_out_unseen(service: Service) -> None:
    child, _ = service.eligible_pair()
    with pytest.raises(StaleDataError):
        for rows in open_rows(service):
            row = rows.child(child)
            # As if another transaction had linked them between the reading and the turn.
            rows.session.execute(text("UPDATE children SET version = version + 1 WHERE id = :id"), {"id": child})
            unlink_sibling(rows, row, user_id=service.users["north", Role.MANAGER], reason="entered by mistake")


def test_a_manager_takes_apart_who_was_linked_by_mistake_and_is_told_what_that_weakens(service: Service) -> None:
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        visited = session.get_one(tables.Match, service.a_match())
        child, volunteer = visited.child_id, rows.volunteer(visited.volunteer_id).reference
        user = service.users["north", Role.COORDINATOR]
        other, third = (
            people.add_child(rows, name, {"agrees": "yes"}, [], user_id=user).id for name in ("C9001", "C9002")
        )
        families.link_siblings(rows, [child, other, third], user_id=user)
        name = rows.child(child).reference
        rows.child(child).referral = False  # known by the match alone: there is no page to lead to
    desk, manager, page = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER), f"/children/{other}/unlink"
    shown = desk.get(f"/children/{other}", headers=HTML).text
    assert name in shown
    assert f'href="/children/{third}"' in shown
    assert f'href="/children/{child}"' not in shown
    assert "A manager takes C9001 out" in desk.get(f"/children/{other}/siblings", headers=HTML).text
    assert page not in desk.get(f"/children/{other}", headers=HTML).text
    assert desk.post(page, data={"reason": "entered by mistake"}, headers=HTML).status_code == 403
    for shown in (f"/children/{other}", f"/children/{other}/siblings"):
        assert f'href="{page}"' in manager.get(shown, headers=HTML).text
    told = manager.get(page, headers=HTML).text
    assert re.search(
        r"once it is recorded of both sides who .*, the same volunteer may be proposed to C9001 and to", told
    )
    assert "nobody is proposed to C9001 until somebody has recorded who they are" in told
    assert f"{volunteer}, who visits {name}" in told
    assert f'href="/children/{third}/unlink"' in told  # it may be another who does not belong
    form = fields_of(told)
    unread = manager.post(page, data={**form, "reason": "because"}, headers=HTML)
    assert (unread.status_code, "Choose why" in unread.text) == (422, True)
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        people.add_child(rows, "C9003", {}, [other], user_id=user)
    late = manager.post(page, data={**form, "reason": "entered by mistake"}, headers=HTML)
    assert (late.status_code, "Somebody changed this family" in late.text, "C9003" in late.text) == (422, True, True)
    form = fields_of(late.text)
    done = manager.post(page, data={**form, "reason": "entered by mistake"}, headers=HTML, follow_redirects=False)
    assert done.status_code == 303
    assert done.headers["Location"] == f"/children/{other}/siblings?taken=out"
    assert "is not recorded now" in manager.get(done.headers["Location"], headers=HTML).text
    assert "nobody to take C9001 from" in manager.get(page, headers=HTML).text
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        family = {one: rows.child(one).family_id for one in (child, other, third)}
        entry = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "unlink sibling")).one()
    assert family[child] == family[third] != family[other]
    assert (entry.actor, entry.subject, entry.reason) == (
        service.users["north", Role.MANAGER], other, "entered by mistake"
    )  # fmt: skip


def two_taken_apart(service: Service) -> tuple[str, tuple[str, str]]:
    """A child whom a manager took out of a family of two: their id, and the references of both."""
    user = service.users["north", Role.MANAGER]
    for rows in open_rows(service):
        every = rows.session.scalars(select(tables.Child).where(tables.Child.referral).order_by(tables.Child.id))
        child, other = [one for one in every if not siblings(rows, one)][:2]
        names = child.reference, other.reference
        link_siblings(rows, [child.id, other.id], user_id=user)
        unlink_sibling(rows, child, user_id=user, reason="another child was meant")
        id = child.id
    return id, names


def test_a_file_joins_again_whom_a_manager_took_apart_by_a_managers_word_alone(service: Service) -> None:
    id, names = two_taken_apart(service)
    file = [("files", ("children.csv", f"child_id,family\n{names[0]},F901\n{names[1]},F901\n".encode())),
            ("files", ("volunteers.csv", b"volunteer_id\n"))]  # fmt: skip
    desk, manager = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    told = desk.post(f"{API}/imports/check", files=file).json()
    (again,) = [one for one in told["weaker"] if one["field"] == "family"]
    assert (again["reference"], set(again["children"])) == (names[0], set(names))
    assert f"out of the family of {names[1]} by a manager (“another child was meant”)" in again["sentence"]
    assert desk.post(f"{API}/imports", files=file, data={"stamp": told["stamp"]}).status_code == 422
    sent = {"stamp": told["stamp"], "weaken": [again["key"]]}
    assert desk.post(f"{API}/imports", files=file, data=sent).status_code == 403
    assert manager.post(f"{API}/imports", files=file, data=sent).status_code == 201
    for rows in open_rows(service):
        assert siblings(rows, rows.child(id))
    assert not manager.post(f"{API}/imports/check", files=file).json()["weaker"]  # they are together: there is no more


def test_a_file_that_says_nothing_of_them_asks_nothing(service: Service) -> None:
    _, names = two_taken_apart(service)
    file = [("files", ("children.csv", f"child_id,family\n{names[0]},none\n{names[1]},F901\n".encode())),
            ("files", ("volunteers.csv", b"volunteer_id\n"))]  # fmt: skip
    told = service.as_(Role.COORDINATOR).post(f"{API}/imports/check", files=file).json()
    assert (told["usable"], told["weaker"]) == (True, [])
