"""Events: a change record as those outside are told of it.

    {"type": "user.updated", "timestamp": "2026-11-02T09:00:00.000Z",
     "data": {"organization": "acme", "resource": "User", "id": "5d1c…", "version": 2,
              "changed": ["displayName"], "attributes": {…}}}

A record is one event about the entity itself, or up to three about its access, or both. `version`
grows by one with every record of an entity: who keeps the highest one it has seen of each can drop
what comes late or twice, and sees what is missing.

Rule: the same record is always the same events in the same order, each with the same id.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

import attrs

from bridge.core.access import Access
from bridge.core.changes import ChangeRecord, Operation
from bridge.core.resources import Attributes, Member

ENTITY_EVENTS = {
    Operation.CREATE: "created",
    Operation.UPDATE: "updated",
    Operation.DELETE: "deleted",
}
"""What follows the entity type in an event's type."""

GRANTED, REVOKED, CHANGED = "access.granted", "access.revoked", "access.changed"
ACCESS_EVENTS = (REVOKED, CHANGED, GRANTED)
"""Types of events about access, in the order in which they are told."""

ENVELOPE = ("type", "timestamp", "data")


@attrs.frozen
class Event:
    """One event: `id` is the same at every attempt and by every way, and of no other event.

    `timestamp` is when the change was accepted (RFC 3339, UTC, milliseconds). `lists` names the
    part of `data` that grows with the number of members or users, "" where there is none.
    """

    id: str
    type: str
    timestamp: str
    data: Mapping[str, Any]
    lists: str = ""

    @property
    def envelope(self) -> dict[str, Any]:
        """Type, timestamp and data, as receivers get them."""
        return {name: getattr(self, name) for name in ENVELOPE}

    @property
    def counted(self) -> "Event":
        """The same event with the number of members or users instead of the list of them."""
        if not self.lists:
            return self
        data = {name: value for name, value in self.data.items() if name != self.lists}
        listed = self.data[self.lists]
        count = sum(map(len, listed.values())) if isinstance(listed, dict) else len(listed)
        return attrs.evolve(self, data={**data, f"{self.lists}_changed": count}, lists="")


def events(change: ChangeRecord, *, delta: bool = False) -> tuple[Event, ...]:
    """Return the events of a record, at least one.

    `delta`: an update has only the attributes that differ, null for one that is gone, instead of
    the whole document.
    """
    access = tuple(_of_access(change))
    silent = not change.changed and not change.members and change.operation is Operation.UPDATE
    return access if access and silent else (_of_entity(change, delta=delta), *access)


def _of_entity(change: ChangeRecord, *, delta: bool) -> Event:
    data: dict[str, Any] = {}
    if change.after is not None:
        data["attributes"] = _differing(change) if delta else change.after
    if change.operation is Operation.UPDATE:
        data["changed"] = sorted(change.changed)
    if change.members:
        added, removed = map(_members, (change.members.added, change.members.removed))
        data["members"] = {"added": added, "removed": removed}
    kind = f"{change.entity.type.lower()}.{ENTITY_EVENTS[change.operation]}"
    return _event(change, kind, data, "members" if change.members else "")


def _of_access(change: ChangeRecord) -> Iterator[Event]:
    now = {access.user: access for access in change.access.granted}
    was = {access.user: access for access in change.access.revoked}
    told: dict[str, list[dict[str, Any]]] = {
        REVOKED: [_access(access) for user, access in was.items() if user not in now],
        CHANGED: [
            {**_access(access), "was": {"level": was[user].level, "state": was[user].state}}
            for user, access in now.items()
            if user in was
        ],
        GRANTED: [_access(access) for user, access in now.items() if user not in was],
    }
    for kind in ACCESS_EVENTS:
        if told[kind]:
            yield _event(change, kind, {"users": told[kind]}, "users")


def _event(change: ChangeRecord, kind: str, data: dict[str, Any], lists: str) -> Event:
    entity = change.entity
    parts = [entity.organization, entity.type, entity.id, change.version, kind]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    at = change.cause.at.astimezone(UTC).isoformat(timespec="milliseconds")
    about = {
        "organization": entity.organization,
        "resource": entity.type,
        "id": entity.id,
        "version": change.version,
    }
    return Event(f"msg_{digest[:32]}", kind, at.replace("+00:00", "Z"), about | data, lists)


def _differing(change: ChangeRecord) -> Attributes:
    after = change.after or {}
    if change.operation is not Operation.UPDATE:
        return after
    return {name: after.get(name) for name in sorted(change.changed)}


def _members(members: tuple[Member, ...]) -> list[dict[str, str]]:
    return [{"id": member.id, "type": member.type} for member in members]


def _access(access: Access) -> dict[str, Any]:
    return {"id": access.user, "level": access.level, "state": access.state}
