"""Real database servers for tests: the one of the environment, else a local daemon of our own.

    BRIDGE_TEST_POSTGRESQL_URL=postgresql+psycopg://postgres@127.0.0.1/postgres
    BRIDGE_TEST_MARIADB_URL=mysql+pymysql://root@127.0.0.1/mysql
    BRIDGE_TEST_REQUIRE=postgresql,mariadb      a missing one fails instead of being skipped

Rule: a missing server is said, never passed over; what was started is stopped.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import attrs
import pytest
from sqlalchemy.engine import URL, make_url

START_SECONDS = 30


class Unavailable(Exception):
    """There is no such server here, and why."""


@attrs.frozen
class Server:
    """A running server: `url` leads to a database from which others can be made."""

    url: URL
    process: "subprocess.Popen[bytes] | None" = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While entered, the server's processes do not run; connections stay open."""
        if self.process is None:
            pytest.skip("a server that was given cannot be paused")
        pids = [self.process.pid, *_children(self.process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@contextmanager
def postgresql() -> Iterator[Server]:
    """A PostgreSQL without a password, listening on the loopback address."""
    with _given_or("BRIDGE_TEST_POSTGRESQL_URL", "psycopg", _local_postgresql) as server:
        yield server


@contextmanager
def mariadb() -> Iterator[Server]:
    """A MariaDB whose root has no password, listening on the loopback address."""
    with _given_or("BRIDGE_TEST_MARIADB_URL", "pymysql", _local_mariadb) as server:
        yield server


def missing(peer: str, why: str) -> NoReturn:
    """Skip, or fail where this peer is required."""
    text = f"no {peer}: {why}"
    if peer in os.environ.get("BRIDGE_TEST_REQUIRE", "").split(","):
        pytest.fail(f"{text} (BRIDGE_TEST_REQUIRE asks for it)", pytrace=False)
    pytest.skip(text)


@contextmanager
def _given_or(
    variable: str, driver: str, local: Callable[[], AbstractContextManager[Server]]
) -> Iterator[Server]:
    if importlib.util.find_spec(driver) is None:
        raise Unavailable(f"the driver {driver} is not installed")
    if given := os.environ.get(variable):
        yield Server(make_url(given))
        return
    with local() as server:
        yield server


@contextmanager
def _local_postgresql() -> Iterator[Server]:
    initdb, daemon = _program("initdb", "postgresql"), _program("postgres", "postgresql")
    with account_folder("postgres") as (folder, account):
        cluster = folder / "cluster"
        making = [initdb, "-D", str(cluster), "-A", "trust", "-U", "bridge", "-E", "UTF8"]
        _run([*making, "--no-locale", "--no-sync"], account)
        port = free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": str(folder),
            "fsync": "off",
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        url = URL.create("postgresql+psycopg", "bridge", None, "127.0.0.1", port, "postgres")
        with _running([daemon, "-D", str(cluster), *settings], account, url) as server:
            yield server


@contextmanager
def _local_mariadb() -> Iterator[Server]:
    install, daemon = _program("mariadb-install-db", "mysql"), _program("mariadbd", "mysql")
    with account_folder("mysql") as (folder, account):
        files = folder / "files"
        common = ["--no-defaults", f"--datadir={files}"]
        _run([install, *common, "--auth-root-authentication-method=normal"], account)
        port = free_port()
        where = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"]
        url = URL.create("mysql+pymysql", "root", None, "127.0.0.1", port, "mysql")
        quick = ["--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve"]
        with _running([daemon, *common, *where, *quick], account, url) as server:
            yield server


def connect(url: URL, **options: Any) -> Any:
    """Return a connection of the plain driver that commits every statement."""
    if url.get_backend_name() == "postgresql":
        psycopg = importlib.import_module("psycopg")
        return psycopg.connect(
            url.set(drivername="postgresql").render_as_string(hide_password=False),
            autocommit=True,
            **options,
        )
    pymysql = importlib.import_module("pymysql")
    return pymysql.connect(
        host=url.host,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
        autocommit=True,
        **options,
    )


@contextmanager
def _running(command: Sequence[str], account: Sequence[str], url: URL) -> Iterator[Server]:
    process = subprocess.Popen(
        [*account, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_ready(process, url)
        yield Server(url, process)
    finally:
        process.send_signal(signal.SIGQUIT if "postgres" in command[0] else signal.SIGKILL)
        process.wait(START_SECONDS)


def wait_until_ready(process: "subprocess.Popen[bytes]", url: URL) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends and process.poll() is None:
        try:
            connect(url).close()
        except Exception:  # noqa: BLE001 - each driver has its own; not ready is not ready
            time.sleep(0.1)
        else:
            return
    raise Unavailable(f"{process.args!r} did not start")


@contextmanager
def account_folder(account: str) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder and the prefix that runs a command as an account that owns it.

    Database servers refuse to run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"bridge-{account}-"))
    prefix: list[str] = []
    try:
        if os.geteuid() == 0:
            try:
                entry = pwd.getpwnam(account)
            except KeyError as error:
                raise Unavailable(f"no account {account} to run it as") from error
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            prefix = ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}"]
            prefix.append("--clear-groups")
        yield folder, prefix
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: Sequence[str], account: Sequence[str]) -> None:
    done = subprocess.run([*account, *command], capture_output=True, check=False)
    if done.returncode:
        raise Unavailable(done.stderr.decode(errors="replace")[-300:])


def _program(name: str, family: str) -> str:
    candidates = [
        *sorted(Path("/usr/lib").glob(f"{family}/*/bin/{name}"), reverse=True),
        *(Path(path) for path in [shutil.which(name), f"/usr/sbin/{name}"] if path),
    ]
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate)
    raise Unavailable(f"the program {name} is not installed")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in text.split()]
    return []
