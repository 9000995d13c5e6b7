"""What never changes about an entry: how it is read and how it is asked for.

    entryUUID      OpenLDAP and most others (RFC 4530)
    nsUniqueId     389 Directory Server, FreeIPA
    objectGUID     Active Directory: 16 bytes, here as the text of the UUID they are (MS-DTYP 2.3.4)

Rule: what is stored of an identity is text that any database takes.
"""

import uuid

import attrs

from bridge_ldap import dn
from bridge_ldap.mapping import Entry


@attrs.frozen
class Identity:
    """The operational attribute that holds it."""

    attribute: str

    def of(self, entry: Entry) -> str:
        """Return an entry's identity as text, or empty where the entry does not show it."""
        value = entry.first(self.attribute)
        if value and self._is_guid:
            return str(uuid.UUID(bytes_le=value.encode("utf-8", errors="surrogateescape")))
        return value

    def equals(self, target_id: str) -> str:
        """Return the filter that matches the entry of this identity; empty for no identity.

        Raises ValueError when it is no identity of this kind.
        """
        if not target_id:
            return ""
        if self._is_guid:
            return dn.equals_bytes(self.attribute, uuid.UUID(target_id).bytes_le)
        return dn.equals(self.attribute, target_id)

    @property
    def _is_guid(self) -> bool:
        return self.attribute.lower() == "objectguid"
