"""What a `[[backends]]` table of type `ldap` may say, with the defaults for OpenLDAP.

Rule: a key exists only here; what can be checked without a server is checked here, by name.
"""

import math
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from bridge.plugin import Secret
from bridge_ldap import dn, rules
from bridge_ldap.existing import Existing

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

USER_RULES: Mapping[str, str] = {
    "uid": "userName",
    "cn": "displayName | name.formatted | {name.givenName} {name.familyName} | userName",
    "sn": "name.familyName | displayName | userName",
    "givenName": "name.givenName",
    "displayName": "displayName",
    "mail": 'emails[primary eq true].value | emails[type eq "work"].value | emails.value',
    "title": "title",
    "telephoneNumber": 'phoneNumbers[type eq "work"].value',
    "mobile": 'phoneNumbers[type eq "mobile"].value',
    "street": 'addresses[type eq "work"].streetAddress',
    "l": 'addresses[type eq "work"].locality',
    "st": 'addresses[type eq "work"].region',
    "postalCode": 'addresses[type eq "work"].postalCode',
    "preferredLanguage": "preferredLanguage | locale",
    "employeeNumber": f"{ENTERPRISE}:employeeNumber",
    "departmentNumber": f"{ENTERPRISE}:department",
    "o": f"{ENTERPRISE}:organization",
}
"""Rules for an inetOrgPerson (RFC 2798), by attribute type."""

GROUP_RULES: Mapping[str, str] = {"cn": "displayName"}
"""Rules for a groupOfNames (RFC 4519 3.5), by attribute type."""

ORGANIZATION = "{organization}"
"""Stands for the organization's name in a base DN, where several share one directory."""

_URI = re.compile(r"(?P<scheme>ldaps?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:\[\]\s]+)(?::\d{1,5})?/?")


_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})")


def _meaning(sentence: str) -> dict[str, str]:
    return {"meaning": sentence}


def _above(least: float) -> Any:
    def check(_instance: object, field: Any, value: float) -> None:
        if not least <= value < math.inf:
            raise ValueError(f"{field.name} must be {least} or more, not {value}")

    return check


def _is_dn(_instance: object, field: Any, value: Any) -> None:
    try:
        names_something = value is None or dn.parse(value).rdns
    except ValueError as error:
        raise ValueError(f"{field.name} is no distinguished name: {error}") from None
    if not names_something:
        raise ValueError(f"{field.name} is empty")


def _are_rules(_instance: object, field: Any, value: Mapping[str, str]) -> None:
    for name, text in value.items():
        try:
            dn.equals(name, "")
            if text:
                rules.parse(text)
        except ValueError as error:
            raise ValueError(f"{field.name}.{name}: {error}") from None


def _are_ranges(_instance: object, field: Any, value: Mapping[str, str]) -> None:
    for name, text in value.items():
        found = _RANGE.fullmatch(text)
        if not found or int(found[1]) > int(found[2]):
            raise ValueError(f"{field.name}.{name}: {text!r} is no range such as 10000-59999")


def _numbers() -> Any:
    return attrs.field(
        factory=dict,
        validator=_are_ranges,
        metadata=_meaning(
            "Attributes of which a new entry gets a number nobody has, from a range: "
            '`uidNumber = "10000-59999"`.'
        ),
    )


def _anchor() -> Any:
    return attrs.field(
        default="labeledURI",
        metadata=_meaning(
            "Attribute that holds `urn:uuid:` and the SCIM id. By it an entry is known to be a "
            "resource's own when the link was lost (a crash between adding and noting it); empty "
            "for none, then the account that made the entry is the only evidence."
        ),
    )


@attrs.frozen
class Deactivation:
    """`[backends.users.deactivate]`: how a person whose `active` is false is shown."""

    policy: Literal["attribute", "move", "keep"] = attrs.field(
        default="attribute",
        metadata=_meaning(
            "`attribute` sets a value, `move` moves the entry, `keep` leaves it as it is."
        ),
    )
    attribute: str = attrs.field(
        default="employeeType",
        metadata=_meaning(
            "For `attribute`: the attribute to set. pwdAccountLockedTime stops logins where the "
            "server has the ppolicy overlay, nsAccountLock on 389 Directory Server."
        ),
    )
    value: str = attrs.field(
        default="inactive", metadata=_meaning("For `attribute`: its value while inactive.")
    )
    active_value: str = attrs.field(
        default="", metadata=_meaning("For `attribute`: its value while active; empty removes it.")
    )
    base_dn: str | None = attrs.field(
        default=None, validator=_is_dn, metadata=_meaning("For `move`: where inactive people are.")
    )

    def __attrs_post_init__(self) -> None:
        if self.policy == "move" and not self.base_dn:
            raise ValueError("policy `move` needs base_dn, where inactive people are")
        if self.policy == "attribute" and not (self.attribute and self.value):
            raise ValueError("policy `attribute` needs attribute and value")


@attrs.frozen
class Users:
    """`[backends.users]`: how a person is written."""

    base_dn: str = attrs.field(
        validator=_is_dn,
        metadata=_meaning(
            "Entry below which new people are added; `{organization}` stands for their "
            "organization's name."
        ),
    )
    rdn: str = attrs.field(
        default="uid",
        metadata=_meaning("Attribute that names a new entry; its rule must not be empty."),
    )
    object_classes: tuple[str, ...] = attrs.field(
        default=("inetOrgPerson",), metadata=_meaning("Object classes of a new entry.")
    )
    attributes: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=_are_rules,
        metadata=_meaning("Rules by attribute type, over the defaults; an empty one removes it."),
    )
    numbers: Mapping[str, str] = _numbers()
    anchor: str = _anchor()
    existing: Existing = attrs.field(factory=Existing)
    deactivate: Deactivation = attrs.field(factory=Deactivation)
    delete: Literal["delete", "disable", "keep"] = attrs.field(
        default="delete",
        metadata=_meaning(
            "When a person is deleted: `delete` the entry, `disable` it as if deactivated, or "
            "`keep` it as it is."
        ),
    )

    passwords: Literal["no", "extended"] = attrs.field(
        default="no",
        metadata=_meaning(
            "Whether passwords that the identity provider sends are set: `extended` sets them by "
            "the password modify operation (RFC 3062), so that the server hashes them."
        ),
    )

    def __attrs_post_init__(self) -> None:
        if self.rdn not in self.rules:
            raise ValueError(f"rdn is {self.rdn}, and attributes has no rule for it")
        self.existing.must_know(self.rules)

    @property
    def rules(self) -> Mapping[str, str]:
        """The rules in force, by attribute type."""
        return _over(USER_RULES, self.attributes)


@attrs.frozen
class Groups:
    """`[backends.groups]`: how a group is written."""

    base_dn: str = attrs.field(
        validator=_is_dn,
        metadata=_meaning(
            "Entry below which new groups are added; `{organization}` stands for their "
            "organization's name."
        ),
    )
    rdn: str = attrs.field(
        default="cn",
        metadata=_meaning("Attribute that names a new entry; its rule must not be empty."),
    )
    object_classes: tuple[str, ...] = attrs.field(
        default=("groupOfNames", "labeledURIObject"),
        metadata=_meaning("Object classes of a new entry."),
    )
    attributes: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=_are_rules,
        metadata=_meaning("Rules by attribute type, over the defaults; an empty one removes it."),
    )
    member_attribute: str = attrs.field(
        default="member", metadata=_meaning("Attribute that holds the members.")
    )
    member_value: Literal["dn", "uid"] = attrs.field(
        default="dn",
        metadata=_meaning(
            "What it holds of each: `dn`, or `uid` as memberUid of a posixGroup does."
        ),
    )
    empty_member: str = attrs.field(
        default="self",
        metadata=_meaning(
            "What a group holds while it has no member, where the schema wants one: `self` for "
            "the group's own DN, a DN, or `none` where a group may be empty."
        ),
    )
    numbers: Mapping[str, str] = _numbers()
    anchor: str = _anchor()
    existing: Existing = attrs.field(factory=Existing)
    delete: Literal["delete", "keep"] = attrs.field(
        default="delete",
        metadata=_meaning("When a group is deleted: `delete` the entry, or `keep` it as it is."),
    )

    @empty_member.validator
    def _is_placeholder(self, field: Any, value: str) -> None:
        if value not in ("self", "none"):
            _is_dn(self, field, value)

    def __attrs_post_init__(self) -> None:
        if self.rdn not in self.rules:
            raise ValueError(f"rdn is {self.rdn}, and attributes has no rule for it")
        self.existing.must_know(self.rules)
        if self.member_value == "uid" and self.empty_member != "none":
            raise ValueError('member_value `uid` allows no placeholder: set empty_member = "none"')

    @property
    def rules(self) -> Mapping[str, str]:
        """The rules in force, by attribute type."""
        return _over(GROUP_RULES, self.attributes)

    def placeholder(self, group_dn: str) -> str:
        """Return the DN a group holds while it has no member; empty for none."""
        return {"self": group_dn, "none": ""}.get(self.empty_member, self.empty_member)

    def member(self, name: str) -> str:
        """Return what a group holds of the member with this DN; ValueError if it has no such."""
        if self.member_value == "dn":
            return name
        if not (uid := dn.uid(name)):
            raise ValueError(f"{name} is not named by a uid, which {self.member_attribute} needs")
        return uid

    def member_key(self, member: str) -> Hashable:
        """Return the form in which two values of the member attribute are equal."""
        return dn.key(member) if self.member_value == "dn" else member


@attrs.frozen
class Settings:
    """One directory."""

    uris: tuple[str, ...] = attrs.field(
        metadata=_meaning(
            "Servers of one directory, `ldaps://host` or `ldap://host`; the first that answers."
        )
    )
    bind_dn: str = attrs.field(validator=_is_dn, metadata=_meaning("Account the bridge binds as."))
    bind_password: Secret = attrs.field(metadata=_meaning("Its password."))
    users: Users
    groups: Groups
    start_tls: bool = attrs.field(
        default=False, metadata=_meaning("Ask an ldap:// server for TLS before the bind.")
    )
    ca_file: Path | None = attrs.field(
        default=None,
        metadata=_meaning("Certificates to trust, PEM. Default: those of the operating system."),
    )
    insecure: bool = attrs.field(
        default=False,
        metadata=_meaning(
            "Allow ldap:// without TLS: password and people cross the wire readable."
        ),
    )
    connect_seconds: float = attrs.field(
        default=5.0,
        validator=_above(0.1),
        metadata=_meaning("How long a connection, its TLS and its bind may each take, in seconds."),
    )
    operation_seconds: float = attrs.field(
        default=8.0,
        validator=_above(0.1),
        metadata=_meaning("How long one operation may take, in seconds; below lease_seconds / 3."),
    )
    identity_attribute: str = attrs.field(
        default="entryUUID",
        metadata=_meaning("Operational attribute that never changes in an entry's life."),
    )
    referential_integrity: bool = attrs.field(
        default=False,
        metadata=_meaning(
            "The server itself mends member values when an entry is renamed or deleted (refint); "
            "otherwise the bridge does."
        ),
    )
    members_per_modify: int = attrs.field(
        default=1000, validator=_above(1), metadata=_meaning("Most member values in one modify.")
    )
    bytes_per_modify: int = attrs.field(
        default=256 * 1024,
        validator=_above(1024),
        metadata=_meaning("Most bytes of member values in one modify."),
    )
    rdn_bytes: int = attrs.field(
        default=240,
        validator=_above(64),
        metadata=_meaning(
            "Longest RDN the server can store, in bytes, an escaped character counted as three."
        ),
    )
    page_size: int = attrs.field(
        default=500, validator=_above(1), metadata=_meaning("Entries asked for in one search page.")
    )

    @uris.validator
    def _can_be_reached(self, _field: Any, value: tuple[str, ...]) -> None:
        if not value:
            raise ValueError("uris names no server")
        for uri in value:
            if not _URI.fullmatch(uri):
                raise ValueError(f"{uri!r} is not ldaps://host[:port] or ldap://host[:port]")

    @bind_password.validator
    def _is_given(self, _field: Any, value: Secret) -> None:
        # RFC 4513 5.1.2: a bind with a name and no password succeeds as nobody.
        if not value:
            raise ValueError("bind_password is empty")

    def __attrs_post_init__(self) -> None:
        plain = [uri for uri in self.uris if uri.startswith("ldap://")]
        if plain and not (self.start_tls or self.insecure):
            raise ValueError(
                f"{plain[0]} is not encrypted: use ldaps://, or set start_tls = true, or (only on "
                "a network you trust) insecure = true"
            )

    @property
    def bases(self) -> tuple[str, ...]:
        """Where the bridge's entries are: DNs that exist, none below another."""
        configured = (self.users.base_dn, self.groups.base_dn, self.users.deactivate.base_dn)
        shared = {_shared(base) for base in configured if base}
        return tuple(
            base
            for base in sorted(shared)
            if not any(base != other and dn.below(base, other) for other in shared)
        )


def _shared(base: str) -> str:
    while ORGANIZATION in base:
        base = dn.parent(base)
    return base


def ranges(numbers: Mapping[str, str]) -> Mapping[str, tuple[int, int]]:
    """Return the first and last number by attribute type."""
    parsed = {name: text.partition("-") for name, text in numbers.items()}
    return {name: (int(first), int(last)) for name, (first, _, last) in parsed.items()}


def _over(defaults: Mapping[str, str], own: Mapping[str, str]) -> Mapping[str, str]:
    # Attribute types are case-insensitive: `UID = …` replaces the default of `uid`.
    named = {name.lower() for name in own}
    kept = {name: rule for name, rule in defaults.items() if name.lower() not in named}
    return kept | {name: rule for name, rule in own.items() if rule}
