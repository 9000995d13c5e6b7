"""From change records to steps: pure, and the place where every decision is taken.

    plan(changes, links)             trust the changes: O(change) steps, normally one
    plan(snapshot, links, observed)  trust what is there: the steps that make it right

An entry that is linked to nobody is taken for ours only on evidence (`ownership`). Otherwise it is
left alone: parked when others made it, retried when it is another resource's (which may go away).

Rule: the entry's own DN comes from its link or from what was observed, never from the mapping;
an entry that an administrator moved stays where it is until its name or its state changes.
"""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from bridge.plugin import (
    ChangeRecord,
    Link,
    Observed,
    Operation,
    Plan,
    coalesce,
)
from bridge_ldap import dn
from bridge_ldap.access import PLACES, AccessPlanner
from bridge_ldap.composing import Composer, naming
from bridge_ldap.identity import Identity
from bridge_ldap.mapping import Ambiguous, Entry, EntryMapping, Wanted
from bridge_ldap.steps import (
    LdapStep,
    LinkEntry,
    LookFirst,
)


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
    if change.entity.type in PLACES and mapping.settings.access.base_dn:
        access = AccessPlanner(mapping, change, links)
        steps = access.converge(observed.state or {}) if observed else access.follow()
    elif mapping.keeps(change.entity.type):
        planner = _Planner(mapping.settings, mapping, change, links)
        if observed is not None:
            steps = planner.converge(observed.state)
        elif reason := planner.doubt(changes):
            steps = iter((LookFirst(reason),))
        else:
            steps = planner.follow()
    done = tuple(steps)
    adopts = any(isinstance(step, LinkEntry) and step.adopted for step in done)
    return Plan(change.entity, change.version, done, adopts=adopts)


class _Planner(Composer):
    """One planning: what changed about one entity, and what is known of others."""

    def doubt(self, changes: Sequence[ChangeRecord]) -> str:
        """Return why these changes cannot be trusted without a look; empty when they can."""
        known = self.change.entity.id in self.links
        if self.change.operation is not Operation.CREATE:
            after = self.change.after
            unlinked = self.change.references - self.links.keys()
            if known and unlinked and after is not None and self.awaited(self.wanted(after)):
                return "what it refers to has no entry yet"
            return "" if known else f"{self.change.entity.id} is not linked yet"
        if known:
            return f"{self.change.entity.id} is linked already"
        if self.kind.existing.adopt:
            return "an entry to adopt may be there"
        # Should the answer to an earlier try be lost, its entry has the name of that time.
        names = {self.wanted(change.after).rdn for change in changes}
        return f"{self.change.entity.id} was renamed before it was noted" if len(names) > 1 else ""

    def follow(self) -> Iterator[LdapStep]:
        """Yield the steps that do the change, trusting its own before and after."""
        change, link = self.change, self.links.get(self.change.entity.id)
        if link is None:
            yield from self.add()
            return
        before = self.wanted(change.before)
        held = Entry(link.name, {name.lower(): v for name, v in before.attributes.items()})
        wanted = self.remaining()
        if wanted is None:
            yield from self.delete(link.name, link.target_id)
            return
        gone = change.members.removed
        kind, value = naming(held.dn)
        was, becomes = before.value(kind), wanted.value(kind)
        yield from self.turn(
            held,
            link.target_id,
            wanted,
            name=becomes if becomes and becomes != was else value,
            superior=wanted.parent if wanted.parent != before.parent else None,
            switches=wanted.inactive != before.inactive,
            added=self.added(),
            removed=[self.held(self.links[m.id]) for m in gone if m.id in self.links],
        )

    def converge(self, entry: Entry | Ambiguous | None) -> Iterator[LdapStep]:
        """Yield the steps that make right what is there."""
        change, link = self.change, self.links.get(self.change.entity.id)
        if entry is None:
            if change.after is not None:
                yield from self.add()
                home = self.wanted(change.after).dn
                if link is not None and not dn.same(link.name, home):
                    yield from self._references(link.name, home)  # by the name that is gone
            return
        if isinstance(entry, Ambiguous):
            raise self.ownership.ambiguous(entry)
        target_id = Identity(self.settings.identity_attribute).of(entry)
        is_linked = link is not None and link.target_id == target_id
        others = (own for id_, own in self.links.items() if id_ != change.entity.id)
        taken = any(other.target_id == target_id for other in others)
        if is_linked:
            self.ownership.must_be_within_reach(entry)
        elif taken or not self.ownership.is_of(change.entity, entry):
            if change.after is None:
                return
            if taken or not self.mapping.adopts(change.entity, self.wanted(change.after), entry):
                raise self.ownership.conflict(entry)
            yield from self._adopt(entry, target_id)
            return
        if link is None or not is_linked or not dn.same(link.name, entry.dn):
            yield LinkEntry(entry.dn, target_id)
            if link is not None and is_linked:  # renamed by hand, and groups may not know it
                yield from self._references(link.name, entry.dn)
        wanted = self.remaining()
        if wanted is None:
            yield from self.delete(entry.dn, target_id)
            return
        kind, value = naming(entry.dn)
        # What names the entry may be an attribute of the administrator's choice.
        named_by_us = kind.lower() == wanted.rdn[0].lower()
        added, removed = self._membership(entry)
        yield from self.turn(
            entry,
            target_id,
            wanted,
            name=wanted.rdn[1] if named_by_us else value,
            superior=wanted.parent if self._is_misplaced(entry, wanted) else None,
            switches=self.shows_inactive(entry) != wanted.inactive,
            added=added,
            removed=removed,
        )

    def _adopt(self, entry: Entry, target_id: str) -> Iterator[LdapStep]:
        """Yield the steps that make an entry of others this resource's: where it is, as it is.

        What the document says nothing of stays, members, too: its owner has not spoken of it.
        """
        yield LinkEntry(entry.dn, target_id, adopted=True)
        wanted = self.wanted(self.change.after)
        said = {name: values for name, values in wanted.attributes.items() if values}
        added, _ = self._membership(entry)
        yield from self.turn(
            entry,
            target_id,
            attrs.evolve(wanted, attributes=said),
            name=naming(entry.dn)[1],
            superior=None,
            switches=self.shows_inactive(entry) != wanted.inactive,
            added=added,
            removed=(),
        )

    def _membership(self, entry: Entry) -> tuple[list[str], list[str]]:
        if self.change.entity.type != "Group" or self.change.after is None:
            return [], []
        key = self.settings.groups.member_key
        wanted = {key(name): name for name in self.added()}
        held = {key(name): name for name in entry.values(self._member)}
        added = [name for own, name in wanted.items() if own not in held]
        removed = [name for own, name in held.items() if own not in wanted]
        if not wanted and (placeholder := self.placeholder(entry.dn)):
            removed = [name for name in removed if not dn.same(name, placeholder)]
        return added, removed

    def _is_misplaced(self, entry: Entry, wanted: Wanted) -> bool:
        base = self.mapping.inactive_base(self.change.entity)
        return base is not None and (wanted.parent == base) != dn.below(entry.dn, base)
