"""What a unit of work and a query are handed: one transaction's view of the journal.

Rule: a unit is quick and pure database work; the network, sleeping and waiting are done outside.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from sqlalchemy import Dialect, Table

from bridge.journal.statements import Prepared

T = TypeVar("T")

Row = tuple[Any, ...]


class Session(Protocol):
    """One transaction of one database: SQL text and the driver's parameters in, rows out."""

    @property
    def now(self) -> int:
        """The clock of the journal, the same throughout the transaction: microseconds UTC."""

    def rows(self, text: str, parameters: Row) -> list[Row]:
        """Return all rows of a query."""

    def rows_each(self, text: str, parameters: Sequence[Row]) -> list[list[Row]]:
        """Return all rows of a query for each of the parameters."""

    def run(self, text: str, parameters: Row) -> int:
        """Run a statement and return how many rows it touched."""

    def run_each(self, text: str, parameters: Sequence[Row]) -> list[int]:
        """Do as `run` does for each of the parameters, in order."""

    def send(self, text: str, parameters: Sequence[Row]) -> None:
        """Run a statement for each of the parameters, perhaps later: nobody waits for it."""

    def freeze(self, table: str) -> None:
        """Let nobody else write to a table until the end."""


class Reader:
    """One consistent view of the journal, valid inside the call it was handed to."""

    def __init__(self, session: Session, dialect: Dialect) -> None:
        self._session = session
        self._dialect = dialect

    @property
    def now(self) -> int:
        """The journal's clock: microseconds since 1970 UTC, the same throughout one call."""
        return self._session.now

    def rows(self, statement: Prepared, **params: Any) -> list[Row]:
        """Return all rows of a query."""
        compiled = statement.on(self._dialect)
        return self._session.rows(compiled.text, compiled.bind(params))

    def row(self, statement: Prepared, **params: Any) -> Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(statement, **params)
        return found[0] if found else None

    def rows_each(self, statement: Prepared, each: Sequence[Mapping[str, Any]]) -> list[list[Row]]:
        """Return all rows of a query for each of the parameters: one journey for all of them."""
        compiled = statement.on(self._dialect)
        return self._session.rows_each(compiled.text, [compiled.bind(params) for params in each])


class Transaction(Reader):
    """What a unit of work writes with; it also reads its own writes."""

    def run(self, statement: Prepared, **params: Any) -> int:
        """Run a statement and return the number of rows it touched."""
        compiled = statement.on(self._dialect)
        return self._session.run(compiled.text, compiled.bind(params))

    def run_each(self, statement: Prepared, each: Sequence[Mapping[str, Any]]) -> list[int]:
        """Do as `run` does for each of the parameters, in order: one journey for all of them."""
        compiled = statement.on(self._dialect)
        return self._session.run_each(compiled.text, [compiled.bind(params) for params in each])

    def send(self, statement: Prepared, **params: Any) -> None:
        """Run a statement whose count of rows nobody needs.

        It is done before whatever follows; if it fails, the next question or the commit says so.
        """
        compiled = statement.on(self._dialect)
        self._session.send(compiled.text, [compiled.bind(params)])

    def run_many(self, statement: Prepared, rows: Sequence[Mapping[str, Any]]) -> None:
        """Do as `send` does, once per row; nothing for no rows."""
        if rows:
            compiled = statement.on(self._dialect)
            self._session.send(compiled.text, [compiled.bind(row) for row in rows])

    def freeze(self, table: Table) -> None:
        """Let nobody else write to a table until the end; what others have written is seen."""
        self._session.freeze(table.name)


class Journal(ABC):
    """The durable journal of one process. Threads and event loops may share it.

    `alone` says that no other process serves this journal.
    """

    alone: bool

    def __init__(self, reader_threads: int) -> None:
        self._readers = ThreadPoolExecutor(reader_threads, thread_name_prefix="journal-read")

    @abstractmethod
    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run `unit` and return its result once it is committed.

        A unit may be run more than once, its earlier runs taken back: it changes nothing but the
        journal. Raises what `unit` raised (its writes are taken back), or Unavailable when the
        storage refused: nothing was written then, unless it says that this is not known.
        """

    @abstractmethod
    def write_now(self, unit: Callable[[Transaction], T]) -> T:
        """Do as `write` does, blocking: for threads and the command line."""

    @abstractmethod
    def read_now(self, query: Callable[[Reader], T]) -> T:
        """Run `query` in a transaction that only reads, in this thread, and return its result.

        One indexed read of an embedded journal costs less than changing threads does: an event
        loop may call this for it. Raises Unavailable when the storage fails.
        """

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Do as `read_now` does in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, query)

    async def look_up(self, query: Callable[[Reader], T]) -> T:
        """Do as `read` does, in the way that is quickest for a query of few indexed rows."""
        return await self.read(query)

    def write_soon(self, unit: Callable[[Transaction], object]) -> None:
        """Run `unit` before long: nobody waits for it, nor hears that it failed."""
        with suppress(RuntimeError):  # the journal is being closed
            self._readers.submit(self.write_now, unit)

    @abstractmethod
    def notify(self) -> None:
        """Tell the processes that `listen` that something was written; blocks for a moment."""

    @abstractmethod
    def listen(self, heard: Callable[[], None], until: Callable[[], bool]) -> None:
        """Call `heard` whenever another process has notified, blocking; return soon after `until`.

        Returns at once where nobody can be heard: who waits for news has to look for them.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish what waits, then close every connection; may be repeated."""
