"""Snapshots: the complete present state of one entity as a change record.

Rule: a snapshot is what repair, backfill and conflicts start from; it needs no history.
"""

from sqlalchemy import bindparam, select

from bridge.codec import CHANGE_COLUMNS, change_of, decode, from_micros
from bridge.core import changes
from bridge.core.access import TARGETS, Access, AccessState, Level
from bridge.core.changes import Cause, ChangeRecord, MemberDelta
from bridge.core.resources import Entity, Member, Resource
from bridge.journal.statements import ONE, ZERO, prepared
from bridge.journal.store import Reader
from bridge.journal.tables import access, change, member, resource

_RESOURCE = prepared(
    select(
        resource.c.version,
        resource.c.document,
        resource.c.created,
        resource.c.last_modified,
        resource.c.deleted,
    ).where(resource.c.organization == bindparam("organization"), resource.c.id == bindparam("id"))
)
_MEMBERS = prepared(
    select(member.c.member_id, member.c.type)
    .where(member.c.organization == bindparam("organization"), member.c.group_id == bindparam("id"))
    .order_by(member.c.member_id)
)
_ACCESS = prepared(
    select(access.c.user_id, access.c.level, access.c.state)
    .where(
        access.c.organization == bindparam("organization"),
        access.c.target == bindparam("id"),
        access.c.suspended == ZERO,
    )
    .order_by(access.c.user_id)
)
_LAST_CHANGE = prepared(
    select(*(change.c[name] for name in CHANGE_COLUMNS))
    .where(change.c.organization == bindparam("organization"), change.c.entity == bindparam("id"))
    .order_by(change.c.version.desc())
    .limit(ONE)
)


def snapshot(reader: Reader, entity: Entity) -> ChangeRecord | None:
    """Return the state of an entity: a CREATE record with all members or access, or its deletion.

    None for an entity that never was.
    """
    row = reader.row(_RESOURCE, organization=entity.organization, id=entity.id)
    if row is None:
        return None
    version, document, created, last_modified, deleted = row
    last = reader.row(_LAST_CHANGE, organization=entity.organization, id=entity.id)
    newest = change_of(last) if last else None
    cause = newest.cause if newest else Cause("", "", from_micros(last_modified))
    if deleted:
        before = newest.before if newest and newest.after is None else decode(document)
        return ChangeRecord(entity, version, before, None, MemberDelta(), cause)
    members = reader.rows(_MEMBERS, organization=entity.organization, id=entity.id)
    held: list[tuple[str, str, str]] = []
    if entity.type in TARGETS:
        held = reader.rows(_ACCESS, organization=entity.organization, id=entity.id)
    return changes.snapshot(
        Resource(
            entity, version, decode(document), from_micros(created), from_micros(last_modified)
        ),
        (Member(*pair) for pair in members),
        cause,
        (Access(user, Level(level), AccessState(state)) for user, level, state in held),
    )
