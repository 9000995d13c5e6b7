"""Looking: what the directory holds for a resource.

An entry is first looked for where its link says, then by its identity wherever it went, then by
its anchor, then where a new entry would go. Whether an unlinked one is ours is not decided here.

Rule: reads only, and every read is complete or raises.
"""

from collections.abc import Mapping

import attrs

from bridge.plugin import ChangeRecord, Entity, Link, Observed, Park
from bridge_ldap import dn
from bridge_ldap.client import Client
from bridge_ldap.mapping import Entry, EntryMapping, anchor
from bridge_ldap.settings import Settings

EVIDENCE = "creatorsName"
"""Operational attribute by which an entry without a link is judged."""


@attrs.frozen
class Watcher:
    """Looks for entries on one connection."""

    settings: Settings
    mapping: EntryMapping
    client: Client

    def observe(self, snapshot: ChangeRecord, links: Mapping[str, Link]) -> Observed:
        """Return what is there for one resource; see `bridge.plugin.Observer`."""
        entity = snapshot.entity
        entry = None
        if self.mapping.keeps(entity.type):
            asked = self._asked(entity.type)
            link = links.get(entity.id)
            entry = self._linked(link, asked) if link else None
            entry = entry or self._anchored(entity, asked) or self._at_home(snapshot, asked)
        if entry is None:
            return Observed(entity.id)
        target_id = entry.first(self.settings.identity_attribute)
        return Observed(entity.id, Link(entity.id, target_id, entry.dn), entry)

    def _linked(self, link: Link, asked: list[str]) -> Entry | None:
        same = dn.equals(self.settings.identity_attribute, link.target_id)
        entry = self.client.read(link.name, asked, same)
        return entry or self.client.find(self.settings.bases, same, asked)

    def _anchored(self, entity: Entity, asked: list[str]) -> Entry | None:
        attribute = self.mapping.kind(entity.type).anchor
        if not attribute:
            return None
        return self.client.find(self.settings.bases, dn.equals(attribute, anchor(entity)), asked)

    def _at_home(self, snapshot: ChangeRecord, asked: list[str]) -> Entry | None:
        document = snapshot.before if snapshot.after is None else snapshot.after
        if document is None:
            return None
        try:
            home = self.mapping.wanted(snapshot.entity, document).dn
        except Park:
            return None  # what cannot be named is not there; planning will say why
        return self.client.read(home, asked)

    def _asked(self, resource_type: str) -> list[str]:
        return ["*", self.settings.identity_attribute, EVIDENCE, *self.mapping.kept(resource_type)]
