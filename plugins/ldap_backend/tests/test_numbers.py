"""POSIX accounts and groups get numbers that nobody else has, on a real OpenLDAP."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bridge.plugin import Park
from plugins.ldap_backend.tests.desk import Desk
from plugins.ldap_backend.tests.test_lifecycle import in_sync

OpenDesk = Callable[..., Desk]


def posix(first: int, last: int) -> dict[str, Any]:
    """Return settings of people with a number of a range."""
    return {
        "object_classes": ("inetOrgPerson", "posixAccount"),
        "attributes": {"homeDirectory": "/home/{userName}", "gidNumber": '"100"'},
        "numbers": {"uidNumber": f"{first}-{last}"},
    }


def numbers(desk: Desk) -> Counter[str]:
    found = desk.directory.search("(uidNumber=*)", ("uidNumber",))
    return Counter(number for entry in found.values() for number in entry["uidNumber"])


def test_everybody_gets_a_number_of_the_range_and_keeps_it(open_desk: OpenDesk) -> None:
    desk = open_desk(users=posix(10_000, 10_003))
    for handle in ("ann", "bob", "eve", "joe"):
        desk.carry(desk.world.user(handle))
    assert numbers(desk) == Counter({str(number): 1 for number in range(10_000, 10_004)})
    before = desk.entry("ann", "uidNumber")
    desk.carry(desk.world.update("ann", userName="anna", title="Lead"))
    assert desk.entry("ann", "uidNumber") == before
    assert in_sync(desk)


def test_full_range_is_parked(open_desk: OpenDesk) -> None:
    desk = open_desk(users=posix(10_000, 10_000))
    desk.carry(desk.world.user("ann"))
    with pytest.raises(Park, match="no free uidNumber") as parked:
        desk.carry(desk.world.user("bob"))
    assert "numbers.uidNumber" in parked.value.next_step


def test_entry_that_has_no_number_yet_gets_one(open_desk: OpenDesk) -> None:
    plain = open_desk()
    plain.carry(plain.world.user("ann"))
    desk = open_desk(users=posix(20_000, 29_999))
    desk.world.user("ann")
    desk.links.update(plain.links)
    desk.settle(desk.world.id("ann"))
    assert numbers(desk).total() == 1
    assert "posixAccount" in desk.entry("ann")["objectClass"]
    assert in_sync(desk)


def test_racing_for_few_numbers_nobody_shares_one(open_desk: OpenDesk) -> None:
    count, slots = 40, 8
    desks = [open_desk(users=posix(30_000, 30_049)) for _ in range(slots)]

    def work(slot: int) -> None:
        desk = desks[slot]
        for number in range(slot, count, slots):
            desk.carry(desk.world.user(f"user-{number}"))

    with ThreadPoolExecutor(slots) as pool:
        list(pool.map(work, range(slots)))
    assert numbers(desks[0]).total() == count
    assert set(numbers(desks[0]).values()) == {1}


def test_groups_get_numbers_too(open_desk: OpenDesk) -> None:
    desk = open_desk(
        groups={
            "object_classes": ("posixGroup", "labeledURIObject"),
            "member_attribute": "memberUid",
            "member_value": "uid",
            "empty_member": "none",
            "numbers": {"gidNumber": "60000-99999"},
        }
    )
    assert [f for f in desk.backend.check() if not f.ok] == []
    desk.carry(desk.world.group("sales"))
    assert 60_000 <= int(desk.entry("sales")["gidNumber"][0]) <= 99_999
    assert "# with gidNumber: a free number" in str(desk.backend.plan([desk.world.group("x")], {}))


def test_check_knows_what_numbers_write(open_desk: OpenDesk) -> None:
    assert [f for f in open_desk(users=posix(1, 9)).backend.check() if not f.ok] == []
    without = {**posix(1, 9), "numbers": {}}
    (finding,) = (f for f in open_desk(users=without).backend.check() if not f.ok)
    assert "requires uidnumber" in finding.message
