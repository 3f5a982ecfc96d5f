"""Every route with every role, on one's own authority's records and on another's. A route without a line fails here."""

from __future__ import annotations

from pathlib import Path

from conftest import Service
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException

from service.cli import RoleName
from service.permissions import MAY, PUBLIC, ROUTES, Permission, Role, table

LOGGED_OUT = {"DELETE /api/v1/session"}
"""Ends what the other lines need: asked last of all."""


def lines_of(service: Service) -> set[str]:
    routes = iter_route_contexts(service.client.app.routes)  # type: ignore[attr-defined]
    return {f"{method} {route.path}" for route in routes for method in route.methods or () if method != "HEAD"}


def test_every_route_has_a_line_and_every_line_a_route(service: Service) -> None:
    assert lines_of(service) == set(ROUTES)


def test_the_document_has_every_line() -> None:
    document = (Path(__file__).parents[2] / "docs" / "permissions.md").read_text(encoding="utf-8")
    assert table() in document


def test_the_command_line_knows_the_same_roles() -> None:
    assert [*map(str, RoleName)] == [*map(str, Role)]


def test_every_permission_is_some_roles() -> None:
    assert frozenset().union(*MAY.values()) == frozenset(Permission)


def test_the_whole_table(service: Service) -> None:
    """The status of each line x role x authority; 404 wherever an id in the path is another authority's."""
    child, volunteer = service.eligible_pair()
    wrong = []
    for where in ("north", "south"):
        for role in Role:
            browser = service.as_(role, where)
            for line in sorted(ROUTES, key=lambda one: one in LOGGED_OUT):
                method, path = line.split()
                asked = path.format(child_id=child, volunteer_id=volunteer)
                status = browser.request(method, asked, json={} if method == "POST" else None).status_code
                needs = ROUTES[line]
                if needs is not PUBLIC and needs not in MAY[role]:
                    expected = {403}
                elif where == "south" and asked != path:
                    expected = {404}
                elif line == "POST /api/v1/session":
                    expected = {422}
                else:
                    expected = {200, 204}
                if status not in expected:
                    wrong.append((where, role, line, status))
    assert wrong == []


def test_nobody_is_let_in_without_a_login(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    for line, needs in ROUTES.items():
        if needs is not PUBLIC:
            method, path = line.split()
            asked = path.format(child_id=child, volunteer_id=volunteer)
            assert service.client.request(method, asked).status_code == 401, line


def test_a_route_without_a_line_is_closed_to_everybody(service: Service) -> None:
    app = service.client.app

    @app.get("/forgotten")  # type: ignore[attr-defined]
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
