"""Faults of a database and of those who write to it: a worker killed, a poisoned change.

Rule: what a dead process has done is done once; what one change breaks, no other one pays for.
"""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bridge.engine.inbox import TOGETHER
from bridge.plugin import ChangeRecord, NotApplied, Park, Plan, Receipt
from bridge.testing import World
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


def test_F20_one_poisoned_change_costs_the_others_nothing(tmp_path: Path) -> None:
    costs: dict[bool, list[float]] = {True: [], False: []}
    for number in range(5):
        for poisoned in (True, False):
            folder = tmp_path / f"{number}-{poisoned}"
            folder.mkdir()
            given = changes(MANY // 2 if poisoned else None, MANY)[:MANY]
            parked, cost = delivered(folder, given)
            costs[poisoned].append(cost)
            assert len(parked) == int(poisoned)
            assert len(content(folder)) == 2 * (MANY - len(parked))
    assert min(costs[True]) <= 1.05 * min(costs[False])  # the least is the least disturbed


def delivered(folder: Path, given: Sequence[ChangeRecord]) -> tuple[list[Park], float]:
    """Deliver and return what was parked, and the seconds of CPU that it all took."""
    parked: list[Park] = []
    with contextlib.closing(SqlBackend(settings(str(folder)))) as backend:
        backend.prepare()
        began = time.process_time()
        for plans in planned(backend, given):
            outcomes = backend.execute_many(plans)
            assert len(outcomes) == len(plans)
            parked += [one for one in outcomes if isinstance(one, Park)]
            assert all(isinstance(one, Receipt | Park) for one in outcomes)
        return parked, time.process_time() - began
