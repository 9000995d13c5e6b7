"""The tables as the database has them: made by us (managed), or reflected (mapped).

    users     one row per person       groups   one row per group
    members   group, member, kind      applied  the version that each resource is at

Rule: an identifier that reaches the database is that of a table made here or found there.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CHAR,
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.exc import NoSuchTableError

from bridge.plugin import BackendDown
from bridge_sql.mapping import GROUP, MANAGED, Layout, Relation
from bridge_sql.values import moment

KEY_CHARACTERS = 255
"""Longest organization or resource id; three of them still fit into an index of InnoDB."""

APPLIED = "applied"

NEXT_STEP = "`bridge check` says what does not fit."

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}

Tables = Mapping[str, Table]
"""By the name that the layout has for them."""


def managed(schema: str | None) -> MetaData:
    """Return the managed tables in `schema` (None: the account's own)."""
    metadata = MetaData(schema=schema)
    for mapped in MANAGED.tables.values():
        columns: list[Column[Any]] = [
            Column("version", Integer, nullable=False),
            *(Column(name, Boolean if name == "active" else Text) for name in mapped.rules),
            Column("document", Text, nullable=False),
        ]
        Table(mapped.table, metadata, *_key("organization", "id"), *columns, **_MYSQL)
    for kind, mapped in MANAGED.tables.items():
        if (relation := mapped.relation) is None:
            continue
        size = KEY_CHARACTERS if kind == GROUP else 16
        facts = (Column(name, String(size), nullable=False) for name in relation.facts)
        keys = _key("organization", relation.owner, relation.peer)
        joined = Table(relation.table, metadata, *keys, *facts, **_MYSQL)
        name = f"{relation.table}_by_{relation.peer.removesuffix('_id')}"
        Index(name, joined.c.organization, joined.c[relation.peer])
    version: Column[Any] = Column("version", Integer, nullable=False)
    Table(APPLIED, metadata, *_key("organization", "resource"), version, **_MYSQL)
    return metadata


def by_name(metadata: MetaData) -> Tables:
    """Return the tables of `metadata` by their names without a schema."""
    return {table.name: table for table in metadata.tables.values()}


def reflected(connection: Connection, layout: Layout, schema: str | None) -> Tables:
    """Return the mapped tables as they are there. Raises BackendDown where one does not fit."""
    metadata = MetaData()
    found: dict[str, Table] = {}
    for name, columns in needed(layout):
        try:
            table = found[name] = Table(
                name, metadata, schema=schema, autoload_with=connection, resolve_fks=False
            )
        except NoSuchTableError:
            raise BackendDown(f"there is no table {name}; {NEXT_STEP}") from None
        if missing := [column for column in columns if column not in table.c]:
            raise BackendDown(f"table {name} has no column {missing[0]}; {NEXT_STEP}")
    return found


def needed(layout: Layout) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield every table that the layout names, with the columns that it names there."""
    for mapped in layout.tables.values():
        yield mapped.table, (*mapped.columns, *mapped.constants)
        if mapped.relation:
            yield mapped.relation.table, columns_of(mapped.relation)


def columns_of(relation: Relation) -> tuple[str, ...]:
    """Return every column of a relation."""
    named = (relation.organization, relation.owner, relation.peer, *relation.facts)
    return tuple(filter(None, named))


def binder(column: Column[Any]) -> Callable[[Any], Any] | None:
    """Return what makes a plan's value one that the column's type takes; None for nothing.

    It raises ValueError for a value that cannot be made into one.
    """
    kind = column.type
    if isinstance(kind, Uuid) and kind.as_uuid:
        return lambda value: UUID(value) if isinstance(value, str) else value
    if isinstance(kind, Integer | Numeric):
        return lambda value: int(value) if isinstance(value, str) else value
    if isinstance(kind, DateTime) and not kind.timezone:
        return _naive
    return None


def _naive(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


def held(column: Column[Any], value: Any) -> Any:
    """Return what a column holds as plans have it."""
    match value:
        case UUID():
            return str(value)
        case datetime():
            return moment(value)
        case Decimal() if value == value.to_integral_value():
            return int(value)
        case str() if isinstance(column.type, CHAR):
            return value.rstrip(" ")
    return value


def _key(*names: str) -> list[Column[str]]:
    return [Column(name, String(KEY_CHARACTERS), primary_key=True) for name in names]
