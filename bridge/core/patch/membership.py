"""Operations on `members` as edits (RFC 7644 section 3.5.2; Okta and Entra ID group push).

Rule: an edit is as large as the operation, whatever the size of the group.
"""

from typing import Any

from bridge.core import errors
from bridge.core.filters import (
    BoundFilter,
    Compare,
    Comparison,
    FilterNode,
    Not,
    Or,
    Present,
    Within,
    bind_within,
    evaluate_entry,
)
from bridge.core.members import (
    AddMembers,
    MemberEdit,
    RemoveMatching,
    RemoveMembers,
    ReplaceMembers,
)
from bridge.core.patch.operations import Op
from bridge.core.patch.work import terms
from bridge.core.schema.normalize import member_ids
from bridge.core.schema.resource_types import Target
from bridge.core.schema.tolerance import Quirk
from bridge.core.schema.values import ValueReader

_KNOWN = frozenset({"value", "type"})


def edit(
    values: ValueReader, members: Target, node: FilterNode | None, op: Op, raw: Any
) -> MemberEdit | None:
    """Return the edit that one operation on `members` means; None when it means nothing.

    Raises errors.Mutability for a change inside a membership: it can only come or go.
    """
    if members.sub is not None or (node is not None and op is not Op.REMOVE):
        raise errors.Mutability("A member cannot be changed: remove it and add the other.")
    if node is not None:
        return _removal(bind_within(node, members, values), terms(node))
    if op is Op.REMOVE and raw is None:
        return ReplaceMembers(())
    ids = member_ids(values, members.attribute, raw)
    if op is Op.REPLACE:
        return ReplaceMembers(ids)
    if op is Op.ADD:
        skip_unknown = Quirk.UNKNOWN_MEMBER in values.tolerance.allowed
        return AddMembers(ids, skip_unknown) if ids else None
    if Quirk.REMOVE_NAMED not in values.tolerance.allowed:
        return ReplaceMembers(())
    values.tolerated.add(Quirk.REMOVE_NAMED)
    return RemoveMembers(ids) if ids else None


def _removal(bound: BoundFilter, cost: int) -> MemberEdit:
    alternatives = bound.terms if isinstance(bound, Or) else (bound,)
    named = [
        str(term.value)
        for term in alternatives
        if isinstance(term, Compare) and term.op is Comparison.EQ and term.path.leaf.name == "value"
    ]
    if len(named) == len(alternatives):
        return RemoveMembers(tuple(named))
    _refuse_unknown(bound)
    return RemoveMatching(lambda m: evaluate_entry(bound, {"value": m.id, "type": m.type}), cost)


def _refuse_unknown(node: BoundFilter) -> None:
    match node:
        case Compare(path=path) | Present(path=path):
            if path.leaf.name not in _KNOWN:
                raise errors.InvalidFilter("Members can be filtered by value and type only.")
        case Not(term=term):
            _refuse_unknown(term)
        case Within():
            raise errors.InvalidFilter("Members can be filtered by value and type only.")
        case _:
            for term in node.terms:
                _refuse_unknown(term)
