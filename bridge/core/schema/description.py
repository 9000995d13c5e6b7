"""Schemas and resource types as JSON, both ways (RFC 7643 sections 6 and 7).

The same form is published under `/Schemas` and `/ResourceTypes` and read from configuration.

Rule: `schema_from_data(schema_to_data(schema)) == schema`; what is not understood is refused.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.core.schema.attributes import (
    Attribute,
    Mutability,
    Returned,
    Schema,
    Type,
    Uniqueness,
)
from bridge.core.schema.resource_types import Extension, ResourceType

_IGNORED = frozenset({"schemas", "meta"})
_URN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9_.:/~-]+")
_ATTRIBUTE_NAME = re.compile(r"\$?[A-Za-z][A-Za-z0-9_-]*")
_TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ENDPOINT = re.compile(r"/?[A-Za-z][A-Za-z0-9_-]*")
_TAKEN = frozenset({"/me", "/bulk", "/schemas", "/resourcetypes", "/serviceproviderconfig"})


def schema_from_data(data: Mapping[str, Any]) -> Schema:
    """Return the schema that a mapping in the form of RFC 7643 section 7 describes.

    Raises ValueError that names what is wrong.
    """
    _refuse_unknown(data, {"id", "name", "description", "attributes"}, "schema")
    urn = _text(data, "id", "schema", _URN)
    return Schema(
        id=urn,
        name=str(data.get("name") or urn.rsplit(":", 1)[-1]),
        description=str(data.get("description", "")),
        attributes=tuple(_attribute(item, urn) for item in _list(data, "attributes", urn)),
    )


def resource_type_from_data(data: Mapping[str, Any], schemas: Iterable[Schema]) -> ResourceType:
    """Return the resource type that a mapping in the form of RFC 7643 section 6 describes.

    `schemas` are those that it may name. Raises ValueError that names what is wrong.
    """
    known = {schema.id.lower(): schema for schema in schemas}
    allowed = {"id", "name", "description", "endpoint", "schema", "schemaExtensions"}
    _refuse_unknown(data, allowed, "resource type")
    name = _text(data, "name", "resource type", _TYPE_NAME)
    endpoint = "/" + _text(data, "endpoint", name, _ENDPOINT).removeprefix("/")
    if endpoint.lower() in _TAKEN:
        raise ValueError(f"{name}: {endpoint} is an endpoint of the protocol itself.")

    def schema_of(item: Mapping[str, Any]) -> Schema:
        urn = _text(item, "schema", name)
        if urn.lower() not in known:
            raise ValueError(f"{name}: there is no schema {urn}.")
        return known[urn.lower()]

    extensions = []
    for item in _list(data, "schemaExtensions", name):
        _refuse_unknown(item, {"schema", "required"}, f"extension of {name}")
        extensions.append(Extension(schema_of(item), _boolean(item, "required", name)))
    if len({extension.schema.id for extension in extensions}) < len(extensions):
        raise ValueError(f"{name} names an extension twice.")
    return ResourceType(
        name=name,
        endpoint=endpoint,
        schema=schema_of(data),
        extensions=tuple(extensions),
        description=str(data.get("description", "")),
    )


def schema_to_data(schema: Schema) -> dict[str, Any]:
    """Return a schema as `/Schemas` shows it, without `schemas` and `meta`; never a null in it."""
    return {
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": [_attribute_to_data(attribute) for attribute in schema.attributes],
    }


def resource_type_to_data(rtype: ResourceType) -> dict[str, Any]:
    """Return a resource type as `/ResourceTypes` shows it, without `schemas` and `meta`."""
    return {
        "id": rtype.name,
        "name": rtype.name,
        "description": rtype.description,
        "endpoint": rtype.endpoint,
        "schema": rtype.schema.id,
        "schemaExtensions": [
            {"schema": extension.schema.id, "required": extension.required}
            for extension in rtype.extensions
        ],
    }


def _attribute_to_data(attribute: Attribute) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": attribute.name,
        "type": str(attribute.type),
        "multiValued": attribute.multi_valued,
        "description": attribute.description,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "mutability": str(attribute.mutability),
        "returned": str(attribute.returned),
        "uniqueness": str(attribute.uniqueness),
    }
    if attribute.canonical_values:
        data["canonicalValues"] = list(attribute.canonical_values)
    if attribute.reference_types:
        data["referenceTypes"] = list(attribute.reference_types)
    if attribute.sub_attributes:
        data["subAttributes"] = [_attribute_to_data(sub) for sub in attribute.sub_attributes]
    return data


_ATTRIBUTE_KEYS = frozenset(
    {
        *("name", "type", "multiValued", "description", "required", "caseExact", "mutability"),
        *("returned", "uniqueness", "canonicalValues", "referenceTypes", "subAttributes"),
    }
)


def _attribute(data: Mapping[str, Any], owner: str) -> Attribute:
    _refuse_unknown(data, _ATTRIBUTE_KEYS, f"attribute of {owner}")
    name = _text(data, "name", owner, _ATTRIBUTE_NAME)
    where = f"{owner}, attribute {name}"
    subs = tuple(_attribute(item, where) for item in _list(data, "subAttributes", where))
    kind = _one_of(Type, data, "type", Type.COMPLEX if subs else Type.STRING, where)
    if (kind is Type.COMPLEX) != bool(subs):
        raise ValueError(f"{where}: subAttributes and type complex belong together.")
    if any(sub.type is Type.COMPLEX for sub in subs):
        raise ValueError(f"{where}: a sub-attribute cannot be complex.")
    return Attribute(
        name=name,
        type=kind,
        multi_valued=_boolean(data, "multiValued", where),
        required=_boolean(data, "required", where),
        case_exact=_boolean(data, "caseExact", where),
        mutability=_one_of(Mutability, data, "mutability", Mutability.READ_WRITE, where),
        returned=_one_of(Returned, data, "returned", Returned.DEFAULT, where),
        uniqueness=_one_of(Uniqueness, data, "uniqueness", Uniqueness.NONE, where),
        canonical_values=tuple(map(str, _list(data, "canonicalValues", where))),
        reference_types=tuple(map(str, _list(data, "referenceTypes", where))),
        sub_attributes=subs,
        description=str(data.get("description", "")),
    )


def _refuse_unknown(data: Any, allowed: Iterable[str], what: str) -> None:
    if not isinstance(data, Mapping):
        raise ValueError(f"A {what} must be a table of settings.")  # noqa: TRY004 - one error type
    if unknown := data.keys() - allowed - _IGNORED:
        raise ValueError(f"A {what} has no {', '.join(sorted(unknown))}.")


def _text(data: Any, key: str, where: str, form: re.Pattern[str] | None = None) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{where}: {key} is missing.")
    if form and not form.fullmatch(value):
        raise ValueError(f"{where}: {value!r} cannot be the {key} of one.")
    return value


def _boolean(data: Mapping[str, Any], key: str, where: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{where}: {key} must be true or false.")  # noqa: TRY004 - one error type
    return value


def _list(data: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = data.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{where}: {key} must be a list.")  # noqa: TRY004 - one error type
    return value


def _one_of(kinds: Any, data: Mapping[str, Any], key: str, default: Any, where: str) -> Any:
    try:
        return kinds(data.get(key, default))
    except ValueError:
        choices = ", ".join(kinds)
        raise ValueError(f"{where}: {key} must be one of {choices}.") from None
