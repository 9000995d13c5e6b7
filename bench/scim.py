"""The SCIM endpoint under load: real HTTP, a server process of its own, a durable journal.

    python -m bench.scim [--seconds 5] [--connections 32] [--backends 1]

Prints: users created per second over kept-alive connections, how long an answer takes (p50, p99)
and the CPU time of server and load generator per request; then what one PATCH of one member costs
in a group of 10 and in one of 100,000, and the ratio of the two; then what GET by id, look-up by
userName and PATCH of one member cost with 1,000 users and with 100,000, and the three ratios.

Rule: the load generator is part of the machine that is measured; its CPU time is shown as well.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median, quantiles
from typing import Any, cast

import attrs
import uvicorn
import uvloop

from bench.databases import new_journal_url
from bridge.auth.tokens import Authenticator, mint
from bridge.core.changes import Cause
from bridge.core.schema import GROUP_URN, STANDARD, USER, USER_URN, normalize
from bridge.core.secret import Secret
from bridge.journal import backends as journal_backends
from bridge.journal import record, tenants
from bridge.journal.store import Transaction, open_journal
from bridge.scim import ScimSettings, scim_application
from bridge.sealing import Sealer

KEY = Secret("an installation key of 32 letters")
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
GROUP_SIZES = (10, 100_000)
ROUNDS = 300
SLICE = 5_000
"""Members that a PATCH adds at once while a group is filled."""
LOADS = (1_000, 100_000)
"""Users in the two journals that are compared."""
MOST = 1.5
"""What the larger load may cost, at most, in terms of the smaller one."""
UNIT = 500
"""Users that one unit of work writes while a journal is filled."""
TURN, TURNS = 20, 60
"""Requests of one turn, and how many turns the servers take: whatever else runs concerns both."""


@attrs.frozen
class Address:
    """Where the server listens, and the token that it takes."""

    port: int
    token: str

    def request(self, method: str, path: str, document: Any) -> bytes:
        """Return a whole HTTP request."""
        body = b"" if document is None else json.dumps(document).encode()
        return (
            f"{method} /scim/v2{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nAccept: application/scim+json\r\n"
            f"Content-Type: application/scim+json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


# --- The server process -------------------------------------------------------------------------


def serve(journal_url: str, backends: int, users: int, pipe: Pipe) -> None:
    """Serve a new journal, with so many users in it, until terminated."""
    with closing(open_journal(journal_url)) as journal:
        minted = mint(KEY)

        def prepare(tx: Transaction) -> None:
            cause = Cause("bench", "bench", datetime.now(UTC))
            tenants.create_organization(tx, "bench", "bench", cause)
            connection = tenants.create_connection(tx, "bench", "c1", "idp", "okta", cause)
            tenants.create_token(tx, connection, minted.id, minted.digest, cause)
            for number in range(backends):
                journal_backends.add(tx, f"b{number}", "none")

        journal.write_now(prepare)
        for start in range(0, users, UNIT):
            journal.write_now(partial(fill, numbers=range(start, min(start + UNIT, users))))
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        settings = ScimSettings(public_url=f"http://127.0.0.1:{port}")
        known = Authenticator(journal, KEY)
        app = scim_application(journal, STANDARD, known, settings, Sealer(KEY))
        config = uvicorn.Config(
            app,
            http="httptools",
            log_level="warning",
            lifespan="off",
            access_log=False,
            proxy_headers=False,
        )
        server = uvicorn.Server(config)

        pipe.send(Address(port, minted.text.reveal()))
        uvloop.run(server.serve(sockets=[listening]))


def fill(tx: Transaction, numbers: range) -> None:
    """Write users, each as Okta would create it."""
    cause = Cause("bench", "bench", datetime.now(UTC))
    for number in numbers:
        attributes = normalize(USER, person(str(number))).attributes
        record.create(tx, USER, "bench", f"user-{number}", attributes, (), cause)


@attrs.frozen
class Server:
    """The running server process."""

    address: Address
    pid: int | None

    def cpu_seconds(self) -> float:
        """Return the CPU time that the server has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(journals: str | None, backends: int, users: int = 0) -> Iterator[Server]:
    """Start a server with a journal of its own; `backends` rows follow every change."""
    context = multiprocessing.get_context("spawn")
    with new_journal_url(journals) as url:
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(url, backends, users, theirs))
        process.start()
        theirs.close()  # so that a server that does not start is noticed
        try:
            yield Server(ours.recv(), process.pid)
        finally:
            process.terminate()
            process.join()


# --- The load generator -------------------------------------------------------------------------


class Lane(asyncio.Protocol):
    """One kept-alive connection that sends its next request when the answer is complete."""

    def __init__(self, make: Callable[[], bytes | None], done: asyncio.Future[None]) -> None:
        self._make = make
        self._done = done
        self._received = b""
        self._began = 0.0
        self._transport: asyncio.Transport | None = None
        self.seconds: list[float] = []
        self.answers: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        if head[9:10] != b"2":
            self._done.set_exception(RuntimeError(self._received.decode()))
            return
        self.seconds.append(time.perf_counter() - self._began)
        self.answers.append(body)
        self._received = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(exc or RuntimeError("the server closed the connection"))

    def _next(self) -> None:
        request = self._make()
        if request is None:
            self._done.set_result(None)
        elif self._transport is not None:
            self._began = time.perf_counter()
            self._transport.write(request)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"content-length: ")
    return int(rest.partition(b"\r\n")[0] or 0)


async def drive(port: int, lanes: int, make: Callable[[], bytes | None]) -> list[Lane]:
    """Send what `make` makes over `lanes` connections until it makes nothing more."""
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(lanes)]
    opened = [
        await loop.create_connection(partial(Lane, make, end), "127.0.0.1", port) for end in ends
    ]
    await asyncio.gather(*ends)
    for transport, _ in opened:
        transport.abort()
    return [lane for _, lane in opened]


# --- The figures --------------------------------------------------------------------------------


def person(number: str) -> dict[str, Any]:
    """Return a user as Okta creates it, about 700 bytes."""
    name = f"user{number}@example.com"
    return {
        "schemas": [USER_URN],
        "userName": name,
        "name": {"givenName": "Test", "familyName": f"User {number}"},
        "emails": [{"primary": True, "value": name, "type": "work"}],
        "phoneNumbers": [{"value": f"+49 30 {number}", "type": "work"}],
        "displayName": f"Test User {number}",
        "title": "Engineer",
        "locale": "en-US",
        "externalId": f"00u{number}",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }


def creates(server: Server, seconds: float, connections: int) -> None:
    """Print how many users are created per second."""
    until = time.perf_counter() + seconds
    count = 0

    def make() -> bytes | None:
        nonlocal count
        if time.perf_counter() > until:
            return None
        count += 1
        return server.address.request("POST", "/Users", person(f"{until:.0f}-{count}"))

    server_cpu, own_cpu, began = server.cpu_seconds(), time.process_time(), time.perf_counter()
    lanes = uvloop.run(drive(server.address.port, connections, make))
    took = time.perf_counter() - began
    server_cpu, own_cpu = server.cpu_seconds() - server_cpu, time.process_time() - own_cpu
    times = sorted(second for lane in lanes for second in lane.seconds)
    percentiles = quantiles(times, n=100)
    print(
        f"POST /Users, {connections} connections: {len(times) / took:,.0f}/s, "
        f"p50 {percentiles[49] * 1e3:.1f} ms, p99 {percentiles[98] * 1e3:.1f} ms, "
        f"CPU per request: server {server_cpu / len(times) * 1e3:.2f} ms, "
        f"load generator {own_cpu / len(times) * 1e3:.2f} ms"
    )


def one_member(server: Server) -> None:
    """Print what one member more or less costs, by the size of the group."""
    address = server.address
    costs = []
    for size in GROUP_SIZES:
        ids = _users(address, size + 1, f"g{size}-")
        group = _send(
            address, [("POST", "/Groups", {"schemas": [GROUP_URN], "displayName": f"group {size}"})]
        )[0]
        path = f"/Groups/{group['id']}"
        _send(
            address,
            [
                ("PATCH", path, _patch("add", ids[start : min(start + SLICE, size)]))
                for start in range(0, size, SLICE)
            ],
        )
        flips = [("PATCH", path, _patch(op, ids[-1:])) for op in ("add", "remove")] * ROUNDS
        lane = _run(address, flips)
        costs.append(median(lane.seconds))
        print(f"PATCH of one member, group of {size:>7,}: {costs[-1] * 1e3:.2f} ms")
    print(f"ratio: {costs[-1] / costs[0]:.2f}")


def by_load(servers: Sequence[Server]) -> None:
    """Print what usual requests cost by the number of users."""
    everyone = random.Random(1)
    makers = [
        _Usual(server.address, load, everyone) for server, load in zip(servers, LOADS, strict=True)
    ]
    for name in ("GET by id", "lookup by userName", "PATCH of one member"):
        seconds: list[list[float]] = [[], []]
        for _ in range(TURNS):
            for found, maker in zip(seconds, makers, strict=True):
                requests = [maker.request(name) for _ in range(TURN)]
                found.extend(_run(maker.address, requests).seconds)
        # The lower quartile: what else runs on this machine only ever makes something slower.
        small, large = (quantiles(found, n=4)[0] for found in seconds)
        print(
            f"{name}: {small * 1e3:.2f} ms with {LOADS[0]:,} users, "
            f"{large * 1e3:.2f} ms with {LOADS[1]:,}, ratio {large / small:.2f} (at most {MOST})"
        )


class _Usual:
    """The requests that are compared, each about another user."""

    def __init__(self, address: Address, load: int, everyone: random.Random) -> None:
        self.address = address
        self._load = load
        self._random = everyone
        members = [{"value": f"user-{number}"} for number in range(10)]
        group = {"schemas": [GROUP_URN], "displayName": "group", "members": members}
        self._group = f"/Groups/{_send(address, [('POST', '/Groups', group)])[0]['id']}"
        self._added: str | None = None

    def request(self, name: str) -> tuple[str, str, Any]:
        """Return the next request of this name."""
        number = self._random.randrange(10, self._load)
        match name:
            case "GET by id":
                return "GET", f"/Users/user-{number}", None
            case "lookup by userName":
                return (
                    "GET",
                    f"/Users?filter=userName%20eq%20%22user{number}%40example.com%22",
                    None,
                )
        added, self._added = self._added, None if self._added else f"user-{number}"
        return (
            "PATCH",
            self._group,
            _patch("remove" if added else "add", [added or f"user-{number}"]),
        )


def _patch(op: str, ids: list[str]) -> dict[str, Any]:
    members = [{"value": member_id} for member_id in ids]
    return {
        "schemas": [PATCH_OP],
        "Operations": [{"op": op, "path": "members", "value": members}],
    }


def _users(address: Address, count: int, prefix: str) -> list[str]:
    numbers = iter(range(count))

    def make() -> bytes | None:
        number = next(numbers, None)
        if number is None:
            return None
        return address.request(
            "POST", "/Users", {"schemas": [USER_URN], "userName": f"{prefix}{number}"}
        )

    lanes = uvloop.run(drive(address.port, 32, make))
    return sorted(json.loads(answer)["id"] for lane in lanes for answer in lane.answers)


def _run(address: Address, requests: list[tuple[str, str, Any]]) -> Lane:
    waiting = iter(requests)

    def make() -> bytes | None:
        request = next(waiting, None)
        return None if request is None else address.request(*request)

    return uvloop.run(drive(address.port, 1, make))[0]


def _send(address: Address, requests: list[tuple[str, str, Any]]) -> list[Any]:
    return [json.loads(answer or b"null") for answer in _run(address, requests).answers]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--backends", type=int, default=1)
    parser.add_argument("--ratios", action="store_true", help="only the ratios by number of users")
    parser.add_argument("--url", help="a PostgreSQL server for the journal; without it, SQLite")
    chosen = parser.parse_args()
    if not chosen.ratios:
        with served(chosen.url, chosen.backends) as server:
            creates(server, 1, chosen.connections)  # warm
            creates(server, chosen.seconds, chosen.connections)
        with served(chosen.url, chosen.backends) as server:
            one_member(server)
    with (
        served(chosen.url, chosen.backends, LOADS[0]) as few,
        served(chosen.url, chosen.backends, LOADS[1]) as many,
    ):
        by_load([few, many])


if __name__ == "__main__":
    main()
