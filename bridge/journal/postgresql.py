"""The journal in a PostgreSQL database, for any number of processes at once.

Each unit of work is a transaction of its own on one of a few connections; the database groups the
commits. What needs no answer travels with the next question (libpq's pipeline), so that a usual
unit costs three journeys. A unit that lost a race (a deadlock, a name that another one took
first) is run again and then sees who won.

Rule: a commit without an answer is looked up by its transaction id before anything is said of it.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar
from weakref import WeakKeyDictionary

import psycopg
from psycopg import errors
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from bridge.core.errors import Unavailable
from bridge.journal import migrations
from bridge.journal.database import NOTICE, Database, is_lost, trouble
from bridge.journal.session import Journal, Reader, Row, Transaction
from bridge.journal.wire import Answer, Wire

T = TypeVar("T")

TRIES = 8
"""How often a unit is run that lost a race, or whose connection was lost before its commit."""

TRY_AGAIN_SECONDS = 0.01
"""The longest pause before the second try; it doubles with each further one."""

WAIT_SECONDS = 10.0
"""How long a unit or a query waits for a connection, and a statement for a lock."""

IDLE_SECONDS = 5.0
"""How long a transaction may rest: a frozen process must not keep its locks."""

RESOLVE_SECONDS = 10.0
"""How long the outcome of a commit without an answer is looked for."""

HEARD_SECONDS = 0.2
"""How often a listener looks whether it shall end."""

_LOST_A_RACE = (
    errors.UniqueViolation,
    errors.SerializationFailure,
    errors.DeadlockDetected,
)

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_OPENING = f"""{_CLOCK}, pg_current_xact_id()::text,
set_config('lock_timeout', '{WAIT_SECONDS:.0f}s', true),
set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS:.0f}s', true)"""
_STATUS = "SELECT pg_xact_status(%s::text::xid8)"


class _Session:
    """One transaction; what is sent is done before what is asked next."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._opened: Row | None = None
        self._opening = False

    def begin(self, how: str, opening: str | None = None) -> None:
        self._wire.send(how, ())
        if opening is not None:
            self._wire.send(opening, ())
            self._opening = True

    @property
    def now(self) -> int:
        return int(self._first()[0])

    @property
    def transaction_id(self) -> str:
        return str(self._first()[1])

    def rows(self, text: str, parameters: Row) -> list[Row]:
        self._wire.send(text, parameters)
        return self._answers()[-1].rows

    def rows_each(self, text: str, parameters: Sequence[Row]) -> list[list[Row]]:
        return [answer.rows for answer in self._each(text, parameters)]

    def run(self, text: str, parameters: Row) -> int:
        self._wire.send(text, parameters)
        return self._answers()[-1].count

    def run_each(self, text: str, parameters: Sequence[Row]) -> list[int]:
        return [answer.count for answer in self._each(text, parameters)]

    def send(self, text: str, parameters: Sequence[Row]) -> None:
        for each in parameters:
            if self._wire.is_full:
                self._answers()
            self._wire.send(text, each)

    def freeze(self, table: str) -> None:
        self._wire.send(f'LOCK TABLE "{table}" IN SHARE ROW EXCLUSIVE MODE', ())

    def commit(self) -> None:
        self._wire.send("COMMIT", ())
        self._answers()

    def _each(self, text: str, parameters: Sequence[Row]) -> list[Answer]:
        found: list[Answer] = []
        self._answers()
        for each in parameters:
            if self._wire.is_full:
                found += self._answers()
            self._wire.send(text, each)
        return found + self._answers()

    def _answers(self) -> list[Answer]:
        found = self._wire.answers()
        if self._opening:  # the second of the first journey: after BEGIN
            self._opened, self._opening = found[1].rows[0], False
        return found

    def _first(self) -> Row:
        if self._opening:
            self._answers()
        if self._opened is None:
            self._opened = self.rows(_CLOCK, ())[0]
        return self._opened


class _Pool:
    """At most `limit` connections, opened when they are needed and kept."""

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self._free = threading.BoundedSemaphore(limit)
        self._idle: deque[psycopg.Connection[Row]] = deque()
        self._open = True

    @contextmanager
    def connection(self) -> Iterator["psycopg.Connection[Row]"]:
        """Lend a connection; it comes back usable or not at all."""
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise Unavailable("Too much waits for the journal; nothing was written.", 1)
        try:
            if not self._open:
                raise Unavailable("The bridge is stopping; nothing was written.")
            connection = self._idle.pop() if self._idle else self._database.connect()
            try:
                yield connection
            except BaseException:
                with contextlib.suppress(psycopg.Error):
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._take_back(connection)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close what is idle, and what comes back from now on."""
        self._open = False
        while self._idle:
            self._idle.pop().close()

    def _take_back(self, connection: "psycopg.Connection[Row]") -> None:
        if connection.closed:  # whatever ended it has ended the others as well
            while self._idle:
                self._idle.pop().close()
        idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if self._open and idle:
            self._idle.append(connection)
        else:
            connection.close()


class PostgresqlJournal(Journal):
    """The journal of one process among any number of them."""

    alone = False

    def __init__(self, database: Database, connections: int, *, upgrade: bool) -> None:
        database.check()
        migrations.bring_database_up_to_date(database, allowed=upgrade)
        super().__init__(connections)
        self._database = database
        # Positional, as both dialects' statements are; the driver makes $1, $2, … of it.
        self._dialect: Dialect = PGDialect_psycopg(paramstyle="format")  # type: ignore[no-untyped-call]
        self._writing = _Pool(database, connections)
        self._reading = _Pool(database, connections)
        self._writers = ThreadPoolExecutor(connections, thread_name_prefix="journal-write")
        self._open = True
        self._names: WeakKeyDictionary[psycopg.Connection[Row], dict[str, bytes]] = (
            WeakKeyDictionary()
        )

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        self._check_open()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writers, self.write_now, unit)

    def write_now(self, unit: Callable[[Transaction], T]) -> T:
        for attempt in range(1, TRIES + 1):
            try:
                return self._transact(unit)
            except _LOST_A_RACE as error:
                if attempt == TRIES:
                    raise trouble(error) or error from error
            except psycopg.Error as error:
                if attempt == TRIES or not is_lost(error):
                    raise trouble(error) or error from error
            time.sleep(random.random() * TRY_AGAIN_SECONDS * 2**attempt)  # noqa: S311
        raise AssertionError("unreachable")

    def read_now(self, query: Callable[[Reader], T]) -> T:
        try:
            try:
                return self._look(query)
            except psycopg.Error as error:
                if not is_lost(error):
                    raise
            return self._look(query)  # a connection that died while it was idle
        except psycopg.Error as error:
            raise trouble(error) or error from error

    def notify(self) -> None:
        with contextlib.suppress(psycopg.Error, Unavailable), self._writing.connection() as sender:
            sender.execute(f"NOTIFY {NOTICE}")

    def listen(self, heard: Callable[[], None], until: Callable[[], bool]) -> None:
        if self._database.pooled:
            return
        while not until():
            with contextlib.suppress(psycopg.Error, Unavailable):
                self._listen(heard, until)
            time.sleep(HEARD_SECONDS)

    def close(self) -> None:
        self._open = False
        self._writers.shutdown()
        self._readers.shutdown()
        self._writing.close()
        self._reading.close()

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable("The bridge is stopping; nothing was written.")

    def _transact(self, unit: Callable[[Transaction], T]) -> T:
        self._check_open()
        done: list[T] = []
        transaction_id = ""
        try:
            with self._writing.connection() as connection, self._wired(connection) as wire:
                session = _Session(wire)
                session.begin(_BEGIN, _OPENING)
                done.append(unit(Transaction(session, self._dialect)))
                transaction_id = session.transaction_id
                session.commit()
        except psycopg.Error as error:
            if not transaction_id or not is_lost(error) or not self._is_committed(transaction_id):
                raise
        return done[0]

    @contextmanager
    def _wired(self, connection: "psycopg.Connection[Row]") -> Iterator[Wire]:
        names = None if self._database.pooled else self._names.setdefault(connection, {})
        wire = Wire(connection, names)
        wire.open()
        try:
            yield wire
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                wire.answers()  # what was sent before it
            with contextlib.suppress(psycopg.Error):
                wire.close()
            raise
        wire.close()

    def _is_committed(self, transaction_id: str) -> bool:
        ends = time.monotonic() + RESOLVE_SECONDS
        while time.monotonic() < ends:
            with contextlib.suppress(psycopg.Error, Unavailable):
                with self._writing.connection() as connection:
                    row = connection.execute(_STATUS, (transaction_id,)).fetchone()
                if row and row[0] in ("committed", "aborted"):
                    return bool(row[0] == "committed")
            time.sleep(TRY_AGAIN_SECONDS * 10)
        raise Unavailable("The database did not answer; whether it was written is not known.", 5)

    def _look(self, query: Callable[[Reader], T]) -> T:
        with self._reading.connection() as connection, self._wired(connection) as wire:
            session = _Session(wire)
            session.begin(_BEGIN_READING)
            result = query(Reader(session, self._dialect))
            session.commit()
            return result

    def _listen(self, heard: Callable[[], None], until: Callable[[], bool]) -> None:
        with contextlib.closing(self._database.connect()) as connection:
            connection.execute(f"LISTEN {NOTICE}")
            heard()  # what was written before
            while not until():
                for _ in connection.notifies(timeout=HEARD_SECONDS, stop_after=1):
                    heard()
