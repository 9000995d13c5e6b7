"""OAuth 2.0 as rows: clients, questions put to people, grants and the tokens of a grant.

Rule: whatever counts once (a decision, a code, a grant's end) is one UPDATE that must touch one
row; who comes second is told so.
"""

import json
from typing import Any

import attrs
from sqlalchemy import and_, bindparam, delete, func, select, update
from sqlalchemy.sql import ColumnElement

from bridge.codec import to_micros
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.journal import tables, tenants
from bridge.journal.people_tables import oauth_client as _c
from bridge.journal.people_tables import oauth_grant as _g
from bridge.journal.people_tables import oauth_request as _r
from bridge.journal.people_tables import oauth_token as _o
from bridge.journal.statements import insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tenants import Connection, audit

_t = tables.token


@attrs.frozen
class Client:
    """An identity provider that may ask for a connection's tokens."""

    id: str
    organization: str
    connection: str
    name: str
    digest: str = attrs.field(repr=False)
    redirect_uris: tuple[str, ...]
    created: int
    revoked: int | None


@attrs.frozen
class Question:
    """What a person was asked: may `client` have tokens, and where the answer goes."""

    ticket: str
    client: str
    account: str
    redirect_uri: str
    state: str | None
    challenge: str | None
    expires: int
    decided: int | None = None
    redeemed: int | None = None
    grant: str | None = None


@attrs.frozen
class Grant:
    """A client's right to tokens; `account` None where it asked for itself alone."""

    id: str
    organization: str
    client: str
    account: str | None
    created: int
    used: int
    revoked: int | None


def _is(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column == bindparam(name)


_client = [_c.c[field.name] for field in attrs.fields(Client)]
_question = [
    *(_r.c.ticket, _r.c.client, _r.c.account, _r.c.redirect_uri, _r.c.state, _r.c.challenge),
    *(_r.c.expires, _r.c.decided, _r.c.redeemed, _r.c.grant_id),
]
_grant = [_g.c[field.name] for field in attrs.fields(Grant)]

_NEW_CLIENT = prepared(insert_into(_c, [c.name for c in _client if c.name != "revoked"]))
_CLIENT = prepared(select(*_client).where(_is(_c.c.id, "id")))
_CLIENTS = prepared(
    select(*_client).where(_is(_c.c.organization, "organization")).order_by(_c.c.name)
)
_CLIENT_NAMED = prepared(
    select(*_client).where(_is(_c.c.organization, "organization"), _is(_c.c.name, "name"))
)
_REVOKE_CLIENT = prepared(
    update(_c)
    .where(_is(_c.c.id, "id"))
    .values(revoked=func.coalesce(_c.c.revoked, bindparam("now")))
)
_ASK = prepared(
    insert_into(
        _r, ("ticket", "client", "account", "redirect_uri", "state", "challenge", "expires")
    )
)
_FORGET = prepared(delete(_r).where(_r.c.expires <= bindparam("now"), _r.c.grant_id.is_(None)))
_DECIDE = prepared(
    update(_r)
    .where(
        *(_is(_r.c.ticket, "ticket"), _is(_r.c.account, "account")),
        *(_r.c.decided.is_(None), _r.c.expires > bindparam("now")),
    )
    .values(decided=bindparam("now"), code=bindparam("code"), expires=bindparam("until"))
)
_TICKET = prepared(select(*_question).where(_is(_r.c.ticket, "ticket")))
_CODE = prepared(select(*_question).where(_is(_r.c.code, "code"), _is(_r.c.client, "client")))
_REDEEM = prepared(
    update(_r)
    .where(_is(_r.c.ticket, "ticket"), _r.c.redeemed.is_(None))
    .values(redeemed=bindparam("now"))
)
_GRANTED = prepared(
    update(_r).where(_is(_r.c.ticket, "ticket")).values(grant_id=bindparam("grant"))
)
_NEW_GRANT = prepared(
    insert_into(_g, ("id", "organization", "client", "account", "refresh", "created", "used"))
)
_REFRESHING = prepared(
    select(*_grant).where(
        _is(_g.c.refresh, "refresh"), _is(_g.c.client, "client"), _g.c.revoked.is_(None)
    )
)
_LIVE = prepared(select(*_grant).where(_is(_g.c.client, "client"), _g.c.revoked.is_(None)))
_GRANT_USED = prepared(update(_g).where(_is(_g.c.id, "id")).values(used=bindparam("now")))
_END_GRANT = prepared(
    update(_g).where(_is(_g.c.id, "id"), _g.c.revoked.is_(None)).values(revoked=bindparam("now"))
)
_of_grant = select(_o.c.token).where(_is(_o.c.grant_id, "grant")).scalar_subquery()
_END_TOKENS = prepared(
    update(_t)
    .where(_t.c.id.in_(_of_grant))
    .values(revoked=func.coalesce(_t.c.revoked, bindparam("now")))
)
_TIDY_TOKENS = prepared(delete(_t).where(_t.c.id.in_(_of_grant), _t.c.expires <= bindparam("now")))
_NEW_TOKEN = prepared(insert_into(_o))
_GRANT_OF_TOKEN = prepared(
    select(*_grant)
    .join(_o, _o.c.grant_id == _g.c.id)
    .where(and_(_is(_o.c.token, "token"), _is(_g.c.client, "client")))
)


def create_client(
    tx: Transaction,
    connection: Connection,
    client_id: str,
    name: str,
    digest: str,
    redirect_uris: tuple[str, ...],
    cause: Cause,
) -> Client:
    """Write a client of a connection; `digest` is its secret's.

    Raises OperatorError BRG-CLIENT-EXISTS when the name is taken in the organization.
    """
    place = connection.organization
    if tx.row(_CLIENT_NAMED, organization=place, name=name) is not None:
        raise OperatorError(
            "BRG-CLIENT-EXISTS",
            f"There is an OAuth client {name} already.",
            "Choose another name, or revoke that one.",
        )
    uris, created = json.dumps(redirect_uris), to_micros(cause.at)
    made = Client(
        client_id, place, connection.id, name, digest, redirect_uris, created, revoked=None
    )
    columns = {key: value for key, value in attrs.asdict(made).items() if key != "revoked"}
    tx.run(_NEW_CLIENT, **{**columns, "redirect_uris": uris})
    detail = {"name": name, "connection": connection.name}
    audit(tx, place, cause, "client.create", f"client/{client_id}", detail)
    return made


def find_client(reader: Reader, client_id: str) -> Client | None:
    """Return a client that is not revoked, or None: one read."""
    row = reader.row(_CLIENT, id=client_id)
    found = _shaped(row) if row else None
    return found if found is not None and found.revoked is None else None


def clients(reader: Reader, organization: str) -> list[Client]:
    """Return an organization's clients, revoked ones too, by name."""
    return [_shaped(row) for row in reader.rows(_CLIENTS, organization=organization)]


def revoke_client(tx: Transaction, client: Client, cause: Cause) -> None:
    """End a client and everything that was granted to it."""
    tx.run(_REVOKE_CLIENT, id=client.id, now=tx.now)
    end_grants(tx, client, cause)
    audit(tx, client.organization, cause, "client.revoke", f"client/{client.id}", {})


def ask(tx: Transaction, question: Question) -> None:
    """Write a question to a person, and forget those nobody answered in time."""
    tx.run(_FORGET, now=tx.now)
    unset = ("decided", "redeemed", "grant")
    columns = {k: v for k, v in attrs.asdict(question).items() if k not in unset}
    tx.run(_ASK, **columns)


def decide(
    tx: Transaction, ticket: str, account: str, code: str | None, code_seconds: int
) -> Question | None:
    """Decide a question once; `code` None denies. Return it, or None if it is none (any more)."""
    until = tx.now + code_seconds * 1_000_000
    done = tx.run(_DECIDE, ticket=ticket, account=account, code=code, until=until, now=tx.now)
    row = tx.row(_TICKET, ticket=ticket) if done == 1 else None
    return Question(*row) if row else None


def note_decision(tx: Transaction, client: Client, cause: Cause, *, approved: bool) -> None:
    """Leave an audit row of what a person decided about a client."""
    action = "oauth.approve" if approved else "oauth.deny"
    audit(tx, client.organization, cause, action, f"client/{client.id}", {"name": client.name})


def find_code(tx: Transaction, client: Client, code: str) -> Question | None:
    """Return the question that was answered with this code (its digest) to this client."""
    row = tx.row(_CODE, code=code, client=client.id)
    return Question(*row) if row else None


def redeem(tx: Transaction, question: Question) -> bool:
    """Use a code up; False when that was done before."""
    return tx.run(_REDEEM, ticket=question.ticket, now=tx.now) == 1


def grant(
    tx: Transaction,
    client: Client,
    grant_id: str,
    refresh: str | None,
    question: Question | None,
    cause: Cause,
) -> Grant:
    """Write a grant, for a question that was approved or for the client itself.

    What was granted to the client before ends with it.
    """
    end_grants(tx, client, cause)
    account = question.account if question else None
    place, now = client.organization, tx.now
    columns = {"organization": place, "client": client.id, "account": account}
    tx.run(_NEW_GRANT, id=grant_id, refresh=refresh, created=now, used=now, **columns)
    if question is not None:
        tx.run(_GRANTED, ticket=question.ticket, grant=grant_id)
    detail = {"client": client.name, "account": account or ""}
    audit(tx, place, cause, "oauth.grant", f"grant/{grant_id}", detail)
    return Grant(grant_id, place, client.id, account, now, now, None)


def refreshing(tx: Transaction, client: Client, refresh: str) -> Grant | None:
    """Return the live grant of a refresh token (its digest), if it is this client's."""
    row = tx.row(_REFRESHING, refresh=refresh, client=client.id)
    return Grant(*row) if row else None


def live_grants(reader: Reader, client: Client) -> list[Grant]:
    """Return what a client may use now."""
    return [Grant(*row) for row in reader.rows(_LIVE, client=client.id)]


def grant_of_token(reader: Reader, client: Client, token_id: str) -> Grant | None:
    """Return the grant of an access token, if it is this client's."""
    row = reader.row(_GRANT_OF_TOKEN, token=token_id, client=client.id)
    return Grant(*row) if row else None


def add_token(
    tx: Transaction, grant: Grant, connection: Connection, token_id: str, digest: str,
    seconds: int, cause: Cause,
) -> None:  # fmt: skip
    """Write an access token of a grant that lives for so many seconds, and drop its dead ones."""
    tx.run(_TIDY_TOKENS, grant=grant.id, now=tx.now)
    expires = tx.now + seconds * 1_000_000
    tenants.create_token(tx, connection, token_id, digest, cause, expires=expires)
    tx.run(_NEW_TOKEN, token=token_id, grant_id=grant.id)
    tx.run(_GRANT_USED, id=grant.id, now=tx.now)


def end_grant(tx: Transaction, grant: Grant, cause: Cause) -> None:
    """End a grant and its tokens; nothing for one that has ended."""
    if tx.run(_END_GRANT, id=grant.id, now=tx.now) == 1:
        tx.run(_END_TOKENS, grant=grant.id, now=tx.now)
        audit(tx, grant.organization, cause, "oauth.revoke", f"grant/{grant.id}", {})


def end_grants(tx: Transaction, client: Client, cause: Cause) -> None:
    """End everything that was granted to a client."""
    for one in live_grants(tx, client):
        end_grant(tx, one, cause)


def grant_by_id(reader: Reader, client: Client, grant_id: str | None) -> Grant | None:
    """Return a live grant of a client, or None."""
    return next((one for one in live_grants(reader, client) if one.id == grant_id), None)


def _shaped(row: tuple[Any, ...]) -> Client:
    *head, uris, created, revoked = row
    client_id, organization, connection, name, digest = head
    return Client(
        client_id, organization, connection, name, digest, tuple(json.loads(uris)), created, revoked
    )
