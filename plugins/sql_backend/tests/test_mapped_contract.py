"""The SQL backend keeps the contract on a customer's own tables."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.testing import BackendContract
from plugins.sql_backend.tests.mapped import MappedServer, MappedSqlite, MappedTables
from tests.servers import Server


class TestMappedSqlite(BackendContract):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[MappedTables]:
        with contextlib.closing(MappedSqlite(tmp_path)) as harness:
            yield harness


class TestMappedPostgresql(BackendContract):
    @pytest.fixture
    def harness(self, postgresql: Server) -> Iterator[MappedTables]:
        with contextlib.closing(MappedServer(postgresql, "bridge_mapped")) as harness:
            yield harness


class TestMappedMariadb(BackendContract):
    @pytest.fixture
    def harness(self, mariadb: Server) -> Iterator[MappedTables]:
        with contextlib.closing(MappedServer(mariadb, "bridge_mapped")) as harness:
            yield harness
