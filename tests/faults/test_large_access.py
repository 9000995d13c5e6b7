"""A group of 100,000 is granted, changed and revoked: answers stay quick, memory stays flat.

The bridge runs in this process, so what it takes of memory is measured here.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import structlog

from bridge.core.changes import Cause
from bridge.core.members import AddMembers
from bridge.core.schema import GROUP, USER
from bridge.journal import record, resources
from bridge.journal.store import Transaction
from tests.administered import House, Tenant, administered, done

MEMBERS = 100_000
CHUNK = 2_000
ANSWER_SECONDS = 1.0
GROWTH_MEBIBYTES = 100.0
CONVERGE_SECONDS = 1_200.0

figures = structlog.get_logger("tests.faults").info


def mebibytes() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def populate(house: House, organization: str, group: str) -> list[str]:
    """Write the people and their membership past SCIM, which is measured elsewhere."""
    ids = [f"{organization}-{number:06}" for number in range(MEMBERS)]

    def unit(tx: Transaction, some: list[str]) -> None:
        cause = Cause("test", "test", datetime.now(UTC))
        for id_ in some:
            document = {"userName": f"{id_}@example.com", "active": True}
            record.create(tx, USER, organization, id_, document, (), cause)
        found = resources.get(tx, GROUP, organization, group)
        assert found is not None
        record.update(tx, GROUP, found, found.attributes, [AddMembers(tuple(some))], cause)

    for start in range(0, MEMBERS, CHUNK):
        some = ids[start : start + CHUNK]
        house.journal.write_now(lambda tx, some=some: unit(tx, some))  # type: ignore[misc]
    return ids


def levels(house: House, workspace: str) -> dict[str, int]:
    """How many rows the target has of each level."""
    path = house.loaded.directory / "people.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        query = "SELECT level, count(*) FROM workspace_members WHERE workspace_id = ? GROUP BY 1"
        return dict(database.execute(query, [workspace]))


def wait(what: str, holds: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < CONVERGE_SECONDS, f"{what}: not in time"
        time.sleep(0.2)
    return time.monotonic() - began


def timed(what: str, call: Callable[[], httpx.Response], status: int) -> httpx.Response:
    began = time.monotonic()
    answer = call()
    took = time.monotonic() - began
    assert answer.status_code == status, answer.text
    assert took < ANSWER_SECONDS, f"{what} took {took:.2f} s"
    figures("answered", what=what, milliseconds=round(took * 1000))
    return answer


def go_through(house: House, tenant: Tenant, group: str, one: str) -> None:
    api = tenant.admin
    workspace = tenant.workspace("Everyone")
    began = mebibytes()

    def until(what: str, wanted: dict[str, int]) -> None:
        took = wait(what, lambda: levels(house, workspace) == wanted)
        grown = mebibytes() - began
        figures("converged", what=what, seconds=round(took, 1), grown_mebibytes=round(grown))
        assert grown < GROWTH_MEBIBYTES, what

    body = {"target": workspace, "level": "view", "group": group}
    given = timed("grant", lambda: api.post("/grants", json=body), 201).json()["id"]
    until("granted", {"view": MEMBERS})
    level = {"level": "edit"}
    timed("level", lambda: api.patch(f"/grants/{given}", json=level), 200)
    until("changed", {"edit": MEMBERS})
    timed("one page", lambda: api.get(f"/workspaces/{workspace}/access?limit=1000"), 200)
    timed("why", lambda: api.get(f"/workspaces/{workspace}/access/{one}"), 200)
    began_patch = time.monotonic()
    tenant.remove(group, one)
    figures("one member", milliseconds=round((time.monotonic() - began_patch) * 1000))
    until("one member", {"edit": MEMBERS - 1})
    timed("take", lambda: api.delete(f"/grants/{given}"), 204)
    until("taken", {})


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_access_of_a_hundred_thousand(tmp_path: Path) -> None:
    more = (
        f'[guard]\nenabled = false\n[[backends]]\ntype = "sql"\nname = "people"\n'
        f'url = "sqlite:///{tmp_path}/people.db"\n'
    )
    with administered(tmp_path, more=more) as house, house.tenant() as tenant:
        group = tenant.group("Everyone")
        ids = populate(house, tenant.id, group)

        def delivered() -> bool:
            return bool(done(tenant.admin.get("/backends/people"))["pending"] == 0)

        figures("people delivered", seconds=round(wait("people", delivered), 1))
        go_through(house, tenant, group, ids[0])
