"""Opening the journal that an address names: a file of this process, or a PostgreSQL database.

Rule: after `open_journal` nobody needs to know which of the two it is.
"""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from bridge.config import Loaded
from bridge.core.errors import OperatorError
from bridge.journal.embedded import EmbeddedJournal
from bridge.journal.session import Journal, Reader, Transaction
from bridge.journal.sqlite import SqliteFile
from bridge.journal.statements import prepared

__all__ = [
    "Journal",
    "Reader",
    "Transaction",
    "address_of",
    "open_configured",
    "open_journal",
    "prepared",
]

CONNECTIONS = 8
"""Connections for writing that a process opens to PostgreSQL at most, and as many for reading."""


def open_journal(
    url: str, *, exclusive: bool = True, connections: int = CONNECTIONS, pooled: bool = False
) -> Journal:
    """Open the journal at `sqlite:///PATH` or `postgresql+psycopg://…`.

    A new one is made and an older one is brought up to date, except where `exclusive` is False:
    for a command beside a running bridge, which takes no lock and makes no file. `pooled` says
    that a pooler in transaction mode stands before PostgreSQL.
    Raises OperatorError (BRG-JOURNAL-…) with the next step when the journal cannot be used.
    """
    address = address_of(url)
    if address.drivername == "sqlite":
        file = SqliteFile(Path(str(address.database)), exclusive=exclusive)
        return EmbeddedJournal(file, upgrade=exclusive)
    try:
        # Its driver is an extra.
        from bridge.journal.database import Database  # noqa: PLC0415
        from bridge.journal.postgresql import PostgresqlJournal  # noqa: PLC0415
    except ImportError:
        raise OperatorError(
            "BRG-JOURNAL-DRIVER",
            "journal.url names a PostgreSQL database and the driver psycopg is not installed.",
            'Install it: pip install "directory-bridge[postgresql]".',
        ) from None
    return PostgresqlJournal(Database(address, pooled=pooled), connections, upgrade=exclusive)


def open_configured(loaded: Loaded, *, exclusive: bool = True) -> Journal:
    """Open the journal that a configuration names, as `open_journal` does."""
    settings = loaded.configuration.journal
    return open_journal(
        loaded.journal_url,
        exclusive=exclusive,
        connections=settings.connections,
        pooled=settings.wake == "poll",
    )


def address_of(url: str) -> URL:
    """Return the parts of a journal's address; raises OperatorError BRG-JOURNAL-URL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = URL.create("none")
    is_file = parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:")
    if not is_file and parsed.drivername != "postgresql+psycopg":
        raise OperatorError(
            "BRG-JOURNAL-URL",
            "journal.url does not name a journal.",
            'Write "sqlite:///" and the path of a file, or "postgresql+psycopg://host/database".',
        )
    return parsed
