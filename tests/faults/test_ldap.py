"""Faults of directories: servers out of step, dangling members, a huge group, a bad certificate.

What a test sees of a directory it reads with OpenLDAP's own tools.
"""

import datetime as dt
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partialmethod
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import httpx
import pytest
import structlog
import trustme

from bridge.core.changes import Cause
from bridge.core.schema import USER
from bridge.journal import record
from bridge.journal.store import Transaction
from bridge.plugin import BackendDown
from bridge_ldap.plugin import LdapBackend
from plugins.ldap_backend.tests.desk import make_units, settings_for
from tests.administered import House, Tenant, administered, done
from tests.containers import Launch, missing
from tests.faults.test_large_access import mebibytes
from tests.faults.test_slapd import Titles, outages_told, watch_until
from tests.integration.existing_directory import PATCH_OP, Okta, Person, bridge_on, members, run
from tests.integration.ldap.ds389 import local_389ds
from tests.integration.running import Bridge
from tests.openldap import OpenLDAP, Unavailable

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

CONVERGE_SECONDS = 120.0
AWAY_SECONDS = 30
MEMBERS, CHUNK, TURNS = 100_000, 1_000, 100
DELIVER_SECONDS = 1_800.0
ANSWER_SECONDS = 0.05
"""Within which 99 % of the changes of one member are answered (F19)."""
GROWTH_MEBIBYTES = 100.0

figures = structlog.get_logger("tests.faults").info

_LDAP = """
[[backends]]
type = "ldap"
name = "{name}"
uris = ["{ldap.uri}"]
insecure = true
bind_dn = "{ldap.bind_dn}"
bind_password = "{ldap.bind_password}"
users.base_dn = "ou=people,{ldap.base_dn}"
groups.base_dn = "ou=groups,{ldap.base_dn}"
"""


@pytest.fixture
def start(start_openldap: Launch) -> Callable[[], OpenLDAP]:
    """Start servers with the units that the bridge writes below, and without refint."""

    def start_one() -> OpenLDAP:
        directory = start_openldap()
        make_units(directory)
        return directory

    return start_one


@contextmanager
def serving(folder: Path, **directories: OpenLDAP) -> Iterator[tuple[House, Tenant]]:
    """A bridge in this process, which keeps directories, and one organization in it."""
    backends = "".join(_LDAP.format(name=name, ldap=one) for name, one in directories.items())
    more = f"[guard]\nenabled = false\n{backends}"
    with administered(folder, more=more) as house, house.tenant() as tenant:
        yield house, tenant


def wait(tenant: Tenant, *backends: str, seconds: float = CONVERGE_SECONDS) -> float:
    """Return after how many seconds the backends lack nothing."""
    began = time.monotonic()
    while waiting := [b for b in backends if done(tenant.admin.get(f"/backends/{b}"))["pending"]]:
        assert time.monotonic() - began < seconds, f"{waiting}: not in time"
        time.sleep(0.2)
    return time.monotonic() - began


# --- A name that is somebody else's now -----------------------------------------------------------


def owners(directory: OpenLDAP) -> dict[str, str]:
    """Whose entry each person's DN is."""
    found = directory.search("(objectClass=inetOrgPerson)", ("labeledURI",))
    return {
        dn: entry["labeledURI"][0].partition(" ")[0].removeprefix("urn:uuid:")
        for dn, entry in found.items()
    }


def test_F23_a_name_given_to_somebody_else_brings_no_membership_along(
    start: Callable[[], OpenLDAP], tmp_path: Path
) -> None:
    directories = {"north": start(), "south": start()}
    with serving(tmp_path, **directories) as (_, tenant):
        bob, ann = tenant.user("bob"), tenant.user("ann")
        sales = tenant.group("sales", ann, bob)
        support = tenant.group("support", ann)
        wait(tenant, *directories)
        for turn, (name, away) in enumerate(directories.items()):
            (here,) = directories.keys() - {name}
            away.pause()
            rename = {"op": "replace", "path": "userName", "value": f"eve{turn}@example.com"}
            tenant.patch(f"/Users/{ann}", rename)
            wait(tenant, here)
            assert tenant.scim.delete(f"/Users/{ann}").status_code == 204
            newcomer = tenant.user("ann")
            tenant.add(support, newcomer)
            wait(tenant, here)
            away.resume()
            wait(tenant, *directories)
            for directory in directories.values():
                ann_dn, bob_dn = (
                    f"uid={one}@example.com,ou=people,{directory.base_dn}" for one in ("ann", "bob")
                )
                assert owners(directory) == {ann_dn: newcomer, bob_dn: bob}
                assert members(directory, "sales") == {bob_dn}
                assert members(directory, "support") == {ann_dn}
            ann = newcomer
            tenant.add(sales, ann)
            wait(tenant, *directories)


# --- Members that are not there -------------------------------------------------------------------


def test_F29_without_refint_members_come_right(
    start: Callable[[], OpenLDAP], tmp_path: Path
) -> None:
    ldap = start()

    def dns(*numbers: int) -> set[str]:
        return {f"uid={Person(n).login},ou=people,{ldap.base_dn}" for n in numbers}

    def remove(bridge: Bridge, id_: str) -> None:
        with Okta(bridge).http() as http:
            assert http.delete(f"/Users/{id_}").status_code == 204
        bridge.wait_until_delivered()

    with bridge_on(ldap, tmp_path) as bridge:
        okta = Okta(bridge)
        ids = [id_ for id_, _ in okta.assign(Person(n) for n in range(6))]
        okta.push("everybody", ids)
        bridge.wait_until_delivered()
        remove(bridge, ids[0])
        assert members(ldap, "everybody") == dns(1, 2, 3, 4, 5)
        # Somebody cleans up by hand and leaves the memberships; one of the two leaves here, too.
        for gone in dns(1, 2):
            ldap.tool("ldapdelete", gone)
        remove(bridge, ids[1])
        assert members(ldap, "everybody") == dns(2, 3, 4, 5)
        name = {"op": "replace", "path": "userName", "value": Person(9).login}
        with okta.http() as http:
            body = {"schemas": [PATCH_OP], "Operations": [name]}
            assert http.patch(f"/Users/{ids[5]}", json=body).is_success
        bridge.wait_until_delivered()
        assert members(ldap, "everybody") == dns(2, 3, 4, 9)
        # A member nobody knows, and one who is missing.
        ldap.load(
            f"dn: cn=everybody,ou=groups,{ldap.base_dn}\nchangetype: modify\n"
            f"add: member\nmember: uid=ghost,ou=people,{ldap.base_dn}\n-\n"
            f"delete: member\nmember: {dns(3).pop()}\n"
        )
        _, told = run(bridge, "reconcile", "--backend", "corp", "--repair")
        assert len(told["entries"]) == 2, told
        bridge.wait_until_delivered()
        people = set(ldap.search("(objectClass=inetOrgPerson)", ("1.1",)))
        assert people == members(ldap, "everybody") == dns(2, 3, 4, 9)
        code, told = run(bridge, "reconcile", "--backend", "corp")
        assert (code, told["differences"]) == (0, {})


# --- A huge group ---------------------------------------------------------------------------------


def populate(house: House, organization: str) -> list[str]:
    """Write people past SCIM, which is measured elsewhere."""
    ids = [f"p{number:06}" for number in range(MEMBERS)]

    def unit(tx: Transaction, some: list[str]) -> None:
        cause = Cause("test", "test", dt.datetime.now(dt.UTC))
        for id_ in some:
            record.create(tx, USER, organization, id_, {"userName": id_, "active": True}, (), cause)

    for some in chunks(ids):
        house.journal.write_now(lambda tx, some=some: unit(tx, some))  # type: ignore[misc]
    return ids


def chunks(ids: list[str]) -> Iterator[list[str]]:
    return (ids[at : at + CHUNK] for at in range(0, len(ids), CHUNK))


def taken(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.timeout(3600)
def test_F19_a_group_of_a_hundred_thousand(start: Callable[[], OpenLDAP], tmp_path: Path) -> None:
    ldap = start()
    with serving(tmp_path, corp=ldap) as (house, tenant):
        ids = populate(house, tenant.id)
        figures("people delivered", seconds=round(wait(tenant, "corp", seconds=DELIVER_SECONDS)))
        began = mebibytes()
        group = tenant.group("everybody")
        longest = max(taken(lambda some=some: tenant.add(group, *some)) for some in chunks(ids))  # type: ignore[misc]
        seconds = wait(tenant, "corp", seconds=DELIVER_SECONDS)
        figures("group made", longest_ms=round(longest * 1e3), seconds=round(seconds))
        changes = [
            taken(lambda change=change, id_=id_: change(group, id_))  # type: ignore[misc]
            for id_ in ids[:TURNS]
            for change in (tenant.remove, tenant.add)
        ]
        tenant.remove(group, ids[-1])
        p99 = sorted(changes)[len(changes) * 99 // 100]
        wait(tenant, "corp")
        reading = taken(lambda: tenant.scim.get(f"/Groups/{group}"))
        grown = mebibytes() - began
        figures(
            "one member", p99_ms=round(p99 * 1e3), read_ms=round(reading * 1e3), grown_mib=grown
        )
        wanted = {f"uid={id_},ou=people,{ldap.base_dn}" for id_ in ids[:-1]}
        assert members(ldap, "everybody") == wanted
        assert len(done(tenant.scim.get(f"/Groups/{group}"))["members"]) == MEMBERS - 1
        assert tenant.scim.delete(f"/Groups/{group}").status_code == 204
        wait(tenant, "corp")
        assert ldap.search("(objectClass=groupOfNames)", ("1.1",)) == {}
        assert p99 <= ANSWER_SECONDS
        assert grown <= GROWTH_MEBIBYTES


# --- Certificates ---------------------------------------------------------------------------------


@contextmanager
def overheard(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """Pass connections on to a port, and note every packet of the client's."""
    heard: list[bytes] = []

    def pass_on(source: socket.socket, sink: socket.socket, note: Callable[[bytes], None]) -> None:
        with suppress(OSError):
            while packet := source.recv(65_536):
                note(packet)
                sink.sendall(packet)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                with near, socket.create_connection(("127.0.0.1", port)) as far:
                    back = threading.Thread(target=pass_on, args=(far, near, lambda _: None))
                    back.start()
                    pass_on(near, far, heard.append)
                    back.join()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def look(directory: OpenLDAP, scheme: str, **changed: object) -> tuple[str, bytes]:
    """Check a directory over TLS; return what was said, and all that was sent."""
    address = directory.ldaps_uri if scheme == "ldaps" else directory.uri
    with overheard(urlsplit(address).port or 0) as (port, heard):
        uri = f"{scheme}://localhost:{port}"
        settings = settings_for(directory, uris=(uri,), ca_file=directory.ca_file, **changed)
        with closing(LdapBackend(settings)) as backend:
            try:
                said = str(backend.check()[0].message)
            except BackendDown as down:
                said = down.reason
    return said, b"".join(heard)


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_F28_an_expired_certificate_is_refused_by_name_before_any_password(
    start: Callable[[], OpenLDAP], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    tls = {"insecure": False, "start_tls": scheme == "ldap"}
    valid = start()
    password = valid.bind_password.encode()
    said, sent = look(valid, scheme, **tls)
    assert "with TLS, certificate verified" in said
    assert password not in sent
    _, sent = look(valid, "ldap", insecure=True)
    assert password in sent, "so a plain bind would be seen"

    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    expired = partialmethod(trustme.CA.issue_cert, not_after=yesterday)
    monkeypatch.setattr(trustme.CA, "issue_cert", expired)
    directory = start()
    said, sent = look(directory, scheme, **tls)
    assert "certificate has expired" in said
    assert sent, "it was asked"
    assert directory.bind_password.encode() not in sent
    assert directory.bind_dn.encode() not in sent


# --- 389 Directory Server -------------------------------------------------------------------------


def test_F06_389ds_is_killed_and_started_again(tmp_path: Path) -> None:
    # Not below pytest's folder: its parents are closed to the user the server runs as.
    with TemporaryDirectory(prefix="bridge-389ds-") as folder:
        try:
            with local_389ds(Path(folder)) as ldap:
                make_units(ldap)
                kind = 'preset = "389ds"'
                with bridge_on(ldap, tmp_path, kind) as bridge:
                    _kill_and_start(bridge, ldap)
        except Unavailable as why:
            missing("389ds", str(why))


def _kill_and_start(bridge: Bridge, ldap: OpenLDAP) -> None:
    titles = Titles(bridge)
    titles.create()
    assert watch_until(ldap, lambda: titles.sent) == []
    with titles.counting():
        time.sleep(4)
        ldap.stop()
        time.sleep(AWAY_SECONDS)
        ldap.start()
        back = time.monotonic()
        time.sleep(1)
    assert watch_until(ldap, lambda: titles.sent) == []
    figures(
        f"389DS killed for {AWAY_SECONDS} s: {sum(titles.sent.values())} changes, "
        f"drained {time.monotonic() - back:.1f} s after it was back, "
        f"told {outages_told(bridge)} times"
    )
    assert titles.refused == []
    assert outages_told(bridge) <= 1
    assert re.search(r'bridge_parked{backend="corp"} 0', httpx.get(f"{bridge.url}/metrics").text)
