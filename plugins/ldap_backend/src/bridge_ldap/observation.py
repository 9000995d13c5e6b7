"""Looking: what the directory holds for a resource.

An entry is first looked for where its link says, then by its identity wherever it went, then by
its anchor, then where a new entry would go. Whether an unlinked one is ours is not decided here.

Where a rule says which entries of others may be taken over (`Existing.adopt`), such an entry is
looked for before the place where a new one would go.

Rule: reads only, and every read is complete or raises.
"""

import itertools
from collections.abc import Mapping

import attrs

from bridge.plugin import ChangeRecord, Entity, Level, Link, Observed, Park
from bridge_ldap import dn
from bridge_ldap.access import NAME, PLACES, group
from bridge_ldap.client import Client, reach
from bridge_ldap.identity import Identity
from bridge_ldap.mapping import Ambiguous, Entry, EntryMapping, anchor
from bridge_ldap.ownership import CREATOR
from bridge_ldap.settings import Settings

MOST_CANDIDATES = 5
"""Of so many entries that could be adopted the names are told; more are not looked for."""


@attrs.frozen
class Watcher:
    """Looks for entries on one connection."""

    settings: Settings
    mapping: EntryMapping
    client: Client

    def observe(self, snapshot: ChangeRecord, links: Mapping[str, Link]) -> Observed:
        """Return what is there for one resource; see `bridge.plugin.Observer`."""
        entity = snapshot.entity
        if entity.type in PLACES:
            return self._place(entity)
        entry = None
        if self.mapping.keeps(entity.type):
            wanted = asked(self.settings, self.mapping, entity.type)
            link = links.get(entity.id)
            entry = self._linked(link, wanted) if link else None
            entry = entry or self._anchored(entity, wanted)
            if entry is None and link is None:
                candidates = self._candidates(snapshot, wanted)
                if len(candidates) > 1:
                    return Observed(entity.id, state=Ambiguous(tuple(c.dn for c in candidates)))
                entry = next(iter(candidates), None)
            entry = entry or self._at_home(snapshot, wanted)
        if entry is None:
            return Observed(entity.id)
        target_id = Identity(self.settings.identity_attribute).of(entry)
        return Observed(entity.id, Link(entity.id, target_id, entry.dn), entry)

    def _place(self, entity: Entity) -> Observed:
        """Return the groups of those who have access to a workspace or folder."""
        asked_ = [NAME, self.settings.groups.member_attribute, self.settings.identity_attribute]
        held = {}
        for level in Level if self.settings.access.base_dn else ():
            entry = self.client.read(group(self.mapping, entity, level), asked_)
            if entry is not None:
                held[level] = entry
        if not held:
            return Observed(entity.id)
        first = next(iter(held.values()))
        identity = Identity(self.settings.identity_attribute).of(first)
        return Observed(entity.id, Link(entity.id, identity, first.dn), held)

    def _linked(self, link: Link, asked: list[str]) -> Entry | None:
        same = Identity(self.settings.identity_attribute).equals(link.target_id)
        entry = self.client.read(link.name, asked, same)
        return entry or self.client.find(reach(self.settings, self.client), same, asked)

    def _anchored(self, entity: Entity, asked: list[str]) -> Entry | None:
        attribute = self.mapping.kind(entity.type).anchor
        if not attribute:
            return None
        return self.client.find(self.settings.bases, dn.equals(attribute, anchor(entity)), asked)

    def _candidates(self, snapshot: ChangeRecord, asked: list[str]) -> list[Entry]:
        """Return the entries that the rule of adoption speaks of."""
        existing = self.mapping.kind(snapshot.entity.type).existing
        if snapshot.after is None or not existing.adopt:
            return []
        try:
            wanted = self.mapping.wanted(snapshot.entity, snapshot.after)
        except Park:
            return []
        alike = [[dn.equals(n, v) for v in wanted.attributes.get(n, ())] for n in existing.adopt]
        if not all(alike):
            return []
        matching = dn.all_of(*(dn.any_of(*some) for some in alike))
        base = self.mapping.adopts_below(snapshot.entity)
        found = self.client.search(base, matching, asked)
        return list(itertools.islice(found, MOST_CANDIDATES))

    def _at_home(self, snapshot: ChangeRecord, asked: list[str]) -> Entry | None:
        document = snapshot.before if snapshot.after is None else snapshot.after
        if document is None:
            return None
        try:
            home = self.mapping.wanted(snapshot.entity, document).dn
        except Park:
            return None  # what cannot be named is not there; planning will say why
        return self.client.read(home, asked)


def asked(settings: Settings, mapping: EntryMapping, resource_type: str) -> list[str]:
    """Return the attributes that are read of an entry of a kept type."""
    return ["*", settings.identity_attribute, CREATOR, *mapping.kept(resource_type)]
