"""The sections of the settings that say how people and groups are written, with their defaults.

Rule: a key exists only here or in `settings`; what can be checked without a server is, by name.
"""

import math
import re
from collections.abc import Hashable, Mapping
from typing import Any, Literal

import attrs

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
    "manager": f"dn({ENTERPRISE}:manager.value)",
}
"""Rules for an inetOrgPerson (RFC 2798), by attribute type."""

GROUP_RULES: Mapping[str, str] = {"cn": "displayName"}
"""Rules for a groupOfNames (RFC 4519 3.5), by attribute type."""

ORGANIZATION = "{organization}"
"""Stands for the organization's name in a base DN, where several share one directory."""

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})")


def meaning(sentence: str) -> dict[str, str]:
    return {"meaning": sentence}


def above(least: float) -> Any:
    def check(_instance: object, field: Any, value: float) -> None:
        if not least <= value < math.inf:
            raise ValueError(f"{field.name} must be {least} or more, not {value}")

    return check


def is_dn(_instance: object, field: Any, value: Any) -> None:
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
        metadata=meaning(
            "Attributes of which a new entry gets a number nobody has, from a range: "
            '`uidNumber = "10000-59999"`.'
        ),
    )


def _anchor() -> Any:
    return attrs.field(
        default="labeledURI",
        metadata=meaning(
            "Attribute that holds `urn:uuid:` and the SCIM id. By it an entry is known to be a "
            "resource's own when the link was lost (a crash between adding and noting it); empty "
            "for none, then the account that made the entry is the only evidence."
        ),
    )


def _initial() -> Any:
    return attrs.field(
        factory=dict,
        validator=_are_rules,
        metadata=meaning(
            "Rules by attribute type for what a new entry gets once and is then left alone."
        ),
    )


@attrs.frozen
class Deactivation:
    """`[backends.users.deactivate]`: how a person whose `active` is false is shown."""

    policy: Literal["attribute", "flag", "move", "keep"] = attrs.field(
        default="attribute",
        metadata=meaning(
            "`attribute` sets a value, `flag` a bit of a number, `move` moves the entry, `keep` "
            "leaves it as it is."
        ),
    )
    attribute: str = attrs.field(
        default="employeeType",
        metadata=meaning(
            "For `attribute` and `flag`: the attribute to set. pwdAccountLockedTime stops logins "
            "where the server has the ppolicy overlay, nsAccountLock on 389 Directory Server, "
            "flag 2 of userAccountControl in Active Directory."
        ),
    )
    flag: int = attrs.field(
        default=2,
        validator=above(1),
        metadata=meaning("For `flag`: the bit that is set while inactive; the others stay."),
    )
    value: str = attrs.field(
        default="inactive", metadata=meaning("For `attribute`: its value while inactive.")
    )
    active_value: str = attrs.field(
        default="", metadata=meaning("For `attribute`: its value while active; empty removes it.")
    )
    base_dn: str | None = attrs.field(
        default=None, validator=is_dn, metadata=meaning("For `move`: where inactive people are.")
    )

    def __attrs_post_init__(self) -> None:
        if self.policy == "move" and not self.base_dn:
            raise ValueError("policy `move` needs base_dn, where inactive people are")
        if self.policy == "attribute" and not (self.attribute and self.value):
            raise ValueError("policy `attribute` needs attribute and value")
        if self.policy == "flag" and not self.attribute:
            raise ValueError("policy `flag` needs attribute")


@attrs.frozen
class Users:
    """`[backends.users]`: how a person is written."""

    base_dn: str = attrs.field(
        validator=is_dn,
        metadata=meaning(
            "Entry below which new people are added; `{organization}` stands for their "
            "organization's name."
        ),
    )
    rdn: str = attrs.field(
        default="uid",
        metadata=meaning("Attribute that names a new entry; its rule must not be empty."),
    )
    object_classes: tuple[str, ...] = attrs.field(
        default=("inetOrgPerson",), metadata=meaning("Object classes of a new entry.")
    )
    attributes: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=_are_rules,
        metadata=meaning("Rules by attribute type, over the defaults; an empty one removes it."),
    )
    initial: Mapping[str, str] = _initial()
    numbers: Mapping[str, str] = _numbers()
    anchor: str = _anchor()
    existing: Existing = attrs.field(factory=Existing)
    deactivate: Deactivation = attrs.field(factory=Deactivation)
    delete: Literal["delete", "disable", "keep"] = attrs.field(
        default="delete",
        metadata=meaning(
            "When a person is deleted: `delete` the entry, `disable` it as if deactivated, or "
            "`keep` it as it is."
        ),
    )

    passwords: Literal["no", "extended", "unicodePwd"] = attrs.field(
        default="no",
        metadata=meaning(
            "Whether passwords that the identity provider sends are set: `extended` sets them by "
            "the password modify operation (RFC 3062), so that the server hashes them; "
            "`unicodePwd` as Active Directory takes them."
        ),
    )
    random_password: Literal["no", "unicodePwd"] = attrs.field(
        default="no",
        metadata=meaning(
            "Whether a new entry gets a random password that nobody knows: Active Directory "
            "enables no account without one."
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
        validator=is_dn,
        metadata=meaning(
            "Entry below which new groups are added; `{organization}` stands for their "
            "organization's name."
        ),
    )
    rdn: str = attrs.field(
        default="cn",
        metadata=meaning("Attribute that names a new entry; its rule must not be empty."),
    )
    object_classes: tuple[str, ...] = attrs.field(
        default=("groupOfNames", "labeledURIObject"),
        metadata=meaning("Object classes of a new entry."),
    )
    attributes: Mapping[str, str] = attrs.field(
        factory=dict,
        validator=_are_rules,
        metadata=meaning("Rules by attribute type, over the defaults; an empty one removes it."),
    )
    member_attribute: str = attrs.field(
        default="member", metadata=meaning("Attribute that holds the members.")
    )
    member_value: Literal["dn", "uid"] = attrs.field(
        default="dn",
        metadata=meaning(
            "What it holds of each: `dn`, or `uid` as memberUid of a posixGroup does."
        ),
    )
    empty_member: str = attrs.field(
        default="auto",
        metadata=meaning(
            "What a group holds while it has no member: `self` for the group's own DN, a DN, "
            "`none`, or `auto`: its own DN where the server's schema wants a member, else none."
        ),
    )
    initial: Mapping[str, str] = _initial()
    numbers: Mapping[str, str] = _numbers()
    anchor: str = _anchor()
    existing: Existing = attrs.field(factory=Existing)
    delete: Literal["delete", "keep"] = attrs.field(
        default="delete",
        metadata=meaning("When a group is deleted: `delete` the entry, or `keep` it as it is."),
    )

    @empty_member.validator
    def _is_placeholder(self, field: Any, value: str) -> None:
        if value not in ("auto", "self", "none"):
            is_dn(self, field, value)

    def __attrs_post_init__(self) -> None:
        if self.rdn not in self.rules:
            raise ValueError(f"rdn is {self.rdn}, and attributes has no rule for it")
        self.existing.must_know(self.rules)
        if self.member_value == "uid" and self.empty_member not in ("auto", "none"):
            raise ValueError('member_value `uid` allows no placeholder: set empty_member = "none"')

    @property
    def rules(self) -> Mapping[str, str]:
        """The rules in force, by attribute type."""
        return _over(GROUP_RULES, self.attributes)

    def placeholder(self, group_dn: str) -> str:
        """Return the DN a group may have to hold while it has no member; empty for none."""
        own = group_dn if self.member_value == "dn" else ""
        given = {"auto": own, "self": own, "none": ""}
        return given.get(self.empty_member, self.empty_member)

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
class AccessGroups:
    """`[backends.access]`: workspaces and folders, as groups of those who may."""

    base_dn: str | None = attrs.field(
        default=None,
        validator=is_dn,
        metadata=meaning(
            "Entry below which every workspace and folder has one group for each level; "
            "`{organization}` as elsewhere. Default: access is not kept in this directory."
        ),
    )
    pending: bool = attrs.field(
        default=True,
        metadata=meaning("Whether those who were granted access and never came are members too."),
    )


def ranges(numbers: Mapping[str, str]) -> Mapping[str, tuple[int, int]]:
    """Return the first and last number by attribute type."""
    parsed = {name: text.partition("-") for name, text in numbers.items()}
    return {name: (int(first), int(last)) for name, (first, _, last) in parsed.items()}


def _over(defaults: Mapping[str, str], own: Mapping[str, str]) -> Mapping[str, str]:
    # Attribute types are case-insensitive: `UID = …` replaces the default of `uid`.
    named = {name.lower() for name in own}
    kept = {name: rule for name, rule in defaults.items() if name.lower() not in named}
    return kept | {name: rule for name, rule in own.items() if rule}
