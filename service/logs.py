"""The log: one line an event, as JSON or for a person, on standard output."""

from __future__ import annotations

import logging
from typing import Any

import structlog

from service.settings import Settings


def configure(settings: Settings) -> None:
    """Whatever other libraries log goes nowhere but for warnings: their lines may hold paths, queries and values."""
    last: Any = (
        structlog.processors.JSONRenderer() if settings.log_format == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
    )
    for name in ("uvicorn.access", "sqlalchemy", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
