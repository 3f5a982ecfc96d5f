"""Every refusal in one shape (RFC 9457), with a request id to quote, and never a word of what was sent."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from matcher.errors import AuditError, InputError, KithError, NoPlanError, NotFoundError, PolicyError, ProblemError
from matcher.errors import Problem as InputProblem
from service.auth import LoginError
from service.database.engine import crossed
from service.families import ApartError
from service.permissions import Permission
from service.proposals import TakenError
from service.runs import RunError
from service.standing import UncheckedError
from service.workflow import StepRefusedError

_REQUEST = "5f0c2a91d3b7e644"


class FieldProblem(BaseModel):
    where: str = Field(examples=["query.top"])
    wrong: str = Field(examples=["Input should be less than or equal to 50"])


class Problem(BaseModel):
    """What an error answers."""

    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no such child."])
    request_id: str = Field(examples=[_REQUEST])
    problems: list[FieldProblem] = []


def problem(status: int, detail: str, request_id: str, problems: list[FieldProblem] | None = None) -> Response:
    body = Problem(
        title=HTTPStatus(status).phrase, status=status, detail=detail, request_id=request_id, problems=problems or []
    )
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


_MEANS = {
    400: "The request is broken.",
    401: "Nobody is logged in.",
    403: "The account may not do this.",
    404: "There is nothing by that id, or it is another authority's.",
    405: "This cannot be done here.",
    409: "Somebody was first, or a rule stands in the way: `detail` says which.",
    412: "Somebody changed it meanwhile.",
    413: "The request is too large.",
    422: "The request cannot be read, or says what cannot be: `problems` says where.",
    428: "If-Match is missing: say which version you change.",
    429: "Too many requests: wait a minute.",
    500: "A fault in Kith itself. Nothing was changed.",
}


Responses = dict[int | str, dict[str, Any]]
"""What a route answers, for the document of the API."""


def described(codes: Iterable[int]) -> Responses:
    """What any route may answer, for the document of the API, which tells each once (`answers`)."""
    return {code: {"$ref": f"#/components/responses/{code}", "description": _MEANS[code]} for code in codes}


_HEADERS = {
    "X-Request-ID": ("The request’s own, by which the log has it: quote it where something went wrong.",
                     {"type": "string", "examples": [_REQUEST]}),
    "ETag": ("The version that is told: send it as If-Match to change it.", {"type": "string", "examples": ['"3"']}),
    "WWW-Authenticate": ("How to prove who asks, where nothing did.", {"type": "string", "examples": ["Bearer"]}),
    "Retry-After": ("In how many seconds to ask again.", {"type": "integer", "examples": [4]}),
    "Location": ("Where to go on.", {"type": "string", "examples": ["/"]}),
    "Set-Cookie": ("The login.", {"type": "string", "examples": ["kith_session=…; HttpOnly; Path=/; SameSite=lax"]}),
    "Content-Disposition": ("What to call the file.",
                            {"type": "string", "examples": ['attachment; filename="decisions-2026-11-28.zip"']}),
}  # fmt: skip
_SENT_WITH = {401: ["WWW-Authenticate"], 429: ["Retry-After"]}
_NOT_ALWAYS = ("WWW-Authenticate",)
"""Not where a password was wrong."""


def headers_of(*names: str) -> dict[str, Any]:
    """Headers of an answer, for the document of the API."""
    return {
        name: {"description": _HEADERS[name][0], "schema": _HEADERS[name][1], "required": name not in _NOT_ALWAYS}
        for name in names
    }


def answers() -> dict[str, Any]:
    """Every refusal once, for the document of the API."""
    return {str(code): _refusal(code, means) for code, means in _MEANS.items()}


def _refusal(code: int, means: str) -> dict[str, Any]:
    problems = [{"where": "query.top", "wrong": "Input should be less than or equal to 50"}] if code == 422 else []
    example = {
        "title": HTTPStatus(code).phrase, "status": code, "detail": means, "request_id": _REQUEST, "problems": problems,
    }  # fmt: skip
    return {
        "description": means,
        "headers": headers_of("X-Request-ID", *_SENT_WITH.get(code, ())),
        "content": {
            "application/problem+json": {"schema": {"$ref": SCHEMA.format(model="Problem")}, "example": example}
        },
    }


SCHEMA = "#/components/schemas/{model}"


def schemas() -> dict[str, Any]:
    """What the refusals are made of, for the document of the API."""
    whole = Problem.model_json_schema(ref_template=SCHEMA)
    return {**whole.pop("$defs"), "Problem": whole}


_NAME_FACTS = (InputError, ProblemError, NoPlanError, AuditError, ApartError)
"""What is said there of records names people and what is known of them."""

STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotFoundError, 404),
    (TakenError, 409),
    (StepRefusedError, 409),
    (RunError, 409),
    (UncheckedError, 409),
    (ApartError, 409),
    (LoginError, 401),
    (KithError, 422),
)
"""The first that fits."""


def answer_errors(app: FastAPI) -> None:
    """Gives an application these answers in place of FastAPI's own, which repeat what was sent."""

    @app.exception_handler(KithError)
    def refused(request: Request, error: KithError) -> Response:
        status = next(status for kind, status in STATUS if isinstance(error, kind))
        # The matcher's words for what is not there repeat what was asked for.
        detail = "There is nothing here by that id." if status == 404 else str(error)
        problems = []
        person = getattr(request.state, "person", None)
        if isinstance(error, _NAME_FACTS) and person is not None and Permission.IDENTIFY not in person.may:
            detail = "The records as they stand cannot be used. Those who may see references are told why."
        elif isinstance(error, InputError) and error.problems:  # in which the values are what somebody sent
            detail = f"{len(error.problems)} things have to be mended first."
            problems = [_input_problem(one) for one in error.problems[:_MOST_TOLD]]
        if isinstance(error, PolicyError):
            problems = [FieldProblem(where=f"toml, line {one.line}", wrong=one.wrong) for one in error.problems]
        return problem(status, detail, request.state.request_id, problems)

    @app.exception_handler(StaleDataError)
    def changed(request: Request, _error: StaleDataError) -> Response:
        detail = "Somebody changed this meanwhile. Look at it again; nothing of yours was saved."
        return problem(412, detail, request.state.request_id)

    @app.exception_handler(IntegrityError)
    def too_late(request: Request, _error: IntegrityError) -> Response:
        return problem(409, TOO_LATE, request.state.request_id)

    @app.exception_handler(OperationalError)
    def let_go(request: Request, error: OperationalError) -> Response:
        if not crossed(error):
            raise error
        return problem(409, TOO_LATE, request.state.request_id)

    @app.exception_handler(DataError)
    def unfit(request: Request, _error: DataError) -> Response:
        detail = "A sign in what was sent cannot be kept, such as one that cannot be printed. Nothing was saved."
        return problem(422, detail, request.state.request_id)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        if any(one["loc"] == IF_MATCH and one["type"] == "missing" for one in error.errors()):
            return problem(428, _SENTENCES[428], request.state.request_id)
        problems = [_field_problem(one) for one in error.errors()]
        return problem(422, "The request cannot be read as it stands.", request.state.request_id, problems)

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        own = error.detail if error.status_code == 403 and error.detail != HTTPStatus(403).phrase else ""
        detail = own or _SENTENCES.get(error.status_code, "")
        response = problem(error.status_code, detail, request.state.request_id)
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response


TOO_LATE = (
    "Somebody recorded something at the same moment that stands in the way of this. Nothing of yours was saved: look "
    "again, and record it once more if it still holds."
)
"""Where the database itself says who was first, and no room had a better word for it."""

IF_MATCH = ("header", "If-Match")
_SENTENCES = {
    401: "Log in first.",
    403: "The request was refused: what it proves itself by is missing or too old.",
    404: "There is nothing here by that id.",
    405: "This cannot be done here.",
    409: "This is not what was looked at: something changed meanwhile. Look at it again.",
    412: "Somebody changed this meanwhile. Look at it again; nothing of yours was saved.",
    428: "Say which version you change, by If-Match.",
}


_MOST_TOLD = 200


def _input_problem(one: InputProblem) -> FieldProblem:
    place = one.file if one.row == 0 else f"{one.file}, row {one.row}"
    return FieldProblem(where=f"{place}, {one.column}".rstrip(", "), wrong=f"{one.wrong}. {one.remedy}".rstrip(". "))


def _field_problem(error: dict[str, object]) -> FieldProblem:
    """Where and what, without what was sent: names that the sender made up, and words of our own that may repeat it."""
    location = error["loc"] if isinstance(error["loc"], tuple) else ()
    if error["type"] == "extra_forbidden":
        location = location[:-1]
    own_words = error["type"] in ("value_error", "assertion_error")
    where = ".".join(str(part) for part in location)
    return FieldProblem(where=where, wrong="is not allowed" if own_words else str(error["msg"]))
