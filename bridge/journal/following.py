"""Following marks: working out whose access changed, and writing it as change records.

One step follows one mark in one transaction: it holds the target's row, looks at grants, groups
and users as they are by then, and writes the difference to what backends were told before as the
target's next version. A sweep that is not at its end goes to the end of the queue, so that a grant
to a hundred thousand people holds nobody up.

Rule: what is written in a step, and the end of its mark, are one transaction: a mark is followed
wholly or not yet, whatever dies meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import bindparam, delete, literal_column, select

from bridge.codec import decode, from_micros
from bridge.core.access import RECORD_USERS, Access, AccessDelta, AccessState, Level
from bridge.core.changes import Cause
from bridge.journal import marking, record, resources
from bridge.journal.marking import USER, Mark
from bridge.journal.reach import reach
from bridge.journal.statements import ZERO, among, insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import access as _a
from bridge.journal.tables import access_work as _w
from bridge.journal.tables import member as _m
from bridge.journal.tables import resource as _r
from bridge.journal.targets import TYPES

SWEEP_USERS = 250
"""Users that a step of a sweep looks at: it keeps other writers waiting for as long as it takes."""

_MARK = (_w.c.sequence, _w.c.organization, _w.c.kind, _w.c.target, _w.c.subject, _w.c.users)
_marks = (
    select(*_MARK, _w.c.after, _w.c.actor, _w.c.request_id)
    .order_by(_w.c.sequence)
    .with_for_update(skip_locked=True)
)
_NEXT = prepared(_marks.limit(literal_column("1")))
_LIKE_IT = prepared(
    _marks.where(
        _w.c.organization == bindparam("organization"),
        _w.c.target == bindparam("target"),
        _w.c.kind == Mark.USERS.value,
        _w.c.sequence > bindparam("sequence"),
    ).limit(literal_column("64"))
)
_ANY = prepared(select(_w.c.sequence).limit(literal_column("1")))
_DONE = prepared(delete(_w).where(_w.c.sequence == bindparam("sequence")))
_ON_TARGET = (_a.c.organization == bindparam("organization"), _a.c.target == bindparam("target"))
_HELD = prepared(
    select(_a.c.user_id, _a.c.level, _a.c.state, _a.c.suspended).where(
        *_ON_TARGET, among(_a.c.user_id, "users")
    )
)
_HELD_BY = prepared(
    select(_a.c.target).where(
        _a.c.organization == bindparam("organization"), _a.c.user_id == bindparam("user")
    )
)
_HOLDERS = prepared(
    select(_a.c.user_id)
    .where(*_ON_TARGET, _a.c.user_id > bindparam("after"))
    .order_by(_a.c.user_id)
    .limit(bindparam("count"))
)
_MEMBERS = prepared(
    select(_m.c.member_id)
    .where(
        _m.c.organization == bindparam("organization"),
        _m.c.group_id == bindparam("group"),
        _m.c.member_id > bindparam("after"),
        _m.c.type == USER,
    )
    .order_by(_m.c.member_id)
    .limit(bindparam("count"))
)
_ACTIVE = prepared(
    select(_r.c.id, _r.c.active).where(
        _r.c.organization == bindparam("organization"),
        among(_r.c.id, "users"),
        _r.c.deleted == ZERO,
        _r.c.type == USER,
    )
)
_new = insert_into(_a)
_PUT = prepared(
    _new.on_conflict_do_update(
        index_elements=list(_a.primary_key),
        set_={name: _new.excluded[name] for name in ("level", "state", "suspended")},
    )
)
_DROP = prepared(delete(_a).where(*_ON_TARGET, _a.c.user_id == bindparam("user_id")))


@attrs.frozen
class _Marked:
    """A mark as it is stored."""

    sequence: int
    organization: str
    kind: str
    target: str | None
    subject: str | None
    users: str | None
    after: str
    actor: str
    request_id: str

    def cause(self, reader: Reader) -> Cause:
        return Cause(self.actor, self.request_id, from_micros(reader.now))


@attrs.frozen
class Held:
    """One user's row on a target; while it is suspended, backends know of no access."""

    level: Level
    state: AccessState
    suspended: bool

    def effective(self, user: str) -> Access | None:
        """Return what backends are told, or None for no access."""
        return None if self.suspended else Access(user, self.level, self.state)


def follow(tx: Transaction) -> bool:
    """Follow the mark that has waited longest; False where none waits."""
    row = tx.row(_NEXT)
    if row is None:
        return False
    mark = _Marked(*row)
    cause = mark.cause(tx)
    match mark.kind:
        case Mark.USERS:
            _users(tx, mark, cause)
        case Mark.PERSON:
            _person(tx, mark, cause)
        case Mark.MEMBERS:
            _sweep(tx, mark, _members(tx, mark), cause)
        case Mark.HOLDERS:
            _sweep(tx, mark, _holders(tx, mark), cause)
    tx.run(_DONE, sequence=mark.sequence)
    return True


def waiting(reader: Reader) -> bool:
    """Return whether any mark waits to be followed."""
    return reader.row(_ANY) is not None


def settle(
    tx: Transaction, organization: str, target_id: str, users: Collection[str], cause: Cause
) -> None:
    """Work out these users' access to a target and write what differs as its next version.

    The target's row is held first, so that whoever else works on it is done or waits.
    """
    target = resources.get_any(tx, organization, target_id)
    if target is None:
        _forget(tx, organization, target_id, users)
        return
    names = list(users)
    wanted = reach(tx, organization, target_id, names)
    before = held(tx, organization, target_id, names)
    active: dict[str, int | None] = dict(tx.rows(_ACTIVE, organization=organization, users=names))
    after = {
        user: _next(level, before.get(user), active=active[user] != 0)
        for user, level in wanted.items()
        if user in active
    }
    delta = _difference(sorted(names), before, after)
    _write(tx, organization, target_id, before, after)
    rtype = TYPES[target.entity.type]
    record.update(tx, rtype, target, target.attributes, (), cause, access=delta)


def held(
    reader: Reader, organization: str, target_id: str, users: Sequence[str]
) -> dict[str, Held]:
    """Return the rows of these users on a target, by user."""
    rows = reader.rows(_HELD, organization=organization, target=target_id, users=list(users))
    return {
        user: Held(Level(level), AccessState(state), bool(suspended))
        for user, level, state, suspended in rows
    }


def put(tx: Transaction, organization: str, target_id: str, rows: Mapping[str, Held]) -> None:
    """Write these users' rows on a target."""
    place = {"organization": organization, "target": target_id}
    tx.run_many(
        _PUT,
        [
            {**place, "user_id": user, **attrs.asdict(row), "suspended": int(row.suspended)}
            for user, row in rows.items()
        ],
    )


def _users(tx: Transaction, mark: _Marked, cause: Cause) -> None:
    # Marks of one target come in numbers when a provider adds one member at a time.
    place = {"organization": mark.organization, "target": mark.target}
    users = dict.fromkeys(decode(mark.users or "[]"))
    for row in tx.rows(_LIKE_IT, **place, sequence=mark.sequence):
        more = _Marked(*row)
        joined = users | dict.fromkeys(decode(more.users or "[]"))
        if len(joined) > RECORD_USERS:
            break
        users = joined
        tx.run(_DONE, sequence=more.sequence)
    settle(tx, mark.organization, str(mark.target), users, cause)


def _person(tx: Transaction, mark: _Marked, cause: Cause) -> None:
    user = str(mark.subject)
    rows = tx.rows(_HELD_BY, organization=mark.organization, user=user)
    granted = marking.granted_on(tx, mark.organization, user)
    for target in sorted({row[0] for row in rows} | set(granted)):
        marking.users_changed(tx, mark.organization, target, [user], cause)


def _members(tx: Transaction, mark: _Marked) -> list[str]:
    place = {"organization": mark.organization, "group": mark.subject, "after": mark.after}
    return [row[0] for row in tx.rows(_MEMBERS, **place, count=SWEEP_USERS)]


def _holders(tx: Transaction, mark: _Marked) -> list[str]:
    place = {"organization": mark.organization, "target": mark.target, "after": mark.after}
    return [row[0] for row in tx.rows(_HOLDERS, **place, count=SWEEP_USERS)]


def _sweep(tx: Transaction, mark: _Marked, users: Sequence[str], cause: Cause) -> None:
    target = str(mark.target)
    if users:
        settle(tx, mark.organization, target, users, cause)
    if len(users) == SWEEP_USERS:
        kind, after = Mark(mark.kind), users[-1]
        marking.again(tx, kind, mark.organization, target, mark.subject, after, cause)


def _next(level: Level, before: Held | None, *, active: bool) -> Held:
    state = before.state if before else AccessState.PENDING
    return Held(level, state, suspended=not active)


def _difference(
    users: Sequence[str], before: Mapping[str, Held], after: Mapping[str, Held]
) -> AccessDelta:
    granted, revoked = [], []
    for user in users:
        old, new = before.get(user), after.get(user)
        was, now = old and old.effective(user), new and new.effective(user)
        if was != now:
            granted += [now] if now else []
            revoked += [was] if was else []
    return AccessDelta(tuple(granted), tuple(revoked))


def _write(
    tx: Transaction,
    organization: str,
    target_id: str,
    before: Mapping[str, Held],
    after: Mapping[str, Held],
) -> None:
    _forget(tx, organization, target_id, [user for user in before if user not in after])
    changed = {user: row for user, row in after.items() if before.get(user) != row}
    put(tx, organization, target_id, changed)


def _forget(tx: Transaction, organization: str, target_id: str, users: Collection[str]) -> None:
    place: dict[str, Any] = {"organization": organization, "target": target_id}
    tx.run_many(_DROP, [{**place, "user_id": user} for user in users])
