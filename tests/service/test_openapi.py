"""The document of the API against the service: nothing crashes, and every answer is one that the document tells.

Requests are made up from the document, the same ones every time, for each role; in a database that may take any harm.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import pytest
import schemathesis
from conftest import Service
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.middleware import RateLimit
from service.permissions import MAY, ROUTES, Role

EXAMPLES, SEED = 3, 689
CHECKS = (
    schemathesis.checks.not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
)  # fmt: skip
ERRORS = {"400", "401", "403", "404", "405", "409", "413", "422", "429", "500"}


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
    if not service.database.sqlite:
        pytest.skip("the answers do not depend on the database, and this takes half a minute")
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    document = document_of(service)
    del document["paths"]["/api/v1/session"]["delete"]  # it ends what the others need
    browser = service.as_(role)
    login = {"Cookie": f"kith_session={browser.cookies['kith_session']}",
             "X-CSRF-Token": browser.headers["X-CSRF-Token"]}  # fmt: skip
    schema = schemathesis.openapi.from_dict(document)
    schema.app = service.client.app
    child, volunteer = service.eligible_pair()
    real = {"child_id": child, "volunteer_id": volunteer, "match_id": service.a_match(), "number": 1}
    answers: dict[str, set[int]] = defaultdict(set)

    @seed(SEED)
    @examples(
        max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(data=st.data())
    def ask(operation: schemathesis.schemas.APIOperation[Any, Any], data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy())
        case.path_parameters |= {name: id for name, id in real.items() if name in case.path_parameters}
        record = re.sub(r"/(status|person|steps|unlink|withdraw)$", "", case.formatted_path)
        headers = {**login, "If-Match": browser.get(record).headers.get("ETag", '"1"')}
        answer = case.call_and_validate(headers=headers, checks=list(CHECKS))
        answers[operation.label].add(answer.status_code)

    for found in schema.get_all_operations():
        ask(found.ok())
    closed = {line for line, needs in ROUTES.items() if needs is not None and needs not in MAY[role]}
    reached = {line for line, statuses in answers.items() if statuses & {200, 201, 204, 404, 409, 412}}
    assert len(answers) == sum(len(methods) for methods in document["paths"].values())
    assert not reached & closed
    assert len(reached) >= len(set(answers) - closed) * 2 // 3  # the others were refused as unreadable each time
