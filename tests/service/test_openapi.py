"""The document of the API against the service: nothing crashes, and every answer is one that the document tells.

Requests are made up from the document, the same ones every time, for each role; in a database that may take any harm.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import defaultdict
from typing import Any

import pytest
import schemathesis
from conftest import Service
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis import strategies as st
from real_asks import LOG_OUT, Asks, ids_of, tag_of
from running import run_once
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.middleware import RateLimit
from service.permissions import MAY, ROUTES, Role

EXAMPLES, SEED = int(os.environ.get("KITH_FUZZ", "1")), int(os.environ.get("KITH_FUZZ_SEED", "689"))
"""So many requests of each operation are made up by each role; `make fuzz` makes up a hundred, on each database."""
MODES = st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
CHECKS = (
    schemathesis.checks.not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
)  # fmt: skip
REACHED = {200, 201, 202, 204, 404, 409, 412}
ERRORS = {"400", "401", "403", "404", "405", "409", "413", "422", "429", "500"}
NOT_SET_UP = {"GET /metrics", "GET /api/v1/session/oidc", "GET /api/v1/session/oidc/callback"}
"""There without their settings, which these tests do not give."""


SHORTLISTED = ("/api/v1/proposals", "/api/v1/matches")
_SCHEMAS: list[schemathesis.schemas.BaseSchema] = []


def document_of(service: Service) -> dict[str, Any]:
    document: dict[str, Any] = service.as_(Role.COORDINATOR).get("/api/v1/openapi.json").json()
    return document


def test_every_route_tells_every_error_and_what_it_is_for(service: Service) -> None:
    document = document_of(service)
    for path, methods in document["paths"].items():
        for told in methods.values():
            assert set(told["responses"]) >= ERRORS, path
            assert told["description"], path
            if "if-match" in {one["name"] for one in told.get("parameters", ())}:
                assert set(told["responses"]) >= {"412", "428"}, path
            body = told.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                name = body["schema"]["$ref"].rsplit("/", 1)[-1]
                assert "examples" in json.dumps(document["components"]["schemas"][name]), name


@pytest.mark.parametrize("role", Role)
def test_nothing_crashes_and_no_answer_is_a_surprise(
    service: Service, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First what can be done as things stand, which is done for whoever may; then what nobody thought of.

    Of each operation by a login on the one database and by a token on the other, and then the other way round.
    """
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    document = document_of(service)
    if not _SCHEMAS:  # what is worked out of it for one role is good for all
        _SCHEMAS.append(schemathesis.openapi.from_dict(document))
        _SCHEMAS[0].app = service.client.app
    found = [one.ok() for one in _SCHEMAS[0].get_all_operations()]
    # While the volunteer of a shortlist is there still.
    every = {one.label: one for one in sorted(found, key=lambda one: not one.path.startswith(SHORTLISTED))}
    may = {line for line, needs in ROUTES.items() if needs is None or needs in MAY[role]}
    ids = ids_of(service) | {"run_id": run_once(service.database, service.keys, service.north)}
    asks, refused, first_by_token = Asks(service, role, ids), {}, service.database.sqlite
    by_token = itertools.cycle([first_by_token, not first_by_token])
    for label, operation in every.items():
        if label in may:
            answer = asks.send(label, operation.definition.raw, by_token=next(by_token))
            operation.Case().validate_response(answer, checks=list(CHECKS))
            if not answer.is_success:
                refused[label] = answer.status_code
    assert refused == {label: 404 for label in every if label in NOT_SET_UP}
    if EXAMPLES == 1 and service.database.sqlite == list(Role).index(role) % 2:
        return  # what is made up takes long: by each role on one of the two, in turn

    def login(browser: TestClient) -> dict[str, str]:
        return {"Cookie": f"kith_session={browser.cookies['kith_session']}",
                "X-CSRF-Token": browser.headers["X-CSRF-Token"]}  # fmt: skip

    person, program = login(asks.browser), {"Authorization": asks.program.headers["Authorization"]}
    ways = itertools.cycle([program, person] if service.database.sqlite else [person, program])
    answers: dict[str, set[int]] = defaultdict(set)

    @seed(SEED)
    @examples(
        max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=st.data())
    def ask(operation: schemathesis.schemas.APIOperation[Any, Any], data: st.DataObject) -> None:
        named = {one.name: ids[one.name] for one in operation.path_parameters}
        case = data.draw(operation.as_strategy(data.draw(MODES), path_parameters=named or None))
        headers = dict(next(ways))
        if operation.label == LOG_OUT and "Cookie" in headers:
            headers = login(service.as_(role))  # one of its own: it ends what the others need
        if "428" in operation.definition.raw["responses"]:
            headers["If-Match"] = tag_of(asks.browser, case.formatted_path)
        answer = case.call_and_validate(headers=headers, checks=list(CHECKS))
        answers[operation.label].add(answer.status_code)

    for operation in every.values():
        ask(operation)
    assert set(answers) == set(every)
    assert not {label for label, statuses in answers.items() if statuses & REACHED} - may
