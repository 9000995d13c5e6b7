"""How much of its connections the webhook backend uses, at receivers of 5 and 50 ms.

    python -m bench.webhook [--seconds 5]

A receiver in a process of its own answers 204 after a fixed time, and does nothing else. What can
be had at most is connections / time. Beside it stands what the same client does without the engine:
the difference is the engine's, the rest is HTTP's.

Rule: the receiver counts, not the sender.
"""

import argparse
import asyncio
import base64
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import cast
from uuid import uuid4

import attrs
import uvloop

from bench.engine import create
from bridge.engine.dispatcher import Dispatcher
from bridge.hosting import HostedBackend
from bridge.journal import backends
from bridge.journal.store import Journal, Transaction, open_journal
from bridge.plugin import Secret
from bridge.testing import World
from bridge_webhook.plugin import bridge_backend_types
from bridge_webhook.settings import Settings

SHAPES = ((8, 0.005), (8, 0.050), (64, 0.050))
"""Connections, and seconds that the receiver takes."""

SLICE = 500
GOAL = 0.9

(KIND,) = bridge_backend_types()


@attrs.frozen
class Figure:
    """Events per second, and milliseconds of CPU that each took of the sender."""

    rate: float
    cpu_ms: float


class Slow(asyncio.Protocol):
    """Answers every request 204 after `seconds`; `tell` learns of each."""

    def __init__(self, seconds: float, tally: "Tally") -> None:
        self._seconds = seconds
        self._tally = tally
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Count whole requests and answer each in time."""
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(self._rest) < end + 4 + length:
                return
            self._rest = self._rest[end + 4 + length :]
            asyncio.get_running_loop().call_later(self._seconds, self._answer)

    def _answer(self) -> None:
        self._tally.count += 1
        cast("asyncio.Transport", self._transport).write(b"HTTP/1.1 204 No Content\r\n\r\n")


@attrs.define
class Tally:
    """What a receiver has answered."""

    count: int = 0


def receive(seconds: float, pipe: Connection) -> None:
    """Be a receiver: send the port, then the count whenever anything is asked; ends with it."""

    async def serve() -> None:
        tally, loop = Tally(), asyncio.get_running_loop()
        server = await loop.create_server(lambda: Slow(seconds, tally), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        over = asyncio.Event()

        def asked() -> None:
            try:
                pipe.recv()
            except EOFError:
                over.set()
            else:
                pipe.send(tally.count)

        loop.add_reader(pipe.fileno(), asked)
        await over.wait()
        loop.remove_reader(pipe.fileno())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


class Receiver:
    """The receiver's process as the bench sees it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.port: int = pipe.recv()

    def answered(self) -> int:
        """Return how many requests it has answered."""
        self._pipe.send(None)
        count: int = self._pipe.recv()
        return count

    @property
    def settings(self) -> Settings:
        """Settings of a backend that sends to it."""
        return Settings(
            url=f"http://127.0.0.1:{self.port}/",
            secret=Secret("whsec_" + base64.b64encode(bytes(32)).decode()),
            allow_networks=("127.0.0.0/8",),
        )


@contextmanager
def receiver(seconds: float) -> Iterator[Receiver]:
    """A receiver that takes this long."""
    near, far = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=receive, args=(seconds, far), daemon=True
    )
    process.start()
    far.close()
    try:
        yield Receiver(near)
    finally:
        near.close()
        process.join(5)


def bare(target: Receiver, connections: int, seconds: float) -> Figure:
    """The backend's own client in as many threads, with one plan each and no journal."""
    over = threading.Event()

    def send() -> None:
        backend = KIND.open(target.settings)
        plan = backend.plan([World().user("ann")], {})
        while not over.is_set():
            backend.execute(plan)
        backend.close()

    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    figure = observed(target, seconds)
    over.set()
    for thread in threads:
        thread.join()
    return figure


def observed(target: Receiver, seconds: float) -> Figure:
    """Return what arrives in this time, once it has begun to."""
    while target.answered() == 0:
        time.sleep(0.01)
    time.sleep(0.5)
    begun, cpu, first = time.perf_counter(), time.process_time(), target.answered()
    time.sleep(seconds)
    count, elapsed = target.answered() - first, time.perf_counter() - begun
    return Figure(count / elapsed, (time.process_time() - cpu) / max(count, 1) * 1e3)


async def delivered(target: Receiver, connections: int, latency: float, seconds: float) -> Figure:
    """The whole bridge: a backlog of users, delivered while the receiver counts."""
    with tempfile.TemporaryDirectory() as folder:
        journal = open_journal(f"sqlite:///{folder}/journal.sqlite3")
        hosted = HostedBackend("hook", KIND, lambda: KIND.open(target.settings), connections)
        await journal.write(lambda tx: backends.add(tx, "hook", KIND.name))
        await fill(journal, round(connections / latency * (seconds + 2)))
        dispatcher = Dispatcher(journal, [hosted])
        task = asyncio.create_task(dispatcher.run())
        try:
            return await asyncio.to_thread(observed, target, seconds)
        finally:
            await dispatcher.stop(5)
            await task
            journal.close()


async def fill(journal: Journal, users: int) -> None:
    """Write a backlog of users."""

    def many(tx: Transaction) -> None:
        for _ in range(SLICE):
            create(tx, str(uuid4()))

    for _ in range(users // SLICE + 1):
        await journal.write(many)


def measure(seconds: float) -> None:
    """Print every figure."""
    for connections, latency in SHAPES:
        ideal = connections / latency
        with receiver(latency) as target:
            alone = bare(target, connections, seconds)
        with receiver(latency) as target:
            run = partial(delivered, target, connections, latency, seconds)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                whole = runner.run(run())
        name = f"{latency * 1e3:g} ms, {connections} connections"
        print(f"{name}: {told(whole, ideal)} (target {GOAL:.0%} of {ideal:,.0f}/s)")
        print(f"{name}, the client alone: {told(alone, ideal)}")


def told(figure: Figure, ideal: float) -> str:
    """Return a figure for people."""
    return f"{figure.rate:,.0f}/s, {figure.rate / ideal:.0%}, {figure.cpu_ms:.2f} ms CPU each"


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=5.0, help="per rate")
    measure(arguments.parse_args().seconds)


if __name__ == "__main__":
    main()
