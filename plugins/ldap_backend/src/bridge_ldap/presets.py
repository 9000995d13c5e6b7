"""Presets: what the settings say for a kind of directory, so that nobody has to know it by heart.

A preset is a table like the one it completes: whatever that says goes over it, key by key.

Rule: a preset is data; nothing in the code asks for one by name.
"""

from collections.abc import Mapping
from typing import Any

from bridge_ldap.sections import ENTERPRISE

_SHORT_NAME = 'before("@", userName)'
_HOME = '/home/{before("@", userName)}'

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "openldap": {},
    "389ds": {
        "identity_attribute": "nsUniqueId",
        "users": {"deactivate": {"attribute": "nsAccountLock", "value": "true"}},
    },
    "active-directory": {
        "identity_attribute": "objectGUID",
        "referential_integrity": True,
        "members_per_modify": 500,
        "users": {
            "rdn": "cn",
            "object_classes": ["user"],
            "anchor": "adminDescription",
            "attributes": {
                "userPrincipalName": "userName",
                "cn": "userName",
                "sAMAccountName": _SHORT_NAME,
                "streetAddress": 'addresses[type eq "work"].streetAddress',
                "department": f"{ENTERPRISE}:department",
                "division": f"{ENTERPRISE}:division",
                "company": f"{ENTERPRISE}:organization",
                "uid": "",
                "street": "",
                "departmentNumber": "",
                "o": "",
            },
            "initial": {"userAccountControl": 'if(active, "512", "514") | "512"'},
            "deactivate": {"policy": "flag", "attribute": "userAccountControl", "flag": 2},
            "passwords": "unicodePwd",
            "random_password": "unicodePwd",
        },
        "groups": {
            "object_classes": ["group"],
            "anchor": "adminDescription",
            "attributes": {"sAMAccountName": "displayName"},
            "initial": {"groupType": '"-2147483646"'},
        },
    },
    "freeipa": {
        "identity_attribute": "nsUniqueId",
        "users": {
            "object_classes": ["inetOrgPerson", "inetUser", "posixAccount", "labeledURIObject"],
            "attributes": {"uid": _SHORT_NAME, "homeDirectory": _HOME},
            "initial": {
                "uidNumber": '"-1"',
                "gidNumber": '"-1"',
                "loginShell": '"/bin/bash"',
            },
            "deactivate": {"attribute": "nsAccountLock", "value": "TRUE"},
        },
    },
    "posix": {
        "users": {
            "object_classes": ["inetOrgPerson", "posixAccount"],
            "attributes": {
                "uid": _SHORT_NAME,
                "homeDirectory": _HOME,
                "gidNumber": '"100"',
            },
            "initial": {"loginShell": '"/bin/bash"'},
            "numbers": {"uidNumber": "10000-59999"},
        },
        "groups": {
            "object_classes": ["posixGroup", "labeledURIObject"],
            "member_attribute": "memberUid",
            "member_value": "uid",
            "numbers": {"gidNumber": "60000-99999"},
        },
    },
}
"""By name. `posix` is OpenLDAP with the schema of RFC 2307."""


def completed(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a `[[backends]]` table with what its preset says and it does not."""
    name = table.get("preset")
    return _over(PRESETS[name], table) if isinstance(name, str) and name in PRESETS else table


def _over(preset: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    # Attribute types are case-insensitive: `UID = …` goes over the preset's `uid`.
    named = {name.lower() for name in own}
    merged = {name: value for name, value in preset.items() if name.lower() not in named}
    for name, value in own.items():
        given = preset.get(name)
        both = isinstance(given, Mapping) and isinstance(value, Mapping)
        merged[name] = _over(given, value) if both else value  # type: ignore[arg-type]
    return merged
