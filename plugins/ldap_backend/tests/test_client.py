"""The wire: certificates, time-outs, broken connections, referrals, pages; on a real OpenLDAP.

Where a server has to misbehave, a few lines of socket stand in for it; nothing else is faked.
"""

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from bridge.plugin import BackendDown, InDoubt, NotApplied, RetryLater, Secret
from bridge_ldap.answers import ANY_ENTRY
from bridge_ldap.client import Client
from bridge_ldap.sections import Groups, Users
from bridge_ldap.settings import Settings
from bridge_ldap.transport import TimedSocket
from plugins.ldap_backend.tests.desk import Desk, settings_for
from tests.containers import Launch
from tests.openldap import OpenLDAP

PASSWORD = "canary-password"


def client_of(directory: OpenLDAP, **changed: Any) -> contextlib.closing[Client]:
    return contextlib.closing(Client(settings_for(directory, **changed)))


# --- TLS ----------------------------------------------------------------------------------------


def tls_uri(directory: OpenLDAP, scheme: str, host: str) -> str:
    port = urlsplit(directory.uri if scheme == "ldap" else directory.ldaps_uri or "").port
    return f"{scheme}://{host}:{port}"


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_verified_certificate_is_accepted(openldap: OpenLDAP, scheme: str) -> None:
    uri = tls_uri(openldap, scheme, "localhost")
    with client_of(
        openldap, uris=(uri,), insecure=False, start_tls=True, ca_file=openldap.ca_file
    ) as client:
        assert client.read(openldap.base_dn, ["ou"]) is not None
        assert client.wire.is_encrypted


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
@pytest.mark.parametrize(
    ("host", "ca", "said"),
    [
        ("127.0.0.1", "right", "IP address mismatch"),
        ("localhost", "none", "unable to get local issuer|self-signed"),
        ("localhost", "other", "unable to get local issuer|self-signed"),
    ],
)
def test_certificate_that_does_not_verify_is_refused(
    openldap: OpenLDAP, tmp_path: Path, scheme: str, host: str, ca: str, said: str
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    ca_file = {"right": openldap.ca_file, "none": None, "other": tmp_path / "other.pem"}[ca]
    with (
        client_of(
            openldap,
            uris=(tls_uri(openldap, scheme, host),),
            insecure=False,
            start_tls=scheme == "ldap",
            ca_file=ca_file,
        ) as client,
        pytest.raises(BackendDown, match=said),
    ):
        client.read(openldap.base_dn, ["ou"])


@contextlib.contextmanager
def listener(answer: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[bytes]]]:
    """Serve a loopback port: note what each peer sends first, then let `answer` go on."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer, contextlib.suppress(OSError):
                        peer.settimeout(5)
                        heard.append(peer.recv(4096))
                        answer(peer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def stranger_at(port: int, scheme: str = "ldap", **changed: Any) -> Settings:
    return Settings(
        **{
            "uris": (f"{scheme}://127.0.0.1:{port}",),
            "bind_dn": "cn=bridge",
            "bind_password": Secret(PASSWORD),
            "users": Users(base_dn="ou=people"),
            "groups": Groups(base_dn="ou=groups"),
            "connect_seconds": 1,
            "operation_seconds": 1,
            **changed,
        }
    )


# An extended response to message 1: protocolError, and unavailable (RFC 4511 4.12).
REFUSALS = [
    bytes.fromhex("300c02010178070a010204000400"),
    bytes.fromhex("300c02010178070a013404000400"),
]


@pytest.mark.parametrize("refusal", [*REFUSALS, b""])
def test_no_password_leaves_in_plain_text_when_start_tls_is_refused(refusal: bytes) -> None:
    def answer(peer: socket.socket) -> None:
        peer.sendall(refusal)
        heard.append(peer.recv(4096))

    with listener(answer) as (port, heard):
        client = Client(stranger_at(port, start_tls=True))
        with pytest.raises(BackendDown):
            client.read("ou=people", ["ou"])
        client.close()
    assert heard
    assert b"1.3.6.1.4.1.1466.20037" in heard[0]
    assert not any(PASSWORD.encode() in said for said in heard)


def test_plain_listener_behind_ldaps_hears_no_password() -> None:
    with listener(lambda peer: peer.sendall(b"no TLS here")) as (port, heard):
        client = Client(stranger_at(port, "ldaps"))
        with pytest.raises(BackendDown):
            client.read("ou=people", ["ou"])
        client.close()
    assert heard
    assert not any(PASSWORD.encode() in said for said in heard)


# --- Time -----------------------------------------------------------------------------------------


def test_write_without_an_answer_is_in_doubt_and_the_connection_given_up(
    desk: Desk, openldap: OpenLDAP
) -> None:
    desk.carry(desk.world.user("ann"))
    plan = desk.backend.plan([desk.world.update("ann", title="Lead")], desk.links)
    openldap.pause()
    try:
        started = time.monotonic()
        with pytest.raises(InDoubt, match="timed out"):
            desk.backend.execute(plan)
        assert 1.5 < time.monotonic() - started < 3
        # The next one does not get as far as sending: it is not in doubt.
        with pytest.raises(BackendDown, match="cannot connect"):
            desk.backend.execute(plan)
    finally:
        openldap.resume()
    desk.settle(desk.world.id("ann"))
    assert desk.entry("ann")["title"] == ("Lead",)


def test_read_without_an_answer_is_tried_later(desk: Desk, openldap: OpenLDAP) -> None:
    desk.carry(desk.world.user("ann"))
    openldap.pause()
    try:
        with pytest.raises(RetryLater, match="no answer"):
            desk.settle(desk.world.id("ann"))
    finally:
        openldap.resume()
    desk.settle(desk.world.id("ann"))


def test_dripping_bytes_do_not_stretch_the_time_out() -> None:
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.05):
            theirs.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    timed = TimedSocket(ours)
    timed.start(0.5)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        deque(iter(lambda: timed.recv(1), b""), maxlen=0)
    assert 0.4 < time.monotonic() - started < 1
    stop.set()
    thread.join()
    for end in (ours, theirs):
        end.close()


def test_server_that_answers_the_bind_with_silence_is_down() -> None:
    with listener(lambda _: time.sleep(2)) as (port, _):
        client = Client(stranger_at(port, insecure=True))
        started = time.monotonic()
        with pytest.raises(BackendDown, match="timed out"):
            client.read("ou=people", ["ou"])
        assert time.monotonic() - started < 1.5
        client.close()


# --- Broken connections ---------------------------------------------------------------------------


def test_connection_that_died_while_idle_costs_nothing(start_openldap: Launch) -> None:
    directory = start_openldap()
    with client_of(directory) as client:
        assert client.read(directory.base_dn, ["dc"]) is not None
        directory.stop()
        with pytest.raises(BackendDown, match="cannot connect"):
            client.delete(f"cn=a,{directory.base_dn}")
        directory.start()
        assert client.read(directory.base_dn, ["dc"]) is not None


def test_server_killed_while_it_works_leaves_the_write_in_doubt(start_openldap: Launch) -> None:
    directory = start_openldap()
    with client_of(directory, operation_seconds=10) as client:
        assert client.read(directory.base_dn, ["dc"]) is not None
        directory.pause()
        killer = threading.Timer(0.5, directory.stop)
        killer.start()
        with pytest.raises(InDoubt, match="no answer"):
            client.delete(f"cn=a,{directory.base_dn}")
        killer.join()


def test_first_server_that_answers_is_used(openldap: OpenLDAP) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dead = f"ldap://127.0.0.1:{unused.getsockname()[1]}"
        with client_of(openldap, uris=(dead, openldap.uri)) as client:
            assert client.read(openldap.base_dn, ["ou"]) is not None
            assert client.wire.uri == openldap.uri
        with client_of(openldap, uris=(dead, dead)) as client, pytest.raises(BackendDown) as down:
            client.read(openldap.base_dn, ["ou"])
    assert str(down.value).count(dead) == 2


def test_wrong_password_is_not_tried_on_the_next_server(openldap: OpenLDAP) -> None:
    wrong = {"uris": (openldap.uri, openldap.uri), "bind_password": Secret("wrong")}
    with client_of(openldap, **wrong) as client, pytest.raises(BackendDown) as down:
        client.read(openldap.base_dn, ["ou"])
    assert str(down.value).count("refuses the bind") == 1
    assert "wrong" not in str(down.value)


def test_one_bind_serves_many_operations(openldap: OpenLDAP) -> None:
    with client_of(openldap) as client:
        client.read(openldap.base_dn, ["ou"])
        wire = client.wire
        for _ in range(20):
            client.read(openldap.base_dn, ["ou"])
        assert client.wire is wire


# --- Referrals and pages --------------------------------------------------------------------------


def test_referral_is_never_followed(openldap: OpenLDAP) -> None:
    with listener(lambda _: None) as (port, heard):
        openldap.load(
            f"dn: ou=away,{openldap.base_dn}\nobjectClass: referral\n"
            f"objectClass: extensibleObject\nou: away\nref: ldap://127.0.0.1:{port}/ou=away,dc=else\n"
        )
        try:
            with client_of(openldap) as client:
                with pytest.raises(BackendDown, match=r"referral \(10\)"):
                    client.delete(f"uid=ann,ou=away,{openldap.base_dn}")
                found = list(client.search(openldap.base_dn, ANY_ENTRY, ["ou"]))
        finally:
            openldap.tool("ldapdelete", "-M", f"ou=away,{openldap.base_dn}")
    assert [entry.dn for entry in found] == [openldap.base_dn]
    assert heard == []


def test_search_reads_every_page(openldap: OpenLDAP) -> None:
    count = 1203  # the account may have 500 entries in one search
    openldap.load(
        "\n".join(
            f"dn: cn=device-{n},{openldap.base_dn}\nobjectClass: device\ncn: device-{n}\n"
            for n in range(count)
        )
    )
    with client_of(openldap) as client:
        found = list(client.search(openldap.base_dn, "(objectClass=device)", ["cn"]))
        assert len({entry.dn for entry in found}) == count
        with pytest.raises(NotApplied, match="sizeLimitExceeded"), _unpaged(client):
            list(client.search(openldap.base_dn, "(objectClass=device)", ["cn"]))


@contextlib.contextmanager
def _unpaged(client: Client) -> Iterator[None]:
    search = client._search
    client._search = lambda *a, **_: search(*a)  # type: ignore[method-assign]
    try:
        yield
    finally:
        client._search = search  # type: ignore[method-assign]


def test_bytes_that_are_no_text_come_and_go_unharmed(openldap: OpenLDAP) -> None:
    name = f"cn=photo,{openldap.base_dn}"
    with client_of(openldap) as client:
        client.add(name, {"objectClass": ("inetOrgPerson",), "cn": ("photo",), "sn": ("x",)})
        raw = b"\xff\xd8\xff\xe0 no text \x80".decode(errors="surrogateescape")
        client.modify(name, [("replace", "jpegPhoto", (raw,))])
        entry = client.read(name, ["jpegPhoto"])
    assert entry is not None
    assert entry.first("jpegPhoto") == raw
