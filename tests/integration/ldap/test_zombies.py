"""Zombie writes: a change that timed out and lands after a newer one must not win.

slapd is frozen, "add a member" is sent and times out, "remove the member" follows, slapd goes on:
it now finds both, on different connections, and may do the older one last. Through the bridge no
group ends wrong. A client that takes a time-out for a failure is shown to end wrong.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge.core import delivery
from bridge.engine import lane, turn
from bridge.hosting import HostedBackend
from bridge.journal.store import open_journal
from bridge.plugin import InDoubt
from bridge_ldap.client import Client
from bridge_ldap.plugin import LDAP
from bridge_ldap.results import Code
from bridge_ldap.settings import Settings
from plugins.ldap_backend.tests.desk import make_units, settings_for
from tests.containers import Launch
from tests.openldap import OpenLDAP
from tests.unit.engine.house import House, Target, delivering, eventually

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

GROUPS, ROUNDS = 20, 15
TIMEOUT_SECONDS = 0.5


@pytest.fixture
def directory(start_openldap: Launch) -> OpenLDAP:
    directory = start_openldap()
    make_units(directory)
    return directory


def impatient(directory: OpenLDAP) -> Settings:
    return settings_for(directory, operation_seconds=TIMEOUT_SECONDS, connect_seconds=5)


@contextlib.contextmanager
def frozen(directory: OpenLDAP) -> Iterator[None]:
    directory.pause()
    try:
        yield
    finally:
        directory.resume()


def wrong(directory: OpenLDAP, name: str) -> list[str]:
    """Return the groups that have a member of this name."""
    return list(directory.search(f"(member=uid={name},ou=people,{directory.base_dn})", ("1.1",)))


@pytest.mark.anyio
async def test_no_group_ends_wrong_through_the_bridge(
    directory: OpenLDAP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "IN_DOUBT_SECONDS", 0.2)
    monkeypatch.setattr(delivery, "VERIFY_SECONDS", 2.0)
    monkeypatch.setattr(lane, "SETTLED_SECONDS", 0.5)
    monkeypatch.setattr(turn, "SETTLED_SECONDS", 0.5)
    settings = impatient(directory)
    journal = open_journal(f"sqlite:///{tmp_path}/journal.db")
    hosted = HostedBackend("far", LDAP, lambda: LDAP.open(settings), slots=GROUPS)
    house = House(journal, [hosted], Target())
    try:
        async with delivering(house):
            ann, bob = await house.user("ann"), await house.user("bob")
            groups = [await house.group(f"group-{n}", bob) for n in range(GROUPS)]
            await house.in_sync(ann, bob, *groups, seconds=30)
            doubts = 0
            for _ in range(ROUNDS):
                with frozen(directory):
                    for group in groups:
                        await house.join(group, ann)
                    await eventually(lambda: _trouble(house, groups), 30)
                    doubts += 1
                    for group in groups:
                        await house.leave(group, ann)
                await house.in_sync(*groups, seconds=90)
                assert wrong(directory, "ann") == []
            await asyncio.sleep(3)  # the verifying looks
            await house.in_sync(*groups, seconds=30)
            assert wrong(directory, "ann") == []
            assert doubts == ROUNDS
    finally:
        journal.close()


async def _trouble(house: House, groups: list[str]) -> bool:
    """Tell whether at least half of the older changes have timed out."""
    found = [await house.delivery(group) for group in groups]
    return sum(one.error is not None for one in found) >= GROUPS // 2


def test_a_client_that_takes_a_time_out_for_a_failure_ends_wrong(directory: OpenLDAP) -> None:
    settings = impatient(directory)
    directory.load(
        "".join(
            f"dn: cn=group-{n},ou=groups,{directory.base_dn}\nobjectClass: groupOfNames\n"
            f"cn: group-{n}\nmember: uid=bob,ou=people,{directory.base_dn}\n\n"
            for n in range(GROUPS)
        )
    )
    ann = (f"uid=ann,ou=people,{directory.base_dn}",)
    slots = [(Client(settings), Client(settings)) for _ in range(GROUPS)]

    def add(n: int) -> None:
        client, _ = slots[n]
        with pytest.raises(InDoubt):
            client.modify(f"cn=group-{n},ou=groups,{directory.base_dn}", [("add", "member", ann)])

    def remove(n: int) -> None:
        _, client = slots[n]
        with contextlib.suppress(InDoubt):
            client.modify(
                f"cn=group-{n},ou=groups,{directory.base_dn}",
                [("delete", "member", ann)],
                expect=(Code.NO_SUCH_ATTRIBUTE,),
            )

    ended_wrong = 0
    with ThreadPoolExecutor(GROUPS) as pool:
        for _ in range(ROUNDS):
            for pair in slots:
                for client in pair:
                    assert client.root_dse.controls  # connected and bound
            with frozen(directory):
                list(pool.map(add, range(GROUPS)))
                removals = [pool.submit(remove, n) for n in range(GROUPS)]
                time.sleep(0.2)
            for removal in removals:
                removal.result()
            time.sleep(0.3)
            left = wrong(directory, "ann")
            ended_wrong += len(left)
            directory.load(
                "".join(
                    f"dn: {name}\nchangetype: modify\ndelete: member\nmember: {ann[0]}\n\n"
                    for name in left
                )
            )
    for pair in slots:
        for client in pair:
            client.close()
    assert ended_wrong > 0
