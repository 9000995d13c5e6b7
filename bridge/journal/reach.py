"""What grants give to whom: the strongest level on a target, and the chains that lead to it.

Rule: everything here is worked out from grants and memberships as they are, never from what
backends were told.
"""

from collections.abc import Sequence

import attrs
from sqlalchemy import ColumnElement, and_, bindparam, select

from bridge.core.access import Level
from bridge.journal.marking import GROUP, IS_GROUP, USER
from bridge.journal.statements import among, prepared
from bridge.journal.store import Reader
from bridge.journal.tables import access_grant as _g
from bridge.journal.tables import member as _m

FEW_GROUPS = 16
"""Up to so many groups, memberships are looked for one by one; above, by each user's groups."""

_ORGANIZATION: ColumnElement[str] = bindparam("organization")
_ON_TARGET = (_g.c.organization == _ORGANIZATION, _g.c.target == bindparam("target"))
_TO_USERS = prepared(
    select(_g.c.subject, _g.c.level).where(
        *_ON_TARGET, _g.c.subject_type == USER, among(_g.c.subject, "users")
    )
)
_granted = (
    select(_g.c.subject.label("root"), _g.c.subject.label("id"), _g.c.level)
    .where(*_ON_TARGET, _g.c.subject_type == GROUP)
    .cte("granted", recursive=True)
)
_granted = _granted.union(
    select(_granted.c.root, _m.c.member_id, _granted.c.level).join_from(
        _granted,
        _m,
        and_(_m.c.organization == _ORGANIZATION, _m.c.group_id == _granted.c.id, IS_GROUP),
    )
)
_GROUPS = prepared(select(_granted.c.id, _granted.c.level))
_memberships = select(_m.c.member_id, _m.c.group_id).where(
    _m.c.organization == _ORGANIZATION, among(_m.c.member_id, "users")
)
_MEMBERSHIPS = prepared(_memberships)
_MEMBERSHIPS_IN = prepared(_memberships.where(among(_m.c.group_id, "groups")))
_GRANTS = prepared(
    select(_g.c.id, _g.c.subject, _g.c.subject_type, _g.c.level)
    .where(*_ON_TARGET)
    .order_by(_g.c.id)
)
_AROUND = prepared(
    select(_m.c.member_id, _m.c.group_id)
    .where(_m.c.organization == _ORGANIZATION, among(_m.c.member_id, "ids"))
    .order_by(_m.c.group_id)
)


@attrs.frozen
class Chain:
    """How one grant reaches a user: `via` the groups from the user's own to the granted one.

    Empty for a grant to the user himself.
    """

    grant: str
    level: Level
    via: tuple[str, ...] = ()


def reach(reader: Reader, organization: str, target: str, users: Sequence[str]) -> dict[str, Level]:
    """Return the strongest level that grants on a target give to each of these users.

    Whoever is not reached is left out. Whether a user is active does not matter here.
    """
    place = {"organization": organization, "target": target}
    found: dict[str, Level] = {}
    for user, level in reader.rows(_TO_USERS, **place, users=list(users)):
        found[user] = Level(level)
    groups: dict[str, Level] = {}
    for group, level in reader.rows(_GROUPS, **place):
        groups[group] = max(Level(level), groups.get(group, Level.VIEW))
    if not groups:
        return found
    asked = {"organization": organization, "users": list(users)}
    if len(groups) <= FEW_GROUPS:
        rows = reader.rows(_MEMBERSHIPS_IN, **asked, groups=list(groups))
    else:
        rows = reader.rows(_MEMBERSHIPS, **asked)
    for user, group in rows:
        if group in groups:
            found[user] = max(groups[group], found.get(user, Level.VIEW))
    return found


def chains(reader: Reader, organization: str, target: str, user: str) -> list[Chain]:
    """Return how each grant on a target reaches a user, strongest first; shortest ways only."""
    ways = _ways(reader, organization, user)
    rows = reader.rows(_GRANTS, organization=organization, target=target)
    found = [
        Chain(grant, Level(level), ways[subject])
        for grant, subject, _, level in rows
        if subject in ways
    ]
    return sorted(found, key=lambda one: (-one.level.strength, len(one.via), one.grant))


def _ways(reader: Reader, organization: str, user: str) -> dict[str, tuple[str, ...]]:
    # Breadth first, one query for each depth of nesting.
    ways: dict[str, tuple[str, ...]] = {user: ()}
    reached = [user]
    while reached:
        fresh: list[str] = []
        for member, group in reader.rows(_AROUND, organization=organization, ids=reached):
            if group not in ways:
                ways[group] = (*ways[member], group)
                fresh.append(group)
        reached = fresh
    return ways
