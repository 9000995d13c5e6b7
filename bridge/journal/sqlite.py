"""The embedded journal file: its connections, its lock, and what SQLite's errors mean.

One process serves a file. The lock beside it is the kernel's (`flock`), so it ends with the
process however that ends, and a stale lock file means nothing.

Rule: everything that only SQLite does is in this module.
"""

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy.dialects import sqlite

from bridge.core.errors import OperatorError, Unavailable
from bridge.core.schema.keys import name_key

BUSY_TIMEOUT_MS = 5_000
"""How long a write waits for another process's write (a command beside the running bridge)."""

CHECK_LIMIT_BYTES = 256 * 1024 * 1024
"""Up to this size every page is checked when the file is opened (about 1 s); above, the schema."""

WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""The write-ahead log is cut back to this size after a burst."""

CHECKPOINT_PAGES = 4_000
"""Pages (4 KiB) in the write-ahead log before they are copied home: a hot page is copied once."""

CACHE_KIB = 16 * 1024
"""Page cache of one connection."""

STATEMENT_CACHE = 256
"""Statements that a connection keeps compiled."""

MOUNTS = Path("/proc/self/mounts")
"""Where Linux lists what is mounted; nothing is refused where there is no such list."""

# File systems without dependable locks or shared memory: SQLite's own documentation forbids WAL
# on them ("How To Corrupt An SQLite Database File", section 2.1; "Write-Ahead Logging").
_NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "afs", "ceph", "lustre", "gluster", "fuse.sshfs")

_STORAGE_TROUBLE = {
    sqlite3.SQLITE_FULL: "The disk of the journal is full",
    sqlite3.SQLITE_IOERR: "The disk of the journal failed",
    sqlite3.SQLITE_NOMEM: "The journal is out of memory",
    sqlite3.SQLITE_BUSY: "The journal is locked by another process",
    sqlite3.SQLITE_LOCKED: "The journal is locked",
    sqlite3.SQLITE_PROTOCOL: "The journal is locked",
    sqlite3.SQLITE_READONLY: "The journal cannot be written",
    sqlite3.SQLITE_CANTOPEN: "The journal cannot be opened",
    sqlite3.SQLITE_CORRUPT: "The journal file is damaged",
    sqlite3.SQLITE_NOTADB: "The journal file is damaged",
}


def trouble(error: BaseException) -> Unavailable | None:
    """Return the answer to a failure of the storage itself, or None for any other error."""
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, sqlite3.Error) or code is None:
        return None
    problem = _STORAGE_TROUBLE.get(code & 0xFF)
    return Unavailable(f"{problem}; nothing was written.") if problem else None


class SqliteFile:
    """A journal file that this process may use; `close` releases the lock.

    `exclusive` False is for a command beside a running bridge: it takes no lock.
    Raises OperatorError when another process serves the file or the file cannot be used.
    """

    def __init__(self, path: Path, *, exclusive: bool) -> None:
        self.path = path
        self.dialect = sqlite.dialect(paramstyle="qmark")
        self._lock: int | None = None
        _refuse_network(path)
        if exclusive:
            self._lock = _locked(path)
        try:
            _prepare(path, create=exclusive)
        except BaseException:
            self.close()
            raise

    @property
    def locked(self) -> bool:
        """Whether this process holds the lock."""
        return self._lock is not None

    def connect(self, *, readonly: bool) -> sqlite3.Connection:
        """Return a new connection in autocommit mode; transactions are spelled out."""
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENT_CACHE,
            timeout=BUSY_TIMEOUT_MS / 1000,
        )
        for pragma in (
            "synchronous = FULL",
            f"cache_size = -{CACHE_KIB}",
            f"journal_size_limit = {WAL_LIMIT_BYTES}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            "temp_store = MEMORY",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("scim_key", 1, _scim_key, deterministic=True)
        return connection

    def close(self) -> None:
        """Release the lock."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _scim_key(text: Any) -> Any:
    return name_key(text) if isinstance(text, str) else text


def _refuse_network(path: Path) -> None:
    kind = _file_system(path.absolute().parent)
    if kind.startswith(_NETWORK_FILE_SYSTEMS):
        raise OperatorError(
            "BRG-JOURNAL-NETWORK",
            f"{path} is on a network file system ({kind}), where SQLite loses data.",
            "Put the journal on a local disk.",
        )


def _file_system(folder: Path) -> str:
    try:
        mounts = MOUNTS.read_text().splitlines()
    except OSError:
        return ""
    found, kind = "", ""
    for mount in mounts:
        point, name = mount.split(" ")[1:3]
        point = point.encode().decode("unicode_escape")
        if len(point) >= len(found) and folder.is_relative_to(point):
            found, kind = point, name
    return kind


def _locked(path: Path) -> int:
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise OperatorError(
            "BRG-JOURNAL-LOCKED",
            f"{path} is in use by another process{f' ({holder})' if holder else ''}.",
            "Stop that one first, or give this one a journal of its own.",
        ) from error
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def _prepare(path: Path, *, create: bool) -> None:
    if not path.exists() and not create:
        raise OperatorError(
            "BRG-JOURNAL-MISSING",
            f"There is no journal at {path}.",
            "Start the bridge once, or correct journal.url.",
        )
    try:
        # Made by us and not by SQLite, because the journal is nobody else's to read.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    try:
        if create:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
        damage = _damage(connection, path.stat().st_size)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
            raise _unusable(path, error) from error
        damage = str(error)
    finally:
        connection.close()
    if damage:
        raise OperatorError(
            "BRG-JOURNAL-DAMAGED",
            f"{path} is damaged: {damage}.",
            "Put the last backup in its place: `bridge db restore FILE --yes`.",
        )


_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def damage_of(path: Path) -> str:
    """Return what is wrong with a journal file, every page of it; "" for nothing."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        ) as (connection):
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else str(found)


def _damage(connection: sqlite3.Connection, size_bytes: int) -> str:
    if size_bytes > CHECK_LIMIT_BYTES:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return ""
    found: list[tuple[Any, ...]] = connection.execute("PRAGMA quick_check(1)").fetchall()
    return "" if found == [("ok",)] else str(found[0][0])


def _unusable(path: Path, error: Exception) -> OperatorError:
    return OperatorError(
        "BRG-JOURNAL-UNUSABLE",
        f"{path} cannot be used as a journal: {error}.",
        "Correct journal.url, or the rights on that folder.",
    )
