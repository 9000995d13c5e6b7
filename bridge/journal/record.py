"""The one write path: a resource's next state, what changed, and everything that follows from it.

Each function is part of a unit of work and writes, in its transaction: the resource row at its
next version, its member and value rows, and for each entity that changed one change row, one
cursor per backend and one audit row; a password, sealed, only if a backend takes passwords.

Rule: the work is in proportion to the change. One member more costs the same in every group.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import attrs
from sqlalchemy import (
    ColumnElement,
    Update,
    and_,
    bindparam,
    case,
    exists,
    not_,
    select,
)
from sqlalchemy import (
    delete as delete_from,
)
from sqlalchemy import (
    update as set_in,
)

from bridge.codec import CHANGE_COLUMNS, change_row, encode, to_micros
from bridge.core.access import UNCHANGED, AccessDelta
from bridge.core.changes import Cause, ChangeRecord, MemberDelta, Operation, between, snapshot
from bridge.core.errors import PayloadTooLarge, Unavailable, Uniqueness
from bridge.core.members import MemberEdit
from bridge.core.resources import Attributes, Entity, Member, Resource
from bridge.core.schema import ResourceType
from bridge.core.schema.keys import IndexKeys, index_keys
from bridge.journal import holds, marking, members, membership, passwords, resources, tables
from bridge.journal.statements import ONE, ZERO, Prepared, insert, insert_into, prepared
from bridge.journal.store import Transaction
from bridge.journal.tenants import audit
from bridge.sealing import Sealed

_r, _v, _m, _b, _c, _u = (
    tables.resource,
    tables.resource_value,
    tables.member,
    tables.backend,
    tables.cursor,
    tables.untaken,
)

DOCUMENT_LIMIT_BYTES = 256 * 1024
"""Largest resource, its members apart: a page of a thousand has to fit into memory."""


def _is(*columns: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    return [column == bindparam(column.key) for column in columns]


def _next_version(*changed: str) -> Update:
    return (
        set_in(_r)
        .where(*_is(_r.c.organization, _r.c.id), _r.c.version == bindparam("version") - ONE)
        .values({name: bindparam(name) for name in ("version", "last_modified", *changed)})
    )


_KEYS = ("name_key", "external_id", "display_key", "active")
_INSERT = prepared(insert_into(_r, [c.name for c in _r.columns if c is not _r.c.deleted]))
_TOUCH = prepared(_next_version())
_REWRITE = prepared(_next_version("document", *_KEYS))
_BURY = prepared(_next_version("document", *_KEYS).values(deleted=ONE))
_NAMED = prepared(
    select(_r.c.id).where(*_is(_r.c.organization, _r.c.type, _r.c.name_key), _r.c.deleted == ZERO)
)
_HOLDER = prepared(
    select(_v.c.resource).where(
        *_is(_v.c.organization, _v.c.type, _v.c.path, _v.c.key), _v.c.exclusive == ONE
    )
)
_ADD_VALUE = prepared(insert_into(_v))
_DROP_VALUE = prepared(
    delete_from(_v).where(*_is(_v.c.organization, _v.c.type, _v.c.path, _v.c.key, _v.c.resource))
)
_ADD_MEMBER = prepared(insert_into(_m))
_DROP_MEMBER = prepared(
    delete_from(_m).where(*_is(_m.c.organization, _m.c.group_id, _m.c.member_id))
)
_EMPTY = prepared(delete_from(_m).where(*_is(_m.c.organization, _m.c.group_id)))
_CHANGE = prepared(insert_into(tables.change, CHANGE_COLUMNS))
_following = insert(_c).from_select(
    [
        "backend",
        "organization",
        "entity",
        "type",
        "applied",
        "target",
        "pending",
        "next_at",
        "updated",
    ],
    select(
        _b.c.name,
        *(bindparam(name, type_=_c.c[name].type) for name in ("organization", "entity", "type")),
        ZERO,
        bindparam("target", type_=_c.c.target.type),
        ONE,
        bindparam("now", type_=_c.c.updated.type),
        bindparam("now", type_=_c.c.updated.type),
    ).where(
        _b.c.state != "removed",
        not_(
            exists().where(
                _u.c.backend == _b.c.name, _u.c.type == bindparam("type", type_=_c.c.type.type)
            )
        ),
    ),
)
# A waiting cursor keeps its turn and a parked one stays parked: only its target moves. One that
# lacked nothing is due at once, even if it was to be verified later.
_IDLE = and_(_c.c.applied == _c.c.target, _c.c.owner.is_(None))
_FOLLOW = prepared(
    _following.on_conflict_do_update(
        index_elements=["backend", "organization", "entity"],
        set_={
            "target": _following.excluded.target,
            "pending": ONE,
            "next_at": case((_IDLE, bindparam("now")), else_=_c.c.next_at),
            "updated": bindparam("now"),
        },
    )
)


def create(
    tx: Transaction,
    rtype: ResourceType,
    organization: str,
    resource_id: str,
    attributes: Attributes,
    member_ids: Sequence[str],
    cause: Cause,
    password: Sealed | None = None,
    tolerated: Collection[str] = (),
) -> Resource:
    """Write a new resource at version 1 and return it; `tolerated` goes into the audit row.

    Raises Uniqueness when its name, or another unique value, is taken; InvalidValue for a member
    id that names no possible member; PayloadTooLarge for a document that is too large.
    """
    at = _shown_time(cause)
    resource = Resource(Entity(organization, rtype.name, resource_id), 1, attributes, at, at)
    keys = index_keys(rtype, attributes)
    _refuse_clash(tx, rtype, resource.entity, attributes, keys, None)
    added = membership.candidates(tx, rtype, resource.entity, member_ids).values()
    tx.send(
        _INSERT,
        organization=organization,
        id=resource_id,
        type=rtype.name,
        version=1,
        document=_document(attributes),
        created=to_micros(at),
        last_modified=to_micros(at),
        **_columns(keys),
    )
    _write_values(tx, resource.entity, (), keys.values)
    _write_members(tx, resource.entity, MemberDelta(added=tuple(added)))
    _journal(tx, snapshot(resource, added, cause), passwords.wanted(tx, password), tolerated)
    return resource


def update(
    tx: Transaction,
    rtype: ResourceType,
    before: Resource,
    after: Attributes,
    edits: Sequence[MemberEdit],
    cause: Cause,
    password: Sealed | None = None,
    tolerated: Collection[str] = (),
    access: AccessDelta = UNCHANGED,
) -> Resource:
    """Write the next version of a resource and return it; `before` itself when nothing differs.

    `tolerated`, names of departures from the standard, goes into the audit row. `access` is what
    changed for users on a workspace or folder; their rows are the caller's to write.

    Raises what `create` does, and Unavailable when `before` is not current.
    """
    delta = membership.resolve(tx, rtype, before.entity, edits)
    kept = passwords.wanted(tx, password)
    change = between(before.entity, before, after, delta, cause, kept, access)
    if change is None:
        return before
    entity, version = before.entity, change.version
    if before.attributes == after:
        _move(tx, _TOUCH, entity, version, cause)
    else:
        was, keys = index_keys(rtype, before.attributes), index_keys(rtype, after)
        _refuse_clash(tx, rtype, entity, after, keys, was)
        _move(tx, _REWRITE, entity, version, cause, document=_document(after), **_columns(keys))
        _write_values(tx, entity, was.values, keys.values)
    _write_members(tx, entity, delta)
    _journal(tx, change, kept, tolerated)
    _mark(tx, change)
    return attrs.evolve(before, version=version, attributes=after, last_modified=_shown_time(cause))


def delete(tx: Transaction, rtype: ResourceType, before: Resource, cause: Cause) -> None:
    """Write the end of a resource: it leaves its groups, and its name is free again.

    Each of its groups gets a version and a change of its own. A tombstone keeps the id and the
    version line. The deletion's change does not list members: a group that is gone has none.
    Raises Unavailable when `before` is not current.
    """
    entity = before.entity
    if entity.type == marking.GROUP:
        marking.group_ended(tx, entity, cause)
    if entity.type == marking.USER:
        marking.person_ended(tx, entity, cause)
    groups = members.group_ids_of(tx, entity.organization, entity.id)
    for each in sorted([entity.id, *groups]):  # locks are always taken in this order
        if each == entity.id:
            _bury(tx, rtype, before, cause)
        else:
            _leave(tx, each, Member(entity.id, entity.type), entity.organization, cause)
    if groups:  # what follows from a deletion is held with it, and is not counted again
        holds.guarded(tx, entity.organization, groups, 0, cause)


def _mark(tx: Transaction, change: ChangeRecord) -> None:
    entity = change.entity
    if entity.type == marking.GROUP and change.members:
        marking.members_changed(tx, entity, change.members, change.cause)
    if entity.type == marking.USER and "active" in change.changed:
        marking.person_changed(tx, entity, change.cause)


def _bury(tx: Transaction, rtype: ResourceType, before: Resource, cause: Cause) -> None:
    entity, version = before.entity, before.version + 1
    _move(tx, _BURY, entity, version, cause, document="{}", **dict.fromkeys(_KEYS))
    _write_values(tx, entity, index_keys(rtype, before.attributes).values, ())
    if rtype.has_members:
        tx.send(_EMPTY, organization=entity.organization, group_id=entity.id)
    if rtype.has_password:
        passwords.forget(tx, entity)
    _journal(tx, ChangeRecord(entity, version, before.attributes, None, MemberDelta(), cause))


def _leave(tx: Transaction, group_id: str, member: Member, organization: str, cause: Cause) -> None:
    group = resources.get_any(tx, organization, group_id)
    if group is None:
        return
    entity, version, document = group.entity, group.version + 1, group.attributes
    delta = MemberDelta(removed=(member,))
    _move(tx, _TOUCH, entity, version, cause)
    _write_members(tx, entity, delta)
    _journal(tx, ChangeRecord(entity, version, document, document, delta, cause), counts=False)


def _document(attributes: Attributes) -> str:
    document = encode(attributes)
    if len(document.encode()) > DOCUMENT_LIMIT_BYTES:
        raise PayloadTooLarge(
            f"The resource exceeds the limit of {DOCUMENT_LIMIT_BYTES} bytes, its members apart."
        )
    return document


def _shown_time(cause: Cause) -> datetime:
    # SCIM shows and compares times in milliseconds; a stored microsecond would equal nothing.
    at = cause.at
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _columns(keys: IndexKeys) -> dict[str, Any]:
    return {name: getattr(keys, name) for name in _KEYS}


def _move(
    tx: Transaction,
    statement: Prepared,
    entity: Entity,
    version: int,
    cause: Cause,
    **columns: Any,
) -> None:
    at = to_micros(_shown_time(cause))
    key = {"organization": entity.organization, "id": entity.id}
    if not tx.run(statement, **key, version=version, last_modified=at, **columns):
        raise Unavailable(f"{entity.type} {entity.id} was changed meanwhile; try again.", 1)


def _refuse_clash(
    tx: Transaction,
    rtype: ResourceType,
    entity: Entity,
    document: Attributes,
    keys: IndexKeys,
    was: IndexKeys | None,
) -> None:
    place = {"organization": entity.organization, "type": entity.type}
    if keys.name_key is not None and (was is None or keys.name_key != was.name_key):
        found = tx.row(_NAMED, **place, name_key=keys.name_key)
        if found and found[0] != entity.id and rtype.name_attribute:
            name = rtype.name_attribute.name
            raise _taken(rtype, name, document[name], found[0])
    for path, key, exclusive in keys.values:
        if exclusive and (was is None or (path, key, exclusive) not in was.values):
            found = tx.row(_HOLDER, **place, path=path, key=key)
            if found and found[0] != entity.id:
                raise _taken(rtype, path, key, found[0])


def _taken(rtype: ResourceType, name: str, value: str, holder: str) -> Uniqueness:
    target = rtype.target(name)
    hint = "" if target is None or target.leaf.case_exact else " (case does not count)"
    return Uniqueness(
        f'Another {rtype.name} already has {name} "{value}"{hint}; its id is {holder}. '
        f"Change one of the two, or delete the other {rtype.name} first."
    )


def _write_values(
    tx: Transaction,
    entity: Entity,
    was: Iterable[tuple[str, str, bool]],
    now: Iterable[tuple[str, str, bool]],
) -> None:
    place = {"organization": entity.organization, "type": entity.type, "resource": entity.id}
    old, new = dict.fromkeys(was), dict.fromkeys(now)
    gone = [
        {**place, "path": path, "key": key} for path, key, _ in old if (path, key, _) not in new
    ]
    come = [
        {**place, "path": path, "key": key, "exclusive": int(exclusive)}
        for path, key, exclusive in new
        if (path, key, exclusive) not in old
    ]
    tx.run_many(_DROP_VALUE, gone)
    tx.run_many(_ADD_VALUE, come)


def _write_members(tx: Transaction, group: Entity, delta: MemberDelta) -> None:
    place = {"organization": group.organization, "group_id": group.id}
    tx.run_many(_DROP_MEMBER, [{**place, "member_id": m.id} for m in delta.removed])
    tx.run_many(_ADD_MEMBER, [{**place, "member_id": m.id, "type": m.type} for m in delta.added])


def _journal(
    tx: Transaction,
    change: ChangeRecord,
    password: Sealed | None = None,
    tolerated: Collection[str] = (),
    *,
    counts: bool = True,
) -> None:
    entity, members_ = change.entity, change.members
    tx.send(_CHANGE, **change_row(change))
    tx.send(
        _FOLLOW,
        organization=entity.organization,
        entity=entity.id,
        type=entity.type,
        target=change.version,
        now=tx.now,
    )
    detail: dict[str, Any] = {"version": change.version}
    if change.operation is Operation.UPDATE:
        detail["changed"] = sorted(change.changed)
    if members_:
        detail |= {"added": len(members_.added), "removed": len(members_.removed)}
    if change.access:
        access = change.access
        detail |= {"granted": len(access.granted), "revoked": len(access.revoked)}
    if password is not None:
        passwords.keep(tx, entity, change.version, password)
        detail["password"] = True
    if tolerated:
        detail["tolerated"] = sorted(tolerated)
    action = f"resource.{change.operation}"
    audit(tx, entity.organization, change.cause, action, f"{entity.type}/{entity.id}", detail)
    if counts:
        holds.watch(tx, change)
