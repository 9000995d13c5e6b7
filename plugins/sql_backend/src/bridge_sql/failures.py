"""What a database's refusal means for the change at hand.

    try again later     deadlock, serialization, lock or statement time-out, session cut off
    wait for another    a foreign key names a row that is not there yet
    needs a person      the value does not fit its column, or breaks a rule of the table
    target is down      cannot connect, no rights, no such table, disk full, read-only

Sources: PostgreSQL manual appendix A; MariaDB "Error Codes"; SQLite "Result and Error Codes".

Rule: decided by code, never by a message's words; what is not listed is tried again
(while connecting: means that the target is down).
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from bridge.plugin import BackendDown, Defer, NotApplied, Park, RetryLater

NEXT_STEP = "Mend the value at its source or the table's rule, then `bridge deliveries retry`."
REASON_CHARACTERS = 300
"""Longest part of a database's message that is kept."""

# The longest prefix of the SQLSTATE decides.
_SQLSTATE: Final[Mapping[str, type[NotApplied]]] = {
    "08": BackendDown,
    "0A": BackendDown,
    "22": Park,
    "23": Park,
    "23503": Defer,
    "25006": BackendDown,
    "28": BackendDown,
    "3D": BackendDown,
    "3F": BackendDown,
    "40": RetryLater,
    "42": BackendDown,
    "53": BackendDown,
    "55": RetryLater,
    "57": RetryLater,
    "57P02": BackendDown,
    "57P03": BackendDown,
    "58": BackendDown,
    "F0": BackendDown,
    "XX": BackendDown,
}

_MARIADB: Final[Mapping[int, type[NotApplied]]] = {
    1020: RetryLater,  # record has changed since last read
    1021: BackendDown,  # disk full
    1040: BackendDown,  # too many connections
    1044: BackendDown,  # access denied to database
    1045: BackendDown,  # access denied
    1048: Park,  # column cannot be null
    1049: BackendDown,  # unknown database
    1054: BackendDown,  # unknown column
    1062: Park,  # duplicate entry
    1114: BackendDown,  # table is full
    1142: BackendDown,  # command denied on table
    1143: BackendDown,  # command denied on column
    1146: BackendDown,  # no such table
    1264: Park,  # out of range
    1265: Park,  # data truncated
    1290: BackendDown,  # server is read-only
    1292: Park,  # incorrect value
    1364: Park,  # field has no default
    1366: Park,  # incorrect string value
    1406: Park,  # data too long
    1451: Defer,  # another row refers to this one
    1452: Defer,  # foreign key fails
    1836: BackendDown,  # running in read-only mode
    2002: BackendDown,  # cannot connect through socket
    2003: BackendDown,  # cannot connect to host
    2005: BackendDown,  # unknown host
    3819: Park,  # check constraint violated (MySQL)
    4025: Park,  # check constraint violated (MariaDB)
}

_SQLITE: Final[Mapping[str, type[NotApplied]]] = {
    "SQLITE_BUSY": RetryLater,
    "SQLITE_LOCKED": RetryLater,
    "SQLITE_CONSTRAINT_FOREIGNKEY": Defer,
    "SQLITE_CONSTRAINT": Park,
    "SQLITE_MISMATCH": Park,
    "SQLITE_TOOBIG": Park,
    "SQLITE_AUTH": BackendDown,
    "SQLITE_CANTOPEN": BackendDown,
    "SQLITE_CORRUPT": BackendDown,
    "SQLITE_ERROR": BackendDown,
    "SQLITE_FULL": BackendDown,
    "SQLITE_IOERR": BackendDown,
    "SQLITE_NOTADB": BackendDown,
    "SQLITE_PERM": BackendDown,
    "SQLITE_READONLY": BackendDown,
    "SQLITE_SCHEMA": RetryLater,
}


def sorted_out(error: DBAPIError, *, connecting: bool = False) -> NotApplied:
    """Return the outcome that `error` stands for. `connecting`: no statement was sent yet."""
    kind = _kind(error) or (BackendDown if connecting else RetryLater)
    reason = _reason(error)
    return Park(reason, NEXT_STEP) if kind is Park else kind(reason)


def is_duplicate(error: DBAPIError) -> bool:
    """True when a unique key refused the row."""
    cause = error.orig
    return isinstance(error, IntegrityError) and (
        getattr(cause, "sqlstate", None) == "23505"
        or getattr(cause, "sqlite_errorname", None)
        in {"SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE"}
        or _errno(cause) == 1062
    )


def _kind(error: DBAPIError) -> type[NotApplied] | None:
    cause = error.orig
    if error.connection_invalidated:
        return RetryLater
    if (number := _errno(cause)) is not None and number in _MARIADB:
        return _MARIADB[number]  # says more than the SQLSTATE that comes with it
    if isinstance(state := getattr(cause, "sqlstate", None), str):
        return _longest(state, _SQLSTATE)
    if isinstance(named := getattr(cause, "sqlite_errorname", None), str):
        return _longest(named, _SQLITE)
    # A driver refuses a value before the database sees it (a NUL in a text, say).
    return Park if isinstance(error, DataError) else None


def _longest(code: str, table: Mapping[str, type[NotApplied]]) -> type[NotApplied] | None:
    for end in range(len(code), 0, -1):
        if code[:end] in table:
            return table[code[:end]]
    return None


def _errno(cause: BaseException | None) -> int | None:
    first = cause.args[0] if cause is not None and cause.args else None
    return first if isinstance(first, int) else None


def _reason(error: DBAPIError) -> str:
    """Return the database's own words, without PostgreSQL's detail, which quotes values."""
    cause = error.orig
    primary = getattr(getattr(cause, "diag", None), "message_primary", None)
    args = cause.args if cause is not None else ()
    text = primary or (args[-1] if args and isinstance(args[-1], str) else str(cause))
    return " ".join(text.split())[:REASON_CHARACTERS]
