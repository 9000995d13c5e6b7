"""What a SCIM filter says, as immutable values (RFC 7644 section 3.4.2.2).

A parsed filter is a `FilterNode`: its paths are as the client wrote them. Bound to a resource
type (`bridge.core.filters.bind`) it is a `BoundFilter`: every path is a resolved `Target`, every
value has its attribute's type. Evaluator and SQL compiler both read bound filters.

Rule: `parse_filter(str(node)) == node` for every node.
"""

import json
from enum import StrEnum
from typing import Generic, TypeVar, Union

import attrs

from bridge.core.schema.resource_types import Target

Value = str | int | float | bool | None
P = TypeVar("P")


class Unquoted(str):
    """A text that the client wrote without quotation marks; it equals the same text with them."""

    __slots__ = ()


class Comparison(StrEnum):
    """The operators that take a value."""

    EQ = "eq"
    NE = "ne"
    CO = "co"
    SW = "sw"
    EW = "ew"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"


@attrs.frozen
class AttributePath:
    """An attribute's name as the client wrote it: URN prefix, name, sub-attribute, any case."""

    text: str

    def __str__(self) -> str:
        return self.text


@attrs.frozen
class Compare(Generic[P]):
    """`path op value`; `value` is a JSON scalar, None for `null`."""

    path: P
    op: Comparison
    value: Value

    def __str__(self) -> str:
        return f"{self.path} {self.op} {json.dumps(self.value, ensure_ascii=False)}"


@attrs.frozen
class Present(Generic[P]):
    """`path pr`: there is a value that is not empty."""

    path: P

    def __str__(self) -> str:
        return f"{self.path} pr"


@attrs.frozen
class Not(Generic[P]):
    """`not (term)`."""

    term: "Node[P]"

    def __str__(self) -> str:
        return f"not ({self.term})"


@attrs.frozen
class And(Generic[P]):
    """`term and term …`; two terms or more."""

    terms: "tuple[Node[P], ...]"

    def __str__(self) -> str:
        return " and ".join(f"({t})" if isinstance(t, And | Or) else str(t) for t in self.terms)


@attrs.frozen
class Or(Generic[P]):
    """`term or term …`; two terms or more."""

    terms: "tuple[Node[P], ...]"

    def __str__(self) -> str:
        return " or ".join(f"({t})" if isinstance(t, Or) else str(t) for t in self.terms)


@attrs.frozen
class Within(Generic[P]):
    """`path[filter]`: one and the same entry of a multi-valued attribute fulfils the whole filter.

    Paths inside are relative to the attribute; bound ones are `Target`s of its sub-attributes.
    Never nested.
    """

    path: P
    filter: "Node[P]"

    def __str__(self) -> str:
        return f"{self.path}[{self.filter}]"


Node = Union[Compare[P], Present[P], Not[P], And[P], Or[P], Within[P]]  # noqa: UP007 - generic alias
FilterNode = Node[AttributePath]
BoundFilter = Node[Target]


@attrs.frozen
class Path:
    """A PATCH path: `attribute`, `attribute[filter]` or `attribute[filter].sub` (RFC 7644 3.5.2).

    A sub-attribute without a filter is part of `attribute`.
    """

    attribute: AttributePath
    filter: FilterNode | None = None
    sub: str | None = None

    def __str__(self) -> str:
        bracket = "" if self.filter is None else f"[{self.filter}]"
        return f"{self.attribute}{bracket}{'' if self.sub is None else '.' + self.sub}"
