"""The databases that the SQL backend's tests ask for; one server of each kind for all of them."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from plugins.sql_backend.tests.harness import ServerHarness, SqlHarness, SqliteHarness
from tests import servers
from tests.servers import Server

KINDS = ("sqlite", "postgresql", "mariadb")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    yield from served("postgresql", servers.postgresql)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    yield from served("mariadb", servers.mariadb)


def served(name: str, launch: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    try:
        with launch() as server:
            yield server
    except servers.Unavailable as why:
        servers.missing(name, str(why))


@pytest.fixture
def sqlite_target(tmp_path: Path) -> Iterator[SqlHarness]:
    with contextlib.closing(SqliteHarness(tmp_path)) as harness:
        yield harness


@pytest.fixture
def postgresql_target(postgresql: Server) -> Iterator[SqlHarness]:
    with contextlib.closing(ServerHarness(postgresql, "bridge_tests")) as harness:
        yield harness


@pytest.fixture
def mariadb_target(mariadb: Server) -> Iterator[SqlHarness]:
    with contextlib.closing(ServerHarness(mariadb, "bridge_tests")) as harness:
        yield harness


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest) -> SqlHarness:
    """Each kind of database in turn."""
    harness: SqlHarness = request.getfixturevalue(f"{request.param}_target")
    return harness
