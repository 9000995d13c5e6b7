"""Faults of a database and of those who write to it: a worker killed, a poisoned change.

Rule: what a dead process has done is done once; what one change breaks, no other one pays for.
"""

import contextlib
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.engine.inbox import TOGETHER
from bridge.plugin import ChangeRecord, NotApplied, Park, Plan, Receipt
from bridge.testing import World
from bridge_sql.client import Client
from bridge_sql.plugin import SqlBackend
from bridge_sql.settings import Settings

pytestmark = pytest.mark.faults

PEOPLE = 200
MANY = 10_000

WORKER = """
import sys, time
from tests.faults.test_sql import changes, planned, settings
from bridge_sql.plugin import SqlBackend

backend = SqlBackend(settings(sys.argv[1]))
for plans in planned(backend, changes()):
    backend.execute_many(plans)
print("applied", flush=True)
time.sleep(60)
"""


def settings(folder: str) -> Settings:
    return Settings(url=f"sqlite:///{folder}/people.db")


def changes(poison: int | None = None, count: int = PEOPLE) -> list[ChangeRecord]:
    """People and a group of them; the text of the one who is `poison` cannot be stored."""
    world = World()
    made = [
        world.user(f"user-{n}", displayName="\ud800" if n == poison else f"User {n}")
        for n in range(count)
    ]
    return [*made, world.group("all", "user-1", "user-2")]


def planned(backend: SqlBackend, given: Sequence[ChangeRecord]) -> Iterator[list[Plan]]:
    for at in range(0, len(given), TOGETHER):
        yield [backend.plan([change], {}) for change in given[at : at + TOGETHER]]


def content(folder: Path) -> list[str]:
    """Return every row with its row number: a row that was written anew has another one."""
    with contextlib.closing(sqlite3.connect(folder / "people.db")) as database:
        tables = ("users", "groups", "members", "applied")
        return [
            repr(row)
            for table in tables
            for row in database.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid")
        ]


def test_F02_what_a_killed_worker_has_applied_is_applied_once(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "applied\n"
        worker.send_signal(signal.SIGKILL)
    before = content(tmp_path)
    assert len(before) == 2 * PEOPLE + 4
    with contextlib.closing(SqlBackend(settings(str(tmp_path)))) as backend:
        for plans in planned(backend, changes()):
            outcomes: list[Receipt | NotApplied] = []
            while len(outcomes) < len(plans):
                outcomes += backend.execute_many(plans[len(outcomes) :])
            assert all(isinstance(one, Receipt) and one.already for one in outcomes)
    assert content(tmp_path) == before


def test_F20_one_poisoned_change_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    transact = Client._transact

    def counted(self: Client, session: Any, plans: Sequence[Plan]) -> Any:
        done.append(len(plans))
        return transact(self, session, plans)

    monkeypatch.setattr(Client, "_transact", counted)
    parked: list[NotApplied] = []
    with contextlib.closing(SqlBackend(settings(str(tmp_path)))) as backend:
        for plans in planned(backend, changes(MANY // 2, MANY)[:MANY]):
            outcomes = backend.execute_many(plans)
            assert len(outcomes) == len(plans)
            parked += [one for one in outcomes if isinstance(one, NotApplied)]
    assert [type(one) for one in parked] == [Park]
    assert len(content(tmp_path)) == 2 * (MANY - 1)
    assert sum(done) <= 1.05 * MANY, "more than 5 % was done again"
