"""From change records to steps: pure, and the place where every decision is taken.

    plan(changes, links)             trust the changes: O(change) steps, normally one
    plan(snapshot, links, observed)  trust what is there: the steps that make it right

An entry that is linked to nobody is taken for ours only on evidence (`_is_ours`). Otherwise it is
left alone: parked when others made it, retried when it is another resource's (which may go away).

Rule: the entry's own DN comes from its link or from what was observed, never from the mapping;
an entry that an administrator moved stays where it is until its name or its state changes.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from bridge.plugin import (
    ChangeRecord,
    Defer,
    Link,
    NotApplied,
    Observed,
    Operation,
    Park,
    Plan,
    RetryLater,
    coalesce,
)
from bridge_ldap import dn
from bridge_ldap.mapping import Ambiguous, Entry, EntryMapping, Values, Wanted, anchor
from bridge_ldap.sections import Groups, Users, ranges
from bridge_ldap.settings import Settings
from bridge_ldap.steps import (
    AddEntry,
    DeleteEntry,
    LdapStep,
    LinkEntry,
    LookFirst,
    ModifyEntry,
    ModifyMembers,
    RenameEntry,
    ReplaceReferences,
    SetPassword,
)

VALUE_OVERHEAD_BYTES = 8
"""What a value costs in a request besides its own bytes (BER tags and lengths)."""

Edit = tuple[bool, str]
"""A member's DN, and whether it comes (True) or goes."""


def plan(
    mapping: EntryMapping,
    changes: Sequence[ChangeRecord],
    links: Mapping[str, Link],
    observed: Observed | None = None,
) -> Plan:
    """Return the steps for one entity; see `bridge.plugin.Backend.plan`.

    Raises Defer, Park, and RetryLater when the entry's name is still another resource's.
    """
    change = coalesce(changes)
    steps: Iterator[LdapStep] = iter(())
    if mapping.keeps(change.entity.type):
        planner = _Planner(mapping.settings, mapping, change, links)
        if observed is not None:
            steps = planner.converge(observed.state)
        elif reason := planner.doubt(changes):
            steps = iter((LookFirst(reason),))
        else:
            steps = planner.follow()
    return Plan(change.entity, change.version, tuple(steps))


@attrs.frozen
class _Planner:
    """One planning: what changed about one entity, and what is known of others."""

    settings: Settings
    mapping: EntryMapping
    change: ChangeRecord
    links: Mapping[str, Link]

    def doubt(self, changes: Sequence[ChangeRecord]) -> str:
        """Return why these changes cannot be trusted without a look; empty when they can."""
        known = self.change.entity.id in self.links
        if self.change.operation is not Operation.CREATE:
            return "" if known else f"{self.change.entity.id} is not linked yet"
        if known:
            return f"{self.change.entity.id} is linked already"
        if self._kind.existing.adopt:
            return "an entry to adopt may be there"
        # Should the answer to an earlier try be lost, its entry has the name of that time.
        names = {self._wanted(change.after).rdn for change in changes}
        return f"{self.change.entity.id} was renamed before it was noted" if len(names) > 1 else ""

    def follow(self) -> Iterator[LdapStep]:
        """Yield the steps that do the change, trusting its own before and after."""
        change, link = self.change, self.links.get(self.change.entity.id)
        if link is None:
            yield from self._add()
            return
        before = self._wanted(change.before)
        held = Entry(link.name, {name.lower(): v for name, v in before.attributes.items()})
        wanted = self._remaining()
        if wanted is None:
            yield from self._delete(link.name, link.target_id)
            return
        gone = change.members.removed
        kind, value = _naming(held.dn)
        was, becomes = before.value(kind), wanted.value(kind)
        yield from self._turn(
            held,
            link.target_id,
            wanted,
            name=becomes if becomes and becomes != was else value,
            superior=wanted.parent if wanted.parent != before.parent else None,
            added=self._added(),
            removed=[self._held(self.links[m.id]) for m in gone if m.id in self.links],
        )

    def converge(self, entry: Entry | Ambiguous | None) -> Iterator[LdapStep]:
        """Yield the steps that make right what is there."""
        change, link = self.change, self.links.get(self.change.entity.id)
        if entry is None:
            if change.after is not None:
                yield from self._add()
            return
        if isinstance(entry, Ambiguous):
            raise ambiguous(self._kind, entry)
        target_id = entry.first(self.settings.identity_attribute)
        is_linked = link is not None and link.target_id == target_id
        others = (own for id_, own in self.links.items() if id_ != change.entity.id)
        taken = any(other.target_id == target_id for other in others)
        if not is_linked and (taken or not self._is_ours(entry)):
            if change.after is None:
                return
            if taken or not self.mapping.adopts(change.entity, self._wanted(change.after), entry):
                raise conflict(self.settings, entry)
            yield from self._adopt(entry, target_id)
            return
        if link is None or not is_linked or not dn.same(link.name, entry.dn):
            yield LinkEntry(entry.dn, target_id)
        wanted = self._remaining()
        if wanted is None:
            yield from self._delete(entry.dn, target_id)
            return
        kind, value = _naming(entry.dn)
        # What names the entry may be an attribute of the administrator's choice.
        named_by_us = kind.lower() == wanted.rdn[0].lower()
        added, removed = self._membership(entry)
        yield from self._turn(
            entry,
            target_id,
            wanted,
            name=wanted.rdn[1] if named_by_us else value,
            superior=wanted.parent if self._is_misplaced(entry, wanted) else None,
            added=added,
            removed=removed,
        )

    def _adopt(self, entry: Entry, target_id: str) -> Iterator[LdapStep]:
        """Yield the steps that make an entry of others this resource's: where it is, as it is.

        What the document says nothing of stays: its owner has not spoken of it.
        """
        yield LinkEntry(entry.dn, target_id, adopted=True)
        wanted = self._wanted(self.change.after)
        said = {name: values for name, values in wanted.attributes.items() if values}
        added, removed = self._membership(entry)
        yield from self._turn(
            entry,
            target_id,
            attrs.evolve(wanted, attributes=said),
            name=_naming(entry.dn)[1],
            superior=None,
            added=added,
            removed=removed,
        )

    # --- What to do -----------------------------------------------------------------------------

    def _add(self) -> Iterator[LdapStep]:
        wanted = self._wanted(self.change.after)
        attributes = {"objectClass": wanted.object_classes}
        attributes |= {name: values for name, values in wanted.attributes.items() if values}
        members = list(self._chunks([(True, name) for name in self._added()]))
        if members:
            attributes[self._member] = tuple(name for _, name in members[0])
        elif placeholder := self._placeholder(wanted.dn):
            attributes[self._member] = (placeholder,)
        yield AddEntry(wanted.dn, attributes, ranges(self._kind.numbers))
        for chunk in members[1:]:
            yield ModifyMembers(wanted.dn, "", self._member, added=tuple(n for _, n in chunk))
        yield from self._password(wanted.dn, "")

    def _turn(
        self,
        held: Entry,
        target_id: str,
        wanted: Wanted,
        *,
        name: str,
        superior: str | None,
        added: Sequence[str],
        removed: Sequence[str],
    ) -> Iterator[LdapStep]:
        here = held.dn
        kind, value = _naming(here)
        if kind and (name != value or superior is not None):
            step = RenameEntry(here, target_id, dn.rdn(kind, name), superior)
            yield step
            here = step.new_dn
            # refint works behind the server's answer; a group's own placeholder must not wait.
            yield from self._references(held.dn, here, at_once=self._placeholder(here) == here)
        replaced = {
            name: values
            for name, values in differences(held, wanted).items()
            if name.lower() not in {kind.lower() for kind, _ in dn.parse(here).rdns[0]}
        }
        # Only what was looked at has classes; a number is given once and then left alone.
        classes = {name.lower() for name in held.values("objectClass")}
        missing = tuple(c for c in wanted.object_classes if classes and c.lower() not in classes)
        if classes and not is_made_by_bridge(self.settings, held):
            # Others' entries have no anchor, and need no class for its sake.
            replaced = {n: v for n, v in replaced.items() if n.lower() != self._kind.anchor.lower()}
            missing = missing if replaced else ()
        numbers = {
            name: numbers
            for name, numbers in ranges(self._kind.numbers).items()
            if classes and not held.values(name)
        }
        if replaced or missing or numbers:
            yield ModifyEntry(here, target_id, replaced, missing, numbers)
        edits = [(True, name) for name in added] + [(False, name) for name in removed]
        for chunk in self._chunks(edits):
            come = tuple(name for comes, name in chunk if comes)
            go = tuple(name for comes, name in chunk if not comes)
            yield ModifyMembers(here, target_id, self._member, come, go, self._placeholder(here))
        yield from self._password(here, target_id)

    def _password(self, here: str, target_id: str) -> Iterator[LdapStep]:
        # Always last: a password that is refused leaves everything else done.
        password, users = self.change.password, self.settings.users
        if password is not None and self._kind is users and users.passwords == "extended":
            yield SetPassword(here, target_id, password)

    def _delete(self, here: str, target_id: str) -> Iterator[LdapStep]:
        if self._kind.delete == "keep":
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

    def _chunks(self, edits: Sequence[Edit]) -> Iterator[list[Edit]]:
        chunk: list[Edit] = []
        size = 0
        for edit in edits:
            cost = len(edit[1].encode()) + VALUE_OVERHEAD_BYTES
            if chunk and (
                len(chunk) >= self.settings.members_per_modify
                or size + cost > self.settings.bytes_per_modify
            ):
                yield chunk
                chunk, size = [], 0
            chunk.append(edit)
            size += cost
        if chunk:
            yield chunk

    # --- What is wanted -------------------------------------------------------------------------

    def _wanted(self, document: Mapping[str, object] | None) -> Wanted:
        return self.mapping.wanted(self.change.entity, document or {})

    def _remaining(self) -> Wanted | None:
        """Return what the entry should be from now on; None when it should go, or be left."""
        if self.change.after is not None:
            return self._wanted(self.change.after)
        if self._kind.delete == "disable":
            return self._wanted({**(self.change.before or {}), "active": False})
        return None

    def _added(self) -> list[str]:
        members = self.change.members.added
        if unlinked := sum(m.id not in self.links for m in members):
            raise Defer(f"{unlinked} of {len(members)} new members are not in the directory yet")
        return [self._held(self.links[m.id]) for m in members]

    def _held(self, link: Link) -> str:
        try:
            return self.settings.groups.member(link.name)
        except ValueError as error:
            raise Park(
                f"{self.change.entity.id} cannot hold a member: {error}",
                "Take that member out, or use groups of names.",
            ) from None

    def _membership(self, entry: Entry) -> tuple[list[str], list[str]]:
        if self.change.entity.type != "Group" or self.change.after is None:
            return [], []
        key = self.settings.groups.member_key
        wanted = {key(name): name for name in self._added()}
        held = {key(name): name for name in entry.values(self._member)}
        added = [name for own, name in wanted.items() if own not in held]
        removed = [name for own, name in held.items() if own not in wanted]
        if not wanted and (placeholder := self._placeholder(entry.dn)):
            removed = [name for name in removed if not dn.same(name, placeholder)]
        return added, removed

    # --- Whose it is ----------------------------------------------------------------------------

    def _is_ours(self, entry: Entry) -> bool:
        """Tell whether an entry that is not linked is surely this resource's own.

        An anchor attribute decides where there is one; else our own account must have made it.
        """
        if self._kind.anchor and (anchored := entry.values(self._kind.anchor)):
            return anchor(self.change.entity) in anchored
        return is_made_by_bridge(self.settings, entry)

    # --- Short names ----------------------------------------------------------------------------

    @property
    def _kind(self) -> Users | Groups:
        return self.mapping.kind(self.change.entity.type)

    @property
    def _member(self) -> str:
        return self.settings.groups.member_attribute

    def _placeholder(self, here: str) -> str:
        return self.settings.groups.placeholder(here) if self._kind is self.settings.groups else ""

    def _is_misplaced(self, entry: Entry, wanted: Wanted) -> bool:
        base = self.mapping.inactive_base(self.change.entity)
        return base is not None and (wanted.parent == base) != dn.below(entry.dn, base)


def is_made_by_bridge(settings: Settings, entry: Entry) -> bool:
    """Tell whether the bridge's own account added an entry."""
    creator = entry.first("creatorsName")
    return bool(creator) and dn.same(creator, settings.bind_dn)


def conflict(settings: Settings, entry: Entry) -> NotApplied:
    """Return the outcome for a name that another entry has."""
    if is_made_by_bridge(settings, entry):
        # Its owner may be about to be renamed or deleted.
        return RetryLater(f"{entry.dn} belongs to another resource of the bridge")
    return Park(
        f"{entry.dn} exists and was not made by the bridge",
        "Have it adopted (`existing.adopt`, or `bridge import`), rename or remove it, or change "
        "the name at the identity provider; then retry.",
    )


def ambiguous(kind: Users | Groups, found: Ambiguous) -> Park:
    """Return the outcome for several entries of which only one could be adopted."""
    return Park(
        f"{' and '.join(found.names)} have the same {', '.join(kind.existing.adopt)}",
        "Make them differ, add an attribute to `existing.adopt`, or link one by `bridge import "
        "--review`; then retry.",
    )


def differences(held: Entry, wanted: Wanted) -> dict[str, Values]:
    """Return the kept attributes that do not have the values wanted, with the values wanted."""
    return {
        name: values
        for name, values in wanted.attributes.items()
        if frozenset(held.values(name)) != frozenset(values)
    }


def _naming(text: str) -> dn.Pair:
    return dn.parse(text).naming or ("", "")
