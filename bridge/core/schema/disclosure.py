"""Disclosure: a change as it may be told to somebody who is no target of provisioning.

Rule: an attribute that is `returned: never` does not pass, nor anything whose type is not known.
"""

from functools import lru_cache
from typing import Any

import attrs

from bridge.core.access import TARGETS
from bridge.core.changes import ChangeRecord
from bridge.core.resources import Attributes
from bridge.core.schema.attributes import Attribute, Returned
from bridge.core.schema.resource_types import Registry, ResourceType

Hidden = dict[str, Any]
"""By attribute name (or extension URN) what of it is hidden: True for all, or a further Hidden."""


def disclosed(registry: Registry, change: ChangeRecord) -> ChangeRecord:
    """Return a change without what `registry` says is never returned, and without its password."""
    change = attrs.evolve(change, password=None) if change.password is not None else change
    if change.entity.type in TARGETS:
        return change
    rtype = registry.by_name(change.entity.type)
    hidden = _hidden(rtype) if rtype else None
    if hidden is not None and not hidden:
        return change
    return attrs.evolve(
        change,
        before=_shown(change.before, hidden),
        after=_shown(change.after, hidden),
    )


@lru_cache(maxsize=256)
def _hidden(rtype: ResourceType) -> Hidden:
    own = _of(rtype.attributes)
    extensions = {each.schema.id: _of(each.schema.attributes) for each in rtype.extensions}
    return own | {urn: hidden for urn, hidden in extensions.items() if hidden}


def _of(attributes: tuple[Attribute, ...]) -> Hidden:
    hidden: Hidden = {}
    for attribute in attributes:
        if attribute.returned is Returned.NEVER:
            hidden[attribute.name] = True
        elif inner := _of(attribute.sub_attributes):
            hidden[attribute.name] = inner
    return hidden


def _shown(document: Attributes | None, hidden: Hidden | None) -> Attributes | None:
    if document is None:
        return None
    shown: Attributes = {} if hidden is None else _without(document, hidden)
    return shown


def _without(value: Any, hidden: Hidden) -> Any:
    if isinstance(value, list):
        return [_without(entry, hidden) for entry in value]
    result = {}
    for name, item in value.items():
        inner = hidden.get(name)
        if inner is None:
            result[name] = item
        elif inner is not True and (kept := _without(item, inner)):
            result[name] = kept
    return result
