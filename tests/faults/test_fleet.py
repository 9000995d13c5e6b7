"""F13 and the rotation: three workers on one PostgreSQL journal, killed and frozen under load.

Killed, in turn: nothing acknowledged is lost, nothing is written that is not journaled, nothing out
of order and nothing old after something new; another worker takes over within lease + 1 s.
Frozen for twice the lease and woken: what it still writes is healed, and the targets end up equal.
The same judgement condemns workers that fence nothing and workers that never heal.

    BRIDGE_FAULT_SECONDS=600   how long workers are killed (60)
    BRIDGE_FAULT_ROUNDS=50     how often a worker is frozen (6)
"""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest
import structlog
from sqlalchemy import bindparam, func, select

from bridge.journal.statements import prepared
from bridge.journal.tables import cursor
from tests.faults.ledger import Journaled, journaled, left_out, lost, recorded, wrong
from tests.faults.victim import Load
from tests.fleet import LEASE_SECONDS, Fleet, eventually, fleet
from tests.journals import Databases

KILL_SECONDS = float(os.environ.get("BRIDGE_FAULT_SECONDS", "60"))
FREEZE_ROUNDS = int(os.environ.get("BRIDGE_FAULT_ROUNDS", "6"))
WORKERS = 3
TAKE_OVER_SECONDS = LEASE_SECONDS + 1
DRAIN_SECONDS = 120.0
SETTLE_SECONDS = 1.5
"""How long a woken worker is given to do what it was about to do."""

BUSY_SECONDS = 1.0
"""What a machine that runs other tests as well may add."""

_OWNED = prepared(select(func.count()).where(cursor.c.owner == bindparam("worker")))
figures = structlog.get_logger("tests.faults").info
pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(int(KILL_SECONDS * 2 + FREEZE_ROUNDS * 20) + 600),
]


def owned(found: Fleet, worker: "subprocess.Popen[bytes]") -> int:
    """How many deliveries are a worker's own, for good or until its leases end."""
    name = f"{socket.gethostname()}:{worker.pid}"
    (count,) = found.journal.read_now(lambda reader: reader.row(_OWNED, worker=name)) or (0,)
    return int(count)


@contextmanager
def at_work(directory: Path, databases: Databases, mutation: str = "none") -> Iterator[Fleet]:
    """A fleet of one process that serves and WORKERS that deliver."""
    with databases.passing(), fleet(directory, databases.new()) as found:
        found.port = found.serve("--no-worker")
        found.workers = [found.start("worker", mutation=mutation) for _ in range(WORKERS)]
        eventually(lambda: len(found.lag()) == 2)
        yield found


def kill_in_rotation(
    found: Fleet, load: Load, seconds: float, mutation: str = "none"
) -> list[float]:
    """Kill one worker after the other, each at a moment of chance.

    Return for each how long it took until others had taken over all that it had.
    """
    chance, taken_over, ends = random.Random(2026), list[float](), time.monotonic() + seconds
    with load.running():
        while time.monotonic() < ends:
            time.sleep(chance.uniform(0.5, 2.0))
            place = len(taken_over) % WORKERS
            victim = found.workers[place]
            victim.kill()
            killed = time.monotonic()
            victim.wait()
            found.workers[place] = found.start("worker", mutation=mutation)
            eventually(lambda gone=victim: not owned(found, gone))  # type: ignore[misc]
            taken_over.append(time.monotonic() - killed)
    return taken_over


def judge(found: Fleet, load: Load, drain_seconds: float = DRAIN_SECONDS) -> list[str]:
    """Let the fleet come to rest and return everything that went wrong, as sentences."""
    try:
        eventually(found.drained, drain_seconds)
        rest = []
    except AssertionError:
        rest = [f"it does not come to rest: {found.lag()}"]
    journal = journaled(found.url)
    recorder, mirror = (recorded(found.directory, name) for name in ("recorder", "mirror"))
    return [
        *rest,
        *load.refused,
        *lost(load.acknowledged, journal),
        *(f"recorder: {problem}" for problem in wrong(recorder, journal)),
        *(f"recorder: {problem}" for problem in left_out(recorder, journal)),
        *(f"mirror: {problem}" for problem in wrong(mirror, journal)),
    ]


def test_workers_killed_in_rotation_lose_nothing(tmp_path: Path, databases: Databases) -> None:
    with at_work(tmp_path, databases) as found:
        load = Load(found, clients=2, users=6)
        taken_over = kill_in_rotation(found, load, KILL_SECONDS)
        assert judge(found, load) == []
        figures(
            f"{len(taken_over)} kills, {len(load.acknowledged)} acknowledged, "
            f"{load.unanswered} unanswered, taken over after {median(taken_over):.1f} s "
            f"(most {max(taken_over):.1f} s)"
        )
        assert len(load.acknowledged) > len(taken_over) * 4
        assert max(taken_over) <= TAKE_OVER_SECONDS + BUSY_SECONDS


def test_a_worker_that_fences_nothing_is_condemned(tmp_path: Path, databases: Databases) -> None:
    with at_work(tmp_path, databases, "no-lease") as found:
        load = Load(found, clients=4, users=6)
        kill_in_rotation(found, load, 8, "no-lease")
        problems = judge(found, load, drain_seconds=10)
        figures(f"no-lease: {len(problems)} problems, such as {problems[:2]}")
        assert [problem for problem in problems if "written" in problem]


def unequal(found: Fleet, journal: Journaled) -> list[str]:
    """Say in which target somebody is not as the journal wants."""
    problems = []
    for name in ("recorder", "mirror"):
        last: Mapping[str, str | None] = {
            line.id: line.token for line in recorded(found.directory, name)
        }
        problems += [
            f"{name}: {id_} holds {last.get(id_)} and not {tokens[-1]}"
            for id_, tokens in journal.items()
            if last.get(id_) != tokens[-1]
        ]
    return problems


def freeze(found: Fleet, number: int) -> list[str]:
    """Freeze a worker at work for twice its lease, as a hypervisor does that moves a machine.

    Nothing is written any more when it wakes: what it does then is the last that is done. Return
    what is wrong in the end.
    """
    load = Load(found, clients=4, users=6)
    worker = found.workers[number % WORKERS]
    with load.running():
        time.sleep(1.0)
        worker.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        time.sleep(1.0)
    time.sleep(max(0.0, stopped + LEASE_SECONDS * 2 - time.monotonic()))
    eventually(lambda: not owned(found, worker), DRAIN_SECONDS)
    eventually(found.drained, DRAIN_SECONDS)
    worker.send_signal(signal.SIGCONT)
    time.sleep(SETTLE_SECONDS)
    eventually(found.drained, DRAIN_SECONDS)
    journal = journaled(found.url)
    return [*load.refused, *lost(load.acknowledged, journal), *unequal(found, journal)]


def test_F13_a_frozen_worker_leaves_the_targets_equal(tmp_path: Path, databases: Databases) -> None:
    with at_work(tmp_path, databases) as found:
        for number in range(FREEZE_ROUNDS):
            assert freeze(found, number) == [], f"round {number}"


def test_F13_a_worker_that_never_heals_is_condemned(tmp_path: Path, databases: Databases) -> None:
    with at_work(tmp_path, databases, "never-heals") as found:
        rounds = (freeze(found, number) for number in range(10))
        assert any(rounds), "what a late write left behind is never seen"
