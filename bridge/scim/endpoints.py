"""The endpoints of one resource type: a request in, an answer out.

Rule: nothing here knows a resource type by name; the registry's definitions say what each can do.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

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

T = TypeVar("T")

INLINE_BYTES = 64 * 1024
"""Largest body that is understood in the event loop; others wait for a thread instead."""

INLINE_ROWS = 1000
"""Most resources and members together that are shown in the event loop."""


async def read_document(
    request: Request, settings: ScimSettings, understand: Callable[[Document], T]
) -> T:
    """Return what `understand` makes of the JSON object in the request's body.

    Raises what `bridge.scim.body` raises, and what `understand` does.
    """
    body.check_headers(request.headers, settings.body_bytes)
    raw = await body.read(request.receive, settings.body_bytes)

    def understood() -> T:
        return understand(body.parse(raw, settings.body_depth))

    return understood() if len(raw) <= INLINE_BYTES else await asyncio.to_thread(understood)


async def shown(view: View, states: Sequence[State]) -> list[Document]:
    """Return the documents of resources."""

    def show() -> list[Document]:
        return [view.show(state) for state in states]

    rows = len(states) + sum(len(state.members or ()) for state in states)
    return show() if rows <= INLINE_ROWS else await asyncio.to_thread(show)


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
        incoming = await self._read(request, self.incoming)
        unit = self.service.creating(asker(request), new_id(), incoming, view.wanted)
        return await self._shown(201, view, await self.service.do(unit))

    async def read(self, request: Request, resource_id: str) -> Answer:
        """GET by id: 200, or 304 when the client has this version."""
        view = self._view(request)
        state = await self.service.read(request.caller.organization, resource_id, view.wanted)
        if conditions(request.headers).not_modified(state.resource.version):
            return Answer(304, headers=_version(state.resource))
        return await self._shown(200, view, state)

    async def replace(self, request: Request, resource_id: str) -> Answer:
        """PUT: 200 with the resource as it is now."""
        view = self._view(request)
        change = await self._read(request, self.replacement)
        return await self._shown(200, view, await self._change(request, resource_id, change, view))

    async def patch(self, request: Request, resource_id: str) -> Answer:
        """PATCH: 200 with the resource, or 204 when its members are too many to answer with."""
        view = self._view(request)
        change = await self._read(request, self.alteration)
        if not view.explicit:
            view = view.with_few_members(self.settings.patch_answer_members)
        state = await self._change(request, resource_id, change, view)
        if view.wanted.members and state.members is None:
            return Answer(204, headers=self._headers(state.resource))
        return await self._shown(200, view, state)

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
        query = await self._read(
            request, lambda _, document: queries.from_search_request(document, self.settings)
        )
        return await self._search(request, query)

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
        return found.total, await shown(view, found.states)

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
        return await shown(view, found.states), found

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

    async def _read(self, request: Request, understand: Callable[[Request, Document], T]) -> T:
        return await read_document(request, self.settings, partial(understand, request))

    async def _shown(self, status: int, view: View, state: State) -> Answer:
        (document,) = await shown(view, [state])
        return Answer(status, document, self._headers(state.resource))

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
