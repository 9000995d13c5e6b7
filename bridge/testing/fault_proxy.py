"""A TCP proxy that misbehaves on command: slow, silent, forgetful, broken.

    with FaultProxy("127.0.0.1", 5432) as proxy:
        proxy.lose_answers()        # what the target does is done, and nobody hears of it

Rule: trouble ends with `heal()`, which also breaks the connections that met it.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

PIECE_BYTES = 65_536


class FaultProxy:
    """Forwards connections on `port` of the loopback address to `host`:`port` of the target."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fault-proxy")
        self._open: set[asyncio.Task[None]] = set()
        self._latency_seconds = 0.0
        self._requests_pass = self._answers_pass = True
        self._answer_bytes: int | None = None
        self.connections = 0
        """How many were taken so far."""

    @property
    def port(self) -> int:
        """The port to connect to instead of the target's."""
        return int(self._listener.getsockname()[1])

    # --- trouble ----------------------------------------------------------------------------

    def delay(self, seconds: float) -> None:
        """Hold every piece, in both directions, for so long."""
        self._latency_seconds = seconds

    def black_hole(self) -> None:
        """Take everything and pass nothing on."""
        self._requests_pass = self._answers_pass = False

    def lose_answers(self) -> None:
        """Pass requests on, and no answers: the target acts and nobody hears of it."""
        self._answers_pass = False

    def cut_after(self, answer_bytes: int) -> None:
        """Break each connection when so many bytes of answers have passed."""
        self._answer_bytes = answer_bytes

    def break_connections(self) -> None:
        """Reset every open connection."""
        self._do(self._break)

    def heal(self) -> None:
        """End all trouble; reset the connections that met it."""
        self._latency_seconds = 0.0
        self._requests_pass = self._answers_pass = True
        self._answer_bytes = None
        self.break_connections()

    # --- running ----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._do(self._break)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        serving = self._loop.run_until_complete(
            asyncio.start_server(self._connected, sock=self._listener)
        )
        self._loop.run_forever()
        serving.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _do(self, action: Callable[[], None]) -> None:
        done = threading.Event()

        def act() -> None:
            action()
            self._loop.call_soon(done.set)

        self._loop.call_soon_threadsafe(act)
        done.wait()

    def _break(self) -> None:
        for task in self._open:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        ends = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            ends.append(far_writer)
            await asyncio.gather(
                self._requests(reader, far_writer), self._answers(far_reader, writer)
            )
        except (OSError, asyncio.CancelledError):
            for end in ends:
                _reset(end)
        finally:
            self._open.discard(task)
            for end in ends:
                end.close()

    async def _requests(self, near: asyncio.StreamReader, far: asyncio.StreamWriter) -> None:
        while piece := await near.read(PIECE_BYTES):
            await asyncio.sleep(self._latency_seconds)
            if not self._requests_pass:
                await asyncio.Event().wait()
            far.write(piece)
            await far.drain()
        with contextlib.suppress(OSError):
            far.write_eof()

    async def _answers(self, far: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        passed = 0
        while piece := await far.read(PIECE_BYTES):
            await asyncio.sleep(self._latency_seconds)
            if not self._answers_pass:
                await asyncio.Event().wait()
            if self._answer_bytes is not None and passed + len(piece) > self._answer_bytes:
                near.write(piece[: self._answer_bytes - passed])
                raise ConnectionResetError
            passed += len(piece)
            near.write(piece)
            await near.drain()
        near.close()


def _reset(end: asyncio.StreamWriter) -> None:
    connected = end.get_extra_info("socket")
    if connected is not None:
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
