"""Access of a large group: what a grant costs, and how long other writers wait meanwhile.

    python -m bench.access [--members 100000]

A group is granted a workspace, its level is changed, one member goes, the grant is taken. For each:
until the call is answered, until all of it is followed, how long writers of something else waited,
and what memory grew by. Beside it the same grant in one transaction.

Rule: the waits of others stand beside those of a run in which nothing is followed.
"""

import argparse
import asyncio
import resource as limits
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bridge.core.access import Level
from bridge.core.changes import Cause, MemberDelta
from bridge.core.members import AddMembers
from bridge.core.resources import Entity, Member, Resource
from bridge.core.schema import GROUP, USER, ResourceType
from bridge.engine.follower import Follower
from bridge.journal import backends, following, grants, marking, record, resources, targets, tenants
from bridge.journal.store import Journal, Transaction, open_journal

ORGANIZATION = "acme"
CHUNK = 2_000


def cause() -> Cause:
    return Cause("bench", "bench", datetime.now(UTC))


def mebibytes() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return limits.getrusage(limits.RUSAGE_SELF).ru_maxrss / 1024


def populate(journal: Journal, count: int) -> list[str]:
    """Write `count` users and one group of them."""
    ids = [f"u{number:07}" for number in range(count)]

    def users(tx: Transaction, some: list[str]) -> None:
        for id_ in some:
            document = {"userName": f"{id_}@example.com", "active": True}
            record.create(tx, USER, ORGANIZATION, id_, document, (), cause())

    def group(tx: Transaction) -> None:
        tenants.create_organization(tx, ORGANIZATION, ORGANIZATION, cause())
        record.create(tx, GROUP, ORGANIZATION, "everyone", {"displayName": "Everyone"}, (), cause())
        backends.add(tx, "nowhere", "memory")

    def join(tx: Transaction, some: list[str]) -> None:
        found = there(tx, GROUP, "everyone")
        record.update(tx, GROUP, found, found.attributes, [AddMembers(tuple(some))], cause())

    journal.write_now(group)
    for start in range(0, count, CHUNK):
        some = ids[start : start + CHUNK]
        journal.write_now(lambda tx, some=some: users(tx, some))  # type: ignore[misc]
        journal.write_now(lambda tx, some=some: join(tx, some))  # type: ignore[misc]
    return ids


async def measured(
    journal: Journal, name: str, unit: Callable[[Transaction], Any], beside: str
) -> None:
    """Do a unit, follow it to its end, and write something else all the while."""
    waits: list[float] = []
    done = asyncio.Event()
    before = mebibytes()

    async def others() -> None:
        number = 0
        while not done.is_set():
            number += 1
            began = time.perf_counter()
            await journal.write(lambda tx: touch(tx, beside))
            waits.append(time.perf_counter() - began)
            await asyncio.sleep(0.002)

    follower = Follower(journal, lambda: None)
    writing = asyncio.create_task(others())
    await asyncio.sleep(0.05)
    began = time.perf_counter()
    await journal.write(unit)
    answered = time.perf_counter() - began
    running = asyncio.create_task(follower.run())
    while await journal.read(following.waiting):  # noqa: ASYNC110 - nobody tells the end
        await asyncio.sleep(0.005)
    followed = time.perf_counter() - began
    follower.stop()
    await running
    done.set()
    await writing
    waits.sort()
    print(
        f"{name:32} answered {answered * 1e3:7.1f} ms   followed {followed:6.2f} s   "
        f"others waited p50 {waits[len(waits) // 2] * 1e3:5.1f}, p99 "
        f"{waits[int(len(waits) * 0.99)] * 1e3:5.1f}, most {waits[-1] * 1e3:6.1f} ms   "
        f"memory {mebibytes() - before:+6.1f} MiB"
    )


def there(tx: Transaction, rtype: ResourceType, id_: str) -> Resource:
    found = resources.get(tx, rtype, ORGANIZATION, id_)
    if found is None:
        raise LookupError(id_)
    return found


def touch(tx: Transaction, user: str) -> None:
    found = there(tx, USER, user)
    title = {"title": str(time.perf_counter_ns())}
    record.update(tx, USER, found, {**found.attributes, **title}, (), cause())


def at_once(tx: Transaction, target: str, ids: list[str]) -> None:
    """The grant's access in one transaction: what following avoids."""
    for start in range(0, len(ids), 1000):
        following.settle(tx, ORGANIZATION, target, ids[start : start + 1000], cause())


async def run(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = open_journal(f"sqlite:///{folder}/journal.db")
        try:
            ids = populate(journal, count + 1)
            workspace = journal.write_now(
                lambda tx: targets.create_workspace(tx, ORGANIZATION, "Sales", cause())
            )
            other = journal.write_now(
                lambda tx: targets.create_workspace(tx, ORGANIZATION, "Support", cause())
            )
            everyone = Entity(ORGANIZATION, "Group", "everyone")
            one = Entity(ORGANIZATION, "User", ids[-1])
            print(f"{count} members, {mebibytes():.0f} MiB")
            given: list[str] = []

            def give(tx: Transaction) -> None:
                made = grants.give(tx, ORGANIZATION, workspace, everyone, Level.EDIT, cause())
                given.append(made.id)

            def level(tx: Transaction) -> None:
                grants.change(tx, ORGANIZATION, given[0], Level.VIEW, cause())

            def member(tx: Transaction) -> None:
                delta = MemberDelta(removed=(Member(one.id),))
                marking.members_changed(tx, everyone, delta, cause())

            def take(tx: Transaction) -> None:
                grants.take(tx, ORGANIZATION, given[0], cause())

            for name, unit in {
                "nothing": lambda _tx: None,
                "grant": give,
                "level changed": level,
                "one member": member,
                "grant taken": take,
            }.items():
                await measured(journal, name, unit, ids[0])
            journal.write_now(
                lambda tx: grants.give(tx, ORGANIZATION, other, everyone, Level.EDIT, cause())
            )
            await measured(
                journal, "grant, in one transaction", lambda tx: at_once(tx, other.id, ids), ids[0]
            )
        finally:
            journal.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=100_000)
    asyncio.run(run(parser.parse_args().members))
