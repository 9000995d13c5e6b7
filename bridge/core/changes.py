"""Change records: what changed about one entity between two versions.

Rule: a record exists only where something changed; `between` returns None otherwise.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

import attrs

from bridge.core.access import FOLDER, UNCHANGED, Access, AccessDelta, net
from bridge.core.resources import Attributes, Entity, Member, Resource
from bridge.core.secret import Secret

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
"""The extension that holds a user's manager."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Operation(StrEnum):
    """What a change does to the entity as a whole."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@attrs.frozen
class MemberDelta:
    """Members that came and members that went; never both for one id."""

    added: tuple[Member, ...] = ()
    removed: tuple[Member, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


@attrs.frozen
class Cause:
    """Who asked for a change, in which request, and when (UTC)."""

    actor: str
    request_id: str
    at: datetime


@attrs.frozen
class ChangeRecord:
    """One entity's step to `version`.

    `before` is None for a creation, `after` is None for a deletion; both hold whole documents.
    `members` is the difference only. A creation carries every member, so a CREATE record is
    always the complete state of the entity: that is what makes it usable as a snapshot.
    `access` is to a workspace or folder what `members` is to a group, with one difference: a
    record names at most RECORD_USERS users, so a change of many is several versions.
    `password` is one that was set with this version and is still to be delivered.
    """

    entity: Entity
    version: int
    before: Attributes | None
    after: Attributes | None
    members: MemberDelta
    cause: Cause
    password: Secret | None = None
    access: AccessDelta = UNCHANGED

    @property
    def operation(self) -> Operation:
        """CREATE, UPDATE or DELETE, as `before` and `after` say."""
        if self.after is None:
            return Operation.DELETE
        return Operation.CREATE if self.before is None else Operation.UPDATE

    @property
    def changed(self) -> frozenset[str]:
        """Top-level attribute names (or extension URNs) whose value differs."""
        before, after = self.before or {}, self.after or {}
        return frozenset(
            name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
        )

    @property
    def references(self) -> frozenset[str]:
        """Ids of other resources that a backend needs links of to apply this change."""
        members = (m.id for m in (*self.members.added, *self.members.removed))
        return frozenset((*members, *self.access.users, *self._places(), *self._managers()))

    def _managers(self) -> list[str]:
        if self.entity.type != "User" or self.after is None:
            return []
        before, after = manager_of(self.before or {}), manager_of(self.after)
        return [id_ for id_ in (before, after) if id_] if before != after else []

    def _places(self) -> list[str]:
        if self.entity.type != FOLDER:
            return []
        documents = [document for document in (self.before, self.after) if document is not None]
        return [d[name] for d in documents for name in ("workspace", "parent") if name in d]


def manager_of(document: Attributes) -> str | None:
    """Return the id in a user document's `manager` (RFC 7643 4.3), or None.

    Ids are UUIDs; what is none was never one of ours (a name, an employee number).
    """
    extension = document.get(ENTERPRISE)
    manager = extension.get("manager") if isinstance(extension, Mapping) else None
    value = manager.get("value") if isinstance(manager, Mapping) else None
    return value if isinstance(value, str) and _UUID.fullmatch(value) else None


def between(
    entity: Entity,
    before: Resource | None,
    after: Attributes | None,
    members: MemberDelta,
    cause: Cause,
    password: Secret | None = None,
    access: AccessDelta = UNCHANGED,
) -> ChangeRecord | None:
    """Return the change from `before` to `after`, or None when nothing differs.

    `before` None means the entity is being created, `after` None that it is being deleted.
    A password that is set is a change by itself.
    """
    same = before is not None and before.attributes == after and not members and not access
    if (same and password is None) or (before is None and after is None):
        return None
    return ChangeRecord(
        entity=entity,
        version=(before.version if before else 0) + 1,
        before=before.attributes if before else None,
        after=after,
        members=members,
        cause=cause,
        password=password,
        access=access,
    )


def snapshot(
    resource: Resource, members: Iterable[Member], cause: Cause, access: Iterable[Access] = ()
) -> ChangeRecord:
    """Return the complete state of an entity as a CREATE record at its own version.

    It names every member, or every user with access, however many there are. Backfill, repair and
    observed plans start from this instead of from history.
    """
    return ChangeRecord(
        entity=resource.entity,
        version=resource.version,
        before=None,
        after=resource.attributes,
        members=MemberDelta(added=tuple(members)),
        cause=cause,
        access=AccessDelta(granted=tuple(access)),
    )


def coalesce(changes: Sequence[ChangeRecord]) -> ChangeRecord:
    """Return the one change that has the same effect as `changes`, in order, of one entity.

    Raises ValueError on an empty sequence, on several entities or on a version gap.
    """
    if not changes:
        raise ValueError("nothing to coalesce")
    first, last = changes[0], changes[-1]
    for earlier, later in pairwise(changes):
        if later.entity != first.entity or later.version != earlier.version + 1:
            raise ValueError(f"{later.entity} v{later.version} does not follow v{earlier.version}")
    passwords = [c.password for c in changes if c.password is not None]
    return attrs.evolve(
        last,
        before=first.before,
        members=_net_members([c.members for c in changes]),
        password=passwords[-1] if passwords and last.after is not None else None,
        access=net(c.access for c in changes),
    )


def _net_members(deltas: Iterable[MemberDelta]) -> MemberDelta:
    # A member that came and went again (or the reverse) leaves no trace: the first delta that
    # names it proves which state it started from.
    added: dict[str, Member] = {}
    removed: dict[str, Member] = {}
    for delta in deltas:
        for member in delta.removed:
            if added.pop(member.id, None) is None:
                removed[member.id] = member
        for member in delta.added:
            if removed.pop(member.id, None) is None:
                added[member.id] = member
    return MemberDelta(tuple(added.values()), tuple(removed.values()))
