"""Access in the directory: for every workspace and folder three groups, one for each level.

    cn=<id of the workspace or folder>-view,<access.base_dn>      description: its display name
    cn=<id>-check,…    cn=<id>-edit,…                             member: who has just that level

They are named by id: display names are neither unique nor for ever, and who relies on a group wants
its name to stay.

Rule: a user stands in the group of the one level that is effective, and in no other.
"""

from collections.abc import Iterator, Mapping

import attrs

from bridge.plugin import (
    FOLDER,
    WORKSPACE,
    Access,
    AccessState,
    ChangeRecord,
    Defer,
    Entity,
    Level,
    Link,
    Operation,
)
from bridge_ldap import dn
from bridge_ldap.mapping import Entry, EntryMapping, Values
from bridge_ldap.memberships import modifies
from bridge_ldap.sections import ranges
from bridge_ldap.steps import (
    AddEntry,
    DeleteEntry,
    LdapStep,
    LookFirst,
    ModifyEntry,
    ModifyMembers,
)

PLACES = (WORKSPACE, FOLDER)
"""The entity types that have access."""

Held = Mapping[Level, Entry]
"""The groups of one target that are there."""

NAME = "description"
"""Attribute that holds the display name (RFC 4519 2.5)."""


@attrs.frozen
class AccessPlanner:
    """One planning: what changed about the access to one target, and what is known of users."""

    mapping: EntryMapping
    change: ChangeRecord
    links: Mapping[str, Link]

    def follow(self) -> Iterator[LdapStep]:
        """Yield the steps that do the change, trusting its own before and after."""
        change, known = self.change, self.change.entity.id in self.links
        if known == (change.operation is Operation.CREATE):
            yield LookFirst(f"{change.entity.id} is {'' if known else 'not '}linked")
            return
        for level in Level:
            granted = self._names(change.access.granted, level)
            revoked = self._names(change.access.revoked, level)
            if change.after is None:
                yield DeleteEntry(self._group(level), "")
            elif change.before is None:
                yield from self._add(level, granted)
            else:
                if change.before.get("displayName") != change.after.get("displayName"):
                    yield ModifyEntry(self._group(level), "", {NAME: self._description})
                added = [name for name in granted if name not in revoked]
                removed = [name for name in revoked if name not in granted]
                yield from self._modify(level, added, removed)

    def converge(self, held: Held) -> Iterator[LdapStep]:
        """Yield the steps that make right what is there; the change is a snapshot."""
        for level in Level:
            wanted = self._names(self.change.access.granted, level)
            entry = held.get(level)
            if self.change.after is None:
                if entry is not None:
                    yield DeleteEntry(self._group(level), "")
            elif entry is None:
                yield from self._add(level, wanted)
            else:
                yield from self._put_right(level, entry, wanted)

    def _add(self, level: Level, members: Values) -> Iterator[LdapStep]:
        groups, here = self.mapping.settings.groups, self._group(level)
        attributes = {
            "objectClass": groups.object_classes,
            **self.mapping.initial_of_groups,
            "cn": (dn.parse(here).rdns[0][0][1],),
            NAME: self._description,
        }
        chunks = [step.added for step in self._modify(level, members, ())]
        placeholder = groups.placeholder(here)
        if chunks:
            attributes[groups.member_attribute] = chunks[0]
        elif placeholder and groups.empty_member != "auto":
            attributes[groups.member_attribute] = (placeholder,)
        while_empty = (groups.member_attribute, placeholder) if placeholder else None
        yield AddEntry(
            here,
            {name: values for name, values in attributes.items() if values},
            ranges(groups.numbers),
            while_empty=None if chunks else while_empty,
        )
        for added in chunks[1:]:
            yield ModifyMembers(here, "", groups.member_attribute, added=added)

    def _put_right(self, level: Level, entry: Entry, wanted: Values) -> Iterator[LdapStep]:
        groups, here = self.mapping.settings.groups, self._group(level)
        if entry.values(NAME) != self._description:
            yield ModifyEntry(here, "", {NAME: self._description})
        key = groups.member_key
        there = {key(name): name for name in entry.values(groups.member_attribute)}
        named = {key(name): name for name in wanted}
        placeholder = groups.placeholder(here)
        stays = key(placeholder) if placeholder and not named else None
        yield from self._modify(
            level,
            tuple(name for own, name in named.items() if own not in there),
            tuple(name for own, name in there.items() if own not in named and own != stays),
        )

    def _modify(
        self, level: Level, added: Values | list[str], removed: Values | list[str]
    ) -> Iterator[ModifyMembers]:
        groups, here = self.mapping.settings.groups, self._group(level)
        group = ModifyMembers(
            here, "", groups.member_attribute, placeholder=groups.placeholder(here)
        )
        return modifies(self.mapping.settings, group, added, removed)

    def _names(self, accesses: tuple[Access, ...], level: Level) -> Values:
        """Return what the group of a level holds of these; raises Defer where one has no entry."""
        pending = self.mapping.settings.access.pending
        shown = [
            access.user
            for access in accesses
            if access.level == level and (pending or access.state == AccessState.MEMBER)
        ]
        if accesses is self.change.access.granted:
            missing = sum(user not in self.links for user in shown)
            if missing:
                raise Defer(f"{missing} of {len(shown)} users are not in the directory yet")
        member = self.mapping.settings.groups.member
        return tuple(member(self.links[user].name) for user in shown if user in self.links)

    def _group(self, level: Level) -> str:
        return group(self.mapping, self.change.entity, level)

    @property
    def _description(self) -> Values:
        name = (self.change.after or {}).get("displayName")
        return (name,) if name else ()


def group(mapping: EntryMapping, entity: Entity, level: Level) -> str:
    """Return the DN of the group of those who have a level on a workspace or folder."""
    base = mapping.place(mapping.settings.access.base_dn or "", entity)
    return dn.child("cn", f"{entity.id}-{level}", base)
