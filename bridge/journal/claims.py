"""Claims: leasing what is due for a backend, and writing down how it went.

`next_at` of a leased cursor is when the lease ends and `epoch` is its fencing token. An owner on a
cursor that is due means that a worker died with it: its last write may still be under way, so the
next one looks twice. During a lease `observe` collects what others want looked at.

Rule: a lease's epoch ends with its release, so a late worker can only learn that it is late; the
cursor then goes back to before what that worker wrote (`_HEAL`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    select,
    update,
)

from bridge.codec import change_of
from bridge.core.backend import Link
from bridge.core.changes import ChangeRecord
from bridge.core.delivery import Look, NextState
from bridge.core.resources import Entity
from bridge.journal.guard_tables import HELD
from bridge.journal.history import pending_rows
from bridge.journal.passwords import Waiting
from bridge.journal.statements import ONE, ZERO, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import cursor, link, password
from bridge.sealing import Sealed

_SECOND = 1_000_000  # microseconds


def _higher(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)


_KEY = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.organization == bindparam("organization"),
    cursor.c.entity == bindparam("entity"),
)
_FENCE = (*_KEY, cursor.c.epoch == bindparam("claimed"))
_NOW: ColumnElement[int] = bindparam("now", type_=BigInteger)
_LOOK: ColumnElement[int] = bindparam("look", type_=Integer)
_WAITING = (
    cursor.c.backend == bindparam("backend"),
    cursor.c.pending == ONE,
    cursor.c.parked == ZERO,
)
_PENDING = (
    select(
        cursor.c.organization,
        cursor.c.type,
        cursor.c.entity,
        cursor.c.applied,
        cursor.c.target,
        cursor.c.attempts,
        cursor.c.epoch,
        cursor.c.observe,
        cursor.c.deferred_since,
        cursor.c.owner,
        link.c.target_id,
        link.c.name,
        password.c.version,
        password.c.sealed,
    )
    .outerjoin_from(
        cursor,
        link,
        and_(
            link.c.organization == cursor.c.organization,
            link.c.backend == cursor.c.backend,
            link.c.resource == cursor.c.entity,
        ),
    )
    .outerjoin(
        password,
        and_(
            password.c.organization == cursor.c.organization,
            password.c.entity == cursor.c.entity,
            password.c.backend == cursor.c.backend,
        ),
    )
    .order_by(cursor.c.next_at)
    .limit(bindparam("room"))
)
_FIND_PENDING = prepared(_PENDING.where(*_WAITING))
_FIND_HELD = prepared(_PENDING.where(_WAITING[0], cursor.c.parked == literal_column("2")))
_DUE = _PENDING.where(*_WAITING, cursor.c.next_at <= _NOW)
_FIND_DUE = prepared(_DUE.with_for_update(of=cursor, skip_locked=True))
_NEXT_DUE = prepared(select(func.min(cursor.c.next_at)).where(*_WAITING))
_LEASE = prepared(
    update(cursor)
    .where(*_KEY)
    .values(
        next_at=bindparam("until"),
        epoch=bindparam("claimed"),
        owner=bindparam("worker"),
        observe=int(Look.TRUST),
        updated=_NOW,
    )
)
_SETTLE = prepared(
    update(cursor)
    .where(*_FENCE)
    .values(
        applied=bindparam("done"),
        pending=case(
            (cursor.c.target > bindparam("done"), 1),
            (cursor.c.observe > int(Look.TRUST), 1),
            else_=bindparam("unsettled", type_=Integer),
        ),
        next_at=case(  # what came meanwhile does not wait for what is only to be verified
            (
                and_(bindparam("onward", type_=Integer) == 1, cursor.c.target > bindparam("done")),
                _NOW,
            ),
            else_=bindparam("at", type_=BigInteger),
        ),
        attempts=bindparam("tries"),
        epoch=cursor.c.epoch + 1,
        owner=None,
        observe=_higher(cursor.c.observe, _LOOK),
        deferred_since=case(
            (
                bindparam("deferring", type_=Integer) == 1,
                func.coalesce(cursor.c.deferred_since, _NOW),
            )
        ),
        parked=case((cursor.c.parked == HELD, HELD), else_=bindparam("park", type_=Integer)),
        last_error=bindparam("error"),
        next_step=bindparam("step"),
        updated=_NOW,
    )
)
_PROGRESS = prepared(
    update(cursor)
    .where(*_FENCE)
    .values(
        applied=bindparam("done"),
        next_at=bindparam("until"),
        attempts=0,
        deferred_since=None,
        last_error=None,
        next_step=None,
        updated=_NOW,
    )
)
_RENEW = prepared(update(cursor).where(*_FENCE).values(next_at=bindparam("until"), updated=_NOW))
_RELEASE = prepared(
    update(cursor)
    .where(*_FENCE)
    .values(
        next_at=_NOW,
        epoch=cursor.c.epoch + 1,
        owner=None,
        observe=_higher(cursor.c.observe, _LOOK),
        updated=_NOW,
    )
)
_HEAL = prepared(
    update(cursor)
    .where(*_KEY)
    .values(
        applied=case(
            (cursor.c.applied > bindparam("done"), bindparam("done")), else_=cursor.c.applied
        ),
        pending=1,
        epoch=cursor.c.epoch + 1,
        observe=int(Look.TWICE),
        updated=_NOW,
    )
)
_CLEAR_LEASES = prepared(
    update(cursor)
    .where(*_WAITING, cursor.c.owner.is_not(None), cursor.c.next_at > _NOW)
    .values(next_at=_NOW, updated=_NOW)
)


@attrs.frozen
class Claim:
    """One entity that is ours to deliver until its lease ends.

    The backend holds version `applied` and should hold `target`; `look` says what to read of it
    first, `deferred_seconds` how long the entity has been waiting for another, `link` what it is
    in the target, and `password` what it is to be given. `at` is when it was claimed
    (microseconds UTC).
    """

    backend: str
    entity: Entity
    applied: int
    target: int
    attempts: int
    epoch: int
    look: Look
    deferred_seconds: float
    at: int
    link: Link | None
    password: Waiting | None
    rows: tuple[tuple[Any, ...], ...] = attrs.field(repr=False)

    def changes(self, limit: int | None = None) -> tuple[ChangeRecord, ...]:
        """Return the pending versions in order without a gap; none where the history is gone.

        A password among them is still sealed.
        """
        changes = tuple(change_of(row) for row in self.rows[:limit])
        return self.password.on(changes) if self.password else changes

    def after(self, version: int) -> "Claim | None":
        """Return what is left of this claim once `version` is applied, or None for nothing."""
        rows = tuple(row for row in self.rows if row[2] > version)
        if not rows:
            return None
        waiting = self.password if self.password and self.password.version > version else None
        return attrs.evolve(
            self, applied=version, attempts=0, look=Look.TRUST, password=waiting, rows=rows
        )

    @property
    def characters(self) -> int:
        """Stored text of the pending versions: documents, and deltas (about 50 a member)."""
        return sum(len(text) for row in self.rows for text in row[4:10] if text)

    @property
    def key(self) -> dict[str, str]:
        """The cursor's primary key as statement parameters."""
        return {
            "backend": self.backend,
            "organization": self.entity.organization,
            "entity": self.entity.id,
        }


def claim(
    tx: Transaction, backend: str, *, room: int, worker: str, lease_seconds: float
) -> list[Claim]:
    """Lease up to `room` due entities, the longest due first, with their pending versions."""
    found = tx.rows(_FIND_DUE, backend=backend, now=tx.now, room=room)
    claims = _claims(tx, backend, found, lease=1)
    until = tx.now + round(lease_seconds * _SECOND)
    tx.run_many(
        _LEASE,
        [
            one.key | {"claimed": one.epoch, "until": until, "worker": worker, "now": tx.now}
            for one in claims
        ],
    )
    return claims


def pending(reader: Reader, backend: str, limit: int, *, held: bool = False) -> list[Claim]:
    """Return what is due or will be, or what is held, the longest first, without leasing it."""
    found = reader.rows(_FIND_HELD if held else _FIND_PENDING, backend=backend, room=limit)
    return _claims(reader, backend, found, lease=0)


def next_due(reader: Reader, backend: str) -> int | None:
    """Return when the next entity is due or its lease ends (microseconds UTC), or None."""
    row = reader.row(_NEXT_DUE, backend=backend)
    return row[0] if row else None


def settle(tx: Transaction, claim: Claim, state: NextState, *, wrote: bool) -> bool:
    """Release a claim with the cursor's next state; False where the lease was lost before.

    `wrote` says that the target may have been written to; if the lease was lost, whatever was
    written since may be overwritten by that, and is delivered again.
    """
    settled = tx.run(
        _SETTLE,
        **claim.key,
        claimed=claim.epoch,
        done=state.applied,
        unsettled=int(not state.settled),
        onward=int(state.error is None),
        at=tx.now + round(state.delay_seconds * _SECOND),
        tries=state.attempts,
        look=int(state.look),
        deferring=int(state.deferring),
        park=int(state.parked),
        error=state.error,
        step=state.next_step,
        now=tx.now,
    )
    return _kept(tx, claim, settled, wrote=wrote)


def progress(tx: Transaction, claim: Claim, version: int, lease_seconds: float) -> bool:
    """Note that `version` is applied and renew the lease; False where it was lost before."""
    until = tx.now + round(lease_seconds * _SECOND)
    noted = tx.run(
        _PROGRESS, **claim.key, claimed=claim.epoch, done=version, until=until, now=tx.now
    )
    return _kept(tx, claim, noted, wrote=True)


def renew(tx: Transaction, claim: Claim, lease_seconds: float) -> bool:
    """Begin a claim's lease anew; False where it was lost before."""
    until = tx.now + round(lease_seconds * _SECOND)
    return bool(tx.run(_RENEW, **claim.key, claimed=claim.epoch, until=until, now=tx.now))


def release(tx: Transaction, claims: Iterable[Claim]) -> None:
    """Hand claims back that nothing was done for; they are due at once."""
    tx.run_many(
        _RELEASE,
        [one.key | {"claimed": one.epoch, "look": int(one.look), "now": tx.now} for one in claims],
    )


def clear_leases(tx: Transaction, backend: str) -> int:
    """End all leases of a backend: only for the process that holds the journal's lock."""
    return tx.run(_CLEAR_LEASES, backend=backend, now=tx.now)


def _claims(
    reader: Reader, backend: str, found: Sequence[tuple[Any, ...]], lease: int
) -> list[Claim]:
    rows = pending_rows(reader, [(row[0], row[2], row[3]) for row in found])
    return [
        _claim(reader, backend, row, changes, lease)
        for row, changes in zip(found, rows, strict=True)
    ]


def _claim(
    reader: Reader,
    backend: str,
    row: tuple[Any, ...],
    changes: Sequence[tuple[Any, ...]],
    lease: int,
) -> Claim:
    organization, type_, entity, applied, target, attempts, epoch, *rest = row
    look, deferred_since, owner, target_id, name, brought_by, sealed = rest
    return Claim(
        backend=backend,
        entity=Entity(organization, type_, entity),
        applied=applied,
        target=target,
        attempts=attempts,
        epoch=epoch + lease,
        look=Look.TWICE if owner is not None else Look(look),
        deferred_seconds=(reader.now - deferred_since) / _SECOND if deferred_since else 0.0,
        at=reader.now,
        link=None if target_id is None else Link(entity, target_id, name),
        password=None if sealed is None else Waiting(brought_by, Sealed(sealed)),
        rows=tuple(changes),
    )


def _kept(tx: Transaction, claim: Claim, touched: int, *, wrote: bool) -> bool:
    if not touched and wrote:
        tx.run(_HEAL, **claim.key, done=claim.applied, now=tx.now)
    return bool(touched)
