"""What the bridge makes of entries that others made: which are listed, and which are taken over.

Rule: nothing is ever taken over by its name alone; without `adopt` nothing is.
"""

from collections.abc import Collection
from typing import Any

import attrs

from bridge_ldap import dn


def _is_filter(_instance: object, field: Any, value: str) -> None:
    if value and not (value.startswith("(") and value.endswith(")")):
        raise ValueError(f"{field.name} is no search filter (RFC 4515): {value!r}")


def _is_dn(_instance: object, field: Any, value: str | None) -> None:
    try:
        dn.parse(value or "")
    except ValueError as error:
        raise ValueError(f"{field.name} is no distinguished name: {error}") from None


@attrs.frozen
class Existing:
    """`[backends.users.existing]`, `[backends.groups.existing]`: entries that others made."""

    listed: str = attrs.field(
        default="",
        validator=_is_filter,
        metadata={
            "meaning": "Search filter of what `bridge import` and `bridge reconcile` list. "
            "Default: entries with the first of object_classes."
        },
    )
    adopt: tuple[str, ...] = attrs.field(
        default=(),
        metadata={
            "meaning": "Attributes by which an entry is taken over for a resource that has none: "
            "one that has, for each of them, a value that its rule gives, and the only such entry. "
            "Empty: none ever is."
        },
    )
    below: str | None = attrs.field(
        default=None,
        validator=_is_dn,
        metadata={"meaning": "Where `adopt` looks for such entries. Default: base_dn."},
    )

    def filter(self, object_classes: tuple[str, ...]) -> str:
        """Return the search filter of what is listed, for entries of these classes."""
        return self.listed or dn.equals("objectClass", object_classes[0])

    def must_know(self, rules: Collection[str]) -> None:
        """Raise ValueError where `adopt` names an attribute that has no rule."""
        for name in self.adopt:
            if name not in rules:
                raise ValueError(f"existing.adopt names {name}, and attributes has no rule for it")
