"""Stories: an identity provider's day in four small files each, as frozen values.

    tests/stories/okta-renames-a-user/
        request.http    what the identity provider sends
        before.json     resources (and one directory's links) that exist by then
        change.json     the change records that the request leads to
        desired.json    the resources afterwards

A test that takes `story` runs once per folder. `links` are those of a directory whose base is
dc=example,dc=org; a backend that needs none ignores them.

Rule: a story states facts; whoever reads one computes nothing that the story could have said.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs

from bridge.core.changes import Cause
from bridge.plugin import Attributes, ChangeRecord, Entity, Link, Member, MemberDelta


@attrs.frozen
class Kept:
    """One resource as a story states it."""

    entity: Entity
    version: int
    attributes: Attributes
    members: tuple[Member, ...]


@attrs.frozen
class Story:
    """One folder. `changes` are in the order of their entities' names in the journal."""

    name: str
    request: str
    before: tuple[Kept, ...]
    links: Mapping[str, Link]
    changes: tuple[ChangeRecord, ...]
    desired: tuple[Kept, ...]

    def __str__(self) -> str:
        return self.name


def load(folder: Path) -> Story:
    """Return the story in `folder`. Raises OSError, KeyError or ValueError where it is wrong."""
    before, change, desired = (
        json.loads((folder / f"{part}.json").read_text(encoding="utf-8"))
        for part in ("before", "change", "desired")
    )
    return Story(
        name=folder.name,
        request=(folder / "request.http").read_text(encoding="utf-8"),
        before=_resources(before),
        links={link["resource_id"]: Link(**link) for link in before["links"]},
        changes=tuple(_change(change, record) for record in change["changes"]),
        desired=_resources(desired),
    )


def load_all(root: Path) -> tuple[Story, ...]:
    """Return every story below `root`, by name."""
    return tuple(load(path.parent) for path in sorted(root.glob("*/request.http")))


def _resources(state: Mapping[str, Any]) -> tuple[Kept, ...]:
    return tuple(
        Kept(
            entity=_entity(state, each),
            version=each["version"],
            attributes=each["attributes"],
            members=_members(each.get("members", ())),
        )
        for each in state["resources"]
    )


def _change(file: Mapping[str, Any], record: Mapping[str, Any]) -> ChangeRecord:
    cause = file["cause"]
    change = ChangeRecord(
        entity=_entity(file, record),
        version=record["version"],
        before=record["before"],
        after=record["after"],
        members=MemberDelta(_members(record["added"]), _members(record["removed"])),
        cause=Cause(cause["actor"], cause["request_id"], datetime.fromisoformat(cause["at"])),
    )
    if change.operation != record["operation"]:
        raise ValueError(f"{file} says {record['operation']}, its documents say {change.operation}")
    return change


def _entity(file: Mapping[str, Any], record: Mapping[str, Any]) -> Entity:
    return Entity(file["organization"], record["type"], record["id"])


def _members(members: Any) -> tuple[Member, ...]:
    return tuple(Member(each["id"], each["type"]) for each in members)
