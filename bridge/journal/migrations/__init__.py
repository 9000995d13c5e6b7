"""How the tables came about, revision by revision, and bringing a journal up to date.

Rule: an upgrade is one transaction; a process killed in the middle leaves the old journal.
"""

import sqlite3
from importlib.resources import as_file, files

from bridge.core.errors import OperatorError

HEAD = "0001"
"""The newest revision in this release; revisions are numbered in order, in four digits."""


def bring_up_to_date(connection: sqlite3.Connection, *, allowed: bool) -> None:
    """Bring a journal to HEAD and close `connection`.

    Raises OperatorError for a journal of a newer release, or of an older one unless `allowed`.
    """
    try:
        revision = _revision(connection)
        if revision == HEAD:
            return
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
                "Start the bridge of this release once: `bridge serve` brings it up to date.",
            )
        _upgrade(connection)
    finally:
        connection.close()


def _revision(connection: sqlite3.Connection) -> str | None:
    known = "SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'"
    if connection.execute(known).fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def _upgrade(connection: sqlite3.Connection) -> None:
    # Imported here because a journal that is up to date needs none of it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415
    from sqlalchemy.pool import StaticPool  # noqa: PLC0415

    with as_file(files(__name__)) as scripts:
        config = Config()
        config.set_main_option("script_location", str(scripts).replace("%", "%%"))
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        with engine.connect() as config.attributes["connection"]:
            connection.execute("BEGIN IMMEDIATE")  # env.py ends it
            command.upgrade(config, "head")
