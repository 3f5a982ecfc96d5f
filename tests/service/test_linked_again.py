"""Whoever links siblings again whom a manager took apart is told so, and says that they are siblings all the same."""

from __future__ import annotations

import pytest
from conftest import Service
from page_reading import HTML, fields_of
from service_rows import families_seen
from sqlalchemy import select
from test_taken_apart import are_siblings, strangers, written
from test_today import said

from matcher.instance import today
from matcher.words import day
from service.database import tables
from service.families import link_siblings, unlink_sibling
from service.permissions import Permission, Role

API = "/api/v1"
WHY = "not related after all"


@pytest.fixture
def apart(service: Service) -> list[tables.Child]:
    """Two whom a manager took apart, and one who is a stranger to both."""
    first, second, third = strangers(service, 3)
    manager = service.users["north", Role.MANAGER]
    with written(service) as rows:
        link_siblings(rows, [first.id, second.id], user_id=manager)
        unlink_sibling(rows, rows.child(first.id), user_id=manager, reason=WHY)
    return [first, second, third]


def told(child: tables.Child, other: tables.Child) -> str:
    return f"A manager took {child.reference} out of the family of {other.reference} on {day(today())} (“{WHY}”)."


def log(service: Service) -> list[dict[str, object]]:
    with service.database.read(service.north) as session:
        links = select(tables.AuditEvent).where(tables.AuditEvent.action == "link siblings")
        return [one.details for one in session.scalars(links.order_by(tables.AuditEvent.number))]


def test_a_form_tells_it_once_and_a_coordinator_may_mean_it(service: Service, apart: list[tables.Child]) -> None:
    """No manager has to be found for it: as siblings they are kept from one visitor, which is the safe way."""
    first, second, third = apart
    browser, page = service.as_(Role.COORDINATOR), f"/children/{second.id}/siblings"
    answer = browser.post(page, data={"siblings": first.reference}, headers=HTML)
    assert answer.status_code == 422
    assert f"{told(first, second)} Save once more if they are brothers and sisters all the same." in said(answer.text)
    assert not are_siblings(service, first.id, second.id)
    form = fields_of(answer.text)
    assert form["siblings"] == first.reference
    for meant in ("", "T2345"):
        assert browser.post(page, data=form | {"meant": meant}, headers=HTML).status_code == 422
    assert browser.post(page, data=form, headers=HTML).status_code == 200
    assert are_siblings(service, first.id, second.id)
    assert log(service)[-1]["although apart"] == sorted([first.id, second.id])
    link = browser.post(page, data={"siblings": third.reference}, headers=HTML)  # and nothing is asked of others
    assert link.status_code == 200
    assert "although apart" not in log(service)[-1]
    assert "though a manager had taken them apart" in said(service.as_(Role.AUDITOR).get("/log").text)


def test_what_is_told_once_is_told_anew_where_a_manager_parts_more_of_them_meanwhile(
    service: Service, apart: list[tables.Child]
) -> None:
    first, second, third = apart
    browser, page = service.as_(Role.COORDINATOR), f"/children/{second.id}/siblings"
    both = {"siblings": f"{first.reference}; {third.reference}"}
    form = fields_of(browser.post(page, data=both, headers=HTML).text)
    with written(service) as rows:
        manager = service.users["north", Role.MANAGER]
        link_siblings(rows, [first.id, third.id], user_id=manager)
        unlink_sibling(rows, rows.child(third.id), user_id=manager, reason=WHY)
    answer = browser.post(page, data=form, headers=HTML)
    assert (answer.status_code, told(third, first) in said(answer.text)) == (422, True)
    assert not are_siblings(service, second.id, third.id)


@pytest.mark.parametrize("through", ["a third", "a new child"])
def test_it_is_told_too_where_somebody_else_would_join_them(
    service: Service, apart: list[tables.Child], through: str
) -> None:
    first, second, third = apart
    browser = service.as_(Role.COORDINATOR)
    if through == "a third":
        with written(service) as rows:
            link_siblings(rows, [first.id, third.id], user_id=service.users["north", Role.MANAGER])
        path, body = f"{API}/families", {"children": [second.id, third.id]}
    else:
        path, body = f"{API}/children", {"reference": "NEW-71", "siblings": [first.id, second.id]}
    seen = families_seen(browser, *body.get("children", ()))
    refused = browser.post(path, json=body, headers=seen)
    assert (refused.status_code, told(first, second) in refused.json()["detail"]) == (409, True)
    assert not are_siblings(service, first.id, second.id)
    with service.database.read(service.north) as session:
        assert session.scalar(select(tables.Child.id).where(tables.Child.reference == "NEW-71")) is None
    blind = service.program(Role.COORDINATOR, Permission.WRITE).post(path, json=body, headers=seen)
    assert (blind.status_code, first.reference in blind.text) == (409, False)
    assert browser.post(path, json=body | {"although_taken_apart": True}, headers=seen).status_code in (200, 201)
    assert are_siblings(service, first.id, second.id)


def test_the_form_of_a_new_child_keeps_what_was_typed_and_tells_it(service: Service, apart: list[tables.Child]) -> None:
    first, second, _ = apart
    browser, page = service.as_(Role.COORDINATOR), "/children/new"
    given = fields_of(browser.get(page, headers=HTML).text)
    given |= {"reference": "NEW-72", "siblings": f"{first.reference}; {second.reference}"}
    answer = browser.post(page, data=given, headers=HTML)
    assert (answer.status_code, told(first, second) in said(answer.text)) == (422, True)
    form = fields_of(answer.text)
    assert (form["reference"], form["siblings"]) == ("NEW-72", given["siblings"])
    assert browser.post(page, data=form, headers=HTML).status_code == 200
    assert are_siblings(service, first.id, second.id)
