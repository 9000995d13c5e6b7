"""Attempts: what was tried, how long it took and how it ended, for some days.

An attempt is kept where it failed, and where the target said something worth keeping. What a target
says may name people: it is cut short, shown only to who may see the delivery, and expires.

Rule: rows are written in the transaction that settles the attempt, and by nobody else.
"""

from collections.abc import Sequence

import attrs
from sqlalchemy import bindparam, delete, select

from bridge.core.resources import Entity
from bridge.journal.statements import insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import attempt

KEPT_SECONDS = 7 * 86_400.0
"""How long an attempt is kept."""

ANSWER_CHARACTERS = 512
"""What is kept of an answer."""

SWEEP_ROWS = 5_000
"""Expired attempts that one transaction deletes at most."""

SHOWN = 20
"""Attempts that are shown of one resource and backend, the newest."""

_COLUMNS = ("backend", "organization", "entity", "type", "version", "at", "micros", "outcome")
_NEW = prepared(insert_into(attempt, [*_COLUMNS, "reason", "answer"]))
_OF_ENTITY = prepared(
    select(*(attempt.c[name] for name in (*_COLUMNS, "reason", "answer")))
    .where(
        attempt.c.organization == bindparam("organization"),
        attempt.c.entity == bindparam("entity"),
        attempt.c.backend == bindparam("backend"),
        attempt.c.at >= bindparam("since"),
    )
    .order_by(attempt.c.sequence.desc())
    .limit(bindparam("room"))
)
_SWEEP = prepared(
    delete(attempt).where(
        attempt.c.sequence.in_(
            select(attempt.c.sequence)
            .where(attempt.c.at < bindparam("before"))
            .order_by(attempt.c.at)
            .limit(bindparam("room"))
        )
    )
)


@attrs.frozen
class Tried:
    """One attempt to bring an entity to `version` in a backend.

    `at` is when it began (microseconds UTC) and `micros` how long it took. `outcome` is the kind
    of it ("Applied", "RetryLater"), `reason` why it failed, `answer` what the target said.
    """

    backend: str
    entity: Entity
    version: int
    at: int
    micros: int
    outcome: str
    reason: str | None = None
    answer: str | None = None


def keep(tx: Transaction, tried: Sequence[Tried]) -> None:
    """Write attempts down."""
    tx.run_many(
        _NEW,
        [
            {
                "backend": one.backend,
                "organization": one.entity.organization,
                "entity": one.entity.id,
                "type": one.entity.type,
                "version": one.version,
                "at": one.at,
                "micros": one.micros,
                "outcome": one.outcome,
                "reason": one.reason,
                "answer": one.answer[:ANSWER_CHARACTERS] if one.answer else None,
            }
            for one in tried
        ],
    )


def of_entity(
    reader: Reader, organization: str, entity_id: str, backend: str, limit: int = SHOWN
) -> list[Tried]:
    """Return the last attempts at one entity in one backend, newest first; none that expired."""
    rows = reader.rows(
        _OF_ENTITY,
        organization=organization,
        entity=entity_id,
        backend=backend,
        since=reader.now - round(KEPT_SECONDS * 1e6),
        room=limit,
    )
    return [
        Tried(name, Entity(where, type_, id_), *rest) for name, where, id_, type_, *rest in rows
    ]


def sweep(tx: Transaction) -> int:
    """Delete what has expired, up to SWEEP_ROWS; return how many."""
    return tx.run(_SWEEP, before=tx.now - round(KEPT_SECONDS * 1e6), room=SWEEP_ROWS)
