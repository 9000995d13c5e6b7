"""What every request of the admin API goes through: who calls, for which organization, how often.

A handler gets a `Call` and does its work through it: `read` for a query, `change` for a unit of
work. A request with an Idempotency-Key is answered once; its repetition gets the stored answer.

Rule: every call of a known admin leaves an audit row: a change in its own transaction, a read or
a refusal before the answer is sent.
"""

import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeVar

import attrs
import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from litestar.params import SkipValidation
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from bridge.admin.bodies import check_body
from bridge.auth.admins import Admin, Role, offers_admin_token
from bridge.auth.tokens import Caller
from bridge.core.changes import Cause
from bridge.core.errors import NotFound, OperatorError
from bridge.core.secret import Secret
from bridge.journal import answers, tenants
from bridge.journal.admins import INSTALLATION
from bridge.journal.store import Journal, Reader, Transaction
from bridge.journal.tenants import Organization

T = TypeVar("T")

Authenticate = Callable[[str | None], Admin]
Connections = Callable[[str | None, str], Caller]
"""Finds the connection that an Authorization header speaks for; the address is the client's."""

Ask = Request[Any, Any, Any]

ROLE = "role"
"""Key of a handler's `opt`: the least role that may call it. Reading takes read_only, changing
takes admin, where nothing is said."""

INSTALLATION_ONLY = "installation_only"
"""Key of a handler's `opt`: only a token of the whole installation may call it."""

CONNECTIONS_TOO = "connections_too"
"""Key of a handler's `opt`: a connection's own token may call it as well, for its organization."""

KEY_CHARACTERS = 200
"""Longest Idempotency-Key."""

_CALL = "bridge.admin.call"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")
_encoder = msgspec.json.Encoder()


@attrs.frozen(eq=False)
class Call:
    """One request of a known admin.

    `organization` is the token's, or else the one that the request names (`named`), or else the
    only one there is. `key` is the install key, for making tokens.
    """

    journal: Journal
    key: Secret
    admin: Admin
    organization: Organization | None
    named: bool
    request_id: str
    idempotency_key: str | None
    fingerprint: str

    @property
    def place(self) -> str:
        """The organization's id. Raises OperatorError where a token of all of them names none."""
        if self.organization is None:
            raise OperatorError(
                "BRG-ORGANIZATION-WHICH",
                "This token is the installation's, and the request names no organization.",
                "Add ?organization=, with the name or the id of one.",
            )
        return self.organization.id

    @property
    def owner(self) -> str | None:
        """The one organization that this token is of, or None for the installation."""
        return self.admin.organization

    def cause(self) -> Cause:
        """Return the cause of what is changed now."""
        return Cause(self.admin.actor, self.request_id, datetime.now(UTC))

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Return the result of a query."""
        return await self.journal.read(query)

    async def change(
        self,
        unit: Callable[[Transaction, Cause], T],
        show: Callable[[T], Any],
        status: int = 200,
        keep: Callable[[T], Any] | None = None,
    ) -> Response[Any]:
        """Do a unit of work and answer with `show` of its result, or with nothing on 204.

        `keep` is what a repetition under the same Idempotency-Key is shown, if that must be less.
        Raises what the unit raises, and BRG-IDEMPOTENCY-REUSED.
        """
        cause, key = self.cause(), self.idempotency_key

        def once(tx: Transaction) -> tuple[int, bytes]:
            if key is not None:
                known = answers.find(tx, self.admin.token, key)
                if known is not None:
                    return _again(known, self.fingerprint)
            result = unit(tx, cause)
            body = b"" if status == 204 else _encoder.encode(show(result))
            if key is not None:
                kept = _encoder.encode(keep(result)) if keep else body
                told = answers.Answer(self.fingerprint, status, kept.decode())
                answers.keep(tx, self.admin.token, key, told)
            return status, body

        answered, body = await self.journal.write(once)
        return Response(body, status_code=answered, media_type="application/json")


CallDependency = NamedDependency[SkipValidation[Call]]
"""The type of a handler's parameter `call`."""


def admitting(
    journal: Journal, key: Secret, authenticate: Authenticate, connections: Connections
) -> Callable[[Ask], Awaitable[Response[Any] | None]]:
    """Return what looks at every request first (Litestar's `before_request`), and may refuse it.

    It raises Unauthorized; NotFound for an organization that the token is not of, whether it
    exists or not; OperatorError BRG-ROLE, BRG-BODY-INVALID and BRG-IDEMPOTENCY-INVALID.
    """

    def known(request: Ask) -> Admin:
        header = request.headers.get("authorization")
        if request.route_handler.opt.get(CONNECTIONS_TOO) and not offers_admin_token(header):
            caller = connections(header, request.client.host if request.client else "")
            return Admin(caller.token, caller.actor, caller.organization, Role.READ_ONLY)
        return authenticate(header)

    async def admit(request: Ask) -> Response[Any] | None:
        admin = known(request)
        organization = await journal.read(lambda reader: _organization(reader, request, admin))
        call = Call(
            journal=journal,
            key=key,
            admin=admin,
            organization=organization,
            named="organization" in request.query_params,
            request_id=_request_id(request),
            idempotency_key=_idempotency_key(request),
            fingerprint=_fingerprint(request, await request.body()),
        )
        request.scope[_CALL] = call  # type: ignore[literal-required]
        _check_role(request, admin)
        await check_body(request)
        return None

    return admit


def admitted(request: Ask) -> Call:
    """Return the `Call` of a request that was let in: the dependency `call`."""
    call: Call = request.scope[_CALL]  # type: ignore[literal-required]
    return call


def audited(app: ASGIApp) -> ASGIApp:
    """Middleware: reads and refusals of known admins are audited before they are answered."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            call = scope.get(_CALL)
            if message["type"] == "http.response.start" and isinstance(call, Call):
                named = (b"x-request-id", call.request_id.encode())
                message["headers"] = [*message["headers"], named]
                await _audit(call, scope, message["status"])
            await send(message)

        await app(scope, receive, note)

    return answer


async def _audit(call: Call, scope: Scope, status: int) -> None:
    if scope["type"] != ScopeType.HTTP:
        return
    method, refused = scope["method"], status >= 400
    if method not in ("GET", "HEAD") and not refused:
        return
    place = call.organization.id if call.organization else INSTALLATION
    action = "api.refused" if refused else "api.read"
    detail = {"method": method, "status": status}
    cause, path = call.cause(), _path(scope)
    await call.journal.write(lambda tx: tenants.audit(tx, place, cause, action, path, detail))


def _path(scope: HTTPScope) -> str:
    # What was asked for, shortened: an address is no place for names, but may hold one.
    return str(scope["path"])[:200]


def _organization(reader: Reader, request: Ask, admin: Admin) -> Organization | None:
    named = request.query_params.get("organization")
    known = tenants.list_organizations(reader)
    if admin.organization is not None:
        known = [one for one in known if one.id == admin.organization]
    if named is not None:
        known = [one for one in known if named in (one.id, one.name)]
        if not known:
            raise NotFound("There is no such organization.")
    return known[0] if len(known) == 1 else None


def _check_role(request: Ask, admin: Admin) -> None:
    opt = request.route_handler.opt
    reading = request.method in ("GET", "HEAD")
    needed: Role = opt.get(ROLE, Role.READ_ONLY if reading else Role.ADMIN)
    if not admin.role.includes(needed):
        raise OperatorError(
            "BRG-ROLE",
            f"This token's role is {admin.role}; this needs {needed}.",
            "Use a token with that role, or have an admin make one.",
        )
    if opt.get(INSTALLATION_ONLY) and admin.organization is not None:
        raise OperatorError(
            "BRG-ROLE",
            "This concerns the whole installation, and the token is of one organization.",
            "Have the installation's operator do it.",
        )


def _request_id(request: Ask) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _idempotency_key(request: Ask) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= KEY_CHARACTERS:
        raise OperatorError(
            "BRG-IDEMPOTENCY-INVALID",
            f"An Idempotency-Key has 1 to {KEY_CHARACTERS} characters.",
            "Send a random one, a UUID for example.",
        )
    return key


def _fingerprint(request: Ask, body: bytes) -> str:
    asked = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return sha256(asked + body).hexdigest()


def _again(known: answers.Answer, fingerprint: str) -> tuple[int, bytes]:
    if known.fingerprint != fingerprint:
        raise OperatorError(
            "BRG-IDEMPOTENCY-REUSED",
            "This Idempotency-Key came with another request before.",
            "Use a new key for a new request.",
        )
    return known.status, known.body.encode()
