"""What waits for one organization, page by page, and how much of it there is.

Rule: a page is read in the order of an index of what waits; what is in sync is not looked at.
"""

from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_, select

from bridge.journal.deliveries import DELIVERIES, Delivery, Lag, delivery_of
from bridge.journal.statements import ONE, ZERO, prepared
from bridge.journal.store import Reader
from bridge.journal.tables import cursor

_MINE = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.organization == bindparam("organization"),
)
_WAITS = (cursor.c.pending == ONE, cursor.c.parked == ZERO)
_PARKED = (cursor.c.parked == ONE,)


def _page(query: Select[Any], order: Any) -> Select[Any]:
    after = bindparam("after", type_=order.type)
    later = or_(order > after, and_(order == after, cursor.c.entity > bindparam("after_entity")))
    return query.where(later).order_by(order, cursor.c.entity).limit(bindparam("count"))


_PENDING_PAGE = prepared(_page(DELIVERIES.where(*_MINE, *_WAITS), cursor.c.next_at))
_PARKED_PAGE = prepared(_page(DELIVERIES.where(*_MINE, *_PARKED), cursor.c.updated))
# Said in a way that finds what waits by the index of what waits, and not among all in sync.
_AMONG_WAITING = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.organization.concat("") == bindparam("organization"),
)
_COUNT_PENDING = prepared(
    select(func.count(), func.min(cursor.c.updated)).where(
        *_AMONG_WAITING, *_WAITS, cursor.c.next_at >= ZERO
    )
)
_COUNT_PARKED = prepared(
    select(func.count()).where(*_AMONG_WAITING, *_PARKED, cursor.c.updated >= ZERO)
)


def page(
    reader: Reader,
    organization: str,
    backend: str,
    after: tuple[int, str],
    count: int,
    *,
    parked: bool,
) -> list[Delivery]:
    """Return up to `count` deliveries of an organization that wait, or are parked.

    The longest waiting first, from after the place `place_of` the last one of the page before.
    """
    rows = reader.rows(
        _PARKED_PAGE if parked else _PENDING_PAGE,
        organization=organization,
        backend=backend,
        after=after[0],
        after_entity=after[1],
        count=count,
    )
    return [delivery_of(row) for row in rows]


def place_of(delivery: Delivery, *, parked: bool) -> tuple[int, str]:
    """Return where a delivery stands in its list."""
    return delivery.updated if parked else delivery.next_at, delivery.entity.id


def lag(reader: Reader, organization: str, backend: str) -> Lag:
    """Return how far a backend is behind with one organization."""
    place = {"organization": organization, "backend": backend}
    waiting, oldest = reader.row(_COUNT_PENDING, **place) or (0, None)
    (stuck,) = reader.row(_COUNT_PARKED, **place) or (0,)
    seconds = max(0, reader.now - oldest) / 1e6 if oldest is not None else 0.0
    return Lag(waiting, stuck, seconds)
