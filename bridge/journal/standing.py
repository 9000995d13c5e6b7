"""Where many resources stand with one backend: what import and reconcile ask and note.

Rule: a cursor that is being delivered, or held, is nobody else's to move.
"""

from collections.abc import Collection, Sequence
from typing import Any

import attrs
from sqlalchemy import and_, bindparam, or_, select, update

from bridge.core.backend import Link
from bridge.core.delivery import Look
from bridge.core.resources import Entity
from bridge.journal import links
from bridge.journal.guard_tables import HELD
from bridge.journal.statements import ONE, ZERO, among, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import cursor, link, resource


@attrs.frozen
class Standing:
    """One entity at one backend. `in_step`: the backend holds the newest version, undisturbed.

    `link` is None where none is known, `deleted` says that the resource is gone.
    """

    entity: Entity
    in_step: bool
    deleted: bool
    link: Link | None


_COLUMNS = (
    cursor.c.organization,
    cursor.c.type,
    cursor.c.entity,
    cursor.c.pending,
    cursor.c.parked,
    cursor.c.owner,
    resource.c.deleted,
    link.c.target_id,
    link.c.name,
)
_STANDING = (
    select(*_COLUMNS)
    .join_from(
        cursor,
        resource,
        and_(resource.c.organization == cursor.c.organization, resource.c.id == cursor.c.entity),
    )
    .outerjoin(
        link,
        and_(
            link.c.organization == cursor.c.organization,
            link.c.backend == cursor.c.backend,
            link.c.resource == cursor.c.entity,
        ),
    )
    .where(cursor.c.backend == bindparam("backend"))
)
_WALK = prepared(
    _STANDING.where(
        or_(
            cursor.c.organization > bindparam("organization"),
            and_(
                cursor.c.organization == bindparam("organization"),
                cursor.c.entity > bindparam("after"),
            ),
        )
    )
    .order_by(cursor.c.organization, cursor.c.entity)
    .limit(bindparam("room"))
)
_AT = prepared(
    _STANDING.where(
        cursor.c.organization == bindparam("organization"), cursor.c.entity == bindparam("entity")
    )
)
_HOLDERS = prepared(
    select(link.c.target_id, link.c.organization, link.c.resource, link.c.name, resource.c.deleted)
    .join(
        resource,
        and_(resource.c.organization == link.c.organization, resource.c.id == link.c.resource),
    )
    .where(link.c.backend == bindparam("backend"), among(link.c.target_id, "targets"))
    # Of several, as after a merge of two identities, the one that lives counts.
    .order_by(resource.c.deleted.desc())
)
_NAMED = prepared(
    select(resource.c.id).where(
        resource.c.organization == bindparam("organization"),
        resource.c.type == bindparam("type"),
        resource.c.name_key == bindparam("name_key"),
        resource.c.deleted == ZERO,
    )
)
_FREE = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.organization == bindparam("organization"),
    cursor.c.entity == bindparam("entity"),
    cursor.c.owner.is_(None),
    cursor.c.parked != HELD,
)
_SETTLE = prepared(
    update(cursor)
    .where(*_FREE)
    .values(
        applied=cursor.c.target,
        pending=0,
        parked=0,
        attempts=0,
        observe=0,
        deferred_since=None,
        last_error=None,
        next_step=None,
        updated=bindparam("now"),
    )
)
_LOOK = prepared(
    update(cursor)
    .where(*_FREE, cursor.c.pending == ZERO)
    .values(pending=ONE, observe=int(Look.ONCE), next_at=bindparam("now"), updated=bindparam("now"))
)


def holders(reader: Reader, backend: str, targets: Collection[str]) -> dict[str, Standing]:
    """Return whose these target ids are; those that no link names are left out.

    `in_step` is not looked up: it is False.
    """
    rows = reader.rows(_HOLDERS, backend=backend, targets=list(targets)) if targets else []
    return {
        target_id: Standing(
            Entity(organization, "", resource_id),
            False,
            bool(deleted),
            Link(resource_id, target_id, name),
        )
        for target_id, organization, resource_id, name, deleted in rows
    }


def named(reader: Reader, organization: str, type_: str, name_key: str) -> str | None:
    """Return the id of the live resource of a type that has this name (as a key), or None."""
    row = reader.row(_NAMED, organization=organization, type=type_, name_key=name_key)
    return row[0] if row else None


def of(reader: Reader, backend: str, organization: str, resource_id: str) -> Standing | None:
    """Return where one entity stands, or None where the backend does not follow it."""
    row = reader.row(_AT, backend=backend, organization=organization, entity=resource_id)
    return _standing(row) if row else None


def walk(reader: Reader, backend: str, after: Entity | None, room: int) -> list[Standing]:
    """Return at most `room` entities after one (None: the first), by organization and id."""
    organization, entity = (after.organization, after.id) if after else ("", "")
    rows = reader.rows(_WALK, backend=backend, organization=organization, after=entity, room=room)
    return [_standing(row) for row in rows]


def settle(tx: Transaction, backend: str, entity: Entity, found: Link) -> bool:
    """Note that the backend holds the newest version as `found`; False where that may not be said.

    For what was just read there. Nothing of it is delivered back.
    """
    links.put(tx, entity.organization, backend, [found])
    key = {"backend": backend, "organization": entity.organization, "entity": entity.id}
    return bool(tx.run(_SETTLE, **key, now=tx.now))


def look(tx: Transaction, backend: str, entity: Entity) -> bool:
    """Have an entity that lacks nothing looked at and put right; False where it is under way."""
    key = {"backend": backend, "organization": entity.organization, "entity": entity.id}
    return bool(tx.run(_LOOK, **key, now=tx.now))


def _standing(row: Sequence[Any]) -> Standing:
    organization, type_, entity, pending, parked, owner, deleted, target_id, name = row
    return Standing(
        Entity(organization, type_, entity),
        in_step=not pending and not parked and owner is None,
        deleted=bool(deleted),
        link=None if target_id is None else Link(entity, target_id, name),
    )
