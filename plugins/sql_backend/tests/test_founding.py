"""The managed schema: made once, migrated in order, whoever else does the same at that moment."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from sqlalchemy import Connection, text

from bridge.plugin import BackendDown, Preparer
from bridge.testing import World
from bridge_sql import connecting, founding
from plugins.sql_backend.tests.harness import SqlHarness


def prepare(target: SqlHarness) -> list[Any]:
    with contextlib.closing(target.open()) as backend:
        assert isinstance(backend, Preparer)
        return list(backend.prepare())


def test_tables_are_made_once(target: SqlHarness) -> None:
    with target.without_tables():
        (first,) = prepare(target)
        (again,) = prepare(target)
    assert "made" in first.message
    assert "already" in again.message
    with contextlib.closing(target.open()) as backend:
        assert all(finding.ok for finding in backend.check())


def test_many_at_once_make_them_once(target: SqlHarness) -> None:
    start = threading.Barrier(4)

    def work(_: int) -> None:
        start.wait()
        prepare(target)

    with target.without_tables(), ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert target.run("SELECT version FROM bridge_schema") in ([(1,)], [[1]])


def test_a_version_leads_to_the_next_one_and_keeps_what_is_there(target: SqlHarness) -> None:
    world = World()
    with target.without_tables(), contextlib.closing(target.open()) as backend:
        backend.execute(backend.plan([world.user("ann")], {}))

    def widen(connection: Connection, schema: str | None) -> None:
        table = f"{schema}.users" if schema else "users"
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN shoe_size INTEGER"))

    with connecting.engine(target.settings).connect() as connection:
        versions = [*founding.VERSIONS, widen]
        said = founding.upgrade(connection, target.settings.schema, versions)
        assert "migrated from version 1" in said
        assert "already" in founding.upgrade(connection, target.settings.schema, versions)
    ((name, size),) = target.run("SELECT user_name, shoe_size FROM users")
    assert (name, size) == ("ann@example.com", None)
    with pytest.raises(BackendDown, match="version 2"):
        prepare(target)
    with target.without_tables():
        prepare(target)


def test_tables_of_another_version_are_not_written_to(target: SqlHarness) -> None:
    prepare(target)
    target.run("UPDATE bridge_schema SET version = 7")
    for create in (True, False):
        target.settings = attrs.evolve(target.settings, create=create)
        with contextlib.closing(target.open()) as backend, pytest.raises(BackendDown):
            backend.execute(backend.plan([World().user("ann")], {}))
    target.run("UPDATE bridge_schema SET version = 1")
