"""The JSON Schema (2020-12) of every event, made from the resource types.

Rule: what `events` tells validates here, with attributes left out or reduced to what differs.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.core.access import FOLDER, WORKSPACE, AccessState, Level
from bridge.core.changes import Operation
from bridge.core.events import ACCESS_EVENTS, CHANGED, ENTITY_EVENTS, ENVELOPE
from bridge.core.schema.attributes import Attribute, Returned, Type
from bridge.core.schema.resource_types import Registry, ResourceType

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_IDENTIFIED = {"type": "object", "required": ["id"]}
_TYPES: Mapping[Type, Mapping[str, Any]] = {
    Type.BOOLEAN: {"type": "boolean"},
    Type.INTEGER: {"type": "integer"},
    Type.DECIMAL: {"type": "number"},
    Type.DATE_TIME: {"type": "string", "format": "date-time"},
}
_PLACES: Mapping[str, Mapping[str, Any]] = {
    WORKSPACE: {"displayName": _TEXT},
    FOLDER: {
        "displayName": _TEXT,
        "workspace": _TEXT,
        "parent": _TEXT,
        "access": {"enum": ["team", "invite_only"]},
    },
}


def event_schemas(registry: Registry) -> dict[str, Any]:
    """Return one schema with `$defs`: every event by its type, and every resource by its name."""
    resources = {rtype.name: _resource(rtype) for rtype in registry.resource_types}
    for name, properties in _PLACES.items():
        resources[name] = _object(properties)
    events = {
        f"{name.lower()}.{verb}": _event(f"{name.lower()}.{verb}", _of_entity(name, operation))
        for name in resources
        for operation, verb in ENTITY_EVENTS.items()
    }
    for kind in ACCESS_EVENTS:
        events[kind] = _event(kind, _of_access(changed=kind == CHANGED))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in events],
        "$defs": {**events, **resources},
    }


def _event(kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        "type": {"const": kind},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": data,
    }
    return _object(properties, ENVELOPE)


def _of_entity(name: str, operation: Operation) -> dict[str, Any]:
    properties = _about([name])
    required = list(properties)
    if operation is not Operation.DELETE:
        properties["attributes"] = {"$ref": f"#/$defs/{name}"}
        required.append("attributes")
    if operation is Operation.UPDATE:
        properties["changed"] = _list(_TEXT)
        required.append("changed")
    member = {**_IDENTIFIED, "properties": {"id": _TEXT, "type": _TEXT}}
    properties["members"] = _object({"added": _list(member), "removed": _list(member)})
    properties["members_changed"] = _COUNT
    return _object(properties, required)


def _of_access(*, changed: bool) -> dict[str, Any]:
    how: dict[str, Any] = {
        "level": {"enum": [str(level) for level in Level]},
        "state": {"enum": [str(state) for state in AccessState]},
    }
    user = {"id": _TEXT, **how, **({"was": _object(how, how)} if changed else {})}
    properties = _about([WORKSPACE, FOLDER])
    required = list(properties)
    properties |= {"users": _list(_object(user, user)), "users_changed": _COUNT}
    one_of = [{"required": ["users"]}, {"required": ["users_changed"]}]
    return {**_object(properties, required), "oneOf": one_of}


def _about(names: Iterable[str]) -> dict[str, Any]:
    return {
        "organization": _TEXT,
        "resource": {"enum": list(names)},
        "id": _TEXT,
        "version": {"type": "integer", "minimum": 1},
    }


def _resource(rtype: ResourceType) -> dict[str, Any]:
    properties = _properties(rtype.attributes)
    for extension in rtype.extensions:
        properties[extension.schema.id] = _object(_properties(extension.schema.attributes))
    for kept_elsewhere in ("schemas", "id", "meta", "members", "groups"):
        properties.pop(kept_elsewhere, None)
    return _object({name: _or_null(kind) for name, kind in properties.items()})


def _properties(attributes: Iterable[Attribute]) -> dict[str, Any]:
    return {a.name: _attribute(a) for a in attributes if a.returned is not Returned.NEVER}


def _attribute(attribute: Attribute) -> dict[str, Any]:
    if attribute.type is Type.COMPLEX:
        kind = _object(_properties(attribute.sub_attributes))
    else:
        kind = dict(_TYPES.get(attribute.type, _TEXT))
    kind = {**kind, "description": attribute.description} if attribute.description else kind
    return _list(kind) if attribute.multi_valued else kind


def _or_null(kind: Mapping[str, Any]) -> dict[str, Any]:
    # An update that tells only what differs has null for an attribute that is gone.
    return {**kind, "type": [kind["type"], "null"]} if "type" in kind else dict(kind)


def _object(properties: Mapping[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    kind = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**kind, "required": list(required)} if required else kind


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": dict(items)}
