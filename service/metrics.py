"""Figures for Prometheus: requests by route, and what the database tells of runs and workers. No id is among them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_fastapi_instrumentator import Instrumentator
from sqlalchemy import func, select

from service.database.base import utc_now
from service.database.engine import Database
from service.database.tables import RUN_STATES, Authority, Run, Worker

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The folder of those files: `kith serve` gives one where it starts several processes."""


def measure(app: FastAPI, database: Database) -> CollectorRegistry:
    """Counts an application's requests from now on, by the pattern of the route; where the figures are."""
    counting = reading = CollectorRegistry()
    Instrumentator(registry=counting, excluded_handlers=["/metrics"]).instrument(app)
    if SHARED in os.environ:  # several processes count in files that whichever is asked adds up
        reading = CollectorRegistry()
        MultiProcessCollector(reading)
    reading.register(_Runs(database))
    return reading


def told(registry: CollectorRegistry) -> bytes:
    """The figures as Prometheus reads them."""
    return generate_latest(registry)


def heard_seconds(database: Database) -> float | None:
    """Seconds since a worker was last heard of; None if none ever was."""
    with database.read() as session:
        seen = session.scalar(select(func.max(Worker.seen_at)))
    return None if seen is None else max(0.0, (utc_now() - seen).total_seconds())


class _Runs(Collector):
    """Asked of the database at each reading: the worker is another process, and may be on another machine."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        count, oldest, failed = dict.fromkeys(RUN_STATES, 0), 0.0, 0.0
        with self.database.read() as session:
            authorities = list(session.scalars(select(Authority.id)))
        for authority in authorities:
            with self.database.read(authority) as session:
                for state, number, first in session.execute(
                    select(Run.state, func.count(), func.min(Run.requested_at)).group_by(Run.state)
                ):
                    count[state] += number
                    if state == "queued":
                        oldest = max(oldest, (utc_now() - first).total_seconds())
                last = select(Run.state).where(Run.finished_at.is_not(None)).order_by(Run.finished_at.desc()).limit(1)
                failed += session.scalar(last) == "failed"
        runs = GaugeMetricFamily("kith_runs", "Runs in the database, by state.", labels=["state"])
        for state, number in count.items():
            runs.add_metric([state], number)
        yield runs
        yield GaugeMetricFamily("kith_run_waits_seconds", "How long the oldest run has waited.", value=oldest)
        yield GaugeMetricFamily("kith_last_run_failed", "Authorities whose last run failed.", value=failed)
        heard = heard_seconds(self.database)
        if heard is not None:
            yield GaugeMetricFamily("kith_worker_heard_seconds", "Since a worker was last heard of.", value=heard)
