"""What the tables hold: of given entities, or all of it page by page.

Rule: reads and writes nothing; whoever calls has a connection outside any transaction.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, func, or_, select

from bridge.plugin import Entity, Found, ScanPage
from bridge_sql.mapping import GROUP, USER, Layout, Peer, TableMap
from bridge_sql.planning import State
from bridge_sql.statements import chunks
from bridge_sql.tables import APPLIED, Tables, binder, columns_of, held

KEYS_PER_QUERY = 500
"""Resources read by one query."""

PAGE_ROWS = 200
"""Rows on one page of a scan."""

PAGE_PEERS = 100_000
"""Members on one page of a scan, unless a single group has more."""

_NAMING = {USER: "userName", GROUP: "displayName"}

Row = dict[str, Any]


class Reader:
    """Reads one layout's tables."""

    def __init__(self, layout: Layout, tables: Tables, page_rows: int = PAGE_ROWS) -> None:
        self._layout = layout
        self._tables = tables
        self._page_rows = page_rows

    # --- given entities ---------------------------------------------------------------------

    def states(self, connection: Connection, entities: Iterable[Entity]) -> dict[Entity, State]:
        """Return the state of each entity whose type has a table."""
        known = [entity for entity in entities if entity.type in self._layout.tables]
        states: dict[Entity, State] = {}
        for kind, organization in sorted({(e.type, e.organization) for e in known}):
            wanted = [e for e in known if (e.type, e.organization) == (kind, organization)]
            for part in chunks(wanted, KEYS_PER_QUERY):
                states |= self._states(connection, part)
        return states

    def keys(self, connection: Connection, entities: Sequence[Entity]) -> dict[str, str]:
        """Return what other tables call the rows of these, by resource id; all of one type."""
        mapped = self._layout.tables[entities[0].type]
        if mapped.key == mapped.id:
            return {entity.id: entity.id for entity in entities}
        table = self._tables[mapped.table]
        names = (mapped.id, mapped.key)
        ids = [entity.id for entity in entities]
        found = self._rows(connection, table, names, None, mapped.id, ids)
        return {str(row[mapped.id]): str(row[mapped.key]) for row in found}

    def _states(self, connection: Connection, entities: Sequence[Entity]) -> dict[Entity, State]:
        organization = entities[0].organization
        mapped = self._layout.tables[entities[0].type]
        ids = [entity.id for entity in entities]
        place = (mapped.organization, organization) if mapped.organization else None
        table = self._tables[mapped.table]
        found = self._rows(connection, table, mapped.columns, place, mapped.id, ids)
        rows = {str(row[mapped.id]): row for row in found}
        versions = self._versions(connection, organization, ids)
        # By id, what is left of a row that is gone is found too.
        by_id = mapped.key == mapped.id
        owners = ids if by_id else [str(row[mapped.key]) for row in rows.values()]
        peers = self._peers(connection, mapped, organization, owners)
        return {
            entity: self._state(mapped, versions, rows.get(entity.id), entity.id, peers)
            for entity in entities
        }

    def _state(
        self,
        mapped: TableMap,
        versions: Mapping[str, int],
        row: Row | None,
        resource_id: str,
        peers: Mapping[str, set[Peer]],
    ) -> State:
        version = versions.get(resource_id)
        if self._layout.applied is None and row is not None and mapped.revision:
            version = row[mapped.revision]
        key = str(row[mapped.key]) if row else resource_id
        return State(version, row, frozenset(peers.get(key, ())))

    def _versions(
        self, connection: Connection, organization: str, ids: Sequence[str]
    ) -> dict[str, int]:
        if self._layout.applied is None:
            return {}
        place = ("organization", organization)
        names = ("resource", "version")
        table = self._tables[APPLIED]
        rows = self._rows(connection, table, names, place, "resource", ids)
        return {row["resource"]: row["version"] for row in rows}

    def _peers(
        self, connection: Connection, mapped: TableMap, organization: str, owners: Sequence[str]
    ) -> dict[str, set[Peer]]:
        found: dict[str, set[Peer]] = {}
        if (relation := mapped.relation) is None or not owners:
            return found
        place = (relation.organization, organization) if relation.organization else None
        table = self._tables[relation.table]
        names = columns_of(relation)
        for row in self._rows(connection, table, names, place, relation.owner, owners):
            facts = (str(row[fact]) for fact in relation.facts)
            found.setdefault(str(row[relation.owner]), set()).add((str(row[relation.peer]), *facts))
        return found

    def _rows(
        self,
        connection: Connection,
        table: Table,
        names: Sequence[str],
        place: tuple[str, str] | None,
        key: str,
        keys: Sequence[str],
    ) -> list[Row]:
        query = select(*(table.c[name] for name in names)).where(
            table.c[key].in_([_bound(table, key, each) for each in keys])
        )
        if place:
            query = query.where(table.c[place[0]] == _bound(table, *place))
        return [_row(table, names, values) for values in connection.execute(query)]

    # --- everything -------------------------------------------------------------------------

    def page(self, connection: Connection, cursor: str | None) -> ScanPage:
        """Return the page that `cursor` names: a type, and the place after which it begins."""
        kinds = sorted(self._layout.tables, key=lambda kind: kind != USER)
        kind, after = json.loads(cursor) if cursor else (kinds[0], None)
        rows, peers, more = self._slice(connection, self._layout.tables[kind], after)
        mapped = self._layout.tables[kind]
        entries = self._found(connection, kind, rows, peers)
        if more:
            return ScanPage(tuple(entries), json.dumps([kind, _place(mapped, rows[-1])]))
        rest = kinds[kinds.index(kind) + 1 :]
        return ScanPage(tuple(entries), json.dumps([rest[0], None]) if rest else None)

    def _slice(
        self, connection: Connection, mapped: TableMap, after: Sequence[str] | None
    ) -> tuple[list[Row], dict[tuple[str, str], set[Peer]], bool]:
        """Return rows in order, their peers, and whether there are more rows."""
        table = self._tables[mapped.table]
        order = [name for name in (mapped.organization, mapped.key) if name]
        query = select(*(table.c[name] for name in mapped.columns)).order_by(
            *(table.c[name] for name in order)
        )
        if after is not None:
            query = query.where(_beyond(table, order, after))
        found = connection.execute(query.limit(self._page_rows + 1)).all()
        rows = [_row(table, mapped.columns, values) for values in found[: self._page_rows]]
        fitting = self._fitting(connection, mapped, rows)
        peers: dict[tuple[str, str], set[Peer]] = {}
        for organization in {_organization(mapped, row) for row in rows[:fitting]}:
            keys = [
                str(r[mapped.key])
                for r in rows[:fitting]
                if _organization(mapped, r) == organization
            ]
            joined = self._peers(connection, mapped, organization, keys)
            peers |= {(organization, key): some for key, some in joined.items()}
        return rows[:fitting], peers, len(found) > fitting

    def _peer(self, mapped: TableMap, row: Peer) -> str:
        """Return the key of the entry that a row of the relation names."""
        there = self._layout.tables.get(mapped.relation.kind(row)) if mapped.relation else None
        return there.link("", row[0]).target_id if there else row[0]

    def _fitting(self, connection: Connection, mapped: TableMap, rows: Sequence[Row]) -> int:
        """Return how many of the rows make a page with all their peers; one at least."""
        if (relation := mapped.relation) is None or not rows:
            return len(rows)
        table = self._tables[relation.table]
        owner = table.c[relation.owner]
        keys = [_bound(table, relation.owner, str(row[mapped.key])) for row in rows]
        query = select(owner, func.count()).where(owner.in_(keys)).group_by(owner)
        counts = {str(held(owner, key)): count for key, count in connection.execute(query)}
        total = 0
        for at, row in enumerate(rows):
            total += counts.get(str(row[mapped.key]), 0)
            if total > PAGE_PEERS:
                return max(at, 1)
        return len(rows)

    def _found(
        self,
        connection: Connection,
        kind: str,
        rows: Sequence[Row],
        peers: Mapping[tuple[str, str], set[Peer]],
    ) -> Iterable[Found]:
        mapped = self._layout.tables[kind]
        versions: dict[tuple[str, str], int] = {}
        for organization in {_organization(mapped, row) for row in rows}:
            ids = [str(r[mapped.id]) for r in rows if _organization(mapped, r) == organization]
            applied = self._versions(connection, organization, ids)
            versions |= {(organization, key): version for key, version in applied.items()}
        for row in rows:
            if not mapped.is_live(row):
                continue
            organization, key = _organization(mapped, row), str(row[mapped.key])
            version = versions.get((organization, str(row[mapped.id])))
            if self._layout.applied is None and mapped.revision:
                version = row[mapped.revision]
            members = frozenset(peers.get((organization, key), ()))
            document = document_of(mapped, row)
            naming = _NAMING.get(kind)
            link = mapped.link("", key)
            yield Found(
                kind,
                link.target_id,
                link.name,
                key=link.target_id,
                attributes=document,
                members=tuple(sorted(self._peer(mapped, peer) for peer in members)),
                organization=organization,
                state=State(version, row, members),
                problem=f"the row has no {naming}" if naming and not document.get(naming) else "",
            )


def document_of(mapped: TableMap, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document that a row says: the one it holds, else what its columns tell."""
    if mapped.document:
        try:
            document = json.loads(row[mapped.document])
        except (TypeError, ValueError):
            document = None
        if isinstance(document, dict) and document:
            return document
    made: dict[str, Any] = {}
    for column, rule in mapped.rules.items():
        rule.put(made, row[column])
    return made


def _organization(mapped: TableMap, row: Mapping[str, Any]) -> str:
    return str(row[mapped.organization]) if mapped.organization else ""


def _place(mapped: TableMap, row: Mapping[str, Any]) -> list[str]:
    return [str(row[name]) for name in (mapped.organization, mapped.key) if name]


def _beyond(table: Table, order: Sequence[str], after: Sequence[str]) -> Any:
    values = [_bound(table, name, value) for name, value in zip(order, after, strict=True)]
    last = table.c[order[-1]] > values[-1]
    if len(order) == 1:
        return last
    first = table.c[order[0]]
    return or_(first > values[0], and_(first == values[0], last))


def _bound(table: Table, name: str, value: Any) -> Any:
    bind = binder(table.c[name])
    return value if bind is None else bind(value)


def _row(table: Table, names: Sequence[str], values: Iterable[Any]) -> Row:
    return {name: held(table.c[name], value) for name, value in zip(names, values, strict=True)}
