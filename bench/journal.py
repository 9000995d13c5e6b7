"""The journal without HTTP: journaled creates per second, and what one member more costs.

    python -m bench.journal [--seconds 5]

A create writes the resource, its e-mail rows, a change row, a cursor and an audit row, durably.
The floor is sqlite3 alone with `synchronous=FULL`: an upsert and a change row, one COMMIT each.

Rule: a rate stands beside the floor measured around it; a rate without one says nothing.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert

from bridge.codec import encode
from bridge.core.changes import Cause
from bridge.core.members import AddMembers, MemberEdit, RemoveMembers
from bridge.core.resources import Resource
from bridge.core.schema import GROUP, USER
from bridge.journal import queries, record, resources, tables
from bridge.journal.store import Journal, Transaction, open_journal, prepared
from bridge.scim.identifiers import new_id

ORGANIZATION = "bench"
WRITERS = (1, 8, 32)
GROUP_SIZES = (10, 1_000, 100_000)
ROUNDS = 300
SLICE = 5_000
"""Resources that one unit writes while the groups are filled."""

_BACKEND = prepared(
    insert(tables.backend).values(name="corp", type="ldap", state="active", updated=0)
)
_numbers = count(1)


def person() -> dict[str, Any]:
    """A user of about 1 KB whose names come in no order."""
    number = next(_numbers)
    name = f"{number * 2654435761 % 2**32:08x}"
    return {
        "userName": f"{name}@example.com",
        "name": {"givenName": "Ann", "familyName": f"Example {name}", "formatted": f"Ann {name}"},
        "displayName": f"{name} Ann Example",
        "externalId": f"00u{name}example",
        "active": True,
        "title": "Engineer",
        "locale": "en-US",
        "timezone": "America/Los_Angeles",
        "emails": [
            {"value": f"{name}@example.com", "type": "work", "primary": True},
            {"value": f"{name}@home.example", "type": "home"},
        ],
        "phoneNumbers": [{"value": "+1 555 0100", "type": "work"}],
        "addresses": [
            {
                "type": "work",
                "streetAddress": "100 Universal City Plaza",
                "locality": "Hollywood",
                "region": "CA",
                "postalCode": "91608",
                "country": "US",
            }
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "employeeNumber": str(number),
            "department": "Tour Operations",
            "organization": "Universal Studios",
        },
    }


def cause() -> Cause:
    """Who asked, when: now."""
    return Cause("connection:bench", "request", datetime.now(UTC))


@contextmanager
def journal_with_backend(folder: str) -> Iterator[Journal]:
    """A new journal that one backend follows."""
    journal = open_journal(f"sqlite:///{folder}/journal.sqlite3")
    with closing(journal):
        journal.write_now(lambda tx: tx.run(_BACKEND))
        yield journal


def floor(folder: str, seconds: float) -> float:
    """Return commits per second of sqlite3 alone, in this thread."""
    path = Path(folder) / "floor.sqlite3"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE resource (id TEXT PRIMARY KEY, version INTEGER, document TEXT)")
        bare.execute(
            "CREATE TABLE change (sequence INTEGER PRIMARY KEY, entity TEXT, version INTEGER, "
            "document TEXT, UNIQUE (entity, version))"
        )
        done, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            key, document = new_id(), encode(person())
            bare.execute("BEGIN IMMEDIATE")
            bare.execute(
                "INSERT INTO resource VALUES (?, 1, ?) "
                "ON CONFLICT (id) DO UPDATE SET version = version + 1, document = ?2",
                (key, document),
            )
            bare.execute(
                "INSERT INTO change (entity, version, document) VALUES (?, 1, ?)", (key, document)
            )
            bare.execute("COMMIT")
            done += 1
        return done / (time.perf_counter() - started)


async def creates(journal: Journal, writers: int, seconds: float) -> tuple[float, float]:
    """Return creates per second and microseconds of CPU per create, with so many at a time."""
    done, ends = 0, time.perf_counter() + seconds

    async def writer() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await journal.write(_creation())
            done += 1

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(writer() for _ in range(writers)))
    elapsed = time.perf_counter() - started
    return done / elapsed, (time.process_time() - cpu) / done * 1e6


def _creation() -> Callable[[Transaction], Resource]:
    resource_id, attributes, why = new_id(), person(), cause()
    return lambda tx: record.create(tx, USER, ORGANIZATION, resource_id, attributes, (), why)


def people(journal: Journal, number: int) -> list[str]:
    """Create so many users and return their ids."""
    made: list[str] = []
    while len(made) < number:
        units = [_creation() for _ in range(min(SLICE, number - len(made)))]
        made += journal.write_now(partial(_all, units))
    return made


def _all(units: list[Callable[[Transaction], Resource]], tx: Transaction) -> list[str]:
    return [unit(tx).entity.id for unit in units]


def one_member_more(journal: Journal, members: list[str]) -> dict[int, float]:
    """Return the median microseconds of adding or removing one member, by size of the group.

    The groups take turns, so that whatever else the machine does hits all of them alike.
    """
    outside = members[-1]
    groups = {size: _group(journal, members[:size]) for size in GROUP_SIZES}
    taken: dict[int, list[float]] = {size: [] for size in GROUP_SIZES}
    for turn in range(ROUNDS):
        change = RemoveMembers((outside,)) if turn % 2 else AddMembers((outside,))
        for size, group_id in groups.items():
            started = time.perf_counter()
            journal.write_now(partial(_edit, group_id, change))
            taken[size].append(time.perf_counter() - started)
    return {size: median(times) * 1e6 for size, times in taken.items()}


def _group(journal: Journal, inside: list[str]) -> str:
    group_id = new_id()
    group = {"displayName": f"Group of {len(inside)} {group_id}"}
    journal.write_now(
        lambda tx: record.create(tx, GROUP, ORGANIZATION, group_id, group, inside, cause())
    )
    return group_id


def _edit(group_id: str, change: MemberEdit, tx: Transaction) -> Resource:
    before = resources.get(tx, GROUP, ORGANIZATION, group_id)
    if before is None:
        raise LookupError(group_id)
    return record.update(tx, GROUP, before, before.attributes, [change], cause())


def reads(journal: Journal, ids: list[str]) -> dict[str, float]:
    """Return the microseconds of one read by id: in this thread, and awaited in a reader thread."""

    def read(resource_id: str) -> Callable[..., Any]:
        return lambda reader: resources.get(reader, USER, ORGANIZATION, resource_id)

    def first_page(reader: Any) -> Any:
        return queries.search(reader, USER, ORGANIZATION, None, start=0, count=100)

    async def awaited() -> None:
        for resource_id in ids:
            await journal.read(read(resource_id))

    def here() -> None:
        for resource_id in ids:
            journal.read_now(read(resource_id))

    def pages() -> None:
        for _ in ids:
            journal.read_now(first_page)

    def micros(run: Callable[[], None]) -> float:
        started = time.perf_counter()
        run()
        return (time.perf_counter() - started) / len(ids) * 1e6

    return {
        "get by id, this thread": micros(here),
        "get by id, awaited": micros(lambda: asyncio.run(awaited())),
        "first page of 100, this thread": micros(pages),
    }


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=5.0, help="per rate")
    seconds = arguments.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        with journal_with_backend(folder) as journal:
            for writers in WRITERS:
                bottom = floor(folder, seconds / 2)
                rate, cpu = asyncio.run(creates(journal, writers, seconds))
                print(
                    f"creates, {writers:2} at a time: {rate:7,.0f}/s, {cpu:4.0f} us of CPU each; "
                    f"sqlite3 alone, one per commit: {bottom:7,.0f}/s; ratio {rate / bottom:.2f}"
                )
        with journal_with_backend(tempfile.mkdtemp(dir=folder)) as journal:
            members = people(journal, max(GROUP_SIZES) + 1)
            costs = one_member_more(journal, members)
            for size, cost in costs.items():
                ratio = cost / costs[GROUP_SIZES[0]]
                print(f"one member, group of {size:7,}: {cost:5.0f} us; ratio {ratio:.2f}")
            for what, cost in reads(journal, members[:2_000]).items():
                print(f"{what}: {cost:.0f} us")


if __name__ == "__main__":
    main()
