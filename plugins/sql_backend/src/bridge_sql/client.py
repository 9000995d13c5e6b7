"""The one connection to the database: execute, observe, scan, check, prepare.

Rule: a transaction is executed whole; whatever goes wrong leaves the tables as they were.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import cast

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from bridge.plugin import (
    BackendDown,
    ChangeRecord,
    Defer,
    Finding,
    Link,
    NotApplied,
    Observed,
    OperatorError,
    Park,
    Plan,
    Receipt,
    ScanPage,
    Surprise,
)
from bridge_sql import checking, connecting, failures, founding
from bridge_sql.execution import Executor
from bridge_sql.mapping import layout
from bridge_sql.planning import State
from bridge_sql.reading import Reader
from bridge_sql.settings import Settings
from bridge_sql.statements import Insert, Statement, Transaction
from bridge_sql.tables import by_name, managed, reflected

GRACE_SECONDS = 0.5
"""How much longer than the server's own time-outs a connection is given, in seconds."""

SPLITTING = 0.25
"""Part of `timeout_seconds` after which plans that failed together are not tried apart any more."""

NOTHING = State(None, None)

Outcome = Receipt | NotApplied


@attrs.frozen
class Session:
    """The connection, and what knows the tables."""

    connection: Connection
    executor: Executor
    reader: Reader


class Client:
    """One connection, opened when first needed. Its methods raise NotApplied errors."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._layout = layout(settings)
        self._connection: Connection | None = None
        self._tables: tuple[Executor, Reader] | None = None

    def execute_many(self, plans: Sequence[Plan]) -> list[Outcome]:
        """Do the plans in one transaction; where that fails, the halves of them, and so on.

        The outcomes are those of the first plans, in order: of all, if there was time.
        """
        return self._together(plans, time.monotonic() + SPLITTING * self._settings.timeout_seconds)

    def observe(self, snapshots: Sequence[ChangeRecord]) -> list[Observed]:
        """Return what the tables hold for each snapshot, in order."""
        with self._session(reading=True) as session:
            entities = [each.entity for each in snapshots]
            states = session.reader.states(session.connection, entities)
        return [self._observed(each, states.get(each.entity, NOTHING)) for each in snapshots]

    def scan(self, cursor: str | None) -> ScanPage:
        """Return a page of all that the tables hold."""
        with self._session(reading=True) as session:
            return session.reader.page(session.connection, cursor)

    def check(self) -> list[Finding]:
        """Look whether the tables are there, fit and may be written; change nothing."""
        with self._connected(reading=True) as connection:
            name = connection.dialect.name
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
            connected = Finding(True, "BRG-SQL-CONNECTED", f"Connected to {name} {version}.")
            return [connected, *checking.findings(connection, self._settings, self._layout)]

    def prepare(self) -> list[Finding]:
        """Make or migrate the managed tables. Raises OperatorError for mapped ones."""
        if self._settings.tables == "mapped":
            raise OperatorError(
                "BRG-SQL-MAPPED",
                "The tables are mapped: the bridge neither makes nor alters them.",
                "Make them as the settings describe them; `bridge check` says what does not fit.",
            )
        with self._connected() as connection:
            done = founding.upgrade(connection, self._settings.schema)
        return [Finding(True, "BRG-SQL-SCHEMA", done)]

    def close(self) -> None:
        """Give the connection up; never raises."""
        connection, self._connection = self._connection, None
        self._tables = None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    # --- executing --------------------------------------------------------------------------

    def _together(self, plans: Sequence[Plan], ends: float) -> list[Outcome]:
        try:
            with self._session() as session:
                done = self._transact(session, plans)
        except NotApplied as error:
            alone = len(plans) == 1 or isinstance(error, BackendDown)
            if alone or time.monotonic() > ends:
                return [error] * len(plans)
            done = None
        if done is not None:
            return done
        middle = len(plans) // 2
        outcomes = self._together(plans[:middle], ends)
        if len(outcomes) == middle and time.monotonic() <= ends:
            outcomes += self._together(plans[middle:], ends)
        return outcomes

    def _transact(self, session: Session, plans: Sequence[Plan]) -> list[Outcome] | None:
        """Commit the plans and return their receipts, or undo all; None: try them apart."""
        statements = [each for plan in plans for each in _statements(plan)]
        with session.connection.begin() as begun:
            stopped = session.executor.run(session.connection, statements)
            if stopped is None:
                links = self._new_links(session, plans)
                return [Receipt(links.get(plan.entity.id, ())) for plan in plans]
            begun.rollback()
        if len(plans) > 1:
            return None
        return [self._overtaken(session, plans[0], stopped)]

    def _new_links(self, session: Session, plans: Sequence[Plan]) -> dict[str, tuple[Link, ...]]:
        made = [plan.entity for plan in plans if self._inserts(plan)]
        found: dict[str, tuple[Link, ...]] = {}
        for kind in {entity.type for entity in made}:
            mapped = self._layout.tables[kind]
            new = [entity for entity in made if entity.type == kind]
            keys = session.reader.keys(session.connection, new)
            found |= {id_: (mapped.link(id_, key),) for id_, key in keys.items()}
        return found

    def _overtaken(self, session: Session, plan: Plan, stopped: Statement) -> Receipt:
        """Return a receipt if the tables are there already; else raise what is in the way."""
        entity = plan.entity
        mapped = self._layout.tables[entity.type]
        state = session.reader.states(session.connection, [entity])[entity]
        if state.version is not None and state.version >= plan.version:
            found = (mapped.link(entity.id, str(state.row[mapped.key])),) if state.row else ()
            return Receipt(found, already=True)
        if state.row is None and isinstance(stopped, Insert) and stopped.table == mapped.table:
            raise Park(
                f"another row of {stopped.table} has a value that must be unique there",
                "Change or remove that row, then `bridge deliveries retry`.",
            )
        raise Surprise(f"{stopped.table} holds version {state.version}, not what was expected")

    def _inserts(self, plan: Plan) -> bool:
        """Return whether a plan makes its entity's row."""
        name = self._layout.tables[plan.entity.type].table if plan.steps else ""
        return any(isinstance(one, Insert) and one.table == name for one in _statements(plan))

    def _observed(self, snapshot: ChangeRecord, state: State) -> Observed:
        entity = snapshot.entity
        if state.row is None:
            return Observed(entity.id, None, state)
        mapped = self._layout.tables[entity.type]
        return Observed(entity.id, mapped.link(entity.id, str(state.row[mapped.key])), state)

    # --- connecting -------------------------------------------------------------------------

    @contextlib.contextmanager
    def _session(self, *, reading: bool = False) -> Iterator[Session]:
        """Yield the connection with the tables, made, migrated or reflected."""
        with self._connected(reading=reading) as connection:
            if self._tables is None:
                self._tables = self._get_tables(connection)
                connection.execution_options(**{connecting.READING: reading})
            yield Session(connection, *self._tables)

    @contextlib.contextmanager
    def _connected(self, *, reading: bool = False) -> Iterator[Connection]:
        """Yield the connection outside any transaction; turn what goes wrong into an outcome."""
        connection = self._open()
        try:
            with connecting.CutOff(connection, self._settings.timeout_seconds + GRACE_SECONDS):
                connection.execution_options(**{connecting.READING: reading})
                try:
                    yield connection
                except (NotApplied, OperatorError):
                    connection.rollback()
                    raise
                connection.rollback()
        except DBAPIError as error:
            refusal = failures.sorted_out(error)
            if isinstance(refusal, Park | Defer):
                self._undo(connection)
            else:
                self.close()
            raise refusal from error
        except (UnicodeError, OverflowError) as error:
            self._undo(connection)
            raise Park(f"a value cannot be stored: {error}", failures.NEXT_STEP) from error

    def _undo(self, connection: Connection) -> None:
        """End what was begun; the connection is as good as before, or given up."""
        try:
            connection.rollback()
        except DBAPIError:
            self.close()

    def _open(self) -> Connection:
        if self._connection is None:
            try:
                self._connection = connecting.engine(self._settings).connect()
            except (ImportError, NoSuchModuleError) as error:
                raise BackendDown(f"no driver for this address: {error}") from error
            except DBAPIError as error:
                raise failures.sorted_out(error, connecting=True) from error
        return self._connection

    def _get_tables(self, connection: Connection) -> tuple[Executor, Reader]:
        schema, ours = self._settings.schema, self._settings.tables == "managed"
        connection.execution_options(**{connecting.READING: not ours})
        if ours:
            founding.require(connection, schema, create=self._settings.create)
            tables = by_name(managed(schema))
        else:
            tables = reflected(connection, self._layout, schema)
            connection.rollback()
        relations = (relation.table for relation in self._layout.relations)
        executor = Executor(connection.dialect, tables, relations)
        return executor, Reader(self._layout, tables)


def _statements(plan: Plan) -> Iterator[Statement]:
    for step in cast("tuple[Transaction, ...]", plan.steps):
        yield from step.statements
