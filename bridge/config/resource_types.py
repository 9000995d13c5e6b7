"""Schemas and resource types from the configuration, beside the standard ones.

    [[schemas]]           a schema in the form of RFC 7643 section 7
    [[resource_types]]    a resource type in the form of section 6; one that is named after a
                          standard type only adds its `schemaExtensions` to it

Rule: all that is wrong is reported at once, each with its place in the configuration.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from bridge.config.model import Configuration
from bridge.core.errors import OperatorError
from bridge.core.schema import (
    STANDARD,
    Registry,
    ResourceType,
    Schema,
    resource_type_from_data,
    resource_type_to_data,
    schema_from_data,
)


def registry_of(configuration: Configuration) -> Registry:
    """Return every resource type that the configuration makes the bridge serve.

    Raises an ExceptionGroup of OperatorError BRG-CONFIG-INVALID.
    """
    if not (configuration.schemas or configuration.schema_files or configuration.resource_types):
        return STANDARD
    reading = _Reading()
    reading.read_schemas(configuration)
    reading.refuse_faults()  # resource types that lack a faulty schema would only repeat it
    for number, table in enumerate(configuration.resource_types):
        with reading.at(f"resource_types.{number}"):
            reading.read_resource_type(table)
    with reading.at("resource_types"):
        registry = Registry(tuple(reading.types.values()))
    reading.refuse_faults()
    return registry


@attrs.define
class _Reading:
    schemas: dict[str, Schema] = attrs.field(
        factory=lambda: {schema.id.lower(): schema for schema in STANDARD.schemas}
    )
    types: dict[str, ResourceType] = attrs.field(
        factory=lambda: {rtype.name: rtype for rtype in STANDARD.resource_types}
    )
    faults: list[str] = attrs.field(factory=list)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            self.faults.append(f"{place}: {error}")

    def refuse_faults(self) -> None:
        if self.faults:
            step = "Mend that place; docs/how-to/declare-resource-types.md shows examples."
            raise ExceptionGroup(
                "configuration",
                [OperatorError("BRG-CONFIG-INVALID", fault, step) for fault in self.faults],
            )

    def read_schemas(self, configuration: Configuration) -> None:
        for number, table in enumerate(configuration.schemas):
            with self.at(f"schemas.{number}"):
                self._add(table)
        for number, path in enumerate(configuration.schema_files):
            with self.at(f"schema_files.{number}: {path}"):
                for table in _tables_in(path):
                    self._add(table)

    def _add(self, table: Mapping[str, Any]) -> None:
        schema = schema_from_data(table)
        if schema.id.lower() in self.schemas:
            raise ValueError(f"{schema.id} is defined already.")
        self.schemas[schema.id.lower()] = schema

    def read_resource_type(self, table: Mapping[str, Any]) -> None:
        name = table.get("name")
        standard = STANDARD.by_name(name) if isinstance(name, str) else None
        if standard is not None:
            table = _extended(self.types[standard.name], table)
        elif name in self.types:
            raise ValueError(f"{name} is defined already.")
        rtype = resource_type_from_data(table, self.schemas.values())
        self.types[rtype.name] = rtype


def _extended(rtype: ResourceType, table: Mapping[str, Any]) -> Mapping[str, Any]:
    if others := sorted(table.keys() - {"name", "schemaExtensions"}):
        raise ValueError(f"{rtype.name} takes schemaExtensions only, not {', '.join(others)}.")
    data, more = resource_type_to_data(rtype), table.get("schemaExtensions")
    if not isinstance(more, list):
        raise ValueError(f"{rtype.name}: schemaExtensions must be a list.")  # noqa: TRY004
    return {**data, "schemaExtensions": [*data["schemaExtensions"], *more]}


def _tables_in(path: Path) -> list[Any]:
    """Return the schemas of a JSON file: one, a list of them, or what `GET /Schemas` answers."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}.") from None
    if isinstance(data, dict):
        data = data.get("Resources", [data])
    if not isinstance(data, list):
        raise ValueError("it must hold a schema or a list of schemas.")  # noqa: TRY004
    return data
