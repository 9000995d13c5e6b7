"""Which entity types a backend takes: it has cursors for those, and no others.

Rule: a backend that begins to take a type is given all that is there of it; one that ends to take
it loses what was pending, and keeps what it holds.
"""

from collections.abc import Collection

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, literal, select

from bridge.core.delivery import Look
from bridge.journal.statements import ONE, ZERO, insert, insert_into, prepared
from bridge.journal.store import Transaction
from bridge.journal.tables import cursor, resource, untaken

_OF_BACKEND = untaken.c.backend == bindparam("name")
_KNOWN = prepared(select(untaken.c.type).where(_OF_BACKEND))
_ADD = prepared(insert_into(untaken))
_DROP = prepared(delete(untaken).where(_OF_BACKEND, untaken.c.type == bindparam("gone")))
_DROP_CURSORS = prepared(
    delete(cursor).where(cursor.c.backend == bindparam("name"), cursor.c.type == bindparam("gone"))
)
_ADD_CURSORS = prepared(
    insert(cursor)
    .from_select(
        [
            *("backend", "organization", "entity", "type", "applied", "target", "pending"),
            *("next_at", "observe", "updated"),
        ],
        select(
            bindparam("name", type_=Text),
            *(resource.c.organization, resource.c.id, resource.c.type),
            ZERO,
            resource.c.version,
            ONE,
            bindparam("now", type_=BigInteger),
            literal(int(Look.ONCE), Integer),
            bindparam("now", type_=BigInteger),
        ).where(resource.c.deleted == ZERO, resource.c.type == bindparam("taken")),
    )
    .on_conflict_do_nothing()
)


def set_untaken(tx: Transaction, backend: str, types: Collection[str]) -> None:
    """Note the types that a backend does not take, and make its cursors agree."""
    known = {row[0] for row in tx.rows(_KNOWN, name=backend)}
    for taken in sorted(known - set(types)):
        tx.run(_DROP, name=backend, gone=taken)
        tx.run(_ADD_CURSORS, name=backend, taken=taken, now=tx.now)
    for gone in sorted(types):
        if gone not in known:
            tx.run(_ADD, backend=backend, type=gone)
        tx.run(_DROP_CURSORS, name=backend, gone=gone)
