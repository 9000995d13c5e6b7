"""The journal's first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


# PostgreSQL has no casing of its own that is Python's on every server. A key must be the same
# wherever it is made, so its alphabet is written down here: see `bridge.core.schema.keys`.
_CASED = [c for c in map(chr, range(0x110000)) if c != "\u0130" and c.lower() != c] + ["\u03c2"]
_UPPER = "".join(_CASED)
_LOWER = "".join("\u03c3" if c == "\u03c2" else c.lower() for c in _CASED)
_SCIM_KEY = """
CREATE FUNCTION scim_key(given text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT CASE WHEN octet_length(given) = length(given) THEN lower(given COLLATE "C")
ELSE normalize(translate(
    replace(normalize(given), U&'\\0130', U&'i\\0307'), '{from_}', '{to}'
)) COLLATE "C" END
$$
"""


def _text(*names: str, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, TEXT, nullable=nullable) for name in names]


def _number(*names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=nullable) for name in names]


def _flag(*names: str) -> list[sa.Column[int]]:
    zero = sa.text("0")
    return [sa.Column(name, sa.Integer, nullable=False, server_default=zero) for name in names]


def _time(*names: str, nullable: bool = False) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=nullable) for name in names]


def _index(
    name: str, table: str, *columns: str, where: str | None = None, unique: bool = False
) -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition
    )


def upgrade() -> None:
    """Apply the revision."""
    if op.get_context().dialect.name == "postgresql":
        op.execute(_SCIM_KEY.format(from_=_UPPER, to=_LOWER))
    _create_tenants()
    _create_resources()
    _create_deliveries()
    _create_deliveries_made()
    _create_passwords()
    _create_administration()
    _create_access()
    _create_guard()
    _create_people()
    _create_authorizations()


def _create_tenants() -> None:
    op.create_table(
        "organization",
        *_text("id", "name"),
        *_time("created"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "connection",
        *_text("organization", "id", "name", "profile"),
        *_time("created"),
        sa.PrimaryKeyConstraint("organization", "id"),
        sa.UniqueConstraint("organization", "name"),
    )
    op.create_table(
        "token",
        *_text("id", "organization", "connection", "digest"),
        *_time("created"),
        *_time("expires", "revoked", "last_used", nullable=True),
        *_flag("read_only"),
        *_text("types", "networks", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("token_of_connection", "token", "organization", "connection")
    op.create_table(
        "audit",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        *_text("organization"),
        *_time("at"),
        *_text("actor", "action", "target", "detail", "request_id"),
    )
    _index("audit_at", "audit", "organization", "at")


def _create_resources() -> None:
    op.create_table(
        "resource",
        *_text("organization", "id", "type"),
        *_number("version"),
        *_text("document"),
        *_text("name_key", "external_id", "display_key", nullable=True),
        *_number("active", nullable=True),
        *_time("created", "last_modified"),
        *_flag("deleted"),
        sa.PrimaryKeyConstraint("organization", "id"),
    )
    for index, column in {
        "resource_name": "name_key",
        "resource_external_id": "external_id",
        "resource_display": "display_key",
        "resource_order": "id",
        "resource_modified": "last_modified",
    }.items():
        columns = ("organization", "type", column)
        _index(index, "resource", *columns, where="deleted = 0", unique=column == "name_key")
    op.create_table(
        "resource_value",
        *_text("organization", "type", "path", "key", "resource"),
        *_number("exclusive"),
        sa.PrimaryKeyConstraint("organization", "type", "path", "key", "resource"),
        sqlite_with_rowid=False,
    )
    _index("resource_value_of", "resource_value", "organization", "resource")
    values = ("organization", "type", "path", "key")
    _index(
        "resource_value_exclusive", "resource_value", *values, where="exclusive = 1", unique=True
    )
    op.create_table(
        "member",
        *_text("organization", "group_id", "member_id", "type"),
        sa.PrimaryKeyConstraint("organization", "group_id", "member_id"),
        sqlite_with_rowid=False,
    )
    _index("member_of", "member", "organization", "member_id", "group_id")
    nested = ("organization", "group_id", "type", "member_id")
    _index("member_nested", "member", *nested, where="type = 'Group'")


def _create_deliveries() -> None:
    op.create_table(
        "change",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        *_text("organization", "entity"),
        *_number("version"),
        *_text("type"),
        *_text("before", "after", "added", "removed", "granted", "revoked", nullable=True),
        *_text("actor", "request_id"),
        *_time("at"),
        sa.UniqueConstraint("organization", "entity", "version"),
    )
    _index("change_told", "change", "organization", "sequence")
    op.create_table(
        "backend",
        *_text("name", "type", "state"),
        *_time("retry_at", "failing_since", nullable=True),
        *_flag("failures"),
        *_text("reason", nullable=True),
        *_flag("takes_passwords"),
        *_time("updated"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "untaken",
        *_text("backend", "type"),
        sa.PrimaryKeyConstraint("backend", "type"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cursor",
        *_text("backend", "organization", "entity", "type"),
        *_number("applied", "target", "pending"),
        *_time("next_at"),
        *_flag("attempts", "epoch"),
        *_text("owner", nullable=True),
        *_flag("observe"),
        *_time("deferred_since", nullable=True),
        *_flag("parked"),
        *_text("last_error", "next_step", nullable=True),
        *_time("updated"),
        sa.PrimaryKeyConstraint("backend", "organization", "entity"),
        sqlite_with_rowid=False,
    )
    _index("cursor_due", "cursor", "backend", "next_at", where="pending = 1 AND parked = 0")
    _index("cursor_parked", "cursor", "backend", "updated", where="parked = 1")


def _create_deliveries_made() -> None:
    op.create_table(
        "link",
        *_text("organization", "backend", "resource", "target_id", "name"),
        *_flag("gone"),
        *_time("updated"),
        sa.PrimaryKeyConstraint("organization", "backend", "resource"),
        sqlite_with_rowid=False,
    )
    _index("link_target", "link", "backend", "target_id")
    op.create_table(
        "attempt",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        *_text("backend", "organization", "entity", "type"),
        *_number("version"),
        *_time("at", "micros"),
        *_text("outcome"),
        *_text("reason", "answer", nullable=True),
    )
    _index("attempt_of", "attempt", "organization", "entity", "backend")
    _index("attempt_at", "attempt", "at")


def _create_passwords() -> None:
    op.create_table(
        "password",
        *_text("organization", "entity", "backend"),
        *_number("version"),
        *_text("sealed"),
        sa.PrimaryKeyConstraint("organization", "entity", "backend"),
        sqlite_with_rowid=False,
    )


def _create_administration() -> None:
    op.create_table(
        "admin_token",
        *_text("id"),
        *_text("organization", nullable=True),
        *_text("name", "role", "digest"),
        *_time("created"),
        *_time("expires", "revoked", "last_used", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    _index("admin_token_of", "admin_token", "organization")
    op.create_table(
        "answered",
        *_text("caller", "key", "fingerprint"),
        *_number("status"),
        *_text("body"),
        *_time("at"),
        sa.PrimaryKeyConstraint("caller", "key"),
    )
    _index("answered_at", "answered", "at")


def _create_access() -> None:
    op.create_table(
        "target",
        *_text("organization", "id", "type", "workspace"),
        *_text("parent", nullable=True),
        *_number("invite_only"),
        sa.PrimaryKeyConstraint("organization", "id"),
        sqlite_with_rowid=False,
    )
    inside = ("organization", "workspace", "type", "id", "parent")
    _index("target_of_workspace", "target", *inside)
    op.create_table(
        "access_grant",
        *_text("organization", "id", "target", "subject", "subject_type", "level"),
        *_time("created"),
        *_text("actor"),
        sa.PrimaryKeyConstraint("organization", "id"),
        sa.UniqueConstraint("organization", "target", "subject"),
    )
    _index("access_grant_of", "access_grant", "organization", "subject", "target")
    op.create_table(
        "access",
        *_text("organization", "target", "user_id", "level", "state"),
        *_number("suspended"),
        sa.PrimaryKeyConstraint("organization", "target", "user_id"),
        sqlite_with_rowid=False,
    )
    _index("access_of_user", "access", "organization", "user_id", "target")
    op.create_table(
        "access_work",
        sa.Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
        *_text("organization", "kind"),
        *_text("target", "subject", "users", nullable=True),
        *_text("after", "actor", "request_id"),
    )
    _index("access_work_of", "access_work", "organization", "target")
    _index("access_work_about", "access_work", "organization", "subject")


def _create_guard() -> None:
    op.create_table(
        "guard",
        *_number("id", "changes"),
        sa.Column("share", sa.Float, nullable=False),
        *_time("micros"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "loss",
        *_text("organization"),
        *_time("minute"),
        *_number("changes"),
        *_number("people", nullable=True),
        sa.PrimaryKeyConstraint("organization", "minute"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "hold",
        *_text("organization"),
        *_time("opened"),
        *_number("changes", "allowed"),
        *_text("cause"),
        sa.PrimaryKeyConstraint("organization"),
        sqlite_with_rowid=False,
    )
    _index("cursor_held", "cursor", "organization", "backend", where="parked = 2")


def _create_people() -> None:
    op.create_table(
        "account",
        *_text("id"),
        *_text("organization", nullable=True),
        *_text("email", "email_key", "name", "role"),
        *_text("password", nullable=True),
        *_time("created"),
        *_time("disabled", nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email_key"),
    )
    _index("account_of", "account", "organization")
    op.create_table(
        "session",
        *_text("digest", "account"),
        *_time("created", "expires"),
        sa.PrimaryKeyConstraint("digest"),
    )
    _index("session_of", "session", "account")
    _index("session_expires", "session", "expires")
    op.create_table(
        "sign_in_link",
        *_text("digest", "account"),
        *_time("expires"),
        *_time("used", nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )


def _create_authorizations() -> None:
    op.create_table(
        "oauth_client",
        *_text("id", "organization", "connection", "name", "digest", "redirect_uris"),
        *_time("created"),
        *_time("revoked", nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organization", "name"),
    )
    op.create_table(
        "oauth_request",
        *_text("ticket", "client", "account", "redirect_uri"),
        *_text("state", "challenge", nullable=True),
        *_time("expires"),
        *_time("decided", nullable=True),
        *_text("code", nullable=True),
        *_time("redeemed", nullable=True),
        *_text("grant_id", nullable=True),
        sa.PrimaryKeyConstraint("ticket"),
        sa.UniqueConstraint("code"),
    )
    _index("oauth_request_expires", "oauth_request", "expires")
    op.create_table(
        "oauth_grant",
        *_text("id", "organization", "client"),
        *_text("account", "refresh", nullable=True),
        *_time("created", "used"),
        *_time("revoked", nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("refresh"),
    )
    _index("oauth_grant_of", "oauth_grant", "client")
    op.create_table(
        "oauth_token",
        *_text("token", "grant_id"),
        sa.PrimaryKeyConstraint("token"),
    )
    _index("oauth_token_of", "oauth_token", "grant_id")
