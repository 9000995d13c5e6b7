"""The whole program: what its server itself refuses is told as SCIM, and callers are limited."""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from bridge.auth.tokens import mint
from tests.dialects.served import KEY, Document, refused
from tests.integration.running import Bridge, quickstart

CONNECTIONS, FAILURES = 8, 5
SETTINGS = {
    "SERVER__CONNECTIONS": CONNECTIONS,
    "SERVER__AUTHENTICATION_FAILURES": FAILURES,
    "SERVER__TRUSTED_PROXIES": ["127.0.0.1"],
    "SCIM__BASIC_PROFILES": ["okta"],
}


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(f"BRIDGE_{name}", json.dumps(value))
        with quickstart(tmp_path_factory.mktemp("limits") / "installation") as running:
            yield running


def client(bridge: Bridge, address: str, authorization: str | None = None) -> httpx.Client:
    """A client whose requests came through the proxy from an address."""
    headers = {"X-Forwarded-For": address}
    headers["Authorization"] = authorization or f"Bearer {bridge.token}"
    return httpx.Client(base_url=bridge.scim_url, headers=headers, timeout=30)


def connected(bridge: Bridge) -> socket.socket:
    address = urlsplit(bridge.url)
    return socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30)


def answer_to(bridge: Bridge, request: bytes) -> tuple[int, dict[str, str], Document]:
    """Send bytes over a connection of their own; return status, headers and document."""
    with connected(bridge) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize("host", [b"Host: a b", b"Host: [", b"Host: ", b"Host: x/y", b"X: y"])
def test_a_host_header_of_any_kind_is_no_trouble(bridge: Bridge, host: bytes) -> None:
    status, headers, document = answer_to(
        bridge,
        b"GET /scim/v2/Users HTTP/1.1\r\n" + host + b"\r\nConnection: close\r\n"
        b"Authorization: " + bridge.token.encode() + b"\r\n\r\n",
    )
    assert (status, headers["content-type"]) == (200, "application/scim+json")
    assert document["totalResults"] == 0


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET /\x00 HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_gets_a_scim_error(bridge: Bridge, request_: bytes) -> None:
    status, headers, document = answer_to(bridge, request_)
    assert (status, headers["content-type"]) == (400, "application/scim+json")
    assert (document["status"], document["scimType"]) == ("400", "invalidSyntax")


def test_too_many_connections_get_a_scim_503_and_make_room(bridge: Bridge) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(connected(bridge))
        with client(bridge, "192.0.2.50") as http:
            answer = http.get("/Users")
            refused(answer, 503)
            assert answer.headers["retry-after"] == "1"
            assert answer.headers["connection"] == "close"
            assert httpx.get(f"{bridge.url}/livez").status_code == 200
            other = httpx.get(f"{bridge.url}/v1/organizations")
            assert other.status_code == 503
            assert other.headers["content-type"] == "application/problem+json"
    with client(bridge, "192.0.2.50") as http:
        assert http.get("/Users").status_code == 200


def test_O_3_basic_where_it_is_enabled(bridge: Bridge) -> None:
    pair = base64.b64encode(f"okta:{bridge.token}".encode()).decode()
    with client(bridge, "192.0.2.51", f"Basic {pair}") as http:
        assert http.get("/Users").status_code == 200
        schemes = http.get("/ServiceProviderConfig").json()["authenticationSchemes"]
    assert [scheme["type"] for scheme in schemes] == ["oauthbearertoken", "httpbasic"]
    with client(bridge, "192.0.2.52", "Basic !") as http:
        answer = http.get("/Users")
    refused(answer, 401)
    assert answer.headers.get_list("www-authenticate") == [
        'Bearer realm="SCIM", error="invalid_token"',
        'Basic realm="SCIM", charset="UTF-8"',
    ]


def test_failures_of_one_client_do_not_lock_out_another(bridge: Bridge) -> None:
    wrong = f"Bearer {mint(KEY).text.reveal()}"
    with client(bridge, "192.0.2.53", wrong) as guessing, client(bridge, "192.0.2.53") as good:
        assert good.get("/Users").status_code == 200
        answers = [guessing.get("/Users") for _ in range(FAILURES + 1)]
        assert [answer.status_code for answer in answers] == [401] * FAILURES + [429]
        detail = refused(answers[-1], 429)
        assert "authentication_failures" in detail
        assert answers[-1].headers["retry-after"].isdecimal()
        assert good.get("/Users").status_code == 200
        delivery = httpx.get(
            f"{bridge.url}/v1/deliveries/x",
            headers={"X-Forwarded-For": "192.0.2.53", "Authorization": wrong},
        )
        assert delivery.status_code == 429
    with client(bridge, "192.0.2.54", wrong) as elsewhere:
        refused(elsewhere.get("/Users"), 401)
