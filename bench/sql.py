"""What the SQL backend adds to its driver: the same rows, written by hand and by plans.

    python -m bench.sql [--people 2000]

The floor is what a person would write for these tables: from the same changes, values by hand, the
driver's `executemany`, batches of the same size with one commit each. Ours is plan and
execute_many; beside it, plan and execute for one change at a time. All run alternately on one
database, started for it; SQLite is a file.

Rule: every figure stands beside its floor of the same run.
"""

import argparse
import contextlib
import gc
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy.engine import URL

from bridge.engine.inbox import TOGETHER
from bridge.plugin import ChangeRecord, Plan
from bridge.testing import World
from bridge_sql.plugin import SqlBackend
from bridge_sql.settings import Settings
from tests import servers

ROUNDS = 5
MUST = 0.7
SCHEMA = "bridge_bench"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

INSERT_APPLIED = "INSERT INTO applied (organization, resource, version) VALUES (?, ?, ?)"
INSERT_USER = (
    "INSERT INTO users (organization, id, version, user_name, external_id, display_name, "
    "given_name, family_name, email, phone_number, title, department, employee_number, manager, "
    "active, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UPDATE_APPLIED = (
    "UPDATE applied SET version = ? WHERE organization = ? AND resource = ? AND version = ?"
)
UPDATE_USER = (
    "UPDATE users SET version = ?, title = ?, document = ? WHERE organization = ? AND id = ?"
)

Batches = Sequence[Sequence[ChangeRecord]]


def person(change: ChangeRecord) -> tuple[Any, ...]:
    """Return a row of `users`, as a person would write it for these documents."""
    document: Mapping[str, Any] = change.after or {}
    name, work = document.get("name", {}), document.get(ENTERPRISE, {})
    mails, phones = document.get("emails") or [{}], document.get("phoneNumbers") or [{}]
    return (
        change.entity.organization,
        change.entity.id,
        change.version,
        document.get("userName"),
        document.get("externalId"),
        document.get("displayName"),
        name.get("givenName"),
        name.get("familyName"),
        next((m for m in mails if m.get("primary")), mails[0]).get("value"),
        next((p for p in phones if p.get("primary")), phones[0]).get("value"),
        document.get("title"),
        work.get("department"),
        work.get("employeeNumber"),
        work.get("manager", {}).get("value"),
        document.get("active", True),
        text(document),
    )


def text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class Floor:
    """The driver's own cursor."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._embedded = isinstance(connection, sqlite3.Connection)

    def add(self, changes: Sequence[ChangeRecord]) -> None:
        rows = [person(change) for change in changes]
        with self._transaction() as many:
            many(INSERT_APPLIED, [row[:3] for row in rows])
            many(INSERT_USER, rows)

    def modify(self, changes: Sequence[ChangeRecord]) -> None:
        keys = [
            (change.entity.organization, change.entity.id, change.version) for change in changes
        ]
        said = [(change.after or {}) for change in changes]
        with self._transaction() as many:
            many(UPDATE_APPLIED, [(version, *key, version - 1) for *key, version in keys])
            many(
                UPDATE_USER,
                [
                    (version, document.get("title"), text(document), *key)
                    for document, (*key, version) in zip(said, keys, strict=True)
                ],
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[[str, Sequence[Any]], None]]:
        cursor = self._connection.cursor()
        if self._embedded:
            cursor.execute("BEGIN IMMEDIATE")
        mark = "?" if self._embedded else "%s"
        yield lambda sql, rows: cursor.executemany(sql.replace("?", mark), rows)
        self._connection.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=2000, help="people in each round")
    people = parser.parse_args().people
    print(
        f"{'':24}{'by hand /s':>12}{'together /s':>13}{'ratio':>7} (must {MUST})"
        f"{'one by one /s':>16}{'plan us':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", *on_sqlite(Path(folder)), people)
    try:
        with servers.postgresql() as server:
            measure("PostgreSQL", *on_postgresql(server.url), people)
    except servers.Unavailable as why:
        print(f"PostgreSQL: {why}")


def on_sqlite(folder: Path) -> tuple[SqlBackend, Floor]:
    backend = SqlBackend(Settings(url=f"sqlite:///{folder}/people.db"))
    backend.prepare()
    return backend, Floor(sqlite3.connect(folder / "people.db", isolation_level=None))


def on_postgresql(url: URL) -> tuple[SqlBackend, Floor]:
    connection = servers.connect(url)
    for statement in (
        f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE",
        f"CREATE SCHEMA {SCHEMA}",
        f"SET search_path TO {SCHEMA}",
    ):
        connection.execute(statement)
    connection.autocommit = False
    backend = SqlBackend(Settings(url=str(url.set(password=None)), schema=SCHEMA))
    backend.prepare()
    return backend, Floor(connection)


def measure(name: str, backend: SqlBackend, floor: Floor, people: int) -> None:
    """Print the rates of additions and modifications, the median of the rounds."""
    seen: dict[tuple[str, str], list[float]] = {}
    for number in range(ROUNDS):
        for who in ("hand", "ours", "one"):
            world = World(f"{who}-{number}")
            handles = [f"user-{n}" for n in range(people)]
            for verb, changes in (
                ("add", [world.user(handle) for handle in handles]),
                ("modify", [world.update(handle, title="Lead") for handle in handles]),
            ):
                batches = [changes[at : at + TOGETHER] for at in range(0, people, TOGETHER)]
                by_hand = getattr(floor, verb)
                turn: dict[str, Callable[[Any], Any]] = {
                    "hand": by_hand,
                    "ours": lambda batch: together(backend, batch),
                    "one": lambda batch: singly(backend, batch),
                }
                seen.setdefault((verb, who), []).append(timed(turn[who], batches))
                if who == "ours":
                    plans = timed(lambda batch: planned(backend, batch), batches)
                    seen.setdefault((verb, "plan"), []).append(plans)
    for verb in ("add", "modify"):
        hand, ours, one, plan = (median(seen[verb, who]) for who in ("hand", "ours", "one", "plan"))
        print(
            f"{name}: {verb}".ljust(24)
            + f"{people / hand:12,.0f}{people / ours:13,.0f}{hand / ours:7.2f}{'':11}"
            + f"{people / one:16,.0f}{1e6 * plan / people:10.1f}"
        )
    backend.close()


def timed(turn: Callable[[Sequence[ChangeRecord]], object], batches: Batches) -> float:
    gc.collect()
    started = time.perf_counter()
    for batch in batches:
        turn(batch)
    return time.perf_counter() - started


def together(backend: SqlBackend, batch: Sequence[ChangeRecord]) -> None:
    outcomes = backend.execute_many(planned(backend, batch))
    if len(outcomes) != len(batch) or any(isinstance(one, Exception) for one in outcomes):
        raise SystemExit(f"not applied: {outcomes}")


def singly(backend: SqlBackend, batch: Sequence[ChangeRecord]) -> None:
    for change in batch:
        backend.execute(backend.plan([change], {}))


def planned(backend: SqlBackend, batch: Sequence[ChangeRecord]) -> list[Plan]:
    return [backend.plan([change], {}) for change in batch]


if __name__ == "__main__":
    main()
