"""Whether the service lives, whether it can do its work, and figures for those who watch it."""

from __future__ import annotations

import hmac
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from service import metrics
from service.api.deps import Kith
from service.database.engine import DatabaseError
from service.database.upgrade import require_upgraded
from service.errors import Responses

router = APIRouter(tags=["health"])

SILENT_SECONDS = 60
"""A worker that was not heard of for so long is told as missing."""


class Readiness(BaseModel):
    """What the service needs. Without a worker it still answers: shortlists are computed as they are asked for."""

    status: str = Field(examples=["ok"])
    database: str = Field(examples=["ok"], description="ok, or does not answer.")
    migrations: str = Field(examples=["ok"], description="ok, or not those of the code.")
    worker: str = Field(examples=["ok"], description="ok, or silent for over a minute, or never seen.")


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Figures(Response):
    media_type = "text/plain"


@router.head("/health", include_in_schema=False)
@router.get("/health")
def health() -> Health:
    """The process answers."""
    return Health()


_UNKNOWN = Readiness(status="not ready", database="does not answer", migrations="unknown", worker="unknown")
_NOT_READY = {"model": Readiness, "content": {"application/json": {"example": _UNKNOWN.model_dump()}}}


@router.get("/ready", responses={503: _NOT_READY})
def ready(kith: Kith, response: Response) -> Readiness:
    """The database answers, and is at the version of the code; and whether a worker was heard of."""
    try:
        kith.database.check()
    except DatabaseError:
        response.status_code = 503
        return _UNKNOWN
    try:
        require_upgraded(kith.database)
    except DatabaseError:
        response.status_code = 503
        return _UNKNOWN.model_copy(update={"database": "ok", "migrations": "not those of the code"})
    heard = metrics.heard_seconds(kith.database)
    worker = "never seen" if heard is None else "ok" if heard < SILENT_SECONDS else "silent"
    return Readiness(status="ok", database="ok", migrations="ok", worker=worker)


_SOME: Responses = {200: {"content": {"text/plain": {"example": "kith_runs_waiting 0.0\n"}}}}


@router.get("/metrics", response_class=Figures, responses=_SOME)
def figures(request: Request, kith: Kith) -> Response:
    """Figures for Prometheus, for whoever bears the token of KITH_METRICS_TOKEN; none without that setting."""
    if kith.settings.metrics_token is None or request.app.state.metrics is None:
        raise HTTPException(404)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    right = kith.settings.metrics_token.get_secret_value()
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), right.encode()):
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    return Response(metrics.told(request.app.state.metrics), media_type=CONTENT_TYPE_LATEST)
