"""Reading who is a member of what, from either end.

Rule: a membership is a row; nothing here is found by reading a group's document.
"""

from collections.abc import Iterable, Sequence

import attrs
from sqlalchemy import and_, bindparam, func, null, select

from bridge.core.resources import Member
from bridge.journal import tables
from bridge.journal.documents import text_at
from bridge.journal.statements import ONE, ZERO, among, prepared
from bridge.journal.store import Reader

_m, _r = tables.member, tables.resource
_of_group = (
    select(_m.c.member_id, _m.c.type)
    .where(_m.c.organization == bindparam("organization"), _m.c.group_id == bindparam("group"))
    .order_by(_m.c.member_id)
)
_MEMBERS = prepared(_of_group)
_UNNAMED = prepared(_of_group.add_columns(null()))
_AMONG = prepared(_of_group.where(among(_m.c.member_id, "ids")))
_shown = (
    select(
        _m.c.member_id,
        _m.c.type,
        func.coalesce(text_at(_r.c.document, "displayName"), text_at(_r.c.document, "userName")),
    )
    .join(_r, and_(_r.c.organization == _m.c.organization, _r.c.id == _m.c.member_id))
    .where(_m.c.organization == bindparam("organization"), _m.c.group_id == bindparam("group"))
    .order_by(_m.c.member_id)
)
_SHOWN = prepared(_shown)
_SHOWN_EACH = prepared(
    select(_m.c.group_id, *_shown.selected_columns)
    .join(_r, and_(_r.c.organization == _m.c.organization, _r.c.id == _m.c.member_id))
    .where(_m.c.organization == bindparam("organization"), among(_m.c.group_id, "ids"))
    .order_by(_m.c.group_id, _m.c.member_id)
)
_SHOWN_FEW = prepared(_shown.limit(bindparam("count")))
_GROUP_IDS = prepared(
    select(_m.c.group_id)
    .where(_m.c.organization == bindparam("organization"), _m.c.member_id == bindparam("member"))
    .order_by(_m.c.group_id)
)
_direct = select(
    _m.c.member_id.label("resource"), _m.c.group_id.label("group"), ONE.label("direct")
).where(_m.c.organization == bindparam("organization"), among(_m.c.member_id, "ids"))
_reach = _direct.cte("reach", recursive=True)
# A union of distinct rows, so that groups that contain each other come to an end.
_reach = _reach.union(
    select(_reach.c.resource, _m.c.group_id, ZERO).join(
        _m,
        and_(_m.c.organization == bindparam("organization"), _m.c.member_id == _reach.c.group),
    )
)
_GROUPS = prepared(
    select(
        _reach.c.resource,
        _reach.c.group,
        func.max(text_at(_r.c.document, "displayName")),
        func.max(_reach.c.direct),
    )
    .join(_r, and_(_r.c.organization == bindparam("organization"), _r.c.id == _reach.c.group))
    .group_by(_reach.c.resource, _reach.c.group)
    .order_by(_reach.c.resource, _reach.c.group)
)


@attrs.frozen
class MemberRow:
    """A member as it is shown: its id, its resource type, its displayName or else its userName.

    `display` is None as well where it was not asked for.
    """

    id: str
    type: str
    display: str | None


@attrs.frozen
class GroupRow:
    """A group that a resource is a member of: itself (`direct`), or through a group in it."""

    id: str
    display: str | None
    direct: bool = True


def of(reader: Reader, organization: str, group_id: str, *, named: bool = True) -> list[MemberRow]:
    """Return a group's members by id; `named` False spares the look at each of them."""
    statement = _SHOWN if named else _UNNAMED
    rows = reader.rows(statement, organization=organization, group=group_id)
    return [MemberRow(*row) for row in rows]


def of_each(
    reader: Reader, organization: str, group_ids: Iterable[str]
) -> dict[str, list[MemberRow]]:
    """Return what `of` does for each of the groups, in one query."""
    found: dict[str, list[MemberRow]] = {group_id: [] for group_id in group_ids}
    for group, *member in reader.rows(_SHOWN_EACH, organization=organization, ids=list(found)):
        found[group].append(MemberRow(*member))
    return found


def few_of(reader: Reader, organization: str, group_id: str, most: int) -> list[MemberRow] | None:
    """Return what `of` does, or None when there are more than `most`; costs `most` at most."""
    rows = reader.rows(_SHOWN_FEW, organization=organization, group=group_id, count=most + 1)
    return None if len(rows) > most else [MemberRow(*row) for row in rows]


def all_of(reader: Reader, organization: str, group_id: str) -> list[Member]:
    """Return a group's members by id."""
    rows = reader.rows(_MEMBERS, organization=organization, group=group_id)
    return [Member(*row) for row in rows]


def some_of(
    reader: Reader, organization: str, group_id: str, ids: Sequence[str]
) -> dict[str, Member]:
    """Return those of `ids` that are members of the group, by id; costs as many look-ups as ids."""
    rows = reader.rows(_AMONG, organization=organization, group=group_id, ids=ids)
    return {row[0]: Member(*row) for row in rows}


def groups_of(
    reader: Reader, organization: str, resource_ids: Iterable[str]
) -> dict[str, list[GroupRow]]:
    """Return, for each of the resources, the groups it is a member of, by group id."""
    groups: dict[str, list[GroupRow]] = {resource_id: [] for resource_id in resource_ids}
    for member, group, display, direct in reader.rows(
        _GROUPS, organization=organization, ids=list(groups)
    ):
        groups[member].append(GroupRow(group, display, bool(direct)))
    return groups


def group_ids_of(reader: Reader, organization: str, resource_id: str) -> list[str]:
    """Return the ids of the groups that a resource is a direct member of, sorted."""
    rows = reader.rows(_GROUP_IDS, organization=organization, member=resource_id)
    return [row[0] for row in rows]
