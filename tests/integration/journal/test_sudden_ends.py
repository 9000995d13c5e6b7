"""Real processes that end suddenly, and a disk that is full.

Proven: kill -9 at any instant loses nothing that was acknowledged and leaves no half of a unit;
a lock ends with its process; a refused write is refused whole, and the journal goes on after it.
"""

import os
import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bridge.core.errors import OperatorError
from bridge.core.schema import GROUP, USER
from bridge.journal.store import Journal, open_journal
from tests.unit.journal import scene

ROOT = Path(__file__).parents[3]
WRITER = ROOT / "tests/integration/journal/writer.py"
KILLS = 8
LIMIT_BYTES = 1_000_000

Acknowledged = dict[str, int]


def start(path: Path, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, WRITER, path, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def read(output: bytes) -> Acknowledged:
    """Users that were acknowledged, with the group's version; a torn last line does not count."""
    lines = output.decode().split("\n")[:-1]
    return {id_: int(version) for id_, version in (line.split() for line in lines)}


def check(journal: Journal, acknowledged: Acknowledged) -> None:
    """Everything acknowledged is there, and everything there is whole."""
    users = {row["id"] for row in scene.rows(journal, "resource") if row["type"] == "User"}
    assert acknowledged.keys() <= users
    assert set(scene.member_ids(journal, "all")) == users, "user and membership are one unit"
    line = scene.changes(journal, "all")
    assert [change.version for change in line] == list(range(1, len(line) + 1))
    assert scene.get(journal, GROUP, "all").version == len(line) == len(users) + 1
    came = {m.id: change.version for change in line for m in change.members.added}
    assert acknowledged.items() <= came.items()
    assert {row["entity"] for row in scene.rows(journal, "change")} == users | {"all"}


@pytest.mark.slow
def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    path, acknowledged, moments = tmp_path / "journal", Acknowledged(), random.Random(2026)
    for turn in range(KILLS):
        writer = start(path, turn * 1_000_000)
        assert writer.stdout
        first = writer.stdout.readline()
        time.sleep(moments.uniform(0, 0.4))
        writer.kill()
        rest, errors = writer.communicate(timeout=30)
        assert errors == b""
        acknowledged |= read(first + rest)
    assert len(acknowledged) > 10 * KILLS
    with closing(open_journal(f"sqlite:///{path}")) as journal:
        check(journal, acknowledged)


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = start(path, 0)
    assert writer.stdout
    writer.stdout.readline()
    try:
        with pytest.raises(OperatorError, match=f"in use by another process \\({writer.pid}\\)"):
            open_journal(f"sqlite:///{path}")
    finally:
        writer.kill()
        writer.communicate()
    open_journal(f"sqlite:///{path}").close()


def test_a_full_disk_refuses_whole_units_and_the_journal_goes_on_after(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    full = start(path, 0, LIMIT_BYTES)
    output, errors = full.communicate(timeout=60)
    assert full.returncode == 0, "refused, not broken"
    assert b"nothing was written" in errors
    acknowledged = read(output)
    assert len(acknowledged) > 10
    with closing(open_journal(f"sqlite:///{path}")) as journal:
        check(journal, acknowledged)
        scene.user(journal, "after")
        assert scene.get(journal, USER, "after").version == 1
