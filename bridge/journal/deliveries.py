"""Deliveries as a person sees them: is Ann in sync with LDAP, why not, and what to do about it.

Rule: every verb is one statement on cursors and decides nothing about the target: the next
delivery looks at it first. Verbs other than `retry` and `resync` act only on what is parked.
"""

from enum import StrEnum
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    Integer,
    and_,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    select,
    update,
)

from bridge.core.delivery import Look
from bridge.core.resources import Entity
from bridge.journal import passwords
from bridge.journal.guard_tables import HELD
from bridge.journal.statements import ONE, ZERO, Prepared, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import backend, change, cursor, resource

LAG_SAMPLE = 10_000
"""Pending entities, the longest due first, among which the oldest pending change is looked for."""

_SECOND = 1_000_000  # microseconds


class DeliveryState(StrEnum):
    """Where one entity stands with one backend."""

    IN_SYNC = "in sync"
    PENDING = "pending"
    DELIVERING = "delivering"
    DEFERRED = "deferred"
    RETRYING = "retrying"
    PARKED = "parked"
    HELD = "held"


@attrs.frozen
class Delivery:
    """One entity in one backend: it holds version `applied`, and should hold `target`.

    `name` is the resource's userName or displayName in comparable form, for people. `next_at` is
    when it is tried again, or when the lease of the delivery under way ends (microseconds UTC).
    """

    backend: str
    entity: Entity
    name: str | None
    state: DeliveryState
    backend_state: str
    applied: int
    target: int
    attempts: int
    look: Look
    next_at: int
    error: str | None
    next_step: str | None
    updated: int


@attrs.frozen
class Lag:
    """How far a backend is behind: entities pending and parked, seconds since the oldest change."""

    pending: int
    parked: int
    oldest_seconds: float


_KEY = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.organization == bindparam("organization"),
    cursor.c.entity == bindparam("entity"),
)
_OF_BACKEND = cursor.c.backend == bindparam("backend")
DELIVERIES = (
    select(
        cursor.c.backend,
        cursor.c.organization,
        cursor.c.type,
        cursor.c.entity,
        resource.c.name_key,
        backend.c.state,
        cursor.c.applied,
        cursor.c.target,
        cursor.c.attempts,
        cursor.c.observe,
        cursor.c.next_at,
        cursor.c.last_error,
        cursor.c.next_step,
        cursor.c.updated,
        cursor.c.pending,
        cursor.c.parked,
        cursor.c.owner,
        cursor.c.deferred_since,
    )
    .join_from(cursor, backend, cursor.c.backend == backend.c.name)
    .outerjoin(
        resource,
        and_(resource.c.organization == cursor.c.organization, resource.c.id == cursor.c.entity),
    )
)
_OF_ENTITY = prepared(
    DELIVERIES.where(
        cursor.c.organization == bindparam("organization"),
        cursor.c.entity == bindparam("entity"),
        backend.c.state != "removed",
    ).order_by(cursor.c.backend)
)
_PARKED = prepared(
    DELIVERIES.where(_OF_BACKEND, cursor.c.parked == ONE)
    .order_by(cursor.c.updated)
    .limit(bindparam("room"))
)
_PENDING = prepared(
    DELIVERIES.where(_OF_BACKEND, cursor.c.pending == ONE, cursor.c.parked == ZERO)
    .order_by(cursor.c.next_at)
    .limit(bindparam("room"))
)
_HELD = prepared(
    DELIVERIES.where(_OF_BACKEND, cursor.c.parked == literal_column("2"))
    .order_by(cursor.c.updated)
    .limit(bindparam("room"))
)
_COUNT_PENDING = prepared(
    select(func.count()).where(
        _OF_BACKEND,
        cursor.c.pending == ONE,
        cursor.c.parked == ZERO,
        cursor.c.target > cursor.c.applied,
    )
)
_COUNT_PARKED = prepared(select(func.count()).where(_OF_BACKEND, cursor.c.parked == ONE))
_sample = (
    select(cursor.c.organization, cursor.c.entity, cursor.c.applied, cursor.c.updated)
    .where(
        _OF_BACKEND,
        cursor.c.pending == ONE,
        cursor.c.parked == ZERO,
        cursor.c.target > cursor.c.applied,
    )
    .order_by(cursor.c.next_at)
    .limit(literal(LAG_SAMPLE, Integer))
    .subquery()
)
_OLDEST = prepared(
    select(func.min(func.coalesce(change.c.at, _sample.c.updated))).outerjoin_from(
        _sample,
        change,
        and_(
            change.c.organization == _sample.c.organization,
            change.c.entity == _sample.c.entity,
            change.c.version == _sample.c.applied + 1,
        ),
    )
)

_NOW = bindparam("now", type_=BigInteger)
_AGAIN = {
    "parked": case((cursor.c.parked == HELD, HELD), else_=0),
    "attempts": 0,
    "next_at": _NOW,
    "deferred_since": None,
    "last_error": None,
    "next_step": None,
    "updated": _NOW,
}
_AFRESH = {  # also what is being delivered right now: its worker finds another epoch
    **_AGAIN,
    "pending": 1,
    "observe": case((cursor.c.observe > int(Look.ONCE), cursor.c.observe), else_=int(Look.ONCE)),
    "epoch": cursor.c.epoch + 1,
    "next_at": case((cursor.c.owner.is_(None), _NOW), else_=cursor.c.next_at),
}
_IDLE = (cursor.c.pending == ONE, cursor.c.owner.is_(None), cursor.c.parked != HELD)
_RETRY = prepared(update(cursor).where(*_KEY, *_IDLE).values(_AGAIN))
_RETRY_PARKED = prepared(update(cursor).where(_OF_BACKEND, cursor.c.parked == ONE).values(_AGAIN))
_SKIP = prepared(
    update(cursor)
    .where(*_KEY, cursor.c.parked == ONE, cursor.c.target > cursor.c.applied)
    .values(
        _AFRESH
        | {
            "applied": cursor.c.applied + 1,
            "pending": case((cursor.c.target > cursor.c.applied + 1, 1), else_=0),
        }
    )
)
_SKIP_TO_LATEST = prepared(
    update(cursor)
    .where(*_KEY, cursor.c.parked == ONE, cursor.c.target > cursor.c.applied)
    .values(_AFRESH | {"applied": cursor.c.target - 1})
)
_REPLAY = prepared(
    update(cursor)
    .where(*_KEY, cursor.c.target >= bindparam("version"))
    .values(_AFRESH | {"applied": bindparam("version", type_=Integer) - 1})
)
_RESYNC = prepared(update(cursor).where(_OF_BACKEND).values(_AFRESH | {"applied": 0}))


def of_entity(reader: Reader, organization: str, entity_id: str) -> list[Delivery]:
    """Return how one entity stands with every backend, by backend name."""
    return [
        delivery_of(row)
        for row in reader.rows(_OF_ENTITY, organization=organization, entity=entity_id)
    ]


def parked(reader: Reader, backend_name: str, limit: int = 1000) -> list[Delivery]:
    """Return what is parked for a backend, the longest parked first."""
    return [delivery_of(row) for row in reader.rows(_PARKED, backend=backend_name, room=limit)]


def held(reader: Reader, backend_name: str, limit: int = 1000) -> list[Delivery]:
    """Return what a hold keeps from a backend, the longest held first."""
    return [delivery_of(row) for row in reader.rows(_HELD, backend=backend_name, room=limit)]


def pending(reader: Reader, backend_name: str, limit: int = 1000) -> list[Delivery]:
    """Return what is pending for a backend and not parked, the longest due first."""
    return [delivery_of(row) for row in reader.rows(_PENDING, backend=backend_name, room=limit)]


def lag(reader: Reader, backend_name: str) -> Lag:
    """Return how far a backend is behind."""
    (waiting,) = reader.row(_COUNT_PENDING, backend=backend_name) or (0,)
    (stuck,) = reader.row(_COUNT_PARKED, backend=backend_name) or (0,)
    (oldest,) = (reader.row(_OLDEST, backend=backend_name) if waiting else None) or (None,)
    age = max(0, reader.now - oldest) / _SECOND if oldest is not None else 0.0
    return Lag(waiting, stuck, age)


def retry(tx: Transaction, backend_name: str, organization: str, entity_id: str) -> bool:
    """Try a parked or waiting entity again at once; False where it is not waiting."""
    return _verb(tx, _RETRY, backend_name, organization, entity_id)


def retry_parked(tx: Transaction, backend_name: str) -> int:
    """Try everything that is parked for a backend again; return how many."""
    return tx.run(_RETRY_PARKED, backend=backend_name, now=tx.now)


def skip(tx: Transaction, backend_name: str, organization: str, entity_id: str) -> bool:
    """Give up the parked version of an entity and go on with the next; False where none is.

    A password that came with that version is given up, too.
    """
    skipped = _verb(tx, _SKIP, backend_name, organization, entity_id)
    passwords.drop_applied(tx, backend_name, organization, entity_id)
    return skipped


def skip_to_latest(tx: Transaction, backend_name: str, organization: str, entity_id: str) -> bool:
    """Give up every pending version of a parked entity but the last; False where none is parked."""
    skipped = _verb(tx, _SKIP_TO_LATEST, backend_name, organization, entity_id)
    passwords.drop_applied(tx, backend_name, organization, entity_id)
    return skipped


def replay(
    tx: Transaction, backend_name: str, organization: str, entity_id: str, version: int
) -> bool:
    """Deliver an entity again from `version` (from 1) on; False where it has no such version."""
    if version < 1:
        return False
    return _verb(tx, _REPLAY, backend_name, organization, entity_id, version=version)


def resync(tx: Transaction, backend_name: str) -> int:
    """Deliver the whole of every entity to a backend again; return how many."""
    return tx.run(_RESYNC, backend=backend_name, now=tx.now)


def _verb(
    tx: Transaction, statement: Prepared, name: str, organization: str, entity: str, **params: int
) -> bool:
    key = {"backend": name, "organization": organization, "entity": entity}
    return tx.run(statement, **key, **params, now=tx.now) == 1


def delivery_of(row: tuple[Any, ...]) -> Delivery:
    name, organization, type_, entity, label, backend_state, *numbers = row
    applied, target, attempts, look, next_at, error, step, updated, *marks = numbers
    return Delivery(
        backend=name,
        entity=Entity(organization, type_, entity),
        name=label,
        state=_state(attempts, *marks),
        backend_state=backend_state,
        applied=applied,
        target=target,
        attempts=attempts,
        look=Look(look),
        next_at=next_at,
        error=error,
        next_step=step,
        updated=updated,
    )


def _state(
    attempts: int, waits: int, is_parked: int, owner: str | None, deferred_since: int | None
) -> DeliveryState:
    if is_parked:
        return DeliveryState.HELD if is_parked == HELD else DeliveryState.PARKED
    if not waits:
        return DeliveryState.IN_SYNC
    if owner is not None:
        return DeliveryState.DELIVERING
    if deferred_since is not None:
        return DeliveryState.DEFERRED
    return DeliveryState.RETRYING if attempts else DeliveryState.PENDING
