"""Evaluation of a bound filter against a document (RFC 7644 section 3.4.2.2).

A document may hold the common attributes (times as UTC with milliseconds), groups and members
besides the stored ones. A multi-valued attribute matches when any of its values does; `ne` is also
true without any value.

Rule: total over the AST; the SQL compiler of the journal gives the same answers.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, assert_never

from bridge.core.filters.ast import (
    And,
    BoundFilter,
    Compare,
    Comparison,
    Not,
    Or,
    Present,
    Within,
)
from bridge.core.resources import Attributes
from bridge.core.schema.keys import comparison_key
from bridge.core.schema.resource_types import Target

_TESTS: Mapping[Comparison, Callable[[Any, Any], bool]] = {
    Comparison.EQ: operator.eq,
    Comparison.NE: operator.ne,
    Comparison.CO: operator.contains,
    Comparison.SW: str.startswith,
    Comparison.EW: str.endswith,
    Comparison.GT: operator.gt,
    Comparison.GE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LE: operator.le,
}


def evaluate(node: BoundFilter, document: Attributes) -> bool:
    """Return whether the filter holds for a document."""
    return _holds(node, lambda target: target.values(document))


def evaluate_entry(node: BoundFilter, entry: Any) -> bool:
    """Return whether the filter of a `Within` holds for one entry of its attribute."""
    return _holds(node, lambda target: target.entry_values(entry))


def _holds(node: BoundFilter, values: Callable[[Target], list[Any]]) -> bool:
    match node:
        case Compare(target, op, operand):
            found = values(target)
            if op is Comparison.NE and not found:
                return True
            test, is_text = _TESTS[op], isinstance(operand, str)
            return any(
                test(comparison_key(target.leaf, value), operand)
                for value in found
                if isinstance(value, str) is is_text  # stored under an older schema otherwise
            )
        case Present(target):
            return any(_filled(value) for value in values(target))
        case Not(term):
            return not _holds(term, values)
        case And(terms):
            return all(_holds(term, values) for term in terms)
        case Or(terms):
            return any(_holds(term, values) for term in terms)
        case Within(target, inner):
            return any(evaluate_entry(inner, entry) for entry in values(target))
    assert_never(node)


def _filled(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_filled, value.values()))
    if isinstance(value, list):
        return any(map(_filled, value))
    return value is not None and value != ""
