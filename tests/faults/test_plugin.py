"""F31: a plugin that raises, exits, hangs, computes without end or leaks is alone with that.

SCIM answers, a second backend gets everything, the rogue's own circuit opens, its changes say why
they wait, and the process ends when it is told to. The same judgement condemns a bridge that
delivers one at a time, one that never gives a thread up, and one that lets a plugin's exit through.

Out of reach of a thread: `os._exit`, crashes and locks of C code, and memory without end.
"""

import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.integration.running import Bridge, quickstart

pytestmark = pytest.mark.timeout(300)

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
USERS = 12
ANSWER_SECONDS = 10.0
"""Longest wait for one SCIM answer, on a machine that has other things to do."""

PATIENCE_SECONDS = 40.0

OPENS = ("hangs", "computes without end", "exits when opened", "raises", "exits")
"""Moods that open the circuit."""

TELLS = {"raises": "ValueError", "exits": "SystemExit"}
"""Moods that a change's delivery names."""


def configuration(folder: Path, mood: str) -> str:
    plugins = folder / "own"
    plugins.mkdir(mode=0o755, parents=True)
    shutil.copy(Path(__file__).with_name("rogue.py"), plugins / "rogue.py")
    (plugins / "rogue.py").chmod(0o644)
    return (
        f'\n[[backends]]\ntype = "rogue"\nname = "rogue"\nslots = 2\nlease_seconds = 3\n'
        f'mood = "{mood}"\n\n[plugins]\ndirectory = "{plugins}"\n'
    )


def judge(bridge: Bridge, mood: str) -> list[str]:
    """Put users in and return everything that went wrong, as sentences."""
    problems = []
    with httpx.Client(headers={"Authorization": f"Bearer {bridge.token}"}, timeout=60) as client:
        for number in range(USERS):
            started = time.monotonic()
            body = {"schemas": [USER], "userName": f"user-{number}@example.com"}
            answer = client.post(f"{bridge.scim_url}/Users", json=body)
            if answer.status_code != 201 or time.monotonic() - started > ANSWER_SECONDS:
                problems.append(f"SCIM answers late or wrongly: {answer.status_code} {answer.text}")
    if not eventually(lambda: mirrored(bridge) == USERS):
        problems.append(f"the second backend has {mirrored(bridge)} of {USERS}")
    if mood in OPENS and not eventually(lambda: bridge.figure("bridge_circuit_open") == 1):
        problems.append("the rogue's circuit does not open")
    if mood in TELLS and not eventually(lambda: TELLS[mood] in told(bridge)):
        problems.append(f"nobody is told of the {TELLS[mood]}")
    if "nobody's business" in told(bridge):
        problems.append("the text of a foreign error is shown")
    return problems


def told(bridge: Bridge) -> str:
    return bridge.command("deliveries", "list", "--json")


def mirrored(bridge: Bridge) -> int:
    with closing(sqlite3.connect(bridge.directory / "people.db")) as database:
        try:
            (count,) = database.execute("SELECT count(*) FROM users").fetchone()
        except sqlite3.OperationalError:
            return 0
    return int(count)


def eventually(holds: Callable[[], bool]) -> bool:
    ends = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.faults
@pytest.mark.parametrize("mood", [*OPENS, "leaks"])
def test_F31_a_rogue_plugin_is_alone_with_its_trouble(tmp_path: Path, mood: str) -> None:
    more = configuration(tmp_path, mood)
    with quickstart(tmp_path / "bridge", more=more) as bridge:
        assert judge(bridge, mood) == []
        bridge.process.send_signal(signal.SIGTERM)
        assert bridge.process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.faults
@pytest.mark.parametrize(
    ("mutation", "mood", "problem"),
    [
        ("one-at-a-time", "hangs", "the second backend has"),
        ("never-gives-up", "hangs", "the rogue's circuit does not open"),
        ("never-counts-breaks", "raises", "the rogue's circuit does not open"),
        ("lets-exits-through", "exits", "nobody is told of the SystemExit"),
    ],
)
def test_F31_a_broken_bridge_is_condemned(
    tmp_path: Path, mutation: str, mood: str, problem: str
) -> None:
    more = configuration(tmp_path, mood)
    program = (sys.executable, "-m", "tests.faults.serving", mutation)
    with quickstart(tmp_path / "bridge", more=more, program=program) as bridge:
        assert any(said.startswith(problem) for said in judge(bridge, mood))
