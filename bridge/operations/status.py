"""What runs here, and is it well.

    GET /livez                the process answers
    GET /readyz               the journal answers too; 503 when it does not
    GET /version
    GET /metrics              Prometheus

Rule: a backend that is down never makes the bridge unready; the journal takes its changes.
"""

import asyncio

from litestar import MediaType, Response, Router, get

from bridge import __version__
from bridge.core.errors import Unavailable
from bridge.journal import backends, deliveries, holds
from bridge.journal.backends import DISABLED, OPEN
from bridge.journal.store import Journal, Reader
from bridge.operations.metrics import CONTENT_TYPE, Metrics

PATHS = ("/livez", "/readyz", "/version", "/metrics")
"""What is served here, for the access log."""

WATCHED = frozenset({"/livez", "/readyz", "/metrics"})
"""Answered even when there is no room for more connections; logged only when it goes wrong."""

PROBLEM_JSON = "application/problem+json"  # RFC 9457


def status_router(journal: Journal, metrics: Metrics) -> Router:
    """Return the router of everything above."""

    @get("/livez", media_type=MediaType.TEXT, sync_to_thread=False)
    def livez() -> str:
        return "ok\n"

    @get("/readyz", media_type=MediaType.TEXT)
    async def readyz() -> Response[str]:
        try:
            await journal.read(backends.every)
        except Unavailable as error:
            return Response(f"{error.detail}\n", status_code=503)
        return Response("ok\n")

    @get("/version", sync_to_thread=False)
    def version() -> dict[str, str]:
        return {"version": __version__}

    @get("/metrics")
    async def figures() -> Response[bytes]:
        text = await asyncio.to_thread(metrics.text)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    handlers = [livez, readyz, version, figures]
    return Router("/", route_handlers=handlers, include_in_schema=False)


def backend_figures(reader: Reader) -> dict[str, dict[str, float]]:
    """Return the values of `metrics.BACKEND_GAUGES` by backend."""
    figures: dict[str, dict[str, float]] = {}
    held = holds.held_by_backend(reader)
    for row in backends.every(reader):
        lag = deliveries.lag(reader, row.name)
        figures[row.name] = {
            "bridge_journal_depth": lag.pending,
            "bridge_delivery_lag_seconds": lag.oldest_seconds,
            "bridge_parked": lag.parked,
            "bridge_held": held.get(row.name, 0),
            "bridge_circuit_open": float(row.state == OPEN),
            "bridge_backend_disabled": float(row.state == DISABLED),
        }
    return figures
