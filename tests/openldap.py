"""A real OpenLDAP for tests: in a container, from this machine's slapd, or one you point us at.

One rule: what a test sees of the directory comes through OpenLDAP's own command-line tools, never
through the client library whose use is under test.
"""

import base64
import gc
import io
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol, cast

import attrs
import trustme
from docker.errors import DockerException
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

START_SLAPD = Path(__file__).parents[1] / "deploy" / "openldap" / "start-slapd"
IMAGE = "directory-bridge-test-openldap"
SUFFIX = "dc=example,dc=org"
CLIENT_FILE = "client.pem"
"""Beside `ca_file`: certificate and key of a client called `bridge`, for who asks for one."""

START_SECONDS = 90.0
TOOL_SECONDS = 60.0

# The reaper is an image of its own that would have to be pulled; the fixtures clean up themselves.
testcontainers_config.ryuk_disabled = True

Entry = Mapping[str, tuple[str, ...]]


class Unavailable(Exception):
    """This source cannot give an OpenLDAP here; the text says why and what would help."""


@attrs.frozen
class Account:
    """A bind DN with its password."""

    dn: str
    password: str


class Server(Protocol):
    """A running slapd: what differs between a container, a local daemon and a given URI."""

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


@attrs.frozen
class OpenLDAP:
    """One OpenLDAP server and a subtree of it to work in.

    `admin` sees and may do everything. `bridge` is what the bridge binds as: a service account with
    the limits real ones have. `tools_uri` is the server's address where its own tools run. The
    certificate, signed by `ca_file`, names `localhost` alone: by `127.0.0.1` it must be refused.
    """

    server: Server
    uri: str
    ldaps_uri: str | None
    ca_file: Path | None
    admin: Account
    bridge: Account
    base_dn: str
    tools_uri: str

    @property
    def bind_dn(self) -> str:
        return self.bridge.dn

    @property
    def bind_password(self) -> str:
        return self.bridge.password

    def stop(self) -> None:
        """Kill the server (SIGKILL); its data stays."""
        self.server.stop()

    def start(self) -> None:
        """Start a stopped server on the same address, and wait until it answers."""
        self.server.start()
        self.wait()

    def pause(self) -> None:
        """Freeze the server: connections stay open, nothing is answered."""
        self.server.pause()

    def resume(self) -> None:
        """Let a paused server go on."""
        self.server.resume()

    def wait(self) -> None:
        """Return when the server answers a bind. Raises `Unavailable` after `START_SECONDS`."""
        deadline = time.monotonic() + START_SECONDS
        look = ("-s", "base", "-b", "", "(objectClass=*)", "1.1")
        while (tried := self.tool("ldapsearch", *look, check=False)).returncode:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"the server at {self.uri} does not answer: {tried.stderr.strip()}"
                )
            time.sleep(0.05)

    def tool(
        self, name: str, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one of OpenLDAP's client tools as `admin`; `check` makes a non-zero exit an error."""
        bind = ("-x", "-H", self.tools_uri, "-D", self.admin.dn, "-w", self.admin.password)
        done = self.server.run(name, *bind, *arguments, stdin=stdin)
        if check and done.returncode:
            raise AssertionError(f"{name} {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done

    def search(
        self,
        filter_: str = "(objectClass=*)",
        attributes: tuple[str, ...] = ("*",),
        *,
        base: str | None = None,
        scope: str = "sub",
    ) -> dict[str, Entry]:
        """Entries by DN, each attribute with its values, as `ldapsearch` prints them."""
        base_dn = self.base_dn if base is None else base
        asked = ("-LLL", "-o", "ldif-wrap=no", "-s", scope, "-b", base_dn, filter_, *attributes)
        found = self.tool("ldapsearch", *asked)
        if not found.stdout:  # a busy Docker sometimes loses what a command printed
            found = self.tool("ldapsearch", *asked)
        return parse_ldif(found.stdout)

    def load(self, ldif: str) -> None:
        """Apply LDIF (entries to add, or change records) as `admin`."""
        self.tool("ldapmodify", "-a", stdin=ldif)

    @contextmanager
    def fresh_base(self) -> Iterator["OpenLDAP"]:
        """The same server below a new, empty organizational unit, gone again afterwards."""
        name = f"t-{secrets.token_hex(4)}"
        base_dn = f"ou={name},{self.base_dn}"
        self.load(f"dn: {base_dn}\nobjectClass: organizationalUnit\nou: {name}\n")
        try:
            yield attrs.evolve(self, base_dn=base_dn)
        finally:
            self.tool("ldapdelete", "-r", base_dn)


def parse_ldif(text: str) -> dict[str, Entry]:
    """The entries of unwrapped LDIF (RFC 2849). Bytes that are no UTF-8 are kept, escaped."""
    entries: dict[str, Entry] = {}
    for block in text.split("\n\n"):
        entry: dict[str, list[str]] = {}
        for line in filter(None, block.splitlines()):
            name, _, rest = line.partition(":")
            raw = base64.b64decode(rest[1:]) if rest.startswith(":") else rest.strip(" ").encode()
            entry.setdefault(name, []).append(raw.decode(errors="surrogateescape"))
        if entry:
            (dn,) = entry.pop("dn")
            entries[dn] = {name: tuple(values) for name, values in entry.items()}
    return entries


@attrs.frozen
class GivenServer:
    """A server somebody else runs: reached through this machine's tools, never stopped by us."""

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run_here(command, stdin)

    def stop(self) -> None:
        raise Unavailable(
            "BRIDGE_TEST_OPENLDAP_URI names a server that tests may not stop or pause"
        )

    start = pause = resume = stop


@attrs.define
class LocalServer:
    """A directory server's process, started by `program` from this machine's own package."""

    program: Path
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        if self.process is not None and self.process.poll() is not None:
            raise Unavailable(f"{self.program.name}: exit code {self.process.returncode}")
        return run_here(command, stdin)

    def start(self) -> None:
        self.process = subprocess.Popen([self.program], env=os.environ | self.environment)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(TOOL_SECONDS)
            self.process = None

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@attrs.frozen
class ContainerServer:
    """slapd in a container of the project's own image."""

    container: DockerContainer

    def run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        wrapped = self.container.get_wrapped_container()
        if stdin:
            wrapped.put_archive("/tmp", tar_of("stdin", stdin.encode()))  # noqa: S108
            command = ("sh", "-c", 'exec "$@" < /tmp/stdin', "sh", *command)
        done = wrapped.exec_run(list(command), demux=True)
        out, err = cast("tuple[bytes | None, bytes | None]", done.output)
        return subprocess.CompletedProcess(
            command, done.exit_code or 0, (out or b"").decode(), (err or b"").decode()
        )

    def start(self) -> None:
        self.container.get_wrapped_container().start()

    def stop(self) -> None:
        self.container.get_wrapped_container().kill()
        self.container.get_wrapped_container().wait()

    def pause(self) -> None:
        self.container.get_wrapped_container().pause()

    def resume(self) -> None:
        self.container.get_wrapped_container().unpause()


def run_here(command: tuple[str, ...], stdin: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=TOOL_SECONDS
    )


def tar_of(name: str, content: bytes) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return archive.getvalue()


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextmanager
def given() -> Iterator[OpenLDAP]:
    """The server of `BRIDGE_TEST_OPENLDAP_URI`, `…_BIND_DN`, `…_BIND_PASSWORD`, `…_BASE_DN`."""
    read = os.environ.get
    uri = read("BRIDGE_TEST_OPENLDAP_URI")
    if not uri:
        raise Unavailable("BRIDGE_TEST_OPENLDAP_URI is not set")
    if not shutil.which("ldapsearch"):
        raise Unavailable("BRIDGE_TEST_OPENLDAP_URI needs OpenLDAP's client tools (ldap-utils)")
    account = Account(
        read("BRIDGE_TEST_OPENLDAP_BIND_DN", f"cn=admin,{SUFFIX}"),
        read("BRIDGE_TEST_OPENLDAP_BIND_PASSWORD", ""),
    )
    base_dn = read("BRIDGE_TEST_OPENLDAP_BASE_DN", SUFFIX)
    directory = OpenLDAP(GivenServer(), uri, None, None, account, account, base_dn, uri)
    directory.wait()
    yield directory


@contextmanager
def container(folder: Path, extra: str = "") -> Iterator[OpenLDAP]:
    """A server in a container of the image that `make containers` builds."""
    environment, ca_file = new_server(folder, extra)
    box = container_of(environment)
    # Ports of our own choice: Docker would choose others when a killed container starts again.
    ports = {389: free_port(), 636: free_port()}
    # On loopback only, which testcontainers passes on but has no method for.
    box.ports |= {f"{port}/tcp": ("127.0.0.1", ports[port]) for port in ports}  # type: ignore[misc]
    with box:
        directory = at(ContainerServer(box), ports[389], ports[636], environment, ca_file)
        directory = attrs.evolve(directory, tools_uri="ldap://127.0.0.1")
        directory.wait()
        yield directory


@contextmanager
def local(folder: Path, extra: str = "") -> Iterator[OpenLDAP]:
    """A server from this machine's own slapd package."""
    if not shutil.which("slapd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
        raise Unavailable("slapd is not installed on this machine")
    if not shutil.which("ldapsearch"):
        raise Unavailable("OpenLDAP's client tools (ldap-utils) are not installed on this machine")
    plain, tls = free_port(), free_port()
    environment, ca_file = new_server(folder, extra)
    environment |= {
        "SLAPD_DIR": str(folder / "slapd"),
        "SLAPD_LISTEN": f"ldap://127.0.0.1:{plain} ldaps://127.0.0.1:{tls}",
    }
    server = LocalServer(START_SLAPD, environment)
    server.start()
    try:
        directory = at(server, plain, tls, environment, ca_file)
        directory.wait()
        yield directory
    finally:
        server.stop()


def container_of(environment: dict[str, str]) -> DockerContainer:
    """A container of the image, not started. Raises `Unavailable` without engine or image."""
    box = None
    with warnings.catch_warnings():
        # A Docker client that reaches no engine leaves its socket open.
        warnings.simplefilter("ignore", ResourceWarning)
        with suppress(DockerException):
            box = DockerContainer(IMAGE, env=environment)
        gc.collect()
    if box is None:
        raise Unavailable("no Docker engine answers")
    if not box.get_docker_client().client.images.list(IMAGE):
        raise Unavailable(f"the image {IMAGE} is not built: run `make containers`")
    return box


def new_server(folder: Path, extra: str) -> tuple[dict[str, str], Path]:
    """The environment of `start-slapd`, with a certificate for `localhost` alone; its CA file."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    folder.mkdir(parents=True, exist_ok=True)
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    client = authority.issue_cert("bridge.example.org", common_name="bridge")
    client.private_key_and_cert_chain_pem.write_to_path(folder / CLIENT_FILE)
    environment = {
        "SLAPD_SUFFIX": SUFFIX,
        "SLAPD_ADMIN_PASSWORD": secrets.token_urlsafe(16),
        "SLAPD_BRIDGE_PASSWORD": secrets.token_urlsafe(16),
        "SLAPD_TLS_CA": authority.cert_pem.bytes().decode(),
        "SLAPD_TLS_CERT": "".join(pem.bytes().decode() for pem in certificate.cert_chain_pems),
        "SLAPD_TLS_KEY": certificate.private_key_pem.bytes().decode(),
        "SLAPD_EXTRA": extra,
    }
    return environment, ca_file


def at(
    server: Server, plain: int, tls: int, environment: Mapping[str, str], ca_file: Path
) -> OpenLDAP:
    return OpenLDAP(
        server=server,
        uri=f"ldap://127.0.0.1:{plain}",
        ldaps_uri=f"ldaps://localhost:{tls}",
        ca_file=ca_file,
        admin=Account(f"cn=admin,{SUFFIX}", environment["SLAPD_ADMIN_PASSWORD"]),
        bridge=Account(f"cn=bridge,{SUFFIX}", environment["SLAPD_BRIDGE_PASSWORD"]),
        base_dn=SUFFIX,
        tools_uri=f"ldap://127.0.0.1:{plain}",
    )
