"""Whoever reads of a child is in the audit log: each route that tells facts of children, by the list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import a_child, a_match, cell, families_seen, files_of
from sqlalchemy import select
from test_policy_pages import form
from test_run_pages import a_run, run_once

from matcher.instance import today
from matcher.readers import Reading
from matcher.records import Agreement, ExceptionKind, Party
from matcher.shortlist import shortlist
from service import budgets, exceptions, people, steps
from service.brought_up import BROUGHT_UP
from service.database import tables
from service.families import link_siblings
from service.importing.uploads import hold, receive
from service.middleware import RateLimit
from service.pages import reckoning
from service.pages.log import READ
from service.permissions import MAY, PUBLIC, ROUTES, TELLS, Role
from service.proposals import Chosen, propose, take_step
from service.repository import Repository, ids_in
from service.workflow import State

HTML = {"Accept": "text/html"}
OF_NOBODY_BY_NAME = {"GET /api/v1/decisions", "GET /api/v1/retention", "POST /organisations/{organisation_id}"}
"""Pseudonymised; and lists in which nobody is here. The entry is there all the same."""
NOTHING_TOLD = {"GET /log", "GET /api/v1/openapi.json"}
"""The log itself names records by their ids, and says nothing of what they hold; the document has made-up examples."""


@pytest.fixture
def asked(service: Service, small_county: Reading) -> Mapping[str, Any]:
    """What stands in the paths and bodies: records of North in which everything that can be told is there to tell."""
    child, volunteer = service.eligible_pair()
    run, _ = run_once(service.database, service.keys, service.north)
    no = cell(small_county, "children", "agrees", "no")
    user = service.users["north", Role.MANAGER]
    changed = [(name, content) for _, (name, content) in files_of(small_county, {("children", no, "agrees"): "yes"})]
    foreign = f"number,child_id,agrees\n1,{no},yes\n".encode()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        instance = rows.instance(today())
        lists = (shortlist(instance, one.id, rank_by="fit") for one in instance.waiting if one.id != child)
        whom = next(one.volunteer for found in lists for one in found if one.volunteer != volunteer)
        told = f"{child} and {volunteer} are wanted together."
        failed = a_run(session, service.north, "failed", told, service.keys)
        match = propose(rows, child, volunteer, user_id=user, reason="other", chosen=Chosen("fit", 1, (volunteer,))).id
        take_step(rows, match, "ask_volunteer", by=Party.AUTHORITY, user_id=user)
        knows = session.scalars(select(tables.Volunteer).where(tables.Volunteer.id.not_in((volunteer, whom)))).first()
        assert knows is not None
        people.change_volunteer(rows, knows, {"known_children": rows.child(child).reference}, user_id=user)
        relative = exceptions.approve(
            rows,
            ExceptionKind.RELATIVE,
            knows.id,
            child,
            None,
            user_id=user,
            reason="An aunt, whom the child asked for",
        ).id
        upload = hold(rows, receive(rows, dict(changed)), user_id=user).id
        other = hold(rows, receive(rows, {"ours.csv": foreign}), user_id=service.users["north", Role.COORDINATOR]).id
        of = {
            "child_id": child, "volunteer_id": volunteer, "match_id": match, "run_id": run, "failed": failed,
            "family_id": session.scalars(select(tables.Family.id).where(tables.Family.known)).first(),
            "exception_id": relative, "upload_id": upload, "other": other, "knows": knows.id, "whom": whom,
            "organisation_id": None, "import_id": session.scalars(select(tables.ImportBatch.id)).first(),
            "user_id": service.users["north", Role.ANALYST],
        }  # fmt: skip
        past = a_match(session, a_child(rows, "visited before"), knows, State.ENDED, place=None)
        session.flush()
        steps.note(rows, past, BROUGHT_UP, user_id=user, reason="concern raised")
        of["past"] = past.id
        budgets.commit(rows, "E06000062", 100, rows.match(match), user_id=user)
        organisation = tables.Organisation(name="Bluebell Homes")
        session.add(organisation)
        session.flush()
        of["organisation_id"] = organisation.id
    still = {"part": "about", "step_id": "child_declines", "reader": "volunteer", "letter": "appointment",
             "sheet": "children", "report": "waits", "number": 1, "code": "E06000062", "active": service.a_match(),
             "files": [("files", one) for one in changed]}  # fmt: skip
    return {**of, **still}


OTHERWISE: Mapping[str, Mapping[str, str]] = {
    "GET /proposals/{match_id}/letters/{letter}": {"match_id": "active"},
    "GET /proposals/{match_id}/asked": {"match_id": "past"},
    "POST /proposals/{match_id}/asked": {"match_id": "past"},
    "GET /volunteers/{volunteer_id}/shortlist": {"volunteer_id": "whom"},
    "GET /api/v1/volunteers/{volunteer_id}": {"volunteer_id": "knows"},
    "GET /api/v1/volunteers/{volunteer_id}/shortlist": {"volunteer_id": "whom"},
    "GET /api/v1/runs/{run_id}": {"run_id": "failed"},
    "GET /imports/files/{upload_id}/columns": {"upload_id": "other"},
    "POST /imports/files/{upload_id}/columns": {"upload_id": "other"},
}
"""Of a route, what stands in its path in place of the usual."""
BODIES: Mapping[str, Mapping[str, str]] = {
    "POST /exceptions/{exception_id}/withdraw": {"version": "1", "reason": "The child has another visitor"},
    "POST /organisations/{organisation_id}": {"version": "1", "name": "Bluebell Care"},
    "POST /imports/files/{upload_id}/columns": {"shown": "children", "sheet": "children"},
    "POST /policy/draft": form(rules__travel__miles="8", priorities__no_parental_contact__points="0"),
    "POST /policy": form(rules__travel__miles="8", priorities__no_parental_contact__points="0"),
}
"""Forms that show what they were given once more; the others are sent empty."""


def ask(browser: TestClient, line: str, asked: Mapping[str, Any]) -> Any:
    method, path = line.split()
    instead = {name: asked[other] for name, other in OTHERWISE.get(line, {}).items()}
    if path == "/volunteers/{volunteer_id}/change/{part}":
        instead = {"volunteer_id": asked["knows"], "part": "independence"}
    sent: dict[str, Any] = {}
    if line == "POST /api/v1/imports/check":
        sent = {"files": asked["files"]}
    elif method == "POST":
        sent = {"data": {**BODIES.get(line, {}), "csrf": browser.headers["X-CSRF-Token"]}}
    accept = {} if "/api/" in path else HTML
    return browser.request(method, path.format(**asked | instead), headers=accept, follow_redirects=False, **sent)


def readings(service: Service) -> list[tables.AuditEvent]:
    with service.database.read(service.north) as session:
        query = select(tables.AuditEvent).where(tables.AuditEvent.action == "read").order_by(tables.AuditEvent.number)
        return list(session.scalars(query))


def test_every_route_that_tells_of_children_says_who_read_which(
    service: Service, asked: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    browser, wrong = service.as_(Role.MANAGER), []
    for line, word in TELLS.items():
        before = len(readings(service))
        answer = ask(browser, line, asked)
        new = [one for one in readings(service)[before:] if one.actor]
        named = {child for one in new for child in (one.subject, *one.details.get("children", ())) if child[:1] == "C"}
        known = any(one.reason == word for one in new) and (named or line in OF_NOBODY_BY_NAME)
        unsaid = {*ids_in(answer.text, "C")} - named
        if answer.status_code >= 500 or not known or unsaid:
            wrong.append((line, answer.status_code, unsaid, [(one.reason, one.subject, one.details) for one in new]))
    assert wrong == []


def test_what_the_log_has_of_readings_is_said_as_a_sentence() -> None:
    assert set(TELLS.values()) | {"list"} == set(READ)


def test_no_other_page_or_answer_names_a_child(
    service: Service, asked: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by reference nor by id. A route that does so belongs on the list, and into the log."""
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    with service.database.read(service.north) as session:
        words = {word for row in session.execute(select(tables.Child.id, tables.Child.reference)) for word in row}
    wrong = []
    for role in Role:
        browser = service.as_(role)
        for line, needs in ROUTES.items():
            if (
                needs is PUBLIC
                or needs not in MAY[role]
                or line in {*TELLS, *NOTHING_TOLD}
                or not line.startswith("GET")
            ):
                continue
            answer = ask(browser, line, asked)
            named = sorted(word for word in words if word in answer.text)
            if named or answer.status_code not in (200, 303):
                wrong.append((role, line, answer.status_code, named[:3]))
    assert wrong == []


def test_who_reads_of_brothers_and_sisters_beside_a_child_reads_of_them_too(service: Service) -> None:
    """Their references stand on the child's page and on the form for siblings."""
    one, other = service.children()[:2]
    manager = service.as_(Role.MANAGER)
    assert manager.post(
        "/api/v1/families", json={"children": [one, other]}, headers=families_seen(manager, one, other)
    ).is_success
    for path in (f"/children/{one}", f"/children/{one}/siblings"):
        before = len(readings(service))
        assert manager.get(path, headers=HTML).status_code == 200
        told = readings(service)[before:]
        assert [(entry.subject, other in entry.details["children"]) for entry in told] == [(one, True)], path


def test_who_opens_a_shortlist_reads_of_the_brothers_and_sisters_whom_its_notes_name(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the child lives with another who waits, and that they are matched at the same time."""
    monkeypatch.setattr(reckoning, "MOST", 2)
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        instance, matched = rows.instance(today()), {*session.scalars(select(tables.Match.child_id))}
        one = instance.child(child)
        other = next(it.id for it in instance.waiting if it.family != one.family and it.id not in matched)
        twin = rows.child_record(rows.child(other), family_known=True)
        twin = replace(twin, placement=one.placement, agrees=Agreement.YES)
        rows.write_child(rows.child(other), twin)
        link_siblings(rows, [child, other], user_id=service.users["north", Role.MANAGER])
        _, second, *_, last = (one.volunteer for one in shortlist(rows.instance(today()), child, top=99, rank_by="fit"))
        name = rows.child(other).reference
    desk, at = service.as_(Role.MANAGER), f"/children/{child}"
    pages = [
        f"{at}/shortlist?rank=fit", f"{at}/shortlist.xlsx?rank=fit",
        f"{at}/compare?rank=fit&with={volunteer}&with={second}", f"{at}/propose/{volunteer}?rank=fit",
        f"{at}/propose/{last}?rank=fit",  # who is not among the first on it
    ]  # fmt: skip
    api = [f"/api/v1{at}/shortlist?rank_by=fit", f"/api/v1{at}/volunteers/{volunteer}/explanation"]
    for path in [*pages, *api]:
        before = len(readings(service))
        answer = desk.get(path, headers={} if path in api else HTML)
        assert answer.status_code == 200
        assert "xlsx" in path or name in answer.text, path
        told = readings(service)[before:]
        assert [(one.subject, other in one.details["children"]) for one in told] == [(child, True)], path
