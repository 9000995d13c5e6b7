"""The JSON Schema of the configuration, for editors and for the reference page.

Rule: made from the classes, never written by hand.
"""

import enum
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from bridge.config.model import BackendTable, Configuration
from bridge.config.structuring import alternatives, field_types
from bridge.core.secret import Secret

_SCALARS: Mapping[Any, Mapping[str, Any]] = {
    str: {"type": "string"},
    Path: {"type": "string"},
    Secret: {"type": "string", "writeOnly": True},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
}


def json_schema(backend_types: Mapping[str, type[Any]]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file; `backend_types`: settings class by type."""
    schema = _object(Configuration)
    own = _object(BackendTable)
    del own["properties"]["settings"]
    schema["properties"]["backends"]["items"] = {
        "oneOf": [_backend(own, name, settings) for name, settings in sorted(backend_types.items())]
        or [own]
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _backend(own: Mapping[str, Any], name: str, settings: type[Any]) -> dict[str, Any]:
    theirs = _object(settings)
    return {
        "title": name,
        "type": "object",
        "properties": {**own["properties"], **theirs["properties"], "type": {"const": name}},
        "required": [*own["required"], *theirs.get("required", [])],
        "additionalProperties": False,
    }


def _object(cls: type[Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    kinds = field_types(cls)
    for field in attrs.fields(cls):
        kind = _kind(kinds[field.name])
        if meaning := field.metadata.get("meaning"):
            kind["description"] = meaning
        if field.default is attrs.NOTHING:
            required.append(field.name)
        elif isinstance(field.default, (str, int, float, bool)):
            kind["default"] = field.default
        properties[field.name] = kind
        if Secret in alternatives(kinds[field.name]):
            properties[f"{field.name}_file"] = {
                "type": "string",
                "description": f"File that holds `{field.name}`.",
            }
            if field.name in required:
                required.remove(field.name)  # the file does as well
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": required} if required else {})


def _kind(kind: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    options = [one for one in alternatives(kind) if one is not type(None)]
    if len(alternatives(kind)) > 1:
        return _kind(options[0]) if len(options) == 1 else {"anyOf": [_kind(o) for o in options]}
    match kind:
        case _ if kind in _SCALARS:
            schema = dict(_SCALARS[kind])
        case _ if origin is typing.Literal:
            schema = {"enum": list(arguments)}
        case _ if origin in (tuple, frozenset):
            schema = {"type": "array", "items": _kind(arguments[0])}
        case _ if attrs.has(kind):
            schema = _object(kind)
        case _ if origin is not None:
            schema = {"type": "object", "additionalProperties": _kind(arguments[1])}
        case _ if isinstance(kind, enum.EnumMeta):
            schema = {"enum": [member.value for member in list[Any](kind)]}
        case _:
            schema = {}
    return schema
