"""From a committed change to a target that has it: rates, latency, backlog.

    python -m bench.engine [--seconds 5] [--url postgresql+psycopg://postgres@127.0.0.1/postgres]

The backend does nothing, or sleeps 5 ms as a directory in the next room does; everything else is
the real thing. CPU is that of the whole process: writing, journaling, delivering.

Rule: every figure stands beside its target and, where there is one, its ideal.
"""

import argparse
import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import count
from uuid import uuid4

import attrs

from bench.databases import floor, new_journal_url
from bench.journal import ORGANIZATION, cause, person
from bridge.core.schema import USER
from bridge.engine.dispatcher import Dispatcher
from bridge.hosting import HostedBackend
from bridge.journal import backends, record, resources
from bridge.journal.store import Journal, Transaction, open_journal
from bridge.plugin import BackendType, ChangeRecord, Finding, Link, Observed, Plan, Receipt

WRITERS = 8
SLOTS = 8
DELAY_SECONDS = 0.005
BEHIND = 1_000  # a backend slower than its writers would only measure the backlog that it leaves
BACKLOG = 20_000
SLICE = 500


@attrs.frozen
class Nothing:
    """The step that does nothing."""

    def __str__(self) -> str:
        return "nothing"


class Target:
    """Counts what it is given, and when each entity's newest version arrived."""

    def __init__(self, delay_seconds: float = 0.0) -> None:
        self.delay_seconds = delay_seconds
        self.versions = 0
        self.arrived: dict[tuple[str, int], float] = {}
        self.gate = threading.Lock()


class Idle:
    """A backend that takes everything."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def check(self) -> Sequence[Finding]:
        """Find nothing."""
        return ()

    def plan(
        self,
        changes: Sequence[ChangeRecord],
        links: Mapping[str, Link],
        observed: Observed | None = None,
    ) -> Plan:
        """Plan one step."""
        del links, observed
        return Plan(changes[0].entity, changes[-1].version, (Nothing(),) * len(changes))

    def execute(self, plan: Plan) -> Receipt:
        """Take it."""
        target = self._target
        if target.delay_seconds:
            time.sleep(target.delay_seconds)
        now = time.perf_counter()
        with target.gate:
            target.versions += len(plan.steps)
            target.arrived[plan.entity.id, plan.version] = now
        return Receipt()

    def close(self) -> None:
        """Do nothing."""


@attrs.frozen
class Figure:
    """Changes per second from the first commit to the last arrival, and CPU per change."""

    rate: float
    cpu_ms: float


@asynccontextmanager
async def engine(
    server: str | None, target: Target, *, started: bool = True
) -> AsyncIterator[tuple[Journal, Dispatcher]]:
    """A new journal and its dispatcher; not `started`, the backend only gathers changes."""
    with new_journal_url(server) as url:
        journal = open_journal(url)
        kind = BackendType("idle", "takes everything", object, lambda _: Idle(target))
        hosted = HostedBackend("idle", kind, lambda: Idle(target), SLOTS)
        dispatcher = Dispatcher(journal, [hosted])
        await journal.write(lambda tx: backends.add(tx, "idle", "idle"))
        try:
            if not started:
                yield journal, dispatcher
                return
            task = asyncio.create_task(dispatcher.run())
            yield journal, dispatcher
            await dispatcher.stop(5)
            await task
        finally:
            journal.close()


async def arrived(target: Target, versions: int) -> None:
    """Wait until the target has been given so many."""
    while target.versions < versions:  # noqa: ASYNC110 - counted in other threads
        await asyncio.sleep(0.001)


def create(tx: Transaction, id_: str) -> None:
    """Write a new user."""
    record.create(tx, USER, ORGANIZATION, id_, person(), (), cause())


def rename(tx: Transaction, id_: str, title: str) -> None:
    """Write a user's next version."""
    before = resources.get(tx, USER, ORGANIZATION, id_)
    if before is not None:
        record.update(tx, USER, before, {**before.attributes, "title": title}, (), cause())


async def sustained(server: str | None, delay_seconds: float, seconds: float) -> Figure:
    """Eight writers in a closed loop, each creating users."""
    target = Target(delay_seconds)
    async with engine(server, target) as (journal, dispatcher):
        ends, made = time.perf_counter() + seconds, 0

        async def writer() -> None:
            nonlocal made
            while time.perf_counter() < ends:
                if made - target.versions < BEHIND:
                    made += 1
                    await journal.write(partial(create, id_=str(uuid4())))
                    dispatcher.wake()
                else:
                    await asyncio.sleep(0.001)

        begun, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(writer() for _ in range(WRITERS)))
        await arrived(target, made)
        elapsed = time.perf_counter() - begun
        return Figure(made / elapsed, (time.process_time() - cpu) / made * 1e3)


async def latency(server: str | None, rate: float, seconds: float) -> tuple[float, float]:
    """Return p50 and p99 in ms from commit to arrival, at a steady rate."""
    target, committed = Target(), {}
    async with engine(server, target) as (journal, dispatcher):

        async def one(id_: str) -> None:
            await journal.write(partial(create, id_=id_))
            committed[id_] = time.perf_counter()
            dispatcher.wake()

        begun, tasks = time.perf_counter(), []
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(str(uuid4()))))
        await asyncio.gather(*tasks)
        await arrived(target, len(committed))
    taken = sorted(max(0.0, at - committed[id_]) * 1e3 for (id_, _), at in target.arrived.items())
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100]


async def drain(server: str | None) -> Figure:
    """Deliver a backlog of one change for each of many users."""
    target = Target()
    async with engine(server, target, started=False) as (journal, dispatcher):

        def many(tx: Transaction) -> None:
            for _ in range(SLICE):
                create(tx, str(uuid4()))

        for _ in range(BACKLOG // SLICE):
            await journal.write(many)
        begun, cpu = time.perf_counter(), time.process_time()
        task = asyncio.create_task(dispatcher.run())
        await arrived(target, BACKLOG)
        elapsed = time.perf_counter() - begun
        spent = time.process_time() - cpu
        await dispatcher.stop(5)
        await task
        return Figure(BACKLOG / elapsed, spent / BACKLOG * 1e3)


async def hot(server: str | None, seconds: float) -> Figure:
    """Eight writers that all rename the same user."""
    target, numbers = Target(), count()
    async with engine(server, target) as (journal, dispatcher):
        id_ = str(uuid4())
        await journal.write(partial(create, id_=id_))
        ends, made = time.perf_counter() + seconds, 1

        async def writer() -> None:
            nonlocal made
            while time.perf_counter() < ends:
                await journal.write(partial(rename, id_=id_, title=f"title {next(numbers)}"))
                made += 1
                dispatcher.wake()

        begun, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(writer() for _ in range(WRITERS)))
        await arrived(target, made)
        elapsed = time.perf_counter() - begun
        return Figure(made / elapsed, (time.process_time() - cpu) / made * 1e3)


@attrs.frozen
class Aims:
    """What one kind of journal is to reach, in changes per second unless named otherwise."""

    idle: int
    of_floor: float
    cpu_ms: float
    p99_ms: int
    backlog: int
    hot: int


AIMS = {True: Aims(2_500, 0.37, 0.5, 15, 8_000, 2_000), False: Aims(900, 0.2, 1.6, 25, 5_000, 400)}
"""By whether the journal is embedded. CPU is this process's: a database server has its own."""


async def measure(server: str | None, seconds: float) -> None:
    """Print every figure."""
    aims = AIMS[server is None]
    alone, bottom = floor(server, seconds / 2)
    print(f"floor: {alone}, one change per commit: {bottom:,.0f}/s")
    idle = await sustained(server, 0.0, seconds)
    print(
        f"no-op backend, {WRITERS} writers: {idle.rate:,.0f}/s (target {aims.idle:,}/s), "
        f"{idle.cpu_ms:.2f} ms CPU each (target {aims.cpu_ms}), {idle.rate / bottom:.2f} of the "
        f"floor ({aims.of_floor})"
    )
    ideal = SLOTS / DELAY_SECONDS
    slow = await sustained(server, DELAY_SECONDS, seconds)
    print(
        f"5 ms backend, {SLOTS} slots: {slow.rate:,.0f}/s, {slow.rate / ideal:.0%} of "
        f"{ideal:,.0f}/s (target 80 %)"
    )
    p50, p99 = await latency(server, 100, seconds)
    print(
        f"commit to arrival at 100/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms "
        f"(target p99 {aims.p99_ms} ms)"
    )
    backlog = await drain(server)
    print(
        f"backlog of {BACKLOG:,} users: {backlog.rate:,.0f}/s (target {aims.backlog:,}/s), "
        f"{backlog.cpu_ms:.2f} ms CPU each"
    )
    one = await hot(server, seconds)
    print(f"one hot user: {one.rate:,.0f}/s (target {aims.hot:,}/s), {one.cpu_ms:.2f} ms CPU each")


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=5.0, help="per rate")
    arguments.add_argument("--url", help="a PostgreSQL server; without it, SQLite")
    chosen = arguments.parse_args()
    asyncio.run(measure(chosen.url, chosen.seconds))


if __name__ == "__main__":
    main()
