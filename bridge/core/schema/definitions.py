"""The resource types of RFC 7643: User with the enterprise extension, and Group.

Published as they are under `/Schemas`, so only what is really kept stands here.

Rule: these are ordinary values; a custom type that is read from configuration is their equal.
"""

from functools import partial

from bridge.core.schema.attributes import (
    Attribute,
    Mutability,
    Returned,
    Schema,
    Type,
    Uniqueness,
)
from bridge.core.schema.resource_types import Extension, Registry, ResourceType

USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

_complex = partial(Attribute, type=Type.COMPLEX)
_boolean = partial(Attribute, type=Type.BOOLEAN)
_read_only = partial(Attribute, mutability=Mutability.READ_ONLY)


def _strings(**described: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(name, description=text) for name, text in described.items())


def _reference(name: str, *types: str, text: str) -> Attribute:
    return Attribute(name, Type.REFERENCE, case_exact=True, reference_types=types, description=text)


def _plural(name: str, *types: str, text: str, value: Attribute | None = None) -> Attribute:
    """A multi-valued attribute of the usual shape: value, display, type, primary (RFC 7643 2.4)."""
    first = value or Attribute("value", description="The value itself.")
    kind = Attribute("type", canonical_values=types, description="What the value is used for.")
    return _complex(
        name,
        multi_valued=True,
        description=text,
        sub_attributes=(
            first,
            Attribute("display", description="A name of the value for people."),
            kind,
            _boolean("primary", description="True for the preferred one; at most one is."),
        ),
    )


NAME = _complex(
    "name",
    description="The parts of the user's name.",
    sub_attributes=_strings(
        formatted="The full name, ready for display.",
        familyName="Family name, or last name.",
        givenName="Given name, or first name.",
        middleName="Middle names.",
        honorificPrefix="Title in front of the name.",
        honorificSuffix="Suffix after the name.",
    ),
)

ADDRESSES = _complex(
    "addresses",
    multi_valued=True,
    description="Postal addresses.",
    sub_attributes=(
        *_strings(
            formatted="The whole address, ready for display.",
            streetAddress="Street, house number, box.",
            locality="City.",
            region="State or region.",
            postalCode="Postal code.",
            country="Country, as ISO 3166-1 alpha-2.",
        ),
        Attribute(
            "type",
            canonical_values=("work", "home", "other"),
            description="What the address is used for.",
        ),
        _boolean("primary", description="True for the preferred one; at most one is."),
    ),
)

GROUPS = _complex(
    "groups",
    multi_valued=True,
    mutability=Mutability.READ_ONLY,
    description="Groups that the user belongs to; follows the groups' members.",
    sub_attributes=(
        _read_only("value", case_exact=True, description="The group's id."),
        _read_only(
            "$ref",
            type=Type.REFERENCE,
            case_exact=True,
            reference_types=("Group",),
            description="The group's address.",
        ),
        _read_only("display", description="The group's displayName."),
        _read_only(
            "type",
            canonical_values=("direct", "indirect"),
            description="Whether the user is a member itself, or through a group in the group.",
        ),
    ),
)

PASSWORD = Attribute(
    "password",
    case_exact=True,
    mutability=Mutability.WRITE_ONLY,
    returned=Returned.NEVER,
    description="A new password in clear; accepted, never shown.",
)

USER_SCHEMA = Schema(
    USER_URN,
    "User",
    description="User account",
    attributes=(
        Attribute(
            "userName",
            required=True,
            uniqueness=Uniqueness.SERVER,
            description="The name that the user signs in with; case is kept and does not count.",
        ),
        NAME,
        *_strings(
            displayName="The user's name for display.",
            nickName="What the user is called casually.",
        ),
        _reference("profileUrl", "external", text="The user's page."),
        *_strings(
            title="Job title.",
            userType="Relation to the organization, such as Employee or Contractor.",
            preferredLanguage="Preferred languages, as in HTTP Accept-Language.",
            locale="Locale for dates, numbers and currency, such as en-US.",
            timezone="Time zone, as in the IANA database.",
        ),
        _boolean("active", description="Whether the user may sign in."),
        PASSWORD,
        _plural("emails", "work", "home", "other", text="E-mail addresses."),
        _plural(
            "phoneNumbers",
            *("work", "home", "mobile", "fax", "pager", "other"),
            text="Telephone numbers.",
        ),
        _plural(
            "ims",
            *("aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
            text="Instant messaging addresses.",
        ),
        _plural(
            "photos",
            *("photo", "thumbnail"),
            text="Addresses of pictures.",
            value=_reference("value", "external", text="The picture's address."),
        ),
        ADDRESSES,
        GROUPS,
        _plural("entitlements", text="Things the user is entitled to."),
        _plural("roles", text="The user's roles."),
        _plural(
            "x509Certificates",
            text="The user's certificates.",
            value=Attribute("value", Type.BINARY, case_exact=True, description="DER, as base64."),
        ),
    ),
)

ENTERPRISE_SCHEMA = Schema(
    ENTERPRISE_URN,
    "EnterpriseUser",
    description="Enterprise user",
    attributes=(
        *_strings(
            employeeNumber="Number of the user in the organization.",
            costCenter="Cost center.",
            organization="Organization.",
            division="Division.",
            department="Department.",
        ),
        _complex(
            "manager",
            description="The user's manager.",
            sub_attributes=(
                Attribute("value", case_exact=True, description="The manager's id."),
                _reference("$ref", "User", text="The manager's address."),
                _read_only("displayName", description="The manager's displayName."),
            ),
        ),
    ),
)

GROUP_SCHEMA = Schema(
    GROUP_URN,
    "Group",
    description="Group",
    attributes=(
        Attribute(
            "displayName",
            required=True,
            uniqueness=Uniqueness.SERVER,
            description="The group's name; case is kept and does not count.",
        ),
        _complex(
            "members",
            multi_valued=True,
            description="Users and groups in the group.",
            sub_attributes=(
                Attribute(
                    "value",
                    case_exact=True,
                    mutability=Mutability.IMMUTABLE,
                    description="The member's id.",
                ),
                Attribute(
                    "$ref",
                    Type.REFERENCE,
                    case_exact=True,
                    mutability=Mutability.IMMUTABLE,
                    reference_types=("User", "Group"),
                    description="The member's address.",
                ),
                _read_only("display", returned=Returned.REQUEST, description="The member's name."),
                Attribute(
                    "type",
                    mutability=Mutability.IMMUTABLE,
                    canonical_values=("User", "Group"),
                    description="The member's resource type.",
                ),
            ),
        ),
    ),
)

USER = ResourceType(
    "User", "/Users", USER_SCHEMA, (Extension(ENTERPRISE_SCHEMA),), description="User account"
)
GROUP = ResourceType("Group", "/Groups", GROUP_SCHEMA, description="Group")
STANDARD = Registry((USER, GROUP))
"""User and Group, for a bridge without custom types."""
