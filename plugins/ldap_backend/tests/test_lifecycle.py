"""Deactivation and deletion by policy, on a real OpenLDAP; locks really stop a login."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bridge.plugin import RetryLater
from bridge_ldap.plugin import LdapBackend
from bridge_ldap.sections import Deactivation
from plugins.ldap_backend.tests.desk import Desk, make_units, settings_for
from tests.containers import Launch
from tests.openldap import OpenLDAP

OpenDesk = Callable[..., Desk]

LOCK = Deactivation(attribute="pwdAccountLockedTime", value="000001010000Z")


def in_sync(desk: Desk) -> bool:
    """Tell whether a look at every resource finds nothing to do."""
    snapshots = desk.world.snapshots()
    observed = desk.backend.observe(snapshots, desk.links)
    plans = (
        desk.backend.plan([snapshot], desk.links, seen)
        for snapshot, seen in zip(snapshots, observed, strict=True)
    )
    return not any(plan.steps for plan in plans)


@pytest.fixture
def with_ppolicy(start_openldap: Launch) -> OpenLDAP:
    policy = "cn=policy,dc=example,dc=org"
    directory = start_openldap(
        extra=f'moduleload ppolicy\noverlay ppolicy\nppolicy_default "{policy}"\n'
    )
    make_units(directory)
    directory.load(
        f"dn: {policy}\nobjectClass: organizationalRole\nobjectClass: pwdPolicy\ncn: policy\n"
        "pwdAttribute: userPassword\npwdLockout: TRUE\n"
    )
    return directory


@pytest.fixture
def locking(with_ppolicy: OpenLDAP) -> Iterator[Desk]:
    users: dict[str, Any] = {"deactivate": LOCK, "attributes": {"userPassword": '"let me in"'}}
    backend = LdapBackend(settings_for(with_ppolicy, users=users))
    yield Desk(with_ppolicy, backend)
    backend.close()


def may_log_in(desk: Desk, handle: str) -> bool:
    uri, name = desk.directory.tools_uri, desk.name(handle)
    done = desk.directory.server.run("ldapwhoami", "-x", "-H", uri, "-D", name, "-w", "let me in")
    return done.returncode == 0


def test_locked_account_cannot_log_in_and_unlocked_can(locking: Desk) -> None:
    locking.carry(locking.world.user("ann"))
    assert may_log_in(locking, "ann")
    for active in (False, True, False):
        locking.carry(locking.world.update("ann", active=active))
        assert may_log_in(locking, "ann") is active
        assert in_sync(locking)


def test_person_who_is_added_inactive_is_locked_from_the_start(locking: Desk) -> None:
    locking.carry(locking.world.user("ann", active=False))
    assert not may_log_in(locking, "ann")
    assert in_sync(locking)


def test_check_knows_that_a_lock_is_a_lock(locking: Desk) -> None:
    findings = {finding.code: finding.message for finding in locking.backend.check()}
    assert "BRG-LDAP-031" not in findings


def test_check_says_that_a_mark_is_no_lock(with_ppolicy: OpenLDAP) -> None:
    backend = LdapBackend(settings_for(with_ppolicy))
    (said,) = (f.message for f in backend.check() if f.code == "BRG-LDAP-031")
    backend.close()
    assert "does not stop a login" in said
    assert "pwdAccountLockedTime" in said


def test_inactive_people_move_and_come_back_with_their_groups(open_desk: OpenDesk) -> None:
    desk = open_desk()
    former = f"ou=former,{desk.directory.base_dn}"
    desk = open_desk(users={"deactivate": Deactivation(policy="move", base_dn=former)})
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.group("sales", "ann"))
    identity = desk.links[desk.world.id("ann")].target_id
    for active, above in ((False, former), (True, f"ou=people,{desk.directory.base_dn}")):
        desk.carry(desk.world.update("ann", active=active))
        assert desk.name("ann") == f"uid=ann@example.com,{above}"
        assert desk.entry("sales")["member"] == (desk.name("ann"),)
        assert in_sync(desk)
    assert desk.links[desk.world.id("ann")].target_id == identity
    desk.carry(desk.world.user("bob", active=False))
    assert desk.name("bob").endswith(former)


def test_inactive_person_moved_back_by_hand_is_moved_again(open_desk: OpenDesk) -> None:
    former = f"ou=former,{open_desk().directory.base_dn}"
    desk = open_desk(users={"deactivate": Deactivation(policy="move", base_dn=former)})
    desk.carry(desk.world.user("ann", active=False))
    people = f"ou=people,{desk.directory.base_dn}"
    desk.directory.load(
        f"dn: {desk.name('ann')}\nchangetype: modrdn\nnewrdn: uid=ann@example.com\n"
        f"deleteoldrdn: 0\nnewsuperior: {people}\n"
    )
    desk.settle(desk.world.id("ann"))
    assert desk.name("ann") == f"uid=ann@example.com,{former}"


def test_kept_people_change_nothing_when_they_leave(open_desk: OpenDesk) -> None:
    desk = open_desk(users={"deactivate": Deactivation(policy="keep"), "delete": "keep"})
    desk.carry(desk.world.user("ann"))
    before = desk.entry("ann", "*", "+")
    desk.carry(desk.world.update("ann", active=False))
    desk.carry(*desk.world.delete("ann"))
    assert desk.entry("ann", "*", "+") == before


def test_deleted_people_can_be_kept_disabled(open_desk: OpenDesk) -> None:
    desk = open_desk(users={"delete": "disable"})
    desk.carry(desk.world.user("ann"))
    desk.carry(desk.world.group("sales", "ann"))
    identity = desk.entry("ann", "entryUUID")
    for change in desk.world.delete("ann"):
        desk.carry(change)
    assert desk.entry("ann")["employeeType"] == ("inactive",)
    assert desk.entry("ann", "entryUUID") == identity
    assert desk.entry("sales")["member"] == (desk.name("sales"),)
    assert in_sync(desk)


def test_the_name_of_a_kept_entry_stays_taken(open_desk: OpenDesk) -> None:
    desk = open_desk(users={"delete": "disable"})
    desk.carry(desk.world.user("ann"))
    desk.carry(*desk.world.delete("ann"))
    with pytest.raises(RetryLater, match="another resource"):
        desk.carry(desk.world.user("again", userName="ann@example.com"))
