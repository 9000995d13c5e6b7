"""The server that carries the application: one process, one event loop, named limits.

Rule: the address is taken before anything else is opened, and a signal to stop is obeyed once:
no new requests, those under way end, deliveries under way end or go back, exit code 0.
"""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.bootstrap.assembly import assembled
from bridge.config import Loaded, Server
from bridge.core.errors import InvalidSyntax, OperatorError
from bridge.scim.exchange import encode, refusal

BACKLOG = 2048
"""Connections that wait to be accepted."""

_STOP = (signal.SIGTERM, signal.SIGINT)

_log = structlog.stdlib.get_logger("bridge")


def serve(
    loaded: Loaded, listener: socket.socket, ready: Callable[[], None], *, deliver: bool = True
) -> None:
    """Serve on `listener` until a signal to stop; `ready` is called once requests are answered.

    With `deliver` False, other processes deliver.
    Raises OperatorError when the journal or a plugin cannot be used, and whatever ended delivering.
    """
    settings = loaded.configuration.server
    with assembled(loaded, deliver=deliver) as bridge:
        config = uvicorn.Config(
            bridge.app,
            http=_protocol(settings.receive_seconds),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            backlog=BACKLOG,
            timeout_keep_alive=settings.keep_alive_seconds,
            timeout_graceful_shutdown=max(1, settings.stop_seconds // 2),
        )
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            server = _Server(config, ready)
            bridge.stop = server.stop
            bridge.full = lambda: len(server.server_state.connections) > settings.connections
            runner.run(server.serve([listener]))
    if bridge.failure is not None:
        raise bridge.failure
    _log.info("stopped")


def listen(settings: Server) -> socket.socket:
    """Take the configured address; raises OperatorError BRG-SERVE-ADDRESS."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise OperatorError(
            "BRG-SERVE-ADDRESS",
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror or error}.",
            "Stop what uses that address, or choose another with server.host and server.port.",
        ) from None
    return listener


def _protocol(receive_seconds: float) -> type[HttpToolsProtocol]:
    """Return uvicorn's HTTP protocol, cutting off a request that does not arrive in time.

    What is no HTTP is refused as SCIM clients can read it: they are who sends requests here.
    """

    class Protocol(HttpToolsProtocol):
        overdue: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self.arrived()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self.expect()

        def on_message_complete(self) -> None:
            self.arrived()
            super().on_message_complete()

        def send_400_response(self, msg: str) -> None:
            body = encode(refusal(InvalidSyntax(msg)).document)
            self.transport.write(
                b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"
                b"content-type: application/scim+json\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
            self.transport.close()

        def expect(self) -> None:
            self.arrived()
            self.overdue = self.loop.call_later(receive_seconds, self.transport.abort)

        def arrived(self) -> None:
            if self.overdue is not None:
                self.overdue.cancel()

    return Protocol


class _Server(uvicorn.Server):
    """uvicorn, told when it is ready, and ending normally after a signal (it would kill itself)."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    def stop(self) -> None:
        """End as after a signal."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            _log.info("serving")
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in _STOP:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _STOP:
                loop.remove_signal_handler(number)
