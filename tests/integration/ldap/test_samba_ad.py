"""The LDAP backend keeps the contract on a real Active Directory: a Samba domain controller.

It has no assertion and no post-read control, its identity is objectGUID, its groups may be empty,
it mends references itself, and it refuses what other directories let pass: the preset
`active-directory` and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge.config import structure
from bridge.plugin import Link, Park, RetryLater, Secret
from bridge.testing import BackendContract, Held, Person, Team
from bridge_ldap import dn
from bridge_ldap.plugin import LDAP, LdapBackend
from bridge_ldap.sections import ENTERPRISE
from bridge_ldap.settings import Settings
from plugins.ldap_backend.tests.desk import Desk, make_units
from plugins.ldap_backend.tests.harness import Names, OpenLdapHarness, places_of
from tests.openldap import SUFFIX, Entry, OpenLDAP

DISABLED = 2


def settings_for(directory: OpenLDAP, uri: str, **changed: Any) -> Settings:
    table: dict[str, Any] = {
        "preset": "active-directory",
        "uris": [uri],
        "bind_dn": directory.bind_dn,
        "bind_password": directory.bind_password,
        "ca_file": str(directory.ca_file),
        "operation_seconds": 8,
        **changed,
    }
    return structure(LDAP.completed(table), Settings, "backends.ad", Path())


class SambaHarness(OpenLdapHarness):
    deadline_seconds = 12.0

    def settings(self, uri: str) -> Settings:
        above = f"ou={{organization}},{self.directory.base_dn}"
        # These are unique in the whole forest, whatever the organization.
        names = {"sAMAccountName": "", "userPrincipalName": ""}
        return settings_for(
            self.directory,
            uri.replace("ldap://", "ldaps://"),
            users={"base_dn": f"ou=people,{above}", "attributes": names},
            groups={"base_dn": f"ou=groups,{above}", "attributes": names},
            access={"base_dn": f"ou=access,{above}"},
        )

    def plant(self, user_name: str) -> None:
        self.directory.load(
            f"dn: CN={user_name},OU=people,OU=acme,{self.directory.base_dn}\nobjectClass: user\n"
        )

    def stand_ins(self, resource_ids: Sequence[str]) -> Mapping[str, Link]:
        pytest.skip(f"{len(resource_ids)} members would have to exist; see the big group below")

    def spoil(self, resource_id: str) -> None:
        name = self.links[resource_id].name
        administrator = f"CN=Administrator,CN=Users,{SUFFIX}"
        change = (
            "changetype: modify\nreplace: mail\nmail: else@example.com\n"
            if ",OU=people," in name
            else f"changetype: modify\nadd: member\nmember: {administrator}\n"
        )
        self.directory.load(f"dn: {name}\n{change}")

    def held(self, organization: str) -> Held:
        names = {spelled(link.name): id_ for id_, link in self.links.items()}
        found = self.directory.search(
            "(|(objectClass=user)(objectClass=group))",
            base=f"ou={organization},{self.directory.base_dn}",
        )
        shown = {name: entry for name, entry in found.items() if ",OU=access," not in name}
        places = {name: entry for name, entry in found.items() if name not in shown}
        return {
            names[spelled(name)]: team(entry, names)
            if "group" in entry["objectClass"]
            else person(entry)
            for name, entry in shown.items()
        } | places_of(places, Names(self.links))


def person(entry: Entry) -> Person:
    def one(name: str) -> str | None:
        return next(iter(entry.get(name, ())), None)

    user_name, family_name = one("cn"), one("sn")
    assert user_name is not None
    return Person(
        user_name=user_name,
        given_name=one("givenName"),
        family_name=None if family_name in (one("displayName"), user_name) else family_name,
        email=one("mail"),
        active=not int(entry["userAccountControl"][0]) & DISABLED,
    )


Spelled = tuple[tuple[str, str], ...]


def spelled(name: str) -> Spelled:
    """A DN's values as they are: two that look alike are two here."""
    return tuple((kind.lower(), value.casefold()) for ((kind, value),) in dn.parse(name).rdns)


def team(entry: Entry, names: dict[Spelled, str]) -> Team:
    members = map(spelled, entry.get("member", ()))
    return Team(entry["cn"][0], frozenset(names.get(key, str(key)) for key in members))


@pytest.mark.faults
class TestSambaAd(BackendContract):
    @pytest.fixture
    def harness(self, samba: OpenLDAP) -> SambaHarness:
        return SambaHarness(samba)


@pytest.fixture
def desk(samba: OpenLDAP) -> Iterator[Desk]:
    """A desk with the preset and nothing else."""
    make_units(samba)
    users, groups = ({"base_dn": f"OU={unit},{samba.base_dn}"} for unit in ("people", "groups"))
    backend = LdapBackend(settings_for(samba, samba.uri, users=users, groups=groups))
    yield Desk(samba, backend)
    backend.close()


def may_log_in(desk: Desk, handle: str, password: str) -> bool:
    bind = ("-x", "-H", desk.directory.tools_uri, "-D", desk.name(handle), "-w", password)
    look = ("-s", "base", "-b", "", "(objectClass=*)", "1.1")
    return desk.directory.server.run("ldapsearch", *bind, *look).returncode == 0


def test_password_and_lock_of_a_person(desk: Desk) -> None:
    first, second = Secret("Corr3ct-horse"), Secret("Batt3ry-staple")
    desk.carry(desk.world.user("ann", password=first))
    assert may_log_in(desk, "ann", first.reveal())
    desk.carry(desk.world.password("ann", second))
    assert may_log_in(desk, "ann", second.reveal())
    for active in (False, True):
        desk.carry(desk.world.update("ann", active=active))
        assert may_log_in(desk, "ann", second.reveal()) is active


def test_refused_password_leaves_everything_else_done(desk: Desk) -> None:
    with pytest.raises(Park, match="refuses the password") as parked:
        desk.carry(desk.world.user("ann", password=Secret("short")))
    (link,) = parked.value.links
    assert "short" not in repr(parked.value)
    found = desk.directory.search(base=link.name, scope="base")
    assert [entry["userAccountControl"] for entry in found.values()] == [("512",)]


def test_flags_that_others_set_stay(desk: Desk) -> None:
    desk.carry(desk.world.user("ann"))
    never_expires = 0x10000
    desk.directory.load(
        f"dn: {desk.name('ann')}\nchangetype: modify\nreplace: userAccountControl\n"
        f"userAccountControl: {512 | never_expires}\n"
    )
    for active, number in ((False, 514 | never_expires), (True, 512 | never_expires)):
        desk.carry(desk.world.update("ann", active=active))
        assert desk.entry("ann")["userAccountControl"] == (str(number),)


def test_person_who_is_added_inactive_is_disabled_from_the_start(desk: Desk) -> None:
    desk.carry(desk.world.user("ann", active=False))
    assert desk.entry("ann")["userAccountControl"] == ("514",)
    (seen,) = desk.backend.observe([desk.world.snapshot(desk.world.id("ann"))], desk.links)
    again = desk.backend.plan([desk.world.snapshot(desk.world.id("ann"))], desk.links, seen)
    assert again.steps == ()


def test_68_account_name_of_another_in_the_domain(desk: Desk) -> None:
    desk.carry(desk.world.user("ann", userName="ann@example.com"))
    with pytest.raises(RetryLater, match="another resource"):
        desk.carry(desk.world.user("other", userName="ann@example.net"))
    desk.directory.load(
        f"dn: CN=stranger,OU=people,{desk.directory.base_dn}\nobjectClass: user\n"
        "sAMAccountName: bob\n"
    )
    with pytest.raises(Park, match="not made by the bridge"):
        desk.carry(desk.world.user("bob"))


@pytest.mark.faults
def test_big_group_is_read_whole_and_changed_by_its_difference(desk: Desk) -> None:
    people = f"OU=people,{desk.directory.base_dn}"
    count = 600
    desk.directory.load(
        "\n".join(f"dn: CN=c{n:04},{people}\nobjectClass: contact\n" for n in range(count))
    )
    handles = [f"c{n:04}" for n in range(count)]
    for handle in handles:
        id_ = desk.world.user(handle).entity.id
        desk.links[id_] = Link(id_, id_, f"CN={handle},{people}")
    desk.carry(desk.world.group("all", *handles[:-1]))
    change = desk.world.members("all", add=handles[-1:], remove=handles[:1])
    assert len(desk.backend.plan([change], desk.links).steps) == 1
    desk.carry(change)
    name = desk.name("all")
    (whole,) = (desk.backend._client.read(name, ["member"]),)
    assert whole is not None
    assert len(whole.values("member")) == count - 1
    # The server shows a part where a part is asked for: the client goes on to the end.
    part = desk.backend._client.read(name, ["member;range=0-199"])
    assert part is not None
    assert sorted(part.values("member")) == sorted(whole.values("member"))


def test_manager_who_comes_later_is_filled_in_and_followed(desk: Desk) -> None:
    boss = desk.world.id("boss")
    enterprise: dict[str, Any] = {ENTERPRISE: {"manager": {"value": boss}}}
    created = desk.world.user("ann", **enterprise)
    receipt = desk.carry(created)
    assert receipt.awaited == {boss}
    assert "manager" not in desk.entry("ann")
    desk.carry(desk.world.user("boss"))
    assert desk.settle(created.entity.id).awaited == frozenset()
    assert desk.entry("ann")["manager"] == (desk.name("boss"),)
    desk.carry(desk.world.update("boss", userName="chief@example.com"))
    assert desk.entry("ann")["manager"][0].startswith("CN=chief@example.com,")
