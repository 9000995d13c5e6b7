"""SCIM schemas and what they drive: reading, replacing, showing and indexing a document.

Read in this order: `attributes`, `resource_types`, `definitions`, `tolerance`, `values`,
`normalize`, `replace`, `render`, `keys`, `description`.

Rule: a new attribute, extension or resource type is a definition, never a branch.
"""

from bridge.core.schema.attributes import (
    Attribute,
    Mutability,
    Returned,
    Schema,
    Type,
    Uniqueness,
)
from bridge.core.schema.definitions import (
    ENTERPRISE_SCHEMA,
    ENTERPRISE_URN,
    GROUP,
    GROUP_URN,
    STANDARD,
    USER,
    USER_URN,
)
from bridge.core.schema.description import (
    resource_type_from_data,
    resource_type_to_data,
    schema_from_data,
    schema_to_data,
)
from bridge.core.schema.keys import IndexKeys, comparison_key, index_keys, name_key
from bridge.core.schema.normalize import Incoming, normalize
from bridge.core.schema.render import Projection, projection, render
from bridge.core.schema.replace import replace
from bridge.core.schema.resource_types import (
    COMMON,
    Extension,
    Registry,
    ResourceType,
    Target,
)
from bridge.core.schema.tolerance import LENIENT, PROFILES, STRICT, Quirk, Tolerance
from bridge.core.schema.values import ValueReader

__all__ = [
    "COMMON",
    "ENTERPRISE_SCHEMA",
    "ENTERPRISE_URN",
    "GROUP",
    "GROUP_URN",
    "LENIENT",
    "PROFILES",
    "STANDARD",
    "STRICT",
    "USER",
    "USER_URN",
    "Attribute",
    "Extension",
    "Incoming",
    "IndexKeys",
    "Mutability",
    "Projection",
    "Quirk",
    "Registry",
    "ResourceType",
    "Returned",
    "Schema",
    "Target",
    "Tolerance",
    "Type",
    "Uniqueness",
    "ValueReader",
    "comparison_key",
    "index_keys",
    "name_key",
    "normalize",
    "projection",
    "render",
    "replace",
    "resource_type_from_data",
    "resource_type_to_data",
    "schema_from_data",
    "schema_to_data",
]
