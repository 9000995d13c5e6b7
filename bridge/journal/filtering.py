"""Filters as SQL: a bound filter's AST to a condition on `resource`, its values as parameters.

Filters of one shape, that is alike except for their values, are one SQL text.

Rule: total over the AST, and the same answer as `bridge.core.filters.evaluate` on the document
that a client would see.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, assert_never

import attrs
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    false,
    func,
    not_,
    or_,
    select,
    true,
    union_all,
)

from bridge.codec import to_micros
from bridge.core.filters import (
    And,
    BoundFilter,
    Compare,
    Comparison,
    Not,
    Or,
    Present,
    Within,
    evaluate,
    evaluate_entry,
)
from bridge.core.schema import ResourceType, Target, Type
from bridge.journal import tables
from bridge.journal.documents import Entries, Values, position, time_text
from bridge.journal.places import (
    Column,
    Place,
    Places,
    Rows,
    Test,
    group_part,
    in_groups_by_way,
    is_way,
    keys_of,
    member_part,
    some,
    with_members,
)
from bridge.journal.statements import ONE, ZERO

Parameters = dict[str, Any]

INTEGER_LIMIT = 2**63
"""Whole numbers from here on are compared as floating point: they fit no column."""

_PARTS = frozenset({Comparison.CO, Comparison.SW, Comparison.EW})
_LAST_CHARACTER = chr(0x10FFFF)
_r = tables.resource


def condition(rtype: ResourceType, node: BoundFilter) -> ColumnElement[bool]:
    """Return the filter as a condition on `resource`; its parameters are those of `describe`."""
    places = Places(rtype)
    return _Conditions(places).of(node, places.of)


@attrs.define
class _Conditions:
    """Translates in the order in which `_Description` numbers the comparisons."""

    places: Places
    used: int = 0

    def of(self, node: BoundFilter, place: Callable[[Target], Place]) -> ColumnElement[bool]:
        match node:
            case Compare(target, op, operand):
                if _is_schemas(target):
                    return self._schemas(lambda urn: evaluate(node, {"schemas": [urn]}))
                slot, self.used = f"v{self.used}", self.used + 1
                found, test = place(target), _test(target, op, operand, slot)
                if op is Comparison.NE:
                    return or_(not_(found.exists()), found.any(test))
                return found.any(test)
            case Present(target):
                return true() if _is_schemas(target) else place(target).filled()
            case Not(term):
                return not_(self.of(term, place))
            case And(terms):
                return and_(*(self.of(term, place) for term in terms))
            case Or(terms):
                whole = place == self.places.of and is_narrow(self.places.rtype, node)
                each = [self.of(term, place) for term in terms]
                return _r.c.id.in_(union_all(*map(_found, each))) if whole else or_(*each)
            case Within(target, inner):
                return self._within(target, inner)
        assert_never(node)

    def _within(self, target: Target, inner: BoundFilter) -> ColumnElement[bool]:
        places = self.places
        if _is_schemas(target):
            return self._schemas(lambda urn: evaluate_entry(inner, urn))
        if places.holds_members(target):
            return _r.c.id.in_(with_members(self.of(inner, member_part)))
        if places.holds_groups(target):
            return self._within_groups(inner)
        if not target.attribute.multi_valued:
            return and_(places.of(target).exists(), self.of(inner, places.of))
        narrowed = self._narrowed(inner)
        entries = Entries(_r.c.document, keys_of(target))
        return and_(*narrowed, some(entries, self.of(inner, places.of_entry)))

    def _within_groups(self, inner: BoundFilter) -> ColumnElement[bool]:
        # What does not ask for the way to the group decides where the walk through groups starts.
        rows: list[ColumnElement[bool]] = []
        way: list[ColumnElement[bool]] = []
        for term in inner.terms if isinstance(inner, And) else (inner,):
            through = any(is_way(target) for target in _targets(term))
            found = self.of(term, partial(group_part, through=through))
            (way if through else rows).append(found)
        return _r.c.id.in_(in_groups_by_way(and_(true(), *way), and_(true(), *rows)))

    def _narrowed(self, inner: BoundFilter) -> list[ColumnElement[bool]]:
        # emails[type eq "work" and value eq "x"]: the index finds x, the document says whose it is.
        slot, narrowed = self.used, []
        for term in inner.terms if isinstance(inner, And) else (inner,):
            if isinstance(term, Compare) and term.op is Comparison.EQ:
                found = self.places.of(term.path)
                if isinstance(found, Rows):
                    test = _test(term.path, term.op, term.value, f"v{slot}")
                    narrowed.append(found.any(test))
            slot += len(list(_comparisons(term)))
        return narrowed

    def _schemas(self, holds: Callable[[str], bool]) -> ColumnElement[bool]:
        rtype = self.places.rtype
        used = [
            some(Values(_r.c.document, (extension.schema.id,)), true())
            for extension in rtype.extensions
            if holds(extension.schema.id)
        ]
        return or_(false(), *([true()] if holds(rtype.schema.id) else []), *used)


def _found(condition: ColumnElement[bool]) -> Select[str]:
    # A query of its own, so that its index is used: of terms joined by OR, not even one would be.
    return (
        select(_r.c.id)
        .where(_r.c.organization == bindparam("organization"), _r.c.type == bindparam("type"))
        .where(_r.c.deleted == ZERO, condition)
        .correlate(None)
    )


def is_narrow(rtype: ResourceType, node: BoundFilter) -> bool:
    """Say whether an index leads to what matches, so that few resources have to be looked at."""
    match node:
        case Compare(target, op):
            place = Places(rtype).of(target) if not _is_schemas(target) else None
            if isinstance(place, Column):
                return op in _NARROW.get(place.expression.key or "", ())
            return isinstance(place, Rows) and op is Comparison.EQ
        case And(terms):
            return any(is_narrow(rtype, term) for term in terms)
        case Or(terms):
            return all(is_narrow(rtype, term) for term in terms)
        case Within(target, inner):
            return target.attribute.multi_valued and is_narrow(rtype, inner)
        case Not() | Present():
            return False
    assert_never(node)


_KEYED = frozenset({Comparison.EQ, Comparison.SW})
_NARROW: Mapping[str, frozenset[Comparison]] = {
    "id": _KEYED,
    "name_key": _KEYED,
    "external_id": _KEYED,
    "display_key": _KEYED,
    "last_modified": frozenset({Comparison.EQ, Comparison.GT, Comparison.GE}),
}


def _is_schemas(target: Target) -> bool:
    return not target.extension and target.attribute.name == "schemas"


def _is_clock(target: Target) -> bool:
    """True for `meta.created` and `meta.lastModified`, which are stored as numbers."""
    meta = not target.extension and target.attribute.name == "meta"
    return meta and target.leaf.type is Type.DATE_TIME


def _comparisons(node: BoundFilter) -> Iterator[Compare[Target]]:
    """Yield the comparisons that have a parameter, in order."""
    match node:
        case Compare(target):
            if not _is_schemas(target):
                yield node
        case Present():
            return
        case Not(term):
            yield from _comparisons(term)
        case And(terms) | Or(terms):
            for term in terms:
                yield from _comparisons(term)
        case Within(target, inner):
            if not _is_schemas(target):
                yield from _comparisons(inner)
        case _:
            assert_never(node)


def _targets(node: BoundFilter) -> Iterator[Target]:
    """Yield what a filter asks for."""
    match node:
        case Compare(target) | Present(target):
            yield target
        case Not(term) | Within(_, term):
            yield from _targets(term)
        case And(terms) | Or(terms):
            for term in terms:
                yield from _targets(term)
        case _:
            assert_never(node)


def _test(target: Target, op: Comparison, operand: Any, slot: str) -> Test:
    value: ColumnElement[Any] = bindparam(slot)
    if isinstance(operand, bool):
        wanted = ONE if operand is (op is Comparison.EQ) else ZERO
        return lambda found: found == wanted
    if op not in _PARTS:
        return lambda found: _ORDERS[op](found, value)
    if operand == "":
        return lambda _: true()
    part = _part(op, operand, slot)
    return (lambda found: part(time_text(found))) if _is_clock(target) else part


def _part(op: Comparison, operand: str, slot: str) -> Test:
    value: ColumnElement[Any] = bindparam(slot)
    if op is Comparison.CO:
        return lambda found: position(found, value) > ZERO
    if op is Comparison.EW:
        before: ColumnElement[int] = bindparam(f"{slot}_length") - ONE
        return lambda found: func.substr(found, func.length(found) - before) == value
    if _after(operand) is None:
        return lambda found: found >= value
    return lambda found: and_(found >= value, found < bindparam(f"{slot}_end"))


_ORDERS: Mapping[Comparison, Callable[[Any, Any], Any]] = {
    Comparison.EQ: operator.eq,
    Comparison.NE: operator.ne,
    Comparison.GT: operator.gt,
    Comparison.GE: operator.ge,
    Comparison.LT: operator.lt,
    Comparison.LE: operator.le,
}


def _after(prefix: str) -> str | None:
    """Return the first text after all that start with `prefix`; None where there is none."""
    head = prefix.rstrip(_LAST_CHARACTER)
    if not head:
        return None
    following = ord(head[-1]) + 1
    return head[:-1] + chr(0xE000 if following == 0xD800 else following)


def describe(node: BoundFilter) -> tuple[str, Parameters]:
    """Return a filter's shape, equal for filters that differ only in values, and its parameters."""
    parameters: Parameters = {}
    for index, comparison in enumerate(_comparisons(node)):
        parameters |= _parameters(comparison, f"v{index}")
    return _shape(node), parameters


def _parameters(comparison: Compare[Target], slot: str) -> Parameters:
    op, value = comparison.op, comparison.value
    if isinstance(value, bool):
        return {}
    if isinstance(value, int | float):
        return {slot: value if abs(value) < INTEGER_LIMIT else float(value)}
    text = str(value)
    if op is Comparison.SW:
        return {slot: text, f"{slot}_end": _after(text)}
    if op is Comparison.EW:
        return {slot: text, f"{slot}_length": len(text)}
    if op not in _PARTS and _is_clock(comparison.path):
        return {slot: to_micros(datetime.fromisoformat(text))}
    return {slot: text}


def _shape(node: BoundFilter) -> str:
    match node:
        case Compare(target, op, value):
            inline = _is_schemas(target) or isinstance(value, bool) or value == ""
            if inline or (op is Comparison.SW and _after(str(value)) is None):
                return str(node)
            return f"{target} {op} ?"
        case Present(target):
            return str(node)
        case Not(term):
            return f"not ({_shape(term)})"
        case And(terms):
            return f"({' and '.join(map(_shape, terms))})"
        case Or(terms):
            return f"({' or '.join(map(_shape, terms))})"
        case Within(target, inner):
            return str(node) if _is_schemas(target) else f"{target}[{_shape(inner)}]"
    assert_never(node)
