"""The managed schema: which version of it is there, and the way to the newest.

    bridge_schema     one row: the version of the managed tables

A version is a function that leads to it from the one before. Each is one transaction where the
database can do that for tables; elsewhere (MariaDB) a version that was cut off is done again, so it
must bear that.

Rule: tables are made and altered here and nowhere else, and mapped ones never get here.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Column, Connection, Integer, MetaData, Table, inspect, select, text
from sqlalchemy.exc import DBAPIError

from bridge.plugin import BackendDown
from bridge_sql.tables import managed

VERSION_TABLE = "bridge_schema"

LOCK_SECONDS = 5
"""How long one waits for another that makes the tables at this moment."""

Version = Callable[[Connection, str | None], None]


def _initial(connection: Connection, schema: str | None) -> None:
    managed(schema).create_all(connection)


VERSIONS: Sequence[Version] = (_initial,)
"""What leads to version 1, 2 and so on."""


def upgrade(
    connection: Connection, schema: str | None, versions: Sequence[Version] = VERSIONS
) -> str:
    """Lead the managed tables to the newest version and say what was done.

    Raises BackendDown where they are of a newer one than this bridge knows.
    """
    began = _version(connection, schema)
    newest = len(versions)
    if began > newest:
        raise BackendDown(
            f"the tables are of version {began} and this bridge knows {newest}; upgrade the bridge"
        )
    for number in range(began, newest):
        try:
            with _alone(connection):
                if _version(connection, schema) == number:
                    _lead(connection, schema, versions[number], number)
        except DBAPIError:
            # Another slot was faster; if it was not that, the version is still the old one.
            connection.rollback()
            if _version(connection, schema) <= number:
                raise
    if began == newest:
        return f"The tables are of version {newest} already."
    verb = "made" if began == 0 else f"migrated from version {began}"
    return f"The tables are {verb}; they are of version {newest}."


def require(connection: Connection, schema: str | None, *, create: bool) -> None:
    """Return when the managed tables are of the newest version; with `create` lead them there.

    Raises BackendDown where they are not and may not be made.
    """
    if create:
        upgrade(connection, schema)
    elif (version := _version(connection, schema)) != len(VERSIONS):
        raise BackendDown(
            f"the tables are of version {version} and should be of {len(VERSIONS)}; "
            "run `bridge backend init`"
        )


def _lead(connection: Connection, schema: str | None, version: Version, number: int) -> None:
    table = _table(schema)
    with connection.begin():
        table.create(connection, checkfirst=True)
        version(connection, schema)
        connection.execute(table.delete())
        connection.execute(table.insert().values(version=number + 1))


@contextlib.contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep others from the tables where the database cannot make them in a transaction."""
    if connection.dialect.name not in ("mysql", "mariadb"):
        yield
        return
    lock = {"name": VERSION_TABLE, "seconds": LOCK_SECONDS}
    connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), lock)
    try:
        connection.rollback()
        yield
    finally:
        connection.execute(text("SELECT RELEASE_LOCK(:name)"), lock)
        connection.rollback()


def _version(connection: Connection, schema: str | None) -> int:
    """Return the version that is there, 0 for none."""
    there = inspect(connection).has_table(VERSION_TABLE, schema)
    row = connection.execute(select(_table(schema).c.version)).first() if there else None
    connection.rollback()
    return row.version if row else 0


def _table(schema: str | None) -> Table:
    return Table(
        VERSION_TABLE,
        MetaData(schema=schema),
        Column("version", Integer, primary_key=True, autoincrement=False),
        mysql_engine="InnoDB",
    )
