"""Journals for tests: the same test on an embedded journal and on one in PostgreSQL.

Rule: every journal is new and of its test's own; a database that was made is dropped.
"""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs
import pytest

from bridge.journal.store import open_journal
from tests import servers
from tests.servers import Server

KINDS = ("sqlite", "postgresql")


@attrs.define
class Databases:
    """Databases on a server, copied from one whose tables are made already."""

    server: Server
    template: str = ""
    made: list[str] = attrs.field(factory=list)

    def new(self) -> str:
        """Return the address of a new, empty journal."""
        return self._address(self._create(self._template()))

    def blank(self) -> str:
        """Return the address of a database that holds nothing at all."""
        return self._address(self._create("template0"))

    def drop(self, count: int = 0) -> None:
        """Drop all databases but the first `count`."""
        with closing(servers.connect(self.server.url)) as connection:
            while len(self.made) > count:
                connection.execute(f'DROP DATABASE IF EXISTS "{self.made.pop()}" WITH (FORCE)')

    @contextmanager
    def passing(self) -> Iterator["Databases"]:
        """Drop at the end what is made meanwhile."""
        self._template()
        count = len(self.made)
        try:
            yield self
        finally:
            self.drop(count)

    def _template(self) -> str:
        if not self.template:
            self.template = self._create("template0")
            open_journal(self._address(self.template)).close()
        return self.template

    def _create(self, template: str) -> str:
        name = f"bridge_test_{uuid.uuid4().hex}"
        with closing(servers.connect(self.server.url)) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self.made.append(name)
        return name

    def _address(self, database: str) -> str:
        return self.server.url.set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """The session's PostgreSQL: the one of the environment, else a local daemon."""
    try:
        with servers.postgresql() as server:
            yield server
    except servers.Unavailable as why:
        servers.missing("postgresql", str(why))


@pytest.fixture(scope="session")
def databases(postgresql_server: Server) -> Iterator[Databases]:
    """Databases of this session."""
    found = Databases(postgresql_server)
    try:
        yield found
    finally:
        found.drop()


@pytest.fixture(scope="module", params=KINDS)
def shared_journal_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a new journal that the tests of a module share, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('journal')}/journal.sqlite3"
        return
    databases: Databases = request.getfixturevalue("databases")
    with databases.passing():
        yield databases.new()


@pytest.fixture(params=KINDS)
def journal_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a new journal, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/journal.sqlite3"
        return
    databases: Databases = request.getfixturevalue("databases")
    with databases.passing():
        yield databases.new()
