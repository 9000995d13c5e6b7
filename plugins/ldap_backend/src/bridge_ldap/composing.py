"""From what is wanted of an entry to the steps that make it so.

Rule: takes no decision about whose an entry is; every step is one operation in the normal case.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from bridge.plugin import ChangeRecord, Defer, Link, Park
from bridge_ldap import dn
from bridge_ldap.mapping import Entry, EntryMapping, Values, Wanted
from bridge_ldap.memberships import modifies
from bridge_ldap.ownership import Ownership
from bridge_ldap.sections import Groups, Users, ranges
from bridge_ldap.settings import Settings
from bridge_ldap.steps import (
    AddEntry,
    AwaitLink,
    DeleteEntry,
    LdapStep,
    ModifyEntry,
    ModifyMembers,
    RenameEntry,
    ReplaceReferences,
    SetPassword,
    SwitchFlag,
)


@attrs.frozen
class Composer:
    """What changed about one entity, and what is known of others."""

    settings: Settings
    mapping: EntryMapping
    change: ChangeRecord
    links: Mapping[str, Link]

    # --- What to do -----------------------------------------------------------------------------

    def add(self) -> Iterator[LdapStep]:
        """Yield the steps that add the entry."""
        wanted = self.wanted(self.change.after)
        attributes = {"objectClass": wanted.object_classes}
        for given in (wanted.initial, wanted.attributes):
            attributes |= {name: values for name, values in given.items() if values}
        members = [step.added for step in self._members(wanted.dn, "", self.added(), ())]
        placeholder = self.placeholder(wanted.dn)
        depends = self.settings.groups.empty_member == "auto"
        if members:
            attributes[self._member] = members[0]
        elif placeholder and not depends:
            attributes[self._member] = (placeholder,)
        users = self.settings.users
        random = users.random_password if self.kind is users else "no"
        yield AddEntry(
            wanted.dn,
            attributes,
            ranges(self.kind.numbers),
            random_password="" if random == "no" else random,
            while_empty=(self._member, placeholder)
            if placeholder and depends and not members
            else None,
        )
        for added in members[1:]:
            yield ModifyMembers(wanted.dn, "", self._member, added=added)
        shown = Entry(wanted.dn, {name.lower(): values for name, values in attributes.items()})
        if self.flags and self.shows_inactive(shown) != wanted.inactive:
            yield self._switch(wanted.dn, "", wanted)
        yield from self._password(wanted.dn, "")
        yield from self.awaited(wanted)

    def turn(
        self,
        held: Entry,
        target_id: str,
        wanted: Wanted,
        *,
        name: str,
        superior: str | None,
        switches: bool,
        added: Sequence[str],
        removed: Sequence[str],
    ) -> Iterator[LdapStep]:
        """Yield the steps that make what is held what is wanted."""
        here = held.dn
        kind, value = naming(here)
        if kind and (name != value or superior is not None):
            step = RenameEntry(here, target_id, dn.rdn(kind, name), superior)
            yield step
            here = step.new_dn
            # refint works behind the server's answer; a group's own placeholder must not wait.
            yield from self._references(held.dn, here, at_once=self.placeholder(here) == here)
        yield from self._modify(held, here, target_id, wanted)
        if switches and self.flags:
            yield self._switch(here, target_id, wanted)
        yield from self._members(here, target_id, added, removed)
        yield from self._password(here, target_id)
        yield from self.awaited(wanted)

    def _modify(
        self, held: Entry, here: str, target_id: str, wanted: Wanted
    ) -> Iterator[ModifyEntry]:
        replaced = {
            name: values
            for name, values in differences(held, wanted).items()
            if name.lower() not in {kind.lower() for kind, _ in dn.parse(here).rdns[0]}
        }
        # Only what was looked at has classes; a number is given once and then left alone.
        classes = {name.lower() for name in held.values("objectClass")}
        missing = tuple(c for c in wanted.object_classes if classes and c.lower() not in classes)
        if classes and not self.ownership.is_the_bridge_s(held):
            # Others' entries have no anchor, and need no class for its sake.
            replaced = {n: v for n, v in replaced.items() if n.lower() != self.kind.anchor.lower()}
            missing = missing if replaced else ()
        numbers = {
            name: numbers
            for name, numbers in ranges(self.kind.numbers).items()
            if classes and not held.values(name)
        }
        if replaced or missing or numbers:
            yield ModifyEntry(here, target_id, replaced, missing, numbers)

    def _members(
        self, here: str, target_id: str, added: Sequence[str], removed: Sequence[str]
    ) -> Iterator[ModifyMembers]:
        group = ModifyMembers(here, target_id, self._member, placeholder=self.placeholder(here))
        return modifies(self.settings, group, added, removed)

    def _switch(self, here: str, target_id: str, wanted: Wanted) -> SwitchFlag:
        policy = self.settings.users.deactivate
        return SwitchFlag(here, target_id, policy.attribute, policy.flag, on=wanted.inactive)

    def awaited(self, wanted: Wanted) -> list[AwaitLink]:
        """Return what waits for another's entry, of the references that the change is about."""
        return [
            AwaitLink(attribute, id_)
            for attribute, id_ in wanted.awaited.items()
            if id_ in self.change.references
        ]

    def _password(self, here: str, target_id: str) -> Iterator[LdapStep]:
        # Always last: a password that is refused leaves everything else done.
        password, users = self.change.password, self.settings.users
        if password is not None and self.kind is users and users.passwords != "no":
            attribute = "" if users.passwords == "extended" else users.passwords
            yield SetPassword(here, target_id, password, attribute)

    def delete(self, here: str, target_id: str) -> Iterator[LdapStep]:
        """Yield the steps that delete the entry, if that is the policy."""
        if self.kind.delete == "keep":
            return
        yield DeleteEntry(here, target_id)
        yield from self._references(here, None)

    def _references(
        self, old: str, new: str | None, *, at_once: bool = False
    ) -> Iterator[ReplaceReferences]:
        groups = self.settings.groups
        if groups.member_value == "uid":
            # No server mends these; and a group, which has no uid, is no member.
            before, after = dn.uid(old), new and dn.uid(new)
            mends = bool(before) and before != after
        else:
            before, after = old, new
            mends = at_once or not self.settings.referential_integrity
        if mends:
            base = self.mapping.place(groups.base_dn, self.change.entity)
            yield ReplaceReferences(base, self._member, before, after)
            if self.settings.access.base_dn and not dn.below(self.settings.access.base_dn, base):
                base = self.mapping.place(self.settings.access.base_dn, self.change.entity)
                yield ReplaceReferences(base, self._member, before, after)
        if self.kind is self.settings.users and not self.settings.referential_integrity:
            base = self.mapping.place(self.settings.users.base_dn, self.change.entity)
            for attribute in sorted(self.mapping.references):
                yield ReplaceReferences(base, attribute, old, new)

    # --- What is wanted -------------------------------------------------------------------------

    def wanted(self, document: Mapping[str, object] | None) -> Wanted:
        """Return what the entry should be for a document."""
        return self.mapping.wanted(self.change.entity, document or {}, self.links)

    def remaining(self) -> Wanted | None:
        """Return what the entry should be from now on; None when it should go, or be left."""
        if self.change.after is not None:
            return self.wanted(self.change.after)
        if self.kind.delete == "disable":
            return self.wanted({**(self.change.before or {}), "active": False})
        return None

    def added(self) -> list[str]:
        """Return what the group holds of its new members; raises Defer, and Park."""
        members = self.change.members.added
        if unlinked := sum(m.id not in self.links for m in members):
            raise Defer(f"{unlinked} of {len(members)} new members are not in the directory yet")
        return [self.held(self.links[m.id]) for m in members]

    def held(self, link: Link) -> str:
        """Return what a group holds of a linked member; raises Park."""
        try:
            return self.settings.groups.member(link.name)
        except ValueError as error:
            raise Park(
                f"{self.change.entity.id} cannot hold a member: {error}",
                "Take that member out, or use groups of names.",
            ) from None

    # --- Short names ----------------------------------------------------------------------------

    @property
    def kind(self) -> Users | Groups:
        return self.mapping.kind(self.change.entity.type)

    @property
    def ownership(self) -> Ownership:
        return Ownership(self.settings, self.kind)

    @property
    def flags(self) -> bool:
        users = self.settings.users
        return self.kind is users and users.deactivate.policy == "flag"

    def shows_inactive(self, entry: Entry) -> bool:
        policy = self.settings.users.deactivate
        number = entry.first(policy.attribute)
        return self.flags and number.isdecimal() and bool(int(number) & policy.flag)

    @property
    def _member(self) -> str:
        return self.settings.groups.member_attribute

    def placeholder(self, here: str) -> str:
        return self.settings.groups.placeholder(here) if self.kind is self.settings.groups else ""


def differences(held: Entry, wanted: Wanted) -> dict[str, Values]:
    """Return the kept attributes that do not have the values wanted, with the values wanted."""
    return {
        name: values
        for name, values in wanted.attributes.items()
        if _form(wanted, name, held.values(name)) != _form(wanted, name, values)
    }


def _form(wanted: Wanted, name: str, values: Values) -> frozenset[object]:
    return frozenset(map(dn.key, values) if name in wanted.names else values)


def naming(text: str) -> dn.Pair:
    """Return attribute type and value that name an entry; empty for a many-valued RDN."""
    return dn.parse(text).naming or ("", "")
