"""The fault proxy does the harm it promises, no other, and heals."""

import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from bridge.testing import FaultProxy


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            while piece := self.request.recv(1024):
                self.server.heard.append(piece)  # type: ignore[attr-defined]
                self.request.sendall(piece)


@pytest.fixture
def heard() -> list[bytes]:
    return []


@pytest.fixture
def proxy(heard: list[bytes]) -> Iterator[FaultProxy]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        server.heard = heard  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        with FaultProxy(*server.server_address) as proxy:
            yield proxy
        server.shutdown()
        thread.join()


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3)


def said(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(1024)


def test_passes_everything_when_healthy(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        assert said(connection, b"one") == b"one"
        assert said(connection, b"two") == b"two"
    assert proxy.connections == 1


def test_delay_holds_back(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        proxy.delay(0.1)
        started = time.monotonic()
        assert said(connection, b"one") == b"one"
        assert time.monotonic() - started >= 0.2


def test_black_hole_reaches_nobody(proxy: FaultProxy, heard: list[bytes]) -> None:
    with connect(proxy) as connection:
        proxy.black_hole()
        with pytest.raises(TimeoutError):
            said(connection, b"one")
        assert heard == []


def test_lost_answer_means_that_it_was_done(proxy: FaultProxy, heard: list[bytes]) -> None:
    with connect(proxy) as connection:
        proxy.lose_answers()
        with pytest.raises(TimeoutError):
            said(connection, b"one")
        assert heard == [b"one"]


def test_cut_breaks_the_connection_in_the_middle_of_an_answer(proxy: FaultProxy) -> None:
    proxy.cut_after(4)
    with connect(proxy) as connection:
        assert said(connection, b"one") == b"one"
        assert said(connection, b"two") == b"t"
        with pytest.raises(ConnectionResetError):
            connection.recv(1024)


def test_broken_connection_is_reset_and_a_new_one_works(proxy: FaultProxy) -> None:
    with connect(proxy) as connection:
        assert said(connection, b"one") == b"one"
        proxy.break_connections()
        with pytest.raises(ConnectionResetError):
            connection.recv(1024)
    with connect(proxy) as connection:
        assert said(connection, b"two") == b"two"


def test_heals(proxy: FaultProxy) -> None:
    proxy.black_hole()
    proxy.delay(5)
    proxy.cut_after(1)
    proxy.heal()
    with connect(proxy) as connection:
        assert said(connection, b"one") == b"one"


def test_target_that_is_gone_resets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        FaultProxy("127.0.0.1", port) as proxy,
        socket.socket() as connection,
        pytest.raises(ConnectionResetError),
    ):
        ask(connection, proxy.port)


def ask(connection: socket.socket, port: int) -> None:
    connection.settimeout(1)
    connection.connect(("127.0.0.1", port))
    connection.recv(1)
