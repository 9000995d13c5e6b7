"""How the tables came about, revision by revision, and bringing a journal up to date.

A release only ever adds to the tables of the one before it; what that one still reads goes a
release later. So processes of both releases may serve one database while it is exchanged.

Rule: an upgrade is one transaction; a process killed in the middle leaves the old journal.
"""

import sqlite3
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    from bridge.journal.database import Database

HEAD = "0001"
"""The newest revision in this release; revisions are numbered in order, in four digits."""

_ALONE = "SELECT pg_advisory_xact_lock(7236283301)"  # any number that is always the same
_CURRENT = "SELECT version_num FROM alembic_version"


def bring_up_to_date(connection: sqlite3.Connection, *, allowed: bool) -> None:
    """Bring a journal file to HEAD and close `connection`.

    Raises OperatorError for a journal of a newer release, or of an older one unless `allowed`.
    """
    known = "SELECT name FROM sqlite_schema WHERE name = 'alembic_version'"
    try:
        if _is_behind(_revision(connection, known), allowed=allowed):
            _upgrade("sqlite://", connection, "BEGIN IMMEDIATE")
    finally:
        connection.close()


def bring_database_up_to_date(database: "Database", *, allowed: bool) -> None:
    """Bring a PostgreSQL database to HEAD; of several processes that try, one does it.

    Raises as `bring_up_to_date` does.
    """
    with database.connect() as connection:
        if _is_behind(
            _revision(connection, "SELECT to_regclass('alembic_version')"), allowed=allowed
        ):
            _upgrade("postgresql+psycopg://", connection, "BEGIN", _ALONE)


def _revision(connection: Any, known: str) -> str | None:
    found = connection.execute(known).fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute(_CURRENT).fetchone()
    return row[0] if row else None


def _upgrade(url: str, connection: Any, *begin: str) -> None:
    # Imported here because a journal that is up to date needs none of it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415

    with as_file(files(__name__)) as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        engine = create_engine(url, creator=lambda: connection, poolclass=StaticPool)
        with engine.connect() as config.attributes["connection"]:
            for statement in begin:
                connection.execute(statement)
            command.upgrade(config, "head")  # env.py ends the transaction


def _is_behind(revision: str | None, *, allowed: bool) -> bool:
    if revision == HEAD:
        return False
    if revision is not None and revision > HEAD:
        raise OperatorError(
            "BRG-JOURNAL-NEWER",
            f"The journal is at revision {revision}, which this release does not know.",
            "Start a release that is at least as new, or restore a backup made by this one.",
        )
    if not allowed:
        raise OperatorError(
            "BRG-JOURNAL-OLD",
            f"The journal is at revision {revision or 'none'}, this release needs {HEAD}.",
            "Bring it up to date: `bridge db upgrade`. `bridge serve` does so when it starts.",
        )
    return True
