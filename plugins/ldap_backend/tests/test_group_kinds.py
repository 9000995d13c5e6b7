"""Every kind of group goes through the same life, on a real OpenLDAP."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bridge.plugin import Park
from bridge_ldap import dn
from plugins.ldap_backend.tests.desk import Desk
from plugins.ldap_backend.tests.test_lifecycle import in_sync

OpenDesk = Callable[..., Desk]

KINDS: dict[str, dict[str, Any]] = {
    "groupOfNames": {},
    "groupOfUniqueNames": {
        "object_classes": ("groupOfUniqueNames", "labeledURIObject"),
        "member_attribute": "uniqueMember",
    },
    "posixGroup": {
        "object_classes": ("posixGroup", "labeledURIObject"),
        "member_attribute": "memberUid",
        "member_value": "uid",
        "empty_member": "none",
        "attributes": {"gidNumber": '"4711"'},
    },
}


@pytest.fixture(params=KINDS)
def desk(request: pytest.FixtureRequest, open_desk: OpenDesk) -> Desk:
    desk = open_desk(groups=KINDS[request.param])
    desk.directory.search()
    return desk


def members(desk: Desk, handle: str) -> set[str]:
    """Return the user names that a group holds; its placeholder counts as nobody."""
    groups = desk.backend._settings.groups
    held = desk.entry(handle).get(groups.member_attribute, ())
    if groups.member_value == "uid":
        return set(held)
    return {dn.uid(name) for name in held} - {""}


def test_a_group_s_life(desk: Desk) -> None:
    world = desk.world
    for handle in ("ann", "bob", "eve"):
        desk.carry(world.user(handle, userName=handle))
    desk.carry(world.group("sales", "ann", "bob"))
    assert members(desk, "sales") == {"ann", "bob"}
    desk.carry(world.members("sales", add=["eve"], remove=["ann"]))
    assert members(desk, "sales") == {"bob", "eve"}
    desk.carry(world.update("sales", displayName="Sales Europe"))
    desk.carry(world.update("bob", userName="robert"))
    assert members(desk, "sales") == {"robert", "eve"}
    desk.carry(world.members("sales", remove=["bob", "eve"]))
    assert members(desk, "sales") == set()
    assert in_sync(desk)
    desk.carry(world.members("sales", add=["eve"]))
    assert members(desk, "sales") == {"eve"}
    for change in world.delete("eve"):
        desk.carry(change)
    assert members(desk, "sales") == set()
    assert in_sync(desk)
    for change in world.delete("sales"):
        desk.carry(change)
    assert desk.directory.search("(cn=Sales Europe)") == {}


def test_drift_of_members_is_mended(desk: Desk) -> None:
    for handle in ("ann", "bob"):
        desk.carry(desk.world.user(handle, userName=handle))
    desk.carry(desk.world.group("sales", "ann"))
    groups = desk.backend._settings.groups
    bob = groups.member(desk.name("bob"))
    desk.directory.load(
        f"dn: {desk.name('sales')}\nchangetype: modify\nreplace: {groups.member_attribute}\n"
        f"{groups.member_attribute}: {bob}\n"
    )
    assert not in_sync(desk)
    desk.settle(desk.world.id("sales"))
    assert members(desk, "sales") == {"ann"}


def test_members_already_there_are_done(desk: Desk) -> None:
    people = [f"user-{n:03}" for n in range(60)]
    for handle in people:
        desk.carry(desk.world.user(handle, userName=handle))
    desk.carry(desk.world.group("sales", people[0]))
    plan = desk.backend.plan([desk.world.members("sales", add=people[1:])], desk.links)
    assert not desk.backend.execute(plan).already
    assert desk.backend.execute(plan).already
    assert members(desk, "sales") == set(people)


def test_a_posix_group_holds_no_group(open_desk: OpenDesk) -> None:
    desk = open_desk(groups=KINDS["posixGroup"])
    desk.carry(desk.world.group("sales"))
    with pytest.raises(Park, match="not named by a uid"):
        desk.carry(desk.world.group("all", "sales"))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_check_accepts_each_kind(open_desk: OpenDesk, kind: Mapping[str, Any]) -> None:
    assert [f for f in open_desk(groups=kind).backend.check() if not f.ok] == []
