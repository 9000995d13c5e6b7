"""`bridge db`: bringing a journal up to date, looking at it, copying it.

Rule: nothing is overwritten; what takes something's place needs `--yes` and keeps the old one.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from bridge.cli.common import COMMON, Common
from bridge.cli.output import say, write_json
from bridge.core.errors import OperatorError

if TYPE_CHECKING:
    from bridge.config import Loaded
    from bridge.journal.sqlite import SqliteFile

db = App(
    name="db", help="The journal: upgrade, check, backup, restore, copy.", help_formatter="plain"
)

Yes = Annotated[bool, Parameter(negative=())]


@db.command
def upgrade(*, common: Common = COMMON) -> None:
    """Bring the journal up to date, or make it.

    On PostgreSQL the release before this one may go on running meanwhile.
    """
    from bridge.journal import migrations
    from bridge.journal.store import open_configured

    open_configured(common.load()).close()
    _told(f"The journal is at revision {migrations.HEAD}.", common, revision=migrations.HEAD)


@db.command
def check(*, common: Common = COMMON) -> int:
    """Look at the journal, every page of a file; change nothing. Exit code 1 for a problem."""
    from bridge.journal import migrations
    from bridge.journal.sqlite import damage_of
    from bridge.journal.store import open_configured

    loaded = common.load()
    open_configured(loaded, exclusive=False).close()
    path = _path(loaded)
    if path is not None and (found := damage_of(path)):
        raise OperatorError(
            "BRG-JOURNAL-DAMAGED",
            f"{path} is damaged: {found}.",
            "Stop the bridge, then put the last backup back: `bridge db restore FILE --yes`.",
        )
    _told(f"The journal is well, at revision {migrations.HEAD}.", common, revision=migrations.HEAD)
    return 0


@db.command
def backup(file: Path, *, common: Common = COMMON) -> None:
    """Copy a journal file as it is now; the bridge may go on running.

    Parameters
    ----------
    file
        The copy to make.
    """
    from bridge.journal import copying

    journal = _file(common.load(), exclusive=False)
    copying.back_up(journal, file)
    _told(f"Copied {journal.path} to {file}.", common, file=str(file))


@db.command
def restore(file: Path, *, yes: Yes = False, common: Common = COMMON) -> None:
    """Put a backup in the place of the journal file; every backend is paused in it.

    The bridge must be stopped. What was journaled after the backup is in the old file, which stays
    beside it, and perhaps in the targets: reconcile before a backend is resumed.

    Parameters
    ----------
    file
        What `bridge db backup` made.
    yes
        Do it.
    """
    from bridge.journal import backends, copying
    from bridge.journal.store import open_configured

    if not yes:
        raise OperatorError(
            "BRG-USAGE", "The backup takes the journal's place.", "Add --yes if you mean it."
        )
    loaded = common.load()
    path = _path(loaded)
    if path is None:
        raise _of_the_server("restored", "pg_restore")
    journal = _file(loaded, exclusive=True)
    try:
        old = copying.put_back(path, file)
    finally:
        journal.close()
    opened = open_configured(loaded)
    try:
        paused = [row.name for row in opened.read_now(backends.every)]
        for name in paused:
            opened.write_now(lambda tx, name=name: backends.pause(tx, name))  # type: ignore[misc]
    finally:
        opened.close()
    _told(f"Restored {path} from {file}.", common, file=str(file), old=old and str(old))
    if not common.json:
        say(f"The journal before is {old}." if old else "There was no journal before.")
        say(f"Paused: {', '.join(paused) or 'no backend'}.")
        say("Next: bridge reconcile BACKEND, then bridge backend resume BACKEND, for each.")


@db.command
def copy(*, to: str, common: Common = COMMON) -> None:
    """Copy the journal file into an empty PostgreSQL database, with all that is still to deliver.

    The bridge must be stopped. Set journal.url to the new address afterwards.

    Parameters
    ----------
    to
        The database: postgresql+psycopg://user@host/database.
    """
    from bridge.journal import copying
    from bridge.journal.store import address_of, open_journal

    loaded = common.load()
    url = address_of(to)
    if url.drivername == "sqlite":
        raise OperatorError(
            "BRG-USAGE", "A journal file is copied by another command.", "bridge db backup FILE"
        )
    journal = _file(loaded, exclusive=True)
    try:
        open_journal(to).close()  # this says what is wrong with it, or with the driver
        from bridge.journal.database import Database

        counts = copying.move(journal, Database(url, pooled=False))
    finally:
        journal.close()
    _told(f"Copied {sum(counts.values())} rows of {journal.path}.", common, rows=counts)
    if not common.json:
        say("Next: set journal.url to the new address, then start the bridge.")


def _told(line: str, common: Common, **values: Any) -> None:
    if common.json:
        write_json(values)
    else:
        say(line)


def _path(loaded: "Loaded") -> Path | None:
    from bridge.journal.store import address_of

    url = address_of(loaded.journal_url)
    return Path(str(url.database)) if url.drivername == "sqlite" else None


def _file(loaded: "Loaded", *, exclusive: bool) -> "SqliteFile":
    from bridge.journal.sqlite import SqliteFile

    path = _path(loaded)
    if path is None:
        raise _of_the_server("copied", "pg_dump --format=custom")
    return SqliteFile(path, exclusive=exclusive)


def _of_the_server(done: str, tool: str) -> OperatorError:
    return OperatorError(
        "BRG-JOURNAL-SERVER",
        f"A journal in PostgreSQL is {done} by PostgreSQL's own tools.",
        f"Use {tool}, or what your provider offers.",
    )
