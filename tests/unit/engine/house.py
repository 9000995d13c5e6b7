"""A journal, a dispatcher and a target that does what a test tells it to.

The target is real in what matters here: it holds state of its own, it can be read, and what is
written to it twice or out of order stays visible in `written`.
"""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs

from bridge.core.changes import Cause
from bridge.core.members import AddMembers, MemberEdit, RemoveMembers
from bridge.core.resources import Resource
from bridge.core.schema import GROUP, USER, ResourceType
from bridge.engine.dispatcher import Dispatcher
from bridge.engine.lane import Figures
from bridge.hosting import HostedBackend
from bridge.journal import backends, deliveries, record, resources
from bridge.journal.deliveries import Delivery, DeliveryState
from bridge.journal.store import Journal, Transaction, open_journal
from bridge.plugin import (
    BackendType,
    ChangeRecord,
    Defer,
    Finding,
    Link,
    Observed,
    Plan,
    Receipt,
    Schedule,
    coalesce,
)

ORGANIZATION = "acme"
QUICK = Schedule("quick", (0.01, 0.01, 0.01))


@attrs.frozen
class Write:
    """Make the target hold this; `document` None takes it away."""

    id: str
    versions: tuple[int, ...]
    document: Mapping[str, Any] | None
    member_names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"write {self.id} {self.versions}"


@attrs.frozen
class Written:
    """One write as the target saw it: when it began and ended, and by which connection."""

    id: str
    versions: tuple[int, ...]
    began: float
    ended: float
    connection: int


class Target:
    """The far side: what it holds, what was written to it, and how it behaves."""

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.held: dict[str, Mapping[str, Any]] = {}
        self.members: dict[str, frozenset[str]] = {}
        self.written: list[Written] = []
        self.connections = 0
        self.looks: Counter[str] = Counter()
        self.behave: Callable[[Write], None] = lambda _: None
        self.on_open: Callable[[], None] = lambda: None
        self.on_look: Callable[[str], None] = lambda _: None
        self.link_name: Callable[[str], str] = lambda name: name
        self.closed: list[int] = []

    def open(self, *, looking: bool) -> "Trusting":
        self.on_open()
        with self.gate:
            self.connections += 1
            number = self.connections
        return (Looking if looking else Trusting)(self, number)

    def link(self, id_: str, document: Mapping[str, Any]) -> Link:
        return Link(id_, f"target-{id_}", str(document.get("userName", "")))

    def versions(self, id_: str) -> list[int]:
        """Return every version written for a resource, in the order of writing."""
        return [v for one in self.written if one.id == id_ for v in one.versions]


class Trusting:
    """A backend that cannot read its target."""

    def __init__(self, target: Target, number: int) -> None:
        self.target = target
        self.number = number

    def check(self) -> Sequence[Finding]:
        return ()

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        net, last = coalesce(changes), changes[-1]
        if net.after is None and net.entity.id not in links:
            return Plan(last.entity, last.version)
        added = [m.id for m in net.members.added]
        if missing := [id_ for id_ in added if id_ not in links]:
            raise Defer(f"{missing[0]} is not there yet")
        names = tuple(links[id_].name for id_ in added)
        write = Write(net.entity.id, tuple(c.version for c in changes), net.after, names)
        if observed is not None and observed.state == net.after:
            return Plan(last.entity, last.version)
        return Plan(last.entity, last.version, (write,))

    def execute(self, plan: Plan) -> Receipt:
        (write,) = plan.steps
        assert isinstance(write, Write)
        began = time.monotonic()
        self.target.behave(write)
        target = self.target
        with target.gate:
            target.written.append(
                Written(write.id, write.versions, began, time.monotonic(), self.number)
            )
            if write.document is None:
                target.held.pop(write.id, None)
                return Receipt()
            target.held[write.id] = write.document
            target.members[write.id] = frozenset(write.member_names) | target.members.get(
                write.id, frozenset()
            )
        name = target.link_name(str(write.document.get("userName", "")))
        return Receipt(links=(attrs.evolve(target.link(write.id, write.document), name=name),))

    def close(self) -> None:
        self.target.closed.append(self.number)


class Looking(Trusting):
    """A backend that can."""

    def observe(
        self, snapshots: Sequence[ChangeRecord], links: Mapping[str, Link]
    ) -> Sequence[Observed]:
        del links  # resource ids are this target's own ids
        found = []
        for one in snapshots:
            id_ = one.entity.id
            self.target.on_look(id_)
            with self.target.gate:
                self.target.looks[id_] += 1
                state = self.target.held.get(id_)
            link = self.target.link(id_, state) if state is not None else None
            found.append(Observed(id_, link, state))
        return found


class House:
    """The journal with people in it, and the dispatcher that delivers them to one target."""

    def __init__(self, journal: Journal, hosted: Sequence[HostedBackend], target: Target) -> None:
        self.journal = journal
        self.hosted = hosted[0]
        self.target = target
        self.dispatcher = Dispatcher(journal, hosted)

    async def user(self, name: str) -> str:
        id_ = str(uuid4())
        await self.write(
            lambda tx: record.create(tx, USER, ORGANIZATION, id_, {"userName": name}, (), cause())
        )
        return id_

    async def group(self, name: str, *members: str) -> str:
        id_ = str(uuid4())
        document = {"displayName": name}
        await self.write(
            lambda tx: record.create(tx, GROUP, ORGANIZATION, id_, document, list(members), cause())
        )
        return id_

    async def rename(self, id_: str, name: str) -> None:
        await self.write(partial(_update, id_=id_, rtype=USER, change={"userName": name}, edits=()))

    async def join(self, group: str, *members: str) -> None:
        await self._edit(group, AddMembers(members))

    async def leave(self, group: str, *members: str) -> None:
        await self._edit(group, RemoveMembers(members))

    async def delete(self, id_: str, rtype: ResourceType = USER) -> None:
        def unit(tx: Transaction) -> None:
            record.delete(tx, rtype, _get(tx, rtype, id_), cause())

        await self.write(unit)

    async def write(self, unit: Callable[[Transaction], Any]) -> Any:
        result = await self.journal.write(unit)
        self.dispatcher.wake()
        return result

    async def verb(self, verb: Callable[[Transaction, str, str, str], bool], id_: str) -> bool:
        """Do what a person does to one delivery."""
        return bool(await self.write(lambda tx: verb(tx, "far", ORGANIZATION, id_)))

    @property
    def figures(self) -> Figures:
        return self.dispatcher.figures()["far"]

    async def delivery(self, id_: str) -> Delivery:
        found = await self.journal.read(
            lambda reader: deliveries.of_entity(reader, ORGANIZATION, id_)
        )
        (one,) = [delivery for delivery in found if delivery.backend == "far"]
        return one

    async def until(self, id_: str, state: DeliveryState, seconds: float = 5.0) -> Delivery:
        """Wait until a delivery is in a state and return it."""

        async def reached() -> bool:
            return (await self.delivery(id_)).state is state

        await eventually(reached, seconds)
        return await self.delivery(id_)

    async def in_sync(self, *ids: str, seconds: float = 5.0) -> None:
        for id_ in ids:
            await self.until(id_, DeliveryState.IN_SYNC, seconds)

    async def _edit(self, group: str, edit: MemberEdit) -> None:
        await self.write(partial(_update, id_=group, rtype=GROUP, change={}, edits=(edit,)))


async def eventually(holds: Callable[[], Awaitable[bool] | bool], seconds: float = 5.0) -> None:
    """Wait until something holds; fail when it does not within `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.005)


def cause() -> Cause:
    return Cause("tests", "request", datetime.now(UTC))


def _get(tx: Transaction, rtype: ResourceType, id_: str) -> Resource:
    found = resources.get(tx, rtype, ORGANIZATION, id_)
    assert found is not None
    return found


def _update(
    tx: Transaction,
    *,
    id_: str,
    rtype: ResourceType,
    change: Mapping[str, Any],
    edits: Sequence[MemberEdit],
) -> None:
    before = _get(tx, rtype, id_)
    record.update(tx, rtype, before, {**before.attributes, **change}, edits, cause())


@asynccontextmanager
async def house(
    path: Path,
    *,
    looking: bool = True,
    coalesces: bool = True,
    slots: int = 4,
    lease_seconds: float = 30.0,
    schedule: Schedule = QUICK,
    running: bool = True,
    target: Target | None = None,
    beside: Sequence[HostedBackend] = (),
) -> AsyncIterator[House]:
    """A house in a folder, delivering; at the end it is stopped and nothing is left running."""
    target = target or Target()
    kind = BackendType(
        "scripted",
        "does what a test says",
        object,
        lambda _: target.open(looking=looking),
        coalesces=coalesces,
        schedule=schedule,
    )
    hosted = HostedBackend("far", kind, partial(target.open, looking=looking), slots, lease_seconds)
    journal = open_journal(f"sqlite:///{path / 'journal.db'}")
    try:
        found = House(journal, [hosted, *beside], target)
        if not running:
            yield found
            return
        async with delivering(found):
            yield found
    finally:
        journal.close()


@asynccontextmanager
async def delivering(house: House) -> AsyncIterator[None]:
    """Run the dispatcher of a house meanwhile."""
    task = asyncio.create_task(house.dispatcher.run())
    await asyncio.sleep(0)

    async def known() -> bool:
        return bool(await house.journal.read(lambda r: backends.get(r, house.hosted.name)))

    await eventually(known)
    try:
        yield
    finally:
        await house.dispatcher.stop(5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def names(write: Write) -> object:
    return write.document and write.document.get("userName")


class Once:
    """Raises the first `times` times it is told to write a user of this name."""

    def __init__(self, name: str, error: BaseException, times: int = 1) -> None:
        self.name, self.error, self.left, self.called = name, error, times, 0

    def __call__(self, write: Write) -> None:
        if names(write) == self.name:
            self.called += 1
            if self.left:
                self.left -= 1
                raise self.error


class Always(Once):
    def __init__(self, name: str, error: BaseException) -> None:
        super().__init__(name, error, sys.maxsize)
