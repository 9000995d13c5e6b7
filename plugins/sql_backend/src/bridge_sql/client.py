"""The one connection to the database: execute, observe, check.

Rule: a transaction is executed whole; whatever goes wrong leaves the tables as they were.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, false, inspect, select
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from bridge.plugin import (
    BackendDown,
    ChangeRecord,
    Entity,
    Finding,
    Link,
    Member,
    NotApplied,
    Observed,
    Park,
    Plan,
    Receipt,
    Surprise,
)
from bridge_sql import connecting, failures, statements
from bridge_sql.mapping import MANAGED
from bridge_sql.planning import APPLIED, MEMBERS, State
from bridge_sql.settings import Settings
from bridge_sql.statements import Statement, Transaction, chunks
from bridge_sql.tables import managed

KEYS_PER_QUERY = 500
"""Resources read by one query."""

GRACE_SECONDS = 0.5
"""How much longer than the server's own time-outs a connection is given, in seconds."""

NOTHING = State(None, None)


class Client:
    """One connection, opened when first needed. Its methods raise NotApplied errors."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tables = managed(settings.schema)
        self._connection: Connection | None = None
        self._created = False

    def execute(self, plan: Plan) -> Receipt:
        """Do the plan's transaction, unless the tables are already where it leads to."""
        links: tuple[Link, ...] = ()
        for transaction in cast("tuple[Transaction, ...]", plan.steps):
            with self._connected() as connection:
                stopped = self._stopped_by(connection, transaction)
                if stopped is not None:
                    return self._overtaken(connection, plan, stopped)
            if any(_inserts(statement, plan.entity) for statement in transaction.statements):
                links = (_link(plan.entity),)
        return Receipt(links)

    def observe(self, snapshots: Sequence[ChangeRecord]) -> list[Observed]:
        """Return what the tables hold for each snapshot, in order."""
        entities = [snapshot.entity for snapshot in snapshots if snapshot.entity.type in MANAGED]
        states: dict[Entity, State] = {}
        with self._connected(reading=True) as connection:
            for kind, organization in sorted({(e.type, e.organization) for e in entities}):
                wanted = [e for e in entities if (e.type, e.organization) == (kind, organization)]
                for part in chunks(wanted, KEYS_PER_QUERY):
                    states |= self._states(connection, part)
        return [_observed(each.entity, states.get(each.entity, NOTHING)) for each in snapshots]

    def check(self) -> list[Finding]:
        """Look whether the tables are there and may be written; change nothing."""
        with self._connected(reading=True, create=False) as connection:
            name = connection.dialect.name
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
            missing = self._missing(connection)
            return [
                Finding(True, "BRG-SQL-CONNECTED", f"Connected to {name} {version}."),
                *(
                    self._absent(table) if table.name in missing else _checked(connection, table)
                    for table in self._tables.sorted_tables
                ),
            ]

    def close(self) -> None:
        """Give the connection up; never raises."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    # --- executing --------------------------------------------------------------------------

    def _stopped_by(self, connection: Connection, transaction: Transaction) -> Statement | None:
        """Commit the transaction and return None, or undo it and return what did not fit."""
        with connection.begin() as begun:
            for statement in transaction.statements:
                if not self._fits(connection, statement):
                    begun.rollback()
                    return statement
        return None

    def _fits(self, connection: Connection, statement: Statement) -> bool:
        table = self._table(statement.table)
        match statement:
            case statements.Insert(columns=columns, rows=rows):
                try:
                    connection.execute(
                        table.insert(), [dict(zip(columns, row, strict=True)) for row in rows]
                    )
                except DBAPIError as error:
                    if failures.is_duplicate(error):
                        return False
                    raise
                return True
            case statements.Update(values=values, where=where):
                matched = connection.execute(_where(table.update(), table, where).values(**values))
                return matched.rowcount == 1
            case statements.Delete(where=where):
                connection.execute(_where(table.delete(), table, where))
                return True

    def _overtaken(self, connection: Connection, plan: Plan, stopped: Statement) -> Receipt:
        """Return a receipt if the tables are there already; else raise what is in the way."""
        entity = plan.entity
        state = self._states(connection, [entity])[entity]
        if state.version is not None and state.version >= plan.version:
            return Receipt((_link(entity),) if state.row else (), already=True)
        if state.row is None and _inserts(stopped, entity):
            raise Park(
                f"another row of {stopped.table} has a value that must be unique there",
                "Change or remove that row, then `bridge deliveries retry`.",
            )
        raise Surprise(f"{stopped.table} holds version {state.version}, not what was expected")

    # --- reading ----------------------------------------------------------------------------

    def _states(self, connection: Connection, entities: Sequence[Entity]) -> dict[Entity, State]:
        """Return the state of entities of one type and organization."""
        kind, organization = entities[0].type, entities[0].organization
        ids = tuple(entity.id for entity in entities)
        applied = self._rows(connection, APPLIED, "resource", organization, ids)
        found = self._rows(connection, MANAGED[kind].table, "id", organization, ids)
        versions = {row["resource"]: row["version"] for row in applied}
        rows = {row["id"]: row for row in found}
        members: dict[str, set[Member]] = {}
        if kind == "Group":
            for row in self._rows(connection, MEMBERS, "group_id", organization, ids):
                members.setdefault(row["group_id"], set()).add(
                    Member(row["member_id"], row["member_type"])
                )
        return {
            entity: State(
                versions.get(entity.id),
                rows.get(entity.id),
                frozenset(members.get(entity.id, ())),
            )
            for entity in entities
        }

    def _rows(
        self, connection: Connection, name: str, key: str, organization: str, ids: tuple[str, ...]
    ) -> list[Mapping[str, Any]]:
        table = self._table(name)
        query = select(table).where(table.c.organization == organization, table.c[key].in_(ids))
        return [dict(row) for row in connection.execute(query).mappings()]

    def _absent(self, table: Table) -> Finding:
        if self._settings.managed:
            return Finding(
                True, "BRG-SQL-TABLE-READY", f"Table {table.name} is made when first needed."
            )
        return Finding(
            False,
            "BRG-SQL-TABLE-SHAPE",
            f"There is no table {table.name}.",
            "Make it, or set `managed = true` and the bridge makes it.",
        )

    # --- connecting -------------------------------------------------------------------------

    def _table(self, name: str) -> Table:
        schema = self._settings.schema
        return self._tables.tables[f"{schema}.{name}" if schema else name]

    @contextlib.contextmanager
    def _connected(self, *, reading: bool = False, create: bool = True) -> Iterator[Connection]:
        """Yield the connection outside any transaction; turn what goes wrong into an outcome."""
        connection = self._open()
        try:
            with connecting.CutOff(connection, self._settings.timeout_seconds + GRACE_SECONDS):
                if create and self._settings.managed and not self._created:
                    self._create(connection)
                connection.execution_options(**{connecting.READING: reading})
                try:
                    yield connection
                except NotApplied:
                    connection.rollback()
                    raise
                connection.rollback()
        except DBAPIError as error:
            self.close()
            raise failures.sorted_out(error) from error
        except (UnicodeError, OverflowError) as error:
            self.close()
            raise Park(f"a value cannot be stored: {error}", failures.NEXT_STEP) from error

    def _open(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = connecting.engine(self._settings).connect()
            except (ImportError, NoSuchModuleError) as error:
                raise BackendDown(f"no driver for this address: {error}") from error
            except DBAPIError as error:
                raise failures.sorted_out(error, connecting=True) from error
        return self._connection

    def _create(self, connection: Connection) -> None:
        connection.execution_options(**{connecting.READING: False})
        try:
            with connection.begin():
                self._tables.create_all(connection)
        except DBAPIError:
            # Another slot was faster; if it was not that, the tables are still missing.
            if self._missing(connection):
                raise
        self._created = True

    def _missing(self, connection: Connection) -> set[str]:
        present = set(inspect(connection).get_table_names(self._settings.schema))
        connection.rollback()
        return {table.name for table in self._tables.sorted_tables} - present


def _checked(connection: Connection, table: Table) -> Finding:
    columns = {
        column["name"] for column in inspect(connection).get_columns(table.name, table.schema)
    }
    if missing := sorted({column.name for column in table.columns} - columns):
        return Finding(
            False,
            "BRG-SQL-TABLE-SHAPE",
            f"Table {table.name} has no column {', '.join(missing)}.",
            "Add the columns, or move the table away and let the bridge make its own.",
        )
    try:
        # Statements that touch no row still need the rights to touch one.
        connection.execute(table.insert().from_select(list(table.c), select(table).where(false())))
        connection.execute(table.update().where(false()).values(dict(table.c)))
        connection.execute(table.delete().where(false()))
    except DBAPIError as error:
        connection.rollback()
        return Finding(
            False,
            "BRG-SQL-TABLE-RIGHTS",
            f"Table {table.name} may not be written: {failures.sorted_out(error)}",
            f"Grant SELECT, INSERT, UPDATE and DELETE on {table.name} to this account.",
        )
    connection.rollback()
    return Finding(True, "BRG-SQL-TABLE-READY", f"Table {table.name} is there and may be written.")


def _where(statement: Any, table: Table, where: Mapping[str, Any]) -> Any:
    for column, value in where.items():
        fits = table.c[column].in_(value) if isinstance(value, tuple) else table.c[column] == value
        statement = statement.where(fits)
    return statement


def _inserts(statement: Statement, entity: Entity) -> bool:
    return (
        isinstance(statement, statements.Insert) and statement.table == MANAGED[entity.type].table
    )


def _link(entity: Entity) -> Link:
    return Link(entity.id, target_id=entity.id, name=MANAGED[entity.type].table)


def _observed(entity: Entity, state: State) -> Observed:
    return Observed(entity.id, _link(entity) if state.row else None, state)
