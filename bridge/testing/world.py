"""A small world of people and groups: what should be true, and the changes that made it so.

    world = World()
    changes = [world.user("ann"), world.group("sales", "ann"), *world.delete("ann")]
    world.expected()            # {id of sales: Team("sales", frozenset())}

Rule: every verb returns the change records that a journal would hold, versions without a gap.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from bridge.core.changes import Cause, between, snapshot
from bridge.core.resources import Resource
from bridge.plugin import (
    FOLDER,
    WORKSPACE,
    Access,
    AccessDelta,
    AccessState,
    Attributes,
    ChangeRecord,
    Entity,
    Level,
    Member,
    MemberDelta,
    Secret,
)

ORGANIZATION = "acme"
_NAMESPACE = uuid.UUID("6a1f6f0e-0f5c-4c7e-9a53-0d5a3a0c7f11")
_SAME_MEMBERS = MemberDelta()
_SAME_ACCESS = AccessDelta()
_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@attrs.frozen
class Person:
    """What every target is expected to hold of a user; None where the document has nothing."""

    user_name: str
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    active: bool = True


@attrs.frozen
class Team:
    """What every target is expected to hold of a group: its name and its members' resource ids."""

    display_name: str
    members: frozenset[str] = frozenset()


@attrs.frozen
class Place:
    """What a target that takes access is expected to hold of a workspace or folder."""

    display_name: str
    access: frozenset[Access] = frozenset()


Held = Mapping[str, Person | Team | Place]
"""Resource id to what is held for it."""


class World:
    """The desired state of one organization, changed by its verbs. Handles are short names."""

    def __init__(self, organization: str = ORGANIZATION) -> None:
        self.organization = organization
        self._resources: dict[str, Resource] = {}
        self._members: dict[str, tuple[Member, ...]] = {}
        self._access: dict[str, dict[str, Access]] = {}
        self._ended: dict[str, ChangeRecord] = {}

    def id(self, handle: str) -> str:
        """Return the resource id that stands behind a handle; the same in every run."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.organization}/{handle}"))

    def user(
        self, handle: str, *, password: Secret | None = None, **attributes: Any
    ) -> ChangeRecord:
        """Create a user; `attributes` replace those it would have had, None leaves one out."""
        merged = {**person(handle), **attributes}
        document = {name: value for name, value in merged.items() if value is not None}
        return self._write("User", handle, document, password=password)

    def group(self, handle: str, *members: str, name: str | None = None) -> ChangeRecord:
        """Create a group of the users (or groups) with these handles."""
        delta = MemberDelta(added=self._as_members(members))
        return self._write("Group", handle, {"displayName": name or handle}, members=delta)

    def workspace(self, handle: str, name: str | None = None) -> ChangeRecord:
        """Create a workspace that nobody has access to yet."""
        return self._write(WORKSPACE, handle, {"displayName": name or handle})

    def folder(self, handle: str, workspace: str, parent: str | None = None) -> ChangeRecord:
        """Create a folder of its own access, in a workspace or in another of its folders."""
        document = {"displayName": handle, "workspace": self.id(workspace), "access": "invite_only"}
        if parent is not None:
            document["parent"] = self.id(parent)
        return self._write(FOLDER, handle, document)

    def update(self, handle: str, **attributes: Any) -> ChangeRecord:
        """Replace top-level attributes; None removes one."""
        before = self._resources[self.id(handle)]
        merged = {**before.attributes, **attributes}
        after = {name: value for name, value in merged.items() if value is not None}
        return self._write(before.entity.type, handle, after)

    def password(self, handle: str, password: Secret) -> ChangeRecord:
        """Set a user's password and nothing else."""
        document = self._resources[self.id(handle)].attributes
        return self._write("User", handle, document, password=password)

    def members(
        self, handle: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> ChangeRecord:
        """Change a group's membership."""
        delta = MemberDelta(self._as_members(add), self._as_members(remove))
        document = self._resources[self.id(handle)].attributes
        return self._write("Group", handle, document, members=delta)

    def access(
        self,
        handle: str,
        levels: Mapping[str, Level | None],
        state: AccessState = AccessState.PENDING,
    ) -> ChangeRecord:
        """Give users a level on a workspace or folder, or take theirs away (None)."""
        key = self.id(handle)
        held = self._access.get(key, {})
        wanted = {
            user: Access(user, level, state) if level else None
            for user, level in ((self.id(each), level) for each, level in levels.items())
        }
        differing = {user: one for user, one in wanted.items() if one != held.get(user)}
        delta = AccessDelta(
            granted=tuple(one for one in differing.values() if one),
            revoked=tuple(held[user] for user in differing if user in held),
        )
        return self._stored(
            self._resources[key].entity, self._resources[key].attributes, access=delta
        )

    def delete(self, handle: str) -> list[ChangeRecord]:
        """Delete a resource: its own change, one for every group and every access it loses."""
        key = self.id(handle)
        before = self._resources[key]
        change = _change(before.entity, before, None)
        self.forget(handle)
        self._ended[key] = change
        gone = Member(key, before.entity.type)
        groups = [group for group, members in self._members.items() if gone in members]
        places = [place for place, held in self._access.items() if key in held]
        return [
            change,
            *(self._leave(group, members=MemberDelta(removed=(gone,))) for group in sorted(groups)),
            *(
                self._leave(place, access=AccessDelta(revoked=(self._access[place][key],)))
                for place in sorted(places)
            ),
        ]

    def forget(self, handle: str) -> None:
        """Take back a creation that the target refused."""
        del self._resources[self.id(handle)]
        self._members.pop(self.id(handle), None)
        self._access.pop(self.id(handle), None)

    def snapshot(self, resource_id: str) -> ChangeRecord:
        """Return the complete state of a resource as the host would, or its deletion."""
        if (ended := self._ended.get(resource_id)) is not None:
            return ended
        resource = self._resources[resource_id]
        return snapshot(
            resource,
            self._members.get(resource_id, ()),
            _cause(resource.version),
            self._access.get(resource_id, {}).values(),
        )

    def snapshots(self) -> list[ChangeRecord]:
        """Return the snapshot of every resource there is or was, users first."""
        known = [*self._resources, *self._ended]
        return sorted(map(self.snapshot, known), key=lambda c: (c.entity.type != "User", c.entity))

    def expected(self) -> Held:
        """Return what a target should hold now."""
        return {key: self._held(resource) for key, resource in self._resources.items()}

    def _held(self, resource: Resource) -> Person | Team | Place:
        key, kind, document = resource.entity.id, resource.entity.type, resource.attributes
        if kind in {WORKSPACE, FOLDER}:
            return Place(document["displayName"], frozenset(self._access.get(key, {}).values()))
        return held_of(kind, document, [member.id for member in self._members.get(key, ())])

    def _leave(self, key: str, **delta: Any) -> ChangeRecord:
        resource = self._resources[key]
        return self._stored(resource.entity, resource.attributes, **delta)

    def _write(self, kind: str, handle: str, after: Attributes, **delta: Any) -> ChangeRecord:
        return self._stored(Entity(self.organization, kind, self.id(handle)), after, **delta)

    def _stored(self, entity: Entity, after: Attributes, **delta: Any) -> ChangeRecord:
        before = self._resources.get(entity.id)
        change = _change(entity, before, after, **delta)
        self._resources[entity.id] = Resource(entity, change.version, after, _AT, _AT)
        if entity.type == "Group":
            gone = set(change.members.removed)
            kept = (m for m in self._members.get(entity.id, ()) if m not in gone)
            self._members[entity.id] = (*kept, *change.members.added)
        if change.access:
            held = self._access.setdefault(entity.id, {})
            for access in change.access.revoked:
                del held[access.user]
            held.update((access.user, access) for access in change.access.granted)
        return change

    def _as_members(self, handles: Iterable[str]) -> tuple[Member, ...]:
        return tuple(self._as_member(self.id(handle)) for handle in handles)

    def _as_member(self, key: str) -> Member:
        known = self._resources.get(key)
        return Member(key, known.entity.type if known else "User")


def held_of(kind: str, document: Attributes, members: Iterable[str] = ()) -> Person | Team:
    """Return what a target is expected to hold for the document of a user or of a group."""
    if kind == "Group":
        return Team(document["displayName"], frozenset(members))
    name, emails = document.get("name", {}), document.get("emails", ())
    return Person(
        user_name=document["userName"],
        given_name=name.get("givenName"),
        family_name=name.get("familyName"),
        email=emails[0]["value"] if emails else None,
        active=document.get("active", True),
    )


def person(handle: str) -> dict[str, Any]:
    """Return an ordinary user's document."""
    first, _, last = handle.partition("-")
    mail = f"{handle}@example.com"
    return {
        "userName": mail,
        "externalId": f"x-{handle}",
        "name": {"givenName": first.title(), "familyName": (last or "Example").title()},
        "displayName": handle.replace("-", " ").title(),
        "emails": [{"value": mail, "type": "work", "primary": True}],
        "active": True,
    }


def _change(
    entity: Entity,
    before: Resource | None,
    after: Attributes | None,
    members: MemberDelta = _SAME_MEMBERS,
    access: AccessDelta = _SAME_ACCESS,
    password: Secret | None = None,
) -> ChangeRecord:
    version = (before.version if before else 0) + 1
    change = between(entity, before, after, members, _cause(version), password, access)
    if change is None:
        raise ValueError(f"nothing changes about {entity}")
    return change


def _cause(version: int) -> Cause:
    return Cause(actor="contract", request_id=f"request-{version}", at=_AT)
