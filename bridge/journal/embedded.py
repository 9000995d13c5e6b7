"""The embedded journal: one writer thread with group commit, read-only connections beside it.

Waiting units of work (up to GROUP_LIMIT) share one transaction, each behind a savepoint of its
own, and one COMMIT; whoever asked learns the result after that COMMIT. A unit that raises takes
back its own writes and nobody else's.

Rule: only the writer thread writes.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import attrs

from bridge.core.errors import Unavailable
from bridge.journal import migrations
from bridge.journal.session import Journal, Reader, Row, Transaction
from bridge.journal.sqlite import SqliteFile, trouble

T = TypeVar("T")

GROUP_LIMIT = 64
"""Units of work that share one COMMIT at most."""

GATHER_SECONDS = 0.0005
"""How long a group waits for as many units as the last ones had: a fuller group costs one sync."""

READER_THREADS = 2
"""Threads for reads that are awaited; a read from another thread brings its own."""


class _Session:
    """A transaction of SQLite, or the part of it behind one savepoint."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.now = time.time_ns() // 1000

    def rows(self, text: str, parameters: Row) -> list[Row]:
        found: list[Row] = self._cursor.execute(text, parameters).fetchall()
        return found

    def rows_each(self, text: str, parameters: Sequence[Row]) -> list[list[Row]]:
        return [self.rows(text, each) for each in parameters]

    def run(self, text: str, parameters: Row) -> int:
        count: int = self._cursor.execute(text, parameters).rowcount
        return count

    def run_each(self, text: str, parameters: Sequence[Row]) -> list[int]:
        return [self.run(text, each) for each in parameters]

    def send(self, text: str, parameters: Sequence[Row]) -> None:
        if len(parameters) == 1:
            self._cursor.execute(text, parameters[0])
        else:
            self._cursor.executemany(text, parameters)

    def freeze(self, table: str) -> None:
        del table  # nobody else writes to any


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


class EmbeddedJournal(Journal):
    """A journal in a file that this process holds the lock of, or works beside."""

    def __init__(self, file: SqliteFile, *, upgrade: bool) -> None:
        try:
            migrations.bring_up_to_date(file.connect(readonly=False), allowed=upgrade)
        except BaseException:
            file.close()
            raise
        super().__init__(READER_THREADS)
        self.alone = file.locked
        self._file = file
        self._waiting: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._open = True
        self._gate = threading.Lock()
        self._idle: deque[Any] = deque()
        self._writer = threading.Thread(target=self._write_units, name="journal-write", daemon=True)
        self._writer.start()

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._submit(_Unit(unit, future, loop))
        return await future

    def write_now(self, unit: Callable[[Transaction], T]) -> T:
        future: Future[T] = Future()
        self._submit(_Unit(unit, future, None))
        return future.result()

    def read_now(self, query: Callable[[Reader], T]) -> T:
        try:
            connection = self._idle.pop() if self._idle else self._file.connect(readonly=True)
            connection.execute("BEGIN")
            try:
                return query(Reader(_Session(connection.cursor()), self._file.dialect))
            finally:
                connection.execute("ROLLBACK")
                self._idle.append(connection)
        except Exception as error:
            raise trouble(error) or error from error

    async def look_up(self, query: Callable[[Reader], T]) -> T:
        return self.read_now(query)  # changing threads costs more than an indexed read

    def notify(self) -> None:
        return

    def listen(self, heard: Callable[[], None], until: Callable[[], bool]) -> None:
        del heard, until  # a command beside it has no way to be heard

    def close(self) -> None:
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
            unit.result = unit.work(Transaction(_Session(cursor), self._file.dialect))
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
