"""Resources: what should be true about a user, a group or any other configured type.

A resource is a schema-driven document, not a class per type: custom types are configuration
(`bridge.core.schema` gives the document its meaning). Members of a group are not part of the
document; they are `Member` values kept one by one, because a group may have a million.

Rule: values here are immutable once made; whoever changes one makes a new one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

# A JSON object with canonical (schema-spelled) attribute names; extensions under their URN.
# Never holds `id`, `meta`, `schemas`, `groups` or `members`. Treated as immutable.
Attributes = Mapping[str, Any]


@attrs.frozen(order=True)
class Entity:
    """The key of a resource: organization, resource type name ("User") and server-made id."""

    organization: str
    type: str
    id: str


@attrs.frozen(order=True)
class Member:
    """One member of a group: the member's resource id and its resource type."""

    id: str
    type: str = "User"


@attrs.frozen
class Resource:
    """The current state of one entity.

    `version` starts at 1 and grows by one with every change; it is the ETag.
    `created` and `last_modified` are UTC.
    """

    entity: Entity
    version: int
    attributes: Attributes
    created: datetime
    last_modified: datetime
