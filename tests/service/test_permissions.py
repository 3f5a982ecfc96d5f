"""Every route with every role, on one's own authority's records and on another's. A route without a line fails here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Service
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from real_asks import ids_of
from running import run_once
from starlette.exceptions import HTTPException

from service.app import create_app
from service.cli import RoleName
from service.middleware import RateLimit
from service.permissions import MAY, PUBLIC, ROUTES, Permission, Role, table
from service.settings import Settings

NOT_SET_UP = {"GET /metrics", "GET /api/v1/session/oidc", "GET /api/v1/session/oidc/callback"}
"""There without their settings, which these tests do not give."""
NO_PAGES = ("/api/", "/health", "/ready", "/metrics")
API = {line: needs for line, needs in ROUTES.items() if line.split()[1].startswith(NO_PAGES)}
"""The others are pages, which test_pages tries in the same way."""

LOGGED_OUT = {"DELETE /api/v1/session"}
"""Ends what the other lines need: asked last of all."""


def lines_of(service: Service) -> set[str]:
    routes = iter_route_contexts(service.client.app.routes)  # type: ignore[attr-defined]
    return {f"{method} {route.path}" for route in routes for method in route.methods or ()}


def test_every_route_has_a_line_and_every_line_a_route(service: Service) -> None:
    assert lines_of(service) == set(ROUTES)


def test_the_document_has_every_line() -> None:
    document = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text(encoding="utf-8")
    assert table() in document


def test_the_command_line_knows_the_same_roles() -> None:
    assert [*map(str, RoleName)] == [*map(str, Role)]


def test_every_permission_is_some_roles() -> None:
    assert frozenset().union(*MAY.values()) == frozenset(Permission)


def test_the_whole_table(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status of each line x role x authority; 404 wherever an id in the path is another authority's."""
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    ids = ids_of(service) | {"run_id": run_once(service.database, service.keys, service.north)}
    shown = service.as_(Role.COORDINATOR).get(f"/api/v1/children/{ids['child_id']}/shortlist").json()
    ids["served"] = shown["served"]
    wrong = []
    for where in ("north", "south"):
        for role in sorted(Role, key=lambda one: one is Role.MANAGER):  # who erases comes last
            browser = service.as_(role, where)
            for line in sorted(API, key=lambda one: (one in LOGGED_OUT, "erasure" in one)):
                method, path = line.split()
                body = {"json": BODIES[line](ids)} if line in BODIES else {"json": {}} if method == "POST" else {}
                if "/imports" in path and method == "POST":
                    body = {"files": [("files", ("children.csv", b"child_id"))], "data": {"stamp": "none"}}
                headers = {"If-Match": '"1"'} if method in ("PATCH", "PUT", "POST") else {}
                status = browser.request(method, path.format(**ids), headers=headers, **body).status_code
                needs = ROUTES[line]
                others = where == "south" and any("{" + name + "}" in path for name in OWNED)
                if needs is not PUBLIC and needs not in MAY[role]:
                    expected = {403}
                elif line in NOT_SET_UP:
                    expected = {404}
                elif line == "POST /api/v1/session":
                    expected = {422}
                elif others or (where == "south" and line in NAMES_OTHERS):
                    expected = {404}
                elif method == "GET":
                    expected = {200}
                else:
                    expected = {200, 201, 202, 204, 404, 409, 412}
                if status not in expected:
                    wrong.append((where, role, line, status))
    assert wrong == []


OWNED = ("child_id", "volunteer_id", "match_id", "run_id", "family_id", "organisation_id", "exception_id")
NAMES_OTHERS = {"POST /api/v1/exceptions", "POST /api/v1/families", "POST /api/v1/proposals"}
"""Whose bodies name records of North."""
_ERASURE = {"reason": "entered by mistake"}
BODIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "POST /api/v1/tokens": lambda _: {"name": "report", "scopes": ["self"]},
    "POST /api/v1/children": lambda ids: {"reference": "NEW-1"},
    "PATCH /api/v1/children/{child_id}": lambda _: {"facts": {"fears_animals": "no"}},
    "PUT /api/v1/children/{child_id}/person": lambda _: {"name": "A"},
    "POST /api/v1/volunteers": lambda _: {"reference": "NEW-1"},
    "PATCH /api/v1/volunteers/{volunteer_id}": lambda _: {"facts": {"has_dog": "no"}},
    "POST /api/v1/volunteers/{volunteer_id}/status": lambda _: {"status": "suspended", "reason": "complaint"},
    "PUT /api/v1/volunteers/{volunteer_id}/person": lambda _: {"name": "A"},
    "POST /api/v1/families": lambda ids: {"children": ids["siblings"]},
    "POST /api/v1/children/{child_id}/unlink": lambda _: {"reason": "entered by mistake", "siblings": []},
    "POST /api/v1/organisations": lambda _: {"name": "Example Homes"},
    "PATCH /api/v1/organisations/{organisation_id}": lambda _: {"name": "Bluebell Houses"},
    "POST /api/v1/exceptions/{exception_id}/withdraw": lambda _: {"reason": "for a test"},
    "POST /api/v1/exceptions": lambda ids: {
        "kind": "second child", "volunteer": ids["volunteer_id"], "value": 2, "reason": "for a test"
    },
    "PUT /api/v1/budgets/{code}": lambda _: {"budget_pence": 1, "spent_pence": 0},
    "POST /api/v1/proposals": lambda ids: {
        "served": ids["served"], "volunteer": ids["volunteer_id"], "reason": "other"
    },
    "POST /api/v1/matches/{match_id}/steps": lambda _: {"step": "withdraw", "by": "authority", "reason": "entered"},
    "POST /api/v1/matches/{match_id}/take-back": lambda _: {"reason": "it was another child"},
    "POST /api/v1/matches/{match_id}/asked": lambda _: {
        "outcome": "told nothing of concern", "asked_by": "authority", "on": "2026-01-01",
    },
    "POST /api/v1/matches/{match_id}/notes": lambda _: {"by": "child", "on": "2026-01-01", "note": "Not yet."},
    "POST /api/v1/runs/{run_id}/publish": lambda _: {"reason": "for a test"},
    "POST /api/v1/policies/check": lambda _: {"toml": 'name = "x"'},
    "POST /api/v1/policies": lambda _: {
        "toml": 'name = "x"\ntitle = "x"\nversion = "1"\ninherits = "national"', "reason": "for a test"
    },
    "POST /api/v1/children/{child_id}/erasure": lambda _: _ERASURE,
    "POST /api/v1/volunteers/{volunteer_id}/erasure": lambda _: _ERASURE,
}  # fmt: skip
"""What is asked for, where a line needs a body, so that nothing but the role and the authority decides."""


def test_no_child_of_another_authority_is_a_sibling(service: Service) -> None:
    theirs, manager = service.eligible_pair()[0], service.as_(Role.MANAGER, "south")
    new = {"reference": "NEW-1", "siblings": [theirs]}
    assert manager.post("/api/v1/children", json=new).status_code == 404
    own = manager.post("/api/v1/children", json={"reference": "NEW-1", "siblings": []})
    unlinking = {"reason": "entered by mistake", "siblings": [theirs]}
    path, tag = f"/api/v1/children/{own.json()['id']}/unlink", {"If-Match": own.headers["ETag"]}
    assert manager.post(path, json=unlinking, headers=tag).status_code == 412


def test_nobody_is_let_in_without_a_login(service: Service) -> None:
    ids = ids_of(service)
    for line, needs in API.items():
        if needs is not PUBLIC:
            method, path = line.split()
            asked = path.format(**ids)
            assert service.client.request(method, asked).status_code == 401, line


def test_a_page_answers_no_program(service: Service) -> None:
    """A page tells what is on record, also to whoever may write and not identify: a token is for the API alone."""
    ids = ids_of(service) | {
        "part": "wishes", "step_id": "pause", "reader": "child", "letter": "appointment", "sheet": "children",
        "upload_id": "F" + "2" * 11, "import_id": "B" + "2" * 11, "report": "waits",
        "user_id": service.users["north", Role.ANALYST],
    }  # fmt: skip
    told = []
    for scopes in ([Permission.WRITE], MAY[Role.MANAGER]):
        program = service.program(Role.MANAGER, *scopes)
        assert program.get("/api/v1/session").status_code == (200 if Permission.SELF in scopes else 403)
        for line, needs in ROUTES.items():
            if line not in API and needs is not PUBLIC:
                method, path = line.split()
                files = {"files": ("children.csv", b"child_id\nC9001\n")} if line == "POST /imports" else None
                answer = program.request(method, path.format(**ids), files=files, follow_redirects=False)
                if answer.status_code != 401:
                    told.append((line, answer.status_code))
    assert told == []


def test_a_route_without_a_line_is_closed_to_everybody(service: Service, settings: Settings) -> None:
    app = create_app(settings)
    service = replace(service, client=TestClient(app, raise_server_exceptions=False))

    @app.get("/forgotten")
    def forgotten() -> str:
        raise HTTPException(418)

    for role in Role:
        assert service.as_(role).get("/forgotten").status_code == 403


def test_an_analyst_sees_neither_references_nor_dates_nor_places(service: Service) -> None:
    browser = service.as_(Role.ANALYST)
    page = browser.get("/api/v1/children").json()
    assert {line["reference"] for line in page["children"]} == {None}
    assert {line["coordinator"] for line in page["children"]} == {None}
    told = browser.get(f"/api/v1/children/{page['children'][0]['id']}").json()
    assert told["reference"] is None
    assert not {"date_of_birth", "placement", "family", "provider", "referred_on"} & set(told["facts"])
    assert "age" in told["facts"]
    assert {line["referred_on"] for line in page["children"]} == {None}
    line = browser.get("/api/v1/volunteers").json()["volunteers"][0]
    assert line["reference"] is None
    told = browser.get(f"/api/v1/volunteers/{line['id']}").json()
    assert not {"date_of_birth", "dbs_checked_on", "home", "areas", "organisations"} & set(told["facts"])


def test_a_change_tells_a_token_no_more_than_a_reading_would(service: Service) -> None:
    """One that may decide, and not identify: its step is taken, and nothing of the match is in the answer."""
    desk, (child, volunteer) = service.as_(Role.COORDINATOR), service.eligible_pair()
    shown = desk.get(f"/api/v1/children/{child}/shortlist").json()
    body = {"served": shown["served"], "volunteer": volunteer, "reason": "other", "note": "Planted words"}
    path = f"/api/v1/matches/{desk.post('/api/v1/proposals', json=body).json()['id']}"
    scopes = Permission.DECIDE, Permission.READ
    program = service.program(Role.COORDINATOR, *scopes)
    tag = {"If-Match": desk.get(path).headers["ETag"]}
    assert program.get(path).status_code == 403
    took = program.post(f"{path}/steps", json={"step": "ask_volunteer", "by": "authority"}, headers=tag)
    assert (took.status_code, took.json()["state"]) == (200, "volunteer considers")
    no = {"step": "withdraw", "by": "authority", "reason": "entered by mistake"}
    over = program.post(f"{path}/steps", json=no, headers={"If-Match": took.headers["ETag"]})
    shown = program.get(f"/api/v1/children/{child}/shortlist").json()
    body = {"served": shown["served"], "volunteer": shown["shortlist"][0]["volunteer"], "reason": "other"}
    made = program.post("/api/v1/proposals", json=body)
    assert (over.status_code, made.status_code) == (200, 201)
    for answer in (took, over, made):
        assert {*answer.json()} == {"id", "state", "version"}
    assert "Planted words" in desk.get(path).text
