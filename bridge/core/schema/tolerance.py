"""Tolerance: which departures from the RFCs are accepted, from whom.

A `Quirk` is one departure, named, with its source. A `Tolerance` is a set of them; `PROFILES` are
the sets by kind of client. Reading code asks a `Tolerance` and reports which quirks it met.

Rule: a difference between clients is a row here; no code asks which client it is talking to.
"""

from collections.abc import Iterable
from enum import StrEnum

import attrs


class Quirk(StrEnum):
    """One departure from RFC 7643 or 7644 that real clients show."""

    STRING_BOOLEAN = "string-boolean"
    """`"True"` or `"false"` for a boolean, in filters too (Entra ID without its compatibility flag;
    OneLogin)."""
    UNQUOTED_LITERAL = "unquoted-literal"
    """A text without quotes in a filter (Microsoft's sample requests: `userName sw O`)."""
    NUMBER_AS_STRING = "number-as-string"
    """`701984` for a string (Okta's documentation of employeeNumber and postalCode)."""
    SINGLE_AS_LIST = "single-as-list"
    """One value where a list belongs (`emails` as an object)."""
    LIST_AS_SINGLE = "list-as-single"
    """A list of one where a single value belongs (Entra ID's documented `manager`)."""
    BARE_VALUE = "bare-value"
    """`"<id>"` for `{"value": "<id>"}` (Entra ID: manager; Microsoft's samples: members)."""
    UNKNOWN_EXTENSION = "unknown-extension"
    """A URN that no schema here has (Okta custom attributes and groups, Entra ID groups)."""
    UNKNOWN_ATTRIBUTE = "unknown-attribute"
    """A name that no schema here has (templates of OneLogin); it is ignored."""
    NESTED_CORE = "nested-core"
    """Base attributes inside an object under the base URN (scimverify)."""
    SHORT_NAME = "short-name"
    """An extension's attribute without its URN (Entra ID's documented path `manager`)."""
    LOOSE_SCHEMAS = "loose-schemas"
    """`schemas` with unknown or repeated URNs (Okta, Entra ID), or only those (OneLogin)."""
    NO_SCHEMAS = "no-schemas"
    """No `schemas` at all, or an empty list (hand-made templates)."""
    SEVERAL_PRIMARY = "several-primary"
    """More than one `primary: true` set at once; the first one stays."""
    ALIAS = "alias"
    """A name that is known to mean another one (OneLogin: `manager.managerId`)."""
    REMOVE_NAMED = "remove-named"
    """`remove` with a list of values removes only those (Entra ID without its flag; JumpCloud);
    the RFC gives the list no meaning, so that everything would go."""
    REMOVE_NOTHING = "remove-nothing"
    """`remove` through a filter that matches nothing is no error: it is already gone."""
    UNKNOWN_MEMBER = "unknown-member"
    """Adding a member that is not there (any more) changes nothing (scim-sanity). Ids are ours and
    never used again, so it was deleted; a list of all members with such an id is refused."""
    REPLACE_CREATES = "replace-creates"
    """`replace` through a filter that matches nothing creates the value (some Entra ID flows)."""


ALIASES = {"managerid": "value"}
"""Names of sub-attributes, in lower case, that stand for another (OneLogin's templates)."""


@attrs.frozen
class Tolerance:
    """What one kind of client may do differently."""

    name: str
    allowed: frozenset[Quirk] = frozenset()


_EVERYBODY = frozenset(Quirk) - {Quirk.NO_SCHEMAS, Quirk.REPLACE_CREATES}


def _tolerance(name: str, *more: Quirk, without: Iterable[Quirk] = ()) -> tuple[str, Tolerance]:
    return name, Tolerance(name, (_EVERYBODY | frozenset(more)) - frozenset(without))


PROFILES = dict(
    [
        _tolerance("lenient"),
        _tolerance("okta"),
        _tolerance("entra"),
        _tolerance("onelogin", Quirk.NO_SCHEMAS),
        _tolerance("jumpcloud"),
        _tolerance("google"),
        ("strict", Tolerance("strict")),
    ]
)
"""Tolerances by profile name. Vendors keep what everybody may do: tenants mix their products'
dialects (Entra ID sends both of its own to one tenant), and only additions are theirs."""

LENIENT = PROFILES["lenient"]
STRICT = PROFILES["strict"]
