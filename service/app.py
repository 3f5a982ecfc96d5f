"""create_app(settings): the service as one ASGI application."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from fastapi.staticfiles import StaticFiles
from starlette.formparsers import MultiPartParser
from starlette.middleware.gzip import GZipMiddleware

from service import pages
from service.api import (
    around,
    children,
    decisions,
    exceptions,
    health,
    imports,
    matches,
    notes,
    organisations,
    policies,
    privacy,
    runs,
    session,
    single_sign_on,
    tokens,
    volunteers,
)
from service.api.deps import Installation, answering, authorise
from service.api.document import document
from service.crypto import KeyRing
from service.database.engine import Database
from service.database.upgrade import require_upgraded
from service.errors import answer_errors, described
from service.identity import Provider
from service.logs import configure
from service.metrics import measure
from service.middleware import WRAPS
from service.pages.html import STATIC
from service.pages.problems import ProblemPages
from service.settings import Settings, load_settings

ROUTERS = (
    session.router, single_sign_on.router, tokens.router, children.router, volunteers.router, around.router,
    organisations.router, exceptions.router, matches.router, notes.router, decisions.router, policies.router,
    imports.router, privacy.router, runs.router,
)  # fmt: skip
"""The resources under /api/v1."""

_ANSWERS = described((400, 401, 403, 404, 405, 409, 413, 422, 429, 500))


def create_app(settings: Settings | None = None) -> FastAPI:
    """Raises KithError where the settings, the keys or the database keep the service from starting."""
    settings = settings or load_settings()
    configure(settings)
    keys = KeyRing.read(settings.keys_file)
    database = Database(settings.database_url.get_secret_value())
    require_upgraded(database)

    @asynccontextmanager
    async def until_the_end(_app: FastAPI) -> AsyncIterator[None]:
        gc.freeze()  # what the application is made of stays: looking through it for garbage takes 0.15 s each time
        yield
        gc.unfreeze()
        app.state.kith.matching.close()
        database.close()

    app = FastAPI(
        title="Kith",
        description="Matches children in care with Independent Visitors. Kith proposes; a person decides every match.",
        version="1",
        docs_url=None,  # those pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        lifespan=until_the_end,
        dependencies=[Depends(authorise), Depends(answering)],
        responses=_ANSWERS,
    )
    app.state.identity = Provider(settings) if settings.oidc_issuer else None
    app.state.kith = Installation(settings, database, keys)
    answer_errors(app)
    MultiPartParser.spool_max_size = settings.body_megabytes << 20  # an upload is about children: it stays in memory
    app.include_router(health.router)
    api = APIRouter(prefix="/api/v1")
    for router in ROUTERS:
        api.include_router(router)

    @cache
    def told() -> dict[str, Any]:
        return document(app)

    @api.get("/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(told())

    app.include_router(api)
    for router in pages.ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.state.paths = {route.endpoint: route.path for route in iter_route_contexts(app.routes)}
    app.state.metrics = measure(app, database) if settings.metrics_token else None
    for wrap in reversed(WRAPS):  # the last added is the outermost
        app.add_middleware(wrap, settings=settings)
    # What is the same for everybody is compressed. Pages are not: they repeat what was typed beside facts and a token;
    # compressed, the length of such an answer tells whoever can make a browser ask what else stands in it (BREACH).
    app.mount("/static", GZipMiddleware(StaticFiles(directory=STATIC)))
    app.add_middleware(ProblemPages)
    return app
