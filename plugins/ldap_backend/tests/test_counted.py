"""How often the server is asked, as the server itself counts (OpenLDAP's cn=Monitor)."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.plugin import BackendDown, Secret
from bridge_ldap import door
from bridge_ldap.client import Client
from plugins.ldap_backend.tests.desk import desk_on, make_units, settings_for
from tests.containers import Launch
from tests.openldap import OpenLDAP

MONITOR = """moduleload back_monitor
database monitor
access to * by dn.exact="cn=admin,dc=example,dc=org" read by * none
"""


@pytest.fixture
def directory(start_openldap: Launch) -> OpenLDAP:
    directory = start_openldap(extra=MONITOR)
    make_units(directory)
    return directory


def counted(directory: OpenLDAP) -> Counter[str]:
    found = directory.search(
        "(objectClass=monitorOperation)", ("monitorOpInitiated",), base="cn=Operations,cn=Monitor"
    )
    return Counter(
        {name.partition(",")[0][3:]: int(entry["monitorOpInitiated"][0])
         for name, entry in found.items()}
    )  # fmt: skip


@contextlib.contextmanager
def operations(directory: OpenLDAP) -> Iterator[Counter[str]]:
    """What the server was asked inside, without the asking for it."""
    seen: Counter[str] = Counter()
    before = counted(directory)
    yield seen
    seen.update(counted(directory) - before)
    seen.subtract({"Bind": 1, "Search": 1, "Unbind": 1})
    for name in ("Bind", "Search", "Unbind"):
        if not seen[name]:
            del seen[name]


def test_one_operation_for_a_change_and_no_bind(directory: OpenLDAP) -> None:
    desk = desk_on(directory, referential_integrity=True)
    people = [f"user-{n}" for n in range(20)]
    desk.backend.check()
    with operations(directory) as seen:
        for handle in people:
            desk.carry(desk.world.user(handle))
    assert seen == {"Add": 20}
    desk.carry(desk.world.group("all", people[0]))
    desk.carry(desk.world.members("all", add=people[1:2]))  # the schema is read here, once
    with operations(directory) as seen:
        for handle in people:
            desk.carry(desk.world.update(handle, title="Lead"))
        for handle in people[2:]:
            desk.carry(desk.world.members("all", add=[handle]))
        desk.carry(desk.world.members("all", remove=people[:10]))
        for handle in people:
            desk.carry(desk.world.update(handle, userName=f"{handle}@example.org"))
        for handle in people[:5]:
            desk.carry(desk.world.delete(handle)[0])
    assert seen == {"Modify": 20 + 18 + 1, "Modrdn": 20, "Delete": 5}
    desk.backend.close()


def test_F27_refused_bind_is_tried_once_by_all_slots_together(
    directory: OpenLDAP, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [Client(settings_for(directory, bind_password=Secret("expired"))) for _ in range(8)]

    def attempt(client: Client) -> float | None:
        with pytest.raises(BackendDown, match="refuses the bind") as down:
            client.read(directory.base_dn, ["dc"])
        return down.value.delay_seconds

    with operations(directory) as seen, ThreadPoolExecutor(len(clients)) as pool:
        for _ in range(3):
            delays = list(pool.map(attempt, clients))
            assert all(delay and delay > door.REFUSED_SECONDS - 60 for delay in delays)
    assert seen["Bind"] == 1
    monkeypatch.setattr(door, "REFUSED_SECONDS", 0.0)
    with operations(directory) as seen:
        attempt(clients[0])
    assert seen["Bind"] == 1, "after that long it is tried again"
