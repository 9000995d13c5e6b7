"""The PostgreSQL server of a journal: its connections, what it must be, what its errors mean.

Rule: everything that only PostgreSQL does is in this module and in `postgresql`.
"""

from typing import Any

import psycopg
from sqlalchemy.engine import URL

from bridge.core.errors import OperatorError, Unavailable

NOTICE = "bridge"
"""The channel on which processes tell each other that something was written."""

OLDEST_SERVER = 14
"""The oldest major release of PostgreSQL that is used."""

CONNECT_SECONDS = 5
"""How long connecting may take, unless the address says otherwise (connect_timeout)."""

DEAD_MS = 20_000
"""After so many milliseconds without an answer to what was sent, a connection is dead."""

_STORAGE_TROUBLE = {
    "25006": "The journal cannot be written: the database is read-only",
    "42501": "The journal cannot be written: the database user may not",
    "53": "The database of the journal lacks disk, memory or connections",
    "55P03": "The journal is busy",
    "40": "The journal is busy",
    "57": "The database of the journal is stopping or was interrupted",
    "58": "The database of the journal failed",
    "XX": "The database of the journal is damaged",
}


def is_lost(error: BaseException) -> bool:
    """Say whether the connection ended, so that nothing more is known of what was under way."""
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    state = error.sqlstate
    return state is None or state.startswith(("08", "57P")) or state == "25P03"


def trouble(error: BaseException) -> Unavailable | None:
    """Return the answer to a failure of the database itself, or None for any other error."""
    if not isinstance(error, psycopg.Error):
        return None
    if is_lost(error):
        return Unavailable("The database of the journal cannot be reached; nothing was written.", 1)
    state = error.sqlstate or ""
    problem = _STORAGE_TROUBLE.get(state) or _STORAGE_TROUBLE.get(state[:2])
    return Unavailable(f"{problem}; nothing was written.", 1) if problem else None


class Database:
    """Where the journal is. `pooled`: behind a pooler in transaction mode, nothing outlives one."""

    def __init__(self, url: URL, *, pooled: bool) -> None:
        self.url = url
        self.pooled = pooled
        self._conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        given = url.query
        defaults: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "tcp_user_timeout": DEAD_MS,
            "target_session_attrs": "read-write",
            "application_name": "directory-bridge",
        }
        self._options = {key: value for key, value in defaults.items() if key not in given}

    @property
    def name(self) -> str:
        """The address without its password, for messages."""
        return self.url.render_as_string(hide_password=True)

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """Return a new connection that commits every statement; transactions are spelled out."""
        return psycopg.connect(
            self._conninfo, autocommit=True, prepare_threshold=None, **self._options
        )

    def check(self) -> None:
        """Raise OperatorError where the database cannot hold a journal."""
        try:
            with self.connect() as connection:
                row = connection.execute(
                    "SELECT current_setting('server_version_num')::int / 10000,"
                    " current_setting('server_encoding'), current_setting('synchronous_commit')"
                ).fetchone()
        except psycopg.Error as error:
            raise self._unreachable(error) from None
        release, encoding, commits = row or (0, "", "")
        if release < OLDEST_SERVER:
            raise self._unfit(
                f"PostgreSQL {release} is too old for a journal.",
                f"Use PostgreSQL {OLDEST_SERVER} or newer.",
            )
        if encoding != "UTF8":
            raise self._unfit(
                f"The database's encoding is {encoding}, and names need UTF8.",
                "Make another one: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
            )
        if commits == "off":
            raise self._unfit(
                "The database answers a commit before it is durable (synchronous_commit = off).",
                "ALTER ROLE … SET synchronous_commit = on, for the role of journal.url.",
            )

    def _unreachable(self, error: psycopg.Error) -> OperatorError:
        why = " ".join(str(error).split())
        return OperatorError(
            "BRG-JOURNAL-UNREACHABLE",
            f"The journal at {self.name} cannot be reached: {why}.",
            "See that the database runs, and correct journal.url.",
        )

    def _unfit(self, problem: str, next_step: str) -> OperatorError:
        return OperatorError("BRG-JOURNAL-DATABASE", f"{self.name}: {problem}", next_step)
