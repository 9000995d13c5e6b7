"""Search over all resource types at once: the root's `.search`, and GET on the root itself.

Rule: an attribute that a type does not have has no value there (RFC 7644 section 3.4.2.1); it is
no error as long as one type has it.
"""

from collections.abc import Callable, Sequence
from typing import assert_never

import attrs

from bridge.core.errors import InvalidFilter
from bridge.core.filters import (
    And,
    Compare,
    Comparison,
    FilterNode,
    Not,
    Or,
    Present,
    Within,
    bind,
    parse_filter,
)
from bridge.core.schema import ResourceType, ValueReader
from bridge.scim import queries
from bridge.scim.endpoints import Endpoints, read_document, tolerance
from bridge.scim.exchange import Answer, Request
from bridge.scim.queries import Query
from bridge.scim.representation import list_response
from bridge.scim.walking import Leg

Partial = FilterNode | bool
"""What is left of a filter where a type lacks attributes: a filter, or its answer."""


@attrs.frozen
class Everything:
    """All resource types as one collection: type by type, and in each in its order."""

    types: Sequence[Endpoints]

    async def page(self, request: Request) -> Answer:
        """GET on the root: 200 with a page of results."""
        given = queries.parameters(request.query_string)
        return await self._search(request, queries.from_parameters(given, self.types[0].settings))

    async def search(self, request: Request) -> Answer:
        """POST on the root's `.search`."""
        settings = self.types[0].settings
        query = await read_document(
            request, settings, lambda document: queries.from_search_request(document, settings)
        )
        return await self._search(request, query)

    async def _search(self, request: Request, query: Query) -> Answer:
        node = None if query.filter is None else parse_filter(query.filter)
        if node is not None and not any(_knows(each.shape.rtype, node) for each in self.types):
            raise InvalidFilter("No resource type has the attributes of this filter.")
        values = ValueReader(tolerance(request))
        legs: list[Leg] = []
        for each in self.types:
            left = True if node is None else _left(each.shape.rtype, node)
            if left is not False:
                legs.append((each, None if left is True else bind(left, each.shape.rtype, values)))
        self.types[0].tolerated.in_search(request, values.tolerance, values.tolerated)
        if query.cursor is not None:
            return await self.types[0].walking.answer(request, query, legs)
        total, shown = 0, []
        skip, room = query.start - 1, query.count
        for each, filter_ in legs:
            here = attrs.evolve(query, start=skip + 1, count=room)
            found, documents = await each.find(request, here, filter_)
            total += found
            shown += documents
            skip, room = max(skip - found, 0), room - len(documents)
        return Answer(200, list_response(shown, total, query.start))


def _left(rtype: ResourceType, node: FilterNode) -> Partial:
    """Return what a filter says about a type that may lack some of its attributes."""
    match node:
        case Compare(path, op, value):
            if rtype.target(path.text):
                return node
            return value is None and op is Comparison.EQ
        case Present(path) | Within(path, _):
            return node if rtype.target(path.text) else False
        case Not(term):
            left = _left(rtype, term)
            return not left if isinstance(left, bool) else Not(left)
        case And(terms):
            return _joined([_left(rtype, term) for term in terms], And, neutral=True)
        case Or(terms):
            return _joined([_left(rtype, term) for term in terms], Or, neutral=False)
    assert_never(node)


def _joined(
    terms: list[Partial], join: Callable[[tuple[FilterNode, ...]], FilterNode], *, neutral: bool
) -> Partial:
    if (not neutral) in [term for term in terms if isinstance(term, bool)]:
        return not neutral
    filters = tuple(term for term in terms if not isinstance(term, bool))
    if not filters:
        return neutral
    return filters[0] if len(filters) == 1 else join(filters)


def _knows(rtype: ResourceType, node: FilterNode) -> bool:
    match node:
        case Compare(path, _, _) | Present(path) | Within(path, _):
            return rtype.target(path.text) is not None
        case Not(term):
            return _knows(rtype, term)
        case And(terms) | Or(terms):
            return any(_knows(rtype, term) for term in terms)
    assert_never(node)
