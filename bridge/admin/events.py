"""`/v1/events`: what happened, to be read by whom nothing is sent to, or who missed something."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from bridge.admin.calls import CallDependency
from bridge.admin.pages import PAGE_DEFAULT, After, Limit, decode_cursor, encode_cursor
from bridge.core.changes import ChangeRecord
from bridge.core.events import Event, events
from bridge.journal import telling

Disclose = Callable[[ChangeRecord], ChangeRecord]
"""What leaves out of a change what may not be passed on."""


class EventShape(msgspec.Struct, frozen=True):
    """An event as a webhook has it in its body; `id` is the `webhook-id` there."""

    id: str
    type: str
    timestamp: str
    data: dict[str, Any]


class Events(msgspec.Struct, frozen=True):
    """Some events, oldest first; `next` leads on from here, now or at any later time.

    `more`: there is something to be read at once.
    """

    items: list[EventShape]
    next: str
    more: bool


@get("/events", summary="Read what happened")
async def read_events(
    call: CallDependency,
    disclose: NamedDependency[SkipValidation[Disclose]],
    after: After = None,
    limit: Limit = PAGE_DEFAULT,
) -> Events:
    """Return the events of up to `limit` changes of an organization, oldest first.

    A change of a workspace or folder may be several events.
    """
    place, (position,) = call.place, decode_cursor(after, int) or (0,)
    page = await telling.page(call.journal, place, position, limit)
    last = page.told[-1].position if page.told else position
    told = [_show(event) for one in page.told for event in events(disclose(one.change))]
    return Events(told, encode_cursor([last]), page.more)


def _show(event: Event) -> EventShape:
    return EventShape(event.id, event.type, event.timestamp, dict(event.data))


HANDLERS = [read_events]
