"""No spelling, look-up or redirect leads a request to an address that was not meant (F26)."""

import contextlib
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import httpcore2
import pytest

from bridge.plugin import BackendDown, Secret
from bridge.testing import World
from bridge_webhook.egress import Egress, is_public
from bridge_webhook.plugin import WebhookBackend
from bridge_webhook.settings import Settings

SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "0177.0.0.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
]


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """A listener on every loopback address that nobody may reach."""
    with socket.create_server(
        ("::", 0), family=socket.AF_INET6, dualstack_ipv6=socket.has_dualstack_ipv6()
    ) as listener:
        listener.settimeout(0.05)
        yield listener
        with pytest.raises(TimeoutError):
            listener.accept()


def send(url: str, **others: Any) -> None:
    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    settings = Settings(url=url, secret=secret, **others)
    with contextlib.closing(WebhookBackend(settings)) as backend:
        backend.check()
        backend.execute(backend.plan([World().user("ann")], {}))


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", SPELLINGS)
def test_loopback_is_not_reached_however_it_is_spelled(
    trap: socket.socket, host: str, scheme: str
) -> None:
    with pytest.raises(BackendDown, match=r"not public|cannot be resolved"):
        send(f"{scheme}://{host}:{trap.getsockname()[1]}/")


def test_name_that_changes_its_address_is_judged_by_the_one_connected_to(
    trap: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    genuine = socket.getaddrinfo

    def rebinding(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "rebinding.example":
            asked.append(host)
            host = "93.184.215.14" if len(asked) == 1 else "127.0.0.1"
        return genuine(host, *args, **kwargs)

    connected: list[str] = []

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    for _ in range(3):
        with pytest.raises(BackendDown):
            send(f"https://rebinding.example:{trap.getsockname()[1]}/")
    assert connected == ["93.184.215.14"]
    assert len(asked) == 3


def test_one_private_address_among_public_ones_refuses_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 443)) for ip in ("1.1.1.1", "10.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(httpcore2.ConnectError, match=r"10\.0\.0\.1, which is not public"):
        Egress((), plain=False).connect_tcp("mixed.example", 443)


def test_plain_http_to_a_public_address_is_refused() -> None:
    with pytest.raises(httpcore2.ConnectError, match="https only"):
        Egress((), plain=True).connect_tcp("1.1.1.1", 80)


def test_allowed_network_is_reached_and_no_other(receiver: Any) -> None:
    send(receiver.url, allow_networks=("127.0.0.1/32",))
    with pytest.raises(BackendDown, match="allow_networks"):
        send(receiver.url, allow_networks=("127.0.0.2/32", "10.0.0.0/8", "::1/128"))
    assert len(receiver.received) == 1


def test_proxy_of_the_environment_is_not_used(
    receiver: Any, trap: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.getsockname()[1]}")
    send(receiver.url, allow_networks=("127.0.0.0/8",))
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.168.0.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:10.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001:0:4136:e378:8000:63bf:5601:5601",  # Teredo of 169.254.169.254
        "2001:db8::1",
        "2002:a9fe:a9fe::1",
        "2002:7f00:1::",
        "fc00::1",
        "fe80::1",
        "fe80::1%1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_address_is_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1",
        "93.184.215.14",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
        "2606:4700:4700::1111",
        "2a00:1450::1",
        "2002:101:101::1",
    ],
)
def test_address_is_public(text: str) -> None:
    assert is_public(ip_address(text))
