"""The page of connections: what to paste into the identity provider, and its tokens.

Rule: a token is on the page that answers its making, and on no other.
"""

from datetime import UTC, datetime
from typing import Any

import attrs
from litestar import Response, get, post
from litestar.params import FromPath

from bridge.auth import tokens
from bridge.auth.tokens import Minted
from bridge.console.desk import Desk, DeskDependency
from bridge.console.organization import ORGANIZATION
from bridge.console.pages import see
from bridge.console.rooms import Room, enter, submitted
from bridge.console.visits import Ask
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.journal import authorizations, tenants
from bridge.journal.authorizations import Client
from bridge.journal.store import Reader, Transaction
from bridge.journal.tenants import Connection, Token

PLACE = ORGANIZATION + "/connections"


@attrs.frozen
class Connected:
    """A connection with its tokens, newest first, and its OAuth clients."""

    connection: Connection
    tokens: tuple[Token, ...]
    clients: tuple[Client, ...]


@get(PLACE, include_in_schema=False)
async def connections(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str]
) -> Response[str]:
    return await _page(await enter(request, desk, organization_id), desk, made=None)


@post(PLACE + "/{connection_id:str}/tokens", include_in_schema=False)
async def make_token(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], connection_id: FromPath[str]
) -> Response[str]:
    room, _fields = await submitted(request, desk, organization_id)

    def unit(tx: Transaction, place: str, cause: Cause) -> Minted:
        for one in tenants.list_connections(tx, place):
            if one.id == connection_id:
                return tokens.issue(tx, desk.key, one, cause)
        raise OperatorError(
            "BRG-CONNECTION-UNKNOWN",
            f"There is no connection {connection_id}.",
            "Look it up in the list of connections.",
        )

    minted = await room.write(unit)
    return await _page(room, desk, made=(connection_id, minted.text.reveal()))


@post(PLACE + "/tokens/{token_id:str}/revoke", include_in_schema=False)
async def end_token(
    request: Ask, desk: DeskDependency, organization_id: FromPath[str], token_id: FromPath[str]
) -> Response[Any]:
    room, _fields = await submitted(request, desk, organization_id)
    await room.write(lambda tx, place, cause: tenants.revoke_token(tx, place, token_id, cause))
    return see(f"{room.path}/connections")


async def _page(room: Room, desk: Desk, made: tuple[str, str] | None) -> Response[str]:
    found = await room.read(_connected)
    return room.page(
        "connections.html",
        found=found,
        made=made,
        scim_url=f"{desk.issuer}/scim/v2",
        issuer=desk.issuer,
        now=datetime.now(UTC).timestamp() * 1_000_000,
    )


def _connected(reader: Reader, place: str) -> tuple[Connected, ...]:
    every = tenants.list_tokens(reader, place)[::-1]
    clients = authorizations.clients(reader, place)
    return tuple(
        Connected(
            one,
            tuple(token for token in every if token.connection == one.id),
            tuple(c for c in clients if c.connection == one.id and c.revoked is None),
        )
        for one in tenants.list_connections(reader, place)
    )


HANDLERS = [connections, make_token, end_token]
