"""Whose an entry is: the resource's own, another resource's, or one that others made.

An anchor attribute decides where an entry has one; else the account that added it (RFC 4512 3.4.2,
`creatorsName`, which Active Directory does not show).

Rule: an entry that is not surely the resource's own is never written.
"""

import attrs

from bridge.plugin import Entity, NotApplied, Park, RetryLater
from bridge_ldap import dn
from bridge_ldap.mapping import ANCHOR, Ambiguous, Entry, anchor
from bridge_ldap.sections import Groups, Users
from bridge_ldap.settings import Settings

CREATOR = "creatorsName"
"""Operational attribute that holds the account by which an entry was added."""


@attrs.frozen
class Ownership:
    """Judges entries of one kind."""

    settings: Settings
    kind: Users | Groups

    def is_of(self, entity: Entity, entry: Entry) -> bool:
        """Tell whether an entry that is not linked is surely this resource's own."""
        if self.kind.anchor and (anchored := entry.values(self.kind.anchor)):
            return anchor(entity) in anchored
        return self.is_made_by_bridge(entry)

    def is_the_bridge_s(self, entry: Entry) -> bool:
        """Tell whether an entry is some resource's own."""
        anchored = entry.values(self.kind.anchor) if self.kind.anchor else ()
        return any(a.startswith(ANCHOR) for a in anchored) or self.is_made_by_bridge(entry)

    def is_made_by_bridge(self, entry: Entry) -> bool:
        """Tell whether the bridge's own account added an entry."""
        creator = entry.first(CREATOR)
        return bool(creator) and dn.same(creator, self.settings.bind_dn)

    def conflict(self, entry: Entry) -> NotApplied:
        """Return the outcome for a name that another entry has."""
        if self.is_the_bridge_s(entry):
            # Its owner may be about to be renamed or deleted.
            return RetryLater(f"{entry.dn} belongs to another resource of the bridge")
        return Park(
            f"{entry.dn} exists and was not made by the bridge",
            "Have it adopted (`existing.adopt`, or `bridge import`), rename or remove it, or "
            "change the name at the identity provider; then retry.",
        )

    def ambiguous(self, found: Ambiguous) -> Park:
        """Return the outcome for several entries of which only one could be adopted."""
        return Park(
            f"{' and '.join(found.names)} have the same {', '.join(self.kind.existing.adopt)}",
            "Make them differ, add an attribute to `existing.adopt`, or link one by `bridge "
            "import --review`; then retry.",
        )

    def must_be_within_reach(self, entry: Entry) -> None:
        """Raise Park for an entry that somebody moved out of the base DNs; its link stays."""
        bases = self.settings.bases
        if not any(dn.below(entry.dn, base) for base in bases):
            raise Park(
                f"{entry.dn} was moved out of {' and '.join(bases)}, where the bridge may write",
                "Move it back, or let a base DN of the settings reach it; then retry.",
            )
