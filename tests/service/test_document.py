"""The document of the API tells a program all that it needs: how to prove who asks, what is sent beside, an example.

Every operation is walked, so that a new one without any of these fails.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Service
from jsonschema import Draft202012Validator
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from service.api.deps import CSRF_HEADER
from service.api.document import operations
from service.middleware import RateLimit
from service.permissions import MAY, PUBLIC, ROUTES, Permission, Role
from service.settings import Settings

METRICS = "GET /metrics"
TOLD_HEADERS = {
    "etag", "location", "retry-after", "www-authenticate", "set-cookie", "content-disposition", "x-request-id"
}  # fmt: skip
"""What an answer may carry that a program goes by."""


@pytest.fixture
def whole(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.as_(Role.COORDINATOR).get("/api/v1/openapi.json").json()
    return found


def every(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The line of the table of permissions, and what the document says."""
    for path, method, told in operations(whole):
        yield f"{method.upper()} {path}", told


def answers_of(whole: dict[str, Any], told: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for status, answer in told["responses"].items():
        if "$ref" in answer:
            answer = whole["components"]["responses"][answer["$ref"].rpartition("/")[2]]
        yield int(status), answer


def example_path(line: str, told: dict[str, Any]) -> str:
    path = line.split()[1]
    for one in told.get("parameters", ()):
        path = path.replace("{" + one["name"] + "}", str(one["example"]))
    return path


def send(program: TestClient, line: str, told: dict[str, Any], **headers: str) -> Any:
    """The request of which the document has the examples."""
    contents = told.get("requestBody", {}).get("content", {})
    body: dict[str, Any] = {}
    if "application/json" in contents:
        body = {"json": contents["application/json"]["example"]}
    elif "multipart/form-data" in contents:
        example = dict(contents["multipart/form-data"]["example"])
        files = [("files", ("children.csv", one.encode())) for one in example.pop("files")]
        body = {"files": files, "data": example}
    query = {one["name"]: one["example"] for one in told.get("parameters", ()) if one["in"] == "query"}
    sent = {one["name"]: one["example"] for one in told.get("parameters", ()) if one["in"] == "header"}
    return program.request(
        line.split()[0], example_path(line, told), params=query, headers=sent | headers, follow_redirects=False, **body
    )


# ---- who may ask -----------------------------------------------------------------------------------------------------


def test_every_operation_tells_how_to_prove_who_asks(service: Service, whole: dict[str, Any]) -> None:
    schemes = whole["components"]["securitySchemes"]
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", "kith_session")
    assert (schemes["csrf"]["in"], schemes["csrf"]["name"]) == ("header", CSRF_HEADER)
    assert schemes["token"]["scheme"] == "bearer"
    for line, told in every(whole):
        ways = told["security"]
        assert {name for way in ways for name in way} <= set(schemes), line
        if ROUTES[line] is PUBLIC:
            assert ways == ([{"metrics": []}] if line == METRICS else []), line
        else:
            person = {"session": []} if line.startswith("GET ") else {"session": [], "csrf": []}
            assert ways[0] == person, line


def test_a_token_with_the_scopes_that_are_told_is_let_in_and_with_fewer_is_not(
    service: Service, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    for line, told in every(whole):
        if ROUTES[line] is PUBLIC:
            continue
        scopes = [Permission(one) for way in told["security"] for one in way.get("token", ())]
        role = next(one for one in Role if {*scopes, ROUTES[line]} <= MAY[one])
        if not scopes:  # no token is: a person has to be logged in
            assert send(service.program(role, *MAY[role]), line, told).status_code == 403, line
            continue
        if line != "POST /api/v1/imports":  # whose example weakens a safeguard, which needs more
            assert send(service.program(role, *scopes), line, told).status_code not in (401, 403), line
        for one in scopes:
            assert send(service.program(role, *(MAY[role] - {one})), line, told).status_code == 403, (line, one)


def test_a_person_needs_the_header_that_is_told_for_every_change(service: Service, whole: dict[str, Any]) -> None:
    browser = service.as_(Role.MANAGER)
    secret = browser.headers.pop(CSRF_HEADER)
    for line, told in every(whole):
        if {"session": [], "csrf": []} in told["security"] and ROUTES[line] in MAY[Role.MANAGER]:
            assert send(browser, line, told).status_code == 403, line
    assert browser.delete("/api/v1/session", headers={CSRF_HEADER: secret}).status_code == 204


# ---- what is sent beside ---------------------------------------------------------------------------------------------


def test_every_answer_tells_its_headers(whole: dict[str, Any]) -> None:
    for line, told in every(whole):
        for status, answer in answers_of(whole, told):
            headers = answer["headers"]
            assert "X-Request-ID" in headers, (line, status)
            assert ("Retry-After" in headers) == (status == 429), (line, status)
            assert ("WWW-Authenticate" in headers) == (status == 401), (line, status)
            assert ("Location" in headers) == (300 <= status < 400), (line, status)
            if "428" in told["responses"] and status < 300:
                assert "ETag" in headers, line


def test_what_changes_a_version_says_so(service: Service, whole: dict[str, Any]) -> None:
    browser = service.as_(Role.MANAGER)
    changes, optional = 0, set()
    for line, told in every(whole):
        asked = [one for one in told.get("parameters", ()) if one["name"] == "If-Match"]
        assert bool(asked) == ("428" in told["responses"]), line
        if not asked:
            continue
        told["parameters"].remove(asked[0])
        if asked[0]["required"]:
            assert send(browser, line, told).status_code == 428, line
            changes += 1
        else:
            optional.add(line)
    assert changes >= 12
    assert optional == {"POST /api/v1/families"}  # whose families have a version where they have children already


def test_an_answer_carries_the_headers_that_are_told_and_no_other(
    service: Service, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of everything that can be asked for by an id that is here."""
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    browser, (child, volunteer) = service.as_(Role.MANAGER), service.eligible_pair()
    real = {"child_id": child, "volunteer_id": volunteer, "match_id": service.a_match()}
    answered = set()
    for line, told in every(whole):
        if not line.startswith("GET /api/") or ROUTES[line] not in MAY[Role.MANAGER]:
            continue
        for one in told.get("parameters", ()):
            one["example"] = real.get(one["name"], one["example"])
        answer = send(browser, line, told)
        headers = {name.lower() for name in dict(answers_of(whole, told))[answer.status_code]["headers"]}
        assert {name.lower() for name in answer.headers} & TOLD_HEADERS == headers, line
        answered |= {line} if answer.status_code == 200 else set()
    assert len(answered) >= 20


def test_who_asks_too_often_is_told_when_to_ask_again() -> None:
    now, told = 0.0, []

    async def ask(app: RateLimit) -> None:
        async def send(message: Any) -> None:
            if "headers" in message:
                told.append(Headers(raw=message["headers"]).get("retry-after"))

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/api/v1/children",
            "client": ("a", 1),
            "state": {"request_id": "x"},
        }
        await app(scope, None, send)  # type: ignore[arg-type]

    async def answer(*_: Any) -> None:
        told.append(None)

    limit = RateLimit(answer, Settings(requests_a_minute=12), clock=lambda: now)
    for _ in range(13):
        asyncio.run(ask(limit))
    assert told == [None] * 12 + ["5"]  # twelve a minute is one in five seconds
    now = 5.0
    asyncio.run(ask(limit))
    assert told[13:] == [None]


# ---- examples --------------------------------------------------------------------------------------------------------


def test_everything_has_an_example_that_is_one(whole: dict[str, Any]) -> None:
    """Parameters, what is sent, and every answer."""
    told_of = 0

    def holds(example: Any, schema: dict[str, Any], where: tuple[str, ...]) -> None:
        nonlocal told_of
        wrong = list(Draft202012Validator({"components": whole["components"], **schema}).iter_errors(example))
        assert not wrong, (where, wrong[0].message)
        told_of += 1

    for name, schema in whole["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            holds(example, schema, (name,))
    for line, told in every(whole):
        for one in told.get("parameters", ()):
            holds(one["example"], one["schema"], (line, one["name"]))
        contents = [("sent", told["requestBody"])] if "requestBody" in told else []
        contents += [(str(status), answer) for status, answer in answers_of(whole, told)]
        for name, message in contents:
            for kind, content in message.get("content", {}).items():
                assert name == "sent" or name != "200" or content["schema"], (line, kind)
                if kind != "application/zip":
                    holds(content["example"], content["schema"], (line, name))
            for header, what in message.get("headers", {}).items():
                holds(what["schema"]["examples"][0], what["schema"], (line, name, header))
    assert told_of > 1000


def test_every_answer_says_what_it_is_made_of(whole: dict[str, Any]) -> None:
    for line, told in every(whole):
        for status, answer in answers_of(whole, told):
            assert bool(answer.get("content")) == (status not in (204, 303)), (line, status)
            for kind, content in answer.get("content", {}).items():
                if kind == "application/json":
                    assert "$ref" in json.dumps(content["schema"]), (line, "is anything")


def test_what_is_sent_by_example_can_be_read(
    service: Service, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries the document out is told that there is nobody by that id, not that the request is wrong."""
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    browser = service.as_(Role.MANAGER)
    for line, told in every(whole):
        if "requestBody" in told and ROUTES[line] in MAY[Role.MANAGER]:
            assert send(browser, line, told).status_code not in (400, 422, 500), line
