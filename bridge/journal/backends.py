"""Backends as the journal knows them: who follows it, who is paused, whose circuit is open.

Rule: a backend that is not `removed` has a cursor for every live resource, paused or not, so that
nothing is missed while it waits.
"""

import attrs
from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, literal, or_, select, update

from bridge.core.delivery import Look, circuit_seconds
from bridge.journal.statements import insert, insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import backend, cursor, password, resource

ACTIVE, PAUSED, OPEN, DISABLED, REMOVED = "active", "paused", "open", "disabled", "removed"

_NAMED = backend.c.name == bindparam("backend")
_COLUMNS = tuple(
    backend.c[name]
    for name in ("name", "type", "state", "retry_at", "failures", "reason", "failing_since")
)
_ONE = prepared(select(*_COLUMNS).where(_NAMED))
_ALL = prepared(select(*_COLUMNS).where(backend.c.state != REMOVED).order_by(backend.c.name))
_INSERT = insert_into(backend)
_ADD = prepared(
    _INSERT.on_conflict_do_update(
        index_elements=[backend.c.name],
        set_={
            name: _INSERT.excluded[name]
            for name in (
                *("type", "state", "retry_at", "failing_since", "failures", "reason", "updated"),
            )
        },
    )
)
_ADD_CURSORS = prepared(
    insert(cursor)
    .from_select(
        [
            *("backend", "organization", "entity", "type", "applied", "target", "pending"),
            *("next_at", "observe", "updated"),
        ],
        select(
            bindparam("backend", type_=Text),
            resource.c.organization,
            resource.c.id,
            resource.c.type,
            literal(0, Integer),
            resource.c.version,
            literal(1, Integer),
            bindparam("now", type_=BigInteger),
            literal(int(Look.ONCE), Integer),
            bindparam("now", type_=BigInteger),
        ).where(resource.c.deleted == 0),
    )
    .on_conflict_do_nothing()
)
_DROP_CURSORS = prepared(delete(cursor).where(cursor.c.backend == bindparam("backend")))
_DROP_PASSWORDS = prepared(delete(password).where(password.c.backend == bindparam("backend")))
_SET_STATE = prepared(
    update(backend)
    .where(_NAMED, backend.c.state != REMOVED)
    .values(
        state=bindparam("to"),
        retry_at=None,
        failing_since=None,
        failures=0,
        reason=bindparam("why"),
        updated=bindparam("now"),
    )
)
_OPEN = prepared(
    update(backend)
    .where(_NAMED, or_(backend.c.state == ACTIVE, backend.c.state == OPEN))
    .values(
        state=OPEN,
        retry_at=bindparam("retry_at"),
        failures=backend.c.failures + 1,
        reason=bindparam("why"),
        updated=bindparam("now"),
    )
)
_CLOSE = prepared(
    update(backend)
    .where(_NAMED, backend.c.state == OPEN)
    .values(state=ACTIVE, retry_at=None, failures=0, reason=None, updated=bindparam("now"))
)
_TAKE_PROBE = prepared(
    update(backend)
    .where(_NAMED, backend.c.state == OPEN, backend.c.retry_at <= bindparam("now"))
    .values(retry_at=bindparam("until"), updated=bindparam("now"))
)
_NOTE_FAILING = prepared(
    update(backend).where(_NAMED).values(failing_since=bindparam("since", type_=BigInteger))
)
_GIVE_BACK_PROBE = prepared(
    update(backend)
    .where(_NAMED, backend.c.state == OPEN)
    .values(retry_at=bindparam("now"), updated=bindparam("now"))
)


@attrs.frozen
class BackendRow:
    """One backend: `state` is active, paused, open, disabled or removed.

    Open: its circuit is open after `failures` failed tries, `reason` says why, and `retry_at`
    (microseconds UTC) is when it is tried again. Disabled: nothing more is sent, for `reason`,
    until a person resumes it. `failing_since` is the first failure that no success has followed.
    """

    name: str
    type: str
    state: str
    retry_at: int | None
    failures: int
    reason: str | None
    failing_since: int | None = None


def get(reader: Reader, name: str) -> BackendRow | None:
    """Return the backend of this name, removed ones included, or None."""
    row = reader.row(_ONE, backend=name)
    return BackendRow(*row) if row else None


def every(reader: Reader) -> list[BackendRow]:
    """Return all backends that follow the journal, by name."""
    return [BackendRow(*row) for row in reader.rows(_ALL)]


def add(tx: Transaction, name: str, kind: str) -> bool:
    """Make a backend follow the journal from the present state of every live resource.

    Returns False, and changes nothing, for one that already does.
    """
    known = get(tx, name)
    if known is not None and known.state != REMOVED:
        return False
    tx.freeze(resource)  # what is written after this finds the backend, what was before is found
    tx.run(
        _ADD,
        name=name,
        type=kind,
        state=ACTIVE,
        retry_at=None,
        failing_since=None,
        failures=0,
        reason=None,
        takes_passwords=0,
        updated=tx.now,
    )
    tx.run(_ADD_CURSORS, backend=name, now=tx.now)
    return True


def remove(tx: Transaction, name: str) -> bool:
    """End a backend's following: its cursors go, its links stay. False where there is none."""
    removed = _set_state(tx, name, REMOVED)
    if removed:
        tx.run(_DROP_CURSORS, backend=name)
        tx.run(_DROP_PASSWORDS, backend=name)
    return removed


def pause(tx: Transaction, name: str) -> bool:
    """Stop delivering to a backend; its changes gather. False where there is none."""
    return _set_state(tx, name, PAUSED)


def resume(tx: Transaction, name: str) -> bool:
    """Deliver to a backend again, at once, also where it was disabled or its circuit open."""
    return _set_state(tx, name, ACTIVE)


def disable(tx: Transaction, name: str, reason: str) -> bool:
    """Send nothing more to a backend until a person resumes it. False where there is none."""
    return _set_state(tx, name, DISABLED, reason)


def note_failing(tx: Transaction, row: BackendRow, *, failing: bool) -> float:
    """Note that a backend takes nothing, or something again; return for how many seconds.

    Writes only where that is new.
    """
    if failing == (row.failing_since is not None):
        return (tx.now - row.failing_since) / 1e6 if row.failing_since is not None else 0.0
    tx.run(_NOTE_FAILING, backend=row.name, since=tx.now if failing else None)
    return 0.0


def admitted(tx: Transaction, row: BackendRow | None, room: int, lease_seconds: float) -> int:
    """Return how many entities may be claimed now: `room`, one as a probe, or none.

    An open circuit whose time has come gives its one probe to whoever asks first; a probe that
    never reports back is given again after `lease_seconds`.
    """
    if row is None or row.state in (PAUSED, DISABLED, REMOVED):
        return 0
    if row.state == ACTIVE:
        return room
    until = tx.now + round(lease_seconds * 1e6)
    return min(room, tx.run(_TAKE_PROBE, backend=row.name, now=tx.now, until=until))


def open_circuit(tx: Transaction, name: str, reason: str, asked_seconds: float | None) -> bool:
    """Open a backend's circuit, or keep it open for longer; True where it was closed before."""
    row = get(tx, name)
    if row is None or row.state not in (ACTIVE, OPEN):
        return False
    retry_at = tx.now + round(circuit_seconds(row.failures, asked_seconds) * 1e6)
    tx.run(_OPEN, backend=name, retry_at=retry_at, why=reason, now=tx.now)
    return row.state == ACTIVE


def close_circuit(tx: Transaction, name: str) -> bool:
    """Close a backend's circuit; True where it was open."""
    return tx.run(_CLOSE, backend=name, now=tx.now) == 1


def _set_state(tx: Transaction, name: str, to: str, reason: str | None = None) -> bool:
    return tx.run(_SET_STATE, backend=name, to=to, why=reason, now=tx.now) == 1


def give_back_probe(tx: Transaction, name: str) -> None:
    """Have an open circuit probed again at once: the last probe never came to the target."""
    tx.run(_GIVE_BACK_PROBE, backend=name, now=tx.now)
