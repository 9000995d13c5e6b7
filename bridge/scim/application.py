"""The SCIM endpoint as an ASGI application: find the route, know the caller, answer.

Below `/scim` it answers everything itself, so that no error ever leaves in a format that a SCIM
client cannot read (an HTML or text error page makes Okta's task fail unreadably).

Rule: every way out of here is a SCIM message, whatever went wrong.
"""

from collections.abc import Awaitable, Callable, Mapping

import attrs
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Receive, Scope, Send

from bridge.auth.tokens import Caller
from bridge.core.errors import Forbidden, MethodNotAllowed, NotFound, ScimError, Unavailable
from bridge.journal import tenants
from bridge.scim.body import ClientGone
from bridge.scim.exchange import Answer, Request, broken, refusal, wire
from bridge.scim.identifiers import new_id
from bridge.scim.negotiation import Headers, answer_media_type, request_id
from bridge.scim.rates import Rates

Handler = Callable[[Request], Awaitable[Answer]]
Authenticate = Callable[[str | None, str], Caller]
"""Finds the caller by the Authorization header and the client's address."""

NOBODY = Caller(organization="", connection="", profile="", token="")
"""The caller on open routes, where credentials are not looked at."""

NO_ROOM = attrs.evolve(
    refusal(Unavailable("There are too many connections; try again.", 1)),
    headers=((b"retry-after", b"1"), (b"connection", b"close")),
)
"""The answer while there are more connections than may be."""


@attrs.frozen
class Route:
    """What may be done at one path. On an `open` one no credentials are asked for.

    `type` is the resource type that it is about, "" for all of them; `reads`: every method does.
    """

    handlers: Mapping[str, Handler]
    open: bool = False
    type: str = ""
    reads: bool = False

    @property
    def allow(self) -> tuple[str, ...]:
        """Methods that are answered here."""
        head = ("HEAD",) if "GET" in self.handlers else ()
        return (*self.handlers, *head, "OPTIONS")

    def handler(self, method: str) -> Handler:
        """Return what handles `method`; raises MethodNotAllowed."""
        found = self.handlers.get("GET" if method == "HEAD" else method)
        if found is None:
            raise MethodNotAllowed(f"{method} is not possible at this address.", self.allow)
        return found


FindRoute = Callable[[tuple[str, ...]], Route | None]


class Application:
    """Answers requests (ASGI); `find` knows the routes by path segments.

    While `full` says so, there are too many connections: each request is refused and closes its.
    """

    def __init__(
        self,
        find: FindRoute,
        authenticate: Authenticate,
        rates: Rates,
        full: Callable[[], bool],
    ) -> None:
        self._find = find
        self._authenticate = authenticate
        self._rates = rates
        self._full = full

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != ScopeType.HTTP:
            return
        headers: Headers = dict(scope["headers"])
        number = request_id(headers, new_id)
        try:
            answer = await self._answer(scope, headers, receive, number)
        except ScimError as error:
            answer = refusal(error)
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the last line: logged, and still SCIM
            answer = refusal(broken(error, number))
        media_type = answer_media_type(headers.get(b"accept", b""))
        fields, body = wire(answer, media_type, number)
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        head = scope["method"] == "HEAD"
        await send(
            {"type": "http.response.body", "body": b"" if head else body, "more_body": False}
        )

    async def _answer(
        self, scope: HTTPScope, headers: Headers, receive: Receive, number: str
    ) -> Answer:
        if self._full():
            return NO_ROOM
        route = self._find(tuple(filter(None, scope["path"].split("/"))))
        if route is None:
            raise NotFound("There is nothing at this address; check the SCIM base URL.")
        method = scope["method"]
        if method == "OPTIONS":
            return Answer(204, headers=((b"allow", ", ".join(route.allow).encode()),))
        caller = NOBODY
        if not route.open:
            caller = self._authenticate(_text(headers.get(b"authorization")), _address(scope))
            self._rates.count(caller)
            _check_scope(caller.scope, route, method)
        return await route.handler(method)(
            Request(method, headers, scope["query_string"], receive, number, caller)
        )


def _check_scope(scope: tenants.Scope, route: Route, method: str) -> None:
    if scope.types is not None and route.type not in scope.types:
        about = route.type or "every resource type"
        raise Forbidden(f"This token is for {', '.join(scope.types)} only, not for {about}.")
    if scope.read_only and not route.reads and method not in ("GET", "HEAD"):
        raise Forbidden("This token may only read.")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _address(scope: HTTPScope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
