"""Organizations, their connections and tokens, and the audit rows of whatever is done.

Rule: a token's text never gets here; what is stored is its public id and its digest.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any

import attrs
from sqlalchemy import and_, bindparam, func, select, tuple_, update
from sqlalchemy.sql import ColumnElement

from bridge.codec import decode, encode, to_micros
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.journal import tables
from bridge.journal.statements import insert_into, prepared
from bridge.journal.store import Reader, Transaction

_o, _c, _t, _a = tables.organization, tables.connection, tables.token, tables.audit
_AUDIT_COLUMNS = ("organization", "at", "actor", "action", "target", "detail", "request_id")


@attrs.frozen
class Organization:
    """A tenant. Times here and below are microseconds since 1970 UTC."""

    id: str
    name: str
    created: int


@attrs.frozen
class Connection:
    """One identity provider's way into an organization; `profile` names its dialect."""

    organization: str
    id: str
    name: str
    profile: str
    created: int


@attrs.frozen
class Scope:
    """What a token may be used for: reading only, these resource types, from these networks.

    None stands for every type, and for any network.
    """

    read_only: bool = False
    types: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None

    @classmethod
    def checked(
        cls, read_only: bool, types: Sequence[str] | None, networks: Sequence[str] | None
    ) -> "Scope":
        """Return a scope of what a person wrote. Raises OperatorError BRG-SCOPE-INVALID."""
        try:
            written = [str(ip_network(one, strict=False)) for one in networks or ()]
        except ValueError as error:
            raise OperatorError(
                "BRG-SCOPE-INVALID",
                f"{error}.",
                "Write networks as 192.0.2.0/24 or 2001:db8::/32, or a single address.",
            ) from None
        if types is not None and not types:
            raise OperatorError(
                "BRG-SCOPE-INVALID",
                "The token would be for no resource type.",
                "Name User, Group or another one, or leave types out for all.",
            )
        named = None if types is None else tuple(types)
        return cls(read_only, named, tuple(written) if networks else None)


ANYTHING = Scope()


@attrs.frozen
class Token:
    """What is kept of a token, with the profile of its connection."""

    id: str
    organization: str
    connection: str
    profile: str
    digest: str
    created: int
    expires: int | None
    revoked: int | None
    last_used: int | None
    scope: Scope = ANYTHING


@attrs.frozen
class AuditRow:
    """Who did what to what, when, in which request; `detail` is JSON text without values."""

    sequence: int
    organization: str
    at: int
    actor: str
    action: str
    target: str
    detail: str
    request_id: str


def _is(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column == bindparam(name)


_organizations = select(_o.c.id, _o.c.name, _o.c.created).order_by(_o.c.name)
_connections = (
    select(_c.c.organization, _c.c.id, _c.c.name, _c.c.profile, _c.c.created)
    .where(_is(_c.c.organization, "organization"))
    .order_by(_c.c.name)
)
_tokens = (
    select(
        *(_t.c.id, _t.c.organization, _t.c.connection, _c.c.profile, _t.c.digest, _t.c.created),
        *(_t.c.expires, _t.c.revoked, _t.c.last_used),
        *(_t.c.read_only, _t.c.types, _t.c.networks),
    )
    .join(_c, and_(_c.c.organization == _t.c.organization, _c.c.id == _t.c.connection))
    .order_by(_t.c.created, _t.c.id)
)
_audit = select(_a.c.sequence, *(_a.c[name] for name in _AUDIT_COLUMNS))

_NEW_ORGANIZATION = prepared(insert_into(_o))
_RENAME_ORGANIZATION = prepared(update(_o).where(_is(_o.c.id, "id")).values(name=bindparam("to")))
_ORGANIZATIONS = prepared(_organizations)
_ORGANIZATION = prepared(_organizations.where(_is(_o.c.id, "id")))
_ORGANIZATION_NAMED = prepared(_organizations.where(_is(_o.c.name, "name")))
_NEW_CONNECTION = prepared(insert_into(_c))
_CONNECTIONS = prepared(_connections)
_CONNECTION_NAMED = prepared(_connections.where(_is(_c.c.name, "name")))
_NEW_TOKEN = prepared(
    insert_into(
        _t,
        (
            *("id", "organization", "connection", "digest", "created", "expires"),
            *("read_only", "types", "networks"),
        ),
    )
)
_DIGEST = prepared(select(_t.c.digest).where(_is(_t.c.id, "id")))
_TOKEN = prepared(_tokens.where(_is(_t.c.id, "id")))
_TOKENS = prepared(_tokens.where(_is(_t.c.organization, "organization")))
_REVOKE = prepared(
    update(_t)
    .where(_is(_t.c.organization, "organization"), _is(_t.c.id, "id"))
    .values(revoked=func.coalesce(_t.c.revoked, bindparam("now")))
)
_USED = prepared(update(_t).where(_is(_t.c.id, "id")).values(last_used=bindparam("now")))
_NEW_AUDIT = prepared(insert_into(_a, _AUDIT_COLUMNS))
_AUDIT_PAGE = prepared(
    _audit.where(
        _is(_a.c.organization, "organization"),
        tuple_(_a.c.at, _a.c.sequence) < tuple_(bindparam("at"), bindparam("sequence")),
    )
    .order_by(_a.c.at.desc(), _a.c.sequence.desc())
    .limit(bindparam("count"))
)
_AUDIT = prepared(
    _audit.where(_is(_a.c.organization, "organization"), _a.c.at >= bindparam("since"))
    .order_by(_a.c.at.desc(), _a.c.sequence.desc())
    .limit(bindparam("count"))
)


def create_organization(
    tx: Transaction, organization_id: str, name: str, cause: Cause
) -> Organization:
    """Write a new organization. Raises OperatorError when the name is taken."""
    if find_organization(tx, name):
        raise _taken(name)
    made = Organization(organization_id, name, to_micros(cause.at))
    tx.run(_NEW_ORGANIZATION, **attrs.asdict(made))
    audit(tx, made.id, cause, "organization.create", f"organization/{made.id}", {"name": name})
    return made


def rename_organization(
    tx: Transaction, organization: Organization, name: str, cause: Cause
) -> Organization:
    """Give an organization another name. Raises OperatorError when the name is taken."""
    holder = find_organization(tx, name)
    if holder is not None and holder.id != organization.id:
        raise _taken(name)
    tx.run(_RENAME_ORGANIZATION, id=organization.id, to=name)
    target, detail = f"organization/{organization.id}", {"name": name}
    audit(tx, organization.id, cause, "organization.rename", target, detail)
    return attrs.evolve(organization, name=name)


def _taken(name: str) -> OperatorError:
    return OperatorError(
        "BRG-ORGANIZATION-EXISTS",
        f"There is an organization {name!r} already.",
        "Use it, or choose another name.",
    )


def list_organizations(reader: Reader) -> list[Organization]:
    """Return every organization by name."""
    return [Organization(*row) for row in reader.rows(_ORGANIZATIONS)]


def get_organization(reader: Reader, organization_id: str) -> Organization | None:
    """Return the organization of this id, or None."""
    row = reader.row(_ORGANIZATION, id=organization_id)
    return Organization(*row) if row else None


def find_organization(reader: Reader, name: str) -> Organization | None:
    """Return the organization of this name, or None."""
    row = reader.row(_ORGANIZATION_NAMED, name=name)
    return Organization(*row) if row else None


def create_connection(
    tx: Transaction, organization: str, connection_id: str, name: str, profile: str, cause: Cause
) -> Connection:
    """Write a new connection of an organization. Raises OperatorError when the name is taken."""
    if find_connection(tx, organization, name):
        raise OperatorError(
            "BRG-CONNECTION-EXISTS",
            f"The organization has a connection {name!r} already.",
            "Use it, or choose another name.",
        )
    made = Connection(organization, connection_id, name, profile, to_micros(cause.at))
    tx.run(_NEW_CONNECTION, **attrs.asdict(made))
    detail = {"name": name, "profile": profile}
    audit(tx, organization, cause, "connection.create", f"connection/{made.id}", detail)
    return made


def list_connections(reader: Reader, organization: str) -> list[Connection]:
    """Return an organization's connections by name."""
    return [Connection(*row) for row in reader.rows(_CONNECTIONS, organization=organization)]


def find_connection(reader: Reader, organization: str, name: str) -> Connection | None:
    """Return the connection of this name, or None."""
    row = reader.row(_CONNECTION_NAMED, organization=organization, name=name)
    return Connection(*row) if row else None


def create_token(
    tx: Transaction,
    connection: Connection,
    token_id: str,
    digest: str,
    cause: Cause,
    *,
    expires: int | None = None,
    scope: Scope = ANYTHING,
) -> None:
    """Write a new token of a connection: its public id and the digest of its text."""
    tx.run(
        _NEW_TOKEN,
        id=token_id,
        organization=connection.organization,
        connection=connection.id,
        digest=digest,
        created=to_micros(cause.at),
        expires=expires,
        read_only=int(scope.read_only),
        types=None if scope.types is None else encode(scope.types),
        networks=None if scope.networks is None else encode(scope.networks),
    )
    detail = {"connection": connection.name}
    audit(tx, connection.organization, cause, "token.create", f"token/{token_id}", detail)


def find_digest(reader: Reader, token_id: str) -> str | None:
    """Return the digest of the token of this public id, or None.

    That there is such a token costs hardly more than that there is none: nobody can tell.
    """
    row = reader.row(_DIGEST, id=token_id)
    return row[0] if row else None


def find_token(reader: Reader, token_id: str) -> Token | None:
    """Return the token of this public id, expired and revoked ones too, or None: one read."""
    row = reader.row(_TOKEN, id=token_id)
    return _token(row) if row else None


def list_tokens(reader: Reader, organization: str) -> list[Token]:
    """Return an organization's tokens, oldest first."""
    return [_token(row) for row in reader.rows(_TOKENS, organization=organization)]


def _token(row: tuple[Any, ...]) -> Token:
    *columns, read_only, types, networks = row
    named, networks = (None if text is None else tuple(decode(text)) for text in (types, networks))
    return attrs.evolve(Token(*columns), scope=Scope(bool(read_only), named, networks))


def revoke_token(tx: Transaction, organization: str, token_id: str, cause: Cause) -> bool:
    """Revoke a token from now on; False when the organization has no such token."""
    revoked = tx.run(_REVOKE, organization=organization, id=token_id, now=tx.now) > 0
    if revoked:
        audit(tx, organization, cause, "token.revoke", f"token/{token_id}", {})
    return revoked


def note_use(tx: Transaction, token_id: str) -> None:
    """Note that a token was used now."""
    tx.run(_USED, id=token_id, now=tx.now)


def audit(
    tx: Transaction,
    organization: str,
    cause: Cause,
    action: str,
    target: str,
    detail: Mapping[str, Any],
) -> None:
    """Write one audit row, in the transaction of what it tells of.

    `detail` holds names of attributes and counts, never values of attributes: those are personal.
    """
    tx.send(
        _NEW_AUDIT,
        organization=organization,
        at=to_micros(cause.at),
        actor=cause.actor,
        action=action,
        target=target,
        detail=encode(detail),
        request_id=cause.request_id,
    )


def audit_page(
    reader: Reader, organization: str, at: int, sequence: int, count: int
) -> list[AuditRow]:
    """Return up to `count` audit rows before a time and a sequence, newest first."""
    rows = reader.rows(
        _AUDIT_PAGE, organization=organization, at=at, sequence=sequence, count=count
    )
    return [AuditRow(*row) for row in rows]


def list_audit(
    reader: Reader, organization: str, *, since: int = 0, count: int = 100
) -> list[AuditRow]:
    """Return an organization's newest audit rows, newest first."""
    rows = reader.rows(_AUDIT, organization=organization, since=since, count=count)
    return [AuditRow(*row) for row in rows]
