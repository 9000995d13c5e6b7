"""The guard against mass changes: what takes away too much at once waits for a person.

A deletion, a deactivation and an ended membership each take one thing away. When an organization
has more of them within the window than `Limits` allow, a hold opens: from then on whatever takes
something away is journaled as ever, and its entity is not delivered until somebody releases or
rejects the hold. What came before the limit was reached is delivered.

Held is a mark on the cursor (`parked` = HELD) that the claim passes over, so the hold survives a
restart, is one for all processes, and a change that takes nothing away pays nothing for it.

Rule: counting, opening and holding happen in the transaction that writes the change.
"""

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    select,
    update,
)

from bridge.core.changes import Cause, ChangeRecord, Operation
from bridge.journal.guard_tables import HELD, guard, hold, loss
from bridge.journal.statements import ZERO, among, insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import backend, cursor, password, resource
from bridge.journal.tenants import audit

_MINUTE = 60_000_000  # microseconds


@attrs.frozen
class Limits:
    """What one organization may lose within `window_seconds` without a hold.

    The larger of `changes` and `share_percent` of its people; of both, one more opens a hold.
    """

    changes: int = 10
    share_percent: float = 5.0
    window_seconds: float = 600.0


@attrs.frozen
class Hold:
    """An open hold: `changes` took something away where `allowed` may have; times in microseconds.

    `cause` is who made the change that opened it; `held` are the entities that wait, by backend.
    """

    organization: str
    opened: int
    changes: int
    allowed: int
    cause: str
    held: dict[str, int]


@attrs.frozen
class Ended:
    """What ending a hold came to: `left` entities were being delivered just then and still wait."""

    entities: int
    left: int


_OF_ORGANIZATION: dict[Any, ColumnElement[bool]] = {
    table: table.c.organization == bindparam("organization")
    for table in (loss, hold, cursor, resource, password)
}
_SET = insert_into(guard)
_SET_LIMITS = prepared(
    _SET.on_conflict_do_update(
        index_elements=[guard.c.id],
        set_={name: _SET.excluded[name] for name in ("changes", "share", "micros")},
    )
)
_DROP_LIMITS = prepared(delete(guard))
_LIMITS = prepared(select(guard.c.changes, guard.c.share, guard.c.micros))
_NEW_LOSS = insert_into(loss, ("organization", "minute", "changes"))
_COUNT = prepared(
    _NEW_LOSS.on_conflict_do_update(
        index_elements=[loss.c.organization, loss.c.minute],
        set_={"changes": loss.c.changes + _NEW_LOSS.excluded.changes},
    )
)
_FORGET = prepared(delete(loss).where(_OF_ORGANIZATION[loss], loss.c.minute < bindparam("since")))
_TOTAL = prepared(
    select(func.sum(loss.c.changes), func.max(loss.c.people)).where(
        _OF_ORGANIZATION[loss], loss.c.minute >= bindparam("since")
    )
)
_NOTE_PEOPLE = prepared(
    update(loss)
    .where(_OF_ORGANIZATION[loss], loss.c.minute == bindparam("at"))
    .values(people=bindparam("found"))
)
_PEOPLE = prepared(
    select(func.count()).where(
        _OF_ORGANIZATION[resource], resource.c.type == "User", resource.c.deleted == ZERO
    )
)
_OPEN = prepared(insert_into(hold).on_conflict_do_nothing())
_MORE = prepared(
    update(hold)
    .where(_OF_ORGANIZATION[hold])
    .values(changes=hold.c.changes + bindparam("more", type_=Integer))
)
_CLOSE = prepared(delete(hold).where(_OF_ORGANIZATION[hold]))
_ALL = prepared(select(*hold.columns).order_by(hold.c.opened))
_HOLD = prepared(
    update(cursor)
    .where(
        cursor.c.backend.in_(select(backend.c.name)),
        _OF_ORGANIZATION[cursor],
        among(cursor.c.entity, "entities"),
    )
    .values(parked=HELD, updated=bindparam("now"))
)
_IS_HELD = cursor.c.parked == literal_column("2")  # the partial index asks for the number itself
_FREE = cursor.c.owner.is_(None)
_HELD = prepared(
    select(cursor.c.backend, func.count())
    .where(_OF_ORGANIZATION[cursor], _IS_HELD)
    .group_by(cursor.c.backend)
    .order_by(cursor.c.backend)
)
_HELD_BY_BACKEND = prepared(
    select(cursor.c.backend, func.count()).where(_IS_HELD).group_by(cursor.c.backend)
)
_RELEASE = prepared(
    update(cursor)
    .where(_OF_ORGANIZATION[cursor], _IS_HELD)
    .values(
        parked=0,
        next_at=case((_FREE, bindparam("now", type_=BigInteger)), else_=cursor.c.next_at),
        updated=bindparam("now"),
    )
)
_GIVE_UP_PASSWORDS = prepared(
    delete(password).where(
        _OF_ORGANIZATION[password],
        exists().where(
            cursor.c.backend == password.c.backend,
            cursor.c.organization == password.c.organization,
            cursor.c.entity == password.c.entity,
            _IS_HELD,
            _FREE,
        ),
    )
)
_REJECT = prepared(
    update(cursor)
    .where(_OF_ORGANIZATION[cursor], _IS_HELD, _FREE)
    .values(
        applied=cursor.c.target,
        pending=0,
        parked=0,
        attempts=0,
        observe=0,
        deferred_since=None,
        last_error=None,
        next_step=None,
        updated=bindparam("now"),
    )
)


def set_limits(tx: Transaction, limits: Limits | None) -> None:
    """Put limits in force for every process; None ends the guard, and leaves what is held."""
    if limits is None:
        tx.run(_DROP_LIMITS)
        return
    micros = round(limits.window_seconds * 1e6)
    tx.run(_SET_LIMITS, id=1, changes=limits.changes, share=limits.share_percent, micros=micros)


def losses(change: ChangeRecord) -> int:
    """Return how many things a change takes away: the entity, an active state, memberships."""
    if change.operation is Operation.DELETE:
        return 1
    was, now = (document or {} for document in (change.before, change.after))
    deactivated = was.get("active") is not False and now.get("active") is False
    return int(change.before is not None and deactivated) + len(change.members.removed)


def watch(tx: Transaction, change: ChangeRecord) -> None:
    """Count what a change takes away, and hold its entity where that is, or was before, too much.

    Call it when the change and its cursors are written.
    """
    takes = losses(change)
    if takes or change.access.revoked:
        guarded(tx, change.entity.organization, [change.entity.id], takes, change.cause)


def guarded(
    tx: Transaction, organization: str, entities: Sequence[str], takes: int, cause: Cause
) -> bool:
    """Count `takes` losses and return whether these entities are held, now or by an open hold.

    Losses that follow from others, counted already, take 0.
    """
    limits = tx.row(_LIMITS)
    if limits is None:
        return False
    # Counting first makes writers of one organization wait for each other: the hold is seen.
    total, people = _count(tx, organization, takes, limits[2]) if takes else (0, None)
    if not tx.run(_MORE, organization=organization, more=takes):
        if total <= limits[0]:
            return False
        allowed = _allowed(tx, organization, people, limits)
        if total <= allowed:
            return False
        _open(tx, organization, total, allowed, cause)
    tx.run(_HOLD, organization=organization, entities=list(entities), now=tx.now)
    return True


def every(reader: Reader) -> list[Hold]:
    """Return the open holds, the longest open first."""
    return [
        Hold(
            organization,
            opened,
            changes,
            allowed,
            cause,
            held={row[0]: row[1] for row in reader.rows(_HELD, organization=organization)},
        )
        for organization, opened, changes, allowed, cause in reader.rows(_ALL)
    ]


def held_by_backend(reader: Reader) -> dict[str, int]:
    """Return how many entities are held, by the name of the backend that does not get them."""
    return {row[0]: row[1] for row in reader.rows(_HELD_BY_BACKEND)}


def release(tx: Transaction, organization: str, cause: Cause) -> Ended | None:
    """End a hold and deliver what it held; None where there is none. Counting begins anew."""
    if not tx.run(_CLOSE, organization=organization):
        return None
    count = tx.run(_RELEASE, organization=organization, now=tx.now)
    _end(tx, organization, cause, "hold.released", count)
    return Ended(count, 0)


def reject(tx: Transaction, organization: str, cause: Cause) -> Ended | None:
    """End a hold and never deliver what it held; None where there is none.

    The targets keep what they have, and reconcile tells how they differ. What is being delivered
    at this moment stays held, and so does the hold: reject it again.
    """
    if not tx.run(_MORE, organization=organization, more=0):
        return None
    tx.run(_GIVE_UP_PASSWORDS, organization=organization)
    count = tx.run(_REJECT, organization=organization, now=tx.now)
    left = sum(number for _, number in tx.rows(_HELD, organization=organization))
    if not left:
        tx.run(_CLOSE, organization=organization)
    _end(tx, organization, cause, "hold.rejected", count)
    return Ended(count, left)


def _count(tx: Transaction, organization: str, takes: int, micros: int) -> tuple[int, int | None]:
    minute = tx.now // _MINUTE
    since = (tx.now - micros) // _MINUTE
    tx.run(_COUNT, organization=organization, minute=minute, changes=takes)
    tx.run(_FORGET, organization=organization, since=since)
    total, people = tx.row(_TOTAL, organization=organization, since=since) or (0, None)
    return int(total or 0), people


def _allowed(
    tx: Transaction, organization: str, people: int | None, limits: tuple[Any, ...]
) -> int:
    if people is None:  # counted once in a window: an organization may be large
        (people,) = tx.row(_PEOPLE, organization=organization) or (0,)
        at = tx.now // _MINUTE
        tx.run(_NOTE_PEOPLE, organization=organization, at=at, found=people)
    least: int = limits[0]
    return max(least, int(people * limits[1] / 100))


def _open(tx: Transaction, organization: str, total: int, allowed: int, cause: Cause) -> None:
    tx.run(
        _OPEN,
        organization=organization,
        opened=tx.now,
        changes=total,
        allowed=allowed,
        cause=cause.actor,
    )
    detail = {"changes": total, "allowed": allowed}
    audit(tx, organization, cause, "hold.opened", f"organization/{organization}", detail)


def _end(tx: Transaction, organization: str, cause: Cause, action: str, count: int) -> None:
    tx.run(_FORGET, organization=organization, since=tx.now)  # a time is more than any minute
    audit(tx, organization, cause, action, f"organization/{organization}", {"entities": count})
