"""Resources as a client sees them: the stored document with what belongs to the server around it.

`id`, `schemas`, `meta`, a user's `groups` and a group's `members` are put to the document here;
which of all that an answer holds is the projection's business (`bridge.core.schema.render`).

Rule: addresses start with the configured public URL, never with what a request said.
"""

from collections.abc import Sequence
from copy import copy
from datetime import datetime
from typing import Any

import attrs

from bridge.core.resources import Resource
from bridge.core.schema import Projection, Registry, ResourceType, projection, render
from bridge.journal.members import GroupRow, MemberRow
from bridge.scim import urns
from bridge.scim.negotiation import etag
from bridge.scim.queries import EVERYTHING, Selection
from bridge.scim.service import State, Wanted

Document = dict[str, Any]

USUAL_MEMBER = frozenset({"value", "$ref", "type"})
"""What is shown of a member unless the client names something else; made without a projection,
because there may be very many."""


class View:
    """How resources of one type are shown to one request."""

    def __init__(self, shape: "Shape", selection: Selection) -> None:
        self._shape = shape
        self.explicit = bool(selection.attributes)
        """True when the client named the attributes that it wants."""
        self._projection: Projection = projection(
            shape.rtype, selection.attributes, selection.excluded
        )
        members = self._projection.base.get("members", False)
        self._members_as_usual = members == USUAL_MEMBER
        self.wanted = Wanted(
            member_names=members is True or (members is not False and "display" in members),
            groups=shape.has_groups and self._projection.includes("groups"),
            members=shape.rtype.has_members and self._projection.includes("members"),
        )

    def with_few_members(self, most: int) -> "View":
        """Return a view that shows members only where there are at most `most`."""
        if not self.wanted.members:
            return self
        view = copy(self)
        view.wanted = attrs.evolve(self.wanted, most_members=most)
        return view

    def show(self, state: State) -> Document:
        """Return the document of one resource."""
        shape, resource = self._shape, state.resource
        full: Document = {
            "schemas": shape.rtype.schemas(resource.attributes),
            "id": resource.entity.id,
            **resource.attributes,
        }
        if state.groups:
            full["groups"] = [shape.group(row) for row in state.groups]
        usual_members = None
        if state.members and self._members_as_usual:
            usual_members = [shape.member(row.id, row.type) for row in state.members]
        elif state.members:
            full["members"] = [shape.named_member(row) for row in state.members]
        full["meta"] = shape.meta(resource)
        shown = render(shape.rtype, full, self._projection)
        if usual_members:
            shown["members"] = usual_members
        return shown


class Shape:
    """What every resource of one type has around its document."""

    def __init__(self, rtype: ResourceType, registry: Registry, base_url: str) -> None:
        self.rtype = rtype
        self.has_groups = rtype.schema.attribute("groups") is not None
        self._address = f"{base_url}{rtype.endpoint}/"
        self.addresses = {t.name: f"{base_url}{t.endpoint}/" for t in registry.resource_types}
        """What comes before the id in a resource's address, by resource type name."""
        group = next((t for t in registry.resource_types if t.has_members), rtype)
        self._group_address = self.addresses[group.name]

        self._usual = View(self, EVERYTHING)

    def view(self, selection: Selection) -> View:
        """Return the view that a client asks for; raises InvalidValue."""
        return self._usual if selection is EVERYTHING else View(self, selection)

    def location(self, resource: Resource) -> str:
        """Return the address of a resource."""
        return self._address + resource.entity.id

    def meta(self, resource: Resource) -> Document:
        """Return the `meta` attribute of a resource."""
        return {
            "resourceType": self.rtype.name,
            "created": timestamp(resource.created),
            "lastModified": timestamp(resource.last_modified),
            "location": self.location(resource),
            "version": etag(resource.version),
        }

    def member(self, member_id: str, kind: str) -> Document:
        """Return one entry of a group's `members`, as USUAL_MEMBER says."""
        return {"value": member_id, "$ref": self.addresses[kind] + member_id, "type": kind}

    def named_member(self, row: MemberRow) -> Document:
        """Return one entry of a group's `members`, with its name."""
        shown = self.member(row.id, row.type)
        if row.display is not None:
            shown["display"] = row.display
        return shown

    def group(self, row: GroupRow) -> Document:
        """Return one entry of a user's `groups`."""
        kind = "direct" if row.direct else "indirect"
        shown = {"value": row.id, "$ref": self._group_address + row.id, "type": kind}
        if row.display is not None:
            shown["display"] = row.display
        return shown


def timestamp(at: datetime) -> str:
    """Return a UTC time as SCIM shows it: milliseconds and Z."""
    return at.isoformat(timespec="milliseconds")[:-6] + "Z"


def list_response(documents: Sequence[Document], total: int, start: int) -> Document:
    """Return a page of results that is found by its number (RFC 7644 section 3.4.2)."""
    return {
        "schemas": [urns.LIST_RESPONSE],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(documents),
        "Resources": documents,
    }


def cursor_response(
    documents: Sequence[Document], total: int, following: str | None, previous: str | None
) -> Document:
    """Return a page of results with the cursors of its neighbours (RFC 9865 section 2)."""
    cursors = {"nextCursor": following, "previousCursor": previous}
    return {
        "schemas": [urns.LIST_RESPONSE],
        "totalResults": total,
        "itemsPerPage": len(documents),
        **{name: cursor for name, cursor in cursors.items() if cursor is not None},
        "Resources": documents,
    }
