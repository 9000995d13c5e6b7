"""Statements on their way to PostgreSQL and rows on their way back, by the pipeline of libpq.

What is sent is queued; `answers` makes the journey and returns one answer for each. The driver's
cursors would do the same for three times the processor time, which writers are short of.

Rule: parameters are text and their types are the server's to find out, from the statement alone.
"""

import re
import select
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import attrs
from psycopg import Connection, OperationalError
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

Row = tuple[Any, ...]

TOGETHER = 500
"""Statements in one journey at most: their answers have to fit where they wait."""

_DONE = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


def _number(data: bytes) -> int | float:
    text = data.decode()
    return int(text) if text.lstrip("-").isdigit() else float(text)


_READERS: Mapping[int, Callable[[bytes], Any]] = {
    16: lambda data: data == b"t",
    20: int,
    21: int,
    23: int,
    701: float,
    1700: _number,
}
"""By the type's OID, which is the same in every database; any other is text."""


@attrs.frozen
class Answer:
    """Rows that were found, and how many were touched."""

    rows: list[Row]
    count: int


class Wire:
    """One connection in pipeline mode, from `open` to `close`.

    `names` are the statements that are prepared in this connection, None where none may be.
    """

    def __init__(self, connection: "Connection[Any]", names: dict[str, bytes] | None) -> None:
        self._pg: PGconn = connection.pgconn
        self._names = names
        self._new: dict[str, bytes] = {}
        self._asked: list[str | None] = []  # a text is being prepared, None is a statement

    def open(self) -> None:
        """Begin to queue."""
        self._pg.enter_pipeline_mode()

    def close(self) -> None:
        """Go back to one question at a time; everything sent has been answered."""
        self._pg.exit_pipeline_mode()

    def send(self, text: str, parameters: Row) -> None:
        """Queue a statement."""
        if len(self._asked) >= TOGETHER:
            raise AssertionError("the answers of so many have to be read first")
        values = [_encoded(value) for value in parameters]
        if self._names is None:
            self._pg.send_query_params(_numbered(text), values)
        else:
            name = self._names.get(text) or self._new.get(text)
            if name is None:
                name = self._new[text] = b"s%d" % (len(self._names) + len(self._new))
                self._pg.send_prepare(name, _numbered(text))
                self._asked.append(text)
            self._pg.send_query_prepared(name, values)
        self._asked.append(None)

    @property
    def is_full(self) -> bool:
        """Whether answers have to be read before more is sent."""
        return len(self._asked) >= TOGETHER - 2

    def answers(self) -> list[Answer]:
        """Make the journey and return the answer to each statement; raises the first error."""
        self._pg.pipeline_sync()
        while self._pg.flush():
            self._poll(select.POLLIN | select.POLLOUT)
        found: list[Answer] = []
        error: PGresult | None = None
        for prepared in self._asked:
            result = self._next()
            if result.status not in _DONE:
                error = error or result
            elif prepared is None:
                found.append(_answer(result))
            elif self._names is not None:
                self._names[prepared] = self._new[prepared]
            self._end()
        self._asked.clear()
        self._new.clear()
        self._next()  # the end of the journey
        if error is not None:
            raise error_from_result(error)
        return found

    def _end(self) -> None:
        self._await()
        self._pg.get_result()  # None: the end of one statement

    def _await(self) -> None:
        # libpq would wait as well, and every other thread of this process with it.
        while self._pg.is_busy():
            self._poll(select.POLLIN)

    def _poll(self, events: int) -> None:
        poller = select.poll()
        poller.register(self._pg.socket, events)
        poller.poll()
        self._pg.consume_input()

    def _next(self) -> PGresult:
        self._await()
        result = self._pg.get_result()
        if result is None or self._pg.status == ConnStatus.BAD:
            self._asked.clear()
            raise OperationalError(self._pg.get_error_message())
        return result


def _answer(result: PGresult) -> Answer:
    if result.status == ExecStatus.COMMAND_OK:
        return Answer([], result.command_tuples or 0)
    readers = [_READERS.get(result.ftype(n), bytes.decode) for n in range(result.nfields)]
    rows = [
        tuple(
            None if (data := result.get_value(row, column)) is None else read(data)
            for column, read in enumerate(readers)
        )
        for row in range(result.ntuples)
    ]
    return Answer(rows, len(rows))


def _encoded(value: Any) -> bytes | None:
    # PostgreSQL has no NUL, and no text with one is ever stored: what is asked for with one is
    # asked for with the character after it, and not found either.
    match value:
        case str():
            return (value.replace("\0", "\1") if "\0" in value else value).encode()
        case None:
            return None
        case int():
            return b"%d" % value
        case float():
            return repr(value).encode()
        case list():
            return ("{" + ",".join(_element(text) for text in value) + "}").encode()
    raise TypeError(f"no parameter: {type(value).__name__}")


def _element(text: str) -> str:
    escaped = text.replace("\0", "\1").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@lru_cache(maxsize=1024)
def _numbered(text: str) -> bytes:
    """Return a statement with $1, $2, … for %s, and % for %%."""
    parts = iter(range(1, text.count("%s") + 2))
    return re.sub("%[s%]", lambda m: "%" if m[0] == "%%" else f"${next(parts)}", text).encode()
