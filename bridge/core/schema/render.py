"""Showing a document: which attributes an answer holds (RFC 7644 section 3.9, RFC 7643 `returned`).

Rule: `always` survives every request, `never` none, `request` needs to be named; names that mean
nothing here are ignored.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import attrs

from bridge.core.errors import InvalidValue
from bridge.core.resources import Attributes
from bridge.core.schema.attributes import Attribute, Returned
from bridge.core.schema.resource_types import ResourceType

# What to keep of an attribute: all of it, or only these sub-attributes.
Keep = bool | frozenset[str]
Wishes = Mapping[str, frozenset[str | None]]


@attrs.frozen
class Projection:
    """Which attributes an answer holds: by name, and by extension URN and name."""

    base: Mapping[str, Keep]
    extensions: Mapping[str, Mapping[str, Keep]]

    def includes(self, name: str) -> bool:
        """True when the answer holds this base or common attribute ("members"), or part of it."""
        return name in self.base


def projection(
    rtype: ResourceType, attributes: Iterable[str] = (), excluded: Iterable[str] = ()
) -> Projection:
    """Return what the parameters `attributes` and `excludedAttributes` ask for.

    Each is an iterable of attribute paths. Raises InvalidValue when both are given: they exclude
    each other.
    """
    wanted = tuple(name.strip() for name in attributes if name.strip())
    unwanted = tuple(name.strip() for name in excluded if name.strip())
    if wanted and unwanted:
        raise InvalidValue("Give either attributes or excludedAttributes, not both.")
    return _projection(rtype, wanted, unwanted)


def render(
    rtype: ResourceType, document: Attributes, shown: Projection | None = None
) -> dict[str, Any]:
    """Return the part of `document` that `shown` includes; by default what `returned` says.

    `document` may hold the common attributes, groups and members besides the stored ones.
    """
    view = shown or _projection(rtype, (), ())
    result = _select(view.base, document)
    for urn, keeps in view.extensions.items():
        if urn in document and (part := _select(keeps, document[urn])):
            result[urn] = part
    return result


def _select(keeps: Mapping[str, Keep], values: Mapping[str, Any]) -> dict[str, Any]:
    result = {}
    for name, value in values.items():
        keep = keeps.get(name)
        if keep is True:
            result[name] = value
        elif keep and (part := _part(keep, value)):
            result[name] = part
    return result


def _part(names: frozenset[str], value: Any) -> Any:
    if isinstance(value, list):
        return [part for entry in value if (part := _part(names, entry))]
    return {name: item for name, item in value.items() if name in names}


@lru_cache(maxsize=1024)
def _projection(
    rtype: ResourceType, wanted: tuple[str, ...], unwanted: tuple[str, ...]
) -> Projection:
    named, dropped = _wishes(rtype, wanted), _wishes(rtype, unwanted)
    only = bool(wanted)
    return Projection(
        base=_keeps("", rtype.attributes, named, dropped, only=only),
        extensions={
            e.schema.id: _keeps(e.schema.id, e.schema.attributes, named, dropped, only=only)
            for e in rtype.extensions
        },
    )


def _wishes(rtype: ResourceType, paths: Iterable[str]) -> Wishes:
    """Sub-attribute names asked for by attribute (key: canonical path); None is all of them."""
    wishes: dict[str, frozenset[str | None]] = {}
    for path in paths:
        extension = rtype.extension(path)
        target = rtype.target(path)
        if extension:
            keys = [f"{extension.id}:{a.name}" for a in extension.attributes]
            sub = None
        elif target:
            keys = [f"{target.extension}:{target.attribute.name}"]
            sub = target.sub.name if target.sub else None
        else:
            continue
        for key in keys:
            wishes[key] = wishes.get(key, frozenset()) | {sub}
    return wishes


def _keeps(
    extension: str, attributes: Iterable[Attribute], named: Wishes, dropped: Wishes, *, only: bool
) -> dict[str, Keep]:
    keeps: dict[str, Keep] = {}
    for attribute in attributes:
        key = f"{extension}:{attribute.name}"
        keep = _keep(attribute, named.get(key), dropped.get(key), only=only)
        if keep:
            keeps[attribute.name] = keep
    return keeps


def _keep(
    attribute: Attribute,
    named: frozenset[str | None] | None,
    dropped: frozenset[str | None] | None,
    *,
    only: bool,
) -> Keep:
    """Decide on one attribute: True, False, or the sub-attributes to keep."""
    whole = named is not None and None in named
    if attribute.returned is Returned.NEVER:
        return False
    if attribute.returned is not Returned.ALWAYS:
        if named is None and (only or attribute.returned is Returned.REQUEST):
            return False
        if dropped is not None and None in dropped:
            return False
    subs = attribute.sub_attributes
    if not subs:
        return True
    every = whole or named is None
    kept = frozenset(
        sub.name
        for sub in subs
        if sub.returned is Returned.ALWAYS
        or (named is not None and sub.name in named and sub.returned is not Returned.NEVER)
        or (every and sub.returned is Returned.DEFAULT and sub.name not in (dropped or ()))
    )
    return True if len(kept) == len(subs) else kept
