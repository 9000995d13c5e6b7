"""From changes to one transaction.

Every transaction begins by moving the entity's row in `applied` from the version it starts from
to the version it leads to. Only one transaction can do that, so a late or doubled one changes
nothing, and a plan that trusts its changes is executed only where they begin.

    organization | resource | version        acme | 5d1c… | 4

Rule: pure. The same changes (and observation) give the same plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from bridge.plugin import ChangeRecord, Entity, Member, Observed, Operation, Plan, coalesce
from bridge_sql.mapping import TableMap
from bridge_sql.statements import Delete, Insert, Statement, Transaction, Update, chunks

APPLIED = "applied"
MEMBERS = "members"

ROWS_PER_STATEMENT = 1000
"""Members added or removed by one statement; larger deltas take several."""


@attrs.frozen
class State:
    """What the tables hold for one entity: `version` None means that they never heard of it."""

    version: int | None
    row: Mapping[str, Any] | None
    members: frozenset[Member] = frozenset()


def plan(
    tables: Mapping[str, TableMap], changes: Sequence[ChangeRecord], observed: Observed | None
) -> Plan:
    """Return the plan for one entity's changes; a resource type without a table needs no steps."""
    last = changes[-1]
    if (table := tables.get(last.entity.type)) is None:
        return Plan(last.entity, last.version)
    statements = (
        _trusting(table, changes) if observed is None else _converging(table, last, observed.state)
    )
    steps = (Transaction(tuple(statements)),) if statements else ()
    return Plan(last.entity, last.version, steps)


def _trusting(table: TableMap, changes: Sequence[ChangeRecord]) -> list[Statement]:
    change = coalesce(changes)
    start = None if change.before is None else changes[0].version - 1
    statements = [_advance(change, start)]
    key = _key(change.entity)
    if change.operation is Operation.DELETE:
        return statements + _deletion(table, change.entity)
    after = table.row(change.after or {}, change.version)
    if change.before is None:
        statements.append(_insert(table.table, {**key, **after}))
    else:
        before = table.row(change.before, changes[0].version - 1)
        statements.append(Update(table.table, _difference(before, after), key))
    removed, added = change.members.removed, change.members.added
    return [*statements, *_members(change.entity, removed, added)]


def _converging(table: TableMap, change: ChangeRecord, state: State) -> list[Statement]:
    key = _key(change.entity)
    statements: list[Statement] = []
    if change.operation is Operation.DELETE:
        if state.row is not None or state.members:
            statements += _deletion(table, change.entity)
    else:
        after = table.row(change.after or {}, change.version)
        if state.row is None:
            statements.append(_insert(table.table, {**key, **after}))
        elif difference := _difference(state.row, after):
            statements.append(Update(table.table, difference, key))
        wanted = frozenset(change.members.added)
        statements += _members(
            change.entity, sorted(state.members - wanted), sorted(wanted - state.members)
        )
    if statements or state.version != change.version:
        statements.insert(0, _advance(change, state.version))
    return statements


def _advance(change: ChangeRecord, start: int | None) -> Statement:
    entity = change.entity
    key = {"organization": entity.organization, "resource": entity.id}
    if start is None:
        return _insert(APPLIED, {**key, "version": change.version})
    return Update(APPLIED, {"version": change.version}, {**key, "version": start})


def _deletion(table: TableMap, entity: Entity) -> list[Statement]:
    row = Delete(table.table, _key(entity))
    if entity.type != "Group":
        return [row]
    return [Delete(MEMBERS, {"organization": entity.organization, "group_id": entity.id}), row]


def _members(
    group: Entity, removed: Sequence[Member], added: Sequence[Member]
) -> Iterator[Statement]:
    for part in chunks(removed, ROWS_PER_STATEMENT):
        ids = tuple(member.id for member in part)
        key = {"organization": group.organization, "group_id": group.id}
        yield Delete(MEMBERS, {**key, "member_id": ids})
    for part in chunks(added, ROWS_PER_STATEMENT):
        rows = tuple((group.organization, group.id, member.id, member.type) for member in part)
        yield Insert(MEMBERS, ("organization", "group_id", "member_id", "member_type"), rows)


def _insert(table: str, row: Mapping[str, Any]) -> Insert:
    return Insert(table, tuple(row), (tuple(row.values()),))


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in after.items() if before.get(column) != value}


def _key(entity: Entity) -> dict[str, Any]:
    return {"organization": entity.organization, "id": entity.id}
