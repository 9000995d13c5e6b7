"""What each answer of a real receiver means, and that none of them can hold a slot."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme

from bridge.plugin import (
    BackendDown,
    Disable,
    InDoubt,
    NotApplied,
    Park,
    Plan,
    RetryLater,
    Secret,
)
from bridge.testing import World
from bridge_webhook.client import ANSWER_BYTES, ANSWER_SHOWN_BYTES, seconds
from bridge_webhook.plugin import WebhookBackend
from bridge_webhook.settings import Settings
from plugins.webhook_backend.tests.receiver import Receiver

SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
FREED_SECONDS = 20.0
"""How long no answer may hold a slot, whatever it is."""


def settings(url: str, **others: Any) -> Settings:
    return Settings(url=url, secret=SECRET, allow_networks=("127.0.0.0/8",), **others)


@pytest.fixture
def backend(receiver: Any) -> Iterator[WebhookBackend]:
    with contextlib.closing(WebhookBackend(settings(receiver.url))) as backend:
        yield backend


def plan(backend: WebhookBackend) -> Plan:
    return backend.plan([World().user("ann")], {})


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(receiver: Any, backend: WebhookBackend, status: int) -> None:
    receiver.answer.status = status
    backend.execute(plan(backend))
    (received,) = receiver.received
    assert received.path == "/hooks/bridge?token=in-the-query"
    assert received.headers["content-type"] == "application/json"
    assert received.event["type"] == "user.created"


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "delay"),
    [
        (500, {}, RetryLater, None),
        (502, {}, RetryLater, None),
        (503, {"retry-after": "3600"}, RetryLater, 3600),
        (503, {"retry-after": "soon"}, RetryLater, None),
        (429, {"retry-after": "7"}, RetryLater, 7),
        (429, {}, RetryLater, None),
        (408, {}, RetryLater, None),
        (425, {}, RetryLater, None),
        (400, {}, Park, None),
        (404, {}, Park, None),
        (410, {}, Disable, None),
        (422, {"retry-after": "7"}, Park, None),
        (401, {}, BackendDown, None),
        (403, {}, BackendDown, None),
        (304, {}, BackendDown, None),
    ],
)
def test_refusals_are_sorted(
    receiver: Any,
    backend: WebhookBackend,
    status: int,
    headers: dict[str, str],
    outcome: type[NotApplied],
    delay: float | None,
) -> None:
    receiver.answer.status, receiver.answer.headers = status, headers
    with pytest.raises(outcome, match=str(status)) as refusal:
        backend.execute(plan(backend))
    assert getattr(refusal.value, "delay_seconds", None) == delay
    assert refusal.value.answer == str(status)
    assert outcome is not Park or refusal.value.next_step  # type: ignore[attr-defined]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(receiver: Any, backend: WebhookBackend, status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        port = trap.getsockname()[1]
        receiver.answer.status = status
        receiver.answer.headers = {"location": f"http://127.0.0.1:{port}/"}
        with pytest.raises(BackendDown, match="redirect"):
            backend.execute(plan(backend))
        with pytest.raises(TimeoutError):
            trap.accept()


def test_attempts_differ_in_time_and_signature_only(receiver: Any, backend: WebhookBackend) -> None:
    receiver.answers = [type(receiver.answer)(status=500)]
    made = plan(backend)
    with pytest.raises(RetryLater):
        backend.execute(made)
    time.sleep(1.1)
    backend.execute(made)
    first, second = receiver.received
    assert first.event == second.event
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    for fresh in ("webhook-timestamp", "webhook-signature"):
        assert first.headers[fresh] != second.headers[fresh]


def test_connection_is_kept_between_events(receiver: Any, backend: WebhookBackend) -> None:
    world = World()
    for n in range(5):
        backend.execute(backend.plan([world.user(f"user-{n}")], {}))
    assert receiver.connections == 1


def test_connection_closed_while_idle_is_replaced(receiver: Any, backend: WebhookBackend) -> None:
    receiver.answer.headers = {"connection": "close"}
    for _ in range(3):
        backend.execute(plan(backend))
    assert receiver.connections == 3


@pytest.mark.parametrize(("status", "outcome"), [(200, None), (500, RetryLater), (400, Park)])
def test_the_first_512_bytes_of_an_answer_are_told(
    receiver: Any, backend: WebhookBackend, status: int, outcome: type[NotApplied] | None
) -> None:
    def at_length(request: BaseHTTPRequestHandler) -> None:
        said = b"no such \xff contact " * 100
        request.send_response(status)
        request.send_header("content-length", str(len(said)))
        request.end_headers()
        request.wfile.write(said)

    receiver.answer.act = at_length
    if outcome is None:
        told = backend.execute(plan(backend)).answer
    else:
        with pytest.raises(outcome) as refusal:
            backend.execute(plan(backend))
        told = refusal.value.answer
    assert told.startswith(f"{status} no such \ufffd contact no such")
    assert len(told) <= len(f"{status} ") + ANSWER_SHOWN_BYTES


def test_a_receiver_that_answers_before_the_body_is_heard() -> None:
    """It closes with the body unread, which resets the connection behind its answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(10)
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        backend = WebhookBackend(settings(url))
        with contextlib.closing(backend), pytest.raises(Park, match="400"):
            backend.execute(plan(backend))
        thread.join()


def endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("content-length", str(10**10))
    request.end_headers()
    for _ in range(1_000_000):
        request.wfile.write(b"x" * ANSWER_BYTES)


def dripping_body(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("content-length", "1000")
    request.end_headers()
    _drip(request)


def dripping_head(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    _drip(request)


def silence(request: BaseHTTPRequestHandler) -> None:
    request.connection.settimeout(3 * FREED_SECONDS)
    request.rfile.read(1)  # ends when the client hangs up
    request.close_connection = True


def _drip(request: BaseHTTPRequestHandler) -> None:
    over = time.monotonic() + 3 * FREED_SECONDS
    while time.monotonic() < over:
        request.wfile.write(b"x")
        time.sleep(0.1)


def reset(request: BaseHTTPRequestHandler) -> None:
    linger = struct.pack("ii", 1, 0)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.connection.close()
    request.close_connection = True


def garbage(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    request.close_connection = True


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (endless, None),
        (dripping_body, None),
        (dripping_head, InDoubt),
        (silence, InDoubt),
        (reset, RetryLater),
        (garbage, RetryLater),
    ],
)
def test_hostile_answer_frees_the_slot_in_time(
    receiver: Any,
    act: Callable[[BaseHTTPRequestHandler], None],
    outcome: type[NotApplied] | None,
) -> None:
    patience = 2.0 if outcome is InDoubt else 9.0
    backend = WebhookBackend(settings(receiver.url, timeout_seconds=patience))

    def quietly(request: BaseHTTPRequestHandler) -> None:
        try:
            act(request)
        except OSError:
            request.close_connection = True  # the client has hung up, as it should

    receiver.answers = [type(receiver.answer)(act=quietly)]
    started = time.monotonic()
    with contextlib.closing(backend):
        if outcome is None:
            backend.execute(plan(backend))
        else:
            with pytest.raises(outcome):
                backend.execute(plan(backend))
        assert time.monotonic() - started < FREED_SECONDS
        backend.execute(plan(backend))


@pytest.mark.parametrize(
    ("header", "delay"),
    [
        ("0", 0),
        ("120", 120),
        (" 5 ", 5),
        ("9" * 400, 10**9),
        ("-1", None),
        ("1.5", None),
        ("\u0661", None),
        ("Mon, 02 Nov 2026 09:01:00 GMT", 60),
        ("Mon, 02 Nov 2026 08:00:00 GMT", 0),
        ("Mon, 99 Nov 2026 08:00:00 GMT", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, delay: float | None) -> None:
    assert seconds(header, datetime(2026, 11, 2, 9, tzinfo=UTC)) == delay


@pytest.mark.parametrize(
    ("name", "trusted", "delivered"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("other.example", True, False)],
)
def test_certificate_is_verified(tmp_path: Path, name: str, trusted: bool, delivered: bool) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with contextlib.closing(Receiver(context)) as receiver:
        own = settings(receiver.url, ca_file=tmp_path / "ca.pem")
        with contextlib.closing(WebhookBackend(own)) as backend:
            if delivered:
                assert all(finding.ok for finding in backend.check())
                backend.execute(plan(backend))
            else:
                for attempt in (backend.check, lambda: backend.execute(plan(backend))):
                    with pytest.raises(BackendDown, match="certificate"):
                        attempt()
        assert receiver.refused == []
        assert len(receiver.received) == delivered
