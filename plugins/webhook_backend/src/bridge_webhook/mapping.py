"""From a change record to the event that a receiver gets.

    {"type": "user.updated", "timestamp": "2026-11-02T09:00:00Z",
     "data": {"organization": "acme", "resource": "User", "id": "5d1c…", "version": 2,
              "changed": ["displayName"], "attributes": {…}}}

`version` grows by one with every change of a resource: a receiver that keeps the highest one it
has seen can drop what comes late or twice. `attributes` is the whole document. A group's event
says who came and who went (`members`), or only how many (`members_changed`) when that is long.

Rule: the same change is always the same bytes.
"""

import hashlib
import json
from datetime import UTC
from typing import Any

from bridge.plugin import ChangeRecord, Member, Operation, Park

PAST_TENSE = {
    Operation.CREATE: "created",
    Operation.UPDATE: "updated",
    Operation.DELETE: "deleted",
}


def message_id(change: ChangeRecord) -> str:
    """Return the id of a change's event: the same at every attempt, different for every change."""
    entity = change.entity
    parts = [entity.organization, entity.type, entity.id, change.version]
    return f"msg_{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}"


def body(change: ChangeRecord, largest: int) -> str:
    """Return the event as JSON of at most `largest` bytes. Raises Park when it cannot be."""
    text = _encoded(_event(change, _members(change)))
    if len(text.encode()) > largest and change.members:
        count = len(change.members.added) + len(change.members.removed)
        text = _encoded(_event(change, {"members_changed": count}))
    if len(text.encode()) > largest:
        raise Park(
            f"the event has {len(text.encode())} bytes, more than {largest}",
            "Raise `body_bytes` of this backend, then `bridge deliveries retry`.",
        )
    return text


def _event(change: ChangeRecord, members: dict[str, Any]) -> dict[str, Any]:
    entity = change.entity
    state: dict[str, Any] = {}
    if change.after is not None:
        state["attributes"] = change.after
    if change.operation is Operation.UPDATE:
        state["changed"] = sorted(change.changed)
    at = change.cause.at.astimezone(UTC).isoformat(timespec="milliseconds")
    return {
        "type": f"{entity.type.lower()}.{PAST_TENSE[change.operation]}",
        "timestamp": at.replace("+00:00", "Z"),
        "data": {
            "organization": entity.organization,
            "resource": entity.type,
            "id": entity.id,
            "version": change.version,
            **state,
            **members,
        },
    }


def _members(change: ChangeRecord) -> dict[str, Any]:
    if not change.members:
        return {}
    added, removed = map(_listed, (change.members.added, change.members.removed))
    return {"members": {"added": added, "removed": removed}}


def _listed(members: tuple[Member, ...]) -> list[dict[str, str]]:
    return [{"id": member.id, "type": member.type} for member in members]


def _encoded(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
