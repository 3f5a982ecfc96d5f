"""Whether the service lives, and whether it can do its work."""

from __future__ import annotations

from fastapi import APIRouter, Response

from service.api.deps import Kith
from service.database.engine import DatabaseError
from service.database.upgrade import require_upgraded

router = APIRouter(tags=["health"])


@router.get("/health")
def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"description": "The database is not ready."}})
def ready(kith: Kith, response: Response) -> dict[str, str]:
    """The database answers, and is at the version of the code."""
    try:
        kith.database.check()
        require_upgraded(kith.database)
    except DatabaseError:
        response.status_code = 503
        return {"status": "the database is not ready"}
    return {"status": "ok"}
