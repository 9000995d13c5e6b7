"""From changes to one transaction.

Where the layout has a table `applied`, every transaction begins by moving the entity's row there
from the version it starts from to the version it leads to. Only one transaction can do that, so a
late or doubled one changes nothing. Where rows have a `revision` instead, the row's own update
does the same. Without either, what a late one has done is found and mended by looking.

    organization | resource | version        acme | 5d1c… | 4

Rule: pure. The same changes (and links, and observation) give the same plan.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from bridge.plugin import (
    ChangeRecord,
    Defer,
    Drift,
    DriftKind,
    Entity,
    Link,
    Observed,
    Operation,
    Park,
    Plan,
    coalesce,
)
from bridge_sql.mapping import Layout, Peer, Relation, TableMap, peers
from bridge_sql.statements import Delete, Insert, Lookup, Statement, Transaction, Update, chunks

ROWS_PER_STATEMENT = 1000
"""Members added or removed by one statement; larger deltas take several."""

Row = Mapping[str, Any]


@attrs.frozen
class State:
    """What the tables hold for one entity: `version` None means that they do not say it."""

    version: int | None
    row: Row | None
    members: frozenset[Peer] = frozenset()


def plan(
    layout: Layout,
    changes: Sequence[ChangeRecord],
    links: Mapping[str, Link],
    observed: Observed | None,
) -> Plan:
    """Return the plan for one entity's changes; a resource type without a table needs no steps.

    Raises Defer for a member whose row is not known yet, Park for what the tables cannot hold.
    """
    last = changes[-1]
    if (table := layout.tables.get(last.entity.type)) is None:
        return Plan(last.entity, last.version)
    planner = _Planner(layout, table, last.entity, links)
    statements, drift = (
        (planner.trusting(changes), ())
        if observed is None
        else planner.converging(last, observed.state)
    )
    steps = (Transaction(tuple(statements), drift),) if statements else ()
    return Plan(last.entity, last.version, steps)


@attrs.frozen
class _Planner:
    """What one entity's statements are made from."""

    layout: Layout
    table: TableMap
    entity: Entity
    links: Mapping[str, Link]

    @property
    def applied(self) -> str | None:
        return self.layout.applied

    def trusting(self, changes: Sequence[ChangeRecord]) -> list[Statement]:
        change = changes[0] if len(changes) == 1 else coalesce(changes)
        start = None if change.before is None else changes[0].version - 1
        statements = self._advance(change.version, start)
        if change.operation is Operation.DELETE:
            return statements + self._deletion(change, start)
        after = change.after or {}
        if change.before is None:
            statements.append(self._creation(self.table.row(after, change.version)))
        else:
            difference = self.table.difference(change.before, after, change.version)
            statements += self._update(difference, start)
        came, went = peers(self.table, change)
        owner = None if change.before is None else self.links.get(self.entity.id)
        return [*statements, *self._joined(owner, self._keyed(went), self._keyed(came))]

    def converging(
        self, change: ChangeRecord, state: State
    ) -> tuple[list[Statement], tuple[Drift, ...]]:
        if change.operation is Operation.DELETE:
            return self._ended(change, state)
        after = self.table.row(change.after or {}, change.version)
        statements: list[Statement] = []
        drift: list[Drift] = []
        owner = None
        if state.row is None:
            statements.append(self._creation(after))
            known = self.entity.id in self.links
            drift.append(Drift(DriftKind.DELETED if known else DriftKind.MISSING))
        else:
            owner = self.table.link(self.entity.id, str(state.row[self.table.key]))
            difference = _difference(state.row, after)
            statements += self._update(difference, state.version)
            if names := tuple(name for name in difference if name != self.table.revision):
                drift.append(Drift(DriftKind.CHANGED, names))
        wanted = frozenset(self._keyed(peers(self.table, change)[0]))
        went, came = sorted(state.members - wanted), sorted(wanted - state.members)
        statements += self._joined(owner, went, came)
        if state.row is not None and (went or came):
            drift.append(Drift(DriftKind.MEMBERS, removes=len(went)))
        if statements or (self.applied and state.version != change.version):
            statements = [*self._advance(change.version, state.version), *statements]
        return statements, tuple(drift)

    def _ended(
        self, change: ChangeRecord, state: State
    ) -> tuple[list[Statement], tuple[Drift, ...]]:
        left = state.row is not None and self.table.is_live(state.row)
        statements: list[Statement] = []
        if left or state.members:
            statements = self._deletion(change, state.version)
        if statements or (self.applied and state.version != change.version):
            statements = [*self._advance(change.version, state.version), *statements]
        return statements, (Drift(DriftKind.EXTRA, removes=1),) if left else ()

    # --- statements -------------------------------------------------------------------------

    def _advance(self, version: int, start: int | None) -> list[Statement]:
        if self.applied is None:
            return []
        key = {"organization": self.entity.organization, "resource": self.entity.id}
        if start is None:
            return [_insert(self.applied, {**key, "version": version})]
        return [Update(self.applied, {"version": version}, {**key, "version": start})]

    def _creation(self, after: Row) -> Statement:
        return _insert(self.table.table, {**self._key, **self.table.constants, **after})

    def _update(self, difference: Row, start: int | None) -> list[Statement]:
        if not difference:
            return []
        return [Update(self.table.table, difference, {**self._key, **self._guard(start)})]

    def _guard(self, start: int | None) -> Row:
        if self.applied or self.table.revision is None:
            return {}
        return {self.table.revision: start}

    def _deletion(self, change: ChangeRecord, start: int | None) -> list[Statement]:
        statements: list[Statement] = []
        if relation := self.table.relation:
            owner = self._owner(self.links.get(self.entity.id))
            statements.append(Delete(relation.table, self._owned(relation, owner)))
        if mark := self.table.ending(change):
            return [*statements, *self._update(mark, start)]
        return [*statements, Delete(self.table.table, self._key)]

    def _joined(
        self, owner: Link | None, went: Sequence[Peer], came: Sequence[Peer]
    ) -> Iterator[Statement]:
        relation = self.table.relation
        if relation is None:
            return
        owned = self._owned(relation, self._owner(owner))
        for same, rows in self._alike(relation, went):
            for part in chunks(rows, ROWS_PER_STATEMENT):
                keys = tuple(row[0] for row in part)
                yield Delete(relation.table, {**owned, relation.peer: keys, **same})
        columns = (*owned, relation.peer, *relation.facts)
        for part in chunks(came, ROWS_PER_STATEMENT):
            yield Insert(relation.table, columns, tuple((*owned.values(), *row) for row in part))

    def _alike(
        self, relation: Relation, rows: Sequence[Peer]
    ) -> Iterator[tuple[Row, Sequence[Peer]]]:
        """Yield what tells peers of one type apart from others of the same key, and their rows."""
        if relation.peers or self.applied:
            yield {}, rows
            return
        for kind in sorted({row[1] for row in rows}):
            yield {relation.facts[0]: kind}, [row for row in rows if row[1] == kind]

    def _owned(self, relation: Relation, owner: Any) -> Row:
        return {**_organized(relation.organization, self.entity), relation.owner: owner}

    def _owner(self, link: Link | None) -> Any:
        """Return what the relation's rows call the entity: a key, or where to find it."""
        if self.table.key == self.table.id:
            return self.entity.id
        if link is not None:
            return self.table.key_of(link)
        return Lookup(self.table.table, self.table.key, self._key)

    def _keyed(self, rows: Sequence[Peer]) -> list[Peer]:
        """Return the rows with what their relation calls each peer.

        Managed tables call it by its id, and it may come later.
        """
        if self.applied is not None or self.table.relation is None:
            return list(rows)
        return [(self._peer(self.table.relation.kind(row), row[0]), *row[1:]) for row in rows]

    def _peer(self, kind: str, resource_id: str) -> str:
        if (there := self.layout.tables.get(kind)) is None:
            raise Park(f"there is no table for a {kind}", "Take it out of the group, then retry.")
        if (link := self.links.get(resource_id)) is None:
            raise Defer(f"{resource_id} has no row yet")
        return there.key_of(link)

    @property
    def _key(self) -> Row:
        return {**_organized(self.table.organization, self.entity), self.table.id: self.entity.id}


def _organized(column: str | None, entity: Entity) -> Row:
    return {column: entity.organization} if column else {}


def _insert(table: str, row: Row) -> Insert:
    return Insert(table, tuple(row), (tuple(row.values()),))


def _difference(before: Row, after: Row) -> dict[str, Any]:
    return {column: value for column, value in after.items() if before.get(column) != value}
