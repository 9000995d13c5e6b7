"""Reading resources: one by its id.

Rule: a tombstone is no resource; nothing here returns one.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select

from bridge.codec import decode, from_micros
from bridge.core.resources import Entity, Resource
from bridge.core.schema import ResourceType
from bridge.journal import tables
from bridge.journal.statements import ZERO, prepared
from bridge.journal.store import Reader, Transaction

_t = tables.resource
COLUMNS = (_t.c.type, _t.c.id, _t.c.version, _t.c.document, _t.c.created, _t.c.last_modified)
"""What `resource_of` reads, in this order."""

_live = (
    select(*COLUMNS)
    .where(_t.c.organization == bindparam("organization"), _t.c.id == bindparam("id"))
    .where(_t.c.deleted == ZERO)
)
_BY_ID = prepared(_live)
# What is read in order to be changed is locked first, where the database has row locks.
_BY_ID_LOCKED = prepared(_live.with_for_update())


def get(
    reader: Reader, rtype: ResourceType, organization: str, resource_id: str
) -> Resource | None:
    """Return the resource of this type and id, or None; a transaction locks it until its end."""
    resource = get_any(reader, organization, resource_id)
    return resource if resource and resource.entity.type == rtype.name else None


def get_any(reader: Reader, organization: str, resource_id: str) -> Resource | None:
    """Return the resource of this id, whatever its type, or None; locked as `get` does."""
    statement = _BY_ID_LOCKED if isinstance(reader, Transaction) else _BY_ID
    row = reader.row(statement, organization=organization, id=resource_id)
    return resource_of(organization, row) if row else None


def resource_of(organization: str, row: Sequence[Any]) -> Resource:
    """Return the resource of a row that holds COLUMNS."""
    type_, id_, version, document, created, last_modified = row
    return Resource(
        entity=Entity(organization, type_, id_),
        version=version,
        attributes=decode(document),
        created=from_micros(created),
        last_modified=from_micros(last_modified),
    )
