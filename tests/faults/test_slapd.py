"""A directory that freezes, and one that is killed, in the middle of the work.

SCIM goes on answering 2xx, the queue drains when the directory is back, no entry ever goes back to
an older state on the way, and an outage is told once.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx
import pytest
import structlog

from tests.integration.running import Bridge, quickstart
from tests.openldap import OpenLDAP

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PEOPLE, CLIENTS = 40, 4
DRAIN_SECONDS = 30.0
"""How soon after the directory is back it holds everything (F04)."""

figures = structlog.get_logger("tests.faults").info

_LDAP = """
[[backends]]
type = "ldap"
name = "corp"
uris = ["{ldap.uri}"]
insecure = true
bind_dn = "{ldap.bind_dn}"
bind_password = "{ldap.bind_password}"
users.base_dn = "ou=people,{ldap.base_dn}"
groups.base_dn = "ou=groups,{ldap.base_dn}"
"""


@attrs.define(eq=False)
class Titles:
    """Clients that count every person's title up, and how long each answer took."""

    bridge: Bridge
    ids: list[str] = attrs.field(factory=list)
    sent: dict[str, int] = attrs.field(factory=dict)
    seconds: list[tuple[float, float]] = attrs.field(factory=list)
    refused: list[str] = attrs.field(factory=list)
    _over: threading.Event = attrs.field(factory=threading.Event)

    def create(self) -> None:
        """Create everybody, with title 0."""
        with self._http() as http:
            for number in range(PEOPLE):
                answer = http.post("/Users", json=_body(f"p{number}", 0))
                assert answer.status_code == 201, answer.text
                self.ids.append(answer.json()["id"])
                self.sent[f"p{number}"] = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Have the clients at work meanwhile, some forty changes a second."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._count, n) for n in range(CLIENTS)]
            try:
                yield
            finally:
                self._over.set()
        for client in clients:
            client.result()

    def p99(self, since: float, until: float) -> float:
        """Seconds within which 99 % of the requests sent in a span were answered."""
        taken = sorted(took for at, took in self.seconds if since <= at < until)
        return taken[len(taken) * 99 // 100]

    def _count(self, client: int) -> None:
        with self._http() as http:
            while not self._over.is_set():
                for number in range(client, PEOPLE, CLIENTS):
                    name = f"p{number}"
                    title, began = self.sent[name] + 1, time.monotonic()
                    answer = http.put(f"/Users/{self.ids[number]}", json=_body(name, title))
                    self.seconds.append((began, time.monotonic() - began))
                    if answer.status_code == 200:
                        self.sent[name] = title
                    else:
                        self.refused.append(answer.text)
                    time.sleep(0.1)

    def _http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.bridge.token}"}
        return httpx.Client(base_url=self.bridge.scim_url, headers=headers, timeout=30)


def _body(name: str, title: int) -> dict[str, object]:
    names = {"givenName": name, "familyName": name}
    return {"schemas": [USER], "userName": name, "name": names, "title": str(title), "active": True}


def held(ldap: OpenLDAP) -> dict[str, int]:
    """Everybody's title as the directory has it."""
    found = ldap.search("(objectClass=inetOrgPerson)", ("uid", "title"))
    return {entry["uid"][0]: int(entry["title"][0]) for entry in found.values()}


def watch_until(ldap: OpenLDAP, wanted: Callable[[], dict[str, int]]) -> list[str]:
    """Read the directory until it holds what is wanted; return who went back on the way."""
    deadline, before, back = time.monotonic() + DRAIN_SECONDS, dict[str, int](), list[str]()
    while True:
        now = held(ldap)
        back += [
            f"{who}: {before[who]} then {n}" for who, n in now.items() if n < before.get(who, 0)
        ]
        if now == wanted():
            return back
        assert time.monotonic() < deadline, "not drained in time"
        before = now
        time.sleep(0.1)


@pytest.fixture
def ldap(start_openldap: Callable[[], OpenLDAP]) -> OpenLDAP:
    server = start_openldap()
    for unit in ("people", "groups"):
        server.load(
            f"dn: ou={unit},{server.base_dn}\nobjectClass: organizationalUnit\nou: {unit}\n"
        )
    return server


@pytest.fixture
def bridge(tmp_path: Path, ldap: OpenLDAP) -> Iterator[Bridge]:
    with quickstart(tmp_path / "bridge", more=_LDAP.format(ldap=ldap)) as running:
        yield running


def outages_told(bridge: Bridge) -> int:
    return (bridge.directory.parent / "bridge.log").read_text().count("circuit_opened")


SHORT = [pytest.mark.slow]
LONG = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.mark.parametrize("freeze", [True, False], ids=["frozen", "killed"])
@pytest.mark.parametrize(
    "seconds", [pytest.param(8, marks=SHORT), pytest.param(30, marks=LONG)], ids="for-{}s".format
)
def test_F04_F06_the_directory_is_away_and_nobody_notices_but_the_queue(
    bridge: Bridge, ldap: OpenLDAP, seconds: int, freeze: bool
) -> None:
    titles = Titles(bridge)
    titles.create()
    assert watch_until(ldap, lambda: titles.sent) == []
    with titles.counting():
        began = time.monotonic()
        time.sleep(4)
        (ldap.pause if freeze else ldap.stop)()
        away = time.monotonic()
        time.sleep(seconds)
        back = time.monotonic()
        (ldap.resume if freeze else ldap.start)()
        time.sleep(1)
    went_back = watch_until(ldap, lambda: titles.sent)
    drained = time.monotonic() - back
    assert went_back == []
    assert titles.refused == []
    before, during = titles.p99(began, away), titles.p99(away, back)
    changes = sum(titles.sent.values())
    how = "frozen" if freeze else "killed"
    figures(f"directory {how} for {seconds} s: {changes} changes accepted meanwhile and around it")
    figures(f"SCIM p99 {before * 1e3:.0f} ms before, {during * 1e3:.0f} ms during")
    figures(f"drained {drained:.1f} s after it was back; told {outages_told(bridge)} times")
    assert during < max(2 * before, 0.5)
    assert outages_told(bridge) <= 1
    status = httpx.get(f"{bridge.url}/metrics").text
    assert re.search(r'bridge_parked{backend="corp"} 0', status)
