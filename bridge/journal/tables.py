"""The journal's tables, the same on SQLite and PostgreSQL.

Times are whole microseconds since 1970 UTC; booleans are 0 and 1; documents are canonical JSON
text. `organization` leads every key, so nothing is ever found across organizations by accident.
Tables of small rows that are found by their key alone are stored in it (SQLite: without rowid).

Rule: the shape of the database is stated here; migrations only replay how it came about.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy import Text as AnyText
from sqlalchemy.dialects import postgresql

metadata = MetaData()

# Texts are ordered by code point on both: what Python and SQLite do without being asked.
Text = AnyText().with_variant(postgresql.TEXT(collation="C"), "postgresql")

SEQUENCE = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts rows only by INTEGER

organization = Table(
    "organization",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created", BigInteger, nullable=False),
)

connection = Table(
    "connection",
    metadata,
    Column("organization", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    PrimaryKeyConstraint("organization", "id"),
    UniqueConstraint("organization", "name"),
)

# A token is found by its public id alone, before the organization is known; the row tells it.
token = Table(
    "token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    Column("last_used", BigInteger),
    Column("read_only", Integer, nullable=False, server_default=text("0")),
    Column("types", Text),  # JSON list of resource types that it may touch; NULL: all
    Column("networks", Text),  # JSON list of networks that it may come from; NULL: any
    Index("token_of_connection", "organization", "connection"),
)

# A token of a person or a program that administers: one organization, or all of them (NULL).
admin_token = Table(
    "admin_token",
    metadata,
    Column("id", Text, primary_key=True),
    Column("organization", Text),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    Column("last_used", BigInteger),
    Index("admin_token_of", "organization"),
)

# What a request with an Idempotency-Key was answered, so that its repetition gets the same.
answered = Table(
    "answered",
    metadata,
    Column("caller", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("caller", "key"),
    Index("answered_at", "at"),
)

# A deleted resource stays as a tombstone (deleted = 1) so that its version line is never reused.
resource = Table(
    "resource",
    metadata,
    Column("organization", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("name_key", Text),  # key of the type's unique name: userName, a group's displayName
    Column("external_id", Text),
    Column("display_key", Text),
    Column("active", Integer),
    Column("created", BigInteger, nullable=False),
    Column("last_modified", BigInteger, nullable=False),
    Column("deleted", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("organization", "id"),
)
Index(
    "resource_name",
    resource.c.organization,
    resource.c.type,
    resource.c.name_key,
    unique=True,
    sqlite_where=resource.c.deleted == 0,
    postgresql_where=resource.c.deleted == 0,
)
for _name, _column in {
    "resource_external_id": resource.c.external_id,
    "resource_display": resource.c.display_key,
    "resource_order": resource.c.id,
    "resource_modified": resource.c.last_modified,
}.items():
    Index(
        _name,
        resource.c.organization,
        resource.c.type,
        _column,
        sqlite_where=resource.c.deleted == 0,
        postgresql_where=resource.c.deleted == 0,
    )

# Further indexed values of live resources, one row each: every e-mail address, and each value of
# an attribute whose schema says `uniqueness: server` (exclusive = 1).
resource_value = Table(
    "resource_value",
    metadata,
    Column("organization", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("exclusive", Integer, nullable=False),
    PrimaryKeyConstraint("organization", "type", "path", "key", "resource"),
    Index("resource_value_of", "organization", "resource"),
    sqlite_with_rowid=False,
)
Index(
    "resource_value_exclusive",
    resource_value.c.organization,
    resource_value.c.type,
    resource_value.c.path,
    resource_value.c.key,
    unique=True,
    sqlite_where=resource_value.c.exclusive == 1,
    postgresql_where=resource_value.c.exclusive == 1,
)

member = Table(
    "member",
    metadata,
    Column("organization", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("member_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    PrimaryKeyConstraint("organization", "group_id", "member_id"),
    Index("member_of", "organization", "member_id", "group_id"),
    sqlite_with_rowid=False,
)
Index(
    "member_nested",
    member.c.organization,
    member.c.group_id,
    member.c.type,
    member.c.member_id,
    sqlite_where=text("type = 'Group'"),
    postgresql_where=text("type = 'Group'"),
)

# Workspaces (their own `workspace`) and folders: where they stand. Names are in `resource`.
target = Table(
    "target",
    metadata,
    Column("organization", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("parent", Text),
    Column("invite_only", Integer, nullable=False),
    PrimaryKeyConstraint("organization", "id"),
    Index("target_of_workspace", "organization", "workspace", "type", "id", "parent"),
    sqlite_with_rowid=False,
)

access_grant = Table(
    "access_grant",
    metadata,
    Column("organization", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_type", Text, nullable=False),  # Group (pushed) or User (by hand)
    Column("level", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    PrimaryKeyConstraint("organization", "id"),
    UniqueConstraint("organization", "target", "subject"),
    Index("access_grant_of", "organization", "subject", "target"),
)

# The strongest grant that reaches a user, as backends were told. Suspended: the user is inactive,
# so backends were told that there is none; the state is kept for the day he is active again.
access = Table(
    "access",
    metadata,
    Column("organization", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("suspended", Integer, nullable=False),
    PrimaryKeyConstraint("organization", "target", "user_id"),
    Index("access_of_user", "organization", "user_id", "target"),
    sqlite_with_rowid=False,
)

# What may have changed somebody's access and is still to be followed (bridge.journal.following).
# Rows are only ever added and deleted: one that is being followed is not one that was added since.
access_work = Table(
    "access_work",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("organization", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("target", Text),
    Column("subject", Text),
    Column("users", Text),  # JSON list
    Column("after", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Index("access_work_of", "organization", "target"),
    Index("access_work_about", "organization", "subject"),
)

change = Table(
    "change",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("organization", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("before", Text),  # a creation has none; an update keeps only what differs
    Column("after", Text),
    Column("added", Text),
    Column("removed", Text),
    Column("granted", Text),  # access, of a workspace or a folder
    Column("revoked", Text),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("organization", "entity", "version"),
    Index("change_told", "organization", "sequence"),
)

backend = Table(
    "backend",
    metadata,
    Column("name", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False),  # active · paused · open (circuit) · disabled · removed
    Column("retry_at", BigInteger),
    Column("failing_since", BigInteger),  # tried since then, and nothing was taken
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("reason", Text),
    Column("takes_passwords", Integer, nullable=False, server_default=text("0")),
    Column("updated", BigInteger, nullable=False),
)

# The entity types that a backend does not take: it has no cursors for them.
untaken = Table(
    "untaken",
    metadata,
    Column("backend", Text, nullable=False),
    Column("type", Text, nullable=False),
    PrimaryKeyConstraint("backend", "type"),
    sqlite_with_rowid=False,
)

cursor = Table(
    "cursor",
    metadata,
    Column("backend", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("applied", Integer, nullable=False),
    Column("target", Integer, nullable=False),
    Column("pending", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("owner", Text),
    Column("observe", Integer, nullable=False, server_default=text("0")),
    Column("deferred_since", BigInteger),
    Column("parked", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Column("next_step", Text),
    Column("updated", BigInteger, nullable=False),
    PrimaryKeyConstraint("backend", "organization", "entity"),
    sqlite_with_rowid=False,
)
Index(
    "cursor_due",
    cursor.c.backend,
    cursor.c.next_at,
    sqlite_where=text("pending = 1 AND parked = 0"),
    postgresql_where=text("pending = 1 AND parked = 0"),
)
Index(
    "cursor_parked",
    cursor.c.backend,
    cursor.c.updated,
    sqlite_where=text("parked = 1"),
    postgresql_where=text("parked = 1"),
)

# A link outlives its resource: removing a deleted user from a group needs the user's DN.
link = Table(
    "link",
    metadata,
    Column("organization", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("target_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("gone", Integer, nullable=False, server_default=text("0")),
    Column("updated", BigInteger, nullable=False),
    PrimaryKeyConstraint("organization", "backend", "resource"),
    Index("link_target", "backend", "target_id"),
    sqlite_with_rowid=False,
)

# What was tried lately (bridge.journal.attempts).
attempt = Table(
    "attempt",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("backend", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text),
    Column("answer", Text),
    Index("attempt_of", "organization", "entity", "backend"),
    Index("attempt_at", "at"),
)

# A password is never here in clear, and goes when its backend has it (bridge.journal.passwords).
password = Table(
    "password",
    metadata,
    Column("organization", Text, nullable=False),
    Column("entity", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sealed", Text, nullable=False),
    PrimaryKeyConstraint("organization", "entity", "backend"),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("organization", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Index("audit_at", "organization", "at"),
)
