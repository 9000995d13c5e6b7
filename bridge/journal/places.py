"""Where each attribute of a resource is kept: a column, an index row, a member row, the document.

Where a column or row holds an attribute's comparison keys, filters and sorting use that; any other
attribute is looked up in the document.

Rule: a place never yields NULL as an answer, so that `not` means what it says.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    true,
)

from bridge.core.schema import COMMON, Attribute, ResourceType, Target, Type
from bridge.journal import tables
from bridge.journal.documents import (
    ATOM,
    IS_TRUE,
    KIND,
    NUMBER,
    VALUE,
    Keys,
    Kind,
    Leaves,
    Values,
    fold,
)
from bridge.journal.statements import ONE, ZERO

Kinds = tuple[str, ...]
Test = Callable[[ColumnElement[Any]], ColumnElement[bool]]
_UNFOLDED = frozenset({Type.DATE_TIME, Type.BINARY})
_COMMON_NAMES = frozenset(attribute.name for attribute in COMMON)

_r, _v, _m = tables.resource, tables.resource_value, tables.member
_other = tables.resource.alias("other")


@attrs.frozen
class Column:
    """A column of the row at hand in the form of comparison keys; NULL where there is no value."""

    expression: ColumnElement[Any]

    def exists(self) -> ColumnElement[bool]:
        return self.expression.is_not(None)

    filled = exists  # no empty text is ever stored

    def any(self, test: Test) -> ColumnElement[bool]:
        return and_(self.exists(), test(self.expression))


@attrs.frozen
class Rows:
    """A column of rows that belong to resources; `owners` selects whose rows fulfil a condition."""

    owners: Callable[[ColumnElement[bool]], Select[str]]
    column: Column

    def exists(self) -> ColumnElement[bool]:
        return self._where(self.column.exists())

    filled = exists

    def any(self, test: Test) -> ColumnElement[bool]:
        return self._where(self.column.any(test))

    def _where(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        return _r.c.id.in_(self.owners(condition))


@attrs.frozen
class InDocument:
    """Values in the stored document; only those of the attribute's own JSON type are compared."""

    values: FromClause
    leaves: FromClause
    kinds: Kinds
    expression: ColumnElement[Any]

    def exists(self) -> ColumnElement[bool]:
        return some(self.values, true())

    def filled(self) -> ColumnElement[bool]:
        return some(self.leaves, and_(ATOM.is_not(None), ATOM != ""))

    def any(self, test: Test) -> ColumnElement[bool]:
        kinds = [literal_column(f"'{kind}'", Text) for kind in self.kinds]
        return some(self.values, and_(KIND.in_(kinds), test(self.expression)))


Place = Column | Rows | InDocument


def some(source: FromClause, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(ONE).select_from(source).where(condition))


def in_document(target: Target, document: ColumnElement[str] | None, keys: Keys) -> InDocument:
    leaf = target.leaf
    inner = None
    if document is not None and target.sub is not None:
        if target.attribute.multi_valued:
            inner = target.sub.name
        else:
            keys = (*keys, target.sub.name)
    text: ColumnElement[Any] = fold(VALUE) if folds(leaf) else VALUE
    kinds, expression = _JSON_TYPES.get(leaf.type, (_TEXT, text))
    return InDocument(
        Values(document, keys, inner), Leaves(document, keys, inner), kinds, expression
    )


def folds(leaf: Attribute) -> bool:
    """Say whether texts of an attribute are compared by their folded key."""
    return not leaf.case_exact and leaf.type not in _UNFOLDED and leaf.type not in _JSON_TYPES


_TEXT: Kinds = ("text",)
_JSON_TYPES: Mapping[Type, tuple[Kinds, ColumnElement[Any]]] = {
    Type.BOOLEAN: (("true", "false"), IS_TRUE),
    Type.INTEGER: (("integer", "real"), NUMBER),
    Type.DECIMAL: (("integer", "real"), NUMBER),
}


def kind_of(leaf: Attribute) -> Kind:
    """Return as what the values of an attribute are sorted."""
    if leaf.type is Type.BOOLEAN:
        return Kind.BOOLEAN
    return Kind.NUMBER if leaf.type in _JSON_TYPES else Kind.TEXT


def keys_of(target: Target) -> Keys:
    name = target.attribute.name
    return (target.extension, name) if target.extension else (name,)


def _address(kind: ColumnElement[str], ids: ColumnElement[str], types: tuple[str, ...]) -> Column:
    prefixes: Any = [(kind == name, bindparam(f"address_{name}", "")) for name in types]
    return Column(case(*prefixes).concat(ids))


@attrs.frozen
class Places:
    """Where the attributes of one resource type are kept."""

    rtype: ResourceType

    def of(self, target: Target) -> Place:
        """Return where the values of a target are; `schemas` is kept nowhere, see `Conditions`."""
        name = "" if target.extension else target.attribute.name
        if name in _COMMON_NAMES:
            return self._common(target)
        if self.holds_members(target):
            return Rows(with_members, member_part(target))
        if self.holds_groups(target):
            through = is_way(target)
            return Rows(in_groups_by_way if through else in_groups, group_part(target, through))
        if target.attribute is self.rtype.name_attribute:
            return Column(_r.c.name_key)
        if (target, True) in self.rtype.indexed or (target, False) in self.rtype.indexed:
            return self._indexed(target)
        leaf = target.leaf
        single = target.sub is None and not leaf.multi_valued
        if name == "displayName" and single and leaf.type is Type.STRING and not leaf.case_exact:
            return Column(_r.c.display_key)
        if name == "active" and single and leaf.type is Type.BOOLEAN:
            return Column(_r.c.active)
        return in_document(target, _r.c.document, keys_of(target))

    def holds_members(self, target: Target) -> bool:
        """Say whether the target is a group's members, which are rows."""
        return (
            self.rtype.has_members and not target.extension and target.attribute.name == "members"
        )

    def holds_groups(self, target: Target) -> bool:
        """Say whether the target is a resource's groups, the same rows from the other end."""
        attribute = target.attribute
        return not target.extension and attribute.name == "groups" and attribute.read_only

    def _common(self, target: Target) -> Column:
        part = target.sub.name if target.sub else target.attribute.name
        if part == "location":
            return _address(literal_column(f"'{self.rtype.name}'"), _r.c.id, (self.rtype.name,))
        if part == "version":
            return Column(literal_column("'W/\"'").concat(_r.c.version).concat('"'))
        return Column(
            {
                "id": _r.c.id,
                "externalId": _r.c.external_id,
                "created": _r.c.created,
                "lastModified": _r.c.last_modified,
                "resourceType": _r.c.type,
                "meta": _r.c.id,  # every resource has one
            }[part]
        )

    def _indexed(self, target: Target) -> Place:
        if target.leaf.type in _JSON_TYPES:  # the index holds text, which sorts differently
            return in_document(target, _r.c.document, keys_of(target))
        values = select(_v.c.resource).where(
            _v.c.organization == bindparam("organization"),
            _v.c.type == bindparam("type"),
            _v.c.path == str(target),
        )
        return Rows(values.where, Column(_v.c.key))

    def of_entry(self, target: Target) -> Place:
        """Return where the values of a target are in the entry `e` of the list around it."""
        return in_document(target, None, (target.sub.name,) if target.sub else ())


# --- Members and groups -------------------------------------------------------------------------


def member_part(target: Target) -> Column:
    """Return the part of a member row that a target of `members` means."""
    match target.sub.name if target.sub else "value":
        case "value":
            return Column(_m.c.member_id)
        case "display":
            return _display(_m.c.member_id)
        case "type":
            return Column(fold(_m.c.type))
    return _address(_m.c.type, _m.c.member_id, target.leaf.reference_types)


def with_members(condition: ColumnElement[bool]) -> Select[str]:
    """Return the ids of groups that have a member for whom the condition holds."""
    return select(_m.c.group_id).where(_m.c.organization == bindparam("organization"), condition)


def is_way(target: Target) -> bool:
    """Say whether a target of `groups` is `type`: what depends on the way to the group."""
    return target.sub is not None and target.sub.name == "type"


def group_part(target: Target, through: bool) -> Column:
    """Return what a target of `groups` means: of the member row, or (`through`) of `reached`."""
    group = _REACHED_GROUP if through else _m.c.group_id
    match target.sub.name if target.sub else "value":
        case "value":
            return Column(group)
        case "display":
            return _display(group)
        case "type":
            return Column(case((_REACHED_DIRECTLY == ONE, "direct"), else_="indirect"))
    return _address(literal_column("'Group'"), group, target.leaf.reference_types)


def in_groups(condition: ColumnElement[bool]) -> Select[str]:
    """Return the ids of resources that are, directly or through others, in such a group."""
    return in_groups_by_way(true(), condition)


def in_groups_by_way(
    way: ColumnElement[bool], condition: ColumnElement[bool] | None = None
) -> Select[str]:
    """Return the ids of resources by a condition on their way to a group, and one on its rows.

    The walk starts at the rows of the groups in question and goes down through groups in groups; a
    union of distinct rows ends it where groups contain each other.
    """
    member = tables.member.alias()
    start = select(
        _m.c.member_id.label("resource"),
        _m.c.group_id.label("grp"),
        _m.c.type.label("kind"),
        ONE.label("direct"),
    ).where(
        _m.c.organization == bindparam("organization"), true() if condition is None else condition
    )
    walk = start.cte(recursive=True)
    inside = and_(
        member.c.organization == bindparam("organization"), member.c.group_id == walk.c.resource
    )
    further = select(member.c.member_id, walk.c.grp, member.c.type, ZERO)
    walk = walk.union(further.join(member, inside).where(walk.c.kind == "Group"))
    rows = select(walk.c.resource, walk.c.grp, func.max(walk.c.direct).label("direct"))
    reached = rows.group_by(walk.c.resource, walk.c.grp).subquery("reached")
    return select(reached.c.resource).where(way)


_REACHED_GROUP: ColumnElement[str] = literal_column("reached.grp", Text)
_REACHED_DIRECTLY: ColumnElement[int] = literal_column("reached.direct", Integer)


def _display(ids: ColumnElement[str]) -> Column:
    key = func.coalesce(_other.c.display_key, _other.c.name_key)
    named = select(key).where(_other.c.organization == bindparam("organization"))
    return Column(named.where(_other.c.id == ids).correlate(_m).scalar_subquery())
