"""Copying a journal: a backup of a file, putting one back, and moving to PostgreSQL.

Rule: a copy is whole or it is not there, and never takes the place of something silently.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Integer, Table

from bridge.core.errors import OperatorError
from bridge.journal import guard_tables, people_tables, tables  # noqa: F401
from bridge.journal.sqlite import SqliteFile, damage_of

if TYPE_CHECKING:
    from bridge.journal.database import Database

# One metadata holds them all, once every module that states some of them is imported.
TABLES: list[Table] = tables.metadata.sorted_tables
"""Every table of the journal."""

_ANY = 'SELECT 1 FROM "{}" LIMIT 1'

PAGES = 1_000
"""Pages that a backup copies before it lets the running bridge write."""


def back_up(file: SqliteFile, copy: Path) -> None:
    """Copy a journal file as it is at one moment, beside a bridge that goes on writing.

    Raises OperatorError BRG-JOURNAL-COPY when there is something at `copy`, or it cannot be made.
    """
    try:
        descriptor = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise _refused(f"{copy} cannot be made: {error.strerror}.", "Name another file.") from None
    os.close(descriptor)
    try:
        with closing(file.connect(readonly=True)) as source, closing(sqlite3.connect(copy)) as made:
            source.backup(made, pages=PAGES)
            made.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        copy.unlink()
        raise _refused(f"The copy failed: {error}.", "See that the disk has room.") from None


def put_back(path: Path, copy: Path) -> Path | None:
    """Put a copy in the place of a journal file; return where the old one is now, if there was one.

    Only while nobody serves it. Raises OperatorError BRG-JOURNAL-COPY for a copy that is damaged.
    """
    if not copy.is_file():
        raise _refused(f"There is no file {copy}.", "Name a file that `bridge db backup` made.")
    if found := damage_of(copy):
        raise _refused(f"{copy} is damaged: {found}.", "Use another backup.")
    new = path.with_name(path.name + ".new")
    with closing(sqlite3.connect(copy)) as source:
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(new)) as made:
            source.backup(made)
    old = None
    if path.exists():
        with closing(sqlite3.connect(path)) as last:  # so that nothing stays behind in the log
            last.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        old = _free_name(path)
        path.rename(old)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    new.rename(path)
    return old


def move(file: SqliteFile, database: "Database") -> dict[str, int]:
    """Copy a journal file into an empty PostgreSQL journal; return how many rows of each table.

    Everything goes along: versions, cursors, leases, links, tokens. One transaction. Raises
    OperatorError BRG-JOURNAL-COPY when the other journal is in use already.
    """
    with closing(file.connect(readonly=True)) as source, database.connect() as target:
        source.execute("BEGIN")
        with target.transaction(), target.cursor() as cursor:
            for table in TABLES:
                if cursor.execute(_ANY.format(table.name).encode()).fetchone():
                    raise _refused(
                        f"{database.name} holds something already.", "Name an empty database."
                    )
            counts = {}
            for table in TABLES:
                names = ", ".join(f'"{name}"' for name in table.columns.keys())  # noqa: SIM118
                with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN'.encode()) as copying:
                    for row in _rows(source, table, names):
                        copying.write_row(row)
                counts[table.name] = cursor.rowcount
                for statement in _counting(table):
                    cursor.execute(statement.encode())
    return counts


def _rows(source: sqlite3.Connection, table: Table, names: str) -> Iterator[tuple[object, ...]]:
    yield from source.execute(f'SELECT {names} FROM "{table.name}"')  # noqa: S608 - our own names


def _counting(table: Table) -> Iterator[str]:
    """Yield what makes numbers that the database gives go on after the copied ones."""
    for column in table.primary_key:
        if column.autoincrement is True and isinstance(column.type, Integer):
            place = f"pg_get_serial_sequence('\"{table.name}\"', '{column.name}')"
            highest = f'SELECT coalesce(max("{column.name}"), 0) + 1 FROM "{table.name}"'  # noqa: S608
            yield f"SELECT setval({place}, ({highest}), false)"


def _free_name(path: Path) -> Path:
    number = 1
    while (found := path.with_name(f"{path.name}.before-{number}")).exists():
        number += 1
    return found


def _refused(problem: str, next_step: str) -> OperatorError:
    return OperatorError("BRG-JOURNAL-COPY", problem, next_step)
