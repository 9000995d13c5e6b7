"""Who has access to what, and why: for people, for programs, and for the member's first click.

Rule: lists show what backends are told; `why` is worked out afresh from grants and memberships.
"""

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select

from bridge.core.access import Access, AccessDelta, AccessState, Level
from bridge.core.changes import Cause
from bridge.core.errors import OperatorError
from bridge.journal import following, record, resources, targets
from bridge.journal.documents import text_at
from bridge.journal.reach import Chain, chains
from bridge.journal.statements import ONE, ZERO, among, prepared
from bridge.journal.store import Reader, Transaction
from bridge.journal.subjects import Subject
from bridge.journal.tables import access as _a
from bridge.journal.tables import access_work as _w
from bridge.journal.tables import resource as _r
from bridge.journal.targets import Target

_ORGANIZATION: ColumnElement[str] = bindparam("organization")
_USER_NAME = text_at(_r.c.document, "userName")
_shown = (
    select(_a.c.user_id, _USER_NAME, text_at(_r.c.document, "displayName"), _a.c.level, _a.c.state)
    .join(_r, and_(_r.c.organization == _a.c.organization, _r.c.id == _a.c.user_id))
    .where(
        _a.c.organization == _ORGANIZATION,
        _a.c.target == bindparam("target"),
        _a.c.suspended == ZERO,
    )
)
_ON_TARGET = prepared(
    _shown.where(_a.c.user_id > bindparam("after")).order_by(_a.c.user_id).limit(bindparam("count"))
)
_OF_USER = prepared(
    select(_a.c.target, _a.c.level, _a.c.state)
    .where(
        _a.c.organization == _ORGANIZATION,
        _a.c.user_id == bindparam("user"),
        _a.c.suspended == ZERO,
        _a.c.target > bindparam("after"),
    )
    .order_by(_a.c.target)
    .limit(bindparam("count"))
)
_UNSETTLED = prepared(
    select(ONE)
    .where(
        _w.c.organization == _ORGANIZATION,
        or_(_w.c.target == bindparam("target"), _w.c.target.is_(None)),
    )
    .limit(ONE)
)
_NAMES = prepared(
    select(_r.c.id, func.coalesce(text_at(_r.c.document, "displayName"), _USER_NAME)).where(
        _r.c.organization == _ORGANIZATION, among(_r.c.id, "ids")
    )
)


@attrs.frozen
class Shown:
    """One user's access to a target, as it is shown."""

    user: str
    user_name: str
    display_name: str | None
    level: Level
    state: AccessState


@attrs.frozen
class Reason:
    """One grant that reaches a user, and the names of the groups it comes through.

    `by_hand` for a grant to the user himself; `via` is empty then.
    """

    grant: str
    level: Level
    by_hand: bool
    via: tuple[str, ...]


@attrs.frozen
class Why:
    """Why a user has access to a target, or has none.

    `scope` is where it is decided: the target itself, or what a team folder is part of. `level`
    None: no grant reaches him, or he is not `active`. `state` None: backends know of none (yet).
    """

    user: Subject
    target: Target
    scope: Target
    level: Level | None
    state: AccessState | None
    reasons: tuple[Reason, ...]

    @property
    def explanation(self) -> str:
        """One sentence for a person."""
        name, place = self.user.name, f"{self.scope.type.lower()} {self.scope.name!r}"
        if not self.reasons:
            return f"{name} has no access: no grant on {place} reaches them."
        if self.level is None:
            return f"{name} has no access: the identity provider has deactivated them."
        best = self.reasons[0]
        way = "a grant by hand" if best.by_hand else f"group {' in group '.join(best.via)}"
        return f"{name} has {best.level} on {place} through {way}."


def on_target(
    reader: Reader, organization: str, scope: Target, after: str, count: int
) -> list[Shown]:
    """Return up to `count` users with access where it is decided, by id from after id `after`."""
    rows = reader.rows(
        _ON_TARGET, organization=organization, target=scope.id, after=after, count=count
    )
    return [
        Shown(user, user_name, display, Level(level), AccessState(state))
        for user, user_name, display, level, state in rows
    ]


def of_user(
    reader: Reader, organization: str, user: str, after: str, count: int
) -> list[tuple[Target, Access]]:
    """Return up to `count` targets that a user has access to, by id from after id `after`."""
    rows = reader.rows(_OF_USER, organization=organization, user=user, after=after, count=count)
    return [
        (
            targets.find(reader, organization, target),
            Access(user, Level(level), AccessState(state)),
        )
        for target, level, state in rows
    ]


def settled(reader: Reader, organization: str, scope: Target) -> bool:
    """Return whether everything that may have changed access there has been followed."""
    return reader.row(_UNSETTLED, organization=organization, target=scope.id) is None


def why(reader: Reader, organization: str, user: Subject, target: Target) -> Why:
    """Return the grants that reach a user on a target, each with its chain of groups."""
    scope = targets.scope(reader, organization, target)
    found = chains(reader, organization, scope.id, user.id)
    names = _names(reader, organization, found)
    held = following.held(reader, organization, scope.id, [user.id]).get(user.id)
    effective = held.effective(user.id) if held else None
    return Why(
        user,
        target,
        scope,
        level=found[0].level if found and user.active is not False else None,
        state=effective.state if effective else None,
        reasons=tuple(
            Reason(one.grant, one.level, not one.via, tuple(names.get(g, g) for g in one.via))
            for one in found
        ),
    )


def join(tx: Transaction, organization: str, user: Subject, target: Target, cause: Cause) -> Access:
    """Make a user whom a grant reaches a member: his first click. A member stays one.

    Raises OperatorError BRG-ACCESS-NONE where no grant reaches him.
    """
    scope = targets.scope(tx, organization, target)
    following.settle(tx, organization, scope.id, [user.id], cause)
    held = following.held(tx, organization, scope.id, [user.id]).get(user.id)
    was = held.effective(user.id) if held else None
    if held is None or was is None:
        raise OperatorError(
            "BRG-ACCESS-NONE",
            "No grant reaches this user there, or he is deactivated.",
            "Grant a level to him or to a group of his, then have him click again.",
        )
    now = attrs.evolve(was, state=AccessState.MEMBER)
    if now != was:
        joined = attrs.evolve(held, state=AccessState.MEMBER)
        following.put(tx, organization, scope.id, {user.id: joined})
        found = resources.get_any(tx, organization, scope.id)
        if found is not None:
            rtype, delta = targets.TYPES[scope.type], AccessDelta((now,), (was,))
            record.update(tx, rtype, found, found.attributes, (), cause, access=delta)
    return now


def _names(reader: Reader, organization: str, found: Sequence[Chain]) -> dict[str, str]:
    ids = sorted({group for chain in found for group in chain.via})
    rows: list[tuple[Any, ...]] = reader.rows(_NAMES, organization=organization, ids=ids)
    return {row[0]: row[1] for row in rows}
