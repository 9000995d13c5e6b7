"""What a delivery means for others of the same backend: groups that name it, members it waits for.

Rule: nothing here touches a lease; a delivery under way is only asked to look again.
"""

from collections.abc import Collection

from sqlalchemy import BigInteger, Integer, bindparam, case, literal, select, update

from bridge.core.delivery import Look
from bridge.journal.statements import ONE, ZERO, among, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import cursor, member

_ONCE = literal(int(Look.ONCE), Integer)
_OF_ORGANIZATION = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.organization == bindparam("organization"),
)
_REVISIT = prepared(
    update(cursor)
    .where(
        *_OF_ORGANIZATION,
        cursor.c.entity.in_(
            select(member.c.group_id).where(
                member.c.organization == bindparam("organization"),
                among(member.c.member_id, "members"),
            )
        ),
        cursor.c.owner.is_not(None) | (cursor.c.updated >= bindparam("since")),
    )
    .values(
        pending=1,
        observe=case((cursor.c.observe > _ONCE, cursor.c.observe), else_=_ONCE),
        updated=bindparam("now", type_=BigInteger),
    )
)
_COMING = prepared(
    select(ONE)
    .where(
        *_OF_ORGANIZATION,
        cursor.c.pending == ONE,
        cursor.c.parked == ZERO,
        among(cursor.c.entity, "entities"),
    )
    .limit(ONE)
)


def revisit_groups(
    tx: Transaction, backend: str, organization: str, members: Collection[str], since: int
) -> int:
    """Have the groups of these members looked at again, if delivered since then or right now.

    For members whose name in the target has moved: such a group may have been given the old one.
    """
    return tx.run(
        _REVISIT,
        backend=backend,
        organization=organization,
        members=list(members),
        since=since,
        now=tx.now,
    )


def coming(reader: Reader, backend: str, organization: str, ids: Collection[str]) -> bool:
    """Return whether any of these resources is still to be delivered, and not parked."""
    found = reader.row(_COMING, backend=backend, organization=organization, entities=list(ids))
    return found is not None
