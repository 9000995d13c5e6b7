"""Processes that serve and processes that deliver, on one PostgreSQL journal.

Proven: they may start in any order, learn of each other's work at once, and a revoked token or a
paused backend is known to every one of them within a second.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.core.changes import Cause
from bridge.journal import backends, tenants
from tests.faults.recorder import lines
from tests.fleet import Fleet, eventually, fleet
from tests.journals import Databases

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
KNOWN_SECONDS = 1.0
"""How soon every process knows what was decided in another."""


@pytest.fixture
def installed(tmp_path: Path, databases: Databases) -> Iterator[Fleet]:
    """An installation on a database of its own."""
    with databases.passing(), fleet(tmp_path, databases.new()) as found:
        yield found


def delivered(found: Fleet, name: str, backend: str = "recorder") -> bool:
    return any(line.token == name for line in lines(found.directory / f"{backend}.lines"))


def create(found: Fleet, port: int, name: str) -> None:
    with found.client(port) as idp:
        answer = idp.post("/Users", json={"schemas": [USER], "userName": name, "title": name})
        assert answer.status_code == 201, answer.text


@pytest.mark.slow
def test_processes_start_in_any_order_and_share_the_work(installed: Fleet) -> None:
    installed.start("worker", "--backends", "recorder")
    one = installed.serve("--no-worker")
    create(installed, one, "ann")
    eventually(lambda: delivered(installed, "ann"))
    assert not delivered(installed, "ann", "mirror"), "nobody delivers to it yet"
    other = installed.serve("--no-worker")
    create(installed, other, "bob")
    installed.start("worker", "--backends", "mirror")
    for backend in ("recorder", "mirror"):
        eventually(lambda b=backend: delivered(installed, "bob", b))  # type: ignore[misc]
    eventually(installed.drained)
    with installed.client(one) as idp:
        clash = idp.post("/Users", json={"schemas": [USER], "userName": "BOB"})
        assert clash.status_code == 409
    _what_is_decided_is_known_everywhere(installed, one, other)


def _what_is_decided_is_known_everywhere(found: Fleet, one: int, other: int) -> None:
    found.journal.write_now(lambda tx: backends.pause(tx, "recorder"))
    time.sleep(KNOWN_SECONDS)
    create(found, one, "cleo")
    eventually(lambda: delivered(found, "cleo", "mirror"))
    assert not delivered(found, "cleo"), "paused"
    found.journal.write_now(lambda tx: backends.resume(tx, "recorder"))
    eventually(lambda: delivered(found, "cleo"))
    with found.client(one) as first, found.client(other) as second:
        assert [idp.get("/Users?count=1").status_code for idp in (first, second)] == [200, 200]
        cause = Cause("test", "test", datetime.now(UTC))
        found.journal.write_now(
            lambda tx: tenants.revoke_token(tx, found.organization, found.token_id, cause)
        )
        time.sleep(KNOWN_SECONDS)
        assert [idp.get("/Users?count=1").status_code for idp in (first, second)] == [401, 401]
