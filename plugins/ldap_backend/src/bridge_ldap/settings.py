"""What a `[[backends]]` table of type `ldap` may say, with the defaults for OpenLDAP.

Rule: a key exists only here or in `sections`; what can be checked without a server is, by name.
"""

import re
from pathlib import Path
from typing import Any, Literal

import attrs

from bridge.plugin import Secret
from bridge_ldap import dn
from bridge_ldap.sections import ORGANIZATION, AccessGroups, Groups, Users, above, is_dn, meaning

_URI = re.compile(
    r"ldaps?://(?:\[[0-9A-Fa-f:.]+\]|[^/:\[\]\s]+)(?::\d{1,5})?/?|ldapi://%2[Ff][^/\s]+/?"
)


@attrs.frozen
class Settings:
    """One directory."""

    uris: tuple[str, ...] = attrs.field(
        metadata=meaning(
            "Servers of one directory that can be written to: `ldaps://host`, `ldap://host`, or "
            "`ldapi://%2Frun%2Fslapd%2Fldapi` for a socket; the first that answers is used."
        )
    )
    bind_dn: str = attrs.field(validator=is_dn, metadata=meaning("Account the bridge binds as."))
    users: Users
    groups: Groups
    preset: Literal["openldap", "389ds", "active-directory", "freeipa", "posix"] = attrs.field(
        default="openldap",
        metadata=meaning(
            "Kind of directory whose settings hold where this table says nothing else."
        ),
    )
    access: AccessGroups = attrs.field(factory=AccessGroups)
    bind: Literal["simple", "external"] = attrs.field(
        default="simple",
        metadata=meaning(
            "How the bridge proves who it is: `simple` by password, `external` by its client "
            "certificate or, over ldapi, by the user it runs as (SASL EXTERNAL, RFC 4422)."
        ),
    )
    bind_password: Secret | None = attrs.field(
        default=None, metadata=meaning("For `simple`: the account's password.")
    )
    certificate_file: Path | None = attrs.field(
        default=None, metadata=meaning("Certificate that the bridge shows in TLS, PEM.")
    )
    key_file: Path | None = attrs.field(
        default=None, metadata=meaning("Its key, PEM. Default: in certificate_file too.")
    )
    start_tls: bool = attrs.field(
        default=False, metadata=meaning("Ask an ldap:// server for TLS before the bind.")
    )
    ca_file: Path | None = attrs.field(
        default=None,
        metadata=meaning("Certificates to trust, PEM. Default: those of the operating system."),
    )
    insecure: bool = attrs.field(
        default=False,
        metadata=meaning("Allow ldap:// without TLS: password and people cross the wire readable."),
    )
    connect_seconds: float = attrs.field(
        default=5.0,
        validator=above(0.1),
        metadata=meaning("How long a connection, its TLS and its bind may each take, in seconds."),
    )
    operation_seconds: float = attrs.field(
        default=8.0,
        validator=above(0.1),
        metadata=meaning("How long one operation may take, in seconds; below lease_seconds / 3."),
    )
    identity_attribute: str = attrs.field(
        default="entryUUID",
        metadata=meaning("Operational attribute that never changes in an entry's life."),
    )
    referential_integrity: bool = attrs.field(
        default=False,
        metadata=meaning(
            "The server itself mends member values when an entry is renamed or deleted (refint); "
            "otherwise the bridge does."
        ),
    )
    members_per_modify: int = attrs.field(
        default=1000, validator=above(1), metadata=meaning("Most member values in one modify.")
    )
    bytes_per_modify: int = attrs.field(
        default=256 * 1024,
        validator=above(1024),
        metadata=meaning("Most bytes of member values in one modify."),
    )
    rdn_bytes: int = attrs.field(
        default=240,
        validator=above(64),
        metadata=meaning(
            "Longest RDN the server can store, in bytes, an escaped character counted as three."
        ),
    )
    page_size: int = attrs.field(
        default=500, validator=above(1), metadata=meaning("Entries asked for in one search page.")
    )

    @uris.validator
    def _can_be_reached(self, _field: Any, value: tuple[str, ...]) -> None:
        if not value:
            raise ValueError("uris names no server")
        for uri in value:
            if not _URI.fullmatch(uri):
                raise ValueError(
                    f"{uri!r} is not ldaps://host[:port], ldap://host[:port] or ldapi://%2Fpath"
                )

    def __attrs_post_init__(self) -> None:
        # RFC 4513 5.1.2: a bind with a name and no password succeeds as nobody.
        if self.bind == "simple" and not self.bind_password:
            raise ValueError("bind_password is empty")
        by_socket = all(uri.startswith("ldapi://") for uri in self.uris)
        if self.bind == "external" and not (by_socket or self.certificate_file):
            raise ValueError("bind `external` needs certificate_file, or ldapi:// alone in uris")
        plain = [uri for uri in self.uris if uri.startswith("ldap://")]
        if plain and not (self.start_tls or self.insecure):
            raise ValueError(
                f"{plain[0]} is not encrypted: use ldaps://, or set start_tls = true, or (only on "
                "a network you trust) insecure = true"
            )

    @property
    def bases(self) -> tuple[str, ...]:
        """Where the bridge's entries are: DNs that exist, none below another."""
        configured = (
            self.users.base_dn,
            self.groups.base_dn,
            self.users.deactivate.base_dn,
            self.access.base_dn,
        )
        exist = {shared(base) for base in configured if base}
        return tuple(
            base
            for base in sorted(exist)
            if not any(base != other and dn.below(base, other) for other in exist)
        )


def shared(base: str) -> str:
    """Return the part of a configured base DN that every organization has in common."""
    while ORGANIZATION in base:
        base = dn.parent(base)
    return base
