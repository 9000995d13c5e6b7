"""Tokens of people and programs that administer: one organization's, or the installation's.

Rule: an organization keeps a live token of role admin for as long as its own tokens are what ends
them; only the installation may take the last one away.
"""

from typing import Any

import attrs
from sqlalchemy import and_, bindparam, func, or_, select, update
from sqlalchemy.sql import ColumnElement

from bridge.codec import to_micros
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.journal.statements import insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import admin_token as _t
from bridge.journal.tenants import audit

ADMIN = "admin"
"""The role that may do everything in its organization."""

INSTALLATION = ""
"""The organization of audit rows about the installation as a whole."""


@attrs.frozen
class AdminToken:
    """What is kept of an admin token; `organization` None is the whole installation."""

    id: str
    organization: str | None
    name: str
    role: str
    digest: str = attrs.field(repr=False)
    created: int
    expires: int | None
    revoked: int | None
    last_used: int | None


_select = select(*(_t.c[field.name] for field in attrs.fields(AdminToken)))
_LIVE: ColumnElement[bool] = and_(
    _t.c.revoked.is_(None), or_(_t.c.expires.is_(None), _t.c.expires > bindparam("now"))
)
_NEW = prepared(
    insert_into(_t, ("id", "organization", "name", "role", "digest", "created", "expires"))
)
_ONE = prepared(_select.where(_t.c.id == bindparam("id")))
_OF_ORGANIZATION = prepared(
    _select.where(_t.c.organization == bindparam("organization")).order_by(_t.c.created, _t.c.id)
)
_OF_INSTALLATION = prepared(
    _select.where(_t.c.organization.is_(None)).order_by(_t.c.created, _t.c.id)
)
_OTHER_ADMINS = prepared(
    select(func.count()).where(
        _t.c.organization == bindparam("organization"),
        _t.c.role == ADMIN,
        _t.c.id != bindparam("id"),
        _LIVE,
    )
)
_REVOKE = prepared(
    update(_t)
    .where(_t.c.id == bindparam("id"))
    .values(revoked=func.coalesce(_t.c.revoked, bindparam("now")))
)
_USED = prepared(update(_t).where(_t.c.id == bindparam("id")).values(last_used=bindparam("now")))


def create(
    tx: Transaction,
    organization: str | None,
    token_id: str,
    name: str,
    role: str,
    digest: str,
    cause: Cause,
    *,
    expires: int | None = None,
) -> AdminToken:
    """Write a new admin token: its public id and the digest of its text."""
    columns: dict[str, Any] = {
        "id": token_id,
        "organization": organization,
        "name": name,
        "role": role,
        "digest": digest,
        "created": to_micros(cause.at),
        "expires": expires,
    }
    tx.run(_NEW, **columns)
    place, detail = organization or INSTALLATION, {"name": name, "role": role}
    audit(tx, place, cause, "admin_token.create", f"admin_token/{token_id}", detail)
    return AdminToken(**columns, revoked=None, last_used=None)


def find(reader: Reader, token_id: str) -> AdminToken | None:
    """Return the token of this public id, expired and revoked ones too, or None: one read."""
    row = reader.row(_ONE, id=token_id)
    return AdminToken(*row) if row else None


def every(reader: Reader, organization: str | None) -> list[AdminToken]:
    """Return an organization's tokens, or the installation's own, oldest first."""
    if organization is None:
        return [AdminToken(*row) for row in reader.rows(_OF_INSTALLATION)]
    rows = reader.rows(_OF_ORGANIZATION, organization=organization)
    return [AdminToken(*row) for row in rows]


def revoke(
    tx: Transaction, organization: str | None, token_id: str, cause: Cause, *, by_own: bool
) -> None:
    """Revoke a token from now on.

    Raises OperatorError: BRG-TOKEN-UNKNOWN where the organization has no such token, and
    BRG-OWNER-LAST when one of its own tokens (`by_own`) would end its last live one of role admin.
    """
    token = find(tx, token_id)
    if token is None or token.organization != organization:
        raise OperatorError(
            "BRG-TOKEN-UNKNOWN",
            f"There is no admin token {token_id}.",
            "Look it up in the list of admin tokens.",
        )
    live = token.revoked is None and (token.expires is None or token.expires > tx.now)
    if by_own and live and token.role == ADMIN and not _other_admins(tx, token):
        raise OperatorError(
            "BRG-OWNER-LAST",
            "This is the organization's last live admin token; nobody could administer it.",
            "Make another admin token first, or have the installation's operator revoke it.",
        )
    tx.run(_REVOKE, id=token_id, now=tx.now)
    place = organization or INSTALLATION
    audit(tx, place, cause, "admin_token.revoke", f"admin_token/{token_id}", {})


def note_use(tx: Transaction, token_id: str) -> None:
    """Note that a token was used now."""
    tx.run(_USED, id=token_id, now=tx.now)


def _other_admins(tx: Transaction, token: AdminToken) -> int:
    found = tx.row(_OTHER_ADMINS, organization=token.organization, id=token.id, now=tx.now)
    return int(found[0]) if found else 0
