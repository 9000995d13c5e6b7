"""Attributes and schemas: the characteristics that give a document its meaning (RFC 7643 2.2, 7).

Rule: nothing in the bridge knows an attribute's behaviour by its name if a characteristic says it.
"""

from collections.abc import Mapping
from enum import StrEnum

import attrs


class Type(StrEnum):
    """Data types of RFC 7643 section 2.3."""

    STRING = "string"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    INTEGER = "integer"
    DATE_TIME = "dateTime"
    REFERENCE = "reference"
    BINARY = "binary"
    COMPLEX = "complex"


class Mutability(StrEnum):
    """Who may set a value, and when."""

    READ_ONLY = "readOnly"
    READ_WRITE = "readWrite"
    IMMUTABLE = "immutable"
    WRITE_ONLY = "writeOnly"


class Returned(StrEnum):
    """When a value is part of an answer."""

    ALWAYS = "always"
    NEVER = "never"
    DEFAULT = "default"
    REQUEST = "request"


class Uniqueness(StrEnum):
    """Among which resources a value is unique."""

    NONE = "none"
    SERVER = "server"
    GLOBAL = "global"


@attrs.frozen(cache_hash=True)
class Attribute:
    """One attribute definition. `sub_attributes` is for complex attributes only."""

    name: str
    type: Type = Type.STRING
    multi_valued: bool = False
    required: bool = False
    case_exact: bool = False
    mutability: Mutability = Mutability.READ_WRITE
    returned: Returned = Returned.DEFAULT
    uniqueness: Uniqueness = Uniqueness.NONE
    canonical_values: tuple[str, ...] = ()
    reference_types: tuple[str, ...] = ()
    sub_attributes: "tuple[Attribute, ...]" = ()
    description: str = ""

    by_name: "Mapping[str, Attribute]" = attrs.field(init=False, eq=False, repr=False)
    required_names: tuple[str, ...] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "by_name", by_name(self.sub_attributes, self.name))
        names = tuple(s.name for s in self.sub_attributes if s.required)
        object.__setattr__(self, "required_names", names)

    def sub(self, name: str) -> "Attribute | None":
        """Return the sub-attribute of this name, in any case."""
        return self.by_name.get(name) or self.by_name.get(name.lower())

    @property
    def read_only(self) -> bool:
        """True when clients cannot set it at all."""
        return self.mutability is Mutability.READ_ONLY

    @property
    def unique(self) -> bool:
        """True when no two resources may have the same value."""
        return self.uniqueness is not Uniqueness.NONE and self.type is not Type.COMPLEX


@attrs.frozen(cache_hash=True)
class Schema:
    """A schema: the base of a resource type, or an extension of one. `id` is its URN."""

    id: str
    name: str
    attributes: tuple[Attribute, ...]
    description: str = ""

    by_name: Mapping[str, Attribute] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "by_name", by_name(self.attributes, self.id))

    def attribute(self, name: str) -> Attribute | None:
        """Return the top-level attribute of this name, in any case."""
        return self.by_name.get(name) or self.by_name.get(name.lower())


def by_name(attributes: tuple[Attribute, ...], owner: str) -> dict[str, Attribute]:
    """Return the attributes by their own and their lower-case name; two of one name: ValueError."""
    lowered = {a.name.lower(): a for a in attributes}
    if len(lowered) != len(attributes):
        raise ValueError(f"{owner} defines an attribute twice: names differ only in case.")
    return lowered | {a.name: a for a in attributes}
