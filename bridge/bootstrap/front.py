"""The front door: which application a request goes to.

SCIM is served by itself and not below the framework of the other front ends, which refuses some
requests in words of its own before it has looked at their path.

Rule: what is refused here is told in the format of the one who asked.
"""

from collections.abc import Callable

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from bridge.operations.status import PROBLEM_JSON, WATCHED
from bridge.scim import MOUNT


class Front:
    """ASGI application: `scim` below its mount point, everything else from `rest`.

    `full` says whether there are too many connections; whoever watches the bridge is let in.
    """

    def __init__(self, scim: ASGIApp, rest: ASGIApp, full: Callable[[], bool]) -> None:
        self._scim = scim
        self._rest = rest
        self._full = full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass a lifespan on."""
        path = str(scope.get("path", ""))
        if path == MOUNT or path.startswith(f"{MOUNT}/"):
            await self._scim(scope, receive, send)
        elif scope["type"] == ScopeType.HTTP and path not in WATCHED and self._full():
            await _no_room(send)
        else:
            await self._rest(scope, receive, send)


async def _no_room(send: Send) -> None:
    body = msgspec.json.encode({"status": 503, "detail": "Too many connections; try again."})
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"1"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
