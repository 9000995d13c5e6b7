"""Pages by cursor (RFC 9865): from mark to mark, over one collection or over several in a row.

Rule: a page costs itself. What matches is counted once, for the first page.
"""

from collections.abc import Sequence
from itertools import dropwhile
from typing import TYPE_CHECKING

import attrs

from bridge.core.filters import BoundFilter
from bridge.journal.queries import Place
from bridge.scim.cursors import Cursors, Mark, question
from bridge.scim.exchange import Answer, Request
from bridge.scim.queries import Query
from bridge.scim.representation import Document, cursor_response
from bridge.scim.service import Steps

if TYPE_CHECKING:
    from bridge.scim.endpoints import Endpoints

Leg = tuple["Endpoints", BoundFilter | None]
"""A collection that is walked through, and what is looked for in it."""


@attrs.frozen
class Walking:
    """Answers questions that come with a cursor."""

    cursors: Cursors

    async def answer(self, request: Request, query: Query, legs: Sequence[Leg]) -> Answer:
        """Return the page that the query's cursor leads to; raises InvalidCursor, ExpiredCursor."""
        types = list(map(_name, legs))
        asked = question(request.caller.organization, types, query)
        if query.cursor:
            mark = self.cursors.read(asked, query.cursor)
        else:
            mark = Mark(types[0] if types else "", total=await _count(request, query, legs))
        documents, *marks = await _page(request, query, legs, mark)
        following, previous = (
            None if each is None else self.cursors.write(asked, each) for each in marks
        )
        return Answer(200, cursor_response(documents, mark.total, following, previous))


async def _count(request: Request, query: Query, legs: Sequence[Leg]) -> int:
    nothing = attrs.evolve(query, start=1, count=0)
    return sum([(await each.find(request, nothing, filter_))[0] for each, filter_ in legs])


async def _page(
    request: Request, query: Query, legs: Sequence[Leg], mark: Mark
) -> tuple[list[Document], Mark | None, Mark | None]:
    """Return the documents of a page, and the marks of what follows and of what precedes it."""
    shown: list[Document] = []
    following = previous = None
    place: Place | None = mark.place
    for endpoints, filter_ in dropwhile(lambda leg: _name(leg) != mark.type, legs):
        steps = Steps(place, query.count - len(shown), mark.backward)
        documents, found = await endpoints.step(request, query, filter_, steps)
        shown += documents
        here = attrs.evolve(mark, type=endpoints.shape.rtype.name, backward=False)
        if found.more or mark.backward:
            last = found.places[-1] if found.places else None if mark.backward else place
            following = attrs.evolve(here, place=last)
        if found.places and (found.more if mark.backward else place and len(legs) == 1):
            previous = attrs.evolve(here, place=found.places[0], backward=True)
        if following is not None:
            break
        place = None
    return shown, following, previous


def _name(leg: Leg) -> str:
    return leg[0].shape.rtype.name
