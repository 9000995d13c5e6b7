"""The SQL backend keeps the contract on real databases, read with their plain drivers."""

import pytest

from bridge.testing import BackendContract
from plugins.sql_backend.tests.harness import SqlHarness


class TestSqlite(BackendContract):
    @pytest.fixture
    def harness(self, sqlite_target: SqlHarness) -> SqlHarness:
        return sqlite_target


class TestPostgresql(BackendContract):
    @pytest.fixture
    def harness(self, postgresql_target: SqlHarness) -> SqlHarness:
        postgresql_target.very_big_group = 100_000
        return postgresql_target


class TestMariadb(BackendContract):
    @pytest.fixture
    def harness(self, mariadb_target: SqlHarness) -> SqlHarness:
        return mariadb_target
