"""What is repeated or raced, on 389 Directory Server and on Active Directory (Samba).

Each test is a row of the table of result codes; OpenLDAP's column is in
plugins/ldap_backend/tests. What the server says is shown first, by its
own tools; then what the bridge makes of it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from bridge.config import structure
from bridge.plugin import Defer, Park, RetryLater
from bridge_ldap.plugin import LDAP, LdapBackend
from bridge_ldap.settings import Settings
from plugins.ldap_backend.tests.desk import Desk, make_units
from tests.openldap import OpenLDAP

SERVERS = ["ds389", "samba"]


def settings_on(directory: OpenLDAP, preset: str, **changed: Any) -> Settings:
    users = {"base_dn": f"OU=people,{directory.base_dn}", **changed.pop("users", {})}
    groups = {"base_dn": f"OU=groups,{directory.base_dn}", **changed.pop("groups", {})}
    table: dict[str, Any] = {
        "preset": preset,
        "uris": [directory.uri],
        "insecure": directory.ca_file is None,
        "bind_dn": directory.bind_dn,
        "bind_password": directory.bind_password,
        "users": users,
        "groups": groups,
        **changed,
    }
    if directory.ca_file:
        table["ca_file"] = str(directory.ca_file)
    return structure(LDAP.completed(table), Settings, "backends.corp", Path())


@pytest.fixture(params=SERVERS)
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A desk on one server after the other, with its preset and nothing else."""
    directory: OpenLDAP = request.getfixturevalue(request.param)
    make_units(directory, "former", "elsewhere")
    preset = {"ds389": "389ds", "samba": "active-directory"}[request.param]
    backend = LdapBackend(settings_on(directory, preset))
    yield Desk(directory, backend)
    backend.close()


def code_of(desk: Desk, ldif: str) -> int:
    """Apply LDIF with OpenLDAP's tools and return the server's result code."""
    return desk.directory.tool("ldapmodify", "-a", stdin=ldif, check=False).returncode


def test_preset_fits_the_servers_own_schema(desk: Desk) -> None:
    findings = desk.backend.check()
    assert [f for f in findings if not f.ok and f.code != "BRG-LDAP-002"] == []


def test_68_an_entry_that_was_added_already_is_linked(desk: Desk) -> None:
    created = desk.world.user("ann")
    desk.carry(created)
    link = desk.links.pop(created.entity.id)
    desk.carry(created, desk.world.update("ann", title="Lead"))
    assert desk.links[created.entity.id] == link
    assert desk.entry("ann")["title"] == ("Lead",)


def test_20_and_68_a_member_that_is_there_already_counts_as_added(desk: Desk) -> None:
    for handle in ("ann", "bob"):
        desk.carry(desk.world.user(handle))
    desk.carry(desk.world.group("sales"))
    sales, ann = desk.name("sales"), desk.name("ann")
    again = f"dn: {sales}\nchangetype: modify\nadd: member\nmember: {ann}\n"
    assert code_of(desk, again) == 0
    assert code_of(desk, again) in (20, 68)
    desk.carry(desk.world.members("sales", add=["ann", "bob"]))
    assert set(desk.entry("sales")["member"]) == {ann, desk.name("bob")}


def test_16_and_53_a_member_that_is_gone_already_counts_as_removed(desk: Desk) -> None:
    for handle in ("ann", "bob"):
        desk.carry(desk.world.user(handle))
    desk.carry(desk.world.group("sales", "ann", "bob"))
    sales = desk.name("sales")
    gone = f"dn: {sales}\nchangetype: modify\ndelete: member\nmember: {desk.name('ann')}\n"
    assert code_of(desk, gone) == 0
    assert code_of(desk, gone) in (16, 53)
    desk.carry(desk.world.members("sales", remove=["ann", "bob"]))
    assert "member" not in desk.entry("sales"), "neither server wants a placeholder"


def test_32_a_member_that_does_not_exist_waits_where_the_server_refuses_it(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.group("sales"))
    desk.directory.tool("ldapdelete", desk.name("ann"))
    change = desk.world.members("sales", add=["ann"])
    if "objectGUID" in desk.entry("sales", "objectGUID"):
        with pytest.raises(Defer, match="not in the directory"):
            desk.carry(change)
    else:
        desk.carry(change)  # a dangling member is the server's to refuse, and it does not


def test_32_rename_delete_and_move_again_are_done(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    for change in (desk.world.update("ann", userName="eve@example.com"), *desk.world.delete("ann")):
        plan = desk.backend.plan([change], desk.links)
        first = desk.backend.execute(plan)
        assert desk.backend.execute(plan).links == first.links
        desk.links.update((link.resource_id, link) for link in first.links)
    assert desk.directory.search("(mail=ann@example.com)", ("1.1",)) == {}


def test_a_value_of_nothing_is_removed(desk: Desk) -> None:
    desk.carry(desk.world.user("ann", title="Lead"))
    assert code_of(desk, f"dn: {desk.name('ann')}\nchangetype: modify\nreplace: title\ntitle:\n")
    for _ in range(2):
        desk.carry(desk.world.update("ann", title="")) if desk.entry("ann").get("title") else None
    assert "title" not in desk.entry("ann")


def test_entry_moved_by_hand_is_found_and_one_outside_the_bases_is_left_alone(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    name, base = desk.name("ann"), desk.directory.base_dn
    rdn = name.partition(",")[0]
    move = f"changetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: "
    desk.directory.load(f"dn: {name}\n{move}OU=groups,{base}\n")
    desk.carry(desk.world.update("ann", title="Lead"))
    assert desk.name("ann").lower() == f"{rdn},OU=groups,{base}".lower()
    desk.directory.load(f"dn: {desk.name('ann')}\n{move}OU=elsewhere,{base}\n")
    with pytest.raises(Park, match="moved out of") as parked:
        desk.carry(desk.world.update("ann", title="Head"))
    assert "Move it back" in parked.value.next_step
    there = desk.directory.search("(title=Lead)", ("1.1",))
    assert [found.lower() for found in there] == [f"{rdn},OU=elsewhere,{base}".lower()]
    desk.directory.load(f"dn: {rdn},OU=elsewhere,{base}\n{move}OU=people,{base}\n")
    desk.settle(desk.world.id("ann"))
    assert desk.entry("ann")["title"] == ("Head",)


def test_name_of_another_resource_is_waited_for(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    with pytest.raises(RetryLater, match="another resource"):
        desk.carry(desk.world.user("eve", userName="ann@example.com"))


def test_inactive_people_move_to_another_unit_and_back(desk: Desk) -> None:
    settings = desk.backend._settings
    policy = attrs.evolve(
        settings.users.deactivate, policy="move", base_dn=f"OU=former,{desk.directory.base_dn}"
    )
    users = attrs.evolve(settings.users, deactivate=policy)
    moving = attrs.evolve(desk, backend=LdapBackend(attrs.evolve(settings, users=users)))
    moving.carry(moving.world.user("ann"))
    moving.carry(moving.world.group("sales", "ann"))
    for active, unit in ((False, "former"), (True, "people")):
        moving.carry(moving.world.update("ann", active=active))
        assert f",ou={unit}," in moving.name("ann").lower()
        (member,) = moving.entry("sales")["member"]
        assert member.lower() == moving.name("ann").lower()
    moving.backend.close()
