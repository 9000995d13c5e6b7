"""Several processes of one installation on one PostgreSQL journal, started by the command line.

They deliver to `recorder` and `mirror` (tests.faults.recorder), files that remember every write.

Rule: what a test does to a process, an operator or a power cut could do.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import attrs
import httpx

from bridge.auth.tokens import mint
from bridge.core.changes import Cause
from bridge.core.secret import Secret
from bridge.journal import backends, deliveries, tenants
from bridge.journal.deliveries import Lag
from bridge.journal.store import Journal, Transaction, open_journal

ROOT = Path(__file__).parents[1]
START_SECONDS = 60.0
LEASE_SECONDS = 3.0
KEY = "an installation key of 32 letters or more"
BACKENDS = ("recorder", "mirror")

_CONFIGURATION = """
[server]
key = "{key}"

[journal]
url = "{url}"
connections = 4

[guard]
enabled = false
"""
_BACKEND = """
[[backends]]
type = "{name}"
name = "{name}"
lease_seconds = {lease}
slots = 4
pause_ms = 10
file = "{directory}/{name}.lines"
"""


@attrs.define(eq=False)
class Fleet:
    """An installation: a configuration, a journal, one connection's `token`, and processes.

    `port` is where one of them serves and `workers` are those that deliver, if a test says so.
    """

    directory: Path
    url: str
    journal: Journal
    port: int = 0
    workers: list["subprocess.Popen[bytes]"] = attrs.field(factory=list)
    token: str = ""
    token_id: str = ""
    organization: str = ""
    processes: list["subprocess.Popen[bytes]"] = attrs.field(factory=list)

    def serve(self, *options: str) -> int:
        """Start a process that serves; return its port once it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        process = self.start("serve", *options, port=port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:

            def ready() -> bool:
                assert process.poll() is None, self.log()
                with suppress(httpx.HTTPError):
                    return http.get("/readyz").status_code == 200
                return False

            eventually(ready)
        return port

    def start(
        self, *command: str, port: int = 0, mutation: str = "none"
    ) -> "subprocess.Popen[bytes]":
        """Start a `bridge` command on this installation."""
        path = f"{self.directory / 'site'}{os.pathsep}{ROOT}"
        with (self.directory / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.faults.serving", mutation, *command),
                    *("--config", str(self.directory / "bridge.toml")),
                ],
                env={**os.environ, "PYTHONPATH": path, "BRIDGE_SERVER__PORT": str(port)},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def client(self, port: int) -> httpx.Client:
        """Return an identity provider that talks to the process at a port."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(
            base_url=f"http://127.0.0.1:{port}/scim/v2", headers=headers, timeout=60
        )

    def lag(self) -> list[Lag]:
        """Return how far each backend is behind."""
        return self.journal.read_now(
            lambda reader: [deliveries.lag(reader, row.name) for row in backends.every(reader)]
        )

    def drained(self) -> bool:
        """Say whether no backend lacks anything."""
        lags = self.lag()
        return len(lags) == len(BACKENDS) and not any(lag.pending or lag.parked for lag in lags)

    def log(self) -> str:
        """What the processes have said."""
        return (self.directory / "log").read_text()[-5000:]

    def close(self) -> None:
        """Leave nothing running."""
        for process in self.processes:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()


def eventually(condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    """Return as soon as a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


@contextmanager
def fleet(directory: Path, journal_url: str) -> Iterator[Fleet]:
    """An installation of which nothing runs yet; at the end nothing does."""
    with closing(open_journal(journal_url)) as journal:
        found = Fleet(directory, journal_url, journal)
        _install(found, journal_url)
        try:
            yield found
        finally:
            found.close()


def _install(found: Fleet, journal_url: str) -> None:
    site = found.directory / "site" / "bridge_recorder-1.0.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: bridge-recorder\nVersion: 1.0\n")
    points = "".join(f"{name} = tests.faults.recorder\n" for name in BACKENDS)
    (site / "entry_points.txt").write_text(f"[bridge]\n{points}")
    tables = "".join(
        _BACKEND.format(name=name, directory=found.directory, lease=LEASE_SECONDS)
        for name in BACKENDS
    )
    (found.directory / "bridge.toml").write_text(
        _CONFIGURATION.format(key=KEY, url=journal_url) + tables
    )
    minted, found.organization = mint(Secret(KEY)), uuid.uuid4().hex

    def prepare(tx: Transaction) -> None:
        cause = Cause("test", "test", datetime.now(UTC))
        tenants.create_organization(tx, found.organization, "acme", cause)
        connection = tenants.create_connection(tx, found.organization, "c1", "idp", "okta", cause)
        tenants.create_token(tx, connection, minted.id, minted.digest, cause)

    found.journal.write_now(prepare)
    found.token, found.token_id = minted.text.reveal(), minted.id
