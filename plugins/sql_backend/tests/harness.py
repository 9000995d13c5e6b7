"""Targets for the SQL backend's tests: a SQLite file, or a schema of a shared server.

Rule: what a target holds is read with its plain driver, never with SQLAlchemy.
"""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import attrs

from bridge.plugin import Access, AccessState, Backend, Level, Secret
from bridge.testing import BackendHarness, FaultProxy, Held, Person, Place, Team
from bridge_sql.plugin import bridge_backend_types
from bridge_sql.settings import Settings
from tests.servers import Server, connect

TABLES = (
    *("users", "groups", "members", "workspaces", "workspace_members", "folders", "folder_access"),
    *("applied", "bridge_schema"),
)

CANARY = "correct-horse-battery-staple"


class SqlHarness(BackendHarness):
    """Reads and disturbs the managed tables through one connection of the plain driver."""

    type = bridge_backend_types()[0]
    takes_access = True
    very_big_group = 20_000  # PostgreSQL is given more
    settings: Settings
    plain: Any

    def open(self) -> Backend:
        return self.type.open(self.settings)

    def held(self, organization: str) -> Held:
        if not self.has_tables():
            return {}
        columns = "id, user_name, given_name, family_name, email, active"
        held: dict[str, Person | Team | Place] = {
            key: Person(user, given, family, email, bool(active))
            for key, user, given, family, email, active in self.rows("users", columns, organization)
        }
        members: dict[str, set[str]] = {}
        for group, member in self.rows("members", "group_id, member_id", organization):
            members.setdefault(group, set()).add(member)
        for group, name in self.rows("groups", "id, display_name", organization):
            held[group] = Team(name, frozenset(members.pop(group, ())))
        assert not members, "members of groups that are not there"
        return held | self.places(organization)

    def places(self, organization: str) -> dict[str, Place]:
        held: dict[str, Place] = {}
        for table, joined, owner in (
            ("workspaces", "workspace_members", "workspace_id"),
            ("folders", "folder_access", "folder_id"),
        ):
            access: dict[str, set[Access]] = {}
            for key, user, level, state in self.rows(
                joined, f"{owner}, user_id, level, state", organization
            ):
                one = Access(user, Level(level), AccessState(state))
                access.setdefault(key, set()).add(one)
            for key, name in self.rows(table, "id, display_name", organization):
                held[key] = Place(name, frozenset(access.pop(key, ())))
            assert not access, "access to places that are not there"
        return held

    def vanish(self, resource_id: str) -> None:
        self.run(f"DELETE FROM users WHERE id = '{resource_id}'")
        self.run(f"DELETE FROM members WHERE group_id = '{resource_id}'")
        self.run(f"DELETE FROM groups WHERE id = '{resource_id}'")

    def spoil(self, resource_id: str) -> None:
        self.run(f"UPDATE users SET email = 'else@example.com' WHERE id = '{resource_id}'")
        self.run(f"UPDATE groups SET display_name = 'else' WHERE id = '{resource_id}'")
        if self.run(f"SELECT 1 FROM members WHERE group_id = '{resource_id}'"):
            self.run(f"DELETE FROM members WHERE group_id = '{resource_id}'")
            self.run(f"INSERT INTO members VALUES ('acme', '{resource_id}', 'nobody', 'User')")

    def plant(self, user_name: str) -> None:
        columns = "organization, id, version, user_name, document"
        document = json.dumps({"userName": user_name})
        self.run(
            f"INSERT INTO users ({columns}) VALUES ('acme', 'x', 1, '{user_name}', '{document}')"
        )

    def rows(self, table: str, columns: str, organization: str) -> list[Any]:
        return self.run(f"SELECT {columns} FROM {table} WHERE organization = '{organization}'")

    def run(self, sql: str) -> list[Any]:
        with contextlib.closing(self.plain.cursor()) as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else []

    @property
    def kind(self) -> str:
        """One of sqlite, postgresql, mariadb."""
        raise NotImplementedError

    def has_tables(self) -> bool:
        raise NotImplementedError

    @contextlib.contextmanager
    def without_tables(self) -> Iterator[None]:
        """Take the tables away; whoever needs them afterwards makes them."""
        for table in TABLES if self.has_tables() else ():
            self.run(f"DROP TABLE {table}")
        yield

    def locked(self, table: str) -> AbstractContextManager[None]:
        """While entered, somebody else has the table for himself."""
        raise NotImplementedError

    def close(self) -> None:
        self.plain.close()


class SqliteHarness(SqlHarness):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.settings = Settings(url=f"sqlite:///{folder}/people.db", timeout_seconds=2)
        self.plain = sqlite3.connect(folder / "people.db", isolation_level=None)

    def unreachable(self) -> Backend:
        return self.type.open(Settings(url=f"sqlite:///{self.folder}/nowhere/people.db"))

    def has_tables(self) -> bool:
        return bool(self.run("SELECT name FROM sqlite_master WHERE name = 'users'"))

    @property
    def kind(self) -> str:
        return "sqlite"

    def stalled(self) -> AbstractContextManager[None]:
        return self.locked("users")

    @contextlib.contextmanager
    def locked(self, table: str) -> Iterator[None]:  # noqa: ARG002 - a file has one lock
        self.run("BEGIN EXCLUSIVE")
        yield
        self.run("ROLLBACK")


class ServerHarness(SqlHarness):
    """A schema (PostgreSQL) or database (MariaDB) of its own on a shared server, emptied."""

    def __init__(self, server: Server, name: str) -> None:
        super().__init__()
        self.server = server
        self.name = name
        self.plain = connect(server.url)
        self.run(f"CREATE SCHEMA IF NOT EXISTS {name}")
        self.enter = f"SET search_path TO {name}" if self.on_postgresql else f"USE {name}"
        self.run(self.enter)
        for table in TABLES if self.has_tables() else ():
            self.run(f"DELETE FROM {table}")
        self.database = str(server.url.database) if self.on_postgresql else name
        # Where PostgreSQL trusts everybody, any password will do to see that it is never shown.
        password = server.url.password or (CANARY if self.on_postgresql else None)
        self.secrets = (password,) if password else ()
        self.settings = Settings(
            url=str(server.url.set(database=self.database, password=None)),
            password=Secret(password) if password else None,
            schema=name if self.on_postgresql else None,
            timeout_seconds=2,
        )

    @property
    def on_postgresql(self) -> bool:
        return self.server.url.get_backend_name() == "postgresql"

    def unreachable(self) -> Backend:
        nowhere = self.server.url.set(port=1, password=None)
        return self.type.open(attrs.evolve(self.settings, url=str(nowhere)))

    def has_tables(self) -> bool:
        tables = "information_schema.tables WHERE table_name = 'users'"
        return bool(self.run(f"SELECT 1 FROM {tables} AND table_schema = '{self.name}'"))

    @property
    def kind(self) -> str:
        return "postgresql" if self.on_postgresql else "mariadb"

    @contextlib.contextmanager
    def forgetful(self) -> Iterator[Backend]:
        url = self.server.url
        with FaultProxy(
            url.host or "127.0.0.1", url.port or (5432 if self.on_postgresql else 3306)
        ) as proxy:
            far = url.set(host="127.0.0.1", port=proxy.port, database=self.database, password=None)
            backend = self.type.open(attrs.evolve(self.settings, url=str(far)))
            backend.check()  # so that it is connected
            proxy.lose_answers()
            yield backend

    def stalled(self) -> AbstractContextManager[None]:
        return self.server.paused()

    @contextlib.contextmanager
    def locked(self, table: str) -> Iterator[None]:
        if self.on_postgresql:
            self.run("BEGIN")
            self.run(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        else:
            self.run(f"LOCK TABLES {table} WRITE")
        yield
        self.run("COMMIT" if self.on_postgresql else "UNLOCK TABLES")

    def kill_other_sessions(self) -> None:
        """End every session but our own."""
        if self.on_postgresql:
            mine = "pid <> pg_backend_pid() AND backend_type = 'client backend'"
            self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
            return
        mine = "id <> connection_id() AND command <> 'Daemon' AND user = 'root'"
        for (number,) in self.run(f"SELECT id FROM information_schema.processlist WHERE {mine}"):
            self.run(f"KILL {number}")

    def wait_for_a_waiting_session(self) -> None:
        """Return when some session waits for a lock."""
        query = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            if self.on_postgresql
            else "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        )
        ends = time.monotonic() + 5
        while not self.run(query):
            assert time.monotonic() < ends, "nobody waits"
            time.sleep(0.15)  # MariaDB shows what it knew a tenth of a second ago
