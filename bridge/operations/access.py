"""The access log: one line and one count for each request, under the request's number.

Rule: the fields are listed here. A path is reduced to its route, so that neither a query, nor a
body, nor a header, nor a name that somebody put into an address reaches a log.
"""

import re
import time
import uuid
from collections.abc import Callable, Iterable

import structlog
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from bridge.auth.tokens import Caller
from bridge.core.errors import TooManyRequests, Unauthorized
from bridge.operations.metrics import Metrics
from bridge.operations.status import WATCHED

REQUEST_ID = b"x-request-id"


_log = structlog.stdlib.get_logger("bridge.access")


class Routes:
    """Reduces paths to the routes that exist; what does not exist is `unmatched`.

    A path of `templates` has parameters in braces, and is shown as it is written.
    """

    def __init__(self, paths: Iterable[str], templates: Iterable[str] = ()) -> None:
        self._paths = frozenset(paths)
        self._templates = {
            template: re.compile(re.sub(r"{[^}]*}", "[^/]+", template)) for template in templates
        }

    def of(self, path: str) -> str:
        """Return the route of a path: itself, its parent with `{id}`, or `unmatched`."""
        if path in self._paths:
            return path
        for template, pattern in self._templates.items():
            if pattern.fullmatch(path):
                return template
        parent, _, _ = path.rpartition("/")
        return f"{parent}/{{id}}" if parent in self._paths else "unmatched"


def naming(
    authenticate: Callable[[str | None, str], Caller], metrics: Metrics
) -> Callable[[str | None, str], Caller]:
    """Return `authenticate`; log lines of the request name who called, and refusals are counted."""

    def known(header: str | None, address: str) -> Caller:
        try:
            caller = authenticate(header, address)
        except (Unauthorized, TooManyRequests):
            metrics.refused()
            raise
        bind_contextvars(organization=caller.organization, connection=caller.connection)
        return caller

    return known


class AccessLog:
    """ASGI application around the whole bridge."""

    def __init__(self, app: ASGIApp, routes: Routes, metrics: Metrics) -> None:
        self._app = app
        self._routes = routes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass a lifespan through."""
        if str(scope["type"]) != "http":
            await self._app(scope, receive, send)
            return
        clear_contextvars()
        route = self._routes.of(scope["path"])  # a mounted application sees another path
        status, request_id = 500, ""

        async def note(message: Message) -> None:
            nonlocal status, request_id
            if message["type"] == "http.response.start":
                status, request_id = message["status"], _numbered(message)
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, note)
        finally:
            self._finish(scope, route, status, time.perf_counter() - began, request_id)

    def _finish(
        self, scope: Scope, route: str, status: int, seconds: float, request_id: str
    ) -> None:
        method = str(scope.get("method"))
        self._metrics.answered(method, route, status, seconds)
        write = _log.debug if route in WATCHED and status < 400 else _log.info
        write(
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            request_id=request_id,
        )


def _numbered(start: HTTPResponseStartEvent) -> str:
    headers = list(start["headers"])
    for name, value in headers:
        if name.lower() == REQUEST_ID:
            return value.decode("latin-1")
    request_id = uuid.uuid4().hex
    start["headers"] = [*headers, (REQUEST_ID, request_id.encode())]
    return request_id
