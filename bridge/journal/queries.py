"""Searching resources: filter, order and page.

A query is compiled once per shape (type, filter without its values, order); after that it costs a
look-up and a run. The order is always complete: whatever sorts alike is in order of id.

A page is found by its number (`search`) or by the place where another one ended (`walk`). Walking
by id, or by the type's name, costs the page and not what lies before it.

Rule: what is found is found by SQL; no row is read to be thrown away here.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Select, and_, bindparam, func, null, or_, select

from bridge.core.errors import InvalidValue
from bridge.core.filters import BoundFilter
from bridge.core.resources import Resource
from bridge.core.schema import ResourceType, Target, Type
from bridge.journal import tables
from bridge.journal.documents import by_hand, first_at, fold, text_at
from bridge.journal.filtering import condition, describe, is_narrow
from bridge.journal.places import Column, Places, folds, keys_of, kind_of
from bridge.journal.resources import COLUMNS, resource_of
from bridge.journal.statements import ZERO, Prepared, prepared
from bridge.journal.store import Reader

SHAPES_KEPT = 256
"""Shapes of queries that are kept compiled."""

_r = tables.resource


@attrs.frozen
class SearchResult:
    """One page; `total` counts everything that matches."""

    total: int
    resources: list[Resource]


@attrs.frozen
class Place:
    """Where a resource stands in an order: its sort key (None without one) and its id."""

    key: str | int | float | None
    id: str


@attrs.frozen
class Stretch:
    """The resources next to a place, in order, with the place of each; `more` lie beyond them."""

    resources: list[Resource]
    places: list[Place]
    more: bool


@attrs.frozen
class _Shape:
    """What makes two queries one statement, and the first such query to compile it from.

    `by_place`: its page is not numbered but lies after a place, in front of it if `backward`;
    `place_has_key` tells the two forms of that condition apart, None where there is no place yet.
    """

    rtype: ResourceType = attrs.field(eq=id)
    filter_shape: str
    sort: str
    descending: bool
    filter: BoundFilter | None = attrs.field(eq=False)
    sort_target: Target | None = attrs.field(eq=False)
    by_place: bool = False
    place_has_key: bool | None = None
    backward: bool = False


def search(
    reader: Reader,
    rtype: ResourceType,
    organization: str,
    filter: BoundFilter | None,  # noqa: A002 - SCIM's own word
    *,
    start: int,
    count: int,
    sort: Target | None = None,
    descending: bool = False,
    addresses: Mapping[str, str] | None = None,
) -> SearchResult:
    """Return the resources of a type that match: at most `count`, from offset `start` (0-based).

    Without `sort` they come by id. Resources without the sorted attribute come last, or first when
    descending (RFC 7644 3.4.2.3); of several values the primary or first counts. `addresses` holds
    what comes before the id in `meta.location` and `$ref`, by resource type name.
    Raises InvalidValue for an attribute that has no order.
    """
    shape, parameters = _shape(rtype, organization, filter, sort, descending, addresses)
    page, total = _statements(shape)
    rows = reader.rows(page, **parameters, start=start, count=count) if count > 0 else []
    if rows and len(rows) < count:
        found = start + len(rows)
    else:
        found = int((reader.row(total, **parameters) or (0,))[0])
    return SearchResult(found, [resource_of(organization, row) for row in rows])


def walk(
    reader: Reader,
    rtype: ResourceType,
    organization: str,
    filter: BoundFilter | None,  # noqa: A002 - SCIM's own word
    *,
    place: Place | None,
    count: int,
    backward: bool = False,
    sort: Target | None = None,
    descending: bool = False,
    addresses: Mapping[str, str] | None = None,
) -> Stretch:
    """Return at most `count` resources that match, after `place` in the order of `search`.

    Without a place they are the first ones; `backward` gives those in front of it. What comes and
    goes meanwhile moves nobody: who stays is met exactly once. Raises as `search` does.
    """
    shape, parameters = _shape(rtype, organization, filter, sort, descending, addresses)
    if place is not None:
        parameters |= {"place_id": place.id, "place_key": place.key}
    has_key = None if place is None else place.key is not None
    shape = attrs.evolve(shape, by_place=True, place_has_key=has_key, backward=backward)
    page, _ = _statements(shape)
    rows = reader.rows(page, **parameters, start=0, count=count + 1)
    more, rows = len(rows) > count, rows[:count]
    if backward:
        rows.reverse()
    found = [resource_of(organization, row[:-1]) for row in rows]
    places = [Place(row[-1], each.entity.id) for row, each in zip(rows, found, strict=True)]
    return Stretch(found, places, more)


def _shape(
    rtype: ResourceType,
    organization: str,
    node: BoundFilter | None,
    sort: Target | None,
    descending: bool,
    addresses: Mapping[str, str] | None,
) -> tuple[_Shape, dict[str, Any]]:
    filter_shape, parameters = ("", {}) if node is None else describe(node)
    parameters |= {"organization": organization, "type": rtype.name}
    parameters |= {f"address_{name}": address for name, address in (addresses or {}).items()}
    return _Shape(rtype, filter_shape, str(sort or ""), descending, node, sort), parameters


@lru_cache(maxsize=SHAPES_KEPT)
def _statements(shape: _Shape) -> tuple[Prepared, Prepared]:
    matching = [
        _r.c.organization == bindparam("organization"),
        _r.c.type == bindparam("type"),
        _r.c.deleted == ZERO,
    ]
    if shape.filter is not None:
        matching.append(condition(shape.rtype, shape.filter))
    narrow = shape.filter is not None and is_narrow(shape.rtype, shape.filter)
    in_order = by_hand if narrow else lambda key: key
    key = _sort_key(shape.rtype, shape.sort_target) if shape.sort_target is not None else None
    page: Select[Any] = select(*COLUMNS).where(*matching)
    if shape.by_place:
        page = page.add_columns(null() if key is None else key)
        if shape.place_has_key is not None:
            page = page.where(_beyond(shape, key))
    if key is not None:
        ordered = in_order(key)
        page = page.order_by(
            ordered.asc().nulls_last() if _rises(shape) else ordered.desc().nulls_first()
        )
    id_ = in_order(_r.c.id)
    page = page.order_by(id_.desc() if shape.backward else id_)
    page = page.limit(bindparam("count")).offset(bindparam("start"))
    return prepared(page), prepared(select(func.count()).select_from(_r).where(*matching))


def _never_shared(shape: _Shape) -> bool:
    """Say whether everyone has a key of the order, of their own: an index then leads to it."""
    name = shape.rtype.name_attribute
    by_name = shape.sort_target is not None and shape.sort_target.attribute is name
    return by_name and name is not None and name.required


def _rises(shape: _Shape) -> bool:
    """Say whether keys grow in the direction of the walk, those without one being last."""
    return shape.descending == shape.backward


def _beyond(shape: _Shape, key: ColumnElement[Any] | None) -> ColumnElement[bool]:
    place_id: ColumnElement[str] = bindparam("place_id")
    beyond = _r.c.id < place_id if shape.backward else _r.c.id > place_id
    if key is None:
        return beyond
    if not shape.place_has_key:
        alike = and_(key.is_(None), beyond)
        return alike if _rises(shape) else or_(alike, key.is_not(None))
    place_key: ColumnElement[Any] = bindparam("place_key")
    ahead = key > place_key if _rises(shape) else key < place_key
    if _never_shared(shape):
        return ahead
    alike = and_(key == place_key, beyond)
    return or_(ahead, alike, key.is_(None)) if _rises(shape) else or_(ahead, alike)


def sorts_by(rtype: ResourceType, target: Target) -> Target | None:
    """Return what sorting by `target` means: a complex one its `value`; None if it has no order."""
    places = Places(rtype)
    if target.leaf.type is Type.COMPLEX:
        target = attrs.evolve(target, sub=target.attribute.sub("value"))
    no_order = target.leaf.type is Type.COMPLEX or target.attribute.name == "schemas"
    related = places.holds_members(target) or places.holds_groups(target)
    return None if no_order or related else target


def _sort_key(rtype: ResourceType, named: Target) -> ColumnElement[Any]:
    target = sorts_by(rtype, named)
    if target is None:
        raise InvalidValue(f"{rtype.name} resources cannot be sorted by {named}.")
    place = Places(rtype).of(target)
    if isinstance(place, Column):
        return place.expression
    keys, part = keys_of(target), target.sub.name if target.sub else None
    kind = kind_of(target.leaf)
    if target.attribute.multi_valued:
        value: ColumnElement[Any] = first_at(_r.c.document, keys, part, kind)
    elif part is not None:
        value = text_at(_r.c.document, *keys, part, kind=kind)
    else:
        value = text_at(_r.c.document, *keys, kind=kind)
    return fold(value) if folds(target.leaf) else value
