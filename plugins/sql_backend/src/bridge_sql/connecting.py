"""How each kind of database is connected to, and how its transactions begin.

Rule: every wait has an end: connecting, waiting for a lock, and running a statement.
"""

import contextlib
import math
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL

from bridge_sql.settings import Settings

READING = "bridge_reading"
"""Execution option, True for a connection whose transactions only read."""


def engine(settings: Settings) -> Engine:
    """Return the engine that makes the connections, one at a time, and has kept none.

    Raises NoSuchModuleError (SQLAlchemy) for an unknown dialect, ImportError for a missing driver.
    """
    return _engine(settings.address, settings.timeout_seconds, settings.tables == "managed")


@lru_cache(maxsize=64)  # the statements that an engine has compiled serve every slot
def _engine(address: URL, timeout_seconds: float, ours: bool) -> Engine:
    arguments = _ARGUMENTS.get(address.get_backend_name(), _none)(timeout_seconds)
    made = create_engine(
        address,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args=dict(arguments),
        # By position, drivers need not look every value up by its name.
        **({"paramstyle": "format"} if address.get_backend_name() in _BY_POSITION else {}),
    )
    if made.dialect.name == "sqlite":
        event.listen(made, "connect", _prepare_sqlite(ours))
        event.listen(made, "begin", _begin_sqlite)
    event.listen(made, "before_cursor_execute", _begin_statement)
    event.listen(made, "commit", _begin_statement)
    return made


class CutOff:
    """Breaks a PostgreSQL connection when one statement takes longer than `seconds`.

    libpq waits for ever for a server that has stopped but whose machine has not, and so do its
    own time-outs; the other drivers know one for reading.
    """

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._over = threading.Event()
        self._ends = math.inf

    def __enter__(self) -> None:
        if self._connection.dialect.name == "postgresql":
            driver: Any = self._connection.connection.driver_connection
            self._socket = socket.socket(fileno=os.dup(driver.fileno()))
            self._thread = threading.Thread(target=self._watch, name="sql-cut-off", daemon=True)
            self.begin()
            self._connection.info[CutOff] = self
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._connection.dialect.name == "postgresql":
            self._over.set()
            self._thread.join()
            self._socket.close()

    def begin(self) -> None:
        """Start the time of the next statement."""
        self._ends = time.monotonic() + self._seconds

    def _watch(self) -> None:
        while not self._over.wait(left := self._ends - time.monotonic()):
            if left <= 0:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                return


def _begin_statement(connection: Connection, *_: object) -> None:
    if (cut_off := connection.info.get(CutOff)) is not None:
        cut_off.begin()


def _none(_seconds: float) -> Mapping[str, Any]:
    return {}


def _sqlite(seconds: float) -> Mapping[str, Any]:
    return {"timeout": seconds}


def _postgresql(seconds: float) -> Mapping[str, Any]:
    milliseconds = int(seconds * 1000)
    options = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
    return {
        "connect_timeout": max(2, int(seconds)),  # libpq knows no shorter one
        "options": f"{options} -c idle_in_transaction_session_timeout={milliseconds}",
        "tcp_user_timeout": milliseconds,
    }


def _mysql(seconds: float) -> Mapping[str, Any]:
    whole = max(1, int(seconds))
    return {
        "connect_timeout": whole,
        "read_timeout": whole,
        "write_timeout": whole,
        "init_command": f"SET SESSION innodb_lock_wait_timeout = {whole}",
    }


_BY_POSITION = frozenset({"postgresql", "mysql", "mariadb"})

_ARGUMENTS: Mapping[str, Callable[[float], Mapping[str, Any]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
}


def _prepare_sqlite(ours: bool) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        connection.execute("PRAGMA foreign_keys = ON")
        if ours:
            with contextlib.suppress(sqlite3.OperationalError):  # another slot is about it
                connection.execute("PRAGMA journal_mode = WAL")

    return prepare


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later is refused at once when another one writes;
    # taking the write lock at the start waits for it instead.
    reading = connection.get_execution_options().get(READING)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
