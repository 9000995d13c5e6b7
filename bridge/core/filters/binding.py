"""Binding: what a filter means for one resource type.

After it every path is a `Target`, a complex attribute stands for its `value`, `eq null` is
`not (… pr)`, and every value is in the form in which the attribute's values are compared
(`schema.comparison_key`; dates as UTC). What cannot be asked is refused here.

Rule: evaluator and SQL compiler decide nothing about attributes; everything is decided here.
"""

from collections.abc import Callable
from typing import assert_never

import attrs

from bridge.core.errors import InvalidFilter
from bridge.core.filters.ast import (
    And,
    BoundFilter,
    Compare,
    Comparison,
    FilterNode,
    Not,
    Or,
    Present,
    Unquoted,
    Value,
    Within,
)
from bridge.core.schema.attributes import Attribute, Returned, Type
from bridge.core.schema.keys import comparison_key
from bridge.core.schema.resource_types import ResourceType, Target
from bridge.core.schema.tolerance import LENIENT, Quirk
from bridge.core.schema.values import BOOLEANS, ValueReader, date_time

_EQUALITY = frozenset({Comparison.EQ, Comparison.NE})
_PARTS = frozenset({Comparison.CO, Comparison.SW, Comparison.EW})
_ORDER = frozenset({Comparison.GT, Comparison.GE, Comparison.LT, Comparison.LE})
_ALLOWED = {
    Type.STRING: _EQUALITY | _PARTS | _ORDER,
    Type.REFERENCE: _EQUALITY | _PARTS | _ORDER,
    Type.DATE_TIME: _EQUALITY | _PARTS | _ORDER,
    Type.INTEGER: _EQUALITY | _ORDER,
    Type.DECIMAL: _EQUALITY | _ORDER,
    Type.BINARY: _EQUALITY | _PARTS,
    Type.BOOLEAN: _EQUALITY,
}


def bind(node: FilterNode, rtype: ResourceType, values: ValueReader | None = None) -> BoundFilter:
    """Return what a parsed filter means for resources of a type. Raises InvalidFilter.

    `values` says which departures from the RFC are tolerated, and remembers those that were met.
    """

    def resolve(path: str) -> Target:
        target = rtype.target(path)
        if target is None:
            raise InvalidFilter(f"{rtype.name} has no attribute {path!r} to filter by.")
        return target

    return _bind(node, resolve, values or ValueReader(LENIENT))


def bind_within(node: FilterNode, target: Target, values: ValueReader) -> BoundFilter:
    """Return what a filter in `[ ]` means for the entries of `target`. Raises InvalidFilter."""

    def resolve(path: str) -> Target:
        sub = target.attribute.sub(path)
        if sub is not None:
            return attrs.evolve(target, sub=sub)
        if (
            path.lower() == "value"
            and target.attribute.multi_valued
            and not target.attribute.by_name
        ):
            return target  # the entries of a simple attribute are their own value
        raise InvalidFilter(f"{target} has no sub-attribute {path!r} to filter by.")

    if target.sub is not None:
        raise InvalidFilter(f"{target} has no entries to filter in [ ].")
    return _bind(node, resolve, values)


def _bind(node: FilterNode, resolve: Callable[[str], Target], values: ValueReader) -> BoundFilter:
    match node:
        case Compare(path, op, value):
            return _comparison(_filterable(resolve(path.text)), op, value, values)
        case Present(path):
            return Present(_filterable(resolve(path.text)))
        case Not(term):
            return Not(_bind(term, resolve, values))
        case And(terms):
            return And(tuple(_bind(term, resolve, values) for term in terms))
        case Or(terms):
            return Or(tuple(_bind(term, resolve, values) for term in terms))
        case Within(path, inner):
            target = _filterable(resolve(path.text))
            return Within(target, bind_within(inner, target, values))
    assert_never(node)


def _filterable(target: Target) -> Target:
    if target.attribute.returned is Returned.NEVER or target.leaf.returned is Returned.NEVER:
        raise InvalidFilter(f"{target} cannot be filtered by: it is never shown.")
    return target


def _comparison(target: Target, op: Comparison, value: Value, values: ValueReader) -> BoundFilter:
    if value is None:
        if op not in _EQUALITY:
            raise InvalidFilter(f"null can only be compared with eq and ne, not {op}.")
        return Not(Present(target)) if op is Comparison.EQ else Present(target)
    if target.leaf.type is Type.COMPLEX:
        sub = target.attribute.sub("value")
        if sub is None:
            raise InvalidFilter(f"{target} is complex; name one of its sub-attributes.")
        target = _filterable(attrs.evolve(target, sub=sub))
    leaf = target.leaf
    if op not in _ALLOWED[leaf.type]:
        raise InvalidFilter(f"{op} does not apply to {target}, which is of type {leaf.type}.")
    _note_spelling(leaf, value, values)
    return Compare(target, op, _operand(leaf, op, value, str(target)))


def _note_spelling(leaf: Attribute, value: Value, values: ValueReader) -> None:
    if isinstance(value, Unquoted):
        detail = f'Write "{value}" in quotation marks.'
        values.tolerate_or(InvalidFilter, Quirk.UNQUOTED_LITERAL, detail)
    elif leaf.type is Type.BOOLEAN:
        if isinstance(value, str):
            detail = f"{leaf.name} is compared with true or false without quotation marks."
            values.tolerate_or(InvalidFilter, Quirk.STRING_BOOLEAN, detail)
    elif leaf.type not in (Type.INTEGER, Type.DECIMAL) and not isinstance(value, str):
        detail = f"{leaf.name} is compared with a text in quotation marks."
        number = not isinstance(value, bool)
        quirk = Quirk.NUMBER_AS_STRING if number else Quirk.UNQUOTED_LITERAL
        values.tolerate_or(InvalidFilter, quirk, detail)


def _operand(leaf: Attribute, op: Comparison, value: Value, path: str) -> Value:
    if leaf.type is Type.BOOLEAN:
        found = value if isinstance(value, bool) else BOOLEANS.get(str(value).lower())
        if found is None:
            raise InvalidFilter(f"{path} is compared with true or false.")
        return found
    if leaf.type in (Type.INTEGER, Type.DECIMAL):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidFilter(f"{path} is compared with a number.")
        return value
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if leaf.type is Type.DATE_TIME and op not in _PARTS:
        try:
            return date_time(text if "T" in text else f"{text}T00:00:00Z")
        except ValueError:
            raise InvalidFilter(
                f"{path} is compared with a date such as 2026-05-13T04:42:34Z."
            ) from None
    return str(comparison_key(leaf, text))
