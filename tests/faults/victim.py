"""A bridge that is killed and started again, and the load that goes on over it.

Rule: the serving process is a real one, started by its command line and ended by SIGKILL.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import attrs
import httpx

from tests.faults.ledger import Acknowledged

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0

_BACKENDS = """
[[backends]]
type = "recorder"
name = "recorder"
file = "{directory}/recorder.lines"

[[backends]]
type = "mirror"
name = "mirror"
file = "{directory}/mirror.lines"
"""
_USER = "urn:ietf:params:scim:schemas:core:2.0:User"


@attrs.define(eq=False)
class Victim:
    """The serving process of one installation, which may be running or not."""

    directory: Path
    port: int
    mutation: str
    token: str = ""
    process: subprocess.Popen[bytes] | None = None
    _http: httpx.Client = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10)

    @property
    def journal_url(self) -> str:
        """Its journal."""
        return f"sqlite:///{self.directory / 'bridge.db'}"

    def start(self) -> float:
        """Start it; return after how many seconds it was ready."""
        began = time.monotonic()
        config = str(self.directory / "bridge.toml")
        self.process = self._run("serve", "--config", config)
        self.wait_until_ready()
        return time.monotonic() - began

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as a service manager does, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def install(self) -> None:
        """Set it up, with the two remembering backends beside the SQL database."""
        site = self.directory / "site" / "bridge_recorder-1.0.dist-info"
        site.mkdir(parents=True)
        (site / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: bridge-recorder\nVersion: 1.0\n"
        )
        points = "".join(f"{name} = tests.faults.recorder\n" for name in ("recorder", "mirror"))
        (site / "entry_points.txt").write_text(f"[bridge]\n{points}")
        self.process = self._run(
            "quickstart", "--dir", str(self.directory), "--port", str(self.port), "--json"
        )
        self.wait_until_ready()
        assert self.stop() == 0
        self.token = (self.directory / "scim.token").read_text().strip()
        with (self.directory / "bridge.toml").open("a") as configuration:
            configuration.write(_BACKENDS.format(directory=self.directory))

    def close(self) -> None:
        """Leave nothing running."""
        self._http.close()
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def wait_until_ready(self) -> None:
        """Return when it answers; fail when it has ended or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"ended with {self.process.returncode}"
            with suppress(httpx.HTTPError):
                if self._http.get("/readyz").status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError("not ready in time")

    def drained(self, seconds: float) -> bool:
        """Wait until no backend lacks anything; False where that takes longer."""
        deadline = time.monotonic() + seconds
        while (depths := self._depths()) and not all(line.endswith(" 0.0") for line in depths):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def _depths(self) -> list[str]:
        text = self._http.get("/metrics").text
        return [line for line in text.splitlines() if line.startswith("bridge_journal_depth{")]

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        path = f"{self.directory / 'site'}{os.pathsep}{ROOT}"
        with (self.directory / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.faults.serving", self.mutation, *arguments],
                env={**os.environ, "PYTHONPATH": path},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )


class Served(Protocol):
    """Where SCIM is served, and the token that it takes."""

    port: int
    token: str


class Load:
    """Clients that create users and rename their titles for as long as it lasts.

    A request whose answer was lost is not repeated: nobody was promised anything.
    """

    def __init__(self, victim: "Served", clients: int, users: int) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.unanswered = 0
        self.refused: list[str] = []
        self._victim = victim
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._client, args=(number, users), daemon=True)
            for number in range(clients)
        ]

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Have it going on meanwhile."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(30)

    def _client(self, number: int, users: int) -> None:
        headers = {"Authorization": f"Bearer {self._victim.token}"}
        base = f"http://127.0.0.1:{self._victim.port}/scim/v2"
        ids: dict[str, str] = {}
        turn = 0
        with httpx.Client(headers=headers, timeout=10, base_url=base) as http:
            while not self._over.is_set():
                turn += 1
                name = f"user{number}-{turn % users}"
                try:
                    self._send(http, ids, name, f"{name}/{turn}")
                except httpx.HTTPError:
                    self.unanswered += 1
                    time.sleep(0.1)

    def _send(self, http: httpx.Client, ids: dict[str, str], name: str, token: str) -> None:
        body = {"schemas": [_USER], "userName": name, "title": token, "active": True}
        if name in ids:
            answer = http.put(f"/Users/{ids[name]}", json=body)
        else:
            answer = http.post("/Users", json=body)
            if answer.status_code == 409:  # created, and the answer was lost
                found = http.get("/Users", params={"filter": f'userName eq "{name}"'}).json()
                ids[name] = found["Resources"][0]["id"]
                return
        if answer.status_code not in (200, 201):
            self.refused.append(f"{answer.status_code} {answer.text}")
            return
        ids[name] = answer.json()["id"]
        version = int(answer.headers["etag"].strip('W/"'))
        self.acknowledged.append(Acknowledged(ids[name], version, token))


@contextmanager
def victim(directory: Path, mutation: str = "none") -> Iterator[Victim]:
    """An installation in a folder, not running; at the end nothing of it runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    found = Victim(directory, port, mutation)
    try:
        found.install()
        yield found
    finally:
        found.close()
