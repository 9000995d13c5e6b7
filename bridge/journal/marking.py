"""Noting what may have changed somebody's access, in the transaction of its cause.

A mark says whose access is to be worked out again, and never what it will be; following it
(`bridge.journal.following`) looks at what is there by then. So marks may be followed late, twice
or in another order. The four kinds of mark are `Mark`.

Rule: a mark costs in proportion to its cause. One member more in a group is one mark for each
target that the group, or a group around it, is granted on; a grant is one for each group inside.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, literal_column, select

from bridge.codec import encode
from bridge.core.access import RECORD_USERS
from bridge.core.changes import Cause, MemberDelta
from bridge.core.errors import OperatorError
from bridge.core.resources import Entity
from bridge.journal import resources
from bridge.journal.statements import among, insert_into, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.tables import access_grant as _g
from bridge.journal.tables import access_work as _w
from bridge.journal.tables import member as _m
from bridge.journal.tables import resource as _r

USER, GROUP = "User", "Group"
"""The resource types that may be granted access, and have it."""

IS_GROUP = _m.c.type == literal_column("'Group'")  # the condition of an index, to the letter


class Mark(StrEnum):
    """Whose access is to be worked out again."""

    USERS = "users"  # these users, at most RECORD_USERS, on one target
    PERSON = "person"  # one user, on every target
    MEMBERS = "members"  # the direct members of a group, on one target
    HOLDERS = "holders"  # everybody who has access to a target, or had it


_ORGANIZATION: ColumnElement[str] = bindparam("organization")
_START = select(_r.c.id).where(_r.c.organization == _ORGANIZATION, among(_r.c.id, "ids"))
_around = _START.cte("around", recursive=True)
_around = _around.union(
    select(_m.c.group_id).join(
        _around, and_(_m.c.organization == _ORGANIZATION, _m.c.member_id == _around.c.id)
    )
)
_GRANTED_ON = prepared(
    select(_g.c.target).where(
        _g.c.organization == _ORGANIZATION, _g.c.subject.in_(select(_around.c.id))
    )
)
_inside = _START.cte("inside", recursive=True)
_inside = _inside.union(
    select(_m.c.member_id).join(
        _inside,
        and_(_m.c.organization == _ORGANIZATION, _m.c.group_id == _inside.c.id, IS_GROUP),
    )
)
_INSIDE = prepared(select(_inside.c.id).order_by(_inside.c.id))
_UNDER_WAY = prepared(
    select(_w.c.target).where(
        _w.c.organization == _ORGANIZATION,
        _w.c.subject == bindparam("group"),
        _w.c.kind == Mark.MEMBERS.value,
    )
)
_GRANTS = prepared(
    select(func.count()).where(
        _g.c.organization == _ORGANIZATION, _g.c.target == bindparam("target")
    )
)
_DROP_OF_SUBJECT = prepared(
    delete(_g).where(_g.c.organization == _ORGANIZATION, _g.c.subject == bindparam("gone"))
)
_DROP_ON_TARGET = prepared(
    delete(_g).where(_g.c.organization == _ORGANIZATION, _g.c.target == bindparam("gone"))
)
_ADD = prepared(insert_into(_w, [c.name for c in _w.columns if c is not _w.c.sequence]))


def members_changed(tx: Transaction, group: Entity, delta: MemberDelta, cause: Cause) -> None:
    """Note that a group's members changed; nothing where neither it nor one around is granted."""
    at_stake = _at_stake(tx, group)
    if not at_stake:
        return
    changed = (*delta.added, *delta.removed)
    users = sorted(m.id for m in changed if m.type == USER)
    groups = inside(tx, group.organization, [m.id for m in changed if m.type == GROUP])
    for target in at_stake:
        users_changed(tx, group.organization, target, users, cause)
        for each in groups:
            _add(tx, Mark.MEMBERS, group.organization, cause, target=target, subject=each)


def users_changed(
    tx: Transaction, organization: str, target: str, users: Sequence[str], cause: Cause
) -> None:
    """Note that these users' access to one target may have changed."""
    for start in range(0, len(users), RECORD_USERS):
        some = encode(users[start : start + RECORD_USERS])
        _add(tx, Mark.USERS, organization, cause, target=target, users=some)


def person_changed(tx: Transaction, user: Entity, cause: Cause) -> None:
    """Note that a user was activated or deactivated."""
    _add(tx, Mark.PERSON, user.organization, cause, subject=user.id)


def person_ended(tx: Transaction, user: Entity, cause: Cause) -> None:
    """Note that a user is being deleted; what was granted to him by hand ends."""
    tx.run(_DROP_OF_SUBJECT, organization=user.organization, gone=user.id)
    person_changed(tx, user, cause)


def group_ended(tx: Transaction, group: Entity, cause: Cause) -> None:
    """Note that a group is being deleted, while its memberships are still there."""
    for target in _at_stake(tx, group):
        _add(tx, Mark.HOLDERS, group.organization, cause, target=target)
    tx.run(_DROP_OF_SUBJECT, organization=group.organization, gone=group.id)


def target_ended(tx: Transaction, organization: str, target: str, cause: Cause) -> None:
    """Note that a target is being deleted; every grant on it ends."""
    tx.run(_DROP_ON_TARGET, organization=organization, gone=target)
    _add(tx, Mark.HOLDERS, organization, cause, target=target)


def hold(tx: Transaction, subject: Entity) -> list[str]:
    """Hold a user, or a group and all groups inside it, until the end; return those groups.

    A change of members holds its group's row: whoever has it is done, or will see the grant.
    """
    held: list[str] = []
    while True:
        groups = [subject.id] if subject.type == GROUP else []
        found = inside(tx, subject.organization, groups) or [subject.id]
        if found == held:
            return found if groups else []
        for each in found:
            resources.get_any(tx, subject.organization, each)
        held = found


def grant_changed(
    tx: Transaction, target: str, subject: Entity, groups: Sequence[str], cause: Cause
) -> None:
    """Note that a grant to a user, or to a group with these inside it, is another or none."""
    if subject.type == USER:
        users_changed(tx, subject.organization, target, [subject.id], cause)
    for each in groups:
        _add(tx, Mark.MEMBERS, subject.organization, cause, target=target, subject=each)


def again(
    tx: Transaction,
    mark: Mark,
    organization: str,
    target: str,
    subject: str | None,
    after: str,
    cause: Cause,
) -> None:
    """Note that a sweep goes on behind the user `after`, once others had their turn."""
    _add(tx, mark, organization, cause, target=target, subject=subject, after=after)


def granted_on(reader: Reader, organization: str, subject: str) -> list[str]:
    """Return the targets that a user or a group has a grant on, itself or through groups."""
    rows = reader.rows(_GRANTED_ON, organization=organization, ids=[subject])
    return sorted({row[0] for row in rows})


def inside(reader: Reader, organization: str, groups: Collection[str]) -> list[str]:
    """Return these groups and all groups that are members in them, at any depth, sorted."""
    if not groups:
        return []
    return [row[0] for row in reader.rows(_INSIDE, organization=organization, ids=list(groups))]


def _at_stake(reader: Reader, group: Entity) -> list[str]:
    # A grant that was taken may still be followed through the members that the group has by then.
    rows = reader.rows(_UNDER_WAY, organization=group.organization, group=group.id)
    granted = granted_on(reader, group.organization, group.id)
    return sorted({row[0] for row in rows} | set(granted))


def refuse_granted(reader: Reader, organization: str, target: str) -> None:
    """Raise OperatorError BRG-FOLDER-GRANTED where there are grants on a target."""
    (count,) = reader.row(_GRANTS, organization=organization, target=target) or (0,)
    if count:
        raise OperatorError(
            "BRG-FOLDER-GRANTED",
            f"The folder has {count} grants, which a team folder cannot have.",
            "Take them first; then the folder is as accessible as what it lies in.",
        )


def _add(
    tx: Transaction,
    mark: Mark,
    organization: str,
    cause: Cause,
    *,
    target: str | None = None,
    subject: str | None = None,
    users: str | None = None,
    after: str = "",
) -> None:
    tx.run(
        _ADD,
        organization=organization,
        kind=mark,
        target=target,
        subject=subject,
        users=users,
        after=after,
        actor=cause.actor,
        request_id=cause.request_id,
    )
