"""The endpoints of one resource type: a request in, an answer out.

Rule: nothing here knows a resource type by name; the registry's definitions say what each can do.
"""

from typing import Any

import attrs

from bridge.core import patch
from bridge.core.filters import BoundFilter, bind, parse_filter
from bridge.core.members import ReplaceMembers
from bridge.core.resources import Resource
from bridge.core.schema import (
    LENIENT,
    PROFILES,
    Incoming,
    Tolerance,
    ValueReader,
    normalize,
    replace,
)
from bridge.scim import body, queries
from bridge.scim.exchange import Answer, Request
from bridge.scim.identifiers import new_id
from bridge.scim.negotiation import conditions, etag
from bridge.scim.queries import Query
from bridge.scim.representation import Document, Shape, View, list_response
from bridge.scim.service import Asker, Change, Changed, Service, State, Steps, Walked
from bridge.scim.settings import ScimSettings
from bridge.scim.tolerated import Tolerated
from bridge.scim.walking import Walking


async def read_document(request: Request, settings: ScimSettings) -> dict[str, Any]:
    """Return the JSON object in the request's body; raises what `bridge.scim.body` raises."""
    body.check_headers(request.headers, settings.body_bytes)
    raw = await body.read(request.receive, settings.body_bytes)
    return body.parse(raw, settings.body_depth)


@attrs.frozen
class Endpoints:
    """What can be done with the resources of one type."""

    service: Service
    shape: Shape
    settings: ScimSettings
    walking: Walking
    tolerated: Tolerated

    async def create(self, request: Request) -> Answer:
        """POST on the collection: 201 with the new resource."""
        view = self._view(request)
        incoming = self.incoming(request, await read_document(request, self.settings))
        unit = self.service.creating(asker(request), new_id(), incoming, view.wanted)
        return self._shown(201, view, await self.service.do(unit))

    async def read(self, request: Request, resource_id: str) -> Answer:
        """GET by id: 200, or 304 when the client has this version."""
        view = self._view(request)
        state = await self.service.read(request.caller.organization, resource_id, view.wanted)
        if conditions(request.headers).not_modified(state.resource.version):
            return Answer(304, headers=_version(state.resource))
        return self._shown(200, view, state)

    async def replace(self, request: Request, resource_id: str) -> Answer:
        """PUT: 200 with the resource as it is now."""
        view = self._view(request)
        change = self.replacement(request, await read_document(request, self.settings))
        return self._shown(200, view, await self._change(request, resource_id, change, view))

    async def patch(self, request: Request, resource_id: str) -> Answer:
        """PATCH: 200 with the resource, or 204 when its members are too many to answer with."""
        view = self._view(request)
        change = self.alteration(request, await read_document(request, self.settings))
        if not view.explicit:
            view = view.with_few_members(self.settings.patch_answer_members)
        state = await self._change(request, resource_id, change, view)
        if view.wanted.members and state.members is None:
            return Answer(204, headers=self._headers(state.resource))
        return self._shown(200, view, state)

    async def delete(self, request: Request, resource_id: str) -> Answer:
        """DELETE: 204."""
        known = conditions(request.headers)
        await self.service.do(self.service.deleting(asker(request), resource_id, known))
        return Answer(204)

    def incoming(self, request: Request, document: Document) -> Incoming:
        """Return what the body of a POST or PUT says; raises what `normalize` raises."""
        incoming = normalize(self.shape.rtype, document, tolerance(request))
        self.tolerated.in_change(tolerance(request), incoming.tolerated)
        return incoming

    def replacement(self, request: Request, document: Document) -> Change:
        """Return the change that the body of a PUT asks for."""
        rtype, incoming = self.shape.rtype, self.incoming(request, document)
        edits = (ReplaceMembers(incoming.member_ids or ()),) if rtype.has_members else ()

        def make(before: Resource) -> Changed:
            after = replace(rtype, before.attributes, incoming)
            return Changed(after, edits, incoming.password, incoming.tolerated)

        return make

    def alteration(self, request: Request, document: Document) -> Change:
        """Return the change that the body of a PATCH asks for."""
        rtype, allowed = self.shape.rtype, tolerance(request)
        operations = patch.parse_operations(document)

        def make(before: Resource) -> Changed:
            patched = patch.apply(rtype, before.attributes, operations, allowed)
            self.tolerated.in_change(allowed, patched.tolerated)
            return Changed(patched.attributes, patched.edits, patched.password, patched.tolerated)

        return make

    async def page(self, request: Request) -> Answer:
        """GET on the collection: 200 with a page of results."""
        given = queries.parameters(request.query_string)
        return await self._search(request, queries.from_parameters(given, self.settings))

    async def search(self, request: Request) -> Answer:
        """POST on `.search`: the same question in a body."""
        document = await read_document(request, self.settings)
        return await self._search(request, queries.from_search_request(document, self.settings))

    async def find(
        self, request: Request, query: Query, filter_: BoundFilter | None
    ) -> tuple[int, list[Document]]:
        """Return how many resources match, and the page of them that the query asks for."""
        shape = self.shape
        view = shape.view(query.selection)
        found = await self.service.search(
            request.caller.organization,
            filter_,
            query.page(shape.rtype),
            view.wanted,
            shape.addresses,
        )
        return found.total, [view.show(state) for state in found.states]

    async def step(
        self, request: Request, query: Query, filter_: BoundFilter | None, steps: Steps
    ) -> tuple[list[Document], Walked]:
        """Return the resources next to a place, as documents and as they were found."""
        shape = self.shape
        view = shape.view(query.selection)
        steps = attrs.evolve(steps, sort=query.sort(shape.rtype), descending=query.descending)
        found = await self.service.walk(
            request.caller.organization, filter_, steps, view.wanted, shape.addresses
        )
        return [view.show(state) for state in found.states], found

    async def _search(self, request: Request, query: Query) -> Answer:
        rtype = self.shape.rtype
        filter_ = None
        if query.filter is not None:
            values = ValueReader(tolerance(request))
            filter_ = bind(parse_filter(query.filter), rtype, values)
            self.tolerated.in_search(request, values.tolerance, values.tolerated)
        if query.cursor is not None:
            return await self.walking.answer(request, query, [(self, filter_)])
        total, documents = await self.find(request, query, filter_)
        return Answer(200, list_response(documents, total, query.start))

    async def _change(self, request: Request, resource_id: str, make: Change, view: View) -> State:
        known = conditions(request.headers)
        unit = self.service.changing(asker(request), resource_id, known, make, view.wanted)
        return await self.service.do(unit)

    def _view(self, request: Request) -> View:
        return self.shape.view(queries.selection(queries.parameters(request.query_string)))

    def _shown(self, status: int, view: View, state: State) -> Answer:
        return Answer(status, view.show(state), self._headers(state.resource))

    def _headers(self, resource: Resource) -> tuple[tuple[bytes, bytes], ...]:
        return ((b"location", self.shape.location(resource).encode()), *_version(resource))


def _version(resource: Resource) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"etag", etag(resource.version).encode()),)


def asker(request: Request) -> Asker:
    """Return on whose behalf a request is answered."""
    caller = request.caller
    return Asker(caller.organization, caller.actor, request.id)


def tolerance(request: Request) -> Tolerance:
    """Return what the caller's connection may do differently from the RFCs."""
    return PROFILES.get(request.caller.profile, LENIENT)
