"""`/v1/connections`, `/v1/tokens` and `/v1/admin_tokens`: who may call, and with what.

Rule: a token's text is in the answer that makes it, and nowhere else ever.
"""

import uuid
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from bridge.admin.bodies import Body
from bridge.admin.calls import Call, CallDependency
from bridge.admin.pages import PAGE_DEFAULT, After, Limit, Page, decode_cursor, page_of
from bridge.admin.shapes import expiry, time_of, time_or_none
from bridge.auth import admins, tokens
from bridge.auth.admins import Role
from bridge.auth.tokens import Minted
from bridge.core.errors import NotFound, OperatorError
from bridge.core.names import checked_name
from bridge.core.schema import PROFILES
from bridge.journal import admins as stored_admins
from bridge.journal import tenants
from bridge.journal.admins import AdminToken
from bridge.journal.tenants import Connection, Scope, Token

RoleName = Literal["read_only", "operator", "admin"]
Days = Annotated[int, msgspec.Meta(ge=1, le=3650)]


class ConnectionShape(msgspec.Struct, frozen=True):
    """A connection of an identity provider, as it is shown."""

    id: str
    name: str
    profile: str
    created: str


class TokenShape(msgspec.Struct, frozen=True):
    """A connection's token, as it is shown; `token` is its text, this once.

    `types` null: every resource type; `networks` null: from anywhere.
    """

    id: str
    connection: str
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None
    read_only: bool
    types: list[str] | None
    networks: list[str] | None
    token: str | None = None


class AdminTokenShape(msgspec.Struct, frozen=True):
    """An admin token, as it is shown; `organization` null is the installation's."""

    id: str
    organization: str | None
    name: str
    role: RoleName
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None
    token: str | None = None


class NewConnection(Body, frozen=True):
    """A connection to make; `profile` is the identity provider's dialect."""

    name: str
    profile: str = "okta"


class NewToken(Body, frozen=True):
    """A token to make, and what it may be used for."""

    connection: str
    expires_days: Days | None = None
    read_only: bool = False
    types: list[str] | None = None
    networks: list[str] | None = None


class NewAdminToken(Body, frozen=True):
    """An admin token to make. Only the installation's may name another organization, or none."""

    name: str
    role: RoleName
    organization: str | None = None
    expires_days: Days | None = None


@get("/connections", summary="List connections")
async def list_connections(
    call: CallDependency, after: After = None, limit: Limit = PAGE_DEFAULT
) -> Page[ConnectionShape]:
    """Return the connections of an organization, by name."""
    place, (key,) = call.place, decode_cursor(after, str) or ("",)
    found = await call.read(lambda reader: tenants.list_connections(reader, place))
    rows = [one for one in found if one.name > key]
    return page_of(rows[: limit + 1], limit, lambda one: [one.name], _connection)


@post("/connections", summary="Make a connection")
async def create_connection(
    call: CallDependency, data: JSONBody[NewConnection]
) -> Response[ConnectionShape]:
    """Make a connection: one identity provider's way into the organization."""
    place, name = call.place, checked_name(data.name)
    if data.profile not in PROFILES:
        raise OperatorError(
            "BRG-BODY-INVALID",
            f"There is no profile {data.profile!r}.",
            f"Use one of {', '.join(PROFILES)}.",
        )
    return await call.change(
        lambda tx, cause: tenants.create_connection(
            tx, place, str(uuid.uuid4()), name, data.profile, cause
        ),
        _connection,
        201,
    )


@get("/tokens", summary="List tokens")
async def list_tokens(
    call: CallDependency, after: After = None, limit: Limit = PAGE_DEFAULT
) -> Page[TokenShape]:
    """Return the tokens of an organization's connections, oldest first."""
    place, key = call.place, decode_cursor(after, int, str) or (-1, "")
    found = await call.read(lambda reader: tenants.list_tokens(reader, place))
    rows = [one for one in found if (one.created, one.id) > key]
    return page_of(rows[: limit + 1], limit, lambda one: [one.created, one.id], _token)


@post("/tokens", summary="Make a token")
async def create_token(call: CallDependency, data: JSONBody[NewToken]) -> Response[TokenShape]:
    """Make a token of a connection. Its text is in this answer, and nowhere else."""
    place, expires = call.place, expiry(data.expires_days)
    scope = Scope.checked(data.read_only, data.types, data.networks)

    def unit(tx: Any, cause: Any) -> tuple[Token, Minted]:
        known = {one.id: one for one in tenants.list_connections(tx, place)}
        if data.connection not in known:
            raise OperatorError(
                "BRG-CONNECTION-UNKNOWN",
                f"There is no connection {data.connection}.",
                "Look it up in the list of connections.",
            )
        minted = tokens.issue(
            tx, call.key, known[data.connection], cause, expires=expires, scope=scope
        )
        made = tenants.find_token(tx, minted.id)
        if made is None:
            raise NotFound(f"There is no token {minted.id}.")
        return made, minted

    return await call.change(
        unit,
        lambda pair: msgspec.structs.replace(_token(pair[0]), token=pair[1].text.reveal()),
        201,
        keep=lambda pair: _token(pair[0]),
    )


@delete("/tokens/{token_id:str}", summary="Revoke a token", status_code=204)
async def revoke_token(call: CallDependency, token_id: FromPath[str]) -> Response[None]:
    """Revoke a token; every process refuses it within a second."""
    place = call.place

    def unit(tx: Any, cause: Any) -> None:
        if not tenants.revoke_token(tx, place, token_id, cause):
            raise OperatorError(
                "BRG-TOKEN-UNKNOWN",
                f"There is no token {token_id}.",
                "Look it up in the list of tokens.",
            )

    return await call.change(unit, lambda _: None, 204)


@get("/admin_tokens", summary="List admin tokens")
async def list_admin_tokens(
    call: CallDependency,
    of: Annotated[
        str | None,
        QueryParameter(description="Id of an organization; the installation's without it."),
    ] = None,
    after: After = None,
    limit: Limit = PAGE_DEFAULT,
) -> Page[AdminTokenShape]:
    """Return admin tokens: those of the token's own organization, or of one that is named."""
    organization, key = _administered(call, of), decode_cursor(after, int, str) or (-1, "")
    found = await call.read(lambda reader: stored_admins.every(reader, organization))
    rows = [one for one in found if (one.created, one.id) > key]
    return page_of(rows[: limit + 1], limit, lambda one: [one.created, one.id], _admin_token)


@post("/admin_tokens", summary="Make an admin token")
async def create_admin_token(
    call: CallDependency, data: JSONBody[NewAdminToken]
) -> Response[AdminTokenShape]:
    """Make an admin token. Its text is in this answer, and nowhere else."""
    organization = _administered(call, data.organization)
    name, expires = checked_name(data.name), expiry(data.expires_days)

    def unit(tx: Any, cause: Any) -> tuple[AdminToken, Minted]:
        if organization is not None and tenants.get_organization(tx, organization) is None:
            raise NotFound("There is no such organization.")
        role = Role(data.role)
        return admins.issue(tx, call.key, organization, name, role, cause, expires=expires)

    return await call.change(
        unit,
        lambda pair: msgspec.structs.replace(_admin_token(pair[0]), token=pair[1].text.reveal()),
        201,
        keep=lambda pair: _admin_token(pair[0]),
    )


@delete("/admin_tokens/{token_id:str}", summary="Revoke an admin token", status_code=204)
async def revoke_admin_token(
    call: CallDependency,
    token_id: FromPath[str],
    of: Annotated[str | None, QueryParameter(description="Id of the token's organization.")] = None,
) -> Response[None]:
    """Revoke an admin token. An organization's own cannot end its last live one of role admin."""
    organization, own = _administered(call, of), call.owner is not None
    return await call.change(
        lambda tx, cause: stored_admins.revoke(tx, organization, token_id, cause, by_own=own),
        lambda _: None,
        204,
    )


def _administered(call: Call, named: str | None) -> str | None:
    if call.owner is not None and named not in (None, call.owner):
        raise NotFound("There is no such organization.")
    return call.owner or named


def _connection(one: Connection) -> ConnectionShape:
    return ConnectionShape(one.id, one.name, one.profile, time_of(one.created))


def _token(one: Token) -> TokenShape:
    scope = one.scope
    return TokenShape(
        id=one.id,
        connection=one.connection,
        created=time_of(one.created),
        expires=time_or_none(one.expires),
        revoked=time_or_none(one.revoked),
        last_used=time_or_none(one.last_used),
        read_only=scope.read_only,
        types=None if scope.types is None else list(scope.types),
        networks=None if scope.networks is None else list(scope.networks),
    )


def _admin_token(one: AdminToken) -> AdminTokenShape:
    return AdminTokenShape(
        id=one.id,
        organization=one.organization,
        name=one.name,
        role=Role(one.role).value,
        created=time_of(one.created),
        expires=time_or_none(one.expires),
        revoked=time_or_none(one.revoked),
        last_used=time_or_none(one.last_used),
    )


HANDLERS = [
    list_connections,
    create_connection,
    list_tokens,
    create_token,
    revoke_token,
    list_admin_tokens,
    create_admin_token,
    revoke_admin_token,
]
