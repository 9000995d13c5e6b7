"""Who administers: admin tokens, their roles, and the admin that a valid one stands for.

A token reads `bra_<id>_<secret><checksum>` and is kept and recognised as a connection's is
(`bridge.auth.tokens`). No user or group of an identity provider ever becomes an admin.

Rule: what an admin may do is decided by role and organization alone, never by a missing value.
"""

import time
from collections.abc import Callable
from enum import StrEnum

import attrs

from bridge.auth.tokens import (
    FRESH_SECONDS,
    FRESH_TOKENS,
    USE_NOTED_SECONDS,
    Minted,
    digest,
    from_header,
    is_digest,
    mint,
    token_id,
)
from bridge.core.changes import Cause
from bridge.core.errors import Unauthorized
from bridge.core.secret import Secret
from bridge.journal import admins
from bridge.journal.admins import AdminToken
from bridge.journal.store import Journal, Transaction

PREFIX = "bra"

REFUSED = (
    "The admin token is missing, malformed, unknown, expired or revoked. "
    "Send a valid one as Authorization: Bearer."
)


class Role(StrEnum):
    """What an admin may do; each may do what the ones before it may."""

    READ_ONLY = "read_only"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Return whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@attrs.frozen
class Admin:
    """Who a valid admin token speaks for; `organization` None is the whole installation."""

    token: str
    name: str
    organization: str | None
    role: Role

    @property
    def actor(self) -> str:
        """How this admin is named in change records and audit rows."""
        return f"admin:{self.name}"


def issue(
    tx: Transaction,
    key: Secret,
    organization: str | None,
    name: str,
    role: Role,
    cause: Cause,
    *,
    expires: int | None = None,
) -> tuple[AdminToken, Minted]:
    """Write a new admin token and return it with its text, this once."""
    minted = mint(key, PREFIX)
    made = admins.create(
        tx, organization, minted.id, name, role, minted.digest, cause, expires=expires
    )
    return made, minted


def offers_admin_token(header: str | None) -> bool:
    """Return whether an `Authorization` value holds what is made like an admin token."""
    return token_id(from_header(header), PREFIX) is not None


class AdminAuthenticator:
    """Turns an `Authorization` header into the Admin, or raises Unauthorized."""

    def __init__(
        self, journal: Journal, key: Secret, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal = journal
        self._key = key
        self._clock = clock
        self._fresh: dict[str, tuple[float, Admin]] = {}

    def __call__(self, header: str | None) -> Admin:
        """Return who the header speaks for.

        Raises Unauthorized, with one text for every cause.
        """
        text = from_header(header)
        public = token_id(text, PREFIX)
        if public is None:
            raise Unauthorized(REFUSED)
        offered, now = digest(self._key, text), self._clock()
        since, admin = self._fresh.get(offered, (-FRESH_SECONDS, None))
        if admin is None or now - since >= FRESH_SECONDS:
            self._fresh.pop(offered, None)
            admin = self._looked_up(public, offered)
            if len(self._fresh) >= FRESH_TOKENS:
                self._fresh.clear()
            self._fresh[offered] = now, admin
        return admin

    def _looked_up(self, public: str, offered: str) -> Admin:
        token, now = self._journal.read_now(
            lambda reader: (admins.find(reader, public), reader.now)
        )
        matches = is_digest(token.digest if token else None, offered)
        if token is None or not matches or not _usable(token, now):
            raise Unauthorized(REFUSED)
        if token.last_used is None or now - token.last_used >= USE_NOTED_SECONDS * 1_000_000:
            self._journal.write_soon(lambda tx: admins.note_use(tx, token.id))
        return Admin(token.id, token.name, token.organization, Role(token.role))


def _usable(token: AdminToken, now: int) -> bool:
    return token.revoked is None and (token.expires is None or now < token.expires)
