"""What runs here, is it well, and where does a resource stand with every backend.

    GET /livez                the process answers
    GET /readyz               the journal answers too; 503 when it does not
    GET /version
    GET /metrics              Prometheus
    GET /v1/deliveries/{id}   a resource of the caller's organization; token of its connection

Rule: a backend that is down never makes the bridge unready; the journal takes its changes.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from litestar import MediaType, Request, Response, Router, get

from bridge import __version__
from bridge.auth.tokens import Caller
from bridge.core.errors import ScimError, Unavailable
from bridge.journal import backends, deliveries, holds, links
from bridge.journal.backends import DISABLED, OPEN
from bridge.journal.store import Journal, Reader
from bridge.operations.metrics import CONTENT_TYPE, Metrics

PATHS = ("/livez", "/readyz", "/version", "/metrics", "/v1/deliveries")
"""What is served here, for the access log; an id follows the last one."""

WATCHED = frozenset({"/livez", "/readyz", "/metrics"})
"""Answered even when there is no room for more connections; logged only when it goes wrong."""

PROBLEM_JSON = "application/problem+json"  # RFC 9457

AnyRequest = Request[Any, Any, Any]


def status_router(
    journal: Journal, authenticate: Callable[[str | None, str], Caller], metrics: Metrics
) -> Router:
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

    @get("/v1/deliveries/{resource_id:str}")
    async def standing(resource_id: str, request: AnyRequest) -> Response[Any]:
        header = request.headers.get("authorization")
        address = request.client.host if request.client else ""
        try:
            organization = authenticate(header, address).organization
            found = await journal.read(lambda reader: stand(reader, organization, resource_id))
        except ScimError as error:
            return _problem(error.status, error.detail)
        if not found:
            return _problem(404, f"No backend follows a resource {resource_id} here.")
        return Response({"id": resource_id, "backends": found})

    handlers = [livez, readyz, version, figures, standing]
    return Router("/", route_handlers=handlers, include_in_schema=False)


def stand(reader: Reader, organization: str, resource_id: str) -> list[dict[str, Any]]:
    """Return, for each backend, what it holds of a resource and what is under way."""
    return [
        {
            "backend": one.backend,
            "state": str(one.state),
            "name": one.name,
            "held_as": _name(reader, organization, one.backend, resource_id),
            "applied": one.applied,
            "target": one.target,
            "error": one.error,
            "next_step": one.next_step,
        }
        for one in deliveries.of_entity(reader, organization, resource_id)
    ]


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


def _name(reader: Reader, organization: str, backend: str, resource_id: str) -> str | None:
    link = links.get_many(reader, organization, backend, [resource_id]).get(resource_id)
    return (link.name or link.target_id) if link else None


def _problem(status: int, detail: str) -> Response[Any]:
    return Response(
        {"status": status, "detail": detail},
        status_code=status,
        headers={"content-type": PROBLEM_JSON},
    )
