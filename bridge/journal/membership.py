"""Working out what edits of a membership change: member rows in, a `MemberDelta` out.

Rule: only a replacement and a match by filter look at the whole membership; ids cost one look-up.
"""

from collections.abc import Iterable, Mapping, Sequence

import attrs
from sqlalchemy import bindparam, select

from bridge.core.changes import MemberDelta
from bridge.core.errors import InvalidValue, PayloadTooLarge
from bridge.core.members import (
    AddMembers,
    MemberEdit,
    RemoveMatching,
    RemoveMembers,
    ReplaceMembers,
)
from bridge.core.resources import Entity, Member
from bridge.core.schema import ResourceType
from bridge.journal import members, tables
from bridge.journal.statements import ZERO, among, prepared
from bridge.journal.store import Transaction

MATCHES_LIMIT = 250_000
"""Most comparisons of members with the terms of a filter, in one operation; about a second."""

SHOWN_IDS = 3
"""How many unknown ids an error names."""

_r = tables.resource
_CANDIDATES = prepared(
    select(_r.c.id, _r.c.type)
    .where(_r.c.organization == bindparam("organization"), among(_r.c.id, "ids"))
    .where(_r.c.deleted == ZERO)
    .with_for_update(read=True, key_share=True)  # none of them is deleted meanwhile
)


def resolve(
    tx: Transaction, rtype: ResourceType, group: Entity, edits: Sequence[MemberEdit]
) -> MemberDelta:
    """Return what the edits, done in order, change about the group's members.

    Raises InvalidValue for an id that cannot be a member, PayloadTooLarge for a filter that would
    have to be compared with too many.
    """
    change = _Change(tx, rtype, group)
    for edit in edits:
        match edit:
            case AddMembers(ids=ids, skip_unknown=skip_unknown):
                change.add(ids, change.stored(ids), skip_unknown=skip_unknown)
            case RemoveMembers(ids=ids):
                change.remove(ids, change.stored(ids))
            case ReplaceMembers(ids=ids):
                change.replace(ids, change.everyone())
            case RemoveMatching(matches=matches, terms=terms):
                stored = change.everyone()
                _refuse_much(len(stored) * terms)
                matching = [m.id for m in change.current(stored) if matches(m)]
                change.remove(matching, stored)
    return MemberDelta(tuple(change.came.values()), tuple(change.went.values()))


def candidates(
    tx: Transaction,
    rtype: ResourceType,
    group: Entity,
    ids: Iterable[str],
    *,
    skip_unknown: bool = False,
) -> dict[str, Member]:
    """Return the resources of these ids as members, in order.

    Raises InvalidValue for one that cannot be a member; with `skip_unknown`, ids that no resource
    has are left out.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    rows = tx.rows(_CANDIDATES, organization=group.organization, ids=wanted)
    types = {row[0]: row[1] for row in rows}
    if skip_unknown:
        wanted = [i for i in wanted if i in types]
    allowed = _member_types(rtype)
    odd = [i for i in wanted if i == group.id or i not in types or types[i] not in allowed]
    if odd:
        shown = ", ".join(f'"{i}"' for i in odd[:SHOWN_IDS])
        more = f" and {len(odd) - SHOWN_IDS} more" if len(odd) > SHOWN_IDS else ""
        raise InvalidValue(
            f"members: {shown}{more} cannot be added: no {' or '.join(sorted(allowed))} other than "
            "the group itself has this id. Provision the member first, then push the group again."
        )
    return {i: Member(i, types[i]) for i in wanted}


def _refuse_much(comparisons: int) -> None:
    if comparisons > MATCHES_LIMIT:
        raise PayloadTooLarge(
            f"Finding members by this filter exceeds the limit of {MATCHES_LIMIT} comparisons; "
            'name them instead: members[value eq "<id>"].'
        )


def _member_types(rtype: ResourceType) -> frozenset[str]:
    attribute = rtype.schema.attribute("members")
    subs = attribute.sub_attributes if attribute else ()
    return frozenset(name for sub in subs for name in sub.reference_types)


@attrs.define
class _Change:
    """The difference so far, over the stored rows: who came, who went."""

    tx: Transaction
    rtype: ResourceType
    group: Entity
    came: dict[str, Member] = attrs.field(factory=dict)
    went: dict[str, Member] = attrs.field(factory=dict)
    all: Mapping[str, Member] | None = None
    """The stored rows, once they were read."""

    def stored(self, ids: Sequence[str]) -> Mapping[str, Member]:
        return members.some_of(self.tx, self.group.organization, self.group.id, ids)

    def everyone(self) -> Mapping[str, Member]:
        if self.all is None:
            everyone = members.all_of(self.tx, self.group.organization, self.group.id)
            self.all = {member.id: member for member in everyone}
        return self.all

    def current(self, stored: Mapping[str, Member]) -> list[Member]:
        return [m for m in stored.values() if m.id not in self.went] + list(self.came.values())

    def add(
        self, ids: Iterable[str], stored: Mapping[str, Member], *, skip_unknown: bool = False
    ) -> None:
        fresh = [i for i in ids if i not in stored and i not in self.came]
        for member_id in ids:
            self.went.pop(member_id, None)
        self.came |= candidates(self.tx, self.rtype, self.group, fresh, skip_unknown=skip_unknown)

    def remove(self, ids: Iterable[str], stored: Mapping[str, Member]) -> None:
        for member_id in ids:
            if self.came.pop(member_id, None) is None and member_id in stored:
                self.went[member_id] = stored[member_id]

    def replace(self, ids: Sequence[str], stored: Mapping[str, Member]) -> None:
        wanted = frozenset(ids)
        self.remove([m.id for m in self.current(stored) if m.id not in wanted], stored)
        self.add(ids, stored)
