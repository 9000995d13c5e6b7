"""The managed tables, as the database sees them.

    users     one row per person       groups   one row per group
    members   group, member, kind      applied  the version that each resource is at

Rule: shaped by `mapping.MANAGED`; nothing else decides which columns there are.
"""

from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

from bridge_sql.mapping import MANAGED
from bridge_sql.planning import APPLIED, MEMBERS

KEY_CHARACTERS = 255
"""Longest organization or resource id; three of them still fit into an index of InnoDB."""

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def managed(schema: str | None) -> MetaData:
    """Return the managed tables in `schema` (None: the account's own)."""
    metadata = MetaData(schema=schema)
    for mapped in MANAGED.values():
        columns: list[Column[Any]] = [
            Column("version", Integer, nullable=False),
            *(Column(name, Boolean if name == "active" else Text) for name in mapped.paths),
            Column("document", Text, nullable=False),
        ]
        Table(mapped.table, metadata, *_key("organization", "id"), *columns, **_MYSQL)
    members = Table(
        MEMBERS,
        metadata,
        *_key("organization", "group_id", "member_id"),
        Column("member_type", String(KEY_CHARACTERS), nullable=False),
        **_MYSQL,
    )
    Index("members_by_member", members.c.organization, members.c.member_id)
    Table(
        APPLIED,
        metadata,
        *_key("organization", "resource"),
        Column("version", Integer, nullable=False),
        **_MYSQL,
    )
    return metadata


def _key(*names: str) -> list[Column[str]]:
    return [Column(name, String(KEY_CHARACTERS), primary_key=True) for name in names]
