"""The store: one writer thread with group commit, read-only connections beside it.

A unit of work is a function of a `Transaction`. Waiting units (up to GROUP_LIMIT) share one
transaction, each behind a savepoint of its own, and one COMMIT; whoever asked learns the result
after that COMMIT. A unit that raises takes back its own writes and nobody else's.

Rule: a unit is quick and pure database work; the network, sleeping and waiting are done outside.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import attrs
from sqlalchemy import Dialect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from bridge.core.errors import OperatorError, Unavailable
from bridge.journal import migrations
from bridge.journal.sqlite import SqliteFile, trouble
from bridge.journal.statements import Prepared, prepared

__all__ = ["Journal", "Reader", "Transaction", "open_journal", "prepared"]

T = TypeVar("T")

GROUP_LIMIT = 64
"""Units of work that share one COMMIT at most."""

GATHER_SECONDS = 0.0005
"""How long a group waits for as many units as the last ones had: a fuller group costs one sync."""

READER_THREADS = 2
"""Threads for reads that are awaited; a read from another thread brings its own."""


class Reader:
    """One consistent view of the journal, valid inside the call it was handed to.

    `now` is the journal's clock: microseconds since 1970 UTC, the same throughout one call.
    """

    def __init__(self, cursor: Any, dialect: Dialect) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self.now = time.time_ns() // 1000

    def rows(self, statement: Prepared, **params: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        compiled = statement.on(self._dialect)
        self._cursor.execute(compiled.text, compiled.bind(params))
        found: list[tuple[Any, ...]] = self._cursor.fetchall()
        return found

    def row(self, statement: Prepared, **params: Any) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        compiled = statement.on(self._dialect)
        self._cursor.execute(compiled.text, compiled.bind(params))
        found: tuple[Any, ...] | None = self._cursor.fetchone()
        return found


class Transaction(Reader):
    """What a unit of work writes with; it also reads its own writes."""

    def run(self, statement: Prepared, **params: Any) -> int:
        """Run a statement and return the number of rows it touched."""
        compiled = statement.on(self._dialect)
        self._cursor.execute(compiled.text, compiled.bind(params))
        count: int = self._cursor.rowcount
        return count

    def run_many(self, statement: Prepared, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once per row; nothing for no rows."""
        if rows:
            compiled = statement.on(self._dialect)
            self._cursor.executemany(compiled.text, [compiled.bind(row) for row in rows])


@attrs.define(eq=False)
class _Unit:
    """A unit of work that waits for its turn; `loop` None is a thread that blocks."""

    work: Callable[[Transaction], Any]
    future: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None
    result: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():  # whoever asked has gone away
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Journal:
    """The durable journal of one process. Threads and event loops may share it."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._waiting: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._open = True
        self._gate = threading.Lock()
        self._idle: deque[Any] = deque()
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="journal-read")
        self._writer = threading.Thread(target=self._write_units, name="journal-write", daemon=True)
        self._writer.start()

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run `unit` in the writer thread and return its result once it is committed.

        Raises what `unit` raised (its writes are taken back), or Unavailable when the storage
        refused: nothing was written then.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._submit(_Unit(unit, future, loop))
        return await future

    def write_now(self, unit: Callable[[Transaction], T]) -> T:
        """Do as `write` does, blocking: for threads and the command line."""
        future: Future[T] = Future()
        self._submit(_Unit(unit, future, None))
        return future.result()

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Run `query` on a read-only connection in a reader thread and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, query)

    def read_now(self, query: Callable[[Reader], T]) -> T:
        """Run `query` on a read-only connection in this thread and return its result.

        One indexed read costs less than changing threads does: an event loop may call this for
        it. Raises Unavailable when the storage fails.
        """
        try:
            connection = self._idle.pop() if self._idle else self._file.connect(readonly=True)
            connection.execute("BEGIN")
            try:
                return query(Reader(connection.cursor(), self._file.dialect))
            finally:
                connection.execute("ROLLBACK")
                self._idle.append(connection)
        except Exception as error:
            raise trouble(error) or error from error

    def close(self) -> None:
        """Finish what waits, then close every connection and release the lock; may be repeated."""
        with self._gate:
            was_open, self._open = self._open, False
            if was_open:
                self._waiting.put(None)
        self._writer.join()
        self._readers.shutdown()
        while self._idle:
            self._idle.pop().close()
        self._file.close()

    def _submit(self, unit: _Unit) -> None:
        with self._gate:
            if not self._open:
                raise Unavailable("The bridge is stopping; nothing was written.")
            self._waiting.put(unit)

    def _write_units(self) -> None:
        connection = self._file.connect(readonly=False)
        cursor = connection.cursor()
        usual = 1
        while group := self._next_group(usual):
            usual = max(len(group), usual - 1)
            self._commit(cursor, group)
            _settle(group)
        connection.close()

    def _next_group(self, usual: int) -> list[_Unit]:
        # Empty when the journal is closed and nothing waits any more.
        group: list[_Unit] = []
        unit = self._waiting.get()
        deadline = time.monotonic() + GATHER_SECONDS
        while unit is not None:
            group.append(unit)
            if len(group) == GROUP_LIMIT:
                return group
            patience = deadline - time.monotonic() if len(group) < usual else 0
            try:
                unit = self._waiting.get(timeout=max(patience, 0))
            except queue.Empty:
                return group
        self._waiting.put(None)  # the next call finds it and ends
        return group

    def _commit(self, cursor: Any, group: list[_Unit]) -> None:
        try:
            cursor.execute("BEGIN IMMEDIATE")
            for unit in group:
                self._attempt(cursor, unit)
            cursor.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - it goes to everyone who waits for this group
            if cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
            for unit in group:
                unit.error = trouble(error) or error

    def _attempt(self, cursor: Any, unit: _Unit) -> None:
        if unit.future.cancelled():
            return
        cursor.execute("SAVEPOINT unit")
        try:
            unit.result = unit.work(Transaction(cursor, self._file.dialect))
        except Exception as error:
            if trouble(error):  # of the storage, so it concerns the whole group
                raise
            unit.error = error
            cursor.execute("ROLLBACK TO unit")
        cursor.execute("RELEASE unit")


def _settle(group: list[_Unit]) -> None:
    waiting: dict[asyncio.AbstractEventLoop, list[_Unit]] = {}
    for unit in group:
        if unit.loop is None:
            unit.settle()
        else:
            waiting.setdefault(unit.loop, []).append(unit)
    for loop, units in waiting.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle_all, units)


def _settle_all(units: list[_Unit]) -> None:
    for unit in units:
        unit.settle()


def open_journal(url: str, *, exclusive: bool = True) -> Journal:
    """Open the journal at `sqlite:///PATH`; a new one is made, an older one is brought up to date.

    `exclusive` False is for a command beside a running bridge: no lock, no new file, no migration.
    Raises OperatorError (BRG-JOURNAL-…) with the next step when the journal cannot be used.
    """
    file = SqliteFile(_path(url), exclusive=exclusive)
    try:
        migrations.bring_up_to_date(file.connect(readonly=False), allowed=exclusive)
    except BaseException:
        file.close()
        raise
    return Journal(file)


def _path(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    named = parsed is not None and parsed.drivername == "sqlite" and parsed.database
    if not named or named == ":memory:":
        raise OperatorError(
            "BRG-JOURNAL-URL",
            "journal.url does not name a journal file.",
            'Write it as "sqlite:///" and the path of the file.',
        )
    return Path(named)
