"""The document of the API, whole: to what FastAPI finds in the code come logins, headers and examples.

Nothing of it is listed twice. Who may ask what is the table of `permissions.py`; an example is put together of those
that the fields have. What has none, and cannot be guessed from its type, is refused: a test reads the document.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from fastapi import FastAPI

from service.api.deps import CSRF_HEADER
from service.errors import answers, headers_of, schemas
from service.middleware import SAFE
from service.permissions import PUBLIC, ROUTES, Permission

_METRICS = "GET /metrics"
_ONLY_LOGGED_IN = {"POST /api/v1/tokens"}
"""What no token may do, whatever its scopes."""
_ALSO = {"POST /api/v1/imports/check": [Permission.IDENTIFY]}
"""What a token needs besides the scope of its route."""


def document(app: FastAPI) -> dict[str, Any]:
    """Raises LookupError where an example is missing."""
    whole = deepcopy(app.openapi())
    components = whole["components"]
    components["schemas"] |= schemas()
    for schema in components["schemas"].values():
        if "examples" in schema:
            schema["examples"] = [_whole(one, schema, components) for one in schema["examples"]]
    components["responses"] = answers()
    components["securitySchemes"] = _schemes(app.state.kith.cookie)
    for path, method, operation in operations(whole):
        line = f"{method.upper()} {path}"
        operation["security"] = _security(line, safe=method.upper() in SAFE)
        for parameter in operation.get("parameters", ()):
            parameter["example"] = _example(parameter["schema"], components, f"{line}, {parameter['name']}")
        for status, answer in operation["responses"].items():
            if "$ref" not in answer:
                headers = ("ETag",) if "428" in operation["responses"] else ()  # of what changes a version
                answer["headers"] = headers_of("X-Request-ID", *headers) | answer.get("headers", {})
                _give_example(answer, components, f"{line}, {status}")
        _give_example(operation.get("requestBody", {}), components, f"{line}, what is sent")
    return whole


def operations(whole: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and what the document says of each."""
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


# ---- who may ask -----------------------------------------------------------------------------------------------------


def _schemes(cookie: str) -> dict[str, Any]:
    return {
        "session": {
            "type": "apiKey", "in": "cookie", "name": cookie,
            "description": "A person's login: `POST /api/v1/session` sets the cookie.",
        },
        "csrf": {
            "type": "apiKey", "in": "header", "name": CSRF_HEADER,
            "description": "What every change carries besides the cookie: `csrf` of the answer to the login.",
        },
        "token": {
            "type": "http", "scheme": "bearer",
            "description": "A program's: made by `POST /api/v1/tokens`, or by the command `kith token add`. What an "
            "operation lists under it are the scopes that the token needs.",
        },
        "metrics": {"type": "http", "scheme": "bearer", "description": "The token of the setting KITH_METRICS_TOKEN."},
    }  # fmt: skip


def _security(line: str, *, safe: bool) -> list[dict[str, list[str]]]:
    needs = ROUTES[line]
    if line == _METRICS:
        return [{"metrics": []}]
    if needs is PUBLIC:
        return []
    person: dict[str, list[str]] = {"session": []} if safe else {"session": [], "csrf": []}
    program = {"token": [str(scope) for scope in (needs, *_ALSO.get(line, ()))]}
    return [person] if line in _ONLY_LOGGED_IN else [person, program]


# ---- examples --------------------------------------------------------------------------------------------------------

_OF_TYPE = {"date": "2026-11-20", "date-time": "2026-11-20T10:30:00Z", "boolean": True, "null": None}


def _give_example(message: dict[str, Any], components: dict[str, Any], where: str) -> None:
    for kind, content in message.get("content", {}).items():
        if kind != "application/zip" and "example" not in content:
            content["example"] = _example(content["schema"], components, where)


def _whole(example: Any, schema: dict[str, Any], components: dict[str, Any]) -> Any:
    """An example with what is null in it, which FastAPI leaves out."""
    if "$ref" in schema:
        return _whole(example, _named(schema, components), components)
    if "anyOf" in schema and example is not None:
        return _whole(example, schema["anyOf"][0], components)
    if isinstance(example, list):
        return [_whole(one, schema["items"], components) for one in example]
    if isinstance(example, dict) and "properties" in schema:
        told = [name for name in schema["properties"] if name in example or name in schema.get("required", ())]
        return {name: _whole(example.get(name), schema["properties"][name], components) for name in told}
    return example


def _named(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = components["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _example(schema: dict[str, Any], components: dict[str, Any], where: str) -> Any:
    """Its own, or one put together of its parts'."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return _example(_named(schema, components), components, f"{where}, {schema['$ref'].rpartition('/')[2]}")
    if "anyOf" in schema:  # null comes last
        return _example(schema["anyOf"][0], components, where)
    if "const" in schema or "enum" in schema:
        return schema.get("default", schema["const"] if "const" in schema else schema["enum"][0])
    if schema.get("type") == "object" and "properties" in schema:
        return {
            name: _example(one, components, f"{where}, {name}")
            for name, one in schema["properties"].items()
        }  # fmt: skip
    if schema.get("type") == "array" and "items" in schema:
        return [_example(schema["items"], components, where)]
    if schema.get("default") is not None:
        return schema["default"]
    kind = schema.get("format", schema.get("type"))
    if kind not in _OF_TYPE:
        raise LookupError(f"The document of the API has no example of {where}. Give the field one.")
    return _OF_TYPE[kind]
